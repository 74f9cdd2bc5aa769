/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The VLANs of a bridge or of a port of one: a value that says for each of 4,094 numbers whether it
 * is there and how. Neighbours that are alike are one entry of the list, in one way only, so that
 * equal lists mean the same.
 */

#include "mvnet/schema.h"

#define VLANS_N 4095 /* 1 to 4094 */

typedef struct Vlan {
        bool there, pvid, untagged;
        uint32_t tunnel; /* its id in a tunnel behind the port; 0: none */
} Vlan;

typedef struct VlanTable {
        Vlan at[VLANS_N]; /* by number */
} VlanTable;

/* Some that follow each other and are alike; the tunnels' ids follow each other, too. */
typedef struct VlanRange {
        uint16_t from, to;
        Vlan vlan; /* the first */
} VlanRange;

extern const Schema vlans_schema; /* the row `vlans` of a link */

/* What a list says; numbers that it says nothing of are not touched. */
void vlans_read(const Value *list, VlanTable *ret);
/* The list for what is in the table. 0 or -ENOMEM. */
int vlans_list(const VlanTable *table, Arena *arena, Value *ret);
/*
 * The next range at or behind `from` of which `counts` says yes (NULL: all that are there). False:
 * no more.
 */
bool vlans_next(const VlanTable *table, unsigned from,
                bool (*counts)(const VlanTable *table, unsigned vid, void *userdata),
                void *userdata, VlanRange *ret);
