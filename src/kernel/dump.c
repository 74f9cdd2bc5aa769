/* SPDX-License-Identifier: MIT */
/*
 * The kernel's state as a Network: asks every namespace of the scope for its links and for what
 * lives on them, and takes the answers apart by the tables of their kinds.
 *
 * All of it is input. What does not fit together, as links and addresses that were read while
 * somebody changed them, is read again.
 */

#include "kernel/internal.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define PLACE_TRIES 32 /* per namespace: one that changes faster than that is not readable */
#define DUMP_TRIES 4   /* of all, while references lead to links that nobody has seen */
#define SYSCTL_SIZE 4096

struct nlmsghdr *dump_request(DumpRequest *request, uint16_t type, size_t header_size) {
        struct nlmsghdr *message = mnl_nlmsg_put_header(request->bytes);

        message->nlmsg_type = type;
        mnl_nlmsg_put_extra_header(message, header_size);
        return message;
}

PlaceLink *place_find(const Place *place, int ifindex) {
        PlaceLink *found;

        HASH_FIND_INT(place->links, &ifindex, found);
        return found;
}

static void place_forget(Place *place) {
        Link *link, *next;

        HASH_CLEAR(hh, place->links);
        HASH_ITER(hh, place->netns->links, link, next)
                namespace_remove_link(link);
        place->torn = false;
}

/* Links. */

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

