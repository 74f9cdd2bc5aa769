/* SPDX-License-Identifier: MIT */
/*
 * Namespaces come, go, and are replaced while they are watched. That is told at once, nothing of
 * ours keeps one alive whose name is gone, and no descriptor is left.
 */

#include "kernel/netlink.h"
#include "listener.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DEATH_MS 30000u

static Namespace *space_at(Listener *listener, const char *name) {
        return network_find_namespace(listener->world.have, name);
}

/* As an event loop would: who holds the far end's namespace has to hear of its end to let go. */
static void await_death(Listener *listener, const char *link) {
        uint64_t deadline = clock_ms() + DEATH_MS;

        while (if_nametoindex(link)) {
                if (clock_ms() > deadline)
                        fail_msg("%s is still there", link);
                wait_readable(listener, 100);
                notice(listener);
        }
}

/* A namespace with a link whose far end is here: it goes when nothing holds that namespace. */
static void make_ended(const char *name, const char *here) {
        assert_int_equal(run("ip netns add %s && ip link add %s type veth peer name e0 netns %s",
                             name, here, name), 0);
}

static void test_deleted(void **state) {
        Listener *listener = *state;
        size_t before;

        look(&listener->world);
        before = count_descriptors();
        make_ended("ns1", "v0");
        space_of(listener->world.wanted, "ns1");
        look(&listener->world);
        assert_true(count_descriptors() > before);
        assert_int_equal(run("ip netns del ns1"), 0);
        await_touch(listener, "ns1", 0);
        assert_int_equal(count_descriptors(), before);
        await_death(listener, "v0");
        assert_as_fresh(listener);
        assert_false(space_at(listener, "ns1")->exists);
        assert_int_equal(count_descriptors(), before);
}

/* Nobody calls for news, a dump finds out as well. */
static void test_deleted_unheard(void **state) {
        Listener *listener = *state;

        make_ended("ns1", "v0");
        space_of(listener->world.wanted, "ns1");
        look(&listener->world);
        assert_int_equal(run("ip netns del ns1"), 0);
        look(&listener->world);
        assert_false(space_at(listener, "ns1")->exists);
        await_death(listener, "v0");
}

/* Only the name is unmounted, and stays. */
static void test_unmounted(void **state) {
        Listener *listener = *state;

        make_ended("ns1", "v0");
        space_of(listener->world.wanted, "ns1");
        look(&listener->world);
        assert_int_equal(umount2(RUN "/ns1", MNT_DETACH), 0);
        await_touch(listener, "ns1", 0);
        await_death(listener, "v0");
        look(&listener->world);
        assert_false(space_at(listener, "ns1")->exists);
        assert_true(space_at(listener, "ns1")->dead);
        assert_int_equal(run("unshare -n mount --bind /proc/self/ns/net " RUN "/ns1"), 0);
        await_touch(listener, "ns1", 0);
        assert_as_fresh(listener);
        assert_true(space_at(listener, "ns1")->exists);
}

/* Another one under the same name; its number may be that of the former. */
static void test_replaced(void **state) {
        Listener *listener = *state;

        make_ended("ns1", "v0");
        space_of(listener->world.wanted, "ns1");
        for (unsigned i = 0; i < 20; i++) {
                uint64_t cookie;

                look(&listener->world);
                cookie = space_at(listener, "ns1")->cookie;
                assert_true(space_at(listener, "ns1")->exists);
                assert_int_equal(run("ip netns del ns1; ip netns add ns1"), 0);
                if (i % 2)
                        await_touch(listener, "ns1", 0);
                look(&listener->world);
                assert_int_not_equal(space_at(listener, "ns1")->cookie, cookie);
                assert_int_equal(run("ip -n ns1 link add b%u type bridge", i), 0);
                await_touch(listener, "ns1", 0);
                assert_as_fresh(listener);
        }
        await_death(listener, "v0");
}

