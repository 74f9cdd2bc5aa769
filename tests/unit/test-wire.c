/* SPDX-License-Identifier: MIT */
/* What is written comes out at the other end as it was; what nobody wrote comes out as an error. */

#include "daemon/gate.h"
#include "daemon/history.h"
#include "daemon/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BEGIN "\r\nBEGIN\r\n"

/* Messages need a bus that has been started, if only at a socket where nobody is. */
typedef struct Loose {
        sd_bus *sd;
        int fd;
} Loose;

static int setup(void **state) {
        Loose *loose = calloc(1, sizeof(*loose));
        int pair[2];

        if (!loose || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
                return -1;
        loose->fd = pair[1];
        *state = loose;
        return sd_bus_new(&loose->sd) < 0 || sd_bus_set_fd(loose->sd, pair[0], pair[0]) < 0 ||
               sd_bus_start(loose->sd) < 0;
}

static int teardown(void **state) {
        Loose *loose = *state;

        sd_bus_close_unref(loose->sd);
        close(loose->fd);
        free(loose);
        return 0;
}

static sd_bus_message *message(void **state) {
        Loose *loose = *state;
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_signal(loose->sd, &m, "/a", "a.b", "C") >= 0);
        return m;
}

static void seal(sd_bus_message *m) {
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(m, true) >= 0);
}

static const Source source = {.name = "/etc/mvnet/10-lab.yaml", .text = ""};

static void assert_place(Location at, const char *text) {
        _cleanup_(buf_deinit) Buf buf = {};

        location_format(at, &buf);
        assert_string_equal(buf_text(&buf), text);
}

static void assert_text(const char *a, const char *b) {
        if (a && b)
                assert_string_equal(a, b);
        else
                assert_ptr_equal(a, b);
}

static void test_items(void **state) {
        PlanLine lines[] = {
                {.key = "mode", .from = NULL, .to = "bridge", .at = {&source, 4, 7}},
                {.key = "alias", .from = "", .to = NULL},
                {.key = "alias", .from = "old", .to = ""},
        };
        PlanItem link = {
                .type = ITEM_LINK, .verdict = VERDICT_FAILED, .path = "ns1/eth0", .kind = "macvlan",
                .reason = "parent br0", .guard = "carries the default route", .optional = true,
                .at = {&source, 3, 5}, .error = -EBUSY, .failure = "device is busy",
                .failure_at = {&source, 0, 0}, .lines = &lines[0],
        };
        PlanItem netns = {.type = ITEM_NETNS, .path = "ns1", .kind = "", .reason = ""};
        PlanItem *items[] = {&link, &netns};
        Plan plan = {.items = items, .n_items = 2};
        _cleanup_(plan_freep) Plan *read = NULL;
        sd_bus_message *m = message(state);
        const PlanLine *line;
        const PlanItem *item;

        lines[0].next = &lines[1];
        lines[1].next = &lines[2];
        assert_int_equal(wire_append_items(m, &plan), 0);
        seal(m);
        assert_string_equal(sd_bus_message_get_signature(m, true), "a" WIRE_ITEM);
        assert_int_equal(wire_read_items(m, &read), 0);
        sd_bus_message_unref(m); /* nothing may point there */

        assert_int_equal(read->n_items, 2);
        assert_int_equal(read->counts[VERDICT_FAILED], 1);
        assert_int_equal(read->counts[VERDICT_OK], 1);
        item = read->items[0];
        assert_int_equal(item->type, ITEM_LINK);
        assert_int_equal(item->verdict, VERDICT_FAILED);
        assert_string_equal(item->path, "ns1/eth0");
        assert_string_equal(item->kind, "macvlan");
        assert_string_equal(item->reason, "parent br0");
        assert_string_equal(item->guard, "carries the default route");
        assert_true(item->optional);
        assert_int_equal(item->error, -EBUSY);
        assert_string_equal(item->failure, "device is busy");
        assert_place(item->at, "/etc/mvnet/10-lab.yaml:3:5");
        assert_place(item->failure_at, "/etc/mvnet/10-lab.yaml");
        line = item->lines;
        for (size_t i = 0; i < ELEMENTSOF(lines); i++, line = line->next) {
                assert_string_equal(line->key, lines[i].key);
                assert_text(line->from, lines[i].from);
                assert_text(line->to, lines[i].to);
        }
        assert_null(line);
        assert_place(item->lines->at, "/etc/mvnet/10-lab.yaml:4:7");
        item = read->items[1];
        assert_int_equal(item->type, ITEM_NETNS);
        assert_null(item->guard);
        assert_null(item->failure);
        assert_null(item->lines);
        assert_false(item->optional);
        assert_place(item->at, "");
}

