/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bonding.h>
#include <linux/if_link.h>

#include "mvnet/schema.h"

/* Younger than the headers of Debian 12. */
#define BROADCAST_NEIGH 33 /* IFLA_BOND_BROADCAST_NEIGH, 6.17 */
#define AD_ACTOR_PORT_PRIO 3 /* enum of bond_3ad.h, 6.18 */

/* The modes that a row is for, or is not for (bond_options.c bond_opts[], unsuppmodes). */
#define MODE(mode) ((uint64_t)1 << (mode))
#define MODES_ACTIVE \
        (MODE(BOND_MODE_ACTIVEBACKUP) | MODE(BOND_MODE_TLB) | MODE(BOND_MODE_ALB))
#define MODES_TLB (MODE(BOND_MODE_TLB) | MODE(BOND_MODE_ALB))
#define MODES_ARP \
        (MODE(BOND_MODE_ROUNDROBIN) | MODE(BOND_MODE_ACTIVEBACKUP) | MODE(BOND_MODE_XOR) | \
         MODE(BOND_MODE_BROADCAST))
#define MODES_AD MODE(BOND_MODE_8023AD)

#define TARGETS_MAX 16 /* BOND_MAX_ARP_TARGETS, BOND_MAX_NS_TARGETS of net/bonding.h */

/* Targets: the list that is sent replaces the one that was there (bond_netlink.c bond_changelink). */

/* By then the list that was in force is gone (bond_options.c _bond_option_arp_ip_target_add). */
static bool is_refused(const Value *value) {
        static const uint8_t any[16], loopback[16] = {[15] = 1}, broadcast[4] = {255, 255, 255, 255};

        if (value->family == AF_INET)
                return value->bytes[0] == 0 || memcmp(value->bytes, broadcast, 4) == 0;
        return value->bytes[0] == 0xff || memcmp(value->bytes, any, 16) == 0 ||
               memcmp(value->bytes, loopback, 16) == 0;
}

static int parse_target(const Row *row, ParseScope *scope, const char *text, uint8_t family,
                        Value *ret) {
        Value value = {};
        int r = attr_parse_ip(row, scope, text, &value);

        if (r != 0)
                return r;
        if (value.family != family) {
                scope->reason = "is an address of the other family";
                return ATTR_E_INVALID;
        }
        scope->reason = "is no address that could answer";
        if (is_refused(&value))
                return ATTR_E_INVALID;
        *ret = value;
        return 0;
}

static int ipv4_target_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return parse_target(row, scope, text, AF_INET, ret);
}

static int ipv6_target_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return parse_target(row, scope, text, AF_INET6, ret);
}

static int targets_put(const Row *row, const Value *value, PutScope *scope) {
        struct nlattr *nest = put_nest(scope, row->nla);

        if (!nest)
                return -EMSGSIZE;
        for (size_t i = 0; i < value->list.n; i++) {
                const Value *target = &value->list.items[i];
                int r = put_attr(scope, (uint16_t)i, target->bytes, ip_bytes(target->family));

                if (r < 0)
                        return r;
        }
        put_nest_end(scope, nest);
        return 0;
}

static int get_targets(const Row *row, const GetScope *scope, uint8_t family, Value *ret) {
        const struct nlattr *nest = get_attr(scope, row->nla, 0), *attr;
        Value list = {};

        if (!nest)
                return ATTR_E_ABSENT;
        mnl_attr_for_each_nested(attr, nest) {
                Value item = {.family = family};

                if (mnl_attr_get_payload_len(attr) < ip_bytes(family))
                        return -EBADMSG;
                memcpy(item.bytes, mnl_attr_get_payload(attr), ip_bytes(family));
                if (value_append(row, scope->arena, &list, &item) < 0)
                        return -ENOMEM;
        }
        *ret = list;
        return 0;
}

static int ipv4_targets_get(const Row *row, const GetScope *scope, Value *ret) {
        return get_targets(row, scope, AF_INET, ret);
}

static int ipv6_targets_get(const Row *row, const GetScope *scope, Value *ret) {
        return get_targets(row, scope, AF_INET6, ret);
}

#define TARGETS                                                                      \
        .name = "list of addresses", .shape = SHAPE_LIST, .format = attr_format_ip, \
        .put = targets_put, .equal = attr_equal_ip

static const AttrType attr_ipv4_targets = {
        .syntax = "IPv4 addresses", .parse = ipv4_target_parse, .get = ipv4_targets_get, TARGETS,
};

static const AttrType attr_ipv6_targets = {
        .syntax = "IPv6 addresses", .parse = ipv6_target_parse, .get = ipv6_targets_get, TARGETS,
};

