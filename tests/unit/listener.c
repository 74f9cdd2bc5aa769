/* SPDX-License-Identifier: MIT */
/* What tests of a watched kernel share. */

#include "listener.h"

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000u
#define LATE_MS 4000u

void listener_renew(Listener *listener) {
        struct epoll_event event = {.events = EPOLLIN};
        World *world = &listener->world;

        world->kernel = kernel_free(world->kernel);
        world->have = network_free(world->have);
        assert_int_equal(kernel_new(RUN, &world->kernel), 0);
        assert_int_equal(kernel_watch(world->kernel, &listener->fd), 0);
        assert_int_equal(epoll_ctl(listener->outer, EPOLL_CTL_ADD, listener->fd, &event), 0);
        listener->news = (KernelNews){};
}

int listener_setup(void **state) {
        Listener *listener = calloc(1, sizeof(Listener));

        assert_non_null(listener);
        assert_int_equal(network_new(&listener->world.wanted), 0);
        listener->outer = epoll_create1(EPOLL_CLOEXEC);
        assert_true(listener->outer >= 0);
        listener_renew(listener);
        *state = listener;
        return 0;
}

int listener_teardown(void **state) {
        Listener *listener = *state;

        close(listener->outer);
        return world_teardown(state); /* the world comes first in it */
}

uint64_t clock_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool wait_readable(Listener *listener, unsigned ms) {
        struct epoll_event event;

        return epoll_wait(listener->outer, &event, 1, (int)ms) == 1;
}

void notice(Listener *listener) {
        assert_int_equal(kernel_notice(listener->world.kernel, clock_ms(), &listener->news), 0);
}

bool is_told(const Listener *listener, const char *netns, int ifindex) {
        for (size_t i = 0; i < listener->news.n_touched; i++) {
                const KernelTouch *touch = &listener->news.touched[i];

                if (streq(touch->netns, netns) &&
                    (ifindex == 0 || touch->ifindex == 0 || touch->ifindex == ifindex))
                        return true;
        }
        return false;
}

void await_touch(Listener *listener, const char *netns, int ifindex) {
        uint64_t deadline = clock_ms() + PATIENCE_MS;

        do {
                unsigned wait;

                /* First, because what told of another namespace may have told of this one, too. */
                notice(listener);
                if (is_told(listener, netns, ifindex))
                        return;
                wait = listener->news.again_ms ? listener->news.again_ms : PATIENCE_MS;
                wait_readable(listener, MIN(wait, PATIENCE_MS));
        } while (clock_ms() < deadline);
        fail_msg("nobody told of %s/%d", netns, ifindex);
}

void await_calm(Listener *listener) {
        uint64_t deadline = clock_ms() + PATIENCE_MS;

        for (notice(listener); listener->news.noisy; notice(listener)) {
                assert_in_range(listener->news.again_ms, 1, 1000);
                assert_true(clock_ms() < deadline);
                wait_readable(listener, listener->news.again_ms);
        }
}

size_t count_descriptors(void) {
        DIR *folder = opendir("/proc/self/fd");
        size_t n = 0;

        assert_non_null(folder);
        while (readdir(folder))
                n++;
        closedir(folder);
        return n - 3; /* ".", "..", and the folder */
}

/* Networks as text. */

static bool is_silent(const Link *link, const Row *row) {
        const LinkRow silent[] = {LINK_ALIAS, LINK_GROUP, LINK_ADDR_GEN_MODE};

        for (size_t i = 0; i < ELEMENTSOF(silent); i++)
                if (row == schema_row(&link_schema, silent[i]))
                        return link_state(link) == LINK_STATE_DOWN;
        return false;
}

static void set_text(const Link *link, const AttrSet *set, bool all, Buf *ret) {
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const Row *row = schema_row(set->schema, i);

                if (!all && link && is_silent(link, row))
                        continue;
                buf_printf(ret, " %s=", row->key);
                value_format(row, &set->values[i], ret);
        }
}

static void objects_text(const char *path, const Object *object, bool all, Buf *ret) {
        for (; object; object = object->next) {
                if (!all && object->type->nest)
                        continue;
                buf_printf(ret, "%s %s", path, object->type->schema.name);
                set_text(NULL, &object->set, all, ret);
                buf_addc(ret, '\n');
        }
}

