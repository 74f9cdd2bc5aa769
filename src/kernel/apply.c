/* SPDX-License-Identifier: MIT */
/*
 * Carries out a plan: opens the namespaces that it speaks of, finds out the numbers of what was
 * just made, sends, and says which row a refusal is about.
 */

#include "kernel/genl.h"
#include "kernel/watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/net_namespace.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define OTHER_NAMES 8 /* to try while a link is made under another one */

/* The first reason is the one that counts. */
int applier_fail(Applier *applier, int error, const char *format, ...) {
        OpResult *result = applier->result;
        va_list ap;

        if (result->error == 0) {
                result->error = error;
                va_start(ap, format);
                vsnprintf(result->message, sizeof(result->message), format, ap);
                va_end(ap);
        }
        return error;
}

static int outcome_errno(int outcome) {
        if (outcome < 0)
                return outcome;
        switch (outcome) {
        case NETNS_E_ABSENT:
        case NETNS_E_DEAD:
                return -ENOENT;
        case NETNS_E_EXISTS:
                return -EEXIST;
        case NETNS_E_PENDING:
                return -EBUSY;
        case NETNS_E_OTHER:
                return -ESTALE;
        }
        return -EINVAL;
}

/*
 * Opens a namespace, provided that it is the one the last dump looked at: in another one of the
 * same name, the numbers in the plan are those of other links.
 */
int applier_enter(Applier *applier, const char *name, Space **ret) {
        Space *space = space_get(applier->kernel, name);
        uint64_t cookie;
        int r;

        if (!space)
                return -ENOMEM;
        r = space_open(applier->kernel, space);
        if (r != 0)
                return applier_fail(applier, outcome_errno(r), "namespace %s: %s", name,
                                    space_problem(r));
        r = netlink_cookie(space->netlink, &cookie);
        if (r < 0)
                return r;
        if (space->cookie && space->cookie != cookie)
                return applier_fail(applier, -ESTALE, "namespace %s: %s", name,
                            space_problem(NETNS_E_OTHER));
        *ret = space;
        return 0;
}

/* Numbers. */

static bool known_key(const Space *space, const char *name, struct KnownKey *ret) {
        size_t length = strlen(name);

        if (length == 0 || length >= IFNAMSIZ)
                return false;
        memset(ret, 0, sizeof(*ret)); /* padding counts */
        ret->space = space;
        memcpy(ret->name, name, length);
        return true;
}

void applier_forget(Applier *applier, const char *netns, const char *name) {
        Space *space;
        struct KnownKey key;
        Known *known;

        HASH_FIND_STR(applier->kernel->spaces, netns, space);
        if (!space || !known_key(space, name, &key))
                return;
        HASH_FIND(hh, applier->known, &key, sizeof(key), known);
        if (known)
                HASH_DEL(applier->known, known);
}

/*
 * By ioctl, which the kernel answers for any socket in that socket's namespace, without building a
 * message of 1 KiB. It finds links by their altnames, too, which is not what was asked.
 */
static int ask_ifindex(const Space *space, const char *name, int *ret) {
        struct ifreq request = {}, answer = {};

        memcpy(request.ifr_name, name, strlen(name));
        if (ioctl(netlink_fd(space->netlink), SIOCGIFINDEX, &request) < 0)
                return -errno;
        answer.ifr_ifindex = request.ifr_ifindex;
        if (ioctl(netlink_fd(space->netlink), SIOCGIFNAME, &answer) < 0)
                return -errno;
        if (strncmp(answer.ifr_name, name, IFNAMSIZ) != 0)
                return -ENODEV;
        *ret = answer.ifr_ifindex;
        return 0;
}

static int find_ifindex(Applier *applier, const Space *space, const char *name, int *ret) {
        struct KnownKey key;
        Known *known;
        int r, ifindex;

        if (!known_key(space, name, &key))
                return -ENODEV;
        HASH_FIND(hh, applier->known, &key, sizeof(key), known);
        if (known) {
                *ret = known->ifindex;
                return 0;
        }
        r = ask_ifindex(space, name, &ifindex);
        if (r < 0)
                return r;
        known = arena_new(&applier->arena, Known);
        if (!known)
                return -ENOMEM;
        known->key = key;
        known->ifindex = ifindex;
        HASH_ADD(hh, applier->known, key, sizeof(known->key), known);
        *ret = ifindex;
        return 0;
}

