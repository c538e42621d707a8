/*
 * explain: what the daemon makes of one line, told as text: how it is read, cleaned and named, and
 * what would be sent of it, or why it is refused. A table and a flush of its own tell it, made of
 * the same code and settings as the daemon's. Must not know of the metrics that there are.
 */
#ifndef WORKER_EXPLAIN_H
#define WORKER_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "worker/worker.h"

/* The longest text, for a line of EXPLAIN_LINE_MAX bytes. */
#define EXPLAIN_LINE_MAX 16384
#define EXPLAIN_TEXT_MAX ((size_t)256 * 1024)

/* Appends "KEY VALUE" lines that tell of a line of len bytes, without its newline; nothing in them
 * but printable ASCII. "sent NAME VALUE" is what goes to carbon, but for the timestamp; "refused",
 * "filtered" or "empty" say why nothing does. *out_sent is whether something would. Returns 0, or
 * -errno where there is no memory. Changes nothing else, and may be called on any thread. */
int explain(const struct worker_opts *opts, const char *line, size_t len, struct buf *out,
            bool *out_sent);

#endif
