/* SPDX-License-Identifier: MIT */
/*
 * The story. A round dumps, plans, and sends what no round before has sent; the next one's dump is
 * the proof. What was acknowledged and is wanted again was ignored by the kernel, which answers 0
 * to much that it does not do; what failed is not sent again, unless something that is still dying
 * may be to blame: a deleted namespace holds names for seconds.
 */

#define HASH_NONFATAL_OOM 1

#include "daemon/settle.h"

#include "daemon/notes.h"
#include "daemon/outcome.h"
#include "daemon/signature.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define SLICE_MAX 64u
#define SLICE_BULK_MAX 1024u /* what the kernel does better in one go: deletions, coming up */
#define UPS_MIN 100u /* from so many links on, their coming up is left for a round of its own */
#define BACKOFF_MIN_MS 5u
#define BACKOFF_MAX_MS 200u
#define POLL_MIN_MS 50u
#define POLL_MAX_MS 1000u

/* A request that was sent before, and what came of it. */
typedef struct Tried {
        const char *signature;
        int error;      /* 0: acknowledged */
        unsigned acked; /* how often */
        size_t turn;    /* when last, among all that were acknowledged */
        const char *failure;
        Location at;
        UT_hash_handle hh;
} Tried;

/* An item in a round. */
typedef struct ItemState {
        PlanItem *item;
        const char *key, *blocked; /* by which path */
        bool failed;               /* refused: the rest of it makes no sense now */
        size_t left;               /* requests to be sent */
        size_t slice;              /* in which its identity is at stake */
        UT_hash_handle hh;
} ItemState;

typedef struct Round {
        Network *have;
        Network *now; /* a later look, for what was made in this round; or NULL */
        bool stale;   /* something was made since */
        Plan *plan;
        Arena arena;
        ItemState *items; /* uthash by key */
        bool *send;       /* per op */
        size_t n_send, n_sent, n_done, n_retry;
        size_t n_verified; /* read back at once: the next dump has nothing to add */
        size_t slice;
} Round;

typedef struct Settle {
        Kernel *kernel;
        const Network *wanted;
        Store *store;
        const SettleOptions *options;
        Arena arena;
        Tried *tried; /* uthash by signature */
        Outcome outcome;
        uint64_t deadline, wait_deadline;
        unsigned backoff_ms, poll_ms;
        size_t turns; /* requests acknowledged so far */
        bool wide;    /* links are deleted: namespaces that nobody declared are looked into, too */
        bool rested;  /* time passed since a request failed: it may be tried again */
        bool refused;
        bool unrecorded; /* the record can't be written at all */
        int record_error;
        size_t rounds;
} Settle;

static uint64_t now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Sleeps, longer each time; not beyond the deadline. */
static void rest(unsigned *ms, unsigned max_ms, uint64_t deadline) {
        uint64_t now = now_ms(), left = deadline > now ? deadline - now : 0, time = MIN(*ms, left);

        nanosleep(&(struct timespec){.tv_sec = (time_t)(time / 1000),
                                     .tv_nsec = (long)(time % 1000) * 1000000}, NULL);
        *ms = MIN(*ms * 2, max_ms);
}

/* What was tried before. */

static Tried *tried_find(const Settle *settle, const char *signature) {
        Tried *tried;

        HASH_FIND_STR(settle->tried, signature, tried);
        return tried;
}

static int tried_add(Settle *settle, const Op *op, int error, const char *failure, Location at) {
        _cleanup_(buf_deinit) Buf signature = {};
        Tried *tried;

        op_signature(op, &signature);
        if (buf_error(&signature) < 0)
                return -ENOMEM;
        tried = tried_find(settle, buf_text(&signature));
        if (!tried) {
                tried = arena_new(&settle->arena, Tried);
                if (!tried)
                        return -ENOMEM;
                tried->signature = arena_strdup(&settle->arena, buf_text(&signature));
                if (!tried->signature)
                        return -ENOMEM;
                HASH_ADD_KEYPTR(hh, settle->tried, tried->signature, strlen(tried->signature),
                                tried);
                if (!tried->hh.tbl)
                        return -ENOMEM;
        }
        tried->error = error;
        if (error == 0) {
                tried->acked++;
                tried->turn = ++settle->turns;
        }
        tried->at = at;
        tried->failure = arena_strdup(&settle->arena, failure);
        return failure && !tried->failure ? -ENOMEM : 0;
}

