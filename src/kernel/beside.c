/* SPDX-License-Identifier: MIT */
/*
 * What rtnetlink does not tell of a link, asked for beside it: only of links of kinds that have
 * such rows. Nobody tells when it changes, so it is asked for again whenever the link is read.
 */

#include "kernel/genl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdlib.h>

static int take_message(const struct nlmsghdr *message, void *userdata) {
        CachedMore *more = userdata;
        size_t size = NLMSG_ALIGN((size_t)message->nlmsg_len);
        char *grown = realloc(more->messages, more->size + size);

        if (!grown)
                return -ENOMEM;
        memset(grown + more->size, 0, size);
        memcpy(grown + more->size, message, message->nlmsg_len);
        more->messages = grown;
        more->size += size;
        return 0;
}

static void forget_messages(void *userdata) {
        CachedMore *more = userdata;

        free(more->messages);
        *more = (CachedMore){};
}

/* What can't be read is as good as not told: the rows are unknown. */
static int done(CachedMore *more, int r) {
        if (r != 0)
                forget_messages(more);
        more->asked = true;
        more->known = r == 0;
        return r == -ENOMEM ? r : 0;
}

static int ask_genl(Place *place, CachedMore *more, const Genl *genl, int ifindex) {
        int r = place_enter(place);

        if (r != 0)
                return r;
        forget_messages(more);
        return done(more, genl_get(place->space, genl, ifindex, take_message, forget_messages,
                                   more));
}

void device_alias(const char *netns, const char *link, Buf *ret) {
        buf_printf(ret, "%s%s%s", streq(netns, HOST) ? "" : netns, streq(netns, HOST) ? "" : ":",
                   link);
}

static int ask_vnis(Place *place, CachedMore *more, int ifindex) {
        int r = place_enter(place);

        if (r != 0)
                return r;
        forget_messages(more);
        return done(more, vnis_get(place->space, ifindex, take_message, forget_messages, more));
}

static int ask_device(Place *place, CachedMore *more, const Link *link) {
        NetnsDevice device = {.link = link->name, .subsystem = link->kind_name};
        alignas(NLMSG_ALIGNTO) char buffer[64] = {};
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        _cleanup_(buf_deinit) Buf alias = {};
        int r = place_enter(place);

        if (r != 0)
                return r;
        forget_messages(more);
        device_alias(place->netns->name, link->name, &alias);
        r = buf_error(&alias);
        if (r == 0)
                r = netns_device_stat(space_visit(place->space), buf_text(&alias), &device);
        if (r == 0) {
                mnl_nlmsg_put_extra_header(message, sizeof(struct genlmsghdr));
                mnl_attr_put_u32(message, DEVICE_USER, device.user);
                mnl_attr_put_u32(message, DEVICE_GROUP, device.group);
                mnl_attr_put_u32(message, DEVICE_MODE, device.mode);
                r = take_message(message, more);
        }
        return done(more, r);
}

/* Taking apart. */

/* `genl`: what it came from, or NULL. */
static int decode_rows(AttrSet *set, const CachedMore *more, const GetScope *like,
                       const Genl *genl) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)more->messages;
        int left = (int)more->size, r = 0;

        for (; r == 0 && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
                const struct nlattr *tb[ATTRS_MAX];
                GetScope scope = *like;

                r = attrs_parse_message(message, GENL_HDRLEN, tb, ELEMENTSOF(tb));
                scope.tb = tb;
                scope.tb_n = ELEMENTSOF(tb);
                scope.nest = r == 0 && genl && genl->nest ? tb[genl->nest] : NULL;
                if (r == 0)
                        r = attrset_decode(set, &scope);
        }
        return r == -EBADMSG ? 0 : r;
}

/* Of one that does not fit into a message the next one tells the rest (wg_get_device_dump). */
static int unite(Object *before, const Object *more, Arena *arena) {
        size_t i;

        ROWSET_FOREACH(i, more->set.present & before->set.present) {
                const Row *row = schema_row(more->set.schema, i);
                const Value *list = &more->set.values[i];

                for (size_t j = 0; row->type->shape == SHAPE_LIST && j < list->list.n; j++)
                        if (value_append(row, arena, &before->set.values[i],
                                         &list->list.items[j]) < 0)
                                return -ENOMEM;
        }
        return 0;
}

static int decode_entries(Link *link, const ObjectType *type, const struct nlattr *list,
                          const Object *outer);

