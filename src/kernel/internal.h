/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the real Kernel share. */

#include "kernel/cache.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "mvnet/kernel.h"

#include <linux/rtnetlink.h>
#include <stdalign.h>

typedef struct Watch Watch;
typedef struct Watcher Watcher;

/* What a namespace calls another one, -1 if nothing. */
typedef struct Nsid {
        uint64_t cookie; /* of the other */
        int nsid;
        UT_hash_handle hh;
} Nsid;

/*
 * A namespace by its name. Descriptor and socket are there from space_open() to the end of the dump
 * or apply, because they keep a deleted namespace alive. What lasts is who it was and, while it is
 * watched, a monitor socket, what was read, and what it calls the others that are.
 */
typedef struct Space {
        char *name;
        NamespaceType type;
        char *path; /* NETNS_PATH */
        pid_t pid;  /* NETNS_PID */
        bool glance;
        bool wanted;     /* the last dump spoke of it, and it was no glance */
        uint64_t cookie; /* as of the last dump; 0: not there then, or never asked */
        uint64_t used;   /* the dump that spoke of it last */
        int fd;          /* -1 unless open */
        NetnsId id;
        Netlink *netlink; /* NULL unless open */
        Netlink *genl;    /* generic netlink; NULL unless somebody wanted it since */
        const char *family; /* the last one that was looked for, and its number */
        uint16_t family_id;
        NetnsId stood;    /* what was there at the last dump, be it a namespace or not */
        bool silent;      /* nobody will tell of another one there */
        bool changed;     /* it is another one since, or none */
        bool blind;       /* it could not be watched, or not even read: to be tried again */
        Cache *cache;     /* NULL unless open or watched */
        Watch *watch;     /* NULL unless watched */
        Nsid *nsids;      /* uthash by cookie */
        UT_hash_handle hh;
} Space;

typedef struct RealKernel {
        Kernel kernel; /* first: it is what others see */
        char *run_netns;
        int host_fd;
        uint64_t dumps;
        uint64_t turn; /* of reading */
        Space *spaces;    /* uthash by name */
        Watcher *watcher; /* NULL before kernel_watch() */
        struct Resolver *resolver; /* NULL before kernel_resolve() */
} RealKernel;

static inline RealKernel *real_kernel(Kernel *kernel) {
        return (RealKernel *)kernel;
}

/* The space of that name; one that no dump spoke of is a named one. NULL: out of memory. */
Space *space_get(RealKernel *kernel, const char *name);
/* Takes over from the scope where the namespace is. 0 or -ENOMEM. */
int space_declare(RealKernel *kernel, Space *space, const Namespace *netns);
/* Idempotent. If it is not the one that was watched, `changed` says so. 0, NETNS_E_*, or < 0. */
int space_open(RealKernel *kernel, Space *space);
void space_close(RealKernel *kernel, Space *space);
/* Opens what is not watched for a dump, and has it watched. 0, NETNS_E_*, or < 0. */
int space_begin(RealKernel *kernel, Space *space);
/* What netns.h takes for it: nothing has to be entered to be in the host's. */
static inline int space_visit(const Space *space) {
        return space->type == NETNS_HOST ? -1 : space->fd;
}
/* Closes all and forgets those that no dump has spoken of for a long time. */
void spaces_close(RealKernel *kernel);
/* NETNS_E_* or < 0, in words. */
const char *space_problem(int outcome);
/* What `viewer` calls the namespace behind `netns_fd`, -1 if nothing. 0 or < 0. */
int space_nsid(const Space *viewer, int netns_fd, int *ret_nsid);
/* Numbers are remembered while both are watched, and can't die. This forgets who had that one. */
void space_forget_nsid(Space *viewer, int nsid);
/* What the others call this one, and what it calls them. */
void space_forget_nsids(RealKernel *kernel, Space *space);
/* After an event, or one of our own requests: that link (0: all) is not as it was read. */
static inline void space_mark(const Space *space, int ifindex) {
        if (space->watch)
                cache_mark(space->cache, ifindex);
}

int real_dump(Kernel *kernel, const Network *scope, Network **ret);
int real_apply(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results);

/* What a link's device file is called in NETNS_TAP_DIR: "NETNS:LINK", or "LINK". */
void device_alias(const char *netns, const char *link, Buf *ret);

/* Attributes by number; those that are too high are skipped. 0 or -EBADMSG. */
int attrs_parse(const void *data, size_t size, const struct nlattr **tb, size_t n);
int attrs_parse_nest(const struct nlattr *nest, const struct nlattr **tb, size_t n);
/* Attributes behind a message's header. 0, or -EBADMSG also if the header is not whole. */
int attrs_parse_message(const struct nlmsghdr *message, size_t header_size,
                        const struct nlattr **tb, size_t n);

#define ATTRS_MAX 128 /* of links and kinds; IFLA_MAX of 6.18 is 69 */

/* Dumps. */

/* What is behind an nsid, and whether we know. */
typedef struct PlaceId {
        int nsid;
        struct Place *place; /* NULL: none that we know */
        UT_hash_handle hh;
} PlaceId;

