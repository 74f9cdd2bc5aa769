/* SPDX-License-Identifier: MIT */
/*
 * libmnl gives us messages and attributes. What it leaves to its caller is what makes netlink
 * reliable, and is done here once: which answer belongs to which request, lost answers, the
 * kernel's error texts, datagrams larger than the buffer, dumps that were interrupted.
 */

#include "kernel/netlink.h"

#include "kernel/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define QUEUE_BYTES (4 * 1024 * 1024) /* a limit, not an allocation: 3,600 link events (6.18) */
#define BUFFER_BYTES ((size_t)32 * 1024) /* dumps come in datagrams of up to that size */
#define BATCH_BYTES ((size_t)128 * 1024) /* the default send buffer takes 212,960 at once */
#define ANSWER_TIMEOUT_MS 5000
#define DRAIN_DATAGRAMS 4096
#define UNANSWERED 1 /* no errno */

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* 5.14 */
#endif

struct Netlink {
        struct mnl_socket *socket;
        int protocol;
        uint32_t seq; /* the last one used; 0 is that of events */
        uint64_t writes;
        char *buffer;
        size_t room;
};

static int set_option(Netlink *nl, int option, int value) {
        int r = mnl_socket_setsockopt(nl->socket, option, &value, sizeof(value));

        return r < 0 ? -errno : 0;
}

int netlink_set_buffer(Netlink *nl, int bytes) {
        int fd = netlink_fd(nl);

        /* The first takes CAP_NET_ADMIN in the first user namespace, the second is capped by
         * net.core.rmem_max. */
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0 ||
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0)
                return 0;
        return -errno;
}

static int configure(Netlink *nl) {
        int r;

        if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0)
                return -errno;
        r = set_option(nl, NETLINK_EXT_ACK, 1);
        if (r == 0)
                r = set_option(nl, NETLINK_CAP_ACK, 1);
        if (r == 0)
                r = set_option(nl, NETLINK_GET_STRICT_CHK, 1);
        if (r == 0)
                r = netlink_set_buffer(nl, QUEUE_BYTES);
        return r;
}

int netlink_open(int netns_fd, int protocol, Netlink **ret) {
        _cleanup_(netlink_freep) Netlink *nl = calloc(1, sizeof(Netlink));
        _cleanup_(fd_closep) int fd = -1;
        int r;

        if (!nl)
                return -ENOMEM;
        r = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, protocol, &fd);
        if (r < 0)
                return r;
        nl->socket = mnl_socket_fdopen(fd);
        if (!nl->socket)
                return -errno;
        fd = -1;
        nl->protocol = protocol;
        nl->room = BUFFER_BYTES;
        nl->buffer = malloc(nl->room);
        if (!nl->buffer)
                return -ENOMEM;
        r = configure(nl);
        if (r < 0)
                return r;
        *ret = nl;
        nl = NULL;
        return 0;
}

Netlink *netlink_free(Netlink *nl) {
        if (!nl)
                return NULL;
        if (nl->socket)
                mnl_socket_close(nl->socket);
        free(nl->buffer);
        free(nl);
        return NULL;
}

void netlink_freep(Netlink **nl) {
        *nl = netlink_free(*nl);
}

int netlink_fd(const Netlink *nl) {
        return mnl_socket_get_fd(nl->socket);
}

uint64_t netlink_writes(const Netlink *nl) {
        return nl->writes;
}

int netlink_cookie(const Netlink *nl, uint64_t *ret) {
        uint64_t cookie = 0;
        socklen_t size = sizeof(cookie);

        if (getsockopt(netlink_fd(nl), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
                return -errno;
        *ret = cookie;
        return 0;
}

#define FILTER_MAX 128u

typedef struct Program {
        struct sock_filter code[FILTER_MAX];
        unsigned short n;
} Program;

static void emit(Program *program, uint16_t code, uint32_t k, uint8_t yes, uint8_t no) {
        program->code[program->n++] = (struct sock_filter){code, yes, no, k};
}

/* What is loaded is taken to be big-endian; the header of a message is not. */
static void emit_filter(Program *program, const NetlinkFilter *filter) {
        uint8_t n = (uint8_t)filter->n_values;

        emit(program, BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type), 0, 0);
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, htons(filter->types[0]), 1, 0);
        emit(program, BPF_JMP | BPF_JEQ | BPF_K, htons(filter->types[1]), 0, (uint8_t)(n + 3));
        emit(program, BPF_LD | BPF_B | BPF_ABS, (uint32_t)filter->offset, 0, 0);
        for (uint8_t i = 0; i < n; i++)
                emit(program, BPF_JMP | BPF_JEQ | BPF_K, filter->values[i], (uint8_t)(n - i), 0);
        emit(program, BPF_RET | BPF_K, 0, 0, 0);
        emit(program, BPF_RET | BPF_K, UINT32_MAX, 0, 0);
}

