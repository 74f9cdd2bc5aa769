/* SPDX-License-Identifier: MIT */
#include <linux/if_link.h>

#include "mvnet/schema.h"

static const Name modes[] = {
        {"l2", IPVLAN_MODE_L2}, {"l3", IPVLAN_MODE_L3}, {"l3s", IPVLAN_MODE_L3S}, {},
};
static const Name flags[] = {
        {"bridge", 0}, {"private", IPVLAN_F_PRIVATE}, {"vepa", IPVLAN_F_VEPA}, {},
};

/* clang-format off */
static const Row rows[] = {
        { .key = "mode", .nla = IFLA_IPVLAN_MODE, .type = &attr_enum16, .names = modes, .flags = ROW_REQUIRED | ROW_PER_PARENT,
          .doc = "Where packets are told apart: at layer 2, at layer 3, or there with netfilter (l3s)." },
        { .key = "flags", .nla = IFLA_IPVLAN_FLAGS, .type = &attr_enum16, .names = flags, .flags = ROW_PER_PARENT, .def = "bridge",
          .doc = "Whether the links on one parent can talk to each other (bridge), not at all, or by way of the switch (vepa)." },
};
/* clang-format on */

const LinkKind link_kind_ipvlan = {
        .name = "ipvlan",
        .options = {.name = "ipvlan", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_PARENT | KIND_REAL_LOWER | KIND_CLAIMS_PARENT | KIND_NO_MAC |
                 KIND_MTU_FOLLOWS | KIND_NO_PORT | KIND_NO_CHILDREN | KIND_OWN_IP | KIND_ARP_VARIES,
        .doc = "A link with IP addresses of its own behind the parent's MAC address.",
};
