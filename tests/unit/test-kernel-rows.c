/* SPDX-License-Identifier: MIT */
/* What is sent to the real kernel is what is read back: links and ports, of kinds one by one. */

#include "values.h"
#include "world.h"

#include "mvnet/vlans.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

static int tap_fd = -1;

/* As a virtual machine would. */
static void open_tap(const char *name) {
        struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

        memcpy(request.ifr_name, name, strlen(name));
        tap_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        assert_true(tap_fd >= 0);
        assert_int_equal(ioctl(tap_fd, TUNSETIFF, &request), 0);
}

static void close_tap(void) {
        close(tap_fd);
        tap_fd = -1;
}

/* Round trips. */

static void test_veth_here(void **state) {
        World *world = *state;
        Link *a = set(want(world, HOST, "a", "veth"), "peer", "b");
        Link *b = set(want(world, HOST, "b", "veth"), "peer", "a");

        set(set(set(a, "mtu", "1400"), "mac", "02:00:00:00:00:0a"), "link-group", "0x6d76");
        set(set(set(b, "mtu", "1300"), "mac", "02:00:00:00:00:0b"), "txqueuelen", "77");
        make(world, a, b);
        assert_converged(world);
        assert_false(attrset_has(&seen(world, "a")->common, LINK_PARENT));
        assert_ptr_equal(link_peer(seen(world, "a")), seen(world, "b"));
}

static void test_veth_far(void **state) {
        World *world = *state;
        Link *a, *b;

        make_space(world, "ns1");
        make_space(world, "ns2");
        a = set(want(world, "ns1", "eth0", "veth"), "peer", "ns2/eth0");
        b = set(want(world, "ns2", "eth0", "veth"), "peer", "ns1/eth0");
        set(set(set(a, "mtu", "9000"), "alias", "the near end"), "state", "up");
        set(set(b, "mtu", "1280"), "link-group", "99");
        make(world, a, b);
        assert_converged(world);
        assert_null(network_find_path(world->have, "eth0"));
}

static void test_veth_without_peer_link(void **state) {
        World *world = *state;
        Link *a = set(want(world, HOST, "a", "veth"), "peer", "b");

        make(world, a, NULL);
        look(world);
        assert_ref(ref_in(&seen(world, "a")->options, "peer"), HOST, "b");
}

/* Rows that the kernel refuses, or ignores, unless it was built with VLAN filtering. */
static bool needs_filtering(const Row *row) {
        return strncmp(row->key, "vlan-", 5) == 0 || streq(row->key, "mst-enabled") ||
               streq(row->key, "mcast-vlan-snooping") || streq(row->key, "neigh-vlan-suppress");
}

/* Rows that Linux 6.1 takes and ignores. */
static bool is_young(const Row *row) {
        static const char *const keys[] = {
                "mdb-offload-fail-notification", "fdb-local-vlan-0", "fdb-max-learned", "mab",
                "mcast-max-groups", "neigh-vlan-suppress", "backup-nhid",
        };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (streq(keys[i], row->key))
                        return true;
        return false;
}

typedef struct Tally {
        size_t taken, shown;
} Tally;

static Link *path_seen(World *world, const Link *link) {
        return namespace_find_link(network_find_namespace(world->have, link->netns->name),
                                   link->name);
}

static void try_value(World *world, Link *link, Section section, size_t row, Tally *tally) {
        AttrSet *sets[] = {&link->common, &link->options, &link->port, &link->vlans};
        const Row *what = schema_row(sets[section]->schema, row);
        const AttrSet *have;

        look(world);
        have = link_section(path_seen(world, link), section);
        if (attrset_has(have, row) &&
            value_change_is_fixed(what, &have->values[row], &sets[section]->values[row]))
                return;
        add_set(world, link, section, ROW_BIT(row));
        apply(world);
        world->n = 0;
        if (world->results[0].error) {
                assert_ptr_equal(world->results[0].row, what);
                return;
        }
        look(world);
        have = link_section(path_seen(world, link), section);
        tally->taken++;
        tally->shown += attrset_has(have, row) &&
                        value_equal(what, &sets[section]->values[row], &have->values[row]);
}

