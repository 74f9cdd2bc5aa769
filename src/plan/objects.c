/* SPDX-License-Identifier: MIT */
/* What lives on links and in namespaces, and the namespaces themselves. */

#include "planner.h"

#include <errno.h>

/* Dragged up by its parent, to be set down again: that takes IPv6 addresses along. */
static bool is_cycled(const Planner *planner, const LinkPlan *link) {
        return link_state(link->wanted) == LINK_STATE_DOWN && planner_is_dragged_up(planner, link);
}

static Stage object_stage(const Planner *planner, const LinkPlan *link, const Object *object) {
        if (object->type->flags & OBJECT_WHEN_UP)
                return STAGE_LAST;
        if (!(object->type->flags & OBJECT_LATE))
                return STAGE_DETAIL;
        return is_cycled(planner, link) ? STAGE_LAST : STAGE_ADDRESS;
}

static Op *object_step(Planner *planner, OpType type, Stage stage, const LinkPlan *link,
                       const Object *object) {
        Op *op = planner_step(planner, type, stage, link->depth, link->item);

        op->netns = link->wanted->netns->name;
        op->name = link->wanted->name;
        op->link = (Link *)link->wanted;
        if (link->have && !link->create && !link->changes_netns)
                op->ifindex = link->have->ifindex;
        op->object = object;
        op->object_rows = object->set.present;
        return op;
}

/* A parameter has one row: its value; the line is better named after the parameter. */
static void show_sysctl(Planner *planner, PlanItem *item, const Object *wanted,
                        const Object *have) {
        size_t row = (size_t)schema_find(&wanted->type->schema, "value");
        bool known = have && attrset_has(&have->set, row);

        planner_line(planner, item, planner_text(planner, "sysctl.%s", planner_label(planner, wanted)),
                     known ? have->set.values[row].text : NULL, wanted->set.values[row].text,
                     wanted->at);
}

/* "addresses 10.0.0.1/24 scope: global -> link" */
static void show_object_rows(Planner *planner, PlanItem *item, const Object *wanted,
                             const Object *have, RowSet rows) {
        const char *name = planner_text(planner, "%s %s", wanted->type->schema.name,
                                        planner_label(planner, wanted));
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(wanted->set.schema, i);

                planner_line(planner, item, planner_text(planner, "%s %s", name, row->key),
                             attrset_has(&have->set, i)
                                     ? planner_value(planner, row, &have->set.values[i]) : NULL,
                             planner_value(planner, row, &wanted->set.values[i]), wanted->at);
        }
}

static void show_object(Planner *planner, PlanItem *item, const Object *wanted,
                        const Object *have) {
        if (wanted->type->transport == TRANSPORT_SYSCTL)
                show_sysctl(planner, item, wanted, have);
        else
                planner_line(planner, item, wanted->type->schema.name,
                             have ? planner_label(planner, have) : NULL,
                             have ? planner_label(planner, wanted)
                                  : planner_entry(planner, wanted),
                             wanted->at);
}

const RecordEntry *planner_object_entry(const Planner *planner, const LinkPlan *link,
                                        const Object *object) {
        _cleanup_(buf_deinit) Buf path = {};

        object_path(link->wanted, NULL, object, &path);
        return record_find(planner->record, buf_text(&path));
}

/* Ours by the mark, by the record, or because the link was made with nothing on it. */
static bool is_our_object(const Planner *planner, const LinkPlan *link, const Object *have) {
        const Value *protocol = attrset_get(&have->set, "protocol");
        const RecordEntry *entry;

        if (protocol && protocol->number == PROTOCOL_OURS)
                return true;
        entry = planner_object_entry(planner, link, have);
        return entry && entry->made;
}

