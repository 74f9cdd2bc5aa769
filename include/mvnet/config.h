/* SPDX-License-Identifier: MIT */
#pragma once

/* From files to a Network, and back. */

#include "mvnet/network.h"
#include "mvnet/tree.h"

/*
 * Reads the files (tree.h: files_read), merges them, and makes the wanted Network of them, complete
 * and checked against itself: every problem of every file is in the report, and *ret is NULL if
 * there is any. `root` is prepended to the three folders ("" but in tests). `seed`: see
 * network_complete(). 0 or < 0.
 */
int config_load(const char *root, const char *const *paths, size_t n_paths, const uint8_t seed[16],
                Report *report, Network **ret);

/*
 * The same for files that were read before, by files_read() with this report or from wherever they
 * were kept. They are copied, and places carry their names: nothing points to them afterwards.
 */
int config_load_sources(const SourceFile *files, size_t n, const uint8_t seed[16], Report *report,
                        Network **ret);

/* The same for one text, for tests. */
int config_load_text(const char *name, const char *text, const uint8_t seed[16], Report *report,
                     Network **ret);

/*
 * The parts of it: a merged tree to a Network, and the rules between objects. `etc` is where
 * iproute2's names of tables are found, "" as a rule.
 */
int config_build(Network *network, const Node *root, const char *etc, Report *report);
int config_check(const Network *network, Report *report);

/*
 * Writes a Network as a file that, loaded, plans to nothing: the exact inverse of config_load().
 * Without `all`, only links that carry our link group and what is on them, and what they refer to.
 */
int config_export(const Network *network, bool all, Buf *ret);

/*
 * The name of a configuration (rule 2): `name:`, else "system", else the first path's base name.
 * Without a Network, what the paths alone say.
 */
int config_name(const Network *network, const char *const *paths, size_t n_paths, Buf *ret);
