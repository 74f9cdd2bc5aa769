/* SPDX-License-Identifier: MIT */
/*
 * Random files: namespaces, links of every kind there is, on and in each other, with any options.
 * Kinds are told apart by their flags and rows alone, so a new kind takes part at once.
 */

#include "random-network.h"

#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>

#define LINKS_MAX 64
#define SPACES_MAX 8
#define SUBNETS_MAX 32
#define NAMES 10 /* few, so that files that follow one another mean different things by a name */

typedef struct Made {
        char name[16];
        unsigned space;
        const LinkKind *kind; /* NULL: physical */
        struct Made *said_parent, *parent, *master, *peer; /* parent: the real lower device */
        bool far_end;         /* comes with its peer, which says so */
        bool fixed;           /* takes its parent over */
        bool filters;         /* a bridge with VLANs */
        unsigned vid;         /* one that it is said to be in, or 0 */
        const LinkKind *slot; /* the family that has its rx handler */
        bool absent;          /* on a NIC that is not there */
        unsigned state;       /* LINK_STATE_*, _ANY if it is left as found */
        unsigned mtu;         /* 0: not said */
        AttrSet chosen;       /* the options that were said */
        Buf text;             /* the same, as in the file */
        Buf options;          /* of all rows that siblings share, for the siblings */
} Made;

/* What an address makes reachable. */
typedef struct Subnet {
        const Made *link;
        bool ipv6;
        char address[40], gateway[40];
} Subnet;

typedef struct Maker {
        Random *random;
        const RandomShape *shape;
        Arena arena;
        Made links[LINKS_MAX];
        size_t n;
        unsigned spaces;
        Subnet subnets[SUBNETS_MAX];
        size_t n_subnets;
        unsigned addresses, altnames, identities, macs, routes, rules, neighbours;
        Buf *out;
} Maker;

static const char *space_name(unsigned space) {
        static const char *const names[] = {HOST, "ns1", "ns2", "ns3", "ns4", "ns5", "ns6", "ns7"};

        return names[space];
}

/* Which links. */

static bool name_is_used(const Maker *maker, unsigned space, const char *name) {
        for (size_t i = 0; i < maker->n; i++)
                if (maker->links[i].space == space && streq(maker->links[i].name, name))
                        return true;
        return false;
}

static Made *make_link(Maker *maker, const LinkKind *kind, unsigned space) {
        Made *link = &maker->links[maker->n];
        unsigned number = (unsigned)random_below(maker->random, NAMES);

        assert(maker->n < LINKS_MAX);
        *link = (Made){.kind = kind, .space = space, .state = LINK_STATE_UP};
        do
                snprintf(link->name, sizeof(link->name), "l%u", number++);
        while (name_is_used(maker, space, link->name));
        maker->n++;
        return link;
}

static Made *make_nic(Maker *maker, const char *name) {
        Made *link = make_link(maker, NULL, 0);

        snprintf(link->name, sizeof(link->name), "%s", name);
        link->absent = streq(name, RANDOM_NIC_ABSENT);
        return link;
}

static Made *real_lower(const LinkKind *kind, Made *parent) {
        while (link_kind_is(kind, KIND_REAL_LOWER) && parent->parent &&
               link_kind_family(parent->kind) == link_kind_family(kind))
                parent = parent->parent;
        return parent;
}

static bool has_fixed_child(const Maker *maker, const Made *parent, const LinkKind *family) {
        for (size_t i = 0; i < maker->n; i++)
                if (maker->links[i].parent == parent && maker->links[i].fixed &&
                    link_kind_family(maker->links[i].kind) == family)
                        return true;
        return false;
}

/* Whether a link of this kind can stand on that one, as far as flags tell. */
static bool can_carry(const Maker *maker, const LinkKind *kind, Made *parent, unsigned space) {
        const LinkKind *family = link_kind_family(kind);
        Made *lower = real_lower(kind, parent);

        if (link_kind_is(lower->kind, KIND_NO_CHILDREN) || has_fixed_child(maker, lower, family))
                return false;
        if (link_kind_is(kind, KIND_SAME_NETNS) && lower->space != space)
                return false;
        if (!link_kind_is(kind, KIND_CLAIMS_PARENT))
                return true;
        return (!lower->slot || lower->slot == family) && !lower->master &&
               !link_kind_is(lower->kind, KIND_NO_PORT);
}

