/* SPDX-License-Identifier: MIT */
/* status: how every declared object is, as the daemon sees it. */

#include "ctl/client.h"
#include "ctl/result.h"

#include <stdio.h>
#include <unistd.h>

static void print_notices(const Status *status) {
        const char *colour = ctl_colour(STDOUT_FILENO) ? "\033[33m" : "";
        const char *plain = *colour ? "\033[0m" : "";

        if (status->paused)
                printf("%spaused: nothing is put back until 'mvnetctl resume'%s\n", colour, plain);
        if (status->degraded[0])
                printf("%sdegraded: %s%s\n", colour, status->degraded, plain);
        if (status->noisy[0])
                printf("%snoisy: namespace %s changes too fast to be followed at once%s\n", colour,
                       status->noisy, plain);
}

static void print_status(const Status *status) {
        const Plan *plan = status->plan;

        printf("%s: %s", status->name[0] ? status->name : "no configuration", status->state);
        for (size_t i = 0; i < _VERDICT_N; i++)
                if (plan->counts[i] > 0)
                        printf(", %zu %s", plan->counts[i], verdict_name((Verdict)i));
        putchar('\n');
        print_notices(status);
        for (size_t i = 0; i < plan->n_items; i++)
                result_print_state(plan->items[i]);
}

static struct json_object *json_status(const Status *status) {
        struct json_object *object = json_object_new_object();
        struct json_object *objects = json_object_new_array();

        for (size_t i = 0; i < status->plan->n_items; i++)
                json_append(objects, json_item(status->plan->items[i]));
        json_add(object, "name", json_text(status->name));
        json_add(object, "state", json_text(status->state));
        json_add(object, "paused", json_object_new_boolean(status->paused));
        json_add(object, "degraded", json_text(status->degraded[0] ? status->degraded : NULL));
        json_add(object, "noisy", json_text(status->noisy[0] ? status->noisy : NULL));
        json_add(object, "objects", objects);
        return object;
}

static CtlExit status_code(const Ctl *ctl, const Plan *plan) {
        if (plan_has_failed(plan))
                return CTL_FAILED;
        return ctl->exit_code && plan->counts[VERDICT_OK] < plan->n_items ? CTL_DIFFERS : CTL_DONE;
}

static CtlExit show(const Ctl *ctl, Status *status) {
        const char *unknown = plan_unknown(status->plan, ctl->paths, ctl->n_paths);

        if (unknown)
                return client_unknown(ctl, status->plan, unknown);
        plan_select(status->plan, ctl->paths, ctl->n_paths);
        if (ctl->json)
                return json_print(ctl, json_status(status), status_code(ctl, status->plan));
        print_status(status);
        return status_code(ctl, status->plan);
}

static CtlExit run_status(Ctl *ctl) {
        Status status = {};
        sd_bus *sd = NULL;
        CtlExit code;

        code = client_open(ctl, &sd);
        if (code == CTL_DONE)
                code = client_status(ctl, sd, &status);
        if (code == CTL_DONE)
                code = show(ctl, &status);
        status_deinit(&status);
        sd_bus_close_unref(sd);
        return code;
}

const Verb verbs_status = {
        .name = "status",
        .arguments = "[NAME]…",
        .doc = "Tell how every declared object is, and why (needs the daemon)",
        .options = CTL_OPT_EXIT_CODE | CTL_OPT_TIMEOUT,
        .timeout_doc = "how long the daemon may take to answer (10s)",
        .run = run_status,
};
