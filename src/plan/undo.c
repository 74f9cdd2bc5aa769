/* SPDX-License-Identifier: MIT */
/*
 * What the record holds and the files no longer mention: links that we made go, what we set on
 * others is put back, objects and namespaces of ours go. Nothing is undone on the strength of a
 * name: the namespace's cookie and the ifindex must be those in the record.
 */

#include "planner.h"

static bool is_link_path(const char *path) {
        size_t n = strlen(path);

        return n && path[n - 1] != '/' && !strchr(path, ' ');
}

static bool is_netns_path(const char *path) {
        size_t n = strlen(path);

        return n && path[n - 1] == '/';
}

static bool is_foreign(const Planner *planner, const Link *have) {
        const LinkPlan *plan = planner_by_have(planner, have);

        return !(plan && plan->ours) &&
               !record_of_link(planner->record, have);
}

/* Somebody else's link on this one, or on what of ours goes with it. */
static const Link *foreign_on(const Planner *planner, const Link *have, bool ports,
                              unsigned depth) {
        const Uppers *uppers = planner_uppers(planner, have);
        const Link *foreign = NULL;

        for (const struct Upper *upper = uppers ? uppers->first : NULL; upper && !foreign;
             upper = upper->next) {
                if (upper->port && (ports || planner_by_have(planner, upper->link)))
                        continue;
                if (is_foreign(planner, upper->link))
                        foreign = upper->link;
                else if (!upper->port && depth < 64)
                        foreign = foreign_on(planner, upper->link, ports, depth + 1);
        }
        return foreign;
}

const char *planner_foreign_on(Planner *planner, const Link *have, bool ports) {
        const Link *foreign = foreign_on(planner, have, ports, 0), *peer = link_peer(have);

        if (!foreign && peer)
                foreign = foreign_on(planner, peer, ports, 0);
        return foreign ? planner_path(planner, foreign) : NULL;
}

static LinkPlan *drop(Planner *planner, const RecordEntry *entry, const Link *have) {
        LinkPlan *link = arena_new(planner->arena, LinkPlan);

        if (!link) {
                planner->failed = true;
                return NULL;
        }
        *link = (LinkPlan){.have = have, .entry = entry, .ours = entry->made};
        link->item = planner_item(planner, ITEM_LINK, planner_path(planner, have), have->kind_name,
                                  (Location){});
        link->item->have = have;
        HASH_ADD(by_have, planner->existing, have, sizeof(link->have), link);
        if (planner->last_undone)
                planner->last_undone->next = link;
        else
                planner->undone = link;
        planner->last_undone = link;
        return link;
}

static void undo_link(Planner *planner, LinkPlan *link) {
        const char *foreign;

        if (!link->entry->made) {
                planner_aim(planner, link);
                item_judge(link->item, VERDICT_STAYS, "not made by mvnetd");
                return;
        }
        foreign = planner_foreign_on(planner, link->have, false);
        if (foreign) {
                item_judge(link->item, VERDICT_CONFLICT,
                           planner_text(planner, "no longer in the file, but %s, which mvnetd did "
                                        "not make, would go with it", foreign));
                return;
        }
        link->remove = true;
        item_judge(link->item, VERDICT_DELETE, "no longer in the file");
}

/* Foreign is what is neither wanted nor in the record, so this needs all links matched, no more. */
static void undo_links(Planner *planner) {
        for (LinkPlan *link = planner->undone; link && !planner->failed; link = link->next)
                undo_link(planner, link);
}

void planner_undo_links(Planner *planner) {
        const RecordEntry *entry;

        for (entry = planner->record->entries; entry; entry = entry->hh.next) {
                const Link *have = planner_find(planner, entry->netns, entry->ifindex);

                if (!is_link_path(entry->path))
                        continue;
                if (have && !record_is_link(entry, have))
                        have = NULL;
                if (!have && !network_find_path(planner->wanted, entry->path))
                        planner_forget(planner, entry->path, NULL);
                else if (have && !planner_by_have(planner, have))
                        drop(planner, entry, have);
        }
        undo_links(planner);
}

