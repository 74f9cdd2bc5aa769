/* SPDX-License-Identifier: MIT */
/*
 * From messages to links and what lives on them, by the tables of their kinds. All of it is input:
 * it comes from the kernel, or from whatever else can write to a netlink socket.
 */

#include "kernel/internal.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>

static int decode_nested_objects(Link *link, const GetScope *outer, const ObjectType *type) {
        const struct nlattr *nest = get_attr(outer, type->nest, 0), *attr;
        const struct nlattr *tb[ATTRS_MAX] = {};
        GetScope scope = *outer;
        int r = 0;

        if (!nest)
                return 0;
        scope.tb = tb;
        scope.tb_n = ELEMENTSOF(tb);
        mnl_attr_for_each_nested(attr, nest) {
                uint16_t nla = mnl_attr_get_type(attr);
                Object *object;

                if (nla >= ELEMENTSOF(tb))
                        continue;
                object = link_add_object(link, type);
                if (!object)
                        return -ENOMEM;
                tb[nla] = attr;
                r = attrset_decode(&object->set, &scope);
                tb[nla] = NULL;
                if (r < 0)
                        return r;
                if (!object->set.present) /* some other property */
                        object_remove(&link->objects, &link->last, object);
        }
        return 0;
}

/* A kind's own attributes: `nest` may be missing, as a veth's is, and still there is its peer. */
static int decode_nest(AttrSet *set, const GetScope *outer, const struct nlattr *nest) {
        const struct nlattr *tb[ATTRS_MAX];
        GetScope scope = *outer;
        int r = attrs_parse_nest(nest, tb, ELEMENTSOF(tb));

        if (r < 0)
                return r;
        scope.tb = tb;
        scope.tb_n = ELEMENTSOF(tb);
        scope.outer = outer->tb;
        scope.outer_n = outer->tb_n;
        return attrset_decode(set, &scope);
}

/* IFLA_INFO_KIND comes with or without a NUL. */
static char *copy_name(Arena *arena, const struct nlattr *attr) {
        const char *text = mnl_attr_get_payload(attr);

        return arena_strndup(arena, text, strnlen(text, mnl_attr_get_payload_len(attr)));
}

/* The kinds that share a name have an attribute that tells which. */
static const LinkKind *find_kind(const char *name, const struct nlattr *options) {
        const struct nlattr *tb[ATTRS_MAX];

        for (size_t i = 0; i < link_kinds_n; i++) {
                const LinkKind *kind = link_kinds[i];

                if (!streq(kind->kernel_name ?: kind->name, name))
                        continue;
                if (!kind->type_nla)
                        return kind;
                if (attrs_parse_nest(options, tb, ELEMENTSOF(tb)) == 0 && tb[kind->type_nla] &&
                    mnl_attr_get_payload_len(tb[kind->type_nla]) >= 1 &&
                    mnl_attr_get_u8(tb[kind->type_nla]) == kind->type)
                        return kind;
        }
        return NULL;
}

/* The lower device, and the namespace of the outer side, if it is of a kind that has these. */
static int decode_lower(Link *link, const GetScope *scope, const struct nlattr *nest) {
        const LinkLower *lower = link_kind_lower(link->kind);
        const struct nlattr *tb[ATTRS_MAX];
        uint32_t ifindex = 0;
        Value value = {};
        int r;

        /* The far end of a pair is reported as if it were the lower device. */
        if (!link_kind_is(link->kind, KIND_PARENT))
                link->common.present &= ~ROW_BIT(LINK_PARENT);
        if (link_kind_bind(link->kind) != BIND_REPORTED)
                link->common.present &= ~ROW_BIT(LINK_BIND_NETNS);
        else if (!attrset_has(&link->common, LINK_BIND_NETNS))
                attrset_set(&link->common, LINK_BIND_NETNS,
                            (Value){.ref.netns = link->netns->name});
        if (!lower->nla)
                return 0;
        r = attrs_parse_nest(nest, tb, ELEMENTSOF(tb));
        if (r < 0)
                return r;
        if (tb[lower->nla] && mnl_attr_get_payload_len(tb[lower->nla]) >= sizeof(ifindex))
                ifindex = mnl_attr_get_u32(tb[lower->nla]);
        if (ifindex > 0 && ifindex <= INT32_MAX) {
                const struct nlattr *nsid = get_attr(scope, IFLA_LINK_NETNSID, sizeof(int32_t));

                value.unresolved = true;
                value.raw.ifindex = (int)ifindex;
                value.raw.nsid = nsid ? (int)mnl_attr_get_u32(nsid) : -1;
        }
        attrset_set(&link->common, LINK_PARENT, value);
        return 0;
}

