/* SPDX-License-Identifier: MIT */
/*
 * Nexthop objects: RTM_NEWNEXTHOP. Routes refer to them by number, as groups of them do; what goes
 * takes these along. A link that goes, is set down or loses its carrier takes its own (nexthop.c
 * nh_netdev_event; 6.1 … 6.18), without a word.
 */

#include "model/route.h"

#include "mvnet/network.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stddef.h>

/* 6.12: weights have 16 bits, and a reply says so; before there was garbage (include/uapi/linux). */
#define OP_FLAGS (NHA_RES_BUCKET + 1)
#define OP_FLAG_RESERVED_IS_ZERO ((uint32_t)1 << 31)
#define WEIGHT_MAX 65535

enum {
        NEXTHOP_ID,
        NEXTHOP_VIA,
        NEXTHOP_DEV,
        NEXTHOP_FAMILY,
        NEXTHOP_GROUP,
};

static struct nhmsg *put_header(PutScope *scope) {
        return mnl_nlmsg_get_payload(scope->message);
}

static const struct nhmsg *get_header(const GetScope *scope) {
        return scope->header;
}

/* Where it leads. */

static int via_put(const Row *row, const Value *value, PutScope *scope) {
        size_t size = ip_bytes(value->family);

        if (!size)
                return 0;
        put_header(scope)->nh_family = value->family;
        return put_attr(scope, row->nla, value->bytes, size);
}

static const AttrType attr_via = {
        .name = "IP address", .syntax = "an IP address",
        .parse = attr_parse_ip, .format = attr_format_ip,
        .put = via_put, .get = attr_get_ip, .equal = attr_equal_ip,
};

/* Where a gateway tells, or it is IPv4, there is nothing to say. */
static int family_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        uint8_t family = get_header(scope)->nh_family;

        if (family != AF_INET6 || get_attr(scope, NHA_GATEWAY, 0))
                return ATTR_E_ABSENT;
        *ret = (Value){.number = family};
        return 0;
}

static int family_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        struct nhmsg *header = put_header(scope);

        if (!header->nh_family)
                header->nh_family = (uint8_t)value->number;
        return 0;
}

static const AttrType attr_family = {
        .name = "word", .parse = attr_parse_enum, .format = attr_format_enum,
        .put = family_put, .get = family_get, .equal = attr_equal_number,
};

static int onlink_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        if (value->number)
                put_header(scope)->nh_flags |= RTNH_F_ONLINK;
        return 0;
}

static int onlink_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        *ret = (Value){.number = !!(get_header(scope)->nh_flags & RTNH_F_ONLINK)};
        return 0;
}

static const AttrType attr_onlink = {
        .name = "boolean", .syntax = "true or false",
        .parse = attr_parse_bool, .format = attr_format_bool,
        .put = onlink_put, .get = onlink_get, .equal = attr_equal_number,
};

static int protocol_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        *ret = (Value){.number = get_header(scope)->nh_protocol};
        return 0;
}

static const AttrType attr_protocol = {
        .name = "number", .syntax = "a number", .size = 1, .is_number = true,
        .parse = attr_parse_number, .format = attr_format_number,
        .put = attr_put_nothing, .get = protocol_get, .equal = attr_equal_number,
};

/* Groups. An element is a number and a weight, as `pair`. */

static const char *const fields[] = {"id", "weight", NULL};

static int member_number(ParseScope *scope, const char *text, uint64_t max, uint32_t *ret) {
        uint64_t number;

        scope->reason = "is not a number";
        if (text_to_u64(text, &number) < 0)
                return ATTR_E_INVALID;
        scope->reason = "is out of range";
        if (number < 1 || number > max)
                return ATTR_E_INVALID;
        *ret = (uint32_t)number;
        return 0;
}

static int member_field(ParseScope *scope, const char *key, const char *text, void *userdata) {
        Value *member = userdata;

        if (streq(key, "id"))
                return member_number(scope, text, UINT32_MAX, &member->pair.from);
        if (streq(key, "weight"))
                return member_number(scope, text, WEIGHT_MAX, &member->pair.to);
        scope->reason = "has a key that a member of a group has not";
        return ATTR_E_INVALID;
}

