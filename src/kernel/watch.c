/* SPDX-License-Identifier: MIT */
/*
 * Listening. What is heard only says what to read again, and where nobody could listen, or too much
 * was said, all is read again.
 */

#include "kernel/watch.h"

#include "kernel/resolve.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netconf.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define ROUNDS_MAX 64
#define NOISY_EVENTS 1000u  /* a second, from there on a namespace is only looked at */
#define NOISY_BYTES (1 << 20) /* 900 link events (6.18) */
#define CALM_BYTES (4 << 20)
#define NOISY_MS 1000u
#define RETRY_MS 1000u
#define CHECK_MS 2000u

static const unsigned groups[] = {
        RTNLGRP_LINK, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, RTNLGRP_NSID,
        RTNLGRP_BRVLAN,
};

/* Coming and going. */

static void watch_free(Watch *watch) {
        if (!watch)
                return;
        netlink_free(watch->monitor);
        fd_close(watch->pid_fd);
        free(watch);
}

static int add_source(const Watcher *watcher, int fd, Space *space) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = space};

        return epoll_ctl(watcher->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Its end. The number is that of the same process still if it leads to the same namespace. */
static int watch_process(const RealKernel *kernel, Space *space, Watch *watch) {
        NetnsId now;

        watch->pid_fd = (int)syscall(SYS_pidfd_open, space->pid, 0);
        if (watch->pid_fd < 0)
                return -errno;
        now = names_peek(kernel, space);
        if (!netns_id_equal(&now, &space->id))
                return -ESRCH;
        return add_source(kernel->watcher, watch->pid_fd, space);
}

static int subscribe(Netlink *monitor, const ObjectType *type) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(type->groups) && type->groups[i]; i++)
                r = netlink_subscribe(monitor, type->groups[i]);
        return r;
}

/* What people, and we, add is delivered; what routing daemons do is filtered out by the kernel. */
static int filter_events(Netlink *monitor) {
        static const uint8_t heard[] = {PROTOCOL_OURS, RTPROT_UNSPEC, RTPROT_BOOT, RTPROT_STATIC};
        /* A group that moves its flows tells of each part. */
        NetlinkFilter filters[8] = {{.types = {RTM_NEWNEXTHOPBUCKET, RTM_DELNEXTHOPBUCKET}}};
        size_t n = 1;

        for (size_t i = 0; i < object_types_n && n < ELEMENTSOF(filters); i++) {
                const ObjectType *type = object_types[i];

                if (type->protocol_at)
                        filters[n++] = (NetlinkFilter){
                                .types = {type->message_new, type->message_del},
                                .offset = NLMSG_HDRLEN + type->protocol_at,
                                .values = heard,
                                .n_values = ELEMENTSOF(heard),
                        };
        }
        return netlink_filter(monitor, filters, n);
}

static int subscribe_all(const Space *space, Netlink *monitor) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < object_types_n; i++)
                if (type_is_read(space->cache->types, i))
                        r = subscribe(monitor, object_types[i]);
        return r;
}

void watch_listen(RealKernel *kernel, Space *space) {
        if (!space->watch || subscribe_all(space, space->watch->monitor) == 0)
                return;
        watch_leave(kernel, space);
        space->blind = true;
}

/* A kernel that filters no networks of a vxlan (before 5.18) does not know the group. */
static int subscribe_tunnels(Netlink *monitor) {
        int r = netlink_subscribe(monitor, RTNLGRP_TUNNEL);

        return r == -EINVAL ? 0 : r;
}

void watch_enter(RealKernel *kernel, Space *space) {
        Watch *watch = calloc(1, sizeof(Watch));
        int r = watch ? 0 : -ENOMEM;

        if (watch) {
                watch->pid_fd = -1;
                watch->lost = true;
                r = netlink_open(space_visit(space), NETLINK_ROUTE, &watch->monitor);
        }
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(groups); i++)
                r = netlink_subscribe(watch->monitor, groups[i]);
        if (r == 0)
                r = subscribe_tunnels(watch->monitor);
        if (r == 0)
                r = filter_events(watch->monitor);
        if (r == 0)
                r = subscribe_all(space, watch->monitor);
        if (r == 0 && space->type == NETNS_PID)
                r = watch_process(kernel, space, watch);
        if (r == 0)
                r = add_source(kernel->watcher, netlink_fd(watch->monitor), space);
        if (r < 0) {
                watch_free(watch);
                space->blind = true;
                return;
        }
        space->watch = watch;
}

