/*
 * check_lines: datagrams into a table: what is a line, what becomes of it, and that each is counted
 * once.
 */
#include "worker/lines.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "plot.h"
#include "stepped.h"

#define NOW_MS UINT64_C(1700000000000)

/* Big, so not on the stack. */
struct rig {
    struct plot plot;
    struct ingest ingest;
    struct culprit culprit;
    struct lines lines;
};

static struct rig rig;
static struct selfstat *stats; /* of rig */

static void
init_lines(struct rig *of)
{
    static const struct name_limits limits = {.name_max = 512, .node_max = 240};

    ingest_init(&of->ingest, &of->plot.region->hand, plot_slots(&of->plot));
    lines_init(&of->lines, of->plot.region, &of->ingest, &of->culprit, &limits);
}

static void
open_rig(struct rig *of, uint32_t max_metrics)
{
    memset(of, 0, sizeof(*of));
    plot_open(&of->plot, max_metrics);
    init_lines(of);
}

static void
set_up(uint32_t max_metrics)
{
    open_rig(&rig, max_metrics);
    stats = &rig.plot.region->stats;
}

static void
tear_down(void)
{
    plot_close(&rig.plot);
}

/* Whatever of the hand is not done yet. */
static void
finish_hand(struct rig *of)
{
    int n = ingest_resume(&of->ingest);

    lines_settle(&of->lines, (size_t)n);
    lines_apply(&of->lines, (size_t)n, NOW_MS);
    ingest_done(&of->ingest);
}

static void
apply(const char *text)
{
    plot_begin_hand(&rig.plot);
    plot_receive(&rig.plot, text, strlen(text), false);
    finish_hand(&rig);
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
    ck_assert_uint_eq(stats->lines, sum_of(stats->bad, PARSE_ERROR_COUNT) +
                                        sum_of(stats->verdicts, TABLE_VERDICT_COUNT));
    ck_assert_uint_eq(rig.plot.region->stats_check, selfstat_check(stats));
    ck_assert_uint_eq(rig.plot.region->undo.word, 0);
    ck_assert_uint_eq(stats->bad[PARSE_OK], 0);
    ck_assert_uint_eq(stats->verdicts[TABLE_UNKNOWN], 0);
}

static void
assert_table(const char *want)
{
    char got[1024];

    plot_text(&rig.plot.region->table, true, 1, got, sizeof(got));
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
        ck_assert_msg(stats->lines == rows[i].n_lines, "row %zu", i);
        ck_assert_msg(stats->verdicts[TABLE_APPLIED] == rows[i].n_applied, "row %zu", i);
        ck_assert_uint_eq(stats->packets, 1);
        ck_assert_uint_eq(stats->bytes, strlen(rows[i].text));
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
        ck_assert_msg(stats->bad[rows[i].error] == 1, "row %zu", i);
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
        ck_assert_uint_eq(stats->verdicts[TABLE_APPLIED], (uint64_t)rows[i].applied + 1);
        ck_assert_uint_eq(stats->bad[PARSE_TOO_LONG], (uint64_t)!rows[i].applied);
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
        set_up(100);
        plot_begin_hand(&rig.plot);
        plot_receive(&rig.plot, rows[i].text, strlen(rows[i].text), true);
        finish_hand(&rig);
        ck_assert_uint_eq(stats->truncated, 1);
        ck_assert_uint_eq(stats->lines, rows[i].n_lines);
        ck_assert_uint_eq(stats->bytes, strlen(rows[i].text));
        assert_accounted();
        assert_table(rows[i].table);
        tear_down();
    }
}
END_TEST

/* One datagram behind the other; a line never reaches into the next. */
START_TEST(test_many_datagrams)
{
    static const char *const datagrams[] = {"a:1|c", "b:2|c\n", "", "b:5|c", "c:7|g"};

    set_up(100);
    plot_begin_hand(&rig.plot);
    for (size_t i = 0; i < 5; i++)
        plot_receive(&rig.plot, datagrams[i], strlen(datagrams[i]), false);
    finish_hand(&rig);
    ck_assert_uint_eq(stats->packets, 5);
    ck_assert_uint_eq(stats->bytes, 21);
    ck_assert_uint_eq(stats->lines, 4);
    assert_accounted();
    assert_table("a=1;b=7;c=7;");
    tear_down();
}
END_TEST

