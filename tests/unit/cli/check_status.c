/*
 * check_status: the three forms, and the exit status of each.
 */
#include <check.h>
#include <string.h>

#include "cli/status.h"
#include "command.h"

static void
run(const char *flag, const char *answer, struct said *said)
{
    const char *answers[] = {answer, NULL};
    struct daemon daemon;
    char heard[4096];

    daemon_start(&daemon, answers);
    command_run((const char *const[]){"status", "--socket", daemon.path, flag, NULL}, said);
    daemon_end(&daemon, heard);
    ck_assert_str_eq(heard, "status\n");
}

START_TEST(test_forms)
{
    static const struct {
        const char *flag, *answer, *out, *err;
        int status;
    } rows[] = {
        {NULL, "ok\nversion 1\nstate ok\n", "pystatsd 1 is ok", "", 0},
        {"--json", "ok\nversion 1\nnow 7\n", "{\n  \"version\": \"1\",\n  \"now\": 7,\n", "", 0},
        {"--check", "ok\nversion 1\nstate ok\n", "OK - ", "", 0},
        {"--check", "ok\nstate warning\nproblem x\n", "WARNING - x", "", 1},
        {"--check", "ok\nstate critical\nproblem x\n", "CRITICAL - x", "", 2},
        {"--check", "ok\n", "UNKNOWN - ", "", 3},
        {"--check", "error busy\n", "UNKNOWN - busy\n", "", 3},
        {"--check", "SSH-2.0\n", "UNKNOWN - what answers", "", 3},
        {"--check", "", "CRITICAL - ", "", 2},
        {NULL, "ok\n", "", "makes no sense", 1},
        {NULL, "error busy\n", "", "busy", 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said said;

        run(rows[i].flag, rows[i].answer, &said);
        ck_assert_msg(said.status == rows[i].status, "row %zu: %d", i, said.status);
        ck_assert_msg(strstr(said.out, rows[i].out) == said.out, "row %zu: %s", i, said.out);
        ck_assert_msg(strstr(said.err, rows[i].err) != NULL, "row %zu: %s", i, said.err);
        ck_assert_int_eq(said.err[0] == '\0', rows[i].err[0] == '\0');
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("status");
    TCase *tcase = tcase_create("status");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_forms);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