void watch_leave(RealKernel *kernel, Space *space) {
        if (!space->watch)
                return;
        watch_free(space->watch);
        space->watch = NULL;
        space_forget_nsids(kernel, space);
}

void watch_lose(RealKernel *kernel, Space *space) {
        watch_leave(kernel, space);
        space->changed = true;
        kernel->watcher->events++;
        kernel->watcher->sweep = true;
}

/* Events. */

typedef struct Hearing {
        RealKernel *kernel;
        Space *space;
        size_t n;
} Hearing;

static void hear_link(const Hearing *hearing, const struct nlmsghdr *message) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

        if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
                return;
        /* The others are of ports, and say less. */
        if (header->ifi_family == AF_UNSPEC)
                cache_shake(hearing->space->cache, message);
        space_mark(hearing->space, header->ifi_index);
        if (message->nlmsg_type == RTM_DELLINK)
                hearing->kernel->watcher->sweep = true;
        if (header->ifi_family == AF_UNSPEC)
                window_add(&hearing->kernel->watcher->window, hearing->space, message);
}

/* Of a bridge itself nothing else tells. */
static void hear_vlans(const Hearing *hearing, const struct nlmsghdr *message) {
        const struct br_vlan_msg *header = mnl_nlmsg_get_payload(message);

        if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
                return;
        space_mark(hearing->space, (int)header->ifindex);
        window_add(&hearing->kernel->watcher->window, hearing->space, message);
}

/* Not of one that was added without a far end (vxlan_vni_add; 6.1 … 6.18). */
static void hear_tunnel(const Hearing *hearing, const struct nlmsghdr *message) {
        const struct tunnel_msg *header = mnl_nlmsg_get_payload(message);

        if (mnl_nlmsg_get_payload_len(message) >= sizeof(*header))
                space_mark(hearing->space, (int)header->ifindex);
}

/* Of one link, or of what counts for all of them. */
static void hear_netconf(const Hearing *hearing, const struct nlmsghdr *message) {
        const struct nlattr *tb[NETCONFA_IFINDEX + 1];
        int ifindex = 0;

        if (attrs_parse_message(message, sizeof(struct netconfmsg), tb, ELEMENTSOF(tb)) == 0 &&
            tb[NETCONFA_IFINDEX] &&
            mnl_attr_get_payload_len(tb[NETCONFA_IFINDEX]) >= sizeof(uint32_t))
                ifindex = (int)mnl_attr_get_u32(tb[NETCONFA_IFINDEX]);
        if (ifindex > 0)
                space_mark(hearing->space, ifindex);
        else
                cache_forget_texts(hearing->space->cache);
}

static int hear(const struct nlmsghdr *message, void *userdata) {
        Hearing *hearing = userdata;
        Space *space = hearing->space;
        const ObjectType *type;
        int ifindex;

        hearing->n++;
        switch (message->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
                hear_link(hearing, message);
                return 0;
        case RTM_NEWVLAN:
        case RTM_DELVLAN:
                hear_vlans(hearing, message);
                return 0;
        case RTM_NEWTUNNEL:
        case RTM_DELTUNNEL:
                hear_tunnel(hearing, message);
                return 0;
        case RTM_NEWNETCONF:
        case RTM_DELNETCONF:
                hear_netconf(hearing, message);
                return 0;
        case RTM_NEWNSID: /* of one that had none; none goes while both ends are held */
                space_forget_nsid(space, -1);
                return 0;
        }
        type = message_type(message);
        ifindex = type ? message_ifindex(message, type) : -1;
        if (ifindex < 0 || !cache_minds(space->cache, message, type, ifindex))
                return 0;
        if (!message_is_kept(message, type))
                cache_mark_slots(space->cache);
        if (message->nlmsg_type == RTM_DELADDR)
                cache_lose_address(space->cache, message);
        if (message->nlmsg_type == type->message_del && type->flags & OBJECT_REFERRED)
                cache_mark_space(space->cache);
        if (type->flags & OBJECT_IN_NETNS)
                cache_tell(space->cache, message, type);
        else
                space_mark(space, ifindex);
        cache_mark_former(space->cache, message, type, ifindex);
        window_add(&hearing->kernel->watcher->window, space, message);
        return 0;
}

