/*
 * check_hold: that shards stand still, one after the other is served, and all go on.
 */
#include "worker/hold.h"

#include "estrade.h"

#include <poll.h>

#include "base/clock.h"

#define N_HOLDS 3000

static struct estrade estrade;
static unsigned n_held; /* of whoever holds */

static void *
hold_often(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < N_HOLDS; i++) {
        hold_begin(&estrade.hold);
        /* Not in one piece, so that another one who holds would be seen. */
        *(volatile unsigned *)&n_held = *(volatile unsigned *)&n_held + 1;
        hold_end(&estrade.hold);
    }
    return NULL;
}

START_TEST(test_one_at_a_time)
{
    pthread_t other;

    estrade_open(&estrade);
    ck_assert_int_eq(pthread_create(&other, NULL, hold_often, NULL), 0);
    hold_often(NULL);
    pthread_join(other, NULL);
    ck_assert_uint_eq(n_held, 2 * N_HOLDS);
    estrade_close(&estrade);
}
END_TEST

/* What a shard is asked for meanwhile is done when it goes on. */
START_TEST(test_requests_wait)
{
    uint64_t rings;

    estrade_open(&estrade);
    for (int i = 0; i < 200; i++) {
        hold_begin(&estrade.hold);
        shard_ask(&estrade.shards[i % 2], SHARD_CLOSE);
        ck_assert(!shard_is_done(&estrade.shards[i % 2]));
        hold_end(&estrade.hold);
        ck_assert_int_eq(read(estrade.done_fd, &rings, sizeof(rings)), sizeof(rings));
        ck_assert(shard_is_done(&estrade.shards[i % 2]));
        __atomic_store_n(&estrade.shards[i % 2].region->table.flushing, false, __ATOMIC_RELEASE);
    }
    estrade_close(&estrade);
}
END_TEST

static void
note(struct shard *shard, void *argument)
{
    *(pthread_t *)argument = shard->thread;
    ck_assert(pthread_equal(pthread_self(), shard->thread));
}

/* A call that is not for standing still. */
START_TEST(test_post)
{
    pthread_t who = 0;
    struct shard_call call = {.run = note, .argument = &who};

    estrade_open(&estrade);
    shard_post(&estrade.shards[1], &call);
    while (__atomic_load_n(&estrade.shards[1].call, __ATOMIC_ACQUIRE) != NULL)
        continue;
    hold_begin(&estrade.hold);
    ck_assert(pthread_equal(who, estrade.shards[1].thread));
    hold_end(&estrade.hold);
    estrade_close(&estrade);
}
END_TEST

static uint64_t
hold_for(int ms)
{
    uint64_t end_us;

    hold_begin(&estrade.hold);
    (void)poll(NULL, 0, ms);
    ck_assert(hold_is_long(&estrade.hold));
    end_us = clock_mono_us();
    hold_end(&estrade.hold);
    return end_us;
}

/* Whoever holds next waits until the shards have had three times as long, 20 ms at most. */
START_TEST(test_shards_have_their_turn)
{
    uint64_t end_us;

    estrade_open(&estrade);
    end_us = hold_for(5);
    hold_begin(&estrade.hold);
    ck_assert_uint_ge(clock_mono_us() - end_us, 15000);
    hold_end(&estrade.hold);
    (void)hold_for(100);
    ck_assert_uint_le(estrade.hold.rest_until_us, clock_mono_us() + 20000);
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_one_at_a_time, test_requests_wait, test_post,
                                  test_shards_have_their_turn};

    return estrade_run("hold", tests, sizeof(tests) / sizeof(tests[0]));
}