/* `kept`: rows that are not to be sent. */
static void change_object(Planner *planner, LinkPlan *link, const Object *wanted,
                          const Object *have, RowSet differ, RowSet kept) {
        Change worst = CHANGE_LIVE;
        const Row *worst_row = NULL;
        Op *op;
        size_t i;

        ROWSET_FOREACH(i, differ)
                if (schema_row(wanted->set.schema, i)->change > worst) {
                        worst_row = schema_row(wanted->set.schema, i);
                        worst = worst_row->change;
                }
        if (worst == CHANGE_LIVE) {
                op = object_step(planner, OP_OBJECT_SET, object_stage(planner, link, wanted), link,
                                 wanted);
                op->object_rows &= wanted->type->flags & OBJECT_BY_ROW ? differ : ~kept;
        } else if (is_our_object(planner, link, have) || planner_list_of(link->wanted, have)) {
                object_step(planner, OP_OBJECT_DEL, object_stage(planner, link, wanted), link,
                            have);
                object_step(planner, OP_OBJECT_ADD, object_stage(planner, link, wanted), link,
                            wanted);
        } else {
                item_judge(link->item, VERDICT_CONFLICT,
                           planner_text(planner,
                                        "%s is there, not added by mvnetd, with another %s",
                                        planner_label(planner, wanted), worst_row->key));
                return;
        }
        if (wanted->type->transport == TRANSPORT_SYSCTL)
                show_sysctl(planner, link->item, wanted, have);
        else
                show_object_rows(planner, link->item, wanted, have, differ);
}

/* The first link that an object names, as it is wanted; NULL: none. */
static const LinkPlan *named_by(const Planner *planner, const Object *object) {
        size_t i;

        ROWSET_FOREACH(i, object->set.present)
                if (schema_row(object->set.schema, i)->type->is_ref)
                        return planner_by_wanted(planner,
                                                 network_find_link(planner->wanted,
                                                                   &object->set.values[i].ref));
        return NULL;
}

/* What names a port can't be there before it. */
static bool is_possible(const Planner *planner, const LinkPlan *link, const Object *wanted) {
        const LinkPlan *port;

        if (wanted->type->flags & OBJECT_WHEN_UP && link->no_state)
                return false;
        if (!(wanted->type->flags & OBJECT_OF_PORT))
                return true;
        port = named_by(planner, wanted);
        return port == link || (port && !port->blocked && !port->no_master &&
                                (port->have || port->create));
}

static bool port_stays(const Planner *planner, const LinkPlan *link, const Object *have) {
        const LinkPlan *port = named_by(planner, have);

        return !port || port == link ||
               !(port->create || port->differ[SECTION_COMMON] & ROW_BIT(LINK_MASTER));
}

/*
 * Links that go down lose their IPv6 addresses, whatever the last dump said, but with
 * keep_addr_on_down. What is not ours is put back only once it is known to be gone.
 */
static bool is_lost(const Planner *planner, const LinkPlan *link, const Object *have) {
        const Value *address =
                have->type == &object_address ? attrset_get(&have->set, "address") : NULL;

        return address && address->family == 10 /* AF_INET6 */ && !link->changes_netns &&
               (planner_goes_down(planner, link) || is_cycled(planner, link)) &&
               is_our_object(planner, link, have);
}

/* Otherwise than by the link's going down. */
static bool survives(const Planner *planner, const LinkPlan *link, const Object *have) {
        if (link->changes_netns)
                return have->type == &object_altname;
        if (have->type->of_master && link->differ[SECTION_COMMON] & ROW_BIT(LINK_MASTER))
                return !have->type->of_master(&have->set);
        return !(have->type->flags & OBJECT_OF_PORT) || port_stays(planner, link, have);
}

/* Of rows that are never reported: what was set is not what is wanted now. */
static RowSet rows_set_otherwise(const Planner *planner, const LinkPlan *link,
                                 const Object *wanted, RowSet unknown) {
        const RecordEntry *entry = planner_object_entry(planner, link, wanted);
        RowSet rows = 0;
        size_t i;

        ROWSET_FOREACH(i, entry ? unknown & ~wanted->set.implied : 0) {
                const Row *row = schema_row(wanted->set.schema, i);
                const RecordRow *recorded = record_row(entry, row->key);
                _cleanup_(buf_deinit) Buf text = {};

                value_format(row, &wanted->set.values[i], &text);
                if (recorded && !streq_ptr(recorded->set, buf_text(&text)))
                        rows |= ROW_BIT(i);
        }
        return rows;
}

/* The list that counts as a whole and that this is one of, if there is one. */
const Declared *planner_list_of(const Link *wanted, const Object *have) {
        for (const Declared *list = wanted->declared; list; list = list->next)
                if (list->type == have->type ||
                    (list->type->as == have->type && list->type->speaks_of(&have->set)))
                        return list;
        return NULL;
}

