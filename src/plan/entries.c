/* SPDX-License-Identifier: MIT */
/*
 * What lives in a namespace and has requests of its own: routes, rules. Whatever is missing for one
 * of them holds up that one only.
 */

#include "planner.h"

#include <errno.h>

/* One that is wanted. */
typedef struct Wish {
        const Object *wanted, *have;
        const Namespace *netns;
        PlanItem *item;
        unsigned depth; /* with a gateway, after those that lead to gateways */
} Wish;

static const char *wish_missing(Planner *planner, const Wish *wish);
static RowSet wish_differs(const Planner *planner, const Wish *wish, bool ours);
static bool is_ours(const Planner *planner, const Wish *wish);

/* Gone, elsewhere, or down for a moment. */
static bool is_shaken(const Planner *planner, const LinkPlan *link) {
        return link->remove || link->create || link->changes_netns ||
               (link->wanted && (planner_goes_down(planner, link) || planner_joins(planner, link) ||
                                 planner_is_let_down(planner, link)));
}

/* It goes with the link that it leaves by, or with all that it refers to (OBJECT_REFERRED). */
static bool is_lost(const Planner *planner, const Namespace *there, const Object *have,
                    unsigned depth) {
        size_t i;

        ROWSET_FOREACH(i, have->set.present) {
                const Row *row = schema_row(have->set.schema, i);
                const LinkPlan *link = have->type->flags & OBJECT_REFERRED && row->type->is_ref
                        ? planner_by_have(planner, network_find_link(planner->have,
                                                                     &have->set.values[i].ref))
                        : NULL;
                bool any = false, all = true;
                uint64_t number;

                for (size_t j = 0; depth > 0 && row_number(row, &have->set.values[i], j, &number);
                     j++) {
                        const Object *other = namespace_find_numbered(there, row->of, number);

                        any = true;
                        all &= other && is_lost(planner, there, other, depth - 1);
                }
                if ((any && all) || (link && is_shaken(planner, link)))
                        return true;
        }
        return false;
}

static Wish wish_of(const Planner *planner, const Namespace *netns, const Object *wanted) {
        const Namespace *there = network_find_namespace(planner->have, netns->name);
        const Object *have = there && there->exists ? object_find(there->objects, wanted) : NULL;

        return (Wish){
                .wanted = wanted,
                .have = have && !is_lost(planner, there, have, 2) ? have : NULL,
                .netns = netns,
                .depth = wanted->type->rank ? wanted->type->rank(&wanted->set) : 0,
        };
}

static const char *wish_name(Planner *planner, const Wish *wish) {
        _cleanup_(buf_deinit) Buf text = {};

        object_key(wish->wanted, &text);
        return planner_text(planner, "%s %s", wish->wanted->type->schema.name, buf_text(&text));
}

static Op *wish_step(Planner *planner, const Wish *wish, OpType type, const Object *object) {
        Op *op = planner_step(planner, type, STAGE_ENTRY, wish->depth, wish->item);

        op->netns = op->name = wish->netns->name;
        op->object = object;
        op->object_rows = object->set.present;
        return op;
}

/* Waiting. */

static const char *link_missing(Planner *planner, const Ref *ref) {
        const LinkPlan *link = planner_by_wanted(planner, network_find_link(planner->wanted, ref));

        if (!link)
                return NULL;
        if (link->blocked || (!link->have && !link->create))
                return planner_text(planner, "waiting for %s", link->item->path);
        if (!planner_will_be_up(link))
                return planner_text(planner, "waiting for %s to be up", link->item->path);
        return NULL;
}

/* Whether another one that it refers to is there as wanted, or will be: those are of lower ranks. */
static bool is_granted(Planner *planner, const Wish *wish, const Object *other) {
        const Wish first = wish_of(planner, wish->netns, other);
        _cleanup_(buf_deinit) Buf path = {};

        if (first.have)
                return is_ours(planner, &first) || !wish_differs(planner, &first, false);
        object_path(NULL, first.netns, first.wanted, &path);
        return !record_claimed_by(planner->record, buf_text(&path)) &&
               first.depth < wish->depth && !wish_missing(planner, &first);
}

static const char *numbers_missing(Planner *planner, const Wish *wish, size_t row) {
        const AttrSet *set = &wish->wanted->set;
        const Row *what = schema_row(set->schema, row);
        uint64_t number;

        for (size_t i = 0; row_number(what, &set->values[row], i, &number); i++) {
                const Object *other = namespace_find_numbered(wish->netns, what->of, number);

                if (other && !is_granted(planner, wish, other))
                        return planner_text(planner, "waiting for %s %llu", what->of->schema.name,
                                            (unsigned long long)number);
        }
        return NULL;
}

