/* SPDX-License-Identifier: MIT */
/*
 * Names of hosts in what is wanted. What they stand for is in what there is, like all that a dump
 * tells. While it is not known, everything else of the object is set, and that row waits.
 */

#include "planner.h"

/* The record has the same name; behind a blank, what it stood for. */
static bool was_set(Planner *planner, const Row *row, const RecordRow *recorded,
                    const Value *wanted) {
        const char *text = planner_value(planner, row, wanted);
        size_t size = strlen(text);

        return recorded && strncmp(recorded->set, text, size) == 0 &&
               (recorded->set[size] == '\0' || recorded->set[size] == ' ');
}

/* Of several addresses the one that we have set, or else is set: their order can be any. */
static void pick(Planner *planner, const Row *row, const Lookup *lookup, const RecordRow *recorded,
                 const Value *have, Value *value) {
        const Value wanted = *value;
        bool is_there = false;

        for (size_t i = 0; i < lookup->n; i++) {
                Value one;

                if (row->type->found(planner->arena, &wanted, &lookup->addresses[i], &one) < 0) {
                        planner->failed = true;
                        return;
                }
                if (recorded && streq(recorded->set, planner_value(planner, row, &one))) {
                        *value = one;
                        return;
                }
                if (have && !is_there && value_equal(row, &one, have)) {
                        is_there = true;
                        *value = one;
                } else if (i == 0) {
                        *value = one;
                }
        }
}

static bool has_host(const AttrSet *set, size_t i, char ret[HOST_NAME_SIZE]) {
        const AttrType *type = schema_row(set->schema, i)->type;

        return type->host && type->host(&set->values[i], ret);
}

static Object *copy_of(Planner *planner, const Object *wanted) {
        Object *copy = arena_new(planner->arena, Object);

        if (copy)
                *copy = *wanted;
        if (!copy || attrset_copy(&wanted->set, planner->arena, &copy->set) < 0) {
                planner->failed = true;
                return NULL;
        }
        return copy;
}

static const char *waiting_for(Planner *planner, const char *host, const Lookup *lookup) {
        bool failed = lookup->state == LOOKUP_FAILED;

        return planner_text(planner, "waiting for %s to resolve%s%s", host, failed ? ": " : "",
                            failed ? lookup->reason : "");
}

/*
 * What has been set once stays, as long as nobody knows better. Where nobody looks anything up, as
 * for a plan that is only shown, it is taken to be known by the time it is sent.
 */
static void look_at(Planner *planner, const LinkPlan *link, Object *object, const Object *have,
                    size_t i, const char *host, Unknown *ret) {
        const Row *row = schema_row(object->set.schema, i);
        Value *value = &object->set.values[i];
        const Value *there = have && attrset_has(&have->set, i) ? &have->set.values[i] : NULL;
        const RecordEntry *entry = planner_object_entry(planner, link, object);
        const RecordRow *recorded = entry ? record_row(entry, row->key) : NULL;
        const Lookup *lookup = network_find_lookup(planner->have, link_outer_netns(link->wanted),
                                                   host);

        if (lookup && lookup->n > 0) {
                pick(planner, row, lookup, recorded, there, value);
        } else if (there && was_set(planner, row, recorded, value)) {
                ret->rows |= ROW_BIT(i);
        } else if (lookup) {
                ret->rows |= ROW_BIT(i);
                ret->waits = waiting_for(planner, host, lookup);
        }
}

const Object *planner_look_up(Planner *planner, const LinkPlan *link, const Object *wanted,
                              const Object *have, Unknown *ret) {
        char host[HOST_NAME_SIZE];
        Object *object = NULL;
        size_t i;

        *ret = (Unknown){};
        ROWSET_FOREACH(i, wanted->set.present) {
                if (!has_host(&wanted->set, i, host))
                        continue;
                if (!object)
                        object = copy_of(planner, wanted);
                if (!object)
                        return wanted;
                look_at(planner, link, object, have, i, host, ret);
        }
        return object ? object : wanted;
}
