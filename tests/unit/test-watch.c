/* SPDX-License-Identifier: MIT */
/*
 * A watched kernel: what somebody else does is told, the next dump shows it, and what nobody
 * touched is not asked for again. Above all: whatever happened, it shows what one would see who
 * looks for the first time.
 */

#include "listener.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Requests, and sockets to make them with, counted where they leave us. */

static size_t requests, sockets;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        requests++;
        return syscall(SYS_sendmsg, fd, message, flags);
}

int socket(int domain, int type, int protocol) {
        sockets++;
        return (int)syscall(SYS_socket, domain, type, protocol);
}

static void assert_silent_look(World *world) {
        requests = sockets = 0;
        look(world);
        assert_int_equal(requests, 0);
        assert_int_equal(sockets, 0);
}

/* The same as soon as nothing happens any more. */
static void assert_rests(Listener *listener) {
        for (unsigned i = 0; i < 100; i++) {
                requests = sockets = 0;
                look(&listener->world);
                if (requests + sockets == 0)
                        return;
                wait_readable(listener, 1);
        }
        fail_msg("it asks again and again");
}

/* A wired scene in three namespaces, all of them in the scope. */
static void set_scene(Listener *listener) {
        World *world = &listener->world;

        assert_int_equal(
                run("ip netns add a && ip netns add b &&"
                    "ip link add br0 type bridge && ip link add p0 type veth peer name p1 &&"
                    "ip link set p0 master br0 && ip link set p1 netns a &&"
                    "ip -n a link add m0 netns b link p1 type macvlan mode bridge &&"
                    "ip link add m1 link br0 type macvlan && ip link set m1 netns b &&"
                    "ip -n b link add u0 type veth peer name u1 netns a &&"
                    "ip addr add 10.0.0.1/24 dev br0 && ip -n a addr add 10.0.0.2/24 dev p1 &&"
                    "for l in br0 p0; do ip link set $l up; done &&"
                    "for l in p1 u1; do ip -n a link set $l up; done &&"
                    "for l in m0 m1 u0; do ip -n b link set $l up; done"), 0);
        space_of(world->wanted, "a");
        space_of(world->wanted, "b");
        look(world);
}

/* Silence. */

static void test_silence(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Link *link;

        set_scene(listener);
        assert_int_equal(run("ip netns add hidden && ip -n a link add h0 type veth peer name h1 "
                             "netns hidden"), 0);
        link = want(world, HOST, "eth0", "physical");
        assert_int_equal(attrset_init(&link->match, &match_schema, &world->wanted->arena), 0);
        assert_true(set_in(&link->match, HOST, "driver", "virtio_net", &world->wanted->arena));
        put_in(space_of(world->wanted, "a"), &object_sysctl, "key", "net.ipv4.ip_forward", "value",
               "1", NULL);
        put_on(want(world, "a", "p1", "veth"), &object_link_sysctl, "key", "ipv4.rp_filter",
               "value", "1", NULL);
        put_on(want(world, "b", "u0", "veth"), &object_link_sysctl, "key", "ipv6.no_such", "value",
               "1", NULL);
        space_of(world->wanted, "absent");
        /* The kernel says that it is on a link of its own number, where it came from. */
        assert_int_equal(run("ip -n a link add name x0 index 5000 type vxlan id 9 dev p1 dstport "
                             "4790 && ip -n a link set x0 netns b"), 0);
        assert_as_fresh(listener);
        assert_rests(listener);
        assert_silent_look(world);
        assert_string_equal(ref_in(&seen(world, "a/h0")->options, "peer")->netns, "?");
        assert_false(wait_readable(listener, 0));
        notice(listener);
        assert_int_equal(listener->news.events, 0);
        assert_int_equal(listener->news.n_touched, 0);
        assert_int_equal(listener->news.again_ms, 0);
        assert_null(listener->news.noisy);
        /* One link and what lives on it. */
        assert_int_equal(run("ip link set br0 txqueuelen 77"), 0);
        requests = 0;
        look(world);
        assert_int_equal(seen(world, "br0")->common.values[LINK_TXQUEUELEN].number, 77);
        assert_int_equal(requests, 2);
        assert_silent_look(world);
}

