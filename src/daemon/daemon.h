/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The daemon: loads, keeps the kernel as the files say, and can be asked. One event loop; nothing
 * here blocks for longer than one slice of requests takes in the kernel.
 */

#include "mvnet/plan.h"

#include <systemd/sd-event.h>

typedef struct Daemon Daemon;

typedef struct DaemonOptions {
        const char *const *paths; /* of files and folders; none: the three folders */
        size_t n_paths;
        const char *name;        /* of the configuration, instead of what the files say */
        const char *runtime_dir; /* NULL: the default */
} DaemonOptions;

/* Runs until SIGTERM or SIGINT. 0, or < 0 after saying why; -EEXIST: another one runs already. */
int daemon_run(const DaemonOptions *options);

/* How everything is. */
typedef enum DaemonState {
        DAEMON_STARTING, /* has not been through all objects once */
        DAEMON_SETTLING, /* new files are being tried, or something is being put right */
        DAEMON_SETTLED,  /* every object is ok, waiting, or has failed at the last attempt */
        _DAEMON_STATE_N,
} DaemonState;

const char *daemon_state_name(DaemonState state); /* "starting", "settling", "settled" */

typedef struct DaemonStatus {
        const char *name; /* of the configuration */
        DaemonState state;
        bool paused;          /* everything is; single objects say so themselves, in their reason */
        const char *degraded; /* why files older than those that are there are in force, or NULL */
        const char *noisy;    /* a namespace that changes too fast to be followed, or NULL */
        uint64_t generation;  /* another one: something in here, or in the plan, has changed */
        /* Every declared object as it is: ok, waiting, failed, conflict, contested; no ops. */
        const Plan *plan;
} DaemonStatus;

/* Valid until the event loop goes on. */
void daemon_status(const Daemon *daemon, DaemonStatus *ret);

/* Orders: answered when every object is ok, waiting, or has failed once since. */
typedef enum DaemonOrder {
        DAEMON_RELOAD, /* reads its files again */
        DAEMON_APPLY,  /* the same with the files at `paths`, until the next reload */
        DAEMON_DOWN,   /* undoes all that the configuration made, until the next reload */
        _DAEMON_ORDER_N,
} DaemonOrder;

typedef enum DaemonOutcome {
        DAEMON_DONE,
        DAEMON_BAD_FILE, /* nothing was changed; see problems */
        DAEMON_REFUSED,  /* nothing was changed; the plan has guards, and force was not set */
        DAEMON_ERROR,    /* nothing was changed; `error` is an errno (< 0) */
        _DAEMON_OUTCOME_N,
} DaemonOutcome;

typedef struct DaemonAnswer {
        DaemonOutcome outcome;
        const char *name;     /* of the configuration */
        const Report *report; /* BAD_FILE */
        const Plan *plan;     /* DONE: what was done and how it is; REFUSED: what would be; or NULL */
        int record_error;     /* see SettleResult */
        int error;
} DaemonAnswer;

/* Called exactly once, perhaps before daemon_order() returns, unless the order is dropped. */
typedef void (*DaemonDone)(void *userdata, const DaemonAnswer *answer);

/*
 * Paths are absolute. Orders that come while another one is being read are answered together with
 * the last of them. 0 or -ENOMEM.
 */
int daemon_order(Daemon *daemon, DaemonOrder order, const char *const *paths, size_t n_paths,
                 bool force, DaemonDone done, void *userdata);
/* Whoever gave it does not want to know any more. */
void daemon_drop_orders(Daemon *daemon, void *userdata);

/*
 * Leaves an object ("br0", "ns1/eth0", "ns1/" with all that is in it; NULL: everything) alone, for
 * so long (0: until daemon_resume()). 0, -ENOENT (nothing of that name is declared), -ENOMEM.
 */
int daemon_pause(Daemon *daemon, const char *path, uint64_t for_ms);
int daemon_resume(Daemon *daemon, const char *path); /* -ENOENT: it was not paused */

/* Something noticed or done: one line of `mvnetctl monitor`, one entry of the journal. */
typedef enum HappeningType {
        HAPPENED_NOTICED,   /* an object is not as it should be; the lines say how */
        HAPPENED_DONE,      /* and is now */
        HAPPENED_FAILED,    /* the kernel refused, or ignored, a request */
        HAPPENED_WAITING,
        HAPPENED_CONFLICT,
        HAPPENED_CONTESTED,
        HAPPENED_NOISY,     /* path is the namespace */
        HAPPENED_LOADED,    /* new files are in force */
        HAPPENED_BAD_FILE,  /* they are not */
        HAPPENED_PAUSED,
        HAPPENED_RESUMED,
        HAPPENED_SETTLED,
        _HAPPENING_TYPE_N,
} HappeningType;

const char *happening_name(HappeningType type); /* "noticed", "done" … */

typedef struct Happening {
        HappeningType type;
        uint64_t realtime_us; /* CLOCK_REALTIME */
        const char *path;     /* "br0", "ns1/eth0", "ns1/"; "" if it is about the daemon as a whole */
        const char *kind;     /* "" if none */
        const char *action;   /* as verdict_name(): "create", "change" …; "" if none */
        const char *text;     /* one line, "" if there is nothing to add */
        const char *at;       /* "file:line:col", "" if nowhere */
} Happening;
