/*
 * check_cycle: intervals from their begin to their end, in processes that die at chosen points.
 * Each is a child of the test, and the sender, too, whose memory is the test's.
 */
#include "worker/cycle.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/udp.h"
#include "pipe/inlet.h"
#include "plot.h"

/* More than are cleared, or have room in the pipe, at once. */
#define N_NAMES     10000
#define N_FRAMES    256
#define PATIENCE_MS 20000
#define TRACE_MAX   256

/* Where a process dies. */
enum stop {
    STOP_NEVER,
    STOP_OPEN,      /* nothing was done yet */
    STOP_CLOSING,   /* the shards have been asked to close */
    STOP_CLOSED,    /* they have done so */
    STOP_SENDING,   /* the flush has begun */
    STOP_BLOCKED,   /* the pipe is full */
    STOP_WAITING,   /* all was sent, and the sender has it, but not for good */
    STOP_COMMITTED, /* it has */
    STOP_CLEARING,  /* some of it is cleared */
    STOP_CLEARED,   /* all of it */
    STOP_HALTING,   /* asked to end, with the interval open */
    STOP_LAST_SENT, /* that was sent, and not committed */
    STOP_COUNT,     /* nowhere, and nobody reads what it sends */
};

/* What the sender has of a flush. */
struct taken {
    uint64_t flush_id, end_ms;
    uint32_t counts[N_NAMES];
};

/* All that outlives the processes, the store aside. */
struct sender {
    struct board board;
    struct taken partial, last;
    uint32_t before[N_NAMES]; /* what came under other timestamps than the last */
    unsigned n_commits, n_tries;
    uint32_t crcs[N_FRAMES]; /* of the frames of this flush, by sequence */
    uint64_t crcs_of;        /* its id */
    unsigned n_repeated;     /* frames that came again, the same */
    unsigned n_different;    /* and not the same */
    unsigned n_frames;       /* of the last try */
    uint64_t ids[TRACE_MAX], ends[TRACE_MAX];
    uint8_t phases[TRACE_MAX]; /* as they were found, each change */
    unsigned n_phases;
};

static struct rig {
    struct worker_opts opts;
    struct filter filter;
    int client, pipe_read;
    struct inlet inlet;
    struct sender *sender;
    enum stop stop;
    unsigned restarts_at; /* the sender starts anew when it has so many frames, 0: never */
    uint32_t n_given;     /* of each name */
    struct cycle cycle;   /* the child's */
} rig;

static void
open_sockets(void)
{
    struct net_address found[NET_ADDRESSES_MAX], server = {.len = sizeof(server.storage)};

    ck_assert_int_eq(net_lookup("127.0.0.1", 0, SOCK_DGRAM, found), 1);
    rig.opts.sockets[0] = udp_open(&found[0]);
    rig.client = udp_open(&found[0]);
    net_set_receive_buffer(rig.opts.sockets[0], 8 << 20);
    ck_assert_int_eq(
        getsockname(rig.opts.sockets[0], (struct sockaddr *)&server.storage, &server.len), 0);
    ck_assert_int_eq(connect(rig.client, (struct sockaddr *)&server.storage, server.len), 0);
}

static void
set_up(uint64_t flush_ms)
{
    int ends[2];

    memset(&rig, 0, sizeof(rig));
    ck_assert_int_eq(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 8 * FRAME_MAX), 0);
    rig.pipe_read = ends[0];
    rig.sender =
        mmap(NULL, sizeof(*rig.sender), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(rig.sender, MAP_FAILED);
    rig.opts = (struct worker_opts){
        .n_sockets = 1,
        .pipe_fd = ends[1],
        .ack_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        .arena_fd = plot_file(),
        .quarantine_fd = -1,
        .gauges_fd = -1,
        .admin_fd = -1,
        .console_fd = -1,
        .board = &rig.sender->board,
        .flush_ms = flush_ms,
        .names = {.name_max = 512, .node_max = 240},
        .memory_limit = 64 << 20,
        .max_metrics = 2 * N_NAMES,
        .timer_max_samples = 100,
        .set_exact_max = 100,
        .n_threads = 1,
        .self_stats = true,
    };
    dialect_init(&rig.opts.dialect);
    rig.opts.dialect.rates = false;
    open_sockets();
    inlet_init(&rig.inlet, rig.pipe_read);
}

