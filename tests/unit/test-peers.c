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

        buf_printf(&text, "interfaces: {wg0: {kind: wireguard, peers: [{public-key: %s%s}]}}\n",
                   KEY, peer);
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
        assert_int_equal(want(*state, ", endpoint: '192.0.2.1:51820', persistent-keepalive: 5s"),
                         1);
        assert_row(*state, "persistent-keepalive", "5s");
        assert_row(*state, "endpoint", "198.51.100.7:4711");
        assert_row(*state, "preshared-key-file", "another key");
}

/* Names. */

#define NAMED ", endpoint: 'Vpn.Example:51820'"

static void answer(Settling *settling, const char *netns, const char *addresses) {
        assert_int_equal(kernel_fake_host(settling->fake, netns, "vpn.example", addresses), 0);
}

static void assert_planned(Settling *settling, const char *peer, const char *expected) {
        _cleanup_(network_freep) Network *wanted = wanted_with(peer), *have = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_(buf_deinit) Buf text = {};

        assert_int_equal(settle_plan(settling->fake, wanted, store_record(settling->store), &have,
                                     &plan), 0);
        plan_format(plan, 0, &text);
        assert_string_equal(buf_text(&text), expected);
}

static void test_name(void **state) {
        answer(*state, HOST, "192.0.2.1 2001:db8::1");
        want(*state, NAMED);
        assert_row(*state, "endpoint", "192.0.2.1:51820");
        meddle(*state, "endpoint", "198.51.100.7:4711");
        assert_int_equal(want(*state, NAMED), 0);
        /* The same answer in another order, or none, is no reason to put it back. */
        answer(*state, HOST, "2001:db8::1 192.0.2.1");
        assert_int_equal(want(*state, NAMED), 0);
        answer(*state, HOST, "");
        assert_int_equal(want(*state, NAMED), 0);
        assert_row(*state, "endpoint", "198.51.100.7:4711");
        answer(*state, HOST, "2001:db8::1");
        assert_int_equal(want(*state, NAMED), 1);
        assert_row(*state, "endpoint", "[2001:db8::1]:51820");
        /* Another name is another place, be it the same. */
        meddle(*state, "endpoint", "198.51.100.7:4711");
        assert_int_equal(want(*state, ", endpoint: '[2001:db8::1]:51820'"), 1);
}

/* What is there already, whoever set it. */
static void test_name_of_what_is_there(void **state) {
        want(*state, ", endpoint: '192.0.2.2:51820'");
        answer(*state, HOST, "192.0.2.1 192.0.2.2");
        assert_int_equal(want(*state, NAMED), 0);
        assert_row(*state, "endpoint", "192.0.2.2:51820");
        answer(*state, HOST, "192.0.2.1 192.0.2.3");
        assert_int_equal(want(*state, NAMED), 1);
        assert_row(*state, "endpoint", "192.0.2.1:51820");
}

/* Everything else is set; a change of everything else does not wait, either. */
static void test_name_unknown(void **state) {
        _cleanup_(network_freep) Network *nobody = NULL;

        assert_planned(*state, NAMED, "+ wg0                 wireguard\n"
                                      "      peers: " KEY " endpoint vpn.example:51820\n"
                                      "Plan: 1 to create.\n");
        want(*state, NAMED ", allowed-ips: [10.0.0.0/8]");
        assert_row(*state, "endpoint", "");
        assert_row(*state, "allowed-ips", "[10.0.0.0/8]");
        assert_planned(*state, NAMED ", allowed-ips: [10.0.0.0/8]",
                       "? wg0                 wireguard waiting for vpn.example to resolve\n"
                       "Plan: 1 waiting.\n");
        /* Who only wants to know what would be done does not ask where that is. */
        assert_int_equal(network_new(&nobody), 0);
        assert_int_equal(kernel_resolve(((Settling *)*state)->fake, nobody), 0);
        assert_planned(*state, NAMED ", allowed-ips: [10.0.0.0/8]",
                       "~ wg0                 wireguard\n"
                       "      peers " KEY " endpoint: vpn.example:51820\n"
                       "Plan: 1 to change.\n");
        answer(*state, HOST, "");
        assert_int_equal(want(*state, NAMED ", allowed-ips: [10.0.0.0/9]"), 1);
        assert_row(*state, "endpoint", "");
        assert_row(*state, "allowed-ips", "[10.0.0.0/9]");
        answer(*state, HOST, "192.0.2.1");
        assert_int_equal(want(*state, NAMED ", allowed-ips: [10.0.0.0/9]"), 1);
        assert_row(*state, "endpoint", "192.0.2.1:51820");
        assert_row(*state, "allowed-ips", "[10.0.0.0/9]");
}

/* A link that is made anew forgets where its peers are; so does nobody else. */
static void test_name_after_loss(void **state) {
        Settling *settling = *state;
        Network *world = kernel_fake_state(settling->fake);

        answer(settling, HOST, "192.0.2.1");
        want(settling, NAMED);
        answer(settling, HOST, "");
        namespace_remove_link(network_find_path(world, "wg0"));
        want(settling, NAMED);
        assert_row(settling, "endpoint", "");
        answer(settling, HOST, "192.0.2.1");
        assert_int_equal(want(settling, NAMED), 1);
        assert_row(settling, "endpoint", "192.0.2.1:51820");
}

static void test_host_names(void **state _unused_) {
        static const char *const good[] = {
                "a", "vpn.example", "vpn.example.", "_x.a-b.c9", "1.example", "9a",
        };
        static const char *const bad[] = {
                "", ".", "a..b", ".a", "-a", "a-", "a b", "10.1", "300.1.1.1", "1", "a.0x10",
                "a.1.", "a/b", "a%b", "\xc3\xa4.example",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        };
        char text[HOST_NAME_SIZE + 1];

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(host_name_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(host_name_valid(bad[i]));
        for (size_t i = 0; i < sizeof(text); i++)
                text[i] = i % 2 ? '.' : 'a';
        text[HOST_NAME_SIZE] = '\0';
        assert_false(host_name_valid(text));
        text[HOST_NAME_SIZE - 1] = '\0';
        assert_true(host_name_valid(text));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_roams, settling_setup, settling_teardown),
                cmocka_unit_test_setup_teardown(test_endpoint_is_lost, settling_setup, settling_teardown),
                cmocka_unit_test_setup_teardown(test_keeps_the_rest, settling_setup, settling_teardown),
                cmocka_unit_test_setup_teardown(test_name, settling_setup, settling_teardown),
                cmocka_unit_test_setup_teardown(test_name_of_what_is_there, settling_setup, settling_teardown),
                cmocka_unit_test_setup_teardown(test_name_unknown, settling_setup, settling_teardown),
                cmocka_unit_test_setup_teardown(test_name_after_loss, settling_setup, settling_teardown),
                cmocka_unit_test(test_host_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
