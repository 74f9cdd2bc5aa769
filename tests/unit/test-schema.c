/* SPDX-License-Identifier: MIT */
/*
 * What has to hold for every row of every table, whatever it is for: a new kind is tested by
 * existing. Nothing in here knows a kind, and a failure names the table and the row.
 */

#include "values.h"

#include "mvnet/network.h"
#include "mvnet/vlans.h"

#include <ctype.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdio.h>

#include <setjmp.h>
#include <cmocka.h>

#define MESSAGE_SIZE ((size_t)64 * 1024)
#define NLA_MAX 256


/* All tables. */

typedef struct Table {
        const Schema *schema;
        const LinkKind *kind;     /* whose options or ports they are, or NULL */
        const ObjectType *object; /* likewise */
} Table;

typedef void TableTest(const Table *table);
typedef void RowTest(const Table *table, const Row *row);

static const Row *current_row;
static const Schema *current_schema;

static size_t problems;

/* Says so and goes on: one run shows all that is wrong with a new kind. */
static void _printf_(1, 2) complain(const char *format, ...) {
        va_list ap;

        print_error("%s%s%s: ", current_schema->name, current_row ? "." : "",
                    current_row ? current_row->key : "");
        va_start(ap, format);
        vprint_error(format, ap);
        va_end(ap);
        print_error("\n");
        problems++;
}

#define check(condition) \
        do { \
                if (!(condition)) \
                        complain("not so: %s", #condition); \
        } while (false)

static void run_table(TableTest *test, const Table *table) {
        if (!table->schema->name)
                return;
        current_schema = table->schema;
        current_row = NULL;
        test(table);
}

static void foreach_table(TableTest *test) {
        problems = 0;
        run_table(test, &(Table){.schema = &link_schema});
        run_table(test, &(Table){.schema = &match_schema});
        run_table(test, &(Table){.schema = &vlans_schema});
        for (size_t i = 0; i < link_kinds_n; i++) {
                const LinkKind *kind = link_kinds[i];

                run_table(test, &(Table){.schema = &kind->options, .kind = kind});
                run_table(test, &(Table){.schema = &kind->port, .kind = kind});
        }
        for (size_t i = 0; i < object_types_n; i++)
                run_table(test, &(Table){.schema = &object_types[i]->schema,
                                         .object = object_types[i]});
        assert_int_equal(problems, 0);
}

static RowTest *row_test;

static void run_rows(const Table *table) {
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                current_row = schema_row(table->schema, i);
                row_test(table, current_row);
        }
}

static void foreach_row(RowTest *test) {
        row_test = test;
        foreach_table(run_rows);
}

static bool is_kebab(const char *text) {
        bool word = false;

        for (const char *c = text; *c; c++) {
                if (*c == '-' && !word)
                        return false;
                if (*c != '-' && !islower((unsigned char)*c) && !isdigit((unsigned char)*c))
                        return false;
                word = *c != '-';
        }
        return word;
}

/* The tables themselves. */

static bool is_local(const Row *row) {
        return row->flags & ROW_LOCAL;
}

/* Rows that share a number on the wire hold different bits of it. */
static void check_number(const Schema *schema, size_t at, const Row *row) {
        for (size_t i = 0; i < at; i++) {
                const Row *other = schema_row(schema, i);

                if (is_local(row) || is_local(other) || !row_shares(row, other))
                        continue;
                if (row->bit == other->bit || (row->bit & other->bit))
                        complain("has number %u, and so has %s", row->nla, other->key);
        }
}

static void check_table(const Table *table) {
        const Schema *schema = table->schema;
        size_t shorthands = 0;

        check(is_kebab(schema->name));
        check(schema_size(schema) <= ROWS_MAX);
        assert_int_equal(schema_find(schema, "no-such-row"), -1);
        for (size_t i = 0; i < schema_size(schema); i++) {
                current_row = schema_row(schema, i);
                check(is_kebab(current_row->key));
                check(schema_find(schema, current_row->key) == (int)i);
                check_number(schema, i, current_row);
                shorthands += (current_row->flags & ROW_SHORTHAND) != 0;
        }
        current_row = NULL;
        check(shorthands <= 1);
}

