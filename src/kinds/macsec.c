/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>

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
        .name = "number",
        .syntax = "a number",
        .size = 8,
        .big_endian = true,
        .is_number = true,
        .parse = attr_parse_number,
        .format = attr_format_number,
        .put = attr_put_number,
        .get = sci_get,
        .equal = attr_equal_number,
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
        .name = "number",
        .syntax = "a number",
        .size = 2,
        .big_endian = true,
        .is_number = true,
        .parse = attr_parse_number,
        .format = attr_format_number,
        .put = attr_put_number,
        .get = port_get,
        .equal = attr_equal_number,
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

const LinkKind link_kind_macsec = {
        .name = "macsec",
        .options = {.name = "macsec", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_PARENT | KIND_SOLID | KIND_CLAIMS_PARENT,
        .verify = verify,
        .mtu = MTU_VARIES,
        .doc = "The parent's packets, protected and encrypted (IEEE 802.1AE); keys are another's business.",
};
