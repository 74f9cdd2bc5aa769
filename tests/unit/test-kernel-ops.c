/* SPDX-License-Identifier: MIT */
/*
 * What the real kernel refuses is said with its row, moves keep names and numbers apart, and
 * deletions never take what they were not meant for.
 */

#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Moves. */

static void move(World *world, const char *netns, const char *name, Ref to) {
        add_op(world, OP_LINK_MOVE, netns, name)->to = to;
        apply_all(world);
}

static void test_move(void **state) {
        World *world = *state;
        Link *link = set(set(want(world, HOST, "v0", "veth"), "peer", "v1"), "state", "up");
        int ifindex;

        make_space(world, "ns1");
        make(world, link, NULL);
        look(world);
        ifindex = seen(world, "v0")->ifindex;
        /* By another name, while it is up. */
        move(world, HOST, "v0", (Ref){HOST, "w0"});
        look(world);
        assert_int_equal(seen(world, "w0")->ifindex, ifindex);
        assert_int_equal(link_state(seen(world, "w0")), LINK_STATE_UP);
        /* To where the old name is taken. */
        assert_int_equal(run("ip -n ns1 link add w0 type veth peer name w1"), 0);
        move(world, HOST, "w0", (Ref){"ns1", "x0"});
        look(world);
        assert_ref(ref_in(&seen(world, "ns1/x0")->options, "peer"), HOST, "v1");
        /* And back. */
        move(world, "ns1", "x0", (Ref){HOST, "v0"});
        assert_null(network_find_path(world->wanted, "ns1/x0"));
        look(world);
        assert_ref(ref_in(&seen(world, "v0")->options, "peer"), HOST, "v1");
}

static void test_move_refusals(void **state) {
        World *world = *state;
        Link *bridge = want(world, HOST, "br0", "bridge");
        Op *op;

        make_space(world, "ns1");
        make(world, bridge, NULL);
        op = add_op(world, OP_LINK_MOVE, HOST, "br0");
        op->to = (Ref){"ns1", "br0"};
        assert_int_equal(apply_one(world).error, -EINVAL);
        op = add_op(world, OP_LINK_MOVE, HOST, "br0");
        op->to = (Ref){"ns2", "br0"};
        assert_int_equal(apply_one(world).error, -ENOENT);
        op = add_op(world, OP_LINK_MOVE, HOST, "br0");
        op->to = (Ref){HOST, "lo"};
        assert_int_equal(apply_one(world).error, -EEXIST);
        assert_converged(world);
}

/* Names that change places within one call: no number may be remembered for the wrong one. */
static void test_swap(void **state) {
        World *world = *state;
        Link *a = set(set(want(world, HOST, "a", "veth"), "peer", "a1"), "mtu", "1001");
        Link *b = set(set(want(world, HOST, "b", "veth"), "peer", "b1"), "mtu", "1002");

        make(world, a, NULL);
        make(world, b, NULL);
        add_set(world, a, SECTION_COMMON, ROW_BIT(LINK_MTU));
        add_set(world, b, SECTION_COMMON, ROW_BIT(LINK_MTU));
        add_op(world, OP_LINK_MOVE, HOST, "a")->to = (Ref){HOST, "tmp"};
        add_op(world, OP_LINK_MOVE, HOST, "b")->to = (Ref){HOST, "a"};
        add_op(world, OP_LINK_MOVE, HOST, "tmp")->to = (Ref){HOST, "b"};
        set(a, "mtu", "1003"); /* values are read when the request is made */
        set(b, "mtu", "1004");
        add_set(world, a, SECTION_COMMON, ROW_BIT(LINK_MTU));
        add_set(world, b, SECTION_COMMON, ROW_BIT(LINK_MTU));
        apply_all(world);
        look(world);
        assert_int_equal(seen(world, "a")->common.values[LINK_MTU].number, 1003);
        assert_ref(ref_in(&seen(world, "a")->options, "peer"), HOST, "b1");
        assert_int_equal(seen(world, "b")->common.values[LINK_MTU].number, 1004);
}

/* Refusals. */

