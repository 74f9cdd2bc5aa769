/* SPDX-License-Identifier: MIT */
/*
 * One round of a settlement: a look at the kernel, a plan, and the requests of it that make sense
 * now, slice by slice. What rests on something that failed, is paused, or is being fought over, is
 * not sent; everything else goes on.
 */

#include "daemon/round.h"

#include "daemon/signature.h"

#include <errno.h>
#include <stdlib.h>

#define UPS_MIN 100u /* from so many links on, their coming up is left for a round of its own */

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

static Remedy op_remedy(const Op *op, int error) {
        if (is_passing(op, error))
                return REMEDY_NOW;
        switch (-error) {
        case EOPNOTSUPP:
        case EAFNOSUPPORT:
        case EPROTONOSUPPORT:
                return REMEDY_FILE;
        case ENOMEM:
        case ENOSPC:
        case EROFS:
        case EMFILE:
        case ENFILE:
        case EPERM:
        case EACCES:
        case ETIMEDOUT:
                return REMEDY_TIME;
        }
        return REMEDY_EVENT;
}

/* Items, and which of them rest on which. */

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

static int add_state(Round *round, PlanItem *item) {
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

static int state_block(Round *round, ItemState *state, const ItemState *by) {
        if (state->blocked || state->failed)
                return 0;
        state->paused = by->paused;
        state->blocked = arena_printf(&round->arena, "waiting for %s, which %s", by->item->path,
                                      by->paused ? "is paused" : "failed");
        return state->blocked ? 0 : -ENOMEM;
}

/* One entry waits, the rest of the item does not. */
static int state_wait(Round *round, const Op *op, ItemState *state, const char *why) {
        _cleanup_(buf_deinit) Buf text = {};

        if (state->waits)
                return 0;
        buf_printf(&text, "%s ", op->object->type->schema.name);
        object_key(op->object, &text);
        buf_printf(&text, ": %s", why);
        state->waits = buf_error(&text) < 0 ? NULL : arena_strdup(&round->arena, buf_text(&text));
        return state->waits ? 0 : -ENOMEM;
}

/* Nothing more of this item, nor of what would have come with it. */
static int op_block(Round *round, const Op *op, ItemState *state, const ItemState *by) {
        ItemState *peer = peer_of(round, op);
        int r = 0;

        if (op_is_entry(op) && by != state)
                return state_wait(round, op, state, by->paused ? "its link is paused"
                                                               : "its link failed");
        r = state_block(round, state, by);

        return r == 0 && peer && peer != by ? state_block(round, peer, by) : r;
}

static int op_break(Round *round, const Op *op, ItemState *state) {
        ItemState *peer = peer_of(round, op);

        if (op_is_entry(op))
                return 0; /* each for itself */

        state->failed = true;
        return peer ? state_block(round, peer, state) : 0;
}

static int op_pause(Round *round, const Op *op, ItemState *state, const char *why) {
        ItemState *peer = peer_of(round, op);

        state->paused = true;
        if (!state->blocked)
                state->blocked = arena_strdup(&round->arena, why);
        if (!state->blocked)
                return -ENOMEM;
        return peer ? state_block(round, peer, state) : 0;
}

typedef struct Needs {
        const Round *round;
        const ItemState *blocker; /* the first that failed */
        bool at_stake;            /* one of them is being made or moved in this slice */
        bool new;                 /* one of them was made in this round */
} Needs;

static bool is_new(const ItemState *state) {
        return state->item->verdict == VERDICT_CREATE || state->item->verdict == VERDICT_RECREATE;
}

static void need(void *userdata, const char *key) {
        Needs *needs = userdata;
        const ItemState *state = state_find(needs->round, key);

        if (!state)
                return;
        if (!needs->blocker && (state->failed || state->blocked))
                needs->blocker = state;
        needs->at_stake |= state->slice == needs->round->n_slices;
        needs->new |= is_new(state);
}

static Needs op_look(const Round *round, const Op *op) {
        Needs needs = {.round = round};

        op_needs(op, need, &needs);
        return needs;
}

static void item_fail(PlanItem *item, int error, const char *failure, Location at) {
        if (item->error != 0)
                return;
        item->error = error;
        item->failure = failure ? failure : "";
        item->failure_at = at;
}

/* Asking the damper. */

/* The same request about another link of that name is another one. */
static void op_identity(const Op *op, Buf *ret) {
        op_signature(op, ret);
        if (op->ifindex)
                buf_printf(ret, " #%d", op->ifindex);
}

/* It comes back with something else: with what it is on, or with being up. */
static bool op_returns(const Op *op, const ItemState *state, bool new) {
        return op->type == OP_NETNS_ADD || op->type == OP_LINK_ADD || op->type == OP_OBJECT_ADD ||
               op_is_state_set(op) || new || is_new(state);
}

static DamperRequest damper_request(const Settlement *settlement, const Op *op,
                                    const ItemState *state, bool new, const Buf *identity) {
        return (DamperRequest){
                .signature = buf_text(identity),
                .item = state->key,
                .netns = op->netns ? op->netns : "",
                .returns = op_returns(op, state, new) &&
                           !streq_ptr(op->netns, settlement->options.noisy),
        };
}

/* Requests after which the name means something else, or nothing if they fail. */
static bool is_crucial(const Op *op) {
        return op->type == OP_NETNS_ADD || op->type == OP_LINK_ADD || op->type == OP_LINK_MOVE ||
               op->type == OP_LINK_DEL;
}

/* What makes no sense without it waits, unless it is there and only not as it should be. */
static int op_hold(Round *round, const Op *op, ItemState *state, const DamperReply *reply) {
        const char *reason = arena_strdup(&round->arena, reply->reason);

        if (!reason)
                return -ENOMEM;
        switch (reply->answer) {
        case DAMPER_FAILED:
                item_fail(state->item, reply->error, reason, reply->at);
                return is_crucial(op) ? op_break(round, op, state) : 0;
        case DAMPER_WAITING:
                return state_wait(round, op, state, reason);
        case DAMPER_CONTESTED:
                item_fail(state->item, -EBUSY, reason, op_at(op, NULL));
                state->item->contested = true;
                return is_crucial(op) ? op_break(round, op, state) : 0;
        case DAMPER_PAUSED:
                return op_pause(round, op, state, reason);
        case DAMPER_GO:
        case _DAMPER_ANSWER_N:
                break;
        }
        return 0;
}

static int op_ask(const Settlement *settlement, Round *round, const Op *op, ItemState *state,
                  bool new, bool *ret) {
        _cleanup_(buf_deinit) Buf identity = {};
        DamperRequest request;
        DamperReply reply;
        int r;

        *ret = true;
        if (!settlement->options.damper)
                return 0;
        op_identity(op, &identity);
        if (buf_error(&identity) < 0)
                return -ENOMEM;
        request = damper_request(settlement, op, state, new, &identity);
        r = damper_ask(settlement->options.damper, &request, &reply);
        if (r < 0 || reply.answer == DAMPER_GO)
                return r;
        *ret = false;
        return op_hold(round, op, state, &reply);
}

/* The kernel told that it was done, or it was right in a round in between. */
static bool was_done(const Settlement *settlement, const Op *op, const Tried *tried) {
        return tried->round + 1 < settlement->rounds || kernel_saw(settlement->kernel, op);
}

/* Whether the kernel ignored it, or somebody else was there since; says so to the damper. */
static int find_out(const Settlement *settlement, const Op *op, const DamperRequest *request,
                    const char *failure, Tried *tried) {
        Damper *damper = settlement->options.damper;

        if (!damper || !was_done(settlement, op, tried)) {
                tried->vain = VAIN_IGNORED;
                return damper ? damper_failed(damper, request, REMEDY_FILE, -EOPNOTSUPP, failure,
                                              op_at(op, NULL))
                              : 0;
        }
        tried->vain = VAIN_UNDONE;
        return damper_undone(damper, request);
}

/* Acknowledged, and still not so. */
static int op_in_vain(const Settlement *settlement, Round *round, const Op *op, ItemState *state,
                      Tried *tried) {
        const DamperReply contested = {.answer = DAMPER_CONTESTED, .reason = DAMPER_CONTEST};
        _cleanup_(buf_deinit) Buf identity = {};
        const char *failure = op_ignored(op, &round->arena);
        DamperRequest request;
        int r = 0;

        op_identity(op, &identity);
        if (!failure || buf_error(&identity) < 0)
                return -ENOMEM;
        request = damper_request(settlement, op, state, false, &identity);
        if (tried->vain == VAIN_NOT)
                r = find_out(settlement, op, &request, failure, tried);
        if (r < 0)
                return r;
        if (tried->vain == VAIN_UNDONE)
                return op_hold(round, op, state, &contested);
        item_fail(state->item, -EOPNOTSUPP, failure, op_at(op, NULL));
        return 0;
}

/* Judging. */

/* Acknowledged, and wanted again: was it something that came after it? It gets one more try then. */
static bool may_be_undone(const Settlement *settlement, const Tried *tried) {
        return tried->error == 0 && tried->acked == 1 && tried->turn < settlement->turns &&
               !settlement->options.once;
}

/* Something was missing, which may have come: an address, say, that was lost with another master. */
static bool may_have_come(const Settlement *settlement, const Tried *tried) {
        return tried->waits && tried->turn < settlement->turns;
}

/* Sent before in this settlement. */
static int judge_again(const Settlement *settlement, Round *round, const Op *op, ItemState *state,
                       Tried *tried, bool *ret) {
        if (may_be_undone(settlement, tried) || may_have_come(settlement, tried)) {
                *ret = true;
                return 0;
        }
        if (tried->error == 0)
                return op_in_vain(settlement, round, op, state, tried);
        if (is_passing(op, tried->error) && settlement_now() < settlement->deadline) {
                round->n_retry++;
                *ret = settlement->rested;
        }
        if (*ret)
                return 0;
        if (tried->waits)
                return state_wait(round, op, state, tried->failure);
        item_fail(state->item, tried->error, tried->failure, tried->at);
        return op_break(round, op, state);
}

/* Whether this one is to be sent, as far as is known before any is. */
static int judge_op(Settlement *settlement, Round *round, const Op *op, bool *ret) {
        _cleanup_(buf_deinit) Buf signature = {};
        ItemState *state = state_of(round, op->item);
        Needs needs = op_look(round, op);
        Tried *tried;
        int r = 0;

        *ret = false;
        op_signature(op, &signature);
        if (!state || buf_error(&signature) < 0)
                return -ENOMEM;
        if (needs.blocker)
                r = op_block(round, op, state, needs.blocker);
        if (r < 0 || state->failed || state->blocked || (needs.blocker && op_is_entry(op)))
                return r;
        tried = settlement_tried(settlement, buf_text(&signature));
        r = tried ? judge_again(settlement, round, op, state, tried, ret)
                  : op_ask(settlement, round, op, state, needs.new, ret);
        state->left += *ret;
        return r;
}

static int round_judge(Settlement *settlement, Round *round) {
        const Plan *plan = round->plan;
        int r = 0;

        round->send = arena_new_n(&round->arena, bool, MAX(plan->n_ops, (size_t)1));
        if (!round->send)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < plan->n_items; i++)
                r = add_state(round, plan->items[i]);
        for (size_t i = 0; r == 0 && i < plan->n_ops; i++) {
                r = judge_op(settlement, round, plan->ops[i], &round->send[i]);
                round->n_send += round->send[i];
        }
        return r;
}

