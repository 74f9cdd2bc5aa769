/* SPDX-License-Identifier: MIT */
/*
 * Ports of simulated devices. These are made by files in sysfs; of a port, rtnetlink tells what it
 * tells of every port of a device, and no IFLA_INFO_KIND (drivers/net/netdevsim, 5.14 … 6.12).
 */

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>

#include "mvnet/schema.h"

/* A number behind a word that goes without saying, counted from row->bit on. */

static const char *word_of(const Row *row) {
        return row->nla == IFLA_PARENT_DEV_NAME ? "netdevsim" : "p";
}

static int number_put(const Row *row, const Value *value, PutScope *scope) {
        _cleanup_(buf_deinit) Buf text = {};

        buf_printf(&text, "%s%llu", word_of(row), (unsigned long long)(value->number + row->bit));
        if (buf_error(&text) < 0)
                return -ENOMEM;
        return put_attr(scope, row->nla, buf_text(&text), text.size + 1);
}

static int number_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, 1);
        size_t size = strlen(word_of(row));
        uint64_t number;

        if (!attr)
                return ATTR_E_ABSENT;
        if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ||
            strncmp(mnl_attr_get_str(attr), word_of(row), size) != 0 ||
            text_to_u64(mnl_attr_get_str(attr) + size, &number) < 0 || number < row->bit ||
            number - row->bit > (uint64_t)row->max)
                return -EBADMSG;
        *ret = (Value){.number = number - row->bit};
        return 0;
}

static const AttrType attr_name_number = {
        .name = "number",
        .syntax = "a number",
        .is_number = true,
        .size = 4,
        .parse = attr_parse_number,
        .format = attr_format_number,
        .put = number_put,
        .get = number_get,
        .equal = attr_equal_number,
};

/* clang-format off */
static const Row rows[] = {
        { .key = "id", .nla = IFLA_PARENT_DEV_NAME, .type = &attr_name_number, .transport = TRANSPORT_SYSFS, .change = CHANGE_CREATE, .flags = ROW_REQUIRED, .max = INT32_MAX,
          .doc = "The device, which is made with its first port and goes with the last." },
        /* Port 0 is called p1 (dev.c __nsim_dev_port_add). */
        { .key = "port", .nla = IFLA_PHYS_PORT_NAME, .type = &attr_name_number, .transport = TRANSPORT_SYSFS, .change = CHANGE_CREATE, .max = 127, .bit = 1, .def = "0",
          .doc = "Which port of the device this link is." },
        { .key = "queues", .nla = IFLA_NUM_TX_QUEUES, .type = &attr_u32, .transport = TRANSPORT_SYSFS, .change = CHANGE_CREATE, .min = 1, .max = 4096, .def = "1",
          .doc = "How many queues the ports of the device have, as the first of them says." },
};
/* clang-format on */

const LinkKind link_kind_netdevsim = {
        .name = "netdevsim",
        .bus = "netdevsim",
        .transport = TRANSPORT_SYSFS,
        .options = {.name = "netdevsim", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_IMMUTABLE_NETNS,
        .doc = "A port of a simulated device, for trying out what talks to hardware.",
};
