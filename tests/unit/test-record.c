/* SPDX-License-Identifier: MIT */
/* The record decides what may be deleted: what is read back is what was written, or nothing. */

#include "mvnet/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* All of it in a fixed order, for comparing. */
static int by_path(const RecordEntry *a, const RecordEntry *b) {
        return strcmp(a->path, b->path);
}

static void record_text(Record *record, Buf *ret) {
        buf_reset(ret);
        HASH_SORT(record->entries, by_path);
        for (RecordEntry *entry = record->entries; entry; entry = entry->hh.next)
                record_format_entry(entry, ret);
        assert_int_equal(buf_error(ret), 0);
}

static int replay_text(Record *record, const char *text) {
        for (const char *end; *text; text = end + 1) {
                int r;

                end = strchr(text, '\n');
                assert_non_null(end);
                r = record_replay(record, text, (size_t)(end - text));
                if (r != 0)
                        return r;
        }
        return 0;
}

static void assert_round_trip(Record *record) {
        _cleanup_(buf_deinit) Buf before = {}, after = {};
        _cleanup_(record_deinit) Record copy = {};

        record_text(record, &before);
        assert_int_equal(replay_text(&copy, buf_text(&before)), 0);
        record_text(&copy, &after);
        assert_string_equal(buf_text(&before), buf_text(&after));
}

static void test_made(_unused_ void **state) {
        _cleanup_(record_deinit) Record record = {};
        const RecordEntry *entry;

        assert_null(record_find(&record, "ns1/eth0"));
        assert_int_equal(record_made(&record, "ns1/eth0", UINT64_MAX, INT32_MAX, true), 0);
        assert_int_equal(record_made(&record, "ns1/eth0", UINT64_MAX, INT32_MAX, true), 1);
        entry = record_find(&record, "ns1/eth0");
        assert_non_null(entry);
        assert_true(entry->made);
        assert_true(entry->netns == UINT64_MAX);
        assert_int_equal(entry->ifindex, INT32_MAX);
        assert_round_trip(&record);

        assert_int_equal(record_made(&record, "ns1/eth0", UINT64_MAX, INT32_MAX, false), 0);
        assert_false(record_find(&record, "ns1/eth0")->made);
        assert_int_equal(record_forget(&record, "ns1/eth0"), 0);
        assert_int_equal(record_forget(&record, "ns1/eth0"), 1);
        assert_null(record_find(&record, "ns1/eth0"));
        assert_int_equal(record_made(&record, "", 1, 1, true), -EINVAL);
}

static void test_rows(_unused_ void **state) {
        _cleanup_(record_deinit) Record record = {};
        const RecordRow *row;

        assert_int_equal(record_made(&record, "eth0", 7, 2, false), 0);
        assert_int_equal(record_set_row(&record, "eth0", "mtu", "1400", "1500"), 0);
        assert_int_equal(record_set_row(&record, "eth0", "mtu", "1400", "1500"), 1);
        /* The value found first stays, whatever is found when it is changed again. */
        assert_int_equal(record_set_row(&record, "eth0", "mtu", "1300", "1400"), 0);
        row = record_row(record_find(&record, "eth0"), "mtu");
        assert_non_null(row);
        assert_string_equal(row->set, "1300");
        assert_string_equal(row->was, "1500");
        assert_null(record_row(record_find(&record, "eth0"), "mt"));

        assert_int_equal(record_set_row(&record, "eth0", "alias", "\"a\\b\"\n\x01\xff/é", ""), 0);
        assert_int_equal(record_set_row(&record, "eth0", "bridge-port.hairpin", "true", NULL), 0);
        assert_round_trip(&record);

        assert_int_equal(record_forget_row(&record, "eth0", "mtu"), 0);
        assert_int_equal(record_forget_row(&record, "eth0", "mtu"), 1);
        assert_int_equal(record_forget_row(&record, "eth1", "mtu"), 1);
        assert_null(record_row(record_find(&record, "eth0"), "mtu"));
        assert_non_null(record_row(record_find(&record, "eth0"), "alias"));
        assert_round_trip(&record);
}

static void test_identity(_unused_ void **state) {
        _cleanup_(record_deinit) Record record = {};

        assert_int_equal(record_made(&record, "br0", 0, 0, true), 0);
        assert_int_equal(record_set_row(&record, "br0", "stp", "true", NULL), 0);
        assert_int_equal(record_made(&record, "br0", 7, 3, true), 0);
        assert_non_null(record_row(record_find(&record, "br0"), "stp"));
        /* Somebody made another br0: what we did to the old one says nothing about it. */
        assert_int_equal(record_made(&record, "br0", 7, 4, false), 0);
        assert_null(record_row(record_find(&record, "br0"), "stp"));
        assert_int_equal(record_set_row(&record, "br0", "stp", "true", "false"), 0);
        assert_int_equal(record_made(&record, "br0", 8, 4, false), 0);
        assert_null(record_row(record_find(&record, "br0"), "stp"));
}

