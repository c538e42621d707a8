/*
 * check_limit: what may be said in a second, under a false clock.
 */
#include <check.h>
#include <stdlib.h>

#include "base/limit.h"

START_TEST(test_allows_so_many_in_a_second)
{
    static const struct {
        uint64_t now_ms;
        bool allowed;
        uint64_t suppressed;
    } calls[] = {
        {5000, true, 0},  {5000, true, 0},  {5001, false, 0}, {5999, false, 0},
        {6000, true, 2}, /* the first of a new second says what the last one hid */
        {6001, true, 0}, /* and says it once */
        {6002, false, 0}, {9999, true, 1}, /* seconds without a call lose nothing */
        {9999, true, 0},  {9999, false, 0}, {4000, true, 1}, /* a clock that went back is a new
                                                                second, too */
    };
    struct limit limit = {0};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        uint64_t suppressed = 77;
        bool allowed = limit_allow(&limit, 2, 1000, calls[i].now_ms, &suppressed);

        ck_assert_msg(allowed == calls[i].allowed, "call %zu", i);
        ck_assert_msg(suppressed == (allowed ? calls[i].suppressed : 77), "call %zu: %ju", i,
                      (uintmax_t)suppressed);
    }
}
END_TEST

START_TEST(test_allows_in_the_clock_s_first_second)
{
    struct limit limit = {0};
    uint64_t suppressed;

    ck_assert(limit_allow(&limit, 1, 1000, 0, &suppressed));
    ck_assert_uint_eq(suppressed, 0);
    ck_assert(!limit_allow(&limit, 1, 1000, 999, &suppressed));
    ck_assert(limit_allow(&limit, 1, 1000, 1000, &suppressed));
    ck_assert_uint_eq(suppressed, 1);
}
END_TEST

START_TEST(test_zero_allows_nothing)
{
    struct limit limit = {0};
    uint64_t suppressed = 77;

    for (uint64_t now_ms = 0; now_ms < 5000; now_ms += 500)
        ck_assert(!limit_allow(&limit, 0, 1000, now_ms, &suppressed));
    ck_assert_uint_eq(suppressed, 77);
    ck_assert(limit_allow(&limit, 1, 1000, 5000, &suppressed));
    ck_assert_uint_eq(suppressed, 10);
}
END_TEST

START_TEST(test_another_window)
{
    struct limit limit = {0};
    uint64_t suppressed;

    ck_assert(limit_allow(&limit, 1, 60000, 59999, &suppressed));
    ck_assert(limit_allow(&limit, 1, 60000, 60000, &suppressed));
    ck_assert(!limit_allow(&limit, 1, 60000, 119999, &suppressed));
    ck_assert(limit_allow(&limit, 1, 60000, 120000, &suppressed));
    ck_assert_uint_eq(suppressed, 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("limit");
    TCase *tcase = tcase_create("limit");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_allows_so_many_in_a_second);
    tcase_add_test(tcase, test_allows_in_the_clock_s_first_second);
    tcase_add_test(tcase, test_zero_allows_nothing);
    tcase_add_test(tcase, test_another_window);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
