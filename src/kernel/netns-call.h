/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files behind netns.h share. */

#include "kernel/netns.h"

/*
 * Calls in that namespace: in a thread of its own, unless it is the caller's (negative). Returns
 * what the call does, or < 0.
 */
int netns_call(int netns_fd, int (*call)(void *userdata), void *userdata);

/*
 * A sysfs of the namespace that the caller is in, not of the one that mounted /sys. It is mounted
 * nowhere. `attributes`: MOUNT_ATTR_*. 0 or < 0.
 */
int netns_open_sysfs(unsigned attributes, int *ret_fd);
