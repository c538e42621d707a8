/*
 * estrade: two shards that run, with a desk before them, for the checks of what can be asked.
 */
#ifndef WORKER_ESTRADE_H
#define WORKER_ESTRADE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "base/bulletin.h"
#include "base/log.h"
#include "worker/command.h"
#include "worker/console.h"
#include "worker/desk.h"
#include "worker/reply.h"

#include "plot.h"

#define ESTRADE_SHARDS 2

/* Nothing in it may be moved. */
struct estrade {
    struct plot plots[ESTRADE_SHARDS];
    struct shard shards[ESTRADE_SHARDS];
    struct worker_opts opts;
    struct hold hold;
    struct desk desk;
    int done_fd;
    struct buf said; /* the last answer, with a NUL */
};

static inline void
estrade_open(struct estrade *estrade)
{
    struct shard_opts opts = {.quarantine.fd = -1};

    log_init(LOG_TO_STDERR, LOG_ERR);
    memset(estrade, 0, sizeof(*estrade));
    estrade->done_fd = opts.done_fd = eventfd(0, EFD_CLOEXEC);
    for (size_t i = 0; i < ESTRADE_SHARDS; i++) {
        plot_open(&estrade->plots[i], 100000);
        shard_init(&estrade->shards[i], &opts, estrade->plots[i].region, 1);
        ck_assert_int_eq(shard_start(&estrade->shards[i]), 0);
    }
    estrade->opts = (struct worker_opts){.console_writes = true,
                                         .names = {.name_max = 512, .node_max = 240},
                                         .flush_ms = 10000,
                                         .memory_limit = 1 << 20,
                                         .max_metrics = 100,
                                         .n_threads = ESTRADE_SHARDS};
    estrade->opts.board = board_new();
    estrade->opts.config = bulletin_new();
    ck_assert_int_eq(hold_init(&estrade->hold, estrade->shards, ESTRADE_SHARDS), 0);
    ck_assert_int_eq(desk_init(&estrade->desk, &estrade->opts, &estrade->hold), 0);
}

static inline void
estrade_close(struct estrade *estrade)
{
    for (size_t i = 0; i < ESTRADE_SHARDS; i++) {
        shard_ask(&estrade->shards[i], SHARD_HALT);
        shard_join(&estrade->shards[i]);
    }
    desk_release(&estrade->desk);
    hold_release(&estrade->hold);
    for (size_t i = 0; i < ESTRADE_SHARDS; i++)
        plot_close(&estrade->plots[i]);
    close(estrade->done_fd);
    buf_release(&estrade->said);
}

/* A sample that came to a shard. */
static inline void
estrade_give(struct estrade *estrade, size_t shard, enum metric_type type, const char *text,
             double value)
{
    struct table *table = &estrade->plots[shard].region->table;
    struct name name = {.text = text, .len = strlen(text)};
    struct sample sample = {.type = type,
                            .value = value,
                            .rate = 1,
                            .member = (const char *)&value,
                            .member_len = sizeof(value)};

    hold_begin(&estrade->hold);
    ck_assert_int_eq(
        table_apply(table, &sample, &name, table_hash(table, type, &name), 1000 + (uint64_t)value),
        TABLE_APPLIED);
    undo_commit(&estrade->plots[shard].region->undo);
    hold_end(&estrade->hold);
}

/* Takes an answer to its end, or to where it has nothing to say yet. */
static inline enum reply_progress
estrade_take(struct estrade *estrade, struct reply *reply)
{
    enum reply_progress progress;

    buf_release(&estrade->said);
    buf_init(&estrade->said, 1 << 24);
    ck_assert_int_eq(buf_append(&estrade->said, reply->out.data, reply->out.len), 0);
    do {
        reply->out.len = 0;
        progress = reply_step(reply);
        ck_assert_int_eq(buf_append(&estrade->said, reply->out.data, reply->out.len), 0);
    } while (progress == REPLY_MORE);
    ck_assert_int_eq(buf_append(&estrade->said, "", 1), 0);
    return progress;
}

/* What the console says to a piece of text, NULL where it closes. */
static inline const char *
estrade_ask_console(struct estrade *estrade, const char *text)
{
    struct reply reply;
    char piece[1100];

    strcpy(piece, text);
    reply_init(&reply, &estrade->desk, true);
    if (!console_begin(&reply, piece, strlen(piece))) {
        reply_release(&reply);
        return NULL;
    }
    ck_assert_int_eq(estrade_take(estrade, &reply), REPLY_DONE);
    reply_release(&reply);
    return (const char *)estrade->said.data;
}

/* What ADMIN_SOCKET says to a line. */
static inline const char *
estrade_ask_admin(struct estrade *estrade, const char *text)
{
    struct reply reply;
    char line[1100];

    strcpy(line, text);
    reply_init(&reply, &estrade->desk, false);
    command_begin(&reply, line, strlen(line));
    ck_assert_int_eq(estrade_take(estrade, &reply), REPLY_DONE);
    reply_release(&reply);
    return (const char *)estrade->said.data;
}

/* Of each type one name that both shards have. */
static inline void
estrade_give_all(struct estrade *estrade)
{
    estrade_give(estrade, 0, METRIC_COUNTER, "c.x", 3);
    estrade_give(estrade, 1, METRIC_COUNTER, "c.x", 0.5);
    estrade_give(estrade, 1, METRIC_TIMER, "t", 7);
    estrade_give(estrade, 0, METRIC_TIMER, "t", 4);
    estrade_give(estrade, 0, METRIC_GAUGE, "g", 5);
    estrade_give(estrade, 1, METRIC_GAUGE, "g", 2);
    estrade_give(estrade, 0, METRIC_SET, "s", 5);
    estrade_give(estrade, 1, METRIC_SET, "s", 5);
    estrade_give(estrade, 1, METRIC_SET, "s", 6);
}

/* A check's main: runs its tests. */
static inline int
estrade_run(const char *name, const TTest *const *tests, size_t n)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
