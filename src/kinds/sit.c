/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>
#include <linux/in.h>

#include "mvnet/schema.h"

extern const LinkKind link_kind_ipip;

static const Name modes[] = {
        {"ip6ip", IPPROTO_IPV6}, {"ipip", IPPROTO_IPIP}, {"mplsip", IPPROTO_MPLS}, {"any", 0}, {},
};


/* What the kernel begins with; a ttl that is sent forbids fragments (ip_tunnel_netlink_parms). */
#define TTL_USUAL 64

static int ttl_put(const Row *row, const Value *value, PutScope *scope) {
        return value->number == TTL_USUAL ? 0 : attr_put_number(row, value, scope);
}

static const AttrType attr_sit_ttl = {
        .size = 1, .put = ttl_put, .get = attr_get_number, ATTR_WORD,
};

/* clang-format off */
static const Row rows[] = {
        { .key = "ttl", .nla = IFLA_IPTUN_TTL, .type = &attr_sit_ttl, .names = tunnel_ttls, .flags = ROW_ABSENT_IS_DEF, .def = "64",
          .doc = "The hop limit of the outer packets." },
        { .key = "mode", .nla = IFLA_IPTUN_PROTO, .type = &attr_enum8, .names = modes, .change = CHANGE_CREATE, .def = "ip6ip",
          .doc = "What is carried." },
        { .key = "isatap", .nla = IFLA_IPTUN_FLAGS, .type = &attr_bit16, .bit = SIT_ISATAP, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether the tunnel finds its far ends by ISATAP." },
        { .key = "6rd-prefix", .nla = IFLA_IPTUN_6RD_PREFIX, .nla2 = IFLA_IPTUN_6RD_PREFIXLEN, .type = &attr_prefix, .bit = 16, .def = "2002::/16",
          .doc = "The IPv6 prefix in which IPv4 addresses are embedded." },
        { .key = "6rd-relay-prefix", .nla = IFLA_IPTUN_6RD_RELAY_PREFIX, .nla2 = IFLA_IPTUN_6RD_RELAY_PREFIXLEN, .type = &attr_prefix, .bit = 4, .def = "0.0.0.0/0",
          .doc = "The part of these IPv4 addresses that is left out." },
};
/* clang-format on */

static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        return tunnel_verify_ttl(options, TTL_USUAL, ret_key, ret_reason);
}

const LinkKind link_kind_sit = {
        .name = "sit",
        .options = {.name = "sit", .rows = rows, .n = ELEMENTSOF(rows),
                    .like = &tunnel_ip4_schema},
        .like = &link_kind_ipip,
        .verify = verify,
        .fallback = "sit0",
        .doc = "A tunnel that carries IPv6 (or IPv4, or MPLS) in IPv4.",
};
