/* SPDX-License-Identifier: MIT */
#include "tables.h"

#include "mvnet/vlans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

const Row *current_row;
Random table_random;
static const Schema *current_schema;
static size_t problems;

void complain(const char *format, ...) {
        va_list ap;

        print_error("%s%s%s: ", current_schema->name, current_row ? "." : "",
                    current_row ? current_row->key : "");
        va_start(ap, format);
        vprint_error(format, ap);
        va_end(ap);
        print_error("\n");
        problems++;
}

bool row_is_local(const Row *row) {
        return row->flags & ROW_LOCAL;
}

static void run_table(TableTest *test, const Table *table) {
        if (!table->schema->name)
                return;
        current_schema = table->schema;
        current_row = NULL;
        test(table);
}

void foreach_table(TableTest *test) {
        problems = 0;
        run_table(test, &(Table){.schema = &link_schema});
        run_table(test, &(Table){.schema = &match_schema});
        run_table(test, &(Table){.schema = &vlans_schema});
        for (size_t i = 0; i < link_kinds_n; i++) {
                const LinkKind *kind = link_kinds[i];

                run_table(test, &(Table){.schema = &kind->options, .kind = kind});
                run_table(test, &(Table){.schema = &kind->port, .kind = kind});
        }
        for (size_t i = 0; i < object_types_n; i++)
                run_table(test, &(Table){.schema = &object_types[i]->schema,
                                         .object = object_types[i]});
        assert_int_equal(problems, 0);
}

static RowTest *row_test;

static void run_rows(const Table *table) {
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                current_row = schema_row(table->schema, i);
                row_test(table, current_row);
        }
}

void foreach_row(RowTest *test) {
        row_test = test;
        foreach_table(run_rows);
}

void tables_begin(void) {
        uint64_t seed = random_seed(1);

        table_random.state = seed;
        print_message("MVNET_SEED=%llu\n", (unsigned long long)seed);
}
