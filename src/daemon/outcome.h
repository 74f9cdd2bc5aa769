/* SPDX-License-Identifier: MIT */
#pragma once

/* What became of every object over all rounds of a settlement. */

#include "mvnet/plan.h"

typedef struct Outcome {
        Plan *plan;
        struct OutcomeItem *items; /* uthash, in the order first seen */
        size_t round;
        bool refused; /* nothing was tried: what would be done stands as it was planned */
        bool failed;  /* out of memory */
} Outcome;

int outcome_init(Outcome *outcome); /* 0 or -ENOMEM */
void outcome_deinit(Outcome *outcome);

/* Takes over what a round's plan says, and which of its items failed in it or before. */
void outcome_add(Outcome *outcome, const Plan *plan);

/* All requests of the plan that was added last were carried out, and are known to have worked. */
void outcome_done(Outcome *outcome, const Plan *plan);

/* An item that could not be tried, and why. */
void outcome_block(Outcome *outcome, const PlanItem *item, const char *why);

/* True once for each item. */
bool outcome_tell(Outcome *outcome, const PlanItem *item);

/*
 * Fills in verdicts and counts, and tells of what was done to items without a request of their own.
 * The plan is the caller's then. 0 or -ENOMEM.
 */
int outcome_finish(Outcome *outcome, void (*tell)(void *userdata, const PlanItem *item),
                   void *userdata, Plan **ret);

/* Links and namespaces may have the same path: "br0" and "br0/". */
void item_key(const PlanItem *item, Buf *ret);
