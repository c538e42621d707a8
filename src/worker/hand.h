/*
 * hand: the datagrams that an ingest thread has taken from the kernel and not dealt with. It
 * outlives the process: the kernel writes straight into it, and where the thread stands in it moves
 * on with every line.
 */
#ifndef WORKER_HAND_H
#define WORKER_HAND_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/net.h"

#define HAND_DATAGRAMS    64
#define HAND_DATAGRAM_MAX 65536
#define HAND_SLOTS        ((size_t)HAND_DATAGRAMS * HAND_DATAGRAM_MAX)
#define HAND_LINES        256

/* In msg_len: the kernel has not written this one. */
#define HAND_UNSEEN UINT32_MAX

/* In a verdict: the rest is an enum parse_error; else all of it is an enum table_verdict. */
#define HAND_BAD 0x80u

struct hand {
    uint64_t serial;  /* of the datagrams at hand, one more each time */
    uint32_t filled;  /* there may be some */
    uint32_t busy;    /* the one whose bytes are being looked at */
    uint64_t skipped; /* one bit a datagram: it is not to be looked at again */
    /* The one that was busy when a process died of itself, as serial × HAND_DATAGRAMS + busy, and
     * how often. */
    uint64_t suspect;
    uint32_t n_deaths;
    uint32_t unused;
    /* Where the batch of lines at hand begins: a datagram, and the offset in it. Noted, as one. */
    uint32_t at, offset;
    uint8_t verdicts[HAND_LINES]; /* of the batch's lines that are applied */
    struct mmsghdr headers[HAND_DATAGRAMS];
    struct iovec iov[HAND_DATAGRAMS];
    struct net_address from[HAND_DATAGRAMS];
};

#endif
