/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

extern const LinkKind link_kind_ipvlan;

const LinkKind link_kind_ipvtap = {
        .name = "ipvtap",
        .options = {.name = "ipvtap", .rows = device_rows, .n = DEVICE_ROWS,
                    .like = &link_kind_ipvlan.options},
        .like = &link_kind_ipvlan,
        .flags = KIND_DEVICE,
        .txqueuelen = 500,
        .doc = "An ipvlan whose packets go to a character device, /dev/tapN.",
};
