/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>

#include "mvnet/schema.h"

extern const LinkKind link_kind_erspan;

/* clang-format off */
static const Row rows[] = {
        /* Otherwise each packet has its own, and this one is forgotten with the first that is sent
         * (ip6erspan_tunnel_xmit of 6.1 and 6.12). */
        { .key = "okey", .nla = IFLA_GRE_OKEY, .nla2 = IFLA_GRE_OFLAGS, .type = &attr_gre_key, .when = "external", .when_in = ROW_BIT(false), .def = "none",
          .doc = "The session of packets from us." },
        { .key = "erspan-ver", .nla = IFLA_GRE_ERSPAN_VER, .type = &attr_u8, .min = 1, .max = 2, .flags = ROW_ABSENT_IS_DEF, .def = "1",
          .doc = "The version: 1 is type II, 2 is type III." },
};
/* clang-format on */

const LinkKind link_kind_ip6erspan = {
        .name = "ip6erspan",
        .options = {.name = "ip6erspan", .rows = rows, .n = ELEMENTSOF(rows),
                    .like = &tunnel_erspan_ip6_schema},
        .like = &link_kind_erspan,
        .doc = "A tunnel that carries mirrored packets in GRE over IPv6.",
};