/* Each row by itself with every value that there may be: what the kernel takes, it shows. */
static void try_rows(World *world, Link *link, Section section) {
        AttrSet *set_of[] = {&link->common, &link->options, &link->port, &link->vlans};
        AttrSet *wanted = set_of[section];
        Random random = {random_seed(17)};
        size_t n = schema_size(wanted->schema);
        bool filtering = !lacks_filtering();

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(wanted->schema, i);
                Tally tally = {};
                Values values;

                if (row->type->is_ref || row->change == CHANGE_CREATE ||
                    row->change == CHANGE_STATE || (row->flags & ROW_LOCAL) || row->when ||
                    (!filtering && needs_filtering(row)))
                        continue;
                values_of_row(row, &world->wanted->arena, &random, &values);
                assert_true(values.n > 0);
                for (size_t j = 0; j < values.n; j++) {
                        attrset_set(wanted, i, values.items[j]);
                        try_value(world, link, section, i, &tally);
                }
                attrset_set(wanted, i, values.items[0]);
                try_value(world, link, section, i, &(Tally){});
                wanted->present &= ~ROW_BIT(i);
                if (tally.shown < tally.taken && is_young(row))
                        print_message("SKIPPED %s: not in this kernel\n", row->key);
                else if (tally.shown == 0 || tally.shown != tally.taken)
                        fail_msg("%s: %zu of %zu values taken, only %zu shown as sent", row->key,
                                 tally.taken, values.n, tally.shown);
        }
}

static void test_bridge_rows(void **state) {
        World *world = *state;
        Link *bridge = want(world, HOST, "br0", "bridge");

        make(world, bridge, NULL);
        try_rows(world, bridge, SECTION_OPTIONS);
}

static void test_bridge_create(void **state) {
        World *world = *state;
        Link *bridge = want(world, HOST, "br0", "bridge");

        set(set(set(bridge, "ageing-time", "0s"), "priority", "4096"), "forward-delay", "4s");
        set(set(set(bridge, "mcast-snooping", "false"), "mcast-hash-max", "512"), "mtu", "1400");
        set(set(bridge, "group-fwd-mask", "8"), "mcast-query-interval", "60s");
        make(world, bridge, NULL);
        assert_converged(world);
}

static void test_bridge_port(void **state) {
        World *world = *state;
        Link *bridge = want(world, HOST, "br0", "bridge");
        Link *port = set(set(want(world, HOST, "p0", "veth"), "peer", "p1"), "master", "br0");

        make(world, bridge, NULL);
        set_port(port, "hairpin", "true");
        set_port(port, "cost", "1234");
        set(port, "addr-gen-mode", "none");
        make(world, port, NULL);
        assert_converged(world);
        assert_ptr_equal(link_master(seen(world, "p0")), seen(world, "br0"));
        try_rows(world, port, SECTION_PORT);
        /* Out of the bridge again. */
        set(port, "master", "none");
        add_set(world, port, SECTION_COMMON, ROW_BIT(LINK_MASTER));
        apply_all(world);
        look(world);
        assert_null(link_master(seen(world, "p0")));
        assert_null(seen(world, "p0")->port.schema);
}

static void test_vlans(void **state) {
        World *world = *state;
        Link *bridge = want(world, HOST, "br0", "bridge");
        Link *port = set(set(want(world, HOST, "p0", "veth"), "peer", "p1"), "master", "br0");

        if (lacks_filtering())
                return;
        make(world, set(bridge, "vlan-filtering", "true"), NULL);
        set_port(port, "vlan-tunnel", "true");
        make(world, port, NULL);
        look(world);
        assert_vlans(world, "br0", "[{vid: 1, pvid: true, untagged: true}]");
        assert_vlans(world, "p0", "[{vid: 1, pvid: true, untagged: true}]");
        set_vlans(port, "[]");
        try_rows(world, port, SECTION_VLANS);
        set_vlans(bridge, "[]");
        try_rows(world, bridge, SECTION_VLANS);
}

