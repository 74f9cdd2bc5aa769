/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What plans, problems and happenings are on the bus. The daemon writes, mvnetctl reads; both take
 * it from here, so that they cannot differ.
 */

#include "daemon/daemon.h"

#include <systemd/sd-bus.h>

/* A key, what was there, what comes of it (each at most one: none is not the same as empty), at. */
#define WIRE_LINE "(sasass)"
/* Path, type, kind, verdict, reason, failure, at, optional, guard, error, failure at, lines. */
#define WIRE_ITEM "(sssssssbsisa" WIRE_LINE ")"
/* File, line, column, path, text, hint. */
#define WIRE_PROBLEM "(suusss)"
/* CLOCK_REALTIME in µs, type, path, kind, action, text, at. */
#define WIRE_HAPPENING "tssssss"

/* Appenders: 0 or < 0. What is no text for a terminal or for D-Bus becomes '?'. */
int wire_append_text(sd_bus_message *m, const char *text);            /* NULL: empty */
int wire_append_items(sd_bus_message *m, const Plan *plan);          /* NULL: none */
int wire_append_problems(sd_bus_message *m, const Report *report);   /* NULL: none */
int wire_append_happening(sd_bus_message *m, const Happening *happening);
/* Outcome, name, items, problems, these as text, errno of the record, errno. */
int wire_append_answer(sd_bus_message *m, const DaemonAnswer *answer);

/* A plan to be told, not carried out: there are no ops. 0 or < 0, among which -EBADMSG. */
int wire_read_items(sd_bus_message *m, Plan **ret);
/* Problems beyond those the report keeps are counted. 0 or < 0. */
int wire_read_problems(sd_bus_message *m, Report *ret);

/* The same, as it comes: texts are the message's. */
typedef struct WireHappening {
        uint64_t realtime_us;
        const char *type, *path, *kind, *action, *text, *at;
} WireHappening;

int wire_read_happening(sd_bus_message *m, WireHappening *ret);

typedef struct WireAnswer {
        DaemonOutcome outcome;
        const char *name, *problems; /* the message's; problems as people read them */
        Report report;
        Plan *plan; /* never NULL */
        int record_error, error;
} WireAnswer;

int wire_read_answer(sd_bus_message *m, WireAnswer *ret);
void wire_answer_deinit(WireAnswer *answer);
