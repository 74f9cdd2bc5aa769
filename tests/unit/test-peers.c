/* SPDX-License-Identifier: MIT */
/* A wireguard's peers: what is said of one, and what it does by itself. */

#include "settling.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define KEY "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

static Network *wanted_with(const char *peer) {
        _cleanup_(buf_deinit) Buf text = {}, problems = {};
        Network *wanted;

        buf_printf(&text, "interfaces: {wg0: {kind: wireguard, peers: [{public-key: " KEY "%s}]}}\n",
                   peer);
        wanted = settling_load(buf_text(&text), &problems);
        if (!wanted)
                fail_msg("%s", buf_text(&problems));
        return wanted;
}

/* Makes it so. How many requests that took. */
static size_t want(Settling *settling, const char *peer) {
        _cleanup_(network_freep) Network *wanted = wanted_with(peer);
        size_t sent;

        settling_run(settling, wanted);
        sent = settling->sent;
        assert_int_equal(settling->refused, 0);
        settling_run(settling, wanted);
        assert_int_equal(settling->sent, 0);
        return sent;
}

static Object *in_kernel(Settling *settling) {
        Link *link = network_find_path(kernel_fake_state(settling->fake), "wg0");
        Object *object = link ? link->objects : NULL;

        while (object && object->type != &object_wireguard_peer)
                object = object->next;
        assert_non_null(object);
        return object;
}

static size_t row_of(const char *key) {
        int row = schema_find(&object_wireguard_peer.schema, key);

        assert_true(row >= 0);
        return (size_t)row;
}

/* Somebody else's doing; NULL: it goes. */
static void meddle(Settling *settling, const char *key, const char *text) {
        Network *world = kernel_fake_state(settling->fake);
        ParseScope scope = {.arena = &world->arena, .netns = HOST};
        AttrSet *set = &in_kernel(settling)->set;
        size_t row = row_of(key);
        Value value;

        set->present &= ~ROW_BIT(row);
        if (!text)
                return;
        assert_int_equal(value_parse(schema_row(set->schema, row), &scope, text, &value), 0);
        attrset_set(set, row, value);
}

/* "": there is none. */
static void assert_row(Settling *settling, const char *key, const char *expected) {
        const AttrSet *set = &in_kernel(settling)->set;
        size_t row = row_of(key);
        _cleanup_(buf_deinit) Buf text = {};

        if (attrset_has(set, row))
                value_format(schema_row(set->schema, row), &set->values[row], &text);
        assert_string_equal(buf_text(&text), expected);
}

static int setup(void **state) {
        static Settling settling;

        settling_init(&settling);
        *state = &settling;
        return 0;
}

static int teardown(void **state) {
        settling_deinit(*state);
        return 0;
}

static void test_roams(void **state) {
        want(*state, ", endpoint: '192.0.2.1:51820'");
        assert_row(*state, "endpoint", "192.0.2.1:51820");
        meddle(*state, "endpoint", "198.51.100.7:4711");
        assert_int_equal(want(*state, ", endpoint: '192.0.2.1:51820'"), 0);
        assert_row(*state, "endpoint", "198.51.100.7:4711");
        /* Another place in the file is where it is to be. */
        assert_int_equal(want(*state, ", endpoint: '192.0.2.2:51820'"), 1);
        assert_row(*state, "endpoint", "192.0.2.2:51820");
        meddle(*state, "endpoint", "198.51.100.7:4711");
        assert_int_equal(want(*state, ""), 0);
        assert_int_equal(want(*state, ", endpoint: '192.0.2.2:51820'"), 1);
        assert_row(*state, "endpoint", "192.0.2.2:51820");
}

/* Whoever takes a peer away and adds it again has not said where it is: nor has it roamed. */
static void test_endpoint_is_lost(void **state) {
        want(*state, "");
        assert_int_equal(want(*state, ", endpoint: '192.0.2.1:51820'"), 1);
        assert_row(*state, "endpoint", "192.0.2.1:51820");
        meddle(*state, "endpoint", NULL);
        assert_int_equal(want(*state, ", endpoint: '192.0.2.1:51820'"), 1);
        assert_row(*state, "endpoint", "192.0.2.1:51820");
}

/* A change of something else leaves it where it went, and with the key that nobody speaks of. */
static void test_keeps_the_rest(void **state) {
        static const uint8_t key[SECRET_SIZE] = "somebody else's";

        want(*state, ", endpoint: '192.0.2.1:51820'");
        meddle(*state, "endpoint", "198.51.100.7:4711");
        attrset_set(&in_kernel(*state)->set, row_of("preshared-key-file"),
                    (Value){.secret = {.key = key}});
        assert_int_equal(want(*state, ", endpoint: '192.0.2.1:51820', persistent-keepalive: 5s"), 1);
        assert_row(*state, "persistent-keepalive", "5s");
        assert_row(*state, "endpoint", "198.51.100.7:4711");
        assert_row(*state, "preshared-key-file", "another key");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_roams, setup, teardown),
                cmocka_unit_test_setup_teardown(test_endpoint_is_lost, setup, teardown),
                cmocka_unit_test_setup_teardown(test_keeps_the_rest, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
