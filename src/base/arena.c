/*
 * arena: owns the mapping, its frontier and the lists of blocks given back. Knows nothing of what
 * blocks hold.
 */
#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* What references of 32 bits can name. */
#define SIZE_LIMIT ((size_t)ARENA_UNIT << 32)

/* Memory of a file is taken in such steps. */
#define STEP ((size_t)1 << 20)

/* With one store. */
static void
set_backed(struct arena *arena, size_t bytes)
{
    uint32_t n_pages = (uint32_t)(bytes / ARENA_PAGE);

    __atomic_store_n(&arena->backed, (uint64_t)n_pages << 32 | (uint32_t)~n_pages,
                     __ATOMIC_RELAXED);
}

static int
map(struct arena *arena)
{
    void *base = mmap(NULL, arena->size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED)
        return -errno;
    (void)madvise(base, arena->size, MADV_HUGEPAGE);
    arena->base = base;
    arena->fd = -1;
    return 0;
}

int
arena_init(struct arena *arena, const struct arena_opts *opts)
{
    size_t size = opts->size - opts->size % ARENA_UNIT;
    int error = 0;

    if (size <= opts->reserved || size > SIZE_LIMIT)
        return -EINVAL;
    *arena = (struct arena){
        .base = opts->memory,
        .size = size,
        .reserved = opts->reserved,
        .frontier = opts->reserved,
        .fd = opts->fd,
        .offset = opts->offset,
        .undo = opts->undo,
    };
    /* The first unit is never taken, so that 0 is no block. */
    if (arena->frontier == 0)
        arena->frontier = ARENA_UNIT;
    if (arena->base == NULL)
        error = map(arena);
    set_backed(arena, opts->reserved);
    return error;
}

void
arena_release(struct arena *arena)
{
    if (arena->base != NULL && arena->fd < 0)
        (void)munmap(arena->base, arena->size);
    *arena = (struct arena){0};
}

static size_t
class_of(size_t rounded)
{
    if (rounded <= ARENA_SMALL_MAX)
        return rounded / ARENA_UNIT;
    return ARENA_SMALL_MAX / ARENA_UNIT + (size_t)__builtin_ctzll(rounded) -
           (size_t)__builtin_ctz(ARENA_SMALL_MAX);
}

#define N_SMALL_CLASSES (ARENA_SMALL_MAX / ARENA_UNIT)

static size_t
class_size(size_t class)
{
    if (class <= N_SMALL_CLASSES)
        return class * ARENA_UNIT;
    return (size_t)ARENA_SMALL_MAX << (class - N_SMALL_CLASSES);
}

/* What is free says which is the next of its class. */
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
        size_t size = arena_rounded(n_units * ARENA_UNIT), class = class_of(size);

        if (size > n_units * ARENA_UNIT)
            size = class_size(--class);
        push(arena, class, ref);
        ref += (arena_ref)(size / ARENA_UNIT);
        n_units -= size / ARENA_UNIT;
    }
}

static int
allocate(const struct arena *arena, size_t from, size_t len)
{
    int error;

    do
        error = fallocate(arena->fd, 0, arena->offset + (off_t)from, (off_t)len);
    while (error != 0 && errno == EINTR);
    return error;
}

/* Sees to memory up to end: what is mapped of a file must not be touched before. */
static bool
back(struct arena *arena, size_t end)
{
    size_t backed = arena_backed(arena), step;

    if (arena->fd < 0 || end <= backed)
        return true;
    step = (end - backed + STEP - 1) / STEP * STEP;
    if (step > arena_whole_pages(arena->size) - backed)
        step = arena_whole_pages(arena->size) - backed;
    if (allocate(arena, backed, step) != 0)
        return false;
    set_backed(arena, backed + step);
    return true;
}