/* What may go away by itself, for requests about whole links and namespaces. */
static bool is_passing(const Op *op, int error) {
        switch (op->type) {
        case OP_NETNS_ADD:
        case OP_NETNS_DEL:
        case OP_LINK_ADD:
        case OP_LINK_MOVE:
        case OP_LINK_DEL:
                return error == -EBUSY || error == -EEXIST || error == -ENODEV ||
                       error == -EAGAIN || error == -ENOBUFS || error == -EINTR;
        case OP_LINK_SET:
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
        case OP_OBJECT_DEL:
        case _OP_TYPE_N:
                break;
        }
        return error == -EAGAIN || error == -ENOBUFS || error == -EINTR;
}

/* What was to go is gone: no matter who did it. */
static bool is_gone(const Op *op, int error) {
        switch (op->type) {
        case OP_NETNS_DEL:
        case OP_LINK_DEL:
        case OP_OBJECT_DEL:
                return error == -ENODEV || error == -ENOENT || error == -ESRCH ||
                       error == -EADDRNOTAVAIL;
        case OP_NETNS_ADD:
        case OP_LINK_ADD:
        case OP_LINK_SET:
        case OP_LINK_MOVE:
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
        case _OP_TYPE_N:
                break;
        }
        return false;
}

/* Items of a round, and which of them rest on which. */

static ItemState *state_find(const Round *round, const char *key) {
        ItemState *state;

        HASH_FIND_STR(round->items, key, state);
        return state;
}

static ItemState *state_of(const Round *round, const PlanItem *item) {
        _cleanup_(buf_deinit) Buf key = {};

        item_key(item, &key);
        return state_find(round, buf_text(&key));
}

static int round_add_state(Round *round, PlanItem *item) {
        _cleanup_(buf_deinit) Buf key = {};
        ItemState *state = arena_new(&round->arena, ItemState);

        item_key(item, &key);
        if (!state || buf_error(&key) < 0)
                return -ENOMEM;
        state->item = item;
        state->slice = SIZE_MAX;
        state->key = arena_strdup(&round->arena, buf_text(&key));
        if (!state->key)
                return -ENOMEM;
        HASH_ADD_KEYPTR(hh, round->items, state->key, strlen(state->key), state);
        return state->hh.tbl ? 0 : -ENOMEM;
}

/* The far end of a pair comes with the near one, or not at all. */
static ItemState *peer_of(const Round *round, const Op *op) {
        _cleanup_(buf_deinit) Buf path = {};

        if (op->type != OP_LINK_ADD || !op->peer)
                return NULL;
        link_path(op->peer, &path);
        return state_find(round, buf_text(&path));
}

/* Nothing more of this item, nor of what would have come with it. */
static void op_block(const Round *round, const Op *op, ItemState *state, const char *by) {
        ItemState *peer = peer_of(round, op);

        if (!state->blocked && !state->failed)
                state->blocked = by;
        if (peer && !peer->blocked)
                peer->blocked = by;
}

static void op_break(const Round *round, const Op *op, ItemState *state) {
        ItemState *peer = peer_of(round, op);

        state->failed = true;
        if (peer && !peer->blocked)
                peer->blocked = state->item->path;
}

typedef struct Needs {
        const Round *round;
        const ItemState *blocker; /* the first that failed */
        bool at_stake;            /* one of them is being made or moved in this slice */
} Needs;

