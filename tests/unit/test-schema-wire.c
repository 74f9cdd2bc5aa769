/* SPDX-License-Identifier: MIT */
/* What has to hold for every row of every table on its way through messages and sets. */

#include "tables.h"

#include "mvnet/vlans.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdio.h>

#include <setjmp.h>
#include <cmocka.h>

#define MESSAGE_SIZE ((size_t)64 * 1024)

/* The wire. */

typedef struct Wire {
        alignas(8) char bytes[MESSAGE_SIZE];
        struct nlmsghdr *message;
        size_t header_size;
        const struct nlattr *tb[NLA_MAX];
        bool peer_asked;
} Wire;

static Wire wire;

#define RESOLVED_IFINDEX 4711
#define RESOLVED_NSID 5

static int resolve(_unused_ void *userdata, const Ref *ref, int *ret_ifindex, int *ret_nsid) {
        assert_non_null(ref->link);
        *ret_ifindex = RESOLVED_IFINDEX;
        *ret_nsid = streq_ptr(ref->netns, "host") ? -1 : RESOLVED_NSID;
        return 0;
}

static int resolve_netns(_unused_ void *userdata, const char *netns, int *ret_nsid) {
        *ret_nsid = streq(netns, "host") ? -1 : RESOLVED_NSID;
        return 0;
}

static int put_peer(_unused_ void *userdata, _unused_ PutScope *scope, const Ref *peer) {
        assert_non_null(peer->link);
        wire.peer_asked = true;
        return 0;
}

static size_t header_size(const Table *table) {
        return table->object ? table->object->header_size : sizeof(struct ifinfomsg);
}

static PutScope wire_begin(const Table *table, size_t size) {
        memset(&wire, 0, sizeof(wire));
        wire.header_size = header_size(table);
        wire.message = mnl_nlmsg_put_header(wire.bytes);
        if (wire.header_size)
                mnl_nlmsg_put_extra_header(wire.message, wire.header_size);
        return (PutScope){.message = wire.message,
                          .size = size,
                          .resolve = resolve,
                          .resolve_netns = resolve_netns,
                          .put_peer = put_peer};
}

static int collect(const struct nlattr *attr, _unused_ void *userdata) {
        uint16_t type = mnl_attr_get_type(attr);

        if (type < NLA_MAX)
                wire.tb[type] = attr;
        return MNL_CB_OK;
}

/* The message as a receiver sees it: what is in a nest has the same attributes outside of it. */
static GetScope wire_end(Arena *arena) {
        assert_int_equal(mnl_attr_parse(wire.message, (unsigned)wire.header_size, collect, NULL),
                         MNL_CB_OK);
        return (GetScope){.header = mnl_nlmsg_get_payload(wire.message),
                          .tb = wire.tb,
                          .tb_n = NLA_MAX,
                          .outer = wire.tb,
                          .outer_n = NLA_MAX,
                          .arena = arena};
}

static bool is_netlink(const Table *table) {
        return !table->object || table->object->transport != TRANSPORT_SYSCTL;
}

/* Rows whose values travel, and come back. */
static bool goes_round(const Table *table, const Row *row) {
        return is_netlink(table) && table->schema != &match_schema &&
               table->schema != &vlans_schema && !(table->object && table->object->entries) && !row_is_local(row) &&
               row->change != CHANGE_STATE && row->transport != TRANSPORT_TUNNEL && !(row->flags & (ROW_WRITE_ONLY | ROW_MAKES_PEER));
}

/* Values that mean "do not compare": there is nothing to send. */
static bool is_unset(const Row *row, const Value *value) {
        if (row->type->is_netns && streq(value->ref.netns, "host"))
                return true;
        if (row->type == &attr_mac_policy && value->policy != MAC_FIXED)
                return true;
        return row == schema_row(&link_schema, LINK_STATE) && value->number == LINK_STATE_ANY;
}

static void check_same_link(const Value *sent, const Value *read) {
        if (!sent->ref.link) {
                check(!read->unresolved && !read->ref.link);
                return;
        }
        check(read->unresolved);
        check(read->raw.ifindex == RESOLVED_IFINDEX);
        check(read->raw.nsid == -1 || read->raw.nsid == RESOLVED_NSID);
        if (streq_ptr(sent->ref.netns, "host"))
                check(read->raw.nsid == -1);
}