static void doubt(Space *space) {
        cache_doubt(space->cache);
        space_forget_nsid(space, -1);
        space->watch->lost = true;
}

static bool is_over(int pid_fd) {
        struct pollfd pollfd = {.fd = pid_fd, .events = POLLIN};

        return pid_fd >= 0 && poll(&pollfd, 1, 0) != 0;
}

static void listen_to(RealKernel *kernel, Space *space, bool weigh) {
        Hearing hearing = {.kernel = kernel, .space = space};
        Watch *watch = space->watch;

        if (!watch)
                return;
        if (is_over(watch->pid_fd)) {
                watch_lose(kernel, space);
                return;
        }
        if (netlink_receive(watch->monitor, hear, &hearing) != 0) {
                hearing.n++;
                doubt(space);
        }
        kernel->watcher->events += hearing.n;
        if (weigh)
                watch->heard += hearing.n;
}

static void clear_nudge(const Watcher *watcher) {
        uint64_t nudges;

        if (read(watcher->nudge_fd, &nudges, sizeof(nudges)) < 0)
                return; /* there was none */
}

/* What is ready now. False: nothing was. */
static bool listen_once(RealKernel *kernel, bool weigh) {
        Watcher *watcher = kernel->watcher;
        struct epoll_event events[EVENTS_MAX];
        struct pollfd fds[] = {
                {.fd = watcher->epoll_fd, .events = POLLIN},
                {.fd = watcher->names.tells, .events = POLLPRI},
        };
        bool any = poll(fds, ELEMENTSOF(fds), 0) > 0;
        bool check = watcher->check || (any && fds[1].revents != 0);
        int n = 0;

        if (any && fds[0].revents)
                n = epoll_wait(watcher->epoll_fd, events, EVENTS_MAX, 0);
        for (int i = 0; i < n; i++) {
                void *source = events[i].data.ptr;

                if (source && source == kernel->resolver)
                        continue; /* real_notice() asks them all */
                if (source == watcher)
                        clear_nudge(watcher);
                else if (source)
                        listen_to(kernel, source, weigh);
                else
                        check = true;
        }
        if (check) {
                names_drain(&watcher->names, kernel->run_netns);
                names_check(kernel, false);
        }
        watcher->check = false;
        return any;
}

void watch_catch_up(RealKernel *kernel) {
        if (!kernel->watcher)
                return;
        for (unsigned i = 0; i < ROUNDS_MAX && listen_once(kernel, false); i++)
                ;
}

void watch_nudge(RealKernel *kernel) {
        const uint64_t nudge = 1;

        if (!kernel->watcher || kernel->watcher->events == 0)
                return;
        if (write(kernel->watcher->nudge_fd, &nudge, sizeof(nudge)) < 0)
                return; /* it is readable already */
}

static void begin_window(RealKernel *kernel) {
        watch_catch_up(kernel);
        window_begin(&kernel->watcher->window);
        for (Space *space = kernel->spaces; space; space = space->hh.next)
                if (space->watch)
                        space->watch->lost = space->watch->noisy;
}

void watch_before(RealKernel *kernel) {
        if (kernel->watcher && !kernel->watcher->window.marked)
                begin_window(kernel);
}

void real_mark(Kernel *base) {
        RealKernel *kernel = real_kernel(base);

        if (!kernel->watcher)
                return;
        begin_window(kernel);
        kernel->watcher->window.marked = true;
        watch_nudge(kernel);
}

void watch_after(RealKernel *kernel) {
        watch_catch_up(kernel);
        watch_nudge(kernel);
}

