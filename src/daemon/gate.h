/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What stands between a client's bytes and sd-bus, which takes messages of 128 MiB, and for as long
 * as bytes keep coming does nothing else. The gate lets through one whole message of bounded size
 * at a time.
 */

#include "mvnet/util.h"

#define GATE_AUTH_MAX ((size_t)1024)         /* bytes up to BEGIN; it takes some 60 */
#define GATE_MESSAGE_MAX ((size_t)256 * 1024) /* of a message; Apply names up to 256 files */

typedef struct Gate {
        bool begun;   /* authentication is over */
        size_t taken; /* of the bytes before BEGIN: sd-bus has them */
        uint8_t *bytes;
        size_t size, room;
} Gate;

void gate_deinit(Gate *gate);

/* Where to read to, and how much at most: at least 1. 0 or < 0. */
int gate_room(Gate *gate, void **ret, size_t *ret_size);
void gate_fed(Gate *gate, size_t size);

/*
 * What sd-bus can have, to be confirmed by gate_taken(): some of the authentication, or a message.
 * *ret_size is 0 while none is complete. 0, or -EBADMSG: none ever will be.
 */
int gate_piece(const Gate *gate, const void **ret, size_t *ret_size);
void gate_taken(Gate *gate, size_t size);

/* Something has come, but not all of it. */
bool gate_is_amid(const Gate *gate);
