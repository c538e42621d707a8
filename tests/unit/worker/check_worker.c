/*
 * check_worker: the process as a whole, in a child of the test: datagrams in, frames out. The test
 * is the client and the sender.
 */
#include "worker/worker.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/net.h"
#include "base/udp.h"
#include "pipe/inlet.h"

/* Nothing that is waited for takes as long. */
#define PATIENCE_MS 10000
/* More of them than the pipe has room for. */
#define N_NAMES 6000

struct rig {
    struct worker_opts opts;
    struct net_address server;
    int client;
    int pipe_read;
    struct inlet inlet;
    pid_t pid; /* 0: none */
};

/* What one flush held. */
struct seen {
    uint64_t id, end_ms;
    unsigned n_frames;
    struct buf records;
};

static int
open_udp(void)
{
    struct net_address found[NET_ADDRESSES_MAX];
    int fd;

    ck_assert_int_eq(net_lookup("127.0.0.1", 0, SOCK_DGRAM, found), 1);
    fd = udp_open(&found[0]);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void
rig_init(struct rig *rig, uint64_t flush_ms)
{
    int ends[2];
    int fd = open_udp();

    memset(rig, 0, sizeof(*rig));
    ck_assert_int_eq(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    rig->opts = (struct worker_opts){
        .ready_fd = -1,
        .sockets = {fd},
        .n_sockets = 1,
        .pipe_fd = ends[1],
        .ack_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        .arena_fd = memfd_create("check", MFD_CLOEXEC),
        .quarantine_fd = -1,
        .gauges_fd = -1,
        .admin_fd = -1,
        .console_fd = -1,
        .board = board_new(),
        .flush_ms = flush_ms,
        .names = {.name_max = 512, .node_max = 240},
        .memory_limit = 64 << 20,
        .max_metrics = 100000,
        .timer_max_samples = 10000,
        .set_exact_max = 1000,
        .n_threads = 1,
        .self_stats = true,
    };
    dialect_init(&rig->opts.dialect);
    rig->opts.dialect.rates = false;
    net_set_receive_buffer(fd, 4 << 20);
    rig->server.len = sizeof(rig->server.storage);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&rig->server.storage, &rig->server.len), 0);
    rig->client = open_udp();
    ck_assert_int_eq(connect(rig->client, (struct sockaddr *)&rig->server.storage, rig->server.len),
                     0);
    rig->pipe_read = ends[0];
    inlet_init(&rig->inlet, ends[0]);
}

/* SIGTERM stays pending until the worker asks for it. */
static void
start(struct rig *rig)
{
    sigset_t set, before;

    board_set(&rig->opts.board->master.is_stopping, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, &before), 0);
    rig->pid = fork();
    if (rig->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        log_init(LOG_TO_STDERR, LOG_ERR);
        _exit(worker_main(&rig->opts));
    }
    ck_assert_int_gt(rig->pid, 0);
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

static void
stop(const struct rig *rig)
{
    board_set(&rig->opts.board->master.is_stopping, 1);
    ck_assert_int_eq(kill(rig->pid, SIGTERM), 0);
}

/* Waits for the worker's end. Returns its status. */
static int
wait_for_end(struct rig *rig)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    int status;
    pid_t pid;

    while ((pid = waitpid(rig->pid, &status, WNOHANG)) == 0) {
        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
        poll(NULL, 0, 2);
    }
    ck_assert_int_eq(pid, rig->pid);
    rig->pid = 0;
    return status;
}

static void
expect_good_end(struct rig *rig)
{
    int status = wait_for_end(rig);

    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* The same, and closes everything. */
static void
finish(struct rig *rig)
{
    expect_good_end(rig);
    for (size_t i = 0; i < rig->opts.n_sockets; i++)
        close(rig->opts.sockets[i]);
    close(rig->opts.pipe_fd);
    close(rig->opts.ack_fd);
    close(rig->opts.arena_fd);
    close(rig->client);
    close(rig->pipe_read);
}

static void
give(const struct rig *rig, const char *text)
{
    ck_assert_int_eq((int)send(rig->client, text, strlen(text), 0), (int)strlen(text));
}

/* Each once, 100 to a datagram. */
static void
give_names(const struct rig *rig)
{
    char text[2048];
    size_t len = 0;

    for (int i = 0; i < N_NAMES; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "name.%05d:1|c\n", i);
        if (i % 100 == 99) {
            give(rig, text);
            len = 0;
        }
    }
}

