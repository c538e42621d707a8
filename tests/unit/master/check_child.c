/*
 * check_child: every event in every state, under a clock of the test's own.
 */
#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "master/child.h"

#define NOW      1000000u
#define GRACE_MS 8000u
#define PID      4711

/* As waitpid(2) codes them. */
#define EXITED(code) ((code) << 8)
#define KILLED(sig)  (sig)

static struct child
in_state(enum child_state state)
{
    struct child child;

    child_init(&child, GRACE_MS);
    child.state = state;
    child.started_ms = NOW - 1;
    child.deadline_ms = UINT64_MAX;
    if (state != CHILD_WAITING && state != CHILD_ENDED)
        child.pid = PID;
    child.has_served = state != CHILD_STARTING;
    return child;
}

static const struct {
    enum child_state from;
    enum child_event_kind event;
    int status;
    enum child_action action;
    enum child_state to;
} steps[] = {
    {CHILD_WAITING, CHILD_DEADLINE, 0, CHILD_FORK, CHILD_WAITING},
    {CHILD_WAITING, CHILD_STARTED, 0, CHILD_NOTHING, CHILD_UP},
    {CHILD_WAITING, CHILD_EXITED, 0, CHILD_NOTHING, CHILD_WAITING},
    {CHILD_WAITING, CHILD_READY, 0, CHILD_NOTHING, CHILD_WAITING},
    {CHILD_WAITING, CHILD_STALLED, 0, CHILD_NOTHING, CHILD_WAITING},
    {CHILD_WAITING, CHILD_RETIRE, 0, CHILD_FORK, CHILD_LAST},
    {CHILD_WAITING, CHILD_STOP, 0, CHILD_FORK, CHILD_STOPPING},
    {CHILD_STARTING, CHILD_DEADLINE, 0, CHILD_NOTHING, CHILD_STARTING},
    {CHILD_STARTING, CHILD_STARTED, 0, CHILD_NOTHING, CHILD_STARTING},
    {CHILD_STARTING, CHILD_READY, 0, CHILD_NOTHING, CHILD_UP},
    {CHILD_STARTING, CHILD_STALLED, 0, CHILD_ABORT, CHILD_ABORTING},
    {CHILD_STARTING, CHILD_EXITED, EXITED(0), CHILD_GIVE_UP, CHILD_ENDED},
    {CHILD_STARTING, CHILD_EXITED, EXITED(1), CHILD_GIVE_UP, CHILD_ENDED},
    {CHILD_STARTING, CHILD_EXITED, EXITED(78), CHILD_GIVE_UP, CHILD_ENDED},
    {CHILD_STARTING, CHILD_EXITED, KILLED(SIGKILL), CHILD_GIVE_UP, CHILD_ENDED},
    {CHILD_STARTING, CHILD_EXITED, KILLED(SIGTERM), CHILD_GIVE_UP, CHILD_ENDED},
    {CHILD_STARTING, CHILD_EXITED, KILLED(SIGABRT), CHILD_NOTHING, CHILD_WAITING},
    {CHILD_STARTING, CHILD_EXITED, KILLED(SIGBUS) | 0x80, CHILD_NOTHING, CHILD_WAITING},
    {CHILD_STARTING, CHILD_RETIRE, 0, CHILD_NOTHING, CHILD_LAST},
    {CHILD_STARTING, CHILD_STOP, 0, CHILD_ASK, CHILD_STOPPING},
    {CHILD_UP, CHILD_DEADLINE, 0, CHILD_NOTHING, CHILD_UP},
    {CHILD_UP, CHILD_STARTED, 0, CHILD_NOTHING, CHILD_UP},
    {CHILD_UP, CHILD_READY, 0, CHILD_NOTHING, CHILD_UP},
    {CHILD_UP, CHILD_STALLED, 0, CHILD_ABORT, CHILD_ABORTING},
    {CHILD_UP, CHILD_EXITED, EXITED(0), CHILD_NOTHING, CHILD_WAITING},
    {CHILD_UP, CHILD_EXITED, EXITED(1), CHILD_NOTHING, CHILD_WAITING},
    {CHILD_UP, CHILD_EXITED, EXITED(78), CHILD_GIVE_UP, CHILD_ENDED},
    {CHILD_UP, CHILD_EXITED, KILLED(SIGKILL), CHILD_NOTHING, CHILD_WAITING},
    {CHILD_UP, CHILD_EXITED, KILLED(78 - 64), CHILD_NOTHING, CHILD_WAITING},
    {CHILD_UP, CHILD_RETIRE, 0, CHILD_NOTHING, CHILD_LAST},
    {CHILD_UP, CHILD_STOP, 0, CHILD_ASK, CHILD_STOPPING},
    {CHILD_ABORTING, CHILD_DEADLINE, 0, CHILD_KILL, CHILD_ABORTING},
    {CHILD_ABORTING, CHILD_STARTED, 0, CHILD_NOTHING, CHILD_ABORTING},
    {CHILD_ABORTING, CHILD_READY, 0, CHILD_NOTHING, CHILD_ABORTING},
    {CHILD_ABORTING, CHILD_STALLED, 0, CHILD_NOTHING, CHILD_ABORTING},
    {CHILD_ABORTING, CHILD_EXITED, KILLED(SIGABRT), CHILD_NOTHING, CHILD_WAITING},
    {CHILD_ABORTING, CHILD_EXITED, KILLED(SIGKILL), CHILD_NOTHING, CHILD_WAITING},
    {CHILD_ABORTING, CHILD_EXITED, EXITED(0), CHILD_NOTHING, CHILD_WAITING},
    {CHILD_ABORTING, CHILD_EXITED, EXITED(78), CHILD_GIVE_UP, CHILD_ENDED},
    {CHILD_ABORTING, CHILD_RETIRE, 0, CHILD_KILL, CHILD_LAST},
    {CHILD_ABORTING, CHILD_STOP, 0, CHILD_KILL, CHILD_STOPPING},
    {CHILD_LAST, CHILD_DEADLINE, 0, CHILD_KILL, CHILD_LAST},
    {CHILD_LAST, CHILD_STARTED, 0, CHILD_NOTHING, CHILD_LAST},
    {CHILD_LAST, CHILD_READY, 0, CHILD_NOTHING, CHILD_LAST},
    {CHILD_LAST, CHILD_STALLED, 0, CHILD_ABORT, CHILD_LAST},
    {CHILD_LAST, CHILD_EXITED, KILLED(SIGKILL), CHILD_FORK, CHILD_LAST},
    {CHILD_LAST, CHILD_EXITED, EXITED(1), CHILD_FORK, CHILD_LAST},
    {CHILD_LAST, CHILD_EXITED, EXITED(0), CHILD_NOTHING, CHILD_ENDED},
    {CHILD_LAST, CHILD_EXITED, EXITED(78), CHILD_NOTHING, CHILD_ENDED},
    {CHILD_LAST, CHILD_RETIRE, 0, CHILD_NOTHING, CHILD_LAST},
    {CHILD_LAST, CHILD_STOP, 0, CHILD_ASK, CHILD_STOPPING},
    {CHILD_STOPPING, CHILD_DEADLINE, 0, CHILD_KILL, CHILD_STOPPING},
    {CHILD_STOPPING, CHILD_STARTED, 0, CHILD_ASK, CHILD_STOPPING},
    {CHILD_STOPPING, CHILD_READY, 0, CHILD_NOTHING, CHILD_STOPPING},
    {CHILD_STOPPING, CHILD_STALLED, 0, CHILD_NOTHING, CHILD_STOPPING},
    {CHILD_STOPPING, CHILD_EXITED, KILLED(SIGKILL), CHILD_FORK, CHILD_STOPPING},
    {CHILD_STOPPING, CHILD_EXITED, KILLED(SIGTERM), CHILD_NOTHING, CHILD_ENDED},
    {CHILD_STOPPING, CHILD_EXITED, EXITED(0), CHILD_NOTHING, CHILD_ENDED},
    {CHILD_STOPPING, CHILD_EXITED, EXITED(78), CHILD_NOTHING, CHILD_ENDED},
    {CHILD_STOPPING, CHILD_RETIRE, 0, CHILD_NOTHING, CHILD_STOPPING},
    {CHILD_STOPPING, CHILD_STOP, 0, CHILD_NOTHING, CHILD_STOPPING},
    {CHILD_ENDED, CHILD_DEADLINE, 0, CHILD_NOTHING, CHILD_ENDED},
    {CHILD_ENDED, CHILD_STARTED, 0, CHILD_NOTHING, CHILD_ENDED},
    {CHILD_ENDED, CHILD_READY, 0, CHILD_NOTHING, CHILD_ENDED},
    {CHILD_ENDED, CHILD_STALLED, 0, CHILD_NOTHING, CHILD_ENDED},
    {CHILD_ENDED, CHILD_EXITED, 0, CHILD_NOTHING, CHILD_ENDED},
    {CHILD_ENDED, CHILD_RETIRE, 0, CHILD_NOTHING, CHILD_ENDED},
    {CHILD_ENDED, CHILD_STOP, 0, CHILD_NOTHING, CHILD_ENDED},
};

