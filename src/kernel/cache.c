/* SPDX-License-Identifier: MIT */
/*
 * Reading one namespace: all of it with one dump for each sort of thing, or single links. What is
 * read replaces what was there only when it is whole.
 */

#define HASH_NONFATAL_OOM 1

#include "kernel/internal.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <stdlib.h>

#define STALE_MAX 50  /* from so many links on one dump costs less (6.18) */
#define READ_TRIES 32 /* a namespace that changes faster than that is not readable */
#define NOISY_TRIES 2 /* there is something to fall back on */

/* Sysctls. */

static void texts_free(CachedText **texts) {
        CachedText *next;

        for (CachedText *text = *texts; text; text = next) {
                next = text->next;
                free(text->path);
                free(text->text);
                free(text);
        }
        *texts = NULL;
}

CachedText *texts_find(CachedText *texts, const char *path) {
        for (; texts; texts = texts->next)
                if (streq(texts->path, path))
                        return texts;
        return NULL;
}

CachedText *texts_add(CachedText **texts, const char *path, const char *text) {
        CachedText *added = calloc(1, sizeof(CachedText));

        if (!added)
                return NULL;
        added->next = *texts;
        added->path = strdup(path);
        added->text = text ? strdup(text) : NULL;
        if (!added->path || (text && !added->text)) {
                added->next = NULL;
                texts_free(&added);
                return NULL;
        }
        *texts = added;
        return added;
}

/* Links. */

/* What it holds; the entry stays. */
static void link_clear(CachedLink *link) {
        free(link->messages);
        free(link->driver);
        texts_free(&link->texts);
        for (More more = 0; more < _MORE_N; more++)
                free(link->more[more].messages);
}

static void links_free(CachedLink **links) {
        CachedLink *link, *next;

        HASH_ITER(hh, *links, link, next) {
                HASH_DEL(*links, link);
                link_clear(link);
                free(link);
        }
}

CachedLink *cache_find(const Cache *cache, int ifindex) {
        CachedLink *link;

        HASH_FIND_INT(cache->links, &ifindex, link);
        return link;
}

static CachedLink *cache_add(Cache *cache, int ifindex) {
        CachedLink *link = calloc(1, sizeof(CachedLink));

        if (!link)
                return NULL;
        link->ifindex = ifindex;
        HASH_ADD_INT(cache->links, ifindex, link);
        if (!link->hh.tbl) {
                free(link);
                return NULL;
        }
        cache->unsorted |= ifindex < cache->highest;
        cache->highest = MAX(cache->highest, ifindex);
        return link;
}

static int append(CachedLink *link, const struct nlmsghdr *message) {
        size_t size = NLMSG_ALIGN((size_t)message->nlmsg_len);
        char *grown = realloc(link->messages, link->size + size);

        if (!grown)
                return -ENOMEM;
        memset(grown + link->size, 0, size);
        memcpy(grown + link->size, message, message->nlmsg_len);
        link->messages = grown;
        link->size += size;
        return 0;
}

Cache *cache_new(void) {
        Cache *cache = calloc(1, sizeof(Cache));

        if (cache)
                cache->stale = true;
        return cache;
}

Cache *cache_free(Cache *cache) {
        if (!cache)
                return NULL;
        links_free(&cache->links);
        cache_mark_slots(cache);
        link_clear(&cache->space);
        texts_free(&cache->texts);
        free(cache->defaults);
        free(cache);
        return NULL;
}

/* Staleness. */

void cache_mark(Cache *cache, int ifindex) {
        CachedLink *link = ifindex > 0 ? cache_find(cache, ifindex) : NULL;

        if (cache->n_stale > STALE_MAX || (link && link->stale))
                return;
        if (!link && ifindex > 0)
                link = cache_add(cache, ifindex);
        if (link) {
                link->stale = true;
                cache->n_stale++;
        }
        if (!link || cache->n_stale > STALE_MAX)
                cache->stale = true;
}