/* No kind is told, but a device on the bus of one. What is told of it is the message's own. */
static int decode_bus(Link *link, const GetScope *scope) {
        const struct nlattr *bus = get_attr(scope, IFLA_PARENT_DEV_BUS_NAME, 1);
        GetScope own = *scope;
        int r;

        if (!bus || mnl_attr_validate(bus, MNL_TYPE_NUL_STRING) < 0)
                return 0;
        own.transport = TRANSPORT_SYSFS;
        for (size_t i = 0; i < link_kinds_n; i++) {
                const LinkKind *kind = link_kinds[i];

                if (!streq_ptr(kind->bus, mnl_attr_get_str(bus)))
                        continue;
                r = link_set_kind(link, kind);
                return r < 0 ? r : attrset_decode(&link->options, &own);
        }
        return 0;
}

static int decode_kind(Link *link, const GetScope *scope, const struct nlattr *const *info) {
        const LinkKind *kind;
        int r;

        if (!info[IFLA_INFO_KIND])
                return decode_bus(link, scope);
        link->kind_name = copy_name(scope->arena, info[IFLA_INFO_KIND]);
        if (!link->kind_name)
                return -ENOMEM;
        kind = find_kind(link->kind_name, info[IFLA_INFO_DATA]);
        if (!kind || link_kind_is(kind, KIND_FOREIGN))
                return 0; /* of a kind unknown to us, IFLA_LINK is the best guess */
        r = link_set_kind(link, kind);
        if (r < 0)
                return r;
        r = decode_lower(link, scope, info[IFLA_INFO_DATA]);
        return r < 0 ? r : decode_nest(&link->options, scope, info[IFLA_INFO_DATA]);
}

static int decode_port(Link *link, const GetScope *scope, const struct nlattr *const *info) {
        const LinkKind *kind;
        const char *name;
        int r;

        if (!info[IFLA_INFO_SLAVE_KIND])
                return 0;
        name = copy_name(scope->arena, info[IFLA_INFO_SLAVE_KIND]);
        if (!name)
                return -ENOMEM;
        kind = link_kind_find(name);
        if (!kind || schema_size(&kind->port) == 0)
                return 0;
        r = link_set_port(link, &kind->port);
        return r < 0 ? r : decode_nest(&link->port, scope, info[IFLA_INFO_SLAVE_DATA]);
}

static int take_apart(Link *link, const GetScope *scope) {
        const struct nlattr *info[IFLA_INFO_SLAVE_DATA + 1];
        const struct nlattr *mac = get_attr(scope, IFLA_PERM_ADDRESS, sizeof(link->permanent_mac));
        int r = attrs_parse_nest(scope->tb[IFLA_LINKINFO], info, ELEMENTSOF(info));

        if (r == 0)
                r = attrset_decode(&link->common, scope);
        if (r == 0)
                r = decode_kind(link, scope, info);
        if (r == 0)
                r = decode_port(link, scope, info);
        for (size_t i = 0; r == 0 && i < object_types_n; i++)
                if (object_types[i]->nest)
                        r = decode_nested_objects(link, scope, object_types[i]);
        if (r < 0)
                return r;
        if (mac && mnl_attr_get_payload_len(mac) == sizeof(link->permanent_mac)) {
                memcpy(link->permanent_mac, mnl_attr_get_payload(mac), sizeof(link->permanent_mac));
                link->has_permanent_mac = true;
        }
        return 0;
}

