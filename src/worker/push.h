/*
 * push: an interval on its way: its metrics, then the own statistics, into the pipe; when the
 * sender has all of it in memory that outlives the processes, what it was made of is cleared. It
 * stops where the pipe is full, or where others want their turn, and goes on from there. Where the
 * sender dies before it has all, everything is sent anew.
 */
#ifndef WORKER_PUSH_H
#define WORKER_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/board.h"
#include "metric/flush.h"
#include "pipe/outlet.h"
#include "worker/selfstat.h"

enum push_state {
    PUSH_DONE,      /* nothing is on its way */
    PUSH_SENDING,   /* it goes on at the next step, */
    PUSH_BLOCKED,   /* or when the pipe takes more */
    PUSH_WAITING,   /* for the sender to have it */
    PUSH_COMMITTED, /* it has: what was sent is to be cleared now, see push_clear */
    PUSH_CLEARING,
};

struct push_job {
    uint64_t flush_id;
    struct interval interval;
    bool is_open; /* the tables' open interval, which nothing is cleared of */
    uint64_t overruns;
    struct selfstat stats; /* of the interval */
};

struct push {
    struct flush flush;
    struct outlet outlet;
    const struct board *board;
    bool self_stats; /* all of the own statistics, else numStats alone */
    uint64_t n_restarts;

    enum push_state state;
    struct push_job job;
    uint64_t sender_starts;   /* when it was begun */
    struct selfstat_list own; /* as far as it is not sent, behind the metrics */
    size_t n_own_sent;
    uint64_t started_ms, flush_ms; /* of this one; how long the one before took */
};

/* Begins to send. flush, outlet and board were set by the caller. */
void push_begin(struct push *push, const struct push_job *job, uint64_t now_ms);

/* Begins to clear what a flush, that the sender has, was made of. */
void push_clear(struct push *push);

/* Goes on as far as there is room and its turn goes. Returns 0, or -errno of a pipe that is broken;
 * push->state says the rest. */
int push_step(struct push *push, uint64_t now_ms);

#endif
