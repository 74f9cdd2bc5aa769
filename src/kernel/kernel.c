/* SPDX-License-Identifier: MIT */
/*
 * What is behind kernel.h: the dispatch that lets a fake kernel stand in, and of the real one that
 * which dumping and applying share: the namespaces it talks to.
 */

#include "kernel/resolve.h"
#include "kernel/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/net_namespace.h>
#include <stdlib.h>
#include <sys/resource.h>

#define FORGET_AFTER 64 /* dumps that did not speak of a namespace */

int kernel_survey(Kernel *kernel, Network *scope) {
        return kernel->ops->survey ? kernel->ops->survey(kernel, scope) : 0;
}

int kernel_resolve(Kernel *kernel, const Network *wanted) {
        return kernel->ops->resolve ? kernel->ops->resolve(kernel, wanted) : 0;
}

int kernel_dump(Kernel *kernel, const Network *scope, Network **ret) {
        return kernel->ops->dump(kernel, scope, ret);
}

int kernel_apply(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results) {
        return kernel->ops->apply(kernel, ops, n, results);
}

int kernel_watch(Kernel *kernel, int *ret_fd) {
        return kernel->ops->watch(kernel, ret_fd);
}

int kernel_notice(Kernel *kernel, uint64_t now_ms, KernelNews *ret) {
        return kernel->ops->notice(kernel, now_ms, ret);
}

void kernel_forget(Kernel *kernel) {
        kernel->ops->forget(kernel);
}

void kernel_mark(Kernel *kernel) {
        kernel->ops->mark(kernel);
}

bool kernel_saw(Kernel *kernel, const Op *op) {
        return kernel->ops->saw(kernel, op);
}

Kernel *kernel_free(Kernel *kernel) {
        return kernel ? kernel->ops->free(kernel) : NULL;
}

void kernel_freep(Kernel **kernel) {
        *kernel = kernel_free(*kernel);
}

static void space_free(RealKernel *kernel, Space *space) {
        watch_leave(kernel, space);
        space_close(kernel, space);
        cache_free(space->cache);
        HASH_DEL(kernel->spaces, space);
        free(space->name);
        free(space->path);
        free(space);
}

static Kernel *real_free(Kernel *base) {
        RealKernel *kernel = real_kernel(base);
        Space *space, *next;

        HASH_ITER(hh, kernel->spaces, space, next)
                space_free(kernel, space);
        resolver_free(kernel->resolver);
        watcher_free(kernel->watcher);
        fd_close(kernel->host_fd);
        free(kernel->run_netns);
        free(kernel);
        return NULL;
}

static int real_survey(Kernel *base, Network *scope) {
        NetnsEntry *entries;
        size_t n;
        int r = netns_list(real_kernel(base)->run_netns, &scope->arena, &entries, &n);

        for (size_t i = 0; r == 0 && i < n; i++) {
                Namespace *netns;

                if (entries[i].stat.state != NETNS_ALIVE ||
                    network_find_namespace(scope, entries[i].name))
                        continue;
                netns = network_add_namespace(scope, entries[i].name, NETNS_NAMED);
                if (netns)
                        netns->glance = true;
                else
                        r = -ENOMEM;
        }
        return r;
}

static const KernelOps real_ops = {
        .resolve = real_resolve,
        .survey = real_survey,
        .dump = real_dump,
        .apply = real_apply,
        .watch = real_watch,
        .notice = real_notice,
        .forget = real_forget,
        .mark = real_mark,
        .saw = real_saw,
        .free = real_free,
};

/* A dump holds two descriptors for each namespace: the soft limit is for programs with select(). */
static void raise_descriptor_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
}

