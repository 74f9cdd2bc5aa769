/* SPDX-License-Identifier: MIT */
/*
 * The fake kernel's links among themselves: what going up or down, an MTU, a MAC address, a master
 * or a deletion does to others. Each rule is one of the kernel's, told apart by the flags of kinds;
 * a plan that works here because a rule is missing would fail on the real one.
 */

#include "kernel/fake.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <sys/socket.h>

#define MTU_DEFAULT 1500
#define MTU_LOOPBACK 65536
#define MTU_MIN 68
#define MTU_MIN_IPV6 1280
#define DEPTH_MAX 64

FakeLink *fake_link(FakeKernel *kernel, const Link *link) {
        FakeLink *fake;

        HASH_FIND_PTR(kernel->links, &link, fake);
        if (fake)
                return fake;
        fake = arena_new(&kernel->world->arena, FakeLink);
        if (!fake)
                return NULL;
        fake->link = link;
        HASH_ADD_PTR(kernel->links, link, fake);
        return fake;
}

static uint64_t number(const Link *link, LinkRow row) {
        return link->common.values[row].number;
}

static void set_number(Link *link, LinkRow row, uint64_t to) {
        attrset_set(&link->common, row, (Value){.number = to});
}

bool fake_is_up(const Link *link) {
        return number(link, LINK_STATE) == LINK_STATE_UP;
}

bool fake_is_loopback(const Link *link) {
        return !link->kind_name && streq(link->name, "lo");
}

Link *fake_parent(const Link *link) {
        return link_kind_is(link->kind, KIND_PARENT) ? link_lower(link) : NULL;
}

bool fake_is_fixed(const Link *link) {
        size_t n = link->options.schema ? schema_size(link->options.schema) : 0;

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(link->options.schema, i);
                const Name *name = attrset_has(&link->options, i)
                        ? row_name(row, link->options.values[i].number) : NULL;

                if (name && name->fixed)
                        return true;
        }
        return false;
}

/* The option that unties a link from its parent's state: vlan's loose-binding. */
static bool is_loose(const Link *link) {
        const Value *loose = link->kind->loose ? attrset_get(&link->options, link->kind->loose)
                                               : NULL;

        return loose && loose->number;
}

static bool is_tied(const Link *link, uint32_t flag) {
        return link_kind_is(link->kind, flag) && !is_loose(link);
}

Link *fake_child(FakeKernel *kernel, const Link *link, uint32_t flag) {
        FOREACH_LINK(kernel, child)
                if (child != link && fake_parent(child) == link && link_kind_is(child->kind, flag))
                        return child;
        return NULL;
}

static Link *first_port(FakeKernel *kernel, const Link *master) {
        FOREACH_LINK(kernel, port)
                if (link_master(port) == master)
                        return port;
        return NULL;
}

static void invent_mac(FakeKernel *kernel, Link *link) {
        uint32_t n = ++kernel->last_mac;
        Value value = {.bytes = {0x02, 0xfa, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
                                 (uint8_t)(n >> 8), (uint8_t)n}};

        if (!fake_is_loopback(link))
                attrset_set(&link->common, LINK_MAC, value);
        else
                attrset_set(&link->common, LINK_MAC, (Value){});
}

bool fake_has_ports(FakeKernel *kernel, const Link *link) {
        return first_port(kernel, link) != NULL;
}

/* Up and down. */

/* Only links with IPv6, and only as they come up (addrconf.c addrconf_dev_config). */
static int add_link_local(FakeKernel *kernel, Link *link) {
        const uint8_t *m = link->common.values[LINK_MAC].bytes;
        char text[64];

        if (fake_is_loopback(link)) {
                int r = fake_add_address(kernel, link, "127.0.0.1/8");

                return r < 0 ? r : fake_add_address(kernel, link, "::1/128");
        }
        /* IFF_NO_ADDRCONF: a bond's or team's port is no host. */
        if (link_master(link) && link_kind_is(link_master(link)->kind, KIND_PORTS_DOWN))
                return 0;
        if (number(link, LINK_ADDR_GEN_MODE) != IN6_ADDR_GEN_MODE_EUI64 ||
            number(link, LINK_MTU) < MTU_MIN_IPV6)
                return 0;
        snprintf(text, sizeof(text), "fe80::%02x%02x:%02xff:fe%02x:%02x%02x/64", m[0] ^ 2u, m[1],
                 m[2], m[3], m[4], m[5]);
        return fake_add_address(kernel, link, text);
}

