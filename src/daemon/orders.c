/* SPDX-License-Identifier: MIT */
/*
 * What the daemon is told to want, and by whom. New files are read, checked, and looked over for
 * steps that would cut somebody off, before the network in force is let go; so whatever is wrong
 * with them, nothing has changed.
 */

#include "daemon/internal.h"

#include "daemon/lastgood.h"
#include "daemon/seed.h"
#include "mvnet/config.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

/* Orders. */

static Order *order_free(Order *order) {
        if (!order)
                return NULL;
        for (char **path = order->paths; path && *path; path++)
                free(*path);
        free(order->paths);
        free(order);
        return NULL;
}

static void list_add(OrderList *list, Order *order) {
        if (list->last)
                list->last->next = order;
        else
                list->first = order;
        list->last = order;
}

static void list_move(OrderList *to, OrderList *from) {
        if (to->last)
                to->last->next = from->first;
        else
                to->first = from->first;
        to->last = from->last;
        *from = (OrderList){};
}

static void list_clear(OrderList *list) {
        while (list->first) {
                Order *next = list->first->next;

                order_free(list->first);
                list->first = next;
        }
        list->last = NULL;
}

void daemon_forget_orders(Daemon *daemon) {
        list_clear(&daemon->pending);
        list_clear(&daemon->answering);
}

static void list_drop(OrderList *list, const void *userdata) {
        for (Order *order = list->first; order; order = order->next)
                if (order->userdata == userdata)
                        order->done = NULL;
}

void daemon_drop_orders(Daemon *daemon, void *userdata) {
        list_drop(&daemon->pending, userdata);
        list_drop(&daemon->answering, userdata);
}

/* Other files may be the way out if those that are being tried can't be. */
static bool is_loading(const Daemon *daemon) {
        return daemon->loading && daemon->last_error == 0;
}

int daemon_order(Daemon *daemon, DaemonOrder what, const char *const *paths, size_t n_paths,
                 bool force, DaemonDone done, void *userdata) {
        Order *order = calloc(1, sizeof(Order));

        if (!order)
                return -ENOMEM;
        *order = (Order){.what = what, .force = force, .done = done, .userdata = userdata};
        order->paths = calloc(n_paths + 1, sizeof(char *));
        for (size_t i = 0; order->paths && i < n_paths; i++)
                if (!(order->paths[i] = strdup(paths[i]))) {
                        order_free(order);
                        return -ENOMEM;
                }
        if (!order->paths) {
                order_free(order);
                return -ENOMEM;
        }
        list_add(&daemon->pending, order);
        if (!is_loading(daemon))
                sd_event_source_set_enabled(daemon->load, SD_EVENT_ONESHOT);
        return 0;
}

/* Whoever is told may give the next order. */
static void answer(Daemon *daemon, DaemonAnswer answer) {
        OrderList list = daemon->answering;

        daemon->answering = (OrderList){};
        answer.name = buf_text(&daemon->name);
        for (Order *order = list.first; order; order = order->next)
                if (order->done)
                        order->done(order->userdata, &answer);
        list_clear(&list);
        sd_notify(0, "READY=1");
        if (daemon->pending.first)
                sd_event_source_set_enabled(daemon->load, SD_EVENT_ONESHOT);
}

void daemon_answer_loaded(Daemon *daemon, const SettleResult *result) {
        daemon->loading = false;
        daemon->before = network_free(daemon->before);
        answer(daemon, (DaemonAnswer){
                .outcome = DAEMON_DONE,
                .plan = result->plan,
                .record_error = result->record_error,
        });
}

/* Loading. */

typedef struct Load {
        Arena arena; /* of the files */
        SourceFile *files;
        size_t n;
        Report report;
        Network *network; /* NULL: see the report */
} Load;

static void load_deinit(Load *load) {
        network_free(load->network);
        report_deinit(&load->report);
        arena_deinit(&load->arena);
}