int kernel_new(const char *run_netns, Kernel **ret) {
        RealKernel *kernel = calloc(1, sizeof(RealKernel));
        int r;

        raise_descriptor_limit();
        if (!kernel)
                return -ENOMEM;
        kernel->kernel.ops = &real_ops;
        kernel->host_fd = -1;
        kernel->run_netns = strdup(run_netns);
        r = kernel->run_netns ? netns_open_self(&kernel->host_fd) : -ENOMEM;
        if (r != 0) {
                real_free(&kernel->kernel);
                return r < 0 ? r : -ENOTSUP;
        }
        *ret = &kernel->kernel;
        return 0;
}

Space *space_get(RealKernel *kernel, const char *name) {
        Space *space;

        HASH_FIND_STR(kernel->spaces, name, space);
        if (space)
                return space;
        space = calloc(1, sizeof(Space));
        if (!space)
                return NULL;
        space->name = strdup(name);
        if (!space->name) {
                free(space);
                return NULL;
        }
        space->fd = -1;
        space->type = streq(name, HOST) ? NETNS_HOST : NETNS_NAMED;
        space->used = kernel->dumps;
        HASH_ADD_KEYPTR(hh, kernel->spaces, space->name, strlen(space->name), space);
        return space;
}

int space_declare(RealKernel *kernel, Space *space, const Namespace *netns) {
        bool same = space->type == netns->type && space->pid == netns->pid &&
                    streq_ptr(space->path, netns->path);
        char *path = NULL;

        if (netns->path) {
                path = strdup(netns->path);
                if (!path)
                        return -ENOMEM;
        }
        if (!same) {
                watch_leave(kernel, space);
                space->changed = true;
        }
        free(space->path);
        space->path = path;
        space->type = netns->type;
        space->pid = netns->pid;
        space->glance = netns->glance;
        return 0;
}

/* A descriptor of our own even for the host's: spaces_close() makes no difference. */
static int open_fd(const RealKernel *kernel, const Space *space, int *ret_fd) {
        switch (space->type) {
        case NETNS_HOST:
                *ret_fd = fcntl(kernel->host_fd, F_DUPFD_CLOEXEC, 3);
                return *ret_fd < 0 ? -errno : 0;
        case NETNS_NAMED:
                if (!netns_name_valid(space->name))
                        return NETNS_E_ABSENT;
                return netns_open(kernel->run_netns, space->name, ret_fd);
        case NETNS_PATH:
                return netns_open_path(space->path, ret_fd);
        case NETNS_PID:
                return netns_open_pid(space->pid, ret_fd);
        case _NETNS_TYPE_N:
                break;
        }
        return -EINVAL;
}

int space_open(RealKernel *kernel, Space *space) {
        _cleanup_(netlink_freep) Netlink *nl = NULL;
        _cleanup_(fd_closep) int fd = -1;
        NetnsId id;
        int r;

        if (space->netlink)
                return 0;
        r = open_fd(kernel, space, &fd);
        if (r == 0)
                r = netns_identify(fd, &id);
        if (space->watch && (r > 0 || (r == 0 && !netns_id_equal(&id, &space->id))))
                watch_lose(kernel, space);
        /* To be where one is takes no privileges, to go there does. */
        if (r == 0)
                r = netlink_open(space->type == NETNS_HOST ? -1 : fd, NETLINK_ROUTE, &nl);
        if (r != 0)
                return r;
        space->fd = fd;
        space->id = id;
        space->netlink = nl;
        fd = -1;
        nl = NULL;
        return 0;
}

void space_close(RealKernel *kernel, Space *space) {
        if (space->netlink)
                kernel->kernel.writes += netlink_writes(space->netlink);
        if (space->genl)
                kernel->kernel.writes += netlink_writes(space->genl);
        space->genl = netlink_free(space->genl);
        space->family = NULL;
        space->netlink = netlink_free(space->netlink);
        space->fd = fd_close(space->fd);
}

