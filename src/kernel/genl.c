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

typedef struct Getting {
        const Genl *genl;
        int ifindex;
        NetlinkRow row;
        void (*restart)(void *userdata);
        void *userdata;
} Getting;

/* A family may tell of all links, whichever it was asked about (macsec_dump_txsc; 6.1 … 6.18). */
static int take_message(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *tb[ATTRS_MAX];
        const Getting *getting = userdata;
        const GetScope scope = {.tb = tb, .tb_n = ELEMENTSOF(tb)};
        const struct nlattr *about;
        int r = attrs_parse_message(message, GENL_HDRLEN, tb, ELEMENTSOF(tb));

        if (r < 0)
                return r;
        about = get_attr(&scope, getting->genl->ifindex, sizeof(uint32_t));
        if (about && mnl_attr_get_u32(about) != (uint32_t)getting->ifindex)
                return 0;
        return getting->row(message, getting->userdata);
}

static void restart_getting(void *userdata) {
        const Getting *getting = userdata;

        getting->restart(getting->userdata);
}

int genl_get(Space *space, const Genl *genl, int ifindex, NetlinkRow row,
             void (*restart)(void *userdata), void *userdata) {
        Getting getting = {genl, ifindex, row, restart, userdata};
        DumpRequest buffer = {};
        struct nlmsghdr *request;
        int r = enter(space, genl);

        if (r < 0)
                return r;
        request = begin(buffer.bytes, space->family_id, genl->get, genl->version);
        mnl_attr_put_u32(request, genl->ifindex, (uint32_t)ifindex);
        if (genl->dumps)
                return netlink_dump_consistent(space->genl, request, take_message, restart_getting,
                                               &getting, GET_TRIES);
        return netlink_get(space->genl, request, take_message, &getting);
}

static int begin_command(Applier *applier, const Genl *genl, uint8_t command, int ifindex) {
        Request *request = applier_request(applier);
        struct genlmsghdr *header;
        uint32_t number = (uint32_t)ifindex;
        int r = enter(applier->space, genl);

        if (r < 0)
                return r;
        request->scope.message->nlmsg_type = applier->space->family_id;
        header = mnl_nlmsg_put_extra_header(request->scope.message, sizeof(*header));
        header->cmd = command;
        header->version = genl->version;
        return put_attr(&request->scope, genl->ifindex, &number, sizeof(number));
}

int genl_begin(Applier *applier, const Genl *genl, int ifindex) {
        return begin_command(applier, genl, genl->set, ifindex);
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
        uint32_t flags = del ? type->genl->flag_del : type->genl->flag_new;
        struct nlattr *list, *entry;
        int r = genl_begin(applier, type->only->genl, ifindex);

        if (r < 0)
                return r;
        list = put_nest(scope, type->genl->list);
        entry = list ? put_nest(scope, 0) : NULL;
        if (!entry)
                return -EMSGSIZE;
        r = put_attr(scope, type->genl->flags, &flags, sizeof(flags));
        if (r == 0)
                r = request_rows(&applier->request, &op->object->set,
                                 del ? request_key_rows(&op->object->set) : op_object_rows(op));
        if (r == 0) {
                put_nest_end(scope, entry);
                put_nest_end(scope, list);
        }
        return r;
}

static int encode_nest(Applier *applier, const ObjectType *type, const AttrSet *set, RowSet rows) {
        struct nlattr *nest = put_nest(&applier->request.scope, type->genl->nest);
        int r = nest ? request_rows(&applier->request, set, rows) : -EMSGSIZE;

        if (r == 0)
                put_nest_end(&applier->request.scope, nest);
        return r;
}

/* The identity of the one that it lives within. */
static int encode_outer(Applier *applier, const Object *object) {
        Object outer = {.type = object->type->within};
        size_t i;
        int r = attrset_init(&outer.set, &outer.type->schema, &applier->arena);

        ROWSET_FOREACH(i, object->set.present) {
                int at = schema_find(&outer.type->schema, schema_row(object->set.schema, i)->key);

                if (r == 0 && at >= 0)
                        attrset_set(&outer.set, (size_t)at, object->set.values[i]);
        }
        return r < 0 ? r : encode_nest(applier, outer.type, &outer.set,
                                       request_key_rows(&outer.set));
}

/* Rows that are the outer one's stand in its nest. */
static RowSet own_rows(const Object *object, RowSet rows) {
        RowSet own = rows;
        size_t i;

        ROWSET_FOREACH(i, object->type->within ? rows : 0) {
                const Row *row = schema_row(object->set.schema, i);

                if (row->change == CHANGE_KEY &&
                    schema_find(&object->type->within->schema, row->key) >= 0)
                        own &= ~ROW_BIT(i);
        }
        return own;
}

static int encode_command(Applier *applier, int ifindex, uint8_t command, const AttrSet *set,
                          RowSet rows) {
        const Object *object = applier->op->object;
        int r = begin_command(applier, object->type->only->genl, command, ifindex);

        if (r == 0 && object->type->within)
                r = encode_outer(applier, object);
        return r < 0 ? r : encode_nest(applier, object->type, set, own_rows(object, rows));
}

static int send_command(Applier *applier, int ifindex, uint8_t command, const AttrSet *set,
                        RowSet rows) {
        int encoded = encode_command(applier, ifindex, command, set, rows);

        if (encoded == -ENOKEY)
                applier_fail(applier, encoded, "its key is in no file that was named");
        return applier_send_by(applier, applier->space->genl, encoded);
}

/* What is in use can't be deleted (macsec_del_txsa: EBUSY). */
static int rest(Applier *applier, int ifindex) {
        const Object *object = applier->op->object;
        const GenlList *list = object->type->genl;
        int row = list->rests ? schema_find(&object->type->schema, list->rests) : -1;
        AttrSet set;

        if (row < 0)
                return 0;
        if (attrset_copy(&object->set, &applier->arena, &set) < 0)
                return -ENOMEM;
        attrset_set(&set, (size_t)row, (Value){.number = 0});
        return send_command(applier, ifindex, list->change, &set,
                            request_key_rows(&set) | ROW_BIT(row));
}

static int apply_by_command(Applier *applier, int ifindex) {
        const Op *op = applier->op;
        const GenlList *list = op->object->type->genl;
        const AttrSet *set = &op->object->set;
        RowSet keys = request_key_rows(set);
        int r;

        if (op->type == OP_OBJECT_ADD)
                return send_command(applier, ifindex, list->add, set, set->present);
        if (op->type == OP_OBJECT_SET)
                return send_command(applier, ifindex, list->change, set, keys | op->object_rows);
        r = rest(applier, ifindex);
        return r < 0 ? r : send_command(applier, ifindex, list->del, set, keys);
}

int genl_object(Applier *applier, int ifindex) {
        const ObjectType *type = applier->op->object->type;

        if (!type->only || !type->genl)
                return -EINVAL;
        if (type->genl->add)
                return apply_by_command(applier, ifindex);
        return applier_send_by(applier, applier->space->genl, encode_entry(applier, ifindex));
}
