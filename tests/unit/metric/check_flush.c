/*
 * check_flush: what an interval sends, as text; when metrics are forgotten, wherever
 * they stand.
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

static const struct hash_key key = {3, 4};

/* A table, whom it speaks to, and the clock. */
struct bench {
    struct table table;
    struct dialect dialect;
    uint64_t expire_ms, now_ms;
    char text[8192]; /* what the last flush sent */
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

static struct bench *
bench_new(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    ck_assert_ptr_nonnull(bench);
    ck_assert_int_eq(table_init(&bench->table, 1 << 20, UINT32_MAX, &key), 0);
    dialect_init(&bench->dialect);
    bench->now_ms = INTERVAL_MS;
    return bench;
}

static void
bench_free(struct bench *bench)
{
    table_release(&bench->table);
    free(bench);
}

/* A sample; a set takes its value as its member. */
static void
apply(struct bench *bench, enum metric_type type, const char *name, double value)
{
    struct sample sample = {
        .type = type,
        .value = value,
        .rate = 1,
        .member = (const char *)&value,
        .member_len = sizeof(value),
    };
    size_t len = strlen(name);
    uint32_t hash = table_hash(&bench->table, type, name, len);

    if (table_apply(&bench->table, &sample, name, len, hash, bench->now_ms) != TABLE_APPLIED)
        ck_abort_msg("%s was refused", name);
}

static void
begin(struct bench *bench, struct flush *out)
{
    struct interval interval = {.span_ms = INTERVAL_MS};

    bench->now_ms += INTERVAL_MS;
    interval.end_ms = bench->now_ms;
    ck_assert(table_close(&bench->table, &interval));
    flush_begin(out, &bench->table, &bench->dialect, bench->expire_ms);
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

/* The rest of a flush; returns its text. */
static const char *
finish(struct bench *bench, struct flush *flush)
{
    struct record record;

    while (flush_peek(flush, &record)) {
        note(bench, &record);
        flush_advance(flush);
    }
    ck_assert(!bench->table.closed_pending);
    return bench->text;
}

static const char *
flush_all(struct bench *bench)
{
    struct flush flush;

    begin(bench, &flush);
    return finish(bench, &flush);
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
    struct flush flush;

    apply(bench, METRIC_GAUGE, "old", 1);
    apply(bench, METRIC_COUNTER, "c", 10);
    apply(bench, METRIC_SET, "s", 1);
    begin(bench, &flush);
    apply(bench, METRIC_GAUGE, "new", 5);
    apply(bench, METRIC_GAUGE, "old", 2);
    ck_assert(flush_peek(&flush, &record));
    note(bench, &record);
    apply(bench, METRIC_COUNTER, "c", 20);
    apply(bench, METRIC_SET, "s", 2);
    apply(bench, METRIC_SET, "s", 3);
    flush_advance(&flush);
    apply(bench, METRIC_GAUGE, "old", 3);
    ck_assert_str_eq(finish(bench, &flush), "stats.old 1 stats.c 1 stats.sets.s.count 1 ");
    ck_assert_uint_eq(flush.n_records, 3);
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
    struct flush flush;
    uint64_t state = SEED;
    size_t len, n = 0;

    for (int i = 0; i < 1000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%u", (unsigned)(draw(&state) % 10));
        apply(bench, (enum metric_type)(draw(&state) % METRIC_TYPE_COUNT), name,
              (double)(draw(&state) % 100));
    }
    begin(bench, &flush);
    for (; (len = peek_encoded(&flush, first)) > 0; n++) {
        apply(bench, METRIC_TIMER, "n1", 4711);
        apply(bench, METRIC_COUNTER, "fresh", 1);
        ck_assert_uint_eq(peek_encoded(&flush, second), len);
        ck_assert_int_eq(memcmp(first, second, len), 0);
        flush_advance(&flush);
    }
    ck_assert_uint_eq(n, 40);
    ck_assert_uint_eq(flush.n_records, 40);
    bench_free(bench);
}
END_TEST

/* At exactly its age it still goes, as with py-statsd. */
START_TEST(test_expiry)
{
    struct bench *bench = bench_new();

    bench->expire_ms = 2 * INTERVAL_MS;
    apply(bench, METRIC_GAUGE, "g", 1);
    bench->now_ms++;
    apply(bench, METRIC_GAUGE, "later", 2);
    bench->now_ms--;
    ck_assert_str_eq(flush_all(bench), "stats.g 1 stats.later 2 ");
    ck_assert_str_eq(flush_all(bench), "stats.g 1 stats.later 2 ");
    bench->now_ms++;
    ck_assert_str_eq(flush_all(bench), "");
    ck_assert_uint_eq(bench->table.n_total, 0);
    apply(bench, METRIC_GAUGE, "g", 7);
    ck_assert_str_eq(flush_all(bench), "stats.g 7 ");
    bench_free(bench);
}
END_TEST

START_TEST(test_expiry_of_one_alone)
{
    struct bench *bench = bench_new();

    bench->expire_ms = INTERVAL_MS;
    apply(bench, METRIC_GAUGE, "g", 1);
    bench->now_ms++;
    apply(bench, METRIC_GAUGE, "h", 2);
    bench->now_ms--;
    ck_assert_str_eq(flush_all(bench), "stats.g 1 stats.h 2 ");
    bench->now_ms -= INTERVAL_MS - 1; /* the interval ends 1 ms behind g's last moment */
    ck_assert_str_eq(flush_all(bench), "stats.h 2 ");
    ck_assert_uint_eq(bench->table.n_metrics[METRIC_GAUGE], 1);
    bench_free(bench);
}
END_TEST

START_TEST(test_idle_metrics_are_forgotten)
{
    static const enum metric_type types[] = {METRIC_COUNTER, METRIC_TIMER, METRIC_SET};
    enum metric_type type = types[_i];
    struct bench *bench = bench_new();
    size_t used = bench->table.arena.used;
    char before[256];

    for (int round = 0; round < 3; round++) {
        apply(bench, type, "x", 5);
        snprintf(before, sizeof(before), "%s", flush_all(bench));
        for (int i = 1; i < FLUSH_IDLE_MAX; i++)
            ck_assert_str_eq(flush_all(bench), "");
        ck_assert_uint_eq(bench->table.n_total, 1);
        apply(bench, type, "x", 5); /* counts from the start again */
        ck_assert_str_eq(flush_all(bench), before);
        for (int i = 1; i < FLUSH_IDLE_MAX; i++)
            ck_assert_str_eq(flush_all(bench), "");
        ck_assert_uint_eq(bench->table.n_total, 1);
        ck_assert_str_eq(flush_all(bench), "");
        ck_assert_uint_eq(bench->table.n_total, 0);
        ck_assert_uint_eq(bench->table.arena.used, used);
    }
    bench_free(bench);
}
END_TEST

/* The sample that comes amid the flush that would forget its metric is not lost. */
START_TEST(test_sample_in_the_last_moment)
{
    struct bench *bench = bench_new();
    struct flush flush;

    apply(bench, METRIC_COUNTER, "x", 10);
    for (int i = 0; i < FLUSH_IDLE_MAX; i++)
        flush_all(bench);
    begin(bench, &flush);
    apply(bench, METRIC_COUNTER, "x", 20);
    ck_assert_str_eq(finish(bench, &flush), "");
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
    struct flush flush;

    for (unsigned i = 0; i < 6; i++)
        apply(bench, METRIC_COUNTER, names[i], 10);
    flush_all(bench);
    for (int idle = 0; idle < FLUSH_IDLE_MAX; idle++) {
        expected[0] = '\0';
        for (unsigned i = 0; i < 6; i++) {
            if ((mask & 1u << i) == 0)
                continue;
            apply(bench, METRIC_COUNTER, names[i], 10);
            snprintf(expected + strlen(expected), 16, "stats.%s 1 ", names[i]);
        }
        begin(bench, &flush);
        if (idle == FLUSH_IDLE_MAX - 1)
            apply(bench, METRIC_COUNTER, "new", 30);
        ck_assert_str_eq(finish(bench, &flush), expected);
    }
    ck_assert_uint_eq(bench->table.n_total, (unsigned)__builtin_popcount(mask) + 1);
    for (unsigned i = 0; i < 6; i++)
        apply(bench, METRIC_COUNTER, names[i], 10);
    flush_all(bench);
    ck_assert_uint_eq(bench->table.n_total, 7);
    bench_free(bench);
}

START_TEST(test_removal_amid_the_walk)
{
    for (unsigned mask = 0; mask < 64; mask++)
        check_removal(mask);
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
    tcase_add_test(tcase, test_expiry);
    tcase_add_test(tcase, test_expiry_of_one_alone);
    tcase_add_loop_test(tcase, test_idle_metrics_are_forgotten, 0, 3);
    tcase_add_test(tcase, test_sample_in_the_last_moment);
    tcase_add_test(tcase, test_removal_amid_the_walk);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
