/* SPDX-License-Identifier: MIT */
/*
 * Names of hosts. A file may say one where the kernel wants an address; what it stands for depends
 * on who asks, and when, so it is a fact about the world like all that a dump tells.
 */

#include "mvnet/network.h"

static bool is_label(const char *label, size_t size) {
        if (size < 1 || size > 63 || label[0] == '-' || label[size - 1] == '-')
                return false;
        return strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789-_") >= size;
}

/* What ends in a number is taken for an address by one resolver or the other: 10.1 is 10.0.0.1. */
bool host_name_valid(const char *name) {
        const char *label = name;
        bool number = true;

        if (strlen(name) >= HOST_NAME_SIZE)
                return false;
        for (;;) {
                size_t size = strcspn(label, ".");

                if (!is_label(label, size))
                        return false;
                number = strspn(label, "0123456789") == size ||
                         (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'));
                if (label[size] == '\0' || label[size + 1] == '\0')
                        return !number;
                label += size + 1;
        }
}

const char *link_outer_netns(const Link *link) {
        return attrset_has(&link->common, LINK_BIND_NETNS)
                       ? link->common.values[LINK_BIND_NETNS].ref.netns : link->netns->name;
}

Lookup *network_find_lookup(const Network *network, const char *netns, const char *host) {
        Lookup *lookup = network->lookups;

        while (lookup && !(streq(lookup->netns, netns) && streq(lookup->host, host)))
                lookup = lookup->next;
        return lookup;
}

Lookup *network_add_lookup(Network *network, const char *netns, const char *host) {
        Lookup *lookup = arena_new(&network->arena, Lookup);

        if (!lookup)
                return NULL;
        lookup->netns = arena_strdup(&network->arena, netns);
        lookup->host = arena_strdup(&network->arena, host);
        if (!lookup->netns || !lookup->host)
                return NULL;
        lookup->next = network->lookups;
        network->lookups = lookup;
        return lookup;
}

static int foreach_in(const Link *link, const AttrSet *set,
                      int (*take)(void *userdata, const char *netns, const char *host),
                      void *userdata) {
        char host[HOST_NAME_SIZE];
        int r = 0;
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const AttrType *type = schema_row(set->schema, i)->type;

                if (r >= 0 && type->host && type->host(&set->values[i], host))
                        r = take(userdata, link_outer_netns(link), host);
        }
        return r;
}

int network_foreach_host(const Network *network,
                         int (*take)(void *userdata, const char *netns, const char *host),
                         void *userdata) {
        int r = 0;

        for (const Namespace *netns = network->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next)
                        for (const Object *object = link->objects; r >= 0 && object;
                             object = object->next)
                                r = foreach_in(link, &object->set, take, userdata);
        return MIN(r, 0);
}
