/* SPDX-License-Identifier: MIT */
/*
 * Random files against a fake kernel: whatever is there, a few rounds lead to what is wanted and no
 * further, nothing is used before it is there, what is somebody else's stays, and undoing leads
 * back. A failure prints the seed; MVNET_SEED and MVNET_ROUNDS repeat it, MVNET_LOUD shows it.
 */

#include "random-network.h"
#include "settling.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS_DEFAULT 280
#define SETTLES_WITHIN 4

/* A case. */

typedef struct Case {
        uint64_t seed;
        Random random;
        Settling settling;
        Buf files;   /* all that were wanted, for the report */
        Buf problem; /* empty: fine */
} Case;

typedef void CaseTest(Case *one);

#define problem(one, ...) buf_printf(&(one)->problem, __VA_ARGS__)

static bool is_fine(const Case *one) {
        return one->problem.size == 0;
}

static void add_nic(Case *one, const char *name, uint8_t number) {
        Network *world = kernel_fake_state(one->settling.fake);
        Link *link = namespace_add_link(network_find_namespace(world, HOST), name);
        Value mac = {.bytes = {0x52, 0x54, 0, 0, 0, number}};

        assert_non_null(link);
        attrset_set(&link->common, LINK_MAC, mac);
        memcpy(link->permanent_mac, mac.bytes, 6);
        link->has_permanent_mac = true;
        link->driver = "virtio_net";
}

/* A file that loads; most do, the others break a rule of their kind's own. */
static Network *random_wanted(Case *one, bool absent) {
        const RandomShape shape = {.namespaces = 3, .links = 12, .absent = absent};

        for (unsigned tries = 0; tries < 100; tries++) {
                _cleanup_(buf_deinit) Buf text = {}, problems = {};
                Network *network;

                random_network(&one->random, &shape, &text);
                assert_int_equal(buf_error(&text), 0);
                network = settling_load(buf_text(&text), &problems);
                if (!network)
                        continue;
                buf_printf(&one->files, "--- wanted\n%s", buf_text(&text));
                return network;
        }
        fail_msg("no random file loads any more");
        return NULL;
}

static void run_case(CaseTest *test, uint64_t seed) {
        Case one = {.seed = seed, .random = {seed}};

        settling_init(&one.settling);
        add_nic(&one, RANDOM_NIC_0, 1);
        add_nic(&one, RANDOM_NIC_1, 2);
        test(&one);
        if (!is_fine(&one)) {
                /* Not print_error(), which ends after some lines. */
                fprintf(stderr, "%s%srefused:\n%s\n%sMVNET_SEED=%llu MVNET_ROUNDS=1\n",
                        buf_text(&one.files), buf_text(&one.problem), buf_text(&one.settling.log),
                        buf_text(&one.problem), (unsigned long long)seed);
                fail();
        }
        settling_deinit(&one.settling);
        buf_deinit(&one.files);
        buf_deinit(&one.problem);
}

static void run_cases(CaseTest *test) {
        uint64_t seed = random_seed(1000);
        size_t rounds = random_rounds(ROUNDS_DEFAULT);

        for (size_t i = 0; i < rounds; i++)
                run_case(test, seed + i);
}

/* What is checked. */

/* Whether nothing that the link needs is the NIC that is not there. */
static bool can_exist(const Link *link) {
        const Link *lower = link_lower(link);

        if (!lower)
                return !link_is_physical(link) || !streq(link->name, RANDOM_NIC_ABSENT);
        return can_exist(lower);
}

static void check_rows(Case *one, const Link *link, const AttrSet *wanted, const AttrSet *have,
                       RowSet except) {
        RowSet unknown = 0, rows;
        size_t i;

        if (!wanted->schema)
                return;
        rows = attrset_diff(wanted, have, !link_is_physical(link), &unknown) & ~except;
        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(wanted->schema, i);

                problem(one, "%s/%s: %s is ", link->netns->name, link->name, row->key);
                value_format(row, &have->values[i], &one->problem);
                problem(one, ", wanted ");
                value_format(row, &wanted->values[i], &one->problem);
                problem(one, "\n");
        }
        ROWSET_FOREACH(i, unknown)
                if (schema_row(wanted->schema, i)->flags & ROW_WRITE_ONLY)
                        unknown &= ~ROW_BIT(i);
        if (unknown & ~except & ~wanted->implied)
                problem(one, "%s/%s: %s rows %#llx are not reported\n", link->netns->name,
                        link->name, wanted->schema->name, (unsigned long long)unknown);
}

static void check_parent(Case *one, const Link *wanted, const Link *have) {
        const Link *lower = link_real_lower(wanted), *there = link_lower(have);

        if (!link_kind_is(wanted->kind, KIND_PARENT))
                return;
        if (!lower || !there || !streq(lower->name, there->name) ||
            !streq(lower->netns->name, there->netns->name))
                problem(one, "%s/%s: is on %s\n", wanted->netns->name, wanted->name,
                        there ? there->name : "nothing");
}

