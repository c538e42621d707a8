/*
 * check_select: held against qsort(3), whatever the order of the values, and quick where an
 * ordinary selection is not.
 */
#include "metric/select.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SEED     UINT64_C(20240302)
#define N_MAX    300
#define N_LARGE  100000
#define N_KILLER 400000 /* a minute without a way out */

/* splitmix64. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

enum shape {
    RANDOM,
    SORTED,
    REVERSED,
    CONSTANT,
    ORGAN_PIPE,
    FEW_VALUES,
    TWO_VALUES,
    SORTED_BUT_LAST,
    HUGE_AND_SMALL,
    N_SHAPES,
};

static double
value_of(enum shape shape, size_t i, size_t n, uint64_t *state)
{
    switch (shape) {
    case RANDOM: return (double)(int64_t)draw(state);
    case SORTED: return (double)i;
    case REVERSED: return -(double)i;
    case CONSTANT: return 7;
    case ORGAN_PIPE: return (double)(i < n / 2 ? i : n - i);
    case FEW_VALUES: return (double)(draw(state) % 5);
    case TWO_VALUES: return (double)(draw(state) % 2);
    case SORTED_BUT_LAST: return i + 1 == n ? -1 : (double)i;
    default: return ldexp((double)(int64_t)draw(state), (int)(draw(state) % 1900) - 1000);
    }
}

static int
compare(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static void
check_nth(const double *values, const double *sorted, size_t n, size_t k)
{
    double *copy = malloc(n * sizeof(*copy));
    double found;

    if (copy == NULL)
        ck_abort_msg("no memory");
    memcpy(copy, values, n * sizeof(*copy));
    found = select_nth(copy, n, k);
    if (fabs(found - sorted[k]) > 0)
        ck_abort_msg("n %zu, k %zu: %g, not %g", n, k, found, sorted[k]);
    qsort(copy, n, sizeof(*copy), compare);
    if (memcmp(copy, sorted, n * sizeof(*copy)) != 0)
        ck_abort_msg("n %zu, k %zu: other values than before", n, k);
    free(copy);
}

START_TEST(test_like_qsort)
{
    uint64_t state = SEED;

    for (size_t n = 1; n <= N_MAX; n++) {
        double values[N_MAX], sorted[N_MAX];
        size_t stride = n <= 40 ? 1 : n / 10;

        for (size_t i = 0; i < n; i++)
            values[i] = value_of((enum shape)_i, i, n, &state);
        memcpy(sorted, values, n * sizeof(values[0]));
        qsort(sorted, n, sizeof(sorted[0]), compare);
        for (size_t k = 0; k < n; k += stride)
            check_nth(values, sorted, n, k);
        check_nth(values, sorted, n, n - 1);
        check_nth(values, sorted, n, draw(&state) % n);
    }
}
END_TEST

/* All orders of few values. */
START_TEST(test_every_arrangement)
{
    enum { N = 6 };
    size_t n_arrangements = 1;

    for (int i = 0; i < N; i++)
        n_arrangements *= N;
    for (size_t arrangement = 0; arrangement < n_arrangements; arrangement++) {
        double values[N], sorted[N];
        size_t rest = arrangement;

        for (int i = 0; i < N; i++, rest /= N)
            values[i] = (double)(rest % N);
        memcpy(sorted, values, sizeof(values));
        qsort(sorted, N, sizeof(sorted[0]), compare);
        check_nth(values, sorted, N, arrangement % N);
    }
}
END_TEST

/* Musser, "Introspective sorting and selection algorithms", 1997: median of three takes the two
 * smallest values away at a time. */
static void
make_killer(double *values, size_t n)
{
    size_t half = n / 2;

    for (size_t i = 0; i < half; i++) {
        values[i] = (double)(i % 2 == 0 ? i + 1 : half + i);
        values[half + i] = (double)(2 * (i + 1));
    }
}

static void
check_quick(const double *values, size_t n)
{
    double *sorted = malloc(n * sizeof(*sorted));

    ck_assert_ptr_nonnull(sorted);
    memcpy(sorted, values, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare);
    for (size_t quarter = 1; quarter <= 4; quarter++)
        check_nth(values, sorted, n, quarter * (n - 1) / 4);
    free(sorted);
}

START_TEST(test_killer)
{
    static double values[N_KILLER], turned[N_KILLER];

    make_killer(values, N_KILLER);
    check_quick(values, N_KILLER);
    for (size_t i = 0; i < N_KILLER; i++)
        turned[i] = -values[i];
    check_quick(turned, N_KILLER);
    for (size_t i = 0; i < N_KILLER; i++)
        turned[i] = values[N_KILLER - 1 - i];
    check_quick(turned, N_KILLER);
}
END_TEST

START_TEST(test_large_shapes)
{
    static double values[N_LARGE];
    uint64_t state = SEED;

    for (size_t i = 0; i < N_LARGE; i++)
        values[i] = value_of((enum shape)_i, i, N_LARGE, &state);
    check_quick(values, N_LARGE);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("select");
    TCase *tcase = tcase_create("select");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 20);
    tcase_add_loop_test(tcase, test_like_qsort, 0, N_SHAPES);
    tcase_add_test(tcase, test_every_arrangement);
    tcase_add_test(tcase, test_killer);
    tcase_add_loop_test(tcase, test_large_shapes, 0, N_SHAPES);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
