/* SPDX-License-Identifier: MIT */
/*
 * A Network as a file: what config_load() would have to read to want what is there. What is said is
 * what it takes to make it again and differs from what comes by itself; what cannot be said becomes
 * a comment, never a gap.
 *
 * Rows without a default are the kernel's choice. Of these the MTU is said where it is neither the
 * parent's nor 1500; the MAC address where the link is not somebody else's and has it neither from
 * its parent nor from a port, and on a NIC where it is not the permanent one; others where they are
 * unlike what the kernel gives to most links (`usual`).
 */

#include "config/spell.h"
#include "mvnet/config.h"
#include "mvnet/vlans.h"

#include <errno.h>
#include <stdlib.h>

typedef struct Entry {
        const Link *link;
        const char *trouble; /* why it cannot be written, or NULL */
        bool whole;          /* with all there is to say */
        bool referred;       /* by name only, if not whole: somebody else's */
        bool far_end;        /* its peer says what kind it is */
} Entry;

typedef struct Export {
        const Network *network;
        Entry *entries; /* by address of the link */
        size_t n;
        Arena arena;
        Buf *out;
} Export;

/* What the kernel chooses for most links, by row: not worth saying. */
static const struct {
        const char *schema, *key, *values; /* with a space around each */
} usual[] = {
        {"link", "txqueuelen", " 1000 500 "},
        /* By speed: 10 Gbit/s and more, 1 Gbit/s, 100, 10 Mbit/s or unknown (br_if.c port_cost). */
        {"bridge-port", "cost", " 1 2 4 5 19 100 "},
};

/* Which rows. */

static int compare_entries(const void *a, const void *b) {
        const Link *x = ((const Entry *)a)->link, *y = ((const Entry *)b)->link;

        return x < y ? -1 : x > y;
}

static Entry *entry_find(const Export *export, const Link *link) {
        Entry key = {.link = link};

        return link ? bsearch(&key, export->entries, export->n, sizeof(Entry), compare_entries)
                    : NULL;
}

/* A master's choice among its ports, where nothing is said of the port: not even whose it is. */
static bool chooses_unsaid(const Export *export, const Row *row, const Value *value) {
        const Entry *port = row->phase == PHASE_PORTED
                ? entry_find(export, network_find_link(export->network, &value->ref)) : NULL;

        return port && (!port->whole || port->trouble);
}

static bool equals_default(Export *export, const Row *row, const Value *value) {
        ParseScope scope = {.arena = &export->arena};
        Value def = {};

        return row->def && value_parse(row, &scope, row->def, &def) == 0 &&
               value_equal(row, &def, value);
}

static bool is_usual(const AttrSet *set, const Row *row, const Value *value) {
        _cleanup_(buf_deinit) Buf text = {};

        for (size_t i = 0; i < ELEMENTSOF(usual); i++) {
                if (!streq(usual[i].schema, set->schema->name) || !streq(usual[i].key, row->key))
                        continue;
                buf_addc(&text, ' ');
                value_format(row, value, &text);
                buf_addc(&text, ' ');
                return strstr(usual[i].values, buf_text(&text));
        }
        return false;
}

static bool row_is_worth(Export *export, const AttrSet *set, size_t i) {
        const Row *row = schema_row(set->schema, i);

        if (!attrset_has(set, i) || row->change == CHANGE_STATE ||
            row->flags & (ROW_LOCAL | ROW_SECRET))
                return false;
        return !equals_default(export, row, &set->values[i]) &&
               !is_usual(set, row, &set->values[i]);
}

static bool is_ours(const Link *link) {
        return attrset_has(&link->common, LINK_GROUP) &&
               link->common.values[LINK_GROUP].number == LINK_GROUP_OURS;
}

static bool is_loopback(const Link *link) {
        return streq(link->name, "lo");
}

static bool mac_is_from(const Link *link, const Link *other) {
        const Value *mac = &link->common.values[LINK_MAC];

        return other && attrset_has(&other->common, LINK_MAC) &&
               value_equal(schema_row(&link_schema, LINK_MAC), mac,
                           &other->common.values[LINK_MAC]);
}

