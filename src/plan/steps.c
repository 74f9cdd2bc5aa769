/* SPDX-License-Identifier: MIT */
/*
 * The requests that make it so. A new link costs one message with all that a create can carry, one
 * for what it can't, its addresses, and one to bring it up; free ends come up before bridge ports,
 * because each port that comes up floods all the others.
 */

#include "planner.h"

#include "mvnet/vlans.h"

/* What a pair's create honours of the far end (veth.c veth_newlink). */
#define FAR_END_ROWS \
        (ROW_BIT(LINK_MAC) | ROW_BIT(LINK_MTU) | ROW_BIT(LINK_TXQUEUELEN) | ROW_BIT(LINK_GROUP))

#define MTU_OF_NEW 1500 /* ETH_DATA_LEN */

static bool is_port(const LinkPlan *link) {
        return link_master(link->wanted) && !link->no_master;
}

static RowSet rows_where(const AttrSet *set, bool (*test)(const Row *row)) {
        RowSet rows = 0;
        size_t i;

        ROWSET_FOREACH(i, set->present)
                if (test(schema_row(set->schema, i)))
                        rows |= ROW_BIT(i);
        return rows;
}

static bool is_sent(const Row *row) {
        return !(row->flags & ROW_LOCAL) && row->change != CHANGE_STATE;
}

static bool is_sent_at_create(const Row *row) {
        return is_sent(row) && row->phase == PHASE_CREATE;
}

static bool names_a_port(const Row *row) {
        return is_sent(row) && row->phase == PHASE_PORTED;
}

/* What names a port has to wait for it. */
static bool is_option(const Row *row) {
        return is_sent(row) && row->phase != PHASE_PORTED;
}

/* What can be said as the link is made: rows that go the way that it is made. */
static RowSet options_at_create(const Link *wanted) {
        const AttrSet *options = &wanted->options;

        return options->schema ? rows_where(options, is_option) &
                                         attrset_rows_by(options, wanted->kind->transport)
                               : 0;
}

static bool is_late(const Row *row) {
        return is_sent(row) && row->phase == PHASE_AFTER;
}

static bool is_down_only(const Row *row) {
        return is_sent(row) && row->change == CHANGE_DOWN;
}

static bool is_per_parent(const Row *row) {
        return row->flags & ROW_PER_PARENT;
}

/* Its MTU would be overwritten by the parent's, which comes late, as that is a bridge. */
static bool follows_late(const Planner *planner, const LinkPlan *link) {
        const LinkPlan *lower = planner_lower(planner, link);

        return lower && link_kind_is(link->wanted->kind, KIND_MTU_FOLLOWS) &&
               link_kind_is(lower->wanted->kind, KIND_MTU_PORTED) &&
               (lower->create || lower->differ[SECTION_COMMON] & ROW_BIT(LINK_MTU));
}

/* Rows of the common section that have a stage of their own, or no use for this link. */
static RowSet special_rows(const Planner *planner, const LinkPlan *link) {
        RowSet rows = ROW_BIT(LINK_STATE);

        if (link_kind_is(link->wanted->kind, KIND_MTU_PORTED) || follows_late(planner, link))
                rows |= ROW_BIT(LINK_MTU);
        if (link->no_master || planner_is_taken(planner, link))
                rows |= ROW_BIT(LINK_MASTER);
        /* Without IPv6 in the kernel the nest is refused (EAFNOSUPPORT): our policy is moot. */
        if (!planner->ipv6)
                rows |= link->wanted->common.implied & ROW_BIT(LINK_ADDR_GEN_MODE);
        return rows;
}

/* Nobody's port and nobody's upper first; then ports; then what stands on these. */
static Stage stage_up(const Planner *planner, const LinkPlan *link) {
        const LinkPlan *lower = planner_lower(planner, link);
        Stage below = STAGE_UP;

        for (unsigned depth = 0; lower && depth < 64; depth++) {
                if (is_port(lower))
                        below = STAGE_LAST;
                lower = planner_lower(planner, lower);
        }
        return below == STAGE_UP && is_port(link) ? STAGE_PORT_UP : below;
}

