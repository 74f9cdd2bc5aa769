/* SPDX-License-Identifier: MIT */
/*
 * What can be asked, ordered and listened to. Reading is for whoever got here, writing for root:
 * the private socket knows its peer, the system bus is asked about the sender, and never waited
 * for.
 */

#include "daemon/bus-internal.h"
#include "daemon/wire.h"
#include "mvnet/tree.h"

#include <errno.h>
#include <stdlib.h>

#define PENDING_MAX 16u /* of one connection */
#define SEND_MAX 32u    /* happenings in one go: the others want to be told, too */

/* What only root may do: has replied, will, or < 0. */
typedef int Call(Conn *conn, sd_bus_message *m);

/* A message that is not answered yet. It refers to its sd-bus, which can't be freed before it. */
typedef struct Pending {
        struct Pending *next;
        Conn *conn;
        sd_bus_message *message;
        Call *call;        /* to be made, once it is known who sent it; NULL: the daemon has it */
        sd_bus_slot *slot; /* of that question */
} Pending;

static int only_error(int r) {
        return r < 0 ? r : 0;
}

static void pending_free(Pending *pending) {
        for (Pending **at = &pending->conn->pending; *at; at = &(*at)->next)
                if (*at == pending) {
                        *at = pending->next;
                        pending->conn->n_pending--;
                        break;
                }
        sd_bus_slot_unref(pending->slot);
        sd_bus_message_unref(pending->message);
        free(pending);
}

static int pending_new(Conn *conn, sd_bus_message *m, Call *call, Pending **ret) {
        Pending *pending = calloc(1, sizeof(*pending));

        if (!pending)
                return -ENOMEM;
        *pending = (Pending){
                .next = conn->pending,
                .conn = conn,
                .message = sd_bus_message_ref(m),
                .call = call,
        };
        conn->pending = pending;
        conn->n_pending++;
        *ret = pending;
        return 0;
}

static void drop_pending(Conn *conn) {
        while (conn->pending) {
                if (!conn->pending->call)
                        daemon_drop_orders(bus_daemon(conn->bus), conn->pending);
                pending_free(conn->pending);
        }
}

/* Orders. */

static int answer(sd_bus_message *m, const DaemonAnswer *given) {
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = wire_append_answer(reply, given);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return only_error(r);
}

static void order_done(void *userdata, const DaemonAnswer *given) {
        Pending *pending = userdata;
        int r = answer(pending->message, given);

        if (r < 0)
                sd_bus_reply_method_errno(pending->message, r, NULL);
        pending_free(pending);
}

static int give_order(Conn *conn, sd_bus_message *m, DaemonOrder order, char **paths, size_t n,
                      bool force) {
        Pending *pending;
        int r;

        r = pending_new(conn, m, NULL, &pending);
        if (r < 0)
                return r;
        r = daemon_order(bus_daemon(conn->bus), order, (const char *const *)paths, n, force,
                         order_done, pending);
        if (r < 0)
                pending_free(pending);
        return r;
}

static int call_reload(Conn *conn, sd_bus_message *m) {
        int force, r = sd_bus_message_read(m, "b", &force);

        return r < 0 ? r : give_order(conn, m, DAEMON_RELOAD, NULL, 0, force);
}

static int call_down(Conn *conn, sd_bus_message *m) {
        int force, r = sd_bus_message_read(m, "b", &force);

        return r < 0 ? r : give_order(conn, m, DAEMON_DOWN, NULL, 0, force);
}

static void free_texts(char ***texts) {
        for (char **text = *texts; text && *text; text++)
                free(*text);
        free(*texts);
}

static int call_apply(Conn *conn, sd_bus_message *m) {
        _cleanup_(free_texts) char **paths = NULL;
        size_t n = 0;
        int force, r;

        r = sd_bus_message_read_strv(m, &paths);
        if (r >= 0)
                r = sd_bus_message_read(m, "b", &force);
        if (r < 0)
                return r;
        for (; paths && paths[n]; n++)
                if (paths[n][0] != '/' || n >= FILES_MAX)
                        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_INVALID_ARGS,
                                                          "at most %d absolute paths", FILES_MAX);
        return give_order(conn, m, DAEMON_APPLY, paths, n, force);
}

/* Pausing. */

static int reply_pause(sd_bus_message *m, const char *path, int r, const char *error) {
        if (r == 0)
                return sd_bus_reply_method_return(m, "");
        if (r != -ENOENT)
                return r;
        if (streq(error, BUS_ERROR_NOT_PAUSED))
                return sd_bus_reply_method_errorf(m, error, path[0] ? "%s was not paused"
                                                                    : "nothing was paused", path);
        return sd_bus_reply_method_errorf(m, error, "nothing is declared as '%s'", path);
}

