/* SPDX-License-Identifier: MIT */
/* What users call objects. A namespace stands for all that is in it. */

#include "ctl/client.h"

#include <stdlib.h>

static bool is_in(const PlanItem *item, const char *netns, size_t size) {
        const char *slash = strchr(item->path, '/');

        if (item->type == ITEM_NETNS)
                return strlen(item->path) == size && strncmp(item->path, netns, size) == 0;
        if (!slash)
                return strlen(HOST) == size && strncmp(HOST, netns, size) == 0;
        return (size_t)(slash - item->path) == size && strncmp(item->path, netns, size) == 0;
}

/* "host/br0" is "br0". */
static const char *without_host(const char *name) {
        size_t size = strlen(HOST "/");

        return strncmp(name, HOST "/", size) == 0 && name[size] ? name + size : name;
}

static bool is_named(const PlanItem *item, const char *name) {
        const char *slash;

        name = without_host(name);
        slash = strchr(name, '/');
        if (!slash)
                return streq(item->path, name) || is_in(item, name, strlen(name));
        return slash[1] ? streq(item->path, name) && item->type == ITEM_LINK
                        : is_in(item, name, (size_t)(slash - name));
}

const char *plan_unknown(const Plan *plan, const char *const *names, size_t n) {
        for (size_t i = 0; i < n; i++) {
                bool known = false;

                for (size_t k = 0; !known && k < plan->n_items; k++)
                        known = is_named(plan->items[k], names[i]);
                if (!known)
                        return names[i];
        }
        return NULL;
}

CtlExit client_unknown(const Ctl *ctl, const Plan *plan, const char *name) {
        _cleanup_(freep) const char **paths = calloc(plan->n_items + 1, sizeof(*paths));
        const char *nearest = NULL;

        for (size_t i = 0; paths && i < plan->n_items; i++)
                paths[i] = plan->items[i]->path;
        if (paths)
                nearest = text_nearest(without_host(name), paths, plan->n_items);
        if (nearest)
                ctl_error(ctl, "nothing is declared as '%s': did you mean '%s'?", name, nearest);
        else
                ctl_error(ctl, "nothing is declared as '%s'", name);
        return CTL_USAGE;
}

void plan_select(Plan *plan, const char *const *names, size_t n) {
        size_t kept = 0;

        if (n == 0)
                return;
        memset(plan->counts, 0, sizeof(plan->counts));
        for (size_t i = 0; i < plan->n_items; i++) {
                PlanItem *item = plan->items[i];
                bool named = false;

                for (size_t k = 0; !named && k < n; k++)
                        named = is_named(item, names[k]);
                if (!named)
                        continue;
                plan->items[kept++] = item;
                plan->counts[item->verdict]++;
        }
        plan->n_items = kept;
}

void plan_path(const Plan *plan, const char *name, Buf *ret) {
        name = without_host(name);
        buf_add(ret, name);
        if (strchr(name, '/'))
                return;
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->type == ITEM_LINK && streq(plan->items[i]->path, name))
                        return;
        buf_addc(ret, '/');
}
