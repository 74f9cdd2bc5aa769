/* SPDX-License-Identifier: MIT */
#pragma once

/* A world whose kernel is watched: waiting for its news, and comparing what it shows. */

#include "world.h"

typedef struct Listener {
        World world;
        int fd;      /* of kernel_watch() */
        int outer;   /* an epoll around it, as in an event loop */
        KernelNews news;
} Listener;

int listener_setup(void **state);
int listener_teardown(void **state);
/* A kernel that knows nothing yet instead of the one there is. */
void listener_renew(Listener *listener);

uint64_t clock_ms(void);
/* Whether the descriptor becomes readable in time. */
bool wait_readable(Listener *listener, unsigned ms);
void notice(Listener *listener);
/* Waits and asks, again and again, until that link, or with 0 any of the namespace, is touched. */
void await_touch(Listener *listener, const char *netns, int ifindex);
/* Asks, and again as often as the kernel wants, until nothing is noisy. */
void await_calm(Listener *listener);
bool is_told(const Listener *listener, const char *netns, int ifindex);
size_t count_descriptors(void);

/*
 * What the watched kernel shows is what one shows that looks for the first time; but for what the
 * kernel tells nobody of while a link is down: alias, group, altnames and options (6.18, dev.c
 * netdev_state_change).
 */
void assert_as_fresh(Listener *listener);
void assert_all_as_fresh(Listener *listener); /* that as well */
