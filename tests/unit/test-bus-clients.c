/* SPDX-License-Identifier: MIT */
/* Clients that are slow, silent, many, or mad: what they do is their own affair. */

#include "daemon/bus-internal.h"
#include "clients.h"

#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static size_t memory(void) {
        return mallinfo2().uordblks;
}

/* Twenty that listen and never read: the others are served, and memory is bounded. */
static void test_never_reads(void **state) {
        Served *served = *state;
        sd_bus *deaf[20];
        size_t before;

        for (size_t i = 0; i < ELEMENTSOF(deaf); i++) {
                deaf[i] = client_ready(served);
                send_call(deaf[i], "Subscribe");
        }
        served_turn(served, 20);
        before = memory();
        for (unsigned i = 0; i < 100000; i++) {
                tell(served, i);
                if (i % 1000 == 999) {
                        served_turn(served, 1);
                        assert_true(memory() < before + 8 * 1024 * 1024);
                }
        }
        assert_serves(served);
        for (size_t i = 0; i < ELEMENTSOF(deaf); i++)
                sd_bus_close_unref(deaf[i]);
        served_turn(served, 20);
        tell(served, 0); /* nobody listens any more: all is forgotten */
        assert_true(memory() < before + 1024 * 1024);
}

static unsigned patience[_PEER_STATE_N];

static int setup_patient(void **state) {
        memcpy(patience, peer_patience_ms, sizeof(patience));
        return served_setup(state);
}

static int teardown_patient(void **state) {
        memcpy(peer_patience_ms, patience, sizeof(patience));
        return served_teardown(state);
}

static size_t count_open(const int *fds, size_t n) {
        size_t open = 0;

        for (size_t i = 0; i < n; i++)
                open += fds[i] >= 0 && !is_closed(fds[i]);
        return open;
}

static void test_silent(void **state) {
        Served *served = *state;
        int fds[300];

        peer_patience_ms[PEER_UNKNOWN] = 100000;
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = raw_connect(served);
        served_until(served, 10000, count_open(fds, ELEMENTSOF(fds)) <= PEERS_MAX);
        served_turn(served, 50);
        assert_int_equal(count_open(fds, ELEMENTSOF(fds)), PEERS_MAX);
        assert_in_range(served_child(served, run_list, false), 1, 2); /* not kept waiting */

        peer_patience_ms[PEER_UNKNOWN] = 50;
        served_until(served, 10000, count_open(fds, ELEMENTSOF(fds)) == 0);
        assert_int_equal(count_open(fds, ELEMENTSOF(fds)), 0);
        peer_patience_ms[PEER_UNKNOWN] = 5000;
        assert_serves(served);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fd_close(fds[i]);
}

static int run_crowd(Served *served) {
        int fds[100];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = raw_connect(served);
        for (unsigned i = 0; i < 300 && count_open(fds, ELEMENTSOF(fds)) > PEERS_USER_MAX; i++)
                usleep(10000);
        if (write(served->events[1], "!", 1) != 1)
                return 200;
        usleep(500000);
        return (int)count_open(fds, ELEMENTSOF(fds));
}

/* One user has so many places and no more, which leaves the others theirs. */
static void test_crowd(void **state) {
        Served *served = *state;
        char path[128];
        pid_t child;

        snprintf(path, sizeof(path), "%s/bus", served->runtime);
        assert_int_equal(chmod(path, 0666), 0);
        peer_patience_ms[PEER_UNKNOWN] = 100000;
        child = served_fork(served, run_crowd, true);
        served_until(served, 5000, served->n_events > 0);
        assert_serves(served);
        assert_int_equal(served_wait(served, child), PEERS_USER_MAX);
}

