/* SPDX-License-Identifier: MIT */
/*
 * What a plan is proved on has to behave as what it is for. The same is done to the fake kernel and
 * to the one that this runs on, in a namespace of its own: what is left of routes and neighbours is
 * the same then, and so is what is refused.
 */

#include "settling.h"
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LINKS                                                                                      \
        "interfaces:\n"                                                                            \
        "  one: {kind: veth, peer: two, mac: '02:00:00:00:00:01', addresses: [10.1.0.1/24, "       \
        "{address: '2001:db8:1::1/64', nodad: true}], neighbours: ["                               \
        "{to: 10.1.0.9, mac: '02:00:00:00:00:09'}, {to: 10.1.0.8, proxy: true}, "                  \
        "{to: '2001:db8:1::9', mac: '02:00:00:00:00:09'}, {to: '2001:db8:1::8', proxy: true}]}\n"  \
        "  two: {mac: '02:00:00:00:00:02', addresses: [10.2.0.1/24, 10.2.1.1/24, "                 \
        "{address: '2001:db8:2::1/64', nodad: true}]}\n"                                           \
        "  three: {kind: veth, peer: four, addresses: [10.3.0.1/24, "                              \
        "{address: '2001:db8:3::1/64', nodad: true}]}\n"                                           \
        "  four: {}\n"                                                                             \
        "routes:\n"                                                                                \
        "  - {to: 10.10.0.0/16, dev: one}\n"                                                       \
        "  - {to: 10.11.0.0/16, via: 10.1.0.254}\n"                                                \
        "  - {to: 10.11.0.0/16, via: 10.1.0.254, table: 50}\n"                                     \
        "  - {to: 10.12.0.0/16, dev: three, src: 10.2.0.1}\n"                                      \
        "  - {to: 10.12.0.0/16, dev: three, src: 10.2.0.1, table: 50}\n"                           \
        "  - {to: 10.13.0.0/16, nexthops: [{dev: one}, {dev: two}]}\n"                             \
        "  - {to: 10.14.0.0/16, nexthops: [{via: 10.1.0.254}, {via: 10.2.0.254, weight: 3}]}\n"    \
        "  - {to: 10.14.0.0/16, nexthops: [{dev: one}, {via: 10.3.0.254}], metric: 5}\n"          \
        "  - {to: 10.15.0.0/16, via: 192.0.2.1, dev: one, onlink: true}\n"                         \
        "  - {to: 10.16.0.0/16, via: 10.2.0.254}\n"                                                \
        "  - {to: 10.17.0.0/16, type: blackhole}\n"                                                \
        "  - {to: 10.18.0.0/16, via: 10.10.0.1}\n"                                                 \
        "  - {to: '2001:db8:10::/48', dev: one}\n"                                                 \
        "  - {to: '2001:db8:11::/48', via: '2001:db8:1::fe'}\n"                                    \
        "  - {to: '2001:db8:12::/48', dev: two, src: '2001:db8:2::1'}\n"                           \
        "  - {to: '2001:db8:13::/48', nexthops: [{via: '2001:db8:1::fe'}, "                        \
        "{via: '2001:db8:2::fe'}]}\n"                                                              \
        "  - {to: '2001:db8:13::/48', nexthops: [{via: '2001:db8:1::fe'}, "                        \
        "{via: '2001:db8:3::fe', weight: 2}], metric: 5}\n"                                        \
        "  - {to: '2001:db8:13::/48', nexthops: [{via: '2001:db8:1::fe'}, "                        \
        "{via: '2001:db8:2::fe'}, {via: '2001:db8:3::fe'}], metric: 6}\n"                          \
        "  - {to: '2001:db8:14::/48', type: unreachable}\n"                                        \
        "rules:\n"                                                                                 \
        "  - {priority: 100, from: 10.1.0.0/16, iif: one, table: 50}\n"

/* What is done, a word for each: VERB LINK WHAT. */
typedef struct Manner {
        const char *name;
        const char *words[6];
} Manner;