static void drop_ipv6(Link *link) {
        Object *next;

        for (Object *object = link->objects; object; object = next) {
                const Value *address = attrset_get(&object->set, "address");

                next = object->next;
                if (object->type == &object_address && address && address->family == AF_INET6)
                        object_remove(&link->objects, &link->last, object);
        }
}

static bool same_mac(const Link *a, const Link *b) {
        return memcmp(a->common.values[LINK_MAC].bytes, b->common.values[LINK_MAC].bytes, 6) == 0;
}

/* macvlan_open(): two links that receive cannot have one address. */
static bool mac_is_busy(FakeKernel *kernel, const Link *link) {
        const Link *parent = fake_parent(link);

        if (!parent || !link_kind_is(link->kind, KIND_CLAIMS_PARENT) ||
            link_kind_is(link->kind, KIND_NO_MAC | KIND_SOLID) || fake_is_fixed(link))
                return false;
        if (same_mac(link, parent))
                return true;
        FOREACH_LINK(kernel, sibling)
                if (sibling != link && fake_parent(sibling) == parent && fake_is_up(sibling) &&
                    same_mac(link, sibling))
                        return true;
        return false;
}

/* Whether the address is derived from the parent's for as long as nobody sets it. */
static bool inherits_mac(FakeKernel *kernel, const Link *link) {
        const FakeLink *fake = fake_link(kernel, link);

        if (!fake_parent(link))
                return false;
        return link_kind_is(link->kind, KIND_NO_MAC) || fake_is_fixed(link) ||
               (link_kind_is(link->kind, KIND_SOLID) && fake && !fake->mac_set);
}

int fake_up(FakeKernel *kernel, Link *link) {
        Link *parent = fake_parent(link);
        int r;

        if (fake_is_up(link))
                return 0;
        if (parent && !fake_is_up(parent) && is_tied(link, KIND_NEEDS_PARENT_UP))
                return -ENETDOWN;
        if (inherits_mac(kernel, link))
                link->common.values[LINK_MAC] = parent->common.values[LINK_MAC];
        if (mac_is_busy(kernel, link))
                return -EADDRINUSE;
        set_number(link, LINK_STATE, LINK_STATE_UP);
        fake_got_address(kernel, link, NULL);
        r = add_link_local(kernel, link);
        if (r < 0)
                return r;
        FOREACH_LINK(kernel, child)
                if (fake_parent(child) == link && is_tied(child, KIND_UP_FOLLOWS)) {
                        r = fake_up(kernel, child);
                        if (r == -ENOMEM)
                                return r;
                }
        return 0;
}

int fake_down(FakeKernel *kernel, Link *link) {
        if (!fake_is_up(link))
                return 0;
        set_number(link, LINK_STATE, LINK_STATE_DOWN);
        drop_ipv6(link);
        fake_flush_referred(link);
        fake_flush_ip(kernel, link, AF_INET, false);
        fake_flush_ip(kernel, link, AF_INET6, false);
        FOREACH_LINK(kernel, child)
                if (fake_parent(child) == link && is_tied(child, KIND_NEEDS_PARENT_UP))
                        fake_down(kernel, child);
        return 0;
}

/* MTU and MAC. */

static int take_mtu(FakeKernel *kernel, Link *link, uint64_t mtu);

