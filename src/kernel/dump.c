/* SPDX-License-Identifier: MIT */
/*
 * The kernel's state as a Network: has what is not known of every namespace of the scope, or is
 * known to be stale, read, and makes a Network of it.
 *
 * What does not fit together, as links and addresses that were read while somebody changed them, is
 * read again. Of what is watched there is a rule for that: who changed something we have read had
 * seen, or done, what came before it, so the news of that is queued already. When there is nothing
 * left in the queues, all that was read is of one time.
 */

#include "kernel/resolve.h"
#include "kernel/watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define PLACE_TRIES 32 /* per namespace: one that changes faster than that is not readable */
#define REFRESH_TRIES 16
#define DUMP_TRIES 4   /* of all, while references lead to links that nobody has seen */
#define SYSCTL_SIZE 4096

struct nlmsghdr *dump_request(DumpRequest *request, uint16_t type, size_t header_size) {
        struct nlmsghdr *message = mnl_nlmsg_put_header(request->bytes);

        message->nlmsg_type = type;
        mnl_nlmsg_put_extra_header(message, header_size);
        return message;
}

CachedLink *place_find(const Place *place, int ifindex) {
        CachedLink *found = cache_find(place->space->cache, ifindex);

        return found && found->link ? found : NULL;
}

/* Reading. */

int place_enter(const Place *place) {
        int r = space_open(place->dump->kernel, place->space);

        return place->space->changed || r > 0 ? DUMP_E_STALE : r;
}

/* What was taken apart so far. */
static void place_forget(Place *place) {
        Link *link, *next;

        HASH_ITER(hh, place->netns->links, link, next)
                namespace_remove_link(link);
        place->netns->objects = place->netns->last = NULL;
}

/* Why a namespace can't be looked into is part of the answer; only the host's has to be there. */
static int place_fail(Place *place, int outcome, const char *reason) {
        Namespace *netns = place->netns;

        if (outcome == -ENOMEM || netns->type == NETNS_HOST)
                return outcome < 0 ? outcome : -EAGAIN;
        place_forget(place);
        netns->exists = false;
        netns->dead = outcome == NETNS_E_DEAD;
        netns->reason = outcome == NETNS_E_ABSENT ? NULL : reason;
        place->open = false;
        return 0;
}

/* It is there, and can't be read: nobody will tell when that changes. */
static int place_give_up(Place *place, int outcome) {
        watch_leave(place->dump->kernel, place->space);
        place->space->blind = true;
        return place_fail(place, outcome < 0 ? outcome : -EAGAIN,
                          outcome < 0 ? space_problem(outcome)
                                      : "changes faster than it can be read");
}

static int read_place(Place *place) {
        Space *space = place->space;
        int r = place_enter(place);

        if (r > 0)
                return r;
        if (r == 0)
                r = cache_read(space->cache, space->netlink, place->dump->kernel->turn,
                               space->watch && space->watch->noisy);
        return r == 0 ? 0 : place_give_up(place, r);
}

static bool was_read(const Dump *dump, int ifindex, uint64_t after) {
        for (size_t i = 0; i < dump->n; i++) {
                const Place *place = &dump->places[i];
                const CachedLink *entry = place->open && place->read
                        ? cache_find(place->space->cache, ifindex) : NULL;

                if (entry && entry->read > after)
                        return true;
        }
        return false;
}

/*
 * What a parent's new MTU or address does to an ipvlan nobody tells (ipvlan_main.c; 6.1 … 6.18).
 * Which namespace the parent is in does not matter: one link too many is read at worst.
 */
static void mark_followers(const Dump *dump) {
        for (size_t i = 0; i < dump->n; i++) {
                const Place *place = &dump->places[i];

                for (CachedLink *entry = place->open ? place->space->cache->links : NULL; entry;
                     entry = entry->hh.next)
                        if (link_kind_is(entry->kind, KIND_MTU_FOLLOWS) &&
                            was_read(dump, entry->lower, entry->read))
                                space_mark(place->space, entry->ifindex);
        }
}

/* Reads what is stale. *ret_any: whether there was something. */
static int read_places(Dump *dump, bool final, bool *ret_any) {
        int r = 0;

        *ret_any = false;
        dump->kernel->turn++;
        for (size_t i = 0; r == 0 && i < dump->n; i++) {
                Place *place = &dump->places[i];

                if (!place->open)
                        continue;
                if (place->space->changed) {
                        r = final ? place_fail(place, NETNS_E_ABSENT, NULL) : DUMP_E_STALE;
                } else if (cache_is_stale(place->space->cache)) {
                        *ret_any = place->read = true;
                        r = read_place(place);
                }
        }
        return r;
}

