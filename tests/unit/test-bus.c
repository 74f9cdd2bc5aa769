/* SPDX-License-Identifier: MIT */
/* The socket, who may what, and what is told to whom. */

#include "daemon/bus-internal.h"
#include "daemon/wire.h"
#include "clients.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* The socket. */

static void test_modes(void **state) {
        Served *served = *state;
        char path[128];
        struct stat st;

        snprintf(path, sizeof(path), "%s/bus", served->runtime);
        assert_int_equal(stat(path, &st), 0);
        assert_true(S_ISSOCK(st.st_mode));
        assert_int_equal(st.st_uid, 0);
        assert_int_equal(st.st_mode & 0777, st.st_gid != 0 ? 0660 : 0600);
        served_add(served, ITEM_LINK, "br0", VERDICT_OK, "", 1);
        assert_serves(served);
        served->bus = bus_free(served->bus);
        assert_int_equal(stat(path, &st), -1);
        snprintf(path, sizeof(path), "%s/.bus-new", served->runtime);
        assert_int_equal(stat(path, &st), -1);
}

static int again(Served *served, const char *runtime, Bus **ret) {
        return bus_new(&served->daemon, served->event, runtime, false, ret);
}

static void test_stale(void **state) {
        Served *served = *state;
        char path[128], new[128];
        Bus *other = NULL;

        snprintf(path, sizeof(path), "%s/bus", served->runtime);
        snprintf(new, sizeof(new), "%s/.bus-new", served->runtime);
        assert_int_equal(again(served, served->runtime, &other), -EADDRINUSE);
        assert_serves(served); /* as before */

        /* As a kill leaves it: the file is there, and so is one that was not done. */
        served->bus = bus_free(served->bus);
        {
                struct sockaddr_un address = {.sun_family = AF_UNIX};
                int fd = socket(AF_UNIX, SOCK_STREAM, 0);

                strcpy(address.sun_path, path);
                assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
                assert_int_equal(link(path, new), 0);
                fd_close(fd);
        }
        assert_int_equal(again(served, served->runtime, &served->bus), 0);
        assert_serves(served);
}

static void test_unsafe(void **state) {
        Served *served = *state;
        char path[256], far[400];
        Bus *bus = NULL;
        int fd;

        snprintf(path, sizeof(path), "%s/open", served->top);
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(chmod(path, 01777), 0); /* like /tmp: others may put a socket there */
        assert_int_equal(again(served, path, &bus), -EPERM);
        assert_int_equal(chmod(path, 0775), 0);
        assert_int_equal(again(served, path, &bus), -EPERM);
        assert_int_equal(chmod(path, 0755), 0);
        assert_int_equal(chown(path, 65534, 0), 0);
        assert_int_equal(again(served, path, &bus), -EPERM);
        assert_int_equal(chown(path, 0, 0), 0);

        snprintf(far, sizeof(far), "%s/way", served->top);
        assert_int_equal(symlink(path, far), 0);
        assert_true(again(served, far, &bus) < 0);

        snprintf(far, sizeof(far), "%s/bus", path);
        fd = open(far, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        fd_close(fd);
        assert_int_equal(again(served, path, &bus), -EEXIST);
        assert_int_equal(access(far, F_OK), 0); /* and it still is there */

        snprintf(far, sizeof(far), "%s/%0120d/%0120d", served->top, 0, 0); /* over 108 bytes */
        assert_int_equal(again(served, far, &bus), 0);
        bus_free(bus);
}

/* What is said. */

static const char *const members[] = {
        "List", "Reload", "Apply", "Down", "Pause", "Resume", "Subscribe", "Unsubscribe",
        "Happened", "Missed", "Version", "Name", "State", "Paused", "Degraded", "Noisy",
        "Generation",
};

static int run_introspect(Served *served) {
        sd_bus *sd = client_connect(served);
        sd_bus_message *reply = NULL;
        const char *xml;

        if (sd_bus_call_method(sd, NULL, BUS_PATH, "org.freedesktop.DBus.Introspectable",
                               "Introspect", NULL, &reply, "") < 0 ||
            sd_bus_message_read(reply, "s", &xml) < 0)
                return 1;
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                char name[64];

                snprintf(name, sizeof(name), "name=\"%s\"", members[i]);
                if (!strstr(xml, name))
                        return 2 + (int)i;
        }
        return 0;
}

static void test_introspect(void **state) {
        assert_int_equal(served_child(*state, run_introspect, false), 0);
}

