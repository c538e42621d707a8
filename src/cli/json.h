/*
 * json: the few pieces of JSON that the command writes. Pure but for the stream it is given.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stdio.h>

/* Writes text in quotes. What JSON wants escaped is; bytes that are no UTF-8 become U+FFFD. */
void json_string(FILE *out, const char *text);

/* Whether text is a number as JSON writes it, all of it. */
bool json_is_number(const char *text);

#endif
