/* SPDX-License-Identifier: MIT */
/*
 * The record must survive a kill at any instruction and a full /run, and two commands at once must
 * not each undo what the other does. An append-only journal with one write() per step gives the
 * first, flock() the second. No fsync: /run is memory, and after a boot there is nothing to undo.
 *
 * Everything in the folder is input, as if somebody else had written it.
 */

#define HASH_NONFATAL_OOM 1

#include "daemon/store.h"

#include "daemon/safe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL_SIZE_MAX ((off_t)64 * 1024 * 1024)
#define CONFIGURATIONS_MAX 1024
#define NAME_SIZE_MAX ((size_t)64)
#define NETNS_PREFIX "netns-"
#define LOCK_POLL_MS 10u
#define FORGOTTEN_MIN ((size_t)256 * 1024) /* less memory than this is not worth a copy */
#define HISTORY_MIN ((size_t)4096) /* journals shorter than this are not worth rewriting */

struct Store {
        Record record;
        char *runtime, *name, *path;
        Buf header;         /* the first line of a journal of this boot and namespace */
        size_t header_boot; /* how much of it names the boot */
        unsigned flags, timeout_ms;
        int dir_fd, lock_fd, journal_fd;
        off_t size;         /* of the good part of the journal */
        size_t bad_lines;
        uint64_t others;    /* what the journals of others were like when they were read */
        size_t memory;      /* the record's then */
        size_t compact;     /* of a journal of only what is true, when that was last asked */
        Buf pending;
        bool wrote, keep;
};

/* Names and places. */

/*
 * net.core.netdev_max_backlog exists in the initial network namespace only (one table, registered
 * there; all of 6.1 to 6.18), and /proc/sys/net shows the reader's. /proc/1/ns/net would say
 * "initial" inside any container, and the initial inode is a fixed one (0xeffffff9) only lately.
 */
bool store_in_initial_netns(void) {
        return access("/proc/sys/net/core/netdev_max_backlog", F_OK) == 0;
}

int store_runtime(const char *dir, Buf *ret) {
        struct stat st;

        if (dir) {
                if (dir[0] == '\0')
                        return -EINVAL;
                buf_add(ret, dir);
                return buf_error(ret);
        }
        if (store_in_initial_netns()) {
                buf_add(ret, "/run/mvnet");
                return buf_error(ret);
        }
        if (access("/proc/sys/net/core", F_OK) < 0 || stat("/proc/self/ns/net", &st) < 0)
                return -errno;
        buf_printf(ret, "/run/mvnet/" NETNS_PREFIX "%llu", (unsigned long long)st.st_ino);
        return buf_error(ret);
}

const char *store_name_problem(const char *name) {
        if (name[0] == '\0')
                return "a configuration's name can't be empty";
        if (strlen(name) > NAME_SIZE_MAX)
                return "a configuration's name has at most 64 bytes";
        if (name[0] == '.' || name[0] == '-')
                return "a configuration's name can't begin with '.' or '-'";
        if (strncmp(name, NETNS_PREFIX, strlen(NETNS_PREFIX)) == 0)
                return "names that begin with '" NETNS_PREFIX "' are reserved";
        if (streq(name, "bus") || streq(name, "last"))
                return "'bus' and 'last' are reserved";
        for (const unsigned char *c = (const unsigned char *)name; *c; c++)
                if (*c <= ' ' || *c >= 0x7f || *c == '/')
                        return "a configuration's name is of printable ASCII without spaces and "
                               "slashes";
        return NULL;
}

static int open_safe(int dir_fd, const char *path, int flags, mode_t type, int *ret) {
        int r = safe_open(dir_fd, path, flags, type, ret);

        return r > 0 ? STORE_E_UNSAFE : r;
}

/* Both folders on the way, each of which could be somebody else's. */
static int open_folder(const char *runtime, const char *name, int *ret) {
        _cleanup_(fd_closep) int runtime_fd = -1;
        int r;

        r = open_safe(AT_FDCWD, runtime, O_RDONLY | O_DIRECTORY, S_IFDIR, &runtime_fd);
        if (r != 0)
                return r;
        return open_safe(runtime_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, S_IFDIR, ret);
}

/* Reading. */

static int read_journal(int dir_fd, Buf *ret) {
        _cleanup_(fd_closep) int fd = -1;
        struct stat st;
        int r;

        r = open_safe(dir_fd, "journal", O_RDONLY | O_NOFOLLOW, S_IFREG, &fd);
        if (r == -ENOENT)
                return 0;
        if (r != 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size > JOURNAL_SIZE_MAX)
                return -EFBIG;
        return safe_read(fd, (size_t)st.st_size, ret);
}

