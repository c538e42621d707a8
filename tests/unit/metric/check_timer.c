/*
 * check_timer: what is said of samples, held against py-statsd's rule written out once more.
 */
#include "metric/timer.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SEED  UINT64_C(20240301)
#define N_MAX 1000

/* How many samples are kept exactly; a test may lower it. */
static uint32_t limit = UINT32_MAX;

static const double percentiles[] = {1, 10, 29, 33, 50, 57, 58, 90, 95, 99, 99.9, 100, 0, -10, -90};

#define N_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

/* splitmix64. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static enum timer_verdict
add(struct timer *timer, struct arena *arena, double value)
{
    struct sample sample = {.type = METRIC_TIMER, .value = value, .rate = 1};

    return timer_add(timer, arena, &sample, limit);
}

/* What timer_points works in, with room for as many samples as it says. */
struct desk {
    struct timer_scratch scratch;
    struct arena arena;
};

static void
desk_open(struct desk *desk, size_t capacity)
{
    double *samples = malloc(capacity * sizeof(*samples));

    ck_assert_ptr_nonnull(samples);
    ck_assert_int_eq(arena_init(&desk->arena, &(struct arena_opts){.size = TIMER_SCRATCH}), 0);
    desk->scratch =
        (struct timer_scratch){.samples = samples, .capacity = capacity, .arena = &desk->arena};
}

static void
desk_close(struct desk *desk)
{
    ck_assert_uint_eq(desk->arena.used, 0);
    free(desk->scratch.samples);
    arena_release(&desk->arena);
}

/* Where nothing but samples can stand for them. */
static bool
keeps_samples(const struct timer *timer)
{
    return timer->capacity > 0;
}

/* The points of one timer alone, which stays as it was. */
static void
points_of(struct timer *timer, const struct arena *arena, const struct dialect *dialect,
          struct record *record)
{
    struct timer_part part = {.timer = timer, .arena = arena};
    struct timer before = *timer;
    struct desk desk;

    desk_open(&desk, timer->n);
    timer_points(&part, 1, &desk.scratch, dialect, record);
    ck_assert_mem_eq(timer, &before, sizeof(before));
    desk_close(&desk);
}

/* As a flush and the close behind it do it. */
static void
reset(struct timer *timer, struct arena *arena)
{
    struct arena_pile pile = {0};

    timer_reset(timer, arena, &pile);
    arena_take_back(arena, &pile);
}

static struct dialect
dialect_with(const double *values, size_t n)
{
    struct dialect dialect;

    dialect_init(&dialect);
    ck_assert_int_eq(dialect_set_percentiles(&dialect, values, n), 0);
    return dialect;
}

/* v[int((P / 100.0) * n) - 1] with Python's negative index; of a negative P the rank counts from
 * the top. sorted holds n values in order. */
static double
expected_percentile(double percentile, const double *sorted, int n)
{
    int index;

    if (percentile < 0) {
        int rank = (int)((-percentile / 100.0) * n);

        return sorted[rank == 0 ? n - 1 : n - rank];
    }
    index = (int)((percentile / 100.0) * n) - 1;
    return sorted[index < 0 ? n + index : index];
}

static void
check_points(const struct record *record, const double *sorted, int n)
{
    static const enum statistic heads[] = {STATISTIC_LOWER, STATISTIC_COUNT, STATISTIC_MEAN,
                                           STATISTIC_UPPER};
    const double expected[] = {sorted[0], n, (n + 1) / 2.0, sorted[n - 1]};

    ck_assert_uint_eq(record->n_points, 4 + N_PERCENTILES);
    for (size_t i = 0; i < 4; i++) {
        if (record->points[i].statistic != heads[i] ||
            fabs(record->points[i].value - expected[i]) > 0)
            ck_abort_msg("n %d: point %zu is %g, not %g", n, i, record->points[i].value,
                         expected[i]);
    }
    for (size_t i = 0; i < N_PERCENTILES; i++) {
        const struct point *point = &record->points[4 + i];
        double value = expected_percentile(percentiles[i], sorted, n);

        if (point->statistic != STATISTIC_UPPER_PCT || point->index != i ||
            fabs(point->value - value) > 0)
            ck_abort_msg("n %d: P %g is %g, not %g", n, percentiles[i], point->value, value);
    }
}

/* 1 to n in an order of chance. */
static void
add_shuffled(struct timer *timer, struct arena *arena, int n, uint64_t *state)
{
    double values[N_MAX];

    for (int i = 0; i < n; i++) {
        int at = (int)(draw(state) % (uint64_t)(i + 1));

        values[i] = values[at];
        values[at] = i + 1;
    }
    for (int i = 0; i < n; i++) {
        if (add(timer, arena, values[i]) != TIMER_ADDED)
            ck_abort_msg("no room for sample %d", i);
    }
}