static Made *choose_parent(Maker *maker, const LinkKind *kind, unsigned space) {
        for (unsigned tries = 0; tries < 8 && maker->n > 0; tries++) {
                Made *parent = &maker->links[random_below(maker->random, maker->n)];

                if (can_carry(maker, kind, parent, space))
                        return parent;
        }
        return NULL;
}

static bool stands_on(const Made *link, const Made *lower) {
        for (; link; link = link->said_parent)
                if (link == lower)
                        return true;
        return false;
}

/* Whether `master` would end up below itself. */
static bool makes_cycle(const Maker *maker, const Made *link, const Made *master) {
        if (stands_on(link, master) || stands_on(master, link))
                return true;
        for (size_t i = 0; i < maker->n; i++) {
                const Made *port = &maker->links[i];

                if (port->master && (stands_on(link, port->master) || stands_on(master, port)))
                        return true;
        }
        return false;
}

/* By a master that lends its address: siblings could not all have that one. */
static bool can_be_set_up(const Made *link) {
        if (link_kind_is(link->kind, KIND_CLAIMS_PARENT) || link_kind_is(link->kind, KIND_MAC_ONCE))
                return false;
        return !link_kind_is(link->kind, KIND_NEEDS_PARENT_UP) ||
               link->parent->state == LINK_STATE_UP;
}

static void choose_master(Maker *maker, Made *link) {
        if (link->absent)
                return;
        for (unsigned tries = 0; tries < 4; tries++) {
                Made *master = &maker->links[random_below(maker->random, maker->n)];

                if (!link_kind_is(master->kind, KIND_MASTER) || master->space != link->space ||
                    master->kind == link->kind || makes_cycle(maker, link, master))
                        continue;
                if (!link_kind_is(master->kind, KIND_L3_MASTER) &&
                    (link->slot || link_kind_is(link->kind, KIND_NO_PORT)))
                        continue;
                if (link_kind_is(master->kind, KIND_PORTS_DOWN) && !can_be_set_up(link))
                        continue;
                if (link_kind_is(master->kind, KIND_ONE_MTU) && link->mtu &&
                    link->mtu != master->mtu)
                        continue;
                link->master = master;
                return;
        }
}

static void choose_state(Maker *maker, Made *link) {
        bool parent_up = !link->parent || link->parent->state == LINK_STATE_UP;

        if (random_chance(maker->random, 15))
                link->state = (unsigned)random_below(maker->random, 3);
        if (!parent_up && link_kind_is(link->kind, KIND_NEEDS_PARENT_UP))
                link->state = LINK_STATE_DOWN;
}

/* A limit that is not written down could be anything by the time the child is made. */
static void choose_mtu(Maker *maker, Made *link) {
        bool bound = link_kind_is(link->kind, KIND_MTU_BOUND);
        unsigned most = bound ? link->parent->mtu : 9000;

        if (!random_chance(maker->random, 25) || most == 0)
                return;
        link->mtu = (unsigned)random_between(maker->random, 1280, most);
}

static void make_pair(Maker *maker, Made *link) {
        Made *peer = make_link(maker, link->kind, (unsigned)random_below(maker->random, maker->spaces));

        peer->peer = link;
        peer->far_end = true;
        link->peer = peer;
        choose_state(maker, peer);
        choose_mtu(maker, peer);
}

/* Not of those that are told apart by the port of a device: two could be the same one. */
static const LinkKind *choose_kind(Maker *maker) {
        const LinkKind *kinds[ROWS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < link_kinds_n; i++)
                if (!link_kinds[i]->bus && n < ELEMENTSOF(kinds))
                        kinds[n++] = link_kinds[i];
        return kinds[random_below(maker->random, n)];
}

static void make_one(Maker *maker) {
        const LinkKind *kind = choose_kind(maker);
        unsigned space = (unsigned)random_below(maker->random, maker->spaces);
        Made *parent = NULL, *link;

        if (link_kind_is(kind, KIND_FOREIGN))
                return;
        if (link_kind_is(kind, KIND_PARENT)) {
                parent = choose_parent(maker, kind, space);
                if (!parent)
                        return;
        }
        link = make_link(maker, kind, space);
        if (parent) {
                link->said_parent = parent;
                link->parent = real_lower(kind, parent);
                link->absent = link->parent->absent || parent->absent;
                if (link_kind_is(kind, KIND_CLAIMS_PARENT))
                        link->parent->slot = link_kind_family(kind);
        }
        link->filters = kind->filtering && random_chance(maker->random, 50);
        choose_state(maker, link);
        choose_mtu(maker, link);
        if (link_kind_is(kind, KIND_PAIR))
                make_pair(maker, link);
}