static void need(void *userdata, const char *key) {
        Needs *needs = userdata;
        const ItemState *state = state_find(needs->round, key);

        if (!state)
                return;
        if (!needs->blocker && (state->failed || state->blocked))
                needs->blocker = state;
        if (state->slice == needs->round->slice)
                needs->at_stake = true;
}

static void item_fail(PlanItem *item, int error, const char *failure, Location at) {
        if (item->error != 0)
                return;
        item->error = error;
        item->failure = failure ? failure : "";
        item->failure_at = at;
}

/* Acknowledged, and wanted again: was it something that came after it? It gets one more try then. */
static bool may_be_undone(const Settle *settle, const Tried *tried) {
        return tried->error == 0 && tried->acked == 1 && tried->turn < settle->turns;
}

/* Whether this one is to be sent, as far as is known before any is. */
static int judge_op(Settle *settle, Round *round, const Op *op, bool *ret) {
        _cleanup_(buf_deinit) Buf signature = {};
        ItemState *state = state_of(round, op->item);
        Needs needs = {.round = round};
        const Tried *tried;

        *ret = false;
        op_signature(op, &signature);
        if (!state || buf_error(&signature) < 0)
                return -ENOMEM;
        op_needs(op, need, &needs);
        if (needs.blocker)
                op_block(round, op, state, needs.blocker->item->path);
        if (state->failed || state->blocked)
                return 0;
        tried = tried_find(settle, buf_text(&signature));
        if (!tried || may_be_undone(settle, tried)) {
                *ret = true;
        } else if (tried->error == 0) {
                item_fail(state->item, -EOPNOTSUPP, op_ignored(op, &round->arena), op_at(op, NULL));
        } else if (is_passing(op, tried->error) && now_ms() < settle->deadline) {
                round->n_retry++;
                *ret = settle->rested;
        }
        if (tried && tried->error != 0 && !*ret) {
                op_break(round, op, state);
                item_fail(state->item, tried->error, tried->failure, tried->at);
        }
        state->left += *ret;
        return 0;
}

static int round_judge(Settle *settle, Round *round) {
        const Plan *plan = round->plan;
        int r = 0;

        round->send = arena_new_n(&round->arena, bool, MAX(plan->n_ops, (size_t)1));
        if (!round->send)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < plan->n_items; i++)
                r = round_add_state(round, plan->items[i]);
        for (size_t i = 0; r == 0 && i < plan->n_ops; i++) {
                r = judge_op(settle, round, plan->ops[i], &round->send[i]);
                round->n_send += round->send[i];
        }
        return r;
}

/* Doing. */

typedef struct Slice {
        const Op *ops[SLICE_BULK_MAX];
        Note notes[SLICE_BULK_MAX];
        OpResult results[SLICE_BULK_MAX];
        size_t n;
} Slice;

static int op_fail(Settle *settle, Round *round, const Op *op, const OpResult *result) {
        ItemState *state = state_of(round, op->item);
        const char *failure = op_failure(op, result, &round->arena);
        Location at = op_at(op, result->row);

        if (!state || !failure)
                return -ENOMEM;
        op_break(round, op, state);
        item_fail(op->item, result->error, failure, at);
        return tried_add(settle, op, result->error, failure, at);
}

static int op_done(Settle *settle, Round *round, const Op *op) {
        ItemState *state = state_of(round, op->item);

        round->n_done++;
        if (state && --state->left == 0 && !state->failed && settle->options->progress &&
            outcome_tell(&settle->outcome, op->item))
                settle->options->progress(settle->options->userdata, op->item, round->n_done,
                                          round->n_send);
        return tried_add(settle, op, 0, NULL, (Location){});
}

static int look(Kernel *kernel, const Network *wanted, const Record *record, bool wide,
                Network **ret) {
        _cleanup_(network_freep) Network *scope = NULL;
        int r;

        r = plan_scope(wanted, record, &scope);
        if (r == 0 && wide)
                r = kernel_survey(kernel, scope);
        return r < 0 ? r : kernel_dump(kernel, scope, ret);
}

