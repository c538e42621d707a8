/*
 * check_flush: what an interval of one or several tables sends, as text; when metrics are
 * forgotten, wherever they stand.
 */
#include "metric/flush.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define SEED        UINT64_C(20240304)
#define INTERVAL_MS 10000
#define MAX_SAMPLES 100

#define MOST_TABLES 4

/* Tables, whom they speak to, and the clock. apply takes the table that comes first. */
struct bench {
    struct table table, others[MOST_TABLES - 1];
    size_t n_tables;
    struct flush flush;
    struct dialect dialect;
    struct rules rules;
    struct filter filter;
    uint8_t patterns[64];
    uint64_t now_ms;
    char text[16384]; /* what the last flush sent */
    size_t text_len;
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

static struct table *
nth(struct bench *bench, size_t i)
{
    return i == 0 ? &bench->table : &bench->others[i - 1];
}

static struct bench *
bench_with(size_t n_tables, size_t memory)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct table_opts opts = {
        .arena = {.size = memory},
        .max_metrics = UINT32_MAX,
        .timer_max_samples = MAX_SAMPLES,
        .set_exact_max = 100,
        .key = {3, 4},
    };
    struct flush_opts flush = {.max_samples = MAX_SAMPLES};

    ck_assert_ptr_nonnull(bench);
    opts.filter = &bench->filter;
    bench->n_tables = n_tables;
    for (size_t i = 0; i < n_tables; i++) {
        flush.tables[flush.n_tables++] = nth(bench, i);
        ck_assert_int_eq(table_init(nth(bench, i), &opts, 0), 0);
    }
    dialect_init(&bench->dialect);
    bench->now_ms = INTERVAL_MS;
    flush.dialect = &bench->dialect;
    flush.rules = &bench->rules;
    ck_assert_int_eq(flush_init(&bench->flush, &flush), 0);
    return bench;
}

static struct bench *
bench_new(void)
{
    return bench_with(1, 1 << 20);
}

static void
bench_free(struct bench *bench)
{
    flush_release(&bench->flush);
    flush_release(&bench->flush);
    for (size_t i = 0; i < bench->n_tables; i++)
        table_release(nth(bench, i));
    free(bench);
}

static void
expire_after(struct bench *bench, uint64_t expire_ms)
{
    for (size_t type = 0; type < METRIC_TYPE_COUNT; type++)
        bench->rules.expire_ms[type] = expire_ms;
}

/* A sample; a set takes its value as its member. */
static void
apply_to(struct bench *bench, size_t table, enum metric_type type, const char *text, double value)
{
    struct sample sample = {
        .type = type,
        .value = value,
        .rate = 1,
        .member = (const char *)&value,
        .member_len = sizeof(value),
    };
    struct name name = {.text = text, .len = strlen(text)};
    uint32_t hash = table_hash(nth(bench, table), type, &name);
    enum table_verdict verdict =
        table_apply(nth(bench, table), &sample, &name, hash, bench->now_ms);

    if (verdict != TABLE_APPLIED && verdict != TABLE_FILTERED)
        ck_abort_msg("%s was refused", text);
}

static void
apply(struct bench *bench, enum metric_type type, const char *name, double value)
{
    apply_to(bench, 0, type, name, value);
}

static void
begin(struct bench *bench)
{
    struct interval interval = {.span_ms = INTERVAL_MS};

    bench->now_ms += INTERVAL_MS;
    interval.end_ms = bench->now_ms;
    for (size_t i = 0; i < bench->n_tables; i++)
        table_close(nth(bench, i));
    flush_begin(&bench->flush, &interval);
    bench->text_len = 0;
    bench->text[0] = '\0';
}