static void test_macvlan_far_parent(void **state) {
        static const char *const modes[] = {"private", "vepa", "bridge", "source", "passthru"};
        World *world = *state;
        char name[16];

        make_space(world, "ns1");
        make_space(world, "ns2");
        make(world, set(want(world, HOST, "v0", "veth"), "peer", "ns2/eth0"), NULL);
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                bool passthru = streq(modes[i], "passthru");
                Link *link;

                snprintf(name, sizeof(name), "mv%zu", i);
                link = set(set(want(world, "ns1", name, "macvlan"), "mode", modes[i]),
                           "parent", passthru ? "host/v0" : "ns2/eth0");
                set(set(link, "mtu", "1400"), "link-group", "0x6d76");
                if (!passthru)
                        set(link, "bcqueuelen", "333");
                if (streq(modes[i], "source"))
                        set(link, "source-macs", "[02:00:00:00:00:02, 02:00:00:00:00:01]");
                make(world, link, NULL);
        }
        assert_converged(world);
        /* Modes change in place. */
        set(network_find_path(world->wanted, "ns1/mv0"), "mode", "bridge");
        add_set(world, network_find_path(world->wanted, "ns1/mv0"), SECTION_OPTIONS,
                row_bit(&network_find_path(world->wanted, "ns1/mv0")->options, "mode"));
        apply_all(world);
        assert_converged(world);
}

static void test_macvtap(void **state) {
        World *world = *state;

        make_space(world, "ns1");
        make(world, want(world, HOST, "br0", "bridge"), NULL);
        make(world, set(set(want(world, "ns1", "tap", "macvtap"), "mode", "bridge"), "parent",
                        "host/br0"), NULL);
        assert_converged(world);
}

/* Made by ioctl, and then as any other link. */
static void test_tuns(void **state) {
        static const char *const kinds[] = {"tun", "tap"};
        World *world = *state;
        Link *link;

        if (run("test -c /dev/net/tun") != 0) {
                print_message("SKIPPED: no /dev/net/tun\n");
                return;
        }
        make_space(world, "ns1");
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                make(world, set(want(world, "ns1", kinds[i], kinds[i]), "mtu", "1400"), NULL);
                link = want(world, HOST, kinds[i], kinds[i]);
                set(set(link, "owner", "4711:815"), "multi-queue", "true");
                set(set(set(link, "pi", "true"), "link-group", "0x6d76"), "txqueuelen", "77");
                make(world, set(link, "alias", "to a program"), NULL);
                assert_converged(world);
                try_rows(world, network_find_path(world->wanted, kinds[i]), SECTION_OPTIONS);
        }
        set(network_find_path(world->wanted, "ns1/tap"), "mac", "02:00:00:00:00:07");
        add_set(world, network_find_path(world->wanted, "ns1/tap"), SECTION_COMMON,
                ROW_BIT(LINK_MAC));
        apply_all(world);
        look(world);
        assert_ptr_equal(seen(world, "ns1/tun")->kind, link_kind_find("tun"));
        /* The name is taken, and what is there stays. */
        plan_link(world, link, NULL)->rows[SECTION_OPTIONS] = 0;
        world->n = 1;
        assert_int_equal(apply_one(world).error, -EEXIST);
}

/* Who has one open is not disturbed: it can't be changed, and is told why. */
static void test_tun_in_use(void **state) {
        World *world = *state;
        Link *link = want(world, HOST, "t0", "tap");
        OpResult result;

        if (run("test -c /dev/net/tun") != 0)
                return;
        make(world, set(link, "owner", "4711"), NULL);
        assert_int_equal(run("ip tuntap show | grep -q 't0: tap persist user 4711'"), 0);
        set(link, "owner", "4712");
        open_tap("t0");
        add_set(world, link, SECTION_OPTIONS, row_bit(&link->options, "owner"));
        result = apply_one(world);
        assert_int_equal(result.error, -EBUSY);
        assert_non_null(strstr(result.message, "in use"));
        assert_string_equal(result.row->key, "owner");
        close_tap();
        add_set(world, link, SECTION_OPTIONS, row_bit(&link->options, "owner"));
        apply_all(world);
        assert_converged(world);
}