START_TEST(test_step)
{
    struct child child = in_state(steps[_i].from);
    const struct child_event event = {
        .kind = steps[_i].event, .now_ms = NOW, .pid = PID, .status = steps[_i].status};

    ck_assert_int_eq(child_step(&child, &event), steps[_i].action);
    ck_assert_int_eq(child.state, steps[_i].to);
    /* A pid is there exactly where a process is. */
    ck_assert_int_eq(child.pid != 0, child.state != CHILD_WAITING && child.state != CHILD_ENDED &&
                                         steps[_i].action != CHILD_FORK);
}
END_TEST

START_TEST(test_every_step_is_tested)
{
    bool tested[CHILD_STATE_COUNT][CHILD_EVENT_COUNT] = {{false}};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        tested[steps[i].from][steps[i].event] = true;
    for (int state = 0; state < CHILD_STATE_COUNT; state++) {
        for (int event = 0; event < CHILD_EVENT_COUNT; event++)
            ck_assert_msg(tested[state][event], "state %d, event %d", state, event);
    }
}
END_TEST

static void
tell(struct child *child, enum child_event_kind kind, uint64_t now_ms)
{
    /* A chance that makes no jitter: the waits below are multiples of ten. */
    struct child_event event = {
        .kind = kind, .now_ms = now_ms, .pid = PID, .status = KILLED(SIGKILL)};

    child_step(child, &event);
}

