/* SPDX-License-Identifier: MIT */
/* Routes: RTM_NEWROUTE. Those of a link are the namespace's, and only written under the link. */

#include "model/route.h"

#include "mvnet/network.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stddef.h>

#define METRIC_IPV6 1024 /* what the kernel makes of none (net/ipv6/route.c IP6_RT_PRIO_USER) */

enum {
        ROUTE_TO,
        ROUTE_TABLE,
        ROUTE_METRIC,
        ROUTE_TOS,
        ROUTE_VIA,
        ROUTE_DEV,
        ROUTE_TYPE,
        ROUTE_SCOPE,
        ROUTE_FAMILY,
        ROUTE_VRF,
        ROUTE_NEXTHOPS,
        ROUTE_ONLINK,
        ROUTE_NHID,
};

static struct rtmsg *put_header(PutScope *scope) {
        return mnl_nlmsg_get_payload(scope->message);
}

static const struct rtmsg *get_header(const GetScope *scope) {
        return scope->header;
}

/* Identity. */

static int to_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        struct rtmsg *header = put_header(scope);

        header->rtm_family = value->family;
        header->rtm_dst_len = value->length;
        return value->length ? put_attr(scope, RTA_DST, value->bytes, ip_bytes(value->family)) : 0;
}

static int to_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct rtmsg *header = get_header(scope);
        int r = attr_get_ip(&(Row){.nla = RTA_DST}, scope, ret);

        if (header->rtm_dst_len > ip_bytes(header->rtm_family) * 8 ||
            (r == ATTR_E_ABSENT && header->rtm_dst_len != 0))
                return ATTR_E_ABSENT;
        if (r == ATTR_E_ABSENT)
                *ret = (Value){.family = header->rtm_family};
        ret->length = header->rtm_dst_len;
        return 0;
}

static const AttrType attr_to = {
        .name = "prefix",
        .syntax = "default, ADDRESS or ADDRESS/LENGTH",
        .parse = attr_parse_prefix,
        .format = attr_format_prefix,
        .put = to_put,
        .get = to_get,
        .equal = attr_equal_prefix,
};

static const Row wire_table = {.nla = RTA_TABLE, .type = &attr_u32};

static int table_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        put_header(scope)->rtm_table = value->number < 256 ? (uint8_t)value->number
                                                           : RT_TABLE_COMPAT;
        return attr_u32.put(&wire_table, value, scope);
}

static int table_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        if (attr_u32.get(&wire_table, scope, ret) != 0)
                *ret = (Value){.number = get_header(scope)->rtm_table};
        if (ret->number == RT_TABLE_UNSPEC)
                ret->number = RT_TABLE_MAIN;
        return 0;
}

static const AttrType attr_table = {
        .name = "table",
        .syntax = "a number, main, local, default or a name in iproute2's rt_tables",
        .size = 4,
        .parse = attr_parse_table,
        .format = attr_format_table,
        .put = table_put,
        .get = table_get,
        .equal = attr_equal_number,
};

/* What has a default stays out of the message while it is there. */
static int number_put(const Row *row, const Value *value, PutScope *scope) {
        return value->number ? attr_put_number(row, value, scope) : 0;
}

static int number_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_u32.parse(row, scope, text, ret);
}

static void number_format(const Row *row, const Value *value, Buf *ret) {
        attr_u32.format(row, value, ret);
}

static int metric_get(const Row *row, const GetScope *scope, Value *ret) {
        int r = attr_u32.get(row, scope, ret);

        if (r == 0 && get_header(scope)->rtm_family == AF_INET6 && ret->number == METRIC_IPV6)
                ret->number = 0;
        return r;
}

static const AttrType attr_priority = {
        .name = "number", .syntax = "a number", .size = 4, .is_number = true,
        .parse = number_parse, .format = number_format,
        .put = number_put, .get = metric_get, .equal = attr_equal_number,
};

/* Parts of the header. */

#define HEADER_BYTE(name, field)                                                                \
        static int name##_put(const Row *row _unused_, const Value *value, PutScope *scope) {   \
                put_header(scope)->field = (uint8_t)value->number;                              \
                return 0;                                                                       \
        }                                                                                       \
        static int name##_get(const Row *row _unused_, const GetScope *scope, Value *ret) {     \
                *ret = (Value){.number = get_header(scope)->field};                             \
                return 0;                                                                       \
        }

