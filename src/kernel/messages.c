/* SPDX-License-Identifier: MIT */
/* What a message is about: which sort of thing, whose, and in which slot. */

#include "kernel/internal.h"

#include <errno.h>
#include <libmnl/libmnl.h>

static bool type_is_dumped(const ObjectType *type) {
        return type->transport == TRANSPORT_RTNL && type->message_get && !type->nest;
}

uint64_t type_bit(const ObjectType *type) {
        for (size_t i = 0; i < object_types_n; i++)
                if (object_types[i] == type && type->flags & OBJECT_ASKED)
                        return (uint64_t)1 << i;
        return 0;
}

bool type_is_read(uint64_t types, size_t i) {
        return type_is_dumped(object_types[i]) &&
               (!(object_types[i]->flags & OBJECT_ASKED) || types & ((uint64_t)1 << i));
}

bool message_is_about(const struct nlmsghdr *message, const ObjectType *type) {
        return type_is_dumped(type) &&
               (message->nlmsg_type == type->message_new ||
                message->nlmsg_type == type->message_del ||
                (type->message_dumped && message->nlmsg_type == type->message_dumped)) &&
               (!type->is || (mnl_nlmsg_get_payload_len(message) >= type->header_size &&
                              type->is(mnl_nlmsg_get_payload(message))));
}

const ObjectType *message_type(const struct nlmsghdr *message) {
        for (size_t i = 0; i < object_types_n; i++)
                if (message_is_about(message, object_types[i]))
                        return object_types[i];
        return NULL;
}

int message_take_apart(const struct nlmsghdr *message, const ObjectType *type,
                      const struct nlattr **tb, Arena *arena, GetScope *ret) {
        *ret = (GetScope){
                .header = mnl_nlmsg_get_payload(message),
                .tb = tb,
                .tb_n = MIN(type->attributes, (size_t)ATTRS_MAX),
                .arena = arena,
        };
        return attrs_parse_message(message, type->header_size, tb, ret->tb_n);
}

int message_ifindex(const struct nlmsghdr *message, const ObjectType *type) {
        const struct nlattr *tb[ATTRS_MAX];
        GetScope scope;

        return message_take_apart(message, type, tb, NULL, &scope) < 0 ? -1 : type->ifindex(&scope);
}

bool message_is_kept(const struct nlmsghdr *message, const ObjectType *type) {
        const struct nlattr *tb[ATTRS_MAX];
        GetScope scope;

        return !type->keeps ||
               (message_take_apart(message, type, tb, NULL, &scope) == 0 && type->keeps(&scope));
}

/* What says which one it is, as it is reported or goes without saying; false: there is none. */
bool message_key(const Row *row, const GetScope *scope, Value *ret) {
        ParseScope parse = {.arena = scope->arena};

        return row->type->get(row, scope, ret) == 0 ||
               (row->def && value_parse(row, &parse, row->def, ret) == 0);
}

/* Whether they are about the same slot. */
bool message_is_same(const ObjectType *type, const GetScope *a, const GetScope *b) {
        size_t n = schema_size(&type->schema);

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(&type->schema, i);
                Value x = {}, y = {};

                if (row->change == CHANGE_KEY && message_key(row, a, &x) && message_key(row, b, &y) &&
                    !value_equal(row, &x, &y))
                        return false;
        }
        return true;
}
