/* SPDX-License-Identifier: MIT */
/*
 * Which links the machine hangs by: those with a default route, and the one by which whoever calls
 * us came in. Only in the host's namespace, and only to warn (rule 9 of the language).
 */

#include "kernel/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/nexthop.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

/* Default routes. */

/* Nexthop objects that default routes refer to, where the kernel does not tell what these say. */
typedef struct Defaults {
        Cache *cache;
        uint32_t *ids;
        size_t n;
} Defaults;

static int take_id(Defaults *defaults, uint32_t id) {
        uint32_t *grown = reallocarray(defaults->ids, defaults->n + 1, sizeof(uint32_t));

        if (!grown)
                return -ENOMEM;
        defaults->ids = grown;
        defaults->ids[defaults->n++] = id;
        return 0;
}

static int take_hop(Cache *cache, int ifindex) {
        int *grown = reallocarray(cache->defaults, cache->n_defaults + 1, sizeof(int));

        if (!grown)
                return -ENOMEM;
        cache->defaults = grown;
        cache->defaults[cache->n_defaults++] = ifindex;
        return 0;
}

static int take_hops(Cache *cache, const struct nlattr *attr) {
        const struct rtnexthop *hop = mnl_attr_get_payload(attr);
        size_t left = mnl_attr_get_payload_len(attr);
        int r = 0;

        while (r == 0 && left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) &&
               hop->rtnh_len <= left) {
                size_t step = RTNH_ALIGN((size_t)hop->rtnh_len);

                r = take_hop(cache, hop->rtnh_ifindex);
                if (step >= left)
                        break;
                left -= step;
                hop = (const void *)((const char *)hop + step);
        }
        return r;
}

static int take_route(const struct nlmsghdr *message, void *userdata) {
        const struct rtmsg *route = mnl_nlmsg_get_payload(message);
        const struct nlattr *tb[RTA_MAX + 1];
        Defaults *defaults = userdata;
        int r;

        /* First of all the cheap question: there can be a million others. */
        if (message->nlmsg_type != RTM_NEWROUTE ||
            mnl_nlmsg_get_payload_len(message) < sizeof(*route) || route->rtm_dst_len != 0 ||
            route->rtm_type != RTN_UNICAST)
                return 0;
        r = attrs_parse_message(message, sizeof(*route), tb, ELEMENTSOF(tb));
        if (r == 0 && tb[RTA_OIF] && mnl_attr_get_payload_len(tb[RTA_OIF]) >= sizeof(uint32_t))
                r = take_hop(defaults->cache, (int)mnl_attr_get_u32(tb[RTA_OIF]));
        if (r == 0 && tb[RTA_MULTIPATH])
                r = take_hops(defaults->cache, tb[RTA_MULTIPATH]);
        /* Without net.ipv4.nexthop_compat_mode that is all there is (fib_semantics.c, route.c). */
        if (r == 0 && tb[RTA_NH_ID] && !tb[RTA_OIF] && !tb[RTA_MULTIPATH] &&
            mnl_attr_get_payload_len(tb[RTA_NH_ID]) >= sizeof(uint32_t))
                r = take_id(defaults, mnl_attr_get_u32(tb[RTA_NH_ID]));
        return r;
}

/* A link, or the others of a group, which are no groups. */
static int take_nexthop(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *tb[NHA_OIF + 1];
        Defaults *defaults = userdata;
        struct nexthop_grp member;
        int r;

        if (message->nlmsg_type != RTM_NEWNEXTHOP)
                return 0;
        r = attrs_parse_message(message, sizeof(struct nhmsg), tb, ELEMENTSOF(tb));
        if (r == 0 && tb[NHA_OIF] && mnl_attr_get_payload_len(tb[NHA_OIF]) >= sizeof(uint32_t))
                r = take_hop(defaults->cache, (int)mnl_attr_get_u32(tb[NHA_OIF]));
        for (size_t i = 0; r == 0 && tb[NHA_GROUP] &&
                           i < mnl_attr_get_payload_len(tb[NHA_GROUP]) / sizeof(member); i++) {
                memcpy(&member, (const char *)mnl_attr_get_payload(tb[NHA_GROUP]) +
                                        i * sizeof(member), sizeof(member));
                r = take_id(defaults, member.id);
        }
        return r;
}

