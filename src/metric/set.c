/*
 * set: see set.h.
 */
#include "metric/set.h"

#include <string.h>

#define FIRST_CAPACITY 8u

static size_t
bytes_of(uint32_t capacity)
{
    return capacity * sizeof(uint64_t);
}

static uint32_t
fold_of(uint64_t member)
{
    return (uint32_t)(member ^ member >> 32);
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

/* From now on a HyperLogLog stands for the members. */
static int
change_over(struct set *set, struct arena *arena, uint64_t member)
{
    const uint64_t *members = arena_at(arena, set->members);

    if (hll_add(&set->hll, arena, member) != 0)
        return -1;
    for (uint32_t i = 0; i < set->capacity; i++) {
        if (members[i] != 0)
            (void)hll_add(&set->hll, arena, members[i]);
    }
    if (set->capacity > 0)
        arena_give(arena, set->members, bytes_of(set->capacity));
    set->members = 0;
    set->capacity = 0;
    set->fold = 0;
    return 0;
}

static bool
contains(const struct set *set, const struct arena *arena, uint64_t member)
{
    return set->capacity > 0 &&
           *place_of(arena_at(arena, set->members), set->capacity, member) == member;
}

static int
add_to_hll(struct set *set, struct arena *arena, uint64_t member)
{
    hll_note(&set->hll, arena, member);
    return hll_add(&set->hll, arena, member);
}

int
set_add(struct set *set, struct arena *arena, uint64_t member, uint32_t max)
{
    uint64_t *place;

    if (member == 0)
        member = 1;
    if (set->hll.registers != 0)
        return add_to_hll(set, arena, member);
    if (contains(set, arena, member))
        return 0;
    if (set->n >= max)
        return change_over(set, arena, member);
    if (set->n >= set->capacity / 4 * 3 && grow(set, arena) != 0)
        return -1;
    place = place_of(arena_at(arena, set->members), set->capacity, member);
    undo_note(arena->undo, place, sizeof(*place));
    *place = member;
    set->n++;
    set->fold ^= fold_of(member);
    return 0;
}

bool
set_survey(const struct set *set, struct survey *survey)
{
    const uint64_t *members;
    uint32_t n = 0, fold = 0;

    if (set->hll.registers != 0)
        return set->capacity == 0 && hll_survey(&set->hll, survey);
    if ((set->capacity & (set->capacity - 1)) != 0 ||
        !survey_mark(survey, set->members, bytes_of(set->capacity)))
        return false;
    members = arena_at(survey->arena, set->members);
    for (uint32_t i = 0; i < set->capacity; i++) {
        n += members[i] != 0;
        fold ^= fold_of(members[i]);
    }
    return n == set->n && fold == set->fold;
}

/* Members of parts[i] that none of the parts before it has. */
static uint64_t
count_new(const struct set_part *parts, size_t i)
{
    const struct set *set = parts[i].set;
    const uint64_t *members = arena_at(parts[i].arena, set->members);
    uint64_t n = 0;

    if (i == 0)
        return set->n;
    for (uint32_t at = 0; at < set->capacity; at++) {
        bool is_new = members[at] != 0;

        for (size_t j = 0; j < i && is_new; j++)
            is_new = !contains(parts[j].set, parts[j].arena, members[at]);
        n += is_new;
    }
    return n;
}

static void
merge_part(struct hll *into, struct arena *scratch, const struct set_part *part)
{
    const struct set *set = part->set;
    const uint64_t *members = arena_at(part->arena, set->members);

    (void)hll_merge(into, scratch, &set->hll, part->arena);
    for (uint32_t at = 0; at < set->capacity; at++) {
        if (members[at] != 0)
            (void)hll_add(into, scratch, members[at]);
    }
}

/* Never below what one part has counted exactly. */
static uint64_t
estimate(const struct set_part *parts, size_t n, struct arena *scratch)
{
    struct hll whole = {0};
    uint64_t least = 0, estimated;

    for (size_t i = 0; i < n; i++) {
        merge_part(&whole, scratch, &parts[i]);
        if (parts[i].set->n > least)
            least = parts[i].set->n;
    }
    estimated = hll_estimate(&whole, scratch);
    hll_reset(&whole, scratch);
    return estimated < least ? least : estimated;
}

void
set_points(const struct set_part *parts, size_t n, struct arena *scratch, struct record *record)
{
    bool is_exact = true;
    uint64_t count = 0;

    for (size_t i = 0; i < n; i++)
        is_exact &= parts[i].set->hll.registers == 0;
    if (!is_exact)
        count = estimate(parts, n, scratch);
    for (size_t i = 0; i < n && is_exact; i++)
        count += count_new(parts, i);
    record_add(record, STATISTIC_COUNT, 0, (double)count);
}

void
set_reset(struct set *set, const struct arena *arena, struct arena_pile *pile)
{
    struct set old = *set;

    memset(set, 0, sizeof(*set));
    if (old.capacity > 0)
        arena_pile_up(arena, pile, old.members, bytes_of(old.capacity));
    if (old.hll.registers != 0)
        arena_pile_up(arena, pile, old.hll.registers, HLL_REGISTERS);
}