START_TEST(test_around_the_batch)
{
    static const int counts[] = {HAND_LINES - 1, HAND_LINES, HAND_LINES + 1, 5 * HAND_LINES + 3};
    static char text[8 * HAND_LINES * 16 + 1];

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char want[64];
        size_t len = 0;

        for (int k = 0; k < counts[i]; k++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "n:1|c\ns:%d|s\n", k);
        set_up(100);
        apply(text);
        ck_assert_uint_eq(stats->verdicts[TABLE_APPLIED], 2 * (uint64_t)counts[i]);
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
    static char text[LEN + 16];

    set_up(1000);
    for (int k = 0; k < N; k++) {
        size_t len = 0;

        memset(text + len, 'x', LEN);
        for (size_t dot = 100; dot < LEN; dot += 100)
            text[len + dot] = k % 3 == 0 ? '.' : '/';
        text[len + 200] = '.';
        text[len + 400] = '.';
        len += LEN;
        snprintf(text + len, sizeof(text) - len, "%d:1|c\n", k % 100);
        if (k % 50 == 0)
            plot_begin_hand(&rig.plot);
        plot_receive(&rig.plot, text, strlen(text), false);
        if (k % 50 == 49)
            finish_hand(&rig);
    }
    ck_assert_uint_eq(stats->verdicts[TABLE_APPLIED], N);
    ck_assert_uint_eq(rig.plot.region->table.n_metrics,
                      200); /* of every number with dots and with dashes */
    assert_accounted();
    tear_down();
}
END_TEST

/* The common line and every other one, side by side, whatever comes first. */
START_TEST(test_common_beside_others)
{
    set_up(100);
    apply("a:1|c\na:1|c|@0.5\na: 4|c\r\na:-2.5|c\nb c:8|c\nb_c:1|c\ns:u|s\na:16|c\r\na:32|c\n");
    ck_assert_uint_eq(stats->lines, 9);
    ck_assert_uint_eq(stats->verdicts[TABLE_APPLIED], 9);
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
    ck_assert_int_eq(filter_init(&rig.plot.filter, &lists, storage, sizeof(storage)), 0);
    for (int i = 0; i < 3; i++)
        apply("secret.x:1|c\nsecret/x:1|c\na:1|c\nb:1|g\nbb:1|g\nsecret.:x|s\nb:1|c|@0.1\nb:x|c\n");
    ck_assert_uint_eq(stats->verdicts[TABLE_APPLIED], 9);
    ck_assert_uint_eq(stats->verdicts[TABLE_FILTERED], 12);
    ck_assert_uint_eq(stats->bad[PARSE_BAD_VALUE], 3);
    assert_accounted();
    assert_table("secret-x=3;a=3;bb=1;");
    tear_down();
}
END_TEST

