/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the fake Kernel share. */

#include "mvnet/kernel.h"

/* What the kernel knows of a link and does not report. */
typedef struct FakeLink {
        const Link *link;
        bool mtu_set, mac_set; /* by somebody, once: no longer derived from other links */
        uint8_t own_mac[6];    /* what it had, and gets back, while its master lends it one */
        uint64_t own_mtu;
        uint8_t lent_mac[6];   /* the parent's own address, while this link may set it */
        bool no_ipv4;          /* its last address went: that takes routes, as going down does */
        UT_hash_handle hh;
} FakeLink;

/* A namespace's numbers, which are not given twice. */
typedef struct FakeSpace {
        uint64_t cookie;
        int last_ifindex;
        UT_hash_handle hh;
} FakeSpace;

typedef struct FakeWatch FakeWatch;

typedef struct FakeKernel {
        Kernel kernel; /* first: it is what others see */
        Network *world;
        FakeLink *links;   /* uthash by address; in the world's arena, as are the spaces */
        FakeSpace *spaces; /* uthash by cookie */
        uint64_t last_cookie;
        uint32_t last_mac;
        size_t fail_in; /* operations from now; 0: never */
        int fail_with;
        FakeWatch *watch;
        Network *asked; /* whose hosts somebody wants to know, or NULL; the world has the answers */
} FakeKernel;

#define FOREACH_LINK(kernel, link)                                                            \
        for (Namespace *_netns = (kernel)->world->namespaces; _netns; _netns = _netns->hh.next) \
                for (Link *link = _netns->links; link; link = link->hh.next)

/* Fills in the result and returns the error. */
int fake_refuse(OpResult *result, int error, const Row *row, const char *format, ...)
        _printf_(4, 5);

/* fake.c. */

/* A namespace that is there, or NULL. */
Namespace *fake_space(FakeKernel *kernel, const char *name);
/* The link itself, or another one that has the name as an altname, has it taken. */
bool fake_name_taken(const Namespace *netns, const char *name);
/* What every object of this type reports, unless it is said. `choice`: also rows without default. */
int fake_fill(FakeKernel *kernel, AttrSet *set, bool choice);
int fake_set_value(FakeKernel *kernel, AttrSet *set, size_t row, const Value *value);
int fake_set_text(FakeKernel *kernel, AttrSet *set, const char *key, const char *text);
/* Per-link sysctls are made anew in every namespace. 0 or -ENOMEM. */
int fake_reset_sysctls(FakeKernel *kernel, Link *link);

/* fake-host.c: names of hosts. */

int fake_resolve(Kernel *base, const Network *wanted);
/* Adds what is known, and what is not, of those that were asked for. 0 or -ENOMEM. */
int fake_dump_hosts(const FakeKernel *kernel, Network *have);

/* fake-state.c: what one link does to others. */

FakeLink *fake_link(FakeKernel *kernel, const Link *link); /* NULL: out of memory */
bool fake_is_up(const Link *link);
bool fake_is_loopback(const Link *link);
/* Its lower device, if it is of a kind that has one. */
Link *fake_parent(const Link *link);
/* In a mode that takes the parent over: macvlan's passthru. */
bool fake_is_fixed(const Link *link);
bool fake_has_ports(FakeKernel *kernel, const Link *link);
Link *fake_child(FakeKernel *kernel, const Link *link, uint32_t flag); /* the first, or NULL */

int fake_up(FakeKernel *kernel, Link *link);
int fake_down(FakeKernel *kernel, Link *link);
int fake_change_mtu(FakeKernel *kernel, Link *link, uint64_t mtu, bool by_user);
int fake_change_mac(FakeKernel *kernel, Link *link, const uint8_t mac[6]);
int fake_enslave(FakeKernel *kernel, Link *link, Link *master);
int fake_release(FakeKernel *kernel, Link *link);
/* With its children and its far end, wherever they are. 0 or -ENOMEM. */
int fake_destroy(FakeKernel *kernel, Link *link);
/* Whoever names the link by `from` now names it by `to`; a `to` without link is nobody. */
void fake_rename_refs(FakeKernel *kernel, Ref from, Ref to);
/* Gives a link what every link has, as far as it is not there: also to those put there by hand. */
int fake_complete(FakeKernel *kernel, Link *link);

/* fake-bridge.c: what bridges keep. */