static void make_links(Maker *maker) {
        unsigned wanted = 1 + (unsigned)random_below(maker->random, maker->shape->links);

        if (random_chance(maker->random, 80))
                make_nic(maker, RANDOM_NIC_0);
        if (random_chance(maker->random, 30))
                make_nic(maker, RANDOM_NIC_1);
        if (maker->shape->absent && random_chance(maker->random, 20))
                make_nic(maker, RANDOM_NIC_ABSENT);
        for (size_t i = 0; i < maker->n; i++)
                choose_mtu(maker, &maker->links[i]);
        for (unsigned i = 0; i < wanted; i++)
                make_one(maker);
        for (size_t i = 0; i < maker->n; i++)
                if (random_chance(maker->random, 40))
                        choose_master(maker, &maker->links[i]);
}

/* As text. */

static void add_quoted(Buf *out, const char *text, size_t size) {
        buf_addc(out, '\'');
        for (size_t i = 0; i < size; i++) {
                if (text[i] == '\'')
                        buf_addc(out, '\'');
                buf_addc(out, text[i]);
        }
        buf_addc(out, '\'');
}

/* An element of a map is formatted as KEY: VALUE. */
static void add_element(Buf *out, const Row *row, const Value *value) {
        _cleanup_(buf_deinit) Buf text = {};
        const char *colon;

        row->type->format(row, value, &text);
        colon = row->type->shape == SHAPE_MAP ? strchr(buf_text(&text), ':') : NULL;
        if (!colon) {
                add_quoted(out, buf_text(&text), text.size);
                return;
        }
        add_quoted(out, buf_text(&text), (size_t)(colon - buf_text(&text)));
        buf_add(out, ": ");
        colon += 1 + strspn(colon + 1, " ");
        add_quoted(out, colon, strlen(colon));
}

static void add_value(Buf *out, const Row *row, const Value *value) {
        bool map = row->type->shape == SHAPE_MAP;

        if (row->type->shape == SHAPE_SCALAR) {
                add_element(out, row, value);
                return;
        }
        buf_addc(out, map ? '{' : '[');
        for (size_t i = 0; i < value->list.n; i++) {
                const Value *item = &value->list.items[i];

                if (map && (item->pair.to == 0 || (i > 0 && item[-1].pair.from == item->pair.from)))
                        continue;
                add_element(out, row, item);
                buf_add(out, ", ");
        }
        buf_addc(out, map ? '}' : ']');
}

static bool is_fixed_value(const Row *row, const Value *value) {
        const Name *name = row->names ? row_name(row, value->number) : NULL;

        return name && name->fixed;
}

/* Whether the link is the only one of its family on its parent, and stays so. */
static bool is_alone(const Maker *maker, const Made *link) {
        for (size_t i = 0; i < maker->n; i++)
                if (&maker->links[i] != link && maker->links[i].parent == link->parent &&
                    link->parent)
                        return false;
        return link->parent != NULL;
}

static bool has_fixed_names(const Row *row) {
        for (const Name *name = row->names; name && name->name; name++)
                if (name->fixed)
                        return true;
        return false;
}

/* The value of a row, or false if there is none that is safe. */
static bool choose_value(Maker *maker, const Made *link, const Row *row, Value *ret) {
        Values values;

        values_of_row(row, &maker->arena, maker->random, &values);
        for (unsigned tries = 0; tries < 16 && values.n > 0; tries++) {
                *ret = values.items[random_below(maker->random, values.n)];
                if (!has_fixed_names(row) || !is_fixed_value(row, ret) || is_alone(maker, link))
                        return true;
        }
        return false;
}

static void add_row(Buf *out, const Row *row, const Value *value) {
        buf_printf(out, "        %s: ", row->key);
        add_value(out, row, value);
        buf_addc(out, '\n');
}

/* Rows that all siblings share are written once, and repeated. */
static bool add_shared(Maker *maker, Made *link, const Row *row) {
        Buf *shared = &link->parent->options;
        _cleanup_(buf_deinit) Buf mark = {};
        const char *at;
        Value value;

        buf_printf(&mark, "\x01%s %s\n", link_kind_family(link->kind)->name, row->key);
        at = strstr(buf_text(shared), buf_text(&mark));
        if (!at) {
                bool written = (row->flags & ROW_REQUIRED || random_chance(maker->random, 30)) &&
                               choose_value(maker, link, row, &value);

                buf_add(shared, buf_text(&mark));
                if (written)
                        add_row(shared, row, &value);
                buf_addc(shared, '\x02');
                at = strstr(buf_text(shared), buf_text(&mark));
        }
        at += mark.size;
        buf_addn(maker->out, at, (size_t)(strchr(at, '\x02') - at));
        return true;
}

