/* SPDX-License-Identifier: MIT */
/* Values as a file says them, so that the loader reads the same. */

#include "config/spell.h"

#include "mvnet/utf8.h"

/* Text that YAML reads back as it stands, in a flow as elsewhere. */
static bool is_plain(const char *text) {
        static const char *const special[] = {"null", "Null", "NULL", "~", "<<", "---", "..."};
        size_t size = strlen(text);

        for (size_t i = 0; i < ELEMENTSOF(special); i++)
                if (streq(text, special[i]))
                        return false;
        for (const char *c = text; *c; c++)
                if (!(*c >= '0' && *c <= '9') && !(*c >= 'A' && *c <= 'Z') &&
                    !(*c >= 'a' && *c <= 'z') && !strchr("_./:+-", *c))
                        return false;
        return size > 0 && !strchr("-:+.", text[0]) && text[size - 1] != ':' &&
               !strstr(text, "::");
}

void spell_scalar(Buf *out, const char *text) {
        if (is_plain(text)) {
                buf_add(out, text);
                return;
        }
        buf_addc(out, '"');
        for (const char *c = text; *c; c++) {
                if ((unsigned char)*c < ' ' || *c == 0x7f) {
                        buf_printf(out, "\\x%02x", (unsigned char)*c);
                } else {
                        if (*c == '"' || *c == '\\')
                                buf_addc(out, '\\');
                        buf_addc(out, *c);
                }
        }
        buf_addc(out, '"');
}

void spell_comment(Buf *out, const char *text) {
        for (const char *c = text; *c; c++)
                buf_addc(out, *c >= ' ' && *c < 0x7f ? *c : '?');
}

static bool is_utf8(const char *text) {
        size_t size = strlen(text), length;
        uint32_t c;

        for (; size > 0; size -= length, text += length) {
                length = utf8_decode(text, size, &c);
                if (length == 0)
                        return false;
        }
        return true;
}

/* A reference the way a file in that namespace says it. */
static void format_ref(const Ref *ref, const char *netns, Buf *ret) {
        if (!ref->link)
                buf_add(ret, "none");
        else if (streq_ptr(ref->netns, netns))
                buf_add(ret, ref->link);
        else
                buf_printf(ret, "%s/%s", ref->netns, ref->link);
}

/* One element as text, if the loader would take it for the same. */
static bool format_element(Arena *arena, const Row *row, const char *netns, const Value *value,
                           Buf *ret) {
        ParseScope scope = {.arena = arena, .netns = netns};
        Value back = {};

        if (row->type->is_ref)
                format_ref(&value->ref, netns, ret);
        else
                row->type->format(row, value, ret);
        return is_utf8(buf_text(ret)) &&
               row->type->parse(row, &scope, buf_text(ret), &back) == 0 &&
               row->type->equal(row, &back, value);
}

static bool add_element(Arena *arena, const Row *row, const char *netns, const Value *value,
                        Buf *ret) {
        _cleanup_(buf_deinit) Buf text = {};
        char *rest;

        if (!format_element(arena, row, netns, value, &text))
                return false;
        if (row->type->shape == SHAPE_MAP) {
                rest = text.text ? strchr(text.text, ':') : NULL;
                if (!rest)
                        return false;
                *rest++ = '\0';
                spell_scalar(ret, text.text);
                buf_add(ret, ": ");
                spell_scalar(ret, rest + strspn(rest, " "));
                return true;
        }
        if (row->type->fields)
                buf_add(ret, buf_text(&text));
        else
                spell_scalar(ret, buf_text(&text));
        return true;
}

bool spell_value(Arena *arena, const Row *row, const char *netns, const Value *value, Buf *ret) {
        bool map = row->type->shape == SHAPE_MAP;

        if (row->type->shape == SHAPE_SCALAR)
                return add_element(arena, row, netns, value, ret);
        buf_addc(ret, map ? '{' : '[');
        for (size_t i = 0; i < value->list.n; i++) {
                buf_add(ret, i ? ", " : "");
                if (!add_element(arena, row, netns, &value->list.items[i], ret))
                        return false;
        }
        buf_addc(ret, map ? '}' : ']');
        return true;
}
