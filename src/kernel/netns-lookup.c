/* SPDX-License-Identifier: MIT */
/*
 * Names of hosts, looked up inside a namespace. That can take half a minute, reads files which are
 * that namespace's own, and ends in a library that takes what anybody sends: so each is looked up
 * by a process of its own, in a mount namespace of its own, without privileges.
 */

#include "kernel/netns-call.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_MAX 253
#define ANSWER_FD 3

/* As `ip netns exec` does it; what can't be bound is as everywhere (iproute2 lib/namespace.c). */
static int bind_files(const char *folder) {
        DIR *dir = opendir(folder);
        struct dirent *entry;

        if (!dir)
                return errno == ENOENT ? 0 : -errno;
        if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0) {
                int r = -errno;

                closedir(dir);
                return r;
        }
        while ((entry = readdir(dir))) {
                char from[PATH_MAX], to[PATH_MAX];

                if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
                        continue;
                snprintf(from, sizeof(from), "%s/%s", folder, entry->d_name);
                snprintf(to, sizeof(to), "/etc/%s", entry->d_name);
                mount(from, to, "none", MS_BIND, NULL);
        }
        closedir(dir);
        return 0;
}

static int drop_capabilities(void) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, none) < 0)
                return -errno;
        return 0;
}

static int enter(int netns_fd, const char *name) {
        char folder[sizeof(NETNS_ETC "/") + NETNS_NAME_MAX];
        int r = 0;

        if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) < 0)
                return -errno;
        if (name) {
                snprintf(folder, sizeof(folder), NETNS_ETC "/%s", name);
                r = bind_files(folder);
        }
        return r == 0 ? drop_capabilities() : r;
}

static bool take_address(const struct sockaddr *from, NetnsAddress *ret) {
        *ret = (NetnsAddress){.family = (uint8_t)from->sa_family};
        if (from->sa_family == AF_INET)
                memcpy(ret->bytes, &((const struct sockaddr_in *)from)->sin_addr, 4);
        else if (from->sa_family == AF_INET6)
                memcpy(ret->bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
        else
                return false;
        return true;
}

static void look_up(const char *host, NetnsAnswer *ret) {
        const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
        struct addrinfo *list = NULL;

        ret->error = getaddrinfo(host, NULL, &hints, &list);
        ret->number = ret->error == EAI_SYSTEM ? errno : 0;
        for (const struct addrinfo *at = ret->error ? NULL : list;
             at && ret->n < NETNS_ADDRESSES_MAX; at = at->ai_next)
                ret->n += take_address(at->ai_addr, &ret->addresses[ret->n]);
        if (ret->error == 0 && ret->n == 0)
                ret->error = EAI_NONAME;
}

/* Ends with the process that wants to know. No memory is freed: nobody will miss it. */
static _Noreturn void child_main(int netns_fd, const char *name, const char *host, int answer_fd) {
        NetnsAnswer answer = {};
        sigset_t none;
        int r;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "mvnet-lookup");
        r = enter(netns_fd, name);
        /* Nothing of the daemon's stays open: its sockets would keep namespaces alive. */
        if (dup2(answer_fd, ANSWER_FD) < 0)
                _exit(1);
        close_range(ANSWER_FD + 1, UINT_MAX, 0);
        if (r == 0)
                look_up(host, &answer);
        else
                answer = (NetnsAnswer){.error = EAI_SYSTEM, .number = -r};
        if (write(ANSWER_FD, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
                _exit(1);
        _exit(0);
}

static bool host_is_valid(const char *host) {
        size_t length = strlen(host);

        for (const char *c = host; *c; c++)
                if (*c <= ' ' || *c > '~')
                        return false;
        return length > 0 && length <= HOST_MAX;
}

int netns_lookup_begin(int netns_fd, const char *name, const char *host, NetnsLookup *ret) {
        int fds[2];
        pid_t pid;

        if (!host_is_valid(host) || (name && !netns_name_valid(name)))
                return -EINVAL;
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                child_main(netns_fd, name, host, fds[1]);
        close(fds[1]);
        if (pid < 0) {
                int r = -errno;

                close(fds[0]);
                return r;
        }
        *ret = (NetnsLookup){.pid = pid, .fd = fds[0]};
        return 0;
}

static bool answer_is_valid(const NetnsAnswer *answer) {
        if (answer->n > NETNS_ADDRESSES_MAX || (answer->error == 0) != (answer->n > 0))
                return false;
        for (size_t i = 0; i < answer->n; i++)
                if (answer->addresses[i].family != AF_INET &&
                    answer->addresses[i].family != AF_INET6)
                        return false;
        return true;
}

/* It comes in one piece: what is that small is written as a whole (pipe(7)). */
int netns_lookup_take(const NetnsLookup *lookup, NetnsAnswer *ret) {
        NetnsAnswer answer;
        ssize_t n = read(lookup->fd, &answer, sizeof(answer));

        static_assert(sizeof(answer) <= PIPE_BUF, "an answer is written at once");
        if (n < 0)
                return -errno;
        if (n != (ssize_t)sizeof(answer) || !answer_is_valid(&answer))
                return -EBADMSG;
        *ret = answer;
        return 0;
}

/* Killed, it ends at once: even a file on a server that is away is waited for killably. */
void netns_lookup_end(NetnsLookup *lookup) {
        lookup->fd = fd_close(lookup->fd);
        if (lookup->pid <= 0)
                return;
        kill(lookup->pid, SIGKILL);
        while (waitpid(lookup->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        lookup->pid = 0;
}
