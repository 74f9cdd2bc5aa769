/* SPDX-License-Identifier: MIT */
/* Policy rules: RTM_NEWRULE. The kernel changes none: what differs is deleted and added. */

#include "mvnet/network.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

enum {
        RULE_PRIORITY,
        RULE_FROM,
        RULE_TO,
        RULE_TABLE,
        RULE_ACTION,
        RULE_GOTO,
        RULE_L3MDEV,
        RULE_FAMILY,
        RULE_VRF,
};

#define NO_SUPPRESSION UINT32_MAX

static struct fib_rule_hdr *put_header(PutScope *scope) {
        return mnl_nlmsg_get_payload(scope->message);
}

static const struct fib_rule_hdr *get_header(const GetScope *scope) {
        return scope->header;
}

static int invalid(ParseScope *scope, const char *reason) {
        scope->reason = reason;
        return ATTR_E_INVALID;
}

/* Selectors. */

static uint8_t *prefix_length(struct fib_rule_hdr *header, uint64_t nla) {
        return nla == FRA_SRC ? &header->src_len : &header->dst_len;
}

static int prefix_put(const Row *row, const Value *value, PutScope *scope) {
        struct fib_rule_hdr *header = put_header(scope);

        if (value->family)
                header->family = value->family;
        *prefix_length(header, row->bit) = value->length;
        return value->length ? put_attr(scope, (uint16_t)row->bit, value->bytes,
                                        ip_bytes(value->family))
                             : 0;
}

static int prefix_get(const Row *row, const GetScope *scope, Value *ret) {
        struct fib_rule_hdr header = *get_header(scope);
        uint8_t length = *prefix_length(&header, row->bit);
        int r = attr_get_ip(&(Row){.nla = (uint16_t)row->bit}, scope, ret);

        if (length > ip_bytes(header.family) * 8 || (r != 0 && length != 0))
                return ATTR_E_ABSENT;
        if (r != 0)
                *ret = (Value){.family = header.family};
        ret->length = length;
        return 0;
}

static const AttrType attr_selector = {
        .name = "prefix", .syntax = "all, ADDRESS or ADDRESS/LENGTH",
        .parse = attr_parse_prefix, .format = attr_format_prefix,
        .put = prefix_put, .get = prefix_get, .equal = attr_equal_prefix,
};

/* The source tells the family, once is enough. */
static void target_format(const Row *row, const Value *value, Buf *ret) {
        if (value->length == 0)
                buf_add(ret, "all");
        else
                attr_format_prefix(row, value, ret);
}

static bool target_equal(const Row *row, const Value *wanted, const Value *have) {
        return wanted->length == 0 ? have->length == 0 : attr_equal_prefix(row, wanted, have);
}

static const AttrType attr_target = {
        .name = "prefix", .syntax = "all, ADDRESS or ADDRESS/LENGTH",
        .parse = attr_parse_prefix, .format = target_format,
        .put = prefix_put, .get = prefix_get, .equal = target_equal,
};

static int name_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        const char *problem = *text ? link_name_problem(text) : NULL;

        if (problem)
                return invalid(scope, problem);
        *ret = (Value){.text = arena_strdup(scope->arena, text)};
        return ret->text ? 0 : -ENOMEM;
}

static void name_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_add(ret, value->text);
}

static int name_put(const Row *row, const Value *value, PutScope *scope) {
        return *value->text ? put_attr(scope, row->nla, value->text, strlen(value->text) + 1) : 0;
}

static int name_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 1);
        const char *text = attr ? mnl_attr_get_payload(attr) : NULL;

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.text = arena_strndup(scope->arena, text,
                                             strnlen(text, mnl_attr_get_payload_len(attr)))};
        return ret->text ? 0 : -ENOMEM;
}

static bool name_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return streq(wanted->text, have->text);
}

static const AttrType attr_name = {
        .name = "name", .syntax = "the name of a link", .is_text = true,
        .parse = name_parse, .format = name_format, .put = name_put, .get = name_get,
        .equal = name_equal,
};

/* "VALUE" or "VALUE/MASK": a pair of value and mask. */
static int mark_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        const char *slash = strchr(text, '/');
        char *first = arena_strndup(scope->arena, text,
                                    slash ? (size_t)(slash - text) : strlen(text));
        uint64_t value, mask = UINT32_MAX;

        if (!first)
                return -ENOMEM;
        if (text_to_u64(first, &value) < 0 || (slash && text_to_u64(slash + 1, &mask) < 0) ||
            value > UINT32_MAX || mask > UINT32_MAX)
                return invalid(scope, "is not a mark");
        *ret = (Value){.pair = {(uint32_t)value, value || slash ? (uint32_t)mask : 0}};
        return 0;
}