static int member_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        Value member = {.pair.to = 1};
        int r = *text == '{' ? text_to_fields(scope, text, member_field, &member)
                             : member_number(scope, text, UINT32_MAX, &member.pair.from);

        if (r != 0)
                return r;
        scope->reason = "needs 'id'";
        if (!member.pair.from)
                return ATTR_E_INVALID;
        *ret = member;
        return 0;
}

static void member_format(const Row *row _unused_, const Value *value, Buf *ret) {
        if (value->pair.to == 1)
                buf_printf(ret, "%u", value->pair.from);
        else
                buf_printf(ret, "{id: %u, weight: %u}", value->pair.from, value->pair.to);
}

static bool member_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->pair.from == have->pair.from && wanted->pair.to == have->pair.to;
}

static int member_compare(const Value *a, const Value *b) {
        if (a->pair.from != b->pair.from)
                return a->pair.from < b->pair.from ? -1 : 1;
        return a->pair.to == b->pair.to ? 0 : a->pair.to < b->pair.to ? -1 : 1;
}

static int members_join(const Row *row _unused_, ParseScope *scope, Value *list) {
        const Value *items = list->list.items;

        for (size_t i = 1; i < list->list.n; i++)
                if (items[i].pair.from == items[i - 1].pair.from) {
                        scope->reason = arena_printf(scope->arena, "has %u twice",
                                                     items[i].pair.from);
                        return scope->reason ? ATTR_E_INVALID : -ENOMEM;
                }
        return 0;
}

static int members_put(const Row *row, const Value *value, PutScope *scope) {
        struct nexthop_grp *wire;
        struct nlattr *attr;

        if (value->list.n == 0)
                return 0;
        attr = put_nest(scope, row->nla);
        if (!attr)
                return -EMSGSIZE;
        attr->nla_type = row->nla; /* none, but an array */
        if (scope->size - scope->message->nlmsg_len < value->list.n * sizeof(*wire))
                return -EMSGSIZE;
        wire = mnl_nlmsg_get_payload_tail(scope->message);
        for (size_t i = 0; i < value->list.n; i++) {
                uint32_t weight = value->list.items[i].pair.to - 1;

                wire[i] = (struct nexthop_grp){
                        .id = value->list.items[i].pair.from,
                        .weight = (uint8_t)weight,
                        .resvd1 = (uint8_t)(weight >> 8),
                };
        }
        scope->message->nlmsg_len += (uint32_t)(value->list.n * sizeof(*wire));
        put_nest_end(scope, attr);
        return 0;
}

static int members_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, sizeof(struct nexthop_grp));
        const struct nlattr *flags = get_attr(scope, OP_FLAGS, sizeof(uint32_t));
        bool wide = flags && mnl_attr_get_u32(flags) & OP_FLAG_RESERVED_IS_ZERO;
        size_t n = attr ? mnl_attr_get_payload_len(attr) / sizeof(struct nexthop_grp) : 0;
        Value list = {};

        for (size_t i = 0; i < n; i++) {
                struct nexthop_grp wire;
                Value member;

                memcpy(&wire, (const char *)mnl_attr_get_payload(attr) + i * sizeof(wire),
                       sizeof(wire));
                member = (Value){.pair = {
                        wire.id, (wire.weight | (wide ? (uint32_t)wire.resvd1 << 8 : 0)) + 1,
                }};
                if (value_append(row, scope->arena, &list, &member) < 0)
                        return -ENOMEM;
        }
        *ret = list;
        return 0;
}

/* One that leads somewhere cannot become several, nor the other way round. */
static bool members_are_fixed(const Row *row _unused_, const Value *from, const Value *to) {
        return (from->list.n == 0) != (to->list.n == 0);
}

static const AttrType attr_members = {
        .name = "nexthop",
        .syntax = "nexthop objects: ID or {id: ID, weight: NUMBER}",
        .shape = SHAPE_LIST,
        .fields = fields,
        .parse = member_parse,
        .format = member_format,
        .put = members_put,
        .get = members_get,
        .equal = member_equal,
        .compare = member_compare,
        .join = members_join,
        .is_fixed = members_are_fixed,
};

/* Only of groups is it sent; a kernel before 5.13 knows one type. */
static int type_put(const Row *row, const Value *value, PutScope *scope) {
        return value->number ? attr_put_number(row, value, scope) : 0;
}

