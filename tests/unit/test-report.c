/* SPDX-License-Identifier: MIT */
/* What users see when a file is wrong: the order, the caret, and no escape sequences. */

#include "mvnet/error.h"
#include "mvnet/utf8.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static Source make_source(const char *name, const char *text) {
        return (Source){ .name = name, .text = text, .size = strlen(text) };
}

static void expect(const Report *report, const char *expected) {
        _cleanup_(buf_deinit) Buf text = {};

        report_format(report, false, &text);
        assert_int_equal(buf_error(&text), 0);
        assert_string_equal(buf_text(&text), expected);
}

static void test_example(void **state _unused_) {
        static const char *const keys[] = { "mtu", "stp", "priority" };
        _cleanup_(report_deinit) Report report = {};
        Source source = make_source("lab.yaml", "a:\n  b:\n    stpp: true\n");

        report_add(&report, (Location){ &source, 3, 5 }, "interfaces.br0", "unknown key '%s'",
                   "stpp");
        report_nearest(&report, "stpp", keys, ELEMENTSOF(keys));
        assert_int_equal(report.n, 1);
        assert_int_equal(report_error(&report), 0);
        expect(&report, "lab.yaml:3:5: interfaces.br0: unknown key 'stpp'\n"
                        "    3 |     stpp: true\n"
                        "      |     ^~~~\n"
                        "      = did you mean 'stp'?\n");
}

static void test_no_nearest(void **state _unused_) {
        static const char *const keys[] = { "mtu", "priority" };
        _cleanup_(report_deinit) Report report = {};

        report_add(&report, (Location){}, NULL, "unknown");
        report_nearest(&report, "completely-different", keys, ELEMENTSOF(keys));
        assert_null(report.first->hint);
        report_hint(&report, "either");
        expect(&report, "unknown\n      = either\n");
}

static void test_order(void **state _unused_) {
        _cleanup_(report_deinit) Report report = {};
        Source second = { .name = "a.yaml", .text = "", .order = 1 }, first = { .name = "b.yaml" };

        first.text = "";
        report_add(&report, (Location){}, NULL, "nowhere");
        report_add(&report, (Location){ &second, 1, 1 }, NULL, "4");
        report_add(&report, (Location){ &first, 7, 1 }, NULL, "3");
        report_add(&report, (Location){ &first, 2, 9 }, NULL, "1");
        report_hint(&report, "to one");
        report_add(&report, (Location){ &first, 2, 9 }, NULL, "2");
        report_add(&report, (Location){ &first, 0, 0 }, NULL, "0");
        expect(&report, "b.yaml: 0\nb.yaml:2:9: 1\n      = to one\nb.yaml:2:9: 2\nb.yaml:7:1: 3\n"
                        "a.yaml:1:1: 4\n    1 | \n      | ^\nnowhere\n");
}

static void test_harmless(void **state _unused_) {
        _cleanup_(report_deinit) Report report = {};
        Source source = make_source("a\033b", "\x1b[31m\tk\xc3\xa9y\xff\xe2\x80\xae: 1\r\n");

        report_add(&report, (Location){ &source, 1, 7 }, "p\nq", "no '\x1b[2J\x9b'\n\xe2\x80\xae");
        report_hint(&report, "a\tb\x7f");
        expect(&report, "a?b:1:7: p?q: no '?[2J?'??\n"
                        "    1 | ?[31m kéy??: 1\n"
                        "      |       ^~~~~\n"
                        "      = a b?\n");
}

static void test_cut(void **state _unused_) {
        _cleanup_(report_deinit) Report report = {};
        _cleanup_(buf_deinit) Buf text = {}, line = {};
        Source source;

        for (unsigned i = 0; i < 100000; i++)
                buf_add(&line, "é ");
        source = make_source("x", buf_text(&line));
        report_add(&report, (Location){ &source, 1, 150001 }, NULL, "here");
        report_format(&report, false, &text);
        assert_true(text.size < 400);
        assert_non_null(strstr(buf_text(&text), "    1 | …é "));
        assert_non_null(strstr(buf_text(&text), "…\n      |                                  "));
        assert_non_null(strstr(buf_text(&text), " ^\n"));
}

