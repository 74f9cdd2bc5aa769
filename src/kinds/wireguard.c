/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/wireguard.h>

#include "mvnet/schema.h"

/* A public key: the text in base64, 32 bytes on the wire. */

static int key_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        uint8_t key[SECRET_SIZE];
        char canonical[SECRET_TEXT_SIZE];

        scope->reason = "is not 32 bytes in base64";
        if (!secret_from_text(text, key))
                return ATTR_E_INVALID;
        secret_to_text(key, canonical);
        *ret = (Value){.text = arena_strdup(scope->arena, canonical)};
        return ret->text ? 0 : -ENOMEM;
}

static void key_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_add(ret, value->text);
}

static int key_put(const Row *row, const Value *value, PutScope *scope) {
        uint8_t key[SECRET_SIZE];

        if (!secret_from_text(value->text, key))
                return -EINVAL;
        return put_attr(scope, row->nla, key, sizeof(key));
}

static int key_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, SECRET_SIZE);
        char text[SECRET_TEXT_SIZE];

        if (!attr)
                return ATTR_E_ABSENT;
        secret_to_text(mnl_attr_get_payload(attr), text);
        *ret = (Value){.text = arena_strdup(scope->arena, text)};
        return ret->text ? 0 : -ENOMEM;
}

static bool text_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return streq_ptr(wanted->text, have->text);
}

static const AttrType attr_key = {
        .name = "public key",
        .syntax = "32 bytes in base64, as `wg pubkey` prints them",
        .is_text = true,
        .parse = key_parse,
        .format = key_format,
        .put = key_put,
        .get = key_get,
        .equal = text_equal,
};

/* A private key; some of its bits are fixed, whatever the file says (curve25519_clamp_secret). */

static void clamp(const uint8_t *key, uint8_t ret[SECRET_SIZE]) {
        static const uint8_t none[SECRET_SIZE];

        memcpy(ret, key, SECRET_SIZE);
        if (memcmp(key, none, SECRET_SIZE) == 0)
                return;
        ret[0] &= 248;
        ret[31] = (ret[31] & 127) | 64;
}

static bool private_equal(const Row *row, const Value *wanted, const Value *have) {
        uint8_t a[SECRET_SIZE], b[SECRET_SIZE];
        bool equal;

        if (!wanted->secret.key || !have->secret.key)
                return attr_equal_secret(row, wanted, have);
        clamp(wanted->secret.key, a);
        clamp(have->secret.key, b);
        equal = memcmp(a, b, SECRET_SIZE) == 0;
        explicit_bzero(a, sizeof(a));
        explicit_bzero(b, sizeof(b));
        return equal;
}

static const AttrType attr_private_key = {
        .name = "file",
        .syntax = "the name of a file that holds a private key, or none",
        .is_secret = true,
        .parse = attr_parse_secret,
        .format = attr_format_secret,
        .put = attr_put_secret,
        .get = attr_get_secret,
        .equal = private_equal,
};

/* Where a peer is: ADDRESS:PORT, or HOST:PORT as long as nobody knows better. */

typedef struct Place {
        char host[HOST_NAME_SIZE];
        uint16_t port;
        int family; /* AF_UNSPEC: of the name of a host */
        struct in6_addr address;
} Place;

static bool split(const char *text, Place *ret) {
        const char *colon = strrchr(text, ':');
        size_t length = colon ? (size_t)(colon - text) : 0;
        bool bracket = length > 2 && text[0] == '[' && text[length - 1] == ']';
        uint64_t port;

        if (!colon || text_to_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)
                return false;
        if (bracket) {
                text++;
                length -= 2;
        }
        if (length == 0 || length >= sizeof(ret->host))
                return false;
        *ret = (Place){.port = (uint16_t)port, .family = AF_UNSPEC};
        memcpy(ret->host, text, length);
        if (bracket)
                ret->family = AF_INET6;
        else if (inet_pton(AF_INET, ret->host, &ret->address) == 1)
                ret->family = AF_INET;
        if (ret->family == AF_UNSPEC)
                return host_name_valid(ret->host);
        return ret->family == AF_INET || inet_pton(AF_INET6, ret->host, &ret->address) == 1;
}

