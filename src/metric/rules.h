/*
 * rules: what an interval without a sample means, and when a metric is forgotten.
 *
 *                      closed interval without a sample
 *   deleted            forgotten
 *   expired            forgotten
 *   gauge              its last value; with omit_idle_gauges as long as gauges_max_ttl says
 *   others, idle_zero  zeros, until expired
 *   others             nothing; forgotten at the RULES_IDLE_MAX-th such flush, which nobody can see
 *                      but in the memory
 *
 * A sample that arrived is never lost: with samples in the closed interval a metric is sent however
 * old they are, with samples in the open one it is kept. py-statsd lost a counter whose last sample
 * was older than its --expire.
 */
#ifndef METRIC_RULES_H
#define METRIC_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "metric/sample.h"

#define RULES_IDLE_MAX 8

struct rules {
    uint64_t expire_ms[METRIC_TYPE_COUNT]; /* 0: never */
    bool idle_zero[METRIC_TYPE_COUNT];     /* counters, timers, sets: send zeros */
    bool omit_idle_gauges;
    uint32_t gauges_max_ttl; /* flushes that send a gauge, the one with its update included */
};

/* A metric at the flush of a closed interval, which must not be older than the metric. */
struct rules_case {
    enum metric_type type;
    bool touched;        /* samples in the closed interval */
    bool touched_since;  /* samples in the open one */
    bool gauge_known;    /* of a gauge: whether a flush before had its value */
    uint32_t n_idle;     /* flushes in a row without a sample, before this one */
    uint64_t updated_ms; /* wall clock of the last sample; 0: none was, or it was deleted */
    uint64_t end_ms;     /* of the closed interval */
};

enum rules_verdict {
    RULES_SEND,      /* what its samples add up to */
    RULES_SEND_IDLE, /* the last value of a gauge, zeros of the others */
    RULES_SKIP,      /* nothing now, but keep it */
    RULES_FORGET,
};

/* What becomes of a metric. Borrows both. */
enum rules_verdict rules_judge(const struct rules *rules, const struct rules_case *c);

#endif
