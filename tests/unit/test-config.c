/* SPDX-License-Identifier: MIT */
/* From text to a Network. What is refused, and how, is in tests/bad: here is what is meant. */

#include "config/build.h"

#include "random-network.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

static const uint8_t seed[16] = {1, 2, 3};

static Network *load_or_null(const char *text, Buf *ret_report) {
        Network *network = NULL;
        Report report = {};
        int r = config_load_text("test.yaml", text, seed, &report, &network);

        assert_int_equal(r, 0);
        assert_true((network == NULL) == (report.n > 0));
        report_format(&report, false, ret_report);
        report_deinit(&report); /* the Network it speaks of may be gone by now */
        return network;
}

static Network *load(const char *text) {
        _cleanup_(buf_deinit) Buf problems = {};
        Network *network = load_or_null(text, &problems);

        if (!network)
                print_message("%s", buf_text(&problems));
        assert_non_null(network);
        return network;
}

static Link *find(Network *network, const char *path) {
        Link *link = network_find_path(network, path);

        assert_non_null(link);
        return link;
}

static void assert_option(const Link *link, const char *key, const char *expected) {
        const Value *value = attrset_get(&link->options, key) ?: attrset_get(&link->common, key)
                                                              ?: attrset_get(&link->port, key);
        const AttrSet *sets[] = {&link->options, &link->common, &link->port};
        _cleanup_(buf_deinit) Buf text = {};

        for (size_t i = 0; value && i < ELEMENTSOF(sets) && !text.size; i++)
                if (sets[i]->schema && attrset_get(sets[i], key))
                        value_format(schema_row(sets[i]->schema,
                                                (size_t)schema_find(sets[i]->schema, key)),
                                     value, &text);
        assert_string_equal(value ? buf_text(&text) : "(absent)", expected);
}

static void test_language_example(void **state _unused_) {
        _cleanup_(network_freep) Network *network = load(
                "interfaces:\n"
                "  enp0s9:    {}\n"
                "  enp0s9.10: {kind: vlan, parent: enp0s9, id: 10}\n"
                "  br0:       {kind: bridge, addresses: [192.168.0.1/24]}\n"
                "  veth11:\n"
                "    kind: veth\n"
                "    peer: ns3/eth0\n"
                "    master: br0\n"
                "    bridge-port: {hairpin: true}\n"
                "namespaces:\n"
                "  ns3:\n"
                "    interfaces:\n"
                "      eth0: {addresses: [192.168.0.254/24]}\n"
                "  ns1:\n"
                "    sysctl: {net.ipv4.ip_forward: 1}\n"
                "    interfaces:\n"
                "      eth0: {kind: macvlan, mode: bridge, parent: ns3/eth0}\n");
        const Link *veth = find(network, "veth11"), *far = find(network, "ns3/eth0");
        const Link *macvlan = find(network, "ns1/eth0");
        const Namespace *ns1 = network_find_namespace(network, "ns1");

        assert_true(link_is_physical(find(network, "enp0s9")));
        assert_ptr_equal(link_lower(find(network, "enp0s9.10")), find(network, "enp0s9"));
        assert_ptr_equal(link_master(veth), find(network, "br0"));
        assert_option(veth, "hairpin", "true");
        assert_ptr_equal(link_peer(veth), far);
        assert_ptr_equal(far->kind, veth->kind);
        assert_true(far->far_end);
        assert_non_null(far->objects);
        assert_ptr_equal(link_lower(macvlan), far);
        assert_option(macvlan, "mode", "bridge");
        assert_int_equal(ns1->type, NETNS_NAMED);
        assert_ptr_equal(ns1->objects->type, &object_sysctl);
        assert_string_equal(ns1->objects->set.values[1].text, "1");
}

