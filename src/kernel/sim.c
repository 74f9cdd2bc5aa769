/* SPDX-License-Identifier: MIT */
/*
 * Ports of simulated devices. Rows are put as rtnetlink tells them, and are carried out here; the
 * new link, whatever the kernel has called it, is found by them, and gets all that a link that is
 * made has: its name and our mark above all.
 */

#include "kernel/applier.h"

#include <errno.h>
#include <libmnl/libmnl.h>

bool op_is_of_sysfs(const Op *op) {
        return op->link && op->link->kind && op->link->kind->transport == TRANSPORT_SYSFS;
}

/* What a file does not say is the default. */
static unsigned number_of(const Link *link, const char *key) {
        const Value *value = attrset_get(&link->options, key);
        int row = schema_find(link->options.schema, key);
        const char *def = row < 0 ? NULL : schema_row(link->options.schema, (size_t)row)->def;
        uint64_t number = 0;

        if (value)
                return (unsigned)value->number;
        return def && text_to_u64(def, &number) == 0 ? (unsigned)number : 0;
}

static NetnsSim sim_of(const Link *link) {
        return (NetnsSim){
                .id = number_of(link, "id"),
                .port = number_of(link, "port"),
                .queues = number_of(link, "queues"),
        };
}

/* Made by somebody who asks for it by rtnetlink, which loads the module, and refuses. */
static int load_module(Applier *applier) {
        Op op = *applier->op;
        int r;

        memset(op.rows, 0, sizeof(op.rows));
        r = applier_send(applier, encode_link_add(applier_request(applier), &op, op.name));
        if (r == -EOPNOTSUPP && !strstr(applier->result->message, "Unknown device type")) {
                *applier->result = (OpResult){};
                return 0;
        }
        return r == 0 ? -EINVAL : r;
}

typedef struct Search {
        const NetnsSim *sim;
        int ifindex;
} Search;

static int take_link(const struct nlmsghdr *message, void *userdata) {
        _cleanup_(network_freep) Network *network = NULL;
        Search *search = userdata;
        int lower, r = network_new(&network);
        NetnsSim sim;
        Link *link;

        if (r == 0)
                r = decode_link(network_find_namespace(network, HOST), message, &link, &lower);
        if (r != 0 || !link->kind || link->kind->transport != TRANSPORT_SYSFS)
                return r == -ENOMEM ? r : 0;
        sim = sim_of(link);
        if (sim.id == search->sim->id && sim.port == search->sim->port)
                search->ifindex = link->ifindex;
        return 0;
}

static int find_port(Applier *applier, const NetnsSim *sim, int *ret) {
        Search search = {.sim = sim};
        DumpRequest buffer;
        int r = netlink_dump(applier->space->netlink, link_request(&buffer, 0), take_link, &search);

        if (r != 0)
                return r < 0 ? r : -EAGAIN;
        if (search.ifindex == 0)
                return applier_fail(applier, -EXDEV, "device %u is in another namespace", sim->id);
        *ret = search.ifindex;
        return 0;
}

static int finish(Applier *applier, const NetnsSim *sim) {
        const Op *op = applier->op;
        Op common = {.link = op->link, .section = SECTION_COMMON};
        int ifindex = 0, r = find_port(applier, sim, &ifindex);

        common.rows[SECTION_COMMON] = op->rows[SECTION_COMMON];
        if (r == 0)
                r = applier_send(applier, encode_link_move(applier_request(applier), ifindex,
                                                           op->name, -1));
        if (r == 0 && common.rows[SECTION_COMMON])
                r = applier_send(applier, encode_link_set(applier_request(applier), &common,
                                                          ifindex));
        return r;
}

int sim_add(Applier *applier) {
        const NetnsSim sim = sim_of(applier->op->link);
        int r;

        applier->kernel->kernel.writes++;
        r = netns_sim_make(space_visit(applier->space), NULL, &sim);
        if (r == NETNS_E_ABSENT) {
                r = load_module(applier);
                if (r == 0)
                        r = netns_sim_make(space_visit(applier->space), NULL, &sim);
        }
        if (r > 0)
                return applier_fail(applier, -EOPNOTSUPP, "kernel has no netdevsim");
        if (r < 0)
                return r;
        r = finish(applier, &sim);
        if (r < 0)
                netns_sim_take(space_visit(applier->space), NULL, &sim);
        return r;
}

int sim_del(Applier *applier) {
        const NetnsSim sim = sim_of(applier->op->link);
        int r;

        applier->kernel->kernel.writes++;
        r = netns_sim_take(space_visit(applier->space), NULL, &sim);
        return r > 0 ? -ENODEV : r;
}