/* Those of groups are added on the way. */
static int follow_nexthops(Place *host, Defaults *defaults) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < defaults->n; i++) {
                DumpRequest buffer;
                struct nlmsghdr *request = dump_request(&buffer, RTM_GETNEXTHOP,
                                                        sizeof(struct nhmsg));

                mnl_attr_put_u32(request, NHA_ID, defaults->ids[i]);
                r = netlink_get(host->space->netlink, request, take_nexthop, defaults);
                if (r == NETLINK_E_ABSENT)
                        r = 0; /* it is gone by now */
        }
        return r;
}

/* The strict check makes the kernel filter by table. */
static int dump_default(Place *host, Defaults *defaults, uint8_t family) {
        DumpRequest buffer;
        struct nlmsghdr *request = dump_request(&buffer, RTM_GETROUTE, sizeof(struct rtmsg));
        struct rtmsg *route = mnl_nlmsg_get_payload(request);
        int r;

        route->rtm_family = family;
        route->rtm_table = RT_TABLE_MAIN;
        r = netlink_dump(host->space->netlink, request, take_route, defaults);
        /* There is no main table before its first route, and no IPv6 where it is switched off. */
        if (r == -ENOENT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
                return 0;
        return r == NETLINK_E_INTERRUPTED ? 0 : r;
}

/* Nobody tells of routes: to listen would mean to hear of each one of a million. */
static int read_defaults(Place *host) {
        Cache *cache = host->space->cache;
        Defaults defaults = {.cache = cache};
        int r = place_enter(host);

        cache->n_defaults = 0;
        if (r == 0)
                r = dump_default(host, &defaults, AF_INET);
        if (r == 0)
                r = dump_default(host, &defaults, AF_INET6);
        if (r == 0)
                r = follow_nexthops(host, &defaults);
        free(defaults.ids);
        cache->knows_defaults = r == 0;
        return r;
}

static int mark_defaults(Place *host) {
        const Cache *cache = host->space->cache;
        int r = cache->knows_defaults ? 0 : read_defaults(host);

        for (size_t i = 0; r == 0 && i < cache->n_defaults; i++) {
                const CachedLink *entry = place_find(host, cache->defaults[i]);

                if (entry)
                        entry->link->carries_default = true;
        }
        return r;
}

/* Sessions. */

typedef struct Session {
        uint8_t family;
        uint8_t address[16];
        size_t size;
} Session;

/* "CLIENT PORT SERVER PORT"; a link-local server has "%LINK" behind it. */
static bool parse_session(const char *text, Session *ret, char link[static IF_NAMESIZE]) {
        char server[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = "", *percent;

        if (sscanf(text, "%*s %*s %62s", server) != 1)
                return false;
        percent = strchr(server, '%');
        if (percent)
                *percent++ = '\0';
        snprintf(link, IF_NAMESIZE, "%s", percent ? percent : "");
        ret->family = strchr(server, ':') ? AF_INET6 : AF_INET;
        ret->size = ret->family == AF_INET6 ? 16 : 4;
        return inet_pton(ret->family, server, ret->address) == 1;
}

static bool is_arrival(const struct nlmsghdr *message, const Session *session) {
        const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *tb[IFA_LOCAL + 1], *own;

        if (message->nlmsg_type != RTM_NEWADDR ||
            attrs_parse_message(message, sizeof(*header), tb, ELEMENTSOF(tb)) < 0)
                return false;
        own = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
        return header->ifa_family == session->family && own &&
               mnl_attr_get_payload_len(own) == session->size &&
               memcmp(mnl_attr_get_payload(own), session->address, session->size) == 0;
}

static void mark_session(const Place *host) {
        const char *text = getenv("SSH_CONNECTION");
        Session session = {};
        char name[IF_NAMESIZE];
        Link *link;

        if (!text || !parse_session(text, &session, name))
                return;
        if (*name) {
                link = namespace_find_link(host->netns, name);
                if (link)
                        link->carries_session = true;
                return;
        }
        for (const CachedLink *entry = host->space->cache->links; entry; entry = entry->hh.next)
                CACHED_FOREACH(message, entry)
                        if (entry->link && is_arrival(message, &session))
                                entry->link->carries_session = true;
}

int dump_carries(Place *host) {
        int r = mark_defaults(host);

        if (r == 0)
                mark_session(host);
        return r;
}
