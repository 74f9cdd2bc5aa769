/* SPDX-License-Identifier: MIT */
/*
 * The daemon without its event loop, on the fake kernel and with a clock of its own: a minute of
 * fighting takes no time here, and every step it takes can be counted.
 */

#include "daemon/keeper.h"
#include "mvnet/config.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Stands before the fake kernel, counts, and fails to order. */
typedef struct Counter {
        Kernel kernel;
        Kernel *fake;
        size_t dumps, requests;
        int dump_error;
        uint64_t *clock, dump_ms; /* so long a dump takes */
        bool ignores; /* says yes, and does nothing */
} Counter;

typedef struct World {
        Counter counter;
        Keeper *keeper;
        Store *store;
        Network *wanted, *before;
        char folder[32];
        int fd;
        uint64_t now;
        size_t loaded, changed, told[_HAPPENING_TYPE_N];
        Buf log;
} World;

static Counter *counter(Kernel *kernel) {
        return (Counter *)kernel;
}

static int counter_dump(Kernel *kernel, const Network *scope, Network **ret) {
        counter(kernel)->dumps++;
        *counter(kernel)->clock += counter(kernel)->dump_ms;
        if (counter(kernel)->dump_error < 0)
                return counter(kernel)->dump_error;
        return kernel_dump(counter(kernel)->fake, scope, ret);
}

static int counter_resolve(Kernel *kernel, const Network *wanted) {
        return kernel_resolve(counter(kernel)->fake, wanted);
}

static int counter_survey(Kernel *kernel, Network *scope) {
        return kernel_survey(counter(kernel)->fake, scope);
}

static int counter_apply(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results) {
        counter(kernel)->requests += n;
        for (size_t i = 0; counter(kernel)->ignores && i < n; i++)
                results[i] = (OpResult){.done = true};
        if (counter(kernel)->ignores)
                return 0;
        return kernel_apply(counter(kernel)->fake, ops, n, results);
}

static int counter_watch(Kernel *kernel, int *ret_fd) {
        return kernel_watch(counter(kernel)->fake, ret_fd);
}

static int counter_notice(Kernel *kernel, uint64_t now_ms, KernelNews *ret) {
        return kernel_notice(counter(kernel)->fake, now_ms, ret);
}

static void counter_forget(Kernel *kernel) {
        kernel_forget(counter(kernel)->fake);
}

static void counter_mark(Kernel *kernel) {
        kernel_mark(counter(kernel)->fake);
}

static bool counter_saw(Kernel *kernel, const Op *op) {
        return !counter(kernel)->ignores && kernel_saw(counter(kernel)->fake, op);
}

static const KernelOps counter_ops = {
        .resolve = counter_resolve,
        .survey = counter_survey,
        .dump = counter_dump,
        .apply = counter_apply,
        .watch = counter_watch,
        .notice = counter_notice,
        .forget = counter_forget,
        .mark = counter_mark,
        .saw = counter_saw,
};

/* Hooks. */

static void tell(void *userdata, HappeningType type, const PlanItem *item, const char *text) {
        World *world = userdata;

        world->told[type]++;
        buf_printf(&world->log, "%llu %s %s %s\n", (unsigned long long)world->now,
                   happening_name(type), item ? item->path : "", text);
}

static void loaded(void *userdata, const SettleResult *result) {
        World *world = userdata;

        assert_non_null(result->plan);
        world->loaded++;
        world->before = network_free(world->before);
}

static void changed(void *userdata) {
        ((World *)userdata)->changed++;
}

/* The life of a world. */

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
                      struct FTW *ftw _unused_) {
        return remove(path);
}

static int setup(void **state) {
        World *world = calloc(1, sizeof(World));
        const KeeperHooks hooks = {tell, loaded, changed, world};

        assert_non_null(world);
        strcpy(world->folder, "/tmp/mvnet-keeper-XXXXXX");
        assert_non_null(mkdtemp(world->folder));
        world->counter.kernel.ops = &counter_ops;
        world->counter.clock = &world->now;
        assert_int_equal(kernel_fake_new(&world->counter.fake), 0);
        assert_int_equal(store_open(world->folder, "lab", STORE_KEEP, 0, &world->store), 0);
        assert_int_equal(keeper_new(&world->counter.kernel, &hooks, &world->keeper, &world->fd), 0);
        world->now = 1000000;
        *state = world;
        return 0;
}

