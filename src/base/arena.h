/*
 * arena: one stretch of addresses with a hard ceiling, from which a table takes blocks that never
 * move. Blocks are named by references (16-byte units from the base), not by pointers, so that a
 * mapping elsewhere can follow them. Memory that was never taken costs nothing.
 *
 * A block that was given back serves its size again at once, and smaller ones when nothing else is
 * left; larger ones after arena_join.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block, or 0 for none. */
typedef uint32_t arena_ref;

#define ARENA_UNIT      16
#define ARENA_SMALL_MAX 1024                                    /* classes in steps of ARENA_UNIT */
#define ARENA_N_CLASSES (ARENA_SMALL_MAX / ARENA_UNIT + 1 + 32) /* then powers of two */

struct arena {
    uint8_t *base;
    size_t size;     /* the ceiling, bytes */
    size_t frontier; /* bytes from which on nothing was ever taken */
    size_t used;     /* bytes in blocks that are taken now */
    bool is_starved; /* a block was refused, though not for want of bytes */
    arena_ref free[ARENA_N_CLASSES];
};

/* Reserves size bytes (at most 64 GiB) of addresses. Returns 0 or -errno. */
int arena_init(struct arena *arena, size_t size);

/* Gives all of it back; fine on a zeroed struct. */
void arena_release(struct arena *arena);

/* A block of at least size bytes, uninitialised, or 0 when the ceiling is reached. */
arena_ref arena_take(struct arena *arena, size_t size);

/* Gives a block back; size as it was taken. */
void arena_give(struct arena *arena, arena_ref ref, size_t size);

/* Makes one of free blocks that lie side by side, where is_starved says that it is time to. Takes
 * as long as there are free blocks, and a 128th of the arena's memory meanwhile; without that it
 * does nothing. */
void arena_join(struct arena *arena);

/* Blocks that another thread than the arena's has no more use for, kept apart until the arena's own
 * takes them back. Zeroed: none. */
struct arena_pile {
    size_t size;
    arena_ref first[ARENA_N_CLASSES], last[ARENA_N_CLASSES];
};

/* Puts a block of the arena on the pile; size as it was taken. */
void arena_pile_up(const struct arena *arena, struct arena_pile *pile, arena_ref ref, size_t size);

/* Gives the whole pile back, in a time that does not depend on how much it is, and empties it. */
void arena_take_back(struct arena *arena, struct arena_pile *pile);

/* The address of a block. ref must not be 0. */
static inline void *
arena_at(const struct arena *arena, arena_ref ref)
{
    return arena->base + (size_t)ref * ARENA_UNIT;
}

#endif
