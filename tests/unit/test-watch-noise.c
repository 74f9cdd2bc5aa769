/* SPDX-License-Identifier: MIT */
/*
 * Who changes something in a loop costs us next to nothing, and what we do in the midst of it works
 * all the same. And of a request of ours that is not so any more: was it ignored, or undone?
 */

#include "kernel/netlink.h"
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FLOOD_BATCH 100

/* Noise. */

static size_t receipts, requests; /* on whatever socket */

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        requests++;
        return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t recv(int fd, void *buffer, size_t size, int flags) {
        receipts++;
        return syscall(SYS_recvfrom, fd, buffer, size, flags, NULL, NULL);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
        receipts++;
        return syscall(SYS_recvmsg, fd, message, flags);
}

/* A link's other alias. */
static void build_alias(struct nlmsghdr *message, int ifindex, bool odd) {
        struct ifinfomsg *header;

        message->nlmsg_type = RTM_SETLINK;
        header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
        header->ifi_index = ifindex;
        mnl_attr_put_str(message, IFLA_IFALIAS, odd ? "to" : "fro");
}

/* An address comes and goes. */
static void build_address(struct nlmsghdr *message, int ifindex, bool odd) {
        struct ifaddrmsg *header;

        message->nlmsg_type = odd ? RTM_DELADDR : RTM_NEWADDR;
        header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
        header->ifa_family = AF_INET;
        header->ifa_prefixlen = 32;
        header->ifa_index = (uint32_t)ifindex;
        mnl_attr_put_u32(message, IFA_LOCAL, htonl(0x0a630001));
}

typedef void (*Build)(struct nlmsghdr *message, int ifindex, bool odd);

/* Shared with the flood: when it did something last, and the longest that it did nothing. */
static struct Pulse {
        uint64_t last_ms, pause_ms;
} *pulse;

#define PAUSE_MAX_MS 100 /* longer, and it is no flood: somebody else had the kernel's lock */

static void beat(void) {
        uint64_t now = clock_ms();

        pulse->pause_ms = MAX(pulse->pause_ms, now - pulse->last_ms);
        pulse->last_ms = now;
}

/* Changes a link for ever. */
static void flood(Build build, int ifindex) {
        static alignas(NLMSG_ALIGNTO) char buffers[FLOOD_BATCH][64];
        struct nlmsghdr *messages[FLOOD_BATCH];
        int results[FLOOD_BATCH];
        Netlink *netlink = NULL;

        if (netlink_open(-1, NETLINK_ROUTE, &netlink) != 0)
                _exit(1);
        for (size_t i = 0; i < FLOOD_BATCH; i++) {
                messages[i] = mnl_nlmsg_put_header(buffers[i]);
                build(messages[i], ifindex, i % 2);
        }
        for (;; beat())
                if (netlink_request_many(netlink, messages, FLOOD_BATCH, results, NULL) < 0)
                        _exit(1);
}

static pid_t start_flood(const char *netns, const char *link, Build build) {
        pid_t child = fork();

        if (child == 0) {
                int fd = -1;

                prctl(PR_SET_PDEATHSIG, SIGKILL); /* also after a test that failed */
                if (netns_open(RUN, netns, &fd) == 0 && setns(fd, CLONE_NEWNET) == 0)
                        flood(build, (int)if_nametoindex(link));
                _exit(1);
        }
        assert_true(child > 0);
        return child;
}

static void end_flood(pid_t child) {
        int status;

        assert_int_equal(waitpid(child, &status, WNOHANG), 0); /* it was at it all the time */
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
}

