/* SPDX-License-Identifier: MIT */
/*
 * One interface: its kind decides what its keys mean. Which keys there are stands in the tables of
 * the kinds and objects; here is only in which of them to look.
 */

#include "config/build.h"

#include <errno.h>

/* Where one interface's reading stands. */
typedef struct LinkBuild {
        Build *build;
        Link *link;
        bool kind_wrong;  /* `kind` was not understood: nobody knows what the other keys mean */
        RowSet common, options; /* rows tried without success */
} LinkBuild;

static void not_a_key(LinkBuild *lb, const Node *node, const char *why, uint32_t flag) {
        _cleanup_(buf_deinit) Buf kinds = {};
        const LinkKind *kind = lb->link->kind;

        if (kind)
                build_problem(lb->build, node->key_at, "'%s' is not a key of %s%s", node->key,
                              kind->name, why);
        else
                build_problem(lb->build, node->key_at, "'%s' needs a kind", node->key);
        if (flag && kinds_with_flag(flag, &kinds) > 0)
                report_hint(lb->build->report, "it is one of %s", buf_text(&kinds));
}

/* Rows that every link has, but that only make sense for some kinds. */
static bool common_row_fits(LinkBuild *lb, LinkRow row, const Node *node) {
        const LinkKind *kind = lb->link->kind;

        if (lb->kind_wrong || node_is_null(node))
                return true;
        if (row == LINK_BIND_NETNS && link_kind_bind(kind) == BIND_NEVER) {
                not_a_key(lb, node, "", 0);
                return false;
        }
        if (row == LINK_PARENT && !link_kind_can_have_parent(kind)) {
                not_a_key(lb, node, "", KIND_PARENT);
                return false;
        }
        if (row == LINK_PORTS && kind && !link_kind_is(kind, KIND_MASTER) &&
            !link_kind_is(kind, KIND_FOREIGN)) {
                not_a_key(lb, node, ", which has no ports", KIND_MASTER);
                return false;
        }
        if (row == LINK_MAC && link_kind_is(kind, KIND_NO_MAC)) {
                not_a_key(lb, node, link_kind_is(kind, KIND_PARENT) ? ": it has its parent's"
                                                                    : ": it has no MAC address",
                          0);
                return false;
        }
        return true;
}

static int add_port(Build *build, Link *master, Ref port, Location at) {
        PortEntry *entry = arena_new(&build->network->arena, PortEntry);

        if (!entry)
                return -ENOMEM;
        *entry = (PortEntry){.master = master, .port = port, .at = at};
        if (build->last_port)
                build->last_port->next = entry;
        else
                build->ports = entry;
        build->last_port = entry;
        return 0;
}

