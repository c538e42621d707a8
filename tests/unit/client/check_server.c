/*
 * check_server: how the server is run, with a shell script in its place that writes down what it
 * was given.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/pystatsd.h"

static char place[32], script[64], output[64], own_path[PATH_MAX];

static void
make_place(void)
{
    strcpy(place, "/tmp/check_server-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(place));
    snprintf(script, sizeof(script), "%s/server", place);
    snprintf(output, sizeof(output), "%s/output", place);
    setenv("PYSTATSD_SERVER", script, 1);
}

static void
remove_place(void)
{
    unlink(script);
    unlink(output);
    rmdir(place);
}

/* What stands in for the server; $O is where it writes. */
static void
write_script(const char *text)
{
    FILE *file = fopen(script, "w");

    ck_assert_ptr_nonnull(file);
    fprintf(file, "#!/bin/sh\nO=%s\n%s\n", output, text);
    ck_assert_int_eq(fchmod(fileno(file), 0755), 0);
    fclose(file);
}

static const char *
written(void)
{
    static char text[8192];
    FILE *file = fopen(output, "r");
    size_t len = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (file != NULL)
        fclose(file);
    text[len] = '\0';
    return text;
}

static const char list_arguments[] = "printf '%s\\n' \"$@\" >$O";

START_TEST(test_zeroed_options_are_no_settings)
{
    struct pystatsd_server_options options = {0};

    write_script(list_arguments);
    ck_assert_int_eq(pystatsd_server_run(&options), 0);
    ck_assert_str_eq(written(), "--config\n/dev/null\n");
}
END_TEST

START_TEST(test_no_options)
{
    struct pystatsd_server_options later = {.reserved = {[3] = script}};

    write_script(list_arguments);
    ck_assert_int_eq(pystatsd_server_run(NULL), 0);
    ck_assert_str_eq(written(), "--config\n/dev/null\n");
    unlink(output);
    ck_assert_int_eq(pystatsd_server_run(&later), -EINVAL);
    ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(test_every_option_is_a_setting)
{
    const struct pystatsd_server_options options = {
        .hostname = "127.0.0.1",
        .port = 8126,
        .pct_threshold = "50,99.9",
        .debug = 1,
        .transport = "ganglia",
        .ganglia_host = "gh",
        .ganglia_port = 1,
        .ganglia_spoof_host = "a:b",
        .ganglia_max_length = 2,
        .gmetric_exec = "/g m",
        .gmetric_options = "-d 3",
        .graphite_host = "--stop",
        .graphite_port = 2004,
        .global_prefix = "",
        .flush_interval = 1000,
        .no_aggregate_counters = 1,
        .counters_prefix = "c",
        .timers_prefix = "t",
        .expire = 60,
    };

    write_script(list_arguments);
    ck_assert_int_eq(pystatsd_server_run(&options), 0);
    ck_assert_str_eq(written(), "--config\n/dev/null\n--debug\n"
                                "--set\nLISTEN_ADDRESS=127.0.0.1\n"
                                "--set\nLOCAL_PYSTATD_PORT=8126\n"
                                "--set\nPCT=50,99.9\n"
                                "--set\nTRANSPORT=ganglia\n"
                                "--set\nGANGLIA_HOST=gh\n"
                                "--set\nGANGLIA_PORT=1\n"
                                "--set\nGANGLIA_SPOOF_HOST=a:b\n"
                                "--set\nGANGLIA_MAX_LENGTH=2\n"
                                "--set\nGMETRIC_EXEC=/g m\n"
                                "--set\nGMETRIC_OPTIONS=-d 3\n"
                                "--set\nGRAPHITE_HOST=--stop\n"
                                "--set\nGRAPHITE_PORT=2004\n"
                                "--set\nGLOBAL_PREFIX=\n"
                                "--set\nFLUSH_INTERVAL=1000\n"
                                "--set\nAGGREGATE_COUNTERS=no\n"
                                "--set\nCOUNTERS_PREFIX=c\n"
                                "--set\nTIMERS_PREFIX=t\n"
                                "--set\nEXPIRE=60\n");
}
END_TEST

/* Their defaults are given to every py-statsd Server, whatever its transport. */
START_TEST(test_ganglia_s_are_ganglia_s)
{
    static const char *const transports[] = {NULL, "graphite", "none"};
    struct pystatsd_server_options options = {
        .ganglia_host = "gh",
        .ganglia_port = 1,
        .ganglia_spoof_host = "a:b",
        .ganglia_max_length = 2,
        .gmetric_exec = "/g",
        .gmetric_options = "-d 3",
    };
    char expected[64] = "--config\n/dev/null\n";

    options.transport = transports[_i];
    if (transports[_i] != NULL)
        snprintf(expected, sizeof(expected), "--config\n/dev/null\n--set\nTRANSPORT=%s\n",
                 transports[_i]);
    write_script(list_arguments);
    ck_assert_int_eq(pystatsd_server_run(&options), 0);
    ck_assert_str_eq(written(), expected);
}
END_TEST

START_TEST(test_how_it_ended)
{
    static const struct {
        const char *script;
        int result;
    } cases[] = {
        {"exit 0", 0},
        {"exit 1", 1},
        {"exit 78", 78},
        {"kill -KILL $$", 128 + SIGKILL},
    };
    struct pystatsd_server_options options = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_script(cases[i].script);
        ck_assert_int_eq(pystatsd_server_run(&options), cases[i].result);
    }
}
END_TEST

