/* SPDX-License-Identifier: MIT */
/*
 * The story. A round dumps, plans, and sends what no round before has sent; the next one's dump is
 * the proof. What was acknowledged and is wanted again was ignored by the kernel, which answers 0
 * to much that it does not do; what failed is not sent again, unless something that is still dying
 * may be to blame: a deleted namespace holds names for seconds.
 */

#define HASH_NONFATAL_OOM 1

#include "daemon/round.h"

#include "daemon/signature.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define BACKOFF_MIN_MS 5u
#define BACKOFF_MAX_MS 200u
#define POLL_MIN_MS 50u
#define POLL_MAX_MS 1000u

uint64_t settlement_now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* What was tried before. */

Tried *settlement_tried(const Settlement *settlement, const char *signature) {
        Tried *tried;

        HASH_FIND_STR(settlement->tried, signature, tried);
        return tried;
}

int settlement_try(Settlement *settlement, const Op *op, int error, bool waits,
                   const char *failure, Location at) {
        _cleanup_(buf_deinit) Buf signature = {};
        Tried *tried;

        op_signature(op, &signature);
        if (buf_error(&signature) < 0)
                return -ENOMEM;
        tried = settlement_tried(settlement, buf_text(&signature));
        if (!tried) {
                tried = arena_new(&settlement->arena, Tried);
                if (!tried)
                        return -ENOMEM;
                tried->signature = arena_strdup(&settlement->arena, buf_text(&signature));
                if (!tried->signature)
                        return -ENOMEM;
                HASH_ADD_KEYPTR(hh, settlement->tried, tried->signature,
                                strlen(tried->signature), tried);
                if (!tried->hh.tbl)
                        return -ENOMEM;
        }
        tried->error = error;
        tried->waits = waits;
        if (error == 0) {
                tried->acked++;
                settlement->turns++;
                tried->round = settlement->rounds;
        }
        tried->turn = settlement->turns;
        tried->at = at;
        tried->failure = arena_strdup(&settlement->arena, failure);
        return failure && !tried->failure ? -ENOMEM : 0;
}

/* Looking. */

static int look(Kernel *kernel, const Network *wanted, const Record *record, bool wide,
                Network **ret) {
        _cleanup_(network_freep) Network *scope = NULL;
        int r;

        r = plan_scope(wanted, record, &scope);
        if (r == 0 && wide)
                r = kernel_survey(kernel, scope);
        return r < 0 ? r : kernel_dump(kernel, scope, ret);
}

int settlement_dump(const Settlement *settlement, Network **ret) {
        return look(settlement->kernel, settlement->wanted, store_record(settlement->store),
                    settlement->wide, ret);
}

/* The lock, before the first write. A record that can't be written does not stop everything. */
static int settle_begin(Settlement *settlement) {
        int r;

        if (settlement->unrecorded)
                return 0;
        r = store_begin(settlement->store);
        if (r >= 0 || r == -ENOMEM)
                return r;
        settlement->record_error = r;
        settlement->unrecorded = true;
        return 0;
}

/* A run that was killed left announcements: what became of them? */
static int settle_recover(Settlement *settlement) {
        _cleanup_(network_freep) Network *have = NULL;
        int r;

        settlement->recovered = true;
        if (notes_are_complete(store_record(settlement->store)))
                return 0;
        r = settle_begin(settlement);
        if (r < 0 || (r > 0 && r != STORE_E_CHANGED))
                return r;
        r = settlement_dump(settlement, &have);
        return r < 0 ? r : notes_complete(settlement->store, have, false);
}

/* Rounds. */

static bool is_guarded(const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->guard && plan->items[i]->n_ops > 0)
                        return true;
        return false;
}

/* Time goes by before the next round; not beyond the deadline. */
static int take_rest(unsigned *ms, unsigned max_ms, uint64_t deadline, unsigned *ret_rest_ms) {
        uint64_t now = settlement_now(), left = deadline > now ? deadline - now : 0;

        *ret_rest_ms = (unsigned)MIN(*ms, left);
        *ms = MIN(*ms * 2, max_ms);
        return SETTLE_E_REST;
}

static bool is_looking_up(const Network *have) {
        const Lookup *lookup = have->lookups;

        while (lookup && lookup->state != LOOKUP_PENDING)
                lookup = lookup->next;
        return lookup;
}

/* Nothing more can be sent now. Is everything done? */
static int round_end(Settlement *settlement, const Round *round, unsigned *ret_rest_ms) {
        int r;

        /* What was to be sent may all have turned out to wait for what failed before. */
        if (round->n_sent > round->n_verified)
                return SETTLE_E_AGAIN;
        if (round->n_send > 0 && round->n_verified == round->n_send)
                outcome_done(&settlement->outcome, round->plan);
        if (round->n_retry > 0) {
                settlement->rested = true;
                return take_rest(&settlement->backoff_ms, BACKOFF_MAX_MS, settlement->deadline,
                                 ret_rest_ms);
        }
        r = notes_settle(settlement->store, round->plan);
        if (r == 0 && is_looking_up(round->have) && settlement_now() < settlement->lookup_deadline)
                return take_rest(&settlement->backoff_ms, BACKOFF_MAX_MS,
                                 settlement->lookup_deadline, ret_rest_ms);
        if (r == 0 && round->plan->counts[VERDICT_WAITING] > 0 &&
            settlement_now() < settlement->wait_deadline)
                return take_rest(&settlement->poll_ms, POLL_MAX_MS, settlement->wait_deadline,
                                 ret_rest_ms);
        return r;
}

