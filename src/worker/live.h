/*
 * live: what the ingest threads show of their lines, and the commands that ask for it: explain, top
 * and watch.
 */
#ifndef WORKER_LIVE_H
#define WORKER_LIVE_H

#include <stddef.h>

#include "worker/reply.h"
#include "worker/shard.h"

/* Has n shards, which do not run yet, count for top. Without memory they do not. */
void live_open(struct shard *shards, size_t n);

/* Gives the memory back; the shards have ended. */
void live_close(struct shard *shards, size_t n);

/* The commands, see struct command. */
const char *live_begin_explain(struct reply *reply, const char *argument);
const char *live_begin_top(struct reply *reply, const char *argument);
const char *live_begin_watch(struct reply *reply, const char *argument);

#endif