static int teardown(void **state) {
        World *world = *state;

        keeper_free(world->keeper);
        store_free(world->store);
        kernel_free(world->counter.fake);
        network_free(world->wanted);
        network_free(world->before);
        buf_deinit(&world->log);
        nftw(world->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(world);
        return 0;
}

static bool has_news(const World *world) {
        struct pollfd fd = {.fd = world->fd, .events = POLLIN};

        return poll(&fd, 1, 0) > 0;
}

/* Lets so much time go by; what is due is done when it is due. Returns the number of steps. */
static size_t pass(World *world, uint64_t ms) {
        uint64_t end = world->now + ms, next;
        bool listens = true;
        size_t steps = 0;

        for (;;) {
                uint64_t now = world->now;

                assert_true(++steps < 2 * ms + 10000);
                keeper_step(world->keeper, now, &next, &listens);
                assert_true(next >= now);
                if (next <= world->now || (listens && has_news(world)))
                        continue;
                if (next > end)
                        break;
                world->now = next;
        }
        world->now = MAX(world->now, end);
        return steps;
}

static void want(World *world, const char *text) {
        static const uint8_t seed[16] = {1};
        _cleanup_(report_deinit) Report report = {};
        _cleanup_(buf_deinit) Buf problems = {};
        Network *wanted = NULL;

        assert_int_equal(config_load_text("lab.yaml", text, seed, &report, &wanted), 0);
        report_format(&report, false, &problems);
        if (!wanted)
                fail_msg("%s", buf_text(&problems));
        if (world->before)
                network_free(world->wanted);
        else
                world->before = world->wanted;
        world->wanted = wanted;
        keeper_want(world->keeper, wanted, world->store);
}

/* Wants it, and has it. */
static void have(World *world, const char *text) {
        size_t before = world->loaded;

        want(world, text);
        pass(world, 100);
        assert_int_equal(world->loaded, before + 1);
        world->counter.requests = world->counter.dumps = 0;
        memset(world->told, 0, sizeof(world->told));
}

static Link *find(World *world, const char *path) {
        return network_find_path(kernel_fake_state(world->counter.fake), path);
}

static void set_mtu(World *world, const char *path, uint64_t mtu) {
        Link *link = find(world, path);

        assert_non_null(link);
        attrset_set(&link->common, LINK_MTU, (Value){.number = mtu});
        kernel_fake_touch(world->counter.fake, link->netns->name, link->ifindex);
}

static uint64_t mtu(World *world, const char *path) {
        const Link *link = find(world, path);

        assert_non_null(link);
        return link->common.values[LINK_MTU].number;
}

static void delete(World *world, const char *netns, const char *name) {
        PlanItem item = {.path = name, .type = ITEM_LINK};
        const Op op = {.type = OP_LINK_DEL, .netns = netns, .name = name, .item = &item};
        const Op *ops[] = {&op};
        OpResult result;

        assert_int_equal(kernel_apply(world->counter.fake, ops, 1, &result), 0);
        assert_int_equal(result.error, 0);
        kernel_fake_touch(world->counter.fake, netns, 0);
}

static Verdict standing(const World *world, const char *path) {
        KeeperStatus status;

        keeper_status(world->keeper, &status);
        for (size_t i = 0; i < status.plan->n_items; i++)
                if (streq(status.plan->items[i]->path, path))
                        return status.plan->items[i]->verdict;
        return _VERDICT_N;
}

static const char *reason(const World *world, const char *path) {
        KeeperStatus status;

        keeper_status(world->keeper, &status);
        for (size_t i = 0; i < status.plan->n_items; i++)
                if (streq(status.plan->items[i]->path, path))
                        return status.plan->items[i]->reason;
        return NULL;
}

static DaemonState state_of(const World *world) {
        KeeperStatus status;

        keeper_status(world->keeper, &status);
        return status.state;
}

/* Stories. */

static void test_load(void **state) {
        World *world = *state;

        assert_int_equal(state_of(world), DAEMON_STARTING);
        pass(world, 1000);
        assert_int_equal(world->counter.requests, 0);
        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}, v0: {kind: veth, peer: v1}, v1: {}}");
        assert_int_equal(state_of(world), DAEMON_SETTLED);
        assert_int_equal(mtu(world, "br0"), 1400);
        assert_int_equal(standing(world, "br0"), VERDICT_OK);
        assert_int_equal(standing(world, "v1"), VERDICT_OK);
}

