/*
 * watch: lines on their way from one ingest thread to one who watches them, through a ring that the
 * thread puts them into and another takes them out of, neither waiting for the other. What finds no
 * room is counted, not kept. Must not know how lines are read, nor who reads them.
 */
#ifndef WORKER_WATCH_H
#define WORKER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net.h"
#include "metric/filter.h"
#include "metric/name.h"

#define WATCH_LINE_MAX 512 /* bytes of a line that are shown */
/* What a line takes of a buffer at most: the sender, every byte escaped to four, "..." and "\n". */
#define WATCH_TEXT_MAX (NET_TEXT_MAX + 4 * WATCH_LINE_MAX + 8)

struct watch;

/* Of the lines whose clean name matches glob, at most FILTER_PATTERN_MAX bytes, "": of all; with a
 * ring of size bytes, a power of two of at least 4096. NULL: no memory. */
struct watch *watch_new(const char *glob, size_t size);

/* NULL is fine. */
void watch_free(struct watch *watch);

/* The ingest thread's: whether a name is one of those that are watched. */
bool watch_wants(const struct watch *watch, const struct name *name);

/* The ingest thread's: a line of len bytes, and whoever sent it. */
void watch_put(struct watch *watch, const struct net_address *from, const char *line, size_t len);

/* The other's: appends "ADDRESS:PORT LINE" lines, escaped as in the log, until out has max bytes or
 * there is none. Returns whether there may be more. */
bool watch_take(struct watch *watch, struct buf *out, size_t max);

/* The other's: how many lines have found no room since it was asked last. */
uint64_t watch_skipped(struct watch *watch);

#endif
