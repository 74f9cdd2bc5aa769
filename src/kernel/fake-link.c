/* SPDX-License-Identifier: MIT */
/*
 * The fake kernel's answers to RTM_NEWLINK and RTM_SETLINK: what is refused, what is
 * silently ignored, and in which order the parts of one message are done. The order matters
 * because it is not undone: a message that fails half way has been carried out by half.
 */

#include "kernel/fake.h"

#include <errno.h>
#include <string.h>

int fake_find(FakeKernel *kernel, const Op *op, OpResult *result, Link **ret) {
        const Namespace *netns = fake_space(kernel, op->netns);
        Link *link;

        if (!netns)
                return fake_refuse(result, -ENOENT, NULL, "no namespace %s", op->netns);
        link = op->ifindex ? namespace_find_ifindex(netns, op->ifindex)
                           : namespace_find_link(netns, op->name);
        if (!link)
                return fake_refuse(result, -ENODEV, NULL, "no link %s in %s", op->name, op->netns);
        /* The kernel goes by the number alone; a plan that is wrong about the name is a bug. */
        if (!streq(link->name, op->name))
                return fake_refuse(result, -ESTALE, NULL, "link %d of %s is %s, not %s",
                                   op->ifindex, op->netns, link->name, op->name);
        *ret = link;
        return 0;
}

/* Rows. */

/* What attrset_encode() sends for `rows`: also those that share an attribute with one of them. */
static RowSet sent_rows(const AttrSet *from, RowSet rows) {
        RowSet all = rows;
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(from->schema, i);

                for (size_t j = 0; j < schema_size(from->schema); j++)
                        if (row_shares(row, schema_row(from->schema, j)) && attrset_has(from, j))
                                all |= ROW_BIT(j);
        }
        return all;
}

/* A word without a mask is written as a whole: the bits that nobody mentioned are zero. */
static void clear_unsent_bits(AttrSet *to, size_t at, RowSet sent) {
        const Row *row = schema_row(to->schema, at);

        if (!row->type->is_bit)
                return;
        for (size_t i = 0; i < schema_size(to->schema); i++) {
                const Row *other = schema_row(to->schema, i);

                if (row_shares(row, other) && !(sent & ROW_BIT(i)))
                        attrset_set(to, i, (Value){.number = !!(other->flags & ROW_INVERTED)});
        }
}