START_TEST(test_no_program)
{
    struct pystatsd_server_options options = {0};

    ck_assert_int_eq(pystatsd_server_run(&options), -ENOENT);
    write_script("exit 0");
    ck_assert_int_eq(chmod(script, 0644), 0);
    ck_assert_int_eq(pystatsd_server_run(&options), -EACCES);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD); /* nobody was left behind */
}
END_TEST

/* Handlers, masks and what is ignored are the application's, and so is its service manager. */
START_TEST(test_takes_nothing_over)
{
    struct pystatsd_server_options options = {0};
    unsigned long long n_blocked, n_ignored;
    sigset_t blocked, after;
    char rest[64] = "";

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    setenv("NOTIFY_SOCKET", "/x", 1);
    setenv("WATCHDOG_USEC", "1", 1);
    setenv("WATCHDOG_PID", "1", 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", "1", 1);
    setenv("KEPT", "yes", 1);
    write_script("{ grep -E '^Sig(Blk|Ign)' /proc/self/status; env | grep -cE "
                 "'^(NOTIFY|WATCHDOG|LISTEN)'; echo $KEPT; } >$O");
    ck_assert_int_eq(pystatsd_server_run(&options), 0);
    ck_assert_int_eq(
        sscanf(written(), "SigBlk: %llx SigIgn: %llx %63c", &n_blocked, &n_ignored, rest), 3);
    ck_assert_uint_eq(n_blocked, 0);
    /* Those between SIGSYS and SIGRTMIN are libc's: as this process was started with them. */
    ck_assert_uint_eq(n_ignored & ~(3ull << 31), 0);
    ck_assert_str_eq(rest, "0\nyes\n");
    sigprocmask(SIG_SETMASK, NULL, &after);
    ck_assert(sigismember(&after, SIGUSR1) && !sigismember(&after, SIGTERM));
    ck_assert_ptr_eq(signal(SIGPIPE, SIG_DFL), SIG_IGN);
}
END_TEST

/* How many signals the calling process has blocked. */
static int
count_blocked(void)
{
    sigset_t blocked;
    int n = 0;

    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < NSIG; number++)
        n += sigismember(&blocked, number) == 1;
    return n;
}

static int *blocked_at_fork; /* shared with children */

static void
note_blocked(void)
{
    *blocked_at_fork = count_blocked();
}

/* All of them while the application's handlers are in place, none of them in the server. A shell
 * would clear them itself; so it is this program that is run, see main. */
