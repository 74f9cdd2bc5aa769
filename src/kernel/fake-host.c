/* SPDX-License-Identifier: MIT */
/* Names of hosts: answered when a test says so. */

#include "kernel/fake.h"

#include <arpa/inet.h>
#include <errno.h>

static int ask(void *userdata, const char *netns, const char *host) {
        Network *asked = userdata;

        if (network_find_lookup(asked, netns, host))
                return 0;
        return network_add_lookup(asked, netns, host) ? 0 : -ENOMEM;
}

int fake_resolve(Kernel *base, const Network *wanted) {
        FakeKernel *kernel = (FakeKernel *)base;
        _cleanup_(network_freep) Network *asked = NULL;
        int r = network_new(&asked);

        if (r == 0)
                r = network_foreach_host(wanted, ask, asked);
        if (r < 0)
                return r;
        network_free(kernel->asked);
        kernel->asked = asked;
        asked = NULL;
        return 0;
}

int fake_dump_hosts(const FakeKernel *kernel, Network *have) {
        const Lookup *asked = kernel->asked ? kernel->asked->lookups : NULL;

        for (; asked; asked = asked->next) {
                const Lookup *known = network_find_lookup(kernel->world, asked->netns, asked->host);
                Lookup *lookup = network_add_lookup(have, asked->netns, asked->host);

                if (!lookup)
                        return -ENOMEM;
                if (!known)
                        continue;
                lookup->state = known->state;
                lookup->n = known->n;
                lookup->reason = known->reason;
                memcpy(lookup->addresses, known->addresses, sizeof(lookup->addresses));
        }
        return 0;
}

static int add_address(Lookup *lookup, const char *text, size_t size) {
        char address[INET6_ADDRSTRLEN];
        Value *value = &lookup->addresses[lookup->n];

        if (size >= sizeof(address) || lookup->n == LOOKUP_ADDRESSES_MAX)
                return -EINVAL;
        memcpy(address, text, size);
        address[size] = '\0';
        *value = (Value){.family = AF_INET};
        if (inet_pton(AF_INET, address, value->bytes) != 1) {
                value->family = AF_INET6;
                if (inet_pton(AF_INET6, address, value->bytes) != 1)
                        return -EINVAL;
        }
        lookup->n++;
        return 0;
}

int kernel_fake_host(Kernel *base, const char *netns, const char *host, const char *addresses) {
        Network *world = ((FakeKernel *)base)->world;
        Lookup *lookup = network_find_lookup(world, netns, host);
        int r = 0;

        if (!lookup)
                lookup = network_add_lookup(world, netns, host);
        if (!lookup)
                return -ENOMEM;
        lookup->n = 0;
        while (r == 0 && *addresses) {
                size_t size = strcspn(addresses, " ");

                r = add_address(lookup, addresses, size);
                addresses += size + strspn(addresses + size, " ");
        }
        lookup->state = lookup->n > 0 ? LOOKUP_DONE : LOOKUP_FAILED;
        lookup->reason = lookup->n > 0 ? NULL : "no such host";
        kernel_fake_touch(base, netns, 0);
        return r;
}
