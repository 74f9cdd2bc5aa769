/* SPDX-License-Identifier: MIT */
#pragma once

#include "mvnet/schema.h"

/* Plain or quoted, whatever it takes. */
void spell_scalar(Buf *out, const char *text);
/* For comments: one line, whatever is in it. */
void spell_comment(Buf *out, const char *text);
/* A whole value, in a file of that namespace; false: it can't be said. */
bool spell_value(Arena *arena, const Row *row, const char *netns, const Value *value, Buf *ret);
