/*
 * check_intervals: hundreds of intervals of one to four tables, with samples of chance amid the
 * walk, against a plain array of what each name should say.
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
#define N_INTERVALS 300
#define MOST_TABLES 4

/* What is known of a name; by generation, of all tables together. */
struct expected {
    uint32_t n[2];
    double sum[2];       /* of a counter */
    double upper[2];     /* of a timer, whose values only grow */
    double gauge[2];     /* the last value that was set */
    double sent;         /* of a gauge: what the last flush had */
    uint32_t members[2]; /* of a set */
    bool is_alive;       /* not forgotten yet */
    bool is_due;
    uint32_t n_idle;
    uint64_t updated_ms;
};

struct model {
    struct table tables[MOST_TABLES];
    size_t n_tables;
    struct dialect dialect;
    struct filter filter;
    struct rules rules;
    struct flush flush;
    struct expected all[METRIC_TYPE_COUNT][N_NAMES];
    unsigned open;
    uint64_t state, now_ms;
    uint32_t n_samples, n_records, n_idle_records;
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

static void
expect_sample(struct model *model, struct expected *expected, const struct sample *sample,
              uint32_t member)
{
    unsigned open = model->open;

    expected->is_alive = true;
    expected->n[open]++;
    expected->sum[open] += sample->value / sample->rate;
    expected->gauge[open] = expected->upper[open] = sample->value;
    expected->members[open] |= 1u << member;
    expected->updated_ms = model->now_ms;
}

/* Into one of the tables. No two samples are of the same time. */
static void
apply_one(struct model *model)
{
    enum metric_type type = (enum metric_type)(draw(&model->state) % METRIC_TYPE_COUNT);
    size_t i = draw(&model->state) % N_NAMES;
    struct table *table = &model->tables[draw(&model->state) % model->n_tables];
    uint32_t member = (uint32_t)(draw(&model->state) % 32);
    struct sample sample = {
        .type = type,
        .value = ++model->n_samples,
        .rate = draw(&model->state) % 2 == 0 ? 1 : 0.5,
        .member = (const char *)&member,
        .member_len = sizeof(member),
    };
    char text[16];
    struct name name = {.text = text, .len = (size_t)snprintf(text, sizeof(text), "n%zu", i)};
    uint32_t hash = table_hash(table, type, &name);

    model->now_ms++;
    if (table_apply(table, &sample, &name, hash, model->now_ms) != TABLE_APPLIED)
        ck_abort_msg("%s was refused", text);
    expect_sample(model, &model->all[type][i], &sample, member);
}

static void
apply_some(struct model *model, uint64_t max)
{
    for (uint64_t n = draw(&model->state) % (max + 1); n > 0; n--)
        apply_one(model);
}

/* What the rules say, once more. */
static void
expect_flush(struct model *model, enum metric_type type, struct expected *expected, uint64_t end_ms)
{
    const struct rules *rules = &model->rules;
    uint64_t expire_ms = rules->expire_ms[type];

    if (expected->n[model->open] > 0) {
        expected->is_due = true;
        return;
    }
    if (expire_ms != 0 && expected->updated_ms + expire_ms < end_ms)
        expected->is_alive = false;
    if (type == METRIC_GAUGE && rules->omit_idle_gauges &&
        expected->n_idle + 2 > rules->gauges_max_ttl)
        expected->is_alive = false;
    expected->is_due = expected->is_alive && (type == METRIC_GAUGE || rules->idle_zero[type]);
    expected->n_idle++;
}

/* Closes the interval and notes who has to be sent. */
static void
close_interval(struct model *model)
{
    struct interval interval = {.span_ms = INTERVAL_MS};

    model->now_ms += INTERVAL_MS - model->now_ms % INTERVAL_MS;
    interval.end_ms = model->now_ms;
    for (size_t i = 0; i < model->n_tables; i++)
        table_close(&model->tables[i]);
    flush_begin(&model->flush, &interval);
    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        for (size_t i = 0; i < N_NAMES; i++)
            expect_flush(model, (enum metric_type)type, &model->all[type][i], interval.end_ms);
    }
    model->open ^= 1;
}

static double
point_of(const struct record *record, enum statistic statistic)
{
    for (size_t i = 0; i < record->n_points; i++) {
        if (record->points[i].statistic == statistic)
            return record->points[i].value;
    }
    return -1;
}

/* What a record says of samples, or that there were none. */
static bool
is_right(const struct record *record, const struct expected *expected, unsigned closed)
{
    bool is_idle = expected->n[closed] == 0;

    switch (record->source) {
    case METRIC_COUNTER:
        return !(fabs(point_of(record, STATISTIC_RATE) - expected->sum[closed]) > 0);
    case METRIC_GAUGE:
        return !(fabs(point_of(record, STATISTIC_VALUE) -
                      (is_idle ? expected->sent : expected->gauge[closed])) > 0);
    case METRIC_TIMER:
        return !(fabs(point_of(record, STATISTIC_COUNT) - expected->n[closed]) > 0) &&
               (is_idle ? record->n_points == 1
                        : !(fabs(point_of(record, STATISTIC_UPPER) - expected->upper[closed]) > 0));
    default:
        return !(fabs(point_of(record, STATISTIC_COUNT) -
                      __builtin_popcount(expected->members[closed])) > 0);
    }
}

