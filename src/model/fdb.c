/* SPDX-License-Identifier: MIT */
/*
 * Entries of forwarding tables that somebody wrote: RTM_NEWNEIGH of AF_BRIDGE. Those that were
 * learned come and go; they are not even looked at. There is no mark for whose they are (neither
 * the bridge nor vxlan keeps NDA_PROTOCOL; 6.1 … 6.18): only the record tells.
 */

#include "mvnet/network.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

enum {
        FDB_MAC,
        FDB_VLAN,
        FDB_DST,
        FDB_VNI,
        FDB_PORT,
        FDB_SRC_VNI,
        FDB_VIA,
        FDB_FLAGS,
        FDB_STATE,
};

enum {
        TABLE_MASTER,
        TABLE_SELF,
};

static struct ndmsg *put_header(PutScope *scope) {
        return mnl_nlmsg_get_payload(scope->message);
}

static const struct ndmsg *get_header(const GetScope *scope) {
        return scope->header;
}

/* The other end of a tunnel. The header's family is AF_BRIDGE: the size tells. */

static int dst_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 4);
        size_t size = attr ? mnl_attr_get_payload_len(attr) : 0;

        if (size != 4 && size != 16)
                return ATTR_E_ABSENT;
        *ret = (Value){.family = size == 4 ? AF_INET : AF_INET6};
        memcpy(ret->bytes, mnl_attr_get_payload(attr), size);
        return 0;
}

static int dst_put(const Row *row, const Value *value, PutScope *scope) {
        return put_attr(scope, row->nla, value->bytes, ip_bytes(value->family));
}

static const AttrType attr_dst = {
        .name = "IP address",
        .syntax = "an IP address",
        .parse = attr_parse_ip,
        .format = attr_format_ip,
        .put = dst_put,
        .get = dst_get,
        .equal = attr_equal_ip,
};

/*
 * Whose table it is. Each takes a default state of its own for entries that stay; the row `state`
 * comes later and may say another one. vxlan would refuse the bridge's (vxlan_fdb_add).
 */
static int table_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        struct ndmsg *header = put_header(scope);
        bool self = value->number == TABLE_SELF;

        header->ndm_flags |= self ? NTF_SELF : NTF_MASTER;
        header->ndm_state = self ? NUD_PERMANENT : NUD_NOARP;
        return 0;
}

/* A bridge reports itself as the master of its own entries (br_fdb.c fdb_fill_info). */
static int table_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, NDA_MASTER, sizeof(uint32_t));
        const struct ndmsg *header = get_header(scope);
        bool master = header->ndm_flags & NTF_MASTER;

        if (attr && !(header->ndm_flags & NTF_SELF))
                master = (int)mnl_attr_get_u32(attr) != header->ndm_ifindex;
        *ret = (Value){.number = master ? TABLE_MASTER : TABLE_SELF};
        return 0;
}

static const Name tables[] = {{"master", TABLE_MASTER}, {"self", TABLE_SELF}, {}};

static const AttrType attr_table = {
        .name = "word",
        .parse = attr_parse_enum,
        .format = attr_format_enum,
        .put = table_put,
        .get = table_get,
        .equal = attr_equal_number,
};

static int state_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        put_header(scope)->ndm_state = (uint16_t)value->number;
        return 0;
}

/* What is learned elsewhere (extern-learn) has none that lasts. */
static int state_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        uint16_t state = get_header(scope)->ndm_state & (NUD_PERMANENT | NUD_NOARP);

        if (!state)
                return ATTR_E_ABSENT;
        *ret = (Value){.number = state & NUD_PERMANENT ? NUD_PERMANENT : NUD_NOARP};
        return 0;
}

static const Name states[] = {{"static", NUD_NOARP}, {"permanent", NUD_PERMANENT}, {}};

static const AttrType attr_fdb_state = {
        .name = "word",
        .parse = attr_parse_enum,
        .format = attr_format_enum,
        .put = state_put,
        .get = state_get,
        .equal = attr_equal_number,
};

