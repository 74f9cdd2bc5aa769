/* SPDX-License-Identifier: MIT */
#pragma once

/* What we read and print is UTF-8, whatever the locale says. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that `text` begins with; 0 if there is none or it is not valid UTF-8. */
size_t utf8_decode(const char *text, size_t size, uint32_t *ret);

/* Whether a terminal just shows it: no control, no line separator, nothing that turns the line. */
bool utf8_printable(uint32_t c);

/* True for the second and later bytes of a character. */
static inline bool utf8_continues(char byte) {
        return ((unsigned char)byte & 0xc0) == 0x80;
}
