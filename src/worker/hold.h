/*
 * hold: all shards stand still between two batches while another thread looks at their tables, or
 * changes something in them. Meanwhile what arrives waits in the kernel, so nobody holds them for
 * more than about a millisecond: whoever has more to do lets go and comes again, and waits until
 * they have had three times as long for themselves.
 *
 * The flush of an interval that is closed goes on meanwhile, see struct table.
 */
#ifndef WORKER_HOLD_H
#define WORKER_HOLD_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/shard.h"

struct hold_gate {
    struct shard_call call;
    sem_t arrived, released;
};

/* For several threads, of which one holds at a time. */
struct hold {
    struct shard *shards; /* n of them, borrowed, all started */
    size_t n;
    struct hold_gate *gates; /* one each */
    pthread_mutex_t mutex;
    /* Monotonic: when the first may have stood still, and since when all do; when the next may. */
    uint64_t asked_us, began_us, rest_until_us;
};

/* Over n shards. Returns 0 or -ENOMEM. */
int hold_init(struct hold *hold, struct shard *shards, size_t n);

/* Gives the memory back; nobody holds. Fine on a zeroed struct. */
void hold_release(struct hold *hold);

/* Returns when all shards stand still, for which they have had their turn and finish the batch at
 * hand. They must not have been asked to end. */
void hold_begin(struct hold *hold);

/* Whether it is time to let them go on: after half a millisecond. */
bool hold_is_long(const struct hold *hold);

/* Lets them go on. */
void hold_end(struct hold *hold);

#endif