static bool split_object_path(const char *path, char link[128], char type[32],
                              const char **ret_key) {
        const char *first = strchr(path, ' '), *second = first ? strchr(first + 1, ' ') : NULL;

        if (!second || (size_t)(first - path) >= 128 || (size_t)(second - first) > 32)
                return false;
        memcpy(link, path, (size_t)(first - path));
        link[first - path] = '\0';
        memcpy(type, first + 1, (size_t)(second - first - 1));
        type[second - first - 1] = '\0';
        *ret_key = second + 1;
        return true;
}

static Object *find_by_key(Object *list, const char *type, const char *key) {
        for (Object *object = list; object; object = object->next) {
                _cleanup_(buf_deinit) Buf text = {};

                object_key(object, &text);
                if (streq(object->type->schema.name, type) && streq(buf_text(&text), key))
                        return object;
        }
        return NULL;
}

/* What lives in a namespace can be a thousand routes. */
static void index_objects(Planner *planner, const Namespace *netns) {
        for (Object *object = netns->objects; object; object = object->next) {
                Keyed *keyed = arena_new(planner->arena, Keyed);
                _cleanup_(buf_deinit) Buf text = {};

                object_key(object, &text);
                if (keyed)
                        keyed->key = planner_text(planner, "%p %s %s", (const void *)netns,
                                                  object->type->schema.name, buf_text(&text));
                if (!keyed || planner->failed) {
                        planner->failed = true;
                        return;
                }
                keyed->object = object;
                HASH_ADD_KEYPTR(hh, planner->keyed, keyed->key, strlen(keyed->key), keyed);
        }
}

static Object *planner_find_keyed(Planner *planner, const Namespace *netns, const char *type,
                                  const char *key) {
        const char *path = planner_text(planner, "%p %s %s", (const void *)netns, type, key);
        Keyed *keyed = NULL;

        if (!planner->keyed) {
                for (netns = planner->wanted->namespaces; netns; netns = netns->hh.next)
                        index_objects(planner, netns);
                for (netns = planner->have->namespaces; netns; netns = netns->hh.next)
                        index_objects(planner, netns);
        }
        HASH_FIND_STR(planner->keyed, path, keyed);
        return keyed ? keyed->object : NULL;
}

/* A parameter goes back to the value that was found before; there is no such thing as none. */
static void undo_sysctl(Planner *planner, const RecordEntry *entry, const Object *have,
                        const Link *link, const Namespace *netns, PlanItem *item) {
        const RecordRow *recorded = record_row(entry, "value");
        size_t row = (size_t)schema_find(&have->type->schema, "value");
        ParseScope scope = {.arena = planner->arena};
        Object *back = arena_new(planner->arena, Object);
        Value value;
        Op *op;

        if (!back || attrset_copy(&have->set, planner->arena, &back->set) < 0) {
                planner->failed = true;
                return;
        }
        if (!recorded || !recorded->was || !attrset_has(&have->set, row) ||
            value_parse(schema_row(&have->type->schema, row), &scope, recorded->was, &value) != 0 ||
            value_equal(schema_row(&have->type->schema, row), &value, &have->set.values[row])) {
                planner_forget(planner, entry->path, NULL);
                return;
        }
        back->type = have->type;
        attrset_set(&back->set, row, value);
        op = planner_step(planner, OP_OBJECT_SET, STAGE_OBJECT_DEL, 0, item);
        op->netns = netns->name;
        op->name = link ? link->name : netns->name;
        op->link = (Link *)link;
        op->ifindex = link ? link->ifindex : 0;
        op->object = back;
        op->object_rows = ROW_BIT(row);
        op->undoes = true;
        planner_line(planner, item,
                     planner_text(planner, "sysctl.%s", planner_label(planner, have)),
                     have->set.values[row].text, recorded->was, (Location){});
}

