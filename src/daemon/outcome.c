/* SPDX-License-Identifier: MIT */
/*
 * A settlement takes several plans: each verifies the one before and goes on from there. People
 * want to hear about every object once: what was done to it, and whether it is all right now. So
 * all plans are merged to one that is only for telling.
 */

#define HASH_NONFATAL_OOM 1

#include "daemon/outcome.h"

#include <errno.h>
#include <stdlib.h>

typedef struct OutcomeItem {
        PlanItem item;  /* verdict: as of the last plan that had it */
        Verdict acted;  /* VERDICT_OK: nothing was to be done, in any round */
        const char *acted_reason;
        const char *blocked; /* why */
        bool told;
        size_t round;   /* seen last */
        const char *key;
        UT_hash_handle hh;
} OutcomeItem;

void item_key(const PlanItem *item, Buf *ret) {
        buf_add(ret, item->path);
        if (item->type == ITEM_NETNS)
                buf_addc(ret, '/');
}

int outcome_init(Outcome *outcome) {
        *outcome = (Outcome){.plan = calloc(1, sizeof(Plan))};
        return outcome->plan ? 0 : -ENOMEM;
}

void outcome_deinit(Outcome *outcome) {
        HASH_CLEAR(hh, outcome->items); /* the items are in the plan's arena */
        outcome->plan = plan_free(outcome->plan);
}

static const char *keep(Outcome *outcome, const char *text) {
        const char *copy = arena_strdup(&outcome->plan->arena, text);

        if (text && !copy)
                outcome->failed = true;
        return copy;
}

static OutcomeItem *find(Outcome *outcome, const PlanItem *item) {
        _cleanup_(buf_deinit) Buf key = {};
        OutcomeItem *found;

        item_key(item, &key);
        HASH_FIND_STR(outcome->items, buf_text(&key), found);
        return found;
}

static OutcomeItem *find_or_add(Outcome *outcome, const PlanItem *item) {
        _cleanup_(buf_deinit) Buf key = {};
        OutcomeItem *found = find(outcome, item);

        if (found)
                return found;
        item_key(item, &key);
        found = arena_new(&outcome->plan->arena, OutcomeItem);
        if (!found || !(found->key = keep(outcome, buf_text(&key)))) {
                outcome->failed = true;
                return NULL;
        }
        found->item.type = item->type;
        found->item.path = keep(outcome, item->path);
        found->item.kind = keep(outcome, item->kind);
        HASH_ADD_KEYPTR(hh, outcome->items, found->key, strlen(found->key), found);
        if (!found->hh.tbl) {
                outcome->failed = true;
                return NULL;
        }
        outcome->plan->n_items++;
        return found;
}

static bool has_line(const PlanItem *item, const PlanLine *like) {
        for (const PlanLine *line = item->lines; line; line = line->next)
                if (streq(line->key, like->key) && streq_ptr(line->to, like->to))
                        return true;
        return false;
}

static void add_lines(Outcome *outcome, PlanItem *to, const PlanItem *from) {
        for (const PlanLine *line = from->lines; line; line = line->next) {
                PlanLine *copy;

                if (has_line(to, line))
                        continue;
                copy = arena_new(&outcome->plan->arena, PlanLine);
                if (!copy) {
                        outcome->failed = true;
                        return;
                }
                *copy = (PlanLine){
                        .key = keep(outcome, line->key),
                        .from = keep(outcome, line->from),
                        .to = keep(outcome, line->to),
                        .at = line->at,
                };
                if (to->last)
                        to->last->next = copy;
                else
                        to->lines = copy;
                to->last = copy;
        }
}

static bool is_action(Verdict verdict) {
        switch (verdict) {
        case VERDICT_CREATE:
        case VERDICT_CHANGE:
        case VERDICT_RECREATE:
        case VERDICT_DELETE:
                return true;
        case VERDICT_OK:
        case VERDICT_STAYS:
        case VERDICT_WAITING:
        case VERDICT_CONFLICT:
        case VERDICT_FAILED:
        case VERDICT_CONTESTED:
        case _VERDICT_N:
                break;
        }
        return false;
}

