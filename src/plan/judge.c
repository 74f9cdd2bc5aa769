/* SPDX-License-Identifier: MIT */
/*
 * What has to become of each link: nothing, a change, a new one; or it waits for something, or is
 * in conflict with what is there. Lower links are judged first: what happens to them decides.
 */

#include "planner.h"

LinkPlan *planner_lower(const Planner *planner, const LinkPlan *link) {
        return link->wanted ? planner_by_wanted(planner, link_lower(link->wanted)) : NULL;
}

LinkPlan *planner_master(const Planner *planner, const LinkPlan *link) {
        return link->wanted ? planner_by_wanted(planner, link_master(link->wanted)) : NULL;
}

LinkPlan *planner_peer(const Planner *planner, const LinkPlan *link) {
        return link->wanted && link_kind_is(link->wanted->kind, KIND_PAIR)
                ? planner_by_wanted(planner, link_peer(link->wanted)) : NULL;
}

LinkPlan *planner_needed(const Planner *planner, const LinkPlan *link, size_t *at) {
        const AttrSet *options = &link->wanted->options;
        size_t n = options->schema ? schema_size(options->schema) : 0;

        for (; *at < n; (*at)++) {
                const Row *row = schema_row(options->schema, *at);
                LinkPlan *needed = row->flags & ROW_NEEDED && attrset_has(options, *at)
                        ? planner_by_wanted(planner, network_find_link(planner->wanted,
                                                                       &options->values[*at].ref))
                        : NULL;

                if (needed) {
                        (*at)++;
                        return needed;
                }
        }
        return NULL;
}

static void judge(LinkPlan *link, Verdict verdict, const char *reason) {
        item_judge(link->item, verdict, reason);
        if (verdict == VERDICT_WAITING || verdict == VERDICT_CONFLICT || verdict == VERDICT_FAILED)
                link->blocked = true;
}

static bool is_replaceable(const LinkPlan *link) {
        const AttrSet *common = &link->wanted->common;

        return attrset_has(common, LINK_REPLACE) && common->values[LINK_REPLACE].number;
}

static bool is_optional(const LinkPlan *link) {
        const AttrSet *common = &link->wanted->common;

        return attrset_has(common, LINK_OPTIONAL) && common->values[LINK_OPTIONAL].number;
}

static bool may_replace(const LinkPlan *link) {
        return link->ours || is_replaceable(link);
}

/* The lower device has to be there, or to come, before its upper one can. */
static bool judge_lower(Planner *planner, LinkPlan *link) {
        const LinkPlan *lower = planner_lower(planner, link), *peer = planner_peer(planner, link);
        const LinkPlan *needed;

        if (lower && (lower->blocked || (!lower->have && !lower->create))) {
                judge(link, VERDICT_WAITING,
                      planner_text(planner, "waiting for %s", lower->item->path));
                return false;
        }
        for (size_t at = 0; (needed = planner_needed(planner, link, &at));)
                if (needed->blocked || (!needed->have && !needed->create)) {
                        judge(link, VERDICT_WAITING,
                              planner_text(planner, "waiting for %s", needed->item->path));
                        return false;
                }
        if (peer && peer->blocked) {
                judge(link, VERDICT_WAITING,
                      planner_text(planner, "waiting for %s", peer->item->path));
                return false;
        }
        return true;
}

/* Namespaces are decided on before links: their items say what comes of them. */
static bool judge_space(Planner *planner, LinkPlan *link, const Namespace *wanted) {
        const Namespace *have = network_find_namespace(planner->have, wanted->name);
        const PlanItem *item;

        if (wanted->type == NETNS_HOST || (have && have->exists))
                return true;
        item = planner_netns_item(planner, wanted->name);
        if (item && item->verdict == VERDICT_CREATE)
                return true;
        judge(link, VERDICT_WAITING, planner_text(planner, "waiting for namespace %s",
                                                  wanted->name));
        return false;
}

/* Its own, and the one that its outer packets belong to. */
static bool judge_netns(Planner *planner, LinkPlan *link) {
        const AttrSet *common = &link->wanted->common;
        const Namespace *bind = attrset_has(common, LINK_BIND_NETNS)
                ? network_find_namespace(planner->wanted,
                                         common->values[LINK_BIND_NETNS].ref.netns) : NULL;

        return judge_space(planner, link, link->wanted->netns) &&
               (!bind || judge_space(planner, link, bind));
}