void cache_mark_space(Cache *cache) {
        cache->space.stale |= cache->types != 0;
        cache->stale_types = UINT64_MAX;
}

void cache_mark_slots(Cache *cache) {
        Slot *slot, *next;

        HASH_ITER(hh, cache->slots, slot, next) {
                HASH_DEL(cache->slots, slot);
                free(slot->key);
                free(slot);
        }
        link_clear(&cache->others);
        cache->others = (CachedLink){};
        cache->seek = true;
        cache_mark_space(cache);
}

bool cache_ask(Cache *cache, uint64_t types, bool all) {
        uint64_t news = types & ~cache->types;

        if (types == cache->types && all == cache->all)
                return false;
        cache->types = types;
        cache->all = all;
        cache->space.stale = true;
        cache->stale_types = UINT64_MAX;
        for (size_t i = 0; i < object_types_n; i++)
                if (news & ((uint64_t)1 << i) && !(object_types[i]->flags & OBJECT_IN_NETNS))
                        cache->stale = true;
        return news != 0;
}

void cache_forget_texts(Cache *cache) {
        texts_free(&cache->texts);
        for (CachedLink *link = cache->links; link; link = link->hh.next)
                texts_free(&link->texts);
        cache->changed = true;
}

void cache_doubt(Cache *cache) {
        cache_forget_texts(cache);
        cache_mark_slots(cache);
        cache->seek = false;
        cache->stale = true;
}

void cache_forget(Cache *cache) {
        cache_doubt(cache);
        cache->knows_defaults = false;
}

bool cache_is_stale(const Cache *cache) {
        return cache->stale || cache->space.stale || cache->n_stale > 0;
}

/* What is not kept counts if it was, or took the place of what was. */
bool cache_minds(const Cache *cache, const struct nlmsghdr *message, const ObjectType *type,
                 int ifindex) {
        const CachedLink *entry = type->flags & OBJECT_IN_NETNS ? &cache->space
                                                                : cache_find(cache, ifindex);
        const struct nlattr *tb[ATTRS_MAX], *known_tb[ATTRS_MAX];
        _cleanup_(arena_deinit) Arena arena = {};
        GetScope event, known;

        if (message_is_kept(message, type))
                return true;
        if (!entry || message_take_apart(message, type, tb, &arena, &event) < 0)
                return false;
        for (unsigned i = 0; i < 2; i++)
                CACHED_FOREACH(other, i ? &cache->others : entry)
                        if (message_is_about(other, type) &&
                            message_take_apart(other, type, known_tb, &arena, &known) == 0 &&
                            message_is_same(type, &event, &known))
                                return true;
        return false;
}

void cache_mark_former(Cache *cache, const struct nlmsghdr *message, const ObjectType *type,
                       int ifindex) {
        const struct nlattr *tb[ATTRS_MAX], *known_tb[ATTRS_MAX];
        _cleanup_(arena_deinit) Arena arena = {};
        GetScope event, known;

        if (!type->moves || message_take_apart(message, type, tb, &arena, &event) < 0 ||
            !type->moves(&event))
                return;
        for (const CachedLink *link = cache->links; link; link = link->hh.next) {
                if (link->stale || link->ifindex == ifindex)
                        continue;
                CACHED_FOREACH(other, link)
                        if (message_is_about(other, type) &&
                            message_take_apart(other, type, known_tb, &arena, &known) == 0 &&
                            message_is_same(type, &event, &known))
                                cache_mark(cache, link->ifindex);
        }
}

/* A kernel that was built without a protocol has none of it; nor has a table without routes. */
static bool is_nothing(int r) {
        return r == -EAFNOSUPPORT || r == -EOPNOTSUPP || r == -ENOENT;
}

