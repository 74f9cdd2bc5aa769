/* SPDX-License-Identifier: MIT */
#pragma once

/* What the record says about operations: before and after each, and when all is verified. */

#include "daemon/store.h"
#include "mvnet/plan.h"

typedef struct Note {
        bool rests;      /* on the record alone: must not be done unless this is written */
        bool entry_new;  /* the entry is not older than this operation */
        RowSet rows_new; /* nor are these rows of it */
} Note;

/*
 * Whether `have` does not tell the value that a parameter has before it is set, because what it
 * belongs to was made since.
 */
bool note_is_blind(const Record *record, const Network *have, const Op *op);

/* Announces an operation; `have` is what is there. 0 or < 0. */
int note_before(Store *store, const Network *have, const Op *op, Note *ret);

/* Takes back what was announced, or says the rest. 0 or < 0. */
int note_after(Store *store, const Network *have, const Op *op, const Note *note, bool done);

/*
 * Gives announced entries the identity that the kernel gave their objects: those whose request was
 * `sent` by this run, or, left by a run that was killed, those that bear our mark. 0 or < 0.
 */
int notes_complete(Store *store, const Network *have, bool sent);
bool notes_are_complete(const Record *record);

/* Forgets what a plan proves to be undone, takes up what a lost record left unclaimed. 0 or < 0. */
int notes_settle(Store *store, const Plan *plan);
/* Whether there is something to take up: that writes, and so needs store_begin(). */
bool notes_are_lost(const Record *record, const Plan *plan);

/* "mtu", "bridge-port.hairpin": a row's key in the record. */
void note_row_key(const AttrSet *set, Section section, size_t row, Buf *ret);
