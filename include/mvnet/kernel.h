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

/* Where something changed. */
typedef struct KernelTouch {
        const char *netns;
        int ifindex; /* 0: the namespace as such, or more than can be told */
} KernelTouch;

/* What the kernel said since kernel_notice() was asked last. */
typedef struct KernelNews {
        size_t events; /* messages; those that were lost count as one */
        /* What is stale since the last dump; valid until the next call of any kernel_ function. */
        const KernelTouch *touched;
        size_t n_touched;
        const char *noisy; /* one that changes more than 1,000 times a second, or NULL */
        /*
         * Call kernel_notice() again in so many milliseconds even if the descriptor stays silent,
         * as it does for noisy namespaces, and for some that are waited for; 0: no need.
         */
        unsigned again_ms;
} KernelNews;

typedef struct KernelOps {
        int (*resolve)(Kernel *kernel, const Network *wanted); /* NULL: nobody will ever know */
        int (*survey)(Kernel *kernel, Network *scope); /* NULL: there is nothing to add, ever */
        int (*dump)(Kernel *kernel, const Network *scope, Network **ret);
        int (*apply)(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results);
        int (*watch)(Kernel *kernel, int *ret_fd);
        int (*notice)(Kernel *kernel, uint64_t now_ms, KernelNews *ret);
        void (*forget)(Kernel *kernel);
        void (*mark)(Kernel *kernel);
        bool (*saw)(Kernel *kernel, const Op *op);
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
 * Begins to look up the names of hosts in it, those that are known anew, each by the means of its
 * namespace; those of the call before are forgotten unless they are in it, too. What comes of it is
 * in later dumps, once known with what was known before until there is something else. Nothing is
 * waited for; what fails is tried again. 0 or < 0.
 */
int kernel_resolve(Kernel *kernel, const Network *wanted);

/*
 * Carries out operations in this order, each as soon as the one before is done. An operation that
 * fails does not stop those after it. Results are per operation. Returns 0, or < 0 if the kernel
 * could not be talked to at all.
 */
int kernel_apply(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results);

/*
 * Begins to watch. From now on a dump subscribes to every namespace of its scope, those of a survey
 * excepted, before it reads it, and the next dump reads again only what was touched since: by an
 * event, by one of our own requests, or by the loss of events. A namespace that is not in the scope
 * any more, or is deleted, is let go at once: a socket would keep it alive.
 *
 * What nobody is told of (sysctls, GSO sizes; alias, group, altnames and options of links that are
 * down), or we do not listen to (default routes), is as it was read last, until kernel_forget().
 * *ret_fd stays the kernel's and is readable when there is news. 0 or < 0.
 */
int kernel_watch(Kernel *kernel, int *ret_fd);

/* Takes in what is queued, without waiting. `now_ms`: CLOCK_MONOTONIC. 0 or < 0. */
int kernel_notice(Kernel *kernel, uint64_t now_ms, KernelNews *ret);

/* Everything is stale: the next dump reads it all. */
void kernel_forget(Kernel *kernel);

/* Requests that follow, in however many kernel_apply(), are what kernel_saw() is asked about. */
void kernel_mark(Kernel *kernel);

/*
 * Whether an event since the last kernel_mark(), or without one kernel_apply(), showed what `op`,
 * one of the requests since, asked for: then it was done, and what it is now is somebody else's
 * doing. Also true if that can't be told because events were lost. False without kernel_watch().
 */
bool kernel_saw(Kernel *kernel, const Op *op);

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
/*
 * What a host is called, from now on: addresses with a blank between, or "" if that can't be known.
 * Before, nobody answers. 0, -EINVAL, -ENOMEM.
 */
int kernel_fake_host(Kernel *kernel, const char *netns, const char *host, const char *addresses);
/* After its state was changed by hand: news of that link (0: of the whole namespace). */
void kernel_fake_touch(Kernel *kernel, const char *netns, int ifindex);
/*
 * Somebody who undoes: called after each of our requests that changed something, may change the
 * state and touch it. NULL: nobody.
 */
void kernel_fake_meddle(Kernel *kernel, void (*meddle)(void *userdata, Kernel *kernel),
                        void *userdata);
