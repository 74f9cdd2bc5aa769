/* SPDX-License-Identifier: MIT */
/* Fights, failures and pauses, with a clock that runs as fast as the test likes. */

#include "daemon/damper.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const DamperRequest mtu = {.signature = "mtu 1400 #3", .item = "br0", .netns = "host"};
static const DamperRequest state = {
        .signature = "state up #3", .item = "br0", .netns = "host", .returns = true};

static DamperAnswer ask(Damper *damper, const DamperRequest *request) {
        DamperReply reply = {};

        assert_int_equal(damper_ask(damper, request, &reply), 0);
        return reply.answer;
}

/* One settlement with that request; whether it was sent. */
static bool settle(Damper *damper, const DamperRequest *request, uint64_t now) {
        damper_begin(damper, now, false);
        if (ask(damper, request) != DAMPER_GO)
                return false;
        damper_done(damper, request);
        return true;
}

static void test_fight(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000000, over, sent = 0;

        assert_int_equal(damper_new(&damper), 0);
        for (uint64_t end = now + 60000; now < end; now++)
                sent += settle(damper, &mtu, now);
        assert_in_range(sent, DAMPER_TOKENS, 50);
        for (over = now; !settle(damper, &mtu, now); now++)
                ;
        assert_true(now - over < 2000);
}

/* It says when to try again, and that is neither too early nor too late. */
static void test_next(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 5000, next;

        assert_int_equal(damper_new(&damper), 0);
        while (settle(damper, &mtu, now))
                assert_true(damper_next(damper) == UINT64_MAX);
        next = damper_next(damper);
        assert_in_range(next, now + 1, now + DAMPER_TOKEN_MS);
        assert_false(settle(damper, &mtu, next - 1));
        assert_true(settle(damper, &mtu, next));
}

static void test_charged_once(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;

        assert_int_equal(damper_new(&damper), 0);
        for (size_t i = 0; i < DAMPER_TOKENS; i++) {
                damper_begin(damper, 1000, false);
                for (size_t n = 0; n < 10; n++)
                        assert_int_equal(ask(damper, &mtu), DAMPER_GO);
        }
        damper_begin(damper, 1000, false);
        for (size_t n = 0; n < 10; n++)
                assert_int_equal(ask(damper, &mtu), DAMPER_CONTESTED);
}

static void test_others_go_on(void **unused _unused_) {
        DamperRequest other = {.signature = "mtu 1400 #4", .item = "br1", .netns = "host"};
        _cleanup_(damper_freep) Damper *damper = NULL;

        assert_int_equal(damper_new(&damper), 0);
        while (settle(damper, &mtu, 1000))
                ;
        assert_true(settle(damper, &other, 1000));
}

static void test_fresh_is_free(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;

        assert_int_equal(damper_new(&damper), 0);
        for (size_t i = 0; i < 1000; i++) {
                damper_begin(damper, 1000, true);
                assert_int_equal(ask(damper, &mtu), DAMPER_GO);
        }
        assert_true(settle(damper, &mtu, 1000));
}

/* 200 flaps in a row are repaired, each at once. */
static void test_flaps(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000;

        assert_int_equal(damper_new(&damper), 0);
        for (size_t i = 0; i < 200; i++, now += DAMPER_HOLD_MS)
                assert_true(settle(damper, &state, now));
        /* and the namespace's bucket is not bottomless */
        for (size_t i = 0; i < 200000 && settle(damper, &state, now); i++, now += DAMPER_HOLD_MS)
                assert_true(i < 199999 || DAMPER_SPACE_TOKEN_MS <= DAMPER_HOLD_MS);
}

/* What does not hold is a fight, whatever it is about. */
static void test_state_fight(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000, sent = 0;

        assert_int_equal(damper_new(&damper), 0);
        for (; now < 61000; now++)
                sent += settle(damper, &state, now);
        assert_in_range(sent, DAMPER_TOKENS, 50);
}

/* The same if we only look once a second, and each time it had been undone at once. */
static void test_slow_fight(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000, sent = 0;

        assert_int_equal(damper_new(&damper), 0);
        for (; now < 61000; now += 1000)
                if (settle(damper, &state, now)) {
                        sent++;
                        assert_int_equal(damper_undone(damper, &state), 0);
                }
        assert_in_range(sent, DAMPER_TOKENS, 50);
}

/* When it was undone counts, not when we came to look again. */
static void test_late_look(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000, sent = 0;

        assert_int_equal(damper_new(&damper), 0);
        for (; now < 61000; now += 200) {
                sent += settle(damper, &state, now);
                damper_event(damper, now + DAMPER_LOOK_MS, "host");
                damper_event(damper, now + 100, NULL);
        }
        assert_in_range(sent, DAMPER_TOKENS, 50);
}

