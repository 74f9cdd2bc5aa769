/* SPDX-License-Identifier: MIT */
/* Whatever is found in the runtime folder, and whenever we are killed: no lie in the record. */

#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *slurp(const char *path, size_t *ret_size) {
        FILE *file = fopen(path, "r");
        char *text = calloc(1, 1 << 20);

        assert_non_null(file);
        assert_non_null(text);
        *ret_size = fread(text, 1, (1 << 20) - 1, file);
        fclose(file);
        return text;
}

static void test_nothing_written(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = open_lab();

        assert_string_equal(content(store), " ");
        assert_int_equal(store_flush(store), 0);
        assert_int_equal(store_settle(store), 0);
        assert_int_equal(store_forget(store, "br0"), 0);
        assert_int_equal(store_forget_row(store, "br0", "mtu"), 0);
        assert_int_equal(store_settle(store), 0);
        store = store_free(store);
        assert_int_equal(access(runtime, F_OK), -1);
}

static void test_round_trip(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = NULL;
        off_t size;

        write_three();
        store = open_lab();
        assert_string_equal(content(store), " +br0=3 mtu=1400() eth0=0 mtu=1400(1500) ");
        assert_int_equal(store_bad_lines(store), 0);

        /* What it says already is not written again. */
        size = file_size(journal_path);
        assert_int_equal(store_begin(store), 0);
        assert_int_equal(store_made(store, "br0", 7, 3, true), 0);
        assert_int_equal(store_set_row(store, "eth0", "mtu", "1400", "1500"), 0);
        assert_int_equal(store_settle(store), 0);
        assert_int_equal(file_size(journal_path), size);

        assert_int_equal(store_forget_row(store, "br0", "mtu"), 0);
        assert_int_equal(store_forget(store, "eth0"), 0);
        assert_int_equal(store_settle(store), 0);
        store = store_free(store);
        store = open_lab();
        assert_string_equal(content(store), " +br0=3 ");
}

static void test_not_flushed(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = open_lab();

        assert_int_equal(store_made(store, "br0", 7, 3, true), 0);
        assert_int_equal(store_flush(store), -ENOLCK); /* begin comes first */
        assert_int_equal(store_begin(store), 0);
        store = store_free(store);
        store = open_lab();
        assert_string_equal(content(store), " ");
}

/* Cut the journal at every byte: what is read is what was complete, and goes on from there. */
static void test_torn(_unused_ void **state) {
        size_t size, lines = 0;
        char *text;

        write_three();
        text = slurp(journal_path, &size);
        for (size_t cut = 0; cut <= size; cut++) {
                static const char *const expected[] = {
                        " ", " ", " +br0=3 ", " +br0=3 mtu=1400() ",
                        " +br0=3 mtu=1400() eth0=0 mtu=1400(1500) ",
                };
                _cleanup_(store_freep) Store *store = NULL;
                _cleanup_(buf_deinit) Buf wanted = {};

                lines += cut > 0 && text[cut - 1] == '\n';
                spit(journal_path, text, cut);
                store = open_lab();
                assert_string_equal(content(store), expected[lines]);
                assert_int_equal(store_bad_lines(store), 0);
                assert_int_equal(store_begin(store), 0);
                assert_int_equal(store_made(store, "zz", 1, 9, false), 0);
                assert_int_equal(store_flush(store), 0);
                store = store_free(store);

                store = open_lab();
                buf_printf(&wanted, "%szz=9 ", expected[lines]);
                assert_string_equal(content(store), buf_text(&wanted));
                assert_int_equal(store_bad_lines(store), 0);
        }
        assert_int_equal(lines, 4);
        free(text);
}

static void test_bad_lines(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(buf_deinit) Buf changed = {};
        char *text, *end;
        size_t size;

        write_three();
        text = slurp(journal_path, &size);
        end = strchr(strchr(text, '\n') + 1, '\n') + 1; /* after the header and one change */
        buf_addn(&changed, text, (size_t)(end - text));
        buf_addn(&changed, "garbage\n\0\0\n{}\n\n", 15);
        buf_add(&changed, end);
        spit(journal_path, changed.text, changed.size);
        free(text);
        store = open_lab();
        assert_string_equal(content(store), " +br0=3 mtu=1400() eth0=0 mtu=1400(1500) ");
        assert_int_equal(store_bad_lines(store), 4);
}

/* Whose journal is it? */