static void test_places(void **state _unused_) {
        _cleanup_(network_freep) Network *network = load("name: lab\n"
                                                         "interfaces:\n"
                                                         "  br0:\n"
                                                         "    kind: bridge\n"
                                                         "    stp: on\n"
                                                         "    mtu: 1400\n"
                                                         "    addresses:\n"
                                                         "      - 10.0.0.1/24\n"
                                                         "      - {address: 10.0.0.2/24}\n"
                                                         "namespaces: {n: {}}\n");
        const Link *br0 = find(network, "br0");
        Location stp = attrset_at(&br0->options, (size_t)schema_find(br0->options.schema, "stp"));

        assert_int_equal(network->name_at.line, 1);
        assert_int_equal(br0->at.line, 3);
        assert_int_equal(br0->at.column, 3);
        assert_int_equal(stp.line, 5);
        assert_int_equal(stp.column, 10);
        assert_string_equal(stp.source->name, "test.yaml");
        assert_int_equal(attrset_at(&br0->common, LINK_MTU).line, 6);
        assert_int_equal(br0->objects->at.line, 8);
        assert_int_equal(br0->objects->next->at.line, 9);
        assert_int_equal(network_find_namespace(network, "n")->at.column, 14);
        /* What no file says has no place. */
        assert_null(attrset_at(&br0->common, LINK_GROUP).source);
}

static void test_ports_are_masters(void **state _unused_) {
        _cleanup_(network_freep) Network *network = load(
                "interfaces:\n"
                "  br0: {kind: bridge, ports: [a, b, c, a]}\n"
                "  a: {bridge-port: {cost: 7}}\n"
                "  b: {master: br0}\n"
                "  c: {kind: veth, peer: d}\n"
                "  d: {}\n");

        for (const char *name = "abc"; *name; name++)
                assert_ptr_equal(link_master(find(network, (char[]){*name, '\0'})),
                                 find(network, "br0"));
        assert_null(link_master(find(network, "d")));
        assert_option(find(network, "a"), "cost", "7");
        assert_int_equal(attrset_at(&find(network, "a")->common, LINK_MASTER).line, 2);
        assert_int_equal(attrset_at(&find(network, "b")->common, LINK_MASTER).line, 4);
}

static void test_both_ends_may_speak(void **state _unused_) {
        _cleanup_(network_freep) Network *network = load(
                "interfaces: {a: {kind: veth, peer: n/b}}\n"
                "namespaces: {n: {interfaces: {b: {kind: veth, peer: host/a, mtu: 1400}}}}\n");
        const Link *a = find(network, "a"), *b = find(network, "n/b");

        assert_ptr_equal(link_peer(a), b);
        assert_ptr_equal(link_peer(b), a);
        assert_false(a->far_end);
        assert_true(b->far_end);
        assert_option(b, "mtu", "1400");
}

static void test_null_is_not_said(void **state _unused_) {
        _cleanup_(network_freep) Network *network = load(
                "version:\n"
                "name: ~\n"
                "sysctl: null\n"
                "interfaces:\n"
                "  gone: null\n"
                "  br0: {kind: bridge, stp: null, mtu: ~, addresses: null,\n"
                "        bridge-port: , ports: }\n"
                "  eth0: {kind: null, mode: ~}\n"
                "  'null': {alias: 'null'}\n"
                "namespaces:\n"
                "  gone:\n"
                "  n: {interfaces: , path: null}\n");
        const Link *br0 = find(network, "br0");

        assert_null(network->name);
        assert_null(network_find_path(network, "gone"));
        assert_null(network_find_namespace(network, "gone"));
        assert_int_equal(network_find_namespace(network, "n")->type, NETNS_NAMED);
        assert_int_equal(br0->options.present, 0);
        assert_false(attrset_has(&br0->common, LINK_MTU));
        assert_null(br0->objects);
        assert_true(link_is_physical(find(network, "eth0")));
        assert_option(find(network, "null"), "alias", "null");
}

static void test_scalars_are_the_schemas(void **state _unused_) {
        _cleanup_(network_freep) Network *network = load(
                "interfaces:\n"
                "  '0x10': {alias: 010, altnames: [1e3, yes, 1.0]}\n"
                "  on: {kind: bridge, stp: \"yes\", hello-time: '2s', mtu: 0x5dc}\n"
                "  eth0: {}\n"
                "  s: {kind: macvlan, mode: source, parent: eth0,\n"
                "      source-macs: [02:00:00:00:00:0B, 02:00:00:00:00:0a, 02:00:00:00:00:0b]}\n"
                "  v: {kind: vlan, parent: eth0, id: 1, egress-qos-map: {7: 1, 0: 2}}\n");

        assert_option(find(network, "0x10"), "alias", "010");
        assert_option(find(network, "on"), "stp", "true");
        assert_option(find(network, "on"), "mtu", "1500");
        assert_option(find(network, "s"), "source-macs", "[02:00:00:00:00:0a, 02:00:00:00:00:0b]");
        assert_option(find(network, "v"), "egress-qos-map", "{0: 2, 7: 1}");
}