static char *format_place(Arena *arena, int family, const void *address, uint16_t port) {
        char text[INET6_ADDRSTRLEN];

        inet_ntop(family, address, text, sizeof(text));
        return arena_printf(arena, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* To DNS capitals are the same, so they shall not be a difference here. */
static char *format_host(Arena *arena, const Place *place) {
        char *text = arena_printf(arena, "%s:%u", place->host, place->port);

        for (char *c = text; c && *c; c++)
                if (*c >= 'A' && *c <= 'Z')
                        *c = (char)(*c - 'A' + 'a');
        return text;
}

static int endpoint_parse(const Row *row _unused_, ParseScope *scope, const char *text,
                          Value *ret) {
        Place place;
        char *canonical;

        scope->reason = "is not a host and a port";
        if (!split(text, &place))
                return ATTR_E_INVALID;
        canonical = place.family == AF_UNSPEC
                ? format_host(scope->arena, &place)
                : format_place(scope->arena, place.family, &place.address, place.port);
        *ret = (Value){.endpoint = {.text = canonical}};
        return canonical ? 0 : -ENOMEM;
}

static void endpoint_format(const Row *row _unused_, const Value *value, Buf *ret) {
        buf_add(ret, value->endpoint.text);
        if (value->endpoint.found)
                buf_printf(ret, " (%s)", value->endpoint.found);
}

static const char *endpoint_address(const Value *value) {
        return value->endpoint.found ? value->endpoint.found : value->endpoint.text;
}

static bool endpoint_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return streq(endpoint_address(wanted), endpoint_address(have));
}

static int endpoint_put(const Row *row, const Value *value, PutScope *scope) {
        struct sockaddr_in in = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        Place place;

        if (!split(endpoint_address(value), &place))
                return -EINVAL;
        in.sin_port = in6.sin6_port = htons(place.port);
        if (place.family == AF_INET) {
                memcpy(&in.sin_addr, &place.address, sizeof(in.sin_addr));
                return put_attr(scope, row->nla, &in, sizeof(in));
        }
        in6.sin6_addr = place.address;
        return place.family == AF_INET6 ? put_attr(scope, row->nla, &in6, sizeof(in6))
                                        : -EDESTADDRREQ;
}

static int endpoint_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *attr = get_attr(scope, row->nla, sizeof(struct sockaddr_in));
        const void *payload = attr ? mnl_attr_get_payload(attr) : NULL;
        struct sockaddr_in6 in6;
        struct sockaddr_in in;
        char *text;

        if (!attr)
                return ATTR_E_ABSENT;
        memcpy(&in, payload, sizeof(in));
        if (in.sin_family == AF_INET) {
                text = format_place(scope->arena, AF_INET, &in.sin_addr, ntohs(in.sin_port));
        } else {
                if (in.sin_family != AF_INET6 || mnl_attr_get_payload_len(attr) < sizeof(in6))
                        return -EBADMSG;
                memcpy(&in6, payload, sizeof(in6));
                text = format_place(scope->arena, AF_INET6, &in6.sin6_addr, ntohs(in6.sin6_port));
        }
        *ret = (Value){.endpoint = {.text = text}};
        return text ? 0 : -ENOMEM;
}

static bool endpoint_host(const Value *value, char ret[HOST_NAME_SIZE]) {
        Place place;

        if (!split(value->endpoint.text, &place) || place.family != AF_UNSPEC)
                return false;
        memcpy(ret, place.host, sizeof(place.host));
        return true;
}

static int endpoint_found(Arena *arena, const Value *value, const Value *address, Value *ret) {
        Place place;
        char *found;

        if (!split(value->endpoint.text, &place))
                return -EINVAL;
        found = format_place(arena, address->family, address->bytes, place.port);
        *ret = (Value){.endpoint = {.text = value->endpoint.text, .found = found}};
        return found ? 0 : -ENOMEM;
}

static int endpoint_copy(Arena *arena, const Value *value, Value *ret) {
        char *text = arena_strdup(arena, value->endpoint.text);
        char *found = arena_strdup(arena, value->endpoint.found);

        if (!text || (value->endpoint.found && !found))
                return -ENOMEM;
        *ret = (Value){.endpoint = {.text = text, .found = found}};
        return 0;
}

static const AttrType attr_peer_endpoint = {
        .name = "endpoint",
        .syntax = "NAME:PORT, ADDRESS:PORT, or [ADDRESS]:PORT with an IPv6 address",
        .is_text = true,
        .parse = endpoint_parse,
        .format = endpoint_format,
        .put = endpoint_put,
        .get = endpoint_get,
        .equal = endpoint_equal,
        .copy = endpoint_copy,
        .host = endpoint_host,
        .found = endpoint_found,
};

