/*
 * num: numbers as text, both ways, independent of any locale and correctly rounded.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

/* The longest text that num_format makes (-2^-1074 in full), without a NUL. */
#define NUM_TEXT_MAX 352

/* Reads all len bytes as [+-]digits[.digits][(e|E)[+-]digits] with at least one digit before or
 * behind the point. No blanks, hex, inf, nan, underscores. Rounds to the nearest double, ties to
 * even. Returns 0, or -1 (and leaves *out) where it is no such number or not finite. */
int num_parse(const char *text, size_t len, double *out);

/* Writes the shortest digits that read back as the same double, without an exponent and without a
 * NUL: -?[0-9]+(\.[0-9]+)?. -0 is written 0. value must be finite. Returns the length. */
size_t num_format(double value, char out[NUM_TEXT_MAX]);

/* Reads all len bytes as a decimal whole number without sign. 0, or -1 where it is none or
 * exceeds max. */
int num_parse_u64(const char *text, size_t len, uint64_t max, uint64_t *out);

#endif
