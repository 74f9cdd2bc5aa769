/* SPDX-License-Identifier: MIT */
#pragma once

/* What the verbs of mvnetctl share. A verb prints its own errors and returns an exit code. */

#include "daemon/settle.h"
#include "daemon/store.h"
#include "mvnet/config.h"
#include "mvnet/plan.h"

#include <json-c/json.h>

/* The exit codes of all commands. */
typedef enum CtlExit {
        CTL_DONE = 0,    /* or nothing to do */
        CTL_FAILED = 1,  /* something failed or is in conflict */
        CTL_USAGE = 2,   /* or a bad file */
        CTL_DIFFERS = 3, /* with --exit-code */
        CTL_WAITING = 4, /* when --wait ran out */
        CTL_NO_DAEMON = 5,
} CtlExit;

typedef struct Ctl {
        const char *program;
        const char *const *paths; /* of files and folders; for some verbs other words */
        size_t n_paths;
        const char *name;        /* of the configuration, instead of what the files say */
        const char *runtime_dir; /* NULL: the default */
        bool daemon; /* mvnetd: there are no verbs to speak of */
        bool json, exit_code, force, all, wait, once, hold;
        unsigned timeout_ms, wait_ms, for_ms;
} Ctl;

/* Which options a verb takes, besides those that all do. */
enum {
        CTL_OPT_EXIT_CODE = 1 << 0,
        CTL_OPT_FORCE = 1 << 1,
        CTL_OPT_TIMEOUT = 1 << 2,
        CTL_OPT_WAIT = 1 << 3,
        CTL_OPT_ALL = 1 << 4,
        CTL_OPT_NAME = 1 << 5,
        CTL_OPT_ONCE = 1 << 6,
        CTL_OPT_FOR = 1 << 7,
        CTL_OPT_HOLD = 1 << 8,
};

typedef struct Verb {
        const char *name;
        const char *arguments;
        const char *doc;
        unsigned options; /* CTL_OPT_* */
        unsigned timeout_ms;     /* the default, instead of SETTLE_TIMEOUT_MS */
        const char *timeout_doc; /* likewise, what --timeout means */
        CtlExit (*run)(Ctl *ctl);
} Verb;

extern const Verb verbs_validate, verbs_plan, verbs_apply, verbs_down, verbs_export, verbs_describe;
extern const Verb verbs_status, verbs_reload, verbs_monitor, verbs_pause, verbs_resume;
extern const Verb verbs_wait_online;

/* The command lines of mvnetctl, and of mvnetd: with --once that is the verb apply. */
CtlExit ctl_main(int argc, char **argv);
CtlExit ctl_main_daemon(int argc, char **argv);

/*
 * "PROGRAM: …" on standard error, in red if that is a terminal; with --json also as an object with
 * "error" on standard output, where nothing else comes then.
 */
void ctl_error(const Ctl *ctl, const char *format, ...) _printf_(2, 3);
/* The same for an errno: "WHAT: reason", with advice where there is some. */
CtlExit ctl_error_errno(const Ctl *ctl, int error, const char *what);
void ctl_note(const Ctl *ctl, const char *format, ...) _printf_(2, 3); /* without the red */

bool ctl_colour(int fd); /* a terminal, and NO_COLOR is not set */

/*
 * Loads the files. On anything but CTL_DONE it has said why; with --json that goes to standard
 * output, as an object with "problems".
 */
CtlExit ctl_load(Ctl *ctl, Network **ret);

/* The name: --name, or what files and paths say; `network` may be NULL. */
CtlExit ctl_name(Ctl *ctl, const Network *network, Buf *ret);

/* The record, and a sentence about whatever is odd with it. */
CtlExit ctl_store(Ctl *ctl, const char *name, unsigned flags, Store **ret);
CtlExit ctl_store_error(const Ctl *ctl, int outcome, const char *name);

/* json.c */
struct json_object *json_text(const char *text); /* NULL is null; odd bytes become '?' */
struct json_object *json_plan(const char *name, const Plan *plan);
struct json_object *json_problems(const Report *report);
struct json_object *json_item(const PlanItem *item);
void json_add(struct json_object *object, const char *key, struct json_object *value);
void json_append(struct json_object *array, struct json_object *value);
void json_print_error(const char *text);
CtlExit json_print(const Ctl *ctl, struct json_object *object, CtlExit code); /* takes it over */
CtlExit json_print_line(const Ctl *ctl, struct json_object *object); /* likewise */
