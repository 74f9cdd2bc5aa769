/* SPDX-License-Identifier: MIT */
/*
 * One operation as one netlink message. Values are put by the types of their rows; what is here is
 * which message, with which flags, and what nests around.
 */

#include "kernel/internal.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>

void request_init(Request *request, const PutScope *callbacks) {
        request->scope = *callbacks;
        request->scope.message = mnl_nlmsg_put_header(request->buffer);
        request->scope.size = sizeof(request->buffer);
        request->placed.n = 0;
        request->only = NULL;
        request->rows = 0;
}

static void *begin(Request *request, uint16_t type, uint16_t flags, size_t header_size) {
        struct nlmsghdr *message = request->scope.message;

        message->nlmsg_type = type;
        message->nlmsg_flags = flags;
        return mnl_nlmsg_put_extra_header(message, header_size);
}

static void begin_link(Request *request, uint16_t type, uint16_t flags, int ifindex) {
        struct ifinfomsg *info = begin(request, type, flags, sizeof(*info));

        info->ifi_family = AF_UNSPEC;
        info->ifi_index = ifindex;
}

int encode_bridge(Request *request, uint16_t type, int ifindex) {
        struct ifinfomsg *info;

        begin_link(request, type, 0, ifindex);
        info = mnl_nlmsg_get_payload(request->scope.message);
        info->ifi_family = AF_BRIDGE;
        return 0;
}

static int put_text(Request *request, uint16_t nla, const char *text) {
        return put_attr(&request->scope, nla, text, strlen(text) + 1);
}

static int put_number(Request *request, uint16_t nla, uint32_t number) {
        return put_attr(&request->scope, nla, &number, sizeof(number));
}

int request_rows(Request *request, const AttrSet *set, RowSet rows) {
        size_t i;

        ROWSET_FOREACH(i, rows) {
                request->rows++;
                request->only = request->rows == 1 ? schema_row(set->schema, i) : NULL;
        }
        return attrset_encode(set, rows, &request->scope, &request->placed);
}

const Row *request_row(const Request *request, uint32_t offset) {
        const Placement *best = NULL;

        /* A peer's rows stand within the row that makes the peer: the innermost is meant. */
        for (size_t i = 0; offset && i < request->placed.n; i++) {
                const Placement *placed = &request->placed.items[i];

                if (offset < placed->offset || offset >= placed->end)
                        continue;
                if (!best || placed->end - placed->offset < best->end - best->offset)
                        best = placed;
        }
        return best ? best->row : request->only;
}

/*
 * The lower device of kinds that have it in INFO_DATA: a number in the namespace that the link is
 * bound to, which the receiver knows.
 */
static int put_lower(Request *request, const Link *link) {
        const Value *value = &link->common.values[LINK_PARENT];
        size_t offset = request->scope.message->nlmsg_len;
        int ifindex = 0, nsid, r = 0;

        if (value->ref.link)
                r = request->scope.resolve(request->scope.userdata, &value->ref, &ifindex, &nsid);
        if (r == 0)
                r = put_attr(&request->scope, link_kind_lower(link->kind)->nla, &ifindex,
                             sizeof(ifindex));
        if (r == 0 && request->placed.n < ELEMENTSOF(request->placed.items))
                request->placed.items[request->placed.n++] = (Placement){
                        schema_row(&link_schema, LINK_PARENT), offset,
                        request->scope.message->nlmsg_len};
        return r;
}

/* What a parent says of the namespace that the link is bound to; `bind-netns` says it, too. */
static int put_parent_netns(Request *request, const Link *link) {
        const Ref *parent = link_ref(link, LINK_PARENT);
        int nsid, r;

        if (!parent)
                return 0;
        r = request->scope.resolve_netns(request->scope.userdata, parent->netns, &nsid);
        if (r < 0 || nsid < 0)
                return r;
        return put_attr(&request->scope, IFLA_LINK_NETNSID, &nsid, sizeof(nsid));
}

/* IFLA_LINKINFO with what a kind has to say; `data`: also if no row is to be sent. */
static int put_info(Request *request, const char *name, uint16_t kind_nla, uint16_t data_nla,
                    const AttrSet *set, RowSet rows, bool data, const Link *lower) {
        struct nlattr *info = put_nest(&request->scope, IFLA_LINKINFO), *nest = NULL;
        int r;

        if (!info)
                return -EMSGSIZE;
        r = put_text(request, kind_nla, name);
        if (r < 0)
                return r;
        if (rows || data || lower) {
                nest = put_nest(&request->scope, data_nla);
                r = nest ? request_rows(request, set, rows) : -EMSGSIZE;
                if (r == 0 && lower)
                        r = put_lower(request, lower);
                if (r < 0)
                        return r;
                put_nest_end(&request->scope, nest);
        }
        put_nest_end(&request->scope, info);
        return 0;
}