/* Each entry keeps its own place, so that it can be pointed at once all links are known. */
static int remember_ports(LinkBuild *lb, const Node *node) {
        ParseScope scope = {
                .arena = &lb->build->network->arena,
                .netns = lb->link->netns->name,
        };

        for (const Node *child = node->first; child; child = child->next) {
                Value value = {};
                int r = attr_local_links.parse(schema_row(&link_schema, LINK_PORTS), &scope,
                                               child->text, &value);

                if (r == 0 && value.ref.link)
                        r = add_port(lb->build, lb->link, value.ref, child->at);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int build_common(LinkBuild *lb, int row, const Node *node) {
        Link *link = lb->link;
        int r;

        if (!common_row_fits(lb, (LinkRow)row, node)) {
                lb->common |= ROW_BIT(row);
                return 0;
        }
        r = build_row(lb->build, &link->common, (size_t)row, link->netns->name, node);
        if (r > 0)
                lb->common |= ROW_BIT(row);
        if (r == 0 && row == LINK_PORTS && attrset_has(&link->common, LINK_PORTS))
                r = remember_ports(lb, node);
        return MIN(r, 0);
}

static int build_match(LinkBuild *lb, const Node *node) {
        Link *link = lb->link;

        if (!link_kind_is(link->kind, KIND_FOREIGN)) {
                not_a_key(lb, node, "", KIND_FOREIGN);
                return 0;
        }
        if (!node_expect(lb->build, node, NODE_MAP, "{mac: 02:00:00:00:00:01}"))
                return 0;
        if (attrset_init(&link->match, &match_schema, &lb->build->network->arena) < 0)
                return -ENOMEM;
        return build_rows(lb->build, &link->match, link->netns->name, node);
}

static int build_port(LinkBuild *lb, const Schema *schema, const Node *node) {
        PortSection *section = arena_new(&lb->build->network->arena, PortSection);
        Link *link = lb->link;

        if (!section)
                return -ENOMEM;
        if (!node_expect(lb->build, node, NODE_MAP, "{KEY: VALUE}"))
                return 0;
        if (link->port.schema) {
                build_problem(lb->build, node->key_at, "a link has one master: '%s' is there, too",
                              link->port.schema->name);
                return 0;
        }
        if (link_set_port(link, schema) < 0)
                return -ENOMEM;
        *section = (PortSection){.next = lb->build->sections, .link = link, .at = node->key_at};
        lb->build->sections = section;
        return build_rows(lb->build, &link->port, link->netns->name, node);
}

static int build_vlans(LinkBuild *lb, const Node *node) {
        Link *link = lb->link;

        if (link_set_vlans(link) < 0)
                return -ENOMEM;
        return MIN(build_row(lb->build, &link->vlans, 0, link->netns->name, node), 0);
}

static int build_link_key(LinkBuild *lb, const Node *node) {
        const ObjectType *type = object_type_find(node->key, OBJECT_ON_LINK);
        const Schema *port = link_kind_port_schema(node->key);
        const LinkKind *kind = lb->link->kind;
        int row = schema_find(&link_schema, node->key), r;

        if (row >= 0)
                return build_common(lb, row, node);
        if (type && type->only && type->only != kind) {
                if (!lb->kind_wrong)
                        link_key_unknown(lb->build, kind, node);
                return 0;
        }
        if (type)
                return build_objects(lb->build, lb->link->netns, lb->link, type, node);
        if (node_is_null(node))
                return 0;
        if (streq(node->key, vlans_schema.name))
                return build_vlans(lb, node);
        if (port)
                return build_port(lb, port, node);
        row = kind ? schema_find(&kind->options, node->key) : -1;
        if (row >= 0) {
                r = build_row(lb->build, &lb->link->options, (size_t)row, lb->link->netns->name,
                              node);
                if (r > 0)
                        lb->options |= ROW_BIT(row);
                return MIN(r, 0);
        }
        if (streq(node->key, "match") && !lb->kind_wrong)
                return build_match(lb, node);
        if (!lb->kind_wrong)
                link_key_unknown(lb->build, kind, node);
        return 0;
}

static int build_kind(LinkBuild *lb, const Node *node) {
        Build *build = lb->build;
        size_t mark = path_push(build, "kind");
        const LinkKind *kind = NULL;
        int r = 0;

        if (!node_expect(build, node, NODE_SCALAR, NULL)) {
                lb->kind_wrong = true;
        } else {
                kind = link_kind_find(node->text);
                lb->kind_wrong = !kind;
                if (kind)
                        r = link_set_kind(lb->link, kind);
                else
                        kind_unknown(build, node);
        }
        path_pop(build, mark);
        return r;
}

static void require_parent(LinkBuild *lb) {
        const Link *link = lb->link;

        if (!link_kind_is(link->kind, KIND_PARENT))
                return;
        if (link_ref(link, LINK_PARENT) || (lb->common & ROW_BIT(LINK_PARENT)))
                return;
        build_problem(lb->build, link->at, "%s needs 'parent': the link it is on",
                      link->kind->name);
}

/* A key that stands for others: `key` for `ikey` and `okey`. */
static int expand_row(LinkBuild *lb, size_t i) {
        AttrSet *options = &lb->link->options;
        const Row *row = schema_row(options->schema, i);

        for (const char *const *key = row->both; *key; key++) {
                size_t at = (size_t)schema_find(options->schema, *key);
                bool has = attrset_has(options, at);
                int r = 0;

                if (has && !value_equal(row, &options->values[i], &options->values[at])) {
                        size_t mark = path_push(lb->build, *key);

                        build_problem(lb->build, attrset_at(options, at), "contradicts '%s'",
                                      row->key);
                        path_pop(lb->build, mark);
                } else if (!has) {
                        r = attrset_set_at(&lb->build->network->arena, options, at,
                                           options->values[i], attrset_at(options, i));
                }
                if (r < 0)
                        return r;
        }
        options->present &= ~ROW_BIT(i);
        return 0;
}

static int expand_rows(LinkBuild *lb) {
        RowSet present = lb->link->options.present;
        size_t i;
        int r = 0;

        ROWSET_FOREACH(i, present)
                if (r == 0 && schema_row(lb->link->options.schema, i)->both)
                        r = expand_row(lb, i);
        return r;
}

static int build_link_keys(LinkBuild *lb, const Node *node) {
        const Node *kind = node_get(node, "kind");
        int r = node_is_null(kind) ? 0 : build_kind(lb, kind);

        for (const Node *child = node->first; child && r == 0; child = child->next) {
                size_t mark;

                if (child == kind)
                        continue;
                mark = path_push(lb->build, child->key);
                r = build_link_key(lb, child);
                path_pop(lb->build, mark);
        }
        if (r < 0 || !lb->link->kind)
                return r;
        require_parent(lb);
        r = expand_rows(lb);
        if (r < 0)
                return r;
        build_require(lb->build, &lb->link->options, lb->options, lb->link->at);
        return 0;
}

int build_link(Build *build, Namespace *netns, const Node *node) {
        const char *problem = link_name_problem(node->key);
        LinkBuild lb = {.build = build};

        if (node_is_null(node))
                return 0;
        if (problem)
                build_problem(build, node->key_at, "the name '%s' %s", node->key, problem);
        if (problem && strpbrk(node->key, ":{["))
                report_hint(build->report, "a space belongs behind the ':' that ends a key");
        if (!node_expect(build, node, NODE_MAP, "{} if there is nothing to say"))
                return 0;
        lb.link = namespace_add_link(netns, node->key);
        if (!lb.link)
                return -ENOMEM;
        lb.link->at = node->key_at;
        return build_link_keys(&lb, node);
}

/* Ports. */

static int invert_port(Build *build, const PortEntry *entry) {
        Link *port = network_find_link(build->network, &entry->port);
        Ref master = link_self(entry->master);
        const Ref *said;

        if (!streq(entry->port.netns, entry->master->netns->name)) {
                build_problem(build, entry->at, "a port lives in its master's namespace, '%s'",
                              entry->master->netns->name);
                return 0;
        }
        if (!port) {
                _cleanup_(buf_deinit) Buf name = {};

                ref_path(&entry->port, &name);
                build_problem(build, entry->at, "'%s' is not declared", buf_text(&name));
                report_hint(build->report, "one line among the interfaces does it: '%s: {}'",
                            entry->port.link);
                return 0;
        }
        said = link_ref(port, LINK_MASTER);
        if (attrset_has(&port->common, LINK_MASTER) && !(said && ref_equal(said, &master))) {
                _cleanup_(buf_deinit) Buf where = {};

                location_format(attrset_at(&port->common, LINK_MASTER), &where);
                build_problem(build, entry->at, "'%s' has another master: %s (%s)", port->name,
                              said ? said->link : "none", buf_text(&where));
                return 0;
        }
        if (said)
                return 0;
        return attrset_set_at(&build->network->arena, &port->common, LINK_MASTER,
                              (Value){.ref = master}, entry->at);
}

/* Of a master that somebody else makes nobody knows the kind. */
static void check_section(Build *build, const PortSection *section) {
        const Schema *schema = section->link->port.schema;
        const Link *master = link_master(section->link);

        if (!link_ref(section->link, LINK_MASTER))
                build_problem(build, section->at, "is for ports: this link has no 'master'");
        else if (master && link_kind_is(master->kind, KIND_MASTER) &&
                 !streq_ptr(master->kind->port.name, schema->name))
                build_problem(build, section->at, "is not for ports of a %s, as '%s' is",
                              master->kind->name, master->name);
}

int build_ports(Build *build) {
        int r = 0;

        for (const PortEntry *entry = build->ports; entry && r == 0; entry = entry->next) {
                link_config_path(entry->master, "ports", &build->path);
                r = invert_port(build, entry);
                path_pop(build, 0);
        }
        for (const PortSection *section = build->sections; section; section = section->next) {
                link_config_path(section->link, section->link->port.schema->name, &build->path);
                check_section(build, section);
                path_pop(build, 0);
        }
        return r;
}