static int append_pairs(const Row *row, Arena *arena, const Value *from, const Value *except,
                        Value *list) {
        for (size_t i = 0; i < from->list.n; i++) {
                bool replaced = false;

                for (size_t j = 0; except && j < except->list.n; j++)
                        replaced |=
                                except->list.items[j].pair.from == from->list.items[i].pair.from;
                if (replaced || from->list.items[i].pair.to == 0)
                        continue;
                if (value_append(row, arena, list, &from->list.items[i]) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* ROW_MERGES: what is there stays unless it is overwritten; an entry to zero is none. */
static int merge_pairs(FakeKernel *kernel, AttrSet *to, size_t at, const Value *sent) {
        Arena *arena = &kernel->world->arena;
        Value list = {};
        int r = 0;

        if (attrset_has(to, at))
                r = append_pairs(schema_row(to->schema, at), arena, &to->values[at], sent, &list);
        if (r == 0)
                r = append_pairs(schema_row(to->schema, at), arena, sent, NULL, &list);
        if (r == 0)
                attrset_set(to, at, list);
        return r;
}

static int take_value(FakeKernel *kernel, AttrSet *to, size_t at, const Value *value) {
        const Row *row = schema_row(to->schema, at);

        if (row->flags & ROW_MERGES)
                return merge_pairs(kernel, to, at, value);
        return fake_set_value(kernel, to, at, value);
}

/* One value for all links of the family on the parent, wherever these are. */
static int set_siblings(FakeKernel *kernel, const Link *link, const Row *row, const Value *value) {
        const Link *parent = fake_parent(link);
        int r = 0;

        if (!(row->flags & ROW_PER_PARENT) || !parent)
                return 0;
        FOREACH_LINK(kernel, sibling) {
                int at;

                if (fake_parent(sibling) != parent ||
                    link_kind_family(sibling->kind) != link_kind_family(link->kind))
                        continue;
                at = schema_find(sibling->options.schema, row->key);
                if (r == 0 && at >= 0)
                        r = fake_set_value(kernel, &sibling->options, (size_t)at, value);
        }
        return r;
}

/* Create. */

static int find_parent(FakeKernel *kernel, const Op *op, OpResult *result, Link **ret) {
        const Row *row = schema_row(&link_schema, LINK_PARENT);
        const LinkKind *kind = op->link->kind;
        const Ref *ref = link_ref(op->link, LINK_PARENT);
        Link *parent;

        if (!(op->rows[SECTION_COMMON] & ROW_BIT(LINK_PARENT)) || !ref)
                return fake_refuse(result, -EINVAL, row, "no parent in the message");
        parent = fake_space(kernel, ref->netns) ? network_find_link(kernel->world, ref) : NULL;
        if (!parent)
                return fake_refuse(result, -ENODEV, row, "no parent %s/%s", ref->netns, ref->link);
        if (link_kind_is(kind, KIND_SAME_NETNS) && !streq(ref->netns, op->netns))
                return fake_refuse(result, -EINVAL, row, "parent in another namespace");
        if (link_kind_is(kind, KIND_REAL_LOWER))
                while (link_kind_family(parent->kind) == link_kind_family(kind))
                        parent = fake_parent(parent);
        if (fake_is_loopback(parent))
                return fake_refuse(result, -EINVAL, row, "loopback cannot be a parent");
        if (link_kind_is(parent->kind, KIND_NO_CHILDREN))
                return fake_refuse(result, -EOPNOTSUPP, row, "%s cannot be a parent", ref->link);
        *ret = parent;
        return 0;
}

/* netdev_rx_handler_register(): one user, or several of the same family behind one parent. */
static int check_slot(FakeKernel *kernel, const LinkKind *kind, const Link *parent,
                      OpResult *result) {
        if (!link_kind_is(kind, KIND_CLAIMS_PARENT))
                return 0;
        if (link_master(parent) && !link_kind_is(link_master(parent)->kind, KIND_L3_MASTER))
                return fake_refuse(result, -EBUSY, NULL, "%s is a port", parent->name);
        if (link_kind_is(parent->kind, KIND_NO_PORT))
                return fake_refuse(result, -EBUSY, NULL, "%s receives itself", parent->name);
        FOREACH_LINK(kernel, child)
                if (fake_parent(child) == parent && link_kind_is(child->kind, KIND_CLAIMS_PARENT) &&
                    link_kind_family(child->kind) != link_kind_family(kind))
                        return fake_refuse(result, -EBUSY, NULL, "%s has a %s", parent->name,
                                           child->kind_name);
        return 0;
}

/* Whether two sets have the same identity; tables without one never do. */
static bool same_keys(const AttrSet *a, const AttrSet *b) {
        bool any = false;

        for (size_t i = 0; i < schema_size(a->schema); i++) {
                const Row *row = schema_row(a->schema, i);
                int other = schema_find(b->schema, row->key);

                if (row->change != CHANGE_KEY)
                        continue;
                if (other < 0 || !value_equal(row, &a->values[i], &b->values[other]))
                        return false;
                any = true;
        }
        return any;
}

static int check_siblings(FakeKernel *kernel, const Link *like, const Link *parent,
                          OpResult *result) {
        FOREACH_LINK(kernel, sibling) {
                if (fake_parent(sibling) != parent ||
                    link_kind_family(sibling->kind) != link_kind_family(like->kind))
                        continue;
                if (fake_is_fixed(sibling) || fake_is_fixed(like))
                        return fake_refuse(result, -EINVAL, NULL, "%s is not alone on %s",
                                           sibling->name, parent->name);
                if (same_keys(&like->options, &sibling->options))
                        return fake_refuse(result, -EEXIST, NULL, "%s is the same on %s",
                                           sibling->name, parent->name);
        }
        return 0;
}

/* The options as they will be: those sent, those all siblings share, and defaults. */
static int make_options(FakeKernel *kernel, const Op *op, const Link *parent, OpResult *result,
                        AttrSet *ret) {
        const AttrSet *from = &op->link->options;
        const LinkKind *kind = op->link->kind;
        RowSet sent = op->rows[SECTION_OPTIONS] ? sent_rows(from, op->rows[SECTION_OPTIONS]) : 0;
        int r = attrset_init(ret, &kind->options, &kernel->world->arena);

        for (size_t i = 0; r == 0 && i < schema_size(&kind->options); i++) {
                const Row *row = schema_row(&kind->options, i);
                bool is_sent = sent & ROW_BIT(i);

                if (row->flags & ROW_REQUIRED && !is_sent)
                        return fake_refuse(result, -EINVAL, row, "%s is missing", row->key);
                if (row->flags & ROW_LOCAL || row->phase == PHASE_DETAIL)
                        continue;
                if (is_sent && (row->phase == PHASE_PORTED || !row_counts(row, ret)))
                        return fake_refuse(result, -EACCES, row, "%s cannot be said now",
                                           row->key);
                if (is_sent)
                        r = take_value(kernel, ret, i, &from->values[i]);
                if (is_sent || !(row->flags & ROW_PER_PARENT) || r < 0)
                        continue;
                FOREACH_LINK(kernel, sibling)
                        if (fake_parent(sibling) == parent &&
                            attrset_get(&sibling->options, row->key) &&
                            link_kind_family(sibling->kind) == link_kind_family(kind))
                                attrset_set(ret, i, *attrset_get(&sibling->options, row->key));
        }
        return r < 0 ? r : fake_fill(kernel, ret, true);
}

/* What the create message cannot do, or does without: all else is honoured there. */
static bool done_at_create(const Row *row, size_t at) {
        return row->phase != PHASE_DETAIL && !(row->flags & ROW_LOCAL) && at != LINK_PARENT &&
               at != LINK_MASTER && at != LINK_STATE;
}

static int check_new(const Namespace *netns, const char *name, const Link *like, RowSet rows,
                     const Link *parent, OpResult *result) {
        const Row *mtu = schema_row(&link_schema, LINK_MTU),
                  *mac = schema_row(&link_schema, LINK_MAC);
        const Value *values = like->common.values;

        if (link_name_problem(name))
                return fake_refuse(result, -EINVAL, NULL, "%s: %s", name, link_name_problem(name));
        if (fake_name_taken(netns, name))
                return fake_refuse(result, -EEXIST, NULL, "%s exists in %s", name, netns->name);
        if (rows & ROW_BIT(LINK_ADDR_GEN_MODE))
                return fake_refuse(result, -EAFNOSUPPORT,
                                   schema_row(&link_schema, LINK_ADDR_GEN_MODE),
                                   "AF_SPEC while the link is made");
        if (rows & ROW_BIT(LINK_MAC) && values[LINK_MAC].bytes[0] & 1)
                return fake_refuse(result, -EADDRNOTAVAIL, mac, "multicast address");
        if (rows & ROW_BIT(LINK_MTU) &&
            (values[LINK_MTU].number < 68 ||
             (parent && link_kind_is(like->kind, KIND_MTU_BOUND) &&
              values[LINK_MTU].number > parent->common.values[LINK_MTU].number)))
                return fake_refuse(result, -EINVAL, mtu, "mtu out of range");
        return 0;
}

static int make_link(FakeKernel *kernel, Namespace *netns, const char *name, const Link *like,
                     RowSet rows, const Link *parent, const AttrSet *options, Link **ret) {
        Link *link = namespace_add_link(netns, name);
        size_t i;
        int r;

        if (!link || link_set_kind(link, like->kind) < 0)
                return -ENOMEM;
        link->options = *options;
        if (link_kind_lower(like->kind)->nla && rows & ROW_BIT(LINK_PARENT) &&
            fake_set_value(kernel, &link->common, LINK_PARENT,
                           &like->common.values[LINK_PARENT]) < 0)
                return -ENOMEM;
        if (parent)
                attrset_set(&link->common, LINK_PARENT, (Value){.ref = link_self(parent)});
        ROWSET_FOREACH(i, rows) {
                Value value = like->common.values[i];

                if (!done_at_create(schema_row(&link_schema, i), i) ||
                    (i == LINK_MAC && value.policy == MAC_KERNEL))
                        continue;
                value.policy = MAC_FIXED;
                r = fake_set_value(kernel, &link->common, i, &value);
                if (r < 0)
                        return r;
        }
        *ret = link;
        return fake_complete(kernel, link);
}

static int set_master(FakeKernel *kernel, Link *link, const Value *value) {
        Link *master = NULL;

        if (value->ref.link) {
                if (!streq_ptr(value->ref.netns, link->netns->name))
                        return -EINVAL;
                master = namespace_find_link(link->netns, value->ref.link);
                if (!master)
                        return -EINVAL;
        }
        return fake_enslave(kernel, link, master);
}

/* Flags and master come last, and what fails there takes the link down with it. */
static int finish_link(FakeKernel *kernel, const Op *op, Link *link, OpResult *result) {
        RowSet rows = op->rows[SECTION_COMMON];
        const Value *values = op->link->common.values;
        LinkRow at = LINK_STATE;
        int r = 0;

        for (size_t i = 0; i < schema_size(&link->kind->options); i++)
                if (op->rows[SECTION_OPTIONS] & ROW_BIT(i) && r == 0)
                        r = set_siblings(kernel, link, schema_row(&link->kind->options, i),
                                         &link->options.values[i]);
        if (r == 0 && rows & ROW_BIT(LINK_STATE) && values[LINK_STATE].number == LINK_STATE_UP)
                r = fake_up(kernel, link);
        if (r == 0 && rows & ROW_BIT(LINK_MASTER)) {
                at = LINK_MASTER;
                r = set_master(kernel, link, &values[LINK_MASTER]);
        }
        if (r == 0)
                return 0;
        fake_destroy(kernel, link);
        return fake_refuse(result, r, schema_row(&link_schema, at), "%s: refused at create",
                           schema_row(&link_schema, at)->key);
}

static Value *peer_value(AttrSet *options) {
        for (size_t i = 0; i < schema_size(options->schema); i++)
                if (schema_row(options->schema, i)->flags & ROW_MAKES_PEER)
                        return &options->values[i];
        return NULL;
}

/* The far end: made first, by attributes of its own, without UP (ENOTCONN) and without master. */
static int make_peer(FakeKernel *kernel, const Op *op, const AttrSet *options, OpResult *result,
                     Link **ret) {
        Namespace *netns = op->peer ? fake_space(kernel, op->peer->netns->name) : NULL;
        AttrSet own;
        int r;

        if (!op->peer)
                return fake_refuse(result, -EINVAL, NULL, "no far end in the message");
        if (!netns)
                return fake_refuse(result, -ENOENT, NULL, "no namespace %s", op->peer->netns->name);
        r = check_new(netns, op->peer->name, op->peer, op->peer_rows, NULL, result);
        if (r < 0)
                return r;
        if (streq(op->netns, netns->name) && streq(op->name, op->peer->name))
                return fake_refuse(result, -EEXIST, NULL, "both ends are %s", op->name);
        if (op->peer_rows & ROW_BIT(LINK_STATE) &&
            op->peer->common.values[LINK_STATE].number == LINK_STATE_UP)
                return fake_refuse(result, -ENOTCONN, schema_row(&link_schema, LINK_STATE),
                                   "the far end cannot be up while it is made");
        r = attrset_copy(options, &kernel->world->arena, &own);
        for (size_t i = 0; r == 0 && i < schema_size(options->schema); i++) {
                const char *far = schema_row(options->schema, i)->far;

                if (far)
                        attrset_set(&own, (size_t)schema_find(options->schema, far),
                                    options->values[i]);
        }
        if (r == 0)
                r = make_link(kernel, netns, op->peer->name, op->link, 0, NULL, &own, ret);
        return r;
}

/* The far end's rows are those of its own link, the kind that of the one it comes with. */
static int take_peer_rows(FakeKernel *kernel, const Op *op, Link *peer) {
        size_t i;
        int r = 0;

        ROWSET_FOREACH(i, op->peer_rows) {
                const Value *value = &op->peer->common.values[i];

                if (r < 0 || !done_at_create(schema_row(&link_schema, i), i))
                        continue;
                if (i == LINK_MAC && value->policy != MAC_KERNEL)
                        r = fake_change_mac(kernel, peer, value->bytes);
                else if (i == LINK_MTU)
                        r = fake_change_mtu(kernel, peer, value->number, true);
                else if (i != LINK_MAC)
                        r = fake_set_value(kernel, &peer->common, i, value);
        }
        return r;
}

static int add_pair(FakeKernel *kernel, const Op *op, Link *link, OpResult *result) {
        Link *peer;
        int r = make_peer(kernel, op, &link->options, result, &peer);

        if (r == 0)
                r = take_peer_rows(kernel, op, peer);
        if (r < 0)
                return r;
        peer_value(&link->options)->ref = link_self(peer);
        peer_value(&peer->options)->ref = link_self(link);
        return 0;
}

/* What goes another way than the rest of a request is not understood there. */
static int check_transport(const AttrSet *set, RowSet rows, Transport transport,
                           OpResult *result) {
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(set->schema, i);

                if (row->transport != transport)
                        return fake_refuse(result, -EINVAL, row, "%s goes another way", row->key);
        }
        return 0;
}

int fake_link_add(FakeKernel *kernel, const Op *op, OpResult *result) {
        Namespace *netns = fake_space(kernel, op->netns);
        const LinkKind *kind = op->link->kind;
        RowSet rows = op->rows[SECTION_COMMON];
        Link *parent = NULL, *link = NULL;
        AttrSet options;
        int r = 0;

        if (!netns)
                return fake_refuse(result, -ENOENT, NULL, "no namespace %s", op->netns);
        if (!kind || link_kind_is(kind, KIND_FOREIGN))
                return fake_refuse(result, -EOPNOTSUPP, NULL, "cannot make a %s",
                                   kind ? kind->name : "link without kind");
        r = check_transport(&op->link->options, op->rows[SECTION_OPTIONS], kind->transport, result);
        if (r == 0 && link_kind_is(kind, KIND_PARENT))
                r = find_parent(kernel, op, result, &parent);
        else
                r = fake_check_lower(kernel, op, op->netns, result);
        if (r == 0)
                r = check_new(netns, op->name, op->link, rows, parent, result);
        if (r == 0 && parent)
                r = check_slot(kernel, kind, parent, result);
        if (r == 0)
                r = make_options(kernel, op, parent, result, &options);
        if (r == 0 && parent)
                r = check_siblings(kernel, &(Link){.kind = kind, .options = options}, parent,
                                   result);
        if (r == 0)
                r = make_link(kernel, netns, op->name, op->link, rows, parent, &options, &link);
        if (r < 0)
                return r;
        if (link_kind_is(kind, KIND_PAIR)) {
                r = add_pair(kernel, op, link, result);
                if (r < 0) {
                        *peer_value(&link->options) = (Value){};
                        fake_destroy(kernel, link);
                        return r;
                }
        }
        return finish_link(kernel, op, link, result);
}

/* Change. */

static int set_common_row(FakeKernel *kernel, Link *link, LinkRow at, const Value *value) {
        switch (at) {
        case LINK_MAC:
                return value->policy == MAC_KERNEL ? 0
                                                   : fake_change_mac(kernel, link, value->bytes);
        case LINK_MTU:
                return fake_change_mtu(kernel, link, value->number, true);
        case LINK_STATE:
                if (value->number == LINK_STATE_ANY)
                        return 0;
                return value->number == LINK_STATE_UP ? fake_up(kernel, link)
                                                      : fake_down(kernel, link);
        case LINK_MASTER:
                return set_master(kernel, link, value);
        case LINK_ARP: /* arp_netdev_event(), ndisc_netdev_event() */
                if (link->common.values[at].number != value->number)
                        fake_flush_resolved(link);
                return fake_set_value(kernel, &link->common, at, value);
        case LINK_GROUP:
        case LINK_ALIAS:
        case LINK_TXQUEUELEN:
        case LINK_MULTICAST:
        case LINK_ALLMULTICAST:
        case LINK_PROMISC:
        case LINK_ADDR_GEN_MODE:
                return fake_set_value(kernel, &link->common, at, value);
        case LINK_PARENT: /* do_setlink() has no branch for IFLA_LINK */
        case LINK_BIND_NETNS:
        case LINK_OPTIONAL:
        case LINK_REPLACE:
        case LINK_PORTS:
        case _LINK_ROW_N:
                return 0;
        }
        return 0;
}

/* do_setlink(): in its order, and what was done before an error stays done. */
static int set_common(FakeKernel *kernel, Link *link, const Op *op, OpResult *result) {
        static const LinkRow order[] = {
                LINK_MAC, LINK_MTU, LINK_GROUP, LINK_ALIAS, LINK_ARP, LINK_MULTICAST,
                LINK_ALLMULTICAST, LINK_PROMISC, LINK_STATE, LINK_MASTER, LINK_TXQUEUELEN,
                LINK_ADDR_GEN_MODE,
        };
        RowSet rows = op->rows[SECTION_COMMON];

        if (rows & ROW_BIT(LINK_ADDR_GEN_MODE) && link->common.values[LINK_MTU].number < 1280)
                return fake_refuse(result, -EAFNOSUPPORT,
                                   schema_row(&link_schema, LINK_ADDR_GEN_MODE),
                                   "no IPv6 on this link");
        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                const Row *row = schema_row(&link_schema, order[i]);
                int r;

                if (!(rows & ROW_BIT(order[i])))
                        continue;
                if (!attrset_has(&op->link->common, order[i]))
                        return fake_refuse(result, -EINVAL, row, "%s without a value", row->key);
                r = set_common_row(kernel, link, order[i], &op->link->common.values[order[i]]);
                if (r < 0)
                        return fake_refuse(result, r, row, "%s refused", row->key);
        }
        return 0;
}

/* A reference in a port's rows names another port of the same master (br_port_slave_changelink). */
static int check_ref(const Link *link, const Value *value) {
        const Link *other;

        if (!value->ref.link)
                return 0;
        other = namespace_find_link(link->netns, value->ref.link);
        if (!other || !streq_ptr(value->ref.netns, link->netns->name) || !link_master(other))
                return -ENOENT;
        return other == link || link_master(other) != link_master(link) ? -EINVAL : 0;
}

/* One that is no port is remembered, but not reported: for a plan that is as good as refused. */
static int check_own_port(const Link *link, const Value *value) {
        const Link *port = value->ref.link ? namespace_find_link(link->netns, value->ref.link) : NULL;

        if (!value->ref.link)
                return 0;
        return port && link_master(port) == link ? 0 : -EINVAL;
}

static int change_row(FakeKernel *kernel, Link *link, AttrSet *to, size_t at, const Value *value) {
        const Row *row = schema_row(to->schema, at);
        int r = 0;

        /* Answered with 0 and not done, as vlan_changelink() does with the id. */
        if (row->flags & ROW_LOCAL || row->change == CHANGE_CREATE || row->change == CHANGE_KEY ||
            row->change == CHANGE_STATE)
                return 0;
        if (row->change == CHANGE_DOWN && fake_is_up(link))
                return -EBUSY;
        if (row->flags & ROW_NO_PORTS && fake_has_ports(kernel, link))
                return -ENOTEMPTY;
        if (!row_counts(row, to == &link->port ? &link_master(link)->options : to))
                return -EACCES;
        if (!value_equal(row, value, &to->values[at]) &&
            value_change_is_fixed(row, &to->values[at], value))
                return -EINVAL;
        if (row->phase == PHASE_PORTED && to == &link->options)
                r = check_own_port(link, value);
        else if (row->type->is_ref && row->type->shape == SHAPE_SCALAR)
                r = check_ref(link, value);
        if (r == 0 && to == &link->options && link->kind->default_vid &&
            streq(row->key, link->kind->default_vid))
                return fake_change_default_vid(kernel, link, at, value);
        if (r == 0)
                r = take_value(kernel, to, at, value);
        if (r == 0 && row->far && link_peer(link)) {
                AttrSet *far = &link_peer(link)->options;

                r = fake_set_value(kernel, far, (size_t)schema_find(far->schema, row->far), value);
        }
        return r < 0 ? r : set_siblings(kernel, link, row, value);
}

/*
 * Rows of PHASE_AFTER are handled before the others of a message: the bridge's timers are checked
 * against the STP state of before (br_changelink), so together with others they fail.
 */
static const Row *row_too_early(const AttrSet *from, RowSet rows) {
        const Row *after = NULL;
        bool others = false;
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(from->schema, i);

                if (row->phase == PHASE_AFTER)
                        after = row;
                else
                        others = true;
        }
        return others ? after : NULL;
}

