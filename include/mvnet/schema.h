/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Schemas: tables of rows; AttrSets: values under a schema; kinds and object types: the schemas of
 * links and of what lives on them. This header is all that a kind's file includes.
 */

#include "mvnet/attr.h"
#include "mvnet/error.h"

struct Link;
struct Namespace;
struct Object;

/* A row's place is a bit of a 64-bit word wherever sets of rows are meant (a test counts them). */
typedef uint64_t RowSet;
#define ROWS_MAX 64
#define ROW_BIT(i) ((RowSet)1 << (i))
#define ROWSET_FOREACH(i, set)                                                        \
        for (RowSet _left = (set); _left && ((i) = (size_t)__builtin_ctzll(_left), true); \
             _left &= _left - 1)

typedef struct Schema {
        const char *name;          /* "link", "bridge", "bridge-port", "addresses" */
        const Row *rows;
        size_t n;                  /* own rows */
        const struct Schema *like; /* its rows come first; an own row of the same key replaces */
} Schema;

size_t schema_size(const Schema *schema);                    /* with the inherited rows */
const Row *schema_row(const Schema *schema, size_t i);
int schema_find(const Schema *schema, const char *key);      /* index, or -1 */
int schema_find_type(const Schema *schema, const AttrType *type); /* the first, or -1 */

/*
 * Values under a schema. `present` says which rows have one; `implied` which of these no file
 * mentions (policy, such as our link group: kept on links of our own, never forced on others).
 */
typedef struct AttrSet {
        const Schema *schema; /* NULL: an empty set under no schema */
        RowSet present, implied;
        Value *values;
        Location *at; /* where each was written; NULL where it comes from the kernel */
} AttrSet;

int attrset_init(AttrSet *set, const Schema *schema, Arena *arena); /* 0 or -ENOMEM */
bool attrset_has(const AttrSet *set, size_t row);
void attrset_set(AttrSet *set, size_t row, Value value);
const Value *attrset_get(const AttrSet *set, const char *key); /* NULL: absent, or no such row */
Location attrset_at(const AttrSet *set, size_t row);           /* nowhere if unknown */
RowSet attrset_rows_by(const AttrSet *set, Transport transport); /* those present that go by it */
int attrset_copy(const AttrSet *from, Arena *arena, AttrSet *ret);

/* Row.when: whether the row counts by what `decider` says, or the defaults of its schema. */
bool row_counts(const Row *row, const AttrSet *decider);
/* "with mode balance-tlb or balance-alb"; of a row that has a `when`. */
void row_condition(const Row *row, const Schema *decider, Buf *ret);

/* Reads its rows from a message taken apart; an odd attribute is absent. 0 or < 0. */
int attrset_decode(AttrSet *set, const GetScope *scope);

/*
 * Appends `rows` in the order of the table, and with each the rows that share its attribute number
 * and are present. If `placed` is given it is told where each row's attribute went.
 */
typedef struct Placement {
        const Row *row;
        size_t offset, end; /* in the message */
} Placement;

typedef struct Placements {
        Placement items[2 * ROWS_MAX];
        size_t n;
} Placements;

int attrset_encode(const AttrSet *set, RowSet rows, PutScope *scope, Placements *placed);

/* Links. */

