/* SPDX-License-Identifier: MIT */
/*
 * Which link that is there is which that is wanted. The record knows links that we made by
 * namespace and ifindex, whatever they are called now; the rest goes by name; a NIC by what its
 * `match` says; the end of a pair that is not where it should be is found through its other end.
 */

#include "planner.h"

LinkPlan *planner_by_wanted(const Planner *planner, const Link *wanted) {
        LinkPlan *link = NULL;

        if (wanted)
                HASH_FIND(by_wanted, planner->links, &wanted, sizeof(wanted), link);
        return link;
}

LinkPlan *planner_by_have(const Planner *planner, const Link *have) {
        LinkPlan *link = NULL;

        if (have)
                HASH_FIND(by_have, planner->existing, &have, sizeof(have), link);
        return link;
}

const Namespace *planner_have_netns(const Planner *planner, const Link *wanted) {
        const Namespace *netns = network_find_namespace(planner->have, wanted->netns->name);

        return netns && netns->exists ? netns : NULL;
}

static bool same_kind(const Link *wanted, const Link *have) {
        return link_is_physical(wanted) || (have->kind && have->kind == wanted->kind);
}

static void pair_up(Planner *planner, LinkPlan *link, const Link *have) {
        link->have = have;
        HASH_ADD(by_have, planner->existing, have, sizeof(link->have), link);
}

/* Our mark, unless another configuration's record tells whose it is. */
static bool is_marked(const Planner *planner, const Link *have) {
        _cleanup_(buf_deinit) Buf path = {};

        link_path(have, &path);
        return attrset_has(&have->common, LINK_GROUP) &&
               have->common.values[LINK_GROUP].number == LINK_GROUP_OURS &&
               !record_claimed_by(planner->record, buf_text(&path));
}

static const RecordEntry *entry_of(const Planner *planner, const Link *have) {
        return record_of_link(planner->record, have);
}

static void match_by_record(Planner *planner, LinkPlan *link) {
        const Namespace *netns = planner_have_netns(planner, link->wanted);
        const Link *have;

        if (!netns || !link->entry || !link->entry->made || !link->entry->ifindex ||
            link->entry->netns != netns->cookie)
                return;
        have = planner_find(planner, netns->cookie, link->entry->ifindex);
        if (have && record_is_link(link->entry, have) && same_kind(link->wanted, have) &&
            !link_is_physical(link->wanted) && !planner_by_have(planner, have))
                pair_up(planner, link, have);
}

static void match_by_name(Planner *planner, LinkPlan *link) {
        const Namespace *netns = planner_have_netns(planner, link->wanted);
        const Link *have = netns ? namespace_find_link(netns, link->wanted->name) : NULL;

        if (have && !link->have && !planner_by_have(planner, have))
                pair_up(planner, link, have);
}

static bool text_matches(const AttrSet *match, const char *key, const char *text) {
        const Value *value = attrset_get(match, key);

        return !value || (text && streq(value->text, text));
}

static bool altname_matches(const Link *wanted, const Link *have) {
        const Value *value = attrset_get(&wanted->match, "altname");

        for (const Object *object = have->objects; value && object; object = object->next)
                if (object->type == &object_altname &&
                    streq(object->set.values[0].text, value->text))
                        return true;
        return !value;
}

static bool nic_matches(const Link *wanted, const Link *have) {
        const Value *mac = attrset_get(&wanted->match, "mac");

        if (have->kind_name)
                return false;
        if (mac && !(have->has_permanent_mac && memcmp(have->permanent_mac, mac->bytes, 6) == 0))
                return false;
        return text_matches(&wanted->match, "driver", have->driver) &&
               text_matches(&wanted->match, "path", have->path) && altname_matches(wanted, have);
}

/* What is in somebody else's namespace stays there. */
static bool is_declared(const Planner *planner, const Namespace *have) {
        return network_find_namespace(planner->wanted, have->name);
}

static void match_nic(Planner *planner, LinkPlan *link) {
        if (!link->wanted->match.present || !planner_have_netns(planner, link->wanted))
                return;
        for (const Namespace *netns = planner->have->namespaces; netns; netns = netns->hh.next)
                for (const Link *have = is_declared(planner, netns) ? netns->links : NULL; have;
                     have = have->hh.next)
                        if (!planner_by_have(planner, have) && nic_matches(link->wanted, have)) {
                                pair_up(planner, link, have);
                                return;
                        }
}

