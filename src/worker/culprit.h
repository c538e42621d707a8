/*
 * culprit: which part of the name space made most of the names that had to be refused, found in a
 * constant memory (Misra and Gries, "Finding repeated elements", 1982: whatever made over a
 * CULPRIT_PREFIXES-th of them is among those kept).
 */
#ifndef WORKER_CULPRIT_H
#define WORKER_CULPRIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/log_event.h"
#include "metric/name.h"

#define CULPRIT_PREFIXES   32
#define CULPRIT_PREFIX_MAX 80

/* Zeroed: nothing was refused. */
struct culprit {
    uint64_t n_refused;
    struct {
        uint64_t n; /* at least as many fell on it, less what was taken off by others; 0: free */
        uint8_t len;
        char prefix[CULPRIT_PREFIX_MAX]; /* the first two nodes, cut where they are longer */
    } kept[CULPRIT_PREFIXES];
};

/* Counts a refused name. */
void culprit_add(struct culprit *culprit, const struct name *name);

/* Counts what another has. */
void culprit_merge(struct culprit *into, const struct culprit *from);

/* The prefix that most fell on, borrowed; a length of 0 where nothing was refused. */
struct name culprit_worst(const struct culprit *culprit);

/* Tells of it, where something was refused. */
void culprit_log(const struct culprit *culprit, struct log_limit *limit);

#endif
