/* SPDX-License-Identifier: MIT */
/* The verbs that are a question to the daemon, which does not run continuously yet. */

#include "ctl/ctl.h"

static CtlExit run_without_daemon(Ctl *ctl) {
        ctl_error(ctl, "no daemon is running; 'plan' tells how things are without one");
        return CTL_NO_DAEMON;
}

const Verb verbs_status = {
        .name = "status",
        .arguments = "[NAME]…",
        .doc = "Tell how every declared object is, and why (needs the daemon)",
        .options = CTL_OPT_EXIT_CODE,
        .run = run_without_daemon,
};

const Verb verbs_reload = {
        .name = "reload",
        .arguments = "",
        .doc = "Have the daemon read its files again",
        .options = CTL_OPT_FORCE | CTL_OPT_TIMEOUT | CTL_OPT_WAIT,
        .run = run_without_daemon,
};

const Verb verbs_monitor = {
        .name = "monitor",
        .arguments = "",
        .doc = "Print what the daemon does as it happens",
        .run = run_without_daemon,
};

const Verb verbs_pause = {
        .name = "pause",
        .arguments = "",
        .doc = "Have the daemon leave everything alone until 'resume'",
        .run = run_without_daemon,
};

const Verb verbs_resume = {
        .name = "resume",
        .arguments = "",
        .doc = "The end of 'pause'",
        .run = run_without_daemon,
};
