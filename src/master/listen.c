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
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/net.h"
#include "base/udp.h"
#include "worker/ingest.h"

#define RETRY_MS    10
#define PATIENCE_MS 5000

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

/* What was taken out of systemd's store is closed there a little later. */
static int
open_new(const struct net_address *address, bool in_use_for_a_while)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000};
    uint64_t deadline_ms = clock_mono_ms() + (in_use_for_a_while ? PATIENCE_MS : 0);
    int fd;

    while ((fd = udp_open(address)) == -EADDRINUSE && clock_mono_ms() < deadline_ms)
        nanosleep(&pause, NULL);
    return fd;
}

static void
add(struct listen *listeners, int fd, uint64_t receive_buffer)
{
    listeners->sockets[listeners->n] = fd;
    listeners->granted[listeners->n] = net_set_receive_buffer(fd, (size_t)receive_buffer);
    listeners->told_drops[listeners->n] = 0;
    listeners->n++;
}

/* Returns whether a socket of that address was handed over. The run before has told what one that
 * it had has dropped. */
static bool
add_old(struct listen *listeners, struct handover *handover, const struct net_address *address,
        uint64_t receive_buffer)
{
    const struct handover_socket *old = handover_use(handover, address);

    if (old == NULL)
        return false;
    add(listeners, old->fd, receive_buffer);
    if (old->number == SERVICE_OWN) {
        listeners->n_own++;
    } else {
        listeners->n_kept++;
        listeners->told_drops[listeners->n - 1] = ingest_drops(old->fd);
    }
    return true;
}

static int
open_all(struct listen *listeners, const struct net_address *addresses, int n,
         const struct listen_opts *opts, struct handover *handover, char error[LISTEN_ERROR_MAX])
{
    for (int i = 0; i < n; i++) {
        char where[NET_TEXT_MAX];
        int fd;

        if (add_old(listeners, handover, &addresses[i], opts->receive_buffer))
            continue;
        fd = open_new(&addresses[i], handover->dropped);
        if (fd >= 0) {
            add(listeners, fd, opts->receive_buffer);
            continue;
        }
        net_format(&addresses[i], where);
        snprintf(error, LISTEN_ERROR_MAX, "cannot listen on udp %s: %s; %s", where, strerror(-fd),
                 advice(-fd));
        if (!is_family_missing(-fd))
            return -1;
        listeners->missing = addresses[i];
        listeners->missing_reason = -fd;
    }
    return listeners->n > 0 ? 0 : -1;
}

/* The sockets that are there are the first thread's; every other thread gets as many on the same
 * addresses. Only now may they be shared, so that a second daemon was noticed. */
static int
open_for_threads(struct listen *listeners, const struct listen_opts *opts,
                 struct handover *handover)
{
    size_t n_first = listeners->n;

    if (n_first * opts->n_threads > WORKER_SOCKETS_MAX)
        return EMFILE;
    for (size_t i = n_first; i < n_first * opts->n_threads; i++) {
        struct net_address address;
        int first = listeners->sockets[i % n_first], fd;

        (void)udp_address(first, &address);
        if (add_old(listeners, handover, &address, opts->receive_buffer))
            continue;
        fd = udp_twin(first);
        if (fd < 0)
            return -fd;
        add(listeners, fd, opts->receive_buffer);
    }
    return 0;
}

/* Returns how many, or -1. */
static int
find_addresses(const struct listen_opts *opts, const struct handover *handover,
               struct net_address out[NET_ADDRESSES_MAX], char error[LISTEN_ERROR_MAX])
{
    int n;

    if (handover->n_own > 0) {
        n = handover_addresses(handover, out);
        if (n < 0)
            snprintf(error, LISTEN_ERROR_MAX,
                     "the service manager has opened sockets of more than %d addresses",
                     NET_ADDRESSES_MAX);
        return n;
    }
    n = net_lookup(opts->host, opts->port, SOCK_DGRAM, out);
    if (n > 0)
        return n;
    snprintf(error, LISTEN_ERROR_MAX,
             "cannot listen on %s: %s; set LISTEN_ADDRESS to an "
             "address of this machine",
             opts->host, gai_strerror(n));
    return -1;
}

static int
restrict_old(struct handover *handover, const struct net_address *addresses, int n,
             unsigned n_threads, char error[LISTEN_ERROR_MAX])
{
    const struct handover_socket *idle =
        handover_restrict(handover, addresses, (size_t)n, n_threads);
    char where[NET_TEXT_MAX];

    if (idle == NULL)
        return 0;
    net_format(&idle->address, where);
    snprintf(error, LISTEN_ERROR_MAX,
             "the service manager has opened more sockets for udp %s than THREADS (%u) read; set "
             "THREADS to as many",
             where, n_threads);
    return -1;
}

static int
open_sockets(struct listen *listeners, const struct listen_opts *opts, struct handover *handover,
             char error[LISTEN_ERROR_MAX])
{
    struct net_address addresses[NET_ADDRESSES_MAX];
    int n = find_addresses(opts, handover, addresses, error), reason;

    if (n < 0 || restrict_old(handover, addresses, n, opts->n_threads, error) != 0 ||
        open_all(listeners, addresses, n, opts, handover, error) != 0)
        return -1;
    reason = open_for_threads(listeners, opts, handover);
    if (reason == 0)
        return 0;
    snprintf(error, LISTEN_ERROR_MAX,
             "cannot open sockets for %u threads: %s; set THREADS to fewer", opts->n_threads,
             strerror(reason));
    return -1;
}

int
listen_open(struct listen *listeners, const struct listen_opts *opts, struct handover *handover,
            char error[LISTEN_ERROR_MAX])
{
    struct net_address first;

    *listeners = (struct listen){.n = 0};
    if (open_sockets(listeners, opts, handover, error) != 0) {
        listen_close(listeners);
        return -1;
    }
    (void)udp_address(listeners->sockets[0], &first);
    listeners->port = net_port(&first);
    return 0;
}

static void
log_buffer(int fd, long granted, uint64_t wanted)
{
    struct net_address address;
    char where[NET_TEXT_MAX];

    (void)udp_address(fd, &address);
    net_format(&address, where);
    if (granted < 0) {
        log_warnx("udp %s: cannot set the receive buffer to %" PRIu64
                  " bytes: %s; it stays as it is",
                  where, wanted, strerror((int)-granted));
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
    if (listeners->n_own > 0)
        log_info("the service manager has opened the sockets: LISTEN_ADDRESS and "
                 "LOCAL_PYSTATD_PORT are not looked at");
    if (listeners->n_kept > 0)
        log_info("going on with %zu sockets of the run before, and what they hold",
                 listeners->n_kept);
    for (size_t i = 0; i < listeners->n; i++)
        log_buffer(listeners->sockets[i], listeners->granted[i], receive_buffer);
}

void
listen_close(struct listen *listeners)
{
    while (listeners->n > 0)
        close(listeners->sockets[--listeners->n]);
}
