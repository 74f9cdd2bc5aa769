/* SPDX-License-Identifier: MIT */
#include <linux/if_link.h>

#include "mvnet/schema.h"

/* clang-format off */
static const Row rows[] = {
        { .key = "table", .nla = IFLA_VRF_TABLE, .type = &attr_u32, .change = CHANGE_CREATE, .flags = ROW_REQUIRED, .min = 1, .max = UINT32_MAX,
          .doc = "The routing table of the VRF and its ports." },
};

static const Row port_rows[] = {
        { .key = "table", .nla = IFLA_VRF_PORT_TABLE, .type = &attr_u32, .change = CHANGE_STATE,
          .doc = "The routing table of the VRF that the port is in." },
};
/* clang-format on */

const LinkKind link_kind_vrf = {
        .name = "vrf",
        .options = {.name = "vrf", .rows = rows, .n = ELEMENTSOF(rows)},
        .port = {.name = "vrf-port", .rows = port_rows, .n = ELEMENTSOF(port_rows)},
        .flags = KIND_MASTER | KIND_SOLID | KIND_L3_MASTER | KIND_NO_PORT | KIND_NO_CHILDREN |
                 KIND_IMMUTABLE_NETNS | KIND_NO_ARP,
        .mtu = 65575, /* room for any packet (vrf.c vrf_setup) */
        .doc = "A routing domain: its ports have a routing table of their own.",
};
