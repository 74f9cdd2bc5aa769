/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The latest happenings, for those who listen. They are kept once, and each listener remembers how
 * far it has got: one that is too slow costs nothing, it only misses what is overwritten.
 */

#include "daemon/daemon.h"

#define HISTORY_MAX 4096u

typedef struct History {
        struct Told *told[HISTORY_MAX]; /* NULL: nothing yet, or out of memory */
        uint64_t next; /* the number that the next one gets; they begin with 0 */
        uint64_t from; /* older ones were forgotten */
} History;

void history_deinit(History *history);
void history_forget(History *history); /* nobody listens */

/* What there is no memory for has been missed by everybody. */
void history_add(History *history, const Happening *happening);

/* The oldest that is kept from `number` on, and its number; NULL: there is none. */
const Happening *history_get(const History *history, uint64_t number, uint64_t *ret_number);
