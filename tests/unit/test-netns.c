/* SPDX-License-Identifier: MIT */
/*
 * Named namespaces, their sysctls and their users, on the running kernel: in a mount namespace of
 * our own with an empty /run, so that the machine's names are out of reach, and against what
 * iproute2 makes and expects.
 */

#include "kernel/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SKIPPED 77 /* to meson */
#define RUN NETNS_RUN_DIR

static NetnsId own_id(void) {
        NetnsId id = {};
        int fd = -1;

        assert_int_equal(netns_open_self(&fd), 0);
        assert_int_equal(netns_identify(fd, &id), 0);
        fd_close(fd);
        return id;
}

static NetnsState state_of(const char *run_dir, const char *name) {
        NetnsStat stat = { .state = NETNS_STATE_N };

        assert_int_equal(netns_stat(run_dir, name, &stat), 0);
        return stat.state;
}

static NetnsId id_of(const char *name) {
        NetnsStat stat = {};

        assert_int_equal(netns_stat(RUN, name, &stat), 0);
        assert_int_equal(stat.state, NETNS_ALIVE);
        assert_int_not_equal(stat.id.ino, 0);
        return stat.id;
}

static void make_file(const char *path, const char *content) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, strlen(content)), strlen(content));
        fd_close(fd);
}