static void
read_frame(struct rig *rig, struct frame *out)
{
    struct pollfd slot = {.fd = rig->pipe_read, .events = POLLIN};
    enum inlet_result result;

    while ((result = inlet_read(&rig->inlet, out)) == INLET_EMPTY)
        ck_assert_int_eq(poll(&slot, 1, PATIENCE_MS), 1);
    ck_assert_int_eq(result, INLET_FRAME);
    ck_assert_uint_eq(rig->inlet.n_stale + rig->inlet.n_bad, 0);
}

static void
ring(const struct rig *rig)
{
    uint64_t one = 1;

    ck_assert_int_eq((int)write(rig->opts.ack_fd, &one, sizeof(one)), (int)sizeof(one));
}

/* The sender has a flush for good. */
static void
commit(const struct rig *rig, uint64_t id)
{
    board_set(&rig->opts.board->committed, id);
    ring(rig);
}

/* Reads one whole flush, and commits it; its frames are of one id, and the last says so. */
static void
read_flush(struct rig *rig, struct seen *seen)
{
    struct frame frame;

    *seen = (struct seen){0};
    buf_init(&seen->records, 1 << 24);
    do {
        read_frame(rig, &frame);
        ck_assert(seen->n_frames == 0 || frame.header.flush_id == seen->id);
        ck_assert_uint_eq(frame.header.sequence, seen->n_frames);
        seen->id = frame.header.flush_id;
        seen->end_ms = frame.header.end_ms;
        seen->n_frames++;
        ck_assert_int_eq(buf_append(&seen->records, frame.payload, frame.header.len), 0);
    } while ((frame.header.flags & FRAME_LAST) == 0);
    commit(rig, seen->id);
}

/* Takes whatever comes until the worker has ended. */
static void
read_all(struct rig *rig)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    siginfo_t info = {0};

    while (waitid(P_PID, (id_t)rig->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0) {
        struct pollfd slot = {.fd = rig->pipe_read, .events = POLLIN};
        struct frame frame;

        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
        (void)poll(&slot, 1, 2);
        while (inlet_read(&rig->inlet, &frame) == INLET_FRAME) {
            if ((frame.header.flags & FRAME_LAST) != 0)
                commit(rig, frame.header.flush_id);
        }
    }
}

/* One record's statistic, by source and name, or -1 where it is not there. */
static double
value_of(const struct seen *seen, unsigned source, const char *name, enum statistic statistic)
{
    const uint8_t *at = seen->records.data, *end = at + seen->records.len;
    struct record record;

    while (at < end) {
        ck_assert_int_eq(record_decode(&at, end, &record), 0);
        if (record.source != source || record.name_len != strlen(name) ||
            memcmp(record.name, name, record.name_len) != 0)
            continue;
        for (size_t i = 0; i < record.n_points; i++) {
            if (record.points[i].statistic == statistic)
                return record.points[i].value;
        }
    }
    return -1;
}

static double
own(const struct seen *seen, const char *name)
{
    return value_of(seen, RECORD_SELF, name, STATISTIC_VALUE);
}

static double
counter(const struct seen *seen, const char *name)
{
    return value_of(seen, METRIC_COUNTER, name, STATISTIC_RATE);
}

/* Adds the values of the counters name.00000 and so on. Returns the sum of all others. */
static double
add_names(const struct seen *seen, unsigned counts[N_NAMES])
{
    const uint8_t *at = seen->records.data, *end = at + seen->records.len;
    struct record record;
    double others = 0;

    while (at < end) {
        ck_assert_int_eq(record_decode(&at, end, &record), 0);
        if (record.source != METRIC_COUNTER)
            continue;
        if (record.name_len == 10)
            counts[strtoul(record.name + 5, NULL, 10) % N_NAMES] +=
                (unsigned)record.points[0].value;
        else
            others += record.points[0].value;
    }
    return others;
}