/* Only kernel_watch() makes a difference. */
static void test_unwatched(void **state) {
        World *world = *state;
        KernelNews news;

        look(world);
        requests = 0;
        look(world);
        assert_true(requests >= 2);
        kernel_forget(world->kernel);
        assert_int_equal(kernel_notice(world->kernel, 0, &news), 0);
        assert_int_equal(news.events + news.n_touched + news.again_ms, 0);
        assert_false(kernel_saw(world->kernel, &(Op){.type = OP_LINK_DEL, .netns = HOST,
                                                     .name = "v0"}));
}

/* What leads to a macvtap's file goes with it, whoever deleted it; what leads somewhere stays. */
static void test_left_behind(void **state) {
        Listener *listener = *state;

        assert_int_equal(run("mkdir -p /run/mvnet/tap && cd /run/mvnet/tap && "
                             "ln -s /dev/tap0 before && ln -s /dev/null other"), 0);
        set_scene(listener);
        notice(listener);
        assert_int_equal(run("cd /run/mvnet/tap && test ! -h before && ln -s /dev/tap0 ours"), 0);
        look(&listener->world);
        assert_int_equal(run("ip link set br0 txqueuelen 77"), 0);
        await_touch(listener, HOST, 0);
        assert_int_equal(run("test -h /run/mvnet/tap/ours && ip -n b link del m1"), 0);
        look(&listener->world);
        assert_int_equal(run("ip link set br0 txqueuelen 78"), 0);
        await_touch(listener, HOST, 0);
        assert_int_equal(run("cd /run/mvnet/tap && test ! -h ours && test -h other"), 0);
}

/* Changes. */

typedef struct Step {
        const char *command;
        const char *netns[2]; /* that are told of */
} Step;

static const Step changes[] = {
        {"ip link add n0 up type bridge", {HOST}},
        {"ip link set n0 alias somebody", {HOST}},
        {"ip link set n0 alias ''", {HOST}},
        {"ip link property add dev n0 altname another-name", {HOST}},
        {"ip link property del dev n0 altname another-name", {HOST}},
        /* Before 6.2 not while it is up. */
        {"ip link set n0 down && ip link set n0 name n1 && ip link set n1 up", {HOST}},
        {"ip link set n1 mtu 1400", {HOST}},
        {"ip link set n1 group 77", {HOST}},
        {"ip link set n1 address 02:00:00:00:00:77", {HOST}},
        {"ip link set n1 promisc on", {HOST}},
        {"ip link set n1 type bridge stp_state 1", {HOST}},
        {"ip link set n1 type bridge ageing_time 1000", {HOST}},
                {"ip addr add 10.9.0.1/24 dev n1 label n1:x", {HOST}},
        {"ip link set n1 down", {HOST}},
        {"ip link set n1 name n2", {HOST}}, /* its addresses' labels as well */
        {"ip addr add 10.9.0.2/24 dev n2", {HOST}},
        {"ip addr del 10.9.0.1/24 dev n2", {HOST}}, /* and the other one with it */
        {"ip addr add 2001:db8::1/64 dev n2 nodad", {HOST}},
        {"ip addr add 10.9.0.5 peer 10.9.0.6/32 dev n2", {HOST}},
        {"ip addr change 10.9.0.5 peer 10.9.0.6/32 dev n2 metric 7", {HOST}},
        {"ip link set n2 mtu 1000", {HOST}}, /* there goes IPv6 */
        {"ip link set n2 mtu 1500 && ip link set n2 up && ip link set n2 addrgenmode none", {HOST}},
        {"ip link del n2", {HOST}},
        {"ip link set p0 type bridge_slave cost 77", {HOST}},
        {"bridge link set dev p0 cost 78", {HOST}},
        {"ip link set p0 nomaster", {HOST}},
        {"ip link set p0 master br0", {HOST}},
        {"ip -n a link set p1 mtu 1300", {"a"}}, /* m0 in b is pulled down */
        {"ip -n b link set m0 type macvlan mode private", {"b"}},
        {"ip link add q0 type veth peer name q1 netns b", {HOST, "b"}},
        {"ip -n b link set q1 netns a", {"b", "a"}},
        {"ip -n a link set q1 name q2", {"a"}},
        {"ip -n a link set q2 netns $$", {"a", HOST}},
        {"ip link del q0", {HOST}},
        {"ip link set p0 netns b", {HOST, "b"}},
        {"ip -n b link set p0 netns $$", {"b", HOST}},
        {"ip link set p0 master br0", {HOST}},
        /* What refers to it follows. */
        {"ip link set br0 down && ip link set br0 name br1 && ip link set br1 up", {HOST}},
        {"ip link set br1 down && ip link set br1 name br0 && ip link set br0 up", {HOST}},
        {"ip -n a link del p1", {"a", "b"}}, /* and m0, over there, and p0 */
        {"ip link del br0", {HOST, "b"}},
        {"ip link add x0 up type veth peer x1 && ip link add x2 link x0 up type macvlan", {HOST}},
        {"ip link set x0 netns a", {HOST, "a"}}, /* of x2 nobody tells */
        {"ip -n a link set x0 netns b", {"a", "b"}},
        {"ip link set x2 netns b", {HOST, "b"}},
        {"ip -n b link del x0", {"b", HOST}},
        {"ip link add v0 up type vxlan id 7 dstport 4789 local 10.0.0.1", {HOST}},
        {"ip link set v0 type vxlan ttl 7 id 7", {HOST}},
        {"ip link del v0", {HOST}},
        {"ip tuntap add dev t0 mode tap", {HOST}},
        {"ip tuntap del dev t0 mode tap", {HOST}},
};

