/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

const LinkKind link_kind_ifb = {
        .name = "ifb",
        .options = {.name = "ifb"},
        .flags = KIND_NO_ARP | KIND_MAC_ONCE,
        .txqueuelen = 32,
        .doc = "A link to redirect packets to, so that they can be queued.",
};