static uint64_t cpu_us(void) {
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Where time is counted in ticks, whoever wakes up with them has all of it. */
static bool cpu_is_counted(void) {
        uint64_t before = cpu_us(), after;

        while ((after = cpu_us()) == before)
                ;
        return after - before < 1000;
}

typedef struct Loop {
        unsigned dumps, wakes, touches;
        size_t receipts, requests;
        uint64_t cpu_us, ms;
} Loop;

/* What an event loop does: asks when told to, and looks when something is touched. */
static Loop loop(Listener *listener, unsigned ms) {
        Loop loop = {};
        uint64_t start = clock_ms(), cpu = cpu_us(), now;

        receipts = requests = 0;
        while ((now = clock_ms()) < start + ms) {
                unsigned left = (unsigned)(start + ms - now), again = listener->news.again_ms;

                wait_readable(listener, again ? MIN(again, left) : left);
                notice(listener);
                loop.wakes++;
                loop.touches += listener->news.n_touched > 0;
                if (listener->news.n_touched > 0) {
                        look(&listener->world);
                        loop.dumps++;
                }
        }
        loop.cpu_us = cpu_us() - cpu;
        loop.ms = clock_ms() - start;
        loop.receipts = receipts;
        loop.requests = requests;
        return loop;
}

static void set_scene(Listener *listener) {
        assert_int_equal(run("ip netns add loud && ip netns add calm &&"
                             "ip -n loud link add l0 up type bridge &&"
                             "ip -n loud link add l1 up type bridge &&"
                             "ip -n calm link add c0 up type bridge"), 0);
        space_of(listener->world.wanted, "loud");
        space_of(listener->world.wanted, "calm");
        look(&listener->world);
}

static void await_noise(Listener *listener) {
        for (unsigned i = 0; i < 1000 && !listener->news.noisy; i++) {
                wait_readable(listener, 10);
                notice(listener);
        }
        assert_non_null(listener->news.noisy);
        assert_string_equal(listener->news.noisy, "loud");
        assert_in_range(listener->news.again_ms, 1, 1000);
        assert_true(is_told(listener, "loud", 0));
}

/* In a flood without a pause; beside other work there may be one in the first attempts. */
static Loop loop_in_noise(Listener *listener, unsigned ms) {
        for (unsigned try = 0; try < 10; try++) {
                Loop noisy;

                if (!listener->news.noisy)
                        await_noise(listener);
                *pulse = (struct Pulse){.last_ms = clock_ms()};
                noisy = loop(listener, ms);
                if (pulse->pause_ms < PAUSE_MAX_MS && clock_ms() - pulse->last_ms < PAUSE_MAX_MS)
                        return noisy;
        }
        fail_msg("no flood of %u ms without a pause", ms);
        return (Loop){};
}

static void test_noise(void **state) {
        Listener *listener = *state;
        Loop noisy;
        pid_t child;
        unsigned events;

        set_scene(listener);
        child = start_flood("loud", "l0", build_alias);
        noisy = loop_in_noise(listener, 4000);
        print_message("noisy: %u wake-ups, %u dumps, %zu receipts, %llu us CPU in %llu ms\n",
                      noisy.wakes, noisy.dumps, noisy.receipts, (unsigned long long)noisy.cpu_us,
                      (unsigned long long)noisy.ms);
        assert_in_range(noisy.dumps, 2, 6);
        assert_in_range(noisy.wakes, 2, 12);
        assert_true(noisy.receipts < noisy.ms);
        if (cpu_is_counted())
                assert_true(noisy.cpu_us < noisy.ms * 1000 / 100);
        else
                fprintf(stderr, "SKIPPED: what noise costs: CPU time is counted in ticks here\n");
        /* Others are heard at once. */
        assert_int_equal(run("ip -n calm link set c0 alias heard"), 0);
        assert_true(wait_readable(listener, 0));
        notice(listener);
        assert_true(is_told(listener, "calm", seen(&listener->world, "calm/c0")->ifindex));
        end_flood(child);
        await_calm(listener);
        look(&listener->world);
        assert_as_fresh(listener);
        notice(listener);
        assert_int_equal(listener->news.n_touched, 0);
        events = (unsigned)listener->news.events;
        assert_int_equal(events, 0);
        /* And so is this one again. */
        assert_int_equal(run("ip -n loud link set l0 alias heard"), 0);
        assert_true(wait_readable(listener, 0));
        notice(listener);
        assert_int_equal(listener->news.n_touched, 1);
        assert_int_equal(listener->news.touched[0].ifindex,
                         seen(&listener->world, "loud/l0")->ifindex);
        assert_as_fresh(listener);
}

/* No dump of the addresses is ever of one time: they are as they were, for next to nothing. */
static void test_noise_of_addresses(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        pid_t child;
        Loop noisy;

        set_scene(listener);
        assert_int_equal(run("for i in $(seq 2 4); do for j in $(seq 250); do "
                             "echo addr add 10.0.$i.$j/32 dev l1; done; done |"
                             "ip -n loud -b -"), 0);
        look(world);
        child = start_flood("loud", "l0", build_address);
        noisy = loop_in_noise(listener, 3000);
        print_message("noisy: %u dumps, %zu requests\n", noisy.dumps, noisy.requests);
        assert_in_range(noisy.dumps, 1, 5);
        assert_true(noisy.requests <= noisy.dumps * 8);
        assert_true(network_find_namespace(world->have, "loud")->exists);
        assert_true(HASH_COUNT(network_find_namespace(world->have, "loud")->links) == 3);
        end_flood(child);
        await_calm(listener);
        assert_as_fresh(listener);
}

/* Within the second the namespace is as it was read last, but for what we touch ourselves. */
static void test_work_in_noise(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Link *link, *made;
        pid_t child;

        set_scene(listener);
        child = start_flood("loud", "l0", build_alias);
        await_noise(listener);
        look(world);
        link = set(want(world, "loud", "l1", "bridge"), "mtu", "1300");
        add_set(world, link, SECTION_COMMON, ROW_BIT(LINK_MTU));
        made = set(want(world, "loud", "n0", "veth"), "peer", "loud/n1");
        plan_link(world, made, NULL);
        apply_all(world);
        look(world);
        assert_int_equal(seen(world, "loud/l1")->common.values[LINK_MTU].number, 1300);
        seen(world, "loud/n0");
        assert_true(kernel_saw(world->kernel, &(Op){.type = OP_LINK_DEL, .netns = "loud",
                                                    .name = "l1"}));
        add_op(world, OP_LINK_DEL, "loud", "n0")->ifindex = seen(world, "loud/n0")->ifindex;
        apply_all(world);
        look(world);
        assert_null(network_find_path(world->have, "loud/n0"));
        /* It dies with all its noise. */
        end_flood(child);
        assert_int_equal(run("ip netns del loud"), 0);
        await_touch(listener, "loud", 0);
        notice(listener);
        assert_null(listener->news.noisy);
        assert_as_fresh(listener);
}

/* A thousand at once is no second; a few hundred every second are no noise. */
static void test_no_noise(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        uint64_t now = 1000000;

        set_scene(listener);
        for (unsigned i = 0; i < 20; i++, now += 500) {
                assert_int_equal(run("for i in $(seq 400); do echo link set l0 alias x$i; done | "
                                     "ip -n loud -b -"), 0);
                assert_int_equal(kernel_notice(world->kernel, now, &listener->news), 0);
                assert_true(listener->news.events >= 400);
                assert_null(listener->news.noisy);
                look(world);
        }
        for (unsigned i = 0; i < 3; i++, now += 10) {
                assert_int_equal(run("for i in $(seq 400); do echo link set l0 alias x$i; done | "
                                     "ip -n loud -b -"), 0);
                assert_int_equal(kernel_notice(world->kernel, now, &listener->news), 0);
        }
        assert_non_null(listener->news.noisy);
        assert_int_equal(kernel_notice(world->kernel, now + 500, &listener->news), 0);
        assert_non_null(listener->news.noisy);
        assert_int_equal(kernel_notice(world->kernel, now + 1000, &listener->news), 0);
        assert_null(listener->news.noisy);
}

/* Undone or ignored. */

static bool saw(World *world, const Op *op) {
        bool is = kernel_saw(world->kernel, op);

        assert_int_equal(kernel_saw(world->kernel, op), is);
        return is;
}

static Op set_op(Link *link, Section section, RowSet rows) {
        Op op = {.type = OP_LINK_SET, .netns = link->netns->name, .name = link->name,
                 .link = link, .section = section};

        op.rows[section] = rows;
        return op;
}

/* Sends it, has somebody undo it, looks. */
static void send_and_undo(Listener *listener, const Op *op, const char *undo) {
        World *world = &listener->world;

        world->ops[world->n++] = *op;
        apply_all(world);
        if (undo)
                assert_int_equal(run("%s", undo), 0);
        look(world);
}

static void assert_seen(Listener *listener, const Op *op, const char *undo) {
        send_and_undo(listener, op, undo);
        if (!saw(&listener->world, op))
                fail_msg("%s: not seen", undo);
}

static void test_saw_options(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Link *link, *port, *other;
        Op op, not_sent;

        assert_int_equal(run("ip link add br0 up type bridge && ip link add br1 type bridge &&"
                             "ip link add p0 up type veth peer name p1 && ip link set p0 master "
                             "br0"), 0);
        look(world);
        link = set(want(world, HOST, "br0", "bridge"), "mtu", "1400");
        set(link, "ageing-time", "10s");
        op = set_op(link, SECTION_COMMON, ROW_BIT(LINK_MTU));
        not_sent = set_op(link, SECTION_OPTIONS, row_bit(&link->options, "ageing-time"));
        assert_seen(listener, &op, "ip link set br0 mtu 1300");
        assert_false(saw(world, &not_sent));
        op.ifindex = seen(world, "br0")->ifindex;
        assert_true(saw(world, &op));
        op.ifindex++;
        assert_false(saw(world, &op));
        assert_seen(listener, &not_sent, "ip link set br0 type bridge ageing_time 2000");
        assert_false(saw(world, &op)); /* that was an apply before */

        /* Down: no event tells of it. */
        other = set(want(world, HOST, "br1", "bridge"), "ageing-time", "10s");
        op = set_op(other, SECTION_OPTIONS, row_bit(&other->options, "ageing-time"));
        assert_seen(listener, &op, "ip link set br1 type bridge ageing_time 2000");
        not_sent = op;
        not_sent.link = link;
        not_sent.name = "br0";
        assert_false(saw(world, &not_sent));

        /* References, and a port's options. */
        port = set(want(world, HOST, "p0", "veth"), "master", "br1");
        op = set_op(port, SECTION_COMMON, ROW_BIT(LINK_MASTER));
        assert_seen(listener, &op, "ip link set p0 master br0");
        set(port, "master", "br0");
        assert_true(saw(world, &op)); /* of both there was an event by now */
        set_port(port, "cost", "77");
        op = set_op(port, SECTION_PORT, row_bit(&port->port, "cost"));
        assert_seen(listener, &op, "bridge link set dev p0 cost 78");
        set_port(port, "cost", "79");
        assert_false(saw(world, &op));
}

static void test_saw_links(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Link *link;
        Op op;

        assert_int_equal(run("ip netns add ns1 && ip link add br0 type bridge"), 0);
        space_of(world->wanted, "ns1");
        look(world);
        link = want(world, HOST, "br1", "bridge");
        op = (Op){.type = OP_LINK_ADD, .netns = HOST, .name = "br1", .link = link};
        assert_seen(listener, &op, "ip link del br1");
        op.name = "br2";
        assert_false(saw(world, &op));
        op = (Op){.type = OP_LINK_DEL, .netns = HOST, .name = "br0",
                  .ifindex = seen(world, "br0")->ifindex};
        assert_false(saw(world, &op));
        assert_seen(listener, &op, "ip link add br0 type bridge");
        op = (Op){.type = OP_LINK_MOVE, .netns = HOST, .name = "br0", .to = {HOST, "br9"}};
        assert_false(saw(world, &op));
        assert_seen(listener, &op, "ip link set br9 name br0");
        assert_int_equal(run("ip link add v0 type veth peer name v1"), 0);
        look(world);
        op = (Op){.type = OP_LINK_MOVE, .netns = HOST, .name = "v0", .to = {"ns1", "v9"}};
        assert_false(saw(world, &op));
        assert_seen(listener, &op, "ip -n ns1 link set v9 name v0 netns $$");
}

static void test_saw_objects(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Link *link;
        Object *object;
        Op op;

        assert_int_equal(run("ip link add br0 type bridge"), 0);
        look(world);
        link = want(world, HOST, "br0", "bridge");
        object = put_on(link, &object_address, "address", "10.0.0.1/24", NULL);
        op = (Op){.type = OP_OBJECT_ADD, .netns = HOST, .name = "br0", .link = link,
                  .object = object, .object_rows = object->set.present};
        assert_false(saw(world, &op));
        assert_seen(listener, &op, "ip addr del 10.0.0.1/24 dev br0");
        op.object = put_on(link, &object_address, "address", "10.0.0.1/25", NULL);
        assert_false(saw(world, &op));
        assert_seen(listener, &op, NULL);
        op.type = OP_OBJECT_DEL;
        assert_false(saw(world, &op));
        assert_seen(listener, &op, "ip addr add 10.0.0.1/25 dev br0");
        op.object = put_on(link, &object_altname, "name", "another-name", NULL);
        op.type = OP_OBJECT_ADD;
        assert_false(saw(world, &op));
        assert_seen(listener, &op, "ip link property del dev br0 altname another-name");
        assert_int_equal(run("ip link property add dev br0 altname another-name"), 0);
        op.type = OP_OBJECT_DEL;
        assert_seen(listener, &op, "ip link property add dev br0 altname another-name");

        /* Gone before anybody could be told that it was there. */
        op.object = put_on(link, &object_address, "address", "2001:db8::1/64", "nodad",
                           "true", NULL);
        op.type = OP_OBJECT_ADD;
        world->ops[world->n++] = op;
        op.type = OP_OBJECT_DEL;
        world->ops[world->n++] = op;
        apply_all(world);
        assert_true(saw(world, &op));
        op.type = OP_OBJECT_ADD;
        assert_true(saw(world, &op));

        /* Of these nobody is told. */
        op.object = put_on(link, &object_link_sysctl, "key", "ipv4.arp_ignore", "value", "1", NULL);
        op.type = OP_OBJECT_SET;
        send_and_undo(listener, &op, NULL);
        assert_false(saw(world, &op));
        op = (Op){.type = OP_NETNS_ADD, .netns = "new", .name = "new"};
        send_and_undo(listener, &op, NULL);
        assert_false(saw(world, &op));
}

/* What can't be told is better taken for somebody else's doing: that is tried again. */
static void test_saw_too_much(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Link *link;
        Op op, other;

        set_scene(listener);
        link = set(want(world, "calm", "c0", "bridge"), "mtu", "1400");
        op = set_op(link, SECTION_COMMON, ROW_BIT(LINK_MTU));
        other = set_op(set(want(world, "loud", "l1", "bridge"), "mtu", "1400"), SECTION_COMMON,
                       ROW_BIT(LINK_MTU));
        send_and_undo(listener, &op, NULL);
        assert_true(saw(world, &op));
        assert_false(saw(world, &other));
        /* Events of the other namespace are lost. */
        assert_int_equal(run("for i in $(seq 6000); do echo link set l0 alias x$i; done | "
                             "ip -n loud -b -"), 0);
        assert_true(saw(world, &other));
        set(link, "mtu", "1401");
        send_and_undo(listener, &op, NULL);
        assert_false(saw(world, &other));
        /* None is lost, but there are too many to keep. */
        assert_int_equal(run("for i in $(seq 1500); do echo link set l0 alias x$i; done | "
                             "ip -n loud -b -"), 0);
        assert_true(saw(world, &other));
        /* Not watched. */
        other.netns = "hidden";
        send_and_undo(listener, &op, NULL);
        assert_true(saw(world, &other));
}

/* With a mark, all requests since count, in however many slices. */
static void test_saw_since_mark(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Op first, second;

        set_scene(listener);
        first = set_op(set(want(world, "calm", "c0", "bridge"), "mtu", "1400"), SECTION_COMMON,
                       ROW_BIT(LINK_MTU));
        second = set_op(set(want(world, "loud", "l1", "bridge"), "mtu", "1400"), SECTION_COMMON,
                        ROW_BIT(LINK_MTU));
        kernel_mark(world->kernel);
        send_and_undo(listener, &first, "ip -n calm link set c0 mtu 1300");
        send_and_undo(listener, &second, NULL);
        assert_true(saw(world, &first));
        assert_true(saw(world, &second));
        /* What was heard on the way is told. */
        assert_int_equal(run("ip -n loud link set l1 mtu 1300"), 0);
        kernel_mark(world->kernel);
        assert_true(wait_readable(listener, 0));
        notice(listener);
        assert_true(is_told(listener, "loud", 0));
        assert_false(saw(world, &first));
        /* Too much is too much until the next mark. */
        send_and_undo(listener, &second, NULL);
        assert_false(saw(world, &first));
        assert_int_equal(run("for i in $(seq 1500); do echo link set l0 alias x$i; done | "
                             "ip -n loud -b -"), 0);
        look(world);
        send_and_undo(listener, &second, NULL);
        assert_true(saw(world, &first));
        kernel_mark(world->kernel);
        assert_false(saw(world, &first));
}

#define T(test) cmocka_unit_test_setup_teardown(test, listener_setup, listener_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_noise),
                T(test_noise_of_addresses),
                T(test_work_in_noise),
                T(test_no_noise),
                T(test_saw_options),
                T(test_saw_links),
                T(test_saw_objects),
                T(test_saw_too_much),
                T(test_saw_since_mark),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        pulse = mmap(NULL, sizeof(*pulse), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (pulse == MAP_FAILED)
                return 1;
        cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
