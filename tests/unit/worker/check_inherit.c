/*
 * check_inherit: a worker's first look at what the one before has left, at each point where that
 * may have died; and what becomes of what is not sound.
 */
#include "worker/inherit.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "metric/gaugefile.h"
#include "plot.h"

#define NOW_MS    UINT64_C(1700000000000)
#define SHARDS    2
#define TEXT_MAX  4096
#define N_FLIPS   1500
#define N_SAMPLES 5

static struct rig {
    struct worker_opts worker;
    struct filter filter;
    struct store_map map;
    struct shard shards[SHARDS];
    char text[TEXT_MAX];
} rig;

static struct board board;

static void
set_up(unsigned n_threads)
{
    memset(&rig, 0, sizeof(rig));
    rig.worker = (struct worker_opts){
        .arena_fd = plot_file(),
        .board = &board,
        .quarantine_fd = -1,
        .gauges_fd = -1,
        .names = {.name_max = 512, .node_max = 240},
        .memory_limit = 8 << 20,
        .max_metrics = 100,
        .timer_max_samples = 1000,
        .set_exact_max = 1000,
        .n_threads = n_threads,
    };
}

static void
tear_down(void)
{
    store_close(&rig.map);
    close(rig.worker.arena_fd);
    if (rig.worker.gauges_fd >= 0)
        close(rig.worker.gauges_fd);
}

/* A process begins, whatever the one before was doing. */
static void
begin(void)
{
    struct inherit_opts opts = {
        .worker = &rig.worker, .filter = &rig.filter, .done_fd = -1, .wall_ms = NOW_MS};

    store_close(&rig.map);
    memset(rig.shards, 0xee, sizeof(rig.shards));
    ck_assert_int_eq(inherit(&rig.map, rig.shards, &opts), 0);
}

/* Leaves a datagram in a shard's hand. */
static void
receive(size_t i, const char *text)
{
    struct plot plot = {.region = store_region(&rig.map, i)};

    plot.table.arena.reserved = plot.region->table.arena.reserved;
    plot_begin_hand(&plot);
    plot_receive(&plot, text, strlen(text), false);
}

static void
apply(size_t i, const char *text)
{
    struct shard *shard = &rig.shards[i];

    receive(i, text);
    lines_apply(&shard->lines, (size_t)ingest_resume(&shard->ingest), NOW_MS);
    ingest_done(&shard->ingest);
}

static void
set_phase(enum store_phase phase, uint32_t number)
{
    struct store_state state = rig.map.store->state;

    state.phase = phase;
    state.number = number;
    state.closed = (struct interval){.end_ms = NOW_MS, .span_ms = 10000};
    state.open = (struct interval){.end_ms = NOW_MS + 10000, .span_ms = 10000};
    store_set(rig.map.store, &state);
}

static const char *
text_of(size_t i, bool is_open)
{
    plot_text(&rig.shards[i].region->table, is_open, RECORD_POINTS_MAX, rig.text, sizeof(rig.text));
    return rig.text;
}

static const struct selfstat *
stats_of(size_t i)
{
    return &rig.shards[i].region->stats;
}

static void
assert_anew(uint64_t n_resets)
{
    for (size_t i = 0; i < rig.worker.n_threads; i++) {
        struct store_region *region = rig.shards[i].region;
        struct selfstat none = {.resets = i == 0 ? n_resets : 0};

        ck_assert_ptr_eq(region, store_region(&rig.map, i));
        ck_assert_int_eq(memcmp(&region->stats, &none, sizeof(none)), 0);
        ck_assert_uint_eq(region->stats_check, selfstat_check(&none));
        ck_assert_uint_eq(region->table.n_metrics, 0);
        ck_assert(!region->table.flushing);
    }
    ck_assert_int_eq(rig.map.store->state.phase, STORE_COLLECTING);
}

START_TEST(test_fresh)
{
    set_up(SHARDS);
    begin();
    assert_anew(0);
    apply(0, "a:1|c");
    apply(1, "a:2|c\nb:1|g");
    ck_assert_str_eq(text_of(0, true), "a=1;");
    ck_assert_str_eq(text_of(1, true), "a=2;b=1;");
    tear_down();
}
END_TEST

START_TEST(test_collecting)
{
    set_up(SHARDS);
    begin();
    for (int i = 0; i < 5; i++) {
        apply(0, "a:1|c\nt:3|ms");
        receive(0, "a:10|c");
        receive(1, "s:x|s");
        begin();
    }
    ck_assert_str_eq(text_of(0, true), "a=55;t=3,5,3,3,3;");
    ck_assert_str_eq(text_of(1, true), "s=1;");
    ck_assert_uint_eq(stats_of(0)->packets, 10);
    ck_assert_uint_eq(stats_of(0)->lines, 15);
    ck_assert_uint_eq(stats_of(1)->lines, 5);
    ck_assert(!rig.shards[0].region->table.flushing);
    ck_assert_int_eq(rig.map.store->state.phase, STORE_COLLECTING);
    tear_down();
}
END_TEST