static bool is_natural(const Object *object, const Link *link) {
        return object->type->is_natural && object->type->is_natural(object, link);
}

/* There, and not in its list. */
static bool is_surplus(const LinkPlan *link, const Object *have) {
        return planner_list_of(link->wanted, have) && !object_find(link->wanted->objects, have) &&
               !is_natural(have, link->have) && !is_natural(have, link->wanted);
}

/* What lives within another goes with it. */
static bool goes_with_outer(const LinkPlan *link, const Object *have) {
        const Object *outer = object_outer(link->have->objects, have);

        return outer && is_surplus(link, outer);
}

/* First, so that none takes the place of what comes. */
static void remove_surplus(Planner *planner, LinkPlan *link) {
        if (!link->wanted->declared || !link->have || link->create)
                return;
        for (const Object *have = link->have->objects; have; have = have->next) {
                if (!is_surplus(link, have) || !survives(planner, link, have) ||
                    goes_with_outer(link, have))
                        continue;
                object_step(planner, OP_OBJECT_DEL, object_stage(planner, link, have), link, have);
                planner_line(planner, link->item, have->type->schema.name, planner_label(planner, have),
                             NULL, planner_list_of(link->wanted, have)->at);
        }
}

/* An export can't say them, so that nobody says them need not mean that they are to go. */
static RowSet unsaid_secrets(const AttrSet *wanted) {
        RowSet rows = 0;
        size_t i;

        ROWSET_FOREACH(i, wanted->implied)
                if (schema_row(wanted->schema, i)->flags & ROW_SECRET)
                        rows |= ROW_BIT(i);
        return rows;
}

/* A user sets it to something, not to nothing. */
static RowSet rows_missing(const Object *wanted, const Object *have) {
        RowSet rows = 0;
        size_t i;

        ROWSET_FOREACH(i, wanted->set.present & ~have->set.present)
                if (schema_row(wanted->set.schema, i)->flags & ROW_USERS)
                        rows |= ROW_BIT(i);
        return rows;
}

/*
 * Rows that are left alone: what we have set to this already, and somebody who uses it to something
 * else since; and secrets that nobody mentions, unless they are ours.
 */
static RowSet rows_let_be(const Planner *planner, const LinkPlan *link, const Object *wanted,
                          RowSet differ) {
        RowSet rows = unsaid_secrets(&wanted->set);
        const RecordEntry *entry = planner_object_entry(planner, link, wanted);
        size_t i;

        ROWSET_FOREACH(i, entry ? differ : 0) {
                const Row *row = schema_row(wanted->set.schema, i);
                const RecordRow *recorded = record_row(entry, row->key);
                _cleanup_(buf_deinit) Buf text = {};
                bool same;

                value_format(row, &wanted->set.values[i], &text);
                same = recorded && streq_ptr(recorded->set, buf_text(&text));
                if (row->flags & ROW_USERS && same)
                        rows |= ROW_BIT(i);
                else if (row->flags & ROW_SECRET && recorded && !same)
                        rows &= ~ROW_BIT(i);
        }
        return rows;
}

/* Once the file has nothing to say any more its users have; if it says it again, that is news. */
static void forget_unsaid(Planner *planner, const LinkPlan *link, const Object *wanted) {
        const RecordEntry *entry = wanted->type->flags & OBJECT_WHOLE
                ? planner_object_entry(planner, link, wanted) : NULL;

        for (const RecordRow *said = entry ? entry->rows : NULL; said; said = said->next) {
                int i = schema_find(&wanted->type->schema, said->key);

                if (i >= 0 && schema_row(&wanted->type->schema, (size_t)i)->flags & ROW_USERS &&
                    !attrset_has(&wanted->set, (size_t)i))
                        planner_forget(planner, entry->path, said->key);
        }
}

static void add_object(Planner *planner, LinkPlan *link, const Object *wanted, RowSet kept,
                       bool lost) {
        OpType type = wanted->type->transport == TRANSPORT_SYSCTL ? OP_OBJECT_SET : OP_OBJECT_ADD;
        Op *op = object_step(planner, type, object_stage(planner, link, wanted), link, wanted);

        op->object_rows &= ~kept;
        op->again = lost || (object_may_move(wanted) && is_our_object(planner, link, wanted));
        show_object(planner, link->item, wanted, NULL);
}

