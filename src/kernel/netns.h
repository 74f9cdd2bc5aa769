/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Network namespaces. This is the only part of the daemon that needs more than CAP_NET_ADMIN
 * (CAP_SYS_ADMIN, CAP_SYS_PTRACE to look into other people's processes), so what crosses this
 * interface are names, numbers and file descriptors, every path is checked, and nothing here
 * knows the model: it can become a process of its own.
 *
 * The calling thread never changes its namespace: where something must be done *inside* another
 * one, a short-lived thread goes there, or, where that can take long, a process. A negative
 * `netns_fd` is the caller's own namespace.
 *
 * Functions return 0, an errno (< 0), or one of these:
 */

#include "mvnet/util.h"

#include <stdint.h>
#include <sys/types.h>

enum {
        NETNS_E_ABSENT = 1, /* no such name, path, process or sysctl: it may still come */
        NETNS_E_DEAD,       /* the name is a left-over file that holds no namespace */
        NETNS_E_FOREIGN,    /* there is something, and it is no network namespace */
        NETNS_E_EXISTS,     /* the name is that of a living namespace */
        NETNS_E_PENDING,    /* somebody may be making this name right now: ask again in 1 s */
        NETNS_E_OTHER,      /* a living namespace, but not the expected one */
};

#define NETNS_RUN_DIR "/run/netns" /* what the daemon passes as run_dir; tests have their own */
#define NETNS_NAME_MAX 64
#define NETNS_PIDS_MAX 8

/*
 * Two descriptors are the same namespace if these are equal, *while* one of them is held: the
 * kernel gives the inode of a dead namespace to the next one. netlink_cookie() is for records.
 */
typedef struct NetnsId {
        uint64_t dev, ino;
} NetnsId;

typedef enum NetnsState {
        NETNS_ABSENT,
        NETNS_ALIVE,
        NETNS_DEAD,    /* an empty file without a mount, as an unmount or a failed add leaves */
        NETNS_FOREIGN, /* a folder, a symlink, a file with content, another mount on top … */
        NETNS_STATE_N,
} NetnsState;

typedef struct NetnsStat {
        NetnsState state;
        NetnsId id; /* zero unless alive */
} NetnsStat;

typedef struct NetnsEntry {
        const char *name;
        NetnsStat stat;
} NetnsEntry;

typedef struct NetnsProcesses {
        size_t n;                   /* all that were found */
        pid_t pids[NETNS_PIDS_MAX]; /* the first of them */
        size_t unreadable;          /* processes that we were not allowed to ask */
} NetnsProcesses;

/* 1 to NETNS_NAME_MAX bytes of visible ASCII without '/' and '%', not "." or "..". */
bool netns_name_valid(const char *name);

static inline bool netns_id_equal(const NetnsId *a, const NetnsId *b) {
        return a->dev == b->dev && a->ino == b->ino;
}

enum {
        NETNS_REPLACE_DEAD = 1 << 0, /* a dead name is used as if it were absent */
};

/*
 * Makes a namespace with that name, as `ip netns add` does and visible to it; `lo` stays down.
 * On failure neither the namespace nor the name is left (but run_dir is). ret_fd may be NULL.
 * Outcomes: NETNS_E_EXISTS, NETNS_E_DEAD, NETNS_E_FOREIGN: that name is taken; NETNS_E_PENDING:
 * it is dead, but younger than a second, and that is what a name being made looks like.
 */
int netns_create(const char *run_dir, const char *name, unsigned flags, int *ret_fd);

/*
 * Takes the name away, as `ip netns del` does; the namespace itself goes, asynchronously, when
 * nothing else holds it. With `expected`, only if it is that namespace: otherwise NETNS_E_OTHER
 * or NETNS_E_DEAD; without, a dead name goes too. NETNS_E_ABSENT: nothing there. NETNS_E_FOREIGN:
 * something else is on that name, or was under the namespace: the name stays.
 */
int netns_delete(const char *run_dir, const char *name, const NetnsId *expected);

/* What that name is. What lies under another mount is not seen: what is on top counts. */
int netns_stat(const char *run_dir, const char *name, NetnsStat *ret);

/* All valid names, sorted bytewise; the array and the names live in the arena. */
int netns_list(const char *run_dir, Arena *arena, NetnsEntry **ret, size_t *ret_n);

/* Descriptors (CLOEXEC) of namespaces, checked to be such. NETNS_E_ABSENT, _DEAD, _FOREIGN. */
int netns_open(const char *run_dir, const char *name, int *ret_fd);
int netns_open_path(const char *path, int *ret_fd); /* absolute; never opens devices or pipes */
int netns_open_pid(pid_t pid, int *ret_fd);
int netns_open_self(int *ret_fd); /* the calling thread's */

/*
 * What is at that path, namespace or not, to be compared with what was: zero if nothing is. Only
 * one that is held is sure to be another one than before if this differs.
 */
NetnsId netns_peek(const char *path, bool follow);
/* Whether the path ends in a link, as those in /proc do: it can lead elsewhere without notice. */
bool netns_path_is_link(const char *path);

/* NETNS_E_FOREIGN if the descriptor is something else. */
int netns_identify(int netns_fd, NetnsId *ret);

/* socket(2) inside that namespace; it stays there for good, and keeps the namespace alive. */
int netns_socket(int netns_fd, int domain, int type, int protocol, int *ret_fd);

/*
 * One value below /proc/sys/net as seen in that namespace, `path` like "ipv4/conf/eth0.5/mtu",
 * relative, of visible ASCII, without empty, "." and ".." parts: else -EINVAL. Reading strips the
 * last newline; -EMSGSIZE if `size` bytes, with the NUL, are not enough. NETNS_E_ABSENT: there is
 * no such value, for want of the link or of a module.
 */
int netns_sysctl_read(int netns_fd, const char *path, char *ret, size_t size);
int netns_sysctl_write(int netns_fd, const char *path, const char *value);

/* The processes whose main thread is in that namespace. */
int netns_processes(const NetnsId *id, NetnsProcesses *ret);

/* Names of hosts. */

#define NETNS_ETC "/etc/netns"
#define NETNS_ADDRESSES_MAX 16

typedef struct NetnsAddress {
        uint8_t family; /* AF_INET, AF_INET6 */
        uint8_t bytes[16];
} NetnsAddress;

typedef struct NetnsAnswer {
        int error;  /* 0, or EAI_*; with EAI_SYSTEM it is `number`, an errno (> 0) */
        int number;
        size_t n;   /* 0 if there is an error, else at least 1 */
        NetnsAddress addresses[NETNS_ADDRESSES_MAX]; /* as getaddrinfo() sorts them */
} NetnsAnswer;

/* A process that looks one up; `fd` is readable when it has an answer, or gave up. */
typedef struct NetnsLookup {
        int pid;
        int fd;
} NetnsLookup;

/*
 * Begins to look up a host (1 to 253 bytes of visible ASCII) in that namespace, as programs in it
 * would: with the files in NETNS_ETC/`name`, if that is not NULL, over those in /etc. 0 or < 0.
 */
int netns_lookup_begin(int netns_fd, const char *name, const char *host, NetnsLookup *ret);
/* 0; -EAGAIN: there is no answer yet; < 0: there will be none. */
int netns_lookup_take(const NetnsLookup *lookup, NetnsAnswer *ret);
/* Whatever it does. */
void netns_lookup_end(NetnsLookup *lookup);

/* A tun or tap, as /dev/net/tun knows it. */
typedef struct NetnsTun {
        const char *name;
        int ifindex;         /* of the one to be changed */
        uint16_t flags;      /* IFF_TUN or IFF_TAP, with IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE */
        uint32_t user, group; /* who may open it; UINT32_MAX: not said */
} NetnsTun;

/*
 * Changes one (with its ifindex), or makes one in that namespace, which is there for as long as
 * *ret_fd is open, or for good after netns_tun_keep(). -EEXIST: the name is taken. NETNS_E_ABSENT:
 * there is no /dev/net/tun. -ENODEV: it is another one. -EBUSY: to be changed it must be opened,
 * and it is in use.
 */
int netns_tun_make(int netns_fd, const NetnsTun *tun, int *ret_fd);
int netns_tun_change(int netns_fd, const NetnsTun *tun);
int netns_tun_keep(int fd);

/* A port of a simulated device (netdevsim). */
typedef struct NetnsSim {
        unsigned id;     /* of the device */
        unsigned port;   /* counted from 0 */
        unsigned queues; /* of a device that is made for it */
} NetnsSim;

/*
 * Makes a port, in that namespace, and the device if it is not there: its name is the kernel's.
 * Takes it away, and the device with its last port. `sysfs`: instead of the kernel's, or NULL.
 * NETNS_E_ABSENT: the kernel has no such bus; to take away: there is no such port. -EEXIST: there
 * is such a port.
 */
int netns_sim_make(int netns_fd, const char *sysfs, const NetnsSim *sim);
int netns_sim_take(int netns_fd, const char *sysfs, const NetnsSim *sim);

/* The character device of a macvtap or ipvtap. */
typedef struct NetnsDevice {
        const char *link;      /* its name in that namespace */
        const char *subsystem; /* "macvtap", "ipvtap" */
        uint32_t user, group, mode; /* UINT32_MAX: stays as it is */
} NetnsDevice;

/*
 * Reads, or sets, who may open it. NETNS_E_ABSENT: no file in /dev is that device. `alias`, a file
 * name without slashes, will be a symbolic link to it in NETNS_TAP_DIR.
 */
#define NETNS_TAP_DIR "/run/mvnet/tap"
int netns_device_stat(int netns_fd, const char *alias, NetnsDevice *device);
int netns_device_set(int netns_fd, const char *alias, const NetnsDevice *device);
/* Takes the symbolic link away, if it is one. */
void netns_device_forget(const char *alias);
/* The same for all that lead nowhere: their devices went along with something else. */
void netns_devices_sweep(void);
