/* SPDX-License-Identifier: MIT */
/* Networks: namespaces, links and what lives in them, found by name. */

#include "mvnet/network.h"
#include "mvnet/vlans.h"

#include <errno.h>
#include <stdlib.h>

int network_new(Network **ret) {
        Network *network = calloc(1, sizeof(Network));

        if (!network)
                return -ENOMEM;
        if (!network_add_namespace(network, HOST, NETNS_HOST)) {
                network_free(network);
                return -ENOMEM;
        }
        *ret = network;
        return 0;
}

Network *network_free(Network *network) {
        Namespace *netns, *next;

        if (!network)
                return NULL;
        HASH_ITER(hh, network->namespaces, netns, next)
                HASH_CLEAR(hh, netns->links);
        HASH_CLEAR(hh, network->namespaces);
        arena_deinit(&network->arena);
        free(network);
        return NULL;
}

void network_freep(Network **network) {
        *network = network_free(*network);
}

Namespace *network_add_namespace(Network *network, const char *name, NamespaceType type) {
        Namespace *netns = arena_new(&network->arena, Namespace);

        if (!netns)
                return NULL;
        netns->name = arena_strdup(&network->arena, name);
        if (!netns->name)
                return NULL;
        netns->type = type;
        netns->network = network;
        HASH_ADD_KEYPTR(hh, network->namespaces, netns->name, strlen(netns->name), netns);
        return netns;
}

Link *namespace_add_link(Namespace *netns, const char *name) {
        Arena *arena = &netns->network->arena;
        Link *link = arena_new(arena, Link);

        if (!link)
                return NULL;
        link->name = arena_strdup(arena, name);
        if (!link->name || attrset_init(&link->common, &link_schema, arena) < 0)
                return NULL;
        link->netns = netns;
        HASH_ADD_KEYPTR(hh, netns->links, link->name, strlen(link->name), link);
        return link;
}

int link_set_kind(Link *link, const LinkKind *kind) {
        link->kind = kind;
        link->kind_name = link_kind_is(kind, KIND_FOREIGN) ? NULL : kind->name;
        return attrset_init(&link->options, &kind->options, &link->netns->network->arena);
}

int link_set_port(Link *link, const Schema *schema) {
        return attrset_init(&link->port, schema, &link->netns->network->arena);
}

int link_set_vlans(Link *link) {
        return attrset_init(&link->vlans, &vlans_schema, &link->netns->network->arena);
}

Link *link_vlan_bridge(const Link *link) {
        Link *bridge = link->kind && link->kind->filtering ? (Link *)link : link_master(link);

        return bridge && bridge->kind && bridge->kind->filtering ? bridge : NULL;
}

int link_default_vlans(const Link *bridge, Arena *arena, Value *ret) {
        const Value *vid = attrset_get(&bridge->options, bridge->kind->default_vid);
        uint64_t number = vid ? vid->number : 1;
        VlanTable *table = calloc(1, sizeof(VlanTable));
        int r;

        if (!table)
                return -ENOMEM;
        if (number > 0 && number < VLANS_N)
                table->at[number] = (Vlan){.there = true, .pvid = true, .untagged = true};
        r = vlans_list(table, arena, ret);
        free(table);
        return r;
}

static Object *object_append(Arena *arena, Object **list, Object **last, const ObjectType *type) {
        Object *object = arena_new(arena, Object);

        if (!object || attrset_init(&object->set, &type->schema, arena) < 0)
                return NULL;
        object->type = type;
        if (*last)
                (*last)->next = object;
        else
                *list = object;
        *last = object;
        return object;
}

Object *link_add_object(Link *link, const ObjectType *type) {
        return object_append(&link->netns->network->arena, &link->objects, &link->last, type);
}

Object *namespace_add_object(Namespace *netns, const ObjectType *type) {
        return object_append(&netns->network->arena, &netns->objects, &netns->last, type);
}

int link_declare(Link *link, const ObjectType *type, Location at) {
        Declared *declared = arena_new(&link->netns->network->arena, Declared);

        if (!declared)
                return -ENOMEM;
        *declared = (Declared){.next = link->declared, .type = type, .at = at};
        link->declared = declared;
        return 0;
}

const Declared *link_declared(const Link *link, const ObjectType *type) {
        const Declared *declared = link->declared;

        while (declared && declared->type != type)
                declared = declared->next;
        return declared;
}

void namespace_remove_link(Link *link) {
        HASH_DEL(link->netns->links, link);
}

int namespace_rename_link(Link *link, const char *name) {
        Namespace *netns = link->netns;
        const char *copy = arena_strdup(&netns->network->arena, name);

        if (!copy)
                return -ENOMEM;
        HASH_DEL(netns->links, link);
        link->name = copy;
        HASH_ADD_KEYPTR(hh, netns->links, link->name, strlen(link->name), link);
        return 0;
}

void object_remove(Object **list, Object **last, Object *object) {
        Object *before = NULL;

        for (Object **at = list; *at; before = *at, at = &(*at)->next)
                if (*at == object) {
                        *at = object->next;
                        if (*last == object)
                                *last = before;
                        object->next = NULL;
                        return;
                }
}