/* clang-format off */
static const Row rows[] = {
        [FDB_MAC]     = { .key = "mac", .nla = NDA_LLADDR, .type = &attr_mac, .change = CHANGE_KEY, .flags = ROW_REQUIRED | ROW_SHORTHAND,
                          .doc = "Whose packets: the MAC address; in a tunnel's table, all zero is whoever has no entry." },
        [FDB_VLAN]    = { .key = "vlan", .nla = NDA_VLAN, .type = &attr_u16, .change = CHANGE_KEY, .min = 1, .max = 4094,
                          .doc = "In which VLAN of the bridge; without, in all that the port is in." },
        [FDB_DST]     = { .key = "dst", .nla = NDA_DST, .type = &attr_dst, .change = CHANGE_KEY,
                          .doc = "The other end of the tunnel." },
        [FDB_VNI]     = { .key = "vni", .nla = NDA_VNI, .type = &attr_u32, .change = CHANGE_KEY, .max = 0xffffff,
                          .doc = "The network number that packets are sent with; the link's own unless said." },
        [FDB_PORT]    = { .key = "port", .nla = NDA_PORT, .type = &attr_be16, .change = CHANGE_KEY, .min = 1, .max = 65535,
                          .doc = "The UDP port at the other end; the link's own unless said." },
        [FDB_SRC_VNI] = { .key = "src-vni", .nla = NDA_SRC_VNI, .type = &attr_u32, .change = CHANGE_KEY, .max = 0xffffff,
                          .doc = "Of which network the entry is, on a link for all of them." },
        [FDB_VIA]     = { .key = "via", .nla = NDA_IFINDEX, .type = &attr_link, .change = CHANGE_KEY,
                          .doc = "The link that packets of the tunnel leave by." },
        [FDB_FLAGS]   = { .key = "flags", .type = &attr_table, .change = CHANGE_KEY, .names = tables,
                          .doc = "Whose table: the master's, as for a port, or the link's own, as for vxlan and a bridge." },
        [FDB_STATE]   = { .key = "state", .type = &attr_fdb_state, .names = states,
                          .doc = "Whether packets go out there (static, the default of a bridge), or are for this machine (permanent)." },
        { .key = "nhid", .nla = NDA_NH_ID, .type = &attr_u32, .change = CHANGE_CREATE, .min = 1, .max = UINT32_MAX,
          .doc = "The nexthop object with the other ends of the tunnel." },
        { .key = "sticky", .type = &attr_ntf, .bit = NTF_STICKY, .def = "false",
          .doc = "Whether the entry stays at its port, wherever such packets come from." },
        { .key = "extern-learn", .type = &attr_ntf, .bit = NTF_EXT_LEARNED, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether the entry counts as learned by another program." },
};
/* clang-format on */

static int fdb_begin(PutScope *scope, int ifindex) {
        struct ndmsg *header = put_header(scope);

        header->ndm_family = AF_BRIDGE;
        header->ndm_ifindex = ifindex;
        return 0;
}

static bool fdb_is(const void *header) {
        return ((const struct ndmsg *)header)->ndm_family == AF_BRIDGE;
}

/* Groups that a device listens to stand in its table, too (rtnetlink.c ndo_dflt_fdb_dump). */
static bool is_membership(const GetScope *scope) {
        const struct nlattr *mac = get_attr(scope, NDA_LLADDR, 6);

        return mac && *(const uint8_t *)mnl_attr_get_payload(mac) & 1 &&
               get_header(scope)->ndm_flags & NTF_SELF && !get_attr(scope, NDA_DST, 4);
}

static int fdb_ifindex(const GetScope *scope) {
        const struct ndmsg *header = get_header(scope);

        if (!(header->ndm_state & (NUD_PERMANENT | NUD_NOARP)) &&
            !(header->ndm_flags & NTF_EXT_LEARNED))
                return -1;
        return is_membership(scope) ? -1 : header->ndm_ifindex;
}

/* By link or not at all: the kernel has no filter for what was written (valid_fdb_dump_strict). */
static int fdb_ask(PutScope *scope, unsigned i, int ifindex) {
        return i > 0 ? ATTR_E_ABSENT : fdb_begin(scope, ifindex);
}

static int fdb_look(PutScope *scope, const AttrSet *set) {
        static const size_t which[] = {FDB_MAC, FDB_VLAN, FDB_FLAGS};
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(which); i++)
                if (attrset_has(set, which[i]))
                        r = rows[which[i]].type->put(&rows[which[i]], &set->values[which[i]], scope);
        put_header(scope)->ndm_state = 0;
        return r;
}

static bool is_zero(const uint8_t mac[6]) {
        static const uint8_t zero[6];

        return memcmp(mac, zero, sizeof(zero)) == 0;
}

static bool takes_several(const uint8_t mac[6]) {
        return mac[0] & 1 || is_zero(mac);
}

/* vxlan_fdb_update_existing(): of groups, and of everybody else, there may be several. */
static uint16_t fdb_create(const AttrSet *set) {
        bool several = set->values[FDB_FLAGS].number == TABLE_SELF && attrset_has(set, FDB_DST) &&
                       takes_several(set->values[FDB_MAC].bytes);

        return several ? NLM_F_CREATE | NLM_F_APPEND : NLM_F_CREATE | NLM_F_EXCL;
}

