/*
 * check_terminal: terminals that a screen can be drawn on.
 */
#include <check.h>
#include <stddef.h>

#include "cli/terminal.h"

START_TEST(test_names)
{
    ck_assert(terminal_can_draw("xterm"));
    ck_assert(terminal_can_draw("linux"));
    ck_assert(!terminal_can_draw("dumb"));
    ck_assert(!terminal_can_draw("no-such-terminal"));
    ck_assert(!terminal_can_draw(""));
    ck_assert(!terminal_can_draw(NULL));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("terminal");
    TCase *tcase = tcase_create("terminal");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_names);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
