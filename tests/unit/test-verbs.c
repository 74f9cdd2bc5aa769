/* SPDX-License-Identifier: MIT */
/* mvnetctl and a daemon: what is printed, and what it exits with. */

#include "served.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <json-c/json.h>

static void says(Served *served, const char *text) {
        if (!strstr(served_output(served), text))
                fail_msg("no '%s' in: %s", text, served_output(served));
}

static void says_not(Served *served, const char *text) {
        if (strstr(served_output(served), text))
                fail_msg("'%s' in: %s", text, served_output(served));
}

static void complains(Served *served, const char *text) {
        if (!strstr(served_errors(served), text))
                fail_msg("no '%s' in: %s", text, served_errors(served));
}

/* Until it has printed that, or too much time has gone by. */
#define until_says(served, text) served_until((served), 10000, strstr(served_output(served), (text)))

/* One value, and nothing else. */
static struct json_object *json(Served *served) {
        struct json_object *object = json_tokener_parse(served_output(served));

        if (!object)
                fail_msg("no JSON: %s", served_output(served));
        return object;
}

static struct json_object *member(struct json_object *object, const char *key) {
        struct json_object *value = NULL;

        if (!json_object_object_get_ex(object, key, &value))
                fail_msg("no %s in: %s", key, json_object_to_json_string(object));
        return value;
}

static const char *text(struct json_object *object, const char *key) {
        struct json_object *value = member(object, key);

        return value ? json_object_get_string(value) : "null";
}

static struct json_object *element(struct json_object *object, const char *key, size_t i) {
        struct json_object *value = json_object_array_get_idx(member(object, key), i);

        assert_non_null(value);
        return value;
}

/* br0 is fine, ns1/eth0 as asked for, and ns1 is there. */
static PlanItem *add_three(Served *served, Verdict verdict, const char *reason) {
        served_add(served, ITEM_LINK, "br0", VERDICT_OK, "", 2);
        served_add(served, ITEM_NETNS, "ns1", VERDICT_OK, "", 4);
        return served_add(served, ITEM_LINK, "ns1/eth0", verdict, reason, 6);
}

static void write_file(Served *served, const char *name, const char *content) {
        char path[128];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", served->top, name);
        file = fopen(path, "we");
        assert_non_null(file);
        fputs(content, file);
        fclose(file);
}

/* No daemon. */

static const char *const verbs[] = {
        "status", "reload", "monitor", "pause", "resume", "wait-online",
};

static void test_none(void **state) {
        Served *served = *state;

        served->bus = bus_free(served->bus);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                assert_int_equal(served_run(served, verbs[i]), 5);
                complains(served, "no daemon is running");
                assert_int_equal(served_run(served, verbs[i], "--json"), 5);
                json_object_put(json(served));
        }
        write_file(served, "other.yaml", "name: other\n");
        assert_int_equal(served_run(served, "apply", "other.yaml"), 0);
}

/* A socket at which nobody answers, as when the daemon hangs. */
static void test_hangs(void **state) {
        Served *served = *state;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        served->bus = bus_free(served->bus);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", served->runtime);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 16), 0);
        write_file(served, "lab.yaml", "name: lab\n");
        assert_int_equal(served_run(served, "status", "--timeout", "100ms"), 1);
        complains(served, "does not answer");
        assert_int_equal(served_run(served, "apply", "lab.yaml", "--timeout", "100ms"), 1);
        complains(served, "does not answer");
        assert_int_equal(served_run(served, "reload", "--timeout", "100ms"), 1);
        fd_close(fd);
        assert_int_equal(served_run(served, "status"), 5); /* refused: it was killed */
}

