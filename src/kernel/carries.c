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
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

static void mark_default(const Place *host, uint32_t ifindex) {
        PlaceLink *entry = place_find(host, (int)ifindex);

        if (entry)
                entry->link->carries_default = true;
}

static void mark_hops(const Place *host, const struct nlattr *attr) {
        const struct rtnexthop *hop = mnl_attr_get_payload(attr);
        size_t left = mnl_attr_get_payload_len(attr);

        while (left >= sizeof(*hop) && hop->rtnh_len >= sizeof(*hop) && hop->rtnh_len <= left) {
                size_t step = RTNH_ALIGN((size_t)hop->rtnh_len);

                mark_default(host, (uint32_t)hop->rtnh_ifindex);
                if (step >= left)
                        return;
                left -= step;
                hop = (const void *)((const char *)hop + step);
        }
}

static int take_route(const struct nlmsghdr *message, void *userdata) {
        const struct rtmsg *route = mnl_nlmsg_get_payload(message);
        const struct nlattr *tb[RTA_MAX + 1];
        Place *host = userdata;
        int r;

        /* First of all the cheap question: there can be a million others. */
        if (message->nlmsg_type != RTM_NEWROUTE ||
            mnl_nlmsg_get_payload_len(message) < sizeof(*route) || route->rtm_dst_len != 0 ||
            route->rtm_type != RTN_UNICAST)
                return 0;
        r = attrs_parse_message(message, sizeof(*route), tb, ELEMENTSOF(tb));
        if (r < 0)
                return r;
        if (tb[RTA_OIF] && mnl_attr_get_payload_len(tb[RTA_OIF]) >= sizeof(uint32_t))
                mark_default(host, mnl_attr_get_u32(tb[RTA_OIF]));
        if (tb[RTA_MULTIPATH])
                mark_hops(host, tb[RTA_MULTIPATH]);
        return 0;
}

/* The strict check makes the kernel filter by table. */
static int dump_default(Place *host, uint8_t family) {
        DumpRequest buffer;
        struct nlmsghdr *request = dump_request(&buffer, RTM_GETROUTE, sizeof(struct rtmsg));
        struct rtmsg *route = mnl_nlmsg_get_payload(request);
        int r;

        route->rtm_family = family;
        route->rtm_table = RT_TABLE_MAIN;
        r = netlink_dump(host->space->netlink, request, take_route, host);
        /* There is no main table before its first route, and no IPv6 where it is switched off. */
        if (r == -ENOENT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
                return 0;
        return r == NETLINK_E_INTERRUPTED ? 0 : r;
}

typedef struct Session {
        const Place *host;
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

static int take_address(const struct nlmsghdr *message, void *userdata) {
        const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *tb[IFA_LOCAL + 1], *own;
        const Session *session = userdata;
        PlaceLink *entry;
        int r;

        if (message->nlmsg_type != RTM_NEWADDR)
                return 0;
        r = attrs_parse_message(message, sizeof(*header), tb, ELEMENTSOF(tb));
        if (r < 0)
                return r;
        own = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
        if (header->ifa_family != session->family || !own ||
            mnl_attr_get_payload_len(own) != session->size ||
            memcmp(mnl_attr_get_payload(own), session->address, session->size) != 0)
                return 0;
        entry = place_find(session->host, (int)header->ifa_index);
        if (entry)
                entry->link->carries_session = true;
        return 0;
}

static int mark_session(Place *host) {
        const char *text = getenv("SSH_CONNECTION");
        Session session = {.host = host};
        DumpRequest buffer;
        struct nlmsghdr *request;
        char name[IF_NAMESIZE];
        Link *link;
        int r;

        if (!text || !parse_session(text, &session, name))
                return 0;
        if (*name) {
                link = namespace_find_link(host->netns, name);
                if (link)
                        link->carries_session = true;
                return 0;
        }
        request = dump_request(&buffer, RTM_GETADDR, sizeof(struct ifaddrmsg));
        ((struct ifaddrmsg *)mnl_nlmsg_get_payload(request))->ifa_family = session.family;
        r = netlink_dump(host->space->netlink, request, take_address, &session);
        return r == NETLINK_E_INTERRUPTED ? 0 : r;
}

int dump_carries(Place *host) {
        int r = dump_default(host, AF_INET);

        if (r == 0)
                r = dump_default(host, AF_INET6);
        return r == 0 ? mark_session(host) : r;
}
