/*
 * check_lines: datagrams into a table: what is a line, what becomes of it, and that each is counted
 * once.
 */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "metric/flush.h"
#include "worker/lines.h"

#define NOW_MS UINT64_C(1700000000000)

/* Big, so not on the stack. */
static struct rig {
    struct table table;
    struct selfstat stats;
    struct culprit culprit;
    struct lines lines;
    struct net_address from;
    struct dialect dialect;
    struct rules rules;
    struct filter filter;
} rig;

static void
set_up(uint32_t max_metrics)
{
    static const struct name_limits limits = {.name_max = 512, .node_max = 240};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4711)};

    memset(&rig, 0, sizeof(rig));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rig.from.len = sizeof(in);
    memcpy(&rig.from.storage, &in, sizeof(in));
    dialect_init(&rig.dialect);
    rig.dialect.rates = false;
    struct table_opts opts = {
        .memory_limit = 8 << 20,
        .max_metrics = max_metrics,
        .timer_max_samples = 1000,
        .set_exact_max = 10000,
        .filter = &rig.filter,
        .key = {1, 2},
    };

    ck_assert_int_eq(table_init(&rig.table, &opts), 0);
    lines_init(&rig.lines, &rig.table, &rig.stats, &rig.culprit, &limits);
}

static void
tear_down(void)
{
    table_release(&rig.table);
}

static struct datagram
datagram_of(const char *bytes, size_t len)
{
    return (struct datagram){.bytes = bytes, .len = len, .from = &rig.from};
}

static void
apply(const char *text)
{
    struct datagram datagram = datagram_of(text, strlen(text));

    lines_apply(&rig.lines, &datagram, 1, NOW_MS);
}