/* A namespace while it is dumped. */
typedef struct Place {
        struct Dump *dump;
        const Namespace *wanted; /* from the scope; the host's may be NULL */
        Namespace *netns;
        Space *space;
        PlaceId *ids; /* uthash */
        bool *asked;  /* per place: whether it was asked what we call it */
        bool open;    /* it is there, and its links can be looked at */
        bool read;    /* something was stale */
} Place;

typedef struct Dump {
        RealKernel *kernel;
        Network *have;
        Arena arena;   /* of what is only needed while dumping */
        Place *places; /* the host's first */
        size_t n;
        uint64_t before; /* the last turn of reading before it */
        bool drivers; /* somebody is looking for a link by its driver */
} Dump;

/* A message that dumps; the kernel's strict check wants all that is no filter to be zero. */
typedef struct DumpRequest {
        alignas(NLMSG_ALIGNTO) char bytes[64];
} DumpRequest;

struct nlmsghdr *dump_request(DumpRequest *request, uint16_t type, size_t header_size);
/* For one link, or with 0 for a dump of all. */
struct nlmsghdr *link_request(DumpRequest *request, int ifindex);

/* Of VLANs, of one link or of all. */
struct nlmsghdr *vlans_request(DumpRequest *request, int ifindex);

/*
 * What is said of the networks of that vxlan, message by message, and what these mean. 0, < 0, or
 * (vnis_get) NETLINK_E_*.
 */
int vnis_get(const Space *space, int ifindex, NetlinkRow row, void (*restart)(void *userdata),
             void *userdata);
int vnis_decode(const char *messages, size_t size, Arena *arena, Value *ret);

enum {
        _DUMP_E_SUCCESS,
        DUMP_E_STALE, /* what was read does not fit together: what is stale has been marked */
};

/* Opens the namespace in order to ask something. 0, DUMP_E_STALE, or < 0. */
int place_enter(const Place *place);
/* Asks for what rtnetlink does not tell of the links that were taken apart. As place_enter(). */
int dump_beside(Place *place);
/* A link that is there, or NULL. */
CachedLink *place_find(const Place *place, int ifindex);

/*
 * Turns each ifindex into a name. DUMP_E_STALE: something refers to a link of a dumped namespace
 * that was not in its dump. With `final` it becomes a link of "?". 0, DUMP_E_STALE, or < 0.
 */
int dump_resolve(Dump *dump, bool final);

/* Marks the links that carry default routes, and the caller's session. 0, DUMP_E_STALE, or < 0. */
int dump_carries(Place *host);

/* Messages. */

enum {
        _DECODE_E_SUCCESS,
        DECODE_E_TAKEN, /* there is a link of that name already: they are not of one time */
};
/*
 * Adds what a message is about, with references unresolved. *ret_lower is IFLA_LINK, or 0. 0,
 * DECODE_E_*, or < 0.
 */
int decode_link(Namespace *netns, const struct nlmsghdr *message, Link **ret, int *ret_lower);
int decode_object(Namespace *netns, Link *link, const ObjectType *type,
                  const struct nlmsghdr *message, Object **ret);
/* Adds what RTM_NEWVLAN says to the VLANs of the link it is about. 0 or < 0. */
int decode_vlans(Link *link, const struct nlmsghdr *message);
/* Once they are all there, as one value. 0 or -ENOMEM. */
int vlans_settle(Link *link);
/* Whether a link's message is that of a bridge that knows VLANs. */
bool message_filters(const struct nlmsghdr *message);
/* What a link's message calls it, or NULL. */
const char *message_link_name(const struct nlmsghdr *message);

/* Operations. */

#define REQUEST_SIZE ((size_t)32 * 1024)

/* One message under construction, and where its rows went. */
typedef struct Request {
        PutScope scope;
        Placements placed;
        const Row *only; /* if no more than one row was sent */
        size_t rows;
        alignas(NLMSG_ALIGNTO) char buffer[REQUEST_SIZE];
} Request;

/* Ops as messages. The PutScope's callbacks are the applier's. 0 or < 0 (-EMSGSIZE, -ENODEV). */
void request_init(Request *request, const PutScope *callbacks);
int encode_link_add(Request *request, const Op *op, const char *name);
int encode_link_set(Request *request, const Op *op, int ifindex);
int encode_link_move(Request *request, int ifindex, const char *name, int netns_fd);
int encode_link_flags(Request *request, int ifindex, unsigned flags, unsigned change);
int encode_link_group(Request *request, int ifindex, uint32_t group);
int encode_link_del(Request *request, int ifindex);
int encode_group_del(Request *request, uint32_t group);
int encode_object(Request *request, const Op *op, int ifindex);
/* What is in the place of an object, of a type that can tell. */
int encode_look(Request *request, const Op *op, int ifindex);
/* For kernel/vlans.c: a message about a link, of that family. */
int encode_bridge(Request *request, uint16_t type, int ifindex);
/* Appended by put_peer: the far end's header, name and rows, and its namespace unless < 0. */
int encode_peer(Request *request, const Op *op, const char *name, int netns_fd);

/* Appends rows, and remembers where they went. 0 or < 0. */
int request_rows(Request *request, const AttrSet *set, RowSet rows);

/* Those that say which object it is. */
RowSet request_key_rows(const AttrSet *set);

/* The row that the kernel's offset points at, or the only one; NULL: who knows. */
const Row *request_row(const Request *request, uint32_t offset);
