/*
 * check_live: the commands, asked of two shards that have no sockets: the test plays the lines.
 */
#include "worker/live.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "plot.h"

#define N_SHARDS    2
#define PATIENCE_MS 10000

static struct {
    struct plot plots[N_SHARDS];
    struct shard shards[N_SHARDS];
    struct hold hold;
    struct worker_opts opts;
    struct desk desk;
    int done_fds[N_SHARDS];
    struct net_address from;
} rig;
static uint64_t mono_ms = 1000; /* what the clock says */

uint64_t __wrap_clock_mono_ms(void);

uint64_t
__wrap_clock_mono_ms(void)
{
    return mono_ms;
}

static void
set_up(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4711)};

    memset(&rig, 0, sizeof(rig));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&rig.from.storage, &in, sizeof(in));
    rig.from.len = sizeof(in);
    for (size_t i = 0; i < N_SHARDS; i++) {
        struct shard_opts opts = {.quarantine.fd = -1};

        rig.done_fds[i] = opts.done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        plot_open(&rig.plots[i], 100);
        shard_init(&rig.shards[i], &opts, rig.plots[i].region, 1);
    }
    live_open(rig.shards, N_SHARDS);
    for (size_t i = 0; i < N_SHARDS; i++)
        ck_assert_int_eq(shard_start(&rig.shards[i]), 0);
    ck_assert_int_eq(hold_init(&rig.hold, rig.shards, N_SHARDS), 0);
    dialect_init(&rig.opts.dialect);
    rig.opts.names = (struct name_limits){.name_max = 512, .node_max = 240};
    rig.opts.max_metrics = 1;
    rig.opts.flush_ms = 10000;
    rig.opts.timer_max_samples = rig.opts.set_exact_max = 10;
    ck_assert_int_eq(desk_init(&rig.desk, &rig.opts, &rig.hold), 0);
}

static void
tear_down(void)
{
    for (size_t i = 0; i < N_SHARDS; i++) {
        struct pollfd slot = {.fd = rig.done_fds[i], .events = POLLIN};

        shard_ask(&rig.shards[i], SHARD_HALT);
        ck_assert_int_eq(poll(&slot, 1, PATIENCE_MS), 1);
        shard_join(&rig.shards[i]);
        plot_close(&rig.plots[i]);
        close(rig.done_fds[i]);
    }
    live_close(rig.shards, N_SHARDS);
    hold_release(&rig.hold);
    desk_release(&rig.desk);
}

/* A line that a shard sees n times. */
static void
see(size_t shard, const char *name_text, size_t n)
{
    struct name name = {.text = name_text, .len = strlen(name_text)};
    struct onlook *onlook = &rig.shards[shard].lines.onlook;
    char line[600];

    snprintf(line, sizeof(line), "%s:1|c", name_text);
    hold_begin(&rig.hold);
    for (size_t i = 0; i < onlook->n_watches; i++) {
        for (size_t k = 0; k < n && watch_wants(onlook->watches[i], &name); k++)
            watch_put(onlook->watches[i], &rig.from, line, strlen(line));
    }
    for (size_t at = busy_first(onlook->busy, n, clock_wall_ms()); at < n;)
        at = busy_count(onlook->busy, at, n, &name, &rig.from);
    busy_meet(onlook->busy, METRIC_COUNTER, &name, clock_wall_ms());
    hold_end(&rig.hold);
}

/* What is there to be sent, as a string, which is then gone. */
static const char *
said(struct reply *reply)
{
    static char text[REPLY_MAX + 1];

    memcpy(text, reply->out.data, reply->out.len);
    text[reply->out.len] = '\0';
    reply->out.len = 0;
    return text;
}

/* The whole answer of a command that ends. */
static const char *
ask(const char *(*begin)(struct reply *, const char *), const char *argument)
{
    struct reply reply;
    const char *wrong, *text;

    reply_init(&reply, &rig.desk, false);
    wrong = begin(&reply, argument);
    text = wrong != NULL ? wrong : said(&reply);
    reply_release(&reply);
    return text;
}

START_TEST(explain_a_line)
{
    const char *text = ask(live_begin_explain, "a b:1|c");

    ck_assert_ptr_eq(strstr(text, "ok\nline a b:1|c\n"), text);
    ck_assert_ptr_nonnull(strstr(text, "\nsent stats.a_b 0.1\n"));
    ck_assert_ptr_nonnull(strstr(ask(live_begin_explain, ""), "empty it is no line"));
}
END_TEST

START_TEST(top_of_all_shards)
{
    const char *text;

    ck_assert_str_eq(ask(live_begin_top, ""), "ok\n");
    see(0, "a.b.c", 4);
    see(1, "a.b.c", 4);
    see(1, "x", 1);
    text = ask(live_begin_top, "1");
    ck_assert_ptr_eq(strstr(text, "ok\nname "), text);
    ck_assert_ptr_nonnull(strstr(text, " a.b.c\nnew 0 counter "));
    ck_assert_ptr_nonnull(strstr(text, " 127.0.0.1\nprefix "));
    ck_assert_ptr_nonnull(strstr(text, " a.b\n"));
    ck_assert_ptr_null(strstr(text, " x\nname"));
}
END_TEST

