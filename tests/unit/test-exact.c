/* SPDX-License-Identifier: MIT */
/*
 * Lists of objects that count as a whole once they are declared: what is there and not in them
 * goes. With a type of its own, so that it does not matter which real ones are like that.
 */

#include "settling.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const Row rows[] = {
        {.key = "name", .type = &attr_text, .change = CHANGE_KEY, .max = 15, .doc = "Who."},
        {.key = "weight", .type = &attr_u32, .def = "0", .doc = "How much."},
};

static const ObjectType friends = {
        .schema = {.name = "friends", .rows = rows, .n = ELEMENTSOF(rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_ON_LINK | OBJECT_EXACT,
        .message_get = 1,
        .doc = "Friends.",
};

static void add_friend(Link *link, const char *name, unsigned weight) {
        Object *object = link_add_object(link, &friends);

        assert_non_null(object);
        attrset_set(&object->set, 0, (Value){.text = name});
        attrset_set(&object->set, 1, (Value){.number = weight});
}

/* A bridge with these friends; NULL: the list is not declared. */
static Network *wanted_with(const char *const *names) {
        Network *network = settling_load("interfaces: {br0: {kind: bridge}}\n", NULL);
        Link *link = network_find_path(network, "br0");

        assert_non_null(link);
        if (names)
                assert_int_equal(link_declare(link, &friends, (Location){}), 0);
        for (; names && *names; names++)
                add_friend(link, *names, 1);
        return network;
}

static Link *in_kernel(Settling *settling) {
        return network_find_path(kernel_fake_state(settling->fake), "br0");
}

static void assert_friends(Settling *settling, const char *expected) {
        _cleanup_(buf_deinit) Buf text = {};

        for (const Object *object = in_kernel(settling)->objects; object; object = object->next)
                if (object->type == &friends)
                        buf_printf(&text, "%s ", object->set.values[0].text);
        assert_string_equal(buf_text(&text), expected);
        assert_int_equal(settling->refused, 0);
}

static void want(Settling *settling, const char *const *names) {
        _cleanup_(network_freep) Network *wanted = wanted_with(names);

        settling_run(settling, wanted);
        settling_run(settling, wanted);
        assert_int_equal(settling->sent, 0);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void test_surplus_goes(void **state) {
        want(*state, NAMES("a", "b"));
        assert_friends(*state, "a b ");
        add_friend(in_kernel(*state), "stranger", 7);
        want(*state, NAMES("a", "b"));
        assert_friends(*state, "a b ");
        want(*state, NAMES("b", "c"));
        assert_friends(*state, "b c ");
        want(*state, NAMES());
        assert_friends(*state, "");
        add_friend(in_kernel(*state), "stranger", 7);
        want(*state, NAMES());
        assert_friends(*state, "");
}

/* What we added goes, what was there or came in the meantime stays. */
static void test_dropped_list(void **state) {
        want(*state, NULL);
        add_friend(in_kernel(*state), "old", 1);
        want(*state, NULL);
        assert_friends(*state, "old ");
        want(*state, NAMES("old", "a"));
        add_friend(in_kernel(*state), "new", 1);
        want(*state, NULL);
        assert_friends(*state, "old new ");
}

static void test_shown(void **state) {
        _cleanup_(network_freep) Network *wanted = wanted_with(NAMES("a")), *have = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_(buf_deinit) Buf text = {};
        Settling *settling = *state;

        want(settling, NAMES());
        add_friend(in_kernel(settling), "stranger", 7);
        assert_int_equal(settle_plan(settling->fake, wanted, store_record(settling->store), &have,
                                     &plan), 0);
        plan_format(plan, 0, &text);
        assert_string_equal(buf_text(&text), "~ br0                 bridge\n"
                                             "      friends: stranger -> (none)\n"
                                             "      friends: a weight 1\n"
                                             "Plan: 1 to change.\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_surplus_goes, settling_setup, settling_teardown),
                cmocka_unit_test_setup_teardown(test_dropped_list, settling_setup, settling_teardown),
                cmocka_unit_test_setup_teardown(test_shown, settling_setup, settling_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