static void test_changes(void **state) {
        Listener *listener = *state;

        set_scene(listener);
        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                const Step *change = &changes[i];

                notice(listener);
                if (run("%s", change->command) != 0)
                        fail_msg("%s", change->command);
                for (size_t k = 0; k < ELEMENTSOF(change->netns) && change->netns[k]; k++)
                        await_touch(listener, change->netns[k], 0);
                assert_as_fresh(listener);
        }
}

/* A touch is told until a dump has shown what came of it, and by number if it can be. */
static void test_touches(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        int br0;

        set_scene(listener);
        br0 = seen(world, "br0")->ifindex;
        assert_int_equal(run("ip link set br0 mtu 1300"), 0);
        assert_true(wait_readable(listener, 0));
        notice(listener);
        assert_true(listener->news.events >= 1);
        assert_true(is_told(listener, HOST, br0));
        assert_int_equal(listener->news.touched[0].ifindex, br0);
        assert_false(wait_readable(listener, 0));
        notice(listener);
        assert_int_equal(listener->news.events, 0);
        assert_true(is_told(listener, HOST, br0));
        look(world);
        notice(listener);
        assert_int_equal(listener->news.n_touched, 0);
        /* What a dump has heard it has shown. */
        assert_int_equal(run("ip link set br0 mtu 1301"), 0);
        look(world);
        assert_false(wait_readable(listener, 0));
        notice(listener);
        assert_int_equal(listener->news.events, 0);
        assert_int_equal(listener->news.n_touched, 0);
        /* Too many to tell one by one. */
        assert_int_equal(run("for i in $(seq 40); do echo link add x$i type veth peer y$i; done | "
                             "ip -b -"), 0);
        notice(listener);
        assert_int_equal(listener->news.n_touched, 1);
        assert_int_equal(listener->news.touched[0].ifindex, 0);
        assert_as_fresh(listener);
}

/* What others did in the meantime has to be told; of what we did, a dump's showing is enough. */
static void test_touches_while_applying(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Link *link;

        set_scene(listener);
        link = want(world, HOST, "br0", "bridge");
        set(link, "mtu", "1400");
        add_set(world, link, SECTION_COMMON, ROW_BIT(LINK_MTU));
        assert_int_equal(run("ip -n a link set p1 alias stranger"), 0);
        apply_all(world);
        assert_true(wait_readable(listener, 0));
        notice(listener);
        assert_true(is_told(listener, "a", 0) ||
                    is_told(listener, "a", seen(world, "a/p1")->ifindex));
        assert_as_fresh(listener);
        set(link, "mtu", "1401");
        add_set(world, link, SECTION_COMMON, ROW_BIT(LINK_MTU));
        apply_all(world);
        look(world);
        assert_false(wait_readable(listener, 0));
        notice(listener);
        assert_int_equal(listener->news.n_touched, 0);
        /* What nobody tells of we know ourselves. */
        assert_int_equal(run("ip link set br0 down"), 0);
        look(world);
        set(link, "alias", "ours");
        add_set(world, link, SECTION_COMMON, ROW_BIT(LINK_ALIAS));
        apply_all(world);
        look(world);
        assert_string_equal(seen(world, "br0")->common.values[LINK_ALIAS].text, "ours");
        notice(listener);
        assert_int_equal(listener->news.n_touched, 0);
        assert_as_fresh(listener);
}