static void add_identity(Maker *maker, const Row *row) {
        Value value = {.number = 1 + maker->identities++};

        if (row->names)
                value.number = row->names[random_below(maker->random, 2)].number;
        add_row(maker->out, row, &value);
}

/* Few numbers, so that what is given by default is often what is wanted, or was. */
static void add_filtering(Maker *maker, const Made *link) {
        static const unsigned vids[] = {0, 1, 5, 10};

        if (!link->filters)
                return;
        buf_printf(maker->out, "        %s: true\n", link->kind->filtering);
        if (random_chance(maker->random, 30))
                buf_printf(maker->out, "        %s: %u\n", link->kind->default_vid,
                           vids[random_below(maker->random, ELEMENTSOF(vids))]);
}

static void add_vlans(Maker *maker, Made *link) {
        const Made *bridge = link->filters ? link : link->master;
        bool pvid = false;
        unsigned vid = 0;

        if (!bridge || !bridge->filters || random_chance(maker->random, 40))
                return;
        buf_add(maker->out, "        vlans: [");
        for (unsigned n = (unsigned)random_below(maker->random, 5); n > 0; n--) {
                unsigned to;

                vid += 1 + (unsigned)random_below(maker->random, 6);
                to = vid + (unsigned)random_below(maker->random, 4);
                link->vid = vid;
                if (random_chance(maker->random, 40)) {
                        buf_printf(maker->out, "%u-%u, ", vid, to);
                } else if (random_chance(maker->random, 40)) {
                        buf_printf(maker->out, "{vid: %u-%u, untagged: true}, ", vid, to);
                } else {
                        buf_printf(maker->out, "{vid: %u, pvid: %s, untagged: %s}, ", vid,
                                   pvid ? "false" : "true",
                                   random_chance(maker->random, 80) ? "true" : "false");
                        pvid = true;
                }
                vid = to;
        }
        buf_add(maker->out, "]\n");
}

/* One of the ports that the link has, if there are any. */
static bool choose_port(Maker *maker, const Made *link, Value *ret) {
        size_t from = random_below(maker->random, maker->n);

        for (size_t i = 0; i < maker->n; i++) {
                const Made *port = &maker->links[(from + i) % maker->n];

                if (port->master != link)
                        continue;
                *ret = (Value){.ref = {space_name(port->space), port->name}};
                return true;
        }
        return false;
}

static void add_option(Maker *maker, Made *link, size_t i) {
        const Row *row = schema_row(&link->kind->options, i);
        Value value = {};

        if (row->phase == PHASE_PORTED ? !choose_port(maker, link, &value)
                                       : !choose_value(maker, link, row, &value))
                return;
        link->fixed |= is_fixed_value(row, &value);
        attrset_set(&link->chosen, i, value);
        add_row(maker->out, row, &value);
}

static bool decides(const Schema *schema, const Row *row) {
        for (size_t i = 0; i < schema_size(schema); i++)
                if (streq_ptr(schema_row(schema, i)->when, row->key))
                        return true;
        return false;
}

/* Those that decide about others, or those others. */
static void add_options(Maker *maker, Made *link, bool deciding) {
        const Schema *schema = &link->kind->options;

        for (size_t i = 0; i < schema_size(schema); i++) {
                const Row *row = schema_row(schema, i);
                unsigned percent = row->phase == PHASE_PORTED || deciding ? 60 : 6;

                if (row->flags & ROW_LOCAL || row->change == CHANGE_STATE ||
                    (row->type->is_ref && row->phase != PHASE_PORTED) ||
                    streq_ptr(row->key, link->kind->filtering) ||
                    streq_ptr(row->key, link->kind->default_vid) ||
                    decides(schema, row) != deciding || !row_counts(row, &link->chosen))
                        continue;
                if (row->flags & ROW_PER_PARENT)
                        add_shared(maker, link, row);
                else if (row->change == CHANGE_KEY)
                        add_identity(maker, row);
                else if (row->flags & ROW_REQUIRED || random_chance(maker->random, percent))
                        add_option(maker, link, i);
        }
}

/* Before any link is written: what it says decides about its ports, too. */
static void choose_options(Maker *maker) {
        Buf *out = maker->out;

        for (size_t i = 0; i < maker->n; i++) {
                Made *link = &maker->links[i];

                if (link->far_end || !link->kind)
                        continue;
                maker->out = &link->text;
                if (attrset_init(&link->chosen, &link->kind->options, &maker->arena) < 0)
                        abort();
                add_filtering(maker, link);
                add_options(maker, link, true);
                add_options(maker, link, false);
        }
        maker->out = out;
}

