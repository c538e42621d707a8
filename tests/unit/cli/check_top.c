/*
 * check_top: what is printed where there is no terminal.
 */
#include <check.h>
#include <string.h>

#include "cli/top.h"
#include "command.h"

START_TEST(test_once)
{
    static const char *const answers[] = {
        "ok\nversion 1\nstate ok\nuptime_s 5\nlines_per_s 7\nbytes_per_s 2048\n",
        "ok\nname 1500 a\nname 2 b\nname 1 c\nsender 7 ::1\nnew 90 counter z\nmore to come\n",
        NULL};
    struct daemon daemon;
    struct said said;
    char heard[4096];

    daemon_start(&daemon, answers);
    command_run((const char *const[]){"top", "-n", "2", "--socket", daemon.path, NULL}, &said);
    daemon_end(&daemon, heard);
    ck_assert_str_eq(heard, "status\ntop 2\n");
    ck_assert_int_eq(said.status, EXIT_FINE);
    ck_assert_str_eq(said.out, "pystatsd 1 is ok, up 5s; in: 7 lines/s, 2 KiB/s\n"
                               "\na second BUSIEST NAMES\n    1.5k a\n       2 b\n"
                               "\na second BUSIEST PREFIXES\n"
                               "\n     age NEWEST NAMES\n  1m 30s counter z\n"
                               "\na second BUSIEST SENDERS\n       7 ::1\n");
}
END_TEST

/* The daemon knows a hundred. */
START_TEST(test_many_rows)
{
    static const char *const answers[] = {"ok\nversion 1\n", "ok\nname 1 a\n", NULL};
    struct daemon daemon;
    struct said said;
    char heard[4096];

    daemon_start(&daemon, answers);
    command_run((const char *const[]){"top", "-n", "101", "--socket", daemon.path, NULL}, &said);
    daemon_end(&daemon, heard);
    ck_assert_str_eq(heard, "status\ntop 100\n");
    ck_assert_int_eq(said.status, EXIT_FINE);
}
END_TEST

START_TEST(test_refused)
{
    static const char *const answers[] = {"ok\nversion 1\n", "error there is no command\n", NULL};
    struct daemon daemon;
    struct said said;
    char heard[4096];

    daemon_start(&daemon, answers);
    command_run((const char *const[]){"top", "--socket", daemon.path, NULL}, &said);
    daemon_end(&daemon, heard);
    ck_assert_str_eq(heard, "status\ntop 20\n");
    ck_assert_int_eq(said.status, EXIT_TROUBLE);
    ck_assert_str_eq(said.err, "pystatsd: there is no command\n");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("top");
    TCase *tcase = tcase_create("top");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_once);
    tcase_add_test(tcase, test_many_rows);
    tcase_add_test(tcase, test_refused);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
