/* SPDX-License-Identifier: MIT */
/* What the fake kernel's bridges keep of their ports and themselves: VLANs and the like. */

#include "kernel/fake.h"

#include "mvnet/vlans.h"

#include <errno.h>
#include <stdlib.h>

/* nbp_vlan_init(), br_vlan_init(). */
int fake_begin_vlans(FakeKernel *kernel, Link *link, const Link *bridge) {
        Value list;

        if (!bridge->kind || !bridge->kind->filtering)
                return 0;
        if (link_set_vlans(link) < 0 ||
            link_default_vlans(bridge, &kernel->world->arena, &list) < 0)
                return -ENOMEM;
        attrset_set(&link->vlans, 0, list);
        return 0;
}

/* Whoever still has the old one as it was given, and not the new one, gets that in its place. */
static int move_default_vid(FakeKernel *kernel, Link *link, unsigned from, unsigned to) {
        const Vlan given = {.there = true, .pvid = true, .untagged = true};
        VlanTable *table = calloc(1, sizeof(VlanTable));
        int r = table ? 0 : -ENOMEM;

        if (r == 0)
                vlans_read(&link->vlans.values[0], table);
        if (r == 0 && from && !(table->at[from].pvid && table->at[from].untagged))
                to = from = 0;
        if (r == 0 && to && table->at[to].there)
                to = from = 0;
        if (from)
                table->at[from] = (Vlan){};
        for (unsigned vid = 1; to && vid < VLANS_N; vid++)
                table->at[vid].pvid = false;
        if (to)
                table->at[to] = given;
        if (r == 0)
                r = vlans_list(table, &kernel->world->arena, &link->vlans.values[0]);
        free(table);
        return r;
}

/* __br_vlan_set_default_pvid(), br_vlan_disable_default_pvid() */
int fake_change_default_vid(FakeKernel *kernel, Link *bridge, size_t at, const Value *value) {
        unsigned from = (unsigned)bridge->options.values[at].number, to = (unsigned)value->number;
        int r = 0;

        if (from != to)
                for (Link *link = bridge->netns->links; link; link = link->hh.next)
                        if (r == 0 && link_vlan_bridge(link) == bridge)
                                r = move_default_vid(kernel, link, from, to);
        bridge->options.values[at] = *value;
        return r;
}

/* Those of a bridge that does not filter are there, and nobody asks for them. */
bool fake_filters_vlans(const Link *link) {
        const Link *bridge = link_vlan_bridge(link);
        const Value *filtering = bridge ? attrset_get(&bridge->options, bridge->kind->filtering)
                                        : NULL;

        return filtering && filtering->number;
}

/* br_fdb_add(): what is a master's needs one, and a VLAN of a filtering one is the port's. */
int fake_check_fdb(const Link *link, const Object *object, OpResult *result) {
        const Value *vid = attrset_get(&object->set, "vlan");
        VlanTable *table;
        bool there;

        if (object->type->of_master(&object->set) && !link_master(link))
                return fake_refuse(result, -EOPNOTSUPP, NULL, "%s is no port", link->name);
        if (!vid || !fake_filters_vlans(link))
                return 0;
        table = calloc(1, sizeof(VlanTable));
        if (!table)
                return -ENOMEM;
        vlans_read(&link->vlans.values[0], table);
        there = table->at[vid->number].there;
        free(table);
        return there ? 0 : fake_refuse(result, -EINVAL, NULL, "unconfigured vlan");
}

/* br_mdb.c br_mdb_add() */
int fake_check_of_port(const Link *link, const Object *object, OpResult *result) {
        size_t i;

        if (!fake_is_up(link))
                return fake_refuse(result, -EINVAL, NULL, "Bridge device is not running");
        ROWSET_FOREACH(i, object->set.present) {
                const Link *port;

                if (!schema_row(object->set.schema, i)->type->is_ref)
                        continue;
                port = network_find_link(link->netns->network, &object->set.values[i].ref);
                if (!port || (port != link && link_master(port) != link))
                        return fake_refuse(result, -EINVAL, NULL, "Device is not a bridge port");
        }
        return 0;
}

void fake_forget_port(Link *master, const Link *port) {
        const Ref self = link_self(port);

        for (Object *object = master->objects, *next; object; object = next) {
                size_t i;
                bool named = false;

                next = object->next;
                ROWSET_FOREACH(i, object->type->flags & OBJECT_OF_PORT ? object->set.present : 0)
                        named |= schema_row(object->set.schema, i)->type->is_ref &&
                                 ref_equal(&object->set.values[i].ref, &self);
                if (named)
                        object_remove(&master->objects, &master->last, object);
        }
}
