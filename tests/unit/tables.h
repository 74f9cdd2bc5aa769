/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * All tables of rows that there are, for what has to hold for each: a new kind is tested by
 * existing. Nothing in here knows a kind, and a failure names the table and the row.
 */

#include "mvnet/network.h"
#include "values.h"

#define NLA_MAX 256 /* above every number of an attribute */

typedef struct Table {
        const Schema *schema;
        const LinkKind *kind;     /* whose options or ports they are, or NULL */
        const ObjectType *object; /* likewise */
} Table;

typedef void TableTest(const Table *table);
typedef void RowTest(const Table *table, const Row *row);

extern const Row *current_row; /* which one is spoken of; a TableTest says so itself */
extern Random table_random;    /* $MVNET_SEED, once tables_begin() has told it */

void tables_begin(void);
/* Fails if there was anything to complain of. */
void foreach_table(TableTest *test);
void foreach_row(RowTest *test);

bool row_is_local(const Row *row); /* the kernel never hears of it */

/* Says so and goes on: one run shows all that is wrong with a new kind. */
void complain(const char *format, ...) _printf_(1, 2);

#define check(condition) \
        do { \
                if (!(condition)) \
                        complain("not so: %s", #condition); \
        } while (false)