START_TEST(test_blocked_signals)
{
    sigset_t blocked;

    blocked_at_fork = mmap(NULL, sizeof(*blocked_at_fork), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(blocked_at_fork, MAP_FAILED);
    ck_assert_int_eq(pthread_atfork(NULL, NULL, note_blocked), 0);
    setenv("PYSTATSD_SERVER", own_path, 1);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    ck_assert_int_eq(pystatsd_server_run(NULL), 0);
    ck_assert_int_ge(*blocked_at_fork, 55); /* but SIGKILL, SIGSTOP, and what is libc's */
    ck_assert_int_eq(count_blocked(), 1);
    munmap(blocked_at_fork, sizeof(*blocked_at_fork));
}
END_TEST

/* The descriptors of this process. */
static int
count_descriptors(void)
{
    DIR *listing = opendir("/proc/self/fd");
    int n = 0;

    ck_assert_ptr_nonnull(listing);
    while (readdir(listing) != NULL)
        n++;
    closedir(listing);
    return n;
}

START_TEST(test_no_descriptor_stays)
{
    int before = count_descriptors();

    ck_assert_int_eq(pystatsd_server_run(NULL), -ENOENT);
    ck_assert_int_eq(count_descriptors(), before);
    write_script("exit 0");
    ck_assert_int_eq(pystatsd_server_run(NULL), 0);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

static const char until_term[] = "trap 'echo asked >$O; exit 0' TERM\n"
                                 "echo up >$O\n"
                                 "while :; do sleep 0.01; done";

static int
stop_when_up(void *calls)
{
    ++*(int *)calls;
    ck_assert_int_eq(count_blocked(), 0); /* they are the caller's */
    return strcmp(written(), "up\n") == 0;
}

START_TEST(test_stop_ends_it)
{
    int calls = 0;
    struct pystatsd_server_options options = {.stop = stop_when_up, .stop_with = &calls};

    write_script(until_term);
    ck_assert_int_eq(pystatsd_server_run(&options), 0);
    ck_assert_str_eq(written(), "asked\n");
    ck_assert_int_ge(calls, 1);
}
END_TEST

static void
on_alarm(int number)
{
    (void)number;
}

/* Without a stop an interruption is one, also where other calls would go on. */
START_TEST(test_a_caught_signal_ends_it)
{
    struct pystatsd_server_options options = {0};
    struct itimerval soon = {.it_value.tv_usec = 300000};
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

    sigaction(SIGALRM, &action, NULL);
    write_script(until_term);
    setitimer(ITIMER_REAL, &soon, NULL);
    ck_assert_int_eq(pystatsd_server_run(&options), 0);
}
END_TEST

static void
raise_alarm(void)
{
    raise(SIGALRM);
}

/* As early as can be, before there is a process; it may end before it listens, by the signal. */
START_TEST(test_a_signal_while_it_starts)
{
    struct sigaction action = {.sa_handler = on_alarm};

    sigaction(SIGALRM, &action, NULL);
    ck_assert_int_eq(pthread_atfork(raise_alarm, NULL, NULL), 0);
    write_script(until_term);
    ck_assert_int_eq(pystatsd_server_run(NULL), 0);
    ck_assert_int_eq(count_blocked(), 0);
}
END_TEST

static pid_t bystander;

/* As another thread's fork would do, whose child takes its time. */
static void
fork_beside(void)
{
    bystander = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    while (bystander == 0)
        pause();
}

static int
always(void *unused)
{
    (void)unused;
    return 1;
}

/* It has all that was open. */
START_TEST(test_a_fork_beside_is_not_waited_for)
{
    struct pystatsd_server_options options = {.stop = always};

    ck_assert_int_eq(pthread_atfork(fork_beside, NULL, NULL), 0);
    write_script(until_term);
    ck_assert_int_eq(pystatsd_server_run(&options), 0);
    ck_assert_int_gt(bystander, 0);
    kill(bystander, SIGKILL);
    ck_assert_int_eq(waitpid(bystander, NULL, 0), bystander);
}
END_TEST

static int
never(void *unused)
{
    (void)unused;
    return 0;
}

/* With one, it decides. */
START_TEST(test_a_caught_signal_is_none_of_stop_s)
{
    struct pystatsd_server_options options = {.stop = never};
    struct itimerval soon = {.it_value.tv_usec = 1000, .it_interval.tv_usec = 1000};

    signal(SIGALRM, on_alarm);
    write_script("sleep 0.3; echo slept >$O");
    setitimer(ITIMER_REAL, &soon, NULL);
    ck_assert_int_eq(pystatsd_server_run(&options), 0);
    ck_assert_str_eq(written(), "slept\n");
}
END_TEST

START_TEST(test_somebody_else_reaps)
{
    struct pystatsd_server_options options = {0};

    signal(SIGCHLD, SIG_IGN);
    write_script("echo ran >$O; exit 3");
    ck_assert_int_eq(pystatsd_server_run(&options), -ECHILD);
    ck_assert_str_eq(written(), "ran\n");
}
END_TEST

/* Whoever is asked may not be; a caller that is killed cannot ask. */
START_TEST(test_ends_with_its_caller)
{
    struct pystatsd_server_options options = {0};
    pid_t pid;

    write_script(until_term);
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(pystatsd_server_run(&options));
    while (strcmp(written(), "up\n") != 0)
        usleep(1000);
    kill(pid, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ; /* the caller, and the script as an orphan: it would never end by itself */
    ck_assert_str_eq(written(), "asked\n");
}
END_TEST

int
main(int argc, char **argv)
{
    Suite *suite;
    TCase *tcase;
    SRunner *runner;
    int failed;

    if (argc > 1 && strcmp(argv[1], "--config") == 0)
        return count_blocked();
    if (realpath(argv[0], own_path) == NULL)
        return 1;
    suite = suite_create("server");
    tcase = tcase_create("server");
    tcase_add_checked_fixture(tcase, make_place, remove_place);
    tcase_add_test(tcase, test_zeroed_options_are_no_settings);
    tcase_add_test(tcase, test_no_options);
    tcase_add_test(tcase, test_every_option_is_a_setting);
    tcase_add_loop_test(tcase, test_ganglia_s_are_ganglia_s, 0, 3);
    tcase_add_test(tcase, test_how_it_ended);
    tcase_add_test(tcase, test_no_program);
    tcase_add_test(tcase, test_takes_nothing_over);
    tcase_add_test(tcase, test_blocked_signals);
    tcase_add_test(tcase, test_no_descriptor_stays);
    tcase_add_test(tcase, test_stop_ends_it);
    tcase_add_test(tcase, test_a_caught_signal_ends_it);
    tcase_add_test(tcase, test_a_signal_while_it_starts);
    tcase_add_test(tcase, test_a_fork_beside_is_not_waited_for);
    tcase_add_test(tcase, test_a_caught_signal_is_none_of_stop_s);
    tcase_add_test(tcase, test_somebody_else_reaps);
    tcase_add_test(tcase, test_ends_with_its_caller);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
