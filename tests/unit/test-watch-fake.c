/* SPDX-License-Identifier: MIT */
/* The fake kernel's news are like the real one's: tests of what is made of them rely on it. */

#include "world.h"

#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct Fake {
        World world;
        int fd;
        KernelNews news;
        size_t meddled;
} Fake;

static int fake_setup(void **state) {
        Fake *fake = calloc(1, sizeof(Fake));

        assert_non_null(fake);
        assert_int_equal(kernel_fake_new(&fake->world.kernel), 0);
        assert_int_equal(network_new(&fake->world.wanted), 0);
        assert_int_equal(kernel_watch(fake->world.kernel, &fake->fd), 0);
        *state = fake;
        return 0;
}

static int fake_teardown(void **state) {
        Fake *fake = *state;

        kernel_free(fake->world.kernel);
        network_free(fake->world.wanted);
        network_free(fake->world.have);
        free(fake);
        return 0;
}

static bool is_readable(const Fake *fake) {
        struct pollfd pollfd = {.fd = fake->fd, .events = POLLIN};

        return poll(&pollfd, 1, 0) == 1;
}

static size_t notice(Fake *fake) {
        assert_int_equal(kernel_notice(fake->world.kernel, 0, &fake->news), 0);
        return fake->news.n_touched;
}

static Link *there(Fake *fake, const char *path) {
        Link *link = network_find_path(kernel_fake_state(fake->world.kernel), path);

        assert_non_null(link);
        return link;
}

static Op mtu_op(Fake *fake, const char *mtu) {
        Link *link = set(want(&fake->world, HOST, "br0", "bridge"), "mtu", mtu);
        Op op = {.type = OP_LINK_SET, .netns = HOST, .name = "br0", .link = link};

        op.rows[SECTION_COMMON] = ROW_BIT(LINK_MTU);
        return op;
}

static OpResult send_op(Fake *fake, const Op *op) {
        fake->world.ops[fake->world.n++] = *op;
        return apply_one(&fake->world);
}

static void test_touch(void **state) {
        Fake *fake = *state;
        World *world = &fake->world;

        make(world, want(world, HOST, "br0", "bridge"), NULL);
        look(world);
        notice(fake);
        kernel_fake_touch(world->kernel, HOST, 7);
        kernel_fake_touch(world->kernel, HOST, 7);
        kernel_fake_touch(world->kernel, HOST, 8);
        kernel_fake_touch(world->kernel, "elsewhere", 9);
        assert_true(is_readable(fake));
        assert_int_equal(notice(fake), 2);
        assert_int_equal(fake->news.events, 3);
        assert_string_equal(fake->news.touched[0].netns, HOST);
        assert_int_equal(fake->news.touched[0].ifindex, 7);
        assert_int_equal(fake->news.touched[1].ifindex, 8);
        assert_false(is_readable(fake));
        /* Until a dump has shown it. */
        assert_int_equal(notice(fake), 2);
        assert_int_equal(fake->news.events, 0);
        look(world);
        assert_int_equal(notice(fake), 0);
        for (int i = 1; i < 100; i++)
                kernel_fake_touch(world->kernel, HOST, i);
        assert_int_equal(notice(fake), 1);
        assert_int_equal(fake->news.touched[0].ifindex, 0);
        /* What comes into the scope is watched from then on; what is glanced at never. */
        space_of(world->wanted, "elsewhere");
        space_of(world->wanted, "seen")->glance = true;
        look(world);
        assert_false(is_readable(fake));
        kernel_fake_touch(world->kernel, "elsewhere", 0);
        kernel_fake_touch(world->kernel, "seen", 0);
        assert_int_equal(notice(fake), 1);
        assert_string_equal(fake->news.touched[0].netns, "elsewhere");
}

static void test_own_requests(void **state) {
        Fake *fake = *state;
        Op op = mtu_op(fake, "1400");

        make(&fake->world, want(&fake->world, HOST, "br0", "bridge"), NULL);
        look(&fake->world);
        notice(fake);
        assert_int_equal(send_op(fake, &op).error, 0);
        assert_true(is_readable(fake));
        assert_int_equal(notice(fake), 1);
        assert_int_equal(fake->news.touched[0].ifindex, there(fake, "br0")->ifindex);
        look(&fake->world);
        assert_int_equal(notice(fake), 0);
}

