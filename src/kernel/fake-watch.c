/* SPDX-License-Identifier: MIT */
/*
 * News of the fake kernel: of what we did ourselves, and of what those who change its state by hand
 * say they did. As with the real one, only of namespaces that the last dump spoke of.
 */

#include "kernel/fake.h"

#include "kernel/saw.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TOUCHES_MAX 64u /* in one namespace */

/* A namespace that is watched. */
typedef struct FakeScope {
        struct FakeScope *next;
        const char *netns;
        int touched[TOUCHES_MAX];
        size_t n;
        bool all; /* of it is stale */
} FakeScope;

/* What an event would have said. */
typedef struct FakeEvent {
        struct FakeEvent *next;
        Shown shown;
} FakeEvent;

struct FakeWatch {
        int fd; /* -1: nobody watches */
        FakeScope *scopes;
        Arena scopes_arena;
        FakeEvent *events; /* of our own requests, the last first */
        bool marked;       /* since kernel_mark(), else since kernel_apply() began */
        Arena events_arena;
        size_t n_events;
        KernelTouch *told;
        void (*meddle)(void *userdata, Kernel *kernel);
        void *userdata;
};

FakeWatch *fake_watch_new(void) {
        FakeWatch *watch = calloc(1, sizeof(FakeWatch));

        if (watch)
                watch->fd = -1;
        return watch;
}

FakeWatch *fake_watch_free(FakeWatch *watch) {
        if (!watch)
                return NULL;
        fd_close(watch->fd);
        arena_deinit(&watch->scopes_arena);
        arena_deinit(&watch->events_arena);
        free(watch->told);
        free(watch);
        return NULL;
}

static FakeWatch *fake_watch_of(Kernel *base) {
        return ((FakeKernel *)base)->watch;
}

int fake_watch(Kernel *base, int *ret_fd) {
        FakeWatch *watch = fake_watch_of(base);

        if (watch->fd < 0)
                watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (watch->fd < 0)
                return -errno;
        *ret_fd = watch->fd;
        return 0;
}

/* Everything that a dump reads is read each time. */
void fake_forget(Kernel *base _unused_) {
}

static void calm(const FakeWatch *watch) {
        uint64_t count;

        if (watch->fd >= 0 && read(watch->fd, &count, sizeof(count)) < 0)
                return; /* it was */
}

int fake_watch_dumped(FakeWatch *watch, const Network *scope) {
        arena_deinit(&watch->scopes_arena);
        watch->scopes = NULL;
        watch->n_events = 0;
        calm(watch);
        for (const Namespace *netns = scope->namespaces; netns; netns = netns->hh.next) {
                FakeScope *entry;

                if (netns->glance)
                        continue;
                entry = arena_new(&watch->scopes_arena, FakeScope);
                if (!entry)
                        return -ENOMEM;
                entry->netns = arena_strdup(&watch->scopes_arena, netns->name);
                if (!entry->netns)
                        return -ENOMEM;
                entry->next = watch->scopes;
                watch->scopes = entry;
        }
        return 0;
}

static bool is_touched(const FakeScope *scope, int ifindex) {
        for (size_t i = 0; i < scope->n; i++)
                if (scope->touched[i] == ifindex)
                        return true;
        return scope->all;
}

