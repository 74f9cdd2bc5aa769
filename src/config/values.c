/* SPDX-License-Identifier: MIT */
/*
 * Nodes under a schema: one row, a map of rows, a list of objects. Nothing here knows what any of
 * them is for; what is wrong is said with the place, what is allowed, and the nearest word.
 */

#include "config/build.h"

#include <errno.h>
#include <stdlib.h>

size_t path_push(Build *build, const char *step) {
        size_t mark = build->path.size;

        buf_printf(&build->path, "%s%s", mark ? "." : "", step);
        return mark;
}

void path_pop(Build *build, size_t mark) {
        if (build->path.size < mark || !build->path.text)
                return;
        build->path.size = mark;
        build->path.text[mark] = '\0';
}

void build_problem(Build *build, Location at, const char *format, ...) {
        _cleanup_(buf_deinit) Buf text = {};
        va_list ap;

        va_start(ap, format);
        buf_vprintf(&text, format, ap);
        va_end(ap);
        report_add(build->report, at, buf_text(&build->path), "%s", buf_text(&text));
        if (buf_error(&text) < 0 || buf_error(&build->path) < 0)
                build->report->failed = true;
}

bool node_expect(Build *build, const Node *node, NodeType type, const char *example) {
        if (node->type == type)
                return true;
        build_problem(build, node->at, "must be %s%s%s%s, not %s", node_type_name(type),
                      example ? " (" : "", example ?: "", example ? ")" : "",
                      node_type_name(node->type));
        if (type == NODE_LIST && node->type == NODE_SCALAR)
                report_hint(build->report, "as a list: [%s]", node->text);
        return false;
}

void words_add(Words *words, const char *word) {
        if (words->n < WORDS_MAX)
                words->items[words->n++] = word;
}

void words_add_schema(Words *words, const Schema *schema) {
        size_t n = schema ? schema_size(schema) : 0;

        for (size_t i = 0; i < n; i++)
                if (schema_row(schema, i)->change != CHANGE_STATE)
                        words_add(words, schema_row(schema, i)->key);
}

int attrset_set_at(Arena *arena, AttrSet *set, size_t row, Value value, Location at) {
        if (!set->at)
                set->at = arena_new_n(arena, Location, schema_size(set->schema));
        if (!set->at)
                return -ENOMEM;
        attrset_set(set, row, value);
        set->at[row] = at;
        return 0;
}

static void value_problem(Build *build, const Row *row, Location at, const char *text,
                          const char *reason) {
        _cleanup_(buf_deinit) Buf allowed = {};
        Words words = {};

        row_allowed(row, &allowed);
        if (row->names && !row->type->is_number)
                build_problem(build, at, "'%s' is not one of: %s", text, buf_text(&allowed));
        else
                build_problem(build, at, "'%s' %s; allowed: %s", text, reason ?: "is not valid",
                              buf_text(&allowed));
        if (buf_error(&allowed) < 0)
                build->report->failed = true;
        for (const Name *name = row->names; name && name->name; name++)
                words_add(&words, name->name);
        report_nearest(build->report, text, words.items, words.n);
}

/* A scalar, or one element. */
static int build_element(Build *build, const Row *row, const char *netns, const char *text,
                         Location at, Value *ret) {
        ParseScope scope = {
                .arena = &build->network->arena,
                .netns = netns,
                .table = tables_find,
                .tables = build->tables,
                .read_secret = secret_read,
                .file = at.source ? at.source->name : NULL,
        };
        int r = row->type->parse(row, &scope, text, ret);

        if (r == ATTR_E_ABSENT)
                return BUILD_E_NOTHING;
        if (r > 0) {
                value_problem(build, row, at, text, scope.reason);
                return BUILD_E_PROBLEM;
        }
        return r;
}

static int compare_values(const void *a, const void *b, void *row) {
        return value_compare(row, a, b);
}

/* Sorted and without duplicates, as value_append() would leave it, but in one go. */
static void list_sort(const Row *row, Value *list) {
        size_t kept = 0;

        qsort_r(list->list.items, list->list.n, sizeof(Value), compare_values, (void *)row);
        for (size_t i = 0; i < list->list.n; i++)
                if (kept == 0 ||
                    value_compare(row, &list->list.items[kept - 1], &list->list.items[i]))
                        list->list.items[kept++] = list->list.items[i];
        list->list.n = kept;
}

static bool has_field(const Row *row, const char *key) {
        for (const char *const *field = row->type->fields; *field; field++)
                if (streq(*field, key))
                        return true;
        return false;
}

