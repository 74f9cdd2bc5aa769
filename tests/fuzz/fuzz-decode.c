/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the attributes of a netlink message, read under every table there is: the options
 * and ports of all kinds, what all links have, and all objects. What is read is formatted and put
 * into a message again.
 */

#include "fuzz.h"

#include "mvnet/network.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdlib.h>

#define NLA_MAX 128

typedef struct Message {
        const void *header;
        const struct nlattr *tb[NLA_MAX];
} Message;

static void take_apart(const uint8_t *data, size_t size, Message *ret) {
        const struct nlattr *attr = (const struct nlattr *)data;
        int left = (int)size;

        while (mnl_attr_ok(attr, left)) {
                if (mnl_attr_get_type(attr) < NLA_MAX)
                        ret->tb[mnl_attr_get_type(attr)] = attr;
                left -= (int)MNL_ALIGN(attr->nla_len);
                attr = mnl_attr_next(attr);
        }
}

static int resolve(_unused_ void *userdata, _unused_ const Ref *ref, int *ret_ifindex,
                   int *ret_nsid) {
        *ret_ifindex = 1;
        *ret_nsid = -1;
        return 0;
}

static int put_peer(_unused_ void *userdata, _unused_ PutScope *scope, _unused_ const Ref *peer) {
        return 0;
}

static void put_again(const AttrSet *set, size_t header_size) {
        static alignas(8) char buffer[16 * 1024];
        PutScope scope = {
                .size = sizeof(buffer), .resolve = resolve, .put_peer = put_peer,
        };

        memset(buffer, 0, sizeof(buffer));
        scope.message = mnl_nlmsg_put_header(buffer);
        mnl_nlmsg_put_extra_header(scope.message, header_size);
        if (attrset_encode(set, set->present, &scope, NULL) == 0 &&
            scope.message->nlmsg_len > sizeof(buffer))
                abort();
}

static void decode(const Schema *schema, const Message *message, size_t header_size) {
        _cleanup_(arena_deinit) Arena arena = {};
        GetScope scope = {
                .header = message->header,
                .tb = message->tb, .tb_n = NLA_MAX,
                .outer = message->tb, .outer_n = NLA_MAX,
                .arena = &arena,
        };
        AttrSet set;
        RowSet refs = 0;
        size_t i;

        if (!schema->name)
                return;
        if (attrset_init(&set, schema, &arena) < 0 || attrset_decode(&set, &scope) < 0)
                abort();
        ROWSET_FOREACH(i, set.present) {
                const Row *row = schema_row(schema, i);
                _cleanup_(buf_deinit) Buf text = {};

                value_format(row, &set.values[i], &text);
                if (set.values[i].unresolved && row->type->shape == SHAPE_SCALAR)
                        refs |= ROW_BIT(i);
        }
        /* Only names can be put; numbers are resolved to these first. */
        set.present &= ~refs;
        put_again(&set, header_size);
}

typedef struct Taking {
        const ObjectType *type;
        Arena arena;
} Taking;

static int take(const GetScope *scope, void *userdata) {
        Taking *taking = userdata;
        AttrSet set;

        return attrset_init(&set, &taking->type->schema, &taking->arena) < 0
                       ? -ENOMEM
                       : attrset_decode(&set, scope);
}

/* Messages about any number of objects, which the type itself takes apart. */
static void decode_entries(const ObjectType *type, const uint8_t *data, size_t size) {
        static alignas(8) uint8_t buffer[64 * 1024 + 64];
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        Taking taking = {.type = type};

        mnl_nlmsg_put_extra_header(message, type->header_size);
        size = MIN(size, sizeof(buffer) - message->nlmsg_len);
        memcpy(mnl_nlmsg_get_payload_tail(message), data, size);
        message->nlmsg_len += (uint32_t)size;
        if (type->entries(message, &taking.arena, take, &taking) < 0)
                abort();
        arena_deinit(&taking.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        /* Large enough for every header, and as aligned as a receive buffer. */
        static alignas(8) uint8_t header[64], attributes[64 * 1024];
        Message message = {.header = header};

        memset(header, 0, sizeof(header));
        memcpy(header, data, MIN(size, (size_t)16));
        data += MIN(size, (size_t)16);
        size -= MIN(size, (size_t)16);
        size = MIN(size, sizeof(attributes));
        memcpy(attributes, data, size);
        take_apart(attributes, size, &message);
        decode(&link_schema, &message, sizeof(struct ifinfomsg));
        for (size_t i = 0; i < link_kinds_n; i++) {
                decode(&link_kinds[i]->options, &message, sizeof(struct ifinfomsg));
                decode(&link_kinds[i]->port, &message, sizeof(struct ifinfomsg));
        }
        for (size_t i = 0; i < object_types_n; i++)
                if (object_types[i]->transport == TRANSPORT_RTNL)
                        decode(&object_types[i]->schema, &message, object_types[i]->header_size);
        for (size_t i = 0; i < object_types_n; i++)
                if (object_types[i]->entries)
                        decode_entries(object_types[i], data, size);
        return 0;
}
