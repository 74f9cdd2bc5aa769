/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A file as a tree that still knows where every word stood. Scalars are text: what they mean is
 * for the schema to say, never for YAML to guess.
 */

#include "mvnet/error.h"
#include "mvnet/util.h"

typedef enum NodeType {
        NODE_SCALAR,
        NODE_LIST,
        NODE_MAP,
        _NODE_TYPE_N,
} NodeType;

typedef struct Node {
        NodeType type;
        Location at;       /* of the value */
        const char *key;   /* if the parent is a map; no two siblings have the same */
        Location key_at;   /* likewise */
        const char *text;  /* NODE_SCALAR: no NUL inside; "" if nothing was written */
        bool quoted;       /* NODE_SCALAR: '…', "…", | or >: never null, never a merge key */
        struct Node *first; /* NODE_LIST, NODE_MAP: the first child, or NULL */
        struct Node *next;  /* the next sibling */
        size_t n;          /* children */
        bool repeated;     /* while a file is read: the children are an anchor's */
} Node;

/* An unquoted `null`, `~`, or nothing at all. NULL is null. */
bool node_is_null(const Node *node);

/* The child of a map under `key`, or NULL. */
Node *node_get(const Node *map, const char *key);

const char *node_type_name(NodeType type); /* "a value", "a list", "a map" */

/*
 * Limits over all files of one load: the reader counts, and refuses what goes beyond. A node that
 * an alias repeats counts each time.
 */
#define TREE_DEPTH_MAX 32
#define TREE_NODES_MAX ((size_t)1000 * 1000)
#define FILE_SIZE_MAX ((size_t)16 * 1024 * 1024)
#define FILES_MAX 256
#define FILES_SIZE_MAX (8 * FILE_SIZE_MAX) /* all together */

typedef struct TreeBudget {
        size_t nodes; /* used so far */
} TreeBudget;

/*
 * Reads one file's text. Anchors, aliases and `<<` are resolved: the tree that comes back is plain.
 * Nodes live in `arena` and point to `source`. Refused, with their line, each by a message that
 * says what to do instead: bad syntax ("quote it", if an unquoted `::` or `[` is to blame), tabs,
 * a BOM, UTF-16, NUL, bad UTF-8, tags, several documents, duplicate keys, keys that are not plain
 * scalars, an alias to itself, too deep, too many nodes, a top that is no map.
 *
 * An empty file is an empty map. Returns 0 and *ret, with *ret NULL if something was added to the
 * report; < 0 if memory ran out.
 */
int tree_parse(Arena *arena, const Source *source, TreeBudget *budget, Report *report, Node **ret);

/* How tree_merge() takes two lists under the same key: true if they unite. */
typedef bool TreeIsAdditive(const char *key);

/* One file's tree and the folder it is from: the higher layer wins. */
typedef struct TreeLayer {
        Node *root;
        unsigned layer;
} TreeLayer;

/*
 * Merges files to one tree, key by key. Maps merge. Where two layers differ in a value the higher
 * wins; two files of the same layer that say different things are an error that names both places;
 * saying the same twice is fine. Additive lists unite (lower layers first, equal entries once);
 * every other list counts as one value. `key: null` in a layer is as if no file of this and the
 * lower layers said it. Nodes are reused and relinked: the input trees are gone. A NULL root says
 * nothing. On 0, *ret is a map, even if there were contradictions.
 */
int tree_merge(Arena *arena, TreeLayer *layers, size_t n, TreeIsAdditive *additive, Report *report,
               Node **ret);

/*
 * Finds and reads the files of a load. Without `paths`: the *.yaml of /etc/mvnet over /run/mvnet.d
 * over /usr/lib/mvnet, where a file name hides the same name below (under `root`, for
 * tests: "" is the real one). Else each path is a file, a folder (its *.yaml, in byte order), or
 * "-" for standard input, and all are one layer.
 *
 * Opened safely: a configuration folder is owned by root (or the caller) and not writable by
 * others; a symlink in it counts if that holds for its target and the way there; a file named on
 * the command line is a regular file owned by root or the caller and not writable by others. Files
 * are opened without blocking, checked by fstat on the open descriptor, and read at most
 * FILE_SIZE_MAX bytes. What is wrong goes to the report, named by path.
 *
 * Sources and their text live in `arena`. A missing folder among the three is no files; a missing
 * PATH is a problem. Returns 0 (see the report) or < 0 if memory ran out.
 */
typedef struct SourceFile {
        const Source *source;
        unsigned layer; /* 0 lowest */
} SourceFile;

int files_read(Arena *arena, const char *root, const char *const *paths, size_t n_paths,
               Report *report, SourceFile **ret, size_t *ret_n);
