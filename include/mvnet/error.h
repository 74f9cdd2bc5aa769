/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where something was written, and what is wrong with it.
 *
 * Functions return < 0 (an errno: the world failed; forward it), 0, or > 0 (a documented outcome).
 * What is wrong with a *file* is no return value: it is added to a Report, all of it, and the
 * caller asks at the end whether there was anything.
 */

#include "mvnet/util.h"

/* One file as it was read. `text` stays for as long as the Source does: carets need it. */
typedef struct Source {
        const char *name; /* as users should see it: /etc/mvnet/10-lab.yaml, <stdin> */
        const char *text; /* NUL-terminated */
        size_t size;      /* bytes, without that NUL */
        unsigned order;   /* among the files of one load: problems are listed in it */
} Source;

/*
 * A place in a file, both counted from 1, columns in bytes. Line 0 is the file as such, a NULL
 * source is "nowhere".
 */
typedef struct Location {
        const Source *source;
        unsigned line, column;
} Location;

typedef struct Problem {
        struct Problem *next;
        Location at;
        const char *path; /* host/br0.bridge.stp: where in the model; "" if nowhere */
        const char *text; /* what is wrong, what is allowed; one line, no full stop */
        const char *hint; /* another line, or NULL: "did you mean 'bridge'?" */
} Problem;

/*
 * Every problem found, in the order of file and line. Owns its memory; zero-initialised is empty.
 * After REPORT_KEPT_MAX problems the rest is only counted.
 */
#define REPORT_KEPT_MAX 100

typedef struct Report {
        Arena arena;
        Problem *first;
        Problem *last; /* added last, not last in line; NULL if it was not kept */
        size_t n;      /* found, kept or not */
        bool failed; /* out of memory: something was lost */
} Report;

void report_deinit(Report *report);

/*
 * Adds one problem; `path` may be NULL. The text is copied, the Source must outlive the Report.
 * Returns NULL if it was not kept.
 */
Problem *report_add(Report *report, Location at, const char *path, const char *format, ...)
        _printf_(4, 5);

/* Gives the problem added last a second line. */
void report_hint(Report *report, const char *format, ...) _printf_(2, 3);

/* Like report_hint "did you mean 'X'?", if one of the candidates is near enough to `word`. */
void report_nearest(Report *report, const char *word, const char *const *candidates, size_t n);

/* 0, or -ENOMEM if a problem was lost. Whether there are any: report->n. */
int report_error(const Report *report);

/*
 * Appends all problems as text:
 *
 *     lab.yaml:7:5: interfaces.br0: unknown key 'stpp'
 *         7 |     stpp: true
 *           |     ^~~~
 *           = did you mean 'stp'?
 *
 * with colour if asked. Long source lines are cut around the caret; control bytes are shown as '?'.
 * The last line says how many problems were found but not kept.
 */
void report_format(const Report *report, bool colour, Buf *ret);

/* "file:line:col", "file" for a file as such, or "" for nowhere. */
void location_format(Location at, Buf *ret);
