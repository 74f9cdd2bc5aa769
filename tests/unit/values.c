/* SPDX-License-Identifier: MIT */
/*
 * Tests that hold for every row need values for rows they have never heard of. They come from what
 * the table says (words, bounds, default), and, where it says nothing, from a collection of texts
 * of every syntax there is: what the row's own parser takes is a value.
 */

#include "values.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* splitmix64: one word of state, every seed is a good one. */
uint64_t random_next(Random *random) {
        uint64_t z = random->state += 0x9e3779b97f4a7c15;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
}

uint64_t random_below(Random *random, uint64_t n) {
        assert(n > 0);
        return random_next(random) % n;
}

int64_t random_between(Random *random, int64_t from, int64_t to) {
        uint64_t span = (uint64_t)to - (uint64_t)from;

        assert(from <= to);
        if (span == UINT64_MAX)
                return (int64_t)random_next(random);
        return (int64_t)((uint64_t)from + random_below(random, span + 1));
}

bool random_chance(Random *random, unsigned percent) {
        return random_below(random, 100) < percent;
}

static uint64_t from_environment(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);
        uint64_t number;

        if (!text)
                return otherwise;
        if (text_to_u64(text, &number) < 0) {
                fprintf(stderr, "%s is not a number: %s\n", name, text);
                abort();
        }
        return number;
}

uint64_t random_seed(uint64_t otherwise) {
        return from_environment("MVNET_SEED", otherwise);
}

size_t random_rounds(size_t otherwise) {
        return (size_t)from_environment("MVNET_ROUNDS", otherwise);
}

bool row_bounds(const Row *row, int64_t *ret_min, uint64_t *ret_max) {
        const AttrType *type = row->type;
        unsigned bits = type->size * 8u;

        if (!type->is_number)
                return false;
        if (row->min || row->max) {
                *ret_min = row->min;
                *ret_max = (uint64_t)row->max;
        } else if (type->is_signed) {
                *ret_min = bits >= 64 ? INT64_MIN : -((int64_t)1 << (bits - 1));
                *ret_max = bits >= 64 ? INT64_MAX : ((uint64_t)1 << (bits - 1)) - 1;
        } else {
                *ret_min = 0;
                *ret_max = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
        }
        return true;
}

static void add_value(Values *values, const Value *value) {
        if (values->n < VALUES_MAX)
                values->items[values->n++] = *value;
}

/* Files with these names would hold a key each; others are not there. */
static int read_secret(ParseScope *scope, const char *name, char ret[SECRET_LINE_SIZE]) {
        uint8_t key[SECRET_SIZE] = {1};

        scope->reason = "is not there";
        if (strncmp(name, "hex/", 4) == 0) {
                snprintf(ret, SECRET_LINE_SIZE, "000102030405060708090a0b0c0d0e%02x",
                         (unsigned char)name[4]);
                return 0;
        }
        if (strncmp(name, "keys/", 5) != 0)
                return ATTR_E_INVALID;
        memcpy(key + 1, name, MIN(strlen(name), sizeof(key) - 1));
        secret_to_text(key, ret);
        return 0;
}

static void add_text(Values *values, const Row *row, Arena *arena, const char *text) {
        ParseScope scope = {.arena = arena, .netns = "host", .read_secret = read_secret};
        Value value = {};

        if (row->type->parse(row, &scope, text, &value) == 0)
                add_value(values, &value);
}

static void add_numbers(Values *values, const Row *row, Random *random) {
        int64_t min;
        uint64_t max;

        if (!row_bounds(row, &min, &max))
                return;
        add_value(values, &(Value){.number = (uint64_t)min});
        add_value(values, &(Value){.number = max});
        for (unsigned i = 0; i < 6; i++) {
                uint64_t span = max - (uint64_t)min;
                /* Small ones and large ones alike: a uniform pick would never see 3. */
                unsigned shift = (unsigned)random_below(random, 64);
                uint64_t step = span == UINT64_MAX ? random_next(random)
                                                   : random_below(random, span + 1);

                add_value(values, &(Value){.number = (uint64_t)min + (step >> shift)});
        }
}

static const char *const texts[] = {
        "true", "false", "0", "1", "2", "7", "4094", "1400", "65535", "-1", "0x6d76",
        "0s", "1s", "15s", "100ms", "2min", "5min", "any", "up", "down", "auto",
        "02:00:00:00:00:01", "02:AB:cd:00:00:fe", "01:80:c2:00:00:0e", "stable", "kernel",
        "10.0.0.1", "10.0.0.1/24", "192.168.0.1/32", "0.0.0.0", "10.0.0.255",
        "fe80::1", "2001:db8::1", "2001:db8::1/64", "2001:db8::2/128", "::",
        "eth0", "ns1/eth0", "ns1", "inherit", "1-9", "40000-50000", "2001:db8::/32", "10.0.0.0/8",
        "239.1.1.1", "ff05::100", "host/br0", "a", "a text with spaces", "forever",
        "net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "ipv4.rp_filter",
        "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=",
        "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "10.0.0.1:51820", "[fd00::1]:51820",
        "keys/one", "keys/two", "hex/one", "hex/two", "01", "00112233445566778899aabbccddeeff",
        "00112233445566778899aabb", "ipv6.accept_ra", "1:2", "0:7", "3:0", "7:7", "root", "0:0", "root:root", "0660",
        "20-30", "{vid: 5, pvid: true, untagged: true}", "{vid: 40-49, tunnel: 1040-1049}",
        "{vid: 60-70, untagged: true}", "{vni: 40, group: 239.1.1.1}",
        "{vni: 50-60, remote: 10.0.0.1}", "{vni: 70, group: \"ff05::100\"}", "16777215",
};