HEADER_BYTE(tos, rtm_tos)
HEADER_BYTE(wire_type, rtm_type)
HEADER_BYTE(scope, rtm_scope)
HEADER_BYTE(protocol, rtm_protocol)

static int type_put(const Row *row, const Value *value, PutScope *scope) {
        return wire_type_put(row, value, scope);
}

/* With a nexthop object that is a blackhole so is the route, whatever was asked for. */
static int type_get(const Row *row, const GetScope *scope, Value *ret) {
        int r = wire_type_get(row, scope, ret);

        if (get_attr(scope, RTA_NH_ID, 0) && ret->number == RTN_BLACKHOLE)
                ret->number = RTN_UNICAST;
        return r;
}

#define HEADER_NUMBER(byte) {                                                                   \
        .name = "number", .syntax = "a number", .size = 1, .is_number = true,                   \
        .parse = number_parse, .format = number_format,                                         \
        .put = byte##_put, .get = byte##_get, .equal = attr_equal_number,                       \
}
#define HEADER_WORD(byte) {                                                                    \
        .name = "word", .size = 1, .parse = attr_parse_enum, .format = attr_format_enum,        \
        .put = byte##_put, .get = byte##_get, .equal = attr_equal_number,                     \
}

/* By itself it came, and goes: connected, redirected, advertised, leased. */
static int dynamic_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        uint8_t protocol = get_header(scope)->rtm_protocol;

        *ret = (Value){.number = protocol == RTPROT_KERNEL || protocol == RTPROT_REDIRECT ||
                                 protocol == RTPROT_RA || protocol == RTPROT_DHCP};
        return 0;
}

static const AttrType attr_dynamic = {
        .name = "boolean", .syntax = "true or false",
        .parse = attr_parse_bool, .format = attr_format_bool,
        .put = attr_put_nothing, .get = dynamic_get, .equal = attr_equal_number,
};

static const AttrType attr_tos = HEADER_NUMBER(tos);
static const AttrType attr_protocol = HEADER_NUMBER(protocol);
static const AttrType attr_type = HEADER_WORD(type);
static const AttrType attr_scope = HEADER_WORD(scope);

static int onlink_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        if (value->number)
                put_header(scope)->rtm_flags |= RTNH_F_ONLINK;
        return 0;
}

static int onlink_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        *ret = (Value){.number = get_header(scope)->rtm_flags & RTNH_F_ONLINK &&
                                 !get_attr(scope, RTA_NH_ID, 0)};
        return 0;
}

static const AttrType attr_onlink = {
        .name = "boolean", .syntax = "true or false",
        .parse = attr_parse_bool, .format = attr_format_bool,
        .put = onlink_put, .get = onlink_get, .equal = attr_equal_number,
};

/* Where it goes. */

static bool has_target(uint8_t type) {
        return type != RTN_BLACKHOLE && type != RTN_UNREACHABLE && type != RTN_PROHIBIT &&
               type != RTN_THROW;
}

static int via_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        return route_put_via(scope, value);
}

/* Where a nexthop object leads is told with the route, and no part of it. */
static bool has_object(const GetScope *scope) {
        return get_attr(scope, RTA_NH_ID, sizeof(uint32_t));
}

static int via_get(const Row *row, const GetScope *scope, Value *ret) {
        if (has_object(scope))
                return ATTR_E_ABSENT;
        return route_get_via(get_attr(scope, row->nla, 0), get_attr(scope, RTA_VIA, 0),
                             get_header(scope)->rtm_family, ret);
}

static const AttrType attr_via = {
        .name = "IP address", .syntax = "an IP address",
        .parse = attr_parse_ip, .format = attr_format_ip,
        .put = via_put, .get = via_get, .equal = attr_equal_ip,
};

/* IPv6 reports lo for what goes nowhere. */
static int dev_get(const Row *row, const GetScope *scope, Value *ret) {
        return has_target(get_header(scope)->rtm_type) && !has_object(scope)
                ? attr_link.get(row, scope, ret) : ATTR_E_ABSENT;
}

static int dev_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_link.parse(row, scope, text, ret);
}

static void dev_format(const Row *row, const Value *value, Buf *ret) {
        attr_link.format(row, value, ret);
}

static int dev_put(const Row *row, const Value *value, PutScope *scope) {
        return attr_link.put(row, value, scope);
}

static bool dev_equal(const Row *row, const Value *wanted, const Value *have) {
        return attr_link.equal(row, wanted, have);
}

