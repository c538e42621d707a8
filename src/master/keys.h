/*
 * keys: every setting that there is, one row each: its name, kind, range, default, and how it gets
 * into the options of the processes.
 */
#ifndef MASTER_KEYS_H
#define MASTER_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "master/config.h"
#include "master/value.h"

/* For the ranges of the rows. */
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

struct key {
    const char *name;
    const char *alias; /* another spelling, or NULL */
    struct value_rule rule;
    const char *text;          /* the default; NULL: the value of the key named like */
    const char *like;          /* of an earlier row */
    const char *in_background; /* the default with -D, where it is another */
    bool of_dialect;           /* the default is the dialect's */
    /* Puts a value of the rule into config. Returns NULL, or what was expected instead. NULL where
     * the key is not built yet. Called in the order of the rows. */
    const char *(*set)(struct config *config, const struct value *value);
};

/* A part of the table, in the order in which settings are listed. */
struct key_group {
    const struct key *rows;
    size_t n;
};

extern const struct key_group keys_in;    /* listening, and what samples add up to */
extern const struct key_group keys_idle;  /* what nothing means */
extern const struct key_group keys_name;  /* names */
extern const struct key_group keys_limit; /* memory */
extern const struct key_group keys_out;   /* delivery and process */
extern const struct key_group keys_ask;   /* where the daemon can be asked */

/* How many rows there are, and one of them, keys_in's first. */
size_t keys_count(void);
const struct key *keys_at(size_t index);

/* The place of the key of that name or alias, or -1. */
int keys_find(const char *name, size_t len);

/* Appends that name is no known key, and which one is the fewest edits away,
 * whatever the case of its letters. */
void keys_say_unknown(const char *name, size_t len, struct buf *out);

/* Appends that key is of a later version. */
void keys_say_unbuilt(const struct key *key, struct buf *out);

#endif
