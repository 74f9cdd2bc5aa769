/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>

#include "mvnet/schema.h"

enum { /* newer than our headers */
        VXLAN_LOCALBYPASS = 31,   /* 6.5 */
        VXLAN_LABEL_POLICY = 32,  /* 6.7 */
        VXLAN_RESERVED_BITS = 33, /* 6.14 */
        VXLAN_MC_ROUTE = 34,      /* 6.17 */
};

static const Name ttls[] = {{"auto", 0}, {"inherit", TTL_INHERIT, .fixed = true}, {}};
static const Name policies[] = {{"fixed", 0}, {"inherit", 1}, {}};

/* clang-format off */
static const Row rows[] = {
        { .key = "id", .nla = IFLA_VXLAN_ID, .type = &attr_u32, .change = CHANGE_CREATE, .max = 0xffffff,
          .doc = "The number of the network (VNI)." },
        { .key = "remote", .nla = IFLA_VXLAN_GROUP, .nla2 = IFLA_VXLAN_GROUP6, .type = &attr_endpoint, .bit = ADDRESS_UNICAST, .flags = ROW_ABSENT_IS_DEF | ROW_STEADY, .def = "any",
          .doc = "Where packets go whose destination is not known." },
        { .key = "group", .nla = IFLA_VXLAN_GROUP, .nla2 = IFLA_VXLAN_GROUP6, .type = &attr_endpoint, .bit = ADDRESS_MULTICAST, .flags = ROW_ABSENT_IS_DEF | ROW_STEADY, .def = "any",
          .doc = "The multicast group to which packets go whose destination is not known; needs a parent." },
        { .key = "local", .nla = IFLA_VXLAN_LOCAL, .nla2 = IFLA_VXLAN_LOCAL6, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF | ROW_STEADY, .def = "any",
          .doc = "The source address of the outer packets." },
        { .key = "port", .nla = IFLA_VXLAN_PORT, .type = &attr_be16, .change = CHANGE_CREATE, .min = 1, .max = 65535, .def = "8472",
          .doc = "The UDP destination port; that of the standard is 4789." },
        { .key = "srcport", .nla = IFLA_VXLAN_PORT_RANGE, .type = &attr_srcport, .change = CHANGE_CREATE, .def = "any",
          .doc = "The UDP source ports, one of which is chosen for each flow." },
        { .key = "ttl", .nla = IFLA_VXLAN_TTL, .nla2 = IFLA_VXLAN_TTL_INHERIT, .type = &attr_ttl, .bit = 1, .names = ttls, .max = 255, .def = "auto",
          .doc = "The hop limit of the outer packets." },
        { .key = "tos", .nla = IFLA_VXLAN_TOS, .type = &attr_u8_or_word, .names = tunnel_toses, .def = "0",
          .doc = "The type of service of the outer packets." },
        { .key = "df", .nla = IFLA_VXLAN_DF, .type = &attr_enum8, .names = tunnel_dfs, .def = "unset",
          .doc = "Whether the outer packets may not be fragmented." },
        { .key = "flowlabel", .nla = IFLA_VXLAN_LABEL, .type = &attr_be32, .max = 0xfffff, .def = "0",
          .doc = "The flow label of the outer packets; for IPv6." },
        { .key = "flowlabel-policy", .nla = VXLAN_LABEL_POLICY, .type = &attr_enum32, .names = policies, .def = "fixed",
          .doc = "Whether the flow label is that of the inner packet (Linux 6.7)." },
        { .key = "learning", .nla = IFLA_VXLAN_LEARNING, .type = &attr_bool, .def = "true",
          .doc = "Whether addresses of the far side are learned." },
        { .key = "ageing", .nla = IFLA_VXLAN_AGEING, .type = &attr_seconds, .min = 1, .max = 40000000, .def = "5min",
          .doc = "How long an address that was learned is remembered." },
        { .key = "maxaddress", .nla = IFLA_VXLAN_LIMIT, .type = &attr_u32, .change = CHANGE_CREATE, .def = "0",
          .doc = "How many addresses are remembered; 0 is any number." },
        { .key = "proxy", .nla = IFLA_VXLAN_PROXY, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether ARP and neighbour discovery for known hosts are answered here." },
        { .key = "rsc", .nla = IFLA_VXLAN_RSC, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether packets to a router go directly to the host behind it." },
        { .key = "l2miss", .nla = IFLA_VXLAN_L2MISS, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether it is told that a MAC address is not known." },
        { .key = "l3miss", .nla = IFLA_VXLAN_L3MISS, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether it is told that an IP address is not known." },
        { .key = "udp-csum", .nla = IFLA_VXLAN_UDP_CSUM, .type = &attr_bool, .change = CHANGE_CREATE, .def = "true",
          .doc = "Whether the outer packets have a UDP checksum over IPv4." },
        { .key = "udp6-zero-csum-tx", .nla = IFLA_VXLAN_UDP_ZERO_CSUM6_TX, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether the outer packets have no UDP checksum over IPv6." },
        { .key = "udp6-zero-csum-rx", .nla = IFLA_VXLAN_UDP_ZERO_CSUM6_RX, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether packets without a UDP checksum are taken over IPv6." },
        { .key = "remcsum-tx", .nla = IFLA_VXLAN_REMCSUM_TX, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether inner checksums are left to the far end." },
        { .key = "remcsum-rx", .nla = IFLA_VXLAN_REMCSUM_RX, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether the far end may leave inner checksums to us." },
        { .key = "remcsum-nopartial", .nla = IFLA_VXLAN_REMCSUM_NOPARTIAL, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether such checksums are filled in at once." },
        { .key = "gbp", .nla = IFLA_VXLAN_GBP, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether packets carry their mark as a group policy." },
        { .key = "gpe", .nla = IFLA_VXLAN_GPE, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether other protocols than Ethernet are carried; needs external." },
        { .key = "external", .nla = IFLA_VXLAN_COLLECT_METADATA, .type = &attr_bool, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether routes, tc or BPF say where each packet goes, rather than the link." },
        { .key = "vnifilter", .nla = IFLA_VXLAN_VNIFILTER, .type = &attr_bool, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether only listed networks are taken; needs external." },
        { .key = "vnis", .type = &attr_vnis, .transport = TRANSPORT_TUNNEL, .when = "vnifilter", .def = "[]",
          .doc = "The networks that are taken, with where packets go whose destination is not known; needs vnifilter." },
        { .key = "localbypass", .nla = VXLAN_LOCALBYPASS, .type = &attr_bool, .def = "true",
          .doc = "Whether packets to another vxlan of this host take the short way (Linux 6.5)." },
        { .key = "reserved-bits", .nla = VXLAN_RESERVED_BITS, .type = &attr_be64, .change = CHANGE_CREATE,
          .doc = "The bits of the header that packets to us may have set (Linux 6.14)." },
        { .key = "mc-route", .nla = VXLAN_MC_ROUTE, .type = &attr_bool, .flags = ROW_WRITE_ONLY, .def = "false",
          .doc = "Whether multicast goes by the multicast routes (Linux 6.17)." },
};
/* clang-format on */

static bool is_on(const AttrSet *options, const char *key) {
        const Value *value = attrset_get(options, key);

        return value && value->number;
}

static const Value *address(const AttrSet *options, const char *key) {
        const Value *value = attrset_get(options, key);

        return value && value->family ? value : NULL;
}

static int refuse(const char *key, const char *reason, const char **ret_key,
                  const char **ret_reason) {
        *ret_key = key;
        *ret_reason = reason;
        return 1;
}

static bool has_parent(const AttrSet *common) {
        return attrset_has(common, LINK_PARENT) && common->values[LINK_PARENT].ref.link;
}

static bool has_groups(const AttrSet *options) {
        const Value *list = attrset_get(options, "vnis");

        for (size_t i = 0; list && i < list->list.n; i++)
                if (ip_is_multicast(&list->list.items[i].vnis->far))
                        return true;
        return false;
}

static int verify_addresses(const AttrSet *common, const AttrSet *options, const char **ret_key,
                            const char **ret_reason) {
        const Value *remote = address(options, "remote"), *group = address(options, "group");
        const Value *local = address(options, "local"), *far = remote ? remote : group;
        const Value *label = attrset_get(options, "flowlabel");

        if (remote && group)
                return refuse("group", "there is a remote already", ret_key, ret_reason);
        if (group && !has_parent(common))
                return refuse("group", "needs a parent", ret_key, ret_reason);
        if (far && local && far->family != local->family)
                return refuse("local", "is not of the far end's family", ret_key, ret_reason);
        if (label && label->number && (far ? far : local) == NULL)
                return refuse("flowlabel", "is for IPv6", ret_key, ret_reason);
        if (label && label->number && (far ? far : local)->family == AF_INET)
                return refuse("flowlabel", "is for IPv6", ret_key, ret_reason);
        return 0;
}

static int verify(const AttrSet *common, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *learning = attrset_get(options, "learning");
        bool external = is_on(options, "external");

        if (is_on(options, "gpe") && !external)
                return refuse("gpe", "needs external", ret_key, ret_reason);
        if (is_on(options, "gpe") && !(learning && !learning->number))
                return refuse("gpe", "needs 'learning: false'", ret_key, ret_reason);
        if (is_on(options, "gpe") && is_on(options, "gbp"))
                return refuse("gpe", "does not go with gbp", ret_key, ret_reason);
        if (is_on(options, "gpe") && is_on(options, "remcsum-rx"))
                return refuse("gpe", "does not go with remcsum-rx", ret_key, ret_reason);
        if (is_on(options, "gpe") && attrset_has(common, LINK_MAC))
                return refuse("mac", "a link with gpe has none", ret_key, ret_reason);
        if (is_on(options, "vnifilter") && !external)
                return refuse("vnifilter", "needs external", ret_key, ret_reason);
        if (has_groups(options) && !has_parent(common))
                return refuse("vnis", "with a group needs a parent", ret_key, ret_reason);
        if (!external && !attrset_has(options, 0))
                return refuse("id", "is needed, unless the link is external", ret_key, ret_reason);
        return verify_addresses(common, options, ret_key, ret_reason);
}

const LinkKind link_kind_vxlan = {
        .name = "vxlan",
        .options = {.name = "vxlan", .rows = rows, .n = ELEMENTSOF(rows)},
        .lower = {IFLA_VXLAN_LINK, CHANGE_LIVE, CHANGE_CREATE, .kills = true},
        .bind = BIND_REPORTED,
        .flags = KIND_DATA_ALWAYS | KIND_OWN_FDB,
        .fdb_vni = "id",
        .fdb_port = "port",
        .fdb_remotes = {"remote", "group"},
        .fdb_vnis = "vnis",
        .verify = verify,
        .mtu = MTU_VARIES,
        .doc = "A tunnel that carries Ethernet in UDP, to one end or to many.",
};