/* Somebody is at it all the time: what is shown is never of two times. */
static void test_churn(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        pid_t child;

        set_scene(listener);
        assert_int_equal(run("ip link add port type veth peer name port2 netns a && "
                             "ip link add base type veth peer name base2 netns a && "
                             "for i in $(seq 20); do ip link add s$i link base type macvlan; done"),
                         0);
        look(world);
        child = fork();
        if (child == 0) {
                execl("/bin/sh", "sh", "-c",
                      /* Each master is as new as what says that it is one. */
                      "for i in $(seq 80); do "
                      "printf 'link add b%d type bridge\nlink set port master b%d\n' $i $i; "
                      "done | ip -b -;"
                      "for i in $(seq 80); do echo link del b$i; done | ip -b -;"
                      "for i in $(seq 8); do for j in 3 9 12; do "
                      "ip link set s$j name t$j; ip link set t$j name s$j; done;"
                      "echo 'link add c0 link base type macvlan\n"
                      "link add c1 type veth peer name c2 netns b\n"
                      "link add b9 type bridge\nlink set c1 master b9\n"
                      "link set c0 netns b\nlink set base name other\nlink del b9\nlink del c1\n"
                      "link set other name base' | ip -b -;"
                      "ip -n b link del c0; done", NULL);
                _exit(127);
        }
        for (int status = 0; waitpid(child, &status, WNOHANG) == 0;) {
                if (clock_ms() % 3 == 0)
                        notice(listener);
                look(world);
                for (const Namespace *netns = world->have->namespaces; netns;
                     netns = netns->hh.next)
                        for (const Link *link = netns->links; link; link = link->hh.next) {
                                const Ref *parent = link_ref(link, LINK_PARENT);

                                assert_true(attrset_has(&link->common, LINK_MASTER));
                                if (link->kind != link_kind_find("macvlan"))
                                        continue;
                                assert_non_null(parent);
                                assert_string_not_equal(parent->netns, "?");
                        }
        }
        assert_as_fresh(listener);
}

static void assert_sysctl(Listener *listener, const char *value) {
        World *world = &listener->world;
        Object *object;

        look(world);
        for (object = seen(world, "br0")->objects; object; object = object->next)
                if (object->type == &object_link_sysctl)
                        break;
        assert_non_null(object);
        assert_string_equal(attrset_get(&object->set, "value")->text, value);
}

/* Sysctls are as they were read, unless we, or the kernel, know better. */
static void test_sysctls(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;
        Link *link;
        Object *object;

        set_scene(listener);
        link = want(world, HOST, "br0", "bridge");
        object = put_on(link, &object_link_sysctl, "key", "ipv4.arp_ignore", "value", "2", NULL);
        assert_sysctl(listener, "0");
        assert_int_equal(run("echo 1 > /proc/sys/net/ipv4/conf/br0/arp_ignore"), 0);
        assert_sysctl(listener, "0");
        kernel_forget(world->kernel);
        assert_sysctl(listener, "1");
        plan_objects(world, link, link->netns, object);
        apply_all(world);
        assert_sysctl(listener, "2");
        /* Another link of that name. */
        assert_int_equal(run("ip link del br0 && ip link add br0 type bridge"), 0);
        assert_sysctl(listener, "0");
        object_remove(&link->objects, &link->last, object);
        put_on(link, &object_link_sysctl, "key", "ipv4.forwarding", "value", "1", NULL);
        assert_sysctl(listener, "0");
        assert_int_equal(run("echo 1 > /proc/sys/net/ipv4/conf/br0/forwarding"), 0);
        await_touch(listener, HOST, seen(world, "br0")->ifindex);
        assert_sysctl(listener, "1");
        assert_int_equal(run("echo 0 > /proc/sys/net/ipv4/conf/br0/forwarding"), 0);
        assert_sysctl(listener, "0");
        object = put_in(space_of(world->wanted, HOST), &object_sysctl, "key",
                        "net.ipv4.conf.all.rp_filter", "value", "2", NULL);
        look(world);
        assert_int_equal(run("echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter"), 0);
        notice(listener);
        assert_int_equal(listener->news.n_touched, 1);
        assert_int_equal(listener->news.touched[0].ifindex, 0);
        look(world);
        object = object_find(network_find_namespace(world->have, HOST)->objects, object);
        assert_non_null(object);
        assert_string_equal(attrset_get(&object->set, "value")->text, "1");
}

