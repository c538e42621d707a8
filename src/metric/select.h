/*
 * select: the k-th smallest of many values, without sorting all of them.
 */
#ifndef METRIC_SELECT_H
#define METRIC_SELECT_H

#include <stddef.h>
#include <stdint.h>

/* The value that would stand at index k (below n) were the n values sorted; reorders them. No NaN.
 * Linear on the average, n log n at worst, whatever the order is that a sender chose. */
double select_nth(double *values, size_t n, size_t k);

/* Sorts, smallest first. No NaN. */
void select_sort(double *values, size_t n);

struct select_part {
    double *values; /* sorted */
    size_t n;
};

/* The same as select_nth of all n_parts parts together, k below the sum of their n; -0 counts as 0.
 * No copy is made; 64 binary searches a part. */
double select_nth_of_sorted(const struct select_part *parts, size_t n_parts, uint64_t k);

#endif
