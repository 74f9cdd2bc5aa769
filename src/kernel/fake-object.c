/* SPDX-License-Identifier: MIT */
/*
 * What lives on the fake kernel's links and in its namespaces: what is refused, what is taken, and
 * what goes with something else.
 */

#include "kernel/fake.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Adding. */

/* What the kernel says of every address: IFA_LABEL and IFA_PROTO. */
static int describe_address(FakeKernel *kernel, const Link *link, Object *object,
                            uint8_t protocol) {
        const Value *address = attrset_get(&object->set, "address");
        int label = schema_find(object->set.schema, "label");
        int proto = schema_find(object->set.schema, "protocol");

        if (proto >= 0)
                attrset_set(&object->set, (size_t)proto, (Value){.number = protocol});
        if (label < 0 || !address || address->family != AF_INET ||
            (attrset_has(&object->set, (size_t)label) && *object->set.values[label].text))
                return 0;
        return fake_set_value(kernel, &object->set, (size_t)label, &(Value){.text = link->name});
}

int fake_add_address(FakeKernel *kernel, Link *link, const char *text) {
        Object like = {.type = &object_address}, *object;
        int r = attrset_init(&like.set, &object_address.schema, &kernel->world->arena);

        if (r == 0)
                r = fake_set_text(kernel, &like.set, "address", text);
        if (r < 0)
                return r;
        if (object_find(link->objects, &like))
                return 0;
        object = link_add_object(link, &object_address);
        if (!object)
                return -ENOMEM;
        object->set = like.set;
        r = fake_fill(kernel, &object->set, false);
        return r < 0 ? r : describe_address(kernel, link, object, 3 /* IFAPROT_KERNEL_LL */);
}

/* One slot for both: an IPv6 address is there once per link, whatever its prefix (addrconf.c). */
static bool same_slot(const Object *a, const Object *b) {
        const Value *x, *y;

        if (object_same(a, b))
                return true;
        if (a->type != &object_address || b->type != &object_address)
                return false;
        x = attrset_get(&a->set, "address");
        y = attrset_get(&b->set, "address");
        return x && y && x->family == AF_INET6 && fake_same_ip(x, y);
}

static Object *find_slot(Object *list, const Object *like) {
        for (Object *object = list; object; object = object->next)
                if (same_slot(object, like))
                        return object;
        return NULL;
}

/* KIND_OWN_IP: the parent tells its children apart by their addresses. */
static bool sibling_has(FakeKernel *kernel, const Link *link, const Object *object) {
        const Value *address = attrset_get(&object->set, "address");
        const Link *parent = fake_parent(link);

        if (!parent || !address || !link_kind_is(link->kind, KIND_OWN_IP))
                return false;
        FOREACH_LINK(kernel, sibling) {
                if (sibling == link || fake_parent(sibling) != parent)
                        continue;
                for (const Object *other = sibling->objects; other; other = other->next) {
                        const Value *theirs = attrset_get(&other->set, "address");

                        if (other->type == &object_address && theirs &&
                            fake_same_ip(theirs, address))
                                return true;
                }
        }
        return false;
}

static int check_address(FakeKernel *kernel, const Link *link, const Object *object,
                         OpResult *result) {
        const Value *address = attrset_get(&object->set, "address");

        if (address->family == AF_INET6 && link->common.values[LINK_MTU].number < 1280)
                return fake_refuse(result, -EINVAL, NULL, "IPv6 is off below an MTU of 1280");
        if (sibling_has(kernel, link, object))
                return fake_refuse(result, -EADDRINUSE, NULL,
                                   "Address already assigned to an ipvlan device");
        return 0;
}

/* Whether there is what it needs. */
static int check_object(FakeKernel *kernel, const Namespace *netns, const Link *link,
                        const Object *object, OpResult *result) {
        int r = link ? 0 : fake_check_numbers(kernel, netns, object, result);

        if (r < 0)
                return r;
        if (object->type == &object_route)
                return fake_check_route(netns, object, result);
        if (!link)
                return 0;
        if (object->type == &object_address)
                return check_address(kernel, link, object, result);
        if (object->type == &object_neighbour)
                return fake_check_neighbour(link, object, result);
        if (object->type == &object_altname && fake_name_taken(link->netns, object->set.values[0].text))
                return fake_refuse(result, -EEXIST, NULL, "the name is in use");
        if (object->type->within && !object_outer(link->objects, object))
                return fake_refuse(result, -ENODEV, NULL, "what it lives within is not there");
        if (object->type->flags & OBJECT_OF_PORT)
                return fake_check_of_port(link, object, result);
        return object->type->of_master ? fake_check_fdb(link, object, result) : 0;
}

/* As it was asked for, in these rows, and reported from now on. */
static int object_take(FakeKernel *kernel, const Object *from, RowSet rows,
                       const Namespace *netns, Link *link, Object *object) {
        int r = attrset_init(&object->set, from->set.schema, &kernel->world->arena);
        size_t i;

        ROWSET_FOREACH(i, from->set.present & rows)
                if (r == 0)
                        r = fake_set_value(kernel, &object->set, i, &from->set.values[i]);
        if (r < 0)
                return r;
        object->set.at = NULL;
        r = fake_fill(kernel, &object->set, false);
        if (object->type->fit && link)
                object->type->fit(object, link);
        if (r == 0 && object->type == &object_address)
                r = describe_address(kernel, link, object, PROTOCOL_OURS);
        else if (r == 0 && schema_find(object->set.schema, "protocol") >= 0)
                attrset_set(&object->set, (size_t)schema_find(object->set.schema, "protocol"),
                            (Value){.number = PROTOCOL_OURS});
        if (object->type == &object_route)
                fake_complete_route(netns, object);
        else if (object->type == &object_address)
                fake_got_address(kernel, link, attrset_get(&object->set, "address"));
        return r;
}