/* Appends "name value" and a blank for every point of a record. */
static void
note(struct bench *bench, const struct record *record)
{
    for (size_t i = 0; i < record->n_points; i++) {
        char number[NUM_TEXT_MAX];
        size_t len = num_format(record->points[i].value, number);
        struct buf buf;

        buf_init_fixed(&buf, bench->text + bench->text_len,
                       sizeof(bench->text) - bench->text_len - 1);
        if (dialect_append_name(&bench->dialect, record, &record->points[i], &buf) != 0 ||
            buf_append(&buf, " ", 1) != 0 || buf_append(&buf, number, len) != 0 ||
            buf_append(&buf, " ", 1) != 0)
            ck_abort_msg("no room for the text");
        bench->text_len += buf.len;
        bench->text[bench->text_len] = '\0';
    }
}

/* The second walk, in strides. */
static void
clear(struct bench *bench)
{
    flush_begin_clear(&bench->flush);
    while (flush_clear(&bench->flush, 7)) {
        for (size_t i = 0; i < bench->n_tables; i++)
            ck_assert(nth(bench, i)->flushing);
    }
    ck_assert(!flush_clear(&bench->flush, 7));
    for (size_t i = 0; i < bench->n_tables; i++)
        ck_assert(!nth(bench, i)->flushing);
}

/* The rest of a flush; returns its text. */
static const char *
finish(struct bench *bench)
{
    struct record record;

    while (flush_peek(&bench->flush, &record)) {
        note(bench, &record);
        flush_advance(&bench->flush);
    }
    ck_assert(!flush_peek(&bench->flush, &record));
    clear(bench);
    return bench->text;
}

static const char *
flush_all(struct bench *bench)
{
    begin(bench);
    return finish(bench);
}

START_TEST(test_every_type)
{
    struct bench *bench = bench_new();

    ck_assert_str_eq(flush_all(bench), "");
    for (int i = 1; i <= 3; i++) {
        apply(bench, METRIC_COUNTER, "c", i);
        apply(bench, METRIC_GAUGE, "g", i);
        apply(bench, METRIC_TIMER, "t", i);
        apply(bench, METRIC_SET, "s", i / 2); /* 0 1 1 */
    }
    ck_assert_str_eq(flush_all(bench), "stats.c 0.6 stats.g 3 stats.timers.t.lower 1 "
                                       "stats.timers.t.count 3 stats.timers.t.mean 2 "
                                       "stats.timers.t.upper 3 stats.timers.t.upper_90 2 "
                                       "stats.sets.s.count 2 ");
    ck_assert_str_eq(flush_all(bench), "stats.g 3 ");
    bench->dialect.rates = false;
    apply(bench, METRIC_COUNTER, "c", 6);
    ck_assert_str_eq(flush_all(bench), "stats.c 6 stats.g 3 ");
    bench_free(bench);
}
END_TEST

START_TEST(test_idle_gauge_has_its_last_value)
{
    struct bench *bench = bench_new();

    apply(bench, METRIC_GAUGE, "g", 1);
    apply(bench, METRIC_GAUGE, "g", -2.5);
    for (int i = 0; i < 300; i++) /* more than an idle count of a byte */
        ck_assert_str_eq(flush_all(bench), "stats.g -2.5 ");
    apply(bench, METRIC_GAUGE, "g", 0);
    ck_assert_str_eq(flush_all(bench), "stats.g 0 ");
    ck_assert_str_eq(flush_all(bench), "stats.g 0 ");
    bench_free(bench);
}
END_TEST

/* What arrives while the closed interval is walked belongs to the next one. */
START_TEST(test_samples_amid_the_walk)
{
    struct bench *bench = bench_new();
    struct record record;

    apply(bench, METRIC_GAUGE, "old", 1);
    apply(bench, METRIC_COUNTER, "c", 10);
    apply(bench, METRIC_SET, "s", 1);
    begin(bench);
    apply(bench, METRIC_GAUGE, "new", 5);
    apply(bench, METRIC_GAUGE, "old", 2);
    ck_assert(flush_peek(&bench->flush, &record));
    note(bench, &record);
    apply(bench, METRIC_COUNTER, "c", 20);
    apply(bench, METRIC_SET, "s", 2);
    apply(bench, METRIC_SET, "s", 3);
    flush_advance(&bench->flush);
    apply(bench, METRIC_GAUGE, "old", 3);
    ck_assert_str_eq(finish(bench), "stats.old 1 stats.c 1 stats.sets.s.count 1 ");
    ck_assert_uint_eq(bench->flush.n_records, 3);
    ck_assert_str_eq(flush_all(bench), "stats.old 3 stats.c 2 stats.sets.s.count 2 stats.new 5 ");
    ck_assert_str_eq(flush_all(bench), "stats.old 3 stats.new 5 ");
    bench_free(bench);
}
END_TEST

