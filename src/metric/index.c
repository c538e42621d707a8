/*
 * index: see index.h. Knows nothing of what becomes of the metrics that it finds.
 */
#include "metric/index.h"

#include <string.h>

#define FIRST_LOG2 10u

static size_t
size_of(uint32_t log2_n)
{
    return sizeof(struct index_place) << log2_n;
}

/* Three quarters full is as far as it goes. */
static uint32_t
room_of(uint32_t log2_n)
{
    return (1u << log2_n) / 4 * 3;
}

static arena_ref
take_places(struct arena *arena, uint32_t log2_n)
{
    arena_ref ref = arena_take(arena, size_of(log2_n));

    if (ref != 0)
        memset(arena_at(arena, ref), 0, size_of(log2_n));
    return ref;
}

int
index_init(struct index *index, struct arena *arena, uint32_t n_metrics)
{
    uint32_t log2_n = FIRST_LOG2;

    while (log2_n < INDEX_LOG2_MAX && n_metrics >= room_of(log2_n))
        log2_n++;
    index->log2_n = log2_n;
    index->places = take_places(arena, log2_n);
    return index->places != 0 ? 0 : -1;
}

/* It may be replaced meanwhile. */
static struct index
snapshot(const struct index *index)
{
    struct index now;

    __atomic_load(index, &now, __ATOMIC_ACQUIRE);
    return now;
}

struct index_place *
index_find(const struct index *index, const struct arena *arena, enum metric_type type,
           const struct name *name, uint32_t hash, arena_ref *out_ref)
{
    struct index now = snapshot(index);
    struct index_place *places = arena_at(arena, now.places);
    uint32_t mask = (1u << now.log2_n) - 1;

    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        const struct metric *metric;

        *out_ref = __atomic_load_n(&places[i].ref, __ATOMIC_ACQUIRE);
        if (*out_ref == 0)
            return &places[i];
        if (places[i].hash != hash)
            continue;
        metric = arena_at(arena, *out_ref);
        if (metric->type == type && metric->name_len == name->len &&
            memcmp(metric_name(metric), name->text, name->len) == 0)
            return &places[i];
    }
}

static void
add_to(struct index_place *places, uint32_t log2_n, arena_ref ref, uint32_t hash)
{
    uint32_t mask = (1u << log2_n) - 1, i = hash & mask;

    while (places[i].ref != 0)
        i = (i + 1) & mask;
    places[i] = (struct index_place){.ref = ref, .hash = hash};
}

void
index_add(struct index *index, const struct arena *arena, arena_ref ref, uint32_t hash)
{
    add_to(arena_at(arena, index->places), index->log2_n, ref, hash);
}

void
index_put(struct index_place *place, arena_ref ref, uint32_t hash)
{
    place->hash = hash;
    __atomic_store_n(&place->ref, ref, __ATOMIC_RELEASE);
}

/* Twice as many places, filled aside and then swapped in. */
int
index_make_room(struct index *index, struct arena *arena, uint32_t n_metrics,
                struct index_retired *retired)
{
    struct index grown = {.log2_n = index->log2_n + 1};
    const struct index_place *old = arena_at(arena, index->places);

    if (n_metrics < room_of(index->log2_n))
        return 0;
    if (grown.log2_n > INDEX_LOG2_MAX || (grown.places = take_places(arena, grown.log2_n)) == 0)
        return -1;
    for (uint32_t i = 0; i < 1u << index->log2_n; i++) {
        if (old[i].ref != 0)
            add_to(arena_at(arena, grown.places), grown.log2_n, old[i].ref, old[i].hash);
    }
    retired->places[index->log2_n] = index->places;
    retired->n++;
    __atomic_store(index, &grown, __ATOMIC_RELEASE);
    return 0;
}

void
index_pile_up(struct index_retired *retired, const struct arena *arena, struct arena_pile *pile)
{
    for (uint32_t log2_n = FIRST_LOG2; log2_n <= INDEX_LOG2_MAX && retired->n > 0; log2_n++) {
        if (retired->places[log2_n] == 0)
            continue;
        arena_pile_up(arena, pile, retired->places[log2_n], size_of(log2_n));
        retired->places[log2_n] = 0;
        retired->n--;
    }
}

/* Moves up those behind that a search would no longer reach. */
void
index_vacate(struct index *index, const struct arena *arena, struct index_place *free)
{
    struct index_place *places = arena_at(arena, index->places);
    uint32_t mask = (1u << index->log2_n) - 1;
    uint32_t i = (uint32_t)(free - places);

    for (uint32_t j = (i + 1) & mask; places[j].ref != 0; j = (j + 1) & mask) {
        uint32_t home = places[j].hash & mask;

        if (((j - home) & mask) >= ((j - i) & mask)) {
            places[i] = places[j];
            i = j;
        }
    }
    places[i] = (struct index_place){0};
}
