/* SPDX-License-Identifier: MIT */
/*
 * Events are hints: all that one of them does is that the kernel is looked at again. So what is left
 * to decide is when. The first event at once, as a rule it is the only one; those that follow on its
 * heels together; and the more expensive looking is, and the less it can achieve, the less often.
 */

#include "daemon/keeper.h"

#include "daemon/outcome.h"

#include <errno.h>
#include <stdlib.h>

#define PACE_MS 10u
#define BUSY_EVENTS 200u       /* a second: */
#define PACE_BUSY_MS 100u      /* between reads then, */
#define PACE_COST 4u           /* and at most a fifth of the time goes into looking, */
#define PACE_COST_MAX_MS 250u  /* unless that takes very long */
#define PACE_CONTESTED_MS 200u /* while somebody fights over something: most news is of that */
#define PACE_CONTESTED_COST 100u
#define PACE_CONTESTED_MAX_MS 500u
#define PACE_ERROR_MS 1000u
#define LOOKUP_MS 500u /* whoever loads files rather hears of an answer than of the question */
#define AUDIT_MS 30000u /* what sends no event is found then */

struct Keeper {
        Kernel *kernel;
        KeeperHooks hooks;
        Damper *damper;
        const Network *wanted; /* NULL: nothing was ever asked for */
        Store *store;
        Settlement *settlement; /* going on, or NULL */
        uint64_t rest_until;
        bool fresh; /* it is the first of what is wanted, or that is still to come */
        bool dirty; /* something changed since the last look */
        bool sends; /* this settlement does */
        uint64_t due;
        uint64_t begun, ended; /* the last settlement */
        uint64_t listen_at, notice_at, audit_at;
        uint64_t second; /* events of which are counted */
        size_t events, events_before;
        char *noisy;
        Plan *plan; /* as people see it; NULL: not yet */
        int record_error;
        unsigned seed; /* of the jitter */
};

static void no_tell(void *userdata _unused_, HappeningType type _unused_,
                    const PlanItem *item _unused_, const char *text _unused_) {
}

static void no_result(void *userdata _unused_, const SettleResult *result _unused_) {
}

static void no_change(void *userdata _unused_) {
}

int keeper_new(Kernel *kernel, const KeeperHooks *hooks, Keeper **ret, int *ret_fd) {
        Keeper *keeper = calloc(1, sizeof(Keeper));
        int r;

        if (!keeper)
                return -ENOMEM;
        keeper->kernel = kernel;
        keeper->hooks = *hooks;
        keeper->hooks.tell = hooks->tell ?: no_tell;
        keeper->hooks.loaded = hooks->loaded ?: no_result;
        keeper->hooks.changed = hooks->changed ?: no_change;
        r = damper_new(&keeper->damper);
        if (r == 0)
                r = kernel_watch(kernel, ret_fd);
        if (r < 0) {
                keeper_free(keeper);
                return r;
        }
        *ret = keeper;
        return 0;
}

Keeper *keeper_free(Keeper *keeper) {
        if (!keeper)
                return NULL;
        settlement_free(keeper->settlement);
        damper_free(keeper->damper);
        plan_free(keeper->plan);
        free(keeper->noisy);
        free(keeper);
        return NULL;
}

void keeper_freep(Keeper **keeper) {
        *keeper = keeper_free(*keeper);
}

static size_t count_items(const Network *wanted) {
        size_t n = 0;

        for (const Namespace *netns = wanted->namespaces; netns; netns = netns->hh.next)
                n += 1 + HASH_COUNT(netns->links);
        return n;
}

void keeper_want(Keeper *keeper, const Network *wanted, Store *store) {
        keeper->settlement = settlement_free(keeper->settlement);
        keeper->sends = false;
        keeper->wanted = wanted;
        keeper->store = store;
        keeper->fresh = keeper->dirty = true;
        keeper->due = 0;
        damper_reset(keeper->damper, count_items(wanted));
        keeper->hooks.changed(keeper->hooks.userdata);
}

/* News. */

static void make_dirty(Keeper *keeper, uint64_t due) {
        keeper->due = keeper->dirty ? MIN(keeper->due, due) : due;
        keeper->dirty = true;
}

static bool is_contested(const Keeper *keeper) {
        return keeper->plan && keeper->plan->counts[VERDICT_CONTESTED] > 0;
}

static bool is_busy(const Keeper *keeper) {
        return MAX(keeper->events, keeper->events_before) > BUSY_EVENTS;
}

