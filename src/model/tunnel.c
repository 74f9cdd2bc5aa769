/* SPDX-License-Identifier: MIT */
/* What kinds of tunnel share: types of their options, and tables of what GRE and IP in IP have. */

#include "mvnet/schema.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_tunnel.h>
#include <linux/ip6_tunnel.h>

/* Words among numbers. */

int attr_parse_word(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        for (const Name *name = row->names; name && name->name; name++)
                if (streq(name->name, text)) {
                        *ret = (Value){.number = name->number};
                        return 0;
                }
        return attr_parse_number(row, scope, text, ret);
}

const AttrType attr_u8_or_word = {
        .size = 1, .put = attr_put_number, .get = attr_get_number, ATTR_WORD,
};

static int ttl_put(const Row *row, const Value *value, PutScope *scope) {
        uint8_t set = 1;

        if (value->number != TTL_INHERIT)
                return attr_put_number(row, value, scope);
        return put_attr(scope, row->nla2, &set, row->bit ? 0 : 1);
}

static int ttl_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *inherit = get_attr(scope, row->nla2, 0);

        /* Whatever was sent, it is reported as a number. */
        if (!inherit || (mnl_attr_get_payload_len(inherit) > 0 && mnl_attr_get_u8(inherit) == 0))
                return attr_get_number(row, scope, ret);
        *ret = (Value){.number = TTL_INHERIT};
        return 0;
}

const AttrType attr_ttl = {.size = 1, .put = ttl_put, .get = ttl_get, ATTR_WORD};

static int refuse(ParseScope *scope, const char *reason) {
        scope->reason = reason;
        return ATTR_E_INVALID;
}

/* Addresses. */

static bool is_any(const uint8_t *bytes, size_t size) {
        static const uint8_t zero[16];

        return memcmp(bytes, zero, size) == 0;
}

static int endpoint_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        Value value = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

        if (streq(text, "any")) {
                *ret = (Value){};
                return 0;
        }
        if (inet_pton(value.family, text, value.bytes) != 1)
                return refuse(scope, "is not an IP address");
        if (value.family == AF_INET ? !row->nla : !row->nla2)
                return refuse(scope, row->nla ? "is not an IPv4 address"
                                              : "is not an IPv6 address");
        if (is_any(value.bytes, sizeof(value.bytes)))
                return refuse(scope, "is no address: say 'any'");
        if (row->bit == ADDRESS_UNICAST && ip_is_multicast(&value))
                return refuse(scope, "is a multicast address");
        if (row->bit == ADDRESS_MULTICAST && !ip_is_multicast(&value))
                return refuse(scope, "is not a multicast address");
        *ret = value;
        return 0;
}

static void endpoint_format(const Row *row _unused_, const Value *value, Buf *ret) {
        char text[INET6_ADDRSTRLEN];

        if (value->family && inet_ntop(value->family, value->bytes, text, sizeof(text)))
                buf_add(ret, text);
        else
                buf_add(ret, "any");
}

static int endpoint_put(const Row *row, const Value *value, PutScope *scope) {
        if (!value->family)
                return 0;
        return value->family == AF_INET ? put_attr(scope, row->nla, value->bytes, 4)
                                        : put_attr(scope, row->nla2, value->bytes, 16);
}

static int endpoint_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *v4 = row->nla ? get_attr(scope, row->nla, 4) : NULL;
        const struct nlattr *v6 = row->nla2 ? get_attr(scope, row->nla2, 16) : NULL;
        const struct nlattr *attr = v6 ? v6 : v4;
        Value value = {.family = v6 ? AF_INET6 : AF_INET};
        size_t size = v6 ? 16 : 4;

        if (!attr)
                return ATTR_E_ABSENT;
        memcpy(value.bytes, mnl_attr_get_payload(attr), size);
        if (is_any(value.bytes, size))
                value.family = 0;
        else if (row->bit && ip_is_multicast(&value) != (row->bit == ADDRESS_MULTICAST))
                return ATTR_E_ABSENT;
        *ret = value;
        return 0;
}

static bool endpoint_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->family == have->family &&
               memcmp(wanted->bytes, have->bytes, sizeof(wanted->bytes)) == 0;
}

