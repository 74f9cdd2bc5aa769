/* SPDX-License-Identifier: MIT */
/*
 * One client of the private socket, who may be slow, mad or malicious. It is served at the lowest
 * priority, one message a turn, and only while it reads its answers. sd-bus reads from a socket
 * pair, to which the gate passes one message after the other, and writes to the client directly.
 */

#include "daemon/bus-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define READS_MAX 16u /* in one turn, however small they are */
#define SEND_BUFFER (256 * 1024) /* some 600 happenings; sd-bus asks for 8 MiB */

struct Peer {
        Conn conn;
        Gate gate;
        int fd;    /* the client; closed by sd-bus */
        int inner; /* what we write comes out at sd-bus */
        sd_event_source *io;
        PeerState state;
        uint64_t since;  /* CLOCK_MONOTONIC, in µs */
        bool spoke;      /* a whole message, once */
        bool dropped;
};

unsigned peer_patience_ms[_PEER_STATE_N] = {
        [PEER_UNKNOWN] = 5000,
        [PEER_SILENT] = 30000,
        [PEER_SENDING] = 10000,
        [PEER_BLOCKED] = 300000, /* a pager that nobody scrolls */
};

static PeerState peer_state(const Peer *peer) {
        if (!peer->gate.begun)
                return PEER_UNKNOWN;
        if (conn_is_blocked(&peer->conn))
                return PEER_BLOCKED;
        if (gate_is_amid(&peer->gate))
                return PEER_SENDING;
        return peer->spoke ? PEER_IDLE : PEER_SILENT;
}

static void set_state(Peer *peer, PeerState state, bool moved) {
        if (state != peer->state || moved)
                sd_event_now(bus_event(peer->conn.bus), CLOCK_MONOTONIC, &peer->since);
        peer->state = state;
        if (peer_has_limit(peer))
                bus_watch(peer->conn.bus);
}

bool peer_has_limit(const Peer *peer) {
        return !peer->dropped && peer_patience_ms[peer->state] > 0;
}

bool peer_is_late(const Peer *peer, uint64_t now_us) {
        return peer_has_limit(peer) &&
               now_us >= peer->since + (uint64_t)peer_patience_ms[peer->state] * 1000;
}

bool peer_is_dropped(const Peer *peer) {
        return peer->dropped;
}

Conn *peer_conn(Peer *peer) {
        return &peer->conn;
}

/* Ends by itself: there is no more to be read than the gate let through. */
static int process(Peer *peer) {
        int r;

        do
                r = sd_bus_process(peer->conn.sd, NULL);
        while (r > 0);
        return r;
}

static int pass(Peer *peer, const uint8_t *piece, size_t size) {
        while (size > 0) {
                ssize_t n = send(peer->inner, piece, size, MSG_DONTWAIT | MSG_NOSIGNAL);
                int r;

                if (n <= 0)
                        return n < 0 ? -errno : -EIO; /* it was empty */
                r = process(peer);
                if (r < 0)
                        return r;
                piece += n;
                size -= (size_t)n;
        }
        return 0;
}

/* Whatever is complete. 0 or < 0. */
static int pass_pieces(Peer *peer) {
        while (!conn_is_blocked(&peer->conn)) {
                bool message = peer->gate.begun;
                const void *piece;
                size_t size;
                int r;

                r = gate_piece(&peer->gate, &piece, &size);
                if (r == 0 && size > 0)
                        r = pass(peer, piece, size);
                if (r < 0 || size == 0)
                        return r;
                gate_taken(&peer->gate, size);
                peer->spoke |= message;
                if (!peer->gate.begun || message)
                        continue;
                if (sd_bus_is_ready(peer->conn.sd) <= 0)
                        return -EPERM; /* it began without having said who it is */
                peer->conn.ready = true;
        }
        return 0;
}

/* At most one message, but for what came together with the authentication. */
static int receive(Peer *peer) {
        for (unsigned i = 0; i < READS_MAX; i++) {
                size_t room;
                ssize_t n;
                void *to;
                int r;

                r = pass_pieces(peer);
                if (r < 0)
                        return r;
                if (conn_is_blocked(&peer->conn) ||
                    (i > 0 && peer->spoke && !gate_is_amid(&peer->gate)))
                        return 0;
                r = gate_room(&peer->gate, &to, &room);
                if (r < 0)
                        return r;
                n = recv(peer->fd, to, room, MSG_DONTWAIT); /* file descriptors are left behind */
                if (n < 0)
                        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
                if (n == 0)
                        return -ECONNRESET;
                gate_fed(&peer->gate, (size_t)n);
        }
        return 0;
}