/* Nothing happens: nothing is done, but for a look now and then. */
static void test_idle(void **state) {
        World *world = *state;
        size_t steps;

        have(world, "interfaces: {br0: {kind: bridge}, v0: {kind: veth, peer: v1, master: br0}, v1: {}}");
        world->changed = 0;
        steps = pass(world, 600000);
        assert_int_equal(world->counter.requests, 0);
        assert_in_range(world->counter.dumps, 10, 30);
        assert_true(steps < 100);
        assert_int_equal(world->changed, 0);
        assert_int_equal(world->told[HAPPENED_SETTLED], 0);
}

static void test_deleted(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge}}\n"
                    "namespaces: {ns1: {interfaces: {m0: {kind: macvlan, mode: bridge, "
                    "parent: host/br0}}}}");
        delete(world, "host", "br0");
        assert_null(find(world, "br0"));
        pass(world, 50);
        assert_non_null(find(world, "br0"));
        assert_non_null(find(world, "ns1/m0"));
        assert_int_equal(world->told[HAPPENED_NOTICED], 2);
        assert_int_equal(world->told[HAPPENED_DONE], 2);
}

/* The first event at once: not a single millisecond goes by. */
static void test_at_once(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}}");
        set_mtu(world, "br0", 1300);
        pass(world, 0);
        assert_int_equal(mtu(world, "br0"), 1400);
        assert_int_equal(world->counter.requests, 1);
}

static void test_audit(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}}");
        attrset_set(&find(world, "br0")->common, LINK_MTU, (Value){.number = 1300});
        pass(world, 60000);
        assert_int_equal(mtu(world, "br0"), 1400);
}

static void test_parent_comes_and_goes(void **state) {
        static const char text[] = "interfaces: {p0: {}, m0: {kind: macvlan, mode: bridge, "
                                   "parent: p0}}";
        World *world = *state;
        Namespace *host;

        have(world, text);
        assert_int_equal(standing(world, "m0"), VERDICT_WAITING);
        for (size_t i = 0; i < 3; i++) {
                host = network_find_namespace(kernel_fake_state(world->counter.fake), HOST);
                assert_non_null(namespace_add_link(host, "p0"));
                kernel_fake_touch(world->counter.fake, HOST, 0);
                pass(world, 50);
                assert_non_null(find(world, "m0"));
                assert_int_equal(standing(world, "m0"), VERDICT_OK);
                delete(world, HOST, "m0");
                namespace_remove_link(find(world, "p0"));
                kernel_fake_touch(world->counter.fake, HOST, 0);
                pass(world, 50);
                assert_int_equal(standing(world, "m0"), VERDICT_WAITING);
        }
        assert_int_equal(world->told[HAPPENED_WAITING], 6);
}

/* Somebody who undoes as fast as we do. */

static void undo_mtu(void *userdata _unused_, Kernel *kernel) {
        Link *link = network_find_path(kernel_fake_state(kernel), "br0");

        if (!link || link->common.values[LINK_MTU].number == 1300)
                return;
        attrset_set(&link->common, LINK_MTU, (Value){.number = 1300});
        kernel_fake_touch(kernel, HOST, link->ifindex);
}

static void test_fight(void **state) {
        World *world = *state;
        size_t steps, repairs;
        uint64_t began;

        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}, br1: {kind: bridge, mtu: 1400}}");
        kernel_fake_meddle(world->counter.fake, undo_mtu, NULL);
        set_mtu(world, "br0", 1300);
        steps = pass(world, 60000);
        assert_in_range(world->counter.requests, 15, 50);
        assert_true(steps < 2000);
        assert_int_equal(standing(world, "br0"), VERDICT_CONTESTED);
        assert_int_equal(standing(world, "br1"), VERDICT_OK);

        /* What happens to others is repaired all the same. */
        repairs = world->counter.requests;
        set_mtu(world, "br1", 1200);
        pass(world, 500);
        assert_int_equal(mtu(world, "br1"), 1400);
        assert_in_range(world->counter.requests, repairs + 1, repairs + 2);

        kernel_fake_meddle(world->counter.fake, NULL, NULL);
        for (began = world->now; mtu(world, "br0") != 1400; pass(world, 1))
                assert_true(world->now < began + 2000);
        pass(world, 3000);
        assert_int_equal(standing(world, "br0"), VERDICT_OK);
}