/* What was queued before the worker even ran is in the flush that SIGTERM brings. */
START_TEST(test_last_flush)
{
    uint64_t before_ms = clock_wall_ms();
    struct rig rig;
    struct seen seen;

    rig_init(&rig, 60000);
    give(&rig, "a:1|c\na:2|c|@0.5\nbad\n");
    give(&rig, "g:-7.5|g\nt:3|ms\nt:1|ms\ns:x|s\ns:y|s\ns:x|s");
    start(&rig);
    stop(&rig);
    read_flush(&rig, &seen);
    ck_assert_uint_ge(seen.end_ms, before_ms + 60000);
    ck_assert_uint_le(seen.end_ms, clock_wall_ms() + 60000);
    ck_assert_double_eq(counter(&seen, "a"), 5);
    ck_assert_double_eq(value_of(&seen, METRIC_GAUGE, "g", STATISTIC_VALUE), -7.5);
    ck_assert_double_eq(value_of(&seen, METRIC_TIMER, "t", STATISTIC_LOWER), 1);
    ck_assert_double_eq(value_of(&seen, METRIC_TIMER, "t", STATISTIC_UPPER), 3);
    ck_assert_double_eq(value_of(&seen, METRIC_TIMER, "t", STATISTIC_COUNT), 2);
    ck_assert_double_eq(value_of(&seen, METRIC_SET, "s", STATISTIC_COUNT), 2);
    ck_assert_double_eq(own(&seen, "numStats"), 4);
    ck_assert_double_eq(own(&seen, "packets_received"), 2);
    ck_assert_double_eq(own(&seen, "lines_received"), 9);
    ck_assert_double_eq(own(&seen, "bad.no_value"), 1);
    ck_assert_double_eq(own(&seen, "udp_drops"), 0);
    buf_release(&seen.records);
    finish(&rig);
}
END_TEST

START_TEST(test_rates_divide_by_the_interval)
{
    struct rig rig;
    struct seen seen;

    rig_init(&rig, 4000);
    rig.opts.dialect.rates = true;
    rig.opts.self_stats = false;
    give(&rig, "a:10|c");
    start(&rig);
    stop(&rig);
    read_flush(&rig, &seen);
    ck_assert_double_eq(counter(&seen, "a"), 2.5);
    ck_assert_double_eq(own(&seen, "numStats"), 1);
    ck_assert_double_eq(own(&seen, "packets_received"), -1); /* not wanted */
    buf_release(&seen.records);
    finish(&rig);
}
END_TEST

/* Flushes come by themselves, on the grid, each with its own interval's samples only. */
START_TEST(test_intervals)
{
    struct rig rig;
    struct seen seen;
    uint64_t last_ms = 0;
    double sum = 0;

    rig_init(&rig, 200);
    rig.opts.flush_align = true;
    give(&rig, "a:1|c\ng:5|g");
    start(&rig);
    for (int i = 1; i <= 4; i++) {
        read_flush(&rig, &seen);
        ck_assert_uint_eq(seen.end_ms % 200, 0);
        ck_assert_uint_gt(seen.end_ms, last_ms);
        last_ms = seen.end_ms;
        ck_assert_double_eq(value_of(&seen, METRIC_GAUGE, "g", STATISTIC_VALUE), 5);
        if (counter(&seen, "a") > 0)
            sum += counter(&seen, "a");
        ck_assert_double_ge(sum, 1); /* given before the start, so in the first */
        ck_assert_double_le(sum, i);
        buf_release(&seen.records);
        give(&rig, "a:1|c");
    }
    stop(&rig);
    read_flush(&rig, &seen);
    ck_assert_uint_gt(seen.end_ms, last_ms);
    if (counter(&seen, "a") > 0)
        sum += counter(&seen, "a");
    ck_assert_double_eq(sum, 5);
    buf_release(&seen.records);
    finish(&rig);
}
END_TEST

static void
wait_for_full_pipe(const struct rig *rig)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    struct pollfd slot = {.fd = rig->opts.pipe_fd, .events = POLLOUT};

    while (poll(&slot, 1, 0) != 0) {
        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
        poll(NULL, 0, 2);
    }
}

/* The sender takes nothing for several intervals: the flush goes on where it stood, and what
 * arrives meanwhile is in the next, which has become longer. */