/* Doing. */

/* The link went away under our hands: that is no failure, it has to be made again. */
static bool is_undone(const Op *op, int error) {
        return error == -ENODEV && !is_crucial(op) && op->type != OP_NETNS_DEL;
}

static int op_report(const Settlement *settlement, Round *round, const Op *op, ItemState *state,
                     int error, bool waits, const char *failure, Location at) {
        _cleanup_(buf_deinit) Buf identity = {};
        const DamperReply contested = {.answer = DAMPER_CONTESTED, .reason = DAMPER_CONTEST};
        Damper *damper = settlement->options.damper;
        DamperRequest request;
        int r;

        if (!damper)
                return 0;
        op_identity(op, &identity);
        if (buf_error(&identity) < 0)
                return -ENOMEM;
        request = damper_request(settlement, op, state, false, &identity);
        if (waits || !is_undone(op, error))
                return damper_failed(damper, &request,
                                     waits ? REMEDY_WAIT : op_remedy(op, error), error, failure,
                                     at);
        r = damper_undone(damper, &request);
        return r < 0 ? r : op_hold(round, op, state, &contested);
}

/* What is missing, rather than wrong; NULL: it failed. */
static const char *op_waits(const Op *op, const OpResult *result) {
        if (!op_is_entry(op) || op->type == OP_OBJECT_DEL || !op->object->type->waits)
                return NULL;
        return op->object->type->waits(&op->object->set, result->error, result->message);
}

