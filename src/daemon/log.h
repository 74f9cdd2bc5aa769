/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the daemon says: to the journal with fields (NETNS=, LINK=, OP=, CONFIG=, MESSAGE_ID=) if its
 * standard error goes there, else to standard error as text. `priority` is of syslog(3).
 */

#include "daemon/daemon.h"

typedef struct Log {
        bool journal;
} Log;

void log_open(Log *log);
void log_line(const Log *log, int priority, const char *format, ...) _printf_(3, 4);
void log_happening(const Log *log, const Happening *happening);

/* "WHAT: reason". Returns `error`. */
int log_errno(const Log *log, int error, const char *what);

/* Each problem of a file by itself. */
void log_problems(const Log *log, const Report *report);