/* Prefixes; the kernel drops what is behind their length (add in allowedips.c). */

static void mask(Value *value) {
        for (size_t i = 0; i < sizeof(value->bytes); i++) {
                unsigned bits = value->length > 8 * i ? value->length - 8 * (unsigned)i : 0;

                if (bits < 8)
                        value->bytes[i] &= (uint8_t)(0xff00 >> bits);
        }
}

static int prefix_parse(const Row *row _unused_, ParseScope *scope, const char *text, Value *ret) {
        const char *slash = strchr(text, '/');
        char *address = arena_strndup(scope->arena, text,
                                      slash ? (size_t)(slash - text) : strlen(text));
        Value value = {.family = AF_INET};
        uint64_t length;

        scope->reason = "is not an IP address with a prefix length";
        if (!address)
                return -ENOMEM;
        if (inet_pton(AF_INET, address, value.bytes) != 1) {
                value.family = AF_INET6;
                if (inet_pton(AF_INET6, address, value.bytes) != 1)
                        return ATTR_E_INVALID;
        }
        length = value.family == AF_INET ? 32 : 128;
        if (slash && (text_to_u64(slash + 1, &length) < 0 ||
                      length > (value.family == AF_INET ? 32 : 128)))
                return ATTR_E_INVALID;
        value.length = (uint8_t)length;
        mask(&value);
        *ret = value;
        return 0;
}

static void prefix_format(const Row *row _unused_, const Value *value, Buf *ret) {
        char text[INET6_ADDRSTRLEN];

        inet_ntop(value->family, value->bytes, text, sizeof(text));
        buf_printf(ret, "%s/%u", text, value->length);
}

static int put_prefix(const Value *value, PutScope *scope) {
        struct nlattr *nest = put_nest(scope, 0);
        uint16_t family = value->family;
        int r = nest ? put_attr(scope, WGALLOWEDIP_A_FAMILY, &family, sizeof(family)) : -EMSGSIZE;

        if (r == 0)
                r = put_attr(scope, WGALLOWEDIP_A_IPADDR, value->bytes,
                             family == AF_INET ? 4 : 16);
        if (r == 0)
                r = put_attr(scope, WGALLOWEDIP_A_CIDR_MASK, &value->length, 1);
        if (r == 0)
                put_nest_end(scope, nest);
        return r;
}

static int prefixes_put(const Row *row, const Value *value, PutScope *scope) {
        struct nlattr *nest = put_nest(scope, row->nla);
        int r = nest ? 0 : -EMSGSIZE;

        for (size_t i = 0; r == 0 && i < value->list.n; i++)
                r = put_prefix(&value->list.items[i], scope);
        if (r == 0)
                put_nest_end(scope, nest);
        return r;
}

static bool get_prefix(const struct nlattr *nest, Value *ret) {
        const struct nlattr *attr, *address = NULL;
        Value value = {};

        mnl_attr_for_each_nested(attr, nest) {
                uint16_t nla = mnl_attr_get_type(attr);

                if (nla == WGALLOWEDIP_A_FAMILY && mnl_attr_get_payload_len(attr) >= 2)
                        value.family = (uint8_t)mnl_attr_get_u16(attr);
                else if (nla == WGALLOWEDIP_A_CIDR_MASK && mnl_attr_get_payload_len(attr) >= 1)
                        value.length = mnl_attr_get_u8(attr);
                else if (nla == WGALLOWEDIP_A_IPADDR)
                        address = attr;
        }
        if ((value.family != AF_INET && value.family != AF_INET6) || !address ||
            mnl_attr_get_payload_len(address) < (value.family == AF_INET ? 4 : 16) ||
            value.length > (value.family == AF_INET ? 32 : 128))
                return false;
        memcpy(value.bytes, mnl_attr_get_payload(address), value.family == AF_INET ? 4 : 16);
        *ret = value;
        return true;
}

static int prefixes_get(const Row *row, const GetScope *scope, Value *ret) {
        const struct nlattr *nest = get_attr(scope, row->nla, 0), *attr;
        Value list = {};

        if (nest)
                mnl_attr_for_each_nested(attr, nest) {
                        Value item = {};

                        if (!get_prefix(attr, &item))
                                return -EBADMSG;
                        if (value_append(row, scope->arena, &list, &item) < 0)
                                return -ENOMEM;
                }
        *ret = list;
        return 0;
}

