/* SPDX-License-Identifier: MIT */
/*
 * dispatch_rqueue() of sd-bus (252) reads until a message is complete and valid, or the socket is
 * empty: whoever fills it fast enough with invalid ones keeps the caller for ever. What comes from
 * here is never more than one message.
 */

#include "daemon/gate.h"

#include <errno.h>
#include <stdlib.h>

#define HEADER ((size_t)16)

void gate_deinit(Gate *gate) {
        free(gate->bytes);
        *gate = (Gate){};
}

static uint32_t header_u32(const Gate *gate, size_t at) {
        const uint8_t *b = gate->bytes + at;

        if (gate->bytes[0] == 'l')
                return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/*
 * Of the message that the bytes begin with: endianness, type, flags, version, size of the body,
 * serial, size of the header's fields, which are padded to 8. 0: not enough of it is there.
 */
static int message_size(const Gate *gate, size_t *ret) {
        uint64_t size;

        *ret = 0;
        if (gate->size < HEADER)
                return 0;
        if ((gate->bytes[0] != 'l' && gate->bytes[0] != 'B') || gate->bytes[3] != 1)
                return -EBADMSG;
        size = HEADER + (((uint64_t)header_u32(gate, 12) + 7) & ~(uint64_t)7) + header_u32(gate, 4);
        if (size > GATE_MESSAGE_MAX)
                return -EBADMSG;
        *ret = (size_t)size;
        return 0;
}

static int make_room(Gate *gate, size_t room) {
        uint8_t *bytes;

        if (room <= gate->room)
                return 0;
        bytes = realloc(gate->bytes, room);
        if (!bytes)
                return -ENOMEM;
        gate->bytes = bytes;
        gate->room = room;
        return 0;
}

/* No more than what is missing of the header, or of the message, but for the authentication. */
int gate_room(Gate *gate, void **ret, size_t *ret_size) {
        size_t size = GATE_AUTH_MAX;
        int r;

        if (gate->begun) {
                r = message_size(gate, &size);
                if (r < 0)
                        return r;
                if (size == 0)
                        size = HEADER;
        }
        r = make_room(gate, MAX(size, gate->size + 1));
        if (r < 0)
                return r;
        *ret = gate->bytes + gate->size;
        *ret_size = MAX(size, gate->size + 1) - gate->size;
        return 0;
}

void gate_fed(Gate *gate, size_t size) {
        gate->size += size;
}

int gate_piece(const Gate *gate, const void **ret, size_t *ret_size) {
        static const char begin[] = "\r\nBEGIN\r\n";
        const uint8_t *end;
        size_t size;
        int r;

        *ret = gate->bytes;
        *ret_size = 0;
        if (gate->begun) {
                r = message_size(gate, &size);
                if (r == 0 && gate->size >= size)
                        *ret_size = size;
                return r;
        }
        if (gate->size == 0)
                return 0;
        end = memmem(gate->bytes, gate->size, begin, strlen(begin));
        if (!end && gate->size >= GATE_AUTH_MAX)
                return -EBADMSG;
        *ret = gate->bytes + gate->taken;
        *ret_size = (end ? (size_t)(end - gate->bytes) + strlen(begin) : gate->size) - gate->taken;
        return 0;
}

void gate_taken(Gate *gate, size_t size) {
        static const char begin[] = "\r\nBEGIN\r\n";
        size_t end;

        if (gate->begun) {
                gate->size -= size;
                memmove(gate->bytes, gate->bytes + size, gate->size);
                return;
        }
        gate->taken += size;
        end = strlen(begin);
        if (gate->taken < end || memcmp(gate->bytes + gate->taken - end, begin, end) != 0)
                return;
        gate->begun = true;
        gate->size -= gate->taken;
        memmove(gate->bytes, gate->bytes + gate->taken, gate->size);
}

bool gate_is_amid(const Gate *gate) {
        return gate->size > 0;
}