/* An element in the long form, as its type parses it: "{KEY: VALUE, KEY: VALUE}". */
static int spell_fields(Build *build, const Row *row, const Node *map, Buf *ret) {
        int r = 0;

        buf_addc(ret, '{');
        for (const Node *child = map->first; child; child = child->next) {
                Words words = {};

                for (const char *const *field = row->type->fields; *field; field++)
                        words_add(&words, *field);
                if (!has_field(row, child->key)) {
                        build_problem(build, child->key_at, "unknown key '%s'", child->key);
                        report_nearest(build->report, child->key, words.items, words.n);
                        r = BUILD_E_PROBLEM;
                } else if (!node_expect(build, child, NODE_SCALAR, NULL)) {
                        r = BUILD_E_PROBLEM;
                } else if (strpbrk(child->text, ",{}\"")) {
                        build_problem(build, child->at, "'%s' is not valid", child->text);
                        r = BUILD_E_PROBLEM;
                } else if (!node_is_null(child)) {
                        buf_printf(ret, "%s%s: %s", ret->size > 1 ? ", " : "", child->key,
                                   child->text);
                }
        }
        buf_addc(ret, '}');
        return buf_error(ret) < 0 ? -ENOMEM : r;
}

static int build_fields(Build *build, const Row *row, const char *netns, const Node *map,
                        Value *ret) {
        _cleanup_(buf_deinit) Buf text = {};
        int r = spell_fields(build, row, map, &text);

        return r ? r : build_element(build, row, netns, buf_text(&text), map->at, ret);
}

static int build_child(Build *build, const Row *row, const char *netns, const Node *child,
                       Value *ret) {
        const char *text = child->text;

        if (child->type == NODE_MAP && row->type->fields)
                return build_fields(build, row, netns, child, ret);
        if (child->type != NODE_SCALAR) {
                build_problem(build, child->at, "must be a value, not %s",
                              node_type_name(child->type));
                return BUILD_E_PROBLEM;
        }
        if (row->type->shape == SHAPE_MAP)
                text = arena_printf(&build->network->arena, "%s:%s", child->key, child->text);
        if (!text)
                return -ENOMEM;
        return build_element(build, row, netns, text,
                             row->type->shape == SHAPE_MAP ? child->key_at : child->at, ret);
}

/* What the elements say together. */
static int join_elements(Build *build, const Row *row, const Node *node, Value *list) {
        ParseScope scope = {.arena = &build->network->arena};
        int r = row->type->join(row, &scope, list);

        if (r <= 0)
                return r;
        build_problem(build, node->at, "%s", scope.reason);
        return BUILD_E_PROBLEM;
}

/* Every element that is wrong is a problem of its own. */
static int build_elements(Build *build, const Row *row, const char *netns, const Node *node,
                          Value *ret) {
        Value list = {.list.items = arena_new_n(&build->network->arena, Value, node->n + 1)};
        bool wrong = false;

        if (!list.list.items)
                return -ENOMEM;
        for (const Node *child = node->first; child; child = child->next) {
                int r = build_child(build, row, netns, child, &list.list.items[list.list.n]);

                if (r < 0)
                        return r;
                if (r == 0)
                        list.list.n++;
                wrong = wrong || r == BUILD_E_PROBLEM;
        }
        if (wrong)
                return BUILD_E_PROBLEM;
        list_sort(row, &list);
        *ret = list;
        return row->type->join ? join_elements(build, row, node, ret) : 0;
}

static int build_value(Build *build, const Row *row, const char *netns, const Node *node,
                       Value *ret) {
        static const NodeType types[_SHAPE_N] = {
                [SHAPE_SCALAR] = NODE_SCALAR, [SHAPE_LIST] = NODE_LIST, [SHAPE_MAP] = NODE_MAP,
        };
        _cleanup_(buf_deinit) Buf allowed = {};

        row_allowed(row, &allowed);
        if (!node_expect(build, node, types[row->type->shape], buf_text(&allowed)))
                return BUILD_E_PROBLEM;
        if (row->type->shape != SHAPE_SCALAR)
                return build_elements(build, row, netns, node, ret);
        return build_element(build, row, netns, node->text, node->at, ret);
}

int build_row(Build *build, AttrSet *set, size_t row, const char *netns, const Node *node) {
        const Row *what = schema_row(set->schema, row);
        Value value = {};
        int r;

        if (node_is_null(node))
                return 0;
        if (what->change == CHANGE_STATE) {
                build_problem(build, node->key_at, "is what the kernel reports; it cannot be set");
                return BUILD_E_PROBLEM;
        }
        r = build_value(build, what, netns, node, &value);
        if (r != 0)
                return r;
        return attrset_set_at(&build->network->arena, set, row, value, node->at);
}