/* Kinds that not every kernel has. */
static bool lacks(const char *kind, const char *options) {
        if (run("ip link add dev base type veth peer name base1 && "
                "ip link add link base name probe type %s %s 2>/dev/null && ip link del dev base",
                kind, options) == 0)
                return false;
        run("ip link del dev base");
        print_message("SKIPPED: no %s in this kernel\n", kind);
        return true;
}

/* What goes by generic netlink, in the mode where there is more of it, and of ports. */
static void test_team(void **state) {
        World *world = *state;
        Link *team = want(world, HOST, "team0", "team"), *port;

        if (run("ip link add dev team0 type team 2>/dev/null && ip link del dev team0") != 0) {
                print_message("SKIPPED: no team in this kernel\n");
                return;
        }
        make(world, set(team, "mode", "random"), NULL);
        try_rows(world, team, SECTION_OPTIONS);
        set(set(team, "mode", "loadbalance"), "lb-tx-method", "hash_to_port_mapping");
        add_set(world, team, SECTION_OPTIONS, team->options.present);
        apply_all(world);
        assert_converged(world);
        team->options.present &= ~row_bit(&team->options, "lb-tx-method");
        add_set(world, set(team, "mode", "activebackup"), SECTION_OPTIONS,
                row_bit(&team->options, "mode"));
        apply_all(world);
        port = set(set(want(world, HOST, "p0", "veth"), "peer", "p1"), "master", "team0");
        make(world, port, NULL);
        assert_int_equal(link_set_port(port, &link_kind_find("team")->port), 0);
        try_rows(world, port, SECTION_PORT);
        add_set(world, set(team, "active-port", "p0"), SECTION_OPTIONS,
                row_bit(&team->options, "active-port"));
        apply_all(world);
        assert_converged(world);
        /* Not with ports; and who is at fault is told. */
        add_set(world, set(team, "mode", "broadcast"), SECTION_OPTIONS,
                row_bit(&team->options, "mode"));
        assert_int_equal(apply_one(world).error, -EBUSY);
        assert_string_equal(world->results[0].row->key, "mode");
}

/* Its keys come back as they were sent, but for the bits of a private one that are fixed. */
static void test_wireguard(void **state) {
        World *world = *state;
        Link *link = want(world, "ns1", "wg0", "wireguard");

        if (run("ip link add dev wg0 type wireguard 2>/dev/null && ip link del dev wg0") != 0) {
                print_message("SKIPPED: no wireguard in this kernel\n");
                return;
        }
        make_space(world, "ns1");
        put_on(link, &object_wireguard_peer, "public-key",
               "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=", "endpoint", "10.0.0.1:51820",
               "allowed-ips", "[10.0.0.0/8, fd00::/8]", "persistent-keepalive", "25s", NULL);
        make(world, set(link, "fwmark", "7"), NULL);
        assert_converged(world);
        try_rows(world, link, SECTION_OPTIONS);
        /* What is said of a peer replaces what was said before; one that goes is gone. */
        set_in(&link->objects->set, HOST, "allowed-ips", "[]", &world->wanted->arena);
        set_in(&link->objects->set, HOST, "endpoint", "[fd00::1]:1", &world->wanted->arena);
        plan_objects(world, link, link->netns, link->objects);
        world->ops[0].type = OP_OBJECT_SET;
        apply_all(world);
        assert_converged(world);
        plan_objects(world, link, link->netns, link->objects);
        world->ops[0].type = OP_OBJECT_DEL;
        apply_all(world);
        look(world);
        assert_null(seen(world, "ns1/wg0")->objects);
}

/* More of them than fit into one message. */
static void test_many_peers(void **state) {
        World *world = *state;
        Link *link = want(world, HOST, "wg0", "wireguard");
        size_t n = 0;

        if (run("ip link add dev wg0 type wireguard 2>/dev/null && ip link del dev wg0") != 0)
                return;
        for (unsigned i = 0; i < 60; i++) {
                uint8_t key[SECRET_SIZE] = {9, (uint8_t)i};
                char text[SECRET_TEXT_SIZE], ips[4096] = "[";

                secret_to_text(key, text);
                for (unsigned j = 0; j < 60; j++)
                        snprintf(ips + strlen(ips), sizeof(ips) - strlen(ips), "%s10.%u.%u.0/24",
                                 j ? ", " : "", i, j);
                strcat(ips, "]");
                put_on(link, &object_wireguard_peer, "public-key", text, "allowed-ips", ips, NULL);
        }
        make(world, link, NULL);
        assert_converged(world);
        for (Object *peer = seen(world, "wg0")->objects; peer; peer = peer->next)
                n += peer->type == &object_wireguard_peer;
        assert_int_equal(n, 60);
}

