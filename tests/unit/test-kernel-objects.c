/* SPDX-License-Identifier: MIT */
/*
 * Every row of everything that lives on links and in namespaces, on the real kernel: an object with
 * the row is in the file and comes to be as it says; is changed, and deleted, behind our back, and
 * comes back by just that; gets another value in the file, at the cost that the table says; loses
 * the row, and is as if it had never had it; and goes with its line. Strangers that differ by the
 * least from it are as they were after each of these steps. `test-kernel-objects TYPE…` tries
 * only these.
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

#define LOW "  low: {kind: veth, peer: nul, mac: '02:00:00:00:01:01'"
#define LOW2 "  nul: {}\n  low2: {kind: veth, peer: nul2, mac: '02:00:00:00:01:02'"
#define IP1 ", addresses: [10.1.0.1/24, 10.1.0.2/24, {address: '2001:db8:1::1/64', nodad: true}, " \
            "{address: '2001:db8:1::2/64', nodad: true}]"
#define IP2 ", addresses: [10.2.0.1/24, {address: '2001:db8:2::1/64', nodad: true}]"
#define END "}\n  nul2: {}\n"

#define NEEDS_KEYS .skip = "needs files with keys: tests/story/macsec"

/* Of each type: an object, the links that it needs, with @ where it is written, and strangers. */
static const struct Base {
        const char *type, *text;
        const char *interfaces;   /* without @: it is the namespace's */
        const char *where;        /* the link that has it; NULL: the namespace */
        const char *strangers;    /* as a file would have them */
        const char *makes, *ends; /* commands for them */
        const char *key;          /* what it is called in a map */
        const char *skip;         /* why not at all */
} bases[] = {
        {"addresses", "address: 10.9.0.1/24", LOW "@}\n" LOW2 IP2 END, "low",
         "interfaces: {low: {addresses: [10.9.0.1/25, 10.9.1.1/24]}, "
         "low2: {addresses: [10.9.0.1/24]}}",
         "ip addr add 10.9.0.1/25 dev low && ip addr add 10.9.1.1/24 dev low && "
         "ip addr add 10.9.0.1/24 dev low2"},
        {"altnames", "name: alt", LOW "@}\n" LOW2 END, "low",
         "interfaces: {low: {altnames: [alt.]}, low2: {altnames: [al]}}",
         "ip link property add dev low altname alt. && ip link property add dev low2 altname al"},
        {"routes", "to: 10.9.0.0/16, via: 10.1.0.254, dev: low", LOW IP1 "}\n" LOW2 IP2 END, NULL,
         "interfaces: {low: {}}\nroutes: [{to: 10.9.0.0/16, metric: 1, via: 10.1.0.254, dev: low}, "
         "{to: 10.9.0.0/16, table: 253, via: 10.1.0.254}, {to: 10.9.0.0/17, via: 10.1.0.254}, "
         "{to: '2001:db8:9::/48', metric: 1, dev: low}]",
         "ip route add 10.9.0.0/16 via 10.1.0.254 metric 1 && "
         "ip route add 10.9.0.0/16 via 10.1.0.254 table 253 && "
         "ip route add 10.9.0.0/17 via 10.1.0.254 && "
         "ip -6 route add 2001:db8:9::/48 dev low metric 1"},
        {"nexthop-objects", "via: 10.1.0.254, dev: low", LOW IP1 "}\n" LOW2 IP2 END, NULL,
         "interfaces: {low: {}, low2: {}}\nnexthop-objects: {8: {via: 10.1.0.254, dev: low}, "
         "10: {group: [8]}}",
         "ip nexthop add id 8 via 10.1.0.254 dev low && ip nexthop add id 10 group 8", .key = "9"},
        {"rules", "priority: 100, from: 10.9.0.0/16, table: 50", LOW IP1 "}\n" LOW2 IP2 END, NULL,
         "interfaces: {}\nrules: [{priority: 101, from: 10.9.0.0/16, table: 50}, "
         "{priority: 100, from: 10.9.0.0/17, table: 50}, "
         "{priority: 100, from: 10.9.0.0/16, fwmark: 9, table: 50}]",
         "ip rule add priority 101 from 10.9.0.0/16 table 50 && "
         "ip rule add priority 100 from 10.9.0.0/17 table 50 && "
         "ip rule add priority 100 from 10.9.0.0/16 fwmark 9 table 50",
         "ip rule del priority 101 && ip rule del priority 100 && ip rule del priority 100"},
        {"neighbours", "to: 10.1.0.9, mac: '02:00:00:00:00:09'", LOW IP1 "@}\n" LOW2 IP2 END, "low",
         "interfaces: {low: {neighbours: [{to: 10.1.0.10, mac: '02:00:00:00:00:09'}, "
         "{to: 10.1.0.10, proxy: true}]}, "
         "low2: {neighbours: [{to: 10.1.0.9, mac: '02:00:00:00:00:09'}]}}",
         "ip neigh add 10.1.0.10 lladdr 02:00:00:00:00:09 dev low nud permanent && "
         "ip neigh add proxy 10.1.0.10 dev low && "
         "ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev low2 nud permanent"},
        {"fdb", "mac: '02:00:00:00:09:09'",
         "  br: {kind: bridge, mac: '02:00:00:00:02:01'}\n"
         "  low: {kind: veth, peer: nul, master: br@}\n"
         "  nul: {}\n  low2: {kind: veth, peer: nul2, master: br}\n  nul2: {}\n", "low",
         "interfaces: {br: {kind: bridge}, low: {kind: veth, peer: nul, master: br, "
         "fdb: ['02:00:00:00:09:0a']}, nul: {}, low2: {kind: veth, peer: nul2, master: br, "
         "fdb: ['02:00:00:00:09:0b']}, nul2: {}}",
         "bridge fdb add 02:00:00:00:09:0a dev low master static && "
         "bridge fdb add 02:00:00:00:09:0b dev low2 master static"},
        {"remotes", "dst: 10.9.0.9",
         "  vx: {kind: vxlan, id: 7, port: 4789@}\n  low: {kind: veth, peer: nul}\n  nul: {}\n",
         "vx",
         "interfaces: {vx: {kind: vxlan, id: 7, port: 4789, "
         "fdb: [{mac: '02:00:00:00:09:09', dst: 10.9.0.9}]}}",
         "bridge fdb add 02:00:00:00:09:09 dev vx dst 10.9.0.9 self permanent"},
        {"mdb", "group: 239.0.0.9, port: low",
         "  br: {kind: bridge, mac: '02:00:00:00:02:01'@}\n"
         "  low: {kind: veth, peer: nul, master: br}\n  nul: {}\n"
         "  low2: {kind: veth, peer: nul2, master: br}\n  nul2: {}\n", "br",
         "interfaces: {br: {kind: bridge, mdb: [{group: 239.0.0.10, port: low}, "
         "{group: 239.0.0.9, port: low2}]}, low: {kind: veth, peer: nul, master: br}, "
         "nul: {}, low2: {kind: veth, peer: nul2, master: br}, nul2: {}}",
         "bridge mdb add dev br port low grp 239.0.0.10 permanent && "
         "bridge mdb add dev br port low2 grp 239.0.0.9 permanent"},
        {"peers", "public-key: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
         "  wg: {kind: wireguard@}\n", "wg"}, /* an exact list: there are no strangers in it */
        {"rx", "mac: '02:00:00:00:09:09'",
         "  low: {kind: veth, peer: nul}\n  nul: {}\n  sec: {kind: macsec, parent: low@}\n", "sec"},
        {"tx-sa", "key-id: '01'", NEEDS_KEYS},
        {"rx-sa", "key-id: '01'", NEEDS_KEYS},
        {"sysctl", "", LOW "@}\n" LOW2 END, "low",
         "interfaces: {low: {sysctl: {ipv4.accept_local: 1}}, "
         "low2: {sysctl: {ipv4.rp_filter: 1}}}",
         "echo 1 >/proc/sys/net/ipv4/conf/low/accept_local && "
         "echo 1 >/proc/sys/net/ipv4/conf/low2/rp_filter", .key = "ipv4.rp_filter"},
        {"sysctl", "", LOW "}\n" LOW2 END, NULL,
         "interfaces: {}\nsysctl: {net.ipv4.tcp_ecn: 1}", "echo 1 >/proc/sys/net/ipv4/tcp_ecn",
         .key = "net.ipv4.ip_forward"},
};