static int change_rows(FakeKernel *kernel, Link *link, AttrSet *to, const AttrSet *from,
                       RowSet rows, OpResult *result) {
        const Row *early = row_too_early(from, rows);
        RowSet sent;
        size_t i;
        int r;

        if (early)
                return fake_refuse(result, -ERANGE, early, "%s together with others", early->key);
        if (rows && check_transport(from, rows, schema_row(from->schema,
                                                           (size_t)__builtin_ctzll(rows))->transport,
                                    result) < 0)
                return result->error;
        if (to == &link->options && link_kind_is(link->kind, KIND_REPLACES)) {
                sent = from->present;
                r = fake_zero(kernel, link, sent);
                if (r < 0)
                        return r;
        } else {
                sent = rows ? sent_rows(from, rows) : 0;
        }
        ROWSET_FOREACH(i, sent) {
                const Row *row = schema_row(from->schema, i);

                if (!attrset_has(from, i))
                        return fake_refuse(result, -EINVAL, row, "%s without a value", row->key);
                r = change_row(kernel, link, to, i, &from->values[i]);
                if (r < 0)
                        return fake_refuse(result, r, row, "%s refused", row->key);
                clear_unsent_bits(to, i, sent);
        }
        return 0;
}

/* A kind whose every row is fixed has no changelink at all. */
static bool is_changeable(const Schema *schema) {
        for (size_t i = 0; i < schema_size(schema); i++)
                if (schema_row(schema, i)->change <= CHANGE_DOWN)
                        return true;
        return false;
}

