/* SPDX-License-Identifier: MIT */
/*
 * Users and groups: who may open a device. A file says them by name or number; numbers are what
 * the kernel knows, and names, where there are some, what people are shown.
 */

#include "mvnet/attr.h"

#include <errno.h>
#include <grp.h>
#include <libmnl/libmnl.h>
#include <pwd.h>

static int parse_id(const char *text, bool group, uint32_t *ret) {
        const struct passwd *user = group ? NULL : getpwnam(text);
        const struct group *of = group ? getgrnam(text) : NULL;
        uint64_t number;

        if (user)
                *ret = user->pw_uid;
        else if (of)
                *ret = of->gr_gid;
        else if (text_to_u64(text, &number) == 0 && number < OWNER_NONE)
                *ret = (uint32_t)number;
        else
                return ATTR_E_INVALID;
        return 0;
}

static int owner_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        const char *colon = strchr(text, ':');
        char *user = arena_strndup(scope->arena, text, colon ? (size_t)(colon - text) : strlen(text));
        Value value = {.pair = {OWNER_NONE, OWNER_NONE}};

        if (!user)
                return -ENOMEM;
        if (colon ? user[0] : !streq(text, "none")) {
                scope->reason = "is not a user that this machine knows";
                if (parse_id(user, false, &value.pair.from) != 0)
                        return ATTR_E_INVALID;
        }
        scope->reason = "is not a group that this machine knows";
        if (colon && parse_id(colon + 1, true, &value.pair.to) != 0)
                return ATTR_E_INVALID;
        *ret = value;
        return 0;
}

static void owner_format(const Row *row _unused_, const Value *value, Buf *ret) {
        const struct passwd *user;
        const struct group *group;

        if (value->pair.from == OWNER_NONE && value->pair.to == OWNER_NONE)
                buf_add(ret, "none");
        if (value->pair.from != OWNER_NONE) {
                user = getpwuid(value->pair.from);
                if (user)
                        buf_add(ret, user->pw_name);
                else
                        buf_printf(ret, "%u", value->pair.from);
        }
        if (value->pair.to == OWNER_NONE)
                return;
        group = getgrgid(value->pair.to);
        if (group)
                buf_printf(ret, ":%s", group->gr_name);
        else
                buf_printf(ret, ":%u", value->pair.to);
}

static int tun_owner_put(const Row *row, const Value *value, PutScope *scope) {
        int r = 0;

        if (value->pair.from != OWNER_NONE)
                r = put_attr(scope, row->nla, &value->pair.from, sizeof(uint32_t));
        if (r == 0 && value->pair.to != OWNER_NONE)
                r = put_attr(scope, row->nla + 1, &value->pair.to, sizeof(uint32_t));
        return r;
}

/* Both are left out while nobody was said (tun_fill_info). */
static int tun_owner_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *user = get_attr(scope, row->nla, sizeof(uint32_t));
        const struct nlattr *group = get_attr(scope, row->nla + 1, sizeof(uint32_t));

        if (!user && !group)
                return ATTR_E_ABSENT;
        *ret = (Value){.pair = {
                user ? mnl_attr_get_u32(user) : OWNER_NONE,
                group ? mnl_attr_get_u32(group) : OWNER_NONE,
        }};
        return 0;
}

static bool owner_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->pair.from == have->pair.from && wanted->pair.to == have->pair.to;
}

/* TUNSETOWNER and TUNSETGROUP take no "nobody": -1 is EINVAL (6.1 … 6.18). */
static bool tun_owner_is_fixed(const Row *row _unused_, const Value *from, const Value *to) {
        return (from->pair.from != OWNER_NONE && to->pair.from == OWNER_NONE) ||
               (from->pair.to != OWNER_NONE && to->pair.to == OWNER_NONE);
}

const AttrType attr_tun_owner = {
        .name = "user and group",
        .syntax = "USER, USER:GROUP or :GROUP, by name or number, or none",
        .parse = owner_parse,
        .format = owner_format,
        .put = tun_owner_put,
        .get = tun_owner_get,
        .equal = owner_equal,
        .is_fixed = tun_owner_is_fixed,
};
