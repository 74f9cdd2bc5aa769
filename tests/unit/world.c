/* SPDX-License-Identifier: MIT */
/* Wanted Networks and plans by hand, for tests that have neither a loader nor a planner. */

#include "world.h"

#include "mvnet/vlans.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

/* Networks by hand. */

Namespace *space_of(Network *network, const char *name) {
        Namespace *netns = network_find_namespace(network, name);

        if (!netns)
                netns = network_add_namespace(network, name, NETNS_NAMED);
        assert_non_null(netns);
        return netns;
}

static Link *want_in(Network *network, const char *netns, const char *name, const char *kind) {
        Link *link = namespace_add_link(space_of(network, netns), name);

        assert_non_null(link);
        if (kind) {
                assert_non_null(link_kind_find(kind));
                assert_int_equal(link_set_kind(link, link_kind_find(kind)), 0);
        }
        return link;
}

Link *want(World *world, const char *netns, const char *name, const char *kind) {
        return want_in(world->wanted, netns, name, kind);
}

bool set_in(AttrSet *set, const char *netns, const char *key, const char *text,
                   Arena *arena) {
        ParseScope scope = {.arena = arena, .netns = netns};
        int row = set->schema ? schema_find(set->schema, key) : -1;
        Value value = {};

        if (row < 0)
                return false;
        if (value_parse(schema_row(set->schema, (size_t)row), &scope, text, &value) != 0)
                fail_msg("%s: %s: %s", key, text, scope.reason);
        attrset_set(set, (size_t)row, value);
        return true;
}

Link *set(Link *link, const char *key, const char *text) {
        Arena *arena = &link->netns->network->arena;

        if (!set_in(&link->options, link->netns->name, key, text, arena) &&
            !set_in(&link->common, link->netns->name, key, text, arena))
                fail_msg("no row %s", key);
        return link;
}

void set_port(Link *link, const char *key, const char *text) {
        if (!link->port.schema)
                assert_int_equal(link_set_port(link, &link_kind_find("bridge")->port), 0);
        assert_true(set_in(&link->port, link->netns->name, key, text,
                           &link->netns->network->arena));
}

/* Keys and values in turn, then NULL. */
static Object *with(Object *object, Arena *arena, va_list ap) {
        const char *key;

        assert_non_null(object);
        while ((key = va_arg(ap, const char *)))
                assert_true(set_in(&object->set, HOST, key, va_arg(ap, const char *), arena));
        return object;
}

Object *put_on(Link *link, const ObjectType *type, ...) {
        Object *object = link_add_object(link, type);
        va_list ap;

        va_start(ap, type);
        with(object, &link->netns->network->arena, ap);
        va_end(ap);
        return object;
}

Object *put_in(Namespace *netns, const ObjectType *type, ...) {
        Object *object = namespace_add_object(netns, type);
        va_list ap;

        va_start(ap, type);
        with(object, &netns->network->arena, ap);
        va_end(ap);
        return object;
}

/* Plans by hand. */

Op *add_op(World *world, OpType type, const char *netns, const char *name) {
        Op *op = &world->ops[world->n++];

        assert_true(world->n < OPS_MAX);
        *op = (Op){.type = type, .netns = netns, .name = name};
        return op;
}

static Op *add_link_op(World *world, OpType type, Link *link) {
        Op *op = add_op(world, type, link->netns->name, link->name);

        op->link = link;
        return op;
}

static RowSet rows_in(const AttrSet *set, bool create) {
        RowSet rows = 0;
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const Row *row = schema_row(set->schema, i);

                if (!(row->flags & ROW_LOCAL) && (row->phase == PHASE_CREATE) == create)
                        rows |= ROW_BIT(i);
        }
        return rows;
}

/* What is said as a link of that kind is made. */
static RowSet rows_by(const AttrSet *set, const LinkKind *kind, RowSet rows) {
        RowSet those = 0;
        size_t i;

        ROWSET_FOREACH(i, rows)
                if (schema_row(set->schema, i)->transport == kind->transport)
                        those |= ROW_BIT(i);
        return those;
}