static size_t
peek_encoded(struct flush *flush, uint8_t out[RECORD_ENCODED_MAX])
{
    struct record record;
    struct buf buf;

    buf_init_fixed(&buf, out, RECORD_ENCODED_MAX);
    if (flush_peek(flush, &record) && record_encode(&record, &buf) != 0)
        ck_abort_msg("a record does not fit");
    return buf.len;
}

START_TEST(test_peek_twice)
{
    struct bench *bench = bench_new();
    uint8_t first[RECORD_ENCODED_MAX], second[RECORD_ENCODED_MAX];
    uint64_t state = SEED;
    size_t len, n = 0;

    for (int i = 0; i < 1000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%u", (unsigned)(draw(&state) % 10));
        apply(bench, (enum metric_type)(draw(&state) % METRIC_TYPE_COUNT), name,
              (double)(draw(&state) % 100));
    }
    begin(bench);
    for (; (len = peek_encoded(&bench->flush, first)) > 0; n++) {
        apply(bench, METRIC_TIMER, "n1", 4711);
        apply(bench, METRIC_COUNTER, "fresh", 1);
        ck_assert_uint_eq(peek_encoded(&bench->flush, second), len);
        ck_assert_int_eq(memcmp(first, second, len), 0);
        flush_advance(&bench->flush);
    }
    ck_assert_uint_eq(n, 40);
    ck_assert_uint_eq(bench->flush.n_records, 40);
    bench_free(bench);
}
END_TEST

/* All records of a first walk, encoded. */
static size_t
walk(struct bench *bench, const struct interval *interval, bool is_open, uint8_t *out, size_t size)
{
    struct record record;
    struct buf buf;

    buf_init_fixed(&buf, out, size);
    if (is_open)
        flush_begin_open(&bench->flush, interval);
    else
        flush_begin(&bench->flush, interval);
    for (; flush_peek(&bench->flush, &record); flush_advance(&bench->flush)) {
        if (record_encode(&record, &buf) != 0)
            ck_abort_msg("no room for a record");
    }
    return buf.len;
}

/* Of all types, into all tables. */
static void
apply_many(struct bench *bench, uint64_t *state, int n)
{
    for (int i = 0; i < n; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "n%u", (unsigned)(draw(state) % 10));
        apply_to(bench, draw(state) % bench->n_tables,
                 (enum metric_type)(draw(state) % METRIC_TYPE_COUNT), name,
                 (double)(draw(state) % 1000));
    }
}

#define WALK_SIZE 65536

/* However often, wherever it was cut off, whoever makes it, and whatever comes meanwhile. */
START_TEST(test_first_walk_again)
{
    struct bench *bench = bench_with((size_t)_i, 1 << 20);
    struct interval interval = {.end_ms = 3 * INTERVAL_MS, .span_ms = INTERVAL_MS};
    static uint8_t first[WALK_SIZE], again[WALK_SIZE];
    uint64_t state = SEED;
    size_t len;

    apply_many(bench, &state, 3000); /* more than is kept exactly of each */
    for (size_t i = 0; i < bench->n_tables; i++)
        table_close(nth(bench, i));
    len = walk(bench, &interval, false, first, WALK_SIZE);
    ck_assert_uint_eq(bench->flush.n_records, 40);
    for (int round = 0; round < 300; round++) {
        struct record record;

        apply_many(bench, &state, 10);
        flush_begin(&bench->flush, &interval);
        for (uint64_t n = draw(&state) % 40; n > 0; n--) {
            ck_assert(flush_peek(&bench->flush, &record));
            flush_advance(&bench->flush);
        }
        if (round % 50 == 0) { /* as another process would */
            struct flush_opts opts = bench->flush.opts;

            flush_release(&bench->flush);
            ck_assert_int_eq(flush_init(&bench->flush, &opts), 0);
        }
        ck_assert_uint_eq(walk(bench, &interval, false, again, WALK_SIZE), len);
        ck_assert_mem_eq(first, again, len);
    }
    bench_free(bench);
}
END_TEST