static void test_many(void **state) {
        PlanItem one = {.type = ITEM_LINK, .path = "br0", .kind = "bridge", .reason = ""};
        PlanItem *items[5000];
        Plan plan = {.items = items, .n_items = ELEMENTSOF(items)};
        _cleanup_(plan_freep) Plan *read = NULL;
        sd_bus_message *m = message(state);

        for (size_t i = 0; i < ELEMENTSOF(items); i++)
                items[i] = &one;
        assert_int_equal(wire_append_items(m, &plan), 0);
        seal(m);
        assert_int_equal(wire_read_items(m, &read), 0);
        assert_int_equal(read->n_items, ELEMENTSOF(items));
        for (size_t i = 0; i < ELEMENTSOF(items); i++)
                assert_string_equal(read->items[i]->path, "br0");
        sd_bus_message_unref(m);
}

/* Whatever bytes a link is called by, sd-bus takes them, and a terminal is not harmed. */
static void test_bytes(void **state) {
        static const struct {
                const char *in, *out;
        } texts[] = {
                {"plain", "plain"},
                {"grün", "grün"},
                {"\xff\xfe", "??"},
                {"a\033[31mb", "a?[31mb"},
                {"two\nlines", "two?lines"},
                {"\xef\xbf\xbe", "?"},     /* U+FFFE */
                {"\xef\xb7\x90x", "?x"},   /* U+FDD0: valid, but not for D-Bus */
                {"\xed\xa0\x80", "???"},   /* a surrogate */
                {"\xc0\x80", "??"},        /* overlong */
                {"cut \xe2\x80", "cut ??"},
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                sd_bus_message *m = message(state);
                const char *text;

                assert_int_equal(wire_append_text(m, texts[i].in), 0);
                seal(m);
                assert_true(sd_bus_message_read(m, "s", &text) > 0);
                assert_string_equal(text, texts[i].out);
                sd_bus_message_unref(m);
        }
}

static void test_places(void **state) {
        static const char *const texts[] = {
                "", "x", "x:1:2", "x:1", "x:1:2:3:4", ":1:2", "x:0:1", "x:1:0", "x:-1:2", "x:1:2 ",
                "x:99999999999:1", "x:1:99999999999", "::", "x::", "x:1:", "x: 1: 2", "x:01:1",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                Source odd = {.name = texts[i], .text = ""};
                PlanItem item = {.path = "", .kind = "", .reason = "", .at = {&odd, 0, 0}};
                Plan plan = {.items = (PlanItem *[]){&item}, .n_items = 1};
                _cleanup_(plan_freep) Plan *read = NULL;
                sd_bus_message *m = message(state);

                assert_int_equal(wire_append_items(m, &plan), 0);
                seal(m);
                assert_int_equal(wire_read_items(m, &read), 0);
                assert_place(read->items[0]->at, texts[i]);
                sd_bus_message_unref(m);
        }
}

