/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files behind netns.h share. */

#include "kernel/netns.h"

/*
 * Calls in that namespace: in a thread of its own, unless it is the caller's (negative). Returns
 * what the call does, or < 0.
 */
int netns_call(int netns_fd, int (*call)(void *userdata), void *userdata);