static void test_usage(void **state) {
        Served *served = *state;

        assert_int_equal(served_run(served, "reload", "lab.yaml"), 2);
        assert_int_equal(served_run(served, "monitor", "br0"), 2);
        assert_int_equal(served_run(served, "pause", "a", "b"), 2);
        assert_int_equal(served_run(served, "pause", "--for", "5"), 2);
        assert_int_equal(served_run(served, "status", "--hold"), 2);
        assert_int_equal(served_run(served, "wait-online", "--force"), 2);
        assert_int_equal(served_run(served, "wait-online", "--help"), 0);
        says(served, "2min");
        says(served, "--hold");
        assert_int_equal(served_run(served, "reload", "--help"), 0);
        says(served, "show that it is there");
        assert_int_equal(served_run(served, "apply", "--help"), 0);
        says(served, "dying");
}

/* status */

static void test_status(void **state) {
        Served *served = *state;
        PlanItem *item = add_three(served, VERDICT_OK, "");

        assert_int_equal(served_run(served, "status"), 0);
        says(served, "lab: settled, 3 ok\n");
        says(served, "  br0                 bridge    ok  lab.yaml:2:3\n");
        assert_int_equal(served_run(served, "status", "--exit-code"), 0);

        served_set(served, item, VERDICT_WAITING, "waiting for br1");
        item->optional = true;
        assert_int_equal(served_run(served, "status"), 0);
        says(served, "lab: settled, 2 ok, 1 waiting\n");
        says(served, "? ns1/eth0            bridge    waiting for br1 (optional)  lab.yaml:6:3\n");
        assert_int_equal(served_run(served, "status", "--exit-code"), 3);
        assert_int_equal(served_run(served, "status", "--exit-code", "br0"), 0);

        served_set(served, item, VERDICT_FAILED, "");
        item->failure = "device is busy";
        assert_int_equal(served_run(served, "status"), 1);
        says(served, "failed: device is busy");
        served_set(served, item, VERDICT_CONTESTED, "somebody sets mtu");
        assert_int_equal(served_run(served, "status"), 1);
        says(served, "contested: somebody sets mtu");
        served_set(served, item, VERDICT_CONFLICT, "it is a veth");
        assert_int_equal(served_run(served, "status"), 1);
        says(served, "conflict: it is a veth");
        says_not(served, "degraded");

        served->daemon.status.degraded = "lab.yaml:9:1: unknown key";
        served->daemon.status.noisy = "ns1";
        served->daemon.status.paused = true;
        served_run(served, "status");
        says(served, "degraded: lab.yaml:9:1: unknown key\n");
        says(served, "namespace ns1 changes too fast");
        says(served, "paused: ");
}

static void test_status_names(void **state) {
        Served *served = *state;

        add_three(served, VERDICT_FAILED, "why");
        served_add(served, ITEM_LINK, "ns10/eth0", VERDICT_OK, "", 7);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(served_run(served, "status", i ? "ns1/" : "ns1"), 1);
                says(served, "1 ok, 1 failed\n");
                says(served, "ns1/eth0");
                says(served, "namespace");
                says_not(served, "br0");
                says_not(served, "ns10");
        }
        assert_int_equal(served_run(served, "status", "ns1/eth0"), 1);
        says_not(served, "namespace");
        for (unsigned i = 0; i < 3; i++) {
                static const char *const names[] = {"br0", "host/br0", "host/"};

                assert_int_equal(served_run(served, "status", names[i]), 0);
                says(served, "br0");
                says_not(served, "ns1");
        }
        assert_int_equal(served_run(served, "status", "br0", "ns10"), 0);
        says(served, "2 ok\n");
        assert_int_equal(served_run(served, "status", "br0", "ns1/eht0"), 2);
        complains(served, "did you mean 'ns1/eth0'?");
        assert_int_equal(served_run(served, "status", "br0/"), 2); /* which is no namespace */
        assert_int_equal(served_run(served, "status", "xyzzy"), 2);
        complains(served, "nothing is declared as 'xyzzy'\n");
}

