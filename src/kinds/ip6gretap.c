/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

extern const LinkKind link_kind_gretap;

const LinkKind link_kind_ip6gretap = {
        .name = "ip6gretap",
        .options = {.name = "ip6gretap", .like = &tunnel_gre_ip6_schema},
        .like = &link_kind_gretap,
        .doc = "A tunnel that carries Ethernet in GRE over IPv6.",
};
