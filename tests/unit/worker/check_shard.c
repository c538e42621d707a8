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
#include "base/udp.h"
#include "plot.h"

/* Nothing that is waited for takes as long. */
#define PATIENCE_MS 10000
#define N_SOCKETS   3

static struct rig {
    struct shard_opts opts;
    struct shard shard;
    struct plot plot;
    struct store_region *region; /* plot's */
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
    fd = udp_open(&found[0]);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* A socket, and its client. */
static void
open_pair(size_t i)
{
    struct net_address address = {.len = sizeof(address.storage)};

    rig.opts.sockets[i] = open_udp();
    rig.clients[i] = open_udp();
    ck_assert_int_eq(
        getsockname(rig.opts.sockets[i], (struct sockaddr *)&address.storage, &address.len), 0);
    ck_assert_int_eq(connect(rig.clients[i], (struct sockaddr *)&address.storage, address.len), 0);
}

static void
set_up(uint32_t max_metrics)
{
    memset(&rig, 0, sizeof(rig));
    rig.opts = (struct shard_opts){
        .n_sockets = N_SOCKETS,
        .names = {.name_max = 512, .node_max = 240},
        .quarantine_fd = -1,
    };
    plot_open(&rig.plot, max_metrics);
    rig.region = rig.plot.region;
    for (size_t i = 0; i < N_SOCKETS; i++)
        open_pair(i);
    rig.done_fd = rig.opts.done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ck_assert_int_ge(rig.done_fd, 0);
}

static void
start(void)
{
    shard_init(&rig.shard, &rig.opts, rig.region, 1);
    ck_assert_int_eq(shard_start(&rig.shard), 0);
}

static void
tear_down(void)
{
    shard_join(&rig.shard);
    plot_close(&rig.plot);
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

static void
ask_for(enum shard_request request)
{
    struct pollfd slot = {.fd = rig.done_fd, .events = POLLIN};
    uint64_t rings;

    shard_ask(&rig.shard, request);
    ck_assert_int_eq(poll(&slot, 1, PATIENCE_MS), 1);
    ck_assert(shard_is_done(&rig.shard));
    ck_assert_int_eq((int)read(rig.done_fd, &rings, sizeof(rings)), (int)sizeof(rings));
    ck_assert_uint_eq(rings, 1);
}

/* Forgets the interval that was closed. */
static void
clear(void)
{
    static const struct interval interval = {.end_ms = 2000, .span_ms = 1000};
    static const struct rules rules;
    static const struct dialect dialect;
    struct flush_opts opts = {
        .tables = {&rig.region->table},
        .n_tables = 1,
        .dialect = &dialect,
        .rules = &rules,
        .max_samples = 1000,
        .undo = &rig.plot.map.store->undo,
    };
    struct flush flush;

    ck_assert_int_eq(flush_init(&flush, &opts), 0);
    flush_begin(&flush, &interval);
    flush_begin_clear(&flush);
    while (flush_clear(&flush, 100))
        continue;
    flush_release(&flush);
}

/* Asks, waits for the answer, and takes what was closed to rig.text: "name=first value;…". */
static const char *
ask(enum shard_request request)
{
    ask_for(request);
    ck_assert_uint_eq(rig.region->closed_check, selfstat_check(&rig.region->closed));
    plot_text(&rig.region->table, false, 1, rig.text, sizeof(rig.text));
    clear();
    return rig.text;
}

/* Whatever the shard had not read yet when it was asked is in one of the intervals that follow. */
static uint64_t
ask_until(uint64_t n_packets)
{
    uint64_t n = 0;

    for (int i = 0; i < 10000 && n < n_packets; i++) {
        ask(SHARD_CLOSE);
        n += rig.region->closed.packets;
    }
    return n;
}

START_TEST(test_stop_reads_what_is_queued)
{
    set_up(1000);
    give(0, "a:1|c\nb:2|g");
    give(1, "a:2|c\nbad");
    give(2, "a:4|c\nt:5|ms\ns:x|s\n");
    start();
    ck_assert_str_eq(ask(SHARD_STOP), "a=7;b=2;t=5;s=1;");
    ck_assert_uint_eq(rig.region->closed.packets, 3);
    ck_assert_uint_eq(rig.region->closed.lines, 7);
    ck_assert_uint_eq(rig.region->closed.bytes, 11 + 9 + 19);
    ck_assert_uint_eq(rig.region->closed.verdicts[TABLE_APPLIED], 6);
    ck_assert_uint_eq(rig.region->closed.bad[PARSE_NO_VALUE], 1);
    ck_assert_uint_eq(rig.region->closed.udp_drops, 0);
    ck_assert_uint_gt(rig.region->closed.memory_used, 0);
    tear_down();
}
END_TEST

START_TEST(test_nothing_arrived)
{
    set_up(1000);
    start();
    ck_assert(shard_is_done(&rig.shard));
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(ask(SHARD_CLOSE), "");
        ck_assert_uint_eq(rig.region->closed.packets, 0);
        ck_assert_uint_eq(rig.region->closed.lines, 0);
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

    set_up(1000);
    start();
    for (int i = 0; i < 300; i++) {
        bool is_last = i == 299;

        for (size_t k = 0; k < N_SOCKETS; k++)
            give(k, "a:1|c\na:1|c\n");
        ask(is_last ? SHARD_STOP : SHARD_CLOSE);
        n_lines += rig.region->closed.lines;
        n_packets += rig.region->closed.packets;
        ck_assert_uint_eq(rig.region->closed.lines, 2 * rig.region->closed.packets);
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
    double sum = 0;

    set_up(1000);
    start();
    give(0, "a:1|c");
    ck_assert_uint_eq(ask_until(1), 1);
    give(0, "a:2|c");
    ask_for(SHARD_CLOSE);
    plot_text(&rig.region->table, false, 1, rig.text, sizeof(rig.text));
    if (rig.text[0] != '\0')
        sum += atof(rig.text + 2);
    give(1, "a:4|c");
    plot_text(&rig.region->table, false, 1, rig.text, sizeof(rig.text));
    ck_assert_double_eq(rig.text[0] != '\0' ? atof(rig.text + 2) : 0, sum);
    clear();
    give(2, "a:8|c");
    ask(SHARD_STOP);
    sum += atof(rig.text + 2);
    ck_assert_double_eq(sum, 14);
    tear_down();
}
END_TEST

/* What is queued is read, and all of it stays in the open interval, with its statistics. */
START_TEST(test_halt)
{
    set_up(1000);
    give(0, "a:1|c\nb:2|g");
    start();
    ck_assert_uint_eq(ask_until(1), 1);
    give(1, "a:4|c");
    give(2, "a:8|c\nbad");
    ask_for(SHARD_HALT);
    plot_text(&rig.region->table, true, 1, rig.text, sizeof(rig.text));
    ck_assert_str_eq(rig.text, "a=12;b=2;");
    ck_assert_uint_eq(rig.region->stats.packets, 2);
    ck_assert_uint_eq(rig.region->stats.lines, 3);
    ck_assert_uint_gt(rig.region->stats.memory_used, 0);
    ck_assert_uint_eq(rig.region->stats_check, selfstat_check(&rig.region->stats));
    tear_down();
}
END_TEST

/* However much it is. */
START_TEST(test_end_reads_all)
{
    enum { N = 3000 };
    const struct selfstat *stats;

    set_up(1000);
    net_set_receive_buffer(rig.opts.sockets[0], 8 << 20);
    for (int i = 0; i < N; i++)
        give(0, "a:1|c");
    start();
    ask_for(_i == 0 ? SHARD_HALT : SHARD_STOP);
    stats = _i == 0 ? &rig.region->stats : &rig.region->closed;
    ck_assert_uint_eq(stats->packets + stats->udp_drops, N);
    tear_down();
}
END_TEST

/* The sum of the intervals, the open one aside. */
START_TEST(test_total)
{
    uint64_t n_packets = 0;

    set_up(1000);
    start();
    for (int i = 0; i < 50; i++) {
        give(0, "a:1|c\nbad");
        ask(i == 49 ? SHARD_STOP : SHARD_CLOSE);
        n_packets += rig.region->closed.packets;
        ck_assert_uint_eq(rig.region->total.packets, n_packets);
        ck_assert_uint_eq(rig.region->total_check, selfstat_check(&rig.region->total));
    }
    ck_assert_uint_eq(n_packets, 50);
    ck_assert_uint_eq(rig.region->total.bad[PARSE_NO_VALUE], 50);
    ck_assert_uint_eq(rig.region->stats.packets, 0);
    tear_down();
}
END_TEST

/* A predecessor's datagrams come before all that is queued. */
START_TEST(test_takes_over_a_hand)
{
    set_up(1000);
    give(0, "g:2|g\na:4|c");
    plot_begin_hand(&rig.plot);
    plot_receive(&rig.plot, "g:1|g", 5, false);
    plot_receive(&rig.plot, "a:1|c\nb:1|c", 11, false);
    shard_init(&rig.shard, &rig.opts, rig.region, 1);
    ck_assert_uint_eq(rig.region->hand.filled, 0);
    ck_assert_uint_eq(rig.region->stats.packets, 2);
    ck_assert_int_eq(shard_start(&rig.shard), 0);
    ck_assert_str_eq(ask(SHARD_STOP), "g=2;a=5;b=1;");
    ck_assert_uint_eq(rig.region->closed.packets, 3);
    tear_down();
}
END_TEST

#define N_OVERFLOW 400

/* More than the socket takes. */
static void
overflow(size_t socket)
{
    net_set_receive_buffer(rig.opts.sockets[socket], 1);
    for (int i = 0; i < N_OVERFLOW; i++)
        give(socket, "a:1|c");
}

/* What a socket has dropped is counted once, whatever process sees it; of another one, anew. */
START_TEST(test_drops)
{
    uint64_t n_read, n_dropped;

    set_up(1000);
    overflow(1);
    start();
    n_read = ask_until(1);
    ck_assert_uint_gt(n_read, 0);
    ck_assert_uint_lt(n_read, N_OVERFLOW);
    /* Told in the interval that ends next, so in one of those that ask_until has seen. */
    ck_assert_uint_eq(rig.region->closed.udp_drops, N_OVERFLOW - n_read);
    ask(SHARD_STOP);
    ck_assert_uint_eq(rig.region->closed.udp_drops, 0);
    shard_join(&rig.shard);
    start();
    ask(_i == 0 ? SHARD_STOP : SHARD_CLOSE);
    ck_assert_uint_eq(rig.region->closed.udp_drops, 0);
    if (_i == 1) {
        ask_for(SHARD_HALT);
        ck_assert_uint_eq(rig.region->stats.udp_drops, 0);
    }
    shard_join(&rig.shard);
    close(rig.opts.sockets[1]);
    close(rig.clients[1]);
    open_pair(1);
    n_dropped = rig.region->total.udp_drops;
    overflow(1);
    start();
    n_read = ask_until(1);
    ask(SHARD_STOP);
    n_read += rig.region->closed.packets;
    ck_assert_uint_eq(rig.region->total.udp_drops, n_dropped + N_OVERFLOW - n_read);
    tear_down();
}
END_TEST

/* What a socket had dropped before it was taken over was told by whoever had it. */
START_TEST(test_drops_of_another)
{
    uint64_t n_read, n_dropped;

    set_up(1000);
    overflow(1);
    start();
    n_read = ask_until(1);
    n_dropped = N_OVERFLOW - n_read;
    ask(SHARD_STOP);
    shard_join(&rig.shard);
    plot_close(&rig.plot);
    plot_open(&rig.plot, 1000);
    rig.region = rig.plot.region;
    rig.opts.told_drops[1] = (uint32_t)n_dropped - 1;
    start();
    ask(SHARD_CLOSE);
    ck_assert_uint_eq(rig.region->closed.udp_drops, 1);
    ask(SHARD_STOP);
    ck_assert_uint_eq(rig.region->closed.udp_drops, 0);
    tear_down();
}
END_TEST

START_TEST(test_refused_and_filtered)
{
    struct filter_opts lists = {.drop = "no*", .allow = NULL};
    uint8_t storage[64];
    char text[64];

    set_up(10);
    ck_assert_int_eq(filter_init(&rig.plot.filter, &lists, storage, sizeof(storage)), 0);
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof(text), "a%d:1|c\nno:1|c\nbad", i % 20);
        give((size_t)i % N_SOCKETS, text);
    }
    start();
    ask(SHARD_STOP);
    ck_assert_uint_eq(rig.region->closed.lines, 90);
    ck_assert_uint_eq(rig.region->closed.verdicts[TABLE_FILTERED], 30);
    ck_assert_uint_eq(rig.region->closed.bad[PARSE_NO_VALUE], 30);
    ck_assert_uint_eq(rig.region->closed.verdicts[TABLE_APPLIED] +
                          rig.region->closed.verdicts[TABLE_METRICS],
                      30);
    ck_assert_uint_gt(rig.region->closed.verdicts[TABLE_METRICS], 10);
    tear_down();
}
END_TEST

/* More than a turn takes, so that requests come in between. */
START_TEST(test_more_than_a_turn)
{
    enum { N = 3000 };
    uint64_t n = 0;

    set_up(1000);
    net_set_receive_buffer(rig.opts.sockets[0], 8 << 20);
    for (int i = 0; i < N; i++)
        give(0, "a:1|c");
    start();
    for (int i = 0; i < 10000 && n < N; i++) {
        ask(SHARD_CLOSE);
        n += rig.region->closed.packets + rig.region->closed.udp_drops;
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
    tcase_add_test(tcase, test_halt);
    tcase_add_loop_test(tcase, test_end_reads_all, 0, 2);
    tcase_add_test(tcase, test_total);
    tcase_add_test(tcase, test_takes_over_a_hand);
    tcase_add_loop_test(tcase, test_drops, 0, 2);
    tcase_add_test(tcase, test_drops_of_another);
    tcase_add_test(tcase, test_refused_and_filtered);
    tcase_add_test(tcase, test_more_than_a_turn);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
