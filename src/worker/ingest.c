/*
 * ingest: see ingest.h. Knows nothing of lines.
 *
 * The kernel writes how long a datagram is behind all else of it, and a process that is killed dies
 * on its way out of the system call, so what a successor finds in the hand is what was taken off
 * the socket: no datagram more or less.
 *
 * Drops are read from SO_MEMINFO, which is exact at the moment it is asked; SO_RXQ_OVFL would tell
 * of a drop only with the next datagram that is queued after it, and cost a control message each.
 */
#include "worker/ingest.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>

#include "base/fault.h"

/* A process that is killed while the kernel waits for a page of a slot loses the datagram that was
 * to be written there, which counts as dropped. So the pages that ordinary datagrams need are
 * there. */
static void
touch(volatile char *slot)
{
    *slot = *slot;
}

/* The addresses are this process's own, what they say is whoever's wrote it. */
void
ingest_init(struct ingest *ingest, struct hand *hand, char *slots)
{
    *ingest = (struct ingest){.hand = hand, .n_written = HAND_DATAGRAMS};
    for (size_t i = 0; i < HAND_DATAGRAMS; i++) {
        hand->iov[i].iov_base = slots + i * HAND_DATAGRAM_MAX;
        hand->iov[i].iov_len = HAND_DATAGRAM_MAX;
        touch(slots + i * HAND_DATAGRAM_MAX);
        hand->headers[i].msg_hdr.msg_iov = &hand->iov[i];
        hand->headers[i].msg_hdr.msg_iovlen = 1;
        hand->headers[i].msg_hdr.msg_name = &hand->from[i].storage;
        hand->headers[i].msg_hdr.msg_control = NULL;
        hand->headers[i].msg_hdr.msg_controllen = 0;
        ingest->datagrams[i].bytes = hand->iov[i].iov_base;
        ingest->datagrams[i].from = &hand->from[i];
    }
}

/* Makes datagrams of the first n headers. */
static void
take_headers(struct ingest *ingest, int n)
{
    struct hand *hand = ingest->hand;

    for (int i = 0; i < n; i++) {
        const struct mmsghdr *header = &hand->headers[i];
        size_t len = header->msg_len;

        ingest->datagrams[i].len = len < HAND_DATAGRAM_MAX ? len : HAND_DATAGRAM_MAX;
        ingest->datagrams[i].truncated = (header->msg_hdr.msg_flags & MSG_TRUNC) != 0;
        hand->from[i].len = header->msg_hdr.msg_namelen < sizeof(hand->from[i].storage)
                                ? header->msg_hdr.msg_namelen
                                : sizeof(hand->from[i].storage);
    }
}

int
ingest_resume(struct ingest *ingest)
{
    int n = 0;

    if (ingest->hand->filled == 0)
        return 0;
    while (n < HAND_DATAGRAMS && ingest->hand->headers[n].msg_len != HAND_UNSEEN)
        n++;
    take_headers(ingest, n);
    return n;
}

/* Before the hand may be filled, it must be known how far it is. */
static void
open_hand(struct ingest *ingest)
{
    struct hand *hand = ingest->hand;

    for (int i = 0; i < HAND_DATAGRAMS; i++) {
        if (i < ingest->n_written)
            hand->headers[i].msg_len = HAND_UNSEEN;
        hand->headers[i].msg_hdr.msg_namelen = sizeof(hand->from[i].storage);
    }
    hand->serial++;
    hand->skipped = 0;
    hand->busy = 0;
    hand->at = hand->offset = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    hand->filled = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

int
ingest_read(struct ingest *ingest, int fd)
{
    int n, error;

    open_hand(ingest);
    do
        n = recvmmsg(fd, ingest->hand->headers, HAND_DATAGRAMS, MSG_DONTWAIT, NULL);
    while (n < 0 && errno == EINTR);
    error = -errno;
    fault_point("worker_received");
    ingest->n_written = n > 0 ? n : 0;
    if (n <= 0) {
        ingest_done(ingest);
        return n < 0 ? error : 0;
    }
    take_headers(ingest, n);
    return n;
}

void
ingest_done(struct ingest *ingest)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ingest->hand->filled = 0;
}

uint32_t
ingest_drops(int fd)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(info);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0 ||
        len < (SK_MEMINFO_DROPS + 1) * sizeof(info[0]))
        return 0;
    return info[SK_MEMINFO_DROPS];
}

uint64_t
ingest_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) != 0 || cookie == 0)
        return UINT64_MAX;
    return cookie;
}