START_TEST(test_a_new_one_is_due)
{
    struct child child;

    child_init(&child, GRACE_MS);
    ck_assert_int_eq(child.state, CHILD_WAITING);
    ck_assert_uint_eq(child.deadline_ms, 0);
    ck_assert_uint_eq(child.n_restarts, 0);
    /* It is asked for once, and then reported. */
    ck_assert_int_eq(child_step(&child, &(struct child_event){.kind = CHILD_DEADLINE}), CHILD_FORK);
    ck_assert_uint_eq(child.deadline_ms, UINT64_MAX);
}
END_TEST

/* The lowest of the jitter, 90 %. */
static const uint32_t young_waits_ms[] = {90, 180, 360, 720, 1440, 2880, 4500, 4500, 4500};

START_TEST(test_the_first_has_to_serve)
{
    struct child child;

    child_init(&child, GRACE_MS);
    tell(&child, CHILD_STARTED, NOW);
    ck_assert_int_eq(child.state, CHILD_STARTING);
    ck_assert(!child.has_served);
    tell(&child, CHILD_READY, NOW);
    ck_assert_int_eq(child.state, CHILD_UP);
    ck_assert(child.has_served);
    /* Those behind it do not. */
    tell(&child, CHILD_EXITED, NOW);
    tell(&child, CHILD_STARTED, NOW);
    ck_assert_int_eq(child.state, CHILD_UP);
}
END_TEST

