/* SPDX-License-Identifier: MIT */
/*
 * Who is connected, who else may be, and whose turn it is to be told something. All of this comes
 * after whatever the kernel has to say: nothing here is done but at idle priority, in small bits.
 */

#include "daemon/bus-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define USEC_PER_MS ((uint64_t)1000)
#define CHANGED_EVERY (100 * USEC_PER_MS)
#define WATCH_EVERY (1000 * USEC_PER_MS)

struct Bus {
        Daemon *daemon;
        sd_event *event;
        int dir_fd, listen_fd;
        sd_event_source *listen;  /* off while there are no file descriptors left */
        sd_event_source *pump;    /* somebody may be owed something */
        sd_event_source *watch;   /* somebody's patience may come to an end */
        sd_event_source *changed; /* the status has, and is told of then */
        uint64_t told;            /* when it was told last */
        Peer *peers[PEERS_MAX];
        size_t n_peers;
        size_t turn; /* who is served next */
        System *system;
        History history;
};

Daemon *bus_daemon(const Bus *bus) {
        return bus->daemon;
}

sd_event *bus_event(const Bus *bus) {
        return bus->event;
}

const History *bus_history(const Bus *bus) {
        return &bus->history;
}

/* The system bus is the last of all. */
static Conn *nth_conn(const Bus *bus, size_t n) {
        if (n < bus->n_peers)
                return peer_conn(bus->peers[n]);
        return bus->system ? system_conn(bus->system) : NULL;
}

/* An event source that is off cannot be switched on only if the event loop is over. */
void bus_wake(Bus *bus) {
        sd_event_source_set_enabled(bus->pump, SD_EVENT_ONESHOT);
}

static void set_timer(sd_event_source *timer, uint64_t at_us) {
        sd_event_source_set_time(timer, at_us);
        sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static bool is_on(sd_event_source *source) {
        return sd_event_source_get_enabled(source, NULL) > 0;
}

static uint64_t now_us(const Bus *bus) {
        uint64_t now = 0;

        sd_event_now(bus->event, CLOCK_MONOTONIC, &now);
        return now;
}

void bus_watch(Bus *bus) {
        if (!is_on(bus->watch))
                set_timer(bus->watch, now_us(bus) + WATCH_EVERY);
}

static void fail_conn(Bus *bus, size_t n) {
        if (n < bus->n_peers)
                peer_drop(bus->peers[n]);
        else
                system_lost(bus->system);
}

static void free_dropped(Bus *bus) {
        size_t kept = 0;

        for (size_t i = 0; i < bus->n_peers; i++)
                if (peer_is_dropped(bus->peers[i]))
                        peer_free(bus->peers[i]);
                else
                        bus->peers[kept++] = bus->peers[i];
        bus->n_peers = kept;
}

/* One connection, some of what it is owed; then whoever else wants something of the daemon. */
static int on_pump(_unused_ sd_event_source *source, void *userdata) {
        Bus *bus = userdata;
        size_t n;

        free_dropped(bus);
        n = bus->n_peers + 1;
        for (size_t i = 0; i < n; i++) {
                size_t at = (bus->turn + i) % n;
                Conn *conn = nth_conn(bus, at);

                if (!conn || !conn_is_owed(conn))
                        continue;
                if (conn_is_blocked(conn)) {
                        bus_watch(bus); /* a peer wakes us itself, sd-bus does not */
                        continue;
                }
                if (conn_send(conn) < 0)
                        fail_conn(bus, at);
                bus->turn = at + 1;
                bus_wake(bus);
                break;
        }
        return 0;
}

static int on_watch(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Bus *bus = userdata;
        uint64_t now = now_us(bus);
        bool limit = false;

        for (size_t i = 0; i < bus->n_peers; i++) {
                if (peer_is_late(bus->peers[i], now))
                        peer_drop(bus->peers[i]);
                limit |= peer_has_limit(bus->peers[i]);
        }
        sd_event_source_set_enabled(bus->listen, SD_EVENT_ON);
        bus_wake(bus);
        if (limit)
                bus_watch(bus);
        return 0;
}

/* The private socket. */

/* Some places are root's alone, so that others can't keep it out. */
static bool has_room(const Bus *bus, uid_t uid) {
        size_t others = 0, own = 0;

        for (size_t i = 0; i < bus->n_peers; i++) {
                uid_t other = peer_conn(bus->peers[i])->uid;

                others += other != 0;
                own += other == uid;
        }
        if (uid == 0)
                return bus->n_peers < PEERS_MAX;
        return bus->n_peers < PEERS_MAX && others < PEERS_OTHERS_MAX && own < PEERS_USER_MAX;
}

static void admit(Bus *bus, int fd) {
        socklen_t size = sizeof(struct ucred);
        struct ucred ucred;
        Peer *peer;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &size) < 0 || size != sizeof(ucred) ||
            !has_room(bus, ucred.uid)) {
                fd_close(fd);
                return;
        }
        if (peer_new(bus, fd, ucred.uid, &peer) == 0)
                bus->peers[bus->n_peers++] = peer;
}