/* A master that is left alone has the address of one of its ports. */
static bool mac_is_from_port(const Link *link) {
        for (const Link *port = link->netns->links; port; port = port->hh.next)
                if (link_master(port) == link && mac_is_from(link, port))
                        return true;
        return false;
}

static bool mac_is_worth(const Link *link) {
        static const uint8_t none[6]; /* a bridge that lost its last port */
        const Value *mac = &link->common.values[LINK_MAC];
        const char *key, *reason;

        if (link_verify(link, &key, &reason) > 0 && streq(key, "mac"))
                return false; /* such a one can't be told */
        if (mac->policy == MAC_FIXED && memcmp(mac->bytes, none, sizeof(none)) == 0)
                return false;
        if (!link->kind || link_is_physical(link))
                return link->has_permanent_mac &&
                       memcmp(mac->bytes, link->permanent_mac, sizeof(link->permanent_mac)) != 0;
        if (link_kind_is(link->kind, KIND_NO_MAC) || mac_is_from(link, link_lower(link)) ||
            (link_is_lent(link) && mac_is_from(link, link_master(link))))
                return false;
        if (link_kind_is(link->kind, KIND_MASTER))
                return !mac_is_from_port(link);
        return true;
}

static bool mtu_is_worth(const Link *link) {
        const Link *parent = link_lower(link);
        uint64_t mtu = link->common.values[LINK_MTU].number, usual_mtu = 0;

        if (link_is_lent(link))
                return !link_kind_is(link_master(link)->kind, KIND_ONE_MTU) &&
                       mtu != link_master(link)->common.values[LINK_MTU].number;
        if (!link_kind_default(link->kind, LINK_MTU, &usual_mtu))
                return true;
        if (parent && attrset_has(&parent->common, LINK_MTU))
                return mtu != parent->common.values[LINK_MTU].number;
        return mtu != usual_mtu;
}

/* Ports of what mvnetd makes get `none` by policy: there the kernel's default has to be said. */
static bool gen_mode_is_worth(const Link *link) {
        const Link *master = link_master(link);
        bool policy = is_ours(link) && master && link_kind_is(master->kind, KIND_SOLID) &&
                      !link_kind_is(master->kind, KIND_L3_MASTER);
        bool none = link->common.values[LINK_ADDR_GEN_MODE].number == 1;
        uint64_t usual_mode = 0;

        link_kind_default(link->kind, LINK_ADDR_GEN_MODE, &usual_mode);
        return policy ? !none : link->common.values[LINK_ADDR_GEN_MODE].number != usual_mode;
}

/* The parent's namespace says it, too. */
static bool bind_is_worth(const Link *link) {
        const char *bind = link->common.values[LINK_BIND_NETNS].ref.netns;

        return link_kind_bind(link->kind) != BIND_NEVER && !streq_ptr(bind, link->netns->name) &&
               !link_ref(link, LINK_PARENT);
}

static bool common_is_worth(Export *export, const Link *link, size_t row) {
        uint64_t usual_number;

        if (!attrset_has(&link->common, row))
                return false;
        if (row == LINK_STATE)
                return link_state(link) == LINK_STATE_DOWN;
        if (is_loopback(link))
                return row == LINK_MTU && link->common.values[row].number != 65536;
        if (row == LINK_PARENT)
                return link_kind_can_have_parent(link->kind) && link_ref(link, LINK_PARENT);
        if (row == LINK_BIND_NETNS)
                return bind_is_worth(link);
        if (row == LINK_GROUP)
                return !is_ours(link) && row_is_worth(export, &link->common, row);
        if (row == LINK_MAC)
                return mac_is_worth(link);
        if (row == LINK_MTU)
                return mtu_is_worth(link);
        if (row == LINK_ADDR_GEN_MODE)
                return gen_mode_is_worth(link);
        if (row == LINK_ARP && link_kind_is(link->kind, KIND_ARP_VARIES))
                return false;
        if (link_kind_default(link->kind, row, &usual_number) &&
            usual_number == link->common.values[row].number)
                return false;
        return row_is_worth(export, &link->common, row);
}

/* Lines. */

