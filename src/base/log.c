/*
 * log: owns the daemon's only file-scope state: where messages go, from which level on, and the
 * name of this process. A message is one line and one write, whatever its arguments hold.
 */
#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

/* With the newline. Under PIPE_BUF, so that lines of several processes never mix. */
#define LINE_BYTES 1024
#define CUT_END    "...\n"

static struct {
    enum log_destination destination;
    int level;
    const char *process;
} state = {.destination = LOG_TO_STDERR, .level = LOG_INFO};

static const char *const level_names[] = {
    [LOG_ERR] = "ERROR",
    [LOG_WARNING] = "WARNING",
    [LOG_INFO] = "INFO",
    [LOG_DEBUG] = "DEBUG",
};

void
log_init(enum log_destination destination, int level)
{
    int saved_errno = errno;

    state.destination = destination;
    state.level = level;
    /* Both read files, which a process in its sandbox no longer can. */
    tzset();
    if (destination == LOG_TO_SYSLOG)
        openlog("pystatsd-server", LOG_PID | LOG_NDELAY, LOG_DAEMON);
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

static void
append_head(struct buf *line, int level)
{
    uint64_t wall_ms = clock_wall_ms();
    time_t wall_s = (time_t)(wall_ms / 1000);
    char date[32], head[64];
    struct tm tm = {0};

    localtime_r(&wall_s, &tm);
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(head, sizeof(head), "%s,%03u [%s] ", date, (unsigned)(wall_ms % 1000),
             level_names[level]);
    (void)buf_append_str(line, head);
}

static int
append_message(struct buf *line, const char *text)
{
    if (state.process != NULL &&
        (append_clean(line, state.process) != 0 || buf_append_str(line, ": ") != 0))
        return -1;
    return append_clean(line, text);
}

static void
put_line(int level, const char *text)
{
    char storage[LINE_BYTES];
    struct buf line;
    const char *end;
    size_t head_len;

    buf_init_fixed(&line, storage, sizeof(storage) - strlen(CUT_END));
    append_head(&line, level);
    head_len = line.len;
    end = append_message(&line, text) == 0 ? "\n" : CUT_END;
    memcpy(storage + line.len, end, strlen(end));
    line.len += strlen(end);

    if (state.destination == LOG_TO_SYSLOG)
        syslog(level, "%.*s", (int)(line.len - head_len) - 1, storage + head_len);
    /* What ends a process is told to who started it, too. */
    if (state.destination == LOG_TO_STDERR || level == LOG_ERR)
        (void)!write(STDERR_FILENO, storage, line.len); /* nobody may be left to tell */
}

/* error: an errno whose text goes behind the message, or 0. */
static void __attribute__((format(printf, 3, 0)))
put(int level, int error, const char *format, va_list args)
{
    int saved_errno = errno;
    char text[LINE_BYTES];
    int len;

    if (level <= state.level) {
        len = vsnprintf(text, sizeof(text), format, args);
        errno = error;
        if (error != 0 && len >= 0 && (size_t)len < sizeof(text))
            snprintf(text + len, sizeof(text) - (size_t)len, ": %m");
        if (len >= 0)
            put_line(level, text);
    }
    errno = saved_errno;
}

void
log_warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_WARNING, errno, format, args);
    va_end(args);
}

void
log_warnx(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_WARNING, 0, format, args);
    va_end(args);
}

void
log_info(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_INFO, 0, format, args);
    va_end(args);
}

void
log_debug(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_DEBUG, 0, format, args);
    va_end(args);
}

void
fatal(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_ERR, errno, format, args);
    va_end(args);
    exit(status);
}

void
fatalx(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put(LOG_ERR, 0, format, args);
    va_end(args);
    exit(status);
}