/* br_mtu_auto_adjust(): the smallest of the ports', until somebody writes it. */
static int derive_mtu(FakeKernel *kernel, Link *master) {
        const FakeLink *fake = fake_link(kernel, master);
        uint64_t mtu = 0;

        if (!fake)
                return -ENOMEM;
        if (!link_kind_is(master->kind, KIND_MTU_PORTED) || fake->mtu_set)
                return 0;
        FOREACH_LINK(kernel, port)
                if (link_master(port) == master && (!mtu || number(port, LINK_MTU) < mtu))
                        mtu = number(port, LINK_MTU);
        return take_mtu(kernel, master, mtu ? mtu : MTU_DEFAULT);
}

static int take_mtu(FakeKernel *kernel, Link *link, uint64_t mtu) {
        uint64_t before = number(link, LINK_MTU);
        Link *master = link_master(link);
        int r = 0;

        if (before == mtu)
                return 0;
        set_number(link, LINK_MTU, mtu);
        if (mtu < MTU_MIN_IPV6) {
                drop_ipv6(link);
                fake_flush_ip(kernel, link, AF_INET6, true);
        } else if (before < MTU_MIN_IPV6 && fake_is_up(link) && !fake_is_loopback(link)) {
                r = add_link_local(kernel, link);
        }
        FOREACH_LINK(kernel, child) {
                if (r < 0 || fake_parent(child) != link)
                        continue;
                if (link_kind_is(child->kind, KIND_MTU_FOLLOWS) ||
                    (link_kind_is(child->kind, KIND_MTU_BOUND) && number(child, LINK_MTU) > mtu))
                        r = take_mtu(kernel, child, mtu);
        }
        FOREACH_LINK(kernel, port)
                if (r == 0 && link_master(port) == link &&
                    link_kind_is(link->kind, KIND_PORTS_DOWN))
                        r = take_mtu(kernel, port, mtu);
        return r < 0 || !master ? r : derive_mtu(kernel, master);
}

int fake_change_mtu(FakeKernel *kernel, Link *link, uint64_t mtu, bool by_user) {
        const Link *parent = fake_parent(link);
        FakeLink *fake = fake_link(kernel, link);

        if (!fake)
                return -ENOMEM;
        /* The kernel compares before it asks the driver: the same MTU does not count as set. */
        if (number(link, LINK_MTU) == mtu)
                return 0;
        if (link_master(link) && link_kind_is(link_master(link)->kind, KIND_ONE_MTU))
                return -EPERM;
        if (mtu < MTU_MIN)
                return -EINVAL;
        if (parent && link_kind_is(link->kind, KIND_MTU_BOUND) && mtu > number(parent, LINK_MTU))
                return -EINVAL;
        fake->mtu_set |= by_user;
        return take_mtu(kernel, link, mtu);
}

/* br_stp_recalculate_bridge_id(): the smallest of the ports', all zero after the last one left. */
static void derive_mac(FakeKernel *kernel, Link *master, bool emptied) {
        const FakeLink *fake = fake_link(kernel, master);
        const Link *least = NULL;

        if (!fake || fake->mac_set || !link_kind_is(master->kind, KIND_MTU_PORTED))
                return;
        FOREACH_LINK(kernel, port)
                if (link_master(port) == master &&
                    (!least || memcmp(port->common.values[LINK_MAC].bytes,
                                      least->common.values[LINK_MAC].bytes, 6) < 0))
                        least = port;
        if (least)
                attrset_set(&master->common, LINK_MAC, least->common.values[LINK_MAC]);
        else if (emptied)
                attrset_set(&master->common, LINK_MAC, (Value){});
}

static void take_mac(FakeKernel *kernel, Link *link, const uint8_t mac[6]) {
        Link *master = link_master(link);
        Value value = {};

        memcpy(value.bytes, mac, 6);
        if (memcmp(link->common.values[LINK_MAC].bytes, mac, 6) != 0)
                fake_flush_resolved(link);
        attrset_set(&link->common, LINK_MAC, value);
        FOREACH_LINK(kernel, child)
                if (fake_parent(child) == link && inherits_mac(kernel, child) &&
                    (fake_is_up(child) || !link_kind_is(child->kind, KIND_SOLID)))
                        take_mac(kernel, child, mac);
        FOREACH_LINK(kernel, port)
                if (link_master(port) == link && link_kind_is(link->kind, KIND_PORTS_DOWN))
                        take_mac(kernel, port, mac);
        if (master)
                derive_mac(kernel, master, false);
}

