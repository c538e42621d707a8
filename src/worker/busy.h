/*
 * busy: which names, prefixes and senders an ingest thread has most lines of, over about the last
 * minute, and which names are new. In memory of the thread's own, which a crash may forget. Under
 * load it looks at one line in BUSY_EVERY, which stands for the others; where there are few, at all
 * of them. Must not know how lines are read, nor who asks.
 */
#ifndef WORKER_BUSY_H
#define WORKER_BUSY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/net.h"
#include "metric/name.h"
#include "metric/sample.h"

#define BUSY_EVERY   256
#define BUSY_TOP_MAX 100 /* of each kind that can be asked for */

struct busy;

/* For one of n_threads threads, which together take less than 1 MiB; the key is the same for all
 * that are merged, and secret. NULL: no memory. */
struct busy *busy_new(const struct hash_key *key, size_t n_threads);

/* One to be merged into. NULL: no memory. */
struct busy *busy_new_merged(const struct hash_key *key);

/* NULL is fine. */
void busy_free(struct busy *busy);

/* Which of n lines, 0 to n - 1, is to be counted first, or n for none; now_ms is the wall clock. */
size_t busy_first(struct busy *busy, size_t n, uint64_t now_ms);

/* Counts a line of a clean name, NULL where it has none, and whoever sent it; at is its number.
 * Returns the next one's, or n. */
size_t busy_count(struct busy *busy, size_t at, size_t n, const struct name *name,
                  const struct net_address *from);

/* A name that nobody had heard of. */
void busy_meet(struct busy *busy, enum metric_type type, const struct name *name, uint64_t now_ms);

/* Adds what another has to one of busy_new_merged. In a constant time. */
void busy_merge(struct busy *into, struct busy *from, uint64_t now_ms);

/* Appends "name PER_S NAME", "new AGE_S TYPE NAME", "sender PER_S ADDRESS" and "prefix PER_S
 * PREFIX" lines of what was merged, n of each, at most BUSY_TOP_MAX, the busiest and the newest
 * first. A name that is longer than what is kept of it ends in "...". */
void busy_print(const struct busy *merged, size_t n, uint64_t now_ms, struct buf *out);

#endif