START_TEST(test_percentiles)
{
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    double sorted[N_MAX];
    uint64_t state = SEED;
    struct arena arena;
    size_t used;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 20}), 0);
    used = arena.used;
    for (int n = 1; n <= N_MAX; n++) {
        struct timer timer = {0};

        sorted[n - 1] = n;
        add_shuffled(&timer, &arena, n, &state);
        for (int again = 0; again < 2; again++) {
            struct record record = {.source = METRIC_TIMER};

            points_of(&timer, &arena, &dialect, &record);
            check_points(&record, sorted, n);
        }
        reset(&timer, &arena);
    }
    ck_assert_uint_eq(arena.used, used);
    arena_release(&arena);
}
END_TEST

/* What py-statsd was seen to answer for 1 to n. */
START_TEST(test_known_answers)
{
    static const struct {
        int n;
        double percentile, value;
    } rows[] = {{100, 58, 57}, {100, 29, 28}, {10, 95, 9},   {3, 10, 3},    {3, 0, 3},
                {1, 90, 1},    {2, 90, 1},    {100, 90, 90}, {10, 100, 10}, {10, 9.9, 10},
                {10, -10, 10}, {10, -90, 2},  {10, -100, 1}, {10, -9, 10},  {1000, 99.9, 999}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dialect dialect = dialect_with(&rows[i].percentile, 1);
        struct record record = {.source = METRIC_TIMER};
        struct timer timer = {0};
        uint64_t state = SEED;
        struct arena arena;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 20}), 0);
        add_shuffled(&timer, &arena, rows[i].n, &state);
        points_of(&timer, &arena, &dialect, &record);
        ck_assert_msg(!(fabs(record.points[4].value - rows[i].value) > 0), "%g of %d is %g, not %g",
                      rows[i].percentile, rows[i].n, record.points[4].value, rows[i].value);
        arena_release(&arena);
    }
}
END_TEST

static void
check_four(const double *values, size_t n, const double expected[4])
{
    struct dialect dialect = dialect_with(NULL, 0);
    struct record record = {.source = METRIC_TIMER};
    struct timer timer = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 16}), 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(add(&timer, &arena, values[i]), TIMER_ADDED);
    points_of(&timer, &arena, &dialect, &record);
    ck_assert_uint_eq(record.n_points, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_double_eq(record.points[i].value, expected[i]);
    arena_release(&arena);
}

START_TEST(test_lower_count_mean_upper)
{
    check_four((const double[]){320}, 1, (const double[]){320, 1, 320, 320});
    check_four((const double[]){-5, 3}, 2, (const double[]){-5, 2, -1, 3});
    check_four((const double[]){-7, -9, -8}, 3, (const double[]){-9, 3, -8, -7});
    check_four((const double[]){0, 0, 0, 0, 0}, 5, (const double[]){0, 5, 0, 0});
    check_four((const double[]){1e17, 1, -1e17, 1}, 4, (const double[]){-1e17, 4, 0.5, 1e17});
}
END_TEST

START_TEST(test_sum_is_compensated)
{
    struct dialect dialect = dialect_with(NULL, 0);
    struct record record = {.source = METRIC_TIMER};
    struct timer timer = {0};
    struct arena arena;
    int n_refused = 0;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 64 << 20}), 0);
    for (int i = 0; i < 1000000; i++)
        n_refused += add(&timer, &arena, 0.1) != TIMER_ADDED;
    ck_assert_int_eq(n_refused, 0);
    points_of(&timer, &arena, &dialect, &record);
    ck_assert_double_eq(record.points[2].value, 0.1);
    ck_assert_double_eq(record.points[1].value, 1000000);
    arena_release(&arena);
}
END_TEST

START_TEST(test_overflow_is_refused)
{
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    struct record record = {.source = METRIC_TIMER};
    struct timer timer = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 16}), 0);
    ck_assert_int_eq(add(&timer, &arena, -1), TIMER_ADDED);
    ck_assert_int_eq(add(&timer, &arena, DBL_MAX), TIMER_ADDED);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(add(&timer, &arena, 1e308), TIMER_OVERFLOW);
    points_of(&timer, &arena, &dialect, &record);
    ck_assert_double_eq(record.points[0].value, -1);
    ck_assert_double_eq(record.points[1].value, 2);
    ck_assert_double_eq(record.points[2].value, DBL_MAX / 2);
    ck_assert_double_eq(record.points[3].value, DBL_MAX);
    arena_release(&arena);
}
END_TEST

