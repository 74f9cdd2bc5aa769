/* SPDX-License-Identifier: MIT */
/* IP addresses and prefixes as rows of routes, rules and neighbours have them. */

#include "mvnet/attr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>

static int invalid(ParseScope *scope, const char *reason) {
        scope->reason = reason;
        return ATTR_E_INVALID;
}

size_t ip_bytes(uint8_t family) {
        return family == AF_INET6 ? 16 : family == AF_INET ? 4 : 0;
}

bool ip_is_multicast(const Value *address) {
        if (address->family == AF_INET)
                return (address->bytes[0] & 0xf0) == 0xe0;
        return address->family == AF_INET6 && address->bytes[0] == 0xff;
}

/* An address that may be absent is written `none` where the row's default says so. */
static bool is_none(const Row *row, const char *text) {
        return row->def && streq(row->def, "none") && streq(text, "none");
}

int attr_parse_ip(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        Value value = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

        if (is_none(row, text)) {
                *ret = (Value){};
                return 0;
        }
        if (inet_pton(value.family, text, value.bytes) != 1)
                return invalid(scope, "is not an IP address");
        *ret = value;
        return 0;
}

void attr_format_ip(const Row *row _unused_, const Value *value, Buf *ret) {
        char text[INET6_ADDRSTRLEN];

        if (value->family && inet_ntop(value->family, value->bytes, text, sizeof(text)))
                buf_add(ret, text);
        else
                buf_add(ret, "none");
}

static int ip_put(const Row *row, const Value *value, PutScope *scope) {
        return value->family ? put_attr(scope, row->nla, value->bytes, ip_bytes(value->family)) : 0;
}

/* The family is in the first byte of every header that has addresses behind it. */
int attr_get_ip(const Row *row, const GetScope *scope, Value *ret) {
        uint8_t family = *(const uint8_t *)scope->header;
        const struct nlattr *attr = ip_bytes(family)
                ? get_attr(scope, row->nla, ip_bytes(family)) : NULL;

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.family = family};
        memcpy(ret->bytes, mnl_attr_get_payload(attr), ip_bytes(family));
        return 0;
}

bool attr_equal_prefix(const Row *row, const Value *wanted, const Value *have) {
        Value a = *wanted, b = *have;

        a.family = a.family ?: AF_INET;
        b.family = b.family ?: AF_INET;
        return attr_equal_ip(row, &a, &b);
}

bool attr_equal_ip(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->family == have->family && wanted->length == have->length &&
               memcmp(wanted->bytes, have->bytes, ip_bytes(wanted->family)) == 0;
}

const AttrType attr_ip = {
        .name = "IP address",
        .syntax = "an IP address",
        .parse = attr_parse_ip,
        .format = attr_format_ip,
        .put = ip_put,
        .get = attr_get_ip,
        .equal = attr_equal_ip,
};

/* The kernel refuses what has bits behind its prefix (fib_frontend.c fib_valid_key_len). */
static bool has_host_bits(const Value *value) {
        for (size_t bit = value->length; bit < ip_bytes(value->family) * 8; bit++)
                if (value->bytes[bit / 8] & (0x80u >> (bit % 8)))
                        return true;
        return false;
}

static bool is_any(const Value *value) {
        static const uint8_t zero[16];

        return value->length == 0 && memcmp(value->bytes, zero, ip_bytes(value->family)) == 0;
}

/* The family of `default` and `all` is for other rows to say: 0 until then. */
int attr_parse_prefix(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        const char *slash = strchr(text, '/');
        uint64_t length;
        Value value;
        char *ip;
        int r;

        if (streq(text, "default") || streq(text, "all")) {
                *ret = (Value){};
                return 0;
        }
        ip = arena_strndup(scope->arena, text, slash ? (size_t)(slash - text) : strlen(text));
        if (!ip)
                return -ENOMEM;
        r = attr_parse_ip(&(Row){.key = row->key}, scope, ip, &value);
        if (r != 0)
                return invalid(scope, "is not an IP address or prefix");
        length = ip_bytes(value.family) * 8;
        if (slash && (text_to_u64(slash + 1, &length) < 0 || length > ip_bytes(value.family) * 8))
                return invalid(scope, "has a bad prefix length");
        value.length = (uint8_t)length;
        if (has_host_bits(&value))
                return invalid(scope, "has bits set behind its prefix length");
        *ret = value;
        return 0;
}

/* IPv6's is not called `default`, so that the two can be told apart. */
void attr_format_prefix(const Row *row, const Value *value, Buf *ret) {
        if (value->family != AF_INET6 && is_any(value)) {
                buf_add(ret, row->def ? row->def : "default");
                return;
        }
        attr_format_ip(row, value, ret);
        if (value->length < ip_bytes(value->family) * 8)
                buf_printf(ret, "/%u", value->length);
}

/* Tables by number. Those with a name are resolved where files are read. */

static const Name tables[] = {{"default", 253}, {"main", 254}, {"local", 255}, {}};

int attr_parse_table(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        const Row words = {.names = tables};
        uint64_t number;

        if (attr_parse_enum(&words, scope, text, ret) == 0)
                return 0;
        if (text_to_u64(text, &number) < 0 && !(scope->table && scope->table(scope, text, &number)))
                return invalid(scope, "is neither a number nor a name in iproute2's rt_tables");
        if (number < (row->min ? 1u : 0u) || number > UINT32_MAX)
                return invalid(scope, "is out of range");
        *ret = (Value){.number = number};
        return 0;
}

void attr_format_table(const Row *row _unused_, const Value *value, Buf *ret) {
        const Row words = {.names = tables, .type = &attr_u32};

        if (row_name(&words, value->number))
                attr_format_enum(&words, value, ret);
        else
                buf_printf(ret, "%llu", (unsigned long long)value->number);
}
