/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files that turn a tree into a Network share; private to this folder. */

#include "mvnet/config.h"
#include "mvnet/vlans.h"

/* One entry of a `ports:` list: the same edge as `master` at the other end. */
typedef struct PortEntry {
        struct PortEntry *next;
        Link *master;
        Ref port;
        Location at;
} PortEntry;

/* A section such as `bridge-port`: whether it fits is known once all links are. */
typedef struct PortSection {
        struct PortSection *next;
        const Link *link;
        Location at;
} PortSection;

/* A routing table's name, as iproute2 knows it. */
typedef struct TableName {
        const struct TableName *next;
        const char *name;
        uint64_t number;
} TableName;

/* Reads iproute2's files; those that are not there, or make no sense, name nothing. 0 or -ENOMEM. */
int tables_read(Arena *arena, const char *root, const TableName **ret);
/* For ParseScope. */
bool tables_find(const ParseScope *scope, const char *name, uint64_t *ret);

typedef struct Build {
        Network *network;
        Report *report;
        Buf path; /* of what is being read: "interfaces.br0.bridge-port" */
        PortEntry *ports, *last_port;
        PortSection *sections;
        const TableName *tables;
} Build;

enum {
        _BUILD_E_SUCCESS,
        BUILD_E_PROBLEM, /* it is in the report; nothing was set */
        BUILD_E_NOTHING, /* an element that says nothing */
};

/* Goes one step down; the way back is path_pop() with what this returned. */
size_t path_push(Build *build, const char *step);
void path_pop(Build *build, size_t mark);

/* Adds a problem under the path of the moment. */
void build_problem(Build *build, Location at, const char *format, ...) _printf_(3, 4);

/* False, and a problem saying what it is for, if the node is of another type. */
bool node_expect(Build *build, const Node *node, NodeType type, const char *example);

/* Remembers where a row was written. 0 or -ENOMEM. */
int attrset_set_at(Arena *arena, AttrSet *set, size_t row, Value value, Location at);

/*
 * The row of `set` with this key, from this node, whose key is pushed already. A link named without
 * a namespace is in `netns`. 0 (null included), BUILD_E_PROBLEM, or -ENOMEM.
 */
int build_row(Build *build, AttrSet *set, size_t row, const char *netns, const Node *node);

/* A map of nothing but rows, required ones and all. 0 or -ENOMEM. */
int build_rows(Build *build, AttrSet *set, const char *netns, const Node *map);

/* ParseScope.read_secret, for values in files. */
int secret_read(ParseScope *scope, const char *name, char ret[SECRET_LINE_SIZE]);

/* Every row that the schema requires, is absent, and was not even tried, is a problem at `at`. */
void build_require(Build *build, const AttrSet *set, RowSet tried, Location at);

/* All objects of one type, of a link or (NULL) of a namespace. 0 or -ENOMEM. */
int build_objects(Build *build, Namespace *netns, Link *link, const ObjectType *type,
                  const Node *node);

/* The keys of a namespace, or (top) of a whole file, without its namespaces. 0 or -ENOMEM. */
int build_link(Build *build, Namespace *netns, const Node *node);

/* `ports:` become the masters of the links they name; port sections need one. 0 or -ENOMEM. */
int build_ports(Build *build);

/* A key of an interface, namespace, section or entry that no table has: says why, if it can. */
void link_key_unknown(Build *build, const LinkKind *kind, const Node *node);
void space_key_unknown(Build *build, const Node *node, bool top);
void row_key_unknown(Build *build, const Schema *schema, const Node *node);
void kind_unknown(Build *build, const Node *node);

/*
 * The names of all kinds with an option of this key, or with this flag (0: of all), as "macvlan,
 * macvtap", and how many.
 */
size_t kinds_with_key(const char *key, Buf *ret);
size_t kinds_with_flag(uint32_t flag, Buf *ret);

/* "interfaces.br0", "namespaces.ns1.interfaces.eth0", with ".key" if there is one. */
void link_config_path(const Link *link, const char *key, Buf *ret);

/* Words for text_nearest(); the first WORDS_MAX count. */
#define WORDS_MAX 512
typedef struct Words {
        const char *items[WORDS_MAX];
        size_t n;
} Words;

void words_add(Words *words, const char *word);
void words_add_schema(Words *words, const Schema *schema);
