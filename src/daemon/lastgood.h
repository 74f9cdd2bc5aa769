/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The last configuration that loaded (rule 8), for a start with files that don't: their names,
 * folders' ranks and texts in one file, FOLDER/NAME.last, which survives a boot.
 *
 * NAME is what the configuration is called without a look into its files: --name, or config_name()
 * of no Network. The `name:` that was in them is nothing to go by when they can't be read.
 */

#include "mvnet/tree.h"

enum {
        _LASTGOOD_E_SUCCESS,
        LASTGOOD_E_ABSENT,
        LASTGOOD_E_UNSAFE,  /* the folder or the file could have been written by anybody */
        LASTGOOD_E_CORRUPT, /* torn, too big, not of this version: nothing of it counts */
};

/*
 * FOLDER: /var/lib/mvnet in the initial network namespace, elsewhere or with a `runtime_dir` (see
 * store_runtime()) "last" in the runtime folder. 0 or < 0.
 */
int lastgood_folder(const char *runtime_dir, Buf *ret);

/*
 * Replaces what is kept, at once and for good, or leaves it as it was; the same again is not
 * written. Makes the folder. 0, LASTGOOD_E_UNSAFE (the folder), or < 0: -EINVAL for a bad name,
 * -E2BIG for what files_read() would not have read, -ENOSPC, -EROFS …
 */
int lastgood_save(const char *folder, const char *name, const SourceFile *files, size_t n);

/* In the order they were given. All in `arena`. 0, LASTGOOD_E_*, or < 0: -EINVAL for a bad name. */
int lastgood_load(const char *folder, const char *name, Arena *arena, SourceFile **ret,
                  size_t *ret_n);
