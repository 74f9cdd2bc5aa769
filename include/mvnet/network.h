/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A Network is pure data. What should be (wanted, from files) and what is (have, from the kernel)
 * are the same type; so is the fake kernel's state.
 */

#include "mvnet/schema.h"

#include <uthash.h>

#define HOST "host" /* the namespace mvnetd runs in */

typedef struct Object {
        struct Object *next;
        const ObjectType *type;
        AttrSet set;
        Location at;
        bool ours; /* scope of a dump: nobody else's needs to be looked for */
        const struct Link *under; /* wanted: the link that it is written under, if it is no link's */
} Object;

/* An exact list that a file has, be it empty. */
typedef struct Declared {
        struct Declared *next;
        const ObjectType *type; /* OBJECT_EXACT */
        Location at;
} Declared;

typedef struct Link {
        const char *name;
        struct Namespace *netns;
        const LinkKind *kind;  /* NULL: none, or one this program does not know */
        const char *kind_name; /* what the kernel calls it; NULL: physical */
        AttrSet common;        /* under link_schema */
        AttrSet options;       /* under kind->options */
        AttrSet port;          /* under the port schema of the master's kind */
        AttrSet vlans;         /* under vlans_schema, or none */
        AttrSet match;         /* wanted, physical: under match_schema */
        Object *objects, *last;
        Location at;

        /* wanted */
        Declared *declared;
        bool far_end; /* comes into being with its peer, which was declared for both */

        /* have */
        int ifindex; /* in the scope of a dump: who is meant even if it is called otherwise now */
        uint8_t permanent_mac[6];
        bool has_permanent_mac;
        const char *driver;     /* NULL: unknown */
        const char *path;       /* as ID_PATH; NULL: unknown */
        bool carries_default;   /* a default route leaves here */
        bool carries_session;   /* the caller's SSH session arrives here */

        UT_hash_handle hh; /* in netns->links, by name, in the order added */
} Link;

typedef enum Section {
        SECTION_COMMON,  /* link->common: IFLA_* */
        SECTION_OPTIONS, /* link->options: IFLA_INFO_DATA */
        SECTION_PORT,    /* link->port: IFLA_INFO_SLAVE_DATA */
        SECTION_VLANS,   /* link->vlans: messages of their own, family AF_BRIDGE */
        _SECTION_N,
} Section;

typedef enum NamespaceType {
        NETNS_HOST,
        NETNS_NAMED, /* /run/netns/NAME */
        NETNS_PATH,  /* somebody else's, by path */
        NETNS_PID,   /* somebody else's, by process */
        _NETNS_TYPE_N,
} NamespaceType;

typedef struct Namespace {
        const char *name; /* HOST for the host's */
        NamespaceType type;
        const char *path; /* NETNS_PATH */
        int pid;          /* NETNS_PID */
        Link *links;      /* uthash */
        Object *objects, *last;
        Location at;
        struct Network *network;

        /* have */
        bool exists;
        bool dead;          /* a name with no namespace behind it */
        uint64_t cookie;    /* its identity until the next boot (SO_NETNS_COOKIE, 5.14) */
        int used_by;        /* a process in it, looked for only in namespaces to be dropped; 0 */
        const char *reason; /* why it can't be looked into, or NULL */

        /* scope of a dump */
        bool dropped; /* no longer wanted: find out whether it can go */
        bool glance;  /* of a survey: looked into this time, never watched */
        bool all;     /* also what others added, of every type */

        UT_hash_handle hh;
} Namespace;

typedef enum LookupState {
        LOOKUP_PENDING, /* for the first time */
        LOOKUP_FAILED,  /* and is tried again */
        LOOKUP_DONE,    /* that is what it was last: it may be looked up again */
        _LOOKUP_STATE_N,
} LookupState;

#define LOOKUP_ADDRESSES_MAX 16

/* have: the name of a host, which a namespace is to find by its own means. */
typedef struct Lookup {
        struct Lookup *next;
        const char *netns, *host;
        LookupState state;
        Value addresses[LOOKUP_ADDRESSES_MAX]; /* the best first */
        size_t n;
        const char *reason; /* LOOKUP_FAILED: one line */
} Lookup;

typedef struct Network {
        Arena arena;
        const char *name;      /* of the configuration; NULL: not said */
        Location name_at;
        Namespace *namespaces; /* uthash; the host's is always there and first */
        Lookup *lookups;
} Network;

/* A Network with nothing in it but the host's namespace. 0 or -ENOMEM. */
int network_new(Network **ret);
Network *network_free(Network *network); /* NULL */
void network_freep(Network **network);

/* Adders return the new thing, or NULL when out of memory. Names are copied. */
Namespace *network_add_namespace(Network *network, const char *name, NamespaceType type);
Link *namespace_add_link(Namespace *netns, const char *name);
int link_set_kind(Link *link, const LinkKind *kind); /* gives it the option rows: 0 or -ENOMEM */
int link_set_port(Link *link, const Schema *schema); /* likewise, as a port */
int link_set_vlans(Link *link);                      /* likewise, as a part of a bridge */
Object *link_add_object(Link *link, const ObjectType *type);
Object *namespace_add_object(Namespace *netns, const ObjectType *type);

