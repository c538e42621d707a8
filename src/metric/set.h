/*
 * set: how many different members an interval saw.
 */
#ifndef METRIC_SET_H
#define METRIC_SET_H

#include <stdint.h>

#include "base/arena.h"
#include "metric/point.h"

/* Zeroed: empty. A member is kept as its keyed 64-bit hash: two of a million members fall together
 * once in 37 million intervals, and nobody who lacks the key can choose two that do. */
struct set {
    arena_ref members; /* open addressing, 0 for a free place */
    uint32_t n, capacity;
};

/* Adds a member by its hash. Returns 0 (also where it was there), or -1 when the arena is full. */
int set_add(struct set *set, struct arena *arena, uint64_t member);

/* Adds the set's point to record. */
void set_points(const struct set *set, struct record *record);

/* Back to empty; gives the memory back. */
void set_reset(struct set *set, struct arena *arena);

#endif
