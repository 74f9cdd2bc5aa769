/* SPDX-License-Identifier: MIT */
/*
 * reload, and apply and down of what a daemon keeps. Its answer is printed as if it had been done
 * here, so that scripts, and whoever reads `systemctl status` after a reload, see no difference.
 */

#include "ctl/order.h"

#include "ctl/result.h"
#include "daemon/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A thousand links take seconds; that it is at work at all was found out before. */
#define ANSWER_MS ((uint64_t)10 * 60 * 1000)

/* Giving it. */

static int append_path(sd_bus_message *m, const char *path) {
        _cleanup_(freep) char *folder = NULL, *whole = NULL;

        if (path[0] == '/')
                return sd_bus_message_append(m, "s", path);
        folder = getcwd(NULL, 0);
        if (!folder)
                return -errno;
        if (asprintf(&whole, "%s/%s", folder, path) < 0) {
                whole = NULL;
                return -ENOMEM;
        }
        return sd_bus_message_append(m, "s", whole);
}

static int append_paths(sd_bus_message *m, const Ctl *ctl) {
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (size_t i = 0; r >= 0 && i < ctl->n_paths; i++)
                r = append_path(m, ctl->paths[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static CtlExit give(const Ctl *ctl, sd_bus *sd, const char *member, bool paths,
                    sd_bus_message **ret) {
        sd_bus_message *m = NULL;
        CtlExit code;
        int r;

        r = client_message(sd, member, &m);
        if (r >= 0 && paths)
                r = append_paths(m, ctl);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", (int)ctl->force);
        code = r < 0 ? ctl_error_errno(ctl, r, "what the daemon is asked")
                     : client_call(ctl, sd, m, ANSWER_MS, ret);
        sd_bus_message_unref(m);
        return code;
}

/* --wait */

static int look_waiting(_unused_ const Ctl *ctl, Status *status) {
        return status->plan->counts[VERDICT_WAITING] > 0 ? CLIENT_AGAIN : CTL_DONE;
}

static PlanItem *find_same(const Plan *plan, const PlanItem *like) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->type == like->type && streq(plan->items[i]->path, like->path))
                        return plan->items[i];
        return NULL;
}

/* What waited then, as it is now. */
static void update(Plan *plan, const Plan *now) {
        for (size_t i = 0; i < plan->n_items; i++) {
                PlanItem *item = plan->items[i], *same;

                if (item->verdict != VERDICT_WAITING || !(same = find_same(now, item)))
                        continue;
                plan->counts[item->verdict]--;
                plan->counts[same->verdict]++;
                plan->items[i] = same;
        }
}

/* `ret` has to live as long as the plan. */
static CtlExit wait_for_waiting(const Ctl *ctl, sd_bus *sd, Plan *plan, Status *ret) {
        CtlExit code = CTL_DONE;

        if (!ctl->wait || ctl->wait_ms == 0 || plan->counts[VERDICT_WAITING] == 0)
                return CTL_DONE;
        code = client_wait(ctl, sd, ctl->wait_ms, look_waiting, ret);
        if (code == CTL_DONE || code == CTL_WAITING) {
                update(plan, ret->plan);
                return CTL_DONE; /* the plan tells */
        }
        return code;
}

/* Its answer. */

static bool was_done(const PlanItem *item) {
        switch (item->verdict) {
        case VERDICT_CREATE:
        case VERDICT_CHANGE:
        case VERDICT_RECREATE:
        case VERDICT_DELETE:
        case VERDICT_STAYS:
                return true;
        case VERDICT_OK:
        case VERDICT_WAITING:
        case VERDICT_CONFLICT:
        case VERDICT_FAILED:
        case VERDICT_CONTESTED:
        case _VERDICT_N:
                break;
        }
        return false;
}

static CtlExit print_done(const Ctl *ctl, sd_bus *sd, WireAnswer *answer) {
        SettleResult result = {
                .plan = answer->plan,
                .refused = answer->outcome == DAEMON_REFUSED,
                .record_error = answer->record_error,
        };
        Status status = {};
        CtlExit code = CTL_DONE;

        if (!result.refused && !ctl->json)
                for (size_t i = 0; i < result.plan->n_items; i++)
                        if (was_done(result.plan->items[i]))
                                result_print_item(result.plan->items[i]);
        fflush(stdout);
        if (!result.refused)
                code = wait_for_waiting(ctl, sd, answer->plan, &status);
        if (code == CTL_DONE)
                code = result_print(ctl, answer->name, &result);
        status_deinit(&status);
        return code;
}

static CtlExit print_problems(const Ctl *ctl, const WireAnswer *answer) {
        struct json_object *object;

        if (!ctl->json) {
                fputs(answer->problems, stderr);
                return CTL_USAGE;
        }
        object = json_object_new_object();
        json_add(object, "problems", json_problems(&answer->report));
        return json_print(ctl, object, CTL_USAGE);
}

static CtlExit print_answer(const Ctl *ctl, sd_bus *sd, WireAnswer *answer) {
        switch (answer->outcome) {
        case DAEMON_DONE:
        case DAEMON_REFUSED:
                return print_done(ctl, sd, answer);
        case DAEMON_BAD_FILE:
                return print_problems(ctl, answer);
        case DAEMON_ERROR:
        case _DAEMON_OUTCOME_N:
                break;
        }
        return ctl_error_errno(ctl, answer->error, "the daemon could not do it");
}

static CtlExit order(const Ctl *ctl, sd_bus *sd, const char *member, bool paths) {
        sd_bus_message *reply = NULL;
        WireAnswer answer = {};
        CtlExit code;
        int r;

        code = give(ctl, sd, member, paths, &reply);
        if (code == CTL_DONE) {
                r = wire_read_answer(reply, &answer);
                code = r < 0 ? ctl_error_errno(ctl, r, "what the daemon answered")
                             : print_answer(ctl, sd, &answer);
        }
        wire_answer_deinit(&answer);
        sd_bus_message_unref(reply);
        return code;
}

/* apply and down */

CtlExit order_route(const Ctl *ctl, const char *name, sd_bus **ret) {
        Status status = {};
        sd_bus *sd = NULL;
        CtlExit code;
        int r;

        *ret = NULL;
        r = client_connect(ctl, &sd);
        if (r == CLIENT_E_NO_DAEMON || r == -EACCES) /* not our daemon to be asked */
                return CTL_DONE;
        if (r != 0)
                return client_no_daemon(ctl, r);
        code = client_status(ctl, sd, &status);
        if (code == CTL_DONE && streq(status.name, name)) {
                *ret = sd;
                sd = NULL;
        }
        status_deinit(&status);
        sd_bus_close_unref(sd);
        return code;
}

CtlExit order_apply(const Ctl *ctl, sd_bus *sd, const char *name) {
        CtlExit code;

        for (size_t i = 0; i < ctl->n_paths; i++)
                if (streq(ctl->paths[i], "-")) {
                        ctl_error(ctl, "the daemon keeps '%s', and can't read our standard input: "
                                  "say --name for another one, or use a file", name);
                        sd_bus_close_unref(sd);
                        return CTL_USAGE;
                }
        code = order(ctl, sd, "Apply", true);
        sd_bus_close_unref(sd);
        return code;
}

CtlExit order_down(const Ctl *ctl, sd_bus *sd) {
        CtlExit code = order(ctl, sd, "Down", false);

        sd_bus_close_unref(sd);
        return code;
}

/* reload */

static CtlExit run_reload(Ctl *ctl) {
        sd_bus *sd = NULL;
        CtlExit code;

        code = client_open(ctl, &sd);
        if (code == CTL_DONE)
                code = order(ctl, sd, "Reload", false);
        sd_bus_close_unref(sd);
        return code;
}

const Verb verbs_reload = {
        .name = "reload",
        .arguments = "",
        .doc = "Have the daemon read its files again, and tell what came of it",
        .options = CTL_OPT_FORCE | CTL_OPT_TIMEOUT | CTL_OPT_WAIT,
        .timeout_doc = "how long the daemon may take to show that it is there (10s)",
        .run = run_reload,
};