int applier_find(Applier *applier, const char *name, int *ret) {
        return find_ifindex(applier, applier->space, name, ret);
}

/* The link that the operation is about, from now on stale: not all that it does is an event. */
int applier_ifindex(Applier *applier, int *ret) {
        const Op *op = applier->op;
        int ifindex = op->ifindex, r = 0;

        if (ifindex <= 0)
                r = find_ifindex(applier, applier->space, op->name, &ifindex);
        if (r < 0)
                return r;
        space_mark(applier->space, ifindex);
        *ret = ifindex;
        return 0;
}

/* What `viewer` calls the other namespace, giving it a number if it has none. */
static int find_nsid(const Space *viewer, const Space *other, int *ret) {
        alignas(NLMSG_ALIGNTO) char buffer[64] = {};
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        int r, nsid;

        r = space_nsid(viewer, other->fd, &nsid);
        if (r == 0 && nsid < 0) {
                message->nlmsg_type = RTM_NEWNSID;
                mnl_nlmsg_put_extra_header(message, sizeof(struct rtgenmsg));
                mnl_attr_put_u32(message, NETNSA_NSID, UINT32_MAX); /* -1: any */
                mnl_attr_put_u32(message, NETNSA_FD, (uint32_t)other->fd);
                r = netlink_request(viewer->netlink, message, NULL);
                /* Somebody else, or a dump of the links between, was faster. */
                if (r == 0 || r == -EEXIST)
                        r = space_nsid(viewer, other->fd, &nsid);
        }
        if (r < 0)
                return r;
        if (nsid < 0)
                return -ENOENT;
        *ret = nsid;
        return 0;
}

static int resolve(void *userdata, const Ref *ref, int *ret_ifindex, int *ret_nsid) {
        Applier *applier = userdata;
        int ifindex, nsid = -1, r;
        Space *space;

        applier->missing = ref;
        r = applier_enter(applier, ref->netns, &space);
        if (r < 0)
                return r;
        r = find_ifindex(applier, space, ref->link, &ifindex);
        if (r == -ENODEV)
                return applier_fail(applier, r, "%s/%s is not there", ref->netns, ref->link);
        if (r == 0 && !netns_id_equal(&space->id, &applier->space->id))
                r = find_nsid(applier->space, space, &nsid);
        if (r < 0)
                return r;
        applier->missing = NULL;
        applier->far |= nsid >= 0;
        *ret_ifindex = ifindex;
        *ret_nsid = nsid;
        return 0;
}

static int resolve_netns(void *userdata, const char *netns, int *ret_nsid) {
        Applier *applier = userdata;
        int nsid = -1, r;
        Space *space;

        r = applier_enter(applier, netns, &space);
        if (r == 0 && !netns_id_equal(&space->id, &applier->space->id))
                r = find_nsid(applier->space, space, &nsid);
        if (r < 0)
                return r;
        applier->far |= nsid >= 0;
        *ret_nsid = nsid;
        return 0;
}

static int put_peer(void *userdata, PutScope *scope _unused_, const Ref *peer) {
        Applier *applier = userdata;
        Space *space;
        bool here;
        int r;

        if (!peer->link || !peer->netns)
                return -EINVAL;
        applier->missing = peer;
        r = applier_enter(applier, peer->netns, &space);
        if (r < 0)
                return r;
        applier->missing = NULL;
        here = netns_id_equal(&space->id, &applier->space->id);
        return encode_peer(&applier->request, applier->op, peer->link, here ? -1 : space->fd);
}

/* Requests. */

Request *applier_request(Applier *applier) {
        const PutScope callbacks = {
                .resolve = resolve, .resolve_netns = resolve_netns, .put_peer = put_peer,
                .userdata = applier,
        };

        applier->missing = NULL;
        applier->far = false;
        request_init(&applier->request, &callbacks);
        return &applier->request;
}

