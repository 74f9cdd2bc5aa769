/* SPDX-License-Identifier: MIT */
/* IP addresses of a link: RTM_NEWADDR. */

#include "mvnet/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#ifndef IFA_PROTO
#define IFA_PROTO 11 /* 5.18 */
#endif

#ifndef IFAPROT_KERNEL_LO
#define IFAPROT_KERNEL_LO 1 /* 5.18 */
#define IFAPROT_KERNEL_LL 3
#endif

#define NO_LENGTH 255 /* written without /LEN: it stands at the peer */

enum {
        ADDRESS_ADDRESS,
        ADDRESS_PEER,
        ADDRESS_BROADCAST,
        ADDRESS_LABEL,
};

static size_t family_bytes(uint8_t family) {
        return family == AF_INET6 ? 16 : 4;
}

static int invalid(ParseScope *scope, const char *reason) {
        scope->reason = reason;
        return ATTR_E_INVALID;
}

static int parse_ip(ParseScope *scope, const char *text, Value *ret) {
        Value value = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

        if (inet_pton(value.family, text, value.bytes) != 1)
                return invalid(scope, "is not an IP address");
        *ret = value;
        return 0;
}

static int prefix_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        const char *slash = strchr(text, '/');
        char *ip = arena_strndup(scope->arena, text,
                                 slash ? (size_t)(slash - text) : strlen(text));
        uint64_t length = NO_LENGTH;
        Value value;
        int r;

        if (!ip)
                return -ENOMEM;
        r = parse_ip(scope, ip, &value);
        if (r != 0)
                return r;
        if (slash && (text_to_u64(slash + 1, &length) < 0 ||
                      length > family_bytes(value.family) * 8))
                return invalid(scope, "has a bad prefix length");
        value.length = (uint8_t)length;
        *ret = value;
        return 0;
}

static void prefix_format(const Row *row _unused_, const Value *value, Buf *ret) {
        char text[INET6_ADDRSTRLEN];

        if (!inet_ntop(value->family, value->bytes, text, sizeof(text)))
                text[0] = '\0';
        buf_add(ret, text);
        if (value->length != NO_LENGTH)
                buf_printf(ret, "/%u", value->length);
}

static bool prefix_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->family == have->family && wanted->length == have->length &&
               memcmp(wanted->bytes, have->bytes, family_bytes(wanted->family)) == 0;
}

static void put_header(PutScope *scope, const Value *value) {
        struct ifaddrmsg *header = mnl_nlmsg_get_payload(scope->message);

        header->ifa_family = value->family;
        if (value->length != NO_LENGTH)
                header->ifa_prefixlen = value->length;
}

/*
 * IFA_ADDRESS too: a deletion with IFA_LOCAL alone ignores the prefix length (devinet.c
 * inet_rtm_deladdr). With a peer its row puts another one behind, and the last one counts.
 */
static int address_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        int r;

        put_header(scope, value);
        r = put_attr(scope, IFA_LOCAL, value->bytes, family_bytes(value->family));
        return r < 0 ? r : put_attr(scope, IFA_ADDRESS, value->bytes, family_bytes(value->family));
}

static int peer_address_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        put_header(scope, value);
        return put_attr(scope, IFA_ADDRESS, value->bytes, family_bytes(value->family));
}

static const struct nlattr *get_ip(const GetScope *scope, uint16_t nla) {
        const struct ifaddrmsg *header = scope->header;

        return get_attr(scope, nla, family_bytes(header->ifa_family));
}

/* IPv6 reports IFA_LOCAL only where there is a peer; IPv4 always, equal to IFA_ADDRESS without. */
static bool has_peer(const GetScope *scope) {
        const struct ifaddrmsg *header = scope->header;
        const struct nlattr *local = get_ip(scope, IFA_LOCAL), *other = get_ip(scope, IFA_ADDRESS);

        return local && other && memcmp(mnl_attr_get_payload(local), mnl_attr_get_payload(other),
                                        family_bytes(header->ifa_family)) != 0;
}

static int get_prefix(const GetScope *scope, uint16_t nla, uint8_t length, Value *ret) {
        const struct ifaddrmsg *header = scope->header;
        const struct nlattr *attr = get_ip(scope, nla);
        Value value = {.family = header->ifa_family, .length = length};

        if (!attr || (value.family != AF_INET && value.family != AF_INET6))
                return ATTR_E_ABSENT;
        memcpy(value.bytes, mnl_attr_get_payload(attr), family_bytes(value.family));
        *ret = value;
        return 0;
}

static int address_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct ifaddrmsg *header = scope->header;

        return get_prefix(scope, get_ip(scope, IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS,
                          has_peer(scope) ? NO_LENGTH : header->ifa_prefixlen, ret);
}