static const Value *link_value(const Link *link, const char *key) {
        return key && link->options.schema ? attrset_get(&link->options, key) : NULL;
}

static void take(Object *object, size_t row, const Value *value) {
        if (!value)
                return;
        if (!attrset_has(&object->set, row))
                attrset_set(&object->set, row, *value);
        else if (object->set.values[row].number != value->number)
                return;
        object->set.implied |= ROW_BIT(row);
}

/* What a link does not say is at its default, or 0: entries take over numbers only. */
static void take_option(Object *object, size_t row, const Link *link, const char *key) {
        const Value *value = link_value(link, key);
        int at = key && !value ? schema_find(&link->kind->options, key) : -1;
        const Row *option = at >= 0 ? schema_row(&link->kind->options, (size_t)at) : NULL;
        Value usual = {};

        if (option && (!option->def || text_to_u64(option->def, &usual.number) == 0))
                value = &usual;
        take(object, row, value);
}

/* What is as the link has it is not reported; nor need a file say it. */
static void fdb_fit(Object *object, const Link *link) {
        bool self = link_kind_is(link->kind, KIND_OWN_FDB);
        const Value table = {.number = self ? TABLE_SELF : TABLE_MASTER};
        const Value *learned = attrset_get(&object->set, "extern-learn");
        Value state = {.number = NUD_NOARP};

        take(object, FDB_FLAGS, &table);
        if (object->set.values[FDB_FLAGS].number == TABLE_SELF)
                state.number = NUD_PERMANENT;
        if (!learned || !learned->number)
                take(object, FDB_STATE, &state);
        if (object->set.values[FDB_FLAGS].number != TABLE_SELF || !link->kind ||
            !attrset_has(&object->set, FDB_DST))
                return;
        take_option(object, FDB_VNI, link, link->kind->fdb_vni);
        take_option(object, FDB_PORT, link, link->kind->fdb_port);
}

static bool same_mac(const Object *object, const Link *link) {
        return link && attrset_has(&link->common, LINK_MAC) &&
               memcmp(object->set.values[FDB_MAC].bytes, link->common.values[LINK_MAC].bytes,
                      6) == 0;
}

/*
 * The far end that an option of the link names is one of them (vxlan_core.c vxlan_fdb_create,
 * vxlan_vnifilter.c vxlan_update_default_fdb_entry).
 */
static bool is_of_option(const Object *object, const Link *link) {
        const VniRange *vnis = NULL;
        bool is = false;

        for (size_t i = 0; link->kind && i < ELEMENTSOF(link->kind->fdb_remotes); i++) {
                const Value *remote = link_value(link, link->kind->fdb_remotes[i]);

                is |= remote && remote->family &&
                      attr_equal_ip(&rows[FDB_DST], remote, &object->set.values[FDB_DST]);
        }
        if (link->kind && attrset_has(&object->set, FDB_SRC_VNI))
                vnis = vnis_find(link_value(link, link->kind->fdb_vnis),
                                 (uint32_t)object->set.values[FDB_SRC_VNI].number);
        is |= vnis && attr_equal_ip(&rows[FDB_DST], &vnis->far, &object->set.values[FDB_DST]);
        return is && is_zero(object->set.values[FDB_MAC].bytes);
}

/* A bridge knows the addresses of its ports, and its own; so does a device with its filters. */
static bool fdb_is_natural(const Object *object, const Link *link) {
        bool self = object->set.values[FDB_FLAGS].number == TABLE_SELF;
        bool permanent = object->set.values[FDB_STATE].number == NUD_PERMANENT;

        if (attrset_has(&object->set, FDB_DST))
                return is_of_option(object, link);
        if (self &&
            !(link->kind && link->kind->filtering && !same_mac(object, link)))
                return true;
        return permanent &&
               (same_mac(object, link) || same_mac(object, link_master(link)));
}

static const char *fdb_misplaced(const Object *object, const Link *link) {
        bool self = object->set.values[FDB_FLAGS].number == TABLE_SELF;

        if (self && attrset_has(&object->set, FDB_DST) && !(link->kind && link->kind->fdb_vni))
                return "has a far end, which is for tunnels with a table";
        if (!self && !link_ref(link, LINK_MASTER))
                return "is for a port of a bridge, or a link with a table of its own";
        if (!self && attrset_has(&object->set, FDB_DST))
                return "with 'dst' is for a tunnel's own table: 'flags: self'";
        return NULL;
}

static bool fdb_of_master(const AttrSet *set) {
        return set->values[FDB_FLAGS].number == TABLE_MASTER;
}