static const Row *row_of(const AttrSet *set, const Ref *ref) {
        size_t i;

        ROWSET_FOREACH(i, set->present)
                if (&set->values[i].ref == ref)
                        return schema_row(set->schema, i);
        return NULL;
}

static const Row *missing_row(const Applier *applier) {
        const Op *op = applier->op;
        const AttrSet *const sets[] = {
                op->link ? &op->link->common : NULL,
                op->link ? &op->link->options : NULL,
                op->link ? &op->link->port : NULL,
                op->object ? &op->object->set : NULL,
        };
        const Row *row = NULL;

        for (size_t i = 0; applier->missing && !row && i < ELEMENTSOF(sets); i++)
                row = sets[i] ? row_of(sets[i], applier->missing) : NULL;
        return row;
}

/* Sends what encoding, whose result is passed on, has made of the request. */
int applier_send(Applier *applier, int encoded) {
        return applier_send_by(applier, applier->space->netlink, encoded);
}

int applier_send_by(Applier *applier, Netlink *netlink, int encoded) {
        NetlinkError error = {};
        int r = encoded;

        if (r == 0)
                r = netlink_request(netlink, applier->request.scope.message, &error);
        if (r < 0 && applier->result->error == 0) {
                applier_fail(applier, r, "%s", error.text);
                applier->result->row = applier->missing
                        ? missing_row(applier) : request_row(&applier->request, error.offset);
        } else if (r < 0 && !applier->result->row) {
                applier->result->row = missing_row(applier);
        }
        return r;
}

/* What must not be there is not there: that is no failure. */
static int already_gone(Applier *applier, int r) {
        if (r != -ENODEV && r != -ENOENT && r != -ESRCH && r != -EADDRNOTAVAIL)
                return r;
        *applier->result = (OpResult){};
        return 0;
}

static int set_lo_up(Applier *applier) {
        int ifindex, r;

        r = find_ifindex(applier, applier->space, "lo", &ifindex);
        if (r < 0)
                return r;
        return applier_send(applier, encode_link_flags(applier_request(applier), ifindex, IFF_UP,
                                                       IFF_UP));
}

static int apply_netns_add(Applier *applier) {
        RealKernel *kernel = applier->kernel;
        const char *name = applier->op->name;
        Space *space = space_get(kernel, name);
        int r;

        if (!space)
                return -ENOMEM;
        space_close(kernel, space);
        HASH_CLEAR(hh, applier->known);
        kernel->kernel.writes++;
        r = netns_create(kernel->run_netns, name, NETNS_REPLACE_DEAD, NULL);
        if (r != 0)
                return applier_fail(applier, outcome_errno(r), "%s", r > 0 ? space_problem(r) : "");
        space->type = NETNS_NAMED;
        space->cookie = 0;
        r = applier_enter(applier, name, &applier->space);
        if (r == 0)
                r = netlink_cookie(space->netlink, &space->cookie);
        return r == 0 ? set_lo_up(applier) : r;
}

/* Only the namespace that was looked at; its identity is sure while we hold it. */
static int apply_netns_del(Applier *applier) {
        RealKernel *kernel = applier->kernel;
        const char *name = applier->op->name;
        Space *space = space_get(kernel, name);
        NetnsStat stat;
        int r;

        if (!space)
                return -ENOMEM;
        r = netns_stat(kernel->run_netns, name, &stat);
        if (r < 0 || stat.state == NETNS_ABSENT)
                return r;
        if (applier->op->space && applier->op->space->dead && stat.state != NETNS_DEAD)
                return applier_fail(applier, -ESTALE, "the name was taken by another namespace");
        if (stat.state == NETNS_ALIVE) {
                r = applier_enter(applier, name, &space);
                if (r < 0)
                        return r;
        }
        HASH_CLEAR(hh, applier->known);
        watch_leave(kernel, space);
        kernel->kernel.writes++;
        r = netns_delete(kernel->run_netns, name, space->netlink ? &space->id : NULL);
        space_close(kernel, space);
        if (r == 0 || r == NETNS_E_ABSENT) {
                space->cookie = 0;
                return 0;
        }
        return applier_fail(applier, outcome_errno(r), "%s", r > 0 ? space_problem(r) : "");
}