static Op *link_step(Planner *planner, const LinkPlan *link, OpType type, Stage stage) {
        Op *op = planner_step(planner, type, stage, link->depth, link->item);
        const Link *where = link->wanted && !(type == OP_LINK_DEL || type == OP_LINK_MOVE)
                ? link->wanted : link->have;

        op->netns = where->netns->name;
        op->name = where->name;
        op->link = link->target && !link->create ? link->target : (Link *)where;
        if (link->have && (!link->create || type == OP_LINK_DEL) &&
            !(link->changes_netns && type != OP_LINK_MOVE && type != OP_LINK_DEL))
                op->ifindex = link->have->ifindex;
        return op;
}

/* One request for each way that some of the rows go. */
static void step_set(Planner *planner, const LinkPlan *link, Stage stage, Section section,
                     RowSet rows) {
        for (Transport transport = 0; rows && transport < _TRANSPORT_N; transport++) {
                const Link *from = link->target && !link->create ? link->target : link->wanted;
                RowSet those = attrset_rows_by(link_section(from, section), transport) & rows;
                Op *op;

                if (!those)
                        continue;
                op = link_step(planner, link, OP_LINK_SET, stage);
                op->section = section;
                op->rows[section] = those;
        }
}

/* Options, and the lower device where it is one of them. */
static void step_options(Planner *planner, const LinkPlan *link, Stage stage, RowSet rows,
                         RowSet lower) {
        Op *op;

        if (!lower) {
                step_set(planner, link, stage, SECTION_OPTIONS, rows);
                return;
        }
        op = link_step(planner, link, OP_LINK_SET, stage);
        op->section = SECTION_OPTIONS;
        op->rows[SECTION_OPTIONS] = rows;
        op->rows[SECTION_COMMON] = lower;
}

static RowSet lower_rows(const LinkPlan *link) {
        return link_kind_lower(link->have->kind)->nla
                ? link->differ[SECTION_COMMON] & ROW_BIT(LINK_PARENT) : 0;
}

static Op *step_rows(Planner *planner, const LinkPlan *link, Stage stage, RowSet rows) {
        Op *op = link_step(planner, link, OP_LINK_SET, stage);

        op->section = SECTION_COMMON;
        op->rows[SECTION_COMMON] = rows;
        return op;
}

/*
 * Something on the way: not what is aimed at, and nothing to note. A link that is left there by a
 * crash differs from what is wanted.
 */
static void step_meanwhile(Planner *planner, const LinkPlan *link, Stage stage, LinkRow row,
                           Value value) {
        Op *op = step_rows(planner, link, stage, ROW_BIT(row));
        Link *copy = arena_new(planner->arena, Link);

        if (!copy || attrset_init(&copy->common, &link_schema, planner->arena) < 0) {
                planner->failed = true;
                return;
        }
        copy->name = op->link->name;
        copy->netns = op->link->netns;
        attrset_set(&copy->common, row, value);
        op->link = copy;
        op->undoes = true;
}

static void step_state(Planner *planner, const LinkPlan *link, bool up) {
        if (link_state(link->wanted) == (up ? LINK_STATE_UP : LINK_STATE_DOWN))
                step_set(planner, link, up ? stage_up(planner, link) : STAGE_DOWN, SECTION_COMMON,
                         ROW_BIT(LINK_STATE));
        else
                step_meanwhile(planner, link, up ? stage_up(planner, link) : STAGE_DOWN, LINK_STATE,
                               (Value){.number = up ? LINK_STATE_UP : LINK_STATE_DOWN});
}

static bool is_up(const LinkPlan *link) {
        return attrset_has(&link->have->common, LINK_STATE) &&
               link->have->common.values[LINK_STATE].number == LINK_STATE_UP;
}

/* An option that differs needs it to be down. */
static bool must_be_down(const LinkPlan *link) {
        return link->target && link->target->options.schema && is_up(link) &&
               rows_where(&link->target->options, is_down_only) & link->differ[SECTION_OPTIONS];
}

/* At all or again. */
static bool comes_up(const Planner *planner, const LinkPlan *link) {
        if (planner_joins(planner, link) ||
            (planner_is_cycled(planner, link) && link->have && is_up(link)))
                return true;
        return link_state(link->wanted) == LINK_STATE_UP && !link->no_state &&
               (link->create || link->differ[SECTION_COMMON] & ROW_BIT(LINK_STATE) ||
                link->changes_netns || planner_is_let_down(planner, link) || must_be_down(link));
}