static bool is_text(sd_bus *sd, const char *property, const char *want) {
        char *text = NULL;
        int r = sd_bus_get_property_string(sd, NULL, BUS_PATH, BUS_INTERFACE, property, NULL,
                                           &text);
        bool same = r >= 0 && streq(text, want);

        free(text);
        return same;
}

static int run_properties(Served *served) {
        sd_bus *sd = client_connect(served);
        uint64_t generation;
        int paused;

        if (!is_text(sd, "Name", "lab") || !is_text(sd, "State", "settling"))
                return 1;
        if (!is_text(sd, "Degraded", "a.yaml:1:1: gr\303\274n ?") || !is_text(sd, "Noisy", ""))
                return 2;
        if (!is_text(sd, "Version", MVNET_VERSION))
                return 3;
        if (sd_bus_get_property_trivial(sd, NULL, BUS_PATH, BUS_INTERFACE, "Paused", NULL, 'b',
                                        &paused) < 0 || !paused)
                return 4;
        if (sd_bus_get_property_trivial(sd, NULL, BUS_PATH, BUS_INTERFACE, "Generation", NULL, 't',
                                        &generation) < 0 || generation != 7)
                return 5;
        return 0;
}

static void test_properties(void **state) {
        Served *served = *state;

        served->daemon.status.state = DAEMON_SETTLING;
        served->daemon.status.degraded = "a.yaml:1:1: gr\303\274n \377";
        served->daemon.status.paused = true;
        served->daemon.status.generation = 7;
        assert_int_equal(served_child(served, run_properties, false), 0);
}

/* Who may what. */

static int error_of(sd_bus *sd, const char *member, const char *types, ...) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *m = call_of(sd, member);
        va_list ap;
        int r;

        va_start(ap, types);
        r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_call(sd, m, 0, &error, NULL);
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED))
                return 1;
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_INVALID_ARGS))
                return 2;
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_LIMITS_EXCEEDED))
                return 3;
        if (sd_bus_error_has_name(&error, BUS_ERROR_NOT_DECLARED))
                return 4;
        if (sd_bus_error_has_name(&error, BUS_ERROR_NOT_PAUSED))
                return 5;
        return r < 0 ? 6 : 0;
}

static int run_denied(Served *served) {
        sd_bus *sd = client_connect(served);
        size_t n;

        if (!sd || count_items(sd, &n) < 0)
                return 1;
        if (error_of(sd, "Subscribe", "") != 0 || error_of(sd, "Unsubscribe", "") != 0)
                return 2;
        if (error_of(sd, "Reload", "b", 1) != 1 || error_of(sd, "Down", "b", 1) != 1 ||
            error_of(sd, "Apply", "asb", 1, "/etc/passwd", 1) != 1)
                return 3;
        if (error_of(sd, "Pause", "st", "", (uint64_t)0) != 1 ||
            error_of(sd, "Resume", "s", "") != 1)
                return 4;
        return 0;
}

static int run_shut_out(Served *served) {
        return raw_connect(served) < 0 && errno == EACCES ? 0 : 1;
}

static void test_denied(void **state) {
        Served *served = *state;
        char path[128];

        assert_int_equal(served_child(served, run_shut_out, true), 0);
        snprintf(path, sizeof(path), "%s/bus", served->runtime);
        assert_int_equal(chmod(path, 0666), 0); /* as if nobody were in the group */
        assert_int_equal(served_child(served, run_denied, true), 0);
        assert_int_equal(served->daemon.n_orders, 0);
        assert_string_equal(served->daemon.paused, "");
}

static int run_pauses(Served *served) {
        sd_bus *sd = client_connect(served);

        if (error_of(sd, "Pause", "st", "br1", (uint64_t)0) != 4 ||
            error_of(sd, "Resume", "s", "br0") != 5 || error_of(sd, "Resume", "s", "") != 5)
                return 1;
        return error_of(sd, "Pause", "st", "br0", (uint64_t)1500001);
}

static void test_pauses(void **state) {
        Served *served = *state;

        served_add(served, ITEM_LINK, "br0", VERDICT_OK, "", 1);
        assert_int_equal(served_child(served, run_pauses, false), 0);
        assert_string_equal(served->daemon.paused, "br0");
        assert_int_equal(served->daemon.paused_ms, 1501);
}

/* Orders. */

static int run_reload(Served *served) {
        sd_bus *sd = client_connect(served);
        sd_bus_message *reply = NULL;
        WireAnswer answer;
        int r;

        if (sd_bus_call_method(sd, NULL, BUS_PATH, BUS_INTERFACE, "Reload", NULL, &reply, "b",
                               1) < 0)
                return 1;
        if (wire_read_answer(reply, &answer) < 0)
                return 2;
        r = answer.outcome == DAEMON_DONE && answer.plan->n_items == 1 &&
                            answer.record_error == -ENOSPC ? 0 : 3;
        wire_answer_deinit(&answer);
        return r;
}

