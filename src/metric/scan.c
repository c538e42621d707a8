/*
 * scan: see scan.h. The places where searches begin are gone through in the order of their numbers
 * read backwards, from the lowest bit on: whatever the index grows to meanwhile, what one of its
 * places becomes is either behind the walk as a whole or before it (as Redis' SCAN does it).
 */
#include "metric/scan.h"

static uint32_t
reversed(uint32_t bits)
{
    bits = (bits >> 1 & 0x55555555u) | (bits & 0x55555555u) << 1;
    bits = (bits >> 2 & 0x33333333u) | (bits & 0x33333333u) << 2;
    bits = (bits >> 4 & 0x0f0f0f0fu) | (bits & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(bits);
}

bool
scan_step(struct scan *scan, const struct table *table,
          void (*visit)(struct metric *metric, void *context), void *context)
{
    const struct index *index = &table->index;
    const struct index_place *places = arena_at(&table->arena, index->places);
    uint32_t mask = (1u << index->log2_n) - 1, home = scan->at & mask;

    if (scan->has_ended)
        return false;
    for (uint32_t i = home; places[i].ref != 0; i = (i + 1) & mask) {
        if ((places[i].hash & mask) == home)
            visit(arena_at(&table->arena, places[i].ref), context);
    }
    scan->at = reversed(reversed(scan->at | ~mask) + 1);
    scan->has_ended = scan->at == 0;
    return !scan->has_ended;
}
