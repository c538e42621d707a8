/*
 * said: which kinds of events the worker tells of once a minute, whichever worker it is.
 */
#ifndef WORKER_SAID_H
#define WORKER_SAID_H

#include "worker/worker.h"

enum said {
    SAID_FOREIGN,     /* the arena is of another version, or of other settings */
    SAID_BROKEN,      /* it is not sound */
    SAID_GAUGES,      /* GAUGES_FILE has been read */
    SAID_NO_GAUGES,   /* or cannot be */
    SAID_QUARANTINED, /* a datagram */
    SAID_UNSAVED,     /* which could not be written */
    SAID_REFUSED,     /* lines, for want of room */
    SAID_DROPS,       /* the kernel's, of datagrams */
    SAID_SET_BACK,    /* the clock */
    SAID_COUNT,
};

_Static_assert(SAID_COUNT <= BOARD_LIMITS, "the board has room");

static inline struct log_limit *
said_limit(const struct worker_opts *opts, enum said what)
{
    return &opts->board->said[BOARD_WORKER][what];
}

#endif
