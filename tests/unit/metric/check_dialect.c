/*
 * check_dialect: every name that a flush can speak, and what the affixes and percentiles may be.
 */
#include "metric/dialect.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double percentiles[] = {90, 99.9, -10, 0, 100, -0.5, 50};

#define N_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static struct dialect
dialect_of(const char *prefix, const char *global_prefix, const char *global_suffix)
{
    struct dialect dialect;

    dialect_init(&dialect);
    for (size_t i = 0; prefix != NULL && i <= RECORD_SELF; i++)
        ck_assert_int_eq(dialect_set_affix(dialect.prefix[i], prefix), 0);
    ck_assert_int_eq(dialect_set_affix(dialect.global_prefix, global_prefix), 0);
    ck_assert_int_eq(dialect_set_affix(dialect.global_suffix, global_suffix), 0);
    ck_assert_int_eq(dialect_set_percentiles(&dialect, percentiles, N_PERCENTILES), 0);
    return dialect;
}

static struct record
record_of(unsigned source)
{
    return (struct record){.source = (uint8_t)source, .name = "web.k", .name_len = 5};
}

static void
check_name(const struct dialect *dialect, unsigned source, enum statistic statistic, unsigned index,
           const char *expected)
{
    struct record record = record_of(source);
    struct point point = {.statistic = (uint8_t)statistic, .index = (uint8_t)index};
    char storage[1024];
    struct buf buf;

    buf_init_fixed(&buf, storage, sizeof(storage));
    ck_assert_int_eq(buf_append_str(&buf, "> "), 0);
    ck_assert_int_eq(dialect_append_name(dialect, &record, &point, &buf), 0);
    ck_assert_msg(buf.len == 2 + strlen(expected) &&
                      memcmp(storage + 2, expected, buf.len - 2) == 0,
                  "%.*s, not %s", (int)buf.len, storage, expected);
}

static const struct {
    unsigned source;
    enum statistic statistic;
    unsigned index;
    const char *name;
} names[] = {
    {METRIC_COUNTER, STATISTIC_RATE, 0, "stats.web.k"},
    {METRIC_GAUGE, STATISTIC_VALUE, 0, "stats.web.k"},
    {METRIC_TIMER, STATISTIC_LOWER, 0, "stats.timers.web.k.lower"},
    {METRIC_TIMER, STATISTIC_COUNT, 0, "stats.timers.web.k.count"},
    {METRIC_TIMER, STATISTIC_MEAN, 0, "stats.timers.web.k.mean"},
    {METRIC_TIMER, STATISTIC_UPPER, 0, "stats.timers.web.k.upper"},
    {METRIC_TIMER, STATISTIC_UPPER_PCT, 0, "stats.timers.web.k.upper_90"},
    {METRIC_TIMER, STATISTIC_UPPER_PCT, 1, "stats.timers.web.k.upper_99_9"},
    {METRIC_TIMER, STATISTIC_UPPER_PCT, 2, "stats.timers.web.k.lower_top10"},
    {METRIC_TIMER, STATISTIC_UPPER_PCT, 3, "stats.timers.web.k.upper_0"},
    {METRIC_TIMER, STATISTIC_UPPER_PCT, 4, "stats.timers.web.k.upper_100"},
    {METRIC_TIMER, STATISTIC_UPPER_PCT, 5, "stats.timers.web.k.lower_top0_5"},
    {METRIC_TIMER, STATISTIC_UPPER_PCT, 6, "stats.timers.web.k.upper_50"},
    {METRIC_SET, STATISTIC_COUNT, 0, "stats.sets.web.k.count"},
    {RECORD_SELF, STATISTIC_VALUE, 0, "statsd.web.k"},
};

START_TEST(test_names)
{
    struct dialect dialect = dialect_of(NULL, "", "");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check_name(&dialect, names[i].source, names[i].statistic, names[i].index, names[i].name);
}
END_TEST