int fake_change_mac(FakeKernel *kernel, Link *link, const uint8_t mac[6]) {
        FakeLink *fake = fake_link(kernel, link);
        Link *parent = fake_parent(link);

        if (!fake)
                return -ENOMEM;
        if (link_kind_is(link->kind, KIND_NO_MAC | KIND_MAC_ONCE) || fake_is_loopback(link))
                return -EOPNOTSUPP;
        if (mac[0] & 1)
                return -EADDRNOTAVAIL;
        fake->mac_set = true;
        if (parent && fake_is_fixed(link))
                take_mac(kernel, parent, mac);
        else
                take_mac(kernel, link, mac);
        return 0;
}

/* Masters. */

/* Whether `upper` stands, over any number of others, on `link`. */
static bool has_upper(FakeKernel *kernel, const Link *link, const Link *upper, unsigned depth) {
        if (depth > DEPTH_MAX)
                return true;
        FOREACH_LINK(kernel, other) {
                bool above = fake_parent(other) == link || link_master(link) == other;

                if (above && (other == upper || has_upper(kernel, other, upper, depth + 1)))
                        return true;
        }
        return false;
}

/* br_add_if(), in its order. */
static int check_port(FakeKernel *kernel, const Link *link, const Link *master) {
        if (!link_kind_is(master->kind, KIND_MASTER))
                return -EOPNOTSUPP;
        if (fake_is_loopback(link))
                return -EINVAL;
        if (link == master || (link->kind && link->kind == master->kind))
                return -ELOOP;
        if (link_kind_is(master->kind, KIND_L3_MASTER)) /* vrf.c vrf_add_slave() */
                return link_kind_is(link->kind, KIND_L3_MASTER) ? -EINVAL : 0;
        if (link_kind_is(link->kind, KIND_NO_PORT))
                return -EINVAL;
        if (fake_child(kernel, link, KIND_CLAIMS_PARENT))
                return -EBUSY;
        if (link_kind_is(master->kind, KIND_PORTS_DOWN) && fake_is_up(link))
                return -EPERM;
        if (link_kind_is(master->kind, KIND_PORTS_DOWN) && link_kind_is(link->kind, KIND_MAC_ONCE))
                return -EOPNOTSUPP;
        return has_upper(kernel, master, link, 0) ? -EBUSY : 0;
}

/* vrf.c cycle_netdev(): so that routes and addresses come to the right table. */
static int cycle(FakeKernel *kernel, Link *link, const Link *master) {
        int r = 0;

        if (!link_kind_is(master->kind, KIND_L3_MASTER) || !fake_is_up(link))
                return 0;
        r = fake_down(kernel, link);
        return r < 0 ? r : fake_up(kernel, link);
}

/* bond_main.c bond_enslave(): the first port's address is the master's, then the master's theirs. */
static int lend(FakeKernel *kernel, Link *link, Link *master) {
        FakeLink *fake = fake_link(kernel, link), *lender = fake_link(kernel, master);
        const uint8_t *mac = master->common.values[LINK_MAC].bytes;
        bool first = true;
        int r;

        if (!fake || !lender)
                return -ENOMEM;
        FOREACH_LINK(kernel, port)
                first &= port == link || link_master(port) != master;
        memcpy(fake->own_mac, link->common.values[LINK_MAC].bytes, 6);
        fake->own_mtu = number(link, LINK_MTU);
        if (first && !lender->mac_set)
                take_mac(kernel, master, fake->own_mac);
        take_mac(kernel, link, mac);
        r = take_mtu(kernel, link, number(master, LINK_MTU));
        return r < 0 ? r : fake_up(kernel, link);
}