static bool is_tied(const LinkPlan *link, uint32_t flag) {
        const LinkKind *kind = link->wanted->kind;
        const Value *loose = kind && kind->loose
                ? attrset_get(&link->wanted->options, kind->loose) : NULL;

        return link_kind_is(kind, flag) && !(loose && loose->number);
}

/* The parent's coming up takes these along, whatever was set (vlan.c vlan_device_event). */
bool planner_is_dragged_up(const Planner *planner, const LinkPlan *link) {
        for (unsigned depth = 0; link && depth < 64; depth++) {
                if (!is_tied(link, KIND_UP_FOLLOWS))
                        return false;
                link = planner_lower(planner, link);
                if (link && comes_up(planner, link))
                        return true;
        }
        return false;
}

/* Itself, or with its parent. */
bool planner_goes_down(const Planner *planner, const LinkPlan *link) {
        for (unsigned depth = 0; depth < 64; depth++) {
                bool down;

                if (!link || !link->have || link->create || !is_up(link))
                        return false;
                down = link->differ[SECTION_COMMON] & ROW_BIT(LINK_STATE) && !link->no_state;
                if (down || must_be_down(link) || planner_is_cycled(planner, link))
                        return true;
                if (!is_tied(link, KIND_NEEDS_PARENT_UP))
                        return false;
                link = planner_lower(planner, link);
        }
        return false;
}

/* Links that are made. */

/* Its parent gets an MTU of its own back, and only the next dump tells which: it can wait till then. */
static RowSet rows_that_wait(const Planner *planner, const LinkPlan *link) {
        const LinkPlan *lower = planner_lower(planner, link);

        return lower && link_kind_is(link->wanted->kind, KIND_MTU_BOUND) &&
                               planner_is_let_down(planner, lower)
                       ? ROW_BIT(LINK_MTU) : 0;
}

static void step_create(Planner *planner, LinkPlan *link) {
        RowSet special = special_rows(planner, link) | rows_that_wait(planner, link);
        const LinkPlan *peer = planner_peer(planner, link);
        Op *op;

        if (link->made_with)
                return;
        op = link_step(planner, link, OP_LINK_ADD, STAGE_LINK_ADD);
        op->rows[SECTION_COMMON] = rows_where(&link->wanted->common, is_sent_at_create) & ~special;
        op->rows[SECTION_OPTIONS] = options_at_create(link->wanted);
        if (peer) {
                op->peer = (Link *)peer->wanted;
                op->peer_rows = peer->wanted->common.present & FAR_END_ROWS &
                                ~special_rows(planner, peer);
        }
}

/* Its parent has to be up for the master to set it up. */
static Stage stage_master(const Planner *planner, const LinkPlan *link) {
        bool waits = planner_joins(planner, link) &&
                     link_kind_is(link->wanted->kind, KIND_NEEDS_PARENT_UP);

        return waits ? stage_up(planner, link) : STAGE_DETAIL;
}

/* What such a master takes over, and is said otherwise for this port. */
static RowSet taken_over(const LinkPlan *link) {
        const AttrSet *common = &link->wanted->common;
        RowSet rows = 0;

        if (!link_kind_is(link_master(link->wanted)->kind, KIND_ONE_MTU))
                rows |= ROW_BIT(LINK_MTU);
        if (!link_kind_is(link->wanted->kind, KIND_MAC_ONCE))
                rows |= ROW_BIT(LINK_MAC);
        return common->present & ~common->implied & rows;
}

/* As a port, and what comes only then. `rows`: its settings there. */
static void steps_port(Planner *planner, LinkPlan *link, RowSet rows) {
        const AttrSet *port = &(link->target && !link->create ? link->target : link->wanted)->port;
        RowSet late = port->schema ? rows_where(port, names_a_port) : 0;
        Stage stage = stage_master(planner, link);

        if (stage > STAGE_DETAIL && planner_is_dragged_up(planner, link))
                step_meanwhile(planner, link, stage, LINK_STATE,
                               (Value){.number = LINK_STATE_DOWN});
        if (planner_joins(planner, link))
                step_rows(planner, link, stage, ROW_BIT(LINK_MASTER))->effects =
                        ROW_BIT(LINK_STATE);
        step_set(planner, link, stage, SECTION_PORT, rows & ~late);
        step_set(planner, link, STAGE_CHOICE, SECTION_PORT, rows & late);
        if (planner_joins(planner, link))
                step_set(planner, link, MAX(stage, STAGE_PORTED), SECTION_COMMON, taken_over(link));
}