/*
 * What goes, or changes, with something else, and is not told of; all of it carries our mark. What
 * is added is added in the order of a dump: that is compared, too.
 */
static const char *const silent[] = {
        "ip link add x0 up type veth peer x1 && ip link set x1 up",
        "ip addr add 10.1.0.1/24 dev x0",
        "ip addr add 10.1.1.1/24 dev x0",
        "ip addr add 2001:db8:1::1/64 dev x0 nodad",
        "ip route add 10.9.0.0/16 via 10.1.0.9 proto 109",
        "ip route add 10.10.0.0/16 dev x1 src 10.1.1.1 proto 109",
        "ip route add 10.11.0.0/16 proto 109 nexthop dev x0 nexthop dev x1",
        "ip route add blackhole 10.12.0.0/16 proto 109",
        "ip -6 route add 2001:db8:9::/48 dev x0 src 2001:db8:1::1 proto 109",
        "ip rule add priority 7 iif x0 table 50 protocol 109",
        "ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev x0 nud permanent protocol 109",
        "ip addr del 10.1.1.1/24 dev x0",
        "ip addr del 2001:db8:1::1/64 dev x0",
        "ip link set x0 address 02:00:00:00:00:77",
        "ip addr del 10.1.0.1/24 dev x0",
        "ip link set x0 down",
        "ip link set x0 up",
        "ip link set x0 mtu 1200",
        "ip link set x1 down",
        "ip link del x0",
};

static void test_silent_losses(void **state) {
        Listener *listener = *state;
        Namespace *host = network_find_namespace(listener->world.wanted, HOST);

        put_in(host, &object_route, "to", "10.99.0.0/16", "table", "main", NULL);
        put_in(host, &object_rule, "priority", "99", "from", "10.99.0.0/16", NULL);
        put_on(want(&listener->world, HOST, "x0", NULL), &object_neighbour, "to", "10.99.0.1", NULL);
        look(&listener->world);
        for (size_t i = 0; i < ELEMENTSOF(silent); i++) {
                if (run("%s", silent[i]) != 0)
                        fail_msg("%s", silent[i]);
                if (i % 2)
                        notice(listener);
                assert_as_fresh(listener);
        }
}

/* Routes are not listened to. */
static void test_default_routes(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;

        set_scene(listener);
        assert_int_equal(run("ip link set br0 up && ip route add default via 10.0.0.9"), 0);
        kernel_forget(world->kernel);
        look(world);
        assert_true(seen(world, "br0")->carries_default);
        assert_silent_look(world);
        assert_true(seen(world, "br0")->carries_default);
        setenv("SSH_CONNECTION", "10.0.0.9 40000 10.0.0.1 22", 1);
        assert_silent_look(world);
        assert_true(seen(world, "br0")->carries_session);
        unsetenv("SSH_CONNECTION");
        assert_int_equal(run("ip route del default"), 0);
        kernel_forget(world->kernel);
        look(world);
        assert_false(seen(world, "br0")->carries_default);
}

static size_t count_of(const World *world, const char *netns, const ObjectType *type) {
        const Namespace *there = network_find_namespace(world->have, netns);
        size_t n = 0;

        for (const Object *object = there->objects; object; object = object->next)
                n += object->type == type;
        return n;
}

/* News of a carrier comes when it comes. */
static void await_entries(Listener *listener, const char *after, size_t nexthops, size_t routes) {
        World *world = &listener->world;
        size_t n = 0, m = 0;

        for (unsigned i = 0; i < 100; i++) {
                look(world);
                n = count_of(world, "a", &object_nexthop);
                m = count_of(world, "a", &object_route);
                if (n == nexthops && m == routes)
                        break;
                wait_readable(listener, 100);
        }
        if (n != nexthops || m != routes)
                fail_msg("%s: %zu nexthops, %zu routes", after, n, m);
        assert_as_fresh(listener);
}

