/*
 * facts: what the daemon says of itself, keys and values.
 */
#ifndef CLI_FACTS_H
#define CLI_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#define FACTS_MAX 1024

struct fact {
    char *key;         /* the fact's one allocation, with the value in it */
    const char *value; /* "-" where the daemon does not know */
};

struct facts {
    struct fact *facts; /* in the daemon's order; a key may come more than once */
    size_t n_facts;
};

/* Takes a line "KEY VALUE" as the daemon sends it. Returns 0, or -1 where it is none, there are
 * FACTS_MAX, or there is no memory. */
int facts_add(struct facts *facts, const char *line);

/* Frees all; fine on a zeroed struct. */
void facts_release(struct facts *facts);

/* The value, or NULL where it was not said or the daemon does not know. */
const char *facts_text(const struct facts *facts, const char *key);

/* The value as a number; NAN where it is none. */
double facts_number(const struct facts *facts, const char *key);

/* The next key that begins with prefix, from *at on, which it moves behind; NULL behind the last.
 */
const struct fact *facts_next(const struct facts *facts, const char *prefix, size_t *at);

#endif