/* What `verify` misses, beside what is always required; and what it misses then. */
static bool set_missing(const Table *table, int row, size_t at, Arena *arena, AttrSet *set) {
        const char *key, *reason;
        Values values;
        int next;

        if (row < 0 || (size_t)row == at || attrset_has(set, (size_t)row))
                return false;
        values_of_row(schema_row(table->schema, (size_t)row), arena, &table_random, &values);
        for (size_t i = 0; i < values.n; i++) {
                attrset_set(set, (size_t)row, values.items[i]);
                if (table->object->verify(set, &key, &reason) == 0)
                        return true;
                next = schema_find(table->schema, key);
                if (next != row && set_missing(table, next, at, arena, set))
                        return true;
        }
        return false;
}

/* An object cannot be sent without its identity: what `verify` takes beside the row at hand. */
static bool complete_object(const Table *table, size_t at, Arena *arena, AttrSet *set) {
        const char *key, *reason;

        if (!table->object)
                return true;
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                const Row *row = schema_row(table->schema, i);
                Values values;

                if (i == at || !(row->flags & ROW_REQUIRED))
                        continue;
                values_of_row(row, arena, &table_random, &values);
                for (size_t j = 0; j < values.n; j++) {
                        attrset_set(set, i, values.items[j]);
                        if (!table->object->verify ||
                            table->object->verify(set, &key, &reason) == 0)
                                return true;
                }
        }
        if (!table->object->verify || table->object->verify(set, &key, &reason) == 0)
                return true;
        return set_missing(table, schema_find(table->schema, key), at, arena, set);
}

/* Returns whether the value could be sent at all. */
static bool check_goes_round(const Table *table, size_t at, const Row *row, const Value *value) {
        _cleanup_(arena_deinit) Arena arena = {};
        PutScope put = wire_begin(table, sizeof(wire.bytes));
        AttrSet sent = {}, read = {};
        Placements placed = {};
        GetScope get;

        assert_int_equal(attrset_init(&sent, table->schema, &arena), 0);
        assert_int_equal(attrset_init(&read, table->schema, &arena), 0);
        attrset_set(&sent, at, *value);
        if (!complete_object(table, at, &arena, &sent))
                return false;
        if (table->object && table->object->begin)
                assert_int_equal(table->object->begin(&put, RESOLVED_IFINDEX), 0);
        put.ifindex = RESOLVED_IFINDEX;
        assert_int_equal(attrset_encode(&sent, sent.present, &put, &placed), 0);
        check(placed.n >= 1);
        get = wire_end(&arena);
        get.transport = row_told_by(row);
        get.ifindex = RESOLVED_IFINDEX;
        assert_int_equal(attrset_decode(&read, &get), 0);
        if (!attrset_has(&read, at))
                complain("does not come back from the wire");
        else if (row->type->is_netns)
                check(read.values[at].unresolved && read.values[at].raw.nsid == RESOLVED_NSID);
        else if (row->type->is_ref)
                check_same_link(value, &read.values[at]);
        else if (!value_equal(row, value, &read.values[at])) {
                _cleanup_(buf_deinit) Buf a = {}, b = {};

                value_format(row, value, &a);
                value_format(row, &read.values[at], &b);
                complain("sends %s and reads %s", buf_text(&a), buf_text(&b));
        }
        return true;
}

static void check_wire(const Table *table) {
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                _cleanup_(arena_deinit) Arena arena = {};
                size_t sent = 0;
                Values values;

                current_row = schema_row(table->schema, i);
                if (!goes_round(table, current_row))
                        continue;
                check(current_row->type->put && current_row->type->get);
                values_of_row(current_row, &arena, &table_random, &values);
                for (size_t j = 0; j < values.n; j++)
                        if (!is_unset(current_row, &values.items[j]) &&
                            !(current_row->type == &attr_lower && !values.items[j].ref.link))
                                sent += check_goes_round(table, i, current_row, &values.items[j]);
                check(sent > 0);
        }
}