/* With nexthops go the groups that they are alone in, and routes; most of it nobody tells. */
static void test_nexthops(void **state) {
        static const struct {
                const char *command;
                size_t nexthops, routes; /* of 4 and 2 */
        } steps[] = {
                {"ip -n a nexthop replace id 1 via 10.0.0.8 dev p1 proto 109", 4, 2},
                {"ip -n a nexthop replace id 3 group 2 proto 109", 4, 2},
                {"ip -n a route del 10.77.0.0/16", 4, 1},
                {"ip -n a nexthop del id 2", 3, 2},
                {"ip -n a nexthop del id 1", 2, 1},
                {"ip -n a nexthop del id 4", 3, 1},
                {"ip -n a link set u1 down", 3, 2},
                {"ip -n a link set p1 down", 2, 1},
                {"ip -n a link set p1 down && ip -n a link set p1 up", 2, 1},
                {"ip link set p0 down", 2, 1},
                {"ip -n a link set p1 netns b", 2, 1},
        };
        Listener *listener = *state;
        World *world = &listener->world;

        set_scene(listener);
        put_in(space_of(world->wanted, "a"), &object_nexthop, "id", "999", "blackhole", "true", NULL);
        put_in(space_of(world->wanted, "a"), &object_route, "to", "10.255.0.0/16", "nhid", "999", NULL);
        look(world);
        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                await_entries(listener, "before", 0, 0);
                assert_int_equal(run("ip -n a -b - <<'END'\n"
                                     "nexthop add id 1 via 10.0.0.9 dev p1 proto 109\n"
                                     "nexthop add id 2 dev u1 proto 109\n"
                                     "nexthop add id 3 group 1/2 proto 109\n"
                                     "nexthop add id 4 group 1 proto 109\n"
                                     "route add 10.77.0.0/16 nhid 3 proto 109\n"
                                     "route add 10.78.0.0/16 nhid 4 proto 109\n"
                                     "END\n"), 0);
                await_entries(listener, "made", 4, 2);
                assert_int_equal(run("%s", steps[i].command), 0);
                await_entries(listener, steps[i].command, steps[i].nexthops, steps[i].routes);
                assert_int_equal(run("ip link set p0 up; ip -n a link set u1 up; ip -n a link set p1 up "
                                     "2>/dev/null; ip -n a nexthop flush >/dev/null 2>&1; "
                                     "until ip -n a link show u1 | grep -q LOWER_UP; do :; done"), 0);
        }
}

/* What routing daemons add, by its protocol, is not even delivered; what people add is. */
static void test_filter(void **state) {
        static const struct {
                const char *before, *behind; /* a number */
        } added[] = {
                {"route add blackhole 10.50.", ".0/24"},
                {"-6 route add unreachable 2001:db8:", "::/48"},
                {"nexthop add id ", " blackhole"},
        };
        static const struct {
                const char *protocol;
                bool heard;
        } cases[] = {{"77", false}, {"bgp", false}, {"109", true}, {"boot", true}, {"static", true}};
        Listener *listener = *state;
        World *world = &listener->world;
        int number = 0;

        assert_int_equal(run("ip netns add q && ip -n q link set lo up"), 0);
        put_in(space_of(world->wanted, "q"), &object_nexthop, "id", "999", "blackhole", "true", NULL);
        put_in(space_of(world->wanted, "q"), &object_route, "to", "10.255.0.0/16", NULL);
        assert_as_fresh(listener);
        while (wait_readable(listener, 200))
                notice(listener);
        for (size_t i = 0; i < ELEMENTSOF(added); i++)
                for (size_t j = 0; j < ELEMENTSOF(cases); j++) {
                        notice(listener);
                        assert_int_equal(run("ip -n q %s%d%s proto %s", added[i].before, ++number,
                                             added[i].behind, cases[j].protocol), 0);
                        assert_int_equal(wait_readable(listener, cases[j].heard ? 5000 : 0),
                                         cases[j].heard);
                }
}

