/* SPDX-License-Identifier: MIT */
/* YAML as people get it wrong, and as somebody would write it who wants the daemon to choke. */

#include "mvnet/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

typedef struct Parsed {
        Arena arena;
        Report report;
        TreeBudget budget;
        Source source;
        Node *root;
        double seconds;
} Parsed;

static void parsed_deinit(Parsed *parsed) {
        report_deinit(&parsed->report);
        arena_deinit(&parsed->arena);
}

static int parse_sized(Parsed *parsed, const char *text, size_t size) {
        clock_t start = clock();
        int r;

        parsed->source = (Source){ .name = "t", .text = text, .size = size };
        r = tree_parse(&parsed->arena, &parsed->source, &parsed->budget, &parsed->report,
                       &parsed->root);
        parsed->seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        return r;
}

/* A tree on one line: {a: 1, b: [x, "y"]}; quoted scalars keep their quotes. */
static void write_node(const Node *node, Buf *ret) {
        bool map = node->type == NODE_MAP;
        size_t n = 0;

        if (node->type == NODE_SCALAR) {
                buf_printf(ret, node->quoted ? "\"%s\"" : "%s", node->text);
                return;
        }
        buf_addc(ret, map ? '{' : '[');
        for (const Node *child = node->first; child; child = child->next, n++) {
                buf_add(ret, n > 0 ? ", " : "");
                if (map)
                        buf_printf(ret, "%s: ", child->key);
                write_node(child, ret);
        }
        buf_addc(ret, map ? '}' : ']');
        assert_int_equal(n, node->n);
}

static void good(const char *yaml, const char *expected) {
        _cleanup_(parsed_deinit) Parsed parsed = {};
        _cleanup_(buf_deinit) Buf text = {};

        assert_int_equal(parse_sized(&parsed, yaml, strlen(yaml)), 0);
        report_format(&parsed.report, false, &text);
        if (!parsed.root)
                fail_msg("%s\n%s", yaml, buf_text(&text));
        write_node(parsed.root, &text);
        assert_string_equal(buf_text(&text), expected);
}

/* The first problem must begin like this, after "t:"; its hint is compared if one is given. */
static void bad_sized(const char *yaml, size_t size, const char *expected, const char *hint) {
        _cleanup_(parsed_deinit) Parsed parsed = { .root = (Node *)"" };
        _cleanup_(buf_deinit) Buf text = {}, whole = {};

        assert_int_equal(parse_sized(&parsed, yaml, size), 0);
        assert_null(parsed.root);
        assert_true(parsed.report.n > 0);
        location_format(parsed.report.first->at, &text);
        buf_printf(&text, ": %s", parsed.report.first->text);
        if (strncmp(buf_text(&text) + 2, expected, strlen(expected)) != 0)
                fail_msg("%s: expected %s, got %s", yaml, expected, buf_text(&text) + 2);
        if (hint)
                assert_string_equal(parsed.report.first->hint ?: "none", hint);
        report_format(&parsed.report, true, &whole);
        assert_int_equal(buf_error(&whole), 0);
}

static void bad(const char *yaml, const char *expected, const char *hint) {
        bad_sized(yaml, strlen(yaml), expected, hint);
}

static void test_shapes(void **state _unused_) {
        good("", "{}");
        good("# nothing\n\n", "{}");
        good("---\n...\n", "{}");
        good("~", "{}");
        good("null\n", "{}");
        good("{}", "{}");
        good("a: 1\nb:\n  - x\n  - {c: 'd', e: \"f\"}\ng:\n",
             "{a: 1, b: [x, {c: \"d\", e: \"f\"}], g: }");
        good("---\na: [1, [2, {}], []]\n...\n\n# end\n...\n", "{a: [1, [2, {}], []]}");
        good("a: |\n  one\n  two\n", "{a: \"one\ntwo\n\"}");
        good("a: one\n  two\n", "{a: one two}");
        good("a: yes\nb: 0x10\nc: 1_000\nd: 2001-01-01\n",
             "{a: yes, b: 0x10, c: 1_000, d: 2001-01-01}");
        good("a: fe80::1\nb: [\"::1\", fd00::1]\nc: 1:2\n",
             "{a: fe80::1, b: [\"::1\", fd00::1], c: 1:2}");
        good("a: 1\r\nb: 2\r\n", "{a: 1, b: 2}");
        good("'a': 1\n? b\n: 2\n", "{a: 1, b: 2}");
        good("a:\t1 \t# tab\nb: [1,\n\t2]\n", "{a: 1, b: [1, 2]}");
}

