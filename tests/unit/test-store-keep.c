/* SPDX-License-Identifier: MIT */
/* A store that is kept open: nobody else's while it is, never stale, and no larger after days. */

#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static Store *keep_lab(void) {
        Store *store = NULL;

        assert_int_equal(store_open(runtime, "lab", STORE_KEEP, 0, &store), 0);
        return store;
}

/* Nobody else gets a turn, whether there is something in the record or not. */
static void assert_owned(void) {
        Store *store = NULL;
        char path[128];

        assert_int_equal(store_open(runtime, "lab", 0, 0, &store), STORE_E_BUSY);
        assert_int_equal(store_open(runtime, "lab", STORE_KEEP, 30, &store), STORE_E_BUSY);
        assert_int_equal(store_open(runtime, "lab", STORE_READ_ONLY, 0, &store), 0);
        assert_int_equal(store_bad_lines(store), 0);
        store_free(store);
        snprintf(path, sizeof(path), "%s/lab/lock", runtime);
        assert_int_equal(access(path, F_OK), 0);
}

static void test_keep(_unused_ void **state) {
        Store *store, *early = open_lab();
        char path[128];

        store = keep_lab();
        assert_owned();
        assert_int_equal(store_begin(early), STORE_E_BUSY); /* it came before there was a lock */
        assert_int_equal(access(journal_path, F_OK), -1);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(store_begin(store), 0);
                assert_int_equal(store_made(store, "br0", 7, 3, true), 0);
                assert_int_equal(store_settle(store), 0);
                assert_owned();
                assert_int_equal(store_forget(store, "br0"), 0);
                assert_int_equal(store_settle(store), 0);
                assert_owned();
                assert_true(file_size(journal_path) <= 0);
        }
        store_free(store);
        snprintf(path, sizeof(path), "%s/lab", runtime);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(store_begin(early), 0);
        store_free(early);

        /* With something in it, it stays; forgotten without a settle, it goes. */
        store = keep_lab();
        assert_int_equal(store_made(store, "br0", 7, 3, true), 0);
        assert_int_equal(store_flush(store), 0);
        store_free(store);
        store = keep_lab();
        assert_string_equal(content(store), " +br0=3 ");
        assert_int_equal(store_forget(store, "br0"), 0);
        assert_int_equal(store_flush(store), 0);
        store_free(store);
        assert_int_equal(access(path, F_OK), -1);
}

/* An empty record is one that was read, and written, as empty: else nothing is removed. */
static void test_keep_what_is_there(_unused_ void **state) {
        Store *store = NULL;
        off_t size;

        write_three();
        size = file_size(journal_path);
        spit(journal_path, "hello\n", 6);
        assert_int_equal(store_open(runtime, "lab", STORE_KEEP, 0, &store), STORE_E_FOREIGN);
        assert_int_equal(file_size(journal_path), 6);
        assert_int_equal(unlink(journal_path), 0);

        write_three();
        assert_int_equal(chmod(journal_path, 0666), 0);
        assert_int_equal(store_open(runtime, "lab", STORE_KEEP, 0, &store), STORE_E_UNSAFE);
        assert_int_equal(file_size(journal_path), size);
        assert_int_equal(chmod(journal_path, 0644), 0);

        store = keep_lab();
        assert_int_equal(store_forget(store, "br0"), 0);
        assert_int_equal(store_forget(store, "eth0"), 0);
        store_free(store); /* not flushed */
        assert_int_equal(file_size(journal_path), size);
        store = open_lab();
        assert_string_equal(content(store), " +br0=3 mtu=1400() eth0=0 mtu=1400(1500) ");
        store_free(store);

        assert_true(store_open("/proc/nowhere", "lab", STORE_KEEP, 0, &store) < 0);
}