static void steps_created(Planner *planner, LinkPlan *link) {
        const AttrSet *common = &link->wanted->common;
        const AttrSet *options = &link->wanted->options;
        RowSet sent = link->made_with ? FAR_END_ROWS : rows_where(common, is_sent_at_create);
        RowSet special = special_rows(planner, link);
        bool late;

        step_create(planner, link);
        if (options->schema && !link->made_with)
                step_set(planner, link, STAGE_DETAIL, SECTION_OPTIONS,
                         rows_where(options, is_option) & ~options_at_create(link->wanted));
        step_set(planner, link, STAGE_DETAIL, SECTION_COMMON,
                 rows_where(common, is_sent) & ~sent & ~special);
        steps_port(planner, link, is_port(link) && link->wanted->port.schema
                                          ? rows_where(&link->wanted->port, is_sent) : 0);
        if (!link->no_master)
                step_set(planner, link, STAGE_DETAIL, SECTION_VLANS, link->wanted->vlans.present);
        step_set(planner, link, STAGE_CHOICE, SECTION_OPTIONS,
                 planner_ported_rows(planner, link, options->present));
        /* Written once it is there, it stays whatever the ports have; what it has anyway does not.
         */
        late = common->values[LINK_MTU].number == MTU_OF_NEW || follows_late(planner, link);
        step_set(planner, link, late ? STAGE_PORTED : STAGE_LINK_ADD, SECTION_COMMON,
                 common->present & special & ROW_BIT(LINK_MTU) & ~rows_that_wait(planner, link));
        if (link_state(link->wanted) == LINK_STATE_UP && !link->no_state)
                step_state(planner, link, true);
        else if (link_state(link->wanted) == LINK_STATE_DOWN &&
                 (planner_is_dragged_up(planner, link) || planner_joins(planner, link)))
                step_set(planner, link, STAGE_LAST, SECTION_COMMON, ROW_BIT(LINK_STATE));
}

/* Links that are there. */

/* One message is enough for what the links on one parent share, whichever of them sends it. */
static RowSet unshared(Planner *planner, LinkPlan *link, RowSet rows) {
        LinkPlan *lower = planner_by_wanted(planner, link_real_lower(link->wanted));
        RowSet shared = link->wanted->options.schema
                ? rows_where(&link->target->options, is_per_parent) & rows : 0;

        if (!lower)
                return rows;
        rows &= ~(shared & lower->shared);
        lower->shared |= shared;
        return rows;
}

static void steps_state(Planner *planner, LinkPlan *link, bool cycled) {
        LinkState state = link_state(link->wanted);
        bool differs = link->differ[SECTION_COMMON] & ROW_BIT(LINK_STATE);

        if (link->no_state || (state == LINK_STATE_ANY && !(cycled && is_up(link))))
                return;
        if (state == LINK_STATE_ANY ||
            (state == LINK_STATE_UP && (differs || cycled || link->changes_netns)))
                step_state(planner, link, true);
        else if (state == LINK_STATE_DOWN && differs)
                step_state(planner, link, false);
        if (state == LINK_STATE_DOWN &&
            (planner_joins(planner, link) ||
             (!differs && planner_is_dragged_up(planner, link))))
                step_set(planner, link, STAGE_LAST, SECTION_COMMON, ROW_BIT(LINK_STATE));
}

/* The parent's new MTU overwrites ours on some kinds: say ours again (ipvlan_device_event). */
static RowSet overwritten(const Planner *planner, const LinkPlan *link) {
        const LinkPlan *lower = planner_lower(planner, link);

        if (!lower || !link_kind_is(link->wanted->kind, KIND_MTU_FOLLOWS) ||
            !attrset_has(&link->wanted->common, LINK_MTU))
                return 0;
        return lower->differ[SECTION_COMMON] & ROW_BIT(LINK_MTU);
}

