/* SPDX-License-Identifier: MIT */
#pragma once

/* The rules between objects, in three parts; private to this folder. */

#include "config/build.h"

typedef struct Check {
        const Network *network;
        Report *report;
        Arena arena; /* for as long as the check takes */
        const Namespace *netns; /* whose objects are looked at, or NULL: those of links */
        const Object *object;
} Check;

/*
 * Adds a problem at a key of a link (or NULL: the link itself), where that key was written. Of no
 * link: of the object at hand.
 */
void check_problem(Check *check, const Link *link, const char *key, Location at,
                   const char *format, ...) _printf_(5, 6);

/* Whether a file says so, rather than a policy; and where. */
bool row_said(const AttrSet *set, size_t row);

/* "file:line:col" of another place, for a message; in the check's arena, "" if out of memory. */
const char *check_place(Check *check, Location at);
const char *check_link_name(Check *check, const Link *link); /* as link_path() */

/* What several links may not have at once, or must have alike. 0 or -ENOMEM. */
int check_claims(Check *check);

/* Links that are on top of themselves. 0 or -ENOMEM. */
int check_cycles(Check *check);
