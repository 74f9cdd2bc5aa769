/* SPDX-License-Identifier: MIT */
/*
 * What a plan says, case by case. Each folder of tests/golden is one: wanted.yaml is planned for a
 * kernel that holds have.yaml, which somebody else made (NICs are what it declares without a kind),
 * ours.yaml, which this configuration brought about then, and after.yaml, which somebody else added
 * to that. expected.txt is the plan as text, with the verdicts of what is fine in a folder that
 * ends in -all. A file default-route names a link that carries one. MVNET_GOLDEN_UPDATE=1 writes
 * expected.txt anew: then read the diff.
 */

#include "settling.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* False: no such file. */
static bool read_file(const char *folder, const char *name, Buf *ret) {
        char path[512], bytes[4096];
        FILE *file;
        size_t n;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "re");
        if (!file) {
                assert_int_equal(errno, ENOENT);
                return false;
        }
        while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
                buf_addn(ret, bytes, n);
        fclose(file);
        assert_int_equal(buf_error(ret), 0);
        return true;
}

static void write_file(const char *folder, const char *name, const char *text) {
        char path[512];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fputs(text, file) < 0, 0);
        assert_int_equal(fclose(file), 0);
}

static Network *load(const char *folder, const char *name) {
        _cleanup_(buf_deinit) Buf text = {}, problems = {};
        Network *network;

        if (!read_file(folder, name, &text))
                return NULL;
        network = settling_load(buf_text(&text), &problems);
        if (!network)
                fail_msg("%s/%s:\n%s", folder, name, buf_text(&problems));
        return network;
}

/* What a file declares without saying how it is made was there from the start. */
static void add_nics(Settling *settling, const Network *have) {
        Network *world = kernel_fake_state(settling->fake);
        const Namespace *host = network_find_namespace(have, HOST);
        uint8_t number = 0;

        for (const Link *link = host->links; link; link = link->hh.next) {
                Value mac = {.bytes = {0x52, 0x54, 0, 0, 0, ++number}};
                Link *nic;

                if (!link_is_physical(link) ||
                    namespace_find_link(network_find_namespace(world, HOST), link->name))
                        continue;
                nic = namespace_add_link(network_find_namespace(world, HOST), link->name);
                assert_non_null(nic);
                attrset_set(&nic->common, LINK_MAC, mac);
                attrset_set(&nic->common, LINK_STATE, (Value){.number = LINK_STATE_DOWN});
                memcpy(nic->permanent_mac, mac.bytes, 6);
                nic->has_permanent_mac = true;
                nic->driver = "virtio_net";
        }
}

static void make(Settling *settling, const char *folder, const Network *network) {
        settling_run(settling, network);
        if (settling->refused > 0)
                fail_msg("%s: cannot be brought about:\n%s", folder, buf_text(&settling->log));
}

static void make_foreign(Settling *settling, const char *folder, const char *name) {
        _cleanup_(network_freep) Network *have = load(folder, name);
        Settling other;

        if (!have)
                return;
        add_nics(settling, have);
        settling_init_beside(&other, settling);
        make(&other, folder, have);
        settling_disown(&other);
        settling_deinit(&other);
}

static void make_world(Settling *settling, const char *folder) {
        _cleanup_(network_freep) Network *ours = load(folder, "ours.yaml");
        _cleanup_(buf_deinit) Buf carrier = {};
        Link *link;

        make_foreign(settling, folder, "have.yaml");
        if (ours)
                make(settling, folder, ours);
        make_foreign(settling, folder, "after.yaml");
        if (!read_file(folder, "default-route", &carrier))
                return;
        carrier.text[strcspn(carrier.text, "\n")] = '\0';
        link = network_find_path(kernel_fake_state(settling->fake), carrier.text);
        assert_non_null(link);
        link->carries_default = true;
}

static void compare(const char *folder, const char *got) {
        _cleanup_(buf_deinit) Buf expected = {};

        if (getenv("MVNET_GOLDEN_UPDATE")) {
                write_file(folder, "expected.txt", got);
                return;
        }
        if (!read_file(folder, "expected.txt", &expected))
                fail_msg("%s has no expected.txt: MVNET_GOLDEN_UPDATE=1 writes it", folder);
        if (!streq(buf_text(&expected), got))
                fail_msg("%s:\n--- expected\n%s+++ is\n%s", folder, buf_text(&expected), got);
}

static bool ends_with(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n >= m && streq(text + n - m, end);
}

static void test_case(void **state) {
        const char *folder = *state;
        _cleanup_(network_freep) Network *wanted = load(folder, "wanted.yaml"), *have = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_(buf_deinit) Buf text = {};
        Settling settling;

        assert_non_null(wanted);
        settling_init(&settling);
        make_world(&settling, folder);
        assert_int_equal(settle_plan(settling.fake, wanted, store_record(settling.store), &have,
                                     &plan), 0);
        plan_format(plan, ends_with(folder, "-all") ? PLAN_TEXT_ALL : 0, &text);
        assert_int_equal(buf_error(&text), 0);
        compare(folder, buf_text(&text));
        /* And what it says can be done. */
        make(&settling, folder, wanted);
        settling_deinit(&settling);
}

static int is_case(const struct dirent *entry) {
        return entry->d_name[0] != '.';
}

int main(int argc, char **argv) {
        const char *root = argc > 1 ? argv[1] : GOLDEN_FOLDER;
        struct dirent **entries;
        struct CMUnitTest *tests;
        int n, r;

        n = scandir(root, &entries, is_case, alphasort);
        if (n <= 0) {
                fprintf(stderr, "no cases in %s\n", root);
                return 1;
        }
        tests = calloc((size_t)n, sizeof(*tests));
        for (int i = 0; tests && i < n; i++) {
                char *path;

                if (asprintf(&path, "%s/%s", root, entries[i]->d_name) < 0)
                        return 1;
                tests[i] = (struct CMUnitTest){
                        .name = entries[i]->d_name,
                        .test_func = test_case,
                        .initial_state = path,
                };
        }
        if (!tests)
                return 1;
        r = _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
        for (int i = 0; i < n; i++) {
                free(tests[i].initial_state);
                free(entries[i]);
        }
        free(tests);
        free(entries);
        return r;
}
