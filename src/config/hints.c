/* SPDX-License-Identifier: MIT */
/*
 * What to say about a key or kind that no table has. People come with the words of other tools:
 * they get the word that is meant here, but never a silent synonym, so that one thing keeps one
 * spelling. What mvnetd leaves to others is said, too, with what to use instead.
 */

#include "config/build.h"

typedef struct Hint {
        const char *key;  /* several, separated by spaces */
        const char *text;
} Hint;

#define PARENT "the lower device is written 'parent: LINK'"
#define ADDRESSES "addresses are written 'addresses: [ADDRESS/LENGTH, …]'"
#define MASTER "a port names its master: 'master: LINK'"
#define PORTS "a master names its ports: 'ports: [LINK, …]'; or each of them its 'master'"
#define MAC "a MAC address is written 'mac: ADDRESS'"
#define NETNS "a link is declared where it lives: 'namespaces: {NAME: {interfaces: {LINK: …}}}'"
#define PEER "the far end of a pair is written 'peer: LINK' or 'peer: NAMESPACE/LINK'"
#define DIRECT "a link's settings stand directly under its name"
#define ROUTE "a gateway is that of a route: 'routes: [{to: default, via: ADDRESS}]'"
#define SYSCTL "that is a sysctl: 'sysctl: {ipv4.forwarding: 1, ipv6.accept_ra: 0, …}'"

/* Of ifstate, netplan, nmstate, networkd, ifupdown and `ip`. */
static const Hint link_words[] = {
        {"type class", "the kind of a link is written 'kind: KIND'"},
        {"link", PARENT "; " DIRECT},
        {"lower dev device raw-device vlan-raw-device base-iface lower-device physdev real-dev on",
         PARENT},
        {"ip ips address addr addrs ipaddr ip-address ip-addresses ipv4 ipv6 inet inet6 static",
         ADDRESSES},
        {"netmask prefix prefix-length",
         "the prefix length stands in 'addresses: [ADDRESS/LENGTH]'"},
        {"gateway gateway4 gateway6 default-gateway default-route", ROUTE},
        {"bridge br bridge-name controller bond team vrf enslave", MASTER},
        {"bridge-ports bridge_ports slaves members interfaces port", PORTS},
        {"macaddress mac-address hwaddr hwaddress lladdr ether cloned-mac-address", MAC},
        {"vlan vlanid vlan-id vid vlan_id tag", "the number of a vlan is written 'id: NUMBER'"},
        {"name ifname set-name iface", "the key above is the link's name"},
        {"altname alternative-names alternativename",
         "other names are written 'altnames: [NAME, …]'"},
        {"up enabled enable admin-state auto onboot activation-mode",
         "a link is kept up unless 'state: down' or 'state: any' says otherwise"},
        {"down disabled", "a link is kept down by 'state: down'"},
        {"netns namespace ns", NETNS},
        {"peer-name peer-netns peer-ifname peer_name", PEER},
        {"description comment ifalias", "a description is written 'alias: TEXT'"},
        {"parameters options config settings properties attributes", DIRECT},
        {"port-options brport bridge-slave bridgeport",
         "what a bridge keeps per port is written 'bridge-port: {KEY: VALUE}', at the port"},
        {"macvlan-mode ipvlan-mode macvtap-mode", "the mode is written 'mode: MODE'"},
        {"group", "the link group is written 'link-group: NUMBER'"},
        {"txqlen qlen tx-queue-length", "the queue's length is written 'txqueuelen: NUMBER'"},
        {"allmulti all-multicast", "it is written 'allmulticast: true'"},
        {"promiscuous", "it is written 'promisc: true'"},
        {"noarp", "it is written 'arp: false'"},
        {"mtubytes", "it is written 'mtu: BYTES'"},
        {"stp-state spanning-tree", "it is written 'stp: true'"},
        {"vlan-aware vlan_filtering vlanfiltering", "it is written 'vlan-filtering: true'"},
        {"link-local ipv6-address-generation", "that is 'addr-gen-mode: none'"},
        {"forwarding ip-forward accept-ra ipv6-privacy rp-filter", SYSCTL},
};

