/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/if_link.h>

#include "mvnet/schema.h"

enum { /* newer than our headers */
        GENEVE_INNER_PROTO_INHERIT = 14, /* 5.19 */
        GENEVE_PORT_RANGE = 15,          /* 6.15 */
};

static const Name ttls[] = {{"auto", 0}, {"inherit", TTL_INHERIT}, {}};

/* clang-format off */
static const Row rows[] = {
        { .key = "id", .nla = IFLA_GENEVE_ID, .type = &attr_u32, .change = CHANGE_CREATE, .max = 0xffffff,
          .doc = "The number of the network (VNI)." },
        { .key = "remote", .nla = IFLA_GENEVE_REMOTE, .nla2 = IFLA_GENEVE_REMOTE6, .type = &attr_endpoint, .bit = ADDRESS_UNICAST, .flags = ROW_ABSENT_IS_DEF | ROW_STEADY, .def = "any",
          .doc = "The address of the far end." },
        { .key = "port", .nla = IFLA_GENEVE_PORT, .type = &attr_be16, .change = CHANGE_CREATE, .min = 1, .max = 65535, .def = "6081",
          .doc = "The UDP destination port." },
        { .key = "srcport", .nla = GENEVE_PORT_RANGE, .type = &attr_srcport, .change = CHANGE_CREATE, .def = "1-65535",
          .doc = "The UDP source ports, one of which is chosen for each flow (Linux 6.15)." },
        { .key = "ttl", .nla = IFLA_GENEVE_TTL, .nla2 = IFLA_GENEVE_TTL_INHERIT, .type = &attr_ttl, .names = ttls, .max = 255, .def = "auto",
          .doc = "The hop limit of the outer packets." },
        { .key = "tos", .nla = IFLA_GENEVE_TOS, .type = &attr_u8_or_word, .names = tunnel_toses, .def = "0",
          .doc = "The type of service of the outer packets." },
        { .key = "df", .nla = IFLA_GENEVE_DF, .type = &attr_enum8, .names = tunnel_dfs, .def = "unset",
          .doc = "Whether the outer packets may not be fragmented." },
        { .key = "flowlabel", .nla = IFLA_GENEVE_LABEL, .type = &attr_be32, .max = 0xfffff, .def = "0",
          .doc = "The flow label of the outer packets; for IPv6." },
        { .key = "udp-csum", .nla = IFLA_GENEVE_UDP_CSUM, .type = &attr_bool, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether the outer packets have a UDP checksum over IPv4." },
        /* Three booleans that the kernel reports of IPv6 only (geneve_fill_info). */
        { .key = "udp6-zero-csum-tx", .nla = IFLA_GENEVE_UDP_ZERO_CSUM6_TX, .type = &attr_bool, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "true",
          .doc = "Whether the outer packets have no UDP checksum over IPv6." },
        { .key = "udp6-zero-csum-rx", .nla = IFLA_GENEVE_UDP_ZERO_CSUM6_RX, .type = &attr_bool, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "true",
          .doc = "Whether packets without a UDP checksum are taken over IPv6." },
        { .key = "external", .nla = IFLA_GENEVE_COLLECT_METADATA, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether routes, tc or BPF say where each packet goes, rather than the link." },
        { .key = "inner-proto-inherit", .nla = GENEVE_INNER_PROTO_INHERIT, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether packets are carried as they are, without an Ethernet header." },
};
/* clang-format on */

static bool is_on(const AttrSet *options, const char *key) {
        const Value *value = attrset_get(options, key);

        return value && value->number;
}

static int verify(const AttrSet *common, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *remote = attrset_get(options, "remote");
        bool six = remote && remote->family == AF_INET6;

        *ret_key = "remote";
        *ret_reason = is_on(options, "external") ? "an external link has no end of its own"
                                                 : "is needed, unless the link is external";
        if (is_on(options, "external") == (remote && remote->family))
                return 1;
        *ret_key = "id";
        if (!is_on(options, "external") && !attrset_has(options, 0))
                return 1;
        *ret_key = "flowlabel";
        *ret_reason = "is for IPv6";
        if (is_on(options, "flowlabel") && !six)
                return 1;
        *ret_key = "udp-csum";
        *ret_reason = "is for IPv4";
        if (is_on(options, "udp-csum") && six)
                return 1;
        *ret_key = "mac";
        *ret_reason = "a link with inner-proto-inherit has none";
        return is_on(options, "inner-proto-inherit") && attrset_has(common, LINK_MAC);
}

const LinkKind link_kind_geneve = {
        .name = "geneve",
        .options = {.name = "geneve", .rows = rows, .n = ELEMENTSOF(rows)},
        .bind = BIND_SILENT,
        .flags = KIND_DATA_ALWAYS,
        .verify = verify,
        .mtu = MTU_VARIES,
        .doc = "A tunnel that carries Ethernet in UDP to one end, with options.",
};