/* What the parent does to them nobody tells. Without IPv6 there is no other news of them. */
static void test_followers(void **state) {
        Listener *listener = *state;

        set_scene(listener);
        assert_int_equal(run("for n in a b; do ip netns exec $n sysctl -qw "
                             "net.ipv6.conf.default.disable_ipv6=1; done;"
                             "ip -n a link add x0 up type veth peer x1 &&"
                             "ip -n a link set x1 up"), 0);
        if (run("ip -n a link add i0 up link x0 type ipvlan 2>/dev/null") != 0) {
                fprintf(stderr, "SKIPPED: no ipvlan in this kernel\n");
                return;
        }
        assert_int_equal(run("ip -n a link add i1 netns b link x1 type ipvlan &&"
                             "ip -n b link set i1 up"), 0);
        assert_as_fresh(listener);
        assert_int_equal(run("ip -n a link set x0 mtu 1300 && ip -n a link set x1 mtu 1400"), 0);
        look(&listener->world);
        assert_int_equal(seen(&listener->world, "a/i0")->common.values[LINK_MTU].number, 1300);
        assert_int_equal(seen(&listener->world, "b/i1")->common.values[LINK_MTU].number, 1400);
        assert_rests(listener);
}

/* A link of a namespace that nobody knows: all are asked, and have no number yet. */
static void test_numbers(void **state) {
        Listener *listener = *state;
        World *world = &listener->world;

        assert_int_equal(run("ip netns add a && ip netns add b && ip netns add hidden &&"
                             "ip link add h0 type veth peer name h1 netns hidden"), 0);
        space_of(world->wanted, "a");
        space_of(world->wanted, "b");
        look(world);
        assert_string_equal(ref_in(&seen(world, "h0")->options, "peer")->netns, "?");
        assert_rests(listener);
        assert_int_equal(run("ip link add q0 type veth peer name q1 netns b"), 0);
        look(world);
        assert_ref(ref_in(&seen(world, "q0")->options, "peer"), "b", "q1");
        assert_ref(ref_in(&seen(world, "b/q1")->options, "peer"), HOST, "q0");
        assert_rests(listener);
}

/* More events than the socket can hold, and nobody takes them. */
static void test_overrun(void **state) {
        Listener *listener = *state;

        set_scene(listener);
        for (unsigned round = 0; round < 3; round++) {
                assert_int_equal(run("for i in $(seq 6000); do echo link set p0 alias x%u$i; done |"
                                     "ip -b - && ip link add z%u type bridge && "
                                     "ip -n a link set p1 alias y%u", round, round, round), 0);
                if (round == 1)
                        await_calm(listener);
                assert_as_fresh(listener);
        }
        /* And listening goes on. */
        await_calm(listener);
        assert_int_equal(run("ip -n a link set p1 alias last"), 0);
        await_touch(listener, "a", seen(&listener->world, "a/p1")->ifindex);
}

/* Chance. */

#define SPACES 3
#define NAMES 8

static const char *const spaces[SPACES] = {"a", "b", "c"};

static unsigned pick(unsigned *seed, unsigned n) {
        *seed = *seed * 1103515245u + 12345u;
        return (*seed >> 16) % n;
}

static const char *const settings[] = {
        "mtu 1400", "mtu 1280", "mtu 1500", "up", "down", "up", "alias one", "alias ''", "group 5",
        "group default", "txqueuelen 50", "address 02:00:00:00:01:01", "address 02:00:00:00:01:02",
        "promisc on", "promisc off", "allmulticast on", "arp off", "arp on", "multicast off",
        "addrgenmode none", "addrgenmode eui64", "nomaster", "type bridge stp_state 1",
        "type bridge stp_state 0", "type bridge priority 99", "type bridge mcast_snooping 0",
        "type bridge_slave cost 9", "type bridge_slave hairpin on",
        "type bridge_slave learning off",
        "type macvlan mode private", "type macvlan mode vepa", "mtu 1000", "mtu 9000",
};

