/* SPDX-License-Identifier: MIT */
/*
 * Somebody who does things to links by hand, if need be very fast. CHANGE is as in rtnl.h, one
 * argument each.
 *
 *   meddle set CHANGE...                 each once; exit code: the errno of the first refusal
 *   meddle is CHANGE...                  whether each is so; exit code 1 if one is not
 *   meddle fight SECONDS SPEED CHANGE... again and again, in turn: `tight` is as fast as can be, a
 *                                        number is so many a second, and `reactive` answers each
 *                                        message that shows something else than the first CHANGE
 *   meddle flood N SEED CHANGE...        N of them, drawn by lot
 *   meddle churn SECONDS PARENT          macvlans on PARENT come and go in dozens
 *
 * The last three print how many requests there were, and how many in a second.
 */

#include "rtnl.h"

#include <err.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANGES_MAX 1024
#define BATCH 64
#define CHURN_GROUP 0x6368

static Change changes[CHANGES_MAX];
static size_t n_changes;

static int usage(void) {
        fputs("usage: meddle set CHANGE... | is CHANGE... | fight SECONDS SPEED CHANGE... | "
              "flood N SEED CHANGE... | churn SECONDS PARENT\n",
              stderr);
        return 2;
}

static void parse(char **texts, int n) {
        if (n > CHANGES_MAX)
                errx(2, "more than %d changes", CHANGES_MAX);
        for (int i = 0; i < n; i++)
                change_parse(&changes[n_changes++], texts[i]);
}

static void report(uint64_t n, double begin) {
        double seconds = monotonic() - begin;

        printf("%llu requests, %.0f a second\n", (unsigned long long)n, (double)n / seconds);
}

static int set(void) {
        int r, first = 0;

        for (size_t i = 0; i < n_changes; i++) {
                Rtnl *rtnl = rtnl_open(changes[i].netns, 0);

                r = change_make(&changes[i], rtnl);
                if (r < 0)
                        warnx("%s: %s", changes[i].link, strerror(-r));
                if (first == 0)
                        first = -r;
                rtnl_close(rtnl);
        }
        return first;
}

static int is(void) {
        bool all = true;

        for (size_t i = 0; i < n_changes; i++) {
                Rtnl *rtnl = rtnl_open(changes[i].netns, 0);

                all = all && change_is_so(&changes[i], rtnl);
                rtnl_close(rtnl);
        }
        return all ? 0 : 1;
}

/* Many to a call, nobody waits for an answer. */
static uint64_t send_batch(Rtnl *rtnl, size_t n, size_t (*choose)(void *userdata), void *userdata) {
        static char batch[BATCH * 1024] __attribute__((aligned(8)));
        char buffer[1024];
        size_t size = 0;

        for (size_t i = 0; i < n; i++) {
                const struct nlmsghdr *request =
                        change_build(&changes[choose(userdata)], rtnl, buffer);

                memcpy(batch + size, request, request->nlmsg_len);
                size += NLMSG_ALIGN(request->nlmsg_len);
        }
        rtnl_throw(rtnl, batch, size);
        return n;
}

static size_t choose_next(void *userdata) {
        size_t *next = userdata;

        return (*next)++ % n_changes;
}

static uint64_t fight_tight(Rtnl *rtnl, double end) {
        uint64_t n = 0;
        size_t next = 0;

        while (monotonic() < end)
                n += send_batch(rtnl, BATCH, choose_next, &next);
        return n;
}

static uint64_t fight_paced(Rtnl *rtnl, double end, double rate) {
        double begin = monotonic();
        uint64_t n = 0;

        while (monotonic() < end) {
                change_make(&changes[n++ % n_changes], rtnl);
                while (monotonic() < end && monotonic() < begin + (double)n / rate)
                        usleep(200);
        }
        return n;
}

typedef struct Reaction {
        Rtnl *rtnl;
        uint64_t n;
} Reaction;

static int react(const struct nlmsghdr *message, void *userdata) {
        Reaction *reaction = userdata;

        if (change_shown(&changes[0], message) == SHOWN_NO) {
                change_make(&changes[0], reaction->rtnl);
                reaction->n++;
        }
        return MNL_CB_OK;
}

static uint64_t fight_reactive(Rtnl *rtnl, double end) {
        Rtnl *monitor = rtnl_open(changes[0].netns, RTMGRP_LINK | RTMGRP_IPV4_IFADDR);
        Reaction reaction = {.rtnl = rtnl};

        change_make(&changes[0], rtnl);
        while (monotonic() < end)
                rtnl_events(monitor, 10, react, &reaction);
        rtnl_close(monitor);
        return reaction.n;
}

static int fight(double seconds, const char *speed) {
        Rtnl *rtnl = rtnl_open(changes[0].netns, 0);
        double begin = monotonic(), end = begin + seconds;
        uint64_t n;

        if (strcmp(speed, "tight") == 0)
                n = fight_tight(rtnl, end);
        else if (strcmp(speed, "reactive") == 0)
                n = fight_reactive(rtnl, end);
        else
                n = fight_paced(rtnl, end, atof(speed));
        report(n, begin);
        rtnl_close(rtnl);
        return 0;
}

static size_t choose_any(void *userdata) {
        uint64_t *state = userdata, z = *state += 0x9e3779b97f4a7c15;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return (size_t)((z ^ (z >> 31)) % n_changes);
}

static int flood(uint64_t n, uint64_t seed) {
        Rtnl *rtnl = rtnl_open(changes[0].netns, 0);
        double begin = monotonic();
        uint64_t done = 0;

        while (done < n)
                done += send_batch(rtnl, BATCH, choose_any, &seed);
        report(done, begin);
        rtnl_close(rtnl);
        return 0;
}

static void churn_delete(Rtnl *rtnl) {
        char buffer[256];
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

        request->nlmsg_type = RTM_DELLINK;
        mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
        mnl_attr_put_u32(request, IFLA_GROUP, CHURN_GROUP);
        rtnl_request(rtnl, request);
}

static int churn(double seconds, const char *parent) {
        Rtnl *rtnl = rtnl_open(NULL, 0);
        double begin = monotonic();
        char text[128];
        uint64_t n = 0;

        for (unsigned i = 0; i < 24; i++) {
                snprintf(text, sizeof(text), "churn%u create macvlan link %s data 1 4 4 group %u",
                         i, parent, CHURN_GROUP);
                change_parse(&changes[n_changes++], text);
        }
        while (monotonic() < begin + seconds) {
                for (size_t i = 0; i < n_changes; i++, n++)
                        change_make(&changes[i], rtnl);
                churn_delete(rtnl);
        }
        report(n, begin);
        rtnl_close(rtnl);
        return 0;
}

int main(int argc, char **argv) {
        const char *verb = argc > 1 ? argv[1] : "";

        if (strcmp(verb, "set") == 0 && argc > 2) {
                parse(argv + 2, argc - 2);
                return set();
        }
        if (strcmp(verb, "is") == 0 && argc > 2) {
                parse(argv + 2, argc - 2);
                return is();
        }
        if (strcmp(verb, "fight") == 0 && argc > 4) {
                parse(argv + 4, argc - 4);
                return fight(atof(argv[2]), argv[3]);
        }
        if (strcmp(verb, "flood") == 0 && argc > 4) {
                parse(argv + 4, argc - 4);
                return flood(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
        }
        if (strcmp(verb, "churn") == 0 && argc == 4)
                return churn(atof(argv[2]), argv[3]);
        return usage();
}