static int rename_created(Applier *applier, const char *name) {
        OpResult first;
        int ifindex, r = find_ifindex(applier, applier->space, name, &ifindex);

        applier_forget(applier, applier->op->netns, name);
        if (r == 0)
                r = applier_send(applier, encode_link_move(applier_request(applier), ifindex,
                                                           applier->op->name, -1));
        if (r == 0)
                return 0;
        first = *applier->result;
        applier_send(applier, encode_link_del(applier_request(applier), ifindex));
        *applier->result = first;
        return r;
}

/*
 * Before 6.15 a link whose lower device lives elsewhere is made over there and then moved: EEXIST
 * if its name is taken over there, as eth0 mostly is. It can be made under another one.
 */
static int add_under_another_name(Applier *applier) {
        int ifindex, r = -EEXIST;
        char name[IFNAMSIZ];

        if (ask_ifindex(applier->space, applier->op->name, &ifindex) != -ENODEV)
                return r;
        for (unsigned i = 0; i < OTHER_NAMES && r == -EEXIST; i++) {
                snprintf(name, sizeof(name), "mvnet-new%u", i);
                *applier->result = (OpResult){};
                r = applier_send(applier, encode_link_add(applier_request(applier), applier->op,
                                                          name));
        }
        return r == 0 ? rename_created(applier, name) : r;
}

/* Where nobody listens for the noise, nobody will hear of what was made, or came there. */
static void mark_made(Applier *applier, const char *netns, const char *name) {
        Space *space;
        int ifindex;

        HASH_FIND_STR(applier->kernel->spaces, netns, space);
        if (!space || !space->watch || !space->watch->noisy || !space->netlink)
                return;
        if (find_ifindex(applier, space, name, &ifindex) == 0)
                space_mark(space, ifindex);
}

static int apply_link_add(Applier *applier) {
        const Op *op = applier->op;
        int r;

        applier_forget(applier, op->netns, op->name);
        if (op->peer)
                applier_forget(applier, op->peer->netns->name, op->peer->name);
        if (op->link->kind && op->link->kind->transport == TRANSPORT_TUN)
                r = tun_add(applier);
        else if (op->link->kind && op->link->kind->transport == TRANSPORT_SYSFS)
                r = sim_add(applier);
        else
                r = applier_send(applier, encode_link_add(applier_request(applier), op, op->name));
        if (r == -EEXIST && applier->far)
                r = add_under_another_name(applier);
        if (r == -EOPNOTSUPP && strstr(applier->result->message, "Unknown device type"))
                snprintf(applier->result->message, sizeof(applier->result->message),
                         "kernel has no %s", op->link->kind->name);
        if (r == 0)
                mark_made(applier, op->netns, op->name);
        if (r == 0 && op->peer)
                mark_made(applier, op->peer->netns->name, op->peer->name);
        return r;
}

static int send_link_set(Applier *applier, int ifindex) {
        switch (op_transport(applier->op)) {
        case TRANSPORT_RTNL:
                return applier_send(applier, encode_link_set(applier_request(applier), applier->op,
                                                             ifindex));
        case TRANSPORT_TUN:
                return tun_set(applier, ifindex);
        case TRANSPORT_DEVICE:
                return device_set(applier, ifindex);
        case TRANSPORT_GENL:
                return genl_set(applier, ifindex);
        case TRANSPORT_TUNNEL:
                return vnis_apply(applier, ifindex);
        case TRANSPORT_SYSFS: /* all of it takes another device */
        case TRANSPORT_SYSCTL:
        case _TRANSPORT_N:
                break;
        }
        return -EINVAL;
}

static int apply_link_set(Applier *applier) {
        int ifindex, r = applier_ifindex(applier, &ifindex);

        if (r == 0 && applier->op->section == SECTION_VLANS)
                return vlans_apply(applier, ifindex);
        if (r == 0)
                r = send_link_set(applier, ifindex);
        if (r == 0)
                window_ask(applier->kernel, applier->space, ifindex);
        return r;
}