static void test_tables(_unused_ void **state) {
        foreach_table(check_table);
}

/* An own row of an inherited key stands in the place of the inherited one. */
static void check_inheritance(const Table *table) {
        const Schema *base = table->schema->like;

        if (!base)
                return;
        for (size_t i = 0; i < schema_size(base); i++) {
                current_row = schema_row(base, i);
                check(schema_find(table->schema, current_row->key) == (int)i);
        }
        for (size_t i = 0; i < table->schema->n; i++) {
                current_row = &table->schema->rows[i];
                check(schema_row(table->schema, (size_t)schema_find(table->schema,
                                                                         current_row->key)) ==
                           current_row);
        }
}

static void test_inheritance(_unused_ void **state) {
        foreach_table(check_inheritance);
}

/* Whoever is asked first, an heir's heir has all rows, in the order in which they came. */
static void test_heirs(_unused_ void **state) {
        static const Row first[] = {{.key = "a", .nla = 1}, {.key = "b", .nla = 2}};
        static const Row second[] = {{.key = "b", .nla = 3}, {.key = "c", .nla = 4}};
        static const Row third[] = {{.key = "d", .nla = 5}, {.key = "a", .nla = 6}};
        static const Schema one = {.name = "one", .rows = first, .n = 2},
                            two = {.name = "two", .rows = second, .n = 2, .like = &one},
                            same = {.name = "same", .like = &two},
                            three = {.name = "three", .rows = third, .n = 2, .like = &same};
        static const struct {
                const Schema *schema;
                const char *keys;
                uint16_t numbers[5];
        } expected[] = {
                {&three, "abcd", {6, 3, 4, 5}},
                {&same, "abc", {1, 3, 4}},
                {&two, "abc", {1, 3, 4}},
                {&one, "ab", {1, 2}},
        };

        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                const Schema *schema = expected[i].schema;

                assert_int_equal(schema_size(schema), strlen(expected[i].keys));
                for (size_t j = 0; j < schema_size(schema); j++) {
                        assert_int_equal(*schema_row(schema, j)->key, expected[i].keys[j]);
                        assert_int_equal(schema_row(schema, j)->nla, expected[i].numbers[j]);
                }
                assert_null(schema_row(schema, schema_size(schema)));
        }
}

static void check_names(const Row *row) {
        for (const Name *name = row->names; name->name; name++) {
                check(name->name[0] && !strpbrk(name->name, " ,:[]{}#&*!|>'\"%@`"));
                check(row_name(row, name->number) != NULL);
                for (const Name *other = row->names; other != name; other++) {
                        check(!streq(other->name, name->name));
                        check(other->number != name->number);
                }
        }
        check(row->names[0].name != NULL);
}

static void check_row(const Table *table, const Row *row) {
        const AttrType *type = row->type;

        check(type && type->name && type->name[0]);
        check(type->parse && type->format && type->equal);
        check((unsigned)type->shape < _SHAPE_N);
        check((unsigned)row->change < _CHANGE_N);
        check((unsigned)row->phase < _PHASE_N);
        check(row->min <= row->max);
        check(row->nla < NLA_MAX);
        check(text_is_sentence(row->doc));
        if (is_local(row))
                check(row->nla == 0);
        if (row->names)
                check_names(row);
        if (row->flags & ROW_REQUIRED)
                check(!row->def);
        if (row->flags & ROW_ABSENT_IS_DEF)
                check(row->def || type->is_ref || type->shape != SHAPE_SCALAR);
        if (row->flags & ROW_PER_PARENT)
                check(!table->kind || link_kind_is(table->kind, KIND_PARENT));
        if (row->flags & ROW_MAKES_PEER)
                check(type->is_ref && table->kind && link_kind_is(table->kind, KIND_PAIR));
}

