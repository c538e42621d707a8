/*
 * check_timer: what is said of samples, held against py-statsd's rule written out once more.
 */
#include "metric/timer.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEED  UINT64_C(20240301)
#define N_MAX 1000

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

    return timer_add(timer, arena, &sample);
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

    ck_assert_int_eq(arena_init(&arena, 1 << 20), 0);
    used = arena.used;
    for (int n = 1; n <= N_MAX; n++) {
        struct timer timer = {0};

        sorted[n - 1] = n;
        add_shuffled(&timer, &arena, n, &state);
        for (int again = 0; again < 2; again++) {
            struct record record = {.source = METRIC_TIMER};

            timer_points(&timer, &arena, &dialect, &record);
            check_points(&record, sorted, n);
        }
        timer_reset(&timer, &arena);
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

        ck_assert_int_eq(arena_init(&arena, 1 << 20), 0);
        add_shuffled(&timer, &arena, rows[i].n, &state);
        timer_points(&timer, &arena, &dialect, &record);
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

    ck_assert_int_eq(arena_init(&arena, 1 << 16), 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(add(&timer, &arena, values[i]), TIMER_ADDED);
    timer_points(&timer, &arena, &dialect, &record);
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

    ck_assert_int_eq(arena_init(&arena, 64 << 20), 0);
    for (int i = 0; i < 1000000; i++)
        n_refused += add(&timer, &arena, 0.1) != TIMER_ADDED;
    ck_assert_int_eq(n_refused, 0);
    timer_points(&timer, &arena, &dialect, &record);
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

    ck_assert_int_eq(arena_init(&arena, 1 << 16), 0);
    ck_assert_int_eq(add(&timer, &arena, -1), TIMER_ADDED);
    ck_assert_int_eq(add(&timer, &arena, DBL_MAX), TIMER_ADDED);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(add(&timer, &arena, 1e308), TIMER_OVERFLOW);
    timer_points(&timer, &arena, &dialect, &record);
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

    ck_assert_int_eq(arena_init(&arena, 4096), 0);
    while (n < N_MAX && add(&timer, &arena, n + 1) == TIMER_ADDED) {
        sorted[n] = n + 1;
        n++;
    }
    ck_assert_int_ge(n, 128);
    ck_assert_int_lt(n, 512);
    ck_assert_int_eq(add(&timer, &arena, 0), TIMER_NO_MEMORY);
    timer_points(&timer, &arena, &dialect, &record);
    check_points(&record, sorted, n);
    timer_reset(&timer, &arena);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_int_eq(add(&other, &arena, 1), TIMER_ADDED);
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
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
