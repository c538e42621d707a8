/*
 * ingest: datagrams out of a socket, many at a time.
 */
#ifndef WORKER_INGEST_H
#define WORKER_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/net.h"

#define INGEST_BATCH        64
#define INGEST_DATAGRAM_MAX 65536

/* Valid until the next read. */
struct datagram {
    const char *bytes;
    size_t len;
    bool truncated; /* its end did not fit */
    const struct net_address *from;
};

struct ingest {
    char *slots; /* INGEST_BATCH × INGEST_DATAGRAM_MAX */
    struct datagram datagrams[INGEST_BATCH];
    struct net_address from[INGEST_BATCH];
    struct iovec *iov;
    struct mmsghdr *headers;
};

/* Takes the memory for one batch. Returns 0 or -errno. */
int ingest_init(struct ingest *ingest);

/* Gives it back; fine on a zeroed struct. */
void ingest_release(struct ingest *ingest);

/* Reads what the socket has, at most a batch, into ingest->datagrams. Returns how many, or -errno:
 * -EAGAIN when there is nothing. */
int ingest_read(struct ingest *ingest, int fd);

/* How many datagrams the kernel has dropped for this socket since it was opened, modulo 2^32;
 * 0 where the kernel does not tell. */
uint32_t ingest_drops(int fd);

#endif
