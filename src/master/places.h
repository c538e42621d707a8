/*
 * places: the configuration file as one load of it sees it: its text, and the line that sets each
 * key.
 */
#ifndef MASTER_PLACES_H
#define MASTER_PLACES_H

#include <stdbool.h>

#include "base/buf.h"
#include "master/config.h"

/* Where the file sets a key, the last time it does. */
struct place {
    int line;         /* 0: nowhere */
    const char *name; /* as written there: the key's name or its alias; constant */
    char *start;      /* of that line in the text */
};

struct places {
    const char *path;
    bool is_optional; /* no such file is an empty one */
    struct buf text;  /* for libconfuse: only lines that count, each at its number; with a NUL */
    struct place of[CONFIG_KEYS_MAX]; /* by the key's place in the table */
};

/* Borrows path. */
void places_init(struct places *places, const char *path, bool is_optional);

/* Frees the text; fine on a zeroed struct. */
void places_release(struct places *places);

/* Reads and checks the file, but for the values. Returns 0, or -1 with one line in error. A line
 * with an unknown key is a line in warnings. */
int places_read(struct places *places, struct buf *error, struct buf *warnings);

/* Appends "FILE:LINE: ". */
void places_say(const struct places *places, int line, struct buf *out);

#endif