enum {
        KIND_PARENT = 1 << 0,          /* needs `parent`; a lower device that it dies with */
        KIND_REAL_LOWER = 1 << 1,      /* a parent of the same family is replaced by *its* parent */
        KIND_IMMUTABLE_NETNS = 1 << 2, /* can't be moved to another namespace */
        KIND_SOLID = 1 << 3,           /* its MAC is `kernel` by default, not `stable` */
        KIND_NO_MAC = 1 << 4,          /* has none of its own: `mac` is an error */
        KIND_CLAIMS_PARENT = 1 << 5,   /* takes the parent's rx-handler slot, with its own family */
        KIND_MASTER = 1 << 6,          /* other links can be its ports */
        KIND_NO_PORT = 1 << 7,         /* can't be a port, but of a KIND_L3_MASTER */
        KIND_NO_CHILDREN = 1 << 8,     /* can't be a vlan's parent (VLAN_CHALLENGED) */
        KIND_MTU_PORTED = 1 << 9,      /* its MTU is overridden by the first port */
        KIND_MTU_BOUND = 1 << 10,      /* its MTU may not exceed the parent's */
        KIND_MTU_FOLLOWS = 1 << 11,    /* every change of the parent's MTU overwrites its own */
        KIND_NEEDS_PARENT_UP = 1 << 12,/* cannot be up while the parent is down */
        KIND_UP_FOLLOWS = 1 << 13,     /* the parent's coming up sets it up, too */
        KIND_PAIR = 1 << 14,           /* two links that live and die together */
        KIND_SAME_NETNS = 1 << 15,     /* its parent must live in the same namespace */
        KIND_OWN_IP = 1 << 16,         /* siblings can't share an IP address */
        KIND_DATA_ALWAYS = 1 << 17,    /* INFO_DATA must be there, empty or not */
        KIND_FOREIGN = 1 << 18,        /* somebody else makes it: waited for, never made */
        KIND_DEVICE = 1 << 27,         /* has a character device, /dev/tapN */
        KIND_NO_ARP = 1 << 20,         /* comes without ARP and multicast */
        KIND_ARP_VARIES = 1 << 26,     /* comes with or without ARP, as its options say */
        KIND_MAC_ONCE = 1 << 21,       /* its MAC can be set only while it is made */
        KIND_PORTS_DOWN = 1 << 24,     /* takes ports that are down, sets them up, lends them its MAC */
        KIND_OWN_FDB = 1 << 30,        /* has a forwarding table of its own */
        KIND_ONE_MTU = 1 << 25,        /* no port has an MTU of its own */
        KIND_L3_MASTER = 1 << 23,      /* ports keep addresses and rx handler; are cycled for it */
        KIND_REPLACES = 1 << 22,       /* a change resets all options that are not sent with it */
};

/* What a link's device file can be told: rows of every kind that is KIND_DEVICE. */
#define DEVICE_ROWS 2
extern const Row device_rows[DEVICE_ROWS];

/* A family of generic netlink that knows what rtnetlink does not, for rows of TRANSPORT_GENL. */
typedef struct Genl {
        const char *family;
        uint8_t version;
        uint8_t get, set; /* commands */
        bool dumps;       /* `get` is a dump, of one link */
        uint16_t ifindex; /* the attribute that says which link; for a port's rows, its master */
        uint16_t nest;    /* the rows are put into this; 0: into the message */
        /*
         * The errno with which it stops behind the first row, which was done, because nobody heard
         * the news of it: then it is one row to a request. 0: none.
         */
        int unheard;
} Genl;

/*
 * How a family speaks of objects: entries of a list in what it answers. It is told of one as an
 * entry of that list, by Genl.set and a word of flags, or by commands for such.
 */
typedef struct GenlList {
        uint16_t list; /* in the message, or in the entry that it is within */
        uint16_t flags; /* the u32 of an entry that says what becomes of it … */
        uint32_t flag_new, flag_del; /* … when it is sent, and when it goes */
        uint8_t add, change, del; /* commands; 0: by Genl.set. Of a change only what differs */
        uint16_t nest;            /* the rows are put into this */
        const char *rests;        /* the row that has to say no before it can go; NULL: none */
} GenlList;

/* A lower device that a kind may have, and tells in IFLA_INFO_DATA: no need of KIND_PARENT. */
typedef struct LinkLower {
        uint16_t nla;  /* 0: nothing of the kind */
        Change change; /* to another one in the same namespace */
        Change remove; /* to none */
        bool kills;    /* the link dies with it */
} LinkLower;

/* Whether a link can have its outer side in another namespace than its own (`bind-netns`). */
typedef enum Bind {
        BIND_NEVER,
        BIND_REPORTED, /* by IFLA_LINK_NETNSID */
        BIND_SILENT,   /* nobody tells where it is */
        _BIND_N,
} Bind;

#define MTU_VARIES UINT32_MAX

