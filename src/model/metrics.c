/* SPDX-License-Identifier: MIT */
/* The metrics of a route: what TCP is told of the path. */

#include "model/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

static int number_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_u32.parse(row, scope, text, ret);
}

static void number_format(const Row *row, const Value *value, Buf *ret) {
        attr_u32.format(row, value, ret);
}

/* A nest that the rows build up together. The bit's place is the number in there. */

static uint16_t nested_nla(const Row *row) {
        return (uint16_t)__builtin_ctzll(row->bit);
}

static struct nlattr *find_put(PutScope *scope, size_t begin, uint16_t nla) {
        const char *end = mnl_nlmsg_get_payload_tail(scope->message);
        struct nlattr *attr = (struct nlattr *)((char *)scope->message + begin);

        for (; mnl_attr_ok(attr, (int)(end - (char *)attr)); attr = mnl_attr_next(attr))
                if (mnl_attr_get_type(attr) == nla)
                        return attr;
        return NULL;
}

struct nlattr *route_find_put(PutScope *scope, uint16_t nla) {
        return find_put(scope, NLMSG_LENGTH(sizeof(struct rtmsg)), nla);
}

int route_put_nested(const Row *row, PutScope *scope, const void *payload, size_t size) {
        struct nlattr *nest = find_put(scope, scope->begin, row->nla);
        int r;

        if (!nest)
                nest = put_nest(scope, row->nla);
        if (!nest)
                return -EMSGSIZE;
        r = put_attr(scope, nested_nla(row), payload, size);
        put_nest_end(scope, nest);
        return r;
}

const struct nlattr *route_get_nested(const Row *row, const GetScope *scope, size_t size) {
        const struct nlattr *nest = get_attr(scope, row->nla, 0), *attr;

        if (!nest)
                return NULL;
        mnl_attr_for_each_nested(attr, nest)
                if (mnl_attr_get_type(attr) == nested_nla(row) && mnl_attr_get_payload_len(attr) >= size)
                        return attr;
        return NULL;
}

static int metric32_put(const Row *row, const Value *value, PutScope *scope) {
        uint32_t number = (uint32_t)value->number;

        return number ? route_put_nested(row, scope, &number, sizeof(number)) : 0;
}

static int metric32_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = route_get_nested(row, scope, sizeof(uint32_t));

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.number = mnl_attr_get_u32(attr)};
        return 0;
}

const AttrType attr_metric = {
        .name = "number", .syntax = "a number", .size = 4, .is_number = true,
        .parse = number_parse, .format = number_format,
        .put = metric32_put, .get = metric32_get, .equal = attr_equal_number,
};

static int metric_bool_get(const Row *row, const GetScope *scope, Value *ret) {
        int r = metric32_get(row, scope, ret);

        if (r == 0)
                ret->number = ret->number != 0;
        return r;
}

const AttrType attr_metric_bool = {
        .name = "boolean", .syntax = "true or false",
        .parse = attr_parse_bool, .format = attr_format_bool,
        .put = metric32_put, .get = metric_bool_get, .equal = attr_equal_number,
};

/* The kernel counts round trips in eighths, and their variance in quarters, of a millisecond. */
static uint64_t time_scale(const Row *row) {
        return nested_nla(row) == RTAX_RTT ? 8 : nested_nla(row) == RTAX_RTTVAR ? 4 : 1;
}

static int time_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        uint64_t ms;
        int r = attr_parse_ms(scope, text, &ms);

        if (r != 0)
                return r;
        if (ms > UINT32_MAX / time_scale(row)) {
                scope->reason = "is out of range";
                return ATTR_E_INVALID;
        }
        *ret = (Value){.number = ms * time_scale(row)};
        return 0;
}

static void time_format(const Row *row, const Value *value, Buf *ret) {
        uint64_t ms = value->number / time_scale(row);

        if (ms % 1000 == 0)
                buf_printf(ret, "%llus", (unsigned long long)ms / 1000);
        else
                buf_printf(ret, "%llums", (unsigned long long)ms);
}

const AttrType attr_metric_time = {
        .name = "duration", .syntax = "a duration",
        .parse = time_parse, .format = time_format,
        .put = metric32_put, .get = metric32_get, .equal = attr_equal_number,
};

static int text_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_text.parse(row, scope, text, ret);
}

static void text_format(const Row *row, const Value *value, Buf *ret) {
        attr_text.format(row, value, ret);
}

static bool text_equal(const Row *row, const Value *wanted, const Value *have) {
        return attr_text.equal(row, wanted, have);
}

static int metric_text_put(const Row *row, const Value *value, PutScope *scope) {
        return *value->text ? route_put_nested(row, scope, value->text, strlen(value->text) + 1) : 0;
}

static int metric_text_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = route_get_nested(row, scope, 1);
        const char *text = attr ? mnl_attr_get_payload(attr) : NULL;

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.text = arena_strndup(scope->arena, text,
                                             strnlen(text, mnl_attr_get_payload_len(attr)))};
        return ret->text ? 0 : -ENOMEM;
}

const AttrType attr_metric_text = {
        .name = "text", .is_text = true,
        .parse = text_parse, .format = text_format,
        .put = metric_text_put, .get = metric_text_get, .equal = text_equal,
};

/* Words that are bits of one number: an element is a bit. */
static int bits_put(const Row *row, const Value *value, PutScope *scope) {
        uint32_t bits = 0;

        for (size_t i = 0; i < value->list.n; i++)
                bits |= (uint32_t)value->list.items[i].number;
        return bits ? route_put_nested(row, scope, &bits, sizeof(bits)) : 0;
}

static int bits_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = route_get_nested(row, scope, sizeof(uint32_t));
        Value list = {};

        for (const Name *name = row->names; attr && name->name; name++)
                if (mnl_attr_get_u32(attr) & name->number &&
                    value_append(row, scope->arena, &list, &(Value){.number = name->number}) < 0)
                        return -ENOMEM;
        *ret = list;
        return 0;
}

const AttrType attr_metric_bits = {
        .name = "word", .shape = SHAPE_LIST,
        .parse = attr_parse_enum, .format = attr_format_enum,
        .put = bits_put, .get = bits_get, .equal = attr_equal_number,
};
