/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>

#include "mvnet/schema.h"

#ifndef MACVLAN_FLAG_NODST
#define MACVLAN_FLAG_NODST 2
#endif
#define MACVLAN_BC_CUTOFF 9 /* IFLA_MACVLAN_BC_CUTOFF, 6.4 */

/* The list replaces the one in force only if MACADDR_MODE says SET (macvlan_changelink_sources). */
static int sources_put(const Row *row, const Value *value, PutScope *scope) {
        uint32_t mode = MACVLAN_MACADDR_SET;
        struct nlattr *nest;
        int r = put_attr(scope, IFLA_MACVLAN_MACADDR_MODE, &mode, sizeof(mode));

        if (r < 0)
                return r;
        nest = put_nest(scope, row->nla);
        if (!nest)
                return -EMSGSIZE;
        for (size_t i = 0; i < value->list.n; i++) {
                r = put_attr(scope, IFLA_MACVLAN_MACADDR, value->list.items[i].bytes, 6);
                if (r < 0)
                        return r;
        }
        put_nest_end(scope, nest);
        return 0;
}

static int sources_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *nest = get_attr(scope, row->nla, 0), *attr;
        Value list = {};

        if (nest)
                mnl_attr_for_each_nested(attr, nest) {
                        Value item = {};

                        if (mnl_attr_get_payload_len(attr) < 6)
                                return -EBADMSG;
                        memcpy(item.bytes, mnl_attr_get_payload(attr), 6);
                        if (value_append(row, scope->arena, &list, &item) < 0)
                                return -ENOMEM;
                }
        *ret = list;
        return 0;
}

static const AttrType attr_sources = {
        .name = "list of MAC addresses",
        .syntax = "MAC addresses",
        .shape = SHAPE_LIST,
        .parse = attr_parse_mac,
        .format = attr_format_mac,
        .put = sources_put,
        .get = sources_get,
        .equal = attr_equal_mac,
};

static const Name modes[] = {
        {"private", MACVLAN_MODE_PRIVATE},
        {"vepa", MACVLAN_MODE_VEPA},
        {"bridge", MACVLAN_MODE_BRIDGE},
        {"passthru", MACVLAN_MODE_PASSTHRU, .fixed = true},
        {"source", MACVLAN_MODE_SOURCE},
        {},
};

/* clang-format off */
static const Row rows[] = {
        { .key = "mode", .nla = IFLA_MACVLAN_MODE, .type = &attr_enum32, .names = modes, .flags = ROW_REQUIRED,
          .doc = "Whom the link can talk to: see macvlan in ip-link(8)." },
        { .key = "nopromisc", .nla = IFLA_MACVLAN_FLAGS, .type = &attr_bit16, .bit = MACVLAN_FLAG_NOPROMISC, .def = "false",
          .doc = "Whether passthru leaves the parent out of promiscuous mode." },
        { .key = "nodst", .nla = IFLA_MACVLAN_FLAGS, .type = &attr_bit16, .bit = MACVLAN_FLAG_NODST, .def = "false",
          .doc = "Whether source mode matches no destination address." },
        { .key = "source-macs", .nla = IFLA_MACVLAN_MACADDR_DATA, .type = &attr_sources, .def = "[]",
          .doc = "Whose packets source mode takes; exact." },
        { .key = "bcqueuelen", .nla = IFLA_MACVLAN_BC_QUEUE_LEN, .type = &attr_u32, .def = "1000",
          .doc = "How many broadcast packets may wait; the parent uses the largest of its children's." },
        { .key = "bclim", .nla = MACVLAN_BC_CUTOFF, .type = &attr_s32, .min = -1, .max = INT32_MAX, .flags = ROW_PER_PARENT | ROW_ABSENT_IS_DEF, .def = "1",
          .doc = "From how many receivers on a multicast packet waits in the queue; -1 is never (Linux 6.4)." },
};
/* clang-format on */

static int verify(const AttrSet *common, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *mode = attrset_get(options, "mode");
        const Value *sources = attrset_get(options, "source-macs");

        if (sources && mode && mode->number != MACVLAN_MODE_SOURCE && sources->list.n) {
                *ret_key = "source-macs";
                *ret_reason = "is for mode source";
                return 1;
        }
        if (mode && mode->number == MACVLAN_MODE_PASSTHRU && attrset_has(common, LINK_MAC)) {
                *ret_key = "mac";
                *ret_reason = "a passthru link has its parent's address: set it there";
                return 1;
        }
        return 0;
}

const LinkKind link_kind_macvlan = {
        .name = "macvlan",
        .options = {.name = "macvlan", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_PARENT | KIND_REAL_LOWER | KIND_CLAIMS_PARENT | KIND_MTU_BOUND,
        .verify = verify,
        .doc = "A link with an address of its own on the parent's wire.",
};
