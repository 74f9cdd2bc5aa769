/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The small things every layer leans on: memory that is dropped as a whole, text that grows,
 * and the cleanup attribute.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(at, first) __attribute__((format(printf, at, first)))
#define _unused_ __attribute__((unused))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

/* Like streq, but either may be NULL; NULL equals only NULL. */
static inline bool streq_ptr(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}

/*
 * Arena: allocations that live and die together. Objects are never freed one by one; everything
 * is zeroed. Returns NULL when out of memory; nothing that was handed out before is affected.
 */
typedef struct Arena {
        struct ArenaChunk *chunks;
        size_t used; /* bytes handed out, for those who decide when to start afresh */
} Arena;

void arena_deinit(Arena *arena); /* the arena is empty and usable again */
void *arena_alloc(Arena *arena, size_t size);
void *arena_calloc(Arena *arena, size_t n, size_t size); /* NULL on overflow too */
char *arena_strdup(Arena *arena, const char *text);      /* text may be NULL: NULL */
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...) _printf_(2, 3);
char *arena_vprintf(Arena *arena, const char *format, va_list ap) _printf_(2, 0);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_new_n(arena, type, n) ((type *)arena_calloc((arena), (n), sizeof(type)))

/*
 * Buf: text that grows. Out of memory is remembered rather than returned at every append: ask
 * once, at the end, with buf_error().
 */
typedef struct Buf {
        char *text; /* NUL-terminated whenever size > 0; NULL while nothing was added */
        size_t size;
        size_t allocated;
        bool failed;
} Buf;

void buf_deinit(Buf *buf);
void buf_reset(Buf *buf); /* keeps the memory */
void buf_add(Buf *buf, const char *text);
void buf_addn(Buf *buf, const char *text, size_t size);
void buf_addc(Buf *buf, char c);
void buf_printf(Buf *buf, const char *format, ...) _printf_(2, 3);
void buf_vprintf(Buf *buf, const char *format, va_list ap) _printf_(2, 0);
const char *buf_text(const Buf *buf); /* "" while empty; owned by the buffer */
int buf_error(const Buf *buf);        /* 0, or -ENOMEM if anything was lost */
char *buf_steal(Buf *buf);            /* heap, caller frees; NULL if buf_error() */

/*
 * Names: how far apart two words are (Damerau-Levenshtein: insert, delete, replace, swap), and the
 * nearest of a list for "did you mean". NULL when nothing is near enough to be a likely slip.
 */
unsigned text_distance(const char *a, const char *b);
const char *text_nearest(const char *word, const char *const *candidates, size_t n);

/*
 * FNV-1a, to tell texts apart and to spread names; nothing secret is derived from it. Begins with
 * HASH_BEGIN and goes on from the last result.
 */
#define HASH_BEGIN 0xcbf29ce484222325u
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size);

/* Whole-string decimal (or 0x hexadecimal) numbers. 0, -EINVAL, or -ERANGE. */
int text_to_u64(const char *text, uint64_t *ret);
int text_to_s64(const char *text, int64_t *ret);

/* File descriptors: fd_close returns -1, so that `fd = fd_close(fd)` cannot be closed twice. */
int fd_close(int fd);
void fd_closep(int *fd);

void freep(void *p);
