/* SPDX-License-Identifier: MIT */
/* Links that have a device file at their other end: the parts that netlink does not reach. */

#include "kernel/netns-call.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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

/* Character devices. */

int netns_open_sysfs(unsigned attributes, int *ret_fd) {
        _cleanup_(fd_closep) int context = fsopen("sysfs", FSOPEN_CLOEXEC);
        int fd;

        if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

static int open_below(int dir, const char *path, int flags, int *ret_fd) {
        int fd = openat(dir, path, flags | O_CLOEXEC);

        if (fd < 0)
                return errno == ENOENT ? NETNS_E_ABSENT : -errno;
        *ret_fd = fd;
        return 0;
}

/* "tap7", and which device that is. */
static int read_number(int dir, const char *name, dev_t *ret) {
        _cleanup_(fd_closep) int fd = -1;
        char path[64], text[32];
        unsigned major_number, minor_number;
        ssize_t n;
        int r;

        if (snprintf(path, sizeof(path), "%s/dev", name) >= (int)sizeof(path))
                return -EINVAL;
        r = open_below(dir, path, O_RDONLY, &fd);
        if (r != 0)
                return r;
        n = read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        if (sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
                return -EBADMSG;
        *ret = makedev(major_number, minor_number);
        return 0;
}

static int find_number(int dir, char *name, size_t size, dev_t *ret) {
        int copy = dup(dir), r = NETNS_E_ABSENT;
        DIR *folder = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *entry;

        if (!folder) {
                fd_close(copy);
                return -errno;
        }
        while (r == NETNS_E_ABSENT && (entry = readdir(folder)))
                if (strncmp(entry->d_name, "tap", 3) == 0 && strlen(entry->d_name) < size) {
                        strcpy(name, entry->d_name);
                        r = read_number(dir, name, ret);
                }
        closedir(folder);
        return r;
}

typedef struct DeviceCall {
        const char *alias;
        NetnsDevice *device;
        bool set;
        char name[32]; /* in /dev */
        dev_t number;
} DeviceCall;

/* Only in a sysfs of its own namespace is the device's number told. */
static int call_find(void *userdata) {
        DeviceCall *call = userdata;
        _cleanup_(fd_closep) int sysfs = -1, dir = -1;
        char path[128];
        int r = netns_open_sysfs(MOUNT_ATTR_RDONLY, &sysfs);

        if (snprintf(path, sizeof(path), "devices/virtual/net/%s/%s", call->device->link,
                     call->device->subsystem) >= (int)sizeof(path))
                return -EINVAL;
        if (r == 0)
                r = open_below(sysfs, path, O_RDONLY | O_DIRECTORY, &dir);
        return r == 0 ? find_number(dir, call->name, sizeof(call->name), &call->number) : r;
}

/* Its name is that of the ifindex when it was made, which links of two namespaces can share. */
static int open_node(const DeviceCall *call, int *ret_fd, struct stat *ret) {
        _cleanup_(fd_closep) int dir = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_(fd_closep) int fd = -1;
        int r = dir < 0 ? -errno : open_below(dir, call->name, O_PATH | O_NOFOLLOW, &fd);

        if (r != 0)
                return r;
        if (fstat(fd, ret) < 0)
                return -errno;
        if (!S_ISCHR(ret->st_mode) || ret->st_rdev != call->number)
                return NETNS_E_ABSENT;
        *ret_fd = fd;
        fd = -1;
        return 0;
}

static bool alias_is_right(const DeviceCall *call) {
        char path[128], target[64] = "", wanted[64];
        ssize_t n;

        snprintf(path, sizeof(path), NETNS_TAP_DIR "/%s", call->alias);
        snprintf(wanted, sizeof(wanted), "/dev/%s", call->name);
        n = readlink(path, target, sizeof(target) - 1);
        return n > 0 && streq(target, wanted);
}

static int make_alias(const DeviceCall *call) {
        char path[128], fresh[136], target[64];

        if (alias_is_right(call))
                return 0;
        snprintf(path, sizeof(path), NETNS_TAP_DIR "/%s", call->alias);
        snprintf(fresh, sizeof(fresh), NETNS_TAP_DIR "/.%s", call->alias);
        snprintf(target, sizeof(target), "/dev/%s", call->name);
        if ((mkdir("/run/mvnet", 0755) < 0 && errno != EEXIST) ||
            (mkdir(NETNS_TAP_DIR, 0755) < 0 && errno != EEXIST))
                return -errno;
        unlink(fresh);
        if (symlink(target, fresh) < 0 || rename(fresh, path) < 0)
                return -errno;
        return 0;
}

static int set_device(const DeviceCall *call, int fd) {
        const NetnsDevice *device = call->device;
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (device->mode != UINT32_MAX && chmod(path, device->mode & 0777) < 0)
                return -errno;
        if (fchownat(fd, "", device->user, device->group, AT_EMPTY_PATH) < 0)
                return -errno;
        return make_alias(call);
}

static bool alias_is_valid(const char *alias) {
        return alias[0] && alias[0] != '.' && strlen(alias) < 96 && !strchr(alias, '/');
}

static int reach_device(int netns_fd, DeviceCall *call) {
        _cleanup_(fd_closep) int fd = -1;
        struct stat st;
        int r;

        if (!alias_is_valid(call->alias) || strpbrk(call->device->link, "/") ||
            strpbrk(call->device->subsystem, "/."))
                return -EINVAL;
        r = netns_call(netns_fd, call_find, call);
        if (r == 0)
                r = open_node(call, &fd, &st);
        if (r != 0)
                return r;
        if (call->set)
                return set_device(call, fd);
        call->device->user = st.st_uid;
        call->device->group = st.st_gid;
        call->device->mode = st.st_mode & 0777;
        return alias_is_right(call) ? 0 : NETNS_E_OTHER;
}

int netns_device_stat(int netns_fd, const char *alias, NetnsDevice *device) {
        DeviceCall call = {.alias = alias, .device = device};

        return reach_device(netns_fd, &call);
}

int netns_device_set(int netns_fd, const char *alias, const NetnsDevice *device) {
        NetnsDevice copy = *device;
        DeviceCall call = {.alias = alias, .device = &copy, .set = true};

        return reach_device(netns_fd, &call);
}

void netns_device_forget(const char *alias) {
        char path[128];

        if (alias_is_valid(alias) &&
            snprintf(path, sizeof(path), NETNS_TAP_DIR "/%s", alias) < (int)sizeof(path) &&
            netns_path_is_link(path))
                unlink(path);
}

void netns_devices_sweep(void) {
        DIR *folder = opendir(NETNS_TAP_DIR);
        const struct dirent *entry;
        struct stat st;

        while (folder && (entry = readdir(folder)))
                if (fstatat(dirfd(folder), entry->d_name, &st, 0) < 0 && errno == ENOENT)
                        unlinkat(dirfd(folder), entry->d_name, 0);
        if (folder)
                closedir(folder);
}
