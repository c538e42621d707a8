/*
 * intake: the worker's frames become flushes that are committed whole: gathered in private memory,
 * and with the last frame handed on to where a kill does not reach them. Only then is the worker
 * told, who keeps the flush until then and sends it anew where this process was killed.
 */
#ifndef SENDER_INTAKE_H
#define SENDER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "pipe/inlet.h"
#include "sender/batch.h"
#include "sender/delivery.h"
#include "sender/sender.h"

struct intake {
    const struct sender_opts *opts;
    struct delivery *delivery;
    struct inlet inlet;
    struct batch *incoming; /* the flush whose frames are arriving, or NULL */
    bool passing;           /* it was taken before, and is passed over */
    bool has_ended;         /* every writer of the pipe is gone */
    bool lacks;             /* something of a flush was lost: it is to be sent anew */
    uint64_t broken_id;     /* the flush that held what is no record, last */
    unsigned n_broken;      /* frames of it, of all its tries */
    uint64_t asked_ms;      /* monotonic: for that, last */
};

/* Tells the worker how far the sender before this one has come, and that a new one is there.
 * Borrows both. */
void intake_init(struct intake *intake, const struct sender_opts *opts, struct delivery *delivery);

/* Forgets a flush that is not whole. */
void intake_release(struct intake *intake);

/* Takes the frames that are there, within limits. */
void intake_read(struct intake *intake);

#endif
