/* SPDX-License-Identifier: MIT */
/* Growing text, numbers, sums over bytes, and the nearest word for "did you mean". */

#include "mvnet/util.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void buf_deinit(Buf *buf) {
        free(buf->text);
        *buf = (Buf){};
}

void buf_reset(Buf *buf) {
        buf->size = 0;
        buf->failed = false;
        if (buf->text)
                buf->text[0] = '\0';
}

static bool buf_reserve(Buf *buf, size_t extra) {
        size_t need, room;
        char *grown;

        if (buf->failed)
                return false;
        if (__builtin_add_overflow(buf->size, extra, &need) || need > SIZE_MAX / 4) {
                buf->failed = true;
                return false;
        }
        if (need < buf->allocated)
                return true;
        room = MAX((size_t)64, need * 2);
        grown = realloc(buf->text, room);
        if (!grown) {
                buf->failed = true;
                return false;
        }
        buf->text = grown;
        buf->allocated = room;
        return true;
}

void buf_addn(Buf *buf, const char *text, size_t size) {
        if (!buf_reserve(buf, size + 1))
                return;
        if (size)
                memcpy(buf->text + buf->size, text, size);
        buf->size += size;
        buf->text[buf->size] = '\0';
}

void buf_add(Buf *buf, const char *text) {
        buf_addn(buf, text, strlen(text));
}

void buf_addc(Buf *buf, char c) {
        buf_addn(buf, &c, 1);
}

void buf_vprintf(Buf *buf, const char *format, va_list ap) {
        va_list again;
        int n;

        va_copy(again, ap);
        n = vsnprintf(NULL, 0, format, again);
        va_end(again);
        if (n < 0 || !buf_reserve(buf, (size_t)n + 1)) {
                buf->failed = true;
                return;
        }
        vsnprintf(buf->text + buf->size, (size_t)n + 1, format, ap);
        buf->size += (size_t)n;
}

void buf_printf(Buf *buf, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        buf_vprintf(buf, format, ap);
        va_end(ap);
}

const char *buf_text(const Buf *buf) {
        return buf->text ? buf->text : "";
}

int buf_error(const Buf *buf) {
        return buf->failed ? -ENOMEM : 0;
}

char *buf_steal(Buf *buf) {
        char *text;

        if (!buf->text)
                buf_addn(buf, "", 0);
        if (buf->failed)
                return NULL;
        text = buf->text;
        *buf = (Buf){};
        return text;
}

/* Words longer than this are no slip of the finger on a key of ours. */
#define WORD_MAX 64

unsigned text_distance(const char *a, const char *b) {
        size_t la = strlen(a), lb = strlen(b);
        unsigned char rows[3][WORD_MAX + 1];
        unsigned char *before = rows[0], *above = rows[1], *row = rows[2];

        if (la > WORD_MAX || lb > WORD_MAX)
                return WORD_MAX;
        for (size_t j = 0; j <= lb; j++)
                above[j] = (unsigned char)j;
        memcpy(before, above, sizeof(rows[0]));
        for (size_t i = 1; i <= la; i++) {
                unsigned char *oldest = before;

                row[0] = (unsigned char)i;
                for (size_t j = 1; j <= lb; j++) {
                        bool same = tolower((unsigned char)a[i - 1]) ==
                                    tolower((unsigned char)b[j - 1]);
                        unsigned best = MIN(above[j] + 1u, row[j - 1] + 1u);

                        best = MIN(best, above[j - 1] + (same ? 0u : 1u));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                best = MIN(best, before[j - 2] + 1u);
                        row[j] = (unsigned char)best;
                }
                before = above;
                above = row;
                row = oldest;
        }
        return above[lb];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t n) {
        const char *nearest = NULL;
        unsigned best = (unsigned)MIN(strlen(word) / 3 + 1, (size_t)3) + 1;

        for (size_t i = 0; i < n; i++) {
                unsigned distance = text_distance(word, candidates[i]);

                /* Replacing every letter is not a slip: "lo" is not a misspelt "ns". */
                if (distance < best && distance < strlen(candidates[i])) {
                        best = distance;
                        nearest = candidates[i];
                }
        }
        return nearest;
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size) {
        const uint8_t *b = bytes;

        for (size_t i = 0; i < size; i++)
                hash = (hash ^ b[i]) * 0x100000001b3u;
        return hash;
}

int text_to_u64(const char *text, uint64_t *ret) {
        bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
        unsigned long long value;
        char *end;

        if (!isxdigit((unsigned char)text[hex ? 2 : 0]) ||
            (!hex && !isdigit((unsigned char)text[0])))
                return -EINVAL;
        errno = 0;
        value = strtoull(text, &end, hex ? 16 : 10);
        if (*end)
                return -EINVAL;
        if (errno)
                return -ERANGE;
        *ret = value;
        return 0;
}

int text_to_s64(const char *text, int64_t *ret) {
        bool negative = text[0] == '-';
        uint64_t magnitude = 0;
        int r = text_to_u64(text + (negative ? 1 : 0), &magnitude);

        if (r < 0)
                return r;
        if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
                return -ERANGE;
        *ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
        return 0;
}

int fd_close(int fd) {
        if (fd >= 0)
                close(fd);
        return -1;
}

void fd_closep(int *fd) {
        *fd = fd_close(*fd);
}

void freep(void *p) {
        free(*(void **)p);
}
