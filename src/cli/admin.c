/*
 * admin: owns the protocol of the admin socket. Must not know what the answers mean, and prints
 * nothing.
 */
#include "cli/admin.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX (16 * 1024 + 64) /* what the daemon takes */

struct answer {
    const struct admin_question *question;
    char *error; /* ADMIN_ERROR_MAX */
    int fd;
    int64_t end_ms; /* of the monotonic clock; 0: none */
    char *line;     /* ADMIN_LINE_MAX + 1: what has come and is no whole line yet */
    size_t len;
    bool is_ok; /* the first line has been read */
};

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 3, 4))) static enum admin_result
fail(struct answer *answer, enum admin_result result, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(answer->error, ADMIN_ERROR_MAX, format, args);
    va_end(args);
    return result;
}

int
admin_request(const char *command, const char *argument, size_t size, char *out)
{
    bool has_argument = argument != NULL;
    int len;

    if (has_argument && strchr(argument, '\n') != NULL)
        return -1;
    len = snprintf(out, size, "%s%s%s\n", command, has_argument ? " " : "",
                   has_argument ? argument : "");
    return len < 0 || (size_t)len >= size ? -1 : len;
}

static enum admin_result
fail_to_connect(struct answer *answer, int error)
{
    const char *path = answer->question->path;

    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        return fail(answer, ADMIN_ABSENT,
                    "no daemon answers at %s: start it with ADMIN_SOCKET set in "
                    "/etc/default/pystatsd, or say --socket PATH",
                    path);
    case EACCES:
        return fail(answer, ADMIN_TROUBLE,
                    "you may not use %s: be root or the daemon's user, or see ADMIN_SOCKET_MODE",
                    path);
    case EAGAIN:
        return fail(answer, ADMIN_SLOW, "the daemon at %s takes no more clients: try again", path);
    default: return fail(answer, ADMIN_TROUBLE, "%s: %s", path, strerror(error));
    }
}

/* Waits until something can be read. Returns ADMIN_OK, or has said what is wrong. */
static enum admin_result
wait_readable(struct answer *answer)
{
    struct pollfd slot = {.fd = answer->fd, .events = POLLIN};
    int timeout_ms = answer->question->silence_ms, ready;

    if (answer->is_ok && timeout_ms > 0)
        timeout_ms *= ADMIN_SEARCH_TIMES;
    if (answer->end_ms != 0) {
        int64_t left_ms = answer->end_ms - now_ms();

        left_ms = left_ms < 0 ? 0 : left_ms;
        if (timeout_ms < 0 || left_ms < timeout_ms)
            timeout_ms = (int)left_ms;
    }
    do {
        ready = poll(&slot, 1, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready != 0)
        return ADMIN_OK; /* read says what is wrong, if anything */
    return fail(answer, ADMIN_SLOW,
                "the daemon at %s does not answer in time: it is stopped or overloaded",
                answer->question->path);
}

static enum admin_result
fail_garbled(struct answer *answer)
{
    return fail(answer, ADMIN_TROUBLE,
                "what answers at %s is no pystatsd: see ADMIN_SOCKET in /etc/default/pystatsd",
                answer->question->path);
}

/* One line, NUL-terminated. Returns ADMIN_OK to go on; sets *done where the caller has enough. */
static enum admin_result
take_line(struct answer *answer, char *line, size_t len, bool *done)
{
    const struct admin_question *question = answer->question;

    if (memchr(line, '\0', len) != NULL)
        return fail_garbled(answer);
    if (answer->is_ok) {
        *done = question->on_line != NULL && question->on_line(question->context, line, len) != 0;
        return ADMIN_OK;
    }
    if (strncmp(line, "error ", 6) == 0)
        return fail(answer, ADMIN_REFUSED, "%s", line + 6);
    if (strcmp(line, "ok") != 0)
        return fail_garbled(answer);
    answer->is_ok = true;
    return ADMIN_OK;
}

/* Hands on all whole lines. */
static enum admin_result
take_lines(struct answer *answer, bool *done)
{
    char *at = answer->line, *end = answer->line + answer->len, *newline;
    enum admin_result result = ADMIN_OK;

    while (result == ADMIN_OK && !*done &&
           (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        *newline = '\0';
        result = take_line(answer, at, (size_t)(newline - at), done);
        at = newline + 1;
    }
    answer->len = (size_t)(end - at);
    memmove(answer->line, at, answer->len);
    return result;
}

static enum admin_result
read_answer(struct answer *answer)
{
    enum admin_result result;
    bool done = false;
    ssize_t n;

    while (!done) {
        if (answer->len == ADMIN_LINE_MAX)
            return fail_garbled(answer);
        if ((result = wait_readable(answer)) != ADMIN_OK)
            return result;
        n = read(answer->fd, answer->line + answer->len, ADMIN_LINE_MAX - answer->len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            break;
        answer->len += (size_t)n;
        if ((result = take_lines(answer, &done)) != ADMIN_OK)
            return result;
    }
    if (!done && (!answer->is_ok || answer->len > 0))
        return answer->is_ok || answer->len > 0
                   ? fail_garbled(answer)
                   : fail(answer, ADMIN_SLOW,
                          "the daemon at %s hung up: it is stopping, or has too many clients; "
                          "try again",
                          answer->question->path);
    return ADMIN_OK;
}

static enum admin_result
ask(struct answer *answer)
{
    const struct admin_question *question = answer->question;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char request[REQUEST_MAX];
    int len = admin_request(question->command, question->argument, sizeof(request), request);

    if (len < 0)
        return fail(answer, ADMIN_REFUSED, "what is asked must be one line of at most %d bytes",
                    REQUEST_MAX);
    if (strlen(question->path) >= sizeof(address.sun_path))
        return fail_to_connect(answer, ENAMETOOLONG);
    strcpy(address.sun_path, question->path);
    /* A daemon that takes no connection must not hold us up, hence non-blocking. */
    if (connect(answer->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return fail_to_connect(answer, errno);
    if (send(answer->fd, request, (size_t)len, MSG_NOSIGNAL) != len && errno != EPIPE &&
        errno != ECONNRESET)
        return fail_to_connect(answer, errno);
    return read_answer(answer);
}

enum admin_result
admin_ask(const struct admin_question *question, char error[ADMIN_ERROR_MAX])
{
    struct answer answer = {.question = question, .error = error};
    enum admin_result result;

    if (question->deadline_ms >= 0)
        answer.end_ms = now_ms() + question->deadline_ms;
    answer.line = malloc(ADMIN_LINE_MAX + 1);
    answer.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (answer.line == NULL || answer.fd < 0)
        result = fail(&answer, ADMIN_TROUBLE, "there is no memory or descriptor for the question");
    else
        result = ask(&answer);
    if (answer.fd >= 0)
        close(answer.fd);
    free(answer.line);
    return result;
}
