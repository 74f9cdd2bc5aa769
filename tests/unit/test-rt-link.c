/* SPDX-License-Identifier: MIT */
/*
 * The tables of the kinds against the kernel's own list, rt-link.txt: an attribute is a row of the
 * right type or there is a reason why not, and no row has a number that the kernel does not know.
 */

#include "mvnet/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define ATTRIBUTES_MAX 128

typedef struct Attribute {
        char set[32], name[48], type[16];
        unsigned number;
        bool excused;
} Attribute;

/* false at the end of the file; comments are skipped. */
static bool read_attribute(FILE *file, Attribute *ret) {
        char line[256];
        int end = 0;

        do
                if (!fgets(line, sizeof(line), file))
                        return false;
        while (*line == '#');
        *ret = (Attribute){};
        if (sscanf(line, "%31s %u %47s %15s%n", ret->set, &ret->number, ret->name, ret->type,
                   &end) != 4)
                fail_msg("not an attribute: %s", line);
        ret->excused = strncmp(line + end, " - ", 3) == 0;
        if (!ret->excused && line[end] != '\n')
                fail_msg("not a reason: %s", line);
        return true;
}

static const Schema *find_set(const char *name) {
        const LinkKind *kind = link_kind_find(name);
        const Schema *schema = kind ? &kind->options : link_kind_port_schema(name);

        if (!schema)
                fail_msg("there is no kind or port called %s", name);
        return schema;
}

static const Row *find_row(const Schema *schema, unsigned number) {
        for (size_t i = 0; i < schema_size(schema); i++)
                if (schema_row(schema, i)->nla == number || schema_row(schema, i)->nla2 == number)
                        return schema_row(schema, i);
        return NULL;
}

/* Types that are more than a number (addresses, lists, structs) are told by no width. */
static void check_type(const Attribute *attribute, const AttrType *type) {
        static const struct {
                const char *name;
                uint8_t size;
                bool big_endian;
        } widths[] = {
                {"u8", 1, false}, {"u16", 2, false}, {"be16", 2, true}, {"u32", 4, false},
                {"s32", 4, false}, {"be32", 4, true}, {"u64", 8, false},
        };

        for (size_t i = 0; i < ELEMENTSOF(widths); i++) {
                if (!streq(attribute->type, widths[i].name) || !type->size)
                        continue;
                if (type->size != widths[i].size || type->big_endian != widths[i].big_endian)
                        fail_msg("%s %s is a %s", attribute->set, attribute->name, attribute->type);
        }
}

static void check_attribute(const Attribute *attribute) {
        const Row *row = find_row(find_set(attribute->set), attribute->number);

        if (!row && !attribute->excused)
                fail_msg("%s has no row for %u, %s", attribute->set, attribute->number,
                         attribute->name);
        if (row && attribute->excused)
                fail_msg("%s %s is a row: there is nothing to excuse", attribute->set,
                         attribute->name);
        if (row && row->nla == attribute->number)
                check_type(attribute, row->type);
}

/* The rows of a set that the list has not named. */
static void check_unlisted(const char *set, const bool *listed) {
        const Schema *schema = find_set(set);

        for (size_t i = 0; i < schema_size(schema); i++) {
                const Row *row = schema_row(schema, i);

                if (row->nla >= ATTRIBUTES_MAX || (row->nla && !listed[row->nla]))
                        fail_msg("%s: the kernel has no %u, which is %s", set, row->nla, row->key);
                if (row->nla2 >= ATTRIBUTES_MAX || (row->nla2 && !listed[row->nla2]))
                        fail_msg("%s: the kernel has no %u, which is %s", set, row->nla2, row->key);
        }
}

static FILE *open_list(void) {
        FILE *file = fopen(RT_LINK, "re");

        if (!file)
                fail_msg("%s can't be read", RT_LINK);
        return file;
}

static void test_attributes(_unused_ void **state) {
        FILE *file = open_list();
        Attribute attribute;
        char set[32] = "";
        bool listed[ATTRIBUTES_MAX] = {};
        size_t n = 0;

        for (; read_attribute(file, &attribute); n++) {
                if (!streq(set, attribute.set)) {
                        if (*set)
                                check_unlisted(set, listed);
                        memcpy(set, attribute.set, sizeof(set));
                        memset(listed, 0, sizeof(listed));
                }
                assert_in_range(attribute.number, 1, ATTRIBUTES_MAX - 1);
                assert_false(listed[attribute.number]);
                listed[attribute.number] = true;
                check_attribute(&attribute);
        }
        check_unlisted(set, listed);
        assert_true(n > 0);
        fclose(file);
}

/* Everybody with rows of their own is in the list. */
static void check_listed(const Schema *schema) {
        FILE *file = open_list();
        Attribute attribute;
        bool found = false;

        while (read_attribute(file, &attribute))
                found |= streq(attribute.set, schema->name);
        fclose(file);
        if (!found)
                fail_msg("%s is not in the list", schema->name);
}

static bool has_numbers(const Schema *schema) {
        for (size_t i = 0; i < schema->n; i++)
                if (schema->rows[i].nla && row_told_by(&schema->rows[i]) == TRANSPORT_RTNL)
                        return true;
        return false;
}

static void test_kinds(_unused_ void **state) {
        for (size_t i = 0; i < link_kinds_n; i++) {
                if (has_numbers(&link_kinds[i]->options) && !link_kinds[i]->like)
                        check_listed(&link_kinds[i]->options);
                if (has_numbers(&link_kinds[i]->port) && !link_kinds[i]->like)
                        check_listed(&link_kinds[i]->port);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_attributes),
                cmocka_unit_test(test_kinds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
