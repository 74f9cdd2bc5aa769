/* SPDX-License-Identifier: MIT */
/*
 * Masters that take their ports only while these are down, set them up and lend them an address, and
 * that change some options only while they have no ports at all: who has to leave, who comes back.
 */

#include "planner.h"

/* The kind of a master that is, or will be, there; of somebody else's only the kernel knows. */
static const LinkKind *kind_of(const LinkPlan *master) {
        if (!link_is_physical(master->wanted))
                return master->wanted->kind;
        return master->have ? master->have->kind : NULL;
}

static bool differs(const LinkPlan *link, LinkRow row) {
        return link->differ[SECTION_COMMON] & ROW_BIT(row);
}

bool planner_is_taken(const Planner *planner, const LinkPlan *link) {
        const LinkPlan *master = planner_master(planner, link);

        return master && !link->no_master && link_kind_is(kind_of(master), KIND_PORTS_DOWN);
}

bool planner_joins(const Planner *planner, const LinkPlan *link) {
        return planner_is_taken(planner, link) &&
               (link->create || link->rejoins || link->changes_netns ||
                differs(link, LINK_MASTER));
}

bool planner_returns(const Planner *planner, const LinkPlan *link) {
        const Ref *ref = &link->target->common.values[LINK_MASTER].ref;
        const Link *master = differs(link, LINK_MASTER) && ref->link
                ? network_find_link(planner->have, ref) : NULL;

        return master && link_kind_is(master->kind, KIND_PORTS_DOWN);
}

/* Released, by whatever: the kernel leaves it down (bond_main.c __bond_release_one). */
bool planner_is_let_down(const Planner *planner, const LinkPlan *link) {
        const Link *had = link->have && !link->create ? link_master(link->have) : NULL;
        const LinkPlan *master = planner_by_have(planner, had);

        if (!had || !link_is_lent(link->have))
                return false;
        return link->rejoins || differs(link, LINK_MASTER) || (master && master->remove);
}

/* The kernel sets it down and up again (vrf.c cycle_netdev). */
bool planner_is_cycled(const Planner *planner, const LinkPlan *link) {
        const LinkPlan *master = planner_master(planner, link);
        const Link *had = link->have && !link->create ? link_master(link->have) : NULL;

        return differs(link, LINK_MASTER) &&
               (link_kind_is(had ? had->kind : NULL, KIND_L3_MASTER) ||
                (master && link_kind_is(kind_of(master), KIND_L3_MASTER)));
}

bool planner_leaves_first(const Planner *planner, const LinkPlan *link) {
        const LinkPlan *master = link->have && !link->create
                ? planner_by_have(planner, link_master(link->have)) : NULL;

        return link->rejoins || (master && master->emptied && differs(link, LINK_MASTER));
}

/* Rows that name a port which will not be one: they follow once it is. */
static RowSet nobodys_rows(const Planner *planner, const LinkPlan *link) {
        const AttrSet *options = &link->wanted->options;
        RowSet rows = 0;
        size_t i;

        if (!options->schema)
                return 0;
        ROWSET_FOREACH(i, options->present) {
                const Row *row = schema_row(options->schema, i);
                const LinkPlan *port;

                if (row->phase != PHASE_PORTED || !options->values[i].ref.link)
                        continue;
                port = planner_by_wanted(planner, network_find_link(planner->wanted,
                                                                    &options->values[i].ref));
                if (!port || port->blocked || port->no_master ||
                    planner_master(planner, port) != link)
                        rows |= ROW_BIT(i);
        }
        return rows;
}

RowSet planner_ported_rows(const Planner *planner, const LinkPlan *link, RowSet rows) {
        const Schema *schema = link->wanted->options.schema;
        RowSet ported = 0;
        size_t i;

        ROWSET_FOREACH(i, schema ? rows : 0)
                if (schema_row(schema, i)->phase == PHASE_PORTED)
                        ported |= ROW_BIT(i);
        return ported ? ported & ~nobodys_rows(planner, link) : 0;
}

static const Row *row_without_ports(const LinkPlan *link) {
        const AttrSet *options = &link->target->options;
        size_t i;

        ROWSET_FOREACH(i, options->schema ? link->differ[SECTION_OPTIONS] : 0)
                if (schema_row(options->schema, i)->flags & ROW_NO_PORTS)
                        return schema_row(options->schema, i);
        return NULL;
}

/* Whether we may take the port out: it is ours to put back, or it leaves anyway. */
static bool may_leave(const Planner *planner, const LinkPlan *port, const LinkPlan *master) {
        if (!port || port->blocked)
                return false;
        return port->remove || port->changes_netns || differs(port, LINK_MASTER) ||
               (port->wanted && planner_master(planner, port) == master);
}

static void judge_ports(Planner *planner, LinkPlan *link, const Row *row) {
        const Uppers *uppers = planner_uppers(planner, link->have);

        for (const struct Upper *upper = uppers ? uppers->first : NULL; upper;
             upper = upper->next) {
                if (!upper->port ||
                    may_leave(planner, planner_by_have(planner, upper->link), link))
                        continue;
                item_judge(link->item, VERDICT_CONFLICT,
                           planner_text(planner, "%s can be changed only without ports, and %s "
                                        "is not one of the file's", row->key,
                                        planner_path(planner, upper->link)));
                link->blocked = true;
                return;
        }
        for (const struct Upper *upper = uppers ? uppers->first : NULL; upper;
             upper = upper->next) {
                LinkPlan *port = planner_by_have(planner, upper->link);

                if (!upper->port)
                        continue;
                link->emptied = true;
                if (!port->wanted || port->create || port->remove || port->changes_netns ||
                    differs(port, LINK_MASTER))
                        continue;
                port->rejoins = true;
                item_judge(port->item, VERDICT_CHANGE,
                           planner_text(planner, "leaves %s for a moment, which can't change its "
                                        "%s otherwise", link->item->path, row->key));
        }
}

void planner_judge_ports(Planner *planner) {
        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next) {
                const Row *row;

                if (link->blocked || link->create || !link->target)
                        continue;
                row = row_without_ports(link);
                if (row)
                        judge_ports(planner, link, row);
                link->differ[SECTION_OPTIONS] &= ~nobodys_rows(planner, link);
        }
        for (LinkPlan *link = planner->undone; link; link = link->next) {
                const Row *row = link->target && !link->remove ? row_without_ports(link) : NULL;

                if (row)
                        judge_ports(planner, link, row);
        }
}