static int decode_entry(Link *link, const ObjectType *type, const struct nlattr *entry,
                        const Object *outer) {
        Arena *arena = &link->netns->network->arena;
        const struct nlattr *tb[ATTRS_MAX];
        GetScope scope = {.arena = arena, .tb = tb, .tb_n = ELEMENTSOF(tb)};
        Object like = {.type = type}, *object;
        int r = attrs_parse_nest(entry, tb, ELEMENTSOF(tb));

        if (r == 0)
                r = attrset_init(&like.set, &type->schema, arena);
        if (r == 0)
                r = attrset_decode(&like.set, &scope);
        if (r == 0 && outer)
                r = object_enter(&like, outer, arena);
        if (r < 0)
                return r;
        object = object_find(link->objects, &like);
        if (object)
                return unite(object, &like, arena);
        object = link_add_object(link, type);
        if (!object)
                return -ENOMEM;
        object->set = like.set;
        return type->inner ? decode_entries(link, type->inner, tb[type->inner->genl->list], object)
                           : 0;
}

static int decode_entries(Link *link, const ObjectType *type, const struct nlattr *list,
                          const Object *outer) {
        const struct nlattr *entry;
        int r = 0;

        if (list)
                mnl_attr_for_each_nested(entry, list)
                        if (r == 0)
                                r = decode_entry(link, type, entry, outer);
        return r;
}

static int decode_list(Link *link, const ObjectType *type, const CachedMore *more) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)more->messages;
        int left = (int)more->size, r = 0;

        for (; r == 0 && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
                const struct nlattr *tb[ATTRS_MAX];

                r = attrs_parse_message(message, GENL_HDRLEN, tb, ELEMENTSOF(tb));
                if (r == 0)
                        r = decode_entries(link, type, tb[type->genl->list], NULL);
        }
        return r == -EBADMSG ? 0 : r;
}

static int decode_lists(Link *link, const CachedMore *more) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < object_types_n; i++)
                if (object_types[i]->transport == TRANSPORT_GENL &&
                    object_types[i]->only == link->kind && !object_types[i]->within)
                        r = decode_list(link, object_types[i], more);
        return r;
}

static int read_options(Place *place, CachedLink *entry) {
        const Genl *genl = entry->link->kind ? entry->link->kind->genl : NULL;
        CachedMore *more = &entry->more[MORE_OPTIONS];
        GetScope scope = {
                .arena = &place->netns->network->arena,
                .transport = TRANSPORT_GENL,
                .ifindex = entry->ifindex,
        };
        int r = 0;

        if (!genl)
                return 0;
        if (!more->asked)
                r = ask_genl(place, more, genl, entry->ifindex);
        if (r == 0)
                r = decode_rows(&entry->link->options, more, &scope, genl);
        return r == 0 ? decode_lists(entry->link, more) : r;
}

/* A port's are among those of its master. */
static int read_port(Place *place, CachedLink *entry) {
        const LinkKind *kind = port_kind(entry->link->port.schema);
        const AttrSet *common = &entry->link->common;
        CachedMore *more = &entry->more[MORE_PORT];
        GetScope scope = {
                .arena = &place->netns->network->arena,
                .transport = TRANSPORT_GENL,
                .ifindex = entry->ifindex,
        };
        int r = 0;

        if (!kind || !kind->genl || !attrset_has(common, LINK_MASTER) ||
            !common->values[LINK_MASTER].unresolved)
                return 0;
        if (!more->asked)
                r = ask_genl(place, more, kind->genl, common->values[LINK_MASTER].raw.ifindex);
        return r == 0 ? decode_rows(&entry->link->port, more, &scope, kind->genl) : r;
}

static int read_device(Place *place, CachedLink *entry) {
        CachedMore *more = &entry->more[MORE_DEVICE];
        GetScope scope = {
                .arena = &place->netns->network->arena,
                .transport = TRANSPORT_DEVICE,
        };
        int r = 0;

        if (!link_kind_is(entry->link->kind, KIND_DEVICE))
                return 0;
        if (!more->asked)
                r = ask_device(place, more, entry->link);
        return r == 0 ? decode_rows(&entry->link->options, more, &scope, NULL) : r;
}

/* That one has none is as good as told; that the kernel does not say is not. */
static int read_vnis(Place *place, CachedLink *entry) {
        AttrSet *options = &entry->link->options;
        int row = options->schema ? schema_find_type(options->schema, &attr_vnis) : -1, r = 0;
        CachedMore *more = &entry->more[MORE_VNIS];
        Value list;

        if (row < 0 || !row_counts(schema_row(options->schema, (size_t)row), options))
                return 0;
        if (!more->asked)
                r = ask_vnis(place, more, entry->ifindex);
        if (r != 0 || !more->known)
                return r;
        r = vnis_decode(more->messages, more->size, &place->netns->network->arena, &list);
        if (r == 0)
                attrset_set(options, (size_t)row, list);
        return r == -EBADMSG ? 0 : r;
}

int dump_beside(Place *place) {
        int r = 0;

        for (CachedLink *entry = place->space->cache->links; r == 0 && entry;
             entry = entry->hh.next) {
                if (!entry->link)
                        continue;
                r = read_options(place, entry);
                if (r == 0)
                        r = read_port(place, entry);
                if (r == 0)
                        r = read_device(place, entry);
                if (r == 0)
                        r = read_vnis(place, entry);
        }
        return r;
}
