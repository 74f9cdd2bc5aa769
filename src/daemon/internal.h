/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the daemon itself share: daemon.c orders.c. */

#include "daemon/bus.h"
#include "daemon/keeper.h"
#include "daemon/log.h"

typedef struct Order {
        struct Order *next;
        DaemonOrder what;
        char **paths; /* DAEMON_APPLY; NULL-terminated */
        bool force;
        DaemonDone done; /* NULL: nobody wants to know */
        void *userdata;
} Order;

typedef struct OrderList {
        Order *first, *last;
} OrderList;

struct Daemon {
        const DaemonOptions *options;
        Log log;
        sd_event *event;
        sd_event_source *news, *timer, *step, *load;
        Kernel *kernel;
        Keeper *keeper;
        Store *store;
        Bus *bus;
        Buf runtime, folder; /* of the record, of the last good files */
        Buf name;
        Network *wanted, *before; /* in force, and until then: the status speaks of it for a while */
        OrderList pending, answering;
        bool loading;   /* what is wanted was not tried once yet */
        bool told;      /* systemd, that we are ready */
        int last_error; /* of the keeper's: said once */
        uint64_t busy_since;
        uint64_t generation;
        char *degraded;
};

/* The files, or with bad ones those that loaded last; says what is wrong. 0 or < 0. */
int daemon_load_first(Daemon *daemon);
/* Carries out what was ordered, unless something is still being loaded. */
void daemon_run_orders(Daemon *daemon);
/* What was ordered has been tried. */
void daemon_answer_loaded(Daemon *daemon, const SettleResult *result);
void daemon_forget_orders(Daemon *daemon);

/* Another network is wanted, whose ownership it takes. */
void daemon_want(Daemon *daemon, Network *wanted);
/* Says and shows that; NULL: all is well. */
void daemon_set_degraded(Daemon *daemon, const Report *report);
void daemon_tell(Daemon *daemon, HappeningType type, const PlanItem *item, const char *text);
