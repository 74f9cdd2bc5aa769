/* SPDX-License-Identifier: MIT */
/*
 * The VLANs of bridges and ports. They are no objects: with 4,094 of them on each of a thousand
 * ports a list of ranges is read, compared and sent, and nothing else is handy for people either.
 */

#include "mvnet/vlans.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>

#define TUNNEL_MAX 0xffffffu

const Name vlan_protocols[] = {{"802.1q", ETH_P_8021Q}, {"802.1ad", ETH_P_8021AD}, {}};

enum {
        IS_PVID = 1 << 0,
        IS_UNTAGGED = 1 << 1,
};

static int invalid(ParseScope *scope, const char *reason) {
        scope->reason = reason;
        return ATTR_E_INVALID;
}

/* As bytes that sort by number. */

static Value range_pack(VlanRange range) {
        Value value = {.bytes = {(uint8_t)(range.from >> 8), (uint8_t)range.from,
                                 (uint8_t)(range.to >> 8), (uint8_t)range.to}};

        value.bytes[4] = (uint8_t)((range.vlan.pvid ? IS_PVID : 0) |
                                   (range.vlan.untagged ? IS_UNTAGGED : 0));
        memcpy(value.bytes + 8, &range.vlan.tunnel, sizeof(range.vlan.tunnel));
        return value;
}

static VlanRange range_unpack(const Value *value) {
        VlanRange range = {
                .from = (uint16_t)(value->bytes[0] << 8 | value->bytes[1]),
                .to = (uint16_t)(value->bytes[2] << 8 | value->bytes[3]),
                .vlan = {.there = true,
                         .pvid = value->bytes[4] & IS_PVID,
                         .untagged = value->bytes[4] & IS_UNTAGGED},
        };

        memcpy(&range.vlan.tunnel, value->bytes + 8, sizeof(range.vlan.tunnel));
        return range;
}

/* Tables. */

static Vlan range_at(const VlanRange *range, unsigned vid) {
        Vlan vlan = range->vlan;

        if (vlan.tunnel)
                vlan.tunnel += vid - range->from;
        return vlan;
}

static bool vlan_equal(Vlan a, Vlan b) {
        return a.there == b.there && a.pvid == b.pvid && a.untagged == b.untagged &&
               a.tunnel == b.tunnel;
}

void vlans_read(const Value *list, VlanTable *ret) {
        for (size_t i = 0; i < list->list.n; i++) {
                VlanRange range = range_unpack(&list->list.items[i]);

                for (unsigned vid = range.from; vid <= range.to && vid < VLANS_N; vid++)
                        ret->at[vid] = range_at(&range, vid);
        }
}

/* A pvid is always alone: the kernel takes none in a range (br_netlink.c br_process_vlan_info). */
static bool joins(const VlanRange *range, Vlan next) {
        return !range->vlan.pvid && vlan_equal(range_at(range, range->to + 1u), next);
}

bool vlans_next(const VlanTable *table, unsigned from,
                bool (*counts)(const VlanTable *table, unsigned vid, void *userdata),
                void *userdata, VlanRange *ret) {
        VlanRange range = {};

        for (unsigned vid = MAX(from, 1u); vid < VLANS_N; vid++) {
                bool is = counts ? counts(table, vid, userdata) : table->at[vid].there;

                if (range.from && (!is || !joins(&range, table->at[vid])))
                        break;
                if (is && !range.from)
                        range = (VlanRange){.from = (uint16_t)vid, .vlan = table->at[vid]};
                if (is)
                        range.to = (uint16_t)vid;
        }
        *ret = range;
        return range.from;
}

int vlans_list(const VlanTable *table, Arena *arena, Value *ret) {
        Value list = {};
        VlanRange range;
        unsigned vid;

        for (vid = 1; vlans_next(table, vid, NULL, NULL, &range); vid = range.to + 1u)
                list.list.n++;
        list.list.items = arena_new_n(arena, Value, MAX(list.list.n, (size_t)1));
        if (!list.list.items)
                return -ENOMEM;
        list.list.n = 0;
        for (vid = 1; vlans_next(table, vid, NULL, NULL, &range); vid = range.to + 1u)
                list.list.items[list.list.n++] = range_pack(range);
        *ret = list;
        return 0;
}

/* One entry as text: "10", "20-30", "{vid: 1, pvid: true, untagged: true}". */

static int parse_vid(ParseScope *scope, const char *text, VlanRange *ret) {
        uint64_t from = 0, to = 0;
        int r = text_to_range(scope, text, VLANS_N - 1, &from, &to);

        if (r != 0)
                return r;
        ret->from = (uint16_t)from;
        ret->to = (uint16_t)to;
        return 0;
}

typedef struct Fields {
        VlanRange *range;
        uint64_t tunnel[2];
} Fields;

static int parse_field(ParseScope *scope, const char *key, const char *text, void *userdata) {
        static const Row flag = {.key = "flag"};
        Fields *fields = userdata;
        Value value = {};
        int r;

        if (streq(key, "vid"))
                return parse_vid(scope, text, fields->range);
        if (streq(key, "tunnel"))
                return text_to_range(scope, text, TUNNEL_MAX, &fields->tunnel[0],
                                     &fields->tunnel[1]);
        if (!streq(key, "pvid") && !streq(key, "untagged"))
                return invalid(scope, "has an unknown key");
        r = attr_parse_bool(&flag, scope, text, &value);
        if (r == 0 && streq(key, "pvid"))
                fields->range->vlan.pvid = value.number;
        else if (r == 0)
                fields->range->vlan.untagged = value.number;
        return r;
}