static void test_rows(_unused_ void **state) {
        foreach_row(check_row);
}

static void check_allowed(_unused_ const Table *table, const Row *row) {
        _cleanup_(buf_deinit) Buf text = {};

        row_allowed(row, &text);
        assert_int_equal(buf_error(&text), 0);
        check(text.size > 0);
        for (const Name *name = row->names; name && name->name; name++)
                check(strstr(buf_text(&text), name->name));
}

static void test_allowed(_unused_ void **state) {
        foreach_row(check_allowed);
}

/* Text. */

static void check_reads_back(const Row *row, const Value *value) {
        _cleanup_(arena_deinit) Arena arena = {};
        _cleanup_(buf_deinit) Buf text = {}, again = {};
        ParseScope scope = {.arena = &arena, .netns = "host"};
        Value back = {};
        int r;

        value_format(row, value, &text);
        assert_int_equal(buf_error(&text), 0);
        r = value_parse(row, &scope, buf_text(&text), &back);
        if (r != 0) {
                complain("writes '%s' and refuses to read it: %s", buf_text(&text),
                         scope.reason ? scope.reason : "?");
                return;
        }
        if (!value_equal(row, value, &back))
                complain("reads another value from its own '%s'", buf_text(&text));
        value_format(row, &back, &again);
        check(streq(buf_text(&text), buf_text(&again)));
}

static void check_copies(const Row *row, const Value *value) {
        _cleanup_(arena_deinit) Arena arena = {};
        Value copy = {};

        assert_int_equal(value_copy(&arena, row, value, &copy), 0);
        if (!value_equal(row, value, &copy))
                complain("has a copy that differs");
        check_reads_back(row, &copy);
}

static void check_default(_unused_ const Table *table, const Row *row) {
        _cleanup_(arena_deinit) Arena arena = {};
        ParseScope scope = {.arena = &arena, .netns = "host"};
        Value value = {};

        if (!row->def)
                return;
        if (value_parse(row, &scope, row->def, &value) != 0)
                complain("has a default that it refuses: '%s'", row->def);
        else
                check_reads_back(row, &value);
}

static void test_defaults(_unused_ void **state) {
        foreach_row(check_default);
}

static Random rng;

static void check_text(_unused_ const Table *table, const Row *row) {
        _cleanup_(arena_deinit) Arena arena = {};
        Values values;

        values_of_row(row, &arena, &rng, &values);
        check(values.n > 0);
        for (size_t i = 0; i < values.n; i++) {
                check(value_equal(row, &values.items[i], &values.items[i]));
                check_reads_back(row, &values.items[i]);
                check_copies(row, &values.items[i]);
        }
}

static void test_text(_unused_ void **state) {
        foreach_row(check_text);
}

/* Different words for different values: two numbers must not look the same in a plan. */
static void check_distinct(_unused_ const Table *table, const Row *row) {
        for (const Name *a = row->names; a && a->name; a++)
                for (const Name *b = a + 1; b->name; b++) {
                        Value left = {.number = a->number}, right = {.number = b->number};

                        if (row->type->shape == SHAPE_SCALAR && row->type->is_number &&
                            value_equal(row, &left, &right))
                                complain("holds %s and %s to be equal", a->name, b->name);
                }
}

static void test_distinct(_unused_ void **state) {
        foreach_row(check_distinct);
}

static void check_refused(const Row *row, const char *text) {
        _cleanup_(arena_deinit) Arena arena = {};
        ParseScope scope = {.arena = &arena, .netns = "host"};
        Value value = {};
        int r = value_parse(row, &scope, text, &value);

        if (r != ATTR_E_INVALID)
                complain("takes '%s' (%d)", text, r);
        if (!scope.reason || !scope.reason[0])
                complain("refuses '%s' and does not say why", text);
}