void watch_dumped(RealKernel *kernel) {
        if (!kernel->watcher)
                return;
        for (Space *space = kernel->spaces; space; space = space->hh.next) {
                space->wanted = space->used == kernel->dumps && !space->glance;
                if (!space->wanted)
                        watch_leave(kernel, space);
        }
        kernel->watcher->events = 0;
}

/* Noise. */

/*
 * Of somebody who changes something in a loop the kernel can tell faster than we can listen. With a
 * small buffer, which is full after a moment, it drops the rest at little cost to anybody.
 */
static void turn_away(const Watcher *watcher, Space *space, uint64_t now) {
        Watch *watch = space->watch;
        size_t n = 1;

        watch->noisy = true;
        watch->looked_at = now;
        epoll_ctl(watcher->epoll_fd, EPOLL_CTL_DEL, netlink_fd(watch->monitor), NULL);
        netlink_set_buffer(watch->monitor, NOISY_BYTES);
        for (unsigned i = 0; i < ROUNDS_MAX && n > 0; i++)
                netlink_discard(watch->monitor, &n);
        doubt(space);
}

static void turn_back(const Watcher *watcher, Space *space) {
        Watch *watch = space->watch;

        if (add_source(watcher, netlink_fd(watch->monitor), space) < 0)
                return; /* next time */
        netlink_set_buffer(watch->monitor, CALM_BYTES);
        watch->noisy = false;
        watch->weight = 0;
}

/* Once in a while: whether there is still so much noise. */
static void look_at(Watcher *watcher, Space *space) {
        size_t n = 0;
        int r = netlink_discard(space->watch->monitor, &n);

        if (r != 0 || n > 0)
                doubt(space);
        watcher->events += n + (r != 0);
        if (r == 0 && n < NOISY_EVENTS)
                turn_back(watcher, space);
}

/* A bucket that NOISY_EVENTS a second leak from. */
static void weigh(Watch *watch, uint64_t now) {
        uint64_t leaked = (now - watch->weighed_at) * NOISY_EVENTS / 1000;

        watch->weight -= MIN(watch->weight, leaked);
        watch->weight += watch->heard;
        watch->heard = 0;
        watch->weighed_at = now;
}

/* News. */

/* Whether so much time has passed; if not, it is to be asked for again when it has. */
static bool is_due(uint64_t *last, uint64_t now, unsigned period, KernelNews *news) {
        bool due = now - *last >= period;
        unsigned left;

        if (due)
                *last = now;
        left = period - (unsigned)(now - *last);
        news->again_ms = news->again_ms ? MIN(news->again_ms, left) : left;
        return due;
}

static void look_around(RealKernel *kernel, uint64_t now, KernelNews *news) {
        Watcher *watcher = kernel->watcher;
        bool blind = false, silent = false;

        for (Space *space = kernel->spaces; space; space = space->hh.next) {
                Watch *watch = space->watch;

                if (watch)
                        weigh(watch, now);
                if (watch && !watch->noisy && watch->weight > NOISY_EVENTS)
                        turn_away(watcher, space, now);
                if (watch && watch->noisy && is_due(&watch->looked_at, now, NOISY_MS, news))
                        look_at(watcher, space);
                if (watch && watch->noisy)
                        news->noisy = space->name;
                blind |= space_is_wanted(kernel, space) && space->blind;
                silent |= space_is_wanted(kernel, space) &&
                          (space->silent || (watcher->names.deaf && space->type == NETNS_NAMED));
        }
        if (blind && is_due(&watcher->retried_at, now, RETRY_MS, news))
                for (Space *space = kernel->spaces; space; space = space->hh.next)
                        space->changed |= space_is_wanted(kernel, space) && space->blind;
        if (silent && is_due(&watcher->checked_at, now, CHECK_MS, news))
                names_check(kernel, true);
}

static int touch(Watcher *watcher, const char *netns, int ifindex) {
        if (watcher->n_touched == watcher->room) {
                size_t room = MAX((size_t)16, watcher->room * 2);
                KernelTouch *grown = reallocarray(watcher->touched, room, sizeof(KernelTouch));

                if (!grown)
                        return -ENOMEM;
                watcher->touched = grown;
                watcher->room = room;
        }
        watcher->touched[watcher->n_touched++] = (KernelTouch){netns, ifindex};
        return 0;
}