/* What a bridge, or a port of it, begins with. 0 or -ENOMEM. */
int fake_begin_vlans(FakeKernel *kernel, Link *link, const Link *bridge);
/* Another default for those that have the old one; `at` is the option. 0 or -ENOMEM. */
int fake_change_default_vid(FakeKernel *kernel, Link *bridge, size_t at, const Value *value);
/* Whether its VLANs are in force, so that somebody asks for them. */
bool fake_filters_vlans(const Link *link);
int fake_check_of_port(const Link *link, const Object *object, OpResult *result);
void fake_forget_port(Link *master, const Link *port); /* what names it is gone */
int fake_check_fdb(const Link *link, const Object *object, OpResult *result);

/* fake-object.c: what lives on links and in namespaces. */

int fake_apply_object(FakeKernel *kernel, const Op *op, OpResult *result);
/* One of the kernel's own. 0 or -ENOMEM. */
int fake_add_address(FakeKernel *kernel, Link *link, const char *text);

/* fake-ip.c: routes and neighbours. */

/* The first bits of two addresses of one family; all of them. */
bool fake_in_prefix(const Value *a, const Value *b, unsigned length);
bool fake_same_ip(const Value *a, const Value *b);
/* What it needs is there. 0 or refused. */
int fake_check_route(const Namespace *netns, const Object *object, OpResult *result);
int fake_check_neighbour(const Link *link, const Object *object, OpResult *result);
/* Fills in the links that nobody said. */
void fake_complete_route(const Namespace *netns, Object *object);
/* What goes with the link's coming down, for good if it is `gone`. */
void fake_flush_ip(FakeKernel *kernel, Link *link, uint8_t family, bool gone);
/* What goes with another MAC address. */
void fake_flush_resolved(Link *link);
/* One more, or (NULL) the link is up: what has several ways goes by this one again. */
void fake_got_address(FakeKernel *kernel, const Link *link, const Value *address);
/* What goes with one that is no longer among the link's; and with the link as a whole. */
void fake_lost_address(FakeKernel *kernel, Link *link, const Value *address);
void fake_lose_ip(FakeKernel *kernel, Link *link);

/* fake-link.c: requests. */

int fake_link_add(FakeKernel *kernel, const Op *op, OpResult *result);
int fake_link_set(FakeKernel *kernel, const Op *op, OpResult *result);
int fake_link_move(FakeKernel *kernel, const Op *op, OpResult *result);
int fake_link_del(FakeKernel *kernel, const Op *op, OpResult *result);
/* The link an operation is about. 0, -ENOENT (no such namespace), -ENODEV. */
int fake_find(FakeKernel *kernel, const Op *op, OpResult *result, Link **ret);
/* To another namespace and name, which are free. Resets what a move resets. *ret: as it is now. */
int fake_transfer(FakeKernel *kernel, Link *link, Namespace *to, const char *name, Link **ret);

/* fake-lower.c: lower devices that are options. */

/* Whether what an operation says of a lower device, seen from `bind`, can be. 0 or refused. */
int fake_check_lower(FakeKernel *kernel, const Op *op, const char *bind, OpResult *result);
int fake_set_lower(FakeKernel *kernel, Link *link, const Op *op, OpResult *result);
/* KIND_REPLACES: all options but those go back. 0 or < 0. */
int fake_zero(FakeKernel *kernel, Link *link, RowSet sent);
Link *fake_killed(FakeKernel *kernel, const Link *link); /* dies with it: the first, or NULL */
Link *fake_bound(FakeKernel *kernel, const Namespace *netns); /* dies with that: likewise */
/* A new link's outer side is where its lower device is, or where it is itself. 0 or -ENOMEM. */
int fake_bind(FakeKernel *kernel, Link *link);

/* fake-numbered.c: objects that others refer to. */

int fake_check_numbers(FakeKernel *kernel, const Namespace *netns, const Object *object,
                       OpResult *result);
/* One is gone: so is what refers to it, or, if there are others, does no more. */
void fake_forget_number(Namespace *netns, const ObjectType *type, uint64_t number);
/* The link is down, or gone. */
void fake_flush_referred(Link *link);

/* fake-watch.c: news of it. */

FakeWatch *fake_watch_new(void); /* NULL: out of memory */
FakeWatch *fake_watch_free(FakeWatch *watch);
int fake_watch(Kernel *base, int *ret_fd);
int fake_notice(Kernel *base, uint64_t now_ms, KernelNews *ret);
void fake_forget(Kernel *base);
void fake_mark(Kernel *base);
bool fake_saw(Kernel *base, const Op *op);
/* What is watched is what a dump spoke of; what happened before was in it. 0 or -ENOMEM. */
int fake_watch_dumped(FakeWatch *watch, const Network *scope);
/* Requests begin; one of them worked, and whoever wants to may meddle. 0 or -ENOMEM. */
void fake_watch_before(FakeWatch *watch);
int fake_watch_did(FakeKernel *kernel, const Op *op);
