/* SPDX-License-Identifier: MIT */
/*
 * What a link that is there shall look like: what is wanted, over what is there, and what the
 * record says we set and nobody wants any more put back. The difference is a bitmap of rows.
 */

#include "planner.h"

#include "mvnet/vlans.h"

/* References are equal if they lead to the same link, by whatever name; re-created is not same. */
static bool ref_differs(const Planner *planner, const LinkPlan *link, const Row *row,
                        const Value *wanted, const AttrSet *have_set, size_t i) {
        const Link *have = NULL, *target;
        const LinkPlan *plan;

        if (attrset_has(have_set, i) && !have_set->values[i].unresolved &&
            have_set->values[i].ref.link)
                have = network_find_link(planner->have, &have_set->values[i].ref);
        if (!wanted->ref.link)
                return have || (attrset_has(have_set, i) && have_set->values[i].ref.link);
        target = row->type == &attr_lower ? link_real_lower(link->wanted)
                                          : network_find_link(planner->wanted, &wanted->ref);
        plan = planner_by_wanted(planner, target);
        /* Not every kernel tells every parent: what is unknown is no difference. */
        if (row->type == &attr_lower && !attrset_has(have_set, i))
                return !plan || plan->create;
        return !plan || !have || plan->create || plan->have != have;
}

/* A value that the kernel does not report: what did we last ask for? */
static bool unknown_differs(const LinkPlan *link, const Row *row, const Value *wanted,
                            const char *key) {
        const RecordRow *recorded = link->entry ? record_row(link->entry, key) : NULL;
        _cleanup_(buf_deinit) Buf text = {};

        value_format(row, wanted, &text);
        if (recorded && row->flags & (ROW_WRITE_ONLY | ROW_SOMETIMES))
                return !streq_ptr(recorded->set, buf_text(&text));
        /* A kernel that does not know an option does as its default says. */
        return !row->def || !streq(row->def, buf_text(&text));
}

/* Set by us, and by who uses it since: that is as it should be. */
static bool is_users_choice(const LinkPlan *link, const Row *row, const Value *wanted,
                            const char *key) {
        const RecordRow *recorded = link->entry ? record_row(link->entry, key) : NULL;
        _cleanup_(buf_deinit) Buf text = {};

        if (!recorded || !(row->flags & ROW_USERS))
                return false;
        value_format(row, wanted, &text);
        return streq_ptr(recorded->set, buf_text(&text));
}

static const char *row_key(Planner *planner, const AttrSet *set, Section which, const Row *row) {
        if (which != SECTION_PORT)
                return row->key;
        return planner_text(planner, "%s.%s", set->schema->name, row->key);
}

static RowSet section_diff(Planner *planner, const LinkPlan *link, Section which,
                           const AttrSet *wanted, const AttrSet *have) {
        RowSet unknown = 0, differ = attrset_diff(wanted, have, link->ours, &unknown);
        RowSet rows = wanted->present & (link->ours ? ~(RowSet)0 : ~wanted->implied);
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(wanted->schema, i);

                /* What the near end says is done there, and refused here (netkit_change_link). */
                if (row->far && wanted->implied & ROW_BIT(i))
                        differ &= ~ROW_BIT(i);

                if (row->type->is_ref && !(row->flags & ROW_LOCAL)) {
                        differ &= ~ROW_BIT(i);
                        unknown &= ~ROW_BIT(i);
                        if (ref_differs(planner, link, row, &wanted->values[i], have, i))
                                differ |= ROW_BIT(i);
                }
        }
        ROWSET_FOREACH(i, differ) {
                const Row *row = schema_row(wanted->schema, i);

                if (is_users_choice(link, row, &wanted->values[i],
                                    row_key(planner, wanted, which, row)))
                        differ &= ~ROW_BIT(i);
        }
        ROWSET_FOREACH(i, unknown & ~wanted->implied) {
                const Row *row = schema_row(wanted->schema, i);

                if (unknown_differs(link, row, &wanted->values[i],
                                    row_key(planner, wanted, which, row)))
                        differ |= ROW_BIT(i);
        }
        return differ;
}

