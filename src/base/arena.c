/*
 * arena: owns the mapping, its frontier and the lists of blocks given back. Never splits or joins
 * blocks: a block serves its size class for ever. Knows nothing of what blocks hold.
 */
#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

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

static arena_ref
take_fresh(struct arena *arena, size_t size)
{
    arena_ref ref = (arena_ref)(arena->frontier / ARENA_UNIT);

    if (size > arena->size - arena->frontier)
        return 0;
    arena->frontier += size;
    return ref;
}

arena_ref
arena_take(struct arena *arena, size_t size)
{
    arena_ref ref;
    size_t class, rounded;

    if (size > arena->size)
        return 0;
    class = size_class(size, &rounded);
    ref = arena->free[class];
    if (ref != 0)
        memcpy(&arena->free[class], arena_at(arena, ref), sizeof(ref));
    else
        ref = take_fresh(arena, rounded);
    if (ref != 0)
        arena->used += rounded;
    return ref;
}

void
arena_give(struct arena *arena, arena_ref ref, size_t size)
{
    size_t class, rounded;

    assert(ref != 0 && size <= arena->size);
    class = size_class(size, &rounded);
    assert(rounded <= arena->used);
    memcpy(arena_at(arena, ref), &arena->free[class], sizeof(ref));
    arena->free[class] = ref;
    arena->used -= rounded;
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
    for (size_t class = 0; class < ARENA_N_CLASSES && pile->size > 0; class ++) {
        if (pile->first[class] == 0)
            continue;
        memcpy(arena_at(arena, pile->last[class]), &arena->free[class], sizeof(arena_ref));
        arena->free[class] = pile->first[class];
    }
    arena->used -= pile->size;
    *pile = (struct arena_pile){0};
}
