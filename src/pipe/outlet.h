/*
 * outlet: the worker's end of the pipe. Gathers payload into frames; a write never blocks. What the
 * pipe does not take waits in a backlog of limited size, in order.
 */
#ifndef PIPE_OUTLET_H
#define PIPE_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "pipe/frame.h"

struct outlet {
    int fd;
    uint64_t sequence;
    uint64_t flush_id;
    struct buf payload; /* of the frame at hand, over packet */
    uint8_t packet[FRAME_MAX];
    uint8_t *backlog; /* a ring of n_slots packets of FRAME_MAX bytes */
    size_t n_slots, first, n_waiting;
};

/* Over the write end fd of an O_DIRECT pipe, non-blocking; the caller keeps and closes it. The
 * backlog takes up to backlog_size bytes, of memory only while it is used. The struct must not be
 * moved afterwards. Returns 0 or -errno. */
int outlet_init(struct outlet *outlet, int fd, size_t backlog_size);

/* Gives the backlog back; fine on a zeroed struct. */
void outlet_release(struct outlet *outlet);

/* The frames to come belong to this flush. */
void outlet_begin(struct outlet *outlet, uint64_t flush_id);

/* Sends the payload gathered as one frame, with flags. Returns 0 and an empty payload, or -errno
 * with the payload kept: -EAGAIN when pipe and backlog are full. */
int outlet_send(struct outlet *outlet, uint16_t flags);

/* Writes what waits in the backlog. Returns 0 when it is empty, or -errno: -EAGAIN when the pipe is
 * full. */
int outlet_drain(struct outlet *outlet);

#endif
