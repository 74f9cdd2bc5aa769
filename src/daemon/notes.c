/* SPDX-License-Identifier: MIT */
/*
 * The record is written around every operation, the same way for all of them: announce, do, and
 * confirm or take back. A crash in between leaves an announcement, and the next run sees from the
 * kernel what became of it: an identity is only ever taken from a dump.
 */

#include "daemon/notes.h"

#include <errno.h>
#include <stdlib.h>

void note_row_key(const AttrSet *set, Section section, size_t row, Buf *ret) {
        if (section == SECTION_PORT)
                buf_printf(ret, "%s.", set->schema->name);
        buf_add(ret, schema_row(set->schema, row)->key);
}

/* Finding what an entry is about. */

typedef struct Spot {
        bool exists;
        uint64_t netns;
        int ifindex;
        const Link *link;
        const Object *object;
} Spot;

static void spot_in(const Namespace *netns, Spot *ret) {
        *ret = (Spot){.netns = netns ? netns->cookie : 0};
}

static void spot_link(const Link *link, Spot *ret) {
        spot_in(link->netns, ret);
        ret->exists = true;
        ret->ifindex = link->ifindex;
        ret->link = link;
}

static const Object *find_object(const Object *list, const Link *link, const Namespace *netns,
                                 const char *path) {
        _cleanup_(buf_deinit) Buf text = {};

        for (; list; list = list->next) {
                buf_reset(&text);
                object_path(link, netns, list, &text);
                if (buf_error(&text) == 0 && streq(buf_text(&text), path))
                        return list;
        }
        return NULL;
}

/* "ns1/eth0" lies in ns1, "br0" in the host's namespace. */
static const Namespace *path_namespace(const Network *network, const char *path) {
        const char *slash = strchr(path, '/');
        char name[256];

        if (!slash)
                return network_find_namespace(network, HOST);
        if ((size_t)(slash - path) >= sizeof(name))
                return NULL;
        memcpy(name, path, (size_t)(slash - path));
        name[slash - path] = '\0';
        return network_find_namespace(network, name);
}

static void spot_object(const Network *network, const char *owner, const char *path, Spot *ret) {
        const Link *link = network_find_path(network, owner);
        const Namespace *netns = network_find_namespace(network, owner);

        /* A host's link and a namespace of the same name: their objects are of different types. */
        if (link) {
                spot_link(link, ret);
                ret->object = find_object(link->objects, link, NULL, path);
        }
        if (netns && !ret->object) {
                const Object *object = find_object(netns->objects, NULL, netns, path);

                if (object || !link) {
                        spot_in(netns, ret);
                        ret->object = object;
                }
        }
        ret->exists = ret->object;
}

static void spot_find(const Network *network, const char *path, Spot *ret) {
        const char *space = strchr(path, ' ');
        size_t size = space ? (size_t)(space - path) : strlen(path);
        char owner[256];

        *ret = (Spot){};
        if (size >= sizeof(owner) || size == 0)
                return;
        memcpy(owner, path, size);
        owner[size] = '\0';
        spot_in(path_namespace(network, owner), ret);
        if (space) {
                spot_object(network, owner, path, ret);
        } else if (owner[size - 1] == '/') {
                const Namespace *netns = path_namespace(network, owner);

                ret->exists = netns && netns->exists && !netns->dead;
        } else {
                const Link *link = network_find_path(network, owner);

                if (link)
                        spot_link(link, ret);
        }
}

/* What an operation is about, as the record calls it. */

static void op_path(const Op *op, Buf *ret) {
        buf_add(ret, op_is_entry(op) ? op->netns : op->item->path);
        if (op->object) {
                buf_printf(ret, " %s ", op->object->type->schema.name);
                object_key(op->object, ret);
        } else if (op->item->type == ITEM_NETNS) {
                buf_addc(ret, '/');
        }
}

/* What goes back has nothing to announce: the plan that proves it says so. */
static bool is_undo(const Op *op) {
        return op->undoes || (op->item->type == ITEM_LINK && !op->item->wanted);
}

