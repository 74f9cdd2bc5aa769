/* SPDX-License-Identifier: MIT */
/*
 * Was it ignored, or undone? The kernel acknowledges both. But what it did it also told everybody,
 * us included, before somebody else could undo it.
 */

#include "kernel/saw.h"

#include "kernel/watch.h"

#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <net/if.h>

#define WINDOW_MAX ((size_t)1024 * 1024) /* 800 link events */

/* What was heard. */

void window_begin(Window *window) {
        arena_deinit(&window->arena);
        *window = (Window){.open = true};
}

void window_add(Window *window, const Space *space, const struct nlmsghdr *message) {
        Heard *heard = NULL;

        if (!window->open || window->overflown)
                return;
        if (window->arena.used + message->nlmsg_len <= WINDOW_MAX)
                heard = arena_new(&window->arena, Heard);
        if (heard)
                heard->message = arena_alloc(&window->arena, message->nlmsg_len);
        if (!heard || !heard->message) {
                arena_deinit(&window->arena);
                *window = (Window){.open = true, .overflown = true, .marked = window->marked};
                return;
        }
        memcpy(heard->message, message, message->nlmsg_len);
        heard->cookie = space->cookie;
        if (window->last)
                window->last->next = heard;
        else
                window->first = heard;
        window->last = heard;
}

typedef struct Asking {
        Window *window;
        const Space *space;
} Asking;

static int take_answer(const struct nlmsghdr *message, void *userdata) {
        const Asking *asking = userdata;

        if (message->nlmsg_type == RTM_NEWLINK)
                window_add(asking->window, asking->space, message);
        return 0;
}

static bool is_up(const Cache *cache, int ifindex) {
        const CachedLink *known = cache_find(cache, ifindex);
        const struct nlmsghdr *message = known ? (const struct nlmsghdr *)known->messages : NULL;
        const struct ifinfomsg *header = message ? mnl_nlmsg_get_payload(message) : NULL;

        return header && header->ifi_flags & IFF_UP;
}

/*
 * Of a link that is down most changes are no event: alias, group, altnames, options of any kind
 * (dev.c netdev_state_change; 6.1 … 6.18).
 */
void window_ask(RealKernel *kernel, const Space *space, int ifindex) {
        Asking asking = {.space = space};
        DumpRequest buffer;

        if (!space->watch || is_up(space->cache, ifindex))
                return;
        asking.window = &kernel->watcher->window;
        if (netlink_get(space->netlink, link_request(&buffer, ifindex), take_answer, &asking) < 0)
                space->watch->lost = true;
}

/* What it means. */

static bool is_about(const Op *op, const Shown *shown) {
        if (!streq(op->netns, shown->netns))
                return false;
        if (op->object && !op->link)
                return shown->ifindex == 0;
        return op->ifindex > 0 ? op->ifindex == shown->ifindex
                               : streq_ptr(op->name, shown->link_name);
}

static bool has_rows(const AttrSet *wanted, const AttrSet *have, RowSet rows, RowSet unknown) {
        return have->schema == wanted->schema &&
               !((attrset_diff(wanted, have, true, NULL) | unknown) & rows);
}

static bool has_options(const Op *op, const Shown *shown) {
        const AttrSet *wanted = link_section(op->link, op->section);

        return shown->link && !shown->gone && is_about(op, shown) &&
               has_rows(wanted, link_section(shown->link, op->section), op->rows[op->section],
                        shown->unknown[op->section]);
}

/*
 * What goes was there. Of a new IPv6 address a worker tells (addrconf_dad_work), who finds nothing
 * to tell if it is gone by then.
 */
static bool has_object(const Op *op, const Shown *shown) {
        const Object *object = op->object->type->nest && shown->link
                ? object_find(shown->link->objects, op->object) : shown->object;

        return object && is_about(op, shown) && object_same(object, op->object) &&
               (shown->gone || has_rows(&op->object->set, &object->set, op_object_rows(op), 0));
}