typedef struct LinkKind {
        const char *name; /* IFLA_INFO_KIND, unless: */
        const char *kernel_name;
        /* Of kinds with one kernel_name: the u8 of INFO_DATA that tells them apart, and its value. */
        uint16_t type_nla;
        uint8_t type;
        /* Of a kind that IFLA_INFO_KIND does not tell: the bus that the link's device is on. */
        const char *bus;
        /* Who makes it. If that is not rtnetlink, only with rows that go the same way. */
        Transport transport;
        const Genl *genl; /* NULL: none */
        Schema options;   /* IFLA_INFO_DATA */
        Schema port;      /* IFLA_INFO_SLAVE_DATA of its ports, in a file under port.name */
        uint32_t flags;   /* KIND_* */
        const struct LinkKind *like; /* same family: flags and rules come with it */
        /* Comes with the module, in every namespace; can't be changed, moved or deleted. */
        const char *fallback;
        LinkLower lower;
        Bind bind;
        /* What the kernel gives a new one; 0: 1500, 1000. MTU_VARIES: that depends on others. */
        uint32_t mtu, txqueuelen;
        const char *loose; /* the boolean option that lifts what ties it to the parent's state */
        /* Masters with VLANs: the boolean option that gives them to itself and its ports … */
        const char *filtering;
        const char *default_vid; /* … the number of the one that each begins with, or 0 … */
        const char *tunnelling;  /* … and the boolean option of ports that lets them have tunnels */
        /* KIND_OWN_FDB: the options that entries take over, unless they say otherwise. */
        const char *fdb_vni, *fdb_port;
        const char *fdb_remotes[2]; /* those that make an entry of their own accord … */
        const char *fdb_vnis;       /* … and a list of networks, of which each may make one */
        const char *doc;
        /*
         * Rules between rows of one declared link. Returns 0, or > 0 with the row at fault and
         * why, both static.
         */
        int (*verify)(const AttrSet *common, const AttrSet *options, const char **ret_key,
                      const char **ret_reason);
        /* The same of what one of its ports is told. */
        int (*verify_port)(const AttrSet *port, const char **ret_key, const char **ret_reason);
} LinkKind;

extern const LinkKind *const link_kinds[]; /* all, in the order of the build's list */
extern const size_t link_kinds_n;

const LinkKind *link_kind_find(const char *name);    /* NULL: unknown */
const LinkKind *link_kind_family(const LinkKind *kind); /* the root of its `like` chain */
bool link_kind_is(const LinkKind *kind, uint32_t flag); /* or one it is like; NULL is nothing */
/* Its `lower` and `bind`, be they those of a kind that it is like. NULL is nothing. */
const LinkLower *link_kind_lower(const LinkKind *kind);
Bind link_kind_bind(const LinkKind *kind);
bool link_kind_can_have_parent(const LinkKind *kind);
bool link_kind_dies_with_parent(const LinkKind *kind);
/* What the kernel gives a new link of this kind (NULL: of any) where no table can tell. */
bool link_kind_default(const LinkKind *kind, size_t link_row, uint64_t *ret);
/* The kind's rules between rows, and its master's; 0, or > 0 as LinkKind.verify says. */
int link_verify(const struct Link *link, const char **ret_key, const char **ret_reason);
int link_verify_port(const struct Link *link, const char **ret_key, const char **ret_reason);
const Schema *link_kind_port_schema(const char *name);  /* "bridge-port"; NULL: unknown */

/* What every link has (IFLA_* of RTM_NEWLINK), and the rows the engine itself speaks of. */
extern const Schema link_schema;
extern const Schema match_schema; /* how a physical link is recognised */

typedef enum LinkRow {
        LINK_PARENT,
        LINK_BIND_NETNS,
        LINK_MASTER,
        LINK_STATE,
        LINK_MAC,
        LINK_MTU,
        LINK_TXQUEUELEN,
        LINK_GROUP,
        LINK_ALIAS,
        LINK_ARP,
        LINK_MULTICAST,
        LINK_ALLMULTICAST,
        LINK_PROMISC,
        LINK_ADDR_GEN_MODE,
        LINK_OPTIONAL,
        LINK_REPLACE,
        LINK_PORTS,
        _LINK_ROW_N,
} LinkRow;

typedef enum LinkState {
        LINK_STATE_DOWN,
        LINK_STATE_UP,
        LINK_STATE_ANY, /* not compared */
} LinkState;

extern const Name vlan_protocols[]; /* words for the type of a tag */

