/* SPDX-License-Identifier: MIT */
/*
 * Every row of every kind on the real kernel, the way a user meets it: a file with it is applied,
 * then one with another value, then one without. After each there is nothing left to plan; what
 * the table calls live keeps its ifindex, what it calls create-only gets a new one, and what is
 * dropped goes back to its default. Values come from the types; what a row needs beside itself is
 * a line in a table. `test-kernel-kinds KIND…` tries only these.
 */

#include "daemon/settle.h"
#include "mvnet/config.h"
#include "values.h"
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What a link of each kind is made of. */
static const struct Base {
        const char *kind, *text;
        const char *skip; /* why it is tried elsewhere */
} bases[] = {
        {"bridge", ""},
        {"veth", "peer: far"},
        {"vlan", "parent: low, id: 7"},
        {"macvlan", "parent: low, mode: bridge"},
        {"macvtap", "parent: low, mode: bridge"},
        {"ipvlan", "parent: low, mode: l2"},
        {"ipvtap", "parent: low, mode: l2"},
        {"dummy", ""},
        {"ifb", ""},
        {"nlmon", ""},
        {"vrf", "table: 77"},
        {"bond", ""},
        {"team", ""},
        {"vxlan", "id: 7, port: 4789"},
        {"geneve", "id: 7, remote: 192.0.2.1"},
        {"gre", "remote: 192.0.2.1"},
        {"gretap", "remote: 192.0.2.1"},
        {"ip6gre", "remote: '2001:db8::1'"},
        {"ip6gretap", "remote: '2001:db8::1'"},
        {"erspan", "remote: 192.0.2.1, key: 6, seq: true"},
        {"ip6erspan", "remote: '2001:db8::1', key: 6, seq: true"},
        {"ipip", "remote: 192.0.2.1"},
        {"sit", "remote: 192.0.2.1"},
        {"ip6tnl", "remote: '2001:db8::1'"},
        {"vti", "remote: 192.0.2.1"},
        {"vti6", "remote: '2001:db8::1'"},
        {"xfrm", "if-id: 7"},
        {"macsec", "parent: low"},
        {"netkit", "peer: far"},
        {"hsr", "slave1: low, slave2: low2"},
        {"wireguard", ""},
        {"physical", NULL, "nobody can make one"},
};

