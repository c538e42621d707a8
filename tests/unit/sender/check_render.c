/*
 * check_render: the bytes that carbon reads, and those that it must never read.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sender/render.h"

#define ID      UINT64_C(0x5eed00000001)
#define END_MS  UINT64_C(1700000012345)
#define OUT_LEN ((size_t)RECORD_POINTS_MAX * RENDER_LINE_MAX)

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
add_one(struct batch *batch, unsigned source, const char *name, size_t name_len,
        enum statistic statistic, double value)
{
    struct record record = {
        .source = (uint8_t)source,
        .name = name,
        .name_len = (uint16_t)name_len,
    };

    record_add(&record, statistic, 0, value);
    add(batch, &record);
}

static void
add_counter(struct batch *batch, const char *name, double value)
{
    add_one(batch, METRIC_COUNTER, name, strlen(name), STATISTIC_RATE, value);
}

static void
add_timer(struct batch *batch, const char *name)
{
    struct record record = {
        .source = METRIC_TIMER,
        .name = name,
        .name_len = (uint16_t)strlen(name),
    };

    record_add(&record, STATISTIC_LOWER, 0, 1);
    record_add(&record, STATISTIC_COUNT, 0, 3);
    record_add(&record, STATISTIC_MEAN, 0, 2.5);
    record_add(&record, STATISTIC_UPPER, 0, 4);
    record_add(&record, STATISTIC_UPPER_PCT, 0, 3.75);
    record_add(&record, STATISTIC_UPPER_PCT, 1, 3.875);
    add(batch, &record);
}

static void
make_dialect(struct dialect *dialect)
{
    static const double percentiles[] = {90, 99.9};

    dialect_init(dialect);
    ck_assert_int_eq(dialect_set_percentiles(dialect, percentiles, 2), 0);
}

/* All of a batch, cut into pieces of at most size bytes by the room that out has. Returns how many
 * lines were refused. */
static uint64_t
render_all(const struct batch *batch, const struct dialect *dialect, size_t size, struct buf *whole)
{
    struct render render;
    struct buf out;

    buf_init(&out, size);
    render_init(&render, batch, dialect);
    while (render_next(&render, &out)) {
        ck_assert_uint_gt(out.len, 0);
        ck_assert_int_eq(out.data[out.len - 1], '\n');
        ck_assert_int_eq(buf_append(whole, out.data, out.len), 0);
        out.len = 0;
    }
    ck_assert(!render_next(&render, &out)); /* the end stays the end */
    buf_release(&out);
    return render.n_refused;
}

/* The batch is sealed and freed. */
static void
assert_rendered(struct batch *batch, const struct dialect *dialect, const char *want,
                uint64_t n_refused)
{
    struct buf got;

    buf_init(&got, 100000);
    batch_seal(batch);
    ck_assert_uint_eq(render_all(batch, dialect, OUT_LEN, &got), n_refused);
    ck_assert_int_eq(buf_append(&got, "", 1), 0);
    ck_assert_str_eq((const char *)got.data, want);
    buf_release(&got);
    batch_free(batch);
}

START_TEST(test_every_type)
{
    struct batch *batch = batch_new(ID, END_MS, 10000);
    struct dialect dialect;

    make_dialect(&dialect);
    add_counter(batch, "c", 0.5);
    add_one(batch, METRIC_GAUGE, "a.g", 3, STATISTIC_VALUE, -1e21);
    add_timer(batch, "t");
    add_one(batch, METRIC_SET, "s", 1, STATISTIC_COUNT, 7);
    batch_add_own(batch, "numStats", 4);
    assert_rendered(batch, &dialect,
                    "stats.c 0.5 1700000012\n"
                    "stats.a.g -1000000000000000000000 1700000012\n"
                    "stats.timers.t.lower 1 1700000012\n"
                    "stats.timers.t.count 3 1700000012\n"
                    "stats.timers.t.mean 2.5 1700000012\n"
                    "stats.timers.t.upper 4 1700000012\n"
                    "stats.timers.t.upper_90 3.75 1700000012\n"
                    "stats.timers.t.upper_99_9 3.875 1700000012\n"
                    "stats.sets.s.count 7 1700000012\n"
                    "statsd.numStats 4 1700000012\n",
                    0);
}
END_TEST

START_TEST(test_affixes)
{
    struct batch *batch = batch_new(ID, END_MS, 10000);
    struct dialect dialect;

    make_dialect(&dialect);
    dialect_set_affix(dialect.global_prefix, "dc1.");
    dialect_set_affix(dialect.global_suffix, ".host");
    dialect_set_affix(dialect.prefix[METRIC_COUNTER], "");
    add_counter(batch, "c", 1);
    batch_add_own(batch, "numStats", 4);
    assert_rendered(batch, &dialect,
                    "dc1.c.host 1 1700000012\n"
                    "dc1.statsd.numStats.host 4 1700000012\n",
                    0);
}
END_TEST