static uint64_t
sum_of(const uint64_t *counts, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

static void
assert_accounted(void)
{
    ck_assert_uint_eq(rig.stats.lines, sum_of(rig.stats.bad, PARSE_ERROR_COUNT) +
                                           sum_of(rig.stats.verdicts, TABLE_VERDICT_COUNT));
    ck_assert_uint_eq(rig.stats.bad[PARSE_OK], 0);
    ck_assert_uint_eq(rig.stats.verdicts[TABLE_UNKNOWN], 0);
}

/* Flushes the table into "name=first value;…", in order of the names' first sight. */
static void
flush_text(char *out, size_t size)
{
    static const struct interval interval = {.end_ms = NOW_MS, .span_ms = 10000};
    struct table *tables[] = {&rig.table};
    struct flush flush;
    struct record record;
    size_t len = 0;

    out[0] = '\0';
    ck_assert_int_eq(flush_init(&flush, tables, 1, &rig.dialect, &rig.rules), 0);
    ck_assert(table_close(&rig.table, &interval));
    flush_begin(&flush);
    for (; flush_peek(&flush, &record); flush_advance(&flush)) {
        len += (size_t)snprintf(out + len, size - len, "%.*s=%g;", record.name_len, record.name,
                                record.points[0].value);
        ck_assert_uint_lt(len, size);
    }
    flush_release(&flush);
}

static void
assert_table(const char *want)
{
    char got[1024];

    flush_text(got, sizeof(got));
    ck_assert_str_eq(got, want);
}

START_TEST(test_what_is_a_line)
{
    static const struct {
        const char *text;
        uint64_t n_lines, n_applied;
        const char *table;
    } rows[] = {
        {"", 0, 0, ""},
        {"\n", 0, 0, ""},
        {"\r\n\n\r\n", 0, 0, ""},
        {"\r", 0, 0, ""},
        {"a:1|c", 1, 1, "a=1;"},
        {"a:1|c\n", 1, 1, "a=1;"},
        {"a:1|c\r\n", 1, 1, "a=1;"},
        {"a:1|c\n\n\nb:2|g\n", 2, 2, "a=1;b=2;"},
        {"a:1|c\r\nb:2|g\r\n", 2, 2, "a=1;b=2;"},
        {"\na:1|c\na:2|c", 2, 2, "a=3;"},
        {"a:1|c\nrubbish\nb:2|g", 3, 2, "a=1;b=2;"},
        {"rubbish\nrubbish", 2, 0, ""},
        {" \nb:2|g", 2, 1, "b=2;"}, /* blanks are a line, and no good one */
        {"a/b c:1|c", 1, 1, "a-b_c=1;"},
        {"s:x|s\ns:y|s\ns:x|s", 3, 3, "s=2;"},
        {"t:3|ms\nt:1|ms", 2, 2, "t=1;"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(100);
        apply(rows[i].text);
        ck_assert_msg(rig.stats.lines == rows[i].n_lines, "row %zu", i);
        ck_assert_msg(rig.stats.verdicts[TABLE_APPLIED] == rows[i].n_applied, "row %zu", i);
        ck_assert_uint_eq(rig.stats.packets, 1);
        ck_assert_uint_eq(rig.stats.bytes, strlen(rows[i].text));
        assert_accounted();
        assert_table(rows[i].table);
        tear_down();
    }
}
END_TEST

START_TEST(test_reasons)
{
    static const struct {
        const char *line;
        enum parse_error error;
    } rows[] = {
        {"a", PARSE_NO_VALUE},        {"a:", PARSE_NO_VALUE},       {":1|c", PARSE_NO_NAME},
        {"\x01:1|c", PARSE_NO_NAME},  {"a:1", PARSE_NO_TYPE},       {"a:1|x", PARSE_BAD_TYPE},
        {"a:b|c", PARSE_BAD_VALUE},   {"a:nan|c", PARSE_BAD_VALUE}, {"a:1|c|@2", PARSE_BAD_RATE},
        {"a:1|c|x", PARSE_BAD_FIELD},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(100);
        apply(rows[i].line);
        ck_assert_msg(rig.stats.bad[rows[i].error] == 1, "row %zu", i);
        assert_accounted();
        assert_table("");
        tear_down();
    }
}
END_TEST

START_TEST(test_names_that_are_too_long)
{
    static const struct {
        int name_len, applied;
    } rows[] = {{240, 1}, {241, 0}, {511, 0}};
    char line[600];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(line, sizeof(line), "%0*d:1|c\nb:2|c", rows[i].name_len, 7);
        set_up(100);
        apply(line);
        ck_assert_uint_eq(rig.stats.verdicts[TABLE_APPLIED], (uint64_t)rows[i].applied + 1);
        ck_assert_uint_eq(rig.stats.bad[PARSE_TOO_LONG], (uint64_t)!rows[i].applied);
        assert_accounted();
        tear_down();
    }
}
END_TEST

START_TEST(test_truncated)
{
    static const struct {
        const char *text;
        uint64_t n_lines;
        const char *table;
    } rows[] = {
        {"a:1|c\nb:2|c\nc:3", 2, "a=1;b=2;"},
        {"a:1|c\nb:2|c\nc:3|c", 2, "a=1;b=2;"}, /* may have been c:3|c|@0.1 */
        {"a:1|c\n", 1, "a=1;"},
        {"a:1|c", 0, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct datagram datagram = datagram_of(rows[i].text, strlen(rows[i].text));

        set_up(100);
        datagram.truncated = true;
        lines_apply(&rig.lines, &datagram, 1, NOW_MS);
        ck_assert_uint_eq(rig.stats.truncated, 1);
        ck_assert_uint_eq(rig.stats.lines, rows[i].n_lines);
        ck_assert_uint_eq(rig.stats.bytes, strlen(rows[i].text));
        assert_accounted();
        assert_table(rows[i].table);
        tear_down();
    }
}
END_TEST

/* One datagram behind the other; a line never reaches into the next. */
START_TEST(test_many_datagrams)
{
    static const char text[] = "a:1|cb:2|c\nb:5|cc:7|g";
    const struct datagram datagrams[] = {
        datagram_of(text, 5),      datagram_of(text + 5, 6),  datagram_of(text, 0),
        datagram_of(text + 11, 5), datagram_of(text + 16, 5),
    };

    set_up(100);
    lines_apply(&rig.lines, datagrams, 5, NOW_MS);
    ck_assert_uint_eq(rig.stats.packets, 5);
    ck_assert_uint_eq(rig.stats.bytes, 21);
    ck_assert_uint_eq(rig.stats.lines, 4);
    assert_accounted();
    assert_table("a=1;b=7;c=7;");
    tear_down();
}
END_TEST

START_TEST(test_around_the_batch)
{
    static const int counts[] = {LINES_BATCH - 1, LINES_BATCH, LINES_BATCH + 1,
                                 5 * LINES_BATCH + 3};
    static char text[8 * LINES_BATCH * 16];

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char want[64];
        size_t len = 0;

        for (int k = 0; k < counts[i]; k++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "n:1|c\ns:%d|s\n", k);
        set_up(100);
        apply(text);
        ck_assert_uint_eq(rig.stats.verdicts[TABLE_APPLIED], 2 * (uint64_t)counts[i]);
        assert_accounted();
        snprintf(want, sizeof(want), "n=%d;s=%d;", counts[i], counts[i]);
        assert_table(want);
        tear_down();
    }
}
END_TEST

/* A name that had to be cleaned borrows from the batch's scratch, which the batch may not outgrow.
 */
START_TEST(test_many_long_unclean_names)
{
    enum { N = 1000, LEN = 500 };
    static char text[N * (LEN + 16)];
    size_t len = 0;

    for (int k = 0; k < N; k++) {
        memset(text + len, 'x', LEN);
        for (size_t dot = 100; dot < LEN; dot += 100)
            text[len + dot] = k % 3 == 0 ? '.' : '/';
        text[len + 200] = '.';
        text[len + 400] = '.';
        len += LEN;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%d:1|c\n", k % 100);
    }
    set_up(1000);
    apply(text);
    ck_assert_uint_eq(rig.stats.verdicts[TABLE_APPLIED], N);
    ck_assert_uint_eq(rig.table.n_metrics, 200); /* of every number with dots and with dashes */
    assert_accounted();
    tear_down();
}
END_TEST

/* The common line and every other one, side by side, whatever comes first. */
START_TEST(test_common_beside_others)
{
    set_up(100);
    apply("a:1|c\na:1|c|@0.5\na: 4|c\r\na:-2.5|c\nb c:8|c\nb_c:1|c\ns:u|s\na:16|c\r\na:32|c\n");
    ck_assert_uint_eq(rig.stats.lines, 9);
    ck_assert_uint_eq(rig.stats.verdicts[TABLE_APPLIED], 9);
    assert_accounted();
    assert_table("a=52.5;b_c=9;s=1;");
    tear_down();
}
END_TEST

START_TEST(test_filtered)
{
    struct filter_opts lists = {.drop = "secret.*,b", .allow = NULL};
    uint8_t storage[256];

    set_up(100);
    ck_assert_int_eq(filter_init(&rig.filter, &lists, storage, sizeof(storage)), 0);
    for (int i = 0; i < 3; i++)
        apply("secret.x:1|c\nsecret/x:1|c\na:1|c\nb:1|g\nbb:1|g\nsecret.:x|s\nb:1|c|@0.1\nb:x|c\n");
    ck_assert_uint_eq(rig.stats.verdicts[TABLE_APPLIED], 9);
    ck_assert_uint_eq(rig.stats.verdicts[TABLE_FILTERED], 12);
    ck_assert_uint_eq(rig.stats.bad[PARSE_BAD_VALUE], 3);
    assert_accounted();
    assert_table("secret-x=3;a=3;bb=1;");
    tear_down();
}
END_TEST

START_TEST(test_refused)
{
    set_up(2);
    apply("a:1|c\nb:1e308|c\nc:1|c\nb:1e308|c\na:1|c\nc:1|g\n");
    ck_assert_uint_eq(rig.stats.verdicts[TABLE_APPLIED], 3);
    ck_assert_uint_eq(rig.stats.verdicts[TABLE_METRICS], 2);
    ck_assert_uint_eq(rig.stats.verdicts[TABLE_OVERFLOW], 1);
    assert_accounted();
    assert_table("a=2;b=1e+308;");
    tear_down();
}
END_TEST

static uint32_t
draw(uint32_t *random, uint32_t n)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random % n;
}