static bool is_up(const Namespace *netns, const Ref *ref) {
        const Link *link = ref->link ? namespace_find_link(netns, ref->link) : NULL;

        return !ref->link || (link && link_state(link) == LINK_STATE_UP);
}

/* Whether the links that it names are up: else it waits for them. */
static bool can_be_there(const Object *wanted, const Namespace *netns) {
        bool fine = true;
        size_t i;

        ROWSET_FOREACH(i, wanted->set.present) {
                const Row *row = schema_row(wanted->set.schema, i);
                const Value *value = &wanted->set.values[i];

                if (row->type->is_ref && !(row->flags & ROW_LOCAL))
                        fine &= is_up(netns, &value->ref);
                for (size_t j = 0; row->type->ref_in && j < value->list.n; j++)
                        fine &= is_up(netns, &row->type->ref_in(&value->list.items[j])->ref);
        }
        return fine;
}

/* `netns`: as it is, of what is that one's. */
static void check_objects(Case *one, const char *where, const Object *wanted, Object *have,
                          const Namespace *netns) {
        for (; wanted; wanted = wanted->next) {
                const Object *there = object_find(have, wanted);
                _cleanup_(buf_deinit) Buf key = {};

                if (netns && !can_be_there(wanted, netns))
                        continue;
                object_key(wanted, &key);
                if (!there)
                        problem(one, "%s: no %s %s\n", where, wanted->type->schema.name,
                                buf_text(&key));
                else if (attrset_diff(&wanted->set, &there->set, true, NULL))
                        problem(one, "%s: %s %s differs\n", where, wanted->type->schema.name,
                                buf_text(&key));
        }
}

static void check_link(Case *one, const Link *wanted, const Namespace *netns) {
        const Link *have = namespace_find_link(netns, wanted->name);
        bool is_kind = !link_is_physical(wanted);
        RowSet lent = 0;

        /* What was there under that name before may stay until there is something better. */
        if (!can_exist(wanted))
                return;
        if (!have || (is_kind && have->kind != wanted->kind)) {
                problem(one, "%s/%s: is %s\n", wanted->netns->name, wanted->name,
                        have ? "something else" : "not there");
                return;
        }
        /* What its master lends it. */
        if (link_master(have) && link_kind_is(link_master(have)->kind, KIND_PORTS_DOWN))
                lent = wanted->common.implied & ROW_BIT(LINK_MAC);
        check_rows(one, wanted, &wanted->common, &have->common, ROW_BIT(LINK_PARENT) | lent);
        check_parent(one, wanted, have);
        if (is_kind)
                check_rows(one, wanted, &wanted->options, &have->options, 0);
        check_rows(one, wanted, &wanted->port, &have->port, 0);
        check_rows(one, wanted, &wanted->vlans, &have->vlans, 0);
        check_objects(one, wanted->name, wanted->objects, have->objects, NULL);
}

/* Everything that is wanted and possible is so, and the plan agrees that nothing is left. */
static void check_settled(Case *one, const Network *wanted) {
        _cleanup_(network_freep) Network *have = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;

        assert_int_equal(settle_plan(one->settling.fake, wanted, store_record(one->settling.store),
                                     &have, &plan), 0);
        for (const Namespace *netns = wanted->namespaces; netns; netns = netns->hh.next) {
                const Namespace *there = network_find_namespace(have, netns->name);

                if (!there || !there->exists) {
                        problem(one, "no namespace %s\n", netns->name);
                        continue;
                }
                check_objects(one, netns->name, netns->objects, there->objects, there);
                for (const Link *link = netns->links; link; link = link->hh.next)
                        check_link(one, link, there);
        }
        if (!plan_is_empty(plan) || plan->n_ops > 0) {
                problem(one, "the plan is not empty:\n");
                plan_format(plan, 0, &one->problem);
        }
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->verdict == VERDICT_CONFLICT ||
                    plan->items[i]->verdict == VERDICT_FAILED)
                        problem(one, "%s: %s, %s\n", plan->items[i]->path,
                                verdict_name(plan->items[i]->verdict), plan->items[i]->reason);
}

/* Settles without a single refusal: what is used is there, what is asked for is possible. */
static void settle_case(Case *one, const Network *wanted) {
        size_t rounds = settling_run(&one->settling, wanted);

        if (one->settling.refused)
                problem(one, "%zu operations were refused\n", one->settling.refused);
        if (rounds > SETTLES_WITHIN)
                problem(one, "took %zu rounds\n", rounds);
        check_settled(one, wanted);
}