static int load_sources(Load *load) {
        uint8_t seed[16];
        int r;

        machine_seed(seed);
        r = config_load_sources(load->files, load->n, seed, &load->report, &load->network);
        if (r == 0)
                r = report_error(&load->report);
        if (r == 0 && load->report.n > 0)
                load->network = network_free(load->network);
        return r;
}

/* A place in the files themselves, which stay when the network goes. */
static Location load_place(const Load *load, Location at) {
        for (size_t i = 0; at.source && i < load->n; i++)
                if (streq(load->files[i].source->name, at.source->name))
                        return (Location){load->files[i].source, at.line, at.column};
        return (Location){};
}

/* A configuration keeps its name for as long as the daemon runs: its record is open. */
static int check_name(const Daemon *daemon, Load *load) {
        const char *name = load->network->name;

        if (!name || daemon->options->name || !daemon->store || streq(name, buf_text(&daemon->name)))
                return 0;
        report_add(&load->report, load_place(load, load->network->name_at), "name",
                   "the configuration is called '%s', and keeps that name for as long as mvnetd "
                   "runs: say 'down', stop it, and start it again", buf_text(&daemon->name));
        load->network = network_free(load->network);
        return report_error(&load->report);
}

static int load_files(const Daemon *daemon, const char *const *paths, size_t n_paths, Load *load) {
        int r = files_read(&load->arena, "", paths, n_paths, &load->report, &load->files, &load->n);

        if (r == 0)
                r = load_sources(load);
        return r == 0 && load->network ? check_name(daemon, load) : r;
}

/* The same again with the files that loaded last; without any there is nothing to be wanted. */
static int load_lastgood(Daemon *daemon, const char *name, Load *load) {
        int r = lastgood_load(buf_text(&daemon->folder), name, &load->arena, &load->files, &load->n);

        if (r == 0)
                r = load_sources(load);
        if (r == LASTGOOD_E_UNSAFE || r == LASTGOOD_E_CORRUPT)
                log_line(&daemon->log, LOG_WARNING, "%s/%s.last: %s", buf_text(&daemon->folder),
                         name, r == LASTGOOD_E_UNSAFE ? "could have been written by anybody"
                                                      : "is damaged, and of no use");
        return r == -ENOMEM ? r : 0;
}

/* What they are called without a look into them. */
static int name_by_path(const Daemon *daemon, Buf *ret) {
        const DaemonOptions *options = daemon->options;

        if (!options->name)
                return config_name(NULL, options->paths, options->n_paths, ret);
        buf_add(ret, options->name);
        return buf_error(ret);
}

static void save_lastgood(const Daemon *daemon, const Load *load) {
        _cleanup_(buf_deinit) Buf name = {};
        int r = name_by_path(daemon, &name);

        if (r == 0)
                r = lastgood_save(buf_text(&daemon->folder), buf_text(&name), load->files, load->n);
        if (r != 0)
                log_line(&daemon->log, LOG_WARNING,
                         "%s: these files can't be kept for a start with bad ones: %s",
                         buf_text(&daemon->folder),
                         r < 0 ? strerrordesc_np(-r) : "others could write there");
}

static int set_name(Daemon *daemon, const Network *network) {
        const DaemonOptions *options = daemon->options;
        const char *problem;
        int r = 0;

        if (options->name)
                buf_add(&daemon->name, options->name);
        else
                r = config_name(network, options->paths, options->n_paths, &daemon->name);
        if (r == 0)
                r = buf_error(&daemon->name);
        problem = r == 0 ? store_name_problem(buf_text(&daemon->name)) : NULL;
        if (!problem)
                return r;
        log_line(&daemon->log, LOG_ERR, "'%s': %s (say `name:` in the file, or --name)",
                 buf_text(&daemon->name), problem);
        return -EINVAL;
}

