/*
 * ingest: datagrams out of a socket, many at a time, straight into the hand.
 */
#ifndef WORKER_INGEST_H
#define WORKER_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net.h"
#include "worker/hand.h"

/* Valid until the next read. */
struct datagram {
    const char *bytes;
    size_t len;
    bool truncated; /* its end did not fit */
    const struct net_address *from;
};

struct ingest {
    struct hand *hand;
    struct datagram datagrams[HAND_DATAGRAMS];
    int n_written; /* of the hand's headers, at most, since they were made unseen */
};

/* Over a hand and its HAND_SLOTS bytes of slots, both as a predecessor may have left them. */
void ingest_init(struct ingest *ingest, struct hand *hand, char *slots);

/* What a predecessor has left in the hand: how many datagrams, 0 for none. */
int ingest_resume(struct ingest *ingest);

/* Reads what the socket has, at most HAND_DATAGRAMS, into ingest->datagrams. Returns how many, or
 * -errno: -EAGAIN when there is nothing. */
int ingest_read(struct ingest *ingest, int fd);

/* Nothing is in the hand any more. */
void ingest_done(struct ingest *ingest);

/* How many datagrams the kernel has dropped for this socket since it was opened, modulo 2^32;
 * 0 where the kernel does not tell. */
uint32_t ingest_drops(int fd);

/* What tells the socket from any other that the machine has had since it was booted, never 0. */
uint64_t ingest_cookie(int fd);

#endif