static const AttrType attr_dev = {
        .name = "link", .syntax = "LINK", .is_ref = true,
        .parse = dev_parse, .format = dev_format, .put = dev_put, .get = dev_get,
        .equal = dev_equal,
};

/* Marks for reverse paths and accounting: to one realm, or from one to another. */
static int realms_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        const char *slash = strchr(text, '/');
        uint64_t from = 0, to;
        char *first = arena_strndup(scope->arena, text,
                                    slash ? (size_t)(slash - text) : strlen(text));

        if (!first)
                return -ENOMEM;
        if (text_to_u64(first, &to) < 0 || (slash && text_to_u64(slash + 1, &from) < 0)) {
                scope->reason = "is not a realm";
                return ATTR_E_INVALID;
        }
        if (slash) {
                uint64_t swap = from;

                from = to;
                to = swap;
        }
        if (from > UINT16_MAX || to > UINT16_MAX) {
                scope->reason = "is out of range";
                return ATTR_E_INVALID;
        }
        *ret = (Value){.number = from << 16 | to};
        return 0;
}

static void realms_format(const Row *row _unused_, const Value *value, Buf *ret) {
        if (value->number >> 16)
                buf_printf(ret, "%u/", (unsigned)(value->number >> 16));
        buf_printf(ret, "%u", (unsigned)(value->number & UINT16_MAX));
}

static const AttrType attr_realms = {
        .name = "realms", .syntax = "REALM or FROM/TO", .size = 4,
        .parse = realms_parse, .format = realms_format,
        .put = number_put, .get = attr_get_number, .equal = attr_equal_number,
};

static const AttrType attr_nhid = {
        .name = "number", .syntax = "a number", .size = 4, .is_number = true,
        .parse = number_parse, .format = number_format,
        .put = number_put, .get = attr_get_number, .equal = attr_equal_number,
};

static int pref_put(const Row *row, const Value *value, PutScope *scope) {
        return value->number ? attr_enum8.put(row, value, scope) : 0;
}

static int pref_get(const Row *row, const GetScope *scope, Value *ret) {
        return attr_enum8.get(row, scope, ret);
}

static const AttrType attr_pref = {
        .name = "word", .size = 1, .parse = attr_parse_enum, .format = attr_format_enum,
        .put = pref_put, .get = pref_get, .equal = attr_equal_number,
};

/* Local. */

static const AttrType attr_family = {
        .name = "word", .parse = attr_parse_enum, .format = attr_format_enum,
        .put = attr_put_nothing, .get = attr_get_nothing, .equal = attr_equal_number,
};
static const AttrType attr_vrf = {
        .name = "link", .syntax = "LINK", .is_ref = true, .parse = dev_parse,
        .format = dev_format, .put = attr_put_nothing, .get = attr_get_nothing,
        .equal = dev_equal,
};

static const Name families[] = {{"inet", AF_INET}, {"inet6", AF_INET6}, {}};
static const Name types[] = {
        {"unicast", RTN_UNICAST}, {"local", RTN_LOCAL}, {"broadcast", RTN_BROADCAST},
        {"anycast", RTN_ANYCAST}, {"multicast", RTN_MULTICAST}, {"blackhole", RTN_BLACKHOLE},
        {"unreachable", RTN_UNREACHABLE}, {"prohibit", RTN_PROHIBIT}, {"throw", RTN_THROW}, {},
};
static const Name scopes[] = {
        {"global", RT_SCOPE_UNIVERSE}, {"site", RT_SCOPE_SITE}, {"link", RT_SCOPE_LINK},
        {"host", RT_SCOPE_HOST}, {},
};
static const Name prefs[] = {{"medium", 0}, {"high", 1}, {"low", 3}, {}};
static const Name features[] = {{"ecn", RTAX_FEATURE_ECN}, {}};
static const Name locks[] = {
        {"mtu", 1 << RTAX_MTU}, {"advmss", 1 << RTAX_ADVMSS}, {"window", 1 << RTAX_WINDOW},
        {"rtt", 1 << RTAX_RTT}, {"rttvar", 1 << RTAX_RTTVAR}, {"ssthresh", 1 << RTAX_SSTHRESH},
        {"cwnd", 1 << RTAX_CWND}, {"reordering", 1 << RTAX_REORDERING},
        {"hoplimit", 1 << RTAX_HOPLIMIT}, {"rto-min", 1 << RTAX_RTO_MIN},
        {"congctl", 1 << RTAX_CC_ALGO}, {},
};

