/*
 * stopwatch: owns the child of `time`.
 */
#include "cli/stopwatch.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/emit.h"
#include "cli/options.h"
#include "cli/say.h"

/* With our signals blocked; it gets those that we were given. */
static int
spawn(char *const argv[], const sigset_t *original, pid_t *out)
{
    posix_spawnattr_t attributes;
    int error = posix_spawnattr_init(&attributes);

    if (error != 0)
        return error;
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, original);
    error = posix_spawnp(out, argv[0], NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* A terminal's ^C and ^\ reach the child as well as us; it decides. What was sent to us alone is
 * meant for it, too. */
static int
wait_for(pid_t pid, const sigset_t *signals)
{
    siginfo_t info;
    int status;

    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);

        if (ended == pid)
            break;
        if (ended < 0)
            return 126;
        if (sigwaitinfo(signals, &info) < 0)
            continue;
        if (info.si_signo == SIGTERM || info.si_signo == SIGHUP)
            kill(pid, info.si_signo);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int
stopwatch_run(char *const argv[], double *out_ms)
{
    static const int caught[] = {SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP};
    sigset_t signals, original;
    double start_ms;
    int error, status;
    pid_t pid;

    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        sigaddset(&signals, caught[i]);
    sigprocmask(SIG_BLOCK, &signals, &original);
    start_ms = pystatsd_now_ms();
    error = spawn(argv, &original, &pid);
    *out_ms = -1;
    if (error == 0) {
        status = wait_for(pid, &signals);
        *out_ms = pystatsd_now_ms() - start_ms;
    } else {
        say_error("%s: %s", argv[0], strerror(error));
        status = error == ENOENT ? 127 : 126;
    }
    sigprocmask(SIG_SETMASK, &original, NULL);
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
