/*
 * check_ask: whole answers, and where they are asked for.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "command.h"

START_TEST(test_text)
{
    static const char *const answers[] = {"ok\na\nb\n", "error not now\n", NULL};
    struct options options = {0};
    struct daemon daemon;
    char *text, error[ADMIN_ERROR_MAX], asked[4096];
    size_t len;

    daemon_start(&daemon, answers);
    options.socket_path = daemon.path;
    ck_assert_int_eq(ask_text(&options, "list", NULL, &text, &len, error), ADMIN_OK);
    ck_assert_str_eq(text, "a\nb\n");
    ck_assert_uint_eq(len, 4);
    free(text);
    ck_assert_int_eq(ask_text(&options, "list", "x*", &text, &len, error), ADMIN_REFUSED);
    ck_assert_str_eq(error, "not now");
    daemon_end(&daemon, asked);
    ck_assert_str_eq(asked, "list\nlist x*\n");
}
END_TEST

START_TEST(test_status)
{
    static const char *const answers[] = {"ok\nversion 2\nnonsense\nuptime_s 3\n", NULL};
    struct options options = {0};
    struct facts facts = {0};
    struct daemon daemon;
    char error[ADMIN_ERROR_MAX], asked[4096];

    daemon_start(&daemon, answers);
    options.socket_path = daemon.path;
    ck_assert_int_eq(ask_status(&options, &facts, error), ADMIN_OK);
    ck_assert_uint_eq(facts.n_facts, 2);
    ck_assert(facts_number(&facts, "uptime_s") == 3);
    facts_release(&facts);
    daemon_end(&daemon, asked);
    ck_assert_str_eq(asked, "status\n");
}
END_TEST

START_TEST(test_long_path)
{
    char path[300], error[ADMIN_ERROR_MAX];
    struct options options = {.socket_path = path};
    struct facts facts = {0};

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(ask_status(&options, &facts, error), ADMIN_TROUBLE);
    ck_assert_ptr_nonnull(strstr(error, "longer than 107 bytes"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ask");
    TCase *tcase = tcase_create("ask");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_text);
    tcase_add_test(tcase, test_status);
    tcase_add_test(tcase, test_long_path);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