static void test_wire(_unused_ void **state) {
        foreach_table(check_wire);
}

/*
 * A bit that is sent alone must not drag along those that share its number: one of them may be one
 * that the kernel does not take at all (mst without VLAN filtering).
 */
static void check_masked(const Table *table) {
        _cleanup_(arena_deinit) Arena arena = {};
        AttrSet set = {};

        assert_int_equal(attrset_init(&set, table->schema, &arena), 0);
        for (size_t i = 0; i < schema_size(table->schema); i++)
                if (schema_row(table->schema, i)->type->is_masked)
                        attrset_set(&set, i, (Value){.number = 1});
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                PutScope put = wire_begin(table, sizeof(wire.bytes));
                Placements placed = {};

                current_row = schema_row(table->schema, i);
                if (!current_row->type->is_masked)
                        continue;
                assert_int_equal(attrset_encode(&set, ROW_BIT(i), &put, &placed), 0);
                check(placed.n == 1);
        }
}

static void test_masked(_unused_ void **state) {
        foreach_table(check_masked);
}

static void check_peer(const Table *table) {
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                _cleanup_(arena_deinit) Arena arena = {};
                PutScope put = wire_begin(table, sizeof(wire.bytes));
                AttrSet set = {};

                current_row = schema_row(table->schema, i);
                if (!(current_row->flags & ROW_MAKES_PEER))
                        continue;
                assert_int_equal(attrset_init(&set, table->schema, &arena), 0);
                attrset_set(&set, i, (Value){.ref = {"host", "far"}});
                assert_int_equal(attrset_encode(&set, ROW_BIT(i), &put, NULL), 0);
                check(wire.peer_asked);
        }
}

static void test_peer(_unused_ void **state) {
        foreach_table(check_peer);
}

/* All rows at once, into buffers of every size: an error or a whole message, never a write beyond. */
static void check_no_room(const Table *table) {
        _cleanup_(arena_deinit) Arena arena = {};
        AttrSet set = {};
        RowSet rows = 0;

        if (!is_netlink(table))
                return;
        assert_int_equal(attrset_init(&set, table->schema, &arena), 0);
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                Values values;

                current_row = schema_row(table->schema, i);
                if (!goes_round(table, current_row))
                        continue;
                values_of_row(current_row, &arena, &table_random, &values);
                for (size_t j = 0; j < values.n && !(rows & ROW_BIT(i)); j++)
                        if (!is_unset(current_row, &values.items[j])) {
                                attrset_set(&set, i, values.items[j]);
                                rows |= ROW_BIT(i);
                        }
        }
        for (size_t size = NLMSG_HDRLEN + header_size(table); size < 2048; size++) {
                PutScope put = wire_begin(table, size);
                int r = attrset_encode(&set, rows, &put, NULL);

                assert_true(r == 0 || r == -EMSGSIZE);
                assert_true(wire.message->nlmsg_len <= size);
                for (size_t i = size; i < 2 * size && i < sizeof(wire.bytes); i++)
                        assert_int_equal(wire.bytes[i], 0);
        }
}

static void test_no_room(_unused_ void **state) {
        foreach_table(check_no_room);
}

/* Attributes of every length with anything in them are read, or are absent; nothing else. */
static void check_odd(const Table *table) {
        if (!is_netlink(table) || table->schema == &match_schema)
                return;
        for (size_t length = 0; length <= 40; length++) {
                _cleanup_(arena_deinit) Arena arena = {};
                AttrSet read = {};
                GetScope get;
                size_t row;

                wire_begin(table, sizeof(wire.bytes));
                for (uint16_t nla = 0; nla < NLA_MAX; nla++) {
                        char payload[40];

                        for (size_t i = 0; i < length; i++)
                                payload[i] = (char)random_next(&table_random);
                        mnl_attr_put(wire.message, nla, length, payload);
                }
                get = wire_end(&arena);
                assert_int_equal(attrset_init(&read, table->schema, &arena), 0);
                for (get.transport = 0; get.transport < _TRANSPORT_N; get.transport++)
                        assert_int_equal(attrset_decode(&read, &get), 0);
                ROWSET_FOREACH(row, read.present) {
                        _cleanup_(buf_deinit) Buf text = {};

                        current_row = schema_row(table->schema, row);
                        value_format(current_row, &read.values[row], &text);
                        assert_int_equal(buf_error(&text), 0);
                }
        }
}

