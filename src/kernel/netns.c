/* SPDX-License-Identifier: MIT */
/*
 * Everything that takes bind mounts, setns() or another namespace's /proc/sys, kept together
 * because it needs privileges that the rest of the daemon should not have.
 *
 * Why threads: a namespace belongs to a thread, descriptors to the process. A thread that enters
 * another namespace, opens what is wanted there and ends can never leave the daemon in the wrong
 * namespace, while going there and back can (setns() allocates memory, also on the way home, and
 * checks privileges again). A forked child would be as safe, but copies the daemon's page tables,
 * has to be reaped around the event loop, and must pass descriptors over a socket.
 */

#include "kernel/netns-call.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define PENDING_SECONDS 1 /* between somebody's open(O_CREAT) and mount(), with ample room */
#define LOCK_TRIES 100 /* times 10 ms */
#define SYSCTL_PATH_MAX 255
#define SYSCTL_VALUE_MAX 4095

/* Room for "/proc/self/fd/%d" and a name. */
typedef struct FdPath {
        char text[32 + NETNS_NAME_MAX];
} FdPath;

/* The descriptor as a path: mount() and umount2() know no others, open() asks for rights anew. */
static FdPath fd_path(int fd) {
        FdPath path;

        snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
        return path;
}

static bool visible_ascii(const char *text) {
        for (; *text; text++)
                if (*text <= ' ' || *text > '~')
                        return false;
        return true;
}

bool netns_name_valid(const char *name) {
        size_t length = strlen(name);

        if (length < 1 || length > NETNS_NAME_MAX || streq(name, ".") || streq(name, ".."))
                return false;
        return visible_ascii(name) && !strpbrk(name, "/%");
}

typedef struct Visit {
        int netns_fd; /* negative: stay */
        int (*call)(void *userdata);
        void *userdata;
        int r;
} Visit;

static void *visit_main(void *p) {
        Visit *visit = p;

        if (visit->netns_fd >= 0 && setns(visit->netns_fd, CLONE_NEWNET) < 0)
                visit->r = -errno;
        else
                visit->r = visit->call(visit->userdata);
        return NULL;
}

/* Calls in a thread of its own, which may do to its namespace what it likes. */
static int visit(int netns_fd, int (*call)(void *userdata), void *userdata) {
        Visit there = { .netns_fd = netns_fd, .call = call, .userdata = userdata };
        sigset_t all, before;
        pthread_t thread;
        int r;

        /* No signal handler of the daemon shall ever run over there. */
        sigfillset(&all);
        r = pthread_sigmask(SIG_SETMASK, &all, &before);
        if (r != 0)
                return -r;
        r = pthread_create(&thread, NULL, visit_main, &there);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return -r;
        r = pthread_join(thread, NULL);
        return r != 0 ? -r : there.r;
}

int netns_call(int netns_fd, int (*call)(void *userdata), void *userdata) {
        return netns_fd < 0 ? call(userdata) : visit(netns_fd, call, userdata);
}

int netns_identify(int netns_fd, NetnsId *ret) {
        struct statfs fs;
        struct stat st;

        if (fstatfs(netns_fd, &fs) < 0 || fstat(netns_fd, &st) < 0)
                return -errno;
        /* nsfs holds the other kinds of namespaces too. */
        if (fs.f_type != NSFS_MAGIC || ioctl(netns_fd, NS_GET_NSTYPE) != CLONE_NEWNET)
                return NETNS_E_FOREIGN;
        *ret = (NetnsId){ .dev = st.st_dev, .ino = st.st_ino };
        return 0;
}

