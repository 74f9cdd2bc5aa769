/* SPDX-License-Identifier: MIT */
/*
 * From ifindexes to names. A link of another namespace is reported by its ifindex there and by a
 * number that the reporting namespace has for it. The kernel tells what number it has for a
 * namespace that one can show it, never which namespace is behind a number: so those that we know
 * are shown one after the other, the likely ones first and each only once.
 */

#define HASH_NONFATAL_OOM 1

#include "kernel/watch.h"

#include <errno.h>
#include <stdlib.h>

enum {
        REFS_E_UNKNOWN = 100, /* beside DUMP_E_*: nobody can tell what is meant */
};

/* Numbers that are remembered. */

static Nsid *recall_nsid(const Space *viewer, uint64_t cookie) {
        Nsid *entry;

        HASH_FIND(hh, viewer->nsids, &cookie, sizeof(cookie), entry);
        return entry;
}

static int remember_nsid(Space *viewer, uint64_t cookie, int nsid) {
        Nsid *entry = recall_nsid(viewer, cookie);

        if (entry) {
                entry->nsid = nsid;
                return 0;
        }
        entry = calloc(1, sizeof(Nsid));
        if (!entry)
                return -ENOMEM;
        entry->cookie = cookie;
        entry->nsid = nsid;
        HASH_ADD(hh, viewer->nsids, cookie, sizeof(entry->cookie), entry);
        if (entry->hh.tbl)
                return 0;
        free(entry);
        return -ENOMEM;
}

static void forget_nsid(Space *viewer, Nsid *entry) {
        HASH_DEL(viewer->nsids, entry);
        free(entry);
}

void space_forget_nsid(Space *viewer, int nsid) {
        Nsid *entry, *next;

        HASH_ITER(hh, viewer->nsids, entry, next)
                if (entry->nsid == nsid)
                        forget_nsid(viewer, entry);
}

void space_forget_nsids(RealKernel *kernel, Space *space) {
        Nsid *entry, *next;

        HASH_ITER(hh, space->nsids, entry, next)
                forget_nsid(space, entry);
        for (Space *viewer = kernel->spaces; viewer; viewer = viewer->hh.next) {
                entry = recall_nsid(viewer, space->cookie);
                if (entry)
                        forget_nsid(viewer, entry);
        }
}

/* What the viewer calls the other one, -1 if nothing: of that there is news, unless it is noisy. */
static int find_nsid(const Place *viewer, const Place *other, int *ret) {
        Space *space = viewer->space;
        const Nsid *known = recall_nsid(space, other->space->cookie);
        int r;

        if (known && (known->nsid >= 0 || !space->watch->noisy)) {
                *ret = known->nsid;
                return 0;
        }
        r = place_enter(viewer);
        if (r == 0)
                r = place_enter(other);
        if (r == 0)
                r = space_nsid(space, other->space->fd, ret);
        if (r == 0 && space->watch && other->space->watch)
                r = remember_nsid(space, other->space->cookie, *ret);
        return r;
}

/* Searching. */

typedef enum Likely {
        LIKELY_MUTUAL, /* its link of that ifindex refers back: a veth's far end */
        LIKELY_THERE,  /* it has a link of that ifindex */
        LIKELY_ANY,
        _LIKELY_N,
} Likely;

typedef struct Search {
        Place *viewer;
        const CachedLink *from; /* what refers */
        int ifindex, nsid;
        Place *found;
} Search;

static bool is_likely(const Search *search, const Place *candidate, Likely likely) {
        const CachedLink *there = place_find(candidate, search->ifindex);

        switch (likely) {
        case LIKELY_MUTUAL:
                return there && there->lower == search->from->ifindex;
        case LIKELY_THERE:
                return there;
        case LIKELY_ANY:
                return true;
        case _LIKELY_N:
                break;
        }
        return false;
}

static int learn(Place *viewer, int nsid, Place *place) {
        PlaceId *id = arena_new(&viewer->dump->arena, PlaceId);

        if (!id)
                return -ENOMEM;
        id->nsid = nsid;
        id->place = place;
        HASH_ADD_INT(viewer->ids, nsid, id);
        return 0;
}

static PlaceId *recall(const Place *viewer, int nsid) {
        PlaceId *id;

        HASH_FIND_INT(viewer->ids, &nsid, id);
        return id;
}