static int settle_dump(Settle *settle, Network **ret) {
        return look(settle->kernel, settle->wanted, store_record(settle->store), settle->wide, ret);
}

static const Network *round_have(const Round *round) {
        return round->now ? round->now : round->have;
}

/* The values that new namespaces and links came with. */
static int round_look(Settle *settle, Round *round, const Slice *slice) {
        Network *now = NULL;
        bool blind = false;
        int r;

        for (size_t i = 0; i < slice->n; i++)
                blind |= note_is_blind(store_record(settle->store), round_have(round),
                                       slice->ops[i]);
        if (!blind || !round->stale)
                return 0;
        r = settle_dump(settle, &now);
        if (r < 0)
                return r;
        network_free(round->now);
        round->now = now;
        round->stale = false;
        return 0;
}

/* Once this failed the rest of the slice is not worth less: only what needs the record waits. */
static int slice_announce(Settle *settle, Round *round, Slice *slice) {
        size_t kept = 0;
        int r;

        r = round_look(settle, round, slice);
        for (size_t i = 0; r == 0 && i < slice->n; i++)
                r = note_before(settle->store, round_have(round), slice->ops[i],
                                &slice->notes[i]);
        if (r == 0)
                r = store_flush(settle->store);
        if (r == -ENOMEM || r == 0)
                return r;
        if (!settle->unrecorded)
                settle->record_error = r;
        for (size_t i = 0; i < slice->n; i++) {
                OpResult result = {.error = settle->record_error, .done = true};

                if (!slice->notes[i].rests) {
                        slice->ops[kept] = slice->ops[i];
                        slice->notes[kept++] = slice->notes[i];
                        continue;
                }
                strcpy(result.message, "can't be recorded, so it could never be undone");
                r = note_after(settle->store, round_have(round), slice->ops[i], &slice->notes[i],
                               false);
                if (r == 0)
                        r = op_fail(settle, round, slice->ops[i], &result);
                if (r < 0)
                        return r;
        }
        slice->n = kept;
        return 0;
}

static int slice_send(Settle *settle, Round *round, Slice *slice) {
        int r;

        r = slice_announce(settle, round, slice);
        round->slice++;
        if (r < 0 || slice->n == 0)
                return r;
        memset(slice->results, 0, slice->n * sizeof(OpResult));
        round->n_sent += slice->n;
        r = kernel_apply(settle->kernel, slice->ops, slice->n, slice->results);
        for (size_t i = 0; r == 0 && i < slice->n; i++) {
                const OpResult *result = &slice->results[i];
                bool done = result->error == 0 || is_gone(slice->ops[i], result->error);

                r = note_after(settle->store, round_have(round), slice->ops[i], &slice->notes[i],
                               done);
                round->n_verified += done && result->verified;
                if (r == 0)
                        r = done ? op_done(settle, round, slice->ops[i])
                                 : op_fail(settle, round, slice->ops[i], result);
        }
        if (settle->options->progress)
                settle->options->progress(settle->options->userdata, NULL, round->n_done,
                                          round->n_send);
        slice->n = 0;
        return r;
}

/* Requests after which the name means something else, or nothing if they fail. */
static bool is_crucial(const Op *op) {
        return op->type == OP_NETNS_ADD || op->type == OP_LINK_ADD || op->type == OP_LINK_MOVE ||
               op->type == OP_LINK_DEL;
}

static void slice_add(Round *round, Slice *slice, const Op *op, ItemState *state) {
        ItemState *peer = peer_of(round, op);

        slice->ops[slice->n++] = op;
        if (!is_crucial(op))
                return;
        round->stale = true;
        state->slice = round->slice;
        if (peer)
                peer->slice = round->slice;
}

static bool slice_is_full(const Slice *slice, const Op *next) {
        if (slice->n == 0)
                return false;
        if ((next->type == OP_LINK_DEL && slice->ops[0]->type == OP_LINK_DEL) ||
            (op_is_state_set(next) && op_is_state_set(slice->ops[0])))
                return slice->n == SLICE_BULK_MAX;
        return slice->n >= SLICE_MAX;
}

