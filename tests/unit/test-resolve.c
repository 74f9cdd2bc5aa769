/* SPDX-License-Identifier: MIT */
/*
 * Names of hosts, looked up by the running kernel's means: files and a server of DNS of each
 * namespace's own, which answers, refuses, or says nothing at all.
 */

#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FOREVER_MS 30000

static uint64_t now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A peer that is at that host. */
static Link *name_host(World *world, const char *netns, const char *link, const char *host) {
        static uint8_t number;
        uint8_t key[SECRET_SIZE] = {++number};
        char text[SECRET_TEXT_SIZE], endpoint[HOST_NAME_SIZE + 8];
        Link *wg = namespace_find_link(space_of(world->wanted, netns), link);

        secret_to_text(key, text);
        snprintf(endpoint, sizeof(endpoint), "%s:51820", host);
        if (!wg)
                wg = want(world, netns, link, "wireguard");
        put_on(wg, &object_wireguard_peer, "public-key", text, "endpoint", endpoint, NULL);
        return wg;
}

static void ask(World *world) {
        assert_int_equal(kernel_resolve(world->kernel, world->wanted), 0);
}

static const Lookup *known(World *world, const char *netns, const char *host) {
        const Lookup *lookup = network_find_lookup(world->have, netns, host);

        if (!lookup)
                fail_msg("nobody looks up %s in %s", host, netns);
        return lookup;
}

static const Lookup *wait_for(World *world, const char *netns, const char *host,
                              LookupState state) {
        const uint64_t end = now_ms() + FOREVER_MS;
        const Lookup *lookup;

        do {
                look(world);
                lookup = known(world, netns, host);
                usleep(2000);
        } while (lookup->state != state && now_ms() < end);
        assert_int_equal(lookup->state, state);
        return lookup;
}

static void assert_found(const Lookup *lookup, const char *addresses) {
        _cleanup_(buf_deinit) Buf all = {};
        char text[INET6_ADDRSTRLEN];

        for (size_t i = 0; i < lookup->n; i++)
                buf_printf(&all, "%s ", inet_ntop(lookup->addresses[i].family,
                                                  lookup->addresses[i].bytes, text, sizeof(text)));
        assert_string_equal(buf_text(&all), addresses);
}

