/* SPDX-License-Identifier: MIT */
/* What the kernel does far better in one go than one by one: deletions, and coming up. */

#include "kernel/applier.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define DUMP_TRIES 32

/* Deleting many. */

/*
 * Each RTM_DELLINK waits for RCU: 17 to 35 ms (6.18). One for a whole group waits once, so the
 * links are put into a group of our own first, which nothing else should be in.
 */
typedef struct Doom {
        Applier *applier;
        const Op *const *ops;
        OpResult *results;
        size_t n;
        int *ifindexes; /* per op; 0: nothing (more) to do */
        int *sorted;    /* of those that are in the group */
        size_t sorted_n;
        bool strangers;
} Doom;

static int compare_int(const void *a, const void *b) {
        int x = *(const int *)a, y = *(const int *)b;

        return (x > y) - (x < y);
}

static int take_member(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *tb[IFLA_GROUP + 1];
        const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
        Doom *doom = userdata;
        int r;

        if (message->nlmsg_type != RTM_NEWLINK)
                return 0;
        r = attrs_parse_message(message, sizeof(*info), tb, ELEMENTSOF(tb));
        if (r < 0)
                return r;
        if (!tb[IFLA_GROUP] || mnl_attr_get_payload_len(tb[IFLA_GROUP]) < sizeof(uint32_t) ||
            mnl_attr_get_u32(tb[IFLA_GROUP]) != LINK_GROUP_DOOMED)
                return 0;
        if (!bsearch(&info->ifi_index, doom->sorted, doom->sorted_n, sizeof(int), compare_int))
                doom->strangers = true;
        return 0;
}

static void restart_members(void *userdata) {
        Doom *doom = userdata;

        doom->strangers = false;
}

static int look_for_strangers(Doom *doom) {
        DumpRequest buffer;
        struct nlmsghdr *request = dump_request(&buffer, RTM_GETLINK, sizeof(struct ifinfomsg));

        qsort(doom->sorted, doom->sorted_n, sizeof(int), compare_int);
        mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return netlink_dump_consistent(doom->applier->space->netlink, request, take_member,
                                       restart_members, doom, DUMP_TRIES);
}

/* Puts one link into the group. On failure it stays for a deletion by itself. */
static void mark_doomed(Doom *doom, size_t i) {
        Applier *applier = doom->applier;
        int ifindex, r;

        applier_begin(applier, doom->ops[i], &doom->results[i]);
        r = applier_ifindex(applier, &ifindex);
        applier_forget(applier, applier->op->netns, applier->op->name);
        if (r == 0)
                r = applier_send(applier, encode_link_group(applier_request(applier), ifindex,
                                                            LINK_GROUP_DOOMED));
        if (r == 0) {
                doom->ifindexes[i] = ifindex;
                doom->sorted[doom->sorted_n++] = ifindex;
        }
        *applier->result = (OpResult){.done = r == 0 || r == -ENODEV};
}

static uint32_t former_group(const Op *op) {
        const AttrSet *common = op->link ? &op->link->common : NULL;

        if (common && common->schema && attrset_has(common, LINK_GROUP))
                return (uint32_t)common->values[LINK_GROUP].number;
        return LINK_GROUP_OURS;
}

static void delete_single(Doom *doom, size_t i) {
        Applier *applier = doom->applier;
        OpResult *result = &doom->results[i], kept;

        if (result->done && doom->ifindexes[i] == 0)
                return;
        applier_apply(applier, doom->ops[i], result);
        if (result->error == 0 || doom->ifindexes[i] == 0)
                return;
        /* It stays, so it must not go with the next group. */
        kept = *result;
        applier_send(applier, encode_link_group(applier_request(applier), doom->ifindexes[i],
                                                former_group(doom->ops[i])));
        *result = kept;
}

static int delete_group(Doom *doom) {
        Applier *applier = doom->applier;
        OpResult result = {};
        int r;

        if (doom->sorted_n < 2)
                return -EAGAIN;
        r = look_for_strangers(doom);
        if (r != 0 || doom->strangers)
                return -EAGAIN;
        applier->result = &result;
        r = applier_send(applier, encode_group_del(applier_request(applier), LINK_GROUP_DOOMED));
        if (r != 0 && r != -ENODEV)
                return r;
        for (size_t i = 0; i < doom->n; i++)
                doom->ifindexes[i] = 0;
        return 0;
}