static void test_find_link(_unused_ void **state) {
        _cleanup_(record_deinit) Record record = {};

        assert_null(record_find_link(&record, 7, 3));
        assert_int_equal(record_made(&record, "br0", 7, 0, true), 0);
        assert_int_equal(record_made(&record, "ns1/", 8, 0, true), 0);
        assert_int_equal(record_made(&record, "eth0", 7, 2, false), 0);
        assert_int_equal(record_made(&record, "eth0 addresses 10.0.0.1/24", 7, 2, true), 0);
        assert_null(record_find_link(&record, 7, 0));
        assert_null(record_find_link(&record, 8, 0));
        assert_null(record_find_link(&record, 7, 2));
        assert_int_equal(record_made(&record, "br0", 7, 3, true), 0);
        assert_ptr_equal(record_find_link(&record, 7, 3), record_find(&record, "br0"));
        assert_null(record_find_link(&record, 8, 3));
        assert_int_equal(record_made(&record, "br0", 7, 4, true), 0);
        assert_null(record_find_link(&record, 7, 3));
        assert_ptr_equal(record_find_link(&record, 7, 4), record_find(&record, "br0"));
        assert_int_equal(record_forget(&record, "br0"), 0);
        assert_null(record_find_link(&record, 7, 4));
        assert_int_equal(record_made(&record, "eth0", 7, 2, true), 0);
        assert_non_null(record_find_link(&record, 7, 2));
        assert_int_equal(record_made(&record, "eth0", 7, 2, false), 0);
        assert_null(record_find_link(&record, 7, 2));
}

static void test_claims(_unused_ void **state) {
        _cleanup_(record_deinit) Record record = {};

        assert_null(record_claimed_by(&record, "br0"));
        assert_int_equal(record_claim(&record, "br0", "lab"), 0);
        assert_int_equal(record_claim(&record, "br0", "other"), 1);
        assert_string_equal(record_claimed_by(&record, "br0"), "lab");
        assert_null(record_claimed_by(&record, "br"));
        assert_null(record_find(&record, "br0"));
}

static void test_limits(_unused_ void **state) {
        _cleanup_(record_deinit) Record record = {};
        size_t size = (size_t)256 * 1024;
        char *text = malloc(size + 2);

        assert_non_null(text);
        memset(text, 1, size + 1); /* each byte is six in JSON */
        text[size + 1] = '\0';
        assert_int_equal(record_made(&record, text, 1, 1, true), -EINVAL);
        assert_int_equal(record_made(&record, "br0", 1, 1, true), 0);
        assert_int_equal(record_set_row(&record, "br0", text, "1", NULL), -EINVAL);
        assert_int_equal(record_set_row(&record, "br0", "k", text, NULL), -E2BIG);
        assert_int_equal(record_set_row(&record, "br0", "k", "1", text), -E2BIG);
        text[size] = '\0';
        assert_int_equal(record_set_row(&record, "br0", "k", text, NULL), 0);
        text[size] = 1;
        assert_int_equal(record_set_row(&record, "br0", "k", text, NULL), -E2BIG);
        assert_round_trip(&record);
        free(text);
}

static const char *const bad_lines[] = {
        "", " ", "\n", "{", "}", "{}", "[]", "1", "null", "\"br0\"", "true", "{\"path\"}",
        "{\"path\":\"br0\"}",
        "{\"path\":\"br0\",\"made\":true}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":1}",
        "{\"path\":\"br0\",\"made\":1,\"netns\":1,\"ifindex\":1}",
        "{\"path\":\"br0\",\"made\":\"true\",\"netns\":1,\"ifindex\":1}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":-1,\"ifindex\":1}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":1.5,\"ifindex\":1}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":1,\"ifindex\":-1}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":1,\"ifindex\":2147483648}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":1,\"ifindex\":99999999999999999999999}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":[1],\"ifindex\":1}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":{\"a\":1},\"ifindex\":1}",
        "{\"path\":\"\",\"made\":true,\"netns\":1,\"ifindex\":1}",
        "{\"path\":null,\"made\":true,\"netns\":1,\"ifindex\":1}",
        "{\"path\":7,\"made\":true,\"netns\":1,\"ifindex\":1}",
        "{\"path\":\"a\\u0000b\",\"made\":true,\"netns\":1,\"ifindex\":1}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":1,\"ifindex\":1} x",
        "{\"path\":\"br0\",\"made\":true,\"netns\":1,\"ifindex\":1}{}",
        "{\"path\":\"br0\",\"made\":true,\"netns\":1,\"ifindex\":1,}",
        "{'path':'br0','made':true,'netns':1,'ifindex':1}",
        "{\"path\":\"br0\",\"key\":\"\",\"set\":\"1\"}",
        "{\"path\":\"br0\",\"key\":\"mtu\"}",
        "{\"path\":\"br0\",\"key\":\"mtu\",\"set\":1}",
        "{\"path\":\"br0\",\"key\":\"mtu\",\"set\":null}",
        "{\"path\":\"br0\",\"key\":\"mtu\",\"set\":\"1\",\"was\":null}",
        "{\"path\":\"br0\",\"key\":7,\"set\":\"1\"}",
        "{\"forget\":7}", "{\"forget\":\"br0\",\"key\":7}", "{\"forget\":null}",
};

