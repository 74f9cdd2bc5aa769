/* SPDX-License-Identifier: MIT */
/* A system bus of our own, under the policy that is installed: late, gone, hung, and with guests. */

#include "daemon/wire.h"
#include "served.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DBUS_DAEMON "/usr/bin/dbus-daemon"
#define POLICY UNITS_FOLDER "/org.mvnet.Mvnetd1.conf"

static pid_t broker;

/* As Debian's system.conf, then our policy with another name for the group, then `more`. */
static void write_config(Served *served, const char *group, const char *more) {
        static char policy[16 * 1024];
        FILE *file = fopen(POLICY, "re");
        char path[128], *at;
        size_t n;

        assert_non_null(file);
        n = fread(policy, 1, sizeof(policy) - 1, file);
        policy[n] = '\0';
        fclose(file);
        snprintf(path, sizeof(path), "%s/ours.conf", served->top);
        file = fopen(path, "we");
        assert_non_null(file);
        at = strstr(policy, "group=\"mvnet\"");
        assert_non_null(at);
        fprintf(file, "%.*sgroup=\"%s\"%s", (int)(at - policy), policy, group,
                at + strlen("group=\"mvnet\""));
        fclose(file);

        snprintf(path, sizeof(path), "%s/system.conf", served->top);
        file = fopen(path, "we");
        assert_non_null(file);
        fprintf(file,
                "<busconfig><type>system</type><listen>unix:path=%s/system</listen>"
                "<auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/>"
                "<deny own=\"*\"/><deny send_type=\"method_call\"/><allow send_type=\"signal\"/>"
                "<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
                "<allow send_requested_reply=\"true\" send_type=\"error\"/>"
                "<allow receive_type=\"method_call\"/><allow receive_type=\"method_return\"/>"
                "<allow receive_type=\"error\"/><allow receive_type=\"signal\"/>"
                "<allow send_destination=\"org.freedesktop.DBus\""
                " send_interface=\"org.freedesktop.DBus\"/></policy>"
                "<include>ours.conf</include>%s</busconfig>",
                served->top, more);
        fclose(file);
}

static bool is_there(const Served *served) {
        char path[64];

        snprintf(path, sizeof(path), "%s/system", served->top);
        return access(path, F_OK) == 0;
}

static void start_broker(Served *served) {
        char path[64];

        snprintf(path, sizeof(path), "%s/system", served->top);
        unlink(path);
        snprintf(path, sizeof(path), "--config-file=%s/system.conf", served->top);
        broker = fork();
        assert_true(broker >= 0);
        if (broker == 0) {
                if (!freopen("/dev/null", "w", stderr)) /* it tells of each refusal */
                        _exit(1);
                execl(DBUS_DAEMON, DBUS_DAEMON, "--nofork", "--nopidfile", "--nosyslog", path,
                      NULL);
                _exit(1);
        }
        served_until(served, 5000, is_there(served));
        assert_true(is_there(served));
}

static void stop_broker(void) {
        if (broker > 0) {
                kill(broker, SIGKILL);
                waitpid(broker, NULL, 0);
        }
        broker = 0;
}

static int setup(void **state) {
        char address[64];
        Served *served;

        if (served_setup(state) < 0)
                return -1;
        served = *state;
        snprintf(address, sizeof(address), "unix:path=%s/system", served->top);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", address, true);
        write_config(served, "root", "");
        served->bus = bus_free(served->bus);
        served_add(served, ITEM_LINK, "br0", VERDICT_OK, "", 1);
        return bus_new(&served->daemon, served->event, served->runtime, true, &served->bus);
}

static int teardown(void **state) {
        int r = served_teardown(state);

        stop_broker();
        return r;
}

/* Clients are children. */

static int call(sd_bus *sd, const char *interface, const char *member, sd_bus_error *error,
                sd_bus_message **reply, const char *types, ...) {
        sd_bus_message *m = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(sd, &m, BUS_NAME, BUS_PATH, interface, member);
        va_start(ap, types);
        if (r >= 0)
                r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        if (r >= 0)
                r = sd_bus_call(sd, m, 3000000, error, reply);
        sd_bus_message_unref(m);
        return r;
}

/* 0: List works, 1: it is not allowed, else something is wrong. */
static int run_list(_unused_ Served *served) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        Plan *plan = NULL;
        sd_bus *sd = NULL;

        if (sd_bus_open_system(&sd) < 0)
                return 2;
        if (call(sd, BUS_INTERFACE, "List", &error, &reply, "") < 0)
                return sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED) ? 1 : 3;
        if (wire_read_items(reply, &plan) < 0 || plan->n_items != 1)
                return 4;
        return 0;
}

