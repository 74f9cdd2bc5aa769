/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * With what each row of each kind can be tried, where that is more than its type suggests. There is
 * a pair of veths, `low` and `nul`, and another one, `low2` and `nul2`.
 */

#include "mvnet/util.h"

/* What not every kernel or machine has, beside the kind itself. */
typedef enum Need {
        NEEDS_NOTHING,
        NEEDS_FILTERING, /* bridges that filter VLANs */
        NEEDS_DEVICES,   /* files for character devices, as devtmpfs makes them */
        NEEDS_TUN,       /* /dev/net/tun */
        _NEED_N,
} Need;

/* What a link of a kind is made of, as in a file: "parent: low, id: 7". */
typedef struct Base {
        const char *kind, *text;
        const char *skip; /* why there can be none */
        Need needs;
} Base;

typedef struct Example {
        const char *set;     /* the kind, or "bond-port"; NULL: whichever */
        const char *key;
        const char *a, *b;   /* two values; NULL: what the type suggests */
        const char *with;    /* beside it, where it is; NULL: nothing */
        const char *base;    /* instead of the kind's; NULL: that */
        const char *alone;   /* that and `with` beside `a`, which excludes them; NULL: them */
        const char *skip;    /* why not at all */
        bool stays;          /* the file can't do without it: it is not dropped */
        Need needs;
        const char *config;  /* how a kernel is built that does not refuse it */
} Example;

const Base *base_find(const char *kind); /* NULL: none */
Example example_find(const char *set, const char *key); /* empty: none */
