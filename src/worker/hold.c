/*
 * hold: see hold.h. Every shard has a gate of its own: one that is slow to leave must not take what
 * lets another out of the next hold.
 */
#include "worker/hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

void
hold_begin(struct hold *hold)
{
    pthread_mutex_lock(&hold->mutex);
    for (size_t i = 0; i < hold->n; i++)
        shard_post(&hold->shards[i], &hold->gates[i].call);
    for (size_t i = 0; i < hold->n; i++)
        await(&hold->gates[i].arrived);
}

void
hold_end(struct hold *hold)
{
    for (size_t i = 0; i < hold->n; i++)
        (void)sem_post(&hold->gates[i].released);
    pthread_mutex_unlock(&hold->mutex);
}