static int peer_address_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct ifaddrmsg *header = scope->header;

        if (!has_peer(scope))
                return ATTR_E_ABSENT;
        return get_prefix(scope, IFA_ADDRESS, header->ifa_prefixlen, ret);
}

#define PREFIX .syntax = "ADDRESS/LENGTH", .parse = prefix_parse, .format = prefix_format, \
               .equal = prefix_equal

static const AttrType attr_address = {
        .name = "IP address", .put = address_put, .get = address_get, PREFIX,
};
static const AttrType attr_peer_address = {
        .name = "IP address", .put = peer_address_put, .get = peer_address_get, PREFIX,
};

static int broadcast_parse(const Row *row _unused_, ParseScope *scope, const char *text,
                           Value *ret) {
        int r = parse_ip(scope, text, ret);

        if (r == 0 && ret->family != AF_INET)
                return invalid(scope, "is not an IPv4 address");
        if (r == 0)
                ret->length = NO_LENGTH;
        return r;
}

static int broadcast_put(const Row *row, const Value *value, PutScope *scope) {
        return put_attr(scope, row->nla, value->bytes, 4);
}

static int broadcast_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 4);

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.family = AF_INET, .length = NO_LENGTH};
        memcpy(ret->bytes, mnl_attr_get_payload(attr), 4);
        return 0;
}

static const AttrType attr_broadcast = {
        .name = "IPv4 address",
        .syntax = "an IPv4 address",
        .parse = broadcast_parse,
        .format = prefix_format,
        .put = broadcast_put,
        .get = broadcast_get,
        .equal = prefix_equal,
};

/* Without one the kernel gives it the link's name. */
static int label_put(const Row *row, const Value *value, PutScope *scope) {
        return *value->text ? attr_text.put(row, value, scope) : 0;
}

static int label_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_text.parse(row, scope, text, ret);
}

static void label_format(const Row *row, const Value *value, Buf *ret) {
        attr_text.format(row, value, ret);
}

static int label_get(const Row *row, const GetScope *scope, Value *ret) {
        return attr_text.get(row, scope, ret);
}

static bool label_equal(const Row *row, const Value *wanted, const Value *have) {
        return attr_text.equal(row, wanted, have);
}

static const AttrType attr_label = {
        .name = "text", .is_text = true,
        .parse = label_parse, .format = label_format,
        .put = label_put, .get = label_get, .equal = label_equal,
};

static const Name scopes[] = {
        {"global", RT_SCOPE_UNIVERSE}, {"site", RT_SCOPE_SITE}, {"link", RT_SCOPE_LINK},
        {"host", RT_SCOPE_HOST}, {},
};

static int scope_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        struct ifaddrmsg *header = mnl_nlmsg_get_payload(scope->message);

        header->ifa_scope = (uint8_t)value->number;
        return 0;
}

static int scope_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct ifaddrmsg *header = scope->header;

        *ret = (Value){.number = header->ifa_scope};
        return 0;
}

static const AttrType attr_scope = {
        .name = "word",
        .parse = attr_parse_enum,
        .format = attr_format_enum,
        .put = scope_put,
        .get = scope_get,
        .equal = attr_equal_number,
};

/* Bits of IFA_FLAGS, which the rows build up together. */
static int flag_put(const Row *row, const Value *value, PutScope *scope) {
        struct nlattr *attr;
        uint32_t flags = value->number ? (uint32_t)row->bit : 0;

        mnl_attr_for_each(attr, scope->message, sizeof(struct ifaddrmsg))
                if (mnl_attr_get_type(attr) == row->nla) {
                        *(uint32_t *)mnl_attr_get_payload(attr) |= flags;
                        return 0;
                }
        return put_attr(scope, row->nla, &flags, sizeof(flags));
}

static int flag_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, sizeof(uint32_t));

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.number = !!(mnl_attr_get_u32(attr) & row->bit) !=
                                 !!(row->flags & ROW_INVERTED)};
        return 0;
}

static const AttrType attr_flag = {
        .name = "boolean",
        .syntax = "true or false",
        .parse = attr_parse_bool,
        .format = attr_format_bool,
        .put = flag_put,
        .get = flag_get,
        .equal = attr_equal_number,
};

/*
 * Lifetimes in seconds, both in one struct. The kernel counts them down: what is left of a finite
 * one is as good as the whole.
 */
#define FOREVER UINT32_MAX

static int lifetime_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        Value clock;
        int r;

        if (streq(text, "forever")) {
                *ret = (Value){.number = FOREVER};
                return 0;
        }
        r = attr_clock64.parse(&(Row){.key = row->key, .type = &attr_clock64}, scope, text, &clock);
        if (r != 0)
                return r;
        if (clock.number % 100)
                return invalid(scope, "is finer than the kernel counts (1s)");
        if (clock.number / 100 >= FOREVER)
                return invalid(scope, "is out of range");
        *ret = (Value){.number = clock.number / 100};
        return 0;
}

