/*
 * sample: the names of the metric types. Knows nothing of how a sample is read or kept.
 */
#include "metric/sample.h"

#include <assert.h>

static const char *const type_names[METRIC_TYPE_COUNT] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_TIMER] = "timer",
    [METRIC_SET] = "set",
};

const char *
metric_type_name(enum metric_type type)
{
    assert(type < METRIC_TYPE_COUNT);
    return type_names[type];
}
