/*
 * check_choice: what goes next: the newest, then the oldest at its pace, and of one timestamp the
 * older first.
 */
#include "arena.h"
#include "folder.h"

#include "base/log.h"
#include "sender/choice.h"
#include "sender/replay.h"

#define NOW_MS UINT64_C(1000000)

static struct backlog backlog;
static struct sender_opts opts;
static struct board board;
static uint64_t latest_ms; /* time does not go back */

static uint64_t
at_least(uint64_t now_ms)
{
    latest_ms = now_ms > latest_ms ? now_ms : latest_ms;
    return latest_ms;
}

static void
set_up(bool with_spool)
{
    enum vault_found found;

    folder_make();
    opts = (struct sender_opts){
        .board = &board,
        .arena_fd = new_arena(),
        .spool_fd = with_spool ? folder : -1,
        .spool_max_bytes = 1 << 20,
        .spool_max_age_ms = UINT64_MAX,
        .deliver = true,
        .queue_memory = 1 << 20,
        .replay_window_ms = 60000,
    };
    ck_assert_int_eq(backlog_open(&backlog, &opts, &found), 0);
}

static void
tear_down(void)
{
    ck_assert(is_closed(&backlog.queue));
    backlog_close(&backlog);
    close(opts.arena_fd);
    folder_remove();
}

/* Takes the n-th flush, of the interval of the at-th, a second behind the one before. */
static void
take_at(unsigned n, unsigned at)
{
    const struct backlog_item nothing = {.slot = VAULT_NONE};
    struct batch *batch = batch_of(at, 10);

    batch->id = EPOCH | n;
    ck_assert(backlog_take(&backlog, batch, queue_ledger(&backlog.queue), &nothing,
                           at_least(NOW_MS + 1000 * n)));
    batch_free(batch);
}

/* The number of what goes next, and what became of it is that it failed or not; 0: nothing goes. */
static unsigned
next(bool last, uint64_t now_ms, bool succeeds)
{
    bool is_there = choice_is_there(&backlog, last, at_least(now_ms));
    struct backlog_item item;
    unsigned n;

    ck_assert_uint_eq(now_ms, latest_ms);
    choice_make(&backlog, last, now_ms, &item);
    ck_assert(is_there || item.kind == BACKLOG_NOTHING);
    if (item.kind == BACKLOG_NOTHING)
        return 0;
    ck_assert(batch_is_intact(&item.batch));
    n = (unsigned)(item.batch.id - EPOCH);
    if (succeeds)
        backlog_delivered(&backlog, &item, 0, now_ms);
    else
        backlog_failed(&backlog, &item);
    ck_assert_int_eq(item.kind, BACKLOG_NOTHING);
    ck_assert_ptr_null(item.loaded);
    return n;
}

/* The newest is tried once, and then is one of those that wait. */
START_TEST(test_newest_then_oldest)
{
    static const unsigned want[] = {3, 1, 2, 3};

    set_up(false);
    ck_assert_uint_eq(next(false, NOW_MS, true), 0);
    for (unsigned n = 1; n <= 3; n++)
        take_at(n, n);
    for (unsigned i = 0; i < 4; i++) /* a quarter of a second each */
        ck_assert_uint_eq(next(false, NOW_MS + 3000 + 250 * i, i > 0), want[i]);
    ck_assert_uint_eq(next(false, NOW_MS + 9000, true), 0);
    tear_down();
}
END_TEST

/* The pace is for the backlog: what is live does not wait, and the end neither. */
START_TEST(test_pace)
{
    set_up(false);
    for (unsigned n = 1; n <= 3; n++)
        take_at(n, n);
    ck_assert_uint_eq(next(false, NOW_MS + 3000, true), 3);
    ck_assert_uint_eq(next(false, NOW_MS + 3000, true), 1);
    ck_assert_uint_eq(next(false, NOW_MS + 3249, true), 0);
    ck_assert_uint_eq(next(false, NOW_MS + 3250, true), 2);
    take_at(4, 4);
    ck_assert_uint_eq(next(false, NOW_MS + 4000, false), 4);
    ck_assert_uint_eq(next(false, NOW_MS + 4000, false), 4);
    ck_assert_uint_eq(next(false, NOW_MS + 4000, true), 4);
    take_at(5, 5);
    take_at(6, 6);
    ck_assert_uint_eq(next(false, NOW_MS + 6000, false), 6);
    ck_assert_uint_eq(next(false, NOW_MS + 6000, true), 5);
    ck_assert_uint_eq(next(false, NOW_MS + 6000, true), 0);
    ck_assert_uint_eq(next(true, NOW_MS + 6000, true), 6);
    ck_assert_uint_eq(next(true, NOW_MS + 6000, true), 0);
    tear_down();
}
END_TEST

/* Carbon keeps the last of one timestamp, and the later flush is the whole. */
START_TEST(test_one_timestamp)
{
    set_up(false);
    take_at(1, 1);
    take_at(2, 2);
    take_at(3, 2);
    ck_assert_uint_eq(next(false, NOW_MS + 9000, true), 1);
    ck_assert_uint_eq(next(false, NOW_MS + 19000, true), 2);
    ck_assert_uint_eq(next(false, NOW_MS + 19000, true), 3); /* now it is just the newest */
    take_at(4, 2); /* one that was delivered does not have to go first */
    ck_assert_uint_eq(next(false, NOW_MS + 19000, true), 4);
    replay_mark(&backlog.queue, 60000, NOW_MS + 19000);
    take_at(5, 2); /* but one that is to go again does */
    for (unsigned n = 1; n <= 5; n++)
        ck_assert_uint_eq(next(false, NOW_MS + 20000 + 10000 * n, true), n);
    tear_down();
}
END_TEST