static void check_number_refused(const Row *row, uint64_t number) {
        _cleanup_(buf_deinit) Buf text = {};

        if (row_name(row, number))
                return;
        row->type->format(row, &(Value){.number = number}, &text);
        check_refused(row, buf_text(&text));
}

/* One below the least and one above the greatest number. */
static void check_bounds(_unused_ const Table *table, const Row *row) {
        int64_t min;
        uint64_t max;

        if (row->type->shape != SHAPE_SCALAR || !row_bounds(row, &min, &max))
                return;
        if (!(row->min || row->max) && row->type->size >= sizeof(uint64_t))
                return;
        if (row->type->is_signed || min > 0)
                check_number_refused(row, (uint64_t)min - 1);
        if (max < INT64_MAX)
                check_number_refused(row, max + 1);
        check_refused(row, "99999999999999999999999");
        check_refused(row, "-99999999999999999999999");
}

static void test_bounds(_unused_ void **state) {
        foreach_row(check_bounds);
}

/*
 * No value of any row: no parser may take it, crash over it, or refuse it without a reason. Text
 * rows take what is text, so only that is asked of them.
 */
static const char *const nonsense[] = {
        "\x01", "no such value \x7f", "\xff\xfe", "tru", "1.5", "0x", "1e3", "- 1", "10.0.0.256",
        "10.0.0.1/33", "10.0.0.1/", "/24", "::1/129", ":::", "1:2:3", "02:00:00:00:00",
        "02:00:00:00:00:01:02", "zz:00:00:00:00:01", "/", "//", "a/b/c", "15 parsecs", "+", "[",
        "]", "{", "}", "[}", "{]", "[,]", "{a}",
        "1067519911675d", /* overflows to a plausible time: 2^64 ms and two days */
        "0.0000000000000001s", "4294967296000s", "-1s", ".5s", "1.s", "1 2s",
};

static bool is_hexadecimal(const char *text) {
        return strlen(text) % 2 == 0 && !text[strspn(text, "0123456789abcdef")];
}

static void check_nonsense(_unused_ const Table *table, const Row *row) {
        for (size_t i = 0; i < ELEMENTSOF(nonsense); i++) {
                _cleanup_(arena_deinit) Arena arena = {};
                ParseScope scope = {.arena = &arena, .netns = "host"};
                Value value = {};
                int r = value_parse(row, &scope, nonsense[i], &value);

                if (r == 0 && !row->type->is_text && !row->type->is_ref && !row->type->is_netns &&
                    !row->type->is_secret &&
                    !(streq(row->type->name, "key id") && is_hexadecimal(nonsense[i])) &&
                    row->type->shape == SHAPE_SCALAR)
                        complain("takes '%s'", nonsense[i]);
                if (r == 0) {
                        check_reads_back(row, &value);
                        continue;
                }
                if (r != ATTR_E_INVALID)
                        complain("answers %d to '%s'", r, nonsense[i]);
                check(scope.reason && scope.reason[0]);
        }
}

static void test_nonsense(_unused_ void **state) {
        foreach_row(check_nonsense);
}

/* The wire. */

typedef struct Wire {
        alignas(8) char bytes[MESSAGE_SIZE];
        struct nlmsghdr *message;
        size_t header_size;
        const struct nlattr *tb[NLA_MAX];
        bool peer_asked;
} Wire;

static Wire wire;

#define RESOLVED_IFINDEX 4711
#define RESOLVED_NSID 5

static int resolve(_unused_ void *userdata, const Ref *ref, int *ret_ifindex, int *ret_nsid) {
        assert_non_null(ref->link);
        *ret_ifindex = RESOLVED_IFINDEX;
        *ret_nsid = streq_ptr(ref->netns, "host") ? -1 : RESOLVED_NSID;
        return 0;
}