/* What happened soon after a repair was something else if it is right, or if it was elsewhere. */
static void test_other_news(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000;

        assert_int_equal(damper_new(&damper), 0);
        for (size_t i = 0; i < 200; i++, now += 200) {
                assert_true(settle(damper, &state, now));
                damper_event(damper, now + 1, "ns1");
                damper_event(damper, now + 2, "host");
                damper_begin(damper, now + 10, false);
                damper_event(damper, now + 12, "ns1");
                if (i % 2 == 0) /* else it does not tell when it goes */
                        damper_event(damper, now + DAMPER_HOLD_MS, "host");
        }
}

/* Of a fight not every blow comes at once. */
static void test_slack_fight(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000, sent = 0;

        assert_int_equal(damper_new(&damper), 0);
        while (settle(damper, &state, now))
                now++;
        for (uint64_t end = now + 60000; now < end; now += 2 * DAMPER_HOLD_MS)
                sent += settle(damper, &state, now);
        assert_in_range(sent, 30, 35);
}

static void refuse(Damper *damper, const DamperRequest *request, Remedy remedy, int error) {
        assert_int_equal(damper_failed(damper, request, remedy, error, "it said no", (Location){}),
                         0);
}

static void test_backoff(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000, last = 0;
        DamperReply reply;

        assert_int_equal(damper_new(&damper), 0);
        damper_begin(damper, now, true);
        refuse(damper, &mtu, REMEDY_TIME, -ENOMEM);
        for (size_t i = 0; i < 30; i++) {
                uint64_t wait = damper_next(damper) - now;

                assert_in_range(wait, 80, 360000);
                assert_true(wait * 3 > last * 2); /* longer, but for the jitter */
                last = wait;
                damper_begin(damper, now + wait - 1, true);
                assert_int_equal(damper_ask(damper, &mtu, &reply), 0);
                assert_int_equal(reply.answer, DAMPER_FAILED);
                assert_int_equal(reply.error, -ENOMEM);
                assert_string_equal(reply.reason, "it said no");
                now += wait;
                damper_begin(damper, now, true);
                assert_int_equal(ask(damper, &mtu), DAMPER_GO);
                refuse(damper, &mtu, REMEDY_TIME, -ENOMEM);
        }
        assert_in_range(last, 240000, 360000);
}

/* Failing costs no tokens: there was no fight. */
static void test_failing_is_no_fight(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;

        assert_int_equal(damper_new(&damper), 0);
        for (size_t i = 0; i < 3 * DAMPER_TOKENS; i++) {
                char signature[32];
                DamperRequest request = mtu;

                snprintf(signature, sizeof(signature), "try %zu", i);
                request.signature = signature;
                damper_begin(damper, 1000, false);
                assert_int_equal(ask(damper, &request), DAMPER_GO);
                refuse(damper, &request, REMEDY_NOW, -EBUSY);
        }
        assert_true(settle(damper, &mtu, 1000));
}

static void test_passing(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000, tries = 0;

        assert_int_equal(damper_new(&damper), 0);
        damper_begin(damper, now, true);
        refuse(damper, &mtu, REMEDY_NOW, -EBUSY);
        assert_in_range(damper_next(damper), now + 1, now + 10);
        for (; now < 11000; now++) {
                damper_begin(damper, now, true);
                if (ask(damper, &mtu) == DAMPER_GO) {
                        refuse(damper, &mtu, REMEDY_NOW, -EBUSY);
                        tries++;
                }
        }
        assert_in_range(tries, 40, 70);
        /* Whatever it is, it does not die any more. */
        for (tries = 0; now < 71000; now++) {
                damper_begin(damper, now, true);
                if (ask(damper, &mtu) == DAMPER_GO) {
                        refuse(damper, &mtu, REMEDY_NOW, -EBUSY);
                        tries++;
                }
        }
        assert_in_range(tries, 5, 12);
}

static void test_event(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;

        assert_int_equal(damper_new(&damper), 0);
        damper_begin(damper, 1000, true);
        refuse(damper, &mtu, REMEDY_EVENT, -EINVAL);
        assert_true(damper_next(damper) == UINT64_MAX);
        damper_event(damper, 2000, "ns1");
        damper_begin(damper, 2000, true);
        assert_int_equal(ask(damper, &mtu), DAMPER_FAILED);
        damper_event(damper, 2001, "host");
        damper_begin(damper, 2001, true);
        assert_int_equal(ask(damper, &mtu), DAMPER_GO);
}

