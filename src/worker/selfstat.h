/*
 * selfstat: what the worker says of itself in every flush. Counts are those of one interval.
 *
 *   lines = applied + filtered + the sum of bad + the sum of refused
 */
#ifndef WORKER_SELFSTAT_H
#define WORKER_SELFSTAT_H

#include <stddef.h>
#include <stdint.h>

#include "metric/parse.h"
#include "metric/table.h"

/* Every one a count, so that those of several threads can be added up. */
struct selfstat {
    uint64_t packets, bytes, lines;
    uint64_t bad[PARSE_ERROR_COUNT];
    uint64_t verdicts[TABLE_VERDICT_COUNT]; /* of good lines */
    uint64_t truncated;                     /* datagrams that were cut */
    uint64_t udp_drops;                     /* by the kernel, before they could be read */
    uint64_t quarantined;                   /* datagrams that two workers have died of */
    uint64_t resets;                        /* all that was kept was lost, being not sound */
    uint64_t memory_used;                   /* bytes, when the interval was closed */
};

/* Adds from to into. */
void selfstat_add(struct selfstat *into, const struct selfstat *from);

/* Any one bit that turns over changes it; 0 where all counts are. */
uint32_t selfstat_check(const struct selfstat *stats);

/* The sum of what was refused, bad lines not among it. */
uint64_t selfstat_refused(const struct selfstat *stats);

/* The sum of the bad lines. */
uint64_t selfstat_bad(const struct selfstat *stats);

#define SELFSTAT_ITEMS_MAX 48

struct selfstat_item {
    char name[40];
    double value;
};

/* The same as points to send. */
struct selfstat_list {
    struct selfstat_item items[SELFSTAT_ITEMS_MAX];
    size_t n;
};

/* Empties the list. */
void selfstat_list_reset(struct selfstat_list *list);

/* Appends one statistic, named "name" or "name.part" where part is not NULL. */
void selfstat_list_add(struct selfstat_list *list, const char *name, const char *part,
                       uint64_t value);

/* Appends all of a selfstat; reasons of bad and refused lines only where there are any. */
void selfstat_list_fill(struct selfstat_list *list, const struct selfstat *stats);

#endif
