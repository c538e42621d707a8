/*
 * sample: a line of `send`, cut into what the library wants.
 */
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

#include <stdbool.h>

#include "client/pystatsd.h"

struct sample {
    const char *name, *value;
    char type[PYSTATSD_DATAGRAM_MAX + 1]; /* and behind it the fields that are not told below */
    const char *tags;                     /* or NULL */
    double rate;
};

/* Cuts NAME:VALUE|TYPE[|@RATE][|#TAGS][|FIELD]... in place: line, NUL-terminated and the caller's
 * own, is what out then points into. as_is leaves rate and tags with the type, where nothing of
 * them is to be changed. Returns 0, or -1 where it is no sample. */
int sample_cut(char *line, bool as_is, struct sample *out);

#endif