Namespace *network_find_namespace(const Network *network, const char *name) {
        Namespace *netns = NULL;

        if (name)
                HASH_FIND_STR(network->namespaces, name, netns);
        return netns;
}

Link *namespace_find_link(const Namespace *netns, const char *name) {
        Link *link = NULL;

        if (netns && name)
                HASH_FIND_STR(netns->links, name, link);
        return link;
}

Link *namespace_find_ifindex(const Namespace *netns, int ifindex) {
        for (Link *link = netns ? netns->links : NULL; link; link = link->hh.next)
                if (link->ifindex == ifindex)
                        return link;
        return NULL;
}

Link *network_find_link(const Network *network, const Ref *ref) {
        return ref ? namespace_find_link(network_find_namespace(network, ref->netns), ref->link)
                   : NULL;
}

Link *network_find_path(const Network *network, const char *path) {
        const char *slash = strchr(path, '/');
        char netns[65];

        if (!slash)
                return namespace_find_link(network_find_namespace(network, HOST), path);
        if ((size_t)(slash - path) >= sizeof(netns))
                return NULL;
        memcpy(netns, path, (size_t)(slash - path));
        netns[slash - path] = '\0';
        return namespace_find_link(network_find_namespace(network, netns), slash + 1);
}

bool object_same(const Object *a, const Object *b) {
        size_t n;

        if (a->type != b->type)
                return false;
        n = schema_size(&a->type->schema);
        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(&a->type->schema, i);

                if (row->change != CHANGE_KEY)
                        continue;
                if (attrset_has(&a->set, i) != attrset_has(&b->set, i))
                        return false;
                if (attrset_has(&a->set, i) &&
                    !value_equal(row, &a->set.values[i], &b->set.values[i]))
                        return false;
        }
        return true;
}

Object *namespace_find_numbered(const Namespace *netns, const ObjectType *type, uint64_t number) {
        for (Object *object = netns->objects; object; object = object->next)
                if (object->type == type && object->set.values[0].number == number)
                        return object;
        return NULL;
}

Object *object_find(Object *list, const Object *like) {
        for (Object *object = list; object; object = object->next)
                if (object_same(like, object))
                        return object;
        return NULL;
}

/* Rows of the identity of that type, as the one within has them. */
static bool is_within(const Object *inner, const Object *outer) {
        const Schema *schema = &outer->type->schema;
        size_t n = schema_size(schema);

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(schema, i);
                const Value *value = attrset_get(&inner->set, row->key);

                if (row->change == CHANGE_KEY && attrset_has(&outer->set, i) &&
                    (!value || !value_equal(row, &outer->set.values[i], value)))
                        return false;
        }
        return true;
}

Object *object_outer(Object *list, const Object *inner) {
        for (Object *object = list; object && inner->type->within; object = object->next)
                if (object->type == inner->type->within && is_within(inner, object))
                        return object;
        return NULL;
}

int object_enter(Object *inner, const Object *outer, Arena *arena) {
        size_t i;

        ROWSET_FOREACH(i, outer->set.present) {
                const Row *row = schema_row(outer->set.schema, i);
                int at = schema_find(inner->set.schema, row->key);

                if (row->change != CHANGE_KEY || at < 0)
                        continue;
                if (value_copy(arena, row, &outer->set.values[i], &inner->set.values[at]) < 0)
                        return -ENOMEM;
                inner->set.present |= ROW_BIT(at);
                inner->set.implied |= outer->set.implied & ROW_BIT(i) ? ROW_BIT(at) : 0;
        }
        return 0;
}

bool ref_equal(const Ref *a, const Ref *b) {
        return streq_ptr(a->netns, b->netns) && streq_ptr(a->link, b->link);
}

const Ref *link_ref(const Link *link, LinkRow row) {
        const Value *value = &link->common.values[row];

        if (!attrset_has(&link->common, row) || value->unresolved || !value->ref.link)
                return NULL;
        return &value->ref;
}

Ref link_self(const Link *link) {
        return (Ref){.netns = link->netns->name, .link = link->name};
}

Link *link_lower(const Link *link) {
        return network_find_link(link->netns->network, link_ref(link, LINK_PARENT));
}

Link *link_master(const Link *link) {
        return network_find_link(link->netns->network, link_ref(link, LINK_MASTER));
}

Link *link_peer(const Link *link) {
        int row = link->options.schema ? schema_find_type(link->options.schema, &attr_peer) : -1;

        if (row < 0 || !attrset_has(&link->options, (size_t)row) ||
            link->options.values[row].unresolved)
                return NULL;
        return network_find_link(link->netns->network, &link->options.values[row].ref);
}

Link *link_real_lower(const Link *link) {
        Link *lower = link_lower(link);

        /* Bounded: a chain that long is a cycle, and an error elsewhere. */
        for (unsigned depth = 0; lower && depth < 64; depth++) {
                Link *next;

                if (!link_kind_is(link->kind, KIND_REAL_LOWER) ||
                    link_kind_family(lower->kind) != link_kind_family(link->kind))
                        break;
                next = link_lower(lower);
                if (!next)
                        break;
                lower = next;
        }
        return lower;
}

