/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_team.h>

#include "mvnet/schema.h"

/* What the kernel calls the types of its options: those of netlink policies (net/netlink.h). */
enum { OPTION_U32 = 3, OPTION_STRING = 5, OPTION_FLAG = 6, OPTION_S32 = 14 };

#define OF_PORT 1 /* Row.bit: one for each port */

static const AttrType attr_option_u32, attr_option_s32, attr_option_ms, attr_option_link;

/* An option is an attribute like others, in an item that tells its name, its type, and its port. */
static const struct Base {
        const AttrType *type, *base;
        uint8_t option;
} bases[] = {
        {&attr_option_u32, &attr_u32, OPTION_U32},
        {&attr_option_s32, &attr_s32, OPTION_S32},
        {&attr_option_ms, &attr_ms, OPTION_U32},
        {&attr_option_link, &attr_link, OPTION_U32},
};

static const struct Base *base_of(const Row *row) {
        for (size_t i = 0; i < ELEMENTSOF(bases); i++)
                if (bases[i].type == row->type)
                        return &bases[i];
        return NULL;
}

static Row data_row(const Row *row, const AttrType *type) {
        Row data = *row;

        data.nla = TEAM_ATTR_OPTION_DATA;
        data.type = type;
        return data;
}

static void option_name(const Row *row, char ret[TEAM_STRING_MAX_LEN]) {
        size_t n = 0;

        if (streq(row->key, "active-port")) {
                strcpy(ret, "activeport");
                return;
        }
        for (; row->key[n] && n < TEAM_STRING_MAX_LEN - 1; n++)
                ret[n] = row->key[n] == '-' ? '_' : row->key[n];
        ret[n] = '\0';
}

/* Its data, by `data` of `size` bytes unless that is NULL, stands between this and end_option(). */
static int begin_option(const Row *row, uint8_t type, PutScope *scope, struct nlattr **ret) {
        struct nlattr *item = put_nest(scope, TEAM_ATTR_ITEM_OPTION);
        char name[TEAM_STRING_MAX_LEN];
        int r;

        option_name(row, name);
        r = item ? put_attr(scope, TEAM_ATTR_OPTION_NAME, name, strlen(name) + 1) : -EMSGSIZE;
        if (r == 0)
                r = put_attr(scope, TEAM_ATTR_OPTION_TYPE, &type, sizeof(type));
        if (r == 0)
                *ret = item;
        return r;
}

static int end_option(const Row *row, PutScope *scope, struct nlattr *item) {
        uint32_t port = (uint32_t)scope->ifindex;
        int r = row->bit == OF_PORT
                ? put_attr(scope, TEAM_ATTR_OPTION_PORT_IFINDEX, &port, sizeof(port)) : 0;

        if (r == 0)
                put_nest_end(scope, item);
        return r;
}

static bool is_option(const Row *row, const GetScope *scope, const struct nlattr *const *tb) {
        const struct nlattr *name = tb[TEAM_ATTR_OPTION_NAME],
                            *port = tb[TEAM_ATTR_OPTION_PORT_IFINDEX];
        char wanted[TEAM_STRING_MAX_LEN];

        option_name(row, wanted);
        if (!name || mnl_attr_get_payload_len(name) < strlen(wanted) + 1 ||
            strncmp(mnl_attr_get_payload(name), wanted, strlen(wanted) + 1) != 0)
                return false;
        if (row->bit != OF_PORT)
                return true;
        return port && mnl_attr_get_payload_len(port) >= sizeof(uint32_t) &&
               mnl_attr_get_u32(port) == (uint32_t)scope->ifindex;
}

static bool take_option(const Row *row, const GetScope *scope, const struct nlattr *item,
                        const struct nlattr **tb) {
        const struct nlattr *attr;

        memset(tb, 0, sizeof(*tb) * (TEAM_ATTR_OPTION_MAX + 1));
        mnl_attr_for_each_nested(attr, item)
                if (mnl_attr_get_type(attr) <= TEAM_ATTR_OPTION_MAX)
                        tb[mnl_attr_get_type(attr)] = attr;
        return is_option(row, scope, tb);
}

/* The attributes of the option's item; false: it is not told. */
static bool find_option(const Row *row, const GetScope *scope, const struct nlattr **tb) {
        const struct nlattr *item = get_attr(scope, TEAM_ATTR_ITEM_OPTION, 0);

        if (!scope->nest)
                return item && take_option(row, scope, item, tb);
        mnl_attr_for_each_nested(item, scope->nest)
                if (take_option(row, scope, item, tb))
                        return true;
        return false;
}

