/*
 * gauge: the last value that was set.
 */
#ifndef METRIC_GAUGE_H
#define METRIC_GAUGE_H

#include "metric/point.h"
#include "metric/sample.h"

struct gauge {
    double value;
};

/* Takes the sample's value; its sign is part of the number, its rate means nothing. */
void gauge_set(struct gauge *gauge, const struct sample *sample);

/* Adds the gauge's point to record. */
void gauge_points(const struct gauge *gauge, struct record *record);

#endif
