/*
 * flush: the closed interval of one table, or of several as one: one record a name. A flush can
 * stop after any record and go on later; samples may arrive meanwhile, on other threads.
 *
 * Of several tables, counters add up, timers and sets are as one, and of gauges the one that was
 * set last counts.
 */
#ifndef METRIC_FLUSH_H
#define METRIC_FLUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric/dialect.h"
#include "metric/point.h"
#include "metric/rules.h"
#include "metric/table.h"

#define FLUSH_TABLES_MAX 64

struct flush {
    struct table *tables[FLUSH_TABLES_MAX];
    size_t n_tables;
    const struct dialect *dialect;
    const struct rules *rules;
    struct arena scratch; /* for what several tables have to be brought together in */
    uint8_t round;        /* tells this flush from the one before */

    bool running;
    struct interval interval;
    size_t table;                             /* where the walk stands: the table, */
    arena_ref at, before;                     /* the metric, and the one before it in the table */
    bool at_end;                              /* of the table, behind its newest metric */
    uint32_t n_unlinked;                      /* of this table */
    struct metric *members[FLUSH_TABLES_MAX]; /* by table: the metrics of the name at hand */
    enum rules_verdict verdict;

    uint64_t n_records;                    /* names that were sent so far */
    uint64_t n_metrics[METRIC_TYPE_COUNT]; /* names that are kept */
};

/* For n tables that are always closed together. Borrows all. Returns 0 or -errno. */
int flush_init(struct flush *flush, struct table *const *tables, size_t n,
               const struct dialect *dialect, const struct rules *rules);

/* Gives the memory back; fine on a zeroed struct. */
void flush_release(struct flush *flush);

/* Begins the flush of the interval that every table has just closed. */
void flush_begin(struct flush *flush);

/* The record where the walk stands, the same at every call until flush_advance. False at the end,
 * when the tables may be closed again. */
bool flush_peek(struct flush *flush, struct record *out);

/* Clears what flush_peek gave and moves on. */
void flush_advance(struct flush *flush);

#endif
