/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>
#include <linux/in.h>

#include "mvnet/schema.h"

extern const LinkKind link_kind_ipip;

static const Name modes[] = {{"ip6ip6", IPPROTO_IPV6}, {"ipip6", IPPROTO_IPIP}, {"any", 0}, {}};

/* clang-format off */
static const Row rows[] = {
        { .key = "mode", .nla = IFLA_IPTUN_PROTO, .type = &attr_enum8, .names = modes, .def = "any",
          .doc = "What is carried." },
        { .key = "external", .nla = IFLA_IPTUN_COLLECT_METADATA, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether routes, tc or BPF say where each packet goes, rather than the link." },
};
/* clang-format on */

const LinkKind link_kind_ip6tnl = {
        .name = "ip6tnl",
        .options = {.name = "ip6tnl", .rows = rows, .n = ELEMENTSOF(rows),
                    .like = &tunnel_ip6_schema},
        .like = &link_kind_ipip,
        .fallback = "ip6tnl0",
        .doc = "A tunnel that carries IPv6 or IPv4 in IPv6.",
};
