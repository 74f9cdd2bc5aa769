/* SPDX-License-Identifier: MIT */
/*
 * Secrets stand in files of their own. A value names the file, which is all that is ever shown or
 * remembered of it, and carries what is in it as far as the message to the kernel.
 */

#include "mvnet/attr.h"

#include <errno.h>
#include <libmnl/libmnl.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool secret_from_text(const char *text, uint8_t ret[SECRET_SIZE]) {
        uint8_t bytes[33] = {};

        if (strlen(text) != SECRET_TEXT_SIZE - 1 || text[SECRET_TEXT_SIZE - 2] != '=')
                return false;
        for (size_t i = 0; i < SECRET_TEXT_SIZE - 2; i++) {
                const char *digit = strchr(digits, text[i]);
                unsigned bits = digit ? (unsigned)(digit - digits) : 0;
                size_t at = i * 6 / 8, shift = i * 6 % 8;

                if (!digit)
                        return false;
                bits <<= 10 - shift;
                bytes[at] |= (uint8_t)(bits >> 8);
                bytes[at + 1] |= (uint8_t)bits;
        }
        /* Two bits too many: another text for the same key. */
        if (bytes[32])
                return false;
        memcpy(ret, bytes, SECRET_SIZE);
        explicit_bzero(bytes, sizeof(bytes));
        return true;
}

void secret_to_text(const uint8_t key[SECRET_SIZE], char ret[SECRET_TEXT_SIZE]) {
        for (size_t i = 0; i < SECRET_TEXT_SIZE - 2; i++) {
                size_t at = i * 6 / 8, shift = i * 6 % 8;
                unsigned bits = (unsigned)key[at] << 8 | (at + 1 < SECRET_SIZE ? key[at + 1] : 0);

                ret[i] = digits[bits >> (10 - shift) & 63];
        }
        ret[SECRET_TEXT_SIZE - 2] = '=';
        ret[SECRET_TEXT_SIZE - 1] = '\0';
}

static bool is_none(const uint8_t *key) {
        static const uint8_t none[SECRET_SIZE];

        return memcmp(key, none, SECRET_SIZE) == 0;
}

int attr_parse_secret(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        uint8_t *key = arena_calloc(scope->arena, 1, SECRET_SIZE);
        Value value = {.secret = {.name = arena_strdup(scope->arena, text)}};
        char read[SECRET_LINE_SIZE];
        int r = 0;

        scope->reason = "names no file";
        if (!key || !value.secret.name)
                return -ENOMEM;
        if (!*text)
                return ATTR_E_INVALID;
        if (streq(text, "none")) {
                value.secret.key = key;
        } else if (scope->read_secret) {
                r = scope->read_secret(scope, text, read);
                if (r == 0 && !secret_from_text(read, key)) {
                        scope->reason = "is a file that holds no key: 32 bytes in base64, one line";
                        r = ATTR_E_INVALID;
                }
                explicit_bzero(read, sizeof(read));
                value.secret.key = key;
        }
        if (r == 0)
                *ret = value;
        return r;
}

void attr_format_secret(const Row *row _unused_, const Value *value, Buf *ret) {
        if (value->secret.name)
                buf_add(ret, value->secret.name);
        else
                buf_add(ret, is_none(value->secret.key) ? "none" : "another key");
}

int attr_put_secret(const Row *row, const Value *value, PutScope *scope) {
        if (!value->secret.key)
                return -ENOKEY;
        return put_attr(scope, row->nla, value->secret.key, SECRET_SIZE);
}

int attr_get_secret(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, SECRET_SIZE);
        uint8_t *key;

        if (!attr)
                return ATTR_E_ABSENT;
        key = arena_alloc(scope->arena, SECRET_SIZE);
        if (!key)
                return -ENOMEM;
        memcpy(key, mnl_attr_get_payload(attr), SECRET_SIZE);
        *ret = (Value){.secret = {.key = key}};
        return 0;
}

/* By what is in the file; by its name where nobody has looked. */
bool attr_equal_secret(const Row *row _unused_, const Value *wanted, const Value *have) {
        if (wanted->secret.key && have->secret.key)
                return memcmp(wanted->secret.key, have->secret.key, SECRET_SIZE) == 0;
        return streq_ptr(wanted->secret.name, have->secret.name);
}

const AttrType attr_secret_file = {
        .name = "file",
        .syntax = "the name of a file that holds a key, or none",
        .is_secret = true,
        .parse = attr_parse_secret,
        .format = attr_format_secret,
        .put = attr_put_secret,
        .get = attr_get_secret,
        .equal = attr_equal_secret,
};