static int option_parse(const Row *row, ParseScope *scope, const char *text, Value *ret) {
        return base_of(row)->base->parse(row, scope, text, ret);
}

static void option_format(const Row *row, const Value *value, Buf *ret) {
        base_of(row)->base->format(row, value, ret);
}

static bool option_equal(const Row *row, const Value *wanted, const Value *have) {
        return base_of(row)->base->equal(row, wanted, have);
}

static int option_put(const Row *row, const Value *value, PutScope *scope) {
        const struct Base *base = base_of(row);
        Row data = data_row(row, base->base);
        struct nlattr *item;
        int r = begin_option(row, base->option, scope, &item);

        if (r == 0)
                r = base->base->put(&data, value, scope);
        return r == 0 ? end_option(row, scope, item) : r;
}

static int option_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *tb[TEAM_ATTR_OPTION_MAX + 1];
        const AttrType *base = base_of(row)->base;
        Row data = data_row(row, base);
        GetScope item = *scope;

        if (!find_option(row, scope, tb))
                return ATTR_E_ABSENT;
        item.tb = tb;
        item.tb_n = ELEMENTSOF(tb);
        return base->get(&data, &item, ret);
}

#define OPTION                                                                                 \
        .parse = option_parse, .format = option_format, .put = option_put, .get = option_get, \
        .equal = option_equal

static const AttrType attr_option_u32 = {
        .name = "number", .syntax = "a number", .size = 4, .is_number = true, OPTION,
};
static const AttrType attr_option_s32 = {
        .name = "number", .syntax = "a number", .size = 4, .is_number = true, .is_signed = true,
        OPTION,
};
static const AttrType attr_option_ms = {
        .name = "duration", .syntax = "a duration", .size = 4, .is_number = true, OPTION,
};
static const AttrType attr_option_link = {
        .name = "link", .syntax = "LINK or none", .is_ref = true, OPTION,
};

/* A flag: its data is there, or is not. */

static int flag_put(const Row *row, const Value *value, PutScope *scope) {
        struct nlattr *item;
        int r = begin_option(row, OPTION_FLAG, scope, &item);

        if (r == 0 && value->number)
                r = put_attr(scope, TEAM_ATTR_OPTION_DATA, NULL, 0);
        return r == 0 ? end_option(row, scope, item) : r;
}

static int flag_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *tb[TEAM_ATTR_OPTION_MAX + 1];

        if (!find_option(row, scope, tb))
                return ATTR_E_ABSENT;
        *ret = (Value){.number = tb[TEAM_ATTR_OPTION_DATA] != NULL};
        return 0;
}

static const AttrType attr_option_flag = {
        .name = "boolean",
        .syntax = "true or false",
        .parse = attr_parse_bool,
        .format = attr_format_bool,
        .put = flag_put,
        .get = flag_get,
        .equal = attr_equal_number,
};

/* A word. */

static int word_put(const Row *row, const Value *value, PutScope *scope) {
        const Name *name = row_name(row, value->number);
        struct nlattr *item;
        int r = name ? begin_option(row, OPTION_STRING, scope, &item) : -EINVAL;

        if (r == 0)
                r = put_attr(scope, TEAM_ATTR_OPTION_DATA, name->name, strlen(name->name) + 1);
        return r == 0 ? end_option(row, scope, item) : r;
}

static int word_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *tb[TEAM_ATTR_OPTION_MAX + 1], *word;

        if (!find_option(row, scope, tb) || !tb[TEAM_ATTR_OPTION_DATA])
                return ATTR_E_ABSENT;
        word = tb[TEAM_ATTR_OPTION_DATA];
        for (const Name *name = row->names; name->name; name++) {
                size_t size = strlen(name->name) + 1;

                if (mnl_attr_get_payload_len(word) >= size &&
                    strncmp(mnl_attr_get_payload(word), name->name, size) == 0) {
                        *ret = (Value){.number = name->number};
                        return 0;
                }
        }
        return ATTR_E_ABSENT; /* "*NOMODE*": none was ever set */
}

static const AttrType attr_option_word = {
        .name = "word",
        .parse = attr_parse_enum,
        .format = attr_format_enum,
        .put = word_put,
        .get = word_get,
        .equal = attr_equal_number,
};