/* clang-format off */
#define METRIC(key_, rtax, type_, def_, ...) \
        { .key = key_, .nla = RTA_METRICS, .bit = (uint64_t)1 << (rtax), .type = &type_, .def = def_, .flags = ROW_ABSENT_IS_DEF, __VA_ARGS__ }

static const Row rows[] = {
        [ROUTE_TO]     = { .key = "to", .type = &attr_to, .change = CHANGE_KEY, .flags = ROW_REQUIRED,
                           .doc = "The destination: a prefix, an address, or default." },
        [ROUTE_TABLE]  = { .key = "table", .type = &attr_table, .change = CHANGE_KEY, .min = 1, .max = UINT32_MAX, .def = "main",
                           .doc = "The table it is in; under a VRF and its ports that of the VRF unless said otherwise." },
        [ROUTE_METRIC] = { .key = "metric", .nla = RTA_PRIORITY, .type = &attr_priority, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .def = "0",
                           .doc = "Of several routes to one destination that with the lowest counts; 0 is the kernel's choice." },
        [ROUTE_TOS]    = { .key = "tos", .type = &attr_tos, .change = CHANGE_KEY, .def = "0",
                           .doc = "Only for packets with this type of service." },
        [ROUTE_VIA]    = { .key = "via", .nla = RTA_GATEWAY, .type = &attr_via, .flags = ROW_ABSENT_IS_DEF, .def = "none",
                           .doc = "The gateway, which may be of the other address family." },
        [ROUTE_DEV]    = { .key = "dev", .nla = RTA_OIF, .type = &attr_dev,
                           .doc = "The link that it leaves by; implied under a link (but not by a gateway in a VRF's own table), and otherwise the kernel's choice." },
        [ROUTE_TYPE]   = { .key = "type", .type = &attr_type, .names = types, .def = "unicast",
                           .doc = "What becomes of packets." },
        [ROUTE_SCOPE]  = { .key = "scope", .type = &attr_scope, .names = scopes,
                           .doc = "How far away an IPv4 destination is." },
        [ROUTE_FAMILY] = { .key = "family", .type = &attr_family, .flags = ROW_LOCAL, .names = families,
                           .doc = "The address family, where no address tells it." },
        [ROUTE_VRF]    = { .key = "vrf", .type = &attr_vrf, .flags = ROW_LOCAL,
                           .doc = "The VRF whose table it is in." },
        [ROUTE_NEXTHOPS] = { .key = "nexthops", .nla = RTA_MULTIPATH, .type = &attr_hops, .flags = ROW_ABSENT_IS_DEF, .def = "[]",
                           .doc = "Several ways, of which each takes a share by its weight." },
        [ROUTE_ONLINK] = { .key = "onlink", .type = &attr_onlink, .def = "false",
                           .doc = "Whether the gateway is taken to be on the link, though no address there says so." },
        [ROUTE_NHID]   = { .key = "nhid", .nla = RTA_NH_ID, .type = &attr_nhid, .of = &object_nexthop, .flags = ROW_ABSENT_IS_DEF, .def = "0",
                           .doc = "The nexthop object that says where it goes, instead of `via`, `dev` and `nexthops`." },
        { .key = "src", .nla = RTA_PREFSRC, .type = &attr_ip, .flags = ROW_ABSENT_IS_DEF, .def = "none",
          .doc = "The source address of packets that begin here." },
        { .key = "pref", .nla = RTA_PREF, .type = &attr_pref, .flags = ROW_ABSENT_IS_DEF, .names = prefs, .def = "medium",
          .doc = "The IPv6 router preference." },
        { .key = "realms", .nla = RTA_FLOW, .type = &attr_realms, .flags = ROW_ABSENT_IS_DEF, .def = "0",
          .doc = "The realms for accounting." },
        METRIC("mtu", RTAX_MTU, attr_metric, "0", .doc = "The MTU along the path."),
        METRIC("advmss", RTAX_ADVMSS, attr_metric, "0", .doc = "The maximum segment size that TCP announces."),
        METRIC("window", RTAX_WINDOW, attr_metric, "0", .doc = "The largest window that TCP announces."),
        METRIC("rtt", RTAX_RTT, attr_metric_time, "0", .doc = "The round trip time to begin with."),
        METRIC("rttvar", RTAX_RTTVAR, attr_metric_time, "0", .doc = "Its variance to begin with."),
        METRIC("rto-min", RTAX_RTO_MIN, attr_metric_time, "0", .doc = "The least time before TCP sends again."),
        METRIC("ssthresh", RTAX_SSTHRESH, attr_metric, "0", .doc = "The slow start threshold."),
        METRIC("cwnd", RTAX_CWND, attr_metric, "0", .doc = "The largest congestion window."),
        METRIC("initcwnd", RTAX_INITCWND, attr_metric, "0", .doc = "The congestion window to begin with."),
        METRIC("initrwnd", RTAX_INITRWND, attr_metric, "0", .doc = "The receive window to begin with."),
        METRIC("reordering", RTAX_REORDERING, attr_metric, "0", .doc = "How much reordering TCP expects."),
        METRIC("hoplimit", RTAX_HOPLIMIT, attr_metric, "0", .min = 0, .max = 255, .doc = "The hop limit of packets."),
        METRIC("quickack", RTAX_QUICKACK, attr_metric_bool, "false", .doc = "Whether TCP acknowledges at once."),
        METRIC("fastopen-no-cookie", RTAX_FASTOPEN_NO_COOKIE, attr_metric_bool, "false", .doc = "Whether TCP fast open goes without a cookie."),
        METRIC("congctl", RTAX_CC_ALGO, attr_metric_text, "", .max = 15, .doc = "The congestion control of TCP."),
        METRIC("features", RTAX_FEATURES, attr_metric_bits, "[]", .names = features, .doc = "What TCP may use."),
        METRIC("lock", RTAX_LOCK, attr_metric_bits, "[]", .names = locks, .doc = "Which of these the kernel may not change by what it learns."),
        { .key = "protocol", .type = &attr_protocol, .change = CHANGE_STATE,
          .doc = "Who added the route." },
        { .key = "dynamic", .type = &attr_dynamic, .change = CHANGE_STATE,
          .doc = "Whether the route came by itself." },
};
/* clang-format on */

