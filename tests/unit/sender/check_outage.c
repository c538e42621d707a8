/*
 * check_outage: when the next try comes and what is told of a failed one, under a false clock.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sender/outage.h"

#define NOW_MS UINT64_C(1000000)

static struct board_outage said;

/* The first sender. */
static void
begin(struct outage *outage)
{
    said = (struct board_outage){0};
    outage_init(outage, &said, "carbon:2003", NOW_MS);
}

/* Fails, and says what is to be said. */
static enum outage_word
miss(struct outage *outage, const char *why, bool stopping, uint64_t now_ms)
{
    enum outage_word word = outage_fail(outage, why, stopping, 0, now_ms);

    if (word == OUTAGE_WARNING)
        outage_told(outage, now_ms);
    return word;
}

START_TEST(test_words)
{
    static const struct {
        uint64_t after_ms;
        const char *why;
        bool stopping;
        enum outage_word word;
    } rows[] = {
        {0, "refused", false, OUTAGE_WARNING},     {1000, "refused", false, OUTAGE_SILENCE},
        {59999, "refused", false, OUTAGE_SILENCE}, {60000, "refused", false, OUTAGE_DETAIL},
        {60001, "refused", false, OUTAGE_SILENCE}, {60002, "reset", false, OUTAGE_DETAIL},
        {60003, "reset", false, OUTAGE_SILENCE},   {60004, "refused", false, OUTAGE_DETAIL},
        {120004, "reset", true, OUTAGE_SILENCE},   {200000, "refused", true, OUTAGE_SILENCE},
    };
    struct outage outage;

    begin(&outage);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(miss(&outage, rows[i].why, rows[i].stopping, NOW_MS + rows[i].after_ms) ==
                          rows[i].word,
                      "row %zu", i);
}
END_TEST

START_TEST(test_a_stop_may_begin_it)
{
    struct outage outage;

    begin(&outage);
    ck_assert_int_eq(miss(&outage, "refused", true, NOW_MS), OUTAGE_WARNING);
    ck_assert_int_eq(miss(&outage, "reset", true, NOW_MS + 500), OUTAGE_SILENCE);
    ck_assert_uint_eq(outage.retry_ms, NOW_MS + 1000);
}
END_TEST

START_TEST(test_end)
{
    struct outage outage;

    begin(&outage);
    ck_assert(!outage_end(&outage, NOW_MS + 1));
    ck_assert_uint_eq(said.last_success_ms, NOW_MS + 1);
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS), OUTAGE_WARNING);
    ck_assert(outage.failing);
    ck_assert(outage_end(&outage, NOW_MS + 2));
    ck_assert(!outage.failing);
    ck_assert(!outage_end(&outage, NOW_MS + 3));
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 60000), OUTAGE_WARNING);
}
END_TEST

/* Of a peer that comes and goes one outage a minute is told, from its beginning to its end, and how
 * many there were before. */
START_TEST(test_many_outages)
{
    struct outage outage;
    unsigned n_warnings = 0, n_ends = 0, n_before = 0;

    begin(&outage);
    for (uint64_t now_ms = NOW_MS; now_ms < NOW_MS + 600000; now_ms += 10000) {
        uint64_t n_untold = said.n_untold + 1;

        if (miss(&outage, "refused", false, now_ms) == OUTAGE_WARNING) {
            n_warnings++;
            n_before += (unsigned)n_untold - 1;
        }
        n_ends += outage_end(&outage, now_ms + 1000);
    }
    ck_assert_uint_eq(n_warnings, 10);
    ck_assert_uint_eq(n_ends, 10);
    ck_assert_uint_eq(n_before, 45); /* five more since the last one */
    ck_assert_uint_eq(said.n_untold, 5);
}
END_TEST

/* One that begins in silence and lasts is told as soon as its minute has come. */
START_TEST(test_outage_that_lasts)
{
    struct outage outage;

    begin(&outage);
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS), OUTAGE_WARNING);
    outage_end(&outage, NOW_MS + 10000);
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 20000), OUTAGE_DETAIL);
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 59999), OUTAGE_SILENCE);
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 61000), OUTAGE_WARNING);
    ck_assert(outage_end(&outage, NOW_MS + 62000));
}
END_TEST

