/*
 * say: what the command tells people: errors, one line each, and text that came from elsewhere,
 * made safe for a terminal.
 */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One line on stderr behind the program's name, cut at 1 KiB, whatever is in it made safe. */
__attribute__((format(printf, 1, 2))) void say_error(const char *format, ...);

/* Writes printable ASCII as it is and all else as \xHH. */
void say_safely(FILE *out, const char *text, size_t len);

/* The same where out is a terminal; elsewhere the bytes as they are. */
void say_as_fits(FILE *out, const char *text, size_t len);

/* Whether colours are wanted: on a terminal that has some, unless NO_COLOR is set. */
bool say_in_colour(FILE *out);

#endif