static int route_begin(PutScope *scope, int ifindex _unused_) {
        struct rtmsg *header = put_header(scope);

        header->rtm_protocol = PROTOCOL_OURS;
        return 0;
}

/*
 * A deletion matches in all that it says, and in the metric only if it says one; IPv6's default has
 * a number. What it says of whose route it is decides about those that were not ours.
 */
static int route_end(PutScope *scope, const AttrSet *set) {
        struct rtmsg *header = put_header(scope);
        bool del = scope->message->nlmsg_type == RTM_DELROUTE;
        const Value *protocol = attrset_get(set, "protocol");
        const uint32_t metric = METRIC_IPV6;

        if (del)
                header->rtm_scope = RT_SCOPE_NOWHERE;
        if (del && protocol)
                header->rtm_protocol = (uint8_t)protocol->number;
        if (header->rtm_family != AF_INET6 || route_find_put(scope, RTA_PRIORITY))
                return 0;
        return put_attr(scope, RTA_PRIORITY, &metric, sizeof(metric));
}

/* Clones are what was learned on the way, of a route. */
static int route_ifindex(const GetScope *scope) {
        return get_header(scope)->rtm_flags & RTM_F_CLONED ? -1 : 0;
}

static bool route_keeps(const GetScope *scope) {
        return get_header(scope)->rtm_protocol == PROTOCOL_OURS;
}

/* Of several hops one can come or go alone; those of a nexthop object are that one's. */
static bool route_is_told(const GetScope *scope) {
        return !get_attr(scope, RTA_MULTIPATH, 0) || get_attr(scope, RTA_NH_ID, 0);
}

/* Of IPv6 there is an event for each (fib_frontend.c fib_disable_ip; 6.1 … 6.18). */
static bool route_goes(const GetScope *scope, int ifindex) {
        const struct nlattr *dev = get_attr(scope, RTA_OIF, sizeof(uint32_t));

        return get_header(scope)->rtm_family == AF_INET && dev &&
               mnl_attr_get_u32(dev) == (uint32_t)ifindex;
}

/* Other families are multicast forwarding, and labels. */
static bool route_is(const void *payload) {
        const struct rtmsg *header = payload;

        return header->rtm_family == AF_INET || header->rtm_family == AF_INET6;
}