static int resolve_netns(_unused_ void *userdata, const char *netns, int *ret_nsid) {
        *ret_nsid = streq(netns, "host") ? -1 : RESOLVED_NSID;
        return 0;
}

static int put_peer(_unused_ void *userdata, _unused_ PutScope *scope, const Ref *peer) {
        assert_non_null(peer->link);
        wire.peer_asked = true;
        return 0;
}

static size_t header_size(const Table *table) {
        return table->object ? table->object->header_size : sizeof(struct ifinfomsg);
}

static PutScope wire_begin(const Table *table, size_t size) {
        memset(&wire, 0, sizeof(wire));
        wire.header_size = header_size(table);
        wire.message = mnl_nlmsg_put_header(wire.bytes);
        if (wire.header_size)
                mnl_nlmsg_put_extra_header(wire.message, wire.header_size);
        return (PutScope){.message = wire.message,
                          .size = size,
                          .resolve = resolve,
                          .resolve_netns = resolve_netns,
                          .put_peer = put_peer};
}

static int collect(const struct nlattr *attr, _unused_ void *userdata) {
        uint16_t type = mnl_attr_get_type(attr);

        if (type < NLA_MAX)
                wire.tb[type] = attr;
        return MNL_CB_OK;
}

/* The message as a receiver sees it: what is in a nest has the same attributes outside of it. */
static GetScope wire_end(Arena *arena) {
        assert_int_equal(mnl_attr_parse(wire.message, (unsigned)wire.header_size, collect, NULL),
                         MNL_CB_OK);
        return (GetScope){.header = mnl_nlmsg_get_payload(wire.message),
                          .tb = wire.tb,
                          .tb_n = NLA_MAX,
                          .outer = wire.tb,
                          .outer_n = NLA_MAX,
                          .arena = arena};
}

static bool is_netlink(const Table *table) {
        return !table->object || table->object->transport != TRANSPORT_SYSCTL;
}

/* Rows whose values travel, and come back. */
static bool goes_round(const Table *table, const Row *row) {
        return is_netlink(table) && table->schema != &match_schema &&
               table->schema != &vlans_schema && !(table->object && table->object->entries) && !is_local(row) &&
               row->change != CHANGE_STATE && row->transport != TRANSPORT_TUNNEL && !(row->flags & (ROW_WRITE_ONLY | ROW_MAKES_PEER));
}

/* Values that mean "do not compare": there is nothing to send. */
static bool is_unset(const Row *row, const Value *value) {
        if (row->type->is_netns && streq(value->ref.netns, "host"))
                return true;
        if (row->type == &attr_mac_policy && value->policy != MAC_FIXED)
                return true;
        return row == schema_row(&link_schema, LINK_STATE) && value->number == LINK_STATE_ANY;
}

static void check_same_link(const Value *sent, const Value *read) {
        if (!sent->ref.link) {
                check(!read->unresolved && !read->ref.link);
                return;
        }
        check(read->unresolved);
        check(read->raw.ifindex == RESOLVED_IFINDEX);
        check(read->raw.nsid == -1 || read->raw.nsid == RESOLVED_NSID);
        if (streq_ptr(sent->ref.netns, "host"))
                check(read->raw.nsid == -1);
}

/* What `verify` misses, beside what is always required; and what it misses then. */
static bool set_missing(const Table *table, int row, size_t at, Arena *arena, AttrSet *set) {
        const char *key, *reason;
        Values values;
        int next;

        if (row < 0 || (size_t)row == at || attrset_has(set, (size_t)row))
                return false;
        values_of_row(schema_row(table->schema, (size_t)row), arena, &rng, &values);
        for (size_t i = 0; i < values.n; i++) {
                attrset_set(set, (size_t)row, values.items[i]);
                if (table->object->verify(set, &key, &reason) == 0)
                        return true;
                next = schema_find(table->schema, key);
                if (next != row && set_missing(table, next, at, arena, set))
                        return true;
        }
        return false;
}

