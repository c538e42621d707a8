/*
 * check_emit: the bytes of each command that sends one sample.
 */
#include <check.h>
#include <string.h>

#include "cli/emit.h"
#include "command.h"

START_TEST(test_bytes)
{
    static const struct {
        const char *words[COMMAND_WORDS_MAX], *bytes;
    } rows[] = {
        {{"increment", "a.b"}, "a.b:1|c"},
        {{"increment", "a", "5"}, "a:5|c"},
        {{"increment", "a", "-5"}, "a:-5|c"},
        {{"increment", "a", "9007199254740991"}, "a:9007199254740991|c"},
        {{"increment", "a", "9007199254740992"}, "a:9007199254740992|c"},
        {{"increment", "a", "1e300"}, "a:1e+300|c"},
        {{"decrement", "a", "1e19"}, "a:-1e+19|c"},
        {{"decrement", "a"}, "a:-1|c"},
        {{"decrement", "a", "3"}, "a:-3|c"},
        {{"timing", "t", "320"}, "t:320.000000|ms"},
        {{"gauge", "g", "42.5"}, "g:42.500000|g"},
        {{"gauge", "g", "-3"}, "g:-3.000000|g"},
        {{"gauge", "g", "+1.5", "--delta"}, "g:+1.500000|g"},
        {{"gauge", "g", "-1.5", "--delta"}, "g:-1.500000|g"},
        {{"set", "s", "user 7"}, "s:user 7|s"},
        {{"increment", "a", "--prefix", "p.q"}, "p.q.a:1|c"},
        {{"increment", "a", "--tag", "x:1", "--tag", "y"}, "a:1|c|#x:1,y"},
    };
    char port[8], bytes[2048];
    int fd = command_receiver(port);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *words[COMMAND_WORDS_MAX + 5] = {"--host", "127.0.0.1", "--port", port};
        struct said said;

        memcpy(words + 4, rows[i].words, sizeof(rows[i].words));
        command_run(words, &said);
        ck_assert_msg(said.status == EXIT_FINE, "row %zu: %s", i, said.err);
        ck_assert_str_eq(said.err, "");
        command_receive(fd, bytes);
        ck_assert_str_eq(bytes, rows[i].bytes);
        command_receive(fd, bytes);
        ck_assert_str_eq(bytes, "");
    }
    close(fd);
}
END_TEST

START_TEST(test_errors)
{
    static const struct {
        const char *words[COMMAND_WORDS_MAX], *error;
        int status;
    } rows[] = {
        {{"increment", "a", "x"}, "expected a number, got 'x'", EXIT_USAGE},
        {{"timing", "a", ""}, "expected a number", EXIT_USAGE},
        {{"gauge", "a", "+1"}, "say --delta", EXIT_USAGE},
        {{"increment", "???"}, "nothing that can be sent", EXIT_TROUBLE},
        {{"set", "a", ""}, "nothing that can be sent", EXIT_TROUBLE},
        {{"increment", "a", "--unix", "/nowhere/at/all"},
         "/nowhere/at/all: No such file",
         EXIT_TROUBLE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said said;

        command_run(rows[i].words, &said);
        ck_assert_msg(strstr(said.err, rows[i].error) != NULL, "row %zu: %s", i, said.err);
        ck_assert_int_eq(said.status, rows[i].status);
        ck_assert_ptr_eq(strchr(said.err, '\n'), said.err + strlen(said.err) - 1);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("emit");
    TCase *tcase = tcase_create("emit");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_bytes);
    tcase_add_test(tcase, test_errors);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