static const Manner manners[] = {
        {"nothing", {"none"}},
        {"down", {"state one down"}},
        {"down-up", {"state one down", "state one up"}},
        {"both-down", {"state one down", "state two down"}},
        {"both-down-up", {"state one down", "state two down", "state one up", "state two up"}},
        {"down-of-source", {"state two down"}},
        {"mac", {"mac one 02:00:00:00:00:77"}},
        {"arp", {"arp one false"}},
        {"mtu", {"mtu one 1200"}},
        {"mtu-and-back", {"mtu one 1200", "mtu one 1500"}},
        {"an-address", {"address two 10.2.0.1/24"}},
        {"last-address", {"address one 10.1.0.1/24"}},
        {"last-two", {"address two 10.2.0.1/24", "address two 10.2.1.1/24"}},
        {"all-addresses", {"address one 10.1.0.1/24", "address two 10.2.0.1/24",
                           "address two 10.2.1.1/24"}},
        {"ipv6-address", {"address one 2001:db8:1::1/64", "address two 2001:db8:2::1/64"}},
        {"delete", {"delete one"}},
        {"delete-other", {"delete three"}},
        {"down-and-delete", {"state one down", "delete three"}},
        {"rename", {"state one down", "rename one other", "state other up"}},
};

/* What is tried after each: the answer is what counts. */
static const char *const tried[] = {
        "to: 10.20.0.0/16, via: 10.1.0.254",
        "to: 10.20.0.0/16, via: 10.1.0.254, dev: one",
        "to: 10.20.0.0/16, via: 10.1.0.254, dev: two",
        "to: 10.20.0.0/16, via: 10.99.0.254",
        "to: 10.20.0.0/16, via: 10.10.0.7",
        "to: 10.20.0.0/16, via: 10.99.0.254, dev: one, onlink: true",
        "to: 10.20.0.0/16, dev: one",
        "to: 10.20.0.0/16, dev: three, src: 10.2.0.1",
        "to: 10.20.0.0/16, dev: three, src: 10.99.0.1",
        "to: 10.20.0.0/16, dev: three, src: 10.2.0.1, table: 50",
        "to: 10.20.0.0/16, via: 10.1.0.254, table: 50",
        "to: 10.20.0.0/16, nexthops: [{via: 10.1.0.254}, {via: 10.2.0.254}]",
        "to: 10.20.0.0/16, nexthops: [{dev: one}, {dev: three}]",
        "to: 10.20.0.0/16, type: blackhole",
        "to: 10.11.0.0/16, type: blackhole",
        "to: 10.17.0.0/16, type: blackhole",
        "to: '2001:db8:20::/48', via: '2001:db8:1::fe'",
        "to: '2001:db8:20::/48', via: '2001:db8:1::fe', dev: one",
        "to: '2001:db8:20::/48', via: '2001:db8:1::fe', dev: two",
        "to: '2001:db8:20::/48', via: '2001:db8:99::fe'",
        "to: '2001:db8:20::/48', dev: one",
        "to: '2001:db8:20::/48', dev: three, src: '2001:db8:2::1'",
        "to: '2001:db8:20::/48', dev: three, src: '2001:db8:99::1'",
        "to: '2001:db8:20::/48', nexthops: [{via: '2001:db8:1::fe'}, {via: '2001:db8:2::fe'}]",
        "to: '2001:db8:20::/48', type: blackhole",
};
static const char *const tried_neighbours[] = {
        "to: 10.1.0.7, mac: '02:00:00:00:00:07'",
        "to: 10.1.0.7, proxy: true",
        "to: '2001:db8:1::7', mac: '02:00:00:00:00:07'",
};

/* Doing. */

static Link *changed_link(Network *network, const char *name) {
        Namespace *host = network_find_namespace(network, HOST);
        Link *link = namespace_find_link(host, name);

        if (!link)
                link = namespace_add_link(host, name);
        assert_non_null(link);
        return link;
}

