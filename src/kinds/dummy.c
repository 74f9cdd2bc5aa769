/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

const LinkKind link_kind_dummy = {
        .name = "dummy",
        .options = {.name = "dummy"},
        .flags = KIND_NO_ARP,
        .doc = "A link that swallows what is sent and receives nothing.",
};