static const Node *find(const Parsed *parsed, const char *key, const char *inner) {
        const Node *node = node_get(parsed->root, key);

        assert_non_null(node);
        node = inner ? node_get(node, inner) : node;
        assert_non_null(node);
        return node;
}

static void assert_at(Location at, unsigned line, unsigned column) {
        assert_int_equal(at.line, line);
        assert_int_equal(at.column, column);
}

static void test_places(void **state _unused_) {
        static const char yaml[] = "\n# é\n"
                                   "ä: ö\r\nüü: {ß: [ä, b], 網: &x \"網\", z: *x}\r\nlast:\n";
        _cleanup_(parsed_deinit) Parsed parsed = {};
        const Node *node;

        assert_int_equal(parse_sized(&parsed, yaml, strlen(yaml)), 0);
        node = find(&parsed, "ä", NULL);
        assert_at(node->key_at, 3, 1);
        assert_at(node->at, 3, 5);
        node = find(&parsed, "üü", "ß");
        assert_at(node->key_at, 4, 8);
        assert_at(node->at, 4, 12);
        assert_at(node->first->next->at, 4, 17);
        node = find(&parsed, "üü", "網");
        assert_at(node->key_at, 4, 21);
        assert_at(node->at, 4, 26);
        node = find(&parsed, "üü", "z");
        assert_at(node->key_at, 4, 36);
        assert_at(node->at, 4, 26);
        assert_string_equal(node->text, "網");
        node = find(&parsed, "last", NULL);
        assert_at(node->key_at, 5, 1);
        assert_true(node_is_null(node));
        assert_ptr_equal(node->at.source, &parsed.source);
}

static void test_nulls(void **state _unused_) {
        static const char yaml[] = "a:\nb: ~\nc: null\nd: 'null'\ne: ''\nf: []\ng: |\n  \nh: nul\n";
        _cleanup_(parsed_deinit) Parsed parsed = {};
        unsigned n = 0;

        assert_int_equal(parse_sized(&parsed, yaml, strlen(yaml)), 0);
        for (const Node *node = parsed.root->first; node; node = node->next)
                assert_int_equal(node_is_null(node), n++ < 3);
        assert_true(node_is_null(NULL));
        assert_null(node_get(parsed.root, "z"));
        assert_null(node_get(NULL, "a"));
        assert_null(node_get(parsed.root->first, "a"));
        assert_string_equal(node_type_name(NODE_LIST), "a list");
}

static void test_addresses(void **state _unused_) {
        bad("a: [::1/64]\n", "1:5: expected a value", "quote it: \"::1/64\"");
        bad("a: [x, fd00::]\n", "1:13: unexpected ':'", "quote it: \"fd00::\"");
        bad("r:\n  - {to: ::/0, via: x}\n", "2:10: expected a value", "quote it: \"::/0\"");
        bad("via: fe80::\n", "1:11: unexpected ':'", "quote it: \"fe80::\"");
        bad("é: \"::\" # ::\n : x", "2:2: ", "none");
        bad("e: [fd00::1]:51820\n", "1:13: expected a key", "quote it: \"fd00::1\"");
        bad("e: [10.0.0.1]:5\n", "1:14: expected a key",
            "if a '[' is part of a word, quote it: \"[2001:db8::1]:80\"");
        bad("x: {é: [fd00::1]:51820}\n",
            "1:18: expected ',' or '}' in the map that began at t:1:4",
            "quote it: \"fd00::1\"");
        bad("x: {a: it's, b: ::}\n", "1:17: expected a value", "quote it: \"::\"");
}

