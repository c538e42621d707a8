/*
 * timer: the samples of an interval, and what can be said of them. Up to a limit every one is kept,
 * beyond it a sketch stands for them; count, sum, lower and upper are exact always.
 */
#ifndef METRIC_TIMER_H
#define METRIC_TIMER_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "metric/dialect.h"
#include "metric/sample.h"
#include "metric/sum.h"

/* Zeroed: no sample. */
struct timer {
    struct sum sum;
    double lower, upper;
    uint32_t n;
    uint32_t capacity;
    arena_ref samples; /* double[capacity], n of them in use; 0 with a sketch */
    arena_ref sketch;  /* struct sketch; 0 while the samples are kept */
};

enum timer_verdict { TIMER_ADDED, TIMER_NO_MEMORY, TIMER_OVERFLOW };

/* Takes a sample; beyond max of them into a sketch. What is not TIMER_ADDED changed no answer. */
enum timer_verdict timer_add(struct timer *timer, struct arena *arena, const struct sample *sample,
                             uint32_t max);

/* A timer and where its samples stand: one thread's share of a name. */
struct timer_part {
    struct timer *timer;
    const struct arena *arena;
};

#define TIMER_PARTS_MAX 64
#define TIMER_SCRATCH   (256 * 1024)

/* Adds lower, count, mean, upper and the dialect's percentiles of all n parts' samples together to
 * record, at least one sample and at most TIMER_PARTS_MAX parts; reorders the samples. The rank of
 * P of N samples is py-statsd's: the truncated P/100 × N, from 1; 0 is the last. scratch has room
 * for TIMER_SCRATCH bytes and is left as it was. */
void timer_points(const struct timer_part *parts, size_t n, struct arena *scratch,
                  const struct dialect *dialect, struct record *record);

/* Back to no sample; the memory goes to pile, since a flush resets. */
void timer_reset(struct timer *timer, const struct arena *arena, struct arena_pile *pile);

#endif
