/* SPDX-License-Identifier: MIT */
/* Kinds and object types as such: flags that make sense together, names that do not collide. */

#include "values.h"

#include "mvnet/network.h"

#include <linux/if.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NEED_PARENT \
        (KIND_REAL_LOWER | KIND_CLAIMS_PARENT | KIND_MTU_BOUND | KIND_MTU_FOLLOWS | \
         KIND_NEEDS_PARENT_UP | KIND_UP_FOLLOWS | KIND_SAME_NETNS | KIND_OWN_IP)

#define OF_MASTERS (KIND_MTU_PORTED | KIND_L3_MASTER | KIND_PORTS_DOWN | KIND_ONE_MTU)

static size_t count_rows(const Schema *schema, uint32_t flag) {
        size_t n = 0;

        for (size_t i = 0; i < schema_size(schema); i++)
                n += (schema_row(schema, i)->flags & flag) != 0;
        return n;
}

static void check_kind(const LinkKind *kind) {
        uint32_t flags = 0;

        for (unsigned bit = 0; bit < 32; bit++)
                flags |= link_kind_is(kind, 1u << bit) ? 1u << bit : 0;
        assert_true(strlen(kind->name) > 0 && strlen(kind->name) < IFNAMSIZ);
        assert_true(text_is_sentence(kind->doc));
        assert_ptr_equal(link_kind_find(kind->name), kind);
        assert_non_null(link_kind_family(kind));
        assert_null(link_kind_family(kind)->like);
        if (kind->options.name)
                assert_string_equal(kind->options.name, kind->name);
        assert_true((kind->port.name != NULL) <= ((flags & KIND_MASTER) != 0));
        if (kind->port.name)
                assert_ptr_equal(link_kind_port_schema(kind->port.name), &kind->port);
        assert_true(!(flags & NEED_PARENT) || flags & KIND_PARENT);
        assert_true(!(flags & OF_MASTERS) || flags & KIND_MASTER);
        assert_false(flags & KIND_MTU_BOUND && flags & KIND_MTU_FOLLOWS);
        assert_false(flags & KIND_FOREIGN && flags & (KIND_PARENT | KIND_PAIR));
        assert_int_equal(count_rows(&kind->options, ROW_MAKES_PEER), flags & KIND_PAIR ? 1 : 0);
        assert_int_equal(count_rows(&kind->port, ROW_MAKES_PEER | ROW_PER_PARENT), 0);
}

static void test_kinds(_unused_ void **state) {
        assert_true(link_kinds_n > 0);
        for (size_t i = 0; i < link_kinds_n; i++) {
                print_message("kind %s\n", link_kinds[i]->name);
                check_kind(link_kinds[i]);
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(link_kinds[i]->name, link_kinds[j]->name);
        }
        assert_null(link_kind_find("no-such-kind"));
        assert_null(link_kind_port_schema("no-such-port"));
        assert_false(link_kind_is(NULL, KIND_PARENT));
}

/* What stands beside a kind's keys in the file: a kind's key of that name would be unreachable. */
static const char *const interface_keys[] = {
        "kind", "match", "parent", "bind-netns", "master", "ports", "state", "mac", "mtu",
        "txqueuelen", "link-group", "alias", "altnames", "arp", "multicast", "allmulticast",
        "promisc", "addr-gen-mode", "addresses", "routes", "neighbours", "fdb", "sysctl",
        "bridge-port", "bond-port", "team-port", "vrf-port", "vlans", "optional", "replace",
};

static void assert_not_a_key(const Schema *options, const char *key) {
        if (key && schema_find(options, key) >= 0)
                fail_msg("%s has a key '%s' that every interface has", options->name, key);
}

static void test_kind_keys_are_free(_unused_ void **state) {
        for (size_t i = 0; i < link_kinds_n; i++) {
                const Schema *options = &link_kinds[i]->options;

                for (size_t j = 0; j < ELEMENTSOF(interface_keys); j++)
                        assert_not_a_key(options, interface_keys[j]);
                for (size_t j = 0; j < schema_size(&link_schema); j++)
                        assert_not_a_key(options, schema_row(&link_schema, j)->key);
                for (size_t j = 0; j < object_types_n; j++)
                        assert_not_a_key(options, object_types[j]->schema.name);
                for (size_t j = 0; j < link_kinds_n; j++)
                        assert_not_a_key(options, link_kinds[j]->port.name);
        }
}

/* Other layers speak of these rows by number. */
static const char *const link_rows[_LINK_ROW_N] = {
        [LINK_PARENT] = "parent",
        [LINK_BIND_NETNS] = "bind-netns",
        [LINK_MASTER] = "master",
        [LINK_STATE] = "state",
        [LINK_MAC] = "mac",
        [LINK_MTU] = "mtu",
        [LINK_TXQUEUELEN] = "txqueuelen",
        [LINK_GROUP] = "link-group",
        [LINK_ALIAS] = "alias",
        [LINK_ARP] = "arp",
        [LINK_MULTICAST] = "multicast",
        [LINK_ALLMULTICAST] = "allmulticast",
        [LINK_PROMISC] = "promisc",
        [LINK_ADDR_GEN_MODE] = "addr-gen-mode",
        [LINK_OPTIONAL] = "optional",
        [LINK_REPLACE] = "replace",
        [LINK_PORTS] = "ports",
};

static void test_link_rows(_unused_ void **state) {
        assert_true(schema_size(&link_schema) >= _LINK_ROW_N);
        for (size_t i = 0; i < _LINK_ROW_N; i++)
                assert_string_equal(schema_row(&link_schema, i)->key, link_rows[i]);
}

static void test_object_types(_unused_ void **state) {
        for (size_t i = 0; i < object_types_n; i++) {
                const ObjectType *type = object_types[i];
                size_t keys = 0;

                assert_true(text_is_sentence(type->doc));
                assert_true((unsigned)type->transport < _TRANSPORT_N);
                assert_true(type->flags & (OBJECT_ON_LINK | OBJECT_IN_NETNS));
                for (size_t j = 0; j < schema_size(&type->schema); j++)
                        keys += schema_row(&type->schema, j)->change == CHANGE_KEY;
                assert_true(keys > 0);
                assert_ptr_equal(object_type_find(type->schema.name, type->flags &
                                                  (OBJECT_ON_LINK | OBJECT_IN_NETNS)),
                                 type->within ? NULL : type);
                assert_true(!type->within || (type->within->inner == type && type->within_key));
                assert_true(!type->inner || type->inner->within == type);
                assert_int_equal(type->transport == TRANSPORT_GENL, type->genl && type->only->genl);
                if (type->transport == TRANSPORT_RTNL)
                        assert_true(type->nest || type->message_new);
        }
        assert_null(object_type_find("no-such-type", OBJECT_ON_LINK));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_kind_keys_are_free),
                cmocka_unit_test(test_link_rows),
                cmocka_unit_test(test_object_types),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
