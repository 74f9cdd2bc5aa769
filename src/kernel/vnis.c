/* SPDX-License-Identifier: MIT */
/*
 * The networks of a vxlan that filters: RTM_NEWTUNNEL and its likes (5.18). One message takes any
 * number of ranges.
 *
 * What is sent is the difference to what is there by then. One that gets another far end is taken
 * out first: the kernel would go on sending to the old one, too (vxlan_vni_update_group; 6.1 … 6.18).
 */

#include "kernel/applier.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>

#define DUMP_TRIES 8
#define ENTRY_SIZE 64 /* what one range takes at most, with an IPv6 address */

/* Reading. */

static bool get_number(const struct nlattr *attr, uint32_t *ret) {
        if (!attr || mnl_attr_get_payload_len(attr) < sizeof(*ret))
                return false;
        *ret = mnl_attr_get_u32(attr);
        return true;
}

static void get_far(const struct nlattr *attr, uint8_t family, Value *ret) {
        size_t size = ip_bytes(family);

        if (!attr || mnl_attr_get_payload_len(attr) < size)
                return;
        *ret = (Value){.family = family};
        memcpy(ret->bytes, mnl_attr_get_payload(attr), size);
}

static int add_entry(const struct nlattr *entry, Arena *arena, Value *list) {
        const struct nlattr *tb[VXLAN_VNIFILTER_ENTRY_MAX + 1];
        VniRange *range = arena_new(arena, VniRange);
        int r = attrs_parse_nest(entry, tb, ELEMENTSOF(tb));

        if (!range || r < 0)
                return range ? r : -ENOMEM;
        *range = (VniRange){};
        if (!get_number(tb[VXLAN_VNIFILTER_ENTRY_START], &range->from))
                return -EBADMSG;
        if (!get_number(tb[VXLAN_VNIFILTER_ENTRY_END], &range->to))
                range->to = range->from;
        if (range->from < 1 || range->from > range->to || range->to > VNI_MAX)
                return -EBADMSG;
        get_far(tb[VXLAN_VNIFILTER_ENTRY_GROUP], AF_INET, &range->far);
        get_far(tb[VXLAN_VNIFILTER_ENTRY_GROUP6], AF_INET6, &range->far);
        return value_append(&(Row){.type = &attr_vnis}, arena, list, &(Value){.vnis = range});
}

static int add_entries(const struct nlmsghdr *message, Arena *arena, Value *list) {
        const struct nlattr *attr;
        int r = 0;

        mnl_attr_for_each(attr, message, sizeof(struct tunnel_msg))
                if (r == 0 && mnl_attr_get_type(attr) == VXLAN_VNIFILTER_ENTRY)
                        r = add_entry(attr, arena, list);
        return r;
}

typedef struct Reading {
        int ifindex;
        NetlinkRow row;
        void (*restart)(void *userdata);
        void *userdata;
} Reading;

static int take_message(const struct nlmsghdr *message, void *userdata) {
        const struct tunnel_msg *header = mnl_nlmsg_get_payload(message);
        const Reading *reading = userdata;

        if (message->nlmsg_type != RTM_NEWTUNNEL)
                return 0;
        if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
                return -EBADMSG;
        return (int)header->ifindex == reading->ifindex ? reading->row(message, reading->userdata)
                                                        : 0;
}

static void restart_reading(void *userdata) {
        const Reading *reading = userdata;

        reading->restart(reading->userdata);
}

int vnis_get(const Space *space, int ifindex, NetlinkRow row, void (*restart)(void *userdata),
             void *userdata) {
        Reading reading = {ifindex, row, restart, userdata};
        DumpRequest buffer;
        struct nlmsghdr *request = dump_request(&buffer, RTM_GETTUNNEL, sizeof(struct tunnel_msg));
        struct tunnel_msg *header = mnl_nlmsg_get_payload(request);

        header->family = AF_BRIDGE;
        header->ifindex = (uint32_t)ifindex;
        return netlink_dump_consistent(space->netlink, request, take_message, restart_reading,
                                       &reading, DUMP_TRIES);
}

