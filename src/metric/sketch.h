/*
 * sketch: what a great many samples were, to 1 %, in little memory: DDSketch (Masson, Rim and Lee,
 * "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB
 * 2019). A sample only counts in the bucket that its value falls into, so neither the order of
 * samples nor how they were split before a merge changes any answer.
 */
#ifndef METRIC_SKETCH_H
#define METRIC_SKETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/survey.h"

/* The buckets of one sign: 32-bit counts in the arena, of the capacity buckets from first on. */
struct sketch_store {
    arena_ref counts;
    uint16_t first, capacity;
};

/* Zeroed: no sample. At most 2 × 11,200 bytes of counts, in blocks of up to 16 KiB. */
struct sketch {
    struct sketch_store positive, negative;
    uint32_t n, n_zeros;
    uint32_t check; /* of the words above: a successor of the process trusts them */
};

enum sketch_verdict {
    SKETCH_ADDED,
    SKETCH_NO_MEMORY, /* the arena is full */
    SKETCH_OVERFLOW,  /* more samples than UINT32_MAX */
};

/* Notes in the arena's undo what sketch_add with the same value is going to change of a sketch that
 * it has not itself made since the last commit. */
void sketch_note(const struct sketch *sketch, const struct arena *arena, double value);

/* Counts a finite value. What is not SKETCH_ADDED changed nothing. */
enum sketch_verdict sketch_add(struct sketch *sketch, struct arena *arena, double value);

/* Counts all samples of from (in from_arena; may be the same) as well. What is not SKETCH_ADDED
 * changed no answer, but may have left room for more in into. */
enum sketch_verdict sketch_merge(struct sketch *into, struct arena *arena,
                                 const struct sketch *from, const struct arena *from_arena);

/* An estimate of the sample that would stand at index k (below n) were all sorted: within 1 % of it
 * where its magnitude is 0 or from 2^-30 (under 1e-9) to 2^50 (over 1e15). Others are taken for the
 * smallest or largest of these, their sign kept. Never falls as k rises. It may lie outside of the
 * lowest and highest sample: the caller, who knows them, clamps. */
double sketch_nth(const struct sketch *sketch, const struct arena *arena, uint32_t k);

/* Marks what a sketch has of the arena that is surveyed. False where it cannot be what it was. */
bool sketch_survey(const struct sketch *sketch, struct survey *survey);

/* Back to no sample; gives the memory back. */
void sketch_reset(struct sketch *sketch, struct arena *arena);

/* What it takes goes to pile, as a flush does it; the sketch is not to be used again. */
void sketch_pile_up(const struct sketch *sketch, const struct arena *arena,
                    struct arena_pile *pile);

#endif
