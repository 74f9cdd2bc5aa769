/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the parts of the control interface share. Clients are served when there is nothing else to
 * do, and only as fast as they read: what they are owed is kept once for all (history.h) or is a
 * flag, and nobody is listened to who has an answer waiting.
 */

#include "daemon/bus.h"
#include "daemon/gate.h"
#include "daemon/history.h"

#include <systemd/sd-bus.h>

#define BUS_PRIORITY SD_EVENT_PRIORITY_IDLE
#define BUS_ERROR_NOT_DECLARED BUS_NAME ".Error.NotDeclared"
#define BUS_ERROR_NOT_PAUSED BUS_NAME ".Error.NotPaused"

#define PEERS_MAX 128u        /* of which */
#define PEERS_OTHERS_MAX 64u  /* are not root's */
#define PEERS_USER_MAX 16u    /* and one user's, who is not root */

/* A client of the private socket, or the system bus with all that are behind it. */
typedef struct Conn {
        Bus *bus;
        sd_bus *sd;     /* NULL: not connected */
        bool shared;    /* the system bus: it has to be asked who somebody is */
        bool ready;     /* can be told things */
        uid_t uid;      /* who it is, unless shared */
        bool listens;   /* to happenings */
        uint64_t heard; /* number of the first that it has not been sent */
        bool stale;     /* has not been sent the latest properties */
        struct Pending *pending; /* messages without an answer so far */
        size_t n_pending;
} Conn;

/* bus-methods.c */
int conn_serve(Conn *conn); /* as soon as there is an sd-bus: 0 or < 0 */
bool conn_is_blocked(const Conn *conn); /* something waits to be written */
bool conn_is_owed(const Conn *conn);    /* a happening, or properties */
int conn_send(Conn *conn);   /* some of it, until it is blocked: 0 or < 0 */
void conn_close(Conn *conn); /* and what is pending is dropped */

/* bus-peer.c */
typedef struct Peer Peer;

typedef enum PeerState {
        PEER_UNKNOWN, /* not authenticated yet */
        PEER_SILENT,  /* has not called anything yet */
        PEER_SENDING, /* half a message */
        PEER_BLOCKED, /* does not read */
        PEER_IDLE,
        _PEER_STATE_N,
} PeerState;

extern unsigned peer_patience_ms[_PEER_STATE_N]; /* 0: endless; only tests change it */

/* `fd` is the peer's, whatever comes of it. 0 or < 0. */
int peer_new(Bus *bus, int fd, uid_t uid, Peer **ret);
Peer *peer_free(Peer *peer); /* NULL; not from within its own handlers */
void peer_drop(Peer *peer);  /* closes it; freed later */
bool peer_is_dropped(const Peer *peer);
bool peer_is_late(const Peer *peer, uint64_t now_us); /* by CLOCK_MONOTONIC */
bool peer_has_limit(const Peer *peer);
Conn *peer_conn(Peer *peer);

/* bus-system.c: the system bus, tried again and again. */
typedef struct System System;
int system_new(Bus *bus, System **ret); /* 0 or < 0, if not even trying is possible */
System *system_free(System *system);
Conn *system_conn(System *system);
void system_lost(System *system); /* gives up the connection, and tries again later */

/* bus-listen.c: RUNTIME/bus, and the folder it is in, to take it away again. 0 or < 0. */
int listen_open(const char *runtime, int *ret_dir_fd, int *ret_fd);
void listen_close(int dir_fd, int fd); /* both, and the file */

/* bus.c */
Daemon *bus_daemon(const Bus *bus);
sd_event *bus_event(const Bus *bus);
const History *bus_history(const Bus *bus);
void bus_wake(Bus *bus);  /* somebody is owed something, or was dropped */
void bus_watch(Bus *bus); /* somebody's patience may come to an end */