/* What is left of the open interval is the same as if it had never been walked. */
START_TEST(test_open_walk)
{
    struct bench *bench = bench_with((size_t)_i, 1 << 20);
    struct interval interval = {.end_ms = 2 * INTERVAL_MS, .span_ms = INTERVAL_MS};
    static uint8_t open[WALK_SIZE], closed[WALK_SIZE];
    uint64_t state = SEED;
    size_t len;

    apply_many(bench, &state, 500);
    for (int round = 0; round < 5; round++) {
        apply_many(bench, &state, 500);
        interval.end_ms += INTERVAL_MS;
        len = walk(bench, &interval, true, open, WALK_SIZE);
        ck_assert_uint_ge(bench->flush.n_records, 30);
        for (size_t i = 0; i < bench->n_tables; i++)
            table_close(nth(bench, i));
        ck_assert_uint_eq(walk(bench, &interval, false, closed, WALK_SIZE), len);
        ck_assert_mem_eq(open, closed, len);
        clear(bench);
    }
    bench_free(bench);
}
END_TEST

/* A second walk that is cut off and begun again, even by another process that has not made the
 * first, leaves what one in one go does. */
START_TEST(test_second_walk_again)
{
    struct bench *whole = bench_with((size_t)_i, 1 << 20), *cut = bench_with((size_t)_i, 1 << 20);
    uint64_t state = SEED, cut_state = SEED, chance = SEED;

    for (int round = 0; round < 60; round++) {
        int n = round % 12 == 0 ? 200 : 3; /* most fall idle, and are forgotten */

        apply_many(whole, &state, n);
        apply_many(cut, &cut_state, n);
        begin(cut);
        for (struct record record; flush_peek(&cut->flush, &record);) {
            note(cut, &record);
            flush_advance(&cut->flush);
        }
        for (uint64_t left = draw(&chance) % 4; left > 0; left--) {
            struct flush_opts opts = cut->flush.opts;

            flush_begin_clear(&cut->flush);
            if (!flush_clear(&cut->flush, 1 + draw(&chance) % 30))
                break;
            flush_release(&cut->flush);
            ck_assert_int_eq(flush_init(&cut->flush, &opts), 0);
        }
        if (cut->table.flushing)
            clear(cut);
        ck_assert_str_eq(flush_all(whole), cut->text);
        for (size_t i = 0; i < whole->n_tables; i++) {
            ck_assert_uint_eq(nth(cut, i)->n_metrics, nth(whole, i)->n_metrics);
            ck_assert_uint_eq(nth(cut, i)->arena.used + nth(whole, i)->freed.size,
                              nth(whole, i)->arena.used + nth(cut, i)->freed.size);
        }
    }
    bench_free(whole);
    bench_free(cut);
}
END_TEST

/* At exactly its age it still goes, as with py-statsd. */
START_TEST(test_expiry)
{
    struct bench *bench = bench_new();

    expire_after(bench, 2 * INTERVAL_MS);
    apply(bench, METRIC_GAUGE, "g", 1);
    bench->now_ms++;
    apply(bench, METRIC_GAUGE, "later", 2);
    bench->now_ms--;
    ck_assert_str_eq(flush_all(bench), "stats.g 1 stats.later 2 ");
    ck_assert_str_eq(flush_all(bench), "stats.g 1 stats.later 2 ");
    bench->now_ms++;
    ck_assert_str_eq(flush_all(bench), "");
    ck_assert_uint_eq(bench->flush.n_metrics[METRIC_GAUGE], 0);
    ck_assert_str_eq(flush_all(bench), "");
    ck_assert_uint_eq(bench->table.n_metrics, 1); /* the newest goes when it is that no more */
    apply(bench, METRIC_GAUGE, "g", 7);
    ck_assert_str_eq(flush_all(bench), "stats.g 7 ");
    bench_free(bench);
}
END_TEST