static void test_problems(void **state) {
        static const Source files[] = {
                {.name = "b.yaml", .text = "x: 1\n", .size = 5, .order = 0},
                {.name = "a.yaml", .text = "", .order = 1},
        };
        Report report = {}, read = {};
        sd_bus_message *m = message(state);
        const Problem *problem;

        report_add(&report, (Location){&files[1], 0, 0}, NULL, "no such file");
        report_add(&report, (Location){&files[0], 1, 1}, "interfaces.x", "unknown key '%s'", "x%s");
        report_hint(&report, "did you mean '%s'?", "y");
        for (unsigned i = 0; i < 2 * REPORT_KEPT_MAX; i++)
                report_add(&report, (Location){&files[1], 7 + i, 1}, "", "and %u", i);
        assert_int_equal(wire_append_problems(m, &report), 0);
        seal(m);
        assert_int_equal(wire_read_problems(m, &read), 0);
        sd_bus_message_unref(m);
        assert_int_equal(read.n, REPORT_KEPT_MAX);
        problem = read.first;
        assert_place(problem->at, "b.yaml:1:1");
        assert_string_equal(problem->path, "interfaces.x");
        assert_string_equal(problem->text, "unknown key 'x%s'");
        assert_string_equal(problem->hint, "did you mean 'y'?");
        problem = problem->next;
        assert_place(problem->at, "a.yaml");
        assert_string_equal(problem->text, "no such file");
        assert_null(problem->hint);
        assert_place(problem->next->at, "a.yaml:7:1");
        report_deinit(&report);
        report_deinit(&read);
}

static void test_answers(void **state) {
        static const Source file = {.name = "b.yaml", .text = "x: 1\n", .size = 5};
        PlanItem item = {.path = "br0", .kind = "bridge", .reason = "", .verdict = VERDICT_CREATE};
        Plan plan = {.items = (PlanItem *[]){&item}, .n_items = 1};
        Report report = {};

        report_add(&report, (Location){&file, 1, 1}, "x", "unknown key");
        for (unsigned outcome = 0; outcome < _DAEMON_OUTCOME_N; outcome++) {
                DaemonAnswer given = {
                        .outcome = (DaemonOutcome)outcome,
                        .name = "lab",
                        .report = outcome == DAEMON_BAD_FILE ? &report : NULL,
                        .plan = outcome == DAEMON_DONE ? &plan : NULL,
                        .record_error = outcome == DAEMON_DONE ? -ENOSPC : 0,
                        .error = outcome == DAEMON_ERROR ? -ENOMEM : 0,
                };
                sd_bus_message *m = message(state);
                WireAnswer read;

                assert_int_equal(wire_append_answer(m, &given), 0);
                seal(m);
                assert_int_equal(wire_read_answer(m, &read), 0);
                assert_int_equal(read.outcome, outcome);
                assert_string_equal(read.name, "lab");
                assert_int_equal(read.plan->n_items, outcome == DAEMON_DONE);
                assert_int_equal(read.report.n, outcome == DAEMON_BAD_FILE);
                assert_int_equal(read.record_error, given.record_error);
                assert_int_equal(read.error, given.error);
                if (outcome == DAEMON_BAD_FILE)
                        assert_non_null(strstr(read.problems, "b.yaml:1:1: x: unknown key\n"));
                else
                        assert_string_equal(read.problems, "");
                wire_answer_deinit(&read);
                sd_bus_message_unref(m);
        }
        report_deinit(&report);
}

static void test_happening(void **state) {
        Happening happening = {
                .type = HAPPENED_DONE, .realtime_us = 1234567890123456, .path = "br\xff",
                .kind = "bridge", .action = "create", .text = "", .at = "lab.yaml:1:2",
        };
        sd_bus_message *m = message(state);
        WireHappening read;

        assert_int_equal(wire_append_happening(m, &happening), 0);
        seal(m);
        assert_string_equal(sd_bus_message_get_signature(m, true), WIRE_HAPPENING);
        assert_int_equal(wire_read_happening(m, &read), 0);
        assert_int_equal(read.realtime_us, 1234567890123456);
        assert_string_equal(read.type, "done");
        assert_string_equal(read.path, "br?");
        assert_string_equal(read.action, "create");
        assert_string_equal(read.at, "lab.yaml:1:2");
        sd_bus_message_unref(m);
}

/* Right types, wrong meanings; and wrong types. */