typedef struct Journal {
        Record *record;
        size_t good, bad_lines;
} Journal;

/* Lines after the header; the last one only if it is complete. */
static int replay_lines(const char *text, size_t size, Journal *journal) {
        const char *end;

        for (const char *line = text; (end = memchr(line, '\n', size - (size_t)(line - text)));
             line = end + 1) {
                int r = record_replay(journal->record, line, (size_t)(end - line));

                if (r < 0 && r != -EINVAL && r != -E2BIG)
                        return r;
                journal->bad_lines += r != 0;
                journal->good = (size_t)(end + 1 - text);
        }
        return 0;
}

/*
 * The header tells the boot and the namespace that the journal is about. The ifindexes of another
 * boot mean nothing, and all that we made went with it.
 */
static int replay_journal(const Store *store, const Buf *text, Journal *journal) {
        const char *header = buf_text(&store->header);
        int r;

        if (!memchr(buf_text(text), '\n', text->size))
                return 0; /* empty, or torn before there was anything in it */
        if (text->size >= store->header.size &&
            memcmp(text->text, header, store->header.size) == 0) {
                r = replay_lines(text->text + store->header.size,
                                 text->size - store->header.size, journal);
                journal->good += store->header.size;
                return r;
        }
        if (text->size >= store->header_boot &&
            memcmp(text->text, header, store->header_boot) == 0)
                return STORE_E_FOREIGN;
        return strncmp(text->text, "{\"mvnet\":1,", 11) == 0 ? 0 : STORE_E_FOREIGN;
}

static int read_header(Store *store) {
        _cleanup_(fd_closep) int fd = -1;
        _cleanup_(buf_deinit) Buf boot = {};
        struct stat st;
        int r;

        fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || stat("/proc/self/ns/net", &st) < 0)
                return -errno;
        r = safe_read(fd, 36, &boot);
        if (r < 0)
                return r;
        buf_printf(&store->header, "{\"mvnet\":1,\"boot\":\"%s\",", buf_text(&boot));
        store->header_boot = store->header.size;
        buf_printf(&store->header, "\"netns\":%llu}\n", (unsigned long long)st.st_ino);
        return buf_error(&store->header);
}

/* Another configuration's record. What can't be read safely is as good as not there. */
static int read_other(const Store *store, const char *name, Record *ret) {
        _cleanup_(fd_closep) int dir_fd = -1;
        _cleanup_(buf_deinit) Buf text = {};
        int r;

        if (open_folder(store->runtime, name, &dir_fd) != 0 || read_journal(dir_fd, &text) != 0)
                return 0;
        r = replay_journal(store, &text, &(Journal){.record = ret});
        return MIN(r, 0);
}

/* The name of the next configuration that is not the store's own, or NULL. */
static const char *next_other(const Store *store, DIR *dir, size_t *n) {
        const struct dirent *entry;

        while (*n < CONFIGURATIONS_MAX && (entry = readdir(dir)))
                if (!store_name_problem(entry->d_name) && !streq_ptr(entry->d_name, store->name)) {
                        (*n)++;
                        return entry->d_name;
                }
        return NULL;
}

typedef int Visit(void *userdata, const char *name, const Record *record);

static int visit_others(const Store *store, Visit *visit, void *userdata) {
        DIR *dir = opendir(store->runtime);
        const char *name;
        size_t n = 0;
        int r = 0;

        if (!dir)
                return errno == ENOENT ? 0 : -errno;
        while (r >= 0 && (name = next_other(store, dir, &n))) {
                _cleanup_(record_deinit) Record other = {};

                r = read_other(store, name, &other);
                if (r == 0)
                        r = visit(userdata, name, &other);
        }
        closedir(dir);
        return MIN(r, 0);
}

static uint64_t hash_file(uint64_t hash, int dir_fd, const char *path) {
        struct stat st;

        if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return hash_bytes(hash, &errno, sizeof(errno));
        hash = hash_bytes(hash, &st.st_ino, sizeof(st.st_ino));
        hash = hash_bytes(hash, &st.st_size, sizeof(st.st_size));
        return hash_bytes(hash, &st.st_ctim, sizeof(st.st_ctim));
}

/*
 * Changes whenever a journal of another configuration does, or who may write it. Folders are listed
 * in no order that lasts, so this is a sum.
 */
