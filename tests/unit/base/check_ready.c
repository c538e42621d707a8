/*
 * check_ready: what arrives, and where stdout and stderr lead behind it.
 */
#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ready.h"

static bool
is_same_file(int a, int b)
{
    struct stat stat_a, stat_b;

    return fstat(a, &stat_a) == 0 && fstat(b, &stat_b) == 0 && stat_a.st_dev == stat_b.st_dev &&
           stat_a.st_ino == stat_b.st_ino;
}

/* Runs ready_tell in a child whose stdin is /dev/null and whose stdout and stderr are out. */
static int
run(int fd, int out, bool detach)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        printf("said before");
        ready_tell(fd, detach);
        if (fd >= 0 && fcntl(fd, F_GETFD) != -1)
            _exit(1);
        _exit(is_same_file(STDOUT_FILENO, detach ? null : out) &&
                      is_same_file(STDERR_FILENO, detach ? null : out)
                  ? 0
                  : 2);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(test_tell)
{
    int ready[2], out[2];
    char text[32];

    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(out), 0);
    ck_assert_int_eq(run(ready[1], out[1], _i != 0), 0);
    close(ready[1]);
    close(out[1]);
    /* One byte, and what was printed before is not lost with the terminal. */
    ck_assert_int_eq(read(ready[0], text, sizeof(text)), 1);
    if (_i != 0)
        ck_assert_int_eq(read(out[0], text, sizeof(text)), 11);
    close(ready[0]);
    close(out[0]);
}
END_TEST

START_TEST(test_nobody_waits)
{
    int out[2];

    ck_assert_int_eq(pipe(out), 0);
    ck_assert_int_eq(run(-1, out[1], _i != 0), 0);
    close(out[0]);
    close(out[1]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ready");
    TCase *tcase = tcase_create("ready");
    SRunner *runner;
    int n_failed;

    tcase_add_loop_test(tcase, test_tell, 0, 2);
    tcase_add_loop_test(tcase, test_nobody_waits, 0, 2);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