START_TEST(test_full_arena_keeps_what_is_there)
{
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    struct record record = {.source = METRIC_TIMER};
    struct timer timer = {0}, other = {0};
    double sorted[N_MAX];
    struct arena arena;
    int n = 0;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 4096}), 0);
    while (n < N_MAX && add(&timer, &arena, n + 1) == TIMER_ADDED) {
        sorted[n] = n + 1;
        n++;
    }
    ck_assert_int_ge(n, 128);
    ck_assert_int_lt(n, 512);
    ck_assert_int_eq(add(&timer, &arena, 0), TIMER_NO_MEMORY);
    points_of(&timer, &arena, &dialect, &record);
    check_points(&record, sorted, n);
    reset(&timer, &arena);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_int_eq(add(&other, &arena, 1), TIMER_ADDED);
    arena_release(&arena);
}
END_TEST

static double
value_of(uint64_t *state)
{
    switch (draw(state) % 8) {
    case 0: return 0;
    case 1: return -(double)(draw(state) % 100000) / 7;
    case 2: return (double)(draw(state) % 10);
    default: return ldexp((double)(draw(state) % (1 << 20)), (int)(draw(state) % 30) - 15);
    }
}

static int
compare(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static bool
is_near(double value, double expected)
{
    return !(fabs(value - expected) > 0.01 * fabs(expected) * (1 + 1e-12));
}

/* Percentiles within 1 %, all else exact; sum is the exact one. */
static void
check_sketched(const struct record *record, const double *sorted, int n, double sum)
{
    const double expected[] = {sorted[0], n, sum / n, sorted[n - 1]};

    ck_assert_uint_eq(record->n_points, 4 + N_PERCENTILES);
    for (size_t i = 0; i < 4; i++) {
        if (fabs(record->points[i].value - expected[i]) > (i == 2 ? 1e-12 * fabs(expected[i]) : 0))
            ck_abort_msg("n %d: point %zu is %.17g, not %.17g", n, i, record->points[i].value,
                         expected[i]);
    }
    for (size_t i = 0; i < N_PERCENTILES; i++) {
        double value = expected_percentile(percentiles[i], sorted, n);

        if (!is_near(record->points[4 + i].value, value))
            ck_abort_msg("n %d: P %g is %g, not about %g", n, percentiles[i],
                         record->points[4 + i].value, value);
        if (record->points[4 + i].value < sorted[0] || record->points[4 + i].value > sorted[n - 1])
            ck_abort_msg("n %d: P %g is outside", n, percentiles[i]);
    }
}

/* One sample at the limit, one beyond, and many. */
START_TEST(test_beyond_the_limit)
{
    static const int counts[] = {1, 2, 9, 10, 11, 12, 100, 5000, 30000};
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    static double values[30000];
    uint64_t state = SEED;
    struct arena arena;

    limit = 10;
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 20}), 0);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct timer timer = {0};
        struct sum sum = {0};

        for (int k = 0; k < counts[i]; k++) {
            values[k] = value_of(&state);
            ck_assert_int_eq(sum_add(&sum, values[k]), 0);
            ck_assert_int_eq(add(&timer, &arena, values[k]), TIMER_ADDED);
        }
        ck_assert_uint_ne(timer.store, 0);
        ck_assert_int_eq(keeps_samples(&timer), counts[i] <= 10);
        qsort(values, (size_t)counts[i], sizeof(values[0]), compare);
        for (int again = 0; again < 2; again++) {
            struct record record = {.source = METRIC_TIMER};

            points_of(&timer, &arena, &dialect, &record);
            check_sketched(&record, values, counts[i], sum_value(&sum));
        }
        reset(&timer, &arena);
        ck_assert_uint_eq(arena.used, 0);
    }
    arena_release(&arena);
}
END_TEST