/* What a row has to be tried with. NULL: what the type suggests. */
static const struct Example {
        const char *kind, *key, *a, *b; /* NULL kind: of whichever */
        const char *with; /* beside it, where it is; NULL: nothing */
        const char *base; /* instead of the kind's; NULL: that */
        const char *alone; /* that and `with` beside `a`, which excludes them; NULL: them */
        const char *skip; /* why not at all */
        bool stays;       /* the file can't do without it: it is not dropped */
        bool optional;    /* depends on how the kernel was built */
        bool filtering;   /* needs a kernel whose bridges filter VLANs */
} examples[] = {
        {"bridge", "priority", "4096", "8192"},
        {"bridge", "group-fwd-mask", "8", "16"},
        {"bridge", "group-address", "01:80:c2:00:00:04", "01:80:c2:00:00:05"},
        {"bridge", "mcast-vlan-snooping", NULL, NULL, "vlan-filtering: true", .filtering = true},
        {"bridge", "vlan-default-pvid", "5", "6", "vlan-filtering: true", .filtering = true},
        {"bridge", "vlan-filtering", .filtering = true},
        {"bridge", "vlan-protocol", .filtering = true},
        {"bridge", "vlan-stats-enabled", .filtering = true},
        {"bridge", "vlan-stats-per-port", .filtering = true},
        {"bridge", "mst-enabled", .filtering = true},
        {"bridge", "forward-delay", "4s", "5s"},
        {"bridge", "hello-time", "3s", "4s"},
        {"bridge", "max-age", "10s", "12s"},
        {"bridge", "ageing-time", "60s", "90s"},
        {"vlan", "ingress-qos-map", "{1: 2}", "{1: 3, 4: 5}"},
        {"vlan", "egress-qos-map", "{1: 2}", "{1: 3, 4: 5}"},
        {"vlan", "protocol", "802.1ad", "802.1q"},
        {NULL, "source-macs", "[02:00:00:00:00:01]", "[02:00:00:00:00:02]", "mode: source",
         "parent: low"},
        {NULL, "nodst", "true", "false", "mode: source", "parent: low"},
        {NULL, "nopromisc", "true", "false", "mode: passthru", "parent: low"},
        {"macvlan", "mode", "vepa", "private", NULL, "parent: low", .stays = true},
        {"macvtap", "mode", "vepa", "private", NULL, "parent: low", .stays = true},
        {"ipvlan", "mode", "l2", "l3", NULL, "parent: low", .stays = true},
        {"ipvtap", "mode", "l2", "l3", NULL, "parent: low", .stays = true},
        {NULL, "owner", .skip = "tests/story/taps"},
        {NULL, "device-mode", .skip = "tests/story/taps"},
        {"vxlan", "remote", "192.0.2.1", "192.0.2.2"},
        {"vxlan", "group", "239.1.1.1", "239.1.1.2", "parent: low"},
        {"vxlan", "local", "192.0.2.1", "192.0.2.2"},
        {"vxlan", "flowlabel", "5", "6", "remote: '2001:db8::1'"},
        {"vxlan", "ttl", "inherit", "7"},
        {"vxlan", "gpe", "true", "false", "learning: false, external: true", "port: 4790"},
        {"vxlan", "gbp", "true", "false"},
        {"vxlan", "vnifilter", "true", "false", "external: true", "port: 4789"},
        {"vxlan", "vnis", "[10, {vni: 20-30, remote: 192.0.2.1}]", "[20-30]",
         "external: true, vnifilter: true", "port: 4789"},
        {"vxlan", "external", "true", "false", "id: 0", "port: 4789"},
        {"vxlan", "id", "5", "6", NULL, "port: 4789", .stays = true},
        {"vxlan", "ageing", "60s", "90s"},
        {"vxlan", "flowlabel-policy", NULL, NULL, "remote: '2001:db8::1'"},
        {"vxlan", "reserved-bits", "0x00000000000000ff", "0x10000000000000ff"},
        {"geneve", "remote", "192.0.2.2", "192.0.2.3", NULL, "id: 7", .stays = true},
        {"geneve", "id", "5", "6", NULL, "remote: 192.0.2.1", .stays = true},
        {"geneve", "flowlabel", "5", "6", NULL, "id: 7, remote: '2001:db8::1'"},
        {"geneve", "external", "true", "false", .alone = ""},
        {"geneve", "udp6-zero-csum-tx", "false", "true", NULL, "id: 7, remote: '2001:db8::1'"},
        {"geneve", "udp6-zero-csum-rx", "false", "true", NULL, "id: 7, remote: '2001:db8::1'"},
        {"geneve", "srcport", "40000-50000", "40000-50001"},
        {NULL, "srcport", "40000-50000", "40000-50001"},
        {NULL, "ignore-df", "true", "false", "pmtudisc: false"},
        {NULL, "encap", "gue", "fou", .optional = true}, /* NET_FOU_IP_TUNNELS */
        {"erspan", "iseq", "true", "false", "oseq: true", "remote: 192.0.2.1, key: 6"},
        {"erspan", "oseq", "true", "false", "iseq: true", "remote: 192.0.2.1, key: 6"},
        {"erspan", "icsum", "true", "false", "erspan-ver: 0", "remote: 192.0.2.1"},
        {"erspan", "ocsum", "true", "false", "erspan-ver: 0", "remote: 192.0.2.1"},
        {"ip6erspan", "iseq", "true", "false", "oseq: true", "remote: '2001:db8::1', key: 6"},
        {"ip6erspan", "oseq", "true", "false", "iseq: true", "remote: '2001:db8::1', key: 6"},
        /* Without a key it would be mistaken for ip6gre0 (6.1 ip6gre_changelink_common). */
        {"ip6erspan", "icsum", "true", "false", "external: true, ikey: 5", ""},
        {"ip6erspan", "ocsum", "true", "false", "external: true, ikey: 5", ""},
        {"erspan", "erspan-dir", NULL, NULL, "erspan-ver: 2"},
        {"erspan", "erspan-hwid", "5", "6", "erspan-ver: 2"},
        {"ip6erspan", "erspan-dir", NULL, NULL, "erspan-ver: 2"},
        {"ip6erspan", "erspan-hwid", "5", "6", "erspan-ver: 2"},
        {"erspan", "erspan-ver", "2", "1"},
        {"ip6erspan", "erspan-ver", "2", "1"},
        {"erspan", "ikey", "5", "6", "okey: 7, seq: true", "remote: 192.0.2.1"},
        {"erspan", "okey", "5", "6", "ikey: 7, seq: true", "remote: 192.0.2.1", .stays = true},
        {"ip6erspan", "ikey", "5", "6", "okey: 7, seq: true", "remote: '2001:db8::1'"},
        {"ip6erspan", "okey", "5", "6", "ikey: 7, seq: true", "remote: '2001:db8::1'", .stays = true},
        {"erspan", "external", "true", "false"},
        {"ip6erspan", "external", "true", "false", .alone = "seq: true, ikey: 6"},
        {"sit", "6rd-prefix", "'2001:db8::/32'", "'2001:db9::/32'", .optional = true},
        {"sit", "6rd-relay-prefix", "10.0.0.0/8", "11.0.0.0/8", .optional = true},
        {"xfrm", "if-id", "8", "9", NULL, "", .stays = true},
        {"xfrm", "external", "true", "false", .alone = ""},
        {"macsec", "replay", "true", "false", "window: 0"},
        {"macsec", "window", "5", "6", "replay: true", .stays = true},
        {"macsec", "end-station", "true", "false", "send-sci: false"},
        {"macsec", "scb", "true", "false", "send-sci: false"},
        {"macsec", "icvlen", "12", "14"},
        {"macsec", "sci", "0x0200000000010005", "0x0200000000010006"},
        {"macsec", "offload", .skip = "needs hardware"},
        {"wireguard", "private-key-file", .skip = "a file: tests/story/examples"},
        {"wireguard", "listen-port", "5000", "5001"},
        {"netkit", "mac", "02:00:00:00:00:07", "02:00:00:00:00:08", "mode: l2"},
        {"hsr", "slave1", .skip = "stands in the base"},
        {"hsr", "slave2", .skip = "stands in the base"},
        {"hsr", "interlink", .skip = "newer than the kernels that are tested"},
        {NULL, "peer", .skip = "stands in the base"},
        {"vlan", "id", "5", "6", NULL, "parent: low", .stays = true},
        {"vrf", "table", "78", "79", NULL, "", .stays = true},
        {"macsec", "mtu", "1300", "1301"},
        {"bond", "arp-ip-targets", "[192.0.2.1]", "[192.0.2.2, 192.0.2.3]"},
        {"bond", "ns-ip6-targets", "['2001:db8::1']", "['2001:db8::2', '2001:db8::3']"},
        {"bond", "primary", "low", "low2", "mode: active-backup"},
        {"team", "active-port", "low", "low2", "mode: activebackup"},
        {"bond", "ad-select", "bandwidth", "count"},
        {"bond", "ad-actor-system", "02:00:00:00:00:07", "02:00:00:00:00:08", "mode: 802.3ad"},
        {"bond-port", "prio", "5", "-6"},
        {"bridge-port", "group-fwd-mask", "4", "8"},
        {"bridge-port", "mab", "true", "false", "locked: true, learning: true"},
        {"bridge-port", "backup-port", "low2", "none"},
};