static void write_file(const char *path, const char *text) {
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

/* An /etc with nothing in it but this. */
static void enter_etc(const char *nsswitch) {
        assert_int_equal(mount("tmpfs", "/etc", "tmpfs", 0, NULL), 0);
        assert_int_equal(mkdir("/etc/netns", 0755), 0);
        write_file("/etc/nsswitch.conf", nsswitch);
        write_file("/etc/hosts", "192.0.2.1 vpn.example\n");
        write_file("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:30\n");
}

static int etc_teardown(void **state) {
        int r = world_teardown(state);

        return umount2("/etc", MNT_DETACH) < 0 ? -1 : r;
}

static int files_setup(void **state) {
        enter_etc("hosts: files\n");
        return world_setup(state);
}

static int dns_setup(void **state) {
        enter_etc("hosts: dns\n");
        return world_setup(state);
}

/* Our children, but for the one that answers. */
static size_t count_children(pid_t but) {
        char path[64];
        size_t n = 0;
        FILE *file;
        int pid;

        snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
        file = fopen(path, "re");
        assert_non_null(file);
        while (fscanf(file, "%d", &pid) == 1)
                n += pid != but;
        fclose(file);
        return n;
}

/* Files. */

static void test_files(void **state) {
        World *world = *state;

        make_space(world, "ns1");
        make_space(world, "ns2");
        assert_int_equal(mkdir("/etc/netns/ns1", 0755), 0);
        write_file("/etc/netns/ns1/hosts", "2001:db8::2 vpn.example\n");
        write_file("/etc/netns/ns1/of-no-use", "there is nothing that this could be put on\n");
        name_host(world, HOST, "wg0", "vpn.example");
        name_host(world, HOST, "wg0", "none.example");
        name_host(world, "ns1", "wg0", "vpn.example");
        name_host(world, "ns2", "wg0", "vpn.example");
        ask(world);
        assert_found(wait_for(world, HOST, "vpn.example", LOOKUP_DONE), "192.0.2.1 ");
        assert_found(wait_for(world, "ns2", "vpn.example", LOOKUP_DONE), "192.0.2.1 ");
        assert_found(wait_for(world, "ns1", "vpn.example", LOOKUP_DONE), "2001:db8::2 ");
        assert_non_null(strstr(wait_for(world, HOST, "none.example", LOOKUP_FAILED)->reason,
                               "not known"));
        /* What one of them sees is nobody else's business. */
        assert_int_equal(run("grep -q 192.0.2.1 /etc/hosts"), 0);
        assert_int_not_equal(run("grep -q /etc/hosts /proc/self/mounts"), 0);
}

/* Where the packets leave, not where the link is. */
static void test_outer_namespace(void **state) {
        World *world = *state;
        Link *link;

        make_space(world, "ns1");
        assert_int_equal(mkdir("/etc/netns/ns1", 0755), 0);
        write_file("/etc/netns/ns1/hosts", "192.0.2.2 vpn.example\n");
        link = name_host(world, HOST, "wg0", "vpn.example");
        set_in(&link->common, HOST, "bind-netns", "ns1", &world->wanted->arena);
        ask(world);
        assert_found(wait_for(world, "ns1", "vpn.example", LOOKUP_DONE), "192.0.2.2 ");
}

static void test_later_namespace(void **state) {
        World *world = *state;

        name_host(world, "ns1", "wg0", "vpn.example");
        ask(world);
        assert_string_equal(wait_for(world, "ns1", "vpn.example", LOOKUP_FAILED)->reason,
                            "not there");
        make_space(world, "ns1");
        assert_found(wait_for(world, "ns1", "vpn.example", LOOKUP_DONE), "192.0.2.1 ");
}

/* What was known stays so until there is something else; and of that there is news. */
static void test_asked_again(void **state) {
        World *world = *state;
        struct pollfd pollfd = {.events = POLLIN};
        size_t touched = 0;
        KernelNews news;

        name_host(world, HOST, "wg0", "vpn.example");
        assert_int_equal(kernel_watch(world->kernel, &pollfd.fd), 0);
        ask(world);
        wait_for(world, HOST, "vpn.example", LOOKUP_DONE);
        assert_int_equal(kernel_notice(world->kernel, now_ms(), &news), 0);
        write_file("/etc/hosts", "192.0.2.9 vpn.example\n");
        ask(world);
        look(world);
        assert_found(known(world, HOST, "vpn.example"), "192.0.2.1 ");
        while (touched == 0) {
                assert_int_equal(poll(&pollfd, 1, FOREVER_MS), 1);
                assert_int_equal(kernel_notice(world->kernel, now_ms(), &news), 0);
                for (size_t i = 0; i < news.n_touched; i++)
                        touched += streq(news.touched[i].netns, HOST) &&
                                   news.touched[i].ifindex == 0;
        }
        look(world);
        assert_found(known(world, HOST, "vpn.example"), "192.0.2.9 ");
        write_file("/etc/hosts", "\n");
        ask(world);
        look(world);
        while (count_children(0) > 0)
                assert_int_equal(kernel_notice(world->kernel, now_ms(), &news), 0);
        look(world);
        assert_found(known(world, HOST, "vpn.example"), "192.0.2.9 ");
}

/* Not any more: nobody looks for it. */
static void test_forgotten(void **state) {
        World *world = *state;
        _cleanup_(network_freep) Network *nothing = NULL;

        name_host(world, HOST, "wg0", "vpn.example");
        ask(world);
        look(world);
        assert_non_null(world->have->lookups);
        assert_int_equal(network_new(&nothing), 0);
        assert_int_equal(kernel_resolve(world->kernel, nothing), 0);
        assert_int_equal(count_children(0), 0);
        look(world);
        assert_null(world->have->lookups);
}

/* DNS. */

/* The question, with one answer to it. */
static size_t make_answer(uint8_t *message, size_t size) {
        /* The same name, A, IN, 60 s. */
        static const uint8_t answer[] = {
                0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7,
        };
        bool is_a = size > 4 && message[size - 3] == 1;

        message[2] = 0x81; /* a response, as was asked for */
        message[3] = 0x80;
        memset(message + 6, 0, 6);
        message[7] = is_a;
        if (!is_a)
                return size;
        memcpy(message + size, answer, sizeof(answer));
        return size + sizeof(answer);
}

static _Noreturn void server_main(int fd, bool answers) {
        uint8_t message[1024];

        for (;;) {
                struct sockaddr_in from;
                socklen_t from_size = sizeof(from);
                ssize_t n = recvfrom(fd, message, 512, 0, (struct sockaddr *)&from, &from_size);

                if (n > 12 && answers)
                        sendto(fd, message, make_answer(message, (size_t)n), 0,
                               (struct sockaddr *)&from, from_size);
        }
}

/* A server in that namespace, which says nothing until it is killed and started again. */
static pid_t start_server(const char *netns, bool answers) {
        const struct sockaddr_in address = {
                .sin_family = AF_INET, .sin_port = htons(53), .sin_addr = {htonl(INADDR_LOOPBACK)},
        };
        int netns_fd, fd;
        pid_t pid;

        assert_int_equal(netns_open(RUN, netns, &netns_fd), 0);
        assert_int_equal(netns_socket(netns_fd, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, &fd), 0);
        assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
        fd_close(netns_fd);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                server_main(fd, answers);
        }
        fd_close(fd);
        return pid;
}