static int sign_others(const Store *store, uint64_t *ret) {
        DIR *dir = opendir(store->runtime);
        uint64_t sum = 0;
        const char *name;
        size_t n = 0;

        if (!dir && errno != ENOENT)
                return -errno;
        while (dir && (name = next_other(store, dir, &n))) {
                char path[NAME_SIZE_MAX + sizeof("/journal")];
                uint64_t hash = hash_bytes(HASH_BEGIN, name, strlen(name));

                snprintf(path, sizeof(path), "%s/journal", name);
                hash = hash_file(hash, dirfd(dir), name);
                sum += hash_file(hash, dirfd(dir), path);
        }
        if (dir)
                closedir(dir);
        *ret = sum;
        return 0;
}

static int add_claims(void *userdata, const char *name, const Record *other) {
        Record *record = userdata;
        int r = 0;

        for (const RecordEntry *entry = other->entries; r >= 0 && entry; entry = entry->hh.next)
                r = record_claim(record, entry->path, name);
        return MIN(r, 0);
}

/* Signed before it is read: what changes meanwhile is seen the next time. */
static int read_claims(Store *store, Record *ret) {
        uint64_t signature;
        int r = sign_others(store, &signature);

        if (r == 0)
                r = visit_others(store, add_claims, ret);
        if (r < 0)
                return r;
        store->others = signature;
        store->memory = ret->arena.used;
        return 0;
}

static int store_read(Store *store) {
        _cleanup_(buf_deinit) Buf text = {};
        Journal journal = {.record = &store->record};
        int r;

        record_deinit(&store->record);
        r = store->dir_fd >= 0 ? read_journal(store->dir_fd, &text) : 0;
        if (r == 0)
                r = replay_journal(store, &text, &journal);
        if (r == 0)
                r = read_claims(store, &store->record);
        if (r != 0)
                return r;
        store->size = (off_t)journal.good;
        store->bad_lines = journal.bad_lines;
        return 0;
}

/* The lock. */

static bool is_writable(const Store *store) {
        return (store->flags & STORE_READ_ONLY) == 0;
}

static uint64_t now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int lock_wait(int fd, uint64_t deadline) {
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                if (now_ms() >= deadline)
                        return STORE_E_BUSY;
                nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MS * 1000000}, NULL);
        }
        return 0;
}

/*
 * Only who may write can hold anybody up: the lock is 0600. Its last holder may have removed it
 * together with the folder while we waited; -ESTALE then, and the way in starts again.
 */
static int lock_folder(int dir_fd, uint64_t deadline, int *ret) {
        _cleanup_(fd_closep) int fd = -1;
        struct stat st;
        int r;

        fd = openat(dir_fd, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0 && errno == ENOENT)
                fd = openat(dir_fd, "lock", O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno == ENOENT)
                return -ESTALE;
        if (fd < 0)
                return errno == ELOOP ? STORE_E_UNSAFE : -errno;
        r = safe_check(fd, S_IFREG);
        if (r != 0)
                return r > 0 ? STORE_E_UNSAFE : r;
        r = lock_wait(fd, deadline);
        if (r != 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_nlink == 0)
                return -ESTALE;
        *ret = fd;
        fd = -1;
        return 0;
}

static int store_lock(Store *store, bool create) {
        uint64_t deadline = now_ms() + store->timeout_ms;

        for (;;) {
                _cleanup_(fd_closep) int dir_fd = -1;
                int r;

                r = create ? safe_make_folders(store->path) : 0;
                if (r == 0)
                        r = open_folder(store->runtime, store->name, &dir_fd);
                if (r == -ENOENT && create && now_ms() < deadline)
                        continue;
                if (r == 0 && is_writable(store))
                        r = lock_folder(dir_fd, deadline, &store->lock_fd);
                if (r == -ESTALE && now_ms() < deadline)
                        continue;
                if (r == 0) {
                        store->dir_fd = dir_fd;
                        dir_fd = -1;
                }
                return r == -ENOENT && !create ? 0 : r == -ESTALE ? STORE_E_BUSY : r;
        }
}

/* The life of a store. */

static int store_new(const char *runtime, const char *name, Store **ret) {
        Store *store = calloc(1, sizeof(Store));

        if (!store)
                return -ENOMEM;
        store->dir_fd = store->lock_fd = store->journal_fd = -1;
        store->runtime = strdup(runtime);
        store->name = strdup(name);
        if (!store->runtime || !store->name ||
            asprintf(&store->path, "%s/%s", runtime, name) < 0) {
                store->path = NULL;
                store_free(store);
                return -ENOMEM;
        }
        *ret = store;
        return 0;
}

