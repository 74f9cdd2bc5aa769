/* SPDX-License-Identifier: MIT */
/*
 * How long it takes until something that was broken is whole again.
 *
 *   repairtime [--mend] ROUNDS OBJECTS BREAK MEND...
 *
 * BREAK and MEND are changes as in rtnl.h, in which % is the number of an object, 0 to OBJECTS - 1,
 * each in turn. A round makes BREAK and waits until all MEND are so, by whoever does it: with
 * --mend we do it ourselves, each in one request. The time begins when a message tells of BREAK,
 * and ends when the kernel, asked at each message, says so; with --mend it is that of the requests.
 *
 * Prints how many rounds were mended within 5 s, and the median, the 95th percentile and the
 * longest of their times in microseconds.
 */

#include "rtnl.h"

#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MENDS_MAX 8
#define ROUNDS_MAX 10000
#define PATIENCE 5.0

static double times[ROUNDS_MAX];

static void parse(Change *change, const char *pattern, unsigned number) {
        char text[512];
        size_t n = 0;

        for (const char *c = pattern; *c && n + 16 < sizeof(text); c++)
                if (*c == '%')
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%u", number);
                else
                        text[n++] = *c;
        text[n] = '\0';
        change_parse(change, text);
}

typedef struct Round {
        const Change *broken;
        double begin; /* 0: not yet */
} Round;

/* What deletes a link sleeps in the kernel for a while after it was told, and repaired. */
static void *make_break(void *userdata) {
        const Change *broken = userdata;
        Rtnl *rtnl = rtnl_open(broken->netns, 0);
        int r = change_make(broken, rtnl);

        if (r < 0)
                errx(2, "%s: the break is refused: %s", broken->link, strerror(-r));
        rtnl_close(rtnl);
        return NULL;
}

static int take_event(const struct nlmsghdr *message, void *userdata) {
        Round *round = userdata;

        if (round->begin == 0 && change_shown(round->broken, message) == SHOWN_YES)
                round->begin = monotonic();
        return MNL_CB_OK;
}

static bool all_so(const Change *mends, int n, Rtnl *rtnl) {
        for (int i = 0; i < n; i++)
                if (!change_is_so(&mends[i], rtnl))
                        return false;
        return true;
}

/* Seconds, or < 0: nobody has mended it. */
static double watch(const Change *broken, const Change *mends, int n_mends) {
        Rtnl *monitor = rtnl_open(broken->netns, RTMGRP_LINK | RTMGRP_IPV4_IFADDR);
        Rtnl *rtnl = rtnl_open(broken->netns, 0);
        double now = 0, end = monotonic() + PATIENCE;
        Round round = {.broken = broken};
        bool whole = false;
        pthread_t thread;

        if (pthread_create(&thread, NULL, make_break, (void *)broken) != 0)
                errx(2, "no thread");
        while (!whole && now < end) {
                rtnl_events(monitor, 100, take_event, &round);
                whole = round.begin > 0 && all_so(mends, n_mends, rtnl);
                now = monotonic();
        }
        pthread_join(thread, NULL);
        rtnl_close(monitor);
        rtnl_close(rtnl);
        return whole ? now - round.begin : -1;
}

/* How long the requests take. */
static double mend(const Change *broken, const Change *mends, int n_mends) {
        Rtnl *rtnl = rtnl_open(broken->netns, 0);
        double begin;
        bool whole;
        int r;

        make_break((void *)broken);
        begin = monotonic();
        for (int i = 0; i < n_mends; i++) {
                r = change_make(&mends[i], rtnl);
                if (r < 0)
                        errx(2, "%s: the repair is refused: %s", mends[i].link, strerror(-r));
        }
        begin = monotonic() - begin;
        whole = all_so(mends, n_mends, rtnl);
        rtnl_close(rtnl);
        return whole ? begin : -1;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
        bool ourselves = argc > 1 && strcmp(argv[1], "--mend") == 0;
        unsigned rounds, objects, n = 0;
        Change broken, mends[MENDS_MAX];

        argv += ourselves;
        argc -= ourselves;
        if (argc < 5 || argc - 4 > MENDS_MAX || atoi(argv[1]) < 1 || atoi(argv[1]) > ROUNDS_MAX ||
            atoi(argv[2]) < 1)
                errx(2, "usage: repairtime [--mend] ROUNDS OBJECTS BREAK MEND...");
        rounds = (unsigned)atoi(argv[1]);
        objects = (unsigned)atoi(argv[2]);
        for (unsigned i = 0; i < rounds; i++) {
                parse(&broken, argv[3], i % objects);
                for (int j = 4; j < argc; j++)
                        parse(&mends[j - 4], argv[j], i % objects);
                times[n] = (ourselves ? mend : watch)(&broken, mends, argc - 4);
                n += times[n] >= 0;
                change_free(&broken);
                for (int j = 4; j < argc; j++)
                        change_free(&mends[j - 4]);
                /* Let it come to rest: what breaks right after a repair is let wait a little. */
                usleep(ourselves ? 1000 : 150000 + i % 17 * 1000);
        }
        qsort(times, n, sizeof(*times), compare);
        printf("%u of %u", n, rounds);
        if (n > 0)
                printf(" %.0f %.0f %.0f", times[n / 2] * 1e6, times[n * 95 / 100] * 1e6,
                       times[n - 1] * 1e6);
        putchar('\n');
        return n == rounds ? 0 : 1;
}
