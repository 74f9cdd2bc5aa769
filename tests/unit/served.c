/* SPDX-License-Identifier: MIT */
/* The bus is served by this process, so whoever calls it and waits has to be another one. */

#include "served.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534

/* The daemon. */

void daemon_status(const Daemon *daemon, DaemonStatus *ret) {
        Daemon *self = (Daemon *)daemon;

        self->n_asked++;
        if (self->mend_in > 0 && --self->mend_in == 0) {
                self->status.state = DAEMON_SETTLING;
                self->mended->verdict = VERDICT_WAITING;
        }
        *ret = self->status;
}

const char *daemon_state_name(DaemonState state) {
        static const char *const names[_DAEMON_STATE_N] = {"starting", "settling", "settled"};

        return names[state];
}

const char *happening_name(HappeningType type) {
        static const char *const names[_HAPPENING_TYPE_N] = {
                "noticed", "done",     "failed", "waiting", "conflict", "contested",
                "noisy",   "loaded",   "bad-file", "paused", "resumed", "settled",
        };

        return names[type];
}

int daemon_order(Daemon *daemon, DaemonOrder order, const char *const *paths, size_t n_paths,
                 bool force, DaemonDone done, void *userdata) {
        ServedOrder *given;

        if (daemon->order_error < 0)
                return daemon->order_error;
        assert_true(daemon->n_orders < SERVED_ORDERS_MAX);
        given = &daemon->orders[daemon->n_orders++];
        *given = (ServedOrder){.order = order, .force = force, .done = done, .userdata = userdata};
        for (size_t i = 0; i < n_paths; i++) {
                size_t size = strlen(given->paths);

                snprintf(given->paths + size, sizeof(given->paths) - size, "%s ", paths[i]);
        }
        if (daemon->answer)
                done(userdata, daemon->answer);
        return 0;
}

void daemon_drop_orders(Daemon *daemon, void *userdata) {
        for (size_t i = 0; i < daemon->n_orders; i++)
                if (daemon->orders[i].done && daemon->orders[i].userdata == userdata) {
                        daemon->orders[i].done = NULL;
                        daemon->n_dropped++;
                }
}

static bool is_declared(const Daemon *daemon, const char *path) {
        for (size_t i = 0; i < daemon->plan.n_items; i++) {
                const PlanItem *item = daemon->plan.items[i];
                size_t size = strlen(item->path);

                if (item->type == ITEM_LINK && streq(item->path, path))
                        return true;
                if (item->type == ITEM_NETNS && strncmp(item->path, path, size) == 0 &&
                    streq(path + size, "/"))
                        return true;
        }
        return false;
}

int daemon_pause(Daemon *daemon, const char *path, uint64_t for_ms) {
        if (path && !is_declared(daemon, path))
                return -ENOENT;
        snprintf(daemon->paused, sizeof(daemon->paused), "%s", path ? path : "*");
        daemon->paused_ms = for_ms;
        return 0;
}

int daemon_resume(Daemon *daemon, const char *path) {
        if (!streq(daemon->paused, path ? path : "*"))
                return -ENOENT;
        daemon->paused[0] = '\0';
        return 0;
}

/* What it has to say. */

PlanItem *served_add(Served *served, ItemType type, const char *path, Verdict verdict,
                     const char *reason, unsigned line) {
        static const Source source = {.name = "lab.yaml", .text = ""};
        Plan *plan = &served->daemon.plan;
        PlanItem *item = arena_new(&plan->arena, PlanItem);
        PlanItem **items = arena_new_n(&plan->arena, PlanItem *, plan->n_items + 1);

        assert_non_null(item);
        assert_non_null(items);
        *item = (PlanItem){
                .type = type,
                .path = arena_strdup(&plan->arena, path),
                .kind = type == ITEM_LINK ? "bridge" : "namespace",
                .verdict = verdict,
                .reason = reason,
                .at = {&source, line, 3},
        };
        if (plan->n_items > 0)
                memcpy(items, plan->items, plan->n_items * sizeof(*items));
        items[plan->n_items++] = item;
        plan->items = items;
        plan->counts[verdict]++;
        return item;
}

void served_changed(Served *served) {
        served->daemon.status.generation++;
        bus_changed(served->bus);
}