static void test_bad_lines(_unused_ void **state) {
        for (size_t i = 0; i < ELEMENTSOF(bad_lines); i++) {
                _cleanup_(record_deinit) Record record = {};
                int r = record_replay(&record, bad_lines[i], strlen(bad_lines[i]));

                if (r != RECORD_E_BAD_LINE || record.entries)
                        fail_msg("taken (%d): %s", r, bad_lines[i]);
        }
}

/* A line torn anywhere is no line, and changes nothing. */
static void test_torn(_unused_ void **state) {
        static const char *const lines[] = {
                "{\"path\":\"br0\",\"made\":true,\"netns\":4026532251,\"ifindex\":12}",
                "{\"path\":\"br0\",\"key\":\"mtu\",\"set\":\"1400\",\"was\":\"1500\"}",
                "{\"forget\":\"br0\"}",
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                for (size_t size = 0; size < strlen(lines[i]); size++) {
                        _cleanup_(record_deinit) Record record = {};
                        /* exactly this long, so that a sanitizer sees a read beyond */
                        char *torn = malloc(size + 1);

                        assert_non_null(torn);
                        memcpy(torn, lines[i], size);
                        assert_int_equal(record_replay(&record, torn, size), RECORD_E_BAD_LINE);
                        assert_null(record.entries);
                        free(torn);
                }
}

static void test_unknown_members(_unused_ void **state) {
        _cleanup_(record_deinit) Record record = {};
        const char *line = "{\"path\":\"a\",\"made\":false,\"netns\":18446744073709551615,"
                           "\"ifindex\":0,\"since\":\"later version\"}";

        assert_int_equal(record_replay(&record, line, strlen(line)), 0);
        assert_true(record_find(&record, "a")->netns == UINT64_MAX);
}

/* Any sequence of changes, written as it happens, replays to the same record. */

static const char *const paths[] = {"br0", "ns1/eth0", "ns1", "br0 addresses 10.0.0.1/24"};
static const char *const keys[] = {"mtu", "stp", "bridge-port.hairpin"};
static const char *const values[] = {"", "1", "a b", "{1: 2}"};

static void random_change(Record *record, unsigned *seed, Buf *journal) {
        const char *path = paths[(unsigned)rand_r(seed) % ELEMENTSOF(paths)];
        const char *key = keys[(unsigned)rand_r(seed) % ELEMENTSOF(keys)];
        const char *value = values[(unsigned)rand_r(seed) % ELEMENTSOF(values)];
        unsigned id = (unsigned)rand_r(seed) % 3;

        switch ((unsigned)rand_r(seed) % 6) {
        case 0:
                if (record_forget(record, path) == 0)
                        record_format_forget(path, NULL, journal);
                break;
        case 1:
                if (record_forget_row(record, path, key) == 0)
                        record_format_forget(path, key, journal);
                break;
        case 2:
        case 3:
                if (record_made(record, path, id, (int)id, rand_r(seed) & 1) == 0)
                        record_format_made(record_find(record, path), journal);
                break;
        default:
                if (record_set_row(record, path, key, value, id ? "old" : NULL) == 0)
                        record_format_row(path, record_row(record_find(record, path), key),
                                          journal);
        }
}

static void test_replay_property(_unused_ void **state) {
        for (unsigned round = 0; round < 200; round++) {
                _cleanup_(record_deinit) Record record = {}, replayed = {};
                _cleanup_(buf_deinit) Buf journal = {}, one = {}, other = {};
                unsigned seed = round;

                for (unsigned i = 0; i < 100; i++)
                        random_change(&record, &seed, &journal);
                assert_int_equal(buf_error(&journal), 0);
                assert_int_equal(replay_text(&replayed, buf_text(&journal)), 0);
                record_text(&record, &one);
                record_text(&replayed, &other);
                if (!streq(buf_text(&one), buf_text(&other)))
                        fail_msg("seed %u", round);
                assert_round_trip(&record);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_made),
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_identity),
                cmocka_unit_test(test_find_link),
                cmocka_unit_test(test_claims),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_bad_lines),
                cmocka_unit_test(test_torn),
                cmocka_unit_test(test_unknown_members),
                cmocka_unit_test(test_replay_property),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