int store_open(const char *runtime, const char *name, unsigned flags, unsigned timeout_ms,
               Store **ret) {
        _cleanup_(store_freep) Store *store = NULL;
        int r;

        if (store_name_problem(name))
                return -EINVAL;
        r = store_new(runtime, name, &store);
        if (r < 0)
                return r;
        store->flags = flags;
        store->timeout_ms = timeout_ms;
        r = read_header(store);
        if (r == 0)
                r = store_lock(store, (flags & STORE_KEEP) != 0);
        if (r == 0)
                r = store_read(store);
        if (r != 0)
                return r;
        store->keep = (flags & STORE_KEEP) != 0;
        *ret = store;
        store = NULL;
        return 0;
}

typedef struct ForEach {
        int (*visit)(void *userdata, const Record *record);
        void *userdata;
} ForEach;

static int visit_each(void *userdata, const char *name _unused_, const Record *record) {
        const ForEach *each = userdata;

        return each->visit(each->userdata, record);
}

int store_foreach(const char *runtime, int (*visit)(void *userdata, const Record *record),
                  void *userdata) {
        Store all = {.runtime = (char *)runtime};
        int r;

        r = read_header(&all);
        if (r == 0)
                r = visit_others(&all, visit_each, &(ForEach){visit, userdata});
        buf_deinit(&all.header);
        return r;
}

/* A record that is empty. What can't be removed is cut off by the next to write there. */
static void remove_journal(Store *store) {
        unlinkat(store->dir_fd, "journal", 0);
        store->journal_fd = fd_close(store->journal_fd);
        store->size = 0;
}

/* Whoever waits for the lock finds it unlinked, and comes in again. */
static void remove_folder(Store *store) {
        remove_journal(store);
        unlinkat(store->dir_fd, "lock", 0);
        (void)rmdir(store->path);
        store->lock_fd = fd_close(store->lock_fd);
        store->dir_fd = fd_close(store->dir_fd);
}

Store *store_free(Store *store) {
        if (!store)
                return NULL;
        if (store->keep && !store->record.entries && store->pending.size == 0)
                remove_folder(store);
        record_deinit(&store->record);
        buf_deinit(&store->header);
        buf_deinit(&store->pending);
        fd_close(store->journal_fd);
        fd_close(store->lock_fd);
        fd_close(store->dir_fd);
        free(store->runtime);
        free(store->name);
        free(store->path);
        free(store);
        return NULL;
}

void store_freep(Store **store) {
        *store = store_free(*store);
}

const Record *store_record(const Store *store) {
        return &store->record;
}

const char *store_path(const Store *store) {
        return store->path;
}

size_t store_bad_lines(const Store *store) {
        return store->bad_lines;
}

