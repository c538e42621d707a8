/*
 * check_part: when a part of the open interval may be sent. Time is the test's.
 */
#include "worker/part.h"

#include <check.h>
#include <stdlib.h>

#define T0 UINT64_C(1000000)

static struct board_delivery
board_of(uint64_t queued, uint64_t spooled, enum board_carbon carbon)
{
    return (struct board_delivery){.queued = queued, .spooled = spooled, .carbon = carbon};
}

START_TEST(test_verdicts)
{
    static const struct {
        uint64_t queued, spooled;
        enum board_carbon carbon;
        enum part_verdict at_once, later;
    } rows[] = {
        {0, 0, BOARD_CARBON_UNKNOWN, PART_BEGINS, PART_BEGINS},
        {0, 0, BOARD_CARBON_CONNECTED, PART_BEGINS, PART_BEGINS},
        {0, 0, BOARD_CARBON_OFF, PART_BEGINS, PART_BEGINS},
        {0, 0, BOARD_CARBON_AWAY, PART_REFUSED, PART_REFUSED},
        {1, 0, BOARD_CARBON_CONNECTED, PART_WAITS, PART_REFUSED},
        {0, 1, BOARD_CARBON_CONNECTED, PART_WAITS, PART_REFUSED},
        {1, 0, BOARD_CARBON_UNKNOWN, PART_WAITS, PART_REFUSED},
        {1, 1, BOARD_CARBON_AWAY, PART_REFUSED, PART_REFUSED},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct board_delivery board = board_of(rows[i].queued, rows[i].spooled, rows[i].carbon);
        struct part part = {0};

        ck_assert_int_eq(part_judge(&part, &board, T0), rows[i].at_once);
        ck_assert_int_eq(part_judge(&part, &board, T0 + PART_PATIENCE_MS - 1), rows[i].at_once);
        if (rows[i].later != rows[i].at_once)
            ck_assert_int_eq(part_judge(&part, &board, T0 + PART_PATIENCE_MS), rows[i].later);
        ck_assert_uint_eq(part.wanted_ms, 0);
    }
}
END_TEST

/* Who waits goes when the last has arrived, and the next has all its patience. */
START_TEST(test_patience)
{
    struct board_delivery full = board_of(5, 0, BOARD_CARBON_CONNECTED);
    struct board_delivery empty = board_of(0, 0, BOARD_CARBON_CONNECTED);
    struct part part = {0};

    ck_assert_int_eq(part_judge(&part, &full, T0), PART_WAITS);
    ck_assert_int_eq(part_judge(&part, &empty, T0 + 1000), PART_BEGINS);
    ck_assert_int_eq(part_judge(&part, &full, T0 + 1001), PART_WAITS);
    ck_assert_int_eq(part_judge(&part, &full, T0 + PART_PATIENCE_MS), PART_WAITS);
    ck_assert_int_eq(part_judge(&part, &full, T0 + 1001 + PART_PATIENCE_MS), PART_REFUSED);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("part");
    TCase *tcase = tcase_create("part");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_verdicts);
    tcase_add_test(tcase, test_patience);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