#define VXLANS "  vx: {kind: vxlan, id: 7, port: 4789@}\n"
#define EXTERNAL "  vxe: {kind: vxlan, external: true, port: 4790@}\n"
#define FILTERING "  fbr: {kind: bridge, vlan-filtering: true}\n" \
                  "  fp: {kind: veth, peer: fq, master: fbr, vlans: [1-9]@}\n  fq: {}\n"
#define FILTERING_BRIDGE "  fbr: {kind: bridge, vlan-filtering: true@}\n" \
                         "  fp: {kind: veth, peer: fq, master: fbr, vlans: [1-9]}\n  fq: {}\n"
#define VRFS "  vrf1: {kind: vrf, table: 71}\n  vrf2: {kind: vrf, table: 72}\n"
#define NEXTHOPS "1: {via: 10.1.0.253, dev: low}, 2: {via: 10.1.0.252, dev: low}"
#define TUNNEL_ENTRY "mac: '02:00:00:00:09:09', dst: 10.9.0.9"

/* What a row has to be tried with. NULL: what the type suggests. */
static const struct Example {
        const char *type, *key, *a, *b;
        const char *with; /* beside it; NULL: nothing */
        const char *base; /* instead of the type's; NULL: that */
        const char *skip; /* why not at all */
        const char *interfaces; /* beside those of the type; with @ it is written there */
        const char *where;      /* and that is this link */
        bool needed;            /* there is none without the row */
        const char *beside;     /* others of a map, always there */
        const char *more;       /* at the top of the file */
        bool filtering;         /* needs a kernel whose bridges filter VLANs */
} examples[] = {
        {"addresses", "address", "10.9.0.2/24", "10.9.0.3/24"},
        {"addresses", "peer", "10.8.0.1/24", "10.8.0.2/24", NULL, "address: 10.9.0.2",
         .needed = true},
        {"addresses", "broadcast", "10.9.0.255", "10.9.0.254"},
        {"addresses", "label", "'low:a'", "'low:b'"},
        {"addresses", "scope", "link", "site"},
        /* What is left of a finite one is as good as the whole. */
        {"addresses", "valid", "1000s", "forever"},
        {"addresses", "valid", "1000s", "forever", NULL, "address: '2001:db8:9::1/64'"},
        {"addresses", "preferred", "1000s", "forever", NULL, "address: '2001:db8:9::1/64'"},
        {"addresses", "nodad", .base = "address: '2001:db8:9::1/64'"},
        {"addresses", "home", .base = "address: '2001:db8:9::1/64'"},
        {"altnames", "name", "alt", "alt2"},
        {"routes", "to", "10.8.0.0/16", "10.7.0.0/16"},
        {"routes", "table", "51", "52"},
        {"routes", "tos", "8", "16"},
        {"routes", "via", "10.1.0.253", "10.1.0.252", NULL, "to: 10.9.0.0/16, dev: low"},
        {"routes", "dev", "low", "low2", NULL, "to: 10.9.0.0/16", .needed = true},
        {"routes", "dev", "low", "low2", NULL, "to: '2001:db8:9::/48'", .needed = true},
        {"routes", "type", "multicast", "unicast", NULL, "to: 10.9.0.0/16, dev: low"},
        {"routes", "type", "blackhole", "unreachable", NULL, "to: 10.9.0.0/16", .needed = true},
        {"routes", "type", "throw", "prohibit", NULL, "to: '2001:db8:9::/48'", .needed = true},
        {"routes", "scope", "link", "site", NULL, "to: 10.9.0.0/16, dev: low"},
        {"routes", "family", "inet", "inet6", NULL, "to: default, dev: low"},
        {"routes", "vrf", "vrf1", "vrf2", NULL, "to: 10.9.0.0/16, type: blackhole",
         .interfaces = VRFS},
        {"routes", "nhid", "2", "3", NULL, "to: 10.9.0.0/16", .needed = true,
         .more = "nexthop-objects: {2: {via: 10.1.0.253, dev: low}, 3: {dev: low}}"},
        {"nexthop-objects", "id", .skip = "is what it is called"},
        {"nexthop-objects", "via", "10.1.0.253", "10.1.0.252", NULL, "dev: low"},
        {"nexthop-objects", "dev", "low", "low2", NULL, "family: inet", .needed = true},
        {"nexthop-objects", "family", "inet6", "inet", NULL, "dev: low"},
        {"nexthop-objects", "group", "[1]", "[1, {id: 2, weight: 3}]", NULL, "", .needed = true,
         .beside = NEXTHOPS},
        {"nexthop-objects", "blackhole", "true", "true", NULL, "", .needed = true},
        {"nexthop-objects", "fdb", "true", "true", NULL, "via: 10.1.0.254", .needed = true},
        {"nexthop-objects", "type", "resilient", "resilient", NULL, "group: [1], buckets: 4",
         .needed = true, .beside = NEXTHOPS},
        {"nexthop-objects", "buckets", "4", "8", NULL, "group: [1], type: resilient",
         .needed = true, .beside = NEXTHOPS},
        {"nexthop-objects", "idle-timer", "10s", "20s", NULL,
         "group: [1], type: resilient, buckets: 4", .beside = NEXTHOPS},
        {"nexthop-objects", "unbalanced-timer", "10s", "20s", NULL,
         "group: [1], type: resilient, buckets: 4", .beside = NEXTHOPS},
        {"routes", "mtu", "1400", "1300"},
        {"routes", "mtu", "1400", "1300", NULL, "to: '2001:db8:9::/48', dev: low"},
        {"routes", "nexthops", "[{via: 10.1.0.254}, {via: 10.1.0.253}]",
         "[{via: 10.1.0.254}, {via: 10.2.0.253, weight: 3}]", NULL, "to: 10.9.0.0/16",
         .needed = true},
        {"routes", "nexthops", "[{via: '2001:db8:1::fe'}, {via: '2001:db8:1::fd'}]",
         "[{via: '2001:db8:1::fe'}, {via: '2001:db8:2::fd', weight: 3}]", NULL,
         "to: '2001:db8:9::/48'", .needed = true},
        {"routes", "via", "'2001:db8:1::fe'", "'2001:db8:1::fd'", NULL,
         "to: '2001:db8:9::/48', dev: low"},
        {"routes", "via", "'2001:db8:1::fe'", "10.1.0.253", NULL, "to: 10.9.0.0/16, dev: low"},
        {"routes", "src", "10.1.0.2", "10.2.0.1"},
        {"routes", "pref", "high", "low", NULL, "to: '2001:db8:9::/48', dev: low"},
        {"routes", "congctl", "reno", "cubic"},
        {"routes", "features", "[ecn]", "[]"},
        {"routes", "lock", "[mtu]", "[mtu, advmss]", "mtu: 1400, advmss: 1000"},
        {"routes", "rtt", "100ms", "200ms"},
        {"routes", "rttvar", "100ms", "200ms"},
        {"routes", "rto-min", "100ms", "200ms"},
        {"rules", "from", "10.8.0.0/16", "10.7.0.0/16", NULL, "priority: 100, table: 50"},
        {"rules", "to", "10.8.0.0/16", "10.7.0.0/16"},
        {"rules", "table", "51", "52", .needed = true},
        {"rules", "action", "blackhole", "prohibit", NULL, "priority: 100, from: 10.9.0.0/16",
         .needed = true},
        {"rules", "goto", "200", "32766", NULL, "priority: 100, from: 10.9.0.0/16", .needed = true},
        {"rules", "l3mdev", "true", "false", "action: nop", "priority: 100, from: 10.9.0.0/16"},
        {"rules", "family", "inet", "inet6", NULL, "priority: 100, table: 50"},
        {"rules", "vrf", "vrf1", "vrf2", NULL, "priority: 100, from: 10.9.0.0/16",
         .interfaces = VRFS, .needed = true},
        {"rules", "iif", "low", "nowhere"},
        {"rules", "oif", "low", "nowhere"},
        {"rules", "fwmark", "7", "7/255"},
        {"rules", "tos", "8", "16"},
        {"rules", "sport", "80", "1000-2000"},
        {"rules", "dport", "80", "1000-2000"},
        {"rules", "uidrange", "0-99", "100"},
        {"neighbours", "to", "10.1.0.8", "10.1.0.7"},
        {"neighbours", "proxy", "true", "true", NULL, "to: 10.1.0.9", .needed = true},
        {"neighbours", "proxy", "true", "true", NULL, "to: '2001:db8:1::9'", .needed = true},
        {"neighbours", "mac", "'02:00:00:00:00:07'", "'02:00:00:00:00:08'", .needed = true},
        {"neighbours", "router", .base = "to: '2001:db8:1::9', mac: '02:00:00:00:00:09'"},
        {"fdb", "mac", "'02:00:00:00:09:08'", "'02:00:00:00:09:07'"},
        {"fdb", "vlan", .interfaces = FILTERING, .where = "fp", .filtering = true},
        {"fdb", "dst", "10.9.0.8", "10.9.0.7", NULL, TUNNEL_ENTRY, NULL, VXLANS, "vx", true},
        {"fdb", "vni", .base = TUNNEL_ENTRY, .interfaces = VXLANS, .where = "vx"},
        {"fdb", "port", .base = TUNNEL_ENTRY, .interfaces = VXLANS, .where = "vx"},
        {"fdb", "src-vni", .base = TUNNEL_ENTRY, .interfaces = EXTERNAL, .where = "vxe"},
        {"fdb", "via", "low", "low2", NULL, TUNNEL_ENTRY, NULL, VXLANS, "vx"},
        {"fdb", "state", "permanent", "static"},
        {"fdb", "nhid", .skip = "needs nexthops of tunnels that are there before it"},
        {"remotes", "dst", "10.9.0.8", "10.9.0.7"},
        {"remotes", "src-vni", .interfaces = EXTERNAL, .where = "vxe"},
        {"remotes", "via", "low", "nul"},
        {"mdb", "group", "239.0.0.8", "'ff05::8'"},
        {"mdb", "port", "low", "low2", NULL, "group: 239.0.0.7"},
        {"mdb", "vid", .base = "group: 239.0.0.9, port: fp", .interfaces = FILTERING_BRIDGE,
         .where = "fbr", .needed = true, .filtering = true},
        {"mdb", "source", "10.1.0.9", "10.1.0.8"},
        {"peers", "public-key", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
         "eTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="},
        {"peers", "preshared-key-file", .skip = "needs a file: tests/unit/test-kernel-rows.c"},
        {"peers", "endpoint", "10.1.0.9:7", "10.1.0.9:8"},
        {"peers", "allowed-ips", "[10.9.0.0/16]", "[10.8.0.0/16, '2001:db8::/32']"},
        {"peers", "persistent-keepalive", "25s", "26s"},
        {"rx", "mac", "'02:00:00:00:09:08'", "'02:00:00:00:09:07'"},
        {"rx", "port", "7", "8"},
        {"sysctl", "key", .skip = "is what the parameter is called"},
        {"sysctl", "value", "1", "0"},
};