static bool lost_object(const Op *op, const Shown *shown) {
        if (!is_about(op, shown))
                return false;
        if (op->object->type->nest)
                return shown->link && !shown->gone &&
                       !object_find(shown->link->objects, op->object);
        return shown->gone && shown->object && object_same(shown->object, op->object);
}

static bool is_moved(const Op *op, const Shown *shown) {
        if (shown->object)
                return false;
        if (shown->gone)
                return !streq(op->netns, op->to.netns) && is_about(op, shown);
        return streq(shown->netns, op->to.netns) && streq_ptr(shown->link_name, op->to.link);
}

bool op_is_shown(const Op *op, const Shown *shown) {
        switch (op->type) {
        case OP_LINK_ADD:
                return !shown->gone && !shown->object && streq(shown->netns, op->netns) &&
                       streq_ptr(shown->link_name, op->name);
        case OP_LINK_SET:
                /* VLANs are refused or done, never ignored: that there was any change will do. */
                return op->section == SECTION_VLANS ? is_about(op, shown) : has_options(op, shown);
        case OP_LINK_MOVE:
                return is_moved(op, shown);
        case OP_LINK_DEL:
                return shown->gone && !shown->object && is_about(op, shown);
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
                return has_object(op, shown);
        case OP_OBJECT_DEL:
                return lost_object(op, shown);
        case OP_NETNS_ADD:
        case OP_NETNS_DEL:
        case _OP_TYPE_N:
                break;
        }
        return false;
}

bool op_is_told(const Op *op) {
        switch (op->type) {
        case OP_NETNS_ADD:
        case OP_NETNS_DEL:
        case _OP_TYPE_N:
                return false;
        case OP_LINK_SET:
                return op_transport(op) == TRANSPORT_RTNL || op_transport(op) == TRANSPORT_TUN;
        case OP_LINK_ADD:
        case OP_LINK_MOVE:
        case OP_LINK_DEL:
                return true;
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
        case OP_OBJECT_DEL:
                break;
        }
        return op->object->type->transport == TRANSPORT_RTNL;
}

/* From message to meaning. */

typedef struct Seeing {
        RealKernel *kernel;
        const Op *op;
        Namespace *netns; /* where messages are taken apart */
} Seeing;

/* As it was called last, as far as we heard. */
static const char *name_of(const Seeing *seeing, const Space *space, int ifindex) {
        const CachedLink *known = cache_find(space->cache, ifindex);
        const char *name = NULL;

        if (known && known->size > 0)
                name = message_link_name((const struct nlmsghdr *)known->messages);
        for (const Heard *heard = seeing->kernel->watcher->window.first; heard;
             heard = heard->next) {
                const struct ifinfomsg *header = mnl_nlmsg_get_payload(heard->message);

                if (heard->cookie == space->cookie && heard->message->nlmsg_type == RTM_NEWLINK &&
                    header->ifi_index == ifindex)
                        name = message_link_name(heard->message);
        }
        return name;
}

/* Rows that refer to a link whose name nobody told. */
static RowSet resolve(const Seeing *seeing, const Space *space, AttrSet *set) {
        RowSet unknown = 0;
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                Value *value = &set->values[i];
                const char *name;

                if (schema_row(set->schema, i)->type->is_netns)
                        unknown |= ROW_BIT(i);
                if (!schema_row(set->schema, i)->type->is_ref || !value->unresolved)
                        continue;
                name = value->raw.nsid < 0 ? name_of(seeing, space, value->raw.ifindex) : NULL;
                if (name)
                        *value = (Value){.ref = {space->name, name}};
                else
                        unknown |= ROW_BIT(i);
        }
        set->present &= ~unknown;
        return unknown;
}

