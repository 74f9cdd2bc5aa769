/* SPDX-License-Identifier: MIT */
/*
 * From files to a Network: the story of a load, and the outermost layer of the tree. All that is
 * wrong, in all files, is found in one go.
 */

#include "config/build.h"

#include <errno.h>
#include <stdlib.h>

/* The outermost layers. */

static int build_interfaces(Build *build, Namespace *netns, const Node *map) {
        int r = 0;

        if (node_is_null(map) || !node_expect(build, map, NODE_MAP, "{NAME: {kind: KIND, …}}"))
                return 0;
        for (const Node *child = map->first; child && r == 0; child = child->next) {
                size_t mark = path_push(build, child->key);

                r = build_link(build, netns, child);
                path_pop(build, mark);
        }
        return r;
}

static void build_pid(Build *build, Namespace *netns, const Node *node) {
        uint64_t pid;

        if (!node_expect(build, node, NODE_SCALAR, "the number of a process"))
                return;
        if (text_to_u64(node->text, &pid) < 0 || pid < 1 || pid > INT32_MAX) {
                build_problem(build, node->at, "'%s' is not the number of a process", node->text);
                return;
        }
        netns->type = NETNS_PID;
        netns->pid = (int)pid;
}

static int build_path(Build *build, Namespace *netns, const Node *node) {
        if (!node_expect(build, node, NODE_SCALAR, "a file name"))
                return 0;
        if (node->text[0] != '/') {
                build_problem(build, node->at, "'%s' is not an absolute path", node->text);
                return 0;
        }
        netns->type = NETNS_PATH;
        netns->path = arena_strdup(&build->network->arena, node->text);
        return netns->path ? 0 : -ENOMEM;
}

/* True if this is a key of the file as a whole, or of a namespace as such; *ret: how it went. */
static bool build_own_key(Build *build, Namespace *netns, const Node *node, int *ret) {
        bool top = netns->type == NETNS_HOST;

        *ret = 0;
        if (top)
                return streq(node->key, "namespaces") || streq(node->key, "name") ||
                       streq(node->key, "version") || strncmp(node->key, "x-", 2) == 0;
        if (streq(node->key, "path") && !node_is_null(node))
                *ret = build_path(build, netns, node);
        else if (streq(node->key, "pid") && !node_is_null(node))
                build_pid(build, netns, node);
        else
                return streq(node->key, "path") || streq(node->key, "pid");
        return true;
}

/* What the host's namespace and all others have in common. */
static int build_space(Build *build, Namespace *netns, const Node *map) {
        bool top = netns->type == NETNS_HOST;
        int r = 0;

        for (const Node *child = map->first; child && r == 0; child = child->next) {
                const ObjectType *type = object_type_find(child->key, OBJECT_IN_NETNS);
                size_t mark = path_push(build, child->key);

                if (type)
                        r = build_objects(build, netns, NULL, type, child);
                else if (streq(child->key, "interfaces"))
                        r = build_interfaces(build, netns, child);
                else if (!build_own_key(build, netns, child, &r))
                        space_key_unknown(build, child, top);
                path_pop(build, mark);
        }
        return r;
}

static int build_namespace(Build *build, const Node *node) {
        const char *problem = netns_name_problem(node->key);
        const Node *path, *pid;
        Namespace *netns;

        if (node_is_null(node))
                return 0;
        if (problem)
                build_problem(build, node->key_at, "the name '%s' %s", node->key, problem);
        if (streq(node->key, HOST)) {
                report_hint(build->report, "the host's own interfaces stand at the top level");
                return 0;
        }
        if (!node_expect(build, node, NODE_MAP, "{} if there is nothing to say"))
                return 0;
        path = node_get(node, "path");
        pid = node_get(node, "pid");
        if (!node_is_null(path) && !node_is_null(pid))
                build_problem(build, pid->key_at, "'path' and 'pid' exclude each other");
        netns = network_add_namespace(build->network, node->key, NETNS_NAMED);
        if (!netns)
                return -ENOMEM;
        netns->at = node->key_at;
        return build_space(build, netns, node);
}

static int build_namespaces(Build *build, const Node *map) {
        size_t outer = path_push(build, "namespaces");
        int r = 0;

        if (!node_is_null(map) && node_expect(build, map, NODE_MAP, "{NAME: {…}}"))
                for (const Node *child = map->first; child && r == 0; child = child->next) {
                        size_t mark = path_push(build, child->key);

                        r = build_namespace(build, child);
                        path_pop(build, mark);
                }
        path_pop(build, outer);
        return r;
}

