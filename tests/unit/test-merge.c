/* SPDX-License-Identifier: MIT */
/* What several files say together: who wins, who contradicts whom, and what `null` takes away. */

#include "mvnet/tree.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

typedef struct File {
        unsigned layer;
        const char *yaml;
} File;

typedef struct Merged {
        Arena arena;
        Report report;
        TreeBudget budget;
        Source sources[8];
        Node *root;
} Merged;

static void merged_deinit(Merged *merged) {
        report_deinit(&merged->report);
        arena_deinit(&merged->arena);
}

static bool is_additive(const char *key) {
        return streq(key, "addresses") || streq(key, "routes");
}

static void write_node(const Node *node, Buf *ret) {
        bool map = node->type == NODE_MAP;
        size_t n = 0;

        if (node->type == NODE_SCALAR) {
                buf_add(ret, node_is_null(node) ? "~" : node->text);
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

static void merge(Merged *merged, const File *files, size_t n) {
        static const char *const names[] = { "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7" };
        TreeLayer layers[8];

        for (size_t i = 0; i < n; i++) {
                merged->sources[i] = (Source){ names[i], files[i].yaml, strlen(files[i].yaml),
                                               (unsigned)i };
                layers[i].layer = files[i].layer;
                assert_int_equal(tree_parse(&merged->arena, &merged->sources[i], &merged->budget,
                                            &merged->report, &layers[i].root), 0);
                assert_non_null(layers[i].root);
        }
        assert_int_equal(tree_merge(&merged->arena, layers, n, is_additive, &merged->report,
                                    &merged->root), 0);
        assert_non_null(merged->root);
}

static void good(const File *files, size_t n, const char *expected) {
        _cleanup_(merged_deinit) Merged merged = {};
        _cleanup_(buf_deinit) Buf text = {};

        merge(&merged, files, n);
        report_format(&merged.report, false, &text);
        assert_string_equal(buf_text(&text), "");
        write_node(merged.root, &text);
        assert_string_equal(buf_text(&text), expected);
}

static void bad(const File *files, size_t n, const char *expected) {
        _cleanup_(merged_deinit) Merged merged = {};
        _cleanup_(buf_deinit) Buf text = {};

        merge(&merged, files, n);
        for (const Problem *problem = merged.report.first; problem; problem = problem->next) {
                location_format(problem->at, &text);
                buf_printf(&text, ": %s: %s\n", problem->path, problem->text);
        }
        assert_string_equal(buf_text(&text), expected);
}

#define GOOD(expected, ...) \
        good((const File[]){ __VA_ARGS__ }, ELEMENTSOF(((const File[]){ __VA_ARGS__ })), expected)
#define BAD(expected, ...) \
        bad((const File[]){ __VA_ARGS__ }, ELEMENTSOF(((const File[]){ __VA_ARGS__ })), expected)

static void test_layers(void **state _unused_) {
        good(NULL, 0, "{}");
        GOOD("{a: 1}", { 0, "a: 1" });
        GOOD("{a: {x: 2, y: 1, z: 3}}", { 0, "a: {x: 1, y: 1}" }, { 1, "a: {x: 2, z: 3}" });
        GOOD("{a: {x: 2, y: 1, z: 3}}", { 1, "a: {z: 3, x: 2}" }, { 0, "a: {x: 1, y: 1}" });
        GOOD("{a: 3}", { 1, "a: 2" }, { 2, "a: 3" }, { 0, "a: 1" });
        GOOD("{b: 1, a: 2}", { 0, "b: 1" }, { 0, "a: 2" });
        GOOD("{a: [3]}", { 0, "a: [1, 2]" }, { 1, "a: [3]" });
        GOOD("{a: {y: 2}}", { 0, "a: {x: 1}" }, { 1, "a: word" }, { 2, "a: {y: 2}" });
        GOOD("{a: word}", { 0, "a: {x: 1}" }, { 1, "a: word" });
        GOOD("{a: {x: 1}}", { 0, "a: [x]" }, { 1, "a: {x: 1}" });
}

static void test_same_layer(void **state _unused_) {
        GOOD("{a: {x: 1, y: 2}}", { 0, "a: {x: 1}" }, { 0, "a: {y: 2}" });
        GOOD("{a: 1}", { 0, "a: 1" }, { 0, "a: '1'" });
        GOOD("{a: [{x: 1, y: 2}, [z]]}", { 0, "a: [{x: 1, y: 2}, [z]]" },
             { 0, "a: [{y: 2, x: 1, w: ~}, [z]]" });
        BAD("f1:2:6: a.x: '2' contradicts '1' at f0:1:10\n", { 0, "a: {  x: 1}" },
            { 0, "a:\n  x: 2" });
        BAD("f1:1:4: a: '2' contradicts '1' at f0:1:4\nf2:1:4: a: '3' contradicts '1' at f0:1:4\n",
            { 0, "a: 1" }, { 0, "a: 2" }, { 0, "a: 3" });
        BAD("f1:1:4: a: a list here contradicts a list at f0:1:4\n", { 0, "a: [1, 2]" },
            { 0, "a: [2, 1]" });
        BAD("f1:1:4: a: a map here contradicts a value at f0:1:4\n", { 0, "a: 1" },
            { 0, "a: {x: 1}" });
        BAD("f1:1:4: a: 'null' contradicts '1' at f0:1:4\n", { 0, "a: 1" }, { 0, "a: 'null'" });
}

/* What the higher layer says settles it; where it only adds, the lower ones must agree. */
static void test_overridden(void **state _unused_) {
        GOOD("{a: 3}", { 0, "a: 1" }, { 0, "a: 2" }, { 1, "a: 3" });
        GOOD("{a: 3}", { 0, "a: 1" }, { 0, "a: {}" }, { 1, "a: 3" });
        BAD("f1:1:8: a.x: '2' contradicts '1' at f0:1:8\n", { 0, "a: {x: 1}" }, { 0, "a: {x: 2}" },
            { 1, "a: {y: 3}" });
        BAD("f1:1:4: a: a map here contradicts a value at f0:1:4\n", { 0, "a: 1" },
            { 0, "a: {x: 2}" }, { 1, "a: {y: 3}" });
}

static void test_null(void **state _unused_) {
        GOOD("{}", { 0, "a:" });
        GOOD("{a: {y: 1}, b: [{c: 1}, ~]}", { 0, "a: {x: ~, y: 1}\nb: [{c: 1, d: null}, ~]" });
        GOOD("{}", { 0, "a: 1" }, { 1, "a: ~" });
        GOOD("{}", { 1, "a: 1" }, { 1, "a: ~" }, { 0, "a: 2" });
        GOOD("{}", { 1, "a: ~" }, { 1, "a: 1" }, { 1, "a: 2" }, { 0, "a: 3" });
        GOOD("{a: {y: 2}}", { 0, "a: {x: 1}" }, { 1, "a: null" }, { 2, "a: {y: 2}" });
        GOOD("{addresses: [3]}", { 0, "addresses: [1]" }, { 1, "addresses:" },
             { 2, "addresses: [3]" });
        GOOD("{a: {}}", { 0, "a: {x: 1}" }, { 1, "a: {x: }" });
}

static void test_additive(void **state _unused_) {
        GOOD("{addresses: [1, 2, 3]}", { 1, "addresses: [3, 1]" }, { 0, "addresses: [1, 2]" });
        GOOD("{routes: [{to: a, via: b}, c]}", { 0, "routes: [{to: a, via: b}]" },
             { 0, "routes: [{via: b, to: a, dev: ~}, c]" });
        GOOD("{addresses: []}", { 0, "addresses: []" }, { 1, "addresses: []" });
        GOOD("{addresses: [1]}", { 0, "addresses: [1]" }, { 1, "addresses: []" });
        GOOD("{addresses: [1, 1]}", { 0, "addresses: [1, 1]" });
        GOOD("{addresses: [2]}", { 0, "addresses: 1" }, { 1, "addresses: [2]" });
        GOOD("{addresses: [11, 1, [1]]}", { 0, "addresses: [11, 1]" },
             { 1, "addresses: [[1], 1]" });
        BAD("f1:1:12: addresses: a value here contradicts a list at f0:1:12\n",
            { 0, "addresses: [1]" }, { 0, "addresses: 1" });
}

static void test_nothing_from_a_file(void **state _unused_) {
        _cleanup_(merged_deinit) Merged merged = {};
        Node scalar = { .type = NODE_SCALAR, .text = "1", .key = "a" };
        Node map = { .type = NODE_MAP, .first = &scalar, .n = 1 };
        TreeLayer layers[] = { { NULL, 1 }, { &map, 0 }, { NULL, 0 } };

        assert_int_equal(tree_merge(&merged.arena, layers, 3, is_additive, &merged.report,
                                    &merged.root), 0);
        assert_ptr_equal(merged.root, &map);
        assert_ptr_equal(node_get(merged.root, "a"), &scalar);
}

/* A million keys in two files, the second backwards; a million addresses likewise. */
static void test_large(void **state _unused_) {
        static const char *const begins[] = { "m: {", "addresses: [" };
        static const char *const parts[] = { "k%u: {x: 1},", "a%u," };

        for (unsigned i = 0; i < 2; i++) {
                _cleanup_(merged_deinit) Merged merged = {};
                _cleanup_(buf_deinit) Buf up = {}, down = {};
                clock_t start = clock();
                unsigned n = i == 0 ? 200000 : 450000;

                buf_add(&up, begins[i]);
                buf_add(&down, begins[i]);
                for (unsigned k = 0; k < n; k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                        buf_printf(&up, parts[i], k);
                        buf_printf(&down, parts[i], n - k);
#pragma GCC diagnostic pop
                }
                buf_add(&up, i == 0 ? "}" : "]");
                buf_add(&down, i == 0 ? "}" : "]");
                merge(&merged, (const File[]){ { 0, buf_text(&up) }, { 0, buf_text(&down) } }, 2);
                assert_int_equal(merged.report.n, 0);
                assert_int_equal(merged.root->first->n, n + 1);
                assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 30);
        }
}

/* As many contradictions as there are keys: counted, not kept. */
static void test_many_contradictions(void **state _unused_) {
        _cleanup_(merged_deinit) Merged merged = {};
        _cleanup_(buf_deinit) Buf one = {}, other = {};

        for (unsigned i = 0; i < 100000; i++) {
                buf_printf(&one, "k%u: 1\n", i);
                buf_printf(&other, "k%u: 2\n", i);
        }
        merge(&merged, (const File[]){ { 0, buf_text(&one) }, { 0, buf_text(&other) } }, 2);
        assert_int_equal(merged.report.n, 100000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layers),
                cmocka_unit_test(test_same_layer),
                cmocka_unit_test(test_overridden),
                cmocka_unit_test(test_null),
                cmocka_unit_test(test_additive),
                cmocka_unit_test(test_nothing_from_a_file),
                cmocka_unit_test(test_large),
                cmocka_unit_test(test_many_contradictions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
