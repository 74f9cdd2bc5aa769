/* SPDX-License-Identifier: MIT */
#include <linux/if_tunnel.h>

#include "mvnet/schema.h"

static bool differs(const AttrSet *options, const char *key) {
        const Value *value = attrset_get(options, key);

        return value && value->number;
}

static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        static const char *const needed[] = {"ikey", "okey"};
        const Value *version = attrset_get(options, "erspan-ver");
        uint64_t number = version ? version->number : 1;

        *ret_reason = "is for another erspan-ver";
        *ret_key = "erspan";
        if (number != 1 && differs(options, "erspan"))
                return 1;
        *ret_key = "erspan-dir";
        if (number != 2 && differs(options, "erspan-dir"))
                return 1;
        *ret_key = "erspan-hwid";
        if (number != 2 && differs(options, "erspan-hwid"))
                return 1;
        *ret_reason = "is for erspan-ver 0";
        *ret_key = "icsum";
        if (number != 0 && differs(options, "icsum"))
                return 1;
        *ret_key = "ocsum";
        if (number != 0 && differs(options, "ocsum"))
                return 1;
        *ret_key = "key";
        *ret_reason = "is needed, from 0 to 1023, and seq";
        for (size_t i = 0; number != 0 && !differs(options, "external") && i < 2; i++) {
                const Value *key = attrset_get(options, needed[i]);

                if (!key || !key->length || key->number > 1023)
                        return 1;
        }
        if (number != 0 && !differs(options, "external") &&
            !(differs(options, "iseq") && differs(options, "oseq")))
                return 1;
        return 0;
}

const LinkKind link_kind_erspan = {
        .name = "erspan",
        .options = {.name = "erspan", .like = &tunnel_erspan_ip4_schema},
        .lower = {IFLA_GRE_LINK, CHANGE_LIVE, CHANGE_LIVE},
        .bind = BIND_REPORTED,
        .flags = KIND_REPLACES,
        .verify = verify,
        .mtu = MTU_VARIES,
        .fallback = "erspan0",
        .doc = "A tunnel that carries mirrored packets in GRE over IPv4.",
};
