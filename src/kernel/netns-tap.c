/* SPDX-License-Identifier: MIT */
/* Links that have a device file at their other end: the parts that netlink does not reach. */

#include "kernel/netns-call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN_FILE "/dev/net/tun"

static int find_ifindex(const char *name, int *ret) {
        _cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = {};

        if (fd < 0)
                return -errno;
        memcpy(request.ifr_name, name, strlen(name));
        if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
                return -errno;
        *ret = request.ifr_ifindex;
        return 0;
}

static int tune(int fd, const NetnsTun *tun) {
        if (tun->user != UINT32_MAX && ioctl(fd, TUNSETOWNER, (unsigned long)tun->user) < 0)
                return -errno;
        if (tun->group != UINT32_MAX && ioctl(fd, TUNSETGROUP, (unsigned long)tun->group) < 0)
                return -errno;
        return 0;
}

typedef struct TunCall {
        const NetnsTun *tun;
        int fd;
} TunCall;

/* To whom it belongs is decided when the file is opened (tun_chr_open), not by the ioctl. */
static int attach(const NetnsTun *tun, int flags, int *ret_fd) {
        _cleanup_(fd_closep) int fd = open(TUN_FILE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        struct ifreq request = {.ifr_flags = (short)(tun->flags | flags)};
        int r;

        if (fd < 0)
                return errno == ENOENT || errno == ENXIO || errno == ENODEV ? NETNS_E_ABSENT
                                                                            : -errno;
        memcpy(request.ifr_name, tun->name, strlen(tun->name));
        if (ioctl(fd, TUNSETIFF, &request) < 0)
                return -errno;
        r = tune(fd, tun);
        if (r < 0)
                return r;
        *ret_fd = fd;
        fd = -1;
        return 0;
}

static int call_make(void *userdata) {
        TunCall *call = userdata;
        int r = attach(call->tun, IFF_TUN_EXCL, &call->fd);

        return r == -EBUSY ? -EEXIST : r;
}

/* One that is not there any more would be made by this, and another one changed. */
static int call_change(void *userdata) {
        TunCall *call = userdata;
        _cleanup_(fd_closep) int fd = -1;
        int ifindex = 0, r = find_ifindex(call->tun->name, &ifindex);

        if (r < 0 || ifindex != call->tun->ifindex)
                return r < 0 ? r : -ENODEV;
        return attach(call->tun, 0, &fd);
}

static bool tun_is_valid(const NetnsTun *tun) {
        size_t length = strlen(tun->name);

        return length > 0 && length < IFNAMSIZ && !strpbrk(tun->name, "/:%") &&
               !(tun->flags &
                 ~(IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE));
}

int netns_tun_make(int netns_fd, const NetnsTun *tun, int *ret_fd) {
        TunCall call = {.tun = tun, .fd = -1};
        int r = tun_is_valid(tun) ? netns_call(netns_fd, call_make, &call) : -EINVAL;

        if (r == 0)
                *ret_fd = call.fd;
        return r;
}

int netns_tun_change(int netns_fd, const NetnsTun *tun) {
        TunCall call = {.tun = tun};

        if (!tun_is_valid(tun) || tun->ifindex <= 0)
                return -EINVAL;
        return netns_call(netns_fd, call_change, &call);
}

int netns_tun_keep(int fd) {
        return ioctl(fd, TUNSETPERSIST, 1UL) < 0 ? -errno : 0;
}
