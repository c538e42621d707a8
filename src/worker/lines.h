/*
 * lines: from the datagrams in hand to the table, a batch of lines at a time, in two passes. The
 * first parses and hashes every line and has its place in the table loaded; the second applies
 * them, when the memory has arrived, and says after each that it is done. A batch's statistics
 * count when all of it is. A name is cleaned only where the table does not have it as it came.
 */
#ifndef WORKER_LINES_H
#define WORKER_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limit.h"
#include "metric/name.h"
#include "metric/sample.h"
#include "worker/culprit.h"
#include "worker/ingest.h"
#include "worker/onlook.h"
#include "worker/store.h"

/* What is said of bad lines at debug level. */
#define LINES_LOGGED_PER_S 20

/* A line between the passes; all is borrowed from its datagram. */
struct line {
    struct sample sample;
    uint32_t len; /* of the whole line, from the name on */
    uint32_t hash;
    uint8_t datagram; /* its number */
    uint8_t error;    /* enum parse_error */
};

struct lines {
    struct store_region *region;
    const struct ingest *ingest;
    struct culprit *culprit;
    struct name_limits limits;
    struct limit logged;
    struct onlook onlook;

    size_t n;
    struct line batch[HAND_LINES];
    uint64_t n_packets, n_bytes, n_truncated; /* of the datagrams that begin in the batch */
    uint32_t next_at, next_offset;            /* where the next batch begins */
};

/* Borrows all; the datagrams are ingest's. Nobody looks on. */
void lines_init(struct lines *lines, struct store_region *region, const struct ingest *ingest,
                struct culprit *culprit, const struct name_limits *limits);

/* Puts every line of the n datagrams, from where the hand stands, into the table's open interval,
 * or counts why not. now_ms is the wall clock. */
void lines_apply(struct lines *lines, size_t n, uint64_t now_ms);

/* Counts those lines of the n datagrams that a predecessor has applied and not counted. To be
 * called before lines_apply. */
void lines_settle(struct lines *lines, size_t n);

#endif