void add_set(World *world, Link *link, Section section, RowSet rows) {
        Op *op;

        if (!rows)
                return;
        op = add_link_op(world, OP_LINK_SET, link);
        op->section = section;
        op->rows[section] = rows;
}

RowSet row_bit(const AttrSet *set, const char *key) {
        int row = schema_find(set->schema, key);

        assert_true(row >= 0);
        return ROW_BIT(row);
}

void plan_objects(World *world, Link *link, Namespace *netns, Object *object) {
        for (; object; object = object->next) {
                bool sysctl = object->type->transport == TRANSPORT_SYSCTL;
                Op *op = add_op(world, sysctl ? OP_OBJECT_SET : OP_OBJECT_ADD, netns->name,
                                link ? link->name : netns->name);

                op->link = link;
                op->object = object;
                op->object_rows = object->set.present;
        }
}

Op *plan_link(World *world, Link *link, Link *peer) {
        Op *op = add_link_op(world, OP_LINK_ADD, link);
        AttrSet *parts[] = {&link->common, &link->options, &link->port};

        op->rows[SECTION_COMMON] = rows_in(&link->common, true);
        op->rows[SECTION_OPTIONS] = rows_by(&link->options, link->kind, rows_in(&link->options, true));
        op->peer = peer;
        if (peer)
                op->peer_rows = rows_in(&peer->common, true);
        for (size_t section = 0; section < ELEMENTSOF(parts); section++) {
                bool port = section == SECTION_PORT;
                RowSet late = parts[section]->schema ? rows_in(parts[section], false) : 0;
                size_t i;

                if (section == SECTION_OPTIONS && parts[section]->schema)
                        late |= rows_in(parts[section], true) & ~op->rows[SECTION_OPTIONS];
                if (port && parts[section]->schema)
                        late |= rows_in(parts[section], true);
                ROWSET_FOREACH(i, late)
                        add_set(world, link, (Section)section, ROW_BIT(i));
        }
        return op;
}

void apply(World *world) {
        const Op *ops[OPS_MAX];

        for (size_t i = 0; i < world->n; i++)
                ops[i] = &world->ops[i];
        memset(world->results, 0xff, sizeof(world->results));
        assert_int_equal(kernel_apply(world->kernel, ops, world->n, world->results), 0);
}

void apply_all(World *world) {
        apply(world);
        for (size_t i = 0; i < world->n; i++) {
                OpResult *result = &world->results[i];

                if (result->error || !result->done)
                        fail_msg("op %zu (type %d, %s/%s): %s: %s, row %s", i, world->ops[i].type,
                                 world->ops[i].netns, world->ops[i].name,
                                 strerror(-result->error), result->message,
                                 result->row ? result->row->key : "-");
        }
        world->n = 0;
}

/* The result of the only operation. */
OpResult apply_one(World *world) {
        assert_int_equal(world->n, 1);
        apply(world);
        world->n = 0;
        assert_true(world->results[0].done);
        return world->results[0];
}

void make_space(World *world, const char *name) {
        space_of(world->wanted, name);
        add_op(world, OP_NETNS_ADD, name, name);
        apply_all(world);
}

void make(World *world, Link *link, Link *peer) {
        plan_link(world, link, peer);
        plan_objects(world, link, link->netns, link->objects);
        apply_all(world);
}

void look(World *world) {
        uint64_t writes = world->kernel->writes;

        world->have = network_free(world->have);
        assert_int_equal(kernel_dump(world->kernel, world->wanted, &world->have), 0);
        assert_int_equal(world->kernel->writes, writes);
}

Link *seen(World *world, const char *path) {
        Link *link = network_find_path(world->have, path);

        if (!link)
                fail_msg("%s is not there", path);
        return link;
}

static void assert_shown(const AttrSet *wanted, const AttrSet *have, const char *what) {
        RowSet unknown = 0, rows;
        size_t i;

        if (!wanted->present)
                return;
        assert_non_null(have->schema);
        rows = attrset_diff(wanted, have, true, &unknown);
        ROWSET_FOREACH(i, rows | unknown) {
                const Row *row = schema_row(wanted->schema, i);
                Buf a = {}, b = {};

                value_format(row, &wanted->values[i], &a);
                if (attrset_has(have, i))
                        value_format(row, &have->values[i], &b);
                fail_msg("%s: %s: wanted %s, have %s", what, row->key, buf_text(&a), buf_text(&b));
        }
}