static int on_listen(sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata) {
        Bus *bus = userdata;
        int client;

        free_dropped(bus);
        client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
                admit(bus, client);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                /* It stays readable: look again in a while. */
                sd_event_source_set_enabled(source, SD_EVENT_OFF);
                bus_watch(bus);
        }
        return 0;
}

/* What has happened. */

static bool is_heard(const Bus *bus) {
        for (size_t i = 0; i <= bus->n_peers; i++) {
                const Conn *conn = nth_conn(bus, i);

                if (conn && conn->listens)
                        return true;
        }
        return false;
}

void bus_tell(Bus *bus, const Happening *happening) {
        if (!is_heard(bus)) {
                history_forget(&bus->history);
                return;
        }
        history_add(&bus->history, happening);
        bus_wake(bus);
}

void bus_changed(Bus *bus) {
        if (!is_on(bus->changed))
                set_timer(bus->changed, bus->told + CHANGED_EVERY); /* at once, if that is past */
}

static int on_changed(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Bus *bus = userdata;

        for (size_t i = 0; i <= bus->n_peers; i++) {
                Conn *conn = nth_conn(bus, i);

                if (conn)
                        conn->stale = true;
        }
        bus->told = now_us(bus);
        bus_wake(bus);
        return 0;
}

/* Beginning and end. */

static int add_timer(Bus *bus, uint64_t accuracy, sd_event_time_handler_t handler,
                     sd_event_source **ret) {
        int r;

        r = sd_event_add_time(bus->event, ret, CLOCK_MONOTONIC, 0, accuracy, handler, bus);
        if (r >= 0)
                r = sd_event_source_set_priority(*ret, BUS_PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
        return r;
}

static int add_sources(Bus *bus) {
        int r;

        r = sd_event_add_defer(bus->event, &bus->pump, on_pump, bus);
        if (r >= 0)
                r = sd_event_source_set_priority(bus->pump, BUS_PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_enabled(bus->pump, SD_EVENT_OFF);
        if (r >= 0)
                r = add_timer(bus, 5 * USEC_PER_MS, on_changed, &bus->changed);
        if (r >= 0)
                r = add_timer(bus, 250 * USEC_PER_MS, on_watch, &bus->watch);
        if (r >= 0)
                r = sd_event_add_io(bus->event, &bus->listen, bus->listen_fd, EPOLLIN, on_listen,
                                    bus);
        if (r >= 0)
                r = sd_event_source_set_priority(bus->listen, BUS_PRIORITY);
        return r < 0 ? r : 0;
}

int bus_new(Daemon *daemon, sd_event *event, const char *runtime, bool system, Bus **ret) {
        Bus *bus = calloc(1, sizeof(*bus));
        int r;

        if (!bus)
                return -ENOMEM;
        bus->daemon = daemon;
        bus->event = sd_event_ref(event);
        bus->dir_fd = bus->listen_fd = -1;
        r = listen_open(runtime, &bus->dir_fd, &bus->listen_fd);
        if (r == 0)
                r = add_sources(bus);
        if (r == 0 && system)
                r = system_new(bus, &bus->system);
        if (r < 0) {
                bus_free(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

Bus *bus_free(Bus *bus) {
        if (!bus)
                return NULL;
        for (size_t i = 0; i < bus->n_peers; i++)
                peer_free(bus->peers[i]);
        system_free(bus->system);
        sd_event_source_disable_unref(bus->listen);
        sd_event_source_disable_unref(bus->pump);
        sd_event_source_disable_unref(bus->watch);
        sd_event_source_disable_unref(bus->changed);
        listen_close(bus->dir_fd, bus->listen_fd);
        history_deinit(&bus->history);
        sd_event_unref(bus->event);
        free(bus);
        return NULL;
}
