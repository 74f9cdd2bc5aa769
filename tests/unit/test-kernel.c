/* SPDX-License-Identifier: MIT */
/*
 * Looking at the real kernel: namespaces of every sort, references between them, what is said of
 * links that matter, while others change things. Looking changes nothing and holds nothing.
 */

#include "kernel/internal.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Dumps. */

static void test_dump_lo(void **state) {
        World *world = *state;
        Link *lo;

        look(world);
        assert_int_equal(HASH_COUNT(world->have->namespaces), 1);
        lo = seen(world, "lo");
        assert_null(lo->kind);
        assert_null(lo->kind_name);
        assert_true(lo->ifindex > 0);
        assert_int_equal(link_state(lo), LINK_STATE_UP);
        assert_int_equal(world->kernel->writes, 0);
        assert_false(lo->carries_default);
        assert_false(lo->carries_session);
        assert_non_null(lo->objects); /* 127.0.0.1 */
}

static void test_dump_namespaces(void **state) {
        World *world = *state;
        Namespace *netns;

        make_space(world, "alive");
        space_of(world->wanted, "absent");
        assert_int_equal(run("touch " RUN "/dead"), 0);
        space_of(world->wanted, "dead");
        netns = network_add_namespace(world->wanted, "path", NETNS_PATH);
        netns->path = RUN "/alive";
        netns = network_add_namespace(world->wanted, "file", NETNS_PATH);
        netns->path = "/etc/passwd";
        netns = network_add_namespace(world->wanted, "pid", NETNS_PID);
        netns->pid = getpid();
        netns = network_add_namespace(world->wanted, "nobody", NETNS_PID);
        netns->pid = INT32_MAX - 1;
        look(world);
        netns = network_find_namespace(world->have, "alive");
        assert_true(netns->exists);
        assert_int_not_equal(netns->cookie, 0);
        assert_int_equal(link_state(seen(world, "alive/lo")), LINK_STATE_UP);
        assert_int_equal(network_find_namespace(world->have, "path")->cookie, netns->cookie);
        assert_int_equal(network_find_namespace(world->have, "pid")->cookie,
                         network_find_namespace(world->have, HOST)->cookie);
        for (const char **name = (const char *[]){"absent", "dead", "file", "nobody", NULL}; *name;
             name++) {
                netns = network_find_namespace(world->have, *name);
                assert_false(netns->exists);
                assert_int_equal(!netns->reason, streq(*name, "absent") || streq(*name, "nobody"));
                assert_null(netns->links);
                assert_int_equal(netns->dead, streq(*name, "dead"));
        }
}

static void test_dump_used_by(void **state) {
        World *world = *state;
        pid_t child;
        int pipes[2], fd = -1;
        char byte = 0;

        make_space(world, "busy");
        make_space(world, "idle");
        space_of(world->wanted, "busy")->dropped = true;
        space_of(world->wanted, "idle")->dropped = true;
        assert_int_equal(netns_open(RUN, "busy", &fd), 0);
        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
                if (setns(fd, CLONE_NEWNET) == 0 && write(pipes[1], &byte, 1) == 1)
                        pause();
                _exit(1);
        }
        assert_int_equal(read(pipes[0], &byte, 1), 1);
        look(world);
        assert_int_equal(network_find_namespace(world->have, "busy")->used_by, child);
        assert_int_equal(network_find_namespace(world->have, "idle")->used_by, 0);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        look(world);
        assert_int_equal(network_find_namespace(world->have, "busy")->used_by, 0);
        close(fd);
        close(pipes[0]);
        close(pipes[1]);
}

/* A link's other end may be where nobody looks. */
static void test_dump_unknown_namespace(void **state) {
        World *world = *state;
        const Ref *peer;

        assert_int_equal(run("ip netns add hidden && ip link add v0 type veth peer name v1 netns "
                             "hidden && ip -n hidden link add mv0 link v1 type macvlan && "
                             "ip -n hidden link set mv0 netns $$ 2>/dev/null; true"), 0);
        look(world);
        peer = ref_in(&seen(world, "v0")->options, "peer");
        assert_string_equal(peer->netns, "?");
        assert_true(atoi(peer->link) > 0);
        space_of(world->wanted, "hidden");
        look(world);
        assert_ref(ref_in(&seen(world, "v0")->options, "peer"), "hidden", "v1");
        assert_ref(ref_in(&seen(world, "hidden/v1")->options, "peer"), HOST, "v0");
}

