/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The tests' hands on the real kernel, in namespaces of their own. Helpers fail the test instead
 * of returning errors.
 */

#include "kernel/netns.h"
#include "mvnet/kernel.h"

#define SKIPPED 77 /* to meson */
#define RUN NETNS_RUN_DIR
#define OPS_MAX 4096

/* One test's: all of it is dropped at its end. */
typedef struct World {
        Kernel *kernel;
        Network *wanted, *have;
        Op ops[OPS_MAX];
        size_t n;
        OpResult results[OPS_MAX];
} World;

/* A network and a mount namespace for this program. False: we must not. */
bool world_enter(void);
bool lacks_filtering(void); /* no bridge filters VLANs here; says so */
int world_setup(void **state);
/* Leaves the namespace as it was found, so that no test depends on another. */
int world_teardown(void **state);

/* What is wanted; values as in a file. */
Namespace *space_of(Network *network, const char *name);
Link *want(World *world, const char *netns, const char *name, const char *kind);
Link *set(Link *link, const char *key, const char *text);
bool set_in(AttrSet *set, const char *netns, const char *key, const char *text, Arena *arena);
void set_port(Link *link, const char *key, const char *text); /* of a bridge */
void set_vlans(Link *link, const char *text);
Object *put_on(Link *link, const ObjectType *type, ...);      /* keys and values in turn, NULL */
Object *put_in(Namespace *netns, const ObjectType *type, ...);

/* What is to be done. */
Op *add_op(World *world, OpType type, const char *netns, const char *name);
void add_set(World *world, Link *link, Section section, RowSet rows);
void plan_objects(World *world, Link *link, Namespace *netns, Object *object);
Op *plan_link(World *world, Link *link, Link *peer);
RowSet row_bit(const AttrSet *set, const char *key);

/* Doing it. */
void apply(World *world);
void apply_all(World *world);      /* and it all worked */
OpResult apply_one(World *world);  /* the result of the only operation */
void make_space(World *world, const char *name);
void make(World *world, Link *link, Link *peer);
int run(const char *format, ...) _printf_(1, 2); /* a shell's exit status */

/* Looking at it. */
void look(World *world);
Link *seen(World *world, const char *path);
void assert_converged(World *world); /* everything that is wanted is there */
void assert_vlans(World *world, const char *name, const char *expected);
const Ref *ref_in(const AttrSet *set, const char *key);
void assert_ref(const Ref *ref, const char *netns, const char *link);
