/* SPDX-License-Identifier: MIT */
/* All kinds and object types there are. The list of kinds is the build's: src/kinds/meson.build. */

#include "mvnet/network.h"

#include <linux/if_link.h>

#include "kinds.h"

#define DECLARE(name) extern const LinkKind link_kind_##name;
LINK_KINDS(DECLARE)

#define POINT(name) &link_kind_##name,
const LinkKind *const link_kinds[] = {LINK_KINDS(POINT)};
const size_t link_kinds_n = ELEMENTSOF(link_kinds);

const ObjectType *const object_types[] = {
        &object_sysctl,
        &object_link_sysctl,
        &object_altname,
        &object_address,
        &object_neighbour,
        &object_nexthop,
        &object_route,
        &object_rule,
        &object_fdb,
        &object_wireguard_peer,
        &object_macsec_tx_sa,
        &object_macsec_rx,
        &object_macsec_rx_sa,
        &object_remote,
        &object_mdb,
};
const size_t object_types_n = ELEMENTSOF(object_types);

const LinkKind *link_kind_find(const char *name) {
        for (size_t i = 0; i < link_kinds_n; i++)
                if (streq(link_kinds[i]->name, name))
                        return link_kinds[i];
        return NULL;
}

const LinkKind *link_kind_family(const LinkKind *kind) {
        while (kind && kind->like)
                kind = kind->like;
        return kind;
}

bool link_kind_is(const LinkKind *kind, uint32_t flag) {
        for (; kind; kind = kind->like)
                if (kind->flags & flag)
                        return true;
        return false;
}

const LinkLower *link_kind_lower(const LinkKind *kind) {
        static const LinkLower none;

        for (; kind; kind = kind->like)
                if (kind->lower.nla)
                        return &kind->lower;
        return &none;
}

Bind link_kind_bind(const LinkKind *kind) {
        for (; kind; kind = kind->like)
                if (kind->bind != BIND_NEVER)
                        return kind->bind;
        return BIND_NEVER;
}

bool link_kind_can_have_parent(const LinkKind *kind) {
        return link_kind_is(kind, KIND_PARENT) || link_kind_lower(kind)->nla;
}

bool link_kind_dies_with_parent(const LinkKind *kind) {
        return link_kind_is(kind, KIND_PARENT) || link_kind_lower(kind)->kills;
}

bool link_kind_default(const LinkKind *kind, size_t link_row, uint64_t *ret) {
        switch (link_row) {
        case LINK_MTU:
                while (kind && !kind->mtu)
                        kind = kind->like;
                *ret = kind ? kind->mtu : 1500;
                return *ret != MTU_VARIES;
        case LINK_TXQUEUELEN:
                *ret = kind && kind->txqueuelen ? kind->txqueuelen : 1000;
                return true;
        case LINK_ARP:
                if (link_kind_is(kind, KIND_ARP_VARIES))
                        return false;
                *ret = !link_kind_is(kind, KIND_NO_ARP);
                return true;
        case LINK_MULTICAST:
                *ret = !link_kind_is(kind, KIND_NO_ARP);
                return true;
        case LINK_ADDR_GEN_MODE:
                *ret = IN6_ADDR_GEN_MODE_EUI64;
                return true;
        }
        return false;
}

int link_verify(const Link *link, const char **ret_key, const char **ret_reason) {
        for (const LinkKind *kind = link->kind; kind; kind = kind->like)
                if (kind->verify)
                        return kind->verify(&link->common, &link->options, ret_key, ret_reason);
        return 0;
}

int link_verify_port(const Link *link, const char **ret_key, const char **ret_reason) {
        const Schema *schema = link->port.schema;

        for (size_t i = 0; schema && i < link_kinds_n; i++)
                if (&link_kinds[i]->port == schema && link_kinds[i]->verify_port)
                        return link_kinds[i]->verify_port(&link->port, ret_key, ret_reason);
        return 0;
}

const Schema *link_kind_port_schema(const char *name) {
        for (size_t i = 0; i < link_kinds_n; i++)
                if (link_kinds[i]->port.name && streq(link_kinds[i]->port.name, name))
                        return &link_kinds[i]->port;
        return NULL;
}

const ObjectType *object_type_find(const char *key, uint32_t flag) {
        for (size_t i = 0; i < object_types_n; i++)
                if (object_types[i]->flags & flag && !object_types[i]->within &&
                    streq(object_types[i]->schema.name, key))
                        return object_types[i];
        return NULL;
}