static void test_order(void **state) {
        Served *served = *state;
        DaemonAnswer answer = {.name = "lab", .plan = &served->daemon.plan,
                               .record_error = -ENOSPC};
        pid_t child;

        served_add(served, ITEM_LINK, "br0", VERDICT_CREATE, "", 1);
        child = served_fork(served, run_reload, false);
        served_until(served, 5000, served->daemon.n_orders > 0);
        served_turn(served, 50);
        assert_int_equal(served->daemon.n_orders, 1);
        assert_int_equal(served->daemon.orders[0].order, DAEMON_RELOAD);
        assert_true(served->daemon.orders[0].force);
        assert_serves(served); /* meanwhile */
        served->daemon.orders[0].done(served->daemon.orders[0].userdata, &answer);
        assert_int_equal(served_wait(served, child), 0);
        assert_int_equal(served->daemon.n_dropped, 0);

        served->daemon.answer = &answer; /* before daemon_order() returns */
        assert_int_equal(served_child(served, run_reload, false), 0);
}

static int run_bad_orders(Served *served) {
        sd_bus *sd = client_connect(served);

        if (error_of(sd, "Apply", "asb", 1, "lab.yaml", 0) != 2 ||
            error_of(sd, "Apply", "asb", 2, "/etc/lab.yaml", "", 0) != 2 ||
            error_of(sd, "Reload", "s", "") != 2 || error_of(sd, "Reload", "") != 2)
                return 1;
        return error_of(sd, "Apply", "asb", 2, "/a b", "/c", 0) == 6 ? 0 : 2;
}

static void test_bad_orders(void **state) {
        Served *served = *state;

        served->daemon.order_error = -ENOMEM;
        assert_int_equal(served_child(served, run_bad_orders, false), 0);
        assert_int_equal(served->daemon.n_orders, 0);
}

static int run_many_orders(Served *served) {
        sd_bus *sd = client_connect(served);

        for (unsigned i = 0; i < 16; i++) {
                sd_bus_message *m = call_of(sd, "Down");
                uint64_t cookie;

                sd_bus_message_append(m, "b", 0);
                if (sd_bus_send(sd, m, &cookie) < 0)
                        return 1;
                sd_bus_message_unref(m);
        }
        return error_of(sd, "Down", "b", 0) == 3 ? 0 : 2;
}

static void test_gone(void **state) {
        Served *served = *state;

        assert_int_equal(served_child(served, run_many_orders, false), 0);
        served_until(served, 5000, served->daemon.n_dropped == 16);
        assert_int_equal(served->daemon.n_orders, 16);
        assert_int_equal(served->daemon.n_dropped, 16);
        served->daemon.n_dropped = 0;

        assert_int_equal(served_child(served, run_many_orders, false), 0);
        served->bus = bus_free(served->bus); /* before it has noticed that they are gone */
        assert_int_equal(served->daemon.n_dropped, 16);
}

/* Changes. */

typedef struct Seen {
        size_t n;
        char state[32];
} Seen;

static int on_seen(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Seen *seen = userdata;
        const char *name, *text;

        seen->n++;
        assert_true(sd_bus_message_skip(m, "s") >= 0);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                assert_true(sd_bus_message_read(m, "s", &name) > 0);
                if (streq(name, "State")) {
                        assert_true(sd_bus_message_read(m, "v", "s", &text) > 0);
                        snprintf(seen->state, sizeof(seen->state), "%s", text);
                } else {
                        sd_bus_message_skip(m, "v");
                }
                assert_true(sd_bus_message_exit_container(m) >= 0);
        }
        return 0;
}

static void test_changes(void **state) {
        Served *served = *state;
        sd_bus *sd = client_ready(served);
        uint64_t begin = time_us(CLOCK_MONOTONIC);
        Seen seen = {};

        assert_true(sd_bus_match_signal(sd, NULL, NULL, BUS_PATH, "org.freedesktop.DBus.Properties",
                                        "PropertiesChanged", on_seen, &seen) >= 0);
        served_changed(served);
        for (unsigned i = 0; i < 10; i++) {
                assert_true(sd_event_run(served->event, 0) >= 0);
                assert_true(sd_bus_process(sd, NULL) >= 0);
        }
        assert_int_equal(seen.n, 1); /* the first one at once */
        for (unsigned i = 0; i < 250; i++) {
                served->daemon.status.state = i % 2 ? DAEMON_SETTLING : DAEMON_STARTING;
                served_changed(served);
                served_turn(served, 2);
                while (sd_bus_process(sd, NULL) > 0)
                        ;
        }
        served->daemon.status.state = DAEMON_SETTLED;
        served_changed(served);
        for (unsigned i = 0; i < 5000 && !streq(seen.state, "settled"); i++) {
                served_turn(served, 1);
                while (sd_bus_process(sd, NULL) > 0)
                        ;
        }
        assert_in_range(seen.n, 3, (time_us(CLOCK_MONOTONIC) - begin) / 100000 + 2);
        assert_string_equal(seen.state, "settled"); /* the last one is told, too */
        sd_bus_close_unref(sd);
}

