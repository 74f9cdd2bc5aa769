/* SPDX-License-Identifier: MIT */
/*
 * Links with a file at their far end. What rtnetlink reports of a tun and does not do: it is made,
 * and changed, by whoever has it open. And what it knows nothing of, who may open a macvtap's file.
 * Rows are put as they would be in a message, and the message is carried out here.
 */

#include "kernel/applier.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>

static bool is_set(const struct nlattr *attr) {
        return attr && mnl_attr_get_u8(attr);
}

static uint32_t number_or(const struct nlattr *attr) {
        return attr ? mnl_attr_get_u32(attr) : UINT32_MAX;
}

/* Opening it says all of its flags anew, so all of them are sent with any of them. */
static int encode(Applier *applier, int ifindex, NetnsTun *ret) {
        const Link *link = applier->op->link;
        Request *request = applier_request(applier);
        const struct nlattr *tb[IFLA_TUN_NUM_DISABLED_QUEUES + 1];
        RowSet rows = attrset_rows_by(&link->options, TRANSPORT_TUN);
        int r = attrset_encode(&link->options, rows, &request->scope, &request->placed);

        if (r == 0)
                r = attrs_parse_message(request->scope.message, 0, tb, ELEMENTSOF(tb));
        if (r < 0)
                return r;
        *ret = (NetnsTun){
                .name = applier->op->name,
                .ifindex = ifindex,
                .user = number_or(tb[IFLA_TUN_OWNER]),
                .group = number_or(tb[IFLA_TUN_GROUP]),
                .flags = link->kind->type,
        };
        if (!is_set(tb[IFLA_TUN_PI]))
                ret->flags |= IFF_NO_PI;
        if (is_set(tb[IFLA_TUN_VNET_HDR]))
                ret->flags |= IFF_VNET_HDR;
        if (is_set(tb[IFLA_TUN_MULTI_QUEUE]))
                ret->flags |= IFF_MULTI_QUEUE;
        return 0;
}

static const Row *row_at_fault(const Op *op) {
        RowSet rows = op->rows[SECTION_OPTIONS];

        return __builtin_popcountll(rows) == 1
                ? schema_row(op->link->options.schema, (size_t)__builtin_ctzll(rows)) : NULL;
}

static int fail(Applier *applier, int r) {
        if (r == NETNS_E_ABSENT)
                return applier_fail(applier, -ENOENT, "there is no /dev/net/tun here");
        if (r == -EBUSY)
                applier_fail(applier, r, "it is in use: this can be changed while nobody has it "
                             "open");
        if (r < 0)
                applier->result->row = row_at_fault(applier->op);
        return r;
}

int tun_set(Applier *applier, int ifindex) {
        NetnsTun tun;
        int r = encode(applier, ifindex, &tun);

        if (r < 0)
                return r;
        applier->kernel->kernel.writes++;
        return fail(applier, netns_tun_change(space_visit(applier->space), &tun));
}

/* It stays only once it bears all that a link that is made has: our mark above all. */
int tun_add(Applier *applier) {
        _cleanup_(fd_closep) int fd = -1;
        const Op *op = applier->op;
        Op common = {.link = op->link, .section = SECTION_COMMON};
        NetnsTun tun;
        int ifindex, r = encode(applier, 0, &tun);

        if (r < 0)
                return r;
        applier->kernel->kernel.writes++;
        r = netns_tun_make(space_visit(applier->space), &tun, &fd);
        if (r != 0)
                return fail(applier, r);
        common.rows[SECTION_COMMON] = op->rows[SECTION_COMMON];
        r = applier_find(applier, op->name, &ifindex);
        if (r == 0 && common.rows[SECTION_COMMON])
                r = applier_send(applier, encode_link_set(applier_request(applier), &common,
                                                          ifindex));
        if (r == 0)
                r = netns_tun_keep(fd);
        if (r < 0)
                applier_forget(applier, op->netns, op->name);
        return r;
}

/* Character devices. */

static int encode_device(Applier *applier, NetnsDevice *ret) {
        const Link *link = applier->op->link;
        Request *request = applier_request(applier);
        const struct nlattr *tb[_DEVICE_N];
        int r = attrset_encode(&link->options, applier->op->rows[SECTION_OPTIONS], &request->scope,
                               &request->placed);

        if (r == 0)
                r = attrs_parse_message(request->scope.message, 0, tb, ELEMENTSOF(tb));
        if (r < 0)
                return r;
        *ret = (NetnsDevice){
                .link = applier->op->name,
                .subsystem = link->kind->name,
                .user = number_or(tb[DEVICE_USER]),
                .group = number_or(tb[DEVICE_GROUP]),
                .mode = number_or(tb[DEVICE_MODE]),
        };
        return 0;
}

int device_set(Applier *applier, int ifindex _unused_) {
        _cleanup_(buf_deinit) Buf alias = {};
        NetnsDevice device;
        int r = encode_device(applier, &device);

        device_alias(applier->op->netns, applier->op->name, &alias);
        if (r == 0)
                r = buf_error(&alias);
        if (r < 0)
                return r;
        applier->kernel->kernel.writes++;
        r = netns_device_set(space_visit(applier->space), buf_text(&alias), &device);
        if (r > 0)
                r = applier_fail(applier, -ENOENT, "there is no file in /dev for it");
        if (r < 0)
                applier->result->row = row_at_fault(applier->op);
        return r;
}

void device_forget(const Op *op) {
        _cleanup_(buf_deinit) Buf alias = {};

        if (!op->link || !link_kind_is(op->link->kind, KIND_DEVICE))
                return;
        device_alias(op->netns, op->name, &alias);
        if (buf_error(&alias) == 0)
                netns_device_forget(buf_text(&alias));
}