static void test_patience(void **state) {
        Served *served = *state;
        int silent = raw_connect(served), sending = raw_connect(served);
        sd_bus *idle = client_ready(served), *blocked = client_ready(served);

        put(silent, AUTH, sizeof(AUTH) - 1);
        put(sending, AUTH "l\1\0\1", sizeof(AUTH) + 3);
        send_call(idle, "List");
        send_call(blocked, "Subscribe");
        served_until(served, 5000, served->daemon.n_asked > 0 && has_news(sd_bus_get_fd(blocked)));
        for (unsigned i = 0; i < 4000; i++)
                tell(served, i);
        served_turn(served, 50);
        assert_false(is_closed(silent));
        assert_false(is_closed(sending));
        for (size_t i = 0; i < _PEER_STATE_N; i++)
                if (peer_patience_ms[i] > 0)
                        peer_patience_ms[i] = 50;
        served_until(served, 10000, is_closed(silent) && is_closed(sending));
        served_turn(served, 1500); /* all were looked at */
        assert_true(is_closed(silent));
        assert_true(is_closed(sending));
        assert_true(is_closed(sd_bus_get_fd(blocked)));
        assert_false(is_closed(sd_bus_get_fd(idle)));
        sd_bus_close_unref(idle);
        sd_bus_close_unref(blocked);
        fd_close(silent);
        fd_close(sending);
}

