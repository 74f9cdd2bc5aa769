/* SPDX-License-Identifier: MIT */
/* describe: the manual of every key, from the same tables that parse it. */

#include "ctl/ctl.h"

#include "mvnet/network.h"
#include "mvnet/vlans.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const changes[_CHANGE_N] = {
        [CHANGE_LIVE] = "live",
        [CHANGE_DOWN] = "down",
        [CHANGE_CREATE] = "re-create",
        [CHANGE_KEY] = "identity",
        [CHANGE_STATE] = "read-only",
};

static const char *const shapes[_SHAPE_N] = {
        [SHAPE_SCALAR] = "value",
        [SHAPE_LIST] = "exact list",
        [SHAPE_MAP] = "exact map",
};

/* Ports are one side of an edge, the other end of which any file may declare. */
static const char *row_shape(const Row *row) {
        return row == schema_row(&link_schema, LINK_PORTS) ? "additive list"
                                                           : shapes[row->type->shape];
}

/* Rows that only have an effect on mvnetd itself can't cost anything. */
static const char *row_change(const Row *row) {
        return (row->flags & ROW_LOCAL) != 0 ? changes[CHANGE_LIVE] : changes[row->change];
}

/* The options by which it is decided which rows count (Row.when). */
static const Schema *deciding(const Schema *schema) {
        for (size_t i = 0; i < link_kinds_n; i++)
                if (schema == &link_kinds[i]->port)
                        return &link_kinds[i]->options;
        return schema;
}

static void print_row(const Schema *schema, const Row *row) {
        _cleanup_(buf_deinit) Buf allowed = {}, condition = {};

        row_allowed(row, &allowed);
        if (row->when) {
                buf_add(&condition, "; only ");
                row_condition(row, deciding(schema), &condition);
        }
        printf("  %-18s %s%s%s\n", row->key, buf_text(&allowed),
               row->type->shape == SHAPE_SCALAR ? "" : "; ",
               row->type->shape == SHAPE_SCALAR ? "" : row_shape(row));
        printf("      %s%s%s%s%s; %s\n", (row->flags & ROW_REQUIRED) != 0 ? "required" : "default: ",
               (row->flags & ROW_REQUIRED) != 0 ? ""
               : !row->def                      ? "the kernel's choice"
               : row->def[0] == '\0'            ? "empty"
                                                : row->def,
               "; change: ", row_change(row), buf_text(&condition), row->doc);
}

static void print_schema(const Schema *schema) {
        for (size_t i = 0; i < schema_size(schema); i++)
                print_row(schema, schema_row(schema, i));
}

static void print_heading(const char *name, const char *doc) {
        bool bold = ctl_colour(STDOUT_FILENO);

        printf("%s%s%s%s%s\n", bold ? "\033[1m" : "", name, bold ? "\033[0m" : "", doc ? ": " : "",
               doc ? doc : "");
}

static const char *object_shape(const ObjectType *type) {
        if (type->flags & OBJECT_EXACT)
                return "exact list";
        return (type->flags & (OBJECT_MAP | OBJECT_NAMED)) != 0 ? "additive map" : "additive list";
}

static const char *object_place(const ObjectType *type) {
        return (type->flags & OBJECT_ON_LINK) != 0 ? "of an interface" : "of a namespace";
}

static void print_object(const ObjectType *type) {
        print_heading(type->schema.name, type->doc);
        printf("  (%s, %s)\n", object_shape(type), object_place(type));
        print_schema(&type->schema);
}

/* A kind without options of its own may still inherit some, and so may its ports. */
static void print_kind(const LinkKind *kind) {
        print_heading(kind->name, kind->doc);
        print_schema(&kind->options);
        if (kind->port.name) {
                putchar('\n');
                print_heading(kind->port.name, "keys of its ports");
                print_schema(&kind->port);
        }
        for (size_t i = 0; i < object_types_n; i++)
                if (object_types[i]->only == kind) {
                        putchar('\n');
                        print_object(object_types[i]);
                }
        puts("\nAnd the keys that every interface has: see 'describe link'.");
}

static void print_all(void) {
        print_heading("Kinds", NULL);
        for (size_t i = 0; i < link_kinds_n; i++)
                printf("  %-18s %s\n", link_kinds[i]->name, link_kinds[i]->doc);
        putchar('\n');
        print_heading("link", "keys of every interface");
        print_schema(&link_schema);
        putchar('\n');
        print_heading(vlans_schema.name, "of a bridge and its ports");
        print_schema(&vlans_schema);
        putchar('\n');
        print_heading("match", "how an interface of somebody else's is recognised");
        print_schema(&match_schema);
        for (size_t i = 0; i < object_types_n; i++) {
                putchar('\n');
                print_object(object_types[i]);
        }
}

/* The same for programs. */

static struct json_object *json_schema(const Schema *schema) {
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < schema_size(schema); i++) {
                const Row *row = schema_row(schema, i);
                struct json_object *object = json_object_new_object();
                _cleanup_(buf_deinit) Buf allowed = {}, condition = {};

                row_allowed(row, &allowed);
                if (row->when)
                        row_condition(row, deciding(schema), &condition);
                json_add(object, "key", json_text(row->key));
                json_add(object, "type", json_text(row->type->name));
                json_add(object, "shape", json_text(row_shape(row)));
                json_add(object, "allowed", json_text(buf_text(&allowed)));
                json_add(object, "default", json_text(row->def));
                json_add(object, "required",
                         json_object_new_boolean((row->flags & ROW_REQUIRED) != 0));
                json_add(object, "change", json_text(row_change(row)));
                json_add(object, "condition", json_text(row->when ? buf_text(&condition) : NULL));
                json_add(object, "doc", json_text(row->doc));
                json_object_array_add(array, object);
        }
        return array;
}