/* How long after the last look the next one is. */
static uint64_t keeper_pace(const Keeper *keeper) {
        uint64_t cost = keeper->ended - keeper->begun;

        if (is_contested(keeper))
                return MIN(MAX((uint64_t)PACE_CONTESTED_MS, cost * PACE_CONTESTED_COST),
                           (uint64_t)PACE_CONTESTED_MAX_MS);
        if (!is_busy(keeper))
                return PACE_MS;
        return MIN(MAX((uint64_t)PACE_MS, cost * PACE_COST), (uint64_t)PACE_COST_MAX_MS);
}

static void count_events(Keeper *keeper, uint64_t now, size_t n) {
        if (now - keeper->second >= 1000) {
                keeper->events_before = now - keeper->second < 2000 ? keeper->events : 0;
                keeper->events = 0;
                keeper->second = now;
        }
        keeper->events += n;
        keeper->listen_at = now + (is_busy(keeper) ? PACE_BUSY_MS : PACE_MS);
}

static int take_noisy(Keeper *keeper, const char *noisy) {
        const PlanItem item = {.type = ITEM_NETNS, .path = noisy, .kind = "namespace"};
        char *copy = NULL;

        if (streq_ptr(noisy, keeper->noisy))
                return 0;
        if (noisy && !(copy = strdup(noisy)))
                return -ENOMEM;
        free(keeper->noisy);
        keeper->noisy = copy;
        if (copy)
                keeper->hooks.tell(keeper->hooks.userdata, HAPPENED_NOISY, &item,
                                   "changes faster than it can be followed: looked at once a second");
        keeper->hooks.changed(keeper->hooks.userdata);
        return 0;
}

static int take_news(Keeper *keeper, uint64_t now) {
        KernelNews news = {};
        int r = kernel_notice(keeper->kernel, now, &news);

        if (r < 0)
                return r;
        keeper->notice_at = news.again_ms ? now + news.again_ms : UINT64_MAX;
        if (news.events > 0)
                count_events(keeper, now, news.events);
        for (size_t i = 0; i < news.n_touched; i++)
                if (i == 0 || !streq(news.touched[i].netns, news.touched[i - 1].netns))
                        damper_event(keeper->damper, now, news.touched[i].netns);
        if (news.n_touched > 0) {
                make_dirty(keeper, MAX(now, keeper->ended + keeper_pace(keeper)));
                keeper->rest_until = now;
        }
        return take_noisy(keeper, news.noisy);
}

/* A quarter more or less, so that many machines don't do it at the same time. */
static uint64_t next_audit(Keeper *keeper, uint64_t now) {
        keeper->seed = keeper->seed * 1103515245u + 12345u + (unsigned)now;
        return now + AUDIT_MS * 3 / 4 + AUDIT_MS / 2 * (keeper->seed >> 16 & 0xff) / 255;
}

static void audit(Keeper *keeper, uint64_t now) {
        if (keeper->audit_at != 0) {
                kernel_forget(keeper->kernel);
                damper_event(keeper->damper, now, NULL);
                make_dirty(keeper, now);
        }
        keeper->audit_at = next_audit(keeper, now);
}

/* What people see. */

static bool is_shown(const PlanItem *item) {
        switch (item->verdict) {
        case VERDICT_WAITING:
        case VERDICT_CONFLICT:
        case VERDICT_FAILED:
        case VERDICT_CONTESTED:
                return true;
        case VERDICT_DELETE:
        case VERDICT_STAYS:
                return false;
        case VERDICT_OK:
        case VERDICT_CREATE:
        case VERDICT_CHANGE:
        case VERDICT_RECREATE:
        case _VERDICT_N:
                break;
        }
        return true;
}

/* It is right at the moment: between two of somebody's changes, or while nobody keeps it so. */
static void qualify(const Keeper *keeper, PlanItem *item) {
        _cleanup_(buf_deinit) Buf key = {};

        item_key(item, &key);
        if (item->verdict == VERDICT_OK && damper_is_contested(keeper->damper, buf_text(&key))) {
                item->verdict = VERDICT_CONTESTED;
                item->reason = DAMPER_CONTEST;
        } else if (item->verdict == VERDICT_OK &&
                   damper_is_paused(keeper->damper, buf_text(&key))) {
                item->reason = DAMPER_PAUSE;
        }
}

/* Of what was done remains how things are: nobody wants to read "create" for the next year. */
static void simplify(const Keeper *keeper, Plan *plan) {
        size_t n = 0;

        memset(plan->counts, 0, sizeof(plan->counts));
        for (size_t i = 0; i < plan->n_items; i++) {
                PlanItem *item = plan->items[i];

                if (!is_shown(item))
                        continue;
                if (item->verdict == VERDICT_CREATE || item->verdict == VERDICT_CHANGE ||
                    item->verdict == VERDICT_RECREATE) {
                        item->verdict = VERDICT_OK;
                        item->reason = "";
                }
                qualify(keeper, item);
                item->lines = item->last = NULL;
                item->guard = NULL;
                plan->counts[item->verdict]++;
                plan->items[n++] = item;
        }
        plan->n_items = n;
}

