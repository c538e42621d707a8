/*
 * push: a closed interval on its way to the pipe: its metrics, then the own statistics. It stops
 * where the pipe and the backlog are full, or where others want their turn, and goes on from there.
 */
#ifndef WORKER_PUSH_H
#define WORKER_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric/flush.h"
#include "pipe/outlet.h"
#include "worker/selfstat.h"

enum push_state {
    PUSH_DONE,    /* nothing is on its way */
    PUSH_MORE,    /* it goes on at the next step */
    PUSH_BLOCKED, /* it goes on when the pipe takes more */
};

struct push {
    struct flush flush;
    struct outlet outlet;
    enum push_state state;
    struct selfstat_list own; /* as far as it is not sent, behind the metrics */
    size_t n_own_sent;
    bool self_stats; /* all of the own statistics, else numStats alone */

    struct selfstat stats; /* of the interval, for the caller to fill in before push_begin */
    uint64_t overruns, n_restarts;
    uint64_t started_ms, flush_ms; /* of this one; how long the one before took */
};

/* Begins with the interval that the flush's tables have just closed. flush and outlet were made by
 * the caller. */
void push_begin(struct push *push, uint64_t now_ms);

/* Goes on as far as there is room and its turn goes. Returns 0, or -errno of a pipe that is broken;
 * push->state says the rest. */
int push_step(struct push *push, uint64_t now_ms);

#endif
