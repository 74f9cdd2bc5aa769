/* SPDX-License-Identifier: MIT */
/*
 * wait-online: boot goes on when the network is as declared. With --hold it stays and watches, so
 * that systemd has a service that is up for as long as a namespace is all right.
 */

#include "ctl/client.h"
#include "ctl/result.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define RETRY_MS 500u

static bool is_missing(const PlanItem *item) {
        return item->verdict != VERDICT_OK && !item->optional;
}

static bool is_any_missing(const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (is_missing(plan->items[i]))
                        return true;
        return false;
}

/* A daemon that has just started does not know yet how anything is. */
static bool is_starting(const Status *status) {
        return streq(status->state, "starting");
}

static int look_online(const Ctl *ctl, Status *status) {
        const char *unknown = plan_unknown(status->plan, ctl->paths, ctl->n_paths);

        if (unknown && (ctl->hold || is_starting(status)))
                return CLIENT_AGAIN; /* declared later, perhaps */
        if (unknown)
                return client_unknown(ctl, status->plan, unknown);
        plan_select(status->plan, ctl->paths, ctl->n_paths);
        return is_starting(status) || is_any_missing(status->plan) ? CLIENT_AGAIN : CTL_DONE;
}

/* What is being put back right now is not lost. */
static int look_lost(const Ctl *ctl, Status *status) {
        const char *unknown = plan_unknown(status->plan, ctl->paths, ctl->n_paths);

        if (!streq(status->state, "settled"))
                return CLIENT_AGAIN;
        if (unknown)
                return client_unknown(ctl, status->plan, unknown);
        plan_select(status->plan, ctl->paths, ctl->n_paths);
        return is_any_missing(status->plan) ? CTL_FAILED : CLIENT_AGAIN;
}

static void print_missing(const Ctl *ctl, const Status *status) {
        size_t n = 0;

        for (size_t i = 0; i < status->plan->n_items; i++)
                if (is_missing(status->plan->items[i])) {
                        result_print_state(status->plan->items[i]);
                        n++;
                }
        if (n > 0)
                ctl_note(ctl, "not online: %zu object%s missing", n, n == 1 ? " is" : "s are");
        else
                ctl_note(ctl, "not online: the daemon is still %s", status->state);
}

static struct json_object *json_online(const Status *status, bool online) {
        struct json_object *object = json_object_new_object();
        struct json_object *missing = json_object_new_array();

        for (size_t i = 0; i < status->plan->n_items; i++)
                if (is_missing(status->plan->items[i]))
                        json_append(missing, json_item(status->plan->items[i]));
        json_add(object, "online", json_object_new_boolean(online));
        json_add(object, "missing", missing);
        return object;
}

/* Optional ones fail without consequence here. */
static CtlExit missing_code(const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++) {
                const PlanItem *item = plan->items[i];

                if (is_missing(item) && item->verdict != VERDICT_WAITING)
                        return CTL_FAILED;
        }
        return CTL_WAITING;
}

static CtlExit end(const Ctl *ctl, Status *status, CtlExit code) {
        if (code != CTL_DONE && !ctl->json)
                print_missing(ctl, status);
        return ctl->json ? json_print(ctl, json_online(status, code == CTL_DONE), code) : code;
}

static CtlExit wait_online(const Ctl *ctl, sd_bus *sd, uint64_t timeout_ms) {
        Status status = {};
        CtlExit code;

        code = client_wait(ctl, sd, timeout_ms, look_online, &status);
        if (code == CTL_DONE && !ctl->hold)
                code = end(ctl, &status, CTL_DONE);
        else if (code == CTL_WAITING)
                code = end(ctl, &status, missing_code(status.plan));
        status_deinit(&status);
        return code;
}

/* --hold */

static CtlExit watch(const Ctl *ctl, sd_bus *sd) {
        Status status = {};
        CtlExit code;

        code = client_wait(ctl, sd, 0, look_lost, &status);
        if (code == CTL_FAILED)
                code = end(ctl, &status, CTL_FAILED);
        status_deinit(&status);
        return code;
}

static uint64_t now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* As client_wait() has it: 0 is for ever. */
static uint64_t left_ms(uint64_t deadline) {
        uint64_t now = now_ms();

        if (deadline == UINT64_MAX)
                return 0;
        return deadline > now ? deadline - now : 1;
}

/* A daemon that is stopped leaves the network as it is: no news from it is no bad news. */
static CtlExit hold(const Ctl *ctl, uint64_t timeout_ms) {
        uint64_t deadline = timeout_ms > 0 ? now_ms() + timeout_ms : UINT64_MAX;
        CtlExit code = CTL_NO_DAEMON;
        bool online = false;

        while (code == CTL_NO_DAEMON) {
                sd_bus *sd = NULL;
                int r = client_connect(ctl, &sd);

                if (r != 0 && !online && (r != CLIENT_E_NO_DAEMON || now_ms() >= deadline))
                        return client_no_daemon(ctl, r);
                if (r != 0) {
                        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000}, NULL);
                        continue;
                }
                code = online ? CTL_DONE : wait_online(ctl, sd, left_ms(deadline));
                if (code == CTL_DONE && !online) {
                        sd_notify(0, "READY=1");
                        online = true;
                }
                if (code == CTL_DONE)
                        code = watch(ctl, sd);
                sd_bus_close_unref(sd);
        }
        return code;
}

static CtlExit run_wait_online(Ctl *ctl) {
        unsigned timeout_ms = ctl->timeout_ms;
        sd_bus *sd = NULL;
        CtlExit code;

        ctl->timeout_ms = SETTLE_TIMEOUT_MS; /* of each call */
        if (ctl->hold)
                return hold(ctl, timeout_ms);
        code = client_open(ctl, &sd);
        if (code == CTL_DONE)
                code = wait_online(ctl, sd, timeout_ms);
        sd_bus_close_unref(sd);
        return code;
}

const Verb verbs_wait_online = {
        .name = "wait-online",
        .arguments = "[NAME]…",
        .doc = "Wait until every declared object that is not optional is ok",
        .options = CTL_OPT_TIMEOUT | CTL_OPT_HOLD,
        .timeout_ms = 120000,
        .timeout_doc = "for how long (2min); 0: for ever",
        .run = run_wait_online,
};
