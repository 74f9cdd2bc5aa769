/* SPDX-License-Identifier: MIT */
/* validate, plan, apply, down: the verbs that are about the difference. */

#include "ctl/ctl.h"

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

static void print_item(const PlanItem *item) {
        _cleanup_(buf_deinit) Buf text = {};

        plan_format_item(item, ctl_colour(STDOUT_FILENO) ? PLAN_TEXT_COLOUR : 0, &text);
        fputs(buf_text(&text), stdout);
}

static void wipe(Show *show) {
        if (show->line)
                fputs("\r\033[K", stderr);
        show->line = false;
}

static void show_progress(void *userdata, const PlanItem *item, size_t done, size_t total) {
        Show *show = userdata;

        if (item && !show->ctl->json) {
                wipe(show);
                print_item(item);
        }
        if (!item && isatty(STDERR_FILENO) && time(NULL) - show->began >= 2) {
                fflush(stdout);
                fprintf(stderr, "\r\033[K%zu of %zu", done, total);
                show->line = true;
        }
}

static void print_counts(const Plan *plan) {
        static const struct {
                Verdict verdict;
                const char *text;
        } parts[] = {
                {VERDICT_CREATE, "created"},      {VERDICT_CHANGE, "changed"},
                {VERDICT_RECREATE, "re-created"}, {VERDICT_DELETE, "deleted"},
                {VERDICT_WAITING, "waiting"},     {VERDICT_CONFLICT, "in conflict"},
                {VERDICT_FAILED, "failed"},
        };
        bool first = true;

        fputs("Applied: ", stdout);
        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                if (plan->counts[parts[i].verdict] == 0)
                        continue;
                printf("%s%zu %s", first ? "" : ", ", plan->counts[parts[i].verdict],
                       parts[i].text);
                first = false;
        }
        puts(first ? "nothing to do." : ".");
}

/* One line for each failure, as an editor can jump to it. */
static void print_failures(const Ctl *ctl, const Plan *plan) {
        const char *colour = ctl_colour(STDERR_FILENO) ? "\033[31m" : "";
        bool denied = false;

        fflush(stdout);
        for (size_t i = 0; i < plan->n_items; i++) {
                const PlanItem *item = plan->items[i];
                bool conflict = item->verdict == VERDICT_CONFLICT;
                _cleanup_(buf_deinit) Buf at = {};

                if (!conflict && item->verdict != VERDICT_FAILED)
                        continue;
                location_format(conflict ? item->at : item->failure_at, &at);
                fprintf(stderr, "%s%s%s%s: %s%s\n", colour, buf_text(&at), at.size ? ": " : "",
                        item->path, conflict || !item->failure ? item->reason : item->failure,
                        *colour ? "\033[0m" : "");
                denied |= item->error == -EPERM || item->error == -EACCES;
        }
        if (denied && geteuid() != 0)
                ctl_note(ctl, "this needs root, or at least CAP_NET_ADMIN");
}

static void print_refusal(const Ctl *ctl, const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->verdict != VERDICT_OK)
                        print_item(plan->items[i]);
        ctl_error(ctl, "nothing was done: steps marked ! could cut you off; --force does them");
}

static CtlExit result_code(const Ctl *ctl, const SettleResult *result) {
        const size_t *counts = result->plan->counts;

        if (result->refused || result->record_error < 0 || counts[VERDICT_FAILED] > 0 ||
            counts[VERDICT_CONFLICT] > 0)
                return CTL_FAILED;
        return ctl->wait && counts[VERDICT_WAITING] > 0 ? CTL_WAITING : CTL_DONE;
}

static const char *record_reason(const SettleResult *result) {
        const char *reason = strerrordesc_np(-result->record_error);

        return reason ? reason : "unknown error";
}

static CtlExit print_result(const Ctl *ctl, const char *name, const SettleResult *result) {

        if (ctl->json) {
                struct json_object *object = json_plan(name, result->plan);

                json_add(object, "refused", json_object_new_boolean(result->refused));
                json_add(object, "record-error",
                         result->record_error < 0 ? json_text(record_reason(result)) : NULL);
                return json_print(ctl, object, result_code(ctl, result));
        }
        if (result->refused) {
                print_refusal(ctl, result->plan);
                return CTL_FAILED;
        }
        for (size_t i = 0; i < result->plan->n_items; i++)
                if (result->plan->items[i]->verdict == VERDICT_WAITING)
                        print_item(result->plan->items[i]);
        print_failures(ctl, result->plan);
        if (result->record_error < 0)
                ctl_error(ctl, "the record could not be written (%s): what was done may not be "
                          "undone by a later apply", record_reason(result));
        print_counts(result->plan);
        return result_code(ctl, result);
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
        return print_result(ctl, name, &result);
}

static CtlExit run_apply(Ctl *ctl) {
        _cleanup_(network_freep) Network *wanted = NULL;
        _cleanup_(buf_deinit) Buf name = {};
        CtlExit code;

        code = ctl_load(ctl, &wanted);
        if (code == CTL_DONE)
                code = ctl_name(ctl, wanted, &name);
        return code == CTL_DONE ? apply(ctl, wanted, buf_text(&name)) : code;
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
        CtlExit code;
        int r;

        code = down_name(ctl, &name);
        if (code != CTL_DONE)
                return code;
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
