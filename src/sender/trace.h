/*
 * trace: what --debug prints of each flush, in py-statsd's words.
 */
#ifndef SENDER_TRACE_H
#define SENDER_TRACE_H

#include "metric/dialect.h"
#include "sender/batch.h"

/* Prints every metric of a sealed batch to fd, without prefixes, and how many there were. An fd
 * that takes nothing is waited for a moment. Returns 0 or -errno: the rest is not shown. */
int trace_batch(int fd, const struct batch *batch, const struct dialect *dialect);

#endif
