/* SPDX-License-Identifier: MIT */
/*
 * The story of a plan: which link is which, what has to become of each, what is no longer wanted,
 * and the requests for all of that in an order in which each can succeed.
 */

#include "planner.h"

#include <errno.h>
#include <stdlib.h>

const char *planner_text(Planner *planner, const char *format, ...) {
        const char *text;
        va_list ap;

        va_start(ap, format);
        text = arena_vprintf(planner->arena, format, ap);
        va_end(ap);
        if (text)
                return text;
        planner->failed = true;
        return "";
}

const char *planner_value(Planner *planner, const Row *row, const Value *value) {
        _cleanup_(buf_deinit) Buf buf = {};

        value_format(row, value, &buf);
        return planner_text(planner, "%s", buf_text(&buf));
}

const char *planner_path(Planner *planner, const Link *link) {
        _cleanup_(buf_deinit) Buf buf = {};

        link_path(link, &buf);
        return planner_text(planner, "%s", buf_text(&buf));
}

const char *planner_label(Planner *planner, const Object *object) {
        _cleanup_(buf_deinit) Buf buf = {};

        object_label(object, &buf);
        return planner_text(planner, "%s", buf_text(&buf));
}

const char *planner_entry(Planner *planner, const Object *object) {
        _cleanup_(buf_deinit) Buf buf = {};

        object_text(object, &buf);
        return planner_text(planner, "%s", buf_text(&buf));
}

static bool grow(Planner *planner, void *items, size_t n, size_t *allocated) {
        void **array = items, *grown;

        if (n < *allocated)
                return true;
        *allocated = MAX((size_t)64, n * 2);
        grown = arena_new_n(planner->arena, void *, *allocated);
        if (!grown) {
                planner->failed = true;
                *allocated = n;
                return false;
        }
        if (n)
                memcpy(grown, *array, n * sizeof(void *));
        *array = grown;
        return true;
}

static void add_netns_item(Planner *planner, PlanItem *item) {
        NetnsItem *of = arena_new(planner->arena, NetnsItem);

        if (!of) {
                planner->failed = true;
                return;
        }
        of->item = item;
        HASH_ADD_KEYPTR(hh, planner->netns_items, item->path, strlen(item->path), of);
}

PlanItem *planner_item(Planner *planner, ItemType type, const char *path, const char *kind,
                       Location at) {
        static PlanItem nowhere; /* so that callers need not ask; failed is set */
        Plan *plan = planner->plan;
        PlanItem *item = arena_new(planner->arena, PlanItem);

        if (!item || !grow(planner, &plan->items, plan->n_items, &planner->items_allocated)) {
                planner->failed = true;
                return &nowhere;
        }
        *item = (PlanItem){
                .type = type, .path = path, .kind = kind ? kind : "", .reason = "", .at = at};
        plan->items[plan->n_items++] = item;
        if (type == ITEM_NETNS)
                add_netns_item(planner, item);
        return item;
}

PlanItem *planner_netns_item(const Planner *planner, const char *name) {
        NetnsItem *of = NULL;

        HASH_FIND_STR(planner->netns_items, name, of);
        return of ? of->item : NULL;
}

void planner_line(Planner *planner, PlanItem *item, const char *key, const char *from,
                  const char *to, Location at) {
        PlanLine *line = arena_new(planner->arena, PlanLine);

        if (!line) {
                planner->failed = true;
                return;
        }
        *line = (PlanLine){.key = key, .from = from, .to = to, .at = at};
        if (item->last)
                item->last->next = line;
        else
                item->lines = line;
        item->last = line;
}

/* A namespace that could not be looked into proves nothing about what is in it. */
static bool is_unseen(const Planner *planner, const char *path) {
        size_t owner = strcspn(path, " "), slash = strcspn(path, "/");

        for (const Namespace *netns = planner->have->namespaces; netns; netns = netns->hh.next)
                if (!netns->exists && !netns->dead && netns->reason &&
                    strlen(netns->name) == MIN(owner, slash) &&
                    strncmp(netns->name, path, MIN(owner, slash)) == 0)
                        return true;
        return false;
}

void planner_forget(Planner *planner, const char *path, const char *key) {
        PlanForget *forget = arena_new(planner->arena, PlanForget);

        if (is_unseen(planner, path))
                return;
        if (!forget) {
                planner->failed = true;
                return;
        }
        *forget = (PlanForget){planner->plan->forgets, path, key};
        planner->plan->forgets = forget;
}

