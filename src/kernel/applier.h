/* SPDX-License-Identifier: MIT */
#pragma once

/* What carrying out operations one by one (apply.c) and many at once (bulk.c) have in common. */

#include "kernel/internal.h"

#include <net/if.h>

/* A link's number, until something is done that may change it. */
typedef struct Known {
        struct KnownKey {
                const Space *space;
                char name[IFNAMSIZ];
        } key;
        int ifindex;
        UT_hash_handle hh;
} Known;

typedef struct Applier {
        RealKernel *kernel;
        Arena arena;
        Known *known;     /* uthash, in the arena */
        /* the operation at hand */
        const Op *op;
        OpResult *result;
        Space *space;     /* where the request is made */
        const Ref *missing; /* that could not be resolved */
        bool far;           /* the request refers to a link of another namespace */
        Request request;
} Applier;

void applier_begin(Applier *applier, const Op *op, OpResult *result);
/* One operation by itself; what came of it is in its result. */
void applier_apply(Applier *applier, const Op *op, OpResult *result);

/* The first reason is the one that counts. Returns `error`. */
int applier_fail(Applier *applier, int error, const char *format, ...) _printf_(3, 4);

/* The namespace, open, if it is still the one that was dumped. 0 or < 0. */
int applier_enter(Applier *applier, const char *name, Space **ret);
/* The number of the link that the operation is about. 0 or < 0. */
int applier_ifindex(Applier *applier, int *ret);
/* The number of another link in the namespace of the operation. 0 or < 0. */
int applier_find(Applier *applier, const char *name, int *ret);
/* What was known of a name is not so any more. */
void applier_forget(Applier *applier, const char *netns, const char *name);

Request *applier_request(Applier *applier); /* an empty one */
/* Sends what encoding, whose result is passed on, has made of the request. 0 or < 0. */
int applier_send(Applier *applier, int encoded);
int applier_send_by(Applier *applier, Netlink *netlink, int encoded);

/* Makes the VLANs of a bridge or port what the operation says. 0 or < 0. */
int vlans_apply(Applier *applier, int ifindex);

/* The same of the networks of a vxlan. */
int vnis_apply(Applier *applier, int ifindex);

/* How many of the next operations can go in one, and carrying out that many. 0 or < 0. */
size_t bulk_count_deletions(const Op *const *ops, size_t n);
int bulk_delete(Applier *applier, const Op *const *ops, size_t n, OpResult *results);
size_t bulk_count_states(const Op *const *ops, size_t n);
int bulk_set_states(Applier *applier, const Op *const *ops, size_t n, OpResult *results);

/* Makes a tun, with all that an OP_LINK_ADD says; changes one. 0 or < 0. */
int tun_add(Applier *applier);
int tun_set(Applier *applier, int ifindex);
/* Makes, or takes away, a port of a simulated device. 0 or < 0. */
int sim_add(Applier *applier);
int sim_del(Applier *applier);
/* About a link that rtnetlink can neither make nor delete. */
bool op_is_of_sysfs(const Op *op);
/* Sets who may open a link's character device. 0 or < 0. */
int device_set(Applier *applier, int ifindex);
/* The link is no more, or no more called so: nor is what its device file is called. */
void device_forget(const Op *op);
