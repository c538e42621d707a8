/*
 * survey: an arena that a process before this one has left, taken over: every block that is in use
 * is marked, and all the rest is free. Nothing that the arena says is trusted before.
 */
#ifndef BASE_SURVEY_H
#define BASE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct survey {
    struct arena *arena;
    uint8_t *bits; /* one a unit, set where a block was marked */
    size_t bits_len;
    size_t used;
};

/* Begins with an arena whose struct has come through, with what of opts is this process's own.
 * Returns 0, -EBADMSG where the struct cannot be what it was, or another -errno. */
int survey_begin(struct survey *survey, struct arena *arena, const struct arena_opts *opts);

/* Marks a block. False where it is none: out of bounds, or another has a part of it. */
bool survey_mark(struct survey *survey, arena_ref ref, size_t size);

/* Makes all the rest free, where keep, and ends the survey. */
void survey_end(struct survey *survey, bool keep);

#endif