static int call_pause(Conn *conn, sd_bus_message *m) {
        const char *path;
        uint64_t usec;
        int r;

        r = sd_bus_message_read(m, "st", &path, &usec);
        if (r < 0)
                return r;
        r = daemon_pause(bus_daemon(conn->bus), path[0] ? path : NULL,
                         usec / 1000 + (usec % 1000 > 0));
        return reply_pause(m, path, r, BUS_ERROR_NOT_DECLARED);
}

static int call_resume(Conn *conn, sd_bus_message *m) {
        const char *path;
        int r;

        r = sd_bus_message_read(m, "s", &path);
        if (r < 0)
                return r;
        r = daemon_resume(bus_daemon(conn->bus), path[0] ? path : NULL);
        return reply_pause(m, path, r, BUS_ERROR_NOT_PAUSED);
}

/* Who may. */

static int deny(sd_bus_message *m) {
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_ACCESS_DENIED, "%s is for root",
                                          sd_bus_message_get_member(m));
}

static int on_sender(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Pending *pending = userdata;
        uint32_t uid;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL) ||
            sd_bus_message_read(reply, "u", &uid) < 0 || uid != 0)
                r = deny(pending->message);
        else
                r = pending->call(pending->conn, pending->message);
        if (r < 0)
                r = sd_bus_reply_method_errno(pending->message, r, NULL);
        pending_free(pending);
        return r;
}

static int ask(Conn *conn, sd_bus_message *m, Call *call) {
        Pending *pending;
        int r;

        r = pending_new(conn, m, call, &pending);
        if (r < 0)
                return r;
        r = sd_bus_call_method_async(conn->sd, &pending->slot, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_sender, pending, "s",
                                     sd_bus_message_get_sender(m));
        if (r < 0)
                pending_free(pending);
        return r;
}

static int only_root(Conn *conn, sd_bus_message *m, Call *call) {
        int r;

        if (conn->n_pending >= PENDING_MAX)
                r = sd_bus_reply_method_errorf(m, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                               "%u calls are waiting for their answers",
                                               PENDING_MAX);
        else if (conn->shared)
                r = ask(conn, m, call);
        else if (conn->uid != 0)
                r = deny(m);
        else
                r = call(conn, m);
        return r < 0 ? r : 1; /* 0 would be: not for me */
}

static int method_reload(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        return only_root(userdata, m, call_reload);
}

static int method_apply(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        return only_root(userdata, m, call_apply);
}

static int method_down(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        return only_root(userdata, m, call_down);
}

static int method_pause(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        return only_root(userdata, m, call_pause);
}

static int method_resume(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        return only_root(userdata, m, call_resume);
}

/* Reading. */