static int ask(Kernel *kernel, const Op *op) {
        OpResult result = {};

        assert_int_equal(kernel_apply(kernel, &op, 1, &result), 0);
        return result.error;
}

static void set_row(Kernel *kernel, Network *network, const char *name, const char *key,
                    const char *text) {
        Link *link = changed_link(network, name);
        Op op = {.type = OP_LINK_SET, .netns = HOST, .name = name, .link = link};

        assert_true(set_in(&link->common, HOST, key, text, &network->arena));
        op.rows[SECTION_COMMON] = ROW_BIT(schema_find(&link_schema, key));
        assert_int_equal(ask(kernel, &op), 0);
}

static void delete_address(Kernel *kernel, Network *network, const char *name, const char *text) {
        Link *link = changed_link(network, name);
        Object *object = put_on(link, &object_address, "address", text, NULL);
        const Op op = {.type = OP_OBJECT_DEL, .netns = HOST, .name = name, .link = link,
                       .object = object};

        assert_int_equal(ask(kernel, &op), 0);
}

static void do_word(Kernel *kernel, const char *text) {
        _cleanup_(network_freep) Network *network = NULL;
        char verb[16], name[16] = "", what[64] = "";
        Op op = {.netns = HOST, .name = name};

        assert_true(sscanf(text, "%15s %15s %63s", verb, name, what) >= 1);
        assert_int_equal(network_new(&network), 0);
        if (streq(verb, "delete") || streq(verb, "rename")) {
                op.type = streq(verb, "delete") ? OP_LINK_DEL : OP_LINK_MOVE;
                op.link = changed_link(network, name);
                op.to = (Ref){HOST, what};
                assert_int_equal(ask(kernel, &op), 0);
        } else if (streq(verb, "address")) {
                delete_address(kernel, network, name, what);
        } else if (!streq(verb, "none")) {
                set_row(kernel, network, name, verb, what);
        }
}

/* One after the other, each taken back. */
static void try_objects(Kernel *kernel, Object *objects, const Link *link, const char *what,
                        Buf *ret) {
        for (const Object *object = objects; object; object = object->next) {
                Op op = {.type = OP_OBJECT_ADD, .netns = HOST, .name = link ? link->name : HOST,
                         .link = (Link *)link, .object = object,
                         .object_rows = object->set.present};
                int r = ask(kernel, &op);

                buf_printf(ret, "%s: %s\n", what, r ? strerrorname_np(-r) : "fine");
                op.type = OP_OBJECT_DEL;
                if (r == 0)
                        assert_int_equal(ask(kernel, &op), 0);
        }
}

static void try_all(Kernel *kernel, Buf *ret) {
        for (size_t i = 0; i < ELEMENTSOF(tried); i++) {
                _cleanup_(network_freep) Network *network = NULL;
                _cleanup_(buf_deinit) Buf text = {}, problems = {};

                buf_printf(&text, "interfaces: {one: {}, two: {}, three: {}}\nroutes: [{%s}]\n",
                           tried[i]);
                network = settling_load(buf_text(&text), &problems);
                if (!network)
                        fail_msg("%s", buf_text(&problems));
                try_objects(kernel, network_find_namespace(network, HOST)->objects, NULL, tried[i],
                            ret);
        }
        for (size_t i = 0; i < ELEMENTSOF(tried_neighbours); i++) {
                _cleanup_(network_freep) Network *network = NULL;
                _cleanup_(buf_deinit) Buf text = {};
                const Link *link;

                buf_printf(&text, "interfaces: {one: {neighbours: [{%s}]}}\n", tried_neighbours[i]);
                network = settling_load(buf_text(&text), NULL);
                link = network_find_path(network, "one");
                try_objects(kernel, link->objects, link, tried_neighbours[i], ret);
        }
}

/* Looking. */