static void test_status_json(void **state) {
        Served *served = *state;
        PlanItem *item = add_three(served, VERDICT_FAILED, "");
        struct json_object *object, *one;

        item->error = -EBUSY;
        item->failure = "device is busy";
        assert_int_equal(served_run(served, "status", "--json"), 1);
        object = json(served);
        assert_string_equal(text(object, "name"), "lab");
        assert_string_equal(text(object, "state"), "settled");
        assert_string_equal(text(object, "degraded"), "null");
        assert_string_equal(text(object, "paused"), "false");
        assert_int_equal(json_object_array_length(member(object, "objects")), 3);
        one = element(object, "objects", 2);
        assert_string_equal(text(one, "path"), "ns1/eth0");
        assert_string_equal(text(one, "verdict"), "failed");
        assert_string_equal(text(one, "at"), "lab.yaml:6:3");
        assert_string_equal(text(one, "optional"), "false");
        assert_string_equal(text(member(one, "error"), "text"), "device is busy");
        json_object_put(object);
}

/* reload, and apply and down through the daemon */

static void test_reload(void **state) {
        Served *served = *state;
        DaemonAnswer answer = {.name = "lab", .plan = &served->daemon.plan};
        PlanItem *item = add_three(served, VERDICT_CREATE, "parent br0");
        PlanLine line = {.key = "mode", .to = "bridge"};

        item->lines = &line;
        served->daemon.answer = &answer;
        assert_int_equal(served_run(served, "reload"), 0);
        assert_int_equal(served->daemon.orders[0].order, DAEMON_RELOAD);
        assert_false(served->daemon.orders[0].force);
        says(served, "+ ns1/eth0            bridge    parent br0\n      mode: bridge\n");
        says(served, "Applied: 1 created.\n");

        served_set(served, item, VERDICT_CONFLICT, "it is a veth");
        assert_int_equal(served_run(served, "reload", "--force"), 1);
        assert_true(served->daemon.orders[1].force);
        complains(served, "lab.yaml:6:3: ns1/eth0: it is a veth\n");

        served_set(served, item, VERDICT_CHANGE, "");
        item->guard = "it carries the default route";
        answer.outcome = DAEMON_REFUSED;
        assert_int_equal(served_run(served, "reload"), 1);
        says(served, "! it carries the default route");
        complains(served, "--force");
        says_not(served, "Applied");

        answer = (DaemonAnswer){.outcome = DAEMON_ERROR, .name = "lab", .error = -ENOMEM};
        assert_int_equal(served_run(served, "reload"), 1);
        complains(served, "the daemon could not do it: Cannot allocate memory");
        answer = (DaemonAnswer){.name = "lab", .record_error = -ENOSPC};
        assert_int_equal(served_run(served, "reload"), 1);
        complains(served, "No space left");
        served->daemon.order_error = -ENOMEM;
        assert_int_equal(served_run(served, "reload"), 1);
}

static void test_reload_bad(void **state) {
        static const Source file = {.name = "/etc/mvnet/a.yaml", .text = "stpp: 1\n", .size = 8};
        Served *served = *state;
        DaemonAnswer answer = {.outcome = DAEMON_BAD_FILE, .name = "lab"};
        struct json_object *object;
        Report report = {};

        report_add(&report, (Location){&file, 1, 1}, "br0", "unknown key 'stpp'");
        report_hint(&report, "did you mean 'stp'?");
        answer.report = &report;
        served->daemon.answer = &answer;
        assert_int_equal(served_run(served, "reload"), 2);
        complains(served, "/etc/mvnet/a.yaml:1:1: br0: unknown key 'stpp'\n");
        complains(served, "| ^~~~");
        assert_int_equal(served_run(served, "reload", "--json"), 2);
        object = json(served);
        assert_string_equal(text(element(object, "problems", 0), "file"), "/etc/mvnet/a.yaml");
        assert_string_equal(text(element(object, "problems", 0), "hint"), "did you mean 'stp'?");
        json_object_put(object);
        report_deinit(&report);
}