static void test_final(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000;

        assert_int_equal(damper_new(&damper), 0);
        for (size_t i = 0; i < 3; i++, now += 1000) {
                damper_event(damper, now, NULL);
                damper_begin(damper, now, true);
                assert_int_equal(ask(damper, &mtu), DAMPER_GO);
                refuse(damper, &mtu, REMEDY_FILE, -EOPNOTSUPP);
        }
        for (size_t i = 0; i < 100; i++, now += 100000) {
                damper_event(damper, now, NULL);
                damper_begin(damper, now, true);
                assert_int_equal(ask(damper, &mtu), DAMPER_FAILED);
        }
        damper_reset(damper, 1);
        damper_begin(damper, now, true);
        assert_int_equal(ask(damper, &mtu), DAMPER_GO);
}

/* Nobody asks any more: it was done otherwise, and a later failure starts afresh. */
static void test_forgotten(void **unused _unused_) {
        _cleanup_(damper_freep) Damper *damper = NULL;

        assert_int_equal(damper_new(&damper), 0);
        damper_begin(damper, 1000, true);
        refuse(damper, &mtu, REMEDY_FILE, -EOPNOTSUPP);
        damper_begin(damper, 1001, true);
        damper_begin(damper, 1002, true);
        assert_int_equal(ask(damper, &mtu), DAMPER_GO);
}

static void test_pause(void **unused _unused_) {
        DamperRequest inside = {.signature = "a", .item = "ns1/eth0", .netns = "ns1"};
        DamperRequest near = {.signature = "b", .item = "ns10/eth0", .netns = "ns10"};
        _cleanup_(damper_freep) Damper *damper = NULL;

        assert_int_equal(damper_new(&damper), 0);
        assert_int_equal(damper_pause(damper, "ns1/", 5000), 0);
        damper_begin(damper, 1000, true);
        assert_int_equal(ask(damper, &inside), DAMPER_PAUSED);
        assert_int_equal(ask(damper, &near), DAMPER_GO);
        assert_int_equal(damper_next(damper), 5000);
        damper_reset(damper, 1);
        damper_begin(damper, 4999, true);
        assert_int_equal(ask(damper, &inside), DAMPER_PAUSED);
        damper_begin(damper, 5000, true);
        assert_int_equal(ask(damper, &inside), DAMPER_GO);
        assert_false(damper_resume(damper, "ns1/"));
        assert_int_equal(damper_pause(damper, "", UINT64_MAX), 0);
        assert_true(damper_is_paused(damper, "whatever"));
        assert_int_equal(ask(damper, &near), DAMPER_PAUSED);
        assert_true(damper_resume(damper, ""));
        assert_int_equal(ask(damper, &near), DAMPER_GO);
}

/* Thousands of objects that were repaired once are not remembered for ever, fights are. */
static void test_memory(void **unused _unused_) {
        const DamperRequest up = {.signature = "up", .item = "br1", .netns = "host", .returns = true};
        _cleanup_(damper_freep) Damper *damper = NULL;
        uint64_t now = 1000, sent = 0;

        assert_int_equal(damper_new(&damper), 0);
        for (size_t i = 0; i < 5000; i++, now += 5) {
                char item[32];
                DamperRequest request = {.signature = item, .item = item, .netns = "host"};

                snprintf(item, sizeof(item), "veth%zu", i);
                assert_true(settle(damper, &request, now));
                settle(damper, &mtu, now);
                if (i >= 1000)
                        sent += settle(damper, &up, now);
        }
        assert_false(settle(damper, &mtu, now));
        assert_in_range(sent, DAMPER_TOKENS, 50);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fight),       cmocka_unit_test(test_next),
                cmocka_unit_test(test_charged_once), cmocka_unit_test(test_others_go_on),
                cmocka_unit_test(test_fresh_is_free), cmocka_unit_test(test_flaps),
                cmocka_unit_test(test_state_fight), cmocka_unit_test(test_slow_fight),
                cmocka_unit_test(test_late_look),   cmocka_unit_test(test_other_news),
                cmocka_unit_test(test_slack_fight),
                cmocka_unit_test(test_backoff),     cmocka_unit_test(test_passing),
                cmocka_unit_test(test_failing_is_no_fight),
                cmocka_unit_test(test_event),       cmocka_unit_test(test_final),
                cmocka_unit_test(test_forgotten),   cmocka_unit_test(test_pause),
                cmocka_unit_test(test_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