/* Every namespace has the same ifindexes, and each numbers the others in its own way. */
static void test_dump_ring(void **state) {
        enum { N = 12 };
        World *world = *state;
        char here[16], there[16];
        Buf path = {};

        for (int i = 0; i < N; i++)
                assert_int_equal(run("ip netns add r%d", i), 0);
        for (int i = 0; i < N; i++)
                assert_int_equal(run("ip -n r%d link add right type veth peer name left netns r%d",
                                     i, (i * 5 + 7) % N), 0);
        for (int i = 0; i < N; i++) {
                snprintf(here, sizeof(here), "r%d", i);
                space_of(world->wanted, here);
        }
        look(world);
        for (int i = 0; i < N; i++) {
                snprintf(there, sizeof(there), "r%d", (i * 5 + 7) % N);
                buf_reset(&path);
                buf_printf(&path, "r%d/right", i);
                assert_ref(ref_in(&seen(world, buf_text(&path))->options, "peer"), there, "left");
        }
        buf_deinit(&path);
}

/* Whatever modules there are: somebody will have one of a kind that we never heard of. */
static void test_decode_unknown_kind(_unused_ void **state) {
        alignas(NLMSG_ALIGNTO) char buffer[512];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
        struct nlattr *info, *options;
        Network *network;
        Link *link;
        int lower;

        header->ifi_index = 7;
        mnl_attr_put_strz(message, IFLA_IFNAME, "x0");
        info = mnl_attr_nest_start(message, IFLA_LINKINFO);
        mnl_attr_put_strz(message, IFLA_INFO_KIND, "nosuchkind");
        options = mnl_attr_nest_start(message, IFLA_INFO_DATA);
        mnl_attr_put_u32(message, 1, 1);
        mnl_attr_nest_end(message, options);
        mnl_attr_nest_end(message, info);
        assert_int_equal(network_new(&network), 0);
        assert_int_equal(decode_link(network->namespaces, message, &link, &lower), 0);
        assert_null(link->kind);
        assert_string_equal(link->kind_name, "nosuchkind");
        assert_null(link->options.schema);
        network_free(network);
}

static void test_dump_carries(void **state) {
        World *world = *state;

        assert_int_equal(run("ip link add v0 type veth peer name v1 && ip link set v0 up && "
                             "ip link set v1 up && ip addr add 10.1.0.1/24 dev v0 && "
                             "ip addr add 10.2.0.1/24 dev v1 && ip addr add 2001:db8::1/64 dev v1 "
                             "nodad && ip route add 10.9.0.0/16 via 10.2.0.2"), 0);
        look(world);
        assert_false(seen(world, "v0")->carries_default);
        assert_false(seen(world, "v1")->carries_default);
        assert_int_equal(run("ip route add default via 10.1.0.2"), 0);
        look(world);
        assert_true(seen(world, "v0")->carries_default);
        assert_false(seen(world, "v1")->carries_default);
        assert_int_equal(run("ip route del default && ip -6 route add default via 2001:db8::2"), 0);
        look(world);
        assert_false(seen(world, "v0")->carries_default);
        assert_true(seen(world, "v1")->carries_default);
        assert_int_equal(run("ip route add default nexthop via 10.1.0.2 nexthop via 10.2.0.3"), 0);
        look(world);
        assert_true(seen(world, "v0")->carries_default);
        assert_true(seen(world, "v1")->carries_default);
        assert_int_equal(run("ip route del default && sysctl -qw net.ipv4.nexthop_compat_mode=0 && "
                             "ip nexthop add id 1 via 10.1.0.2 dev v0 && "
                             "ip nexthop add id 2 via 10.2.0.3 dev v1 && "
                             "ip nexthop add id 3 group 1/2 && ip -6 route del default && "
                             "ip route add default nhid 1"), 0);
        look(world);
        assert_true(seen(world, "v0")->carries_default);
        assert_false(seen(world, "v1")->carries_default);
        assert_int_equal(run("ip route replace default nhid 3"), 0);
        look(world);
        assert_true(seen(world, "v0")->carries_default);
        assert_true(seen(world, "v1")->carries_default);
        assert_int_equal(run("ip route del default && ip nexthop flush >/dev/null && "
                             "ip route add default via 10.1.0.2 table 77 && "
                             "ip route add blackhole default"), 0);
        look(world);
        assert_false(seen(world, "v0")->carries_default);
        assert_false(seen(world, "v1")->carries_default);
}

