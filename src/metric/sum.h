/*
 * sum: a compensated sum (Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation
 * endlicher Summen", 1974): ten million times 0.1 is a million.
 */
#ifndef METRIC_SUM_H
#define METRIC_SUM_H

#include <math.h>

struct sum {
    double total, carry;
};

/* Adds value. Returns 0, or -1 and leaves the sum where it would not be finite. */
static inline int
sum_add(struct sum *sum, double value)
{
    double total = sum->total + value;
    double carry = sum->carry;

    if (fabs(sum->total) >= fabs(value))
        carry += (sum->total - total) + value;
    else
        carry += (value - total) + sum->total;
    /* Beside the largest total, many a small value can gather before it shows. */
    if (!isfinite(total) || !isfinite(total + carry))
        return -1;
    sum->total = total;
    sum->carry = carry;
    return 0;
}

static inline double
sum_value(const struct sum *sum)
{
    return sum->total + sum->carry;
}

#endif