static void adjust_object(Planner *planner, LinkPlan *link, const Object *wanted,
                          const Object *have, RowSet kept) {
        bool whole = !(wanted->type->flags & OBJECT_DEFAULTS) ||
                     is_our_object(planner, link, have);
        RowSet unknown = 0, differ = attrset_diff(&wanted->set, &have->set, whole, &unknown);
        RowSet missing = rows_missing(wanted, have);

        forget_unsaid(planner, link, wanted);
        if (wanted->type->transport == TRANSPORT_SYSCTL)
                differ |= unknown;
        else
                differ |= rows_set_otherwise(planner, link, wanted, unknown);
        differ &= ~kept;
        if (differ | missing)
                kept |= rows_let_be(planner, link, wanted, differ);
        differ = (differ | missing) & ~kept;
        if (differ)
                change_object(planner, link, wanted, have, differ, kept);
}

void planner_objects(Planner *planner, LinkPlan *link) {
        const char *waits = NULL;

        remove_surplus(planner, link);
        for (const Object *object = link->wanted->objects; object; object = object->next) {
                const Object *wanted, *have = link->have && !link->create
                        ? object_find(link->have->objects, object) : NULL;
                bool lost = have && is_lost(planner, link, have);
                Unknown unknown;

                if (lost || (have && !survives(planner, link, have)))
                        have = NULL;
                if (!have && !is_possible(planner, link, object)) {
                        waits = "waiting for one of its ports";
                        continue;
                }
                wanted = planner_look_up(planner, link, object, have, &unknown);
                if (have)
                        adjust_object(planner, link, wanted, have, unknown.rows);
                else
                        add_object(planner, link, wanted, unknown.rows, lost);
                if (unknown.waits)
                        waits = unknown.waits;
        }
        if (waits && !link->item->n_ops)
                item_judge(link->item, VERDICT_WAITING, waits);
}

bool planner_objects_differ(Planner *planner, const LinkPlan *link) {
        for (const Object *object = link->wanted->objects; object; object = object->next) {
                const Object *have = object_find(link->have->objects, object), *wanted;
                Unknown unknown;

                if (!have)
                        return true;
                wanted = planner_look_up(planner, link, object, have, &unknown);
                if (attrset_diff(&wanted->set, &have->set,
                                 !(wanted->type->flags & OBJECT_DEFAULTS), NULL) &
                    ~(unsaid_secrets(&wanted->set) | unknown.rows))
                        return true;
        }
        for (const Object *have = link->have->objects; have; have = have->next)
                if (is_surplus(link, have))
                        return true;
        return false;
}

void planner_netns_objects(Planner *planner, const Namespace *netns, PlanItem *item) {
        const Namespace *there = network_find_namespace(planner->have, netns->name);

        for (const Object *wanted = netns->objects; wanted; wanted = wanted->next) {
                Object *have = there && there->exists ? object_find(there->objects, wanted) : NULL;
                RowSet unknown = 0;
                Op *op;

                if (wanted->type->transport != TRANSPORT_SYSCTL)
                        continue; /* entries.c, once it is known what becomes of links */
                if (have && !(attrset_diff(&wanted->set, &have->set, true, &unknown) | unknown))
                        continue;
                op = planner_step(planner, OP_OBJECT_SET, STAGE_NETNS_SYSCTL, 0, item);
                op->netns = op->name = netns->name;
                op->object = wanted;
                op->object_rows = wanted->set.present;
                show_object(planner, item, wanted, have);
        }
}

/* What is written under a link is that link's business. */
static bool has_own_objects(const Namespace *netns) {
        for (const Object *object = netns->objects; object; object = object->next)
                if (!object->under)
                        return true;
        return false;
}

