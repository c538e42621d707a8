/*
 * check_stopwatch: a command run, its exit status and its time.
 */
#include <check.h>
#include <signal.h>
#include <sys/stat.h>

#include "cli/stopwatch.h"
#include "command.h"

START_TEST(test_status)
{
    static const struct {
        const char *words[4];
        int status;
        bool was_run;
    } rows[] = {
        {{"true"}, 0, true},
        {{"sh", "-c", "exit 7"}, 7, true},
        {{"sh", "-c", "kill -9 $$"}, 128 + SIGKILL, true},
        {{"sh", "-c", "kill -TERM $$"}, 128 + SIGTERM, true},
        {{"/nowhere/at/all"}, 127, false},
        {{"/etc"}, 126, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *argv[4];
        double ms = 0;

        for (size_t j = 0; j < 4; j++)
            argv[j] = rows[i].words[j] != NULL ? strdup(rows[i].words[j]) : NULL;
        ck_assert_int_eq(stopwatch_run(argv, &ms), rows[i].status);
        ck_assert_int_eq(ms >= 0, rows[i].was_run);
        for (size_t j = 0; j < 4; j++)
            free(argv[j]);
    }
}
END_TEST

START_TEST(test_time)
{
    char *argv[] = {strdup("sleep"), strdup("0.05"), NULL};
    double ms = 0;

    ck_assert_int_eq(stopwatch_run(argv, &ms), 0);
    ck_assert(ms >= 50 && ms < 20000);
    free(argv[0]);
    free(argv[1]);
}
END_TEST

/* What we are sent is handed on, and we live. */
START_TEST(test_signals_of_the_child)
{
    const int signals[] = {SIGTERM, SIGHUP,  SIGINT,  SIGQUIT,  SIGUSR1,
                           SIGUSR2, SIGALRM, SIGPROF, SIGRTMIN, SIGRTMAX};
    char text[64], *argv[] = {strdup("sh"), strdup("-c"), text, NULL};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        double ms = 0;

        signal(signals[i], SIG_DFL); /* what runs in the background ignores some of them */
        snprintf(text, sizeof(text), "kill -%d $PPID; exec sleep 20", signals[i]);
        ck_assert_int_eq(stopwatch_run(argv, &ms), 128 + signals[i]);
    }
    free(argv[0]);
    free(argv[1]);
}
END_TEST

/* Whoever ignores SIGCHLD is not told of an end, and what is ignored is inherited. */
START_TEST(test_children_are_ignored)
{
    char *argv[] = {strdup("grep"), strdup("-q"), strdup("^SigIgn:.*[13579bdf]....$"),
                    strdup("/proc/self/status"), NULL};
    double ms = 0;

    ck_assert_int_eq(stopwatch_run(argv, &ms), 1);
    signal(SIGCHLD, SIG_IGN);
    ck_assert_int_eq(stopwatch_run(argv, &ms), 0);
    ck_assert_ptr_eq(signal(SIGCHLD, SIG_DFL), SIG_IGN);
    for (size_t i = 0; i < 4; i++)
        free(argv[i]);
}
END_TEST

START_TEST(test_script_of_no_interpreter)
{
    char path[] = "/tmp/pystatsd-check-XXXXXX", *argv[] = {path, strdup("6"), NULL};
    int fd = mkstemp(path);
    double ms = 0;

    ck_assert_int_eq(write(fd, "exit $1\n", 8), 8);
    ck_assert_int_eq(fchmod(fd, 0700), 0);
    close(fd);
    ck_assert_int_eq(stopwatch_run(argv, &ms), 6);
    ck_assert(ms >= 0);
    unlink(path);
    free(argv[1]);
}
END_TEST

START_TEST(test_sample)
{
    char port[8], bytes[2048];
    const char *words[] = {"time", "--host", "127.0.0.1", "--port", port,
                           "t",    "sh",     "-c",        "exit 3", NULL};
    int fd = command_receiver(port);
    struct said said;

    command_run(words, &said);
    ck_assert_int_eq(said.status, 3);
    command_receive(fd, bytes);
    ck_assert_int_eq(strncmp(bytes, "t:", 2), 0);
    ck_assert_ptr_nonnull(strstr(bytes, "|ms"));
    close(fd);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("stopwatch");
    TCase *tcase = tcase_create("stopwatch");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_status);
    tcase_add_test(tcase, test_time);
    tcase_add_test(tcase, test_signals_of_the_child);
    tcase_add_test(tcase, test_children_are_ignored);
    tcase_add_test(tcase, test_script_of_no_interpreter);
    tcase_add_test(tcase, test_sample);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
