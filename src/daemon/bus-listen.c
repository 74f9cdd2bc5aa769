/* SPDX-License-Identifier: MIT */
/*
 * The private socket: made so that no one can put himself in its place, and never reachable before
 * it is what it should be. A daemon that was killed leaves one behind; one that runs keeps its own.
 */

#include "daemon/bus-internal.h"
#include "daemon/safe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NEW_SOCKET ".bus-new"
#define GROUP "mvnet"

/* A path for bind() and connect(): the real one may be longer than the 108 bytes there are. */
static struct sockaddr_un address_in(int dir_fd, const char *name) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd, name);
        return address;
}

/* Nobody else may be able to rename in there: a sticky folder is not enough. */
static int open_folder(const char *runtime, int *ret) {
        _cleanup_(fd_closep) int fd = -1;
        struct stat st;
        int r;

        r = safe_make_folders(runtime);
        if (r == 0)
                r = safe_open(AT_FDCWD, runtime, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, S_IFDIR, &fd);
        if (r != 0)
                return r < 0 ? r : -EPERM;
        if (fstat(fd, &st) < 0)
                return -errno;
        if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
                return -EPERM;
        *ret = fd;
        fd = -1;
        return 0;
}

/* 0: there is none, or nobody listens at it; -EADDRINUSE: somebody does. */
static int probe(int dir_fd) {
        struct sockaddr_un address = address_in(dir_fd, BUS_SOCKET);
        _cleanup_(fd_closep) int fd = -1;
        struct stat st;

        if (fstatat(dir_fd, BUS_SOCKET, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EAGAIN)
                return errno == ECONNREFUSED || errno == ENOENT ? 0 : -errno;
        return -EADDRINUSE;
}

/*
 * Not through NSS, which may want to ask the network: that is ours to make. Groups that packages
 * and systemd-sysusers make are in the file. (gid_t)-1: there is none.
 */
static gid_t find_group(void) {
        FILE *file = fopen("/etc/group", "re");
        gid_t gid = (gid_t)-1;
        struct group *group;

        if (!file)
                return gid;
        while ((group = fgetgrent(file)))
                if (streq(group->gr_name, GROUP)) {
                        gid = group->gr_gid;
                        break;
                }
        fclose(file);
        return gid;
}

static int set_access(int dir_fd) {
        gid_t gid = find_group();

        if (gid != (gid_t)-1 && fchownat(dir_fd, NEW_SOCKET, 0, gid, AT_SYMLINK_NOFOLLOW) < 0)
                gid = (gid_t)-1; /* not root: ours alone then */
        if (fchmodat(dir_fd, NEW_SOCKET, gid != (gid_t)-1 ? 0660 : 0600, 0) < 0)
                return -errno;
        return 0;
}

/* Under a name that nobody knows, until it is as it should be. */
static int bind_in(int dir_fd, int fd) {
        struct sockaddr_un address = address_in(dir_fd, NEW_SOCKET);
        int r;

        if (unlinkat(dir_fd, NEW_SOCKET, 0) < 0 && errno != ENOENT)
                return -errno;
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        r = set_access(dir_fd);
        if (r == 0 && listen(fd, SOMAXCONN) < 0)
                r = -errno;
        if (r == 0 && renameat(dir_fd, NEW_SOCKET, dir_fd, BUS_SOCKET) < 0)
                r = -errno;
        if (r < 0)
                unlinkat(dir_fd, NEW_SOCKET, 0);
        return r;
}

int listen_open(const char *runtime, int *ret_dir_fd, int *ret_fd) {
        _cleanup_(fd_closep) int dir_fd = -1, fd = -1;
        int r;

        r = open_folder(runtime, &dir_fd);
        if (r == 0)
                r = probe(dir_fd);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        r = bind_in(dir_fd, fd);
        if (r < 0)
                return r;
        *ret_dir_fd = dir_fd;
        *ret_fd = fd;
        dir_fd = fd = -1;
        return 0;
}

void listen_close(int dir_fd, int fd) {
        if (fd >= 0)
                unlinkat(dir_fd, BUS_SOCKET, 0);
        fd_close(fd);
        fd_close(dir_fd);
}