static int op_fail(Settlement *settlement, Round *round, const Op *op, const OpResult *result) {
        ItemState *state = state_of(round, op->item);
        const char *waits = op_waits(op, result);
        const char *failure = waits ? waits : op_failure(op, result, &round->arena);
        Location at = op_at(op, result->row);
        int r;

        if (!state || !failure)
                return -ENOMEM;
        r = op_report(settlement, round, op, state, result->error, waits, failure, at);
        if (r < 0)
                return r;
        if (waits) {
                r = state_wait(round, op, state, waits);
                outcome_block(&settlement->outcome, state->item, state->waits);
        } else {
                item_fail(op->item, result->error, failure, at);
                r = op_break(round, op, state);
        }
        return r < 0 ? r : settlement_try(settlement, op, result->error, waits, failure, at);
}

static void tell(Settlement *settlement, const Round *round, const PlanItem *item) {
        const SettleOptions *options = &settlement->options;

        if (options->progress && (!item || outcome_tell(&settlement->outcome, item)))
                options->progress(options->userdata, item, round->n_done, round->n_send);
}

static int op_done(Settlement *settlement, Round *round, const Op *op) {
        ItemState *state = state_of(round, op->item);

        round->n_done++;
        if (state && settlement->options.damper)
                damper_done(settlement->options.damper, &(DamperRequest){.item = state->key});
        if (state && --state->left == 0 && !state->failed)
                tell(settlement, round, op->item);
        return settlement_try(settlement, op, 0, false, NULL, (Location){});
}

