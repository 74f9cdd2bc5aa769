/* SPDX-License-Identifier: MIT */
/*
 * The types that rows of more than one kind share: what a value looks like in a file, on the wire,
 * and when two of them are the same to the kernel.
 */

#include "mvnet/attr.h"

#include <ctype.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static int invalid(ParseScope *scope, const char *reason) {
        scope->reason = reason;
        return ATTR_E_INVALID;
}

/* Numbers. */

static uint64_t number_max(const Row *row) {
        return row->type->size >= 8 ? UINT64_MAX : ((uint64_t)1 << (row->type->size * 8)) - 1;
}

static bool number_in_range(const Row *row, uint64_t number) {
        if (row->type->is_signed)
                return (!row->min && !row->max)
                        ? (int64_t)number >= INT32_MIN && (int64_t)number <= INT32_MAX
                        : (int64_t)number >= row->min && (int64_t)number <= row->max;
        if (!row->min && !row->max)
                return number <= number_max(row);
        return number >= (uint64_t)row->min && number <= (uint64_t)row->max;
}

int attr_parse_number(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        Value value = {};
        int64_t number = 0;
        int r;

        if (row->type->is_signed) {
                r = text_to_s64(text, &number);
                value.number = (uint64_t)number;
        } else {
                r = text_to_u64(text, &value.number);
        }
        if (r == -EINVAL)
                return invalid(scope, text[0] == '-' ? "is negative" : "is not a number");
        if (r < 0 || !number_in_range(row, value.number))
                return invalid(scope, "is out of range");
        *ret = value;
        return 0;
}

void attr_format_number(const Row *row, const Value *value, Buf *ret) {
        if (row->type->is_signed)
                buf_printf(ret, "%lld", (long long)value->number);
        else
                buf_printf(ret, "%llu", (unsigned long long)value->number);
}

int attr_put_number(const Row *row, const Value *value, PutScope *scope) {
        uint8_t wire[8];
        size_t size = row->type->size;

        for (size_t i = 0; i < size; i++) {
                size_t byte = row->type->big_endian ? size - 1 - i : i;

                wire[i] = (uint8_t)(value->number >> (8 * byte));
        }
        return put_attr(scope, row->nla, wire, size);
}

int attr_get_number(const Row *row, const GetScope *scope, Value *ret) {
        size_t size = row->type->size;
        const struct nlattr *attr = get_attr(scope, row->nla, size);
        const uint8_t *wire;
        uint64_t number = 0;

        if (!attr)
                return ATTR_E_ABSENT;
        wire = mnl_attr_get_payload(attr);
        for (size_t i = 0; i < size; i++) {
                size_t byte = row->type->big_endian ? size - 1 - i : i;

                number |= (uint64_t)wire[i] << (8 * byte);
        }
        if (row->type->is_signed)
                number = (uint64_t)(int64_t)(int32_t)number;
        *ret = (Value){.number = number};
        return 0;
}

bool attr_equal_number(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->number == have->number;
}

#define NUMBER .put = attr_put_number, .get = attr_get_number, ATTR_NUMBER

const AttrType attr_u8 = {.size = 1, NUMBER};
const AttrType attr_u16 = {.size = 2, NUMBER};
const AttrType attr_u32 = {.size = 4, NUMBER};
const AttrType attr_s32 = {.size = 4, .is_signed = true, NUMBER};
const AttrType attr_u64 = {.size = 8, NUMBER};
const AttrType attr_be16 = {.size = 2, .big_endian = true, NUMBER};
const AttrType attr_be32 = {.size = 4, .big_endian = true, NUMBER};
const AttrType attr_be64 = {.size = 8, .big_endian = true, NUMBER};

/* Booleans and bits. */

int attr_parse_bool(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        static const char *const words[] = {"false", "true", "off", "on", "no", "yes"};

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (streq(text, words[i])) {
                        *ret = (Value){.number = i % 2};
                        return 0;
                }
        return invalid(scope, "is not a boolean");
}

void attr_format_bool(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_add(ret, value->number ? "true" : "false");
}

static int bool_get(const Row *row, const GetScope *scope, Value *ret) {
        int r = attr_get_number(row, scope, ret);

        if (r == 0)
                ret->number = ret->number != 0;
        return r;
}

