/*
 * inlet: see inlet.h.
 */
#include "pipe/inlet.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
inlet_init(struct inlet *inlet, int fd)
{
    memset(inlet, 0, sizeof(*inlet));
    inlet->fd = fd;
}

/* A writer counts from 0, so a frame 0 out of turn is a new writer and nothing missed; before the
 * first frame a new reader cannot know. */
static void
follow(struct inlet *inlet, uint64_t sequence)
{
    if (inlet->next_sequence != 0 && sequence > inlet->next_sequence)
        inlet->n_missed += sequence - inlet->next_sequence;
    inlet->next_sequence = sequence + 1;
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
    follow(inlet, out->header.sequence);
    return INLET_FRAME;
}