static void test_syntax(void **state _unused_) {
        bad("a:\n\tb: 1\n", "2:1: a tab cannot indent", NULL);
        bad("a:\n  b: 1\n \t c: 2\n", "3:2: a tab cannot indent", NULL);
        bad("a: é: c\n", "1:6: unexpected ':'", NULL);
        bad("a: 1\n  b: 2\n", "2:4: this key stands below something that has a value", NULL);
        bad("a: 1\nb\nc: 2\n", "2:1: expected ':' after this key", NULL);
        bad("a: \"x\nb: 1\n", "1:4: this quote is never closed", NULL);
        bad("a: 'x\n---\nb: 1\n", "1:4: this quote is not closed before", NULL);
        bad("a:\n  é: [1, 2\nb: 1\n",
            "3:2: expected ',' or ']' in the list that began at t:2:7", NULL);
        bad("a: @x\n", "1:4: a value that begins with '@'", NULL);
        bad("a: %x\n", "1:4: a value that begins with '%'", NULL);
        bad("a: \"\\q\"\n", "1:5: no such escape", NULL);
        bad("a: \"\\xzz\"\n", "1:7: no such escape", NULL);
        bad("a: \"\\ud800\"\n", "1:7: no such escape", NULL);
        bad("a: *\n", "1:4: a value that begins with '&' or '*'", NULL);
        bad("a: |x\n", "1:5: a value that begins with '|'", NULL);
        bad("a: - x\n", "1:4: a list cannot begin here", NULL);
        bad("  a: 1\nb: 2\n", "2:1: this is outside", NULL);
        bad("{a: 1} foo\n", "1:8: this is outside", NULL);
        bad("a: {", "1:5: ", NULL);
        bad("a: 1\n]", "2:1: ", NULL);
}

static void test_refused(void **state _unused_) {
        bad("a: !!str x\n", "1:4: tags are not allowed", NULL);
        bad("a: &x !foo {b: 1}\n", "1:7: tags are not allowed", NULL);
        bad("a: &x\n  !foo\n  - b\n", "2:3: tags are not allowed", NULL);
        bad("a: ! x\n", "1:4: tags are not allowed", NULL);
        bad("a: !e!foo x\n", "1:4: tags are not allowed", NULL);
        bad("!foo a: 1\n", "1:1: tags are not allowed", NULL);
        bad("%YAML 1.1\n---\na: 1\n", "1:1: directives", NULL);
        bad("# x\n\n%TAG ! b\n---\na: 1\n", "3:1: directives", NULL);
        bad("a: 1\n...\n%YAML 1.1\n---\n", "3:1: directives", NULL);
        bad("a: 1\n---\nb: 1\n", "2:1: a second document", NULL);
        bad("---\n---\n", "2:1: a second document", NULL);
        bad("a: 1\n...\nb: 1\n", "3:1: this is outside", NULL);
        bad("? [a]\n: b\n", "1:3: a key is a plain word, not a list", NULL);
        bad("{a: 1}: b\n", "1:1: a key is a plain word, not a map", NULL);
        bad("a: &x y\n*x : b\n", "2:1: a key is a plain word, not an alias", NULL);
        bad("&x a: 1\n", "1:1: an anchor belongs to a value", NULL);
        bad("\"\": b\n", "1:1: empty key", NULL);
        bad("a: {: b}\n", "1:5: ", NULL);
        bad("- a\n", "1:1: a file is a map of keys, not a list", NULL);
        bad("''", "1:1: a file is a map of keys, not a value", NULL);
        bad("a: *x\n", "1:4: '*x' has no '&' anchor", NULL);
        bad("a: &x [*x]\n", "1:8: '*x' would contain itself", NULL);
        bad("a: &x {b: {<<: *x}}\n", "1:16: '*x' would contain itself", NULL);
        bad("a: \"\\0\"\n", "1:4: a NUL character", NULL);
        bad("\"a\\0b\": 1\n", "1:1: a NUL character", NULL);
}

