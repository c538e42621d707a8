/*
 * log: owns the daemon's only file-scope state: where messages go, from which level on, and the
 * name of this process. A message is one line, whatever its arguments hold.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_event.h"
#include "base/logsink.h"

#define TEXT_BYTES 980 /* with the head and the newline fewer than 1 KiB */
#define TAIL_BYTES 120 /* what must not be cut away: a reason, a count */
#define CUT_END    "..."
#define MINUTE_MS  60000

static struct {
    struct logsink sink;
    int level;
    const char *process;
    struct log_memory own, *memory;
} state = {
    .sink = {.destination = LOG_TO_STDERR, .fd = -1}, .level = LOG_INFO, .memory = &state.own};

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
        log_warnx("nobody takes datagrams at %s (%s): until somebody does, messages are lost",
                  logsink_name(destination), strerror(-error));
        state.sink.destination = destination;
    }
    errno = saved_errno;
}

void
log_set_process(const char *process)
{
    state.process = process;
    state.own = (struct log_memory){0};
    state.memory = &state.own;
}

void
log_remember(struct log_memory *memory)
{
    state.memory = memory;
}

/* The bytes of escapes that are there already are not escaped again. */
static int
append_clean(struct buf *line, const char *text, bool is_escaped)
{
    char piece[8];
    int error = 0;

    for (; *text != '\0' && error == 0; text++) {
        unsigned byte = (unsigned char)*text;
        bool plain = byte >= ' ' && byte <= '~';

        if (byte == '\\' && !is_escaped)
            error = buf_append_str(line, "\\\\");
        else
            error = snprintf(piece, sizeof(piece), plain ? "%c" : "\\x%02x", byte) < 0 ||
                    buf_append_str(line, piece) != 0;
    }
    return error;
}

static int
append_message(struct buf *line, const char *text, bool is_escaped)
{
    if (state.process != NULL &&
        (append_clean(line, state.process, false) != 0 || buf_append_str(line, ": ") != 0))
        return -1;
    return append_clean(line, text, is_escaped);
}

/* A tail is shorter than TAIL_BYTES. Returns 0, or -errno where the line is lost. */
static int
put_line(int level, const struct log_event *event, const char *text, const char *tail)
{
    struct logsink_message message = {.level = level, .process = state.process, .event = event};
    char storage[TEXT_BYTES];
    struct buf line;

    buf_init_fixed(&line, storage, sizeof(storage) - strlen(CUT_END) - strlen(tail));
    if (append_message(&line, text, event != NULL && event->is_escaped) != 0) {
        memcpy(storage + line.len, CUT_END, strlen(CUT_END));
        line.len += strlen(CUT_END);
    }
    memcpy(storage + line.len, tail, strlen(tail));
    message.text = storage;
    message.text_len = line.len + strlen(tail);
    return logsink_put(&state.sink, &message);
}

/* A damaged time must not silence anything for good. */
static bool
is_due(const struct log_limit *limit, uint64_t now_ms)
{
    uint64_t again_ms = __atomic_load_n(&limit->again_ms, __ATOMIC_RELAXED);

    return now_ms >= again_ms || again_ms > now_ms + MINUTE_MS;
}

/* There is room again: what had none is told, too. */
static void
tell_lost(void)
{
    struct log_limit *lost = &state.memory->lost;
    uint64_t now_ms = clock_mono_ms();
    uint64_t n;
    char text[64];

    if (!is_due(lost, now_ms) ||
        (n = __atomic_exchange_n(&lost->n_unsaid, 0, __ATOMIC_RELAXED)) == 0)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 " messages could not be logged", n);
    if (put_line(LOG_WARNING, NULL, text, "") == 0)
        __atomic_store_n(&lost->again_ms, now_ms + MINUTE_MS, __ATOMIC_RELAXED);
    else
        __atomic_add_fetch(&lost->n_unsaid, n, __ATOMIC_RELAXED);
}

void
log_tick(void)
{
    int saved_errno = errno;

    if (__atomic_load_n(&state.memory->lost.n_unsaid, __ATOMIC_RELAXED) > 0)
        tell_lost();
    errno = saved_errno;
}

/* error: an errno whose text is told, or 0. */
static void
format_tail(int error, uint64_t n_before, char out[TAIL_BYTES])
{
    out[0] = '\0';
    errno = error;
    if (error != 0)
        snprintf(out, TAIL_BYTES, ": %m");
    else if (n_before > 0)
        snprintf(out, TAIL_BYTES, " (and %" PRIu64 " times before)", n_before);
}

/* At another level than its own an event tells of itself alone. Returns false where it is lost. */
static bool __attribute__((format(printf, 4, 0)))
put(int level, int error, const struct log_event *event, const char *format, va_list args)
{
    int saved_errno = errno;
    char text[TEXT_BYTES + 1] = "", tail[TAIL_BYTES];
    uint64_t n_before = 0;
    bool is_put = true;

    if (level <= state.level) {
        vsnprintf(text, sizeof(text), format, args);
        if (event != NULL && level == event->level)
            n_before = event->n_before + (event->limit != NULL ? event->limit->n_unsaid : 0);
        format_tail(error, n_before, tail);
        is_put = put_line(level, event, text, tail) == 0;
        if (is_put)
            log_tick();
        else
            __atomic_add_fetch(&state.memory->lost.n_unsaid, 1, __ATOMIC_RELAXED);
    }
    errno = saved_errno;
    return is_put;
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

/* Says it where its turn has come, which is over only once it went out. */
static bool __attribute__((format(printf, 3, 0)))
put_event(const struct log_event *event, int error, const char *format, va_list args)
{
    struct log_limit *limit = event->limit;
    uint64_t now_ms = clock_mono_ms();
    bool has_turn = limit == NULL || is_due(limit, now_ms);
    bool is_said = put(has_turn ? event->level : LOG_DEBUG, error, event, format, args) && has_turn;

    if (limit != NULL) {
        limit->again_ms = is_said ? now_ms + MINUTE_MS : limit->again_ms;
        limit->n_unsaid = is_said ? 0 : limit->n_unsaid + 1;
    }
    return is_said;
}

bool
log_event(const struct log_event *event, const char *format, ...)
{
    va_list args;
    bool is_said;

    va_start(args, format);
    is_said = put_event(event, 0, format, args);
    va_end(args);
    return is_said;
}

/* A process that dies of the same again and again is no news either. */
static _Noreturn void __attribute__((format(printf, 3, 0)))
end(int status, int error, const char *format, va_list args)
{
    struct log_event event = {.level = LOG_ERR,
                              .limit = status != EX_CONFIG ? &state.memory->fatal : NULL};

    put_event(&event, error, format, args);
    exit(status);
}

void
fatal(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    end(status, errno, format, args);
}

void
fatalx(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    end(status, 0, format, args);
}
