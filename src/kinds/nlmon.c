/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

const LinkKind link_kind_nlmon = {
        .name = "nlmon",
        .options = {.name = "nlmon"},
        .flags = KIND_NO_ARP | KIND_NO_MAC | KIND_NO_PORT | KIND_NO_CHILDREN,
        .mtu = 3776,
        .doc = "A tap for the netlink messages of its namespace.",
};
