/* SPDX-License-Identifier: MIT */
/*
 * What we keep tells what may be deleted, and what the network is to be: it is read like any input,
 * and only where no stranger can have written it. Asked of what is open, since a name may mean
 * another file a moment later.
 */

#include "daemon/safe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_safe(const struct stat *st) {
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return false;
        return (st->st_mode & (S_IWGRP | S_IWOTH)) == 0 ||
               (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0);
}

int safe_check(int fd, mode_t type) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        return (st.st_mode & S_IFMT) == type && is_safe(&st) ? 0 : SAFE_E_UNSAFE;
}

int safe_open(int dir_fd, const char *path, int flags, mode_t type, int *ret) {
        _cleanup_(fd_closep) int fd = -1;
        int r;

        fd = openat(dir_fd, path, flags | O_CLOEXEC | O_NONBLOCK, 0644);
        if (fd < 0)
                return errno == ELOOP ? SAFE_E_UNSAFE : -errno;
        r = safe_check(fd, type);
        if (r != 0)
                return r;
        *ret = fd;
        fd = -1;
        return 0;
}

int safe_make_folders(const char *path) {
        _cleanup_(freep) char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *slash = strchr(copy + strspn(copy, "/"), '/'); slash;
             slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return mkdir(copy, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

int safe_read(int fd, size_t size, Buf *ret) {
        char chunk[64 * 1024];

        while (ret->size < size) {
                ssize_t n = read(fd, chunk, MIN(sizeof(chunk), size - ret->size));

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                if (n > 0)
                        buf_addn(ret, chunk, (size_t)n);
                if (buf_error(ret) < 0)
                        return buf_error(ret);
        }
        return 0;
}
