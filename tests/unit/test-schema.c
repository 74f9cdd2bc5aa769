/* SPDX-License-Identifier: MIT */
/* What has to hold for every row of every table, whatever it is for: what it says, and its text. */

#include "tables.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include <setjmp.h>
#include <cmocka.h>

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

/* Rows that share a number on the wire hold different bits of it. */
static void check_number(const Schema *schema, size_t at, const Row *row) {
        for (size_t i = 0; i < at; i++) {
                const Row *other = schema_row(schema, i);

                if (row_is_local(row) || row_is_local(other) || !row_shares(row, other))
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
        if (row_is_local(row))
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

static void check_text(_unused_ const Table *table, const Row *row) {
        _cleanup_(arena_deinit) Arena arena = {};
        Values values;

        values_of_row(row, &arena, &table_random, &values);
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
        };

        tables_begin();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
