/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_macsec.h>

#include "mvnet/schema.h"

/* The kernel calls the first by this name, whichever of its two was used (macsec_fill_info). */
#define CIPHER_GCM_AES_128 0x0080020001000001
#define CIPHER_GCM_AES_256 0x0080c20001000002
#define CIPHER_GCM_AES_XPN_128 0x0080c20001000003
#define CIPHER_GCM_AES_XPN_256 0x0080c20001000004

/* One that is made of the link's own address is the kernel's choice, and goes with that. */
static int sci_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *sci = get_attr(scope, row->nla, 8);
        const struct nlattr *mac = scope->outer_n > IFLA_ADDRESS ? scope->outer[IFLA_ADDRESS] : NULL;

        if (sci && mac && mnl_attr_get_payload_len(mac) == 6 &&
            memcmp(mnl_attr_get_payload(sci), mnl_attr_get_payload(mac), 6) == 0)
                return ATTR_E_ABSENT;
        return attr_get_number(row, scope, ret);
}

/* A MAC address and a port in network order: the number is as people write it. */
static const AttrType attr_sci = {
        .size = 8, .big_endian = true, .put = attr_put_number, .get = sci_get, ATTR_NUMBER,
};

/* Reported as the end of the SCI. */
static int port_get(const Row *row _unused_, const GetScope *scope, Value *ret) {
        const struct nlattr *sci = get_attr(scope, IFLA_MACSEC_SCI, 8);
        const uint8_t *bytes = sci ? mnl_attr_get_payload(sci) : NULL;

        if (!bytes)
                return attr_get_number(row, scope, ret);
        *ret = (Value){.number = (uint64_t)bytes[6] << 8 | bytes[7]};
        return 0;
}

static const AttrType attr_port = {
        .size = 2, .big_endian = true, .put = attr_put_number, .get = port_get, ATTR_NUMBER,
};

static const Name ciphers[] = {
        {"gcm-aes-128", CIPHER_GCM_AES_128},         {"gcm-aes-256", CIPHER_GCM_AES_256},
        {"gcm-aes-xpn-128", CIPHER_GCM_AES_XPN_128}, {"gcm-aes-xpn-256", CIPHER_GCM_AES_XPN_256},
        {},
};
static const Name validations[] = {{"disabled", 0}, {"check", 1}, {"strict", 2}, {}};
static const Name offloads[] = {{"off", 0}, {"phy", 1}, {"mac", 2}, {}};

/* clang-format off */
static const Row rows[] = {
        { .key = "sci", .nla = IFLA_MACSEC_SCI, .type = &attr_sci, .change = CHANGE_CREATE, .flags = ROW_SOMETIMES,
          .doc = "The secure channel's identifier: MAC address and port." },
        { .key = "port", .nla = IFLA_MACSEC_PORT, .type = &attr_port, .change = CHANGE_CREATE, .min = 1, .max = 65535, .def = "1",
          .doc = "The port in the secure channel's identifier." },
        { .key = "cipher", .nla = IFLA_MACSEC_CIPHER_SUITE, .type = &attr_enum64, .names = ciphers, .change = CHANGE_CREATE, .def = "gcm-aes-128",
          .doc = "The cipher." },
        { .key = "icvlen", .nla = IFLA_MACSEC_ICV_LEN, .type = &attr_u8, .change = CHANGE_CREATE, .min = 8, .max = 16, .def = "16",
          .doc = "The length of the integrity check in bytes." },
        { .key = "encrypt", .nla = IFLA_MACSEC_ENCRYPT, .type = &attr_bool, .def = "false",
          .doc = "Whether packets are encrypted, too." },
        { .key = "protect", .nla = IFLA_MACSEC_PROTECT, .type = &attr_bool, .def = "true",
          .doc = "Whether packets from us are protected." },
        { .key = "send-sci", .nla = IFLA_MACSEC_INC_SCI, .type = &attr_bool, .def = "true",
          .doc = "Whether packets carry the secure channel's identifier." },
        { .key = "end-station", .nla = IFLA_MACSEC_ES, .type = &attr_bool, .def = "false",
          .doc = "Whether packets say that they come from an end station." },
        { .key = "scb", .nla = IFLA_MACSEC_SCB, .type = &attr_bool, .def = "false",
          .doc = "Whether packets say that they are a copy for all." },
        /* Taken only together, and the window is reported with replay only (macsec_fill_info). */
        { .key = "replay", .nla = IFLA_MACSEC_REPLAY_PROTECT, .with = IFLA_MACSEC_WINDOW, .type = &attr_bool, .def = "false",
          .doc = "Whether old packets are dropped; needs window." },
        { .key = "window", .nla = IFLA_MACSEC_WINDOW, .type = &attr_u32, .flags = ROW_ABSENT_IS_DEF, .def = "0",
          .doc = "How far packets may be out of order." },
        { .key = "validate", .nla = IFLA_MACSEC_VALIDATION, .type = &attr_enum8, .names = validations, .def = "strict",
          .doc = "What is done with packets that are not valid." },
        { .key = "encodingsa", .nla = IFLA_MACSEC_ENCODING_SA, .type = &attr_u8, .max = 3, .def = "0",
          .doc = "Which of the four associations is used to send." },
        { .key = "offload", .nla = IFLA_MACSEC_OFFLOAD, .type = &attr_enum8, .names = offloads, .def = "off",
          .doc = "Which part of the hardware does the work." },
};
/* clang-format on */

