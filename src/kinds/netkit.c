/* SPDX-License-Identifier: MIT */
#include <linux/if_link.h>

#include "mvnet/schema.h"

enum { /* newer than our headers (6.7; SCRUB 6.13, HEADROOM 6.14) */
        NETKIT_PEER_INFO = 1,
        NETKIT_POLICY = 3,
        NETKIT_PEER_POLICY,
        NETKIT_MODE,
        NETKIT_SCRUB,
        NETKIT_PEER_SCRUB,
        NETKIT_HEADROOM,
        NETKIT_TAILROOM,
};

enum {
        MODE_L2,
        MODE_L3,
};

static const Name policies[] = {{"forward", 0}, {"blackhole", 2}, {}};
static const Name modes[] = {{"l2", MODE_L2}, {"l3", MODE_L3}, {}};
static const Name scrubs[] = {{"none", 0}, {"default", 1}, {}};

/* clang-format off */
static const Row rows[] = {
        { .key = "peer", .nla = NETKIT_PEER_INFO, .type = &attr_peer, .change = CHANGE_CREATE, .flags = ROW_REQUIRED | ROW_MAKES_PEER,
          .doc = "The far end, which comes into being with this one." },
        { .key = "mode", .far = "mode", .nla = NETKIT_MODE, .type = &attr_enum32, .names = modes, .change = CHANGE_CREATE, .def = "l3",
          .doc = "Whether packets have an Ethernet header (l2)." },
        { .key = "policy", .far = "peer-policy", .nla = NETKIT_POLICY, .type = &attr_enum32, .names = policies, .def = "forward",
          .doc = "What becomes of packets from here while no BPF program is attached." },
        { .key = "peer-policy", .far = "policy", .nla = NETKIT_PEER_POLICY, .type = &attr_enum32, .names = policies, .def = "forward",
          .doc = "What becomes of packets from the far end while no BPF program is attached." },
        { .key = "scrub", .far = "peer-scrub", .nla = NETKIT_SCRUB, .type = &attr_enum32, .names = scrubs, .change = CHANGE_CREATE, .def = "default",
          .doc = "Whether packets from here lose their mark and priority (Linux 6.13)." },
        { .key = "peer-scrub", .far = "scrub", .nla = NETKIT_PEER_SCRUB, .type = &attr_enum32, .names = scrubs, .change = CHANGE_CREATE, .def = "default",
          .doc = "Whether packets from the far end lose their mark and priority (Linux 6.13)." },
        { .key = "headroom", .far = "headroom", .nla = NETKIT_HEADROOM, .type = &attr_u16, .change = CHANGE_CREATE, .def = "0",
          .doc = "Room in front of packets, in bytes (Linux 6.14)." },
        { .key = "tailroom", .far = "tailroom", .nla = NETKIT_TAILROOM, .type = &attr_u16, .change = CHANGE_CREATE, .def = "0",
          .doc = "Room behind packets, in bytes (Linux 6.14)." },
};
/* clang-format on */

static int verify(const AttrSet *common, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *mode = attrset_get(options, "mode");

        *ret_key = "mac";
        *ret_reason = "needs 'mode: l2'";
        return attrset_has(common, LINK_MAC) && !(mode && mode->number == MODE_L2);
}

const LinkKind link_kind_netkit = {
        .name = "netkit",
        .options = {.name = "netkit", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_PAIR | KIND_ARP_VARIES,
        .verify = verify,
        .doc = "A pair of links for BPF programs: what goes in at one end comes out at the other.",
};