/* Where no devtmpfs does it, and /dev is the guest's own. False: there is no file for it. */
static bool make_node(const char *kind, const char *link) {
        return run("cd /sys/class/net/%s/%s/tap* && node=/dev/${PWD##*/} && "
                   "{ [ -e $node ] || { [ \"$MVNET_KIND\" = host ] && IFS=: read -r a b <dev && "
                   "mknod -m 600 $node c $a $b; }; }", link, kind) == 0;
}

static void try_device(World *world, const char *kind, const char *mode) {
        Link *link = set(set(want(world, HOST, kind, kind), "mode", mode), "parent", "v0");
        size_t owner = (size_t)schema_find(link->options.schema, "owner");
        OpResult result;

        make(world, link, NULL);
        set(link, "owner", "4711:815");
        if (!make_node(kind, kind)) {
                print_message("SKIPPED: no /dev/tapN for a %s\n", kind);
                add_set(world, link, SECTION_OPTIONS, ROW_BIT(owner));
                result = apply_one(world);
                assert_int_equal(result.error, -ENOENT);
                assert_non_null(strstr(result.message, "no file in /dev"));
                link->options.present &= ~ROW_BIT(owner);
                return;
        }
        set(link, "device-mode", "0640");
        add_set(world, link, SECTION_OPTIONS,
                ROW_BIT(owner) | row_bit(&link->options, "device-mode"));
        apply_all(world);
        assert_converged(world);
        assert_int_equal(run("test -c /run/mvnet/tap/%s && test \"$(stat -L -c %%u:%%g:%%a "
                             "/run/mvnet/tap/%s)\" = 4711:815:640", kind, kind), 0);
        /* What is not said stays. */
        add_set(world, set(link, "owner", "0"), SECTION_OPTIONS, ROW_BIT(owner));
        apply_all(world);
        assert_converged(world);
        assert_int_equal(run("test \"$(stat -L -c %%u:%%g:%%a /run/mvnet/tap/%s)\" = 0:815:640",
                             kind), 0);
        /* Somebody else's drift is seen once all is read again. */
        assert_int_equal(run("chown 5 $(readlink /run/mvnet/tap/%s)", kind), 0);
        look(world);
        assert_int_equal(seen(world, kind)->options.values[owner].pair.from, 5);
        add_set(world, link, SECTION_OPTIONS, ROW_BIT(owner));
        apply_all(world);
        assert_converged(world);
}

static void delete_macvtap(World *world) {
        Link *link = network_find_path(world->wanted, "macvtap");

        add_op(world, OP_LINK_DEL, HOST, "macvtap")->link = link;
        apply_all(world);
        namespace_remove_link(link);
        assert_int_not_equal(run("test -h /run/mvnet/tap/macvtap"), 0);
}

static void test_devices(void **state) {
        World *world = *state;
        bool with_files;

        make(world, set(want(world, HOST, "v0", "veth"), "peer", "v1"), NULL);
        try_device(world, "macvtap", "bridge");
        with_files = run("test -h /run/mvnet/tap/macvtap") == 0;
        delete_macvtap(world);
        /* Many at once, */
        try_device(world, "macvtap", "bridge");
        add_op(world, OP_LINK_DEL, HOST, "v0");
        delete_macvtap(world);
        assert_int_not_equal(run("ip link show v0 2>/dev/null"), 0);
        /* and with what it stands on. */
        make(world, network_find_path(world->wanted, "v0"), NULL);
        try_device(world, "macvtap", "bridge");
        if (with_files) /* no devtmpfs, no end */
                assert_int_equal(run("rm -f $(readlink /run/mvnet/tap/macvtap)"), 0);
        add_op(world, OP_LINK_DEL, HOST, "v0");
        apply_all(world);
        namespace_remove_link(network_find_path(world->wanted, "macvtap"));
        assert_int_not_equal(run("test -h /run/mvnet/tap/macvtap"), 0);
        make(world, network_find_path(world->wanted, "v0"), NULL);
        if (!lacks("ipvtap", "mode l2"))
                try_device(world, "ipvtap", "l2");
}

