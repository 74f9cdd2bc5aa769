/* SPDX-License-Identifier: MIT */
#include <linux/if_link.h>
#include <linux/if_tun.h>

#include "mvnet/schema.h"

extern const LinkKind link_kind_tap;

const LinkKind link_kind_tun = {
        .name = "tun",
        .type_nla = IFLA_TUN_TYPE,
        .type = IFF_TUN,
        .transport = TRANSPORT_TUN,
        .options = {.name = "tun", .like = &link_kind_tap.options},
        .like = &link_kind_tap,
        .flags = KIND_NO_MAC | KIND_NO_PORT | KIND_NO_CHILDREN | KIND_ARP_VARIES,
        .txqueuelen = 500, /* a tap has it, too, until ether_setup() (tun.c tun_net_initialize) */
        .doc = "A link whose far end is a program that reads and writes IP packets.",
};
