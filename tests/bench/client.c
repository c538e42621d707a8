/*
 * client: what a buffered sample costs a program: `client SAMPLES`. The yardstick is what programs
 * without a library do: snprintf into a buffer of their own, that is sent when it is full; no lock,
 * no clean name, no care. Both write the same bytes.
 *
 * Prints nanoseconds of user time a sample as JSON. Datagrams go to a socket that nobody reads.
 */
#include <err.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "client/pystatsd.h"

#define N_NAMES  1000
#define NAME_LEN 24
#define N_VALUES 256

static char names[N_NAMES][NAME_LEN];
static double values[N_VALUES]; /* milliseconds of a clock, with the digits that those have */
static struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {0}};
static struct pystatsd_client *client;

static struct {
    char text[PYSTATSD_DATAGRAM_MAX + 1];
    size_t len;
    int fd;
} own;

static uint64_t
user_ns(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_utime.tv_sec * 1000000000 + (uint64_t)usage.ru_utime.tv_usec * 1000;
}

static void
append(const char *line, size_t len)
{
    if (own.len + 1 + len > PYSTATSD_DATAGRAM_MAX) {
        if (send(own.fd, own.text, own.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            err(1, "send");
        own.len = 0;
    }
    if (own.len > 0)
        own.text[own.len++] = '\n';
    memcpy(own.text + own.len, line, len);
    own.len += len;
}

static void
by_hand(uint64_t i)
{
    const char *name = names[i % N_NAMES];
    char line[PYSTATSD_DATAGRAM_MAX];
    int len;

    switch (i % 3) {
    case 0: len = snprintf(line, sizeof line, "bench.%s:%ld|c", name, 1L); break;
    case 1: len = snprintf(line, sizeof line, "bench.%s:%f|ms", name, values[i % N_VALUES]); break;
    default: len = snprintf(line, sizeof line, "bench.%s:%f|g", name, (double)(i % 1000)); break;
    }
    append(line, (size_t)len);
}

static void
by_library(uint64_t i)
{
    const char *name = names[i % N_NAMES];
    int error;

    switch (i % 3) {
    case 0: error = pystatsd_increment(client, name, 1); break;
    case 1: error = pystatsd_timing(client, name, values[i % N_VALUES], 1); break;
    default: error = pystatsd_gauge(client, name, (double)(i % 1000), 1); break;
    }
    if (error != 0)
        errx(1, "%s", strerror(-error));
}

static void
by_library_sampled(uint64_t i)
{
    if (pystatsd_increment(client, names[i % N_NAMES], 0.1) != 0)
        errx(1, "increment");
}

static double
measure(void (*sample)(uint64_t i), uint64_t n)
{
    uint64_t before = user_ns();

    for (uint64_t i = 0; i < n; i++)
        sample(i);
    return (double)(user_ns() - before) / (double)n;
}

/* A receiver that never reads, and a socket for what is done by hand. */
static void
open_sockets(void)
{
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    own.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || own.fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        connect(own.fd, (struct sockaddr *)&address, len) != 0)
        err(1, "socket");
}

int
main(int argc, char **argv)
{
    struct pystatsd_options options = {
        .host = "127.0.0.1", .prefix = "bench", .buffer_bytes = PYSTATSD_DATAGRAM_MAX};
    uint64_t n = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;

    if (n == 0)
        errx(2, "usage: %s SAMPLES", argv[0]);
    open_sockets();
    options.port = ntohs(address.sin_port);
    options.buffer_ms = 1000; /* as a daemon would have it: the clock is looked at, too */
    if (pystatsd_client_new(&options, &client) != 0)
        errx(1, "no client");
    for (unsigned i = 0; i < N_NAMES; i++)
        snprintf(names[i], NAME_LEN, "web.request.%08u", i);
    for (unsigned i = 0; i < N_VALUES; i++)
        values[i] = (double)(i * i * 7919) / 1000;
    double floor_ns = measure(by_hand, n), ns = measure(by_library, n);
    printf("{\"floor_ns\": %.2f, \"ns\": %.2f, \"sampled_ns\": %.2f}\n", floor_ns, ns,
           measure(by_library_sampled, n));
    pystatsd_client_free(client);
    return 0;
}