static int ask(Search *search, size_t i, Likely likely) {
        Place *viewer = search->viewer, *candidate = &viewer->dump->places[i];
        int nsid, r;

        if (search->found || viewer->asked[i] || !candidate->open ||
            !is_likely(search, candidate, likely))
                return 0;
        viewer->asked[i] = true;
        r = find_nsid(viewer, candidate, &nsid);
        if (r != 0 || nsid < 0)
                return r;
        if (nsid == search->nsid)
                search->found = candidate;
        /* Two names of one namespace: the first counts. */
        return recall(viewer, nsid) ? 0 : learn(viewer, nsid, candidate);
}

/* The host's first, then the neighbours: what is declared together is often tied together. */
static int ask_all(Search *search, Likely likely) {
        const Dump *dump = search->viewer->dump;
        size_t self = (size_t)(search->viewer - dump->places);
        int r = ask(search, 0, likely);

        for (size_t distance = 1; r == 0 && !search->found && distance < dump->n; distance++) {
                if (self + distance < dump->n)
                        r = ask(search, self + distance, likely);
                if (r == 0 && distance <= self)
                        r = ask(search, self - distance, likely);
        }
        return r;
}

/* NULL: none of those that were dumped. */
static int find_place(Place *viewer, const CachedLink *from, const Value *value, Place **ret) {
        Search search = {viewer, from, value->raw.ifindex, value->raw.nsid, NULL};
        PlaceId *known = recall(viewer, search.nsid);
        int r = 0;

        if (known) {
                *ret = known->place;
                return 0;
        }
        if (!viewer->asked)
                viewer->asked = arena_new_n(&viewer->dump->arena, bool, viewer->dump->n);
        if (!viewer->asked)
                return -ENOMEM;
        for (Likely likely = 0; r == 0 && !search.found && likely < _LIKELY_N; likely++)
                r = ask_all(&search, likely);
        if (r == 0 && !search.found)
                r = learn(viewer, search.nsid, NULL);
        if (r != 0)
                return r;
        *ret = search.found;
        return 0;
}

/* What has no MAC address of its own has its lower device's. */
static bool can_be_lower(const CachedLink *from, const CachedLink *lower) {
        if (!from->link || !link_kind_is(from->link->kind, KIND_PARENT) ||
            !link_kind_is(from->link->kind, KIND_NO_MAC) ||
            !attrset_has(&from->link->common, LINK_MAC) ||
            !attrset_has(&lower->link->common, LINK_MAC))
                return true;
        return memcmp(from->link->common.values[LINK_MAC].bytes,
                      lower->link->common.values[LINK_MAC].bytes, 6) == 0;
}

/*
 * A reference leads nowhere. Of what is watched only the event is missing that tells of the
 * difference, as when the lower device moved to another namespace: the link is read again, once.
 * Otherwise links of different namespaces may have been read at different times.
 */
static int look_again(const Place *place, CachedLink *from, const Place *target, int ifindex,
                      bool final) {
        bool fresh = from->read > place->dump->before;

        if (!place->space->watch || (target && !target->space->watch))
                return target && !final ? DUMP_E_STALE : 0;
        if (from->dangling || fresh || final) {
                from->dangling = true;
                return 0;
        }
        space_mark(place->space, from->ifindex);
        if (target)
                space_mark(target->space, ifindex);
        return DUMP_E_STALE;
}

/* A tunnel outlives its lower device and keeps its number: that is not to have none. */
static int name_the_dead(const Place *place, Value *value) {
        char *number = arena_printf(&place->dump->have->arena, "%d", value->raw.ifindex);

        if (!number)
                return -ENOMEM;
        *value = (Value){.ref = {"?", number}};
        return 0;
}

static bool keeps_dead_lower(const CachedLink *from, const Value *value) {
        return from->link && link_kind_lower(from->link->kind)->nla &&
               value == &from->link->common.values[LINK_PARENT];
}

/* Younger kernels call a ring the master of its ways (7.3 hsr_slave.c): it has them as options. */
static bool is_no_master(const CachedLink *from, const Value *value, const CachedLink *there) {
        return from->link && value == &from->link->common.values[LINK_MASTER] &&
               there->link->kind && !link_kind_is(there->link->kind, KIND_MASTER);
}