static void say_row(Export *export, const AttrSet *set, size_t i, const char *netns,
                    const char *indent, Buf *out) {
        const Row *row = schema_row(set->schema, i);
        _cleanup_(buf_deinit) Buf text = {}, raw = {};

        if (spell_value(&export->arena, row, netns, &set->values[i], &text)) {
                buf_printf(out, "%s%s: %s\n", indent, row->key, buf_text(&text));
        } else {
                value_format(row, &set->values[i], &raw);
                buf_printf(out, "%s# %s: ", indent, row->key);
                spell_comment(out, buf_text(&raw));
                buf_add(out, " (can't be said in a file)\n");
        }
        if (buf_error(&text) < 0 || buf_error(&raw) < 0)
                out->failed = true;
}

static void say_section(Export *export, const AttrSet *set, const AttrSet *decider,
                        const char *name, const char *netns, const char *indent, Buf *out) {
        _cleanup_(buf_deinit) Buf body = {}, deeper = {};
        size_t n = set->schema ? schema_size(set->schema) : 0;

        buf_printf(&deeper, "%s%s", indent, name ? "  " : "");
        for (size_t i = 0; i < n; i++)
                if (row_is_worth(export, set, i) &&
                    row_counts(schema_row(set->schema, i), decider) &&
                    !chooses_unsaid(export, schema_row(set->schema, i), &set->values[i]) &&
                    !(schema_row(set->schema, i)->flags & ROW_MAKES_PEER))
                        say_row(export, set, i, netns, buf_text(&deeper), &body);
        if (name && body.size)
                buf_printf(out, "%s%s:\n", indent, name);
        buf_add(out, buf_text(&body));
        if (buf_error(&body) < 0)
                out->failed = true;
}

/* What `lo` has by itself; IPv4's does not say that the kernel put it there. */
static bool is_loopback_address(const Link *link, const Object *object) {
        _cleanup_(buf_deinit) Buf key = {};

        if (!link || !is_loopback(link))
                return false;
        object_key(object, &key);
        return streq(buf_text(&key), "127.0.0.1/8") || streq(buf_text(&key), "::1/128");
}

/* What comes and goes by itself: expires, or is the kernel's own. */
static bool object_is_worth(const Link *link, const Object *object, bool all) {
        const Value *dynamic = attrset_get(&object->set, "dynamic");
        const Value *protocol = attrset_get(&object->set, "protocol");

        if (object->type->transport == TRANSPORT_SYSCTL)
                return true;
        if ((dynamic && dynamic->number) || is_loopback_address(link, object))
                return false;
        if (link && object->type->is_natural && object->type->is_natural(object, link))
                return false;
        return all || (link && is_ours(link)) || (protocol && protocol->number == PROTOCOL_OURS);
}

/* What it refers to by number has to be said, too. */
static bool numbers_are_said(const Namespace *netns, const Object *object, bool all) {
        const Object *other;
        uint64_t number;
        size_t i;

        ROWSET_FOREACH(i, object->set.present) {
                const Row *row = schema_row(object->set.schema, i);

                for (size_t j = 0; row_number(row, &object->set.values[i], j, &number); j++) {
                        other = namespace_find_numbered(netns, row->of, number);
                        if (!other || !object_is_worth(NULL, other, all))
                                return false;
                }
        }
        return true;
}

static bool object_row_is_worth(Export *export, const Object *object, size_t i) {
        const Row *row = schema_row(&object->type->schema, i);
        const Value *value = &object->set.values[i];

        if (row->change == CHANGE_KEY)
                return attrset_has(&object->set, i) && !(object->set.implied & ROW_BIT(i)) &&
                       !equals_default(export, row, value);
        if (!row_is_worth(export, &object->set, i) || object->set.implied & ROW_BIT(i))
                return false;
        return row->def || !row->names || value->number != 0;
}

