/* SPDX-License-Identifier: MIT */
/*
 * Two programs that each put back what the other one changed do so thousands of times a second. The
 * one that counts its repairs, and then only tries now and again, is the one that leaves the machine
 * usable, and the network right within two seconds of the other one's end.
 */

#define HASH_NONFATAL_OOM 1

#include "daemon/damper.h"

#include <errno.h>
#include <stdlib.h>
#include <uthash.h>

#define WAIT_MAX_MS 250u /* what is waited for came, or something else did */
#define NOW_MIN_MS 5u
#define NOW_MAX_MS 200u
#define TIME_MIN_MS 100u
#define TIME_MAX_MS 300000u
#define FINAL_TIMES 3u /* one refusal may have a passing reason, or have been somebody's meddling */
#define IDLE_MAX 256u /* idle buckets beyond so many are dropped */

/* A request that failed. */
typedef struct Trouble {
        char *signature, *netns, *failure;
        Remedy remedy;
        int error;
        Location at;
        uint64_t since, next;
        uint64_t turn; /* of the settlement that spoke of it last */
        unsigned times;
        bool ready; /* what it waits for has happened */
        UT_hash_handle hh;
} Trouble;

typedef struct Bucket {
        char *key; /* an item's; of a namespace's own bucket its plain name, with a '*' before it */
        size_t tokens;
        uint64_t filled;   /* when the last token came back */
        uint64_t repaired; /* 0: never */
        uint64_t turn;     /* of the settlement that asked last; of a namespace: before `told` */
        uint64_t told;     /* of a namespace: when we first heard of a change since that settlement */
        bool granted;      /* then */
        bool undone;       /* the last repair did not even hold until it was verified */
        uint64_t contested; /* until then, as far as is known */
        UT_hash_handle hh;
} Bucket;

typedef struct Pause {
        char *item;
        uint64_t until;
        UT_hash_handle hh;
} Pause;

struct Damper {
        Trouble *troubles;
        Bucket *buckets;
        Pause *pauses;
        uint64_t now, turn, next;
        size_t space_tokens;
        unsigned seed; /* of the jitter */
        bool fresh;
};

int damper_new(Damper **ret) {
        Damper *damper = calloc(1, sizeof(Damper));

        if (!damper)
                return -ENOMEM;
        damper->space_tokens = DAMPER_SPACE_TOKENS;
        damper->next = UINT64_MAX;
        *ret = damper;
        return 0;
}

static void trouble_free(Damper *damper, Trouble *trouble) {
        HASH_DEL(damper->troubles, trouble);
        free(trouble->signature);
        free(trouble->netns);
        free(trouble->failure);
        free(trouble);
}

static void bucket_free(Damper *damper, Bucket *bucket) {
        HASH_DEL(damper->buckets, bucket);
        free(bucket->key);
        free(bucket);
}

static void pause_free(Damper *damper, Pause *pause) {
        HASH_DEL(damper->pauses, pause);
        free(pause->item);
        free(pause);
}

void damper_reset(Damper *damper, size_t n_items) {
        Trouble *trouble, *next_trouble;
        Bucket *bucket, *next_bucket;

        HASH_ITER(hh, damper->troubles, trouble, next_trouble)
                trouble_free(damper, trouble);
        HASH_ITER(hh, damper->buckets, bucket, next_bucket)
                bucket_free(damper, bucket);
        damper->space_tokens = DAMPER_SPACE_TOKENS + 4 * n_items;
        damper->next = UINT64_MAX;
}

Damper *damper_free(Damper *damper) {
        Pause *pause, *next;

        if (!damper)
                return NULL;
        damper_reset(damper, 0);
        HASH_ITER(hh, damper->pauses, pause, next)
                pause_free(damper, pause);
        free(damper);
        return NULL;
}

void damper_freep(Damper **damper) {
        *damper = damper_free(*damper);
}

void damper_tick(Damper *damper, uint64_t now_ms) {
        damper->now = MAX(damper->now, now_ms);
}

/* Buckets. */

static bool is_space(const Bucket *bucket) {
        return bucket->key[0] == '*';
}

static size_t bucket_size(const Damper *damper, const Bucket *bucket) {
        return is_space(bucket) ? damper->space_tokens : DAMPER_TOKENS;
}

static uint64_t bucket_pace(const Bucket *bucket) {
        return is_space(bucket) ? DAMPER_SPACE_TOKEN_MS : DAMPER_TOKEN_MS;
}

