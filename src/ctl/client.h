/* SPDX-License-Identifier: MIT */
#pragma once

/* The connection to the daemon, and what several verbs do with it. */

#include "ctl/ctl.h"

#include <systemd/sd-bus.h>

enum {
        _CLIENT_E_SUCCESS,
        CLIENT_E_NO_DAEMON, /* no socket, or nobody at it */
};

/* Connected and let in, within --timeout. 0, CLIENT_E_NO_DAEMON, or < 0. */
int client_connect(const Ctl *ctl, sd_bus **ret);
/* The same, and says why not. */
CtlExit client_open(const Ctl *ctl, sd_bus **ret);
CtlExit client_no_daemon(const Ctl *ctl, int r); /* says so, of what client_connect() returned */
CtlExit client_gone(const Ctl *ctl);             /* it was there: says so */

/* A call of the daemon's interface, to be filled in; and sent, waiting for the answer. */
int client_message(sd_bus *sd, const char *member, sd_bus_message **ret);
CtlExit client_call(const Ctl *ctl, sd_bus *sd, sd_bus_message *m, uint64_t timeout_ms,
                    sd_bus_message **ret);
/* Without an answer worth reading. */
CtlExit client_tell(const Ctl *ctl, sd_bus *sd, const char *member, const char *types, ...);

typedef struct Status {
        const char *name, *state, *degraded, *noisy; /* "" if there is nothing to be said */
        bool paused;
        Plan *plan; /* whose the texts are; no ops */
} Status;

CtlExit client_status(const Ctl *ctl, sd_bus *sd, Status *ret);
void status_deinit(Status *status);

/*
 * NAMEs: "br0" or "ns1/eth0" is a link; "ns1" or "ns1/" a namespace with all that is in it. The
 * first that nothing is called by, or NULL; and to say so.
 */
const char *plan_unknown(const Plan *plan, const char *const *names, size_t n);
CtlExit client_unknown(const Ctl *ctl, const Plan *plan, const char *name);
void plan_select(Plan *plan, const char *const *names, size_t n); /* none: all */
/* As the daemon calls it: "ns1/" for a namespace. `name` is not unknown. */
void plan_path(const Plan *plan, const char *name, Buf *ret);

/*
 * Looks at the status again whenever it has changed, until `look` returns an exit code instead of
 * CLIENT_AGAIN. CTL_WAITING: `timeout_ms` is over (0: never). The last status is the caller's,
 * whatever comes of it; its plan is NULL if there is none.
 */
#define CLIENT_AGAIN (-1)
typedef int ClientLook(const Ctl *ctl, Status *status);
CtlExit client_wait(const Ctl *ctl, sd_bus *sd, uint64_t timeout_ms, ClientLook *look,
                    Status *ret);
