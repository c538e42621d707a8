/*
 * gauge: the last value that was set.
 */
#ifndef METRIC_GAUGE_H
#define METRIC_GAUGE_H

#include <stdint.h>

#include "metric/point.h"
#include "metric/sample.h"

struct gauge {
    double value;
    uint64_t set_ms; /* wall clock; tells several threads' gauges of a name apart */
};

/* Takes the sample's value; its sign is part of the number, its rate means nothing. now_ms is the
 * wall clock. */
void gauge_set(struct gauge *gauge, const struct sample *sample, uint64_t now_ms);

/* Adds the gauge's point to record, and when it was set. */
void gauge_points(const struct gauge *gauge, struct record *record);

#endif