/* By ourselves, with what we hold of it. */
static void test_deleted_by_us(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;

        for (unsigned i = 0; i < 3; i++) {
                make_ended("ns1", "v0");
                space_of(world->wanted, "ns1");
                look(world);
                add_op(world, OP_NETNS_DEL, "ns1", "ns1");
                if (i == 1) {
                        add_op(world, OP_NETNS_ADD, "ns1", "ns1");
                        add_op(world, OP_NETNS_DEL, "ns1", "ns1");
                }
                apply_all(world);
                await_death(listener, "v0");
                assert_as_fresh(listener);
        }
}

static void test_appears(void **state) {
        Listener *listener = *state;

        space_of(listener->world.wanted, "late");
        look(&listener->world);
        assert_false(space_at(listener, "late")->exists);
        notice(listener);
        assert_int_equal(listener->news.again_ms, 0);
        assert_int_equal(run("ip netns add other"), 0); /* nobody's business */
        wait_readable(listener, 0);
        notice(listener);
        assert_int_equal(listener->news.n_touched, 0);
        assert_int_equal(run("ip netns add late"), 0);
        await_touch(listener, "late", 0);
        assert_as_fresh(listener);
        assert_true(space_at(listener, "late")->exists);
}

/* The folder of names is not there yet, and is mounted upon later. */
static void test_folder_appears(void **state) {
        Listener listener = {};
        World *world = &listener.world;

        (void)state;
        assert_int_equal(kernel_new("/run/elsewhere", &world->kernel), 0);
        assert_int_equal(kernel_watch(world->kernel, &listener.fd), 0);
        assert_int_equal(network_new(&world->wanted), 0);
        listener.outer = listener.fd;
        space_of(world->wanted, "ns1");
        look(world);
        assert_false(space_at(&listener, "ns1")->exists);
        assert_int_equal(run("mkdir /run/elsewhere && touch /run/elsewhere/ns1"), 0);
        notice(&listener);
        assert_true(is_told(&listener, "ns1", 0));
        look(world);
        assert_true(space_at(&listener, "ns1")->dead);
        assert_int_equal(run("rm /run/elsewhere/ns1"), 0);
        notice(&listener);
        assert_true(is_told(&listener, "ns1", 0));
        look(world);
        assert_false(space_at(&listener, "ns1")->dead);
        assert_int_equal(netns_create("/run/elsewhere", "ns1", 0, NULL), 0);
        notice(&listener);
        assert_true(is_told(&listener, "ns1", 0));
        look(world);
        assert_true(space_at(&listener, "ns1")->exists);
        assert_int_equal(mount("tmpfs", "/run/elsewhere", "tmpfs", 0, NULL), 0);
        notice(&listener);
        assert_true(is_told(&listener, "ns1", 0));
        look(world);
        assert_false(space_at(&listener, "ns1")->exists);
        assert_int_equal(run("touch /run/elsewhere/ns1"), 0);
        notice(&listener);
        assert_true(is_told(&listener, "ns1", 0));
        look(world);
        assert_true(space_at(&listener, "ns1")->dead);
        kernel_free(world->kernel);
        network_free(world->wanted);
        network_free(world->have);
        assert_int_equal(run("umount -l /run/elsewhere; umount -l /run/elsewhere/ns1;"
                             "umount -l /run/elsewhere; rm -rf /run/elsewhere"), 0);
}

static void add_path(Listener *listener, const char *path) {
        Namespace *netns = network_add_namespace(listener->world.wanted, "path", NETNS_PATH);

        assert_non_null(netns);
        netns->path = path;
}

static void test_path(void **state) {
        Listener *listener = *state;

        make_ended("ns1", "v0");
        assert_int_equal(run("touch /run/mine"), 0);
        add_path(listener, "/run/mine");
        look(&listener->world);
        assert_false(space_at(listener, "path")->exists);
        assert_int_equal(run("mount --bind " RUN "/ns1 /run/mine && ip netns del ns1"), 0);
        await_touch(listener, "path", 0);
        assert_as_fresh(listener);
        assert_true(space_at(listener, "path")->exists);
        notice(listener);
        assert_int_equal(listener->news.again_ms, 0);
        assert_int_equal(run("umount -l /run/mine"), 0);
        await_touch(listener, "path", 0);
        await_death(listener, "v0");
        assert_as_fresh(listener);
        assert_false(space_at(listener, "path")->exists);
        unlink("/run/mine");
}

