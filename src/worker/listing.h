/*
 * listing: the commands that look at names: list, get and delete.
 */
#ifndef WORKER_LISTING_H
#define WORKER_LISTING_H

#include "worker/reply.h"
#include "worker/view.h"

/* Begin functions, see worker/command.h. */
const char *listing_begin_list(struct reply *reply, const char *argument);
const char *listing_begin_get(struct reply *reply, const char *argument);
const char *listing_begin_delete(struct reply *reply, const char *argument);

#endif
