/* SPDX-License-Identifier: MIT */
/*
 * The networks that a vxlan takes: ranges of numbers, some with a far end of their own. Neighbours
 * that are alike are one range, in one way only, so that equal lists mean the same.
 */

#include "mvnet/attr.h"

#include <errno.h>
#include <stdlib.h>

static const Row far_row = {.key = "group"};

static bool is_alike(const VniRange *a, const VniRange *b) {
        return attr_equal_ip(&far_row, &a->far, &b->far);
}

static int add_range(Arena *arena, Value *list, const VniRange *range) {
        VniRange *last = list->list.n ? list->list.items[list->list.n - 1].vnis : NULL;

        if (last && last->to + 1 == range->from && is_alike(last, range)) {
                last->to = range->to;
                return 0;
        }
        last = arena_new(arena, VniRange);
        if (!last)
                return -ENOMEM;
        *last = *range;
        list->list.items[list->list.n++] = (Value){.vnis = last};
        return 0;
}

static int compare_ranges(const void *a, const void *b) {
        const VniRange *x = ((const Value *)a)->vnis, *y = ((const Value *)b)->vnis;

        return (x->from > y->from) - (x->from < y->from);
}

int vnis_join(ParseScope *scope, Value *list) {
        Value joined = {.list.items = arena_new_n(scope->arena, Value, MAX(list->list.n, (size_t)1))};
        int r = joined.list.items ? 0 : -ENOMEM;

        if (list->list.n > 0)
                qsort(list->list.items, list->list.n, sizeof(Value), compare_ranges);
        for (size_t i = 0; r == 0 && i < list->list.n; i++) {
                VniRange range = *list->list.items[i].vnis;
                const VniRange *last =
                        joined.list.n ? joined.list.items[joined.list.n - 1].vnis : NULL;

                if (last && range.from <= last->to && !is_alike(last, &range)) {
                        scope->reason = arena_printf(scope->arena,
                                                     "has the network %u twice, and not the same",
                                                     range.from);
                        return scope->reason ? ATTR_E_INVALID : -ENOMEM;
                }
                if (last && range.from <= last->to)
                        range.from = last->to + 1;
                if (range.from <= range.to)
                        r = add_range(scope->arena, &joined, &range);
        }
        if (r == 0)
                *list = joined;
        return r;
}

/* What of the range is not in `except`, and alike there. */
static int add_rest(Arena *arena, VniRange range, const Value *except, Value *list) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < except->list.n && range.from <= range.to; i++) {
                const VniRange *other = except->list.items[i].vnis;
                VniRange before = range;

                if (other->to < range.from || other->from > range.to || !is_alike(other, &range))
                        continue;
                before.to = other->from - 1;
                if (before.from <= before.to)
                        r = add_range(arena, list, &before);
                range.from = other->to + 1;
        }
        return r == 0 && range.from <= range.to ? add_range(arena, list, &range) : r;
}

int vnis_except(Arena *arena, const Value *list, const Value *except, Value *ret) {
        size_t most = list->list.n + except->list.n + 1;
        Value rest = {.list.items = arena_new_n(arena, Value, most)};
        int r = rest.list.items ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < list->list.n; i++)
                r = add_rest(arena, *list->list.items[i].vnis, except, &rest);
        if (r == 0)
                *ret = rest;
        return r;
}

const VniRange *vnis_find(const Value *list, uint32_t vni) {
        for (size_t i = 0; list && i < list->list.n; i++) {
                const VniRange *range = list->list.items[i].vnis;

                if (range->from <= vni && vni <= range->to)
                        return range;
        }
        return NULL;
}

/* One entry as text: "10", "20-30", "{vni: 40, group: 239.1.1.1}". */

static int parse_vni(ParseScope *scope, const char *text, VniRange *ret) {
        uint64_t from = 0, to = 0;
        int r = text_to_range(scope, text, VNI_MAX, &from, &to);

        if (r == 0) {
                ret->from = (uint32_t)from;
                ret->to = (uint32_t)to;
        }
        return r;
}

static int parse_field(ParseScope *scope, const char *key, const char *text, void *userdata) {
        VniRange *range = userdata;
        bool group = streq(key, "group");
        int r;

        if (streq(key, "vni"))
                return parse_vni(scope, text, range);
        scope->reason = "has an unknown key";
        if (!group && !streq(key, "remote"))
                return ATTR_E_INVALID;
        scope->reason = "has a group and a remote";
        if (range->far.family)
                return ATTR_E_INVALID;
        r = attr_parse_ip(&far_row, scope, text, &range->far);
        if (r != 0 || ip_is_multicast(&range->far) == group)
                return r;
        scope->reason = group ? "has a group that is no multicast address"
                              : "has a remote that is a multicast address";
        return ATTR_E_INVALID;
}

static int vni_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        VniRange *range = arena_new(scope->arena, VniRange);
        int r;

        if (!range)
                return -ENOMEM;
        *range = (VniRange){};
        r = text[0] == '{' ? text_to_fields(scope, text, parse_field, range)
                           : parse_vni(scope, text, range);
        if (r != 0)
                return r;
        scope->reason = "has no vni";
        if (!range->from)
                return ATTR_E_INVALID;
        *ret = (Value){.vnis = range};
        return 0;
}

static void vni_format(const Row *row _unused_, const Value *value, Buf *ret) {
        const VniRange *range = value->vnis;
        const char *quote = range->far.family == AF_INET6 ? "\"" : "";

        buf_add(ret, range->far.family ? "{vni: " : "");
        range_to_text(range->from, range->to, ret);
        if (!range->far.family)
                return;
        buf_printf(ret, ", %s: %s", ip_is_multicast(&range->far) ? "group" : "remote", quote);
        attr_format_ip(&far_row, &range->far, ret);
        buf_printf(ret, "%s}", quote);
}

static bool vni_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->vnis->from == have->vnis->from && wanted->vnis->to == have->vnis->to &&
               is_alike(wanted->vnis, have->vnis);
}

static int vni_compare(const Value *a, const Value *b) {
        int r = compare_ranges(a, b);

        if (r == 0)
                r = (a->vnis->to > b->vnis->to) - (a->vnis->to < b->vnis->to);
        return r ? r : memcmp(a->vnis->far.bytes, b->vnis->far.bytes, sizeof(a->vnis->far.bytes));
}

static int vni_copy(Arena *arena, const Value *value, Value *ret) {
        VniRange *copy = arena_new(arena, VniRange);

        if (!copy)
                return -ENOMEM;
        *copy = *value->vnis;
        *ret = (Value){.vnis = copy};
        return 0;
}

static int join(const Row *row _unused_, ParseScope *scope, Value *list) {
        return vnis_join(scope, list);
}

static const char *const fields[] = {"vni", "group", "remote", NULL};

const AttrType attr_vnis = {
        .name = "networks",
        .syntax = "NUMBER, FROM-TO or {vni, group} or {vni, remote}; numbers from 1 to 16777215",
        .shape = SHAPE_LIST,
        .fields = fields,
        .parse = vni_parse,
        .format = vni_format,
        .put = attr_put_nothing, /* its messages are kernel/vnis.c's */
        .get = attr_get_nothing,
        .equal = vni_equal,
        .compare = vni_compare,
        .copy = vni_copy,
        .join = join,
};