/* Rows that all links have, and whose default is the kind's. */
static const struct {
        LinkRow row;
        const char *a, *b;
} commons[] = {
        {LINK_MTU, "1300", "1290"},
        {LINK_TXQUEUELEN, "77", "78"},
        {LINK_ARP, "true", "false"},
        {LINK_MULTICAST, "true", "false"},
        {LINK_MAC, "02:00:00:00:00:07", "02:00:00:00:00:08"},
        {LINK_PARENT, "low", "low2"},
        {LINK_BIND_NETNS, "ns1", "host"},
};

typedef struct Trial {
        Kernel *kernel;
        Store *store;
        const LinkKind *kind;
        const struct Base *base;
        const Row *row;
        bool common;
        bool of_port;     /* the row is one of its port's, `low` */
        struct Example example;
        char a[SUGGESTION_SIZE], b[SUGGESTION_SIZE];
        Network *wanted, *have;
        Value value;      /* as last looked at */
        int ifindex;
        bool there;       /* the row was reported */
        Buf problem;
} Trial;

static size_t tested, skipped, failed;
static bool filters; /* bridges do, in this kernel */
static char folder[] = "/tmp/mvnet-kinds-XXXXXX";

static const struct Base *find_base(const char *kind) {
        for (size_t i = 0; i < ELEMENTSOF(bases); i++)
                if (streq(bases[i].kind, kind))
                        return &bases[i];
        return NULL;
}

