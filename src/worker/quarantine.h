/*
 * quarantine: where a datagram that a worker has died of twice ends.
 */
#ifndef WORKER_QUARANTINE_H
#define WORKER_QUARANTINE_H

#include <stdbool.h>

#include "worker/ingest.h"
#include "worker/store.h"

/* To be asked by each successor, with what ingest found in the hand: n datagrams. has_crashed: its
 * predecessor has died of itself. Once two that did had the same datagram before them, this is not
 * to be looked at again: it is counted, logged, and appended as hex to the file fd, unless that is
 * -1 or too long. */
void quarantine_judge(struct store_region *region, const struct ingest *ingest, int n,
                      bool has_crashed, int fd);

#endif
