/*
 * check_spawn: what a new process is called, holds and does with signals, as it sees it itself.
 */
#include <bsd/unistd.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "master/spawn.h"

#define N_FDS 4

static const unsigned keepers[N_FDS] = {KEPT_BY_NONE, KEPT_BY_WORKER, KEPT_BY_SENDER,
                                        KEPT_BY_SENDER | KEPT_BY_RESOLVER};

/* As many ends of /dev/null, of different keepers. */
static void
hold_all(struct spawn_fds *fds, int held[N_FDS])
{
    for (int i = 0; i < N_FDS; i++) {
        held[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        spawn_hold(fds, held[i], keepers[i]);
    }
}

static bool
is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void
assert_exits(pid_t pid, int expected)
{
    int status;

    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), expected);
}

static const enum spawn_keeper each_keeper[] = {KEPT_BY_WORKER, KEPT_BY_SENDER, KEPT_BY_RESOLVER};

START_TEST(test_only_its_own_descriptors)
{
    struct spawn_fds fds = {.n = 0};
    int held[N_FDS], n_wrong = 0;
    pid_t pid;

    hold_all(&fds, held);
    pid = spawn(&fds, each_keeper[_i], "test", SIGTERM);
    if (pid == 0) {
        for (int i = 0; i < N_FDS; i++)
            n_wrong += is_open(held[i]) != ((keepers[i] & each_keeper[_i]) != 0);
        for (int stdio = STDIN_FILENO; stdio <= STDERR_FILENO; stdio++)
            n_wrong += !is_open(stdio);
        _exit(n_wrong);
    }
    assert_exits(pid, 0);
    for (int i = 0; i < N_FDS; i++)
        ck_assert(is_open(held[i]));
}
END_TEST

START_TEST(test_closed_is_struck_off)
{
    struct spawn_fds fds = {.n = 0};
    int held[N_FDS], first, none = -1, reused;
    pid_t pid;

    hold_all(&fds, held);
    first = held[0];
    spawn_close(&fds, &held[0]);
    spawn_close(&fds, &none);
    ck_assert_int_eq(held[0], -1);
    ck_assert_uint_eq(fds.n, N_FDS - 1);
    ck_assert(!is_open(first));
    /* Its number now is somebody else's, and none of ours to close. */
    reused = open("/dev/null", O_RDONLY);
    ck_assert_int_eq(reused, first);
    pid = spawn(&fds, KEPT_BY_WORKER, "test", SIGTERM);
    if (pid == 0)
        _exit(is_open(reused) && is_open(held[1]) && !is_open(held[2]) ? 0 : 1);
    assert_exits(pid, 0);
}
END_TEST

START_TEST(test_pipe)
{
    struct spawn_fds fds = {.n = 0};
    int read_end = -1, write_end = -1;
    char byte;

    ck_assert_int_eq(
        spawn_pipe(&fds, O_DIRECT, KEPT_BY_SENDER, KEPT_BY_WORKER, &read_end, &write_end), 0);
    ck_assert_uint_eq(fds.n, 2);
    ck_assert_uint_eq(fds.held[0].keepers, KEPT_BY_SENDER);
    ck_assert_uint_eq(fds.held[1].keepers, KEPT_BY_WORKER);
    ck_assert_int_eq(read(read_end, &byte, 1), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert(fcntl(write_end, F_GETFL) & O_DIRECT);
    ck_assert(fcntl(write_end, F_GETFD) & FD_CLOEXEC);
    spawn_close(&fds, &read_end);
    spawn_close(&fds, &write_end);
    ck_assert_uint_eq(fds.n, 0);
}
END_TEST

static const struct {
    const char *process;
    const char *comm;
} names[] = {
    {"worker", "pystatsd-worker"},
    {"sender", "pystatsd-sender"},
    {"resolver", "pystatsd-resolv"},
};

START_TEST(test_name)
{
    struct spawn_fds fds = {.n = 0};
    char comm[16] = "";
    pid_t pid = spawn(&fds, KEPT_BY_WORKER, names[_i].process, SIGTERM);

    if (pid == 0) {
        prctl(PR_GET_NAME, comm);
        _exit(strcmp(comm, names[_i].comm) != 0);
    }
    assert_exits(pid, 0);
}
END_TEST

static void
on_signal(int number)
{
    (void)number;
}

static bool
is_handled_by(int number, void (*handler)(int))
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == handler;
}

/* A request to stop waits until the child has seen to it; a resolver sees to none. */
static const struct {
    enum spawn_keeper keeper;
    bool blocked;
    int death;
} stops[] = {{KEPT_BY_WORKER, true, SIGKILL},
             {KEPT_BY_SENDER, true, SIGTERM},
             {KEPT_BY_RESOLVER, false, SIGTERM}};

START_TEST(test_signals)
{
    struct spawn_fds fds = {.n = 0};
    sigset_t set;
    int death = 0;
    pid_t pid;

    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGTERM, on_signal);
    pid = spawn(&fds, stops[_i].keeper, "test", stops[_i].death);
    if (pid == 0) {
        sigprocmask(SIG_BLOCK, NULL, &set);
        prctl(PR_GET_PDEATHSIG, &death);
        _exit(death == stops[_i].death && sigismember(&set, SIGTERM) == stops[_i].blocked &&
                      sigismember(&set, SIGINT) == stops[_i].blocked &&
                      !sigismember(&set, SIGCHLD) && is_handled_by(SIGTERM, SIG_DFL) &&
                      is_handled_by(SIGHUP, SIG_IGN) && is_handled_by(SIGPIPE, SIG_IGN)
                  ? 0
                  : 1);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    assert_exits(pid, 0);
}
END_TEST

int
main(int argc, char **argv, char **envp)
{
    Suite *suite = suite_create("spawn");
    TCase *tcase = tcase_create("spawn");
    SRunner *runner;
    int n_failed;

    setproctitle_init(argc, argv, envp);
    log_init(LOG_TO_STDERR, LOG_ERR);
    tcase_add_loop_test(tcase, test_only_its_own_descriptors, 0,
                        sizeof(each_keeper) / sizeof(each_keeper[0]));
    tcase_add_test(tcase, test_closed_is_struck_off);
    tcase_add_test(tcase, test_pipe);
    tcase_add_loop_test(tcase, test_name, 0, sizeof(names) / sizeof(names[0]));
    tcase_add_loop_test(tcase, test_signals, 0, sizeof(stops) / sizeof(stops[0]));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