/* The strict check makes a filter of the protocol: a million others cost no more than a walk. */
static int route_ask(PutScope *scope, unsigned i, int ifindex _unused_) {
        static const uint8_t of[] = {AF_INET, AF_INET6};
        struct rtmsg *header = put_header(scope);

        if (i >= ELEMENTSOF(of))
                return ATTR_E_ABSENT;
        header->rtm_family = of[i];
        header->rtm_protocol = PROTOCOL_OURS;
        return 0;
}

static int route_ask_all(PutScope *scope, unsigned i, int ifindex) {
        int r = route_ask(scope, i, ifindex);

        put_header(scope)->rtm_protocol = RTPROT_UNSPEC;
        return r;
}

static int route_seek(PutScope *scope, const AttrSet *slot) {
        put_header(scope)->rtm_family = slot->values[ROUTE_TO].family;
        return table_put(NULL, &slot->values[ROUTE_TABLE], scope);
}

/* Completion. */

static bool has_type(const AttrSet *set) {
        return attrset_has(set, ROUTE_TYPE);
}

static uint8_t type_of(const AttrSet *set) {
        return has_type(set) ? (uint8_t)set->values[ROUTE_TYPE].number : RTN_UNICAST;
}

static uint8_t family_of(const AttrSet *set) {
        const Value *via = attrset_get(set, "via"), *src = attrset_get(set, "src");
        const Value *hops = attrset_get(set, "nexthops");

        if (attrset_has(set, ROUTE_FAMILY))
                return (uint8_t)set->values[ROUTE_FAMILY].number;
        if (via && via->family)
                return via->family;
        for (size_t i = 0; hops && i < hops->list.n; i++)
                if (hops->list.items[i].hop->via.family)
                        return hops->list.items[i].hop->via.family;
        return src && src->family ? src->family : AF_INET;
}

/* What nothing in the route tells, the object may. */
static uint8_t family_in(const AttrSet *set, const Namespace *netns) {
        const Value *nhid = attrset_get(set, "nhid");
        uint8_t family = nhid && !attrset_has(set, ROUTE_FAMILY)
                ? nexthop_family(netns, nhid->number) : 0;

        return family ? family : family_of(set);
}

static void imply(AttrSet *set, size_t row, Value value) {
        attrset_set(set, row, value);
        set->implied |= ROW_BIT(row);
}

/* A gateway is looked up when the route is made: first what leads to it. */
static unsigned route_rank(const AttrSet *set) {
        const Value *via = attrset_get(set, "via"), *hops = attrset_get(set, "nexthops");
        const Value *nhid = attrset_get(set, "nhid");

        if (nhid && nhid->number)
                return RANK_REFERRING;
        for (size_t i = 0; hops && i < hops->list.n; i++)
                if (hops->list.items[i].hop->via.family)
                        return RANK_GATEWAY;
        return via && via->family ? RANK_GATEWAY : RANK_DIRECT;
}

/* As `ip route` chooses it. */
static uint8_t scope_of(const AttrSet *set) {
        switch (type_of(set)) {
        case RTN_LOCAL:
                return RT_SCOPE_HOST;
        case RTN_BROADCAST:
        case RTN_MULTICAST:
        case RTN_ANYCAST:
                return RT_SCOPE_LINK;
        case RTN_UNICAST:
                return route_rank(set) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
        }
        return RT_SCOPE_UNIVERSE;
}

/* The table of a VRF is an option of its kind. */
static const Value *table_of(const Link *link) {
        const Value *table = link ? attrset_get(&link->options, "table") : NULL;

        return table || !link ? table : link_master(link)
                ? attrset_get(&link_master(link)->options, "table") : NULL;
}

static void complete_table(Object *object, const Namespace *netns) {
        AttrSet *set = &object->set;
        const Link *vrf = attrset_has(set, ROUTE_VRF)
                ? network_find_link(netns->network, &set->values[ROUTE_VRF].ref) : NULL;
        const Value *table = table_of(vrf ? vrf : object->under);

        if (attrset_has(set, ROUTE_TABLE))
                return;
        if (table)
                imply(set, ROUTE_TABLE, (Value){.number = table->number});
        else if (type_of(set) == RTN_LOCAL || type_of(set) == RTN_BROADCAST ||
                 type_of(set) == RTN_ANYCAST)
                imply(set, ROUTE_TABLE, (Value){.number = RT_TABLE_LOCAL});
}