/* Before 6.2 a link that is up cannot be renamed: EBUSY. */
static int rename_while_down(Applier *applier, int ifindex) {
        const char *name = applier->op->to.link;
        OpResult first;
        int r;

        *applier->result = (OpResult){};
        r = applier_send(applier, encode_link_flags(applier_request(applier), ifindex, 0, IFF_UP));
        if (r < 0)
                return r;
        applier_send(applier, encode_link_move(applier_request(applier), ifindex, name, -1));
        first = *applier->result;
        *applier->result = (OpResult){};
        r = applier_send(applier, encode_link_flags(applier_request(applier), ifindex, IFF_UP,
                                                    IFF_UP));
        if (first.error == 0)
                return r;
        *applier->result = first;
        return first.error;
}

static int apply_link_move(Applier *applier) {
        const Op *op = applier->op;
        Space *target;
        int ifindex, fd = -1, r = applier_ifindex(applier, &ifindex);

        if (r == 0)
                r = applier_enter(applier, op->to.netns, &target);
        if (r < 0)
                return r;
        if (!netns_id_equal(&target->id, &applier->space->id))
                fd = target->fd;
        applier_forget(applier, op->netns, op->name);
        applier_forget(applier, op->to.netns, op->to.link);
        r = applier_send(applier,
                         encode_link_move(applier_request(applier), ifindex, op->to.link, fd));
        if (r == -EBUSY && fd < 0)
                r = rename_while_down(applier, ifindex);
        if (r == 0)
                device_forget(op);
        if (r == 0)
                mark_made(applier, op->to.netns, op->to.link);
        return r;
}

static int apply_link_del(Applier *applier) {
        int ifindex, r = applier_ifindex(applier, &ifindex);

        applier_forget(applier, applier->op->netns, applier->op->name);
        if (r == 0 && op_is_of_sysfs(applier->op))
                r = sim_del(applier);
        else if (r == 0)
                r = applier_send(applier, encode_link_del(applier_request(applier), ifindex));
        return r == -ENODEV ? already_gone(applier, r) : r;
}

static int apply_sysctl(Applier *applier) {
        const Op *op = applier->op;
        const Value *value = attrset_get(&op->object->set, "value");
        Buf path = {};
        int r;

        if (!value || op->type == OP_OBJECT_DEL)
                return -EINVAL;
        sysctl_path(op->object, op->link, &path);
        r = buf_error(&path);
        if (r == 0) {
                applier->kernel->kernel.writes++;
                r = netns_sysctl_write(space_visit(applier->space), buf_text(&path), value->text);
                if (applier->space->watch)
                        cache_forget_texts(applier->space->cache); /* others may follow */
        }
        if (r == NETNS_E_ABSENT)
                r = applier_fail(applier, -ENOENT, "/proc/sys/net/%s is not there",
                                 buf_text(&path));
        buf_deinit(&path);
        if (r < 0)
                applier->result->row = row_of(&op->object->set, &value->ref);
        return r;
}

static int take_ifindex(const struct nlmsghdr *message, void *userdata) {
        const ObjectType *type = message_type(message);
        int *ret = userdata;

        *ret = type ? message_ifindex(message, type) : 0;
        return 0;
}

/* What was learned is in the place of what is wanted: nobody's, and it would be gone in minutes. */
static int take_over(Applier *applier, int ifindex, int r) {
        Op replacing = *applier->op;
        int there = 0;

        if (encode_look(applier_request(applier), applier->op, ifindex) < 0 ||
            netlink_get(applier->space->netlink, applier->request.scope.message, take_ifindex,
                        &there) != 0 || there >= 0)
                return r;
        *applier->result = (OpResult){};
        replacing.type = OP_OBJECT_SET;
        return applier_send(applier, encode_object(applier_request(applier), &replacing, ifindex));
}

