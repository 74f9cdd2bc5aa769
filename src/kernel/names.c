/* SPDX-License-Identifier: MIT */
/*
 * Which namespace a name, a path or a process stands for, and when that changes. The kernel tells
 * of files and of mounts, never of namespaces: so the news is only that one should look, and what
 * is there is compared with what was.
 */

#include "kernel/watch.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#define MOUNTS "/proc/self/mountinfo"

/* `ip netns add` makes the file first and mounts the namespace on it then. */
#define COMINGS (IN_CREATE | IN_MOVED_TO | IN_ONLYDIR)
#define GOINGS (IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF)

/* The descriptor, if it is one and can be waited for, or -1. */
static int add_source(int epoll_fd, int fd, uint32_t events) {
        struct epoll_event event = {.events = events};

        return fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? fd_close(fd) : fd;
}

/* The folder of names, or while there is none the one that it will be in. */
static bool follow_folder(Names *names, const char *run_netns) {
        char above[PATH_MAX];
        const char *slash = strrchr(run_netns, '/');
        size_t size = slash ? (size_t)(slash - run_netns) : 0;

        if (names->inotify < 0)
                return false;
        if (inotify_add_watch(names->inotify, run_netns, COMINGS | GOINGS) >= 0) {
                if (names->folder >= 0)
                        inotify_rm_watch(names->inotify, names->folder);
                names->folder = -1;
                return true;
        }
        if (size == 0 || size >= sizeof(above))
                return false;
        memcpy(above, run_netns, size);
        above[size] = '\0';
        names->folder = inotify_add_watch(names->inotify, above, COMINGS | GOINGS);
        return names->folder >= 0;
}

void names_drain(Names *names, const char *run_netns) {
        alignas(struct inotify_event) char buffer[4096];

        while (names->inotify >= 0 && read(names->inotify, buffer, sizeof(buffer)) > 0)
                ;
        /* The folder may be there now, be another one, or have been mounted upon. */
        names->deaf = !follow_folder(names, run_netns) || names->wakes < 0 || names->tells < 0;
}

/*
 * Whoever polls /proc/self/mountinfo takes the news away, and an epoll that is itself polled polls
 * what is in it (fs/proc_namespace.c mounts_poll; 6.1 … 6.18): by the time that we ask ours it is
 * gone. So one descriptor is there to wake us, and a second one, which nobody else asks, to tell.
 */
void names_open(Names *names, const char *run_netns, int epoll_fd) {
        names->folder = -1;
        names->inotify = add_source(epoll_fd, inotify_init1(IN_NONBLOCK | IN_CLOEXEC), EPOLLIN);
        names->wakes = add_source(epoll_fd, open(MOUNTS, O_RDONLY | O_CLOEXEC), EPOLLPRI);
        names->tells = open(MOUNTS, O_RDONLY | O_CLOEXEC);
        names_drain(names, run_netns);
}

void names_close(Names *names) {
        names->inotify = fd_close(names->inotify);
        names->wakes = fd_close(names->wakes);
        names->tells = fd_close(names->tells);
}

static bool path_of(const RealKernel *kernel, const Space *space, Buf *ret) {
        switch (space->type) {
        case NETNS_NAMED:
                buf_printf(ret, "%s/%s", kernel->run_netns, space->name);
                break;
        case NETNS_PATH:
                buf_add(ret, space->path);
                break;
        case NETNS_PID:
                buf_printf(ret, "/proc/%d/ns/net", (int)space->pid);
                break;
        case NETNS_HOST:
        case _NETNS_TYPE_N:
                return false;
        }
        return buf_error(ret) == 0;
}

NetnsId names_peek(const RealKernel *kernel, const Space *space) {
        _cleanup_(buf_deinit) Buf path = {};

        if (!path_of(kernel, space, &path))
                return space->id;
        return netns_peek(buf_text(&path), space->type != NETNS_NAMED);
}

void names_stand(const RealKernel *kernel, Space *space) {
        static const NetnsId nothing = {};
        bool absent;

        space->stood = names_peek(kernel, space);
        absent = netns_id_equal(&space->stood, &nothing);
        space->silent = (space->type == NETNS_PID && absent) ||
                        (space->type == NETNS_PATH &&
                         (absent || netns_path_is_link(space->path)));
}

void names_check(RealKernel *kernel, bool silent) {
        for (Space *space = kernel->spaces; space; space = space->hh.next) {
                NetnsId now;

                if (space->changed || space->type == NETNS_HOST ||
                    !space_is_wanted(kernel, space) ||
                    (silent && !space->silent && !kernel->watcher->names.deaf))
                        continue;
                now = names_peek(kernel, space);
                if (!netns_id_equal(&now, &space->stood))
                        watch_lose(kernel, space);
        }
}
