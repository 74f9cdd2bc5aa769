/* SPDX-License-Identifier: MIT */
#pragma once

/* Whether what was heard is what a request asked for; the same for the real and the fake kernel. */

#include "mvnet/plan.h"

/* What one event said: of a link with what its message holds, or of one thing that lives on it. */
typedef struct Shown {
        const char *netns;
        bool gone;
        int ifindex;
        const char *link_name;
        const Link *link;     /* NULL: it is not about the link itself */
        const Object *object; /* or NULL */
        RowSet unknown[_SECTION_N]; /* rows whose values could not be made out */
} Shown;

bool op_is_shown(const Op *op, const Shown *shown);
/* Whether there are events of such requests at all. */
bool op_is_told(const Op *op);