static bool is_on(const AttrSet *options, const char *key, bool otherwise) {
        const Value *value = attrset_get(options, key);

        return value ? value->number : otherwise;
}

static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *cipher = attrset_get(options, "cipher");
        const Value *address = attrset_get(options, "sci"), *port = attrset_get(options, "port");
        bool sci = is_on(options, "send-sci", true), scb = is_on(options, "scb", false);

        *ret_key = "send-sci";
        *ret_reason = "does not go with end-station or scb: say 'send-sci: false'";
        if (sci && (scb || is_on(options, "end-station", false)))
                return 1;
        *ret_key = "scb";
        *ret_reason = "does not go with end-station";
        if (scb && is_on(options, "end-station", false))
                return 1;
        *ret_key = "replay";
        *ret_reason = "needs 'window'";
        if (is_on(options, "replay", false) && !attrset_get(options, "window"))
                return 1;
        *ret_key = "window";
        *ret_reason = "needs 'replay: true'";
        if (is_on(options, "window", false) && !is_on(options, "replay", false))
                return 1;
        *ret_key = "window";
        *ret_reason = "is at most 1073741823 with such a cipher";
        if (cipher && cipher->number >= CIPHER_GCM_AES_XPN_128 &&
            attrset_get(options, "window") && attrset_get(options, "window")->number > 0x3fffffff)
                return 1;
        *ret_key = "sci";
        *ret_reason = "has another port in it";
        return address && port && (address->number & 0xffff) != port->number;
}

static const Genl genl = {
        .family = MACSEC_GENL_NAME,
        .version = MACSEC_GENL_VERSION,
        .get = MACSEC_CMD_GET_TXSC,
        .dumps = true,
        .ifindex = MACSEC_ATTR_IFINDEX,
};

const LinkKind link_kind_macsec = {
        .name = "macsec",
        .genl = &genl,
        .options = {.name = "macsec", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_PARENT | KIND_SOLID | KIND_CLAIMS_PARENT,
        .verify = verify,
        .mtu = MTU_VARIES,
        .doc = "The parent's packets, protected and encrypted (IEEE 802.1AE).",
};

/* Bytes that a file says as hexadecimal digits. */

static bool hex_parse(const char *text, uint8_t *ret, size_t max, size_t *ret_n) {
        size_t n = strlen(text) / 2;

        if (n < 1 || n > max || strlen(text) % 2 || strspn(text, "0123456789abcdefABCDEF") != 2 * n)
                return false;
        for (size_t i = 0; i < 2 * n; i++) {
                unsigned digit = (unsigned)(text[i] <= '9' ? text[i] - '0' : (text[i] | 32) - 'a' + 10);

                ret[i / 2] = (uint8_t)(i % 2 ? ret[i / 2] | digit : digit << 4);
        }
        *ret_n = n;
        return true;
}

static int bytes_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        Value value = {};
        size_t n;

        scope->reason = row->type->size == MACSEC_KEYID_LEN ? "is not up to 16 bytes in hexadecimal"
                                                            : "is not 12 bytes in hexadecimal";
        if (!hex_parse(text, value.bytes, row->type->size, &n) ||
            (row->type->size != MACSEC_KEYID_LEN && n != row->type->size))
                return ATTR_E_INVALID;
        *ret = value;
        return 0;
}

/* Without zeros at the end, as `ip macsec` takes them. */
static void bytes_format(const Row *row, const Value *value, Buf *ret) {
        size_t n = row->type->size;

        while (n > 1 && row->type->size == MACSEC_KEYID_LEN && value->bytes[n - 1] == 0)
                n--;
        for (size_t i = 0; i < n; i++)
                buf_printf(ret, "%02x", value->bytes[i]);
}