static void judge_create(Planner *planner, LinkPlan *link, const char *reason) {
        const Link *lower = link_lower(link->wanted), *peer = link_peer(link->wanted);
        const char *foreign = link->have
                ? planner_foreign_on(planner, link->have, is_replaceable(link)) : NULL;
        const LinkPlan *far = planner_peer(planner, link);

        if (foreign) {
                judge(link, VERDICT_CONFLICT,
                      planner_text(planner, "would have to be re-created, which would take %s with "
                                   "it, which mvnetd did not make", foreign));
                return;
        }
        if (!judge_lower(planner, link))
                return;
        /* To make one end is to make both: whoever has the other end's name would go. */
        if (far && far->have && !may_replace(far)) {
                judge(link, VERDICT_CONFLICT,
                      planner_text(planner, "its peer %s is there, not made by mvnetd",
                                   far->item->path));
                return;
        }
        link->create = true;
        link->remove = link->have;
        if (link->have)
                judge(link, VERDICT_RECREATE, reason);
        else if (lower)
                judge(link, VERDICT_CREATE,
                      planner_text(planner, "parent %s", planner_path(planner, lower)));
        else if (peer)
                judge(link, VERDICT_CREATE,
                      planner_text(planner, "peer %s", planner_path(planner, peer)));
        else
                judge(link, VERDICT_CREATE, "");
}

/* To another lower device, another namespace's, or none, where it stands among the options. */
static Change lower_change(const Planner *planner, const LinkPlan *link) {
        const LinkLower *lower = link_kind_lower(link->have->kind);
        const LinkPlan *old = planner_by_have(planner, link_lower(link->have));
        const Ref *to = link_ref(link->target, LINK_PARENT);
        const char *bind = attrset_has(&link->have->common, LINK_BIND_NETNS)
                ? link->have->common.values[LINK_BIND_NETNS].ref.netns : link->have->netns->name;

        if (lower->kills && old && old->remove)
                return CHANGE_CREATE;
        if (to && !streq_ptr(to->netns, bind))
                return CHANGE_CREATE;
        return to ? lower->change : lower->remove;
}

static Change row_change(const Planner *planner, const LinkPlan *link, const Row *row) {
        const LinkKind *kind = link->have->kind;

        if (link_kind_is(kind, KIND_MAC_ONCE) && row == schema_row(&link_schema, LINK_MAC))
                return CHANGE_CREATE;
        if (row == schema_row(&link_schema, LINK_PARENT) && link_kind_lower(kind)->nla)
                return lower_change(planner, link);
        return row->change;
}

/* The first row that only a new link can change. */
static const Row *create_only(const Planner *planner, const LinkPlan *link, Section section,
                              size_t *ret_row) {
        const AttrSet *target = link_section(link->target, section);
        const AttrSet *have = link_section(link->have, section);
        size_t i;

        ROWSET_FOREACH(i, link->differ[section]) {
                const Row *row = schema_row(target->schema, i);
                bool known = have->schema == target->schema && attrset_has(have, i);
                Change change = row_change(planner, link, row);

                if (change == CHANGE_CREATE || change == CHANGE_KEY ||
                    (known && value_change_is_fixed(row, &have->values[i], &target->values[i]))) {
                        *ret_row = i;
                        return row;
                }
        }
        return NULL;
}

static void judge_difference(Planner *planner, LinkPlan *link, const Row *row, const Value *from) {
        const LinkPlan *lower = planner_lower(planner, link);
        const char *is = from ? planner_value(planner, row, from) : "something else";

        if (!may_replace(link)) {
                judge(link, VERDICT_CONFLICT,
                      planner_text(planner, "is there, not made by mvnetd, and its %s is %s: "
                                   "`replace: true` would let it be re-created", row->key, is));
                return;
        }
        if (row->type == &attr_lower && lower && lower->create && lower->have)
                judge_create(planner, link, planner_text(planner, "re-created: its parent %s is",
                                                         lower->item->path));
        else
                judge_create(planner, link,
                             planner_text(planner, "re-created: the kernel cannot change %s in "
                                          "place", row->key));
}

static void judge_existing(Planner *planner, LinkPlan *link) {
        const Link *wanted = link->wanted, *have = link->have;
        const Row *row;
        size_t i = 0;

        if (!link_is_physical(wanted) && have->kind != wanted->kind) {
                if (may_replace(link))
                        judge_create(planner, link,
                                     planner_text(planner, "re-created: it is a %s",
                                                  have->kind_name ? have->kind_name : "NIC"));
                else
                        judge(link, VERDICT_CONFLICT,
                              planner_text(planner, "there is a %s of this name: `replace: true` "
                                           "would let it be deleted",
                                           have->kind_name ? have->kind_name : "NIC"));
                return;
        }
        link->changes_netns = !streq(wanted->netns->name, have->netns->name);
        link->moves = link->changes_netns || !streq(wanted->name, have->name);
        planner_aim(planner, link);
        if (planner->failed || link_is_physical(wanted))
                return;
        row = create_only(planner, link, SECTION_OPTIONS, &i);
        if (row) {
                judge_difference(planner, link, row,
                                 attrset_has(&have->options, i) ? &have->options.values[i] : NULL);
                return;
        }
        row = create_only(planner, link, SECTION_COMMON, &i);
        if (row)
                judge_difference(planner, link, row,
                                 attrset_has(&have->common, i) ? &have->common.values[i] : NULL);
}

