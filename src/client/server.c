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
    add_text(command, "GANGLIA_HOST", options->ganglia_host);
    add_number(command, "GANGLIA_PORT", options->ganglia_port);
    add_text(command, "GANGLIA_SPOOF_HOST", options->ganglia_spoof_host);
    add_number(command, "GANGLIA_MAX_LENGTH", options->ganglia_max_length);
    add_text(command, "GMETRIC_EXEC", options->gmetric_exec);
    add_text(command, "GMETRIC_OPTIONS", options->gmetric_options);
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

/* Nothing of the application's may run in the child, handlers of signals included. */
static pid_t
start_process(const struct command *command, int report_fd)
{
    pid_t parent = getpid();
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        become_server(command, parent, report_fd);
    if (pid < 0)
        pid = -errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* The end of the pipe says that the program runs, an errno in it why it does not. */
static int
read_report(int fd)
{
    int error = 0;
    ssize_t n;

    do
        n = read(fd, &error, sizeof(error));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(error) ? -error : 0;
}

/* Returns the pid of a program that runs, or -errno. */
static pid_t
start(const struct command *command)
{
    int report[2], error;
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) != 0)
        return -errno;
    pid = start_process(command, report[1]);
    close(report[1]);
    error = pid > 0 ? read_report(report[0]) : pid;
    close(report[0]);
    if (error == 0)
        return pid;
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return error;
}

/* ---- its end */

/* Whether the server is to end, after a while or an interruption. */
static bool
is_to_stop(const struct pystatsd_server_options *options, bool interrupted)
{
    return options->stop != NULL ? options->stop(options->stop_with) != 0 : interrupted;
}

/* Waits until the server has ended, and asks it to when that is wanted. */
static void
watch(int pidfd, const struct pystatsd_server_options *options)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    bool asked = false;
    int n;

    for (;;) {
        n = poll(&ended, 1, options->stop != NULL && !asked ? ASK_EVERY_MS : -1);
        if (n > 0)
            return;
        if (asked || !is_to_stop(options, n < 0))
            continue;
        (void)pidfd_send_signal(pidfd, SIGTERM, NULL, 0); /* it may just have ended */
        asked = true;
    }
}

static int
reap(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
serve(const struct pystatsd_server_options *options)
{
    struct command command;
    int result, pidfd;
    pid_t pid;

    result = command_init(&command, options);
    pid = result == 0 ? start(&command) : result;
    command_release(&command);
    if (pid < 0)
        return pid;
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0 && errno != ESRCH) {
        result = -errno;
        (void)kill(pid, SIGTERM);
        (void)reap(pid);
        return result;
    }
    if (pidfd >= 0) {
        watch(pidfd, options);
        close(pidfd);
    }
    return reap(pid);
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
