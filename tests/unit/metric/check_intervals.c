/*
 * check_intervals: hundreds of intervals, with samples of chance amid the walk and flushes that
 * stop half way, against a plain array of what each metric should say.
 */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metric/flush.h"

#define SEED        UINT64_C(20240305)
#define INTERVAL_MS 10000
#define N_NAMES     40
#define N_INTERVALS 600

/* What is known of a metric; n counts its samples, by generation. */
struct expected {
    uint32_t n[2];
    double gauge[2]; /* the last value that was set */
    double sent;     /* of a gauge: what the last flush had */
    bool is_known, is_due;
    uint64_t updated_ms;
};

struct model {
    struct table table;
    struct dialect dialect;
    struct flush flush;
    struct expected all[METRIC_TYPE_COUNT][N_NAMES];
    unsigned open;
    uint64_t state, now_ms, expire_ms;
    uint32_t n_samples, n_records;
};

/* splitmix64. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Every sample has another value, so that each is a new member of its set. */
static void
apply_one(struct model *model)
{
    enum metric_type type = (enum metric_type)(draw(&model->state) % METRIC_TYPE_COUNT);
    size_t i = draw(&model->state) % N_NAMES;
    struct expected *expected = &model->all[type][i];
    struct sample sample = {
        .type = type,
        .value = type == METRIC_COUNTER ? 1 : ++model->n_samples,
        .rate = 1,
        .member = (const char *)&model->n_samples,
        .member_len = sizeof(model->n_samples),
    };
    char name[16];
    int len = snprintf(name, sizeof(name), "n%zu", i);
    uint32_t hash = table_hash(&model->table, type, name, (size_t)len);

    if (table_apply(&model->table, &sample, name, (size_t)len, hash, model->now_ms) !=
        TABLE_APPLIED)
        ck_abort_msg("%s was refused", name);
    expected->n[model->open]++;
    expected->gauge[model->open] = sample.value;
    expected->updated_ms = model->now_ms;
}

static void
apply_some(struct model *model, uint64_t max)
{
    for (uint64_t n = draw(&model->state) % (max + 1); n > 0; n--)
        apply_one(model);
}

/* Closes the interval and notes who has to be sent. */
static void
close_interval(struct model *model)
{
    struct interval interval = {.span_ms = INTERVAL_MS};

    model->now_ms += INTERVAL_MS;
    interval.end_ms = model->now_ms;
    if (!table_close(&model->table, &interval))
        ck_abort_msg("the interval before is not done");
    flush_begin(&model->flush, &model->table, &model->dialect, model->expire_ms);
    for (size_t type = 0; type < METRIC_TYPE_COUNT; type++) {
        for (size_t i = 0; i < N_NAMES; i++) {
            struct expected *expected = &model->all[type][i];
            bool is_old =
                model->expire_ms != 0 && expected->updated_ms + model->expire_ms < interval.end_ms;

            if (type == METRIC_GAUGE && is_old && expected->n[model->open] == 0)
                expected->is_known = false;
            expected->is_due = expected->n[model->open] > 0 || expected->is_known;
        }
    }
    model->open ^= 1;
}

/* The point that tells how many samples came or, of a gauge, what was set last. */
static double
told_by(const struct record *record)
{
    return record->points[record->source == METRIC_TIMER ? 1 : 0].value;
}

static void
check_record(struct model *model, const struct record *record)
{
    char name[16] = "";
    unsigned closed = model->open ^ 1;
    struct expected *expected;
    double value;

    memcpy(name, record->name, record->name_len);
    expected = &model->all[record->source][atoi(name + 1)];
    if (expected->n[closed] > 0) {
        expected->sent = expected->gauge[closed];
        expected->is_known = record->source == METRIC_GAUGE;
    }
    value = record->source == METRIC_GAUGE ? expected->sent : expected->n[closed];
    if (!expected->is_due || fabs(told_by(record) - value) > 0)
        ck_abort_msg("%s %s is %g, not %g (due: %d)",
                     metric_type_name((enum metric_type)record->source), name, told_by(record),
                     value, expected->is_due);
    expected->is_due = false;
    expected->n[closed] = 0;
    model->n_records++;
}

static void
check_none_is_due(const struct model *model)
{
    for (size_t type = 0; type < METRIC_TYPE_COUNT; type++) {
        for (size_t i = 0; i < N_NAMES; i++) {
            if (model->all[type][i].is_due)
                ck_abort_msg("%s n%zu was not sent", metric_type_name((enum metric_type)type), i);
        }
    }
}

/* Some metrics fall idle: in three of four stretches of 16 intervals few samples come. */
static uint64_t
traffic(int interval)
{
    return interval / 16 % 4 == 0 ? 500 : interval / 16 % 4 == 1 ? 30 : 3;
}

START_TEST(test_like_an_array)
{
    static const struct hash_key key = {5, 6};
    static const uint64_t expire_ms[] = {0, INTERVAL_MS, 5 * INTERVAL_MS};
    static struct model model;
    uint32_t most = 0, least = UINT32_MAX;

    model.state = SEED + (uint64_t)_i;
    model.expire_ms = expire_ms[_i];
    dialect_init(&model.dialect);
    model.dialect.rates = false;
    ck_assert_int_eq(table_init(&model.table, 4 << 20, UINT32_MAX, &key), 0);
    for (int interval = 0; interval < N_INTERVALS; interval++) {
        struct record record;

        apply_some(&model, traffic(interval));
        close_interval(&model);
        while (flush_peek(&model.flush, &record)) {
            if (draw(&model.state) % 16 == 0 && model.expire_ms == 0)
                apply_some(&model, traffic(interval) / 50);
            if (!flush_peek(&model.flush, &record))
                ck_abort_msg("a record is gone");
            check_record(&model, &record);
            flush_advance(&model.flush);
        }
        check_none_is_due(&model);
        most = model.table.n_total > most ? model.table.n_total : most;
        least = model.table.n_total < least ? model.table.n_total : least;
    }
    ck_assert_uint_gt(model.n_records, 1000);
    ck_assert_uint_gt(most, 100);
    ck_assert_uint_lt(least, most);
    table_release(&model.table);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("intervals");
    TCase *tcase = tcase_create("intervals");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_like_an_array, 0, 3);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
