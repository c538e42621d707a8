/*
 * flush: the closed interval of one table, or of several as one: one record a name. Two walks: the
 * first gives the records and changes nothing, so that it can be made again, byte for byte; the
 * second, once they are safe elsewhere, clears what they were made of, and may be made again, too.
 * Either can stop anywhere and go on later; samples may arrive meanwhile, on other threads.
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

/* A time that is flushed as one. */
struct interval {
    uint64_t end_ms;  /* wall clock; its whole seconds are the timestamp */
    uint64_t span_ms; /* what a rate divides by */
};

struct flush_opts {
    struct table *tables[FLUSH_TABLES_MAX]; /* that are always closed together */
    size_t n_tables;
    const struct dialect *dialect;
    const struct rules *rules;
    uint32_t max_samples; /* of a timer, that a table keeps */
    struct undo *undo;    /* for the second walk, of the mapping that the tables lie in, or NULL */
};

struct flush {
    struct flush_opts opts;
    struct arena scratch;        /* for what several tables have to be brought together in */
    struct timer_scratch timers; /* the same for timers' samples */
    uint8_t round;               /* tells this walk from the one before */

    bool running;
    struct interval interval;
    uint32_t number;                    /* of the interval; its lowest bit is the generation */
    arena_ref newest[FLUSH_TABLES_MAX]; /* where each table's walk ends */
    size_t table;                       /* where the walk stands: the table, */
    arena_ref at, before;               /* the metric, and the one before it in the table */
    bool at_end;                        /* of the table, behind its newest metric */
    uint32_t n_unlinked;                /* of this table */
    struct metric *members[FLUSH_TABLES_MAX]; /* by table: the metrics of the name at hand */
    enum rules_verdict verdict;

    uint64_t n_records;                    /* names that were sent so far */
    uint64_t n_metrics[METRIC_TYPE_COUNT]; /* names that are kept */
};

/* Borrows all that opts points to. Returns 0 or -errno. */
int flush_init(struct flush *flush, const struct flush_opts *opts);

/* Gives the memory back; fine on a zeroed struct. */
void flush_release(struct flush *flush);

/* Begins the first walk, over the interval that every table has closed last. */
void flush_begin(struct flush *flush, const struct interval *interval);

/* The same over the open one, while no table takes samples. There is no second walk then. */
void flush_begin_open(struct flush *flush, const struct interval *interval);

/* The record where the walk stands, the same at every call until flush_advance. False at the end.
 */
bool flush_peek(struct flush *flush, struct record *out);

/* Moves on behind what flush_peek gave. */
void flush_advance(struct flush *flush);

/* Begins the second walk. Where another process has made the first one, what has expired by its end
 * is forgotten by the next flush only, which is as good. */
void flush_begin_clear(struct flush *flush);

/* Clears up to n metrics. False at the end, when the tables may be closed again. */
bool flush_clear(struct flush *flush, size_t n);

#endif
