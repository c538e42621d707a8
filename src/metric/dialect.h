/*
 * dialect: whose names a flush speaks. Made once from the configuration, then constant; worker and
 * sender each have a copy.
 */
#ifndef METRIC_DIALECT_H
#define METRIC_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "metric/point.h"

#define DIALECT_PREFIX_MAX      256
#define DIALECT_PERCENTILES_MAX 16
/* "upper_99_9" and whatever a percentile of 17 digits makes. */
#define DIALECT_SUFFIX_MAX 48

struct dialect {
    char prefix[METRIC_TYPE_COUNT + 1]
               [DIALECT_PREFIX_MAX];        /* by record source, without final dot */
    char global_prefix[DIALECT_PREFIX_MAX]; /* the same; "" for none */
    char global_suffix[DIALECT_PREFIX_MAX];
    double percentile[DIALECT_PERCENTILES_MAX]; /* in [-100, 100] */
    size_t n_percentiles;
    char percentile_suffix[DIALECT_PERCENTILES_MAX][DIALECT_SUFFIX_MAX]; /* "upper_90" */
    bool rates; /* counters per second; else as sums */
};

/* py-statsd's names and percentile 90, as its server starts without flags. */
void dialect_init(struct dialect *dialect);

/* Copies a prefix or suffix of printable ASCII without its outer dots. -1 where it is too long or
 * holds what cannot be in a name; *out is then untouched. */
int dialect_set_affix(char out[DIALECT_PREFIX_MAX], const char *text);

/* Takes n percentiles and names them: 90 is upper_90, 99.9 upper_99_9, -10 lower_top10. -1 where
 * one is outside [-100, 100] or there are too many. */
int dialect_set_percentiles(struct dialect *dialect, const double *percentiles, size_t n);

/* Appends the whole name of one point of a record, as it goes to carbon. -1 where buf is full. */
int dialect_append_name(const struct dialect *dialect, const struct record *record,
                        const struct point *point, struct buf *buf);

/* Appends "NAME VALUE " of one point, all of carbon's line before the timestamp, or nothing and
 * returns -1 where buf is full. */
int dialect_append_point(const struct dialect *dialect, const struct record *record,
                         const struct point *point, struct buf *buf);

#endif