/* One that waits while the owner goes gets a lock that is worth something. */
static void test_keep_handed_over(_unused_ void **state) {
        for (unsigned i = 0; i < 20; i++) {
                int status, pipe_fd[2];
                Store *store;
                pid_t pid;

                assert_int_equal(pipe(pipe_fd), 0);
                pid = fork(); /* before the lock is taken, which a child would share */
                assert_true(pid >= 0);
                if (pid == 0) {
                        char c;

                        if (read(pipe_fd[0], &c, 1) != 1 ||
                            store_open(runtime, "lab", STORE_KEEP, 60000, &store) != 0 ||
                            store_made(store, "child", 1, 1, true) != 0 || store_settle(store) != 0)
                                _exit(1);
                        _exit(0);
                }
                store = keep_lab();
                assert_int_equal(write(pipe_fd[1], "", 1), 1);
                usleep(i * 500);
                assert_string_equal(content(store), " ");
                store_free(store);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
                assert_int_equal(close(pipe_fd[0]) | close(pipe_fd[1]), 0);
                store = keep_lab();
                assert_string_equal(content(store), " +child=1 ");
                assert_int_equal(store_forget(store, "child"), 0);
                assert_int_equal(store_flush(store), 0);
                store_free(store);
        }
}

static void test_refresh(_unused_ void **state) {
        Store *store = keep_lab(), *other = NULL;
        const Record *record = store_record(store);
        char path[128];

        assert_int_equal(store_made(store, "br0", 7, 3, true), 0);
        assert_int_equal(store_set_row(store, "br0", "mtu", "1400", NULL), 0);
        assert_int_equal(store_made(store, "ns1/eth0", 8, 2, true), 0);
        assert_int_equal(store_set_row(store, "eth0", "mtu", "1400", "1500"), 0);
        assert_int_equal(store_refresh(store), 0); /* with lines not written yet */
        assert_null(record_claimed_by(record, "br9"));

        other = open_named("other");
        assert_int_equal(store_begin(other), 0);
        assert_int_equal(store_made(other, "br9", 7, 9, true), 0);
        assert_int_equal(store_flush(other), 0);
        assert_null(record_claimed_by(record, "br9"));
        assert_int_equal(store_refresh(store), 0);
        assert_string_equal(record_claimed_by(record, "br9"), "other");
        assert_string_equal(content(store), " +br0=3 mtu=1400() eth0=0 mtu=1400(1500) "
                                            "+ns1/eth0=2 ");
        assert_ptr_equal(record_find_link(record, 8, 2), record_find(record, "ns1/eth0"));
        assert_null(record_find_link(record, 7, 9));
        assert_int_equal(store_settle(store), 0);

        assert_int_equal(store_made(other, "br8", 7, 8, true), 0);
        assert_int_equal(store_forget(other, "br9"), 0);
        assert_int_equal(store_flush(other), 0);
        assert_int_equal(store_refresh(store), 0);
        assert_null(record_claimed_by(record, "br9"));
        assert_string_equal(record_claimed_by(record, "br8"), "other");

        snprintf(path, sizeof(path), "%s/other/journal", runtime);
        assert_int_equal(chmod(path, 0666), 0); /* who could write it claims nothing */
        assert_int_equal(store_refresh(store), 0);
        assert_null(record_claimed_by(record, "br8"));
        assert_int_equal(chmod(path, 0644), 0);
        assert_int_equal(store_refresh(store), 0);
        assert_string_equal(record_claimed_by(record, "br8"), "other");
        assert_int_equal(store_forget(other, "br8"), 0);
        assert_int_equal(store_settle(other), 0);
        assert_int_equal(store_refresh(store), 0);
        assert_null(record_claimed_by(record, "br8"));
        store_free(other);

        store_free(store);
        store = open_lab();
        assert_string_equal(content(store), " +br0=3 mtu=1400() eth0=0 mtu=1400(1500) "
                                            "+ns1/eth0=2 ");
        store_free(store);
}

