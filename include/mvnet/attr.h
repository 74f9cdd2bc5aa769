/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Rows and the types of their values.
 *
 * Everything that mvnetd manages is a set of attributes under a schema: a table of rows. A row says
 * how an attribute is called in the file, where it stands on the wire, what it costs to change and
 * what it means; its AttrType holds the code that every row of that type shares.
 */

#include "mvnet/util.h"

#include <linux/netlink.h>
#include <sys/socket.h>

typedef struct AttrType AttrType;
typedef struct Row Row;

/* A link by name. The host's own namespace is called "host"; neither is NULL once resolved. */
typedef struct Ref {
        const char *netns;
        const char *link;
} Ref;

/*
 * One value. Which member counts is the type's business; presence is never encoded in a value (it
 * is a bit of the AttrSet). Text, items and names belong to the arena of whoever made the value.
 */
typedef struct Value {
        union {
                uint64_t number;   /* booleans, enums, integers (signed ones two's complement) */
                uint8_t bytes[16]; /* MAC and IP addresses, in network order */
                const char *text;
                struct Hop *hop; /* one of several ways of a route */
                struct VniRange *vnis;
                Ref ref;
                struct {
                        int32_t ifindex, nsid;
                } raw; /* a reference as the kernel reports it, see `unresolved` */
                struct {
                        uint32_t from, to;
                } pair;
                struct {
                        struct Value *items;
                        size_t n;
                } list;
                struct {
                        const char *text;  /* HOST:PORT, as a file says it, or the kernel */
                        const char *found; /* where that is, if HOST is a name that is known */
                } endpoint;
                struct {
                        const char *name;   /* of the file; NULL: the kernel's */
                        const uint8_t *key; /* room for SECRET_SIZE; NULL: nobody has looked */
                } secret;
        };
        uint8_t family;     /* AF_INET, AF_INET6: of an IP address */
        uint8_t length;     /* prefix length of an IP address; of a secret that is no 32 bytes */
        uint8_t policy;     /* MacPolicy: how a MAC address is come by */
        uint8_t unresolved; /* a reference that still is an ifindex */
} Value;

typedef enum MacPolicy {
        MAC_FIXED,  /* the address is written out */
        MAC_STABLE, /* made from machine, namespace and name, once these are known */
        MAC_KERNEL, /* whatever the kernel gives: not compared */
        _MAC_POLICY_N,
} MacPolicy;

/* A word for a number. */
typedef struct Name {
        const char *name;
        uint64_t number;
        bool fixed; /* a change from or to this one needs a new object: macvlan's passthru */
} Name;

/* What it takes to change an attribute of something that exists. The worst changed row decides. */
typedef enum Change {
        CHANGE_LIVE,   /* any time */
        CHANGE_DOWN,   /* only while the link is down */
        CHANGE_CREATE, /* refused, or silently ignored, by the kernel: a new object is needed */
        CHANGE_KEY,    /* identity: another value is another object */
        CHANGE_STATE,  /* read-only; shown, never compared */
        _CHANGE_N,
} Change;

/* When an attribute can be sent. */
typedef enum Phase {
        PHASE_CREATE, /* honoured in the create message */
        PHASE_DETAIL, /* ignored or refused there: a message of its own afterwards */
        PHASE_AFTER,  /* in a change, only after the message with the other rows */
        PHASE_PORTED, /* names a port: once that is one */
        PHASE_STATE,  /* up and down: after addresses, bridge ports last */
        _PHASE_N,
} Phase;

/* How the kernel is told of something. What is told together is of one transport. */
typedef enum Transport {
        TRANSPORT_RTNL,   /* messages of rtnetlink */
        TRANSPORT_SYSCTL, /* a file under /proc/sys/net */
        TRANSPORT_TUN,    /* ioctls on /dev/net/tun, but rtnetlink reports it (IFLA_TUN_*) */
        TRANSPORT_DEVICE, /* owner and mode of /dev/tapN: attributes of our own, DEVICE_* */
        TRANSPORT_GENL,   /* a family of generic netlink */
        TRANSPORT_TUNNEL, /* the networks of a vxlan, a list: RTM_NEWTUNNEL */
        TRANSPORT_SYSFS,  /* files of a bus; told in attributes that links of any kind have */
        _TRANSPORT_N,
} Transport;

