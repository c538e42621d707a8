/*
 * select: the k-th smallest of many values, without sorting all of them.
 */
#ifndef METRIC_SELECT_H
#define METRIC_SELECT_H

#include <stddef.h>

/* The value that would stand at index k (below n) were the n values sorted; reorders them. No NaN.
 * Linear on the average, n log n at worst, whatever the order is that a sender chose. */
double select_nth(double *values, size_t n, size_t k);

#endif