/* Entries that the kernel's map has and the wanted one has not are sent as zero. */
static void merge_zeroes(Planner *planner, const Row *row, Value *wanted, const Value *have) {
        Value merged = {};

        for (size_t i = 0; i < wanted->list.n; i++)
                if (value_append(row, planner->arena, &merged, &wanted->list.items[i]) < 0)
                        planner->failed = true;
        for (size_t i = 0; i < have->list.n; i++) {
                Value zero = have->list.items[i];
                bool kept = false;

                for (size_t j = 0; j < wanted->list.n; j++)
                        kept |= wanted->list.items[j].pair.from == zero.pair.from;
                zero.pair.to = 0;
                if (!kept && value_append(row, planner->arena, &merged, &zero) < 0)
                        planner->failed = true;
        }
        *wanted = merged;
}

static void overlay(Planner *planner, AttrSet *target, size_t i, Value value) {
        const Row *row = schema_row(target->schema, i);

        if (row->flags & ROW_MERGES && attrset_has(target, i))
                merge_zeroes(planner, row, &value, &target->values[i]);
        attrset_set(target, i, value);
}

static bool is_row(const Row *row, LinkRow which) {
        return row == schema_row(&link_schema, which);
}

/* The MTU if nobody had said one: the lowest of the ports', or the parent's. */
static const char *default_mtu(Planner *planner, const LinkPlan *link) {
        const Uppers *uppers = planner_uppers(planner, link->have);
        const LinkPlan *lower = planner_lower(planner, link);
        const Link *from = !lower ? NULL : lower->target ? lower->target : lower->wanted;
        Value mtu = {};
        bool ports = false;

        if (!link_kind_default(link->have->kind, LINK_MTU, &mtu.number))
                return NULL;
        if (!link_kind_is(link->have->kind, KIND_MTU_PORTED))
                uppers = NULL;
        for (const struct Upper *upper = uppers ? uppers->first : NULL; upper;
             upper = upper->next) {
                uint64_t number = upper->link->common.values[LINK_MTU].number;

                if (!upper->port)
                        continue;
                mtu.number = ports ? MIN(mtu.number, number) : number;
                ports = true;
        }
        if (from && attrset_has(&from->common, LINK_MTU))
                mtu = from->common.values[LINK_MTU];
        return planner_value(planner, schema_row(&link_schema, LINK_MTU), &mtu);
}

/* What the kernel gives a new link of this kind where the table leaves it the choice. */
static const char *kernel_choice(Planner *planner, const LinkPlan *link, const Row *row) {
        const LinkKind *kind = link->have->kind;
        Value value = {};

        if (is_row(row, LINK_MTU))
                return default_mtu(planner, link);
        for (size_t i = 0; i < _LINK_ROW_N; i++)
                if (is_row(row, i) && link_kind_default(kind, i, &value.number))
                        return planner_value(planner, row, &value);
        return NULL;
}

/* On somebody else's: as it was found, unless it was not known, being no port or unfiltered. */
static const char *default_vlans(Planner *planner, const LinkPlan *link) {
        const Link *bridge = link_vlan_bridge(link->have);
        const LinkPlan *plan = planner_by_have(planner, bridge);
        Value usual = {};

        if (!bridge)
                return NULL;
        if (plan && plan->target && plan->target->kind == bridge->kind)
                bridge = plan->target;
        if (link_default_vlans(bridge, planner->arena, &usual) < 0) {
                planner->failed = true;
                return NULL;
        }
        return planner_value(planner, schema_row(&vlans_schema, 0), &usual);
}

const char *planner_reset_text(Planner *planner, const LinkPlan *link, const Row *row,
                               const RecordRow *recorded) {
        bool vlans = row == schema_row(&vlans_schema, 0);

        if (!link->ours && (recorded->was || !vlans))
                return recorded->was;
        if (vlans)
                return default_vlans(planner, link);
        return row->def ? row->def : kernel_choice(planner, link, row);
}