static int bytes_put(const Row *row, const Value *value, PutScope *scope) {
        return put_attr(scope, row->nla, value->bytes, row->type->size);
}

static int bytes_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, row->type->size);

        if (!attr)
                return ATTR_E_ABSENT;
        *ret = (Value){};
        memcpy(ret->bytes, mnl_attr_get_payload(attr), row->type->size);
        return 0;
}

static bool bytes_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return memcmp(wanted->bytes, have->bytes, sizeof(wanted->bytes)) == 0;
}

#define BYTES                                                                                  \
        .parse = bytes_parse, .format = bytes_format, .put = bytes_put, .get = bytes_get,      \
        .equal = bytes_equal

static const AttrType attr_key_id = {.name = "key id", .syntax = "up to 16 bytes in hexadecimal",
                                     .size = MACSEC_KEYID_LEN, BYTES};
static const AttrType attr_salt = {.name = "salt", .syntax = "12 bytes in hexadecimal",
                                   .size = MACSEC_SALT_LEN, BYTES};

/* The key: never reported. `length` says how many bytes of it there are; 0 is none. */

static int key_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        Value value = {.secret = {.name = arena_strdup(scope->arena, text)}};
        uint8_t *key = arena_calloc(scope->arena, 1, SECRET_SIZE);
        char line[SECRET_LINE_SIZE];
        size_t n = 0;
        int r = 0;

        scope->reason = "names no file";
        if (!key || !value.secret.name)
                return -ENOMEM;
        if (!*text)
                return ATTR_E_INVALID;
        if (!streq(text, "none") && scope->read_secret) {
                r = scope->read_secret(scope, text, line);
                if (r == 0 && (!hex_parse(line, key, SECRET_SIZE, &n) || (n != 16 && n != 32))) {
                        scope->reason = "is a file that holds no key: 16 or 32 bytes in "
                                        "hexadecimal, one line";
                        r = ATTR_E_INVALID;
                }
                explicit_bzero(line, sizeof(line));
        }
        value.secret.key = key;
        value.length = (uint8_t)n;
        if (r == 0)
                *ret = value;
        return r;
}

static int key_put(const Row *row, const Value *value, PutScope *scope) {
        if (!value->secret.key || !value->length)
                return -ENOKEY;
        return put_attr(scope, row->nla, value->secret.key, value->length);
}

static bool key_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return streq_ptr(wanted->secret.name, have->secret.name);
}

static const AttrType attr_key_file = {
        .name = "file",
        .syntax = "the name of a file that holds a key, or none",
        .is_secret = true,
        .parse = key_parse,
        .format = attr_format_secret,
        .put = key_put,
        .get = attr_get_nothing,
        .equal = key_equal,
};

/* A packet number: eight bytes with the ciphers that have an SSCI (macsec_add_txsa). */
static int pn_put(const Row *row, const Value *value, PutScope *scope) {
        uint32_t number = (uint32_t)value->number;

        if (put_earlier(scope, MACSEC_SA_ATTR_SSCI, sizeof(uint32_t)))
                return put_attr(scope, row->nla, &value->number, sizeof(value->number));
        return number == value->number ? put_attr(scope, row->nla, &number, sizeof(number))
                                       : -ERANGE;
}

/* Where it is by now is nobody's to say: to go back would be to use numbers twice. */
static const AttrType attr_pn = {
        .name = "number",
        .syntax = "a number",
        .size = 8,
        .is_number = true,
        .parse = attr_parse_number,
        .format = attr_format_number,
        .put = pn_put,
        .get = attr_get_nothing,
        .equal = attr_equal_number,
};

/* The two parts of the identifier of a channel. */

static uint8_t *put_sci(PutScope *scope) {
        static const uint8_t none[8];
        uint8_t *there = put_earlier(scope, MACSEC_RXSC_ATTR_SCI, sizeof(none));

        if (there || put_attr(scope, MACSEC_RXSC_ATTR_SCI, none, sizeof(none)) < 0)
                return there;
        return put_earlier(scope, MACSEC_RXSC_ATTR_SCI, sizeof(none));
}

static int sci_mac_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        uint8_t *sci = put_sci(scope);

        if (!sci)
                return -EMSGSIZE;
        memcpy(sci, value->bytes, 6);
        return 0;
}

static int sci_mac_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *sci = get_attr(scope, row->nla, 8);

        if (!sci)
                return ATTR_E_ABSENT;
        *ret = (Value){};
        memcpy(ret->bytes, mnl_attr_get_payload(sci), 6);
        return 0;
}

