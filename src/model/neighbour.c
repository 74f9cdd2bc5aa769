/* SPDX-License-Identifier: MIT */
/* Static neighbours, and addresses that are answered for, of a link: RTM_NEWNEIGH. */

#include "mvnet/schema.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

enum {
        NEIGHBOUR_TO,
        NEIGHBOUR_PROXY,
        NEIGHBOUR_MAC,
};

static struct ndmsg *put_header(PutScope *scope) {
        return mnl_nlmsg_get_payload(scope->message);
}

static const struct ndmsg *get_header(const GetScope *scope) {
        return scope->header;
}

static int to_put(const Row *row, const Value *value, PutScope *scope) {
        put_header(scope)->ndm_family = value->family;
        return attr_ip.put(row, value, scope);
}

static const AttrType attr_to = {
        .name = "IP address", .syntax = "an IP address",
        .parse = attr_parse_ip, .format = attr_format_ip, .put = to_put, .get = attr_get_ip,
        .equal = attr_equal_ip,
};

/* clang-format off */
static const Row rows[] = {
        [NEIGHBOUR_TO]    = { .key = "to", .nla = NDA_DST, .type = &attr_to, .change = CHANGE_KEY, .flags = ROW_REQUIRED,
                              .doc = "The neighbour's IP address." },
        [NEIGHBOUR_PROXY] = { .key = "proxy", .type = &attr_ntf, .bit = NTF_PROXY, .change = CHANGE_KEY, .def = "false",
                              .doc = "Whether the address is answered for, rather than known." },
        [NEIGHBOUR_MAC]   = { .key = "mac", .nla = NDA_LLADDR, .type = &attr_mac,
                              .doc = "The neighbour's MAC address." },
        { .key = "router", .type = &attr_ntf, .bit = NTF_ROUTER, .def = "false",
          .doc = "Whether the IPv6 neighbour is a router." },
        { .key = "protocol", .nla = NDA_PROTOCOL, .type = &attr_u8, .change = CHANGE_STATE,
          .doc = "Who added the neighbour." },
};
/* clang-format on */

static int neighbour_begin(PutScope *scope, int ifindex) {
        struct ndmsg *header = put_header(scope);
        uint8_t protocol = PROTOCOL_OURS;

        header->ndm_ifindex = ifindex;
        header->ndm_state = NUD_PERMANENT;
        return put_attr(scope, NDA_PROTOCOL, &protocol, sizeof(protocol));
}

static int neighbour_ifindex(const GetScope *scope) {
        int ifindex = get_header(scope)->ndm_ifindex;

        return ifindex > 0 ? ifindex : -1;
}

/* What was learned comes and goes by itself. */
static bool neighbour_keeps(const GetScope *scope) {
        const struct ndmsg *header = get_header(scope);

        return header->ndm_state & NUD_PERMANENT || header->ndm_flags & NTF_PROXY;
}

/* Those of bridges have the same number. */
static bool neighbour_is(const void *payload) {
        const struct ndmsg *header = payload;

        return header->ndm_family == AF_INET || header->ndm_family == AF_INET6;
}

/* Proxies are another table. */
static int neighbour_ask(PutScope *scope, unsigned i, int ifindex) {
        static const struct {
                uint8_t family, flags;
        } of[] = {{AF_INET, 0}, {AF_INET6, 0}, {AF_INET, NTF_PROXY}, {AF_INET6, NTF_PROXY}};
        struct ndmsg *header = put_header(scope);

        if (i >= ELEMENTSOF(of))
                return ATTR_E_ABSENT;
        header->ndm_family = of[i].family;
        header->ndm_flags = of[i].flags;
        return ifindex ? put_attr(scope, NDA_IFINDEX, &ifindex, sizeof(ifindex)) : 0;
}

static int neighbour_verify(const AttrSet *set, const char **ret_key, const char **ret_reason) {
        const Value *proxy = attrset_get(set, "proxy"), *mac = attrset_get(set, "mac");
        bool answers = proxy && proxy->number;

        *ret_key = "mac";
        *ret_reason = answers ? "is the link's own where it answers for an address"
                              : "needs 'mac', the address to send to, or 'proxy: true'";
        return answers == !!mac;
}

const ObjectType object_neighbour = {
        .schema = {.name = "neighbours", .rows = rows, .n = ELEMENTSOF(rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_ON_LINK | OBJECT_LATE | OBJECT_ASKED | OBJECT_WHOLE | OBJECT_TAKES,
        .message_new = RTM_NEWNEIGH,
        .message_del = RTM_DELNEIGH,
        .message_get = RTM_GETNEIGH,
        .header_size = sizeof(struct ndmsg),
        .begin = neighbour_begin,
        .ifindex = neighbour_ifindex,
        .keeps = neighbour_keeps,
        .is = neighbour_is,
        .ask = neighbour_ask,
        .groups = {RTNLGRP_NEIGH},
        .attributes = NDA_MAX + 1,
        .verify = neighbour_verify,
        .doc = "Neighbours that are not asked for their addresses, and addresses to answer for.",
};