/* The options that decide which of a port's rows count: as they will be. */
static const AttrSet *deciding(const Planner *planner, const LinkPlan *link) {
        const Link *master = link_master(link->have);
        const LinkPlan *plan = planner_by_have(planner, master);

        return &(plan && plan->target ? plan->target : master ? master : link->have)->options;
}

/* A rule between rows can forbid what a reset would send: then the row went with the other one. */
static bool reset_makes_sense(const Planner *planner, const LinkPlan *link, Section which,
                              size_t i, const Row *row) {
        const char *key, *reason;
        Link probe = *link->target;
        Value values[ROWS_MAX];
        AttrSet *set = link_section(&probe, which);

        if (!row_counts(row, which == SECTION_OPTIONS ? &link->have->options
                                                      : deciding(planner, link)))
                return false;
        if (which != SECTION_OPTIONS || row->type->shape == SHAPE_SCALAR || !set->values[i].list.n)
                return true;
        memcpy(values, set->values, schema_size(set->schema) * sizeof(Value));
        set->values = values;
        return !(link_verify(&probe, &key, &reason) > 0 && streq(key, row->key));
}

static void reset_row(Planner *planner, LinkPlan *link, Section which, const RecordRow *recorded,
                      size_t i, const AttrSet *have) {
        AttrSet *target = link_section(link->target, which);
        const Row *row = schema_row(target->schema, i);
        const char *text = planner_reset_text(planner, link, row, recorded);
        ParseScope scope = {.arena = planner->arena};
        Value value;

        if (row->type->is_ref)
                scope.netns = link->have->netns->name;
        if (!text || !reset_makes_sense(planner, link, which, i, row) ||
            value_parse(row, &scope, text, &value) != 0 || !attrset_has(have, i) ||
            value_equal(row, &value, &have->values[i])) {
                planner_forget(planner, link->entry->path, recorded->key);
                return;
        }
        overlay(planner, target, i, value);
        link->differ[which] |= ROW_BIT(i);
        /* Before the others change; unless all are sent in one message, whatever changes. */
        if (which == SECTION_OPTIONS && !row_counts(row, target) &&
            !link_kind_is(link->have->kind, KIND_REPLACES))
                link->farewell |= ROW_BIT(i);
}

/* Which section and row a record's key means: "bridge-port.hairpin" or just "mtu". */
static int find_row(const Link *target, const char *key, Section *ret_which) {
        const char *dot = strchr(key, '.');
        int row;

        if (dot) {
                const Schema *schema = target->port.schema;

                *ret_which = SECTION_PORT;
                if (!schema || strlen(schema->name) != (size_t)(dot - key) ||
                    strncmp(schema->name, key, (size_t)(dot - key)) != 0)
                        return -1;
                return schema_find(schema, dot + 1);
        }
        if (streq(key, vlans_schema.name)) {
                *ret_which = SECTION_VLANS;
                return target->vlans.schema ? 0 : -1;
        }
        row = schema_find(&link_schema, key);
        *ret_which = SECTION_COMMON;
        if (row < 0 && target->options.schema) {
                row = schema_find(target->options.schema, key);
                *ret_which = SECTION_OPTIONS;
        }
        return row;
}

static bool is_of_port(const LinkPlan *link, Section which) {
        return which == SECTION_PORT ||
               (which == SECTION_VLANS && link_vlan_bridge(link->have) != link->have);
}

/* Its master's, and back to what it was when it leaves: until then there is nothing to reset. */
static bool is_lent(const LinkPlan *link, Section which, int row) {
        if (which != SECTION_COMMON || !link_is_lent(link->have) ||
            link->differ[SECTION_COMMON] & ROW_BIT(LINK_MASTER))
                return false;
        return row == LINK_MAC ||
               (row == LINK_MTU && link_kind_is(link_master(link->have)->kind, KIND_ONE_MTU));
}

/* Rows that decide about others come before these, and a link before the port that it is. */
enum {
        PASS_DECIDING,
        PASS_DECIDED,
        PASS_PORT,
        _PASS_N,
};

