/*
 * check_pace: how much of a backlog goes in how much time.
 */
#include <check.h>
#include <stdlib.h>

#include "sender/pace.h"

#define NOW_MS UINT64_C(1000000)

/* How many flushes of n_lines go in a time, with a live one of n_live lines each interval. */
static unsigned
count(uint64_t n_lines, uint64_t n_live, uint64_t interval_ms, unsigned n_intervals)
{
    struct pace pace;
    unsigned n = 0;

    pace_init(&pace);
    pace_live(&pace, n_live, NOW_MS - interval_ms);
    pace_live(&pace, n_live, NOW_MS);
    for (uint64_t ms = 1; ms <= n_intervals * interval_ms; ms++) {
        if (ms % interval_ms == 0)
            pace_live(&pace, n_live, NOW_MS + ms);
        if (NOW_MS + ms < pace.due_ms)
            continue;
        n++;
        pace_sent(&pace, n_lines, NOW_MS + ms);
    }
    return n;
}

START_TEST(test_four_times_as_much)
{
    static const struct {
        uint64_t n_lines, n_live, interval_ms;
        unsigned n_intervals, n_least, n_most;
    } rows[] = {
        {100, 100, 1000, 10, 40, 40},                               /* as large as what is live */
        {100, 100, 10000, 10, 40, 40}, {50, 100, 1000, 10, 79, 81}, /* half as large */
        {1, 100, 1000, 2, 500, 1000},                               /* 8 a live line of time */
        {1000, 100, 1000, 10, 40, 40},                              /* larger: still four flushes */
        {100, 0, 1000, 10, 40, 40},                                 /* nothing is live */
        {0, 100, 1000, 1, 1000, 1000},                              /* empty ones cost nothing */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned n =
            count(rows[i].n_lines, rows[i].n_live, rows[i].interval_ms, rows[i].n_intervals);

        ck_assert_msg(n >= rows[i].n_least && n <= rows[i].n_most, "row %zu: %u", i, n);
    }
}
END_TEST

/* Time in which nothing went is not made up for. */
START_TEST(test_no_burst)
{
    struct pace pace;

    pace_init(&pace);
    ck_assert_uint_le(pace.due_ms, 0);
    pace_live(&pace, 10, NOW_MS);
    pace_live(&pace, 10, NOW_MS + 1000);
    pace_sent(&pace, 10, NOW_MS + 100000);
    ck_assert_uint_eq(pace.due_ms, NOW_MS + 100250);
    pace_sent(&pace, 10, NOW_MS + 100000);
    ck_assert_uint_eq(pace.due_ms, NOW_MS + 100500);
}
END_TEST

/* Before a second live flush an interval is taken to be 10 s. */
START_TEST(test_nothing_known)
{
    struct pace pace;

    pace_init(&pace);
    pace_sent(&pace, 10, NOW_MS);
    ck_assert_uint_eq(pace.due_ms, NOW_MS + 2500);
    pace_live(&pace, 20, NOW_MS);
    pace_sent(&pace, 10, NOW_MS + 2500);
    ck_assert_uint_eq(pace.due_ms, NOW_MS + 2500 + 1250);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tcase = tcase_create("pace");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_four_times_as_much);
    tcase_add_test(tcase, test_no_burst);
    tcase_add_test(tcase, test_nothing_known);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
