/*
 * check_push: an interval goes through a real pipe, in as many steps as there is room for, and is
 * cleared when the sender has it.
 */
#include "worker/push.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "pipe/inlet.h"
#include "plot.h"

#define N_NAMES 3000

#define FLUSH_ID (UINT64_C(77) << 32 | 5)

static struct rig {
    int ends[2];
    struct plot plot;
    struct table *table; /* of plot */
    struct board board;  /* the test is the sender */
    struct rules rules;
    struct dialect dialect;
    struct push push;
    struct inlet inlet;
    unsigned n_frames, n_last;  /* of the try at hand; those that said they are the last */
    unsigned n_names;           /* metrics that arrived */
    double num_stats, n_active; /* counters, as the own statistics say */
    unsigned n_own;
    uint32_t crc;   /* of all frames of the try at hand */
    unsigned n_try; /* first frames */
} rig;

static void
set_up(void)
{
    struct flush_opts opts;

    memset(&rig, 0, sizeof(rig));
    ck_assert_int_eq(pipe2(rig.ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_ge(fcntl(rig.ends[1], F_SETPIPE_SZ, 4 * FRAME_MAX), 0);
    plot_open(&rig.plot, N_NAMES);
    rig.table = &rig.plot.region->table;
    dialect_init(&rig.dialect);
    opts = (struct flush_opts){
        .tables = {rig.table},
        .n_tables = 1,
        .dialect = &rig.dialect,
        .rules = &rig.rules,
        .max_samples = 1000,
        .undo = &rig.plot.map.store->undo,
    };
    ck_assert_int_eq(flush_init(&rig.push.flush, &opts), 0);
    outlet_init(&rig.push.outlet, rig.ends[1]);
    inlet_init(&rig.inlet, rig.ends[0]);
    rig.push.board = &rig.board;
    rig.push.self_stats = true;
}

static void
tear_down(void)
{
    flush_release(&rig.push.flush);
    plot_close(&rig.plot);
    close(rig.ends[0]);
    close(rig.ends[1]);
}

static void
fill_table(unsigned n)
{
    struct sample sample = {.type = METRIC_COUNTER, .value = 1, .rate = 1};
    char text[32];

    for (unsigned i = 0; i < n; i++) {
        struct name name = {.text = text, .len = (size_t)snprintf(text, sizeof(text), "n%u", i)};
        uint32_t hash = table_hash(rig.table, sample.type, &name);

        ck_assert_int_eq(table_apply(rig.table, &sample, &name, hash, 1), TABLE_APPLIED);
        undo_commit(&rig.plot.region->undo);
    }
}

static void
begin(bool is_open)
{
    struct push_job job = {
        .flush_id = FLUSH_ID,
        .interval = {.end_ms = 7000, .span_ms = 1000},
        .is_open = is_open,
        .overruns = 3,
        .stats = {.lines = 11},
    };

    if (!is_open) {
        table_close(rig.table);
        undo_commit(&rig.plot.region->undo);
    }
    push_begin(&rig.push, &job, 100);
}

static void
count_records(const struct frame *frame)
{
    const uint8_t *at = frame->payload, *end = at + frame->header.len;
    struct record record;

    while (at < end) {
        ck_assert_int_eq(record_decode(&at, end, &record), 0);
        if (record.source != RECORD_SELF)
            rig.n_names++;
        else
            rig.n_own++;
        if (record.name_len == 8 && memcmp(record.name, "numStats", 8) == 0)
            rig.num_stats = record.points[0].value;
        if (record.name_len == 22 && memcmp(record.name, "metrics_active.counter", 22) == 0)
            rig.n_active = record.points[0].value;
    }
    rig.n_last += (frame->header.flags & FRAME_LAST) != 0;
}

/* A sender throws away what it has where a flush begins anew. */
static void
take(const struct frame *frame)
{
    ck_assert_uint_eq(frame->header.flush_id, FLUSH_ID);
    ck_assert_uint_eq(frame->header.end_ms, 7000);
    if (frame->header.sequence == 0) {
        rig.n_try++;
        rig.n_frames = rig.n_last = rig.n_names = rig.n_own = 0;
        rig.crc = 0;
    }
    ck_assert_uint_eq(frame->header.sequence, rig.n_frames++);
    rig.crc = hash_crc32c(rig.crc, &frame->header, sizeof(frame->header));
    rig.crc = hash_crc32c(rig.crc, frame->payload, frame->header.len);
    count_records(frame);
}

/* Returns how many frames there were, at most max. */
static unsigned
read_frames(unsigned max)
{
    struct frame frame;
    enum inlet_result result = INLET_FRAME;
    unsigned n = 0;

    for (; n < max && (result = inlet_read(&rig.inlet, &frame)) == INLET_FRAME; n++)
        take(&frame);
    ck_assert(result == INLET_FRAME || result == INLET_EMPTY);
    ck_assert_uint_eq(rig.inlet.n_stale + rig.inlet.n_bad, 0);
    return n;
}

static void
step(void)
{
    ck_assert_int_eq(push_step(&rig.push, 150), 0);
}

/* Until all is in the pipe or read. Returns how often the pipe was full. */
static unsigned
push_all(void)
{
    unsigned n_blocked = 0;

    while (rig.push.state != PUSH_WAITING) {
        step();
        n_blocked += rig.push.state == PUSH_BLOCKED;
        read_frames(100);
    }
    read_frames(100);
    return n_blocked;
}

static void
commit(uint64_t flush_id)
{
    board_set(&rig.board.committed, flush_id);
    step();
}

static void
assert_whole(unsigned n_names)
{
    ck_assert_uint_eq(rig.n_last, 1);
    ck_assert_uint_eq(rig.n_names, n_names);
    ck_assert_double_eq(rig.num_stats, n_names);
    ck_assert(!rig.push.self_stats || rig.n_active == n_names);
}

/* Whether a sample of the first name is still in the closed generation. */
static bool
is_kept(void)
{
    const struct metric *metric = arena_at(&rig.table->arena, rig.table->first);

    return metric_touched(metric, table_open(rig.table) ^ 1);
}

START_TEST(test_blocked_and_on)
{
    set_up();
    fill_table(N_NAMES);
    begin(false);
    ck_assert_uint_gt(push_all(), 2);
    assert_whole(N_NAMES);
    ck_assert_uint_gt(rig.n_own, 10);
    ck_assert(rig.table->flushing);
    commit(FLUSH_ID);
    ck_assert_int_eq(rig.push.state, PUSH_COMMITTED);
    ck_assert_uint_eq(rig.push.flush_ms, 50);
    ck_assert(is_kept()); /* whoever keeps the phase is to note it first */
    push_clear(&rig.push);
    while (rig.push.state == PUSH_CLEARING)
        step();
    ck_assert_int_eq(rig.push.state, PUSH_DONE);
    ck_assert(!is_kept());
    ck_assert(!rig.table->flushing);
    ck_assert_uint_eq(read_frames(1), 0);
    tear_down();
}
END_TEST

/* Nothing is cleared that the sender may not have. */
START_TEST(test_waits_for_the_sender)
{
    static const struct {
        uint64_t committed;
        bool is_done;
    } rows[] = {
        {0, false},
        {FLUSH_ID - 1, false},
        {FLUSH_ID, true},
        {FLUSH_ID + 1, true},
        {FLUSH_ID + (UINT64_C(1) << 32), false}, /* of another store */
        {FLUSH_ID - (UINT64_C(1) << 32), false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up();
        fill_table(10);
        begin(false);
        push_all();
        commit(rows[i].committed);
        ck_assert_msg(rig.push.state == (rows[i].is_done ? PUSH_COMMITTED : PUSH_WAITING),
                      "row %zu", i);
        ck_assert(is_kept());
        ck_assert_uint_eq(read_frames(1), 0);
        tear_down();
    }
}
END_TEST

/* A sender that starts within a flush may lack what the one before has read: all comes once more,
 * the same bytes. */
START_TEST(test_sender_starts_anew)
{
    uint32_t crc;
    unsigned n_frames;

    set_up();
    fill_table(N_NAMES);
    begin(false);
    push_all();
    crc = rig.crc;
    n_frames = rig.n_frames;
    ck_assert_uint_gt(n_frames, 10);
    for (unsigned n_read = 0; n_read <= n_frames; n_read += 4) {
        board_count(&rig.board.sender_starts);
        step();
        while (rig.n_frames < n_read || rig.n_frames == n_frames) {
            step();
            read_frames(1);
        }
    }
    board_count(&rig.board.sender_starts);
    step();
    push_all();
    ck_assert_uint_gt(rig.n_try, 3);
    ck_assert_uint_eq(rig.n_frames, n_frames);
    ck_assert_uint_eq(rig.crc, crc);
    assert_whole(N_NAMES);
    /* One that starts when its predecessor has it all changes nothing. */
    board_count(&rig.board.sender_starts);
    commit(FLUSH_ID);
    ck_assert_int_eq(rig.push.state, PUSH_COMMITTED);
    tear_down();
}
END_TEST

/* What is sent of the open interval stays there. */
START_TEST(test_open_interval)
{
    set_up();
    fill_table(5);
    begin(true);
    push_all();
    assert_whole(5);
    commit(FLUSH_ID);
    ck_assert_int_eq(rig.push.state, PUSH_DONE);
    board_set(&rig.board.committed, 0);
    begin(false);
    push_all();
    assert_whole(5);
    tear_down();
}
END_TEST

/* Timers whose percentiles take long are no more of a turn than other names are. */
START_TEST(test_open_interval_of_many_samples)
{
    enum { N_TIMERS = 500, N_SAMPLES = 1000 };
    struct sample sample = {.type = METRIC_TIMER, .rate = 1};
    unsigned n_turns = 0;
    char text[32];

    set_up();
    for (unsigned i = 0; i < N_TIMERS; i++) {
        struct name name = {.text = text, .len = (size_t)snprintf(text, sizeof(text), "t%u", i)};
        uint32_t hash = table_hash(rig.table, sample.type, &name);

        for (unsigned k = 0; k < N_SAMPLES; k++) {
            sample.value = (double)((k * 7919) % 9973);
            ck_assert_int_eq(table_apply(rig.table, &sample, &name, hash, 1), TABLE_APPLIED);
            undo_commit(&rig.plot.region->undo);
        }
    }
    begin(true);
    do {
        step();
        n_turns++;
        read_frames(100);
    } while (rig.push.state != PUSH_WAITING);
    ck_assert_uint_ge(n_turns, 2);
    tear_down();
}
END_TEST

START_TEST(test_num_stats_alone)
{
    set_up();
    rig.push.self_stats = false;
    fill_table(3);
    begin(false);
    step();
    ck_assert_int_eq(rig.push.state, PUSH_WAITING);
    ck_assert_uint_eq(read_frames(100), 1);
    assert_whole(3);
    ck_assert_uint_eq(rig.n_own, 1);
    tear_down();
}
END_TEST

START_TEST(test_broken_pipe)
{
    set_up();
    signal(SIGPIPE, SIG_IGN);
    close(rig.ends[0]);
    fill_table(3);
    begin(false);
    ck_assert_int_eq(push_step(&rig.push, 150), -EPIPE);
    rig.ends[0] = dup(rig.ends[1]);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("push");
    TCase *tcase = tcase_create("push");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_blocked_and_on);
    tcase_add_test(tcase, test_waits_for_the_sender);
    tcase_add_test(tcase, test_sender_starts_anew);
    tcase_add_test(tcase, test_open_interval);
    tcase_add_test(tcase, test_open_interval_of_many_samples);
    tcase_add_test(tcase, test_num_stats_alone);
    tcase_add_test(tcase, test_broken_pipe);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