static void assert_objects(Object *wanted, Object *have, const char *what) {
        for (; wanted; wanted = wanted->next) {
                Object *found = object_find(have, wanted);
                Buf key = {};

                object_key(wanted, &key);
                if (!found)
                        fail_msg("%s: %s %s is not there", what, wanted->type->schema.name,
                                 buf_text(&key));
                assert_shown(&wanted->set, &found->set, buf_text(&key));
                buf_deinit(&key);
        }
}

/* Everything that is wanted is there, in one dump. */
void assert_converged(World *world) {
        look(world);
        for (Namespace *netns = world->wanted->namespaces; netns; netns = netns->hh.next) {
                Namespace *there = network_find_namespace(world->have, netns->name);

                assert_non_null(there);
                assert_true(there->exists);
                assert_objects(netns->objects, there->objects, netns->name);
                for (Link *link = netns->links; link; link = link->hh.next) {
                        Link *found = namespace_find_link(there, link->name);

                        if (!found)
                                fail_msg("%s/%s is not there", netns->name, link->name);
                        assert_ptr_equal(found->kind, link->kind);
                        assert_shown(&link->common, &found->common, link->name);
                        assert_shown(&link->options, &found->options, link->name);
                        assert_shown(&link->port, &found->port, link->name);
                        assert_shown(&link->vlans, &found->vlans, link->name);
                        assert_objects(link->objects, found->objects, link->name);
                }
        }
}

const Ref *ref_in(const AttrSet *set, const char *key) {
        const Value *value = attrset_get(set, key);

        assert_non_null(value);
        assert_false(value->unresolved);
        return &value->ref;
}

void assert_ref(const Ref *ref, const char *netns, const char *link) {
        assert_string_equal(ref->netns, netns);
        assert_string_equal(ref->link, link);
}

int run(const char *format, ...) {
        char command[1024];
        va_list ap;
        int status;

        va_start(ap, format);
        assert_true(vsnprintf(command, sizeof(command), format, ap) < (int)sizeof(command));
        va_end(ap);
        status = system(command);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int world_setup(void **state) {
        World *world = calloc(1, sizeof(World));

        assert_non_null(world);
        assert_int_equal(kernel_new(RUN, &world->kernel), 0);
        assert_int_equal(network_new(&world->wanted), 0);
        *state = world;
        return 0;
}

/* Leaves the namespace as it was found, so that no test depends on another. */
int world_teardown(void **state) {
        World *world = *state;

        run("for n in $(ls " RUN " 2>/dev/null); do ip netns del $n 2>/dev/null || "
            "rm -f " RUN "/$n; done;"
            "for l in $(ls /sys/class/net); do ip link del dev $l 2>/dev/null; done;"
            "ip link set lo up");
        kernel_free(world->kernel);
        network_free(world->wanted);
        network_free(world->have);
        free(world);
        return 0;
}

void set_vlans(Link *link, const char *text) {
        assert_int_equal(link_set_vlans(link), 0);
        assert_true(set_in(&link->vlans, link->netns->name, "vlans", text,
                           &link->netns->network->arena));
}

void assert_vlans(World *world, const char *name, const char *expected) {
        const AttrSet *vlans = &seen(world, name)->vlans;
        _cleanup_(buf_deinit) Buf text = {};

        assert_true(vlans->present);
        value_format(schema_row(&vlans_schema, 0), &vlans->values[0], &text);
        assert_string_equal(buf_text(&text), expected);
}

bool lacks_filtering(void) {
        if (run("ip link add dev tryfilter type bridge vlan_filtering 1 2>/dev/null && "
                "ip link del dev tryfilter") == 0)
                return false;
        print_message("SKIPPED: no VLAN filtering in this kernel\n");
        return true;
}

bool world_enter(void) {
        return unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
               mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
               mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 &&
               mount("sysfs", "/sys", "sysfs", 0, NULL) == 0 &&
               mkdir(RUN, 0755) == 0 && system("ip link set lo up") == 0;
}

