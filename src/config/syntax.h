/* SPDX-License-Identifier: MIT */
#pragma once

/* A file's text before it is YAML, and when it fails to be. Of use to yaml.c only. */

#include "mvnet/error.h"

/* Reports what libyaml must not see: bytes that are no UTF-8 text, directives, endless blanks. */
void syntax_check(const Source *source, Report *report);

/* Reports what stands behind the end of the document, which is at `offset`. */
void syntax_check_tail(const Source *source, size_t offset, Report *report);

/* Reports a syntax error in better words than libyaml's: where, since where, and what it was. */
void syntax_explain(Report *report, Location at, const char *problem, Location since,
                  const char *context);

/* Hints "quote it" at the problem just added, if a bare `::` or `[` on that line looks guilty. */
void syntax_hint_quote(Report *report, Location at);
