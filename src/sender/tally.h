/*
 * tally: what the sender says of itself in every flush.
 */
#ifndef SENDER_TALLY_H
#define SENDER_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "sender/batch.h"
#include "sender/ledger.h"

/* Counts, of the time since the flush before. */
struct tally {
    uint64_t failures;   /* deliveries that failed */
    uint64_t reconnects; /* deliveries that were begun after one had failed */
    uint64_t frames_bad; /* from the worker: no frame, or one that holds what is no record */
};

/* How things are at the moment. */
struct tally_now {
    const struct ledger *ledger, *told; /* now, and as the flush before told it */
    uint64_t queue_lines;
    bool has_spool;
    uint64_t last_success_age_s;
    uint64_t n_restarts;
};

/* Adds all of it to a batch as own statistics and begins anew. What shows that something is broken
 * is there only where it is not 0. */
void tally_report(struct tally *tally, const struct tally_now *now, struct batch *batch);

#endif
