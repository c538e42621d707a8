/*
 * selfstat: see selfstat.h.
 */
#include "worker/selfstat.h"

#include <assert.h>
#include <stdio.h>

void
selfstat_list_reset(struct selfstat_list *list)
{
    list->n = 0;
}

void
selfstat_list_add(struct selfstat_list *list, const char *name, const char *part, uint64_t value)
{
    struct selfstat_item *item = &list->items[list->n++];

    assert(list->n <= SELFSTAT_ITEMS_MAX);
    snprintf(item->name, sizeof(item->name), "%s%s%s", name, part == NULL ? "" : ".",
             part == NULL ? "" : part);
    item->value = (double)value;
}

static uint64_t
sum_of(const uint64_t *counts, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

void
selfstat_add(struct selfstat *into, const struct selfstat *from)
{
    uint64_t *to = (uint64_t *)into;
    const uint64_t *counts = (const uint64_t *)from;

    _Static_assert(sizeof(*into) % sizeof(*to) == 0, "a selfstat is nothing but counts");
    for (size_t i = 0; i < sizeof(*into) / sizeof(*to); i++)
        to[i] += counts[i];
}

uint32_t
selfstat_check(const struct selfstat *stats)
{
    const uint64_t *counts = (const uint64_t *)stats;
    uint64_t fold = 0;

    for (size_t i = 0; i < sizeof(*stats) / sizeof(*counts); i++)
        fold = (fold << 5 | fold >> 59) ^ counts[i];
    return (uint32_t)(fold ^ fold >> 32);
}

uint64_t
selfstat_bad(const struct selfstat *stats)
{
    return sum_of(stats->bad, PARSE_ERROR_COUNT);
}

uint64_t
selfstat_refused(const struct selfstat *stats)
{
    return sum_of(stats->verdicts, TABLE_VERDICT_COUNT) - stats->verdicts[TABLE_APPLIED] -
           stats->verdicts[TABLE_FILTERED];
}

static void
add_reasons(struct selfstat_list *list, const struct selfstat *stats)
{
    for (unsigned i = 0; i < PARSE_ERROR_COUNT; i++) {
        if (stats->bad[i] > 0)
            selfstat_list_add(list, "bad", parse_error_name(i), stats->bad[i]);
    }
    for (unsigned i = 0; i < TABLE_VERDICT_COUNT; i++) {
        if (i != TABLE_APPLIED && i != TABLE_FILTERED && stats->verdicts[i] > 0)
            selfstat_list_add(list, "refused", table_verdict_names[i], stats->verdicts[i]);
    }
}

void
selfstat_list_fill(struct selfstat_list *list, const struct selfstat *stats)
{
    selfstat_list_add(list, "packets_received", NULL, stats->packets);
    selfstat_list_add(list, "bytes_received", NULL, stats->bytes);
    selfstat_list_add(list, "lines_received", NULL, stats->lines);
    selfstat_list_add(list, "lines_applied", NULL, stats->verdicts[TABLE_APPLIED]);
    selfstat_list_add(list, "bad_lines_seen", NULL, selfstat_bad(stats));
    selfstat_list_add(list, "filtered", NULL, stats->verdicts[TABLE_FILTERED]);
    selfstat_list_add(list, "udp_drops", NULL, stats->udp_drops);
    selfstat_list_add(list, "truncated", NULL, stats->truncated);
    selfstat_list_add(list, "memory_used", NULL, stats->memory_used);
    if (stats->quarantined > 0)
        selfstat_list_add(list, "quarantined", NULL, stats->quarantined);
    if (stats->resets > 0)
        selfstat_list_add(list, "resets", NULL, stats->resets);
    add_reasons(list, stats);
}