static int parse_fields(ParseScope *scope, const char *text, VlanRange *range) {
        Fields fields = {.range = range};
        const uint64_t *tunnel = fields.tunnel;
        int r = text_to_fields(scope, text, parse_field, &fields);

        if (r != 0)
                return r;
        if (!range->from)
                return invalid(scope, "has no vid");
        if (range->vlan.pvid && range->from != range->to)
                return invalid(scope, "is a range, and only one VLAN can be the pvid");
        if (tunnel[0] && tunnel[1] - tunnel[0] != (uint64_t)(range->to - range->from))
                return invalid(scope, "has another number of tunnel ids than of VLANs");
        range->vlan.tunnel = (uint32_t)tunnel[0];
        return 0;
}

static int vlan_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        VlanRange range = {.vlan.there = true};
        int r = text[0] == '{' ? parse_fields(scope, text, &range) : parse_vid(scope, text, &range);

        if (r == 0)
                *ret = range_pack(range);
        return r;
}

static void vlan_format(const Row *row _unused_, const Value *value, Buf *ret) {
        VlanRange range = range_unpack(value);
        bool plain = !range.vlan.pvid && !range.vlan.untagged && !range.vlan.tunnel;

        buf_add(ret, plain ? "" : "{vid: ");
        range_to_text(range.from, range.to, ret);
        if (range.vlan.pvid)
                buf_add(ret, ", pvid: true");
        if (range.vlan.untagged)
                buf_add(ret, ", untagged: true");
        if (range.vlan.tunnel) {
                buf_add(ret, ", tunnel: ");
                range_to_text(range.vlan.tunnel, range_at(&range, range.to).tunnel, ret);
        }
        buf_add(ret, plain ? "" : "}");
}

static bool vlan_equal_values(const Row *row _unused_, const Value *wanted, const Value *have) {
        return memcmp(wanted->bytes, have->bytes, sizeof(wanted->bytes)) == 0;
}

/* Lists. */

static int add_range(VlanTable *table, ParseScope *scope, const VlanRange *range,
                     unsigned *pvid) {
        for (unsigned vid = range->from; vid <= range->to; vid++) {
                Vlan *at = &table->at[vid], vlan = range_at(range, vid);

                if (at->there && !vlan_equal(*at, vlan)) {
                        scope->reason = arena_printf(scope->arena,
                                                     "has VLAN %u twice, and not the same", vid);
                        return scope->reason ? ATTR_E_INVALID : -ENOMEM;
                }
                *at = vlan;
        }
        if (range->vlan.pvid && *pvid && *pvid != range->from) {
                scope->reason = arena_printf(scope->arena, "has two pvids, %u and %u", *pvid,
                                             range->from);
                return scope->reason ? ATTR_E_INVALID : -ENOMEM;
        }
        if (range->vlan.pvid)
                *pvid = range->from;
        return 0;
}

/* EEXIST (br_vlan_tunnel.c __vlan_tunnel_info_add) */
static int check_tunnels(ParseScope *scope, const Value *list) {
        for (size_t i = 0; i < list->list.n; i++)
                for (size_t j = 0; j < i; j++) {
                        VlanRange a = range_unpack(&list->list.items[i]);
                        VlanRange b = range_unpack(&list->list.items[j]);

                        if (a.vlan.tunnel && b.vlan.tunnel &&
                            a.vlan.tunnel <= range_at(&b, b.to).tunnel &&
                            b.vlan.tunnel <= range_at(&a, a.to).tunnel)
                                return invalid(scope, "has two VLANs with one tunnel id");
                }
        return 0;
}

static int vlans_join(const Row *row _unused_, ParseScope *scope, Value *list) {
        VlanTable *table = calloc(1, sizeof(VlanTable));
        unsigned pvid = 0;
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < list->list.n; i++) {
                VlanRange range = range_unpack(&list->list.items[i]);

                r = add_range(table, scope, &range, &pvid);
        }
        if (r == 0)
                r = vlans_list(table, scope->arena, list);
        free(table);
        return r == 0 ? check_tunnels(scope, list) : r;
}

static const char *const fields[] = {"vid", "pvid", "untagged", "tunnel", NULL};

static const AttrType attr_vlans = {
        .name = "VLANs",
        .syntax = "NUMBER, FROM-TO or {vid, pvid, untagged, tunnel}; numbers from 1 to 4094",
        .shape = SHAPE_LIST,
        .fields = fields,
        .parse = vlan_parse,
        .format = vlan_format,
        .put = attr_put_nothing, /* its messages are kernel/vlans.c's */
        .get = attr_get_nothing,
        .equal = vlan_equal_values,
        .join = vlans_join,
};

static const Row rows[] = {
        {
                .key = "vlans",
                .type = &attr_vlans,
                .doc = "The VLANs that a port of a filtering bridge, or the bridge itself, is in: "
                       "tagged and no pvid unless said; none but these.",
        },
};

const Schema vlans_schema = {.name = "vlans", .rows = rows, .n = ELEMENTSOF(rows)};
