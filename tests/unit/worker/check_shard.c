/*
 * check_shard: one ingest thread with real sockets. The test is its clients, and the one who has
 * its intervals closed.
 */
#include "worker/shard.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/net.h"
#include "metric/flush.h"

/* Nothing that is waited for takes as long. */
#define PATIENCE_MS 10000
#define N_SOCKETS   3

static struct rig {
    struct shard_opts opts;
    struct shard shard;
    struct filter filter;
    struct rules rules;
    struct dialect dialect;
    struct flush flush;
    int done_fd;
    int clients[N_SOCKETS]; /* each connected to one of the sockets */
    char text[1024];        /* what the last interval held */
} rig;

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
set_up(void)
{
    memset(&rig, 0, sizeof(rig));
    rig.opts = (struct shard_opts){
        .n_sockets = N_SOCKETS,
        .table =
            {
                .memory_limit = 8 << 20,
                .max_metrics = 1000,
                .timer_max_samples = 1000,
                .set_exact_max = 1000,
                .filter = &rig.filter,
                .key = {1, 2},
            },
        .names = {.name_max = 512, .node_max = 240},
        .count_old_drops = true,
    };
    for (size_t i = 0; i < N_SOCKETS; i++) {
        struct net_address address = {.len = sizeof(address.storage)};

        rig.opts.sockets[i] = open_udp();
        rig.clients[i] = open_udp();
        ck_assert_int_eq(
            getsockname(rig.opts.sockets[i], (struct sockaddr *)&address.storage, &address.len), 0);
        ck_assert_int_eq(connect(rig.clients[i], (struct sockaddr *)&address.storage, address.len),
                         0);
    }
    rig.done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ck_assert_int_ge(rig.done_fd, 0);
}

static void
start(void)
{
    struct table *tables[] = {&rig.shard.table};

    ck_assert_int_eq(shard_start(&rig.shard, &rig.opts, rig.done_fd), 0);
    dialect_init(&rig.dialect);
    rig.dialect.rates = false;
    ck_assert_int_eq(flush_init(&rig.flush, tables, 1, &rig.dialect, &rig.rules), 0);
}

static void
tear_down(void)
{
    flush_release(&rig.flush);
    shard_join(&rig.shard);
    for (size_t i = 0; i < N_SOCKETS; i++) {
        close(rig.opts.sockets[i]);
        close(rig.clients[i]);
    }
    close(rig.done_fd);
}

static void
give(size_t socket, const char *text)
{
    ck_assert_int_eq((int)send(rig.clients[socket], text, strlen(text), 0), (int)strlen(text));
}

/* Asks, waits for the answer, and flushes what was closed to rig.text: "name=first value;…". */
static const char *
ask(enum shard_request request)
{
    static const struct interval interval = {.end_ms = 2000, .span_ms = 1000};
    struct pollfd slot = {.fd = rig.done_fd, .events = POLLIN};
    struct record record;
    uint64_t rings;
    size_t len = 0;

    shard_ask(&rig.shard, request, &interval);
    ck_assert_int_eq(poll(&slot, 1, PATIENCE_MS), 1);
    ck_assert(shard_is_done(&rig.shard));
    ck_assert_int_eq((int)read(rig.done_fd, &rings, sizeof(rings)), (int)sizeof(rings));
    ck_assert_uint_eq(rings, 1);
    ck_assert_uint_eq(rig.shard.table.closed.end_ms, 2000);
    rig.text[0] = '\0';
    flush_begin(&rig.flush);
    for (; flush_peek(&rig.flush, &record); flush_advance(&rig.flush))
        len += (size_t)snprintf(rig.text + len, sizeof(rig.text) - len, "%.*s=%g;",
                                (int)record.name_len, record.name, record.points[0].value);
    return rig.text;
}

/* Whatever the shard had not read yet when it was asked is in one of the intervals that follow. */
static uint64_t
ask_until(uint64_t n_packets)
{
    uint64_t n = 0;

    for (int i = 0; i < 10000 && n < n_packets; i++) {
        ask(SHARD_CLOSE);
        n += rig.shard.closed.packets;
    }
    return n;
}

START_TEST(test_stop_reads_what_is_queued)
{
    set_up();
    give(0, "a:1|c\nb:2|g");
    give(1, "a:2|c\nbad");
    give(2, "a:4|c\nt:5|ms\ns:x|s\n");
    start();
    ck_assert_str_eq(ask(SHARD_STOP), "a=7;b=2;t=5;s=1;");
    ck_assert_uint_eq(rig.shard.closed.packets, 3);
    ck_assert_uint_eq(rig.shard.closed.lines, 7);
    ck_assert_uint_eq(rig.shard.closed.bytes, 11 + 9 + 19);
    ck_assert_uint_eq(rig.shard.closed.verdicts[TABLE_APPLIED], 6);
    ck_assert_uint_eq(rig.shard.closed.bad[PARSE_NO_VALUE], 1);
    ck_assert_uint_eq(rig.shard.closed.udp_drops, 0);
    ck_assert_uint_gt(rig.shard.closed.memory_used, 0);
    tear_down();
}
END_TEST

START_TEST(test_nothing_arrived)
{
    set_up();
    start();
    ck_assert(shard_is_done(&rig.shard));
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(ask(SHARD_CLOSE), "");
        ck_assert_uint_eq(rig.shard.closed.packets, 0);
        ck_assert_uint_eq(rig.shard.closed.lines, 0);
    }
    ck_assert_str_eq(ask(SHARD_STOP), "");
    tear_down();
}
END_TEST

