/* SPDX-License-Identifier: MIT */
/*
 * The netlink transport against the running kernel: each test has a network namespace of its own
 * (never the machine's), and tries what goes wrong in practice: dumps while links come and go,
 * more requests than the queue holds answers, messages beyond every buffer, lost events.
 */

#include "kernel/netlink.h"

#include "kernel/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SKIPPED 77 /* to meson */

typedef union Request {
        struct nlmsghdr header;
        char bytes[4096];
} Request;

static Netlink *nl; /* in the test's own namespace */

static int setup(void **state) {
        (void)state;
        if (unshare(CLONE_NEWNET) < 0)
                return -1;
        return netlink_open(-1, NETLINK_ROUTE, &nl);
}

static int teardown(void **state) {
        (void)state;
        nl = netlink_free(nl);
        return 0;
}

static struct nlmsghdr *link_request(Request *request, uint16_t type, uint16_t flags, int ifindex,
                                     const char *name) {
        struct nlmsghdr *header;
        struct ifinfomsg *link;

        memset(request, 0, sizeof(*request));
        header = mnl_nlmsg_put_header(request->bytes);
        header->nlmsg_type = type;
        header->nlmsg_flags = flags;
        link = mnl_nlmsg_put_extra_header(header, sizeof(*link));
        link->ifi_index = ifindex;
        if (name)
                mnl_attr_put_strz(header, IFLA_IFNAME, name);
        return header;
}

static struct nlmsghdr *veth_request(Request *request, const char *name, const char *peer) {
        struct nlmsghdr *header = link_request(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0,
                                               name);
        struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO), *options, *nest;

        mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
        options = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        nest = mnl_attr_nest_start(header, VETH_INFO_PEER);
        mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(header, IFLA_IFNAME, peer);
        mnl_attr_nest_end(header, nest);
        mnl_attr_nest_end(header, options);
        mnl_attr_nest_end(header, info);
        return header;
}

static struct nlmsghdr *bridge_request(Request *request, const char *name) {
        struct nlmsghdr *header = link_request(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0,
                                               name);
        struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO);

        mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
        mnl_attr_nest_end(header, info);
        return header;
}

static int make_veth(Netlink *to, const char *name, const char *peer) {
        Request request;

        return netlink_request(to, veth_request(&request, name, peer), NULL);
}

static void make_veths(Netlink *to, unsigned n) {
        char a[IFNAMSIZ], b[IFNAMSIZ];

        for (unsigned i = 0; i < n; i++) {
                snprintf(a, sizeof(a), "a%u", i);
                snprintf(b, sizeof(b), "b%u", i);
                assert_int_equal(make_veth(to, a, b), 0);
        }
}

static int set_mtu(Netlink *to, const char *name, uint32_t mtu, NetlinkError *ret_error) {
        Request request;
        struct nlmsghdr *header = link_request(&request, RTM_NEWLINK, 0, 0, name);

        mnl_attr_put_u32(header, IFLA_MTU, mtu);
        return netlink_request(to, header, ret_error);
}

/* What a dump saw. */
typedef struct Seen {
        unsigned n, restarts;
        uint32_t largest;
        int fail_at; /* the n-th row fails; 0: none */
} Seen;

static int see(const struct nlmsghdr *message, void *userdata) {
        Seen *seen = userdata;

        assert_int_equal(message->nlmsg_type, RTM_NEWLINK);
        seen->largest = MAX(seen->largest, message->nlmsg_len);
        seen->n++;
        return seen->fail_at && seen->n == (unsigned)seen->fail_at ? -ECANCELED : 0;
}

static void see_nothing(void *userdata) {
        Seen *seen = userdata;

        seen->restarts++;
        seen->n = 0;
}

