/*
 * check_notice: what stands on the board behind each thing that happens to deliveries.
 */
#include "sender/notice.h"

#include <check.h>
#include <stdlib.h>

static struct sender_opts opts;
static struct delivery delivery;

static struct board_delivery *
set_up(bool deliver)
{
    opts = (struct sender_opts){.board = board_new(), .deliver = deliver, .spool_max_bytes = 7};
    ck_assert_ptr_nonnull(opts.board);
    delivery.opts = &opts;
    return &opts.board->delivery;
}

START_TEST(test_deliveries)
{
    struct board_delivery *board = set_up(true);

    ck_assert_uint_eq(board->carbon, BOARD_CARBON_UNKNOWN);
    notice_failure(board);
    notice_failure(board);
    ck_assert_uint_eq(board->carbon, BOARD_CARBON_AWAY);
    ck_assert_uint_eq(board->send_failures, 2);
    ck_assert_uint_gt(board->last_failure_ms, 0);
    ck_assert_uint_eq(board->last_success_ms, 0);
    delivery.item.batch.n_lines = 10;
    delivery.carbon.n_written = 300;
    delivery.began_ms = 1000;
    notice_success(&delivery, 1, 1025);
    ck_assert_uint_eq(board->carbon, BOARD_CARBON_CONNECTED);
    ck_assert_uint_gt(board->last_success_ms, 0);
    ck_assert_uint_eq(board->last_lines, 9);
    ck_assert_uint_eq(board->last_bytes, 300);
    ck_assert_uint_eq(board->last_took_ms, 25);
}
END_TEST

START_TEST(test_state)
{
    struct board_delivery *board = set_up(false);
    struct backlog *backlog = &delivery.backlog;

    queue_ledger(&backlog->queue)->emitted = 5;
    queue_ledger(&backlog->queue)->dropped[LEDGER_SPOOL] = 2;
    backlog->queue.limit = 99;
    notice_state(&delivery, 10000);
    ck_assert_uint_eq(board->emitted, 5);
    ck_assert_uint_eq(board->dropped, 2);
    ck_assert_uint_eq(board->queue_limit, 99);
    ck_assert_uint_eq(board->spool_limit, 0);
    ck_assert_uint_eq(board->carbon, BOARD_CARBON_OFF);
    ck_assert_uint_gt(board->told_ms, 0);
    backlog->stow.is_open = true;
    backlog->stow.spool.n_bytes = 3;
    notice_state(&delivery, 10000 + NOTICE_MS - 1);
    ck_assert_uint_eq(board->spool_limit, 0);
    notice_state(&delivery, 10000 + NOTICE_MS);
    ck_assert_uint_eq(board->spool_limit, 7);
    ck_assert_uint_eq(board->spool_bytes, 3);
}
END_TEST

/* Of a sender, or one before it in the life of this daemon. */
START_TEST(test_drops)
{
    struct board_delivery *board = set_up(true);
    struct ledger *ledger = queue_ledger(&delivery.backlog.queue);

    ledger->dropped[LEDGER_QUEUE] = 5; /* of before */
    notice_now(&delivery);
    notice_now(&delivery);
    ck_assert_uint_eq(board->last_drop_ms, 0);
    ledger->dropped[LEDGER_SPOOL] = 1;
    notice_now(&delivery);
    ck_assert_uint_gt(board->last_drop_ms, 0);
    ck_assert_uint_eq(board->dropped, 6);
    board->last_drop_ms = 0;
    notice_now(&delivery);
    ck_assert_uint_eq(board->last_drop_ms, 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("notice");
    TCase *tcase = tcase_create("notice");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_deliveries);
    tcase_add_test(tcase, test_state);
    tcase_add_test(tcase, test_drops);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