/* Children may not exceed it: up before theirs and before they are made, down after. */
static bool is_raised(const LinkPlan *link) {
        return !link_kind_is(link->wanted->kind, KIND_MTU_FOLLOWS) &&
               link->differ[SECTION_COMMON] & ROW_BIT(LINK_MTU) &&
               attrset_has(&link->have->common, LINK_MTU) &&
               link->target->common.values[LINK_MTU].number >
                       link->have->common.values[LINK_MTU].number;
}

/* A port has no rx handler left for children (dev.c netdev_rx_handler_register). */
static bool is_released(const LinkPlan *link) {
        return link->differ[SECTION_COMMON] & ROW_BIT(LINK_MASTER) &&
               !link->target->common.values[LINK_MASTER].ref.link;
}

/* A bridge that gives another VLAN to its ports gives it to those that have the old one. */
static RowSet vlans_to_say(Planner *planner, const LinkPlan *link) {
        const LinkPlan *bridge = planner_by_wanted(planner, link_vlan_bridge(link->wanted));
        RowSet rows = link->differ[SECTION_VLANS];

        if (bridge && !link->no_master && bridge->target && bridge->differ[SECTION_OPTIONS]) {
                int row = schema_find(bridge->target->options.schema,
                                      bridge->wanted->kind->default_vid);

                if (row < 0 || rows || !(bridge->differ[SECTION_OPTIONS] & ROW_BIT(row)))
                        return rows;
                rows = link->wanted->vlans.present;
                if (!rows)
                        return 0;
                planner_line(planner, link->item, vlans_schema.name, NULL,
                             planner_value(planner, schema_row(&vlans_schema, 0),
                                           &link->wanted->vlans.values[0]),
                             attrset_at(&link->wanted->vlans, 0));
        }
        return rows;
}

static void steps_changed(Planner *planner, LinkPlan *link) {
        RowSet options = link->differ[SECTION_OPTIONS], common = link->differ[SECTION_COMMON];
        RowSet special = special_rows(planner, link), late = 0, early, ported;
        RowSet lower = lower_rows(link);
        bool let_down = planner_is_let_down(planner, link);
        bool cycle = planner_joins(planner, link) && !let_down && !link->changes_netns &&
                     is_up(link);

        if (link->target->options.schema) {
                late = rows_where(&link->target->options, is_late);
                cycle |= must_be_down(link);
                options = unshared(planner, link, options);
        }
        if (link->changes_netns)
                common |= link->wanted->common.present & ROW_BIT(LINK_MASTER) & ~special;
        common |= overwritten(planner, link);
        /* It gets its own back, whatever is said before: what that is, the next dump tells. */
        if (let_down)
                common &= ~(ROW_BIT(LINK_MAC) | ROW_BIT(LINK_MTU));
        early = (is_raised(link) ? ROW_BIT(LINK_MTU) : 0) |
                (is_released(link) ? ROW_BIT(LINK_MASTER) : 0);
        step_set(planner, link, STAGE_EARLY, SECTION_COMMON, common & early);
        common &= ~(early | lower);
        if (planner_leaves_first(planner, link) && !is_released(link))
                step_meanwhile(planner, link, STAGE_EARLY, LINK_MASTER, (Value){});
        if (cycle)
                step_state(planner, link, false);
        step_set(planner, link, STAGE_DETAIL, SECTION_OPTIONS, options & link->farewell);
        options &= ~link->farewell;
        ported = planner_ported_rows(planner, link, options);
        options &= ~ported;
        step_options(planner, link, STAGE_DETAIL, options & ~late, lower);
        step_set(planner, link, STAGE_DETAIL, SECTION_OPTIONS, options & late);
        step_set(planner, link, STAGE_DETAIL, SECTION_COMMON, common & ~special);
        steps_port(planner, link, link->rejoins ? link->wanted->port.present
                                                : link->differ[SECTION_PORT]);
        step_set(planner, link, STAGE_DETAIL, SECTION_VLANS, vlans_to_say(planner, link));
        step_set(planner, link, STAGE_PORTED, SECTION_COMMON, common & special & ROW_BIT(LINK_MTU));
        step_set(planner, link, STAGE_CHOICE, SECTION_OPTIONS, ported);
        steps_state(planner, link, cycle || let_down);
}

