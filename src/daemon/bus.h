/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The control interface: org.mvnet.Mvnetd1 at /org/mvnet/Mvnetd1, on a private socket and, where
 * there is a system bus, on that. What clients do, or don't, never delays the daemon.
 */

#include "daemon/daemon.h"

#define BUS_NAME "org.mvnet.Mvnetd1"
#define BUS_PATH "/org/mvnet/Mvnetd1"
#define BUS_INTERFACE "org.mvnet.Mvnetd1"
#define BUS_SOCKET "bus" /* below the runtime folder */

typedef struct Bus Bus;

/*
 * Serves RUNTIME/bus, replacing what a daemon that was killed left there; with `system`, also the
 * system bus, as soon as and whenever there is one. 0 or < 0: the socket could not be made.
 */
int bus_new(Daemon *daemon, sd_event *event, const char *runtime, bool system, Bus **ret);
Bus *bus_free(Bus *bus); /* NULL; answers that are owed are dropped */

/* The status has changed: its generation is another one. Clients are told, at most every 100 ms. */
void bus_changed(Bus *bus);

/* To those who monitor. */
void bus_tell(Bus *bus, const Happening *happening);