static void add_port(Maker *maker, Made *link) {
        const Schema *schema = link->master ? &link->master->kind->port : NULL;
        bool begun = false;

        if (!schema || !schema->name)
                return;
        for (size_t i = 0; i < schema_size(schema); i++) {
                const Row *row = schema_row(schema, i);
                Value value;

                if (row->flags & ROW_LOCAL || row->change == CHANGE_STATE || row->type->is_ref ||
                    !row_counts(row, &link->master->chosen) ||
                    !random_chance(maker->random, 6) || !choose_value(maker, link, row, &value))
                        continue;
                if (!begun)
                        buf_printf(maker->out, "        %s:\n", schema->name);
                begun = true;
                buf_add(maker->out, "  ");
                add_row(maker->out, row, &value);
        }
}

static void add_common(Maker *maker, Made *link) {
        static const LinkRow others[] = {
                LINK_TXQUEUELEN, LINK_ALIAS, LINK_ARP, LINK_MULTICAST, LINK_ALLMULTICAST,
                LINK_PROMISC,
        };
        Value value;

        if (link->state != LINK_STATE_UP || random_chance(maker->random, 10))
                add_row(maker->out, schema_row(&link_schema, LINK_STATE),
                        &(Value){.number = link->state});
        if (link->mtu)
                add_row(maker->out, schema_row(&link_schema, LINK_MTU),
                        &(Value){.number = link->mtu});
        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                const Row *row = schema_row(&link_schema, others[i]);

                if (random_chance(maker->random, 8) && choose_value(maker, link, row, &value))
                        add_row(maker->out, row, &value);
        }
        if (link->kind && !link->fixed && !link_kind_is(link->kind, KIND_NO_MAC) &&
            random_chance(maker->random, 10))
                buf_printf(maker->out, "        mac: 02:aa:00:00:%02x:%02x\n",
                           (unsigned)random_below(maker->random, 256),
                           (unsigned)random_below(maker->random, 256));
}

static Subnet *add_subnet(Maker *maker, const Made *link) {
        static Subnet nowhere;

        if (maker->n_subnets == SUBNETS_MAX)
                return &nowhere;
        maker->subnets[maker->n_subnets] = (Subnet){.link = link};
        return &maker->subnets[maker->n_subnets++];
}

#define say(text, ...) snprintf(text, sizeof(text), __VA_ARGS__)

static void add_address(Maker *maker, const Made *link) {
        unsigned number = ++maker->addresses, last = number % 250 + 1;
        unsigned net = (unsigned)random_below(maker->random, 2);
        Subnet *subnet = add_subnet(maker, link);

        switch (random_below(maker->random, 5)) {
        case 0:
                subnet->ipv6 = true;
                say(subnet->address, "2001:db8:%u::%x", number % 3, number);
                say(subnet->gateway, "2001:db8:%u::ffff", number % 3);
                buf_printf(maker->out, "          - %s/64\n", subnet->address);
                break;
        case 1:
                say(subnet->address, "10.9.0.%u", last);
                say(subnet->gateway, "10.8.0.%u", last);
                buf_printf(maker->out, "          - {address: %s, peer: %s/32}\n", subnet->address,
                           subnet->gateway);
                break;
        case 2:
                say(subnet->address, "10.7.0.%u", last);
                say(subnet->gateway, "10.7.0.254");
                buf_printf(maker->out, "          - {address: %s/24, scope: link, "
                           "broadcast: 10.7.0.255}\n", subnet->address);
                break;
        default:
                say(subnet->address, "10.%u.0.%u", net, last);
                say(subnet->gateway, "10.%u.0.254", net);
                buf_printf(maker->out, "          - %s/24\n", subnet->address);
        }
}

/* Few subnets, so that there are secondary addresses; every address once. */
static void add_addresses(Maker *maker, const Made *link) {
        size_t n = random_chance(maker->random, 40) ? random_below(maker->random, 4) : 0;

        if (n == 0 || (link->mtu && link->mtu < 1280))
                return;
        buf_add(maker->out, "        addresses:\n");
        for (size_t i = 0; i < n; i++)
                add_address(maker, link);
}