int bulk_delete(Applier *applier, const Op *const *ops, size_t n, OpResult *results) {
        Doom doom = {
                .applier = applier,
                .ops = ops,
                .results = results,
                .n = n,
                .ifindexes = arena_new_n(&applier->arena, int, n),
                .sorted = arena_new_n(&applier->arena, int, n),
        };
        OpResult result = {};

        if (!doom.ifindexes || !doom.sorted)
                return -ENOMEM;
        applier->result = &result;
        if (applier_enter(applier, ops[0]->netns, &applier->space) == 0) {
                for (size_t i = 0; i < n; i++)
                        mark_doomed(&doom, i);
                delete_group(&doom);
        }
        /* What is left, and if the namespace can't be entered, the reason for each. */
        for (size_t i = 0; i < n; i++)
                delete_single(&doom, i);
        return 0;
}

size_t bulk_count_deletions(const Op *const *ops, size_t n) {
        size_t run = 0;

        while (run < n && ops[run]->type == OP_LINK_DEL && !op_is_of_sysfs(ops[run]) &&
               streq(ops[run]->netns, ops[0]->netns))
                run++;
        return run;
}

/* Setting many up. */

/*
 * Ports that come up one by one are overtaken by the flood that the first ones' IPv6 sets off:
 * 1,000 took 8 to 20 s of waiting for RTNL between requests, and 0.1 s in one go (6.18).
 */
size_t bulk_count_states(const Op *const *ops, size_t n) {
        size_t run = 0;

        while (run < n && op_is_state_set(ops[run]) && streq(ops[run]->netns, ops[0]->netns))
                run++;
        return run;
}

/* A message of its own for the operation at hand, or NULL, with the reason in its result. */
static struct nlmsghdr *encode_state(Applier *applier) {
        int ifindex, r = applier_ifindex(applier, &ifindex);
        struct nlmsghdr *copy = NULL;

        if (r == 0)
                r = encode_link_set(applier_request(applier), applier->op, ifindex);
        if (r == 0) {
                const struct nlmsghdr *message = applier->request.scope.message;

                copy = arena_alloc(&applier->arena, message->nlmsg_len);
                if (copy)
                        memcpy(copy, message, message->nlmsg_len);
                else
                        r = -ENOMEM;
        }
        if (r < 0)
                applier_fail(applier, r, "%s", "");
        return copy;
}

/* Flags are read without RTNL (dev_ioctl.c), which the flood may hold for seconds at a time. */
static bool reads_back(const Applier *applier, const Op *op) {
        bool up = op->link->common.values[LINK_STATE].number == LINK_STATE_UP;
        struct ifreq request = {};

        if (strlen(op->name) >= sizeof(request.ifr_name))
                return false;
        strcpy(request.ifr_name, op->name);
        return ioctl(netlink_fd(applier->space->netlink), SIOCGIFFLAGS, &request) == 0 &&
               !!(request.ifr_flags & IFF_UP) == up;
}

int bulk_set_states(Applier *applier, const Op *const *ops, size_t n, OpResult *results) {
        struct nlmsghdr **messages = arena_new_n(&applier->arena, struct nlmsghdr *, n);
        OpResult **of = arena_new_n(&applier->arena, OpResult *, n);
        NetlinkError *errors = arena_new_n(&applier->arena, NetlinkError, n);
        int *outcomes = arena_new_n(&applier->arena, int, n);
        size_t sent = 0;
        int r = 0;

        if (!messages || !of || !errors || !outcomes)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                applier_begin(applier, ops[i], &results[i]);
                r = applier_enter(applier, ops[i]->netns, &applier->space);
                if (r < 0)
                        applier_fail(applier, r, "%s", "");
                else if ((messages[sent] = encode_state(applier)))
                        of[sent++] = &results[i];
        }
        if (sent)
                netlink_request_many(applier->space->netlink, messages, sent, outcomes, errors);
        for (size_t i = 0; i < sent; i++) {
                applier->result = of[i];
                if (outcomes[i] == 0) {
                        of[i]->verified = reads_back(applier, ops[of[i] - results]);
                        continue;
                }
                applier_fail(applier, outcomes[i], "%s", errors[i].text);
                of[i]->row = schema_row(&link_schema, LINK_STATE);
        }
        return 0;
}
