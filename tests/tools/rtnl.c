/* SPDX-License-Identifier: MIT */
/* Sockets in namespaces and requests, for programs that look at one thing and end. */

#include "rtnl.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double monotonic(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A socket stays where it was made; the program does not. False: no such namespace. */
static bool enter(const char *netns, int *ret_home) {
        char path[256];
        int fd;

        *ret_home = -1;
        if (!netns || netns[0] == '\0')
                return true;
        snprintf(path, sizeof(path), "/run/netns/%s", netns);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        *ret_home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        /* A name whose namespace is gone is a plain file. */
        if (*ret_home < 0 || setns(fd, CLONE_NEWNET) < 0) {
                if (*ret_home >= 0)
                        close(*ret_home);
                close(fd);
                return false;
        }
        close(fd);
        return true;
}

Rtnl *rtnl_try_open(const char *netns, unsigned groups) {
        int home, bytes = 32 << 20;
        Rtnl *rtnl;

        if (!enter(netns, &home))
                return NULL;
        rtnl = calloc(1, sizeof(*rtnl));
        if (!rtnl)
                err(2, NULL);
        rtnl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        if (!rtnl->socket || mnl_socket_bind(rtnl->socket, groups, MNL_SOCKET_AUTOPID) < 0)
                err(2, "netlink socket");
        /* Who watches must not miss anything. */
        if (groups != 0)
                setsockopt(mnl_socket_get_fd(rtnl->socket), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
                           sizeof(bytes));
        if (home >= 0) {
                if (setns(home, CLONE_NEWNET) < 0)
                        err(2, "setns");
                close(home);
        }
        return rtnl;
}

Rtnl *rtnl_open(const char *netns, unsigned groups) {
        Rtnl *rtnl = rtnl_try_open(netns, groups);

        if (!rtnl)
                errx(2, "no namespace %s", netns);
        return rtnl;
}

Rtnl *rtnl_close(Rtnl *rtnl) {
        if (rtnl)
                mnl_socket_close(rtnl->socket);
        free(rtnl);
        return NULL;
}

/* One datagram of an answer. > 0: there is more to come; *ret_interrupted is only ever set. */
static int take(const char *buffer, size_t size, uint32_t seq, mnl_cb_t row, void *userdata,
                bool *ret_interrupted) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
        const struct nlmsgerr *error;
        int left = (int)size, r = 1;

        for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
                if (message->nlmsg_seq != seq)
                        continue;
                if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
                        *ret_interrupted = true;
                if (message->nlmsg_type == NLMSG_DONE)
                        return 0;
                if (message->nlmsg_type == NLMSG_ERROR) {
                        error = mnl_nlmsg_get_payload(message);
                        return error->error;
                }
                if (row)
                        row(message, userdata);
                /* The only message of an answer without end. */
                if ((message->nlmsg_flags & NLM_F_MULTI) == 0)
                        r = 2;
        }
        return r;
}

int rtnl_get(Rtnl *rtnl, struct nlmsghdr *request, mnl_cb_t row, void *userdata) {
        char buffer[RTNL_BUFFER];
        bool interrupted = false;
        ssize_t size;
        int r;

        request->nlmsg_flags |= NLM_F_REQUEST;
        request->nlmsg_seq = ++rtnl->seq;
        if (mnl_socket_sendto(rtnl->socket, request, request->nlmsg_len) < 0)
                err(2, "send");
        do {
                size = mnl_socket_recvfrom(rtnl->socket, buffer, sizeof(buffer));
                if (size < 0)
                        err(2, "receive");
                r = take(buffer, (size_t)size, rtnl->seq, row, userdata, &interrupted);
        } while (r == 1 || (r == 2 && (request->nlmsg_flags & NLM_F_ACK) != 0));
        if (r < 0)
                return r;
        return interrupted ? -EINTR : 0;
}

int rtnl_request(Rtnl *rtnl, struct nlmsghdr *request) {
        request->nlmsg_flags |= NLM_F_ACK;
        return rtnl_get(rtnl, request, NULL, NULL);
}

void rtnl_throw(Rtnl *rtnl, const void *messages, size_t size) {
        char answers[RTNL_BUFFER];
        int fd = mnl_socket_get_fd(rtnl->socket);

        if (mnl_socket_sendto(rtnl->socket, messages, size) < 0 && errno != ENOBUFS)
                err(2, "send");
        while (recv(fd, answers, sizeof(answers), MSG_DONTWAIT) > 0)
                ;
}

bool rtnl_events(Rtnl *rtnl, int timeout_ms, mnl_cb_t row, void *userdata) {
        char buffer[RTNL_BUFFER];
        struct pollfd fd = {.fd = mnl_socket_get_fd(rtnl->socket), .events = POLLIN};
        ssize_t size;

        if (poll(&fd, 1, timeout_ms) <= 0)
                return false;
        while ((size = recv(fd.fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0 ||
               (size < 0 && errno == ENOBUFS))
                if (size > 0)
                        mnl_cb_run(buffer, (size_t)size, 0, 0, row, userdata);
        return true;
}

static int take_index(const struct nlmsghdr *message, void *userdata) {
        const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);

        *(int *)userdata = link->ifi_index;
        return MNL_CB_OK;
}

int rtnl_ifindex(Rtnl *rtnl, const char *name) {
        char buffer[256];
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        int index = 0;

        request->nlmsg_type = RTM_GETLINK;
        mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(request, IFLA_IFNAME, name);
        mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return rtnl_get(rtnl, request, take_index, &index) < 0 ? 0 : index;
}

const struct nlattr *attr_in(const struct nlattr *nest, unsigned type) {
        const struct nlattr *attr;

        if (nest)
                mnl_attr_for_each_nested(attr, nest)
                        if (mnl_attr_get_type(attr) == type)
                                return attr;
        return NULL;
}

const struct nlattr *attr_of(const struct nlmsghdr *message, size_t header, unsigned type) {
        const struct nlattr *attr;

        mnl_attr_for_each(attr, message, header)
                if (mnl_attr_get_type(attr) == type)
                        return attr;
        return NULL;
}
