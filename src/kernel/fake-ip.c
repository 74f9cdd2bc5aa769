/* SPDX-License-Identifier: MIT */
/*
 * The fake kernel's routes and neighbours: what one needs that is to be added, and what takes it
 * away without a word. Rules are kept and not asked: as long as none forbids what leads to a
 * gateway, it is looked for in the route's own table, that of its link's VRF, and main.
 * (Sources: fib_semantics.c, fib_frontend.c, net/ipv6/route.c, neighbour.c; tried on 6.18.)
 */

#include "kernel/fake.h"

#include "mvnet/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#define MTU_MIN_IPV6 1280

bool fake_in_prefix(const Value *a, const Value *b, unsigned length) {
        if (a->family != b->family)
                return false;
        for (unsigned bit = 0; bit < length; bit++)
                if ((a->bytes[bit / 8] ^ b->bytes[bit / 8]) & (0x80u >> (bit % 8)))
                        return false;
        return true;
}

bool fake_same_ip(const Value *a, const Value *b) {
        return fake_in_prefix(a, b, a->family == AF_INET ? 32 : 128);
}

static uint64_t number_of(const AttrSet *set, const char *key) {
        const Value *value = attrset_get(set, key);

        return value ? value->number : 0;
}

static bool has_ip(const Link *link, uint8_t family) {
        return family == AF_INET || link->common.values[LINK_MTU].number >= MTU_MIN_IPV6;
}

/* Where its addresses are looked up. */
static uint64_t table_of(const Link *link) {
        const Link *vrf = link_kind_is(link->kind, KIND_L3_MASTER) ? link : link_master(link);

        return vrf && link_kind_is(vrf->kind, KIND_L3_MASTER) ? number_of(&vrf->options, "table")
                                                              : RT_TABLE_MAIN;
}

/* Ways. */

typedef struct Way {
        const Value *via; /* NULL: none */
        Value *dev;       /* a reference, to nothing if nobody said it */
        bool onlink;
} Way;

static size_t ways_n(const AttrSet *route) {
        const Value *hops = attrset_get(route, "nexthops");

        return hops && hops->list.n ? hops->list.n : 1;
}

static Way way_at(const AttrSet *route, size_t i) {
        const Value *hops = attrset_get(route, "nexthops"), *via = attrset_get(route, "via");
        int dev = schema_find(route->schema, "dev");
        Hop *hop = hops && hops->list.n ? hops->list.items[i].hop : NULL;

        if (hop)
                return (Way){hop->via.family ? &hop->via : NULL, &hop->dev, hop->onlink};
        return (Way){via && via->family ? via : NULL, &route->values[dev],
                     number_of(route, "onlink")};
}

static const Link *way_link(const Namespace *netns, const Way *way) {
        return way->dev->ref.link ? namespace_find_link(netns, way->dev->ref.link) : NULL;
}

/* Ways of its own: not to nowhere, nor those of what it refers to by number. */
static bool has_ways(const AttrSet *route) {
        if (number_of(route, "nhid"))
                return false;
        switch (number_of(route, "type")) {
        case RTN_BLACKHOLE:
        case RTN_UNREACHABLE:
        case RTN_PROHIBIT:
        case RTN_THROW:
                return false;
        }
        return true;
}

/* What is needed. */

static bool address_leads_to(const Object *object, const Value *gateway) {
        const Value *address = attrset_get(&object->set, "address");
        const Value *peer = attrset_get(&object->set, "peer");
        const Value *prefix = peer ? peer : address;

        return object->type == &object_address && prefix &&
               !number_of(&object->set, "noprefixroute") &&
               fake_in_prefix(prefix, gateway, prefix->length);
}

static const Link *route_leads_to(const Namespace *netns, const Object *object, uint64_t table,
                                  const Value *gateway) {
        const Value *to = attrset_get(&object->set, "to");
        uint64_t its = number_of(&object->set, "table");
        const Link *link;
        Way way;

        if (object->type != &object_route || !has_ways(&object->set) ||
            ways_n(&object->set) != 1 || !fake_in_prefix(to, gateway, to->length) ||
            (its != table && its != RT_TABLE_MAIN))
                return NULL;
        way = way_at(&object->set, 0);
        link = way_link(netns, &way);
        return !way.via && link && fake_is_up(link) ? link : NULL;
}

/* By `only` if that is somebody. */
static const Link *leads_to(const Namespace *netns, uint64_t table, const Value *gateway,
                            const Link *only) {
        for (const Link *link = netns->links; link; link = link->hh.next) {
                uint64_t its = table_of(link);

                if ((only && link != only) || !fake_is_up(link) ||
                    (!only && its != table && its != RT_TABLE_MAIN))
                        continue;
                for (const Object *object = link->objects; object; object = object->next)
                        if (address_leads_to(object, gateway))
                                return link;
        }
        for (const Object *object = netns->objects; object; object = object->next) {
                const Link *link = route_leads_to(netns, object, table, gateway);

                if (link && (!only || link == only))
                        return link;
        }
        return NULL;
}

