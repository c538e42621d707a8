/*
 * logsink: owns the forms of stderr, syslog and the journal. All three are written to without
 * waiting, which neither syslog(3) nor sd_journal_send(3) can. Must not know who logs, nor count.
 */
#include "base/logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define IDENTIFIER "pystatsd-server"
/* A line to stderr fits a page of a pipe, so that lines of several processes never mix; to the
 * journal come the fields. */
#define LINE_BYTES 4096
#define FIELD_MAX  256

static const char *const paths[] = {
    [LOG_TO_STDERR] = "stderr",
    [LOG_TO_SYSLOG] = "/dev/log",
    [LOG_TO_JOURNAL] = "/run/systemd/journal/socket",
};

static const char *const level_names[] = {
    [LOG_ERR] = "ERROR",
    [LOG_WARNING] = "WARNING",
    [LOG_INFO] = "INFO",
    [LOG_DEBUG] = "DEBUG",
};

const char *
logsink_name(enum log_destination destination)
{
    return paths[destination];
}

/* A pipe that nobody reads and a terminal that was stopped take nothing. Others may hold them as
 * well, so ours must become another one before it is told not to wait. False where that is not
 * allowed. */
static bool
own_stderr(void)
{
    struct stat status;
    int fd;

    if (fstat(STDERR_FILENO, &status) != 0 ||
        !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        return true;
    fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    dup2(fd, STDERR_FILENO);
    close(fd);
    return true;
}

/* JOURNAL_STREAM names the stream that the service manager has made; stderr may be another. */
static bool
is_in_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char own[64];

    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, own) == 0;
}

/* The socket is then not connected: its other end may be started anew at any time. Returns 0 or
 * -errno. */
static int
try_to_reach(const struct logsink *sink)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    strcpy(to.sun_path, paths[sink->destination]);
    if (connect(sink->fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
        return -errno;
    return connect(sink->fd, &nobody, sizeof(nobody)) == 0 ? 0 : -errno;
}

int
logsink_open(struct logsink *sink, enum log_destination destination)
{
    if (sink->fd >= 0)
        close(sink->fd);
    sink->destination = destination;
    sink->fd = -1;
    sink->may_wait = !own_stderr();
    sink->in_journal = is_in_journal();
    if (destination == LOG_TO_STDERR)
        return 0;
    sink->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return sink->fd < 0 ? -errno : try_to_reach(sink);
}

static int
send_datagram(const struct logsink *sink, const struct buf *line)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    ssize_t n;

    strcpy(to.sun_path, paths[sink->destination]);
    n = sendto(sink->fd, line->data, line->len, MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&to, sizeof(to));
    return n < 0 ? -errno : 0;
}

/* A full disk takes a part of a line: what comes next begins another. */
static int
write_stderr(struct logsink *sink, const struct buf *line)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t n = send(STDERR_FILENO, line->data, line->len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno == ENOTSOCK) {
        if (sink->may_wait && poll(&room, 1, 0) != 1)
            return -EAGAIN;
        n = write(STDERR_FILENO, line->data, line->len);
    }
    if (n < 0)
        return -errno;
    sink->is_torn = n > 0 ? line->data[n - 1] != '\n' : sink->is_torn;
    return (size_t)n == line->len ? 0 : -ENOSPC;
}

static struct tm
local_time(uint64_t wall_ms)
{
    time_t wall_s = (time_t)(wall_ms / 1000);
    struct tm tm = {0};

    localtime_r(&wall_s, &tm);
    return tm;
}

static int
put_stderr(struct logsink *sink, const struct logsink_message *message, struct buf *line)
{
    uint64_t wall_ms = clock_wall_ms();
    struct tm tm = local_time(wall_ms);
    char date[32], head[64];

    if (sink->is_torn)
        (void)buf_append_str(line, "\n");
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
    if (sink->in_journal)
        snprintf(head, sizeof(head), "<%d>", message->level);
    else
        snprintf(head, sizeof(head), "%s,%03u [%s] ", date, (unsigned)(wall_ms % 1000),
                 level_names[message->level]);
    (void)buf_append_str(line, head);
    (void)buf_append(line, message->text, message->text_len);
    (void)buf_append_str(line, "\n");
    return write_stderr(sink, line);
}

/* As RFC 3164 has it. */
static int
put_syslog(struct logsink *sink, const struct logsink_message *message, struct buf *line)
{
    struct tm tm = local_time(clock_wall_ms());
    char date[32], head[96];

    strftime(date, sizeof(date), "%b %e %H:%M:%S", &tm);
    snprintf(head, sizeof(head), "<%d>%s " IDENTIFIER "[%d]: ", LOG_DAEMON | message->level, date,
             (int)getpid());
    (void)buf_append_str(line, head);
    (void)buf_append(line, message->text, message->text_len);
    return send_datagram(sink, line);
}

/* A field ends with its line, so nothing in it may be one's end. */
static void
append_field(struct buf *line, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    (void)buf_append_str(line, name);
    for (size_t i = 0; value[i] != '\0' && i < FIELD_MAX; i++)
        (void)buf_append(line, value[i] >= ' ' && value[i] <= '~' ? &value[i] : "?", 1);
    (void)buf_append_str(line, "\n");
}

/* The journal's own protocol: one field a line. */
static int
put_journal(struct logsink *sink, const struct logsink_message *message, struct buf *line)
{
    char head[64];

    snprintf(head, sizeof(head), "PRIORITY=%d\nSYSLOG_FACILITY=%d\n", message->level,
             LOG_FAC(LOG_DAEMON));
    (void)buf_append_str(line, head);
    append_field(line, "SYSLOG_IDENTIFIER=", IDENTIFIER);
    append_field(line, "PYSTATSD_PROCESS=", message->process);
    if (message->event != NULL) {
        append_field(line, "PYSTATSD_REASON=", message->event->reason);
        append_field(line, "PYSTATSD_NAME=", message->event->name);
        append_field(line, "PYSTATSD_PEER=", message->event->peer);
    }
    (void)buf_append_str(line, "MESSAGE=");
    (void)buf_append(line, message->text, message->text_len);
    (void)buf_append_str(line, "\n");
    return send_datagram(sink, line);
}

/* What ends a process is told to who started it, too, unless that is the journal again. */
int
logsink_put(struct logsink *sink, const struct logsink_message *message)
{
    static int (*const puts[])(struct logsink *, const struct logsink_message *, struct buf *) = {
        [LOG_TO_STDERR] = put_stderr,
        [LOG_TO_SYSLOG] = put_syslog,
        [LOG_TO_JOURNAL] = put_journal,
    };
    char storage[LINE_BYTES];
    struct buf line;
    int result;

    buf_init_fixed(&line, storage, sizeof(storage));
    result = puts[sink->destination](sink, message, &line);
    if (message->level == LOG_ERR && sink->destination != LOG_TO_STDERR && !sink->in_journal) {
        line.len = 0;
        (void)put_stderr(sink, message, &line);
    }
    return result;
}