static bool is_marked(const Link *link) {
        return attrset_has(&link->common, LINK_GROUP) &&
               link->common.values[LINK_GROUP].number == LINK_GROUP_OURS;
}

/* As the planner sees it: made by this plan, or recorded, or marked and nobody else's. */
static bool item_is_ours(const Record *record, const PlanItem *item) {
        const RecordEntry *entry = record_find(record, item->path);
        const Link *have = item->have;

        if (item->verdict == VERDICT_CREATE || item->verdict == VERDICT_RECREATE ||
            (entry && entry->made && entry->ifindex == 0))
                return true;
        if (!have || (item->wanted && link_is_physical(item->wanted)))
                return false;
        return record_of_link(record, have) ||
               (is_marked(have) && !record_claimed_by(record, item->path));
}

/* Where the object or link will be; 0 where that is known only when it is there. */
static void op_identity(const Network *have, const Op *op, uint64_t *ret_netns, int *ret_ifindex) {
        const Namespace *netns = network_find_namespace(have, op->netns);
        const Link *link = op->item->have;
        bool stays = link && !op_is_entry(op) && op->item->verdict != VERDICT_RECREATE &&
                     streq(link->netns->name, op->netns);

        *ret_netns = netns ? netns->cookie : 0;
        *ret_ifindex = stays ? link->ifindex : 0;
}

static bool op_rests(const Op *op, bool ours) {
        if (is_undo(op))
                return false;
        switch (op->type) {
        case OP_NETNS_ADD:
                return true;
        case OP_LINK_SET:
        case OP_LINK_MOVE:
                return !ours;
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
                /* Addresses carry our protocol; others nothing. */
                return op->object->type->transport == TRANSPORT_SYSCTL ||
                       (!ours && !(op->object->type->flags & OBJECT_WHOLE) &&
                        (op->type == OP_OBJECT_SET ||
                         schema_find(&op->object->type->schema, "protocol") < 0));
        case OP_NETNS_DEL:
        case OP_LINK_ADD:
        case OP_LINK_DEL:
        case OP_OBJECT_DEL:
        case _OP_TYPE_N:
                break;
        }
        return false;
}

/* An entry for what is there or about to be; one that speaks of another object starts afresh. */
static int ensure_entry(Store *store, const char *path, uint64_t netns, int ifindex, bool made,
                        bool *ret_new) {
        const RecordEntry *entry = record_find(store_record(store), path);

        if (entry && (entry->netns == 0 || entry->netns == netns) &&
            (entry->ifindex == 0 || entry->ifindex == ifindex))
                return 0;
        *ret_new = true;
        return store_made(store, path, netns, ifindex, made);
}

/* Rows. */

typedef struct RowNote {
        const char *path;
        Section section;
        const AttrSet *send;   /* the values that are sent */
        const AttrSet *wanted; /* rows that are not in here are being undone, not set */
        const AttrSet *found;  /* where they were before, or NULL on what is ours */
        RowSet rows;
        RowSet lent;           /* of what was found: not its own, and nothing to go back to */
} RowNote;

static int set_row(Store *store, const RowNote *note, size_t i) {
        _cleanup_(buf_deinit) Buf key = {}, set = {}, was = {};
        const Row *row = schema_row(note->send->schema, i);
        const AttrSet *found = note->found;
        const char *before = NULL;

        note_row_key(note->send, note->section, i, &key);
        value_format(row, &note->send->values[i], &set);
        if (note->lent & ROW_BIT(i)) {
                before = NULL;
        } else if (found && found->schema == note->send->schema && attrset_has(found, i)) {
                value_format(row, &found->values[i], &was);
                before = buf_text(&was);
        } else if (found) {
                before = row->def;
        }
        if (buf_error(&key) < 0 || buf_error(&set) < 0 || buf_error(&was) < 0)
                return -ENOMEM;
        return store_set_row(store, note->path, buf_text(&key), buf_text(&set), before);
}

