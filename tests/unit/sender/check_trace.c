/*
 * check_trace: what --debug prints of a flush.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sender/trace.h"

/* The last line, around the count. */
#define COMPLETED "\n================== Flush completed. Waiting until next flush. Sent out "
#define METRICS   " metrics =======\n"

static struct record
record_of(unsigned source, const char *name)
{
    return (struct record){
        .source = (uint8_t)source,
        .name = name,
        .name_len = (uint16_t)strlen(name),
    };
}

static void
add(struct batch *batch, const struct record *record)
{
    uint8_t bytes[RECORD_ENCODED_MAX];
    struct buf payload;

    buf_init_fixed(&payload, bytes, sizeof(bytes));
    ck_assert_int_eq(record_encode(record, &payload), 0);
    ck_assert_int_eq(batch_add(batch, payload.data, payload.len), 0);
}

static void
add_one(struct batch *batch, unsigned source, const char *name, enum statistic statistic,
        double value)
{
    struct record record = record_of(source, name);

    record_add(&record, statistic, 0, value);
    add(batch, &record);
}

static void
add_timer(struct batch *batch, const char *name, unsigned n_percentiles)
{
    struct record record = record_of(METRIC_TIMER, name);

    record_add(&record, STATISTIC_LOWER, 0, 1);
    record_add(&record, STATISTIC_COUNT, 0, 3);
    record_add(&record, STATISTIC_MEAN, 0, 2.5);
    record_add(&record, STATISTIC_UPPER, 0, 4);
    for (unsigned i = 0; i < n_percentiles; i++)
        record_add(&record, STATISTIC_UPPER_PCT, i, 3.75 + i);
    add(batch, &record);
}

/* The batch is sealed and freed. */
static void
assert_trace(struct batch *batch, const struct dialect *dialect, const char *want)
{
    char got[8192];
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    batch_seal(batch);
    ck_assert_int_eq(trace_batch(ends[1], batch, dialect), 0);
    close(ends[1]);
    got[read(ends[0], got, sizeof(got) - 1)] = '\0';
    ck_assert_str_eq(got, want);
    close(ends[0]);
    batch_free(batch);
}

START_TEST(test_every_type)
{
    struct batch *batch = batch_new(1, 1700000000000, 10000);
    struct dialect dialect;

    dialect_init(&dialect);
    dialect_set_affix(dialect.global_prefix, "unseen");
    add_one(batch, METRIC_COUNTER, "a.c", STATISTIC_RATE, 0.1);
    add_one(batch, METRIC_GAUGE, "g", STATISTIC_VALUE, -7);
    batch_add_own(batch, "numStats", 4);
    add_timer(batch, "t", 1);
    add_one(batch, METRIC_SET, "s", STATISTIC_COUNT, 2);
    assert_trace(batch, &dialect,
                 "Sending a.c => count=0.1\n"
                 "Sending g => value=-7\n"
                 "Sending t ====> lower=1, mean=2.5, upper=4, 90pct=3.75, count=3\n"
                 "Sending s => count=2\n" COMPLETED "4" METRICS);
}
END_TEST

START_TEST(test_percentiles)
{
    static const struct {
        double percentiles[2];
        size_t n;
        unsigned n_points;
        const char *line;
    } rows[] = {
        {{90, 99.9}, 2, 2, "lower=1, mean=2.5, upper=4, 90pct=3.75, 99.9pct=4.75, count=3"},
        {{99.9}, 1, 1, "lower=1, mean=2.5, upper=4, 99.9pct=3.75, count=3"},
        {{-10}, 1, 1, "lower=1, mean=2.5, upper=4, -10pct=3.75, count=3"},
        {{0}, 0, 0, "lower=1, mean=2.5, upper=4, count=3"},
        {{90}, 1, 2, "lower=1, mean=2.5, upper=4, 90pct=3.75, count=3"}, /* one is not ours */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct batch *batch = batch_new(1, 1700000000000, 10000);
        struct dialect dialect;
        char want[256];

        dialect_init(&dialect);
        ck_assert_int_eq(dialect_set_percentiles(&dialect, rows[i].percentiles, rows[i].n), 0);
        add_timer(batch, "t", rows[i].n_points);
        snprintf(want, sizeof(want), "Sending t ====> %s\n" COMPLETED "1" METRICS, rows[i].line);
        assert_trace(batch, &dialect, want);
    }
}
END_TEST

START_TEST(test_nothing_but_own_statistics)
{
    struct batch *batch = batch_new(1, 1700000000000, 10000);
    struct dialect dialect;

    dialect_init(&dialect);
    assert_trace(batch_new(1, 1700000000000, 10000), &dialect, COMPLETED "0" METRICS);
    batch_add_own(batch, "numStats", 0);
    assert_trace(batch, &dialect, COMPLETED "0" METRICS);
}
END_TEST

/* More than a pipe holds, and nobody reads: what it holds is there, and the rest is not waited for.
 */
START_TEST(test_nobody_reads)
{
    struct batch *batch = batch_new(1, 1700000000000, 1000000);
    struct dialect dialect;
    size_t n_read = 0;
    char got[512];
    ssize_t n;
    int ends[2];

    dialect_init(&dialect);
    for (int i = 0; i < 5000; i++)
        add_one(batch, METRIC_COUNTER, "a.counter", STATISTIC_RATE, 0.1);
    batch_seal(batch);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(trace_batch(ends[1], batch, &dialect), -ETIMEDOUT);
    close(ends[1]);
    while ((n = read(ends[0], got, sizeof(got))) > 0)
        n_read += (size_t)n;
    ck_assert_uint_ge(n_read, 60000);
    batch_free(batch);

    /* Nor is anybody there. */
    batch = batch_new(1, 1700000000000, 1000);
    batch_seal(batch);
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(trace_batch(ends[1], batch, &dialect), -EBADF);
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    ck_assert_int_eq(trace_batch(ends[1], batch, &dialect), -EPIPE);
    close(ends[1]);
    batch_free(batch);
}
END_TEST

/* What is read meanwhile makes room for the rest. */
START_TEST(test_more_than_a_pipe_holds)
{
    struct batch *batch = batch_new(1, 1700000000000, 1000000);
    struct dialect dialect;
    int ends[2], status;
    pid_t reader;

    dialect_init(&dialect);
    for (int i = 0; i < 5000; i++)
        add_one(batch, METRIC_COUNTER, "a.counter", STATISTIC_RATE, 0.1);
    batch_seal(batch);
    ck_assert_int_eq(pipe(ends), 0);
    reader = fork();
    if (reader == 0) {
        size_t n_read = 0;
        char got[4096];
        ssize_t n;

        close(ends[1]);
        while ((n = read(ends[0], got, sizeof(got))) > 0)
            n_read += (size_t)n;
        _exit(n_read == 5000 * strlen("Sending a.counter => count=0.1\n") +
                            strlen(COMPLETED "5000" METRICS)
                  ? 0
                  : 1);
    }
    ck_assert_int_eq(trace_batch(ends[1], batch, &dialect), 0);
    close(ends[1]);
    close(ends[0]);
    ck_assert_int_eq(waitpid(reader, &status, 0), reader);
    ck_assert_int_eq(status, 0);
    batch_free(batch);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("trace");
    TCase *tcase = tcase_create("trace");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_every_type);
    tcase_add_test(tcase, test_percentiles);
    tcase_add_test(tcase, test_nothing_but_own_statistics);
    tcase_add_test(tcase, test_nobody_reads);
    tcase_add_test(tcase, test_more_than_a_pipe_holds);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
