/*
 * select: introselect. Hoare's selection while it gets on well, heap sort of what is left when it
 * does not.
 */
#include "metric/select.h"

#include <assert.h>

static void
swap(double *a, double *b)
{
    double t = *a;

    *a = *b;
    *b = t;
}

static void
sift_down(double *values, size_t root, size_t n)
{
    size_t child;

    while ((child = 2 * root + 1) < n) {
        if (child + 1 < n && values[child] < values[child + 1])
            child++;
        if (values[root] >= values[child])
            return;
        swap(&values[root], &values[child]);
        root = child;
    }
}

static void
sort(double *values, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(values, i, n);
    for (size_t end = n; end > 1; end--) {
        swap(&values[0], &values[end - 1]);
        sift_down(values, 0, end - 1);
    }
}

/* The middle one of the first, the middle and the last value. */
static double
pivot_of(const double *values, size_t n)
{
    double a = values[0], b = values[n / 2], c = values[n - 1];

    if (a > b) {
        double t = a;

        a = b;
        b = t;
    }
    return c <= a ? a : c < b ? c : b;
}

/* Hoare's partition: values[0..result] <= pivot <= values[result + 1..n - 1], result < n - 1. */
static size_t
partition(double *values, size_t n)
{
    double pivot = pivot_of(values, n);
    size_t left = 0, right = n - 1;

    for (;;) {
        while (values[left] < pivot)
            left++;
        while (values[right] > pivot)
            right--;
        if (left >= right)
            return right == n - 1 ? n - 2 : right;
        swap(&values[left++], &values[right--]);
    }
}

double
select_nth(double *values, size_t n, size_t k)
{
    unsigned patience = 16;

    assert(k < n);
    for (size_t rest = n; rest > 1; rest /= 2)
        patience += 2;
    while (n > 1) {
        size_t split;

        if (patience-- == 0) {
            sort(values, n);
            return values[k];
        }
        split = partition(values, n) + 1;
        if (k < split) {
            n = split;
        } else {
            values += split;
            n -= split;
            k -= split;
        }
    }
    return values[0];
}
