/* SPDX-License-Identifier: MIT */
/* Kernel parameters below net.*, of a namespace and of a link. They keep their own spelling. */

#include "mvnet/network.h"

#include <ctype.h>
#include <errno.h>

enum {
        SYSCTL_KEY,
        SYSCTL_VALUE,
};

/* The four folders that have one more folder for every link. */
static const struct {
        const char *prefix; /* as a file says it, under a link */
        const char *folder; /* below /proc/sys/net */
} per_link[] = {
        {"ipv4.", "ipv4/conf/"},
        {"ipv6.", "ipv6/conf/"},
        {"neigh4.", "ipv4/neigh/"},
        {"neigh6.", "ipv6/neigh/"},
};

static int invalid(ParseScope *scope, const char *reason) {
        scope->reason = reason;
        return ATTR_E_INVALID;
}

/* Components of letters, digits, '_' and '-', separated by single dots. */
static bool is_key(const char *text) {
        bool begun = false;

        for (const char *c = text; *c; c++) {
                if (*c == '.' && !begun)
                        return false;
                begun = *c != '.';
                if (begun && !isalnum((unsigned char)*c) && *c != '_' && *c != '-')
                        return false;
        }
        return begun;
}

static int key_copy(ParseScope *scope, const char *text, Value *ret) {
        *ret = (Value){.text = arena_strdup(scope->arena, text)};
        return ret->text ? 0 : -ENOMEM;
}

/* net.ipv4.conf.eth0.x belongs to the link; `all` and `default` are the namespace's own. */
static const char *link_of(const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(per_link); i++) {
                const char *folder = per_link[i].folder, *at = key + strlen("net.");
                size_t n = strlen(folder);
                bool same = strlen(at) > n;

                for (size_t j = 0; same && j < n; j++)
                        same = at[j] == (folder[j] == '/' ? '.' : folder[j]);
                if (same && strncmp(at + n, "all.", 4) != 0 && strncmp(at + n, "default.", 8) != 0)
                        return per_link[i].prefix;
        }
        return NULL;
}

static int netns_key_parse(const Row *row _unused_, ParseScope *scope, const char *text,
                           Value *ret) {
        const char *prefix;

        if (strncmp(text, "net.", 4) != 0 || !is_key(text))
                return invalid(scope, "is not a parameter below net.");
        prefix = link_of(text);
        if (prefix) {
                scope->reason =
                        arena_printf(scope->arena,
                                     "belongs to the interface: write `sysctl: {%sNAME: …}` "
                                     "there",
                                     prefix);
                return scope->reason ? ATTR_E_INVALID : -ENOMEM;
        }
        return key_copy(scope, text, ret);
}

static int link_key_parse(const Row *row _unused_, ParseScope *scope, const char *text,
                          Value *ret) {
        for (size_t i = 0; i < ELEMENTSOF(per_link); i++) {
                size_t n = strlen(per_link[i].prefix);

                if (strncmp(text, per_link[i].prefix, n) == 0 && is_key(text + n) &&
                    !strchr(text + n, '.'))
                        return key_copy(scope, text, ret);
        }
        return invalid(scope, "is not a parameter of a link");
}

void sysctl_path(const Object *object, const Link *link, Buf *ret) {
        const char *key = object->set.values[SYSCTL_KEY].text;

        if (!link) {
                for (const char *c = key + strlen("net."); *c; c++)
                        buf_addc(ret, *c == '.' ? '/' : *c);
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(per_link); i++) {
                size_t n = strlen(per_link[i].prefix);

                if (strncmp(key, per_link[i].prefix, n) == 0)
                        buf_printf(ret, "%s%s/%s", per_link[i].folder, link->name, key + n);
        }
}

static void key_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_add(ret, value->text);
}

static bool key_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return streq(wanted->text, have->text);
}

static int value_text_parse(const Row *row _unused_, ParseScope *scope, const char *text,
                            Value *ret) {
        if (strlen(text) > 1024)
                return invalid(scope, "is too long");
        for (const char *c = text; *c; c++)
                if (iscntrl((unsigned char)*c) && *c != '\t')
                        return invalid(scope, "has control characters");
        return key_copy(scope, text, ret);
}

/* The kernel separates the numbers of a list by tabs, people by spaces. */
static bool words_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        const char *a = wanted->text, *b = have->text;

        for (;;) {
                size_t na, nb;

                a += strspn(a, " \t\n");
                b += strspn(b, " \t\n");
                na = strcspn(a, " \t\n");
                nb = strcspn(b, " \t\n");
                if (na != nb || memcmp(a, b, na) != 0)
                        return false;
                if (na == 0)
                        return true;
                a += na;
                b += nb;
        }
}

#define SYSCTL_KEY_TYPE                                                                            \
        .is_text = true, .format = key_format, .put = attr_put_nothing, .get = attr_get_nothing,   \
        .equal = key_equal

static const AttrType attr_netns_key = {
        .name = "parameter", .syntax = "net.NAME", .parse = netns_key_parse, SYSCTL_KEY_TYPE,
};
static const AttrType attr_link_key = {
        .name = "parameter",
        .syntax = "ipv4.NAME, ipv6.NAME, neigh4.NAME or neigh6.NAME",
        .parse = link_key_parse,
        SYSCTL_KEY_TYPE,
};
static const AttrType attr_sysctl_value = {
        .name = "text",
        .is_text = true,
        .parse = value_text_parse,
        .format = key_format,
        .put = attr_put_nothing,
        .get = attr_get_nothing,
        .equal = words_equal,
};

static const Row netns_rows[] = {
        [SYSCTL_KEY] = {.key = "key",
                        .type = &attr_netns_key,
                        .change = CHANGE_KEY,
                        .flags = ROW_REQUIRED,
                        .doc = "The parameter, as sysctl(8) spells it."},
        [SYSCTL_VALUE] = {.key = "value",
                          .type = &attr_sysctl_value,
                          .flags = ROW_REQUIRED,
                          .doc = "Its value."},
};

static const Row link_rows[] = {
        [SYSCTL_KEY] = {.key = "key",
                        .type = &attr_link_key,
                        .change = CHANGE_KEY,
                        .flags = ROW_REQUIRED,
                        .doc = "The parameter, without the part that names the link."},
        [SYSCTL_VALUE] = {.key = "value",
                          .type = &attr_sysctl_value,
                          .flags = ROW_REQUIRED,
                          .doc = "Its value."},
};

const ObjectType object_sysctl = {
        .schema = {.name = "sysctl", .rows = netns_rows, .n = ELEMENTSOF(netns_rows)},
        .transport = TRANSPORT_SYSCTL,
        .flags = OBJECT_IN_NETNS | OBJECT_MAP,
        .doc = "Kernel parameters of the namespace: net.*.",
};

const ObjectType object_link_sysctl = {
        .schema = {.name = "sysctl", .rows = link_rows, .n = ELEMENTSOF(link_rows)},
        .transport = TRANSPORT_SYSCTL,
        .flags = OBJECT_ON_LINK | OBJECT_MAP,
        .doc = "Kernel parameters of the link.",
};