START_TEST(test_replays_go_with_the_others)
{
    set_up(false);
    take_at(1, 1);
    ck_assert_uint_eq(next(false, NOW_MS + 1000, false), 1);
    take_at(2, 2);
    ck_assert_uint_eq(next(false, NOW_MS + 2000, true), 2);
    replay_mark(&backlog.queue, 60000, NOW_MS + 2000);
    take_at(3, 3);
    ck_assert_uint_eq(next(true, NOW_MS + 3000, false), 3);
    ck_assert_uint_eq(next(false, NOW_MS + 10000, true), 1);
    ck_assert_uint_eq(next(false, NOW_MS + 20000, true), 2);
    ck_assert_uint_eq(next(false, NOW_MS + 30000, true), 3);
    replay_mark(&backlog.queue, 60000, NOW_MS + 31000);
    for (unsigned n = 1; n <= 3; n++)
        ck_assert_uint_eq(next(true, NOW_MS + 40000, true), n);
    ck_assert_uint_eq(next(true, NOW_MS + 40000, true), 0);
    ck_assert_uint_eq(queue_ledger(&backlog.queue)->delivered, 30);
    ck_assert_uint_eq(queue_ledger(&backlog.queue)->replayed, 40);
    tear_down();
}
END_TEST

/* Memory and disk together are one backlog. */
START_TEST(test_spool)
{
    set_up(true);
    for (unsigned n = 1; n <= 2; n++) {
        take_at(n, n);
        backlog.queue.live = VAULT_NONE;
        stow_put_all(&backlog.stow, &backlog.queue, VAULT_NONE);
    }
    take_at(3, 2); /* the whole of what is on disk */
    take_at(4, 3);
    ck_assert_uint_eq(next(false, NOW_MS + 9000, false), 4);
    ck_assert_uint_eq(next(false, NOW_MS + 9000, true), 1);
    ck_assert_uint_eq(next(false, NOW_MS + 19000, false), 2);
    ck_assert_uint_eq(next(false, NOW_MS + 19000, true), 2);
    ck_assert_uint_eq(next(false, NOW_MS + 29000, true), 3);
    ck_assert_uint_eq(next(false, NOW_MS + 39000, true), 4);
    ck_assert_str_eq(folder_list(), "");
    take_at(5, 5);
    ck_assert_uint_eq(next(false, NOW_MS + 39000, true), 5);
    tear_down();
}
END_TEST

/* The newest follows what is on disk of its interval. */
START_TEST(test_newest_behind_the_spool)
{
    set_up(true);
    take_at(1, 1);
    backlog.queue.live = VAULT_NONE;
    stow_put_all(&backlog.stow, &backlog.queue, VAULT_NONE);
    take_at(2, 1);
    ck_assert_uint_eq(next(false, NOW_MS + 9000, true), 1);
    ck_assert_uint_eq(next(false, NOW_MS + 9000, true), 2);
    tear_down();
}
END_TEST

/* What was delivered of an interval does not follow the whole, which is on disk. */
START_TEST(test_replay_and_spool)
{
    set_up(true);
    for (unsigned n = 1; n <= 2; n++) {
        take_at(n, n);
        ck_assert_uint_eq(next(false, NOW_MS + 1000 * n, true), n);
    }
    replay_mark(&backlog.queue, 60000, NOW_MS + 2000);
    take_at(3, 2);
    backlog.queue.live = VAULT_NONE;
    stow_put_all(&backlog.stow, &backlog.queue, VAULT_NONE);
    ck_assert_uint_eq(next(true, NOW_MS + 9000, true), 1);
    ck_assert_uint_eq(next(true, NOW_MS + 9000, true), 3);
    ck_assert_uint_eq(next(true, NOW_MS + 9000, true), 0);
    take_at(4, 4); /* the same, but it is delivered before it is known that carbon died */
    ck_assert_uint_eq(next(true, NOW_MS + 9000, true), 4);
    take_at(5, 4);
    backlog.queue.live = VAULT_NONE;
    stow_put_all(&backlog.stow, &backlog.queue, VAULT_NONE);
    ck_assert_uint_eq(next(true, NOW_MS + 9000, true), 5);
    replay_mark(&backlog.queue, 60000, NOW_MS + 9000);
    ck_assert_uint_eq(next(true, NOW_MS + 9000, true), 1);
    ck_assert_uint_eq(next(true, NOW_MS + 9000, true), 0);
    tear_down();
}
END_TEST

/* A damaged file is passed over, and what is in memory goes on. */
START_TEST(test_damaged_file)
{
    char name[64];

    log_init(LOG_TO_STDERR, 0);
    set_up(true);
    take_at(1, 1);
    backlog.queue.live = VAULT_NONE;
    stow_put_all(&backlog.stow, &backlog.queue, VAULT_NONE);
    ck_assert_int_eq(sscanf(folder_list(), "%63s", name), 1);
    folder_write(name, "no flush", 8);
    take_at(2, 2);
    ck_assert_uint_eq(next(false, NOW_MS + 9000, false), 2);
    ck_assert_uint_eq(next(false, NOW_MS + 9000, true), 2);
    ck_assert_uint_eq(queue_ledger(&backlog.queue)->dropped[LEDGER_CORRUPT], 10);
    tear_down();
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("choice");
    TCase *tcase = tcase_create("choice");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_newest_then_oldest);
    tcase_add_test(tcase, test_pace);
    tcase_add_test(tcase, test_one_timestamp);
    tcase_add_test(tcase, test_replays_go_with_the_others);
    tcase_add_test(tcase, test_spool);
    tcase_add_test(tcase, test_newest_behind_the_spool);
    tcase_add_test(tcase, test_replay_and_spool);
    tcase_add_test(tcase, test_damaged_file);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
