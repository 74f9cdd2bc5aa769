/* SPDX-License-Identifier: MIT */
/*
 * The fake kernel's objects that others refer to by number, as routes and groups do to nexthops:
 * what has to be there first, and what goes with them.
 */

#include "kernel/fake.h"

#include <errno.h>

/* A link that it leaves by is up (nexthop.c rtm_to_nh_config). */
static int check_links(FakeKernel *kernel, const Object *object, OpResult *result) {
        size_t i;

        ROWSET_FOREACH(i, object->type->flags & OBJECT_REFERRED ? object->set.present : 0) {
                const Row *row = schema_row(object->set.schema, i);
                const Link *link = row->type->is_ref
                        ? network_find_link(kernel->world, &object->set.values[i].ref) : NULL;

                if (!row->type->is_ref)
                        continue;
                if (!link)
                        return fake_refuse(result, -EINVAL, row, "Invalid device index");
                if (!fake_is_up(link))
                        return fake_refuse(result, -ENETDOWN, row, "Nexthop device is not up");
        }
        return 0;
}

int fake_check_numbers(FakeKernel *kernel, const Namespace *netns, const Object *object,
                       OpResult *result) {
        uint64_t number;
        size_t i;

        ROWSET_FOREACH(i, object->set.present) {
                const Row *row = schema_row(object->set.schema, i);

                for (size_t j = 0; row_number(row, &object->set.values[i], j, &number); j++)
                        if (!namespace_find_numbered(netns, row->of, number))
                                return fake_refuse(result, -EINVAL, row,
                                                   "Nexthop id does not exist");
        }
        return check_links(kernel, object, result);
}

/* True: it refers to nothing any more. */
static bool forget_in(const Row *row, Value *value, uint64_t number) {
        size_t kept = 0;
        uint64_t one;

        if (row->type->shape == SHAPE_SCALAR)
                return value->number == number;
        for (size_t i = 0; row_number(row, value, i, &one); i++)
                if (one != number)
                        value->list.items[kept++] = value->list.items[i];
        if (kept == value->list.n)
                return false;
        value->list.n = kept;
        return kept == 0;
}

static bool forget_all_in(Object *object, const ObjectType *type, uint64_t number) {
        bool alone = false;
        size_t i;

        ROWSET_FOREACH(i, object->set.present) {
                const Row *row = schema_row(object->set.schema, i);

                alone |= row->of == type && forget_in(row, &object->set.values[i], number);
        }
        return alone;
}

static void remove_numbered(Namespace *netns, Object *object) {
        uint64_t number = object->set.values[0].number;

        object_remove(&netns->objects, &netns->last, object);
        if (object->type->flags & OBJECT_REFERRED)
                fake_forget_number(netns, object->type, number);
}

/* From the start after each: what goes takes others along. */
void fake_forget_number(Namespace *netns, const ObjectType *type, uint64_t number) {
        for (Object *object = netns->objects, *next; object; object = next) {
                next = object->next;
                if (!forget_all_in(object, type, number))
                        continue;
                remove_numbered(netns, object);
                next = netns->objects;
        }
}

static bool leaves_by(const Object *object, const Link *link) {
        const Ref self = link_self(link);
        size_t i;

        ROWSET_FOREACH(i, object->set.present)
                if (schema_row(object->set.schema, i)->type->is_ref &&
                    ref_equal(&object->set.values[i].ref, &self))
                        return true;
        return false;
}

void fake_flush_referred(Link *link) {
        for (Object *object = link->netns->objects, *next; object; object = next) {
                next = object->next;
                if (!(object->type->flags & OBJECT_REFERRED) || !leaves_by(object, link))
                        continue;
                remove_numbered(link->netns, object);
                next = link->netns->objects;
        }
}