static void test_backup_port(void **state) {
        World *world = *state;
        Link *port = set(set(want(world, HOST, "p0", "veth"), "peer", "p1"), "master", "br0");

        make(world, want(world, HOST, "br0", "bridge"), NULL);
        make(world, set(set(want(world, HOST, "q0", "veth"), "peer", "q1"), "master", "br0"), NULL);
        set_port(port, "backup-port", "q0");
        make(world, port, NULL);
        assert_converged(world);
        set_port(port, "backup-port", "none");
        add_set(world, port, SECTION_PORT, port->port.present);
        apply_all(world);
        assert_converged(world);
}

/* No file can say it: an entry that is sent only for the kernel to remove what it has. */
static void add_removal(Link *link, const char *key, uint32_t from) {
        size_t i = (size_t)schema_find(link->options.schema, key);
        Value item = {};

        item.pair.from = from;
        assert_int_equal(value_append(schema_row(link->options.schema, i),
                                      &link->netns->network->arena, &link->options.values[i], &item),
                         0);
}

static void test_vlan(void **state) {
        World *world = *state;
        Link *link;

        if (lacks("vlan", "id 2"))
                return;
        make_space(world, "ns1");
        make_space(world, "ns2");
        make(world, set(set(want(world, "ns1", "eth0", "veth"), "peer", "eth1"), "state", "up"),
             NULL);
        link = set(set(want(world, "ns2", "eth0", "vlan"), "id", "10"), "parent", "ns1/eth0");
        set(set(set(link, "protocol", "802.1ad"), "loose-binding", "true"), "gvrp", "true");
        set(set(link, "ingress-qos-map", "{1: 5, 7: 2}"), "egress-qos-map", "{0: 3, 9: 7}");
        set(set(link, "reorder-hdr", "false"), "mtu", "1400");
        make(world, link, NULL);
        assert_converged(world);
        set(set(link, "loose-binding", "false"), "gvrp", "false");
        set(set(link, "ingress-qos-map", "{1: 6}"), "egress-qos-map", "{}");
        add_set(world, link, SECTION_OPTIONS,
                row_bit(&link->options, "loose-binding") | row_bit(&link->options, "gvrp"));
        apply_all(world);
        /* Maps are merged by the kernel: what is dropped is sent as 0. */
        set(set(link, "ingress-qos-map", "{1: 6}"), "egress-qos-map", "{}");
        add_removal(link, "ingress-qos-map", 7);
        add_removal(link, "egress-qos-map", 0);
        add_removal(link, "egress-qos-map", 9);
        add_set(world, link, SECTION_OPTIONS, row_bit(&link->options, "ingress-qos-map") |
                                                      row_bit(&link->options, "egress-qos-map"));
        apply_all(world);
        set(set(link, "ingress-qos-map", "{1: 6}"), "egress-qos-map", "{}");
        assert_converged(world);
}

static void test_ipvlan(void **state) {
        static const char *const modes[] = {"l2", "l3", "l3s"};
        World *world = *state;
        Link *link;

        if (lacks("ipvlan", "mode l2"))
                return;
        make_space(world, "ns1");
        make(world, set(want(world, HOST, "v0", "veth"), "peer", "v1"), NULL);
        link = set(set(want(world, "ns1", "eth0", "ipvlan"), "mode", "l2"), "parent", "host/v0");
        make(world, set(link, "flags", "private"), NULL);
        for (size_t i = 0; i < ELEMENTSOF(modes); i++) {
                add_set(world, set(link, "mode", modes[i]), SECTION_OPTIONS,
                        row_bit(&link->options, "mode"));
                apply_all(world);
                assert_converged(world);
        }
}