static int check_dev(const AttrSet *route, const Way *way, const Link *dev, OpResult *result) {
        uint8_t family = attrset_get(route, "to")->family;

        if (!dev || !has_ip(dev, family))
                return fake_refuse(result, -ENODEV, NULL, "no link, or none for IPv6");
        if (family == AF_INET6 && !way->via && ways_n(route) > 1)
                return fake_refuse(result, -EINVAL, NULL, "Device only routes can not be added "
                                   "for IPv6 using the multipath API.");
        if ((!way->via || way->onlink) && !fake_is_up(dev))
                return fake_refuse(result, -ENETDOWN, NULL, "Device for nexthop is not up.");
        return 0;
}

static int check_way(const Namespace *netns, const AttrSet *route, const Way *way,
                     OpResult *result) {
        const Link *dev = way_link(netns, way);
        int r = dev || !way->via || way->onlink ? check_dev(route, way, dev, result) : 0;

        if (r < 0 || !way->via || way->onlink ||
            leads_to(netns, number_of(route, "table"), way->via, dev))
                return r;
        return fake_refuse(result, way->via->family == AF_INET ? -ENETUNREACH : -EHOSTUNREACH,
                           NULL, "Nexthop has invalid gateway.");
}

static bool is_address_of(const Link *link, const Value *address) {
        for (const Object *object = link->objects; object; object = object->next) {
                const Value *its = attrset_get(&object->set, "address");

                if (object->type == &object_address && its && fake_same_ip(its, address))
                        return true;
        }
        return false;
}

/* Of IPv4, in one table; up or down does not matter (fib_valid_prefsrc). */
static bool is_local(const Namespace *netns, const Value *address, uint64_t table) {
        for (const Link *link = netns->links; link; link = link->hh.next)
                if (is_address_of(link, address) &&
                    (address->family == AF_INET6 || table_of(link) == table))
                        return true;
        return false;
}

int fake_check_route(const Namespace *netns, const Object *object, OpResult *result) {
        const AttrSet *route = &object->set;
        const Value *src = attrset_get(route, "src");
        size_t n = has_ways(route) ? ways_n(route) : 0;
        int r = 0;

        for (size_t i = 0; i < n; i++) {
                Way way = way_at(route, i);

                if (way.dev->ref.link && !way_link(netns, &way))
                        return fake_refuse(result, -ENODEV, NULL, "no such link");
        }
        for (size_t i = 0; r == 0 && i < n; i++) {
                Way way = way_at(route, i);

                r = check_way(netns, route, &way, result);
        }
        if (r < 0 || !src || !src->family || is_local(netns, src, RT_TABLE_MAIN) ||
            is_local(netns, src, number_of(route, "table")))
                return r;
        return fake_refuse(result, -EINVAL, NULL, "Invalid prefsrc address.");
}

void fake_complete_route(const Namespace *netns, Object *object) {
        AttrSet *route = &object->set;

        for (size_t i = 0; has_ways(route) && i < ways_n(route); i++) {
                Way way = way_at(route, i);
                const Link *dev = way.dev->ref.link
                        ? NULL : leads_to(netns, number_of(route, "table"), way.via, NULL);

                if (dev)
                        *way.dev = (Value){.ref = link_self(dev)};
        }
        if (has_ways(route) && ways_n(route) == 1 && way_at(route, 0).dev->ref.link)
                route->present |= ROW_BIT(schema_find(route->schema, "dev"));
}

/* IPv6 is not there below its least MTU (ndisc_allow_add); up or down does not matter. */
int fake_check_neighbour(const Link *link, const Object *object, OpResult *result) {
        return has_ip(link, attrset_get(&object->set, "to")->family)
                ? 0 : fake_refuse(result, -EINVAL, NULL, "IPv6 is disabled on this device.");
}

/* What goes. */

/* Several ways come back to life one by one, as long as one of them lived on. */
static bool is_dead(FakeKernel *kernel, const Namespace *netns, const Way *way, uint8_t family) {
        const Link *link = way_link(netns, way);
        const FakeLink *fake = link ? fake_link(kernel, link) : NULL;

        return !link || !fake_is_up(link) || (family == AF_INET && fake && fake->no_ipv4);
}

static void set_row(AttrSet *route, const char *key, Value value) {
        attrset_set(route, (size_t)schema_find(route->schema, key), value);
}