/* Whoever waits at a door that can't be opened must not make us run against it. */
static void test_no_descriptors(void **state) {
        Served *served = *state;
        struct rlimit limit, low;
        uint64_t before;
        int fd = raw_connect(served);

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = (struct rlimit){.rlim_cur = (rlim_t)fd + 1, .rlim_max = limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        before = time_us(CLOCK_PROCESS_CPUTIME_ID);
        served_turn(served, 500);
        assert_true(time_us(CLOCK_PROCESS_CPUTIME_ID) - before < 100000);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        served_turn(served, 1500);
        put(fd, AUTH, sizeof(AUTH) - 1);
        served_turn(served, 50);
        assert_false(is_closed(fd));
        assert_serves(served);
        fd_close(fd);
}

/* Mad ones. */

static void test_garbage(void **state) {
        Served *served = *state;
        unsigned seed = 1;

        for (unsigned round = 0; round < 300; round++) {
                int fd = raw_connect(served);
                uint8_t bytes[2048];

                for (size_t i = 0; i < sizeof(bytes); i++)
                        bytes[i] = (uint8_t)rand_r(&seed);
                if (round % 3 != 0)
                        put(fd, AUTH, sizeof(AUTH) - 1);
                if (round % 3 == 2) /* as far as the header goes, it might be one */
                        memcpy(bytes, "l\1\0\1\0\1\0\0\1\0\0\0\0\1\0\0", 16);
                put(fd, bytes, sizeof(bytes));
                served_turn(served, 2);
                if (round % 3 == 1) {
                        served_until(served, 5000, is_closed(fd));
                        assert_true(is_closed(fd));
                }
                fd_close(fd);
        }
        assert_serves(served);
}

/* Messages with a good frame and nothing good in it, as fast as they go. */
static int run_torrent(Served *served) {
        static uint8_t bytes[64 * 32];
        int fd = raw_connect(served);
        time_t end = time(NULL) + 2;

        for (size_t i = 0; i < sizeof(bytes); i += 32)
                memcpy(bytes + i, "l\1\0\1\0\0\0\0\1\0\0\0\20\0\0\0xxxxxxxxxxxxxxxx", 32);
        if (fcntl(fd, F_SETFL, 0) < 0 || send(fd, AUTH, sizeof(AUTH) - 1, 0) < 0)
                return 1;
        while (time(NULL) < end)
                if (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
                        return 2;
        return 0;
}

static void test_torrent(void **state) {
        Served *served = *state;
        pid_t child = served_fork(served, run_torrent, false);
        uint64_t longest = 0, before;

        for (unsigned i = 0; i < 1000; i++) {
                before = time_us(CLOCK_PROCESS_CPUTIME_ID);
                assert_true(sd_event_run(served->event, 1000) >= 0);
                longest = MAX(longest, time_us(CLOCK_PROCESS_CPUTIME_ID) - before);
        }
        assert_true(longest < 20000); /* one turn of the loop, in µs */
        assert_serves(served);
        served_wait(served, child);
}

/* Asks for more than it reads: it is not asked what else it wants. */
static void test_greedy(void **state) {
        Served *served = *state;
        sd_bus *sd = client_ready(served);
        size_t before;

        for (unsigned i = 0; i < 2000; i++)
                served_add(served, ITEM_LINK, "ns1/a-longer-name", VERDICT_WAITING, "why",
                           i + 1);
        before = memory();
        for (unsigned i = 0; i < 2000; i++)
                send_call(sd, "List"); /* kept by our own sd-bus, once the socket is full */
        for (unsigned i = 0; i < 100; i++) {
                served_turn(served, 2);
                assert_true(memory() < before + 16 * 1024 * 1024);
        }
        assert_serves(served);
        sd_bus_close_unref(sd);
}

/* A call of List, by hand. */
static const char list_call[] = "l\1\0\1\0\0\0\0\1\0\0\0\x4d\0\0\0"
                                "\1\1o\0\x12\0\0\0/org/mvnet/Mvnetd1\0\0\0\0\0\0"
                                "\2\1s\0\x11\0\0\0org.mvnet.Mvnetd1\0\0\0\0\0\0\0"
                                "\3\1s\0\4\0\0\0List\0\0\0\0";

/* Many calls at once are answered one by one, with time for others in between. */
static void test_turns(void **state) {
        Served *served = *state;
        int fd = raw_connect(served);
        size_t before = 0;

        put(fd, AUTH, sizeof(AUTH) - 1);
        served_turn(served, 20);
        for (unsigned i = 0; i < 200; i++)
                put(fd, list_call, sizeof(list_call) - 1);
        while (served->daemon.n_asked < 200) {
                assert_true(sd_event_run(served->event, 1000) >= 0);
                assert_in_range(served->daemon.n_asked, before, before + 1);
                before = served->daemon.n_asked;
        }
        fd_close(fd);
}

/* Byte by byte it takes longer, and works. */
static void test_drip(void **state) {
        Served *served = *state;
        int fd = raw_connect(served);
        char bytes[4096];
        ssize_t n;

        for (size_t i = 0; i < sizeof(AUTH) - 1; i++) {
                put(fd, &AUTH[i], 1);
                served_turn(served, 1);
        }
        while (recv(fd, bytes, sizeof(bytes), 0) > 0)
                ;
        for (size_t i = 0; i < sizeof(list_call) - 1; i++) {
                put(fd, &list_call[i], 1);
                served_turn(served, 1);
        }
        served_until(served, 5000, has_news(fd));
        n = recv(fd, bytes, sizeof(bytes), 0);
        assert_true(n > 16);
        assert_int_equal(bytes[1], 2); /* a return, no error */

        /* Together with the authentication, and many in one piece. */
        fd_close(fd);
        fd = raw_connect(served);
        put(fd, AUTH, sizeof(AUTH) - 1);
        for (unsigned i = 0; i < 20; i++)
                put(fd, list_call, sizeof(list_call) - 1);
        served_until(served, 5000, served->daemon.n_asked > 20);
        assert_int_equal(served->daemon.n_asked, 21);
        fd_close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)
#define TEST_PATIENT(name) cmocka_unit_test_setup_teardown(name, setup_patient, teardown_patient)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_never_reads),      TEST_PATIENT(test_silent), TEST_PATIENT(test_crowd),
                TEST_PATIENT(test_patience), TEST(test_no_descriptors),   TEST(test_garbage),
                TEST(test_torrent),          TEST(test_greedy),           TEST(test_turns),
                TEST(test_drip),
        };

        if (geteuid() != 0) {
                puts("SKIPPED: bus clients: this needs root");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
