/* SPDX-License-Identifier: MIT */
/* Who need not be waited for: what says so, and what stands on it; before and after it is done. */

#include "daemon/settle.h"
#include "mvnet/config.h"
#include "settling.h"

#include <setjmp.h>

#include <cmocka.h>

static const char text[] =
        "interfaces:\n"
        "  eth0: {optional: true}\n"
        "  eth1: {}\n"
        "  v0: {kind: macvlan, mode: bridge, parent: eth0}\n"
        "  v00: {kind: macvlan, mode: bridge, parent: v0}\n"
        "  v1: {kind: macvlan, mode: bridge, parent: eth1}\n"
        "  br0: {kind: bridge, optional: true}\n"
        "  br1: {kind: bridge}\n"
        "  port0: {kind: macvlan, mode: vepa, parent: eth1, master: br0}\n"
        "  port1: {kind: macvlan, mode: vepa, parent: eth0, master: br1}\n"
        "  pair0: {kind: veth, peer: ns1/far, optional: true}\n"
        "  pair1: {kind: veth, peer: pair2}\n"
        "  pair2: {optional: true}\n"
        "  no: {kind: bridge, optional: false}\n"
        "namespaces:\n"
        "  ns1: {interfaces: {far: {}, v: {kind: macvlan, mode: bridge, parent: far}}}\n";

/* br1 waits for nobody, nor does a pair for the far end's opinion. */
static const char *const optional[] = {
        "eth0", "v0", "v00", "br0", "port0", "port1", "pair0", "pair2", "ns1/far", "ns1/v",
};

static void check(const Plan *plan) {
        size_t found = 0;

        for (size_t i = 0; i < plan->n_items; i++) {
                const PlanItem *item = plan->items[i];
                bool want = false;

                for (size_t k = 0; k < ELEMENTSOF(optional); k++)
                        want |= streq(item->path, optional[k]);
                if (item->optional != want)
                        fail_msg("%s is %soptional", item->path, want ? "not " : "");
                found += item->optional;
        }
        assert_int_equal(found, ELEMENTSOF(optional));
}

static void test_plan(_unused_ void **state) {
        _cleanup_(network_freep) Network *wanted = NULL, *have = NULL;
        _cleanup_(buf_deinit) Buf problems = {};
        _cleanup_(plan_freep) Plan *plan = NULL;
        Record record = {};

        wanted = settling_load(text, &problems);
        assert_string_equal(buf_text(&problems), "");
        assert_int_equal(network_new(&have), 0);
        assert_int_equal(plan_new(wanted, have, &record, &plan), 0);
        check(plan);
}

static void test_result(_unused_ void **state) {
        _cleanup_(settle_result_deinit) SettleResult result = {};
        _cleanup_(network_freep) Network *wanted = NULL;
        _cleanup_(buf_deinit) Buf problems = {};
        SettleOptions options = {};
        Settling settling;

        wanted = settling_load(text, &problems);
        settling_init(&settling);
        assert_int_equal(settle(&settling.kernel, wanted, settling.store, &options, &result), 0);
        check(result.plan);
        settling_deinit(&settling);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plan),
                cmocka_unit_test(test_result),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
