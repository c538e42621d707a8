/*
 * batch: everything that one flush has to send. Grows frame by frame, then is sealed and never
 * changes again; what goes on the wire is made of it anew for every try, the same bytes each time.
 */
#ifndef SENDER_BATCH_H
#define SENDER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "metric/point.h"

struct batch {
    uint64_t id;          /* the flush's */
    uint64_t timestamp_s; /* of every point */
    uint64_t n_lines;     /* points in it */
    uint64_t n_dropped;   /* points that it had no room for */
    uint64_t n_unkept;    /* points that there was no memory for */
    struct buf records;   /* encoded, see metric/point.h */
    size_t metrics_limit; /* bytes of records of metrics; the rest is for own statistics */
    uint32_t crc;         /* CRC-32C of records, once sealed */
};

/* What is kept free of metrics for own statistics: more than all that there are take. Of a very
 * small batch it is half. */
#define BATCH_OWN_ROOM 4096

/* An empty batch of at most limit bytes of records, or NULL without memory. */
struct batch *batch_new(uint64_t id, uint64_t end_ms, size_t limit);

/* NULL is fine. */
void batch_free(struct batch *batch);

/* Adds the records of a frame's payload. Returns 0, or -1 where from some record on they are no
 * records: those before it are taken, the rest is not. Records beyond the limit are counted in
 * n_dropped, those that there is no memory for in n_unkept. */
int batch_add(struct batch *batch, const uint8_t *payload, size_t len);

/* Adds one point under the daemon's own name. */
void batch_add_own(struct batch *batch, const char *name, double value);

/* Ends it: the checksum is made. */
void batch_seal(struct batch *batch);

/* Whether a sealed batch still is what it was. */
bool batch_is_intact(const struct batch *batch);

#endif
