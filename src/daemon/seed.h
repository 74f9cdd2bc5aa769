/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * Sixteen bytes that name this machine, for stable MAC addresses: see network_complete(). A machine
 * without an id (a container, an image's first boot) has a name at least; two of the same name on
 * one wire is the administrator's mistake, and `mac:` its way out.
 */
void machine_seed(uint8_t ret[16]);