/* In the table of the bridge, of which some ports are: each address once, but others next time. */
static void add_fdb(Maker *maker, const Made *link) {
        if (!link->master || !link_kind_is(link->master->kind, KIND_OWN_FDB) ||
            random_chance(maker->random, 70))
                return;
        buf_add(maker->out, "        fdb:\n");
        for (unsigned n = 1 + (unsigned)random_below(maker->random, 3); n > 0; n--) {
                buf_printf(maker->out, "          - {mac: 02:bb:00:00:00:%02x", maker->macs++ % 256);
                if (link->vid && random_chance(maker->random, 50))
                        buf_printf(maker->out, ", vlan: %u", link->vid);
                if (random_chance(maker->random, 30))
                        buf_add(maker->out, ", state: permanent");
                else if (random_chance(maker->random, 30))
                        buf_add(maker->out, ", sticky: true");
                buf_add(maker->out, "}\n");
        }
}

/* One of a kind with far ends: a list of them, or of some, or none. */
static void add_remotes(Maker *maker, const Made *link) {
        if (!link->kind || !link->kind->fdb_remotes[0] || random_chance(maker->random, 40))
                return;
        buf_add(maker->out, "        remotes: [");
        for (unsigned number = 1; number < 6; number++) {
                if (random_chance(maker->random, 60))
                        continue;
                if (random_chance(maker->random, 80))
                        buf_printf(maker->out, "10.0.0.%u, ", number);
                else
                        buf_printf(maker->out, "{dst: 10.0.0.%u, vni: %u, port: 4789}, ", number, number);
        }
        buf_add(maker->out, "]\n");
}

static void add_mdb(Maker *maker, const Made *link) {
        bool begun = false;

        if (!link->kind || !link->kind->filtering || link->state != LINK_STATE_UP)
                return;
        for (size_t i = 0; i < maker->n; i++) {
                if (maker->links[i].master != link || maker->links[i].absent ||
                    random_chance(maker->random, 60))
                        continue;
                buf_add(maker->out, begun ? "" : "        mdb:\n");
                begun = true;
                buf_printf(maker->out, "          - {group: 239.0.0.%u, port: %s%s}\n",
                           (unsigned)random_below(maker->random, 4), maker->links[i].name,
                           random_chance(maker->random, 30) ? ", source: 10.0.0.1" : "");
        }
}

/* Some to send to, some to answer for; on links whose neighbours have addresses. */
static void add_neighbours(Maker *maker, const Made *link) {
        if (link_kind_is(link->kind, KIND_NO_MAC | KIND_NO_ARP) || random_chance(maker->random, 85))
                return;
        buf_add(maker->out, "        neighbours:\n");
        for (unsigned n = 1 + (unsigned)random_below(maker->random, 3); n > 0; n--) {
                unsigned number = maker->neighbours++ % 8;

                buf_printf(maker->out, "          - {to: %s%u, ",
                           random_chance(maker->random, 30) ? "2001:db8:0::fe" : "10.0.0.24", number);
                if (random_chance(maker->random, 20))
                        buf_add(maker->out, "proxy: true}\n");
                else
                        buf_printf(maker->out, "mac: 02:cc:00:00:00:%02x}\n",
                                   (unsigned)random_below(maker->random, 3));
        }
}

/* Routes and rules. */

/* One of the namespace that is up for sure, or NULL. */
static const Subnet *choose_subnet(Maker *maker, unsigned space) {
        for (unsigned tries = 0; tries < 8 && maker->n_subnets > 0; tries++) {
                const Subnet *subnet =
                        &maker->subnets[random_below(maker->random, maker->n_subnets)];

                if (subnet->link->space == space && subnet->link->state == LINK_STATE_UP)
                        return subnet;
        }
        return NULL;
}

static bool is_in_vrf(const Made *link) {
        return link_kind_is(link->kind, KIND_L3_MASTER) ||
               (link->master && link_kind_is(link->master->kind, KIND_L3_MASTER));
}

static const Made *choose_link(Maker *maker, unsigned space) {
        for (unsigned tries = 0; tries < 8 && maker->n > 0; tries++) {
                const Made *link = &maker->links[random_below(maker->random, maker->n)];

                if (link->space == space)
                        return link;
        }
        return NULL;
}