void served_set(Served *served, PlanItem *item, Verdict verdict, const char *reason) {
        served->daemon.plan.counts[item->verdict]--;
        served->daemon.plan.counts[verdict]++;
        item->verdict = verdict;
        item->reason = reason;
        served_changed(served);
}

/* Turns and children. */

static uint64_t now_us(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void served_turn(Served *served, unsigned ms) {
        uint64_t now = now_us(), end = now + (uint64_t)ms * 1000;
        char bytes[4096];
        ssize_t n;

        for (; now < end; now = now_us())
                assert_true(sd_event_run(served->event, end - now) >= 0);
        while ((n = read(served->events[0], bytes, sizeof(bytes))) > 0)
                served->n_events += (size_t)n;
}

static void become_nobody(void) {
        if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
                _exit(99);
}

pid_t served_fork(Served *served, int (*run)(Served *served), bool as_nobody) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
                if (as_nobody)
                        become_nobody();
                _exit(run(served));
        }
        return child;
}

int served_wait(Served *served, pid_t child) {
        int status = 0;

        for (unsigned i = 0; i < 6000; i++) {
                pid_t pid = waitpid(child, &status, WNOHANG);

                if (pid == child)
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                served_turn(served, 10);
        }
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        return 124;
}

int served_child(Served *served, int (*run)(Served *served), bool as_nobody) {
        return served_wait(served, served_fork(served, run, as_nobody));
}

static void redirect(const char *path, int to) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        if (fd < 0 || dup2(fd, to) < 0)
                _exit(98);
}

pid_t served_start(Served *served, const char *verb, ...) {
        const char *arguments[32] = {MVNETCTL, verb, "--runtime-dir", served->runtime};
        pid_t child;
        va_list ap;
        size_t n = 4;

        va_start(ap, verb);
        while (n < ELEMENTSOF(arguments) - 1 && (arguments[n] = va_arg(ap, const char *)))
                n++;
        va_end(ap);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                redirect(served->output, STDOUT_FILENO);
                redirect(served->errors, STDERR_FILENO);
                if (unshare(CLONE_NEWNET) < 0 || chdir(served->top) < 0)
                        _exit(97);
                execv(MVNETCTL, (char **)arguments);
                _exit(96);
        }
        return child;
}

int served_finish(Served *served, pid_t child) {
        return served_wait(served, child);
}

static const char *slurp(Served *served, const char *path) {
        int fd = open(path, O_RDONLY);
        ssize_t n = fd >= 0 ? read(fd, served->text, sizeof(served->text) - 1) : 0;

        fd_close(fd);
        served->text[MAX(n, 0)] = '\0';
        return served->text;
}

const char *served_output(Served *served) {
        return slurp(served, served->output);
}

const char *served_errors(Served *served) {
        return slurp(served, served->errors);
}

/* Beginning and end. */

int served_setup(void **state) {
        Served *served = calloc(1, sizeof(*served));

        if (!served || geteuid() != 0 || pipe2(served->events, O_NONBLOCK | O_CLOEXEC) < 0)
                return -1;
        strcpy(served->top, "/tmp/mvnet-bus-XXXXXX");
        if (!mkdtemp(served->top) || chmod(served->top, 0755) < 0)
                return -1;
        snprintf(served->runtime, sizeof(served->runtime), "%s/run", served->top);
        snprintf(served->output, sizeof(served->output), "%s/output", served->top);
        snprintf(served->errors, sizeof(served->errors), "%s/errors", served->top);
        served->daemon.status = (DaemonStatus){
                .name = "lab",
                .state = DAEMON_SETTLED,
                .generation = 1,
                .plan = &served->daemon.plan,
        };
        if (sd_event_new(&served->event) < 0 ||
            bus_new(&served->daemon, served->event, served->runtime, false, &served->bus) < 0)
                return -1;
        *state = served;
        return 0;
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *ftw) {
        return remove(path);
}

int served_teardown(void **state) {
        Served *served = *state;

        bus_free(served->bus);
        sd_event_unref(served->event);
        arena_deinit(&served->daemon.plan.arena);
        fd_close(served->events[0]);
        fd_close(served->events[1]);
        nftw(served->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(served);
        return 0;
}