#define BOOLEAN                                                                  \
        .name = "boolean", .syntax = "true or false", .parse = attr_parse_bool,       \
        .format = attr_format_bool, .equal = attr_equal_number

const AttrType attr_bool = {.size = 1, .put = attr_put_number, .get = bool_get, BOOLEAN};
const AttrType attr_bool32 = {.size = 4, .put = attr_put_number, .get = bool_get, BOOLEAN};

static bool row_wire_bit(const Row *row, const Value *value) {
        return (value->number != 0) != ((row->flags & ROW_INVERTED) != 0);
}

/* struct ifla_vlan_flags and struct br_boolopt_multi have the same shape. */
typedef struct MaskedBits {
        uint32_t value, mask;
} MaskedBits;

static int masked_bit_put(const Row *row, const Value *value, PutScope *scope) {
        MaskedBits *earlier = put_earlier(scope, row->nla, sizeof(MaskedBits)), bits = {};

        if (earlier)
                bits = *earlier;
        bits.mask |= (uint32_t)row->bit;
        if (row_wire_bit(row, value))
                bits.value |= (uint32_t)row->bit;
        if (!earlier)
                return put_attr(scope, row->nla, &bits, sizeof(bits));
        *earlier = bits;
        return 0;
}

static int masked_bit_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, sizeof(MaskedBits));
        MaskedBits bits;

        if (!attr)
                return ATTR_E_ABSENT;
        memcpy(&bits, mnl_attr_get_payload(attr), sizeof(bits));
        if (!(bits.mask & row->bit))
                return ATTR_E_ABSENT;
        *ret = (Value){.number = !!(bits.value & row->bit) != !!(row->flags & ROW_INVERTED)};
        return 0;
}

const AttrType attr_masked_bit = {
        .is_masked = true, .put = masked_bit_put, .get = masked_bit_get, BOOLEAN,
};

static uint64_t read_wire(const AttrType *type, const uint8_t *wire) {
        uint64_t number = 0;

        for (size_t i = 0; i < type->size; i++)
                number |= (uint64_t)wire[i] << (8 * (type->big_endian ? type->size - 1 - i : i));
        return number;
}

static void write_wire(const AttrType *type, uint64_t number, uint8_t *wire) {
        for (size_t i = 0; i < type->size; i++)
                wire[i] = (uint8_t)(number >>
                                    (8 * (type->big_endian ? type->size - 1 - i : i)));
}

static int bit_put(const Row *row, const Value *value, PutScope *scope) {
        uint8_t *earlier = put_earlier(scope, row->nla, row->type->size), wire[8];
        uint64_t bit = row_wire_bit(row, value) ? row->bit : 0;

        if (earlier) {
                write_wire(row->type, read_wire(row->type, earlier) | bit, earlier);
                return 0;
        }
        write_wire(row->type, bit, wire);
        return put_attr(scope, row->nla, wire, row->type->size);
}

static int bit_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, row->type->size);
        uint64_t bits;

        if (!attr)
                return ATTR_E_ABSENT;
        bits = read_wire(row->type, mnl_attr_get_payload(attr));
        *ret = (Value){.number = !!(bits & row->bit) != !!(row->flags & ROW_INVERTED)};
        return 0;
}

#define BIT .is_bit = true, .put = bit_put, .get = bit_get, BOOLEAN

const AttrType attr_bit16 = {.size = 2, BIT};
const AttrType attr_bit_be16 = {.size = 2, .big_endian = true, BIT};
const AttrType attr_bit32 = {.size = 4, BIT};

static int presence_put(const Row *row, const Value *value, PutScope *scope) {
        return value->number ? put_attr(scope, row->nla, NULL, 0) : 0;
}

static int presence_get(const Row *row, const GetScope *scope, Value *ret) {
        if (!get_attr(scope, row->nla, 0))
                return ATTR_E_ABSENT;
        *ret = (Value){.number = 1};
        return 0;
}

const AttrType attr_presence = {.put = presence_put, .get = presence_get, BOOLEAN};