/* The kind's own line counts before one for all. */
static struct Example find_example(const char *kind, const char *key) {
        struct Example found = {};

        for (size_t i = 0; i < ELEMENTSOF(examples); i++)
                if (streq(examples[i].key, key) &&
                    (examples[i].kind ? streq(examples[i].kind, kind) : !found.key))
                        found = examples[i];
        return found;
}

/* Its examples stand under that name. */
static const char *set_name(const Trial *trial) {
        return trial->of_port ? trial->kind->port.name : trial->kind->name;
}

static const char *link_name(const Trial *trial) {
        return trial->of_port ? "low" : "x";
}

static void pass_over(const char *what, const char *row, const char *why) {
        printf("SKIPPED %s%s%s: %s\n", what, row ? "." : "", row ?: "", why);
        skipped++;
}

/* Values. */

/* What has to be said for the row to count (Row.when). */
static void add_condition(const Trial *trial, Buf *ret) {
        const Row *row = trial->row;
        Value value = {.number = row->when_in ? (uint64_t)__builtin_ctzll(row->when_in) : 10000};
        int at = row->when ? schema_find(&trial->kind->options, row->when) : -1;

        if (at < 0 || (trial->example.with && !trial->of_port))
                return;
        buf_printf(ret, ", %s: ", row->when);
        value_format(schema_row(&trial->kind->options, (size_t)at), &value, ret);
}

/* Doing it. */

/* `of_port`: what the link says as a port; NULL: nothing. */
static void add_fixtures(const char *of_port, Buf *ret) {
        buf_printf(ret,
                   "interfaces:\n  low: {kind: veth, peer: nul, mac: 02:00:00:00:01:01%s}\n"
                   "  nul: {}\n  low2: {kind: veth, peer: nul2, mac: 02:00:00:00:01:02}\n"
                   "  nul2: {}\n",
                   of_port ?: "");
}

/* Options of masters that are particular about their ports are tried with some. */
static bool has_ports(const Trial *trial) {
        return trial->of_port || link_kind_is(trial->kind, KIND_PORTS_DOWN);
}

static Network *load(Trial *trial, const char *value) {
        static const uint8_t seed[16] = "a machine's name";
        _cleanup_(buf_deinit) Buf text = {}, problems = {}, of_port = {};
        const char *base = trial->example.base ?: trial->base->text;
        bool alone = trial->example.alone && value && streq(value, trial->example.a);
        Network *network = NULL;
        Report report = {};

        if (trial->of_port && value)
                buf_printf(&of_port, ", %s: {%s: %s%s%s}", trial->kind->port.name, trial->row->key,
                           value, trial->example.with ? ", " : "", trial->example.with ?: "");
        add_fixtures(buf_text(&of_port), &text);
        if (strstr(base, "far"))
                buf_add(&text, "  far: {}\n");
        buf_printf(&text, "  x:\n    {kind: %s", trial->kind->name);
        flow_add_but(alone ? trial->example.alone : base,
                     trial->of_port ? "" : trial->row->key, &text);
        if (trial->example.with && !trial->of_port && !alone)
                buf_printf(&text, ", %s", trial->example.with);
        add_condition(trial, &text);
        if (has_ports(trial))
                buf_add(&text, ", ports: [low, low2]");
        if (value && !trial->of_port)
                buf_printf(&text, ", %s: %s", trial->row->key, value);
        buf_add(&text, "}\nnamespaces: {ns1: {}}\n");
        assert_int_equal(config_load_text("test.yaml", buf_text(&text), seed, &report, &network), 0);
        if (!network) {
                report_format(&report, false, &problems);
                buf_printf(&trial->problem, "%s\n%s", buf_text(&text), buf_text(&problems));
        }
        report_deinit(&report);
        return network;
}