/* Linux 6.1 forgets to say in which namespace an ipvtap's parent lives: then nothing is known. */
static void test_ipvtap(void **state) {
        World *world = *state;
        const Ref *parent;
        Link *link;

        if (lacks("ipvtap", "mode l2"))
                return;
        make_space(world, "ns1");
        make(world, set(want(world, HOST, "v0", "veth"), "peer", "v1"), NULL);
        look(world);
        link = set(set(want(world, "ns1", "tap0", "ipvtap"), "mode", "l3"), "parent", "host/v0");
        /* A link over there with the very ifindex that the parent has here. */
        assert_int_equal(run("ip -n ns1 link add dev other index %d type veth peer name other1",
                             seen(world, "v0")->ifindex), 0);
        make(world, link, NULL);
        look(world);
        parent = link_ref(seen(world, "ns1/tap0"), LINK_PARENT);
        if (parent)
                assert_ref(parent, HOST, "v0");
        else
                print_message("SKIPPED an ipvtap's parent: not in this kernel\n");
        make(world, set(set(want(world, HOST, "tap0", "ipvtap"), "mode", "l3"), "parent", "v0"),
             NULL);
        link->common.present &= ~ROW_BIT(LINK_PARENT);
        assert_converged(world);
}

/* As every container's link is called; before 6.15, that alone made the kernel refuse it. */
static void test_macvlan_same_name(void **state) {
        World *world = *state;
        uint64_t writes;
        Link *link;

        make_space(world, "ns1");
        make_space(world, "ns2");
        make(world, set(want(world, "ns2", "eth0", "veth"), "peer", "eth1"), NULL);
        link = set(set(want(world, "ns1", "eth0", "macvlan"), "mode", "vepa"), "parent",
                   "ns2/eth0");
        make(world, link, NULL);
        assert_converged(world);
        assert_int_equal(HASH_COUNT(network_find_namespace(world->have, "ns1")->links), 2);
        assert_int_equal(HASH_COUNT(network_find_namespace(world->have, "ns2")->links), 3);
        /* Where the name is taken it is still refused, and nothing is left of trying. */
        writes = world->kernel->writes;
        plan_link(world, link, NULL);
        assert_int_equal(apply_one(world).error, -EEXIST);
        assert_int_equal(world->kernel->writes, writes + 1);
        look(world);
        assert_int_equal(HASH_COUNT(network_find_namespace(world->have, "ns1")->links), 2);
}

static void test_common_rows(void **state) {
        World *world = *state;
        Link *link = set(want(world, HOST, "v0", "veth"), "peer", "v1");

        set(set(set(link, "arp", "false"), "multicast", "false"), "allmulticast", "true");
        set(set(set(link, "promisc", "true"), "alias", "two words"), "state", "up");
        set(set(set(link, "txqueuelen", "0"), "mtu", "68"), "mac", "02:00:00:00:00:01");
        make(world, link, NULL);
        assert_converged(world);
        set(set(set(link, "arp", "true"), "multicast", "true"), "allmulticast", "false");
        set(set(set(link, "promisc", "false"), "alias", ""), "mtu", "65535");
        set(link, "state", "down");
        add_set(world, link, SECTION_COMMON, link->common.present);
        apply_all(world);
        assert_converged(world);
}

/* A flag by itself leaves the others alone. */
static void test_flags_alone(void **state) {
        World *world = *state;
        Link *link = set(want(world, HOST, "v0", "veth"), "peer", "v1");

        make(world, set(set(link, "promisc", "true"), "arp", "false"), NULL);
        set(link, "state", "up");
        add_set(world, link, SECTION_COMMON, ROW_BIT(LINK_STATE));
        apply_all(world);
        set(link, "multicast", "true");
        assert_converged(world);
}

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                T(test_veth_here),
                T(test_veth_far),
                T(test_veth_without_peer_link),
                T(test_bridge_rows),
                T(test_bridge_create),
                T(test_bridge_port),
                T(test_vlans),
                T(test_macvlan_far_parent),
                T(test_macvtap),
                T(test_tuns),
                T(test_tun_in_use),
                T(test_devices),
                T(test_team),
                T(test_wireguard),
                T(test_many_peers),
                T(test_backup_port),
                T(test_vlan),
                T(test_ipvlan),
                T(test_ipvtap),
                T(test_macvlan_same_name),
                T(test_common_rows),
                T(test_flags_alone),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
