/*
 * listen: the UDP sockets, bound while that is still allowed.
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "master/handover.h"
#include "worker/worker.h"

#define LISTEN_ERROR_MAX 1024

struct listen_opts {
    const char *host; /* "": all addresses of this machine, IPv4 and IPv6 */
    uint16_t port;
    uint64_t receive_buffer;
    unsigned n_threads;
};

struct listen {
    int sockets[WORKER_SOCKETS_MAX];
    long granted[WORKER_SOCKETS_MAX]; /* receive buffer, as net_set_receive_buffer gives it */
    uint32_t told_drops[WORKER_SOCKETS_MAX]; /* see worker/worker.h */
    size_t n;
    size_t n_kept;              /* of them, by the run before */
    size_t n_own;               /* of them, the service manager's own */
    uint16_t port;              /* of the first */
    struct net_address missing; /* the last address that the machine has no family for */
    int missing_reason;         /* its errno; 0 for none */
};

/* Binds n_threads sockets to every address of host, and asks for receive_buffer bytes on each. What
 * was handed over is used where it fits, with what it has queued, and closed where not; sockets
 * that are the service manager's own take the place of host and port. A family that the machine
 * does not have is passed over as long as one socket opens. Returns 0, or -1 with one line in error
 * that says what cannot be done and what to do; nothing is then open. */
int listen_open(struct listen *listeners, const struct listen_opts *opts, struct handover *handover,
                char error[LISTEN_ERROR_MAX]);

/* Logs what is not as asked for, and what receive buffers the kernel granted. */
void listen_log(const struct listen *listeners, uint64_t receive_buffer);

/* Closes all sockets; fine on a zeroed struct. */
void listen_close(struct listen *listeners);

#endif
