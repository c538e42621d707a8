/*
 * status: how the daemon fares: a line "KEY VALUE" for each number, "-" where it is not known, and
 * a line "problem TEXT" for each thing that is not as it should be.
 */
#ifndef WORKER_STATUS_H
#define WORKER_STATUS_H

#include "worker/reply.h"

/* A begin function, see worker/command.h. */
const char *status_begin(struct reply *reply, const char *argument);

#endif
