/* SPDX-License-Identifier: MIT */
/*
 * mvnetd runs as root and does what files say, so only files count that nobody but root (or the
 * caller) could have written. Everything is asked of open descriptors: a name may mean another
 * file a moment later.
 */

#include "mvnet/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel */
#define BLOCK_SIZE ((size_t)64 * 1024)

/* A file that could not be read: what is wrong is in the report. */
enum { FILES_E_REFUSED = 1 };

typedef struct Files {
        Arena *arena;
        const char *root;
        Report *report;
        SourceFile *list; /* of FILES_MAX */
        size_t n;
        size_t size; /* of all that was read */
        bool full;   /* and that was said */
} Files;

/* A problem with a file as such. */
static void files_complain(Files *files, const char *name, const char *format, ...)
        _printf_(3, 4);

static void files_complain(Files *files, const char *name, const char *format, ...) {
        Source *source = arena_new(files->arena, Source);
        char *text, *copy = arena_strdup(files->arena, name);
        va_list ap;

        va_start(ap, format);
        text = arena_vprintf(files->arena, format, ap);
        va_end(ap);
        if (!source || !copy || !text) {
                files->report->failed = true;
                return;
        }
        *source = (Source){ .name = copy, .text = "", .order = (unsigned)files->n };
        report_add(files->report, (Location){ .source = source }, NULL, "%s", text);
}

/* Why others than root and the caller might have a say in it, or NULL. */
static const char *distrust(const struct stat *st) {
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "is owned by neither root nor you";
        if (!S_ISLNK(st->st_mode) && (st->st_mode & (S_IWGRP | S_IWOTH)))
                return "can be written by others";
        return NULL;
}

static int files_check(Files *files, const char *name, const struct stat *st) {
        const char *why = distrust(st);

        if (!why)
                return 0;
        files_complain(files, name, "%s %s (owner %u, mode %04o)",
                       S_ISDIR(st->st_mode) ? "this folder" : "this file", why,
                       (unsigned)st->st_uid, (unsigned)st->st_mode & 07777);
        if (st->st_uid == 0 || st->st_uid == geteuid())
                report_hint(files->report, "chmod go-w %s", name);
        return FILES_E_REFUSED;
}

static int files_errno(Files *files, const char *name, const char *what, int error) {
        files_complain(files, name, "%s: %s", what, strerror(error));
        return FILES_E_REFUSED;
}

static int files_read_fd(Files *files, int fd, const char *name, Buf *ret) {
        for (;;) {
                char block[BLOCK_SIZE];
                ssize_t n = read(fd, block, sizeof(block));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return files_errno(files, name, "cannot be read", errno);
                if (n == 0)
                        return buf_error(ret);
                if (ret->size + (size_t)n > FILE_SIZE_MAX) {
                        files_complain(files, name, "larger than %zu MiB", FILE_SIZE_MAX >> 20);
                        return FILES_E_REFUSED;
                }
                buf_addn(ret, block, (size_t)n);
        }
}

static int files_add(Files *files, const char *name, unsigned layer, const Buf *text) {
        Source *source = arena_new(files->arena, Source);

        if (files->size + text->size > FILES_SIZE_MAX) {
                files_complain(files, name, "all files together are larger than %zu MiB",
                               FILES_SIZE_MAX >> 20);
                return FILES_E_REFUSED;
        }
        if (!source)
                return -ENOMEM;
        source->name = arena_strdup(files->arena, name);
        source->text = arena_strndup(files->arena, buf_text(text), text->size);
        if (!source->name || !source->text)
                return -ENOMEM;
        source->size = text->size;
        source->order = (unsigned)files->n;
        files->size += text->size;
        files->list[files->n++] = (SourceFile){ .source = source, .layer = layer };
        return 0;
}

static int files_check_room(Files *files, const char *name) {
        if (files->n < FILES_MAX)
                return 0;
        if (!files->full)
                files_complain(files, name, "more than %d files", FILES_MAX);
        files->full = true;
        return FILES_E_REFUSED;
}

