/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The story: load, dump, plan, apply, verify, and again until nothing is left that could be done.
 */

#include "daemon/damper.h"
#include "daemon/store.h"
#include "mvnet/kernel.h"
#include "mvnet/plan.h"

#define SETTLE_TIMEOUT_MS 10000u

typedef struct SettleOptions {
        bool force;          /* also steps that would saw off the branch (rule 9) */
        unsigned timeout_ms; /* for requests that fail only because something is still dying */
        unsigned wait_ms;    /* for objects that wait for something to appear */
        unsigned lookup_ms;  /* for names of hosts that were never looked up before */
        /*
         * Called for each item (NULL: none yet) whose requests have all been carried out, and after
         * each slice with how many requests of how many are.
         */
        void (*progress)(void *userdata, const PlanItem *item, size_t done, size_t total);
        /* Called with each item of a plan of which something is about to be sent. */
        void (*noticed)(void *userdata, const PlanItem *item);
        void *userdata;
        bool once;         /* what was done and undone again is left to another settlement */
        Damper *damper;    /* remembers settlements before this one; NULL: nobody does */
        const char *noisy; /* a namespace that changes too fast to be followed, or NULL */
} SettleOptions;

typedef struct SettleResult {
        /*
         * Every object once. Its verdict is what was done to it, unless that failed or something is
         * in the way: then it is that. `lines` are all changes that were tried; there are no ops.
         */
        Plan *plan;
        bool refused;     /* nothing was done: an item has a guard, and force is not set */
        int record_error; /* the record could not be written; what rests on it alone failed */
        size_t rounds;    /* in which something was sent */
} SettleResult;

void settle_result_deinit(SettleResult *result);

/*
 * Makes the kernel what is wanted; to undo all that the store's record holds, want an empty
 * Network. 0; a STORE_E_*; or < 0.
 */
int settle(Kernel *kernel, const Network *wanted, Store *store, const SettleOptions *options,
           SettleResult *ret);

/*
 * The same piece by piece, for who has other things to do in between. A piece is a look at the
 * kernel with a plan, or one slice of requests, so it takes some 10 ms as a rule; a request can
 * block for longer while somebody else holds RTNL. Options are copied; what they and the arguments
 * point to, but for `noisy`, must outlive the settlement.
 */
typedef struct Settlement Settlement;

enum {
        SETTLE_E_AGAIN = 1000, /* beyond the store's outcomes, which are passed on: go on */
        SETTLE_E_REST,         /* go on in *ret_rest_ms, or when something has changed */
};

int settlement_new(Kernel *kernel, const Network *wanted, Store *store,
                   const SettleOptions *options, Settlement **ret);
Settlement *settlement_free(Settlement *settlement); /* NULL; can be dropped between any two steps */
void settlement_freep(Settlement **settlement);

/* 0: done, to be finished; SETTLE_E_*; a STORE_E_*; or < 0. */
int settlement_step(Settlement *settlement, unsigned *ret_rest_ms);
int settlement_finish(Settlement *settlement, SettleResult *ret); /* 0 or < 0 */

/* Only the first half: what is there, and what would be done. 0 or < 0. */
int settle_plan(Kernel *kernel, const Network *wanted, const Record *record, Network **ret_have,
                Plan **ret_plan);
