/*
 * server: owns the way from an application to a pystatsd-server of its own: the command line, the
 * process and its end. Must not know what a server does.
 *
 * The server is several processes with signals and reaping of their own, which has no place in
 * somebody else's process. So it is the installed program that runs, as a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/client.h"

#define ASK_EVERY_MS 200 /* how late a stop may be noticed */
#define WORDS_MAX    48

extern char **environ;

struct command {
    char *words[WORDS_MAX];
    size_t n;
    char **environment; /* borrows its texts */
    int error;          /* the first one, 0 or -errno */
};

/* ---- what is run */

static void
add_word(struct command *command, const char *word)
{
    char *copy = strdup(word);

    if (copy == NULL)
        command->error = -ENOMEM;
    else
        command->words[command->n++] = copy;
}

/* All as settings: no value can be taken for a flag then. */
static void
add_text(struct command *command, const char *key, const char *value)
{
    char *pair;

    if (value == NULL)
        return;
    add_word(command, "--set");
    if (asprintf(&pair, "%s=%s", key, value) < 0)
        command->error = -ENOMEM;
    else
        command->words[command->n++] = pair;
}

static void
add_number(struct command *command, const char *key, unsigned long value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lu", value);
    add_text(command, key, value != 0 ? text : NULL);
}

/* As py-statsd's Server, whose callers may give them whatever the transport. */
static void
add_ganglia(struct command *command, const struct pystatsd_server_options *options)
{
    if (options->transport == NULL || strncmp(options->transport, "ganglia", 7) != 0)
        return;
    add_text(command, "GANGLIA_HOST", options->ganglia_host);
    add_number(command, "GANGLIA_PORT", options->ganglia_port);
    add_text(command, "GANGLIA_SPOOF_HOST", options->ganglia_spoof_host);
    add_number(command, "GANGLIA_MAX_LENGTH", options->ganglia_max_length);
    add_text(command, "GMETRIC_EXEC", options->gmetric_exec);
    add_text(command, "GMETRIC_OPTIONS", options->gmetric_options);
}

/* The settings of a service on this machine are not those of an application. */
static void
add_words(struct command *command, const struct pystatsd_server_options *options)
{
    const char *program = secure_getenv("PYSTATSD_SERVER");

    add_word(command, program != NULL ? program : SERVER_PATH);
    add_word(command, "--config");
    add_word(command, "/dev/null");
    if (options->debug)
        add_word(command, "--debug");
    add_text(command, "LISTEN_ADDRESS", options->hostname);
    add_number(command, "LOCAL_PYSTATD_PORT", options->port);
    add_text(command, "PCT", options->pct_threshold);
    add_text(command, "TRANSPORT", options->transport);
    add_ganglia(command, options);
    add_text(command, "GRAPHITE_HOST", options->graphite_host);
    add_number(command, "GRAPHITE_PORT", options->graphite_port);
    add_text(command, "GLOBAL_PREFIX", options->global_prefix);
    add_number(command, "FLUSH_INTERVAL", options->flush_interval);
    add_text(command, "AGGREGATE_COUNTERS", options->no_aggregate_counters ? "no" : NULL);
    add_text(command, "COUNTERS_PREFIX", options->counters_prefix);
    add_text(command, "TIMERS_PREFIX", options->timers_prefix);
    add_number(command, "EXPIRE", options->expire);
}

/* What a service manager said to the application, the server must not answer. */
static bool
is_for_caller(const char *variable)
{
    static const char *const names[] = {
        "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=", "LISTEN_"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static void
add_environment(struct command *command)
{
    size_t n = 0, kept = 0;

    while (environ != NULL && environ[n] != NULL)
        n++;
    command->environment = calloc(n + 1, sizeof(*command->environment));
    if (command->environment == NULL) {
        command->error = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_for_caller(environ[i]))
            command->environment[kept++] = environ[i];
    }
}

static int
command_init(struct command *command, const struct pystatsd_server_options *options)
{
    memset(command, 0, sizeof(*command));
    add_words(command, options);
    add_environment(command);
    return command->error;
}

static void
command_release(struct command *command)
{
    for (size_t i = 0; i < command->n; i++)
        free(command->words[i]);
    free(command->environment);
}

/* ---- the process. Other threads may hold any lock at the fork: until the exec the child only
 * makes system calls. */

static _Noreturn void
become_server(const struct command *command, pid_t parent, int report_fd)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t none;
    int error;

    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &usual, NULL); /* two of them cannot be set */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* it died before that was set */
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    execve(command->words[0], command->words, command->environment);
    error = errno;
    if (write(report_fd, &error, sizeof(error)) < 0)
        _exit(EXIT_FAILURE);
    _exit(EXIT_FAILURE);
}

