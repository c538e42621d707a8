/*
 * outlet: the worker's end of the pipe. Gathers payload into frames; a write never blocks.
 */
#ifndef PIPE_OUTLET_H
#define PIPE_OUTLET_H

#include <stdint.h>

#include "base/buf.h"
#include "pipe/frame.h"

struct outlet {
    int fd;
    uint64_t sequence, flush_id, end_ms; /* of the frame at hand */
    struct buf payload;                  /* the same, over packet */
    uint8_t packet[FRAME_MAX];
};

/* Over the write end fd of an O_DIRECT pipe, non-blocking; the caller keeps and closes it. The
 * struct must not be moved afterwards. */
void outlet_init(struct outlet *outlet, int fd);

/* The frames to come belong to this flush, from its first on. */
void outlet_begin(struct outlet *outlet, uint64_t flush_id, uint64_t end_ms);

/* Sends the payload gathered as one frame, with flags. Returns 0 and an empty payload, or -errno
 * with the payload kept: -EAGAIN when the pipe is full. */
int outlet_send(struct outlet *outlet, uint16_t flags);

#endif