static void bucket_fill(const Damper *damper, Bucket *bucket) {
        size_t size = bucket_size(damper, bucket);
        uint64_t n = (damper->now - bucket->filled) / bucket_pace(bucket);

        if (n >= size - bucket->tokens) {
                bucket->tokens = size;
                bucket->filled = damper->now;
        } else {
                bucket->tokens += n;
                bucket->filled += n * bucket_pace(bucket);
        }
}

static Bucket *bucket_find(const Damper *damper, const char *key) {
        Bucket *bucket;

        HASH_FIND_STR(damper->buckets, key, bucket);
        return bucket;
}

/* NULL: out of memory. */
static Bucket *bucket_get(Damper *damper, const char *key) {
        Bucket *bucket = bucket_find(damper, key);

        if (bucket) {
                bucket_fill(damper, bucket);
                return bucket;
        }
        bucket = calloc(1, sizeof(Bucket));
        if (!bucket || !(bucket->key = strdup(key))) {
                free(bucket);
                return NULL;
        }
        bucket->tokens = bucket_size(damper, bucket);
        bucket->filled = damper->now;
        HASH_ADD_KEYPTR(hh, damper->buckets, bucket->key, strlen(bucket->key), bucket);
        if (!bucket->hh.tbl) {
                free(bucket->key);
                free(bucket);
                return NULL;
        }
        return bucket;
}

static Bucket *space_get(Damper *damper, const char *netns) {
        _cleanup_(buf_deinit) Buf key = {};

        buf_printf(&key, "*%s", netns);
        return buf_error(&key) == 0 ? bucket_get(damper, buf_text(&key)) : NULL;
}

bool damper_is_contested(const Damper *damper, const char *item) {
        const Bucket *bucket = bucket_find(damper, item);

        return bucket && bucket->contested > damper->now;
}

static void hold_until(Damper *damper, uint64_t when) {
        damper->next = MIN(damper->next, when);
}

/* What came back with something else leaves its bucket full, and has to hold all the same. */
static bool is_idle(const Damper *damper, const Bucket *bucket) {
        return !is_space(bucket) && bucket->tokens == bucket_size(damper, bucket) &&
               damper->now - bucket->repaired >= DAMPER_CALM_MS;
}

/* Contests may be over, and buckets that are idle say nothing any more. */
static void look_through_buckets(Damper *damper) {
        Bucket *bucket, *next;

        for (bucket = damper->buckets; bucket; bucket = bucket->hh.next)
                if (bucket->contested > damper->now)
                        hold_until(damper, bucket->contested);
        if (HASH_COUNT(damper->buckets) <= IDLE_MAX)
                return;
        HASH_ITER(hh, damper->buckets, bucket, next) {
                bucket_fill(damper, bucket);
                if (is_idle(damper, bucket))
                        bucket_free(damper, bucket);
        }
}

static bool bucket_draw(Damper *damper, Bucket *bucket) {
        if (bucket->tokens == 0) {
                hold_until(damper, bucket->filled + bucket_pace(bucket));
                return false;
        }
        if (bucket->tokens == bucket_size(damper, bucket))
                bucket->filled = damper->now;
        bucket->tokens--;
        return true;
}

/*
 * How long its last repair held, as far as is known. That is not until we look again, which can be
 * much later, but until we heard of something that this may have been.
 */
static uint64_t held_ms(const Damper *damper, const Bucket *bucket, const Bucket *space) {
        uint64_t end = space->turn + 1 == damper->turn ? space->told : damper->now;

        return end - MIN(end, bucket->repaired);
}

/*
 * What came back with something else and then held is no fight. One that is held back did not; and
 * in a fight it is luck, if the other one is not there for a moment.
 */
static bool is_return(const Damper *damper, const Bucket *bucket, const Bucket *space) {
        if (bucket->undone || bucket->contested > damper->now)
                return false;
        return bucket->repaired == 0 ||
               (bucket->granted && held_ms(damper, bucket, space) >= DAMPER_HOLD_MS);
}