/* Who it was is asked anew: of what nobody watches nobody says that it is still the same. */
int space_begin(RealKernel *kernel, Space *space) {
        int r;

        if (space->changed) {
                space_close(kernel, space);
                space->cache = cache_free(space->cache);
        }
        space->changed = space->blind = false;
        space->cookie = 0;
        if (kernel->watcher)
                names_stand(kernel, space);
        if (!space->cache)
                space->cache = cache_new();
        if (!space->cache)
                return -ENOMEM;
        r = space_open(kernel, space);
        if (r == 0)
                r = netlink_cookie(space->netlink, &space->cookie);
        space->blind = r < 0;
        if (r != 0)
                return r;
        space->stood = space->id;
        if (kernel->watcher && !space->glance)
                watch_enter(kernel, space);
        return 0;
}

void spaces_close(RealKernel *kernel) {
        Space *space, *next;

        HASH_ITER(hh, kernel->spaces, space, next) {
                space_close(kernel, space);
                if (!space->watch)
                        space->cache = cache_free(space->cache);
                if (kernel->dumps - space->used > FORGET_AFTER)
                        space_free(kernel, space);
        }
}

const char *space_problem(int outcome) {
        if (outcome < 0)
                return strerrordesc_np(-outcome);
        switch (outcome) {
        case NETNS_E_ABSENT:
                return "not there";
        case NETNS_E_DEAD:
                return "the name is there, but no namespace behind it";
        case NETNS_E_FOREIGN:
                return "not a network namespace";
        case NETNS_E_EXISTS:
                return "there already";
        case NETNS_E_PENDING:
                return "somebody may be making it right now";
        case NETNS_E_OTHER:
                return "another namespace took the name";
        }
        return "cannot be opened";
}

static int take_nsid(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *tb[NETNSA_MAX + 1];
        int *ret = userdata;
        int r = attrs_parse_message(message, sizeof(struct rtgenmsg), tb, ELEMENTSOF(tb));

        if (r < 0)
                return r;
        if (tb[NETNSA_NSID] && mnl_attr_get_payload_len(tb[NETNSA_NSID]) >= sizeof(int32_t))
                *ret = (int32_t)mnl_attr_get_u32(tb[NETNSA_NSID]);
        return 0;
}

int space_nsid(const Space *viewer, int netns_fd, int *ret_nsid) {
        alignas(NLMSG_ALIGNTO) char buffer[64] = {};
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        int nsid = -1, r;

        message->nlmsg_type = RTM_GETNSID;
        mnl_nlmsg_put_extra_header(message, sizeof(struct rtgenmsg));
        mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)netns_fd);
        r = netlink_get(viewer->netlink, message, take_nsid, &nsid);
        if (r < 0)
                return r;
        *ret_nsid = r == 0 ? nsid : -1;
        return 0;
}

int attrs_parse(const void *data, size_t size, const struct nlattr **tb, size_t n) {
        const struct nlattr *attr = data;
        const char *end = (const char *)data + size;

        memset(tb, 0, n * sizeof(*tb));
        if (size > INT_MAX)
                return -EBADMSG;
        while (mnl_attr_ok(attr, (int)(end - (const char *)attr))) {
                if (mnl_attr_get_type(attr) < n)
                        tb[mnl_attr_get_type(attr)] = attr;
                if (MNL_ALIGN((size_t)attr->nla_len) >= (size_t)(end - (const char *)attr))
                        return 0;
                attr = mnl_attr_next(attr);
        }
        return (const char *)attr >= end ? 0 : -EBADMSG;
}

int attrs_parse_nest(const struct nlattr *nest, const struct nlattr **tb, size_t n) {
        if (!nest) {
                memset(tb, 0, n * sizeof(*tb));
                return 0;
        }
        return attrs_parse(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), tb, n);
}

int attrs_parse_message(const struct nlmsghdr *message, size_t header_size,
                        const struct nlattr **tb, size_t n) {
        size_t size = mnl_nlmsg_get_payload_len(message);

        header_size = MNL_ALIGN(header_size);
        if (message->nlmsg_len < MNL_NLMSG_HDRLEN || size < header_size)
                return -EBADMSG;
        return attrs_parse(mnl_nlmsg_get_payload_offset(message, header_size), size - header_size,
                           tb, n);
}
