/*
 * arena: one stretch of addresses with a hard ceiling, from which a table takes blocks that never
 * move. Blocks are named by references (16-byte units from the base), not by pointers, so that a
 * mapping elsewhere can follow them. Memory that was never taken costs nothing.
 *
 * A block that was given back serves its size again at once, and smaller ones when nothing else is
 * left; larger ones after arena_join.
 *
 * In a mapping that outlives the process, a successor makes all of this anew from the blocks that
 * it finds in use (base/survey.h): what is free needs no care when a process dies.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/undo.h"

/* A block, or 0 for none. */
typedef uint32_t arena_ref;

#define ARENA_UNIT      16
#define ARENA_PAGE      4096
#define ARENA_SMALL_MAX 1024                                    /* classes in steps of ARENA_UNIT */
#define ARENA_N_CLASSES (ARENA_SMALL_MAX / ARENA_UNIT + 1 + 32) /* then powers of two */

struct arena_opts {
    size_t size;       /* the ceiling, bytes, at most 64 GiB, reserved ones included */
    void *memory;      /* where it is; NULL: anywhere, anonymous and private */
    size_t reserved;   /* bytes at the beginning of memory that are something else's */
    int fd;            /* of the file that memory maps shared, from offset on: nothing is touched */
    off_t offset;      /* that the file system has not given before */
    struct undo *undo; /* notes what is written into blocks that are given back; or NULL */
};

struct arena {
    uint8_t *base;
    size_t size, reserved;
    size_t frontier; /* bytes from which on nothing was ever taken */
    size_t used;     /* bytes in blocks that are taken now */
    uint64_t
        backed; /* pages that there is memory for << 32 | the complement: a successor trusts it */
    int fd;     /* -1: anonymous */
    off_t offset;
    struct undo *undo;
    bool is_starved; /* a block was refused, though not for want of bytes */
    arena_ref free[ARENA_N_CLASSES];
};

/* Reserves the addresses, or takes those of opts. Returns 0 or -errno. */
int arena_init(struct arena *arena, const struct arena_opts *opts);

/* Gives back what arena_init has mapped; fine on a zeroed struct. */
void arena_release(struct arena *arena);

/* A block of at least size bytes, uninitialised, or 0 when the ceiling is reached or the system has
 * no memory. */
arena_ref arena_take(struct arena *arena, size_t size);

/* Gives a block back; size as it was taken. */
void arena_give(struct arena *arena, arena_ref ref, size_t size);

/* Makes one of free blocks that lie side by side, where is_starved says that it is time to. Takes
 * as long as there are free blocks, and a 128th of the arena's memory meanwhile; without that it
 * does nothing. */
void arena_join(struct arena *arena);

/* Makes free, as if nothing were, every unit before the frontier whose bit is not set; the frontier
 * is lowered where all behind it is free. */
void arena_free_rest(struct arena *arena, const uint8_t *used_bits);

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

static inline size_t
arena_whole_pages(size_t size)
{
    return (size + ARENA_PAGE - 1) / ARENA_PAGE * ARENA_PAGE;
}

/* How many bytes there is memory for. */
static inline size_t
arena_backed(const struct arena *arena)
{
    return (size_t)(arena->backed >> 32) * ARENA_PAGE;
}

/* The address of a block. ref must not be 0. */
static inline void *
arena_at(const struct arena *arena, arena_ref ref)
{
    return arena->base + (size_t)ref * ARENA_UNIT;
}

/* What a block that was taken as size really has. */
static inline size_t
arena_rounded(size_t size)
{
    if (size <= ARENA_SMALL_MAX)
        return size == 0 ? ARENA_UNIT : (size + ARENA_UNIT - 1) / ARENA_UNIT * ARENA_UNIT;
    return (size_t)1 << (64 - __builtin_clzll(size - 1));
}

#endif
