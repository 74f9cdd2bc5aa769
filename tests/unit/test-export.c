/* SPDX-License-Identifier: MIT */
/*
 * What the kernel has, as a file, and back: nothing is to be done then, and on another machine the
 * same comes of it. The kernel here is make-believe: it gives every row a value, as the real one
 * does.
 */

#include "mvnet/config.h"

#include "random-network.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

static const uint8_t here[16] = {1}, elsewhere[16] = {2};

static Network *load(const char *text, const uint8_t seed[16], bool required) {
        _cleanup_(buf_deinit) Buf problems = {};
        Network *network = NULL;
        Report report = {};

        assert_int_equal(config_load_text("export.yaml", text, seed, &report, &network), 0);
        report_format(&report, false, &problems);
        report_deinit(&report);
        if (!network && required)
                fprintf(stderr, "%s\n%s", text, buf_text(&problems));
        assert_true(network || !required);
        return network;
}

/* A kernel. */

static void fill_defaults(AttrSet *set, Arena *arena) {
        size_t n = set->schema ? schema_size(set->schema) : 0;

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(set->schema, i);
                ParseScope scope = {.arena = arena};
                Value value;

                if (row->flags & ROW_LOCAL)
                        set->present &= ~ROW_BIT(i);
                else if (row->def && !attrset_has(set, i) &&
                         value_parse(row, &scope, row->def, &value) == 0)
                        attrset_set(set, i, value);
        }
        set->implied = 0;
        set->at = NULL;
}

static void imply(Link *link, LinkRow row, uint64_t number) {
        if (!attrset_has(&link->common, row))
                attrset_set(&link->common, row, (Value){.number = number});
}

static void imply_default(Link *link, LinkRow row) {
        uint64_t number;

        imply(link, row, link_kind_default(link->kind, row, &number) ? number : 1);
}

static uint64_t natural_mtu(const Link *link) {
        uint64_t mtu = 0;

        if (streq(link->name, "lo"))
                return 65536;
        for (unsigned depth = 0; link && depth < 32; depth++, link = link_lower(link))
                if (attrset_has(&link->common, LINK_MTU))
                        return link->common.values[LINK_MTU].number;
                else if (!link_kind_default(link->kind, LINK_MTU, &mtu))
                        return 1450;
        return mtu;
}

static void fill_mac(Link *link) {
        const Link *parent = link_lower(link);
        Value mac = {.bytes = {2, 0, (uint8_t)strlen(link->name), (uint8_t)link->name[0], 7, 7}};

        if (parent && attrset_has(&parent->common, LINK_MAC))
                memcpy(mac.bytes, parent->common.values[LINK_MAC].bytes, 6);
        if (!attrset_has(&link->common, LINK_MAC))
                attrset_set(&link->common, LINK_MAC, mac);
        link->common.values[LINK_MAC].policy = MAC_FIXED;
}

static void run_link(Link *link) {
        Arena *arena = &link->netns->network->arena;
        const Link *master = link_master(link);
        uint64_t mtu = natural_mtu(link);

        if (link_state(link) == LINK_STATE_ANY)
                link->common.values[LINK_STATE].number = LINK_STATE_DOWN;
        if (master && link_kind_is(master->kind, KIND_MASTER) && !link->port.schema)
                assert_int_equal(link_set_port(link, &master->kind->port), 0);
        fill_mac(link);
        imply(link, LINK_MTU, mtu);
        imply_default(link, LINK_TXQUEUELEN);
        imply_default(link, LINK_ARP);
        if (link_kind_is(link->kind, KIND_ARP_VARIES))
                link->common.values[LINK_ARP].number = 1; /* never said */
        imply_default(link, LINK_MULTICAST);
        imply_default(link, LINK_ADDR_GEN_MODE);
        fill_defaults(&link->common, arena);
        fill_defaults(&link->options, arena);
        fill_defaults(&link->port, arena);
        for (Object *object = link->objects; object; object = object->next)
                fill_defaults(&object->set, arena);
        if (link_is_physical(link)) {
                link->has_permanent_mac = true;
                memcpy(link->permanent_mac, link->common.values[LINK_MAC].bytes, 6);
                link->kind = NULL;
                link->options = (AttrSet){};
        }
}

/* Added by us. */
static void run_entry(Object *object, Arena *arena) {
        int protocol = schema_find(object->set.schema, "protocol");

        fill_defaults(&object->set, arena);
        if (protocol >= 0)
                attrset_set(&object->set, (size_t)protocol, (Value){.number = PROTOCOL_OURS});
}