/* The arena is taken, block by block, until the sketch finds no room for itself or its counts. */
START_TEST(test_no_room_to_change_over)
{
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    uint64_t state = SEED;
    int n_refused = 0;

    limit = 100;
    for (size_t left = 0; left < 40000; left += 16 + draw(&state) % 400) {
        struct record record = {.source = METRIC_TIMER};
        struct timer timer = {0};
        double sorted[N_MAX];
        struct arena arena;
        enum timer_verdict verdict;
        size_t used;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 17}), 0);
        for (int i = 0; i < 100; i++) {
            sorted[i] = i + 1;
            ck_assert_int_eq(add(&timer, &arena, i + 1), TIMER_ADDED);
        }
        memset(arena.free, 0, sizeof(arena.free));
        arena.frontier = arena.size - left;
        used = arena.used;
        verdict = add(&timer, &arena, 101);
        if (verdict == TIMER_NO_MEMORY) {
            ck_assert_uint_eq(arena.used, used);
            points_of(&timer, &arena, &dialect, &record);
            check_points(&record, sorted, 100);
            ck_assert_int_eq(add(&timer, &arena, 101), TIMER_NO_MEMORY);
            n_refused++;
        } else {
            ck_assert_int_eq(verdict, TIMER_ADDED);
            ck_assert(!keeps_samples(&timer));
        }
        reset(&timer, &arena);
        ck_assert_uint_eq(arena.used, 0);
        arena_release(&arena);
    }
    ck_assert_int_gt(n_refused, 1);
    ck_assert_int_lt(n_refused, 150);
}
END_TEST

enum { MOST_PARTS = 5, MOST_SAMPLES = 2000 };

/* Samples dealt out to several arenas. */
struct hand {
    struct arena arenas[MOST_PARTS];
    struct timer timers[MOST_PARTS];
    struct timer_part parts[MOST_PARTS];
    double all[MOST_SAMPLES];
    struct sum sum;
    int n;
};

static void
deal(struct hand *hand, size_t n_parts, uint64_t *state)
{
    memset(hand, 0, sizeof(*hand));
    hand->n = 1 + (int)(draw(state) % (draw(state) % 2 == 0 ? 20 : MOST_SAMPLES));
    for (size_t i = 0; i < n_parts; i++) {
        ck_assert_int_eq(arena_init(&hand->arenas[i], &(struct arena_opts){.size = 1 << 19}), 0);
        hand->parts[i] = (struct timer_part){.timer = &hand->timers[i], .arena = &hand->arenas[i]};
    }
    for (int i = 0; i < hand->n; i++) {
        /* The first part has most of them, so that it alone may go beyond the limit. */
        size_t part = draw(state) % 2 == 0 ? 0 : draw(state) % n_parts;

        hand->all[i] = value_of(state);
        if (sum_add(&hand->sum, hand->all[i]) != 0 ||
            add(&hand->timers[part], &hand->arenas[part], hand->all[i]) != TIMER_ADDED)
            ck_abort_msg("sample %d was refused", i);
    }
    qsort(hand->all, (size_t)hand->n, sizeof(hand->all[0]), compare);
}

static void
take_up(struct hand *hand, size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++)
        arena_release(&hand->arenas[i]);
}

/* However many parts there are, exact they say what one says, to the bit. */
START_TEST(test_exact_parts)
{
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    static struct hand hand;
    uint64_t state = SEED + (uint64_t)_i;
    struct desk desk;

    desk_open(&desk, MOST_SAMPLES);
    for (int round = 0; round < 60; round++) {
        struct record record = {.source = METRIC_TIMER};

        deal(&hand, (size_t)_i, &state);
        timer_points(hand.parts, (size_t)_i, &desk.scratch, &dialect, &record);
        ck_assert_uint_eq(desk.arena.used, 0);
        check_sketched(&record, hand.all, hand.n, sum_value(&hand.sum));
        for (size_t i = 0; i < N_PERCENTILES; i++) {
            double value = expected_percentile(percentiles[i], hand.all, hand.n);

            if (memcmp(&record.points[4 + i].value, &value, sizeof(value)) != 0)
                ck_abort_msg("P %g of %d in %d parts is %.17g, not %.17g", percentiles[i], hand.n,
                             _i, record.points[4 + i].value, value);
        }
        take_up(&hand, (size_t)_i);
    }
    desk_close(&desk);
}
END_TEST

/* Some parts keep their samples, some have a sketch. */
START_TEST(test_mixed_parts)
{
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    static struct hand hand;
    uint64_t state = SEED + (uint64_t)_i;
    struct desk desk;
    int n_mixed = 0;

    limit = 150;
    desk_open(&desk, MOST_SAMPLES);
    for (int round = 0; round < 60; round++) {
        struct record record = {.source = METRIC_TIMER};
        bool has_sketch = false, has_samples = false;

        deal(&hand, (size_t)_i, &state);
        for (int i = 0; i < _i; i++) {
            has_sketch |= hand.timers[i].n > 0 && !keeps_samples(&hand.timers[i]);
            has_samples |= keeps_samples(&hand.timers[i]);
        }
        n_mixed += has_sketch && has_samples;
        timer_points(hand.parts, (size_t)_i, &desk.scratch, &dialect, &record);
        ck_assert_uint_eq(desk.arena.used, 0);
        check_sketched(&record, hand.all, hand.n, sum_value(&hand.sum));
        take_up(&hand, (size_t)_i);
    }
    ck_assert(_i == 1 || n_mixed > 0);
    desk_close(&desk);
}
END_TEST

