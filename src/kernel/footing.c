/* SPDX-License-Identifier: MIT */
/*
 * What is lost without a word with what it stands on: routes and nexthops, when their link goes, is
 * set down, or changes what they need of it, or when their address goes.
 */

#include "kernel/internal.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <net/if.h>

#define LOWER_UP (1 << 16) /* IFF_LOWER_UP, which net/if.h has not */

/* What counts of a link. */
typedef struct Footing {
        bool up, carrier, ipv6;
        uint32_t master;
} Footing;

static bool find_footing(const struct nlmsghdr *message, Footing *ret) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *tb[IFLA_MASTER + 1];

        if (attrs_parse_message(message, sizeof(*header), tb, ELEMENTSOF(tb)) < 0)
                return false;
        *ret = (Footing){
                .up = header->ifi_flags & IFF_UP,
                .carrier = header->ifi_flags & (IFF_RUNNING | LOWER_UP),
                .ipv6 = true,
        };
        if (tb[IFLA_MTU] && mnl_attr_get_payload_len(tb[IFLA_MTU]) >= sizeof(uint32_t))
                ret->ipv6 = mnl_attr_get_u32(tb[IFLA_MTU]) >= 1280;
        if (tb[IFLA_MASTER] && mnl_attr_get_payload_len(tb[IFLA_MASTER]) >= sizeof(uint32_t))
                ret->master = mnl_attr_get_u32(tb[IFLA_MASTER]);
        return true;
}

static bool has_referred(const CachedLink *entry, int ifindex, bool down) {
        const struct nlattr *tb[ATTRS_MAX];
        _cleanup_(arena_deinit) Arena arena = {};

        CACHED_FOREACH(message, entry) {
                const ObjectType *type = message_type(message);
                GetScope scope;

                if (type && type->flags & OBJECT_REFERRED && type->goes &&
                    (down || type->flags & OBJECT_CARRIED) &&
                    message_take_apart(message, type, tb, &arena, &scope) == 0 &&
                    type->goes(&scope, ifindex))
                        return true;
        }
        return false;
}

/* With it goes whatever refers to it: all is read again. */
static void lose_referred(Cache *cache, int ifindex, bool down) {
        if (has_referred(&cache->others, ifindex, down))
                cache_mark_slots(cache);
        else if (has_referred(&cache->space, ifindex, down))
                cache_mark_space(cache);
}

/* A type that can't tell is to be read again. */
void cache_lose(Cache *cache, int ifindex) {
        const struct nlattr *tb[ATTRS_MAX];
        _cleanup_(arena_deinit) Arena arena = {};
        size_t at = 0;

        lose_referred(cache, ifindex, true);
        while (at < cache->space.size) {
                struct nlmsghdr *message = (struct nlmsghdr *)(cache->space.messages + at);
                const ObjectType *type = message_type(message);
                size_t size = NLMSG_ALIGN((size_t)message->nlmsg_len);
                GetScope scope;

                if (!type || !type->goes || !type->is_told ||
                    message_take_apart(message, type, tb, &arena, &scope) < 0 ||
                    !type->is_told(&scope)) {
                        cache->space.stale = true;
                        cache->stale_types |= type ? type_bit(type) : UINT64_MAX;
                } else if (type->goes(&scope, ifindex)) {
                        cache->changed = true;
                        memmove(message, cache->space.messages + at + size,
                                cache->space.size - at - size);
                        cache->space.size -= size;
                        continue;
                }
                at += size;
        }
}

/*
 * What was read can be ahead of what is heard, so a link that is down counts whatever it was before,
 * and a reading that differs from the last one counts as well as an event.
 */
void cache_compare(Cache *cache, const CachedLink *known, const struct nlmsghdr *link) {
        Footing before, now;

        if (cache->types == 0 || !known || known->size == 0)
                return; /* nothing can have been lost with it */
        if (link->nlmsg_type == RTM_DELLINK || !find_footing(link, &now)) {
                cache_lose(cache, known->ifindex);
                return;
        }
        if (!now.up)
                cache_lose(cache, known->ifindex);
        else if (!now.carrier)
                lose_referred(cache, known->ifindex, false);
        if (!find_footing((const struct nlmsghdr *)known->messages, &before) ||
            before.ipv6 != now.ipv6 || before.master != now.master)
                cache_mark_space(cache);
}

void cache_shake(Cache *cache, const struct nlmsghdr *link) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(link);

        cache_compare(cache, cache_find(cache, header->ifi_index), link);
}

static bool has_source(const CachedLink *entry, const struct nlattr *address) {
        uint16_t size = mnl_attr_get_payload_len(address);

        CACHED_FOREACH(message, entry) {
                const struct nlattr *tb[RTA_PREFSRC + 1];

                if (message->nlmsg_type == RTM_NEWROUTE &&
                    attrs_parse_message(message, sizeof(struct rtmsg), tb, ELEMENTSOF(tb)) == 0 &&
                    tb[RTA_PREFSRC] && mnl_attr_get_payload_len(tb[RTA_PREFSRC]) == size &&
                    memcmp(mnl_attr_get_payload(tb[RTA_PREFSRC]), mnl_attr_get_payload(address),
                           size) == 0)
                        return true;
        }
        return false;
}

/*
 * With the last IPv4 address go all routes (fib_frontend.c fib_disable_ip). IPv6 keeps them, but not
 * the address as their source (route.c rt6_remove_prefsrc): it is worth a look at all of them only
 * if one has it, as each IPv6 address goes whenever its link is set down.
 */
void cache_lose_address(Cache *cache, const struct nlmsghdr *address) {
        const struct ifaddrmsg *header = mnl_nlmsg_get_payload(address);
        const struct nlattr *tb[IFA_LOCAL + 1] = {}, *own = NULL;

        if (header->ifa_family == AF_INET6 &&
            attrs_parse_message(address, sizeof(*header), tb, ELEMENTSOF(tb)) == 0)
                own = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
        if (!own || has_source(&cache->space, own))
                cache_mark_space(cache);
        if (own && has_source(&cache->others, own))
                cache_mark_slots(cache);
}
