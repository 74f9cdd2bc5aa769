/* SPDX-License-Identifier: MIT */
/* Good clients and raw sockets: what a test needs of either to see what the others do to them. */

#include "clients.h"

#include "daemon/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

uint64_t time_us(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int raw_connect(const Served *served) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", served->runtime);
        assert_true(fd >= 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return fd_close(fd);
        return fd;
}

/* The other side hung up; what it said before does not matter. */
bool is_closed(int fd) {
        char bytes[4096];
        ssize_t n;

        while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
                ;
        return n == 0 || errno == ECONNRESET;
}

bool has_news(int fd) {
        int n = 0;

        return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

/* sd-bus at the socket, not waited for. */
sd_bus *client_connect(const Served *served) {
        char address[128];
        sd_bus *sd = NULL;

        snprintf(address, sizeof(address), "unix:path=%s/bus", served->runtime);
        assert_true(sd_bus_new(&sd) >= 0);
        assert_true(sd_bus_set_address(sd, address) >= 0);
        if (sd_bus_start(sd) < 0)
                return sd_bus_close_unref(sd);
        return sd;
}

/* In the process that serves: neither may wait for the other. */
sd_bus *client_ready(Served *served) {
        sd_bus *sd = client_connect(served);

        for (unsigned i = 0; i < 1000 && sd && sd_bus_is_ready(sd) <= 0; i++) {
                served_turn(served, 1);
                assert_true(sd_bus_process(sd, NULL) >= 0);
        }
        assert_true(sd && sd_bus_is_ready(sd) > 0);
        return sd;
}

sd_bus_message *call_of(sd_bus *sd, const char *member) {
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(sd, &m, NULL, BUS_PATH, BUS_INTERFACE,
                                                   member) >= 0);
        return m;
}

/* Sends a call without arguments and reads no answer. */
void send_call(sd_bus *sd, const char *member) {
        sd_bus_message *m = call_of(sd, member);
        uint64_t cookie;

        assert_true(sd_bus_send(sd, m, &cookie) >= 0);
        sd_bus_message_unref(m);
}

int count_items(sd_bus *sd, size_t *ret) {
        sd_bus_message *reply = NULL;
        Plan *plan = NULL;
        int r;

        r = sd_bus_call_method(sd, NULL, BUS_PATH, BUS_INTERFACE, "List", NULL, &reply, "");
        if (r >= 0)
                r = wire_read_items(reply, &plan);
        if (r >= 0)
                *ret = plan->n_items;
        sd_bus_message_unref(reply);
        plan_free(plan);
        return r;
}

int run_list(Served *served) {
        sd_bus *sd = client_connect(served);
        size_t n = 0;

        if (!sd)
                return 1;
        if (count_items(sd, &n) < 0)
                return 2;
        return n == served->daemon.plan.n_items ? 0 : 3;
}

void assert_serves(Served *served) {
        assert_int_equal(served_child(served, run_list, false), 0);
}

void tell(Served *served, unsigned number) {
        char text[32];

        snprintf(text, sizeof(text), "%u", number);
        bus_tell(served->bus, &(Happening){.type = HAPPENED_DONE, .path = "ns1/eth0",
                                           .kind = "macvlan", .action = "change", .text = text,
                                           .at = "lab.yaml:1:1"});
}

void put(int fd, const void *bytes, size_t size) {
        assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}