/* fib6_ifdown(): of IPv6 a way that is gone for good goes alone, and one that is left is no list. */
static void drop_ways(AttrSet *route, const Link *link) {
        Value *list = &route->values[schema_find(route->schema, "nexthops")];
        size_t n = 0;

        for (size_t i = 0; i < list->list.n; i++) {
                Way way = way_at(route, i);

                if (way_link(link->netns, &way) != link)
                        list->list.items[n++] = list->list.items[i];
        }
        list->list.n = n;
        if (n == 1) {
                const Hop *hop = list->list.items[0].hop;

                set_row(route, "via", hop->via);
                set_row(route, "dev", hop->dev);
                set_row(route, "onlink", (Value){.number = hop->onlink});
                *list = (Value){};
        }
}

/* fib_sync_down_dev(): with the last of its ways; of IPv4 also if one of them is gone for good. */
static bool is_flushed(FakeKernel *kernel, const Object *object, const Link *link, bool gone) {
        uint8_t family = attrset_get(&object->set, "to")->family;
        size_t n = ways_n(&object->set), dead = 0;
        bool by_it = false;

        for (size_t i = 0; i < n; i++) {
                Way way = way_at(&object->set, i);
                bool its = way_link(link->netns, &way) == link;

                by_it |= its;
                dead += (its && gone) || is_dead(kernel, link->netns, &way, family);
        }
        return by_it && ((gone && family == AF_INET) || dead == n);
}

static void flush_routes(FakeKernel *kernel, const Link *link, uint8_t family, bool gone) {
        Namespace *netns = link->netns;

        for (Object *object = netns->objects, *next; object; object = next) {
                next = object->next;
                if (object->type != &object_route || !has_ways(&object->set) ||
                    attrset_get(&object->set, "to")->family != family)
                        continue;
                if (is_flushed(kernel, object, link, gone))
                        object_remove(&netns->objects, &netns->last, object);
                else if (gone && ways_n(&object->set) > 1)
                        drop_ways(&object->set, link);
        }
}

/* neigh_ifdown(), and without proxies neigh_changeaddr(): also those that are permanent. */
static void flush_neighbours(Link *link, uint8_t family, bool proxies) {
        for (Object *object = link->objects, *next; object; object = next) {
                next = object->next;
                if (object->type == &object_neighbour &&
                    attrset_get(&object->set, "to")->family == family &&
                    (proxies || !number_of(&object->set, "proxy")))
                        object_remove(&link->objects, &link->last, object);
        }
}

void fake_flush_ip(FakeKernel *kernel, Link *link, uint8_t family, bool gone) {
        flush_routes(kernel, link, family, gone);
        flush_neighbours(link, family, true);
}

void fake_flush_resolved(Link *link) {
        flush_neighbours(link, AF_INET, false);
        flush_neighbours(link, AF_INET6, false);
}

/* fib_sync_down_addr(): of IPv4 the route goes. Of IPv6 only what it says of it (route.c). */
static void forget_source(Namespace *netns, const Value *address, uint64_t table) {
        for (Object *object = netns->objects, *next; object; object = next) {
                int src = schema_find(object->set.schema, "src");

                next = object->next;
                if (object->type != &object_route || !attrset_has(&object->set, (size_t)src) ||
                    !fake_same_ip(&object->set.values[src], address))
                        continue;
                if (address->family == AF_INET6)
                        attrset_set(&object->set, (size_t)src, (Value){});
                else if (number_of(&object->set, "table") == table)
                        object_remove(&netns->objects, &netns->last, object);
        }
}

/* fib_sync_up() */
void fake_got_address(FakeKernel *kernel, const Link *link, const Value *address) {
        FakeLink *fake = fake_link(kernel, link);

        if (fake && (!address || address->family == AF_INET))
                fake->no_ipv4 = false;
}

void fake_lost_address(FakeKernel *kernel, Link *link, const Value *address) {
        FakeLink *fake = fake_link(kernel, link);
        bool any = false;

        if (!is_local(link->netns, address, table_of(link)))
                forget_source(link->netns, address, table_of(link));
        for (const Object *object = link->objects; object; object = object->next) {
                const Value *other = attrset_get(&object->set, "address");

                any |= object->type == &object_address && other && other->family == AF_INET;
        }
        if (any || address->family != AF_INET || !fake)
                return;
        fake->no_ipv4 = true;
        fake_flush_ip(kernel, link, AF_INET, false);
}

void fake_lose_ip(FakeKernel *kernel, Link *link) {
        fake_flush_ip(kernel, link, AF_INET, true);
        fake_flush_ip(kernel, link, AF_INET6, true);
        for (Object *object = link->objects, *next; object; object = next) {
                const Value address = object->type == &object_address
                        ? *attrset_get(&object->set, "address") : (Value){};

                next = object->next;
                if (address.family != AF_INET)
                        continue;
                object_remove(&link->objects, &link->last, object);
                if (!is_local(link->netns, &address, table_of(link)))
                        forget_source(link->netns, &address, table_of(link));
        }
}
