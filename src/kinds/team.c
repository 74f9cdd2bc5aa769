/* SPDX-License-Identifier: MIT */
#include "mvnet/schema.h"

const LinkKind link_kind_team = {
        .name = "team",
        .options = {.name = "team"},
        .flags = KIND_MASTER | KIND_SOLID | KIND_PORTS_DOWN | KIND_ONE_MTU |
                 KIND_IMMUTABLE_NETNS,
        .doc = "Several links that act as one, under a driver of their choice.",
};
