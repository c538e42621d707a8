/*
 * timer: every sample of an interval, and what can be said of them.
 */
#ifndef METRIC_TIMER_H
#define METRIC_TIMER_H

#include <stdint.h>

#include "base/arena.h"
#include "metric/dialect.h"
#include "metric/sample.h"
#include "metric/sum.h"

/* Zeroed: no sample. The samples stand in the arena, capacity doubles at a time. */
struct timer {
    struct sum sum;
    double lower, upper;
    arena_ref samples;
    uint32_t n, capacity;
};

enum timer_verdict { TIMER_ADDED, TIMER_NO_MEMORY, TIMER_OVERFLOW };

/* Keeps the sample. What is not TIMER_ADDED changed nothing. */
enum timer_verdict timer_add(struct timer *timer, struct arena *arena, const struct sample *sample);

/* Adds lower, count, mean, upper and the dialect's percentiles to record; reorders the samples.
 * The rank of P of n samples is py-statsd's: the truncated P/100 × n, from 1; 0 is the last. */
void timer_points(struct timer *timer, const struct arena *arena, const struct dialect *dialect,
                  struct record *record);

/* Back to no sample; gives the memory back. */
void timer_reset(struct timer *timer, struct arena *arena);

#endif