/* Reads whatever it is that was opened, with O_NONBLOCK. */
static int files_take(Files *files, int fd, const char *name, unsigned layer) {
        _cleanup_(buf_deinit) Buf text = {};
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return files_errno(files, name, "cannot be examined", errno);
        if (!S_ISREG(st.st_mode)) {
                files_complain(files, name, "not a regular file");
                return FILES_E_REFUSED;
        }
        r = files_check(files, name, &st);
        if (r == 0)
                r = files_check_room(files, name);
        if (r != 0)
                return r;
        if (st.st_size > (off_t)FILE_SIZE_MAX) {
                files_complain(files, name, "larger than %zu MiB", FILE_SIZE_MAX >> 20);
                return FILES_E_REFUSED;
        }
        r = files_read_fd(files, fd, name, &text);
        if (r != 0)
                return r;
        return files_add(files, name, layer, &text);
}

static int files_read_stdin(Files *files) {
        _cleanup_(buf_deinit) Buf text = {};
        int r = files_check_room(files, "<stdin>");

        if (r == 0)
                r = files_read_fd(files, STDIN_FILENO, "<stdin>", &text);
        if (r == 0)
                r = files_add(files, "<stdin>", 0, &text);
        return r;
}

/* The way to a file through symlinks, one component after the other. */
typedef struct Walk {
        int at;         /* the folder reached, O_PATH */
        char *rest;     /* heap: what is still to go */
        unsigned links; /* followed so far */
} Walk;

static void walk_deinit(Walk *walk) {
        fd_closep(&walk->at);
        free(walk->rest);
}

static int walk_check(Files *files, const char *name, const char *where, const struct stat *st) {
        const char *why = distrust(st);

        if (!why)
                return 0;
        files_complain(files, name, "its symlink leads past '%s', which %s (owner %u, mode %04o)",
                       where, why, (unsigned)st->st_uid, (unsigned)st->st_mode & 07777);
        return FILES_E_REFUSED;
}

/* An absolute link starts again from the root, which has to be trusted as well. */
static int walk_restart(Files *files, const char *name, Walk *walk) {
        const char *root = *files->root ? files->root : "/";
        struct stat st;

        fd_closep(&walk->at);
        walk->at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (walk->at < 0)
                return files_errno(files, root, "cannot be opened", errno);
        if (fstat(walk->at, &st) < 0)
                return files_errno(files, root, "cannot be examined", errno);
        return walk_check(files, name, root, &st);
}

/* Puts what a symlink says before the rest of the way. */
static int walk_link(Files *files, const char *name, Walk *walk, int link, const char *rest) {
        char target[PATH_MAX], *joined;
        ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

        if (n < 0)
                return files_errno(files, name, "its symlink cannot be read", errno);
        if (++walk->links > LINKS_MAX)
                return files_errno(files, name, "cannot be opened", ELOOP);
        target[n] = '\0';
        if (asprintf(&joined, "%s/%s", target, rest) < 0)
                return -ENOMEM;
        free(walk->rest);
        walk->rest = joined;
        return target[0] == '/' ? walk_restart(files, name, walk) : 0;
}