/* The same name, and another path in the file. */
static void test_path_changes(void **state) {
        Listener *listener = *state;
        Namespace *netns;

        make_ended("ns1", "v0");
        make_ended("ns2", "v1");
        add_path(listener, RUN "/ns1");
        assert_as_fresh(listener);
        netns = network_find_namespace(listener->world.wanted, "path");
        netns->path = RUN "/ns2";
        assert_as_fresh(listener);
        assert_int_equal(run("ip netns del ns1"), 0);
        await_death(listener, "v0");
        assert_as_fresh(listener);
        assert_true(space_at(listener, "path")->exists);
        netns->type = NETNS_NAMED;
        netns->path = NULL;
        assert_as_fresh(listener);
        assert_false(space_at(listener, "path")->exists);
        assert_int_equal(run("ip netns del ns2"), 0);
        await_death(listener, "v1");
}

/* A child with a namespace of its own. */
static pid_t start_child(void) {
        int pipes[2];
        char byte = 0;
        pid_t child;

        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
                if (unshare(CLONE_NEWNET) == 0 && write(pipes[1], &byte, 1) == 1)
                        pause();
                _exit(1);
        }
        assert_int_equal(read(pipes[0], &byte, 1), 1);
        close(pipes[0]);
        close(pipes[1]);
        return child;
}

static void end_child(pid_t child) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
}

/* Nobody tells of such a path: it is looked at. */
static void test_silent_path(void **state) {
        Listener *listener = *state;
        pid_t child = start_child();
        char path[64];

        snprintf(path, sizeof(path), "/run/link");
        add_path(listener, path);
        look(&listener->world);
        notice(listener);
        assert_in_range(listener->news.again_ms, 1, 2000);
        assert_int_equal(run("ln -s /proc/%d/ns/net /run/link", child), 0);
        await_touch(listener, "path", 0);
        look(&listener->world);
        assert_true(space_at(listener, "path")->exists);
        notice(listener);
        assert_in_range(listener->news.again_ms, 1, 2000);
        assert_int_equal(run("ip link add v0 type veth peer name e0 netns %d", child), 0);
        await_touch(listener, "path", 0);
        assert_as_fresh(listener);
        end_child(child);
        await_touch(listener, "path", 0);
        await_death(listener, "v0");
        assert_as_fresh(listener);
        assert_false(space_at(listener, "path")->exists);
        unlink("/run/link");
}

static void test_process(void **state) {
        Listener *listener = *state;
        pid_t child = start_child();
        Namespace *netns = network_add_namespace(listener->world.wanted, "process", NETNS_PID);
        size_t before;

        look(&listener->world);
        before = count_descriptors();
        netns->pid = child;
        assert_int_equal(run("ip link add v0 type veth peer name e0 netns %d", child), 0);
        assert_as_fresh(listener);
        assert_true(space_at(listener, "process")->exists);
        notice(listener);
        assert_int_equal(listener->news.again_ms, 0);
        assert_false(wait_readable(listener, 0));
        end_child(child);
        await_touch(listener, "process", 0);
        assert_int_equal(count_descriptors(), before);
        await_death(listener, "v0");
        assert_as_fresh(listener);
        assert_false(space_at(listener, "process")->exists);
        notice(listener);
        assert_in_range(listener->news.again_ms, 1, 2000);
}

/* What is looked into for once, or not wanted any more, is not held. */
static void test_not_held(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Network *wide = NULL, *have = NULL;
        size_t before;

        look(world);
        before = count_descriptors();
        make_ended("glance", "v0");
        make_ended("former", "v1");
        assert_int_equal(network_new(&wide), 0);
        space_of(wide, "former");
        assert_int_equal(kernel_survey(world->kernel, wide), 0);
        assert_true(network_find_namespace(wide, "glance")->glance);
        assert_false(network_find_namespace(wide, "former")->glance);
        assert_int_equal(kernel_dump(world->kernel, wide, &have), 0);
        assert_true(network_find_namespace(have, "glance")->exists);
        assert_int_equal(count_descriptors(), before + 1);
        notice(listener);
        assert_int_equal(listener->news.n_touched, 0);
        look(world);
        assert_int_equal(count_descriptors(), before);
        assert_int_equal(run("ip netns del glance; ip netns del former"), 0);
        await_death(listener, "v0");
        await_death(listener, "v1");
        network_free(wide);
        network_free(have);
}

