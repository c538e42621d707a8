/*
 * index: where in an arena the metric of a type and name is: open addressing, a few bytes a metric.
 * One thread changes it; another may look into it meanwhile.
 */
#ifndef METRIC_INDEX_H
#define METRIC_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/hash.h"
#include "metric/metric.h"
#include "metric/name.h"

/* A free one has no ref. */
struct index_place {
    arena_ref ref;
    uint32_t hash;
};

/* Where the places are: replaced as one. */
struct index {
    arena_ref places; /* struct index_place[1 << log2_n] */
    uint32_t log2_n;
};

#define INDEX_LOG2_MAX 31

/* What were indexes, by log2_n. They are not touched, since the flush may still look into them.
 * Zeroed: none. */
struct index_retired {
    uint32_t n;
    arena_ref places[INDEX_LOG2_MAX + 1];
};

/* An empty index with room for n_metrics. Returns 0, or -1 without memory. */
int index_init(struct index *index, struct arena *arena, uint32_t n_metrics);

/* The place of a metric, or the free one where it would go; *out_ref is what stands there, or 0. */
struct index_place *index_find(const struct index *index, const struct arena *arena,
                               enum metric_type type, const struct name *name, uint32_t hash,
                               arena_ref *out_ref);

/* Makes room for another metric where there are n_metrics. What was the index goes to retired.
 * Returns 0, or -1 without memory. */
int index_make_room(struct index *index, struct arena *arena, uint32_t n_metrics,
                    struct index_retired *retired);

/* Puts what is retired, and nobody looks into any more, on pile. */
void index_pile_up(struct index_retired *retired, const struct arena *arena,
                   struct arena_pile *pile);

/* Puts a metric, whose memory is complete, into the free place that was found for it. */
void index_put(struct index_place *place, arena_ref ref, uint32_t hash);

/* Puts in a metric that is not there. There must be room. */
void index_add(struct index *index, const struct arena *arena, arena_ref ref, uint32_t hash);

/* Frees a place. Nobody may look into the index meanwhile. */
void index_vacate(struct index *index, const struct arena *arena, struct index_place *free);

/* The hash that a name is looked for under. */
static inline uint32_t
index_hash(const struct hash_key *key, enum metric_type type, const struct name *name)
{
    uint64_t wide = hash_bytes(key, name->text, name->len) + (uint64_t)type * 0x9e3779b97f4a7c15u;

    return (uint32_t)(wide ^ wide >> 32);
}

/* The place where a search for hash begins. */
static inline const struct index_place *
index_home(const struct index *index, const struct arena *arena, uint32_t hash)
{
    const struct index_place *places = arena_at(arena, index->places);

    return &places[hash & ((1u << index->log2_n) - 1)];
}

#endif
