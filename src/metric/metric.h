/*
 * metric: one live name of one type, with the state of two intervals: the open one, which samples
 * go to, and the one before it, until its flush is done. Lies in the table's arena and never moves.
 */
#ifndef METRIC_METRIC_H
#define METRIC_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "metric/counter.h"
#include "metric/gauge.h"
#include "metric/sample.h"
#include "metric/set.h"
#include "metric/timer.h"

/* Followed by the two states and the name. */
struct metric {
    uint64_t updated_ms; /* wall clock of the last sample */
    arena_ref next;      /* in order of creation */
    uint32_t hash;
    uint16_t name_len;
    uint8_t type;
    uint8_t n_idle;    /* flushes in a row that found no sample */
    bool touched[2];   /* by generation: whether samples came */
    bool gauge_known;  /* of a gauge: whether last holds a value */
    struct gauge last; /* of a gauge: what the last flush sent */
};

/* Bytes of a metric, name included. */
size_t metric_size(enum metric_type type, size_t name_len);

/* Zeroes a new metric and gives it its name. */
void metric_init(struct metric *metric, enum metric_type type, const char *name, size_t name_len);

/* The state of a generation (0 or 1), to be used as what the type says. */
void *metric_state(struct metric *metric, unsigned generation);

/* The name, metric->name_len bytes, without a NUL. */
const char *metric_name(const struct metric *metric);

/* Forgets a generation's samples and gives their memory back. */
void metric_reset(struct metric *metric, unsigned generation, struct arena *arena);

#endif
