/*
 * timer: see timer.h.
 */
#include "metric/timer.h"

#include <string.h>

#include "metric/select.h"

#define FIRST_CAPACITY 4u

static size_t
bytes_of(uint32_t capacity)
{
    return capacity * sizeof(double);
}

static int
grow(struct timer *timer, struct arena *arena)
{
    uint32_t capacity = timer->capacity == 0 ? FIRST_CAPACITY : timer->capacity * 2;
    arena_ref samples;

    if (capacity < timer->capacity || (samples = arena_take(arena, bytes_of(capacity))) == 0)
        return -1;
    if (timer->n > 0) {
        memcpy(arena_at(arena, samples), arena_at(arena, timer->samples), bytes_of(timer->n));
        arena_give(arena, timer->samples, bytes_of(timer->capacity));
    }
    timer->samples = samples;
    timer->capacity = capacity;
    return 0;
}

enum timer_verdict
timer_add(struct timer *timer, struct arena *arena, const struct sample *sample)
{
    double *samples;

    if (timer->n == timer->capacity && grow(timer, arena) != 0)
        return TIMER_NO_MEMORY;
    if (sum_add(&timer->sum, sample->value) != 0)
        return TIMER_OVERFLOW;
    samples = arena_at(arena, timer->samples);
    samples[timer->n] = sample->value;
    if (timer->n == 0 || sample->value < timer->lower)
        timer->lower = sample->value;
    if (timer->n == 0 || sample->value > timer->upper)
        timer->upper = sample->value;
    timer->n++;
    return TIMER_ADDED;
}

/* The index into the sorted samples; a negative percentile counts from the top. */
static size_t
index_of(double percentile, uint32_t n)
{
    double share = (percentile < 0 ? -percentile : percentile) / 100.0;
    size_t rank = (size_t)(share * n);

    if (rank == 0)
        return n - 1;
    return percentile < 0 ? n - rank : rank - 1;
}

void
timer_points(struct timer *timer, const struct arena *arena, const struct dialect *dialect,
             struct record *record)
{
    double *samples = arena_at(arena, timer->samples);

    record_add(record, STATISTIC_LOWER, 0, timer->lower);
    record_add(record, STATISTIC_COUNT, 0, timer->n);
    record_add(record, STATISTIC_MEAN, 0, sum_value(&timer->sum) / timer->n);
    record_add(record, STATISTIC_UPPER, 0, timer->upper);
    for (size_t i = 0; i < dialect->n_percentiles; i++) {
        size_t index = index_of(dialect->percentile[i], timer->n);

        record_add(record, STATISTIC_UPPER_PCT, (unsigned)i, select_nth(samples, timer->n, index));
    }
}

void
timer_reset(struct timer *timer, struct arena *arena)
{
    if (timer->capacity > 0)
        arena_give(arena, timer->samples, bytes_of(timer->capacity));
    memset(timer, 0, sizeof(*timer));
}
