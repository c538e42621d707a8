/*
 * inherit: what the worker before this one has left is taken over, or all is made anew.
 */
#ifndef WORKER_INHERIT_H
#define WORKER_INHERIT_H

#include <stdint.h>

#include "metric/filter.h"
#include "worker/shard.h"
#include "worker/store.h"
#include "worker/worker.h"

struct inherit_opts {
    const struct worker_opts *worker;
    const struct filter *filter;
    int done_fd; /* the shards' */
    uint64_t wall_ms;
};

/* Opens the store and makes all shards ready to be started, with what was in hand dealt with, and
 * an interval that was being closed closed by all: what state says is then true of every table.
 * Says in the log what an operator should know. Returns 0 or -errno. */
int inherit(struct store_map *map, struct shard *shards, const struct inherit_opts *opts);

#endif