/* Statistics are of one interval each, and every datagram is in one of them. */
START_TEST(test_intervals)
{
    uint64_t n_lines = 0, n_packets = 0;
    double sum = 0;

    set_up();
    start();
    for (int i = 0; i < 300; i++) {
        bool is_last = i == 299;

        for (size_t k = 0; k < N_SOCKETS; k++)
            give(k, "a:1|c\na:1|c\n");
        ask(is_last ? SHARD_STOP : SHARD_CLOSE);
        n_lines += rig.shard.closed.lines;
        n_packets += rig.shard.closed.packets;
        ck_assert_uint_eq(rig.shard.closed.lines, 2 * rig.shard.closed.packets);
        if (rig.text[0] != '\0')
            sum += atof(rig.text + 2);
    }
    ck_assert_uint_eq(n_packets, 900);
    ck_assert_uint_eq(n_lines, 1800);
    ck_assert_double_eq(sum, 1800);
    tear_down();
}
END_TEST

/* While a flush is at the closed interval, the open one goes on. */
START_TEST(test_samples_amid_a_flush)
{
    static const struct interval interval = {.end_ms = 2000, .span_ms = 1000};
    struct pollfd slot = {.fd = rig.done_fd, .events = POLLIN};
    struct record record;
    double sum = 0;

    set_up();
    start();
    give(0, "a:1|c");
    ck_assert_uint_eq(ask_until(1), 1);
    slot.fd = rig.done_fd;
    give(0, "a:2|c");
    shard_ask(&rig.shard, SHARD_CLOSE, &interval);
    ck_assert_int_eq(poll(&slot, 1, PATIENCE_MS), 1);
    flush_begin(&rig.flush);
    give(1, "a:4|c");
    if (flush_peek(&rig.flush, &record)) {
        sum += record.points[0].value;
        flush_advance(&rig.flush);
        ck_assert(!flush_peek(&rig.flush, &record));
    }
    ck_assert_int_eq((int)read(rig.done_fd, &(uint64_t){0}, sizeof(uint64_t)), 8);
    give(2, "a:8|c");
    ask(SHARD_STOP);
    sum += atof(rig.text + 2);
    ck_assert_double_eq(sum, 14);
    tear_down();
}
END_TEST

/* Only what could be queued is read; the rest is counted, where the caller wants it told. */
START_TEST(test_drops)
{
    enum { N = 400 };
    uint64_t n_read;

    set_up();
    rig.opts.count_old_drops = _i == 0;
    net_set_receive_buffer(rig.opts.sockets[1], 1);
    for (int i = 0; i < N; i++)
        give(1, "a:1|c");
    start();
    n_read = ask_until(1);
    ck_assert_uint_gt(n_read, 0);
    ck_assert_uint_lt(n_read, N);
    /* Told in the interval that ends next, so in one of those that ask_until has seen. */
    ck_assert_uint_eq(rig.shard.closed.udp_drops, _i == 0 ? N - n_read : 0);
    ask(SHARD_STOP);
    ck_assert_uint_eq(rig.shard.closed.udp_drops, 0);
    tear_down();
}
END_TEST

START_TEST(test_refused_and_filtered)
{
    struct filter_opts lists = {.drop = "no*", .allow = NULL};
    uint8_t storage[64];
    char text[64];

    set_up();
    rig.opts.table.max_metrics = 10;
    ck_assert_int_eq(filter_init(&rig.filter, &lists, storage, sizeof(storage)), 0);
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof(text), "a%d:1|c\nno:1|c\nbad", i % 20);
        give((size_t)i % N_SOCKETS, text);
    }
    start();
    ask(SHARD_STOP);
    ck_assert_uint_eq(rig.shard.closed.lines, 90);
    ck_assert_uint_eq(rig.shard.closed.verdicts[TABLE_FILTERED], 30);
    ck_assert_uint_eq(rig.shard.closed.bad[PARSE_NO_VALUE], 30);
    ck_assert_uint_eq(
        rig.shard.closed.verdicts[TABLE_APPLIED] + rig.shard.closed.verdicts[TABLE_METRICS], 30);
    ck_assert_uint_gt(rig.shard.closed.verdicts[TABLE_METRICS], 10);
    tear_down();
}
END_TEST

/* More than a turn takes, so that requests come in between. */
START_TEST(test_more_than_a_turn)
{
    enum { N = 3000 };
    uint64_t n = 0;

    set_up();
    net_set_receive_buffer(rig.opts.sockets[0], 8 << 20);
    for (int i = 0; i < N; i++)
        give(0, "a:1|c");
    start();
    for (int i = 0; i < 10000 && n < N; i++) {
        ask(SHARD_CLOSE);
        n += rig.shard.closed.packets + rig.shard.closed.udp_drops;
    }
    ck_assert_uint_eq(n, N);
    ask(SHARD_STOP);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("shard");
    TCase *tcase = tcase_create("shard");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_stop_reads_what_is_queued);
    tcase_add_test(tcase, test_nothing_arrived);
    tcase_add_test(tcase, test_intervals);
    tcase_add_test(tcase, test_samples_amid_a_flush);
    tcase_add_loop_test(tcase, test_drops, 0, 2);
    tcase_add_test(tcase, test_refused_and_filtered);
    tcase_add_test(tcase, test_more_than_a_turn);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