/* Words and rows that several kinds of tunnel share. */
extern const Name tunnel_ttls[], tunnel_toses[], tunnel_dfs[];
extern const Schema tunnel_gre_schema, tunnel_gre_ip4_schema, tunnel_gre_ip6_schema;
extern const Schema tunnel_erspan_ip4_schema, tunnel_erspan_ip6_schema;
extern const Schema tunnel_ip_schema, tunnel_ip4_schema, tunnel_ip6_schema;
/* Of IP in IPv4: a rule that is part of LinkKind.verify; `usual` is a ttl that is never sent. */
int tunnel_verify_ttl(const AttrSet *options, uint64_t usual, const char **ret_key,
                      const char **ret_reason);

/* The link group of everything that mvnetd makes, and that of what it is about to delete. */
#define LINK_GROUP_OURS 0x6d76
#define LINK_GROUP_DOOMED 0x6d77

/* The mark on routes, rules, neighbours (protocol) and addresses (IFA_PROTO) that are ours. */
#define PROTOCOL_OURS 109

/* What lives on a link or in a namespace. */

enum {
        OBJECT_ON_LINK = 1 << 0,
        OBJECT_IN_NETNS = 1 << 1,
        OBJECT_MAP = 1 << 2,      /* written as a map KEY: VALUE, not as a list */
        OBJECT_LATE = 1 << 3,     /* after all options of the link: they decide what it can have */
        OBJECT_EXACT = 1 << 4,    /* on links: what is there and not in the list, once one is, goes */
        OBJECT_WHEN_UP = 1 << 5,  /* only while the link is up */
        OBJECT_OF_PORT = 1 << 6,  /* names a port of the link, and goes when that leaves */
        OBJECT_ASKED = 1 << 7,    /* read only where files, or the record, speak of such */
        OBJECT_WHOLE = 1 << 8,    /* what is not said is at its default: it is replaced as a whole */
        OBJECT_DEL_WHOLE = 1 << 9, /* a deletion says all of it: what it leaves out matches anything */
        OBJECT_TAKES = 1 << 10,   /* to add one takes the place of what came by itself */
        OBJECT_NAMED = 1 << 11,   /* written as a map KEY: {ROW: VALUE}, not as a list */
        OBJECT_REFERRED = 1 << 12,/* others refer to it (Row.of), and go with it without a word */
        OBJECT_CARRIED = 1 << 13, /* goes without a word when its link loses the carrier, too */
        OBJECT_DEFAULTS = 1 << 14,/* if it is ours, what is not said is at its default */
        OBJECT_BY_ROW = 1 << 15,  /* a change says what differs, and nothing else */
};

/*
 * An object is identified by its CHANGE_KEY rows under its link or namespace. Lists of objects are
 * additive (what others put there stays), unless the type says OBJECT_EXACT. One that is both
 * ON_LINK and IN_NETNS is the namespace's, and only written under the link that it refers to.
 */
