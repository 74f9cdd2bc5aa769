/* SPDX-License-Identifier: MIT */
/* The fake kernel's tunnels: lower devices that are options, and options that are replaced. */

#include "kernel/fake.h"

#include <errno.h>

int fake_check_lower(FakeKernel *kernel, const Op *op, const char *bind, OpResult *result) {
        const Row *row = schema_row(&link_schema, LINK_PARENT);
        const AttrSet *common = &op->link->common;
        const Ref *ref = link_ref(op->link, LINK_PARENT);
        bool is_sent = op->rows[SECTION_COMMON] & ROW_BIT(LINK_BIND_NETNS);

        if (op->rows[SECTION_COMMON] & ROW_BIT(LINK_BIND_NETNS) &&
            !fake_space(kernel, common->values[LINK_BIND_NETNS].ref.netns))
                return fake_refuse(result, -EINVAL, NULL, "no namespace to be bound to");
        if (!(op->rows[SECTION_COMMON] & ROW_BIT(LINK_PARENT)) || !ref)
                return 0;
        if (!link_kind_lower(op->link->kind)->nla)
                return fake_refuse(result, -EINVAL, row, "such a link has no lower device");
        if (!fake_space(kernel, ref->netns) || !network_find_link(kernel->world, ref))
                return fake_refuse(result, -ENODEV, row, "no parent %s/%s", ref->netns, ref->link);
        if (is_sent && !streq(ref->netns, common->values[LINK_BIND_NETNS].ref.netns))
                return fake_refuse(result, -ENODEV, row, "parent in another namespace");
        if (op->type == OP_LINK_SET && !streq(ref->netns, bind))
                return fake_refuse(result, -ENODEV, row, "parent in another namespace");
        return 0;
}

int fake_set_lower(FakeKernel *kernel, Link *link, const Op *op, OpResult *result) {
        const Row *row = schema_row(&link_schema, LINK_PARENT);
        const LinkLower *lower = link_kind_lower(link->kind);
        const Value *value = &op->link->common.values[LINK_PARENT];
        const Ref *from = link_ref(link, LINK_PARENT);
        bool is_none = !link_ref(op->link, LINK_PARENT);
        const char *bind = attrset_has(&link->common, LINK_BIND_NETNS)
                ? link->common.values[LINK_BIND_NETNS].ref.netns : link->netns->name;
        int r;

        if (!lower->nla || (!(op->rows[SECTION_COMMON] & ROW_BIT(LINK_PARENT)) &&
                            !link_kind_is(link->kind, KIND_REPLACES)))
                return 0;
        r = fake_check_lower(kernel, op, bind, result);
        if (r < 0 || (is_none && !from) || (!is_none && from && ref_equal(from, &value->ref)))
                return r;
        /* Refused, or answered with 0 and not done, as vxlan does with none. */
        if ((is_none ? lower->remove : lower->change) == CHANGE_CREATE)
                return fake_refuse(result, -EINVAL, row, "parent can't be changed");
        return fake_set_value(kernel, &link->common, LINK_PARENT, is_none ? &(Value){} : value);
}

/* What a change does not carry goes back to what it was in the beginning. */
int fake_zero(FakeKernel *kernel, Link *link, RowSet sent) {
        AttrSet *set = &link->options;

        for (size_t i = 0; i < schema_size(set->schema); i++) {
                const Row *row = schema_row(set->schema, i);

                if (!(sent & ROW_BIT(i)) && row->change <= CHANGE_DOWN)
                        set->present &= ~ROW_BIT(i);
        }
        return fake_fill(kernel, set, true);
}

Link *fake_killed(FakeKernel *kernel, const Link *link) {
        FOREACH_LINK(kernel, upper)
                if (upper != link && link_lower(upper) == link &&
                    link_kind_lower(upper->kind)->kills)
                        return upper;
        return NULL;
}

Link *fake_bound(FakeKernel *kernel, const Namespace *netns) {
        FOREACH_LINK(kernel, link)
                if (link->netns != netns && link_kind_bind(link->kind) == BIND_REPORTED &&
                    attrset_has(&link->common, LINK_BIND_NETNS) &&
                    streq(link->common.values[LINK_BIND_NETNS].ref.netns, netns->name))
                        return link;
        return NULL;
}

int fake_bind(FakeKernel *kernel, Link *link) {
        const Ref *parent = link_ref(link, LINK_PARENT);
        const char *bind = parent ? parent->netns : link->netns->name;

        if (link_kind_bind(link->kind) != BIND_REPORTED ||
            attrset_has(&link->common, LINK_BIND_NETNS))
                return 0;
        return fake_set_value(kernel, &link->common, LINK_BIND_NETNS,
                              &(Value){.ref.netns = bind});
}