static void
tear_down(void)
{
    close(rig.opts.sockets[0]);
    close(rig.client);
    close(rig.pipe_read);
    close(rig.opts.pipe_fd);
    close(rig.opts.ack_fd);
    close(rig.opts.arena_fd);
    munmap(rig.sender, sizeof(*rig.sender));
}

/* Each name once. */
static void
give_names(void)
{
    char text[2048];
    size_t len = 0;

    for (int i = 0; i < N_NAMES; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "n%05d:1|c\n", i);
        if (i % 100 == 99) {
            ck_assert_int_eq((int)send(rig.client, text, len, 0), (int)len);
            len = 0;
        }
    }
    rig.n_given++;
}

/* ---- the sender, in the child: it asserts nothing, since who dies within confuses Check */

static void
die(void)
{
    raise(SIGKILL);
}

static void
count_records(struct taken *taken, const struct frame *frame)
{
    const uint8_t *at = frame->payload, *end = at + frame->header.len;
    struct record record;

    while (at < end) {
        if (record_decode(&at, end, &record) != 0)
            abort();
        if (record.source == METRIC_COUNTER)
            taken->counts[strtoul(record.name + 1, NULL, 10) % N_NAMES] +=
                (uint32_t)record.points[0].value;
    }
}

static void
compare_frame(struct sender *sender, const struct frame *frame)
{
    uint64_t i = frame->header.sequence;

    if (sender->crcs_of != frame->header.flush_id)
        memset(sender->crcs, 0, sizeof(sender->crcs));
    sender->crcs_of = frame->header.flush_id;
    if (i >= N_FRAMES)
        abort();
    if (sender->crcs[i] == frame->header.crc)
        sender->n_repeated++;
    else if (sender->crcs[i] != 0)
        sender->n_different++;
    sender->crcs[i] = frame->header.crc;
}

/* The last of equal timestamps is what counts. */
static void
commit(struct sender *sender)
{
    if (rig.stop == STOP_WAITING ||
        (rig.stop == STOP_LAST_SENT && rig.cycle.store->state.phase == STORE_COLLECTING))
        return;
    for (size_t i = 0; i < N_NAMES && sender->partial.end_ms != sender->last.end_ms; i++)
        sender->before[i] += sender->last.counts[i];
    sender->last = sender->partial;
    sender->ids[sender->n_commits] = sender->last.flush_id;
    sender->ends[sender->n_commits++] = sender->last.end_ms;
    if (sender->n_commits == TRACE_MAX)
        abort();
    board_set(&sender->board.committed, sender->last.flush_id);
}

static void
take(struct sender *sender, const struct frame *frame)
{
    uint64_t id = frame->header.flush_id;

    if (frame->header.sequence == 0) {
        sender->partial = (struct taken){.flush_id = id, .end_ms = frame->header.end_ms};
        sender->n_tries++;
        sender->n_frames = 0;
    }
    compare_frame(sender, frame);
    sender->n_frames++;
    count_records(&sender->partial, frame);
    if (sender->n_frames == rig.restarts_at) {
        rig.restarts_at += 7;
        sender->partial = (struct taken){0};
        board_count(&sender->board.sender_starts);
    } else if ((frame->header.flags & FRAME_LAST) != 0 && id > sender->last.flush_id) {
        commit(sender);
    }
}

static void
read_frames(void)
{
    struct frame frame;

    if (rig.stop == STOP_BLOCKED || rig.stop == STOP_COUNT)
        return;
    while (inlet_read(&rig.inlet, &frame) == INLET_FRAME)
        take(rig.sender, &frame);
}

/* ---- the worker */

static void
note_phase(void)
{
    struct sender *sender = rig.sender;
    uint8_t phase = (uint8_t)rig.cycle.store->state.phase;

    if (sender->n_phases > 0 && sender->phases[sender->n_phases - 1] == phase)
        return;
    if (sender->n_phases < TRACE_MAX)
        sender->phases[sender->n_phases++] = phase;
}