/* What it refers to and is not there, or NULL. */
static const char *wish_missing(Planner *planner, const Wish *wish) {
        const AttrSet *set = &wish->wanted->set;
        const char *missing = NULL;
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const Row *row = schema_row(set->schema, i);

                if (!missing && row->type->is_ref && !(row->flags & (ROW_LOCAL | ROW_LOOSE)) &&
                    row->type->shape == SHAPE_SCALAR && set->values[i].ref.link)
                        missing = link_missing(planner, &set->values[i].ref);
                for (size_t j = 0; row->type->ref_in && !missing && j < set->values[i].list.n; j++) {
                        const Value *ref = row->type->ref_in(&set->values[i].list.items[j]);

                        if (ref->ref.link)
                                missing = link_missing(planner, &ref->ref);
                }
                if (!missing)
                        missing = numbers_missing(planner, wish, i);
        }
        return missing;
}

/* Said of the item if nothing else is to be done for it: that is known at the end. */
static void wait_for(Planner *planner, const Wish *wish, const char *missing) {
        Waiting *waiting = arena_new(planner->arena, Waiting);

        if (!waiting) {
                planner->failed = true;
                return;
        }
        *waiting = (Waiting){
                .next = planner->waiting,
                .item = wish->item,
                .reason = planner_text(planner, "%s: %s", wish_name(planner, wish), missing),
        };
        planner->waiting = waiting;
}

/* Differences. */

/* The same link, by whatever name it goes now. */
static bool ref_is_same(const Planner *planner, const Value *wanted, const Value *have) {
        const LinkPlan *link = planner_by_wanted(
                planner, network_find_link(planner->wanted, &wanted->ref));

        if (!wanted->ref.link || have->unresolved || !have->ref.link)
                return !wanted->ref.link && !have->unresolved && !have->ref.link;
        return link && link->have == network_find_link(planner->have, &have->ref);
}

static RowSet wish_differs(const Planner *planner, const Wish *wish, bool ours) {
        const AttrSet *wanted = &wish->wanted->set, *have = &wish->have->set;
        RowSet unknown = 0, differ = attrset_diff(wanted, have, ours, &unknown);
        size_t i;

        ROWSET_FOREACH(i, differ) {
                const Row *row = schema_row(wanted->schema, i);

                if (row->type->is_ref && row->type->shape == SHAPE_SCALAR &&
                    ref_is_same(planner, &wanted->values[i], &have->values[i]))
                        differ &= ~ROW_BIT(i);
        }
        return differ | (unknown & ~wanted->implied);
}

static bool is_ours(const Planner *planner, const Wish *wish) {
        const Value *protocol = attrset_get(&wish->have->set, "protocol");
        _cleanup_(buf_deinit) Buf path = {};
        const RecordEntry *entry;

        if (protocol && protocol->number == PROTOCOL_OURS)
                return true;
        object_path(NULL, wish->netns, wish->wanted, &path);
        entry = record_find(planner->record, buf_text(&path));
        return entry && entry->made;
}

static bool can_replace(const Wish *wish, RowSet differ) {
        const AttrSet *wanted = &wish->wanted->set, *have = &wish->have->set;
        const ObjectType *type = wish->wanted->type;
        size_t i;

        ROWSET_FOREACH(i, differ) {
                const Row *row = schema_row(&type->schema, i);

                if (row->change > CHANGE_LIVE ||
                    (attrset_has(have, i) &&
                     value_change_is_fixed(row, &have->values[i], &wanted->values[i])))
                        return false;
        }
        return !type->replaceable || type->replaceable(&wish->have->set);
}

static void show_rows(Planner *planner, const Wish *wish, RowSet rows) {
        const AttrSet *wanted = &wish->wanted->set, *have = &wish->have->set;
        const char *name = wish_name(planner, wish);
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(wanted->schema, i);

                planner_line(planner, wish->item, planner_text(planner, "%s %s", name, row->key),
                             attrset_has(have, i) ? planner_value(planner, row, &have->values[i])
                                                  : NULL,
                             planner_value(planner, row, &wanted->values[i]), wish->wanted->at);
        }
}

