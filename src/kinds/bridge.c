/* SPDX-License-Identifier: MIT */
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>

#include "mvnet/schema.h"

/* Younger than the headers of Debian 12. */
#define BR_FDB_MAX_LEARNED 49        /* IFLA_BR_FDB_MAX_LEARNED, 6.7 */
#define BRPORT_MAB 40                /* IFLA_BRPORT_MAB, 6.2 */
#define BRPORT_MCAST_MAX_GROUPS 42   /* IFLA_BRPORT_MCAST_MAX_GROUPS, 6.3 */
#define BRPORT_NEIGH_VLAN_SUPPRESS 43 /* IFLA_BRPORT_NEIGH_VLAN_SUPPRESS, 6.4 */
#define BRPORT_BACKUP_NHID 44        /* IFLA_BRPORT_BACKUP_NHID, 6.6 */
#define BOOLOPT(n) ((uint64_t)1 << (n)) /* enum br_boolopt_id */

/*
 * With spanning tree on, a bridge that is not the root reports the root's timers in place of its
 * own (br_netlink.c br_fill_info): its own are unknown then.
 */
static int timer_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *stp = get_attr(scope, IFLA_BR_STP_STATE, sizeof(uint32_t));
        const struct nlattr *root = get_attr(scope, IFLA_BR_ROOT_ID, sizeof(struct ifla_bridge_id));
        const struct nlattr *own =
                get_attr(scope, IFLA_BR_BRIDGE_ID, sizeof(struct ifla_bridge_id));

        if (stp && root && own && mnl_attr_get_u32(stp) != 0 &&
            memcmp(mnl_attr_get_payload(root), mnl_attr_get_payload(own),
                   sizeof(struct ifla_bridge_id)) != 0)
                return ATTR_E_ABSENT;
        return attr_get_number(row, scope, ret);
}

static const AttrType attr_timer = {
        .name = "duration",
        .syntax = "a duration",
        .size = 4,
        .is_number = true,
        .parse = attr_parse_clock,
        .format = attr_format_clock,
        .put = attr_put_number,
        .get = timer_get,
        .equal = attr_equal_clock,
};

