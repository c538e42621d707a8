/*
 * handover: owns which of the sockets are a service manager's as well. Must not know what the
 * settings ask for.
 */
#include "master/handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/udp.h"

/* Its own first, then as they were opened: systemd hands them over in the order that it likes. */
static int
by_number(const void *a, const void *b)
{
    const struct handover_socket *x = a, *y = b;

    return x->number != y->number ? x->number - y->number : x->fd - y->fd;
}

static void
drop(struct handover *handover, const struct service_fd *taken)
{
    service_drop(taken->number);
    close(taken->fd);
    handover->dropped = true;
}

/* Returns 0 or -errno. */
static int
add(struct handover *handover, const struct service_fd *taken)
{
    struct handover_socket *socket = &handover->sockets[handover->n];
    int error;

    *socket = (struct handover_socket){.fd = taken->fd, .number = taken->number};
    error = udp_adopt(taken->fd, &socket->address);
    if (taken->number >= handover->next_number)
        handover->next_number = taken->number + 1;
    if (error == 0) {
        handover->n++;
        handover->n_own += taken->number == SERVICE_OWN;
    } else if (taken->number != SERVICE_OWN) {
        drop(handover, taken);
        return 0;
    }
    return error;
}

int
handover_take(struct handover *handover, char error[HANDOVER_ERROR_MAX])
{
    struct service_fd taken[SERVICE_FDS_MAX];
    int n = service_take(taken);

    if (n < 0) {
        snprintf(error, HANDOVER_ERROR_MAX, "cannot take what LISTEN_FDS says: %s", strerror(-n));
        return -1;
    }
    for (int i = 0; i < n; i++) {
        if (add(handover, &taken[i]) == 0)
            continue;
        snprintf(error, HANDOVER_ERROR_MAX,
                 "descriptor %d that the service manager has opened is no bound UDP socket; "
                 "its unit may have nothing but ListenDatagram= with a port",
                 taken[i].fd);
        return -1;
    }
    qsort(handover->sockets, handover->n, sizeof(handover->sockets[0]), by_number);
    return n > 0 ? taken[n - 1].fd : STDERR_FILENO;
}

static size_t
count(const struct net_address *addresses, size_t n, const struct net_address *address)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += net_same(&addresses[i], address);
    return found;
}

int
handover_addresses(const struct handover *handover, struct net_address out[NET_ADDRESSES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < handover->n_own; i++) {
        const struct net_address *address = &handover->sockets[i].address;

        if (count(out, n, address) > 0)
            continue;
        if (n == NET_ADDRESSES_MAX)
            return -1;
        out[n++] = *address;
    }
    return (int)n;
}

/* How many of the first n sockets have that address. */
static size_t
count_before(const struct handover *handover, size_t n, const struct net_address *address)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += net_same(&handover->sockets[i].address, address);
    return found;
}

const struct handover_socket *
handover_restrict(struct handover *handover, const struct net_address *addresses, size_t n,
                  size_t n_each)
{
    size_t n_left = 0;

    for (size_t i = 0; i < handover->n; i++) {
        const struct handover_socket *socket = &handover->sockets[i];

        if (count(addresses, n, &socket->address) > 0 &&
            count_before(handover, n_left, &socket->address) < n_each)
            handover->sockets[n_left++] = *socket;
        else if (socket->number == SERVICE_OWN)
            return socket;
        else
            drop(handover, &(struct service_fd){.fd = socket->fd, .number = socket->number});
    }
    handover->n = n_left;
    return NULL;
}

const struct handover_socket *
handover_use(struct handover *handover, const struct net_address *address)
{
    for (size_t i = 0; i < handover->n; i++) {
        struct handover_socket *socket = &handover->sockets[i];

        if (!socket->used && net_same(&socket->address, address)) {
            socket->used = true;
            return socket;
        }
    }
    return NULL;
}

static bool
is_held(const struct handover *handover, int fd)
{
    for (size_t i = 0; i < handover->n; i++) {
        if (handover->sockets[i].fd == fd)
            return true;
    }
    return false;
}

void
handover_keep(struct handover *handover, const int *sockets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_held(handover, sockets[i]))
            service_keep(sockets[i], handover->next_number++);
    }
}