static int touch_space(Watcher *watcher, const Space *space) {
        const Cache *cache = space->cache;
        int r = 0;

        if (space->changed ||
            (space->watch && (cache->stale || cache->space.stale || cache->changed)))
                return touch(watcher, space->name, 0);
        if (!space->watch || cache->n_stale == 0)
                return 0;
        for (const CachedLink *link = cache->links; r == 0 && link; link = link->hh.next)
                if (link->stale)
                        r = touch(watcher, space->name, link->ifindex);
        return r;
}

static int notice_hosts(RealKernel *kernel, uint64_t now, KernelNews *news) {
        const char *netns;
        uint64_t next;
        int r = 0;

        resolver_run(kernel, now);
        while (r == 0 && (netns = resolver_news(kernel)))
                r = touch(kernel->watcher, netns, 0);
        next = resolver_next(kernel);
        if (next != UINT64_MAX) {
                unsigned left = (unsigned)MAX(next > now ? next - now : 0, (uint64_t)1);

                news->again_ms = news->again_ms ? MIN(news->again_ms, left) : left;
        }
        return r;
}

int real_notice(Kernel *base, uint64_t now_ms, KernelNews *ret) {
        RealKernel *kernel = real_kernel(base);
        Watcher *watcher = kernel->watcher;
        KernelNews news = {};
        int r = 0;

        if (!watcher) {
                *ret = news;
                return 0;
        }
        listen_once(kernel, true);
        look_around(kernel, now_ms, &news);
        if (watcher->sweep)
                netns_devices_sweep();
        watcher->sweep = false;
        watcher->n_touched = 0;
        for (Space *space = kernel->spaces; r == 0 && space; space = space->hh.next)
                if (space_is_wanted(kernel, space))
                        r = touch_space(watcher, space);
        if (r == 0)
                r = notice_hosts(kernel, now_ms, &news);
        if (r < 0)
                return r;
        news.events = watcher->events;
        news.touched = watcher->touched;
        news.n_touched = watcher->n_touched;
        watcher->events = 0;
        *ret = news;
        return 0;
}

void real_forget(Kernel *base) {
        RealKernel *kernel = real_kernel(base);

        if (!kernel->watcher)
                return;
        for (Space *space = kernel->spaces; space; space = space->hh.next)
                if (space->watch) {
                        cache_forget(space->cache);
                        space_forget_nsid(space, -1);
                }
        kernel->watcher->check = true;
        kernel->watcher->sweep = true;
}

/* The watcher itself. */

Watcher *watcher_free(Watcher *watcher) {
        if (!watcher)
                return NULL;
        names_close(&watcher->names);
        fd_close(watcher->nudge_fd);
        fd_close(watcher->epoll_fd);
        arena_deinit(&watcher->window.arena);
        free(watcher->touched);
        free(watcher);
        return NULL;
}

static int watcher_new(const char *run_netns, Watcher **ret) {
        Watcher *watcher = calloc(1, sizeof(Watcher));
        struct epoll_event nudge = {.events = EPOLLIN, .data.ptr = watcher};
        int r = 0;

        if (!watcher)
                return -ENOMEM;
        watcher->names = (Names){.inotify = -1, .wakes = -1, .tells = -1};
        watcher->sweep = true; /* of before our time, too */
        watcher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        watcher->nudge_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (watcher->epoll_fd < 0 || watcher->nudge_fd < 0 ||
            epoll_ctl(watcher->epoll_fd, EPOLL_CTL_ADD, watcher->nudge_fd, &nudge) < 0)
                r = -errno;
        if (r < 0) {
                watcher_free(watcher);
                return r;
        }
        names_open(&watcher->names, run_netns, watcher->epoll_fd);
        *ret = watcher;
        return 0;
}

int real_watch(Kernel *base, int *ret_fd) {
        RealKernel *kernel = real_kernel(base);
        int r = kernel->watcher ? 0 : watcher_new(kernel->run_netns, &kernel->watcher);

        if (r == 0)
                *ret_fd = kernel->watcher->epoll_fd;
        return r;
}