static const Hint space_words[] = {
        {"bridges vlans ethernets bonds tunnels vrfs wifis dummy-devices macvlans veths",
         "all links stand under 'interfaces', each with its 'kind'"},
        {"network links link devices interface ifaces netdevs",
         "links are written 'interfaces: {NAME: {kind: KIND, …}}'"},
        {"netns namespace netnses", "namespaces are written 'namespaces: {NAME: {…}}'"},
        {"sysctls parameters", "sysctls are written 'sysctl: {net.ipv4.ip_forward: 1}'"},
        {"route ip-routes gateway gateway4 gateway6", ROUTE},
        {"nexthop nexthops next-hops nhs nh",
         "nexthops are written 'nexthop-objects: {ID: {via: ADDRESS, dev: LINK}}'"},
        {"addresses ip address",
         "addresses stand under a link: 'interfaces: {NAME: {addresses: …}}'"},
        {"renderer", "mvnetd speaks to the kernel itself: nothing to choose"},
};

static const Hint route_words[] = {
        {"gateway gw next-hop-address nexthop", "a gateway is written 'via: ADDRESS'"},
        {"destination dst dest network prefix target", "the destination is written 'to: PREFIX'"},
        {"interface device link oif next-hop-interface output", "the link is written 'dev: LINK'"},
        {"priority preference", "it is written 'metric: NUMBER'"},
        {"source prefsrc preferred-source from", "the source address is written 'src: ADDRESS'"},
        {"nexthop-list next-hops multipath hops", "several ways are written 'nexthops: [{via: …}, …]'"},
        {"table-id route-table lookup", "the table is written 'table: NUMBER' or 'vrf: LINK'"},
        {"proto", "mvnetd's routes have the protocol 109, by which it knows them"},
        {"encap", "encapsulation is left to 'ip route'"},
};

static const Hint rule_words[] = {
        {"lookup table-id route-table", "the table is written 'table: NUMBER' or 'vrf: LINK'"},
        {"pref preference order prio", "it is written 'priority: NUMBER'"},
        {"source src ip-from", "the source is written 'from: PREFIX'"},
        {"destination dst dest ip-to", "the destination is written 'to: PREFIX'"},
        {"mark fwmask firewall-mark", "it is written 'fwmark: VALUE/MASK'"},
        {"type", "what becomes of packets is written 'action: ACTION'"},
        {"dsfield", "it is written 'tos: NUMBER'"},
};

static const Hint neighbour_words[] = {
        {"lladdr address-lladdr hwaddr macaddress", "the MAC address is written 'mac: ADDRESS'"},
        {"address ip dst", "the neighbour's address is written 'to: ADDRESS'"},
        {"nud", "an entry that mvnetd adds is permanent"},
};

/* Of an entry's keys, by the list that it stands in. */
static const struct {
        const char *schema;
        const Hint *hints;
        size_t n;
} entry_words[] = {
        {"routes", route_words, ELEMENTSOF(route_words)},
        {"rules", rule_words, ELEMENTSOF(rule_words)},
        {"neighbours", neighbour_words, ELEMENTSOF(neighbour_words)},
};

/* What mvnetd leaves to others, by choice. */
static const Hint foreign_words[] = {
        {"dhcp dhcp4 dhcp6 dhcp-identifier dhcp4-overrides dhcp6-overrides dhcpv4 dhcpv6",
         "DHCP: run a client such as dhcpcd or systemd-networkd on the link"},
        {"nameservers nameserver dns dns-search search domain domains resolver dns-nameservers",
         "DNS: use /etc/resolv.conf or systemd-resolved"},
        {"nftables nft firewall iptables ip6tables masquerade nat",
         "packet filters and NAT: use nft"},
        {"tc qdisc qdiscs filters classes shaping traffic-control bandwidth", "queueing: use tc"},
        {"ethtool offload offloads ring rings features coalesce wakeonlan wol link-speed speed "
         "duplex autoneg autonegotiation",
         "hardware settings: use ethtool, or a .link file of udev"},
        {"sriov sr-iov vfs vf num-vfs virtual-function-count embedded-switch-mode",
         "virtual functions: use 'ip link set … vf' or devlink"},
        {"wifi wireless access-points ssid wpa", "wireless networks: use iwd or wpa_supplicant"},
        {"pppoe ppp modems", "PPP: use pppd"},
        {"openvswitch ovs", "Open vSwitch: use ovs-vsctl"},
        {"xdp bpf", "BPF programs: use 'ip link set … xdp' or bpftool"},
        {"lldp emit-lldp", "LLDP: use lldpd"},
        {"hooks pre-up post-up pre-down post-down", "commands: use a systemd unit"},
};

