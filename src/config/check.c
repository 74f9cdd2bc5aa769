/* SPDX-License-Identifier: MIT */
/*
 * What one link may not say in view of the links it refers to: the kernel would refuse it, some
 * requests later and with an errno. Only what is written on both sides counts here; the rest is for
 * the planner, who knows what is there. Rules that need many links at once are in claims.c.
 */

#include "config/check.h"
#include "mvnet/vlans.h"

#include <sys/socket.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>

void link_config_path(const Link *link, const char *key, Buf *ret) {
        if (!streq(link->netns->name, HOST))
                buf_printf(ret, "namespaces.%s.", link->netns->name);
        buf_printf(ret, "interfaces.%s%s%s", link->name, key ? "." : "", key ?: "");
}

static void object_config_path(const Check *check, const char *key, Buf *ret) {
        if (check->object->under)
                link_config_path(check->object->under, NULL, ret);
        else if (!streq(check->netns->name, HOST))
                buf_printf(ret, "namespaces.%s", check->netns->name);
        buf_printf(ret, "%s%s.", ret->size ? "." : "", check->object->type->schema.name);
        if (check->object->type->flags & OBJECT_NAMED) {
                object_key(check->object, ret);
                buf_addc(ret, '.');
        }
        buf_add(ret, key);
}

void check_problem(Check *check, const Link *link, const char *key, Location at,
                   const char *format, ...) {
        _cleanup_(buf_deinit) Buf path = {}, text = {};
        va_list ap;

        if (link)
                link_config_path(link, key, &path);
        else
                object_config_path(check, key, &path);
        va_start(ap, format);
        buf_vprintf(&text, format, ap);
        va_end(ap);
        report_add(check->report, at.source ? at : link ? link->at : check->object->at,
                   buf_text(&path), "%s", buf_text(&text));
        if (buf_error(&path) < 0 || buf_error(&text) < 0)
                check->report->failed = true;
}

bool row_said(const AttrSet *set, size_t row) {
        return set->schema && attrset_has(set, row) && !(set->implied & ROW_BIT(row)) &&
               attrset_at(set, row).source;
}

static const char *check_copy(Check *check, const Buf *buf) {
        const char *copy = arena_strdup(&check->arena, buf_text(buf));

        if (!copy || buf_error(buf) < 0)
                check->report->failed = true;
        return copy ?: "";
}

const char *check_place(Check *check, Location at) {
        _cleanup_(buf_deinit) Buf text = {};

        location_format(at, &text);
        return check_copy(check, &text);
}

const char *check_link_name(Check *check, const Link *link) {
        _cleanup_(buf_deinit) Buf text = {};

        link_path(link, &text);
        return check_copy(check, &text);
}

static Location common_at(const Link *link, LinkRow row) {
        return attrset_at(&link->common, row);
}

/* References. */

static void hint_namespace(Check *check, const char *name) {
        Words words = {};
        const char *nearest;

        for (const Namespace *netns = check->network->namespaces; netns; netns = netns->hh.next)
                words_add(&words, netns->name);
        nearest = text_nearest(name, words.items, words.n);
        if (nearest)
                report_hint(check->report, "did you mean '%s'?", nearest);
        else
                report_hint(check->report, "one line among the namespaces does it: '%s: {}'", name);
}

static void hint_link(Check *check, const Namespace *netns, const char *name) {
        Words words = {};
        const char *nearest;

        for (const Link *link = netns->links; link; link = link->hh.next)
                words_add(&words, link->name);
        nearest = text_nearest(name, words.items, words.n);
        if (nearest)
                report_hint(check->report, "did you mean '%s'? If not, declare it: '%s: {}'",
                            check_link_name(check, namespace_find_link(netns, nearest)), name);
        else
                report_hint(check->report,
                            "one line among the interfaces of '%s' does it: '%s: {}'", netns->name,
                            name);
}

static const Namespace *check_netns(Check *check, const Link *link, const char *key,
                                    const char *name, Location at) {
        const Namespace *netns = network_find_namespace(check->network, name);

        if (netns)
                return netns;
        check_problem(check, link, key, at, "the namespace '%s' is not declared", name);
        hint_namespace(check, name);
        return NULL;
}

