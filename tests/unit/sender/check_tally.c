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
    {"lines_sent", 1, 0},        {"lines_refused", 2, -1}, {"queue_dropped", 3, 0},
    {"send_failures", 4, 0},     {"reconnects", 5, 0},     {"frames_bad", 6, -1},
    {"frames_missed", 7, -1},    {"queue_lines", 8, 8},    {"last_success_age", 9, 9},
    {"restarts.sender", 10, 10},
};

START_TEST(test_report)
{
    struct tally tally = {
        .lines_sent = 1,
        .lines_refused = 2,
        .lines_dropped = 3,
        .failures = 4,
        .reconnects = 5,
        .frames_bad = 6,
        .frames_missed = 7,
    };
    const struct tally_now now = {.queue_lines = 8, .last_success_age_s = 9, .n_restarts = 10};
    struct batch *first = batch_new(1, 10000), *second = batch_new(2, 10000);

    tally_report(&tally, &now, first);
    tally_report(&tally, &now, second);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(value_of(first, rows[i].name) == rows[i].value, "%s", rows[i].name);
        ck_assert_msg(value_of(second, rows[i].name) == rows[i].without, "no %s", rows[i].name);
    }
    ck_assert_uint_eq(first->n_lines, sizeof(rows) / sizeof(rows[0]));
    ck_assert_uint_lt(first->records.len, BATCH_OWN_ROOM / 4);
    batch_free(first);
    batch_free(second);
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
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
