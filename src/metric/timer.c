/*
 * timer: see timer.h.
 */
#include "metric/timer.h"

#include <assert.h>
#include <string.h>

#include "metric/select.h"
#include "metric/sketch.h"

#define FIRST_CAPACITY 4u

static size_t
bytes_of(uint32_t capacity)
{
    return capacity * sizeof(double);
}

static bool
has_sketch(const struct timer *timer)
{
    return timer->capacity == 0 && timer->store != 0;
}

static struct sketch *
sketch_of(const struct timer *timer, const struct arena *arena)
{
    return arena_at(arena, timer->store);
}

static uint32_t
fold_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return (uint32_t)(bits ^ bits >> 32);
}

static int
grow(struct timer *timer, struct arena *arena)
{
    uint32_t capacity = timer->capacity == 0 ? FIRST_CAPACITY : timer->capacity * 2;
    arena_ref store;

    if (capacity < timer->capacity || (store = arena_take(arena, bytes_of(capacity))) == 0)
        return -1;
    if (timer->n > 0) {
        memcpy(arena_at(arena, store), arena_at(arena, timer->store), bytes_of(timer->n));
        arena_give(arena, timer->store, bytes_of(timer->capacity));
    }
    timer->store = store;
    timer->capacity = capacity;
    return 0;
}

/* Has a sketch count all samples that are kept. */
static enum sketch_verdict
count_samples(struct sketch *sketch, struct arena *arena, const struct timer *timer,
              const struct arena *samples_arena)
{
    const double *samples = arena_at(samples_arena, timer->store);
    enum sketch_verdict verdict = SKETCH_ADDED;

    for (uint32_t i = 0; i < timer->n && verdict == SKETCH_ADDED; i++)
        verdict = sketch_add(sketch, arena, samples[i]);
    return verdict;
}

/* From now on a sketch stands for the samples, and value with them: all of that, or nothing. */
static enum timer_verdict
change_over(struct timer *timer, struct arena *arena, double value)
{
    arena_ref ref = arena_take(arena, sizeof(struct sketch));
    struct sketch *sketch;

    if (ref == 0)
        return TIMER_NO_MEMORY;
    sketch = arena_at(arena, ref);
    memset(sketch, 0, sizeof(*sketch));
    if (sketch_add(sketch, arena, value) != SKETCH_ADDED ||
        (timer->capacity > 0 && count_samples(sketch, arena, timer, arena) != SKETCH_ADDED)) {
        sketch_reset(sketch, arena);
        arena_give(arena, ref, sizeof(*sketch));
        return TIMER_NO_MEMORY;
    }
    if (timer->capacity > 0)
        arena_give(arena, timer->store, bytes_of(timer->capacity));
    timer->store = ref;
    timer->capacity = 0;
    timer->fold = 0;
    return TIMER_ADDED;
}

static enum timer_verdict
keep_in_sketch(struct timer *timer, struct arena *arena, double value)
{
    sketch_note(sketch_of(timer, arena), arena, value);
    switch (sketch_add(sketch_of(timer, arena), arena, value)) {
    case SKETCH_ADDED: return TIMER_ADDED;
    case SKETCH_NO_MEMORY: return TIMER_NO_MEMORY;
    case SKETCH_OVERFLOW: break;
    }
    return TIMER_OVERFLOW;
}

/* A sample behind the last is none before it is counted, so its place needs no note. */
static enum timer_verdict
keep(struct timer *timer, struct arena *arena, double value, uint32_t max)
{
    if (has_sketch(timer))
        return keep_in_sketch(timer, arena, value);
    if (timer->n >= max)
        return change_over(timer, arena, value);
    if (timer->n == timer->capacity && grow(timer, arena) != 0)
        return TIMER_NO_MEMORY;
    ((double *)arena_at(arena, timer->store))[timer->n] = value;
    timer->fold ^= fold_of(value);
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
    bool is_exact;        /* every part keeps its samples, and there is room for all of them */
    struct sketch sketch; /* in scratch, where it is not exact */
};

static void
gather(struct whole *whole, const struct timer_part *parts, size_t n)
{
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
        whole->is_exact &= !has_sketch(timer);
    }
}

static void
copy_samples(const struct timer_part *parts, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct timer *timer = parts[i].timer;

        if (timer->n > 0)
            memcpy(out, arena_at(parts[i].arena, timer->store), bytes_of(timer->n));
        out += timer->n;
    }
}

static void
gather_sketches(struct whole *whole, const struct timer_part *parts, size_t n,
                struct arena *scratch)
{
    for (size_t i = 0; i < n; i++) {
        const struct timer *timer = parts[i].timer;

        if (has_sketch(timer))
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
value_at(const struct whole *whole, const struct timer_scratch *scratch, uint64_t index)
{
    double value;

    if (whole->is_exact)
        return select_nth(scratch->samples, whole->n, index);
    value = sketch_nth(&whole->sketch, scratch->arena, (uint32_t)index);
    return value < whole->lower ? whole->lower : value > whole->upper ? whole->upper : value;
}

static void
add_percentiles(const struct whole *whole, const struct timer_scratch *scratch,
                const struct dialect *dialect, struct record *record)
{
    for (size_t i = 0; i < dialect->n_percentiles; i++) {
        uint64_t index = index_of(dialect->percentile[i], whole->n);

        record_add(record, STATISTIC_UPPER_PCT, (unsigned)i, value_at(whole, scratch, index));
    }
}

void
timer_points(const struct timer_part *parts, size_t n, const struct timer_scratch *scratch,
             const struct dialect *dialect, struct record *record)
{
    struct whole whole;

    assert(n <= TIMER_PARTS_MAX);
    gather(&whole, parts, n);
    whole.is_exact &= whole.n <= scratch->capacity;
    if (whole.is_exact)
        copy_samples(parts, n, scratch->samples);
    else
        gather_sketches(&whole, parts, n, scratch->arena);
    record_add(record, STATISTIC_LOWER, 0, whole.lower);
    record_add(record, STATISTIC_COUNT, 0, (double)whole.n);
    record_add(record, STATISTIC_MEAN, 0, sum_value(&whole.sum) / (double)whole.n);
    record_add(record, STATISTIC_UPPER, 0, whole.upper);
    add_percentiles(&whole, scratch, dialect, record);
    if (!whole.is_exact)
        sketch_reset(&whole.sketch, scratch->arena);
}

bool
timer_survey(const struct timer *timer, struct survey *survey)
{
    const double *samples;
    uint32_t fold = 0;

    if (has_sketch(timer)) {
        const struct sketch *sketch = sketch_of(timer, survey->arena);

        return survey_mark(survey, timer->store, sizeof(*sketch)) &&
               sketch_survey(sketch, survey) && sketch->n == timer->n;
    }
    if (timer->n == 0 || timer->n > timer->capacity ||
        !survey_mark(survey, timer->store, bytes_of(timer->capacity)))
        return false;
    samples = arena_at(survey->arena, timer->store);
    for (uint32_t i = 0; i < timer->n; i++)
        fold ^= fold_of(samples[i]);
    return fold == timer->fold;
}

void
timer_reset(struct timer *timer, const struct arena *arena, struct arena_pile *pile)
{
    struct timer old = *timer;

    memset(timer, 0, sizeof(*timer));
    if (has_sketch(&old)) {
        sketch_pile_up(sketch_of(&old, arena), arena, pile);
        arena_pile_up(arena, pile, old.store, sizeof(struct sketch));
    } else if (old.capacity > 0) {
        arena_pile_up(arena, pile, old.store, bytes_of(old.capacity));
    }
}