/* It is waited for as ever, is still the first, and knows that the one before it crashed. */
START_TEST(test_the_first_crashes_up_to_three_times)
{
    struct child_event event = {.pid = PID, .now_ms = NOW, .status = KILLED(SIGABRT)};
    struct child child;

    child_init(&child, GRACE_MS);
    for (uint32_t i = 0; i < 3; i++) {
        tell(&child, CHILD_STARTED, NOW);
        ck_assert_int_eq(child.state, CHILD_STARTING);
        event.kind = CHILD_EXITED;
        ck_assert_int_eq(child_step(&child, &event), CHILD_NOTHING);
        ck_assert_uint_eq(child.deadline_ms - NOW, young_waits_ms[i]);
        ck_assert_uint_eq(child.n_restarts, i + 1);
        ck_assert(child.has_crashed && !child.has_served);
        event.kind = CHILD_DEADLINE;
        ck_assert_int_eq(child_step(&child, &event), CHILD_FORK);
    }
    tell(&child, CHILD_STARTED, NOW);
    event.kind = CHILD_EXITED;
    ck_assert_int_eq(child_step(&child, &event), CHILD_GIVE_UP);
    ck_assert_int_eq(child.state, CHILD_ENDED);
}
END_TEST

/* One that never served left nothing behind. */
static const enum child_event_kind stop_events[] = {CHILD_RETIRE, CHILD_STOP};

START_TEST(test_stopped_before_the_first_start)
{
    const struct child_event event = {.kind = stop_events[_i], .now_ms = NOW};
    struct child child;

    child_init(&child, GRACE_MS);
    ck_assert_int_eq(child_step(&child, &event), CHILD_NOTHING);
    ck_assert_int_eq(child.state, CHILD_ENDED);
}
END_TEST

START_TEST(test_the_first_could_not_be_started)
{
    const struct child_event event = {.kind = CHILD_EXITED, .now_ms = NOW};
    struct child child;

    child_init(&child, GRACE_MS);
    tell(&child, CHILD_DEADLINE, NOW);
    ck_assert_int_eq(child_step(&child, &event), CHILD_GIVE_UP);
    ck_assert_int_eq(child.state, CHILD_ENDED);
}
END_TEST

START_TEST(test_one_last_try)
{
    const struct child_event died = {.kind = CHILD_EXITED, .now_ms = NOW, .status = EXITED(1)};
    struct child child = in_state(CHILD_WAITING);

    tell(&child, stop_events[_i], NOW);
    tell(&child, CHILD_STARTED, NOW);
    ck_assert_int_eq(child.pid, PID);
    ck_assert_int_eq(child_step(&child, &died), CHILD_NOTHING);
    ck_assert_int_eq(child.state, CHILD_ENDED);
}
END_TEST

/* What it drains may kill it, and the third knows of what. */
START_TEST(test_three_last_tries_of_a_crash)
{
    const struct child_event died = {
        .kind = CHILD_EXITED, .now_ms = NOW + 7, .status = KILLED(SIGABRT)};
    struct child child = in_state(CHILD_UP);

    tell(&child, stop_events[_i], NOW);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(child_step(&child, &died), CHILD_FORK);
        ck_assert(child.has_crashed);
        ck_assert_uint_eq(child.deadline_ms,
                          stop_events[_i] == CHILD_STOP ? NOW + GRACE_MS : UINT64_MAX);
        tell(&child, CHILD_STARTED, NOW + 7);
    }
    ck_assert_int_eq(child_step(&child, &died), CHILD_NOTHING);
    ck_assert_int_eq(child.state, CHILD_ENDED);
    ck_assert_uint_eq(child.n_restarts, 3);
}
END_TEST

START_TEST(test_a_last_try_that_cannot_be_started)
{
    struct child child = in_state(CHILD_WAITING);

    tell(&child, stop_events[_i], NOW);
    tell(&child, CHILD_EXITED, NOW);
    ck_assert_int_eq(child.state, CHILD_ENDED);
}
END_TEST

START_TEST(test_dying_while_stopping)
{
    const struct child_event died = {.kind = CHILD_EXITED, .now_ms = NOW + 7, .status = EXITED(1)};
    struct child child = in_state(CHILD_UP);

    tell(&child, stop_events[_i], NOW);
    ck_assert_int_eq(child_step(&child, &died), CHILD_FORK);
    ck_assert_uint_eq(child.n_restarts, 1);
    /* The time for the stop goes on. */
    ck_assert_uint_eq(child.deadline_ms,
                      stop_events[_i] == CHILD_STOP ? NOW + GRACE_MS : UINT64_MAX);
    tell(&child, CHILD_STARTED, NOW + 7);
    ck_assert_int_eq(child_step(&child, &died), CHILD_NOTHING);
    ck_assert_int_eq(child.state, CHILD_ENDED);
}
END_TEST