static int object_add(FakeKernel *kernel, const Op *op, Namespace *netns, Link *link,
                      OpResult *result) {
        Object *object = find_slot(link ? link->objects : netns->objects, op->object);
        int r;

        if (object && !op->again && !(object->type->flags & OBJECT_TAKES))
                return fake_refuse(result, -EEXIST, NULL, "it is there already");
        r = check_object(kernel, netns, link, op->object, result);
        if (r < 0)
                return r;
        if (!object)
                object = link ? link_add_object(link, op->object->type)
                              : namespace_add_object(netns, op->object->type);
        if (!object)
                return -ENOMEM;
        return object_take(kernel, op->object,
                           op->type == OP_OBJECT_ADD ? op->object_rows : ~(RowSet)0, netns, link,
                           object);
}

/* NLM_F_REPLACE changes lifetimes and metric; label, scope and broadcast are silently kept. */
static int object_set(FakeKernel *kernel, const Op *op, Namespace *netns, Link *link,
                      Object *there, OpResult *result) {
        size_t i;
        int r = 0;

        if (!there)
                return object_add(kernel, op, netns, link, result);
        if (there->type->flags & OBJECT_WHOLE && there->type->transport == TRANSPORT_RTNL) {
                r = check_object(kernel, netns, link, op->object, result);
                return r < 0 ? r : object_take(kernel, op->object, ~(RowSet)0, netns, link, there);
        }
        ROWSET_FOREACH(i, op->object_rows) {
                const Row *row = schema_row(there->set.schema, i);

                if (r == 0 && row->change <= CHANGE_DOWN && attrset_has(&op->object->set, i))
                        r = fake_set_value(kernel, &there->set, i, &op->object->set.values[i]);
        }
        return r;
}

/* Secondary addresses go with the first of their subnet (promote_secondaries=0, devinet.c). */
static void delete_secondaries(FakeKernel *kernel, Link *link, const Value *gone) {
        Object *next;

        if (gone->family != AF_INET || gone->length > 32)
                return;
        for (Object *object = link->objects; object; object = next) {
                const Value *address = attrset_get(&object->set, "address");

                next = object->next;
                if (object->type != &object_address || !address ||
                    address->length != gone->length ||
                    !fake_in_prefix(address, gone, gone->length))
                        continue;
                object_remove(&link->objects, &link->last, object);
                fake_lost_address(kernel, link, address);
        }
}

static bool is_primary(const Link *link, const Object *object) {
        const Value *address = attrset_get(&object->set, "address");

        for (const Object *first = link->objects; first != object; first = first->next) {
                const Value *other = attrset_get(&first->set, "address");

                if (first->type == &object_address && other && address &&
                    other->family == AF_INET && other->length == address->length &&
                    fake_in_prefix(other, address, MIN(address->length, 32)))
                        return false;
        }
        return true;
}

static void delete_inner(Link *link, const Object *outer) {
        Object *next;

        for (Object *object = link->objects; object; object = next) {
                next = object->next;
                if (object->type->within && object_outer(link->objects, object) == outer)
                        object_remove(&link->objects, &link->last, object);
        }
}

static void object_del(FakeKernel *kernel, Namespace *netns, Link *link, Object *object) {
        const Value *address = link && object->type == &object_address
                ? attrset_get(&object->set, "address") : NULL;
        bool primary = address && is_primary(link, object);

        if (link && object->type->inner)
                delete_inner(link, object);
        if (link)
                object_remove(&link->objects, &link->last, object);
        else
                object_remove(&netns->objects, &netns->last, object);
        if (!link && object->type->flags & OBJECT_REFERRED)
                fake_forget_number(netns, object->type, object->set.values[0].number);
        if (primary)
                delete_secondaries(kernel, link, address);
        if (address)
                fake_lost_address(kernel, link, address);
}

static int apply_sysctl(FakeKernel *kernel, const Op *op, Object *there, OpResult *result) {
        const Value *value = attrset_get(&op->object->set, "value");
        int row = schema_find(op->object->set.schema, "value");

        if (op->type == OP_OBJECT_DEL || !value)
                return fake_refuse(result, -EINVAL, NULL, "a parameter cannot be deleted");
        if (!there)
                return fake_refuse(result, -ENOENT, NULL, "no such parameter");
        return fake_set_value(kernel, &there->set, (size_t)row, value);
}

int fake_apply_object(FakeKernel *kernel, const Op *op, OpResult *result) {
        Namespace *netns = fake_space(kernel, op->netns);
        bool on_link = !op_is_entry(op) && op->object->type->flags & OBJECT_ON_LINK;
        Link *link = NULL;
        Object *there;
        int r = 0;

        if (!netns)
                return fake_refuse(result, -ENOENT, NULL, "no namespace %s", op->netns);
        if (on_link)
                r = fake_find(kernel, op, result, &link);
        if (r < 0)
                return r;
        there = object_find(link ? link->objects : netns->objects, op->object);
        if (op->object->type->transport == TRANSPORT_SYSCTL)
                return apply_sysctl(kernel, op, there, result);
        if (op->type == OP_OBJECT_ADD)
                return object_add(kernel, op, netns, link, result);
        if (op->type == OP_OBJECT_SET)
                return object_set(kernel, op, netns, link, there, result);
        if (there)
                object_del(kernel, netns, link, there);
        else
                return fake_refuse(result, -EADDRNOTAVAIL, NULL, "it is not there");
        return 0;
}
