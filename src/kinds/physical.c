/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

const LinkKind link_kind_physical = {
        .name = "physical",
        .options = {.name = "physical"},
        .flags = KIND_FOREIGN | KIND_SOLID,
        .doc = "A link that somebody else makes: waited for, adjusted, never made or deleted.",
};