/* What is dropped and not ours: only what is to be put back. */
static void steps_stays(Planner *planner, LinkPlan *link) {
        /* Before it goes back to where it was found, under the name it has now. */
        Stage stage = link->entry && record_row(link->entry, "place") ? STAGE_OBJECT_DEL
                                                                      : STAGE_DETAIL;
        RowSet late = link->target->options.schema
                ? rows_where(&link->target->options, is_late) & link->differ[SECTION_OPTIONS] : 0;
        RowSet lower = lower_rows(link), options = link->differ[SECTION_OPTIONS];
        bool joins = planner_returns(planner, link);
        RowSet apart = joins ? ROW_BIT(LINK_MASTER) | ROW_BIT(LINK_STATE) : 0;
        bool cycle = (joins && is_up(link)) || must_be_down(link);
        bool up = link->target->common.values[LINK_STATE].number == LINK_STATE_UP;

        if (cycle)
                step_meanwhile(planner, link, STAGE_DOWN, LINK_STATE,
                               (Value){.number = LINK_STATE_DOWN});
        step_set(planner, link, stage, SECTION_OPTIONS, link->farewell);
        step_set(planner, link, stage, SECTION_COMMON,
                 link->differ[SECTION_COMMON] & ~(lower | apart));
        step_options(planner, link, stage, options & ~(late | link->farewell), lower);
        step_set(planner, link, stage, SECTION_PORT, link->differ[SECTION_PORT]);
        step_set(planner, link, stage, SECTION_VLANS, link->differ[SECTION_VLANS]);
        step_set(planner, link, stage, SECTION_COMMON, apart & ROW_BIT(LINK_MASTER));
        step_set(planner, link, STAGE_LAST, SECTION_COMMON,
                 link->differ[SECTION_COMMON] & apart & ROW_BIT(LINK_STATE));
        step_set(planner, link, stage, SECTION_OPTIONS, late);
        if (up && (cycle || planner_is_let_down(planner, link)))
                step_meanwhile(planner, link, cycle ? STAGE_UP : stage, LINK_STATE,
                               (Value){.number = LINK_STATE_UP});
}

/* Links that go, or go elsewhere. */

static void step_remove(Planner *planner, LinkPlan *link) {
        const LinkPlan *lower = planner_by_have(planner, link_lower(link->have));
        LinkPlan *peer = planner_by_have(planner, link_peer(link->have));

        /* It goes with its parent, and an end of a pair with the other. */
        if (lower && lower->remove && link_kind_dies_with_parent(link->have->kind))
                return;
        if (peer && peer->remove && peer->item->n_ops)
                return;
        link_step(planner, link, OP_LINK_DEL, STAGE_LINK_DEL);
}

static void step_move(Planner *planner, LinkPlan *link) {
        const Namespace *netns = planner_have_netns(planner, link->wanted);
        const Link *there = netns ? namespace_find_link(netns, link->wanted->name) : NULL;
        const LinkPlan *other = planner_by_have(planner, there);
        Op *op = link_step(planner, link, OP_LINK_MOVE, STAGE_MOVE);

        op->to = link_self(link->wanted);
        planner_line(planner, link->item, "name", planner_path(planner, link->have),
                     planner_path(planner, link->wanted), link->wanted->at);
        if (!there || there == link->have || !other || !other->moves)
                return;
        /* Its holder is about to move as well, perhaps to our name: step aside first. */
        ((Step *)op)->depth = 0;
        op->to = (Ref){link->have->netns->name,
                       planner_text(planner, "mvnet%d", link->have->ifindex)};
        op = link_step(planner, link, OP_LINK_MOVE, STAGE_MOVE);
        op->name = planner_text(planner, "mvnet%d", link->have->ifindex);
        op->to = link_self(link->wanted);
        ((Step *)op)->depth = 64;
}

/* What is shown. */

