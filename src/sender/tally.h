/*
 * tally: what the sender says of itself in every flush.
 */
#ifndef SENDER_TALLY_H
#define SENDER_TALLY_H

#include <stdint.h>

#include "sender/batch.h"

/* Counts, of the time since the flush before. */
struct tally {
    uint64_t lines_sent;    /* that the peer has taken */
    uint64_t lines_refused; /* that were never sent, being none that carbon takes */
    uint64_t lines_dropped; /* for want of room */
    uint64_t failures;      /* deliveries that failed */
    uint64_t reconnects;    /* deliveries that were begun after one had failed */
    uint64_t frames_bad;    /* from the worker: no frame, or one that holds what is no record */
};

/* How things are at the moment. */
struct tally_now {
    uint64_t queue_lines;
    uint64_t last_success_age_s;
    uint64_t n_restarts;
};

/* Adds all of it to a batch as own statistics and begins anew. What shows that something is broken
 * is there only where it is not 0. */
void tally_report(struct tally *tally, const struct tally_now *now, struct batch *batch);

#endif