/* An object cannot be sent without its identity: what `verify` takes beside the row at hand. */
static bool complete_object(const Table *table, size_t at, Arena *arena, AttrSet *set) {
        const char *key, *reason;

        if (!table->object)
                return true;
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                const Row *row = schema_row(table->schema, i);
                Values values;

                if (i == at || !(row->flags & ROW_REQUIRED))
                        continue;
                values_of_row(row, arena, &rng, &values);
                for (size_t j = 0; j < values.n; j++) {
                        attrset_set(set, i, values.items[j]);
                        if (!table->object->verify ||
                            table->object->verify(set, &key, &reason) == 0)
                                return true;
                }
        }
        if (!table->object->verify || table->object->verify(set, &key, &reason) == 0)
                return true;
        return set_missing(table, schema_find(table->schema, key), at, arena, set);
}

/* Returns whether the value could be sent at all. */
static bool check_goes_round(const Table *table, size_t at, const Row *row, const Value *value) {
        _cleanup_(arena_deinit) Arena arena = {};
        PutScope put = wire_begin(table, sizeof(wire.bytes));
        AttrSet sent = {}, read = {};
        Placements placed = {};
        GetScope get;

        assert_int_equal(attrset_init(&sent, table->schema, &arena), 0);
        assert_int_equal(attrset_init(&read, table->schema, &arena), 0);
        attrset_set(&sent, at, *value);
        if (!complete_object(table, at, &arena, &sent))
                return false;
        if (table->object && table->object->begin)
                assert_int_equal(table->object->begin(&put, RESOLVED_IFINDEX), 0);
        put.ifindex = RESOLVED_IFINDEX;
        assert_int_equal(attrset_encode(&sent, sent.present, &put, &placed), 0);
        check(placed.n >= 1);
        get = wire_end(&arena);
        get.transport = row_told_by(row);
        get.ifindex = RESOLVED_IFINDEX;
        assert_int_equal(attrset_decode(&read, &get), 0);
        if (!attrset_has(&read, at))
                complain("does not come back from the wire");
        else if (row->type->is_netns)
                check(read.values[at].unresolved && read.values[at].raw.nsid == RESOLVED_NSID);
        else if (row->type->is_ref)
                check_same_link(value, &read.values[at]);
        else if (!value_equal(row, value, &read.values[at])) {
                _cleanup_(buf_deinit) Buf a = {}, b = {};

                value_format(row, value, &a);
                value_format(row, &read.values[at], &b);
                complain("sends %s and reads %s", buf_text(&a), buf_text(&b));
        }
        return true;
}

static void check_wire(const Table *table) {
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                _cleanup_(arena_deinit) Arena arena = {};
                size_t sent = 0;
                Values values;

                current_row = schema_row(table->schema, i);
                if (!goes_round(table, current_row))
                        continue;
                check(current_row->type->put && current_row->type->get);
                values_of_row(current_row, &arena, &rng, &values);
                for (size_t j = 0; j < values.n; j++)
                        if (!is_unset(current_row, &values.items[j]) &&
                            !(current_row->type == &attr_lower && !values.items[j].ref.link))
                                sent += check_goes_round(table, i, current_row, &values.items[j]);
                check(sent > 0);
        }
}

static void test_wire(_unused_ void **state) {
        foreach_table(check_wire);
}

/*
 * A bit that is sent alone must not drag along those that share its number: one of them may be one
 * that the kernel does not take at all (mst without VLAN filtering).
 */
static void check_masked(const Table *table) {
        _cleanup_(arena_deinit) Arena arena = {};
        AttrSet set = {};

        assert_int_equal(attrset_init(&set, table->schema, &arena), 0);
        for (size_t i = 0; i < schema_size(table->schema); i++)
                if (schema_row(table->schema, i)->type->is_masked)
                        attrset_set(&set, i, (Value){.number = 1});
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                PutScope put = wire_begin(table, sizeof(wire.bytes));
                Placements placed = {};

                current_row = schema_row(table->schema, i);
                if (!current_row->type->is_masked)
                        continue;
                assert_int_equal(attrset_encode(&set, ROW_BIT(i), &put, &placed), 0);
                check(placed.n == 1);
        }
}