static void mark_format(const Row *row _unused_, const Value *value, Buf *ret) {
        if (!value->pair.from && !value->pair.to)
                buf_add(ret, "0");
        else if (value->pair.to == UINT32_MAX)
                buf_printf(ret, "0x%x", value->pair.from);
        else
                buf_printf(ret, "0x%x/0x%x", value->pair.from, value->pair.to);
}

static int mark_put(const Row *row, const Value *value, PutScope *scope) {
        int r = 0;

        if (value->pair.from || value->pair.to)
                r = put_attr(scope, row->nla, &value->pair.from, sizeof(uint32_t));
        return r == 0 && value->pair.to
                ? put_attr(scope, FRA_FWMASK, &value->pair.to, sizeof(uint32_t)) : r;
}

static int mark_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *mark = get_attr(scope, row->nla, sizeof(uint32_t));
        const struct nlattr *mask = get_attr(scope, FRA_FWMASK, sizeof(uint32_t));

        if (!mark && !mask)
                return ATTR_E_ABSENT;
        *ret = (Value){.pair = {mark ? mnl_attr_get_u32(mark) : 0,
                                mask ? mnl_attr_get_u32(mask) : 0}};
        return 0;
}

static bool pair_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->pair.from == have->pair.from && wanted->pair.to == have->pair.to;
}

static const AttrType attr_mark = {
        .name = "mark", .syntax = "VALUE or VALUE/MASK",
        .parse = mark_parse, .format = mark_format, .put = mark_put, .get = mark_get,
        .equal = pair_equal,
};

/* "N" or "N-M". Nothing is a range that ends before it begins: 0 can be meant. */
static int range_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        const char *dash = strchr(text, '-');
        char *first = arena_strndup(scope->arena, text,
                                    dash ? (size_t)(dash - text) : strlen(text));
        uint64_t from, to;

        if (!first)
                return -ENOMEM;
        if (streq(text, "any")) {
                *ret = (Value){.pair = {1, 0}};
                return 0;
        }
        if (text_to_u64(first, &from) < 0 || text_to_u64(dash ? dash + 1 : first, &to) < 0)
                return invalid(scope, "is not a range");
        if (from < (uint64_t)row->min || to > (uint64_t)row->max || from > to)
                return invalid(scope, "is out of range");
        *ret = (Value){.pair = {(uint32_t)from, (uint32_t)to}};
        return 0;
}

static void range_format(const Row *row _unused_, const Value *value, Buf *ret) {
        if (value->pair.from > value->pair.to)
                buf_add(ret, "any");
        else if (value->pair.from == value->pair.to)
                buf_printf(ret, "%u", value->pair.from);
        else
                buf_printf(ret, "%u-%u", value->pair.from, value->pair.to);
}

static int ports_put(const Row *row, const Value *value, PutScope *scope) {
        const struct fib_rule_port_range range = {(uint16_t)value->pair.from,
                                                  (uint16_t)value->pair.to};

        return value->pair.from > value->pair.to ? 0
                : put_attr(scope, row->nla, &range, sizeof(range));
}

static int ports_get(const Row *row, const GetScope *scope, Value *ret) {
        struct fib_rule_port_range range;
        const struct nlattr *attr = get_attr(scope, row->nla, sizeof(range));

        if (!attr)
                return ATTR_E_ABSENT;
        memcpy(&range, mnl_attr_get_payload(attr), sizeof(range));
        *ret = (Value){.pair = {range.start, range.end}};
        return 0;
}

static int uids_put(const Row *row, const Value *value, PutScope *scope) {
        const struct fib_rule_uid_range range = {value->pair.from, value->pair.to};

        return value->pair.from > value->pair.to ? 0
                : put_attr(scope, row->nla, &range, sizeof(range));
}

static int uids_get(const Row *row, const GetScope *scope, Value *ret) {
        struct fib_rule_uid_range range;
        const struct nlattr *attr = get_attr(scope, row->nla, sizeof(range));

        if (!attr)
                return ATTR_E_ABSENT;
        memcpy(&range, mnl_attr_get_payload(attr), sizeof(range));
        *ret = (Value){.pair = {range.start, range.end}};
        return 0;
}