/* What is to be said, without what the object's own rules don't allow (IPv6 has no label). */
static int object_said(Export *export, const Object *object, AttrSet *ret) {
        size_t n = schema_size(&object->type->schema);
        const char *key, *reason;
        AttrSet set;

        if (attrset_copy(&object->set, &export->arena, &set) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (!object_row_is_worth(export, object, i))
                        set.present &= ~ROW_BIT(i);
        while (object->type->verify && object->type->verify(&set, &key, &reason) > 0) {
                int row = schema_find(set.schema, key);

                if (row < 0 || !attrset_has(&set, (size_t)row) ||
                    schema_row(set.schema, (size_t)row)->change == CHANGE_KEY)
                        break;
                set.present &= ~ROW_BIT(row);
        }
        *ret = set;
        return 0;
}

/* The other way to write it: `become` adds what is not written. False: that can't say all of it. */
static bool respell(Export *export, const ObjectType *type, const AttrSet *said, AttrSet *ret) {
        AttrSet added = {}, set = {};
        size_t i;

        if (attrset_init(&set, &type->schema, &export->arena) < 0 ||
            attrset_init(&added, said->schema, &export->arena) < 0)
                return false;
        type->become(&added);
        ROWSET_FOREACH(i, said->present) {
                const Row *row = schema_row(said->schema, i);
                int other = schema_find(&type->schema, row->key);

                if (other >= 0)
                        attrset_set(&set, (size_t)other, said->values[i]);
                else if (!attrset_has(&added, i) ||
                         !value_equal(row, &said->values[i], &added.values[i]))
                        return false;
        }
        *ret = set;
        return true;
}

/* As its type says it, or another one that speaks of such. */
static int spell_object(Export *export, const Object *object, Object *ret) {
        AttrSet said;
        int r = object_said(export, object, &said);

        *ret = (Object){.type = object->type, .set = said};
        for (size_t i = 0; r == 0 && i < object_types_n; i++)
                if (object_types[i]->as == object->type &&
                    object_types[i]->speaks_of(&object->set) &&
                    respell(export, object_types[i], &said, &ret->set))
                        ret->type = object_types[i];
        return r;
}

/* One row that stands for itself needs none, nor does a pair of them. */
static bool needs_braces(const Object *said, RowSet rows) {
        uint32_t map = said->type->flags & (OBJECT_MAP | OBJECT_NAMED);
        size_t first = (size_t)__builtin_ctzll(rows);

        return map ? map == OBJECT_NAMED
                   : rows & (rows - 1) ||
                             !(schema_row(said->set.schema, first)->flags & ROW_SHORTHAND);
}

static bool add_object(Export *export, Object *list, const char *netns, const Object *object,
                       const Object *said, Buf *out);

/* What lives within an object, without what that says: ", sa: [{an: 0}, {an: 1}]". */
static bool add_inner(Export *export, Object *list, const char *netns, const Object *outer,
                      Buf *out) {
        const ObjectType *type = outer->type->inner;
        bool any = false;

        for (const Object *inner = type ? list : NULL; inner; inner = inner->next) {
                Object said;
                size_t i;

                if (inner->type != type || object_outer(list, inner) != outer)
                        continue;
                if (spell_object(export, inner, &said) < 0)
                        return false;
                ROWSET_FOREACH(i, said.set.present)
                        if (schema_find(&outer->type->schema,
                                        schema_row(&type->schema, i)->key) >= 0 &&
                            schema_row(&type->schema, i)->change == CHANGE_KEY)
                                said.set.present &= ~ROW_BIT(i);
                buf_printf(out, any ? ", " : ", %s: [", type->within_key);
                if (!add_object(export, list, netns, inner, &said, out))
                        return false;
                any = true;
        }
        buf_add(out, any ? "]" : "");
        return true;
}

/* "10.0.0.1/24", "{address: 10.0.0.1/24, metric: 5}", in maps "KEY: VALUE", "KEY: {ROW: VALUE}". */
static bool add_object(Export *export, Object *list, const char *netns, const Object *object,
                       const Object *said, Buf *out) {
        bool map = said->type->flags & OBJECT_MAP, first = true, braces;
        RowSet rows = said->set.present;
        size_t i;

        if (!rows)
                return false;
        braces = needs_braces(said, rows);
        if (said->type->flags & OBJECT_NAMED) {
                if (!spell_value(&export->arena, schema_row(said->set.schema, 0), netns,
                                 &said->set.values[0], out))
                        return false;
                buf_add(out, ": ");
                rows &= ~ROW_BIT(0);
        }
        buf_add(out, braces ? "{" : "");
        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(said->set.schema, i);

                buf_add(out, first ? "" : map ? ": " : ", ");
                if (braces)
                        buf_printf(out, "%s: ", row->key);
                if (!spell_value(&export->arena, row, netns, &said->set.values[i], out))
                        return false;
                first = false;
        }
        if (braces && !add_inner(export, list, netns, object, out))
                return false;
        buf_add(out, braces ? "}" : "");
        return true;
}