/* What is in that slot goes; false: it is more than an event tells of. */
static bool clear_slot(CachedLink *space, const ObjectType *type, const GetScope *event,
                       Arena *arena) {
        const struct nlattr *tb[ATTRS_MAX];
        size_t at = 0;

        while (at < space->size) {
                struct nlmsghdr *message = (struct nlmsghdr *)(space->messages + at);
                size_t size = NLMSG_ALIGN((size_t)message->nlmsg_len);
                GetScope known;

                if (!message_is_about(message, type) ||
                    message_take_apart(message, type, tb, arena, &known) < 0 ||
                    !message_is_same(type, event, &known)) {
                        at += size;
                        continue;
                }
                if (!type->is_told(&known))
                        return false;
                memmove(message, space->messages + at + size, space->size - at - size);
                space->size -= size;
        }
        return true;
}

void cache_tell(Cache *cache, const struct nlmsghdr *message, const ObjectType *type) {
        const struct nlattr *tb[ATTRS_MAX];
        _cleanup_(arena_deinit) Arena arena = {};
        bool stale = cache->space.stale && cache->stale_types & type_bit(type), told;
        GetScope event;

        if (stale)
                return;
        told = type->is_told && !cache->all && message_is_kept(message, type) &&
               message_take_apart(message, type, tb, &arena, &event) == 0 && type->is_told(&event) &&
               clear_slot(&cache->space, type, &event, &arena);
        if (told && message->nlmsg_type == type->message_new)
                told = append(&cache->space, message) == 0;
        cache->changed = true;
        if (told)
                return;
        cache->space.stale = true;
        cache->stale_types |= type_bit(type);
}

/* Others. */

typedef struct Seeking {
        Cache *cache;
        const ObjectType *type;
        const Object *const *missing;
        size_t n;
        Arena arena; /* of one message */
} Seeking;

static bool fills(const Object *object, const GetScope *scope) {
        const Schema *schema = &object->type->schema;
        size_t n = schema_size(schema);

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(schema, i);
                Value value = {};

                if (row->change != CHANGE_KEY || !attrset_has(&object->set, i))
                        continue;
                if (!message_key(row, scope, &value) ||
                    !value_equal(row, &object->set.values[i], &value))
                        return false;
        }
        return true;
}

/* There can be a million of them: what is not asked for is forgotten at once. */
static int take_other(const struct nlmsghdr *message, void *userdata) {
        Seeking *seeking = userdata;
        const struct nlattr *tb[ATTRS_MAX];
        GetScope scope;
        int r = 0;

        if (!message_is_about(message, seeking->type) ||
            message->nlmsg_type != seeking->type->message_new ||
            message_take_apart(message, seeking->type, tb, &seeking->arena, &scope) < 0 ||
            seeking->type->ifindex(&scope) < 0 || seeking->type->keeps(&scope))
                return 0;
        for (size_t i = 0; r == 0 && i < seeking->n; i++)
                if (seeking->missing[i]->type == seeking->type &&
                    fills(seeking->missing[i], &scope)) {
                        r = append(&seeking->cache->others, message);
                        break;
                }
        arena_deinit(&seeking->arena);
        return r;
}

static int remember_slot(Cache *cache, const Object *object, bool *ret_new) {
        _cleanup_(buf_deinit) Buf key = {};
        Slot *slot = NULL;

        buf_printf(&key, "%s ", object->type->schema.name);
        object_key(object, &key);
        if (buf_error(&key) < 0)
                return -ENOMEM;
        HASH_FIND_STR(cache->slots, buf_text(&key), slot);
        *ret_new = !slot;
        if (slot)
                return 0;
        slot = calloc(1, sizeof(Slot));
        if (!slot || !(slot->key = strdup(buf_text(&key)))) {
                free(slot);
                return -ENOMEM;
        }
        HASH_ADD_KEYPTR(hh, cache->slots, slot->key, strlen(slot->key), slot);
        if (slot->hh.tbl)
                return 0;
        free(slot->key);
        free(slot);
        return -ENOMEM;
}

