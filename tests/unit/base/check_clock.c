/*
 * check_clock: the clocks agree with libc's, and deadlines become timeouts.
 */
#include <check.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

START_TEST(test_mono_is_the_monotonic_clock)
{
    struct timespec now;
    uint64_t before_ms = clock_mono_ms();
    uint64_t now_ms, after_ms;

    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    after_ms = clock_mono_ms();
    now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    ck_assert_uint_le(before_ms, now_ms);
    ck_assert_uint_le(now_ms, after_ms);
}
END_TEST

START_TEST(test_wall_is_the_time_of_day)
{
    time_t before_s = time(NULL);
    uint64_t wall_ms = clock_wall_ms();

    /* time(2) reads a coarser clock, which may be one tick behind. */
    ck_assert_uint_ge(wall_ms, (uint64_t)before_s * 1000);
    ck_assert_uint_le(wall_ms, ((uint64_t)time(NULL) + 2) * 1000);
}
END_TEST

START_TEST(test_poll_timeout)
{
    static const struct {
        uint64_t now_ms, deadline_ms;
        int timeout;
    } rows[] = {
        {0, 0, 0},
        {0, 1, 1},
        {1000, 1000, 0},
        {1000, 999, 0},
        {1000, 0, 0},
        {1000, 3500, 2500},
        {1000, UINT64_MAX, -1},
        {UINT64_MAX, UINT64_MAX, -1},
        {0, INT_MAX, INT_MAX},
        {0, (uint64_t)INT_MAX + 1, INT_MAX},
        {0, UINT64_MAX - 1, INT_MAX},
        {UINT64_MAX - 2, UINT64_MAX - 1, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(clock_poll_timeout(rows[i].now_ms, rows[i].deadline_ms) == rows[i].timeout,
                      "row %zu", i);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_mono_is_the_monotonic_clock);
    tcase_add_test(tcase, test_wall_is_the_time_of_day);
    tcase_add_test(tcase, test_poll_timeout);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