START_TEST(test_as_without_flags)
{
    struct dialect dialect;

    memset(&dialect, 0xa5, sizeof(dialect));
    dialect_init(&dialect);
    ck_assert(dialect.rates);
    ck_assert_uint_eq(dialect.n_percentiles, 1);
    check_name(&dialect, METRIC_TIMER, STATISTIC_UPPER_PCT, 0, "stats.timers.web.k.upper_90");
    check_name(&dialect, METRIC_COUNTER, STATISTIC_RATE, 0, "stats.web.k");
}
END_TEST

static const struct {
    const char *prefix, *global_prefix, *global_suffix;
    const char *counter, *lower;
} affix_rows[] = {
    {"p", "", "", "p.web.k", "p.web.k.lower"},
    {"p.", "", "", "p.web.k", "p.web.k.lower"},
    {".p..q..", "", "", "p..q.web.k", "p..q.web.k.lower"},
    {"", "", "", "web.k", "web.k.lower"},
    {"...", "", "", "web.k", "web.k.lower"},
    {"p", "dc1.", "", "dc1.p.web.k", "dc1.p.web.k.lower"},
    {"", "dc1", "", "dc1.web.k", "dc1.web.k.lower"},
    {"p", "", ".host", "p.web.k.host", "p.web.k.lower.host"},
    {"p", "dc1", "host", "dc1.p.web.k.host", "dc1.p.web.k.lower.host"},
    {"", "", "host", "web.k.host", "web.k.lower.host"},
};

START_TEST(test_affixes)
{
    for (size_t i = 0; i < sizeof(affix_rows) / sizeof(affix_rows[0]); i++) {
        struct dialect dialect = dialect_of(affix_rows[i].prefix, affix_rows[i].global_prefix,
                                            affix_rows[i].global_suffix);

        check_name(&dialect, METRIC_COUNTER, STATISTIC_RATE, 0, affix_rows[i].counter);
        check_name(&dialect, METRIC_TIMER, STATISTIC_LOWER, 0, affix_rows[i].lower);
    }
}
END_TEST

START_TEST(test_refused_affixes)
{
    static const char *const texts[] = {"a b", "a\tb", "a;b=c", "gr\xc3\xbc", "a\n", "\x7f"};
    char longest[DIALECT_PREFIX_MAX + 3] = ".", out[DIALECT_PREFIX_MAX] = "kept";

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        ck_assert_msg(dialect_set_affix(out, texts[i]) == -1, "row %zu", i);
    memset(longest + 1, 'x', DIALECT_PREFIX_MAX);
    ck_assert_int_eq(dialect_set_affix(out, longest), -1);
    ck_assert_str_eq(out, "kept");
    longest[DIALECT_PREFIX_MAX] = '.'; /* does not count */
    ck_assert_int_eq(dialect_set_affix(out, longest), 0);
    ck_assert_uint_eq(strlen(out), DIALECT_PREFIX_MAX - 1);
}
END_TEST

START_TEST(test_refused_percentiles)
{
    static const double refused[] = {101, 100.0000001, -100.1, -101, INFINITY, -INFINITY, NAN};
    double many[DIALECT_PERCENTILES_MAX + 1] = {0};
    struct dialect dialect, before;

    dialect_init(&dialect);
    before = dialect;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        double pair[] = {50, refused[i]};

        ck_assert_msg(dialect_set_percentiles(&dialect, pair, 2) == -1, "%g", refused[i]);
    }
    ck_assert_int_eq(dialect_set_percentiles(&dialect, many, DIALECT_PERCENTILES_MAX + 1), -1);
    ck_assert_int_eq(memcmp(&dialect, &before, sizeof(dialect)), 0);
    ck_assert_int_eq(dialect_set_percentiles(&dialect, many, DIALECT_PERCENTILES_MAX), 0);
    ck_assert_int_eq(dialect_set_percentiles(&dialect, NULL, 0), 0);
    ck_assert_uint_eq(dialect.n_percentiles, 0);
}
END_TEST