static void seek_request(const Object *object, DumpRequest *buffer, struct nlmsghdr **ret) {
        PutScope scope = {
                .message = dump_request(buffer, object->type->message_get,
                                        object->type->header_size),
                .size = sizeof(*buffer),
        };

        *ret = object->type->seek(&scope, &object->set) == 0 ? scope.message : NULL;
}

/* One dump for all that would be in it. */
static bool is_covered(const Object *const *missing, size_t i, const struct nlmsghdr *request) {
        for (size_t j = 0; j < i; j++) {
                DumpRequest buffer = {};
                struct nlmsghdr *other;

                seek_request(missing[j], &buffer, &other);
                if (other && other->nlmsg_len == request->nlmsg_len &&
                    memcmp(other, request, request->nlmsg_len) == 0)
                        return true;
        }
        return false;
}

static int seek_all(Seeking *seeking, Netlink *netlink) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < seeking->n; i++) {
                DumpRequest buffer = {};
                struct nlmsghdr *request;

                seek_request(seeking->missing[i], &buffer, &request);
                if (!request || is_covered(seeking->missing, i, request))
                        continue;
                seeking->type = seeking->missing[i]->type;
                r = netlink_dump(netlink, request, take_other, seeking);
                if (is_nothing(r))
                        r = 0;
        }
        arena_deinit(&seeking->arena);
        return r;
}

int cache_seek(Cache *cache, Netlink *netlink, const Object *const *missing, size_t n) {
        const Object **wanted = calloc(MAX(n, (size_t)1), sizeof(*wanted));
        Seeking seeking = {.cache = cache, .missing = wanted};
        int r = wanted ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < n; i++) {
                bool new = false;

                r = remember_slot(cache, missing[i], &new);
                if (new)
                        wanted[seeking.n++] = missing[i];
        }
        if (r == 0)
                r = seek_all(&seeking, netlink);
        if (r != 0)
                cache_mark_slots(cache);
        free(wanted);
        return r;
}

/* All of a namespace. */

typedef struct Reading {
        Cache *cache;
        CachedLink *link; /* the only one that is wanted, or NULL */
        CachedLink *last; /* what lives on one comes together */
        const ObjectType *type;
        uint64_t types, turn;
        bool all;
} Reading;

static int take_link(const struct nlmsghdr *message, void *userdata) {
        const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
        Reading *reading = userdata;
        CachedLink *link;

        if (message->nlmsg_type != RTM_NEWLINK)
                return 0;
        if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || header->ifi_index <= 0)
                return -EBADMSG;
        if (reading->link) {
                reading->link->filters = message_filters(message);
                return append(reading->link, message);
        }
        if (cache_find(reading->cache, header->ifi_index))
                return NETLINK_E_INTERRUPTED;
        link = cache_add(reading->cache, header->ifi_index);
        if (!link)
                return -ENOMEM;
        link->read = reading->turn;
        link->filters = message_filters(message);
        reading->cache->filters |= link->filters;
        return append(link, message);
}

static int take_vlans(const struct nlmsghdr *message, void *userdata) {
        const struct br_vlan_msg *header = mnl_nlmsg_get_payload(message);
        Reading *reading = userdata;
        CachedLink *link = reading->link;

        if (message->nlmsg_type != RTM_NEWVLAN)
                return 0;
        if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
                return -EBADMSG;
        if (link)
                return (int)header->ifindex == link->ifindex ? append(link, message) : 0;
        link = cache_find(reading->cache, (int)header->ifindex);
        return link ? append(link, message) : NETLINK_E_INTERRUPTED;
}

/* Those of one link can be asked for, though not of one that can have none: EINVAL. */
static int read_vlans(Netlink *netlink, Reading *reading) {
        DumpRequest buffer;
        int r = netlink_dump(netlink,
                             vlans_request(&buffer, reading->link ? reading->link->ifindex : 0),
                             take_vlans, reading);

        return r == -EINVAL || r == -EOPNOTSUPP ? 0 : r;
}