static void test_namespaces(void **state _unused_) {
        _cleanup_(network_freep) Network *network = load(
                "namespaces: {a: {}, b: {path: /run/x}, c: {pid: 7}}\n");
        const Namespace *b = network_find_namespace(network, "b");
        const Namespace *c = network_find_namespace(network, "c");

        assert_int_equal(network_find_namespace(network, "a")->type, NETNS_NAMED);
        assert_int_equal(b->type, NETNS_PATH);
        assert_string_equal(b->path, "/run/x");
        assert_int_equal(c->type, NETNS_PID);
        assert_int_equal(c->pid, 7);
}

static void test_every_problem_is_found(void **state _unused_) {
        _cleanup_(buf_deinit) Buf problems = {};
        Network *network = load_or_null("interfaces:\n"
                                        "  a: {kind: brige}\n"
                                        "  b: {mtu: x, foo: 1}\n"
                                        "  c: {kind: vlan, parent: nowhere, id: 9999}\n"
                                        "namespaces:\n"
                                        "  n: {bar: 1}\n",
                                        &problems);
        static const char *const expected[] = {
                "test.yaml:2:13: interfaces.a.kind: ", "test.yaml:3:12: interfaces.b.mtu: ",
                "test.yaml:3:15: interfaces.b.foo: ",  "test.yaml:4:27: interfaces.c.parent: ",
                "test.yaml:4:40: interfaces.c.id: ",   "test.yaml:6:7: namespaces.n.bar: ",
                "did you mean 'bridge'?",              "    4 |   c: {kind: vlan",
        };

        assert_null(network);
        for (size_t i = 0; i < ELEMENTSOF(expected); i++)
                assert_non_null(strstr(buf_text(&problems), expected[i]));
}