static void undo(void *userdata, Kernel *kernel) {
        Fake *fake = userdata;
        Link *link = network_find_path(kernel_fake_state(kernel), "br0");

        fake->meddled++;
        if (!link)
                return;
        attrset_set(&link->common, LINK_MTU, (Value){.number = 1300});
        kernel_fake_touch(kernel, HOST, link->ifindex);
}

static void test_saw(void **state) {
        Fake *fake = *state;
        World *world = &fake->world;
        Link *link = want(world, HOST, "br0", "bridge");
        Op op, add = {.type = OP_LINK_ADD, .netns = HOST, .name = "br0", .link = link};

        assert_false(kernel_saw(world->kernel, &add));
        make(world, link, NULL);
        assert_true(kernel_saw(world->kernel, &add));
        op = mtu_op(fake, "1400");
        assert_false(kernel_saw(world->kernel, &op));
        send_op(fake, &op);
        assert_true(kernel_saw(world->kernel, &op));

        /* Undone. */
        kernel_fake_meddle(world->kernel, undo, fake);
        op = mtu_op(fake, "1401");
        send_op(fake, &op);
        assert_int_equal(fake->meddled, 1);
        assert_int_equal(there(fake, "br0")->common.values[LINK_MTU].number, 1300);
        assert_true(kernel_saw(world->kernel, &op));
        op = mtu_op(fake, "1300");
        assert_false(kernel_saw(world->kernel, &op));
        kernel_fake_meddle(world->kernel, NULL, NULL);

        /* Ignored; refused. */
        op = mtu_op(fake, "1402");
        kernel_fake_fail(world->kernel, 1, 0);
        assert_int_equal(send_op(fake, &op).error, 0);
        assert_false(kernel_saw(world->kernel, &op));
        kernel_fake_fail(world->kernel, 1, -12);
        assert_int_equal(send_op(fake, &op).error, -12);
        assert_false(kernel_saw(world->kernel, &op));
        assert_int_equal(fake->meddled, 1);

        op = (Op){.type = OP_LINK_DEL, .netns = HOST, .name = "br0"};
        assert_false(kernel_saw(world->kernel, &op));
        send_op(fake, &op);
        assert_true(kernel_saw(world->kernel, &op));
}

static void test_saw_objects(void **state) {
        Fake *fake = *state;
        World *world = &fake->world;
        Link *link = want(world, HOST, "br0", "bridge");
        const ObjectType *const types[] = {&object_address, &object_altname};
        Op op = {.netns = HOST, .name = "br0", .link = link};

        make(world, link, NULL);
        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                op.object = i == 0 ? put_on(link, types[i], "address", "10.0.0.1/24", NULL)
                                   : put_on(link, types[i], "name", "another", NULL);
                op.object_rows = op.object->set.present;
                op.type = OP_OBJECT_ADD;
                assert_false(kernel_saw(world->kernel, &op));
                assert_int_equal(send_op(fake, &op).error, 0);
                assert_true(kernel_saw(world->kernel, &op));
                op.type = OP_OBJECT_DEL;
                assert_false(kernel_saw(world->kernel, &op));
                assert_int_equal(send_op(fake, &op).error, 0);
                assert_true(kernel_saw(world->kernel, &op));
        }
        op.type = OP_OBJECT_SET;
        op.object = put_on(link, &object_link_sysctl, "key", "ipv4.arp_ignore", "value", "1", NULL);
        send_op(fake, &op);
        assert_false(kernel_saw(world->kernel, &op));
}

static void test_unwatched(void **state) {
        Fake *fake = *state;
        Kernel *kernel = NULL;
        KernelNews news;

        assert_int_equal(kernel_fake_new(&kernel), 0);
        kernel_fake_touch(kernel, HOST, 1);
        assert_int_equal(kernel_notice(kernel, 0, &news), 0);
        assert_int_equal(news.n_touched + news.events, 0);
        kernel_forget(kernel);
        kernel_free(fake->world.kernel);
        fake->world.kernel = kernel;
        make(&fake->world, want(&fake->world, HOST, "br0", "bridge"), NULL);
        assert_false(kernel_saw(kernel, &(Op){.type = OP_LINK_ADD, .netns = HOST, .name = "br0"}));
}

#define T(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_touch),
                T(test_own_requests),
                T(test_saw),
                T(test_saw_objects),
                T(test_unwatched),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