static bool option_is_true(const Link *link, const char *key) {
        const Value *value = key ? attrset_get(&link->options, key) : NULL;

        return value && value->number;
}

bool planner_will_be_up(const LinkPlan *link) {
        LinkState state = link_state(link->wanted);
        bool is_up = link->have && attrset_has(&link->have->common, LINK_STATE) &&
                     link->have->common.values[LINK_STATE].number == LINK_STATE_UP;

        if (link->blocked)
                return is_up;
        if (link->no_state || state == LINK_STATE_ANY)
                return is_up && !link->create && !link->changes_netns;
        return state == LINK_STATE_UP;
}

static void forget_judgement(LinkPlan *link) {
        link->judged = link->create = link->remove = false;
        link->no_master = link->no_state = link->moves = link->changes_netns = false;
        link->item->verdict = VERDICT_OK;
        link->item->reason = "";
        memset(link->differ, 0, sizeof(link->differ));
}

/* Neither wanted nor in the record. What is wanted was checked against its siblings already. */
static bool is_unknown(const Planner *planner, const Link *have) {
        return !planner_by_have(planner, have) &&
               !record_of_link(planner->record, have);
}

/* What all links on a parent share must not be changed under somebody else's. */
static void judge_siblings(Planner *planner, LinkPlan *link) {
        const LinkPlan *lower = planner_by_wanted(planner, link_real_lower(link->wanted));
        const Uppers *uppers = lower && lower->have ? planner_uppers(planner, lower->have) : NULL;
        const AttrSet *wanted = &link->wanted->options;
        size_t i;

        for (const struct Upper *upper = uppers ? uppers->first : NULL; upper;
             upper = upper->next) {
                const AttrSet *theirs = &upper->link->options;

                if (upper->port || upper->link == link->have || !wanted->schema ||
                    link_kind_family(upper->link->kind) != link_kind_family(link->wanted->kind) ||
                    !is_unknown(planner, upper->link))
                        continue;
                ROWSET_FOREACH(i, wanted->present & theirs->present) {
                        const Row *row = schema_row(wanted->schema, i);

                        if (!(row->flags & ROW_PER_PARENT) ||
                            value_equal(row, &wanted->values[i], &theirs->values[i]))
                                continue;
                        forget_judgement(link);
                        link->judged = true;
                        judge(link, VERDICT_CONFLICT,
                              planner_text(planner, "%s, which mvnetd did not make, has %s %s, and "
                                           "all links on one parent share that",
                                           planner_path(planner, upper->link), row->key,
                                           planner_value(planner, row, &theirs->values[i])));
                        return;
                }
        }
}

/* Of a bridge that somebody else made only the kernel can tell whether it has VLANs. */
static void judge_vlans(Planner *planner, LinkPlan *link) {
        const LinkPlan *master = planner_master(planner, link);
        const Link *bridge = master && link_is_physical(master->wanted) ? master->have : NULL;
        const Value *filtering = bridge && bridge->kind && bridge->kind->filtering
                ? attrset_get(&bridge->options, bridge->kind->filtering) : NULL;

        if (!link->wanted->vlans.present || !bridge || (filtering && filtering->number))
                return;
        forget_judgement(link);
        link->judged = true;
        judge(link, VERDICT_CONFLICT,
              planner_text(planner, "%s, which mvnetd did not make, does not filter VLANs",
                           planner_path(planner, bridge)));
}

/* What holds up part of a link, but not the link. */
static void judge_parts(Planner *planner, LinkPlan *link) {
        const LinkPlan *lower = planner_lower(planner, link),
                       *master = planner_master(planner, link);

        if (master && (master->blocked || (!master->have && !master->create))) {
                link->no_master = true;
                link->differ[SECTION_COMMON] &= ~ROW_BIT(LINK_MASTER);
                link->differ[SECTION_PORT] = 0;
                link->differ[SECTION_VLANS] = 0;
        }
        if (!lower || !link_kind_is(link->wanted->kind, KIND_NEEDS_PARENT_UP) ||
            option_is_true(link->wanted, link->wanted->kind->loose) || planner_will_be_up(lower))
                return;
        if (link_state(link->wanted) == LINK_STATE_UP) {
                link->no_state = true;
                link->differ[SECTION_COMMON] &= ~ROW_BIT(LINK_STATE);
        }
        /* Such a master would set it up (bond_main.c bond_enslave: ENETDOWN). */
        if (planner_joins(planner, link)) {
                link->no_master = true;
                link->differ[SECTION_COMMON] &= ~ROW_BIT(LINK_MASTER);
                link->differ[SECTION_PORT] = link->differ[SECTION_VLANS] = 0;
        }
}

