/*
 * table: finding, making and forgetting metrics. Knows nothing of lines or flushes.
 */
#include "metric/table.h"

#include <assert.h>
#include <string.h>

#define FIRST_PLACES 1024u

static const char *const verdict_names[TABLE_VERDICT_COUNT] = {
    [TABLE_APPLIED] = "applied",
    [TABLE_METRICS] = "metrics",
    [TABLE_MEMORY] = "memory",
    [TABLE_OVERFLOW] = "overflow",
};

const char *
table_verdict_name(enum table_verdict verdict)
{
    assert(verdict < TABLE_VERDICT_COUNT);
    return verdict_names[verdict];
}

static struct table_place *
places(const struct table *table)
{
    return arena_at(&table->arena, table->places);
}

static arena_ref
take_places(struct table *table, uint32_t n)
{
    size_t size = n * sizeof(struct table_place);
    arena_ref ref = arena_take(&table->arena, size);

    if (ref != 0)
        memset(arena_at(&table->arena, ref), 0, size);
    return ref;
}

int
table_init(struct table *table, size_t memory_limit, uint32_t max_metrics,
           const struct hash_key *key)
{
    int error;

    memset(table, 0, sizeof(*table));
    if ((error = arena_init(&table->arena, memory_limit)) != 0)
        return error;
    table->key = *key;
    table->max_metrics = max_metrics;
    table->n_places = FIRST_PLACES;
    table->places = take_places(table, FIRST_PLACES);
    assert(table->places != 0);
    return 0;
}

void
table_release(struct table *table)
{
    arena_release(&table->arena);
    memset(table, 0, sizeof(*table));
}

uint32_t
table_hash(const struct table *table, enum metric_type type, const struct name *name)
{
    uint64_t wide =
        hash_bytes(&table->key, name->text, name->len) + (uint64_t)type * 0x9e3779b97f4a7c15u;
    uint32_t hash = (uint32_t)(wide ^ wide >> 32);

    __builtin_prefetch(&places(table)[hash & (table->n_places - 1)]);
    return hash;
}

/* The place of a metric, or the free one where it would go. */
static struct table_place *
find(const struct table *table, enum metric_type type, const struct name *name, uint32_t hash)
{
    struct table_place *place = places(table);
    uint32_t i = hash & (table->n_places - 1);

    for (; place[i].ref != 0; i = (i + 1) & (table->n_places - 1)) {
        const struct metric *metric;

        if (place[i].hash != hash)
            continue;
        metric = arena_at(&table->arena, place[i].ref);
        if (metric->type == type && metric->name_len == name->len &&
            memcmp(metric_name(metric), name->text, name->len) == 0)
            break;
    }
    return &place[i];
}

/* Twice as many places, filled aside and then swapped in. */
static int
grow(struct table *table)
{
    uint32_t n = table->n_places * 2;
    const struct table_place *old = places(table);
    struct table_place *new;
    arena_ref ref;

    if (n < table->n_places || (ref = take_places(table, n)) == 0)
        return -1;
    new = arena_at(&table->arena, ref);
    for (uint32_t i = 0; i < table->n_places; i++) {
        uint32_t j = old[i].hash & (n - 1);

        if (old[i].ref == 0)
            continue;
        while (new[j].ref != 0)
            j = (j + 1) & (n - 1);
        new[j] = old[i];
    }
    arena_give(&table->arena, table->places, table->n_places * sizeof(*old));
    table->places = ref;
    table->n_places = n;
    return 0;
}

static void
append(struct table *table, arena_ref ref)
{
    if (table->last == 0)
        table->first = ref;
    else
        ((struct metric *)arena_at(&table->arena, table->last))->next = ref;
    table->last = ref;
}

static enum table_verdict
create(struct table *table, enum metric_type type, const struct name *name, uint32_t hash,
       struct metric **out)
{
    struct table_place *place;
    struct metric *metric;
    arena_ref ref;

