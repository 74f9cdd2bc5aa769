/* SPDX-License-Identifier: MIT */
/*
 * Users and groups: who may open a device. A file says them by name or number; numbers are what
 * the kernel knows, and names, where there are some, what people are shown.
 */

#include "mvnet/schema.h"

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

/* What is not said of a device is not meant. */
static bool device_owner_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return (wanted->pair.from == OWNER_NONE || wanted->pair.from == have->pair.from) &&
               (wanted->pair.to == OWNER_NONE || wanted->pair.to == have->pair.to);
}

const AttrType attr_device_owner = {
        .name = "user and group",
        .syntax = "USER, USER:GROUP or :GROUP, by name or number",
        .parse = owner_parse,
        .format = owner_format,
        .put = tun_owner_put,
        .get = tun_owner_get,
        .equal = device_owner_equal,
};

static int mode_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        uint64_t mode = 0;

        scope->reason = "is not an octal mode";
        if (!*text || strlen(text) > 4)
                return ATTR_E_INVALID;
        for (const char *at = text; *at; at++) {
                if (*at < '0' || *at > '7')
                        return ATTR_E_INVALID;
                mode = mode * 8 + (uint64_t)(*at - '0');
        }
        if (mode > 0777)
                return ATTR_E_INVALID;
        *ret = (Value){.number = mode};
        return 0;
}

static void mode_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_printf(ret, "%04o", (unsigned)value->number);
}

const AttrType attr_mode = {
        .name = "mode",
        .syntax = "an octal mode of reading and writing, 0660",
        .size = 4,
        .parse = mode_parse,
        .format = mode_format,
        .put = attr_put_number,
        .get = attr_get_number,
        .equal = attr_equal_number,
};

/* clang-format off */
const Row device_rows[DEVICE_ROWS] = {
        { .key = "owner", .nla = DEVICE_USER, .type = &attr_device_owner, .transport = TRANSPORT_DEVICE, .def = "root:root",
          .doc = "Who may open the device file, USER[:GROUP]; /run/mvnet/tap/[NETNS:]NAME then leads to it." },
        { .key = "device-mode", .nla = DEVICE_MODE, .type = &attr_mode, .transport = TRANSPORT_DEVICE, .def = "0600",
          .doc = "The mode of the device file, octal; /run/mvnet/tap/[NETNS:]NAME then leads to it." },
};
/* clang-format on */
