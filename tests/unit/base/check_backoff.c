/*
 * check_backoff: doubling, the cap, and jitter within its tenth.
 */
#include <check.h>
#include <stdlib.h>

#include "base/backoff.h"

/* The chance that makes no jitter of a wait. */
static uint32_t
no_jitter(uint32_t wait_ms)
{
    return wait_ms / 10;
}

START_TEST(test_doubles_up_to_the_cap)
{
    static const uint32_t waits_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct backoff backoff = {.first_ms = 100, .cap_ms = 5000};

    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++)
        ck_assert_uint_eq(backoff_fail(&backoff, no_jitter(waits_ms[i])), waits_ms[i]);
}
END_TEST

START_TEST(test_reset_starts_over)
{
    struct backoff backoff = {.first_ms = 100, .cap_ms = 5000};

    for (int i = 0; i < 5; i++)
        backoff_fail(&backoff, 0);
    backoff_reset(&backoff);
    ck_assert_uint_eq(backoff_fail(&backoff, no_jitter(100)), 100);
    ck_assert_uint_eq(backoff_fail(&backoff, no_jitter(200)), 200);
}
END_TEST

START_TEST(test_jitter_is_a_tenth_either_way)
{
    uint32_t least_ms = UINT32_MAX, most_ms = 0;

    for (uint32_t chance = 0; chance < 1000; chance++) {
        struct backoff backoff = {.first_ms = 1000, .cap_ms = 1000};
        uint32_t wait_ms = backoff_fail(&backoff, chance);

        least_ms = wait_ms < least_ms ? wait_ms : least_ms;
        most_ms = wait_ms > most_ms ? wait_ms : most_ms;
    }
    ck_assert_uint_eq(least_ms, 900);
    ck_assert_uint_eq(most_ms, 1100);
}
END_TEST

START_TEST(test_jitter_does_not_add_up)
{
    struct backoff low = {.first_ms = 100, .cap_ms = 100000};
    struct backoff high = low;

    for (uint32_t wait_ms = 100; wait_ms < 100000; wait_ms *= 2) {
        ck_assert_uint_eq(backoff_fail(&low, 0), wait_ms - wait_ms / 10);
        ck_assert_uint_eq(backoff_fail(&high, 2 * (wait_ms / 10)), wait_ms + wait_ms / 10);
    }
}
END_TEST

START_TEST(test_extremes)
{
    static const struct {
        uint32_t first_ms, cap_ms, chance, first_wait_ms, second_wait_ms;
    } rows[] = {
        {0, 0, 12345, 0, 0},
        {0, 1000, 12345, 0, 0},
        {1, 1, UINT32_MAX, 1, 1},
        {9, 1000, UINT32_MAX, 9, 18 - 1}, /* UINT32_MAX is a multiple of 3 */
        {200, 30, 3, 30, 30},             /* a first wait beyond the cap */
        {3000000000, UINT32_MAX, 300000000, 3000000000, UINT32_MAX - 129496729},
        {UINT32_MAX, UINT32_MAX, UINT32_MAX / 10 * 2, UINT32_MAX, UINT32_MAX},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct backoff backoff = {.first_ms = rows[i].first_ms, .cap_ms = rows[i].cap_ms};
        uint32_t first_ms = backoff_fail(&backoff, rows[i].chance);
        uint32_t second_ms = backoff_fail(&backoff, rows[i].chance);

        ck_assert_msg(first_ms == rows[i].first_wait_ms, "row %zu: %u", i, first_ms);
        ck_assert_msg(second_ms == rows[i].second_wait_ms, "row %zu: %u", i, second_ms);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("backoff");
    TCase *tcase = tcase_create("backoff");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_doubles_up_to_the_cap);
    tcase_add_test(tcase, test_reset_starts_over);
    tcase_add_test(tcase, test_jitter_is_a_tenth_either_way);
    tcase_add_test(tcase, test_jitter_does_not_add_up);
    tcase_add_test(tcase, test_extremes);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