/* What a character device is told by, as if netlink did. */
enum {
        DEVICE_USER = 1,
        DEVICE_GROUP,
        DEVICE_MODE,
        _DEVICE_N,
};

enum {
        ROW_REQUIRED = 1 << 0,
        ROW_LOCAL = 1 << 1,         /* tells mvnetd something; the kernel never hears of it */
        ROW_ABSENT_IS_DEF = 1 << 2, /* the kernel reports nothing while it is at its default */
        ROW_INVERTED = 1 << 3,      /* the bit on the wire says the opposite of the key */
        ROW_PER_PARENT = 1 << 4,    /* one value for all links on the same parent */
        ROW_MAKES_PEER = 1 << 5,    /* the link referred to comes into being with this one */
        ROW_WRITE_ONLY = 1 << 6,    /* never reported: compared with the record */
        ROW_SHORTHAND = 1 << 7,     /* what a plain scalar stands for, where a map is expected */
        ROW_ABSENT_IS_ZERO = 1 << 8, /* the same while it is zero, whatever the default */
        ROW_SOMETIMES = 1 << 9,     /* not reported in some states: then compared with the record */
        ROW_LOOSE = 1 << 20,        /* a link that need not be there */
        ROW_MERGES = 1 << 10,       /* a map that the kernel adds to: what goes is sent as zero */
        ROW_NO_PORTS = 1 << 14,     /* can be changed only while the link has no ports */
        ROW_SECRET = 1 << 18,       /* what the kernel holds can't be said in a file: not exported */
        ROW_USERS = 1 << 17,        /* who uses it sets it, too: no drift once we have asked for it */
        ROW_NEEDED = 1 << 12, /* a reference to a link that must be there first */
        ROW_STEADY = 1 << 11, /* an address whose family, or absence, only a new object changes */
};

struct Row {
        const char *key; /* kebab-case, the only spelling */
        uint16_t nla;    /* attribute number; rows that share one are sent together */
        uint16_t nla2;   /* where the kernel has two: the one for IPv6, or for a word */
        uint16_t with;   /* the number of another attribute that must be in the same message */
        const AttrType *type;
        Change change;
        Phase phase;
        uint32_t flags;   /* ROW_* */
        Transport transport;
        uint64_t bit;     /* types that are one bit of a word: which */
        int64_t min, max; /* wire units; both 0: all that the type holds */
        const Name *names; /* ends with a NULL name */
        const char *far; /* the row that it is at the far end of a pair; NULL: none */
        const char *const *both; /* local: stands for each of these rows, ends with NULL */
        /*
         * The row of the same schema, or of the master's options if this is a port's, that decides
         * whether this one counts: its number must be one of the bits, or, without bits, not zero.
         * Elsewhere the kernel refuses even the default.
         */
        const char *when;
        uint64_t when_in;
        /*
         * Numbers of objects of that type in the same namespace, which come first: the value is one,
         * 0 is none, or each element has one in `pair.from`.
         */
        const struct ObjectType *of;
        const char *def;  /* as in a file; NULL: the kernel's choice, not reset but let go */
        const char *doc;  /* one sentence */
};

/* The i-th number in a value of such a row; false: there are no more. */
bool row_number(const Row *row, const Value *value, size_t i, uint64_t *ret);

/* A tun is told by ioctl, but tells by rtnetlink. */
static inline Transport row_told_by(const Row *row) {
        return row->transport == TRANSPORT_TUN ? TRANSPORT_RTNL : row->transport;
}

/* Whether they are one value on the wire, parts of one, or of no use without each other. */
static inline bool row_shares(const Row *row, const Row *other) {
        return row->nla && (row->nla == other->nla || (row->with && row->with == other->nla)) &&
               row->transport == other->transport;
}

typedef enum Shape {
        SHAPE_SCALAR,
        SHAPE_LIST, /* of scalars; order does not matter, kept sorted, no duplicates */
        SHAPE_MAP,  /* of scalar to scalar; parsed as KEY:VALUE, kept sorted */
        _SHAPE_N,
} Shape;

