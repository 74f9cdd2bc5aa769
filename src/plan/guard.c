/* SPDX-License-Identifier: MIT */
/*
 * Don't saw off the branch: what touches a link of the caller's own namespace that carries a
 * default route or the caller's SSH session, or that is below or above one, is marked.
 */

#include "planner.h"

static const char *carries(Planner *planner, const Link *link) {
        if (link->carries_session)
                return planner_text(planner, "your SSH session runs over %s", link->name);
        if (link->carries_default)
                return planner_text(planner, "the default route leaves by %s", link->name);
        return NULL;
}

/* The link itself, what it stands on or belongs to, and what stands on it. */
static const char *branch(Planner *planner, const Link *link, unsigned depth) {
        const Uppers *uppers = planner_uppers(planner, link);
        const char *reason = carries(planner, link);

        for (const struct Upper *upper = uppers ? uppers->first : NULL;
             upper && !reason && depth < 64; upper = upper->next)
                reason = branch(planner, upper->link, depth + 1);
        if (!reason && link_master(link) && depth < 64)
                reason = branch(planner, link_master(link), depth + 64);
        for (const Link *lower = link_lower(link); lower && !reason && depth++ < 64;
             lower = link_lower(lower))
                reason = carries(planner, lower);
        return reason;
}

/* New things on a link leave it as it is; everything else could cut it off. */
static bool touches(const Op *op) {
        switch (op->type) {
        case OP_LINK_SET:
        case OP_LINK_MOVE:
        case OP_LINK_DEL:
        case OP_OBJECT_DEL:
                return op->ifindex != 0;
        case OP_NETNS_ADD:
        case OP_NETNS_DEL:
        case OP_LINK_ADD:
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
                return false;
        case _OP_TYPE_N:
                break;
        }
        return false;
}

/* Only links of the caller's own namespace carry anything, but what they hang on may be elsewhere. */
void planner_guard(Planner *planner) {
        for (size_t i = 0; !planner->failed && i < planner->plan->n_ops; i++) {
                const Op *op = planner->plan->ops[i];
                const Namespace *netns = network_find_namespace(planner->have, op->netns);
                const Link *link = netns && touches(op)
                        ? planner_find(planner, netns->cookie, op->ifindex) : NULL;
                const Link *peer = link && op->type == OP_LINK_DEL ? link_peer(link) : NULL;

                if (link && !op->item->guard)
                        op->item->guard = branch(planner, link, 0);
                if (peer && !op->item->guard)
                        op->item->guard = branch(planner, peer, 0);
        }
}
