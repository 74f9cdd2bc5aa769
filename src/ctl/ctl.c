/* SPDX-License-Identifier: MIT */
/* What several verbs need: files, record, and saying what is wrong with them. */

#include "ctl/ctl.h"

#include "daemon/seed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool ctl_colour(int fd) {
        const char *no = getenv("NO_COLOR");

        return isatty(fd) && (!no || no[0] == '\0');
}

void ctl_error(const Ctl *ctl, const char *format, ...) {
        bool colour = ctl_colour(STDERR_FILENO);
        _cleanup_(freep) char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        if (ctl->json)
                json_print_error(text);
        fflush(stdout);
        fprintf(stderr, "%s%s: %s%s\n", colour ? "\033[31m" : "", ctl->program,
                text ? text : "out of memory", colour ? "\033[0m" : "");
}

void ctl_note(const Ctl *ctl, const char *format, ...) {
        va_list ap;

        fflush(stdout);
        fprintf(stderr, "%s: ", ctl->program);
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fputc('\n', stderr);
}

CtlExit ctl_error_errno(const Ctl *ctl, int error, const char *what) {
        const char *reason = strerrordesc_np(-error);

        ctl_error(ctl, "%s: %s", what, reason ? reason : "unknown error");
        if ((error == -EPERM || error == -EACCES) && geteuid() != 0)
                ctl_note(ctl, "this needs root, or at least CAP_NET_ADMIN");
        return CTL_FAILED;
}

static CtlExit print_problems(const Ctl *ctl, const Report *report) {
        _cleanup_(buf_deinit) Buf text = {};

        if (ctl->json) {
                struct json_object *object = json_object_new_object();

                json_add(object, "problems", json_problems(report));
                return json_print(ctl, object, CTL_USAGE);
        }
        report_format(report, ctl_colour(STDERR_FILENO), &text);
        fflush(stdout);
        fputs(buf_text(&text), stderr);
        return CTL_USAGE;
}

CtlExit ctl_load(Ctl *ctl, Network **ret) {
        _cleanup_(report_deinit) Report report = {};
        Network *network = NULL;
        uint8_t seed[16];
        CtlExit code;
        int r;

        machine_seed(seed);
        r = config_load("", ctl->paths, ctl->n_paths, seed, &report, &network);
        if (r == 0)
                r = report_error(&report);
        if (r < 0) {
                network_free(network);
                return ctl_error_errno(ctl, r, "can't load the configuration");
        }
        if (report.n > 0 || !network) {
                code = print_problems(ctl, &report);
                network_free(network);
                return code;
        }
        *ret = network;
        return CTL_DONE;
}

CtlExit ctl_name(Ctl *ctl, const Network *network, Buf *ret) {
        const char *problem;
        int r = 0;

        if (ctl->name)
                buf_add(ret, ctl->name);
        else
                r = config_name(network, ctl->paths, ctl->n_paths, ret);
        if (r == 0)
                r = buf_error(ret);
        if (r < 0)
                return ctl_error_errno(ctl, r, "the configuration's name");
        problem = store_name_problem(buf_text(ret));
        if (problem) {
                ctl_error(ctl, "'%s': %s (say `name:` in the file, or --name)", buf_text(ret),
                          problem);
                return CTL_USAGE;
        }
        return CTL_DONE;
}

CtlExit ctl_store_error(const Ctl *ctl, int outcome, const char *name) {
        if (outcome < 0)
                return ctl_error_errno(ctl, outcome, "the record");
        if (outcome == STORE_E_BUSY)
                ctl_error(ctl, "another command is at work on '%s'", name);
        else if (outcome == STORE_E_UNSAFE)
                ctl_error(ctl, "the record of '%s' is not safe to use: its folder or journal could "
                          "be written by others than root", name);
        else
                ctl_error(ctl, "the record of '%s' belongs to another network namespace, or is "
                          "none of this version", name);
        return CTL_FAILED;
}

CtlExit ctl_store(Ctl *ctl, const char *name, unsigned flags, Store **ret) {
        _cleanup_(buf_deinit) Buf runtime = {};
        Store *store = NULL;
        int r;

        r = store_runtime(ctl->runtime_dir, &runtime);
        if (r < 0)
                return ctl_error_errno(ctl, r, "the runtime folder");
        r = store_open(buf_text(&runtime), name, flags, ctl->timeout_ms, &store);
        if (r != 0)
                return ctl_store_error(ctl, r, name);
        if (store_bad_lines(store) > 0)
                ctl_note(ctl, "%zu lines of %s/journal make no sense and were left out",
                         store_bad_lines(store), store_path(store));
        *ret = store;
        return CTL_DONE;
}