static void test_descriptors(void **state) {
        Listener *listener = *state;
        size_t before = 0;

        for (unsigned i = 0; i < 30; i++) {
                assert_int_equal(run("ip netns add ns%u", i), 0);
                if (i < 5) {
                        char name[8];

                        snprintf(name, sizeof(name), "ns%u", i);
                        space_of(listener->world.wanted, name);
                }
                assert_int_equal(run("ip netns del ns%u; ip netns add ns%u", i % 5, i % 5), 0);
                if (i % 3 == 0)
                        kernel_forget(listener->world.kernel);
                notice(listener);
                look(&listener->world);
                if (i == 10)
                        before = count_descriptors();
        }
        assert_int_equal(count_descriptors(), before);
}

static void allow_descriptors(size_t n) {
        struct rlimit limit;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = MIN(n, limit.rlim_max);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* How many namespaces could be read with so many more descriptors, and how many be watched. */
static void read_with_few(Listener *listener, size_t more, size_t *ret_read, size_t *ret_watched) {
        World *world = &listener->world;

        listener_renew(listener);
        allow_descriptors(count_descriptors() + more);
        *ret_read = *ret_watched = 0;
        if (kernel_dump(world->kernel, world->wanted, &world->have) < 0)
                return;
        for (Namespace *netns = world->have->namespaces; netns; netns = netns->hh.next) {
                assert_int_equal(netns->exists, !netns->reason);
                *ret_read += netns->exists;
        }
        *ret_watched = HASH_COUNT(world->have->namespaces);
        notice(listener);
        if (listener->news.again_ms == 0)
                return;
        assert_in_range(listener->news.again_ms, 1, 1000);
        assert_int_equal(kernel_notice(world->kernel, clock_ms() + listener->news.again_ms,
                                       &listener->news), 0);
        *ret_watched -= listener->news.n_touched;
        for (size_t i = 0; i < listener->news.n_touched; i++)
                assert_int_equal(listener->news.touched[i].ifindex, 0);
}

/* What can't be watched is read each time; nothing fails, and it heals. */
static void test_few_descriptors(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        size_t n_read, n_watched;
        bool half = false; /* one could be read, and not be watched */
        char name[16];

        for (unsigned i = 0; i < 3; i++) {
                snprintf(name, sizeof(name), "n%u", i);
                assert_int_equal(run("ip netns add %s", name), 0);
                space_of(world->wanted, name);
        }
        for (size_t more = 0; more < 15; more++) {
                read_with_few(listener, more, &n_read, &n_watched);
                assert_true(n_watched <= n_read);
                half |= n_watched < n_read;
        }
        assert_true(half);
        read_with_few(listener, 8, &n_read, &n_watched);
        assert_true(n_watched < 4);
        allow_descriptors(SIZE_MAX);
        assert_as_fresh(listener);
        notice(listener);
        assert_int_equal(listener->news.n_touched, 0);
        assert_int_equal(listener->news.again_ms, 0);
        assert_int_equal(run("ip -n n2 link add b0 type bridge"), 0);
        await_touch(listener, "n2", 0);
        assert_as_fresh(listener);
}

#define T(test) cmocka_unit_test_setup_teardown(test, listener_setup, listener_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_deleted),
                T(test_deleted_unheard),
                T(test_unmounted),
                T(test_replaced),
                T(test_deleted_by_us),
                T(test_appears),
                cmocka_unit_test(test_folder_appears),
                T(test_path),
                T(test_path_changes),
                T(test_silent_path),
                T(test_process),
                T(test_not_held),
                T(test_descriptors),
                T(test_few_descriptors),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