int store_begin(Store *store) {
        struct stat st;
        int r;

        if (!is_writable(store))
                return -EROFS;
        if (store->lock_fd >= 0)
                return 0;
        r = store_lock(store, true);
        if (r != 0)
                return r;
        if (fstatat(store->dir_fd, "journal", &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (S_ISREG(st.st_mode) && st.st_size == 0)
                return 0;
        r = store_read(store);
        return r != 0 ? r : STORE_E_CHANGED;
}

/* The same without what was forgotten, which stays in an arena for as long as that lives. */
static int copy_entries(const Record *record, Record *ret) {
        int r = 0;

        for (const RecordEntry *entry = record->entries; r >= 0 && entry; entry = entry->hh.next) {
                r = record_made(ret, entry->path, entry->netns, entry->ifindex, entry->made);
                for (const RecordRow *row = entry->rows; r >= 0 && row; row = row->next)
                        r = record_set_row(ret, entry->path, row->key, row->set, row->was);
        }
        return MIN(r, 0);
}

int store_refresh(Store *store) {
        _cleanup_(record_deinit) Record fresh = {};
        uint64_t signature;
        int r;

        r = sign_others(store, &signature);
        if (r < 0)
                return r;
        if (signature == store->others &&
            store->record.arena.used <= 2 * store->memory + FORGOTTEN_MIN)
                return 0;
        r = copy_entries(&store->record, &fresh);
        if (r == 0)
                r = read_claims(store, &fresh);
        if (r < 0)
                return r;
        record_deinit(&store->record);
        store->record = fresh;
        fresh = (Record){};
        return 0;
}

/* Changes. */

int store_made(Store *store, const char *path, uint64_t netns, int ifindex, bool made) {
        int r;

        if (!is_writable(store))
                return -EROFS;
        r = record_made(&store->record, path, netns, ifindex, made);
        if (r != 0)
                return MIN(r, 0);
        record_format_made(record_find(&store->record, path), &store->pending);
        return buf_error(&store->pending);
}

int store_set_row(Store *store, const char *path, const char *key, const char *set,
                  const char *was) {
        int r;

        if (!is_writable(store))
                return -EROFS;
        r = record_set_row(&store->record, path, key, set, was);
        if (r != 0)
                return MIN(r, 0);
        record_format_row(path, record_row(record_find(&store->record, path), key),
                          &store->pending);
        return buf_error(&store->pending);
}

int store_forget_row(Store *store, const char *path, const char *key) {
        int r;

        if (!is_writable(store))
                return -EROFS;
        r = record_forget_row(&store->record, path, key);
        if (r != 0)
                return MIN(r, 0);
        record_format_forget(path, key, &store->pending);
        return buf_error(&store->pending);
}

int store_forget(Store *store, const char *path) {
        int r;

        if (!is_writable(store))
                return -EROFS;
        r = record_forget(&store->record, path);
        if (r != 0)
                return MIN(r, 0);
        record_format_forget(path, NULL, &store->pending);
        return buf_error(&store->pending);
}

/* Writing. */

static int write_once(int fd, const Buf *text) {
        ssize_t n;

        do
                n = write(fd, text->text, text->size);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return (size_t)n == text->size ? 0 : -ENOSPC;
}

/* What is behind the good part is torn, or of another boot. */
static int open_journal(Store *store) {
        int r;

        if (store->journal_fd >= 0)
                return 0;
        r = open_safe(store->dir_fd, "journal", O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, S_IFREG,
                      &store->journal_fd);
        if (r != 0)
                return r > 0 ? -EPERM : r;
        if (ftruncate(store->journal_fd, store->size) < 0) {
                r = -errno;
                store->journal_fd = fd_close(store->journal_fd);
        }
        return r;
}

int store_flush(Store *store) {
        _cleanup_(buf_deinit) Buf text = {};
        int r;

        if (buf_error(&store->pending) < 0)
                return -ENOMEM;
        if (store->pending.size == 0)
                return 0;
        if (store->lock_fd < 0)
                return -ENOLCK;
        r = open_journal(store);
        if (r < 0)
                return r;
        if (store->size == 0)
                buf_add(&text, buf_text(&store->header));
        buf_addn(&text, store->pending.text, store->pending.size);
        if (buf_error(&text) < 0)
                return -ENOMEM;
        r = write_once(store->journal_fd, &text);
        if (r < 0) {
                /* A failing cut is no harm: half a line is cut off by the next to open it. */
                if (ftruncate(store->journal_fd, store->size) < 0)
                        store->journal_fd = fd_close(store->journal_fd);
                return r;
        }
        store->size += (off_t)text.size;
        store->wrote = true;
        buf_reset(&store->pending);
        return 0;
}

/* Failing leaves the longer journal, which says the same. */
static void replace_journal(Store *store, const Buf *text) {
        _cleanup_(fd_closep) int fd = -1;

        unlinkat(store->dir_fd, "journal.new", 0);
        fd = openat(store->dir_fd, "journal.new",
                    O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return;
        if (write_once(fd, text) < 0 ||
            renameat(store->dir_fd, "journal.new", store->dir_fd, "journal") < 0) {
                unlinkat(store->dir_fd, "journal.new", 0);
                return;
        }
        fd_close(store->journal_fd);
        store->journal_fd = fd;
        fd = -1;
        store->size = (off_t)text->size;
}

/* To find out how long it need be takes milliseconds for 1,000 links: not before it has doubled. */
static void compact_journal(Store *store) {
        _cleanup_(buf_deinit) Buf text = {};

        if ((size_t)store->size <= 2 * store->compact + HISTORY_MIN)
                return;
        buf_add(&text, buf_text(&store->header));
        for (const RecordEntry *entry = store->record.entries; entry; entry = entry->hh.next)
                record_format_entry(entry, &text);
        if (buf_error(&text) < 0)
                return;
        store->compact = text.size;
        if ((size_t)store->size > 2 * text.size + HISTORY_MIN)
                replace_journal(store, &text);
}

int store_settle(Store *store) {
        int r = store_flush(store);

        if (r < 0 || !store->wrote)
                return r;
        store->wrote = false;
        if (store->record.entries)
                compact_journal(store);
        else if (store->keep)
                remove_journal(store);
        else
                remove_folder(store);
        return 0;
}