static bool is_coming_up(const Op *op) {
        return op_is_state_set(op) &&
               op->link->common.values[LINK_STATE].number == LINK_STATE_UP;
}

/*
 * Where the links that are to come up begin, if these are last and many: what IPv6 does when they
 * are up holds RTNL for seconds, so everything else is looked at before. Else the end.
 */
static size_t round_ups(const Round *round) {
        size_t n = round->plan->n_ops, first = n;

        while (first > 0 && is_coming_up(round->plan->ops[first - 1]))
                first--;
        return n - first >= UPS_MIN ? first : n;
}

/* One slice after another; none has a request that would be nonsense without another one in it. */
static int round_send(Settle *settle, Round *round) {
        _cleanup_(freep) Slice *slice = malloc(sizeof(Slice));
        size_t ups = round_ups(round);
        int r = 0;

        if (!slice)
                return -ENOMEM;
        slice->n = 0;
        for (size_t i = 0; r == 0 && i < round->plan->n_ops; i++) {
                const Op *op = round->plan->ops[i];
                ItemState *state = state_of(round, op->item);
                Needs needs = {.round = round};

                if (i == ups && round->n_sent + slice->n > 0)
                        break;
                if (!round->send[i] || !state)
                        continue;
                op_needs(op, need, &needs);
                if (needs.at_stake || state->slice == round->slice || slice_is_full(slice, op)) {
                        r = slice_send(settle, round, slice);
                        needs = (Needs){.round = round};
                        op_needs(op, need, &needs);
                }
                if (needs.blocker)
                        op_block(round, op, state, needs.blocker->item->path);
                if (r == 0 && !state->failed && !state->blocked)
                        slice_add(round, slice, op, state);
        }
        if (r == 0 && slice->n > 0)
                r = slice_send(settle, round, slice);
        return r;
}

/* Rounds. */

static Round *round_free(Round *round) {
        if (!round)
                return NULL;
        HASH_CLEAR(hh, round->items);
        plan_free(round->plan);
        network_free(round->now);
        network_free(round->have);
        arena_deinit(&round->arena);
        free(round);
        return NULL;
}

static void round_freep(Round **round) {
        *round = round_free(*round);
}

static int round_plan(Settle *settle, Round *round) {
        int r;

        r = settle_dump(settle, &round->have);
        if (r == 0 && settle->rounds > 0)
                r = notes_complete(settle->store, round->have, true);
        if (r == 0)
                r = plan_new(settle->wanted, round->have, store_record(settle->store),
                             &round->plan);
        return r;
}

static int round_new(Settle *settle, Round **ret) {
        _cleanup_(round_freep) Round *round = calloc(1, sizeof(Round));
        int r;

        if (!round)
                return -ENOMEM;
        r = round_plan(settle, round);
        if (r == 0 && !settle->wide && plan_deletes(round->plan)) {
                settle->wide = true;
                round->plan = plan_free(round->plan);
                round->have = network_free(round->have);
                r = round_plan(settle, round);
        }
        if (r == 0)
                r = round_judge(settle, round);
        if (r < 0)
                return r;
        outcome_add(&settle->outcome, round->plan);
        for (ItemState *state = round->items; state; state = state->hh.next)
                if (state->blocked)
                        outcome_block(&settle->outcome, state->item, state->blocked);
        *ret = round;
        round = NULL;
        return 0;
}

/* The lock, before the first write. A record that can't be written does not stop everything. */
static int settle_begin(Settle *settle) {
        int r;

        if (settle->unrecorded)
                return 0;
        r = store_begin(settle->store);
        if (r >= 0 || r == -ENOMEM)
                return r;
        settle->record_error = r;
        settle->unrecorded = true;
        return 0;
}