static const Name modes[] = {
        {"balance-rr", BOND_MODE_ROUNDROBIN}, {"active-backup", BOND_MODE_ACTIVEBACKUP},
        {"balance-xor", BOND_MODE_XOR},       {"broadcast", BOND_MODE_BROADCAST},
        {"802.3ad", BOND_MODE_8023AD},        {"balance-tlb", BOND_MODE_TLB},
        {"balance-alb", BOND_MODE_ALB},       {},
};

/* BOND_ARP_VALIDATE_* and BOND_ARP_FILTER* of net/bonding.h. */
static const Name arp_validate[] = {
        {"none", 0}, {"active", 1}, {"backup", 2}, {"all", 3}, {"filter", 4},
        {"filter_active", 5}, {"filter_backup", 6}, {},
};
static const Name arp_all_targets[] = {{"any", 0}, {"all", 1}, {}};
static const Name reselect[] = {{"always", 0}, {"better", 1}, {"failure", 2}, {}};
static const Name fail_over_mac[] = {{"none", 0}, {"active", 1}, {"follow", 2}, {}};
static const Name lacp_rates[] = {{"slow", 0}, {"fast", 1}, {}};

static const Name hash_policies[] = {
        {"layer2", BOND_XMIT_POLICY_LAYER2},   {"layer3+4", BOND_XMIT_POLICY_LAYER34},
        {"layer2+3", BOND_XMIT_POLICY_LAYER23}, {"encap2+3", BOND_XMIT_POLICY_ENCAP23},
        {"encap3+4", BOND_XMIT_POLICY_ENCAP34}, {"vlan+srcmac", BOND_XMIT_POLICY_VLAN_SRCMAC},
        {},
};

static const Name ad_selects[] = {
        {"stable", 0}, {"bandwidth", 1}, {"count", 2}, {"actor_port_prio", AD_ACTOR_PORT_PRIO}, {},
};