/* If it is one of the list that is written under that type's name. */
static int say_object(Export *export, Object *list, const Namespace *netns, const ObjectType *type,
                      const Object *object, bool all, const char *indent, Buf *out) {
        _cleanup_(buf_deinit) Buf text = {}, key = {};
        Object said;
        int r = spell_object(export, object, &said);

        if (r < 0 || said.type != type)
                return r;
        if (numbers_are_said(netns, object, all) &&
            add_object(export, list, netns->name, object, &said, &text)) {
                buf_printf(out, "%s  %s%s\n", indent,
                           object->type->flags & (OBJECT_MAP | OBJECT_NAMED) ? "" : "- ",
                           buf_text(&text));
        } else {
                object_key(object, &key);
                buf_printf(out, "%s  # ", indent);
                spell_comment(out, buf_text(&key));
                buf_add(out, " (can't be said in a file)\n");
        }
        return buf_error(&text) < 0 ? -ENOMEM : buf_error(&key);
}

static int say_objects(Export *export, const Link *link, const Namespace *netns, bool all,
                       const char *indent, Buf *out) {
        Object *list = link ? link->objects : netns->objects;

        for (size_t i = 0; i < object_types_n; i++) {
                _cleanup_(buf_deinit) Buf body = {};

                if (object_types[i]->within)
                        continue;
                for (const Object *object = list; object; object = object->next) {
                        if (object->type != object_types[i] &&
                            object->type != object_types[i]->as)
                                continue;
                        if (object_is_worth(link, object, all) &&
                            say_object(export, list, netns, object_types[i], object, all, indent,
                                       &body) < 0)
                                return -ENOMEM;
                }
                if (body.size)
                        buf_printf(out, "%s%s:\n%s", indent, object_types[i]->schema.name,
                                   buf_text(&body));
                if (buf_error(&body) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* Links. */

static const Value *peer_value(const Link *link, const Row **ret_row) {
        int row = link->options.schema ? schema_find_type(link->options.schema, &attr_peer) : -1;

        if (row < 0 || !attrset_has(&link->options, (size_t)row))
                return NULL;
        *ret_row = schema_row(link->options.schema, (size_t)row);
        return &link->options.values[row];
}

static void say_kind(Export *export, const Entry *entry, const char *indent, Buf *out) {
        const Link *link = entry->link;
        const Row *row = NULL;
        const Value *peer = peer_value(link, &row);
        _cleanup_(buf_deinit) Buf text = {};

        if (!link->kind || entry->far_end || link_kind_is(link->kind, KIND_FOREIGN))
                return;
        buf_printf(out, "%skind: %s\n", indent, link->kind->name);
        if (peer && spell_value(&export->arena, row, link->netns->name, peer, &text))
                buf_printf(out, "%s%s: %s\n", indent, row->key, buf_text(&text));
}

/* What the bridge gives by itself is not worth saying; that there is less than that is. */
static int say_vlans(Export *export, const Link *link, const char *indent, Buf *out) {
        const Link *bridge = link_vlan_bridge(link);
        Value given = {};

        if (!link->vlans.present || !bridge)
                return 0;
        if (link_default_vlans(bridge, &export->arena, &given) < 0)
                return -ENOMEM;
        if (!value_equal(schema_row(&vlans_schema, 0), &given, &link->vlans.values[0]))
                say_row(export, &link->vlans, 0, link->netns->name, indent, out);
        return 0;
}

static int say_whole(Export *export, const Entry *entry, bool all, const char *indent, Buf *out) {
        const Link *link = entry->link;

        say_kind(export, entry, indent, out);
        for (size_t i = 0; i < _LINK_ROW_N; i++)
                if (common_is_worth(export, link, i))
                        say_row(export, &link->common, i, link->netns->name, indent, out);
        if (!entry->far_end) /* a pair's options stand where its kind does */
                say_section(export, &link->options, &link->options, NULL, link->netns->name,
                            indent, out);
        if (link_master(link) && link->port.schema)
                say_section(export, &link->port, &link_master(link)->options,
                            link->port.schema->name, link->netns->name, indent, out);
        if (say_vlans(export, link, indent, out) < 0)
                return -ENOMEM;
        return say_objects(export, link, link->netns, all, indent, out);
}

static int say_link(Export *export, const Entry *entry, bool all, const char *indent, Buf *out) {
        const Link *link = entry->link;
        _cleanup_(buf_deinit) Buf body = {}, deeper = {};

        if (entry->trouble && (entry->whole || entry->referred)) {
                buf_printf(out, "%s# ", indent);
                spell_comment(out, link->name);
                buf_add(out, ": ");
                spell_comment(out, entry->trouble);
                buf_addc(out, '\n');
        }
        if (!(entry->whole && !entry->trouble) && !entry->referred)
                return 0;
        buf_printf(&deeper, "%s  ", indent);
        if (entry->whole && !entry->trouble) {
                if (say_whole(export, entry, all, buf_text(&deeper), &body) < 0)
                        return -ENOMEM;
                if (!body.size && is_loopback(link) && !entry->referred)
                        return 0;
        } else if (link_state(link) != LINK_STATE_UP) {
                buf_printf(&body, "%sstate: any\n", buf_text(&deeper));
        }
        buf_add(out, indent);
        spell_scalar(out, link->name);
        buf_printf(out, ":%s\n%s", body.size ? "" : " {}", buf_text(&body));
        return buf_error(&body) < 0 ? -ENOMEM : buf_error(&deeper);
}

/* What is to be said at all. */

/* The row whose reference leads out of what was read, or NULL. */
static const Row *lost_ref(const Export *export, const AttrSet *set) {
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const Row *row = schema_row(set->schema, i);
                const Value *value = &set->values[i];

                if (row->type->is_netns &&
                    (value->unresolved || !network_find_namespace(export->network,
                                                                  value->ref.netns)))
                        return row;
                if (!row->type->is_ref || row->type->shape != SHAPE_SCALAR)
                        continue;
                if (value->unresolved ||
                    (value->ref.link && !network_find_link(export->network, &value->ref)))
                        return row;
        }
        return NULL;
}

static const char *link_trouble(Export *export, const Link *link) {
        const AttrSet *sets[] = {&link->common, &link->options, &link->port};
        const char *problem = link_name_problem(link->name);

        if (problem)
                return arena_printf(&export->arena, "the name %s", problem) ?: "";
        if (link->kind_name && !link->kind)
                return arena_printf(&export->arena, "kind '%s' is not known to this version",
                                    link->kind_name) ?: "";
        for (size_t i = 0; i < ELEMENTSOF(sets); i++) {
                const Row *row = lost_ref(export, sets[i]);

                if (row)
                        return arena_printf(&export->arena,
                                            "its %s is in a namespace that was not looked into",
                                            row->key) ?: "";
        }
        return NULL;
}

static void refer(const Export *export, const Link *link) {
        Entry *entry = entry_find(export, link);

        if (entry && !link_name_problem(link->name))
                entry->referred = true;
}

static void refer_set(const Export *export, const AttrSet *set) {
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const AttrType *type = schema_row(set->schema, i)->type;
                const Value *value = &set->values[i];

                if (type->is_ref && type->shape == SHAPE_SCALAR)
                        refer(export, network_find_link(export->network, &value->ref));
                for (size_t j = 0; type->ref_in && j < value->list.n; j++)
                        refer(export, network_find_link(export->network,
                                                        &type->ref_in(&value->list.items[j])->ref));
        }
}

static void refer_all(const Export *export, Entry *entry, bool all) {
        const AttrSet *sets[] = {&entry->link->common, &entry->link->options, &entry->link->port};
        Entry *peer = entry_find(export, link_peer(entry->link));

        if (!entry->whole || entry->trouble)
                return;
        for (size_t s = 0; s < ELEMENTSOF(sets); s++)
                refer_set(export, sets[s]);
        for (const Object *object = entry->link->objects; object; object = object->next)
                if (object_is_worth(entry->link, object, all))
                        refer_set(export, &object->set);
        if (peer && !entry->far_end)
                peer->far_end = true;
}

static int make_entries(Export *export, bool all) {
        size_t n = 0;

        for (const Namespace *netns = export->network->namespaces; netns; netns = netns->hh.next)
                n += HASH_COUNT(netns->links);
        export->entries = arena_new_n(&export->arena, Entry, n + 1);
        if (!export->entries)
                return -ENOMEM;
        for (const Namespace *netns = export->network->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next)
                        export->entries[export->n++] = (Entry){
                                .link = link,
                                .trouble = link_trouble(export, link),
                                .whole = (all && !link_is_fallback(link)) || is_ours(link),
                        };
        qsort(export->entries, export->n, sizeof(Entry), compare_entries);
        for (const Namespace *netns = export->network->namespaces; netns; netns = netns->hh.next)
                for (const Object *object = netns->objects; object; object = object->next)
                        if (object_is_worth(NULL, object, all))
                                refer_set(export, &object->set);
        /* In the order of the file, so that the end of a pair that is said first tells the kind. */
        for (const Namespace *netns = export->network->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next)
                        refer_all(export, entry_find(export, link), all);
        return 0;
}

/* Namespaces. */

static int say_links(Export *export, const Namespace *netns, bool all, const char *indent,
                     Buf *out) {
        _cleanup_(buf_deinit) Buf body = {}, deeper = {};

        buf_printf(&deeper, "%s  ", indent);
        for (const Link *link = netns->links; link; link = link->hh.next)
                if (say_link(export, entry_find(export, link), all, buf_text(&deeper), &body) < 0)
                        return -ENOMEM;
        if (body.size)
                buf_printf(out, "%sinterfaces:\n%s", indent, buf_text(&body));
        return buf_error(&body) < 0 ? -ENOMEM : buf_error(&deeper);
}

static void say_no_netns(const Namespace *netns, Buf *out) {
        buf_add(out, "  # ");
        spell_comment(out, netns->name);
        buf_add(out, ": ");
        spell_comment(out, netns->reason ?: netns_name_problem(netns->name) ?: "is not there");
        buf_addc(out, '\n');
}

/* Where it is, if it is not one of our own kind. */
static void say_place(const Namespace *netns, Buf *out) {
        if (netns->type == NETNS_PATH && netns->path) {
                buf_add(out, "    path: ");
                spell_scalar(out, netns->path);
                buf_addc(out, '\n');
        }
        if (netns->type == NETNS_PID)
                buf_printf(out, "    pid: %d\n", netns->pid);
}

static int say_netns(Export *export, const Namespace *netns, bool all, Buf *out) {
        _cleanup_(buf_deinit) Buf place = {}, body = {};

        if (!netns->exists || netns_name_problem(netns->name)) {
                say_no_netns(netns, out);
                return 0;
        }
        say_place(netns, &place);
        if (say_objects(export, NULL, netns, all, "    ", &body) < 0 ||
            say_links(export, netns, all, "    ", &body) < 0)
                return -ENOMEM;
        if (!body.size && !all)
                return 0;
        buf_add(out, "  ");
        spell_scalar(out, netns->name);
        buf_printf(out, ":%s\n%s%s", place.size || body.size ? "" : " {}", buf_text(&place),
                   buf_text(&body));
        return buf_error(&place) < 0 ? -ENOMEM : buf_error(&body);
}

static int say_all(Export *export, bool all) {
        const Namespace *host = network_find_namespace(export->network, HOST);
        _cleanup_(buf_deinit) Buf body = {};
        int r = make_entries(export, all);

        if (r < 0)
                return r;
        buf_printf(export->out, "# Written by `mvnetctl export%s`: %s, as the kernel had it.\n",
                   all ? " --all" : "", all ? "all links" : "the links that mvnetd made");
        r = say_objects(export, NULL, host, all, "", export->out);
        if (r == 0)
                r = say_links(export, host, all, "", export->out);
        for (const Namespace *netns = export->network->namespaces; netns && r == 0;
             netns = netns->hh.next)
                if (netns != host)
                        r = say_netns(export, netns, all, &body);
        if (body.size)
                buf_printf(export->out, "namespaces:\n%s", buf_text(&body));
        return r < 0 ? r : buf_error(&body);
}

int config_export(const Network *network, bool all, Buf *ret) {
        Export export = {.network = network, .out = ret};
        int r = say_all(&export, all);

        arena_deinit(&export.arena);
        return r < 0 ? r : buf_error(ret);
}