static void check_ref(Check *check, const Link *link, const char *key, const Ref *ref,
                      Location at) {
        const Namespace *netns = check_netns(check, link, key, ref->netns, at);
        _cleanup_(buf_deinit) Buf name = {};

        if (!netns)
                return;
        if (namespace_find_link(netns, ref->link))
                return;
        ref_path(ref, &name);
        check_problem(check, link, key, at, "'%s' is not declared", buf_text(&name));
        hint_link(check, netns, ref->link);
}

/* Lists of references (`ports`) were looked at entry by entry as they were read. */
static void check_refs(Check *check, const Link *link, const AttrSet *set, const char *section) {
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const Row *row = schema_row(set->schema, i);
                const char *key = arena_printf(&check->arena, "%s%s%s", section ?: "",
                                               section ? "." : "", row->key);

                if (row->type->is_netns && row_said(set, i))
                        check_netns(check, link, key ?: row->key, set->values[i].ref.netns,
                                    attrset_at(set, i));
                if (row->type->is_ref && row->type->shape == SHAPE_SCALAR && row_said(set, i) &&
                    set->values[i].ref.link)
                        check_ref(check, link, key ?: row->key, &set->values[i].ref,
                                  attrset_at(set, i));
        }
}

/* The parent. */

/* The MTU that a file gives to a link, its own or the one it takes over, and where. */
static bool said_mtu(const Link *link, uint64_t *ret, Location *ret_at) {
        for (unsigned depth = 0; link && depth < 64; depth++) {
                if (row_said(&link->common, LINK_MTU)) {
                        *ret = link->common.values[LINK_MTU].number;
                        *ret_at = common_at(link, LINK_MTU);
                        return true;
                }
                if (!link_kind_is(link->kind, KIND_PARENT))
                        return false;
                link = link_lower(link);
        }
        return false;
}

static void check_mtu(Check *check, const Link *link, const Link *parent) {
        uint64_t mine = link->common.values[LINK_MTU].number, theirs;
        Location at;

        if (!link_kind_is(link->kind, KIND_MTU_BOUND) || !row_said(&link->common, LINK_MTU))
                return;
        if (said_mtu(parent, &theirs, &at) && mine > theirs)
                check_problem(check, link, "mtu", common_at(link, LINK_MTU),
                              "%llu is more than the %llu of its parent '%s' (%s)",
                              (unsigned long long)mine, (unsigned long long)theirs,
                              check_link_name(check, parent), check_place(check, at));
}

static void check_state(Check *check, const Link *link, const Link *parent) {
        const char *loose = link->kind->loose;
        const Value *lifted = loose ? attrset_get(&link->options, loose) : NULL;

        if (!link_kind_is(link->kind, KIND_NEEDS_PARENT_UP) || (lifted && lifted->number))
                return;
        if (link_state(link) != LINK_STATE_UP || link_state(parent) != LINK_STATE_DOWN)
                return;
        check_problem(check, link, "state", common_at(link, LINK_STATE),
                      "such a link (%s) can't be up while its parent '%s' is kept down (%s)",
                      link->kind->name, check_link_name(check, parent),
                      check_place(check, common_at(parent, LINK_STATE)));
        report_hint(check->report, "say 'state: down' here, too, or 'state: up' there%s%s%s",
                    loose ? "; or '" : "", loose ?: "", loose ? ": true'" : "");
}

/* IPv6 goes away below 1280 bytes, with all addresses (addrconf.c, NETDEV_CHANGEMTU). */
static void check_ipv6(Check *check, const Link *link) {
        uint64_t mtu;
        Location at;

        if (!said_mtu(link, &mtu, &at) || mtu >= 1280)
                return;
        for (const Object *object = link->objects; object; object = object->next) {
                const Value *address = object->type == &object_address
                        ? attrset_get(&object->set, "address") : NULL;

                if (address && address->family == AF_INET6)
                        check_problem(check, link, "addresses", object->at,
                                      "IPv6 needs an MTU of 1280; it is %llu here (%s)",
                                      (unsigned long long)mtu, check_place(check, at));
        }
}