/* The first verdict that needs saying stays. */
void item_judge(PlanItem *item, Verdict verdict, const char *reason) {
        if (item->verdict != VERDICT_OK)
                return;
        item->verdict = verdict;
        item->reason = reason ? reason : "";
}

Op *planner_step(Planner *planner, OpType type, Stage stage, unsigned depth, PlanItem *item) {
        static Step nowhere;
        Step *step = arena_new(planner->arena, Step);

        if (!step || !grow(planner, &planner->steps, planner->n_steps, &planner->allocated)) {
                planner->failed = true;
                return &nowhere.op;
        }
        *step = (Step){.op = {.type = type, .item = item},
                       .stage = stage,
                       .depth = depth,
                       .sequence = planner->n_steps};
        planner->steps[planner->n_steps++] = step;
        item->n_ops++;
        return &step->op;
}

/* Lower first, but for what goes: there the upper one is first, and so it is for coming down. */
static int compare_steps(const void *a, const void *b) {
        const Step *one = *(Step *const *)a, *two = *(Step *const *)b;
        bool upper_first = one->stage <= STAGE_LINK_DEL || one->stage == STAGE_DOWN ||
                           one->stage == STAGE_RELEASED;

        if (one->stage != two->stage)
                return one->stage < two->stage ? -1 : 1;
        if (one->depth != two->depth)
                return (one->depth < two->depth) != upper_first ? -1 : 1;
        return one->sequence < two->sequence ? -1 : 1;
}

static void planner_order(Planner *planner) {
        Plan *plan = planner->plan;

        if (planner->failed || !planner->n_steps)
                return;
        qsort(planner->steps, planner->n_steps, sizeof(*planner->steps), compare_steps);
        plan->ops = arena_new_n(planner->arena, Op *, planner->n_steps);
        if (!plan->ops) {
                planner->failed = true;
                return;
        }
        for (size_t i = 0; i < planner->n_steps; i++)
                plan->ops[plan->n_ops++] = &planner->steps[i]->op;
}

static void planner_count(Planner *planner) {
        Plan *plan = planner->plan;

        for (size_t i = 0; i < plan->n_items; i++) {
                PlanItem *item = plan->items[i];

                if (item->verdict == VERDICT_OK && item->n_ops)
                        item->verdict = VERDICT_CHANGE;
                if (item->verdict == VERDICT_STAYS && item->n_ops) {
                        item->reason = "not made by mvnetd, but put back as it was found";
                        plan->counts[VERDICT_CHANGE]++;
                        continue;
                }
                plan->counts[item->verdict]++;
        }
}

int plan_new(const Network *wanted, const Network *have, const Record *record, Plan **ret) {
        _cleanup_(plan_freep) Plan *plan = calloc(1, sizeof(Plan));
        Planner planner = {.plan = plan, .wanted = wanted, .have = have, .record = record};

        if (!plan)
                return -ENOMEM;
        planner.arena = &plan->arena;
        planner_namespaces(&planner);
        planner_index(&planner);
        planner_match(&planner);
        planner_undo_links(&planner);
        planner_judge(&planner);
        planner_steps(&planner);
        planner_entries(&planner);
        planner_undo_rest(&planner);
        planner_order(&planner);
        planner_guard(&planner);
        planner_count(&planner);
        HASH_CLEAR(by_wanted, planner.links);
        HASH_CLEAR(by_have, planner.existing);
        HASH_CLEAR(hh, planner.uppers);
        HASH_CLEAR(hh, planner.numbered);
        HASH_CLEAR(hh, planner.keyed);
        HASH_CLEAR(hh, planner.netns_items);
        if (planner.failed)
                return -ENOMEM;
        *ret = plan;
        plan = NULL;
        return 0;
}

Plan *plan_free(Plan *plan) {
        if (!plan)
                return NULL;
        arena_deinit(&plan->arena);
        free(plan);
        return NULL;
}

void plan_freep(Plan **plan) {
        *plan = plan_free(*plan);
}

bool plan_deletes(const Plan *plan) {
        for (size_t i = 0; i < plan->n_ops; i++)
                if (plan->ops[i]->type == OP_LINK_DEL)
                        return true;
        return false;
}

bool plan_is_empty(const Plan *plan) {
        return plan->n_ops == 0;
}