/* A key, its text in base64, and the longest line that may hold one. */
#define SECRET_SIZE 32
#define SECRET_LINE_SIZE (2 * SECRET_SIZE + 1)
#define SECRET_TEXT_SIZE 45
bool secret_from_text(const char *text, uint8_t ret[SECRET_SIZE]);
void secret_to_text(const uint8_t key[SECRET_SIZE], char ret[SECRET_TEXT_SIZE]);

/* The name of a host, as DNS and /etc/hosts have them: no address, nor what looks like one. */
#define HOST_NAME_SIZE 254
bool host_name_valid(const char *name);

/* What parsing may need to know, and where it says what is wrong. */
typedef struct ParseScope {
        Arena *arena;
        const char *netns;  /* a link named without a namespace lives here */
        const char *reason; /* set with ATTR_E_INVALID; static, or in the arena */
        /* The number of a routing table by a name that is not built in; NULL: nobody knows any. */
        bool (*table)(const struct ParseScope *scope, const char *name, uint64_t *ret);
        const void *tables; /* for `table` */
        /*
         * Reads the one line of a file, `name` as it was written in `file`; without it, the name is
         * all that is taken in. 0, ATTR_E_INVALID with the reason, or < 0.
         */
        int (*read_secret)(struct ParseScope *scope, const char *name, char ret[SECRET_LINE_SIZE]);
        const char *file;
} ParseScope;

/* Where an attribute goes: a message under construction, inside the nest its schema belongs in. */
typedef struct PutScope {
        int ifindex; /* TRANSPORT_GENL: of the link that the rows are of; a port's is its own */
        struct nlmsghdr *message;
        size_t size; /* of the buffer behind message */
        size_t begin; /* where the attributes of the present AttrSet begin in it */
        /* The ifindex of a link; *ret_nsid is its namespace as the receiver numbers it, or -1. */
        int (*resolve)(void *userdata, const Ref *ref, int *ret_ifindex, int *ret_nsid);
        /* A namespace as the receiver numbers it, or -1: it is the receiver's own. */
        int (*resolve_netns)(void *userdata, const char *netns, int *ret_nsid);
        /* Appends what makes the peer come into being with this link (ROW_MAKES_PEER). */
        int (*put_peer)(void *userdata, struct PutScope *scope, const Ref *peer);
        void *userdata;
} PutScope;

/* What an attribute is read from: a message taken apart. */
typedef struct GetScope {
        const void *header;             /* ifinfomsg, ifaddrmsg, … */
        const struct nlattr *const *tb; /* by number */
        size_t tb_n;
        const struct nlattr *const *outer; /* the message's own attributes, inside a nest */
        size_t outer_n;
        Arena *arena;
        Transport transport;       /* by which it came: other rows are not in it */
        int ifindex;               /* TRANSPORT_GENL, as in PutScope */
        const struct nlattr *nest; /* and the list that its family has all options in, if any */
} GetScope;

enum {
        _ATTR_E_SUCCESS,
        ATTR_E_INVALID, /* parse: the text is not a value of this row; scope->reason says why */
        ATTR_E_ABSENT,  /* get: not reported; parse: this element is as good as none */
};

struct AttrType {
        const char *name;   /* for `describe`: "boolean", "duration" */
        const char *syntax; /* what is allowed, unless names or a range tell it better */
        Shape shape;
        uint8_t size;    /* bytes on the wire, for numbers */
        bool big_endian; /* likewise */
        bool is_signed;
        bool is_ref;     /* values are Refs: edges of the graph of links */
        bool is_netns;   /* values are Refs without a link */
        bool is_number;  /* min and max apply */
        bool is_text;    /* values are texts */
        bool is_bit;     /* one of several in a number, which is written as a whole */
        bool is_secret;  /* values are of files that hold a secret */
        bool is_masked;  /* says which of its bits are meant: rows that share it need not be sent */

        const char *const *fields; /* of an element that can be a map, with scalars: its keys */