/*
 * EXCL always: without it, a link of that name would be changed, or even moved elsewhere (6.18).
 */
int encode_link_add(Request *request, const Op *op, const char *name) {
        const Link *link = op->link;
        RowSet common = op->rows[SECTION_COMMON];
        bool lower = link_kind_lower(link->kind)->nla && common & ROW_BIT(LINK_PARENT);
        int r;

        if (!link->kind)
                return -EINVAL;
        if (lower)
                common &= ~ROW_BIT(LINK_PARENT);
        begin_link(request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
        r = put_text(request, IFLA_IFNAME, name);
        if (r == 0)
                r = request_rows(request, &link->common, common);
        if (r == 0 && lower && !(common & ROW_BIT(LINK_BIND_NETNS)))
                r = put_parent_netns(request, link);
        if (r == 0)
                r = put_info(request, link->kind->name, IFLA_INFO_KIND, IFLA_INFO_DATA,
                             &link->options, op->rows[SECTION_OPTIONS],
                             link_kind_is(link->kind, KIND_DATA_ALWAYS), lower ? link : NULL);
        return r;
}

int encode_peer(Request *request, const Op *op, const char *name, int netns_fd) {
        PutScope *scope = &request->scope;
        int r;

        if (mnl_nlmsg_size(sizeof(struct ifinfomsg)) > scope->size - scope->message->nlmsg_len)
                return -EMSGSIZE;
        mnl_nlmsg_put_extra_header(scope->message, sizeof(struct ifinfomsg));
        r = put_text(request, IFLA_IFNAME, name);
        if (r == 0 && op->peer)
                r = request_rows(request, &op->peer->common, op->peer_rows);
        if (r == 0 && netns_fd >= 0)
                r = put_number(request, IFLA_NET_NS_FD, (uint32_t)netns_fd);
        return r;
}

/* The kind whose ports these rows are of. The kernel reads it, but asks the master (6.18). */
static const char *port_kind_name(const AttrSet *port) {
        for (size_t i = 0; i < link_kinds_n; i++)
                if (&link_kinds[i]->port == port->schema)
                        return link_kinds[i]->name;
        return "";
}

static bool is_repeated(const Row *row) {
        return !(row->flags & ROW_LOCAL) && row->change != CHANGE_STATE;
}

/*
 * An existing link's options, its lower device among them. Of kinds that start from zero with every
 * change (ip_gre.c ipgre_changelink and its likes), all that is known: op->link has it merged.
 */
static int put_options(Request *request, const Op *op) {
        const Link *link = op->link;
        RowSet rows = op->rows[SECTION_OPTIONS];
        bool lower = op->rows[SECTION_COMMON] & ROW_BIT(LINK_PARENT);
        const Row *only = NULL;
        size_t i;
        int r;

        if (rows && !(rows & (rows - 1)) && !lower)
                only = schema_row(link->options.schema, (size_t)__builtin_ctzll(rows));
        if (link_kind_is(link->kind, KIND_REPLACES)) {
                ROWSET_FOREACH(i, link->options.present)
                        if (is_repeated(schema_row(link->options.schema, i)))
                                rows |= ROW_BIT(i);
                lower = link_ref(link, LINK_PARENT);
        }
        r = put_info(request, link->kind->name, IFLA_INFO_KIND, IFLA_INFO_DATA, &link->options,
                     rows, true, lower ? link : NULL);
        request->only = only ? only : rows || !lower ? request->only
                                                     : schema_row(&link_schema, LINK_PARENT);
        return r;
}

int encode_link_set(Request *request, const Op *op, int ifindex) {
        const Link *link = op->link;
        RowSet rows = op->rows[op->section];

        switch (op->section) {
        case SECTION_COMMON:
                begin_link(request, RTM_SETLINK, 0, ifindex);
                return request_rows(request, &link->common, rows);
        case SECTION_OPTIONS:
                if (!link->kind)
                        return -EINVAL;
                /* RTM_SETLINK would ignore IFLA_LINKINFO and say that all is well (all kernels). */
                begin_link(request, RTM_NEWLINK, 0, ifindex);
                return put_options(request, op);
        case SECTION_PORT:
                begin_link(request, RTM_NEWLINK, 0, ifindex);
                return put_info(request, port_kind_name(&link->port), IFLA_INFO_SLAVE_KIND,
                                IFLA_INFO_SLAVE_DATA, &link->port, rows, true, NULL);
        case SECTION_VLANS: /* several messages: vlans.c */
        case _SECTION_N:
                break;
        }
        return -EINVAL;
}

int encode_link_move(Request *request, int ifindex, const char *name, int netns_fd) {
        int r = 0;

        begin_link(request, RTM_SETLINK, 0, ifindex);
        if (netns_fd >= 0)
                r = put_number(request, IFLA_NET_NS_FD, (uint32_t)netns_fd);
        /* With the namespace, so that the old name may be in use over there. */
        return r == 0 ? put_text(request, IFLA_IFNAME, name) : r;
}

int encode_link_flags(Request *request, int ifindex, unsigned flags, unsigned change) {
        struct ifinfomsg *info;

        begin_link(request, RTM_SETLINK, 0, ifindex);
        info = mnl_nlmsg_get_payload(request->scope.message);
        info->ifi_flags = flags;
        info->ifi_change = change;
        return 0;
}

int encode_link_group(Request *request, int ifindex, uint32_t group) {
        begin_link(request, RTM_SETLINK, 0, ifindex);
        return put_number(request, IFLA_GROUP, group);
}

int encode_link_del(Request *request, int ifindex) {
        begin_link(request, RTM_DELLINK, 0, ifindex);
        return 0;
}

int encode_group_del(Request *request, uint32_t group) {
        begin_link(request, RTM_DELLINK, 0, 0);
        return put_number(request, IFLA_GROUP, group);
}

RowSet request_key_rows(const AttrSet *set) {
        RowSet keys = 0;
        size_t i;

        ROWSET_FOREACH(i, set->present)
                if (schema_row(set->schema, i)->change == CHANGE_KEY)
                        keys |= ROW_BIT(i);
        return keys;
}

static RowSet sent_rows(const AttrSet *set) {
        RowSet rows = set->present;
        size_t i;

        ROWSET_FOREACH(i, set->present)
                if (schema_row(set->schema, i)->change == CHANGE_STATE)
                        rows &= ~ROW_BIT(i);
        return rows;
}

int encode_look(Request *request, const Op *op, int ifindex) {
        const ObjectType *type = op->object->type;
        int r;

        begin(request, type->message_get, 0, type->header_size);
        r = type->begin(&request->scope, ifindex);
        return r < 0 ? r : type->look(&request->scope, &op->object->set);
}

/* What is changed is replaced as a whole: an address without its lifetimes would last for ever. */
static uint16_t object_flags(const Op *op) {
        const ObjectType *type = op->object->type;

        if (op->type == OP_OBJECT_DEL)
                return 0;
        /* What is to be changed may have gone meanwhile, with a link. */
        if (op->type == OP_OBJECT_SET || op->again || type->flags & OBJECT_TAKES)
                return NLM_F_CREATE | NLM_F_REPLACE;
        return type->create ? type->create(&op->object->set) : NLM_F_CREATE | NLM_F_EXCL;
}

int encode_object(Request *request, const Op *op, int ifindex) {
        const ObjectType *type = op->object->type;
        const AttrSet *set = &op->object->set;
        bool del = op->type == OP_OBJECT_DEL;
        struct nlattr *nest = NULL;
        int r;

        begin(request, del ? type->message_del : type->message_new, object_flags(op),
              type->header_size);
        r = type->begin ? type->begin(&request->scope, ifindex) : 0;
        if (r < 0)
                return r;
        if (type->nest) {
                nest = put_nest(&request->scope, type->nest);
                if (!nest)
                        return -EMSGSIZE;
        }
        r = request_rows(request, set,
                         del && !(type->flags & OBJECT_DEL_WHOLE) ? request_key_rows(set)
                                                                  : sent_rows(set));
        if (op->type == OP_OBJECT_SET && __builtin_popcountll(op->object_rows) == 1)
                request->only = schema_row(set->schema, (size_t)__builtin_ctzll(op->object_rows));
        if (r == 0 && nest)
                put_nest_end(&request->scope, nest);
        return r == 0 && type->end ? type->end(&request->scope, set) : r;
}
