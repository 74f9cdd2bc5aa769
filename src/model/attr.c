/* SPDX-License-Identifier: MIT */
/*
 * Values as a whole: lists and maps are handled here, so that a type only knows one element.
 */

#include "mvnet/attr.h"

#include <ctype.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>

static int compare_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

int value_compare(const Row *row, const Value *a, const Value *b) {
        int r;

        if (row->type->compare)
                return row->type->compare(a, b);
        if (row->type->is_text)
                return compare_text(a->text, b->text);
        if ((row->type->is_ref || row->type->is_netns) && !a->unresolved && !b->unresolved) {
                r = compare_text(a->ref.netns, b->ref.netns);
                return r ? r : compare_text(a->ref.link, b->ref.link);
        }
        r = memcmp(a->bytes, b->bytes, sizeof(a->bytes));
        if (r == 0)
                r = (int)a->family - (int)b->family;
        return r ? r : (int)a->length - (int)b->length;
}

int value_append(const Row *row, Arena *arena, Value *list, const Value *item) {
        size_t n = list->list.n, at = 0;

        while (at < n && value_compare(row, &list->list.items[at], item) < 0)
                at++;
        if (at < n && value_compare(row, &list->list.items[at], item) == 0)
                return 0;
        /* Room is always a power of two from 4 up: full when n is one. */
        if (n == 0 || (n >= 4 && (n & (n - 1)) == 0)) {
                Value *grown = arena_new_n(arena, Value, MAX(n * 2, (size_t)4));

                if (!grown)
                        return -ENOMEM;
                if (n)
                        memcpy(grown, list->list.items, n * sizeof(Value));
                list->list.items = grown;
        }
        memmove(&list->list.items[at + 1], &list->list.items[at], (n - at) * sizeof(Value));
        list->list.items[at] = *item;
        list->list.n++;
        return 0;
}

/* The next element of "a, b" within [*at, end): trimmed, copied, or NULL at the end. */
static int next_element(Arena *arena, const char **at, const char *end, char **ret) {
        const char *begin = *at, *stop;
        char *element;

        while (begin < end && isspace((unsigned char)*begin))
                begin++;
        if (begin >= end) {
                *ret = NULL;
                return 0;
        }
        stop = *begin == '{' ? memchr(begin, '}', (size_t)(end - begin)) : begin;
        stop = stop ? memchr(stop, ',', (size_t)(end - stop)) : NULL;
        stop = stop ? stop : end;
        *at = stop < end ? stop + 1 : end;
        while (stop > begin && isspace((unsigned char)stop[-1]))
                stop--;
        element = arena_strndup(arena, begin, (size_t)(stop - begin));
        if (!element)
                return -ENOMEM;
        *ret = element;
        return 0;
}

static int parse_elements(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        bool map = row->type->shape == SHAPE_MAP;
        size_t size = strlen(text);
        const char *at = text + 1, *end = text + size - 1;
        Value list = {};
        int r;

        if (size < 2 || text[0] != (map ? '{' : '[') || *end != (map ? '}' : ']')) {
                scope->reason = map ? "is not a map" : "is not a list";
                return ATTR_E_INVALID;
        }
        for (;;) {
                Value item = {};
                char *element;

                r = next_element(scope->arena, &at, end, &element);
                if (r < 0 || !element)
                        break;
                r = row->type->parse(row, scope, element, &item);
                if (r == ATTR_E_ABSENT)
                        continue;
                if (r == 0)
                        r = value_append(row, scope->arena, &list, &item);
                if (r != 0)
                        break;
        }
        if (r == 0 && row->type->join)
                r = row->type->join(row, scope, &list);
        if (r == 0)
                *ret = list;
        return r;
}

bool row_number(const Row *row, const Value *value, size_t i, uint64_t *ret) {
        if (!row->of)
                return false;
        if (row->type->shape == SHAPE_SCALAR) {
                *ret = value->number;
                return i == 0 && value->number != 0;
        }
        if (i >= value->list.n)
                return false;
        *ret = value->list.items[i].pair.from;
        return true;
}

int value_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        Value value = {};
        int r;

        if (row->type->shape == SHAPE_SCALAR)
                r = row->type->parse(row, scope, text, &value);
        else
                r = parse_elements(row, scope, text, &value);
        if (r == 0)
                *ret = value;
        return r;
}

