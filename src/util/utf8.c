/* SPDX-License-Identifier: MIT */
/*
 * Columns are counted in bytes, carets are drawn in characters, and a file must not be able to
 * send escape sequences to the terminal of the one who reads its errors.
 */

#include "mvnet/utf8.h"

size_t utf8_decode(const char *text, size_t size, uint32_t *ret) {
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const unsigned char *byte = (const unsigned char *)text;
        size_t length;
        uint32_t c;

        if (size == 0)
                return 0;
        length = byte[0] < 0x80 ? 1 : byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3
               : byte[0] < 0xf5 ? 4 : 0;
        if (length == 0 || length > size)
                return 0;
        c = length == 1 ? byte[0] : byte[0] & (0x7fu >> length);
        for (size_t i = 1; i < length; i++) {
                if (!utf8_continues(text[i]))
                        return 0;
                c = c << 6 | (byte[i] & 0x3fu);
        }
        if (c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                return 0;
        *ret = c;
        return length;
}

bool utf8_printable(uint32_t c) {
        if (c < 0x20 || (c >= 0x7f && c < 0xa0)) /* C0, DEL, C1 */
                return false;
        if (c >= 0x2028 && c <= 0x202e) /* separators, embeddings and overrides of direction */
                return false;
        if (c >= 0x2066 && c <= 0x2069) /* isolates */
                return false;
        return c != 0x200e && c != 0x200f && c != 0xfeff && (c & 0xfffe) != 0xfffe;
}
