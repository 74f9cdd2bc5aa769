/* SPDX-License-Identifier: MIT */
/*
 * Gateways, and several next hops of one route: RTA_MULTIPATH, a row of structs with attributes
 * behind each.
 */

#include "model/route.h"

#include "mvnet/network.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

/* A gateway of the other family has an attribute of its own, with the family in front. */
int route_put_via(PutScope *scope, const Value *value) {
        struct rtmsg *header = mnl_nlmsg_get_payload(scope->message);
        size_t size = ip_bytes(value->family);
        uint8_t wire[sizeof(struct rtvia) + 16];
        struct rtvia *other = (struct rtvia *)wire;

        if (!header->rtm_family)
                header->rtm_family = value->family;
        if (!size || value->family == header->rtm_family)
                return size ? put_attr(scope, RTA_GATEWAY, value->bytes, size) : 0;
        other->rtvia_family = value->family;
        memcpy(other->rtvia_addr, value->bytes, size);
        return put_attr(scope, RTA_VIA, wire, sizeof(*other) + size);
}

int route_get_via(const struct nlattr *gateway, const struct nlattr *via, uint8_t family,
                  Value *ret) {
        const struct rtvia *other = via && mnl_attr_get_payload_len(via) > sizeof(*other)
                ? mnl_attr_get_payload(via) : NULL;
        size_t size = other ? ip_bytes((uint8_t)other->rtvia_family) : 0;

        if (size && mnl_attr_get_payload_len(via) >= sizeof(*other) + size) {
                *ret = (Value){.family = (uint8_t)other->rtvia_family};
                memcpy(ret->bytes, other->rtvia_addr, size);
                return 0;
        }
        size = ip_bytes(family);
        if (!gateway || !size || mnl_attr_get_payload_len(gateway) < size)
                return ATTR_E_ABSENT;
        *ret = (Value){.family = family};
        memcpy(ret->bytes, mnl_attr_get_payload(gateway), size);
        return 0;
}

static const Row dev_row = {.key = "dev", .type = &attr_link};

/* In a file. */

static const char *const fields[] = {"via", "dev", "weight", "onlink", NULL};

static int invalid(ParseScope *scope, const char *reason) {
        scope->reason = reason;
        return ATTR_E_INVALID;
}

static int parse_field(ParseScope *scope, const char *key, const char *text, void *userdata) {
        const Row plain = {.key = key, .type = &attr_u32};
        Hop *hop = userdata;
        Value value = {};
        int r = ATTR_E_INVALID;

        if (streq(key, "via")) {
                r = attr_parse_ip(&plain, scope, text, &hop->via);
        } else if (streq(key, "dev")) {
                r = attr_link.parse(&dev_row, scope, text, &hop->dev);
        } else if (streq(key, "weight")) {
                r = attr_u32.parse(&plain, scope, text, &value);
                if (r == 0 && (value.number < 1 || value.number > 256))
                        return invalid(scope, "has a weight out of range: 1 to 256");
                hop->weight = (uint32_t)value.number;
        } else if (streq(key, "onlink")) {
                r = attr_parse_bool(&plain, scope, text, &value);
                hop->onlink = value.number != 0;
        } else {
                scope->reason = "has a key that a next hop has not";
        }
        return r;
}

static int hop_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        Hop *hop = arena_new(scope->arena, Hop);
        int r;

        if (!hop)
                return -ENOMEM;
        *hop = (Hop){.weight = 1};
        r = text_to_fields(scope, text, parse_field, hop);
        if (r != 0)
                return r;
        if (!hop->via.family && !hop->dev.ref.link)
                return invalid(scope, "goes nowhere: 'via' or 'dev'");
        *ret = (Value){.hop = hop};
        return 0;
}

static void hop_format(const Row *row _unused_, const Value *value, Buf *ret) {
        const Hop *hop = value->hop;
        const char *between = "";

        buf_addc(ret, '{');
        if (hop->via.family) {
                buf_add(ret, hop->via.family == AF_INET6 ? "via: \"" : "via: ");
                attr_format_ip(NULL, &hop->via, ret);
                buf_add(ret, hop->via.family == AF_INET6 ? "\"" : "");
                between = ", ";
        }
        if (hop->dev.unresolved || hop->dev.ref.link) {
                buf_printf(ret, "%sdev: ", between);
                if (hop->dev.unresolved)
                        attr_link.format(&dev_row, &hop->dev, ret);
                else
                        buf_add(ret, hop->dev.ref.link);
                between = ", ";
        }
        if (hop->weight != 1)
                buf_printf(ret, "%sweight: %u", between, hop->weight);
        if (hop->onlink)
                buf_printf(ret, "%sonlink: true", between);
        buf_addc(ret, '}');
}

/* A link that is not said is the kernel's choice. */
static bool hop_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        const Hop *a = wanted->hop, *b = have->hop;

        return a->weight == b->weight && a->onlink == b->onlink &&
               attr_equal_ip(NULL, &a->via, &b->via) &&
               ((!a->dev.unresolved && !a->dev.ref.link) ||
                attr_link.equal(&dev_row, &a->dev, &b->dev));
}