static struct json_object *json_described(const char *name, const char *doc, const Schema *schema) {
        struct json_object *object = json_object_new_object();

        json_add(object, "name", json_text(name));
        json_add(object, "doc", json_text(doc));
        json_add(object, "keys", json_schema(schema));
        return object;
}

static struct json_object *json_object_type(const ObjectType *type) {
        struct json_object *object = json_described(type->schema.name, type->doc, &type->schema);

        json_add(object, "shape", json_text(object_shape(type)));
        json_add(object, "place", json_text(object_place(type)));
        return object;
}

static struct json_object *json_kind(const LinkKind *kind) {
        struct json_object *object = json_described(kind->name, kind->doc, &kind->options);

        if (kind->port.name)
                json_add(object, kind->port.name, json_schema(&kind->port));
        for (size_t i = 0; i < object_types_n; i++)
                if (object_types[i]->only == kind)
                        json_add(object, object_types[i]->schema.name,
                                 json_object_type(object_types[i]));
        return object;
}

static struct json_object *json_all(void) {
        struct json_object *object = json_object_new_object();
        struct json_object *kinds = json_object_new_array(), *types = json_object_new_array();

        for (size_t i = 0; i < link_kinds_n; i++)
                json_object_array_add(kinds, json_kind(link_kinds[i]));
        for (size_t i = 0; i < object_types_n; i++)
                json_object_array_add(types, json_object_type(object_types[i]));
        json_add(object, "kinds", kinds);
        json_add(object, "link", json_schema(&link_schema));
        json_add(object, "vlans", json_schema(&vlans_schema));
        json_add(object, "match", json_schema(&match_schema));
        json_add(object, "objects", types);
        return object;
}

/* Words: a kind, a kind's ports, what lives on links, or `link` and `match`. */

static bool describe_object(const Ctl *ctl, const char *word, struct json_object *ret) {
        bool found = false;

        /* The sysctl of an interface and that of a namespace share their name. */
        for (size_t i = 0; i < object_types_n; i++) {
                if (!streq(object_types[i]->schema.name, word))
                        continue;
                if (ctl->json)
                        json_add(ret, found ? "namespace" : "interface",
                                 json_object_type(object_types[i]));
                else
                        print_object(object_types[i]);
                found = true;
        }
        return found;
}

static CtlExit describe_schema(const Ctl *ctl, const Schema *schema, const char *doc) {
        if (ctl->json)
                return json_print(ctl, json_described(schema->name, doc, schema), CTL_DONE);
        print_heading(schema->name, doc);
        print_schema(schema);
        return CTL_DONE;
}

static CtlExit unknown(const Ctl *ctl, const char *word) {
        const char **words = calloc(link_kinds_n + object_types_n + 3, sizeof(*words));
        const char *nearest = NULL;
        size_t n = 0;

        for (size_t i = 0; words && i < link_kinds_n; i++)
                words[n++] = link_kinds[i]->name;
        for (size_t i = 0; words && i < object_types_n; i++)
                words[n++] = object_types[i]->schema.name;
        if (words)
                words[n++] = vlans_schema.name;
        if (words)
                nearest = text_nearest(word, words, n);
        if (nearest)
                ctl_error(ctl, "no kind '%s': did you mean '%s'?", word, nearest);
        else
                ctl_error(ctl, "no kind '%s': 'describe' without one lists all", word);
        free(words);
        return CTL_USAGE;
}

static CtlExit describe(const Ctl *ctl, const char *word) {
        const LinkKind *kind = link_kind_find(word);
        const Schema *port = link_kind_port_schema(word);
        struct json_object *object;

        if (kind && ctl->json)
                return json_print(ctl, json_kind(kind), CTL_DONE);
        if (kind) {
                print_kind(kind);
                return CTL_DONE;
        }
        if (port)
                return describe_schema(ctl, port, "keys of ports");
        if (streq(word, link_schema.name))
                return describe_schema(ctl, &link_schema, "keys of every interface");
        if (streq(word, vlans_schema.name))
                return describe_schema(ctl, &vlans_schema, "of a bridge and its ports");
        if (streq(word, match_schema.name))
                return describe_schema(ctl, &match_schema,
                                       "how an interface of somebody else's is recognised");
        object = ctl->json ? json_object_new_object() : NULL;
        if (!describe_object(ctl, word, object)) {
                json_object_put(object);
                return unknown(ctl, word);
        }
        return ctl->json ? json_print(ctl, object, CTL_DONE) : CTL_DONE;
}

static CtlExit run_describe(Ctl *ctl) {
        if (ctl->n_paths > 1) {
                ctl_error(ctl, "describe takes one kind at most");
                return CTL_USAGE;
        }
        if (ctl->n_paths == 1)
                return describe(ctl, ctl->paths[0]);
        if (ctl->json)
                return json_print(ctl, json_all(), CTL_DONE);
        print_all();
        return CTL_DONE;
}

const Verb verbs_describe = {
        .name = "describe",
        .arguments = "[KIND]",
        .doc = "List keys, values, defaults and what a change costs",
        .run = run_describe,
};