static void add_longest(Values *values, const Row *row, Arena *arena) {
        char text[512] = {};

        if (row->type != &attr_text || row->max <= 0 || (size_t)row->max >= sizeof(text))
                return;
        memset(text, 'x', (size_t)row->max);
        add_text(values, row, arena, text);
}

static void scalars_of_row(const Row *row, Arena *arena, Random *random, Values *ret) {
        *ret = (Values){};
        if (row->def && row->type->shape == SHAPE_SCALAR)
                add_text(ret, row, arena, row->def);
        for (const Name *name = row->names; name && name->name; name++)
                add_text(ret, row, arena, name->name);
        if (row->type->shape == SHAPE_SCALAR)
                add_numbers(ret, row, random);
        add_longest(ret, row, arena);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                add_text(ret, row, arena, texts[i]);
}

/* "[a, b]" or "{a: b}" of the given elements, read by the parser for whole values. */
static void add_collection(Values *values, const Row *row, Arena *arena, const Values *elements,
                           size_t from, size_t n) {
        ParseScope scope = {.arena = arena, .netns = "host"};
        bool map = row->type->shape == SHAPE_MAP;
        _cleanup_(buf_deinit) Buf text = {};
        Value value = {};

        buf_addc(&text, map ? '{' : '[');
        for (size_t i = 0; i < n && elements->n > 0; i++) {
                if (i > 0)
                        buf_add(&text, ", ");
                row->type->format(row, &elements->items[(from + i) % elements->n], &text);
        }
        buf_addc(&text, map ? '}' : ']');
        if (value_parse(row, &scope, buf_text(&text), &value) == 0)
                add_value(values, &value);
}

void values_of_row(const Row *row, Arena *arena, Random *random, Values *ret) {
        Values elements;

        scalars_of_row(row, arena, random, &elements);
        if (row->type->shape == SHAPE_SCALAR) {
                *ret = elements;
                return;
        }
        *ret = (Values){};
        for (size_t n = 0; n <= MIN(elements.n, (size_t)9); n++)
                add_collection(ret, row, arena, &elements, random_next(random) % 64, n);
}

/* For whoever is to write two. */

static bool is_default(const Row *row, const char *text) {
        return row->def && streq(row->def, text);
}

static void suggest_names(const Row *row, char *a, char *b) {
        size_t n = 0;

        for (const Name *name = row->names; name->name; name++)
                if (!is_default(row, name->name))
                        snprintf(n++ ? b : a, SUGGESTION_SIZE, "%s", name->name);
        if (n < 2 && row->def)
                snprintf(b, SUGGESTION_SIZE, "%s", row->def);
}

void values_suggest(const Row *row, char a[SUGGESTION_SIZE], char b[SUGGESTION_SIZE]) {
        const char *type = row->type->name;
        bool on = row->def && streq(row->def, "true");

        if (streq(type, "boolean")) {
                strcpy(a, on ? "false" : "true");
                strcpy(b, on ? "true" : "false");
        } else if (streq(type, "IP address")) {
                strcpy(a, row->nla ? "192.0.2.7" : "'2001:db8::7'");
                strcpy(b, row->nla ? "192.0.2.8" : "'2001:db8::8'");
        } else if (row->names && !row->type->is_number) {
                suggest_names(row, a, b);
        } else if (row->names) {
                strcpy(a, is_default(row, row->names[0].name) ? "9" : row->names[0].name);
                strcpy(b, "8");
        } else if (streq(type, "duration")) {
                strcpy(a, "20s");
                strcpy(b, "30s");
        } else {
                long long low = row->max > 0 ? MIN(row->max - 1, MAX(row->min, 2)) : MAX(row->min, 2);

                snprintf(a, SUGGESTION_SIZE, "%lld", low);
                snprintf(b, SUGGESTION_SIZE, "%lld", low + 1);
        }
}

static bool says(const char *part, const char *key) {
        size_t n = strlen(key);

        return strncmp(part, key, n) == 0 && part[n] == ':';
}

void flow_add_but(const char *flow, const char *key, Buf *ret) {
        while (*flow) {
                const char *end = strstr(flow, ", ");
                size_t n = end ? (size_t)(end - flow) : strlen(flow);

                if (!says(flow, key)) {
                        buf_add(ret, ", ");
                        buf_addn(ret, flow, n);
                }
                flow += n + (end ? 2 : 0);
        }
}

bool flow_says(const char *flow, const char *key) {
        for (; flow; flow = strstr(flow, ", "), flow = flow ? flow + 2 : NULL)
                if (says(flow, key))
                        return true;
        return false;
}

bool text_is_sentence(const char *text) {
        size_t size = text ? strlen(text) : 0;

        if (size < 8 || text[size - 1] != '.' || text[size - 2] == '.')
                return false;
        if (islower((unsigned char)text[0]) || isspace((unsigned char)text[0]))
                return false;
        for (size_t i = 0; i + 2 < size; i++)
                if (text[i] == '\n' ||
                    (text[i] == '.' && text[i + 1] == ' ' && isupper((unsigned char)text[i + 2])))
                        return false;
        return true;
}
