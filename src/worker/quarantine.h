/*
 * quarantine: where a datagram that a worker has died of twice ends.
 */
#ifndef WORKER_QUARANTINE_H
#define WORKER_QUARANTINE_H

#include <stdbool.h>

#include "base/log_event.h"
#include "worker/ingest.h"
#include "worker/store.h"

struct quarantine_opts {
    bool crashed; /* the process before this one died of itself */
    int fd;       /* a file to append to, as hex, unless it is too long; -1: none */
    struct log_limit *said, *said_unsaved; /* of what is set aside, and what cannot be written */
};

/* To be asked by each successor, with what ingest found in the hand: n datagrams. Once two that
 * died of themselves had the same datagram before them, this is not to be looked at again: it is
 * counted, logged and saved. */
void quarantine_judge(struct store_region *region, const struct ingest *ingest, int n,
                      const struct quarantine_opts *opts);

#endif