enum { ROUNDROBIN, ACTIVEBACKUP, LOADBALANCE, BROADCAST, RANDOM };
static const Name modes[] = {
        {"roundrobin", ROUNDROBIN}, {"activebackup", ACTIVEBACKUP}, {"loadbalance", LOADBALANCE},
        {"broadcast", BROADCAST},   {"random", RANDOM},             {},
};
static const Name tx_methods[] = {{"hash", 0}, {"hash_to_port_mapping", 1}, {}};

/* clang-format off */
static const Row rows[] = {
        { .key = "mode", .type = &attr_option_word, .transport = TRANSPORT_GENL, .names = modes, .flags = ROW_NO_PORTS,
          .doc = "How packets are spread over the ports that have a carrier; activebackup uses the one that `active-port`, or teamd, says." },
        { .key = "active-port", .type = &attr_option_link, .transport = TRANSPORT_GENL, .phase = PHASE_PORTED, .when = "mode", .when_in = ROW_BIT(ACTIVEBACKUP),
          .doc = "The port that is used; the kernel does not choose another one when it fails, which takes teamd." },
        { .key = "lb-tx-method", .type = &attr_option_word, .transport = TRANSPORT_GENL, .names = tx_methods, .when = "mode", .when_in = ROW_BIT(LOADBALANCE), .def = "hash",
          .doc = "How loadbalance finds a packet's port; without a hash function, which takes teamd, it is always the same one." },
        { .key = "notify-peers-count", .type = &attr_option_u32, .transport = TRANSPORT_GENL, .def = "0",
          .doc = "How many gratuitous ARPs follow when a port is enabled." },
        { .key = "notify-peers-interval", .type = &attr_option_ms, .transport = TRANSPORT_GENL, .max = INT32_MAX, .def = "0s",
          .doc = "The time between these." },
        { .key = "mcast-rejoin-count", .type = &attr_option_u32, .transport = TRANSPORT_GENL, .def = "0",
          .doc = "How often multicast groups are joined anew when a port is enabled." },
        { .key = "mcast-rejoin-interval", .type = &attr_option_ms, .transport = TRANSPORT_GENL, .max = INT32_MAX, .def = "0s",
          .doc = "The time between these." },
};

static const Row port_rows[] = {
        { .key = "enabled", .type = &attr_option_flag, .transport = TRANSPORT_GENL, .bit = OF_PORT, .def = "true",
          .doc = "Whether the port is used." },
        { .key = "user-linkup", .type = &attr_option_flag, .transport = TRANSPORT_GENL, .bit = OF_PORT, .def = "false",
          .doc = "Whether the port counts as having a carrier, if user-linkup-enabled." },
        { .key = "user-linkup-enabled", .type = &attr_option_flag, .transport = TRANSPORT_GENL, .bit = OF_PORT, .def = "false",
          .doc = "Whether user-linkup counts, and not the port's own carrier." },
        { .key = "priority", .type = &attr_option_s32, .transport = TRANSPORT_GENL, .bit = OF_PORT, .def = "0",
          .doc = "Which port is preferred, by what looks at it: teamd, and queue-id." },
        { .key = "queue-id", .type = &attr_option_u32, .transport = TRANSPORT_GENL, .bit = OF_PORT, .def = "0",
          .doc = "The transmit queue of the team whose packets leave here; 0 is none." },
};
/* clang-format on */

static const Genl genl = {
        .family = TEAM_GENL_NAME,
        .version = TEAM_GENL_VERSION,
        .get = TEAM_CMD_OPTIONS_GET,
        .set = TEAM_CMD_OPTIONS_SET,
        .ifindex = TEAM_ATTR_TEAM_IFINDEX,
        .nest = TEAM_ATTR_LIST_OPTION,
        .unheard = ESRCH, /* team_nl_cmd_options_set() (6.1): what multicasting answers */
};

const LinkKind link_kind_team = {
        .name = "team",
        .genl = &genl,
        .options = {.name = "team", .rows = rows, .n = ELEMENTSOF(rows)},
        .port = {.name = "team-port", .rows = port_rows, .n = ELEMENTSOF(port_rows)},
        .flags = KIND_MASTER | KIND_SOLID | KIND_PORTS_DOWN | KIND_ONE_MTU |
                 KIND_IMMUTABLE_NETNS,
        .doc = "Several links that act as one, by rules that a program can change.",
};
