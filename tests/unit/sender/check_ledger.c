/*
 * check_ledger: the sum of what was dropped, and the line that tells of everything.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sender/ledger.h"

START_TEST(test_sum)
{
    struct ledger ledger = {0};

    ck_assert_uint_eq(ledger_dropped(&ledger), 0);
    for (enum ledger_reason reason = 0; reason < LEDGER_REASONS; reason++) {
        ledger.dropped[reason] = UINT64_C(1) << reason;
        ck_assert_uint_gt(strlen(ledger_reason(reason)), 0);
    }
    ck_assert_uint_eq(ledger_dropped(&ledger), (UINT64_C(1) << LEDGER_REASONS) - 1);
}
END_TEST

START_TEST(test_format)
{
    const struct board_ledger received = {.lines = 10,
                                          .applied = 1,
                                          .filtered = 2,
                                          .bad = 3,
                                          .refused = 4,
                                          .udp_drops = 5,
                                          .quarantined = 6};
    struct ledger ledger = {.emitted = 34, .delivered = 7, .spooled = 9, .replayed = 99};
    char text[LEDGER_TEXT_MAX];

    ledger.dropped[LEDGER_QUEUE] = 4;
    ledger.dropped[LEDGER_LOST] = 6;
    ledger_format(&ledger, 8, &received, text);
    ck_assert_str_eq(text, "ledger: received 10 = applied 1 + filtered 2 + bad 3 + refused 4; "
                           "emitted 34 = delivered 7 + queued 8 + spooled 9 + dropped 10; "
                           "kernel drops 5, quarantined 6");
}
END_TEST

/* The largest numbers have room. */
START_TEST(test_longest)
{
    struct board_ledger received;
    struct ledger ledger;
    char text[LEDGER_TEXT_MAX];

    memset(&received, 0xff, sizeof(received));
    memset(&ledger, 0xff, sizeof(ledger));
    ledger_format(&ledger, UINT64_MAX, &received, text);
    ck_assert_uint_lt(strlen(text), LEDGER_TEXT_MAX - 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ledger");
    TCase *tcase = tcase_create("ledger");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_sum);
    tcase_add_test(tcase, test_format);
    tcase_add_test(tcase, test_longest);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