/* What it lives within was ours, is there, and is undone as well: nobody wants either. */
static bool goes_with_outer(Planner *planner, const Link *have, const Object *object) {
        const Object *outer = object_outer(have->objects, object);
        const RecordEntry *entry = NULL;
        _cleanup_(buf_deinit) Buf path = {};

        if (outer) {
                object_path(have, NULL, outer, &path);
                entry = record_find(planner->record, buf_text(&path));
        }
        return entry && entry->made;
}

static void undo_link_object(Planner *planner, const RecordEntry *entry, const char *type,
                             const char *key) {
        const Link *have = planner_find(planner, entry->netns, entry->ifindex);
        const LinkPlan *link = planner_by_have(planner, have);
        Object *object = have ? find_by_key(have->objects, type, key) : NULL;
        const Object *wanted = link && link->wanted
                ? find_by_key(link->wanted->objects, type, key) : NULL;
        Op *op;

        if (!object && wanted && object_may_move(wanted))
                return; /* it is elsewhere, and ours still */
        if (!object || (!entry->made && object->type->transport != TRANSPORT_SYSCTL)) {
                planner_forget(planner, entry->path, NULL);
                return;
        }
        if (link && link->remove)
                return; /* goes with the link, and is forgotten once it is gone */
        if (wanted || (link && link->wanted && planner_list_of(link->wanted, object)))
                return; /* or it goes with what is not in its list */
        if (goes_with_outer(planner, have, object))
                return;
        if (!link)
                link = drop(planner, entry, have);
        if (!link)
                return;
        if (object->type->transport == TRANSPORT_SYSCTL) {
                undo_sysctl(planner, entry, object, have, have->netns, link->item);
                return;
        }
        op = planner_step(planner, OP_OBJECT_DEL, STAGE_OBJECT_DEL, 0, link->item);
        op->netns = have->netns->name;
        op->name = have->name;
        op->link = (Link *)have;
        op->ifindex = have->ifindex;
        op->object = object;
        planner_line(planner, link->item, object->type->schema.name, planner_label(planner, object),
                     NULL, (Location){});
}

static PlanItem *netns_item(Planner *planner, const char *name) {
        PlanItem *item = planner_netns_item(planner, name);

        return item ? item : planner_item(planner, ITEM_NETNS, planner_text(planner, "%s", name),
                                          "namespace", (Location){});
}

static void undo_entry(Planner *planner, const RecordEntry *entry, const Object *have,
                       const Namespace *netns) {
        const Value *protocol = attrset_get(&have->set, "protocol");
        bool stays = network_find_namespace(planner->wanted, netns->name);
        PlanItem *item;
        Op *op;

        /* Whoever put another one in its place has to take it away again. */
        if (!entry->made || (protocol && protocol->number != PROTOCOL_OURS)) {
                planner_forget(planner, entry->path, NULL);
                return;
        }
        item = netns_item(planner, netns->name);
        /* With it the kernel would delete what is about to refer to another one. */
        op = planner_step(planner, OP_OBJECT_DEL,
                          have->type->flags & OBJECT_REFERRED && stays ? STAGE_RELEASED
                                                                       : STAGE_OBJECT_DEL,
                          have->type->rank ? have->type->rank(&have->set) : 0, item);
        op->netns = op->name = netns->name;
        op->object = have;
        op->undoes = true;
        planner_line(planner, item, have->type->schema.name, planner_label(planner, have), NULL,
                     (Location){});
}

static void undo_netns_object(Planner *planner, const RecordEntry *entry, const char *name,
                              const char *type, const char *key) {
        const Namespace *have = network_find_namespace(planner->have, name);
        const Namespace *wanted = network_find_namespace(planner->wanted, name);
        Object *object;

        if (wanted && planner_find_keyed(planner, wanted, type, key))
                return;
        object = have && have->exists && have->cookie == entry->netns
                ? planner_find_keyed(planner, have, type, key) : NULL;
        if (!object)
                planner_forget(planner, entry->path, NULL);
        else if (object->type->transport == TRANSPORT_SYSCTL)
                undo_sysctl(planner, entry, object, NULL, have, netns_item(planner, name));
        else
                undo_entry(planner, entry, object, have);
}

