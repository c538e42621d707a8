/*
 * desk: between the main thread and the one that answers those who ask: what the one says of itself
 * and the other asks for. Neither waits for the other.
 */
#ifndef WORKER_DESK_H
#define WORKER_DESK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limit.h"
#include "metric/flush.h"
#include "worker/hold.h"
#include "worker/worker.h"

/* How the intervals fare. */
struct desk_facts {
    uint64_t told_ms; /* wall clock: when it was so */
    struct interval open;
    struct interval closed; /* the last one; zeroed: none yet */
    uint64_t flush_ms;      /* how long its flush took, once it is done */
    uint64_t n_overruns;    /* intervals that could not be closed in time, of this process */
    uint64_t n_metrics[METRIC_TYPE_COUNT]; /* names, as the last flush has found them */
};

struct desk {
    const struct worker_opts *opts;
    struct hold *hold; /* of the shards that are asked about */
    int main_fd;       /* eventfd, non-blocking: the main thread is wanted */
    int answers_fd;    /* the same: the one that answers is */

    pthread_mutex_t mutex; /* of facts */
    struct desk_facts facts;
    /* Flushes of the open interval: one more when one is wanted; and up to which of them the main
     * thread has taken in hand, and is done with, what was wanted; and up to which it was sent. */
    uint64_t n_wanted, n_taken, n_done, n_sent;
    bool stopping; /* the one that answers is to end */
    /* The one that answers: how much of what was changed by hand it has told lately. */
    struct limit told_deletions, told_healths;
};

/* Borrows both. Returns 0 or -errno. */
int desk_init(struct desk *desk, const struct worker_opts *opts, struct hold *hold);

/* Closes what it has; fine on a zeroed struct. */
void desk_release(struct desk *desk);

/* The main thread says how things are. */
void desk_tell(struct desk *desk, const struct desk_facts *facts);

/* Whether the main thread owes a flush of the open interval; all that are wanted by now are one. */
bool desk_take_flush(struct desk *desk);

/* It is done with what it took last: sent, or refused. Nothing happens where it owes none. */
void desk_flushed(struct desk *desk, bool is_sent);

/* How things were when the main thread said so last. */
void desk_ask(struct desk *desk, struct desk_facts *out);

/* Asks for a flush of the open interval. Returns its number. */
uint64_t desk_want_flush(struct desk *desk);

/* Whether the main thread is done with the flush of that number, and then whether one was sent
 * since it was wanted. */
bool desk_flush_is_done(const struct desk *desk, uint64_t number, bool *out_is_sent);

#endif
