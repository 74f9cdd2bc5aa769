/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a file: through the reader as they are, and as text all the way to a Network and a
 * plan for an empty kernel. What loads is also copied and formatted, so that bad values show.
 */

#include "fuzz.h"

#include "mvnet/config.h"
#include "mvnet/kernel.h"

#include <stdlib.h>

static void read_tree(const uint8_t *data, size_t size) {
        _cleanup_(arena_deinit) Arena arena = {};
        char *text = malloc(size + 1);
        Source source = {.name = "fuzz.yaml", .text = text, .size = size};
        TreeBudget budget = {};
        Report report = {};
        Buf problems = {};
        Node *root;

        if (!text)
                abort();
        memcpy(text, data, size);
        text[size] = '\0';
        if (tree_parse(&arena, &source, &budget, &report, &root) == 0 && !root != (report.n > 0))
                abort(); /* refused without a reason, or the other way round */
        report_format(&report, false, &problems);
        buf_deinit(&problems);
        report_deinit(&report);
        free(text);
}

static void make_plan(const Network *wanted) {
        _cleanup_(network_freep) Network *scope = NULL, *have = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_(kernel_freep) Kernel *kernel = NULL;
        Record record = {};
        Buf text = {};

        if (kernel_fake_new(&kernel) < 0 || plan_scope(wanted, &record, &scope) < 0 ||
            kernel_dump(kernel, scope, &have) < 0 || plan_new(wanted, have, &record, &plan) < 0)
                abort();
        plan_format(plan, PLAN_TEXT_ALL, &text);
        for (size_t i = 0; i < plan->n_ops; i++) {
                OpResult result;

                if (kernel_apply(kernel, (const Op *const *)&plan->ops[i], 1, &result) < 0)
                        abort();
        }
        buf_deinit(&text);
        record_deinit(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const uint8_t seed[16];
        Network *network = NULL;
        Report report = {};
        Buf problems = {};
        char *text;

        read_tree(data, size);
        text = strndup((const char *)data, size);
        if (!text)
                abort();
        if (config_load_text("fuzz.yaml", text, seed, &report, &network) < 0 ||
            !network != (report.n > 0))
                abort();
        report_format(&report, true, &problems);
        if (network)
                make_plan(network);
        network_free(network);
        buf_deinit(&problems);
        report_deinit(&report);
        free(text);
        return 0;
}
