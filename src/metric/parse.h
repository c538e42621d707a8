/*
 * parse: one line to one sample. Never writes to the line, needs no NUL behind it.
 *
 *   NAME ":" VALUE "|" TYPE *( "|" FIELD )        TYPE = c | g | ms | s, FIELD = "@" RATE | other
 *
 * NAME ends at the first colon, VALUE at the first bar behind it. Blanks around VALUE and blanks or
 * a carriage return at the end of the line mean nothing. These are py-statsd's rules
 * (pystatsd/server.py, Server.process) but for what it did to the rest of a datagram: a bad line
 * costs itself only. Its rule that a counter with two or more fields behind the type is taken at
 * rate 1 is kept; fields of other types are ignored but for a rate that is no rate.
 */
#ifndef METRIC_PARSE_H
#define METRIC_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "metric/sample.h"

enum parse_error {
    PARSE_OK,
    PARSE_NO_VALUE, /* no colon, or nothing behind it */
    PARSE_NO_NAME,  /* nothing before the colon, or nothing that the sanitiser keeps */
    PARSE_NO_TYPE,  /* no bar, or nothing behind it */
    PARSE_BAD_TYPE,
    PARSE_BAD_VALUE, /* no decimal number, or not finite */
    PARSE_BAD_RATE,  /* no number in (0, 1] */
    PARSE_BAD_FIELD, /* a counter's only field is no rate */
    PARSE_TOO_LONG,  /* a name over MAX_NAME, or a node of it over MAX_NODE */
    PARSE_ERROR_COUNT,
};

/* The reason as own statistics name it: "no_value", … */
const char *parse_error_name(enum parse_error error);

/* Reads one line without its newline. PARSE_OK and *out filled, or why not and *out untouched. */
enum parse_error parse_line(const char *line, size_t len, struct sample *out);

/* The common line, read in a way that is quick: any NAME, a value of up to 15 digits with at most
 * one point among them, c, g or ms, and nothing behind it. Fills *out as parse_line would and
 * returns true; false where the line is anything else, which says nothing about whether it is good.
 */
bool parse_common(const char *line, size_t len, struct sample *out);

#endif
