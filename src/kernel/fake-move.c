/* SPDX-License-Identifier: MIT */
/*
 * The fake kernel's links on their way: to another name, to another namespace, to nowhere. What
 * stays with a link that moves and what does not is what a plan has to make good.
 */

#include "kernel/fake.h"

#include <errno.h>
#include <string.h>

/* IFA_LABEL is the link's name, or that and a suffix, and goes with it (devinet.c). */
static int rename_labels(FakeKernel *kernel, Link *link, const char *from) {
        size_t n = strlen(from);

        for (Object *object = link->objects; object; object = object->next) {
                int at = schema_find(&object->type->schema, "label");
                const char *label;
                Value value = {};

                if (object->type != &object_address || at < 0 ||
                    !attrset_has(&object->set, (size_t)at))
                        continue;
                label = object->set.values[at].text;
                if (strncmp(label, from, n) != 0 || (label[n] && label[n] != ':'))
                        continue;
                value.text = arena_printf(&kernel->world->arena, "%s%s", link->name, label + n);
                if (!value.text)
                        return -ENOMEM;
                attrset_set(&object->set, (size_t)at, value);
        }
        return 0;
}

static int rename_link(FakeKernel *kernel, Link *link, const char *name) {
        const char *from = link->name;
        int r = namespace_rename_link(link, name);

        if (r < 0)
                return r;
        fake_rename_refs(kernel, (Ref){link->netns->name, from}, link_self(link));
        return rename_labels(kernel, link, from);
}

static void drop_objects(Link *link, const ObjectType *except) {
        Object *next;

        for (Object *object = link->objects; object; object = next) {
                next = object->next;
                if (object->type != except)
                        object_remove(&link->objects, &link->last, object);
        }
}

/* dev_change_net_namespace(): what goes, what stays. */
int fake_transfer(FakeKernel *kernel, Link *link, Namespace *to, const char *name, Link **ret) {
        Ref from = link_self(link);
        FakeLink *fake = fake_link(kernel, link);
        FakeSpace *space;
        Link *moved, *child, as_made;
        int r = fake ? 0 : -ENOMEM;

        while (r == 0 && (child = fake_child(kernel, link, KIND_SAME_NETNS)))
                r = fake_destroy(kernel, child);
        if (r == 0)
                r = fake_release(kernel, link);
        if (r == 0)
                r = fake_down(kernel, link);
        if (r == 0)
                fake_lose_ip(kernel, link);
        HASH_FIND(hh, kernel->spaces, &to->cookie, sizeof(uint64_t), space);
        moved = r == 0 && space ? namespace_add_link(to, name) : NULL;
        if (!moved)
                return r < 0 ? r : -ENOMEM;
        as_made = *moved;
        namespace_remove_link(link);
        *moved = *link;
        moved->name = as_made.name;
        moved->netns = to;
        moved->hh = as_made.hh;
        HASH_DEL(kernel->links, fake);
        fake->link = moved;
        HASH_ADD_PTR(kernel->links, link, fake);
        moved->ifindex = 0;
        if (namespace_find_ifindex(to, link->ifindex))
                moved->ifindex = ++space->last_ifindex;
        else
                moved->ifindex = link->ifindex;
        space->last_ifindex = MAX(space->last_ifindex, moved->ifindex);
        drop_objects(moved, &object_altname);
        attrset_set(&moved->common, LINK_ADDR_GEN_MODE, (Value){});
        fake_rename_refs(kernel, from, link_self(moved));
        *ret = moved;
        return fake_reset_sysctls(kernel, moved);
}

/* An altname that is used over there is in the way as well. */
static const char *name_in_the_way(const Link *link, const Namespace *to, const char *name) {
        if (fake_name_taken(to, name))
                return name;
        for (const Object *object = link->objects; object; object = object->next)
                if (object->type == &object_altname && to != link->netns &&
                    fake_name_taken(to, object->set.values[0].text))
                        return object->set.values[0].text;
        return NULL;
}

int fake_link_move(FakeKernel *kernel, const Op *op, OpResult *result) {
        Namespace *to = fake_space(kernel, op->to.netns);
        const char *taken;
        Link *link, *moved;
        int r = fake_find(kernel, op, result, &link);

        if (r < 0)
                return r;
        if (!to)
                return fake_refuse(result, -ENOENT, NULL, "no namespace %s", op->to.netns);
        if (to == link->netns && streq(link->name, op->to.link))
                return 0;
        if (link_name_problem(op->to.link))
                return fake_refuse(result, -EINVAL, NULL, "%s", link_name_problem(op->to.link));
        if (to != link->netns &&
            (link_kind_is(link->kind, KIND_IMMUTABLE_NETNS) || fake_is_loopback(link)))
                return fake_refuse(result, -EINVAL, NULL, "The interface netns is immutable");
        taken = name_in_the_way(link, to, op->to.link);
        if (taken)
                return fake_refuse(result, -EEXIST, NULL, "%s exists in %s", taken, to->name);
        if (to == link->netns)
                return rename_link(kernel, link, op->to.link);
        return fake_transfer(kernel, link, to, op->to.link, &moved);
}

int fake_link_del(FakeKernel *kernel, const Op *op, OpResult *result) {
        Link *link;
        int r = fake_find(kernel, op, result, &link);

        if (r < 0)
                return r;
        if (!link->kind_name)
                return fake_refuse(result, -EOPNOTSUPP, NULL, "%s is physical", link->name);
        return fake_destroy(kernel, link);
}
