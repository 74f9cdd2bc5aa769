/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>

#include "mvnet/schema.h"

/* FROM:TO. An entry to 0 is no entry: the kernel neither keeps nor reports it. */
static int qos_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        const char *colon = strchr(text, ':');
        char *from = colon ? arena_strndup(scope->arena, text, (size_t)(colon - text)) : NULL;
        uint64_t a, b;

        scope->reason = "is not a map of numbers";
        if (colon && !from)
                return -ENOMEM;
        if (!colon || text_to_u64(from, &a) < 0)
                return ATTR_E_INVALID;
        for (colon++; *colon == ' '; colon++)
                ;
        if (text_to_u64(colon, &b) < 0)
                return ATTR_E_INVALID;
        /* One of the two is the priority in the tag, which has three bits (`bit`: which one). */
        scope->reason = "has a tag priority above 7, or a number above 32 bits";
        if ((row->bit ? b : a) > 7 || a > UINT32_MAX || b > UINT32_MAX)
                return ATTR_E_INVALID;
        if (b == 0)
                return ATTR_E_ABSENT;
        *ret = (Value){.pair = {.from = (uint32_t)a, .to = (uint32_t)b}};
        return 0;
}

static void qos_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_printf(ret, "%u: %u", value->pair.from, value->pair.to);
}

/* Merged into what is there; an entry to 0 removes (vlan_dev_set_egress_priority). */
static int qos_put(const Row *row, const Value *value, PutScope *scope) {
        struct nlattr *nest = put_nest(scope, row->nla);

        if (!nest)
                return -EMSGSIZE;
        for (size_t i = 0; i < value->list.n; i++) {
                struct ifla_vlan_qos_mapping mapping = {
                        .from = value->list.items[i].pair.from,
                        .to = value->list.items[i].pair.to,
                };
                int r = put_attr(scope, IFLA_VLAN_QOS_MAPPING, &mapping, sizeof(mapping));

                if (r < 0)
                        return r;
        }
        put_nest_end(scope, nest);
        return 0;
}

static int qos_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *nest = get_attr(scope, row->nla, 0), *attr;
        Value list = {};

        if (nest)
                mnl_attr_for_each_nested(attr, nest) {
                        struct ifla_vlan_qos_mapping mapping;
                        Value item = {};

                        if (mnl_attr_get_payload_len(attr) < sizeof(mapping))
                                return -EBADMSG;
                        memcpy(&mapping, mnl_attr_get_payload(attr), sizeof(mapping));
                        item.pair.from = mapping.from;
                        item.pair.to = mapping.to;
                        if (value_append(row, scope->arena, &list, &item) < 0)
                                return -ENOMEM;
                }
        *ret = list;
        return 0;
}

static bool qos_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->pair.from == have->pair.from && wanted->pair.to == have->pair.to;
}

static const AttrType attr_qos = {
        .name = "map of priorities",
        .syntax = "a map of priorities, {0: 1}",
        .shape = SHAPE_MAP,
        .parse = qos_parse,
        .format = qos_format,
        .put = qos_put,
        .get = qos_get,
        .equal = qos_equal,
};

/* clang-format off */
static const Row rows[] = {
        { .key = "id", .nla = IFLA_VLAN_ID, .type = &attr_u16, .change = CHANGE_KEY, .max = 4094, .flags = ROW_REQUIRED,
          .doc = "The VLAN's number in the tag." },
        { .key = "protocol", .nla = IFLA_VLAN_PROTOCOL, .type = &attr_enum_be16, .change = CHANGE_KEY, .names = vlan_protocols, .def = "802.1q",
          .doc = "The kind of tag." },
        /* IFLA_VLAN_FLAGS is left out of a dump while no flag is set (vlan_fill_info). */
        { .key = "reorder-hdr", .nla = IFLA_VLAN_FLAGS, .type = &attr_masked_bit, .bit = VLAN_FLAG_REORDER_HDR, .flags = ROW_ABSENT_IS_ZERO, .def = "true",
          .doc = "Whether received packets are shown without their tag." },
        { .key = "gvrp", .nla = IFLA_VLAN_FLAGS, .type = &attr_masked_bit, .bit = VLAN_FLAG_GVRP, .flags = ROW_ABSENT_IS_ZERO, .def = "false",
          .doc = "Whether the VLAN is announced by GVRP." },
        { .key = "loose-binding", .nla = IFLA_VLAN_FLAGS, .type = &attr_masked_bit, .bit = VLAN_FLAG_LOOSE_BINDING, .flags = ROW_ABSENT_IS_ZERO, .def = "false",
          .doc = "Whether the link's state is independent of the parent's." },
        { .key = "mvrp", .nla = IFLA_VLAN_FLAGS, .type = &attr_masked_bit, .bit = VLAN_FLAG_MVRP, .flags = ROW_ABSENT_IS_ZERO, .def = "false",
          .doc = "Whether the VLAN is announced by MVRP." },
        { .key = "bridge-binding", .nla = IFLA_VLAN_FLAGS, .type = &attr_masked_bit, .bit = VLAN_FLAG_BRIDGE_BINDING, .flags = ROW_ABSENT_IS_ZERO, .def = "false",
          .doc = "Whether the link's carrier follows the bridge ports that are in the VLAN." },
        { .key = "egress-qos-map", .nla = IFLA_VLAN_EGRESS_QOS, .type = &attr_qos, .bit = 1, .flags = ROW_MERGES, .def = "{}",
          .doc = "Packet priority to tag priority, when sending." },
        { .key = "ingress-qos-map", .nla = IFLA_VLAN_INGRESS_QOS, .type = &attr_qos, .flags = ROW_MERGES, .def = "{}",
          .doc = "Tag priority to packet priority, when receiving." },
};
/* clang-format on */

const LinkKind link_kind_vlan = {
        .name = "vlan",
        .options = {.name = "vlan", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_PARENT | KIND_SOLID | KIND_MTU_BOUND | KIND_NEEDS_PARENT_UP |
                 KIND_UP_FOLLOWS | KIND_DATA_ALWAYS,
        .loose = "loose-binding",
        .doc = "The packets of one VLAN on the parent, without their tag.",
};
