/* SPDX-License-Identifier: MIT */
/*
 * Settling on the fake kernel, with everything that can go wrong: refusals, requests that are taken
 * and not done, names held by something dying, a full disk, and a kill before any request.
 */

#include "daemon/settle.h"
#include "mvnet/config.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Stands before the fake one and meddles with what is sent. */
typedef struct Meddler {
        Kernel kernel;
        Kernel *fake;
        const char *path; /* of the item whose requests are meddled with; NULL: nobody's */
        OpType type;
        int error;        /* what is answered instead of doing it; 0 is "done" */
        size_t times;     /* so often */
        size_t met;       /* how often that was */
        size_t kill_in;   /* requests from now it is as if we were killed; SIZE_MAX: never */
        size_t sent;
} Meddler;

static int meddler_dump(Kernel *kernel, const Network *scope, Network **ret) {
        return kernel_dump(((Meddler *)kernel)->fake, scope, ret);
}

static int meddler_apply(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results) {
        Meddler *meddler = (Meddler *)kernel;

        for (size_t i = 0; i < n; i++) {
                if (meddler->sent == meddler->kill_in)
                        return -EIO;
                meddler->sent++;
                if (meddler->path && streq(ops[i]->item->path, meddler->path) &&
                    ops[i]->type == meddler->type && meddler->met++ < meddler->times) {
                        results[i] = (OpResult){.error = meddler->error, .done = true};
                        continue;
                }
                assert_int_equal(kernel_apply(meddler->fake, &ops[i], 1, &results[i]), 0);
        }
        return 0;
}

static const KernelOps meddler_ops = {.dump = meddler_dump, .apply = meddler_apply};

typedef struct World {
        Meddler meddler;
        char top[32], runtime[64], journal[128];
        Network *wanted;
        SettleOptions options;
        SettleResult result;
        Buf told; /* paths, as they were done */
} World;

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *ftw) {
        return remove(path);
}

static int setup(void **state) {
        World *world = calloc(1, sizeof(World));

        assert_non_null(world);
        strcpy(world->top, "/tmp/mvnet-settle-XXXXXX");
        assert_non_null(mkdtemp(world->top));
        snprintf(world->runtime, sizeof(world->runtime), "%s/run", world->top);
        snprintf(world->journal, sizeof(world->journal), "%s/lab/journal", world->runtime);
        world->meddler.kernel.ops = &meddler_ops;
        world->meddler.kill_in = SIZE_MAX;
        assert_int_equal(kernel_fake_new(&world->meddler.fake), 0);
        *state = world;
        return 0;
}

