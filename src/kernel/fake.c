/* SPDX-License-Identifier: MIT */
/*
 * A kernel in memory, for tests: a Network that answers as Linux does. It refuses what Linux
 * refuses, ignores what Linux ignores, and changes what Linux changes on the way. What it knows of
 * kinds is what their tables say, so a plan that is right here is right because the tables are.
 */

#include "kernel/fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int fake_refuse(OpResult *result, int error, const Row *row, const char *format, ...) {
        va_list ap;

        result->error = error;
        result->row = row;
        va_start(ap, format);
        vsnprintf(result->message, sizeof(result->message), format, ap);
        va_end(ap);
        return error;
}

static FakeKernel *fake_kernel(Kernel *kernel) {
        return (FakeKernel *)kernel;
}

Namespace *fake_space(FakeKernel *kernel, const char *name) {
        Namespace *netns = network_find_namespace(kernel->world, name);

        return netns && netns->exists && !netns->dead ? netns : NULL;
}

bool fake_name_taken(const Namespace *netns, const char *name) {
        for (const Link *link = netns->links; link; link = link->hh.next) {
                if (streq(link->name, name))
                        return true;
                for (const Object *object = link->objects; object; object = object->next)
                        if (object->type == &object_altname &&
                            streq(object->set.values[0].text, name))
                                return true;
        }
        return false;
}

/* Values. */

int fake_set_value(FakeKernel *kernel, AttrSet *set, size_t row, const Value *value) {
        const AttrType *type = schema_row(set->schema, row)->type;
        Value copy = {};
        int r = value_copy(&kernel->world->arena, schema_row(set->schema, row), value, &copy);

        /* Names are nothing that it knows. */
        if (r == 0 && type->found && copy.endpoint.found)
                copy = (Value){.endpoint = {.text = copy.endpoint.found}};
        if (r == 0)
                attrset_set(set, row, copy);
        return r;
}

/* A row whose value is the kernel's business has one all the same. */
static Value any_value(const Row *row) {
        Value value = {};

        if (row->names)
                value.number = row->names[0].number;
        else if (row->type->is_number)
                value.number = (uint64_t)row->min;
        else if (row->type->is_text && row->type->shape == SHAPE_SCALAR)
                value.text = "";
        return value;
}

int fake_fill(FakeKernel *kernel, AttrSet *set, bool choice) {
        ParseScope scope = {.arena = &kernel->world->arena, .netns = HOST};
        size_t n = set->schema ? schema_size(set->schema) : 0;

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(set->schema, i);
                Value value = {};
                int r;

                if (attrset_has(set, i) || row->flags & ROW_LOCAL || row->change == CHANGE_STATE)
                        continue;
                if (row->def) {
                        r = value_parse(row, &scope, row->def, &value);
                        if (r != 0)
                                return r < 0 ? r : -EINVAL;
                        attrset_set(set, i, value);
                } else if (choice) {
                        attrset_set(set, i, any_value(row));
                }
        }
        return 0;
}

int fake_set_text(FakeKernel *kernel, AttrSet *set, const char *key, const char *text) {
        ParseScope scope = {.arena = &kernel->world->arena, .netns = HOST};
        int row = schema_find(set->schema, key);
        Value value = {};
        int r;

        if (row < 0)
                return -EINVAL;
        r = value_parse(schema_row(set->schema, (size_t)row), &scope, text, &value);
        if (r == 0)
                attrset_set(set, (size_t)row, value);
        return r > 0 ? -EINVAL : r;
}

/* Sysctls. */

typedef struct Sysctl {
        const char *key, *value;
} Sysctl;

static const Sysctl netns_sysctls[] = {
        {"net.ipv4.ip_forward", "0"},
        {"net.ipv4.conf.all.rp_filter", "0"},
        {"net.ipv4.conf.default.rp_filter", "0"},
        {"net.ipv4.ip_local_port_range", "32768\t60999"},
        {"net.ipv6.conf.all.forwarding", "0"},
        {"net.ipv6.conf.default.accept_ra", "1"},
};

static const Sysctl link_sysctls[] = {
        {"ipv4.rp_filter", "0"},    {"ipv4.forwarding", "0"},       {"ipv4.arp_ignore", "0"},
        {"ipv6.accept_ra", "1"},    {"ipv6.forwarding", "0"},       {"ipv6.disable_ipv6", "0"},
        {"neigh4.gc_stale_time", "60"}, {"neigh6.gc_stale_time", "60"},
};

static int describe_sysctl(FakeKernel *kernel, Object *object, const Sysctl *sysctl) {
        int r;

        if (!object)
                return -ENOMEM;
        r = fake_set_text(kernel, &object->set, "key", sysctl->key);
        return r < 0 ? r : fake_set_text(kernel, &object->set, "value", sysctl->value);
}

