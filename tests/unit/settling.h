/* SPDX-License-Identifier: MIT */
#pragma once

/* The daemon's settle() on a fake kernel, with a record in a folder and every request in sight. */

#include "daemon/settle.h"

typedef struct Settling {
        Kernel kernel;   /* first: passes on to the fake one, and looks at what goes by */
        Kernel *fake;
        Store *store;
        char folder[32];
        bool shared;     /* the fake kernel is somebody else's */
        bool loud;       /* print every operation */
        size_t sent;     /* operations in the last run */
        size_t refused;  /* of these */
        size_t crash_in; /* operations from now; 0: never */
        Buf log;         /* what was refused, and why */
} Settling;

void settling_init(Settling *settling);
/* Another configuration with a record of its own, on the same kernel. */
void settling_init_beside(Settling *settling, const Settling *other);
void settling_deinit(Settling *settling);
/* The same as fixtures of a test, of which one runs at a time. */
int settling_setup(void **state);
int settling_teardown(void **state);

/* From text to a complete and checked Network, or NULL and the problems in *ret_problems. */
Network *settling_load(const char *text, Buf *ret_problems);

/* Makes it so, as far as that goes. In how many rounds something was sent. */
size_t settling_run(Settling *settling, const Network *wanted);

/* Does so many operations and one more without learning of it, and starts again. */
void settling_crash(Settling *settling, const Network *wanted, size_t after);

/* Takes our marks off what the record says was made: it is somebody else's then. */
void settling_disown(Settling *settling);

/* Adds, a line each, the links that `wanted` names and all that these are connected to. */
void settling_touched(Settling *settling, const Network *wanted, Buf *ret);

/* A text's lines, in order; takes it apart. */
void lines_sort(char *text, Buf *ret);

/*
 * All that is there, sorted, a line for each value; of links that are in `brief` (NULL: none) only
 * that they are, and nothing of what leaves by them.
 */
void settling_snapshot(Settling *settling, const Buf *brief, Buf *ret);