static void test_odd(_unused_ void **state) {
        foreach_table(check_odd);
}

/* A message without attributes has nothing in it but what stands in its header. */
static void check_empty(const Table *table) {
        _cleanup_(arena_deinit) Arena arena = {};
        AttrSet read = {};
        GetScope get;
        size_t i;

        if (!is_netlink(table) || table->schema == &match_schema)
                return;
        wire_begin(table, sizeof(wire.bytes));
        get = wire_end(&arena);
        assert_int_equal(attrset_init(&read, table->schema, &arena), 0);
        assert_int_equal(attrset_decode(&read, &get), 0);
        ROWSET_FOREACH(i, read.present) {
                current_row = schema_row(table->schema, i);
                check(current_row->nla == 0 || current_row->type->shape != SHAPE_SCALAR ||
                      current_row->flags & (ROW_ABSENT_IS_DEF | ROW_ABSENT_IS_ZERO));
        }
}

static void test_empty(_unused_ void **state) {
        foreach_table(check_empty);
}

/* Sets. */

static void check_set(const Table *table) {
        _cleanup_(arena_deinit) Arena arena = {};
        AttrSet set = {}, copy = {};
        RowSet unknown = ~(RowSet)0;

        assert_int_equal(attrset_init(&set, table->schema, &arena), 0);
        assert_null(attrset_get(&set, "no-such-row"));
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                Values values;

                current_row = schema_row(table->schema, i);
                check(!attrset_has(&set, i));
                check(!attrset_get(&set, current_row->key));
                values_of_row(current_row, &arena, &table_random, &values);
                attrset_set(&set, i, values.items[0]);
                check(attrset_has(&set, i));
                check(attrset_get(&set, current_row->key) == &set.values[i]);
        }
        assert_int_equal(attrset_copy(&set, &arena, &copy), 0);
        assert_true(copy.present == set.present && copy.values != set.values);
        assert_true(attrset_diff(&set, &copy, true, &unknown) == 0);
}

static void test_sets(_unused_ void **state) {
        foreach_table(check_set);
}

/* Two values that are not equal are a difference, in that row and in no other. */
static void check_diff(const Table *table) {
        for (size_t i = 0; i < schema_size(table->schema); i++) {
                _cleanup_(arena_deinit) Arena arena = {};
                AttrSet wanted = {}, have = {};
                RowSet unknown;
                Values values;

                current_row = schema_row(table->schema, i);
                if (!goes_round(table, current_row) || current_row->change == CHANGE_KEY)
                        continue;
                values_of_row(current_row, &arena, &table_random, &values);
                assert_int_equal(attrset_init(&wanted, table->schema, &arena), 0);
                assert_int_equal(attrset_init(&have, table->schema, &arena), 0);
                for (size_t j = 1; j < values.n; j++) {
                        bool equal = is_unset(current_row, &values.items[0]) ||
                                     value_equal(current_row, &values.items[0], &values.items[j]);
                        RowSet rows;

                        attrset_set(&wanted, i, values.items[0]);
                        attrset_set(&have, i, values.items[j]);
                        rows = attrset_diff(&wanted, &have, true, &unknown);
                        if (rows != (equal ? 0 : ROW_BIT(i)))
                                complain("differs in rows %#llx", (unsigned long long)rows);
                        /* What nobody wants is nobody's business. */
                        assert_true(attrset_diff(&(AttrSet){}, &have, true, &unknown) == 0);
                }
        }
}

static void test_diff(_unused_ void **state) {
        foreach_table(check_diff);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_wire),
                cmocka_unit_test(test_masked),
                cmocka_unit_test(test_peer),
                cmocka_unit_test(test_no_room),
                cmocka_unit_test(test_odd),
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_sets),
                cmocka_unit_test(test_diff),
        };

        tables_begin();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