static bool row_is_noted(const RowNote *note, size_t i) {
        const AttrSet *wanted = note->wanted;

        return attrset_has(note->send, i) && wanted->schema == note->send->schema &&
               attrset_has(wanted, i) &&
               schema_row(note->send->schema, i)->change != CHANGE_KEY &&
               (schema_row(note->send->schema, i)->flags & ROW_LOCAL) == 0;
}

static bool row_is_recorded(const Store *store, const RowNote *note, size_t i) {
        _cleanup_(buf_deinit) Buf key = {};
        const RecordEntry *entry = record_find(store_record(store), note->path);

        note_row_key(note->send, note->section, i, &key);
        return entry && record_row(entry, buf_text(&key));
}

/*
 * What was found to be as wanted is not set by us: a parameter of a new link came so, perhaps only
 * because we have just set the namespace's (net.ipv4.ip_forward sets all links' forwarding).
 */
static bool row_was_so(const RowNote *note, size_t i) {
        const AttrSet *found = note->found;

        return found && found->schema == note->send->schema && attrset_has(found, i) &&
               value_equal(schema_row(found->schema, i), &note->send->values[i], &found->values[i]);
}

/* Before: only what is new, so that taking it back leaves what was. Afterwards: all. */
static int set_rows(Store *store, const RowNote *note, RowSet *new_rows) {
        size_t i;
        int r;

        ROWSET_FOREACH(i, note->rows) {
                bool recorded = row_is_recorded(store, note, i);

                if (!row_is_noted(note, i) || (recorded ? new_rows != NULL : row_was_so(note, i)))
                        continue;
                r = set_row(store, note, i);
                if (r < 0)
                        return r;
                if (new_rows)
                        *new_rows |= ROW_BIT(i);
        }
        return 0;
}

