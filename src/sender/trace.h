/*
 * trace: what --debug prints of each flush, in py-statsd's words.
 */
#ifndef SENDER_TRACE_H
#define SENDER_TRACE_H

#include <stdio.h>

#include "metric/dialect.h"
#include "sender/batch.h"

/* Prints every metric of a sealed batch, without prefixes, and how many there were. */
void trace_batch(FILE *stream, const struct batch *batch, const struct dialect *dialect);

#endif
