/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What libFuzzer calls, and replay.c for every file of a folder. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
