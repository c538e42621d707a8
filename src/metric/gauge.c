/*
 * gauge: see gauge.h.
 */
#include "metric/gauge.h"

void
gauge_set(struct gauge *gauge, const struct sample *sample, uint64_t now_ms)
{
    gauge->set_ms = now_ms;
    gauge->value = sample->value;
}

void
gauge_points(const struct gauge *gauge, struct record *record)
{
    record->set_ms = gauge->set_ms;
    record_add(record, STATISTIC_VALUE, 0, gauge->value);
}
