/* SPDX-License-Identifier: MIT */
/* An apply is told alike, whoever did it: this program, or the daemon on its behalf. */

#include "ctl/result.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

bool plan_has_failed(const Plan *plan) {
        return plan->counts[VERDICT_FAILED] > 0 || plan->counts[VERDICT_CONFLICT] > 0 ||
               plan->counts[VERDICT_CONTESTED] > 0;
}

void result_print_item(const PlanItem *item) {
        _cleanup_(buf_deinit) Buf text = {};

        plan_format_item(item, ctl_colour(STDOUT_FILENO) ? PLAN_TEXT_COLOUR : 0, &text);
        fputs(buf_text(&text), stdout);
}

void result_print_state(const PlanItem *item) {
        _cleanup_(buf_deinit) Buf text = {}, at = {};
        bool colour = ctl_colour(STDOUT_FILENO);
        PlanItem shown = *item;

        shown.lines = NULL;
        shown.guard = NULL;
        if (shown.verdict == VERDICT_OK)
                shown.reason = shown.reason[0] ? shown.reason : "ok";
        plan_format_item(&shown, colour ? PLAN_TEXT_COLOUR : 0, &text);
        location_format(item->at, &at);
        printf("%.*s", (int)strcspn(buf_text(&text), "\n"), buf_text(&text));
        if (item->optional && item->verdict != VERDICT_OK)
                fputs(" (optional)", stdout);
        if (at.size > 0)
                printf("  %s%s%s", colour ? "\033[2m" : "", buf_text(&at), colour ? "\033[0m" : "");
        putchar('\n');
}

static void print_counts(const Plan *plan) {
        static const struct {
                Verdict verdict;
                const char *text;
        } parts[] = {
                {VERDICT_CREATE, "created"},      {VERDICT_CHANGE, "changed"},
                {VERDICT_RECREATE, "re-created"}, {VERDICT_DELETE, "deleted"},
                {VERDICT_WAITING, "waiting"},     {VERDICT_CONFLICT, "in conflict"},
                {VERDICT_FAILED, "failed"},       {VERDICT_CONTESTED, "contested"},
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

static void print_failure(const PlanItem *item, const char *colour) {
        bool failed = item->verdict == VERDICT_FAILED;
        _cleanup_(buf_deinit) Buf at = {};

        location_format(failed ? item->failure_at : item->at, &at);
        fprintf(stderr, "%s%s%s%s: %s%s%s\n", colour, buf_text(&at), at.size ? ": " : "",
                item->path, item->verdict == VERDICT_CONTESTED ? "contested: " : "",
                failed && item->failure ? item->failure : item->reason, *colour ? "\033[0m" : "");
}

/* One line for each failure, as an editor can jump to it. */
static void print_failures(const Ctl *ctl, const Plan *plan) {
        const char *colour = ctl_colour(STDERR_FILENO) ? "\033[31m" : "";
        bool denied = false;

        fflush(stdout);
        for (size_t i = 0; i < plan->n_items; i++) {
                const PlanItem *item = plan->items[i];

                if (item->verdict != VERDICT_CONFLICT && item->verdict != VERDICT_FAILED &&
                    item->verdict != VERDICT_CONTESTED)
                        continue;
                print_failure(item, colour);
                denied |= item->error == -EPERM || item->error == -EACCES;
        }
        if (denied && geteuid() != 0)
                ctl_note(ctl, "this needs root, or at least CAP_NET_ADMIN");
}

static void print_refusal(const Ctl *ctl, const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->verdict != VERDICT_OK)
                        result_print_item(plan->items[i]);
        ctl_error(ctl, "nothing was done: steps marked ! could cut you off; --force does them");
}

static CtlExit result_code(const Ctl *ctl, const SettleResult *result) {
        if (result->refused || result->record_error < 0 || plan_has_failed(result->plan))
                return CTL_FAILED;
        return ctl->wait && result->plan->counts[VERDICT_WAITING] > 0 ? CTL_WAITING : CTL_DONE;
}

static const char *record_reason(const SettleResult *result) {
        const char *reason = strerrordesc_np(-result->record_error);

        return reason ? reason : "unknown error";
}

CtlExit result_print(const Ctl *ctl, const char *name, const SettleResult *result) {
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
                        result_print_item(result->plan->items[i]);
        print_failures(ctl, result->plan);
        if (result->record_error < 0)
                ctl_error(ctl, "the record could not be written (%s): what was done may not be "
                          "undone by a later apply", record_reason(result));
        print_counts(result->plan);
        return result_code(ctl, result);
}