static const AttrType attr_type = {
        .name = "word", .size = 2, .parse = attr_parse_enum, .format = attr_format_enum,
        .put = type_put, .get = attr_get_number, .equal = attr_equal_number,
};

static int buckets_put(const Row *row, const Value *value, PutScope *scope) {
        uint16_t number = (uint16_t)value->number;

        return route_put_nested(row, scope, &number, sizeof(number));
}

static int buckets_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = route_get_nested(row, scope, sizeof(uint16_t));

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.number = mnl_attr_get_u16(attr)};
        return 0;
}

static const AttrType attr_buckets = {
        .name = "number", .syntax = "a number", .size = 2, .is_number = true,
        .parse = attr_parse_number, .format = attr_format_number,
        .put = buckets_put, .get = buckets_get, .equal = attr_equal_number,
};

static int timer_put(const Row *row, const Value *value, PutScope *scope) {
        uint32_t number = (uint32_t)value->number;

        return route_put_nested(row, scope, &number, sizeof(number));
}

static int timer_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = route_get_nested(row, scope, sizeof(uint32_t));

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.number = mnl_attr_get_u32(attr)};
        return 0;
}

static const AttrType attr_timer = {
        .name = "duration", .syntax = "a duration", .size = 4, .is_number = true,
        .parse = attr_parse_clock, .format = attr_format_clock,
        .put = timer_put, .get = timer_get, .equal = attr_equal_clock,
};

static const Name families[] = {{"inet", AF_INET}, {"inet6", AF_INET6}, {}};
static const Name types[] = {{"mpath", NEXTHOP_GRP_TYPE_MPATH}, {"resilient", NEXTHOP_GRP_TYPE_RES}, {}};

/* clang-format off */
#define RESILIENT(key_, nla_, type_, ...) \
        { .key = key_, .nla = NHA_RES_GROUP, .bit = (uint64_t)1 << (nla_), .type = &type_, .when = "type", .when_in = ROW_BIT(NEXTHOP_GRP_TYPE_RES), __VA_ARGS__ }