static int dump_links(Netlink *from, Seen *seen) {
        Request request;

        *seen = (Seen){ .fail_at = seen->fail_at };
        link_request(&request, RTM_GETLINK, 0, 0, NULL);
        mnl_attr_put_u32(&request.header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return netlink_dump(from, &request.header, see, seen);
}

static void test_open(void **state) {
        uint64_t cookie = 0, other = 0;
        Netlink *inside = NULL, *none = NULL;
        int fd = -1, here = -1;
        NetnsId id, id_here;
        Seen seen = {};

        (void)state;
        assert_int_equal(netlink_open(-1, 4711, &none), -EPROTONOSUPPORT);
        assert_null(none);
        assert_int_equal(netns_open_self(&here), 0);
        assert_int_equal(make_veth(nl, "v", "w"), 0);
        assert_int_equal(netns_create(NETNS_RUN_DIR, "open", 0, &fd), 0);
        assert_int_equal(netlink_open(fd, NETLINK_ROUTE, &inside), 0);
        assert_int_equal(fcntl(netlink_fd(inside), F_GETFD), FD_CLOEXEC);
        assert_int_equal(dump_links(nl, &seen), 0);
        assert_int_equal(seen.n, 3);
        assert_int_equal(dump_links(inside, &seen), 0);
        assert_int_equal(seen.n, 1);
        assert_int_equal(netlink_cookie(nl, &cookie), 0);
        assert_int_equal(netlink_cookie(inside, &other), 0);
        assert_int_not_equal(cookie, other);
        /* We are where we were, and a descriptor of something else is refused. */
        fd_close(fd);
        assert_int_equal(netns_open_self(&fd), 0);
        assert_int_equal(netns_identify(fd, &id), 0);
        assert_int_equal(netns_identify(here, &id_here), 0);
        assert_true(netns_id_equal(&id, &id_here));
        assert_int_equal(netlink_open(STDERR_FILENO, NETLINK_ROUTE, &none), -EINVAL);
        assert_int_equal(netns_delete(NETNS_RUN_DIR, "open", NULL), 0);
        netlink_free(inside);
        netlink_free(NULL);
        fd_close(here);
        fd_close(fd);
}

static void test_errors(void **state) {
        NetlinkError error = { .text = "stale" };
        uint64_t writes;
        Request request;

        (void)state;
        assert_int_equal(make_veth(nl, "v", "w"), 0);
        assert_int_equal(make_veth(nl, "v", "x"), -EEXIST);
        writes = netlink_writes(nl);
        assert_int_equal(writes, 2);
        assert_int_equal(set_mtu(nl, "v", 1400, &error), 0);
        assert_string_equal(error.text, "");
        assert_int_equal(set_mtu(nl, "v", 100000, &error), -EINVAL);
        assert_string_equal(error.text, "mtu greater than device maximum");
        assert_int_equal(set_mtu(nl, "nowhere", 1400, &error), -ENODEV);
        assert_int_equal(netlink_writes(nl), writes + 3);

        /* An attribute that is too short: the offset points at it. */
        link_request(&request, RTM_NEWLINK, 0, 0, "v");
        mnl_attr_put_u16(&request.header, IFLA_MTU, 1400);
        assert_int_equal(netlink_request(nl, &request.header, &error), -ERANGE);
        assert_string_not_equal(error.text, "");
        assert_int_equal(error.offset, request.header.nlmsg_len - 8);

        /* Unaligned: never sent. */
        writes = netlink_writes(nl);
        request.header.nlmsg_len -= 1;
        assert_int_equal(netlink_request(nl, &request.header, &error), -EINVAL);
        request.header.nlmsg_len = 12;
        assert_int_equal(netlink_request(nl, &request.header, &error), -EINVAL);
        assert_int_equal(netlink_writes(nl), writes);
        /* A failure leaves no stray answer behind. */
        assert_int_equal(set_mtu(nl, "v", 1300, NULL), 0);
}

static struct nlmsghdr *generic_request(Request *request, uint16_t family, uint8_t command) {
        struct genlmsghdr *generic;
        struct nlmsghdr *header;

        memset(request, 0, sizeof(*request));
        header = mnl_nlmsg_put_header(request->bytes);
        header->nlmsg_type = family;
        generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
        generic->cmd = command;
        generic->version = 1;
        return header;
}

static int see_family(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *attr;

        mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
                if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
                        *(uint16_t *)userdata = mnl_attr_get_u16(attr);
        return 0;
}

/* Another protocol, and an error that names what is missing. */
static void test_generic(void **state) {
        Netlink *generic = NULL;
        uint16_t family = 0;
        NetlinkError error;
        Request request;
        int r;

        (void)state;
        assert_int_equal(netlink_open(-1, NETLINK_GENERIC, &generic), 0);
        generic_request(&request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
        mnl_attr_put_strz(&request.header, CTRL_ATTR_FAMILY_NAME, "no-such-thing");
        r = netlink_get(generic, &request.header, see_family, &family);
        assert_int_equal(r, NETLINK_E_ABSENT);
        generic_request(&request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
        mnl_attr_put_strz(&request.header, CTRL_ATTR_FAMILY_NAME, "netdev");
        r = netlink_get(generic, &request.header, see_family, &family);
        assert_int_equal(netlink_writes(generic), 0);
        if (r == NETLINK_E_ABSENT) {
                print_message("SKIPPED missing_type: needs the 'netdev' family of 6.3\n");
        } else {
                assert_int_equal(r, 0);
                assert_int_not_equal(family, 0);
                generic_request(&request, family, 1); /* NETDEV_CMD_DEV_GET without ifindex */
                assert_int_equal(netlink_request(generic, &request.header, &error), -EINVAL);
                assert_int_equal(error.missing_type, 1);
                assert_int_equal(error.missing_nest, 0);
                assert_int_equal(netlink_writes(generic), 1);
        }
        netlink_free(generic);
}

static void test_get(void **state) {
        Seen seen = {};
        uint64_t writes;
        Request request;

        (void)state;
        assert_int_equal(make_veth(nl, "v", "w"), 0);
        writes = netlink_writes(nl);
        link_request(&request, RTM_GETLINK, 0, 0, "v");
        assert_int_equal(netlink_get(nl, &request.header, see, &seen), 0);
        assert_int_equal(seen.n, 1);
        link_request(&request, RTM_GETLINK, 0, 0, "nowhere");
        assert_int_equal(netlink_get(nl, &request.header, see, &seen), NETLINK_E_ABSENT);
        assert_int_equal(seen.n, 1);
        link_request(&request, RTM_GETLINK, 0, 4711, NULL);
        assert_int_equal(netlink_get(nl, &request.header, see, &seen), NETLINK_E_ABSENT);
        link_request(&request, RTM_GETLINK, 0, -1, NULL);
        assert_int_equal(netlink_get(nl, &request.header, see, &seen), -EINVAL);
        seen = (Seen){ .fail_at = 1 };
        link_request(&request, RTM_GETLINK, 0, 0, "v");
        assert_int_equal(netlink_get(nl, &request.header, see, &seen), -ECANCELED);
        assert_int_equal(netlink_writes(nl), writes);
        /* GET sent as a plain request is no write either. */
        link_request(&request, RTM_GETLINK, 0, 0, "v");
        assert_int_equal(netlink_request(nl, &request.header, NULL), 0);
        assert_int_equal(netlink_writes(nl), writes);
        /* Acknowledged, nothing to say. */
        link_request(&request, RTM_SETLINK, 0, 0, "v");
        assert_int_equal(netlink_get(nl, &request.header, see, &seen), -ENODATA);
}

static void test_many(void **state) {
        enum { N = 700 };
        Request *requests = calloc(N, sizeof(Request));
        struct nlmsghdr **pointers = calloc(N, sizeof(*pointers));
        NetlinkError *errors = calloc(N, sizeof(*errors));
        int *results = calloc(N, sizeof(*results));
        Seen seen = {};

        (void)state;
        assert_true(requests && pointers && errors && results);
        assert_int_equal(make_veth(nl, "v", "w"), 0);
        for (unsigned i = 0; i < N; i++) {
                struct nlmsghdr *header = link_request(&requests[i], RTM_NEWLINK, 0, 0,
                                                       i % 7 == 3 ? "nowhere" : "v");

                mnl_attr_put_u32(header, IFLA_MTU, i % 7 == 5 ? 100000 : 1000 + i);
                pointers[i] = header;
        }
        assert_int_equal(netlink_request_many(nl, pointers, N, results, errors), 0);
        for (unsigned i = 0; i < N; i++) {
                bool bad = i % 7 == 5;

                assert_int_equal(results[i], i % 7 == 3 ? -ENODEV : bad ? -EINVAL : 0);
                assert_string_equal(errors[i].text, bad ? "mtu greater than device maximum" : "");
        }
        assert_int_equal(netlink_writes(nl), N + 1);
        assert_int_equal(netlink_request_many(nl, pointers, 0, results, errors), 0);

        /* One bad length, and nothing at all is sent. */
        pointers[N - 1]->nlmsg_len--;
        assert_int_equal(netlink_request_many(nl, pointers, N, results, NULL), -EINVAL);
        assert_int_equal(results[0], -EINVAL);
        assert_int_equal(results[N - 1], -EINVAL);
        assert_int_equal(netlink_writes(nl), N + 1);

        /* A queue too small for the answers: they are lost, said so, and the socket recovers. */
        pointers[N - 1]->nlmsg_len++;
        assert_int_equal(netlink_set_buffer(nl, 8192), 0);
        assert_int_equal(netlink_request_many(nl, pointers, N, results, errors), -ENOBUFS);
        assert_int_equal(results[0], 0);
        assert_int_equal(results[NETLINK_BATCH_MAX - 1], -ENOBUFS);
        assert_int_equal(results[N - 1], -ENOBUFS);
        assert_int_equal(set_mtu(nl, "v", 1300, NULL), 0);
        assert_int_equal(dump_links(nl, &seen), 0);
        assert_int_equal(seen.n, 3);
        free(requests);
        free(pointers);
        free(errors);
        free(results);
}

static void test_many_large(void **state) {
        enum { N = 150, SIZE = 3000 };
        Request *requests = calloc(N, sizeof(Request));
        struct nlmsghdr *pointers[N];
        char junk[SIZE] = {};
        int results[N];

        (void)state;
        assert_non_null(requests);
        assert_int_equal(make_veth(nl, "v", "w"), 0);
        /* 450 kB: more than one sendmsg() takes, though fewer than NETLINK_BATCH_MAX. */
        for (unsigned i = 0; i < N; i++) {
                pointers[i] = link_request(&requests[i], RTM_NEWLINK, 0, 0, "v");
                mnl_attr_put(pointers[i], 0x3000, SIZE, junk);
                mnl_attr_put_u32(pointers[i], IFLA_MTU, 1000 + i);
        }
        assert_int_equal(netlink_request_many(nl, pointers, N, results, NULL), 0);
        for (unsigned i = 0; i < N; i++)
                assert_int_equal(results[i], 0);
        free(requests);
}

static void test_dump_thousand(void **state) {
        Seen seen = {};

        (void)state;
        make_veths(nl, 500);
        assert_int_equal(dump_links(nl, &seen), 0);
        assert_int_equal(seen.n, 1001);
        /* A row that fails is the last one, yet the socket is free for the next dump. */
        seen.fail_at = 3;
        assert_int_equal(dump_links(nl, &seen), -ECANCELED);
        assert_int_equal(seen.n, 3);
        seen.fail_at = 0;
        assert_int_equal(dump_links(nl, &seen), 0);
        assert_int_equal(seen.n, 1001);
        assert_int_equal(netlink_writes(nl), 500);
}

static void test_dump_refused(void **state) {
        Seen seen = {};
        Request request;

        (void)state;
        /* Strict checking is on: */
        link_request(&request, RTM_GETLINK, 0, 1, NULL);
        assert_int_equal(netlink_dump(nl, &request.header, see, &seen), -EINVAL);
        link_request(&request, RTM_GETLINK, 0, 0, NULL);
        mnl_attr_put_u32(&request.header, IFLA_MTU, 1);
        assert_int_equal(netlink_dump(nl, &request.header, see, &seen), -EINVAL);
        request.header.nlmsg_len -= 2;
        assert_int_equal(netlink_dump(nl, &request.header, see, &seen), -EINVAL);
        link_request(&request, RTM_SETLINK, 0, 0, NULL);
        assert_true(netlink_dump(nl, &request.header, see, &seen) < 0);
        assert_int_equal(seen.n, 0);
        assert_int_equal(dump_links(nl, &seen), 0);
        assert_int_equal(seen.n, 1);
}

/* A child that adds and removes links here until it is killed. */
static pid_t churn(bool remove) {
        pid_t child = fork();
        Netlink *own = NULL;
        Request request;

        assert_true(child >= 0);
        if (child > 0)
                return child;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || netlink_open(-1, NETLINK_ROUTE, &own) < 0)
                _exit(1);
        for (unsigned i = 0;; i++) {
                char a[IFNAMSIZ], b[IFNAMSIZ];

                snprintf(a, sizeof(a), "c%u", remove ? 0 : i % 4000);
                snprintf(b, sizeof(b), "d%u", remove ? 0 : i % 4000);
                (void)make_veth(own, a, b);
                if (remove)
                        (void)netlink_request(own, link_request(&request, RTM_DELLINK, 0, 0, a),
                                              NULL);
        }
}

static void stop(pid_t child) {
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_dump_interrupted(void **state) {
        unsigned interrupted = 0, consistent = 0;
        Seen seen = {};
        pid_t child;

        (void)state;
        make_veths(nl, 300);
        child = churn(true);
        for (unsigned i = 0; i < 2000 && (interrupted < 5 || consistent < 5); i++) {
                int r = dump_links(nl, &seen);

                assert_true(r == 0 || r == NETLINK_E_INTERRUPTED);
                if (r == 0) {
                        assert_true(seen.n == 601 || seen.n == 603);
                        consistent++;
                } else {
                        interrupted++;
                }
        }
        for (unsigned i = 0; i < 50; i++) {
                Request request;

                seen = (Seen){};
                link_request(&request, RTM_GETLINK, 0, 0, NULL);
                assert_int_equal(netlink_dump_consistent(nl, &request.header, see, see_nothing,
                                                         &seen, 100),
                                 0);
                assert_true(seen.n == 601 || seen.n == 603);
        }
        stop(child);
        assert_true(interrupted >= 5);
        assert_true(consistent >= 5);
}

static void test_dump_never_consistent(void **state) {
        unsigned given_up = 0;
        pid_t child;

        (void)state;
        make_veths(nl, 1000);
        child = churn(false);
        for (unsigned i = 0; i < 200 && given_up == 0; i++) {
                Seen seen = {};
                Request request;
                int r;

                link_request(&request, RTM_GETLINK, 0, 0, NULL);
                r = netlink_dump_consistent(nl, &request.header, see, see_nothing, &seen, 3);
                assert_true(r == 0 || r == NETLINK_E_INTERRUPTED);
                if (r == NETLINK_E_INTERRUPTED) {
                        assert_int_equal(seen.restarts, 2);
                        given_up++;
                }
        }
        stop(child);
        assert_true(given_up > 0);
}

static int add_altnames(Netlink *to, const char *link, unsigned n) {
        Request request;
        int r = 0;

        for (unsigned i = 0; i < n && r == 0; i++) {
                struct nlattr *nest;
                char name[ALTIFNAMSIZ];

                snprintf(name, sizeof(name), "an-alternative-name-as-long-as-they-get-%0*u",
                         (int)sizeof(name) - 41, i);
                link_request(&request, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL, 0, link);
                nest = mnl_attr_nest_start(&request.header, IFLA_PROP_LIST);
                mnl_attr_put_strz(&request.header, IFLA_ALT_IFNAME, name);
                mnl_attr_nest_end(&request.header, nest);
                r = netlink_request(to, &request.header, NULL);
        }
        return r;
}

static void test_large_message(void **state) {
        Netlink *monitor = NULL;
        Seen seen = {};
        Request request;

        (void)state;
        assert_int_equal(make_veth(nl, "v", "w"), 0);
        assert_int_equal(make_veth(nl, "later", "still-later"), 0);
        assert_int_equal(netlink_open(-1, NETLINK_ROUTE, &monitor), 0);
        assert_int_equal(add_altnames(nl, "v", 400), 0);
        assert_int_equal(dump_links(nl, &seen), 0);
        assert_int_equal(seen.n, 5);
        assert_true(seen.largest > 48 * 1024);
        seen = (Seen){};
        link_request(&request, RTM_GETLINK, 0, 0, "v");
        assert_int_equal(netlink_get(nl, &request.header, see, &seen), 0);
        assert_true(seen.largest > 48 * 1024);
        /* Events are as large. */
        assert_int_equal(netlink_subscribe(monitor, RTNLGRP_LINK), 0);
        assert_int_equal(set_mtu(nl, "v", 1400, NULL), 0);
        seen = (Seen){};
        assert_int_equal(netlink_receive(monitor, see, &seen), 0);
        assert_true(seen.n > 0 && seen.largest > 48 * 1024);
        netlink_free(monitor);
}

static void test_events(void **state) {
        Netlink *monitor = NULL;
        Seen seen = {};

        (void)state;
        assert_int_equal(netlink_open(-1, NETLINK_ROUTE, &monitor), 0);
        assert_int_equal(netlink_subscribe(monitor, 0), -EINVAL);
        assert_int_equal(netlink_subscribe(monitor, 4711), -EINVAL);
        assert_int_equal(netlink_subscribe(monitor, RTNLGRP_LINK), 0);
        assert_int_equal(netlink_subscribe(monitor, RTNLGRP_BRVLAN), 0); /* beyond 32 */
        assert_int_equal(netlink_receive(monitor, see, &seen), 0);
        assert_int_equal(seen.n, 0);
        make_veths(nl, 5);
        assert_int_equal(netlink_receive(monitor, see, &seen), 0);
        assert_int_equal(seen.n, 10);
        assert_int_equal(netlink_receive(monitor, see, &seen), 0);
        assert_int_equal(seen.n, 10);
        /* A failing row: its result, and the rest is dropped. */
        seen = (Seen){ .fail_at = 1 };
        assert_int_equal(set_mtu(nl, "a0", 1400, NULL), 0);
        assert_int_equal(set_mtu(nl, "a0", 1300, NULL), 0);
        assert_int_equal(netlink_receive(monitor, see, &seen), -ECANCELED);
        assert_int_equal(seen.n, 1);
        assert_int_equal(netlink_receive(monitor, see, &seen), 0);
        assert_int_equal(seen.n, 1);
        netlink_free(monitor);
}

static void test_overrun(void **state) {
        Netlink *monitor = NULL;
        Seen seen = {};

        (void)state;
        assert_int_equal(netlink_open(-1, NETLINK_ROUTE, &monitor), 0);
        assert_int_equal(netlink_set_buffer(monitor, 1), 0); /* the kernel's least */
        assert_int_equal(netlink_subscribe(monitor, RTNLGRP_LINK), 0);
        make_veths(nl, 50);
        assert_int_equal(netlink_receive(monitor, see, &seen), NETLINK_E_OVERRUN);
        assert_true(seen.n < 100);
        /* Said once; then all is well again. */
        seen = (Seen){};
        assert_int_equal(netlink_receive(monitor, see, &seen), 0);
        assert_int_equal(seen.n, 0);
        assert_int_equal(netlink_set_buffer(monitor, 1024 * 1024), 0);
        assert_int_equal(set_mtu(nl, "a0", 1400, NULL), 0);
        assert_int_equal(netlink_receive(monitor, see, &seen), 0);
        assert_int_equal(seen.n, 1);
        netlink_free(monitor);
}

/* Another process cannot make us believe anything: only the kernel's messages count. */
static void test_forged(void **state) {
        struct sockaddr_nl to = { .nl_family = AF_NETLINK }, own = {};
        socklen_t size = sizeof(own);
        Netlink *monitor = NULL;
        Seen seen = {};
        Request request;
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(netlink_open(-1, NETLINK_ROUTE, &monitor), 0);
        assert_int_equal(getsockname(netlink_fd(monitor), (struct sockaddr *)&own, &size), 0);
        to.nl_pid = own.nl_pid;
        link_request(&request, RTM_NEWLINK, 0, 4711, "forged");
        assert_int_equal(sendto(fd, &request, request.header.nlmsg_len, 0,
                                (struct sockaddr *)&to, sizeof(to)),
                         request.header.nlmsg_len);
        assert_int_equal(netlink_receive(monitor, see, &seen), 0);
        assert_int_equal(seen.n, 0);
        fd_close(fd);
        netlink_free(monitor);
}

static void test_bridge_warning_free(void **state) {
        NetlinkError error;
        Request request;

        (void)state;
        assert_int_equal(netlink_request(nl, bridge_request(&request, "br0"), &error), 0);
        assert_string_equal(error.text, "");
        assert_int_equal(error.offset, 0);
}

/* A namespace of our own, where /run is empty. */
static int isolate(void) {
        if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
                return -1;
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -1;
        return mount("tmpfs", "/run", "tmpfs", 0, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_open, setup, teardown),
                cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
                cmocka_unit_test_setup_teardown(test_generic, setup, teardown),
                cmocka_unit_test_setup_teardown(test_get, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many_large, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dump_thousand, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dump_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dump_interrupted, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dump_never_consistent, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_message, setup, teardown),
                cmocka_unit_test_setup_teardown(test_events, setup, teardown),
                cmocka_unit_test_setup_teardown(test_overrun, setup, teardown),
                cmocka_unit_test_setup_teardown(test_forged, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bridge_warning_free, setup, teardown),
        };

        if (isolate() < 0) {
                perror("SKIPPED, cannot make a namespace for the tests");
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
