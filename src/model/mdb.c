/* SPDX-License-Identifier: MIT */
/*
 * Permanent entries of a bridge's multicast database: RTM_NEWMDB. One message of a dump holds all
 * entries of a bridge, and what is sent looks different from what comes back.
 */

#include "mvnet/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>

enum {
        MDB_GROUP,
        MDB_PORT,
        MDB_VID,
        MDB_SOURCE,
};

/* The one entry of a request, which begin() has put there. */
static struct br_mdb_entry *put_entry(PutScope *scope) {
        return mnl_attr_get_payload(mnl_nlmsg_get_payload_offset(scope->message,
                                                                 sizeof(struct br_port_msg)));
}

static const struct br_mdb_entry *get_entry(const GetScope *scope) {
        return scope->header;
}

/* A group is an IP address, or for other protocols a MAC address: no family. */

static bool is_group(const Value *value) {
        return value->family ? ip_is_multicast(value) : value->bytes[0] & 1;
}

static int group_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        int r = attr_parse_ip(row, scope, text, ret);

        if (r > 0)
                r = attr_parse_mac(row, scope, text, ret);
        if (r == 0 && !is_group(ret)) {
                scope->reason = "is no multicast address";
                return ATTR_E_INVALID;
        }
        if (r > 0)
                scope->reason = "is neither an IP nor a MAC address";
        return r;
}

static void group_format(const Row *row, const Value *value, Buf *ret) {
        if (value->family)
                attr_format_ip(row, value, ret);
        else
                attr_format_mac(row, value, ret);
}

static int group_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        struct br_mdb_entry *entry = put_entry(scope);
        size_t size = value->family ? ip_bytes(value->family) : ETH_ALEN;

        entry->addr.proto = value->family == AF_INET    ? htons(ETH_P_IP)
                            : value->family == AF_INET6 ? htons(ETH_P_IPV6)
                                                        : 0;
        memcpy(&entry->addr.u, value->bytes, size);
        return 0;
}

static int group_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct br_mdb_entry *entry = get_entry(scope);
        uint16_t proto = ntohs(entry->addr.proto);

        *ret = (Value){.family = proto == ETH_P_IP     ? AF_INET
                                 : proto == ETH_P_IPV6 ? AF_INET6
                                                       : 0};
        memcpy(ret->bytes, &entry->addr.u, ret->family ? ip_bytes(ret->family) : ETH_ALEN);
        return 0;
}

static bool group_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->family == have->family &&
               memcmp(wanted->bytes, have->bytes, sizeof(wanted->bytes)) == 0;
}

static const AttrType attr_group = {
        .name = "group",
        .syntax = "a multicast address, IP or MAC",
        .parse = group_parse,
        .format = group_format,
        .put = group_put,
        .get = group_get,
        .equal = group_equal,
};

static int port_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_link.parse(row, scope, text, ret);
}

static void port_format(const Row *row, const Value *value, Buf *ret) {
        attr_link.format(row, value, ret);
}

static int port_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        int ifindex, nsid, r;

        if (!value->ref.link || !scope->resolve)
                return -ENODEV;
        r = scope->resolve(scope->userdata, &value->ref, &ifindex, &nsid);
        if (r < 0)
                return r;
        put_entry(scope)->ifindex = (uint32_t)ifindex;
        return 0;
}

static int port_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        *ret = (Value){.raw = {.ifindex = (int)get_entry(scope)->ifindex, .nsid = -1},
                       .unresolved = true};
        return 0;
}

static bool port_equal(const Row *row, const Value *wanted, const Value *have) {
        return attr_link.equal(row, wanted, have);
}

static const AttrType attr_mdb_port = {
        .name = "link",
        .syntax = "a link",
        .is_ref = true,
        .parse = port_parse,
        .format = port_format,
        .put = port_put,
        .get = port_get,
        .equal = port_equal,
};

