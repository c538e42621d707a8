/*
 * scan: a walk over all metrics of a table that may pause as long as it likes, while names come and
 * go: those that are there all the time are seen once, those that are not at most once, in no
 * order.
 */
#ifndef METRIC_SCAN_H
#define METRIC_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "metric/table.h"

/* Zeroed: at the beginning. */
struct scan {
    uint32_t at;
    bool has_ended;
};

/* Gives the next few metrics, often none, to visit. For the table's own thread, or while that
 * stands still; visit must not change the table. Returns false at the end. */
bool scan_step(struct scan *scan, const struct table *table,
               void (*visit)(struct metric *metric, void *context), void *context);

#endif