static void test_places_that_are_not(void **state _unused_) {
        _cleanup_(report_deinit) Report report = {};
        _cleanup_(buf_deinit) Buf text = {};
        Source source = make_source("x", "ab\ncd");

        for (unsigned line = 0; line < 5; line++)
                for (unsigned column = 0; column < 5; column++)
                        report_add(&report, (Location){ &source, line, column }, NULL, "?");
        report_add(&report, (Location){ &source, UINT32_MAX, UINT32_MAX }, NULL, "?");
        report_format(&report, true, &text);
        assert_int_equal(buf_error(&text), 0);
        assert_non_null(strstr(buf_text(&text), "\033[31m^\033[0m"));
}

static void test_many(void **state _unused_) {
        _cleanup_(report_deinit) Report report = {};
        _cleanup_(buf_deinit) Buf text = {};
        Source source = make_source("x", "a\n");

        for (unsigned i = 0; i < 1000000; i++)
                report_add(&report, (Location){ &source, 1, 1 }, NULL, "problem %u", i);
        report_hint(&report, "nobody");
        assert_int_equal(report.n, 1000000);
        assert_true(report.arena.used < 100000);
        report_format(&report, false, &text);
        assert_non_null(strstr(buf_text(&text), "problem 99\n"));
        assert_null(strstr(buf_text(&text), "problem 100\n"));
        assert_null(strstr(buf_text(&text), "nobody"));
        assert_non_null(strstr(buf_text(&text), "\n… and 999900 more\n"));
}

static void test_long_message(void **state _unused_) {
        _cleanup_(report_deinit) Report report = {};
        _cleanup_(buf_deinit) Buf long_text = {};
        const char *text;

        for (unsigned i = 0; i < 10000; i++)
                buf_add(&long_text, "xé");
        for (unsigned shift = 0; shift < 4; shift++) {
                report_add(&report, (Location){}, buf_text(&long_text), "%.*s%s", (int)shift, "abc",
                           buf_text(&long_text));
                text = report.last->text;
                assert_true(strlen(text) < 1024);
                assert_string_equal(text + strlen(text) - 3, "…");
                assert_null(strchr(text, '?'));
        }
}

static void test_location(void **state _unused_) {
        _cleanup_(buf_deinit) Buf text = {};
        Source source = make_source("f", "");

        location_format((Location){}, &text);
        assert_string_equal(buf_text(&text), "");
        location_format((Location){ &source, 12, 3 }, &text);
        assert_string_equal(buf_text(&text), "f:12:3");
}

static void test_utf8(void **state _unused_) {
        static const char *const bad[] = {
                "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xc3x",
        };
        uint32_t c;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &c), 0);
        assert_int_equal(utf8_decode("\xf4\x8f\xbf\xbf", 4, &c), 4);
        assert_int_equal(c, 0x10ffff);
        assert_int_equal(utf8_decode("€x", 4, &c), 3);
        assert_int_equal(c, 0x20ac);
        assert_int_equal(utf8_decode("€", 2, &c), 0);
        assert_int_equal(utf8_decode("", 0, &c), 0);
        assert_int_equal(utf8_decode("\0", 1, &c), 1);
        assert_true(utf8_printable(U'é') && utf8_printable(' ') && utf8_printable(U'網'));
        assert_false(utf8_printable(0) || utf8_printable(0x1b) || utf8_printable(0x9b) ||
                     utf8_printable(0x202e) || utf8_printable(0xfeff));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_example),      cmocka_unit_test(test_no_nearest),
                cmocka_unit_test(test_order),        cmocka_unit_test(test_harmless),
                cmocka_unit_test(test_cut),          cmocka_unit_test(test_places_that_are_not),
                cmocka_unit_test(test_many),         cmocka_unit_test(test_long_message),
                cmocka_unit_test(test_location),     cmocka_unit_test(test_utf8),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
