/* SPDX-License-Identifier: MIT */
/*
 * The daemon compares requests across rounds, whose plans share no memory, and tells people about
 * them in the words of their files. Both come from the same walk over what is sent.
 */

#include "daemon/signature.h"

#include "daemon/notes.h"

#include <errno.h>

static const AttrSet *op_section(const Op *op, Section section, RowSet *ret_rows) {
        *ret_rows = 0;
        if (op->type == OP_LINK_ADD || op->type == OP_LINK_SET)
                *ret_rows = op->rows[section];
        return link_section(op->link, section);
}

static void add_rows(const AttrSet *set, RowSet rows, Buf *ret) {
        size_t i;

        ROWSET_FOREACH(i, rows) {
                buf_printf(ret, " %s ", schema_row(set->schema, i)->key);
                if (attrset_has(set, i))
                        value_format(schema_row(set->schema, i), &set->values[i], ret);
        }
}

void op_signature(const Op *op, Buf *ret) {
        buf_printf(ret, "%d %s/%s", (int)op->type, op->netns ? op->netns : "",
                   op->name ? op->name : "");
        if (op->type == OP_LINK_MOVE)
                buf_printf(ret, " to %s/%s", op->to.netns, op->to.link);
        for (size_t s = 0; s < _SECTION_N; s++) {
                RowSet rows;
                const AttrSet *set = op_section(op, (Section)s, &rows);

                buf_printf(ret, " [%zu]", s);
                add_rows(set, rows, ret);
        }
        if (op->type == OP_LINK_ADD && op->peer) {
                buf_addc(ret, ' ');
                link_path(op->peer, ret);
                add_rows(&op->peer->common, op->peer_rows, ret);
        }
        if (op->object) {
                buf_printf(ret, " %s", op->object->type->schema.name);
                add_rows(&op->object->set, op_object_rows(op), ret);
        }
}

static void need_namespace(const char *netns, void (*need)(void *userdata, const char *key),
                           void *userdata) {
        _cleanup_(buf_deinit) Buf key = {};

        if (!netns)
                return;
        buf_printf(&key, "%s/", netns);
        need(userdata, buf_text(&key));
}

static void need_rows(const Op *op, const AttrSet *set, RowSet rows,
                      void (*need)(void *userdata, const char *key), void *userdata) {
        size_t i;

        ROWSET_FOREACH(i, rows & set->present) {
                const Row *row = schema_row(set->schema, i);
                _cleanup_(buf_deinit) Buf key = {};

                if (row->type->is_netns && !set->values[i].unresolved)
                        need_namespace(set->values[i].ref.netns, need, userdata);
                if (!row->type->is_ref || row->type->shape != SHAPE_SCALAR ||
                    (row->flags & ROW_LOCAL) != 0 || set->values[i].unresolved ||
                    !set->values[i].ref.link)
                        continue;
                ref_path(&set->values[i].ref, &key);
                if (streq(buf_text(&key), op->item->path))
                        continue;
                need(userdata, buf_text(&key));
                need_namespace(set->values[i].ref.netns, need, userdata);
        }
}

void op_needs(const Op *op, void (*need)(void *userdata, const char *key), void *userdata) {
        if (op->item->type == ITEM_LINK || op_is_entry(op))
                need_namespace(op->netns, need, userdata);
        if (op_is_entry(op) && op->type != OP_OBJECT_DEL)
                need_rows(op, &op->object->set, op->object->set.present, need, userdata);
        if (op->type == OP_LINK_MOVE)
                need_namespace(op->to.netns, need, userdata);
        for (size_t s = 0; op->link && s < _SECTION_N; s++) {
                RowSet rows;
                const AttrSet *set = op_section(op, (Section)s, &rows);

                need_rows(op, set, rows, need, userdata);
        }
        if (op->type == OP_LINK_ADD && op->peer)
                need_namespace(op->peer->netns->name, need, userdata);
}

/* Places. */

static bool find_row(const AttrSet *set, const Row *row, size_t *ret) {
        size_t n = set->schema ? schema_size(set->schema) : 0;

        for (size_t i = 0; i < n; i++)
                if (schema_row(set->schema, i) == row) {
                        *ret = i;
                        return true;
                }
        return false;
}

static Location row_at(const Op *op, const Row *row) {
        size_t i;

        if (op->object)
                return find_row(&op->object->set, row, &i) ? attrset_at(&op->object->set, i)
                                                           : (Location){};
        for (size_t s = 0; s < _SECTION_N; s++) {
                const AttrSet *set = link_section(op->item->wanted, (Section)s);

                if (find_row(set, row, &i) && attrset_has(set, i))
                        return attrset_at(set, i);
        }
        return (Location){};
}

static Location first_at(const Op *op) {
        size_t i;

        for (size_t s = 0; op->type == OP_LINK_SET && s < _SECTION_N; s++) {
                RowSet rows;
                const AttrSet *send = op_section(op, (Section)s, &rows);

                ROWSET_FOREACH(i, rows) {
                        Location at = row_at(op, schema_row(send->schema, i));

                        if (at.source)
                                return at;
                }
        }
        return (Location){};
}

Location op_at(const Op *op, const Row *row) {
        Location at = row ? row_at(op, row) : first_at(op);

        if (!at.source && op->object)
                at = op->object->at;
        return at.source ? at : op->item->at;
}

/* Words. */

/* What is sent, as a file would call it; "" where the item says it all. */
static void op_subject(const Op *op, const Row *row, Buf *ret) {
        size_t i;

        if (op->object) {
                buf_printf(ret, "%s ", op->object->type->schema.name);
                object_key(op->object, ret);
                return;
        }
        if (row) {
                buf_add(ret, row->key);
                return;
        }
        for (size_t s = 0; op->type == OP_LINK_SET && s < _SECTION_N; s++) {
                RowSet rows;
                const AttrSet *send = op_section(op, (Section)s, &rows);

                ROWSET_FOREACH(i, rows) {
                        buf_add(ret, ret->size ? ", " : "");
                        note_row_key(send, (Section)s, i, ret);
                }
        }
}

static const char *op_verb(const Op *op) {
        switch (op->type) {
        case OP_NETNS_ADD:
        case OP_LINK_ADD:
        case OP_OBJECT_ADD:
                return "could not be created";
        case OP_NETNS_DEL:
        case OP_LINK_DEL:
        case OP_OBJECT_DEL:
                return "could not be deleted";
        case OP_LINK_MOVE:
                return "could not be moved or renamed";
        case OP_LINK_SET:
        case OP_OBJECT_SET:
                return "could not be set";
        case _OP_TYPE_N:
                break;
        }
        return "failed";
}

const char *op_failure(const Op *op, const OpResult *result, Arena *arena) {
        _cleanup_(buf_deinit) Buf text = {};
        const char *reason = strerrordesc_np(-result->error);

        op_subject(op, result->row, &text);
        buf_printf(&text, "%s%s: ", text.size ? " " : "", op_verb(op));
        if (result->message[0] != '\0')
                buf_printf(&text, "%s (%s)", result->message, reason ? reason : "unknown error");
        else
                buf_add(&text, reason ? reason : "unknown error");
        return buf_error(&text) < 0 ? NULL : arena_strdup(arena, buf_text(&text));
}

const char *op_ignored(const Op *op, Arena *arena) {
        _cleanup_(buf_deinit) Buf text = {};

        op_subject(op, NULL, &text);
        buf_printf(&text, "%signored by this kernel: it took the request and nothing changed",
                   text.size ? " " : "");
        return buf_error(&text) < 0 ? NULL : arena_strdup(arena, buf_text(&text));
}