/* Only what counts is taken apart: there can be thousands. 0, DECODE_E_*, or < 0. */
static int see_link(const Seeing *seeing, const Space *space, const struct nlmsghdr *message,
                    Shown *ret) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
        const Op *op = seeing->op;
        Link *link;
        int lower, r;

        ret->gone = message->nlmsg_type == RTM_DELLINK;
        ret->ifindex = header->ifi_index;
        ret->link_name = message_link_name(message);
        if (ret->gone || !is_about(op, ret) || (op->object && !op->object->type->nest))
                return 0;
        r = decode_link(seeing->netns, message, &link, &lower);
        if (r != 0)
                return r;
        for (Section section = 0; section < _SECTION_N; section++)
                ret->unknown[section] = resolve(seeing, space, link_section(link, section));
        ret->link = link;
        return 0;
}

static int see_object(const Seeing *seeing, const Space *space, const struct nlmsghdr *message,
                      Shown *ret) {
        const Op *op = seeing->op;
        const ObjectType *type = message_type(message);
        Object *object;
        int r;

        if (!type || !op->object || op->object->type != type)
                return 0;
        r = decode_object(seeing->netns, NULL, type, message, &object);
        if (r != 0)
                return r;
        if (!object)
                return DECODE_E_TAKEN;
        if (type->fit && op->link)
                type->fit(object, op->link);
        resolve(seeing, space, &object->set);
        ret->gone = message->nlmsg_type == type->message_del;
        ret->ifindex = message_ifindex(message, type);
        ret->link_name = op->ifindex > 0 ? NULL : name_of(seeing, space, ret->ifindex);
        ret->object = object;
        return 0;
}

static int see_vlans(const Seeing *seeing, const Space *space, const struct nlmsghdr *message,
                     Shown *ret) {
        const struct br_vlan_msg *header = mnl_nlmsg_get_payload(message);

        if (seeing->op->section != SECTION_VLANS)
                return DECODE_E_TAKEN;
        ret->ifindex = (int)header->ifindex;
        ret->link_name = name_of(seeing, space, ret->ifindex);
        return 0;
}

static int see(const Seeing *seeing, const Space *space, const struct nlmsghdr *message,
               Shown *ret) {
        switch (message->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
                return see_link(seeing, space, message, ret);
        case RTM_NEWVLAN:
        case RTM_DELVLAN:
                return see_vlans(seeing, space, message, ret);
        }
        return see_object(seeing, space, message, ret);
}

/* What can't be made out can't have been what was asked for. */
static bool shows(const Seeing *seeing, const Space *space, const struct nlmsghdr *message) {
        Shown shown = {.netns = space->name};
        int r = see(seeing, space, message, &shown);
        bool is = r == 0 && op_is_shown(seeing->op, &shown);

        for (Link *link = seeing->netns->links, *next; link; link = next) {
                next = link->hh.next;
                namespace_remove_link(link);
        }
        return is;
}

static bool window_shows(const Seeing *seeing, const Space *space) {
        for (const Heard *heard = seeing->kernel->watcher->window.first; heard;
             heard = heard->next)
                if (heard->cookie == space->cookie && shows(seeing, space, heard->message))
                        return true;
        return false;
}

static const Space *find_space(const RealKernel *kernel, const char *name) {
        Space *space;

        HASH_FIND_STR(kernel->spaces, name, space);
        return space;
}

bool real_saw(Kernel *base, const Op *op) {
        _cleanup_(network_freep) Network *network = NULL;
        RealKernel *kernel = real_kernel(base);
        Seeing seeing = {.kernel = kernel, .op = op};
        const Space *space, *target = NULL;

        if (!kernel->watcher || !kernel->watcher->window.open || !op_is_told(op))
                return false;
        watch_catch_up(kernel);
        watch_nudge(kernel);
        space = find_space(kernel, op->netns);
        if (op->type == OP_LINK_MOVE && !streq(op->to.netns, op->netns))
                target = find_space(kernel, op->to.netns);
        if (!space || !space->watch || space->watch->lost || space->watch->noisy ||
            kernel->watcher->window.overflown || network_new(&network) < 0)
                return true;
        seeing.netns = network_find_namespace(network, HOST);
        return window_shows(&seeing, space) ||
               (target && target->watch && window_shows(&seeing, target));
}