/* clang-format off */
static const Row rows[] = {
        { .key = "mode", .nla = IFLA_BOND_MODE, .type = &attr_enum8, .names = modes, .change = CHANGE_DOWN, .flags = ROW_NO_PORTS, .def = "balance-rr",
          .doc = "How packets are spread over the ports." },
        { .key = "active-port", .nla = IFLA_BOND_ACTIVE_SLAVE, .type = &attr_link, .change = CHANGE_STATE,
          .doc = "The port that is in use; `primary` says which one it should be." },
        { .key = "miimon", .nla = IFLA_BOND_MIIMON, .type = &attr_ms, .max = INT32_MAX, .def = "0s",
          .doc = "How often the carrier of the ports is looked at; 0 is never." },
        { .key = "updelay", .nla = IFLA_BOND_UPDELAY, .type = &attr_ms, .when = "miimon", .def = "0s",
          .doc = "How long a port must have a carrier before it is used, a multiple of miimon." },
        { .key = "downdelay", .nla = IFLA_BOND_DOWNDELAY, .type = &attr_ms, .when = "miimon", .def = "0s",
          .doc = "How long a port may be without a carrier before it is given up, a multiple of miimon." },
        { .key = "use-carrier", .nla = IFLA_BOND_USE_CARRIER, .type = &attr_bool, .def = "true",
          .doc = "Whether the driver's carrier is believed, rather than asked for by ioctl (always, from Linux 6.18 on)." },
        { .key = "arp-interval", .nla = IFLA_BOND_ARP_INTERVAL, .type = &attr_ms, .max = INT32_MAX, .when = "mode", .when_in = MODES_ARP, .def = "0s",
          .doc = "How often the targets are asked for by ARP to see whether a port works, instead of miimon; 0 is never." },
        { .key = "arp-ip-targets", .nla = IFLA_BOND_ARP_IP_TARGET, .type = &attr_ipv4_targets, .flags = ROW_ABSENT_IS_DEF, .def = "[]",
          .doc = "The addresses that are asked for by ARP, all of them: up to 16." },
        { .key = "ns-ip6-targets", .nla = IFLA_BOND_NS_IP6_TARGET, .type = &attr_ipv6_targets, .flags = ROW_ABSENT_IS_DEF, .def = "[]",
          .doc = "The addresses that are asked for by neighbour discovery, all of them: up to 16 (Linux 5.18)." },
        { .key = "arp-validate", .nla = IFLA_BOND_ARP_VALIDATE, .type = &attr_enum32, .names = arp_validate, .when = "mode", .when_in = MODES_ARP, .def = "none",
          .doc = "On which ports ARP packets must be such as were asked for to count." },
        { .key = "arp-all-targets", .nla = IFLA_BOND_ARP_ALL_TARGETS, .type = &attr_enum32, .names = arp_all_targets, .def = "any",
          .doc = "How many of the targets must answer." },
        { .key = "primary", .nla = IFLA_BOND_PRIMARY, .type = &attr_link, .phase = PHASE_PORTED, .flags = ROW_ABSENT_IS_DEF, .when = "mode", .when_in = MODES_ACTIVE, .def = "none",
          .doc = "The port that is used whenever it works." },
        { .key = "primary-reselect", .nla = IFLA_BOND_PRIMARY_RESELECT, .type = &attr_enum8, .names = reselect, .def = "always",
          .doc = "When a primary that works again takes over: at once, if it is better, or if the other fails." },
        { .key = "fail-over-mac", .nla = IFLA_BOND_FAIL_OVER_MAC, .type = &attr_enum8, .names = fail_over_mac, .flags = ROW_NO_PORTS, .def = "none",
          .doc = "Whether ports keep their own MAC address: none, the bond takes the active one's, or that follows the bond's." },
        { .key = "xmit-hash-policy", .nla = IFLA_BOND_XMIT_HASH_POLICY, .type = &attr_enum8, .names = hash_policies, .def = "layer2",
          .doc = "What of a packet decides about its port." },
        { .key = "resend-igmp", .nla = IFLA_BOND_RESEND_IGMP, .type = &attr_u32, .max = 255, .def = "1",
          .doc = "How many IGMP reports follow a change of the active port." },
        { .key = "num-grat-arp", .nla = IFLA_BOND_NUM_PEER_NOTIF, .type = &attr_u8, .def = "1",
          .doc = "How many gratuitous ARPs, and neighbour advertisements, follow a change of the active port." },
        { .key = "all-slaves-active", .nla = IFLA_BOND_ALL_SLAVES_ACTIVE, .type = &attr_bool, .def = "false",
          .doc = "Whether packets that come in by a port that is not active are taken." },
        { .key = "min-links", .nla = IFLA_BOND_MIN_LINKS, .type = &attr_u32, .max = INT32_MAX, .def = "0",
          .doc = "How many ports must work for the bond to have a carrier." },
        { .key = "lp-interval", .nla = IFLA_BOND_LP_INTERVAL, .type = &attr_seconds, .min = 1, .max = INT32_MAX, .def = "1s",
          .doc = "The time between learning packets to the switches." },
        { .key = "packets-per-slave", .nla = IFLA_BOND_PACKETS_PER_SLAVE, .type = &attr_u32, .max = 65535, .when = "mode", .when_in = MODE(BOND_MODE_ROUNDROBIN), .def = "1",
          .doc = "How many packets go out by a port before it is the next one's turn; 0 is at random." },
        { .key = "lacp-rate", .nla = IFLA_BOND_AD_LACP_RATE, .type = &attr_enum8, .names = lacp_rates, .change = CHANGE_DOWN, .when = "mode", .when_in = MODES_AD, .def = "slow",
          .doc = "How often the partner is asked to send: every 30 seconds or every second." },
        { .key = "ad-select", .nla = IFLA_BOND_AD_SELECT, .type = &attr_enum8, .names = ad_selects, .change = CHANGE_DOWN, .def = "stable",
          .doc = "Which aggregator is chosen." },
        { .key = "ad-actor-sys-prio", .nla = IFLA_BOND_AD_ACTOR_SYS_PRIO, .type = &attr_u16, .min = 1, .max = 65535, .flags = ROW_SOMETIMES, .when = "mode", .when_in = MODES_AD, .def = "65535",
          .doc = "The priority of this system in LACP." },
        { .key = "ad-user-port-key", .nla = IFLA_BOND_AD_USER_PORT_KEY, .type = &attr_u16, .max = 1023, .change = CHANGE_DOWN, .flags = ROW_SOMETIMES, .when = "mode", .when_in = MODES_AD, .def = "0",
          .doc = "The upper bits of the port key in LACP." },
        { .key = "ad-actor-system", .nla = IFLA_BOND_AD_ACTOR_SYSTEM, .type = &attr_mac, .flags = ROW_SOMETIMES, .when = "mode", .when_in = MODES_AD, .def = "00:00:00:00:00:00",
          .doc = "The MAC address of this system in LACP; all zero is the bond's own." },
        { .key = "tlb-dynamic-lb", .nla = IFLA_BOND_TLB_DYNAMIC_LB, .type = &attr_bool, .change = CHANGE_DOWN, .when = "mode", .when_in = MODES_TLB, .def = "true",
          .doc = "Whether flows move to other ports with the load." },
        { .key = "peer-notify-delay", .nla = IFLA_BOND_PEER_NOTIF_DELAY, .type = &attr_ms, .max = 300000, .when = "miimon", .def = "0s",
          .doc = "The time between gratuitous ARPs, a multiple of miimon; 0 is as often as miimon." },
        { .key = "lacp-active", .nla = IFLA_BOND_AD_LACP_ACTIVE, .type = &attr_bool, .change = CHANGE_DOWN, .when = "mode", .when_in = MODES_AD, .def = "true",
          .doc = "Whether LACP packets are sent without being asked." },
        { .key = "arp-missed-max", .nla = IFLA_BOND_MISSED_MAX, .type = &attr_u8, .min = 1, .max = 255, .when = "mode", .when_in = MODES_ARP, .def = "2",
          .doc = "How many answers may be missing before a port is given up." },
        { .key = "coupled-control", .nla = IFLA_BOND_COUPLED_CONTROL, .type = &attr_bool, .change = CHANGE_DOWN, .when = "mode", .when_in = MODES_AD, .def = "true",
          .doc = "Whether a port begins to receive and to send at once, rather than in two steps (Linux 6.9)." },
        { .key = "broadcast-neighbor", .nla = BROADCAST_NEIGH, .type = &attr_bool, .when = "mode", .when_in = MODES_AD, .def = "false",
          .doc = "Whether ARP and neighbour discovery go out by all ports (Linux 6.17)." },
};

