/* SPDX-License-Identifier: MIT */
/*
 * The system bus is there later than the daemon at boot, may never be, and may be restarted. The
 * network does not wait for it, so each step is a request whose answer comes when it comes.
 */

#include "daemon/bus-internal.h"

#include <errno.h>
#include <stdlib.h>

#define USEC_PER_SEC ((uint64_t)1000000)
#define RETRY_MIN USEC_PER_SEC
#define RETRY_MAX (30 * USEC_PER_SEC)

struct System {
        Conn conn;
        sd_event_source *retry; /* off while connected */
        uint64_t pause;         /* before the next attempt, in µs */
};

Conn *system_conn(System *system) {
        return &system->conn;
}

void system_lost(System *system) {
        conn_close(&system->conn);
        sd_event_source_set_time_relative(system->retry, system->pause);
        sd_event_source_set_enabled(system->retry, SD_EVENT_ONESHOT);
        system->pause = MIN(system->pause * 2, RETRY_MAX);
}

/* Whoever is not let have the name is not asked for by it: no reason to stay. */
static int on_name(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        System *system = userdata;
        uint32_t outcome;

        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &outcome) < 0 ||
            outcome != 1) { /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER */
                system_lost(system);
                return 0;
        }
        system->pause = RETRY_MIN;
        system->conn.ready = system->conn.listens = system->conn.stale = true;
        system->conn.heard = bus_history(system->conn.bus)->next;
        bus_wake(system->conn.bus);
        return 0;
}

static int on_message(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected"))
                system_lost(userdata);
        return 0;
}

static int attach(System *system) {
        sd_bus *sd = system->conn.sd;
        int r;

        r = sd_bus_set_close_on_exit(sd, false); /* that would wait until all is written */
        if (r >= 0)
                r = sd_bus_attach_event(sd, bus_event(system->conn.bus), BUS_PRIORITY);
        if (r >= 0)
                r = sd_bus_add_filter(sd, NULL, on_message, system);
        if (r >= 0)
                r = conn_serve(&system->conn);
        if (r >= 0)
                r = sd_bus_request_name_async(sd, NULL, BUS_NAME, 0, on_name, system);
        return r;
}

static int on_retry(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        System *system = userdata;

        if (sd_bus_open_system_with_description(&system->conn.sd, "mvnetd") < 0 ||
            attach(system) < 0)
                system_lost(system);
        return 0;
}

int system_new(Bus *bus, System **ret) {
        System *system = calloc(1, sizeof(*system));
        int r;

        if (!system)
                return -ENOMEM;
        *system = (System){.conn = {.bus = bus, .shared = true}, .pause = RETRY_MIN};
        r = sd_event_add_time_relative(bus_event(bus), &system->retry, CLOCK_MONOTONIC, 0, 0,
                                       on_retry, system);
        if (r >= 0)
                r = sd_event_source_set_priority(system->retry, BUS_PRIORITY);
        if (r < 0) {
                system_free(system);
                return r;
        }
        *ret = system;
        return 0;
}

System *system_free(System *system) {
        if (!system)
                return NULL;
        conn_close(&system->conn);
        sd_event_source_disable_unref(system->retry);
        free(system);
        return NULL;
}
