/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Keeps a Network as it is wanted: takes in what the kernel tells, settles, and says when it wants
 * to be called again. It neither waits nor reads a clock for its pace, so that a test can let a
 * minute of fighting go by in no time.
 */

#include "daemon/daemon.h"
#include "daemon/settle.h"

typedef struct Keeper Keeper;

typedef struct KeeperHooks {
        /* One thing noticed or done; `text` adds what the item does not say, or is "". */
        void (*tell)(void *userdata, HappeningType type, const PlanItem *item, const char *text);
        /* Everything was tried once since keeper_want(). */
        void (*loaded)(void *userdata, const SettleResult *result);
        /* keeper_status() tells something else now. */
        void (*changed)(void *userdata);
        void *userdata;
} KeeperHooks;

typedef struct KeeperStatus {
        DaemonState state;
        const char *noisy; /* a namespace, or NULL */
        const Plan *plan;  /* of the objects as they are; empty until everything was tried once */
        int record_error;  /* of the last settlement: what rests on the record alone failed */
} KeeperStatus;

/* Watches the kernel, which must outlive it. *ret_fd: readable when there is news. 0 or < 0. */
int keeper_new(Kernel *kernel, const KeeperHooks *hooks, Keeper **ret, int *ret_fd);
Keeper *keeper_free(Keeper *keeper);
void keeper_freep(Keeper **keeper);

/*
 * From now on this is wanted. Network and store are borrowed until the next call; so is the Network
 * of the call before until `loaded`, because the status speaks of it.
 */
void keeper_want(Keeper *keeper, const Network *wanted, Store *store);

/*
 * Does what is due at `now_ms` (CLOCK_MONOTONIC), at most one piece of a settlement. *ret_next: when
 * to call again even without news, `now_ms` if there is more to do already. *ret_listens: whether
 * news is welcome before that. 0, or < 0: it could not be done, and will be tried again.
 */
int keeper_step(Keeper *keeper, uint64_t now_ms, uint64_t *ret_next, bool *ret_listens);

void keeper_status(const Keeper *keeper, KeeperStatus *ret);

/*
 * Leaves an item ("br0", "ns1/eth0", "ns1/" with all that is in it, "": everything) alone until
 * then, UINT64_MAX for good. 0, -ENOENT if nothing of that name is declared, -ENOMEM.
 */
int keeper_pause(Keeper *keeper, const char *item, uint64_t until_ms);
int keeper_resume(Keeper *keeper, const char *item); /* 0, -ENOENT: it was not paused */
bool keeper_is_paused(const Keeper *keeper); /* everything */
