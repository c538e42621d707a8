/*
 * check_counter: sums that lose nothing, the sample rate, and what is too large for a number.
 */
#include "metric/counter.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int
add(struct counter *counter, double value, double rate)
{
    struct sample sample = {.type = METRIC_COUNTER, .value = value, .rate = rate};

    return counter_add(counter, &sample);
}

static double
point_of(const struct counter *counter, bool rates, double span_s)
{
    struct record record = {.source = METRIC_COUNTER};
    struct dialect dialect;

    dialect_init(&dialect);
    dialect.rates = rates;
    counter_points(counter, &dialect, span_s, &record);
    ck_assert_uint_eq(record.n_points, 1);
    ck_assert_uint_eq(record.points[0].statistic, STATISTIC_RATE);
    return record.points[0].value;
}

START_TEST(test_rate_and_sum)
{
    struct counter counter = {0};

    ck_assert_double_eq(point_of(&counter, true, 10), 0);
    ck_assert_int_eq(add(&counter, 1, 1), 0);
    ck_assert_int_eq(add(&counter, 2, 1), 0);
    ck_assert_int_eq(add(&counter, 3.5, 1), 0);
    ck_assert_double_eq(point_of(&counter, true, 10), 0.65);
    ck_assert_double_eq(point_of(&counter, true, 0.5), 13);
    ck_assert_double_eq(point_of(&counter, false, 10), 6.5);
    ck_assert_int_eq(add(&counter, -6.5, 1), 0);
    ck_assert_double_eq(point_of(&counter, true, 10), 0);
}
END_TEST

START_TEST(test_sample_rate)
{
    static const struct {
        double value, rate, sum;
    } rows[] = {{1, 0.1, 10}, {3, 0.5, 6}, {-2, 0.25, -8}, {1, 1, 1}, {7, 1e-3, 7000}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct counter counter = {0};

        ck_assert_int_eq(add(&counter, rows[i].value, rows[i].rate), 0);
        ck_assert_double_eq(point_of(&counter, false, 10), rows[i].sum);
    }
}
END_TEST

START_TEST(test_ten_million_tenths)
{
    struct counter counter = {0};
    int error = 0;

    for (int i = 0; i < 10000000; i++)
        error |= add(&counter, 0.1, 1);
    ck_assert_int_eq(error, 0);
    ck_assert_double_eq_tol(point_of(&counter, false, 10), 1e6, 1e-6);
}
END_TEST

START_TEST(test_small_beside_large)
{
    struct counter counter = {0};

    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(add(&counter, 1e17, 1), 0);
        ck_assert_int_eq(add(&counter, 1, 1), 0);
        ck_assert_int_eq(add(&counter, -1e17, 1), 0);
    }
    ck_assert_double_eq(point_of(&counter, false, 10), 1000);
}
END_TEST

START_TEST(test_overflow_is_refused)
{
    struct counter counter = {0};

    ck_assert_int_eq(add(&counter, 1, 5e-324), -1);
    ck_assert_int_eq(add(&counter, 0, 5e-324), -1); /* 0 times infinity */
    ck_assert_int_eq(add(&counter, 1e308, 0.001), -1);
    ck_assert_double_eq(point_of(&counter, false, 10), 0);
    ck_assert_int_eq(add(&counter, DBL_MAX, 1), 0);
    ck_assert_int_eq(add(&counter, DBL_MAX, 1), -1);
    ck_assert_double_eq(point_of(&counter, false, 10), DBL_MAX);
    ck_assert_int_eq(add(&counter, -DBL_MAX, 1), 0);
    ck_assert_int_eq(add(&counter, 5, 1), 0);
    ck_assert_double_eq(point_of(&counter, false, 10), 5);
}
END_TEST

/* What is too small to show in the sum gathers beside it. */
START_TEST(test_overflow_in_small_steps_is_refused)
{
    struct counter counter = {0};
    int n_refused = 0;

    ck_assert_int_eq(add(&counter, -DBL_MAX, 1), 0);
    for (int i = 0; i < 1000; i++)
        n_refused += add(&counter, -9e291, 1) != 0;
    ck_assert_int_gt(n_refused, 0);
    ck_assert(isfinite(point_of(&counter, false, 10)));
}
END_TEST

START_TEST(test_rate_beyond_the_largest_number)
{
    struct counter counter = {0};

    ck_assert_int_eq(add(&counter, 1e308, 1), 0);
    ck_assert_double_eq(point_of(&counter, true, 0.1), DBL_MAX);
    ck_assert_int_eq(add(&counter, -1e308, 1), 0);
    ck_assert_int_eq(add(&counter, -1e308, 1), 0);
    ck_assert_double_eq(point_of(&counter, true, 0.1), -DBL_MAX);
}
END_TEST

START_TEST(test_merge)
{
    struct counter whole = {0}, parts[4] = {0};

    for (int i = 0; i < 1000000; i++)
        (void)add(&parts[i % 4], 0.1, 1);
    for (size_t i = 0; i < 4; i++)
        counter_merge(&whole, &parts[i]);
    ck_assert_double_eq_tol(point_of(&whole, false, 10), 1e5, 1e-9);
    ck_assert_double_eq_tol(point_of(&parts[0], false, 10), 25000, 1e-9);
}
END_TEST

/* What a part had left of its small samples beside a large one is not lost either. */
START_TEST(test_merge_takes_the_carry)
{
    struct counter whole = {0}, part = {0}, rest = {0};

    ck_assert_int_eq(add(&part, 1e17, 1), 0);
    ck_assert_int_eq(add(&part, 1, 1), 0);
    ck_assert_int_eq(add(&rest, -1e17, 1), 0);
    counter_merge(&whole, &part);
    counter_merge(&whole, &rest);
    ck_assert_double_eq(point_of(&whole, false, 10), 1);
}
END_TEST

START_TEST(test_merge_of_what_would_not_be_finite)
{
    struct counter whole = {0}, part = {0}, minus = {0};

    ck_assert_int_eq(add(&part, DBL_MAX, 1), 0);
    ck_assert_int_eq(add(&minus, -5, 1), 0);
    counter_merge(&whole, &part);
    counter_merge(&whole, &part);
    ck_assert_double_eq(point_of(&whole, false, 10), DBL_MAX);
    counter_merge(&whole, &minus);
    ck_assert(isfinite(point_of(&whole, false, 10)));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("counter");
    TCase *tcase = tcase_create("counter");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_rate_and_sum);
    tcase_add_test(tcase, test_sample_rate);
    tcase_add_test(tcase, test_ten_million_tenths);
    tcase_add_test(tcase, test_small_beside_large);
    tcase_add_test(tcase, test_overflow_is_refused);
    tcase_add_test(tcase, test_overflow_in_small_steps_is_refused);
    tcase_add_test(tcase, test_rate_beyond_the_largest_number);
    tcase_add_test(tcase, test_merge);
    tcase_add_test(tcase, test_merge_takes_the_carry);
    tcase_add_test(tcase, test_merge_of_what_would_not_be_finite);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
