/*
 * ingest: see ingest.h. Knows nothing of lines.
 *
 * Drops are read from SO_MEMINFO, which is exact at the moment it is asked; SO_RXQ_OVFL would tell
 * of a drop only with the next datagram that is queued after it, and cost a control message each.
 */
#include "worker/ingest.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS_LEN ((size_t)INGEST_BATCH * INGEST_DATAGRAM_MAX)

static void
lay_out(struct ingest *ingest)
{
    for (size_t i = 0; i < INGEST_BATCH; i++) {
        ingest->iov[i].iov_base = ingest->slots + i * INGEST_DATAGRAM_MAX;
        ingest->iov[i].iov_len = INGEST_DATAGRAM_MAX;
        ingest->headers[i].msg_hdr.msg_iov = &ingest->iov[i];
        ingest->headers[i].msg_hdr.msg_iovlen = 1;
        ingest->headers[i].msg_hdr.msg_name = &ingest->from[i].storage;
        ingest->datagrams[i].bytes = ingest->iov[i].iov_base;
        ingest->datagrams[i].from = &ingest->from[i];
    }
}

int
ingest_init(struct ingest *ingest)
{
    memset(ingest, 0, sizeof(*ingest));
    ingest->iov = calloc(INGEST_BATCH, sizeof(*ingest->iov));
    ingest->headers = calloc(INGEST_BATCH, sizeof(*ingest->headers));
    ingest->slots =
        mmap(NULL, SLOTS_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ingest->slots == MAP_FAILED)
        ingest->slots = NULL;
    if (ingest->iov == NULL || ingest->headers == NULL || ingest->slots == NULL) {
        ingest_release(ingest);
        return -ENOMEM;
    }
    lay_out(ingest);
    return 0;
}

void
ingest_release(struct ingest *ingest)
{
    if (ingest->slots != NULL)
        munmap(ingest->slots, SLOTS_LEN);
    free(ingest->iov);
    free(ingest->headers);
    memset(ingest, 0, sizeof(*ingest));
}

int
ingest_read(struct ingest *ingest, int fd)
{
    int n;

    for (size_t i = 0; i < INGEST_BATCH; i++)
        ingest->headers[i].msg_hdr.msg_namelen = sizeof(ingest->from[i].storage);
    do
        n = recvmmsg(fd, ingest->headers, INGEST_BATCH, MSG_DONTWAIT, NULL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        const struct mmsghdr *header = &ingest->headers[i];

        ingest->datagrams[i].len = header->msg_len;
        ingest->datagrams[i].truncated = (header->msg_hdr.msg_flags & MSG_TRUNC) != 0;
        ingest->from[i].len = header->msg_hdr.msg_namelen;
    }
    return n;
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
