/*
 * check_push: an interval goes through a real pipe, in as many steps as there is room for.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipe/inlet.h"
#include "worker/push.h"

#define N_NAMES 3000

static struct rig {
    int ends[2];
    struct table table;
    struct filter filter;
    struct rules rules;
    struct dialect dialect;
    struct push push;
    struct inlet inlet;
    unsigned n_last;  /* frames that said they are the last */
    unsigned n_names; /* metrics that arrived */
    double num_stats;
    unsigned n_own;
} rig;

static void
set_up(size_t backlog)
{
    struct table_opts opts = {.memory_limit = 16 << 20,
                              .max_metrics = N_NAMES,
                              .timer_max_samples = 100,
                              .set_exact_max = 100,
                              .filter = &rig.filter};
    struct table *tables[] = {&rig.table};

    memset(&rig, 0, sizeof(rig));
    ck_assert_int_eq(pipe2(rig.ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_ge(fcntl(rig.ends[1], F_SETPIPE_SZ, 4 * FRAME_MAX), 0);
    ck_assert_int_eq(table_init(&rig.table, &opts), 0);
    dialect_init(&rig.dialect);
    ck_assert_int_eq(flush_init(&rig.push.flush, tables, 1, &rig.dialect, &rig.rules), 0);
    ck_assert_int_eq(outlet_init(&rig.push.outlet, rig.ends[1], backlog), 0);
    inlet_init(&rig.inlet, rig.ends[0]);
    rig.push.self_stats = true;
}

static void
tear_down(void)
{
    outlet_release(&rig.push.outlet);
    flush_release(&rig.push.flush);
    table_release(&rig.table);
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
        uint32_t hash = table_hash(&rig.table, sample.type, &name);

        ck_assert_int_eq(table_apply(&rig.table, &sample, &name, hash, 1), TABLE_APPLIED);
    }
}

static void
begin(void)
{
    struct interval interval = {.end_ms = 7000, .span_ms = 1000};

    ck_assert(table_close(&rig.table, &interval));
    push_begin(&rig.push, 100);
}

static void
count_records(const struct frame *frame)
{
    const uint8_t *at = frame->payload, *end = at + frame->header.len;
    struct record record;

    ck_assert_uint_eq(frame->header.flush_id, 7000);
    while (at < end) {
        ck_assert_int_eq(record_decode(&at, end, &record), 0);
        if (record.source != RECORD_SELF)
            rig.n_names++;
        else
            rig.n_own++;
        if (record.name_len == 8 && memcmp(record.name, "numStats", 8) == 0)
            rig.num_stats = record.points[0].value;
    }
    rig.n_last += (frame->header.flags & FRAME_LAST) != 0;
}

static void
read_all(void)
{
    struct frame frame;
    enum inlet_result result;

    while ((result = inlet_read(&rig.inlet, &frame)) == INLET_FRAME)
        count_records(&frame);
    ck_assert_int_eq(result, INLET_EMPTY);
    ck_assert_uint_eq(rig.inlet.n_missed, 0);
}

START_TEST(test_blocked_and_on)
{
    unsigned n_blocked = 0;

    set_up(0);
    fill_table(N_NAMES);
    begin();
    while (rig.push.state != PUSH_DONE) {
        ck_assert_int_eq(push_step(&rig.push, 150), 0);
        n_blocked += rig.push.state == PUSH_BLOCKED;
        read_all();
    }
    read_all();
    ck_assert_uint_gt(n_blocked, 2);
    ck_assert_uint_eq(rig.n_names, N_NAMES);
    ck_assert_double_eq(rig.num_stats, N_NAMES);
    ck_assert_uint_eq(rig.n_last, 1);
    ck_assert_uint_gt(rig.n_own, 10);
    ck_assert_uint_eq(rig.push.flush_ms, 50);
    tear_down();
}
END_TEST

/* Nobody reads: the tables are free for the next interval all the same. */
START_TEST(test_into_the_backlog)
{
    set_up(1 << 20);
    fill_table(N_NAMES);
    begin();
    while (rig.push.state == PUSH_MORE)
        ck_assert_int_eq(push_step(&rig.push, 150), 0);
    ck_assert_int_eq(rig.push.state, PUSH_DONE);
    ck_assert(!rig.table.flushing);
    ck_assert_uint_gt(rig.push.outlet.n_waiting, 4);
    while (rig.push.outlet.n_waiting > 0) {
        read_all();
        (void)outlet_drain(&rig.push.outlet);
    }
    read_all();
    ck_assert_uint_eq(rig.n_names, N_NAMES);
    ck_assert_uint_eq(rig.n_last, 1);
    tear_down();
}
END_TEST

START_TEST(test_num_stats_alone)
{
    set_up(0);
    rig.push.self_stats = false;
    fill_table(3);
    begin();
    ck_assert_int_eq(push_step(&rig.push, 150), 0);
    ck_assert_int_eq(rig.push.state, PUSH_DONE);
    read_all();
    ck_assert_uint_eq(rig.n_own, 1);
    ck_assert_double_eq(rig.num_stats, 3);
    /* Nothing is on its way any more. */
    ck_assert_int_eq(push_step(&rig.push, 160), 0);
    read_all();
    ck_assert_uint_eq(rig.n_last, 1);
    tear_down();
}
END_TEST

START_TEST(test_broken_pipe)
{
    set_up(1 << 20);
    signal(SIGPIPE, SIG_IGN);
    close(rig.ends[0]);
    fill_table(3);
    begin();
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
    tcase_add_test(tcase, test_into_the_backlog);
    tcase_add_test(tcase, test_num_stats_alone);
    tcase_add_test(tcase, test_broken_pipe);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
