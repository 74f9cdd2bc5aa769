/* SPDX-License-Identifier: MIT */
/*
 * References to other links: a name and a namespace in the model, an ifindex on the wire. They are
 * the graph that the planner orders by.
 */

#include "mvnet/network.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>

/* A reference that may be absent is written `none` where the row's default says so. */
static bool is_none(const Row *row, const char *text) {
        return row->def && streq(row->def, "none") && streq(text, "none");
}

static int ref_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        const char *slash = strchr(text, '/'), *link = slash ? slash + 1 : text;
        Value value = {};

        if (is_none(row, text)) {
                *ret = value;
                return 0;
        }
        value.ref.netns = slash ? arena_strndup(scope->arena, text, (size_t)(slash - text))
                                : arena_strdup(scope->arena, scope->netns ? scope->netns : HOST);
        value.ref.link = arena_strdup(scope->arena, link);
        if (!value.ref.netns || !value.ref.link)
                return -ENOMEM;
        scope->reason = slash && !streq(value.ref.netns, HOST)
                ? netns_name_problem(value.ref.netns) : NULL;
        if (!scope->reason)
                scope->reason = link_name_problem(link);
        if (scope->reason)
                return ATTR_E_INVALID;
        *ret = value;
        return 0;
}

static void ref_format(const Row *row _unused_, const Value *value, Buf *ret) {
        if (value->unresolved)
                buf_printf(ret, "#%d", value->raw.ifindex);
        else if (!value->ref.link)
                buf_add(ret, "none");
        else
                ref_path(&value->ref, ret);
}

static bool ref_value_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        if (wanted->unresolved || have->unresolved)
                return wanted->unresolved == have->unresolved &&
                       wanted->raw.ifindex == have->raw.ifindex &&
                       wanted->raw.nsid == have->raw.nsid;
        return ref_equal(&wanted->ref, &have->ref);
}

static int ref_resolve(const Value *value, PutScope *scope, int *ret_ifindex, int *ret_nsid) {
        if (!value->ref.link) {
                *ret_ifindex = 0;
                *ret_nsid = -1;
                return 0;
        }
        return scope->resolve(scope->userdata, &value->ref, ret_ifindex, ret_nsid);
}

static int link_put(const Row *row, const Value *value, PutScope *scope) {
        int ifindex, nsid, r = ref_resolve(value, scope, &ifindex, &nsid);

        if (r < 0)
                return r;
        return put_attr(scope, row->nla, &ifindex, sizeof(ifindex));
}

static int link_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, sizeof(uint32_t));

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.raw = {.ifindex = (int)mnl_attr_get_u32(attr), .nsid = -1},
                       .unresolved = true};
        if (ret->raw.ifindex == 0)
                *ret = (Value){};
        return 0;
}

/* IFLA_LINK counts in the namespace that IFLA_LINK_NETNSID names, if that is another one. */
static int lower_put(const Row *row, const Value *value, PutScope *scope) {
        int ifindex, nsid, r = ref_resolve(value, scope, &ifindex, &nsid);

        if (r == 0)
                r = put_attr(scope, row->nla, &ifindex, sizeof(ifindex));
        if (r == 0 && nsid >= 0)
                r = put_attr(scope, IFLA_LINK_NETNSID, &nsid, sizeof(nsid));
        return r;
}

static int lower_from(const struct nlattr *link, const struct nlattr *nsid, Value *ret) {
        Value value = {.raw = {.nsid = -1}, .unresolved = true};

        if (!link || mnl_attr_get_payload_len(link) < sizeof(uint32_t))
                return ATTR_E_ABSENT;
        value.raw.ifindex = (int)mnl_attr_get_u32(link);
        if (nsid && mnl_attr_get_payload_len(nsid) >= sizeof(uint32_t))
                value.raw.nsid = (int)mnl_attr_get_u32(nsid);
        if (value.raw.ifindex <= 0)
                return ATTR_E_ABSENT;
        *ret = value;
        return 0;
}

static int lower_get(const Row *row, const GetScope *scope, Value *ret) {
        return lower_from(get_attr(scope, row->nla, 0), get_attr(scope, IFLA_LINK_NETNSID, 0), ret);
}

/* A namespace. Nothing is sent if it is the link's own. */

static int netns_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        Value value = {};

        scope->reason = streq(text, HOST) ? NULL : netns_name_problem(text);
        if (scope->reason)
                return ATTR_E_INVALID;
        value.ref.netns = arena_strdup(scope->arena, text);
        if (!value.ref.netns)
                return -ENOMEM;
        *ret = value;
        return 0;
}

static void netns_format(const Row *row _unused_, const Value *value, Buf *ret) {
        if (value->unresolved)
                buf_printf(ret, "#%d", value->raw.nsid);
        else
                buf_add(ret, value->ref.netns ?: "?");
}

static int netns_put(const Row *row, const Value *value, PutScope *scope) {
        int nsid, r = scope->resolve_netns(scope->userdata, value->ref.netns, &nsid);

        if (r < 0 || nsid < 0)
                return r;
        return put_attr(scope, row->nla, &nsid, sizeof(nsid));
}

static int netns_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *nsid = get_attr(scope, row->nla, sizeof(int32_t));

        if (!nsid)
                return ATTR_E_ABSENT;
        *ret = (Value){.raw = {.nsid = (int)mnl_attr_get_u32(nsid)}, .unresolved = true};
        return 0;
}

static bool netns_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        if (wanted->unresolved || have->unresolved)
                return wanted->unresolved == have->unresolved && wanted->raw.nsid == have->raw.nsid;
        return streq_ptr(wanted->ref.netns, have->ref.netns);
}

const AttrType attr_netns = {
        .name = "namespace",
        .syntax = "the name of a namespace",
        .is_netns = true,
        .parse = netns_parse,
        .format = netns_format,
        .put = netns_put,
        .get = netns_get,
        .equal = netns_equal,
};

/* The far end is made by the same message, from a nest that begins with an ifinfomsg of its own. */
static int peer_put(const Row *row, const Value *value, PutScope *scope) {
        struct nlattr *nest = put_nest(scope, row->nla);
        int r;

        if (!nest)
                return -EMSGSIZE;
        r = scope->put_peer(scope->userdata, scope, &value->ref);
        if (r == 0)
                put_nest_end(scope, nest);
        return r;
}

/* Never in INFO_DATA: the kernel reports the far end as if it were the lower device. */
static int peer_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        if (scope->outer_n <= IFLA_LINK_NETNSID)
                return ATTR_E_ABSENT;
        return lower_from(scope->outer[IFLA_LINK], scope->outer[IFLA_LINK_NETNSID], ret);
}

#define REF                                                                       \
        .name = "link", .syntax = "LINK or NAMESPACE/LINK", .is_ref = true,       \
        .parse = ref_parse, .format = ref_format, .equal = ref_value_equal

const AttrType attr_link = {.put = link_put, .get = link_get, REF};
const AttrType attr_lower = {.put = lower_put, .get = lower_get, REF};
const AttrType attr_peer = {.put = peer_put, .get = peer_get, REF};
const AttrType attr_local_links = {
        .shape = SHAPE_LIST, .put = attr_put_nothing, .get = attr_get_nothing, REF,
};
