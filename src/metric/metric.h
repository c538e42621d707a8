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
#include <string.h>

#include "base/arena.h"
#include "base/survey.h"
#include "metric/counter.h"
#include "metric/gauge.h"
#include "metric/sample.h"
#include "metric/set.h"
#include "metric/timer.h"

/* Followed by the two states, of a gauge by what it was last, and by the name. */
struct metric {
    uint64_t updated; /* when the last sample came; the flush reads it, in one piece */
    arena_ref next;   /* in order of creation; of the newest only the table's own thread's */
    uint32_t hash;    /* of type and name */
    /* By generation: of the state, once samples came, else 0; the flush looks at both. A successor
     * of the process trusts the state that it fits. */
    uint32_t check[2];
    uint32_t active; /* the interval that last had samples, as far as flushed; the flush's */
    uint16_t name_len;
    uint8_t type : 7;
    uint8_t filtered : 1; /* its samples are not wanted */
    uint8_t round;        /* the flush that deals with it under another table's name, 0: none */
};

/* What the last flush that found samples sent of a gauge. */
struct gauge_last {
    struct gauge gauge;
    uint32_t check;  /* of the gauge, 0: there was none */
    uint32_t active; /* what the metric's is since then */
};

/* Bytes of one state, and of what stands behind both. */
extern const uint8_t metric_state_sizes[METRIC_TYPE_COUNT];
extern const uint8_t metric_last_sizes[METRIC_TYPE_COUNT];

/* Bytes of a metric, name included. */
static inline size_t
metric_size(enum metric_type type, size_t name_len)
{
    return sizeof(struct metric) + (size_t)2 * metric_state_sizes[type] + metric_last_sizes[type] +
           name_len;
}

/* Zeroes a new metric and gives it its name and that name's hash. */
void metric_init(struct metric *metric, enum metric_type type, const char *name, size_t name_len,
                 uint32_t hash);

/* The state of a generation (0 or 1), to be used as what the type says. */
static inline void *
metric_state(struct metric *metric, unsigned generation)
{
    return (char *)(metric + 1) + (size_t)generation * metric_state_sizes[metric->type];
}

/* Of a gauge. */
static inline struct gauge_last *
metric_last(struct metric *metric)
{
    return metric_state(metric, 2);
}

/* Whether samples came in a generation. */
static inline bool
metric_touched(const struct metric *metric, unsigned generation)
{
    return __atomic_load_n(&metric->check[generation], __ATOMIC_RELAXED) != 0;
}

/* Any one bit of a state of size bytes that turns over changes it. Never 0. */
static inline uint32_t
metric_check(const struct metric *metric, const void *state, size_t size)
{
    uint64_t fold = metric->hash;

    for (size_t i = 0; i < size / sizeof(uint64_t); i++) {
        uint64_t word;

        memcpy(&word, (const char *)state + i * sizeof(word), sizeof(word));
        fold ^= word << (7 * i + 1) | word >> (63 - 7 * i);
    }
    fold ^= fold >> 32;
    return (uint32_t)fold != 0 ? (uint32_t)fold : 1;
}

/* The name, metric->name_len bytes, without a NUL. */
static inline const char *
metric_name(const struct metric *metric)
{
    return (const char *)metric + metric_size(metric->type, 0);
}

/* Notes down when a sample came, on the wall clock. A word that is no multiple of three is not what
 * was stored, whichever one bit of it has turned over. */
static inline void
metric_update(struct metric *metric, uint64_t now_ms)
{
    __atomic_store_n(&metric->updated, 3 * now_ms, __ATOMIC_RELAXED);
}

/* When the last sample came; 0: none ever. */
static inline uint64_t
metric_updated_ms(const struct metric *metric)
{
    return __atomic_load_n(&metric->updated, __ATOMIC_RELAXED) / 3;
}

/* Keeps a gauge as what it was last, in the interval that the metric was active in. */
void metric_set_last(struct metric *metric, const struct gauge *gauge);

/* Forgets the samples of a generation that is being flushed; what they took goes to pile. Who dies
 * within has forgotten them. */
void metric_reset(struct metric *metric, unsigned generation, const struct arena *arena,
                  struct arena_pile *pile);

/* Marks what samples have of the arena that is surveyed, and clears states without any. False where
 * the metric, whose size was checked, cannot be what it was. */
bool metric_survey(struct metric *metric, struct survey *survey);

#endif