/* O_PATH comes first: to open a pipe, a tape or a watchdog for reading has side effects. */
static int open_namespace(int dir, const char *path, int nofollow, int *ret_fd, NetnsId *ret_id) {
        _cleanup_(fd_closep) int handle = openat(dir, path, O_PATH | O_CLOEXEC | nofollow);
        _cleanup_(fd_closep) int fd = -1;
        struct statfs fs;
        int r;

        if (handle < 0) {
                bool absent = errno == ENOENT || errno == ENOTDIR || errno == ESRCH;

                return absent ? NETNS_E_ABSENT : -errno;
        }
        if (fstatfs(handle, &fs) < 0)
                return -errno;
        if (fs.f_type != NSFS_MAGIC)
                return NETNS_E_FOREIGN;
        fd = open(fd_path(handle).text, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = netns_identify(fd, ret_id);
        if (r != 0)
                return r;
        *ret_fd = fd;
        fd = -1;
        return 0;
}

int netns_open_path(const char *path, int *ret_fd) {
        NetnsId id;

        if (path[0] != '/')
                return -EINVAL;
        return open_namespace(AT_FDCWD, path, 0, ret_fd, &id);
}

int netns_open_pid(pid_t pid, int *ret_fd) {
        char path[sizeof("/proc//ns/net") + 11];
        NetnsId id;

        if (pid <= 0)
                return -EINVAL;
        snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
        return open_namespace(AT_FDCWD, path, 0, ret_fd, &id);
}

int netns_open_self(int *ret_fd) {
        NetnsId id;

        return open_namespace(AT_FDCWD, "/proc/thread-self/ns/net", 0, ret_fd, &id);
}

NetnsId netns_peek(const char *path, bool follow) {
        struct stat st;

        if (fstatat(AT_FDCWD, path, &st, AT_NO_AUTOMOUNT | (follow ? 0 : AT_SYMLINK_NOFOLLOW)) < 0)
                return (NetnsId){};
        return (NetnsId){ .dev = st.st_dev, .ino = st.st_ino };
}

bool netns_path_is_link(const char *path) {
        struct stat st;

        return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static int open_run_dir(const char *run_dir, int *ret_dir) {
        int dir;

        if (run_dir[0] != '/')
                return -EINVAL;
        dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return errno == ENOENT ? NETNS_E_ABSENT : -errno;
        *ret_dir = dir;
        return 0;
}

/* Whether a file (NULL: the descriptor itself) is what an unmounted name looks like. */
static int file_is_dead(int dir, const char *name, bool *ret_dead, int64_t *ret_changed) {
        int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name ? 0 : AT_EMPTY_PATH);
        struct statx st;

        if (statx(dir, name ? name : "", flags, STATX_TYPE | STATX_SIZE | STATX_CTIME, &st) < 0)
                return -errno;
        *ret_dead = S_ISREG(st.stx_mode) && st.stx_size == 0 &&
                    !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
        if (ret_changed)
                *ret_changed = st.stx_ctime.tv_sec;
        return 0;
}

static int stat_name(int dir, const char *name, NetnsStat *ret) {
        _cleanup_(fd_closep) int fd = -1;
        NetnsStat found = {};
        bool dead = false;
        int r;

        r = open_namespace(dir, name, O_NOFOLLOW, &fd, &found.id);
        if (r < 0)
                return r;
        if (r == 0) {
                found.state = NETNS_ALIVE;
        } else if (r == NETNS_E_FOREIGN) {
                r = file_is_dead(dir, name, &dead, NULL);
                if (r < 0)
                        return r;
                found.state = dead ? NETNS_DEAD : NETNS_FOREIGN;
        }
        *ret = found;
        return 0;
}

int netns_stat(const char *run_dir, const char *name, NetnsStat *ret) {
        _cleanup_(fd_closep) int dir = -1;
        int r;

        if (!netns_name_valid(name))
                return -EINVAL;
        r = open_run_dir(run_dir, &dir);
        if (r == NETNS_E_ABSENT) {
                *ret = (NetnsStat){};
                return 0;
        }
        return r < 0 ? r : stat_name(dir, name, ret);
}

int netns_open(const char *run_dir, const char *name, int *ret_fd) {
        _cleanup_(fd_closep) int dir = -1;
        bool dead = false;
        NetnsId id;
        int r, s;

        if (!netns_name_valid(name))
                return -EINVAL;
        r = open_run_dir(run_dir, &dir);
        if (r != 0)
                return r;
        r = open_namespace(dir, name, O_NOFOLLOW, ret_fd, &id);
        if (r != NETNS_E_FOREIGN)
                return r;
        s = file_is_dead(dir, name, &dead, NULL);
        if (s < 0)
                return s;
        return dead ? NETNS_E_DEAD : NETNS_E_FOREIGN;
}

static int entry_filter(const struct dirent *entry) {
        return netns_name_valid(entry->d_name);
}

static int entry_compare(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int stat_entries(int dir, struct dirent **found, size_t n, Arena *arena,
                        NetnsEntry *entries, size_t *ret_n) {
        size_t kept = 0;
        int r;

        for (size_t i = 0; i < n; i++) {
                NetnsEntry *entry = &entries[kept];

                r = stat_name(dir, found[i]->d_name, &entry->stat);
                if (r < 0)
                        return r;
                if (entry->stat.state == NETNS_ABSENT)
                        continue;
                entry->name = arena_strdup(arena, found[i]->d_name);
                if (!entry->name)
                        return -ENOMEM;
                kept++;
        }
        *ret_n = kept;
        return 0;
}

int netns_list(const char *run_dir, Arena *arena, NetnsEntry **ret, size_t *ret_n) {
        _cleanup_(fd_closep) int dir = -1;
        struct dirent **found = NULL;
        NetnsEntry *entries = NULL;
        int n = 0, r;

        r = open_run_dir(run_dir, &dir);
        if (r < 0)
                return r;
        if (r == 0)
                n = scandirat(dir, ".", &found, entry_filter, entry_compare);
        if (n < 0)
                return -errno;
        entries = arena_new_n(arena, NetnsEntry, (size_t)n);
        r = entries ? stat_entries(dir, found, (size_t)n, arena, entries, ret_n) : -ENOMEM;
        for (int i = 0; i < n; i++)
                free(found[i]);
        free(found);
        if (r == 0)
                *ret = entries;
        return r;
}

/*
 * flock() needs no more than an open descriptor, so any user can keep this lock for ever and hang
 * every `ip netns add` (iproute2 6.1); a daemon has to give up at some point.
 */
static int lock_run_dir(const char *run_dir, int *ret_lock) {
        const struct timespec interval = { .tv_nsec = 10 * 1000 * 1000 };
        _cleanup_(fd_closep) int lock = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (lock < 0)
                return -errno;
        for (int i = 0; i < LOCK_TRIES; i++) {
                if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
                        *ret_lock = lock;
                        lock = -1;
                        return 0;
                }
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return -errno;
                nanosleep(&interval, NULL);
        }
        return -EWOULDBLOCK;
}

/*
 * The folder becomes a shared mount, so that a name made in one mount namespace is seen, and can
 * be deleted, in all. Only a mount point can be shared: others are bound onto themselves first,
 * under the lock iproute2 takes too, since two that do it at once stack mounts up.
 */
static int share_run_dir(const char *run_dir) {
        _cleanup_(fd_closep) int lock = -1;
        int r;

        if (mount("", run_dir, "none", MS_SHARED | MS_REC, NULL) == 0)
                return 0;
        if (errno != EINVAL)
                return -errno;
        r = lock_run_dir(run_dir, &lock);
        if (r < 0)
                return r;
        if (mount("", run_dir, "none", MS_SHARED | MS_REC, NULL) == 0)
                return 0;
        if (errno != EINVAL)
                return -errno;
        if (mount(run_dir, run_dir, "none", MS_BIND | MS_REC, NULL) < 0 ||
            mount("", run_dir, "none", MS_SHARED | MS_REC, NULL) < 0)
                return -errno;
        return 0;
}

static int prepare_run_dir(const char *run_dir, int *ret_dir) {
        int r;

        if (run_dir[0] != '/')
                return -EINVAL;
        if (mkdir(run_dir, 0755) == 0) {
                /* Our umask may be tighter than what others must be able to enter. */
                if (chmod(run_dir, 0755) < 0)
                        return -errno;
        } else if (errno != EEXIST) {
                return -errno;
        }
        r = share_run_dir(run_dir);
        if (r < 0)
                return r;
        r = open_run_dir(run_dir, ret_dir);
        return r == NETNS_E_ABSENT ? -ENOENT : r;
}

static int call_unshare(void *userdata) {
        int *ret_fd = userdata;
        int r;

        if (unshare(CLONE_NEWNET) < 0)
                return -errno;
        r = netns_open_self(ret_fd);
        return r > 0 ? -EIO : r; /* is that /proc? */
}

static int name_outcome(const NetnsStat *stat, unsigned flags) {
        switch (stat->state) {
        case NETNS_ABSENT:
                return 0;
        case NETNS_ALIVE:
                return NETNS_E_EXISTS;
        case NETNS_DEAD:
                return flags & NETNS_REPLACE_DEAD ? 0 : NETNS_E_DEAD;
        case NETNS_FOREIGN:
        case NETNS_STATE_N:
                break;
        }
        return NETNS_E_FOREIGN;
}

/* A dead file is mounted upon rather than replaced: unlink() would detach the mounts that other
 * mount namespaces may still have on it. */
static int open_dead(int dir, const char *name, int *ret_file) {
        _cleanup_(fd_closep) int file = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        int64_t changed = 0, age;
        bool dead = false;
        int r;

        if (file < 0)
                return -errno;
        r = file_is_dead(file, NULL, &dead, &changed);
        if (r < 0)
                return r;
        if (!dead)
                return NETNS_E_EXISTS;
        age = (int64_t)time(NULL) - changed;
        if (age >= 0 && age <= PENDING_SECONDS)
                return NETNS_E_PENDING;
        *ret_file = file;
        file = -1;
        return 0;
}

/* The name as something to mount on, without following what somebody may have put there. */
static int open_target(int dir, const char *name, unsigned flags, int *ret_file, bool *ret_made) {
        int file, r;

        file = openat(dir, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
        if (file >= 0) {
                *ret_file = file;
                *ret_made = true;
                return 0;
        }
        if (errno != EEXIST)
                return -errno;
        if (!(flags & NETNS_REPLACE_DEAD))
                return NETNS_E_EXISTS;
        r = open_dead(dir, name, ret_file);
        if (r == 0)
                *ret_made = false;
        return r;
}

static int unmount_name(int dir, const char *name) {
        FdPath path = fd_path(dir);
        size_t length = strlen(path.text);

        snprintf(path.text + length, sizeof(path.text) - length, "/%s", name);
        return umount2(path.text, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

static int bind_name(int dir, const char *name, unsigned flags, int netns_fd) {
        _cleanup_(fd_closep) int file = -1;
        bool made = false;
        int r;

        r = open_target(dir, name, flags, &file, &made);
        if (r != 0)
                return r;
        if (mount(fd_path(netns_fd).text, fd_path(file).text, "none", MS_BIND, NULL) == 0)
                return 0;
        r = -errno;
        if (made)
                (void)unlinkat(dir, name, 0);
        return r;
}

int netns_create(const char *run_dir, const char *name, unsigned flags, int *ret_fd) {
        _cleanup_(fd_closep) int dir = -1;
        _cleanup_(fd_closep) int netns = -1;
        NetnsStat stat = {};
        int r;

        if (!netns_name_valid(name))
                return -EINVAL;
        r = prepare_run_dir(run_dir, &dir);
        if (r == 0)
                r = stat_name(dir, name, &stat);
        if (r == 0)
                r = name_outcome(&stat, flags);
        /* The namespace comes first: watchers of the folder, and those who think that a file
         * without a mount is a dead name, then see that file for microseconds, not 5 ms. */
        if (r == 0)
                r = visit(-1, call_unshare, &netns);
        if (r == 0)
                r = bind_name(dir, name, flags, netns);
        if (r == 0 && ret_fd) {
                *ret_fd = netns;
                netns = -1;
        }
        return r;
}

int netns_delete(const char *run_dir, const char *name, const NetnsId *expected) {
        _cleanup_(fd_closep) int dir = -1;
        NetnsStat stat = {};
        int r;

        if (!netns_name_valid(name))
                return -EINVAL;
        r = open_run_dir(run_dir, &dir);
        if (r == 0)
                r = stat_name(dir, name, &stat);
        if (r != 0)
                return r;
        if (stat.state == NETNS_ABSENT)
                return NETNS_E_ABSENT;
        if (stat.state == NETNS_DEAD && expected)
                return NETNS_E_DEAD;
        if (stat.state == NETNS_ALIVE) {
                if (expected && !netns_id_equal(&stat.id, expected))
                        return NETNS_E_OTHER;
                r = unmount_name(dir, name);
                if (r == 0)
                        r = stat_name(dir, name, &stat);
                if (r < 0)
                        return r;
        }
        if (stat.state != NETNS_DEAD)
                return NETNS_E_FOREIGN;
        return unlinkat(dir, name, 0) < 0 ? -errno : 0;
}

typedef struct SocketCall {
        int domain, type, protocol;
        int fd;
} SocketCall;

static int call_socket(void *userdata) {
        SocketCall *call = userdata;

        call->fd = socket(call->domain, call->type | SOCK_CLOEXEC, call->protocol);
        return call->fd < 0 ? -errno : 0;
}

int netns_socket(int netns_fd, int domain, int type, int protocol, int *ret_fd) {
        SocketCall call = { .domain = domain, .type = type, .protocol = protocol, .fd = -1 };
        int r = netns_call(netns_fd, call_socket, &call);

        if (r == 0)
                *ret_fd = call.fd;
        return r;
}

typedef struct SysctlCall {
        const char *path;
        const char *value; /* to write; NULL: read */
        char *ret;
        size_t size;
} SysctlCall;

static bool sysctl_path_valid(const char *path) {
        size_t length = strlen(path);

        if (length < 1 || length > SYSCTL_PATH_MAX || !visible_ascii(path))
                return false;
        for (const char *part = path;; part++) {
                size_t n = strcspn(part, "/");

                if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && !memcmp(part, "..", 2)))
                        return false;
                part += n;
                if (!*part)
                        return true;
        }
}

/*
 * /proc/sys/net shows the namespace of the *thread* that opens it (unlike /proc/net, a symlink to
 * that of the process). Links in the path are refused by the kernel as well (openat2, 5.6).
 */
static int open_sysctl(const char *path, int flags, int *ret_fd) {
        struct open_how how = {
                .flags = (unsigned)flags | O_CLOEXEC | O_NOCTTY,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
        };
        _cleanup_(fd_closep) int root = open("/proc/sys/net", O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_(fd_closep) int fd = -1;
        struct statfs fs;
        struct stat st;

        if (root < 0)
                return -errno;
        fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (fd < 0)
                return errno == ENOENT ? NETNS_E_ABSENT : -errno;
        if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (fs.f_type != PROC_SUPER_MAGIC || !S_ISREG(st.st_mode))
                return -EINVAL;
        *ret_fd = fd;
        fd = -1;
        return 0;
}

/* sysctl files end after the first read(), even if the value did not fit: only a buffer that was
 * not filled is sure to hold all of it. */
static int call_sysctl_read(void *userdata) {
        SysctlCall *call = userdata;
        _cleanup_(fd_closep) int fd = -1;
        ssize_t n;
        int r;

        r = open_sysctl(call->path, O_RDONLY, &fd);
        if (r != 0)
                return r;
        n = read(fd, call->ret, call->size);
        if (n < 0)
                return -errno;
        if ((size_t)n == call->size)
                return -EMSGSIZE;
        if (n > 0 && call->ret[n - 1] == '\n')
                n--;
        call->ret[n] = '\0';
        return 0;
}

static int call_sysctl_write(void *userdata) {
        SysctlCall *call = userdata;
        size_t length = strlen(call->value);
        _cleanup_(fd_closep) int fd = -1;
        ssize_t n;
        int r;

        r = open_sysctl(call->path, O_WRONLY, &fd);
        if (r != 0)
                return r;
        n = write(fd, call->value, length);
        if (n < 0)
                return -errno;
        return (size_t)n == length ? 0 : -EIO;
}

int netns_sysctl_read(int netns_fd, const char *path, char *ret, size_t size) {
        SysctlCall call = { .path = path, .ret = ret, .size = size };

        if (!sysctl_path_valid(path) || size < 1)
                return -EINVAL;
        return netns_call(netns_fd, call_sysctl_read, &call);
}

int netns_sysctl_write(int netns_fd, const char *path, const char *value) {
        SysctlCall call = { .path = path, .value = value };

        if (!sysctl_path_valid(path) || !value[0] || strlen(value) > SYSCTL_VALUE_MAX)
                return -EINVAL;
        return netns_call(netns_fd, call_sysctl_write, &call);
}

static void ask_process(int proc, const char *pid, const NetnsId *id, NetnsProcesses *found) {
        char path[32];
        struct stat st;

        if (snprintf(path, sizeof(path), "%s/ns/net", pid) >= (int)sizeof(path))
                return;
        if (fstatat(proc, path, &st, 0) < 0) {
                /* Gone meanwhile (or a zombie, which is nowhere) is fine. */
                if (errno != ENOENT && errno != ESRCH)
                        found->unreadable++;
                return;
        }
        if (st.st_dev != id->dev || st.st_ino != id->ino)
                return;
        if (found->n < NETNS_PIDS_MAX)
                found->pids[found->n] = (pid_t)atoi(pid);
        found->n++;
}

int netns_processes(const NetnsId *id, NetnsProcesses *ret) {
        NetnsProcesses found = {};
        struct dirent *entry;
        DIR *proc = opendir("/proc");
        int r;

        if (!proc)
                return -errno;
        for (errno = 0; (entry = readdir(proc)); errno = 0)
                if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
                        ask_process(dirfd(proc), entry->d_name, id, &found);
        r = -errno;
        closedir(proc);
        if (r == 0)
                *ret = found;
        return r;
}
