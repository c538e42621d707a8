/*
 * table: every live metric, found by type and name, in an arena with a ceiling.
 *
 * One thread owns a table and puts samples into its open interval. table_close shuts that and opens
 * the next; from then until it says so, metric/flush, on a thread of its own, walks the closed one
 * while samples go on arriving. Names beyond max_metrics and whatever the arena has no room for are
 * refused; what is there already stays exact.
 */
#ifndef METRIC_TABLE_H
#define METRIC_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "metric/filter.h"
#include "metric/index.h"
#include "metric/metric.h"
#include "metric/name.h"
#include "metric/sample.h"

/* How many metrics one flush may take out; the next one goes on. It bounds table_close. */
#define TABLE_FORGOTTEN_MAX 50000

struct table_opts {
    uint32_t max_metrics;
    uint32_t timer_max_samples; /* kept exactly, each interval */
    uint32_t set_exact_max;     /* members kept exactly, each interval */
    const struct filter *filter;
    struct hash_key key; /* tables that are flushed together share it */
    struct arena_opts arena;
};

/* A table may lie in a mapping that outlives the process. What is said to be noted is so in the
 * undo of opts.arena, and committed by who calls: a successor finds it before or behind all of it,
 * and makes the rest anew. */
struct table {
    struct table_opts opts;
    struct arena arena;
    uint32_t n_metrics;    /* noted; those that are unlinked are among them */
    arena_ref first, last; /* in order of creation; first is noted */
    struct index index;
    struct index_retired retired;
    uint32_t number; /* of the open interval; its lowest bit is the generation; noted */
    uint32_t check;  /* of number and newest; noted */

    bool flushing;           /* the closed generation is the flush's, with all that follows */
    arena_ref newest;        /* the last metric when it was closed: the walk's end; noted */
    struct arena_pile freed; /* what its samples took */
    arena_ref unlinked;      /* metrics that the walk took out, by next, to be forgotten; noted */
};

enum table_verdict {
    TABLE_APPLIED,
    TABLE_UNKNOWN,  /* no metric has that name */
    TABLE_FILTERED, /* not wanted */
    TABLE_METRICS,  /* a new name beyond max_metrics */
    TABLE_MEMORY,   /* the arena is full */
    TABLE_OVERFLOW, /* a sum would not be finite */
    TABLE_VERDICT_COUNT,
};

/* The verdicts as own statistics name them: "metrics", "memory", "overflow", … */
extern const char *const table_verdict_names[TABLE_VERDICT_COUNT];

/* An empty table whose open interval has number. Borrows opts->filter. Returns 0 or -errno. */
int table_init(struct table *table, const struct table_opts *opts, uint32_t number);

/* Frees everything; fine on a zeroed struct. */
void table_release(struct table *table);

/* The hash under which a name is looked for; also begins to load its place from memory. */
uint32_t table_hash(const struct table *table, enum metric_type type, const struct name *name);

/* The generation that samples go to. */
static inline unsigned
table_open(const struct table *table)
{
    return table->number & 1;
}

/* What table->check is to be. */
static inline uint32_t
table_check(const struct table *table)
{
    return (table->number << 7 | table->number >> 25) ^ table->newest ^ 0x9e3779b9u;
}

/* Begins to load the metric that a name with this hash most likely has, once its place is there. */
static inline void
table_prefetch(const struct table *table, uint32_t hash)
{
    const char *metric =
        arena_at(&table->arena, index_home(&table->index, &table->arena, hash)->ref);

    __builtin_prefetch(metric, 1);
    __builtin_prefetch(metric + 64, 1);
}

/* Begins to load where a timer's next sample goes, once the metric is there. */
static inline void
table_prefetch_samples(const struct table *table, uint32_t hash, enum metric_type type)
{
    const struct index_place *place = index_home(&table->index, &table->arena, hash);
    struct metric *metric = arena_at(&table->arena, place->ref);
    const struct timer *timer;

    if (type != METRIC_TIMER || place->hash != hash || metric->type != METRIC_TIMER)
        return;
    timer = metric_state(metric, table_open(table));
    __builtin_prefetch((const double *)arena_at(&table->arena, timer->store) + timer->n, 1);
}

/* The metric of a type and name, or NULL. For the flush too, of any table, while it is running. */
struct metric *table_find(const struct table *table, enum metric_type type, const struct name *name,
                          uint32_t hash);

/* The same as table_apply for a name that is there already, else TABLE_UNKNOWN. Only clean names
 * are, so any name may be asked for, and one that is found need not be cleaned. */
enum table_verdict table_apply_known(struct table *table, const struct sample *sample,
                                     const struct name *name, uint32_t hash, uint64_t now_ms);

/* Adds a sample to the open interval under a clean name; hash as table_hash gave it. now_ms is the
 * wall clock. All that it changes is noted. What is not TABLE_APPLIED changed nothing that is ever
 * sent. */
enum table_verdict table_apply(struct table *table, const struct sample *sample,
                               const struct name *name, uint32_t hash, uint64_t now_ms);

/* Takes back what the last flush has freed, once that is done; costs next to nothing. */
void table_tidy(struct table *table);

/* Shuts the open interval, opens the next one, and forgets what the flush before took out and
 * nobody has used since. The shutting itself is noted, and committed with what the caller does. The
 * flush before must be done. */
void table_close(struct table *table);

#endif