static void test_bytes(void **state _unused_) {
        bad_sized("a: b\0c\n", 7, "1:5: a NUL byte", NULL);
        bad_sized("\0a\0:", 4, "1:1: this is UTF-16", NULL);
        bad_sized("a\0:\0", 4, "1:1: this is UTF-16", NULL);
        bad("\xff\xfe" "a", "1:1: this is UTF-16", NULL);
        bad("\xfe\xff" "a", "1:1: this is UTF-16", NULL);
        bad("\xef\xbb\xbf" "a: 1\n", "1:1: a byte order mark", NULL);
        bad("é: \xef\xbb\xbf\n", "1:5: a byte order mark", NULL);
        bad("a: 1\né: ö\xff\n", "2:7: this byte is not UTF-8", NULL);
        bad("a: \xc3", "1:4: this byte is not UTF-8", NULL);
        bad("a: \xed\xa0\x80", "1:4: this byte is not UTF-8", NULL);
        bad("a: \x01", "1:4: a control character", NULL);
        bad("a: \x7f", "1:4: a control character", NULL);
        bad("a: \xc2\x85 x", "1:4: a control character", NULL);
        bad("a: \xe2\x80\xa8 x", "1:4: a Unicode line separator", NULL);
        bad("a: x\rb: 2\n", "1:5: a carriage return", NULL);
        bad("a: x\r", "1:5: a carriage return", NULL);
        bad("a: \xef\xbf\xbf", "1:4: no Unicode character", NULL);
        good("a: \xf0\x9f\x98\x80\n", "{a: \xf0\x9f\x98\x80}");
}

static void test_twins(void **state _unused_) {
        static const char yaml[] = "a: 1\nb: {c: 1, d: 2, 'c': 3}\na: 2\na: 3\n";
        _cleanup_(parsed_deinit) Parsed parsed = {};

        bad(yaml, "2:17: 'c' is here twice; first at t:2:5", NULL);
        assert_int_equal(parse_sized(&parsed, yaml, strlen(yaml)), 0);
        assert_int_equal(parsed.report.n, 3);
        assert_string_equal(parsed.report.first->path, "b");
        assert_string_equal(parsed.report.first->next->text, "'a' is here twice; first at t:1:1");
        assert_at(parsed.report.first->next->at, 3, 1);
        assert_at(parsed.report.first->next->next->at, 4, 1);
        good("a: {b: 1}\nc: {b: 1}\n", "{a: {b: 1}, c: {b: 1}}");
}

