/*
 * peer: owns the socket and the addresses it may be for. It decides what an error means: nothing to
 * the next datagram, another socket, or another address. Must not know what is in a datagram.
 *
 * A UDP socket is connected, so that the kernel tells of a port that nobody listens on: at once on
 * this machine, on others with one of the next datagrams, which is then not sent and tried again.
 * It is never connected twice: after a fork parent and child share it.
 */
#include "client/peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HASTE_MS 1000 /* between lookups while something is wrong */

uint64_t
peer_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int
peer_init(struct peer *peer, const char *host, unsigned port, uint64_t resolve_ms)
{
    *peer = (struct peer){.fd = -1, .port = port, .resolve_ms = resolve_ms, .is_suspect = true};
    if (lookup_numeric(host, port, &peer->addresses))
        return 0;
    int error = lookup_now(host, port, &peer->addresses);
    if (error != 0 && error != -EAGAIN)
        return error;
    if ((peer->host = strdup(host)) == NULL)
        return -ENOMEM;
    peer->asked_ms = peer_clock_ms();
    peer->ask_ms = peer->asked_ms + (error == 0 ? resolve_ms : HASTE_MS);
    return 0;
}

int
peer_init_unix(struct peer *peer, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool is_abstract = path[0] == '@';
    size_t len = strlen(path);

    *peer = (struct peer){.fd = -1, .is_unix = true};
    if (len >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, len);
    if (is_abstract)
        address.sun_path[0] = '\0';
    memcpy(&peer->addresses.at[0], &address, sizeof address);
    peer->addresses.lens[0] =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !is_abstract);
    peer->addresses.n = 1;
    return 0;
}

/* Some programs close all the descriptors they find when they become daemons. The number may be
 * another socket's by now, which is not ours to write to, nor to close. */
static bool
is_ours(const struct peer *peer)
{
    struct stat now;

    return peer->fd >= 0 && fstat(peer->fd, &now) == 0 && now.st_dev == peer->device &&
           now.st_ino == peer->inode;
}

static void
close_socket(struct peer *peer)
{
    if (is_ours(peer))
        close(peer->fd);
    peer->fd = -1;
}

void
peer_release(struct peer *peer)
{
    close_socket(peer);
    lookup_abandon(peer->lookup);
    free(peer->host);
    peer->lookup = NULL;
    peer->host = NULL;
}

void
peer_forked(struct peer *peer)
{
    lookup_forget(peer->lookup);
    peer->lookup = NULL;
}

/* A Unix socket is not connected: the name may be another server's by the next datagram. */
static int
open_socket(struct peer *peer)
{
    const struct sockaddr_storage *address = &peer->addresses.at[peer->current];
    struct stat made;
    int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &made) != 0 ||
        (!peer->is_unix &&
         connect(fd, (const struct sockaddr *)address, peer->addresses.lens[peer->current]) != 0)) {
        int error = -errno;
        close(fd);
        return error;
    }
    peer->fd = fd;
    peer->device = made.st_dev;
    peer->inode = made.st_ino;
    peer->is_suspect = !peer->is_unix;
    return 0;
}

/* What the kernel has heard of a datagram that it took. */
static int
pending_error(const struct peer *peer)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return -errno;
    return -error;
}

static int
send_once(struct peer *peer, const void *data, size_t len)
{
    const void *address = peer->is_unix ? &peer->addresses.at[0] : NULL;
    socklen_t address_len = peer->is_unix ? peer->addresses.lens[0] : 0;

    if (!is_ours(peer)) {
        peer->fd = -1;
        int error = open_socket(peer);
        if (error != 0)
            return error;
    }
    if (sendto(peer->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, address, address_len) < 0)
        return -errno;
    int error = peer->is_suspect ? pending_error(peer) : 0;
    peer->is_suspect = error != 0;
    return error;
}

/* Whether another try can end otherwise. */
static bool
is_worth_a_try(int error)
{
    switch (error) {
    case 0:
    case -EAGAIN:
    case -EMSGSIZE:
    case -ENOBUFS:
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE: return false;
    default: return true;
    }
}

/* What the next try is with. */
static void
move_on(struct peer *peer, int error)
{
    peer->is_suspect = !peer->is_unix;
    if (error != -ECONNREFUSED || peer->addresses.n > 1)
        close_socket(peer);
    if (peer->addresses.n > 1 && peer->fd < 0)
        peer->current = (peer->current + 1) % peer->addresses.n;
}

static bool
holds(const struct lookup_addresses *addresses, const struct sockaddr_storage *address,
      socklen_t len, unsigned *out)
{
    for (unsigned i = 0; i < addresses->n; i++) {
        if (addresses->lens[i] == len && memcmp(&addresses->at[i], address, len) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* The socket stays where its address is one of them. */
static void
adopt(struct peer *peer, const struct lookup_addresses *found)
{
    unsigned current = 0;

    if (peer->addresses.n == 0 || !holds(found, &peer->addresses.at[peer->current],
                                         peer->addresses.lens[peer->current], &current))
        close_socket(peer);
    peer->addresses = *found;
    peer->current = current;
}

/* Takes the answer of a lookup, and starts one that is due. One that fails leaves all as it is. */
static void
look_up_again(struct peer *peer)
{
    struct lookup_addresses found;
    uint64_t now_ms = peer_clock_ms();
    int error;

    if (peer->lookup != NULL && lookup_finish(peer->lookup, &found, &error)) {
        peer->lookup = NULL;
        peer->ask_ms = now_ms + (error == 0 ? peer->resolve_ms : HASTE_MS);
        if (error == 0)
            adopt(peer, &found);
    }
    if (peer->lookup == NULL && now_ms >= peer->ask_ms) {
        peer->asked_ms = now_ms;
        peer->ask_ms = now_ms + HASTE_MS; /* where it cannot be started */
        lookup_start(peer->host, peer->port, &peer->lookup);
    }
}

/* The host may have moved. */
static void
hasten(struct peer *peer)
{
    if (peer->ask_ms > peer->asked_ms + HASTE_MS)
        peer->ask_ms = peer->asked_ms + HASTE_MS;
}

static int
send_somewhere(struct peer *peer, const void *data, size_t len)
{
    int error = -EHOSTUNREACH;

    if (peer->host != NULL)
        look_up_again(peer);
    /* Once more than there are addresses: the first try may only hear of a datagram before. */
    for (unsigned i = 0; peer->addresses.n > 0 && i <= peer->addresses.n; i++) {
        error = send_once(peer, data, len);
        if (!is_worth_a_try(error))
            return error;
        move_on(peer, error);
        hasten(peer);
    }
    return error;
}

int
peer_send(struct peer *peer, const void *data, size_t len)
{
    int before;

    /* Its caller holds a lock that a cancelled thread would keep for ever. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    int error = send_somewhere(peer, data, len);
    pthread_setcancelstate(before, NULL);
    return error;
}