void value_format(const Row *row, const Value *value, Buf *ret) {
        bool map = row->type->shape == SHAPE_MAP;

        if (row->type->shape == SHAPE_SCALAR) {
                row->type->format(row, value, ret);
                return;
        }
        buf_addc(ret, map ? '{' : '[');
        for (size_t i = 0; i < value->list.n; i++) {
                buf_add(ret, i ? ", " : "");
                row->type->format(row, &value->list.items[i], ret);
        }
        buf_addc(ret, map ? '}' : ']');
}

/* Elements with references were sorted by numbers, before these had names: any order will do. */
static bool equal_in_any_order(const Row *row, const Value *wanted, const Value *have) {
        uint64_t taken[4] = {};

        if (have->list.n > 64 * ELEMENTSOF(taken))
                return false;
        for (size_t i = 0; i < wanted->list.n; i++) {
                size_t j = 0;

                while (j < have->list.n &&
                       (taken[j / 64] >> (j % 64) & 1 ||
                        !row->type->equal(row, &wanted->list.items[i], &have->list.items[j])))
                        j++;
                if (j == have->list.n)
                        return false;
                taken[j / 64] |= (uint64_t)1 << (j % 64);
        }
        return true;
}

bool value_equal(const Row *row, const Value *wanted, const Value *have) {
        if (row->type->shape == SHAPE_SCALAR)
                return row->type->equal(row, wanted, have);
        if (wanted->list.n != have->list.n)
                return false;
        if (row->type->ref_in)
                return equal_in_any_order(row, wanted, have);
        for (size_t i = 0; i < wanted->list.n; i++)
                if (!row->type->equal(row, &wanted->list.items[i], &have->list.items[i]))
                        return false;
        return true;
}

bool value_change_is_fixed(const Row *row, const Value *from, const Value *to) {
        const Name *a, *b;

        if (row->flags & ROW_STEADY)
                return from->family != to->family;
        if (row->type->is_fixed)
                return row->type->is_fixed(row, from, to);
        a = row->names ? row_name(row, from->number) : NULL;
        b = row->names ? row_name(row, to->number) : NULL;
        return (a && a->fixed) || (b && b->fixed);
}

static int copy_secret(Arena *arena, const Value *value, Value *ret) {
        uint8_t *key = value->secret.key ? arena_alloc(arena, SECRET_SIZE) : NULL;
        char *name = arena_strdup(arena, value->secret.name);

        if ((value->secret.key && !key) || (value->secret.name && !name))
                return -ENOMEM;
        if (key)
                memcpy(key, value->secret.key, SECRET_SIZE);
        *ret = (Value){.secret = {.name = name, .key = key}, .length = value->length};
        return 0;
}

static int copy_element(Arena *arena, const Row *row, const Value *value, Value *ret) {
        Value copy = *value;

        if (row->type->copy)
                return row->type->copy(arena, value, ret);
        if ((row->type->is_ref || row->type->is_netns) && !value->unresolved) {
                copy.ref.netns = arena_strdup(arena, value->ref.netns);
                copy.ref.link = arena_strdup(arena, value->ref.link);
                if ((value->ref.netns && !copy.ref.netns) || (value->ref.link && !copy.ref.link))
                        return -ENOMEM;
        } else if (row->type->is_text) {
                copy.text = arena_strdup(arena, value->text);
                if (!copy.text)
                        return -ENOMEM;
        } else if (row->type->is_secret) {
                return copy_secret(arena, value, ret);
        }
        *ret = copy;
        return 0;
}

int value_copy(Arena *arena, const Row *row, const Value *value, Value *ret) {
        Value copy = *value;

        if (row->type->shape == SHAPE_SCALAR)
                return copy_element(arena, row, value, ret);
        copy.list.items = arena_new_n(arena, Value, MAX(value->list.n, (size_t)1));
        if (!copy.list.items)
                return -ENOMEM;
        for (size_t i = 0; i < value->list.n; i++)
                if (copy_element(arena, row, &value->list.items[i], &copy.list.items[i]) < 0)
                        return -ENOMEM;
        *ret = copy;
        return 0;
}

const Name *row_name(const Row *row, uint64_t number) {
        for (const Name *name = row->names; name && name->name; name++)
                if (name->number == number)
                        return name;
        return NULL;
}

static void allowed_names(const Row *row, Buf *ret) {
        for (const Name *name = row->names; name->name; name++) {
                bool last = !name[1].name;

                if (name != row->names)
                        buf_add(ret, last ? " or " : ", ");
                buf_add(ret, name->name);
        }
}