        /* One scalar, or one element of a list or map. 0, ATTR_E_*, or < 0. */
        int (*parse)(const Row *row, ParseScope *scope, const char *text, Value *ret);
        /* The inverse, same element. */
        void (*format)(const Row *row, const Value *value, Buf *ret);
        /* Appends the whole value to the message. 0, or < 0 (-EMSGSIZE, -ENODEV …). */
        int (*put)(const Row *row, const Value *value, PutScope *scope);
        /* 0, ATTR_E_ABSENT, or < 0 (-EBADMSG). */
        int (*get)(const Row *row, const GetScope *scope, Value *ret);
        /* Whether the kernel's `have` is what comes of asking for `wanted`; one element. */
        bool (*equal)(const Row *row, const Value *wanted, const Value *have);

        /* For elements that are no plain values: their order, a copy, and the reference in them. */
        int (*compare)(const Value *a, const Value *b);
        int (*copy)(Arena *arena, const Value *value, Value *ret);
        Value *(*ref_in)(const Value *value);
        /* Whether only a new object can make that change; NULL: `names` tell. */
        bool (*is_fixed)(const Row *row, const Value *from, const Value *to);
        /* Of values that can hold the name of a host: that name; false: it holds none. */
        bool (*host)(const Value *value, char ret[HOST_NAME_SIZE]);
        /* Such a value, of a host that has this IP address: it can be sent. 0 or -ENOMEM. */
        int (*found)(Arena *arena, const Value *value, const Value *address, Value *ret);
        /* NULL, or: makes one list of those that mean the same. 0, ATTR_E_INVALID, or < 0. */
        int (*join)(const Row *row, ParseScope *scope, Value *list);
};

/* Numbers of a fixed width. */
extern const AttrType attr_u8, attr_u16, attr_u32, attr_u64, attr_s32, attr_be16, attr_be32,
        attr_be64;
/* Likewise; some have a name (`names`). */
extern const AttrType attr_u8_or_word;
/* A TTL of TTL_INHERIT is an attribute of its own (`nla2`): a flag without payload if `bit` is set. */
#define TTL_INHERIT 256
extern const AttrType attr_ttl;
/* Zero or not. */
extern const AttrType attr_bool, attr_bool32;
/* There or not. */
extern const AttrType attr_presence;
/* Words for numbers (`names`). */
extern const AttrType attr_enum8, attr_enum16, attr_enum32, attr_enum64, attr_enum_be16;
/* Time in USER_HZ (1/100 s), as the bridge counts it; survives the kernel's rounding to jiffies. */
extern const AttrType attr_clock32, attr_clock64;
/* Time in milliseconds, and in seconds. */
extern const AttrType attr_ms, attr_seconds, attr_seconds16;
/* One bit (`bit`) of struct { u32 value, mask }. */
extern const AttrType attr_masked_bit;
/* One bit of a plain number; all rows with the same number must be sent together. */
extern const AttrType attr_bit16, attr_bit_be16, attr_bit32;
/* One bit of ifinfomsg.ifi_flags. */
extern const AttrType attr_iff;
/* One bit of ndmsg.ndm_flags. */
extern const AttrType attr_ntf;
/* 48-bit addresses; attr_mac_policy also takes `stable` and `kernel`. */
extern const AttrType attr_mac, attr_mac_policy;
/*
 * An IP address or `any`, which is sent by saying nothing: `nla` if IPv4, `nla2` if IPv6, and only
 * those families that have one. Rows that share a number tell by ADDRESS_* in `bit` which is theirs.
 */
enum {
        ADDRESS_UNICAST = 1 << 0,
        ADDRESS_MULTICAST = 1 << 1,
};
extern const AttrType attr_endpoint;
/*
 * A number or a word (the first of `names`), which is the bit `bit` of the flags in `nla2`. The
 * flow of IPv6 is one number: a traffic class (`max` 255) above a flow label.
 */