static void test_other_boot(_unused_ void **state) {
        const char *text = "{\"mvnet\":1,\"boot\":\"00000000-0000-0000-0000-000000000000\","
                           "\"netns\":1}\n{\"path\":\"br0\",\"made\":true,\"netns\":7,"
                           "\"ifindex\":3}\n";
        _cleanup_(store_freep) Store *store = NULL;

        write_three();
        spit(journal_path, text, strlen(text));
        store = open_lab();
        assert_string_equal(content(store), " ");
        assert_int_equal(store_begin(store), 0);
        assert_int_equal(store_made(store, "br1", 7, 4, true), 0);
        assert_int_equal(store_flush(store), 0);
        store = store_free(store);
        store = open_lab();
        assert_string_equal(content(store), " +br1=4 ");
}

static void test_other_netns(_unused_ void **state) {
        Store *store = NULL;
        char *text, *netns;
        size_t size;

        write_three();
        text = slurp(journal_path, &size);
        netns = strstr(text, "\"netns\":") + strlen("\"netns\":");
        *netns = *netns == '1' ? '2' : '1';
        spit(journal_path, text, size);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_FOREIGN);
        spit(journal_path, "hello\n", 6);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_FOREIGN);
        spit(journal_path, "{\"mvnet\":2,\n", 12);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_FOREIGN);
        assert_null(store);
        free(text);
}

static void test_unsafe(_unused_ void **state) {
        char path[128], other[128];
        Store *store = NULL;

        write_three();
        snprintf(other, sizeof(other), "%s/lab/old", runtime);

        assert_int_equal(chmod(journal_path, 0664), 0);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_UNSAFE);
        assert_int_equal(chmod(journal_path, 0646), 0);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_UNSAFE);
        assert_int_equal(chmod(journal_path, 0644), 0);

        assert_int_equal(rename(journal_path, other), 0);
        assert_int_equal(symlink("old", journal_path), 0);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_UNSAFE);
        assert_int_equal(unlink(journal_path), 0);
        assert_int_equal(mkfifo(journal_path, 0600), 0); /* and does not hang */
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_UNSAFE);
        assert_int_equal(unlink(journal_path), 0);
        assert_int_equal(mkdir(journal_path, 0700), 0);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_UNSAFE);
        assert_int_equal(rmdir(journal_path), 0);
        assert_int_equal(rename(other, journal_path), 0);

        snprintf(path, sizeof(path), "%s/lab", runtime);
        snprintf(other, sizeof(other), "%s/link", runtime);
        assert_int_equal(symlink("lab", other), 0);
        assert_int_not_equal(store_open(runtime, "link", 0, 0, &store), 0);
        assert_int_equal(chmod(path, 0777), 0);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_UNSAFE);
        assert_int_equal(chmod(path, 0755), 0);
        assert_int_equal(chmod(runtime, 0777), 0);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_UNSAFE);
        assert_int_equal(chmod(runtime, 01777), 0); /* as /tmp */
        store = open_lab();
        assert_string_equal(content(store), " +br0=3 mtu=1400() eth0=0 mtu=1400(1500) ");
        store_free(store);
}

static void test_foreign_owner(_unused_ void **state) {
        Store *store = NULL;

        if (geteuid() != 0)
                skip();
        write_three();
        assert_int_equal(chown(journal_path, 1, 0), 0);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_UNSAFE);
}

static void test_too_big(_unused_ void **state) {
        Store *store = NULL;

        write_three();
        assert_int_equal(truncate(journal_path, (off_t)64 * 1024 * 1024 + 1), 0);
        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), -EFBIG);
        assert_null(store);
}

static void test_names(_unused_ void **state) {
        static const char *const bad[] = {
                "", ".", "..", "../x", "a/b", "/", "/etc", ".hidden", "-v", "netns-1", "netns-",
                "bus", "last",
                "a b", "a\nb", "a\x7f", "\xc3\xa4",
                "12345678901234567890123456789012345678901234567890123456789012345",
        };
        static const char *const good[] = {
                "lab", "system", "10-lab", "a.b", "netns", "a%s", "bus2", "last.last",
                "1234567890123456789012345678901234567890123456789012345678901234",
        };
        Store *store = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_non_null(store_name_problem(bad[i]));
                assert_int_equal(store_open(runtime, bad[i], 0, 0, &store), -EINVAL);
        }
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_null(store_name_problem(good[i]));
        assert_null(store);
}

static void test_runtime(_unused_ void **state) {
        _cleanup_(buf_deinit) Buf text = {};

        assert_int_equal(store_runtime("/x/y", &text), 0);
        assert_string_equal(buf_text(&text), "/x/y");
        assert_int_equal(store_runtime("", &text), -EINVAL);
        buf_reset(&text);
        assert_int_equal(store_runtime(NULL, &text), 0);
        assert_memory_equal(buf_text(&text), "/run/mvnet", strlen("/run/mvnet"));
}