/* Exact parts of which all samples together find no room are as a sketch of them would be. */
START_TEST(test_more_samples_than_there_is_room_for)
{
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    static struct hand hand;
    uint64_t state = SEED;
    int n_estimated = 0;

    for (int round = 0; round < 60; round++) {
        struct record exact = {.source = METRIC_TIMER}, record = exact;
        struct desk desk;

        deal(&hand, 2, &state);
        desk_open(&desk, (size_t)hand.n);
        timer_points(hand.parts, 2, &desk.scratch, &dialect, &exact);
        desk.scratch.capacity--;
        timer_points(hand.parts, 2, &desk.scratch, &dialect, &record);
        desk_close(&desk);
        check_sketched(&record, hand.all, hand.n, sum_value(&hand.sum));
        n_estimated += memcmp(&exact, &record, sizeof(record)) != 0;
        take_up(&hand, 2);
    }
    ck_assert_int_gt(n_estimated, 30);
}
END_TEST

/* The widest sketches of TIMER_PARTS_MAX parts still find room in scratch. */
START_TEST(test_scratch_is_large_enough)
{
    struct dialect dialect = dialect_with(percentiles, N_PERCENTILES);
    static struct timer_part parts[TIMER_PARTS_MAX];
    static struct timer timers[TIMER_PARTS_MAX];
    struct record record = {.source = METRIC_TIMER};
    struct arena arena;
    struct desk desk;

    limit = 4;
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 64 << 20}), 0);
    desk_open(&desk, MOST_SAMPLES);
    for (size_t i = 0; i < TIMER_PARTS_MAX; i++) {
        parts[i] = (struct timer_part){.timer = &timers[i], .arena = &arena};
        for (int exponent = -31; exponent <= 51; exponent++) {
            int turned = (exponent + (int)i) % 83;

            ck_assert_int_eq(add(&timers[i], &arena, ldexp(1, turned)), TIMER_ADDED);
            ck_assert_int_eq(add(&timers[i], &arena, -ldexp(1, turned)), TIMER_ADDED);
        }
    }
    timer_points(parts, TIMER_PARTS_MAX, &desk.scratch, &dialect, &record);
    ck_assert_double_eq(record.points[1].value, 64 * 166);
    ck_assert_double_eq(record.points[2].value, 0);
    ck_assert(is_near(record.points[4].value, -ldexp(1, 50)) ||
              record.points[4].value >= record.points[0].value);
    ck_assert_uint_eq(desk.arena.used, 0);
    desk_close(&desk);
    arena_release(&arena);
}
END_TEST

/* What two parts' sums overflow to cannot be sent. */
START_TEST(test_parts_that_overflow_together)
{
    struct dialect dialect = dialect_with(NULL, 0);
    struct record record = {.source = METRIC_TIMER};
    struct timer timers[2] = {0};
    struct timer_part parts[2];
    struct arena arena;
    struct desk desk;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 16}), 0);
    desk_open(&desk, MOST_SAMPLES);
    for (size_t i = 0; i < 2; i++) {
        parts[i] = (struct timer_part){.timer = &timers[i], .arena = &arena};
        ck_assert_int_eq(add(&timers[i], &arena, DBL_MAX), TIMER_ADDED);
    }
    timer_points(parts, 2, &desk.scratch, &dialect, &record);
    ck_assert_double_eq(record.points[1].value, 2);
    ck_assert(isfinite(record.points[2].value));
    desk_close(&desk);
    arena_release(&arena);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("timer");
    TCase *tcase = tcase_create("timer");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_percentiles);
    tcase_add_test(tcase, test_known_answers);
    tcase_add_test(tcase, test_lower_count_mean_upper);
    tcase_add_test(tcase, test_sum_is_compensated);
    tcase_add_test(tcase, test_overflow_is_refused);
    tcase_add_test(tcase, test_full_arena_keeps_what_is_there);
    tcase_add_test(tcase, test_beyond_the_limit);
    tcase_add_test(tcase, test_no_room_to_change_over);
    tcase_add_loop_test(tcase, test_exact_parts, 1, MOST_PARTS + 1);
    tcase_add_loop_test(tcase, test_mixed_parts, 1, MOST_PARTS + 1);
    tcase_add_test(tcase, test_more_samples_than_there_is_room_for);
    tcase_add_test(tcase, test_scratch_is_large_enough);
    tcase_add_test(tcase, test_parts_that_overflow_together);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
