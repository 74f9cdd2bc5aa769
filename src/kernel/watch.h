/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What tells us that something has changed: a monitor socket in each namespace that is watched, and
 * what says that a name, a path or a process stands for another namespace than before.
 */

#include "kernel/internal.h"

/* A namespace that is watched. The socket keeps it alive: it must be let go when its name goes. */
struct Watch {
        Netlink *monitor;
        int pid_fd;   /* NETNS_PID, else -1 */
        bool lost;    /* events, of those that the window should hold */
        size_t heard; /* events, that are not weighed yet */
        uint64_t weight, weighed_at;
        bool noisy;
        uint64_t looked_at; /* while noisy */
};

/* Names of namespaces come and go in the file system. */
typedef struct Names {
        int inotify;
        int folder; /* its number of the folder above, while there is no folder of names; or -1 */
        int wakes;  /* /proc/self/mountinfo, twice */
        int tells;
        bool deaf; /* they have to be looked at */
} Names;

/* What was heard since the last apply began, or since the last mark, for real_saw(). */
typedef struct Heard {
        struct Heard *next;
        uint64_t cookie; /* of the namespace */
        struct nlmsghdr *message;
} Heard;

typedef struct Window {
        Arena arena;
        Heard *first, *last;
        bool open, overflown;
        bool marked; /* it goes on until the next mark */
} Window;

struct Watcher {
        int epoll_fd;
        int nudge_fd; /* readable when what was heard in passing is still to be told */
        Names names;
        Window window;
        size_t events; /* heard since the last time we told, or a dump showed them */
        uint64_t retried_at, checked_at;
        bool check; /* all names */
        bool sweep; /* a link may have left its device file's name behind */
        KernelTouch *touched;
        size_t n_touched, room;
};

int real_watch(Kernel *kernel, int *ret_fd);
int real_notice(Kernel *kernel, uint64_t now_ms, KernelNews *ret);
void real_forget(Kernel *kernel);
void real_mark(Kernel *kernel);
bool real_saw(Kernel *kernel, const Op *op);
Watcher *watcher_free(Watcher *watcher); /* NULL */

/* Whether it is in the scope of the last dump, or of that which goes on, and not in passing. */
static inline bool space_is_wanted(const RealKernel *kernel, const Space *space) {
        return space->wanted || (space->used == kernel->dumps && !space->glance);
}

/* Subscribes to a namespace that is open. If that can't be, it is read each time. */
void watch_enter(RealKernel *kernel, Space *space);
/* Subscribes to what tells of the types that the cache is asked for. */
void watch_listen(RealKernel *kernel, Space *space);
/* Lets go of a namespace, if it is held, without a word. */
void watch_leave(RealKernel *kernel, Space *space);
/* The same, and it is news: the name means another one now, or none. */
void watch_lose(RealKernel *kernel, Space *space);
/* Takes in what is queued. */
void watch_catch_up(RealKernel *kernel);
/* Around requests of our own: what is heard after the first may come of them. */
void watch_before(RealKernel *kernel);
void watch_after(RealKernel *kernel);
/* After a dump: what is not in its scope is let go. */
void watch_dumped(RealKernel *kernel);
/* What was heard and not shown by a dump is still to be told. */
void watch_nudge(RealKernel *kernel);

/* Descriptors that become readable when names may have changed; data.ptr will be NULL. */
void names_open(Names *names, const char *run_netns, int epoll_fd);
void names_close(Names *names);
/* Empties them. */
void names_drain(Names *names, const char *run_netns);
/* What is there now. Zero: nothing. */
NetnsId names_peek(const RealKernel *kernel, const Space *space);
/* Takes down what is there now, and whether nobody will tell when that changes. */
void names_stand(const RealKernel *kernel, Space *space);
/* Finds out which names mean something else than in the last dump; or only of the silent ones. */
void names_check(RealKernel *kernel, bool silent);

void window_begin(Window *window);
void window_add(Window *window, const Space *space, const struct nlmsghdr *message);
/* After a request: how the link is now, if nobody would tell. The space is open. */
void window_ask(RealKernel *kernel, const Space *space, int ifindex);
