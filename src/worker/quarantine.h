/*
 * quarantine: where a datagram that a worker has died of twice ends.
 */
#ifndef WORKER_QUARANTINE_H
#define WORKER_QUARANTINE_H

#include <stdbool.h>

#include "worker/ingest.h"
#include "worker/store.h"

/* To be asked of each predecessor that has died of itself, with what ingest found in the hand: n
 * datagrams. The second time that it had the same datagram before it, this is not to be looked at
 * again: it is counted, logged, and appended as hex to the file fd, unless that is -1 or too long.
 */
void quarantine_judge(struct store_region *region, const struct ingest *ingest, int n, int fd);

#endif