static const char *item_text(const PlanItem *item) {
        if (item->verdict == VERDICT_FAILED && item->failure)
                return item->failure;
        return item->reason ? item->reason : "";
}

static bool same_item(const PlanItem *a, const PlanItem *b) {
        return a->type == b->type && streq(a->path, b->path);
}

/* Plans mostly list the same items in the same order. */
static const PlanItem *find_item(const Plan *plan, const PlanItem *like, size_t *hint) {
        if (!plan)
                return NULL;
        if (*hint < plan->n_items && same_item(plan->items[*hint], like))
                return plan->items[(*hint)++];
        for (size_t i = 0; i < plan->n_items; i++)
                if (same_item(plan->items[i], like)) {
                        *hint = i + 1;
                        return plan->items[i];
                }
        return NULL;
}

static void tell_standing(const Keeper *keeper, const PlanItem *item) {
        static const HappeningType types[_VERDICT_N] = {
                [VERDICT_OK] = HAPPENED_DONE,
                [VERDICT_WAITING] = HAPPENED_WAITING,
                [VERDICT_CONFLICT] = HAPPENED_CONFLICT,
                [VERDICT_FAILED] = HAPPENED_FAILED,
                [VERDICT_CONTESTED] = HAPPENED_CONTESTED,
        };

        keeper->hooks.tell(keeper->hooks.userdata, types[item->verdict], item, item_text(item));
}

/* Tells of what is otherwise than before. What was repaired has been told when that was done. */
static bool tell_differences(const Keeper *keeper, const Plan *before, const Plan *now) {
        bool differs = !before || before->n_items != now->n_items;
        size_t hint = 0;

        for (size_t i = 0; i < now->n_items; i++) {
                const PlanItem *item = now->items[i], *old = find_item(before, item, &hint);

                if (old && old->verdict == item->verdict && streq(item_text(old), item_text(item)))
                        continue;
                differs = true;
                if (item->verdict != VERDICT_OK || (old && old->verdict != VERDICT_OK))
                        tell_standing(keeper, item);
        }
        return differs;
}

/* Settling. */

/* Nothing of this is sent yet. */
static void settling_noticed(void *userdata, const PlanItem *item) {
        Keeper *keeper = userdata;

        if (!keeper->sends)
                keeper->hooks.changed(keeper->hooks.userdata);
        keeper->sends = true;
        keeper->hooks.tell(keeper->hooks.userdata, HAPPENED_NOTICED, item, "");
}

static void settling_progress(void *userdata, const PlanItem *item, size_t done _unused_,
                              size_t total _unused_) {
        const Keeper *keeper = userdata;

        if (item && item->verdict != VERDICT_STAYS)
                keeper->hooks.tell(keeper->hooks.userdata, HAPPENED_DONE, item, "");
}

/* What the files ask for may be held up by something that dies; a repair is simply tried again. */
static int begin(Keeper *keeper, uint64_t now) {
        SettleOptions options = {
                .force = true,
                .timeout_ms = keeper->fresh ? SETTLE_TIMEOUT_MS : 0,
                .lookup_ms = keeper->fresh ? LOOKUP_MS : 0,
                .once = !keeper->fresh,
                .progress = settling_progress,
                .noticed = settling_noticed,
                .userdata = keeper,
                .damper = keeper->damper,
                .noisy = keeper->noisy,
        };
        int r = store_refresh(keeper->store);

        if (r == 0 && keeper->fresh)
                r = kernel_resolve(keeper->kernel, keeper->wanted);
        if (r < 0)
                return r;
        keeper->dirty = false;
        keeper->begun = now;
        damper_begin(keeper->damper, now, keeper->fresh);
        return settlement_new(keeper->kernel, keeper->wanted, keeper->store, &options,
                              &keeper->settlement);
}