/* What comes of a wanted Network. It is changed in place: parents first, they give MTU and MAC. */
static void run(Network *network) {
        for (Namespace *netns = network->namespaces; netns; netns = netns->hh.next) {
                netns->exists = true;
                for (Object *object = netns->objects; object; object = object->next)
                        run_entry(object, &network->arena);
        }
        for (unsigned round = 0; round < 8; round++)
                for (Namespace *netns = network->namespaces; netns; netns = netns->hh.next)
                        for (Link *link = netns->links; link; link = link->hh.next) {
                                unsigned depth = 0;

                                for (const Link *at = link_lower(link); at; at = link_lower(at))
                                        depth++;
                                if (MIN(depth, 7u) == round)
                                        run_link(link);
                        }
}

/* Comparing. */

static bool is_ours(const Link *link) {
        return link->common.values[LINK_GROUP].number == LINK_GROUP_OURS;
}

static void assert_no_difference(const AttrSet *wanted, const AttrSet *have, bool ours,
                                 const char *text) {
        RowSet unknown, differ = wanted->schema ? attrset_diff(wanted, have, ours, &unknown) : 0;
        size_t i;

        ROWSET_FOREACH(i, differ) {
                _cleanup_(buf_deinit) Buf a = {}, b = {};

                value_format(schema_row(wanted->schema, i), &wanted->values[i], &a);
                value_format(schema_row(wanted->schema, i), &have->values[i], &b);
                print_message("%s\n%s: wanted %s, have %s\n", text,
                              schema_row(wanted->schema, i)->key, buf_text(&a), buf_text(&b));
        }
        assert_int_equal(differ, 0);
}

static void assert_objects(Object *wanted, Object *have, const char *text) {
        for (Object *object = wanted; object; object = object->next) {
                const Object *there = object_find(have, object);

                if (!there)
                        print_message("%s", text);
                assert_non_null(there);
                assert_no_difference(&object->set, &there->set, true, text);
        }
}

/* Nothing is to be done to make `wanted` of `have`. */
static void assert_covers(const Network *wanted, const Network *have, const char *text) {
        for (Namespace *netns = wanted->namespaces; netns; netns = netns->hh.next) {
                const Namespace *there = network_find_namespace(have, netns->name);

                assert_non_null(there);
                assert_objects(netns->objects, there->objects, text);
                for (Link *link = netns->links; link; link = link->hh.next) {
                        const Link *other = namespace_find_link(there, link->name);

                        if (!other)
                                print_message("%s\nlost: %s\n", text, link->name);
                        assert_non_null(other);
                        if (!link_is_physical(link))
                                assert_ptr_equal(link->kind, other->kind);
                        assert_no_difference(&link->common, &other->common, is_ours(other), text);
                        assert_no_difference(&link->options, &other->options, is_ours(other), text);
                        assert_no_difference(&link->port, &other->port, is_ours(other), text);
                        assert_objects(link->objects, other->objects, text);
                }
        }
}

static void export(const Network *have, bool all, Buf *ret) {
        assert_int_equal(config_export(have, all, ret), 0);
}

/* Cases. */

static void assert_round_trip(const char *text, bool all) {
        _cleanup_(network_freep) Network *have = load(text, here, false), *again = NULL;
        _cleanup_(buf_deinit) Buf exported = {};

        if (!have)
                skip();
        run(have);
        export(have, all, &exported);
        again = load(buf_text(&exported), elsewhere, true);
        assert_covers(again, have, buf_text(&exported));
        if (!all)
                return;
        /* Made from scratch by that file, it is the same again, whatever the machine. */
        run(again);
        assert_covers(have, again, buf_text(&exported));
}

static void test_random_networks(void **state _unused_) {
        Random random = {.state = random_seed(99)};
        size_t rounds = random_rounds(400), done = 0;

        for (size_t i = 0; i < rounds; i++) {
                RandomShape shape = {.namespaces = 3, .links = 10};
                _cleanup_(buf_deinit) Buf text = {};
                Network *network;

                random_network(&random, &shape, &text);
                network = load(buf_text(&text), here, false);
                if (!network)
                        continue; /* it breaks a rule between rows */
                network_free(network);
                assert_round_trip(buf_text(&text), true);
                assert_round_trip(buf_text(&text), false);
                done++;
        }
        assert_true(done >= rounds / 4);
}