static bool is_loopback(const Link *link) {
        return streq(link->name, "lo");
}

/* An ipvlan on an ipvlan ends up beside it, on the parent's parent. */
static bool parent_is_replaced(const Link *link, const Link *parent) {
        return link_kind_is(link->kind, KIND_REAL_LOWER) &&
               link_kind_family(link->kind) == link_kind_family(parent->kind);
}

/* A lower device lives where the outer packets do. */
static void check_bind(Check *check, const Link *link) {
        const Ref *parent = link_ref(link, LINK_PARENT);
        const char *bind = attrset_has(&link->common, LINK_BIND_NETNS)
                ? link->common.values[LINK_BIND_NETNS].ref.netns : NULL;

        if (!parent || !bind || streq(parent->netns, bind))
                return;
        check_problem(check, link, "parent", common_at(link, LINK_PARENT),
                      "lives in '%s', but bind-netns is '%s' (%s)", parent->netns, bind,
                      check_place(check, common_at(link, LINK_BIND_NETNS)));
        if (streq(parent->netns, link->netns->name))
                report_hint(check->report, "without a slash it is the link's own namespace: "
                            "'%s/%s' is that of bind-netns", bind, parent->link);
}

static void check_parent(Check *check, const Link *link) {
        const Link *parent = link_lower(link);
        Location at = common_at(link, LINK_PARENT);

        if (!parent || parent == link || !link_kind_is(link->kind, KIND_PARENT))
                return;
        if (is_loopback(parent))
                check_problem(check, link, "parent", at, "nothing can be on top of 'lo'");
        if (link_kind_is(parent->kind, KIND_NO_CHILDREN) && !parent_is_replaced(link, parent))
                check_problem(check, link, "parent", at, "'%s' (%s) can't carry a link of kind %s",
                              check_link_name(check, parent), parent->kind->name,
                              link->kind->name);
        if (link_kind_is(link->kind, KIND_SAME_NETNS) && parent->netns != link->netns)
                check_problem(check, link, "parent", at,
                              "such a link (%s) lives in the namespace of its parent, '%s'",
                              link->kind->name, parent->netns->name);
        check_mtu(check, link, parent);
        check_state(check, link, parent);
}

/* The master. */

static const char *port_problem(const Link *link, const Link *master) {
        bool foreign = link_is_physical(master);

        if (!foreign && !link_kind_is(master->kind, KIND_MASTER))
                return "has no ports";
        if (is_loopback(link))
                return "can't have 'lo' as a port";
        if (link_kind_is(link->kind, KIND_NO_PORT) && !link_kind_is(master->kind, KIND_L3_MASTER))
                return "can't have such a link as a port";
        if (!foreign && link_kind_family(link->kind) == link_kind_family(master->kind))
                return "can't have another of its kind as a port";
        return NULL;
}

/* What a port's own settings refer to are ports of the same master (brif.c br_set_backup_port). */
static void check_fellow_ports(Check *check, const Link *link, const Link *master) {
        size_t i;

        ROWSET_FOREACH(i, link->port.present) {
                const Row *row = schema_row(link->port.schema, i);
                const Link *other = row->type->is_ref
                        ? network_find_link(check->network, &link->port.values[i].ref) : NULL;
                const char *key;

                if (!other || (other != link && link_master(other) == master))
                        continue;
                key = arena_printf(&check->arena, "%s.%s", link->port.schema->name, row->key);
                check_problem(check, link, key, attrset_at(&link->port, i),
                              "'%s' is not another port of '%s'", check_link_name(check, other),
                              master->name);
        }
}

/* A master names its own ports (bond's primary). */
static void check_own_ports(Check *check, const Link *link) {
        size_t i;

        ROWSET_FOREACH(i, link->options.present) {
                const Row *row = schema_row(link->options.schema, i);
                const Link *port = row->phase == PHASE_PORTED
                        ? network_find_link(check->network, &link->options.values[i].ref) : NULL;

                if (port && link_master(port) != link)
                        check_problem(check, link, row->key, attrset_at(&link->options, i),
                                      "'%s' is not a port of '%s'", check_link_name(check, port),
                                      link->name);
        }
}

