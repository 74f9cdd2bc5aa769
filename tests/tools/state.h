/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * All links and addresses of our own and all named namespaces as lines of text, sorted, without
 * what changes by itself: counters, timers, carrier. Links are named, not numbered.
 */

#include "rtnl.h"

#include <stddef.h>

typedef struct Lines {
        char **items;
        size_t n, size;
} Lines;

void lines_add(Lines *lines, const char *text); /* takes a copy */
void lines_sort(Lines *lines);
bool lines_have(const Lines *lines, const char *text); /* sorted */
/* Without `indexes`, a link that was re-created is the same. */
bool lines_equal(const Lines *a, const Lines *b, bool indexes);
void lines_diff(const Lines *wanted, const Lines *have); /* to standard output */
void lines_drop(Lines *lines, const char *prefix); /* those that begin so; NULL: none */
void lines_free(Lines *lines);

void state_read(Lines *ret);

/*
 * Whether an event shows something else than these lines say, which must be those of the last
 * state_read().
 */
bool state_differs(const Lines *lines, const char *netns, const struct nlmsghdr *event);