bool link_is_lent(const Link *link) {
        const Link *master = link_master(link);

        return master && link_kind_is(master->kind, KIND_PORTS_DOWN);
}

LinkState link_state(const Link *link) {
        if (!attrset_has(&link->common, LINK_STATE))
                return LINK_STATE_ANY;
        return (LinkState)link->common.values[LINK_STATE].number;
}

AttrSet *link_section(const Link *link, Section section) {
        static AttrSet none;

        if (!link)
                return &none;
        switch (section) {
        case SECTION_COMMON:
                return (AttrSet *)&link->common;
        case SECTION_OPTIONS:
                return (AttrSet *)&link->options;
        case SECTION_PORT:
                return (AttrSet *)&link->port;
        case SECTION_VLANS:
                return (AttrSet *)&link->vlans;
        case _SECTION_N:
                break;
        }
        return &none;
}

bool link_is_physical(const Link *link) {
        return link_kind_is(link->kind, KIND_FOREIGN);
}

bool link_is_fallback(const Link *link) {
        return link->kind && link->kind->fallback && streq(link->kind->fallback, link->name);
}

void ref_path(const Ref *ref, Buf *ret) {
        if (ref->netns && !streq(ref->netns, HOST))
                buf_printf(ret, "%s/", ref->netns);
        buf_add(ret, ref->link);
}

void link_path(const Link *link, Buf *ret) {
        Ref self = link_self(link);

        ref_path(&self, ret);
}

void namespace_path(const Namespace *netns, Buf *ret) {
        buf_printf(ret, "%s/", netns->name);
}

static void format_key(const Object *object, RowSet rows, Buf *ret) {
        size_t n = schema_size(&object->type->schema);
        bool first = true;

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(&object->type->schema, i);

                _cleanup_(buf_deinit) Buf text = {};

                if (row->change != CHANGE_KEY || !(rows & ROW_BIT(i)))
                        continue;
                value_format(row, &object->set.values[i], &text);
                if (!first && row->def && streq(row->def, buf_text(&text)))
                        continue;
                if (!first)
                        buf_printf(ret, " %s ", row->key);
                buf_add(ret, buf_text(&text));
                ret->failed |= text.failed;
                first = false;
        }
}

void object_key(const Object *object, Buf *ret) {
        format_key(object, object->set.present, ret);
}

void object_label(const Object *object, Buf *ret) {
        format_key(object, object->set.present & ~object->set.implied, ret);
}

void object_text(const Object *object, Buf *ret) {
        RowSet rows = object->set.present & ~object->set.implied;
        size_t i;

        object_label(object, ret);
        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(&object->type->schema, i);
                _cleanup_(buf_deinit) Buf text = {};

                if (row->change == CHANGE_KEY || row->change == CHANGE_STATE)
                        continue;
                value_format(row, &object->set.values[i], &text);
                if (!row->def || !streq(row->def, buf_text(&text)))
                        buf_printf(ret, " %s %s", row->key, buf_text(&text));
                ret->failed |= text.failed;
        }
}

void object_path(const Link *link, const Namespace *netns, const Object *object, Buf *ret) {
        if (link)
                link_path(link, ret);
        else
                buf_add(ret, netns->name);
        buf_printf(ret, " %s ", object->type->schema.name);
        object_key(object, ret);
}

static const char *byte_problem(const char *name) {
        for (const char *c = name; *c; c++) {
                if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
                        return "has spaces, control or non-ASCII characters";
                if (*c == '/' || *c == '%')
                        return "has a '/' or '%'";
        }
        return NULL;
}

/* dev_valid_name() in dev.c; `%d` would be expanded, `all` and `default` are sysctl folders. */
const char *link_name_problem(const char *name) {
        if (!*name)
                return "is empty";
        if (strlen(name) > 15)
                return "is longer than 15 bytes";
        if (streq(name, ".") || streq(name, "..") || streq(name, "all") || streq(name, "default"))
                return "is a reserved name";
        if (strchr(name, ':'))
                return "has a ':'";
        return byte_problem(name);
}

const char *netns_name_problem(const char *name) {
        if (!*name)
                return "is empty";
        if (strlen(name) > 64)
                return "is longer than 64 bytes";
        if (streq(name, ".") || streq(name, "..") || streq(name, HOST))
                return "is a reserved name";
        return byte_problem(name);
}

RowSet attrset_diff(const AttrSet *wanted, const AttrSet *have, bool ours, RowSet *ret_unknown) {
        RowSet rows = wanted->present & (ours ? ~(RowSet)0 : ~wanted->implied);
        RowSet differ = 0, unknown = 0;
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(wanted->schema, i);

                if (row->flags & ROW_LOCAL || row->change == CHANGE_STATE)
                        continue;
                if (have->schema != wanted->schema || !attrset_has(have, i))
                        unknown |= ROW_BIT(i);
                else if (!value_equal(row, &wanted->values[i], &have->values[i]))
                        differ |= ROW_BIT(i);
        }
        if (ret_unknown)
                *ret_unknown = unknown;
        return differ;
}
