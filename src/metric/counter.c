/*
 * counter: see counter.h.
 */
#include "metric/counter.h"

int
counter_add(struct counter *counter, const struct sample *sample)
{
    return sum_add(&counter->sum, sample->value * (1 / sample->rate));
}

void
counter_points(const struct counter *counter, const struct dialect *dialect, double span_s,
               struct record *record)
{
    double sum = sum_value(&counter->sum);

    record_add(record, STATISTIC_RATE, 0, dialect->rates ? sum / span_s : sum);
}