const AttrType attr_endpoint = {
        .name = "IP address",
        .syntax = "an IP address, or any",
        .parse = endpoint_parse,
        .format = endpoint_format,
        .put = endpoint_put,
        .get = endpoint_get,
        .equal = endpoint_equal,
};

/* Numbers with a word that is a flag elsewhere. */

static unsigned flow_shift(const Row *row) {
        return row->type->big_endian && row->max == 255 ? 20 : 0;
}

static int flagged_put(const Row *row, const Value *value, PutScope *scope) {
        bool flagged = value->number == FLAGGED;
        uint32_t *flags = put_earlier(scope, row->nla2, sizeof(*flags));
        uint32_t bits = flagged ? (uint32_t)row->bit : 0, number = 0, *earlier;
        int r;

        if (flags)
                *flags |= bits;
        r = flags ? 0 : put_attr(scope, row->nla2, &bits, sizeof(bits));
        if (r < 0)
                return r;
        if (!flagged)
                number = (uint32_t)value->number << flow_shift(row);
        if (row->type->size == 1)
                return put_attr(scope, row->nla, &(uint8_t){(uint8_t)number}, 1);
        number = row->type->big_endian ? htonl(number) : number;
        earlier = put_earlier(scope, row->nla, sizeof(number));
        if (!earlier)
                return put_attr(scope, row->nla, &number, sizeof(number));
        *earlier |= number;
        return 0;
}

static int flagged_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *flags = get_attr(scope, row->nla2, sizeof(uint32_t));
        Value value;
        int r;

        if (flags && mnl_attr_get_u32(flags) & row->bit) {
                *ret = (Value){.number = FLAGGED};
                return 0;
        }
        r = attr_get_number(row, scope, &value);
        if (r != 0)
                return r;
        value.number >>= flow_shift(row);
        if (row->max)
                value.number &= (uint64_t)row->max;
        *ret = value;
        return 0;
}

#define FLAG_WORD .put = flagged_put, .get = flagged_get, ATTR_WORD

const AttrType attr_flagged8 = {.size = 1, FLAG_WORD};
const AttrType attr_flagged32 = {.size = 4, FLAG_WORD};
const AttrType attr_flow = {.size = 4, .big_endian = true, FLAG_WORD};

/* Keys. */

#define GRE_HAS_KEY 0x2000

static int key_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        int r;

        if (streq(text, "none")) {
                *ret = (Value){};
                return 0;
        }
        r = attr_parse_number(row, scope, text, ret);
        if (r == 0)
                ret->length = 32;
        return r;
}

static void key_format(const Row *row, const Value *value, Buf *ret) {
        if (value->length)
                attr_format_number(row, value, ret);
        else
                buf_add(ret, "none");
}

static int key_put(const Row *row, const Value *value, PutScope *scope) {
        uint16_t *flags = put_earlier(scope, row->nla2, sizeof(*flags));
        uint16_t bits = htons(value->length ? GRE_HAS_KEY : 0);
        int r;

        if (flags)
                *flags |= bits;
        r = flags ? 0 : put_attr(scope, row->nla2, &bits, sizeof(bits));
        return r < 0 ? r : attr_put_number(row, value, scope);
}

static int key_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *flags = get_attr(scope, row->nla2, sizeof(uint16_t));

        if (!flags || !(ntohs(mnl_attr_get_u16(flags)) & GRE_HAS_KEY)) {
                *ret = (Value){};
                return flags ? 0 : ATTR_E_ABSENT;
        }
        if (attr_get_number(row, scope, ret) != 0)
                return ATTR_E_ABSENT;
        ret->length = 32;
        return 0;
}

static bool key_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->number == have->number && wanted->length == have->length;
}

#define KEY                                                                                       \
        .name = "number", .syntax = "a number, or none", .size = 4, .big_endian = true,           \
        .parse = key_parse, .format = key_format, .equal = key_equal

const AttrType attr_gre_key = {.put = key_put, .get = key_get, KEY};
const AttrType attr_local_gre_key = {.put = attr_put_nothing, .get = attr_get_nothing, KEY};

/* Prefixes. */