START_TEST(test_empty_batch)
{
    struct dialect dialect;

    make_dialect(&dialect);
    assert_rendered(batch_new(ID, END_MS, 10000), &dialect, "", 0);
}
END_TEST

START_TEST(test_pieces_are_the_whole)
{
    static const size_t extra[] = {0, 1, 100, 5000};
    struct batch *batch = batch_new(ID, END_MS, 1 << 20);
    struct dialect dialect;
    struct buf whole;

    make_dialect(&dialect);
    for (int i = 0; i < 3000; i++) {
        char name[32];

        snprintf(name, sizeof(name), "name.%04d", i);
        if (i % 3 == 0)
            add_timer(batch, name);
        else
            add_counter(batch, name, i / 7.0);
    }
    batch_seal(batch);
    buf_init(&whole, 1 << 22);
    ck_assert_uint_eq(render_all(batch, &dialect, 1 << 22, &whole), 0);
    for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
        struct buf pieces;

        buf_init(&pieces, 1 << 22);
        render_all(batch, &dialect, OUT_LEN + extra[i], &pieces);
        ck_assert_uint_eq(pieces.len, whole.len);
        ck_assert_int_eq(memcmp(pieces.data, whole.data, whole.len), 0);
        buf_release(&pieces);
    }
    buf_release(&whole);
    batch_free(batch);
}
END_TEST

/* What no worker sends, unless it is no longer ours. */
START_TEST(test_hostile_names)
{
    static const struct {
        const char *name;
        size_t len;
    } rows[] = {{" ", 1},     {"a b", 3},  {"a\nb 1 2", 7}, {"a\n", 2}, {"\n", 1},
                {"a\xff", 2}, {"\xff", 1}, {"a\0b", 3},     {"\0", 1},  {"a\t", 2},
                {"a\x7f", 2}, {"a\r", 2},  {"a\xc3\xa9", 3}};
    const size_t n_rows = sizeof(rows) / sizeof(rows[0]);
    struct batch *batch = batch_new(ID, END_MS, 10000);
    struct dialect dialect;

    make_dialect(&dialect);
    add_counter(batch, "before", 1);
    for (size_t i = 0; i < n_rows; i++)
        add_one(batch, METRIC_GAUGE, rows[i].name, rows[i].len, STATISTIC_VALUE, 1);
    add_counter(batch, "behind", 2);
    assert_rendered(batch, &dialect,
                    "stats.before 1 1700000012\n"
                    "stats.behind 2 1700000012\n",
                    n_rows);
}
END_TEST

/* A percentile that the configuration does not name has no name. */
START_TEST(test_unknown_percentile)
{
    struct record record = {.source = METRIC_TIMER, .name = "t", .name_len = 1};
    struct batch *batch = batch_new(ID, END_MS, 10000);
    struct dialect dialect;

    make_dialect(&dialect);
    record_add(&record, STATISTIC_LOWER, 0, 1);
    record_add(&record, STATISTIC_UPPER_PCT, 2, 1);
    record_add(&record, STATISTIC_UPPER, 0, 1);
    add(batch, &record);
    assert_rendered(batch, &dialect,
                    "stats.timers.t.lower 1 1700000012\n"
                    "stats.timers.t.upper 1 1700000012\n",
                    1);
}
END_TEST

START_TEST(test_timestamps)
{
    struct dialect dialect;
    struct batch *batch = batch_new(1, 9999999999999, 10000);

    make_dialect(&dialect);
    add_counter(batch, "c", 1);
    assert_rendered(batch, &dialect, "stats.c 1 9999999999\n", 0);
    batch = batch_new(1, 10000000000000, 10000);
    add_counter(batch, "c", 1);
    assert_rendered(batch, &dialect, "", 1); /* 11 digits */
}
END_TEST

