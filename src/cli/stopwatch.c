/*
 * stopwatch: owns the child of `time`, and the signals between us and it.
 */
#include "cli/stopwatch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/emit.h"
#include "cli/options.h"
#include "cli/say.h"

#define STATUS_NOT_RUN   126
#define STATUS_NOT_FOUND 127

/* Ours, as we were given it: what the command gets. */
struct original {
    sigset_t blocked;
    struct sigaction on_child;
};

/* Those that would end us, and leave the command behind. */
static void
fill_signals(sigset_t *out)
{
    static const int numbers[] = {SIGCHLD, SIGHUP,  SIGINT,    SIGQUIT, SIGTERM, SIGUSR1,
                                  SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR};

    sigemptyset(out);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(out, numbers[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        sigaddset(out, number);
}

/* execvp, other than posix_spawnp, gives a script without #! to sh, as a shell does. */
static _Noreturn void
become(char *const argv[], const struct original *original, int report_fd)
{
    int error;

    sigaction(SIGCHLD, &original->on_child, NULL);
    sigprocmask(SIG_SETMASK, &original->blocked, NULL);
    execvp(argv[0], argv);
    error = errno;
    if (write(report_fd, &error, sizeof(error)) < 0)
        _exit(STATUS_NOT_RUN);
    _exit(STATUS_NOT_RUN);
}

/* The end of the pipe says that the command runs, an errno in it why it does not. */
static int
read_report(int fd)
{
    int error = 0;
    ssize_t n;

    do {
        n = read(fd, &error, sizeof(error));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(error) ? error : 0;
}

/* Returns 0 and the pid of what runs, or an errno. */
static int
start(char *const argv[], const struct original *original, pid_t *out)
{
    int report[2], error;

    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    *out = fork();
    error = errno;
    if (*out == 0)
        become(argv, original, report[1]);
    close(report[1]);
    if (*out > 0)
        error = read_report(report[0]);
    close(report[0]);
    if (*out > 0 && error != 0)
        waitpid(*out, NULL, 0);
    return error;
}

/* A terminal's ^C and ^\ reach the command as well as us; it decides. What a process has sent to us
 * is meant for it, and so is the end of a terminal, of which only one may be told. */
static bool
is_for_child(const siginfo_t *info)
{
    if (info->si_signo == SIGCHLD)
        return false;
    return info->si_code <= 0 || (info->si_signo != SIGINT && info->si_signo != SIGQUIT);
}

static int
wait_for(pid_t pid, const sigset_t *signals)
{
    siginfo_t info;
    int status;

    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);

        if (ended == pid)
            break;
        if (ended < 0) {
            say_error("how the command ended cannot be told: %s", strerror(errno));
            return STATUS_NOT_RUN;
        }
        if (sigwaitinfo(signals, &info) > 0 && is_for_child(&info))
            kill(pid, info.si_signo);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
stopwatch_run(char *const argv[], double *out_ms)
{
    /* Who ignores it, which may have been inherited, is not told of children. */
    struct sigaction usual = {.sa_handler = SIG_DFL};
    struct original original;
    sigset_t signals;
    double start_ms;
    int error, status;
    pid_t pid = -1;

    fill_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, &original.blocked);
    sigaction(SIGCHLD, &usual, &original.on_child);
    start_ms = pystatsd_now_ms();
    error = start(argv, &original, &pid);
    *out_ms = -1;
    if (error == 0) {
        status = wait_for(pid, &signals);
        *out_ms = pystatsd_now_ms() - start_ms;
    } else {
        say_error("%s: %s", argv[0], strerror(error));
        status = error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
    }
    sigaction(SIGCHLD, &original.on_child, NULL);
    sigprocmask(SIG_SETMASK, &original.blocked, NULL);
    return status;
}

int
stopwatch_command(const struct options *options)
{
    struct pystatsd_client *client;
    int status, error;
    double ms;

    status = stopwatch_run(options->operands + 1, &ms);
    if (ms < 0 || emit_open(options, 0, &client) != 0)
        return status;
    error = pystatsd_timing(client, options->operands[0], ms, options->sample_rate);
    if (error != 0)
        emit_complain(options, error);
    pystatsd_client_free(client);
    return status;
}