/* __bond_release_one(): with the last port goes even an address that was set. */
static int take_back(FakeKernel *kernel, Link *link, Link *master) {
        FakeLink *fake = fake_link(kernel, link), *lender = fake_link(kernel, master);
        int r;

        if (!fake || !lender)
                return -ENOMEM;
        r = fake_down(kernel, link);
        if (r < 0)
                return r;
        take_mac(kernel, link, fake->own_mac);
        if (!first_port(kernel, master)) {
                lender->mac_set = false;
                invent_mac(kernel, master);
        }
        return take_mtu(kernel, link, fake->own_mtu);
}

int fake_release(FakeKernel *kernel, Link *link) {
        Link *master = link_master(link);
        int r;

        if (!master)
                return 0;
        attrset_set(&link->common, LINK_MASTER, (Value){});
        fake_forget_port(master, link);
        link->port = (AttrSet){};
        if (link_vlan_bridge(link) != link)
                link->vlans = (AttrSet){};
        for (Object *object = link->objects, *next; object; object = next) {
                next = object->next;
                if (object->type->of_master && object->type->of_master(&object->set))
                        object_remove(&link->objects, &link->last, object);
        }
        /* nbp_backup_clear() */
        FOREACH_LINK(kernel, other)
                for (size_t i = 0; other->port.schema && i < schema_size(other->port.schema); i++)
                        if (schema_row(other->port.schema, i)->type->is_ref &&
                            ref_equal(&other->port.values[i].ref, &(Ref){link->netns->name,
                                                                         link->name}))
                                attrset_set(&other->port, i, (Value){});
        derive_mac(kernel, master, true);
        r = derive_mtu(kernel, master);
        if (r == 0 && link_kind_is(master->kind, KIND_PORTS_DOWN))
                r = take_back(kernel, link, master);
        return r < 0 ? r : cycle(kernel, link, master);
}

int fake_enslave(FakeKernel *kernel, Link *link, Link *master) {
        int r;

        if (link_master(link) == master)
                return 0;
        /* The old master is gone even if the new one refuses (rtnetlink.c do_set_master). */
        r = fake_release(kernel, link);
        if (r < 0 || !master)
                return r;
        r = check_port(kernel, link, master);
        if (r < 0)
                return r;
        attrset_set(&link->common, LINK_MASTER, (Value){.ref = link_self(master)});
        if (master->kind->port.name) {
                if (link_set_port(link, &master->kind->port) < 0)
                        return -ENOMEM;
                r = fake_fill(kernel, &link->port, true);
                if (r < 0)
                        return r;
        }
        r = fake_begin_vlans(kernel, link, master);
        if (r < 0)
                return r;
        derive_mac(kernel, master, false);
        r = derive_mtu(kernel, master);
        if (r == 0 && link_kind_is(master->kind, KIND_PORTS_DOWN))
                r = lend(kernel, link, master);
        if (r < 0 && r != -ENOMEM) {
                fake_release(kernel, link);
                return r;
        }
        return r < 0 ? r : cycle(kernel, link, master);
}

/* Coming and going. */

static void rename_in(AttrSet *set, Ref from, Ref to) {
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const AttrType *type = schema_row(set->schema, i)->type;

                if (type->is_ref && type->shape == SHAPE_SCALAR &&
                    ref_equal(&set->values[i].ref, &from))
                        attrset_set(set, i, (Value){.ref = to});
                for (size_t j = 0; type->ref_in && j < set->values[i].list.n; j++) {
                        Value *ref = type->ref_in(&set->values[i].list.items[j]);

                        if (ref_equal(&ref->ref, &from))
                                *ref = (Value){.ref = to};
                }
        }
}

void fake_rename_refs(FakeKernel *kernel, Ref from, Ref to) {
        FOREACH_LINK(kernel, link) {
                rename_in(&link->common, from, to);
                rename_in(&link->options, from, to);
                rename_in(&link->port, from, to);
                for (Object *object = link->objects; object; object = object->next)
                        rename_in(&object->set, from, to);
        }
        for (Namespace *netns = kernel->world->namespaces; netns; netns = netns->hh.next)
                for (Object *object = netns->objects; object; object = object->next)
                        rename_in(&object->set, from, to);
}