START_TEST(test_expiry_of_one_alone)
{
    struct bench *bench = bench_new();

    expire_after(bench, INTERVAL_MS);
    apply(bench, METRIC_GAUGE, "g", 1);
    bench->now_ms++;
    apply(bench, METRIC_GAUGE, "h", 2);
    bench->now_ms--;
    ck_assert_str_eq(flush_all(bench), "stats.g 1 stats.h 2 ");
    bench->now_ms -= INTERVAL_MS - 1; /* the interval ends 1 ms behind g's last moment */
    ck_assert_str_eq(flush_all(bench), "stats.h 2 ");
    ck_assert_uint_eq(bench->flush.n_metrics[METRIC_GAUGE], 1);
    bench_free(bench);
}
END_TEST

START_TEST(test_idle_metrics_are_forgotten)
{
    static const enum metric_type types[] = {METRIC_COUNTER, METRIC_TIMER, METRIC_SET};
    enum metric_type type = types[_i];
    struct bench *bench = bench_new();
    static const char *const newer[] = {"g0", "g1", "g2"};
    size_t used = 0;

    for (int round = 0; round < 3; round++) {
        apply(bench, type, "x", 5);
        flush_all(bench);
        ck_assert_ptr_nonnull(strchr(bench->text, 'x'));
        for (int i = 1; i < RULES_IDLE_MAX; i++)
            ck_assert_ptr_null(strstr(flush_all(bench), "x"));
        apply(bench, type, "x", 5); /* counts from the start again */
        apply(bench, METRIC_GAUGE, newer[round], 1);
        flush_all(bench);
        ck_assert_ptr_nonnull(strchr(bench->text, 'x'));
        for (int i = 1; i < RULES_IDLE_MAX; i++) {
            flush_all(bench);
            ck_assert_uint_eq(bench->flush.n_metrics[type], 1);
        }
        flush_all(bench);
        ck_assert_uint_eq(bench->flush.n_metrics[type], 0);
        ck_assert_uint_eq(bench->table.n_metrics, (unsigned)round + 2);
        flush_all(bench); /* its close forgets what the last flush took out */
        ck_assert_uint_eq(bench->table.n_metrics, (unsigned)round + 1);
        ck_assert_uint_eq(bench->table.unlinked, 0);
        if (round > 0)
            ck_assert_uint_eq(bench->table.arena.used,
                              used + (metric_size(METRIC_GAUGE, 2) + 15) / 16 * 16);
        used = bench->table.arena.used;
    }
    bench_free(bench);
}
END_TEST

/* The sample that comes amid the flush that would forget its metric is not lost. */
START_TEST(test_sample_in_the_last_moment)
{
    struct bench *bench = bench_new();

    apply(bench, METRIC_COUNTER, "x", 10);
    for (int i = 0; i < RULES_IDLE_MAX; i++)
        flush_all(bench);
    begin(bench);
    apply(bench, METRIC_COUNTER, "x", 20);
    ck_assert_str_eq(finish(bench), "");
    ck_assert_str_eq(flush_all(bench), "stats.x 2 ");
    bench_free(bench);
}
END_TEST

