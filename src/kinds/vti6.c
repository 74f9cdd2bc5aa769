/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>

#include "mvnet/schema.h"

extern const LinkKind link_kind_vti;

/* clang-format off */
static const Row rows[] = {
        { .key = "local", .nla2 = IFLA_VTI_LOCAL, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of this end." },
        { .key = "remote", .nla2 = IFLA_VTI_REMOTE, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of the far end." },
};
/* clang-format on */

const LinkKind link_kind_vti6 = {
        .name = "vti6",
        .options = {.name = "vti6", .rows = rows, .n = ELEMENTSOF(rows),
                    .like = &link_kind_vti.options},
        .like = &link_kind_vti,
        .fallback = "ip6_vti0",
        .doc = "A link for IPsec over IPv6: what leaves here is encrypted by policies.",
};
