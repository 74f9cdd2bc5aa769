/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Why something that differs is not put right at once: it failed a moment ago, somebody keeps
 * changing it back, or the administrator wants to be left alone with it. Pure: the clock is the
 * caller's.
 *
 * Repairs draw on a bucket of tokens for each object. What comes back with something else (a flap,
 * a re-creation) draws on one of its namespace instead, as long as it then holds for a moment and
 * nobody is known to fight over it.
 */

#include "mvnet/error.h"

/*
 * 12 at once and one back in 1.8 s: with what may be free before it is known for a contest, and the
 * last word, less than 50 in a minute of it, and less than 2 s to wait when it is over.
 */
#define DAMPER_TOKENS 12u
#define DAMPER_TOKEN_MS 1800u
#define DAMPER_HOLD_MS 30u /* undone sooner than that: a fight, not a flap */
#define DAMPER_LOOK_MS 20u /* so soon after a repair it has to be looked at, to know that */
#define DAMPER_CALM_MS 2500u /* a contest is over when nothing was to be repaired for so long */
#define DAMPER_SPACE_TOKENS 1000u /* of a namespace, and four for each object that is declared */
#define DAMPER_SPACE_TOKEN_MS 20u
#define DAMPER_NOW_MS 10000u /* so long something that dies may be in the way */

#define DAMPER_CONTEST "somebody keeps changing it back" /* as the reason of an item */
#define DAMPER_PAUSE "paused"

typedef struct Damper Damper;

/* What has to happen before a request that failed makes sense again. */
typedef enum Remedy {
        REMEDY_NOW,     /* a moment: 5 ms and longer, for 10 s; something is still dying */
        REMEDY_TIME,    /* 100 ms and longer, up to 5 min */
        REMEDY_EVENT,   /* the same, and something must have changed in its namespace */
        REMEDY_WAIT,    /* something must have changed in its namespace: it was no failure */
        REMEDY_FILE,    /* another file, or another link: the kernel said so three times */
        _REMEDY_N,
} Remedy;

typedef enum DamperAnswer {
        DAMPER_GO,
        DAMPER_FAILED,    /* it did, and it is too early to try again */
        DAMPER_WAITING,   /* something that it needs was missing, and nothing has changed since */
        DAMPER_CONTESTED, /* somebody changes it back again and again */
        DAMPER_PAUSED,
        _DAMPER_ANSWER_N,
} DamperAnswer;

typedef struct DamperRequest {
        const char *signature; /* the same for the same request about the same link */
        const char *item;      /* "br0", "ns1/eth0", "ns1/" */
        const char *netns;
        bool returns; /* it comes back with something else */
} DamperRequest;

typedef struct DamperReply {
        DamperAnswer answer;
        int error;          /* FAILED: the errno */
        const char *reason; /* one line, valid until the next call */
        Location at;        /* FAILED */
} DamperReply;

int damper_new(Damper **ret); /* 0 or -ENOMEM */
Damper *damper_free(Damper *damper);
void damper_freep(Damper **damper);

/*
 * A settlement begins. `now_ms`: CLOCK_MONOTONIC. With `fresh` it is the first after a load, and
 * nothing is charged: what it does was asked for.
 */
void damper_begin(Damper *damper, uint64_t now_ms, bool fresh);
void damper_tick(Damper *damper, uint64_t now_ms); /* time went by in it */

/* Charges an item at most once in a settlement. 0 or -ENOMEM. */
int damper_ask(Damper *damper, const DamperRequest *request, DamperReply *ret);

/*
 * It was refused, or ignored. `failure` is copied; what `at` points to must outlive the damper or
 * damper_reset(). 0 or -ENOMEM.
 */
int damper_failed(Damper *damper, const DamperRequest *request, Remedy remedy, int error,
                  const char *failure, Location at);

/* It was acknowledged. */
void damper_done(Damper *damper, const DamperRequest *request);

/* The same for what was done, and then undone by somebody else. 0 or -ENOMEM. */
int damper_undone(Damper *damper, const DamperRequest *request);

/* Somebody kept changing it back until a moment ago, even if it is as it should be right now. */
bool damper_is_contested(const Damper *damper, const char *item);

/* Something changed in that namespace (NULL: perhaps in all), and we heard of it now. */
void damper_event(Damper *damper, uint64_t now_ms, const char *netns);

/* Another file, with so many objects: failures and fights are forgotten, what is paused stays so. */
void damper_reset(Damper *damper, size_t n_items);

/* When the first of what was held back in this settlement may be tried; UINT64_MAX: never. */
uint64_t damper_next(const Damper *damper);

/*
 * Leaves an item alone until then (UINT64_MAX: for good); "ns1/" is all that is in there, "" is
 * everything. 0 or -ENOMEM.
 */
int damper_pause(Damper *damper, const char *item, uint64_t until_ms);
bool damper_resume(Damper *damper, const char *item); /* false: it was not paused */
bool damper_is_paused(const Damper *damper, const char *item); /* "": everything is */