/* Whoever has not closed the interval that is to be closed does so; what was in hand is part of
 * it. */
START_TEST(test_closing)
{
    set_up(SHARDS);
    begin();
    set_phase(STORE_COLLECTING, 0);
    apply(0, "a:1|c");
    apply(1, "b:1|c\nbad");
    set_phase(STORE_CLOSING, 0);
    if ((_i & 1) != 0) {
        shard_close_now(&rig.shards[0]);
        apply(0, "a:7|c");
    }
    if ((_i & 2) != 0)
        shard_close_now(&rig.shards[1]);
    receive(1, "b:2|c");
    begin();
    ck_assert_int_eq(rig.map.store->state.phase, STORE_SENDING);
    ck_assert_uint_eq(rig.map.store->state.number, 1);
    ck_assert_uint_eq(rig.map.store->state.flush, 1);
    ck_assert_uint_eq(rig.map.store->state.closed.end_ms, NOW_MS);
    for (size_t i = 0; i < SHARDS; i++) {
        ck_assert(rig.shards[i].region->table.flushing);
        ck_assert_uint_eq(rig.shards[i].region->table.number, 1);
    }
    ck_assert_str_eq(text_of(0, false), "a=1;");
    ck_assert_str_eq(text_of(0, true), (_i & 1) != 0 ? "a=7;" : "");
    ck_assert_str_eq(text_of(1, false), (_i & 2) != 0 ? "b=1;" : "b=3;");
    ck_assert_str_eq(text_of(1, true), (_i & 2) != 0 ? "b=2;" : "");
    ck_assert_uint_eq(rig.shards[0].region->closed.lines, 1);
    ck_assert_uint_eq(rig.shards[1].region->closed.lines, (_i & 2) != 0 ? 2 : 3);
    ck_assert_uint_eq(rig.shards[1].region->closed.bad[PARSE_NO_VALUE], 1);
    /* Once more, nothing is left to close. */
    begin();
    ck_assert_uint_eq(rig.map.store->state.flush, 1);
    ck_assert_str_eq(text_of(0, false), "a=1;");
    tear_down();
}
END_TEST

START_TEST(test_sending_and_clearing)
{
    static const enum store_phase phases[] = {STORE_SENDING, STORE_CLEARING};

    set_up(1);
    begin();
    apply(0, "a:1|c\ng:5|g");
    set_phase(STORE_CLOSING, 0);
    shard_close_now(&rig.shards[0]);
    set_phase(phases[_i], 1);
    apply(0, "a:2|c");
    for (int i = 0; i < 3; i++) {
        receive(0, "a:4|c");
        begin();
        ck_assert_int_eq(rig.map.store->state.phase, phases[_i]);
        ck_assert_uint_eq(rig.map.store->state.flush, 0);
        ck_assert(rig.shards[0].region->table.flushing);
        ck_assert_str_eq(text_of(0, false), "a=1;g=5;");
    }
    ck_assert_str_eq(text_of(0, true), "a=14;");
    tear_down();
}
END_TEST