static void test_dump_session(void **state) {
        World *world = *state;
        const struct {
                const char *text;
                bool v0, v1;
        } cases[] = {
                {"10.1.0.9 40000 10.1.0.1 22", true, false},
                {"2001:db8::9 40000 2001:db8::1 22", false, true},
                {"fe80::9%v1 40000 fe80::1%v1 22", false, true},
                {"fe80::9%gone 40000 fe80::1%gone 22", false, false},
                {"10.1.0.9 40000 10.1.0.2 22", false, false},
                {"10.1.0.9 40000", false, false},
                {"", false, false},
                {"a b c d", false, false},
                {"1 2 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%% 4",
                 false, false},
        };

        assert_int_equal(run("ip link add v0 type veth peer name v1 && ip addr add 10.1.0.1/24 dev "
                             "v0 && ip link set v1 up && ip addr add 2001:db8::1/64 dev v1 nodad"),
                         0);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                setenv("SSH_CONNECTION", cases[i].text, 1);
                look(world);
                assert_int_equal(seen(world, "v0")->carries_session, cases[i].v0);
                assert_int_equal(seen(world, "v1")->carries_session, cases[i].v1);
        }
        unsetenv("SSH_CONNECTION");
        look(world);
        assert_false(seen(world, "v0")->carries_session);
}

static void test_dump_driver(void **state) {
        World *world = *state;
        Link *link = want(world, HOST, "eth0", "physical");

        assert_int_equal(attrset_init(&link->match, &match_schema, &world->wanted->arena), 0);
        assert_true(set_in(&link->match, HOST, "driver", "virtio_net", &world->wanted->arena));
        assert_int_equal(run("ip tuntap add dev tap0 mode tap 2>/dev/null || true"), 0);
        look(world);
        assert_null(seen(world, "lo")->driver);
}