static void test_apply(void **state) {
        Served *served = *state;
        DaemonAnswer answer = {.name = "lab", .plan = &served->daemon.plan};
        char paths[128];

        add_three(served, VERDICT_DELETE, "no longer in the file");
        served->daemon.answer = &answer;
        write_file(served, "lab.yaml", "name: lab\n");
        write_file(served, "other.yaml", "name: other\n");
        write_file(served, "bad.yaml", "name: lab\nfoo: bar\n");
        assert_int_equal(served_run(served, "apply", "lab.yaml", "--force"), 0);
        assert_int_equal(served->daemon.n_orders, 1);
        assert_int_equal(served->daemon.orders[0].order, DAEMON_APPLY);
        assert_true(served->daemon.orders[0].force);
        snprintf(paths, sizeof(paths), "%s/lab.yaml ", served->top);
        assert_string_equal(served->daemon.orders[0].paths, paths);
        says(served, "Applied: 1 deleted.\n");

        assert_int_equal(served_run(served, "down", "lab.yaml"), 0);
        assert_int_equal(served->daemon.n_orders, 2);
        assert_int_equal(served->daemon.orders[1].order, DAEMON_DOWN);
        assert_int_equal(served_run(served, "down", "--name", "lab"), 0);
        assert_int_equal(served->daemon.n_orders, 3);

        /* Bad ones don't get there, others are none of its business. */
        assert_int_equal(served_run(served, "apply", "bad.yaml"), 2);
        assert_int_equal(served_run(served, "apply", "other.yaml"), 0);
        assert_int_equal(served_run(served, "down", "other.yaml"), 0);
        assert_int_equal(served_run(served, "plan", "lab.yaml"), 0);
        assert_int_equal(served->daemon.n_orders, 3);

        assert_int_equal(served_run(served, "apply", "-", "--name", "lab"), 2);
        complains(served, "standard input");
        assert_int_equal(served->daemon.n_orders, 3);
}

static void test_apply_waits(void **state) {
        Served *served = *state;
        DaemonAnswer answer = {.name = "lab", .plan = &served->daemon.plan};
        PlanItem *item = add_three(served, VERDICT_WAITING, "waiting for br1");
        pid_t child;

        served->daemon.answer = &answer;
        write_file(served, "lab.yaml", "name: lab\n");
        assert_int_equal(served_run(served, "apply", "lab.yaml"), 0);
        says(served, "Applied: 1 waiting.\n");
        assert_int_equal(served_run(served, "apply", "lab.yaml", "--wait", "200ms"), 4);
        says(served, "waiting for br1");
        child = served_start(served, "apply", "lab.yaml", "--wait", "20s", NULL);
        served_until(served, 5000, served->daemon.n_orders == 3);
        served_turn(served, 300);
        served_set(served, item, VERDICT_OK, "");
        assert_int_equal(served_finish(served, child), 0);
        says_not(served, "waiting");
}

static void test_dies_amid(void **state) {
        Served *served = *state;
        pid_t child = served_start(served, "reload", NULL);

        served_until(served, 5000, served->daemon.n_orders == 1);
        served->bus = bus_free(served->bus);
        assert_int_equal(served_finish(served, child), 5);
        complains(served, "the daemon went away");
}

/* pause and resume */

static void test_pause(void **state) {
        Served *served = *state;

        add_three(served, VERDICT_OK, "");
        assert_int_equal(served_run(served, "pause"), 0);
        assert_string_equal(served->daemon.paused, "*");
        assert_int_equal(served->daemon.paused_ms, 0);
        assert_int_equal(served_run(served, "resume"), 0);
        assert_string_equal(served->daemon.paused, "");
        assert_int_equal(served_run(served, "resume"), 1);
        complains(served, "nothing was paused");

        assert_int_equal(served_run(served, "pause", "host/br0", "--for", "10min"), 0);
        assert_string_equal(served->daemon.paused, "br0");
        assert_int_equal(served->daemon.paused_ms, 600000);
        assert_int_equal(served_run(served, "pause", "ns1", "--json"), 0);
        assert_string_equal(served->daemon.paused, "ns1/");
        json_object_put(json(served));
        assert_int_equal(served_run(served, "resume", "ns1/eth0"), 1);
        complains(served, "ns1/eth0 was not paused");
        assert_int_equal(served_run(served, "resume", "ns1/"), 0);
        assert_int_equal(served_run(served, "pause", "br1"), 2);
        complains(served, "did you mean 'br0'?");
}