/*
 * Within one namespace, all that there is was in the same dump. What is not, or cannot be what is
 * meant, is an ifindex of another namespace that the kernel forgot to name: it does so with
 * ipvtap (6.1), and with tunnels whose device is gone.
 */
static int resolve_here(const Place *place, CachedLink *from, Value *value, bool final) {
        const CachedLink *there = place_find(place, value->raw.ifindex);
        int r = 0;

        if (!there || !can_be_lower(from, there)) {
                r = look_again(place, from, NULL, 0, final);
                if (r == 0 && keeps_dead_lower(from, value))
                        return name_the_dead(place, value);
                return r == 0 ? REFS_E_UNKNOWN : r;
        }
        *value = is_no_master(from, value, there)
                ? (Value){} : (Value){.ref = {place->netns->name, there->link->name}};
        return 0;
}

static int resolve_elsewhere(Place *place, CachedLink *from, Value *value, bool final) {
        const CachedLink *there;
        Place *target;
        int r = find_place(place, from, value, &target);

        if (r != 0)
                return r;
        there = target ? place_find(target, value->raw.ifindex) : NULL;
        if (there) {
                *value = (Value){.ref = {target->netns->name, there->link->name}};
                return 0;
        }
        if (target)
                r = look_again(place, from, target, value->raw.ifindex, final);
        if (r != 0)
                return r;
        return name_the_dead(place, value);
}

static int resolve_value(Place *place, CachedLink *from, Value *value, bool final) {
        if (!value->unresolved)
                return 0;
        return value->raw.nsid < 0 ? resolve_here(place, from, value, final)
                                   : resolve_elsewhere(place, from, value, final);
}

/* The namespace on the outer side of a tunnel: "?" if it is none that was dumped. */
static int resolve_netns(Place *place, CachedLink *from, Value *value) {
        Place *target;
        int r;

        if (!value->unresolved)
                return 0;
        r = find_place(place, from, value, &target);
        if (r == 0)
                *value = (Value){.ref.netns = target ? target->netns->name : "?"};
        return r;
}

static int resolve_row(Place *place, CachedLink *from, const Row *row, Value *value,
                       bool final) {
        int r = 0;

        if (row->type->is_netns)
                return resolve_netns(place, from, value);
        if (row->type->ref_in) {
                for (size_t i = 0; r == 0 && i < value->list.n; i++)
                        r = resolve_value(place, from, row->type->ref_in(&value->list.items[i]),
                                          final);
                return r;
        }
        if (!row->type->is_ref)
                return 0;
        if (row->type->shape == SHAPE_SCALAR)
                return resolve_value(place, from, value, final);
        for (size_t i = 0; r == 0 && i < value->list.n; i++)
                r = resolve_value(place, from, &value->list.items[i], final);
        return r;
}

static int resolve_set(Place *place, CachedLink *from, AttrSet *set, bool final) {
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                int r = resolve_row(place, from, schema_row(set->schema, i), &set->values[i],
                                    final);

                if (r == REFS_E_UNKNOWN)
                        set->present &= ~ROW_BIT(i);
                else if (r != 0)
                        return r;
        }
        return 0;
}

static int resolve_link(Place *place, CachedLink *entry, bool final) {
        Link *link = entry->link;
        int r = resolve_set(place, entry, &link->common, final);

        if (r == 0)
                r = resolve_set(place, entry, &link->options, final);
        if (r == 0)
                r = resolve_set(place, entry, &link->port, final);
        for (Object *object = link->objects; r == 0 && object; object = object->next)
                r = resolve_set(place, entry, &object->set, final);
        return r;
}

int dump_resolve(Dump *dump, bool final) {
        CachedLink nowhere = {.dangling = true};
        int r = 0;

        for (size_t i = 0; i < dump->n; i++) {
                Place *place = &dump->places[i];

                if (!place->open)
                        continue;
                for (CachedLink *entry = place->space->cache->links; r == 0 && entry;
                     entry = entry->hh.next)
                        if (entry->link)
                                r = resolve_link(place, entry, final);
                for (Object *object = place->netns->objects; r == 0 && object;
                     object = object->next)
                        r = resolve_set(place, &nowhere, &object->set, final);
        }
        return r;
}