/* clang-format off */
static const Row rows[] = {
        { .key = "stp", .nla = IFLA_BR_STP_STATE, .type = &attr_bool32, .def = "false",
          .doc = "Whether the bridge takes part in the spanning tree protocol." },
        { .key = "priority", .nla = IFLA_BR_PRIORITY, .type = &attr_u16, .def = "32768",
          .doc = "The bridge's priority in the spanning tree; the lowest becomes the root." },
        /* Checked against the STP state that is in force before the message (br_set_forward_delay). */
        { .key = "forward-delay", .nla = IFLA_BR_FORWARD_DELAY, .type = &attr_timer, .flags = ROW_SOMETIMES, .phase = PHASE_AFTER, .max = 100000, .def = "15s",
          .doc = "How long a port listens, and then learns, before it forwards." },
        { .key = "hello-time", .nla = IFLA_BR_HELLO_TIME, .type = &attr_timer, .flags = ROW_SOMETIMES, .min = 100, .max = 1000, .def = "2s",
          .doc = "The time between hello packets of the spanning tree." },
        { .key = "max-age", .nla = IFLA_BR_MAX_AGE, .type = &attr_timer, .flags = ROW_SOMETIMES, .min = 600, .max = 4000, .def = "20s",
          .doc = "How long the root may be silent before the spanning tree is made anew." },
        { .key = "ageing-time", .nla = IFLA_BR_AGEING_TIME, .type = &attr_clock32, .max = 100000000, .def = "5min",
          .doc = "How long an address that was learned is remembered; 0 is not at all." },
        { .key = "group-fwd-mask", .nla = IFLA_BR_GROUP_FWD_MASK, .type = &attr_u16, .def = "0",
          .doc = "Which of the link-local groups 01:80:c2:00:00:0X are forwarded, a bit each; not 0 to 2." },
        { .key = "group-address", .nla = IFLA_BR_GROUP_ADDR, .type = &attr_mac, .def = "01:80:c2:00:00:00",
          .doc = "The address that spanning tree packets are sent to." },
        { .key = "vlan-filtering", .nla = IFLA_BR_VLAN_FILTERING, .type = &attr_bool, .def = "false",
          .doc = "Whether ports belong to VLANs." },
        { .key = "vlan-protocol", .nla = IFLA_BR_VLAN_PROTOCOL, .type = &attr_enum_be16, .names = vlan_protocols, .def = "802.1q",
          .doc = "The kind of tag that is looked at." },
        { .key = "vlan-default-pvid", .nla = IFLA_BR_VLAN_DEFAULT_PVID, .type = &attr_u16, .max = 4094, .def = "1",
          .doc = "The VLAN of untagged packets at new ports; 0 is none." },
        { .key = "vlan-stats-enabled", .nla = IFLA_BR_VLAN_STATS_ENABLED, .type = &attr_bool, .def = "false",
          .doc = "Whether packets are counted for each VLAN." },
        { .key = "vlan-stats-per-port", .nla = IFLA_BR_VLAN_STATS_PER_PORT, .type = &attr_bool, .def = "false",
          .doc = "Whether packets are counted for each VLAN at each port." },
        { .key = "mcast-router", .nla = IFLA_BR_MCAST_ROUTER, .type = &attr_u8, .max = 2, .def = "1",
          .doc = "Whether the bridge gets all multicast as a router: 0 never, 1 if it is one, 2 always." },
        { .key = "mcast-snooping", .nla = IFLA_BR_MCAST_SNOOPING, .type = &attr_bool, .def = "true",
          .doc = "Whether multicast goes only where somebody listens." },
        { .key = "mcast-query-use-ifaddr", .nla = IFLA_BR_MCAST_QUERY_USE_IFADDR, .type = &attr_bool, .def = "false",
          .doc = "Whether queries carry the bridge's own IP address." },
        { .key = "mcast-querier", .nla = IFLA_BR_MCAST_QUERIER, .type = &attr_bool, .def = "false",
          .doc = "Whether the bridge asks who listens." },
        { .key = "mcast-hash-max", .nla = IFLA_BR_MCAST_HASH_MAX, .type = &attr_u32, .def = "4096",
          .doc = "How many multicast groups are remembered." },
        { .key = "mcast-last-member-count", .nla = IFLA_BR_MCAST_LAST_MEMBER_CNT, .type = &attr_u32, .def = "2",
          .doc = "How many queries follow when a listener leaves." },
        { .key = "mcast-startup-query-count", .nla = IFLA_BR_MCAST_STARTUP_QUERY_CNT, .type = &attr_u32, .def = "2",
          .doc = "How many queries are sent at the start." },
        { .key = "mcast-last-member-interval", .nla = IFLA_BR_MCAST_LAST_MEMBER_INTVL, .type = &attr_clock64, .max = 8640000, .def = "1s",
          .doc = "The time between the queries that follow when a listener leaves." },
        { .key = "mcast-membership-interval", .nla = IFLA_BR_MCAST_MEMBERSHIP_INTVL, .type = &attr_clock64, .max = 8640000, .def = "260s",
          .doc = "How long a silent listener stays one." },
        { .key = "mcast-querier-interval", .nla = IFLA_BR_MCAST_QUERIER_INTVL, .type = &attr_clock64, .max = 8640000, .def = "255s",
          .doc = "How long another querier may be silent before the bridge takes over." },
        { .key = "mcast-query-interval", .nla = IFLA_BR_MCAST_QUERY_INTVL, .type = &attr_clock64, .min = 100, .max = 8640000, .def = "125s",
          .doc = "The time between queries." },
        { .key = "mcast-query-response-interval", .nla = IFLA_BR_MCAST_QUERY_RESPONSE_INTVL, .type = &attr_clock64, .max = 8640000, .def = "10s",
          .doc = "How long a listener may take to answer a query." },
        { .key = "mcast-startup-query-interval", .nla = IFLA_BR_MCAST_STARTUP_QUERY_INTVL, .type = &attr_clock64, .min = 100, .max = 8640000, .def = "31250ms",
          .doc = "The time between queries at the start." },
        { .key = "mcast-stats-enabled", .nla = IFLA_BR_MCAST_STATS_ENABLED, .type = &attr_bool, .def = "false",
          .doc = "Whether multicast protocol packets are counted." },
        { .key = "mcast-igmp-version", .nla = IFLA_BR_MCAST_IGMP_VERSION, .type = &attr_u8, .min = 2, .max = 3, .def = "2",
          .doc = "The version of IGMP." },
        { .key = "mcast-mld-version", .nla = IFLA_BR_MCAST_MLD_VERSION, .type = &attr_u8, .min = 1, .max = 2, .def = "1",
          .doc = "The version of MLD." },
        { .key = "nf-call-iptables", .nla = IFLA_BR_NF_CALL_IPTABLES, .type = &attr_bool, .def = "false",
          .doc = "Whether bridged IPv4 packets pass through iptables." },
        { .key = "nf-call-ip6tables", .nla = IFLA_BR_NF_CALL_IP6TABLES, .type = &attr_bool, .def = "false",
          .doc = "Whether bridged IPv6 packets pass through ip6tables." },
        { .key = "nf-call-arptables", .nla = IFLA_BR_NF_CALL_ARPTABLES, .type = &attr_bool, .def = "false",
          .doc = "Whether bridged ARP packets pass through arptables." },
        { .key = "no-linklocal-learn", .nla = IFLA_BR_MULTI_BOOLOPT, .type = &attr_masked_bit, .bit = BOOLOPT(0), .def = "false",
          .doc = "Whether nothing is learned from packets to link-local groups." },
        { .key = "mcast-vlan-snooping", .nla = IFLA_BR_MULTI_BOOLOPT, .type = &attr_masked_bit, .bit = BOOLOPT(1), .def = "false",
          .doc = "Whether listeners are told apart by VLAN; needs vlan-filtering." },
        { .key = "mst-enabled", .nla = IFLA_BR_MULTI_BOOLOPT, .type = &attr_masked_bit, .bit = BOOLOPT(2), .def = "false",
          .doc = "Whether VLANs have spanning tree states of their own." },
        { .key = "mdb-offload-fail-notification", .nla = IFLA_BR_MULTI_BOOLOPT, .type = &attr_masked_bit, .bit = BOOLOPT(3), .def = "false",
          .doc = "Whether it is told when the hardware can't take a multicast group (Linux 6.15)." },
        { .key = "fdb-local-vlan-0", .nla = IFLA_BR_MULTI_BOOLOPT, .type = &attr_masked_bit, .bit = BOOLOPT(4), .def = "false",
          .doc = "Whether local addresses are kept once rather than for each VLAN (Linux 6.18)." },
        { .key = "fdb-max-learned", .nla = BR_FDB_MAX_LEARNED, .type = &attr_u32, .def = "0",
          .doc = "How many addresses may be learned; 0 is any number (Linux 6.7)." },
};