static void build_version(Build *build, const Node *node) {
        if (node_is_null(node))
                return;
        if (node->type != NODE_SCALAR || !streq(node->text, "1"))
                report_add(build->report, node->at, "version",
                           "this mvnetd understands version 1 only");
}

#define NAME_SIZE_MAX 64

/* The name becomes a folder below /run/mvnet. */
static const char *config_name_problem(const char *name) {
        if (!*name || strlen(name) > NAME_SIZE_MAX)
                return "must have 1 to 64 bytes";
        if (name[0] == '.' || name[0] == '-')
                return "must not begin with '.' or '-'";
        if (strncmp(name, "netns-", strlen("netns-")) == 0)
                return "must not begin with 'netns-', which is reserved";
        if (streq(name, "bus") || streq(name, "last"))
                return "must not be 'bus' or 'last', which are reserved";
        for (const char *c = name; *c; c++)
                if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || *c == '/')
                        return "has spaces, slashes, control or non-ASCII characters";
        return NULL;
}

static int build_name(Build *build, const Node *node) {
        size_t mark = path_push(build, "name");
        const char *problem = NULL;
        int r = 0;

        if (!node_is_null(node) && node_expect(build, node, NODE_SCALAR, "a name")) {
                problem = config_name_problem(node->text);
                if (problem)
                        build_problem(build, node->at, "'%s' %s", node->text, problem);
                build->network->name = arena_strdup(&build->network->arena, node->text);
                build->network->name_at = node->at;
                r = build->network->name ? 0 : -ENOMEM;
        }
        path_pop(build, mark);
        return r;
}

int config_build(Network *network, const Node *root, const char *etc, Report *report) {
        Build build = {.network = network, .report = report};
        int r = tables_read(&network->arena, etc, &build.tables);

        if (r < 0)
                return r;
        if (node_is_null(root))
                return report_error(report);
        if (root->type != NODE_MAP) {
                build_problem(&build, root->at, "a file is a map of keys, not %s",
                              node_type_name(root->type));
                return report_error(report);
        }
        build_version(&build, node_get(root, "version"));
        r = build_name(&build, node_get(root, "name"));
        if (r == 0)
                r = build_space(&build, network_find_namespace(network, HOST), root);
        if (r == 0)
                r = build_namespaces(&build, node_get(root, "namespaces"));
        if (r == 0)
                r = build_ports(&build);
        buf_deinit(&build.path);
        return r < 0 ? r : report_error(report);
}

/* A load. */

/* Most lists of objects unite, and so do ports, one side of an edge; all others are exact. */
static bool list_is_additive(const char *key) {
        const ObjectType *type = object_type_find(key, OBJECT_ON_LINK | OBJECT_IN_NETNS);

        return type ? !(type->flags & OBJECT_EXACT)
                    : streq(key, schema_row(&link_schema, LINK_PORTS)->key);
}

/* *ret_whole is false if a file could not be read as YAML: what it declares is not known then. */
static int parse_files(Arena *arena, const SourceFile *files, size_t n, Report *report,
                       Node **ret, bool *ret_whole) {
        TreeLayer *layers = arena_new_n(arena, TreeLayer, n + 1);
        TreeBudget budget = {};
        size_t parsed = 0;
        int r;

        if (!layers)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                Node *root = NULL;

                r = tree_parse(arena, files[i].source, &budget, report, &root);
                if (r < 0)
                        return r;
                if (root)
                        layers[parsed++] = (TreeLayer){.root = root, .layer = files[i].layer};
        }
        *ret_whole = parsed == n;
        return tree_merge(arena, layers, parsed, list_is_additive, report, ret);
}

static int make_network(Network *network, const SourceFile *files, size_t n, const char *etc,
                        const uint8_t seed[16], Report *report) {
        Node *root = NULL;
        bool whole = true;
        int r = parse_files(&network->arena, files, n, report, &root, &whole);

        if (r == 0)
                r = config_build(network, root, etc, report);
        if (r == 0 && whole)
                r = network_complete(network, seed);
        return r < 0 || !whole ? r : config_check(network, report);
}

