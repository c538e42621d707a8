/*
 * inspect: values as Node's util.inspect shows them: what Etsy's console prints of its maps. A map
 * stands on one line where that is short, else each entry has its own; so it can be made entry by
 * entry, whatever its size. (lib/internal/util/inspect.js of Node 12 to 20, with its defaults.)
 */
#ifndef WORKER_INSPECT_H
#define WORKER_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* How many elements of an array are shown. */
#define INSPECT_SHOWN_MAX 100
/* The widest line, less what Node puts aside. */
#define INSPECT_LINE_MAX 80

/* Appends a finite number as JavaScript spells it. */
void inspect_number(double value, struct buf *out);

/* Appends a key as it stands before its colon: quoted unless it is an identifier. */
void inspect_key(const char *key, size_t len, struct buf *out);

/* Appends an array of n numbers that is a map's value, of which the first n_shown, at most
 * INSPECT_SHOWN_MAX, are given, and the rest counted. */
void inspect_array(const double *values, size_t n_shown, uint64_t n, struct buf *out);

/* Zeroed: begun. */
struct inspect_map {
    bool is_tall; /* each entry has a line of its own */
    size_t n;
    size_t len;                      /* of the entries that may still stand on one line, */
    char line[INSPECT_LINE_MAX * 2]; /* which are kept here with what is between them */
    size_t line_len;
};

/* Adds an entry, len bytes of "key: value"; what is out of the map's hands goes to out. */
void inspect_map_add(struct inspect_map *map, const char *entry, size_t len, struct buf *out);

/* Appends the rest of it. */
void inspect_map_end(struct inspect_map *map, struct buf *out);

#endif