START_TEST(test_refused)
{
    set_up(2);
    apply("a:1|c\nb:1e308|c\nc:1|c\nb:1e308|c\na:1|c\nc:1|g\n");
    ck_assert_uint_eq(stats->verdicts[TABLE_APPLIED], 3);
    ck_assert_uint_eq(stats->verdicts[TABLE_METRICS], 2);
    ck_assert_uint_eq(stats->verdicts[TABLE_OVERFLOW], 1);
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

/* Fills the hand with n random datagrams. Returns their bytes. */
static size_t
receive_random(struct plot *plot, uint32_t *random, size_t n)
{
    char bytes[400];
    size_t n_bytes = 0;

    plot_begin_hand(plot);
    for (size_t i = 0; i < n; i++) {
        size_t len =
            draw(random, 6) == 0 ? 0 : random_datagram(random, bytes, 16 + draw(random, 384));

        plot_receive(plot, bytes, len, draw(random, 10) == 0);
        n_bytes += len;
    }
    return n_bytes;
}

START_TEST(test_random_bytes_are_accounted_for)
{
    uint32_t random = 20240229;
    uint64_t n_bytes = 0;

    set_up(40);
    for (int round = 0; round < 1000; round++) {
        n_bytes += receive_random(&rig.plot, &random, 8);
        finish_hand(&rig);
    }
    ck_assert_uint_eq(stats->packets, 8000);
    ck_assert_uint_eq(stats->bytes, n_bytes);
    assert_accounted();
    ck_assert_uint_gt(stats->verdicts[TABLE_APPLIED], 500);
    ck_assert_uint_gt(stats->verdicts[TABLE_METRICS], 100);
    ck_assert_uint_gt(sum_of(stats->bad, PARSE_ERROR_COUNT), 1000);
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
    ck_assert_uint_eq(stats->lines, 5 * LINES_LOGGED_PER_S);
    tear_down();
}
END_TEST

/* What is done by a process that is killed, and, by turns, by its successors and by one that is
 * not. */
static struct {
    struct plot shadow;   /* rig's, as it was seen last */
    struct rig successor; /* begins with the shadow */
    char text[1 << 16];   /* what is to come of it */
    struct selfstat stats;
    unsigned one_of; /* such looks, a successor goes on */
    uint32_t random;
    unsigned n_looks;
} cut;

/* All that changes: neither the slots nor what no block has. Returns whether anything did. */
static bool
copy_region(struct plot *to, const struct plot *from)
{
    size_t reserved = from->table.arena.reserved, frontier = from->region->table.arena.frontier;
    uint8_t *into = (uint8_t *)to->region;
    const uint8_t *bytes = (const uint8_t *)from->region;

    if (memcmp(into, bytes, sizeof(*from->region)) == 0 &&
        memcmp(into + reserved, bytes + reserved, frontier - reserved) == 0)
        return false;
    memcpy(into, bytes, sizeof(*from->region));
    memcpy(into + reserved, bytes + reserved, frontier - reserved);
    return true;
}

static void
assert_as_uncut(struct rig *of)
{
    static char text[sizeof(cut.text)];

    plot_text(&of->plot.region->table, true, RECORD_POINTS_MAX, text, sizeof(text));
    ck_assert_str_eq(text, cut.text);
    ck_assert_int_eq(memcmp(&of->plot.region->stats, &cut.stats, sizeof(cut.stats)), 0);
    ck_assert_uint_eq(of->plot.region->stats_check, selfstat_check(&cut.stats));
}

/* Asserts nothing, since who dies within an assertion confuses Check. */
static bool
go_on(struct rig *of)
{
    if (!plot_take_over(&of->plot))
        return false;
    init_lines(of);
    finish_hand(of);
    return true;
}

static void
look(void)
{
    if (!copy_region(&cut.shadow, &rig.plot) || draw(&cut.random, cut.one_of) != 0)
        return;
    cut.n_looks++;
    copy_region(&cut.successor.plot, &cut.shadow);
    ck_assert(go_on(&cut.successor));
    assert_as_uncut(&cut.successor);
}

static void
act(void)
{
    finish_hand(&rig);
}

static void
run_cut(void)
{
    stepped_run(act, look, rig.plot.region, rig.plot.table.arena.size);
    assert_as_uncut(&rig);
}

/* The table is not empty before. What max_metrics refuses is so in the end, too. */
static void
open_cut(uint32_t max_metrics, unsigned one_of, uint32_t seed)
{
    set_up(max_metrics);
    open_rig(&cut.successor, max_metrics);
    plot_open(&cut.shadow, max_metrics);
    cut.one_of = one_of;
    cut.random = seed;
    cut.n_looks = 0;
    apply("a:1|c\nb.c:2|g\na:7|ms\na:u|s");
}

static void
close_cut(void)
{
    plot_close(&cut.shadow);
    plot_close(&cut.successor.plot);
    tear_down();
}

/* The hand is filled: what an uninterrupted run makes of it is what is wanted, and each successor
 * finds the same slots. */
static void
run_uncut(void)
{
    struct plot *plot = &cut.successor.plot;

    memcpy(plot_slots(plot), plot_slots(&rig.plot), HAND_SLOTS);
    copy_region(plot, &rig.plot);
    ck_assert(go_on(&cut.successor));
    plot_text(&plot->region->table, true, RECORD_POINTS_MAX, cut.text, sizeof(cut.text));
    cut.stats = plot->region->stats;
}

static void
skip(uint64_t datagrams)
{
    rig.plot.region->hand.skipped = datagrams;
}

/* Killed before any of its stores, of whatever kind the datagrams are. */
START_TEST(test_cut_off_anywhere)
{
    static const struct {
        const char *text;
        bool truncated;
    } rows[] = {
        {"a:1|c\na:2|c|@0.5\n", false},
        {"", false},
        {"b.c:-3|g\r\nnew:1|c\r\n", false},
        {"a:5|ms\na:1|ms\nbad", true},
        {"\n\r\n", false},
        {"a:x|s\na:u|s\nd/e:4|c", false},
        {"rubbish\na:1|c", false},
        {"skip:1|c", false},
        {"g:1e308|c\ng:1e308|c", false},
        {"cut:1|c", true},
        {"", true},
    };

    open_cut(6, 1, 1);
    plot_begin_hand(&rig.plot);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        plot_receive(&rig.plot, rows[i].text, strlen(rows[i].text), rows[i].truncated);
    skip(1 << 7);
    run_uncut();
    run_cut();
    ck_assert_uint_eq(stats->lines, 4 + 13);
    ck_assert_uint_gt(stats->verdicts[TABLE_METRICS], 0);
    ck_assert_uint_gt(cut.n_looks, 100);
    close_cut();
}
END_TEST

START_TEST(test_random_datagrams_cut_off)
{
    uint32_t random = 77777u + (uint32_t)_i;

    open_cut(12, 2, random);
    receive_random(&rig.plot, &random, 1 + draw(&random, 9));
    skip(draw(&random, 2) << draw(&random, 8));
    run_uncut();
    run_cut();
    close_cut();
}
END_TEST

/* Batches that end within a datagram, at its end, and behind its last line's newline. */
START_TEST(test_cut_off_around_the_batch)
{
    static const int counts[] = {HAND_LINES - 1, HAND_LINES, HAND_LINES + 1};
    static const char *const rests[] = {"", "\n", "a:1|c", "a:1|c\nbad\n"};
    static char text[HAND_LINES * 8];
    size_t len = 0;

    open_cut(20, 10, (uint32_t)_i + 5);
    for (int i = 0; i < counts[_i % 3]; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%sn%d:1|c", i > 0 ? "\n" : "", i % 8);
    plot_begin_hand(&rig.plot);
    plot_receive(&rig.plot, text, len, false);
    plot_receive(&rig.plot, "", 0, false);
    plot_receive(&rig.plot, rests[_i / 3], strlen(rests[_i / 3]), false);
    plot_receive(&rig.plot, "", 0, false);
    run_uncut();
    run_cut();
    ck_assert_uint_gt(cut.n_looks, 10);
    close_cut();
}
END_TEST

/* Waits for so long in so little that no other process need be asked. */
static void
spin_us(uint32_t us)
{
    struct timespec from, now;

    clock_gettime(CLOCK_MONOTONIC, &from);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 < us);
}

/* A successor in a process of its own, which is killed us later. Returns whether it was done. */
static bool
go_on_for(uint32_t us)
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(go_on(&rig) ? 0 : 1);
    ck_assert_int_gt(pid, 0);
    spin_us(us);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return !WIFSIGNALED(status);
}

/* One process after another is killed, at work or at taking over; the table goes on growing. */
START_TEST(test_killed_again_and_again)
{
    uint32_t random = 4321;
    unsigned n_killed = 0;

    open_cut(400, 1, 1);
    for (int round = 0; round < 25; round++) {
        uint32_t us = 100;

        receive_random(&rig.plot, &random, HAND_DATAGRAMS);
        run_uncut();
        for (; !go_on_for(draw(&random, us)); us += 50)
            n_killed++;
        assert_as_uncut(&rig);
    }
    ck_assert_uint_gt(n_killed, 50);
    close_cut();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("lines");
    TCase *tcase = tcase_create("lines");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
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
    tcase_add_test(tcase, test_cut_off_anywhere);
    tcase_add_loop_test(tcase, test_random_datagrams_cut_off, 0, 20);
    tcase_add_loop_test(tcase, test_cut_off_around_the_batch, 0, 12);
    tcase_add_test(tcase, test_killed_again_and_again);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
