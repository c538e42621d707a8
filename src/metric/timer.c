/*
 * timer: see timer.h.
 */
#include "metric/timer.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "metric/select.h"
#include "metric/sketch.h"

#define FIRST_CAPACITY 4u

static size_t
bytes_of(uint32_t capacity)
{
    return capacity * sizeof(double);
}

static struct sketch *
sketch_of(const struct timer *timer, const struct arena *arena)
{
    return arena_at(arena, timer->sketch);
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

/* Has a sketch count all samples that are kept. */
static enum sketch_verdict
count_samples(struct sketch *sketch, struct arena *arena, const struct timer *timer,
              const struct arena *samples_arena)
{
    const double *samples = arena_at(samples_arena, timer->samples);
    enum sketch_verdict verdict = SKETCH_ADDED;

    for (uint32_t i = 0; i < timer->n && verdict == SKETCH_ADDED; i++)
        verdict = sketch_add(sketch, arena, samples[i]);
    return verdict;
}

/* From now on a sketch stands for the samples. */
static int
change_over(struct timer *timer, struct arena *arena)
{
    arena_ref ref = arena_take(arena, sizeof(struct sketch));
    struct sketch *sketch;

    if (ref == 0)
        return -1;
    sketch = arena_at(arena, ref);
    memset(sketch, 0, sizeof(*sketch));
    if (timer->capacity > 0 && count_samples(sketch, arena, timer, arena) != SKETCH_ADDED) {
        sketch_reset(sketch, arena);
        arena_give(arena, ref, sizeof(*sketch));
        return -1;
    }
    if (timer->capacity > 0)
        arena_give(arena, timer->samples, bytes_of(timer->capacity));
    timer->samples = 0;
    timer->capacity = 0;
    timer->sketch = ref;
    return 0;
}

static enum timer_verdict
keep(struct timer *timer, struct arena *arena, double value, uint32_t max)
{
    if (timer->sketch == 0 && timer->n >= max && change_over(timer, arena) != 0)
        return TIMER_NO_MEMORY;
    if (timer->sketch != 0) {
        switch (sketch_add(sketch_of(timer, arena), arena, value)) {
        case SKETCH_ADDED: return TIMER_ADDED;
        case SKETCH_NO_MEMORY: return TIMER_NO_MEMORY;
        case SKETCH_OVERFLOW: return TIMER_OVERFLOW;
        }
    }
    if (timer->n == timer->capacity && grow(timer, arena) != 0)
        return TIMER_NO_MEMORY;
    ((double *)arena_at(arena, timer->samples))[timer->n] = value;
    return TIMER_ADDED;
}

enum timer_verdict
timer_add(struct timer *timer, struct arena *arena, const struct sample *sample, uint32_t max)
{
    struct sum sum = timer->sum;
    enum timer_verdict verdict;

    if (sum_add(&sum, sample->value) != 0)
        return TIMER_OVERFLOW;
    verdict = keep(timer, arena, sample->value, max);
    if (verdict != TIMER_ADDED)
        return verdict;
    timer->sum = sum;
    if (timer->n == 0 || sample->value < timer->lower)
        timer->lower = sample->value;
    if (timer->n == 0 || sample->value > timer->upper)
        timer->upper = sample->value;
    timer->n++;
    return TIMER_ADDED;
}

/* All parts as one. */
struct whole {
    struct sum sum;
    double lower, upper;
    uint64_t n;
    bool is_exact; /* every part keeps its samples */
    struct select_part samples[TIMER_PARTS_MAX];
    size_t n_parts;
    struct sketch sketch; /* in scratch, where it is not exact */
};

static void
add_exact_part(struct whole *whole, const struct timer_part *part)
{
    if (part->timer->sketch != 0) {
        whole->is_exact = false;
        return;
    }
    whole->samples[whole->n_parts++] = (struct select_part){
        .values = arena_at(part->arena, part->timer->samples),
        .n = part->timer->n,
    };
}

static void
gather(struct whole *whole, const struct timer_part *parts, size_t n)
{
    assert(n <= TIMER_PARTS_MAX);
    *whole = (struct whole){.is_exact = true};
    for (size_t i = 0; i < n; i++) {
        const struct timer *timer = parts[i].timer;

        if (timer->n == 0)
            continue;
        if (whole->n == 0 || timer->lower < whole->lower)
            whole->lower = timer->lower;
        if (whole->n == 0 || timer->upper > whole->upper)
            whole->upper = timer->upper;
        whole->n += timer->n;
        /* What two threads' sums overflow to cannot be sent: the last that could stays. */
        (void)sum_add(&whole->sum, timer->sum.total);
        (void)sum_add(&whole->sum, timer->sum.carry);
        add_exact_part(whole, &parts[i]);
    }
    if (whole->is_exact && whole->n_parts > 1) {
        for (size_t i = 0; i < whole->n_parts; i++)
            select_sort(whole->samples[i].values, whole->samples[i].n);
    }
}

static void
gather_sketches(struct whole *whole, const struct timer_part *parts, size_t n,
                struct arena *scratch)
{
    for (size_t i = 0; i < n; i++) {
        const struct timer *timer = parts[i].timer;

        if (timer->sketch != 0)
            (void)sketch_merge(&whole->sketch, scratch, sketch_of(timer, parts[i].arena),
                               parts[i].arena);
        else if (timer->n > 0)
            (void)count_samples(&whole->sketch, scratch, timer, parts[i].arena);
    }
}

/* The index into the sorted samples; a negative percentile counts from the top. */
static uint64_t
index_of(double percentile, uint64_t n)
{
    double share = (percentile < 0 ? -percentile : percentile) / 100.0;
    uint64_t rank = (uint64_t)(share * (double)n);

    if (rank == 0)
        return n - 1;
    return percentile < 0 ? n - rank : rank - 1;
}

static double
value_at(struct whole *whole, const struct arena *scratch, uint64_t index)
{
    double value;

    if (whole->is_exact && whole->n_parts == 1)
        return select_nth(whole->samples[0].values, whole->samples[0].n, index);
    if (whole->is_exact)
        return select_nth_of_sorted(whole->samples, whole->n_parts, index);
    value = sketch_nth(&whole->sketch, scratch, (uint32_t)index);
    return value < whole->lower ? whole->lower : value > whole->upper ? whole->upper : value;
}

void
timer_points(const struct timer_part *parts, size_t n, struct arena *scratch,
             const struct dialect *dialect, struct record *record)
{
    struct whole whole;

    gather(&whole, parts, n);
    if (!whole.is_exact)
        gather_sketches(&whole, parts, n, scratch);
    record_add(record, STATISTIC_LOWER, 0, whole.lower);
    record_add(record, STATISTIC_COUNT, 0, (double)whole.n);
    record_add(record, STATISTIC_MEAN, 0, sum_value(&whole.sum) / (double)whole.n);
    record_add(record, STATISTIC_UPPER, 0, whole.upper);
    for (size_t i = 0; i < dialect->n_percentiles; i++) {
        uint64_t index = index_of(dialect->percentile[i], whole.n);

        record_add(record, STATISTIC_UPPER_PCT, (unsigned)i, value_at(&whole, scratch, index));
    }
    if (!whole.is_exact)
        sketch_reset(&whole.sketch, scratch);
}

void
timer_reset(struct timer *timer, const struct arena *arena, struct arena_pile *pile)
{
    if (timer->capacity > 0)
        arena_pile_up(arena, pile, timer->samples, bytes_of(timer->capacity));
    if (timer->sketch != 0) {
        sketch_pile_up(sketch_of(timer, arena), arena, pile);
        arena_pile_up(arena, pile, timer->sketch, sizeof(struct sketch));
    }
    memset(timer, 0, sizeof(*timer));
}
