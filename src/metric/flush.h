/*
 * flush: the closed interval of a table, one record a metric. A flush can stop after any record and
 * go on later; samples may arrive meanwhile.
 *
 * What an interval without a sample gives: a gauge its last value, the other types nothing; they
 * are forgotten after FLUSH_IDLE_MAX such intervals, which nobody can see but in the memory.
 */
#ifndef METRIC_FLUSH_H
#define METRIC_FLUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "metric/dialect.h"
#include "metric/point.h"
#include "metric/table.h"

#define FLUSH_IDLE_MAX 8

struct flush {
    struct table *table;
    const struct dialect *dialect;
    uint64_t expire_ms;   /* 0: never */
    unsigned generation;  /* the closed one */
    arena_ref at, before; /* where the walk stands */
    uint64_t n_records;   /* metrics that were sent so far */
};

/* Begins the flush of the table's closed interval, which must be pending. Borrows all. A metric
 * whose last sample is more than expire_ms older than the interval's end is forgotten unsent. */
void flush_begin(struct flush *flush, struct table *table, const struct dialect *dialect,
                 uint64_t expire_ms);

/* The record where the walk stands, the same at every call until flush_advance. False at the end,
 * when the interval is done and the next may be closed. */
bool flush_peek(struct flush *flush, struct record *out);

/* Clears what flush_peek gave and moves on. */
void flush_advance(struct flush *flush);

#endif
