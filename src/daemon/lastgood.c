/* SPDX-License-Identifier: MIT */
/*
 * A file that no longer loads must not cost a machine its network at the next boot. What is kept is
 * what was read, byte for byte, rather than what it meant: it goes the same way as files do, and
 * what is wrong with it, to a later version say, is told with the names and lines of the files.
 *
 *     mvnet-last 1 2
 *     2 24 118                    folder's rank, size of the name and of the text
 *     /etc/mvnet/10-lab.yaml
 *     …
 *     sum 0123456789abcdef        of all before it
 */

#include "daemon/lastgood.h"

#include "daemon/safe.h"
#include "daemon/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "mvnet-last 1 "
#define SUM_SIZE (sizeof("sum 0123456789abcdef\n") - 1)
#define NAME_SIZE_MAX ((size_t)2 * PATH_MAX) /* a folder's path and a name in it */
#define LINE_SIZE_MAX ((size_t)64)
#define KEPT_SIZE_MAX \
        (FILES_SIZE_MAX + FILES_MAX * (NAME_SIZE_MAX + LINE_SIZE_MAX) + 2 * LINE_SIZE_MAX)

int lastgood_folder(const char *runtime_dir, Buf *ret) {
        int r;

        if (!runtime_dir && store_in_initial_netns()) {
                buf_add(ret, "/var/lib/mvnet");
                return buf_error(ret);
        }
        r = store_runtime(runtime_dir, ret);
        if (r < 0)
                return r;
        buf_add(ret, "/last");
        return buf_error(ret);
}

/* As text. */

static void format_sum(const char *text, size_t size, char ret[SUM_SIZE + 1]) {
        uint64_t sum = hash_bytes(HASH_BEGIN, text, size);

        snprintf(ret, SUM_SIZE + 1, "sum %016llx\n", (unsigned long long)sum);
}

/* Whether files_read() could have read them, so that whatever is kept can be loaded. */
static bool is_fair(const SourceFile *files, size_t n) {
        size_t total = 0;

        for (size_t i = 0; i < n && n <= FILES_MAX; i++) {
                const Source *source = files[i].source;

                if (strlen(source->name) > NAME_SIZE_MAX || source->size > FILE_SIZE_MAX)
                        return false;
                total += source->size;
        }
        return n <= FILES_MAX && total <= FILES_SIZE_MAX;
}

static int format_files(const SourceFile *files, size_t n, Buf *ret) {
        char sum[SUM_SIZE + 1];

        buf_printf(ret, MAGIC "%zu\n", n);
        for (size_t i = 0; i < n; i++) {
                const Source *source = files[i].source;

                buf_printf(ret, "%u %zu %zu\n", files[i].layer, strlen(source->name), source->size);
                buf_add(ret, source->name);
                buf_addc(ret, '\n');
                buf_addn(ret, source->text, source->size);
                buf_addc(ret, '\n');
        }
        if (buf_error(ret) < 0)
                return -ENOMEM;
        format_sum(ret->text, ret->size, sum);
        buf_addn(ret, sum, SUM_SIZE);
        return buf_error(ret);
}

typedef struct Cursor {
        const char *text; /* what is left to be read; NULL once something was not as it should be */
        size_t size;
} Cursor;

static void cursor_fail(Cursor *cursor) {
        *cursor = (Cursor){};
}

static size_t take_number(Cursor *cursor, size_t max, char end) {
        size_t number = 0, i = 0;

        for (; i < cursor->size && cursor->text[i] >= '0' && cursor->text[i] <= '9'; i++) {
                number = number * 10 + (size_t)(cursor->text[i] - '0');
                if (number > max)
                        break;
        }
        if (i == 0 || i >= cursor->size || cursor->text[i] != end) {
                cursor_fail(cursor);
                return 0;
        }
        cursor->text += i + 1;
        cursor->size -= i + 1;
        return number;
}

/* So many bytes and a newline. */
static const char *take_bytes(Cursor *cursor, size_t size) {
        const char *bytes = cursor->text;

        if (!bytes || cursor->size <= size || bytes[size] != '\n') {
                cursor_fail(cursor);
                return NULL;
        }
        cursor->text += size + 1;
        cursor->size -= size + 1;
        return bytes;
}

static int take_file(Cursor *cursor, Arena *arena, unsigned order, SourceFile *ret) {
        size_t layer = take_number(cursor, UINT_MAX, ' ');
        size_t name_size = take_number(cursor, NAME_SIZE_MAX, ' ');
        size_t text_size = take_number(cursor, FILE_SIZE_MAX, '\n');
        const char *name = take_bytes(cursor, name_size), *text = take_bytes(cursor, text_size);
        Source *source;

        if (!cursor->text)
                return LASTGOOD_E_CORRUPT;
        source = arena_new(arena, Source);
        if (!source)
                return -ENOMEM;
        source->name = arena_strndup(arena, name, name_size);
        source->text = arena_strndup(arena, text, text_size);
        source->size = text_size;
        source->order = order;
        *ret = (SourceFile){.source = source, .layer = (unsigned)layer};
        return source->name && source->text ? 0 : -ENOMEM;
}