static void check_same(Case *one, const Buf *before, const Buf *after) {
        const char *a = buf_text(before), *b = buf_text(after);

        while (*a || *b) {
                size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");
                int order = !*a ? 1 : !*b ? -1 : strncmp(a, b, MAX(na, nb) + 1);

                if (order < 0)
                        problem(one, "- %.*s\n", (int)na, a);
                if (order > 0)
                        problem(one, "+ %.*s\n", (int)nb, b);
                a += order <= 0 ? na + (a[na] != '\0') : 0;
                b += order >= 0 ? nb + (b[nb] != '\0') : 0;
        }
}

static void check_same_as(Case *one, const Buf *before, const Buf *brief) {
        _cleanup_(buf_deinit) Buf after = {};

        settling_snapshot(&one->settling, brief, &after);
        check_same(one, before, &after);
        if (store_record(one->settling.store)->entries)
                problem(one, "%s is still in the record\n",
                        store_record(one->settling.store)->entries->path);
}

static void check_back_to(Case *one, const Buf *before) {
        _cleanup_(network_freep) Network *nothing = settling_load("interfaces: {}\n", NULL);

        settle_case(one, nothing);
        check_same_as(one, before, NULL);
}

/* The properties. */

static void settles(Case *one) {
        _cleanup_(network_freep) Network *wanted = random_wanted(one, true);

        settle_case(one, wanted);
        if (is_fine(one) && (settling_run(&one->settling, wanted) || one->settling.sent))
                problem(one, "sends %zu operations again\n", one->settling.sent);
}

static void test_settles(_unused_ void **state) {
        run_cases(settles);
}

static void settles_from_another(Case *one) {
        _cleanup_(network_freep) Network *first = random_wanted(one, true);
        _cleanup_(network_freep) Network *second = random_wanted(one, false);

        settle_case(one, first);
        if (is_fine(one))
                settle_case(one, second);
}

static void test_settles_from_another(_unused_ void **state) {
        run_cases(settles_from_another);
}

static void undoes(Case *one) {
        _cleanup_(network_freep) Network *first = random_wanted(one, true);
        _cleanup_(network_freep) Network *second = random_wanted(one, false);
        _cleanup_(buf_deinit) Buf before = {};

        settling_snapshot(&one->settling, NULL, &before);
        settle_case(one, first);
        if (is_fine(one) && random_chance(&one->random, 50))
                settle_case(one, second);
        if (is_fine(one))
                check_back_to(one, &before);
}

static void test_undoes(_unused_ void **state) {
        run_cases(undoes);
}

/* Others. */

/*
 * Nothing of somebody else's is deleted or made anew, whatever is wanted, and what has nothing to
 * do with what is wanted stays as it was. (Links that are connected do change each other: a new MTU
 * of the parent's does not ask whose the children are.)
 */
static void respects_others(Case *one) {
        _cleanup_(network_freep) Network *nothing = settling_load("interfaces: {}\n", NULL);
        _cleanup_(network_freep) Network *theirs = random_wanted(one, false);
        _cleanup_(network_freep) Network *ours = random_wanted(one, false);
        _cleanup_(buf_deinit) Buf before = {}, touched = {};
        Settling other;

        settling_init_beside(&other, &one->settling);
        settling_run(&other, theirs);
        settling_disown(&other);
        settling_deinit(&other);
        settling_touched(&one->settling, ours, &touched);
        settling_snapshot(&one->settling, &touched, &before);
        settling_run(&one->settling, ours);
        settle_case(one, nothing);
        check_same_as(one, &before, &touched);
}

static void test_respects_others(_unused_ void **state) {
        run_cases(respects_others);
}

/* Accidents. */

static Link *random_link(Case *one) {
        const Network *world = kernel_fake_state(one->settling.fake);
        size_t n = 0;

        for (Namespace *netns = world->namespaces; netns; netns = netns->hh.next)
                n += HASH_COUNT(netns->links);
        n = random_below(&one->random, n);
        for (Namespace *netns = world->namespaces; netns; netns = netns->hh.next)
                for (Link *link = netns->links; link; link = link->hh.next)
                        if (n-- == 0)
                                return link;
        return NULL;
}

static void meddle_with_rows(Case *one, Link *link, Op *op) {
        static const LinkRow rows[] = {LINK_STATE, LINK_MTU, LINK_MASTER, LINK_ALIAS, LINK_GROUP};
        static const Value values[] = {
                {.number = LINK_STATE_DOWN}, {.number = 1290}, {}, {.text = "meddled"}, {.number = 7},
        };
        size_t i = random_below(&one->random, ELEMENTSOF(rows));

        op->type = OP_LINK_SET;
        op->section = SECTION_COMMON;
        op->rows[SECTION_COMMON] = ROW_BIT(rows[i]);
        attrset_set(&link->common, rows[i], values[i]);
}

