/*
 * log: owns the daemon's only file-scope state: where messages go, from which level on, and the
 * name of this process. A message is one line, whatever its arguments hold.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_event.h"
#include "base/logsink.h"

#define TEXT_BYTES 980 /* with the head and the newline fewer than 1 KiB */
#define CUT_END    "..."
#define MINUTE_MS  60000

static struct {
    struct logsink sink;
    int level;
    const char *process;
    /* Of messages for which there was no room. */
    _Atomic uint64_t n_lost, lost_again_ms;
} state = {.sink = {.destination = LOG_TO_STDERR, .fd = -1}, .level = LOG_INFO};

void
log_init(enum log_destination destination, int level)
{
    int saved_errno = errno, error;

    state.level = level;
    /* It reads a file, which a process in its sandbox no longer can. */
    tzset();
    error = logsink_open(&state.sink, LOG_TO_STDERR);
    if (destination != LOG_TO_STDERR && (error = logsink_open(&state.sink, destination)) < 0) {
        state.sink.destination = LOG_TO_STDERR;
        log_warnx("nobody listens at %s (%s): until somebody does, messages are lost",
                  logsink_name(destination), strerror(-error));
        state.sink.destination = destination;
    }
    errno = saved_errno;
}

void
log_set_process(const char *process)
{
    state.process = process;
}

/* Backslashes stay single: untrusted text arrives escaped already, by buf_append_escaped. */
static int
append_clean(struct buf *line, const char *text)
{
    char piece[8];
    int error = 0;

    for (; *text != '\0' && error == 0; text++) {
        unsigned byte = (unsigned char)*text;
        bool plain = byte >= ' ' && byte <= '~';

        snprintf(piece, sizeof(piece), plain ? "%c" : "\\x%02x", byte);
        error = buf_append_str(line, piece);
    }
    return error;
}

static int
append_message(struct buf *line, const char *text)
{
    if (state.process != NULL &&
        (append_clean(line, state.process) != 0 || buf_append_str(line, ": ") != 0))
        return -1;
    return append_clean(line, text);
}

/* Returns 0, or -1 where it is lost. */
static int
put_line(int level, const struct log_event *event, const char *text)
{
    struct logsink_message message = {.level = level, .process = state.process, .event = event};
    char storage[TEXT_BYTES];
    struct buf line;

    buf_init_fixed(&line, storage, sizeof(storage) - strlen(CUT_END));
    if (append_message(&line, text) != 0) {
        memcpy(storage + line.len, CUT_END, strlen(CUT_END));
        line.len += strlen(CUT_END);
    }
    message.text = storage;
    message.text_len = line.len;
    return logsink_put(&state.sink, &message);
}

/* There is room again: what had none is told, too. */
static void
tell_lost(void)
{
    uint64_t now_ms = clock_mono_ms();
    uint64_t n;
    char text[64];

    if (now_ms < state.lost_again_ms || (n = atomic_exchange(&state.n_lost, 0)) == 0)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 " messages could not be logged", n);
    if (put_line(LOG_WARNING, NULL, text) == 0)
        state.lost_again_ms = now_ms + MINUTE_MS;
    else
        state.n_lost += n;
}

/* error: an errno whose text goes behind the message, or 0. */
static void __attribute__((format(printf, 4, 0)))
put(int level, int error, const struct log_event *event, const char *format, va_list args)
{
    int saved_errno = errno;
    char text[TEXT_BYTES + 1] = "";
    size_t len;

    if (level <= state.level) {
        vsnprintf(text, sizeof(text), format, args);
        len = strlen(text);
        errno = error;
        if (error != 0)
            snprintf(text + len, sizeof(text) - len, ": %m");
        else if (event != NULL && event->limit != NULL && event->limit->n_unsaid > 0 &&
                 level == event->level)
            snprintf(text + len, sizeof(text) - len, " (and %" PRIu64 " times before)",
                     event->limit->n_unsaid);
        if (put_line(level, event, text) != 0)
            state.n_lost++;
        else if (state.n_lost > 0)
            tell_lost();
    }
    errno = saved_errno;
}

void
log_warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_WARNING, errno, NULL, format, args);
    va_end(args);
}

void
log_warnx(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_WARNING, 0, NULL, format, args);
    va_end(args);
}

void
log_info(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_INFO, 0, NULL, format, args);
    va_end(args);
}

void
log_debug(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_DEBUG, 0, NULL, format, args);
    va_end(args);
}

/* Says whether it is time to say it. */
static bool
take_turn(struct log_limit *limit)
{
    uint64_t now_ms = clock_mono_ms();

    if (now_ms < limit->again_ms) {
        limit->n_unsaid++;
        return false;
    }
    limit->again_ms = now_ms + MINUTE_MS;
    return true;
}

void
log_event(const struct log_event *event, const char *format, ...)
{
    bool is_due = event->limit == NULL || take_turn(event->limit);
    va_list args;

    va_start(args, format);
    put(is_due ? event->level : LOG_DEBUG, 0, event, format, args);
    va_end(args);
    if (is_due && event->limit != NULL)
        event->limit->n_unsaid = 0;
}

void
fatal(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_ERR, errno, NULL, format, args);
    va_end(args);
    exit(status);
}

void
fatalx(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_ERR, 0, NULL, format, args);
    va_end(args);
    exit(status);
}