static void test_refused_row(void **state) {
        World *world = *state;
        Link *link = set(want(world, HOST, "v0", "veth"), "peer", "v1");
        OpResult result;

        make(world, link, NULL);
        /* By the offset in the kernel's answer … */
        set(set(link, "mtu", "65575"), "txqueuelen", "5");
        add_set(world, link, SECTION_COMMON, ROW_BIT(LINK_MTU) | ROW_BIT(LINK_TXQUEUELEN));
        result = apply_one(world);
        assert_int_equal(result.error, -EINVAL);
        assert_string_not_equal(result.message, "");
        /* … or because there was only one. */
        add_set(world, link, SECTION_COMMON, ROW_BIT(LINK_MTU));
        result = apply_one(world);
        assert_int_equal(result.error, -EINVAL);
        assert_string_equal(result.row->key, "mtu");
}

static void test_refused_refs(void **state) {
        World *world = *state;
        Link *link = set(set(want(world, HOST, "m0", "macvlan"), "mode", "bridge"), "parent",
                         "ns9/nothing");
        OpResult result;

        plan_link(world, link, NULL);
        result = apply_one(world);
        assert_int_equal(result.error, -ENOENT);
        assert_non_null(strstr(result.message, "ns9"));
        assert_string_equal(result.row->key, "parent");
        make_space(world, "ns9");
        plan_link(world, link, NULL);
        result = apply_one(world);
        assert_int_equal(result.error, -ENODEV);
        assert_non_null(strstr(result.message, "ns9/nothing"));
        assert_string_equal(result.row->key, "parent");
        look(world);
        assert_null(network_find_path(world->have, "m0"));
}

static void test_refused_create(void **state) {
        World *world = *state;
        Link *link = set(want(world, HOST, "v0", "veth"), "peer", "v1");
        Op *op;

        make(world, link, NULL);
        plan_link(world, link, NULL);
        assert_int_equal(apply_one(world).error, -EEXIST);
        /* A set never creates. */
        op = add_op(world, OP_LINK_SET, HOST, "gone");
        op->link = link;
        op->section = SECTION_COMMON;
        op->rows[SECTION_COMMON] = ROW_BIT(LINK_MTU);
        assert_int_equal(apply_one(world).error, -ENODEV);
        /* A missing namespace is said so; one operation's failure does not stop the next. */
        add_op(world, OP_LINK_DEL, "nowhere", "v0");
        add_op(world, OP_NETNS_ADD, "bad/name", "bad/name");
        add_op(world, OP_NETNS_DEL, "nowhere", "nowhere");
        add_op(world, OP_LINK_DEL, HOST, "v0");
        apply(world);
        world->n = 0;
        assert_int_equal(world->results[0].error, -ENOENT);
        assert_non_null(strstr(world->results[0].message, "nowhere"));
        assert_true(world->results[1].error < 0);
        assert_int_equal(world->results[2].error, 0);
        assert_int_equal(world->results[3].error, 0);
        look(world);
        assert_null(network_find_path(world->have, "v0"));
}

static void test_too_large(void **state) {
        World *world = *state;
        Link *link = want(world, HOST, "m0", "macvlan");
        Buf macs = {};
        OpResult result;

        make(world, set(want(world, HOST, "v0", "veth"), "peer", "v1"), NULL);
        for (unsigned i = 0; i < 4000; i++)
                buf_printf(&macs, "%s02:00:00:00:%02x:%02x", i ? ", " : "[", i >> 8, i & 0xff);
        buf_addc(&macs, ']');
        set(set(set(link, "mode", "source"), "parent", "v0"), "source-macs", buf_text(&macs));
        plan_link(world, link, NULL);
        result = apply_one(world);
        assert_int_equal(result.error, -EMSGSIZE);
        look(world);
        assert_null(network_find_path(world->have, "m0"));
        buf_deinit(&macs);
}

/* Deletions. */

static void test_delete_many(void **state) {
        enum { N = 1000 };
        World *world = *state;
        static char names[N][16];
        uint64_t writes;

        make(world, set(want(world, HOST, "base", "veth"), "peer", "base1"), NULL);
        for (int i = 0; i < N; i++) {
                snprintf(names[i], sizeof(names[i]), "m%d", i);
                plan_link(world, set(set(want(world, HOST, names[i], "macvlan"), "mode", "bridge"),
                                     "parent", "base"), NULL);
        }
        apply_all(world);
        assert_converged(world);
        /* With a stranger in the group, it stays, and so does its group. */
        assert_int_equal(run("ip link add foreign type veth peer name foreign1 && "
                             "ip link set foreign group %d", LINK_GROUP_DOOMED), 0);
        for (int i = 0; i < 20; i++)
                add_op(world, OP_LINK_DEL, HOST, names[i]);
        apply_all(world);
        look(world);
        assert_int_equal(seen(world, "foreign")->common.values[LINK_GROUP].number,
                         LINK_GROUP_DOOMED);
        assert_null(network_find_path(world->have, names[0]));
        assert_non_null(network_find_path(world->have, names[20]));
        assert_int_equal(run("ip link set foreign group 0"), 0);
        /* Without, one request takes all of them. */
        writes = world->kernel->writes;
        for (int i = 0; i < N; i++)
                add_op(world, OP_LINK_DEL, HOST, names[i]);
        apply_all(world);
        assert_int_equal(world->kernel->writes - writes, N - 20 + 1);
        look(world);
        for (int i = 0; i < N; i++)
                assert_null(network_find_path(world->have, names[i]));
        assert_non_null(seen(world, "base"));
        assert_non_null(seen(world, "foreign"));
}

