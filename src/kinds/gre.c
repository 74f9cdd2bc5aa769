/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>

#include "mvnet/schema.h"

/* clang-format off */
static const Row rows[] = {
        /* Without Ethernet, whether there is a far end is fixed (ip_tunnel.c ip_tunnel_changelink). */
        { .key = "remote", .nla = IFLA_GRE_REMOTE, .type = &attr_endpoint, .flags = ROW_STEADY | ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of the far end." },
};
/* clang-format on */

const LinkKind link_kind_gre = {
        .name = "gre",
        .options = {.name = "gre", .rows = rows, .n = ELEMENTSOF(rows),
                    .like = &tunnel_gre_ip4_schema},
        .lower = {IFLA_GRE_LINK, CHANGE_LIVE, CHANGE_LIVE},
        .bind = BIND_REPORTED,
        .flags = KIND_REPLACES | KIND_NO_MAC | KIND_NO_ARP | KIND_NO_CHILDREN,
        .mtu = MTU_VARIES,
        .fallback = "gre0",
        .doc = "A tunnel that carries IP in GRE over IPv4.",
};
