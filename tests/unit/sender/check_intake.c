/*
 * check_intake: frames in, committed flushes out, and what the worker is told meanwhile. Nothing is
 * sent: with TRANSPORT=none what is committed is delivered.
 */
#include "arena.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <syslog.h>

#include "base/log.h"
#include "pipe/outlet.h"
#include "sender/intake.h"
#include "sender/notice.h"

static struct delivery delivery;
static struct intake intake;
static struct sender_opts opts;
static struct outlet outlet;
static int frames;
static uint64_t now_ms = 1000000;

uint64_t __wrap_clock_mono_ms(void);

/* The linker puts it in the place of clock_mono_ms. */
uint64_t
__wrap_clock_mono_ms(void)
{
    return now_ms;
}

static void
open_it(void)
{
    memset(&delivery, 0, sizeof(delivery));
    delivery_open(&delivery, &opts);
    intake_init(&intake, &opts, &delivery);
}

static void
set_up(void)
{
    int ends[2], nowhere[2];

    log_init(LOG_TO_STDERR, LOG_ERR);
    ck_assert_int_eq(pipe2(ends, O_DIRECT | O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq(pipe2(nowhere, O_CLOEXEC | O_NONBLOCK), 0);
    frames = ends[1];
    opts = (struct sender_opts){
        .pipe_fd = ends[0],
        .ask_fd = nowhere[1],
        .addresses_fd = nowhere[0],
        .ack_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .arena_fd = new_arena(),
        .spool_fd = -1,
        .gauges_fd = -1,
        .board = board_new(),
        .destination = "",
        .queue_memory = 1 << 20,
    };
    dialect_init(&opts.dialect);
    outlet_init(&outlet, frames);
    open_it();
}

static void
close_it(void)
{
    intake_release(&intake);
    delivery_close(&delivery);
}

static void
tear_down(void)
{
    ck_assert(is_closed(&delivery.backlog.queue));
    close_it();
    if (frames >= 0)
        close(frames);
    close(opts.pipe_fd);
    close(opts.arena_fd);
}

/* How often it was rung since the last call. */
static uint64_t
n_rung(void)
{
    uint64_t n = 0;

    return read(opts.ack_fd, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

static void
give(unsigned n_lines, uint16_t flags)
{
    for (unsigned i = 0; i < n_lines; i++) {
        struct record record = {.source = METRIC_COUNTER, .name = "a", .name_len = 1};

        record_add(&record, STATISTIC_RATE, 0, i);
        ck_assert_int_eq(record_encode(&record, &outlet.payload), 0);
    }
    ck_assert_int_eq(outlet_send(&outlet, flags), 0);
}

static void
begin(uint64_t id)
{
    outlet_begin(&outlet, id, UINT64_C(1700000010000));
}

/* What was committed, and what it was said to be. */
static void
assert_committed(uint64_t id, uint64_t n_lines)
{
    ck_assert_uint_eq(board_get(&opts.board->committed), id);
    ck_assert_uint_eq(delivery.backlog.queue.vault.journal.committed, id);
    ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->emitted, n_lines);
}

START_TEST(test_a_flush_is_committed_whole)
{
    set_up();
    ck_assert_uint_eq(board_get(&opts.board->sender_starts), 1);
    ck_assert_uint_eq(n_rung(), 1);
    begin(EPOCH | 1);
    for (int i = 0; i < 3; i++) {
        give(4, 0);
        intake_read(&intake);
        assert_committed(0, 0);
        ck_assert_uint_eq(n_rung(), 0);
    }
    give(1, FRAME_LAST);
    intake_read(&intake);
    assert_committed(EPOCH | 1, 13);
    ck_assert_uint_eq(n_rung(), 1);
    /* Nothing has gone by yet, not even the time after which the board is told again. */
    ck_assert_uint_eq(board_get(&opts.board->delivery.queued), 13);
    delivery_go(&delivery);
    notice_state(&delivery, now_ms);
    ck_assert_uint_eq(board_get(&opts.board->delivery.queued), 0);
    ck_assert_uint_eq(board_get(&opts.board->delivery.delivered), 13);
    tear_down();
}
END_TEST

/* Its writer died within it and another began anew, or something else. */
START_TEST(test_from_the_first_frame)
{
    set_up();
    begin(EPOCH | 1);
    give(4, 0);
    give(4, 0);
    begin(EPOCH | 1);
    give(4, 0);
    begin(EPOCH | 1);
    give(3, 0);
    give(2, FRAME_LAST);
    intake_read(&intake);
    assert_committed(EPOCH | 1, 5);
    begin(EPOCH | 2);
    give(4, 0);
    begin(EPOCH << 1 | 1);
    give(1, FRAME_LAST);
    intake_read(&intake);
    assert_committed(EPOCH << 1 | 1, 6);
    tear_down();
}
END_TEST

/* Of the same writer what is not newer was taken; of another a small number says nothing. */
START_TEST(test_taken_already)
{
    static const struct {
        uint64_t id;
        uint64_t n_lines;
    } rows[] = {{EPOCH | 5, 2},      {EPOCH | 5, 2},      {EPOCH | 4, 2}, {EPOCH | 6, 4},
                {EPOCH << 1 | 1, 6}, {EPOCH << 1 | 1, 6}, {EPOCH | 7, 8}, {EPOCH | 1, 8}};

    set_up();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        n_rung();
        begin(rows[i].id);
        give(1, 0);
        give(1, FRAME_LAST);
        intake_read(&intake);
        ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->emitted, rows[i].n_lines);
        ck_assert_uint_eq(board_get(&opts.board->committed), rows[i].id);
        ck_assert_uint_eq(n_rung(), 1);
    }
    tear_down();
}
END_TEST

/* Another process knows what was taken, even when it has gone. */
START_TEST(test_next_process)
{
    set_up();
    begin(EPOCH | 3);
    give(2, FRAME_LAST);
    intake_read(&intake);
    delivery_go(&delivery); /* delivered */
    begin(EPOCH | 4);
    give(2, 0);
    intake_read(&intake);
    close_it();
    board_set(&opts.board->committed, 0);
    open_it();
    ck_assert_uint_eq(board_get(&opts.board->sender_starts), 2);
    assert_committed(EPOCH | 3, 2);
    give(2, FRAME_LAST); /* the rest of what the one before had begun to read */
    intake_read(&intake);
    assert_committed(EPOCH | 3, 2);
    begin(EPOCH | 4);
    give(2, FRAME_LAST);
    intake_read(&intake);
    assert_committed(EPOCH | 4, 4);
    tear_down();
}
END_TEST

/* What is asked for again is asked for once a second at most. */
START_TEST(test_bad_packets)
{
    set_up();
    for (unsigned i = 0; i < 25; i++) {
        ck_assert_int_eq((int)write(frames, "rubbish", 7), 7);
        intake_read(&intake);
        intake_read(&intake);
        now_ms += 100;
    }
    ck_assert_uint_eq(board_get(&opts.board->sender_starts), 1 + 3);
    ck_assert_uint_eq(delivery.tally.frames_bad, 25);
    tear_down();
}
END_TEST

/* The second frame of three is damaged. */
static void
give_broken(uint64_t id)
{
    begin(id);
    give(2, 0);
    ck_assert_int_eq(buf_append(&outlet.payload, "none", 4), 0);
    give(3, 0);
    give(4, FRAME_LAST);
    intake_read(&intake);
}

/* A frame that holds no record: the flush is asked for again, but not for ever. */
START_TEST(test_broken_flush)
{
    set_up();
    for (unsigned i = 1; i <= 2; i++) {
        give_broken(EPOCH | 1);
        assert_committed(0, 0);
        intake_read(&intake);
        ck_assert_uint_eq(board_get(&opts.board->sender_starts), 1 + i);
        now_ms += 1000;
    }
    give_broken(EPOCH | 1);
    assert_committed(EPOCH | 1, 2 + 4);
    give_broken(EPOCH | 2);
    assert_committed(EPOCH | 1, 2 + 4);
    begin(EPOCH | 2);
    give(5, FRAME_LAST);
    intake_read(&intake);
    assert_committed(EPOCH | 2, 2 + 4 + 5);
    ck_assert_uint_eq(delivery.tally.frames_bad, 4);
    tear_down();
}
END_TEST

/* The disk that gauges go to may be slow. */
START_TEST(test_beat)
{
    set_up();
    opts.gauges_fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* none at all */
    opts.gauges_name = "gauges";
    log_init(LOG_TO_STDERR, LOG_CRIT);
    begin(EPOCH | 1);
    give(1, FRAME_LAST);
    intake_read(&intake);
    ck_assert_uint_eq(board_get(&opts.board->beats[BOARD_SENDER]), 2);
    close(opts.gauges_fd);
    tear_down();
}
END_TEST

/* Nobody is left to send it again, or somebody is. */
START_TEST(test_end)
{
    set_up();
    opts.arena_outlives = _i == 1;
    begin(EPOCH | 1);
    give(3, 0);
    close(frames);
    frames = -1;
    ck_assert(!intake.has_ended);
    intake_read(&intake);
    ck_assert(intake.has_ended);
    ck_assert_uint_eq(queue_ledger(&delivery.backlog.queue)->emitted, _i == 1 ? 0 : 3);
    tear_down();
}
END_TEST

/* A flush larger than QUEUE_MEMORY: what is left out is counted, and older ones have gone for it.
 */
START_TEST(test_too_large)
{
    set_up();
    begin(EPOCH | 1);
    give(1, FRAME_LAST);
    begin(EPOCH | 2);
    for (unsigned i = 0; i < 1000; i++) {
        give(250, i == 999 ? FRAME_LAST : 0);
        intake_read(&intake);
    }
    assert_committed(EPOCH | 2, 250001);
    ck_assert_uint_ge(queue_ledger(&delivery.backlog.queue)->dropped[LEDGER_QUEUE], 100000);
    ck_assert_uint_le(delivery.backlog.queue.vault.taken, 1 << 20);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("intake");
    TCase *tcase = tcase_create("intake");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_a_flush_is_committed_whole);
    tcase_add_test(tcase, test_from_the_first_frame);
    tcase_add_test(tcase, test_taken_already);
    tcase_add_test(tcase, test_next_process);
    tcase_add_test(tcase, test_bad_packets);
    tcase_add_test(tcase, test_broken_flush);
    tcase_add_test(tcase, test_beat);
    tcase_add_loop_test(tcase, test_end, 0, 2);
    tcase_add_test(tcase, test_too_large);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
