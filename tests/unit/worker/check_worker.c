/*
 * check_worker: the process as a whole, in a child of the test: datagrams in, frames out. The test
 * is the client and the sender.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/net.h"
#include "pipe/inlet.h"
#include "worker/worker.h"

/* Nothing that is waited for takes as long. */
#define PATIENCE_MS 10000
/* More of them than the pipe has room for. */
#define N_NAMES 6000
/* Less than they take. */
#define BACKLOG (256 << 10)

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
    uint64_t id;
    unsigned n_frames;
    struct buf records;
};

static int
open_udp(void)
{
    struct net_address found[NET_ADDRESSES_MAX];
    int fd;

    ck_assert_int_eq(net_lookup("127.0.0.1", 0, SOCK_DGRAM, found), 1);
    fd = net_udp_open(&found[0], false);
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
        .sockets = {fd},
        .n_sockets = 1,
        .pipe_fd = ends[1],
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
    ck_assert_int_eq(kill(rig->pid, SIGTERM), 0);
}

/* Waits for the worker's end, which must be a good one, and closes everything. */
static void
finish(struct rig *rig)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    int status;
    pid_t pid;

    while ((pid = waitpid(rig->pid, &status, WNOHANG)) == 0) {
        ck_assert_uint_lt(clock_mono_ms(), deadline_ms);
        poll(NULL, 0, 2);
    }
    ck_assert_int_eq(pid, rig->pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    for (size_t i = 0; i < rig->opts.n_sockets; i++)
        close(rig->opts.sockets[i]);
    close(rig->opts.pipe_fd);
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
    ck_assert_uint_eq(rig->inlet.n_missed, 0);
}