/* ifi_change says which flags are meant; 0 would mean all of them (rtnl_dev_get_flags). */
static int iff_put(const Row *row, const Value *value, PutScope *scope) {
        struct ifinfomsg *header = mnl_nlmsg_get_payload(scope->message);

        header->ifi_change |= (unsigned)row->bit;
        if (row_wire_bit(row, value))
                header->ifi_flags |= (unsigned)row->bit;
        return 0;
}

static int iff_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct ifinfomsg *header = scope->header;

        *ret = (Value){.number = !!(header->ifi_flags & row->bit) !=
                                 !!(row->flags & ROW_INVERTED)};
        return 0;
}

const AttrType attr_iff = {.put = iff_put, .get = iff_get, BOOLEAN};

static int ntf_put(const Row *row, const Value *value, PutScope *scope) {
        struct ndmsg *header = mnl_nlmsg_get_payload(scope->message);

        if (value->number)
                header->ndm_flags |= (uint8_t)row->bit;
        return 0;
}

static int ntf_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct ndmsg *header = scope->header;

        *ret = (Value){.number = !!(header->ndm_flags & row->bit)};
        return 0;
}

const AttrType attr_ntf = {.put = ntf_put, .get = ntf_get, BOOLEAN};

/* Words. */

int attr_parse_enum(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        for (const Name *name = row->names; name->name; name++)
                if (streq(name->name, text)) {
                        *ret = (Value){.number = name->number};
                        return 0;
                }
        return invalid(scope, "is not one of them");
}

void attr_format_enum(const Row *row, const Value *value, Buf *ret) {
        const Name *name = row_name(row, value->number);

        if (name)
                buf_add(ret, name->name);
        else
                attr_format_number(row, value, ret);
}

#define ENUM                                                                                       \
        .name = "word", .parse = attr_parse_enum, .format = attr_format_enum,                      \
        .put = attr_put_number, .get = attr_get_number, .equal = attr_equal_number

const AttrType attr_enum8 = {.size = 1, ENUM};
const AttrType attr_enum16 = {.size = 2, ENUM};
const AttrType attr_enum32 = {.size = 4, ENUM};
const AttrType attr_enum64 = {.size = 8, ENUM};
const AttrType attr_enum_be16 = {.size = 2, .big_endian = true, ENUM};

/* Time. */

typedef struct Unit {
        const char *name;
        uint64_t ms;
} Unit;

static const Unit units[] = {
        {"ms", 1}, {"s", 1000}, {"min", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000},
};

/* "1.5s" in milliseconds. The number may have up to three decimals. */
int attr_parse_ms(ParseScope *scope, const char *text, uint64_t *ret) {
        uint64_t whole = 0, thousandths = 0, scale = 1000;
        const char *at = text;

        if (!isdigit((unsigned char)*at))
                return invalid(scope, "is not a duration");
        for (; isdigit((unsigned char)*at); at++) {
                whole = whole * 10 + (uint64_t)(*at - '0');
                if (whole > UINT32_MAX * (uint64_t)1000)
                        return invalid(scope, "is out of range");
        }
        if (*at == '.' && isdigit((unsigned char)at[1]))
                for (at++; isdigit((unsigned char)*at) && scale > 1; at++)
                        thousandths += (uint64_t)(*at - '0') * (scale /= 10);
        while (*at == ' ')
                at++;
        if (!*at && whole == 0 && thousandths == 0) {
                *ret = 0;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (streq(units[i].name, at)) {
                        if (whole >= UINT64_MAX / units[i].ms)
                                return invalid(scope, "is out of range");
                        *ret = whole * units[i].ms + thousandths * units[i].ms / 1000;
                        return 0;
                }
        if (*at || thousandths)
                return invalid(scope, "is not a duration");
        scope->reason = arena_printf(scope->arena,
                                     "has no unit: write %ss if you mean seconds, %llums if you "
                                     "mean the kernel's hundredths of a second",
                                     text, (unsigned long long)whole * 10);
        return scope->reason ? ATTR_E_INVALID : -ENOMEM;
}

int attr_parse_clock(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        uint64_t ms;
        int r = attr_parse_ms(scope, text, &ms);

        if (r != 0)
                return r;
        if (ms % 10)
                return invalid(scope, "is finer than the kernel counts (10ms)");
        if (!number_in_range(row, ms / 10))
                return invalid(scope, "is out of range");
        *ret = (Value){.number = ms / 10};
        return 0;
}

void attr_format_clock(const Row *row _unused_, const Value *value, Buf *ret) {
        unsigned long long number = value->number;

        if (number % 100 == 0)
                buf_printf(ret, "%llus", number / 100);
        else
                buf_printf(ret, "%llums", number * 10);
}

/*
 * The kernel keeps jiffies and reports them as clock ticks again, rounded down twice: with HZ=250
 * 31.25s reads back 31.24s (br_netlink.c, clock_t_to_jiffies). With 100 and 1000 nothing is lost.
 */
bool attr_equal_clock(const Row *row _unused_, const Value *wanted, const Value *have) {
        static const uint64_t hz[] = {250, 300};

        if (wanted->number == have->number)
                return true;
        if (wanted->number > UINT64_MAX / 300)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(hz); i++)
                if (wanted->number * hz[i] / 100 * 100 / hz[i] == have->number)
                        return true;
        return false;
}

