/* SPDX-License-Identifier: MIT */
#pragma once

/* A runtime folder for tests of the store, and what is in it. */

#include "daemon/store.h"

#include <sys/types.h>

/* Each test has a folder of its own, /tmp/…, and in that a runtime folder that is not yet there. */
extern char top[], runtime[64], journal_path[128]; /* RUNTIME/lab/journal */
int runtime_setup(void **state);
int runtime_teardown(void **state);

Store *open_named(const char *name);
Store *open_lab(void);

/* "path=ifindex key=set(was) …" of all entries, sorted: short enough to compare by eye. */
const char *content(Store *store);

/* A journal of three changes. */
void write_three(void);

off_t file_size(const char *path); /* -1 if it is not there */
void spit(const char *path, const char *text, size_t size);