static int vid_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        put_entry(scope)->vid = (uint16_t)value->number;
        return 0;
}

static int vid_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        if (get_entry(scope)->vid == 0)
                return ATTR_E_ABSENT;
        *ret = (Value){.number = get_entry(scope)->vid};
        return 0;
}

static int vid_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_u16.parse(row, scope, text, ret);
}

static void vid_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_printf(ret, "%llu", (unsigned long long)value->number);
}

static const AttrType attr_vid = {
        .name = "number",
        .syntax = "a number",
        .size = 2,
        .is_number = true,
        .parse = vid_parse,
        .format = vid_format,
        .put = vid_put,
        .get = vid_get,
        .equal = attr_equal_number,
};

static int source_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        struct nlattr *nest = put_nest(scope, MDBA_SET_ENTRY_ATTRS);
        int r = nest ? put_attr(scope, MDBE_ATTR_SOURCE, value->bytes, ip_bytes(value->family))
                     : -EMSGSIZE;

        if (r == 0)
                put_nest_end(scope, nest);
        return r;
}

static int source_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, MDBA_MDB_EATTR_SOURCE, 4);
        size_t size = attr ? mnl_attr_get_payload_len(attr) : 0;

        if (size != 4 && size != 16)
                return ATTR_E_ABSENT;
        *ret = (Value){.family = size == 4 ? AF_INET : AF_INET6};
        memcpy(ret->bytes, mnl_attr_get_payload(attr), size);
        return 0;
}

static const AttrType attr_source = {
        .name = "IP address",
        .syntax = "an IP address",
        .parse = attr_parse_ip,
        .format = attr_format_ip,
        .put = source_put,
        .get = source_get,
        .equal = attr_equal_ip,
};

/* clang-format off */
static const Row rows[] = {
        [MDB_GROUP]  = { .key = "group", .type = &attr_group, .change = CHANGE_KEY, .flags = ROW_REQUIRED,
                         .doc = "The multicast address." },
        [MDB_PORT]   = { .key = "port", .type = &attr_mdb_port, .change = CHANGE_KEY, .flags = ROW_REQUIRED,
                         .doc = "The port behind which somebody listens, or the bridge itself." },
        [MDB_VID]    = { .key = "vid", .type = &attr_vid, .change = CHANGE_KEY, .min = 1, .max = 4094,
                         .doc = "In which VLAN." },
        [MDB_SOURCE] = { .key = "source", .type = &attr_source, .change = CHANGE_KEY,
                         .doc = "The only sender that counts." },
};
/* clang-format on */

static int mdb_begin(PutScope *scope, int ifindex) {
        struct br_port_msg *header = mnl_nlmsg_get_payload(scope->message);
        const struct br_mdb_entry entry = {.state = MDB_PERMANENT};

        header->family = AF_BRIDGE;
        header->ifindex = (uint32_t)ifindex;
        return put_attr(scope, MDBA_SET_ENTRY, &entry, sizeof(entry));
}

/* Of all bridges: there is no filter (br_mdb.c br_mdb_valid_dump_req, 6.1 … 6.18). */
static int mdb_ask(PutScope *scope, unsigned i, int ifindex _unused_) {
        struct br_port_msg *header = mnl_nlmsg_get_payload(scope->message);

        header->family = AF_BRIDGE;
        return i > 0 ? ATTR_E_ABSENT : 0;
}

/* What hosts have asked for comes and goes. */
static bool is_entry(const struct nlattr *info) {
        const struct br_mdb_entry *entry = mnl_attr_get_payload(info);

        return mnl_attr_get_type(info) == MDBA_MDB_ENTRY_INFO &&
               mnl_attr_get_payload_len(info) >= sizeof(*entry) && entry->state == MDB_PERMANENT;
}