/* One that was killed for its slowness would be no faster the next time. */
START_TEST(test_killed_by_us_is_the_end)
{
    struct child child = in_state(CHILD_UP);

    tell(&child, CHILD_STOP, NOW);
    tell(&child, CHILD_DEADLINE, NOW + GRACE_MS);
    tell(&child, CHILD_EXITED, NOW + GRACE_MS);
    ck_assert_int_eq(child.state, CHILD_ENDED);
}
END_TEST

START_TEST(test_the_young_wait_longer_each_time)
{
    const size_t n = sizeof(young_waits_ms) / sizeof(young_waits_ms[0]);
    struct child child;
    uint64_t now_ms = NOW;

    child_init(&child, GRACE_MS);
    child.has_served = true;
    for (size_t i = 0; i < n; i++) {
        tell(&child, CHILD_STARTED, now_ms);
        now_ms += CHILD_STEADY_MS - 1;
        tell(&child, CHILD_EXITED, now_ms);
        ck_assert_int_eq(child.state, CHILD_WAITING);
        ck_assert_uint_eq(child.deadline_ms - now_ms, young_waits_ms[i]);
        ck_assert_uint_eq(child.n_restarts, i + 1);
    }
}
END_TEST

START_TEST(test_the_steady_come_back_at_once)
{
    struct child child;

    child_init(&child, GRACE_MS);
    child.has_served = true;
    tell(&child, CHILD_STARTED, NOW);
    tell(&child, CHILD_EXITED, NOW);
    tell(&child, CHILD_STARTED, NOW);
    tell(&child, CHILD_EXITED, NOW + CHILD_STEADY_MS);
    ck_assert_uint_eq(child.deadline_ms, NOW + CHILD_STEADY_MS);
    ck_assert_uint_eq(child.n_restarts, 2);
    /* And what was before is forgotten. */
    tell(&child, CHILD_STARTED, NOW);
    tell(&child, CHILD_EXITED, NOW);
    ck_assert_uint_eq(child.deadline_ms - NOW, young_waits_ms[0]);
}
END_TEST

/* Who kills a process with an axe is no fault of it, but only where it had been at work. */
static const struct {
    int status;
    bool has_beaten, at_once;
} killings[] = {
    {KILLED(SIGKILL), true, true},
    {KILLED(SIGKILL), false, false},
    {KILLED(SIGSEGV), true, false},
    {EXITED(1), true, false},
};

START_TEST(test_killed_at_work_comes_back_at_once)
{
    struct child child = in_state(CHILD_UP);
    const struct child_event event = {.kind = CHILD_EXITED,
                                      .now_ms = NOW + 1,
                                      .status = killings[_i].status,
                                      .has_beaten = killings[_i].has_beaten};

    child.started_ms = NOW;
    for (int again = 0; again < 3; again++) {
        ck_assert_int_eq(child_step(&child, &event), CHILD_NOTHING);
        ck_assert_int_eq(child.state, CHILD_WAITING);
        ck_assert_int_eq(child.deadline_ms == NOW + 1, killings[_i].at_once);
        tell(&child, CHILD_STARTED, NOW);
    }
}
END_TEST

static const struct {
    uint32_t life_ms;
    int n_at_once; /* of 1,000 */
} paces[] = {{0, 50}, {100, 549}, {200, 1000}, {280, 1000}};

/* As often as it has lived for it: not once a fork, for ever, but as often as a test strikes. */
START_TEST(test_killings_at_work_may_not_spin)
{
    struct child_event event = {.kind = CHILD_EXITED, .status = KILLED(SIGKILL)};
    struct child child;
    uint64_t now_ms = NOW;
    int n_at_once = 0;

    child_init(&child, GRACE_MS);
    child.has_served = true;
    for (int i = 0; i < 1000; i++) {
        tell(&child, CHILD_STARTED, now_ms);
        now_ms += paces[_i].life_ms;
        event.now_ms = now_ms;
        event.has_beaten = true;
        ck_assert_int_eq(child_step(&child, &event), CHILD_NOTHING);
        ck_assert_int_eq(child.state, CHILD_WAITING);
        n_at_once += child.deadline_ms == now_ms;
        now_ms = child.deadline_ms;
    }
    ck_assert_int_eq(n_at_once, paces[_i].n_at_once);
}
END_TEST