static void undo_state(void *userdata _unused_, Kernel *kernel) {
        Link *link = network_find_path(kernel_fake_state(kernel), "br0");

        if (link->common.values[LINK_STATE].number == LINK_STATE_DOWN)
                return;
        attrset_set(&link->common, LINK_STATE, (Value){.number = LINK_STATE_DOWN});
        kernel_fake_touch(kernel, HOST, link->ifindex);
}

static void undo_address(void *userdata _unused_, Kernel *kernel) {
        Link *link = network_find_path(kernel_fake_state(kernel), "br0");

        for (Object *object = link->objects, *next; object; object = next) {
                const Value *address = attrset_get(&object->set, "address");

                next = object->next;
                if (object->type != &object_address || address->family != AF_INET)
                        continue;
                object_remove(&link->objects, &link->last, object);
                kernel_fake_touch(kernel, HOST, link->ifindex);
        }
}

static void undo_link(void *userdata _unused_, Kernel *kernel) {
        Link *link = network_find_path(kernel_fake_state(kernel), "br0");

        if (!link)
                return;
        namespace_remove_link(link);
        kernel_fake_touch(kernel, HOST, 0);
}

static void (*const meddlers[])(void *userdata, Kernel *kernel) = {
        undo_mtu, undo_state, undo_address, undo_link,
};

static const char fought_over[] =
        "interfaces: {br0: {kind: bridge, mtu: 1400, addresses: [10.0.0.1/24]}}";

/* What may come back with something else is counted, too, if it does not hold. */
static void test_fights(void **state) {
        World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(meddlers); i++) {
                have(world, fought_over);
                kernel_fake_meddle(world->counter.fake, meddlers[i], world);
                meddlers[i](world, world->counter.fake);
                pass(world, 60000);
                /* A new link takes more than one request, and all but the first are too late. */
                assert_in_range(world->told[HAPPENED_NOTICED], 15, 50);
                assert_in_range(world->counter.requests, 15, meddlers[i] == undo_link ? 200 : 50);
                assert_int_equal(standing(world, "br0"), VERDICT_CONTESTED);
                kernel_fake_meddle(world->counter.fake, NULL, NULL);
                pass(world, 2000);
                assert_non_null(find(world, "br0"));
                pass(world, 30000);
                assert_int_equal(standing(world, "br0"), VERDICT_OK);
        }
}

/* A loop that does not wait for us: all was right when we looked, and no more a moment later. */
static void test_loops(void **state) {
        World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(meddlers); i++) {
                have(world, fought_over);
                for (size_t n = 0; n < 60000; n++) {
                        meddlers[i](world, world->counter.fake);
                        pass(world, 1);
                }
                assert_in_range(world->told[HAPPENED_NOTICED], 15, 50);
                assert_in_range(world->counter.requests, 15, meddlers[i] == undo_link ? 200 : 50);
                assert_int_equal(standing(world, "br0"), VERDICT_CONTESTED);
                pass(world, 2000);
                assert_int_equal(mtu(world, "br0"), 1400);
                pass(world, 30000);
                assert_int_equal(standing(world, "br0"), VERDICT_OK);
        }
}

static void rustle(World *world) {
        for (size_t i = 0; i < 300; i++)
                kernel_fake_touch(world->counter.fake, HOST, 0);
        pass(world, 100);
}

/* Where much happens, and looking takes its time, we look later than what was done has to hold. */
static void test_slow_looks(void **state) {
        World *world = *state;
        uint64_t end;

        have(world, fought_over);
        world->counter.dump_ms = 10;
        rustle(world);
        for (end = world->now + 60000; world->now < end; rustle(world))
                for (size_t i = 0; i < 900; i++) {
                        undo_state(world, world->counter.fake);
                        pass(world, 1);
                }
        assert_in_range(world->counter.requests, 15, 50);
        assert_int_equal(standing(world, "br0"), VERDICT_CONTESTED);
}

/* Events without end that change nothing cost no more than a look each ten milliseconds. */
static void test_storm(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}}");
        for (size_t i = 0; i < 10000; i++) {
                kernel_fake_touch(world->counter.fake, HOST, find(world, "br0")->ifindex);
                pass(world, 1);
        }
        assert_in_range(world->counter.dumps, 50, 1100);
        assert_int_equal(world->counter.requests, 0);
}