/* Of several ways the order is that of numbers, or of names. */
static void tell_value(const Row *row, const Value *value, Buf *ret) {
        _cleanup_(buf_deinit) Buf items = {}, sorted = {};

        if (row->type->shape == SHAPE_SCALAR) {
                value_format(row, value, ret);
                return;
        }
        for (size_t i = 0; i < value->list.n; i++) {
                row->type->format(row, &value->list.items[i], &items);
                buf_addc(&items, '\n');
        }
        if (items.size)
                lines_sort(items.text, &sorted);
        for (const char *c = buf_text(&sorted); *c; c++)
                buf_addc(ret, *c == '\n' ? ' ' : *c);
}

static void tell_object(const char *where, const Object *object, Buf *ret) {
        static const char *const keys[] = {"via", "dev", "nexthops", "src", "type", "mac"};

        buf_printf(ret, "%s %s ", where, object->type->schema.name);
        object_key(object, ret);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                int row = schema_find(object->set.schema, keys[i]);

                if (row < 0 || !attrset_has(&object->set, (size_t)row))
                        continue;
                buf_printf(ret, " %s=", keys[i]);
                tell_value(schema_row(object->set.schema, (size_t)row), &object->set.values[row],
                           ret);
        }
        buf_addc(ret, '\n');
}

static void tell_all(const Settling *settling, const Network *wanted, Buf *ret) {
        _cleanup_(network_freep) Network *have = NULL;
        _cleanup_(buf_deinit) Buf lines = {};
        Plan *plan = NULL;

        assert_int_equal(settle_plan(settling->fake, wanted, store_record(settling->store), &have,
                                     &plan), 0);
        plan_free(plan);
        for (Namespace *netns = have->namespaces; netns; netns = netns->hh.next) {
                for (const Object *object = netns->objects; object; object = object->next)
                        tell_object(netns->name, object, &lines);
                for (const Link *link = netns->links; link; link = link->hh.next)
                        for (const Object *object = link->objects; object; object = object->next)
                                if (object->type == &object_neighbour)
                                        tell_object(link->name, object, &lines);
        }
        lines_sort(lines.text, ret);
}

static void play(Kernel *kernel, const Manner *manner, Buf *ret) {
        _cleanup_(network_freep) Network *wanted = settling_load(LINKS, NULL);
        _cleanup_(network_freep) Network *nothing = settling_load("interfaces: {}\n", NULL);
        Settling settling;

        assert_non_null(wanted);
        settling_init_beside(&settling, &(Settling){.fake = kernel});
        settling_run(&settling, wanted);
        if (settling.refused)
                fail_msg("%s", buf_text(&settling.log));
        for (size_t i = 0; i < ELEMENTSOF(manner->words) && manner->words[i]; i++)
                do_word(kernel, manner->words[i]);
        tell_all(&settling, wanted, ret);
        try_all(kernel, ret);
        settling_run(&settling, nothing);
        settling_deinit(&settling);
}

static void test_manner(void **state) {
        const Manner *manner = *state;
        _cleanup_(buf_deinit) Buf fake = {}, real = {};
        Kernel *kernel;

        assert_int_equal(kernel_fake_new(&kernel), 0);
        play(kernel, manner, &fake);
        kernel_free(kernel);
        assert_int_equal(kernel_new(RUN, &kernel), 0);
        play(kernel, manner, &real);
        kernel_free(kernel);
        assert_true(real.size > 1000);
        if (!streq(buf_text(&fake), buf_text(&real))) {
                fprintf(stderr, "--- %s: the fake kernel\n%s--- the real one\n%s---\n",
                        manner->name, buf_text(&fake), buf_text(&real));
                fail();
        }
}

int main(void) {
        struct CMUnitTest tests[ELEMENTSOF(manners)];

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        for (size_t i = 0; i < ELEMENTSOF(manners); i++)
                tests[i] = (struct CMUnitTest){manners[i].name, test_manner, NULL, NULL,
                                               (void *)&manners[i]};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