static int prefix_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        int family = row->bit == 16 ? AF_INET6 : AF_INET;
        const char *slash = strchr(text, '/');
        Value value = {.family = (uint8_t)family};
        char address[INET6_ADDRSTRLEN];
        uint64_t length;

        scope->reason = "is not ADDRESS/LENGTH";
        if (!slash || (size_t)(slash - text) >= sizeof(address) ||
            text_to_u64(slash + 1, &length) < 0 || length > row->bit * 8)
                return ATTR_E_INVALID;
        memcpy(address, text, (size_t)(slash - text));
        address[slash - text] = '\0';
        if (inet_pton(family, address, value.bytes) != 1)
                return ATTR_E_INVALID;
        value.length = (uint8_t)length;
        scope->reason = "has bits beyond its length";
        for (size_t i = length; i < row->bit * 8; i++)
                if (value.bytes[i / 8] & 0x80 >> i % 8)
                        return ATTR_E_INVALID;
        *ret = value;
        return 0;
}

static void prefix_format(const Row *row, const Value *value, Buf *ret) {
        char text[INET6_ADDRSTRLEN];

        if (inet_ntop(row->bit == 16 ? AF_INET6 : AF_INET, value->bytes, text, sizeof(text)))
                buf_printf(ret, "%s/%u", text, value->length);
}

static int prefix_put(const Row *row, const Value *value, PutScope *scope) {
        uint16_t length = value->length;
        int r = put_attr(scope, row->nla, value->bytes, row->bit);

        return r < 0 ? r : put_attr(scope, row->nla2, &length, sizeof(length));
}

static int prefix_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *prefix = get_attr(scope, row->nla, row->bit);
        const struct nlattr *length = get_attr(scope, row->nla2, sizeof(uint16_t));
        Value value = {.family = row->bit == 16 ? AF_INET6 : AF_INET};

        if (!prefix || !length)
                return ATTR_E_ABSENT;
        memcpy(value.bytes, mnl_attr_get_payload(prefix), row->bit);
        value.length = (uint8_t)mnl_attr_get_u16(length);
        *ret = value;
        return 0;
}

static bool prefix_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->length == have->length &&
               memcmp(wanted->bytes, have->bytes, sizeof(wanted->bytes)) == 0;
}

const AttrType attr_prefix = {
        .name = "prefix",
        .syntax = "ADDRESS/LENGTH",
        .parse = prefix_parse,
        .format = prefix_format,
        .put = prefix_put,
        .get = prefix_get,
        .equal = prefix_equal,
};

/* Ports. */

static int ports_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        const char *dash = strchr(text, '-');
        uint64_t low, high;
        char *first;

        if (streq(text, "any")) {
                *ret = (Value){};
                return 0;
        }
        first = dash ? arena_strndup(scope->arena, text, (size_t)(dash - text)) : NULL;
        if (dash && !first)
                return -ENOMEM;
        if (!dash || text_to_u64(first, &low) < 0 || text_to_u64(dash + 1, &high) < 0)
                return refuse(scope, "is not LOW-HIGH");
        if (low < 1 || high > UINT16_MAX || low > high)
                return refuse(scope, "is not a range of ports");
        *ret = (Value){.pair = {(uint32_t)low, (uint32_t)high}};
        return 0;
}

static void ports_format(const Row *row _unused_, const Value *value, Buf *ret) {
        if (value->pair.to)
                buf_printf(ret, "%u-%u", value->pair.from, value->pair.to);
        else
                buf_add(ret, "any");
}

static int ports_put(const Row *row, const Value *value, PutScope *scope) {
        uint16_t ports[2] = {htons((uint16_t)value->pair.from), htons((uint16_t)value->pair.to)};

        return put_attr(scope, row->nla, ports, sizeof(ports));
}

static int ports_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 2 * sizeof(uint16_t));
        uint16_t ports[2];

        if (!attr)
                return ATTR_E_ABSENT;
        memcpy(ports, mnl_attr_get_payload(attr), sizeof(ports));
        *ret = (Value){.pair = {ntohs(ports[0]), ntohs(ports[1])}};
        return 0;
}

static bool ports_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->pair.from == have->pair.from && wanted->pair.to == have->pair.to;
}

const AttrType attr_srcport = {
        .name = "range of ports",
        .syntax = "LOW-HIGH, or any",
        .parse = ports_parse,
        .format = ports_format,
        .put = ports_put,
        .get = ports_get,
        .equal = ports_equal,
};

/* Tables. */