int netlink_filter(Netlink *nl, const NetlinkFilter *filters, size_t n) {
        Program program = {};
        struct sock_fprog attached = {.filter = program.code};

        for (size_t i = 0; i < n; i++) {
                if (program.n + filters[i].n_values + 7 > FILTER_MAX)
                        return -E2BIG;
                emit_filter(&program, &filters[i]);
        }
        emit(&program, BPF_RET | BPF_K, UINT32_MAX, 0, 0);
        attached.len = program.n;
        return setsockopt(netlink_fd(nl), SOL_SOCKET, SO_ATTACH_FILTER, &attached,
                          sizeof(attached)) < 0 ? -errno : 0;
}

int netlink_subscribe(Netlink *nl, unsigned group) {
        if (group < 1 || group > INT_MAX)
                return -EINVAL;
        return set_option(nl, NETLINK_ADD_MEMBERSHIP, (int)group);
}

/* The first of `n` numbers in a row that no earlier request still on its way has. */
static uint32_t take_seq(Netlink *nl, size_t n) {
        uint32_t first;

        if (nl->seq > UINT32_MAX - n)
                nl->seq = 0;
        first = nl->seq + 1;
        nl->seq += (uint32_t)n;
        return first;
}

static int send_all(Netlink *nl, struct iovec *iov, size_t n, size_t bytes) {
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct msghdr header = {
                .msg_name = &kernel,
                .msg_namelen = sizeof(kernel),
                .msg_iov = iov,
                .msg_iovlen = n,
        };
        ssize_t sent;

        do
                sent = sendmsg(netlink_fd(nl), &header, 0);
        while (sent < 0 && errno == EINTR);
        if (sent < 0)
                return -errno;
        return (size_t)sent == bytes ? 0 : -EIO;
}

/* The size of the next datagram. -EAGAIN: none came in time. */
static int wait_datagram(Netlink *nl, int timeout_ms, size_t *ret_size) {
        struct pollfd pollfd = { .fd = netlink_fd(nl), .events = POLLIN };

        for (;;) {
                ssize_t n = recv(pollfd.fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

                if (n >= 0) {
                        *ret_size = (size_t)n;
                        return 0;
                }
                if (errno == EINTR)
                        continue;
                if (errno != EAGAIN || timeout_ms == 0)
                        return -errno;
                n = poll(&pollfd, 1, timeout_ms);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        return -EAGAIN;
        }
}

/* Out of memory, the buffer stays as it is and the datagram will be cut. */
static void make_room(Netlink *nl, size_t size) {
        char *grown;

        if (size <= nl->room)
                return;
        size = MAX(MNL_ALIGN(size), nl->room * 2); /* libmnl rounds the end of a message up */
        grown = malloc(size);
        if (!grown)
                return;
        free(nl->buffer);
        nl->buffer = grown;
        nl->room = size;
}

/*
 * The next datagram, into nl->buffer; an empty one is to be ignored. -EAGAIN: none came in time.
 * NETLINK_E_OVERRUN: at least one was lost; the socket is fine, and others may be queued.
 */
static int receive_datagram(Netlink *nl, int timeout_ms, size_t *ret_size) {
        struct sockaddr_nl sender = {};
        struct iovec iov;
        struct msghdr header = {
                .msg_name = &sender,
                .msg_namelen = sizeof(sender),
                .msg_iov = &iov,
                .msg_iovlen = 1,
        };
        size_t size = 0;
        ssize_t n;
        int r;

        r = wait_datagram(nl, timeout_ms, &size);
        if (r == -ENOBUFS)
                return NETLINK_E_OVERRUN;
        if (r < 0)
                return r;
        make_room(nl, size);
        iov = (struct iovec){ .iov_base = nl->buffer, .iov_len = nl->room };
        do
                n = recvmsg(netlink_fd(nl), &header, MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == ENOBUFS ? NETLINK_E_OVERRUN : -errno;
        if (header.msg_flags & MSG_TRUNC)
                return NETLINK_E_OVERRUN;
        /* Another process may send to us as well. */
        *ret_size = sender.nl_pid == 0 ? (size_t)n : 0;
        return 0;
}

static void for_each_message(const Netlink *nl, size_t size,
                             void (*take)(const struct nlmsghdr *message, void *userdata),
                             void *userdata) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)nl->buffer;
        int left = (int)MIN(size, (size_t)INT_MAX);

        while (mnl_nlmsg_ok(message, left)) {
                take(message, userdata);
                message = mnl_nlmsg_next(message, &left);
        }
}

