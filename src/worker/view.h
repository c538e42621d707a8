/*
 * view: a name as all shards together have it in the open interval, and the way to each of them.
 * All of it while the shards are held, see worker/hold.h.
 */
#ifndef WORKER_VIEW_H
#define WORKER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metric/flush.h"
#include "metric/scan.h"
#include "worker/hold.h"

/* Valid until they are let go. */
struct view {
    enum metric_type type;
    struct name name;
    size_t n; /* shards that have it */
    struct table *tables[FLUSH_TABLES_MAX];
    struct metric *metrics[FLUSH_TABLES_MAX];
};

/* Zeroed: at the beginning. */
struct view_walk {
    struct scan scan;
    size_t shard;
};

/* Of a set of types: all, or one. */
#define VIEW_ALL ((1u << METRIC_TYPE_COUNT) - 1)
static inline unsigned
view_type(enum metric_type type)
{
    return 1u << type;
}

/* Gives the names of the types that come next, often none, to visit, as many as may be looked at
 * before the shards are let go; who does that still sees all names that stay. Returns false at the
 * end. */
bool view_piece(struct hold *hold, struct view_walk *walk, unsigned types,
                void (*visit)(const struct view *view, void *context), void *context);

/* Finds a clean name. */
bool view_find(const struct hold *hold, enum metric_type type, const struct name *name,
               struct view *out);

/* Of a counter: what it counts. */
double view_sum(const struct view *view);

/* Of a gauge: its value now. */
double view_gauge(const struct view *view);

struct view_timer {
    uint64_t n;
    double sum, lower, upper; /* 0 where n is */
};

/* Of a timer: what its samples are. */
void view_timer(const struct view *view, struct view_timer *out);

/* Of a timer: copies up to max of its samples, of one shard after the other. Returns how many. */
size_t view_samples(const struct view *view, double *out, size_t max);

/* Of a set: how many members it has. */
uint64_t view_members(const struct view *view);

/* When the last sample came, on the wall clock. */
uint64_t view_updated_ms(const struct view *view);

#endif