typedef struct Trial {
        Kernel *kernel;
        Store *store;
        const ObjectType *type;  /* as it is written */
        const ObjectType *model; /* what it is */
        const struct Base *base;
        struct Example example;
        const Row *row;
        char a[SUGGESTION_SIZE], b[SUGGESTION_SIZE];
        Network *wanted, *have;
        Plan *plan;
        const Object *object; /* as wanted */
        const Object *there;  /* as it is */
        Buf strangers;        /* as they were */
        Buf problem;
} Trial;

static const uint8_t seed[16] = "a machine's name";
static size_t tested, skipped, failed;
static bool filters; /* bridges do, in this kernel */
static char folder[] = "/tmp/mvnet-objects-XXXXXX";

static void pass_over(const Trial *trial, const char *row, const char *why) {
        printf("SKIPPED %s%s%s: %s\n", trial->type->schema.name, row ? "." : "", row ?: "", why);
        skipped++;
}

static bool is_parameter(const Trial *trial) {
        return trial->type->transport == TRANSPORT_SYSCTL;
}

/* From the i-th on; NULL: no more. */
static const struct Example *find_example(const Trial *trial, size_t *i) {
        while (*i < ELEMENTSOF(examples)) {
                const struct Example *example = &examples[(*i)++];

                if (streq(example->type, trial->type->schema.name) &&
                    streq(example->key, trial->row->key))
                        return example;
        }
        return NULL;
}