static void test_masked(_unused_ void **state) {
        foreach_table(check_masked);
}

static void check_peer(const Table *table) {
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                _cleanup_(arena_deinit) Arena arena = {};
                PutScope put = wire_begin(table, sizeof(wire.bytes));
                AttrSet set = {};

                current_row = schema_row(table->schema, i);
                if (!(current_row->flags & ROW_MAKES_PEER))
                        continue;
                assert_int_equal(attrset_init(&set, table->schema, &arena), 0);
                attrset_set(&set, i, (Value){.ref = {"host", "far"}});
                assert_int_equal(attrset_encode(&set, ROW_BIT(i), &put, NULL), 0);
                check(wire.peer_asked);
        }
}

static void test_peer(_unused_ void **state) {
        foreach_table(check_peer);
}

/* All rows at once, into buffers of every size: an error or a whole message, never a write beyond. */
static void check_no_room(const Table *table) {
        _cleanup_(arena_deinit) Arena arena = {};
        AttrSet set = {};
        RowSet rows = 0;

        if (!is_netlink(table))
                return;
        assert_int_equal(attrset_init(&set, table->schema, &arena), 0);
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                Values values;

                current_row = schema_row(table->schema, i);
                if (!goes_round(table, current_row))
                        continue;
                values_of_row(current_row, &arena, &rng, &values);
                for (size_t j = 0; j < values.n && !(rows & ROW_BIT(i)); j++)
                        if (!is_unset(current_row, &values.items[j])) {
                                attrset_set(&set, i, values.items[j]);
                                rows |= ROW_BIT(i);
                        }
        }
        for (size_t size = NLMSG_HDRLEN + header_size(table); size < 2048; size++) {
                PutScope put = wire_begin(table, size);
                int r = attrset_encode(&set, rows, &put, NULL);

                assert_true(r == 0 || r == -EMSGSIZE);
                assert_true(wire.message->nlmsg_len <= size);
                for (size_t i = size; i < 2 * size && i < sizeof(wire.bytes); i++)
                        assert_int_equal(wire.bytes[i], 0);
        }
}

static void test_no_room(_unused_ void **state) {
        foreach_table(check_no_room);
}

/* Attributes of every length with anything in them are read, or are absent; nothing else. */
static void check_odd(const Table *table) {
        if (!is_netlink(table) || table->schema == &match_schema)
                return;
        for (size_t length = 0; length <= 40; length++) {
                _cleanup_(arena_deinit) Arena arena = {};
                AttrSet read = {};
                GetScope get;
                size_t row;

                wire_begin(table, sizeof(wire.bytes));
                for (uint16_t nla = 0; nla < NLA_MAX; nla++) {
                        char payload[40];

                        for (size_t i = 0; i < length; i++)
                                payload[i] = (char)random_next(&rng);
                        mnl_attr_put(wire.message, nla, length, payload);
                }
                get = wire_end(&arena);
                assert_int_equal(attrset_init(&read, table->schema, &arena), 0);
                for (get.transport = 0; get.transport < _TRANSPORT_N; get.transport++)
                        assert_int_equal(attrset_decode(&read, &get), 0);
                ROWSET_FOREACH(row, read.present) {
                        _cleanup_(buf_deinit) Buf text = {};

                        current_row = schema_row(table->schema, row);
                        value_format(current_row, &read.values[row], &text);
                        assert_int_equal(buf_error(&text), 0);
                }
        }
}

static void test_odd(_unused_ void **state) {
        foreach_table(check_odd);
}

