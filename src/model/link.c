/* SPDX-License-Identifier: MIT */
/* What every link has, whatever its kind: IFLA_* of RTM_NEWLINK, and what a file says of links. */

#include "mvnet/schema.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static const Name states[] = {
        {"down", LINK_STATE_DOWN}, {"up", LINK_STATE_UP}, {"any", LINK_STATE_ANY}, {},
};

static int state_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        struct ifinfomsg *header = mnl_nlmsg_get_payload(scope->message);

        if (value->number == LINK_STATE_ANY)
                return 0;
        header->ifi_change |= IFF_UP;
        if (value->number == LINK_STATE_UP)
                header->ifi_flags |= IFF_UP;
        return 0;
}

static int state_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct ifinfomsg *header = scope->header;

        *ret = (Value){.number = header->ifi_flags & IFF_UP ? LINK_STATE_UP : LINK_STATE_DOWN};
        return 0;
}

static bool state_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->number == LINK_STATE_ANY || wanted->number == have->number;
}

static const AttrType attr_state = {
        .name = "word",
        .parse = attr_parse_enum,
        .format = attr_format_enum,
        .put = state_put,
        .get = state_get,
        .equal = state_equal,
};

/* IPv6's part of IFLA_AF_SPEC. Refused at create (EAFNOSUPPORT), absent while IPv6 is off. */
static int gen_mode_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        struct nlattr *spec = put_nest(scope, IFLA_AF_SPEC), *inet6;
        uint8_t mode = (uint8_t)value->number;
        int r;

        inet6 = spec ? put_nest(scope, AF_INET6) : NULL;
        if (!inet6)
                return -EMSGSIZE;
        r = put_attr(scope, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
        if (r < 0)
                return r;
        put_nest_end(scope, inet6);
        put_nest_end(scope, spec);
        return 0;
}

/* The first attribute of this number inside a nest, at least `size` bytes of payload. */
static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t nla, size_t size) {
        const struct nlattr *attr;

        if (!nest)
                return NULL;
        mnl_attr_for_each_nested(attr, nest)
                if (mnl_attr_get_type(attr) == nla && mnl_attr_get_payload_len(attr) >= size)
                        return attr;
        return NULL;
}

static int gen_mode_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct nlattr *spec = get_attr(scope, IFLA_AF_SPEC, 0);
        const struct nlattr *inet6 = find_nested(spec, AF_INET6, 0);
        const struct nlattr *mode = find_nested(inet6, IFLA_INET6_ADDR_GEN_MODE, 1);

        if (!mode)
                return ATTR_E_ABSENT;
        *ret = (Value){.number = mnl_attr_get_u8(mode)};
        return 0;
}

static const AttrType attr_gen_mode = {
        .name = "word",
        .parse = attr_parse_enum,
        .format = attr_format_enum,
        .put = gen_mode_put,
        .get = gen_mode_get,
        .equal = attr_equal_number,
};

static const Name gen_modes[] = {
        {"eui64", IN6_ADDR_GEN_MODE_EUI64},
        {"none", IN6_ADDR_GEN_MODE_NONE},
        {"stable_secret", IN6_ADDR_GEN_MODE_STABLE_PRIVACY},
        {"random", IN6_ADDR_GEN_MODE_RANDOM},
        {},
};