/* Until there is nothing left to read, or nobody lets us. */
static int refresh(Dump *dump, bool final) {
        bool any = true;

        for (unsigned i = 0; i < REFRESH_TRIES && any; i++) {
                int r = read_places(dump, final, &any);

                if (r != 0)
                        return r;
                if (any) {
                        watch_catch_up(dump->kernel);
                        mark_followers(dump);
                }
        }
        for (size_t i = 0; i < dump->n; i++)
                if (dump->places[i].open)
                        dump->places[i].space->cache->changed = false;
        return 0;
}

/* Taking apart. */

static int decode_entry(Place *place, CachedLink *entry) {
        int r = 0;

        entry->link = NULL;
        entry->kind = NULL;
        CACHED_FOREACH(message, entry) {
                const ObjectType *type;
                Object *object;

                if (message->nlmsg_type == RTM_NEWVLAN) {
                        r = decode_vlans(entry->link, message);
                } else if (message->nlmsg_type == RTM_NEWLINK) {
                        r = decode_link(place->netns, message, &entry->link, &entry->lower);
                        entry->kind = r == 0 ? entry->link->kind : NULL;
                } else {
                        type = message_type(message);
                        r = type ? decode_object(place->netns, entry->link, type, message, &object)
                                 : -EBADMSG;
                        if (r == 0 && type->fit && entry->link)
                                type->fit(object, entry->link);
                }
                if (r != 0)
                        return r;
        }
        return 0;
}

/* A bridge that filters and its ports have VLANs, be it none of them; others don't. */
static int settle_vlans(Place *place, CachedLink *entry) {
        const Value *master = &entry->link->common.values[LINK_MASTER];
        const CachedLink *bridge = entry;

        if (!entry->filters && attrset_has(&entry->link->common, LINK_MASTER) && master->unresolved)
                bridge = place_find(place, master->raw.ifindex);
        if (!bridge || !bridge->filters) {
                entry->link->vlans = (AttrSet){};
                return 0;
        }
        return vlans_settle(entry->link);
}

static int decode_place(Place *place) {
        int r = 0;

        place_forget(place);
        for (CachedLink *entry = place->space->cache->links; r == 0 && entry;
             entry = entry->hh.next)
                r = decode_entry(place, entry);
        for (CachedLink *entry = place->space->cache->links;
             r == 0 && entry && place->space->cache->filters; entry = entry->hh.next)
                if (entry->link)
                        r = settle_vlans(place, entry);
        return r == 0 ? decode_entry(place, &place->space->cache->space) : r;
}

/* What the kernel says now, unless that is known. Unreadable and write-only ones have no text. */
static int ask_sysctl(Place *place, CachedText **texts, const char *path, CachedText **ret) {
        char text[SYSCTL_SIZE];
        int r = 0;

        *ret = texts_find(*texts, path);
        if (*ret)
                return 0;
        if (place->space->type != NETNS_HOST)
                r = place_enter(place);
        if (r != 0)
                return r;
        r = netns_sysctl_read(space_visit(place->space), path, text, sizeof(text));
        if (r == -ENOMEM)
                return r;
        *ret = texts_add(texts, path, r == 0 ? text : NULL);
        return *ret ? 0 : -ENOMEM;
}

static int read_sysctl(Place *place, Link *link, const Object *wanted) {
        CachedLink *entry = link ? place_find(place, link->ifindex) : NULL;
        CachedText **texts = entry ? &entry->texts : &place->space->cache->texts, *known = NULL;
        Arena *arena = &place->netns->network->arena;
        AttrSet set = {};
        Object *object;
        Buf path = {};
        int r;

        sysctl_path(wanted, link, &path);
        r = buf_error(&path);
        if (r == 0)
                r = ask_sysctl(place, texts, buf_text(&path), &known);
        buf_deinit(&path);
        if (r != 0 || !known->text)
                return r;
        object = link ? link_add_object(link, wanted->type)
                      : namespace_add_object(place->netns, wanted->type);
        if (!object || attrset_copy(&wanted->set, arena, &set) < 0)
                return -ENOMEM;
        set.at = NULL;
        set.implied = 0;
        r = schema_find(set.schema, "value");
        if (r < 0)
                return -EINVAL;
        attrset_set(&set, (size_t)r, (Value){.text = arena_strdup(arena, known->text)});
        object->set = set;
        return set.values[r].text ? 0 : -ENOMEM;
}

static int read_sysctls(Place *place, Link *link, const Object *wanted) {
        int r = 0;

        for (; r == 0 && wanted; wanted = wanted->next)
                if (wanted->type->transport == TRANSPORT_SYSCTL)
                        r = read_sysctl(place, link, wanted);
        return r;
}

