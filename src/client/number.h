/*
 * number: numbers as text, the same in every locale.
 */
#ifndef CLIENT_NUMBER_H
#define CLIENT_NUMBER_H

#include <stddef.h>

/* The longest text there is (-DBL_MAX with six decimals), without a NUL. */
#define NUMBER_TEXT_MAX 317

/* As "%f" in the C locale. value must be finite. Returns the length; there is no NUL. */
size_t number_fixed(double value, char out[NUMBER_TEXT_MAX]);

/* As Python's str() of a float: the shortest digits that read back as value, with an exponent
 * below 1e-4 and from 1e16 on; but no ".0" behind a whole number. value must be finite. */
size_t number_shortest(double value, char out[NUMBER_TEXT_MAX]);

/* As "%ld". */
size_t number_whole(long value, char out[NUMBER_TEXT_MAX]);

#endif