static void test_delete_gone(void **state) {
        World *world = *state;
        Link *pair;

        make_space(world, "ns1");
        pair = set(want(world, HOST, "v0", "veth"), "peer", "ns1/v1");
        make(world, pair, NULL);
        make(world, set(want(world, HOST, "w0", "veth"), "peer", "w1"), NULL);
        make(world, set(set(want(world, "ns1", "m0", "macvlan"), "mode", "bridge"), "parent",
                        "host/w0"), NULL);
        /* Far ends and children that have gone with another are gone, not failed. */
        add_op(world, OP_LINK_DEL, HOST, "v0");
        add_op(world, OP_LINK_DEL, "ns1", "v1");
        add_op(world, OP_LINK_DEL, HOST, "w0");
        add_op(world, OP_LINK_DEL, HOST, "w1");
        add_op(world, OP_LINK_DEL, "ns1", "m0");
        add_op(world, OP_LINK_DEL, HOST, "never");
        apply_all(world);
        look(world);
        assert_int_equal(HASH_COUNT(network_find_namespace(world->have, HOST)->links), 1);
        assert_int_equal(HASH_COUNT(network_find_namespace(world->have, "ns1")->links), 1);
}

/* One that cannot go fails by itself, the others go, and it does not stay doomed. */
static void test_delete_refused(void **state) {
        World *world = *state;

        make(world, set(want(world, HOST, "v0", "veth"), "peer", "v1"), NULL);
        make(world, want(world, HOST, "br0", "bridge"), NULL);
        add_op(world, OP_LINK_DEL, HOST, "v0");
        add_op(world, OP_LINK_DEL, HOST, "lo");
        add_op(world, OP_LINK_DEL, HOST, "br0");
        apply(world);
        world->n = 0;
        assert_int_equal(world->results[0].error, 0);
        assert_int_equal(world->results[1].error, -EOPNOTSUPP);
        assert_int_equal(world->results[2].error, 0);
        look(world);
        assert_int_equal(HASH_COUNT(network_find_namespace(world->have, HOST)->links), 1);
        assert_int_not_equal(seen(world, "lo")->common.values[LINK_GROUP].number,
                             LINK_GROUP_DOOMED);
        assert_int_equal(run("ip link set lo group 0"), 0);
}

/* By number, and made again under the same name in the same call. */
static void test_recreate(void **state) {
        World *world = *state;
        Link *link = set(want(world, HOST, "v0", "veth"), "peer", "v1");
        int ifindex;
        Op *op;

        make(world, link, NULL);
        look(world);
        ifindex = seen(world, "v0")->ifindex;
        add_set(world, set(link, "mtu", "1000"), SECTION_COMMON, ROW_BIT(LINK_MTU));
        op = add_op(world, OP_LINK_DEL, HOST, "v0");
        op->ifindex = ifindex;
        plan_link(world, link, NULL);
        add_set(world, link, SECTION_COMMON, ROW_BIT(LINK_MTU));
        apply_all(world);
        assert_converged(world);
        assert_int_not_equal(seen(world, "v0")->ifindex, ifindex);
        /* A number that is no more is done with. */
        op = add_op(world, OP_LINK_DEL, HOST, "v0");
        op->ifindex = ifindex;
        apply_all(world);
        assert_converged(world);
}

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_move),
                T(test_move_refusals),
                T(test_swap),
                T(test_refused_row),
                T(test_refused_refs),
                T(test_refused_create),
                T(test_too_large),
                T(test_delete_many),
                T(test_delete_gone),
                T(test_delete_refused),
                T(test_recreate),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