const Name tunnel_ttls[] = {{"inherit", 0}, {}};
const Name tunnel_toses[] = {{"inherit", 1}, {}};
const Name tunnel_dfs[] = {{"unset", 0}, {"set", 1}, {"inherit", 2}, {}};
static const Name flagged_inner[] = {{"inherit", FLAGGED}, {}};
static const Name flagged_none[] = {{"none", FLAGGED}, {}};
static const Name encaps[] = {
        {"none", TUNNEL_ENCAP_NONE}, {"fou", TUNNEL_ENCAP_FOU}, {"gue", TUNNEL_ENCAP_GUE}, {},
};
static const Name directions[] = {{"ingress", 0}, {"egress", 1}, {}};
static const char *const both_keys[] = {"ikey", "okey", NULL};
static const char *const both_seqs[] = {"iseq", "oseq", NULL};
static const char *const both_csums[] = {"icsum", "ocsum", NULL};

/* clang-format off */
#define ENCAP_ROWS(TYPE, FLAGS, SPORT, DPORT) \
        { .key = "encap", .nla = TYPE, .type = &attr_enum16, .names = encaps, .def = "none", \
          .doc = "What UDP header the packets are put behind, if any." }, \
        { .key = "encap-csum", .nla = FLAGS, .type = &attr_bit16, .bit = TUNNEL_ENCAP_FLAG_CSUM, .def = "false", \
          .doc = "Whether that header has a checksum over IPv4." }, \
        { .key = "encap-csum6", .nla = FLAGS, .type = &attr_bit16, .bit = TUNNEL_ENCAP_FLAG_CSUM6, .def = "false", \
          .doc = "Whether that header has a checksum over IPv6." }, \
        { .key = "encap-remcsum", .nla = FLAGS, .type = &attr_bit16, .bit = TUNNEL_ENCAP_FLAG_REMCSUM, .def = "false", \
          .doc = "Whether that header's checksum is offloaded to the far end." }, \
        { .key = "encap-sport", .nla = SPORT, .type = &attr_be16, .def = "0", \
          .doc = "The source port of that header; 0 is one of the kernel's choice for each flow." }, \
        { .key = "encap-dport", .nla = DPORT, .type = &attr_be16, .def = "0", \
          .doc = "The destination port of that header." }