/* What went wrong with the link, or NULL. */
static const char *make_so(Trial *trial, const Network *wanted, Buf *ret) {
        const SettleOptions options = {.timeout_ms = 500};
        SettleResult result = {};
        const char *problem = NULL;

        assert_int_equal(settle(trial->kernel, wanted, trial->store, &options, &result), 0);
        for (size_t i = 0; i < result.plan->n_items; i++) {
                const PlanItem *item = result.plan->items[i];

                if (item->verdict < VERDICT_WAITING || !streq(item->path, link_name(trial)))
                        continue;
                buf_add(ret, item->failure ?: item->reason);
                problem = buf_text(ret);
        }
        settle_result_deinit(&result);
        return problem;
}

static bool look_again(Trial *trial, const char *when) {
        _cleanup_(buf_deinit) Buf text = {};
        const Link *link;
        const AttrSet *set;
        Plan *plan = NULL;
        int at;

        trial->have = network_free(trial->have);
        assert_int_equal(settle_plan(trial->kernel, trial->wanted, store_record(trial->store),
                                     &trial->have, &plan), 0);
        plan_format(plan, 0, &text);
        if (!plan_is_empty(plan))
                buf_printf(&trial->problem, "%s: the plan is not empty:\n%s", when, buf_text(&text));
        plan_free(plan);
        link = network_find_path(trial->have, link_name(trial));
        if (!link)
                buf_printf(&trial->problem, "%s: it is not there\n", when);
        if (!link || trial->problem.size)
                return false;
        trial->ifindex = link->ifindex;
        set = trial->common ? &link->common : trial->of_port ? &link->port : &link->options;
        at = set->schema ? schema_find(set->schema, trial->row->key) : -1;
        trial->there = at >= 0 && attrset_has(set, (size_t)at);
        if (trial->there)
                trial->value = set->values[at];
        return true;
}

/* 0; > 0: the kernel has no such kind, or ignores the row; < 0: a problem was noted. */
static int step(Trial *trial, const char *value, const char *when) {
        _cleanup_(buf_deinit) Buf text = {};
        const char *problem;

        trial->wanted = network_free(trial->wanted);
        trial->wanted = load(trial, value);
        if (!trial->wanted)
                return -1;
        problem = make_so(trial, trial->wanted, &text);
        if (problem && strstr(problem, "kernel has no "))
                return 1;
        if (problem && strstr(problem, "ignored by this kernel"))
                return 2;
        if (problem && trial->example.optional && strstr(problem, "Invalid argument"))
                return 2;
        if (problem) {
                buf_printf(&trial->problem, "%s: %s\n", when, problem);
                return -1;
        }
        return look_again(trial, when) ? 0 : -1;
}

static bool is_value(const Trial *trial, const char *text) {
        _cleanup_(arena_deinit) Arena arena = {};
        ParseScope scope = {.arena = &arena, .netns = HOST};
        _cleanup_(buf_deinit) Buf plain = {};
        Value value = {};

        /* As YAML would take the quotes off. */
        for (const char *c = text; *c; c++)
                if (*c != '\'')
                        buf_addc(&plain, *c);
        return value_parse(trial->row, &scope, buf_text(&plain), &value) == 0 && trial->there &&
               value_equal(trial->row, &value, &trial->value);
}

static bool is_shown(Trial *trial, const char *text, const char *when) {
        if (trial->row->flags & ROW_WRITE_ONLY || is_value(trial, text) ||
            (trial->row->type->is_netns && link_kind_bind(trial->kind) == BIND_SILENT))
                return true;
        buf_printf(&trial->problem, "%s: it is not shown as %s\n", when, text);
        return false;
}

