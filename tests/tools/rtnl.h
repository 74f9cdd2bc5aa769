/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the tools of the stories share: sockets in namespaces, requests, and changes that are
 * written as words. None of it is the daemon's own code, which these tools are to judge. What fails
 * that should not ends the program, with exit code 2.
 */

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#define RTNL_BUFFER 65536

typedef struct Rtnl {
        struct mnl_socket *socket;
        uint32_t seq;
} Rtnl;

/* In that namespace ("" or NULL: our own). With groups (RTMGRP_ bits), it gets events. */
Rtnl *rtnl_open(const char *netns, unsigned groups);
/* The same, but NULL if there is no such namespace (any more). */
Rtnl *rtnl_try_open(const char *netns, unsigned groups);
Rtnl *rtnl_close(Rtnl *rtnl);

/* 0 or the kernel's answer, an errno (< 0). */
int rtnl_request(Rtnl *rtnl, struct nlmsghdr *request);
/* Sends what is in the buffer; answers are thrown away, if there are any. */
void rtnl_throw(Rtnl *rtnl, const void *messages, size_t size);
/* An answer or a dump: `row` gets each message. 0 or < 0; -EINTR: the dump was interrupted. */
int rtnl_get(Rtnl *rtnl, struct nlmsghdr *request, mnl_cb_t row, void *userdata);
/*
 * Waits for events, at most so long (-1: for ever); `row` gets each. Whether there were any;
 * those that were lost count.
 */
bool rtnl_events(Rtnl *rtnl, int timeout_ms, mnl_cb_t row, void *userdata);

int rtnl_ifindex(Rtnl *rtnl, const char *name); /* 0: no such link */

double monotonic(void); /* seconds */

/*
 * One change of one link, from text: `[NETNS/]LINK VERB [WORD]...`.
 *
 *   mtu N, txqueuelen N, group N, alias TEXT, up, down, delete, rename NAME, master NAME|none
 *   data KIND ATTR SIZE VALUE    an option: the number of its attribute, how many bytes
 *   port ATTR SIZE VALUE         an option of a bridge's port
 *   addr A/LEN, noaddr A/LEN     IPv4
 *   create KIND [link PARENT] [peer NAME] [data ATTR SIZE VALUE] [index N] [group N] [up]
 */
typedef struct Change {
        char *words; /* what the rest points to */
        const char *netns, *link;
        enum {
                CHANGE_NUMBER, /* attribute attr of the link */
                CHANGE_ALIAS,
                CHANGE_STATE,
                CHANGE_DELETE,
                CHANGE_RENAME,
                CHANGE_MASTER,
                CHANGE_DATA,
                CHANGE_PORT,
                CHANGE_ADDRESS,
                CHANGE_NO_ADDRESS,
                CHANGE_CREATE,
        } verb;
        const char *word, *kind, *parent, *peer;
        unsigned attr, size;
        uint64_t value;
        unsigned index, group;
        bool up;
        uint32_t address;
        unsigned char length;
} Change;

void change_parse(Change *change, const char *text);
void change_free(Change *change);
/* The request, into at least 1,024 bytes. */
struct nlmsghdr *change_build(const Change *change, Rtnl *rtnl, void *buffer);
int change_make(const Change *change, Rtnl *rtnl); /* 0 or the kernel's answer */

typedef enum Shown {
        SHOWN_NOTHING, /* the message is not about it */
        SHOWN_YES,     /* it is so */
        SHOWN_NO,      /* it is otherwise */
} Shown;

Shown change_shown(const Change *change, const struct nlmsghdr *message);
/* Asks the kernel. */
bool change_is_so(const Change *change, Rtnl *rtnl);

/* The payload of a nested attribute's member, or NULL. */
const struct nlattr *attr_in(const struct nlattr *nest, unsigned type);
const struct nlattr *attr_of(const struct nlmsghdr *message, size_t header, unsigned type);
