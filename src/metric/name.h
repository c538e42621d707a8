/*
 * name: the sanitisers, which make of any bytes a name that carbon takes.
 */
#ifndef METRIC_NAME_H
#define METRIC_NAME_H

#include <stddef.h>
#include <stdint.h>

#include "metric/parse.h"

/* No limit on a name exceeds this. */
#define NAME_LEN_MAX 1024

struct name_limits {
    size_t name_max; /* bytes of a clean name */
    size_t node_max; /* bytes of one of its dotted parts */
};

/* By byte: whether every sanitiser leaves it as it is, that is [A-Za-z0-9_.-]. */
extern const uint8_t name_plain_bytes[256];

/* A clean name, borrowed. */
struct name {
    const char *text;
    size_t len;
};

/* Whether a clean name keeps the limits: PARSE_OK, PARSE_NO_NAME or PARSE_TOO_LONG. */
enum parse_error name_check(const struct name *name, const struct name_limits *limits);

/* py-statsd's rule: "/" to "-", " " to "_", each run of other white space to one "_", then
 * everything outside [A-Za-z0-9_.-] is dropped. *out is the raw name itself where that is clean
 * already, which costs next to nothing, or else is written to scratch. PARSE_NO_NAME where nothing
 * is left, PARSE_TOO_LONG beyond the limits. */
enum parse_error name_clean(const char *raw, size_t len, const struct name_limits *limits,
                            char scratch[NAME_LEN_MAX], struct name *out);

#endif