/* A message without attributes has nothing in it but what stands in its header. */
static void check_empty(const Table *table) {
        _cleanup_(arena_deinit) Arena arena = {};
        AttrSet read = {};
        GetScope get;
        size_t i;

        if (!is_netlink(table) || table->schema == &match_schema)
                return;
        wire_begin(table, sizeof(wire.bytes));
        get = wire_end(&arena);
        assert_int_equal(attrset_init(&read, table->schema, &arena), 0);
        assert_int_equal(attrset_decode(&read, &get), 0);
        ROWSET_FOREACH(i, read.present) {
                current_row = schema_row(table->schema, i);
                check(current_row->nla == 0 || current_row->type->shape != SHAPE_SCALAR ||
                      current_row->flags & (ROW_ABSENT_IS_DEF | ROW_ABSENT_IS_ZERO));
        }
}

static void test_empty(_unused_ void **state) {
        foreach_table(check_empty);
}

/* Sets. */

static void check_set(const Table *table) {
        _cleanup_(arena_deinit) Arena arena = {};
        AttrSet set = {}, copy = {};
        RowSet unknown = ~(RowSet)0;

        assert_int_equal(attrset_init(&set, table->schema, &arena), 0);
        assert_null(attrset_get(&set, "no-such-row"));
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                Values values;

                current_row = schema_row(table->schema, i);
                check(!attrset_has(&set, i));
                check(!attrset_get(&set, current_row->key));
                values_of_row(current_row, &arena, &rng, &values);
                attrset_set(&set, i, values.items[0]);
                check(attrset_has(&set, i));
                check(attrset_get(&set, current_row->key) == &set.values[i]);
        }
        assert_int_equal(attrset_copy(&set, &arena, &copy), 0);
        assert_true(copy.present == set.present && copy.values != set.values);
        assert_true(attrset_diff(&set, &copy, true, &unknown) == 0);
}

static void test_sets(_unused_ void **state) {
        foreach_table(check_set);
}

/* Two values that are not equal are a difference, in that row and in no other. */
static void check_diff(const Table *table) {
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                _cleanup_(arena_deinit) Arena arena = {};
                AttrSet wanted = {}, have = {};
                RowSet unknown;
                Values values;

                current_row = schema_row(table->schema, i);
                if (!goes_round(table, current_row) || current_row->change == CHANGE_KEY)
                        continue;
                values_of_row(current_row, &arena, &rng, &values);
                assert_int_equal(attrset_init(&wanted, table->schema, &arena), 0);
                assert_int_equal(attrset_init(&have, table->schema, &arena), 0);
                for (size_t j = 1; j < values.n; j++) {
                        bool equal = is_unset(current_row, &values.items[0]) ||
                                     value_equal(current_row, &values.items[0], &values.items[j]);
                        RowSet rows;

                        attrset_set(&wanted, i, values.items[0]);
                        attrset_set(&have, i, values.items[j]);
                        rows = attrset_diff(&wanted, &have, true, &unknown);
                        if (rows != (equal ? 0 : ROW_BIT(i)))
                                complain("differs in rows %#llx", (unsigned long long)rows);
                        /* What nobody wants is nobody's business. */
                        assert_true(attrset_diff(&(AttrSet){}, &have, true, &unknown) == 0);
                }
        }
}

static void test_diff(_unused_ void **state) {
        foreach_table(check_diff);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables),
                cmocka_unit_test(test_inheritance),
                cmocka_unit_test(test_heirs),
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_allowed),
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_distinct),
                cmocka_unit_test(test_bounds),
                cmocka_unit_test(test_nonsense),
                cmocka_unit_test(test_wire),
                cmocka_unit_test(test_masked), cmocka_unit_test(test_peer),
                cmocka_unit_test(test_no_room),
                cmocka_unit_test(test_odd),
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_sets),
                cmocka_unit_test(test_diff),
        };
        uint64_t seed = random_seed(1);

        rng.state = seed;
        print_message("MVNET_SEED=%llu\n", (unsigned long long)seed);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