/* Happenings. */

typedef struct Heard {
        uint64_t told, missed;
        bool wrong;
} Heard;

static int on_heard(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Heard *heard = userdata;
        WireHappening happening;
        uint64_t n;

        if (sd_bus_message_is_signal(m, BUS_INTERFACE, "Missed")) {
                heard->wrong |= sd_bus_message_read(m, "t", &n) <= 0;
                heard->missed += n;
        } else if (sd_bus_message_is_signal(m, BUS_INTERFACE, "Happened")) {
                heard->wrong |= wire_read_happening(m, &happening) < 0 ||
                                strtoull(happening.text, NULL, 10) != heard->told + heard->missed;
                heard->told++;
        }
        return 0;
}

#define TOLD 100000u

/* Listens to them all, and says so at every thousandth; 0: it got each, 1: or heard of it. */
static int run_listener(Served *served) {
        sd_bus *sd = client_connect(served);
        uint64_t done = 0;
        Heard heard = {};

        if (!sd || sd_bus_add_filter(sd, NULL, on_heard, &heard) < 0 ||
            error_of(sd, "Subscribe", "") != 0 || write(served->events[1], "!", 1) != 1)
                return 10;
        while (heard.told + heard.missed < TOLD) {
                int r = sd_bus_process(sd, NULL);

                if (r < 0 || heard.wrong)
                        return 11;
                for (; done < heard.told / 1000; done++)
                        if (write(served->events[1], "!", 1) != 1)
                                return 13;
                if (r == 0 && sd_bus_wait(sd, 20000000) <= 0)
                        return 12;
        }
        return heard.missed > 0;
}

/* All in one go, as by a start with many links: the oldest are missed, and that is said. */
static void test_burst(void **state) {
        Served *served = *state;
        sd_bus *deaf = client_ready(served); /* who never reads is no hindrance */
        pid_t child;

        send_call(deaf, "Subscribe");
        child = served_fork(served, run_listener, false);
        served_until(served, 5000, served->n_events > 0);
        for (unsigned i = 0; i < TOLD; i++)
                tell(served, i);
        assert_int_equal(served_wait(served, child), 1);

        served->n_events = 0;
        child = served_fork(served, run_listener, false);
        served_until(served, 5000, served->n_events > 0);
        for (unsigned i = 0; i < TOLD; i++) {
                tell(served, i);
                if (i % 1000 == 999)
                        served_until(served, 10000, served->n_events > 1 + i / 1000);
        }
        assert_int_equal(served_wait(served, child), 0); /* in time for all */
        sd_bus_close_unref(deaf);
}

/* Nobody has to wait until another one has heard it all. */
static void test_fair(void **state) {
        Served *served = *state;
        sd_bus *listeners[3];

        for (size_t i = 0; i < ELEMENTSOF(listeners); i++) {
                listeners[i] = client_ready(served);
                send_call(listeners[i], "Subscribe");
                served_until(served, 5000, has_news(sd_bus_get_fd(listeners[i])));
                while (sd_bus_process(listeners[i], NULL) > 0)
                        ;
        }
        for (unsigned i = 0; i < 1000; i++)
                tell(served, i);
        for (size_t i = 0; i < ELEMENTSOF(listeners); i++)
                assert_true(sd_event_run(served->event, 0) >= 0);
        for (size_t i = 0; i < ELEMENTSOF(listeners); i++) {
                assert_true(has_news(sd_bus_get_fd(listeners[i])));
                sd_bus_close_unref(listeners[i]);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_modes),      TEST(test_stale),      TEST(test_unsafe),
                TEST(test_introspect), TEST(test_properties), TEST(test_denied),
                TEST(test_pauses),     TEST(test_order),      TEST(test_bad_orders),
                TEST(test_gone),       TEST(test_changes),    TEST(test_burst),
                TEST(test_fair),
        };

        if (geteuid() != 0) {
                puts("SKIPPED: bus: this needs root");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
