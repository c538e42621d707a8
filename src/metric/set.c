/*
 * set: see set.h.
 */
#include "metric/set.h"

#include <stdbool.h>
#include <string.h>

#define FIRST_CAPACITY 8u

static size_t
bytes_of(uint32_t capacity)
{
    return capacity * sizeof(uint64_t);
}

/* The place of member among the power of two that capacity is: where it is or could be put. */
static uint64_t *
place_of(uint64_t *members, uint32_t capacity, uint64_t member)
{
    size_t i = member & (capacity - 1);

    while (members[i] != 0 && members[i] != member)
        i = (i + 1) & (capacity - 1);
    return &members[i];
}

static int
grow(struct set *set, struct arena *arena)
{
    uint32_t capacity = set->capacity == 0 ? FIRST_CAPACITY : set->capacity * 2;
    const uint64_t *old;
    arena_ref ref;

    if (capacity < set->capacity || (ref = arena_take(arena, bytes_of(capacity))) == 0)
        return -1;
    memset(arena_at(arena, ref), 0, bytes_of(capacity));
    if (set->capacity > 0) {
        old = arena_at(arena, set->members);
        for (uint32_t i = 0; i < set->capacity; i++) {
            if (old[i] != 0)
                *place_of(arena_at(arena, ref), capacity, old[i]) = old[i];
        }
        arena_give(arena, set->members, bytes_of(set->capacity));
    }
    set->members = ref;
    set->capacity = capacity;
    return 0;
}

int
set_add(struct set *set, struct arena *arena, uint64_t member)
{
    uint64_t *place;

    if (member == 0)
        member = 1;
    if (set->capacity > 0) {
        place = place_of(arena_at(arena, set->members), set->capacity, member);
        if (*place == member)
            return 0;
    }
    if (set->n >= set->capacity / 4 * 3 && grow(set, arena) != 0)
        return -1;
    *place_of(arena_at(arena, set->members), set->capacity, member) = member;
    set->n++;
    return 0;
}

void
set_points(const struct set *set, struct record *record)
{
    record_add(record, STATISTIC_COUNT, 0, set->n);
}

void
set_reset(struct set *set, struct arena *arena)
{
    if (set->capacity > 0)
        arena_give(arena, set->members, bytes_of(set->capacity));
    memset(set, 0, sizeof(*set));
}