static int take_entry(const struct nlattr *info, Arena *arena,
                      int (*take)(const GetScope *scope, void *userdata), void *userdata) {
        const size_t size = MNL_ALIGN(sizeof(struct br_mdb_entry));
        const struct nlattr *tb[MDBA_MDB_EATTR_MAX + 1] = {}, *attr;
        const GetScope scope = {
                .header = mnl_attr_get_payload(info),
                .tb = tb,
                .tb_n = MDBA_MDB_EATTR_MAX + 1,
                .arena = arena,
        };

        if (mnl_attr_get_payload_len(info) > size)
                mnl_attr_for_each_payload((void *)((char *)mnl_attr_get_payload(info) + size),
                                          mnl_attr_get_payload_len(info) - size)
                        if (mnl_attr_get_type(attr) <= MDBA_MDB_EATTR_MAX)
                                tb[mnl_attr_get_type(attr)] = attr;
        return take(&scope, userdata);
}

static int mdb_entries(const struct nlmsghdr *message, Arena *arena,
                       int (*take)(const GetScope *scope, void *userdata), void *userdata) {
        const struct nlattr *mdb, *entry, *info;
        int r = 0;

        mnl_attr_for_each(mdb, message, sizeof(struct br_port_msg)) {
                if (mnl_attr_get_type(mdb) != MDBA_MDB)
                        continue;
                mnl_attr_for_each_nested(entry, mdb)
                        mnl_attr_for_each_nested(info, entry)
                                if (r == 0 && is_entry(info))
                                        r = take_entry(info, arena, take, userdata);
        }
        return r;
}

static int find_entry(const GetScope *scope _unused_, void *userdata) {
        *(bool *)userdata = true;
        return 0;
}

static int mdb_ifindex(const GetScope *scope) {
        const struct br_port_msg *header = scope->header;
        const struct nlattr *mdb = scope->tb_n > MDBA_MDB ? scope->tb[MDBA_MDB] : NULL;
        const struct nlattr *entry, *info;
        bool any = false;

        if (!mdb)
                return -1;
        mnl_attr_for_each_nested(entry, mdb)
                mnl_attr_for_each_nested(info, entry)
                        if (is_entry(info))
                                take_entry(info, scope->arena, find_entry, &any);
        return any ? (int)header->ifindex : -1;
}

static const char *mdb_misplaced(const Object *object, const Link *link) {
        const Link *port = network_find_link(link->netns->network,
                                             &object->set.values[MDB_PORT].ref);

        if (!link->kind || !link->kind->filtering)
                return "is for bridges";
        if (link_state(link) == LINK_STATE_DOWN)
                return "needs the bridge to be up";
        /* Somebody else's may be one all the same. */
        if (port && port != link && link_master(port) != link &&
            (!link_is_physical(port) || link_ref(port, LINK_MASTER)))
                return "is of a link that is no port of this bridge";
        return NULL;
}

static int mdb_verify(const AttrSet *set, const char **ret_key, const char **ret_reason) {
        const Value *group = attrset_get(set, "group"), *source = attrset_get(set, "source");

        if (group && source && group->family != source->family) {
                *ret_key = "source";
                *ret_reason = "is not of the group's family";
                return 1;
        }
        return 0;
}

const ObjectType object_mdb = {
        .schema = {.name = "mdb", .rows = rows, .n = ELEMENTSOF(rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_ON_LINK | OBJECT_ASKED | OBJECT_WHEN_UP | OBJECT_OF_PORT,
        .message_new = RTM_NEWMDB,
        .message_del = RTM_DELMDB,
        .message_get = RTM_GETMDB,
        .message_dumped = RTM_GETMDB,
        .header_size = sizeof(struct br_port_msg),
        .begin = mdb_begin,
        .ifindex = mdb_ifindex,
        .ask = mdb_ask,
        .entries = mdb_entries,
        .misplaced = mdb_misplaced,
        .groups = {RTNLGRP_MDB},
        .attributes = MDBA_MDB + 1,
        .verify = mdb_verify,
        .doc = "Who listens to which multicast group, for good.",
};