/* What is earned is capped, and a steady one makes all good. */
START_TEST(test_credit_of_a_long_life)
{
    const struct child_event killed = {.kind = CHILD_EXITED,
                                       .now_ms = NOW + 10 * CHILD_STEADY_MS,
                                       .status = KILLED(SIGKILL),
                                       .has_beaten = true};
    struct child child = in_state(CHILD_UP);

    child.credit_ms = 0;
    backoff_fail(&child.backoff, 0);
    child_step(&child, &killed);
    ck_assert_uint_eq(child.deadline_ms, killed.now_ms);
    ck_assert_uint_eq(child.credit_ms, CHILD_STEADY_MS);
    ck_assert_uint_eq(child.backoff.next_ms, 0);
}
END_TEST

START_TEST(test_a_start_that_fails_is_no_restart)
{
    struct child child;

    child_init(&child, GRACE_MS);
    child.has_served = true;
    tell(&child, CHILD_DEADLINE, NOW);
    tell(&child, CHILD_EXITED, NOW);
    ck_assert_int_eq(child.state, CHILD_WAITING);
    ck_assert_uint_eq(child.deadline_ms - NOW, young_waits_ms[0]);
    tell(&child, CHILD_EXITED, NOW);
    ck_assert_uint_eq(child.deadline_ms - NOW, young_waits_ms[1]);
    ck_assert_uint_eq(child.n_restarts, 0);
}
END_TEST

START_TEST(test_jitter_is_a_tenth_either_way)
{
    for (uint32_t chance = 0; chance < 100; chance++) {
        struct child child = in_state(CHILD_UP);

        child_step(&child, &(struct child_event){
                               .kind = CHILD_EXITED, .now_ms = NOW, .chance = chance * 7919});
        ck_assert_uint_ge(child.deadline_ms, NOW + 90);
        ck_assert_uint_le(child.deadline_ms, NOW + 110);
    }
}
END_TEST

/* Fifty deaths at the start, then a life: what an operator waits for once the cause is gone. */
START_TEST(test_dies_at_start_again_and_again)
{
    struct child_event event = {.pid = PID, .status = EXITED(1), .now_ms = NOW};
    uint64_t expected_ms = 100, wait_ms = 0;
    struct child child;

    child_init(&child, GRACE_MS);
    child.has_served = true;
    for (uint32_t i = 0; i < 50; i++) {
        event.kind = CHILD_DEADLINE;
        ck_assert_int_eq(child_step(&child, &event), CHILD_FORK);
        /* Nothing to wake up for while it is there. */
        ck_assert_uint_eq(child.deadline_ms, UINT64_MAX);
        event.kind = CHILD_STARTED;
        child_step(&child, &event);
        event.now_ms += 3;
        event.kind = CHILD_EXITED;
        event.chance = i * UINT32_C(2654435761);
        child_step(&child, &event);
        wait_ms = child.deadline_ms - event.now_ms;
        ck_assert_uint_ge(wait_ms * 10, expected_ms * 9);
        ck_assert_uint_le(wait_ms * 10, expected_ms * 11);
        event.now_ms = child.deadline_ms;
        expected_ms = expected_ms * 2 < 5000 ? expected_ms * 2 : 5000;
    }
    ck_assert_uint_eq(child.n_restarts, 50);
    ck_assert(child.has_crashed);
    ck_assert_uint_le(wait_ms, 6000);
    event.kind = CHILD_DEADLINE;
    ck_assert_int_eq(child_step(&child, &event), CHILD_FORK);
    tell(&child, CHILD_STARTED, event.now_ms);
    tell(&child, CHILD_EXITED, event.now_ms + CHILD_STEADY_MS);
    ck_assert_uint_eq(child.deadline_ms, event.now_ms + CHILD_STEADY_MS);
}
END_TEST