/* Without a change what was looked up stays: nothing was read again. */
static void test_refresh_is_free(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = NULL, *other = NULL;
        const RecordEntry *entry;

        write_three();
        other = open_named("other");
        assert_int_equal(store_begin(other), 0);
        assert_int_equal(store_made(other, "br9", 7, 9, true), 0);
        assert_int_equal(store_flush(other), 0);
        store = open_lab();
        entry = record_find(store_record(store), "br0");
        assert_int_equal(store_begin(store), 0);
        for (int i = 0; i < 100; i++) {
                char value[16];

                snprintf(value, sizeof(value), "%d", i);
                assert_int_equal(store_set_row(store, "br0", "mtu", value, NULL), 0);
                assert_int_equal(store_settle(store), 0); /* its own journal is no news */
                assert_int_equal(store_refresh(store), 0);
                assert_ptr_equal(record_find(store_record(store), "br0"), entry);
        }
}

/* Days of somebody else undoing what we do. */
static void test_bounded(_unused_ void **state) {
        _cleanup_(store_freep) Store *store = keep_lab();
        const RecordRow *mtu;
        off_t largest = 0;
        size_t memory = 0;

        for (int i = 0; i < 100000; i++) {
                char value[16], path[16];

                snprintf(value, sizeof(value), "%d", i % 3);
                snprintf(path, sizeof(path), "veth%d", i % 7);
                assert_int_equal(store_refresh(store), 0);
                assert_int_equal(store_set_row(store, "br0", "mtu", value, "1500"), 0);
                if (i % 5 == 0)
                        assert_int_equal(store_made(store, path, 7, i + 1, true), 0);
                if (i % 11 == 0)
                        assert_int_equal(store_forget(store, path), 0);
                assert_int_equal(store_settle(store), 0);
                largest = MAX(largest, file_size(journal_path));
                memory = MAX(memory, store_record(store)->arena.used);
        }
        assert_in_range(largest, 4096, 16384);
        assert_in_range(memory, 1, 1 << 20);
        store_free(store);
        store = open_lab();
        mtu = record_row(record_find(store_record(store), "br0"), "mtu");
        assert_string_equal(mtu->set, "0");
        assert_string_equal(mtu->was, "1500");
        assert_int_equal(store_bad_lines(store), 0);
}

/* /run is full for a while: lines are kept, none is written by halves. */
static void test_full_disk(_unused_ void **state) {
        Store *store;
        char filler[128];
        off_t size;
        int fd;

        if (unshare(CLONE_NEWNS) < 0) {
                print_message("skip a full /run: needs root\n");
                skip();
        }
        assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        assert_int_equal(mount("small", top, "tmpfs", 0, "size=64k,mode=755"), 0);
        snprintf(filler, sizeof(filler), "%s/filler", top);
        store = keep_lab();
        assert_int_equal(store_made(store, "br0", 7, 3, true), 0);
        assert_int_equal(store_flush(store), 0);

        fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        while (write(fd, journal_path, sizeof(journal_path)) > 0)
                ;
        assert_int_equal(close(fd), 0);
        for (int i = 0; i < 200; i++) { /* beyond the page that the journal has */
                char path[16];

                snprintf(path, sizeof(path), "veth%d", i);
                assert_int_equal(store_made(store, path, 7, i + 10, true), 0);
                size = file_size(journal_path);
                if (store_flush(store) == 0)
                        continue;
                assert_int_equal(store_flush(store), -ENOSPC);
                assert_int_equal(store_settle(store), -ENOSPC);
                assert_int_equal(file_size(journal_path), size);
                assert_int_equal(store_refresh(store), 0);
        }
        assert_true(size <= 4096);
        assert_int_equal(unlink(filler), 0);
        assert_int_equal(store_flush(store), 0);
        store_free(store);
        store = open_lab();
        assert_int_equal(HASH_COUNT(store_record(store)->entries), 201);
        assert_int_equal(store_bad_lines(store), 0);
        store_free(store);
        assert_int_equal(umount(top), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, runtime_setup, runtime_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_keep),
                TEST(test_keep_what_is_there),
                TEST(test_keep_handed_over),
                TEST(test_refresh),
                TEST(test_refresh_is_free),
                TEST(test_bounded),
                TEST(test_full_disk),
        };

        umask(022);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
