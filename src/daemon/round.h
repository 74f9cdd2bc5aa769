/* SPDX-License-Identifier: MIT */
#pragma once

/* What a settlement and its rounds share: settle.c round.c. */

#include "daemon/notes.h"
#include "daemon/outcome.h"
#include "daemon/settle.h"

#define SLICE_MAX 64u
#define SLICE_BULK_MAX 1024u /* what the kernel does better in one go: deletions, coming up */

/* Acknowledged, and wanted again. */
typedef enum Vain {
        VAIN_NOT,
        VAIN_IGNORED, /* the kernel did nothing */
        VAIN_UNDONE,  /* somebody else was there since */
        _VAIN_N,
} Vain;

/* A request that was sent before, and what came of it. */
typedef struct Tried {
        const char *signature;
        int error;      /* 0: acknowledged */
        unsigned acked; /* how often */
        size_t turn;    /* when last, among all that were acknowledged */
        size_t round;   /* in which it was acknowledged */
        bool waits;     /* something was missing: it did not fail */
        Vain vain;      /* found out once: what the kernel told is forgotten by the next round */
        const char *failure;
        Location at;
        UT_hash_handle hh;
} Tried;

/* An item in a round. */
typedef struct ItemState {
        PlanItem *item;
        const char *key;
        const char *blocked; /* why nothing more of it is sent; NULL: nothing is in the way */
        const char *waits;   /* what one of its entries waits for, or NULL: the others go on */
        bool paused;         /* and that is the reason, here or further down */
        bool failed;         /* refused: the rest of it makes no sense now */
        size_t left;         /* requests to be sent */
        size_t slice;        /* in which its identity is at stake */
        UT_hash_handle hh;
} ItemState;

/* Requests that are announced, sent and noted together. */
typedef struct Slice {
        const Op *ops[SLICE_BULK_MAX];
        Note notes[SLICE_BULK_MAX];
        OpResult results[SLICE_BULK_MAX];
        size_t n;
} Slice;

typedef struct Round {
        Network *have;
        Network *now; /* a later look, for what was made in this round; or NULL */
        bool stale;   /* something was made since */
        Plan *plan;
        Arena arena;
        ItemState *items; /* uthash by key */
        bool *send;       /* per op */
        size_t next;      /* the first op that was not looked at */
        size_t ups;       /* the first that is left for a round of its own */
        size_t n_send, n_sent, n_done, n_retry;
        size_t n_verified; /* read back at once: the next dump has nothing to add */
        size_t n_slices;
        Slice slice;
} Round;

struct Settlement {
        Kernel *kernel;
        const Network *wanted;
        Store *store;
        SettleOptions options;
        Arena arena;
        Tried *tried; /* uthash by signature */
        Outcome outcome;
        Round *round; /* that is being sent, or NULL */
        uint64_t deadline, wait_deadline, lookup_deadline;
        unsigned backoff_ms, poll_ms;
        size_t turns;   /* requests acknowledged so far */
        bool recovered; /* what a killed run announced was looked at */
        bool wide;      /* links are deleted: namespaces that nobody declared are looked into, too */
        bool rested;    /* time passed since a request failed: it may be tried again */
        bool unrecorded; /* the record can't be written at all */
        int record_error;
        size_t rounds;
};

uint64_t settlement_now(void); /* CLOCK_MONOTONIC in milliseconds */
Tried *settlement_tried(const Settlement *settlement, const char *signature);
int settlement_try(Settlement *settlement, const Op *op, int error, bool waits,
                   const char *failure, Location at);
int settlement_dump(const Settlement *settlement, Network **ret);

/* Dumps, plans, and judges what of it is to be sent. 0 or < 0. */
int round_new(Settlement *settlement, Round **ret);
Round *round_free(Round *round);
void round_freep(Round **round);

enum {
        ROUND_E_MORE = 1, /* there is another slice */
};

/* One slice. None has a request that would be nonsense without another one in it. */
int round_send(Settlement *settlement, Round *round);
