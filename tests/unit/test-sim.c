/* SPDX-License-Identifier: MIT */
/*
 * Simulated devices. No kernel at hand has them: what is written is seen in a folder that looks
 * like their bus, and what would be read in messages made by hand.
 */

#include "world.h"

#include "kernel/internal.h"

#include <errno.h>
#include <ftw.h>
#include <libmnl/libmnl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A bus in a folder. */

static char folder[] = "/tmp/mvnet-sim-XXXXXX";

static void make_folders(const char *path) {
        assert_int_equal(run("mkdir -p %s/%s", folder, path), 0);
}

static void make_file(const char *path) {
        assert_int_equal(run(": >%s/%s", folder, path), 0);
}

static void assert_written(const char *path, const char *expected) {
        _cleanup_(buf_deinit) Buf name = {};
        char text[64] = "";
        FILE *file;

        buf_printf(&name, "%s/%s", folder, path);
        file = fopen(buf_text(&name), "r+e");
        assert_non_null(file);
        if (!fgets(text, sizeof(text), file))
                text[0] = '\0';
        assert_string_equal(text, expected);
        assert_int_equal(ftruncate(fileno(file), 0), 0);
        fclose(file);
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
                      struct FTW *ftw _unused_) {
        return remove(path);
}

static int folder_setup(void **state _unused_) {
        strcpy(folder + strlen(folder) - 6, "XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static int folder_teardown(void **state _unused_) {
        return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define DEVICE "bus/netdevsim/devices/netdevsim7"

static const NetnsSim sim = {.id = 7, .port = 3, .queues = 4};

static void make_bus(void) {
        make_folders("bus/netdevsim/devices");
        make_file("bus/netdevsim/new_device");
        make_file("bus/netdevsim/del_device");
}

static void make_device(void) {
        make_folders(DEVICE "/net");
        make_file(DEVICE "/new_port");
        make_file(DEVICE "/del_port");
}

static void test_no_bus(void **state _unused_) {
        assert_int_equal(netns_sim_make(-1, folder, &sim), NETNS_E_ABSENT);
        assert_int_equal(netns_sim_take(-1, folder, &sim), NETNS_E_ABSENT);
        assert_int_equal(netns_sim_make(-1, "/nowhere", &sim), -ENOENT);
}

/* One that does not come, as here, is not left behind. */
static void test_new_device(void **state _unused_) {
        make_bus();
        assert_int_equal(netns_sim_make(-1, folder, &sim), -ENODEV);
        assert_written("bus/netdevsim/new_device", "7 0 4");
        assert_written("bus/netdevsim/del_device", "7");
}

static void test_new_port(void **state _unused_) {
        make_bus();
        make_device();
        assert_int_equal(netns_sim_make(-1, folder, &sim), 0);
        assert_written(DEVICE "/new_port", "3");
        assert_written("bus/netdevsim/new_device", "");
}

static void test_take(void **state _unused_) {
        make_bus();
        make_device();
        make_folders(DEVICE "/net/eth5");
        assert_int_equal(netns_sim_take(-1, folder, &sim), 0);
        assert_written(DEVICE "/del_port", "3");
        assert_written("bus/netdevsim/del_device", "");
        assert_int_equal(run("rmdir %s/" DEVICE "/net/eth5", folder), 0);
        assert_int_equal(netns_sim_take(-1, folder, &sim), 0);
        assert_written("bus/netdevsim/del_device", "7");
        /* With its last port the folder may be gone. */
        assert_int_equal(run("rmdir %s/" DEVICE "/net", folder), 0);
        assert_int_equal(netns_sim_take(-1, folder, &sim), 0);
        assert_written("bus/netdevsim/del_device", "7");
}

/* Messages. */

typedef struct Message {
        alignas(NLMSG_ALIGNTO) char bytes[512];
} Message;

static const struct nlmsghdr *make_message(Message *message, const char *bus, const char *device,
                                           const char *port) {
        struct nlmsghdr *header = mnl_nlmsg_put_header(message->bytes);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

        header->nlmsg_type = RTM_NEWLINK;
        info->ifi_index = 5;
        mnl_attr_put_strz(header, IFLA_IFNAME, "eth5");
        mnl_attr_put_u32(header, IFLA_NUM_TX_QUEUES, 4);
        mnl_attr_put_strz(header, IFLA_PARENT_DEV_BUS_NAME, bus);
        mnl_attr_put_strz(header, IFLA_PARENT_DEV_NAME, device);
        mnl_attr_put_strz(header, IFLA_PHYS_PORT_NAME, port);
        return header;
}

/* "": it is no simulated one. */
static void assert_decoded(const char *bus, const char *device, const char *port,
                           const char *expected) {
        _cleanup_(network_freep) Network *network = NULL;
        _cleanup_(buf_deinit) Buf text = {};
        Message message = {};
        Link *link = NULL;
        int lower;

        assert_int_equal(network_new(&network), 0);
        assert_int_equal(decode_link(network_find_namespace(network, HOST),
                                     make_message(&message, bus, device, port), &link, &lower), 0);
        for (size_t i = 0; link->kind && i < schema_size(link->options.schema); i++)
                if (attrset_has(&link->options, i)) {
                        const Row *row = schema_row(link->options.schema, i);

                        buf_printf(&text, "%s ", row->key);
                        value_format(row, &link->options.values[i], &text);
                        buf_addc(&text, ' ');
                }
        assert_string_equal(buf_text(&text), expected);
        if (*expected)
                assert_string_equal(link->kind_name, "netdevsim");
        else
                assert_null(link->kind_name);
}

static void test_decode(void **state _unused_) {
        assert_decoded("netdevsim", "netdevsim7", "p4", "id 7 port 3 queues 4 ");
        assert_decoded("netdevsim", "netdevsim2147483647", "p1",
                       "id 2147483647 port 0 queues 4 ");
        /* Ports of virtual functions are not ours; nor is nonsense. */
        assert_decoded("netdevsim", "netdevsim7", "pf0vf1", "id 7 queues 4 ");
        assert_decoded("netdevsim", "netdevsim7", "p0", "id 7 queues 4 ");
        assert_decoded("netdevsim", "netdevsim2147483648", "", "queues 4 ");
        assert_decoded("netdevsim", "netdevsim-7", "p", "queues 4 ");
        assert_decoded("pci", "0000:00:03.0", "p1", "");
        assert_decoded("", "netdevsim7", "p1", "");
}

/* As it is known here: not at all. What it would be like with one nobody can try. */
static void test_kernel(void **state) {
        World *world = *state;
        Link *link = set(want(world, HOST, "sim0", "netdevsim"), "id", "7");
        OpResult result;

        if (run("[ -e /sys/bus/netdevsim ]") == 0) {
                print_message("SKIPPED: there is a netdevsim after all\n");
                return;
        }
        plan_link(world, link, NULL);
        world->n = 1;
        result = apply_one(world);
        assert_int_equal(result.error, -EOPNOTSUPP);
        assert_string_equal(result.message, "kernel has no netdevsim");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_no_bus, folder_setup, folder_teardown),
                cmocka_unit_test_setup_teardown(test_new_device, folder_setup, folder_teardown),
                cmocka_unit_test_setup_teardown(test_new_port, folder_setup, folder_teardown),
                cmocka_unit_test_setup_teardown(test_take, folder_setup, folder_teardown),
                cmocka_unit_test(test_decode),
                cmocka_unit_test_setup_teardown(test_kernel, world_setup, world_teardown),
        };

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