static const Object *random_object(Case *one, const Object *list) {
        size_t n = 0;

        for (const Object *object = list; object; object = object->next)
                n += object->type->transport != TRANSPORT_SYSCTL;
        n = n ? random_below(&one->random, n) : 0;
        for (; list; list = list->next)
                if (list->type->transport != TRANSPORT_SYSCTL && n-- == 0)
                        return list;
        return NULL;
}

static void do_meddle(const Case *one, const Op *op) {
        OpResult result;

        assert_int_equal(kernel_apply(one->settling.fake, &op, 1, &result), 0);
        if (one->settling.loud)
                print_message("    meddled %d with %s/%s: %d\n", (int)op->type, op->netns, op->name,
                              result.error);
}

/* What lived on it, or left by it, does not come back by itself. */
static void flap(const Case *one, Link *changed) {
        Op op = {.type = OP_LINK_SET, .netns = changed->netns->name, .name = changed->name,
                 .link = changed, .rows[SECTION_COMMON] = ROW_BIT(LINK_STATE)};
        LinkState before = link_state(changed);

        for (unsigned i = 0; before == LINK_STATE_UP && i < 2; i++) {
                attrset_set(&changed->common, LINK_STATE,
                            (Value){.number = i ? LINK_STATE_UP : LINK_STATE_DOWN});
                do_meddle(one, &op);
        }
}

/* Deletes, changes, flaps or strips a link, as anybody could with `ip`. */
static void meddle(Case *one) {
        Link *link = random_link(one), changed = *link;
        Op op = {.netns = link->netns->name, .name = link->name, .link = &changed};
        Value values[ROWS_MAX];

        memcpy(values, link->common.values, schema_size(&link_schema) * sizeof(Value));
        changed.common.values = values;
        switch (random_below(&one->random, 6)) {
        case 5:
                flap(one, &changed);
                return;
        case 4:
                op.type = OP_OBJECT_DEL;
                op.name = op.netns;
                op.link = NULL;
                op.object = random_object(one, link->netns->objects);
                if (!op.object)
                        return;
                do_meddle(one, &op);
                return;
        case 3:
                if (!link->vlans.present)
                        return;
                op.type = OP_LINK_SET;
                op.section = SECTION_VLANS;
                op.rows[SECTION_VLANS] = ROW_BIT(0);
                changed.vlans.values = values;
                values[0] = (Value){};
                break;
        case 0:
                op.type = OP_LINK_DEL;
                break;
        case 1:
                meddle_with_rows(one, &changed, &op);
                break;
        default:
                op.type = OP_OBJECT_DEL;
                op.object = random_object(one, link->objects);
                if (!op.object)
                        return;
        }
        if (!streq(link->name, "lo"))
                do_meddle(one, &op);
}

static void puts_back_what_drifts(Case *one) {
        _cleanup_(network_freep) Network *wanted = random_wanted(one, true);

        settle_case(one, wanted);
        for (unsigned i = 0; i < 3 && is_fine(one); i++) {
                for (uint64_t n = random_below(&one->random, 4); n > 0; n--)
                        meddle(one);
                settle_case(one, wanted);
        }
}

static void test_puts_back_what_drifts(_unused_ void **state) {
        run_cases(puts_back_what_drifts);
}

/* One request fails, or does nothing; whatever followed from that is made good. */
static void survives_failures(Case *one) {
        static const int errors[] = {-EBUSY, -ENOBUFS, 0};
        _cleanup_(network_freep) Network *wanted = random_wanted(one, true);
        size_t n = 1 + random_below(&one->random, 30);

        kernel_fake_fail(one->settling.fake, n,
                         errors[random_below(&one->random, ELEMENTSOF(errors))]);
        settling_run(&one->settling, wanted);
        kernel_fake_fail(one->settling.fake, 0, 0);
        settle_case(one, wanted);
}

static void test_survives_failures(_unused_ void **state) {
        run_cases(survives_failures);
}

static void survives_crashes(Case *one) {
        _cleanup_(network_freep) Network *first = random_wanted(one, true);
        _cleanup_(network_freep) Network *second = random_wanted(one, false);
        _cleanup_(buf_deinit) Buf before = {};

        settling_snapshot(&one->settling, NULL, &before);
        settling_crash(&one->settling, first, random_below(&one->random, 30));
        settle_case(one, first);
        if (is_fine(one)) {
                settling_crash(&one->settling, second, random_below(&one->random, 30));
                settle_case(one, second);
        }
        if (is_fine(one))
                check_back_to(one, &before);
}

static void test_survives_crashes(_unused_ void **state) {
        run_cases(survives_crashes);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_settles),
                cmocka_unit_test(test_settles_from_another),
                cmocka_unit_test(test_undoes),
                cmocka_unit_test(test_respects_others),
                cmocka_unit_test(test_puts_back_what_drifts),
                cmocka_unit_test(test_survives_failures),
                cmocka_unit_test(test_survives_crashes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