START_TEST(test_long_percentiles_keep_within_their_room)
{
    static const double values[] = {-0x1.fffffffffffffp-1000, 0x1p-1074, 99.99999999999999,
                                    -0.12345678901234567, -100};
    struct dialect dialect;

    dialect_init(&dialect);
    ck_assert_int_eq(dialect_set_percentiles(&dialect, values, 5), 0);
    for (size_t i = 0; i < 5; i++) {
        const char *suffix = dialect.percentile_suffix[i];

        ck_assert_ptr_nonnull(memchr(suffix, '\0', DIALECT_SUFFIX_MAX));
        ck_assert_ptr_null(strchr(suffix, '.'));
    }
    ck_assert_str_eq(dialect.percentile_suffix[2], "upper_99_99999999999999");
    ck_assert_str_eq(dialect.percentile_suffix[4], "lower_top100");
}
END_TEST

START_TEST(test_full_buffer_is_left_alone)
{
    static const char expected[] = "dc1.stats.timers.web.k.upper_90.host";
    struct dialect dialect = dialect_of(NULL, "dc1", "host");
    struct record record = record_of(METRIC_TIMER);
    struct point point = {.statistic = STATISTIC_UPPER_PCT};
    size_t len = sizeof(expected) - 1;

    for (size_t room = 0; room <= len; room++) {
        char *block = malloc(room + 1);
        struct buf buf;

        ck_assert_ptr_nonnull(block);
        buf_init_fixed(&buf, block, room + 1);
        ck_assert_int_eq(buf_append_str(&buf, ">"), 0);
        ck_assert_int_eq(dialect_append_name(&dialect, &record, &point, &buf),
                         room == len ? 0 : -1);
        ck_assert_uint_eq(buf.len, room == len ? len + 1 : 1);
        ck_assert_int_eq(block[0], '>');
        free(block);
    }
}
END_TEST

/* The name, the value and the blanks, or nothing. */
START_TEST(test_point)
{
    static const char expected[] = "stats.timers.web.k.lower -0.5 ";
    struct dialect dialect = dialect_of(NULL, "", "");
    struct record record = record_of(METRIC_TIMER);
    struct point point = {.statistic = STATISTIC_LOWER, .value = -0.5};
    size_t len = sizeof(expected) - 1;

    for (size_t room = 0; room <= len; room++) {
        char *block = malloc(room + 1);
        struct buf buf;

        ck_assert_ptr_nonnull(block);
        buf_init_fixed(&buf, block, room + 1);
        ck_assert_int_eq(buf_append_str(&buf, ">"), 0);
        ck_assert_int_eq(dialect_append_point(&dialect, &record, &point, &buf),
                         room == len ? 0 : -1);
        ck_assert_uint_eq(buf.len, room == len ? len + 1 : 1);
        ck_assert(room < len || memcmp(block + 1, expected, len) == 0);
        free(block);
    }
}
END_TEST

START_TEST(test_percentile_that_is_not_configured)
{
    struct dialect dialect = dialect_of(NULL, "", "");
    struct record record = record_of(METRIC_TIMER);
    char storage[64];
    struct buf buf;

    buf_init_fixed(&buf, storage, sizeof(storage));
    for (unsigned index = N_PERCENTILES; index < 256; index++) {
        struct point point = {.statistic = STATISTIC_UPPER_PCT, .index = (uint8_t)index};

        ck_assert_int_eq(dialect_append_name(&dialect, &record, &point, &buf), -1);
        ck_assert_uint_eq(buf.len, 0);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("dialect");
    TCase *tcase = tcase_create("dialect");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_as_without_flags);
    tcase_add_test(tcase, test_affixes);
    tcase_add_test(tcase, test_refused_affixes);
    tcase_add_test(tcase, test_refused_percentiles);
    tcase_add_test(tcase, test_long_percentiles_keep_within_their_room);
    tcase_add_test(tcase, test_full_buffer_is_left_alone);
    tcase_add_test(tcase, test_point);
    tcase_add_test(tcase, test_percentile_that_is_not_configured);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