static const Network *round_have(const Round *round) {
        return round->now ? round->now : round->have;
}

/* The values that new namespaces and links came with. */
static int round_look(Settlement *settlement, Round *round) {
        const Slice *slice = &round->slice;
        Network *now = NULL;
        bool blind = false;
        int r;

        for (size_t i = 0; i < slice->n; i++)
                blind |= note_is_blind(store_record(settlement->store), round_have(round),
                                       slice->ops[i]);
        if (!blind || !round->stale)
                return 0;
        r = settlement_dump(settlement, &now);
        if (r < 0)
                return r;
        network_free(round->now);
        round->now = now;
        round->stale = false;
        return 0;
}

/* Only what needs the record waits for it; the rest is not worth less. */
static int slice_without_record(Settlement *settlement, Round *round) {
        Slice *slice = &round->slice;
        size_t kept = 0;

        for (size_t i = 0; i < slice->n; i++) {
                OpResult result = {.error = settlement->record_error, .done = true};
                int r;

                if (!slice->notes[i].rests) {
                        slice->ops[kept] = slice->ops[i];
                        slice->notes[kept++] = slice->notes[i];
                        continue;
                }
                strcpy(result.message, "can't be recorded, so it could never be undone");
                r = note_after(settlement->store, round_have(round), slice->ops[i],
                               &slice->notes[i], false);
                if (r == 0)
                        r = op_fail(settlement, round, slice->ops[i], &result);
                if (r < 0)
                        return r;
        }
        slice->n = kept;
        return 0;
}

static int slice_announce(Settlement *settlement, Round *round) {
        Slice *slice = &round->slice;
        int r = round_look(settlement, round);

        for (size_t i = 0; r == 0 && i < slice->n; i++)
                r = note_before(settlement->store, round_have(round), slice->ops[i],
                                &slice->notes[i]);
        if (r == 0)
                r = store_flush(settlement->store);
        if (r == -ENOMEM || r == 0)
                return r;
        if (!settlement->unrecorded)
                settlement->record_error = r;
        return slice_without_record(settlement, round);
}

