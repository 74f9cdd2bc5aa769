/* SPDX-License-Identifier: MIT */
/*
 * Watches from outside whether everything is, or comes back to be, as it was.
 *
 *   observe read                       all that there is, as text
 *   observe wait SECONDS FILE [NAME]   until it is as in FILE, but for links whose name begins so
 *   observe back SECONDS COMMAND...    runs COMMAND, and waits until all is as before it
 *
 * `back` prints `in place N us`, or `re-created N us` if a link has another number than before;
 * exit code 3: COMMAND changed nothing. It watches in every namespace, which keeps them alive: not
 * for commands that delete one. Exit code 1: it did not come to be so, and what is different.
 */

#include "state.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP(n) (1u << ((n) - 1))
#define WATCHES_MAX 512

static int usage(void) {
        fputs("usage: observe read | wait SECONDS FILE [NAME] | back SECONDS COMMAND...\n", stderr);
        return 2;
}

static void read_file(const char *path, Lines *ret) {
        FILE *file = fopen(path, "re");
        char *line = NULL;
        size_t size = 0;

        if (!file)
                err(2, "%s", path);
        while (getline(&line, &size, file) > 0) {
                line[strcspn(line, "\n")] = '\0';
                lines_add(ret, line);
        }
        free(line);
        fclose(file);
        lines_sort(ret);
}

static int run_read(void) {
        Lines lines = {};

        state_read(&lines);
        for (size_t i = 0; i < lines.n; i++)
                if (!strstr(lines.items[i], " index="))
                        puts(lines.items[i]);
        lines_free(&lines);
        return 0;
}

static int run_wait(double seconds, const char *path, const char *ignored) {
        double end = monotonic() + seconds, begin;
        Lines wanted = {}, have = {};
        bool equal;

        read_file(path, &wanted);
        lines_drop(&wanted, ignored);
        for (;;) {
                begin = monotonic();
                lines_free(&have);
                state_read(&have);
                lines_drop(&have, ignored);
                equal = lines_equal(&wanted, &have, false);
                if (equal || monotonic() > end)
                        break;
                /* On a machine with one processor looking must not keep others from working. */
                usleep(5000 + (unsigned)((monotonic() - begin) * 2e6));
        }
        if (!equal)
                lines_diff(&wanted, &have);
        lines_free(&wanted);
        lines_free(&have);
        return equal ? 0 : 1;
}

typedef struct Watch {
        Rtnl *rtnl;
        char *netns;
        const Lines *before;
        bool *changed;
} Watch;

static Watch watches[WATCHES_MAX];
static size_t n_watches;

static void watch(const char *netns, const Lines *before, bool *changed) {
        const unsigned groups = GROUP(RTNLGRP_LINK) | GROUP(RTNLGRP_IPV4_IFADDR) |
                                GROUP(RTNLGRP_IPV6_IFADDR) | GROUP(RTNLGRP_IPV4_NETCONF) |
                                GROUP(RTNLGRP_IPV6_NETCONF);
        Rtnl *rtnl = n_watches < WATCHES_MAX ? rtnl_try_open(netns, groups) : NULL;

        if (rtnl)
                watches[n_watches++] = (Watch){rtnl, strdup(netns), before, changed};
}

static void watch_all(const Lines *before, bool *changed) {
        DIR *folder = opendir("/run/netns");
        const struct dirent *entry;

        watch("", before, changed);
        while (folder && (entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        watch(entry->d_name, before, changed);
        if (folder)
                closedir(folder);
}

static void unwatch_all(void) {
        while (n_watches > 0) {
                rtnl_close(watches[--n_watches].rtnl);
                free(watches[n_watches].netns);
        }
}

/* A change that is undone before anybody looks is still seen in what is told of it. */
static int take_event(const struct nlmsghdr *message, void *userdata) {
        const Watch *from = userdata;

        *from->changed |= state_differs(from->before, from->netns, message);
        return MNL_CB_OK;
}

/* The next event, or 20 ms: not all that changes is told. */
static void await(void) {
        struct pollfd fds[WATCHES_MAX];

        for (size_t i = 0; i < n_watches; i++)
                fds[i] = (struct pollfd){
                        .fd = mnl_socket_get_fd(watches[i].rtnl->socket),
                        .events = POLLIN,
                };
        poll(fds, n_watches, 20);
}

static void run_command(char **command) {
        pid_t pid = fork();
        int status;

        if (pid < 0)
                err(2, "fork");
        if (pid == 0) {
                execvp(command[0], command);
                err(127, "%s", command[0]);
        }
        if (waitpid(pid, &status, 0) < 0)
                err(2, "wait");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                errx(2, "%s failed", command[0]);
}

static int run_back(double seconds, char **command) {
        Lines before = {}, have = {};
        bool changed = false, equal;
        double begin, now;

        state_read(&before);
        watch_all(&before, &changed);
        run_command(command);
        begin = monotonic();
        for (;;) {
                lines_free(&have);
                state_read(&have);
                now = monotonic();
                equal = lines_equal(&before, &have, false);
                changed |= !equal;
                for (size_t i = 0; i < n_watches; i++)
                        rtnl_events(watches[i].rtnl, 0, take_event, &watches[i]);
                if ((equal && changed) || now > begin + seconds)
                        break;
                /* If nothing has changed so far, nothing will. */
                if (!changed && now > begin + 0.1)
                        break;
                await();
        }
        if (!equal)
                lines_diff(&before, &have);
        else if (changed)
                printf("%s %.0f us\n",
                       lines_equal(&before, &have, true) ? "in place" : "re-created",
                       (now - begin) * 1e6);
        unwatch_all();
        lines_free(&before);
        lines_free(&have);
        return !changed ? 3 : !equal;
}

int main(int argc, char **argv) {
        if (argc == 2 && strcmp(argv[1], "read") == 0)
                return run_read();
        if ((argc == 4 || argc == 5) && strcmp(argv[1], "wait") == 0)
                return run_wait(atof(argv[2]), argv[3], argv[4]);
        if (argc >= 4 && strcmp(argv[1], "back") == 0)
                return run_back(atof(argv[2]), argv + 3);
        return usage();
}