/* "10.21.0.0/16": few of them, so that the next file says something else of the same. */
static void begin_route(Maker *maker, bool ipv6) {
        unsigned number = maker->routes++;

        if (random_chance(maker->random, 10))
                buf_printf(maker->out, "{to: default, family: %s, table: %u", ipv6 ? "inet6" : "inet",
                           200 + number);
        else
                buf_printf(maker->out, ipv6 ? "{to: 2001:db8:%u::/48" : "{to: 10.%u.0.0/16",
                           20 + number);
        if (random_chance(maker->random, 20))
                buf_printf(maker->out, ", metric: %u", 5 + (unsigned)random_below(maker->random, 2));
        if (random_chance(maker->random, 20))
                buf_printf(maker->out, ", mtu: %u", 1400 + (unsigned)random_below(maker->random, 2));
        if (random_chance(maker->random, 10))
                buf_add(maker->out, ", advmss: 1000");
}

/* To nowhere. */
static void add_reject(Maker *maker) {
        static const char *const types[] = {"blackhole", "unreachable", "prohibit", "throw"};

        begin_route(maker, random_chance(maker->random, 30));
        buf_printf(maker->out, ", type: %s", types[random_below(maker->random, ELEMENTSOF(types))]);
}

/* By a link, be it up, down or not there. */
static bool add_direct(Maker *maker, unsigned space) {
        const Made *link = choose_link(maker, space);
        bool ipv6 = random_chance(maker->random, 30);
        const Subnet *from = choose_subnet(maker, space);

        if (!link)
                return false;
        begin_route(maker, ipv6);
        buf_printf(maker->out, ", dev: %s", link->name);
        if (from && from->ipv6 == ipv6 && !is_in_vrf(from->link) && random_chance(maker->random, 50))
                buf_printf(maker->out, ", src: %s", from->address);
        return true;
}

static bool add_gateway(Maker *maker, unsigned space) {
        const Subnet *subnet = choose_subnet(maker, space);
        bool onlink = random_chance(maker->random, 20);

        if (!subnet)
                return false;
        begin_route(maker, subnet->ipv6);
        buf_printf(maker->out, ", via: %s", onlink && !subnet->ipv6 ? "192.0.2.1" : subnet->gateway);
        if (onlink || is_in_vrf(subnet->link) || random_chance(maker->random, 50))
                buf_printf(maker->out, ", dev: %s%s", subnet->link->name,
                           onlink ? ", onlink: true" : "");
        return true;
}

static bool add_hops(Maker *maker, unsigned space) {
        const Subnet *first = choose_subnet(maker, space);

        if (!first)
                return false;
        begin_route(maker, first->ipv6);
        buf_printf(maker->out, ", nexthops: [{via: %s, dev: %s}", first->gateway, first->link->name);
        for (unsigned n = 1 + (unsigned)random_below(maker->random, 2); n > 0; n--) {
                const Subnet *other = choose_subnet(maker, space);

                if (!other || other == first || other->ipv6 != first->ipv6)
                        continue;
                buf_printf(maker->out, ", {via: %s, dev: %s, weight: %u}", other->gateway,
                           other->link->name, 1 + n);
                break;
        }
        buf_addc(maker->out, ']');
        return true;
}

/* Written under the link that they leave by: in a VRF, in its table. */
static void add_own_routes(Maker *maker, const Made *link) {
        size_t of = maker->n_subnets;
        const Subnet *subnet = NULL;

        if (random_chance(maker->random, 85))
                return;
        while (of > 0 && !subnet)
                if (maker->subnets[--of].link == link)
                        subnet = &maker->subnets[of];
        buf_add(maker->out, "        routes:\n          - ");
        begin_route(maker, subnet ? subnet->ipv6 : random_chance(maker->random, 30));
        if (subnet && link->state == LINK_STATE_UP && random_chance(maker->random, 70))
                buf_printf(maker->out, ", via: %s", subnet->gateway);
        buf_add(maker->out, "}\n");
}

static void add_route(Maker *maker, unsigned space) {
        buf_add(maker->out, "  - ");
        switch (random_below(maker->random, 4)) {
        case 0:
                if (!add_hops(maker, space))
                        add_reject(maker);
                break;
        case 1:
                if (!add_direct(maker, space))
                        add_reject(maker);
                break;
        case 2:
                if (!add_gateway(maker, space))
                        add_reject(maker);
                break;
        default:
                add_reject(maker);
        }
        buf_add(maker->out, "}\n");
}

/* None that would keep anybody from a gateway. */
static void add_rule(Maker *maker, unsigned space) {
        static const char *const whats[] = {"table: 50", "table: 51", "action: blackhole",
                                            "action: nop", "goto: 32766"};
        const Made *link = choose_link(maker, space);
        unsigned number = maker->rules++;

        buf_printf(maker->out, "  - {priority: %u, from: %s, %s", 100 + number,
                   random_chance(maker->random, 30) ? "2001:db8:7::/48" : "10.99.0.0/16",
                   whats[random_below(maker->random, ELEMENTSOF(whats))]);
        if (link && random_chance(maker->random, 30))
                buf_printf(maker->out, ", iif: %s", link->name);
        if (random_chance(maker->random, 20))
                buf_printf(maker->out, ", fwmark: %u", 1 + (unsigned)random_below(maker->random, 2));
        buf_add(maker->out, "}\n");
}