static void change(Planner *planner, const Wish *wish) {
        RowSet differ = wish_differs(planner, wish, true);
        const char *missing = differ ? wish_missing(planner, wish) : NULL;

        /* As it was is better than not at all. */
        if (missing)
                wait_for(planner, wish, missing);
        if (!differ || missing)
                return;
        show_rows(planner, wish, differ);
        if (can_replace(wish, differ)) {
                wish_step(planner, wish, OP_OBJECT_SET, wish->wanted)->object_rows = differ;
                return;
        }
        wish_step(planner, wish, OP_OBJECT_DEL, wish->have);
        wish_step(planner, wish, OP_OBJECT_ADD, wish->wanted);
}

/* Somebody else's: adopted if it is what was said, left alone otherwise. */
static void adopt(Planner *planner, const Wish *wish) {
        RowSet differ = wish_differs(planner, wish, false);

        if (differ)
                item_judge(wish->item, VERDICT_CONFLICT,
                           planner_text(planner, "%s is there, not added by mvnetd, with another %s",
                                        wish_name(planner, wish),
                                        schema_row(wish->wanted->set.schema,
                                                   (size_t)__builtin_ctzll(differ))->key));
}

static void add(Planner *planner, const Wish *wish) {
        _cleanup_(buf_deinit) Buf path = {};
        const char *missing = wish_missing(planner, wish), *claimed;

        object_path(NULL, wish->netns, wish->wanted, &path);
        claimed = record_claimed_by(planner->record, buf_text(&path));
        if (claimed) {
                item_judge(wish->item, VERDICT_CONFLICT,
                           planner_text(planner, "%s belongs to the configuration '%s'",
                                        wish_name(planner, wish), claimed));
                return;
        }
        if (missing) {
                wait_for(planner, wish, missing);
                return;
        }
        wish_step(planner, wish, OP_OBJECT_ADD, wish->wanted);
        planner_line(planner, wish->item, wish->wanted->type->schema.name, NULL,
                     planner_entry(planner, wish->wanted), wish->wanted->at);
}

/* Its record was lost, or is that of another name that is gone: it is taken up again. */
static void claim(Planner *planner, const Wish *wish) {
        const Value *protocol = attrset_get(&wish->have->set, "protocol");
        const Namespace *there = network_find_namespace(planner->have, wish->netns->name);
        _cleanup_(buf_deinit) Buf path = {};
        PlanClaim *made;

        object_path(NULL, wish->netns, wish->wanted, &path);
        if (!protocol || protocol->number != PROTOCOL_OURS ||
            record_find(planner->record, buf_text(&path)) ||
            record_claimed_by(planner->record, buf_text(&path)))
                return;
        made = arena_new(planner->arena, PlanClaim);
        if (!made) {
                planner->failed = true;
                return;
        }
        *made = (PlanClaim){planner->plan->claims, planner_text(planner, "%s", buf_text(&path)),
                            there->cookie};
        planner->plan->claims = made;
}

static void grant(Planner *planner, const Wish *wish) {
        if (!wish->have)
                add(planner, wish);
        else if (is_ours(planner, wish)) {
                claim(planner, wish);
                change(planner, wish);
        } else
                adopt(planner, wish);
}

/* NULL: it is not there, and can't be made. */
static PlanItem *item_of_netns(const Planner *planner, const Namespace *netns) {
        PlanItem *item = planner_netns_item(planner, netns->name);

        return item && item->verdict != VERDICT_WAITING && item->verdict != VERDICT_CONFLICT ? item
                                                                                         : NULL;
}

/* Of the link that it is written under, or of the namespace; NULL: that has to wait. */
static PlanItem *item_of(const Planner *planner, PlanItem *of_netns, const Object *wanted) {
        const LinkPlan *link = planner_by_wanted(planner, wanted->under);

        if (!wanted->under)
                return of_netns;
        return link && !link->blocked ? link->item : NULL;
}

static void plan_entries(Planner *planner, const Namespace *netns) {
        PlanItem *of_netns = item_of_netns(planner, netns); /* before it is judged by one of them */

        for (const Object *wanted = netns->objects; wanted && !planner->failed;
             wanted = wanted->next) {
                Wish wish;

                if (wanted->type->transport != TRANSPORT_RTNL)
                        continue;
                wish = wish_of(planner, netns, wanted);
                wish.item = item_of(planner, of_netns, wanted);
                if (wish.item)
                        grant(planner, &wish);
        }
}

void planner_entries(Planner *planner) {
        for (const Namespace *netns = planner->wanted->namespaces; netns; netns = netns->hh.next)
                plan_entries(planner, netns);
        for (const Waiting *waiting = planner->waiting; waiting; waiting = waiting->next)
                if (!waiting->item->n_ops)
                        item_judge(waiting->item, VERDICT_WAITING, waiting->reason);
}
