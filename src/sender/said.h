/*
 * said: which kinds of events the sender tells of once a minute, whichever sender it is.
 */
#ifndef SENDER_SAID_H
#define SENDER_SAID_H

#include "sender/sender.h"

enum said {
    SAID_FOREIGN,   /* the arena is of another version */
    SAID_UNSOUND,   /* its counts are damaged */
    SAID_CORRUPT,   /* or its lines are, as was found at the start */
    SAID_DAMAGED,   /* or later */
    SAID_REFUSED,   /* lines that carbon would not take */
    SAID_UNCERTAIN, /* that it may have taken */
    SAID_NO_ROOM,   /* lines that are left out of a flush */
    SAID_NO_MEMORY,
    SAID_BAD_PACKET, /* from the worker */
    SAID_UNFINISHED, /* a flush */
    SAID_UNSHOWN,    /* --debug's print of one */
    SAID_GAUGES,     /* GAUGES_FILE cannot be written */
    SAID_NO_SPOOL,
    SAID_UNWRITABLE, /* the spool */
    SAID_BAD_FILE,   /* in the spool */
    SAID_IGNORED,    /* or some that are none to be read */
    SAID_QUEUE_FULL, /* a flush is dropped for want of room */
    SAID_SPOOL_FULL, /* or for the spool's limits */
    SAID_GONE,       /* lines that were in the spool */
    SAID_COUNT,
};

_Static_assert(SAID_COUNT <= BOARD_LIMITS, "the board has room");

static inline struct log_limit *
said_limit(const struct sender_opts *opts, enum said what)
{
    return &opts->board->said[BOARD_SENDER][what];
}

#endif