/* Two commands at once. */

static void test_lock(_unused_ void **state) {
        Store *store = NULL, *second = NULL;

        write_three();
        store = open_lab();
        assert_int_equal(store_open(runtime, "lab", 0, 0, &second), STORE_E_BUSY);
        assert_int_equal(store_open(runtime, "lab", 0, 30, &second), STORE_E_BUSY);
        assert_null(second);

        /* Reading, and other names, need no turn. */
        assert_int_equal(store_open(runtime, "lab", STORE_READ_ONLY, 0, &second), 0);
        assert_string_equal(content(second), " +br0=3 mtu=1400() eth0=0 mtu=1400(1500) ");
        assert_int_equal(store_begin(second), -EROFS);
        assert_int_equal(store_made(second, "x", 1, 1, true), -EROFS);
        assert_int_equal(store_set_row(second, "x", "k", "v", NULL), -EROFS);
        assert_int_equal(store_forget(second, "br0"), -EROFS);
        assert_int_equal(store_forget_row(second, "br0", "mtu"), -EROFS);
        second = store_free(second);
        store_free(open_named("other"));

        store_free(store);
        store_free(open_lab());
}

static void test_both_new(_unused_ void **state) {
        _cleanup_(store_freep) Store *first = open_lab(), *second = open_lab();

        assert_int_equal(store_begin(first), 0);
        assert_int_equal(store_begin(first), 0);
        assert_int_equal(store_begin(second), STORE_E_BUSY);
        assert_int_equal(store_made(first, "br0", 7, 3, true), 0);
        assert_int_equal(store_flush(first), 0);
        first = store_free(first);
        assert_int_equal(store_begin(second), STORE_E_CHANGED);
        assert_string_equal(content(second), " +br0=3 ");
        assert_int_equal(store_begin(second), 0);
        assert_int_equal(store_made(second, "br1", 7, 4, true), 0);
        assert_int_equal(store_flush(second), 0);
        second = store_free(second);
        second = open_lab();
        assert_string_equal(content(second), " +br0=3 +br1=4 ");
}

/* The one who waits gets the lock of a folder that is just being removed: that is no lock. */
static void test_removed_while_waiting(_unused_ void **state) {
        for (unsigned i = 0; i < 20; i++) {
                _cleanup_(store_freep) Store *store = NULL;
                int status;
                pid_t pid;

                write_three();
                store = open_lab();
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0) {
                        Store *mine = NULL;

                        store = store_free(store);
                        if (store_open(runtime, "lab", 0, 60000, &mine) != 0 ||
                            !streq(content(mine), " ") || store_begin(mine) != 0 ||
                            store_made(mine, "child", 1, 1, true) != 0 || store_settle(mine) != 0)
                                _exit(1);
                        _exit(0);
                }
                assert_int_equal(store_forget(store, "br0"), 0);
                assert_int_equal(store_forget(store, "eth0"), 0);
                assert_int_equal(store_settle(store), 0);
                store = store_free(store);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
                store = open_lab();
                assert_string_equal(content(store), " +child=1 ");
                assert_int_equal(store_begin(store), 0);
                assert_int_equal(store_forget(store, "child"), 0);
                assert_int_equal(store_settle(store), 0);
        }
}

static void test_emptied(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = NULL;
        char path[128];

        write_three();
        store = open_lab();
        assert_int_equal(store_begin(store), 0);
        assert_int_equal(store_forget(store, "br0"), 0);
        assert_int_equal(store_forget(store, "eth0"), 0);
        assert_int_equal(store_settle(store), 0);
        snprintf(path, sizeof(path), "%s/lab", runtime);
        assert_int_equal(access(path, F_OK), -1);

        /* And it can start anew. */
        assert_int_equal(store_begin(store), 0);
        assert_int_equal(store_made(store, "br0", 7, 5, true), 0);
        assert_int_equal(store_settle(store), 0);
        store = store_free(store);
        store = open_lab();
        assert_string_equal(content(store), " +br0=5 ");
}

