/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

extern const LinkKind link_kind_gre;

const LinkKind link_kind_ip6gre = {
        .name = "ip6gre",
        .options = {.name = "ip6gre", .like = &tunnel_gre_ip6_schema},
        .like = &link_kind_gre,
        .fallback = "ip6gre0",
        .doc = "A tunnel that carries IP in GRE over IPv6.",
};