/* With the state: an object that is missing means one thing while it is mended, another after. */
static int method_list(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Conn *conn = userdata;
        sd_bus_message *reply = NULL;
        DaemonStatus status;
        int r;

        daemon_status(bus_daemon(conn->bus), &status);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = wire_append_items(reply, status.plan);
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", daemon_state_name(status.state));
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

/* On the system bus, which filters, everybody is told. */
static void listen_from_now(Conn *conn, bool listens) {
        if (conn->shared)
                return;
        if (listens && !conn->listens)
                conn->heard = bus_history(conn->bus)->next;
        conn->listens = listens;
}

static int method_subscribe(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        listen_from_now(userdata, true);
        return sd_bus_reply_method_return(m, "");
}

static int method_unsubscribe(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        listen_from_now(userdata, false);
        return sd_bus_reply_method_return(m, "");
}

static int get_property(_unused_ sd_bus *sd, _unused_ const char *path,
                        _unused_ const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        const Conn *conn = userdata;
        DaemonStatus status;

        daemon_status(bus_daemon(conn->bus), &status);
        if (streq(property, "Version"))
                return sd_bus_message_append(reply, "s", MVNET_VERSION);
        if (streq(property, "Name"))
                return wire_append_text(reply, status.name);
        if (streq(property, "State"))
                return sd_bus_message_append(reply, "s", daemon_state_name(status.state));
        if (streq(property, "Paused"))
                return sd_bus_message_append(reply, "b", (int)status.paused);
        if (streq(property, "Degraded"))
                return wire_append_text(reply, status.degraded);
        if (streq(property, "Noisy"))
                return wire_append_text(reply, status.noisy);
        return sd_bus_message_append(reply, "t", status.generation);
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define OPEN SD_BUS_VTABLE_UNPRIVILEGED /* sd-bus would ask the bus about the sender, and wait */
/* clang-format off */
#define ANSWER SD_BUS_RESULT("s", outcome, "s", name, "a" WIRE_ITEM, objects, \
                             "a" WIRE_PROBLEM, problems, "s", problems_text, \
                             "i", record_error, "i", error)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_property, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Name", "s", get_property, 0, CHANGES),
        SD_BUS_PROPERTY("State", "s", get_property, 0, CHANGES),
        SD_BUS_PROPERTY("Paused", "b", get_property, 0, CHANGES),
        SD_BUS_PROPERTY("Degraded", "s", get_property, 0, CHANGES),
        SD_BUS_PROPERTY("Noisy", "s", get_property, 0, CHANGES),
        SD_BUS_PROPERTY("Generation", "t", get_property, 0, CHANGES),
        SD_BUS_METHOD_WITH_ARGS("List", SD_BUS_NO_ARGS, SD_BUS_RESULT("a" WIRE_ITEM, objects, "s", state), method_list, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_ARGS("b", force), ANSWER, method_reload, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Apply", SD_BUS_ARGS("as", paths, "b", force), ANSWER, method_apply, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Down", SD_BUS_ARGS("b", force), ANSWER, method_down, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Pause", SD_BUS_ARGS("s", path, "t", usec), SD_BUS_NO_RESULT, method_pause, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_ARGS("s", path), SD_BUS_NO_RESULT, method_resume, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Subscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_subscribe, OPEN),
        SD_BUS_METHOD_WITH_ARGS("Unsubscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_unsubscribe, OPEN),
        SD_BUS_SIGNAL_WITH_ARGS("Happened", SD_BUS_ARGS("t", realtime_usec, "s", type, "s", path, "s", kind, "s", action, "s", text, "s", at), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Missed", SD_BUS_ARGS("t", happenings), 0),
        SD_BUS_VTABLE_END,
};
/* clang-format on */

/* Connections. */

int conn_serve(Conn *conn) {
        return only_error(sd_bus_add_object_vtable(conn->sd, NULL, BUS_PATH, BUS_INTERFACE, vtable,
                                                   conn));
}

bool conn_is_blocked(const Conn *conn) {
        uint64_t n;

        return conn->sd && sd_bus_get_n_queued_write(conn->sd, &n) >= 0 && n > 0;
}

bool conn_is_owed(const Conn *conn) {
        return conn->ready &&
               (conn->stale || (conn->listens && conn->heard < bus_history(conn->bus)->next));
}

static int send_missed(Conn *conn, uint64_t n) {
        return only_error(
                sd_bus_emit_signal(conn->sd, BUS_PATH, BUS_INTERFACE, "Missed", "t", n));
}

static int send_happening(Conn *conn, const Happening *happening) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_signal(conn->sd, &m, BUS_PATH, BUS_INTERFACE, "Happened");
        if (r >= 0)
                r = wire_append_happening(m, happening);
        if (r >= 0)
                r = sd_bus_send(conn->sd, m, NULL);
        sd_bus_message_unref(m);
        return only_error(r);
}

/* The next one, or how many there were that are not kept any more. */
static int send_next(Conn *conn) {
        const History *history = bus_history(conn->bus);
        uint64_t number = history->next, missed;
        const Happening *happening = history_get(history, conn->heard, &number);

        missed = number - conn->heard;
        if (missed > 0) {
                conn->heard = number;
                return send_missed(conn, missed);
        }
        conn->heard++;
        return send_happening(conn, happening);
}

int conn_send(Conn *conn) {
        int r = 0;

        if (conn->stale) {
                conn->stale = false;
                r = only_error(sd_bus_emit_properties_changed(
                        conn->sd, BUS_PATH, BUS_INTERFACE, "Name", "State", "Paused", "Degraded",
                        "Noisy", "Generation", NULL));
        }
        for (size_t i = 0;
             r == 0 && i < SEND_MAX && conn_is_owed(conn) && !conn_is_blocked(conn); i++)
                r = send_next(conn);
        return r;
}

void conn_close(Conn *conn) {
        drop_pending(conn);
        conn->ready = conn->listens = conn->stale = false;
        if (conn->sd)
                sd_bus_close(conn->sd);
        conn->sd = sd_bus_unref(conn->sd);
}