static void assert_export(const char *text, bool all, const char *expected) {
        _cleanup_(network_freep) Network *have = load(text, here, true);
        _cleanup_(buf_deinit) Buf exported = {};
        const char *body;

        run(have);
        export(have, all, &exported);
        assert_int_equal(buf_text(&exported)[0], '#');
        body = strchr(buf_text(&exported), '\n');
        assert_non_null(body);
        assert_string_equal(body + 1, expected);
}

static void test_text(void **state _unused_) {
        assert_export("interfaces:\n"
                      "  eth0: {addresses: [10.0.0.1/24]}\n"
                      "  br0: {kind: bridge, stp: on, mtu: 1400, addresses: [10.0.1.1/24,\n"
                      "        {address: 'fd00::1/64', nodad: true}], ports: [v0]}\n"
                      "  v0: {kind: veth, peer: ns1/v1, mac: 02:00:00:00:00:01, state: down,\n"
                      "       bridge-port: {hairpin: true}}\n"
                      "  mv: {kind: macvlan, mode: passthru, parent: eth0}\n"
                      "namespaces:\n"
                      "  ns1: {interfaces: {v1: {mac: 02:00:00:00:00:02, alias: 'a: b # c'},\n"
                      "        iv: {kind: ipvlan, mode: l3, parent: v1}}}\n",
                      false,
                      "interfaces:\n"
                      "  eth0: {}\n"
                      "  br0:\n"
                      "    kind: bridge\n"
                      "    mac: 02:00:03:62:07:07\n"
                      "    mtu: 1400\n"
                      "    stp: true\n"
                      "    addresses:\n"
                      "      - 10.0.1.1/24\n"
                      "      - {address: \"fd00::1/64\", nodad: true}\n"
                      "  v0:\n"
                      "    kind: veth\n"
                      "    peer: ns1/v1\n"
                      "    master: br0\n"
                      "    state: down\n"
                      "    mac: 02:00:00:00:00:01\n"
                      "    bridge-port:\n"
                      "      hairpin: true\n"
                      "  mv:\n"
                      "    kind: macvlan\n"
                      "    parent: eth0\n"
                      "    mode: passthru\n"
                      "namespaces:\n"
                      "  ns1:\n"
                      "    interfaces:\n"
                      "      v1:\n"
                      "        mac: 02:00:00:00:00:02\n"
                      "        alias: \"a: b # c\"\n"
                      "      iv:\n"
                      "        kind: ipvlan\n"
                      "        parent: v1\n"
                      "        mode: l3\n");
}

static void test_foreign_links(void **state _unused_) {
        static const char text[] = "interfaces:\n"
                                   "  eth0: {mtu: 9000}\n"
                                   "  eth1: {state: down}\n"
                                   "  lo: {}\n"
                                   "namespaces: {empty: {}, other: {path: \"/run/a b\"}}\n";

        assert_export(text, false, "");
        assert_export(text, true,
                      "interfaces:\n"
                      "  eth0:\n"
                      "    mtu: 9000\n"
                      "  eth1:\n"
                      "    state: down\n"
                      "namespaces:\n"
                      "  empty: {}\n"
                      "  other:\n"
                      "    path: \"/run/a b\"\n");
}

/* Links of others that entries of ours leave by are declared, all of them. */
static void test_referred_links(void **state _unused_) {
        assert_export("interfaces: {eth0: {}, eth1: {}, eth2: {}, unused: {}}\n"
                      "routes:\n"
                      "  - {to: 10.1.0.0/16, via: 10.0.0.1, dev: eth0}\n"
                      "  - {to: 10.2.0.0/16, nexthops: [{dev: eth1}, {dev: eth2}]}\n",
                      false,
                      "routes:\n"
                      "  - {to: 10.1.0.0/16, via: 10.0.0.1, dev: eth0}\n"
                      "  - {to: 10.2.0.0/16, scope: link, nexthops: [{dev: eth1}, {dev: eth2}]}\n"
                      "interfaces:\n"
                      "  eth0: {}\n"
                      "  eth1: {}\n"
                      "  eth2: {}\n");
}