static int decode_kind(Link *link, const GetScope *scope, const struct nlattr *const *info) {
        const LinkKind *kind;
        int r;

        if (!info[IFLA_INFO_KIND])
                return 0;
        link->kind_name = copy_name(scope->arena, info[IFLA_INFO_KIND]);
        if (!link->kind_name)
                return -ENOMEM;
        kind = link_kind_find(link->kind_name);
        if (!kind || link_kind_is(kind, KIND_FOREIGN))
                return 0;
        r = link_set_kind(link, kind);
        if (r < 0)
                return r;
        /* The far end of a pair is reported as if it were the lower device. */
        if (!link_kind_is(kind, KIND_PARENT))
                link->common.present &= ~ROW_BIT(LINK_PARENT);
        return decode_nest(&link->options, scope, info[IFLA_INFO_DATA]);
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

static int decode_link(Link *link, const GetScope *scope) {
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

static const char *read_name(const struct nlattr *attr) {
        if (!attr || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
            mnl_attr_get_payload_len(attr) > IFNAMSIZ || !*mnl_attr_get_str(attr))
                return NULL;
        return mnl_attr_get_str(attr);
}

static int take_link(const struct nlmsghdr *message, void *userdata) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
        const struct nlattr *tb[ATTRS_MAX], *lower;
        Place *place = userdata;
        GetScope scope = {
                .header = header,
                .tb = tb,
                .tb_n = ELEMENTSOF(tb),
                .arena = &place->netns->network->arena,
        };
        PlaceLink *entry;
        const char *name;
        int r;

        if (message->nlmsg_type != RTM_NEWLINK)
                return 0;
        r = attrs_parse_message(message, sizeof(*header), tb, ELEMENTSOF(tb));
        if (r < 0)
                return r;
        name = read_name(tb[IFLA_IFNAME]);
        if (!name || header->ifi_index <= 0)
                return -EBADMSG;
        /* Renames do not interrupt a dump, and may show one name twice. */
        if (namespace_find_link(place->netns, name) || place_find(place, header->ifi_index)) {
                place->torn = true;
                return 0;
        }
        entry = arena_new(&place->dump->arena, PlaceLink);
        if (!entry)
                return -ENOMEM;
        entry->link = namespace_add_link(place->netns, name);
        if (!entry->link)
                return -ENOMEM;
        lower = get_attr(&scope, IFLA_LINK, sizeof(uint32_t));
        entry->lower = lower ? (int)mnl_attr_get_u32(lower) : 0;
        entry->ifindex = entry->link->ifindex = header->ifi_index;
        HASH_ADD_INT(place->links, ifindex, entry);
        return decode_link(entry->link, &scope);
}

/* What lives on links. */

typedef struct ObjectDump {
        Place *place;
        const ObjectType *type;
} ObjectDump;

static int take_object(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *tb[ATTRS_MAX];
        ObjectDump *dump = userdata;
        const ObjectType *type = dump->type;
        Place *place = dump->place;
        GetScope scope = {
                .header = mnl_nlmsg_get_payload(message),
                .tb = tb,
                .tb_n = MIN(type->attributes, ELEMENTSOF(tb)),
                .arena = &place->netns->network->arena,
        };
        PlaceLink *entry;
        Object *object;
        int ifindex, r;

        if (message->nlmsg_type != type->message_new)
                return 0;
        r = attrs_parse_message(message, type->header_size, tb, scope.tb_n);
        if (r < 0)
                return r;
        ifindex = type->ifindex(&scope);
        if (ifindex < 0)
                return 0;
        entry = ifindex ? place_find(place, ifindex) : NULL;
        if (ifindex && !entry) {
                place->torn = true;
                return 0;
        }
        object = entry ? link_add_object(entry->link, type)
                       : namespace_add_object(place->netns, type);
        return object ? attrset_decode(&object->set, &scope) : -ENOMEM;
}

static int dump_objects(Place *place, const ObjectType *type) {
        DumpRequest buffer;
        ObjectDump dump = {place, type};
        struct nlmsghdr *request = dump_request(&buffer, type->message_get, type->header_size);

        return netlink_dump(place->space->netlink, request, take_object, &dump);
}

static int dump_links(Place *place) {
        DumpRequest buffer;
        struct nlmsghdr *request = dump_request(&buffer, RTM_GETLINK, sizeof(struct ifinfomsg));

        mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return netlink_dump(place->space->netlink, request, take_link, place);
}

/* Everything that is in one namespace, once. NETLINK_E_INTERRUPTED: it does not fit together. */
static int try_place(Place *place) {
        int r;

        place_forget(place);
        place->netns->objects = place->netns->last = NULL;
        r = dump_links(place);
        for (size_t i = 0; r == 0 && i < object_types_n; i++) {
                const ObjectType *type = object_types[i];

                if (type->transport == TRANSPORT_RTNL && type->message_get && !type->nest)
                        r = dump_objects(place, type);
        }
        return r == 0 && place->torn ? NETLINK_E_INTERRUPTED : r;
}

static int read_sysctl(Place *place, Link *link, const Object *wanted) {
        Arena *arena = &place->netns->network->arena;
        char text[SYSCTL_SIZE];
        AttrSet set = {};
        Object *object;
        Buf path = {};
        int r;

        sysctl_path(wanted, link, &path);
        r = buf_error(&path);
        if (r == 0)
                r = netns_sysctl_read(space_visit(place->space), buf_text(&path), text,
                                      sizeof(text));
        buf_deinit(&path);
        /* Write-only and unreadable ones are as good as absent. */
        if (r != 0)
                return r == -ENOMEM ? r : 0;
        object = link ? link_add_object(link, wanted->type)
                      : namespace_add_object(place->netns, wanted->type);
        if (!object || attrset_copy(&wanted->set, arena, &set) < 0)
                return -ENOMEM;
        set.at = NULL;
        set.implied = 0;
        r = schema_find(set.schema, "value");
        if (r < 0)
                return -EINVAL;
        attrset_set(&set, (size_t)r, (Value){.text = arena_strdup(arena, text)});
        object->set = set;
        return set.values[r].text ? 0 : -ENOMEM;
}

static int read_sysctls(Place *place, Link *link, const Object *wanted) {
        int r = 0;

        for (; r == 0 && wanted; wanted = wanted->next)
                if (wanted->type->transport == TRANSPORT_SYSCTL)
                        r = read_sysctl(place, link, wanted);
        return r;
}

static int dump_sysctls(Place *place) {
        int r;

        if (!place->wanted)
                return 0;
        r = read_sysctls(place, NULL, place->wanted->objects);
        for (Link *wanted = place->wanted->links; r == 0 && wanted; wanted = wanted->hh.next) {
                Link *link = namespace_find_link(place->netns, wanted->name);
                Link *renamed = wanted->ifindex
                        ? namespace_find_ifindex(place->netns, wanted->ifindex) : NULL;

                if (link)
                        r = read_sysctls(place, link, wanted->objects);
                if (r == 0 && renamed && renamed != link)
                        r = read_sysctls(place, renamed, wanted->objects);
        }
        return r;
}

/*
 * By ioctl on the netlink socket: the kernel answers in the socket's namespace, while /sys is that
 * of whoever mounted it. A driver that does not say is asked for its parent's (6.1 … 6.18).
 */
static int dump_drivers(Place *place) {
        for (Link *link = place->netns->links; link; link = link->hh.next) {
                struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
                struct ifreq request = {.ifr_data = (char *)&info};

                if (link->kind_name)
                        continue;
                memcpy(request.ifr_name, link->name, strlen(link->name));
                if (ioctl(netlink_fd(place->space->netlink), SIOCETHTOOL, &request) < 0)
                        continue;
                link->driver = arena_strndup(&place->netns->network->arena, info.driver,
                                             strnlen(info.driver, sizeof(info.driver)));
                if (!link->driver)
                        return -ENOMEM;
        }
        return 0;
}

static int find_user(Place *place) {
        NetnsProcesses processes = {};
        int r;

        if (!place->wanted || !place->wanted->dropped)
                return 0;
        r = netns_processes(&place->space->id, &processes);
        if (r < 0)
                return r;
        place->netns->used_by = processes.n ? processes.pids[0] : 0;
        return 0;
}

/* Namespaces. */

/* Why a namespace can't be looked into is part of the answer; only the host's has to be there. */
static int place_fail(Place *place, int outcome, const char *reason) {
        Namespace *netns = place->netns;

        if (outcome == -ENOMEM || netns->type == NETNS_HOST)
                return outcome < 0 ? outcome : -EAGAIN;
        place_forget(place);
        netns->objects = netns->last = NULL;
        netns->exists = false;
        netns->dead = outcome == NETNS_E_DEAD;
        netns->reason = outcome == NETNS_E_ABSENT ? NULL : reason;
        place->open = false;
        return 0;
}

static int open_place(Dump *dump, Place *place) {
        Namespace *netns = place->netns;
        Space *space = place->space;
        int r;

        space->used = dump->kernel->dumps;
        space->cookie = 0;
        r = space_open(dump->kernel, space);
        if (r == 0)
                r = netlink_cookie(space->netlink, &space->cookie);
        if (r != 0)
                return place_fail(place, r, space_problem(r));
        netns->exists = true;
        netns->cookie = space->cookie;
        place->open = true;
        return 0;
}

static int dump_place(Dump *dump, Place *place) {
        int r = NETLINK_E_INTERRUPTED;

        for (unsigned i = 0; i < PLACE_TRIES && r == NETLINK_E_INTERRUPTED; i++)
                r = try_place(place);
        if (r != 0)
                return place_fail(place, r, r > 0 ? "changes faster than it can be read"
                                                  : space_problem(r));
        r = dump_sysctls(place);
        if (r == 0 && dump->drivers)
                r = dump_drivers(place);
        if (r == 0)
                r = find_user(place);
        return r;
}

static int add_place(Dump *dump, const Namespace *wanted) {
        Arena *arena = &dump->have->arena;
        bool host = wanted->type == NETNS_HOST;
        Namespace *netns = host ? network_find_namespace(dump->have, HOST)
                                : network_add_namespace(dump->have, wanted->name, wanted->type);
        Place *place = &dump->places[host ? 0 : dump->n++];

        if (!netns)
                return -ENOMEM;
        netns->path = arena_strdup(arena, wanted->path);
        netns->pid = wanted->pid;
        netns->dropped = wanted->dropped;
        place->dump = dump;
        place->wanted = wanted;
        place->netns = netns;
        place->space = space_get(dump->kernel, wanted->name);
        if (!place->space || (wanted->path && !netns->path))
                return -ENOMEM;
        return host ? 0 : space_declare(place->space, wanted);
}

static bool wants_drivers(const Network *scope) {
        for (Namespace *netns = scope->namespaces; netns; netns = netns->hh.next)
                for (Link *link = netns->links; link; link = link->hh.next)
                        if (attrset_get(&link->match, "driver"))
                                return true;
        return false;
}

static int add_places(Dump *dump, const Network *scope) {
        size_t n = HASH_COUNT(scope->namespaces) + 1;
        int r = network_new(&dump->have);

        if (r < 0)
                return r;
        dump->drivers = wants_drivers(scope);
        dump->places = arena_new_n(&dump->arena, Place, n);
        if (!dump->places)
                return -ENOMEM;
        dump->n = 1;
        dump->places[0].dump = dump;
        dump->places[0].netns = network_find_namespace(dump->have, HOST);
        dump->places[0].space = space_get(dump->kernel, HOST);
        if (!dump->places[0].space)
                return -ENOMEM;
        for (Namespace *netns = scope->namespaces; r == 0 && netns; netns = netns->hh.next)
                r = add_place(dump, netns);
        return r;
}

/* Keeps what was found. */
static void dump_deinit(Dump *dump) {
        for (size_t i = 0; i < dump->n; i++) {
                HASH_CLEAR(hh, dump->places[i].links);
                HASH_CLEAR(hh, dump->places[i].ids);
        }
        arena_deinit(&dump->arena);
        dump->places = NULL;
        dump->n = 0;
}

/* All namespaces, once. DUMP_E_STALE: a reference leads to where nothing was seen. */
static int try_dump(Dump *dump, const Network *scope, bool final) {
        int r = add_places(dump, scope);

        for (size_t i = 0; r == 0 && i < dump->n; i++)
                r = open_place(dump, &dump->places[i]);
        for (size_t i = 0; r == 0 && i < dump->n; i++)
                if (dump->places[i].open)
                        r = dump_place(dump, &dump->places[i]);
        if (r == 0)
                r = dump_resolve(dump, final);
        return r == 0 ? dump_carries(&dump->places[0]) : r;
}

int real_dump(Kernel *base, const Network *scope, Network **ret) {
        Dump dump = {.kernel = real_kernel(base)};
        int r = DUMP_E_STALE;

        dump.kernel->dumps++;
        for (unsigned i = 1; i <= DUMP_TRIES && r == DUMP_E_STALE; i++) {
                dump.have = network_free(dump.have);
                r = try_dump(&dump, scope, i == DUMP_TRIES);
                dump_deinit(&dump);
        }
        spaces_close(dump.kernel);
        if (r != 0) {
                network_free(dump.have);
                return r;
        }
        *ret = dump.have;
        return 0;
}