int vnis_decode(const char *messages, size_t size, Arena *arena, Value *ret) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)messages;
        ParseScope scope = {.arena = arena};
        int left = (int)size, r = 0;
        Value list = {};

        for (; r == 0 && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
                r = add_entries(message, arena, &list);
        if (r == 0)
                r = vnis_join(&scope, &list);
        if (r == 0)
                *ret = list;
        return r > 0 ? -EBADMSG : r;
}

/* Writing. */

static int begin(Applier *applier, uint16_t type, int ifindex) {
        struct nlmsghdr *message = applier_request(applier)->scope.message;
        struct tunnel_msg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

        message->nlmsg_type = type;
        header->family = AF_BRIDGE;
        header->ifindex = (uint32_t)ifindex;
        return 0;
}

static int put_range(PutScope *scope, const VniRange *range) {
        struct nlattr *nest = put_nest(scope, VXLAN_VNIFILTER_ENTRY);
        bool ip6 = range->far.family == AF_INET6;
        int r = nest ? put_attr(scope, VXLAN_VNIFILTER_ENTRY_START, &range->from,
                                sizeof(range->from))
                     : -EMSGSIZE;

        if (r == 0 && range->to != range->from)
                r = put_attr(scope, VXLAN_VNIFILTER_ENTRY_END, &range->to, sizeof(range->to));
        if (r == 0 && range->far.family)
                r = put_attr(scope, ip6 ? VXLAN_VNIFILTER_ENTRY_GROUP6 : VXLAN_VNIFILTER_ENTRY_GROUP,
                             range->far.bytes, ip_bytes(range->far.family));
        if (r == 0)
                put_nest_end(scope, nest);
        return r;
}

static int send_all(Applier *applier, uint16_t type, int ifindex, const Value *list) {
        const PutScope *scope = &applier->request.scope;
        int r = list->list.n ? begin(applier, type, ifindex) : 0;

        for (size_t i = 0; r == 0 && i < list->list.n; i++) {
                r = put_range(&applier->request.scope, list->list.items[i].vnis);
                if (r < 0 || i + 1 == list->list.n ||
                    scope->size - scope->message->nlmsg_len < ENTRY_SIZE)
                        r = applier_send(applier, r);
                if (r == 0 && i + 1 < list->list.n &&
                    scope->size - scope->message->nlmsg_len < ENTRY_SIZE)
                        r = begin(applier, type, ifindex);
        }
        return r;
}

typedef struct Found {
        Arena *arena;
        Value list;
} Found;

static int take_found(const struct nlmsghdr *message, void *userdata) {
        Found *found = userdata;

        return add_entries(message, found->arena, &found->list);
}

static void forget_found(void *userdata) {
        ((Found *)userdata)->list = (Value){};
}

static int write_list(Applier *applier, int ifindex, const Value *wanted) {
        Arena *arena = &applier->arena;
        Found have = {.arena = arena};
        Value goes, comes;
        int r = vnis_get(applier->space, ifindex, take_found, forget_found, &have);

        if (r != 0)
                return applier_fail(applier, r < 0 ? r : -EAGAIN, "the networks can't be read");
        r = vnis_except(arena, &have.list, wanted, &goes);
        if (r == 0)
                r = vnis_except(arena, wanted, &have.list, &comes);
        if (r == 0)
                r = send_all(applier, RTM_DELTUNNEL, ifindex, &goes);
        return r == 0 ? send_all(applier, RTM_NEWTUNNEL, ifindex, &comes) : r;
}

int vnis_apply(Applier *applier, int ifindex) {
        const Op *op = applier->op;
        const AttrSet *options = link_section(op->link, op->section);
        RowSet rows = op->rows[op->section];
        size_t i;
        int r = 0;

        ROWSET_FOREACH(i, rows) {
                if (r == 0)
                        r = write_list(applier, ifindex, &options->values[i]);
                if (r < 0)
                        applier->result->row = schema_row(options->schema, i);
        }
        return r;
}