int link_declare(Link *link, const ObjectType *type, Location at); /* 0 or -ENOMEM */
const Declared *link_declared(const Link *link, const ObjectType *type); /* NULL: no file has it */

void namespace_remove_link(Link *link); /* its memory stays in the arena */
int namespace_rename_link(Link *link, const char *name);
void object_remove(Object **list, Object **last, Object *object);

Namespace *network_find_namespace(const Network *network, const char *name);
Link *namespace_find_link(const Namespace *netns, const char *name);
Link *namespace_find_ifindex(const Namespace *netns, int ifindex);
Link *network_find_link(const Network *network, const Ref *ref);
Link *network_find_path(const Network *network, const char *path); /* "br0", "ns1/eth0" */

/* The one of a type that is known by a number (Row.of); NULL: there is none. */
Object *namespace_find_numbered(const Namespace *netns, const ObjectType *type, uint64_t number);
/* NULL: out of memory. */
Lookup *network_add_lookup(Network *network, const char *netns, const char *host);
Lookup *network_find_lookup(const Network *network, const char *netns, const char *host);
/* Calls `take` with each name of a host, and where that is to be found, until it returns < 0. */
int network_foreach_host(const Network *network,
                         int (*take)(void *userdata, const char *netns, const char *host),
                         void *userdata);

/* The object with the same type and key rows, or NULL. `list`: link->objects or netns->objects. */
Object *object_find(Object *list, const Object *like);
bool object_same(const Object *a, const Object *b);
/* Of one that lives within another: that, or NULL. */
Object *object_outer(Object *list, const Object *inner);
/* Gives it the identity of the one that it lives within. 0 or -ENOMEM. */
int object_enter(Object *inner, const Object *outer, Arena *arena);

/* The link a reference row of `link` points to, or NULL. */
Link *link_lower(const Link *link);
Link *link_master(const Link *link);
Link *link_peer(const Link *link); /* the far end, for pairs */
const Ref *link_ref(const Link *link, LinkRow row);
Ref link_self(const Link *link);
bool ref_equal(const Ref *a, const Ref *b);

/* The bridge whose VLANs it can have, itself or its master; NULL: it has none, or nobody knows. */
Link *link_vlan_bridge(const Link *link);
/* What the kernel gives to that bridge, or a port of it, by itself. 0 or -ENOMEM. */
int link_default_vlans(const Link *bridge, Arena *arena, Value *ret);

/* The namespace that its outer side is in: `bind-netns`, or its own. */
const char *link_outer_netns(const Link *link);

LinkState link_state(const Link *link);
/* A port of a master that lends its ports an address and an MTU, and sets them up. */
bool link_is_lent(const Link *link);
/* As const as the link is. Of no link: an empty set. */
AttrSet *link_section(const Link *link, Section section);
bool link_is_physical(const Link *link); /* made by somebody else, in wanted */
bool link_is_fallback(const Link *link); /* made by nobody, in have: a kind's `fallback` */

/*
 * The lower device that the kernel will report for this wanted link: of a macvlan on a macvlan it
 * is the real one. NULL if it has none.
 */
Link *link_real_lower(const Link *link);

/* "br0" in the host's namespace, "ns1/eth0" elsewhere. */
void link_path(const Link *link, Buf *ret);
void ref_path(const Ref *ref, Buf *ret);
/* "ns1/": what a record calls a namespace, so that no link can have the same path. */
void namespace_path(const Namespace *netns, Buf *ret);
/* "ns1/eth0 addresses 10.0.0.1/24", "ns1 sysctl net.ipv4.ip_forward". */
void object_path(const Link *link, const Namespace *netns, const Object *object, Buf *ret);
/* Only the key, as a file would say it: "10.0.0.1/24". */
void object_key(const Object *object, Buf *ret);
/* The same for people: without what need not be said. */
void object_label(const Object *object, Buf *ret);
/* And with all else that the file says of it: "default metric 100 via 10.0.0.1". */
void object_text(const Object *object, Buf *ret);

/* The file of a sysctl object below /proc/sys/net, on a link or (NULL) in a namespace. */
void sysctl_path(const Object *object, const Link *link, Buf *ret);

/* Link and namespace names: what the kernel takes, minus what would surprise. NULL, or why not. */
const char *link_name_problem(const char *name);
const char *netns_name_problem(const char *name);

/*
 * Whether the kernel would hold these two links to be equal in what `wanted` says: the rows that
 * are present in wanted and differ. Implied rows count only if `ours`. Rows the kernel does not
 * report (absent in have) are in *ret_unknown, not in the difference.
 */
RowSet attrset_diff(const AttrSet *wanted, const AttrSet *have, bool ours, RowSet *ret_unknown);

/*
 * Fills in what files leave to policy, once everything is read: far ends, the state, the link
 * group, stable MAC addresses (made from `seed`, 16 bytes that name this machine), addr-gen-mode
 * on ports. Such rows are `implied`. 0 or -ENOMEM.
 */
int network_complete(Network *network, const uint8_t seed[16]);
