/*
 * check_fault: the list in the environment, who is struck and how, counted over several processes.
 */
#ifndef FAULTS
#define FAULTS
#endif
#include "base/fault.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static void
begin(const char *list)
{
    ck_assert_int_eq(setenv("PYSTATSD_FAULTS", list, 1), 0);
    fault_init();
}

/* What becomes of a process that passes the places, names with a blank behind each: 0, a signal's
 * number, or 1000 and its exit status. */
static int
pass(const char *places)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char copy[256], *name;

        for (name = strtok(strcpy(copy, places), " "); name != NULL; name = strtok(NULL, " "))
            fault_point(name);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    return WEXITSTATUS(status) == 0 ? 0 : 1000 + WEXITSTATUS(status);
}

START_TEST(test_nothing_to_do)
{
    unsetenv("PYSTATSD_FAULTS");
    fault_init();
    ck_assert_int_eq(pass("a b"), 0);
    begin("");
    ck_assert_int_eq(pass("a b"), 0);
}
END_TEST

START_TEST(test_ways_to_die)
{
    static const struct {
        const char *list;
        int want;
    } rows[] = {
        {"a:1", SIGKILL}, {"a!:1", SIGABRT}, {"a-:1", 1001}, {"b:1", 0}, {"aa:1", 0}, {"a:2", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(rows[i].list);
        ck_assert_int_eq(pass("x a x"), rows[i].want);
    }
}
END_TEST

START_TEST(test_endless_loop)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
    pid_t pid;
    int status;

    begin("a~:1");
    pid = fork();
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        setitimer(ITIMER_REAL, &soon, NULL);
        fault_point("a");
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
}
END_TEST

START_TEST(test_hits_of_all_processes)
{
    begin("a:5");
    ck_assert_int_eq(pass("a a b"), 0);
    ck_assert_int_eq(pass("a a b"), 0);
    ck_assert_int_eq(pass("b a b"), SIGKILL);
    ck_assert_int_eq(pass("a a a a a a a a a a"), 0);
}
END_TEST

START_TEST(test_one_after_another)
{
    begin("a:2,b-:1,a:1,a!:2");
    ck_assert_int_eq(pass("b b a"), 0);
    ck_assert_int_eq(pass("a"), SIGKILL);
    ck_assert_int_eq(pass("a a a a"), 0);
    ck_assert_int_eq(pass("b"), 1001);
    ck_assert_int_eq(pass("b b a"), SIGKILL);
    ck_assert_int_eq(pass("a"), 0);
    ck_assert_int_eq(pass("a"), SIGABRT);
    ck_assert_int_eq(pass("a a a b b b"), 0);
}
END_TEST

/* Of many that pass at once exactly one is struck. */
START_TEST(test_at_once)
{
    pid_t pids[8];
    int n_struck = 0, status, start[2];
    char byte;

    begin("a:5000");
    ck_assert_int_eq(pipe(start), 0);
    for (size_t i = 0; i < 8; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            close(start[1]);
            if (read(start[0], &byte, 1) != 0)
                _exit(1);
            for (int hit = 0; hit < 2000; hit++)
                fault_point("a");
            _exit(0);
        }
    }
    close(start[0]);
    close(start[1]);
    for (size_t i = 0; i < 8; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        n_struck += WIFSIGNALED(status);
    }
    ck_assert_int_eq(n_struck, 1);
}
END_TEST

START_TEST(test_lists_that_are_none)
{
    static const char *const rows[] = {
        "a",     "a:",   ":1",      "a:0",          "a:x",
        "a:1x",  "a:1,", ",",       "a:1,,",        ",a:1",
        "a 1",   "a:-1", "a:1;b:2", "a:4294967296", "!:",
        "a,b:1", "a::1", "a:1:",    "a: ",          "a:99999999999999999999",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
            close(STDERR_FILENO);
            setenv("PYSTATSD_FAULTS", rows[i], 1);
            fault_init();
            _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EX_USAGE, "\"%s\" is taken",
                      rows[i]);
    }
}
END_TEST

START_TEST(test_poison)
{
    static const struct {
        const char *poison, *text;
        int want;
    } rows[] = {
        {"bad:1|c", "bad:1|c", SIGABRT},
        {"bad:1|c", "bad:1|", 0},
        {"bad:1|c", "bad:1|cc", 0},
        {"bad:1|c", "", 0},
        {"", "", 0},
        {NULL, "bad:1|c", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pid_t pid;
        int status;

        unsetenv("PYSTATSD_POISON");
        if (rows[i].poison != NULL)
            setenv("PYSTATSD_POISON", rows[i].poison, 1);
        fault_init();
        pid = fork();
        if (pid == 0) {
            fault_poison(rows[i].text, strlen(rows[i].text));
            _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(WIFSIGNALED(status) ? WTERMSIG(status) : 0, rows[i].want);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("fault");
    TCase *tcase = tcase_create("fault");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_nothing_to_do);
    tcase_add_test(tcase, test_ways_to_die);
    tcase_add_test(tcase, test_endless_loop);
    tcase_add_test(tcase, test_hits_of_all_processes);
    tcase_add_test(tcase, test_one_after_another);
    tcase_add_test(tcase, test_at_once);
    tcase_add_test(tcase, test_lists_that_are_none);
    tcase_add_test(tcase, test_poison);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