static void test_merge_key(void **state _unused_) {
        good("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "{a: {x: 1, y: 2}, b: {y: 3, x: 1}}");
        good("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*b, *a], k: 0}\n",
             "{a: {x: 1}, b: {x: 2, z: 3}, c: {k: 0, x: 2, z: 3}}");
        good("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n",
             "{a: {x: 1}, b: {y: 2, x: 1}, c: {y: 2, x: 1}}");
        good("<<: {x: 1}\ny: 2\n", "{y: 2, x: 1}");
        good("a: {<<: {}}\nb: {<<: []}\n", "{a: {}, b: {}}");
        good("'<<': {x: 1}\n", "{<<: {x: 1}}");
        good("a: [<<]\n", "{a: [<<]}");
        bad("a: {<<: 1}\n", "1:9: '<<' takes a map", NULL);
        bad("a: {<<: }\n", "1:9: '<<' takes a map", NULL);
        bad("a: {<<: [{x: 1}, y]}\n", "1:18: '<<' takes a map", NULL);
        bad("a: {<<: {x: 1}, <<: {y: 1}}\n", "1:17: '<<' is here twice", NULL);
        bad("a: {<<: {x: 1, x: 2}}\n", "1:16: 'x' is here twice", NULL);
}

static void test_anchors(void **state _unused_) {
        good("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "{a: 1, b: 1, c: 2, d: 2}");
        good("a: &x [&y [1], *y]\nb: *x\n", "{a: [[1], [1]], b: [[1], [1]]}");
        good("a: &x [&x 1, *x]\nb: *x\n", "{a: [1, 1], b: 1}");
        good("x-t: &t {mtu: 1}\ni: {a: *t, b: *t}\n",
             "{x-t: {mtu: 1}, i: {a: {mtu: 1}, b: {mtu: 1}}}");
}

/* Text made of a beginning, something many times, and an end. */
static void repeat(Buf *ret, const char *begin, const char *part, size_t n, const char *end) {
        buf_reset(ret);
        buf_add(ret, begin);
        for (size_t i = 0; i < n; i++)
                buf_add(ret, part);
        buf_add(ret, end);
        assert_int_equal(buf_error(ret), 0);
}

static void test_depth(void **state _unused_) {
        static const char *const bombs[] = { "[", "{a: ", "- ", "[\n", "[[[[a: " };
        _cleanup_(buf_deinit) Buf text = {}, close = {};
        _cleanup_(parsed_deinit) Parsed deepest = {};

        repeat(&close, "", "]", 31, "\n");
        repeat(&text, "a: ", "[", 31, buf_text(&close));
        assert_int_equal(parse_sized(&deepest, buf_text(&text), text.size), 0);
        assert_non_null(deepest.root);
        assert_int_equal(deepest.budget.nodes, 32);
        repeat(&text, "a: ", "[", 32, buf_text(&close));
        bad(buf_text(&text), "1:35: lists and maps nested more than 32 deep", NULL);
        for (size_t i = 0; i < ELEMENTSOF(bombs); i++) {
                for (size_t size = 100000; size <= FILE_SIZE_MAX; size *= 160) {
                        _cleanup_(parsed_deinit) Parsed parsed = {};

                        repeat(&text, "", bombs[i], size / strlen(bombs[i]), "");
                        assert_int_equal(parse_sized(&parsed, buf_text(&text), text.size), 0);
                        assert_null(parsed.root);
                        assert_int_equal(parsed.report.n, 1);
                        assert_true(parsed.arena.used < 100000);
                        assert_true(SANITIZED || parsed.seconds < 0.3);
                }
        }
}

static void test_alias_depth(void **state _unused_) {
        _cleanup_(buf_deinit) Buf text = {};

        for (unsigned i = 0; i < 40; i++) {
                if (i == 0)
                        buf_add(&text, "a0: &a0 []\n");
                else
                        buf_printf(&text, "a%u: &a%u [*a%u]\n", i, i, i - 1);
        }
        bad(buf_text(&text), "32:12: lists and maps nested more than 32 deep", NULL);
}

static void test_alias_bombs(void **state _unused_) {
        _cleanup_(buf_deinit) Buf text = {};
        _cleanup_(parsed_deinit) Parsed parsed = {}, merged = {}, left = {};

        buf_add(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (unsigned i = 1; i < 20; i++) {
                buf_printf(&text, "a%u: &a%u [", i, i);
                for (unsigned k = 0; k < 9; k++)
                        buf_printf(&text, "*a%u, ", i - 1);
                buf_printf(&text, "*a%u]\n", i - 1);
        }
        assert_int_equal(parse_sized(&parsed, buf_text(&text), text.size), 0);
        assert_null(parsed.root);
        assert_int_equal(parsed.report.n, 1);
        assert_true(parsed.arena.used < 200u * 1000 * 1000);
        assert_true(SANITIZED || parsed.seconds < 0.5);

        repeat(&text, "a: &a {b: 1, c: 2, d: 3, e: 4, f: 5, g: 6}\nx: {<<: [*a", ", *a", 400000,
               "]}\n");
        assert_int_equal(parse_sized(&merged, buf_text(&text), text.size), 0);
        assert_null(merged.root);
        assert_true(SANITIZED || merged.seconds < 0.5);

        left.budget.nodes = TREE_NODES_MAX - 2;
        assert_int_equal(parse_sized(&left, "a: [1]", 6), 0);
        assert_null(left.root);
        left.budget.nodes = TREE_NODES_MAX - 3;
        report_deinit(&left.report);
        assert_int_equal(parse_sized(&left, "a: [1]", 6), 0);
        assert_non_null(left.root);
        assert_int_equal(left.budget.nodes, TREE_NODES_MAX);
}

/* Nothing may take more than linear time, or n log n: each of these would take minutes. */
static void test_no_square(void **state _unused_) {
        static const struct {
                const char *begin, *part;
                size_t n;
        } cases[] = {
                { "", "k: 1\n", 900000 },          { "a: {", "b: 1, ", 900000 },
                { "a: 1\n...\n", "%TAG !a! b\n", 900000 },
                { "", "%TAG !a! b\n", 900000 },    { "x: &a y\nl:\n", "- *a\n", 900000 },
                { "l:\n", "- &a y\n", 900000 },    { "l:\n", "- *a\n", 900000 },
                { "a: [", "{: x}, ", 900000 },     { "a: {", ": , ", 900000 },
                { "a: [", "!x y, ", 900000 },      { "a: \"", "\n", 900000 },
                { "é: \"", "é\n", 900000 },        { "é: é\n", " é\n", 900000 },
                { "a: [", "é, ", 900000 },         { "a: [", "a: b, ", 450000 },
                { "a:\n", "- b: c\n  d: [e]\n", 200000 },
        };
        _cleanup_(buf_deinit) Buf text = {};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(parsed_deinit) Parsed parsed = {};

                repeat(&text, cases[i].begin, cases[i].part, cases[i].n, "");
                assert_int_equal(parse_sized(&parsed, buf_text(&text), text.size), 0);
                if (parsed.seconds > (SANITIZED ? 20 : 4))
                        fail_msg("%s took %f s", cases[i].part, parsed.seconds);
        }
}

static void test_many_keys(void **state _unused_) {
        _cleanup_(buf_deinit) Buf text = {};
        _cleanup_(parsed_deinit) Parsed parsed = {};

        for (size_t i = 0; i < 999999; i++)
                buf_printf(&text, "k%zu:\n", i * 7919 % 999999);
        assert_int_equal(parse_sized(&parsed, buf_text(&text), text.size), 0);
        assert_non_null(parsed.root);
        assert_int_equal(parsed.root->n, 999999);
        assert_true(parsed.seconds < (SANITIZED ? 20 : 4));
}

/* Blanks that libyaml would clear again and again: refused, or this would run for hours. */
static void test_blanks(void **state _unused_) {
        _cleanup_(buf_deinit) Buf blanks = {}, text = {};

        repeat(&blanks, "a: \"", "\n", 1000000, "");
        repeat(&text, buf_text(&blanks), "a\n", 1000000, "\"");
        bad(buf_text(&text), "1025:1: too many blanks in a row", NULL);
        good("a: 'x\n\n\n  y'\n", "{a: \"x\n\ny\"}");
}

#if !SANITIZED

/* glibc's own, under the names that a program may replace. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static size_t allocations_left = SIZE_MAX;
static bool allocation_failed;

static bool allocation_fails(void) {
        if (allocations_left == SIZE_MAX)
                return false;
        if (allocations_left > 0) {
                allocations_left--;
                return false;
        }
        return allocation_failed = true;
}

void *malloc(size_t size) {
        return allocation_fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        return allocation_fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size) {
        return allocation_fails() ? NULL : __libc_realloc(p, size);
}

static void test_out_of_memory(void **state _unused_) {
        static const char *const texts[] = {
                "a: &a {x: 1, y: [1, 'é']}\nb: {<<: [*a, *a], y: 3}\nc: *a\nd: &d x\n",
                "a: 1\na: 2\nb: !x y\nc: *d\n? z\n",
                "a: [::]\n",
                "a: [{b: c}\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                bool ended = false;

                for (size_t n = 0; !ended; n++) { /* the first n succeed */
                        _cleanup_(parsed_deinit) Parsed parsed = {};
                        int r;

                        allocation_failed = false;
                        allocations_left = n;
                        r = parse_sized(&parsed, texts[i], strlen(texts[i]));
                        allocations_left = SIZE_MAX;
                        ended = !allocation_failed;
                        assert_true(r == 0 || r == -ENOMEM);
                        assert_true(r == -ENOMEM || ended);
                        assert_true(r == -ENOMEM || i != 0 || parsed.root);
                }
        }
}

#endif

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_shapes),      cmocka_unit_test(test_places),
                cmocka_unit_test(test_nulls),       cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_syntax),      cmocka_unit_test(test_refused),
                cmocka_unit_test(test_bytes),       cmocka_unit_test(test_twins),
                cmocka_unit_test(test_merge_key),   cmocka_unit_test(test_anchors),
                cmocka_unit_test(test_depth),       cmocka_unit_test(test_alias_depth),
                cmocka_unit_test(test_alias_bombs), cmocka_unit_test(test_no_square),
                cmocka_unit_test(test_many_keys),   cmocka_unit_test(test_blanks),
#if !SANITIZED
                cmocka_unit_test(test_out_of_memory),
#endif
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