/* Those who come with the words of `ip` or netplan are told ours. */
static void test_words_of_others(void **state _unused_) {
        static const struct {
                const char *text, *hint;
        } cases[] = {
                {"routes: [{to: default, gateway: 10.0.0.1}]", "a gateway is written 'via: ADDRESS'"},
                {"routes: [{to: default, encap: mpls}]", "encapsulation is left to 'ip route'"},
                {"routes: [{too: default}]", "did you mean 'to'?"},
                {"rules: [{priority: 1, lookup: main}]", "the table is written 'table: NUMBER'"},
                {"rules: [{priority: 1, suppress_prefixlength: 0}]", "'suppress-prefixlength'"},
                {"interfaces: {a: {neighbours: [{to: 10.0.0.1, lladdr: '02:00:00:00:00:01'}]}}",
                 "written 'mac: ADDRESS'"},
                {"interfaces: {a: {master: b, bridge-port: {fast_leave: true}}, b: {}}",
                 "words are joined by dashes: 'fast-leave'"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(buf_deinit) Buf problems = {};

                assert_null(load_or_null(cases[i].text, &problems));
                if (!strstr(buf_text(&problems), cases[i].hint))
                        fail_msg("%s: %s", cases[i].hint, buf_text(&problems));
        }
}

static void assert_name(const char *text, const char *path, const char *expected) {
        _cleanup_(network_freep) Network *network = text ? load(text) : NULL;
        _cleanup_(buf_deinit) Buf name = {};

        assert_int_equal(config_name(network, &path, path ? 1 : 0, &name), 0);
        assert_string_equal(buf_text(&name), expected);
}

static void test_names(void **state _unused_) {
        assert_name("", NULL, "system");
        assert_name("", "/nowhere/lab.yaml", "lab");
        assert_name("", "lab.d", "lab.d");
        assert_name("", "/nowhere/10-lab.yaml", "10-lab");
        assert_name("", ".yaml", "_yaml");
        assert_name("", "/nowhere/a b\n.yaml", "a_b_");
        assert_name("", "-", "stdin");
        assert_name("", "/", "_");
        assert_name("", "/proc/", "proc");
        assert_name("", "/proc/../usr/.", "usr");
        assert_name("name: office\n", "/nowhere/lab.yaml", "office");
        assert_name("name: office\n", NULL, "office");
        assert_name(NULL, "/nowhere/10-lab.yaml", "10-lab");
        assert_name(NULL, NULL, "system");
}

static SourceFile source_file(Arena *arena, const char *name, const char *text, unsigned layer) {
        Source *source = arena_new(arena, Source);

        assert_non_null(source);
        *source = (Source){
                .name = arena_strdup(arena, name),
                .text = arena_strdup(arena, text),
                .size = strlen(text),
                .order = 2 - layer,
        };
        return (SourceFile){source, layer};
}

/* Texts that were kept go the way of files, layers and all, and may be gone afterwards. */
static void test_sources(void **state _unused_) {
        _cleanup_(network_freep) Network *network = NULL;
        _cleanup_(report_deinit) Report report = {};
        Arena arena = {};
        const SourceFile files[] = {
                source_file(&arena, "/usr/lib/mvnet/a.yaml",
                            "interfaces: {br0: {kind: bridge, stp: on, mtu: 1400}}\n", 0),
                source_file(&arena, "/etc/mvnet/b.yaml", "interfaces:\n  br0: {mtu: 1300}\n", 2),
        };
        const Link *br0;
        Location mtu, stp;

        assert_int_equal(config_load_sources(files, 2, seed, &report, &network), 0);
        for (size_t i = 0; i < 2; i++)
                memset((char *)files[i].source->text, '!', files[i].source->size);
        arena_deinit(&arena);
        assert_int_equal(report.n, 0);
        br0 = find(network, "br0");
        assert_option(br0, "mtu", "1300");
        assert_option(br0, "stp", "true");
        mtu = attrset_at(&br0->common, LINK_MTU);
        stp = attrset_at(&br0->options, (size_t)schema_find(br0->options.schema, "stp"));
        assert_string_equal(mtu.source->name, "/etc/mvnet/b.yaml");
        assert_string_equal(mtu.source->text, "interfaces:\n  br0: {mtu: 1300}\n");
        assert_int_equal(mtu.line, 2);
        assert_string_equal(stp.source->name, "/usr/lib/mvnet/a.yaml");

        network = network_free(network);
        assert_int_equal(config_load_sources(NULL, 0, seed, &report, &network), 0);
        assert_int_equal(report.n, 0);
        assert_int_equal(HASH_COUNT(network->namespaces), 1);
}

/* The report of files_read() goes on, and all of it may be read when files and texts are gone. */
static void test_bad_sources(void **state _unused_) {
        _cleanup_(buf_deinit) Buf text = {};
        Arena arena = {};
        Report report = {};
        Network *network = NULL;
        const char *path = "/nowhere.yaml";
        SourceFile *none, files[3];
        Source nul = {.name = "nul.yaml", .text = "name: \0\n", .size = 8};
        size_t n;

        assert_int_equal(files_read(&arena, "", &path, 1, &report, &none, &n), 0);
        files[0] = source_file(&arena, "/etc/mvnet/b.yaml", "interfaces:\n  br0: {mtuu: 1}\n", 2);
        files[1] = (SourceFile){&nul, 0};
        files[2] = source_file(&arena, "<stdin>", "version: 2\n", 0);
        assert_int_equal(config_load_sources(files, 3, seed, &report, &network), 0);
        arena_deinit(&arena);
        assert_null(network);
        assert_int_equal(report.n, 4);
        report_format(&report, false, &text);
        assert_non_null(strstr(buf_text(&text), "/nowhere.yaml: cannot be opened"));
        assert_non_null(strstr(buf_text(&text), "/etc/mvnet/b.yaml:2:9: interfaces.br0.mtuu"));
        assert_non_null(strstr(buf_text(&text), "    2 |   br0: {mtuu: 1}"));
        assert_non_null(strstr(buf_text(&text), "nul.yaml:1:7: "));
        assert_non_null(strstr(buf_text(&text), "<stdin>:1:10: version: "));
        report_deinit(&report);
}

/* One slip of the finger: some bytes of the file go, or turn up elsewhere, or become others. */
static void spoil(Random *random, Buf *text) {
        static const char letters[] = "aeiouxyz0129:/-_.,{}[]\"'&*!|> \n\t#%\\\x80";
        size_t at = random_below(random, text->size), n = random_below(random, 12) + 1;

        n = MIN(n, text->size - at);
        switch (random_below(random, 4)) {
        case 0:
                memmove(text->text + at, text->text + at + n, text->size - at - n + 1);
                text->size -= n;
                break;
        case 1:
                memmove(text->text + at, text->text + random_below(random, text->size - n), n);
                break;
        default:
                for (size_t i = 0; i < n && i < 2; i++)
                        text->text[at + i] = letters[random_below(random, sizeof(letters) - 1)];
                break;
        }
}

/* Whatever comes of it: a Network, or a problem with its place, and never both or neither. */
static void test_spoilt_networks(void **state _unused_) {
        Random random = {.state = random_seed(7)};
        size_t rounds = random_rounds(3000), refused = 0;

        for (size_t i = 0; i < rounds; i++) {
                RandomShape shape = {.namespaces = 2, .links = 6};
                _cleanup_(buf_deinit) Buf text = {}, problems = {};
                Network *network;

                random_network(&random, &shape, &text);
                for (uint64_t n = random_below(&random, 3) + 1; n > 0 && text.size > 16; n--)
                        spoil(&random, &text);
                network = load_or_null(buf_text(&text), &problems);
                if (!network) {
                        assert_int_equal(strncmp(buf_text(&problems), "test.yaml:", 10), 0);
                        refused++;
                }
                network_free(network);
        }
        assert_true(refused > rounds / 4);
        assert_true(refused < rounds);
}

static void write_file(const char *root, const char *name, const char *text) {
        char path[512];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", root, name);
        for (char *slash = path + strlen(root); (slash = strchr(slash + 1, '/'));) {
                *slash = '\0';
                mkdir(path, 0755);
                *slash = '/';
        }
        file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static void assert_table(const TableName *tables, const char *name, int64_t expected) {
        const ParseScope scope = {.tables = tables};
        uint64_t number = 0;

        assert_int_equal(tables_find(&scope, name, &number), expected >= 0);
        if (expected >= 0)
                assert_int_equal(number, expected);
}

/* As iproute2 reads them: its own files below those of the administrator, and sense is made of what
 * makes any. */
static void test_table_names(void **state _unused_) {
        _cleanup_(arena_deinit) Arena arena = {};
        char root[] = "/tmp/mvnet-tables-XXXXXX", command[64];
        const TableName *tables = NULL;

        assert_non_null(mkdtemp(root));
        assert_int_equal(tables_read(&arena, root, &tables), 0);
        assert_null(tables);
        write_file(root, "usr/share/iproute2/rt_tables", "255\tlocal\n100 shipped\n101 both\n");
        write_file(root, "usr/share/iproute2/rt_tables.d/a.conf", "102 dropped-in\n");
        write_file(root, "etc/iproute2/rt_tables",
                   "# a comment\n\n  201   both # and another\n0x12 hex\n202\nname 203\n-1 below\n"
                   "4294967295 last\n4294967296 beyond\n204 no-newline");
        write_file(root, "etc/iproute2/rt_tables.d/b.conf", "205 here\n");
        write_file(root, "etc/iproute2/rt_tables.d/c.conf.bak", "206 elsewhere\n");
        write_file(root, "etc/iproute2/rt_tables.d/.d.conf", "207 hidden\n");
        assert_int_equal(tables_read(&arena, root, &tables), 0);
        assert_table(tables, "local", 255);
        assert_table(tables, "shipped", 100);
        assert_table(tables, "both", 201);
        assert_table(tables, "dropped-in", 102);
        assert_table(tables, "hex", 0x12);
        assert_table(tables, "last", UINT32_MAX);
        assert_table(tables, "no-newline", 204);
        assert_table(tables, "here", 205);
        assert_table(tables, "beyond", -1);
        assert_table(tables, "below", -1);
        assert_table(tables, "203", -1);
        assert_table(tables, "202", -1);
        assert_table(tables, "elsewhere", -1);
        assert_table(tables, "hidden", -1);
        assert_table(tables, "", -1);
        snprintf(command, sizeof(command), "rm -r %s", root);
        assert_int_equal(system(command), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table_names),
                cmocka_unit_test(test_language_example),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_ports_are_masters),
                cmocka_unit_test(test_both_ends_may_speak),
                cmocka_unit_test(test_null_is_not_said),
                cmocka_unit_test(test_scalars_are_the_schemas),
                cmocka_unit_test(test_namespaces),
                cmocka_unit_test(test_every_problem_is_found),
                cmocka_unit_test(test_words_of_others),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_sources),
                cmocka_unit_test(test_bad_sources),
                cmocka_unit_test(test_spoilt_networks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