#define CLOCK                                                                                      \
        .name = "duration", .syntax = "a duration", .is_number = true, .parse = attr_parse_clock,  \
        .format = attr_format_clock, .put = attr_put_number, .get = attr_get_number,               \
        .equal = attr_equal_clock

const AttrType attr_clock32 = {.size = 4, CLOCK};
const AttrType attr_clock64 = {.size = 8, CLOCK};

/* Durations that the kernel takes in milliseconds, or in seconds: no clock comes in between. */

static int parse_unit(const Row *row, ParseScope *scope, const char *text, uint64_t unit,
                      Value *ret) {
        uint64_t ms, bare;
        int r = attr_parse_ms(scope, text, &ms);

        if (r == ATTR_E_INVALID && text_to_u64(text, &bare) == 0) {
                scope->reason = arena_printf(scope->arena, "has no unit: write %ss if you mean "
                                             "seconds, %sms if you mean milliseconds", text, text);
                return scope->reason ? ATTR_E_INVALID : -ENOMEM;
        }
        if (r != 0)
                return r;
        if (ms % unit)
                return invalid(scope, "is finer than the kernel counts (1s)");
        if (!number_in_range(row, ms / unit))
                return invalid(scope, "is out of range");
        *ret = (Value){.number = ms / unit};
        return 0;
}

static int ms_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return parse_unit(row, scope, text, 1, ret);
}

static int seconds_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return parse_unit(row, scope, text, 1000, ret);
}

static void ms_format(const Row *row _unused_, const Value *value, Buf *ret) {
        bool whole = value->number % 1000 == 0;

        buf_printf(ret, "%llu%s", (unsigned long long)value->number / (whole ? 1000 : 1),
                   whole ? "s" : "ms");
}

static void seconds_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_printf(ret, "%llus", (unsigned long long)value->number);
}

#define SPAN                                                                               \
        .name = "duration", .syntax = "a duration", .is_number = true,                     \
        .put = attr_put_number, .get = attr_get_number, .equal = attr_equal_number
#define SECONDS .parse = seconds_parse, .format = seconds_format, SPAN

const AttrType attr_ms = {.size = 4, .parse = ms_parse, .format = ms_format, SPAN};
const AttrType attr_seconds = {.size = 4, SECONDS};
const AttrType attr_seconds16 = {.size = 2, SECONDS};

/* MAC addresses. */

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)tolower((unsigned char)c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int attr_parse_mac(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        Value value = {};

        if (strlen(text) != 17)
                return invalid(scope, "is not a MAC address");
        for (size_t i = 0; i < 6; i++) {
                int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);

                if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
                        return invalid(scope, "is not a MAC address");
                value.bytes[i] = (uint8_t)(high << 4 | low);
        }
        *ret = value;
        return 0;
}

void attr_format_mac(const Row *row _unused_, const Value *value, Buf *ret) {
        const uint8_t *m = value->bytes;

        buf_printf(ret, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static int mac_put(const Row *row, const Value *value, PutScope *scope) {
        return put_attr(scope, row->nla, value->bytes, 6);
}

static int mac_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 6);
        Value value = {};

        /* Longer and shorter link-layer addresses exist (InfiniBand, tunnels): not ours to set. */
        if (!attr || mnl_attr_get_payload_len(attr) != 6)
                return ATTR_E_ABSENT;
        memcpy(value.bytes, mnl_attr_get_payload(attr), 6);
        *ret = value;
        return 0;
}