/* Returns the pid of a process that becomes the server, or -errno. All signals are blocked: nothing
 * of the application's may run in the child, handlers of signals included. */
static pid_t
start(const struct command *command, const int report[2])
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        become_server(command, parent, report[1]);
    return pid < 0 ? -errno : pid;
}

/* Why the program could not be run, which a process that has ended has said: 0 or -errno. The end
 * of the pipe would say nothing, as children of other threads may hold it open. */
static int
read_report(int fd)
{
    int error = 0;

    return read(fd, &error, sizeof(error)) == (ssize_t)sizeof(error) ? -error : 0;
}

/* ---- its end */

/* Whether the server is to end, after a while or an interruption. stop is the application's, and so
 * are the signals while it runs. */
static bool
is_to_stop(const struct pystatsd_server_options *options, bool interrupted, sigset_t *before)
{
    sigset_t all;
    bool result;

    if (options->stop == NULL)
        return interrupted;
    pthread_sigmask(SIG_SETMASK, before, &all);
    result = options->stop(options->stop_with) != 0;
    pthread_sigmask(SIG_SETMASK, &all, before);
    return result;
}

/* Waits until the server has ended, and asks it to when that is wanted. Signals come in while it
 * waits and at no other time, so that none comes unseen. Returns whether it was asked. */
static bool
watch(int pidfd, const struct pystatsd_server_options *options, sigset_t *before)
{
    const struct timespec ask_every = {.tv_nsec = ASK_EVERY_MS * 1000000L};
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    bool asked = false;
    int n;

    for (;;) {
        n = ppoll(&ended, 1, options->stop != NULL && !asked ? &ask_every : NULL, before);
        if (n > 0)
            return asked;
        if (asked || !is_to_stop(options, n < 0, before))
            continue;
        (void)pidfd_send_signal(pidfd, SIGTERM, NULL, 0); /* it may just have ended */
        asked = true;
    }
}

/* One that was asked to end before it listened to that has ended by the signal, as it was to. */
static int
reap(pid_t pid, bool asked)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return asked && WTERMSIG(status) == SIGTERM ? 0 : 128 + WTERMSIG(status);
}

static int
attend(pid_t pid, const struct pystatsd_server_options *options, sigset_t *before)
{
    int pidfd = pidfd_open(pid, 0), result;
    bool asked = false;

    if (pidfd < 0 && errno != ESRCH) {
        result = -errno;
        (void)kill(pid, SIGTERM);
        (void)reap(pid, true);
        return result;
    }
    if (pidfd >= 0) {
        asked = watch(pidfd, options, before);
        close(pidfd);
    }
    return reap(pid, asked);
}

/* With all signals blocked but those that are not in before, while it waits. */
static int
run(const struct command *command, const struct pystatsd_server_options *options, sigset_t *before)
{
    int report[2], result, error;
    pid_t pid;

    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    pid = start(command, report);
    close(report[1]);
    result = pid > 0 ? attend(pid, options, before) : pid;
    error = read_report(report[0]);
    close(report[0]);
    return error != 0 ? error : result;
}

static int
serve(const struct pystatsd_server_options *options)
{
    struct command command;
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = command_init(&command, options);
    if (result == 0)
        result = run(&command, options, &before);
    command_release(&command);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

int
pystatsd_server_run(const struct pystatsd_server_options *options)
{
    static const struct pystatsd_server_options defaults;
    int error;

    if (options == NULL)
        options = &defaults;
    error = client_check_reserved(options->reserved,
                                  sizeof(options->reserved) / sizeof(options->reserved[0]));
    return error == 0 ? serve(options) : error;
}
