/* SPDX-License-Identifier: MIT */
/* pause and resume: for who wants to debug by hand what the daemon would put back. */

#include "ctl/client.h"

/* NAME as the daemon has it; none: everything, which is "". */
static CtlExit find_path(const Ctl *ctl, sd_bus *sd, Buf *ret) {
        const char *unknown = NULL;
        Status status = {};
        CtlExit code;

        if (ctl->n_paths == 0)
                return CTL_DONE;
        if (ctl->n_paths > 1) {
                ctl_error(ctl, "one NAME, or none for everything");
                return CTL_USAGE;
        }
        code = client_status(ctl, sd, &status);
        if (code == CTL_DONE)
                unknown = plan_unknown(status.plan, ctl->paths, 1);
        if (unknown)
                code = client_unknown(ctl, status.plan, unknown);
        else if (code == CTL_DONE)
                plan_path(status.plan, ctl->paths[0], ret);
        status_deinit(&status);
        return code;
}

static CtlExit print_paused(const Ctl *ctl, const char *path, bool paused) {
        struct json_object *object;

        if (!ctl->json)
                return CTL_DONE;
        object = json_object_new_object();
        json_add(object, "path", json_text(path[0] ? path : NULL));
        json_add(object, "paused", json_object_new_boolean(paused));
        return json_print(ctl, object, CTL_DONE);
}

static CtlExit set_paused(Ctl *ctl, bool paused) {
        _cleanup_(buf_deinit) Buf path = {};
        sd_bus *sd = NULL;
        CtlExit code;

        code = client_open(ctl, &sd);
        if (code == CTL_DONE)
                code = find_path(ctl, sd, &path);
        if (code == CTL_DONE && paused)
                code = client_tell(ctl, sd, "Pause", "st", buf_text(&path),
                                   (uint64_t)ctl->for_ms * 1000);
        else if (code == CTL_DONE)
                code = client_tell(ctl, sd, "Resume", "s", buf_text(&path));
        if (code == CTL_DONE)
                code = print_paused(ctl, buf_text(&path), paused);
        sd_bus_close_unref(sd);
        return code;
}

static CtlExit run_pause(Ctl *ctl) {
        return set_paused(ctl, true);
}

static CtlExit run_resume(Ctl *ctl) {
        return set_paused(ctl, false);
}

const Verb verbs_pause = {
        .name = "pause",
        .arguments = "[NAME]",
        .doc = "Have the daemon leave an object, or everything, alone until 'resume'",
        .options = CTL_OPT_FOR,
        .run = run_pause,
};

const Verb verbs_resume = {
        .name = "resume",
        .arguments = "[NAME]",
        .doc = "The end of 'pause': what was changed meanwhile is put back",
        .run = run_resume,
};