/* EPERM as long as it is a port (team_core.c team_device_event). */
static void check_port_mtu(Check *check, const Link *link, const Link *master) {
        const Value *mine = &link->common.values[LINK_MTU],
                    *theirs = &master->common.values[LINK_MTU];

        if (!row_said(&link->common, LINK_MTU) ||
            (row_said(&master->common, LINK_MTU) && mine->number == theirs->number))
                return;
        check_problem(check, link, "mtu", common_at(link, LINK_MTU),
                      "a port has the MTU of '%s' (%s): it is said there", master->name,
                      master->kind->name);
}

static void check_master(Check *check, const Link *link) {
        const Ref *ref = link_ref(link, LINK_MASTER);
        const Link *master = link_master(link);
        const char *problem;

        if (!ref || master == link)
                return;
        if (!streq(ref->netns, link->netns->name)) {
                check_problem(check, link, "master", common_at(link, LINK_MASTER),
                              "a port lives in its master's namespace; this is '%s'",
                              link->netns->name);
                return;
        }
        problem = master ? port_problem(link, master) : NULL;
        if (problem)
                check_problem(check, link, "master", common_at(link, LINK_MASTER),
                              "'%s' (%s) %s%s%s", master->name, master->kind->name, problem,
                              link_kind_is(link->kind, KIND_NO_PORT) ? ": " : "",
                              link_kind_is(link->kind, KIND_NO_PORT) ? link->kind->name : "");
        if (master && link_kind_is(master->kind, KIND_ONE_MTU))
                check_port_mtu(check, link, master);
        if (master)
                check_fellow_ports(check, link, master);
}

/* VLANs. */

static bool has_tunnels(const Link *link) {
        VlanTable *table = calloc(1, sizeof(VlanTable));
        bool has = false;

        for (unsigned vid = 1; table && vid < VLANS_N; vid++) {
                if (vid == 1)
                        vlans_read(&link->vlans.values[0], table);
                has |= table->at[vid].tunnel;
        }
        free(table);
        return has;
}

static bool option_is_on(const AttrSet *set, const char *key) {
        const Value *value = set->schema ? attrset_get(set, key) : NULL;

        return value && value->number;
}

static void check_tunnels(Check *check, const Link *link, const Link *bridge, Location at) {
        const char *key = bridge->kind->tunnelling;

        if (!has_tunnels(link) || option_is_on(&link->port, key))
                return;
        check_problem(check, link, "vlans", at, "a tunnel is for ports with '%s: true'", key);
        if (bridge != link)
                report_hint(check->report, "say '%s: {%s: true}' here", bridge->kind->port.name,
                            key);
}

/* Of a master that somebody else makes nobody knows what it does. */
static void check_vlans(Check *check, const Link *link) {
        const Link *bridge = link_vlan_bridge(link), *master = link_master(link);
        Location at = attrset_at(&link->vlans, 0);

        if (!link->vlans.present || (!bridge && master && link_is_physical(master)))
                return;
        if (!bridge && !link_ref(link, LINK_MASTER)) {
                check_problem(check, link, "vlans", at,
                              "is for a bridge and its ports: this link has no 'master'");
        } else if (!bridge && master) {
                check_problem(check, link, "vlans", at, "'%s' (%s) has no VLANs", master->name,
                              master->kind->name);
        } else if (bridge && !option_is_on(&bridge->options, bridge->kind->filtering)) {
                check_problem(check, link, "vlans", at, "'%s' does not filter VLANs",
                              check_link_name(check, bridge));
                report_hint(check->report, "say '%s: true' %s", bridge->kind->filtering,
                            bridge == link ? "here" : "there");
        } else if (bridge) {
                check_tunnels(check, link, bridge, at);
        }
}

/* The peer. */