static const char *base_text(const Trial *trial) {
        return trial->example.base ?: trial->base->text;
}

static const char *where(const Trial *trial) {
        return trial->example.where ?: trial->base->where;
}

/* Files. */

/* "routes: [{to: 10.9.0.0/16, metric: 2}]" */
static void add_object(const Trial *trial, bool object, const char *value, Buf *ret) {
        _cleanup_(buf_deinit) Buf text = {};

        buf_printf(ret, "%s: ", trial->type->schema.name);
        if (!object) {
                buf_printf(ret, "{%s}", trial->example.beside);
                return;
        }
        if (trial->type->flags & OBJECT_MAP) {
                buf_printf(ret, "{%s: %s}", trial->base->key, value);
                return;
        }
        if (schema_size(&trial->type->schema) == 1) {
                buf_printf(ret, "[%s]", value);
                return;
        }
        flow_add_but(base_text(trial), trial->row->key, &text);
        if (trial->example.with)
                buf_printf(&text, ", %s", trial->example.with);
        if (value)
                buf_printf(&text, ", %s: %s", trial->row->key, value);
        if (trial->type->flags & OBJECT_NAMED)
                buf_printf(ret, "{%s%s%s: {%s}}", trial->example.beside ?: "",
                           trial->example.beside ? ", " : "", trial->base->key,
                           buf_text(&text) + 2);
        else
                buf_printf(ret, "[{%s}]", buf_text(&text) + 2);
}