static void lifetime_format(const Row *row _unused_, const Value *value, Buf *ret) {
        if (value->number == FOREVER)
                buf_add(ret, "forever");
        else
                buf_printf(ret, "%llus", (unsigned long long)value->number);
}

static uint32_t *lifetime_of(struct ifa_cacheinfo *info, const Row *row) {
        return row->bit ? &info->ifa_valid : &info->ifa_prefered;
}

static int lifetime_put(const Row *row, const Value *value, PutScope *scope) {
        struct ifa_cacheinfo info = {.ifa_prefered = FOREVER, .ifa_valid = FOREVER};
        struct nlattr *attr;

        mnl_attr_for_each(attr, scope->message, sizeof(struct ifaddrmsg))
                if (mnl_attr_get_type(attr) == row->nla) {
                        *lifetime_of(mnl_attr_get_payload(attr), row) = (uint32_t)value->number;
                        return 0;
                }
        /* `valid` comes first: preferred for longer than that would be refused. */
        if (row->bit)
                info.ifa_prefered = (uint32_t)value->number;
        *lifetime_of(&info, row) = (uint32_t)value->number;
        return put_attr(scope, row->nla, &info, sizeof(info));
}

static int lifetime_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, sizeof(struct ifa_cacheinfo));
        struct ifa_cacheinfo info;

        if (!attr)
                return ATTR_E_ABSENT;
        memcpy(&info, mnl_attr_get_payload(attr), sizeof(info));
        *ret = (Value){.number = *lifetime_of(&info, row)};
        return 0;
}

static bool lifetime_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        if (wanted->number == FOREVER || have->number == FOREVER)
                return wanted->number == have->number;
        return have->number <= wanted->number;
}

static const AttrType attr_lifetime = {
        .name = "duration",
        .syntax = "a duration or forever",
        .parse = lifetime_parse,
        .format = lifetime_format,
        .put = lifetime_put,
        .get = lifetime_get,
        .equal = lifetime_equal,
};

/* clang-format off */
static const Row rows[] = {
        [ADDRESS_ADDRESS] = { .key = "address", .type = &attr_address, .change = CHANGE_KEY, .flags = ROW_REQUIRED | ROW_SHORTHAND,
                              .doc = "The address with its prefix length, which stands at the peer if there is one." },
        [ADDRESS_PEER]    = { .key = "peer", .type = &attr_peer_address, .change = CHANGE_KEY,
                              .doc = "The address at the other end of a point-to-point link, with the prefix length." },
        [ADDRESS_BROADCAST] = { .key = "broadcast", .nla = IFA_BROADCAST, .type = &attr_broadcast, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "0.0.0.0",
          .doc = "The IPv4 broadcast address; none unless written." },
        [ADDRESS_LABEL] = { .key = "label", .nla = IFA_LABEL, .type = &attr_label, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .max = 15, .def = "",
          .doc = "The IPv4 address's label, if it is not the link's name: that and a suffix behind a colon." },
        { .key = "scope", .type = &attr_scope, .change = CHANGE_CREATE, .names = scopes, .def = "global",
          .doc = "Where the IPv4 address is valid." },
        { .key = "valid", .nla = IFA_CACHEINFO, .type = &attr_lifetime, .bit = 1, .def = "forever",
          .doc = "How long the address stays." },
        { .key = "preferred", .nla = IFA_CACHEINFO, .type = &attr_lifetime, .def = "forever",
          .doc = "How long the address is used for new connections." },
        { .key = "nodad", .nla = IFA_FLAGS, .type = &attr_flag, .change = CHANGE_CREATE, .bit = IFA_F_NODAD, .def = "false",
          .doc = "Whether IPv6 duplicate address detection is left out." },
        { .key = "noprefixroute", .nla = IFA_FLAGS, .type = &attr_flag, .change = CHANGE_CREATE, .bit = IFA_F_NOPREFIXROUTE, .def = "false",
          .doc = "Whether no route to the prefix is made." },
        { .key = "home", .nla = IFA_FLAGS, .type = &attr_flag, .change = CHANGE_CREATE, .bit = IFA_F_HOMEADDRESS, .def = "false",
          .doc = "Whether this is a Mobile IPv6 home address." },
        { .key = "metric", .nla = IFA_RT_PRIORITY, .type = &attr_u32, .flags = ROW_ABSENT_IS_DEF, .def = "0",
          .doc = "The metric of the prefix route; 0 is the kernel's choice." },
        { .key = "dynamic", .nla = IFA_FLAGS, .type = &attr_flag, .change = CHANGE_STATE, .bit = IFA_F_PERMANENT, .flags = ROW_INVERTED,
          .doc = "Whether the address expires." },
        { .key = "protocol", .nla = IFA_PROTO, .type = &attr_u8, .change = CHANGE_STATE,
          .doc = "Who added the address." },
};
/* clang-format on */