static int take_turn(Peer *peer, uint32_t revents) {
        int r;

        r = process(peer); /* what could not be written before */
        if (r >= 0)
                r = receive(peer);
        if (r < 0)
                return r;
        if (revents & (EPOLLHUP | EPOLLERR))
                return -ECONNRESET;
        set_state(peer, peer_state(peer), revents & EPOLLOUT);
        if (conn_is_owed(&peer->conn))
                bus_wake(peer->conn.bus);
        return 0;
}

static int on_peer(_unused_ sd_event_source *source, _unused_ int fd, uint32_t revents,
                   void *userdata) {
        Peer *peer = userdata;

        if (take_turn(peer, revents) < 0)
                peer_drop(peer);
        return 0;
}

/* Answers are also written when it is not the peer's turn. */
static int on_prepare(sd_event_source *source, void *userdata) {
        Peer *peer = userdata;
        PeerState state = peer_state(peer);
        uint32_t events, wanted = state == PEER_BLOCKED ? EPOLLOUT : EPOLLIN;

        if (state != peer->state)
                set_state(peer, state, false);
        if (sd_event_source_get_io_events(source, &events) < 0 ||
            (events != wanted && sd_event_source_set_io_events(source, wanted) < 0))
                peer_drop(peer);
        return 0;
}

/* The client is known by SO_PEERCRED already: what it says of itself does not matter. */
static int start(Peer *peer, int *fd, int *input) {
        int size = SEND_BUFFER, r;
        sd_id128_t id;

        r = sd_bus_new(&peer->conn.sd);
        if (r >= 0)
                r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_set_server(peer->conn.sd, true, id);
        if (r >= 0)
                r = sd_bus_set_anonymous(peer->conn.sd, true);
        if (r >= 0)
                r = sd_bus_negotiate_fds(peer->conn.sd, false);
        if (r >= 0)
                r = sd_bus_set_fd(peer->conn.sd, *input, *fd);
        if (r < 0)
                return r;
        *fd = *input = -1; /* sd-bus has them */
        r = sd_bus_start(peer->conn.sd);
        if (r >= 0)
                r = conn_serve(&peer->conn);
        if (r >= 0 && setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
                r = -errno;
        return r < 0 ? r : 0;
}

static int watch(Peer *peer) {
        int r;

        r = sd_event_add_io(bus_event(peer->conn.bus), &peer->io, peer->fd, EPOLLIN, on_peer, peer);
        if (r >= 0)
                r = sd_event_source_set_priority(peer->io, BUS_PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_prepare(peer->io, on_prepare);
        if (r >= 0)
                set_state(peer, PEER_UNKNOWN, true);
        return r < 0 ? r : 0;
}

int peer_new(Bus *bus, int fd, uid_t uid, Peer **ret) {
        Peer *peer = calloc(1, sizeof(*peer));
        int pair[2], r;

        if (!peer || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
                r = peer ? -errno : -ENOMEM;
                free(peer);
                fd_close(fd);
                return r;
        }
        *peer = (Peer){.conn = {.bus = bus, .uid = uid}, .fd = fd, .inner = pair[1]};
        r = start(peer, &fd, &pair[0]);
        fd_close(fd);
        fd_close(pair[0]);
        if (r == 0)
                r = watch(peer);
        if (r < 0) {
                peer_free(peer);
                return r;
        }
        *ret = peer;
        return 0;
}

void peer_drop(Peer *peer) {
        if (peer->dropped)
                return;
        peer->dropped = true;
        peer->io = sd_event_source_disable_unref(peer->io);
        conn_close(&peer->conn);
        peer->inner = fd_close(peer->inner);
        bus_wake(peer->conn.bus);
}

Peer *peer_free(Peer *peer) {
        if (!peer)
                return NULL;
        sd_event_source_disable_unref(peer->io);
        conn_close(&peer->conn);
        fd_close(peer->inner);
        gate_deinit(&peer->gate);
        free(peer);
        return NULL;
}