static void add_item(Outcome *outcome, const PlanItem *item) {
        OutcomeItem *to = find_or_add(outcome, item);

        if (!to)
                return;
        to->round = outcome->round;
        to->blocked = NULL;
        to->item.verdict = item->verdict;
        to->item.reason = keep(outcome, item->reason);
        to->item.guard = keep(outcome, item->guard);
        to->item.optional = item->optional;
        to->item.at = item->at;
        to->item.wanted = item->wanted;
        to->item.error = item->error;
        to->item.contested = item->contested;
        to->item.failure = keep(outcome, item->failure);
        to->item.failure_at = item->failure_at;
        if (is_action(item->verdict) && to->acted == VERDICT_OK) {
                to->acted = item->verdict;
                to->acted_reason = to->item.reason;
        }
        if (item->lines)
                add_lines(outcome, &to->item, item);
}

void outcome_add(Outcome *outcome, const Plan *plan) {
        outcome->round++;
        for (size_t i = 0; i < plan->n_items && !outcome->failed; i++)
                add_item(outcome, plan->items[i]);
}

void outcome_block(Outcome *outcome, const PlanItem *item, const char *why) {
        OutcomeItem *found = find(outcome, item);

        if (found)
                found->blocked = keep(outcome, why);
}

bool outcome_tell(Outcome *outcome, const PlanItem *item) {
        OutcomeItem *found = find(outcome, item);
        bool first = found && !found->told;

        if (found)
                found->told = true;
        return first;
}

void outcome_done(Outcome *outcome, const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++) {
                OutcomeItem *found = plan->items[i]->n_ops ? find(outcome, plan->items[i]) : NULL;

                if (found && is_action(found->item.verdict))
                        found->item.verdict = VERDICT_OK;
        }
}

static void judge(const Outcome *outcome, OutcomeItem *of) {
        PlanItem *item = &of->item;
        bool gone = of->round != outcome->round; /* the last plan knows nothing of it */

        if (item->error != 0 && !gone) {
                item->verdict = item->contested ? VERDICT_CONTESTED : VERDICT_FAILED;
                if (item->contested)
                        item->reason = item->failure;
        } else if (of->blocked && !gone) {
                item->verdict = VERDICT_WAITING;
                item->reason = of->blocked;
        } else if (gone || item->verdict == VERDICT_OK) {
                item->verdict = of->acted;
                item->reason = of->acted_reason ? of->acted_reason : "";
                item->error = 0;
                item->contested = false;
                item->failure = NULL;
        } else if (is_action(item->verdict) && !outcome->refused) {
                item->verdict = VERDICT_FAILED;
                item->error = -ETIMEDOUT;
                item->failure = "was not done in time";
                item->failure_at = item->at;
        }
}

int outcome_finish(Outcome *outcome, void (*tell)(void *userdata, const PlanItem *item),
                   void *userdata, Plan **ret) {
        Plan *plan = outcome->plan;
        size_t n = 0;

        plan->items = arena_new_n(&plan->arena, PlanItem *, MAX(plan->n_items, (size_t)1));
        if (!plan->items)
                return -ENOMEM;
        for (OutcomeItem *item = outcome->items; item; item = item->hh.next) {
                judge(outcome, item);
                if ((is_action(item->item.verdict) || item->item.verdict == VERDICT_STAYS) &&
                    !item->told)
                        tell(userdata, &item->item);
                plan->items[n++] = &item->item;
                plan->counts[item->item.verdict]++;
        }
        if (outcome->failed)
                return -ENOMEM;
        *ret = plan;
        outcome->plan = NULL;
        HASH_CLEAR(hh, outcome->items);
        return 0;
}
