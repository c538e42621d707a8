/*
 * listen: the UDP sockets, bound while that is still allowed.
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "worker/worker.h"

#define LISTEN_ERROR_MAX 1024

struct listen {
    int sockets[WORKER_SOCKETS_MAX];
    size_t n;
};

/* Binds a socket to every address of host ("": all of this machine, IPv4 and IPv6), and asks for
 * receive_buffer bytes on each. A family that the machine does not have is passed over as long as
 * one socket opens. Logs what the kernel granted. Returns 0, or -1 with one line in error that says
 * what cannot be done and what to do; nothing is then open. */
int listen_open(struct listen *listeners, const char *host, uint16_t port, uint64_t receive_buffer,
                char error[LISTEN_ERROR_MAX]);

/* Closes all sockets; fine on a zeroed struct. */
void listen_close(struct listen *listeners);

#endif