static void add_entries(Maker *maker, unsigned space, const char *key,
                        void (*add)(Maker *maker, unsigned space)) {
        if (random_chance(maker->random, 60))
                return;
        buf_printf(maker->out, "%s%s:\n", space ? "    " : "", key);
        for (uint64_t n = 1 + random_below(maker->random, 4); n > 0; n--) {
                buf_add(maker->out, space ? "    " : "");
                add(maker, space);
        }
}

static void add_objects(Maker *maker, const Made *link) {
        if (link->absent)
                return;
        add_addresses(maker, link);
        add_neighbours(maker, link);
        add_own_routes(maker, link);
        add_fdb(maker, link);
        add_remotes(maker, link);
        add_mdb(maker, link);
        if (random_chance(maker->random, 10))
                buf_printf(maker->out, "        altnames: [alt-%s-%u]\n", link->name,
                           maker->altnames++ % 4);
        if (random_chance(maker->random, 10))
                buf_printf(maker->out, "        sysctl: {ipv4.rp_filter: %u, ipv4.arp_ignore: 1}\n",
                           (unsigned)random_below(maker->random, 3));
}

static void add_ref(Maker *maker, const char *key, const Made *from, const Made *to) {
        if (from->space == to->space && random_chance(maker->random, 50))
                buf_printf(maker->out, "        %s: %s\n", key, to->name);
        else
                buf_printf(maker->out, "        %s: %s/%s\n", key, space_name(to->space), to->name);
}

static void add_link(Maker *maker, Made *link) {
        buf_printf(maker->out, "      %s:\n        optional: false\n", link->name);
        if (link->kind && !link->far_end)
                buf_printf(maker->out, "        kind: %s\n", link->kind->name);
        if (link->parent)
                add_ref(maker, "parent", link, link->said_parent);
        if (link->master)
                buf_printf(maker->out, "        master: %s\n", link->master->name);
        if (link->peer && !link->far_end)
                add_ref(maker, "peer", link, link->peer);
        buf_add(maker->out, buf_text(&link->text));
        add_port(maker, link);
        add_vlans(maker, link);
        add_common(maker, link);
        add_objects(maker, link);
}

static void add_space(Maker *maker, unsigned space) {
        bool begun = false;

        for (size_t i = 0; i < maker->n; i++) {
                if (maker->links[i].space != space)
                        continue;
                if (!begun)
                        buf_printf(maker->out, "%sinterfaces:\n", space ? "    " : "");
                begun = true;
                add_link(maker, &maker->links[i]);
        }
        if (!begun)
                buf_printf(maker->out, "%sinterfaces: {}\n", space ? "    " : "");
        add_entries(maker, space, "routes", add_route);
        add_entries(maker, space, "rules", add_rule);
        if (random_chance(maker->random, 20))
                buf_printf(maker->out, "%ssysctl: {net.ipv4.ip_forward: %u}\n", space ? "    " : "",
                           (unsigned)random_below(maker->random, 2));
}

void random_network(Random *random, const RandomShape *shape, Buf *ret) {
        Maker *maker = &(Maker){.random = random, .shape = shape, .out = ret};

        maker->spaces = 1 + (unsigned)random_below(random, MIN(shape->namespaces + 1, SPACES_MAX));
        maker->addresses = (unsigned)random_below(random, 200);
        maker->macs = (unsigned)random_below(random, 4);
        maker->routes = (unsigned)random_below(random, 4);
        maker->rules = (unsigned)random_below(random, 4);
        maker->neighbours = (unsigned)random_below(random, 4);
        maker->identities = (unsigned)random_below(random, 100);
        make_links(maker);
        choose_options(maker);
        add_space(maker, 0);
        if (maker->spaces > 1)
                buf_add(ret, "namespaces:\n");
        for (unsigned space = 1; space < maker->spaces; space++) {
                buf_printf(ret, "  %s:\n", space_name(space));
                add_space(maker, space);
        }
        for (size_t i = 0; i < maker->n; i++) {
                buf_deinit(&maker->links[i].options);
                buf_deinit(&maker->links[i].text);
        }
        arena_deinit(&maker->arena);
}