static void copy_text(char *ret, size_t size, const struct nlattr *attr) {
        const char *text = mnl_attr_get_payload(attr);
        size_t length = strnlen(text, MIN((size_t)mnl_attr_get_payload_len(attr), size - 1));

        for (size_t i = 0; i < length; i++)
                ret[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
        ret[length] = '\0';
}

/* Attributes behind `offset` bytes of payload, if the message says that there are any. */
static void read_error(const struct nlmsghdr *message, size_t offset, NetlinkError *ret) {
        const struct nlattr *attr;

        if (!(message->nlmsg_flags & NLM_F_ACK_TLVS) ||
            offset > mnl_nlmsg_get_payload_len(message))
                return;
        mnl_attr_for_each(attr, message, (unsigned)offset) {
                bool is_u32 = mnl_attr_get_payload_len(attr) == sizeof(uint32_t);

                switch (mnl_attr_get_type(attr)) {
                case NLMSGERR_ATTR_MSG:
                        copy_text(ret->text, sizeof(ret->text), attr);
                        break;
                case NLMSGERR_ATTR_OFFS:
                        ret->offset = is_u32 ? mnl_attr_get_u32(attr) : 0;
                        break;
                case NLMSGERR_ATTR_MISS_TYPE:
                        ret->missing_type = is_u32 ? mnl_attr_get_u32(attr) : 0;
                        break;
                case NLMSGERR_ATTR_MISS_NEST:
                        ret->missing_nest = is_u32 ? mnl_attr_get_u32(attr) : 0;
                        break;
                }
        }
}

/* The verdict of an NLMSG_ERROR, which is also what an acknowledgement is. */
static int read_verdict(const struct nlmsghdr *message, NetlinkError *ret_error) {
        const struct nlmsgerr *verdict = mnl_nlmsg_get_payload(message);
        size_t offset = sizeof(*verdict);

        if (mnl_nlmsg_get_payload_len(message) < sizeof(*verdict))
                return -EBADMSG;
        /* Without NLM_F_CAPPED, the whole request is repeated before the attributes. */
        if (!(message->nlmsg_flags & NLM_F_CAPPED) && verdict->msg.nlmsg_len > sizeof(verdict->msg))
                offset += MNL_ALIGN((size_t)verdict->msg.nlmsg_len) - sizeof(verdict->msg);
        if (ret_error)
                read_error(message, offset, ret_error);
        return verdict->error <= 0 && verdict->error >= -4095 ? verdict->error : -EBADMSG;
}

/* The answers that a batch of requests waits for. */
typedef struct Answers {
        uint32_t portid, first; /* first seq */
        size_t n, pending;
        int *results;
        NetlinkError *errors;
        NetlinkRow row;
        void *userdata;
        bool any_row;
        int row_result;
} Answers;

static void take_answer(const struct nlmsghdr *message, void *userdata) {
        Answers *answers = userdata;
        uint32_t i = message->nlmsg_seq - answers->first;

        /* Late answers to what was given up, events and echoes of others are not ours. */
        if (message->nlmsg_pid != answers->portid || i >= answers->n ||
            answers->results[i] != UNANSWERED)
                return;
        if (message->nlmsg_type == NLMSG_ERROR) {
                NetlinkError *error = answers->errors ? &answers->errors[i] : NULL;

                answers->results[i] = read_verdict(message, error);
                answers->pending--;
        } else if (message->nlmsg_type >= NLMSG_MIN_TYPE && answers->row) {
                answers->any_row = true;
                if (answers->row_result == 0)
                        answers->row_result = answers->row(message, answers->userdata);
        }
}

static int wait_answers(Netlink *nl, Answers *answers) {
        bool lost = false;

        while (answers->pending > 0) {
                size_t size = 0;
                int r = receive_datagram(nl, lost ? 0 : ANSWER_TIMEOUT_MS, &size);

                if (r == -EAGAIN)
                        return lost ? -ENOBUFS : -ETIMEDOUT;
                if (r < 0)
                        return r;
                if (r == NETLINK_E_OVERRUN)
                        lost = true; /* what is queued is still good; then there is no more */
                else
                        for_each_message(nl, size, take_answer, answers);
        }
        return 0;
}

/* How many of these fit into one sendmsg(): at least one, whatever its size. */
static size_t batch_size(struct nlmsghdr *const *requests, size_t n, size_t *ret_bytes) {
        size_t bytes = requests[0]->nlmsg_len, k = 1;

        while (k < n && k < NETLINK_BATCH_MAX && bytes + requests[k]->nlmsg_len <= BATCH_BYTES)
                bytes += requests[k++]->nlmsg_len;
        *ret_bytes = bytes;
        return k;
}

static bool is_write(const Netlink *nl, const struct nlmsghdr *request) {
        /* rtnetlink types come in fours: NEW, DEL, GET, SET. */
        return nl->protocol != NETLINK_ROUTE || request->nlmsg_type % 4 != RTM_GETLINK % 4;
}

static int exchange(Netlink *nl, struct nlmsghdr **requests, size_t bytes, Answers *answers) {
        struct iovec iov[NETLINK_BATCH_MAX];
        int r;

        answers->portid = mnl_socket_get_portid(nl->socket);
        answers->first = take_seq(nl, answers->n);
        answers->pending = answers->n;
        for (size_t i = 0; i < answers->n; i++) {
                requests[i]->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
                requests[i]->nlmsg_seq = answers->first + (uint32_t)i;
                requests[i]->nlmsg_pid = 0;
                iov[i].iov_base = requests[i];
                iov[i].iov_len = requests[i]->nlmsg_len;
                answers->results[i] = UNANSWERED;
        }
        r = send_all(nl, iov, answers->n, bytes);
        if (r == 0 && !answers->row)
                for (size_t i = 0; i < answers->n; i++)
                        nl->writes += is_write(nl, requests[i]);
        if (r == 0)
                r = wait_answers(nl, answers);
        for (size_t i = 0; i < answers->n; i++)
                if (answers->results[i] == UNANSWERED)
                        answers->results[i] = r < 0 ? r : -EBADMSG;
        return r;
}

static bool is_aligned(const struct nlmsghdr *request) {
        return request->nlmsg_len >= MNL_NLMSG_HDRLEN && request->nlmsg_len % MNL_ALIGNTO == 0;
}

int netlink_request_many(Netlink *nl, struct nlmsghdr **requests, size_t n, int *ret_results,
                         NetlinkError *ret_errors) {
        int r = 0;

        for (size_t i = 0; i < n; i++) {
                if (!is_aligned(requests[i]))
                        r = -EINVAL;
                if (ret_errors)
                        ret_errors[i] = (NetlinkError){};
        }
        for (size_t done = 0; done < n;) {
                size_t bytes = 0, k = batch_size(requests + done, n - done, &bytes);
                Answers answers = {
                        .n = k,
                        .results = ret_results + done,
                        .errors = ret_errors ? ret_errors + done : NULL,
                };

                if (r == 0)
                        r = exchange(nl, requests + done, bytes, &answers);
                else
                        for (size_t i = 0; i < k; i++)
                                answers.results[i] = r;
                done += k;
        }
        return r;
}

int netlink_request(Netlink *nl, struct nlmsghdr *request, NetlinkError *ret_error) {
        int result = 0;
        int r = netlink_request_many(nl, &request, 1, &result, ret_error);

        return r < 0 ? r : result;
}

int netlink_get(Netlink *nl, struct nlmsghdr *request, NetlinkRow row, void *userdata) {
        int result = 0, r;
        Answers answers = { .n = 1, .results = &result, .row = row, .userdata = userdata };

        if (!is_aligned(request))
                return -EINVAL;
        r = exchange(nl, &request, request->nlmsg_len, &answers);
        if (r < 0)
                return r;
        if (answers.row_result != 0)
                return answers.row_result;
        if (result == -ENODEV || result == -ENOENT || result == -ESRCH)
                return NETLINK_E_ABSENT;
        if (result < 0)
                return result;
        return answers.any_row ? 0 : -ENODATA;
}

typedef struct Dump {
        uint32_t portid, seq;
        NetlinkRow row;
        void *userdata;
        int row_result;
        bool done, interrupted;
        int verdict; /* the kernel's */
} Dump;

static void take_dumped(const struct nlmsghdr *message, void *userdata) {
        Dump *dump = userdata;

        if (message->nlmsg_pid != dump->portid || message->nlmsg_seq != dump->seq || dump->done)
                return;
        /* The kernel marks the message at which it noticed, not those after it nor the DONE. */
        if (message->nlmsg_flags & NLM_F_DUMP_INTR)
                dump->interrupted = true;
        if (message->nlmsg_type == NLMSG_ERROR) {
                dump->done = true;
                dump->verdict = read_verdict(message, NULL);
        } else if (message->nlmsg_type == NLMSG_DONE) {
                dump->done = true;
                /* A dump that failed midway has the errno here (and may have text behind it). */
                if (mnl_nlmsg_get_payload_len(message) >= sizeof(int))
                        memcpy(&dump->verdict, mnl_nlmsg_get_payload(message), sizeof(int));
                if (dump->verdict > 0)
                        dump->verdict = 0;
        } else if (message->nlmsg_type >= NLMSG_MIN_TYPE && dump->row_result == 0) {
                dump->row_result = dump->row(message, dump->userdata);
        }
}

int netlink_dump(Netlink *nl, struct nlmsghdr *request, NetlinkRow row, void *userdata) {
        Dump dump = {
                .portid = mnl_socket_get_portid(nl->socket),
                .seq = take_seq(nl, 1),
                .row = row,
                .userdata = userdata,
        };
        struct iovec iov = { .iov_base = request, .iov_len = request->nlmsg_len };
        int r;

        if (!is_aligned(request))
                return -EINVAL;
        request->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
        request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
        request->nlmsg_seq = dump.seq;
        request->nlmsg_pid = 0;
        r = send_all(nl, &iov, 1, iov.iov_len);
        if (r < 0)
                return r;
        while (!dump.done) {
                size_t size = 0;

                r = receive_datagram(nl, ANSWER_TIMEOUT_MS, &size);
                if (r < 0)
                        return r == -EAGAIN ? -ETIMEDOUT : r;
                if (r == NETLINK_E_OVERRUN)
                        dump.interrupted = true;
                else
                        for_each_message(nl, size, take_dumped, &dump);
        }
        if (dump.verdict < 0)
                return dump.verdict;
        if (dump.row_result != 0)
                return dump.row_result;
        return dump.interrupted ? NETLINK_E_INTERRUPTED : 0;
}

int netlink_dump_consistent(Netlink *nl, struct nlmsghdr *request, NetlinkRow row,
                            void (*restart)(void *userdata), void *userdata, unsigned tries) {
        int r = netlink_dump(nl, request, row, userdata);

        while (r == NETLINK_E_INTERRUPTED && tries > 1) {
                tries--;
                restart(userdata);
                r = netlink_dump(nl, request, row, userdata);
        }
        return r;
}

typedef struct Events {
        NetlinkRow row;
        void *userdata;
        int row_result;
        bool overrun;
} Events;

static void take_event(const struct nlmsghdr *message, void *userdata) {
        Events *events = userdata;

        if (message->nlmsg_type == NLMSG_OVERRUN)
                events->overrun = true;
        else if (message->nlmsg_type >= NLMSG_MIN_TYPE && events->row_result == 0)
                events->row_result = events->row(message, events->userdata);
}

int netlink_receive(Netlink *nl, NetlinkRow row, void *userdata) {
        Events events = { .row = row, .userdata = userdata };

        for (unsigned i = 0; i < DRAIN_DATAGRAMS; i++) {
                size_t size = 0;
                int r = receive_datagram(nl, 0, &size);

                if (r == -EAGAIN)
                        break;
                if (r < 0)
                        return r;
                if (r == NETLINK_E_OVERRUN)
                        events.overrun = true;
                else
                        for_each_message(nl, size, take_event, &events);
        }
        if (events.row_result < 0)
                return events.row_result;
        return events.overrun ? NETLINK_E_OVERRUN : events.row_result;
}

int netlink_discard(Netlink *nl, size_t *ret_n) {
        bool overrun = false;

        *ret_n = 0;
        for (unsigned i = 0; i < DRAIN_DATAGRAMS; i++) {
                if (recv(netlink_fd(nl), NULL, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0)
                        ++*ret_n;
                else if (errno == ENOBUFS)
                        overrun = true;
                else if (errno == EAGAIN)
                        break;
                else if (errno != EINTR)
                        return -errno;
        }
        return overrun ? NETLINK_E_OVERRUN : 0;
}