/* The end of the way. Devices are not even opened: that alone can start a tape or a watchdog. */
static int walk_open(Files *files, const char *name, const Walk *walk, const char *part,
                     const struct stat *st, int *ret_fd) {
        if (!S_ISREG(st->st_mode)) {
                files_complain(files, name, "not a regular file");
                return FILES_E_REFUSED;
        }
        *ret_fd = openat(walk->at, part,
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return *ret_fd < 0 ? files_errno(files, name, "cannot be opened", errno) : 0;
}

/* One component further. */
static int walk_step(Files *files, const char *name, Walk *walk, int *ret_fd) {
        char *part = walk->rest + strspn(walk->rest, "/");
        size_t size = strcspn(part, "/");
        const char *rest = part + size + strspn(part + size, "/");
        _cleanup_(fd_closep) int fd = -1;
        struct stat st;
        int r;

        if (size == 0)
                return files_errno(files, name, "cannot be opened", EISDIR);
        part[size] = '\0';
        fd = openat(walk->at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return files_errno(files, name, "cannot be opened", errno);
        if (fstat(fd, &st) < 0)
                return files_errno(files, name, "cannot be examined", errno);
        if (!S_ISLNK(st.st_mode) && !*rest)
                return walk_open(files, name, walk, part, &st, ret_fd);
        r = walk_check(files, name, part, &st);
        if (r != 0)
                return r;
        if (S_ISLNK(st.st_mode))
                return walk_link(files, name, walk, fd, rest);
        fd_closep(&walk->at);
        walk->at = fd;
        fd = -1;
        memmove(walk->rest, rest, strlen(rest) + 1);
        return 0;
}

/* Opens a file of a folder that is trusted itself. */
static int files_walk(Files *files, int folder, const char *entry, const char *name, int *ret_fd) {
        _cleanup_(walk_deinit) Walk walk = { .at = -1 };
        int fd = -1, r = 0;

        walk.rest = strdup(entry);
        if (!walk.rest)
                return -ENOMEM;
        walk.at = fcntl(folder, F_DUPFD_CLOEXEC, 0);
        if (walk.at < 0)
                return files_errno(files, name, "cannot be opened", errno);
        while (fd < 0 && r == 0)
                r = walk_step(files, name, &walk, &fd);
        if (r != 0)
                return r;
        *ret_fd = fd;
        return 0;
}

/* The names in a folder that count, sorted. */
typedef struct Names {
        char *name[FILES_MAX];
        size_t n;
} Names;

static void names_freep(Names **names) {
        for (size_t i = 0; *names && i < (*names)->n; i++)
                free((*names)->name[i]);
        free(*names);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_has(const Names *names, const char *name) {
        return names && names->n > 0 &&
               bsearch(&name, names->name, names->n, sizeof(char *), compare_names);
}

static bool name_counts(const char *name) {
        size_t size = strlen(name);

        return name[0] != '.' && size > 5 && streq(name + size - 5, ".yaml");
}

static int names_read(Files *files, const char *folder, DIR *dir, Names *names) {
        const struct dirent *entry;

        while ((errno = 0, entry = readdir(dir))) {
                if (!name_counts(entry->d_name))
                        continue;
                if (names->n == FILES_MAX) {
                        files_complain(files, folder, "more than %d files", FILES_MAX);
                        return FILES_E_REFUSED;
                }
                names->name[names->n] = strdup(entry->d_name);
                if (!names->name[names->n])
                        return -ENOMEM;
                names->n++;
        }
        if (errno != 0)
                return files_errno(files, folder, "cannot be read", errno);
        qsort(names->name, names->n, sizeof(char *), compare_names);
        return 0;
}

static void dir_closep(DIR **dir) {
        if (*dir)
                closedir(*dir);
}

/* A folder that may say what the network is: trusted and listed. */
typedef struct Folder {
        const char *path;
        unsigned layer;
        DIR *dir; /* NULL if there is none, or it is refused */
        Names *names;
} Folder;

static void folder_deinit(Folder *folder) {
        dir_closep(&folder->dir);
        names_freep(&folder->names);
}

/* Takes over the descriptor. */
static int folder_list(Files *files, Folder *folder, int fd) {
        struct stat st;
        int r;

        folder->dir = fdopendir(fd);
        if (!folder->dir) {
                r = -errno;
                fd_close(fd);
                return r == -ENOMEM ? r : files_errno(files, folder->path, "cannot be read", -r);
        }
        folder->names = calloc(1, sizeof(Names));
        if (!folder->names)
                return -ENOMEM;
        if (fstat(fd, &st) < 0)
                return files_errno(files, folder->path, "cannot be examined", errno);
        r = files_check(files, folder->path, &st);
        if (r == 0)
                r = names_read(files, folder->path, folder->dir, folder->names);
        return r;
}

/* Reads what no folder above hides; goes on after what is refused. */
static int folder_read(Files *files, const Folder *folder, const Folder *above, size_t n_above) {
        size_t length = strlen(folder->path);
        int r;

        while (length > 1 && folder->path[length - 1] == '/')
                length--;
        for (size_t i = 0; i < folder->names->n; i++) {
                const char *entry = folder->names->name[i];
                _cleanup_(fd_closep) int fd = -1;
                _cleanup_(freep) char *name = NULL;
                bool hidden = false;

                for (size_t k = 0; k < n_above && !hidden; k++)
                        hidden = names_has(above[k].names, entry);
                if (hidden)
                        continue;
                if (asprintf(&name, "%.*s/%s", (int)length, folder->path, entry) < 0)
                        return -ENOMEM;
                r = files_walk(files, dirfd(folder->dir), entry, name, &fd);
                if (r == 0)
                        r = files_take(files, fd, name, folder->layer);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int files_read_folder(Files *files, const char *path, int fd) {
        _cleanup_(folder_deinit) Folder folder = { .path = path };
        int r = folder_list(files, &folder, fd);

        return r == 0 ? folder_read(files, &folder, NULL, 0) : r;
}

/* The first look only keeps devices from being opened; what counts is asked of the descriptor. */
static int files_read_path(Files *files, const char *path) {
        struct stat st;
        int fd, r;

        if (streq(path, "-"))
                return files_read_stdin(files);
        if (stat(path, &st) < 0)
                return files_errno(files, path, "cannot be opened", errno);
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
                files_complain(files, path, "neither a regular file nor a folder");
                return FILES_E_REFUSED;
        }
        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
                return files_errno(files, path, "cannot be opened", errno);
        if (S_ISDIR(st.st_mode))
                return files_read_folder(files, path, fd);
        r = files_take(files, fd, path, 0);
        fd_close(fd);
        return r;
}

static int folder_open(Files *files, Folder *folder) {
        int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT)
                return 0;
        if (fd < 0)
                return files_errno(files, folder->path, "cannot be opened", errno);
        return folder_list(files, folder, fd);
}

/* All folders are listed before any file is read: a file hides those of its name below. */
static int files_read_system(Files *files) {
        static const char *const paths[] = { "/etc/mvnet", "/run/mvnet.d", "/usr/lib/mvnet" };
        Folder folders[ELEMENTSOF(paths)] = {};
        bool readable[ELEMENTSOF(paths)] = {};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(paths) && r >= 0; i++) {
                folders[i].path = arena_printf(files->arena, "%s%s", files->root, paths[i]);
                folders[i].layer = (unsigned)(ELEMENTSOF(paths) - 1 - i);
                r = folders[i].path ? folder_open(files, &folders[i]) : -ENOMEM;
                readable[i] = r == 0 && folders[i].dir;
        }
        for (size_t i = ELEMENTSOF(paths); i > 0 && r >= 0; i--)
                if (readable[i - 1])
                        r = folder_read(files, &folders[i - 1], folders, i - 1);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                folder_deinit(&folders[i]);
        return r;
}

int files_read(Arena *arena, const char *root, const char *const *paths, size_t n_paths,
               Report *report, SourceFile **ret, size_t *ret_n) {
        Files files = { .arena = arena, .root = root, .report = report };
        int r = 0;

        files.list = arena_new_n(arena, SourceFile, FILES_MAX);
        if (!files.list)
                return -ENOMEM;
        if (n_paths == 0)
                r = files_read_system(&files);
        for (size_t i = 0; i < n_paths && r >= 0; i++)
                r = files_read_path(&files, paths[i]);
        if (r < 0)
                return r;
        *ret = files.list;
        *ret_n = files.n;
        return report_error(report);
}
