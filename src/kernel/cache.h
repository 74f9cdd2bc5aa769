/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the kernel said last of one namespace, as it came: for each link its own message and those
 * of what lives on it. So a dump need not ask again for what nobody touched, and all that it shows
 * has gone through the same decoder, whenever it was read. Events are no content, only the reason
 * to read something again.
 */

#include "kernel/netlink.h"
#include "mvnet/network.h"

/* The value of a sysctl. */
typedef struct CachedText {
        struct CachedText *next;
        char *path;
        char *text; /* NULL: it can't be read */
} CachedText;

/* What was asked for beside the link's own message; once, as long as that is not read again. */
typedef struct CachedMore {
        bool asked;
        bool known; /* there was an answer, be it nothing */
        char *messages; /* one behind the other */
        size_t size;
} CachedMore;

typedef enum More {
        MORE_OPTIONS, /* of its kind, by generic netlink */
        MORE_PORT,    /* as its master's port, likewise */
        MORE_DEVICE,  /* its character device */
        MORE_VNIS,    /* its networks */
        _MORE_N,
} More;

/* A link. */
typedef struct CachedLink {
        int ifindex;
        char *messages; /* one behind the other */
        size_t size;    /* 0: there is no such link, as far as we know */
        bool stale;
        bool filters;      /* a bridge that knows VLANs */
        bool dangling;     /* refers to what could not be found when it was read last */
        bool asked_driver; /* whether the driver is known, if it has a name at all */
        uint64_t read;     /* the turn in which that was */
        char *driver;
        CachedText *texts;
        CachedMore more[_MORE_N];
        /* as it was taken apart last */
        int lower;  /* IFLA_LINK, or 0 */
        const LinkKind *kind;
        Link *link; /* of the dump that goes on */
        UT_hash_handle hh;
} CachedLink;

/* Where an object would be, whether there is one or not. */
typedef struct Slot {
        char *key;
        UT_hash_handle hh;
} Slot;

typedef struct Cache {
        CachedLink *links; /* uthash, in the order of their numbers */
        CachedText *texts; /* of the namespace itself */
        CachedLink space;  /* number 0: what lives in the namespace, and on no link */
        uint64_t stale_types; /* of that: a bit for each */
        CachedLink others; /* what others added where one of ours belongs, as far as was looked */
        Slot *slots;       /* uthash by key: where that was looked for */
        bool seek;         /* where ours are said to be, too: something was in the way */
        bool all;          /* whatever others added is read, too */
        uint64_t types;    /* OBJECT_ASKED ones that are read, by their place in the list */
        int highest;
        bool unsorted;
        size_t n_stale;
        bool stale;   /* all that netlink tells */
        bool filters; /* one of the links does */
        bool changed; /* something else was, since the last dump */
        bool read;    /* at least once */
        bool knows_defaults;
        int *defaults; /* the links of default routes */
        size_t n_defaults;
} Cache;

/* All of it stale. NULL: out of memory. */
Cache *cache_new(void);
Cache *cache_free(Cache *cache); /* NULL */

/* That link, or with 0 all that netlink tells, is to be read again; sysctls of a link with it. */
void cache_mark(Cache *cache, int ifindex);
/* The same for who had what that link was heard to have now. */
void cache_mark_former(Cache *cache, const struct nlmsghdr *message, const ObjectType *type,
                       int ifindex);
/* What lives in the namespace, and on no link, is to be read again. */
void cache_mark_space(Cache *cache);
/*
 * Takes in what an event about a link means for routes, which are lost without a word with its being
 * up, its master, or the 1280 bytes that IPv6 needs; and for nexthops, with its carrier, too.
 */
void cache_shake(Cache *cache, const struct nlmsghdr *link);
/* The same, of what was read of it, given what is known. */
void cache_compare(Cache *cache, const CachedLink *known, const struct nlmsghdr *link);
/* It is down, or gone. */
void cache_lose(Cache *cache, int ifindex);
/* The same of an address, of which that RTM_DELADDR tells. */
void cache_lose_address(Cache *cache, const struct nlmsghdr *address);
/*
 * Takes in an event about what lives in the namespace: what it says if that is all there is to say,
 * else that type is to be read again.
 */
void cache_tell(Cache *cache, const struct nlmsghdr *message, const ObjectType *type);
/* What else is to be read from now on: a bit for each type. True: some of it never was. */
bool cache_ask(Cache *cache, uint64_t types, bool all);
/* Somebody else's may be where one of ours belongs, or no longer. */
void cache_mark_slots(Cache *cache);
/*
 * Looks who is where these belong (`next`, of one namespace), unless that is known. 0, < 0, or
 * NETLINK_E_INTERRUPTED.
 */
int cache_seek(Cache *cache, Netlink *netlink, const Object *const *missing, size_t n);
/* No value of a sysctl can be trusted any more. */
void cache_forget_texts(Cache *cache);
/* Events were lost: all that they tell of. */
void cache_doubt(Cache *cache);
/* And what they don't. */
void cache_forget(Cache *cache);
bool cache_is_stale(const Cache *cache);

/*
 * Reads what is stale, in that turn. Of a `noisy` namespace what is there stays if it cannot be
 * replaced. 0, < 0, or NETLINK_E_INTERRUPTED: it changes too fast.
 */
int cache_read(Cache *cache, Netlink *netlink, uint64_t turn, bool noisy);

/* NULL: there is none. */
CachedLink *cache_find(const Cache *cache, int ifindex);

/* NULL: it was not read yet; when adding: out of memory. */
CachedText *texts_find(CachedText *texts, const char *path);
CachedText *texts_add(CachedText **texts, const char *path, const char *text);

#define CACHED_FOREACH(message, link)                                                      \
        for (const struct nlmsghdr *message = (const struct nlmsghdr *)(link)->messages;   \
             message && (const char *)message < (link)->messages + (link)->size;           \
             message = (const struct nlmsghdr *)((const char *)message +                   \
                                                 NLMSG_ALIGN(message->nlmsg_len)))

/* Whether such objects are read, given what was asked for; and which may be: a bit for each. */
bool type_is_read(uint64_t types, size_t i);
uint64_t type_bit(const ObjectType *type);

/* What sort of thing on links, or in namespaces, a message is about; NULL: none of those. */
const ObjectType *message_type(const struct nlmsghdr *message);
/* And on which link: 0: none; < 0: it is not one to be managed, or makes no sense. */
int message_ifindex(const struct nlmsghdr *message, const ObjectType *type);
bool message_is_kept(const struct nlmsghdr *message, const ObjectType *type);
bool message_is_about(const struct nlmsghdr *message, const ObjectType *type);
/* `tb` has room for ATTRS_MAX. 0 or -EBADMSG. */
int message_take_apart(const struct nlmsghdr *message, const ObjectType *type,
                       const struct nlattr **tb, Arena *arena, GetScope *ret);
/* A row of the identity, as it is reported or goes without saying; false: there is none. */
bool message_key(const Row *row, const GetScope *scope, Value *ret);
/* Whether both are about the same slot. */
bool message_is_same(const ObjectType *type, const GetScope *a, const GetScope *b);
/* Whether what is in the cache would have to be read again after an event that says so. */
bool cache_minds(const Cache *cache, const struct nlmsghdr *message, const ObjectType *type,
                 int ifindex);