static void aim_reset(Planner *planner, LinkPlan *link, const RecordRow *recorded, unsigned pass) {
        unsigned its_pass = PASS_DECIDING;
        Section which;
        int row = find_row(link->target, recorded->key, &which);
        const AttrSet *wanted = link_section(link->wanted, which);

        if (row >= 0 && is_of_port(link, which))
                its_pass = PASS_PORT;
        else if (row >= 0 && schema_row(link_section(link->target, which)->schema,
                                        (size_t)row)->when)
                its_pass = PASS_DECIDED;
        if (pass != its_pass)
                return;
        if (row < 0)
                planner_forget(planner, link->entry->path, recorded->key);
        else if ((!wanted->schema || !attrset_has(wanted, (size_t)row)) &&
                 !is_lent(link, which, row))
                reset_row(planner, link, which, recorded, (size_t)row,
                          link_section(link->have, which));
}

static void aim_resets(Planner *planner, LinkPlan *link) {
        const LinkPlan *master = planner_by_have(planner, link_master(link->have));

        for (unsigned pass = 0; pass < _PASS_N; pass++) {
                /* What was set on a port goes with the master that it leaves, or that leaves it. */
                if (pass == PASS_PORT && ((master && master->remove) ||
                                  link->differ[SECTION_COMMON] & ROW_BIT(LINK_MASTER)))
                        return;
                for (const RecordRow *recorded = link->entry->rows; recorded;
                     recorded = recorded->next)
                        if (!streq(recorded->key, "place")) /* where a NIC came from: undo.c */
                                aim_reset(planner, link, recorded, pass);
        }
}

static void aim_section(Planner *planner, LinkPlan *link, Section which) {
        static const AttrSet nothing;
        const AttrSet *wanted = link_section(link->wanted, which);
        const AttrSet *have = link_section(link->have, which);
        AttrSet *target = link_section(link->target, which);
        const Schema *schema = wanted->schema ? wanted->schema : have->schema;
        size_t i;

        if (have->schema != schema)
                have = &nothing; /* of another kind, which this one replaces */

        if (attrset_init(target, schema, planner->arena) < 0) {
                planner->failed = true;
                return;
        }
        ROWSET_FOREACH(i, have->present)
                attrset_set(target, i, have->values[i]);
        if (!wanted->schema)
                return;
        link->differ[which] = section_diff(planner, link, which, wanted, have);
        if (which == SECTION_COMMON && link_is_lent(link->have))
                link->differ[which] &= ~(wanted->implied & ROW_BIT(LINK_MAC));
        ROWSET_FOREACH(i, wanted->present & (link->ours ? ~(RowSet)0 : ~wanted->implied))
                overlay(planner, target, i, wanted->values[i]);
        target->at = wanted->at;
}

void planner_aim(Planner *planner, LinkPlan *link) {
        const Link *shape = link->wanted ? link->wanted : link->have;
        size_t i;

        link->target = arena_new(planner->arena, Link);
        if (!link->target) {
                planner->failed = true;
                return;
        }
        *link->target = *shape;
        memset(link->differ, 0, sizeof(link->differ));
        link->farewell = 0;
        for (Section which = 0; which < _SECTION_N; which++)
                aim_section(planner, link, which);
        /* A port's options begin anew under a new master. */
        if (link->differ[SECTION_COMMON] & ROW_BIT(LINK_MASTER) && link->wanted)
                for (Section which = 0; which < _SECTION_N; which++)
                        if (is_of_port(link, which))
                                link->differ[which] = link_section(link->wanted, which)->present;
        if (link->entry && !planner->failed)
                aim_resets(planner, link);
        /* What nobody can resolve any more can't be sent: a reference to a link that is gone. */
        ROWSET_FOREACH(i, link->differ[SECTION_COMMON])
                if (schema_row(&link_schema, i)->flags & ROW_LOCAL)
                        link->differ[SECTION_COMMON] &= ~ROW_BIT(i);
}
