/* SPDX-License-Identifier: MIT */
#pragma once

/* One of several ways that a route goes: an element of its row `nexthops`. */

#include "mvnet/attr.h"

typedef struct Hop {
        Value via;       /* no family: none */
        Value dev;       /* a reference, to nothing if it is the kernel's choice */
        uint32_t weight; /* 1 to 256 */
        bool onlink;
} Hop;