static void test_compaction(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = NULL;
        struct stat before, after;

        write_three();
        store = open_lab();
        assert_int_equal(store_begin(store), 0);
        for (int i = 0; i < 1000; i++) {
                char value[16];

                snprintf(value, sizeof(value), "%d", i);
                assert_int_equal(store_set_row(store, "br0", "mtu", value, NULL), 0);
                assert_int_equal(store_flush(store), 0);
        }
        assert_int_equal(stat(journal_path, &before), 0);
        assert_true(before.st_size > 4096);
        assert_int_equal(store_settle(store), 0);
        assert_int_equal(stat(journal_path, &after), 0);
        assert_true(after.st_size < 1024);
        assert_int_not_equal(before.st_ino, after.st_ino);

        /* The new file is the one that is appended to; and settling twice does nothing. */
        assert_int_equal(store_made(store, "br1", 7, 4, true), 0);
        assert_int_equal(store_settle(store), 0);
        assert_int_equal(store_settle(store), 0);
        store = store_free(store);
        store = open_lab();
        assert_string_equal(content(store), " +br0=3 mtu=999() +br1=4 eth0=0 mtu=1400(1500) ");
}

/* A full disk takes a part of a line, then nothing. */
static void test_full(_unused_ void **state) {
        struct rlimit unlimited, limit;
        off_t size;

        write_three();
        size = file_size(journal_path);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
        signal(SIGXFSZ, SIG_IGN);
        for (rlim_t room = 0; room < 40; room += 13) {
                _cleanup_(store_freep) Store *store = open_lab();
                int r, again;

                assert_int_equal(store_begin(store), 0);
                assert_int_equal(store_made(store, "br7", 7, 7, true), 0);
                limit = unlimited;
                limit.rlim_cur = (rlim_t)size + room;
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
                r = store_flush(store);
                again = store_flush(store);
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
                assert_true(r < 0);
                assert_true(again < 0);
                assert_int_equal(file_size(journal_path), size);

                /* Kept, and written once there is room. */
                if (room == 0)
                        continue;
                assert_int_equal(store_made(store, "br8", 7, 8, true), 0);
                assert_int_equal(store_flush(store), 0);
                store = store_free(store);
                store = open_lab();
                assert_string_equal(content(store), " +br0=3 mtu=1400() +br7=7 +br8=8 "
                                                    "eth0=0 mtu=1400(1500) ");
                assert_int_equal(store_begin(store), 0);
                assert_int_equal(truncate(journal_path, size), 0);
        }
}

static void test_unwritable(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = NULL;

        assert_int_equal(store_open("/proc/nowhere", "lab", 0, 0, &store), 0);
        assert_true(store_begin(store) < 0);
        assert_int_equal(store_made(store, "br0", 1, 1, true), 0);
        assert_true(store_flush(store) < 0);
        assert_true(store_settle(store) < 0);
}

static void test_claims(_unused_ void **state) {
        _cleanup_(store_freep) Store *other = NULL;
        char path[128];

        write_three();
        other = open_named("other");
        assert_string_equal(content(other), " ");
        assert_string_equal(record_claimed_by(store_record(other), "br0"), "lab");
        assert_string_equal(record_claimed_by(store_record(other), "eth0"), "lab");
        assert_null(record_claimed_by(store_record(other), "br1"));
        other = store_free(other);
        other = open_lab();
        assert_null(record_claimed_by(store_record(other), "br0"));
        other = store_free(other);

        /* However much else there is in the folder. */
        for (int i = 0; i < 1100; i++) {
                snprintf(path, sizeof(path), "%s/netns-%d", runtime, i);
                assert_int_equal(mkdir(path, 0755), 0);
        }
        other = open_named("other");
        assert_string_equal(record_claimed_by(store_record(other), "br0"), "lab");
        other = store_free(other);
        assert_int_equal(rmdir(path), 0);

        /* Folders of private namespaces are not configurations, and unsafe ones claim nothing. */
        snprintf(path, sizeof(path), "%s/lab", runtime);
        assert_int_equal(chmod(journal_path, 0666), 0);
        other = open_named("other");
        assert_null(record_claimed_by(store_record(other), "br0"));
        other = store_free(other);
        assert_int_equal(chmod(journal_path, 0644), 0);
        snprintf(journal_path, sizeof(journal_path), "%s/netns-1099", runtime);
        assert_int_equal(rename(path, journal_path), 0);
        other = open_named("other");
        assert_null(record_claimed_by(store_record(other), "br0"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, runtime_setup, runtime_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_nothing_written),
                TEST(test_round_trip),
                TEST(test_not_flushed),
                TEST(test_torn),
                TEST(test_bad_lines),
                TEST(test_other_boot),
                TEST(test_other_netns),
                TEST(test_unsafe),
                TEST(test_foreign_owner),
                TEST(test_too_big),
                TEST(test_names),
                TEST(test_runtime),
                TEST(test_lock),
                TEST(test_both_new),
                TEST(test_removed_while_waiting),
                TEST(test_emptied),
                TEST(test_compaction),
                TEST(test_full),
                TEST(test_unwritable),
                TEST(test_claims),
        };

        umask(022);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
