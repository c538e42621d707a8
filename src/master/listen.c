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

static void
ask_for_buffer(int fd, const char *where, uint64_t wanted)
{
    long granted = net_set_receive_buffer(fd, (size_t)wanted);

    if (granted < 0) {
        errno = (int)-granted;
        log_warn("udp %s: cannot set the receive buffer to %" PRIu64 " bytes", where, wanted);
        return;
    }
    log_info("udp %s: the kernel granted a receive buffer of %ld bytes", where, granted);
    /* It reports twice what it gives to payload. */
    if ((uint64_t)granted / 2 < wanted)
        log_warnx("udp %s: RECEIVE_BUFFER is %" PRIu64 " bytes but only %ld were granted; "
                  "raise net.core.rmem_max",
                  where, wanted, granted / 2);
}

/* Returns 0, or the errno of an address that there is no socket for. */
static int
open_one(struct listen *listeners, const struct net_address *address, const char *where,
         uint64_t receive_buffer)
{
    int fd = net_udp_open(address);

    if (fd < 0)
        return -fd;
    listeners->sockets[listeners->n++] = fd;
    ask_for_buffer(fd, where, receive_buffer);
    return 0;
}

static int
open_all(struct listen *listeners, const struct net_address *addresses, int n,
         uint64_t receive_buffer, char error[LISTEN_ERROR_MAX])
{
    int reasons[NET_ADDRESSES_MAX];
    char where[NET_TEXT_MAX];

    for (int i = 0; i < n; i++) {
        net_format(&addresses[i], where);
        reasons[i] = open_one(listeners, &addresses[i], where, receive_buffer);
        if (reasons[i] == 0)
            continue;
        snprintf(error, LISTEN_ERROR_MAX, "cannot listen on udp %s: %s; %s", where,
                 strerror(reasons[i]), advice(reasons[i]));
        if (!is_family_missing(reasons[i]))
            return -1;
    }
    if (listeners->n == 0)
        return -1;
    for (int i = 0; i < n; i++) {
        net_format(&addresses[i], where);
        if (reasons[i] != 0)
            log_info("not listening on udp %s: %s", where, strerror(reasons[i]));
    }
    return 0;
}

int
listen_open(struct listen *listeners, const char *host, uint16_t port, uint64_t receive_buffer,
            char error[LISTEN_ERROR_MAX])
{
    struct net_address addresses[NET_ADDRESSES_MAX];
    int n;

    listeners->n = 0;
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
    return 0;
}

void
listen_close(struct listen *listeners)
{
    while (listeners->n > 0)
        close(listeners->sockets[--listeners->n]);
}