int fake_reset_sysctls(FakeKernel *kernel, Link *link) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(link_sysctls); i++)
                r = describe_sysctl(kernel, link_add_object(link, &object_link_sysctl),
                                    &link_sysctls[i]);
        return r;
}

/* Namespaces. */

/* Numbers, lo, sysctls: what a new namespace has, and one that was put there by hand lacks. */
static int complete_space(FakeKernel *kernel, Namespace *netns) {
        FakeSpace *space;
        Link *lo;
        int r = 0;

        if (!netns->exists || netns->dead || netns->cookie)
                return 0;
        space = arena_new(&kernel->world->arena, FakeSpace);
        lo = namespace_find_link(netns, "lo");
        if (!lo)
                lo = namespace_add_link(netns, "lo");
        if (!space || !lo)
                return -ENOMEM;
        space->cookie = netns->cookie = ++kernel->last_cookie;
        HASH_ADD(hh, kernel->spaces, cookie, sizeof(uint64_t), space);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(netns_sysctls); i++)
                r = describe_sysctl(kernel, namespace_add_object(netns, &object_sysctl),
                                    &netns_sysctls[i]);
        return r < 0 ? r : fake_complete(kernel, lo);
}

static int complete_world(FakeKernel *kernel) {
        int r = 0;

        for (Namespace *netns = kernel->world->namespaces; r == 0 && netns; netns = netns->hh.next)
                r = complete_space(kernel, netns);
        FOREACH_LINK(kernel, link)
                if (r == 0)
                        r = fake_complete(kernel, link);
        return r;
}

static int netns_add(FakeKernel *kernel, const Op *op, OpResult *result) {
        Namespace *netns = network_find_namespace(kernel->world, op->name);
        int r;

        if (netns && netns->exists && !netns->dead)
                return fake_refuse(result, -EEXIST, NULL, "namespace %s exists", op->name);
        if (netns_name_problem(op->name))
                return fake_refuse(result, -EINVAL, NULL, "%s", netns_name_problem(op->name));
        if (!netns)
                netns = network_add_namespace(kernel->world, op->name, NETNS_NAMED);
        if (!netns)
                return -ENOMEM;
        netns->exists = true;
        netns->dead = false;
        netns->cookie = 0;
        netns->type = NETNS_NAMED;
        r = complete_space(kernel, netns);
        return r < 0 ? r : fake_up(kernel, namespace_find_link(netns, "lo"));
}

/* Physical links go home when their namespace dies, under another name if need be (dev.c). */
static int send_home(FakeKernel *kernel, Link *link) {
        Namespace *host = network_find_namespace(kernel->world, HOST);
        char name[16];
        Link *moved;

        if (!fake_name_taken(host, link->name))
                return fake_transfer(kernel, link, host, link->name, &moved);
        for (int n = link->ifindex;; n++) {
                snprintf(name, sizeof(name), "dev%d", n);
                if (!fake_name_taken(host, name))
                        return fake_transfer(kernel, link, host, name, &moved);
        }
}

static int netns_del(FakeKernel *kernel, const Op *op, OpResult *result) {
        Namespace *netns = network_find_namespace(kernel->world, op->name);
        int r = 0;

        if (!netns || !netns->exists)
                return 0;
        if (netns->type != NETNS_NAMED)
                return fake_refuse(result, -EPERM, NULL, "%s is not under /run/netns", op->name);
        for (Link *link = netns->links; r == 0 && link; link = netns->links) {
                while (link && fake_is_loopback(link))
                        link = link->hh.next;
                if (!link)
                        break;
                r = link->kind_name ? fake_destroy(kernel, link) : send_home(kernel, link);
        }
        for (Link *link; r == 0 && (link = fake_bound(kernel, netns));)
                r = fake_destroy(kernel, link);
        if (r == 0 && netns->links)
                r = fake_destroy(kernel, netns->links);
        netns->objects = netns->last = NULL;
        netns->exists = netns->dead = false;
        netns->cookie = 0;
        return r;
}

/* Operations. */

static int apply_op(FakeKernel *kernel, const Op *op, OpResult *result) {
        switch (op->type) {
        case OP_NETNS_ADD:
                return netns_add(kernel, op, result);
        case OP_NETNS_DEL:
                return netns_del(kernel, op, result);
        case OP_LINK_ADD:
                return fake_link_add(kernel, op, result);
        case OP_LINK_SET:
                return fake_link_set(kernel, op, result);
        case OP_LINK_MOVE:
                return fake_link_move(kernel, op, result);
        case OP_LINK_DEL:
                return fake_link_del(kernel, op, result);
        case OP_OBJECT_ADD:
        case OP_OBJECT_SET:
        case OP_OBJECT_DEL:
                return fake_apply_object(kernel, op, result);
        case _OP_TYPE_N:
                break;
        }
        return -EINVAL;
}

