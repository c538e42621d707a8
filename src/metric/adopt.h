/*
 * adopt: a table that a process before this one has left, checked from end to end and taken over.
 */
#ifndef METRIC_ADOPT_H
#define METRIC_ADOPT_H

#include <stdint.h>

#include "metric/name.h"
#include "metric/table.h"

/* Takes over a table that has come through with the memory that it is in, opts as table_init takes
 * them. What its predecessor had begun was rolled back before. All that cannot be told from what it
 * was is made anew: the index, what is free, and which names are wanted. flushing as it was left,
 * with nothing in the piles. Returns 0, -EBADMSG where anything is not what it was (the table is
 * then not to be used), or another -errno. */
int adopt_table(struct table *table, const struct table_opts *opts);

/* Puts in a gauge from before the table's time, as if a flush had sent it; name is clean. Returns
 * 0, or -1 where it has no room or is there. */
int adopt_gauge(struct table *table, const struct name *name, double value, uint64_t set_ms);

#endif