bool message_filters(const struct nlmsghdr *message) {
        const struct nlattr *tb[IFLA_LINKINFO + 1], *info[IFLA_INFO_DATA + 1], *options[ATTRS_MAX];
        const LinkKind *kind = NULL;
        int row;

        if (attrs_parse_message(message, sizeof(struct ifinfomsg), tb, ELEMENTSOF(tb)) < 0 ||
            attrs_parse_nest(tb[IFLA_LINKINFO], info, ELEMENTSOF(info)) < 0 ||
            !info[IFLA_INFO_KIND] ||
            attrs_parse_nest(info[IFLA_INFO_DATA], options, ELEMENTSOF(options)) < 0)
                return false;
        for (size_t i = 0; i < link_kinds_n && !kind; i++)
                if (link_kinds[i]->filtering &&
                    strncmp(link_kinds[i]->name, mnl_attr_get_payload(info[IFLA_INFO_KIND]),
                            mnl_attr_get_payload_len(info[IFLA_INFO_KIND])) == 0)
                        kind = link_kinds[i];
        row = kind ? schema_find(&kind->options, kind->filtering) : -1;
        if (row < 0)
                return false;
        tb[0] = options[schema_row(&kind->options, (size_t)row)->nla];
        return tb[0] && mnl_attr_get_payload_len(tb[0]) >= 1 && mnl_attr_get_u8(tb[0]);
}

static const char *read_name(const struct nlattr *attr) {
        if (!attr || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
            mnl_attr_get_payload_len(attr) > IFNAMSIZ || !*mnl_attr_get_str(attr))
                return NULL;
        return mnl_attr_get_str(attr);
}

const char *message_link_name(const struct nlmsghdr *message) {
        const struct nlattr *tb[IFLA_IFNAME + 1];

        if (attrs_parse_message(message, sizeof(struct ifinfomsg), tb, ELEMENTSOF(tb)) < 0)
                return NULL;
        return read_name(tb[IFLA_IFNAME]);
}

int decode_link(Namespace *netns, const struct nlmsghdr *message, Link **ret, int *ret_lower) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *tb[ATTRS_MAX];
        GetScope scope = {
                .header = header,
                .tb = tb,
                .tb_n = ELEMENTSOF(tb),
                .arena = &netns->network->arena,
        };
        const struct nlattr *lower;
        const char *name;
        Link *link;
        int r = attrs_parse_message(message, sizeof(*header), tb, ELEMENTSOF(tb));

        if (r < 0)
                return r;
        name = read_name(tb[IFLA_IFNAME]);
        if (!name || header->ifi_index <= 0)
                return -EBADMSG;
        if (namespace_find_link(netns, name))
                return DECODE_E_TAKEN;
        link = namespace_add_link(netns, name);
        if (!link)
                return -ENOMEM;
        link->ifindex = header->ifi_index;
        r = take_apart(link, &scope);
        if (r < 0)
                return r;
        lower = get_attr(&scope, IFLA_LINK, sizeof(uint32_t));
        *ret_lower = lower ? (int)mnl_attr_get_u32(lower) : 0;
        *ret = link;
        return 0;
}

typedef struct Entries {
        Namespace *netns;
        Link *link;
        const ObjectType *type;
        Object *last;
} Entries;

static int take_entry(const GetScope *scope, void *userdata) {
        Entries *entries = userdata;
        Object *object = entries->link ? link_add_object(entries->link, entries->type)
                                       : namespace_add_object(entries->netns, entries->type);

        entries->last = object;
        return object ? attrset_decode(&object->set, scope) : -ENOMEM;
}

int decode_object(Namespace *netns, Link *link, const ObjectType *type,
                  const struct nlmsghdr *message, Object **ret) {
        Entries entries = {.netns = netns, .link = link, .type = type};
        const struct nlattr *tb[ATTRS_MAX];
        GetScope scope = {
                .header = mnl_nlmsg_get_payload(message),
                .tb = tb,
                .tb_n = MIN(type->attributes, ELEMENTSOF(tb)),
                .arena = &netns->network->arena,
        };
        Object *object;
        int r = attrs_parse_message(message, type->header_size, tb, scope.tb_n);

        if (r < 0)
                return r;
        if (type->entries) {
                r = type->entries(message, scope.arena, take_entry, &entries);
                *ret = entries.last;
                return r;
        }
        object = link ? link_add_object(link, type) : namespace_add_object(netns, type);
        if (!object)
                return -ENOMEM;
        r = attrset_decode(&object->set, &scope);
        if (r == 0)
                *ret = object;
        return r;
}
