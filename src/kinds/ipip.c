/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>
#include <linux/in.h>

#include "mvnet/schema.h"

static const Name modes[] = {{"ipip", IPPROTO_IPIP}, {"mplsip", IPPROTO_MPLS}, {"any", 0}, {}};

/* clang-format off */
static const Row rows[] = {
        { .key = "mode", .nla = IFLA_IPTUN_PROTO, .type = &attr_enum8, .names = modes, .change = CHANGE_CREATE, .def = "ipip",
          .doc = "What is carried." },
        { .key = "external", .nla = IFLA_IPTUN_COLLECT_METADATA, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether routes, tc or BPF say where each packet goes, rather than the link." },
};
/* clang-format on */

static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        return tunnel_verify_ttl(options, 0, ret_key, ret_reason);
}

const LinkKind link_kind_ipip = {
        .name = "ipip",
        .options = {.name = "ipip", .rows = rows, .n = ELEMENTSOF(rows),
                    .like = &tunnel_ip4_schema},
        .lower = {IFLA_IPTUN_LINK, CHANGE_LIVE, CHANGE_LIVE},
        .bind = BIND_REPORTED,
        .flags = KIND_REPLACES | KIND_NO_MAC | KIND_NO_ARP | KIND_NO_CHILDREN,
        .verify = verify,
        .mtu = MTU_VARIES,
        .fallback = "tunl0",
        .doc = "A tunnel that carries IPv4 (or MPLS) in IPv4.",
};