START_TEST(test_another_destination)
{
    struct outage outage;

    begin(&outage);
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS), OUTAGE_WARNING);
    outage_forget(&outage, "other:2003");
    ck_assert(!outage.failing);
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 1), OUTAGE_WARNING);
    ck_assert_uint_eq(said.n_untold, 0);
}
END_TEST

/* A sender that comes after says nothing that was said, but the end. */
START_TEST(test_another_sender)
{
    struct outage outage;

    begin(&outage);
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 1), OUTAGE_WARNING);
    for (uint64_t i = 1; i <= 100; i++) {
        outage_init(&outage, &said, "carbon:2003", NOW_MS + i * 1000);
        ck_assert_int_ne(miss(&outage, "refused", false, NOW_MS + i * 1000), OUTAGE_WARNING);
    }
    ck_assert_uint_eq(said.last_success_ms, NOW_MS);
    ck_assert(outage_end(&outage, NOW_MS + 200000));
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 200001), OUTAGE_WARNING);
    ck_assert_uint_eq(said.n_untold, 0);
    outage_init(&outage, &said, "other:2003", NOW_MS + 200002);
    ck_assert_uint_eq(said.last_success_ms, NOW_MS + 200002);
    ck_assert(!outage_end(&outage, NOW_MS + 200002));
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 200003), OUTAGE_WARNING);
}
END_TEST

/* What had no room in the log is to be said again. */
START_TEST(test_warning_that_was_lost)
{
    struct outage outage;

    begin(&outage);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_int_eq(outage_fail(&outage, "refused", false, 0, NOW_MS + i), OUTAGE_WARNING);
    ck_assert_uint_eq(said.n_untold, 1);
    ck_assert(!outage_end(&outage, NOW_MS + 3));
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS + 4), OUTAGE_WARNING);
}
END_TEST

/* Nor does a time that is damaged silence anything. */
START_TEST(test_time_that_is_to_come)
{
    struct outage outage;

    begin(&outage);
    said.told_ms = UINT64_MAX;
    ck_assert_int_eq(miss(&outage, "refused", false, NOW_MS), OUTAGE_WARNING);
}
END_TEST

/* 1, 2, 4 s, 10 % less by chance 0; hope begins anew. */
START_TEST(test_waits)
{
    struct outage outage;

    begin(&outage);
    ck_assert_uint_eq(outage.retry_ms, 0);
    for (unsigned i = 0; i < 3; i++) {
        miss(&outage, "refused", false, NOW_MS);
        ck_assert_uint_eq(outage.retry_ms, NOW_MS + (900u << i));
    }
    outage_hope(&outage);
    ck_assert_uint_eq(outage.retry_ms, 0);
    miss(&outage, "refused", false, NOW_MS);
    ck_assert_uint_eq(outage.retry_ms, NOW_MS + 900);
}
END_TEST

START_TEST(test_long_reason)
{
    struct outage outage;
    char why[300];

    memset(why, 'x', sizeof(why) - 1);
    why[sizeof(why) - 1] = '\0';
    begin(&outage);
    miss(&outage, why, false, NOW_MS);
    ck_assert_uint_eq(strlen(outage.reason), sizeof(outage.reason) - 1);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("outage");
    TCase *tcase = tcase_create("outage");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_words);
    tcase_add_test(tcase, test_a_stop_may_begin_it);
    tcase_add_test(tcase, test_end);
    tcase_add_test(tcase, test_many_outages);
    tcase_add_test(tcase, test_outage_that_lasts);
    tcase_add_test(tcase, test_another_destination);
    tcase_add_test(tcase, test_another_sender);
    tcase_add_test(tcase, test_warning_that_was_lost);
    tcase_add_test(tcase, test_time_that_is_to_come);
    tcase_add_test(tcase, test_waits);
    tcase_add_test(tcase, test_long_reason);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
