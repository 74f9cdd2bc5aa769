/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files about routes share: the types of metrics, and of several next hops. */

#include "mvnet/schema.h"

/* One of several ways that a route goes. */
typedef struct Hop {
        Value via;       /* no family: none */
        Value dev;       /* a reference, to nothing if it is the kernel's choice */
        uint32_t weight; /* 1 to 256 */
        bool onlink;
} Hop;

extern const AttrType attr_metric, attr_metric_bool, attr_metric_time, attr_metric_text,
        attr_metric_bits;
extern const AttrType attr_hops; /* RTA_MULTIPATH */

/* The attribute that an earlier row put, or NULL. */
struct nlattr *route_find_put(PutScope *scope, uint16_t nla);

/* A gateway of the header's family, or of the other one, behind whatever is there. 0 or < 0. */
int route_put_via(PutScope *scope, const Value *via);
int route_get_via(const struct nlattr *gateway, const struct nlattr *via, uint8_t family,
                  Value *ret);
