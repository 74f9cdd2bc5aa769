/* SPDX-License-Identifier: MIT */
/*
 * Generic netlink: another socket in the same namespace, and families that are known by a name and
 * addressed by a number that the kernel gives them as they are loaded.
 */

#include "kernel/genl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#define GET_TRIES 8

static struct nlmsghdr *begin(void *buffer, uint16_t family, uint8_t command, uint8_t version) {
        struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
        struct genlmsghdr *header;

        message->nlmsg_type = family;
        header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
        header->cmd = command;
        header->version = version;
        return message;
}

static int take_family(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *tb[CTRL_ATTR_FAMILY_ID + 1];
        uint16_t *id = userdata;
        int r = attrs_parse_message(message, GENL_HDRLEN, tb, ELEMENTSOF(tb));

        if (r < 0)
                return r;
        if (tb[CTRL_ATTR_FAMILY_ID] && mnl_attr_get_payload_len(tb[CTRL_ATTR_FAMILY_ID]) >= 2)
                *id = mnl_attr_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
        return 0;
}

/* Names are those of tables: that it is the same one is enough to know that it is the same. */
static int find_family(Space *space, const char *name) {
        alignas(NLMSG_ALIGNTO) char buffer[128] = {};
        struct nlmsghdr *request;
        uint16_t id = 0;
        int r;

        if (space->family == name)
                return 0;
        request = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
        if (!mnl_attr_put_strz_check(request, sizeof(buffer), CTRL_ATTR_FAMILY_NAME, name))
                return -EMSGSIZE;
        r = netlink_get(space->genl, request, take_family, &id);
        if (r != 0 || id == 0)
                return r < 0 ? r : -EOPNOTSUPP;
        space->family = name;
        space->family_id = id;
        return 0;
}

/* The space is open. */
static int enter(Space *space, const Genl *genl) {
        int r = 0;

        if (!space->genl)
                r = netlink_open(space_visit(space), NETLINK_GENERIC, &space->genl);
        return r == 0 ? find_family(space, genl->family) : r;
}

int genl_get(Space *space, const Genl *genl, int ifindex, NetlinkRow row,
             void (*restart)(void *userdata), void *userdata) {
        DumpRequest buffer = {};
        struct nlmsghdr *request;
        int r = enter(space, genl);

        if (r < 0)
                return r;
        request = begin(buffer.bytes, space->family_id, genl->get, genl->version);
        mnl_attr_put_u32(request, genl->ifindex, (uint32_t)ifindex);
        if (genl->dumps)
                return netlink_dump_consistent(space->genl, request, row, restart, userdata,
                                               GET_TRIES);
        return netlink_get(space->genl, request, row, userdata);
}

int genl_begin(Applier *applier, const Genl *genl, int ifindex) {
        Request *request = applier_request(applier);
        struct genlmsghdr *header;
        uint32_t number = (uint32_t)ifindex;
        int r = enter(applier->space, genl);

        if (r < 0)
                return r;
        request->scope.message->nlmsg_type = applier->space->family_id;
        header = mnl_nlmsg_put_extra_header(request->scope.message, sizeof(*header));
        header->cmd = genl->set;
        header->version = genl->version;
        return put_attr(&request->scope, genl->ifindex, &number, sizeof(number));
}

/* Whose options a port's are: those of a kind whose port table it is. */
const LinkKind *port_kind(const Schema *port) {
        for (size_t i = 0; port && i < link_kinds_n; i++)
                if (&link_kinds[i]->port == port)
                        return link_kinds[i];
        return NULL;
}

static const Genl *genl_of(const Op *op) {
        const LinkKind *kind =
                op->section == SECTION_PORT ? port_kind(op->link->port.schema) : op->link->kind;

        return kind ? kind->genl : NULL;
}

static int begin_rows(Applier *applier, const Genl *genl, int ifindex) {
        const Op *op = applier->op;
        const Ref *master = link_ref(op->link, LINK_MASTER);
        int about = ifindex, r = 0;

        if (op->section == SECTION_PORT)
                r = master && master->link ? applier_find(applier, master->link, &about) : -EINVAL;
        return r == 0 ? genl_begin(applier, genl, about) : r;
}

static int encode(Applier *applier, const Genl *genl, int ifindex, RowSet rows) {
        struct nlattr *nest = NULL;
        int r = begin_rows(applier, genl, ifindex);

        if (r < 0)
                return r;
        applier->request.scope.ifindex = ifindex;
        if (genl->nest) {
                nest = put_nest(&applier->request.scope, genl->nest);
                if (!nest)
                        return -EMSGSIZE;
        }
        r = request_rows(&applier->request, link_section(applier->op->link, applier->op->section),
                         rows);
        if (r == 0 && nest)
                put_nest_end(&applier->request.scope, nest);
        return r;
}

static int send_rows(Applier *applier, const Genl *genl, int ifindex, RowSet rows) {
        int encoded = encode(applier, genl, ifindex, rows);
        int r = applier_send_by(applier, applier->space->genl, encoded);

        if (r == 0 || !genl->unheard || r != -genl->unheard)
                return r;
        *applier->result = (OpResult){.done = true};
        return 0;
}

int genl_set(Applier *applier, int ifindex) {
        const Genl *genl = genl_of(applier->op);
        RowSet rows = applier->op->rows[applier->op->section];
        int r = 0;
        size_t i;

        if (!genl)
                return -EINVAL;
        if (!genl->unheard)
                return send_rows(applier, genl, ifindex, rows);
        ROWSET_FOREACH(i, rows)
                if (r == 0)
                        r = send_rows(applier, genl, ifindex, ROW_BIT(i));
        return r;
}

static int encode_entry(Applier *applier, int ifindex) {
        const Op *op = applier->op;
        const ObjectType *type = op->object->type;
        bool del = op->type == OP_OBJECT_DEL;
        PutScope *scope = &applier->request.scope;
        uint32_t flags = del ? type->list_del : type->list_new;
        struct nlattr *list, *entry;
        int r = genl_begin(applier, type->only->genl, ifindex);

        if (r < 0)
                return r;
        list = put_nest(scope, type->list);
        entry = list ? put_nest(scope, 0) : NULL;
        if (!entry)
                return -EMSGSIZE;
        r = put_attr(scope, type->list_flags, &flags, sizeof(flags));
        if (r == 0)
                r = request_rows(&applier->request, &op->object->set,
                                 del ? request_key_rows(&op->object->set) : op_object_rows(op));
        if (r == 0) {
                put_nest_end(scope, entry);
                put_nest_end(scope, list);
        }
        return r;
}

int genl_object(Applier *applier, int ifindex) {
        int r = applier->op->object->type->only ? encode_entry(applier, ifindex) : -EINVAL;

        return applier_send_by(applier, applier->space->genl, r);
}