/* A run that was killed left announcements: what became of them? */
static int settle_recover(Settle *settle) {
        _cleanup_(network_freep) Network *have = NULL;
        int r;

        if (notes_are_complete(store_record(settle->store)))
                return 0;
        r = settle_begin(settle);
        if (r < 0 || (r > 0 && r != STORE_E_CHANGED))
                return r;
        r = settle_dump(settle, &have);
        return r < 0 ? r : notes_complete(settle->store, have, false);
}

static bool is_guarded(const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->guard && plan->items[i]->n_ops > 0)
                        return true;
        return false;
}

enum {
        ROUND_E_AGAIN = 1000, /* beyond the store's outcomes, which are passed on */
};

/* One round: 0 if there is nothing left to do, ROUND_E_AGAIN, or an outcome of the store's. */
static int settle_round(Settle *settle) {
        _cleanup_(round_freep) Round *round = NULL;
        int r;

        r = round_new(settle, &round);
        if (r < 0)
                return r;
        if (round->n_send > 0 && is_guarded(round->plan) && !settle->options->force) {
                settle->refused = true;
                return 0;
        }
        if (round->n_send > 0 || notes_are_lost(store_record(settle->store), round->plan)) {
                r = settle_begin(settle);
                if (r != 0)
                        return r == STORE_E_CHANGED ? ROUND_E_AGAIN : r;
        }
        if (round->n_send > 0) {
                settle->rested = false;
                r = round_send(settle, round);
                settle->rounds += round->n_sent > 0;
                if (r < 0)
                        return r;
                /* What was to be sent may all have turned out to wait for what failed before. */
                if (round->n_sent > round->n_verified)
                        return ROUND_E_AGAIN;
                if (round->n_verified == round->n_send)
                        outcome_done(&settle->outcome, round->plan);
        }
        if (round->n_retry > 0) {
                rest(&settle->backoff_ms, BACKOFF_MAX_MS, settle->deadline);
                settle->rested = true;
                return ROUND_E_AGAIN;
        }
        r = notes_settle(settle->store, round->plan);
        if (r == 0 && round->plan->counts[VERDICT_WAITING] > 0 &&
            now_ms() < settle->wait_deadline) {
                rest(&settle->poll_ms, POLL_MAX_MS, settle->wait_deadline);
                return ROUND_E_AGAIN;
        }
        return r;
}

/* It came or went with another one: with its parent, peer or namespace. */
static void tell(void *userdata, const PlanItem *item) {
        const Settle *settle = userdata;

        if (settle->options->progress && !settle->refused)
                settle->options->progress(settle->options->userdata, item, 0, 0);
}

static int settle_finish(Settle *settle, SettleResult *ret) {
        Plan *plan = NULL;
        int r;

        r = settle->unrecorded ? 0 : store_settle(settle->store);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                settle->record_error = r;
        r = outcome_finish(&settle->outcome, tell, settle, &plan);
        if (r < 0)
                return r;
        *ret = (SettleResult){
                .plan = plan,
                .refused = settle->refused,
                .record_error = settle->record_error,
                .rounds = settle->rounds,
        };
        return 0;
}

int settle(Kernel *kernel, const Network *wanted, Store *store, const SettleOptions *options,
           SettleResult *ret) {
        uint64_t now = now_ms();
        Settle settle = {
                .kernel = kernel,
                .wanted = wanted,
                .store = store,
                .options = options,
                .deadline = now + options->timeout_ms,
                .wait_deadline = now + options->wait_ms,
                .backoff_ms = BACKOFF_MIN_MS,
                .poll_ms = POLL_MIN_MS,
        };
        int r;

        r = outcome_init(&settle.outcome);
        if (r == 0)
                r = settle_recover(&settle);
        if (r == 0)
                do
                        r = settle_round(&settle);
                while (r == ROUND_E_AGAIN);
        if (r == 0)
                r = settle_finish(&settle, ret);
        outcome_deinit(&settle.outcome);
        HASH_CLEAR(hh, settle.tried);
        arena_deinit(&settle.arena);
        return r;
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
