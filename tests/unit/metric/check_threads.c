/*
 * check_threads: tables whose own threads go on taking samples while another has them closed and
 * flushes them, again and again: what was applied is sent, once.
 */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metric/flush.h"

#define N_SAMPLES   1000000
#define N_FLUSHES   200
#define N_NAMES     500
#define MOST_FEEDS  3
#define MAX_SAMPLES 200

/* A table, its thread, what that was told to do, and what it has done. */
struct feeder {
    struct table table;
    pthread_t thread;
    uint32_t number, n_feeders, n_samples;
    uint32_t n_applied;
    bool asked; /* to close the interval; false again when that is done */
    bool stop;
    double counts[METRIC_TYPE_COUNT][N_NAMES]; /* of counters the sum, of gauges the last */
};

static const struct filter keeps_all;

static void
apply(struct feeder *feeder, uint32_t i)
{
    enum metric_type type = (enum metric_type)(i % METRIC_TYPE_COUNT);
    /* Names are left behind, to be forgotten, and come again. */
    uint32_t name_number = (i / 4 % 50 + i / (feeder->n_samples / 20) * 50) % N_NAMES;
    uint32_t member = i * feeder->n_feeders + feeder->number;
    double value = 1 + i % 1000;
    struct sample sample = {.type = type,
                            .value = value,
                            .rate = 1,
                            .member = (const char *)&member,
                            .member_len = sizeof(member)};
    char text[16];
    struct name name = {.text = text};

    /* A gauge is one thread's alone, since two do not close at the same moment. */
    if (type == METRIC_GAUGE)
        name_number = name_number / feeder->n_feeders * feeder->n_feeders + feeder->number;
    if (name_number >= N_NAMES)
        name_number = feeder->number;
    name.len = (size_t)snprintf(text, sizeof(text), "n%u", name_number);
    if (table_apply(&feeder->table, &sample, &name, table_hash(&feeder->table, type, &name),
                    1000 + i) != TABLE_APPLIED)
        abort();
    if (type == METRIC_GAUGE)
        feeder->counts[type][name_number] = value;
    else
        feeder->counts[type][name_number] += type == METRIC_COUNTER ? value : 1;
}

static void
close_if_asked(struct feeder *feeder)
{
    if (!__atomic_load_n(&feeder->asked, __ATOMIC_ACQUIRE))
        return;
    table_close(&feeder->table);
    __atomic_store_n(&feeder->asked, false, __ATOMIC_RELEASE);
}

static void *
feed(void *argument)
{
    struct feeder *feeder = argument;

    for (uint32_t i = 0; i < feeder->n_samples; i++) {
        apply(feeder, i);
        close_if_asked(feeder);
        if (i % 64 == 0)
            table_tidy(&feeder->table);
        __atomic_store_n(&feeder->n_applied, i + 1, __ATOMIC_RELEASE);
    }
    while (!__atomic_load_n(&feeder->stop, __ATOMIC_ACQUIRE)) {
        close_if_asked(feeder);
        sched_yield();
    }
    return NULL;
}

/* What was sent: of counters the sum, of gauges the last value, else how many. */
static void
note(double sent[METRIC_TYPE_COUNT][N_NAMES], const struct record *record)
{
    char name[16] = "";
    double *value;

    memcpy(name, record->name, record->name_len);
    value = &sent[record->source][atoi(name + 1)];
    if (record->source == METRIC_GAUGE)
        *value = record->points[0].value;
    else
        *value += record->points[record->source == METRIC_TIMER ? 1 : 0].value;
}

/* Has every table closed and flushes them. */
static void
flush_all(struct flush *flush, struct feeder *feeders, double sent[METRIC_TYPE_COUNT][N_NAMES])
{
    static const struct interval interval = {.end_ms = 1000, .span_ms = 1000};
    struct record record;

    for (uint32_t i = 0; i < feeders->n_feeders; i++)
        __atomic_store_n(&feeders[i].asked, true, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < feeders->n_feeders; i++) {
        while (__atomic_load_n(&feeders[i].asked, __ATOMIC_ACQUIRE))
            sched_yield();
    }
    flush_begin(flush, &interval);
    for (; flush_peek(flush, &record); flush_advance(flush))
        note(sent, &record);
    flush_begin_clear(flush);
    while (flush_clear(flush, 100))
        continue;
}

static void
start(struct feeder *feeder, uint32_t number, uint32_t n_feeders)
{
    struct table_opts opts = {
        .arena = {.size = 64 << 20},
        .max_metrics = UINT32_MAX,
        .timer_max_samples = MAX_SAMPLES, /* so that both ways are gone */
        .set_exact_max = 100000,
        .filter = &keeps_all,
        .key = {7, 8},
    };

    memset(feeder, 0, sizeof(*feeder));
    feeder->number = number;
    feeder->n_feeders = n_feeders;
    feeder->n_samples = N_SAMPLES / n_feeders;
    ck_assert_int_eq(table_init(&feeder->table, &opts, 0), 0);
}

static void
check_sent(const struct feeder *feeders, double sent[METRIC_TYPE_COUNT][N_NAMES])
{
    for (size_t type = 0; type < METRIC_TYPE_COUNT; type++) {
        for (size_t i = 0; i < N_NAMES; i++) {
            double applied = 0;

            for (uint32_t k = 0; k < feeders->n_feeders; k++)
                applied += feeders[k].counts[type][i];
            if (fabs(applied - sent[type][i]) > 0)
                ck_abort_msg("%s n%zu: %g were applied, %g sent",
                             metric_type_name((enum metric_type)type), i, applied, sent[type][i]);
        }
    }
}

START_TEST(test_sums_over_all_flushes)
{
    static struct feeder feeders[MOST_FEEDS];
    static double sent[METRIC_TYPE_COUNT][N_NAMES];
    static const struct rules rules;
    struct dialect dialect;
    struct flush_opts opts = {.dialect = &dialect, .rules = &rules, .max_samples = MAX_SAMPLES};
    struct flush flush;
    uint32_t n_feeders = (uint32_t)_i;

    dialect_init(&dialect);
    dialect.rates = false;
    for (uint32_t i = 0; i < n_feeders; i++) {
        start(&feeders[i], i, n_feeders);
        opts.tables[opts.n_tables++] = &feeders[i].table;
    }
    ck_assert_int_eq(flush_init(&flush, &opts), 0);
    for (uint32_t i = 0; i < n_feeders; i++)
        ck_assert_int_eq(pthread_create(&feeders[i].thread, NULL, feed, &feeders[i]), 0);
    for (uint32_t n = 0; n <= N_FLUSHES; n++) {
        bool is_last = n == N_FLUSHES;
        uint32_t due = is_last ? feeders[0].n_samples : feeders[0].n_samples / N_FLUSHES * n;

        for (uint32_t i = 0; i < (is_last ? n_feeders : 1); i++) {
            while (__atomic_load_n(&feeders[i].n_applied, __ATOMIC_ACQUIRE) < due)
                sched_yield();
        }
        flush_all(&flush, feeders, sent);
    }
    for (uint32_t i = 0; i < n_feeders; i++) {
        __atomic_store_n(&feeders[i].stop, true, __ATOMIC_RELEASE);
        ck_assert_int_eq(pthread_join(feeders[i].thread, NULL), 0);
    }
    check_sent(feeders, sent);
    flush_release(&flush);
    for (uint32_t i = 0; i < n_feeders; i++)
        table_release(&feeders[i].table);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("threads");
    TCase *tcase = tcase_create("threads");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, test_sums_over_all_flushes, 1, MOST_FEEDS + 1);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