static void link_text(const Link *link, bool all, Buf *ret) {
        _cleanup_(buf_deinit) Buf path = {};

        all |= link_state(link) == LINK_STATE_UP;
        link_path(link, &path);
        buf_printf(ret, "%s %d %s driver=%s default=%d session=%d mac=%d", buf_text(&path),
                   link->ifindex, link->kind_name ? link->kind_name : "-",
                   link->driver ? link->driver : "-", link->carries_default,
                   link->carries_session, link->has_permanent_mac);
        set_text(link, &link->common, all, ret);
        buf_add(ret, " :");
        if (all)
                set_text(link, &link->options, all, ret);
        buf_add(ret, " :");
        if (all)
                set_text(link, &link->port, all, ret);
        buf_addc(ret, '\n');
        objects_text(buf_text(&path), link->objects, all, ret);
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What was told stands behind what was read: their order says nothing. */
static void entries_text(const Namespace *netns, Buf *ret) {
        _cleanup_(buf_deinit) Buf text = {};
        char *lines[256], *rest;
        size_t n = 0;

        objects_text(netns->name, netns->objects, true, &text);
        rest = text.text;
        for (char *line; rest && (line = strsep(&rest, "\n")) && *line; n++) {
                assert_true(n < ELEMENTSOF(lines));
                lines[n] = line;
        }
        qsort(lines, n, sizeof(*lines), compare_lines);
        for (size_t i = 0; i < n; i++)
                buf_printf(ret, "%s\n", lines[i]);
}

static void network_text(const Network *network, bool all, Buf *ret) {
        for (const Namespace *netns = network->namespaces; netns; netns = netns->hh.next) {
                buf_printf(ret, "%s exists=%d dead=%d cookie=%llu used=%d reason=%s\n",
                           netns->name, netns->exists, netns->dead,
                           (unsigned long long)netns->cookie, netns->used_by,
                           netns->reason ? netns->reason : "-");
                for (const Link *link = netns->links; link; link = link->hh.next)
                        link_text(link, all, ret);
                entries_text(netns, ret);
        }
        assert_int_equal(buf_error(ret), 0);
}

static void fresh_text(const World *world, bool all, Buf *ret) {
        Network *have = NULL;
        Kernel *kernel = NULL;

        assert_int_equal(kernel_new(RUN, &kernel), 0);
        assert_int_equal(kernel_dump(kernel, world->wanted, &have), 0);
        network_text(have, all, ret);
        network_free(have);
        kernel_free(kernel);
}

static void fail_difference(const char *fresh, const char *seen) {
        size_t line = 0;

        for (size_t i = 0; fresh[i] && fresh[i] == seen[i]; i++)
                if (fresh[i] == '\n')
                        line = i + 1;
        print_error("is   %.*s\n", (int)strcspn(fresh + line, "\n"), fresh + line);
        print_error("seen %.*s\n", (int)strcspn(seen + line, "\n"), seen + line);
        fail();
}

/* Some changes are still under way: those of IPv6, the death of namespaces. */
static void compare(Listener *listener, bool all) {
        World *world = &listener->world;

        for (unsigned i = 0; i < 1000; i++) {
                _cleanup_(buf_deinit) Buf before = {}, seen_now = {}, after = {};

                fresh_text(world, all, &before);
                look(world);
                network_text(world->have, all, &seen_now);
                fresh_text(world, all, &after);
                if (!streq(buf_text(&before), buf_text(&after))) {
                        usleep(5000);
                        continue;
                }
                if (streq(buf_text(&before), buf_text(&seen_now)))
                        return;
                /* A worker tells of IPv6 addresses, when they are there; another lets links die. */
                if (!wait_readable(listener, LATE_MS))
                        fail_difference(buf_text(&before), buf_text(&seen_now));
        }
        fail_msg("it never comes to rest");
}

void assert_as_fresh(Listener *listener) {
        compare(listener, false);
}

void assert_all_as_fresh(Listener *listener) {
        compare(listener, true);
}
