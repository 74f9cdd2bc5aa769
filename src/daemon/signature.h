/* SPDX-License-Identifier: MIT */
#pragma once

/* What one request says: for knowing it again, for its place in the file, for telling. */

#include "mvnet/kernel.h"
#include "mvnet/plan.h"

/* The same for two requests exactly if they ask for the same. */
void op_signature(const Op *op, Buf *ret);

/* Calls `need` with the key ("br0", "ns1/") of every other item that the request rests on. */
void op_needs(const Op *op, void (*need)(void *userdata, const char *key), void *userdata);

/* Where the row, or what is sent, was written; with NULL the first row that is sent. */
Location op_at(const Op *op, const Row *row);

/* "mtu: MESSAGE (ERRNO)". In the arena; NULL if out of memory. */
const char *op_failure(const Op *op, const OpResult *result, Arena *arena);
/* That the kernel took it and did nothing. NULL if out of memory. */
const char *op_ignored(const Op *op, Arena *arena);
