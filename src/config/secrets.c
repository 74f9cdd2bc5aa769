/* SPDX-License-Identifier: MIT */
/* Files that hold one key: read when the file that names them is, and only if nobody else can. */

#include "config/build.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char *beside(Arena *arena, const char *file, const char *name) {
        const char *slash = file ? strrchr(file, '/') : NULL;

        if (name[0] == '/' || !slash)
                return arena_strdup(arena, name);
        return arena_printf(arena, "%.*s/%s", (int)(slash - file), file, name);
}

static const char *distrust(const struct stat *st) {
        if (!S_ISREG(st->st_mode))
                return "is not a regular file";
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "is a file that is owned by neither root nor you";
        if (st->st_mode & (S_IWGRP | S_IROTH | S_IWOTH))
                return "is a file that others can read or write";
        return NULL;
}

/* The line without its end; one that is too long is no key. */
static int read_line(int fd, char ret[SECRET_LINE_SIZE], const char **ret_reason) {
        char text[SECRET_LINE_SIZE + 2];
        ssize_t n = read(fd, text, sizeof(text) - 1);
        size_t length;

        if (n < 0)
                return -errno;
        text[n] = '\0';
        length = strcspn(text, "\r\n");
        *ret_reason = "is a file that holds no key: one line";
        if (length >= SECRET_LINE_SIZE) {
                explicit_bzero(text, sizeof(text));
                return ATTR_E_INVALID;
        }
        memcpy(ret, text, length);
        ret[length] = '\0';
        explicit_bzero(text, sizeof(text));
        return 0;
}

int secret_read(ParseScope *scope, const char *name, char ret[SECRET_LINE_SIZE]) {
        const char *path = beside(scope->arena, scope->file, name);
        _cleanup_(fd_closep) int fd = -1;
        struct stat st;

        if (!path)
                return -ENOMEM;
        /* Not blocking: what is no file could be a pipe. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0) {
                scope->reason = arena_printf(scope->arena, "can't be read: %s",
                                             strerrordesc_np(errno));
                return scope->reason ? ATTR_E_INVALID : -ENOMEM;
        }
        scope->reason = distrust(&st);
        return scope->reason ? ATTR_E_INVALID : read_line(fd, ret, &scope->reason);
}
