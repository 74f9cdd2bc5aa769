/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The one place where the world is: a Kernel can dump a Network and apply an operation. The real
 * one speaks rtnetlink; the fake one is a Network in memory with the kernel's manners.
 */

#include "mvnet/plan.h"

typedef struct Kernel Kernel;

/* What became of one operation. */
typedef struct OpResult {
        int error;          /* 0, or the errno as a negative number */
        char message[160];  /* the extended ack's text, "" if none */
        const Row *row;     /* the row at fault, if that is known */
        bool done;          /* it was tried at all */
        bool verified;      /* and read back as it should be: no dump is needed to know */
} OpResult;

typedef struct KernelOps {
        int (*survey)(Kernel *kernel, Network *scope); /* NULL: there is nothing to add, ever */
        int (*dump)(Kernel *kernel, const Network *scope, Network **ret);
        int (*apply)(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results);
        Kernel *(*free)(Kernel *kernel);
} KernelOps;

struct Kernel {
        const KernelOps *ops;
        uint64_t writes;   /* requests sent that could change something */
};

/*
 * What is there, in the namespaces and for the sysctls that `scope` names: always consistent (it is
 * read again as often as that takes), references resolved to names; links in namespaces outside
 * the scope appear as references to a namespace called "?". A namespace that is not there is in the
 * result with exists false, and with the reason if it only can't be entered. 0 or < 0.
 */
int kernel_dump(Kernel *kernel, const Network *scope, Network **ret);

/*
 * Adds to a scope all named namespaces that there are. Links can have children anywhere, and a link
 * that is to be deleted must not take along what was never looked at. 0 or < 0.
 */
int kernel_survey(Kernel *kernel, Network *scope);

/*
 * Carries out operations in this order, each as soon as the one before is done. An operation that
 * fails does not stop those after it. Results are per operation. Returns 0, or < 0 if the kernel
 * could not be talked to at all.
 */
int kernel_apply(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results);

Kernel *kernel_free(Kernel *kernel);
void kernel_freep(Kernel **kernel);

/*
 * The kernel this process runs on, seen from the namespace it runs in. `run_netns` is where named
 * namespaces are ("/run/netns"). Raises the process's soft limit of descriptors. 0 or < 0.
 */
int kernel_new(const char *run_netns, Kernel **ret);

/* A kernel in memory. Its state can be looked at and meddled with: it is a Network. */
int kernel_fake_new(Kernel **ret);
Network *kernel_fake_state(Kernel *kernel);
/*
 * The `nth` operation from now (1 is the next, 0 none) is not done: answered with `error`, an errno
 * as a negative number, or acknowledged all the same if that is 0.
 */
void kernel_fake_fail(Kernel *kernel, size_t nth, int error);