/* Under a link they leave by it; in a VRF's table, by that of its ports that leads to the gateway. */
static bool implies_dev(const Object *object, const Value *via) {
        bool other_table = attrset_has(&object->set, ROUTE_TABLE) ||
                           attrset_has(&object->set, ROUTE_VRF);

        return object->under && (!via || !via->family || other_table ||
                                 !link_kind_is(object->under->kind, KIND_L3_MASTER));
}

/* The kernel knows no difference between one and a list of one. */
static void complete_hops(const Object *object) {
        AttrSet *set = (AttrSet *)&object->set;
        Value *list = &set->values[ROUTE_NEXTHOPS];
        const Hop *only;

        if (!attrset_has(set, ROUTE_NEXTHOPS))
                return;
        for (size_t i = 0; i < list->list.n; i++) {
                Hop *hop = list->list.items[i].hop;

                if (!hop->dev.ref.link && implies_dev(object, &hop->via))
                        hop->dev = (Value){.ref = link_self(object->under)};
        }
        if (list->list.n != 1)
                return;
        only = list->list.items[0].hop;
        imply(set, ROUTE_VIA, only->via);
        imply(set, ROUTE_ONLINK, (Value){.number = only->onlink});
        if (only->dev.ref.link)
                imply(set, ROUTE_DEV, only->dev);
        set->present &= ~ROW_BIT(ROUTE_NEXTHOPS);
}

static int route_complete(Object *object, const Namespace *netns) {
        AttrSet *set = &object->set;
        Value *to = &set->values[ROUTE_TO], *metric = &set->values[ROUTE_METRIC];

        complete_hops(object);
        if (!to->family)
                to->family = family_in(set, netns);
        if (to->family == AF_INET6 && metric->number == METRIC_IPV6)
                metric->number = 0;
        if (has_target(type_of(set)) && !attrset_has(set, ROUTE_DEV) &&
            !attrset_has(set, ROUTE_NEXTHOPS) && !attrset_has(set, ROUTE_NHID) &&
            implies_dev(object, attrset_get(set, "via")))
                imply(set, ROUTE_DEV, (Value){.ref = link_self(object->under)});
        if (to->family == AF_INET && !attrset_has(set, ROUTE_SCOPE))
                imply(set, ROUTE_SCOPE, (Value){.number = scope_of(set)});
        complete_table(object, netns);
        return 0;
}

/* Rules between rows. */

/* Where to, without an object. */
static bool leads(const AttrSet *set) {
        return (attrset_has(set, ROUTE_VIA) && set->values[ROUTE_VIA].family) ||
               (attrset_has(set, ROUTE_DEV) && set->values[ROUTE_DEV].ref.link) ||
               (attrset_has(set, ROUTE_NEXTHOPS) && set->values[ROUTE_NEXTHOPS].list.n);
}

static int route_verify(const AttrSet *set, const char **ret_key, const char **ret_reason) {
        const Value *to = attrset_get(set, "to"), *via = attrset_get(set, "via");
        const Value *src = attrset_get(set, "src"), *family = attrset_get(set, "family");

        *ret_key = "to";
        if (!to)
                return wrong(ret_key, "to", ret_reason, "is missing");
        if (family && to->family && family->number != to->family)
                return wrong(ret_key, "family", ret_reason, "is not that of the addresses");
        if (src && src->family && to->family && src->family != to->family)
                return wrong(ret_key, "src", ret_reason, "is of another address family");
        if (via && via->family == AF_INET && to->family == AF_INET6)
                return wrong(ret_key, "via", ret_reason,
                             "is an IPv4 address: an IPv6 route has an IPv6 gateway");
        if (said(set, "nexthops") && (said(set, "via") || said(set, "dev") || said(set, "onlink")))
                return wrong(ret_key, "nexthops", ret_reason,
                             "say where it goes, and so do 'via', 'dev' and 'onlink'");
        if (!has_target(type_of(set)) &&
            (said(set, "via") || said(set, "dev") || said(set, "nexthops") || said(set, "nhid")))
                return wrong(ret_key, "type", ret_reason,
                             "has no use for 'via' and 'dev': such packets go nowhere");
        if (said(set, "nhid") && leads(set))
                return wrong(ret_key, "nhid", ret_reason,
                             "says where it goes, and so do 'via', 'dev' and 'nexthops'");
        /* ip6_route_multipath_add() (6.1 … 6.18) */
        if ((to->family ? to->family : family_of(set)) == AF_INET6 &&
            hops_lack_via(attrset_get(set, "nexthops")))
                return wrong(ret_key, "nexthops", ret_reason,
                             "of IPv6 need a gateway each, 'via', where there are several");
        if (to->family == AF_INET6 && said(set, "scope"))
                return wrong(ret_key, "scope", ret_reason, "is for IPv4 routes");
        if (to->family == AF_INET && said(set, "pref"))
                return wrong(ret_key, "pref", ret_reason, "is for IPv6 routes");
        if (said(set, "vrf") && said(set, "table"))
                return wrong(ret_key, "vrf", ret_reason, "says the table, and so does 'table'");
        if (said(set, "onlink") && attrset_get(set, "onlink")->number && !(via && via->family))
                return wrong(ret_key, "onlink", ret_reason, "needs 'via'");
        return 0;
}