/* Whether the name has an owner, within 8 seconds. */
static int run_await(_unused_ Served *served) {
        for (unsigned i = 0; i < 80; i++) {
                sd_bus *sd = NULL;
                int r = sd_bus_open_system(&sd);

                if (r >= 0)
                        r = call(sd, "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, "");
                sd_bus_close_unref(sd);
                if (r >= 0)
                        return 0;
                usleep(100000);
        }
        return 1;
}

static void assert_there(Served *served) {
        assert_int_equal(served_child(served, run_await, false), 0);
        assert_int_equal(served_child(served, run_list, false), 0);
}

static int run_introspect(_unused_ Served *served) {
        sd_bus_message *reply = NULL;
        sd_bus *sd = NULL;
        const char *xml;

        if (sd_bus_open_system(&sd) < 0 ||
            call(sd, "org.freedesktop.DBus.Introspectable", "Introspect", NULL, &reply, "") < 0 ||
            sd_bus_message_read(reply, "s", &xml) < 0)
                return 1;
        return strstr(xml, "\"Reload\"") && strstr(xml, "\"Happened\"") ? 0 : 2;
}

static int on_signal(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        unsigned *seen = userdata;

        *seen |= sd_bus_message_is_signal(m, BUS_INTERFACE, "Happened") ? 1 : 0;
        *seen |= sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties",
                                          "PropertiesChanged") ? 2 : 0;
        return 0;
}

/* Which signals come, out of 1: Happened, 2: PropertiesChanged. */
static int run_listen(Served *served) {
        unsigned seen = 0;
        sd_bus *sd = NULL;

        if (sd_bus_open_system(&sd) < 0 ||
            sd_bus_match_signal(sd, NULL, BUS_NAME, BUS_PATH, NULL, NULL, on_signal, &seen) < 0 ||
            write(served->events[1], "!", 1) != 1)
                return 10;
        for (unsigned i = 0; i < 60 && seen != 3; i++)
                while (sd_bus_process(sd, NULL) > 0 || sd_bus_wait(sd, 50000) > 0)
                        ;
        return (int)seen;
}

static void tell(Served *served) {
        bus_tell(served->bus, &(Happening){.type = HAPPENED_DONE, .path = "br0", .kind = "bridge",
                                           .action = "change", .text = "", .at = ""});
}

static int listen_as(Served *served, bool as_nobody) {
        size_t before = served->n_events;
        pid_t child = served_fork(served, run_listen, as_nobody);

        served_until(served, 5000, served->n_events > before);
        tell(served);
        served_changed(served);
        return served_wait(served, child);
}

static void test_served(void **state) {
        Served *served = *state;

        start_broker(served);
        assert_there(served);
        assert_int_equal(served_child(served, run_introspect, false), 0);
        assert_int_equal(listen_as(served, false), 3);
}

/* Orders: 0: done, 1: not allowed. */
static int run_order(sd_bus *sd, const char *member) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        WireAnswer answer;

        if (call(sd, BUS_INTERFACE, member, &error, &reply, "b", 0) < 0)
                return sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED) ? 1 : 2;
        return wire_read_answer(reply, &answer) == 0 ? 0 : 3;
}

static int run_orders(_unused_ Served *served) {
        sd_bus *sd = NULL;
        int code = 0;

        if (sd_bus_open_system(&sd) < 0)
                return 100;
        for (unsigned i = 0; i < 40 && code <= 1; i++)
                code |= run_order(sd, i % 2 ? "Reload" : "Down");
        return code;
}

static int run_pause(_unused_ Served *served) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus *sd = NULL;

        if (sd_bus_open_system(&sd) < 0)
                return 100;
        if (call(sd, BUS_INTERFACE, "Pause", &error, NULL, "st", "br1", (uint64_t)0) >= 0)
                return 2;
        if (sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED))
                return 1;
        if (!sd_bus_error_has_name(&error, BUS_NAME ".Error.NotDeclared"))
                return 3;
        return call(sd, BUS_INTERFACE, "Pause", NULL, NULL, "st", "br0", (uint64_t)5000000) >= 0
                ? 0 : 4;
}

