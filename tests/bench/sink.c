/*
 * sink: a carbon that keeps nothing. It takes any number of connections, reads each to its end and
 * closes it, which is the acknowledgement.
 *
 * First prints its port, then for each connection that ended one line of JSON: when it began and
 * ended (wall clock), its lines and bytes, the timestamp of its last line, the values of the names
 * that begin with a --keep prefix, and per --sum prefix the sum of the values and how many they
 * are. Must not know what the names mean.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
#define PREFIXES_MAX    8
#define KEPT_MAX        64
#define NAME_MAX_KEPT   96
#define CHUNK           (256u << 10)
#define LINE_MAX_LEN    4096

struct kept {
    char name[NAME_MAX_KEPT];
    double value;
};

struct connection {
    int fd;
    uint64_t opened_ms, lines, bytes;
    double timestamp;
    double sums[PREFIXES_MAX];
    uint64_t counts[PREFIXES_MAX]; /* of the lines in a sum */
    struct kept kept[KEPT_MAX];
    size_t n_kept;
    char tail[LINE_MAX_LEN]; /* of the chunk before: the beginning of a line */
    size_t tail_len;
};

struct prefixes {
    const char *text[PREFIXES_MAX];
    size_t n;
};

struct sink {
    int listener;
    struct prefixes keep, sum;
    struct connection *connections[CONNECTIONS_MAX];
    size_t n_connections;
    char chunk[LINE_MAX_LEN + CHUNK]; /* a tail, then what is read behind it */
};

static uint64_t
wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int
find_prefix(const struct prefixes *prefixes, const char *line, size_t len)
{
    for (size_t i = 0; i < prefixes->n; i++) {
        size_t prefix_len = strlen(prefixes->text[i]);

        if (prefix_len <= len && memcmp(line, prefixes->text[i], prefix_len) == 0)
            return (int)i;
    }
    return -1;
}

static void
keep(struct connection *connection, const char *name, size_t len, double value)
{
    size_t i = 0;

    while (i < connection->n_kept && (strncmp(connection->kept[i].name, name, len) != 0 ||
                                      connection->kept[i].name[len] != '\0'))
        i++;
    if (i == KEPT_MAX)
        errx(1, "more than %d names to keep", KEPT_MAX);
    if (i == connection->n_kept)
        memcpy(connection->kept[connection->n_kept++].name, name, len);
    connection->kept[i].value = value;
}

/* A whole line, "name value timestamp", with its newline. */
static void
take_line(const struct sink *sink, struct connection *connection, const char *line, size_t len)
{
    const char *blank = memchr(line, ' ', len);
    int sum = find_prefix(&sink->sum, line, len);
    char *end;
    double value;

    connection->lines++;
    if (blank == NULL || (sum < 0 && find_prefix(&sink->keep, line, len) < 0))
        return;
    value = strtod(blank, &end);
    connection->timestamp = strtod(end, NULL);
    if (sum >= 0) {
        connection->sums[sum] += value;
        connection->counts[sum]++;
    } else if ((size_t)(blank - line) < NAME_MAX_KEPT)
        keep(connection, line, (size_t)(blank - line), value);
}

static void
take_lines(struct sink *sink, struct connection *connection, size_t len)
{
    const char *at = sink->chunk, *end = sink->chunk + len, *newline;

    while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        take_line(sink, connection, at, (size_t)(newline - at));
        at = newline + 1;
    }
    connection->tail_len = (size_t)(end - at);
    if (connection->tail_len > LINE_MAX_LEN)
        errx(1, "a line of more than %d bytes", LINE_MAX_LEN);
    memcpy(connection->tail, at, connection->tail_len);
}

static void
report(const struct sink *sink, const struct connection *connection)
{
    printf("{\"opened_ms\": %" PRIu64 ", \"closed_ms\": %" PRIu64 ", \"lines\": %" PRIu64
           ", \"bytes\": %" PRIu64 ", \"torn\": %zu, \"timestamp\": %.0f, \"sums\": {",
           connection->opened_ms, wall_ms(), connection->lines, connection->bytes,
           connection->tail_len, connection->timestamp);
    for (size_t i = 0; i < sink->sum.n; i++)
        printf("%s\"%s\": %.17g", i > 0 ? ", " : "", sink->sum.text[i], connection->sums[i]);
    printf("}, \"counts\": {");
    for (size_t i = 0; i < sink->sum.n; i++)
        printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", sink->sum.text[i], connection->counts[i]);
    printf("}, \"kept\": {");
    for (size_t i = 0; i < connection->n_kept; i++)
        printf("%s\"%s\": %.17g", i > 0 ? ", " : "", connection->kept[i].name,
               connection->kept[i].value);
    printf("}}\n");
    fflush(stdout);
}

/* Reads once. Returns false when the connection has ended. */
static bool
read_some(struct sink *sink, struct connection *connection)
{
    ssize_t n;

    memcpy(sink->chunk, connection->tail, connection->tail_len);
    n = read(connection->fd, sink->chunk + connection->tail_len, CHUNK);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    connection->bytes += (uint64_t)n;
    take_lines(sink, connection, connection->tail_len + (size_t)n);
    return true;
}

static void
take_connection(struct sink *sink)
{
    struct connection *connection;
    int fd = accept4(sink->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        err(1, "no memory");
    connection->fd = fd;
    connection->opened_ms = wall_ms();
    sink->connections[sink->n_connections++] = connection;
}

static void
end_connection(struct sink *sink, size_t index)
{
    struct connection *connection = sink->connections[index];

    report(sink, connection);
    close(connection->fd);
    free(connection);
    sink->connections[index] = sink->connections[--sink->n_connections];
}

static void
serve(struct sink *sink)
{
    for (;;) {
        struct pollfd slots[CONNECTIONS_MAX + 1];
        size_t n = sink->n_connections;

        for (size_t i = 0; i < n; i++)
            slots[i] = (struct pollfd){.fd = sink->connections[i]->fd, .events = POLLIN};
        slots[n] = (struct pollfd){.fd = sink->listener, .events = POLLIN};
        if (poll(slots, n + (n < CONNECTIONS_MAX), -1) < 0 && errno != EINTR)
            err(1, "poll");
        for (size_t i = n; i-- > 0;) {
            if (slots[i].revents != 0 && !read_some(sink, sink->connections[i]))
                end_connection(sink, i);
        }
        if (n < CONNECTIONS_MAX && slots[n].revents != 0)
            take_connection(sink);
    }
}

static int
open_listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        err(1, "socket");
    printf("{\"port\": %u}\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int
main(int argc, char **argv)
{
    static const struct option flags[] = {
        {"keep", required_argument, NULL, 'k'},
        {"sum", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    static struct sink sink;
    int letter;

    while ((letter = getopt_long(argc, argv, "", flags, NULL)) >= 0) {
        struct prefixes *prefixes = letter == 'k' ? &sink.keep : &sink.sum;

        if (letter == '?' || prefixes->n == PREFIXES_MAX)
            errx(2, "usage: sink [--keep=PREFIX]... [--sum=PREFIX]...");
        prefixes->text[prefixes->n++] = optarg;
    }
    sink.listener = open_listener();
    serve(&sink);
}