static void refuse_items(void **state, const char *types, ...) {
        sd_bus_message *m = message(state);
        Plan *read = NULL;
        va_list ap;

        va_start(ap, types);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        seal(m);
        assert_true(wire_read_items(m, &read) < 0);
        assert_null(read);
        sd_bus_message_unref(m);
}

static void test_odd(void **state) {
        sd_bus_message *m = message(state);
        WireHappening happening;
        WireAnswer answer;
        Report report;

#define ITEM(type, verdict) "a" WIRE_ITEM, 1, "br0", type, "", verdict, "", "", "", 0, "", 0, ""
        refuse_items(state, ITEM("link", "odd"), 0);
        refuse_items(state, ITEM("odd", "ok"), 0);
        refuse_items(state, ITEM("", ""), 0);
        refuse_items(state, ITEM("link", "ok"), 1, "key", 2, "one", "two", 0, "");
#undef ITEM
        refuse_items(state, "");
        refuse_items(state, "s", "br0");
        refuse_items(state, "as", 1, "br0");
        refuse_items(state, "a(s)", 1, "br0");
        refuse_items(state, "v", "s", "br0");

        assert_true(sd_bus_message_append(m, "ss", "odd", "lab") >= 0);
        assert_int_equal(wire_append_items(m, NULL), 0);
        assert_int_equal(wire_append_problems(m, NULL), 0);
        assert_true(sd_bus_message_append(m, "sii", "", 0, 0) >= 0);
        seal(m);
        assert_int_equal(wire_read_answer(m, &answer), -EBADMSG);
        assert_true(sd_bus_message_rewind(m, true) >= 0);
        assert_true(wire_read_happening(m, &happening) < 0);
        assert_true(sd_bus_message_rewind(m, true) >= 0);
        assert_true(wire_read_problems(m, &report) < 0);
        sd_bus_message_unref(m);
}

/* Bytes that no sd-bus wrote: a daemon of another program. */