static int teardown(void **state) {
        World *world = *state;

        settle_result_deinit(&world->result);
        network_free(world->wanted);
        kernel_free(world->meddler.fake);
        buf_deinit(&world->told);
        nftw(world->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(world);
        return 0;
}

static void want(World *world, const char *text) {
        static const uint8_t seed[16] = {1};
        _cleanup_(report_deinit) Report report = {};
        _cleanup_(buf_deinit) Buf problems = {};

        settle_result_deinit(&world->result);
        world->wanted = network_free(world->wanted);
        assert_int_equal(config_load_text("lab.yaml", text, seed, &report, &world->wanted), 0);
        report_format(&report, false, &problems);
        if (!world->wanted)
                fail_msg("%s", buf_text(&problems));
}

static void want_nothing(World *world) {
        settle_result_deinit(&world->result);
        world->wanted = network_free(world->wanted);
        assert_int_equal(network_new(&world->wanted), 0);
}

static void tell(void *userdata, const PlanItem *item, _unused_ size_t done, size_t total) {
        World *world = userdata;

        assert_true(done <= total);
        if (item)
                buf_printf(&world->told, "%s ", item->path);
}

static int try_settle(World *world) {
        _cleanup_(store_freep) Store *store = NULL;

        world->options.progress = tell;
        world->options.userdata = world;
        buf_reset(&world->told);
        settle_result_deinit(&world->result);
        assert_int_equal(store_open(world->runtime, "lab", 0, 0, &store), 0);
        assert_int_equal(store_bad_lines(store), 0);
        return settle(&world->meddler.kernel, world->wanted, store, &world->options,
                      &world->result);
}

static void do_settle(World *world) {
        assert_int_equal(try_settle(world), 0);
        assert_non_null(world->result.plan);
}

static const PlanItem *item_of(const World *world, const char *path) {
        for (size_t i = 0; i < world->result.plan->n_items; i++)
                if (streq(world->result.plan->items[i]->path, path))
                        return world->result.plan->items[i];
        fail_msg("no item %s", path);
        return NULL;
}

static void assert_verdict(const World *world, const char *path, Verdict verdict) {
        const PlanItem *item = item_of(world, path);

        if (item->verdict != verdict)
                fail_msg("%s: %s (%s; %s), not %s", path, verdict_name(item->verdict),
                         item->reason ? item->reason : "", item->failure ? item->failure : "",
                         verdict_name(verdict));
}

static uint64_t writes(const World *world) {
        return world->meddler.fake->writes;
}

static void assert_recorded(World *world, const char *path, bool is) {
        _cleanup_(store_freep) Store *store = NULL;

        assert_int_equal(store_open(world->runtime, "lab", 0, 0, &store), 0);
        assert_true(!record_find(store_record(store), path) != is);
}

static off_t journal_size(const World *world) {
        struct stat st;

        return stat(world->journal, &st) < 0 ? -1 : st.st_size;
}

/* Nothing is left to do, and doing that writes nothing. */
static void assert_settled(World *world) {
        uint64_t before = writes(world);
        off_t size = journal_size(world);

        do_settle(world);
        assert_int_equal(writes(world), before);
        assert_int_equal(journal_size(world), size);
        assert_int_equal(world->result.rounds, 0);
        for (size_t i = 0; i < world->result.plan->n_items; i++)
                if (world->result.plan->items[i]->verdict != VERDICT_OK)
                        fail_msg("%s is %s", world->result.plan->items[i]->path,
                                 verdict_name(world->result.plan->items[i]->verdict));
}

/* All that there is, in the words of export; without those on what is not there. */
static char *everything(World *world) {
        _cleanup_(buf_deinit) Buf text = {}, there = {};

        assert_int_equal(config_export(kernel_fake_state(world->meddler.fake), true, &text), 0);
        for (const char *line = buf_text(&text), *end; *line; line = end + 1) {
                end = strchr(line, '\n');
                assert_non_null(end);
                if (!memmem(line, (size_t)(end - line), "is not there", 12) &&
                    strncmp(line, "namespaces:", 11) != 0)
                        buf_addn(&there, line, (size_t)(end + 1 - line));
        }
        return buf_steal(&there);
}

static void assert_everything(World *world, char *before) {
        char *now = everything(world);

        assert_string_equal(now, before);
        free(now);
        free(before);
}

static const char lab[] =
        "interfaces:\n"
        "  br0: {kind: bridge, stp: true, addresses: [192.168.0.1/24]}\n"
        "  veth11: {kind: veth, peer: ns3/eth0, master: br0, bridge-port: {hairpin: true}}\n"
        "namespaces:\n"
        "  ns3: {interfaces: {eth0: {addresses: [192.168.0.254/24], mtu: 1400}}}\n"
        "  ns1:\n"
        "    sysctl: {net.ipv4.ip_forward: 1}\n"
        "    interfaces:\n"
        "      eth0: {kind: macvlan, mode: bridge, parent: ns3/eth0, addresses: [10.0.0.1/24]}\n";

static void test_twice(void **state) {
        World *world = *state;
        char *before = everything(world);

        want(world, lab);
        do_settle(world);
        assert_verdict(world, "br0", VERDICT_CREATE);
        assert_verdict(world, "ns3", VERDICT_CREATE);
        assert_verdict(world, "ns1/eth0", VERDICT_CREATE);
        assert_int_equal(world->result.plan->counts[VERDICT_CREATE], 6);
        assert_int_equal(world->result.record_error, 0);
        assert_non_null(strstr(buf_text(&world->told), "ns1/eth0 "));
        assert_settled(world);

        want_nothing(world);
        do_settle(world);
        assert_int_equal(world->result.plan->counts[VERDICT_DELETE], 6);
        assert_int_equal(journal_size(world), -1);
        assert_everything(world, before);
}

static void test_edit(void **state) {
        World *world = *state;

        want(world, "interfaces: {br0: {kind: bridge, stp: true, mtu: 1400}}\n");
        do_settle(world);
        want(world, "interfaces: {br0: {kind: bridge, mtu: 1300}}\n");
        do_settle(world);
        assert_verdict(world, "br0", VERDICT_CHANGE);
        assert_string_equal(buf_text(&world->told), "br0 ");
        assert_settled(world);
        want(world, "interfaces: {br1: {kind: bridge}}\n");
        do_settle(world);
        assert_verdict(world, "br0", VERDICT_DELETE);
        assert_verdict(world, "br1", VERDICT_CREATE);
        assert_settled(world);
}

/* Somebody else's link: what we set goes back to what was found, over however many edits. */
static void test_adopted(void **state) {
        World *world = *state;
        char *before;

        want(world, "interfaces: {br0: {kind: bridge, stp: true, mtu: 1400}}\n");
        do_settle(world);
        assert_int_equal(unlink(world->journal), 0);
        attrset_set(&namespace_find_link(network_find_namespace(kernel_fake_state(
                                                 world->meddler.fake), HOST), "br0")->common,
                    LINK_GROUP, (Value){.number = 0}); /* as if it were not ours */
        before = everything(world);

        want(world, "interfaces: {br0: {kind: bridge, mtu: 1300, addresses: [10.0.0.1/24]}}\n");
        do_settle(world);
        assert_verdict(world, "br0", VERDICT_CHANGE);
        want(world, "interfaces: {br0: {kind: bridge, mtu: 1200, state: down}}\n");
        do_settle(world);
        assert_settled(world);
        want_nothing(world);
        do_settle(world);
        assert_verdict(world, "br0", VERDICT_STAYS);
        assert_int_equal(journal_size(world), -1);
        assert_everything(world, before);
}

/* A request that fails takes along what rests on it, and nothing else. */
static void test_failure(void **state) {
        World *world = *state;
        const PlanItem *item;

        world->meddler.path = "br0";
        world->meddler.type = OP_LINK_ADD;
        world->meddler.error = -EOPNOTSUPP;
        world->meddler.times = SIZE_MAX;
        world->options.timeout_ms = 60000; /* no reason to try again */
        want(world, "interfaces:\n  br0: {kind: bridge}\n  br1: {kind: bridge}\n"
                    "  p0: {kind: veth, peer: p1, master: br0}\n  p1: {addresses: [10.0.0.1/8]}\n");
        do_settle(world);
        assert_int_equal(world->meddler.met, 1);
        assert_verdict(world, "br0", VERDICT_FAILED);
        assert_verdict(world, "br1", VERDICT_CREATE);
        assert_verdict(world, "p0", VERDICT_WAITING);
        assert_verdict(world, "p1", VERDICT_WAITING);
        item = item_of(world, "br0");
        assert_int_equal(item->error, -EOPNOTSUPP);
        assert_int_equal(item->failure_at.line, 2);
        assert_string_equal(buf_text(&world->told), "br1 ");

        /* The record says nothing that is not so, and the next try knows nothing of it. */
        assert_recorded(world, "br0", false);
        assert_recorded(world, "p0", false);
        assert_recorded(world, "br1", true);
        world->meddler.path = NULL;
        do_settle(world);
        assert_verdict(world, "br0", VERDICT_CREATE);
        assert_verdict(world, "p1", VERDICT_CREATE);
        assert_settled(world);
}

/* What was announced and refused is taken back, down to the row. */
static void test_failure_adopted(void **state) {
        World *world = *state;

        want(world, "interfaces: {lo: {mtu: 1400}}\n");
        world->meddler.path = "lo";
        world->meddler.type = OP_LINK_SET;
        world->meddler.error = -EINVAL;
        world->meddler.times = SIZE_MAX;
        do_settle(world);
        assert_verdict(world, "lo", VERDICT_FAILED);
        assert_recorded(world, "lo", false);

        world->meddler.path = NULL;
        do_settle(world);
        assert_verdict(world, "lo", VERDICT_CHANGE);
        assert_recorded(world, "lo", true);
}

/* What a VRF takes from its port, and from what goes down with it, is put back in the same round. */
static void test_lost_on_the_way(void **state) {
        static const char *const files[] = {
                "v0: {kind: vrf, table: 7}, br0: {kind: bridge, master: v0, ",
                "v0: {kind: vrf, table: 7}, v1: {kind: vrf, table: 8}, br0: {kind: bridge, master: v1, ",
                "v1: {kind: vrf, table: 9}, br0: {kind: bridge, master: v1, ",
                "br0: {kind: bridge, ",
        };
        World *world = *state;

        for (size_t i = 0; i <= ELEMENTSOF(files); i++) {
                _cleanup_(buf_deinit) Buf text = {};

                buf_printf(&text, "interfaces: {%saddresses: ['2001:db8::1/64', 10.0.0.1/24]},\n"
                           "vl: {kind: vlan, id: 7, parent: br0, addresses: ['2001:db8:7::1/64']},\n"
                           "lo7: {kind: vlan, id: 8, parent: br0, loose-binding: true, "
                           "addresses: ['2001:db8:8::1/64']}}\n",
                           files[i % ELEMENTSOF(files)]);
                want(world, buf_text(&text));
                do_settle(world);
                assert_int_equal(world->result.rounds, 1);
                assert_verdict(world, "lo7", i == 0 ? VERDICT_CREATE : VERDICT_OK);
                assert_settled(world);
        }
}

/* Deleted by somebody else: nothing to send, and still something to forget. */
static void test_gone(void **state) {
        World *world = *state;
        Namespace *host = network_find_namespace(kernel_fake_state(world->meddler.fake), HOST);

        want(world, "interfaces: {br0: {kind: bridge}, br1: {kind: bridge}}\n");
        do_settle(world);
        namespace_remove_link(namespace_find_link(host, "br0"));
        want(world, "interfaces: {br1: {kind: bridge}}\n");
        do_settle(world);
        assert_int_equal(world->result.rounds, 0);
        assert_int_equal(world->result.record_error, 0);
        assert_recorded(world, "br0", false);
        assert_recorded(world, "br1", true);
        assert_settled(world);
        namespace_remove_link(namespace_find_link(host, "br1"));
        want_nothing(world);
        do_settle(world);
        assert_int_equal(journal_size(world), -1);
}

static void test_ignored(void **state) {
        World *world = *state;
        const PlanItem *item;

        want(world, "interfaces: {br0: {kind: bridge, mtu: 1400}}\n");
        do_settle(world);
        world->meddler.path = "br0";
        world->meddler.type = OP_LINK_SET;
        world->meddler.times = SIZE_MAX;
        want(world, "interfaces:\n  br0:\n    kind: bridge\n    mtu: 1300\n");
        do_settle(world);
        assert_int_equal(world->meddler.met, 1);
        assert_verdict(world, "br0", VERDICT_FAILED);
        item = item_of(world, "br0");
        assert_int_equal(item->failure_at.line, 4);
        assert_non_null(strstr(item->failure, "mtu ignored by this kernel"));
}

/* Names that something dying holds: tried again until it is gone, or the time is up. */
static void test_passing(void **state) {
        World *world = *state;

        world->meddler.path = "br0";
        world->meddler.type = OP_LINK_ADD;
        world->meddler.error = -EEXIST;
        world->meddler.times = 3;
        want(world, "interfaces: {br0: {kind: bridge, addresses: [10.0.0.1/8]}}\n");
        do_settle(world);
        assert_int_equal(world->meddler.met, 1);
        assert_verdict(world, "br0", VERDICT_FAILED);

        world->options.timeout_ms = 60000;
        do_settle(world);
        assert_int_equal(world->meddler.met, 4);
        assert_verdict(world, "br0", VERDICT_CREATE);
        assert_settled(world);
}

/* Gone is gone, whoever did it. */
static void test_deleted_already(void **state) {
        World *world = *state;

        want(world, "interfaces: {br0: {kind: bridge}}\n");
        do_settle(world);
        world->meddler.path = "br0";
        world->meddler.type = OP_LINK_DEL;
        world->meddler.error = -ENODEV;
        world->meddler.times = 1;
        want_nothing(world);
        do_settle(world);
        /* The meddler lied: it is still there, and was said to be gone. */
        assert_verdict(world, "br0", VERDICT_FAILED);
        do_settle(world);
        assert_verdict(world, "br0", VERDICT_DELETE);
}

static void test_waiting(void **state) {
        World *world = *state;

        want(world, "interfaces:\n  nic0: {mtu: 1400}\n"
                    "  mv0: {kind: macvlan, mode: bridge, parent: nic0}\n");
        do_settle(world);
        assert_int_equal(world->result.plan->counts[VERDICT_WAITING], 2);
        assert_int_equal(world->result.rounds, 0);
        assert_int_equal(access(world->runtime, F_OK), -1);
}

/* A record that can't be written: what rests on it alone is refused, the rest is done. */
static void test_unrecorded(void **state) {
        World *world = *state;

        strcpy(world->runtime, "/proc/nowhere");
        want(world, lab);
        do_settle(world);
        assert_true(world->result.record_error < 0);
        assert_verdict(world, "br0", VERDICT_CREATE);
        assert_verdict(world, "ns1", VERDICT_FAILED);
        assert_verdict(world, "ns3", VERDICT_FAILED);
        assert_verdict(world, "veth11", VERDICT_WAITING);
        assert_non_null(strstr(item_of(world, "ns1")->failure, "can't be recorded"));
}

/* Killed before each of the requests in turn; whoever comes next finishes it, or undoes it all. */
static void kill_and(World *world, bool finish) {
        bool killed = true;

        for (size_t kill_in = 0; killed; kill_in++) {
                char *before = everything(world);
                int r;

                want(world, lab);
                world->meddler.sent = 0;
                world->meddler.kill_in = kill_in;
                r = try_settle(world);
                killed = r == -EIO;
                if (!killed)
                        assert_int_equal(r, 0);
                world->meddler.kill_in = SIZE_MAX;
                if (finish) {
                        do_settle(world);
                        assert_settled(world);
                }
                want_nothing(world);
                do_settle(world);
                assert_int_equal(journal_size(world), -1);
                assert_everything(world, before);
        }
}

static void test_kill_and_finish(void **state) {
        kill_and(*state, true);
}

static void test_kill_and_undo(void **state) {
        kill_and(*state, false);
}

/* Killed while it undoes. */
static void test_kill_undoing(void **state) {
        World *world = *state;
        bool killed = true;

        for (size_t kill_in = 0; killed; kill_in++) {
                char *before = everything(world);
                int r;

                want(world, lab);
                do_settle(world);
                want_nothing(world);
                world->meddler.sent = 0;
                world->meddler.kill_in = kill_in;
                r = try_settle(world);
                killed = r == -EIO;
                if (!killed)
                        assert_int_equal(r, 0);
                world->meddler.kill_in = SIZE_MAX;
                do_settle(world);
                assert_int_equal(journal_size(world), -1);
                assert_everything(world, before);
        }
}

/* What was announced by a run that was killed, and made by somebody else since, is theirs. */
static void test_not_ours(void **state) {
        World *world = *state;
        Namespace *host = network_find_namespace(kernel_fake_state(world->meddler.fake), HOST);
        char *before;

        want(world, "interfaces: {br0: {kind: bridge}}\n");
        do_settle(world);
        attrset_set(&namespace_find_link(host, "br0")->common, LINK_GROUP, (Value){.number = 0});
        assert_int_equal(unlink(world->journal), 0);
        before = everything(world);

        {
                _cleanup_(store_freep) Store *store = NULL;

                assert_int_equal(store_open(world->runtime, "lab", 0, 0, &store), 0);
                assert_int_equal(store_begin(store), 0);
                assert_int_equal(store_made(store, "br0", host->cookie, 0, true), 0);
                assert_int_equal(store_flush(store), 0);
        }
        want_nothing(world);
        do_settle(world);
        assert_everything(world, before);
}

/* The record was lost, the links are marked: they are ours again once they are declared. */
static void test_lost_record(void **state) {
        World *world = *state;

        want(world, "interfaces: {br0: {kind: bridge}}\n");
        do_settle(world);
        assert_int_equal(unlink(world->journal), 0);
        want_nothing(world);
        do_settle(world);
        assert_int_equal(world->result.plan->n_items, 0);
        want(world, "interfaces: {br0: {kind: bridge}}\n");
        do_settle(world);
        assert_int_equal(world->result.rounds, 0);
        assert_settled(world);
        want_nothing(world);
        do_settle(world);
        assert_verdict(world, "br0", VERDICT_DELETE);
}

static void test_guard(void **state) {
        World *world = *state;
        Namespace *host = network_find_namespace(kernel_fake_state(world->meddler.fake), HOST);
        uint64_t before;

        want(world, "interfaces: {br0: {kind: bridge}}\n");
        do_settle(world);
        namespace_find_link(host, "br0")->carries_default = true;
        before = writes(world);
        want_nothing(world);
        do_settle(world);
        assert_true(world->result.refused);
        assert_int_equal(writes(world), before);
        assert_non_null(item_of(world, "br0")->guard);
        assert_verdict(world, "br0", VERDICT_DELETE); /* not that it failed: nobody has tried */
        assert_string_equal(buf_text(&world->told), "");
        world->options.force = true;
        do_settle(world);
        assert_false(world->result.refused);
        assert_verdict(world, "br0", VERDICT_DELETE);
}

static void test_locked(void **state) {
        World *world = *state;
        _cleanup_(store_freep) Store *mine = NULL, *other = NULL;

        want(world, lab);
        assert_int_equal(store_open(world->runtime, "lab", 0, 0, &mine), 0);
        assert_int_equal(store_open(world->runtime, "lab", 0, 0, &other), 0);
        assert_int_equal(store_begin(other), 0);
        assert_int_equal(settle(&world->meddler.kernel, world->wanted, mine, &world->options,
                                &world->result), STORE_E_BUSY);
        assert_int_equal(writes(world), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_twice),
                TEST(test_edit),
                TEST(test_adopted),
                TEST(test_failure),
                TEST(test_failure_adopted),
                TEST(test_lost_on_the_way),
                TEST(test_gone),
                TEST(test_ignored),
                TEST(test_passing),
                TEST(test_deleted_already),
                TEST(test_waiting),
                TEST(test_unrecorded),
                TEST(test_kill_and_finish),
                TEST(test_kill_and_undo),
                TEST(test_kill_undoing),
                TEST(test_not_ours),
                TEST(test_lost_record),
                TEST(test_guard),
                TEST(test_locked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
