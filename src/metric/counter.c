/*
 * counter: see counter.h.
 */
#include "metric/counter.h"

#include <float.h>
#include <math.h>

int
counter_add(struct counter *counter, const struct sample *sample)
{
    return sum_add(&counter->sum, sample->value * (1 / sample->rate));
}

void
counter_merge(struct counter *into, const struct counter *from)
{
    if (sum_add(&into->sum, from->sum.total) == 0)
        (void)sum_add(&into->sum, from->sum.carry);
}

/* A span below a second can make more of a sum than a double holds, and only what is finite can be
 * sent. */
static double
rate_of(double sum, double span_s)
{
    double rate = sum / span_s;

    return isfinite(rate) ? rate : copysign(DBL_MAX, sum);
}

void
counter_points(const struct counter *counter, const struct dialect *dialect, double span_s,
               struct record *record)
{
    double sum = sum_value(&counter->sum);

    record_add(record, STATISTIC_RATE, 0, dialect->rates ? rate_of(sum, span_s) : sum);
}
