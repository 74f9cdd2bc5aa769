/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

extern const LinkKind link_kind_ipvlan;

const LinkKind link_kind_ipvtap = {
        .name = "ipvtap",
        .options = {.name = "ipvtap", .like = &link_kind_ipvlan.options},
        .like = &link_kind_ipvlan,
        .flags = KIND_TAP,
        .doc = "An ipvlan whose packets go to a character device, /dev/tapN.",
};
