/*
 * check_sample: how types are called.
 */
#include <check.h>
#include <stdlib.h>

#include "metric/sample.h"

START_TEST(test_type_names)
{
    static const char *const names[] = {"counter", "gauge", "timer", "set"};

    ck_assert_uint_eq(sizeof(names) / sizeof(names[0]), METRIC_TYPE_COUNT);
    ck_assert_str_eq(metric_type_name(METRIC_COUNTER), names[0]);
    ck_assert_str_eq(metric_type_name(METRIC_GAUGE), names[1]);
    ck_assert_str_eq(metric_type_name(METRIC_TIMER), names[2]);
    ck_assert_str_eq(metric_type_name(METRIC_SET), names[3]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sample");
    TCase *tcase = tcase_create("sample");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_type_names);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