static const Row port_rows[] = {
        { .key = "queue-id", .nla = IFLA_BOND_SLAVE_QUEUE_ID, .type = &attr_u16, .def = "0",
          .doc = "The transmit queue of the bond whose packets leave here; 0 is none." },
        { .key = "prio", .nla = IFLA_BOND_SLAVE_PRIO, .type = &attr_s32, .when = "mode", .when_in = MODES_ACTIVE, .def = "0",
          .doc = "Which port is used next: the one with the highest (Linux 6.0)." },
        { .key = "actor-port-prio", .nla = IFLA_BOND_SLAVE_ACTOR_PORT_PRIO, .type = &attr_u16, .when = "mode", .when_in = MODES_AD, .def = "255",
          .doc = "The priority of the port in LACP, for ad-select (Linux 6.18)." },
};
/* clang-format on */

static bool is_set(const AttrSet *options, const char *key) {
        const Value *value = attrset_get(options, key);

        return value && value->number;
}

static bool is_too_long(const AttrSet *options, const char *key) {
        const Value *list = attrset_get(options, key);

        return list && list->list.n > TARGETS_MAX;
}

/* The kernel would round them down (bond_options.c _bond_option_delay_set). */
static const char *odd_delay(const AttrSet *options) {
        static const char *const keys[] = {"updelay", "downdelay", "peer-notify-delay"};
        const Value *miimon = attrset_get(options, "miimon");

        for (size_t i = 0; miimon && miimon->number && i < ELEMENTSOF(keys); i++) {
                const Value *delay = attrset_get(options, keys[i]);

                if (delay && delay->number % miimon->number)
                        return keys[i];
        }
        return NULL;
}

static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *system = attrset_get(options, "ad-actor-system");
        const char *odd = odd_delay(options);

        if (is_set(options, "miimon") && is_set(options, "arp-interval")) {
                *ret_key = "arp-interval";
                *ret_reason = "ports are watched by miimon or by ARP, not both";
                return 1;
        }
        if (is_set(options, "miimon") && is_set(options, "arp-validate")) {
                *ret_key = "arp-validate";
                *ret_reason = "with miimon there is no ARP to be validated";
                return 1;
        }
        if (is_too_long(options, "arp-ip-targets") || is_too_long(options, "ns-ip6-targets")) {
                *ret_key = is_too_long(options, "arp-ip-targets") ? "arp-ip-targets"
                                                                  : "ns-ip6-targets";
                *ret_reason = "there can be 16";
                return 1;
        }
        if (odd) {
                *ret_key = odd;
                *ret_reason = "must be a multiple of miimon";
                return 1;
        }
        if (system && system->bytes[0] & 1) {
                *ret_key = "ad-actor-system";
                *ret_reason = "is a multicast address";
                return 1;
        }
        return 0;
}

const LinkKind link_kind_bond = {
        .name = "bond",
        .options = {.name = "bond", .rows = rows, .n = ELEMENTSOF(rows)},
        .port = {.name = "bond-port", .rows = port_rows, .n = ELEMENTSOF(port_rows)},
        .flags = KIND_MASTER | KIND_SOLID | KIND_PORTS_DOWN | KIND_IMMUTABLE_NETNS,
        .verify = verify,
        .doc = "Several links that act as one.",
};
