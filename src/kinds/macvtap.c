/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

extern const LinkKind link_kind_macvlan;

const LinkKind link_kind_macvtap = {
        .name = "macvtap",
        .options = {.name = "macvtap", .rows = device_rows, .n = DEVICE_ROWS,
                    .like = &link_kind_macvlan.options},
        .like = &link_kind_macvlan,
        .flags = KIND_NO_PORT | KIND_DEVICE,
        .txqueuelen = 500,
        .doc = "A macvlan whose packets go to a character device, /dev/tapN.",
};