static const Row port_rows[] = {
        { .key = "cost", .nla = IFLA_BRPORT_COST, .type = &attr_u32, .min = 1, .max = 65535,
          .doc = "The path cost of the port in the spanning tree." },
        { .key = "priority", .nla = IFLA_BRPORT_PRIORITY, .type = &attr_u16, .max = 63, .def = "32",
          .doc = "The priority of the port in the spanning tree." },
        { .key = "hairpin", .nla = IFLA_BRPORT_MODE, .type = &attr_bool, .def = "false",
          .doc = "Whether packets may leave by the port they came in." },
        { .key = "guard", .nla = IFLA_BRPORT_GUARD, .type = &attr_bool, .def = "false",
          .doc = "Whether a spanning tree packet shuts the port." },
        { .key = "root-block", .nla = IFLA_BRPORT_PROTECT, .type = &attr_bool, .def = "false",
          .doc = "Whether the port may never lead to the root." },
        { .key = "fast-leave", .nla = IFLA_BRPORT_FAST_LEAVE, .type = &attr_bool, .def = "false",
          .doc = "Whether a group ends at once when a listener leaves." },
        { .key = "learning", .nla = IFLA_BRPORT_LEARNING, .type = &attr_bool, .def = "true",
          .doc = "Whether addresses are learned at the port." },
        { .key = "flood", .nla = IFLA_BRPORT_UNICAST_FLOOD, .type = &attr_bool, .def = "true",
          .doc = "Whether packets to unknown addresses leave here." },
        { .key = "mcast-flood", .nla = IFLA_BRPORT_MCAST_FLOOD, .type = &attr_bool, .def = "true",
          .doc = "Whether packets to unknown groups leave here." },
        { .key = "bcast-flood", .nla = IFLA_BRPORT_BCAST_FLOOD, .type = &attr_bool, .def = "true",
          .doc = "Whether broadcasts leave here." },
        { .key = "mcast-to-unicast", .nla = IFLA_BRPORT_MCAST_TO_UCAST, .type = &attr_bool, .def = "false",
          .doc = "Whether multicast is sent to each listener by unicast." },
        { .key = "mcast-router", .nla = IFLA_BRPORT_MULTICAST_ROUTER, .type = &attr_u8, .max = 3, .def = "1",
          .doc = "Whether a multicast router is here: 0 never, 1 if one is heard, 2 always, 3 for now." },
        { .key = "mcast-eht-hosts-limit", .nla = IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT, .type = &attr_u32, .min = 1, .max = UINT32_MAX, .def = "512",
          .doc = "How many hosts are tracked at the port." },
        { .key = "mcast-max-groups", .nla = BRPORT_MCAST_MAX_GROUPS, .type = &attr_u32, .def = "0",
          .doc = "How many groups the port may be in; 0 is any number (Linux 6.3)." },
        { .key = "proxy-arp", .nla = IFLA_BRPORT_PROXYARP, .type = &attr_bool, .def = "false",
          .doc = "Whether the bridge answers ARP for hosts it knows." },
        { .key = "proxy-arp-wifi", .nla = IFLA_BRPORT_PROXYARP_WIFI, .type = &attr_bool, .def = "false",
          .doc = "The same, as IEEE 802.11 needs it." },
        { .key = "neigh-suppress", .nla = IFLA_BRPORT_NEIGH_SUPPRESS, .type = &attr_bool, .def = "false",
          .doc = "Whether ARP and neighbour discovery for known hosts are not sent here." },
        { .key = "neigh-vlan-suppress", .nla = BRPORT_NEIGH_VLAN_SUPPRESS, .type = &attr_bool, .def = "false",
          .doc = "The same, told for each VLAN (Linux 6.4)." },
        { .key = "vlan-tunnel", .nla = IFLA_BRPORT_VLAN_TUNNEL, .type = &attr_bool, .def = "false",
          .doc = "Whether VLANs map to tunnel ids here." },
        { .key = "group-fwd-mask", .nla = IFLA_BRPORT_GROUP_FWD_MASK, .type = &attr_u16, .def = "0",
          .doc = "Which of the link-local groups are forwarded here, a bit each; not 1." },
        { .key = "isolated", .nla = IFLA_BRPORT_ISOLATED, .type = &attr_bool, .def = "false",
          .doc = "Whether the port talks only to ports that are not isolated." },
        { .key = "locked", .nla = IFLA_BRPORT_LOCKED, .type = &attr_bool, .def = "false",
          .doc = "Whether only addresses in the forwarding table may send." },
        { .key = "mab", .nla = BRPORT_MAB, .type = &attr_bool, .def = "false",
          .doc = "Whether a locked port remembers who tried; needs locked and learning (Linux 6.2)." },
        { .key = "backup-port", .nla = IFLA_BRPORT_BACKUP_PORT, .type = &attr_link, .phase = PHASE_PORTED, .flags = ROW_ABSENT_IS_DEF, .def = "none",
          .doc = "The port of the same bridge that takes over when this one has no carrier." },
        { .key = "backup-nhid", .nla = BRPORT_BACKUP_NHID, .type = &attr_u32, .flags = ROW_ABSENT_IS_DEF, .def = "0",
          .doc = "The nexthop that packets to the backup port take; 0 is none (Linux 6.6)." },
};
/* clang-format on */

