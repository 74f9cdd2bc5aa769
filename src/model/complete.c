/* SPDX-License-Identifier: MIT */
/*
 * What files leave to policy. Everything filled in here is marked as implied: it holds for links
 * that mvnetd makes and is never forced on anybody else's.
 */

#include "mvnet/network.h"

#include <errno.h>
#include <linux/if_link.h>

static void make_stable_mac(const Link *link, const uint8_t seed[16], Value *ret) {
        uint64_t hash = hash_bytes(HASH_BEGIN, seed, 16);

        hash = hash_bytes(hash, link->netns->name, strlen(link->netns->name) + 1);
        hash = hash_bytes(hash, link->name, strlen(link->name) + 1);
        hash ^= hash >> 32;
        ret->policy = MAC_STABLE;
        for (size_t i = 0; i < 6; i++)
                ret->bytes[i] = (uint8_t)(hash >> (8 * i));
        ret->bytes[0] = (uint8_t)((ret->bytes[0] & ~1u) | 2u);
}

static void imply(Link *link, LinkRow row, Value value) {
        if (attrset_has(&link->common, row))
                return;
        attrset_set(&link->common, row, value);
        link->common.implied |= ROW_BIT(row);
}

static void share_options(const Link *link, Link *peer) {
        RowSet present = link->options.present;
        size_t i;

        ROWSET_FOREACH(i, present) {
                const char *far = schema_row(link->options.schema, i)->far;
                int row = far ? schema_find(link->options.schema, far) : -1;

                if (row < 0)
                        continue;
                attrset_set(&peer->options, (size_t)row, link->options.values[i]);
                peer->options.implied |= ROW_BIT(row);
        }
}

/* The end of a pair that says nothing of its own kind gets it from the end that names it. */
static int complete_far_end(Link *link) {
        Link *peer = link_peer(link);
        int row;

        if (!peer || peer == link || peer->kind == link->kind)
                return 0;
        if (peer->kind)
                return 0; /* something else: the check tells */
        if (link_set_kind(peer, link->kind) < 0)
                return -ENOMEM;
        row = schema_find_type(peer->options.schema, &attr_peer);
        attrset_set(&peer->options, (size_t)row, (Value){.ref = link_self(link)});
        peer->options.implied |= ROW_BIT(row);
        share_options(link, peer);
        peer->far_end = true;
        return 0;
}

/* Of two ends that both say kind and peer, the one declared first makes the pair. */
static void choose_far_end(Link *link) {
        Link *peer = link_peer(link);

        if (peer && peer != link && link_peer(peer) == link && !link->far_end)
                peer->far_end = true;
}

static void complete_mac(Link *link, const uint8_t seed[16]) {
        const char *key, *reason;
        Value *mac = &link->common.values[LINK_MAC];

        if (!link_kind_is(link->kind, KIND_SOLID) && !link_kind_is(link->kind, KIND_NO_MAC)) {
                imply(link, LINK_MAC, (Value){.policy = MAC_STABLE});
                /* Some modes have no address of their own: the kind's own rules know. */
                if (link->common.implied & ROW_BIT(LINK_MAC) &&
                    link_verify(link, &key, &reason) > 0 && streq(key, "mac"))
                        link->common.present &= ~ROW_BIT(LINK_MAC);
        }
        if (!attrset_has(&link->common, LINK_MAC))
                return;
        if (mac->policy == MAC_KERNEL)
                link->common.present &= ~ROW_BIT(LINK_MAC);
        else if (mac->policy == MAC_STABLE)
                make_stable_mac(link, seed, mac);
}

static int complete_link(Link *link, const uint8_t seed[16]) {
        const Link *master;

        if (!attrset_has(&link->common, LINK_STATE))
                attrset_set(&link->common, LINK_STATE, (Value){.number = LINK_STATE_UP});
        if (!link->kind && link_set_kind(link, link_kind_find("physical")) < 0)
                return -ENOMEM;
        if (link_is_physical(link))
                return 0;
        imply(link, LINK_GROUP, (Value){.number = LINK_GROUP_OURS});
        complete_mac(link, seed);
        master = link_master(link);
        if (master && link_kind_is(master->kind, KIND_SOLID) &&
            !link_kind_is(master->kind, KIND_L3_MASTER))
                imply(link, LINK_ADDR_GEN_MODE, (Value){.number = IN6_ADDR_GEN_MODE_NONE});
        return 0;
}

/* What may be written only with something else is not implied without it (IPv6 has no label). */
static void withdraw_rows(Object *object) {
        const char *key, *reason;

        while (object->type->verify && object->type->verify(&object->set, &key, &reason) > 0) {
                RowSet row = ROW_BIT(schema_find(&object->type->schema, key));

                if (!(object->set.implied & row))
                        return;
                object->set.present &= ~row;
                object->set.implied &= ~row;
        }
}

/* Such an object has each row as it is said, or at its default. */
static int complete_rows(Network *network, Object *object) {
        ParseScope scope = {.arena = &network->arena};
        size_t n = schema_size(&object->type->schema);

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(&object->type->schema, i);
                Value value;
                int r;

                if (!row->def || attrset_has(&object->set, i) || row->flags & ROW_LOCAL ||
                    !row_counts(row, &object->set))
                        continue;
                r = value_parse(row, &scope, row->def, &value);
                if (r != 0)
                        return r < 0 ? r : -EINVAL;
                attrset_set(&object->set, i, value);
                object->set.implied |= ROW_BIT(i);
        }
        return 0;
}

static int complete_objects(Namespace *netns, const Link *link, Object *objects) {
        int r = 0;

        for (; r == 0 && objects; objects = objects->next) {
                if (link && objects->type->fit)
                        objects->type->fit(objects, link);
                if (objects->type->complete)
                        r = objects->type->complete(objects, netns);
                if (r == 0 && objects->type->flags & (OBJECT_WHOLE | OBJECT_DEFAULTS))
                        r = complete_rows(netns->network, objects);
                if (r == 0 && objects->type->flags & OBJECT_DEFAULTS)
                        withdraw_rows(objects);
        }
        return r;
}

int network_complete(Network *network, const uint8_t seed[16]) {
        for (Namespace *netns = network->namespaces; netns; netns = netns->hh.next)
                for (Link *link = netns->links; link; link = link->hh.next)
                        if (link_kind_is(link->kind, KIND_PAIR) && complete_far_end(link) < 0)
                                return -ENOMEM;
        for (Namespace *netns = network->namespaces; netns; netns = netns->hh.next)
                for (Link *link = netns->links; link; link = link->hh.next) {
                        if (link_kind_is(link->kind, KIND_PAIR))
                                choose_far_end(link);
                        if (complete_link(link, seed) < 0)
                                return -ENOMEM;
                }
        for (Namespace *netns = network->namespaces; netns; netns = netns->hh.next) {
                int r = complete_objects(netns, NULL, netns->objects);

                for (Link *link = netns->links; r == 0 && link; link = link->hh.next)
                        r = complete_objects(netns, link, link->objects);
                if (r < 0)
                        return r;
        }
        return 0;
}
