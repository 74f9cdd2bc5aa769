/* SPDX-License-Identifier: MIT */
/*
 * Names of hosts. They are looked up by processes, a few at a time, and never waited for. What one
 * was stays known until there is another answer: an outage of DNS makes nothing worse.
 */

#include "kernel/resolve.h"

#include "kernel/watch.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define RUNNING_MAX 8u
#define TIMEOUT_MS 15000u /* three servers, or three tries, of resolv.conf's 5 s */
#define PAUSE_MIN_MS 1000u
#define PAUSE_MAX_MS 300000u

typedef struct Query {
        struct Query *next;
        char *netns, *host;
        bool asked;   /* while another network is taken in: it is in there, too */
        bool waits;   /* to be begun: at `due`, or, without a namespace, after a dump */
        bool homeless;
        bool told;    /* what is known now */
        NetnsLookup lookup; /* `fd` is -1 unless it is at work */
        uint64_t due, deadline;
        unsigned pause_ms;
        LookupState state;
        NetnsAnswer answer; /* the last good one */
        const char *reason; /* LOOKUP_FAILED; static */
} Query;

struct Resolver {
        Query *queries;
        unsigned n_running;
        unsigned seed; /* of the jitter */
};

static void query_stop(Resolver *resolver, Query *query) {
        if (query->lookup.fd < 0)
                return;
        netns_lookup_end(&query->lookup);
        resolver->n_running--;
}

static void query_free(Resolver *resolver, Query *query) {
        query_stop(resolver, query);
        free(query->netns);
        free(query->host);
        free(query);
}

Resolver *resolver_free(Resolver *resolver) {
        while (resolver && resolver->queries) {
                Query *next = resolver->queries->next;

                query_free(resolver, resolver->queries);
                resolver->queries = next;
        }
        free(resolver);
        return NULL;
}

/* Asking. */

static Query *query_find(const Resolver *resolver, const char *netns, const char *host) {
        Query *query = resolver->queries;

        while (query && !(streq(query->netns, netns) && streq(query->host, host)))
                query = query->next;
        return query;
}

static Query *query_add(Resolver *resolver, const char *netns, const char *host) {
        Query *query = calloc(1, sizeof(Query));

        if (!query)
                return NULL;
        query->lookup.fd = -1;
        query->netns = strdup(netns);
        query->host = strdup(host);
        if (!query->netns || !query->host) {
                query_free(resolver, query);
                return NULL;
        }
        query->next = resolver->queries;
        resolver->queries = query;
        return query;
}

static int ask(void *userdata, const char *netns, const char *host) {
        Resolver *resolver = userdata;
        Query *query = query_find(resolver, netns, host);

        if (!query)
                query = query_add(resolver, netns, host);
        if (!query)
                return -ENOMEM;
        query_stop(resolver, query);
        if (query->state == LOOKUP_FAILED)
                query->state = LOOKUP_PENDING;
        query->asked = query->waits = query->told = true;
        query->homeless = false;
        query->due = 0;
        query->pause_ms = PAUSE_MIN_MS;
        return 0;
}

static void forget_others(Resolver *resolver) {
        for (Query **at = &resolver->queries; *at;) {
                Query *query = *at;

                if (query->asked) {
                        query->asked = false;
                        at = &query->next;
                } else {
                        *at = query->next;
                        query_free(resolver, query);
                }
        }
}

int real_resolve(Kernel *base, const Network *wanted) {
        RealKernel *kernel = real_kernel(base);
        int r;

        if (!kernel->resolver)
                kernel->resolver = calloc(1, sizeof(Resolver));
        if (!kernel->resolver)
                return -ENOMEM;
        r = network_foreach_host(wanted, ask, kernel->resolver);
        forget_others(kernel->resolver);
        return r;
}

/* Answers. */

/* A quarter more or less, so that many machines don't ask at the same time. */
static void query_fail(Resolver *resolver, Query *query, uint64_t now, const char *reason) {
        resolver->seed = resolver->seed * 1103515245u + 12345u + (unsigned)now;
        query->due = now + query->pause_ms * 3 / 4 +
                     query->pause_ms / 2 * (resolver->seed >> 16 & 0xff) / 255;
        query->pause_ms = MIN(query->pause_ms * 2, PAUSE_MAX_MS);
        query->waits = true;
        if (query->state == LOOKUP_DONE)
                return;
        query->told &= query->state == LOOKUP_FAILED && streq_ptr(query->reason, reason);
        query->state = LOOKUP_FAILED;
        query->reason = reason;
}

static void query_answer(Query *query, const NetnsAnswer *answer) {
        query->told &= query->state == LOOKUP_DONE && query->answer.n == answer->n &&
                       memcmp(query->answer.addresses, answer->addresses,
                              answer->n * sizeof(NetnsAddress)) == 0;
        query->state = LOOKUP_DONE;
        query->answer = *answer;
        query->reason = NULL;
        query->pause_ms = PAUSE_MIN_MS;
}