/* Six metrics, of which the bits of mask go on; the others are removed wherever they stand. */
static void
check_removal(unsigned mask)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    struct bench *bench = bench_new();
    char expected[128] = "";

    for (unsigned i = 0; i < 6; i++)
        apply(bench, METRIC_COUNTER, names[i], 10);
    flush_all(bench);
    for (int idle = 0; idle < RULES_IDLE_MAX; idle++) {
        expected[0] = '\0';
        for (unsigned i = 0; i < 6; i++) {
            if ((mask & 1u << i) == 0)
                continue;
            apply(bench, METRIC_COUNTER, names[i], 10);
            snprintf(expected + strlen(expected), 16, "stats.%s 1 ", names[i]);
        }
        begin(bench);
        if (idle == RULES_IDLE_MAX - 1)
            apply(bench, METRIC_COUNTER, "new", 30);
        ck_assert_str_eq(finish(bench), expected);
    }
    ck_assert_uint_eq(bench->flush.n_metrics[METRIC_COUNTER], (unsigned)__builtin_popcount(mask));
    apply(bench, METRIC_COUNTER, "new", 30); /* twice, so that it is behind "f" */
    flush_all(bench);
    /* "f" was the newest when it was to be forgotten. */
    ck_assert_uint_eq(bench->table.n_metrics,
                      (unsigned)__builtin_popcount(mask) + 1 + ((mask & 32) == 0));
    for (unsigned i = 0; i < 6; i++)
        apply(bench, METRIC_COUNTER, names[i], 10);
    flush_all(bench);
    ck_assert_uint_eq(bench->flush.n_records, 6);
    ck_assert_uint_eq(bench->table.n_metrics, 7);
    bench_free(bench);
}

START_TEST(test_removal_amid_the_walk)
{
    for (unsigned mask = 0; mask < 64; mask++)
        check_removal(mask);
}
END_TEST

/* No more than the bound at once, so that no close takes long; but all in the end. */
START_TEST(test_forgotten_max)
{
    enum { N = 2 * TABLE_FORGOTTEN_MAX + 1000 };
    struct bench *bench = bench_with(1, 64 << 20);
    char name[16];

    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        apply(bench, METRIC_COUNTER, name, 1);
    }
    begin(bench);
    for (struct record record; flush_peek(&bench->flush, &record);)
        flush_advance(&bench->flush);
    ck_assert_uint_eq(bench->flush.n_records, N);
    clear(bench);
    for (int i = 0; i < RULES_IDLE_MAX; i++)
        ck_assert_str_eq(flush_all(bench), "");
    for (int n = N; n > TABLE_FORGOTTEN_MAX; n -= TABLE_FORGOTTEN_MAX) {
        ck_assert_uint_eq(bench->table.n_metrics, (unsigned)n);
        ck_assert_str_eq(flush_all(bench), "");
    }
    ck_assert_uint_eq(bench->table.n_metrics, N - 2 * TABLE_FORGOTTEN_MAX);
    flush_all(bench);
    ck_assert_uint_eq(bench->table.n_metrics, 1);
    bench_free(bench);
}
END_TEST

/* Between the flush that took it out and the close that would forget it, a metric comes back. */
START_TEST(test_revived)
{
    struct bench *bench = bench_new();
    struct metric *metric;

    apply(bench, METRIC_COUNTER, "x", 10);
    apply(bench, METRIC_GAUGE, "newest", 1);
    metric = arena_at(&bench->table.arena, bench->table.first);
    for (int i = 0; i <= RULES_IDLE_MAX; i++)
        flush_all(bench);
    ck_assert_uint_ne(bench->table.unlinked, 0);
    apply(bench, METRIC_COUNTER, "x", 20);
    ck_assert_str_eq(flush_all(bench), "stats.newest 1 stats.x 2 ");
    ck_assert_ptr_eq(arena_at(&bench->table.arena, bench->table.last), metric);
    ck_assert_uint_eq(metric->active, bench->flush.number);
    ck_assert_str_eq(flush_all(bench), "stats.newest 1 ");
    bench_free(bench);
}
END_TEST