void row_allowed(const Row *row, Buf *ret) {
        const AttrType *type = row->type;

        if (type->shape == SHAPE_LIST)
                buf_add(ret, "a list of ");
        if (row->names) {
                allowed_names(row, ret);
                if (!type->is_number)
                        return;
                buf_add(ret, ", or ");
        }
        if (type->is_number && (row->min || row->max)) {
                Value low = {.number = (uint64_t)row->min}, high = {.number = (uint64_t)row->max};

                while (row_name(row, low.number)) /* was told */
                        low.number++;
                if (type->syntax)
                        buf_printf(ret, "%s from ", type->syntax);
                type->format(row, &low, ret);
                buf_add(ret, " to ");
                type->format(row, &high, ret);
        } else {
                buf_add(ret, type->syntax ? type->syntax : type->name);
        }
}

/* What is around a word: spaces, and quotes. */
static char *trim(char *text) {
        char *end;

        text += strspn(text, " \"");
        end = text + strlen(text);
        while (end > text && (end[-1] == ' ' || end[-1] == '"'))
                *--end = '\0';
        return text;
}

int text_to_fields(ParseScope *scope, const char *text,
                   int (*take)(ParseScope *scope, const char *key, const char *text, void *userdata),
                   void *userdata) {
        size_t size = strlen(text);
        char *copy, *at, *rest = NULL;
        int r = 0;

        scope->reason = "is no map of keys";
        if (size < 2 || text[0] != '{' || text[size - 1] != '}')
                return ATTR_E_INVALID;
        copy = arena_strndup(scope->arena, text + 1, size - 2);
        if (!copy)
                return -ENOMEM;
        for (at = strtok_r(copy, ",", &rest); r == 0 && at; at = strtok_r(NULL, ",", &rest)) {
                char *colon = strchr(at, ':');

                if (!colon)
                        return ATTR_E_INVALID;
                *colon = '\0';
                r = take(scope, trim(at), trim(colon + 1), userdata);
        }
        return r;
}

int text_to_range(ParseScope *scope, const char *text, uint64_t max, uint64_t *ret_from,
                  uint64_t *ret_to) {
        const char *dash = strchr(text, '-');
        char *first = arena_strndup(scope->arena, text,
                                    dash ? (size_t)(dash - text) : strlen(text));

        if (!first)
                return -ENOMEM;
        scope->reason = "is no number or range of numbers";
        if (text_to_u64(first, ret_from) < 0 || text_to_u64(dash ? dash + 1 : first, ret_to) < 0)
                return ATTR_E_INVALID;
        scope->reason = "is out of range";
        if (*ret_from < 1 || *ret_to > max || *ret_from > max)
                return ATTR_E_INVALID;
        scope->reason = "ends before it begins";
        return *ret_from > *ret_to ? ATTR_E_INVALID : 0;
}

void range_to_text(uint64_t from, uint64_t to, Buf *ret) {
        buf_printf(ret, "%llu", (unsigned long long)from);
        if (to != from)
                buf_printf(ret, "-%llu", (unsigned long long)to);
}

int put_attr(PutScope *scope, uint16_t nla, const void *payload, size_t size) {
        if (size > UINT16_MAX - sizeof(struct nlattr))
                return -EMSGSIZE;
        return mnl_attr_put_check(scope->message, scope->size, nla, size, payload) ? 0 : -EMSGSIZE;
}

struct nlattr *put_nest(PutScope *scope, uint16_t nla) {
        return mnl_attr_nest_start_check(scope->message, scope->size, nla);
}

void put_nest_end(PutScope *scope, struct nlattr *nest) {
        mnl_attr_nest_end(scope->message, nest);
}

void *put_earlier(PutScope *scope, uint16_t nla, size_t size) {
        const char *end = mnl_nlmsg_get_payload_tail(scope->message);
        struct nlattr *attr = (struct nlattr *)((char *)scope->message + scope->begin);

        for (; scope->begin && mnl_attr_ok(attr, (int)(end - (char *)attr));
             attr = mnl_attr_next(attr))
                if (mnl_attr_get_type(attr) == nla && mnl_attr_get_payload_len(attr) == size)
                        return mnl_attr_get_payload(attr);
        return NULL;
}

const struct nlattr *get_attr(const GetScope *scope, uint16_t nla, size_t min_size) {
        const struct nlattr *attr = nla < scope->tb_n ? scope->tb[nla] : NULL;

        return attr && mnl_attr_get_payload_len(attr) >= min_size ? attr : NULL;
}
