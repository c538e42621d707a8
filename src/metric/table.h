/*
 * table: every live metric, found by type and name, in an arena with a ceiling.
 *
 * Samples go to the open interval. table_close shuts it in constant time and opens the next;
 * metric/flush then walks the closed one while samples go on arriving. Names beyond max_metrics
 * and whatever the arena has no room for are refused; what is there already stays exact.
 */
#ifndef METRIC_TABLE_H
#define METRIC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "metric/metric.h"
#include "metric/name.h"
#include "metric/sample.h"

/* A time that is flushed as one. */
struct interval {
    uint64_t end_ms;  /* wall clock; its whole seconds are the timestamp */
    uint64_t span_ms; /* what a rate divides by */
};

/* One place of the index; a free one has no ref. */
struct table_place {
    arena_ref ref;
    uint32_t hash;
};

struct table {
    struct arena arena;
    struct hash_key key;
    uint32_t max_metrics;
    uint32_t n_metrics[METRIC_TYPE_COUNT];
    uint32_t n_total;
    arena_ref first, last; /* in order of creation */
    arena_ref places;      /* struct table_place[n_places], open addressing */
    uint32_t n_places;     /* a power of two */
    unsigned open;         /* the generation that samples go to */
    bool closed_pending;   /* the other generation waits for its flush */
    struct interval closed;
};

enum table_verdict {
    TABLE_APPLIED,
    TABLE_METRICS,  /* a new name beyond max_metrics */
    TABLE_MEMORY,   /* the arena is full */
    TABLE_OVERFLOW, /* a sum would not be finite */
    TABLE_VERDICT_COUNT,
};

/* The verdict as own statistics name it: "metrics", "memory", "overflow". */
const char *table_verdict_name(enum table_verdict verdict);

/* An empty table of at most memory_limit bytes. Returns 0 or -errno. */
int table_init(struct table *table, size_t memory_limit, uint32_t max_metrics,
               const struct hash_key *key);

/* Frees everything; fine on a zeroed struct. */
void table_release(struct table *table);

/* The hash under which table_apply looks for a name; also begins to load its place from memory. */
uint32_t table_hash(const struct table *table, enum metric_type type, const struct name *name);

/* Adds a sample to the open interval under a clean name; hash as table_hash gave it. now_ms is the
 * wall clock. What is not TABLE_APPLIED changed nothing that is ever sent. */
enum table_verdict table_apply(struct table *table, const struct sample *sample,
                               const struct name *name, uint32_t hash, uint64_t now_ms);

/* Shuts the open interval and opens the next one. False, and nothing done, while the closed one
 * still waits for its flush. */
bool table_close(struct table *table, const struct interval *interval);

/* Forgets a metric; before is the one created before it, or 0. */
void table_remove(struct table *table, arena_ref ref, arena_ref before);

#endif