/* Never a gap: what cannot be said is a comment, and what refers to it still loads. */
static void test_what_cannot_be_said(void **state _unused_) {
        _cleanup_(network_freep) Network *have = load(
                "interfaces:\n"
                "  dummy0: {}\n"
                "  unused: {}\n"
                "  mv: {kind: macvlan, mode: bridge, parent: dummy0, alias: x}\n"
                "  far: {kind: macvlan, mode: bridge, parent: n/eth0}\n"
                "namespaces: {n: {interfaces: {eth0: {}}}}\n",
                here, true), *again = NULL;
        _cleanup_(buf_deinit) Buf exported = {};
        Link *mv = network_find_path(have, "mv"), *far = network_find_path(have, "far");

        run(have);
        network_find_path(have, "dummy0")->kind_name = "dummy";
        network_find_path(have, "unused")->kind_name = "bad\nkind: bridge";
        mv->common.values[LINK_ALIAS].text = "not \xff UTF-8\nkind: bridge";
        far->common.values[LINK_PARENT].ref.netns = "?";
        assert_non_null(namespace_add_link(network_find_namespace(have, HOST), "a b\x1b[31m"));
        network_find_namespace(have, "n")->exists = false;
        network_find_namespace(have, "n")->reason = "no\nsuch";
        export(have, true, &exported);

        assert_non_null(strstr(buf_text(&exported), "  # dummy0: kind 'dummy' is not known"));
        assert_non_null(strstr(buf_text(&exported), "\n  dummy0: {}\n"));
        assert_non_null(strstr(buf_text(&exported), "  # unused: kind 'bad?kind: bridge' is"));
        assert_null(strstr(buf_text(&exported), "\n  unused:"));
        assert_non_null(strstr(buf_text(&exported), "    # alias: not ? UTF-8?kind: bridge ("));
        assert_non_null(strstr(buf_text(&exported), "  # far: its parent is in a namespace that"));
        assert_non_null(strstr(buf_text(&exported), "  # a b?[31m: the name has spaces"));
        assert_non_null(strstr(buf_text(&exported), "  # n: no?such\n"));
        again = load(buf_text(&exported), here, true);
        assert_null(network_find_path(again, "far"));
        assert_non_null(network_find_path(again, "mv"));
}

static void set_row(Object *object, const char *key, uint64_t number) {
        attrset_set(&object->set, (size_t)schema_find(object->set.schema, key),
                    (Value){.number = number});
}

/* Addresses that expire, or that the kernel gives by itself, are nobody's wish. */
static void test_addresses_of_others(void **state _unused_) {
        _cleanup_(network_freep) Network *have = load(
                "interfaces: {eth0: {addresses: [10.0.0.1/24, 10.0.0.2/24, 10.0.0.3/24]}}\n", here,
                true);
        _cleanup_(buf_deinit) Buf exported = {};
        Object *address;

        run(have);
        address = network_find_path(have, "eth0")->objects;
        set_row(address, "dynamic", 1);
        set_row(address->next, "protocol", 3);
        export(have, true, &exported);
        assert_null(strstr(buf_text(&exported), "10.0.0.1/24"));
        assert_null(strstr(buf_text(&exported), "10.0.0.2/24"));
        assert_non_null(strstr(buf_text(&exported), "      - 10.0.0.3/24\n"));
}

/* Every word that YAML would take for something else comes back as it was. */
static void test_quoting(void **state _unused_) {
        static const char *const words[] = {
                "null", "~", "<<", "---", "...", "- x", "-", "?", "a: b", "a:", ": a", "#", "a #b",
                "'", "\"", "\\", "\\n", "{", "}", "[a]", "*a", "&a", "!a", "%a", "@a", "`a", "|",
                ">", "a, b", "::1", "fe80::", "true", "1e3", " x", "x ", "0x10", "é", "a\\\"b",
                "=", "yes", "a  b", "x:y", "x/y", "😀",
        };
        _cleanup_(network_freep) Network *have =
                load("interfaces: {eth0: {alias: x}}\n", here, true);
        Link *link = network_find_path(have, "eth0");

        run(have);
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                _cleanup_(network_freep) Network *again = NULL;
                _cleanup_(buf_deinit) Buf exported = {};
                Object *name = link_add_object(link, &object_altname);

                attrset_set(&name->set, 0, (Value){.text = words[i]});
                link->common.values[LINK_ALIAS].text = words[i];
                export(have, true, &exported);
                again = load(buf_text(&exported), here, true);
                assert_string_equal(
                        network_find_path(again, "eth0")->common.values[LINK_ALIAS].text, words[i]);
                assert_non_null(object_find(network_find_path(again, "eth0")->objects, name));
                object_remove(&link->objects, &link->last, name);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_foreign_links),
                cmocka_unit_test(test_referred_links),
                cmocka_unit_test(test_what_cannot_be_said),
                cmocka_unit_test(test_addresses_of_others),
                cmocka_unit_test(test_quoting),
                cmocka_unit_test(test_random_networks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