/* Whoever may not enter other namespaces still sees their own, and is told why not the others. */
static void test_dump_unprivileged(void **state) {
        World *world = *state;
        int status;
        pid_t child;

        make_space(world, "ns1");
        child = fork();
        if (child == 0) {
                const Namespace *netns;
                Kernel *kernel = NULL;
                bool good;

                good = setgid(65534) == 0 && setuid(65534) == 0 && kernel_new(RUN, &kernel) == 0 &&
                       kernel_dump(kernel, world->wanted, &world->have) == 0 &&
                       network_find_path(world->have, "lo");
                netns = good ? network_find_namespace(world->have, "ns1") : NULL;
                good = netns && !netns->exists && !netns->dead && netns->reason &&
                       streq(netns->reason, strerror(EPERM));
                _exit(good ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* Too few descriptors: what can't be looked at is said, and nothing is left open. */
static void test_dump_few_descriptors(void **state) {
        World *world = *state;
        struct rlimit limit, few;
        size_t seen_n = 0, unseen = 0;
        char name[16];

        for (int i = 0; i < 20; i++) {
                snprintf(name, sizeof(name), "n%d", i);
                make_space(world, name);
        }
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        few = limit;
        few.rlim_cur = 24;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        look(world);
        for (Namespace *netns = world->have->namespaces; netns; netns = netns->hh.next) {
                seen_n += netns->exists;
                unseen += !netns->exists;
                assert_int_equal(netns->exists, !netns->reason);
                assert_int_equal(netns->exists, !!netns->links);
        }
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_true(seen_n > 1);
        assert_true(unseen > 1);
        look(world);
        for (Namespace *netns = world->have->namespaces; netns; netns = netns->hh.next)
                assert_true(netns->exists);
}

/* Somebody adds, removes and renames links all the time: every dump fits together. */
static void test_dump_churn(void **state) {
        World *world = *state;
        pid_t child;

        make_space(world, "far");
        assert_int_equal(run("ip link add base type veth peer name base2 netns far"), 0);
        for (int i = 0; i < 40; i++)
                assert_int_equal(run("ip link add s%d link base type macvlan", i), 0);
        child = fork();
        if (child == 0) {
                execl("/bin/sh", "sh", "-c",
                      "for i in 1 2 3 4 5 6; do for j in 3 9 12 30; do "
                      "ip link set s$j name t$j; ip link set t$j name s$j; done;"
                      "echo 'link add c0 link base type macvlan\n"
                      "link add c1 type veth peer name c2 netns far\n"
                      "link set c0 netns far\nlink del c1\nnetns exec far true\n"
                      "link set dev base mtu 1400' | ip -b - ; ip -n far link del c0; done",
                      NULL);
                _exit(127);
        }
        for (int status = 0; waitpid(child, &status, WNOHANG) == 0;) {
                const Namespace *far;

                look(world);
                far = network_find_namespace(world->have, "far");
                assert_true(far->exists);
                for (const Namespace *netns = world->have->namespaces; netns;
                     netns = netns->hh.next)
                        for (Link *link = netns->links; link; link = link->hh.next) {
                                const Ref *parent = link_ref(link, LINK_PARENT);

                                if (parent && link->kind == link_kind_find("macvlan"))
                                        assert_ref(parent, HOST, "base");
                        }
        }
        look(world);
        assert_non_null(seen(world, "s39"));
}

/* Namespaces. */

static void test_netns(void **state) {
        World *world = *state;
        OpResult result;

        make_space(world, "ns1");
        add_op(world, OP_NETNS_ADD, "ns1", "ns1");
        result = apply_one(world);
        assert_int_equal(result.error, -EEXIST);
        assert_string_not_equal(result.message, "");
        look(world);
        add_op(world, OP_NETNS_DEL, "ns1", "ns1");
        add_op(world, OP_NETNS_ADD, "ns1", "ns1");
        add_op(world, OP_NETNS_DEL, "ns1", "ns1");
        apply_all(world);
        look(world);
        assert_false(network_find_namespace(world->have, "ns1")->exists);
        assert_int_equal(access(RUN "/ns1", F_OK), -1);
}

/* What was planned for one namespace is not done to its successor. */
static void test_netns_replaced(void **state) {
        World *world = *state;
        Link *link;
        Op *op;

        make_space(world, "ns1");
        link = set(want(world, "ns1", "v0", "veth"), "peer", "v1");
        make(world, link, NULL);
        assert_converged(world);
        assert_int_equal(run("ip netns del ns1 && ip netns add ns1 && "
                             "ip -n ns1 link add v0 type veth peer name v1"), 0);
        op = add_op(world, OP_LINK_DEL, "ns1", "v0");
        op->ifindex = seen(world, "ns1/v0")->ifindex;
        assert_int_equal(apply_one(world).error, -ESTALE);
        add_op(world, OP_NETNS_DEL, "ns1", "ns1");
        assert_int_equal(apply_one(world).error, -ESTALE);
        assert_converged(world); /* seen anew: */
        add_op(world, OP_LINK_DEL, "ns1", "v0");
        apply_all(world);
        look(world);
        assert_null(network_find_path(world->have, "ns1/v0"));
}

static int ignore_event(const struct nlmsghdr *message _unused_, void *userdata _unused_) {
        return 0;
}

/* Nothing of ours holds a namespace that somebody deletes: its links go away. */
static void test_netns_not_held(void **state) {
        World *world = *state;
        Netlink *monitor = NULL;

        make_space(world, "ns1");
        make(world, set(want(world, HOST, "v0", "veth"), "peer", "ns1/v1"), NULL);
        assert_converged(world);
        assert_int_equal(netlink_open(-1, NETLINK_ROUTE, &monitor), 0);
        assert_int_equal(netlink_subscribe(monitor, RTNLGRP_LINK), 0);
        assert_int_equal(run("ip netns del ns1"), 0);
        while (if_nametoindex("v0")) {
                struct pollfd pollfd = {.fd = netlink_fd(monitor), .events = POLLIN};

                assert_int_equal(poll(&pollfd, 1, 30 * 1000), 1);
                assert_int_equal(netlink_receive(monitor, ignore_event, NULL), 0);
        }
        netlink_free(monitor);
        look(world);
        assert_false(network_find_namespace(world->have, "ns1")->exists);
}

static void test_descriptors(void **state) {
        World *world = *state;
        int before, after;

        make_space(world, "ns1");
        make_space(world, "ns2");
        look(world);
        before = open("/dev/null", O_RDONLY | O_CLOEXEC);
        close(before);
        for (int i = 0; i < 20; i++) {
                add_op(world, OP_LINK_DEL, "ns1", "none");
                add_op(world, OP_LINK_DEL, "ns3", "none");
                apply(world);
                world->n = 0;
                look(world);
        }
        after = open("/dev/null", O_RDONLY | O_CLOEXEC);
        close(after);
        assert_int_equal(before, after);
}

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_dump_lo),
                T(test_dump_namespaces),
                T(test_dump_used_by),
                T(test_dump_unknown_namespace),
                T(test_dump_ring),
                cmocka_unit_test(test_decode_unknown_kind),
                T(test_dump_carries),
                T(test_dump_session),
                T(test_dump_driver),
                T(test_dump_unprivileged),
                T(test_dump_few_descriptors),
                T(test_dump_churn),
                T(test_netns),
                T(test_netns_replaced),
                T(test_netns_not_held),
                T(test_descriptors),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
