/*
 * listen: owns the way from LISTEN_ADDRESS to bound sockets, and what an operator is told when
 * there is none. Must not know who reads from them.
 */
#include "master/listen.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net.h"

_Static_assert(NET_ADDRESSES_MAX <= WORKER_SOCKETS_MAX, "a socket for each address of a name");

/* A machine without IPv6 (or without IPv4) is no fault of the configuration. */
static bool
is_family_missing(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPFNOSUPPORT ||
           error == EPROTONOSUPPORT || error == ENETUNREACH;
}

static const char *
advice(int error)
{
    switch (error) {
    case EADDRINUSE: return "is another StatsD server running? stop it or set LOCAL_PYSTATD_PORT";
    case EACCES:
    case EPERM: return "start it as root, or set LOCAL_PYSTATD_PORT to a port above 1023";
    default: return "set LISTEN_ADDRESS to an address of this machine";
    }
}

/* Returns 0, or the errno of an address that there is no socket for. */
static int
open_one(struct listen *listeners, const struct net_address *address, uint64_t receive_buffer,
         bool share)
{
    int fd = net_udp_open(address, share);

    if (fd < 0)
        return -fd;
    listeners->sockets[listeners->n] = fd;
    listeners->granted[listeners->n] = net_set_receive_buffer(fd, (size_t)receive_buffer);
    listeners->n++;
    return 0;
}

static int
open_all(struct listen *listeners, const struct net_address *addresses, int n,
         uint64_t receive_buffer, char error[LISTEN_ERROR_MAX])
{
    for (int i = 0; i < n; i++) {
        int reason = open_one(listeners, &addresses[i], receive_buffer, false);
        char where[NET_TEXT_MAX];

        if (reason == 0)
            continue;
        net_format(&addresses[i], where);
        snprintf(error, LISTEN_ERROR_MAX, "cannot listen on udp %s: %s; %s", where,
                 strerror(reason), advice(reason));
        if (!is_family_missing(reason))
            return -1;
        listeners->missing = addresses[i];
        listeners->missing_reason = reason;
    }
    return listeners->n > 0 ? 0 : -1;
}

/* The sockets that are there are the first thread's; every other thread gets as many on the same
 * addresses. Only now may they be shared, so that a second daemon was noticed. */
static int
open_for_threads(struct listen *listeners, uint64_t receive_buffer, unsigned n_threads)
{
    size_t n_first = listeners->n;

    if (n_first * n_threads > WORKER_SOCKETS_MAX)
        return EMFILE;
    for (size_t i = n_first; i < n_first * n_threads; i++) {
        struct net_address address = {.len = sizeof(address.storage)};
        int first = listeners->sockets[i % n_first], error;

        if (getsockname(first, (struct sockaddr *)&address.storage, &address.len) != 0)
            return errno;
        if ((error = -net_udp_share(first)) != 0 ||
            (error = open_one(listeners, &address, receive_buffer, true)) != 0)
            return error;
    }
    return 0;
}

int
listen_open(struct listen *listeners, const char *host, uint16_t port, uint64_t receive_buffer,
            unsigned n_threads, char error[LISTEN_ERROR_MAX])
{
    struct net_address addresses[NET_ADDRESSES_MAX];
    int n, reason;

    listeners->n = 0;
    listeners->missing_reason = 0;
    if (port == 0) {
        snprintf(error, LISTEN_ERROR_MAX,
                 "nothing to listen on: LOCAL_PYSTATD_PORT is 0; set it to a port");
        return -1;
    }
    n = net_lookup(host, port, SOCK_DGRAM, addresses);
    if (n <= 0) {
        snprintf(error, LISTEN_ERROR_MAX,
                 "cannot listen on %s: %s; set LISTEN_ADDRESS to an "
                 "address of this machine",
                 host, gai_strerror(n));
        return -1;
    }
    if (open_all(listeners, addresses, n, receive_buffer, error) != 0) {
        listen_close(listeners);
        return -1;
    }
    if ((reason = open_for_threads(listeners, receive_buffer, n_threads)) != 0) {
        snprintf(error, LISTEN_ERROR_MAX,
                 "cannot open sockets for %u threads: %s; set THREADS to fewer", n_threads,
                 strerror(reason));
        listen_close(listeners);
        return -1;
    }
    return 0;
}

static void
log_buffer(int fd, long granted, uint64_t wanted)
{
    struct net_address address = {.len = sizeof(address.storage)};
    char where[NET_TEXT_MAX] = "";

    if (getsockname(fd, (struct sockaddr *)&address.storage, &address.len) == 0)
        net_format(&address, where);
    if (granted < 0) {
        log_warnx("udp %s: cannot set the receive buffer to %" PRIu64 " bytes: %s", where, wanted,
                  strerror((int)-granted));
        return;
    }
    granted /= 2; /* the kernel reports twice what was asked for, which is all that was promised */
    log_info("udp %s: the kernel granted a receive buffer of %ld bytes", where, granted);
    if ((uint64_t)granted < wanted)
        log_warnx("udp %s: RECEIVE_BUFFER is %" PRIu64 " bytes but only %ld were granted; "
                  "raise net.core.rmem_max",
                  where, wanted, granted);
}

void
listen_log(const struct listen *listeners, uint64_t receive_buffer)
{
    char where[NET_TEXT_MAX];

    if (listeners->missing_reason != 0) {
        net_format(&listeners->missing, where);
        log_info("not listening on udp %s: %s", where, strerror(listeners->missing_reason));
    }
    for (size_t i = 0; i < listeners->n; i++)
        log_buffer(listeners->sockets[i], listeners->granted[i], receive_buffer);
}

void
listen_close(struct listen *listeners)
{
    while (listeners->n > 0)
        close(listeners->sockets[--listeners->n]);
}
