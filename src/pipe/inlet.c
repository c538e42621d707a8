/*
 * inlet: see inlet.h.
 */
#include "pipe/inlet.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

void
inlet_init(struct inlet *inlet, int fd)
{
    memset(inlet, 0, sizeof(*inlet));
    inlet->fd = fd;
}

static bool
follows(struct inlet *inlet, const struct frame_header *header)
{
    if (header->sequence != 0 &&
        (header->flush_id != inlet->flush_id || header->sequence != inlet->next_sequence))
        return false;
    inlet->flush_id = header->flush_id;
    inlet->next_sequence = header->sequence + 1;
    return true;
}

enum inlet_result
inlet_read(struct inlet *inlet, struct frame *out)
{
    ssize_t n;

    do
        n = read(inlet->fd, inlet->packet, sizeof(inlet->packet));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? INLET_EMPTY : INLET_END;
    if (n == 0)
        return INLET_END;
    inlet->last_error = frame_check(inlet->packet, (size_t)n, &out->header);
    if (inlet->last_error != FRAME_OK) {
        inlet->n_bad++;
        return INLET_BAD;
    }
    out->payload = inlet->packet + sizeof(struct frame_header);
    if (follows(inlet, &out->header))
        return INLET_FRAME;
    inlet->n_stale++;
    return INLET_STALE;
}
