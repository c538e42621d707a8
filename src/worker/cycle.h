/*
 * cycle: the intervals, one behind the other: closed on time by all shards, sent, and cleared when
 * the sender has them.
 */
#ifndef WORKER_CYCLE_H
#define WORKER_CYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/board.h"
#include "metric/filter.h"
#include "worker/desk.h"
#include "worker/hold.h"
#include "worker/part.h"
#include "worker/push.h"
#include "worker/schedule.h"
#include "worker/shard.h"
#include "worker/store.h"
#include "worker/worker.h"

struct cycle {
    const struct worker_opts *opts;
    struct store_map map;
    struct store *store;  /* the map's */
    struct shard *shards; /* opts->n_threads */
    struct schedule schedule;
    int done_fd;      /* eventfd: a shard has done what it was asked for */
    bool ending;      /* the shards have been asked to end */
    bool halting;     /* the shards have been asked to halt, and the interval stays open */
    struct hold hold; /* of all shards */
    struct part part; /* of the open interval, while the shards go on */
    struct push push;
    struct desk *desk; /* of those who ask; NULL: nobody can. Set by the caller */
    struct desk_facts facts;
};

/* Goes on where the process before this one has stopped, and starts the shards. Borrows all.
 * Returns 0 or -errno: the process must then end. */
int cycle_open(struct cycle *cycle, const struct worker_opts *opts, const struct filter *filter,
               int done_fd);

/* Gives the memory back; the shards have ended. */
void cycle_release(struct cycle *cycle);

/* An interval is being closed or on its way. */
bool cycle_is_busy(const struct cycle *cycle);

/* Has the shards close the open interval when its time has come, or, before, begins to send what it
 * has where that is wanted and carbon takes it: it goes on, and its whole follows under the same
 * timestamp, and takes the place of what is not sent by then. One is not closed before the flush of
 * the one before it is done; it then is longer. */
void cycle_close_if_due(struct cycle *cycle);

/* Begins the flush when all shards have done what they were asked for. */
void cycle_begin_if_closed(struct cycle *cycle);

/* Brings the flush on its way. Returns 0, or -errno of a pipe that is broken. */
int cycle_push(struct cycle *cycle);

/* Has the shards read what the kernel has queued, end, and leave the open interval to be flushed.
 * Nothing may be on its way. */
void cycle_end(struct cycle *cycle);

/* What has been received in all. */
void cycle_tell_ledger(const struct cycle *cycle, struct board_ledger *out);

#endif