/* Be it static, it goes to where its packets come from now (br_fdb.c br_fdb_update; 6.1, 6.18). */
static bool fdb_moves(const GetScope *scope) {
        Value table;

        return table_get(&rows[FDB_FLAGS], scope, &table) == 0 && table.number == TABLE_MASTER;
}

static int fdb_verify(const AttrSet *set, const char **ret_key, const char **ret_reason) {
        const Value *state = attrset_get(set, "state"), *sticky = attrset_get(set, "sticky");
        const Value *nhid = attrset_get(set, "nhid"), *dst = attrset_get(set, "dst");
        const Value *learned = attrset_get(set, "extern-learn");

        if (state && dst && state->number != NUD_PERMANENT &&
            !(set->implied & ROW_BIT(FDB_STATE))) {
                *ret_key = "state";
                *ret_reason = "is permanent in the table of a tunnel";
                return 1;
        }
        if (state && learned && learned->number) {
                *ret_key = "state";
                *ret_reason = "is not for what counts as learned";
                return 1;
        }
        if (sticky && sticky->number && state && state->number == NUD_PERMANENT) {
                *ret_key = "sticky";
                *ret_reason = "is not for permanent entries";
                return 1;
        }
        if (nhid && dst) {
                *ret_key = "nhid";
                *ret_reason = "takes the place of 'dst'";
                return 1;
        }
        return 0;
}

const ObjectType object_fdb = {
        .schema = {.name = "fdb", .rows = rows, .n = ELEMENTSOF(rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_ON_LINK | OBJECT_LATE | OBJECT_ASKED,
        .message_new = RTM_NEWNEIGH,
        .message_del = RTM_DELNEIGH,
        .message_get = RTM_GETNEIGH,
        .header_size = sizeof(struct ndmsg),
        .begin = fdb_begin,
        .ifindex = fdb_ifindex,
        .is = fdb_is,
        .ask = fdb_ask,
        .look = fdb_look,
        .create = fdb_create,
        .fit = fdb_fit,
        .is_natural = fdb_is_natural,
        .misplaced = fdb_misplaced,
        .of_master = fdb_of_master,
        .moves = fdb_moves,
        .groups = {RTNLGRP_NEIGH},
        .attributes = NDA_NH_ID + 1,
        .verify = fdb_verify,
        .doc = "Entries of the bridge's forwarding table, or of the link's own.",
};

/* The far ends of a tunnel for packets that have no entry: a list of them, each an entry. */

/* clang-format off */
static const Row remote_rows[] = {
        { .key = "dst", .nla = NDA_DST, .type = &attr_dst, .change = CHANGE_KEY, .flags = ROW_REQUIRED | ROW_SHORTHAND,
          .doc = "The other end." },
        { .key = "vni", .nla = NDA_VNI, .type = &attr_u32, .change = CHANGE_KEY, .max = 0xffffff,
          .doc = "The network number there; the link's own unless said." },
        { .key = "port", .nla = NDA_PORT, .type = &attr_be16, .change = CHANGE_KEY, .min = 1, .max = 65535,
          .doc = "The UDP port there; the link's own unless said." },
        { .key = "src-vni", .nla = NDA_SRC_VNI, .type = &attr_u32, .change = CHANGE_KEY, .max = 0xffffff,
          .doc = "Of which network it is, on a link for all of them." },
        { .key = "via", .nla = NDA_IFINDEX, .type = &attr_link, .change = CHANGE_KEY,
          .doc = "The link that packets to it leave by." },
};
/* clang-format on */

static void remote_become(AttrSet *set) {
        attrset_set(set, FDB_MAC, (Value){});
        attrset_set(set, FDB_FLAGS, (Value){.number = TABLE_SELF});
}

static bool remote_speaks_of(const AttrSet *set) {
        return set->values[FDB_FLAGS].number == TABLE_SELF && attrset_has(set, FDB_DST) &&
               is_zero(set->values[FDB_MAC].bytes);
}

const ObjectType object_remote = {
        .schema = {.name = "remotes", .rows = remote_rows, .n = ELEMENTSOF(remote_rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_ON_LINK | OBJECT_LATE | OBJECT_EXACT,
        .message_new = RTM_NEWNEIGH,
        .message_del = RTM_DELNEIGH,
        .header_size = sizeof(struct ndmsg),
        .begin = fdb_begin,
        .attributes = NDA_NH_ID + 1,
        .as = &object_fdb,
        .become = remote_become,
        .speaks_of = remote_speaks_of,
        .doc = "The far ends of a vxlan to which packets go that have no entry, beside its `remote`.",
};
