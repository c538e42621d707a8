/*
 * check_tally: the names under which the sender speaks of itself, and what it leaves unsaid.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sender/tally.h"

/* The value of a statistic in a batch, or -1. */
static double
value_of(const struct batch *batch, const char *name)
{
    const uint8_t *at = batch->records.data, *end = at + batch->records.len;
    struct record record;

    while (at < end && record_decode(&at, end, &record) == 0) {
        if (record.name_len == strlen(name) && memcmp(record.name, name, record.name_len) == 0)
            return record.points[0].value;
    }
    return -1;
}

static const struct {
    const char *name;
    double value, without; /* -1: not there */
} rows[] = {
    {"lines_emitted", 100, 0},   {"lines_sent", 1, 0},          {"lines_refused", 2, -1},
    {"queue_dropped", 3, 0},     {"send_failures", 4, 0},       {"reconnects", 5, 0},
    {"frames_bad", 6, -1},       {"lines_replayed", 7, -1},     {"queue_lines", 8, 8},
    {"last_success_age", 9, 9},  {"restarts.sender", 10, 10},   {"dropped.memory", 11, -1},
    {"dropped.corrupt", 12, -1}, {"dropped.uncertain", 13, -1}, {"spool_lines", 14, 14},
    {"spool_dropped", 15, 0},
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

START_TEST(test_report)
{
    struct tally tally = {.failures = 4, .reconnects = 5, .frames_bad = 6};
    const struct ledger told = {.emitted = 1000, .delivered = 500, .dropped = {1, 2, 3, 4, 5, 6}};
    const struct ledger ledger = {
        .emitted = 1100,
        .delivered = 501,
        .replayed = 7,
        .spooled = 14,
        .dropped = {[LEDGER_QUEUE] = 1 + 3,
                    [LEDGER_SPOOL] = 2 + 15,
                    [LEDGER_REFUSED] = 3 + 2,
                    [LEDGER_MEMORY] = 4 + 11,
                    [LEDGER_CORRUPT] = 5 + 12,
                    [LEDGER_UNCERTAIN] = 6 + 13},
    };
    struct tally_now now = {.ledger = &ledger,
                            .told = &told,
                            .queue_lines = 8,
                            .has_spool = true,
                            .last_success_age_s = 9,
                            .n_restarts = 10};
    struct batch *first = batch_new(1, 0, 10000), *second = batch_new(2, 0, 10000);

    tally_report(&tally, &now, first);
    now.told = &ledger;
    tally_report(&tally, &now, second);
    for (size_t i = 0; i < N_ROWS; i++) {
        ck_assert_msg(value_of(first, rows[i].name) == rows[i].value, "%s", rows[i].name);
        ck_assert_msg(value_of(second, rows[i].name) == rows[i].without, "no %s", rows[i].name);
    }
    ck_assert_uint_eq(first->n_lines, N_ROWS);
    ck_assert_uint_lt(first->records.len, BATCH_OWN_ROOM / 4);
    batch_free(first);
    batch_free(second);
}
END_TEST

/* What was told to be dropped was put right. */
START_TEST(test_less_than_was_told)
{
    struct tally tally = {0};
    const struct ledger told = {.dropped = {[LEDGER_SPOOL] = 2}}, ledger = {0};
    const struct tally_now now = {.ledger = &ledger, .told = &told, .has_spool = true};
    struct batch *batch = batch_new(1, 0, 10000);

    tally_report(&tally, &now, batch);
    ck_assert_double_eq(value_of(batch, "spool_dropped"), 0);
    batch_free(batch);
}
END_TEST

START_TEST(test_no_spool)
{
    struct tally tally = {0};
    const struct ledger ledger = {0};
    const struct tally_now now = {.ledger = &ledger, .told = &ledger};
    struct batch *batch = batch_new(1, 0, 10000);

    tally_report(&tally, &now, batch);
    ck_assert_double_eq(value_of(batch, "spool_lines"), -1);
    ck_assert_double_eq(value_of(batch, "spool_dropped"), -1);
    batch_free(batch);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("tally");
    TCase *tcase = tcase_create("tally");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_report);
    tcase_add_test(tcase, test_less_than_was_told);
    tcase_add_test(tcase, test_no_spool);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