#define FLAGGED ((uint64_t)1 << 32) /* the word's number */
extern const AttrType attr_flagged8, attr_flagged32, attr_flow;
/* The GRE key of one direction, or `none`: `nla`, and a bit in the flags at `nla2`. */
extern const AttrType attr_gre_key, attr_local_gre_key;
/* ADDRESS/LENGTH, an attribute (`nla2`) each; `bit`: how many bytes an address has. */
extern const AttrType attr_prefix;
/* Ports, LOW-HIGH or `any`. */
extern const AttrType attr_srcport;
/* Text of at most `max` bytes. */
extern const AttrType attr_text;
/* A link: ifindex on the wire. attr_lower is IFLA_LINK with IFLA_LINK_NETNSID beside it. */
extern const AttrType attr_link, attr_lower, attr_peer;
/* USER[:GROUP] or :GROUP, as `pair`; OWNER_NONE is nobody in particular. */
#define OWNER_NONE UINT32_MAX
/* Of a tun, as IFLA_TUN_OWNER and the attribute after it; can't be taken away again. */
extern const AttrType attr_tun_owner;
/* An address of the family that the message's header says. */
extern const AttrType attr_ip;
/* A file with a key in it. */
extern const AttrType attr_secret_file;
/* Of a character device: what is not said stays as it is. And its mode, octal. */
extern const AttrType attr_device_owner, attr_mode;
/* A namespace by name: IFLA_LINK_NETNSID. */
extern const AttrType attr_netns;
/* The networks of a vxlan: ranges, sorted, none of which overlap or could be one. */
#define VNI_MAX 0xffffffu
typedef struct VniRange {
        uint32_t from, to;
        Value far; /* where packets go whose destination is not known; no family: nowhere else */
} VniRange;
extern const AttrType attr_vnis;
/* Makes such a list of one in any order. 0, ATTR_E_INVALID with the reason, or -ENOMEM. */
int vnis_join(ParseScope *scope, Value *list);
/* What is in one list and not, or not alike, in the other. 0 or -ENOMEM. */
int vnis_except(Arena *arena, const Value *list, const Value *except, Value *ret);
const VniRange *vnis_find(const Value *list, uint32_t vni); /* NULL: none; so of no list */
/* Local: never on the wire. */
extern const AttrType attr_local_bool, attr_local_u32, attr_local_text, attr_local_mac,
        attr_local_links;

/* Parts of the types above, for types that differ from them in one. A number; a word or a number: */
#define ATTR_NUMBER                                                                                \
        .name = "number", .syntax = "a number", .is_number = true, .parse = attr_parse_number,     \
        .format = attr_format_number, .equal = attr_equal_number
#define ATTR_WORD                                                                                  \
        .name = "number", .syntax = "a number", .is_number = true, .parse = attr_parse_word,       \
        .format = attr_format_enum, .equal = attr_equal_number
