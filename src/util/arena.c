/* SPDX-License-Identifier: MIT */
/*
 * A wanted Network is built, used and dropped as a whole, and so is each namespace's picture of
 * the kernel. An arena makes that one free() per chunk and leaves no half-owned objects behind.
 */

#include "mvnet/util.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_SIZE ((size_t)16 * 1024)

typedef struct ArenaChunk {
        struct ArenaChunk *next;
        size_t size, used;
        alignas(max_align_t) char bytes[];
} ArenaChunk;

void arena_deinit(Arena *arena) {
        ArenaChunk *next;

        for (ArenaChunk *chunk = arena->chunks; chunk; chunk = next) {
                next = chunk->next;
                free(chunk);
        }
        *arena = (Arena){};
}

static ArenaChunk *arena_grow(Arena *arena, size_t size) {
        size_t room = MAX(size, CHUNK_SIZE);
        ArenaChunk *chunk = calloc(1, sizeof(ArenaChunk) + room);

        if (!chunk)
                return NULL;
        chunk->size = room;
        /* A chunk made for one big object is full at once: keep filling the one before it. */
        if (size >= CHUNK_SIZE && arena->chunks) {
                chunk->next = arena->chunks->next;
                arena->chunks->next = chunk;
        } else {
                chunk->next = arena->chunks;
                arena->chunks = chunk;
        }
        return chunk;
}

void *arena_alloc(Arena *arena, size_t size) {
        const size_t align = alignof(max_align_t);
        ArenaChunk *chunk = arena->chunks;
        void *ret;

        if (size > SIZE_MAX / 2)
                return NULL;
        size = (MAX(size, 1u) + align - 1) & ~(align - 1);
        if (!chunk || chunk->size - chunk->used < size)
                chunk = arena_grow(arena, size);
        if (!chunk)
                return NULL;
        ret = chunk->bytes + chunk->used;
        chunk->used += size;
        arena->used += size;
        return ret;
}

void *arena_calloc(Arena *arena, size_t n, size_t size) {
        size_t total;

        if (__builtin_mul_overflow(n, size, &total))
                return NULL;
        return arena_alloc(arena, total);
}

char *arena_strndup(Arena *arena, const char *text, size_t length) {
        char *copy;

        if (!text || length == SIZE_MAX)
                return NULL;
        copy = arena_alloc(arena, length + 1);
        if (copy)
                memcpy(copy, text, length);
        return copy;
}

char *arena_strdup(Arena *arena, const char *text) {
        return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_vprintf(Arena *arena, const char *format, va_list ap) {
        char *heap = NULL, *copy = NULL;
        int n = vasprintf(&heap, format, ap);

        if (n >= 0)
                copy = arena_strndup(arena, heap, (size_t)n);
        free(n >= 0 ? heap : NULL);
        return copy;
}

char *arena_printf(Arena *arena, const char *format, ...) {
        va_list ap;
        char *text;

        va_start(ap, format);
        text = arena_vprintf(arena, format, ap);
        va_end(ap);
        return text;
}