static const Source *copy_source(Arena *arena, const Source *from) {
        Source *copy = arena_new(arena, Source);

        if (!copy)
                return NULL;
        *copy = *from;
        copy->name = arena_strdup(arena, from->name);
        copy->text = arena_strndup(arena, from->text, from->size);
        return copy->name && (copy->text || !from->text) ? copy : NULL;
}

/* What a report points to outlives the Network that was not to be. */
static int keep_sources(Report *report) {
        const Source *from = NULL, *copy = NULL;

        for (Problem *problem = report->first; problem; problem = problem->next) {
                if (!problem->at.source)
                        continue;
                if (problem->at.source != from) {
                        from = problem->at.source;
                        copy = copy_source(&report->arena, from);
                        if (!copy)
                                return -ENOMEM;
                }
                problem->at.source = copy;
        }
        return 0;
}

/* After a failure nothing may point into the Network any more. */
static void forget_sources(Report *report) {
        for (Problem *problem = report->first; problem; problem = problem->next)
                problem->at = (Location){};
        report->failed = true;
}

static int load(Network *network, const SourceFile *files, size_t n, const char *etc,
                const uint8_t seed[16], Report *report, Network **ret) {
        int r = make_network(network, files, n, etc, seed, report);

        if (r == 0)
                r = report_error(report);
        if (r == 0 && report->n == 0) {
                *ret = network;
                return 0;
        }
        if (keep_sources(report) < 0) {
                forget_sources(report);
                r = -ENOMEM;
        }
        *ret = network_free(network);
        return r;
}

int config_load(const char *root, const char *const *paths, size_t n_paths, const uint8_t seed[16],
                Report *report, Network **ret) {
        SourceFile *files = NULL;
        Network *network;
        size_t n = 0;
        int r = network_new(&network);

        if (r < 0)
                return r;
        r = files_read(&network->arena, root, paths, n_paths, report, &files, &n);
        if (r < 0) {
                forget_sources(report);
                network_free(network);
                return r;
        }
        return load(network, files, n, root, seed, report, ret);
}

int config_load_sources(const SourceFile *files, size_t n, const uint8_t seed[16], Report *report,
                        Network **ret) {
        SourceFile *copies;
        Network *network;
        int r = network_new(&network);

        if (r < 0)
                return r;
        copies = arena_new_n(&network->arena, SourceFile, n + 1);
        if (!copies)
                r = -ENOMEM;
        for (size_t i = 0; r == 0 && i < n; i++) {
                copies[i].source = copy_source(&network->arena, files[i].source);
                copies[i].layer = files[i].layer;
                r = copies[i].source ? 0 : -ENOMEM;
        }
        if (r < 0) {
                forget_sources(report);
                network_free(network);
                return r;
        }
        return load(network, copies, n, "", seed, report, ret);
}

int config_load_text(const char *name, const char *text, const uint8_t seed[16], Report *report,
                     Network **ret) {
        const Source source = {.name = name, .text = text, .size = strlen(text)};

        return config_load_sources(&(SourceFile){.source = &source}, 1, seed, report, ret);
}

/* What a folder below /run/mvnet may be called, whatever the file is. */
static void name_add(const char *base, size_t size, Buf *ret) {
        for (size_t i = 0; i < MIN(size, (size_t)NAME_SIZE_MAX); i++) {
                bool fine = base[i] > ' ' && base[i] < 0x7f && base[i] != '/';

                buf_addc(ret, fine && (i > 0 || base[i] != '.') ? base[i] : '_');
        }
}

int config_name(const Network *network, const char *const *paths, size_t n_paths, Buf *ret) {
        _cleanup_(freep) char *real = NULL;
        const char *path, *base;
        size_t size;

        if ((network && network->name) || n_paths == 0) {
                buf_add(ret, network && network->name ? network->name : "system");
                return buf_error(ret);
        }
        if (streq(paths[0], "-")) {
                buf_add(ret, "stdin");
                return buf_error(ret);
        }
        real = realpath(paths[0], NULL); /* `.` has a name, too */
        path = real ?: paths[0];
        base = strrchr(path, '/');
        base = base && base[1] ? base + 1 : path;
        size = strlen(base);
        if (size > 5 && streq(base + size - 5, ".yaml"))
                size -= 5;
        name_add(base, size, ret);
        return buf_error(ret);
}