static void stop_server(pid_t pid) {
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_dns(void **state) {
        World *world = *state;
        pid_t server;

        make_space(world, "ns1");
        server = start_server("ns1", true);
        name_host(world, "ns1", "wg0", "vpn.example");
        ask(world);
        assert_found(wait_for(world, "ns1", "vpn.example", LOOKUP_DONE), "192.0.2.7 ");
        stop_server(server);
}

/*
 * Of a process that looks something up: before long nothing of ours is open in it, but the pipe to
 * us beside its own socket, nor may it do anything.
 */
static void assert_confined(void) {
        const uint64_t end = now_ms() + FOREVER_MS;
        int r;

        do
                r = run("cd /proc/$(pgrep -P %d mvnet-lookup | head -n 1) && "
                        "[ $(ls fd | wc -l) -le 5 ] && grep -q '^CapEff:.0*$' status && "
                        "grep -q '^CapPrm:.0*$' status && grep -q '^NoNewPrivs:.1' status",
                        getpid());
        while (r != 0 && now_ms() < end);
        assert_int_equal(r, 0);
}

/* A few at a time, while nobody answers; everything else goes on. */
static void test_silence(void **state) {
        World *world = *state;
        _cleanup_(network_freep) Network *nothing = NULL;
        pid_t server;

        make_space(world, "ns1");
        server = start_server("ns1", false);
        for (unsigned i = 0; i < 20; i++) {
                char host[32];

                snprintf(host, sizeof(host), "host%u.example", i);
                name_host(world, "ns1", "wg0", host);
        }
        ask(world);
        for (unsigned i = 0; i < 20; i++) {
                look(world);
                assert_in_range(count_children(server), 1, 8);
                for (const Lookup *lookup = world->have->lookups; lookup; lookup = lookup->next)
                        assert_int_equal(lookup->state, LOOKUP_PENDING);
        }
        assert_confined();
        assert_int_equal(network_new(&nothing), 0);
        assert_int_equal(kernel_resolve(world->kernel, nothing), 0);
        assert_int_equal(count_children(server), 0);
        stop_server(server);
}

/* Its time is up; the next time comes, later and later. */
static void test_time_out(void **state) {
        World *world = *state;
        struct pollfd pollfd = {.events = POLLIN};
        uint64_t now = now_ms();
        KernelNews news;
        pid_t server;

        make_space(world, "ns1");
        server = start_server("ns1", false);
        name_host(world, "ns1", "wg0", "vpn.example");
        assert_int_equal(kernel_watch(world->kernel, &pollfd.fd), 0);
        ask(world);
        look(world);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(count_children(server), 1);
                now += 60000;
                assert_int_equal(kernel_notice(world->kernel, now, &news), 0);
                assert_int_equal(count_children(server), 0);
                assert_in_range(news.again_ms, 750u << i, 1250u << i);
                look(world);
                assert_string_equal(known(world, "ns1", "vpn.example")->reason, "nobody answers");
                if (i == 2) {
                        stop_server(server);
                        server = start_server("ns1", true);
                }
                now += news.again_ms;
                assert_int_equal(kernel_notice(world->kernel, now, &news), 0);
        }
        while (known(world, "ns1", "vpn.example")->state != LOOKUP_DONE) {
                assert_int_equal(poll(&pollfd, 1, FOREVER_MS), 1);
                assert_int_equal(kernel_notice(world->kernel, now, &news), 0);
                look(world);
        }
        assert_found(known(world, "ns1", "vpn.example"), "192.0.2.7 ");
        stop_server(server);
}

static void test_ends_with_the_kernel(void **state) {
        World *world = *state;
        pid_t server;

        make_space(world, "ns1");
        server = start_server("ns1", false);
        name_host(world, "ns1", "wg0", "vpn.example");
        ask(world);
        look(world);
        assert_int_equal(count_children(server), 1);
        world->kernel = kernel_free(world->kernel);
        assert_int_equal(count_children(server), 0);
        assert_int_equal(kernel_new(RUN, &world->kernel), 0);
        stop_server(server);
}

static void test_nonsense(void **state _unused_) {
        NetnsLookup lookup;
        char host[300] = "";

        assert_int_equal(netns_lookup_begin(-1, NULL, "", &lookup), -EINVAL);
        assert_int_equal(netns_lookup_begin(-1, NULL, "a b", &lookup), -EINVAL);
        assert_int_equal(netns_lookup_begin(-1, "../x", "a", &lookup), -EINVAL);
        memset(host, 'a', 254);
        assert_int_equal(netns_lookup_begin(-1, NULL, host, &lookup), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_files, files_setup, etc_teardown),
                cmocka_unit_test_setup_teardown(test_outer_namespace, files_setup, etc_teardown),
                cmocka_unit_test_setup_teardown(test_later_namespace, files_setup, etc_teardown),
                cmocka_unit_test_setup_teardown(test_asked_again, files_setup, etc_teardown),
                cmocka_unit_test_setup_teardown(test_forgotten, files_setup, etc_teardown),
                cmocka_unit_test_setup_teardown(test_dns, dns_setup, etc_teardown),
                cmocka_unit_test_setup_teardown(test_silence, dns_setup, etc_teardown),
                cmocka_unit_test_setup_teardown(test_time_out, dns_setup, etc_teardown),
                cmocka_unit_test_setup_teardown(test_ends_with_the_kernel, dns_setup, etc_teardown),
                cmocka_unit_test(test_nonsense),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
