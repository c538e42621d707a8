/*
 * check_queries: what each question prints, and how it ends.
 */
#include <check.h>
#include <string.h>

#include "cli/queries.h"
#include "command.h"

static void
run(const char *const words[], const char *answer, struct said *said, const char *asked)
{
    const char *answers[] = {answer, NULL};
    const char *all[COMMAND_WORDS_MAX] = {"--socket"};
    struct daemon daemon;
    char heard[4096];

    daemon_start(&daemon, answers);
    all[1] = daemon.path;
    for (size_t i = 0; words[i] != NULL; i++)
        all[i + 2] = words[i];
    command_run(all, said);
    daemon_end(&daemon, heard);
    ck_assert_str_eq(heard, asked);
}

START_TEST(test_answers)
{
    static const struct {
        const char *words[4], *answer, *asked, *out, *err;
        int status;
    } rows[] = {
        {{"list"}, "ok\ncounter a\n", "list\n", "counter a\n", "", EXIT_FINE},
        {{"list", "a*"}, "ok\n", "list a*\n", "", "", EXIT_FINE},
        {{"get", "a"}, "ok\ngauge a value 1\n", "get a\n", "gauge a value 1\n", "", EXIT_FINE},
        {{"get", "b"}, "ok\n", "get b\n", "", "there is no metric 'b'", EXIT_TROUBLE},
        {{"delete", "-y", "a"}, "ok\ncounter a\n", "delete a\n", "counter a\n", "", EXIT_FINE},
        {{"flush"},
         "error an aggregator follows\n",
         "flush\n",
         "",
         "an aggregator follows",
         EXIT_TROUBLE},
        {{"reload"}, "ok\n", "reload\n", "", "", EXIT_FINE},
        {{"explain", "a:1|c"},
         "ok\nx y\nsent a 1\n",
         "explain a:1|c\n",
         "x y\nsent a 1\n",
         "",
         EXIT_FINE},
        {{"explain", " a:1|c\r"},
         "ok\nline sent a\n",
         "explain  a:1|c\r\n",
         "line sent a\n",
         "",
         EXIT_REFUSED},
        {{"explain", ""}, "ok\nempty it is\n", "explain \n", "empty it is\n", "", EXIT_REFUSED},
        {{"explain", "a"}, "error no\n", "explain a\n", "", "no", EXIT_TROUBLE},
        {{"config"}, "ok\nPCT=90\n", "config\n", "PCT=90\n", "", EXIT_FINE},
        {{"watch", "a"},
         "ok\n1.2.3.4:5 a:1|c\ndropped: too slow\n",
         "watch a\n",
         "1.2.3.4:5 a:1|c\ndropped: too slow\n",
         "ended the watch",
         EXIT_TROUBLE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said said;

        run(rows[i].words, rows[i].answer, &said, rows[i].asked);
        ck_assert_msg(said.status == rows[i].status, "row %zu: %d", i, said.status);
        ck_assert_str_eq(said.out, rows[i].out);
        ck_assert_msg(strstr(said.err, rows[i].err) != NULL, "row %zu: %s", i, said.err);
        ck_assert_int_eq(said.err[0] == '\0', rows[i].err[0] == '\0');
    }
}
END_TEST

START_TEST(test_absent)
{
    static const char *const words[] = {"list", "--socket", "/nowhere/at/all", NULL};
    struct said said;

    command_run(words, &said);
    ck_assert_int_eq(said.status, EXIT_TROUBLE);
    ck_assert_ptr_nonnull(strstr(said.err, "no daemon answers at /nowhere/at/all"));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("queries");
    TCase *tcase = tcase_create("queries");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_answers);
    tcase_add_test(tcase, test_absent);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