static int dump_sysctls(Place *place) {
        int r;

        if (!place->wanted)
                return 0;
        r = read_sysctls(place, NULL, place->wanted->objects);
        for (Link *wanted = place->wanted->links; r == 0 && wanted; wanted = wanted->hh.next) {
                Link *link = namespace_find_link(place->netns, wanted->name);
                Link *renamed = wanted->ifindex
                        ? namespace_find_ifindex(place->netns, wanted->ifindex) : NULL;

                if (link)
                        r = read_sysctls(place, link, wanted->objects);
                if (r == 0 && renamed && renamed != link)
                        r = read_sysctls(place, renamed, wanted->objects);
        }
        return r;
}

/*
 * By ioctl on the netlink socket: the kernel answers in the socket's namespace, while /sys is that
 * of whoever mounted it. A driver that does not say is asked for its parent's (6.1 … 6.18).
 */
static int ask_driver(Place *place, CachedLink *entry) {
        struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
        struct ifreq request = {.ifr_data = (char *)&info};
        int r = place_enter(place);

        if (r != 0)
                return r;
        memcpy(request.ifr_name, entry->link->name, strlen(entry->link->name));
        entry->asked_driver = true;
        if (ioctl(netlink_fd(place->space->netlink), SIOCETHTOOL, &request) < 0)
                return 0;
        entry->driver = strndup(info.driver, sizeof(info.driver));
        return entry->driver ? 0 : -ENOMEM;
}

static int dump_drivers(Place *place) {
        int r = 0;

        for (CachedLink *entry = place->space->cache->links; r == 0 && entry;
             entry = entry->hh.next) {
                if (!entry->link || entry->link->kind_name)
                        continue;
                if (!entry->asked_driver)
                        r = ask_driver(place, entry);
                if (r != 0 || !entry->driver)
                        continue;
                entry->link->driver = arena_strdup(&place->netns->network->arena, entry->driver);
                if (!entry->link->driver)
                        r = -ENOMEM;
        }
        return r;
}

/*
 * Who is where ours belong: not where we know that it was ours and would have heard of anybody else,
 * unless something is in the way.
 */
static int find_others(Place *place) {
        const Object *wanted = place->wanted ? place->wanted->objects : NULL;
        Cache *cache = place->space->cache;
        bool all = cache->seek || !place->space->watch;
        const Object **missing = NULL;
        size_t n = 0, room = 0;
        int r = 0;

        for (; r == 0 && wanted; wanted = wanted->next) {
                if (!wanted->type->seek || !wanted->set.present || (wanted->ours && !all) ||
                    object_find(place->netns->objects, wanted))
                        continue;
                if (n == room) {
                        const Object **grown;

                        room = MAX((size_t)16, 2 * room);
                        grown = reallocarray(missing, room, sizeof(*missing));
                        if (!grown)
                                break;
                        missing = grown;
                }
                missing[n++] = wanted;
        }
        if (wanted)
                r = -ENOMEM;
        if (r == 0 && n > 0)
                r = place_enter(place);
        if (r == 0 && n > 0)
                r = cache_seek(cache, place->space->netlink, missing, n);
        free(missing);
        if (r == NETLINK_E_INTERRUPTED)
                return DUMP_E_STALE;
        return r == 0 && n > 0 ? decode_entry(place, &cache->others) : r;
}

static int find_user(Place *place) {
        NetnsProcesses processes = {};
        int r;

        if (!place->wanted || !place->wanted->dropped)
                return 0;
        r = netns_processes(&place->space->id, &processes);
        if (r < 0)
                return r;
        place->netns->used_by = processes.n ? processes.pids[0] : 0;
        return 0;
}

/* Namespaces. */

static void ask_types(const Object *objects, uint64_t *types) {
        for (; objects; objects = objects->next)
                *types |= type_bit(objects->type);
}

/* What there is no other reason to read. */
static uint64_t asked_types(const Namespace *wanted) {
        uint64_t types = 0;

        if (!wanted)
                return 0;
        for (size_t i = 0; wanted->all && i < object_types_n; i++)
                types |= type_bit(object_types[i]);
        ask_types(wanted->objects, &types);
        for (const Link *link = wanted->links; link; link = link->hh.next)
                ask_types(link->objects, &types);
        return types;
}

/* What was watched up to now need not be opened, unless there is something to ask. */
static int open_place(Dump *dump, Place *place) {
        RealKernel *kernel = dump->kernel;
        Namespace *netns = place->netns;
        Space *space = place->space;
        int r = 0;

        space->used = kernel->dumps;
        if (!space->watch)
                r = space_begin(kernel, space);
        if (r != 0)
                return place_fail(place, r, space_problem(r));
        if (cache_ask(space->cache, asked_types(place->wanted), place->wanted && place->wanted->all))
                watch_listen(kernel, space);
        netns->exists = true;
        netns->cookie = space->cookie;
        place->open = true;
        return 0;
}