#define RANGE .name = "range", .syntax = "N or N-M", .parse = range_parse, .format = range_format, \
              .equal = pair_equal

static const AttrType attr_ports = {.put = ports_put, .get = ports_get, RANGE};
static const AttrType attr_uids = {.put = uids_put, .get = uids_get, RANGE};

static int tos_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        put_header(scope)->tos = (uint8_t)value->number;
        return 0;
}

static int tos_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        *ret = (Value){.number = get_header(scope)->tos};
        return 0;
}

static int number_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_u32.parse(row, scope, text, ret);
}

static void number_format(const Row *row, const Value *value, Buf *ret) {
        attr_u32.format(row, value, ret);
}

static const AttrType attr_tos = {
        .name = "number", .syntax = "a number", .size = 1, .is_number = true,
        .parse = number_parse, .format = number_format, .put = tos_put, .get = tos_get,
        .equal = attr_equal_number,
};

static int number_put(const Row *row, const Value *value, PutScope *scope) {
        return value->number ? attr_put_number(row, value, scope) : 0;
}

static const AttrType attr_number = {
        .name = "number", .syntax = "a number", .size = 4, .is_number = true,
        .parse = number_parse, .format = number_format, .put = number_put,
        .get = attr_get_number, .equal = attr_equal_number,
};

/* By name, as /etc/protocols has the usual ones, or by number. */
static int protocol_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        const Row number = {.key = row->key, .type = &attr_u8};

        return attr_parse_enum(row, scope, text, ret) == 0
                ? 0 : attr_u8.parse(&number, scope, text, ret);
}

static const AttrType attr_ipproto = {
        .name = "protocol", .syntax = "a number or the name of a protocol", .size = 1,
        .parse = protocol_parse, .format = attr_format_enum, .put = number_put,
        .get = attr_get_number, .equal = attr_equal_number,
};

static int flag_put(const Row *row, const Value *value, PutScope *scope) {
        if (value->number)
                put_header(scope)->flags |= (uint32_t)row->bit;
        return 0;
}

static int flag_get(const Row *row, const GetScope *scope, Value *ret) {
        *ret = (Value){.number = !!(get_header(scope)->flags & row->bit)};
        return 0;
}

static const AttrType attr_flag = {
        .name = "boolean", .syntax = "true or false",
        .parse = attr_parse_bool, .format = attr_format_bool, .put = flag_put, .get = flag_get,
        .equal = attr_equal_number,
};

static int l3mdev_put(const Row *row, const Value *value, PutScope *scope) {
        return value->number ? attr_bool.put(row, value, scope) : 0;
}

static int l3mdev_get(const Row *row, const GetScope *scope, Value *ret) {
        return attr_bool.get(row, scope, ret);
}

static const AttrType attr_l3mdev = {
        .name = "boolean", .syntax = "true or false", .size = 1,
        .parse = attr_parse_bool, .format = attr_format_bool, .put = l3mdev_put,
        .get = l3mdev_get, .equal = attr_equal_number,
};

/* What it does. */

static const Row wire_table = {.nla = FRA_TABLE, .type = &attr_u32};

static int table_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        put_header(scope)->table = value->number < 256 ? (uint8_t)value->number : RT_TABLE_COMPAT;
        return value->number ? attr_u32.put(&wire_table, value, scope) : 0;
}

static int table_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        if (attr_u32.get(&wire_table, scope, ret) != 0)
                *ret = (Value){.number = get_header(scope)->table};
        return 0;
}

static const AttrType attr_table = {
        .name = "table", .syntax = "a number, main, local, default or a name in iproute2's rt_tables",
        .size = 4, .parse = attr_parse_table, .format = attr_format_table,
        .put = table_put, .get = table_get, .equal = attr_equal_number,
};

static int action_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        put_header(scope)->action = (uint8_t)value->number;
        return 0;
}

static int action_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        *ret = (Value){.number = get_header(scope)->action};
        return 0;
}

static const AttrType attr_action = {
        .name = "word", .size = 1, .parse = attr_parse_enum, .format = attr_format_enum,
        .put = action_put, .get = action_get, .equal = attr_equal_number,
};

/* A number, or nothing, which is all ones on the wire and mostly not reported. */
static int suppress_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        if (!streq(text, "none"))
                return number_parse(row, scope, text, ret);
        *ret = (Value){.number = NO_SUPPRESSION};
        return 0;
}

