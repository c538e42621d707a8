/*
 * pace: how fast a backlog follows what is live: at most four times as many lines, and where live
 * flushes have become smaller than old ones, four flushes in the time of one. Pure: time is an
 * argument.
 */
#ifndef SENDER_PACE_H
#define SENDER_PACE_H

#include <stdint.h>

struct pace {
    uint64_t live_lines, live_ms; /* of the live flush before, and when it came; 0: none yet */
    uint64_t interval_ms;         /* between the last two */
    uint64_t due_ms;              /* nothing of the backlog goes before */
};

/* No flush yet, and the backlog may begin. */
void pace_init(struct pace *pace);

/* A live flush has come. */
void pace_live(struct pace *pace, uint64_t n_lines, uint64_t now_ms);

/* A flush of the backlog has gone: the next is due later. */
void pace_sent(struct pace *pace, uint64_t n_lines, uint64_t now_ms);

#endif
