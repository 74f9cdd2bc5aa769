/* SPDX-License-Identifier: MIT */
/* Simulated devices: made by writing to files of their bus, in the namespace of whoever writes. */

#include "kernel/netns-call.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define BUS "bus/netdevsim"

typedef struct SimCall {
        const char *sysfs;
        const NetnsSim *sim;
        int (*run)(int dir, const NetnsSim *sim);
} SimCall;

/* NETNS_E_ABSENT: there is no such file. */
static int write_number(int dir, const char *path, const char *text) {
        _cleanup_(fd_closep) int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
        size_t size = strlen(text);

        if (fd < 0)
                return errno == ENOENT ? NETNS_E_ABSENT : -errno;
        return write(fd, text, size) == (ssize_t)size ? 0 : -errno;
}

static int write_port(int dir, const NetnsSim *sim, const char *file) {
        char path[64], text[16];

        snprintf(path, sizeof(path), BUS "/devices/netdevsim%u/%s", sim->id, file);
        snprintf(text, sizeof(text), "%u", sim->port);
        return write_number(dir, path, text);
}

static int remove_device(int dir, const NetnsSim *sim) {
        char text[16];

        snprintf(text, sizeof(text), "%u", sim->id);
        return write_number(dir, BUS "/del_device", text);
}

/* Without ports at first, so that all of them are made alike. */
static int make(int dir, const NetnsSim *sim) {
        int r = write_port(dir, sim, "new_port");
        char text[48];

        if (r != NETNS_E_ABSENT)
                return r;
        snprintf(text, sizeof(text), "%u 0 %u", sim->id, sim->queues);
        r = write_number(dir, BUS "/new_device", text);
        if (r != 0)
                return r;
        r = write_port(dir, sim, "new_port");
        if (r != 0)
                remove_device(dir, sim);
        return r == NETNS_E_ABSENT ? -ENODEV : r;
}

/* In a sysfs of the namespace that they are in. */
static bool has_ports(int dir, const NetnsSim *sim) {
        const struct dirent *entry;
        bool found = false;
        char path[64];
        DIR *folder;
        int fd;

        snprintf(path, sizeof(path), BUS "/devices/netdevsim%u/net", sim->id);
        fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        folder = fd < 0 ? NULL : fdopendir(fd);
        if (!folder) {
                fd_close(fd);
                return false;
        }
        while (!found && (entry = readdir(folder)))
                found = entry->d_name[0] != '.';
        closedir(folder);
        return found;
}

static int take(int dir, const NetnsSim *sim) {
        int r = write_port(dir, sim, "del_port");

        if (r != 0 || has_ports(dir, sim))
                return r == -ENOENT ? NETNS_E_ABSENT : r;
        return remove_device(dir, sim);
}

static int call_sim(void *userdata) {
        const SimCall *call = userdata;
        _cleanup_(fd_closep) int dir = -1;
        int r = 0;

        if (call->sysfs)
                dir = open(call->sysfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
        else
                r = netns_open_sysfs(0, &dir);
        if (call->sysfs && dir < 0)
                r = -errno;
        return r == 0 ? call->run(dir, call->sim) : r;
}

int netns_sim_make(int netns_fd, const char *sysfs, const NetnsSim *sim) {
        SimCall call = {.sysfs = sysfs, .sim = sim, .run = make};

        return netns_call(netns_fd, call_sim, &call);
}

int netns_sim_take(int netns_fd, const char *sysfs, const NetnsSim *sim) {
        SimCall call = {.sysfs = sysfs, .sim = sim, .run = take};

        return netns_call(netns_fd, call_sim, &call);
}