static int slice_send(Settlement *settlement, Round *round) {
        Slice *slice = &round->slice;
        int r = slice_announce(settlement, round);

        round->n_slices++;
        if (r < 0 || slice->n == 0)
                return r;
        memset(slice->results, 0, slice->n * sizeof(OpResult));
        round->n_sent += slice->n;
        r = kernel_apply(settlement->kernel, slice->ops, slice->n, slice->results);
        for (size_t i = 0; r == 0 && i < slice->n; i++) {
                const OpResult *result = &slice->results[i];
                bool done = result->error == 0 || is_gone(slice->ops[i], result->error);

                r = note_after(settlement->store, round_have(round), slice->ops[i],
                               &slice->notes[i], done);
                round->n_verified += done && result->verified;
                if (r == 0)
                        r = done ? op_done(settlement, round, slice->ops[i])
                                 : op_fail(settlement, round, slice->ops[i], result);
        }
        tell(settlement, round, NULL);
        slice->n = 0;
        return r;
}

static void slice_add(Round *round, const Op *op, ItemState *state) {
        ItemState *peer = peer_of(round, op);

        round->slice.ops[round->slice.n++] = op;
        if (!is_crucial(op))
                return;
        round->stale = true;
        state->slice = round->n_slices;
        if (peer)
                peer->slice = round->n_slices;
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
        size_t n = round->plan->n_ops, first;

        while (n > 0 && op_is_entry(round->plan->ops[n - 1]))
                n--; /* these come after them, in any case */
        first = n;
        while (first > 0 && is_coming_up(round->plan->ops[first - 1]))
                first--;
        return n - first >= UPS_MIN ? first : round->plan->n_ops;
}

/* Whether this slice has to be sent before this op can be looked at again. */
static bool is_boundary(const Round *round, const Op *op, const ItemState *state) {
        return op_look(round, op).at_stake || state->slice == round->n_slices ||
               slice_is_full(&round->slice, op);
}

int round_send(Settlement *settlement, Round *round) {
        int r = 0;

        for (; r == 0 && round->next < round->plan->n_ops; round->next++) {
                const Op *op = round->plan->ops[round->next];
                ItemState *state = state_of(round, op->item);
                const ItemState *blocker;

                if (round->next == round->ups && round->n_sent + round->slice.n > 0)
                        break;
                if (!round->send[round->next] || !state)
                        continue;
                if (round->slice.n > 0 && is_boundary(round, op, state)) {
                        r = slice_send(settlement, round);
                        return r < 0 ? r : ROUND_E_MORE;
                }
                blocker = op_look(round, op).blocker;
                if (blocker)
                        r = op_block(round, op, state, blocker);
                if (r == 0 && !state->failed && !state->blocked && !(blocker && op_is_entry(op)))
                        slice_add(round, op, state);
        }
        return r == 0 && round->slice.n > 0 ? slice_send(settlement, round) : r;
}

/* The life of a round. */

Round *round_free(Round *round) {
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

void round_freep(Round **round) {
        *round = round_free(*round);
}

static int round_plan(Settlement *settlement, Round *round) {
        int r = settlement_dump(settlement, &round->have);

        if (r == 0 && settlement->rounds > 0)
                r = notes_complete(settlement->store, round->have, true);
        if (r == 0)
                r = plan_new(settlement->wanted, round->have, store_record(settlement->store),
                             &round->plan);
        return r;
}

int round_new(Settlement *settlement, Round **ret) {
        _cleanup_(round_freep) Round *round = calloc(1, sizeof(Round));
        int r;

        if (!round)
                return -ENOMEM;
        r = round_plan(settlement, round);
        if (r == 0 && !settlement->wide && plan_deletes(round->plan)) {
                settlement->wide = true;
                round->plan = plan_free(round->plan);
                round->have = network_free(round->have);
                r = round_plan(settlement, round);
        }
        if (r == 0)
                r = round_judge(settlement, round);
        if (r < 0)
                return r;
        round->ups = round_ups(round);
        outcome_add(&settlement->outcome, round->plan);
        for (ItemState *state = round->items; state; state = state->hh.next)
                if (state->blocked || state->waits)
                        outcome_block(&settlement->outcome, state->item,
                                      state->blocked ?: state->waits);
        *ret = round;
        round = NULL;
        return 0;
}