static bool
is_at(enum stop stop)
{
    const struct cycle *cycle = &rig.cycle;
    enum store_phase phase = cycle->store->state.phase;
    enum push_state push = cycle->push.state;

    switch (stop) {
    case STOP_OPEN: return true;
    case STOP_CLOSING: return phase == STORE_CLOSING;
    case STOP_CLOSED: return phase == STORE_CLOSING && shard_is_done(&cycle->shards[0]);
    case STOP_SENDING: return phase == STORE_SENDING;
    case STOP_BLOCKED: return push == PUSH_BLOCKED;
    case STOP_WAITING: return push == PUSH_WAITING && phase == STORE_SENDING;
    case STOP_COMMITTED: return phase == STORE_CLEARING;
    case STOP_CLEARING: return phase == STORE_CLEARING && cycle->push.flush.at != 0;
    case STOP_CLEARED: return phase == STORE_COLLECTING && rig.sender->n_commits > 0;
    case STOP_HALTING: return cycle->halting;
    case STOP_LAST_SENT: return push == PUSH_WAITING && phase == STORE_COLLECTING;
    default: return false;
    }
}

static void
probe(void)
{
    note_phase();
    if (is_at(rig.stop))
        die();
}

static void
turn(void)
{
    struct pollfd slot = {.fd = rig.cycle.done_fd, .events = POLLIN};

    (void)poll(&slot, 1, rig.cycle.push.state == PUSH_DONE ? 1 : 0);
    cycle_begin_if_closed(&rig.cycle);
    probe();
    if (cycle_push(&rig.cycle) != 0)
        abort();
    probe();
    read_frames();
}

/* Returns whether it was begun, sent and cleared in time. */
static bool
finish(uint64_t deadline_ms)
{
    while (cycle_is_busy(&rig.cycle)) {
        if (clock_mono_ms() > deadline_ms)
            return false;
        turn();
    }
    return true;
}

/* A worker's whole life: so many flushes, and then a good end. */
static int
live(unsigned n_flushes)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    unsigned until = rig.sender->n_commits + n_flushes;
    int error =
        cycle_open(&rig.cycle, &rig.opts, &rig.filter, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));

    if (error != 0)
        return 2;
    probe();
    while (rig.sender->n_commits < until && clock_mono_ms() < deadline_ms) {
        cycle_close_if_due(&rig.cycle);
        probe();
        turn();
    }
    if (!finish(deadline_ms))
        return 3;
    cycle_end(&rig.cycle);
    probe();
    if (!finish(deadline_ms))
        return 4;
    cycle_tell_ledger(&rig.cycle, &rig.sender->board.ledger);
    cycle_release(&rig.cycle);
    return 0;
}

/* Runs one in a child; it must die where it is to. */
static void
run(enum stop stop, unsigned n_flushes)
{
    pid_t pid;
    int status;

    rig.stop = stop;
    pid = fork();
    if (pid == 0)
        _exit(live(n_flushes));
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (stop == STOP_NEVER)
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
    else
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "stop %d: status %x",
                      stop, status);
}

static void
assert_counts(void)
{
    const struct sender *sender = rig.sender;

    for (size_t i = 0; i < N_NAMES; i++)
        ck_assert_msg(sender->before[i] + sender->last.counts[i] == rig.n_given,
                      "n%05zu: %u and %u of %u", i, sender->before[i], sender->last.counts[i],
                      rig.n_given);
    ck_assert_uint_eq(sender->board.ledger.lines, (uint64_t)rig.n_given * N_NAMES);
    ck_assert_uint_eq(sender->board.ledger.applied, (uint64_t)rig.n_given * N_NAMES);
}

/* Of one store, each newer than the one before; only what stays open may share a timestamp. */
static void
assert_order(void)
{
    const struct sender *sender = rig.sender;

    for (unsigned i = 1; i < sender->n_commits; i++) {
        ck_assert_uint_eq(frame_epoch(sender->ids[i]), frame_epoch(sender->ids[0]));
        ck_assert_uint_gt(frame_number(sender->ids[i]), frame_number(sender->ids[i - 1]));
        ck_assert_uint_ge(sender->ends[i], sender->ends[i - 1] + !rig.opts.keep_open);
    }
    ck_assert_uint_ne(frame_epoch(sender->ids[0]), 0);
}

