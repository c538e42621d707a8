/*
 * listing: the commands that look at names: list, get and delete.
 */
#ifndef WORKER_LISTING_H
#define WORKER_LISTING_H

#include "worker/reply.h"
#include "worker/view.h"

/* How many places of the tables, and how many names, are gone through while the shards are held. */
#define LISTING_PLACES 512
#define LISTING_NAMES  128

/* Begin functions, see worker/command.h. */
const char *listing_begin_list(struct reply *reply, const char *argument);
const char *listing_begin_get(struct reply *reply, const char *argument);
const char *listing_begin_delete(struct reply *reply, const char *argument);

#endif