/* Interfaces, with the object where they have an @. */
static bool add_links(const char *links, const Buf *object, bool here, Buf *ret) {
        const char *at = strchr(links, '@');

        buf_addn(ret, links, at ? (size_t)(at - links) : strlen(links));
        if (at && here && object->size)
                buf_printf(ret, ", %s", buf_text(object));
        if (at)
                buf_add(ret, at + 1);
        return at;
}

static Network *load(const char *text, Buf *problem) {
        Network *network = NULL;
        Report report = {};

        assert_int_equal(config_load_text("test.yaml", text, seed, &report, &network), 0);
        if (!network) {
                buf_printf(problem, "%s\n", text);
                report_format(&report, false, problem);
        }
        report_deinit(&report);
        return network;
}

static const Object *last_of(const Object *list, const ObjectType *type) {
        const Object *found = NULL;

        for (; list; list = list->next)
                if (list->type == type)
                        found = list;
        return found;
}

/* With the object (having the row, unless `value` is NULL), or without. */
static bool want_object(Trial *trial, bool object, const char *value) {
        _cleanup_(buf_deinit) Buf text = {}, written = {};
        const char *more = trial->example.interfaces ?: "";
        const Namespace *host;

        if (object || trial->example.beside)
                add_object(trial, object, value, &written);
        buf_add(&text, "interfaces:\n");
        add_links(trial->base->interfaces, &written, !strchr(more, '@'), &text);
        add_links(more, &written, true, &text);
        if (!where(trial))
                buf_printf(&text, "%s\n%s\n", buf_text(&written), trial->example.more ?: "");
        trial->wanted = network_free(trial->wanted);
        trial->wanted = load(buf_text(&text), &trial->problem);
        if (!trial->wanted)
                return false;
        host = network_find_namespace(trial->wanted, HOST);
        trial->object = !object ? NULL
                : last_of(where(trial) ? namespace_find_link(host, where(trial))->objects
                                       : host->objects, trial->model);
        return true;
}

/* Doing. */

/* What could not be done, or NULL. */
static const char *make_so(Trial *trial, Buf *ret) {
        const SettleOptions options = {.timeout_ms = 1000, .force = true};
        SettleResult result = {};
        const char *problem = NULL;

        assert_int_equal(settle(trial->kernel, trial->wanted, trial->store, &options, &result), 0);
        for (size_t i = 0; !problem && i < result.plan->n_items; i++) {
                const PlanItem *item = result.plan->items[i];

                if (item->verdict < VERDICT_WAITING)
                        continue;
                buf_printf(ret, "%s: %s", item->path, item->failure ?: item->reason);
                problem = buf_text(ret);
        }
        settle_result_deinit(&result);
        return problem;
}

