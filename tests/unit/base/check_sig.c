/*
 * check_sig: signals as bytes of a descriptor, and the clean slate of a new child.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sig.h"

static const int signals[] = {SIGTERM, SIGHUP, SIGUSR1};

static void
on_signal(int number)
{
    (void)number;
}

static bool
is_blocked(int number)
{
    sigset_t set;

    ck_assert_int_eq(sigprocmask(SIG_SETMASK, NULL, &set), 0);
    return sigismember(&set, number) == 1;
}

START_TEST(test_signals_are_read)
{
    int fd = sig_open(signals, 3);
    int first, second;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(sig_next(fd), 0);
    ck_assert_int_eq(raise(SIGHUP), 0);
    ck_assert_int_eq(raise(SIGTERM), 0);
    first = sig_next(fd);
    second = sig_next(fd);
    ck_assert((first == SIGHUP && second == SIGTERM) || (first == SIGTERM && second == SIGHUP));
    ck_assert_int_eq(sig_next(fd), 0);
    close(fd);
}
END_TEST

START_TEST(test_descriptor_and_mask)
{
    int fd = sig_open(signals, 2);

    ck_assert_int_ge(fd, 0);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert(is_blocked(SIGTERM));
    ck_assert(is_blocked(SIGHUP));
    ck_assert(!is_blocked(SIGUSR1));
    close(fd);
}
END_TEST

START_TEST(test_failure_leaves_the_mask)
{
    const int with_bad[] = {SIGUSR1, 12345};

    ck_assert_int_eq(sig_open(with_bad, 2), -EINVAL);
    ck_assert(!is_blocked(SIGUSR1));
}
END_TEST

START_TEST(test_next_of_a_bad_descriptor)
{
    int ends[2];

    ck_assert_int_eq(sig_next(-1), -EBADF);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    ck_assert_int_eq(sig_next(ends[0]), -EIO);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(test_reset_gives_defaults)
{
    static const int reset[] = {SIGPIPE, SIGUSR1, SIGCHLD, SIGTERM};
    int fd = sig_open(signals, 3);
    struct sigaction action;

    ck_assert_int_ge(fd, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, on_signal);
    signal(SIGRTMAX, on_signal);
    sig_reset(NULL, 0);
    for (size_t i = 0; i < sizeof(reset) / sizeof(reset[0]); i++) {
        ck_assert_int_eq(sigaction(reset[i], NULL, &action), 0);
        ck_assert(action.sa_handler == SIG_DFL);
        ck_assert(!is_blocked(reset[i]));
    }
    ck_assert_int_eq(sigaction(SIGRTMAX, NULL, &action), 0);
    ck_assert(action.sa_handler == SIG_DFL);
    close(fd);
}
END_TEST

START_TEST(test_reset_keeps_blocked)
{
    static const int kept[] = {SIGTERM};
    int fd = sig_open(signals, 3);

    ck_assert_int_ge(fd, 0);
    sig_reset(kept, 1);
    ck_assert(is_blocked(SIGTERM));
    ck_assert(!is_blocked(SIGCHLD));
    ck_assert(!is_blocked(SIGUSR1));
    close(fd);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sig");
    TCase *tcase = tcase_create("sig");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_signals_are_read);
    tcase_add_test(tcase, test_descriptor_and_mask);
    tcase_add_test(tcase, test_failure_leaves_the_mask);
    tcase_add_test(tcase, test_next_of_a_bad_descriptor);
    tcase_add_test(tcase, test_reset_gives_defaults);
    tcase_add_test(tcase, test_reset_keeps_blocked);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