static int round_go_on(Settlement *settlement, unsigned *ret_rest_ms) {
        _cleanup_(round_freep) Round *round = settlement->round;
        int r;

        settlement->round = NULL;
        r = round_send(settlement, round);
        if (r == ROUND_E_MORE) {
                settlement->round = round;
                round = NULL;
                return SETTLE_E_AGAIN;
        }
        settlement->rounds += round->n_sent > 0;
        return r < 0 ? r : round_end(settlement, round, ret_rest_ms);
}

static int round_begin(Settlement *settlement, unsigned *ret_rest_ms) {
        _cleanup_(round_freep) Round *round = NULL;
        const SettleOptions *options = &settlement->options;
        int r = round_new(settlement, &round);

        if (r < 0)
                return r;
        if (round->n_send > 0 && is_guarded(round->plan) && !options->force) {
                settlement->outcome.refused = true;
                return 0;
        }
        if (round->n_send > 0 || notes_are_lost(store_record(settlement->store), round->plan)) {
                r = settle_begin(settlement);
                if (r != 0)
                        return r == STORE_E_CHANGED ? SETTLE_E_AGAIN : r;
        }
        if (round->n_send == 0)
                return round_end(settlement, round, ret_rest_ms);
        settlement->rested = false;
        if (options->damper)
                kernel_mark(settlement->kernel);
        for (const ItemState *state = round->items; options->noticed && state; state = state->hh.next)
                if (state->left > 0)
                        options->noticed(options->userdata, state->item);
        settlement->round = round;
        round = NULL;
        return SETTLE_E_AGAIN;
}

int settlement_step(Settlement *settlement, unsigned *ret_rest_ms) {
        int r = 0;

        if (!settlement->recovered)
                r = settle_recover(settlement);
        if (r != 0)
                return r;
        return settlement->round ? round_go_on(settlement, ret_rest_ms)
                                 : round_begin(settlement, ret_rest_ms);
}

/* The life of a settlement. */

int settlement_new(Kernel *kernel, const Network *wanted, Store *store,
                   const SettleOptions *options, Settlement **ret) {
        Settlement *settlement = calloc(1, sizeof(Settlement));
        uint64_t now = settlement_now();
        int r;

        if (!settlement)
                return -ENOMEM;
        *settlement = (Settlement){
                .kernel = kernel,
                .wanted = wanted,
                .store = store,
                .options = *options,
                .deadline = now + options->timeout_ms,
                .wait_deadline = now + options->wait_ms,
                .lookup_deadline = now + options->lookup_ms,
                .backoff_ms = BACKOFF_MIN_MS,
                .poll_ms = POLL_MIN_MS,
        };
        settlement->options.noisy = arena_strdup(&settlement->arena, options->noisy);
        r = options->noisy && !settlement->options.noisy ? -ENOMEM
                                                         : outcome_init(&settlement->outcome);
        if (r < 0) {
                settlement_free(settlement);
                return r;
        }
        *ret = settlement;
        return 0;
}

Settlement *settlement_free(Settlement *settlement) {
        if (!settlement)
                return NULL;
        round_free(settlement->round);
        outcome_deinit(&settlement->outcome);
        HASH_CLEAR(hh, settlement->tried);
        arena_deinit(&settlement->arena);
        free(settlement);
        return NULL;
}

void settlement_freep(Settlement **settlement) {
        *settlement = settlement_free(*settlement);
}

/* It came or went with another one: with its parent, peer or namespace. */
static void tell(void *userdata, const PlanItem *item) {
        const Settlement *settlement = userdata;

        if (settlement->options.progress && !settlement->outcome.refused)
                settlement->options.progress(settlement->options.userdata, item, 0, 0);
}

int settlement_finish(Settlement *settlement, SettleResult *ret) {
        Plan *plan = NULL;
        int r;

        r = settlement->unrecorded ? 0 : store_settle(settlement->store);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                settlement->record_error = r;
        r = outcome_finish(&settlement->outcome, tell, settlement, &plan);
        if (r < 0)
                return r;
        *ret = (SettleResult){
                .plan = plan,
                .refused = settlement->outcome.refused,
                .record_error = settlement->record_error,
                .rounds = settlement->rounds,
        };
        return 0;
}

static void sleep_ms(unsigned ms) {
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000},
                  NULL);
}

int settle(Kernel *kernel, const Network *wanted, Store *store, const SettleOptions *options,
           SettleResult *ret) {
        _cleanup_(settlement_freep) Settlement *settlement = NULL;
        unsigned rest_ms;
        int r = kernel_resolve(kernel, wanted);

        if (r == 0)
                r = settlement_new(kernel, wanted, store, options, &settlement);
        if (r < 0)
                return r;
        do {
                rest_ms = 0;
                r = settlement_step(settlement, &rest_ms);
                if (rest_ms > 0)
                        sleep_ms(rest_ms);
        } while (r == SETTLE_E_AGAIN || r == SETTLE_E_REST);
        return r == 0 ? settlement_finish(settlement, ret) : r;
}

void settle_result_deinit(SettleResult *result) {
        result->plan = plan_free(result->plan);
}

int settle_plan(Kernel *kernel, const Network *wanted, const Record *record, Network **ret_have,
                Plan **ret_plan) {
        _cleanup_(network_freep) Network *have = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        int r;

        r = look(kernel, wanted, record, false, &have);
        if (r == 0)
                r = plan_new(wanted, have, record, &plan);
        if (r == 0 && plan_deletes(plan)) {
                plan = plan_free(plan);
                have = network_free(have);
                r = look(kernel, wanted, record, true, &have);
                if (r == 0)
                        r = plan_new(wanted, have, record, &plan);
        }
        if (r < 0)
                return r;
        *ret_have = have;
        *ret_plan = plan;
        have = NULL;
        plan = NULL;
        return 0;
}
