/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Files and folders that nobody but root and the caller can have had a hand in: owned by one of
 * them, and not writable by others. A folder may be, if it is sticky as /tmp is.
 */

#include "mvnet/util.h"

#include <sys/types.h>

enum {
        _SAFE_E_SUCCESS,
        SAFE_E_UNSAFE, /* or of another type, or a symlink in spite of O_NOFOLLOW */
};

/* As openat(), of S_IFREG or S_IFDIR, and never waits for anybody. 0, SAFE_E_UNSAFE, or < 0. */
int safe_open(int dir_fd, const char *path, int flags, mode_t type, int *ret);
int safe_check(int fd, mode_t type); /* the same of what is open */

/* Makes the folder and those on the way to it, where they are missing. 0 or < 0. */
int safe_make_folders(const char *path);

/* Appends what is left to read, at most up to a size of `size`. 0 or < 0. */
int safe_read(int fd, size_t size, Buf *ret);