/* Of a link: those of others are not taken. */
static int take_on_link(Reading *reading, const struct nlmsghdr *message, int ifindex) {
        CachedLink *link = reading->link;

        if (link)
                return link->ifindex == ifindex ? append(link, message) : 0;
        link = reading->last;
        if (!link || link->ifindex != ifindex)
                link = cache_find(reading->cache, ifindex);
        if (!link)
                return NETLINK_E_INTERRUPTED; /* of a link that was not there yet */
        reading->last = link;
        return append(link, message);
}

static int take_object(const struct nlmsghdr *message, void *userdata) {
        Reading *reading = userdata;
        uint16_t dumped = reading->type->message_dumped ?: reading->type->message_new;
        int ifindex = message_is_about(message, reading->type)
                ? message_ifindex(message, reading->type) : -1;

        if (ifindex < 0 || message->nlmsg_type != dumped ||
            (!reading->all && !message_is_kept(message, reading->type)))
                return 0;
        return reading->type->flags & OBJECT_IN_NETNS ? append(reading->link, message)
                                                      : take_on_link(reading, message, ifindex);
}

static int read_objects(Netlink *netlink, Reading *reading) {
        const ObjectType *type = reading->type;
        int ifindex = reading->link ? reading->link->ifindex : 0;

        for (unsigned i = 0;; i++) {
                DumpRequest buffer;
                PutScope scope = {
                        .message = dump_request(&buffer, type->message_get, type->header_size),
                        .size = sizeof(buffer),
                };
                int (*ask)(PutScope *scope, unsigned i, int ifindex) =
                        reading->all && type->ask_all ? type->ask_all : type->ask;
                int r = ask ? ask(&scope, i, ifindex) : i > 0 ? ATTR_E_ABSENT : 0;

                if (r != 0)
                        return r == ATTR_E_ABSENT ? 0 : r;
                r = netlink_dump(netlink, scope.message, take_object, reading);
                if (r != 0 && !(type->flags & OBJECT_ASKED && is_nothing(r)))
                        return r;
        }
}

static int read_all_objects(Netlink *netlink, Reading *reading, bool on_link) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < object_types_n; i++) {
                reading->type = object_types[i];
                if (type_is_read(reading->types, i) &&
                    !(reading->type->flags & OBJECT_IN_NETNS) == on_link)
                        r = read_objects(netlink, reading);
        }
        return r;
}

struct nlmsghdr *link_request(DumpRequest *buffer, int ifindex) {
        struct nlmsghdr *request = dump_request(buffer, RTM_GETLINK, sizeof(struct ifinfomsg));

        ((struct ifinfomsg *)mnl_nlmsg_get_payload(request))->ifi_index = ifindex;
        mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return request;
}

static int compare_links(const CachedLink *a, const CachedLink *b) {
        return (a->ifindex > b->ifindex) - (a->ifindex < b->ifindex);
}

static void sort_links(Cache *cache) {
        if (cache->unsorted)
                HASH_SORT(cache->links, compare_links);
        cache->unsorted = false;
}

static int read_all(Cache *cache, Netlink *netlink, uint64_t turn, unsigned tries) {
        Reading reading = {.cache = cache, .types = cache->types, .turn = turn};
        CachedLink *before = cache->links;
        int r = NETLINK_E_INTERRUPTED;

        cache->links = NULL;
        for (unsigned i = 0; i < tries && r == NETLINK_E_INTERRUPTED; i++) {
                DumpRequest buffer;

                links_free(&cache->links);
                cache->highest = 0;
                cache->unsorted = false;
                cache->filters = false;
                reading.last = NULL;
                r = netlink_dump(netlink, link_request(&buffer, 0), take_link, &reading);
                if (r == 0)
                        r = read_all_objects(netlink, &reading, true);
                if (r == 0 && cache->filters)
                        r = read_vlans(netlink, &reading);
        }
        if (r != 0) {
                links_free(&cache->links);
                cache->links = before;
                cache->unsorted = true;
                return r;
        }
        links_free(&before);
        cache_mark_space(cache);
        cache->n_stale = 0;
        cache->stale = false;
        cache->read = true;
        return 0;
}