static int dump_place(Dump *dump, Place *place) {
        int r = decode_place(place);

        for (unsigned i = 1; i < PLACE_TRIES && r == DECODE_E_TAKEN; i++) {
                cache_mark(place->space->cache, 0);
                dump->kernel->turn++;
                r = read_place(place);
                if (r != 0 || !place->open)
                        return r;
                r = decode_place(place);
        }
        if (r != 0)
                return place_give_up(place, r);
        r = find_others(place);
        if (r > 0 && r != DUMP_E_STALE)
                return place_give_up(place, r);
        if (r == 0)
                r = dump_sysctls(place);
        if (r == 0)
                r = dump_beside(place);
        if (r == 0 && dump->drivers)
                r = dump_drivers(place);
        if (r == 0)
                r = find_user(place);
        return r;
}

static int add_place(Dump *dump, const Namespace *wanted) {
        Arena *arena = &dump->have->arena;
        bool host = wanted->type == NETNS_HOST;
        Namespace *netns = host ? network_find_namespace(dump->have, HOST)
                                : network_add_namespace(dump->have, wanted->name, wanted->type);
        Place *place = &dump->places[host ? 0 : dump->n++];

        if (!netns)
                return -ENOMEM;
        netns->path = arena_strdup(arena, wanted->path);
        netns->pid = wanted->pid;
        netns->dropped = wanted->dropped;
        place->dump = dump;
        place->wanted = wanted;
        place->netns = netns;
        place->space = space_get(dump->kernel, wanted->name);
        if (!place->space || (wanted->path && !netns->path))
                return -ENOMEM;
        return host ? 0 : space_declare(dump->kernel, place->space, wanted);
}

static bool wants_drivers(const Network *scope) {
        for (Namespace *netns = scope->namespaces; netns; netns = netns->hh.next)
                for (Link *link = netns->links; link; link = link->hh.next)
                        if (attrset_get(&link->match, "driver"))
                                return true;
        return false;
}

static int add_places(Dump *dump, const Network *scope) {
        size_t n = HASH_COUNT(scope->namespaces) + 1;
        int r = network_new(&dump->have);

        if (r < 0)
                return r;
        dump->drivers = wants_drivers(scope);
        dump->places = arena_new_n(&dump->arena, Place, n);
        if (!dump->places)
                return -ENOMEM;
        dump->n = 1;
        dump->places[0].dump = dump;
        dump->places[0].netns = network_find_namespace(dump->have, HOST);
        dump->places[0].space = space_get(dump->kernel, HOST);
        if (!dump->places[0].space)
                return -ENOMEM;
        for (Namespace *netns = scope->namespaces; r == 0 && netns; netns = netns->hh.next)
                r = add_place(dump, netns);
        return r;
}

/* Keeps what was found. */
static void dump_deinit(Dump *dump) {
        for (size_t i = 0; i < dump->n; i++)
                HASH_CLEAR(hh, dump->places[i].ids);
        arena_deinit(&dump->arena);
        dump->places = NULL;
        dump->n = 0;
}

/* All namespaces, once. DUMP_E_STALE: what was read does not fit together. */
static int try_dump(Dump *dump, const Network *scope, bool final) {
        int r = add_places(dump, scope);

        for (size_t i = 0; r == 0 && i < dump->n; i++)
                r = open_place(dump, &dump->places[i]);
        if (r == 0)
                r = refresh(dump, final);
        for (size_t i = 0; r == 0 && i < dump->n; i++)
                if (dump->places[i].open)
                        r = dump_place(dump, &dump->places[i]);
        if (r == 0)
                r = dump_resolve(dump, final);
        return r == 0 ? dump_carries(&dump->places[0]) : r;
}

/* Of what nobody watches it can't be known which part was stale. */
static void distrust(Dump *dump) {
        for (size_t i = 0; i < dump->n; i++) {
                const Space *space = dump->places[i].space;

                if (space && space->cache && !space->watch)
                        cache_mark(space->cache, 0);
        }
}

int real_dump(Kernel *base, const Network *scope, Network **ret) {
        Dump dump = {.kernel = real_kernel(base), .before = real_kernel(base)->turn};
        int r = DUMP_E_STALE;

        watch_catch_up(dump.kernel);
        dump.kernel->dumps++;
        for (unsigned i = 1; i <= DUMP_TRIES && r == DUMP_E_STALE; i++) {
                dump.have = network_free(dump.have);
                r = try_dump(&dump, scope, i == DUMP_TRIES);
                distrust(&dump);
                dump_deinit(&dump);
        }
        if (r == 0)
                watch_dumped(dump.kernel);
        else
                watch_nudge(dump.kernel);
        resolver_dumped(dump.kernel);
        if (r == 0)
                r = resolver_show(dump.kernel, dump.have);
        spaces_close(dump.kernel);
        if (r != 0) {
                network_free(dump.have);
                return r < 0 ? r : -EAGAIN;
        }
        *ret = dump.have;
        return 0;
}