/* monitor */

static void tell(Served *served, const char *path, const char *what) {
        bus_tell(served->bus, &(Happening){.type = HAPPENED_NOTICED, .path = path, .kind = "bridge",
                                           .action = "change", .text = what, .at = "lab.yaml:2:3",
                                           .realtime_us = 1700000000123456});
}

static pid_t start_monitor(Served *served, const char *option) {
        pid_t child;

        unlink(served->output);
        child = served_start(served, "monitor", option, NULL);
        /* What is told before it listens is not for it. */
        for (unsigned i = 0; i < 5000 && !strstr(served_output(served), "ready"); i++) {
                tell(served, "ready", "");
                served_turn(served, 1);
        }
        return child;
}

static void test_monitor(void **state) {
        Served *served = *state;
        pid_t child = start_monitor(served, NULL);

        tell(served, "br0", "mtu: 1500 -> 1400");
        until_says(served, "br0");
        says(served, "20.123 noticed   br0                  bridge    change: mtu: 1500 -> 1400"
                     "  lab.yaml:2:3\n");
        for (unsigned i = 0; i < 3 * 4096; i++)
                tell(served, "br1", "x");
        until_says(served, "too fast");
        says(served, " more, which came too fast to be shown\n");
        kill(child, SIGTERM);
        assert_int_equal(served_finish(served, child), 0);

        child = start_monitor(served, NULL);
        kill(child, SIGINT);
        assert_int_equal(served_finish(served, child), 0);

        child = start_monitor(served, NULL);
        served->bus = bus_free(served->bus);
        assert_int_equal(served_finish(served, child), 5);
        complains(served, "the daemon went away");
}

static void test_monitor_json(void **state) {
        Served *served = *state;
        pid_t child = start_monitor(served, "--json");
        struct json_object *object;
        char *line;

        tell(served, "br0", "mtu: 1500 -> 1400");
        until_says(served, "br0");
        kill(child, SIGTERM);
        assert_int_equal(served_finish(served, child), 0);
        served_output(served);
        line = strrchr(served->text, '\n'); /* every line is a value */
        assert_non_null(line);
        *line = '\0';
        line = strrchr(served->text, '\n');
        assert_non_null(line);
        object = json_tokener_parse(line + 1);
        assert_non_null(object);
        assert_string_equal(text(object, "time"), "2023-11-14T22:13:20.123456Z");
        assert_string_equal(text(object, "type"), "noticed");
        assert_string_equal(text(object, "path"), "br0");
        assert_string_equal(text(object, "text"), "mtu: 1500 -> 1400");
        json_object_put(object);
}