static int run(const char *command) {
        int status = system(command);

        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool have_ip(const char *what) {
        if (run("ip -V >/dev/null 2>&1") == 0)
                return true;
        print_message("SKIPPED %s: there is no ip(8)\n", what);
        return false;
}

static void test_names(void **state) {
        char longest[NETNS_NAME_MAX + 2];

        (void)state;
        memset(longest, 'x', sizeof(longest));
        longest[NETNS_NAME_MAX] = '\0';
        assert_true(netns_name_valid("a"));
        assert_true(netns_name_valid("..."));
        assert_true(netns_name_valid("-x"));
        assert_true(netns_name_valid(longest));
        longest[NETNS_NAME_MAX] = 'x';
        longest[NETNS_NAME_MAX + 1] = '\0';
        assert_false(netns_name_valid(longest));
        assert_false(netns_name_valid(""));
        assert_false(netns_name_valid("."));
        assert_false(netns_name_valid(".."));
        assert_false(netns_name_valid("a/b"));
        assert_false(netns_name_valid("a%d"));
        assert_false(netns_name_valid("a b"));
        assert_false(netns_name_valid("a\n"));
        assert_false(netns_name_valid("\x7f"));
        assert_false(netns_name_valid("\xc3\xa4"));
        assert_int_equal(netns_create(RUN, "../x", 0, NULL), -EINVAL);
        assert_int_equal(netns_delete(RUN, "../x", NULL), -EINVAL);
        assert_int_equal(netns_create("run/netns", "x", 0, NULL), -EINVAL);
        assert_int_equal(netns_delete("", "x", NULL), -EINVAL);
}

static void test_no_run_dir(void **state) {
        const char *nowhere = "/run/nowhere";
        NetnsEntry *entries = NULL;
        Arena arena = {};
        size_t n = 1;
        int fd = -1;

        (void)state;
        assert_int_equal(state_of(nowhere, "x"), NETNS_ABSENT);
        assert_int_equal(netns_open(nowhere, "x", &fd), NETNS_E_ABSENT);
        assert_int_equal(netns_delete(nowhere, "x", NULL), NETNS_E_ABSENT);
        assert_int_equal(netns_list(nowhere, &arena, &entries, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(access(nowhere, F_OK), -1);
        assert_int_equal(fd, -1);
        arena_deinit(&arena);
}

static void test_create_delete(void **state) {
        mode_t before = umask(077);
        NetnsId home = own_id(), id, after;
        int fd = -1, again = -1;
        struct stat st;

        (void)state;
        assert_int_equal(netns_create(RUN, "one", 0, &fd), 0);
        umask(before);
        assert_int_equal(stat(RUN, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(netns_identify(fd, &id), 0);
        assert_false(netns_id_equal(&id, &home));
        after = id_of("one");
        assert_true(netns_id_equal(&id, &after));
        after = own_id();
        assert_true(netns_id_equal(&home, &after));
        assert_int_equal(netns_open(RUN, "one", &again), 0);
        assert_int_equal(netns_identify(again, &after), 0);
        assert_true(netns_id_equal(&id, &after));

        assert_int_equal(netns_create(RUN, "one", 0, NULL), NETNS_E_EXISTS);
        assert_int_equal(netns_create(RUN, "one", NETNS_REPLACE_DEAD, NULL), NETNS_E_EXISTS);
        assert_int_equal(netns_delete(RUN, "one", &home), NETNS_E_OTHER);
        assert_int_equal(state_of(RUN, "one"), NETNS_ALIVE);
        assert_int_equal(netns_delete(RUN, "one", &id), 0);
        assert_int_equal(state_of(RUN, "one"), NETNS_ABSENT);
        assert_int_equal(access(RUN "/one", F_OK), -1);
        assert_int_equal(netns_delete(RUN, "one", &id), NETNS_E_ABSENT);
        assert_int_equal(netns_open(RUN, "one", &again), NETNS_E_ABSENT);
        fd_close(fd);
        fd_close(again);
}

static void test_list(void **state) {
        NetnsEntry *entries = NULL;
        Arena arena = {};
        size_t n = 0;

        (void)state;
        assert_int_equal(netns_create(RUN, "b", 0, NULL), 0);
        assert_int_equal(netns_create(RUN, "a", 0, NULL), 0);
        assert_int_equal(netns_create(RUN, "B", 0, NULL), 0);
        make_file(RUN "/dead", "");
        make_file(RUN "/file", "x");
        make_file(RUN "/not a name", "");
        assert_int_equal(netns_list(RUN, &arena, &entries, &n), 0);
        assert_int_equal(n, 5);
        assert_string_equal(entries[0].name, "B");
        assert_string_equal(entries[1].name, "a");
        assert_string_equal(entries[2].name, "b");
        assert_string_equal(entries[3].name, "dead");
        assert_string_equal(entries[4].name, "file");
        assert_int_equal(entries[0].stat.state, NETNS_ALIVE);
        assert_false(netns_id_equal(&entries[0].stat.id, &entries[1].stat.id));
        assert_int_equal(entries[3].stat.state, NETNS_DEAD);
        assert_int_equal(entries[3].stat.id.ino, 0);
        assert_int_equal(entries[4].stat.state, NETNS_FOREIGN);
        assert_int_equal(netns_delete(RUN, "a", NULL), 0);
        assert_int_equal(netns_delete(RUN, "b", NULL), 0);
        assert_int_equal(netns_delete(RUN, "B", NULL), 0);
        assert_int_equal(netns_delete(RUN, "dead", NULL), 0);
        assert_int_equal(netns_delete(RUN, "file", NULL), NETNS_E_FOREIGN);
        assert_int_equal(unlink(RUN "/file"), 0);
        assert_int_equal(unlink(RUN "/not a name"), 0);
        arena_deinit(&arena);
}

static void test_dead(void **state) {
        NetnsId id, other;
        int fd = -1, r;

        (void)state;
        /* What another one is making right now looks dead, too. */
        make_file(RUN "/dead", "");
        assert_int_equal(state_of(RUN, "dead"), NETNS_DEAD);
        assert_int_equal(netns_open(RUN, "dead", &fd), NETNS_E_DEAD);
        assert_int_equal(netns_create(RUN, "dead", 0, NULL), NETNS_E_DEAD);
        assert_int_equal(netns_create(RUN, "dead", NETNS_REPLACE_DEAD, NULL), NETNS_E_PENDING);
        assert_int_equal(state_of(RUN, "dead"), NETNS_DEAD);
        for (unsigned i = 0; i < 50; i++) {
                r = netns_create(RUN, "dead", NETNS_REPLACE_DEAD, NULL);
                if (r != NETNS_E_PENDING)
                        break;
                usleep(100 * 1000);
        }
        assert_int_equal(r, 0);
        id = id_of("dead");
        /* Unmounted, but not deleted. */
        assert_int_equal(umount2(RUN "/dead", MNT_DETACH), 0);
        assert_int_equal(netns_delete(RUN, "dead", &id), NETNS_E_DEAD);
        assert_int_equal(netns_create(RUN, "dead", NETNS_REPLACE_DEAD, NULL), 0);
        other = id_of("dead");
        assert_int_equal(netns_delete(RUN, "dead", &other), 0);
        assert_int_equal(state_of(RUN, "dead"), NETNS_ABSENT);
}

static void expect_foreign(const char *name) {
        int fd = -1;

        assert_int_equal(state_of(RUN, name), NETNS_FOREIGN);
        assert_int_equal(netns_open(RUN, name, &fd), NETNS_E_FOREIGN);
        assert_int_equal(netns_create(RUN, name, 0, NULL), NETNS_E_FOREIGN);
        assert_int_equal(netns_create(RUN, name, NETNS_REPLACE_DEAD, NULL), NETNS_E_FOREIGN);
        assert_int_equal(netns_delete(RUN, name, NULL), NETNS_E_FOREIGN);
        assert_int_equal(state_of(RUN, name), NETNS_FOREIGN);
}

static void test_foreign(void **state) {
        (void)state;
        assert_int_equal(netns_create(RUN, "good", 0, NULL), 0);
        assert_int_equal(mkdir(RUN "/folder", 0755), 0);
        expect_foreign("folder");
        assert_int_equal(symlink("good", RUN "/link"), 0);
        expect_foreign("link");
        assert_int_equal(symlink("nowhere", RUN "/dangling"), 0);
        expect_foreign("dangling");
        assert_int_equal(mkfifo(RUN "/pipe", 0600), 0);
        expect_foreign("pipe");
        make_file(RUN "/uts", "");
        assert_int_equal(mount("/proc/self/ns/uts", RUN "/uts", NULL, MS_BIND, NULL), 0);
        expect_foreign("uts");
        make_file(RUN "/null", "");
        assert_int_equal(mount("/dev/null", RUN "/null", NULL, MS_BIND, NULL), 0);
        expect_foreign("null");
        make_file(RUN "/empty", "");
        make_file("/run/empty", "");
        assert_int_equal(mount("/run/empty", RUN "/empty", NULL, MS_BIND, NULL), 0);
        expect_foreign("empty");
        assert_int_equal(state_of(RUN, "good"), NETNS_ALIVE);
        assert_int_equal(umount2(RUN "/uts", MNT_DETACH), 0);
        assert_int_equal(umount2(RUN "/null", MNT_DETACH), 0);
        assert_int_equal(umount2(RUN "/empty", MNT_DETACH), 0);
        assert_int_equal(run("cd " RUN " && rm -r folder link dangling pipe uts null empty"), 0);
        assert_int_equal(netns_delete(RUN, "good", NULL), 0);
}

static void test_shadowed(void **state) {
        NetnsEntry *entries = NULL;
        NetnsId below, above, now;
        Arena arena = {};
        size_t n = 1;

        (void)state;
        assert_int_equal(netns_create(RUN, "x", 0, NULL), 0);
        assert_int_equal(netns_create(RUN, "y", 0, NULL), 0);
        below = id_of("x");
        above = id_of("y");
        assert_int_equal(mount("/dev/null", RUN "/x", NULL, MS_BIND, NULL), 0);
        expect_foreign("x");
        assert_int_equal(umount2(RUN "/x", MNT_DETACH), 0);
        assert_int_equal(state_of(RUN, "x"), NETNS_ALIVE);

        /* Another namespace on top is the one that counts, and goes alone. */
        assert_int_equal(mount(RUN "/y", RUN "/x", NULL, MS_BIND, NULL), 0);
        now = id_of("x");
        assert_true(netns_id_equal(&now, &above));
        assert_int_equal(netns_delete(RUN, "x", &below), NETNS_E_OTHER);
        assert_int_equal(netns_delete(RUN, "x", &above), NETNS_E_FOREIGN);
        now = id_of("x");
        assert_true(netns_id_equal(&now, &below));

        /* The whole folder covered. */
        assert_int_equal(mount("tmpfs", RUN, "tmpfs", 0, NULL), 0);
        assert_int_equal(state_of(RUN, "x"), NETNS_ABSENT);
        assert_int_equal(netns_list(RUN, &arena, &entries, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(netns_create(RUN, "x", 0, NULL), 0);
        now = id_of("x");
        assert_false(netns_id_equal(&now, &below));
        assert_int_equal(netns_delete(RUN, "x", NULL), 0);
        assert_int_equal(umount2(RUN, MNT_DETACH), 0);
        assert_int_equal(netns_delete(RUN, "x", &below), 0);
        assert_int_equal(netns_delete(RUN, "y", &above), 0);
        arena_deinit(&arena);
}

static int mounts_at(const char *path) {
        char line[4096], where[256];
        FILE *file = fopen("/proc/self/mountinfo", "re");
        int n = 0;

        assert_non_null(file);
        while (fgets(line, sizeof(line), file))
                if (sscanf(line, "%*s %*s %*s %*s %255s", where) == 1 && streq(where, path))
                        n++;
        fclose(file);
        return n;
}

/* Many who want the same at the same time: one gets the name, the folder is mounted once. */
static void test_race(void **state) {
        enum { N = 8 };
        const char *dir = "/run/race";
        pid_t children[N];
        int won = 0;

        (void)state;
        for (int i = 0; i < N; i++) {
                children[i] = fork();
                assert_true(children[i] >= 0);
                if (children[i] == 0) {
                        char name[16];

                        snprintf(name, sizeof(name), "own%d", i);
                        if (netns_create(dir, name, 0, NULL) != 0)
                                _exit(100);
                        _exit(netns_create(dir, "same", NETNS_REPLACE_DEAD, NULL));
                }
        }
        for (int i = 0; i < N; i++) {
                int status = 0;

                assert_int_equal(waitpid(children[i], &status, 0), children[i]);
                assert_true(WIFEXITED(status));
                if (WEXITSTATUS(status) == 0)
                        won++;
                else
                        assert_true(WEXITSTATUS(status) == NETNS_E_EXISTS ||
                                    WEXITSTATUS(status) == NETNS_E_PENDING);
        }
        assert_int_equal(won, 1);
        assert_int_equal(mounts_at(dir), 1);
        assert_int_equal(mounts_at("/run/race/same"), 1);
        assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

/* Any user can hold that lock: it is waited for, but not for ever, and not at all if the folder
 * is shared already. */
static void test_lock_held(void **state) {
        int lock;

        (void)state;
        assert_int_equal(mkdir("/run/locked", 0755), 0);
        lock = open("/run/locked", O_RDONLY | O_CLOEXEC);
        assert_int_equal(flock(lock, LOCK_EX), 0);
        assert_int_equal(netns_create("/run/locked", "x", 0, NULL), -EWOULDBLOCK);
        assert_int_equal(flock(lock, LOCK_UN), 0);
        assert_int_equal(netns_create("/run/locked", "x", 0, NULL), 0);
        assert_int_equal(flock(lock, LOCK_EX), 0);
        assert_int_equal(netns_create("/run/locked", "y", 0, NULL), 0);
        assert_int_equal(netns_delete("/run/locked", "x", NULL), 0);
        assert_int_equal(netns_delete("/run/locked", "y", NULL), 0);
        fd_close(lock);
}

/* From now on mount() fails if its flags are just MS_BIND, or else unshare() fails. */
static int forbid(bool bind) {
        const unsigned number = bind ? SYS_mount : SYS_unshare;
        struct sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MS_BIND, 0, bind ? 1 : 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = ELEMENTSOF(filter), .filter = filter };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

static void test_failure_leaves_nothing(void **state) {
        (void)state;
        assert_int_equal(netns_create(RUN, "first", 0, NULL), 0); /* the folder is shared now */
        for (int bind = 0; bind < 2; bind++) {
                pid_t child = fork();
                int status = 0;

                assert_true(child >= 0);
                if (child == 0) {
                        int r = forbid(bind), fd = -1;

                        if (r == 0)
                                r = netns_create(RUN, "failed", 0, &fd);
                        _exit(r == -ENOSPC && fd == -1 ? 0 : 1);
                }
                assert_int_equal(waitpid(child, &status, 0), child);
                assert_int_equal(status, 0);
                assert_int_equal(access(RUN "/failed", F_OK), -1);
        }
        assert_int_equal(netns_delete(RUN, "first", NULL), 0);
}

static void test_open(void **state) {
        NetnsId id, home = own_id();
        int fd = -1, pipe_fd = -1;

        (void)state;
        assert_int_equal(netns_create(RUN, "x", 0, NULL), 0);
        assert_int_equal(netns_open_path(RUN "/x", &fd), 0);
        fd = fd_close(fd);
        assert_int_equal(netns_delete(RUN, "x", NULL), 0);
        assert_int_equal(netns_open_pid(getpid(), &fd), 0);
        assert_int_equal(netns_identify(fd, &id), 0);
        assert_true(netns_id_equal(&id, &home));
        fd = fd_close(fd);
        assert_int_equal(netns_open_path("/proc/self/ns/net", &fd), 0);
        fd = fd_close(fd);
        assert_int_equal(netns_open_path("x", &fd), -EINVAL);
        assert_int_equal(netns_open_path("/run/nowhere/x", &fd), NETNS_E_ABSENT);
        assert_int_equal(netns_open_path("/proc/self/ns/mnt", &fd), NETNS_E_FOREIGN);
        assert_int_equal(netns_open_path("/dev/null", &fd), NETNS_E_FOREIGN);
        assert_int_equal(netns_open_path("/", &fd), NETNS_E_FOREIGN);
        /* Opening a pipe would hang until somebody writes. */
        assert_int_equal(mkfifo("/run/pipe", 0600), 0);
        assert_int_equal(netns_open_path("/run/pipe", &fd), NETNS_E_FOREIGN);
        assert_int_equal(netns_open_pid(0, &fd), -EINVAL);
        assert_int_equal(netns_open_pid(-1, &fd), -EINVAL);
        assert_int_equal(netns_open_pid(0x7fffffff, &fd), NETNS_E_ABSENT);
        assert_int_equal(netns_identify(STDERR_FILENO, &id), NETNS_E_FOREIGN);
        assert_int_equal(netns_identify(-1, &id), -EBADF);
        assert_int_equal(netns_socket(STDERR_FILENO, AF_INET, SOCK_DGRAM, 0, &pipe_fd), -EINVAL);
        assert_int_equal(fd, -1);
        assert_int_equal(pipe_fd, -1);
}

static void test_sysctl(void **state) {
        static const char *const bad[] = {
                "", "/", "/ipv4/ip_forward", "ipv4//ip_forward", "ipv4/ip_forward/", "..", ".",
                "../kernel/hostname", "ipv4/../../kernel/hostname", "ipv4/./ip_forward",
                "ipv4/..", "ipv4/conf/a b/mtu", "ipv4/conf/\xc3\xa4/mtu", "ipv4/conf",
        };
        char value[64] = "", here[64] = "";
        int fd = -1;

        (void)state;
        assert_int_equal(netns_create(RUN, "s", 0, &fd), 0);
        assert_int_equal(netns_sysctl_read(-1, "ipv4/ip_forward", here, sizeof(here)), 0);
        assert_int_equal(netns_sysctl_write(fd, "ipv4/ip_forward", "1"), 0);
        assert_int_equal(netns_sysctl_read(fd, "ipv4/ip_forward", value, sizeof(value)), 0);
        assert_string_equal(value, "1");
        assert_int_equal(netns_sysctl_read(-1, "ipv4/ip_forward", value, sizeof(value)), 0);
        assert_string_equal(value, here);
        assert_int_equal(netns_sysctl_read(fd, "ipv4/ip_forward", value, 2), -EMSGSIZE);
        assert_int_equal(netns_sysctl_read(fd, "ipv4/ip_forward", value, 3), 0);
        assert_int_equal(netns_sysctl_read(fd, "ipv4/ip_forward", value, 0), -EINVAL);
        assert_int_equal(netns_sysctl_read(fd, "ipv4/tcp_rmem", value, sizeof(value)), 0);
        assert_non_null(strchr(value, '\t')); /* more than one word is kept as it is */
        assert_int_equal(netns_sysctl_write(fd, "ipv4/tcp_rmem", "4096 8192 16384"), 0);
        assert_int_equal(netns_sysctl_read(fd, "ipv4/tcp_rmem", value, sizeof(value)), 0);
        assert_string_equal(value, "4096\t8192\t16384");
        assert_int_equal(netns_sysctl_write(fd, "ipv4/ip_forward", "yes"), -EINVAL);
        assert_int_equal(netns_sysctl_write(fd, "ipv4/ip_forward", ""), -EINVAL);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_int_equal(netns_sysctl_read(fd, bad[i], value, sizeof(value)), -EINVAL);
                assert_true(netns_sysctl_write(fd, bad[i], "1") < 0);
        }
        assert_int_equal(netns_sysctl_read(fd, "ipv4/none", value, sizeof(value)),
                         NETNS_E_ABSENT);
        assert_int_equal(netns_sysctl_write(fd, "ipv4/none", "1"), NETNS_E_ABSENT);
        assert_int_equal(netns_delete(RUN, "s", NULL), 0);
        fd_close(fd);
}

static void test_sysctl_dotted_link(void **state) {
        const char *path = "ipv4/conf/eth0.5/forwarding";
        char value[64] = "";
        int fd = -1;

        (void)state;
        if (!have_ip("sysctls of a link with a dot in its name"))
                return;
        assert_int_equal(netns_create(RUN, "dot", 0, &fd), 0);
        assert_int_equal(netns_sysctl_read(fd, path, value, sizeof(value)), NETNS_E_ABSENT);
        assert_int_equal(run("ip -n dot link add eth0.5 type veth peer name eth0"), 0);
        assert_int_equal(netns_sysctl_read(fd, path, value, sizeof(value)), 0);
        assert_string_equal(value, "0");
        assert_int_equal(netns_sysctl_write(fd, path, "1"), 0);
        assert_int_equal(netns_sysctl_read(fd, path, value, sizeof(value)), 0);
        assert_string_equal(value, "1");
        assert_int_equal(netns_sysctl_read(-1, path, value, sizeof(value)), NETNS_E_ABSENT);
        assert_int_equal(netns_delete(RUN, "dot", NULL), 0);
        fd_close(fd);
}

/* A child in that namespace, or (-1) with a private copy of our mounts, until it is killed. */
static pid_t enter_and_wait(int fd) {
        int ready[2];
        pid_t child;
        char c;

        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                bool there = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;

                if (fd < 0)
                        there = there && unshare(CLONE_NEWNS) == 0 &&
                                mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
                else
                        there = there && setns(fd, CLONE_NEWNET) == 0;
                if (!there || write(ready[1], "x", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        fd_close(ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        fd_close(ready[0]);
        return child;
}

static void test_processes(void **state) {
        enum { N = NETNS_PIDS_MAX + 2 };
        NetnsProcesses found;
        pid_t children[N];
        NetnsId id;
        int fd = -1;

        (void)state;
        assert_int_equal(netns_create(RUN, "p", 0, &fd), 0);
        assert_int_equal(netns_identify(fd, &id), 0);
        assert_int_equal(netns_processes(&id, &found), 0);
        assert_int_equal(found.n, 0);
        children[0] = enter_and_wait(fd);
        assert_int_equal(netns_processes(&id, &found), 0);
        assert_int_equal(found.n, 1);
        assert_int_equal(found.pids[0], children[0]);
        for (int i = 1; i < N; i++)
                children[i] = enter_and_wait(fd);
        assert_int_equal(netns_processes(&id, &found), 0);
        assert_int_equal(found.n, N);
        for (int i = 0; i < N; i++)
                kill(children[i], SIGKILL);
        for (int i = 0; i < N; i++)
                assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
        assert_int_equal(netns_processes(&id, &found), 0);
        assert_int_equal(found.n, 0);
        assert_int_equal(netns_delete(RUN, "p", &id), 0);
        fd_close(fd);
}

/* ip enters and deletes what we made; we delete what ip made, whatever order they came in. */
static void test_parity(void **state) {
        (void)state;
        if (!have_ip("parity with `ip netns`"))
                return;
        assert_int_equal(netns_create("/run/netns", "ours", 0, NULL), 0);
        assert_int_equal(run("ip netns add theirs"), 0);
        assert_int_equal(mounts_at(RUN), 1);
        assert_int_equal(mounts_at(RUN "/ours"), 1);
        assert_int_equal(mounts_at(RUN "/theirs"), 1);
        assert_int_equal(run("test \"$(stat -fc %T " RUN "/ours)\" = "
                             "\"$(stat -fc %T " RUN "/theirs)\""),
                         0);
        assert_int_equal(run("test \"$(ip netns list | sort | tr '\\n' ' ')\" = 'ours theirs '"),
                         0);
        assert_int_equal(run("ip netns exec ours ip link show dev lo | grep -q 'state DOWN'"), 0);
        assert_int_equal(run("ip -n theirs link set lo up"), 0);
        assert_int_equal(run("ip netns add ours 2>/dev/null"), 1);
        assert_int_equal(netns_create(RUN, "theirs", 0, NULL), NETNS_E_EXISTS);
        assert_int_equal(run("ip netns del ours"), 0);
        assert_int_equal(state_of(RUN, "ours"), NETNS_ABSENT);
        assert_int_equal(netns_delete(RUN, "theirs", NULL), 0);
        assert_int_equal(run("test -z \"$(ip netns list)\""), 0);
        /* An unmounted name: ip refuses to make it, and deletes it; so do we. */
        assert_int_equal(run("ip netns add theirs && umount " RUN "/theirs"), 0);
        assert_int_equal(netns_create(RUN, "theirs", 0, NULL), NETNS_E_DEAD);
        assert_int_equal(netns_delete(RUN, "theirs", NULL), 0);
}

/* What we make is seen, and can be deleted, from mount namespaces made before and after. */
static void test_other_mount_namespaces(void **state) {
        pid_t child;

        (void)state;
        if (!have_ip("names seen by other mount namespaces"))
                return;
        assert_int_equal(netns_create(RUN, "before", 0, NULL), 0);
        assert_int_equal(run("unshare -m --propagation unchanged ip netns del before"), 0);
        assert_int_equal(state_of(RUN, "before"), NETNS_ABSENT);
        assert_int_equal(run("unshare -m --propagation unchanged ip netns add within"), 0);
        assert_int_equal(state_of(RUN, "within"), NETNS_ALIVE);
        assert_int_equal(netns_delete(RUN, "within", NULL), 0);
        /* A private copy of the mounts does not keep us from deleting. */
        assert_int_equal(netns_create(RUN, "held", 0, NULL), 0);
        child = enter_and_wait(-1);
        assert_int_equal(netns_delete(RUN, "held", NULL), 0);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Under systemd /run is shared, so that the folder bound onto itself is its peer, and every name is
 * mounted twice: one unmount must take both. */
static void test_shared_run(void **state) {
        const char *dir = "/run/shared/netns";

        (void)state;
        assert_int_equal(mkdir("/run/shared", 0755), 0);
        assert_int_equal(mount("tmpfs", "/run/shared", "tmpfs", 0, NULL), 0);
        assert_int_equal(mount("", "/run/shared", NULL, MS_SHARED, NULL), 0);
        assert_int_equal(netns_create(dir, "x", 0, NULL), 0);
        assert_int_equal(mounts_at("/run/shared/netns/x"), 2);
        assert_int_equal(state_of(dir, "x"), NETNS_ALIVE);
        assert_int_equal(netns_delete(dir, "x", NULL), 0);
        assert_int_equal(mounts_at("/run/shared/netns/x"), 0);
        assert_int_equal(mounts_at(dir), 1);
        assert_int_equal(umount2("/run/shared", MNT_DETACH), 0);
}

/* A namespace of our own, where /run is empty. */
static int isolate(void) {
        if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
                return -1;
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -1;
        return mount("tmpfs", "/run", "tmpfs", 0, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_no_run_dir),
                cmocka_unit_test(test_create_delete),
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_dead),
                cmocka_unit_test(test_foreign),
                cmocka_unit_test(test_shadowed),
                cmocka_unit_test(test_race),
                cmocka_unit_test(test_lock_held),
                cmocka_unit_test(test_failure_leaves_nothing),
                cmocka_unit_test(test_open),
                cmocka_unit_test(test_sysctl),
                cmocka_unit_test(test_sysctl_dotted_link),
                cmocka_unit_test(test_processes),
                cmocka_unit_test(test_parity),
                cmocka_unit_test(test_other_mount_namespaces),
                cmocka_unit_test(test_shared_run),
        };

        if (isolate() < 0) {
                perror("SKIPPED, cannot make a namespace for the tests");
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
