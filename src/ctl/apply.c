/* SPDX-License-Identifier: MIT */
/* validate, plan, apply, down: the verbs that are about the difference. */

#include "ctl/order.h"
#include "ctl/result.h"

#include "mvnet/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define RUN_NETNS "/run/netns"

static CtlExit run_validate(Ctl *ctl) {
        _cleanup_(network_freep) Network *wanted = NULL;
        _cleanup_(buf_deinit) Buf name = {};
        struct json_object *object;
        CtlExit code;

        code = ctl_load(ctl, &wanted);
        if (code == CTL_DONE)
                code = ctl_name(ctl, wanted, &name);
        if (code != CTL_DONE || !ctl->json)
                return code;
        object = json_object_new_object();
        json_add(object, "name", json_text(buf_text(&name)));
        json_add(object, "problems", json_object_new_array());
        return json_print(ctl, object, CTL_DONE);
}

/* plan */

static CtlExit plan_code(const Ctl *ctl, const Plan *plan) {
        if (plan->counts[VERDICT_FAILED] > 0 || plan->counts[VERDICT_CONFLICT] > 0)
                return CTL_FAILED;
        return ctl->exit_code && !plan_is_empty(plan) ? CTL_DIFFERS : CTL_DONE;
}

static void note_unseen(const Ctl *ctl, const Network *have) {
        for (const Namespace *netns = have->namespaces; netns; netns = netns->hh.next)
                if (!netns->exists && netns->reason && geteuid() != 0) {
                        ctl_note(ctl, "namespace %s: %s (this needs root to look into)",
                                 netns->name, netns->reason);
                        return;
                }
}

static CtlExit run_plan(Ctl *ctl) {
        _cleanup_(network_freep) Network *wanted = NULL, *have = NULL;
        _cleanup_(kernel_freep) Kernel *kernel = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_(buf_deinit) Buf name = {}, text = {};
        CtlExit code;
        int r;

        code = ctl_load(ctl, &wanted);
        if (code == CTL_DONE)
                code = ctl_name(ctl, wanted, &name);
        if (code == CTL_DONE)
                code = ctl_store(ctl, buf_text(&name), STORE_READ_ONLY, &store);
        if (code != CTL_DONE)
                return code;
        r = kernel_new(RUN_NETNS, &kernel);
        if (r == 0)
                r = settle_plan(kernel, wanted, store_record(store), &have, &plan);
        if (r < 0)
                return ctl_error_errno(ctl, r, "can't look at the kernel");
        note_unseen(ctl, have);
        if (ctl->json)
                return json_print(ctl, json_plan(buf_text(&name), plan), plan_code(ctl, plan));
        plan_format(plan, ctl_colour(STDOUT_FILENO) ? PLAN_TEXT_COLOUR : 0, &text);
        if (buf_error(&text) < 0)
                return ctl_error_errno(ctl, -ENOMEM, "the plan");
        fputs(buf_text(&text), stdout);
        return plan_code(ctl, plan);
}

/* apply and down */

typedef struct Show {
        const Ctl *ctl;
        time_t began;
        bool line; /* there is a progress line to be wiped */
} Show;

static void wipe(Show *show) {
        if (show->line)
                fputs("\r\033[K", stderr);
        show->line = false;
}

static void show_progress(void *userdata, const PlanItem *item, size_t done, size_t total) {
        Show *show = userdata;

        if (item && !show->ctl->json) {
                wipe(show);
                result_print_item(item);
        }
        if (!item && isatty(STDERR_FILENO) && time(NULL) - show->began >= 2) {
                fflush(stdout);
                fprintf(stderr, "\r\033[K%zu of %zu", done, total);
                show->line = true;
        }
}