static const Row gre_rows[] = {
        { .key = "key", .type = &attr_local_gre_key, .flags = ROW_LOCAL, .both = both_keys,
          .doc = "The key of both directions." },
        { .key = "seq", .type = &attr_local_bool, .flags = ROW_LOCAL, .both = both_seqs,
          .doc = "Whether packets of both directions are numbered." },
        { .key = "csum", .type = &attr_local_bool, .flags = ROW_LOCAL, .both = both_csums,
          .doc = "Whether packets of both directions have a checksum." },
        { .key = "ikey", .nla = IFLA_GRE_IKEY, .nla2 = IFLA_GRE_IFLAGS, .type = &attr_gre_key, .def = "none",
          .doc = "The key that packets to us must have." },
        { .key = "iseq", .nla = IFLA_GRE_IFLAGS, .type = &attr_bit_be16, .bit = 0x1000, .def = "false",
          .doc = "Whether packets to us must be numbered, and in order." },
        { .key = "icsum", .nla = IFLA_GRE_IFLAGS, .type = &attr_bit_be16, .bit = 0x8000, .def = "false",
          .doc = "Whether packets to us must have a checksum." },
        { .key = "okey", .nla = IFLA_GRE_OKEY, .nla2 = IFLA_GRE_OFLAGS, .type = &attr_gre_key, .def = "none",
          .doc = "The key of packets from us." },
        { .key = "oseq", .nla = IFLA_GRE_OFLAGS, .type = &attr_bit_be16, .bit = 0x1000, .def = "false",
          .doc = "Whether packets from us are numbered." },
        { .key = "ocsum", .nla = IFLA_GRE_OFLAGS, .type = &attr_bit_be16, .bit = 0x8000, .def = "false",
          .doc = "Whether packets from us have a checksum." },
        { .key = "ttl", .nla = IFLA_GRE_TTL, .type = &attr_u8_or_word, .names = tunnel_ttls, .def = "inherit",
          .doc = "The hop limit of the outer packets." },
        ENCAP_ROWS(IFLA_GRE_ENCAP_TYPE, IFLA_GRE_ENCAP_FLAGS, IFLA_GRE_ENCAP_SPORT, IFLA_GRE_ENCAP_DPORT),
        { .key = "external", .nla = IFLA_GRE_COLLECT_METADATA, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether routes, tc or BPF say where each packet goes, rather than the link." },
        { .key = "fwmark", .nla = IFLA_GRE_FWMARK, .type = &attr_u32, .def = "0",
          .doc = "The mark of the outer packets." },
};

static const Row gre_ip4_rows[] = {
        { .key = "local", .nla = IFLA_GRE_LOCAL, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of this end." },
        { .key = "remote", .nla = IFLA_GRE_REMOTE, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of the far end." },
        { .key = "tos", .nla = IFLA_GRE_TOS, .type = &attr_u8_or_word, .names = tunnel_toses, .def = "0",
          .doc = "The type of service of the outer packets." },
        { .key = "pmtudisc", .nla = IFLA_GRE_PMTUDISC, .type = &attr_bool, .def = "true",
          .doc = "Whether the outer packets may not be fragmented." },
        { .key = "ignore-df", .nla = IFLA_GRE_IGNORE_DF, .type = &attr_bool, .def = "false",
          .doc = "Whether packets that may not be fragmented are all the same; not with pmtudisc." },
};

#define IP6_ROWS(LIMIT, FLOW, FLAGS, MARK) \
        { .key = "encaplimit", .nla = LIMIT, .nla2 = FLAGS, .bit = IP6_TNL_F_IGN_ENCAP_LIMIT, .type = &attr_flagged8, .names = flagged_none, .def = "0", \
          .doc = "How many more tunnels the packets may go through." }, \
        { .key = "tclass", .nla = FLOW, .nla2 = FLAGS, .bit = IP6_TNL_F_USE_ORIG_TCLASS, .type = &attr_flow, .max = 255, .names = flagged_inner, .def = "0", \
          .doc = "The traffic class of the outer packets." }, \
        { .key = "flowlabel", .nla = FLOW, .nla2 = FLAGS, .bit = IP6_TNL_F_USE_ORIG_FLOWLABEL, .type = &attr_flow, .max = 0xfffff, .names = flagged_inner, .def = "0", \
          .doc = "The flow label of the outer packets." }, \
        { .key = "fwmark", .nla = MARK, .nla2 = FLAGS, .bit = IP6_TNL_F_USE_ORIG_FWMARK, .type = &attr_flagged32, .names = flagged_inner, .def = "0", \
          .doc = "The mark of the outer packets." }, \
        { .key = "dscp-inherit", .nla = FLAGS, .bit = IP6_TNL_F_RCV_DSCP_COPY, .type = &attr_bit32, .def = "false", \
          .doc = "Whether the traffic class of outer packets is copied to the inner ones." }, \
        { .key = "allow-localremote", .nla = FLAGS, .bit = IP6_TNL_F_ALLOW_LOCAL_REMOTE, .type = &attr_bit32, .def = "false", \
          .doc = "Whether the far end may be an address of our own." }

static const Row gre_ip6_rows[] = {
        { .key = "local", .nla2 = IFLA_GRE_LOCAL, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of this end." },
        { .key = "remote", .nla2 = IFLA_GRE_REMOTE, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of the far end." },
        IP6_ROWS(IFLA_GRE_ENCAP_LIMIT, IFLA_GRE_FLOWINFO, IFLA_GRE_FLAGS, IFLA_GRE_FWMARK),
};

static const Row erspan_rows[] = {
        { .key = "erspan-ver", .nla = IFLA_GRE_ERSPAN_VER, .type = &attr_u8, .max = 2, .flags = ROW_ABSENT_IS_DEF, .def = "1",
          .doc = "The version: 0 is type I, 1 is type II, 2 is type III." },
        /* What is not of the version in force is not reported (erspan_fill_info). */
        { .key = "erspan", .nla = IFLA_GRE_ERSPAN_INDEX, .type = &attr_u32, .max = 0xfffff, .flags = ROW_ABSENT_IS_DEF, .when = "erspan-ver", .when_in = ROW_BIT(1), .def = "0",
          .doc = "The number of the port that is mirrored." },
        { .key = "erspan-dir", .nla = IFLA_GRE_ERSPAN_DIR, .type = &attr_enum8, .names = directions, .flags = ROW_ABSENT_IS_DEF, .when = "erspan-ver", .when_in = ROW_BIT(2), .def = "ingress",
          .doc = "The direction of the packets that are mirrored." },
        { .key = "erspan-hwid", .nla = IFLA_GRE_ERSPAN_HWID, .type = &attr_u16, .max = 63, .flags = ROW_ABSENT_IS_DEF, .when = "erspan-ver", .when_in = ROW_BIT(2), .def = "0",
          .doc = "The number of the switch that mirrors." },
};

static const Row ip_rows[] = {
        { .key = "ttl", .nla = IFLA_IPTUN_TTL, .type = &attr_u8_or_word, .names = tunnel_ttls, .def = "inherit",
          .doc = "The hop limit of the outer packets." },
        ENCAP_ROWS(IFLA_IPTUN_ENCAP_TYPE, IFLA_IPTUN_ENCAP_FLAGS, IFLA_IPTUN_ENCAP_SPORT, IFLA_IPTUN_ENCAP_DPORT),
        { .key = "fwmark", .nla = IFLA_IPTUN_FWMARK, .type = &attr_u32, .def = "0",
          .doc = "The mark of the outer packets." },
};

static const Row ip6_rows[] = {
        { .key = "local", .nla2 = IFLA_IPTUN_LOCAL, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of this end." },
        { .key = "remote", .nla2 = IFLA_IPTUN_REMOTE, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of the far end." },
        IP6_ROWS(IFLA_IPTUN_ENCAP_LIMIT, IFLA_IPTUN_FLOWINFO, IFLA_IPTUN_FLAGS, IFLA_IPTUN_FWMARK),
};

/* Without Ethernet, whether there is a far end is fixed (ip_tunnel.c ip_tunnel_changelink). */
static const Row ip4_rows[] = {
        { .key = "local", .nla = IFLA_IPTUN_LOCAL, .type = &attr_endpoint, .flags = ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of this end." },
        { .key = "remote", .nla = IFLA_IPTUN_REMOTE, .type = &attr_endpoint, .flags = ROW_STEADY | ROW_ABSENT_IS_DEF, .def = "any",
          .doc = "The address of the far end." },
        { .key = "tos", .nla = IFLA_IPTUN_TOS, .type = &attr_u8_or_word, .names = tunnel_toses, .def = "0",
          .doc = "The type of service of the outer packets." },
        { .key = "pmtudisc", .nla = IFLA_IPTUN_PMTUDISC, .type = &attr_bool, .def = "true",
          .doc = "Whether the outer packets may not be fragmented; always so with a ttl." },
};
/* clang-format on */

int tunnel_verify_ttl(const AttrSet *options, uint64_t usual, const char **ret_key,
                      const char **ret_reason) {
        const Value *ttl = attrset_get(options, "ttl"), *pmtudisc = attrset_get(options, "pmtudisc");

        *ret_key = "pmtudisc";
        *ret_reason = "is always true with a ttl";
        return pmtudisc && !pmtudisc->number && ttl && ttl->number && ttl->number != usual;
}

#define TABLE(table) .rows = table, .n = ELEMENTSOF(table)

const Schema tunnel_gre_schema = {.name = "gre-rows", TABLE(gre_rows)};
const Schema tunnel_gre_ip4_schema = {
        .name = "gre-ip4-rows", .like = &tunnel_gre_schema, TABLE(gre_ip4_rows),
};
const Schema tunnel_gre_ip6_schema = {
        .name = "gre-ip6-rows", .like = &tunnel_gre_schema, TABLE(gre_ip6_rows),
};
const Schema tunnel_erspan_ip4_schema = {
        .name = "erspan-ip4-rows", .like = &tunnel_gre_ip4_schema, TABLE(erspan_rows),
};
const Schema tunnel_erspan_ip6_schema = {
        .name = "erspan-ip6-rows", .like = &tunnel_gre_ip6_schema, TABLE(erspan_rows),
};
const Schema tunnel_ip_schema = {.name = "ip-rows", TABLE(ip_rows)};
const Schema tunnel_ip6_schema = {
        .name = "ip6-rows", .like = &tunnel_ip_schema, TABLE(ip6_rows),
};
const Schema tunnel_ip4_schema = {
        .name = "ip4-rows", .like = &tunnel_ip_schema, TABLE(ip4_rows),
};