static void check_peer(Check *check, const Link *link) {
        int row = link->options.schema ? schema_find_type(link->options.schema, &attr_peer) : -1;
        const Link *peer = link_peer(link), *theirs;
        const char *key;
        Location at;

        if (row < 0 || !peer || !row_said(&link->options, (size_t)row))
                return;
        key = schema_row(link->options.schema, (size_t)row)->key;
        at = attrset_at(&link->options, (size_t)row);
        if (peer == link) {
                check_problem(check, link, key, at, "a link can't be its own peer");
                return;
        }
        if (peer->kind != link->kind) {
                check_problem(check, link, key, at, "'%s' is declared as %s (%s)",
                              check_link_name(check, peer), peer->kind->name,
                              check_place(check, peer->at));
                report_hint(check->report, "the far end says 'kind: %s', or nothing",
                            link->kind->name);
                return;
        }
        theirs = link_peer(peer);
        if (theirs && theirs != link && row_said(&peer->options, (size_t)row))
                check_problem(check, link, key, at, "'%s' says that its peer is '%s' (%s)",
                              check_link_name(check, peer), check_link_name(check, theirs),
                              check_place(check, attrset_at(&peer->options, (size_t)row)));
}

/* Rules that kinds and objects bring along. */

static Location key_at(const AttrSet *set, const char *key) {
        int row = set->schema && key ? schema_find(set->schema, key) : -1;

        return row >= 0 ? attrset_at(set, (size_t)row) : (Location){};
}

static void verify_link(Check *check, const Link *link) {
        const char *key = NULL, *reason = NULL;
        char path[64];
        Location at;

        if (link_verify_port(link, &key, &reason) > 0) {
                snprintf(path, sizeof(path), "%s.%s", link->port.schema->name, key);
                check_problem(check, link, path, key_at(&link->port, key), "%s", reason);
        }
        if (!link->kind || link_verify(link, &key, &reason) <= 0)
                return;
        at = key_at(&link->options, key);
        if (!at.source)
                at = key_at(&link->common, key);
        check_problem(check, link, key, at, "%s", reason);
}

static void verify_object(Check *check, const Link *link, const Object *object) {
        const char *key = NULL, *reason = NULL, *path;
        Location at;

        int r = object->type->verify ? object->type->verify(&object->set, &key, &reason) : 0;

        if (r == 0 && object->type->verify_on && link)
                r = object->type->verify_on(&link->options, &object->set, &key, &reason);
        if (r <= 0)
                return;
        at = key_at(&object->set, key);
        path = link ? arena_printf(&check->arena, "%s.%s", object->type->schema.name, key) : key;
        check_problem(check, link, path, at.source ? at : object->at, "%s", reason);
}

/* What counts only if another row says so: elsewhere even its default is refused. */
static void check_conditions(Check *check, const Link *link, const AttrSet *set,
                             const AttrSet *decider, const char *section) {
        size_t i;

        ROWSET_FOREACH(i, set->schema && decider->schema ? set->present : 0) {
                const Row *row = schema_row(set->schema, i);
                _cleanup_(buf_deinit) Buf condition = {};
                const char *key;

                if (!row_said(set, i) || row_counts(row, decider))
                        continue;
                row_condition(row, decider->schema, &condition);
                key = arena_printf(&check->arena, "%s%s%s", section ?: "", section ? "." : "",
                                   row->key);
                check_problem(check, link, key, attrset_at(set, i), "counts only %s",
                              buf_text(&condition));
        }
}

static void place_object(Check *check, const Link *link, const Object *object) {
        const char *reason = object->type->misplaced ? object->type->misplaced(object, link) : NULL;

        if (reason)
                check_problem(check, link, object->type->schema.name, object->at, "%s", reason);
}

static void check_link(Check *check, const Link *link) {
        const Link *master = link_master(link);


        check_refs(check, link, &link->common, NULL);
        check_refs(check, link, &link->options, NULL);
        check_refs(check, link, &link->port, link->port.schema ? link->port.schema->name : NULL);
        if (is_loopback(link) && !link_is_physical(link))
                check_problem(check, link, "kind", (Location){},
                              "'lo' is in every namespace already: leave 'kind' out");
        check_conditions(check, link, &link->options, &link->options, NULL);
        if (master && link->port.schema && link->port.schema == &master->kind->port)
                check_conditions(check, link, &link->port, &master->options,
                                 link->port.schema->name);
        check_parent(check, link);
        check_bind(check, link);
        check_master(check, link);
        check_vlans(check, link);
        check_own_ports(check, link);
        check_peer(check, link);
        check_ipv6(check, link);
        verify_link(check, link);
        for (const Object *object = link->objects; object; object = object->next) {
                check_refs(check, link, &object->set, object->type->schema.name);
                verify_object(check, link, object);
                place_object(check, link, object);
        }
}