/* What nexthop.c fib_check_nexthop() and fib6_check_nexthop() refuse (6.1 … 6.18). */
static int route_suits(const Object *object, const Namespace *netns, const char **ret_key,
                       const char **ret_reason) {
        const AttrSet *set = &object->set;
        const Object *nexthop = namespace_find_numbered(netns, &object_nexthop,
                                                        set->values[ROUTE_NHID].number);
        const Value *fdb = nexthop ? attrset_get(&nexthop->set, "fdb") : NULL;

        if (!nexthop)
                return 0;
        if (fdb && fdb->number)
                return wrong(ret_key, "nhid", ret_reason,
                             "is for forwarding entries: 'fdb' is true there");
        if (set->values[ROUTE_TO].family == AF_INET6 &&
            nexthop_family(netns, set->values[ROUTE_NHID].number) == AF_INET)
                return wrong(ret_key, "nhid", ret_reason,
                             "is an IPv4 nexthop: an IPv6 route has an IPv6 one");
        if (object->under && !link_kind_is(object->under->kind, KIND_L3_MASTER))
                return wrong(ret_key, "nhid", ret_reason,
                             "says where it goes, and so does the interface that this stands under");
        return 0;
}

/* NLM_F_REPLACE of IPv6 adds to what it cannot replace (ip6_fib.c fib6_add_rt2node). */
static bool route_replaceable(const AttrSet *have) {
        const Value *protocol = attrset_get(have, "protocol");

        return have->values[ROUTE_TO].family == AF_INET && protocol &&
               protocol->number == PROTOCOL_OURS;
}

const char *route_waits_for(int error, const char *message, bool gateway) {
        bool address = strstr(message, "prefsrc") || strstr(message, "source address");

        switch (-error) {
        case ENETUNREACH:
        case EHOSTUNREACH:
                return "waiting for its gateway to be reachable";
        case ENETDOWN:
                return strstr(message, "Carrier") ? "waiting for its link to have a carrier"
                                                  : "waiting for its link to be up";
        case ENODEV:
                return "waiting for its link to be up";
        case EINVAL: /* no word in kernels before 4.16, and IPv6 says so of gateways, too */
                if (address)
                        return "waiting for its source address";
                if (strstr(message, "exthop id"))
                        return "waiting for its nexthop object";
                return strstr(message, "gateway") && gateway
                        ? "waiting for its gateway to be reachable" : NULL;
        }
        return NULL;
}

static const char *route_waits(const AttrSet *set, int error, const char *message) {
        return route_waits_for(error, message, route_rank(set) == RANK_GATEWAY);
}

const ObjectType object_route = {
        .schema = {.name = "routes", .rows = rows, .n = ELEMENTSOF(rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_ON_LINK | OBJECT_IN_NETNS | OBJECT_ASKED | OBJECT_WHOLE,
        .message_new = RTM_NEWROUTE,
        .message_del = RTM_DELROUTE,
        .message_get = RTM_GETROUTE,
        .header_size = sizeof(struct rtmsg),
        .begin = route_begin,
        .end = route_end,
        .ifindex = route_ifindex,
        .keeps = route_keeps,
        .is = route_is,
        .is_told = route_is_told,
        .goes = route_goes,
        .ask = route_ask,
        .ask_all = route_ask_all,
        .seek = route_seek,
        .protocol_at = offsetof(struct rtmsg, rtm_protocol),
        .groups = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE},
        .attributes = RTA_MAX + 1,
        .complete = route_complete,
        .verify = route_verify,
        .suits = route_suits,
        .replaceable = route_replaceable,
        .rank = route_rank,
        .waits = route_waits,
        .doc = "Routes; under an interface they leave by that.",
};
