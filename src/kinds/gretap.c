/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>

#include "mvnet/schema.h"

const LinkKind link_kind_gretap = {
        .name = "gretap",
        .options = {.name = "gretap", .like = &tunnel_gre_ip4_schema},
        .lower = {IFLA_GRE_LINK, CHANGE_LIVE, CHANGE_LIVE},
        .bind = BIND_REPORTED,
        .flags = KIND_REPLACES,
        .mtu = MTU_VARIES,
        .fallback = "gretap0",
        .doc = "A tunnel that carries Ethernet in GRE over IPv4.",
};