/* Two configurations may say the same of a link; changing it is for the one that made it. */
static void judge_claimed(Planner *planner, LinkPlan *link, const char *claimed) {
        if (link->have) {
                judge_existing(planner, link);
                if (planner->failed || (!link->blocked && !link->create && !link->moves &&
                                        !(link->differ[SECTION_COMMON] |
                                          link->differ[SECTION_OPTIONS] |
                                          link->differ[SECTION_PORT] |
                                          link->differ[SECTION_VLANS]) &&
                                        !planner_objects_differ(planner, link)))
                        return;
        }
        forget_judgement(link);
        link->judged = true;
        judge(link, VERDICT_CONFLICT,
              planner_text(planner, "belongs to the configuration '%s'", claimed));
}

static void judge_link(Planner *planner, LinkPlan *link);

static void judge_below(Planner *planner, LinkPlan *link) {
        LinkPlan *below[] = {
                planner_lower(planner, link),
                planner_master(planner, link),
                link->wanted->far_end ? planner_peer(planner, link) : NULL,
        };

        LinkPlan *needed;

        link->depth = 1;
        for (size_t at = 0; (needed = planner_needed(planner, link, &at));) {
                judge_link(planner, needed);
                link->depth = MAX(link->depth, needed->depth + 1);
        }
        link->item->optional = is_optional(link);
        for (size_t i = 0; i < ELEMENTSOF(below); i++)
                if (below[i]) {
                        judge_link(planner, below[i]);
                        link->depth = MAX(link->depth, below[i]->depth + 1);
                        link->item->optional |= below[i]->item->optional;
                }
}

static void judge_link(Planner *planner, LinkPlan *link) {
        const char *claimed = record_claimed_by(planner->record, link->item->path);

        if (link->judged || planner->failed)
                return;
        link->judged = true; /* before looking below: a cycle ends here */
        judge_below(planner, link);
        if (claimed)
                judge_claimed(planner, link, claimed);
        else if (!judge_netns(planner, link))
                return;
        else if (link->have && link->forced)
                judge_create(planner, link, link->forced);
        else if (link->have)
                judge_existing(planner, link);
        else if (link_is_physical(link->wanted))
                judge(link, VERDICT_WAITING, "waiting for it to appear");
        else
                judge_create(planner, link, NULL);
        if (!link->blocked && (link->create || link->differ[SECTION_OPTIONS]))
                judge_siblings(planner, link);
        if (!link->blocked)
                judge_vlans(planner, link);
        if (!link->blocked)
                judge_parts(planner, link);
}

/* One end of a pair can't be re-created without the other, nor made while the other has to wait. */
static bool force_peers(Planner *planner) {
        bool forced = false;

        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next) {
                LinkPlan *peer = planner_peer(planner, link);

                if (!peer || peer->forced || !link->create)
                        continue;
                if (link->remove && peer->have && !peer->remove && !peer->blocked &&
                    link_peer(link->have) == peer->have)
                        peer->forced = planner_text(planner, "re-created: its peer %s is",
                                                    link->item->path);
                else if (!link->remove && peer->have && !peer->create && !peer->blocked)
                        peer->forced = planner_text(planner, "re-created: its peer %s is not there",
                                                    link->item->path);
                forced |= peer->forced != NULL;
        }
        return forced;
}

/* Links that are blocked because of a peer judged after them: look again. */
static bool block_peers(Planner *planner) {
        bool blocked = false;

        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next) {
                LinkPlan *peer = planner_peer(planner, link);

                blocked |= peer && peer->blocked && !peer->have && link->create && !link->blocked;
        }
        return blocked;
}

void planner_judge(Planner *planner) {
        bool again = true;

        /* Each round forces or blocks at least one more link, so the rounds end by themselves. */
        while (again && !planner->failed) {
                for (LinkPlan *link = planner->links; link; link = link->by_wanted.next)
                        judge_link(planner, link);
                again = force_peers(planner);
                again = block_peers(planner) || again;
                for (LinkPlan *link = planner->links; again && link; link = link->by_wanted.next)
                        forget_judgement(link);
        }
        for (LinkPlan *link = planner->links; link; link = link->by_wanted.next) {
                LinkPlan *peer = planner_peer(planner, link);

                if (peer && link->create && peer->create && link->wanted->far_end)
                        link->made_with = peer;
        }
        if (!planner->failed)
                planner_judge_ports(planner);
}