static void test_refused(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}}");
        set_mtu(world, "br0", 1300);
        kernel_fake_fail(world->counter.fake, 1, -ENOMEM);
        pass(world, 20);
        assert_int_equal(mtu(world, "br0"), 1300);
        assert_int_equal(standing(world, "br0"), VERDICT_FAILED);
        assert_int_equal(world->told[HAPPENED_FAILED], 1);
        pass(world, 200);
        assert_int_equal(mtu(world, "br0"), 1400);
        assert_int_equal(standing(world, "br0"), VERDICT_OK);
        assert_int_equal(world->counter.requests, 2);
}

static void test_ignored(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}}");
        world->counter.ignores = true;
        for (size_t i = 0; i < 100; i++) {
                set_mtu(world, "br0", 1300);
                pass(world, 10000);
        }
        assert_int_equal(world->counter.requests, 3);
        assert_int_equal(standing(world, "br0"), VERDICT_FAILED);
        world->counter.ignores = false;
        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}}");
        assert_int_equal(mtu(world, "br0"), 1400);
}

static void test_pause(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}, br1: {kind: bridge, mtu: 1400}}");
        assert_int_equal(keeper_pause(world->keeper, "br7", UINT64_MAX), -ENOENT);
        assert_int_equal(keeper_pause(world->keeper, "br0", world->now + 60000), 0);
        pass(world, 0);
        assert_int_equal(standing(world, "br0"), VERDICT_OK);
        assert_string_equal(reason(world, "br0"), "paused");
        assert_string_equal(reason(world, "br1"), "");
        set_mtu(world, "br0", 1300);
        set_mtu(world, "br1", 1300);
        pass(world, 59000);
        assert_string_equal(reason(world, "br0"), "paused");
        assert_int_equal(mtu(world, "br0"), 1300);
        assert_int_equal(mtu(world, "br1"), 1400);
        assert_int_equal(standing(world, "br0"), VERDICT_WAITING);
        pass(world, 1000);
        assert_int_equal(mtu(world, "br0"), 1400);
        assert_int_equal(standing(world, "br0"), VERDICT_OK);

        assert_int_equal(keeper_pause(world->keeper, "", UINT64_MAX), 0);
        assert_true(keeper_is_paused(world->keeper));
        delete(world, HOST, "br0");
        pass(world, 100000);
        assert_null(find(world, "br0"));
        assert_int_equal(keeper_resume(world->keeper, ""), 0);
        assert_int_equal(keeper_resume(world->keeper, ""), -ENOENT);
        pass(world, 0);
        assert_non_null(find(world, "br0"));
}

static void test_kernel_unwell(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge, mtu: 1400}}");
        world->counter.dump_error = -EMFILE;
        set_mtu(world, "br0", 1300);
        assert_true(pass(world, 10000) < 200);
        assert_in_range(world->counter.dumps, 5, 20);
        world->counter.dump_error = 0;
        pass(world, 1000);
        assert_int_equal(mtu(world, "br0"), 1400);
}

/* The kernel gives our link's number to somebody else's while we don't look. */
static void test_number_again(void **state) {
        World *world = *state;
        const LinkKind *bridge;
        Namespace *host;
        Link *stranger;
        int ifindex;

        have(world, "interfaces: {br0: {kind: bridge}, br1: {kind: bridge}}");
        ifindex = find(world, "br0")->ifindex;
        bridge = find(world, "br0")->kind;
        host = find(world, "br0")->netns;
        namespace_remove_link(find(world, "br0"));
        stranger = namespace_add_link(host, "stranger");
        assert_non_null(stranger);
        assert_int_equal(link_set_kind(stranger, bridge), 0);
        stranger->kind_name = bridge->name;
        stranger->ifindex = ifindex;
        kernel_fake_touch(world->counter.fake, HOST, 0);
        pass(world, 100);
        assert_non_null(find(world, "stranger"));
        assert_int_equal(find(world, "stranger")->ifindex, ifindex);
        assert_non_null(find(world, "br0"));
        assert_int_equal(standing(world, "br0"), VERDICT_OK);
        have(world, "interfaces: {}");
        assert_non_null(find(world, "stranger"));
        assert_null(find(world, "br0"));
}

static void test_dropped(void **state) {
        World *world = *state;

        have(world, "interfaces: {br0: {kind: bridge}, br1: {kind: bridge}}");
        have(world, "interfaces: {br1: {kind: bridge}}");
        assert_null(find(world, "br0"));
        assert_int_equal(standing(world, "br0"), _VERDICT_N);
        assert_int_equal(standing(world, "br1"), VERDICT_OK);
}

