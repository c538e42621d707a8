/*
 * trail: what somebody has changed by hand, in the log: what it was, and who.
 */
#ifndef WORKER_TRAIL_H
#define WORKER_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/reply.h"

/* So many of each kind are told a minute; the console may be asked by anybody. */
#define TRAIL_PER_MINUTE 10

/* n metrics, of that kind, were deleted for whom the reply is; text are the patterns or names, with
 * any bytes. Nothing is told of none. */
void trail_deleted(const struct reply *reply, const char *kind, const char *text, uint64_t n);

/* That the daemon is not well, or is again, was said by whom the reply is for. */
void trail_health(const struct reply *reply, bool is_down);

#endif