void build_require(Build *build, const AttrSet *set, RowSet tried, Location at) {
        size_t n = schema_size(set->schema);

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(set->schema, i);
                _cleanup_(buf_deinit) Buf allowed = {};

                if (!(row->flags & ROW_REQUIRED) || ((set->present | tried) & ROW_BIT(i)))
                        continue;
                row_allowed(row, &allowed);
                build_problem(build, at, "needs '%s': %s", row->key, buf_text(&allowed));
        }
}

/* `list`: the key that is no row, if there is one. What is there already is not said here. */
static int build_keys(Build *build, AttrSet *set, const char *netns, const char *list,
                      const Node *map) {
        RowSet tried = 0, given = set->present;

        for (const Node *child = map->first; child; child = child->next) {
                int row = schema_find(set->schema, child->key), r = 0;
                size_t mark = path_push(build, child->key);

                if (list && streq(child->key, list)) {
                        path_pop(build, mark);
                        continue;
                }
                if (row < 0) {
                        row_key_unknown(build, set->schema, child);
                } else if (given & ROW_BIT(row)) {
                        build_problem(build, child->key_at, "is said by the entry around it");
                } else {
                        r = build_row(build, set, (size_t)row, netns, child);
                        if (r > 0)
                                tried |= ROW_BIT(row);
                }
                path_pop(build, mark);
                if (r < 0)
                        return r;
        }
        build_require(build, set, tried, map->key ? map->key_at : map->at);
        return 0;
}

int build_rows(Build *build, AttrSet *set, const char *netns, const Node *map) {
        return build_keys(build, set, netns, NULL, map);
}

/* Objects. */

static int schema_find_flag(const Schema *schema, uint32_t flag) {
        size_t n = schema_size(schema);

        for (size_t i = 0; i < n; i++)
                if (schema_row(schema, i)->flags & flag)
                        return (int)i;
        return -1;
}

/* The row that identifies the object (key), or the first that does not. */
static int schema_find_key(const Schema *schema, bool key) {
        size_t n = schema_size(schema);

        for (size_t i = 0; i < n; i++)
                if ((schema_row(schema, i)->change == CHANGE_KEY) == key)
                        return (int)i;
        return -1;
}

static Object *object_add(Build *build, Namespace *netns, Link *link, const ObjectType *type,
                          Location at) {
        Link *holder = type->flags & OBJECT_IN_NETNS ? NULL : link;
        Object *object = holder ? link_add_object(holder, type)
                                : namespace_add_object(netns, type);

        if (!object) {
                build->report->failed = true;
                return NULL;
        }
        object->at = at;
        object->under = holder ? NULL : link;
        return object;
}

static void object_drop(Namespace *netns, Link *link, Object *object) {
        if (link && !object->under)
                object_remove(&link->objects, &link->last, object);
        else
                object_remove(&netns->objects, &netns->last, object);
}

/* What is only another way to write it becomes what it is. */
static int become(Build *build, Object *object) {
        const ObjectType *type = object->type;
        AttrSet set;
        size_t i;
        int r = attrset_init(&set, &type->as->schema, &build->network->arena);

        ROWSET_FOREACH(i, r == 0 ? object->set.present : 0) {
                int row = schema_find(set.schema, schema_row(&type->schema, i)->key);

                if (r == 0)
                        r = row < 0 ? -EINVAL
                                    : attrset_set_at(&build->network->arena, &set, (size_t)row,
                                                     object->set.values[i],
                                                     attrset_at(&object->set, i));
        }
        if (r < 0)
                return r;
        type->become(&set);
        object->set = set;
        object->type = type->as;
        return 0;
}

static int build_entry(Build *build, Namespace *netns, Link *link, const ObjectType *type,
                       const Object *outer, const Node *node);

/* What lives within an entry. */
static int build_inner(Build *build, Namespace *netns, Link *link, const Object *outer,
                       const Node *entry) {
        const ObjectType *type = outer->type->inner;
        const Node *list = type ? node_get(entry, type->within_key) : NULL;
        size_t mark;
        int r = 0;

        if (node_is_null(list))
                return 0;
        mark = path_push(build, type->within_key);
        if (node_expect(build, list, NODE_LIST, "[ENTRY, …]"))
                for (const Node *child = list->first; r == 0 && child; child = child->next)
                        r = build_entry(build, netns, link, type, outer, child);
        path_pop(build, mark);
        return r;
}

