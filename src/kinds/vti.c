/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>

#include "mvnet/schema.h"

static const char *const both_keys[] = {"ikey", "okey", NULL};

/* clang-format off */
static const Row rows[] = {
        { .key = "local", .nla = IFLA_VTI_LOCAL, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of this end." },
        { .key = "remote", .nla = IFLA_VTI_REMOTE, .type = &attr_endpoint, .flags = ROW_STEADY | ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of the far end." },
        { .key = "key", .type = &attr_local_u32, .flags = ROW_LOCAL, .both = both_keys,
          .doc = "The mark that policies of both directions have." },
        { .key = "ikey", .nla = IFLA_VTI_IKEY, .type = &attr_be32, .def = "0",
          .doc = "The mark that policies for packets to us have." },
        { .key = "okey", .nla = IFLA_VTI_OKEY, .type = &attr_be32, .def = "0",
          .doc = "The mark that policies for packets from us have." },
        { .key = "fwmark", .nla = IFLA_VTI_FWMARK, .type = &attr_u32, .def = "0",
          .doc = "The mark of the outer packets." },
};
/* clang-format on */

const LinkKind link_kind_vti = {
        .name = "vti",
        .options = {.name = "vti", .rows = rows, .n = ELEMENTSOF(rows)},
        .lower = {IFLA_VTI_LINK, CHANGE_LIVE, CHANGE_LIVE},
        .bind = BIND_REPORTED,
        .flags = KIND_REPLACES | KIND_NO_MAC | KIND_NO_ARP | KIND_NO_CHILDREN,
        .mtu = MTU_VARIES,
        .fallback = "ip_vti0",
        .doc = "A link for IPsec over IPv4: what leaves here is encrypted by policies.",
};
