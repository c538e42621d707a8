/*
 * maps: all metrics of a type as Etsy's console shows them: what util.inspect makes of the map.
 */
#ifndef WORKER_MAPS_H
#define WORKER_MAPS_H

#include "worker/reply.h"
#include "worker/view.h"

/* Begins the answer, whatever arguments say, as Etsy's. Returns NULL, or why not. */
const char *maps_begin(struct reply *reply, enum metric_type type, const char *arguments);

#endif