static void undo_object(Planner *planner, const RecordEntry *entry) {
        char owner[128], type[32];
        const char *key;

        if (!split_object_path(entry->path, owner, type, &key))
                planner_forget(planner, entry->path, NULL);
        else if (entry->ifindex)
                undo_link_object(planner, entry, type, key);
        else
                undo_netns_object(planner, entry, owner, type, key);
}

/* Made in every namespace by the kernel; they can't be deleted (ip_tunnel.c, 6.1). */
static bool comes_along(const Link *link) {
        return streq(link->name, "lo") || link_is_fallback(link);
}

static const char *foreign_in(Planner *planner, const Namespace *netns) {
        for (const Link *link = netns->links; link; link = link->hh.next) {
                const LinkPlan *plan = planner_by_have(planner, link);

                if (!comes_along(link) && !(plan && (plan->remove || plan->changes_netns)))
                        return planner_path(planner, link);
        }
        return NULL;
}

static void undo_netns(Planner *planner, const RecordEntry *entry) {
        const char *name = planner_text(planner, "%.*s", (int)strlen(entry->path) - 1, entry->path);
        const Namespace *have = network_find_namespace(planner->have, name);
        const char *foreign;
        PlanItem *item;
        Op *op;

        if (network_find_namespace(planner->wanted, name))
                return;
        /* A name that is dead was left by a deletion that was cut short. */
        if (!have || !entry->made ||
            !(have->dead || (have->exists && have->cookie == entry->netns))) {
                planner_forget(planner, entry->path, NULL);
                return;
        }
        item = netns_item(planner, name);
        foreign = foreign_in(planner, have);
        if (foreign)
                item_judge(
                        item, VERDICT_STAYS,
                        planner_text(planner, "no longer in the file, but %s is in it", foreign));
        else if (have->used_by)
                item_judge(item, VERDICT_STAYS,
                           planner_text(planner, "no longer in the file, but in use by process %d",
                                        have->used_by));
        if (item->verdict != VERDICT_OK)
                return;
        item_judge(item, VERDICT_DELETE, "no longer in the file");
        op = planner_step(planner, OP_NETNS_DEL, STAGE_NETNS_DEL, 0, item);
        op->netns = op->name = have->name;
        op->space = have;
}

/* A NIC goes back to where it was found. */
static void undo_place(Planner *planner, LinkPlan *link) {
        const RecordRow *place = record_row(link->entry, "place");
        const char *slash = place && place->was ? strchr(place->was, '/') : NULL;
        Op *op;

        if (!place || !place->was || streq(place->was, link->item->path)) {
                if (place)
                        planner_forget(planner, link->entry->path, "place");
                return;
        }
        op = planner_step(planner, OP_LINK_MOVE, STAGE_MOVE, 1, link->item);
        op->netns = link->have->netns->name;
        op->name = link->have->name;
        op->ifindex = link->have->ifindex;
        op->to.netns = slash ? planner_text(planner, "%.*s", (int)(slash - place->was), place->was)
                             : HOST;
        op->to.link = slash ? slash + 1 : place->was;
        link->changes_netns = !streq(op->to.netns, op->netns);
        planner_line(planner, link->item, "place", link->item->path, place->was, (Location){});
}

void planner_undo_rest(Planner *planner) {
        const RecordEntry *entry;

        for (entry = planner->record->entries; entry; entry = entry->hh.next)
                if (strchr(entry->path, ' '))
                        undo_object(planner, entry);
        for (LinkPlan *link = planner->undone; link; link = link->next)
                if (!strchr(link->entry->path, ' ') && !link->entry->made)
                        undo_place(planner, link);
        for (entry = planner->record->entries; entry; entry = entry->hh.next)
                if (is_netns_path(entry->path))
                        undo_netns(planner, entry);
        for (LinkPlan *link = planner->undone; link; link = link->next)
                if (!link->item->n_ops && link->entry && !link->entry->made &&
                    !strchr(link->entry->path, ' '))
                        planner_forget(planner, link->entry->path, NULL);
}
