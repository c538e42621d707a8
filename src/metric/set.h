/*
 * set: how many different members an interval saw: exactly up to a limit, beyond it to 1 %.
 */
#ifndef METRIC_SET_H
#define METRIC_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "metric/hll.h"
#include "metric/point.h"

/* Zeroed: empty. A member is kept as its keyed 64-bit hash: two of a million members fall together
 * once in 37 million intervals, and nobody who lacks the key can choose two that do. */
struct set {
    arena_ref members; /* uint64_t[capacity], open addressing, 0 for a free place; 0 with an hll */
    uint32_t n, capacity;
    uint32_t fold;  /* of the members that are kept: a successor of the process trusts them */
    struct hll hll; /* beyond the limit; n is then what was exact before */
};

/* Adds a member by its hash, with all that it changes in the arena, but not the struct, noted in
 * the arena's undo; beyond max of them to a HyperLogLog. Returns 0 (also where it was there), or -1
 * when the arena is full. */
int set_add(struct set *set, struct arena *arena, uint64_t member, uint32_t max);

/* A set and where its members stand: one thread's share of a name. */
struct set_part {
    const struct set *set;
    const struct arena *arena;
};

#define SET_SCRATCH (64 * 1024)

/* Adds the point of the union of n parts to record. scratch has room for SET_SCRATCH bytes and is
 * left as it was. */
void set_points(const struct set_part *parts, size_t n, struct arena *scratch,
                struct record *record);

/* Marks what it has of the arena that is surveyed. False where it cannot be what it was. */
bool set_survey(const struct set *set, struct survey *survey);

/* Back to empty; the memory goes to pile, since a flush resets. */
void set_reset(struct set *set, const struct arena *arena, struct arena_pile *pile);

#endif
