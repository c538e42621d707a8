/*
 * lines: from datagrams to the table, in two passes. The first parses and hashes every line and has
 * its place in the table loaded; the second applies them, when the memory has arrived. A name is
 * cleaned only where the table does not have it as it came.
 */
#ifndef WORKER_LINES_H
#define WORKER_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/limit.h"
#include "metric/name.h"
#include "metric/sample.h"
#include "metric/table.h"
#include "worker/culprit.h"
#include "worker/ingest.h"
#include "worker/selfstat.h"

#define LINES_BATCH 256
/* What is said of bad lines at debug level. */
#define LINES_LOGGED_PER_S 20

/* A line between the passes; all is borrowed from its datagram. */
struct line {
    struct sample sample;
    const struct datagram *datagram;
    uint32_t len; /* of the whole line, from the name on */
    uint32_t hash;
};

struct lines {
    struct table *table;
    struct selfstat *stats;
    struct culprit *culprit;
    struct name_limits limits;
    struct limit logged;
    size_t n;
    struct line batch[LINES_BATCH];
};

/* Borrows table, stats and culprit. */
void lines_init(struct lines *lines, struct table *table, struct selfstat *stats,
                struct culprit *culprit, const struct name_limits *limits);

/* Puts every line of the n datagrams into the table's open interval, or counts why not. now_ms is
 * the wall clock. */
void lines_apply(struct lines *lines, const struct datagram *datagrams, size_t n, uint64_t now_ms);

#endif