static void feed(int fd, const void *bytes, size_t size) {
        assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

/* A client whose other side is `fd`, and is let in. */
static sd_bus *client(int *ret_fd) {
        static const char let_in[] = "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n"
                                     "AGREE_UNIX_FD\r\n";
        sd_bus *sd = NULL;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        assert_true(sd_bus_new(&sd) >= 0);
        assert_true(sd_bus_set_fd(sd, pair[0], pair[0]) >= 0);
        assert_true(sd_bus_start(sd) >= 0);
        feed(pair[1], let_in, strlen(let_in));
        for (unsigned i = 0; i < 10 && sd_bus_is_ready(sd) <= 0; i++)
                assert_true(sd_bus_process(sd, NULL) >= 0);
        assert_true(sd_bus_is_ready(sd) > 0);
        *ret_fd = pair[1];
        return sd;
}

/* An answer as it is on the wire. */
static size_t answer_bytes(uint8_t *bytes, size_t room) {
        PlanLine line = {.key = "mode", .from = "vepa", .to = "bridge", .at = {&source, 1, 2}};
        PlanItem item = {.path = "br0", .kind = "bridge", .reason = "why", .lines = &line,
                         .at = {&source, 3, 4}};
        Plan plan = {.items = (PlanItem *[]){&item, &item, &item}, .n_items = 3};
        DaemonAnswer answer = {.name = "lab", .plan = &plan};
        sd_bus_message *m = NULL;
        Report report = {};
        char drop[256];
        ssize_t n;
        sd_bus *sd;
        int fd;

        sd = client(&fd);
        while (recv(fd, drop, sizeof(drop), 0) > 0)
                ;
        report_add(&report, (Location){&source, 1, 1}, "x", "unknown key");
        answer.report = &report;
        assert_true(sd_bus_message_new_signal(sd, &m, "/a", "a.b", "C") >= 0);
        assert_int_equal(wire_append_answer(m, &answer), 0);
        assert_true(sd_bus_send(sd, m, NULL) >= 0);
        n = recv(fd, bytes, room, 0);
        assert_true(n > 0 && (size_t)n < room);
        sd_bus_message_unref(m);
        sd_bus_close_unref(sd);
        close(fd);
        report_deinit(&report);
        return (size_t)n;
}

static size_t read_whatever(sd_bus_message *m) {
        WireAnswer answer;
        WireHappening happening;
        Report report;
        Plan *plan;
        size_t good = 0;

        if (wire_read_answer(m, &answer) == 0) {
                good++;
                wire_answer_deinit(&answer);
        }
        sd_bus_message_rewind(m, true);
        if (wire_read_items(m, &plan) == 0)
                plan_free(plan);
        sd_bus_message_rewind(m, true);
        if (wire_read_problems(m, &report) == 0)
                report_deinit(&report);
        sd_bus_message_rewind(m, true);
        wire_read_happening(m, &happening);
        return good;
}

static void test_mutations(_unused_ void **state) {
        uint8_t bytes[4096], odd[4096];
        size_t size = answer_bytes(bytes, sizeof(bytes)), good = 0, seen = 0;
        unsigned seed = 1;

        for (unsigned round = 0; round < 3000; round++) {
                sd_bus_message *m = NULL;
                sd_bus *sd;
                int fd;

                sd = client(&fd);
                memcpy(odd, bytes, size);
                for (unsigned i = 0; i < round % 4; i++)
                        odd[rand_r(&seed) % size] = (uint8_t)rand_r(&seed);
                feed(fd, odd, round % 7 == 6 ? rand_r(&seed) % size + 1 : size);
                for (unsigned i = 0; i < 4 && !m; i++)
                        if (sd_bus_process(sd, &m) < 0)
                                break;
                if (m) {
                        seen++;
                        good += read_whatever(m);
                }
                sd_bus_message_unref(m);
                sd_bus_close_unref(sd);
                close(fd);
        }
        assert_true(good > 600);  /* a quarter is not changed at all */
        assert_true(good < seen); /* and some was for us to refuse */
}

/* The gate. */

static size_t gate_push(Gate *gate, const uint8_t *bytes, size_t size, size_t step, Buf *out,
                        int *ret) {
        size_t at = 0, messages = 0;

        *ret = 0;
        while (at < size) {
                const void *piece;
                size_t n;
                void *to;

                *ret = gate_room(gate, &to, &n);
                if (*ret < 0)
                        return messages;
                n = MIN(MIN(n, step), size - at);
                memcpy(to, bytes + at, n);
                gate_fed(gate, n);
                at += n;
                for (;;) {
                        bool message = gate->begun;

                        *ret = gate_piece(gate, &piece, &n);
                        if (*ret < 0 || n == 0)
                                break;
                        buf_addn(out, piece, n);
                        gate_taken(gate, n);
                        messages += message;
                }
                if (*ret < 0)
                        return messages;
        }
        return messages;
}

/* A header, and as much behind it as it says. */
static size_t put_message(uint8_t *to, char endian, uint32_t body, uint32_t fields) {
        size_t size = 16 + ((fields + 7) & ~7u) + body;

        memset(to, 'x', size);
        to[0] = (uint8_t)endian;
        to[1] = 1;
        to[3] = 1;
        for (unsigned i = 0; i < 4; i++) {
                unsigned shift = endian == 'l' ? 8 * i : 8 * (3 - i);

                to[4 + i] = (uint8_t)(body >> shift);
                to[12 + i] = (uint8_t)(fields >> shift);
        }
        return size;
}

static void test_gate(_unused_ void **state) {
        static const char auth[] = "\0AUTH EXTERNAL\r\nDATA" BEGIN;
        uint8_t bytes[1024];
        size_t size = sizeof(auth) - 1;

        memcpy(bytes, auth, size);
        size += put_message(bytes + size, 'l', 13, 37);
        size += put_message(bytes + size, 'B', 0, 0);
        size += put_message(bytes + size, 'B', 200, 8);
        for (size_t step = 1; step < size; step++) {
                _cleanup_(buf_deinit) Buf out = {};
                Gate gate = {};
                int r;

                assert_int_equal(gate_push(&gate, bytes, size, step, &out, &r), 3);
                assert_int_equal(r, 0);
                assert_false(gate_is_amid(&gate));
                assert_int_equal(out.size, size);
                assert_memory_equal(out.text, bytes, size);
                gate_deinit(&gate);
        }
}

static void refuse(const void *bytes, size_t size) {
        _cleanup_(buf_deinit) Buf out = {};
        Gate gate = {.begun = true};
        int r;

        assert_int_equal(gate_push(&gate, bytes, size, 7, &out, &r), 0);
        assert_int_equal(r, -EBADMSG);
        assert_int_equal(out.size, 0); /* sd-bus saw nothing of it */
        gate_deinit(&gate);
}

static void test_gate_refuses(_unused_ void **state) {
        static uint8_t bytes[2 * GATE_MESSAGE_MAX];
        Gate gate = {};
        Buf out = {};
        int r;

        put_message(bytes, 'l', GATE_MESSAGE_MAX - 15, 0);
        refuse(bytes, sizeof(bytes));
        put_message(bytes, 'l', 0, GATE_MESSAGE_MAX);
        refuse(bytes, sizeof(bytes));
        put_message(bytes, 'l', 8, 8);
        memset(bytes + 4, 0xff, 4);
        refuse(bytes, sizeof(bytes));
        memset(bytes + 12, 0xff, 4);
        refuse(bytes, sizeof(bytes));
        put_message(bytes, 'x', 8, 8);
        refuse(bytes, sizeof(bytes));
        put_message(bytes, 'l', 8, 8);
        bytes[3] = 2;
        refuse(bytes, sizeof(bytes));

        /* Who never begins. */
        memset(bytes, '\n', sizeof(bytes));
        gate_push(&gate, bytes, sizeof(bytes), 100, &out, &r);
        assert_int_equal(r, -EBADMSG);
        assert_true(out.size < GATE_AUTH_MAX);
        gate_deinit(&gate);
        buf_deinit(&out);

        /* The largest there can be. */
        gate.begun = true;
        r = (int)put_message(bytes, 'l', GATE_MESSAGE_MAX - 16, 0);
        assert_int_equal(gate_push(&gate, bytes, (size_t)r, SIZE_MAX, &out, &r), 1);
        gate_deinit(&gate);
        buf_deinit(&out);
}

/* The history. */

static void add(History *history, uint64_t number) {
        char text[32];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
        history_add(history, &(Happening){.path = "br0", .kind = "", .action = "", .text = text,
                                          .at = "x:1:1", .realtime_us = number});
}

static void test_history(_unused_ void **state) {
        static History history;
        const Happening *found;
        uint64_t number = 0;

        assert_null(history_get(&history, 0, &number));
        for (uint64_t i = 0; i < 3 * HISTORY_MAX + 5; i++) {
                add(&history, i);
                found = history_get(&history, i, &number);
                assert_int_equal(number, i);
                assert_int_equal(found->realtime_us, i);
                assert_int_equal(strtoull(found->text, NULL, 10), i);
                assert_string_equal(found->at, "x:1:1");
                assert_null(history_get(&history, i + 1, &number));
        }
        found = history_get(&history, 0, &number);
        assert_int_equal(number, 2 * HISTORY_MAX + 5);
        assert_int_equal(found->realtime_us, number);

        history_forget(&history);
        assert_null(history_get(&history, 0, &number));
        assert_int_equal(history.next, 3 * HISTORY_MAX + 5); /* listeners go on counting */
        add(&history, 1);
        assert_non_null(history_get(&history, 0, &number));
        assert_int_equal(number, 3 * HISTORY_MAX + 5);
        history_deinit(&history);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_items, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_places, setup, teardown),
                cmocka_unit_test_setup_teardown(test_problems, setup, teardown),
                cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_happening, setup, teardown),
                cmocka_unit_test_setup_teardown(test_odd, setup, teardown),
                cmocka_unit_test(test_mutations),
                cmocka_unit_test(test_gate),
                cmocka_unit_test(test_gate_refuses),
                cmocka_unit_test(test_history),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
