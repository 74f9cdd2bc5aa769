/* SPDX-License-Identifier: MIT */
/*
 * What links and namespaces have any number of, on the real kernel: VLANs and VNIs, names,
 * addresses, sysctls. From each list to each, only the difference is sent, and all of it arrives.
 */

#include "world.h"

#include "mvnet/vlans.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

/* From each to each: what is sent is the difference, however the two are entangled. */
static void test_vlan_changes(void **state) {
        static const char *const lists[] = {
                "[1-4094]",
                "[{vid: 1, pvid: true, untagged: true}]",
                "[]",
                "[2-10, {vid: 11-20, untagged: true}, {vid: 21-30, tunnel: 1021-1030}]",
                "[{vid: 5, pvid: true}, {vid: 15-25, tunnel: 15-25}]",
                "[{vid: 5, untagged: true}, {vid: 6, pvid: true, untagged: true}, 4094]",
                "[{vid: 16-24, untagged: true, tunnel: 17-25}, {vid: 25, tunnel: 16}]",
        };
        World *world = *state;
        Link *port = set(set(want(world, HOST, "p0", "veth"), "peer", "p1"), "master", "br0");

        if (lacks_filtering())
                return;
        make(world, set(want(world, HOST, "br0", "bridge"), "vlan-filtering", "true"), NULL);
        set_port(port, "vlan-tunnel", "true");
        make(world, port, NULL);
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (size_t j = 0; j < 2 * ELEMENTSOF(lists); j++) {
                        set_vlans(port, j % 2 ? lists[i] : lists[j / 2]);
                        add_set(world, port, SECTION_VLANS, ROW_BIT(0));
                        apply_all(world);
                        look(world);
                        assert_vlans(world, "p0", j % 2 ? lists[i] : lists[j / 2]);
                }
}

/* 2,047 VLANs that are no neighbours do not fit into one message with their flags and tunnels. */
static void test_many_vlans(void **state) {
        World *world = *state;
        Link *port = set(set(want(world, HOST, "p0", "veth"), "peer", "p1"), "master", "br0");
        _cleanup_(buf_deinit) Buf text = {};

        if (lacks_filtering())
                return;
        make(world, set(want(world, HOST, "br0", "bridge"), "vlan-filtering", "true"), NULL);
        set_port(port, "vlan-tunnel", "true");
        make(world, port, NULL);
        buf_addc(&text, '[');
        for (unsigned vid = 1; vid < 4095; vid += 2)
                buf_printf(&text, "%s{vid: %u, untagged: true, tunnel: %u}", vid > 1 ? ", " : "", vid,
                           5000 - vid);
        buf_addc(&text, ']');
        set_vlans(port, buf_text(&text));
        add_set(world, port, SECTION_VLANS, ROW_BIT(0));
        apply_all(world);
        look(world);
        assert_vlans(world, "p0", buf_text(&text));
}

/* From each to each, and what the kernel makes of its own accord is nobody's doing. */
static void test_vnis(void **state) {
        static const char *const lists[] = {
                "[10, 20-30, {vni: 40, group: 239.1.1.1}]",
                "[]",
                "[1-16, {vni: 20-24, remote: 10.0.0.1}, {vni: 25-30, remote: 10.0.0.2}, 16777215]",
                "[{vni: 10, remote: 10.0.0.1}, {vni: 20-30, group: 239.1.1.1}, 40]",
                "[10-40]",
                "[{vni: 5, remote: \"fd00::1\"}, {vni: 22-28, group: \"ff05::7\"}]",
        };
        World *world = *state;
        Link *vxlan;

        make(world, set(want(world, HOST, "v0", "veth"), "peer", "v1"), NULL);
        vxlan = set(set(want(world, HOST, "vx", "vxlan"), "external", "true"), "vnifilter", "true");
        set(set(vxlan, "parent", "v0"), "learning", "false");
        if (run("ip link add dev vxtry type vxlan external vnifilter 2>/dev/null && "
                "ip link del dev vxtry") != 0) {
                print_message("SKIPPED: no vnifilter in this kernel\n");
                return;
        }
        make(world, vxlan, NULL);
        assert_converged(world);
        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (size_t j = 0; j < 2 * ELEMENTSOF(lists); j++) {
                        set(vxlan, "vnis", j % 2 ? lists[i] : lists[j / 2]);
                        add_set(world, vxlan, SECTION_OPTIONS, row_bit(&vxlan->options, "vnis"));
                        apply_all(world);
                        assert_converged(world);
                }
        assert_int_equal(run("bridge fdb show dev vx | grep -q 'fd00::1.*src_vni 5'"), 0);
        assert_int_equal(run("bridge fdb show dev vx | grep -q '10.0.0'"), 1);
}

