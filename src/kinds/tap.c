/* SPDX-License-Identifier: MIT */
#include <linux/if_link.h>
#include <linux/if_tun.h>

#include "mvnet/schema.h"

/* clang-format off */
static const Row rows[] = {
        { .key = "owner", .nla = IFLA_TUN_OWNER, .type = &attr_tun_owner, .transport = TRANSPORT_TUN, .flags = ROW_ABSENT_IS_DEF, .def = "none",
          .doc = "Who else than root may open it: USER[:GROUP]." },
        { .key = "multi-queue", .nla = IFLA_TUN_MULTI_QUEUE, .type = &attr_bool, .transport = TRANSPORT_TUN, .change = CHANGE_CREATE, .def = "false",
          .doc = "Whether it can be opened more than once, each time as one more queue." },
        /* Whoever opens it says these two anew (tun_set_iff), so that is not fought over. */
        { .key = "pi", .nla = IFLA_TUN_PI, .type = &attr_bool, .transport = TRANSPORT_TUN, .flags = ROW_USERS, .def = "false",
          .doc = "Whether packets are read and written with four bytes of flags and protocol, until a program that opens it says otherwise." },
        { .key = "vnet-hdr", .nla = IFLA_TUN_VNET_HDR, .type = &attr_bool, .transport = TRANSPORT_TUN, .flags = ROW_USERS, .def = "false",
          .doc = "Whether packets are read and written with a virtio_net header, until a program that opens it says otherwise." },
};
/* clang-format on */

const LinkKind link_kind_tap = {
        .name = "tap",
        .kernel_name = "tun",
        .type_nla = IFLA_TUN_TYPE,
        .type = IFF_TAP,
        .transport = TRANSPORT_TUN,
        .options = {.name = "tap", .rows = rows, .n = ELEMENTSOF(rows)},
        .doc = "A link whose far end is a program that reads and writes Ethernet frames.",
};