static void
check_record(struct model *model, const struct record *record)
{
    char name[16] = "";
    unsigned closed = model->open ^ 1;
    struct expected *expected;

    memcpy(name, record->name, record->name_len);
    expected = &model->all[record->source][atoi(name + 1)];
    /* With a sample amid the walk what has expired may just have become young again. */
    if ((!expected->is_due && expected->n[model->open] == 0) || !is_right(record, expected, closed))
        ck_abort_msg("%s %s is %g of %u samples (due: %d)",
                     metric_type_name((enum metric_type)record->source), name,
                     record->points[0].value, expected->n[closed], expected->is_due);
    model->n_records++;
    model->n_idle_records += expected->n[closed] == 0;
    if (expected->n[closed] > 0) {
        expected->sent = expected->gauge[closed];
        expected->n_idle = 0;
    }
    expected->is_due = false;
    expected->n[closed] = expected->members[closed] = 0;
    expected->sum[closed] = 0;
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

static const struct rules all_rules[] = {
    {.expire_ms = {0}},
    {.expire_ms = {INTERVAL_MS, INTERVAL_MS, INTERVAL_MS, INTERVAL_MS}},
    {.expire_ms = {0, 5 * INTERVAL_MS}, .idle_zero = {true, false, true, true}},
    {.expire_ms = {3 * INTERVAL_MS, 0, 7 * INTERVAL_MS, 1},
     .idle_zero = {true, false, false, true},
     .omit_idle_gauges = true,
     .gauges_max_ttl = 3},
    {.omit_idle_gauges = true, .gauges_max_ttl = 1},
};

#define N_RULES ((int)(sizeof(all_rules) / sizeof(all_rules[0])))

static void
init(struct model *model, int n_tables, const struct rules *rules)
{
    struct table_opts opts = {
        .arena = {.size = 4 << 20},
        .max_metrics = UINT32_MAX,
        .timer_max_samples = 100000,
        .set_exact_max = 100000,
        .filter = &model->filter,
        .key = {5, 6},
    };
    struct flush_opts flush = {
        .dialect = &model->dialect, .rules = &model->rules, .max_samples = 100000};

    memset(model, 0, sizeof(*model));
    model->state = SEED;
    model->n_tables = (size_t)n_tables;
    model->rules = *rules;
    model->now_ms = INTERVAL_MS;
    dialect_init(&model->dialect);
    model->dialect.rates = false;
    for (size_t i = 0; i < model->n_tables; i++) {
        ck_assert_int_eq(table_init(&model->tables[i], &opts, 0), 0);
        flush.tables[flush.n_tables++] = &model->tables[i];
    }
    ck_assert_int_eq(flush_init(&model->flush, &flush), 0);
}

static void
release(struct model *model)
{
    flush_release(&model->flush);
    for (size_t i = 0; i < model->n_tables; i++)
        table_release(&model->tables[i]);
}

/* Some samples come amid the second walk, too. */
static void
clear_interval(struct model *model)
{
    flush_begin_clear(&model->flush);
    while (flush_clear(&model->flush, 1 + draw(&model->state) % 20)) {
        if (draw(&model->state) % 4 == 0)
            apply_some(model, 2);
    }
}

static void
run_interval(struct model *model, int interval)
{
    struct record record, again;
    uint64_t n = 0;

    apply_some(model, traffic(interval));
    close_interval(model);
    for (; flush_peek(&model->flush, &record); n++) {
        if (draw(&model->state) % 16 == 0)
            apply_some(model, 1 + traffic(interval) / 50);
        if (!flush_peek(&model->flush, &again) || again.n_points != record.n_points ||
            again.name != record.name || again.source != record.source ||
            memcmp(&again.points[0].value, &record.points[0].value, sizeof(double)) != 0)
            ck_abort_msg("a record has changed");
        check_record(model, &again);
        flush_advance(&model->flush);
    }
    ck_assert_uint_eq(model->flush.n_records, n);
    clear_interval(model);
    for (size_t i = 0; i < model->n_tables; i++)
        ck_assert(!model->tables[i].flushing);
    check_none_is_due(model);
}

START_TEST(test_like_an_array)
{
    static struct model model;
    uint32_t most = 0, least = UINT32_MAX;

    init(&model, 1 + _i / N_RULES, &all_rules[_i % N_RULES]);
    for (int interval = 0; interval < N_INTERVALS; interval++) {
        uint32_t n = 0;

        run_interval(&model, interval);
        for (size_t i = 0; i < model.n_tables; i++)
            n += model.tables[i].n_metrics;
        most = n > most ? n : most;
        least = n < least ? n : least;
    }
    ck_assert_uint_gt(model.n_records, 1000);
    if (model.rules.gauges_max_ttl == 1)
        ck_assert_uint_eq(model.n_idle_records, 0);
    ck_assert_uint_gt(most, 100);
    ck_assert_uint_lt(least, most);
    release(&model);
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
    tcase_add_loop_test(tcase, test_like_an_array, 0, MOST_TABLES * N_RULES);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