    if (table->n_total >= table->max_metrics)
        return TABLE_METRICS;
    if (table->n_total >= table->n_places / 4 * 3 && grow(table) != 0)
        return TABLE_MEMORY;
    if ((ref = arena_take(&table->arena, metric_size(type, name->len))) == 0)
        return TABLE_MEMORY;
    metric = arena_at(&table->arena, ref);
    metric_init(metric, type, name->text, name->len);
    metric->hash = hash;
    append(table, ref);
    place = find(table, type, name, hash);
    place->hash = hash;
    place->ref = ref;
    table->n_metrics[type]++;
    table->n_total++;
    *out = metric;
    return TABLE_APPLIED;
}

static enum table_verdict
apply_timer(struct table *table, struct timer *timer, const struct sample *sample)
{
    switch (timer_add(timer, &table->arena, sample)) {
    case TIMER_ADDED: return TABLE_APPLIED;
    case TIMER_NO_MEMORY: return TABLE_MEMORY;
    case TIMER_OVERFLOW: break;
    }
    return TABLE_OVERFLOW;
}

static enum table_verdict
apply_set(struct table *table, struct set *set, const struct sample *sample)
{
    uint64_t member = hash_bytes(&table->key, sample->member, sample->member_len);

    return set_add(set, &table->arena, member) == 0 ? TABLE_APPLIED : TABLE_MEMORY;
}

static enum table_verdict
apply_state(struct table *table, void *state, const struct sample *sample)
{
    switch (sample->type) {
    case METRIC_COUNTER: return counter_add(state, sample) == 0 ? TABLE_APPLIED : TABLE_OVERFLOW;
    case METRIC_GAUGE: gauge_set(state, sample); return TABLE_APPLIED;
    case METRIC_TIMER: return apply_timer(table, state, sample);
    case METRIC_SET: return apply_set(table, state, sample);
    case METRIC_TYPE_COUNT: break;
    }
    assert(!"a sample has a type");
    return TABLE_OVERFLOW;
}

enum table_verdict
table_apply(struct table *table, const struct sample *sample, const struct name *name,
            uint32_t hash, uint64_t now_ms)
{
    struct table_place *place = find(table, sample->type, name, hash);
    enum table_verdict verdict;
    struct metric *metric;

    if (place->ref != 0) {
        metric = arena_at(&table->arena, place->ref);
    } else {
        verdict = create(table, sample->type, name, hash, &metric);
        if (verdict != TABLE_APPLIED)
            return verdict;
    }
    verdict = apply_state(table, metric_state(metric, table->open), sample);
    if (verdict == TABLE_APPLIED) {
        metric->touched[table->open] = true;
        metric->updated_ms = now_ms;
    }
    return verdict;
}

bool
table_close(struct table *table, const struct interval *interval)
{
    if (table->closed_pending)
        return false;
    table->closed = *interval;
    table->closed_pending = true;
    table->open ^= 1;
    return true;
}

/* Frees a place and moves up those behind it that a search would no longer reach. */
static void
vacate(struct table *table, uint32_t i)
{
    struct table_place *place = places(table);
    uint32_t mask = table->n_places - 1;

    for (uint32_t j = (i + 1) & mask; place[j].ref != 0; j = (j + 1) & mask) {
        uint32_t home = place[j].hash & mask;

        if (((j - home) & mask) >= ((j - i) & mask)) {
            place[i] = place[j];
            i = j;
        }
    }
    place[i] = (struct table_place){0};
}

void
table_remove(struct table *table, arena_ref ref, arena_ref before)
{
    struct metric *metric = arena_at(&table->arena, ref);
    struct name name = {.text = metric_name(metric), .len = metric->name_len};
    struct table_place *place = find(table, metric->type, &name, metric->hash);

    assert(place->ref == ref);
    vacate(table, (uint32_t)(place - places(table)));
    if (before == 0)
        table->first = metric->next;
    else
        ((struct metric *)arena_at(&table->arena, before))->next = metric->next;
    if (table->last == ref)
        table->last = before;
    metric_reset(metric, 0, &table->arena);
    metric_reset(metric, 1, &table->arena);
    table->n_metrics[metric->type]--;
    table->n_total--;
    arena_give(&table->arena, ref, metric_size(metric->type, metric->name_len));
}
