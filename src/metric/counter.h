/*
 * counter: what happened in an interval, scaled up by the sample rate.
 */
#ifndef METRIC_COUNTER_H
#define METRIC_COUNTER_H

#include "metric/dialect.h"
#include "metric/sample.h"
#include "metric/sum.h"

/* Zeroed: nothing happened. */
struct counter {
    struct sum sum;
};

/* Adds value / rate. Returns 0, or -1 and changes nothing where the sum would not be finite. */
int counter_add(struct counter *counter, const struct sample *sample);

/* Adds what another thread has counted; what would not be finite is left out. */
void counter_merge(struct counter *into, const struct counter *from);

/* Adds the interval's point to record: the sum over span_s seconds, or the plain sum where the
 * dialect's rates are off. */
void counter_points(const struct counter *counter, const struct dialect *dialect, double span_s,
                    struct record *record);

#endif