/* An entry that is wrong is not kept: later rules would only repeat that it is. */
static int build_entry(Build *build, Namespace *netns, Link *link, const ObjectType *type,
                       const Object *outer, const Node *node) {
        int shorthand = schema_find_flag(&type->schema, ROW_SHORTHAND), r = 0;
        size_t before = build->report->n;
        Object *object = object_add(build, netns, link, type, node->at);

        if (!object)
                return -ENOMEM;
        if (outer && object_enter(object, outer, &build->network->arena) < 0)
                return -ENOMEM;
        if (node->type == NODE_MAP)
                r = build_keys(build, &object->set, netns->name,
                               type->inner ? type->inner->within_key : NULL, node);
        else if (node->type == NODE_SCALAR && shorthand >= 0 && !node_is_null(node))
                r = build_row(build, &object->set, (size_t)shorthand, netns->name, node);
        else
                build_problem(build, node->at, "an entry must be a %smap of keys, not %s",
                              shorthand >= 0 ? "value or a " : "",
                              node_is_null(node) ? "nothing" : node_type_name(node->type));
        if (build->report->n > before)
                object_drop(netns, link, object);
        else if (r == 0 && type->as)
                r = become(build, object);
        else if (r == 0 && node->type == NODE_MAP)
                r = build_inner(build, netns, link, object, node);
        return MIN(r, 0);
}

/* KEY: VALUE fills the row that identifies the object and the first that does not. */
static int build_pair_rows(Build *build, Object *object, const char *netns, const Node *node) {
        int key = schema_find_key(&object->type->schema, true);
        int rest = schema_find_key(&object->type->schema, false);
        Value name = {};
        int r;

        if (key < 0 || rest < 0)
                return -EINVAL;
        r = build_element(build, schema_row(&object->type->schema, (size_t)key), netns, node->key,
                          node->key_at, &name);
        if (r == 0)
                r = attrset_set_at(&build->network->arena, &object->set, (size_t)key, name,
                                   node->key_at);
        return r ? r : build_row(build, &object->set, (size_t)rest, netns, node);
}

static int build_pair(Build *build, Namespace *netns, Link *link, const ObjectType *type,
                      const Node *node) {
        Object *object;
        int r;

        if (node_is_null(node))
                return 0;
        object = object_add(build, netns, link, type, node->key_at);
        if (!object)
                return -ENOMEM;
        r = build_pair_rows(build, object, netns->name, node);
        if (r > 0)
                object_drop(netns, link, object);
        return MIN(r, 0);
}

/* KEY: {ROW: VALUE, …}: the key fills the row that identifies the object. */
static int build_named_rows(Build *build, Object *object, const char *netns, const Node *node) {
        size_t key = (size_t)schema_find_key(&object->type->schema, true);
        const Row *row = schema_row(&object->type->schema, key);
        const Node *again = node_get(node, row->key);
        Value name = {};
        int r;

        if (again) {
                build_problem(build, again->key_at, "'%s' is what stands in front: '%s'", row->key,
                              node->key);
                return BUILD_E_PROBLEM;
        }
        r = build_element(build, row, netns, node->key, node->key_at, &name);
        if (r == 0)
                r = attrset_set_at(&build->network->arena, &object->set, key, name, node->key_at);
        return r ? r : build_rows(build, &object->set, netns, node);
}

static int build_named(Build *build, Namespace *netns, Link *link, const ObjectType *type,
                       const Node *node) {
        size_t before = build->report->n;
        Object *object;
        int r;

        if (node_is_null(node) || !node_expect(build, node, NODE_MAP, "{KEY: VALUE, …}"))
                return 0;
        object = object_add(build, netns, link, type, node->key_at);
        if (!object)
                return -ENOMEM;
        r = build_named_rows(build, object, netns->name, node);
        if (build->report->n > before)
                object_drop(netns, link, object);
        return MIN(r, 0);
}

int build_objects(Build *build, Namespace *netns, Link *link, const ObjectType *type,
                  const Node *node) {
        bool named = type->flags & OBJECT_NAMED, map = named || type->flags & OBJECT_MAP;

        if (node_is_null(node))
                return 0;
        if (!node_expect(build, node, map ? NODE_MAP : NODE_LIST,
                         named ? "{ID: {KEY: VALUE, …}}" : map ? "{KEY: VALUE}" : "[ENTRY, …]"))
                return 0;
        if (link && type->flags & OBJECT_EXACT && link_declare(link, type, node->key_at) < 0)
                return -ENOMEM;
        if (link && type->inner && link_declare(link, type->inner, node->key_at) < 0)
                return -ENOMEM;
        for (const Node *child = node->first; child; child = child->next) {
                size_t mark = map ? path_push(build, child->key) : build->path.size;
                int r = named ? build_named(build, netns, link, type, child)
                        : map ? build_pair(build, netns, link, type, child)
                              : build_entry(build, netns, link, type, NULL, child);

                path_pop(build, mark);
                if (r < 0)
                        return r;
        }
        return 0;
}
