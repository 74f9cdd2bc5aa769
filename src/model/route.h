/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files about routes share: the types of metrics, and of several next hops. */

#include "mvnet/route.h"
#include "mvnet/schema.h"

extern const AttrType attr_metric, attr_metric_bool, attr_metric_time, attr_metric_text,
        attr_metric_bits;
extern const AttrType attr_hops; /* RTA_MULTIPATH */

/* Whether there are several (NULL: none), and one of them without a gateway. */
bool hops_lack_via(const Value *hops);

/* The attribute that an earlier row put, or NULL. */
struct nlattr *route_find_put(PutScope *scope, uint16_t nla);
/* Rows that build up a nest together: `nla`, and the place of `bit` is the number in there. */
int route_put_nested(const Row *row, PutScope *scope, const void *payload, size_t size);
const struct nlattr *route_get_nested(const Row *row, const GetScope *scope, size_t size);

/* A gateway of the header's family, or of the other one, behind whatever is there. 0 or < 0. */
int route_put_via(PutScope *scope, const Value *via);
int route_get_via(const struct nlattr *gateway, const struct nlattr *via, uint8_t family,
                  Value *ret);

/* Whether a file has a row of that key. */
static inline bool said(const AttrSet *set, const char *key) {
        int row = schema_find(set->schema, key);

        return row >= 0 && attrset_has(set, (size_t)row) && !(set->implied & ROW_BIT(row));
}

/* What verify() returns of a row that is wrong. */
static inline int wrong(const char **ret_key, const char *key, const char **ret_reason,
                        const char *reason) {
        *ret_key = key;
        *ret_reason = reason;
        return 1;
}

/* What is missing that a gateway, or a link, is refused; NULL: nothing. */
const char *route_waits_for(int error, const char *message, bool gateway);

/* The order in which they are made: what leads to gateways, what has one, what refers to these. */
enum {
        RANK_DIRECT,
        RANK_GATEWAY,
        RANK_GROUP,
        RANK_REFERRING,
};

/* nexthop.c */
uint8_t nexthop_family(const struct Namespace *netns, uint64_t id); /* 0: who knows */