static int draw(Damper *damper, const DamperRequest *request, bool *ret) {
        Bucket *bucket = bucket_get(damper, request->item), *space = NULL;

        if (!bucket)
                return -ENOMEM;
        if (bucket->turn == damper->turn) {
                *ret = bucket->granted;
                return 0;
        }
        if (request->returns && !(space = space_get(damper, request->netns)))
                return -ENOMEM;
        bucket->granted = bucket_draw(
                damper, space && is_return(damper, bucket, space) ? space : bucket);
        bucket->turn = damper->turn;
        if (!bucket->granted || bucket->contested > damper->now) {
                bucket->contested = damper->now + DAMPER_CALM_MS;
                hold_until(damper, bucket->contested);
        }
        if (bucket->granted) {
                bucket->repaired = MAX(damper->now, (uint64_t)1);
                bucket->undone = false;
        }
        *ret = bucket->granted;
        return 0;
}

/* Pauses. */

static Pause *pause_find(const Damper *damper, const char *item) {
        Pause *pause;

        HASH_FIND_STR(damper->pauses, item, pause);
        return pause;
}

static bool pause_covers(const Pause *pause, const char *item) {
        size_t size = strlen(pause->item);

        if (size == 0 || streq(pause->item, item))
                return true;
        return pause->item[size - 1] == '/' && strncmp(pause->item, item, size) == 0;
}

int damper_pause(Damper *damper, const char *item, uint64_t until_ms) {
        Pause *pause = pause_find(damper, item);

        if (!pause) {
                pause = calloc(1, sizeof(Pause));
                if (!pause || !(pause->item = strdup(item))) {
                        free(pause);
                        return -ENOMEM;
                }
                HASH_ADD_KEYPTR(hh, damper->pauses, pause->item, strlen(pause->item), pause);
                if (!pause->hh.tbl) {
                        free(pause->item);
                        free(pause);
                        return -ENOMEM;
                }
        }
        pause->until = until_ms;
        return 0;
}

bool damper_resume(Damper *damper, const char *item) {
        Pause *pause = pause_find(damper, item);

        if (pause)
                pause_free(damper, pause);
        return pause;
}

bool damper_is_paused(const Damper *damper, const char *item) {
        for (const Pause *pause = damper->pauses; pause; pause = pause->hh.next)
                if (pause->until > damper->now && pause_covers(pause, item))
                        return true;
        return false;
}

static void forget_pauses(Damper *damper) {
        Pause *pause, *next;

        HASH_ITER(hh, damper->pauses, pause, next)
                if (pause->until <= damper->now)
                        pause_free(damper, pause);
                else
                        hold_until(damper, pause->until);
}

/* Troubles. */

static Trouble *trouble_find(const Damper *damper, const char *signature) {
        Trouble *trouble;

        HASH_FIND_STR(damper->troubles, signature, trouble);
        return trouble;
}

static uint64_t step(unsigned min, unsigned max, unsigned times) {
        return times >= 20 ? max : MIN((uint64_t)min << times, (uint64_t)max);
}

/* A fifth more or less, so that what failed together does not come back together. */
static uint64_t jitter(Damper *damper, uint64_t ms) {
        damper->seed = damper->seed * 1103515245u + 12345u;
        return ms * 4 / 5 + ms * 2 / 5 * (damper->seed >> 16 & 0xff) / 255;
}

static void trouble_wait(Damper *damper, Trouble *trouble) {
        bool passing = trouble->remedy == REMEDY_NOW;

        if (passing && damper->now - trouble->since >= DAMPER_NOW_MS) {
                trouble->remedy = REMEDY_TIME;
                trouble->times = 0;
                passing = false;
        }
        trouble->next = damper->now +
                (trouble->remedy == REMEDY_WAIT ? step(NOW_MIN_MS, WAIT_MAX_MS, trouble->times)
                 : passing ? step(NOW_MIN_MS, NOW_MAX_MS, trouble->times)
                         : jitter(damper, step(TIME_MIN_MS, TIME_MAX_MS, trouble->times)));
        trouble->ready = trouble->remedy == REMEDY_NOW || trouble->remedy == REMEDY_TIME;
        trouble->times++;
        trouble->turn = damper->turn;
        if (trouble->ready)
                hold_until(damper, trouble->next);
}

static Trouble *trouble_new(Damper *damper, const DamperRequest *request) {
        Trouble *trouble = calloc(1, sizeof(Trouble));

        if (!trouble)
                return NULL;
        trouble->signature = strdup(request->signature);
        trouble->netns = strdup(request->netns);
        trouble->since = damper->now;
        if (trouble->signature && trouble->netns) {
                HASH_ADD_KEYPTR(hh, damper->troubles, trouble->signature,
                                strlen(trouble->signature), trouble);
                if (trouble->hh.tbl)
                        return trouble;
        }
        free(trouble->signature);
        free(trouble->netns);
        free(trouble);
        return NULL;
}