/* By whoever else may: none of it is in the record. */
static bool do_behind(Trial *trial, const char *what) {
        bool fine = true;

        for (size_t i = 0; fine && i < trial->plan->n_ops; i++) {
                const Op *op = trial->plan->ops[i];
                OpResult result = {};

                assert_int_equal(kernel_apply(trial->kernel, &op, 1, &result), 0);
                fine = result.error == 0;
                if (!fine)
                        buf_printf(&trial->problem, "%s: %s: %s\n", what,
                                   strerrorname_np(-result.error), result.message);
        }
        return fine;
}

/* Looking. */

static Object *find_there(const Trial *trial, const Network *have, const Object *object) {
        Namespace *host = network_find_namespace(have, HOST);
        Link *link = where(trial) ? namespace_find_link(host, where(trial)) : NULL;

        if (where(trial) && !link)
                return NULL;
        return object_find(link ? link->objects : host->objects, object);
}

static void look_at(Trial *trial) {
        trial->plan = plan_free(trial->plan);
        trial->have = network_free(trial->have);
        assert_int_equal(settle_plan(trial->kernel, trial->wanted, store_record(trial->store),
                                     &trial->have, &trial->plan), 0);
        trial->there = trial->object ? find_there(trial, trial->have, trial->object) : NULL;
}

static void tell_stranger(const Object *wanted, const Object *list, Buf *ret) {
        const Object *there = object_find((Object *)list, wanted);
        size_t i;

        object_key(wanted, ret);
        if (!there)
                buf_add(ret, " is not there");
        ROWSET_FOREACH(i, there ? there->set.present : 0) {
                const Row *row = schema_row(there->set.schema, i);

                buf_printf(ret, " %s=", row->key);
                value_format(row, &there->set.values[i], ret);
        }
        buf_addc(ret, '\n');
}

static void tell_strangers(Trial *trial, Buf *ret) {
        _cleanup_(network_freep) Network *wanted = NULL, *have = NULL;
        Plan *plan = NULL;
        const Record nothing = {};
        const Namespace *host, *there;

        if (!trial->base->strangers)
                return;
        wanted = load(trial->base->strangers, &trial->problem);
        if (!wanted)
                return;
        assert_int_equal(settle_plan(trial->kernel, wanted, &nothing, &have, &plan), 0);
        plan_free(plan);
        host = network_find_namespace(wanted, HOST);
        there = network_find_namespace(have, HOST);
        for (const Object *object = host->objects; object; object = object->next)
                tell_stranger(object, there->objects, ret);
        for (const Link *link = host->links; link; link = link->hh.next) {
                const Link *same = namespace_find_link(there, link->name);

                for (const Object *object = link->objects; object; object = object->next)
                        tell_stranger(object, same ? same->objects : NULL, ret);
        }
}

static bool is_all_well(Trial *trial, const char *when) {
        _cleanup_(buf_deinit) Buf text = {}, strangers = {};

        look_at(trial);
        plan_format(trial->plan, 0, &text);
        if (!plan_is_empty(trial->plan))
                buf_printf(&trial->problem, "%s: the plan is not empty:\n%s", when,
                           buf_text(&text));
        if (trial->object && !trial->there)
                buf_printf(&trial->problem, "%s: it is not there\n", when);
        tell_strangers(trial, &strangers);
        if (!streq(buf_text(&strangers), buf_text(&trial->strangers)))
                buf_printf(&trial->problem, "%s: strangers were\n%sand are\n%s", when,
                           buf_text(&trial->strangers), buf_text(&strangers));
        return trial->problem.size == 0;
}

/* As it was asked for, where the kernel tells. */
static bool is_shown(Trial *trial, const char *when) {
        int at = schema_find(trial->object->set.schema, trial->row->key);
        const Row *row = at >= 0 ? schema_row(trial->object->set.schema, (size_t)at) : NULL;
        const AttrSet *wanted = &trial->object->set, *there = &trial->there->set;

        if (!row || row->flags & (ROW_LOCAL | ROW_WRITE_ONLY) || !attrset_has(wanted, (size_t)at))
                return true;
        if (attrset_has(there, (size_t)at) &&
            value_equal(row, &wanted->values[at], &there->values[at]))
                return true;
        buf_printf(&trial->problem, "%s: it is not shown\n", when);
        return false;
}

/* Steps: 0; > 0: the kernel has none of that; < 0: a problem was noted. */

static int be_so(Trial *trial, bool object, const char *value, const char *when) {
        _cleanup_(buf_deinit) Buf text = {};
        const char *problem;

        if (!want_object(trial, object, value))
                return -1;
        problem = make_so(trial, &text);
        if (problem && strstr(problem, "kernel has no "))
                return 1;
        if (problem)
                buf_printf(&trial->problem, "%s: %s\n", when, problem);
        if (problem || !is_all_well(trial, when))
                return -1;
        return object && !is_shown(trial, when) ? -1 : 0;
}

typedef struct Count {
        size_t added, set, deleted, others;
} Count;

static Count count_ops(const Trial *trial) {
        Count count = {};

        for (size_t i = 0; i < trial->plan->n_ops; i++) {
                const Op *op = trial->plan->ops[i];

                if (!op->object || op->object->type != trial->model)
                        count.others++;
                else if (op->type == OP_OBJECT_ADD)
                        count.added++;
                else if (op->type == OP_OBJECT_SET)
                        count.set++;
                else
                        count.deleted++;
        }
        return count;
}