static void test_policy(void **state) {
        Served *served = *state;
        DaemonAnswer answer = {.name = "lab", .plan = &served->daemon.plan};

        served->daemon.answer = &answer;
        start_broker(served);
        assert_there(served);
        assert_int_equal(served_child(served, run_list, true), 1);
        assert_int_equal(served_child(served, run_orders, true), 1);
        assert_int_equal(listen_as(served, true), 0);
        assert_int_equal(served_child(served, run_orders, false), 0);
        assert_int_equal(served->daemon.n_orders, 40);

        /* Nobody's group is the one that reads. */
        stop_broker();
        write_config(served, "nogroup", "");
        start_broker(served);
        assert_there(served);
        assert_int_equal(served_child(served, run_list, true), 0);
        assert_int_equal(served_child(served, run_orders, true), 1);
        assert_int_equal(served_child(served, run_pause, true), 1);
        assert_int_equal(listen_as(served, true), 3);
        assert_int_equal(served->daemon.n_orders, 40);
}

/* A policy that an administrator opened by mistake: we ask ourselves. */
static void test_sender(void **state) {
        Served *served = *state;
        DaemonAnswer answer = {.name = "lab", .plan = &served->daemon.plan};

        served->daemon.answer = &answer;
        write_config(served, "root",
                     "<policy context=\"mandatory\"><allow send_destination=\"*\"/>"
                     "<allow receive_sender=\"*\"/></policy>");
        start_broker(served);
        assert_there(served);
        assert_int_equal(served_child(served, run_list, true), 0);
        assert_int_equal(served_child(served, run_orders, true), 1);
        assert_int_equal(served_child(served, run_pause, true), 1);
        assert_int_equal(served->daemon.n_orders, 0);
        assert_string_equal(served->daemon.paused, "");
        assert_int_equal(served_child(served, run_pause, false), 0);
        assert_int_equal(served->daemon.paused_ms, 5000);
        assert_int_equal(served_child(served, run_orders, false), 0);
        assert_int_equal(served->daemon.n_orders, 40);
}

/* It comes late, is killed with an order unanswered, and comes back. */
static void test_restart(void **state) {
        Served *served = *state;
        pid_t child;

        served_turn(served, 1500);
        start_broker(served);
        assert_there(served);
        child = served_fork(served, run_orders, false);
        served_until(served, 5000, served->daemon.n_orders > 0);
        assert_int_equal(served->daemon.n_orders, 1);
        stop_broker();
        served_wait(served, child);
        served_until(served, 5000, served->daemon.n_dropped > 0);
        assert_int_equal(served->daemon.n_dropped, 1);
        assert_int_equal(served_run(served, "status"), 0); /* the private socket does not mind */
        start_broker(served);
        assert_there(served);

        child = served_fork(served, run_orders, false);
        served_until(served, 5000, served->daemon.n_orders > 1);
        served->bus = bus_free(served->bus);
        assert_int_equal(served->daemon.n_dropped, 2);
        served_wait(served, child);
}

static uint64_t now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* It hangs: nothing of ours does, and what it missed is not kept for ever. */
static void test_hung(void **state) {
        Served *served = *state;
        uint64_t begin, longest = 0;

        start_broker(served);
        assert_there(served);
        assert_int_equal(kill(broker, SIGSTOP), 0);
        for (unsigned i = 0; i < 100000; i++) {
                tell(served);
                if (i % 500 == 0) {
                        begin = now_ms();
                        assert_true(sd_event_run(served->event, 1000) >= 0);
                        longest = MAX(longest, now_ms() - begin);
                }
        }
        assert_true(longest < 2000);
        assert_int_equal(served_run(served, "status"), 0);
        assert_int_equal(kill(broker, SIGCONT), 0);
        assert_there(served);
        assert_int_equal(listen_as(served, false), 3);
}

static int run_owner(Served *served) {
        sd_bus *sd = NULL;

        if (sd_bus_open_system(&sd) < 0 || sd_bus_request_name(sd, BUS_NAME, 0) < 0 ||
            write(served->events[1], "!", 1) != 1)
                return 1;
        usleep(2500000);
        return 0;
}

/* Another one has the name: it is ours when that ends. */
static void test_taken(void **state) {
        Served *served = *state;
        pid_t child;

        served->bus = bus_free(served->bus);
        start_broker(served);
        child = served_fork(served, run_owner, false);
        served_until(served, 5000, served->n_events > 0);
        assert_int_equal(bus_new(&served->daemon, served->event, served->runtime, true,
                                 &served->bus), 0);
        served_turn(served, 1500);
        assert_int_equal(served_child(served, run_list, false), 3);
        assert_int_equal(served_wait(served, child), 0);
        assert_there(served);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_served), TEST(test_policy), TEST(test_sender),
                TEST(test_restart), TEST(test_hung), TEST(test_taken),
        };

        if (geteuid() != 0 || access(DBUS_DAEMON, X_OK) < 0) {
                puts("SKIPPED: system bus: this needs root and dbus-daemon");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
