/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

extern const LinkKind link_kind_erspan;

const LinkKind link_kind_ip6erspan = {
        .name = "ip6erspan",
        .options = {.name = "ip6erspan", .like = &tunnel_erspan_ip6_schema},
        .like = &link_kind_erspan,
        .doc = "A tunnel that carries mirrored packets in GRE over IPv6.",
};
