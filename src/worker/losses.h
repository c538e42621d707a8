/*
 * losses: what an interval has lost on its way in, told in the log when it is closed.
 */
#ifndef WORKER_LOSSES_H
#define WORKER_LOSSES_H

#include "worker/shard.h"
#include "worker/worker.h"

/* Tells of datagrams that the kernel dropped and of lines that had no room, of the interval that
 * all shards, opts->n_threads of them, have closed last. */
void losses_log(const struct worker_opts *opts, const struct shard *shards);

#endif