START_TEST(top_of_what)
{
    static const char *const wrong[] = {"0", "101", "x", "1 2", "-1"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_str_eq(ask(live_begin_top, wrong[i]), "it takes a number from 1 to 100");
    ck_assert_str_eq(ask(live_begin_top, "100"), "ok\n");
}
END_TEST

#define LINE "127.0.0.1:4711 "

START_TEST(watch_some)
{
    struct reply reply;

    reply_init(&reply, &rig.desk, false);
    ck_assert_ptr_null(live_begin_watch(&reply, "a*"));
    ck_assert_str_eq(said(&reply), "ok\n");
    ck_assert_int_eq(reply_step(&reply), REPLY_LATER);
    ck_assert_str_eq(said(&reply), "");
    see(0, "a", 1);
    see(0, "b", 1);
    see(0, "ab", 1);
    ck_assert_int_eq(reply_step(&reply), REPLY_LATER);
    ck_assert_str_eq(said(&reply), LINE "a:1|c\n" LINE "ab:1|c\n");
    see(1, "ac", 1);
    ck_assert_int_eq(reply_step(&reply), REPLY_LATER);
    ck_assert_str_eq(said(&reply), LINE "ac:1|c\n");
    reply_release(&reply);
    ck_assert_uint_eq(rig.shards[0].lines.onlook.n_watches, 0);
    see(0, "a", 1);
}
END_TEST

START_TEST(watch_piece_by_piece)
{
    struct reply reply;
    size_t n = 0, n_pieces = 0;
    enum reply_progress progress;

    reply_init(&reply, &rig.desk, false);
    ck_assert_ptr_null(live_begin_watch(&reply, ""));
    said(&reply);
    see(0, "a", 2000);
    see(1, "b", 2000);
    do {
        progress = reply_step(&reply);
        ck_assert_uint_lt(reply.out.len, REPLY_PIECE + WATCH_TEXT_MAX);
        for (const char *at = said(&reply); *at != '\0'; at = strchr(at, '\n') + 1)
            n++;
        n_pieces++;
    } while (progress == REPLY_MORE);
    ck_assert_int_eq(progress, REPLY_LATER);
    ck_assert_uint_eq(n, 4000);
    ck_assert_uint_gt(n_pieces, 2);
    reply_release(&reply);
}
END_TEST

/* More than there is room for, for one who comes at once, and for one who does not. */
START_TEST(watch_too_many)
{
    struct reply reply;
    const char *text;
    unsigned n = 0;

    reply_init(&reply, &rig.desk, false);
    ck_assert_ptr_null(live_begin_watch(&reply, ""));
    said(&reply);
    see(0, "a", 100000);
    ck_assert_int_eq(reply_step(&reply), REPLY_MORE);
    text = strstr(said(&reply), "\nskipped: ");
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(sscanf(text, "\nskipped: %u lines\n", &n), 1);
    ck_assert_uint_gt(n, 80000);
    see(0, "a", 100000);
    mono_ms += 1001;
    ck_assert_int_eq(reply_step(&reply), REPLY_DONE);
    text = said(&reply);
    ck_assert_str_eq(text + strlen(text) - 19, "\ndropped: too slow\n");
    reply_release(&reply);
}
END_TEST

START_TEST(watch_what)
{
    char glob[FILTER_PATTERN_MAX + 2];
    struct reply replies[ONLOOK_WATCHES_MAX];

    memset(glob, 'a', sizeof(glob));
    glob[sizeof(glob) - 1] = '\0';
    ck_assert_str_eq(ask(live_begin_watch, glob), "the pattern is too long");
    for (size_t i = 0; i < ONLOOK_WATCHES_MAX; i++) {
        reply_init(&replies[i], &rig.desk, false);
        ck_assert_ptr_null(live_begin_watch(&replies[i], glob + 1));
    }
    ck_assert_str_eq(ask(live_begin_watch, ""), "as many watch already as can");
    for (size_t i = 0; i < ONLOOK_WATCHES_MAX; i++)
        reply_release(&replies[i]);
    for (size_t i = 0; i < N_SHARDS; i++)
        ck_assert_uint_eq(rig.shards[i].lines.onlook.n_watches, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("live");
    TCase *tcase = tcase_create("live");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, explain_a_line);
    tcase_add_test(tcase, top_of_all_shards);
    tcase_add_test(tcase, top_of_what);
    tcase_add_test(tcase, watch_some);
    tcase_add_test(tcase, watch_piece_by_piece);
    tcase_add_test(tcase, watch_too_many);
    tcase_add_test(tcase, watch_what);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