/* Other files while those before are still being carried out. */
static void test_overtaken(void **state) {
        World *world = *state;
        bool listens;
        uint64_t next;

        have(world, "interfaces: {br0: {kind: bridge}}");
        for (size_t steps = 1; steps < 6; steps++) {
                want(world, "interfaces: {br1: {kind: bridge}, v0: {kind: veth, peer: v1}, v1: {}}");
                for (size_t i = 0; i < steps; i++)
                        keeper_step(world->keeper, world->now, &next, &listens);
                want(world, "interfaces: {br2: {kind: bridge, mtu: 1400}}");
                pass(world, 100);
                assert_null(find(world, "br1"));
                assert_null(find(world, "v0"));
                assert_int_equal(mtu(world, "br2"), 1400);
        }
        want(world, "interfaces: {}");
        pass(world, 100);
        assert_null(find(world, "br2"));
        assert_null(store_record(world->store)->entries);
}

/* Names of hosts. */

#define PEER "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

static void answer(World *world, const char *addresses) {
        assert_int_equal(kernel_fake_host(world->counter.fake, HOST, "vpn.example", addresses), 0);
}

static Value *endpoint(World *world) {
        const Object *object = find(world, "wg0")->objects;
        int row = schema_find(&object_wireguard_peer.schema, "endpoint");

        while (object && object->type != &object_wireguard_peer)
                object = object->next;
        assert_non_null(object);
        return attrset_has(&object->set, (size_t)row) ? &object->set.values[row] : NULL;
}

/* It is told once that this waits, and the rest is kept meanwhile as it always is. */
static void test_host(void **state) {
        static const char text[] =
                "interfaces:\n"
                "  br0: {kind: bridge, mtu: 1400}\n"
                "  wg0: {kind: wireguard, peers: [{public-key: " PEER ", endpoint: 'vpn.example:1'}]}\n";
        World *world = *state;

        want(world, text);
        while (world->loaded == 0) {
                pass(world, 20);
                usleep(1000);
        }
        assert_int_equal(standing(world, "wg0"), VERDICT_WAITING);
        assert_string_equal(reason(world, "wg0"), "waiting for vpn.example to resolve");
        world->counter.requests = 0;
        for (unsigned i = 1; i <= 5; i++) {
                set_mtu(world, "br0", 1500);
                pass(world, 50);
                assert_int_equal(mtu(world, "br0"), 1400);
                assert_int_equal(world->counter.requests, i);
                pass(world, 10000);
        }
        assert_int_equal(world->told[HAPPENED_WAITING], 1);
        answer(world, "192.0.2.1");
        pass(world, 50);
        assert_int_equal(standing(world, "wg0"), VERDICT_OK);
        assert_string_equal(endpoint(world)->text, "192.0.2.1:1");
        /* It roams; another answer is another thing. */
        endpoint(world)->text = "192.0.2.7:7";
        kernel_fake_touch(world->counter.fake, HOST, 0);
        pass(world, 60000);
        assert_string_equal(endpoint(world)->text, "192.0.2.7:7");
        assert_int_equal(world->counter.requests, 6);
        have(world, text);
        assert_int_equal(world->counter.requests, 0);
        answer(world, "192.0.2.2");
        pass(world, 50);
        assert_string_equal(endpoint(world)->text, "192.0.2.2:1");
        assert_int_equal(world->counter.requests, 1);
        /* Made anew in the middle of an outage. */
        delete(world, HOST, "wg0");
        answer(world, "192.0.2.2");
        pass(world, 50);
        assert_string_equal(endpoint(world)->text, "192.0.2.2:1");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_load, setup, teardown),
                cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
                cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
                cmocka_unit_test_setup_teardown(test_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_audit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_parent_comes_and_goes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_fight, setup, teardown),
                cmocka_unit_test_setup_teardown(test_fights, setup, teardown),
                cmocka_unit_test_setup_teardown(test_loops, setup, teardown),
                cmocka_unit_test_setup_teardown(test_slow_looks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_storm, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ignored, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kernel_unwell, setup, teardown),
                cmocka_unit_test_setup_teardown(test_number_again, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_overtaken, setup, teardown),
                cmocka_unit_test_setup_teardown(test_host, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