static void plan_netns(Planner *planner, const Namespace *netns) {
        const Namespace *have = network_find_namespace(planner->have, netns->name);
        bool exists = netns->type == NETNS_HOST || (have && have->exists);
        bool silent = netns->type == NETNS_HOST && !has_own_objects(netns);
        const char *claimed;
        PlanItem *item;
        Op *op;

        if (silent)
                return;
        item = planner_item(planner, ITEM_NETNS, netns->name, "namespace", netns->at);
        claimed = record_claimed_by(planner->record, planner_text(planner, "%s/", netns->name));
        if (!exists && netns->type != NETNS_NAMED)
                item_judge(item, VERDICT_WAITING,
                           have && have->reason ? have->reason : "waiting for it to appear");
        else if (!exists && have && have->reason && !have->dead)
                item_judge(item, VERDICT_CONFLICT, have->reason);
        else if (claimed && !exists)
                item_judge(item, VERDICT_CONFLICT,
                           planner_text(planner, "belongs to the configuration '%s'", claimed));
        if (item->verdict != VERDICT_OK)
                return;
        if (!exists) {
                op = planner_step(planner, OP_NETNS_ADD, STAGE_NETNS_ADD, 0, item);
                op->netns = op->name = netns->name;
                op->space = netns;
                item_judge(item, VERDICT_CREATE, "");
        }
        planner_netns_objects(planner, netns, item);
}

void planner_namespaces(Planner *planner) {
        for (const Namespace *netns = planner->wanted->namespaces; netns; netns = netns->hh.next)
                plan_netns(planner, netns);
}

/* What a dump has to look at: all that is wanted, and all that the record speaks of. */
static int scope_object(Arena *arena, Object *to, const Object *from) {
        size_t i;

        if (attrset_init(&to->set, from->set.schema, arena) < 0)
                return -ENOMEM;
        ROWSET_FOREACH(i, from->set.present) {
                const Row *row = schema_row(from->set.schema, i);

                if (row->change != CHANGE_KEY)
                        continue;
                if (value_copy(arena, row, &from->set.values[i], &to->set.values[i]) < 0)
                        return -ENOMEM;
                to->set.present |= ROW_BIT(i);
        }
        return 0;
}

static bool is_scoped(const ObjectType *type) {
        return type->transport == TRANSPORT_SYSCTL || type->flags & OBJECT_ASKED;
}

static bool is_recorded(const Record *record, const Namespace *netns, const Object *object) {
        _cleanup_(buf_deinit) Buf path = {};
        const RecordEntry *entry;

        object_path(NULL, netns, object, &path);
        entry = record_find(record, buf_text(&path));
        return entry && entry->made;
}

static int scope_objects(const Object *list, Link *link, Namespace *netns, const Record *record) {
        for (const Object *object = list; object; object = object->next) {
                Object *copy;

                if (!is_scoped(object->type))
                        continue;
                copy = link ? link_add_object(link, object->type)
                            : namespace_add_object(netns, object->type);
                if (!copy || scope_object(&netns->network->arena, copy, object) < 0)
                        return -ENOMEM;
                copy->ours = !link && object->type->seek && is_recorded(record, netns, object);
        }
        return 0;
}

static Link *scope_link(Namespace *netns, const char *name) {
        Link *link = namespace_find_link(netns, name);

        return link ? link : namespace_add_link(netns, name);
}

static int scope_wanted_links(const Namespace *wanted, Namespace *netns,
                              const Record *record) {
        for (const Link *link = wanted->links; link; link = link->hh.next) {
                bool matched = link->match.present;
                bool asked = matched || link->objects || link->declared;
                Link *copy = asked ? scope_link(netns, link->name) : NULL;

                if (asked && !copy)
                        return -ENOMEM;
                if (matched)
                        copy->match = link->match;
                if (copy && scope_objects(link->objects, copy, netns, record) < 0)
                        return -ENOMEM;
                for (const Declared *list = link->declared; list; list = list->next)
                        if (list->type->as && !link_add_object(copy, list->type->as))
                                return -ENOMEM;
        }
        return 0;
}