/* What the tables and the state say of each other cannot be. */
START_TEST(test_numbers_that_do_not_fit)
{
    static const struct {
        enum store_phase phase;
        uint32_t number; /* of the state; the table's is 1 */
        bool sound;
    } rows[] = {
        {STORE_COLLECTING, 1, true}, {STORE_COLLECTING, 0, false}, {STORE_COLLECTING, 2, false},
        {STORE_CLOSING, 1, true},    {STORE_CLOSING, 0, true},     {STORE_CLOSING, 2, false},
        {STORE_SENDING, 1, true},    {STORE_SENDING, 0, false},    {STORE_CLEARING, 1, true},
        {STORE_CLEARING, 2, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(1);
        begin();
        shard_close_now(&rig.shards[0]);
        set_phase(rows[i].phase, rows[i].number);
        begin();
        ck_assert_msg(stats_of(0)->resets == !rows[i].sound, "row %zu", i);
        if (!rows[i].sound)
            assert_anew(1);
        tear_down();
    }
}
END_TEST

/* A region that is not sound is the end of them all. */
START_TEST(test_broken_region)
{
    struct metric *metric;
    struct table *table;

    set_up(SHARDS);
    begin();
    apply(0, "a:1|c");
    apply(1, "abc:1|c");
    set_phase(STORE_COLLECTING, 0);
    table = &rig.shards[1].region->table;
    metric = arena_at(&table->arena, table->first);
    if (_i == 0)
        ((char *)metric)[metric_size(metric->type, 0)] = 'z'; /* its name */
    else
        rig.shards[1].region->stats.lines++;
    begin();
    assert_anew(1);
    ck_assert_uint_eq(rig.map.floor_ms, NOW_MS + 10000);
    ck_assert_str_eq(text_of(0, true), "");
    /* The next one finds something sound, and that the loss was counted. */
    apply(0, "b:1|c");
    begin();
    ck_assert_str_eq(text_of(0, true), "b=1;");
    ck_assert_uint_eq(stats_of(0)->resets, 1);
    tear_down();
}
END_TEST

/* Other settings mean another store; where a limit has grown, or what is there fits, the same. */
START_TEST(test_other_settings)
{
    set_up(1);
    begin();
    apply(0, "a:1|c");
    rig.worker.memory_limit = 16 << 20;
    rig.worker.max_metrics = 1;
    begin();
    ck_assert_str_eq(text_of(0, true), "a=1;");
    apply(0, "b:1|c");
    ck_assert_uint_eq(stats_of(0)->verdicts[TABLE_METRICS], 1);
    rig.worker.n_threads = SHARDS;
    begin();
    assert_anew(0);
    tear_down();
}
END_TEST

/* Names that are not wanted any more are not, those that are again are. */
START_TEST(test_other_filter)
{
    struct filter_opts lists = {.drop = "a", .allow = NULL};
    uint8_t storage[64];

    set_up(1);
    begin();
    apply(0, "a:1|c\nb:1|c");
    ck_assert_int_eq(filter_init(&rig.filter, &lists, storage, sizeof(storage)), 0);
    begin();
    apply(0, "a:1|c\nb:1|c");
    ck_assert_uint_eq(stats_of(0)->verdicts[TABLE_FILTERED], 1);
    rig.filter = (struct filter){0};
    begin();
    apply(0, "a:1|c\nb:1|c");
    ck_assert_uint_eq(stats_of(0)->verdicts[TABLE_FILTERED], 1);
    ck_assert_str_eq(text_of(0, true), "a=2;b=3;");
    tear_down();
}
END_TEST

static void
add_gauge(struct buf *buf, const char *name, double value, uint64_t set_ms)
{
    struct gaugefile_entry entry = {
        .name = name, .name_len = strlen(name), .value = value, .set_ms = set_ms};

    ck_assert_int_eq(gaugefile_add(buf, &entry), 0);
}

/* A file that a sender may have written; names that nobody has are among it, and one twice. */
static void
make_gauges(struct buf *buf)
{
    char longest[600];

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    buf_init(buf, 1 << 16);
    ck_assert_int_eq(gaugefile_begin(buf), 0);
    add_gauge(buf, "g", 2.5, NOW_MS - 7000);
    add_gauge(buf, "h.i", -1e300, 1);
    add_gauge(buf, "g", 3, NOW_MS);
    add_gauge(buf, longest, 1, NOW_MS);
    add_gauge(buf, "\x01", 1, NOW_MS);
    gaugefile_end(buf);
}

static void
give_gauges(const void *bytes, size_t len)
{
    if (rig.worker.gauges_fd < 0)
        rig.worker.gauges_fd = plot_file();
    ck_assert_int_eq(ftruncate(rig.worker.gauges_fd, 0), 0);
    ck_assert_int_eq((int)pwrite(rig.worker.gauges_fd, bytes, len, 0), (int)len);
}

START_TEST(test_gauges)
{
    struct buf file;

    set_up(SHARDS);
    make_gauges(&file);
    give_gauges(file.data, file.len);
    begin();
    ck_assert_str_eq(text_of(0, true), "g=2.5;h.i=-1e+300;");
    ck_assert_str_eq(text_of(1, true), "");
    ck_assert_uint_eq(stats_of(0)->lines, 0);
    ck_assert_uint_eq(stats_of(0)->resets, 0);
    /* What is alive is newer than any file. */
    apply(0, "g:9|g");
    begin();
    ck_assert_str_eq(text_of(0, true), "g=9;h.i=-1e+300;");
    /* A process that dies amid the gauges has put back none. */
    rig.map.store->magic = 0;
    begin();
    ck_assert_str_eq(text_of(0, true), "g=2.5;h.i=-1e+300;");
    ck_assert_uint_eq(stats_of(0)->resets, 1);
    /* They come back when all else is lost, too. */
    rig.shards[1].region->stats.lines++;
    begin();
    ck_assert_str_eq(text_of(0, true), "g=2.5;h.i=-1e+300;");
    buf_release(&file);
    tear_down();
}
END_TEST

/* A file that is not whole is none. */
START_TEST(test_gauges_that_are_damaged)
{
    struct buf file;

    set_up(1);
    make_gauges(&file);
    for (size_t len = 0; len < file.len; len += len < 80 ? 1 : 37) {
        give_gauges(file.data, len);
        begin();
        ck_assert_str_eq(text_of(0, true), "");
        ck_assert_int_eq(ftruncate(rig.worker.arena_fd, 0), 0);
    }
    for (size_t bit = 0; bit < 8 * file.len; bit += bit < 400 ? 3 : 101) {
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        give_gauges(file.data, file.len);
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        begin();
        ck_assert_str_eq(text_of(0, true), "");
        ck_assert_int_eq(ftruncate(rig.worker.arena_fd, 0), 0);
    }
    buf_release(&file);
    tear_down();
}
END_TEST

START_TEST(test_gauges_that_are_no_file_of_gauges)
{
    set_up(1);
    give_gauges("PYSTATSG", 8);
    ck_assert_int_eq(ftruncate(rig.worker.gauges_fd, (off_t)1 << 40), 0);
    begin();
    assert_anew(0);
    close(rig.worker.gauges_fd);
    rig.worker.gauges_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(ftruncate(rig.worker.arena_fd, 0), 0);
    begin();
    assert_anew(0);
    tear_down();
}
END_TEST

/* One bit turns over anywhere: what is there is what was, or all is anew and counted so. Never
 * more than one process dies of it, since none does. */
START_TEST(test_bit_flips)
{
    static struct store_region saved;
    static uint8_t blocks[64 << 10];
    uint32_t random = 20240101;
    unsigned n_resets = 0;
    char want[TEXT_MAX];
    size_t reserved, len;
    struct store_region *region;
    struct store head;

    set_up(1);
    begin();
    for (int i = 0; i < N_SAMPLES; i++)
        apply(0, "a:1|c\nb.c:7|g\nt:1|ms\nt:5|ms\ns:x|s\ns:y|s\nlonger.name:3|c");
    set_phase(STORE_COLLECTING, 0);
    begin();
    strcpy(want, text_of(0, true));
    region = rig.shards[0].region;
    reserved = region->table.arena.reserved;
    len = region->table.arena.frontier - reserved;
    ck_assert_uint_le(len, sizeof(blocks));
    saved = *region;
    memcpy(blocks, (uint8_t *)region + reserved, len);
    head = *rig.map.store;
    for (int i = 0; i < N_FLIPS; i++) {
        size_t at;

        random = random * 1664525 + 1013904223;
        /* The hand's bytes are nobody's while it is empty. */
        at = (random >> 4) % (offsetof(struct store_region, hand) + len);
        if (at >= offsetof(struct store_region, hand))
            at += reserved - offsetof(struct store_region, hand);
        ((uint8_t *)region)[at] ^= (uint8_t)(1u << random % 8);
        begin();
        region = rig.shards[0].region;
        if (stats_of(0)->resets > 0) {
            assert_anew(1);
            n_resets++;
        } else {
            ck_assert_str_eq(text_of(0, true), want);
            ck_assert_int_eq(memcmp(&region->stats, &saved.stats, sizeof(saved.stats)), 0);
        }
        *region = saved;
        memcpy((uint8_t *)region + reserved, blocks, len);
        *rig.map.store = head;
    }
    ck_assert_uint_gt(n_resets, N_FLIPS / 20);
    ck_assert_uint_lt(n_resets, N_FLIPS);
    tear_down();
}
END_TEST

START_TEST(test_no_file)
{
    struct inherit_opts opts = {.worker = &rig.worker, .filter = &rig.filter, .done_fd = -1};

    set_up(1);
    close(rig.worker.arena_fd);
    rig.worker.arena_fd = -1;
    ck_assert_int_lt(inherit(&rig.map, rig.shards, &opts), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("inherit");
    TCase *tcase = tcase_create("inherit");
    SRunner *runner;
    int n_failed;

    log_init(LOG_TO_STDERR, LOG_ERR);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_fresh);
    tcase_add_test(tcase, test_collecting);
    tcase_add_loop_test(tcase, test_closing, 0, 4);
    tcase_add_loop_test(tcase, test_sending_and_clearing, 0, 2);
    tcase_add_test(tcase, test_numbers_that_do_not_fit);
    tcase_add_loop_test(tcase, test_broken_region, 0, 2);
    tcase_add_test(tcase, test_other_settings);
    tcase_add_test(tcase, test_other_filter);
    tcase_add_test(tcase, test_gauges);
    tcase_add_test(tcase, test_gauges_that_are_damaged);
    tcase_add_test(tcase, test_gauges_that_are_no_file_of_gauges);
    tcase_add_test(tcase, test_bit_flips);
    tcase_add_test(tcase, test_no_file);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