/* Reads one whole flush; its frames are of one id, and the last says so. */
static void
read_flush(struct rig *rig, struct seen *seen)
{
    struct frame frame;

    *seen = (struct seen){0};
    buf_init(&seen->records, 1 << 24);
    do {
        read_frame(rig, &frame);
        ck_assert(seen->n_frames == 0 || frame.header.flush_id == seen->id);
        seen->id = frame.header.flush_id;
        seen->n_frames++;
        ck_assert_int_eq(buf_append(&seen->records, frame.payload, frame.header.len), 0);
    } while ((frame.header.flags & FRAME_LAST) == 0);
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
        while (inlet_read(&rig->inlet, &frame) == INLET_FRAME)
            ck_assert_uint_eq(rig->inlet.n_missed, 0);
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
    ck_assert_uint_ge(seen.id, before_ms + 60000);
    ck_assert_uint_le(seen.id, clock_wall_ms() + 60000);
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
    uint64_t last_id = 0;
    double sum = 0;

    rig_init(&rig, 200);
    rig.opts.flush_align = true;
    give(&rig, "a:1|c\ng:5|g");
    start(&rig);
    for (int i = 1; i <= 4; i++) {
        read_flush(&rig, &seen);
        ck_assert_uint_eq(seen.id % 200, 0);
        ck_assert_uint_gt(seen.id, last_id);
        last_id = seen.id;
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
    ck_assert_uint_gt(seen.id, last_id);
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

/* The sender takes nothing for several intervals: they wait in the backlog or, where that is full
 * too, the flush goes on where it stood, and what arrives meanwhile is in the next, which has
 * become longer. */
START_TEST(test_full_pipe_loses_nothing)
{
    static unsigned counts[N_NAMES];
    struct rig rig;
    struct seen seen;
    uint64_t full_ms, last_id = 0;
    double n_late = 0, sum_late = 0;

    rig_init(&rig, 200);
    rig.opts.memory_limit = _i == 0 ? 64 << 20 : 8 * BACKLOG;
    memset(counts, 0, sizeof(counts));
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
        ck_assert_uint_gt(seen.id, last_id);
        last_id = seen.id;
        sum_late += add_names(&seen, counts);
        buf_release(&seen.records);
    }
    for (int i = 0; i < N_NAMES; i++)
        ck_assert_msg(counts[i] == 2, "name.%05d: %u", i, counts[i]);
    ck_assert_double_eq(sum_late, n_late);
    finish(&rig);
}
END_TEST

/* A backlog of 256 KiB, which two flushes of all names do not go into. */
START_TEST(test_full_backlog_makes_overruns)
{
    struct rig rig;
    struct seen seen;
    uint64_t full_ms, first_id;
    double overruns;

    rig_init(&rig, 200);
    rig.opts.rules.idle_zero[METRIC_COUNTER] = true;
    rig.opts.memory_limit = 8 * BACKLOG;
    give_names(&rig);
    start(&rig);
    wait_for_full_pipe(&rig);
    for (full_ms = clock_mono_ms(); clock_mono_ms() < full_ms + 1500;)
        poll(NULL, 0, 10);
    read_flush(&rig, &seen);
    first_id = seen.id;
    ck_assert_double_eq(own(&seen, "flush_overruns"), 0);
    ck_assert_double_eq(own(&seen, "numStats"), N_NAMES);
    buf_release(&seen.records);
    do {
        read_flush(&rig, &seen);
        overruns = own(&seen, "flush_overruns");
        ck_assert_uint_eq((seen.id - first_id) % 200, 0);
        if (overruns == 0)
            first_id = seen.id;
        buf_release(&seen.records);
    } while (overruns == 0); /* told in the flush of the interval that they made longer, or next */
    ck_assert_double_ge(overruns, 2);
    /* Two clocks, each read to the millisecond, may be a slot apart. */
    ck_assert_double_ge((double)(seen.id - first_id), 200 * overruns);
    ck_assert_double_le((double)(seen.id - first_id), 200 * (2 + overruns));
    stop(&rig);
    read_all(&rig);
    finish(&rig);
}
END_TEST

START_TEST(test_stop_while_the_pipe_is_full)
{
    struct rig rig;
    uint64_t asked_ms;

    rig_init(&rig, 200);
    rig.opts.rules.idle_zero[METRIC_COUNTER] = true;
    rig.opts.memory_limit = 8 * BACKLOG;
    give_names(&rig);
    start(&rig);
    wait_for_full_pipe(&rig);
    asked_ms = clock_mono_ms();
    stop(&rig);
    finish(&rig);
    ck_assert_uint_lt(clock_mono_ms() - asked_ms, 8000); /* 1 s to read, 5 s to flush */
}
END_TEST

/* The sender takes nothing for several intervals of few names: each arrives later with its own
 * timestamp, its own span and its own samples. */
START_TEST(test_intervals_wait_in_the_backlog)
{
    enum { N_INTERVALS = 6, MS = 200 };
    struct rig rig;
    struct seen seen;
    uint64_t began_ms, last_id = 0;
    double sum = 0, n_given = 0;
    int n_flushes = 0;

    rig_init(&rig, MS);
    rig.opts.dialect.rates = true;
    rig.opts.flush_align = true;
    ck_assert_int_ge(fcntl(rig.opts.pipe_fd, F_SETPIPE_SZ, FRAME_MAX), 0);
    start(&rig);
    began_ms = clock_mono_ms();
    for (; clock_mono_ms() < began_ms + N_INTERVALS * MS; n_given++) {
        give(&rig, "a:1|c");
        poll(NULL, 0, 7);
    }
    stop(&rig);
    do {
        double rate;

        read_flush(&rig, &seen);
        ck_assert_uint_eq(seen.id % MS, 0);
        ck_assert(last_id == 0 || seen.id == last_id + MS);
        last_id = seen.id;
        rate = counter(&seen, "a");
        ck_assert_double_eq(own(&seen, "flush_overruns"), 0);
        ck_assert_double_eq(own(&seen, "packets_received"), own(&seen, "lines_received"));
        n_flushes++;
        if (n_flushes == 1) { /* shorter or a little longer than the others */
            n_given -= own(&seen, "packets_received");
        } else if (rate > 0) {
            ck_assert_double_eq(rate * MS / 1000, own(&seen, "packets_received"));
            sum += rate * MS / 1000;
        }
        buf_release(&seen.records);
    } while (sum < n_given - 0.5);
    ck_assert_double_eq_tol(sum, n_given, 1e-6);
    ck_assert_int_ge(n_flushes, N_INTERVALS);
    finish(&rig);
}
END_TEST

/* The sockets of further threads, as the master opens them. */
static void
add_threads(struct rig *rig, unsigned n_threads)
{
    for (; rig->opts.n_threads < n_threads; rig->opts.n_threads++) {
        int fd;

        ck_assert_int_eq(net_udp_share(rig->opts.sockets[0]), 0);
        fd = net_udp_open(&rig->server, true);
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
    finish(&rig);
}
END_TEST

/* Only the first worker can know that nobody has told of a socket's drops yet. */
START_TEST(test_drops_and_restarts)
{
    for (uint32_t n_restarts = 0; n_restarts < 2; n_restarts++) {
        struct rig rig;
        struct seen seen;
        double n_read, n_dropped;

        rig_init(&rig, 60000);
        rig.opts.n_restarts = n_restarts;
        net_set_receive_buffer(rig.opts.sockets[0], 1);
        for (int i = 0; i < 300; i++)
            give(&rig, "a:1|c");
        start(&rig);
        stop(&rig);
        read_flush(&rig, &seen);
        n_read = own(&seen, "packets_received");
        n_dropped = own(&seen, "udp_drops");
        ck_assert_double_gt(n_read, 0);
        ck_assert_double_eq(counter(&seen, "a"), n_read);
        ck_assert_double_eq(n_dropped, n_restarts == 0 ? 300 - n_read : 0);
        ck_assert_double_eq(own(&seen, "restarts.worker"), n_restarts);
        buf_release(&seen.records);
        finish(&rig);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("worker");
    TCase *tcase = tcase_create("worker");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_last_flush);
    tcase_add_test(tcase, test_rates_divide_by_the_interval);
    tcase_add_test(tcase, test_intervals);
    tcase_add_loop_test(tcase, test_full_pipe_loses_nothing, 0, 2);
    tcase_add_test(tcase, test_full_backlog_makes_overruns);
    tcase_add_test(tcase, test_stop_while_the_pipe_is_full);
    tcase_add_test(tcase, test_drops_and_restarts);
    tcase_add_test(tcase, test_intervals_wait_in_the_backlog);
    tcase_add_loop_test(tcase, test_threads, 1, 4);
    tcase_add_test(tcase, test_filter_and_rules);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
