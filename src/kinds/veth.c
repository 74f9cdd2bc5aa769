/* SPDX-License-Identifier: MIT */
#include <linux/veth.h>

#include "mvnet/schema.h"

/* clang-format off */
static const Row rows[] = {
        { .key = "peer", .nla = VETH_INFO_PEER, .type = &attr_peer, .change = CHANGE_CREATE,
          .flags = ROW_REQUIRED | ROW_MAKES_PEER,
          .doc = "The far end, which comes into being with this one." },
};
/* clang-format on */

const LinkKind link_kind_veth = {
        .name = "veth",
        .options = {.name = "veth", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_PAIR,
        .doc = "A pair of links: what goes in at one end comes out at the other.",
};
