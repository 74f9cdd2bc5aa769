/* SPDX-License-Identifier: MIT */
/* export: the running kernel as a file. */

#include "ctl/ctl.h"

#include "mvnet/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define RUN_NETNS "/run/netns"

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of namespaces in a fixed order. Names that a file could not say are left out. */
static int list_namespaces(Arena *arena, const char ***ret, size_t *ret_n) {
        DIR *dir = opendir(RUN_NETNS);
        struct dirent *entry;
        const char **names = NULL;
        size_t n = 0, room = 0;
        int r = 0;

        if (!dir)
                return errno == ENOENT ? 0 : -errno;
        while (r == 0 && (entry = readdir(dir))) {
                if (netns_name_problem(entry->d_name))
                        continue;
                if (n == room) {
                        const char **grown;

                        room = MAX((size_t)64, 2 * room);
                        grown = reallocarray(names, room, sizeof(*names));
                        r = grown ? 0 : -ENOMEM;
                        names = grown ? grown : names;
                }
                if (r == 0 && !(names[n++] = arena_strdup(arena, entry->d_name)))
                        r = -ENOMEM;
        }
        closedir(dir);
        if (r < 0) {
                free(names);
                return r;
        }
        if (n > 0)
                qsort(names, n, sizeof(*names), compare_names);
        *ret = names;
        *ret_n = n;
        return 0;
}

static int add_namespaces(Network *network) {
        _cleanup_(freep) const char **names = NULL;
        size_t n = 0;
        int r;

        r = list_namespaces(&network->arena, &names, &n);
        for (size_t i = 0; r == 0 && i < n; i++)
                if (!network_find_namespace(network, names[i]) &&
                    !network_add_namespace(network, names[i], NETNS_NAMED))
                        r = -ENOMEM;
        return r;
}

static int add_record(void *userdata, const Record *record) {
        Record *all = userdata;
        int r = 0;

        for (const RecordEntry *entry = record->entries; r >= 0 && entry; entry = entry->hh.next)
                r = record_made(all, entry->path, entry->netns, entry->ifindex, entry->made);
        return MIN(r, 0);
}

/*
 * All namespaces with a name; and the records, whichever configuration's, because they tell which
 * sysctls are ours: there are too many to look at all.
 */
static int look(Ctl *ctl, Network **ret) {
        _cleanup_(network_freep) Network *named = NULL, *scope = NULL;
        _cleanup_(kernel_freep) Kernel *kernel = NULL;
        _cleanup_(record_deinit) Record record = {};
        _cleanup_(buf_deinit) Buf runtime = {};
        int r;

        r = network_new(&named);
        if (r == 0)
                r = add_namespaces(named);
        if (r == 0)
                r = store_runtime(ctl->runtime_dir, &runtime);
        if (r == 0)
                r = store_foreach(buf_text(&runtime), add_record, &record);
        if (r == 0)
                r = plan_scope(named, &record, &scope);
        for (Namespace *netns = scope ? scope->namespaces : NULL; netns; netns = netns->hh.next)
                netns->all = ctl->all;
        if (r == 0)
                r = kernel_new(RUN_NETNS, &kernel);
        return r < 0 ? r : kernel_dump(kernel, scope, ret);
}

static CtlExit run_export(Ctl *ctl) {
        _cleanup_(network_freep) Network *have = NULL;
        _cleanup_(buf_deinit) Buf text = {};
        struct json_object *object;
        int r;

        if (ctl->n_paths > 0) {
                ctl_error(ctl, "export takes no PATH: it reads the kernel");
                return CTL_USAGE;
        }
        r = look(ctl, &have);
        if (r == 0)
                r = config_export(have, ctl->all, &text);
        if (r < 0)
                return ctl_error_errno(ctl, r, "can't export");
        for (const Namespace *netns = have->namespaces; netns; netns = netns->hh.next)
                if (!netns->exists && netns->reason)
                        ctl_note(ctl, "namespace %s is left out: %s", netns->name, netns->reason);
        if (ctl->json) {
                object = json_object_new_object();
                json_add(object, "file", json_text(buf_text(&text)));
                return json_print(ctl, object, CTL_DONE);
        }
        fputs(buf_text(&text), stdout);
        return CTL_DONE;
}

const Verb verbs_export = {
        .name = "export",
        .arguments = "",
        .doc = "Print the running kernel as a file that plans to nothing",
        .options = CTL_OPT_ALL,
        .run = run_export,
};
