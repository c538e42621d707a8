/*
 * hold: see hold.h. Every shard has a gate of its own: one that is slow to leave must not take what
 * lets another out of the next hold.
 */
#include "worker/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define LONG_US 500
/* How much longer than they stood still the shards have their turn, and at most. */
#define REST_TIMES  3
#define REST_MAX_US UINT64_C(20000)

static void
await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

static void
stand_still(struct shard *shard, void *argument)
{
    struct hold_gate *gate = argument;

    (void)shard;
    (void)sem_post(&gate->arrived);
    await(&gate->released);
}

int
hold_init(struct hold *hold, struct shard *shards, size_t n)
{
    *hold = (struct hold){.shards = shards, .n = n};
    hold->gates = calloc(n, sizeof(*hold->gates));
    if (hold->gates == NULL)
        return -ENOMEM;
    pthread_mutex_init(&hold->mutex, NULL);
    for (size_t i = 0; i < n; i++) {
        struct hold_gate *gate = &hold->gates[i];

        gate->call = (struct shard_call){.run = stand_still, .argument = gate};
        sem_init(&gate->arrived, 0, 0);
        sem_init(&gate->released, 0, 0);
    }
    return 0;
}

void
hold_release(struct hold *hold)
{
    if (hold->gates == NULL)
        return;
    for (size_t i = 0; i < hold->n; i++) {
        sem_destroy(&hold->gates[i].arrived);
        sem_destroy(&hold->gates[i].released);
    }
    pthread_mutex_destroy(&hold->mutex);
    free(hold->gates);
    hold->gates = NULL;
}

/* However many ask, and however often, most of the time is the samples'. Who sleeps does so without
 * the lock, so that each has the same chance to be next. */
static void
take_turn(struct hold *hold)
{
    uint64_t now_us, until_us;

    for (;;) {
        pthread_mutex_lock(&hold->mutex);
        now_us = clock_mono_us();
        until_us = hold->rest_until_us;
        if (now_us >= until_us)
            break;
        pthread_mutex_unlock(&hold->mutex);
        nanosleep(&(struct timespec){.tv_nsec = (long)(until_us - now_us) * 1000}, NULL);
    }
    hold->asked_us = now_us;
}

void
hold_begin(struct hold *hold)
{
    take_turn(hold);
    for (size_t i = 0; i < hold->n; i++)
        shard_post(&hold->shards[i], &hold->gates[i].call);
    for (size_t i = 0; i < hold->n; i++)
        await(&hold->gates[i].arrived);
    hold->began_us = clock_mono_us();
}

bool
hold_is_long(const struct hold *hold)
{
    return clock_mono_us() >= hold->began_us + LONG_US;
}

void
hold_end(struct hold *hold)
{
    uint64_t now_us = clock_mono_us(), rest_us = REST_TIMES * (now_us - hold->asked_us);

    hold->rest_until_us = now_us + (rest_us < REST_MAX_US ? rest_us : REST_MAX_US);
    for (size_t i = 0; i < hold->n; i++)
        (void)sem_post(&hold->gates[i].released);
    pthread_mutex_unlock(&hold->mutex);
}
