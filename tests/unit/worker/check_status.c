/*
 * check_status: keys of what is known, and of what is not.
 */
#include "worker/status.h"

#include "estrade.h"

static struct estrade estrade;

static const char *
ask(const char *text)
{
    return estrade_ask_admin(&estrade, text);
}

START_TEST(test_status)
{
    const char *text;

    estrade_open(&estrade);
    board_set(&estrade.opts.board->delivery.queued, 12);
    text = ask("status");
    ck_assert_ptr_nonnull(strstr(text, "\nqueued 12\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nlast_success_age_s -\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nlines_per_s -\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nstate critical\nproblem "));
    estrade_close(&estrade);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {test_status};

    return estrade_run("status", tests, sizeof(tests) / sizeof(tests[0]));
}