static const char *answer_reason(const NetnsAnswer *answer) {
        const char *reason = answer->error == EAI_SYSTEM ? strerrordesc_np(answer->number)
                                                         : gai_strerror(answer->error);

        return reason ? reason : "no reason was given";
}

static void query_listen(Resolver *resolver, Query *query, uint64_t now) {
        NetnsAnswer answer;
        int r = netns_lookup_take(&query->lookup, &answer);

        if (r == -EAGAIN && now < query->deadline)
                return;
        query_stop(resolver, query);
        if (r == -EAGAIN)
                query_fail(resolver, query, now, "nobody answers");
        else if (r < 0)
                query_fail(resolver, query, now, "the process that looked it up has died");
        else if (answer.error)
                query_fail(resolver, query, now, answer_reason(&answer));
        else
                query_answer(query, &answer);
}

/* Beginning. */

/* A monitor that can't be told of it looks in vain until the deadline, no more. */
static void watch_query(const RealKernel *kernel, const Query *query) {
        struct epoll_event event = {.events = EPOLLIN};

        if (!kernel->watcher)
                return;
        event.data.ptr = kernel->resolver;
        epoll_ctl(kernel->watcher->epoll_fd, EPOLL_CTL_ADD, query->lookup.fd, &event);
}

static void query_begin(RealKernel *kernel, Query *query, uint64_t now) {
        Space *space = space_get(kernel, query->netns);
        bool open = space && space->netlink;
        const char *etc = NULL;
        int r = space ? space_open(kernel, space) : -ENOMEM;

        if (r == 0 && space->type == NETNS_NAMED)
                etc = space->name;
        query->homeless = r > 0;
        if (r == 0)
                r = netns_lookup_begin(space_visit(space), etc, query->host, &query->lookup);
        if (space && !open)
                space_close(kernel, space);
        if (query->homeless)
                query->pause_ms = PAUSE_MIN_MS;
        if (r != 0) {
                query_fail(kernel->resolver, query, now, space_problem(r));
                return;
        }
        query->waits = false;
        query->deadline = now + TIMEOUT_MS;
        kernel->resolver->n_running++;
        watch_query(kernel, query);
}

static void run(RealKernel *kernel, uint64_t now, bool dumped) {
        Resolver *resolver = kernel->resolver;

        for (Query *query = resolver ? resolver->queries : NULL; query; query = query->next)
                if (query->lookup.fd >= 0)
                        query_listen(resolver, query, now);
        for (Query *query = resolver ? resolver->queries : NULL; query; query = query->next)
                if (query->waits && resolver->n_running < RUNNING_MAX &&
                    (query->homeless ? dumped : query->due <= now))
                        query_begin(kernel, query, now);
}

void resolver_run(RealKernel *kernel, uint64_t now) {
        run(kernel, now, false);
}

static bool has_news(const Resolver *resolver) {
        const Query *query = resolver ? resolver->queries : NULL;

        while (query && query->told)
                query = query->next;
        return query;
}

void resolver_dumped(RealKernel *kernel) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        run(kernel, (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000, true);
        if (!kernel->watcher || !has_news(kernel->resolver))
                return;
        kernel->watcher->events++;
        watch_nudge(kernel);
}

uint64_t resolver_next(const RealKernel *kernel) {
        const Resolver *resolver = kernel->resolver;
        uint64_t next = UINT64_MAX;

        for (const Query *query = resolver ? resolver->queries : NULL; query; query = query->next) {
                if (query->lookup.fd >= 0)
                        next = MIN(next, query->deadline);
                else if (query->waits && !query->homeless && resolver->n_running < RUNNING_MAX)
                        next = MIN(next, query->due);
        }
        return next;
}

/* Telling. */

int resolver_show(const RealKernel *kernel, Network *have) {
        const Query *query = kernel->resolver ? kernel->resolver->queries : NULL;

        for (; query; query = query->next) {
                Lookup *lookup = network_add_lookup(have, query->netns, query->host);

                if (!lookup)
                        return -ENOMEM;
                lookup->state = query->state;
                lookup->reason = query->reason;
                for (; lookup->n < MIN(query->answer.n, LOOKUP_ADDRESSES_MAX); lookup->n++) {
                        const NetnsAddress *address = &query->answer.addresses[lookup->n];
                        Value *value = &lookup->addresses[lookup->n];

                        value->family = address->family;
                        memcpy(value->bytes, address->bytes, sizeof(value->bytes));
                }
        }
        return 0;
}

const char *resolver_news(RealKernel *kernel) {
        Query *query = kernel->resolver ? kernel->resolver->queries : NULL;

        while (query && query->told)
                query = query->next;
        if (!query)
                return NULL;
        query->told = true;
        return query->netns;
}