static int apply_object(Applier *applier) {
        const Op *op = applier->op;
        int ifindex = 0, r = 0;

        if (op->object->type->transport == TRANSPORT_SYSCTL)
                return apply_sysctl(applier);
        if (op->link)
                r = applier_ifindex(applier, &ifindex);
        if (r == 0 && op->object->type->transport == TRANSPORT_GENL)
                r = genl_object(applier, ifindex);
        else if (r == 0)
                r = applier_send(applier, encode_object(applier_request(applier), op, ifindex));
        if (r == -EEXIST && op->type == OP_OBJECT_ADD && op->object->type->look)
                r = take_over(applier, ifindex, r);
        if (op_is_entry(op) && applier->space->watch && applier->space->watch->noisy)
                cache_mark_space(applier->space->cache);
        if (r == 0 && op->object->type->nest)
                window_ask(applier->kernel, applier->space, ifindex);
        return op->type == OP_OBJECT_DEL ? already_gone(applier, r) : r;
}

static int apply_in_space(Applier *applier) {
        int r = applier_enter(applier, applier->op->netns, &applier->space);

        if (r < 0)
                return r;
        switch (applier->op->type) {
        case OP_LINK_ADD:
                return apply_link_add(applier);
        case OP_LINK_SET:
                return apply_link_set(applier);
        case OP_LINK_MOVE:
                return apply_link_move(applier);
        case OP_LINK_DEL:
                return apply_link_del(applier);
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
        case OP_OBJECT_DEL:
                return apply_object(applier);
        case OP_NETNS_ADD:
        case OP_NETNS_DEL:
        case _OP_TYPE_N:
                break;
        }
        return -EINVAL;
}

void applier_begin(Applier *applier, const Op *op, OpResult *result) {
        *result = (OpResult){.done = true};
        applier->op = op;
        applier->result = result;
        applier->missing = NULL;
}

void applier_apply(Applier *applier, const Op *op, OpResult *result) {
        int r;

        applier_begin(applier, op, result);
        if (op->type == OP_NETNS_ADD)
                r = apply_netns_add(applier);
        else if (op->type == OP_NETNS_DEL)
                r = apply_netns_del(applier);
        else
                r = apply_in_space(applier);
        if (r < 0)
                applier_fail(applier, r, "%s", "");
        result->done = true;
}

/* A request made no sense: what it was based on is not so any more, whatever was told or not. */
static void doubt(RealKernel *kernel, const Op *op) {
        Space *space = NULL;

        if (op->netns)
                HASH_FIND_STR(kernel->spaces, op->netns, space);
        if (space && space->cache && op_is_entry(op))
                cache_mark_slots(space->cache);
        else if (space && space->cache)
                cache_doubt(space->cache);
}

/* Also of those that went with a parent or a namespace. */
static void forget_devices(const Op *const *ops, size_t n, const OpResult *results) {
        bool any = false;

        for (size_t i = 0; i < n; i++) {
                any |= ops[i]->type == OP_LINK_DEL || ops[i]->type == OP_NETNS_DEL;
                if (ops[i]->type == OP_LINK_DEL && results[i].error == 0)
                        device_forget(ops[i]);
        }
        if (any)
                netns_devices_sweep();
}

int real_apply(Kernel *base, const Op *const *ops, size_t n, OpResult *results) {
        Applier *applier = calloc(1, sizeof(Applier));
        int r = 0;

        if (!applier)
                return -ENOMEM;
        applier->kernel = real_kernel(base);
        watch_before(applier->kernel);
        memset(results, 0, n * sizeof(*results));
        for (size_t i = 0; i < n && r == 0;) {
                size_t doomed = bulk_count_deletions(&ops[i], n - i);
                size_t states = bulk_count_states(&ops[i], n - i);

                if (doomed >= 2)
                        r = bulk_delete(applier, &ops[i], doomed, &results[i]);
                else if (states >= 2)
                        r = bulk_set_states(applier, &ops[i], states, &results[i]);
                else
                        applier_apply(applier, ops[i], &results[i]);
                i += MAX(MAX(doomed, states), (size_t)1);
        }
        for (size_t i = 0; i < n; i++)
                if (results[i].error < 0)
                        doubt(applier->kernel, ops[i]);
        forget_devices(ops, n, results);
        HASH_CLEAR(hh, applier->known);
        arena_deinit(&applier->arena);
        free(applier);
        watch_after(real_kernel(base));
        spaces_close(real_kernel(base));
        return r;
}