static bool prefix_equal(const Row *row _unused_, const Value *wanted, const Value *have) {
        return wanted->family == have->family && wanted->length == have->length &&
               memcmp(wanted->bytes, have->bytes, sizeof(wanted->bytes)) == 0;
}

static const AttrType attr_prefixes = {
        .name = "list of prefixes",
        .syntax = "IP prefixes",
        .shape = SHAPE_LIST,
        .parse = prefix_parse,
        .format = prefix_format,
        .put = prefixes_put,
        .get = prefixes_get,
        .equal = prefix_equal,
};

/* clang-format off */
static const Row rows[] = {
        { .key = "private-key-file", .nla = WGDEVICE_A_PRIVATE_KEY, .type = &attr_private_key, .transport = TRANSPORT_GENL, .flags = ROW_SECRET | ROW_ABSENT_IS_DEF, .def = "none",
          .doc = "The file that holds the private key as `wg genkey` makes it; relative to this file, and not readable by others." },
        { .key = "listen-port", .nla = WGDEVICE_A_LISTEN_PORT, .type = &attr_u16, .transport = TRANSPORT_GENL, .min = 1, .max = 65535,
          .doc = "The UDP port; some free one if it is not said." },
        { .key = "fwmark", .nla = WGDEVICE_A_FWMARK, .type = &attr_u32, .transport = TRANSPORT_GENL, .def = "0",
          .doc = "The mark of the packets that carry the tunnel, for rules; 0 is none." },
};

static const Row peer_rows[] = {
        { .key = "public-key", .nla = WGPEER_A_PUBLIC_KEY, .type = &attr_key, .change = CHANGE_KEY, .flags = ROW_REQUIRED,
          .doc = "Who it is: the peer's public key." },
        { .key = "preshared-key-file", .nla = WGPEER_A_PRESHARED_KEY, .type = &attr_secret_file, .flags = ROW_SECRET | ROW_ABSENT_IS_DEF, .def = "none",
          .doc = "The file that holds another key, as `wg genpsk` makes it, that both know; relative to this file, and not readable by others." },
        { .key = "endpoint", .nla = WGPEER_A_ENDPOINT, .type = &attr_peer_endpoint, .flags = ROW_USERS,
          .doc = "Where it is reached first, and may roam from; a name is looked up in `bind-netns`." },
        { .key = "allowed-ips", .nla = WGPEER_A_ALLOWEDIPS, .type = &attr_prefixes, .def = "[]",
          .doc = "What may come from it and what is sent to it, as prefixes; exact." },
        { .key = "persistent-keepalive", .nla = WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, .type = &attr_seconds16, .max = 65535, .def = "0s",
          .doc = "How often something is sent, so that a NAT in between remembers; 0 is never." },
};
/* clang-format on */

static const Genl genl = {
        .family = WG_GENL_NAME,
        .version = WG_GENL_VERSION,
        .get = WG_CMD_GET_DEVICE,
        .set = WG_CMD_SET_DEVICE,
        .dumps = true,
        .ifindex = WGDEVICE_A_IFINDEX,
};

const LinkKind link_kind_wireguard = {
        .name = "wireguard",
        .genl = &genl,
        .options = {.name = "wireguard", .rows = rows, .n = ELEMENTSOF(rows)},
        .flags = KIND_NO_MAC | KIND_NO_PORT | KIND_NO_CHILDREN | KIND_NO_ARP,
        .bind = BIND_SILENT, /* the socket stays where it was made (device.c wg_newlink) */
        .mtu = 1420,
        .doc = "An encrypted tunnel to peers that are known by their keys.",
};

static const GenlList peer_list = {
        .list = WGDEVICE_A_PEERS,
        .flags = WGPEER_A_FLAGS,
        .flag_new = WGPEER_F_REPLACE_ALLOWEDIPS,
        .flag_del = WGPEER_F_REMOVE_ME,
};

const ObjectType object_wireguard_peer = {
        .schema = {.name = "peers", .rows = peer_rows, .n = ELEMENTSOF(peer_rows)},
        .transport = TRANSPORT_GENL,
        .flags = OBJECT_ON_LINK | OBJECT_EXACT | OBJECT_WHOLE,
        .only = &link_kind_wireguard,
        .genl = &peer_list,
        .doc = "Who the tunnel leads to; exact.",
};