static CtlExit apply(Ctl *ctl, const Network *wanted, const char *name) {
        _cleanup_(settle_result_deinit) SettleResult result = {};
        _cleanup_(kernel_freep) Kernel *kernel = NULL;
        _cleanup_(store_freep) Store *store = NULL;
        Show show = {.ctl = ctl, .began = time(NULL)};
        SettleOptions options = {
                .force = ctl->force,
                .timeout_ms = ctl->timeout_ms,
                .wait_ms = ctl->wait_ms,
                .lookup_ms = ctl->timeout_ms,
                .progress = show_progress,
                .userdata = &show,
        };
        CtlExit code;
        int r;

        code = ctl_store(ctl, name, 0, &store);
        if (code != CTL_DONE)
                return code;
        r = kernel_new(RUN_NETNS, &kernel);
        if (r < 0)
                return ctl_error_errno(ctl, r, "can't talk to the kernel");
        r = settle(kernel, wanted, store, &options, &result);
        wipe(&show);
        if (r < 0)
                return ctl_error_errno(ctl, r, "gave up");
        if (r > 0)
                return ctl_store_error(ctl, r, name);
        return result_print(ctl, name, &result);
}

static CtlExit run_apply(Ctl *ctl) {
        _cleanup_(network_freep) Network *wanted = NULL;
        _cleanup_(buf_deinit) Buf name = {};
        sd_bus *daemon;
        CtlExit code;

        code = ctl_load(ctl, &wanted);
        if (code == CTL_DONE)
                code = ctl_name(ctl, wanted, &name);
        if (code == CTL_DONE)
                code = order_route(ctl, buf_text(&name), &daemon);
        if (code != CTL_DONE)
                return code;
        return daemon ? order_apply(ctl, daemon, buf_text(&name))
                      : apply(ctl, wanted, buf_text(&name));
}

/* The files are only asked for their name; broken or gone, their own names are as good. */
static CtlExit down_name(Ctl *ctl, Buf *ret) {
        _cleanup_(network_freep) Network *wanted = NULL;
        _cleanup_(report_deinit) Report report = {};
        const uint8_t seed[16] = {};
        int r = 0;

        if (!ctl->name)
                r = config_load("", ctl->paths, ctl->n_paths, seed, &report, &wanted);
        if (r < 0)
                return ctl_error_errno(ctl, r, "can't load the configuration");
        r = ctl_name(ctl, wanted, ret);
        if (r == CTL_DONE && report.n > 0)
                ctl_note(ctl, "the files can't be read: undoing what '%s' made", buf_text(ret));
        return r;
}

static CtlExit run_down(Ctl *ctl) {
        _cleanup_(network_freep) Network *nothing = NULL;
        _cleanup_(buf_deinit) Buf name = {};
        sd_bus *daemon;
        CtlExit code;
        int r;

        code = down_name(ctl, &name);
        if (code == CTL_DONE)
                code = order_route(ctl, buf_text(&name), &daemon);
        if (code != CTL_DONE)
                return code;
        if (daemon)
                return order_down(ctl, daemon);
        r = network_new(&nothing);
        return r < 0 ? ctl_error_errno(ctl, r, "down") : apply(ctl, nothing, buf_text(&name));
}

const Verb verbs_validate = {
        .name = "validate",
        .arguments = "[PATH]…",
        .doc = "Check files; needs no rights and does not look at the kernel",
        .options = CTL_OPT_NAME,
        .run = run_validate,
};

const Verb verbs_plan = {
        .name = "plan",
        .arguments = "[PATH]…",
        .doc = "Tell what would be done to the running kernel, and why; touches nothing",
        .options = CTL_OPT_EXIT_CODE | CTL_OPT_NAME,
        .run = run_plan,
};

const Verb verbs_apply = {
        .name = "apply",
        .arguments = "[PATH]…",
        .doc = "Do it, once",
        .options = CTL_OPT_FORCE | CTL_OPT_TIMEOUT | CTL_OPT_WAIT | CTL_OPT_NAME,
        .run = run_apply,
};

const Verb verbs_down = {
        .name = "down",
        .arguments = "[PATH]…",
        .doc = "Undo all that this configuration made",
        .options = CTL_OPT_FORCE | CTL_OPT_TIMEOUT | CTL_OPT_NAME,
        .run = run_down,
};