/* Routes leave by links of their own namespace. */
static void check_object_ref(Check *check, const Row *row, const Ref *ref, Location at) {
        if (!ref->link)
                return;
        if (streq(ref->netns, check->netns->name))
                check_ref(check, NULL, row->key, ref, at);
        else
                check_problem(check, NULL, row->key, at,
                              "is a link of another namespace; this is '%s'",
                              check->netns->name);
}

static void check_object_refs(Check *check, const AttrSet *set) {
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const Row *row = schema_row(set->schema, i);
                const Value *value = &set->values[i];

                if (!row_said(set, i) || row->flags & ROW_LOOSE)
                        continue;
                if (row->type->is_ref && row->type->shape == SHAPE_SCALAR)
                        check_object_ref(check, row, &value->ref, attrset_at(set, i));
                for (size_t j = 0; row->type->ref_in && j < value->list.n; j++)
                        check_object_ref(check, row, &row->type->ref_in(&value->list.items[j])->ref,
                                         attrset_at(set, i));
        }
}

static void hint_number(Check *check, const ObjectType *type, const char *number) {
        Words words = {};
        const char *nearest;

        for (const Object *object = check->netns->objects; object; object = object->next)
                if (object->type == type)
                        words_add(&words, arena_printf(&check->arena, "%llu",
                                                       (unsigned long long)
                                                               object->set.values[0].number) ?: "");
        nearest = text_nearest(number, words.items, words.n);
        if (nearest)
                report_hint(check->report, "did you mean '%s'?", nearest);
        else
                report_hint(check->report, "one line among the %s of '%s' does it: '%s: {…}'",
                            type->schema.name, check->netns->name, number);
}

/* What it refers to by number is of its own namespace. */
static void check_numbers(Check *check, const AttrSet *set) {
        uint64_t number;
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const Row *row = schema_row(set->schema, i);

                for (size_t j = 0; row_number(row, &set->values[i], j, &number); j++) {
                        const char *text;

                        if (namespace_find_numbered(check->netns, row->of, number))
                                continue;
                        text = arena_printf(&check->arena, "%llu", (unsigned long long)number);
                        check_problem(check, NULL, row->key, attrset_at(set, i),
                                      "'%s' is not declared among the %s", text ?: "",
                                      row->of->schema.name);
                        hint_number(check, row->of, text ?: "");
                }
        }
}

static void check_suits(Check *check, const Object *object) {
        const char *key = NULL, *reason = NULL;
        Location at;

        if (!object->type->suits || object->type->suits(object, check->netns, &key, &reason) <= 0)
                return;
        at = key_at(&object->set, key);
        check_problem(check, NULL, key, at.source ? at : object->at, "%s", reason);
}

static void check_entries(Check *check, const Namespace *netns) {
        check->netns = netns;
        for (const Object *object = netns->objects; object; object = object->next) {
                check->object = object;
                check_object_refs(check, &object->set);
                check_conditions(check, NULL, &object->set, &object->set, NULL);
                verify_object(check, NULL, object);
                check_numbers(check, &object->set);
                check_suits(check, object);
        }
}

int config_check(const Network *network, Report *report) {
        Check check = {.network = network, .report = report};
        int r;

        for (const Namespace *netns = network->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next)
                        check_link(&check, link);
        for (const Namespace *netns = network->namespaces; netns; netns = netns->hh.next)
                check_entries(&check, netns);
        r = check_claims(&check);
        if (r == 0)
                r = check_cycles(&check);
        arena_deinit(&check.arena);
        return r < 0 ? r : report_error(report);
}