static const Hint kind_words[] = {
        {"ethernet ether eth nic device phys hardware link",
         "a link that somebody else makes has no 'kind', or 'kind: physical'"},
        {"loopback lo", "'lo' is there already: leave 'kind' out"},
        {"linux-bridge br", "that is 'kind: bridge'"},
        {"veth-pair pair virtual-ethernet", "that is 'kind: veth'"},
        {"8021q 802.1q dot1q vlan-interface", "that is 'kind: vlan'"},
        {"mac-vlan macvlan-bridge", "that is 'kind: macvlan'"},
        {"ip-vlan", "that is 'kind: ipvlan'"},
        {"tuntap", "that is 'kind: tun' or 'kind: tap'"},
        {"wg", "that is 'kind: wireguard'"},
        {"ovs-bridge openvswitch", "Open vSwitch is left to ovs-vsctl"},
};

/* Whether `word` is in a list separated by spaces. Underscores count as dashes. */
static bool list_has(const char *list, const char *word) {
        size_t size = strlen(word);

        for (const char *at = list; *at;) {
                size_t length = strcspn(at, " "), i = 0;

                while (length == size && i < size &&
                       (at[i] == word[i] || (at[i] == '-' && word[i] == '_')))
                        i++;
                if (length == size && i == size)
                        return size > 0;
                at += length + strspn(at + length, " ");
        }
        return false;
}

static const char *hint_find(const Hint *hints, size_t n, const char *word) {
        for (size_t i = 0; i < n; i++)
                if (list_has(hints[i].key, word))
                        return hints[i].text;
        return NULL;
}

static bool words_have(const char *const *words, size_t n, const char *word) {
        for (size_t i = 0; i < n; i++)
                if (streq(words[i], word))
                        return true;
        return false;
}

static size_t kinds_add(const LinkKind *kind, size_t n, Buf *ret) {
        buf_printf(ret, "%s%s", n ? ", " : "", kind->name);
        return n + 1;
}

size_t kinds_with_key(const char *key, Buf *ret) {
        size_t n = 0;

        for (size_t i = 0; i < link_kinds_n; i++)
                if (schema_find(&link_kinds[i]->options, key) >= 0)
                        n = kinds_add(link_kinds[i], n, ret);
        return n;
}

size_t kinds_with_flag(uint32_t flag, Buf *ret) {
        size_t n = 0;

        for (size_t i = 0; i < link_kinds_n; i++)
                if (!flag || link_kind_is(link_kinds[i], flag))
                        n = kinds_add(link_kinds[i], n, ret);
        return n;
}

/* A key that belongs to a kind's ports: the section it stands in. */
static const char *port_with_key(const char *key) {
        for (size_t i = 0; i < link_kinds_n; i++)
                if (link_kinds[i]->port.name && schema_find(&link_kinds[i]->port, key) >= 0)
                        return link_kinds[i]->port.name;
        return NULL;
}

static void words_add_links(Words *words, const LinkKind *kind) {
        words_add(words, "kind");
        words_add_schema(words, &link_schema);
        words_add(words, vlans_schema.name);
        words_add_schema(words, kind ? &kind->options : NULL);
        if (link_kind_is(kind, KIND_FOREIGN))
                words_add(words, "match");
        for (size_t i = 0; i < object_types_n; i++)
                if (object_types[i]->flags & OBJECT_ON_LINK && !object_types[i]->within)
                        words_add(words, object_types[i]->schema.name);
        for (size_t i = 0; i < link_kinds_n; i++)
                if (link_kinds[i]->port.name)
                        words_add(words, link_kinds[i]->port.name);
}

/* The same word with dashes, if that is what is meant. */
static bool dashes_meant(const Words *words, const char *key, char *ret, size_t size) {
        size_t length = strlen(key);

        if (length >= size || !strchr(key, '_'))
                return false;
        memcpy(ret, key, length + 1);
        for (char *c = ret; *c; c++)
                *c = *c == '_' ? '-' : *c;
        return words_have(words->items, words->n, ret);
}

static void hint_words(Build *build, const Words *words, const char *key) {
        char dashes[64];

        if (dashes_meant(words, key, dashes, sizeof(dashes)))
                report_hint(build->report, "words are joined by dashes: '%s'", dashes);
        else
                report_nearest(build->report, key, words->items, words->n);
}