static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *stp = attrset_get(options, "stp");
        const Value *delay = attrset_get(options, "forward-delay");
        const Value *mask = attrset_get(options, "group-fwd-mask");
        const Value *snooping = attrset_get(options, "mcast-vlan-snooping");
        const Value *filtering = attrset_get(options, "vlan-filtering");

        if (stp && stp->number && delay && (delay->number < 200 || delay->number > 3000)) {
                *ret_key = "forward-delay";
                *ret_reason = "with stp, must be from 2s to 30s";
                return 1;
        }
        if (mask && mask->number & 7) {
                *ret_key = "group-fwd-mask";
                *ret_reason = "the bits 0, 1 and 2 (STP, PAUSE, LACP) are never forwarded";
                return 1;
        }
        if (snooping && snooping->number && !(filtering && filtering->number)) {
                *ret_key = "mcast-vlan-snooping";
                *ret_reason = "needs vlan-filtering";
                return 1;
        }
        return 0;
}

static bool is_off(const AttrSet *set, const char *key) {
        const Value *value = attrset_get(set, key);

        return value && !value->number;
}

/* As br_setport has it (6.2, 4.15). */
static int verify_port(const AttrSet *port, const char **ret_key, const char **ret_reason) {
        const Value *mab = attrset_get(port, "mab"), *locked = attrset_get(port, "locked");
        const Value *mask = attrset_get(port, "group-fwd-mask");

        if (mab && mab->number && (!locked || !locked->number || is_off(port, "learning"))) {
                *ret_key = "mab";
                *ret_reason = "needs locked, and learning";
                return 1;
        }
        if (mask && mask->number & 2) {
                *ret_key = "group-fwd-mask";
                *ret_reason = "bit 1 (PAUSE) is never forwarded";
                return 1;
        }
        return 0;
}

const LinkKind link_kind_bridge = {
        .name = "bridge",
        .options = {.name = "bridge", .rows = rows, .n = ELEMENTSOF(rows)},
        .port = {.name = "bridge-port", .rows = port_rows, .n = ELEMENTSOF(port_rows)},
        .filtering = "vlan-filtering",
        .default_vid = "vlan-default-pvid",
        .tunnelling = "vlan-tunnel",
        .flags = KIND_OWN_FDB | KIND_MASTER | KIND_IMMUTABLE_NETNS | KIND_SOLID | KIND_MTU_PORTED,
        .verify = verify,
        .verify_port = verify_port,
        .doc = "A switch: links are its ports.",
};