START_TEST(test_full_pipe_loses_nothing)
{
    static unsigned counts[N_NAMES];
    struct rig rig;
    struct seen seen;
    uint64_t full_ms, last_ms = 0;
    double n_late = 0, sum_late = 0;

    rig_init(&rig, 200);
    memset(counts, 0, sizeof(counts));
    ck_assert_int_ge(fcntl(rig.opts.pipe_fd, F_SETPIPE_SZ, 8 * FRAME_MAX), 0);
    give_names(&rig);
    start(&rig);
    wait_for_full_pipe(&rig);
    for (full_ms = clock_mono_ms(); clock_mono_ms() < full_ms + 700; n_late++) {
        give(&rig, "late:1|c");
        poll(NULL, 0, 10);
    }
    give_names(&rig);
    stop(&rig);
    while (sum_late < n_late || counts[N_NAMES - 1] < 2) {
        read_flush(&rig, &seen);
        ck_assert_uint_gt(seen.end_ms, last_ms);
        last_ms = seen.end_ms;
        sum_late += add_names(&seen, counts);
        buf_release(&seen.records);
    }
    read_all(&rig);
    for (int i = 0; i < N_NAMES; i++)
        ck_assert_msg(counts[i] == 2, "name.%05d: %u", i, counts[i]);
    ck_assert_double_eq(sum_late, n_late);
    finish(&rig);
}
END_TEST

START_TEST(test_full_pipe_makes_overruns)
{
    struct rig rig;
    struct seen seen;
    uint64_t full_ms, first_ms;
    double overruns;

    rig_init(&rig, 200);
    ck_assert_int_ge(fcntl(rig.opts.pipe_fd, F_SETPIPE_SZ, 8 * FRAME_MAX), 0);
    give_names(&rig);
    start(&rig);
    wait_for_full_pipe(&rig);
    for (full_ms = clock_mono_ms(); clock_mono_ms() < full_ms + 1500;)
        poll(NULL, 0, 10);
    read_flush(&rig, &seen);
    first_ms = seen.end_ms;
    ck_assert_double_eq(own(&seen, "numStats"), N_NAMES);
    buf_release(&seen.records);
    read_flush(&rig, &seen);
    overruns = own(&seen, "flush_overruns");
    ck_assert_double_ge(overruns, 5);
    ck_assert_uint_eq((seen.end_ms - first_ms) % 200, 0);
    /* Two clocks, each read to the millisecond, may be a slot apart. */
    ck_assert_double_ge((double)(seen.end_ms - first_ms), 200 * overruns);
    ck_assert_double_le((double)(seen.end_ms - first_ms), 200 * (2 + overruns));
    buf_release(&seen.records);
    stop(&rig);
    read_all(&rig);
    finish(&rig);
}
END_TEST

/* Another's signal is passed over; where the master's comes while it is pending there is but one.
 */