int fake_link_set(FakeKernel *kernel, const Op *op, OpResult *result) {
        Link *link;
        int r = fake_find(kernel, op, result, &link);

        if (r < 0)
                return r;
        switch (op->section) {
        case SECTION_COMMON:
                return set_common(kernel, link, op, result);
        case SECTION_OPTIONS:
                if (!link->kind || link->kind != op->link->kind ||
                    (!is_changeable(&link->kind->options) && !link_kind_lower(link->kind)->nla))
                        return fake_refuse(result, -EOPNOTSUPP, NULL, "%s cannot be changed so",
                                           link->kind_name ? link->kind_name : "this link");
                r = fake_set_lower(kernel, link, op, result);
                return r < 0 ? r : change_rows(kernel, link, &link->options, &op->link->options,
                                               op->rows[SECTION_OPTIONS], result);
        case SECTION_PORT:
                if (!link->port.schema || link->port.schema != op->link->port.schema)
                        return fake_refuse(result, -EOPNOTSUPP, NULL, "%s is no such port",
                                           link->name);
                return change_rows(kernel, link, &link->port, &op->link->port,
                                   op->rows[SECTION_PORT], result);
        case SECTION_VLANS:
                if (!link->vlans.schema)
                        return fake_refuse(result, -EOPNOTSUPP, NULL, "%s has no VLANs",
                                           link->name);
                return fake_set_value(kernel, &link->vlans, 0, &op->link->vlans.values[0]);
        case _SECTION_N:
                break;
        }
        return -EINVAL;
}