static const Row rows[] = {
        [NEXTHOP_ID]     = { .key = "id", .nla = NHA_ID, .type = &attr_u32, .change = CHANGE_KEY, .flags = ROW_REQUIRED, .min = 1, .max = UINT32_MAX,
                             .doc = "The number that routes and groups refer to." },
        [NEXTHOP_VIA]    = { .key = "via", .nla = NHA_GATEWAY, .type = &attr_via, .flags = ROW_ABSENT_IS_DEF, .def = "none",
                             .doc = "The gateway." },
        [NEXTHOP_DEV]    = { .key = "dev", .nla = NHA_OIF, .type = &attr_link,
                             .doc = "The link that packets leave by." },
        [NEXTHOP_FAMILY] = { .key = "family", .type = &attr_family, .flags = ROW_ABSENT_IS_DEF, .names = families, .def = "inet",
                             .doc = "The address family, where no gateway tells it." },
        [NEXTHOP_GROUP]  = { .key = "group", .nla = NHA_GROUP, .type = &attr_members, .of = &object_nexthop, .flags = ROW_ABSENT_IS_DEF, .def = "[]",
                             .doc = "Several others, of which each takes a share by its weight; one above 255 takes Linux 6.12." },
        { .key = "onlink", .type = &attr_onlink, .def = "false",
          .doc = "Whether the gateway is taken to be on the link, though no address there says so." },
        { .key = "blackhole", .nla = NHA_BLACKHOLE, .type = &attr_presence, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether packets go nowhere." },
        { .key = "fdb", .nla = NHA_FDB, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether it is for the forwarding entries of tunnels, rather than for routes." },
        { .key = "type", .nla = NHA_GROUP_TYPE, .type = &attr_type, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .names = types, .def = "mpath",
          .doc = "How a group shares: resilient ones move as few flows as they can when their members change." },
        RESILIENT("buckets", NHA_RES_GROUP_BUCKETS, attr_buckets, .change = CHANGE_CREATE, .min = 1, .max = UINT16_MAX,
          .doc = "How many parts the flows are shared in." ),
        RESILIENT("idle-timer", NHA_RES_GROUP_IDLE_TIMER, attr_timer, .def = "120s",
          .doc = "How long a part must have been idle before it is moved." ),
        RESILIENT("unbalanced-timer", NHA_RES_GROUP_UNBALANCED_TIMER, attr_timer, .def = "0",
          .doc = "How long shares may be uneven before busy parts are moved, too; 0 is for ever." ),
        { .key = "protocol", .type = &attr_protocol, .change = CHANGE_STATE,
          .doc = "Who added the nexthop." },
};
/* clang-format on */

/* A deletion says the number, and the kernel takes no more (nexthop.c nh_valid_get_del_req). */
static int nexthop_begin(PutScope *scope, int ifindex _unused_) {
        if (scope->message->nlmsg_type == RTM_NEWNEXTHOP)
                put_header(scope)->nh_protocol = PROTOCOL_OURS;
        return 0;
}

/* A group has no family. */
static int nexthop_end(PutScope *scope, const AttrSet *set) {
        if (set->values[NEXTHOP_GROUP].list.n)
                put_header(scope)->nh_family = AF_UNSPEC;
        return 0;
}

static int nexthop_ifindex(const GetScope *scope _unused_) {
        return 0;
}

static bool nexthop_keeps(const GetScope *scope) {
        return get_header(scope)->nh_protocol == PROTOCOL_OURS;
}

static bool nexthop_is_told(const GetScope *scope _unused_) {
        return true;
}

static bool nexthop_goes(const GetScope *scope, int ifindex) {
        const struct nlattr *dev = get_attr(scope, NHA_OIF, sizeof(uint32_t));

        return dev && mnl_attr_get_u32(dev) == (uint32_t)ifindex;
}

/* There is no filter by number: all are shown. */
static int nexthop_seek(PutScope *scope _unused_, const AttrSet *slot _unused_) {
        return 0;
}

static bool is_group(const AttrSet *set) {
        return attrset_has(set, NEXTHOP_GROUP) && set->values[NEXTHOP_GROUP].list.n;
}

static unsigned nexthop_rank(const AttrSet *set) {
        return is_group(set) ? RANK_GROUP : RANK_GATEWAY;
}

/* The gateway tells its family: saying it, too, is to say nothing. */
static int nexthop_complete(Object *object, const Namespace *netns _unused_) {
        AttrSet *set = &object->set;
        uint8_t family = attrset_has(set, NEXTHOP_VIA) ? set->values[NEXTHOP_VIA].family : 0;

        if (attrset_has(set, NEXTHOP_FAMILY) && family == set->values[NEXTHOP_FAMILY].number)
                set->present &= ~ROW_BIT(NEXTHOP_FAMILY);
        return 0;
}

static uint8_t own_family(const AttrSet *set) {
        if (attrset_has(set, NEXTHOP_VIA) && set->values[NEXTHOP_VIA].family)
                return set->values[NEXTHOP_VIA].family;
        return attrset_has(set, NEXTHOP_FAMILY) ? (uint8_t)set->values[NEXTHOP_FAMILY].number
                                                : AF_INET;
}

/* IPv4 if one of a group is: IPv6 routes can't have it (nexthop.c fib6_check_nexthop). */
uint8_t nexthop_family(const Namespace *netns, uint64_t id) {
        const Object *nexthop = namespace_find_numbered(netns, &object_nexthop, id);
        uint8_t family = 0;

        if (!nexthop)
                return 0;
        if (!is_group(&nexthop->set))
                return own_family(&nexthop->set);
        for (size_t i = 0; i < nexthop->set.values[NEXTHOP_GROUP].list.n; i++) {
                const Value *member = &nexthop->set.values[NEXTHOP_GROUP].list.items[i];
                const Object *other = namespace_find_numbered(netns, &object_nexthop,
                                                              member->pair.from);

                if (other && family != AF_INET)
                        family = own_family(&other->set);
        }
        return family;
}

/* Rules between rows. */

static bool is_on(const AttrSet *set, const char *key) {
        const Value *value = attrset_get(set, key);

        return value && value->number;
}

static int verify_group(const AttrSet *set, const char **ret_key, const char **ret_reason) {
        if (own_family(set) != AF_INET || said(set, "via") || said(set, "dev") ||
            is_on(set, "blackhole") || is_on(set, "onlink"))
                return wrong(ret_key, "group", ret_reason,
                             "says where it goes, and so do 'via', 'dev', 'family', 'onlink' and "
                             "'blackhole'");
        if (is_on(set, "type") && !said(set, "buckets"))
                return wrong(ret_key, "buckets", ret_reason,
                             "is missing: how many parts a resilient group has");
        return 0;
}

static int nexthop_verify(const AttrSet *set, const char **ret_key, const char **ret_reason) {
        const Value *via = attrset_get(set, "via");
        bool gateway = via && via->family, fdb = is_on(set, "fdb");

        *ret_key = "id";
        if (is_group(set))
                return verify_group(set, ret_key, ret_reason);
        if (is_on(set, "type"))
                return wrong(ret_key, "group", ret_reason, "is missing: 'type' is that of a group");
        if (said(set, "family") && gateway)
                return wrong(ret_key, "family", ret_reason, "is not that of 'via'");
        if (is_on(set, "blackhole") && (gateway || said(set, "dev") || is_on(set, "onlink") || fdb))
                return wrong(ret_key, "blackhole", ret_reason,
                             "has no use for 'via' and 'dev': such packets go nowhere");
        if (fdb && (said(set, "dev") || is_on(set, "onlink")))
                return wrong(ret_key, "fdb", ret_reason, "has 'via' alone: the far end of a tunnel");
        if (fdb && !gateway)
                return wrong(ret_key, "via", ret_reason, "is missing: the far end of a tunnel");
        if (!fdb && !is_on(set, "blackhole") && !said(set, "dev"))
                return wrong(ret_key, "dev", ret_reason,
                             gateway ? "is missing: the link that the gateway is reached by"
                                     : "is missing; or 'group', or 'blackhole'");
        if (is_on(set, "onlink") && !gateway)
                return wrong(ret_key, "onlink", ret_reason, "needs 'via'");
        return 0;
}

/* What nexthop.c nh_check_attr_group() refuses (6.1 … 6.18). */
static int nexthop_suits(const Object *object, const Namespace *netns, const char **ret_key,
                         const char **ret_reason) {
        const Value *group = &object->set.values[NEXTHOP_GROUP];
        bool fdb = is_on(&object->set, "fdb");
        uint8_t family = 0;

        *ret_key = "group";
        for (size_t i = 0; is_group(&object->set) && i < group->list.n; i++) {
                const Object *member = namespace_find_numbered(netns, &object_nexthop,
                                                               group->list.items[i].pair.from);

                if (!member)
                        continue;
                if (is_group(&member->set))
                        return wrong(ret_key, "group", ret_reason, "has another group in it");
                if (is_on(&member->set, "blackhole") && group->list.n > 1)
                        return wrong(ret_key, "group", ret_reason,
                                     "has a blackhole in it, which can only be alone");
                if (is_on(&member->set, "fdb") != fdb)
                        return wrong(ret_key, "group", ret_reason,
                                     "has one whose 'fdb' is not as its own");
                if (fdb && family && family != own_family(&member->set))
                        return wrong(ret_key, "group", ret_reason,
                                     "has far ends of both address families");
                family = own_family(&member->set);
        }
        return 0;
}

static const char *nexthop_waits(const AttrSet *set, int error, const char *message) {
        const Value *via = attrset_get(set, "via");

        return route_waits_for(error, message, via && via->family);
}

const ObjectType object_nexthop = {
        .schema = {.name = "nexthop-objects", .rows = rows, .n = ELEMENTSOF(rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_IN_NETNS | OBJECT_NAMED | OBJECT_ASKED | OBJECT_WHOLE | OBJECT_REFERRED |
                 OBJECT_CARRIED,
        .message_new = RTM_NEWNEXTHOP,
        .message_del = RTM_DELNEXTHOP,
        .message_get = RTM_GETNEXTHOP,
        .header_size = sizeof(struct nhmsg),
        .begin = nexthop_begin,
        .end = nexthop_end,
        .ifindex = nexthop_ifindex,
        .keeps = nexthop_keeps,
        .is_told = nexthop_is_told,
        .goes = nexthop_goes,
        .seek = nexthop_seek,
        .protocol_at = offsetof(struct nhmsg, nh_protocol),
        .groups = {RTNLGRP_NEXTHOP},
        .attributes = OP_FLAGS + 1,
        .complete = nexthop_complete,
        .verify = nexthop_verify,
        .suits = nexthop_suits,
        .rank = nexthop_rank,
        .waits = nexthop_waits,
        .doc = "Where routes go, as objects that many can share.",
};