START_TEST(test_filtered)
{
    struct filter_opts lists = {.drop = NULL, .allow = "yes.*"};
    struct bench *bench = bench_with(2, 1 << 20);

    ck_assert_int_eq(filter_init(&bench->filter, &lists, bench->patterns, sizeof(bench->patterns)),
                     0);
    bench->rules.idle_zero[METRIC_COUNTER] = true;
    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        apply_to(bench, type % 2, (enum metric_type)type, "no.x", 1);
        apply_to(bench, 1, (enum metric_type)type, "no.y", 1);
    }
    apply_to(bench, 0, METRIC_COUNTER, "yes.x", 10);
    apply_to(bench, 1, METRIC_GAUGE, "yes.y", 3);
    ck_assert_str_eq(flush_all(bench), "stats.yes.x 1 stats.yes.y 3 ");
    ck_assert_uint_eq(bench->flush.n_records, 2);
    for (int i = 0; i <= RULES_IDLE_MAX; i++)
        ck_assert_str_eq(flush_all(bench), "stats.yes.x 0 stats.yes.y 3 ");
    ck_assert_uint_eq(nth(bench, 0)->n_metrics, 1);
    ck_assert_uint_eq(nth(bench, 1)->n_metrics, 1);
    bench_free(bench);
}
END_TEST

START_TEST(test_idle_zero)
{
    struct bench *bench = bench_new();

    bench->rules.idle_zero[METRIC_COUNTER] = true;
    bench->rules.idle_zero[METRIC_TIMER] = true;
    bench->rules.idle_zero[METRIC_SET] = true;
    apply(bench, METRIC_COUNTER, "c", 10);
    apply(bench, METRIC_TIMER, "t", 4);
    apply(bench, METRIC_SET, "s", 1);
    ck_assert_str_eq(flush_all(bench), "stats.c 1 stats.timers.t.lower 4 stats.timers.t.count 1 "
                                       "stats.timers.t.mean 4 stats.timers.t.upper 4 "
                                       "stats.timers.t.upper_90 4 stats.sets.s.count 1 ");
    for (int i = 0; i < 3 * RULES_IDLE_MAX; i++)
        ck_assert_str_eq(flush_all(bench),
                         "stats.c 0 stats.timers.t.count 0 stats.sets.s.count 0 ");
    apply(bench, METRIC_COUNTER, "c", 20);
    ck_assert_str_eq(flush_all(bench), "stats.c 2 stats.timers.t.count 0 stats.sets.s.count 0 ");
    ck_assert_uint_eq(bench->flush.n_records, 3);
    bench_free(bench);
}
END_TEST

START_TEST(test_gauges_max_ttl)
{
    struct bench *bench = bench_new();

    bench->rules.omit_idle_gauges = true;
    bench->rules.gauges_max_ttl = 3;
    for (int round = 0; round < 2; round++) {
        apply(bench, METRIC_GAUGE, "g", 7);
        for (int i = 0; i < 3; i++)
            ck_assert_str_eq(flush_all(bench), "stats.g 7 ");
        ck_assert_str_eq(flush_all(bench), "");
        ck_assert_str_eq(flush_all(bench), "");
    }
    bench_free(bench);
}
END_TEST

/* The same names in several tables are one. */
START_TEST(test_tables_as_one)
{
    struct bench *bench = bench_with(4, 1 << 20);

    ck_assert_str_eq(flush_all(bench), "");
    for (size_t i = 0; i < 4; i++) {
        bench->now_ms += i == 2 ? 100 : 1; /* so that the third was set last */
        if (i == 3)
            bench->now_ms -= 50;
        apply_to(bench, i, METRIC_COUNTER, "c", 10);
        apply_to(bench, i, METRIC_GAUGE, "g", (double)i);
        apply_to(bench, i, METRIC_TIMER, "t", (double)i);
        apply_to(bench, i, METRIC_SET, "s", (double)(i / 2));
    }
    apply_to(bench, 3, METRIC_COUNTER, "last", 10);
    bench->now_ms = 2 * INTERVAL_MS;
    ck_assert_str_eq(flush_all(bench), "stats.c 4 stats.g 2 stats.timers.t.lower 0 "
                                       "stats.timers.t.count 4 stats.timers.t.mean 1.5 "
                                       "stats.timers.t.upper 3 stats.timers.t.upper_90 2 "
                                       "stats.sets.s.count 2 stats.last 1 ");
    ck_assert_uint_eq(bench->flush.n_records, 5);
    ck_assert_uint_eq(bench->flush.n_metrics[METRIC_COUNTER], 2);
    ck_assert_uint_eq(bench->flush.n_metrics[METRIC_GAUGE], 1);
    ck_assert_str_eq(flush_all(bench), "stats.g 2 ");
    apply_to(bench, 1, METRIC_GAUGE, "g", 5);
    ck_assert_str_eq(flush_all(bench), "stats.g 5 ");
    ck_assert_str_eq(flush_all(bench), "stats.g 5 ");
    for (int i = 0; i < RULES_IDLE_MAX; i++)
        flush_all(bench);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_le(nth(bench, i)->n_metrics, 2); /* the gauge, and a newest */
    bench_free(bench);
}
END_TEST