static void clear(Trial *trial) {
        static const uint8_t seed[16] = "a machine's name";
        _cleanup_(network_freep) Network *nothing = NULL;
        _cleanup_(buf_deinit) Buf text = {}, problem = {};
        Report report = {};

        add_fixtures(NULL, &text);
        buf_add(&text, "namespaces: {ns1: {}}\n");
        assert_int_equal(config_load_text("test.yaml", buf_text(&text), seed, &report, &nothing), 0);
        report_deinit(&report);
        make_so(trial, nothing, &problem);
        trial->wanted = network_free(trial->wanted);
        trial->have = network_free(trial->have);
}

/* What the table says a change from A to B costs. */
static bool keeps_ifindex(const Trial *trial, const Value *a, const Value *b) {
        const LinkLower *lower = link_kind_lower(trial->kind);

        if (trial->common && trial->row == schema_row(&link_schema, LINK_PARENT))
                return lower->nla && lower->change <= CHANGE_DOWN;
        if (trial->common && trial->row == schema_row(&link_schema, LINK_MAC))
                return !link_kind_is(trial->kind, KIND_MAC_ONCE);
        return trial->row->change <= CHANGE_DOWN && !value_change_is_fixed(trial->row, a, b);
}

static bool is_same_link(Trial *trial, int before, bool same, const char *when) {
        if ((trial->ifindex == before) == same)
                return true;
        buf_printf(&trial->problem, "%s: %s\n", when,
                   same ? "it was re-created" : "it is still the same link");
        return false;
}

/* Back to what it was before anybody spoke of it. */
static bool is_reset(Trial *trial, bool was_there, const Value *was) {
        uint64_t number;

        if (trial->row->flags & ROW_WRITE_ONLY)
                return true;
        if (trial->common && trial->row == schema_row(&link_schema, LINK_MTU) &&
            !link_kind_default(trial->kind, LINK_MTU, &number))
                return true; /* depends on what is below: let go */
        if (trial->common && trial->row == schema_row(&link_schema, LINK_ARP) &&
            !link_kind_default(trial->kind, LINK_ARP, &number))
                return true;
        if (!trial->row->def && !trial->common)
                return true;
        if (trial->common && trial->row == schema_row(&link_schema, LINK_MAC) &&
            link_kind_is(trial->kind, KIND_SOLID))
                return true; /* the kernel's own choice, anew */
        if (was_there == trial->there &&
            (!was_there || value_equal(trial->row, was, &trial->value)))
                return true;
        buf_printf(&trial->problem, "dropped: it is not as it was before\n");
        return false;
}

static bool is_young(const Row *row) {
        return strstr(row->doc, "(Linux ");
}

/* The whole life of one row. */
static int try_row(Trial *trial) {
        const char *a = trial->a, *b = trial->b;
        bool was_there = false;
        Value was = {}, first;
        int before, r = 0;

        if (!trial->example.stays) {
                r = step(trial, NULL, "without");
                was_there = trial->there;
                was = trial->value;
                if (r == 0 && is_value(trial, a)) {
                        a = trial->b;
                        b = trial->a;
                }
                /* Values live in what was dumped: a plain one can be kept. */
                if (trial->row->type->shape != SHAPE_SCALAR || trial->row->type->is_ref ||
                    trial->row->type->is_netns)
                        was_there = trial->there = false;
        }
        clear(trial);
        r = r ? r : step(trial, a, "created with it");
        if (r != 0 || !is_shown(trial, a, "created with it"))
                return r ? r : -1;
        before = trial->ifindex;
        first = trial->value;
        r = step(trial, b, "changed");
        if (r != 0 || !is_shown(trial, b, "changed") ||
            !is_same_link(trial, before, keeps_ifindex(trial, &first, &trial->value), "changed"))
                return r ? r : -1;
        if (trial->example.stays)
                return 0;
        r = step(trial, NULL, "dropped");
        if (trial->row->type->shape != SHAPE_SCALAR || trial->row->type->is_ref ||
            trial->row->type->is_netns)
                trial->there = false;
        return r == 0 && !is_reset(trial, was_there, &was) ? -1 : r;
}