static arena_ref
take_fresh(struct arena *arena, size_t size)
{
    arena_ref ref = (arena_ref)(arena->frontier / ARENA_UNIT);

    if (size > arena->size - arena->frontier || !back(arena, arena->frontier + size))
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
    rounded = arena_rounded(size);
    class = class_of(rounded);
    if ((ref = pop(arena, class)) == 0 && (ref = take_fresh(arena, rounded)) == 0)
        ref = take_part(arena, class);
    if (ref != 0)
        arena->used += rounded;
    else if (rounded + arena->reserved + arena->used + ARENA_UNIT <= arena->size)
        arena->is_starved = true;
    return ref;
}

void
arena_give(struct arena *arena, arena_ref ref, size_t size)
{
    size_t class, rounded;

    assert(ref != 0 && size <= arena->size);
    rounded = arena_rounded(size);
    class = class_of(rounded);
    assert(rounded <= arena->used);
    undo_note(arena->undo, arena_at(arena, ref), sizeof(ref));
    push(arena, class, ref);
    arena->used -= rounded;
}

/* One bit a unit, set where it is not free. */
static void
unmark_free(const struct arena *arena, uint8_t *bits)
{
    for (size_t class = 1; class < ARENA_N_CLASSES; class += 1) {
        arena_ref ref = arena->free[class];

        while (ref != 0) {
            size_t end = ref + class_size(class) / ARENA_UNIT;

            for (size_t unit = ref; unit < end; unit++)
                bits[unit / 8] &= (uint8_t) ~(1u << unit % 8);
            memcpy(&ref, arena_at(arena, ref), sizeof(ref));
        }
    }
}

/* The first unit from unit on that is (or is not) free, or n. */
static size_t
find_unit(const uint8_t *bits, size_t unit, size_t n, bool is_free)
{
    const uint8_t none = is_free ? UINT8_MAX : 0;

    while (unit < n && ((bits[unit / 8] >> unit % 8 & 1) == 0) != is_free)
        unit += unit % 8 == 0 && bits[unit / 8] == none ? 8 : 1;
    return unit < n ? unit : n;
}

static void
give_pages_back(const struct arena *arena, size_t from, size_t len)
{
    if (arena->fd < 0)
        (void)madvise(arena->base + from, len, MADV_DONTNEED);
    else
        (void)fallocate(arena->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        arena->offset + (off_t)from, (off_t)len);
}

/* What is free up to the frontier is as if it never had been taken; its pages go back: those of a
 * file behind the word that says so. */
static void
lower_frontier(struct arena *arena, size_t frontier)
{
    size_t from = arena_whole_pages(frontier);
    size_t end = arena->fd < 0 ? arena->frontier : arena_backed(arena);

    arena->frontier = frontier;
    if (from >= end)
        return;
    if (arena->fd >= 0)
        set_backed(arena, from);
    give_pages_back(arena, from, end - from);
}

void
arena_free_rest(struct arena *arena, const uint8_t *used_bits)
{
    size_t n_units = arena->frontier / ARENA_UNIT;

    memset(arena->free, 0, sizeof(arena->free));
    for (size_t from = find_unit(used_bits, 0, n_units, true), to; from < n_units;
         from = find_unit(used_bits, to, n_units, true)) {
        to = find_unit(used_bits, from, n_units, false);
        if (to == n_units)
            lower_frontier(arena, from * ARENA_UNIT);
        else
            push_run(arena, (arena_ref)from, to - from);
    }
    arena->is_starved = false;
}

void
arena_join(struct arena *arena)
{
    size_t size = arena->frontier / ARENA_UNIT / 8 + 1;
    uint8_t *bits;

    if (!arena->is_starved)
        return;
    bits = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bits == MAP_FAILED)
        return;
    memset(bits, UINT8_MAX, size);
    unmark_free(arena, bits);
    arena_free_rest(arena, bits);
    (void)munmap(bits, size);
}

void
arena_pile_up(const struct arena *arena, struct arena_pile *pile, arena_ref ref, size_t size)
{
    size_t rounded = arena_rounded(size), class = class_of(rounded);

    assert(ref != 0 && size <= arena->size);
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