static void suppress_format(const Row *row, const Value *value, Buf *ret) {
        if (value->number == NO_SUPPRESSION)
                buf_add(ret, "none");
        else
                number_format(row, value, ret);
}

static int suppress_put(const Row *row, const Value *value, PutScope *scope) {
        return value->number == NO_SUPPRESSION ? 0 : attr_put_number(row, value, scope);
}

static const AttrType attr_suppress = {
        .name = "number", .syntax = "a number or none", .size = 4,
        .parse = suppress_parse, .format = suppress_format, .put = suppress_put,
        .get = attr_get_number, .equal = attr_equal_number,
};

/* Local. */

static const AttrType attr_family = {
        .name = "word", .parse = attr_parse_enum, .format = attr_format_enum,
        .put = attr_put_nothing, .get = attr_get_nothing, .equal = attr_equal_number,
};

static int vrf_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return attr_link.parse(row, scope, text, ret);
}

static void vrf_format(const Row *row, const Value *value, Buf *ret) {
        attr_link.format(row, value, ret);
}

static bool vrf_equal(const Row *row, const Value *wanted, const Value *have) {
        return attr_link.equal(row, wanted, have);
}

static const AttrType attr_vrf = {
        .name = "link", .syntax = "LINK", .is_ref = true, .parse = vrf_parse,
        .format = vrf_format, .put = attr_put_nothing, .get = attr_get_nothing,
        .equal = vrf_equal,
};

static int dynamic_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct nlattr *protocol = get_attr(scope, FRA_PROTOCOL, 1);

        *ret = (Value){.number = protocol && mnl_attr_get_u8(protocol) == RTPROT_KERNEL};
        return 0;
}

static const AttrType attr_dynamic = {
        .name = "boolean", .syntax = "true or false",
        .parse = attr_parse_bool, .format = attr_format_bool, .put = attr_put_nothing,
        .get = dynamic_get, .equal = attr_equal_number,
};

static const Name families[] = {{"inet", AF_INET}, {"inet6", AF_INET6}, {}};
static const Name actions[] = {
        {"lookup", FR_ACT_TO_TBL}, {"goto", FR_ACT_GOTO}, {"nop", FR_ACT_NOP},
        {"blackhole", FR_ACT_BLACKHOLE}, {"unreachable", FR_ACT_UNREACHABLE},
        {"prohibit", FR_ACT_PROHIBIT}, {},
};
static const Name protocols[] = {
        {"any", 0}, {"icmp", IPPROTO_ICMP}, {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP},
        {"gre", IPPROTO_GRE}, {"esp", IPPROTO_ESP}, {"ah", IPPROTO_AH},
        {"ipv6-icmp", IPPROTO_ICMPV6}, {"sctp", IPPROTO_SCTP}, {},
};