static int parse_files(const Buf *text, Arena *arena, SourceFile **ret, size_t *ret_n) {
        Cursor cursor = {.text = text->text, .size = text->size};
        char sum[SUM_SIZE + 1];
        SourceFile *files;
        size_t n;

        if (text->size < strlen(MAGIC) + SUM_SIZE || memcmp(text->text, MAGIC, strlen(MAGIC)) != 0)
                return LASTGOOD_E_CORRUPT;
        cursor.size -= SUM_SIZE;
        format_sum(cursor.text, cursor.size, sum);
        if (memcmp(cursor.text + cursor.size, sum, SUM_SIZE) != 0)
                return LASTGOOD_E_CORRUPT;
        cursor.text += strlen(MAGIC);
        cursor.size -= strlen(MAGIC);
        n = take_number(&cursor, FILES_MAX, '\n');
        files = arena_new_n(arena, SourceFile, n + 1);
        if (!files)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int r = take_file(&cursor, arena, (unsigned)i, &files[i]);

                if (r != 0)
                        return r;
        }
        if (!cursor.text || cursor.size > 0)
                return LASTGOOD_E_CORRUPT;
        *ret = files;
        *ret_n = n;
        return 0;
}

/* As a file. */

static int name_format(const char *name, Buf *ret) {
        if (store_name_problem(name))
                return -EINVAL;
        buf_printf(ret, "%s.last", name);
        return buf_error(ret);
}

static int open_safe(int dir_fd, const char *path, int flags, mode_t type, int *ret) {
        int r = safe_open(dir_fd, path, O_RDONLY | flags, type, ret);

        return r > 0 ? LASTGOOD_E_UNSAFE : r;
}

static int read_file(int dir_fd, const char *path, Buf *ret) {
        _cleanup_(fd_closep) int fd = -1;
        struct stat st;
        int r;

        r = open_safe(dir_fd, path, O_NOFOLLOW, S_IFREG, &fd);
        if (r != 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size > KEPT_SIZE_MAX)
                return LASTGOOD_E_CORRUPT;
        return safe_read(fd, (size_t)st.st_size, ret);
}

static int write_file(int dir_fd, const char *path, const Buf *text) {
        _cleanup_(fd_closep) int fd = -1;

        fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        for (size_t done = 0; done < text->size;) {
                ssize_t n = write(fd, text->text + done, text->size - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += n > 0 ? (size_t)n : 0;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

/* One writer at a time, the daemon, or the sum would be wrong. */
static int replace_file(int dir_fd, const char *path, const Buf *text) {
        _cleanup_(buf_deinit) Buf temporary = {};
        int r;

        buf_printf(&temporary, "%s.new", path);
        if (buf_error(&temporary) < 0)
                return -ENOMEM;
        unlinkat(dir_fd, temporary.text, 0);
        r = write_file(dir_fd, temporary.text, text);
        if (r == 0 && renameat(dir_fd, temporary.text, dir_fd, path) < 0)
                r = -errno;
        if (r < 0) {
                unlinkat(dir_fd, temporary.text, 0);
                return r;
        }
        return fsync(dir_fd) < 0 ? -errno : 0;
}

int lastgood_save(const char *folder, const char *name, const SourceFile *files, size_t n) {
        _cleanup_(buf_deinit) Buf path = {}, text = {}, old = {};
        _cleanup_(fd_closep) int dir_fd = -1;
        int r;

        if (!is_fair(files, n))
                return -E2BIG;
        r = name_format(name, &path);
        if (r == 0)
                r = format_files(files, n, &text);
        if (r == 0)
                r = safe_make_folders(folder);
        if (r == 0)
                r = open_safe(AT_FDCWD, folder, O_DIRECTORY, S_IFDIR, &dir_fd);
        if (r != 0)
                return r;
        if (read_file(dir_fd, path.text, &old) == 0 && old.size == text.size &&
            memcmp(old.text, text.text, text.size) == 0)
                return 0;
        return replace_file(dir_fd, path.text, &text);
}

int lastgood_load(const char *folder, const char *name, Arena *arena, SourceFile **ret,
                  size_t *ret_n) {
        _cleanup_(buf_deinit) Buf path = {}, text = {};
        _cleanup_(fd_closep) int dir_fd = -1;
        int r;

        r = name_format(name, &path);
        if (r == 0)
                r = open_safe(AT_FDCWD, folder, O_DIRECTORY, S_IFDIR, &dir_fd);
        if (r == 0)
                r = read_file(dir_fd, path.text, &text);
        if (r == -ENOENT)
                return LASTGOOD_E_ABSENT;
        return r == 0 ? parse_files(&text, arena, ret, ret_n) : r;
}