static void show_rows(Planner *planner, LinkPlan *link, const AttrSet *set, RowSet rows,
                      const AttrSet *have, const char *prefix) {
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(set->schema, i);
                bool known = have && have->schema == set->schema && attrset_has(have, i);
                const char *from = known ? planner_value(planner, row, &have->values[i]) : NULL;
                const char *to = planner_value(planner, row, &set->values[i]);

                if (row->flags & ROW_LOCAL || row->change == CHANGE_STATE)
                        continue;
                /* The same name, but another link: the header says that it is re-created. */
                if (row->type->is_ref && streq_ptr(from, to))
                        continue;
                planner_line(planner, link->item,
                             prefix ? planner_text(planner, "%s.%s", prefix, row->key) : row->key,
                             from, to, attrset_at(set, i));
        }
}

static void show_created(Planner *planner, LinkPlan *link) {
        const Link *wanted = link->wanted;
        RowSet common = wanted->common.present & ~wanted->common.implied & ~ROW_BIT(LINK_PARENT);

        if (link_state(wanted) == LINK_STATE_UP)
                common &= ~ROW_BIT(LINK_STATE);
        if (wanted->options.schema) {
                RowSet rows = wanted->options.present & ~wanted->options.implied;
                int peer = schema_find_type(wanted->options.schema, &attr_peer);

                if (peer >= 0)
                        rows &= ~ROW_BIT(peer);
                show_rows(planner, link, &wanted->options, rows, NULL, NULL);
        }
        show_rows(planner, link, &wanted->common, common, NULL, NULL);
        if (wanted->port.schema)
                show_rows(planner, link, &wanted->port, wanted->port.present, NULL,
                          wanted->port.schema->name);
        if (wanted->vlans.schema)
                show_rows(planner, link, &wanted->vlans, wanted->vlans.present, NULL, NULL);
}

static void show_changed(Planner *planner, LinkPlan *link) {
        const AttrSet *sets[] = {&link->target->options, &link->target->common,
                                 &link->target->port, &link->target->vlans};
        const AttrSet *have[] = {&link->have->options, &link->have->common, &link->have->port,
                                 &link->have->vlans};
        const Section which[] = {SECTION_OPTIONS, SECTION_COMMON, SECTION_PORT, SECTION_VLANS};

        for (size_t i = 0; i < ELEMENTSOF(sets); i++)
                if (sets[i]->schema)
                        show_rows(planner, link, sets[i], link->differ[which[i]], have[i],
                                  which[i] == SECTION_PORT ? sets[i]->schema->name : NULL);
}

static void judge_waiting(Planner *planner, LinkPlan *link) {
        const LinkPlan *master = planner_master(planner, link);
        const LinkPlan *lower = planner_lower(planner, link);

        if (link->item->n_ops)
                return;
        if (link->no_master && master)
                item_judge(link->item, VERDICT_WAITING,
                           planner_text(planner, "waiting for %s", master->item->path));
        else if (link->no_state && lower)
                item_judge(link->item, VERDICT_WAITING,
                           planner_text(planner, "waiting for %s to be up", lower->item->path));
}

static void steps_of(Planner *planner, LinkPlan *link) {
        if (link->remove)
                step_remove(planner, link);
        if (link->blocked || planner->failed)
                return;
        if (link->create) {
                if (link->have) {
                        planner_aim(planner, link);
                        show_changed(planner, link);
                } else {
                        show_created(planner, link);
                }
                steps_created(planner, link);
        } else if (link->target) {
                if (link->moves)
                        step_move(planner, link);
                show_changed(planner, link);
                steps_changed(planner, link);
        }
        planner_objects(planner, link);
        judge_waiting(planner, link);
}

static bool find_ipv6(const Network *have) {
        const Link *lo = namespace_find_link(network_find_namespace(have, HOST), "lo");

        return lo && attrset_has(&lo->common, LINK_ADDR_GEN_MODE);
}

void planner_steps(Planner *planner) {
        planner->ipv6 = find_ipv6(planner->have);
        for (LinkPlan *link = planner->undone; link && !planner->failed; link = link->next) {
                if (link->remove)
                        step_remove(planner, link);
                else if (link->target) {
                        show_changed(planner, link);
                        steps_stays(planner, link);
                }
        }
        for (LinkPlan *link = planner->links; link && !planner->failed; link = link->by_wanted.next)
                steps_of(planner, link);
}
