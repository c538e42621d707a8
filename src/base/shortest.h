/*
 * shortest: the fewest decimal digits that tell a double from its neighbours.
 */
#ifndef BASE_SHORTEST_H
#define BASE_SHORTEST_H

#include <stdint.h>

/* Finds digits * 10^exponent, which reads back as value to the nearest, ties to even. No decimal
 * of fewer significant digits does, and of those with as many it is the nearest to value. A whole
 * number up to 2^53 may keep zeros at its end. value must be finite and not below 0. */
void shortest_digits(double value, uint64_t *out_digits, int *out_exponent);

#endif
