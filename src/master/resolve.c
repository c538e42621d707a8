/*
 * resolve: owns the pipes of questions and answers and the process between them. Must not know what
 * an answer says: no code of the master reads one.
 */
#include "master/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/net.h"
#include "master/child.h"

/* What becomes of deliveries. */
#define STAYS "; the addresses of before stay in use"

int
resolve_open(struct resolve *resolve, struct spawn_fds *fds)
{
    int error;

    resolve->pid = 0;
    resolve->again = false;
    error =
        spawn_pipe(fds, 0, KEPT_BY_NONE, KEPT_BY_SENDER, &resolve->ask_read, &resolve->ask_write);
    if (error != 0)
        return error;
    return spawn_pipe(fds, O_DIRECT, KEPT_BY_SENDER, KEPT_BY_RESOLVER, &resolve->addresses_read,
                      &resolve->addresses_write);
}

int
resolve_poll_fd(const struct resolve *resolve)
{
    return resolve->pid == 0 ? resolve->ask_read : -1;
}

void
resolve_take(struct resolve *resolve)
{
    char questions[64];

    while (read(resolve->ask_read, questions, sizeof(questions)) == (ssize_t)sizeof(questions))
        continue;
}

void
resolve_lookup(const char *host, uint16_t port, struct resolved *out)
{
    /* The padding too: it travels. */
    memset(out, 0, sizeof(*out));
    net_format_host(host, port, out->destination, sizeof(out->destination));
    out->n = net_lookup(host, port, SOCK_STREAM, out->addresses);
}

static _Noreturn void
answer(int fd, const char *host, uint16_t port)
{
    struct resolved resolved;

    alarm(RESOLVE_PATIENCE_S);
    resolve_lookup(host, port, &resolved);
    _exit(write(fd, &resolved, sizeof(resolved)) == (ssize_t)sizeof(resolved) ? EXIT_SUCCESS
                                                                              : EXIT_FAILURE);
}

void
resolve_start(struct resolve *resolve, const struct spawn_fds *fds, const char *host, uint16_t port)
{
    pid_t pid;

    if (resolve->pid != 0) {
        resolve->again = true;
        return;
    }
    resolve->again = false;
    snprintf(resolve->host, sizeof(resolve->host), "%s", host);
    pid = spawn(fds, KEPT_BY_RESOLVER, "resolver", SIGTERM);
    if (pid == 0)
        answer(resolve->addresses_write, host, port);
    if (pid > 0) {
        resolve->pid = pid;
        return;
    }
    /* The sender asks again when it has waited long enough. */
    log_event(
        &(struct log_event){.level = LOG_WARNING, .name = host, .limit = &resolve->said_no_fork},
        "cannot look up %s: fork: %s" STAYS, host, strerror(-pid));
}

static void
log_failure(struct resolve *resolve, pid_t pid, int status)
{
    char text[CHILD_TEXT_MAX];
    struct log_event again = {.level = LOG_WARNING,
                              .reason = text,
                              .name = resolve->host,
                              .limit = &resolve->said_no_answer};

    child_format_status(status, text);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        log_event(&again, "resolver (pid %d) had no answer for %s within %d s" STAYS, (int)pid,
                  resolve->host, RESOLVE_PATIENCE_S);
    else
        log_event(&again, "resolver (pid %d) of %s died: %s" STAYS, (int)pid, resolve->host, text);
}

bool
resolve_reaped(struct resolve *resolve, pid_t pid, int status)
{
    if (resolve->pid == 0 || pid != resolve->pid)
        return false;
    resolve->pid = 0;
    if (status != 0)
        log_failure(resolve, pid, status);
    return true;
}

void
resolve_release(struct resolve *resolve)
{
    if (resolve->pid == 0)
        return;
    kill(resolve->pid, SIGKILL);
    waitpid(resolve->pid, NULL, 0);
    resolve->pid = 0;
}