bool attr_equal_mac(const Row *row _unused_, const Value *wanted, const Value *have) {
        return memcmp(wanted->bytes, have->bytes, 6) == 0;
}

#define MAC .put = mac_put, .get = mac_get, .equal = attr_equal_mac

const AttrType attr_mac = {
        .name = "MAC address",
        .syntax = "six hexadecimal bytes, 02:00:00:00:00:01",
        .parse = attr_parse_mac,
        .format = attr_format_mac,
        MAC,
};

static int mac_policy_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        static const uint8_t zero[6];
        int r;

        if (streq(text, "stable") || streq(text, "kernel")) {
                *ret = (Value){.policy = text[0] == 's' ? MAC_STABLE : MAC_KERNEL};
                return 0;
        }
        r = attr_parse_mac(row, scope, text, ret);
        if (r == 0 && (ret->bytes[0] & 1))
                return invalid(scope, "is a multicast address");
        if (r == 0 && memcmp(ret->bytes, zero, sizeof(zero)) == 0)
                return invalid(scope, "is no address");
        return r;
}

static void mac_policy_format(const Row *row, const Value *value, Buf *ret) {
        static const uint8_t unmade[6];

        if (value->policy == MAC_KERNEL)
                buf_add(ret, "kernel");
        else if (value->policy == MAC_STABLE && memcmp(value->bytes, unmade, sizeof(unmade)) == 0)
                buf_add(ret, "stable");
        else
                attr_format_mac(row, value, ret);
}

const AttrType attr_mac_policy = {
        .name = "MAC address",
        .syntax = "six hexadecimal bytes (02:00:00:00:00:01), stable or kernel",
        .parse = mac_policy_parse,
        .format = mac_policy_format,
        MAC,
};

/* Text. */

static int text_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        if (row->max && strlen(text) > (size_t)row->max)
                return invalid(scope, "is too long");
        for (const char *c = text; *c; c++)
                if (iscntrl((unsigned char)*c))
                        return invalid(scope, "has control characters");
        *ret = (Value){.text = arena_strdup(scope->arena, text)};
        return ret->text ? 0 : -ENOMEM;
}

static void text_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_add(ret, value->text);
}

/* Stored as it comes, so no NUL: it would become part of the alias (dev.c dev_set_alias). */
static int text_put(const Row *row, const Value *value, PutScope *scope) {
        return put_attr(scope, row->nla, value->text, strlen(value->text));
}

static int text_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 0);

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){.text = arena_strndup(scope->arena, mnl_attr_get_payload(attr),
                                             mnl_attr_get_payload_len(attr))};
        return ret->text ? 0 : -ENOMEM;
}

static bool text_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return streq(wanted->text, have->text);
}

#define TEXT                                                                      \
        .name = "text", .is_text = true, .parse = text_parse, .format = text_format, \
        .equal = text_equal

const AttrType attr_text = {.put = text_put, .get = text_get, TEXT};

/* What the kernel never hears of. */

int attr_put_nothing(const Row *row _unused_, const Value *value _unused_,
                     PutScope *scope _unused_) {
        return 0;
}

int attr_get_nothing(const Row *row _unused_, const GetScope *scope _unused_, Value *ret _unused_) {
        return ATTR_E_ABSENT;
}

#define LOCAL .put = attr_put_nothing, .get = attr_get_nothing

const AttrType attr_local_bool = {LOCAL, BOOLEAN};
const AttrType attr_local_u32 = {
        .name = "number", .syntax = "a number", .size = 4, .is_number = true,
        .parse = attr_parse_number, .format = attr_format_number, .equal = attr_equal_number, LOCAL,
};
const AttrType attr_local_text = {LOCAL, TEXT};
const AttrType attr_local_mac = {
        .name = "MAC address",
        .syntax = "six hexadecimal bytes, 02:00:00:00:00:01",
        .parse = attr_parse_mac,
        .format = attr_format_mac,
        .equal = attr_equal_mac,
        LOCAL,
};