static int address_begin(PutScope *scope, int ifindex) {
        struct ifaddrmsg *header = mnl_nlmsg_get_payload(scope->message);
        uint8_t protocol = PROTOCOL_OURS;

        header->ifa_index = (unsigned)ifindex;
        return put_attr(scope, IFA_PROTO, &protocol, sizeof(protocol));
}

/* Only a filter: what it lets through that is another link's is not taken. */
static int address_ask(PutScope *scope, unsigned i, int ifindex) {
        struct ifaddrmsg *header = mnl_nlmsg_get_payload(scope->message);

        if (i > 0)
                return ATTR_E_ABSENT;
        header->ifa_index = (unsigned)ifindex;
        return 0;
}

static int address_ifindex(const GetScope *scope) {
        const struct ifaddrmsg *header = scope->header;

        return (int)header->ifa_index;
}

/* The kernel's own: of `lo`, of routers that advertise, and link-local ones. */
static bool address_is_natural(const Object *object, const Link *link _unused_) {
        const Value *protocol = attrset_get(&object->set, "protocol");

        return protocol && protocol->number >= IFAPROT_KERNEL_LO &&
               protocol->number <= IFAPROT_KERNEL_LL;
}

/* The link's name, which a link that is renamed takes along, is none. */
static void address_fit(Object *object, const Link *link) {
        Value *label = &object->set.values[ADDRESS_LABEL];

        if (attrset_has(&object->set, ADDRESS_LABEL) && streq(label->text, link->name))
                label->text = "";
}

static int address_verify(const AttrSet *set, const char **ret_key, const char **ret_reason) {
        const Value *address = attrset_get(set, "address"), *peer = attrset_get(set, "peer");
        const Value *valid = attrset_get(set, "valid"), *preferred = attrset_get(set, "preferred");

        *ret_key = "address";
        if (!peer && address->length == NO_LENGTH) {
                *ret_reason = "needs a prefix length: ADDRESS/LENGTH";
                return 1;
        }
        if (peer && (address->length != NO_LENGTH || peer->length == NO_LENGTH)) {
                *ret_key = "peer";
                *ret_reason = "the prefix length stands at the peer: "
                              "{address: 10.0.0.1, peer: 10.0.1.1/24}";
                return 1;
        }
        if (peer && peer->family != address->family) {
                *ret_key = "peer";
                *ret_reason = "is of another address family";
                return 1;
        }
        /* The kernel takes that for an address without a peer, and reports it so. */
        if (peer && memcmp(peer->bytes, address->bytes, family_bytes(peer->family)) == 0) {
                *ret_key = "peer";
                *ret_reason = "is the address itself";
                return 1;
        }
        for (const char **key = (const char *[]){"broadcast", "label", "scope", NULL}; *key; key++)
                if (address->family == AF_INET6 && attrset_get(set, *key)) {
                        *ret_key = *key;
                        *ret_reason = "is for IPv4 addresses";
                        return 1;
                }
        if (valid && valid->number == 0) {
                *ret_key = "valid";
                *ret_reason = "must be longer than nothing";
                return 1;
        }
        /* inet_fill_ifaddr() (6.1 … 6.18): where the one is forever, so is the other. */
        if (address->family == AF_INET && preferred && preferred->number != FOREVER &&
            (!valid || valid->number == FOREVER)) {
                *ret_key = "preferred";
                *ret_reason = "needs 'valid', without which an IPv4 address is preferred for ever";
                return 1;
        }
        if (valid && preferred && preferred->number > valid->number) {
                *ret_key = "preferred";
                *ret_reason = "is longer than valid";
                return 1;
        }
        return 0;
}

const ObjectType object_address = {
        .schema = {.name = "addresses", .rows = rows, .n = ELEMENTSOF(rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_ON_LINK | OBJECT_LATE | OBJECT_DEFAULTS,
        .message_new = RTM_NEWADDR,
        .message_del = RTM_DELADDR,
        .message_get = RTM_GETADDR,
        .header_size = sizeof(struct ifaddrmsg),
        .begin = address_begin,
        .ifindex = address_ifindex,
        .ask = address_ask,
        .fit = address_fit,
        .groups = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR},
        .attributes = IFA_PROTO + 1,
        .is_natural = address_is_natural,
        .verify = address_verify,
        .doc = "IP addresses, added in this order.",
};
