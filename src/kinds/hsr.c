/* SPDX-License-Identifier: MIT */
#include <libmnl/libmnl.h>
#include <linux/if_link.h>

#include "mvnet/schema.h"

#define HSR_INTERLINK 8 /* IFLA_HSR_INTERLINK, 6.10 */

/* Reported as the last byte of the address that comes of it. */
static int supervision_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *address = get_attr(scope, IFLA_HSR_SUPERVISION_ADDR, 6);
        const uint8_t *bytes = address ? mnl_attr_get_payload(address) : NULL;

        if (!bytes)
                return attr_get_number(row, scope, ret);
        *ret = (Value){.number = bytes[5]};
        return 0;
}

static const AttrType attr_supervision = {
        .size = 1, .put = attr_put_number, .get = supervision_get, ATTR_NUMBER,
};

static const Name protocols[] = {{"hsr", HSR_PROTOCOL_HSR}, {"prp", HSR_PROTOCOL_PRP}, {}};

/* clang-format off */
static const Row rows[] = {
        { .key = "slave1", .nla = IFLA_HSR_SLAVE1, .type = &attr_link, .change = CHANGE_CREATE, .flags = ROW_REQUIRED | ROW_NEEDED,
          .doc = "One way round the ring." },
        { .key = "slave2", .nla = IFLA_HSR_SLAVE2, .type = &attr_link, .change = CHANGE_CREATE, .flags = ROW_REQUIRED | ROW_NEEDED,
          .doc = "The other way round the ring." },
        { .key = "interlink", .nla = HSR_INTERLINK, .type = &attr_link, .change = CHANGE_CREATE, .flags = ROW_NEEDED | ROW_ABSENT_IS_DEF, .def = "none",
          .doc = "The way to hosts that know nothing of the ring (Linux 6.10)." },
        { .key = "supervision", .nla = IFLA_HSR_MULTICAST_SPEC, .type = &attr_supervision, .change = CHANGE_CREATE, .def = "0",
          .doc = "The last byte of the address that supervision packets are sent to." },
        { .key = "proto", .nla = IFLA_HSR_PROTOCOL, .type = &attr_enum8, .names = protocols, .change = CHANGE_CREATE, .def = "hsr",
          .doc = "The protocol." },
        { .key = "version", .nla = IFLA_HSR_VERSION, .type = &attr_u8, .change = CHANGE_CREATE, .max = 1, .flags = ROW_WRITE_ONLY, .def = "0",
          .doc = "The version of HSR." },
};
/* clang-format on */

static int verify(const AttrSet *common _unused_, const AttrSet *options, const char **ret_key,
                  const char **ret_reason) {
        const Value *one = attrset_get(options, "slave1"), *two = attrset_get(options, "slave2");
        const Value *proto = attrset_get(options, "proto"), *version = attrset_get(options, "version");

        *ret_key = "slave2";
        *ret_reason = "is slave1, too";
        if (one && two && !one->unresolved && !two->unresolved && one->ref.link && two->ref.link &&
            streq(one->ref.link, two->ref.link) && streq_ptr(one->ref.netns, two->ref.netns))
                return 1;
        *ret_key = "version";
        *ret_reason = "is for HSR";
        return proto && proto->number == HSR_PROTOCOL_PRP && version && version->number;
}

const LinkKind link_kind_hsr = {
        .name = "hsr",
        .options = {.name = "hsr", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_IMMUTABLE_NETNS | KIND_NO_MAC | KIND_DATA_ALWAYS,
        .verify = verify,
        .mtu = MTU_VARIES,
        .doc = "A ring of which each packet takes both ways (HSR), or two networks likewise (PRP).",
};