/* clang-format off */
static const Row link_rows[] = {
        [LINK_PARENT]        = { .key = "parent", .nla = IFLA_LINK, .type = &attr_lower, .change = CHANGE_CREATE, .def = "none",
                                 .doc = "The lower device." },
        [LINK_BIND_NETNS]    = { .key = "bind-netns", .nla = IFLA_LINK_NETNSID, .type = &attr_netns, .change = CHANGE_CREATE,
                                 .flags = ROW_SOMETIMES,
                                 .doc = "The namespace that the outer packets belong to, if not the link's own; that of `parent` if there is one." },
        [LINK_MASTER]        = { .key = "master", .nla = IFLA_MASTER, .type = &attr_link, .def = "none",
                                 .flags = ROW_ABSENT_IS_DEF,
                                 .doc = "The bridge (or other master) that this link is a port of, in the same namespace." },
        [LINK_STATE]         = { .key = "state", .type = &attr_state, .phase = PHASE_STATE, .names = states, .def = "up",
                                 .doc = "Whether the link is kept up, kept down, or left as it is found." },
        [LINK_MAC]           = { .key = "mac", .nla = IFLA_ADDRESS, .type = &attr_mac_policy,
                                 .doc = "The MAC address: written out, `stable` (made from machine, namespace and name) or `kernel`." },
        [LINK_MTU]           = { .key = "mtu", .nla = IFLA_MTU, .type = &attr_u32, .min = 68, .max = 65575,
                                 .doc = "The largest packet in bytes, without the link-layer header." },
        [LINK_TXQUEUELEN]    = { .key = "txqueuelen", .nla = IFLA_TXQLEN, .type = &attr_u32, .max = 32767,
                                 .doc = "The length of the transmit queue in packets." },
        [LINK_GROUP]         = { .key = "link-group", .nla = IFLA_GROUP, .type = &attr_u32, .def = "0",
                                 .doc = "The link group; 0x6d76 marks what mvnetd made." },
        [LINK_ALIAS]         = { .key = "alias", .nla = IFLA_IFALIAS, .type = &attr_text, .phase = PHASE_DETAIL,
                                 .flags = ROW_ABSENT_IS_DEF, .max = 255, .def = "",
                                 .doc = "A description for people." },
        [LINK_ARP]           = { .key = "arp", .type = &attr_iff, .bit = IFF_NOARP, .flags = ROW_INVERTED,
                                 .doc = "Whether ARP and neighbour discovery are used on the link." },
        [LINK_MULTICAST]     = { .key = "multicast", .type = &attr_iff, .bit = IFF_MULTICAST,
                                 .doc = "Whether the link carries multicast." },
        [LINK_ALLMULTICAST]  = { .key = "allmulticast", .type = &attr_iff, .bit = IFF_ALLMULTI, .def = "false",
                                 .doc = "Whether the link receives all multicast packets." },
        [LINK_PROMISC]       = { .key = "promisc", .type = &attr_iff, .bit = IFF_PROMISC, .def = "false",
                                 .doc = "Whether the link receives all packets." },
        [LINK_ADDR_GEN_MODE] = { .key = "addr-gen-mode", .nla = IFLA_AF_SPEC, .type = &attr_gen_mode,
                                 .phase = PHASE_DETAIL, .names = gen_modes,
                                 .doc = "How IPv6 addresses are generated; counts when the link comes up." },
        [LINK_OPTIONAL]      = { .key = "optional", .type = &attr_local_bool, .flags = ROW_LOCAL, .def = "false",
                                 .doc = "Whether waiting for the network to be online can do without this link." },
        [LINK_REPLACE]       = { .key = "replace", .type = &attr_local_bool, .flags = ROW_LOCAL, .def = "false",
                                 .doc = "Whether a link that mvnetd did not make may be deleted to make this one." },
        [LINK_PORTS]         = { .key = "ports", .type = &attr_local_links, .flags = ROW_LOCAL,
                                 .doc = "The ports of a master; the same as `master` on each of them." },
};

static const Row match_rows[] = {
        { .key = "mac", .type = &attr_local_mac, .flags = ROW_LOCAL, .doc = "The permanent MAC address." },
        { .key = "driver", .type = &attr_local_text, .flags = ROW_LOCAL, .doc = "The name of the driver." },
        { .key = "path", .type = &attr_local_text, .flags = ROW_LOCAL, .doc = "The device's path, as udev's ID_PATH." },
        { .key = "altname", .type = &attr_local_text, .flags = ROW_LOCAL, .doc = "One of its alternative names." },
};
/* clang-format on */

const Schema link_schema = {.name = "link", .rows = link_rows, .n = ELEMENTSOF(link_rows)};
const Schema match_schema = {.name = "match", .rows = match_rows, .n = ELEMENTSOF(match_rows)};

static const Row altname_rows[] = {
        {
                .key = "name",
                .nla = IFLA_ALT_IFNAME,
                .type = &attr_text,
                .change = CHANGE_KEY,
                .flags = ROW_REQUIRED | ROW_SHORTHAND,
                .max = 127,
                .doc = "Another name that the link can be found by.",
        },
};

static int altname_begin(PutScope *scope, int ifindex) {
        struct ifinfomsg *header = mnl_nlmsg_get_payload(scope->message);

        header->ifi_index = ifindex;
        return 0;
}

const ObjectType object_altname = {
        .schema = {.name = "altnames", .rows = altname_rows, .n = ELEMENTSOF(altname_rows)},
        .transport = TRANSPORT_RTNL,
        .flags = OBJECT_ON_LINK,
        .message_new = RTM_NEWLINKPROP,
        .message_del = RTM_DELLINKPROP,
        .header_size = sizeof(struct ifinfomsg),
        .begin = altname_begin,
        .nest = IFLA_PROP_LIST,
        .doc = "Alternative names.",
};