/* Single links. */

static void cache_drop(Cache *cache, CachedLink *link) {
        HASH_DEL(cache->links, link);
        link_clear(link);
        free(link);
}

/* NETLINK_E_ABSENT: it is gone. */
static int try_link(const Cache *cache, CachedLink *link, Netlink *netlink) {
        DumpRequest buffer;
        Reading reading = {.link = link, .types = cache->types};
        int r = netlink_get(netlink, link_request(&buffer, link->ifindex), take_link, &reading);

        if (r == 0)
                r = read_all_objects(netlink, &reading, true);
        if (r == 0 && (cache->filters || link->filters))
                r = read_vlans(netlink, &reading);
        /* A filter by a link that is gone by now. */
        return r == -ENODEV ? NETLINK_E_ABSENT : r;
}

static int read_link(Cache *cache, CachedLink *link, Netlink *netlink, uint64_t turn) {
        CachedLink fresh = {};
        int r = NETLINK_E_INTERRUPTED;

        for (unsigned i = 0; i < READ_TRIES && r == NETLINK_E_INTERRUPTED; i++) {
                link_clear(&fresh);
                fresh = (CachedLink){.ifindex = link->ifindex, .read = turn, .hh = link->hh};
                r = try_link(cache, &fresh, netlink);
        }
        if (r == NETLINK_E_ABSENT || r == 0)
                cache->n_stale--;
        if (r == 0) {
                /* Of its ports it is not known which VLANs they have. */
                cache->stale |= fresh.filters && !link->filters;
                cache->filters |= fresh.filters;
                cache_compare(cache, link, (const struct nlmsghdr *)fresh.messages);
                link_clear(link);
                *link = fresh;
                return 0;
        }
        link_clear(&fresh);
        if (r != NETLINK_E_ABSENT)
                return r;
        cache_lose(cache, link->ifindex);
        cache_drop(cache, link);
        return 0;
}

static int read_marked(Cache *cache, Netlink *netlink, uint64_t turn) {
        CachedLink *link, *next;
        int r = 0;

        HASH_ITER(hh, cache->links, link, next)
                if (r == 0 && link->stale)
                        r = read_link(cache, link, netlink, turn);
        return r;
}

/* Only one of nexthops is interrupted: what was changed meanwhile among others there is news of. */
static int try_space(Cache *cache, Netlink *netlink) {
        CachedLink fresh = {};
        Reading reading = {
                .cache = cache,
                .link = &fresh,
                .types = cache->types & cache->stale_types,
                .all = cache->all,
        };
        int r = read_all_objects(netlink, &reading, false);

        CACHED_FOREACH(message, &cache->space)
                if (r == 0 && !(type_bit(message_type(message)) & cache->stale_types))
                        r = append(&fresh, message);
        if (r != 0) {
                link_clear(&fresh);
                return r;
        }
        link_clear(&cache->space);
        cache->space = fresh;
        cache->stale_types = 0;
        return 0;
}

static int read_space(Cache *cache, Netlink *netlink) {
        int r = NETLINK_E_INTERRUPTED;

        for (unsigned i = 0; i < READ_TRIES && r == NETLINK_E_INTERRUPTED; i++)
                r = try_space(cache, netlink);
        return r;
}

int cache_read(Cache *cache, Netlink *netlink, uint64_t turn, bool noisy) {
        bool lenient = noisy && cache->read;
        int r = 0;

        if (cache->stale) {
                r = read_all(cache, netlink, turn, lenient ? NOISY_TRIES : READ_TRIES);
                if (r == NETLINK_E_INTERRUPTED && lenient) {
                        cache->stale = false;
                        r = 0;
                }
        }
        if (r == 0)
                r = read_marked(cache, netlink, turn);
        if (r == 0 && cache->space.stale)
                r = read_space(cache, netlink);
        sort_links(cache);
        return r;
}