typedef struct ObjectType {
        Schema schema; /* schema.name is the key in the file: "addresses" */
        Transport transport;
        uint32_t flags; /* OBJECT_* */
        uint16_t message_new, message_del, message_get;
        size_t header_size; /* of the struct behind nlmsghdr */
        /* Fills in what no row does: the header's ifindex, our mark. Called before the rows. */
        int (*begin)(PutScope *scope, int ifindex);
        int (*end)(PutScope *scope, const AttrSet *set); /* the same, after them */
        /* The ifindex a message is about, or 0: none; < 0: not one of ours to manage at all. */
        int (*ifindex)(const GetScope *scope);
        /* Whether that is worth keeping: ours, or put there to stay. NULL: everything is. */
        bool (*keeps)(const GetScope *scope);
        /* Whether a message with these numbers is about such an object; NULL: it always is. */
        bool (*is)(const void *header);
        /*
         * Fills in the i-th dump that it takes to see all of them, of one link unless that is 0, as
         * far as the kernel can filter. 0, ATTR_E_ABSENT: there is no i-th, or < 0. NULL: one, of
         * everything.
         */
        int (*ask)(PutScope *scope, unsigned i, int ifindex);
        int (*ask_all)(PutScope *scope, unsigned i, int ifindex); /* without a filter; NULL: ask */
        /* Narrows a dump to where that one would be, whoever added it. NULL: nobody else's can be. */
        int (*seek)(PutScope *scope, const AttrSet *slot);
        /*
         * The byte of the header that says who added it, or 0: of those that routing daemons add
         * there can be thousands a second, and what these are told of is not even delivered.
         */
        size_t protocol_at;
        /*
         * Another way to write objects of that type, some of them: an entry's rows are that one's by
         * their keys, `become` adds what is not written, `speaks_of` tells which of them are meant.
         */
        const struct ObjectType *as;
        void (*become)(AttrSet *set);
        bool (*speaks_of)(const AttrSet *set);
        uint16_t message_dumped; /* what a dump consists of; 0: message_new */
        /* NULL, or: a message is about any number of them; `take` gets each. 0 or < 0. */
        int (*entries)(const struct nlmsghdr *message, Arena *arena,
                       int (*take)(const GetScope *scope, void *userdata), void *userdata);
        /*
         * Whether an event with that says all there is to say: then nothing has to be read again.
         * NULL: it never does.
         */
        bool (*is_told)(const GetScope *scope);
        /* Whether it goes without a word when that link is set down, or goes; NULL: who knows. */
        bool (*goes)(const GetScope *scope, int ifindex);
        uint16_t groups[3]; /* who tells of them: multicast groups, 0 is none */
        size_t attributes; /* numbers below this are taken apart */
        /* Non-zero: stands in this nest of the link's own message, an attribute for each. */
        uint16_t nest;
        /* On links: fills in what is as the link has it, of what is wanted and of what is there. */
        void (*fit)(struct Object *object, const struct Link *link);
        /* Whether it is there without anybody's doing: not worth a line in an export. */
        bool (*is_natural)(const struct Object *object, const struct Link *link);
        /* Why it can't be on that link, given the files; NULL: it can. */
        const char *(*misplaced)(const struct Object *object, const struct Link *link);
        /* Whether it is the master's, and goes when the link gets another one. */
        bool (*of_master)(const AttrSet *set);
        /* Whether another link may have had it until now, of which nobody tells. NULL: never. */
        bool (*moves)(const GetScope *scope);
        /* NLM_F_* with which it is made; NULL: CREATE and EXCL. */
        uint16_t (*create)(const AttrSet *set);
        /* A request for what is in its place (EEXIST): what comes and goes by itself gives way. */
        int (*look)(PutScope *scope, const AttrSet *set);
        /* Fills in what a file leaves out, once all links are known. 0 or < 0. */
        int (*complete)(struct Object *object, const struct Namespace *netns);
        const LinkKind *only; /* links of this kind alone have such; NULL: all */
        const GenlList *genl; /* TRANSPORT_GENL, of the family of `only` */
        /*
         * It lives within one of that type, in a file in the list `within_key` of such an entry,
         * whose identity begins its own, and goes with it. `inner` is the way back.
         */
        const struct ObjectType *within, *inner;
        const char *within_key;
        /* Rules between rows of one object; as LinkKind.verify. */
        int (*verify)(const AttrSet *set, const char **ret_key, const char **ret_reason);
        /* The same, between it and others of its namespace, given the files. */
        int (*suits)(const struct Object *object, const struct Namespace *netns,
                     const char **ret_key, const char **ret_reason);
        /* Likewise, with the options of its link; only for what a file says. */
        int (*verify_on)(const AttrSet *options, const AttrSet *set, const char **ret_key,
                         const char **ret_reason);
        /* Whether one request can put another in its place; NULL: it can, where rows allow it. */
        bool (*replaceable)(const AttrSet *have);
        /* Which come first: those of a lower rank; NULL: all are 0. */
        unsigned (*rank)(const AttrSet *set);
        /* What is missing that such a request is refused, in words; NULL: it is refused for good. */
        const char *(*waits)(const AttrSet *set, int error, const char *message);
        const char *doc;
} ObjectType;

extern const ObjectType object_address, object_altname, object_link_sysctl, object_sysctl;
extern const ObjectType object_route, object_rule, object_neighbour, object_fdb, object_remote,
        object_mdb, object_nexthop;
/* Of one kind, in its file. */
extern const ObjectType object_wireguard_peer, object_macsec_tx_sa, object_macsec_rx,
        object_macsec_rx_sa;
extern const ObjectType *const object_types[];
extern const size_t object_types_n;
const ObjectType *object_type_find(const char *key, uint32_t flag); /* NULL: unknown */