/* Which samples count is a matter of the interval, not of when the walk comes to them. */
START_TEST(test_gauge_that_is_set_again_amid_the_flush)
{
    struct bench *bench = bench_with(2, 1 << 20);

    apply_to(bench, 0, METRIC_GAUGE, "g", 1);
    bench->now_ms++;
    apply_to(bench, 1, METRIC_GAUGE, "g", 2);
    begin(bench);
    bench->now_ms++;
    apply_to(bench, 0, METRIC_GAUGE, "g", 3);
    ck_assert_str_eq(finish(bench), "stats.g 2 ");
    ck_assert_str_eq(flush_all(bench), "stats.g 3 ");
    ck_assert_str_eq(flush_all(bench), "stats.g 3 ");
    bench_free(bench);
}
END_TEST

/* A name that only a later table has is sent in every round, however many there have been. */
START_TEST(test_many_rounds)
{
    struct bench *bench = bench_with(2, 1 << 20);

    apply_to(bench, 0, METRIC_GAUGE, "first", 1);
    apply_to(bench, 1, METRIC_GAUGE, "second", 2);
    for (int i = 0; i < 600; i++) {
        if (i % 100 == 7)
            apply_to(bench, 0, METRIC_COUNTER, "both", 10);
        apply_to(bench, 1, METRIC_COUNTER, "both", 10);
        ck_assert_str_eq(flush_all(bench), i % 100 == 7
                                               ? "stats.first 1 stats.both 2 stats.second 2 "
                                           : i % 100 > 7 && i % 100 < 7 + RULES_IDLE_MAX
                                               ? "stats.first 1 stats.both 1 stats.second 2 "
                                               : bench->text);
        ck_assert_uint_eq(bench->flush.n_records, 3);
    }
    bench_free(bench);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("flush");
    TCase *tcase = tcase_create("flush");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_every_type);
    tcase_add_test(tcase, test_idle_gauge_has_its_last_value);
    tcase_add_test(tcase, test_samples_amid_the_walk);
    tcase_add_test(tcase, test_peek_twice);
    tcase_add_loop_test(tcase, test_first_walk_again, 1, MOST_TABLES + 1);
    tcase_add_loop_test(tcase, test_open_walk, 1, MOST_TABLES + 1);
    tcase_add_loop_test(tcase, test_second_walk_again, 1, MOST_TABLES + 1);
    tcase_add_test(tcase, test_expiry);
    tcase_add_test(tcase, test_expiry_of_one_alone);
    tcase_add_loop_test(tcase, test_idle_metrics_are_forgotten, 0, 3);
    tcase_add_test(tcase, test_sample_in_the_last_moment);
    tcase_add_test(tcase, test_removal_amid_the_walk);
    tcase_add_test(tcase, test_forgotten_max);
    tcase_add_test(tcase, test_revived);
    tcase_add_test(tcase, test_filtered);
    tcase_add_test(tcase, test_idle_zero);
    tcase_add_test(tcase, test_gauges_max_ttl);
    tcase_add_test(tcase, test_tables_as_one);
    tcase_add_test(tcase, test_gauge_that_is_set_again_amid_the_flush);
    tcase_add_test(tcase, test_many_rounds);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
