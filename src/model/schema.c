/* SPDX-License-Identifier: MIT */
/* Schemas with what they inherit, and sets of values under them. */

#include "mvnet/schema.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>

/* A schema that is like another, as one table. */
typedef struct Layout {
        const Schema *schema;
        size_t n;
        const Row *rows[ROWS_MAX];
} Layout;

/* Own rows that replace an inherited one stand in its place, not at the end. */
static void lay_out(const Schema *schema, Layout *ret) {
        size_t inherited = schema->like ? schema_size(schema->like) : 0;

        ret->n = inherited;
        for (size_t i = 0; i < inherited; i++)
                ret->rows[i] = schema_row(schema->like, i);
        for (size_t own = 0; own < schema->n; own++) {
                size_t i = 0;

                while (i < inherited && !streq(ret->rows[i]->key, schema->rows[own].key))
                        i++;
                if (i == inherited)
                        i = ret->n++;
                assert(ret->n <= ROWS_MAX);
                ret->rows[i] = &schema->rows[own];
        }
        ret->schema = schema;
}

/* Made when it is first asked for; there are as many as there are kinds that are like others. */
static const Layout *find_layout(const Schema *schema) {
        static Layout layouts[64];
        static size_t n;

        for (size_t i = 0; i < n; i++)
                if (layouts[i].schema == schema)
                        return &layouts[i];
        schema_size(schema->like); /* so that it has its place before ours is taken */
        assert(n < ELEMENTSOF(layouts));
        lay_out(schema, &layouts[n]);
        return &layouts[n++];
}

/* The nearest schema that has rows of its own: to add none is to be the same. */
static const Schema *plain(const Schema *schema) {
        while (schema->like && schema->n == 0)
                schema = schema->like;
        return schema;
}

size_t schema_size(const Schema *schema) {
        schema = plain(schema);
        return schema->like ? find_layout(schema)->n : schema->n;
}

const Row *schema_row(const Schema *schema, size_t i) {
        schema = plain(schema);
        if (i >= schema_size(schema))
                return NULL;
        return schema->like ? find_layout(schema)->rows[i] : &schema->rows[i];
}

int schema_find(const Schema *schema, const char *key) {
        size_t n = schema_size(schema);

        for (size_t i = 0; i < n; i++)
                if (streq(schema_row(schema, i)->key, key))
                        return (int)i;
        return -1;
}

int schema_find_type(const Schema *schema, const AttrType *type) {
        size_t n = schema_size(schema);

        for (size_t i = 0; i < n; i++)
                if (schema_row(schema, i)->type == type)
                        return (int)i;
        return -1;
}

int attrset_init(AttrSet *set, const Schema *schema, Arena *arena) {
        size_t n = schema ? schema_size(schema) : 0;
        Value *values = arena_new_n(arena, Value, MAX(n, (size_t)1));

        if (!values)
                return -ENOMEM;
        *set = (AttrSet){.schema = schema, .values = values};
        return 0;
}

bool attrset_has(const AttrSet *set, size_t row) {
        return set->present & ROW_BIT(row);
}

void attrset_set(AttrSet *set, size_t row, Value value) {
        set->values[row] = value;
        set->present |= ROW_BIT(row);
        set->implied &= ~ROW_BIT(row);
}

const Value *attrset_get(const AttrSet *set, const char *key) {
        int row = set->schema ? schema_find(set->schema, key) : -1;

        return row >= 0 && attrset_has(set, (size_t)row) ? &set->values[row] : NULL;
}

Location attrset_at(const AttrSet *set, size_t row) {
        return set->at ? set->at[row] : (Location){};
}

static uint64_t number_or_default(const AttrSet *set, size_t i) {
        const Row *row = schema_row(set->schema, i);
        Arena arena = {};
        ParseScope scope = {.arena = &arena};
        Value value = {};

        if (attrset_has(set, i))
                return set->values[i].number;
        if (!row->def || value_parse(row, &scope, row->def, &value) != 0)
                value.number = 0;
        arena_deinit(&arena);
        return value.number;
}

