/* SPDX-License-Identifier: MIT */
#pragma once

/* Names of hosts that somebody wants to know: who asked, what was answered, when to ask again. */

#include "kernel/internal.h"

typedef struct Resolver Resolver;

int real_resolve(Kernel *kernel, const Network *wanted);

/* NULL; those that are at it are stopped. */
Resolver *resolver_free(Resolver *resolver);

/* Takes in answers, and begins what is due. */
void resolver_run(RealKernel *kernel, uint64_t now_ms);
/* The same after a dump: also where there was no namespace, and what is new is still to be told. */
void resolver_dumped(RealKernel *kernel);

/* Adds what is known. 0 or -ENOMEM. */
int resolver_show(const RealKernel *kernel, Network *have);

/* When to run again, UINT64_MAX: when a descriptor is readable, if at all. */
uint64_t resolver_next(const RealKernel *kernel);

/* A namespace about whose hosts something else is known now, once; NULL: there is none, any more. */
const char *resolver_news(RealKernel *kernel);