/* What the table says that it costs to give it another value. */
static bool is_as_cheap(Trial *trial) {
        Count count = count_ops(trial);
        bool anew = count.added == 1 && count.deleted == 1 && count.set == 0;
        bool in_place = count.set == 1 && count.added + count.deleted == 0;
        bool replaceable = !trial->there || !trial->model->replaceable ||
                           trial->model->replaceable(&trial->there->set);

        if (trial->row->flags & ROW_LOCAL)
                return true;
        if (count.others == 0 &&
            (trial->row->change <= CHANGE_DOWN && replaceable ? in_place : anew))
                return true;
        buf_printf(&trial->problem, "changed: %zu added, %zu set, %zu deleted, %zu others\n",
                   count.added, count.set, count.deleted, count.others);
        return false;
}

/* It is as in `file`; what is planned for that is one repair, and it leads back. */
static int put_back(Trial *trial, const char *file, const char *when) {
        Count count;

        if (!want_object(trial, true, file))
                return -1;
        look_at(trial);
        count = count_ops(trial);
        if (count.others || count.added + count.set != 1 || count.deleted > 1) {
                buf_printf(&trial->problem, "%s: %zu added, %zu set, %zu deleted, %zu others\n",
                           when, count.added, count.set, count.deleted, count.others);
                return -1;
        }
        return be_so(trial, true, file, when);
}

/* Another value of a key is another object; and a peer's endpoint is for whoever uses it to set. */
static int change_by_hand(Trial *trial, const char *file, const char *other) {
        if (trial->row->change == CHANGE_KEY || trial->row->flags & (ROW_LOCAL | ROW_USERS) ||
            streq(file, other))
                return 0;
        if (!want_object(trial, true, other))
                return -1;
        look_at(trial);
        if (!do_behind(trial, "by hand"))
                return -1;
        return put_back(trial, file, "changed by hand");
}

static int delete_by_hand(Trial *trial, const char *file) {
        if (is_parameter(trial))
                return 0;
        if (!want_object(trial, false, NULL))
                return -1;
        look_at(trial);
        if (!do_behind(trial, "deleting by hand") || !want_object(trial, true, file))
                return -1;
        look_at(trial);
        if (trial->there) {
                buf_printf(&trial->problem, "deleting by hand: it is still there\n");
                return -1;
        }
        return put_back(trial, file, "deleted by hand");
}

static int change_in_file(Trial *trial, const char *other) {
        if (!want_object(trial, true, other))
                return -1;
        look_at(trial);
        if (trial->problem.size || !is_as_cheap(trial))
                return -1;
        return be_so(trial, true, other, "changed");
}

static void tell_object(const Trial *trial, Buf *ret) {
        if (trial->there)
                tell_stranger(trial->there, trial->there, ret);
}

static size_t count_recorded(const Trial *trial) {
        size_t n = 0;

        for (const RecordEntry *entry = store_record(trial->store)->entries; entry;
             entry = entry->hh.next)
                n++;
        return n;
}

/* Neither it nor what was said of it is left. */
static int drop(Trial *trial, size_t recorded) {
        const Object *object = trial->object;
        Network *wanted = trial->wanted; /* where the object is */
        int r;

        trial->wanted = NULL;
        r = be_so(trial, false, NULL, "dropped");
        if (r == 0 && !is_parameter(trial) && find_there(trial, trial->have, object))
                buf_printf(&trial->problem, "dropped: it is still there\n");
        if (r == 0 && count_recorded(trial) != recorded)
                buf_printf(&trial->problem, "dropped: the record has not forgotten it\n");
        network_free(wanted);
        return r == 0 && trial->problem.size ? -1 : r;
}

/* Whether there can be one without the row. */
static bool is_dispensable(const Trial *trial) {
        return !(trial->row->flags & ROW_REQUIRED) && !is_parameter(trial) &&
               schema_size(&trial->type->schema) > 1 && !trial->example.needed;
}

static int try_row(Trial *trial) {
        _cleanup_(buf_deinit) Buf without = {}, again = {};
        bool dispensable = is_dispensable(trial);
        size_t recorded = 0;
        int r = dispensable ? be_so(trial, true, NULL, "without") : 0;

        if (r == 0)
                tell_object(trial, &without);
        if (r == 0)
                r = be_so(trial, false, NULL, "not yet");
        recorded = count_recorded(trial);
        if (r == 0)
                r = be_so(trial, true, trial->a, "created");
        if (r == 0)
                r = change_by_hand(trial, trial->a, trial->b);
        if (r == 0)
                r = delete_by_hand(trial, trial->a);
        if (r == 0 && !streq(trial->a, trial->b))
                r = change_in_file(trial, trial->b);
        if (r == 0 && dispensable)
                r = be_so(trial, true, NULL, "without it again");
        if (r == 0 && dispensable)
                tell_object(trial, &again);
        if (r == 0 && dispensable && !(trial->row->flags & ROW_USERS) &&
            !streq(buf_text(&without), buf_text(&again))) {
                buf_printf(&trial->problem, "was %sand is %s", buf_text(&without),
                           buf_text(&again));
                r = -1;
        }
        return r ? r : drop(trial, recorded);
}

