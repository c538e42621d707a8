/*
 * name: the sanitisers, which make of any bytes a name that carbon takes.
 */
#ifndef METRIC_NAME_H
#define METRIC_NAME_H

#include <stddef.h>

#include "metric/parse.h"

/* No limit on a name exceeds this. */
#define NAME_LEN_MAX 1024

struct name_limits {
    size_t name_max; /* bytes of a clean name */
    size_t node_max; /* bytes of one of its dotted parts */
};

/* A clean name, borrowed. */
struct name {
    const char *text;
    size_t len;
};

/* py-statsd's rule: "/" to "-", " " to "_", each run of other white space to one "_", then
 * everything outside [A-Za-z0-9_.-] is dropped. *out is the raw name itself where that is clean
 * already, which costs next to nothing, or else is written to scratch. PARSE_NO_NAME where nothing
 * is left, PARSE_TOO_LONG beyond the limits. */
enum parse_error name_clean(const char *raw, size_t len, const struct name_limits *limits,
                            char scratch[NAME_LEN_MAX], struct name *out);

#endif