bool row_counts(const Row *row, const AttrSet *decider) {
        int at = row->when && decider->schema ? schema_find(decider->schema, row->when) : -1;
        uint64_t number;

        if (at < 0)
                return true;
        number = number_or_default(decider, (size_t)at);
        return row->when_in ? number < 64 && row->when_in & ROW_BIT(number) : number != 0;
}

void row_condition(const Row *row, const Schema *decider, Buf *ret) {
        int at = schema_find(decider, row->when);
        const Row *other = at >= 0 ? schema_row(decider, (size_t)at) : NULL;

        buf_printf(ret, "with %s%s", row->when, row->when_in ? " " : "");
        for (RowSet left = other ? row->when_in : 0, later; left; left = later) {
                later = left & (left - 1);
                value_format(other, &(Value){.number = (uint64_t)__builtin_ctzll(left)}, ret);
                if (later)
                        buf_add(ret, later & (later - 1) ? ", " : " or ");
        }
}

RowSet attrset_rows_by(const AttrSet *set, Transport transport) {
        RowSet rows = 0;
        size_t i;

        ROWSET_FOREACH(i, set->present)
                if (schema_row(set->schema, i)->transport == transport)
                        rows |= ROW_BIT(i);
        return rows;
}

int attrset_copy(const AttrSet *from, Arena *arena, AttrSet *ret) {
        AttrSet copy = {};
        size_t i;

        if (attrset_init(&copy, from->schema, arena) < 0)
                return -ENOMEM;
        ROWSET_FOREACH(i, from->present)
                if (value_copy(arena, schema_row(from->schema, i), &from->values[i],
                               &copy.values[i]) < 0)
                        return -ENOMEM;
        copy.present = from->present;
        copy.implied = from->implied;
        copy.at = from->at;
        *ret = copy;
        return 0;
}

/* What a row holds when the kernel reports nothing: nothing, zero, or its default. */
static int decode_absent(const Row *row, const GetScope *scope, Value *ret) {
        ParseScope parse = {.arena = scope->arena};

        if (row->flags & ROW_ABSENT_IS_ZERO) {
                *ret = (Value){};
                return 0;
        }
        if (row->flags & ROW_ABSENT_IS_DEF)
                return value_parse(row, &parse, row->def, ret);
        return ATTR_E_ABSENT;
}

int attrset_decode(AttrSet *set, const GetScope *scope) {
        size_t n = set->schema ? schema_size(set->schema) : 0;

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(set->schema, i);
                Value value = {};
                int r;

                if (row_told_by(row) != scope->transport)
                        continue;
                r = row->type->get(row, scope, &value);
                if (r == ATTR_E_ABSENT || r == -EBADMSG)
                        r = decode_absent(row, scope, &value);
                if (r < 0)
                        return r;
                if (r == 0)
                        attrset_set(set, i, value);
        }
        return 0;
}

/* With every row go the ones that share its attribute: the kernel takes them as one value. */
static RowSet rows_with_shared(const AttrSet *set, RowSet rows) {
        size_t n = schema_size(set->schema);
        RowSet all = rows;
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(set->schema, i);

                for (size_t j = 0; !row->type->is_masked && j < n; j++) {
                        const Row *other = schema_row(set->schema, j);

                        if (row_shares(row, other) && other->change != CHANGE_STATE &&
                            attrset_has(set, j))
                                all |= ROW_BIT(j);
                }
        }
        return all;
}

int attrset_encode(const AttrSet *set, RowSet rows, PutScope *scope, Placements *placed) {
        size_t i, outer = scope->begin;

        if (!rows)
                return 0;
        rows = rows_with_shared(set, rows);
        scope->begin = scope->message->nlmsg_len;
        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(set->schema, i);
                size_t offset = scope->message->nlmsg_len;
                int r = row->type->put(row, &set->values[i], scope);

                if (r < 0)
                        return r;
                if (placed && placed->n < ELEMENTSOF(placed->items))
                        placed->items[placed->n++] = (Placement){
                                row, offset, scope->message->nlmsg_len};
        }
        scope->begin = outer;
        return 0;
}