static void run_row(Trial *trial, const struct Example *example) {
        _cleanup_(buf_deinit) Buf text = {};
        int r;

        trial->example = example ? *example : (struct Example){};
        if (trial->example.filtering && !filters)
                trial->example.skip = "this kernel has no VLAN filtering";
        if (trial->example.skip) {
                pass_over(trial, trial->row->key, trial->example.skip);
                return;
        }
        values_suggest(trial->row, trial->a, trial->b);
        if (trial->example.a)
                snprintf(trial->a, sizeof(trial->a), "%s", trial->example.a);
        if (trial->example.b)
                snprintf(trial->b, sizeof(trial->b), "%s", trial->example.b);
        r = try_row(trial);
        if (r == 0) {
                tested++;
        } else if (r > 0) {
                pass_over(trial, trial->row->key, "not in this kernel");
        } else {
                printf("FAILED %s.%s (%s, %s): %s\n", trial->type->schema.name, trial->row->key,
                       trial->a, trial->b, buf_text(&trial->problem));
                failed++;
        }
        fflush(stdout);
        buf_deinit(&trial->problem);
        trial->problem = (Buf){};
        trial->example = (struct Example){};
        want_object(trial, false, NULL);
        make_so(trial, &text);
}

/* Types. */

static bool has_scene(Trial *trial) {
        _cleanup_(buf_deinit) Buf text = {};
        const char *problem;

        trial->example = (struct Example){};
        if (!want_object(trial, false, NULL))
                fail_msg("%s", buf_text(&trial->problem));
        problem = make_so(trial, &text);
        if (problem && !strstr(problem, "kernel has no "))
                fail_msg("%s: %s", trial->type->schema.name, problem);
        if (problem)
                pass_over(trial, NULL, problem);
        return !problem;
}

static void run_rows(Trial *trial) {
        const Schema *schema = &trial->type->schema;
        const struct Example *example;
        size_t at;

        if (trial->base->makes && run("%s", trial->base->makes) != 0)
                fail_msg("%s", trial->base->makes);
        tell_strangers(trial, &trial->strangers);
        if (strstr(buf_text(&trial->strangers), "is not there"))
                fail_msg("%s", buf_text(&trial->strangers));
        for (size_t i = 0; i < schema_size(schema); i++) {
                trial->row = schema_row(schema, i);
                if (trial->row->change == CHANGE_STATE)
                        continue;
                at = 0;
                example = find_example(trial, &at);
                do
                        run_row(trial, example);
                while (example && (example = find_example(trial, &at)));
        }
        if (trial->base->ends && run("%s", trial->base->ends) != 0)
                fail_msg("%s", trial->base->ends);
}

static void run_type(Trial *trial) {
        _cleanup_(buf_deinit) Buf text = {};
        uint32_t place = where(trial) ? OBJECT_ON_LINK : OBJECT_IN_NETNS;

        trial->model = trial->type->as ?: trial->type;
        if (!(trial->type->flags & place))
                return;
        if (has_scene(trial))
                run_rows(trial);
        buf_deinit(&trial->strangers);
        trial->strangers = (Buf){};
        trial->wanted = network_free(trial->wanted);
        trial->wanted = load("interfaces: {}\n", NULL);
        make_so(trial, &text);
}

static bool is_asked_for(const char *type, int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (streq(argv[i], type))
                        return true;
        return argc < 2;
}

static void run_types(Trial *trial, int argc, char **argv) {
        for (size_t i = 0; i < object_types_n; i++) {
                bool found = false;

                trial->type = object_types[i];
                for (size_t j = 0; j < ELEMENTSOF(bases); j++) {
                        if (!streq(bases[j].type, trial->type->schema.name))
                                continue;
                        found = true;
                        trial->base = &bases[j];
                        trial->example = (struct Example){};
                        if (is_asked_for(bases[j].type, argc, argv) && bases[j].skip)
                                pass_over(trial, NULL, bases[j].skip);
                        else if (is_asked_for(bases[j].type, argc, argv))
                                run_type(trial);
                }
                if (!found)
                        pass_over(trial, NULL, "no example");
        }
}

int main(int argc, char **argv) {
        Trial trial = {};

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        filters = run("ip link add probe0 type bridge vlan_filtering 1 2>/dev/null && "
                      "ip link del probe0") == 0;
        assert_non_null(mkdtemp(folder));
        assert_int_equal(kernel_new(RUN, &trial.kernel), 0);
        assert_int_equal(store_open(folder, "test", 0, 0, &trial.store), 0);
        run_types(&trial, argc, argv);
        trial.plan = plan_free(trial.plan);
        trial.wanted = network_free(trial.wanted);
        trial.have = network_free(trial.have);
        store_free(trial.store);
        kernel_free(trial.kernel);
        run("rm -rf %s", folder);
        printf("rows: %zu tested, %zu skipped, %zu failed\n", tested, skipped, failed);
        return failed > 0;
}
