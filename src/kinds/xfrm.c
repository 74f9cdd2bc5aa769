/* SPDX-License-Identifier: MIT */
#include <linux/if_link.h>

#include "mvnet/schema.h"

/* clang-format off */
static const Row rows[] = {
        { .key = "if-id", .nla = IFLA_XFRM_IF_ID, .type = &attr_u32, .flags = ROW_ABSENT_IS_ZERO, .def = "0",
          .doc = "The number by which policies and states know the link; no two of a namespace share one." },
        { .key = "external", .nla = 3 /* IFLA_XFRM_COLLECT_METADATA, 6.1 */, .type = &attr_presence, .change = CHANGE_CREATE, .flags = ROW_ABSENT_IS_DEF, .def = "false",
          .doc = "Whether routes, tc or BPF give each packet its number (Linux 6.1)." },
};
/* clang-format on */

static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *id = attrset_get(options, "if-id"), *external = attrset_get(options, "external");
        bool any = id && id->number, is_external = external && external->number;

        *ret_key = "if-id";
        *ret_reason = is_external ? "an external link has none"
                                  : "is needed, and not 0, unless the link is external";
        return any == is_external;
}

/* A change carries the lower device, and it has to be the same (xfrmi_changelink). */
const LinkKind link_kind_xfrm = {
        .name = "xfrm",
        .options = {.name = "xfrm", .rows = rows, .n = ELEMENTSOF(rows)},
        .lower = {IFLA_XFRM_LINK, CHANGE_CREATE, CHANGE_CREATE},
        .bind = BIND_REPORTED,
        .flags = KIND_REPLACES | KIND_NO_MAC | KIND_NO_ARP | KIND_NO_CHILDREN,
        .verify = verify,
        .mtu = MTU_VARIES,
        .doc = "A link for IPsec: what leaves here is encrypted by policies of the same number.",
};
