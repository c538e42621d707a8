/*
 * metric: one live name of one type, with the state of two intervals: the open one, which samples
 * go to, and the one before it, until its flush is done. Lies in the table's arena and never moves.
 *
 * Two threads may be at it at once, each at its own generation; what both look at is said below.
 */
#ifndef METRIC_METRIC_H
#define METRIC_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "metric/counter.h"
#include "metric/gauge.h"
#include "metric/sample.h"
#include "metric/set.h"
#include "metric/timer.h"

/* Followed by the two states and the name. */
struct metric {
    uint64_t updated_ms; /* wall clock of the last sample; the flush reads it, in one piece */
    arena_ref next;      /* in order of creation; of the newest only the table's own thread's */
    uint16_t name_len;
    uint8_t type;
    bool filtered;    /* its samples are not wanted */
    bool touched[2];  /* by generation: whether samples came; the flush reads both */
    bool gauge_known; /* of a gauge: whether metric_last holds a value; the flush's, as the rest */
    uint8_t round;    /* the flush that deals with it under another table's name; 0: none */
    uint16_t n_idle;  /* flushes in a row that found no sample */
    uint16_t unused;
};

/* Bytes of one state, and how many stand in a metric: the two generations', and a gauge's last. */
extern const uint8_t metric_state_sizes[METRIC_TYPE_COUNT];
extern const uint8_t metric_state_counts[METRIC_TYPE_COUNT];

/* Bytes of a metric, name included. */
static inline size_t
metric_size(enum metric_type type, size_t name_len)
{
    return sizeof(struct metric) + (size_t)metric_state_counts[type] * metric_state_sizes[type] +
           name_len;
}

/* Zeroes a new metric and gives it its name. */
void metric_init(struct metric *metric, enum metric_type type, const char *name, size_t name_len);

/* The state of a generation (0 or 1), to be used as what the type says. */
static inline void *
metric_state(struct metric *metric, unsigned generation)
{
    return (char *)(metric + 1) + (size_t)generation * metric_state_sizes[metric->type];
}

/* Of a gauge: what the last flush that found samples sent. */
static inline struct gauge *
metric_last(struct metric *metric)
{
    return metric_state(metric, 2);
}

/* The name, metric->name_len bytes, without a NUL. */
static inline const char *
metric_name(const struct metric *metric)
{
    return (const char *)metric + metric_size(metric->type, 0);
}

/* Forgets the samples of a generation that is being flushed; what they took goes to pile. */
void metric_reset(struct metric *metric, unsigned generation, const struct arena *arena,
                  struct arena_pile *pile);

#endif
