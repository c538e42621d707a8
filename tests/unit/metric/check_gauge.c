/*
 * check_gauge: the last value wins, signs and rates are nothing special.
 */
#include "metric/gauge.h"

#include <check.h>
#include <stdlib.h>

START_TEST(test_last_value)
{
    static const struct {
        double value, rate;
    } rows[] = {{10, 1}, {-4, 1}, {0, 1}, {1e300, 1}, {3, 0.1}, {-0.0, 1}};
    struct gauge gauge = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sample sample = {METRIC_GAUGE, .value = rows[i].value, .rate = rows[i].rate};
        struct record record = {.source = METRIC_GAUGE};

        gauge_set(&gauge, &sample, 1000 + i);
        ck_assert_uint_eq(gauge.set_ms, 1000 + i);
        gauge_points(&gauge, &record);
        ck_assert_uint_eq(record.n_points, 1);
        ck_assert_uint_eq(record.points[0].statistic, STATISTIC_VALUE);
        ck_assert_double_eq(record.points[0].value, rows[i].value);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("gauge");
    TCase *tcase = tcase_create("gauge");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_last_value);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
