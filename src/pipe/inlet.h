/*
 * inlet: the sender's end of the pipe. What arrives is checked, never trusted.
 *
 * A flush's frames come in order from its first. Where a worker died within a flush, or a sender
 * before this one, its frames come anew from the first on; what then still stands in the pipe of
 * the try before is passed over.
 */
#ifndef PIPE_INLET_H
#define PIPE_INLET_H

#include <stdint.h>

#include "pipe/frame.h"

struct inlet {
    int fd;
    uint64_t flush_id; /* of the frame before */
    uint64_t next_sequence;
    uint64_t n_bad;   /* packets that were no frame */
    uint64_t n_stale; /* frames that do not follow the one before and are no flush's first */
    enum frame_error last_error;
    uint8_t packet[FRAME_MAX];
};

/* One frame; the payload is borrowed until the next read. */
struct frame {
    struct frame_header header;
    const uint8_t *payload;
};

enum inlet_result {
    INLET_FRAME, /* *out is filled: the first of its flush, or what follows the frame before */
    INLET_EMPTY, /* nothing there now */
    INLET_BAD,   /* a packet that is no frame was counted and passed over */
    INLET_STALE, /* a frame that does not follow was counted and passed over */
    INLET_END,   /* every writer is gone */
};

/* Over the read end fd of an O_DIRECT pipe, non-blocking; the caller keeps and closes it. */
void inlet_init(struct inlet *inlet, int fd);

/* Takes one packet from the pipe. */
enum inlet_result inlet_read(struct inlet *inlet, struct frame *out);

#endif