/* What is not done says which row it is about. */
static void test_vni_in_use(void **state) {
        World *world = *state;
        Link *vxlan = set(set(want(world, HOST, "vx", "vxlan"), "external", "true"), "vnifilter",
                          "true");
        OpResult result;

        if (run("ip link add dev other type vxlan external vnifilter 2>/dev/null && "
                "bridge vni add vni 25 dev other") != 0)
                return;
        make(world, vxlan, NULL);
        set(vxlan, "vnis", "[20-30]");
        add_set(world, vxlan, SECTION_OPTIONS, row_bit(&vxlan->options, "vnis"));
        result = apply_one(world);
        assert_int_equal(result.error, -EEXIST);
        assert_string_equal(result.row->key, "vnis");
        run("ip link del dev other");
        add_set(world, vxlan, SECTION_OPTIONS, row_bit(&vxlan->options, "vnis"));
        apply_all(world);
        assert_converged(world);
}

/* More than fit into one message. */
static void test_many_vnis(void **state) {
        World *world = *state;
        Link *vxlan = set(set(want(world, HOST, "vx", "vxlan"), "external", "true"), "vnifilter",
                          "true");
        _cleanup_(buf_deinit) Buf text = {};

        if (run("ip link add dev vxtry type vxlan external vnifilter 2>/dev/null && "
                "ip link del dev vxtry") != 0)
                return;
        make(world, vxlan, NULL);
        buf_addc(&text, '[');
        for (unsigned vni = 1; vni < 3000; vni += 2)
                buf_printf(&text, "%s{vni: %u, remote: \"fd00::%x\"}", vni > 1 ? ", " : "", vni, vni);
        buf_addc(&text, ']');
        set(vxlan, "vnis", buf_text(&text));
        add_set(world, vxlan, SECTION_OPTIONS, row_bit(&vxlan->options, "vnis"));
        apply_all(world);
        assert_converged(world);
}

static void test_altnames(void **state) {
        World *world = *state;
        Link *link = want(world, HOST, "br0", "bridge");
        char longest[128] = {};
        Op *op;

        memset(longest, 'x', 127);
        put_on(link, &object_altname, "name", "other", NULL);
        put_on(link, &object_altname, "name", longest, NULL);
        put_on(link, &object_altname, "name", "a.b", NULL);
        make(world, link, NULL);
        assert_converged(world);
        /* An altname is not a name: nothing is created, changed or deleted through it. */
        op = add_op(world, OP_LINK_DEL, HOST, "other");
        (void)op;
        assert_int_equal(apply_one(world).error, 0);
        assert_converged(world);
        op = add_op(world, OP_OBJECT_DEL, HOST, "br0");
        op->link = link;
        op->object = link->objects;
        apply_all(world);
        object_remove(&link->objects, &link->last, link->objects);
        assert_converged(world);
        look(world);
        for (Object *object = seen(world, "br0")->objects; object; object = object->next)
                if (object->type == &object_altname)
                        assert_string_not_equal(attrset_get(&object->set, "name")->text, "other");
}

static void del_object(World *world, Link *link, const Object *object) {
        Op *op = add_op(world, OP_OBJECT_DEL, link->netns->name, link->name);

        op->link = link;
        op->object = object;
        apply_all(world);
}

static void test_addresses(void **state) {
        World *world = *state;
        Link *link;

        make_space(world, "ns1");
        link = set(set(want(world, "ns1", "v0", "veth"), "peer", "v1"), "state", "up");
        put_on(link, &object_address, "address", "10.0.0.1/24", NULL);
        put_on(link, &object_address, "address", "10.0.0.1/25", NULL);
        put_on(link, &object_address, "address", "10.0.0.2/24", NULL);
        put_on(link, &object_address, "address", "10.4.0.2/24", "broadcast", "10.4.0.255", "label",
               "v0:x", "scope", "link", "metric", "77", NULL);
        put_on(link, &object_address, "address", "10.5.0.1", "peer", "10.6.0.1/24", NULL);
        put_on(link, &object_address, "address", "10.7.0.1/32", "valid", "1000s", "preferred",
               "500s", "noprefixroute", "true", NULL);
        put_on(link, &object_address, "address", "2001:db8::1/64", "nodad", "true", "home", "true",
               NULL);
        put_on(link, &object_address, "address", "2001:db8:1::1", "peer", "2001:db8:2::1/128",
               NULL);
        put_on(link, &object_address, "address", "2001:db8:3::1/128", "valid", "2000s", "preferred",
               "2000s", "noprefixroute", "true", "metric", "5", NULL);
        make(world, link, NULL);
        assert_converged(world);
        /* What is changed keeps the rest. */
        for (Object *object = link->objects; object; object = object->next)
                if (attrset_get(&object->set, "preferred")) {
                        Op *op = add_op(world, OP_OBJECT_SET, "ns1", "v0");

                        assert_true(set_in(&object->set, HOST, "preferred", "700s",
                                           &world->wanted->arena));
                        op->link = link;
                        op->object = object;
                        op->object_rows = row_bit(&object->set, "preferred");
                }
        apply_all(world);
        assert_converged(world);
        /* Each deletion takes that address and no other. */
        while (link->objects) {
                Object *first = link->objects;

                /* Secondaries go with their primary: begin with those. */
                for (Object *object = first; object; object = object->next)
                        first = object;
                del_object(world, link, first);
                look(world);
                assert_null(object_find(seen(world, "ns1/v0")->objects, first));
                object_remove(&link->objects, &link->last, first);
                assert_converged(world);
        }
}