int attr_parse_bool(const Row *row, ParseScope *scope, const char *text, Value *ret);
int attr_parse_enum(const Row *row, ParseScope *scope, const char *text, Value *ret);
int attr_parse_clock(const Row *row, ParseScope *scope, const char *text, Value *ret);
int attr_parse_mac(const Row *row, ParseScope *scope, const char *text, Value *ret);
int attr_parse_secret(const Row *row, ParseScope *scope, const char *text, Value *ret);
void attr_format_secret(const Row *row, const Value *value, Buf *ret);
int attr_put_secret(const Row *row, const Value *value, PutScope *scope);
int attr_get_secret(const Row *row, const GetScope *scope, Value *ret);
bool attr_equal_secret(const Row *row, const Value *wanted, const Value *have);
void attr_format_bool(const Row *row, const Value *value, Buf *ret);
void attr_format_enum(const Row *row, const Value *value, Buf *ret);
void attr_format_clock(const Row *row, const Value *value, Buf *ret);
void attr_format_mac(const Row *row, const Value *value, Buf *ret);
int attr_parse_word(const Row *row, ParseScope *scope, const char *text, Value *ret);
int attr_parse_number(const Row *row, ParseScope *scope, const char *text, Value *ret);
void attr_format_number(const Row *row, const Value *value, Buf *ret);
/* "1.5s" in milliseconds. */
int attr_parse_ms(ParseScope *scope, const char *text, uint64_t *ret_ms);
int attr_put_number(const Row *row, const Value *value, PutScope *scope);
int attr_get_number(const Row *row, const GetScope *scope, Value *ret);
int attr_parse_ip(const Row *row, ParseScope *scope, const char *text, Value *ret);
void attr_format_ip(const Row *row, const Value *value, Buf *ret);
int attr_get_ip(const Row *row, const GetScope *scope, Value *ret);
bool attr_equal_ip(const Row *row, const Value *wanted, const Value *have);
size_t ip_bytes(uint8_t family); /* 0: of no family */
bool ip_is_multicast(const Value *address);
/* A prefix: `default` has no family yet, and is IPv4's if nobody says otherwise. */
bool attr_equal_prefix(const Row *row, const Value *wanted, const Value *have);
int attr_parse_prefix(const Row *row, ParseScope *scope, const char *text, Value *ret);
void attr_format_prefix(const Row *row, const Value *value, Buf *ret);
/* A routing table; 0 is none, and out of range if the row has a minimum. */
int attr_parse_table(const Row *row, ParseScope *scope, const char *text, Value *ret);
void attr_format_table(const Row *row, const Value *value, Buf *ret);
/* "1.5s" in milliseconds. */
int attr_parse_ms(ParseScope *scope, const char *text, uint64_t *ret_ms);
int attr_put_nothing(const Row *row, const Value *value, PutScope *scope);
int attr_get_nothing(const Row *row, const GetScope *scope, Value *ret); /* ATTR_E_ABSENT */
bool attr_equal_number(const Row *row, const Value *wanted, const Value *have);
bool attr_equal_clock(const Row *row, const Value *wanted, const Value *have);
bool attr_equal_mac(const Row *row, const Value *wanted, const Value *have);

/* One value of a row, list or not, from or to text: lists as "[a, b]", maps as "{a: b}". */
int value_parse(const Row *row, ParseScope *scope, const char *text, Value *ret);
void value_format(const Row *row, const Value *value, Buf *ret);
bool value_equal(const Row *row, const Value *wanted, const Value *have);
/* Whether it takes a new object to get from one to the other, whatever the row says. */
bool value_change_is_fixed(const Row *row, const Value *from, const Value *to);
/* Adds an element to a list value made by nothing but this; it stays sorted and unique. */
int value_append(const Row *row, Arena *arena, Value *list, const Value *item);
/* The order that lists are kept in, between elements. */
int value_compare(const Row *row, const Value *a, const Value *b);
/* A copy whose text and items live in `arena`. 0 or -ENOMEM. */
int value_copy(Arena *arena, const Row *row, const Value *value, Value *ret);

/* What a row allows, for errors and the manual: "true or false", "1 to 4094", "l2, l3 or l3s". */
void row_allowed(const Row *row, Buf *ret);
const Name *row_name(const Row *row, uint64_t number); /* NULL: none */

/*
 * An element in the long form, "{KEY: TEXT, KEY: TEXT}", field by field; quotes around a text are
 * none of it. What `take` returns first is returned, or ATTR_E_INVALID.
 */
int text_to_fields(ParseScope *scope, const char *text,
                   int (*take)(ParseScope *scope, const char *key, const char *text, void *userdata),
                   void *userdata);
/* "20" or "20-30", from 1 to max. 0, ATTR_E_INVALID or -ENOMEM. */
int text_to_range(ParseScope *scope, const char *text, uint64_t max, uint64_t *ret_from,
                  uint64_t *ret_to);
void range_to_text(uint64_t from, uint64_t to, Buf *ret);

/* For put and get of types that live in one kind's file. */
/* The payload that an earlier row of the set put there, to be added to; NULL: none. */
void *put_earlier(PutScope *scope, uint16_t nla, size_t size);
int put_attr(PutScope *scope, uint16_t nla, const void *payload, size_t size);
struct nlattr *put_nest(PutScope *scope, uint16_t nla); /* NULL: no room */
void put_nest_end(PutScope *scope, struct nlattr *nest);
const struct nlattr *get_attr(const GetScope *scope, uint16_t nla, size_t min_size);