/* `monitor | head -n 1` */
static int run_head(Served *served) {
        int pair[2];
        pid_t child;
        int status;

        if (pipe(pair) < 0)
                return 1;
        child = fork();
        if (child == 0) {
                dup2(pair[1], STDOUT_FILENO);
                close(pair[0]);
                close(pair[1]);
                execl(MVNETCTL, MVNETCTL, "monitor", "--runtime-dir", served->runtime, NULL);
                _exit(2);
        }
        close(pair[1]);
        if (read(pair[0], &(char){0}, 1) != 1)
                return 3;
        usleep(served->daemon.paused_ms * 1000); /* as good a place as any */
        close(pair[0]);
        return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

static void test_monitor_head(void **state) {
        Served *served = *state;

        /* Its reader goes away while more is told, or when nothing is any more. */
        for (unsigned i = 0; i < 2; i++) {
                pid_t child;

                served->daemon.paused_ms = i * 1000;
                child = served_fork(served, run_head, false);
                for (unsigned k = 0; k < 500; k++) {
                        tell(served, "br0", "");
                        served_turn(served, 1);
                }
                assert_int_equal(served_wait(served, child), 0);
        }
}

/* wait-online */

static void test_online(void **state) {
        Served *served = *state;
        PlanItem *item = add_three(served, VERDICT_WAITING, "waiting for br1");
        struct json_object *object;
        pid_t child;

        assert_int_equal(served_run(served, "wait-online", "br0"), 0);
        assert_int_equal(served_run(served, "wait-online", "--timeout", "100ms"), 4);
        says(served, "? ns1/eth0            bridge    waiting for br1");
        complains(served, "1 object is missing");
        assert_int_equal(served_run(served, "wait-online", "--timeout", "100ms", "--json"), 4);
        object = json(served);
        assert_string_equal(text(object, "online"), "false");
        assert_string_equal(text(element(object, "missing", 0), "path"), "ns1/eth0");
        json_object_put(object);
        item->optional = true;
        assert_int_equal(served_run(served, "wait-online", "--timeout", "100ms"), 0);
        item->optional = false;
        served_set(served, item, VERDICT_FAILED, "refused");
        assert_int_equal(served_run(served, "wait-online", "--timeout", "100ms", "ns1"), 1);
        assert_int_equal(served_run(served, "wait-online", "--timeout", "100ms", "ns2"), 2);

        child = served_start(served, "wait-online", "--timeout", "0", NULL);
        served_turn(served, 200);
        served_set(served, item, VERDICT_WAITING, "waiting for br1");
        served_turn(served, 200);
        served_set(served, item, VERDICT_OK, "");
        assert_int_equal(served_finish(served, child), 0);
        assert_int_equal(served_run(served, "wait-online", "--json"), 0);
        json_object_put(json(served));
}

static void test_online_starting(void **state) {
        Served *served = *state;
        pid_t child;

        served->daemon.status.state = DAEMON_STARTING; /* all of nothing is ok */
        assert_int_equal(served_run(served, "wait-online", "--timeout", "100ms"), 4);
        child = served_start(served, "wait-online", "br0", NULL);
        served_turn(served, 200);
        served_add(served, ITEM_LINK, "br0", VERDICT_OK, "", 1);
        served->daemon.status.state = DAEMON_SETTLED;
        served_changed(served);
        assert_int_equal(served_finish(served, child), 0);

        served->daemon.status.state = DAEMON_STARTING;
        child = served_start(served, "wait-online", NULL);
        served_turn(served, 200);
        served->bus = bus_free(served->bus);
        assert_int_equal(served_finish(served, child), 5);
}

static int notify_socket(Served *served) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", served->top);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        setenv("NOTIFY_SOCKET", address.sun_path, true);
        return fd;
}

static bool is_ready(int fd) {
        char message[256];
        ssize_t n = recv(fd, message, sizeof(message) - 1, 0);

        message[MAX(n, 0)] = '\0';
        return strstr(message, "READY=1") != NULL;
}

static void restart(Served *served, DaemonState state) {
        served->daemon.status.state = state;
        assert_int_equal(bus_new(&served->daemon, served->event, served->runtime, false,
                                 &served->bus), 0);
}