START_TEST(test_the_longest_of_everything)
{
    struct record record = {.source = METRIC_TIMER, .name_len = RECORD_NAME_MAX};
    struct batch *batch = batch_new(ID, END_MS, 10000);
    char name[RECORD_NAME_MAX], affix[DIALECT_PREFIX_MAX];
    struct dialect dialect;
    struct buf got;

    make_dialect(&dialect);
    memset(affix, 'p', sizeof(affix) - 1);
    affix[sizeof(affix) - 1] = '\0';
    dialect_set_affix(dialect.global_prefix, affix);
    dialect_set_affix(dialect.global_suffix, affix);
    dialect_set_affix(dialect.prefix[METRIC_TIMER], affix);
    memset(name, 'n', sizeof(name));
    record.name = name;
    for (int i = 0; i < RECORD_POINTS_MAX; i++)
        record_add(&record, STATISTIC_UPPER_PCT, 1, -5e-324);
    add(batch, &record);
    batch_seal(batch);
    buf_init(&got, OUT_LEN);
    ck_assert_uint_eq(render_all(batch, &dialect, OUT_LEN, &got), 0);
    ck_assert_uint_gt(got.len, RECORD_POINTS_MAX * (3 * 255 + RECORD_NAME_MAX));
    buf_release(&got);
    batch_free(batch);
}
END_TEST

START_TEST(test_valid_lines)
{
    static const char *const rows[] = {
        "a 1 1\n",    "stats.a 1 1700000000\n", "! 0 0\n",     "a -1 1\n",        "a 1.5 1\n",
        "a -0.5 1\n", "a 00 9999999999\n",      "a;t=v 1 1\n", "~a{}\"'\\ 1 1\n",
    };
    char line[RENDER_LINE_MAX];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(render_line_is_valid(rows[i], strlen(rows[i])), "row %zu", i);
    memset(line, 'a', sizeof(line));
    memcpy(line + sizeof(line) - 5, " 1 1\n", 5);
    ck_assert(render_line_is_valid(line, sizeof(line)));
}
END_TEST

START_TEST(test_invalid_lines)
{
    static const char *const rows[] = {
        "",
        "\n",
        " ",
        "a",
        "a\n",
        "a 1\n",
        "a 1 \n",
        "a 1 1",
        "a 1 1\r\n",
        "a 1 1\n\n",
        "a 1 1\na 1 1\n",
        " a 1 1\n",
        " 1 1\n",
        "a  1 1\n",
        "a 1  1\n",
        "a 1 1 \n",
        "a b 1 1\n",
        "a\t1 1\n",
        "a 1\t1\n",
        "a 1e5 1\n",
        "a 1E5 1\n",
        "a +1 1\n",
        "a --1 1\n",
        "a - 1\n",
        "a .5 1\n",
        "a 1. 1\n",
        "a -.5 1\n",
        "a 1.5.5 1\n",
        "a 1,5 1\n",
        "a nan 1\n",
        "a inf 1\n",
        "a 0x1 1\n",
        "a 1 -1\n",
        "a 1 1.0\n",
        "a 1 10000000000\n",
        "a 1 1e9\n",
        "a 1 x\n",
        "a\xff 1 1\n",
        "\xc3\xa9 1 1\n",
        "a\x7f 1 1\n",
        "a\x01 1 1\n",
        "a 1\xff 1\n",
        "a 1 1\xff\n",
    };
    char line[RENDER_LINE_MAX + 1];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(!render_line_is_valid(rows[i], strlen(rows[i])), "row %zu", i);
    ck_assert(!render_line_is_valid("a\0b 1 1\n", 8));
    ck_assert(!render_line_is_valid("a 1\0 1\n", 7));
    ck_assert(!render_line_is_valid("a 1 1\0\n", 7));
    ck_assert(!render_line_is_valid("a 1 1\n\0", 7));
    memset(line, 'a', sizeof(line));
    memcpy(line + sizeof(line) - 5, " 1 1\n", 5);
    ck_assert(!render_line_is_valid(line, sizeof(line)));
}
END_TEST

/* Each beginning of a good line, in memory that ends there. */
START_TEST(test_cut_lines)
{
    static const char line[] = "stats.a -1.25 1700000000\n";

    for (size_t len = 0; len < sizeof(line) - 1; len++) {
        char *exact = malloc(len + 1);

        memcpy(exact + 1, line, len);
        ck_assert(!render_line_is_valid(exact + 1, len));
        free(exact);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("render");
    TCase *tcase = tcase_create("render");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_every_type);
    tcase_add_test(tcase, test_affixes);
    tcase_add_test(tcase, test_empty_batch);
    tcase_add_test(tcase, test_pieces_are_the_whole);
    tcase_add_test(tcase, test_hostile_names);
    tcase_add_test(tcase, test_unknown_percentile);
    tcase_add_test(tcase, test_timestamps);
    tcase_add_test(tcase, test_the_longest_of_everything);
    tcase_add_test(tcase, test_valid_lines);
    tcase_add_test(tcase, test_invalid_lines);
    tcase_add_test(tcase, test_cut_lines);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