static int sci_port_put(const Row *row _unused_, const Value *value, PutScope *scope) {
        uint8_t *sci = put_sci(scope);

        if (!sci)
                return -EMSGSIZE;
        sci[6] = (uint8_t)(value->number >> 8);
        sci[7] = (uint8_t)value->number;
        return 0;
}

static int sci_port_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 8);
        const uint8_t *sci = attr ? mnl_attr_get_payload(attr) : NULL;

        if (!sci)
                return ATTR_E_ABSENT;
        *ret = (Value){.number = (uint64_t)sci[6] << 8 | sci[7]};
        return 0;
}

static const AttrType attr_sci_mac = {
        .name = "MAC address",
        .syntax = "a MAC address",
        .parse = attr_parse_mac,
        .format = attr_format_mac,
        .put = sci_mac_put,
        .get = sci_mac_get,
        .equal = attr_equal_mac,
};

static const AttrType attr_sci_port = {
        .name = "number",
        .syntax = "a number",
        .size = 2,
        .is_number = true,
        .parse = attr_parse_number,
        .format = attr_format_number,
        .put = sci_port_put,
        .get = sci_port_get,
        .equal = attr_equal_number,
};

/* clang-format off */
static const Row sa_rows[] = {
        { .key = "an", .nla = MACSEC_SA_ATTR_AN, .type = &attr_u8, .change = CHANGE_KEY, .flags = ROW_REQUIRED, .max = 3,
          .doc = "Which of the four associations it is." },
        { .key = "ssci", .nla = MACSEC_SA_ATTR_SSCI, .type = &attr_be32, .change = CHANGE_CREATE, .min = 1, .max = UINT32_MAX,
          .doc = "The short identifier of the channel; with the ciphers that count further (xpn), and only with these." },
        { .key = "salt", .nla = MACSEC_SA_ATTR_SALT, .type = &attr_salt, .change = CHANGE_CREATE, .flags = ROW_WRITE_ONLY,
          .doc = "What goes into each packet's nonce; with such ciphers." },
        { .key = "pn", .nla = MACSEC_SA_ATTR_PN, .type = &attr_pn, .flags = ROW_WRITE_ONLY, .min = 1, .max = INT64_MAX, .def = "1",
          .doc = "The number of its first packet; from there on it counts by itself." },
        { .key = "key-id", .nla = MACSEC_SA_ATTR_KEYID, .type = &attr_key_id, .change = CHANGE_CREATE, .flags = ROW_REQUIRED,
          .doc = "Which key it is: all that the kernel tells of it, so that another key must have another one." },
        { .key = "key-file", .nla = MACSEC_SA_ATTR_KEY, .type = &attr_key_file, .change = CHANGE_CREATE, .flags = ROW_WRITE_ONLY | ROW_SECRET, .def = "none",
          .doc = "The file that holds the key, 16 or 32 bytes in hexadecimal; relative to this file, and not readable by others." },
        { .key = "active", .nla = MACSEC_SA_ATTR_ACTIVE, .type = &attr_bool, .def = "true",
          .doc = "Whether it is used." },
};

/* The kernel turns one off that has used up its numbers (__macsec_pn_wrapped): that has to stay so. */
static const Row tx_sa_rows[] = {
        { .key = "active", .nla = MACSEC_SA_ATTR_ACTIVE, .type = &attr_bool, .flags = ROW_USERS, .def = "true",
          .doc = "Whether it is used, until its numbers are used up." },
};

static const Row rx_rows[] = {
        { .key = "mac", .nla = MACSEC_RXSC_ATTR_SCI, .type = &attr_sci_mac, .bit = 0xffffffffffff0000, .change = CHANGE_KEY, .flags = ROW_REQUIRED,
          .doc = "Who sends: the MAC address in the identifier of its channel." },
        { .key = "port", .nla = MACSEC_RXSC_ATTR_SCI, .type = &attr_sci_port, .bit = 0xffff, .change = CHANGE_KEY, .min = 1, .max = 65535, .def = "1",
          .doc = "The port in it." },
        { .key = "active", .nla = MACSEC_RXSC_ATTR_ACTIVE, .type = &attr_bool, .def = "true",
          .doc = "Whether it counts as in use; what is taken from there its associations decide." },
};

/* The channel's rows are put and read by the channel's table. */
static const Row rx_sa_rows[] = {
        { .key = "mac", .type = &attr_mac, .change = CHANGE_KEY, .flags = ROW_REQUIRED,
          .doc = "Of which channel: its MAC address." },
        { .key = "port", .type = &attr_be16, .change = CHANGE_KEY, .min = 1, .max = 65535, .def = "1",
          .doc = "Of which channel: its port." },
};
/* clang-format on */