/* What must not be there is not there: the real backend holds that to be no failure, either. */
static bool is_gone_already(const Op *op, int r) {
        return (op->type == OP_LINK_DEL && r == -ENODEV) ||
               (op->type == OP_OBJECT_DEL && (r == -ENODEV || r == -EADDRNOTAVAIL));
}

static int fake_apply(Kernel *base, const Op *const *ops, size_t n, OpResult *results) {
        FakeKernel *kernel = fake_kernel(base);

        fake_watch_before(kernel->watch);
        for (size_t i = 0; i < n; i++) {
                int r = complete_world(kernel);

                if (r < 0)
                        return r;
                results[i] = (OpResult){.done = true};
                base->writes++;
                if (kernel->fail_in && --kernel->fail_in == 0) {
                        results[i].error = kernel->fail_with;
                        continue;
                }
                r = apply_op(kernel, ops[i], &results[i]);
                if (is_gone_already(ops[i], r))
                        results[i] = (OpResult){.done = true};
                else if (r < 0)
                        results[i].error = r;
                else if (fake_watch_did(kernel, ops[i]) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* Dumps. */

/* A copy with what is not reported left out. */
static int dump_set(const AttrSet *from, const Network *scope, Arena *arena, AttrSet *ret) {
        size_t i;

        if (!from->schema) {
                *ret = (AttrSet){};
                return 0;
        }
        if (attrset_copy(from, arena, ret) < 0)
                return -ENOMEM;
        ret->implied = 0;
        ret->at = NULL;
        ROWSET_FOREACH(i, from->present) {
                const Row *row = schema_row(from->schema, i);
                Ref *ref = &ret->values[i].ref;

                if (row->flags & (ROW_WRITE_ONLY | ROW_LOCAL))
                        ret->present &= ~ROW_BIT(i);
                else if (row->type->is_ref && row->type->shape == SHAPE_SCALAR && ref->link &&
                         !streq(ref->netns, HOST) && !network_find_namespace(scope, ref->netns))
                        *ref = (Ref){"?", "?"};
        }
        return 0;
}

static bool has_type(const Object *list, const ObjectType *type) {
        for (; list; list = list->next)
                if (list->type == type)
                        return true;
        return false;
}

/* Somewhere in the namespace. */
static bool speaks_of(const Namespace *asked, const ObjectType *type) {
        bool found = asked->all || has_type(asked->objects, type);

        for (const Link *link = asked->links; link && !found; link = link->hh.next)
                found = has_type(link->objects, type);
        return found;
}

/* Sysctls are read one by one; of what others add by the thousand, only what is in our place. */
static bool is_dumped(const Object *object, const Object *list, const Namespace *asked) {
        const Value *protocol = attrset_get(&object->set, "protocol");
        bool sysctl = object->type->transport == TRANSPORT_SYSCTL;

        if (object->type->flags & OBJECT_ASKED && !speaks_of(asked, object->type))
                return false;
        if (!sysctl && (asked->all || !object->type->seek ||
                        (protocol && protocol->number == PROTOCOL_OURS)))
                return true;
        for (; list; list = list->next)
                if (object_same(list, object))
                        return true;
        return false;
}

/* `list`: what is asked for by name. */
static int dump_objects(const Object *from, const Object *list, const Namespace *asked, Link *link,
                        Namespace *netns) {
        for (; from; from = from->next) {
                Object *object;

                if (!is_dumped(from, list, asked))
                        continue;
                object = link ? link_add_object(link, from->type)
                              : namespace_add_object(netns, from->type);
                if (!object ||
                    dump_set(&from->set, asked->network, &netns->network->arena, &object->set) < 0)
                        return -ENOMEM;
                object->set.implied = from->set.implied;
                if (link && object->type->fit)
                        object->type->fit(object, link);
        }
        return 0;
}

static int dump_link(const Link *from, const Namespace *where, const Link *asked,
                     Namespace *netns) {
        const Network *scope = where->network;
        Arena *arena = &netns->network->arena;
        Link *link = namespace_add_link(netns, from->name);

        if (!link || dump_set(&from->common, scope, arena, &link->common) < 0 ||
            dump_set(&from->options, scope, arena, &link->options) < 0 ||
            dump_set(&from->port, scope, arena, &link->port) < 0 ||
            (fake_filters_vlans(from) && dump_set(&from->vlans, scope, arena, &link->vlans) < 0))
                return -ENOMEM;
        link->kind = from->kind_name ? from->kind : NULL;
        link->kind_name = arena_strdup(arena, from->kind_name);
        link->driver = arena_strdup(arena, from->driver);
        if ((from->kind_name && !link->kind_name) || (from->driver && !link->driver))
                return -ENOMEM;
        if (!link->kind)
                link->options = (AttrSet){};
        link->ifindex = from->ifindex;
        link->has_permanent_mac = from->has_permanent_mac;
        memcpy(link->permanent_mac, from->permanent_mac, sizeof(link->permanent_mac));
        link->carries_default = from->carries_default;
        link->carries_session = from->carries_session;
        return dump_objects(from->objects, asked ? asked->objects : NULL, where, link, netns);
}

static int dump_space(FakeKernel *kernel, const Namespace *asked, Namespace *netns) {
        const Namespace *from = network_find_namespace(kernel->world, asked->name);
        Arena *arena = &netns->network->arena;
        int r = 0;

        netns->type = asked->type;
        netns->pid = asked->pid;
        netns->path = arena_strdup(arena, asked->path);
        netns->exists = from && from->exists && !from->dead;
        netns->dead = from && from->dead;
        if (!netns->exists) {
                netns->reason =
                        netns->dead ? "the name is there, but no namespace behind it" : NULL;
                return 0;
        }
        netns->cookie = from->cookie;
        netns->used_by = asked->dropped ? from->used_by : 0;
        for (const Link *link = from->links; r == 0 && link; link = link->hh.next) {
                const Link *named = namespace_find_link(asked, link->name);

                r = dump_link(link, asked,
                              named ? named : namespace_find_ifindex(asked, link->ifindex), netns);
        }
        return r < 0 ? r : dump_objects(from->objects, asked->objects, asked, NULL, netns);
}

static int fake_survey(Kernel *base, Network *scope) {
        for (const Namespace *netns = fake_kernel(base)->world->namespaces; netns;
             netns = netns->hh.next) {
                Namespace *added;

                if (netns->type != NETNS_NAMED || !netns->exists || netns->dead ||
                    network_find_namespace(scope, netns->name))
                        continue;
                added = network_add_namespace(scope, netns->name, NETNS_NAMED);
                if (!added)
                        return -ENOMEM;
                added->glance = true;
        }
        return 0;
}

static int fake_dump(Kernel *base, const Network *scope, Network **ret) {
        FakeKernel *kernel = fake_kernel(base);
        _cleanup_(network_freep) Network *have = NULL;
        int r = complete_world(kernel);

        if (r == 0)
                r = network_new(&have);
        for (const Namespace *asked = scope->namespaces; r == 0 && asked; asked = asked->hh.next) {
                Namespace *netns = network_find_namespace(have, asked->name);

                if (!netns)
                        netns = network_add_namespace(have, asked->name, asked->type);
                r = netns ? dump_space(kernel, asked, netns) : -ENOMEM;
        }
        if (r == 0)
                r = fake_dump_hosts(kernel, have);
        if (r == 0)
                r = fake_watch_dumped(kernel->watch, scope);
        if (r < 0)
                return r;
        *ret = have;
        have = NULL;
        return 0;
}

/* The kernel itself. */

static Kernel *fake_free(Kernel *base) {
        FakeKernel *kernel = fake_kernel(base);

        fake_watch_free(kernel->watch);
        HASH_CLEAR(hh, kernel->links);
        HASH_CLEAR(hh, kernel->spaces);
        network_free(kernel->world);
        network_free(kernel->asked);
        free(kernel);
        return NULL;
}

static const KernelOps fake_ops = {
        .resolve = fake_resolve,
        .survey = fake_survey,
        .dump = fake_dump,
        .apply = fake_apply,
        .watch = fake_watch,
        .notice = fake_notice,
        .forget = fake_forget,
        .mark = fake_mark,
        .saw = fake_saw,
        .free = fake_free,
};

int kernel_fake_new(Kernel **ret) {
        FakeKernel *kernel = calloc(1, sizeof(FakeKernel));
        Namespace *host;
        int r;

        if (!kernel)
                return -ENOMEM;
        kernel->kernel.ops = &fake_ops;
        kernel->watch = fake_watch_new();
        r = kernel->watch ? network_new(&kernel->world) : -ENOMEM;
        if (r == 0) {
                host = network_find_namespace(kernel->world, HOST);
                host->exists = true;
                r = complete_space(kernel, host);
        }
        if (r == 0)
                r = fake_up(kernel, namespace_find_link(host, "lo"));
        if (r < 0) {
                fake_free(&kernel->kernel);
                return r;
        }
        *ret = &kernel->kernel;
        return 0;
}

/* Whoever put something there by hand sees it as the kernel does. NULL: out of memory. */
Network *kernel_fake_state(Kernel *kernel) {
        FakeKernel *fake = fake_kernel(kernel);

        return complete_world(fake) < 0 ? NULL : fake->world;
}

void kernel_fake_fail(Kernel *kernel, size_t nth, int error) {
        fake_kernel(kernel)->fail_in = nth;
        fake_kernel(kernel)->fail_with = error;
}