static int scope_wanted(const Network *wanted, const Record *record, Network *scope) {
        for (const Namespace *netns = wanted->namespaces; netns; netns = netns->hh.next) {
                Namespace *copy = network_find_namespace(scope, netns->name);

                if (!copy)
                        copy = network_add_namespace(scope, netns->name, netns->type);
                if (!copy)
                        return -ENOMEM;
                copy->path = netns->path ? arena_strdup(&scope->arena, netns->path) : NULL;
                copy->pid = netns->pid;
                if ((netns->path && !copy->path) || scope_wanted_links(netns, copy, record) < 0 ||
                    scope_objects(netns->objects, NULL, copy, record) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* A link that was renamed since is recognised by its number. */
static int scope_recorded(Namespace *netns, const char *link, int ifindex, const ObjectType *type,
                          const char *key) {
        Link *on = link ? scope_link(netns, link) : NULL;
        Object *object;
        ParseScope parse = {.arena = &netns->network->arena};
        bool sysctl = type->transport == TRANSPORT_SYSCTL;
        Value value;

        if (link && !on)
                return -ENOMEM;
        if (on)
                on->ifindex = ifindex;
        if (sysctl && value_parse(schema_row(&type->schema, 0), &parse, key, &value) != 0)
                return 0; /* no key of ours: nothing to read */
        object = on ? link_add_object(on, type) : namespace_add_object(netns, type);
        if (!object)
                return -ENOMEM;
        if (sysctl)
                attrset_set(&object->set, 0, value);
        return 0;
}

/* What sort of thing "ns1 routes 10.0.0.0/8" speaks of; NULL: a link or namespace, or nothing. */
static const ObjectType *entry_type(const RecordEntry *entry, const char **ret_key) {
        const char *name = strchr(entry->path, ' ');
        size_t size = name ? strcspn(name + 1, " ") : 0;

        for (size_t i = 0; name && i < object_types_n; i++) {
                const ObjectType *type = object_types[i];
                uint32_t place = entry->ifindex ? OBJECT_ON_LINK : OBJECT_IN_NETNS;

                if (!(type->flags & place) || strlen(type->schema.name) != size ||
                    strncmp(type->schema.name, name + 1, size) != 0 || name[1 + size] != ' ')
                        continue;
                *ret_key = name + 1 + size + 1;
                return type;
        }
        return NULL;
}

/* "ns1/eth0 sysctl ipv4.rp_filter", "ns1/", "br0", "ns1 sysctl net.core.somaxconn". */
static int scope_entry(const RecordEntry *entry, Network *scope) {
        const char *slash = strchr(entry->path, '/'), *key = NULL;
        const char *end = entry->path + strcspn(entry->path, " ");
        bool on_link = !*end || entry->ifindex;
        const ObjectType *type = entry_type(entry, &key);
        const char *name = HOST;
        const RecordRow *path = record_row(entry, "path"), *pid = record_row(entry, "pid");
        uint64_t number = 0;
        Namespace *netns;

        if (slash && slash < end)
                name = arena_strndup(&scope->arena, entry->path, (size_t)(slash - entry->path));
        else if (!on_link)
                name = arena_strndup(&scope->arena, entry->path, (size_t)(end - entry->path));
        if (!name)
                return -ENOMEM;
        netns = network_find_namespace(scope, name);
        if (!netns) {
                netns = network_add_namespace(scope, name, path  ? NETNS_PATH
                                                           : pid ? NETNS_PID
                                                                 : NETNS_NAMED);
                if (!netns)
                        return -ENOMEM;
                netns->dropped = true;
        }
        if (path && netns->dropped && !(netns->path = arena_strdup(&scope->arena, path->set)))
                return -ENOMEM;
        if (pid && netns->dropped && text_to_u64(pid->set, &number) == 0)
                netns->pid = (int)number;
        if (!type || !is_scoped(type))
                return 0;
        if (!on_link)
                return scope_recorded(netns, NULL, 0, type, key);
        name = slash && slash < end ? slash + 1 : entry->path;
        name = arena_strndup(&scope->arena, name, (size_t)(end - name));
        return name ? scope_recorded(netns, name, entry->ifindex, type, key) : -ENOMEM;
}

int plan_scope(const Network *wanted, const Record *record, Network **ret) {
        _cleanup_(network_freep) Network *scope = NULL;
        int r = network_new(&scope);

        if (r == 0)
                r = scope_wanted(wanted, record, scope);
        for (const RecordEntry *entry = record->entries; r == 0 && entry; entry = entry->hh.next)
                r = scope_entry(entry, scope);
        if (r < 0)
                return r;
        *ret = scope;
        scope = NULL;
        return 0;
}
