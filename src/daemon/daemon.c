/* SPDX-License-Identifier: MIT */
/*
 * The daemon: load, watch, and keep. Everything it does is one of three things: the keeper's next
 * step, because of news or because of the time; an order; or an answer to whoever asks.
 */

#include "daemon/internal.h"

#include "daemon/lastgood.h"
#include "daemon/outcome.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define RUN_NETNS "/run/netns"
#define PRIORITY_KEEPER (SD_EVENT_PRIORITY_NORMAL - 10)
#define BUSY_MS 20u /* a settlement that takes longer shares the time with those who ask */
#define LOCK_TIMEOUT_MS 10000u /* an `apply` is at work on the same record */

const char *daemon_state_name(DaemonState state) {
        static const char *const names[_DAEMON_STATE_N] = {
                [DAEMON_STARTING] = "starting",
                [DAEMON_SETTLING] = "settling",
                [DAEMON_SETTLED] = "settled",
        };

        return names[state];
}

static uint64_t clock_us(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t now_ms(void) {
        return clock_us(CLOCK_MONOTONIC) / 1000;
}

/* Telling. */

static void format_lines(const PlanItem *item, Buf *ret) {
        for (const PlanLine *line = item->lines; line; line = line->next) {
                if (ret->size > 0)
                        buf_add(ret, "; ");
                buf_printf(ret, "%s: ", line->key);
                if (line->from && line->to)
                        buf_printf(ret, "%s -> %s", line->from, line->to);
                else
                        buf_add(ret, line->to ? line->to : "(none)");
        }
}

void daemon_tell(Daemon *daemon, HappeningType type, const PlanItem *item, const char *text) {
        static const PlanItem whole = {.type = ITEM_LINK, .path = "", .kind = ""};
        _cleanup_(buf_deinit) Buf at = {}, lines = {}, path = {};
        bool acts = item && (type == HAPPENED_NOTICED || type == HAPPENED_DONE) &&
                    item->verdict != VERDICT_OK;
        Happening happening;

        if (!item)
                item = &whole;
        item_key(item, &path);
        if (acts && !*text)
                format_lines(item, &lines);
        location_format(type == HAPPENED_FAILED && item->failure ? item->failure_at : item->at, &at);
        happening = (Happening){
                .type = type,
                .realtime_us = clock_us(CLOCK_REALTIME),
                .path = buf_text(&path),
                .kind = item->kind ? item->kind : "",
                .action = acts ? verdict_name(item->verdict) : "",
                .text = lines.size ? buf_text(&lines) : text,
                .at = buf_text(&at),
        };
        log_happening(&daemon->log, &happening);
        if (daemon->bus)
                bus_tell(daemon->bus, &happening);
}

void daemon_status(const Daemon *daemon, DaemonStatus *ret) {
        KeeperStatus status;

        keeper_status(daemon->keeper, &status);
        *ret = (DaemonStatus){
                .name = buf_text(&daemon->name),
                .state = daemon->wanted ? status.state : DAEMON_SETTLED,
                .paused = keeper_is_paused(daemon->keeper),
                .degraded = daemon->degraded,
                .noisy = status.noisy,
                .generation = daemon->generation,
                .plan = status.plan,
        };
}

/* What `systemctl status` shows. */
static void tell_systemd(const Daemon *daemon) {
        static const Verdict verdicts[] = {VERDICT_OK, VERDICT_WAITING, VERDICT_FAILED,
                                           VERDICT_CONFLICT, VERDICT_CONTESTED};
        _cleanup_(buf_deinit) Buf text = {};
        DaemonStatus status;

        daemon_status(daemon, &status);
        for (size_t i = 0; i < ELEMENTSOF(verdicts); i++)
                if (status.plan->counts[verdicts[i]] > 0)
                        buf_printf(&text, "%s%zu %s", text.size ? ", " : "",
                                   status.plan->counts[verdicts[i]], verdict_name(verdicts[i]));
        if (status.paused)
                buf_add(&text, text.size ? ", paused" : "paused");
        if (status.degraded)
                buf_printf(&text, "%sdegraded: %s", text.size ? "; " : "", status.degraded);
        sd_notifyf(0, "STATUS=%s", text.size ? buf_text(&text) : "nothing is declared");
}

static void status_changed(void *userdata) {
        Daemon *daemon = userdata;

        daemon->generation++;
        tell_systemd(daemon);
        if (daemon->bus)
                bus_changed(daemon->bus);
}

void daemon_set_degraded(Daemon *daemon, const Report *report) {
        const Problem *problem = report ? report->first : NULL;
        _cleanup_(buf_deinit) Buf text = {};

        free(daemon->degraded);
        daemon->degraded = NULL;
        if (problem) {
                location_format(problem->at, &text);
                buf_printf(&text, "%s%s", text.size ? ": " : "", problem->text);
                if (report->n > 1)
                        buf_printf(&text, " (and %zu more)", report->n - 1);
                daemon->degraded = buf_steal(&text);
        }
        if (daemon->keeper)
                status_changed(daemon);
}

/* Keeping. */

static int now_ready(Daemon *daemon) {
        if (daemon->told)
                return 0;
        daemon->told = true;
        return sd_notify(0, "READY=1");
}

static void keeper_told(void *userdata, HappeningType type, const PlanItem *item,
                        const char *text) {
        daemon_tell(userdata, type, item, text);
}

static void keeper_loaded(void *userdata, const SettleResult *result) {
        Daemon *daemon = userdata;

        if (result->record_error < 0)
                log_errno(&daemon->log, result->record_error,
                          "the record can't be written: what was done may not be undone later");
        now_ready(daemon);
        daemon_answer_loaded(daemon, result);
}

static int open_store(Daemon *daemon) {
        int r;

        if (daemon->store)
                return 0;
        r = store_open(buf_text(&daemon->runtime), buf_text(&daemon->name), STORE_KEEP,
                       LOCK_TIMEOUT_MS, &daemon->store);
        if (r < 0)
                return log_errno(&daemon->log, r, "the record");
        if (r > 0) {
                log_line(&daemon->log, LOG_ERR, "the record of '%s' %s", buf_text(&daemon->name),
                         r == STORE_E_BUSY     ? "is in use by another command or daemon"
                         : r == STORE_E_UNSAFE ? "is not safe to use: others could write to it"
                                               : "belongs to another network namespace");
                return -EBUSY;
        }
        return 0;
}

void daemon_want(Daemon *daemon, Network *wanted) {
        Network *old = daemon->wanted;

        daemon->wanted = wanted;
        if (!daemon->keeper)
                return;
        if (open_store(daemon) < 0) {
                sd_event_exit(daemon->event, -EBUSY);
                return;
        }
        daemon->loading = true;
        keeper_want(daemon->keeper, wanted, daemon->store);
        if (daemon->before)
                network_free(old); /* it was never tried, so no status speaks of it */
        else
                daemon->before = old;
        sd_event_source_set_enabled(daemon->step, SD_EVENT_ONESHOT);
        daemon_tell(daemon, HAPPENED_LOADED, NULL, "");
}

/* As long as a settlement is short nobody can get in between; a long one shares. */
static void set_pace(Daemon *daemon, uint64_t now, bool busy) {
        if (!busy)
                daemon->busy_since = 0;
        else if (daemon->busy_since == 0)
                daemon->busy_since = now;
        sd_event_source_set_priority(daemon->step,
                                     busy && now - daemon->busy_since > BUSY_MS
                                             ? SD_EVENT_PRIORITY_IDLE : PRIORITY_KEEPER);
}

static void run_keeper(Daemon *daemon) {
        uint64_t now = now_ms(), next;
        bool listens;
        int r = keeper_step(daemon->keeper, now, &next, &listens);

        if (r < 0 && r != daemon->last_error)
                log_errno(&daemon->log, r, "can't settle, will try again");
        daemon->last_error = r;
        set_pace(daemon, now, next <= now);
        sd_event_source_set_enabled(daemon->news, listens ? SD_EVENT_ON : SD_EVENT_OFF);
        sd_event_source_set_enabled(daemon->step, next <= now ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        sd_event_source_set_time(daemon->timer, next > UINT64_MAX / 1000 ? UINT64_MAX : next * 1000);
        sd_event_source_set_enabled(daemon->timer,
                                    next > now && next != UINT64_MAX ? SD_EVENT_ONESHOT
                                                                     : SD_EVENT_OFF);
}

static int on_news(sd_event_source *source _unused_, int fd _unused_, uint32_t events _unused_,
                   void *userdata) {
        run_keeper(userdata);
        return 0;
}

static int on_time(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        run_keeper(userdata);
        return 0;
}

static int on_step(sd_event_source *source _unused_, void *userdata) {
        run_keeper(userdata);
        return 0;
}

static int on_load(sd_event_source *source _unused_, void *userdata) {
        daemon_run_orders(userdata);
        return 0;
}

/* Pausing. */

/* The path is a key as it is: "br0", "ns1/". */
static int pause_result(Daemon *daemon, HappeningType type, const char *path, int r) {
        const PlanItem item = {.type = ITEM_LINK, .path = path ? path : "", .kind = ""};

        if (r < 0)
                return r;
        daemon_tell(daemon, type, &item, "");
        status_changed(daemon);
        run_keeper(daemon);
        return 0;
}

int daemon_pause(Daemon *daemon, const char *path, uint64_t for_ms) {
        uint64_t until = for_ms ? now_ms() + for_ms : UINT64_MAX;

        return pause_result(daemon, HAPPENED_PAUSED, path,
                            keeper_pause(daemon->keeper, path ? path : "", until));
}

int daemon_resume(Daemon *daemon, const char *path) {
        return pause_result(daemon, HAPPENED_RESUMED, path,
                            keeper_resume(daemon->keeper, path ? path : ""));
}

/* Beginning and end. */

static int on_hangup(sd_event_source *source _unused_, const struct signalfd_siginfo *si _unused_,
                     void *userdata) {
        Daemon *daemon = userdata;
        int r = daemon_order(daemon, DAEMON_RELOAD, NULL, 0, false, NULL, NULL);

        if (r < 0)
                log_errno(&daemon->log, r, "can't reload");
        return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *si _unused_,
                  void *userdata _unused_) {
        sd_notify(0, "STOPPING=1");
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int block_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        signal(SIGPIPE, SIG_IGN);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int open_event(Daemon *daemon) {
        int r = block_signals();

        if (r == 0)
                r = sd_event_default(&daemon->event);
        if (r >= 0)
                r = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_end, daemon);
        if (r >= 0)
                r = sd_event_add_signal(daemon->event, NULL, SIGINT, on_end, daemon);
        if (r >= 0)
                r = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_hangup, daemon);
        if (r >= 0)
                r = sd_event_add_defer(daemon->event, &daemon->load, on_load, daemon);
        if (r >= 0)
                r = sd_event_source_set_enabled(daemon->load, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_set_watchdog(daemon->event, true);
        return MIN(r, 0);
}

static int open_keeper(Daemon *daemon) {
        const KeeperHooks hooks = {
                .tell = keeper_told,
                .loaded = keeper_loaded,
                .changed = status_changed,
                .userdata = daemon,
        };
        int fd, r = kernel_new(RUN_NETNS, &daemon->kernel);

        if (r == 0)
                r = keeper_new(daemon->kernel, &hooks, &daemon->keeper, &fd);
        if (r >= 0)
                r = sd_event_add_io(daemon->event, &daemon->news, fd, EPOLLIN, on_news, daemon);
        if (r >= 0)
                r = sd_event_source_set_priority(daemon->news, PRIORITY_KEEPER);
        if (r >= 0)
                r = sd_event_add_time(daemon->event, &daemon->timer, CLOCK_MONOTONIC, 0, 1000,
                                      on_time, daemon);
        if (r >= 0)
                r = sd_event_source_set_priority(daemon->timer, PRIORITY_KEEPER);
        if (r >= 0)
                r = sd_event_add_defer(daemon->event, &daemon->step, on_step, daemon);
        return MIN(r, 0);
}

static int open_folders(Daemon *daemon) {
        int r = store_runtime(daemon->options->runtime_dir, &daemon->runtime);

        return r < 0 ? r : lastgood_folder(daemon->options->runtime_dir, &daemon->folder);
}

static int open_bus(Daemon *daemon) {
        bool system = !daemon->options->runtime_dir && store_in_initial_netns();
        int r = bus_new(daemon, daemon->event, buf_text(&daemon->runtime), system, &daemon->bus);

        if (r != -EADDRINUSE)
                return r < 0 ? log_errno(&daemon->log, r, "the control socket") : 0;
        log_line(&daemon->log, LOG_ERR, "another mvnetd runs already (%s/" BUS_SOCKET " answers)",
                 buf_text(&daemon->runtime));
        return -EEXIST;
}

static int daemon_open(Daemon *daemon) {
        Network *wanted;
        int r = open_event(daemon);

        if (r == 0)
                r = open_folders(daemon);
        if (r < 0)
                return log_errno(&daemon->log, r, "can't start");
        r = daemon_load_first(daemon);
        if (r < 0)
                return r;
        r = open_keeper(daemon);
        if (r < 0)
                return log_errno(&daemon->log, r, "can't talk to the kernel");
        r = open_bus(daemon);
        if (r < 0)
                return r;
        wanted = daemon->wanted;
        daemon->wanted = NULL;
        if (!wanted)
                return MIN(now_ready(daemon), 0);
        r = open_store(daemon);
        if (r < 0) {
                daemon->wanted = wanted;
                return r;
        }
        daemon_want(daemon, wanted);
        return 0;
}

static void daemon_close(Daemon *daemon) {
        daemon->bus = bus_free(daemon->bus);
        daemon_forget_orders(daemon);
        daemon->keeper = keeper_free(daemon->keeper);
        store_free(daemon->store);
        kernel_free(daemon->kernel);
        network_free(daemon->wanted);
        network_free(daemon->before);
        sd_event_source_unref(daemon->news);
        sd_event_source_unref(daemon->timer);
        sd_event_source_unref(daemon->step);
        sd_event_source_unref(daemon->load);
        sd_event_unref(daemon->event);
        buf_deinit(&daemon->runtime);
        buf_deinit(&daemon->folder);
        buf_deinit(&daemon->name);
        free(daemon->degraded);
}

int daemon_run(const DaemonOptions *options) {
        Daemon daemon = {.options = options};
        int r;

        log_open(&daemon.log);
        r = daemon_open(&daemon);
        if (r == 0)
                r = sd_event_loop(daemon.event);
        daemon_close(&daemon);
        return MIN(r, 0);
}