/* It served for long: that it hung at last is no reason to wait. */
START_TEST(test_stalled_is_replaced)
{
    struct child child = in_state(CHILD_UP);

    child.started_ms = NOW - CHILD_STEADY_MS;
    tell(&child, CHILD_STALLED, NOW);
    ck_assert_uint_eq(child.deadline_ms, NOW + CHILD_ABORT_MS);
    tell(&child, CHILD_DEADLINE, NOW + CHILD_ABORT_MS);
    ck_assert_uint_eq(child.deadline_ms, UINT64_MAX);
    tell(&child, CHILD_EXITED, NOW + CHILD_ABORT_MS + 1);
    ck_assert_uint_eq(child.deadline_ms, NOW + CHILD_ABORT_MS + 1);
    ck_assert_uint_eq(child.n_restarts, 1);
}
END_TEST

START_TEST(test_the_first_stalls_before_it_serves)
{
    const struct child_event died = {.kind = CHILD_EXITED, .status = KILLED(SIGABRT)};
    struct child child = in_state(CHILD_STARTING);

    tell(&child, CHILD_STALLED, NOW);
    ck_assert_int_eq(child_step(&child, &died), CHILD_GIVE_UP);
    ck_assert_int_eq(child.state, CHILD_ENDED);
    /* One that served at the last moment did. */
    child = in_state(CHILD_STARTING);
    tell(&child, CHILD_STALLED, NOW);
    tell(&child, CHILD_READY, NOW);
    ck_assert_int_eq(child_step(&child, &died), CHILD_NOTHING);
    ck_assert_int_eq(child.state, CHILD_WAITING);
}
END_TEST

/* What it was to do at the stop another can, in its full time. */
START_TEST(test_stopped_while_it_is_aborted)
{
    const struct child_event died = {.kind = CHILD_EXITED, .status = KILLED(SIGKILL)};
    struct child child = in_state(CHILD_UP);

    tell(&child, CHILD_STALLED, NOW);
    tell(&child, stop_events[_i], NOW + 1);
    ck_assert_uint_eq(child.deadline_ms,
                      stop_events[_i] == CHILD_STOP ? NOW + 1 + GRACE_MS : UINT64_MAX);
    ck_assert_int_eq(child_step(&child, &died), CHILD_FORK);
    ck_assert_int_eq(child.state, stop_events[_i] == CHILD_STOP ? CHILD_STOPPING : CHILD_LAST);
    tell(&child, CHILD_STARTED, NOW + 2);
    ck_assert_int_eq(child.pid, PID);
}
END_TEST

START_TEST(test_the_last_stalls)
{
    const struct child_event died = {.kind = CHILD_EXITED, .status = KILLED(SIGABRT)};
    const struct child_event stop = {.kind = CHILD_STOP, .now_ms = NOW + 9};
    struct child child = in_state(CHILD_LAST);

    tell(&child, CHILD_STALLED, NOW);
    ck_assert_uint_eq(child.deadline_ms, NOW + CHILD_ABORT_MS);
    ck_assert_int_eq(child_step(&child, &died), CHILD_FORK);
    /* The deadline was that of the one that is gone. */
    ck_assert_uint_eq(child.deadline_ms, UINT64_MAX);
    /* To ask one that hangs is of no use. */
    child = in_state(CHILD_LAST);
    tell(&child, CHILD_STALLED, NOW);
    ck_assert_int_eq(child_step(&child, &stop), CHILD_KILL);
    ck_assert_uint_eq(child.deadline_ms, NOW + 9 + GRACE_MS);
    ck_assert_int_eq(child_step(&child, &died), CHILD_FORK);
}
END_TEST

static const struct {
    int status;
    bool has_crashed;
} ends[] = {
    {EXITED(0), false},
    {EXITED(1), true},
    {KILLED(SIGKILL), false},
    {KILLED(SIGTERM), false},
    {KILLED(SIGABRT), true},
    {KILLED(SIGSEGV), true},
    {KILLED(SIGBUS) | 0x80, true},
};

START_TEST(test_what_is_a_crash)
{
    const struct child_event died = {.kind = CHILD_EXITED, .status = ends[_i].status};
    struct child child = in_state(CHILD_UP);

    child.has_crashed = !ends[_i].has_crashed;
    child_step(&child, &died);
    ck_assert_int_eq(child.has_crashed, ends[_i].has_crashed);
    /* A start that failed was no life. */
    tell(&child, CHILD_EXITED, NOW);
    ck_assert_int_eq(child.has_crashed, ends[_i].has_crashed);
}
END_TEST