/* Nothing was changed, so nobody can have changed it back: what fails has a pace of its own. */
static void give_back(Damper *damper, const char *item) {
        Bucket *bucket = bucket_find(damper, item);

        if (bucket && bucket->granted && bucket->turn == damper->turn &&
            bucket->tokens < bucket_size(damper, bucket))
                bucket->tokens++;
}

int damper_failed(Damper *damper, const DamperRequest *request, Remedy remedy, int error,
                  const char *failure, Location at) {
        Trouble *trouble = trouble_find(damper, request->signature);
        char *copy = strdup(failure ? failure : "");

        if (copy && !trouble)
                trouble = trouble_new(damper, request);
        if (!copy || !trouble) {
                free(copy);
                return -ENOMEM;
        }
        give_back(damper, request->item);
        free(trouble->failure);
        trouble->failure = copy;
        trouble->error = error;
        trouble->at = at;
        if (remedy == REMEDY_FILE && trouble->times < FINAL_TIMES - 1)
                remedy = REMEDY_EVENT;
        if (remedy != REMEDY_NOW || trouble->remedy != REMEDY_TIME)
                trouble->remedy = remedy;
        trouble_wait(damper, trouble);
        return 0;
}

void damper_done(Damper *damper, const DamperRequest *request) {
        Bucket *bucket = bucket_find(damper, request->item);

        if (bucket)
                bucket->repaired = MAX(damper->now, (uint64_t)1);
}

void damper_event(Damper *damper, uint64_t now_ms, const char *netns) {
        damper_tick(damper, now_ms);
        for (Trouble *trouble = damper->troubles; trouble; trouble = trouble->hh.next)
                if ((trouble->remedy == REMEDY_EVENT || trouble->remedy == REMEDY_WAIT) &&
                    (!netns || streq(trouble->netns, netns)))
                        trouble->ready = true;
        for (Bucket *bucket = damper->buckets; bucket; bucket = bucket->hh.next)
                if (is_space(bucket) && bucket->turn != damper->turn &&
                    (!netns || streq(bucket->key + 1, netns))) {
                        bucket->turn = damper->turn;
                        bucket->told = damper->now;
                }
}

/* Nobody speaks of them any more: they were done, or are not wanted. */
static void forget_troubles(Damper *damper) {
        Trouble *trouble, *next;

        HASH_ITER(hh, damper->troubles, trouble, next)
                if (trouble->turn + 1 < damper->turn)
                        trouble_free(damper, trouble);
}

/* Asking. */

void damper_begin(Damper *damper, uint64_t now_ms, bool fresh) {
        damper_tick(damper, now_ms);
        damper->turn++;
        damper->next = UINT64_MAX;
        damper->fresh = fresh;
        forget_pauses(damper);
        forget_troubles(damper);
        look_through_buckets(damper);
}

int damper_ask(Damper *damper, const DamperRequest *request, DamperReply *ret) {
        Trouble *trouble = trouble_find(damper, request->signature);
        bool granted = true;
        int r = 0;

        if (trouble)
                trouble->turn = damper->turn;
        if (damper_is_paused(damper, request->item)) {
                *ret = (DamperReply){.answer = DAMPER_PAUSED, .reason = DAMPER_PAUSE};
                return 0;
        }
        if (trouble && (!trouble->ready || trouble->next > damper->now)) {
                if (trouble->ready)
                        hold_until(damper, trouble->next);
                *ret = (DamperReply){trouble->remedy == REMEDY_WAIT ? DAMPER_WAITING : DAMPER_FAILED,
                                     trouble->error, trouble->failure, trouble->at};
                return 0;
        }
        if (!damper->fresh)
                r = draw(damper, request, &granted);
        if (r == 0)
                *ret = granted ? (DamperReply){.answer = DAMPER_GO}
                               : (DamperReply){.answer = DAMPER_CONTESTED, .reason = DAMPER_CONTEST};
        return r;
}

int damper_undone(Damper *damper, const DamperRequest *request) {
        Bucket *bucket = bucket_get(damper, request->item);

        if (!bucket)
                return -ENOMEM;
        bucket->undone = true;
        hold_until(damper, bucket->tokens > 0 ? damper->now : bucket->filled + bucket_pace(bucket));
        return 0;
}

uint64_t damper_next(const Damper *damper) {
        return damper->next;
}