/* False: there is no such kind here. */
static bool run_row(Trial *trial) {
        const Row *row = trial->row;
        int r;

        trial->example = find_example(set_name(trial), row->key);
        if (trial->example.filtering && !filters)
                trial->example.skip = "this kernel has no VLAN filtering";
        if (trial->example.skip) {
                pass_over(set_name(trial), row->key, trial->example.skip);
                return true;
        }
        trial->example.stays |= !trial->of_port &&
                flow_says(trial->example.base ?: trial->base->text, row->key);
        if (!*trial->a)
                values_suggest(trial->row, trial->a, trial->b);
        if (trial->example.a)
                snprintf(trial->a, sizeof(trial->a), "%s", trial->example.a);
        if (trial->example.b)
                snprintf(trial->b, sizeof(trial->b), "%s", trial->example.b);
        r = try_row(trial);
        clear(trial);
        if (r == 1) {
                pass_over(trial->kind->name, NULL, "not in this kernel");
        } else if (r == 2 && (is_young(row) || trial->example.optional)) {
                pass_over(set_name(trial), row->key, "not in this kernel");
        } else if (r == 0) {
                tested++;
        } else {
                printf("FAILED %s.%s (%s, %s): %s\n", set_name(trial), row->key, trial->a,
                       trial->b, r == 2 ? "ignored by the kernel" : buf_text(&trial->problem));
                failed++;
        }
        fflush(stdout);
        buf_deinit(&trial->problem);
        trial->problem = (Buf){};
        return r != 1;
}

static bool has_common(const LinkKind *kind, LinkRow row) {
        switch (row) {
        case LINK_PARENT:
                return link_kind_can_have_parent(kind);
        case LINK_BIND_NETNS:
                return link_kind_bind(kind) != BIND_NEVER;
        case LINK_MAC:
                return !link_kind_is(kind, KIND_NO_MAC);
        default:
                return true;
        }
}

static void run_kind(Trial *trial) {
        const Schema *options = &trial->kind->options, *port = &trial->kind->port;
        bool goes_on = true;

        for (size_t i = 0; goes_on && i < ELEMENTSOF(commons); i++) {
                if (!has_common(trial->kind, commons[i].row))
                        continue;
                trial->common = true;
                trial->row = schema_row(&link_schema, commons[i].row);
                snprintf(trial->a, sizeof(trial->a), "%s", commons[i].a);
                snprintf(trial->b, sizeof(trial->b), "%s", commons[i].b);
                goes_on = run_row(trial);
        }
        for (size_t i = 0; goes_on && options->name && i < schema_size(options); i++) {
                trial->common = false;
                trial->row = schema_row(options, i);
                trial->a[0] = trial->b[0] = '\0';
                if (!trial->row->both && trial->row->change != CHANGE_STATE)
                        goes_on = run_row(trial);
        }
        trial->of_port = true;
        for (size_t i = 0; goes_on && port->name && i < schema_size(port); i++) {
                trial->common = false;
                trial->row = schema_row(port, i);
                trial->a[0] = trial->b[0] = '\0';
                if (trial->row->change != CHANGE_STATE)
                        goes_on = run_row(trial);
        }
        trial->of_port = false;
}

static bool is_asked_for(const char *kind, int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (streq(argv[i], kind))
                        return true;
        return argc < 2;
}

int main(int argc, char **argv) {
        Trial trial = {};

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        run("modprobe -q -a fou fou6 2>/dev/null");
        filters = run("ip link add probe0 type bridge vlan_filtering 1 2>/dev/null && "
                      "ip link del probe0") == 0;
        assert_non_null(mkdtemp(folder));
        assert_int_equal(kernel_new(RUN, &trial.kernel), 0);
        assert_int_equal(store_open(folder, "test", 0, 0, &trial.store), 0);
        for (size_t i = 0; i < link_kinds_n; i++) {
                trial.kind = link_kinds[i];
                trial.base = find_base(trial.kind->name);
                if (!is_asked_for(trial.kind->name, argc, argv))
                        continue;
                if (!trial.base || trial.base->skip)
                        pass_over(trial.kind->name, NULL, trial.base ? trial.base->skip : "no example");
                else
                        run_kind(&trial);
        }
        store_free(trial.store);
        kernel_free(trial.kernel);
        run("rm -rf %s", folder);
        printf("rows: %zu tested, %zu skipped, %zu failed\n", tested, skipped, failed);
        return failed > 0;
}