START_TEST(test_phases_in_order)
{
    const uint8_t *phases;

    set_up(30);
    give_names();
    run(STOP_NEVER, 4);
    assert_counts();
    assert_order();
    ck_assert_uint_eq(rig.sender->n_commits, 5);
    ck_assert_uint_eq(rig.sender->n_different, 0);
    ck_assert_uint_ge(rig.sender->n_phases, 5 * 4 + 1);
    phases = rig.sender->phases;
    ck_assert_int_eq(phases[0], STORE_COLLECTING);
    for (unsigned i = 1; i < rig.sender->n_phases; i++)
        ck_assert_int_eq(phases[i],
                         phases[i - 1] == STORE_CLEARING ? STORE_COLLECTING : phases[i - 1] + 1);
    tear_down();
}
END_TEST

/* A kill in each phase, of the process and then of its successor at the same point or at another;
 * the third is well. Samples come meanwhile. */
START_TEST(test_kill_in_each_phase)
{
    enum stop first = 1 + _i % (STOP_COUNT - 1), second = 1 + _i * 5 % (STOP_COUNT - 1);
    bool ends = first >= STOP_HALTING || second >= STOP_HALTING;

    set_up(30);
    rig.opts.keep_open = ends || _i % 2 == 0;
    give_names();
    run(first, first >= STOP_HALTING ? 1 : 100);
    give_names();
    if (second != STOP_CLEARED || rig.sender->n_commits == 0)
        run(second, second >= STOP_HALTING ? 1 : 100);
    give_names();
    run(STOP_NEVER, 2);
    assert_counts();
    assert_order();
    ck_assert_uint_eq(rig.sender->n_different, 0);
    tear_down();
}
END_TEST

/* Whatever a sender had read and not committed comes again, from the first frame on, byte for
 * byte. */
START_TEST(test_sender_starts_anew)
{
    static const unsigned frames[] = {1, 2, 9, 30};
    unsigned n_whole;

    set_up(60000);
    give_names();
    rig.restarts_at = frames[_i];
    run(STOP_NEVER, 0);
    n_whole = rig.sender->n_frames;
    assert_counts();
    ck_assert_uint_gt(n_whole, 40);
    ck_assert_uint_gt(rig.sender->n_tries, 2);
    ck_assert_uint_ge(rig.sender->n_repeated, frames[_i]);
    ck_assert_uint_eq(rig.sender->n_different, 0);
    ck_assert_uint_eq(rig.sender->n_commits, 1);
    tear_down();
}
END_TEST

/* What is open at the end is flushed, and gone on with: the whole of it, under its timestamp. */
START_TEST(test_open_at_the_end)
{
    const struct sender *sender;

    set_up(60000);
    sender = rig.sender;
    rig.opts.keep_open = true;
    for (unsigned i = 1; i <= 4; i++) {
        give_names();
        run(STOP_NEVER, 0);
        ck_assert_uint_eq(sender->n_commits, i);
        ck_assert_uint_eq(sender->last.counts[7], i);
        ck_assert_uint_eq(sender->ends[i - 1], sender->ends[0]);
        assert_counts();
        assert_order();
    }
    tear_down();
}
END_TEST

/* Closed, it is another's time that follows, though the clock is still in its own. */
START_TEST(test_closed_at_the_end)
{
    set_up(60000);
    for (unsigned i = 1; i <= 3; i++) {
        give_names();
        run(STOP_NEVER, 0);
        ck_assert_uint_eq(rig.sender->n_commits, i);
        ck_assert_uint_eq(rig.sender->last.counts[7], 1);
        assert_counts();
        assert_order();
    }
    tear_down();
}
END_TEST