/* The mark of what is ours stands on each address, also after a change. */
static void test_address_mark(void **state) {
        World *world = *state;
        Link *link = set(want(world, HOST, "v0", "veth"), "peer", "v1");
        const Value *protocol;
        Op *op;

        put_on(link, &object_address, "address", "10.0.0.1/24", NULL);
        make(world, link, NULL);
        op = add_op(world, OP_OBJECT_SET, HOST, "v0");
        op->link = link;
        op->object = link->objects;
        apply_all(world);
        look(world);
        protocol = attrset_get(&object_find(seen(world, "v0")->objects, link->objects)->set,
                               "protocol");
        assert_non_null(protocol);
        assert_int_equal(protocol->number, PROTOCOL_OURS);
}

static void test_sysctls(void **state) {
        World *world = *state;
        Namespace *netns;
        Link *link;

        make_space(world, "ns1");
        netns = space_of(world->wanted, "ns1");
        link = set(want(world, "ns1", "eth0.5", "veth"), "peer", "other");
        put_on(link, &object_link_sysctl, "key", "ipv4.rp_filter", "value", "2", NULL);
        put_on(link, &object_link_sysctl, "key", "ipv6.accept_ra", "value", "0", NULL);
        put_on(link, &object_link_sysctl, "key", "neigh4.gc_stale_time", "value", "33", NULL);
        put_in(netns, &object_sysctl, "key", "net.ipv4.ip_forward", "value", "1", NULL);
        put_in(netns, &object_sysctl, "key", "net.ipv4.ip_local_port_range", "value", "2000 3000",
               NULL);
        put_in(netns, &object_sysctl, "key", "net.ipv4.conf.default.forwarding", "value", "0",
               NULL);
        plan_objects(world, NULL, netns, netns->objects);
        make(world, link, NULL);
        assert_converged(world);
        assert_int_not_equal(run("grep -q 1 /proc/sys/net/ipv4/ip_forward"), 0);
        /* What is not there is absent, not an error. */
        put_in(netns, &object_sysctl, "key", "net.ipv4.no_such_thing", "value", "1", NULL);
        put_on(want(world, "ns1", "gone", NULL), &object_link_sysctl, "key", "ipv4.rp_filter",
               "value", "1", NULL);
        look(world);
        assert_null(object_find(network_find_namespace(world->have, "ns1")->objects, netns->last));
        assert_null(network_find_path(world->have, "ns1/gone"));
}

static void test_sysctl_refusals(void **state) {
        World *world = *state;
        Namespace *host = network_find_namespace(world->wanted, HOST);
        OpResult result;

        put_in(host, &object_sysctl, "key", "net.ipv4.no_such_thing", "value", "1", NULL);
        plan_objects(world, NULL, host, host->last);
        result = apply_one(world);
        assert_int_equal(result.error, -ENOENT);
        assert_non_null(strstr(result.message, "no_such_thing"));
        assert_string_equal(result.row->key, "value");
        put_in(host, &object_sysctl, "key", "net.ipv4.ip_local_port_range", "value", "x", NULL);
        plan_objects(world, NULL, host, host->last);
        result = apply_one(world);
        assert_int_equal(result.error, -EINVAL);
        assert_string_equal(result.row->key, "value");
}

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_vlan_changes),
                T(test_many_vlans),
                T(test_vnis),
                T(test_vni_in_use),
                T(test_many_vnis),
                T(test_altnames),
                T(test_addresses),
                T(test_address_mark),
                T(test_sysctls),
                T(test_sysctl_refusals),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