static void touch(FakeWatch *watch, const char *netns, int ifindex) {
        FakeScope *scope = watch->scopes;

        while (scope && !streq(scope->netns, netns))
                scope = scope->next;
        if (!scope || watch->fd < 0)
                return;
        watch->n_events++;
        if (ifindex == 0 || scope->n == TOUCHES_MAX)
                scope->all = true;
        else if (!is_touched(scope, ifindex))
                scope->touched[scope->n++] = ifindex;
        if (write(watch->fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
                return; /* it is readable already */
}

void kernel_fake_touch(Kernel *base, const char *netns, int ifindex) {
        touch(fake_watch_of(base), netns, ifindex);
}

static size_t scope_touches(const FakeScope *scope) {
        return scope->all ? 1 : scope->n;
}

int fake_notice(Kernel *base, uint64_t now_ms _unused_, KernelNews *ret) {
        FakeWatch *watch = fake_watch_of(base);
        size_t n = 0;

        for (const FakeScope *scope = watch->scopes; scope; scope = scope->next)
                n += scope_touches(scope);
        free(watch->told);
        watch->told = calloc(MAX(n, (size_t)1), sizeof(KernelTouch));
        if (!watch->told)
                return -ENOMEM;
        *ret = (KernelNews){.events = watch->n_events, .touched = watch->told};
        for (const FakeScope *scope = watch->scopes; scope; scope = scope->next)
                for (size_t i = 0; i < scope_touches(scope); i++)
                        watch->told[ret->n_touched++] = (KernelTouch){
                                scope->netns, scope->all ? 0 : scope->touched[i],
                        };
        watch->n_events = 0;
        calm(watch);
        return 0;
}

void kernel_fake_meddle(Kernel *base, void (*meddle)(void *userdata, Kernel *kernel),
                        void *userdata) {
        fake_watch_of(base)->meddle = meddle;
        fake_watch_of(base)->userdata = userdata;
}

/* What our own requests did. */

static int copy_set(const AttrSet *from, Arena *arena, AttrSet *ret) {
        *ret = (AttrSet){};
        return from->schema ? attrset_copy(from, arena, ret) : 0;
}

static Object *copy_object(const Object *from, Arena *arena) {
        Object *object = arena_new(arena, Object);

        if (!object || copy_set(&from->set, arena, &object->set) < 0)
                return NULL;
        object->type = from->type;
        return object;
}

static Link *copy_link(const Link *from, Arena *arena) {
        Link *link = arena_new(arena, Link);

        if (!link)
                return NULL;
        link->name = arena_strdup(arena, from->name);
        if (!link->name || copy_set(&from->common, arena, &link->common) < 0 ||
            copy_set(&from->options, arena, &link->options) < 0 ||
            copy_set(&from->port, arena, &link->port) < 0 ||
            copy_set(&from->vlans, arena, &link->vlans) < 0)
                return NULL;
        for (const Object *object = from->objects; object; object = object->next) {
                Object *copy = copy_object(object, arena);

                if (!copy)
                        return NULL;
                copy->next = link->objects;
                link->objects = copy;
        }
        return link;
}

/* The link that a request was about, as it is now; NULL: it is gone, or there never was one. */
static Link *link_after(FakeKernel *kernel, const Op *op) {
        bool moved = op->type == OP_LINK_MOVE;
        Namespace *netns = fake_space(kernel, moved ? op->to.netns : op->netns);
        Link *link = netns ? namespace_find_link(netns, moved ? op->to.link : op->name) : NULL;

        return netns && !link && op->ifindex ? namespace_find_ifindex(netns, op->ifindex) : link;
}

static int describe_object(const Op *op, Namespace *netns, Link *link, Arena *arena, Shown *ret) {
        const Object *there = object_find(link ? link->objects : netns->objects, op->object);
        Object *object = copy_object(there ? there : op->object, arena);

        if (!object)
                return -ENOMEM;
        if (link && object->type->fit)
                object->type->fit(object, link);
        ret->gone = !there;
        ret->object = object;
        return 0;
}

/* 0 or -ENOMEM. Without a name there was nothing to tell. */
static int describe(FakeKernel *kernel, const Op *op, Arena *arena, Shown *ret) {
        Namespace *netns = fake_space(kernel, op->type == OP_LINK_MOVE ? op->to.netns : op->netns);
        Link *link = link_after(kernel, op);

        if (!netns || !op_is_told(op))
                return 0;
        ret->netns = arena_strdup(arena, netns->name);
        ret->link_name = arena_strdup(arena, link ? link->name : op->name);
        ret->ifindex = link ? link->ifindex : op->ifindex;
        ret->gone = !link;
        if (!ret->netns || (op->name && !ret->link_name))
                return -ENOMEM;
        if (op->object && !op->object->type->nest)
                return describe_object(op, netns, link, arena, ret);
        if (link)
                ret->link = copy_link(link, arena);
        return link && !ret->link ? -ENOMEM : 0;
}

static void forget_events(FakeWatch *watch) {
        arena_deinit(&watch->events_arena);
        watch->events = NULL;
}

void fake_watch_before(FakeWatch *watch) {
        if (!watch->marked)
                forget_events(watch);
}

void fake_mark(Kernel *base) {
        FakeWatch *watch = fake_watch_of(base);

        forget_events(watch);
        watch->marked = true;
}

int fake_watch_did(FakeKernel *kernel, const Op *op) {
        FakeWatch *watch = kernel->watch;
        FakeEvent *event = arena_new(&watch->events_arena, FakeEvent);
        int r = event ? describe(kernel, op, &watch->events_arena, &event->shown) : -ENOMEM;

        if (r < 0)
                return r;
        if (event->shown.netns) {
                event->next = watch->events;
                watch->events = event;
        }
        touch(watch, op->netns, op->link || op->type == OP_LINK_DEL ? event->shown.ifindex : 0);
        if (op->type == OP_LINK_MOVE)
                touch(watch, op->to.netns, event->shown.ifindex);
        if (watch->meddle)
                watch->meddle(watch->userdata, &kernel->kernel);
        return 0;
}

bool fake_saw(Kernel *base, const Op *op) {
        const FakeWatch *watch = fake_watch_of(base);

        if (watch->fd < 0)
                return false;
        for (const FakeEvent *event = watch->events; event; event = event->next)
                if (op_is_shown(op, &event->shown))
                        return true;
        return false;
}
