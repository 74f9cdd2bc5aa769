/* SPDX-License-Identifier: MIT */
#pragma once

/* Values for any row, without knowing what the row is for; and numbers that a seed repeats. */

#include "mvnet/attr.h"

typedef struct Random {
        uint64_t state;
} Random;

uint64_t random_next(Random *random);
uint64_t random_below(Random *random, uint64_t n); /* 0 … n - 1; n > 0 */
int64_t random_between(Random *random, int64_t from, int64_t to); /* both included */
bool random_chance(Random *random, unsigned percent);

/* The seed and the number of rounds: $MVNET_SEED and $MVNET_ROUNDS, or these. */
uint64_t random_seed(uint64_t otherwise);
size_t random_rounds(size_t otherwise);

#define VALUES_MAX 96

typedef struct Values {
        Value items[VALUES_MAX];
        size_t n;
} Values;

/*
 * What a row with numbers accepts, in wire units. False: its type has no numbers, or they are
 * words.
 */
bool row_bounds(const Row *row, int64_t *ret_min, uint64_t *ret_max);

/*
 * Values that the row accepts: its default, every word, the least and the greatest number and some
 * between, the longest text, and what of a collection of likely texts its parser takes; for lists
 * and maps empty, one and some of them. Lives in `arena`.
 */
void values_of_row(const Row *row, Arena *arena, Random *random, Values *ret);

/* Two values of a scalar row as in a file, neither of them the default if that can be. */
#define SUGGESTION_SIZE 128
void values_suggest(const Row *row, char a[SUGGESTION_SIZE], char b[SUGGESTION_SIZE]);

/* What stands between the braces of a map of scalars: all but what is said of that key, with ", "
 * before each; and whether anything is. */
void flow_add_but(const char *flow, const char *key, Buf *ret);
bool flow_says(const char *flow, const char *key);

/* Starts like a sentence, ends like one, and there is no second one behind it. */
bool text_is_sentence(const char *text);
