/*
 * arena: owns the mapping, its frontier and the lists of blocks given back. Knows nothing of what
 * blocks hold.
 */
#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What references of 32 bits can name. */
#define SIZE_LIMIT ((size_t)ARENA_UNIT << 32)

int
arena_init(struct arena *arena, size_t size)
{
    void *base;

    size -= size % ARENA_UNIT;
    if (size == 0 || size > SIZE_LIMIT)
        return -EINVAL;
    base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                0);
    if (base == MAP_FAILED)
        return -errno;
    (void)madvise(base, size, MADV_HUGEPAGE);
    /* The first unit is never taken, so that 0 is no block. */
    *arena = (struct arena){.base = base, .size = size, .frontier = ARENA_UNIT};
    return 0;
}

void
arena_release(struct arena *arena)
{
    if (arena->base != NULL)
        (void)munmap(arena->base, arena->size);
    *arena = (struct arena){0};
}

/* The class of a size up to SIZE_LIMIT; *out_size is what its blocks have. */
static size_t
size_class(size_t size, size_t *out_size)
{
    size_t units, log2;

    if (size <= ARENA_SMALL_MAX) {
        units = size == 0 ? 1 : (size + ARENA_UNIT - 1) / ARENA_UNIT;
        *out_size = units * ARENA_UNIT;
        return units;
    }
    log2 = 64 - (size_t)__builtin_clzll(size - 1);
    *out_size = (size_t)1 << log2;
    return ARENA_SMALL_MAX / ARENA_UNIT + log2 - (size_t)__builtin_ctz(ARENA_SMALL_MAX);
}

#define N_SMALL_CLASSES (ARENA_SMALL_MAX / ARENA_UNIT)

static size_t
class_size(size_t class)
{
    if (class <= N_SMALL_CLASSES)
        return class * ARENA_UNIT;
    return (size_t)ARENA_SMALL_MAX << (class - N_SMALL_CLASSES);
}

static void
push(struct arena *arena, size_t class, arena_ref ref)
{
    memcpy(arena_at(arena, ref), &arena->free[class], sizeof(ref));
    arena->free[class] = ref;
}

static arena_ref
pop(struct arena *arena, size_t class)
{
    arena_ref ref = arena->free[class];

    if (ref != 0)
        memcpy(&arena->free[class], arena_at(arena, ref), sizeof(ref));
    return ref;
}

/* Makes free blocks of n_units from ref on, the largest first. */
static void
push_run(struct arena *arena, arena_ref ref, size_t n_units)
{
    while (n_units > 0) {
        size_t size, class = size_class(n_units * ARENA_UNIT, &size);

        if (size > n_units * ARENA_UNIT)
            size = class_size(--class);
        push(arena, class, ref);
        ref += (arena_ref)(size / ARENA_UNIT);
        n_units -= size / ARENA_UNIT;
    }
}

static arena_ref
take_fresh(struct arena *arena, size_t size)
{
    arena_ref ref = (arena_ref)(arena->frontier / ARENA_UNIT);

    if (size > arena->size - arena->frontier)
        return 0;
    arena->frontier += size;
    return ref;
}

/* The front of a larger block; what is left of it is free. */
static arena_ref
take_part(struct arena *arena, size_t class)
{
    size_t n_units = class_size(class) / ARENA_UNIT;

    for (size_t larger = class + 1; larger < ARENA_N_CLASSES; larger++) {
        arena_ref ref = pop(arena, larger);

        if (ref == 0)
            continue;
        push_run(arena, ref + (arena_ref)n_units, class_size(larger) / ARENA_UNIT - n_units);
        return ref;
    }
    return 0;
}

arena_ref
arena_take(struct arena *arena, size_t size)
{
    arena_ref ref;
    size_t class, rounded;

    if (size > arena->size)
        return 0;
    class = size_class(size, &rounded);
    if ((ref = pop(arena, class)) == 0 && (ref = take_fresh(arena, rounded)) == 0)
        ref = take_part(arena, class);
    if (ref != 0)
        arena->used += rounded;
    else if (rounded <= arena->size - ARENA_UNIT - arena->used)
        arena->is_starved = true;
    return ref;
}

void
arena_give(struct arena *arena, arena_ref ref, size_t size)
{
    size_t class, rounded;

    assert(ref != 0 && size <= arena->size);
    class = size_class(size, &rounded);
    assert(rounded <= arena->used);
    push(arena, class, ref);
    arena->used -= rounded;
}

/* One bit a unit, set where it is free. */
static void
mark_free(const struct arena *arena, uint8_t *bits)
{
    for (size_t class = 1; class < ARENA_N_CLASSES; class += 1) {
        arena_ref ref = arena->free[class];

        while (ref != 0) {
            size_t end = ref + class_size(class) / ARENA_UNIT;

            for (size_t unit = ref; unit < end; unit++)
                bits[unit / 8] |= (uint8_t)(1u << unit % 8);
            memcpy(&ref, arena_at(arena, ref), sizeof(ref));
        }
    }
}

/* The first unit from unit on that is (or is not) free, or n. */
static size_t
find_unit(const uint8_t *bits, size_t unit, size_t n, bool is_free)
{
    const uint8_t none = is_free ? 0 : UINT8_MAX;

    while (unit < n && ((bits[unit / 8] >> unit % 8 & 1) != 0) != is_free)
        unit += unit % 8 == 0 && bits[unit / 8] == none ? 8 : 1;
    return unit < n ? unit : n;
}

/* What is free up to the frontier is as if it never had been taken; its pages go back. */
static void
lower_frontier(struct arena *arena, size_t frontier)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t from = (frontier + page - 1) / page * page;

    if (from < arena->frontier)
        (void)madvise(arena->base + from, arena->frontier - from, MADV_DONTNEED);
    arena->frontier = frontier;
}

static void
push_runs(struct arena *arena, const uint8_t *bits, size_t n_units)
{
    for (size_t from = find_unit(bits, 0, n_units, true), to; from < n_units;
         from = find_unit(bits, to, n_units, true)) {
        to = find_unit(bits, from, n_units, false);
        if (to == n_units)
            lower_frontier(arena, from * ARENA_UNIT);
        else
            push_run(arena, (arena_ref)from, to - from);
    }
}

void
arena_join(struct arena *arena)
{
    size_t n_units = arena->frontier / ARENA_UNIT, size = n_units / 8 + 1;
    uint8_t *bits;

    if (!arena->is_starved)
        return;
    bits = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bits == MAP_FAILED)
        return;
    mark_free(arena, bits);
    memset(arena->free, 0, sizeof(arena->free));
    push_runs(arena, bits, n_units);
    (void)munmap(bits, size);
    arena->is_starved = false;
}

void
arena_pile_up(const struct arena *arena, struct arena_pile *pile, arena_ref ref, size_t size)
{
    size_t class, rounded;

    assert(ref != 0 && size <= arena->size);
    class = size_class(size, &rounded);
    memcpy(arena_at(arena, ref), &pile->first[class], sizeof(ref));
    pile->first[class] = ref;
    if (pile->last[class] == 0)
        pile->last[class] = ref;
    pile->size += rounded;
}

void
arena_take_back(struct arena *arena, struct arena_pile *pile)
{
    assert(pile->size <= arena->used);
    for (size_t class = 0; class < ARENA_N_CLASSES && pile->size > 0; class += 1) {
        if (pile->first[class] == 0)
            continue;
        memcpy(arena_at(arena, pile->last[class]), &arena->free[class], sizeof(arena_ref));
        arena->free[class] = pile->first[class];
    }
    arena->used -= pile->size;
    *pile = (struct arena_pile){0};
}