int fake_destroy(FakeKernel *kernel, Link *link) {
        Link *peer = link_kind_is(link->kind, KIND_PAIR) ? link_peer(link) : NULL;
        Link *parent = fake_parent(link), *other;
        FakeLink *fake = fake_link(kernel, link);
        int r = 0;

        if (!fake)
                return -ENOMEM;
        while (r == 0 && (other = fake_child(kernel, link, KIND_PARENT)))
                r = fake_destroy(kernel, other);
        while (r == 0 && (other = fake_killed(kernel, link)))
                r = fake_destroy(kernel, other);
        while (r == 0 && (other = first_port(kernel, link)))
                r = fake_release(kernel, other);
        if (r == 0)
                r = fake_release(kernel, link);
        if (r < 0)
                return r;
        if (parent && fake_is_fixed(link))
                take_mac(kernel, parent, fake->lent_mac);
        fake_flush_referred(link);
        fake_lose_ip(kernel, link);
        fake_rename_refs(kernel, link_self(link), (Ref){});
        HASH_DEL(kernel->links, fake);
        namespace_remove_link(link);
        return peer ? fake_destroy(kernel, peer) : 0;
}

static int complete_address(FakeKernel *kernel, Link *link) {
        FakeLink *fake = fake_link(kernel, link);
        Link *parent = fake_parent(link);

        if (!fake)
                return -ENOMEM;
        if (parent && fake_is_fixed(link))
                memcpy(fake->lent_mac, parent->common.values[LINK_MAC].bytes, 6);
        fake->mac_set = attrset_has(&link->common, LINK_MAC);
        if (parent && fake_is_fixed(link))
                fake->mac_set = false; /* ignored at create (macvlan_common_newlink) */
        if (parent && inherits_mac(kernel, link))
                attrset_set(&link->common, LINK_MAC, parent->common.values[LINK_MAC]);
        else if (!fake->mac_set)
                invent_mac(kernel, link);
        return 0;
}

static uint64_t first_mtu(const Link *link) {
        const Link *parent = fake_parent(link);
        uint64_t mtu = 0;

        if (parent && (link_kind_is(link->kind, KIND_MTU_BOUND) ||
                       link_kind_is(link->kind, KIND_MTU_FOLLOWS)))
                return number(parent, LINK_MTU);
        if (!link_kind_default(link->kind, LINK_MTU, &mtu))
                mtu = MTU_DEFAULT;
        return fake_is_loopback(link) ? MTU_LOOPBACK : mtu;
}

int fake_complete(FakeKernel *kernel, Link *link) {
        static const LinkRow given[] = {
                LINK_TXQUEUELEN, LINK_ARP, LINK_MULTICAST, LINK_ADDR_GEN_MODE,
        };
        uint64_t value = 0;
        FakeSpace *space;
        int r;

        if (link->ifindex)
                return 0;
        HASH_FIND(hh, kernel->spaces, &link->netns->cookie, sizeof(uint64_t), space);
        if (!space)
                return -ENOENT;
        link->ifindex = ++space->last_ifindex;
        for (size_t i = 0; i < ELEMENTSOF(given); i++)
                if (!attrset_has(&link->common, given[i]))
                        set_number(link, given[i], link_kind_default(link->kind, given[i], &value)
                                                           ? value : 1);
        if (!attrset_has(&link->common, LINK_STATE))
                set_number(link, LINK_STATE, LINK_STATE_DOWN);
        if (!attrset_has(&link->common, LINK_MTU))
                set_number(link, LINK_MTU, first_mtu(link));
        r = fake_fill(kernel, &link->options, true);
        if (r == 0)
                r = fake_begin_vlans(kernel, link, link);
        if (r == 0)
                r = fake_bind(kernel, link);
        if (r == 0)
                r = complete_address(kernel, link);
        if (r == 0)
                r = fake_fill(kernel, &link->common, false);
        if (r == 0)
                r = fake_reset_sysctls(kernel, link);
        return r;
}