/* Nothing is taken: the interval goes on, and what was sent is sent again when someone does. */
START_TEST(test_sender_takes_nothing)
{
    set_up(20);
    give_names();
    run(STOP_BLOCKED, 100);
    ck_assert_uint_eq(rig.sender->n_commits, 0);
    give_names();
    run(STOP_BLOCKED, 100);
    run(STOP_NEVER, 1);
    assert_counts();
    assert_order();
    tear_down();
}
END_TEST

/* ---- a part of the open interval */

/* A worker that is asked for one. */
static void
open_asked(struct desk *desk)
{
    if (cycle_open(&rig.cycle, &rig.opts, &rig.filter, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) !=
            0 ||
        desk_init(desk, &rig.opts, &rig.cycle.hold) != 0)
        _exit(2);
    rig.cycle.desk = desk;
}

static void
turn_until(bool (*is_over)(const struct desk *desk), const struct desk *desk)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;

    while (!is_over(desk)) {
        if (clock_mono_ms() > deadline_ms)
            _exit(3);
        cycle_close_if_due(&rig.cycle);
        turn();
    }
}

static bool
has_closed(const struct desk *desk)
{
    (void)desk;
    return rig.cycle.store->state.phase != STORE_COLLECTING;
}

static bool
is_blocked(const struct desk *desk)
{
    (void)desk;
    return rig.cycle.push.state == PUSH_BLOCKED;
}

static bool
is_answered(const struct desk *desk)
{
    bool is_sent;

    return desk_flush_is_done(desk, 1, &is_sent);
}

static void
in_child(void (*act)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        act();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

/* The sender takes nothing of the part: at its end the interval is closed all the same, and who
 * wanted the part is answered when the whole is committed. */
static void
block_a_part(void)
{
    struct desk desk;
    bool is_sent;

    rig.stop = STOP_NEVER;
    open_asked(&desk);
    while (store_region(&rig.cycle.map, 0)->stats.lines < N_NAMES)
        (void)poll(NULL, 0, 1);
    (void)desk_want_flush(&desk);
    rig.stop = STOP_COUNT;
    turn_until(is_blocked, &desk);
    if (!rig.cycle.part.is_sent)
        _exit(4);
    turn_until(has_closed, &desk);
    if (is_answered(&desk))
        _exit(5);
    rig.stop = STOP_NEVER;
    turn_until(is_answered, &desk);
    if (!desk_flush_is_done(&desk, 1, &is_sent) || !is_sent)
        _exit(6);
    if (rig.cycle.facts.n_overruns != 0 || rig.sender->last.counts[7] != 1)
        _exit(7);
}

START_TEST(test_part_gives_way)
{
    set_up(1500);
    give_names();
    in_child(block_a_part);
    ck_assert_uint_eq(rig.sender->n_commits, 1);
    tear_down();
}
END_TEST

/* Whatever is wanted, nothing is sent while carbon is away; the interval's end is another matter.
 */
static void
want_in_vain(void)
{
    struct desk desk;
    bool is_sent;

    rig.stop = STOP_NEVER;
    open_asked(&desk);
    board_set(&rig.sender->board.delivery.carbon, BOARD_CARBON_AWAY);
    (void)desk_want_flush(&desk);
    turn_until(is_answered, &desk);
    if (!desk_flush_is_done(&desk, 1, &is_sent) || is_sent || rig.sender->n_tries != 0)
        _exit(4);
}

START_TEST(test_part_is_refused)
{
    set_up(60000);
    in_child(want_in_vain);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cycle");
    TCase *tcase = tcase_create("cycle");
    SRunner *runner;
    int n_failed;

    log_init(LOG_TO_STDERR, LOG_ERR);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_phases_in_order);
    tcase_add_loop_test(tcase, test_kill_in_each_phase, 0, 4 * (STOP_COUNT - 1));
    tcase_add_loop_test(tcase, test_sender_starts_anew, 0, 4);
    tcase_add_test(tcase, test_open_at_the_end);
    tcase_add_test(tcase, test_closed_at_the_end);
    tcase_add_test(tcase, test_sender_takes_nothing);
    tcase_add_test(tcase, test_part_gives_way);
    tcase_add_test(tcase, test_part_is_refused);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