/* Links come, go, and change places. */
static void random_link(unsigned *seed, const char *ns, unsigned name, Buf *ret) {
        const char *other = spaces[pick(seed, SPACES)];
        unsigned second = pick(seed, NAMES);

        buf_printf(ret, "ip -n %s link ", ns);
        switch (pick(seed, 8)) {
        case 0:
                buf_printf(ret, "add l%u type bridge", name);
                break;
        case 1:
                buf_printf(ret, "add l%u type veth peer name l%u netns %s", name, second, other);
                break;
        case 2:
                buf_printf(ret, "add l%u netns %s link l%u type macvlan", name, other, second);
                break;
        case 3:
                buf_printf(ret, "add l%u type vxlan id %u dev l%u dstport 4789", name,
                           pick(seed, 9), second);
                break;
        case 4:
                buf_printf(ret, "del l%u", name);
                break;
        case 5:
                buf_printf(ret, "set l%u name l%u", name, second);
                break;
        case 6:
                buf_printf(ret, "set l%u netns %s", name, other);
                break;
        default:
                buf_printf(ret, "set l%u master l%u", name, second);
                break;
        }
}

static void random_change(unsigned *seed, Buf *ret) {
        const char *ns = spaces[pick(seed, SPACES)];
        unsigned name = pick(seed, NAMES), what = pick(seed, 20), host = pick(seed, 4) + 1;

        if (what < 9)
                random_link(seed, ns, name, ret);
        else if (what == 9)
                buf_printf(ret, "ip -n %s link property %s dev l%u altname other%u", ns,
                           pick(seed, 2) ? "add" : "del", name, pick(seed, NAMES));
        else if (what < 12)
                buf_printf(ret, "ip -n %s addr add 10.0.%u.%u/24 dev l%u", ns, pick(seed, 3), host,
                           name);
        else if (what == 12)
                buf_printf(ret, "ip -n %s addr add 2001:db8::%u/64 dev l%u nodad", ns, host, name);
        else if (what == 13)
                buf_printf(ret, "ip -n %s addr del 10.0.%u.%u/24 dev l%u", ns, pick(seed, 3), host,
                           name);
        else if (what == 14)
                buf_printf(ret, "bridge -n %s link set dev l%u cost %u", ns, name, host);
        else if (what == 15 && pick(seed, 12) == 0)
                buf_printf(ret, "ip netns del %s; ip netns add %s", ns, ns);
        else if (what == 15)
                buf_printf(ret, "ip -n %s addr flush dev l%u", ns, name);
        else
                buf_printf(ret, "ip -n %s link set l%u %s", ns, name,
                           settings[pick(seed, ELEMENTSOF(settings))]);
}

/*
 * The property that counts: after every change, whatever it was, what is remembered and what is
 * there are the same. Sometimes several changes come at once, sometimes they are told in between.
 */
static void test_random(void **state) {
        const char *count = getenv("MVNET_CHANGES"), *start = getenv("MVNET_SEED");
        unsigned n = count ? (unsigned)atoi(count) : 80, seed = start ? (unsigned)atoi(start) : 1;
        Listener *listener = *state;
        size_t worked = 0;

        for (size_t i = 0; i < SPACES; i++) {
                assert_int_equal(run("ip netns add %s", spaces[i]), 0);
                space_of(listener->world.wanted, spaces[i]);
        }
        look(&listener->world);
        for (unsigned i = 0; i < n; i++) {
                _cleanup_(buf_deinit) Buf command = {};

                for (unsigned k = pick(&seed, 4) ? 1 : 8; k > 0; k--) {
                        buf_reset(&command);
                        random_change(&seed, &command);
                        if (getenv("MVNET_VERBOSE"))
                                print_message("%u: %s\n", i, buf_text(&command));
                        worked += run("{ %s; } >/dev/null 2>&1", buf_text(&command)) == 0;
                }
                if (pick(&seed, 3) == 0)
                        notice(listener);
                assert_as_fresh(listener);
                assert_rests(listener);
                if (pick(&seed, 8) == 0) {
                        kernel_forget(listener->world.kernel);
                        assert_all_as_fresh(listener);
                }
        }
        assert_true(worked > n / 4);
}

#define T(test) cmocka_unit_test_setup_teardown(test, listener_setup, listener_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_silence),
                cmocka_unit_test_setup_teardown(test_unwatched, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(test_left_behind, listener_setup, listener_teardown),
                T(test_changes),
                T(test_touches),
                T(test_touches_while_applying),
                T(test_churn),
                T(test_sysctls),
                T(test_silent_losses),
                T(test_default_routes),
                T(test_nexthops),
                T(test_filter),
                T(test_followers),
                T(test_numbers),
                T(test_overrun),
                T(test_random),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