static int finish(Keeper *keeper, uint64_t now) {
        _cleanup_(settle_result_deinit) SettleResult result = {};
        bool fresh = keeper->fresh, differs = keeper->sends;
        uint64_t next;
        int r = settlement_finish(keeper->settlement, &result);

        keeper->settlement = settlement_free(keeper->settlement);
        keeper->ended = now;
        keeper->sends = false;
        if (r < 0)
                return r;
        keeper->fresh = false;
        if (fresh)
                keeper->hooks.loaded(keeper->hooks.userdata, &result);
        simplify(keeper, result.plan);
        differs |= tell_differences(keeper, fresh ? NULL : keeper->plan, result.plan) ||
                   keeper->record_error != result.record_error;
        plan_free(keeper->plan);
        keeper->plan = result.plan;
        keeper->record_error = result.record_error;
        result.plan = NULL;
        next = damper_next(keeper->damper);
        if (next != UINT64_MAX)
                make_dirty(keeper, MAX(next, now + PACE_MS));
        if (result.rounds > 0)
                keeper->listen_at = MIN(keeper->listen_at, now + DAMPER_LOOK_MS);
        if (fresh || result.rounds > 0)
                keeper->hooks.tell(keeper->hooks.userdata, HAPPENED_SETTLED, NULL, "");
        if (differs)
                keeper->hooks.changed(keeper->hooks.userdata);
        return 0;
}

static int go_on(Keeper *keeper, uint64_t now) {
        unsigned rest_ms = 0;
        int r;

        damper_tick(keeper->damper, now);
        r = settlement_step(keeper->settlement, &rest_ms);
        if (r == SETTLE_E_AGAIN || r == SETTLE_E_REST) {
                keeper->rest_until = now + rest_ms;
                return 0;
        }
        return r == 0 ? finish(keeper, now) : r > 0 ? -EBUSY : r;
}

static int keeper_settle(Keeper *keeper, uint64_t now) {
        int r = 0;

        if (!keeper->settlement && keeper->dirty && now >= keeper->due && keeper->wanted)
                r = begin(keeper, now);
        if (r == 0 && keeper->settlement && now >= keeper->rest_until)
                r = go_on(keeper, now);
        if (r == 0)
                return 0;
        keeper->settlement = settlement_free(keeper->settlement);
        keeper->ended = now;
        keeper->sends = false;
        kernel_forget(keeper->kernel);
        keeper->dirty = false;
        make_dirty(keeper, now + PACE_ERROR_MS);
        return r;
}

static uint64_t next_step(const Keeper *keeper, uint64_t now) {
        uint64_t next = MIN(keeper->audit_at, keeper->notice_at);

        if (keeper->settlement)
                return keeper->rest_until;
        if (keeper->dirty && keeper->wanted)
                next = MIN(next, keeper->due);
        return keeper->listen_at > now ? MIN(next, keeper->listen_at) : next;
}

int keeper_step(Keeper *keeper, uint64_t now_ms, uint64_t *ret_next, bool *ret_listens) {
        bool busy = keeper->settlement && now_ms >= keeper->rest_until;
        int r = 0, settled;

        if (!busy && (now_ms >= keeper->listen_at || now_ms >= keeper->notice_at))
                r = take_news(keeper, now_ms);
        if (!keeper->settlement && now_ms >= keeper->audit_at)
                audit(keeper, now_ms);
        settled = keeper_settle(keeper, now_ms);
        *ret_next = MAX(next_step(keeper, now_ms), now_ms);
        *ret_listens = now_ms >= keeper->listen_at &&
                       !(keeper->settlement && now_ms >= keeper->rest_until);
        if (r < 0)
                kernel_forget(keeper->kernel);
        return r < 0 ? r : settled;
}

void keeper_status(const Keeper *keeper, KeeperStatus *ret) {
        static const Plan none = {};

        *ret = (KeeperStatus){
                .state = !keeper->plan                    ? DAEMON_STARTING
                         : keeper->fresh || keeper->sends ? DAEMON_SETTLING
                                                          : DAEMON_SETTLED,
                .noisy = keeper->noisy,
                .plan = keeper->plan ? keeper->plan : &none,
                .record_error = keeper->record_error,
        };
}

/* Pauses. */

static bool is_declared(const Network *wanted, const char *item) {
        size_t size = strlen(item);
        char name[256];

        if (size == 0)
                return true;
        if (!wanted || size >= sizeof(name))
                return false;
        if (item[size - 1] != '/')
                return network_find_path(wanted, item);
        memcpy(name, item, size - 1);
        name[size - 1] = '\0';
        return network_find_namespace(wanted, name);
}

int keeper_pause(Keeper *keeper, const char *item, uint64_t until_ms) {
        int r;

        if (!is_declared(keeper->wanted, item))
                return -ENOENT;
        r = damper_pause(keeper->damper, item, until_ms);
        if (r < 0)
                return r;
        make_dirty(keeper, 0);
        return 0;
}

int keeper_resume(Keeper *keeper, const char *item) {
        if (!damper_resume(keeper->damper, item))
                return -ENOENT;
        make_dirty(keeper, 0);
        return 0;
}

bool keeper_is_paused(const Keeper *keeper) {
        return damper_is_paused(keeper->damper, "");
}
