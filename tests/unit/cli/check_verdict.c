/*
 * check_verdict: the line for a monitoring system.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verdict.h"

static void
assert_verdict(const char *const *lines, enum verdict verdict, const char *expected)
{
    struct facts facts = {0};
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    for (; *lines != NULL; lines++)
        ck_assert_int_eq(facts_add(&facts, *lines), 0);
    ck_assert_int_eq(verdict_of(&facts), verdict);
    verdict_print(out, &facts);
    fclose(out);
    ck_assert_str_eq(text, expected);
    free(text);
    facts_release(&facts);
}

START_TEST(test_ok)
{
    static const char *const lines[] = {
        "state ok",       "lines_per_s 1234.5", "lines_sent_per_s 10",  "uptime_s 7512",
        "queue_bytes 10", "queue_limit 64",     "spool_bytes 0",        "spool_limit 0",
        "bad 3",          "udp_drops nonsense", "last_success_age_s -", NULL};

    assert_verdict(lines, VERDICT_OK,
                   "OK - up 2h 5m, 1.2k lines/s in, 10 lines/s out | lines_per_s=1234.5 "
                   "lines_sent_per_s=10 bad=3c queue_bytes=10B;;;0;64 spool_bytes=0B "
                   "uptime_s=7512s\n");
}
END_TEST

START_TEST(test_problems)
{
    static const char *const warning[] = {"state warning", "problem queue | half\033 full",
                                          "problem worker replaced", "refused 1", NULL};
    static const char *const critical[] = {"state critical", "problem no delivery", NULL};
    static const char *const other[] = {"state wonderful", NULL};
    static const char *const none[] = {NULL};

    assert_verdict(warning, VERDICT_WARNING,
                   "WARNING - queue / half\\x1b full; worker replaced | refused=1c\n");
    assert_verdict(critical, VERDICT_CRITICAL, "CRITICAL - no delivery |\n");
    assert_verdict(other, VERDICT_UNKNOWN, "UNKNOWN - the daemon does not say how it is |\n");
    assert_verdict(none, VERDICT_UNKNOWN, "UNKNOWN - the daemon does not say how it is |\n");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("verdict");
    TCase *tcase = tcase_create("verdict");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_ok);
    tcase_add_test(tcase, test_problems);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
