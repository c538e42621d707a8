/*
 * handover: UDP sockets that outlive the daemon. A service manager hands over at start those that
 * an earlier run has given it to keep, and those that it has opened itself.
 */
#ifndef MASTER_HANDOVER_H
#define MASTER_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/net.h"
#include "master/service.h"

#define HANDOVER_ERROR_MAX 256

struct handover_socket {
    int fd;
    int number; /* see struct service_fd */
    bool used;  /* by the caller, who then closes it */
    struct net_address address;
};

/* Zero-initialised: none. */
struct handover {
    struct handover_socket sockets[SERVICE_FDS_MAX]; /* the service manager's own are the first */
    size_t n;
    size_t n_own;
    int next_number;
    bool dropped; /* something was: what has its address may be told that it is in use, for a while
                   */
};

/* Takes what there is: to be called before another descriptor is opened. Returns the highest
 * descriptor that the service manager has opened, STDERR_FILENO where there is none, or -1 with one
 * line in error where what it hands over is of no use. */
int handover_take(struct handover *handover, char error[HANDOVER_ERROR_MAX]);

/* The addresses of the service manager's own sockets, each once. Returns how many, or -1 where
 * there are more than NET_ADDRESSES_MAX. */
int handover_addresses(const struct handover *handover, struct net_address out[NET_ADDRESSES_MAX]);

/* Closes all but n_each sockets of each address, here and where they are kept. Those that are the
 * service manager's own would be filled by it and read by nobody: returns the first of them that
 * there is no use for, or NULL. */
const struct handover_socket *handover_restrict(struct handover *handover,
                                                const struct net_address *addresses, size_t n,
                                                size_t n_each);

/* The next socket of that address that is not used, which it now is, or NULL. Valid as long as the
 * handover. */
const struct handover_socket *handover_use(struct handover *handover,
                                           const struct net_address *address);

/* Gives the service manager the n sockets to keep, but for those that it has. */
void handover_keep(struct handover *handover, const int *sockets, size_t n);

#endif