/* By gateway first, so that lists pair up whether links are said or not. */
static int hop_compare(const Value *x, const Value *y) {
        const Hop *a = x->hop, *b = y->hop;
        int r = memcmp(a->via.bytes, b->via.bytes, sizeof(a->via.bytes));

        if (r == 0)
                r = (int)a->via.family - (int)b->via.family;
        if (r == 0)
                r = value_compare(&dev_row, &a->dev, &b->dev);
        return r ? r : (int)a->weight - (int)b->weight;
}

static int hop_copy(Arena *arena, const Value *value, Value *ret) {
        Hop *copy = arena_new(arena, Hop);

        if (!copy)
                return -ENOMEM;
        *copy = *value->hop;
        *ret = (Value){.hop = copy};
        return value_copy(arena, &dev_row, &value->hop->dev, &copy->dev);
}

static Value *hop_ref(const Value *value) {
        return &value->hop->dev;
}

bool hops_lack_via(const Value *hops) {
        bool lack = false;

        for (size_t i = 0; hops && hops->list.n > 1 && i < hops->list.n; i++)
                lack |= !hops->list.items[i].hop->via.family;
        return lack;
}

/* On the wire. */

static int put_hop(PutScope *scope, const Hop *hop) {
        size_t begin = scope->message->nlmsg_len, size = NLMSG_ALIGN(sizeof(struct rtnexthop));
        struct rtnexthop *wire = mnl_nlmsg_get_payload_tail(scope->message);
        int ifindex = 0, nsid, r = 0;

        if (begin + size > scope->size)
                return -EMSGSIZE;
        if (hop->dev.ref.link)
                r = scope->resolve(scope->userdata, &hop->dev.ref, &ifindex, &nsid);
        if (r < 0)
                return r;
        *wire = (struct rtnexthop){
                .rtnh_flags = hop->onlink ? RTNH_F_ONLINK : 0,
                .rtnh_hops = (uint8_t)(hop->weight - 1),
                .rtnh_ifindex = ifindex,
        };
        scope->message->nlmsg_len += (uint32_t)size;
        r = hop->via.family ? route_put_via(scope, &hop->via) : 0;
        wire->rtnh_len = (uint16_t)(scope->message->nlmsg_len - begin);
        return r;
}

static int hops_put(const Row *row, const Value *value, PutScope *scope) {
        struct nlattr *nest;
        int r = 0;

        if (value->list.n == 0)
                return 0;
        nest = put_nest(scope, row->nla);
        if (!nest)
                return -EMSGSIZE;
        for (size_t i = 0; r == 0 && i < value->list.n; i++)
                r = put_hop(scope, value->list.items[i].hop);
        nest->nla_type = row->nla; /* no nest to the kernel, which looks at the bit nowhere */
        put_nest_end(scope, nest);
        return r;
}

static int get_hop(const GetScope *scope, const struct rtnexthop *wire, Value *ret) {
        const struct nlattr *gateway = NULL, *via = NULL, *attr;
        size_t size = wire->rtnh_len - sizeof(*wire);
        Hop *hop = arena_new(scope->arena, Hop);

        if (!hop)
                return -ENOMEM;
        mnl_attr_for_each_payload((const void *)(wire + 1), size) {
                if (mnl_attr_get_type(attr) == RTA_GATEWAY)
                        gateway = attr;
                else if (mnl_attr_get_type(attr) == RTA_VIA)
                        via = attr;
        }
        *hop = (Hop){
                .dev = {.raw = {.ifindex = wire->rtnh_ifindex, .nsid = -1}, .unresolved = true},
                .weight = wire->rtnh_hops + 1u,
                .onlink = wire->rtnh_flags & RTNH_F_ONLINK,
        };
        if (wire->rtnh_ifindex <= 0)
                hop->dev = (Value){};
        if (route_get_via(gateway, via, *(const uint8_t *)scope->header, &hop->via) != 0)
                hop->via = (Value){};
        *ret = (Value){.hop = hop};
        return 0;
}

static int hops_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 0);
        const char *at = attr ? mnl_attr_get_payload(attr) : NULL;
        size_t left = attr ? mnl_attr_get_payload_len(attr) : 0;
        Value list = {};

        if (get_attr(scope, RTA_NH_ID, 0))
                return ATTR_E_ABSENT; /* those of the object, told once more */
        while (left >= sizeof(struct rtnexthop)) {
                const struct rtnexthop *wire = (const struct rtnexthop *)at;
                Value hop;

                if (wire->rtnh_len < sizeof(*wire) || wire->rtnh_len > left)
                        break;
                if (get_hop(scope, wire, &hop) < 0 ||
                    value_append(row, scope->arena, &list, &hop) < 0)
                        return -ENOMEM;
                if (RTNH_ALIGN((size_t)wire->rtnh_len) >= left)
                        break;
                left -= RTNH_ALIGN((size_t)wire->rtnh_len);
                at += RTNH_ALIGN((size_t)wire->rtnh_len);
        }
        *ret = list;
        return 0;
}

const AttrType attr_hops = {
        .name = "next hop",
        .syntax = "next hops: {via: ADDRESS, dev: LINK, weight: NUMBER, onlink: true}",
        .shape = SHAPE_LIST,
        .fields = fields,
        .parse = hop_parse,
        .format = hop_format,
        .put = hops_put,
        .get = hops_get,
        .equal = hop_equal,
        .compare = hop_compare,
        .copy = hop_copy,
        .ref_in = hop_ref,
};