/* Somebody else's far end is not moved to where we want one: that is a conflict. */
static void match_by_peer(Planner *planner, LinkPlan *link) {
        LinkPlan *peer = planner_by_wanted(planner, link_peer(link->wanted));
        const Link *far = peer && peer->have ? link_peer(peer->have) : NULL;

        if (!link->have && far && (entry_of(planner, far) || is_marked(planner, far)) &&
            same_kind(link->wanted, far) && !planner_by_have(planner, far) &&
            planner_have_netns(planner, link->wanted))
                pair_up(planner, link, far);
}

static void add_wanted(Planner *planner, const Link *wanted) {
        LinkPlan *link = arena_new(planner->arena, LinkPlan);

        if (!link) {
                planner->failed = true;
                return;
        }
        link->wanted = wanted;
        link->entry = record_find(planner->record, planner_path(planner, wanted));
        link->item = planner_item(planner, ITEM_LINK, planner_path(planner, wanted),
                                  wanted->kind_name, wanted->at);
        link->item->wanted = wanted;
        HASH_ADD(by_wanted, planner->links, wanted, sizeof(link->wanted), link);
}

/* What the record says of a link that is gone says nothing of the one that has its name now. */
static bool is_about(const RecordEntry *entry, const Link *have) {
        return !entry->made && entry->ifindex == have->ifindex &&
               entry->netns == have->netns->cookie;
}

static void find_owner(Planner *planner, LinkPlan *link) {
        const RecordEntry *made = link->have ? entry_of(planner, link->have) : NULL;

        link->item->have = link->have;
        if (!link->have)
                return;
        if (made)
                link->entry = made;
        else if (link->entry && !is_about(link->entry, link->have)) {
                planner_forget(planner, link->entry->path, NULL);
                link->entry = NULL;
        }
        if (!link_is_physical(link->wanted))
                link->ours = made || is_marked(planner, link->have);
}

void planner_match(Planner *planner) {
        for (const Namespace *netns = planner->wanted->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next)
                        add_wanted(planner, link);
        if (planner->failed)
                return;
        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next)
                match_by_record(planner, link);
        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next)
                if (link->wanted->match.present)
                        match_nic(planner, link);
        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next)
                if (!link->wanted->match.present)
                        match_by_name(planner, link);
        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next)
                match_by_peer(planner, link);
        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next)
                find_owner(planner, link);
}

static void add_upper(Planner *planner, const Link *lower, const Link *link, bool port) {
        struct Upper *upper = arena_new(planner->arena, struct Upper);
        Uppers *uppers = NULL;

        HASH_FIND(hh, planner->uppers, &lower, sizeof(lower), uppers);
        if (!uppers && (uppers = arena_new(planner->arena, Uppers))) {
                uppers->lower = lower;
                HASH_ADD(hh, planner->uppers, lower, sizeof(uppers->lower), uppers);
        }
        if (!upper || !uppers) {
                planner->failed = true;
                return;
        }
        *upper = (struct Upper){uppers->first, link, port};
        uppers->first = upper;
}

static void add_numbered(Planner *planner, const Link *link) {
        Numbered *numbered = arena_new(planner->arena, Numbered);

        if (!numbered) {
                planner->failed = true;
                return;
        }
        numbered->key = (struct NumberedKey){link->netns->cookie, (uint64_t)link->ifindex};
        numbered->link = link;
        HASH_ADD(hh, planner->numbered, key, sizeof(numbered->key), numbered);
}

const Link *planner_find(const Planner *planner, uint64_t cookie, int ifindex) {
        const struct NumberedKey key = {cookie, (uint64_t)ifindex};
        Numbered *numbered = NULL;

        HASH_FIND(hh, planner->numbered, &key, sizeof(key), numbered);
        return numbered ? numbered->link : NULL;
}

void planner_index(Planner *planner) {
        for (const Namespace *netns = planner->have->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next) {
                        const Link *lower = link_lower(link), *master = link_master(link);

                        if (netns->exists)
                                add_numbered(planner, link);
                        if (lower && (!link->kind || link_kind_dies_with_parent(link->kind)))
                                add_upper(planner, lower, link, false);
                        if (master)
                                add_upper(planner, master, link, true);
                }
}

const Uppers *planner_uppers(const Planner *planner, const Link *have) {
        Uppers *uppers = NULL;

        HASH_FIND(hh, planner->uppers, &have, sizeof(have), uppers);
        return uppers;
}