/* Half of the bytes could be of a line, so that each way out is taken. */
static size_t
random_datagram(uint32_t *random, char *out, size_t size)
{
    static const char *const pieces[] = {"a",  "b.c", ":", "1",    "-2.5", "|",    "c",    "g",
                                         "ms", "s",   "|", "|@0.", "\n",   "\r\n", ":1|c", ":9|ms"};
    size_t len = 0, wanted = draw(random, (uint32_t)size - 8);

    while (len < wanted) {
        const char *piece = pieces[draw(random, 16)];

        if (draw(random, 20) == 0) {
            out[len++] = (char)draw(random, 256);
            continue;
        }
        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

START_TEST(test_random_bytes_are_accounted_for)
{
    char bytes[8][400];
    struct datagram datagrams[8];
    uint32_t random = 20240229;
    uint64_t n_bytes = 0;

    set_up(40);
    for (int round = 0; round < 500; round++) {
        for (size_t i = 0; i < 8; i++) {
            datagrams[i] = datagram_of(bytes[i], random_datagram(&random, bytes[i], 400));
            datagrams[i].truncated = draw(&random, 10) == 0;
            n_bytes += datagrams[i].len;
        }
        lines_apply(&rig.lines, datagrams, 8, NOW_MS);
    }
    ck_assert_uint_eq(rig.stats.packets, 4000);
    ck_assert_uint_eq(rig.stats.bytes, n_bytes);
    assert_accounted();
    ck_assert_uint_gt(rig.stats.verdicts[TABLE_APPLIED], 500);
    ck_assert_uint_gt(rig.stats.verdicts[TABLE_METRICS], 100);
    ck_assert_uint_gt(sum_of(rig.stats.bad, PARSE_ERROR_COUNT), 1000);
    tear_down();
}
END_TEST

/* What is written to stderr while text is applied n times. */
static const char *
logged_of(const char *text, int n)
{
    static char logged[65536];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t len;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
    log_init(LOG_TO_STDERR, LOG_DEBUG);
    while (n-- > 0)
        apply(text);
    log_init(LOG_TO_STDERR, LOG_INFO);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    len = fread(logged, 1, sizeof(logged) - 1, file);
    logged[len] = '\0';
    fclose(file);
    return logged;
}

START_TEST(test_bad_lines_are_shown_with_a_limit)
{
    const char *logged, *at;
    int n = 0;

    set_up(100);
    logged = logged_of("a\x1b[1m\xff\\:1|x\ngood:1|c", 1);
    ck_assert_ptr_nonnull(strstr(logged, "bad line from 127.0.0.1:4711: bad_type: "
                                         "\"a\\x1b[1m\\xff\\\\:1|x\""));
    ck_assert_ptr_null(strstr(logged, "good"));
    tear_down();
    set_up(100);
    logged = logged_of("bad", 5 * LINES_LOGGED_PER_S);
    for (at = logged; (at = strstr(at, "bad line")) != NULL; at++)
        n++;
    ck_assert_int_eq(n, LINES_LOGGED_PER_S);
    ck_assert_uint_eq(rig.stats.lines, 5 * LINES_LOGGED_PER_S);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("lines");
    TCase *tcase = tcase_create("lines");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_what_is_a_line);
    tcase_add_test(tcase, test_reasons);
    tcase_add_test(tcase, test_names_that_are_too_long);
    tcase_add_test(tcase, test_truncated);
    tcase_add_test(tcase, test_many_datagrams);
    tcase_add_test(tcase, test_around_the_batch);
    tcase_add_test(tcase, test_many_long_unclean_names);
    tcase_add_test(tcase, test_common_beside_others);
    tcase_add_test(tcase, test_filtered);
    tcase_add_test(tcase, test_refused);
    tcase_add_test(tcase, test_random_bytes_are_accounted_for);
    tcase_add_test(tcase, test_bad_lines_are_shown_with_a_limit);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