START_TEST(test_stop_behind_the_signal_of_another)
{
    struct rig rig;
    int status;
    pid_t other;

    rig_init(&rig, 60000);
    start(&rig);
    ck_assert_int_eq(kill(rig.pid, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(rig.pid, &status, WUNTRACED), rig.pid);
    ck_assert(WIFSTOPPED(status));
    other = fork();
    if (other == 0)
        _exit(kill(rig.pid, SIGTERM));
    ck_assert_int_eq(waitpid(other, &status, 0), other);
    ck_assert_int_eq(status, 0);
    stop(&rig);
    ck_assert_int_eq(kill(rig.pid, SIGCONT), 0);
    read_all(&rig);
    finish(&rig);
}
END_TEST

START_TEST(test_stop_while_the_pipe_is_full)
{
    struct rig rig;
    uint64_t asked_ms;

    rig_init(&rig, 200);
    ck_assert_int_ge(fcntl(rig.opts.pipe_fd, F_SETPIPE_SZ, 8 * FRAME_MAX), 0);
    give_names(&rig);
    start(&rig);
    wait_for_full_pipe(&rig);
    asked_ms = clock_mono_ms();
    stop(&rig);
    finish(&rig);
    ck_assert_uint_lt(clock_mono_ms() - asked_ms, 8000); /* 6 s, and what is under way */
}
END_TEST

/* The sockets of further threads, as the master opens them. */
static void
add_threads(struct rig *rig, unsigned n_threads)
{
    for (; rig->opts.n_threads < n_threads; rig->opts.n_threads++) {
        int fd = udp_twin(rig->opts.sockets[0]);

        ck_assert_int_ge(fd, 0);
        net_set_receive_buffer(fd, 4 << 20);
        rig->opts.sockets[rig->opts.n_sockets++] = fd;
    }
}

/* Many clients, whom the kernel deals out to the threads: the sums are those of one thread. */
START_TEST(test_threads)
{
    enum { N_CLIENTS = 40, N_ROUNDS = 50 };
    struct rig rig;
    struct seen seen;
    int clients[N_CLIENTS];
    char text[128];

    rig_init(&rig, 60000);
    add_threads(&rig, (unsigned)_i);
    for (int i = 0; i < N_CLIENTS; i++) {
        clients[i] = open_udp();
        ck_assert_int_eq(
            connect(clients[i], (struct sockaddr *)&rig.server.storage, rig.server.len), 0);
    }
    for (int round = 0; round < N_ROUNDS; round++) {
        for (int i = 0; i < N_CLIENTS; i++) {
            int n = round * N_CLIENTS + i + 1;
            int len =
                snprintf(text, sizeof(text), "c:%d|c\nt:%d|ms\ns:%d|s\ng%d:%d|g\no%d:1|c\nbad", n,
                         n, n % 777, i, n, i);

            ck_assert_int_eq((int)send(clients[i], text, (size_t)len, 0), len);
        }
    }
    start(&rig);
    stop(&rig);
    read_flush(&rig, &seen);
    ck_assert_double_eq(counter(&seen, "c"), 2000 * 2001 / 2);
    ck_assert_double_eq(value_of(&seen, METRIC_TIMER, "t", STATISTIC_COUNT), 2000);
    ck_assert_double_eq(value_of(&seen, METRIC_TIMER, "t", STATISTIC_LOWER), 1);
    ck_assert_double_eq(value_of(&seen, METRIC_TIMER, "t", STATISTIC_MEAN), 1000.5);
    ck_assert_double_eq(value_of(&seen, METRIC_TIMER, "t", STATISTIC_UPPER), 2000);
    ck_assert_double_eq(value_of(&seen, METRIC_TIMER, "t", STATISTIC_UPPER_PCT), 1800);
    ck_assert_double_eq(value_of(&seen, METRIC_SET, "s", STATISTIC_COUNT), 777);
    for (int i = 0; i < N_CLIENTS; i++) {
        snprintf(text, sizeof(text), "g%d", i);
        ck_assert_double_eq(value_of(&seen, METRIC_GAUGE, text, STATISTIC_VALUE),
                            (N_ROUNDS - 1) * N_CLIENTS + i + 1);
        snprintf(text, sizeof(text), "o%d", i);
        ck_assert_double_eq(counter(&seen, text), N_ROUNDS);
    }
    ck_assert_double_eq(own(&seen, "numStats"), 3 + 2 * N_CLIENTS);
    ck_assert_double_eq(own(&seen, "packets_received"), N_CLIENTS * N_ROUNDS);
    ck_assert_double_eq(own(&seen, "bad.no_value"), N_CLIENTS * N_ROUNDS);
    ck_assert_double_eq(own(&seen, "metrics_active.counter"), 1 + N_CLIENTS);
    ck_assert_double_eq(own(&seen, "metrics_active.timer"), 1);
    ck_assert_double_eq(own(&seen, "udp_drops"), 0);
    buf_release(&seen.records);
    for (int i = 0; i < N_CLIENTS; i++)
        close(clients[i]);
    finish(&rig);
}
END_TEST

START_TEST(test_filter_and_rules)
{
    struct rig rig;
    struct seen seen;

    rig_init(&rig, 200);
    rig.opts.filter = (struct filter_opts){.drop = "no.*", .allow = "*.x,a"};
    rig.opts.rules.idle_zero[METRIC_COUNTER] = true;
    give(&rig, "no.x:1|c\nyes.x:1|c\na:1|c\nb:1|g\nno.x:1|g");
    start(&rig);
    read_flush(&rig, &seen);
    ck_assert_double_eq(counter(&seen, "yes.x"), 1);
    ck_assert_double_eq(counter(&seen, "no.x"), -1);
    ck_assert_double_eq(own(&seen, "filtered"), 3);
    ck_assert_double_eq(own(&seen, "numStats"), 2);
    buf_release(&seen.records);
    read_flush(&rig, &seen);
    ck_assert_double_eq(counter(&seen, "yes.x"), 0);
    ck_assert_double_eq(own(&seen, "filtered"), 0);
    buf_release(&seen.records);
    stop(&rig);
    read_all(&rig);
    finish(&rig);
}
END_TEST

/* What a socket has dropped is told once, whichever worker is the first that can. */
START_TEST(test_drops_and_restarts)
{
    struct rig rig;

    rig_init(&rig, 60000);
    net_set_receive_buffer(rig.opts.sockets[0], 1);
    for (int i = 0; i < 300; i++)
        give(&rig, "a:1|c");
    for (uint32_t n_restarts = 0; n_restarts < 2; n_restarts++) {
        struct seen seen;
        double n_read, n_dropped;

        rig.opts.n_restarts = n_restarts;
        start(&rig);
        stop(&rig);
        read_flush(&rig, &seen);
        n_read = own(&seen, "packets_received");
        n_dropped = own(&seen, "udp_drops");
        ck_assert_double_eq(own(&seen, "restarts.worker"), n_restarts);
        ck_assert(n_restarts == 0 ? n_read > 0 && n_dropped == 300 - n_read
                                  : n_read == 0 && n_dropped == 0);
        buf_release(&seen.records);
        if (n_restarts == 0)
            expect_good_end(&rig);
    }
    finish(&rig);
}
END_TEST

/* The word moves while nothing else does. */
START_TEST(test_beats)
{
    uint64_t deadline_ms, beats;
    struct rig rig;

    rig_init(&rig, 60000);
    start(&rig);
    for (int i = 0; i < 3; i++) {
        beats = board_get(&rig.opts.board->beats[BOARD_WORKER]);
        deadline_ms = clock_mono_ms() + PATIENCE_MS;
        while (board_get(&rig.opts.board->beats[BOARD_WORKER]) == beats) {
            ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
            poll(NULL, 0, 5);
        }
    }
    stop(&rig);
    read_all(&rig);
    finish(&rig);
}
END_TEST

/* So it does while its last flush waits for the sender, when no thread but one is left. */
START_TEST(test_beats_at_the_end)
{
    uint64_t beats, ended_ms;
    struct frame frame;
    struct rig rig;

    rig_init(&rig, 60000);
    start(&rig);
    stop(&rig);
    do
        read_frame(&rig, &frame);
    while ((frame.header.flags & FRAME_LAST) == 0);
    beats = board_get(&rig.opts.board->beats[BOARD_WORKER]);
    for (ended_ms = clock_mono_ms(); board_get(&rig.opts.board->beats[BOARD_WORKER]) < beats + 3 &&
                                     clock_mono_ms() < ended_ms + 4000;)
        poll(NULL, 0, 10);
    ck_assert_uint_ge(board_get(&rig.opts.board->beats[BOARD_WORKER]), beats + 3);
    commit(&rig, frame.header.flush_id);
    finish(&rig);
}
END_TEST

#define N_CLIENTS  8
#define N_COUNTERS 16

/* What flushes add up to. */
struct amounts {
    double counters[N_COUNTERS], n_timed, n_members, n_bad, n_packets, n_drops;
};

/* A sender that takes everything, and many clients. */
struct storm {
    struct rig rig;
    int clients[N_CLIENTS];
    uint32_t n_given[N_CLIENTS]; /* datagrams */
    struct buf partial;          /* of the flush at hand, with its id */
    uint64_t partial_id, last_id, last_end_ms;
    struct amounts before, last; /* of the timestamps before the last, and of that */
    double gauges[N_CLIENTS];
    unsigned n_commits;
    uint32_t random;
};

static uint32_t
draw(struct storm *storm, uint32_t n)
{
    storm->random = storm->random * 1664525 + 1013904223;
    return (storm->random >> 8) % n;
}

static void
storm_init(struct storm *storm, unsigned n_threads)
{
    memset(storm, 0, sizeof(*storm));
    rig_init(&storm->rig, 40);
    add_threads(&storm->rig, n_threads);
    storm->rig.opts.keep_open = true;
    storm->rig.opts.flush_align = true;
    storm->rig.opts.set_exact_max = 10000; /* on a busy machine one interval may get them all */
    storm->random = n_threads;
    for (int i = 0; i < N_CLIENTS; i++) {
        storm->clients[i] = open_udp();
        ck_assert_int_eq(connect(storm->clients[i], (struct sockaddr *)&storm->rig.server.storage,
                                 storm->rig.server.len),
                         0);
    }
    buf_init(&storm->partial, 1 << 20);
}

/* Members of sets are all different, so that those of intervals add up. */
static void
storm_give(struct storm *storm)
{
    uint32_t i = draw(storm, N_CLIENTS), n = ++storm->n_given[i];
    char text[512];
    int len = 0;

    for (unsigned k = 0; k < N_COUNTERS; k++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "c%u:%u|c\n", k, k + 1);
    len += snprintf(text + len, sizeof(text) - (size_t)len,
                    "t:2|ms\nt:4|ms\ns:%u.%u|s\nbad\ng%u:%u|g", i, n, i, n);
    ck_assert_int_eq((int)send(storm->clients[i], text, (size_t)len, 0), len);
}

static void
add_record(struct amounts *amounts, const struct record *record, double gauges[N_CLIENTS])
{
    size_t i = strtoul(record->name + 1, NULL, 10);

    switch (record->source) {
    case METRIC_COUNTER: amounts->counters[i % N_COUNTERS] += record->points[0].value; break;
    case METRIC_GAUGE: gauges[i % N_CLIENTS] = record->points[0].value; break;
    case METRIC_SET: amounts->n_members += record->points[0].value; break;
    case METRIC_TIMER:
        for (unsigned k = 0; k < record->n_points; k++) {
            if (record->points[k].statistic == STATISTIC_COUNT)
                amounts->n_timed += record->points[k].value;
        }
        break;
    default: break;
    }
}

/* The last of equal timestamps is what counts. */
static void
storm_commit(struct storm *storm, uint64_t end_ms)
{
    struct seen seen = {.records = storm->partial};
    const uint8_t *at = seen.records.data, *end = at + seen.records.len;
    struct record record;

    ck_assert_uint_ge(end_ms, storm->last_end_ms);
    ck_assert_uint_eq(end_ms % storm->rig.opts.flush_ms, 0);
    if (end_ms != storm->last_end_ms) {
        for (size_t i = 0; i < sizeof(struct amounts) / sizeof(double); i++)
            ((double *)&storm->before)[i] += ((double *)&storm->last)[i];
    }
    storm->last = (struct amounts){0};
    while (at < end) {
        ck_assert_int_eq(record_decode(&at, end, &record), 0);
        add_record(&storm->last, &record, storm->gauges);
    }
    storm->last.n_bad = own(&seen, "bad_lines_seen");
    storm->last.n_packets = own(&seen, "packets_received");
    storm->last.n_drops = own(&seen, "udp_drops");
    storm->last_end_ms = end_ms;
    storm->last_id = storm->partial_id;
    storm->n_commits++;
    commit(&storm->rig, storm->last_id);
}

static void
storm_take(struct storm *storm, const struct frame *frame)
{
    uint64_t id = frame->header.flush_id;

    if (frame->header.sequence == 0) {
        storm->partial.len = 0;
        storm->partial_id = id;
    }
    if (storm->partial_id != id)
        return; /* it was thrown away when the sender started */
    ck_assert_int_eq(buf_append(&storm->partial, frame->payload, frame->header.len), 0);
    if ((frame->header.flags & FRAME_LAST) == 0)
        return;
    ck_assert(storm->last_id == 0 || frame_epoch(id) == frame_epoch(storm->last_id));
    if (id > storm->last_id)
        storm_commit(storm, frame->header.end_ms);
    else
        commit(&storm->rig, storm->last_id);
    storm->partial_id = 0;
}

/* Reads what there is; now and then its sender starts anew, with nothing but what it has committed.
 */
static void
storm_read(struct storm *storm)
{
    struct frame frame;
    enum inlet_result result;

    while ((result = inlet_read(&storm->rig.inlet, &frame)) != INLET_EMPTY) {
        ck_assert(result == INLET_FRAME || result == INLET_STALE);
        if (result == INLET_FRAME)
            storm_take(storm, &frame);
        if (draw(storm, 20) == 0) {
            storm->partial_id = 0;
            board_count(&storm->rig.opts.board->sender_starts);
            ring(&storm->rig);
        }
    }
}

/* A worker's life under load; it is killed, or asked to stop. */
static void
storm_live(struct storm *storm, bool is_killed)
{
    struct pollfd slot = {.fd = storm->rig.pipe_read, .events = POLLIN};
    siginfo_t info = {0};
    int status;

    start(&storm->rig);
    for (uint32_t n = draw(storm, 60); n > 0; n--) {
        for (uint32_t k = draw(storm, 12); k > 0; k--)
            storm_give(storm);
        (void)poll(&slot, 1, draw(storm, 8) == 0 ? 2 : 0);
        storm_read(storm);
    }
    if (is_killed)
        ck_assert_int_eq(kill(storm->rig.pid, SIGKILL), 0);
    else
        stop(&storm->rig);
    while (waitid(P_PID, (id_t)storm->rig.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0) {
        (void)poll(&slot, 1, 1);
        storm_read(storm);
    }
    storm_read(storm);
    status = wait_for_end(&storm->rig);
    ck_assert(is_killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                        : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
assert_storm(const struct storm *storm)
{
    struct amounts sum = storm->before;
    const struct board_ledger *ledger = &storm->rig.opts.board->ledger;
    double n = 0;

    for (size_t i = 0; i < sizeof(sum) / sizeof(double); i++)
        ((double *)&sum)[i] += ((const double *)&storm->last)[i];
    for (int i = 0; i < N_CLIENTS; i++) {
        n += storm->n_given[i];
        ck_assert_double_eq(storm->gauges[i], storm->n_given[i]);
    }
    ck_assert_double_eq(sum.n_drops, 0);
    ck_assert_double_eq(sum.n_packets, n);
    for (unsigned k = 0; k < N_COUNTERS; k++)
        ck_assert_double_eq(sum.counters[k], (k + 1) * n);
    ck_assert_double_eq(sum.n_timed, 2 * n);
    ck_assert_double_eq(sum.n_members, n);
    ck_assert_double_eq(sum.n_bad, n);
    ck_assert_uint_eq(ledger->lines, (uint64_t)n * (N_COUNTERS + 5));
    ck_assert_uint_eq(ledger->lines,
                      ledger->applied + ledger->filtered + ledger->bad + ledger->refused);
}

/* Whatever moment it is killed at: every sample comes once. */
START_TEST(test_killed_under_load)
{
    enum { N_KILLS = 50 };
    static struct storm storm;

    storm_init(&storm, _i == 0 ? 1 : 3);
    for (int i = 0; i < N_KILLS; i++)
        storm_live(&storm, i % 8 != 7);
    storm_live(&storm, false);
    assert_storm(&storm);
    ck_assert_uint_gt(storm.n_commits, 10);
    buf_release(&storm.partial);
    for (int i = 0; i < N_CLIENTS; i++)
        close(storm.clients[i]);
    start(&storm.rig); /* for what finish expects */
    stop(&storm.rig);
    read_all(&storm.rig);
    finish(&storm.rig);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("worker");
    TCase *tcase = tcase_create("worker");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_last_flush);
    tcase_add_test(tcase, test_rates_divide_by_the_interval);
    tcase_add_test(tcase, test_intervals);
    tcase_add_test(tcase, test_full_pipe_loses_nothing);
    tcase_add_test(tcase, test_full_pipe_makes_overruns);
    tcase_add_test(tcase, test_stop_behind_the_signal_of_another);
    tcase_add_test(tcase, test_stop_while_the_pipe_is_full);
    tcase_add_test(tcase, test_drops_and_restarts);
    tcase_add_loop_test(tcase, test_threads, 1, 4);
    tcase_add_test(tcase, test_filter_and_rules);
    tcase_add_test(tcase, test_beats);
    tcase_add_test(tcase, test_beats_at_the_end);
    tcase_add_loop_test(tcase, test_killed_under_load, 0, 2);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
