/* SPDX-License-Identifier: MIT */
#pragma once

/* The control interface on a real socket, with a daemon behind it that does what a test says. */

#include "daemon/bus.h"

#include <sys/types.h>

#define SERVED_ORDERS_MAX 64u

typedef struct ServedOrder {
        DaemonOrder order;
        bool force;
        char paths[256]; /* each with a space behind it */
        DaemonDone done;
        void *userdata;
} ServedOrder;

struct Daemon {
        DaemonStatus status;
        Plan plan;
        const DaemonAnswer *answer; /* at once; NULL: later */
        int order_error;            /* what daemon_order() returns */
        ServedOrder orders[SERVED_ORDERS_MAX];
        size_t n_orders, n_dropped, n_asked;
        size_t mend_in; /* asked so often from now on, it starts to mend `mended`; 0: never */
        PlanItem *mended;
        char paused[64]; /* "*" is everything; "" nothing */
        uint64_t paused_ms;
};

typedef struct Served {
        Daemon daemon;
        sd_event *event;
        Bus *bus;
        char top[32], runtime[64]; /* the runtime folder is below a temporary one */
        char output[64], errors[64]; /* files, of the last command */
        char text[64 * 1024];
        int events[2]; /* a child may write bytes here, which served_turn() counts */
        size_t n_events;
} Served;

int served_setup(void **state); /* for cmocka: *state is a Served */
int served_teardown(void **state);

/* An object to be listed; `at` is a line of "lab.yaml". */
PlanItem *served_add(Served *served, ItemType type, const char *path, Verdict verdict,
                     const char *reason, unsigned line);
/* It is like this now, and clients are told. */
void served_set(Served *served, PlanItem *item, Verdict verdict, const char *reason);
void served_changed(Served *served);

void served_turn(Served *served, unsigned ms); /* of the event loop, for so long */
/* Until `ms` are over, or it is true. */
#define served_until(served, ms, condition)                                                        \
        do {                                                                                       \
                for (unsigned _left = (ms); _left > 0 && !(condition); _left--)                    \
                        served_turn((served), 1);                                                  \
        } while (0)

/* Runs it in a child process, as nobody if so said, while the bus is served. Its exit code. */
pid_t served_fork(Served *served, int (*run)(Served *served), bool as_nobody);
int served_wait(Served *served, pid_t child);
int served_child(Served *served, int (*run)(Served *served), bool as_nobody);

/* mvnetctl with --runtime-dir, in a network namespace of its own; ends with NULL. */
pid_t served_start(Served *served, const char *verb, ...);
int served_finish(Served *served, pid_t child);
const char *served_output(Served *served); /* what it printed last */
const char *served_errors(Served *served);
/* All of it: the exit code. */
#define served_run(served, ...) served_finish((served), served_start((served), __VA_ARGS__, NULL))
