/*
 * outlet: see outlet.h.
 */
#include "pipe/outlet.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
outlet_init(struct outlet *outlet, int fd)
{
    memset(outlet, 0, sizeof(*outlet));
    outlet->fd = fd;
    buf_init_fixed(&outlet->payload, outlet->packet + sizeof(struct frame_header),
                   FRAME_PAYLOAD_MAX);
}

void
outlet_begin(struct outlet *outlet, uint64_t flush_id, uint64_t end_ms)
{
    outlet->flush_id = flush_id;
    outlet->end_ms = end_ms;
    outlet->sequence = 0;
    outlet->payload.len = 0;
}

int
outlet_send(struct outlet *outlet, uint16_t flags)
{
    struct frame_header header = {
        .len = (uint16_t)outlet->payload.len,
        .flags = flags,
        .sequence = outlet->sequence,
        .flush_id = outlet->flush_id,
        .end_ms = outlet->end_ms,
    };
    size_t len = frame_seal(outlet->packet, &header);
    ssize_t n;

    do
        n = write(outlet->fd, outlet->packet, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    outlet->sequence++;
    outlet->payload.len = 0;
    return 0;
}