/* True if the key is one that mvnetd does not have on purpose. */
static bool key_refused(Build *build, const Node *node) {
        const char *foreign = hint_find(foreign_words, ELEMENTSOF(foreign_words), node->key);

        if (foreign) {
                build_problem(build, node->key_at, "mvnetd leaves '%s' to others", node->key);
                report_hint(build->report, "%s", foreign);
                return true;
        }
        return false;
}

/* True if it is a key, but not of this link. */
static bool key_misplaced(Build *build, const LinkKind *kind, const Node *node) {
        const ObjectType *type = object_type_find(node->key, OBJECT_ON_LINK);
        const char *port = port_with_key(node->key);
        _cleanup_(buf_deinit) Buf kinds = {};

        if (type && type->only)
                buf_add(&kinds, type->only->name);
        if (kinds.size > 0 || kinds_with_key(node->key, &kinds) > 0) {
                if (kind)
                        build_problem(build, node->key_at, "'%s' is not a key of %s", node->key,
                                      kind->name);
                else
                        build_problem(build, node->key_at, "'%s' needs a kind", node->key);
                report_hint(build->report, "it is one of %s", buf_text(&kinds));
                return true;
        }
        if (port) {
                build_problem(build, node->key_at, "'%s' is not a key of a link", node->key);
                report_hint(build->report, "it is one of its '%s'", port);
                return true;
        }
        return false;
}

void link_key_unknown(Build *build, const LinkKind *kind, const Node *node) {
        const char *meant = hint_find(link_words, ELEMENTSOF(link_words), node->key);
        Words words = {};

        if (key_refused(build, node))
                return;
        words_add_links(&words, kind);
        if (!meant && key_misplaced(build, kind, node))
                return;
        build_problem(build, node->key_at, "unknown key '%s'", node->key);
        if (meant)
                report_hint(build->report, "%s", meant);
        else
                hint_words(build, &words, node->key);
}

void space_key_unknown(Build *build, const Node *node, bool top) {
        static const char *const everywhere[] = {"interfaces"};
        static const char *const top_only[] = {"namespaces", "name", "version"};
        static const char *const below_only[] = {"path", "pid"};
        const char *meant = hint_find(space_words, ELEMENTSOF(space_words), node->key);
        Words words = {};

        if (key_refused(build, node))
                return;
        for (size_t i = 0; i < object_types_n; i++)
                if (object_types[i]->flags & OBJECT_IN_NETNS)
                        words_add(&words, object_types[i]->schema.name);
        for (size_t i = 0; i < ELEMENTSOF(everywhere); i++)
                words_add(&words, everywhere[i]);
        for (size_t i = 0; i < (top ? ELEMENTSOF(top_only) : ELEMENTSOF(below_only)); i++)
                words_add(&words, top ? top_only[i] : below_only[i]);
        build_problem(build, node->key_at, "unknown key '%s'", node->key);
        if (!top && words_have(top_only, ELEMENTSOF(top_only), node->key))
                report_hint(build->report, "it stands at the top level of a file");
        else if (meant)
                report_hint(build->report, "%s", meant);
        else
                hint_words(build, &words, node->key);
}

void row_key_unknown(Build *build, const Schema *schema, const Node *node) {
        const char *meant = NULL;
        Words words = {};

        for (size_t i = 0; i < ELEMENTSOF(entry_words) && !meant; i++)
                if (streq(entry_words[i].schema, schema->name))
                        meant = hint_find(entry_words[i].hints, entry_words[i].n, node->key);
        words_add_schema(&words, schema);
        build_problem(build, node->key_at, "unknown key '%s'", node->key);
        if (meant)
                report_hint(build->report, "%s", meant);
        else
                hint_words(build, &words, node->key);
}

void kind_unknown(Build *build, const Node *node) {
        const char *meant = hint_find(kind_words, ELEMENTSOF(kind_words), node->text);
        _cleanup_(buf_deinit) Buf kinds = {};
        Words words = {};

        for (size_t i = 0; i < link_kinds_n; i++)
                words_add(&words, link_kinds[i]->name);
        kinds_with_flag(0, &kinds);
        build_problem(build, node->at, "unknown kind '%s'; there are: %s", node->text,
                      buf_text(&kinds));
        if (meant)
                report_hint(build->report, "%s", meant);
        else
                report_nearest(build->report, node->text, words.items, words.n);
}
