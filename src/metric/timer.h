/*
 * timer: the samples of an interval, and what can be said of them. Up to a limit every one is kept,
 * beyond it a sketch stands for them; count, sum, lower and upper are exact always.
 */
#ifndef METRIC_TIMER_H
#define METRIC_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/survey.h"
#include "metric/dialect.h"
#include "metric/sample.h"
#include "metric/sum.h"

/* Zeroed: no sample. */
struct timer {
    struct sum sum;
    double lower, upper;
    uint32_t n;
    uint32_t capacity;
    arena_ref store; /* double[capacity], n of them in use; with capacity 0 a struct sketch, or 0 */
    uint32_t fold;   /* of the samples that are kept: a successor of the process trusts them */
};

enum timer_verdict { TIMER_ADDED, TIMER_NO_MEMORY, TIMER_OVERFLOW };

/* Takes a sample, with all that it changes in the arena, but not the struct, noted in the arena's
 * undo; beyond max of them into a sketch. What is not TIMER_ADDED changed no answer. */
enum timer_verdict timer_add(struct timer *timer, struct arena *arena, const struct sample *sample,
                             uint32_t max);

/* A timer and where its samples stand: one thread's share of a name. */
struct timer_part {
    const struct timer *timer;
    const struct arena *arena;
};

#define TIMER_PARTS_MAX 64
#define TIMER_SCRATCH   (256 * 1024)

/* What timer_points works in, so that the timers stay as they are. */
struct timer_scratch {
    double *samples; /* room for the samples of all parts; where they are more, a sketch answers */
    size_t capacity;
    struct arena *arena; /* has room for TIMER_SCRATCH bytes and is left as it was */
};

/* Adds lower, count, mean, upper and the dialect's percentiles of all n parts' samples together to
 * record, at least one sample and at most TIMER_PARTS_MAX parts. The rank of P of N samples is
 * py-statsd's: the truncated P/100 × N, from 1; 0 is the last. */
void timer_points(const struct timer_part *parts, size_t n, const struct timer_scratch *scratch,
                  const struct dialect *dialect, struct record *record);

/* Marks what it has of the arena that is surveyed. False where it cannot be what it was. */
bool timer_survey(const struct timer *timer, struct survey *survey);

/* Back to no sample; the memory goes to pile, since a flush resets. */
void timer_reset(struct timer *timer, const struct arena *arena, struct arena_pile *pile);

#endif