int daemon_load_first(Daemon *daemon) {
        _cleanup_(load_deinit) Load load = {}, last = {};
        _cleanup_(buf_deinit) Buf name = {};
        const DaemonOptions *options = daemon->options;
        Load *from = &load;
        int r = load_files(daemon, options->paths, options->n_paths, &load);

        if (r == 0)
                r = name_by_path(daemon, &name);
        if (r == 0 && !load.network) {
                log_problems(&daemon->log, &load.report);
                daemon_set_degraded(daemon, &load.report);
                r = load_lastgood(daemon, buf_text(&name), &last);
                from = &last;
        } else if (r == 0) {
                save_lastgood(daemon, &load);
        }
        if (r < 0)
                return log_errno(&daemon->log, r, "can't load the configuration");
        r = set_name(daemon, from->network);
        if (r < 0)
                return r;
        if (!from->network) {
                log_line(&daemon->log, LOG_ERR, "nothing is done until the files are right");
                return 0;
        }
        daemon_want(daemon, from->network);
        from->network = NULL;
        return 0;
}

/* Carrying out. */

static bool is_guarded(const Plan *plan) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->guard && plan->items[i]->n_ops > 0)
                        return true;
        return false;
}

/* Whether this would saw off the branch; then that has been the answer. */
static int is_refused(Daemon *daemon, const Network *wanted, bool *ret) {
        _cleanup_(network_freep) Network *have = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        int r = settle_plan(daemon->kernel, wanted, store_record(daemon->store), &have, &plan);

        if (r < 0)
                return r;
        *ret = is_guarded(plan);
        if (*ret) {
                daemon_tell(daemon, HAPPENED_BAD_FILE, NULL,
                            "refused: steps marked ! could cut you off; --force does them");
                answer(daemon, (DaemonAnswer){.outcome = DAEMON_REFUSED, .plan = plan});
        }
        return 0;
}

static int order_load(Daemon *daemon, const Order *order, Load *load) {
        const DaemonOptions *options = daemon->options;
        size_t n = 0;

        switch (order->what) {
        case DAEMON_RELOAD:
                return load_files(daemon, options->paths, options->n_paths, load);
        case DAEMON_APPLY:
                while (order->paths[n])
                        n++;
                return load_files(daemon, (const char *const *)order->paths, n, load);
        case DAEMON_DOWN:
                return network_new(&load->network);
        case _DAEMON_ORDER_N:
                break;
        }
        return -EINVAL;
}

/* The record is opened late if no file was good enough at the start. */
static int order_open(Daemon *daemon, const Network *network) {
        if (daemon->store)
                return 0;
        buf_reset(&daemon->name);
        return set_name(daemon, network);
}

static void order_bad_file(Daemon *daemon, const Load *load) {
        log_problems(&daemon->log, &load->report);
        daemon_set_degraded(daemon, &load->report);
        daemon_tell(daemon, HAPPENED_BAD_FILE, NULL, daemon->degraded ? daemon->degraded : "");
        answer(daemon, (DaemonAnswer){.outcome = DAEMON_BAD_FILE, .report = &load->report});
}

static int order_run(Daemon *daemon, const Order *order, bool force) {
        _cleanup_(load_deinit) Load load = {};
        bool refused = false;
        int r = order_load(daemon, order, &load);

        if (r == 0 && !load.network) {
                order_bad_file(daemon, &load);
                return 0;
        }
        if (r == 0)
                r = order_open(daemon, load.network);
        if (r == 0 && !force && daemon->store)
                r = is_refused(daemon, load.network, &refused);
        if (r < 0 || refused)
                return r;
        if (order->what == DAEMON_RELOAD) {
                save_lastgood(daemon, &load);
                daemon_set_degraded(daemon, NULL);
        }
        daemon_want(daemon, load.network);
        load.network = NULL;
        return 0;
}

void daemon_run_orders(Daemon *daemon) {
        const Order *last = daemon->pending.last;
        bool force = false;
        int r;

        if (is_loading(daemon) || !last)
                return;
        for (const Order *order = daemon->pending.first; order; order = order->next)
                force |= order->force;
        list_move(&daemon->answering, &daemon->pending);
        sd_notify(0, "RELOADING=1");
        r = order_run(daemon, last, force);
        if (r < 0) {
                log_errno(&daemon->log, r, "can't load the configuration");
                answer(daemon, (DaemonAnswer){.outcome = DAEMON_ERROR, .error = r});
        }
}
