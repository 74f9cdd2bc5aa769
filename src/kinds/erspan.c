/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>

#include "mvnet/schema.h"

extern const LinkKind link_kind_gretap;

#define SESSION_MAX 1023 /* ID_MASK of net/erspan.h */

/* clang-format off */
static const Row rows[] = {
        /* Version 0 has no room for these: they are taken, and forgotten with the first packet that is
         * sent (erspan_xmit of 6.1 and 6.12; 7.3 keeps them, and makes no use of them). */
        { .key = "okey", .nla = IFLA_GRE_OKEY, .nla2 = IFLA_GRE_OFLAGS, .type = &attr_gre_key, .when = "erspan-ver", .when_in = ROW_BIT(1) | ROW_BIT(2), .def = "none",
          .doc = "The session of packets from us." },
        { .key = "oseq", .nla = IFLA_GRE_OFLAGS, .type = &attr_bit_be16, .bit = 0x1000, .when = "erspan-ver", .when_in = ROW_BIT(1) | ROW_BIT(2), .def = "false",
          .doc = "Whether packets from us are numbered." },
};
/* clang-format on */

static uint64_t number_of(const AttrSet *options, const char *key, uint64_t otherwise) {
        const Value *value = attrset_get(options, key);

        return value ? value->number : otherwise;
}

/* From version 1 on there are sessions, and nothing but numbers beside them (erspan_validate). */
static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        static const char *const keys[] = {"ikey", "okey"}, *const csums[] = {"icsum", "ocsum"};
        bool external = number_of(options, "external", 0);
        const Value *session = attrset_get(options, "okey");

        if (number_of(options, "erspan-ver", 1) == 0)
                return 0;
        *ret_reason = "is from 0 to 1023";
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (number_of(options, *ret_key = keys[i], 0) > SESSION_MAX)
                        return 1;
        if (external)
                return 0;
        *ret_reason = "is for erspan-ver 0, or with external";
        for (size_t i = 0; i < ELEMENTSOF(csums); i++)
                if (number_of(options, *ret_key = csums[i], 0))
                        return 1;
        *ret_key = "key";
        *ret_reason = "is needed, from 0 to 1023";
        if (!session || !session->length)
                return 1;
        *ret_key = "seq";
        *ret_reason = "is needed, in one direction at least";
        return !number_of(options, "iseq", 0) && !number_of(options, "oseq", 0);
}

const LinkKind link_kind_erspan = {
        .name = "erspan",
        .options = {.name = "erspan", .rows = rows, .n = ELEMENTSOF(rows),
                    .like = &tunnel_erspan_ip4_schema},
        .like = &link_kind_gretap,
        .verify = verify,
        .fallback = "erspan0",
        .doc = "A tunnel that carries mirrored packets in GRE over IPv4.",
};