static int sa_verify_on(const AttrSet *options, const AttrSet *set, const char **ret_key,
                        const char **ret_reason) {
        const Value *cipher = attrset_get(options, "cipher"), *key = attrset_get(set, "key-file");
        const Value *pn = attrset_get(set, "pn");
        uint64_t suite = cipher ? cipher->number : CIPHER_GCM_AES_128;
        bool xpn = suite == CIPHER_GCM_AES_XPN_128 || suite == CIPHER_GCM_AES_XPN_256;
        bool wide = suite == CIPHER_GCM_AES_256 || suite == CIPHER_GCM_AES_XPN_256;

        *ret_key = "key-file";
        *ret_reason = wide ? "is a key of 16 bytes, and the cipher takes 32"
                           : "is a key of 32 bytes, and the cipher takes 16";
        if (key && key->length && (key->length == SECRET_SIZE) != wide)
                return 1;
        for (const char **row = (const char *[]){"ssci", "salt", NULL}; *row; row++) {
                *ret_key = *row;
                *ret_reason = xpn ? "is needed with such a cipher" : "is for xpn ciphers";
                if (!attrset_get(set, *row) == xpn)
                        return 1;
        }
        *ret_key = "pn";
        *ret_reason = "is at most 4294967295 without an xpn cipher";
        return !xpn && pn && pn->number > UINT32_MAX;
}

static const Schema sa_schema = {.name = "sa", .rows = sa_rows, .n = ELEMENTSOF(sa_rows)};

static const GenlList tx_sa_list = {
        .list = MACSEC_ATTR_TXSA_LIST,
        .add = MACSEC_CMD_ADD_TXSA,
        .change = MACSEC_CMD_UPD_TXSA,
        .del = MACSEC_CMD_DEL_TXSA,
        .nest = MACSEC_ATTR_SA_CONFIG,
        .rests = "active",
};

const ObjectType object_macsec_tx_sa = {
        .schema = {.name = "tx-sa", .rows = tx_sa_rows, .n = ELEMENTSOF(tx_sa_rows),
                   .like = &sa_schema},
        .transport = TRANSPORT_GENL,
        .flags = OBJECT_ON_LINK | OBJECT_EXACT | OBJECT_WHOLE | OBJECT_BY_ROW,
        .only = &link_kind_macsec,
        .genl = &tx_sa_list,
        .verify_on = sa_verify_on,
        .doc = "The associations to send by, each with a key; `encodingsa` says which is in use.",
};

static const GenlList rx_list = {
        .list = MACSEC_ATTR_RXSC_LIST,
        .add = MACSEC_CMD_ADD_RXSC,
        .change = MACSEC_CMD_UPD_RXSC,
        .del = MACSEC_CMD_DEL_RXSC,
        .nest = MACSEC_ATTR_RXSC_CONFIG,
};

const ObjectType object_macsec_rx = {
        .schema = {.name = "rx", .rows = rx_rows, .n = ELEMENTSOF(rx_rows)},
        .transport = TRANSPORT_GENL,
        .flags = OBJECT_ON_LINK | OBJECT_EXACT | OBJECT_WHOLE | OBJECT_BY_ROW,
        .only = &link_kind_macsec,
        .genl = &rx_list,
        .inner = &object_macsec_rx_sa,
        .doc = "The channels to receive by, each with its associations (`sa`).",
};

static const GenlList rx_sa_list = {
        .list = MACSEC_RXSC_ATTR_SA_LIST,
        .add = MACSEC_CMD_ADD_RXSA,
        .change = MACSEC_CMD_UPD_RXSA,
        .del = MACSEC_CMD_DEL_RXSA,
        .nest = MACSEC_ATTR_SA_CONFIG,
        .rests = "active",
};

const ObjectType object_macsec_rx_sa = {
        .schema = {.name = "rx-sa", .rows = rx_sa_rows, .n = ELEMENTSOF(rx_sa_rows),
                   .like = &sa_schema},
        .transport = TRANSPORT_GENL,
        .flags = OBJECT_ON_LINK | OBJECT_EXACT | OBJECT_WHOLE | OBJECT_BY_ROW,
        .only = &link_kind_macsec,
        .genl = &rx_sa_list,
        .within = &object_macsec_rx,
        .within_key = "sa",
        .verify_on = sa_verify_on,
        .doc = "The associations of a channel to receive by: the list `sa` of an entry of `rx`.",
};