static void test_hold(void **state) {
        Served *served = *state;
        PlanItem *item = add_three(served, VERDICT_WAITING, "waiting for br1");
        int fd = notify_socket(served);
        bool ready = false;
        pid_t child;

        served->bus = bus_free(served->bus); /* it may come later than we do */
        child = served_start(served, "wait-online", "--hold", "--timeout", "0", "ns1/", NULL);
        served_turn(served, 300);
        restart(served, DAEMON_SETTLED);
        served_turn(served, 1000);
        assert_false(is_ready(fd));
        served_set(served, item, VERDICT_OK, "");
        served_until(served, 10000, (ready = is_ready(fd)));
        assert_true(ready);

        /* What is being mended is not lost, nor is anything because of a restart. */
        served->daemon.status.state = DAEMON_SETTLING;
        served_set(served, item, VERDICT_WAITING, "waiting for br1");
        served_turn(served, 300);
        served->bus = bus_free(served->bus);
        served_turn(served, 700);
        restart(served, DAEMON_STARTING);
        served_turn(served, 700);
        if (waitpid(child, NULL, WNOHANG) != 0)
                fail_msg("ended: %s%s", served_errors(served), served_output(served));
        served->daemon.status.state = DAEMON_SETTLED;
        served_set(served, item, VERDICT_OK, "");
        served_turn(served, 300);
        assert_false(is_ready(fd)); /* systemd knows */

        served_set(served, item, VERDICT_FAILED, "gone");
        assert_int_equal(served_finish(served, child), 1);
        says(served, "ns1/eth0");
        unsetenv("NOTIFY_SOCKET");
        fd_close(fd);
}

/* It is asked for the state and for the objects, and between the two something is noticed. */
static void test_hold_amid(void **state) {
        Served *served = *state;
        PlanItem *item = add_three(served, VERDICT_OK, "");
        int fd = notify_socket(served);
        bool ready = false;
        pid_t child;

        child = served_start(served, "wait-online", "--hold", "ns1", NULL);
        served_until(served, 10000, (ready = is_ready(fd)));
        assert_true(ready);
        served->daemon.mended = item;
        for (size_t i = 1; i < 12; i++) { /* each property is a question */
                served->daemon.status.state = DAEMON_SETTLED;
                item->verdict = VERDICT_OK;
                served_changed(served);
                served_turn(served, 200);
                served->daemon.mend_in = i;
                served_changed(served);
                served_until(served, 2000, served->daemon.mend_in == 0);
                served_turn(served, 150);
                if (waitpid(child, NULL, WNOHANG) != 0)
                        fail_msg("ended at %zu: %s", i, served_output(served));
                served->daemon.mend_in = 0;
        }
        kill(child, SIGTERM);
        assert_int_equal(served_finish(served, child), 128 + SIGTERM);
        unsetenv("NOTIFY_SOCKET");
        fd_close(fd);
}

static void test_hold_runs_out(void **state) {
        Served *served = *state;
        struct timespec begin, end;

        add_three(served, VERDICT_WAITING, "waiting for br1");
        assert_int_equal(served_run(served, "wait-online", "--hold", "--timeout", "300ms"), 4);
        assert_int_equal(served_run(served, "wait-online", "--hold", "--timeout", "1s", "ns2"), 4);
        served->bus = bus_free(served->bus);
        clock_gettime(CLOCK_MONOTONIC, &begin);
        assert_int_equal(served_run(served, "wait-online", "--hold", "--timeout", "700ms"), 5);
        clock_gettime(CLOCK_MONOTONIC, &end);
        assert_in_range(end.tv_sec - begin.tv_sec, 0, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_none),         TEST(test_hangs),       TEST(test_usage),
                TEST(test_status),       TEST(test_status_names), TEST(test_status_json),
                TEST(test_reload),       TEST(test_reload_bad),  TEST(test_apply),
                TEST(test_apply_waits),  TEST(test_dies_amid),   TEST(test_pause),
                TEST(test_monitor),      TEST(test_monitor_json), TEST(test_monitor_head),
                TEST(test_online),       TEST(test_online_starting), TEST(test_hold),
                TEST(test_hold_amid),    TEST(test_hold_runs_out),
        };

        if (geteuid() != 0) {
                puts("SKIPPED: verbs: this needs root");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