/* clang-format off */
static const Row rows[] = {
        [RULE_PRIORITY] = { .key = "priority", .nla = FRA_PRIORITY, .type = &attr_u32, .change = CHANGE_KEY, .flags = ROW_REQUIRED | ROW_ABSENT_IS_ZERO,
                            .doc = "Rules are looked at in the order of their priorities; local is 0, main 32766." },
        [RULE_FROM]     = { .key = "from", .type = &attr_selector, .bit = FRA_SRC, .change = CHANGE_KEY, .def = "all",
                            .doc = "Only packets with such a source." },
        [RULE_TO]       = { .key = "to", .type = &attr_target, .bit = FRA_DST, .change = CHANGE_KEY, .def = "all",
                            .doc = "Only packets with such a destination." },
        [RULE_TABLE]    = { .key = "table", .type = &attr_table, .change = CHANGE_CREATE, .def = "0",
                            .doc = "The table to look into." },
        [RULE_ACTION]   = { .key = "action", .type = &attr_action, .change = CHANGE_CREATE, .names = actions,
                            .doc = "What becomes of packets; lookup, or goto, where these say where." },
        [RULE_GOTO]     = { .key = "goto", .nla = FRA_GOTO, .type = &attr_number, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "0",
                            .doc = "The priority of the rule to go on with." },
        [RULE_L3MDEV]   = { .key = "l3mdev", .nla = FRA_L3MDEV, .type = &attr_l3mdev, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .def = "false",
                            .doc = "Whether the table is that of the VRF that the packet belongs to." },
        [RULE_FAMILY]   = { .key = "family", .type = &attr_family, .flags = ROW_LOCAL, .names = families,
                            .doc = "The address family, where no address tells it." },
        [RULE_VRF]      = { .key = "vrf", .type = &attr_vrf, .flags = ROW_LOCAL,
                            .doc = "The VRF whose table is looked into." },
        { .key = "not", .type = &attr_flag, .bit = FIB_RULE_INVERT, .change = CHANGE_KEY, .def = "false",
          .doc = "Whether it is for all packets but these." },
        { .key = "iif", .nla = FRA_IIFNAME, .type = &attr_name, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .def = "",
          .doc = "Only packets that come in by this link." },
        { .key = "oif", .nla = FRA_OIFNAME, .type = &attr_name, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .def = "",
          .doc = "Only packets of sockets that are bound to this link." },
        { .key = "fwmark", .nla = FRA_FWMARK, .type = &attr_mark, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .def = "0",
          .doc = "Only packets with this mark, as far as the mask says." },
        { .key = "tos", .type = &attr_tos, .change = CHANGE_KEY, .def = "0",
          .doc = "Only packets with this type of service." },
        { .key = "ipproto", .nla = FRA_IP_PROTO, .type = &attr_ipproto, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .names = protocols, .def = "any",
          .doc = "Only packets of this protocol." },
        { .key = "sport", .nla = FRA_SPORT_RANGE, .type = &attr_ports, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .min = 1, .max = 65534, .def = "any",
          .doc = "Only packets with these source ports." },
        { .key = "dport", .nla = FRA_DPORT_RANGE, .type = &attr_ports, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .min = 1, .max = 65534, .def = "any",
          .doc = "Only packets with these destination ports." },
        { .key = "uidrange", .nla = FRA_UID_RANGE, .type = &attr_uids, .change = CHANGE_KEY, .flags = ROW_ABSENT_IS_DEF, .min = 0, .max = UINT32_MAX - 1, .def = "any",
          .doc = "Only packets of these users' sockets." },
        { .key = "suppress-prefixlength", .nla = FRA_SUPPRESS_PREFIXLEN, .type = &attr_suppress, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "none",
          .doc = "Routes with prefixes no longer than this do not count." },
        { .key = "suppress-ifgroup", .nla = FRA_SUPPRESS_IFGROUP, .type = &attr_suppress, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "none",
          .doc = "Routes by links of this link group do not count." },
        { .key = "protocol", .nla = FRA_PROTOCOL, .type = &attr_u8, .change = CHANGE_STATE,
          .doc = "Who added the rule." },
        { .key = "dynamic", .type = &attr_dynamic, .change = CHANGE_STATE,
          .doc = "Whether the rule came by itself." },
};
/* clang-format on */

static int rule_begin(PutScope *scope, int ifindex _unused_) {
        put_header(scope)->action = FR_ACT_TO_TBL;
        return 0;
}

static int rule_end(PutScope *scope, const AttrSet *set) {
        bool del = scope->message->nlmsg_type == RTM_DELRULE;
        const Value *of = del ? attrset_get(set, "protocol") : NULL;
        uint8_t protocol = of ? (uint8_t)of->number : PROTOCOL_OURS;

        return put_attr(scope, FRA_PROTOCOL, &protocol, sizeof(protocol));
}

static int rule_ifindex(const GetScope *scope _unused_) {
        return 0;
}

static bool rule_keeps(const GetScope *scope) {
        const struct nlattr *protocol = get_attr(scope, FRA_PROTOCOL, 1);

        return protocol && mnl_attr_get_u8(protocol) == PROTOCOL_OURS;
}

static bool rule_is_told(const GetScope *scope _unused_) {
        return true;
}

static bool rule_goes(const GetScope *scope _unused_, int ifindex _unused_) {
        return false;
}

/* Other families are multicast forwarding. */
static bool rule_is(const void *payload) {
        const struct fib_rule_hdr *header = payload;

        return header->family == AF_INET || header->family == AF_INET6;
}

static int rule_ask(PutScope *scope, unsigned i, int ifindex _unused_) {
        static const uint8_t of[] = {AF_INET, AF_INET6};

        if (i >= ELEMENTSOF(of))
                return ATTR_E_ABSENT;
        put_header(scope)->family = of[i];
        return 0;
}