START_TEST(test_patience_ends_once)
{
    struct child child = in_state(CHILD_UP);

    tell(&child, CHILD_STOP, NOW);
    ck_assert_uint_eq(child.deadline_ms, NOW + GRACE_MS);
    /* A second request changes nothing. */
    tell(&child, CHILD_STOP, NOW + 1);
    ck_assert_uint_eq(child.deadline_ms, NOW + GRACE_MS);
    tell(&child, CHILD_DEADLINE, NOW + GRACE_MS);
    ck_assert_uint_eq(child.deadline_ms, UINT64_MAX);
    ck_assert_int_eq(child.pid, PID);
}
END_TEST

START_TEST(test_the_last_waits_without_a_deadline)
{
    struct child child = in_state(CHILD_UP);

    tell(&child, CHILD_RETIRE, NOW);
    ck_assert_uint_eq(child.deadline_ms, UINT64_MAX);
    tell(&child, CHILD_STOP, NOW + 5);
    ck_assert_uint_eq(child.deadline_ms, NOW + 5 + GRACE_MS);
}
END_TEST

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {EXITED(0), "exit status 0"},
    {EXITED(78), "exit status 78"},
    {EXITED(255), "exit status 255"},
    {KILLED(SIGKILL), "signal 9 (Killed)"},
    {KILLED(SIGSEGV), "signal 11 (Segmentation fault)"},
    {KILLED(SIGSEGV) | 0x80, "signal 11 (Segmentation fault)"},
    {KILLED(126), "signal 126 (unknown)"},
};

START_TEST(test_status_text)
{
    char text[CHILD_TEXT_MAX];

    child_format_status(status_texts[_i].status, text);
    ck_assert_str_eq(text, status_texts[_i].text);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("child");
    TCase *tcase = tcase_create("child");
    SRunner *runner;
    int n_failed;

    tcase_add_loop_test(tcase, test_step, 0, sizeof(steps) / sizeof(steps[0]));
    tcase_add_test(tcase, test_every_step_is_tested);
    tcase_add_test(tcase, test_a_new_one_is_due);
    tcase_add_test(tcase, test_the_first_has_to_serve);
    tcase_add_test(tcase, test_the_first_crashes_up_to_three_times);
    tcase_add_loop_test(tcase, test_stopped_before_the_first_start, 0, 2);
    tcase_add_test(tcase, test_the_first_could_not_be_started);
    tcase_add_loop_test(tcase, test_one_last_try, 0, 2);
    tcase_add_loop_test(tcase, test_three_last_tries_of_a_crash, 0, 2);
    tcase_add_loop_test(tcase, test_a_last_try_that_cannot_be_started, 0, 2);
    tcase_add_loop_test(tcase, test_dying_while_stopping, 0, 2);
    tcase_add_test(tcase, test_killed_by_us_is_the_end);
    tcase_add_test(tcase, test_the_young_wait_longer_each_time);
    tcase_add_test(tcase, test_the_steady_come_back_at_once);
    tcase_add_loop_test(tcase, test_killed_at_work_comes_back_at_once, 0,
                        sizeof(killings) / sizeof(killings[0]));
    tcase_add_loop_test(tcase, test_killings_at_work_may_not_spin, 0,
                        sizeof(paces) / sizeof(paces[0]));
    tcase_add_test(tcase, test_credit_of_a_long_life);
    tcase_add_test(tcase, test_a_start_that_fails_is_no_restart);
    tcase_add_test(tcase, test_jitter_is_a_tenth_either_way);
    tcase_add_test(tcase, test_dies_at_start_again_and_again);
    tcase_add_test(tcase, test_stalled_is_replaced);
    tcase_add_test(tcase, test_the_first_stalls_before_it_serves);
    tcase_add_loop_test(tcase, test_stopped_while_it_is_aborted, 0, 2);
    tcase_add_test(tcase, test_the_last_stalls);
    tcase_add_loop_test(tcase, test_what_is_a_crash, 0, sizeof(ends) / sizeof(ends[0]));
    tcase_add_test(tcase, test_patience_ends_once);
    tcase_add_test(tcase, test_the_last_waits_without_a_deadline);
    tcase_add_loop_test(tcase, test_status_text, 0, sizeof(status_texts) / sizeof(status_texts[0]));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
