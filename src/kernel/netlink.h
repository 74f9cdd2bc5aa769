/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One netlink socket in one network namespace: requests with their acknowledgements, dumps, and
 * events. Messages are built and read with libmnl's buffer functions by the caller.
 *
 * Requests are synchronous: rtnetlink does the work inside sendmsg(), which can block for 100 ms
 * and more while somebody else holds the RTNL lock. A socket serves either requests or events:
 * on a subscribed one, a flood of events can push out an answer.
 *
 * Functions return 0, an errno (< 0), or one of these:
 */

#include "mvnet/util.h"

#include <linux/netlink.h>

enum {
        NETLINK_E_INTERRUPTED = 1, /* things changed during the dump, it may lack some: again */
        NETLINK_E_OVERRUN,         /* events were lost: dump everything that they told about */
        NETLINK_E_ABSENT,          /* netlink_get: there is no such object */
};

#define NETLINK_BATCH_MAX 200 /* unread acks: 256 of them fill the default receive buffer */

typedef struct Netlink Netlink;

/* What the kernel says beyond the errno. All zero if it said nothing, as 6.1 mostly does. */
typedef struct NetlinkError {
        char text[160];        /* one line of printable ASCII, cut if need be; can be a warning */
        uint32_t offset;       /* of the offending attribute, from the start of the nlmsghdr */
        uint32_t missing_type; /* of the attribute that should have been there */
        uint32_t missing_nest; /* offset of the nest that should have it; 0: the message itself */
} NetlinkError;

/*
 * Called for each message, which is valid while the call lasts: nlmsg_len is within the buffer,
 * what the payload claims is unchecked. Non-zero: call no more, and return this.
 */
typedef int (*NetlinkRow)(const struct nlmsghdr *message, void *userdata);

/*
 * A socket inside that namespace (-1: the caller's), `protocol` is NETLINK_ROUTE or another one.
 * The socket keeps the namespace alive. The caller's thread never leaves its own namespace.
 */
int netlink_open(int netns_fd, int protocol, Netlink **ret);
Netlink *netlink_free(Netlink *nl);
void netlink_freep(Netlink **nl);

int netlink_fd(const Netlink *nl); /* to poll; stays the socket's */

/* Requests sent so far that may change something: all but RTM_GET*, netlink_get and dumps. */
uint64_t netlink_writes(const Netlink *nl);

/* A number for the namespace that no other one gets until the next boot, unlike its inode. */
int netlink_cookie(const Netlink *nl, uint64_t *ret);

/* Bytes the kernel may queue for us, at least; 4 MiB after netlink_open, if it was allowed. */
int netlink_set_buffer(Netlink *nl, int bytes);

/*
 * Sends one request and waits for its acknowledgement. Sets seq and the REQUEST and ACK flags in
 * the message. The errno is the kernel's answer; -ETIMEDOUT or -ENOBUFS: the answer was lost and
 * the request may have been carried out. ret_error (or NULL) is set in any case.
 */
int netlink_request(Netlink *nl, struct nlmsghdr *request, NetlinkError *ret_error);

/*
 * The same for many, in order, NETLINK_BATCH_MAX to a sendmsg(). A request that fails does not
 * stop those after it, nothing is rolled back. ret_results[n] are 0 or an errno, ret_errors[n] (or
 * NULL) the text; both are set in any case. Returns an errno only if the socket failed: requests
 * that were not sent, or not answered, have that errno as result. Messages must be aligned
 * (-EINVAL, nothing sent), as those of libmnl are: the kernel would ignore all that follows.
 */
int netlink_request_many(Netlink *nl, struct nlmsghdr **requests, size_t n, int *ret_results,
                         NetlinkError *ret_errors);

/*
 * One object: `row` gets the answer (an RTM_NEW… for an RTM_GET…). NETLINK_E_ABSENT: the kernel
 * said ENODEV, ENOENT or ESRCH. -ENODATA: it acknowledged without an answer.
 */
int netlink_get(Netlink *nl, struct nlmsghdr *request, NetlinkRow row, void *userdata);

/*
 * A whole dump. It is read to its end whatever `row` returns, so that the socket stays usable.
 * NETLINK_E_INTERRUPTED: what `row` collected is inconsistent, drop it and start over. The kernel
 * only notices added and removed links and addresses; it never interrupts a dump of routes, rules
 * or neighbours (6.1 … 6.18). It may ignore filters: see NLM_F_DUMP_FILTERED in nlmsg_flags.
 *
 * A dump of links needs a non-zero IFLA_EXT_MASK: without it the kernel does not look how large its
 * buffers must be, and at the first link of more than 32 KiB (250 long altnames) that link and all
 * after it are missing, with a DONE that says 0 and no mark of any kind (6.18).
 */
int netlink_dump(Netlink *nl, struct nlmsghdr *request, NetlinkRow row, void *userdata);

/*
 * Like netlink_dump, at most `tries` times until it is consistent; `restart` is called before each
 * further try and must make `userdata` forget everything.
 */
int netlink_dump_consistent(Netlink *nl, struct nlmsghdr *request, NetlinkRow row,
                            void (*restart)(void *userdata), void *userdata, unsigned tries);

/* Messages of these two types are only delivered if that byte has one of these values. */
typedef struct NetlinkFilter {
        uint16_t types[2];
        size_t offset; /* from the start of the nlmsghdr */
        const uint8_t *values;
        size_t n_values;
} NetlinkFilter;

/* All others are delivered. The kernel filters, so that floods of them cost nothing. */
int netlink_filter(Netlink *nl, const NetlinkFilter *filters, size_t n);

/* Joins a multicast group: an RTNLGRP_ number, not an RTMGRP_ mask. */
int netlink_subscribe(Netlink *nl, unsigned group);

/*
 * Delivers the events that are queued, without waiting, up to some thousand datagrams (then the
 * socket stays readable). NETLINK_E_OVERRUN: some were lost, those before and after were
 * delivered. What `row` returns first is returned; it gets no more messages then, and they are
 * dropped.
 */
int netlink_receive(Netlink *nl, NetlinkRow row, void *userdata);

/*
 * Drops the events that are queued, unread, as many as netlink_receive() would deliver.
 * NETLINK_E_OVERRUN: others were lost before. Sets ret_n in any case.
 */
int netlink_discard(Netlink *nl, size_t *ret_n);