static int forget_rows(Store *store, const RowNote *note, RowSet rows) {
        size_t i;
        int r;

        ROWSET_FOREACH(i, rows) {
                _cleanup_(buf_deinit) Buf key = {};

                note_row_key(note->send, note->section, i, &key);
                r = buf_error(&key);
                if (r == 0)
                        r = store_forget_row(store, note->path, buf_text(&key));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Where an object was found, before we set it; NULL if it was not there. */
static const AttrSet *object_found(const Network *have, const Op *op) {
        const Namespace *netns = network_find_namespace(have, op->netns);
        const Link *link = op->item->type == ITEM_LINK && netns && op->name
                                   ? namespace_find_link(netns, op->name)
                                   : NULL;
        const Object *found = NULL;

        if (link)
                found = object_find(link->objects, op->object);
        else if (netns && op->item->type == ITEM_NETNS)
                found = object_find(netns->objects, op->object);
        return found ? &found->set : NULL;
}

bool note_is_blind(const Record *record, const Network *have, const Op *op) {
        _cleanup_(buf_deinit) Buf path = {};

        if (!op->object || op->object->type->transport != TRANSPORT_SYSCTL || is_undo(op))
                return false;
        op_path(op, &path);
        return !object_found(have, op) && !record_find(record, buf_text(&path));
}

static RowSet rows_to_know(const AttrSet *set) {
        RowSet rows = 0;
        size_t i;

        ROWSET_FOREACH(i, set->present)
                if (schema_row(set->schema, i)->flags & (ROW_USERS | ROW_SECRET))
                        rows |= ROW_BIT(i);
        return rows;
}

/* The rows of one request, of each of its sections in turn. False: no more. */
static bool op_rows(const Op *op, const Network *have, bool ours, size_t step, RowNote *ret) {
        if (op->object) {
                /* What is always sent as a whole has no rows to be put back, only to be known. */
                if (step > 0 || op->type == OP_OBJECT_DEL)
                        return false;
                ret->section = SECTION_COMMON;
                ret->send = ret->wanted = &op->object->set;
                ret->found = object_found(have, op);
                ret->rows = op_object_rows(op);
                if (op->object->type->flags & OBJECT_WHOLE)
                        ret->rows &= rows_to_know(&op->object->set);
                else
                        ret->rows &= ~op->object->set.implied;
                return ret->rows != 0;
        }
        if ((op->type != OP_LINK_ADD && op->type != OP_LINK_SET) || step >= _SECTION_N)
                return false;
        ret->section = (Section)step;
        ret->send = link_section(op->link, ret->section);
        ret->wanted = link_section(op->item->wanted, ret->section);
        ret->found = ours ? NULL : link_section(op->item->have, ret->section);
        ret->rows = op->rows[step];
        ret->lent = 0;
        if (ret->section == SECTION_COMMON && op->item->have && link_is_lent(op->item->have))
                ret->lent = ROW_BIT(LINK_MAC) | ROW_BIT(LINK_MTU);
        if (op->type == OP_LINK_SET && op->section == ret->section)
                ret->rows |= op->effects;
        return true;
}

/* The far end that comes with a link; its other rows are requests of its own. */
static bool op_peer_rows(const Op *op, const char *path, RowNote *ret) {
        if (op->type != OP_LINK_ADD || !op->peer)
                return false;
        *ret = (RowNote){
                .path = path,
                .section = SECTION_COMMON,
                .send = &op->peer->common,
                .wanted = &op->peer->common,
                .rows = op->peer_rows,
        };
        return true;
}

/* Requests. */

static int announce_link(Store *store, const Network *have, const Op *op, const char *path) {
        _cleanup_(buf_deinit) Buf peer = {};
        const Namespace *netns = network_find_namespace(have, op->netns);
        int r;

        r = store_made(store, path, netns ? netns->cookie : 0, 0, true);
        if (r < 0 || !op->peer)
                return r;
        link_path(op->peer, &peer);
        if (buf_error(&peer) < 0)
                return -ENOMEM;
        return store_made(store, buf_text(&peer), 0, 0, true);
}

/* Only its last step: a swap of names goes through a temporary one. And not the way back. */
static bool is_arrival(const Op *op) {
        _cleanup_(buf_deinit) Buf to = {};

        if (op->type != OP_LINK_MOVE || !op->item->wanted)
                return false;
        ref_path(&op->to, &to);
        return streq(buf_text(&to), op->item->path);
}

static int announce_move(Store *store, const Op *op, const char *path) {
        _cleanup_(buf_deinit) Buf from = {};
        int r;

        if (!op->item->have)
                return 0;
        link_path(op->item->have, &from);
        r = buf_error(&from);
        if (r == 0)
                r = store_made(store, path, 0, 0, false);
        return r < 0 ? r : store_set_row(store, path, "place", path, buf_text(&from));
}

static int rename_entry(Store *store, const RecordEntry *entry, const char *path, uint64_t netns,
                        int ifindex) {
        int r = store_made(store, path, netns, ifindex, entry->made);

        for (const RecordRow *row = entry->rows; r == 0 && row; row = row->next)
                r = store_set_row(store, path, row->key, row->set, row->was);
        return r < 0 ? r : store_forget(store, entry->path);
}

/* An entry about something on the link that was called so, or NULL. */
static const RecordEntry *entry_on(const Record *record, const char *link, int ifindex) {
        size_t n = strlen(link);

        for (const RecordEntry *entry = record->entries; entry; entry = entry->hh.next)
                if (strncmp(entry->path, link, n) == 0 && entry->path[n] == ' ' &&
                    entry->ifindex == ifindex)
                        return entry;
        return NULL;
}

/* What is on a link comes along when it is renamed. */
static int rename_objects(Store *store, const char *from, int ifindex, const char *to) {
        const RecordEntry *entry;
        int r = 0;

        while (r == 0 && (entry = entry_on(store_record(store), from, ifindex))) {
                _cleanup_(buf_deinit) Buf path = {};

                buf_printf(&path, "%s%s", to, entry->path + strlen(from));
                r = buf_error(&path);
                if (r == 0)
                        r = rename_entry(store, entry, buf_text(&path), entry->netns,
                                         entry->ifindex);
        }
        return r;
}

/* Our own link arrived elsewhere: its entry goes with it. */
static int move_entry(Store *store, const Op *op, const char *path) {
        const Link *have = op->item->have;
        const RecordEntry *entry;
        bool same = have && streq(have->netns->name, op->to.netns);
        int r;

        entry = have ? record_of_link(store_record(store), have)
                     : NULL;
        if (!entry || streq(entry->path, path))
                return 0;
        if (same) {
                r = rename_objects(store, entry->path, have->ifindex, path);
                if (r < 0)
                        return r;
        }
        return rename_entry(store, entry, path, same ? entry->netns : 0,
                            same ? entry->ifindex : 0);
}

static int announce_entry(Store *store, const Network *have, const Op *op, const char *path,
                          bool ours, Note *note) {
        const RecordEntry *entry = record_find(store_record(store), path);
        uint64_t netns;
        int ifindex;
        bool made;

        op_identity(have, op, &netns, &ifindex);
        made = op->object ? (op->type == OP_OBJECT_ADD || op->object->type->flags & OBJECT_WHOLE) &&
                                    op->object->type->transport != TRANSPORT_SYSCTL
                          : ours;
        if (op->object && op->type == OP_OBJECT_ADD && made && entry && !entry->made) {
                note->entry_new = true;
                return store_made(store, path, netns, ifindex, true);
        }
        return ensure_entry(store, path, netns, ifindex, made, &note->entry_new);
}

/* Somebody else's namespace: how to find it when the file that tells is gone. */
static int announce_foreign(Store *store, const Network *have, const Op *op) {
        const Namespace *netns = network_find_namespace(have, op->netns);
        _cleanup_(buf_deinit) Buf path = {}, pid = {};
        bool fresh;
        int r;

        if (!netns || (netns->type != NETNS_PATH && netns->type != NETNS_PID))
                return 0;
        namespace_path(netns, &path);
        buf_printf(&pid, "%d", netns->pid);
        if (buf_error(&path) < 0 || buf_error(&pid) < 0)
                return -ENOMEM;
        r = ensure_entry(store, buf_text(&path), netns->cookie, 0, false, &fresh);
        if (r < 0)
                return r;
        return netns->type == NETNS_PATH
                       ? store_set_row(store, buf_text(&path), "path", netns->path, NULL)
                       : store_set_row(store, buf_text(&path), "pid", buf_text(&pid), NULL);
}

int note_before(Store *store, const Network *have, const Op *op, Note *ret) {
        _cleanup_(buf_deinit) Buf path = {};
        bool ours = item_is_ours(store_record(store), op->item);
        RowNote rows = {};
        int r;

        *ret = (Note){.rests = op_rests(op, ours)};
        op_path(op, &path);
        if (buf_error(&path) < 0)
                return -ENOMEM;
        rows.path = buf_text(&path);
        r = is_undo(op) ? 0 : announce_foreign(store, have, op);
        if (r < 0 || is_undo(op))
                return r;
        switch (op->type) {
        case OP_NETNS_ADD:
                ret->entry_new = true;
                return store_made(store, rows.path, 0, 0, true);
        case OP_LINK_ADD:
                ret->entry_new = true;
                return announce_link(store, have, op, rows.path);
        case OP_LINK_MOVE:
                ret->entry_new = !ours && is_arrival(op);
                return ret->entry_new ? announce_move(store, op, rows.path) : 0;
        case OP_NETNS_DEL:
        case OP_LINK_DEL:
        case OP_OBJECT_DEL:
        case _OP_TYPE_N:
                return 0;
        case OP_LINK_SET:
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
                break;
        }
        r = announce_entry(store, have, op, rows.path, ours, ret);
        if (r == 0 && ret->rests && op_rows(op, have, ours, op->section, &rows))
                r = set_rows(store, &rows, &ret->rows_new);
        return r;
}

static int take_back(Store *store, const Network *have, const Op *op, const Note *note,
                     const char *path) {
        _cleanup_(buf_deinit) Buf peer = {};
        RowNote rows = {.path = path};
        int r = 0;

        if (note->entry_new) {
                r = store_forget(store, path);
                if (r < 0 || op->type != OP_LINK_ADD || !op->peer)
                        return r;
                link_path(op->peer, &peer);
                return buf_error(&peer) < 0 ? -ENOMEM : store_forget(store, buf_text(&peer));
        }
        if (note->rows_new && op_rows(op, have, false, op->section, &rows))
                r = forget_rows(store, &rows, note->rows_new);
        return r;
}

int note_after(Store *store, const Network *have, const Op *op, const Note *note, bool done) {
        _cleanup_(buf_deinit) Buf path = {}, peer = {};
        bool ours = item_is_ours(store_record(store), op->item);
        RowNote rows = {};
        int r = 0;

        op_path(op, &path);
        if (op->peer)
                link_path(op->peer, &peer);
        if (buf_error(&path) < 0 || buf_error(&peer) < 0)
                return -ENOMEM;
        if (!done)
                return take_back(store, have, op, note, buf_text(&path));
        if (ours && is_arrival(op))
                return move_entry(store, op, buf_text(&path));
        if (is_undo(op))
                return 0;
        rows.path = buf_text(&path);
        for (size_t step = 0; r == 0 && op_rows(op, have, ours, step, &rows); step++)
                r = set_rows(store, &rows, NULL);
        if (r == 0 && op_peer_rows(op, buf_text(&peer), &rows))
                r = set_rows(store, &rows, NULL);
        return r;
}

/* Identities. */

static bool is_link(const RecordEntry *entry) {
        return !strchr(entry->path, ' ') && entry->path[strlen(entry->path) - 1] != '/';
}

bool notes_are_complete(const Record *record) {
        for (const RecordEntry *entry = record->entries; entry; entry = entry->hh.next)
                if (entry->netns == 0 || (entry->ifindex == 0 && is_link(entry)))
                        return false;
        return true;
}

/* A link that carries no mark of ours is not what we were about to make when we were killed. */
static bool proves(const RecordEntry *entry, const Spot *spot, bool sent) {
        return sent || !entry->made || !spot->link || spot->object || is_marked(spot->link);
}

int notes_complete(Store *store, const Network *have, bool sent) {
        RecordEntry *entry, *next;
        int r = 0;

        HASH_ITER(hh, store_record(store)->entries, entry, next) {
                Spot spot;

                spot_find(have, entry->path, &spot);
                if (!spot.exists)
                        continue;
                if (entry->netns != 0 && (entry->ifindex != 0 || spot.ifindex == 0))
                        continue;
                r = proves(entry, &spot, sent)
                            ? store_made(store, entry->path, spot.netns, spot.ifindex, entry->made)
                            : store_forget(store, entry->path);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A link of ours whose record was lost is taken up again once it is declared. */
static bool is_unclaimed(const Record *record, const PlanItem *item) {
        return item->type == ITEM_LINK && item->wanted && item->have &&
               !link_is_physical(item->wanted) && is_marked(item->have) &&
               (item->verdict == VERDICT_OK || item->verdict == VERDICT_CHANGE) &&
               !record_claimed_by(record, item->path) &&
               !record_of_link(record, item->have);
}

bool notes_are_lost(const Record *record, const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (is_unclaimed(record, plan->items[i]))
                        return true;
        return plan->claims;
}

int notes_settle(Store *store, const Plan *plan) {
        for (const PlanForget *forget = plan->forgets; forget; forget = forget->next) {
                int r = forget->key ? store_forget_row(store, forget->path, forget->key)
                                    : store_forget(store, forget->path);

                if (r < 0)
                        return r;
        }
        for (const PlanClaim *claim = plan->claims; claim; claim = claim->next) {
                int r = store_made(store, claim->path, claim->netns, 0, true);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < plan->n_items; i++) {
                const PlanItem *item = plan->items[i];
                int r;

                if (!is_unclaimed(store_record(store), item))
                        continue;
                r = store_made(store, item->path, item->have->netns->cookie, item->have->ifindex,
                               true);
                if (r < 0)
                        return r;
        }
        return 0;
}