static int rule_seek(PutScope *scope, const AttrSet *slot) {
        put_header(scope)->family = slot->values[RULE_FROM].family;
        return 0;
}

static void imply(AttrSet *set, size_t row, Value value) {
        if (attrset_has(set, row))
                return;
        attrset_set(set, row, value);
        set->implied |= ROW_BIT(row);
}

static uint8_t family_of(const AttrSet *set) {
        const size_t sources[] = {RULE_FROM, RULE_TO};

        for (size_t i = 0; i < ELEMENTSOF(sources); i++)
                if (attrset_has(set, sources[i]) && set->values[sources[i]].family)
                        return set->values[sources[i]].family;
        return attrset_has(set, RULE_FAMILY) ? (uint8_t)set->values[RULE_FAMILY].number : AF_INET;
}

static int rule_complete(Object *object, const Namespace *netns) {
        AttrSet *set = &object->set;
        const Link *vrf = attrset_has(set, RULE_VRF)
                ? network_find_link(netns->network, &set->values[RULE_VRF].ref) : NULL;
        const Value *table = vrf ? attrset_get(&vrf->options, "table") : NULL;
        const Value family = {.family = family_of(set)};

        if (!set->values[RULE_FROM].family)
                set->values[RULE_FROM] = family;
        if (!set->values[RULE_TO].family)
                set->values[RULE_TO] = family;
        imply(set, RULE_FROM, family);
        imply(set, RULE_TO, family);
        if (table)
                imply(set, RULE_TABLE, (Value){.number = table->number});
        imply(set, RULE_ACTION, (Value){.number = attrset_has(set, RULE_GOTO) ? FR_ACT_GOTO
                                                                              : FR_ACT_TO_TBL});
        return 0;
}

static int wrong(const char **ret_key, const char *key, const char **ret_reason,
                 const char *reason) {
        *ret_key = key;
        *ret_reason = reason;
        return 1;
}

static int rule_verify(const AttrSet *set, const char **ret_key, const char **ret_reason) {
        const Value *from = attrset_get(set, "from"), *to = attrset_get(set, "to");
        const Value *action = attrset_get(set, "action"), *target = attrset_get(set, "goto");
        const Value *table = attrset_get(set, "table"), *l3mdev = attrset_get(set, "l3mdev");
        bool looks = !action || action->number == FR_ACT_TO_TBL;
        bool goes = action && action->number == FR_ACT_GOTO;

        if (from && to && from->family && to->family && from->family != to->family)
                return wrong(ret_key, "to", ret_reason, "is of another address family");
        if (table && table->number && l3mdev && l3mdev->number)
                return wrong(ret_key, "table", ret_reason, "is that of the VRF, by 'l3mdev'");
        if (action && looks && !(table && table->number) && !(l3mdev && l3mdev->number))
                return wrong(ret_key, "priority", ret_reason,
                             "says nothing to do: 'table', 'l3mdev', 'goto' or 'action'");
        if (!looks && table && table->number)
                return wrong(ret_key, "table", ret_reason, "is not looked into by that action");
        if (goes && !(target && target->number > attrset_get(set, "priority")->number))
                return wrong(ret_key, "goto", ret_reason, "must be a higher priority than its own");
        if (action && !goes && target && target->number)
                return wrong(ret_key, "goto", ret_reason, "is for 'action: goto'");
        return 0;
}

/* They are never changed. */
static bool rule_replaceable(const AttrSet *have _unused_) {
        return false;
}

const ObjectType object_rule = {
        .schema = {.name = "rules", .rows = rows, .n = ELEMENTSOF(rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_IN_NETNS | OBJECT_ASKED | OBJECT_WHOLE | OBJECT_DEL_WHOLE,
        .message_new = RTM_NEWRULE,
        .message_del = RTM_DELRULE,
        .message_get = RTM_GETRULE,
        .header_size = sizeof(struct fib_rule_hdr),
        .begin = rule_begin,
        .end = rule_end,
        .ifindex = rule_ifindex,
        .keeps = rule_keeps,
        .is = rule_is,
        .is_told = rule_is_told,
        .goes = rule_goes,
        .ask = rule_ask,
        .seek = rule_seek,
        .groups = {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE},
        .attributes = FRA_MAX + 1,
        .complete = rule_complete,
        .verify = rule_verify,
        .replaceable = rule_replaceable,
        .doc = "Policy rules: which table is looked into for which packets.",
};
