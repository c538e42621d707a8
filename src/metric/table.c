/*
 * table: finding, making and forgetting metrics. Knows nothing of lines or flushes.
 */
#include "metric/table.h"

#include <assert.h>
#include <string.h>

#define FIRST_LOG2 10u

const char *const table_verdict_names[TABLE_VERDICT_COUNT] = {
    [TABLE_APPLIED] = "applied", [TABLE_UNKNOWN] = "unknown", [TABLE_FILTERED] = "filtered",
    [TABLE_METRICS] = "metrics", [TABLE_MEMORY] = "memory",   [TABLE_OVERFLOW] = "overflow",
};

static size_t
index_size(uint32_t log2_n)
{
    return sizeof(struct table_place) << log2_n;
}

static arena_ref
take_places(struct table *table, uint32_t log2_n)
{
    arena_ref ref = arena_take(&table->arena, index_size(log2_n));

    if (ref != 0)
        memset(arena_at(&table->arena, ref), 0, index_size(log2_n));
    return ref;
}

int
table_init(struct table *table, const struct table_opts *opts)
{
    int error;

    memset(table, 0, sizeof(*table));
    table->opts = *opts;
    if ((error = arena_init(&table->arena, opts->memory_limit)) != 0)
        return error;
    table->index.log2_n = FIRST_LOG2;
    table->index.places = take_places(table, FIRST_LOG2);
    assert(table->index.places != 0);
    return 0;
}

void
table_release(struct table *table)
{
    arena_release(&table->arena);
    memset(table, 0, sizeof(*table));
}

/* The flush may read the index while it is replaced. */
static struct table_index
index_of(const struct table *table)
{
    struct table_index index;

    __atomic_load(&table->index, &index, __ATOMIC_ACQUIRE);
    return index;
}

uint32_t
table_hash(const struct table *table, enum metric_type type, const struct name *name)
{
    uint64_t wide =
        hash_bytes(&table->opts.key, name->text, name->len) + (uint64_t)type * 0x9e3779b97f4a7c15u;
    uint32_t hash = (uint32_t)(wide ^ wide >> 32);
    struct table_index index = index_of(table);
    const struct table_place *places = arena_at(&table->arena, index.places);

    __builtin_prefetch(&places[hash & ((1u << index.log2_n) - 1)]);
    return hash;
}

/* The place of a metric, or the free one where it would go; *out_ref is what stands there. */
static struct table_place *
find_place(const struct table *table, enum metric_type type, const struct name *name, uint32_t hash,
           arena_ref *out_ref)
{
    struct table_index index = index_of(table);
    struct table_place *places = arena_at(&table->arena, index.places);
    uint32_t mask = (1u << index.log2_n) - 1;

    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        const struct metric *metric;

        *out_ref = __atomic_load_n(&places[i].ref, __ATOMIC_ACQUIRE);
        if (*out_ref == 0)
            return &places[i];
        if (places[i].hash != hash)
            continue;
        metric = arena_at(&table->arena, *out_ref);
        if (metric->type == type && metric->name_len == name->len &&
            memcmp(metric_name(metric), name->text, name->len) == 0)
            return &places[i];
    }
}

struct metric *
table_find(const struct table *table, enum metric_type type, const struct name *name, uint32_t hash)
{
    arena_ref ref;

    find_place(table, type, name, hash, &ref);
    return ref == 0 ? NULL : arena_at(&table->arena, ref);
}

/* Twice as many places, filled aside and then swapped in. */
static int
grow(struct table *table)
{
    uint32_t n = 1u << table->index.log2_n, mask = n * 2 - 1;
    struct table_index index = {.log2_n = table->index.log2_n + 1};
    const struct table_place *old = arena_at(&table->arena, table->index.places);
    struct table_place *new;

    if (index.log2_n > 31 || (index.places = take_places(table, index.log2_n)) == 0)
        return -1;
    new = arena_at(&table->arena, index.places);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = old[i].hash & mask;

        if (old[i].ref == 0)
            continue;
        while (new[j].ref != 0)
            j = (j + 1) & mask;
        new[j] = old[i];
    }
    arena_pile_up(&table->arena, &table->retired, table->index.places,
                  index_size(table->index.log2_n));
    __atomic_store(&table->index, &index, __ATOMIC_RELEASE);
    return 0;
}

static void
append(struct table *table, arena_ref ref)
{
    ((struct metric *)arena_at(&table->arena, ref))->next = 0;
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
    arena_ref ref, there;

    if (table->n_metrics >= table->opts.max_metrics)
        return TABLE_METRICS;
    if (table->n_metrics >= (1u << table->index.log2_n) / 4 * 3 && grow(table) != 0)
        return TABLE_MEMORY;
    if ((ref = arena_take(&table->arena, metric_size(type, name->len))) == 0)
        return TABLE_MEMORY;
    metric = arena_at(&table->arena, ref);
    metric_init(metric, type, name->text, name->len);
    metric->filtered = !filter_keeps(table->opts.filter, name->text, name->len);
    append(table, ref);
    place = find_place(table, type, name, hash, &there);
    place->hash = hash;
    __atomic_store_n(&place->ref, ref, __ATOMIC_RELEASE);
    table->n_metrics++;
    *out = metric;
    return TABLE_APPLIED;
}

static enum table_verdict
apply_timer(struct table *table, struct timer *timer, const struct sample *sample)
{
    switch (timer_add(timer, &table->arena, sample, table->opts.timer_max_samples)) {
    case TIMER_ADDED: return TABLE_APPLIED;
    case TIMER_NO_MEMORY: return TABLE_MEMORY;
    case TIMER_OVERFLOW: break;
    }
    return TABLE_OVERFLOW;
}

static enum table_verdict
apply_set(struct table *table, struct set *set, const struct sample *sample)
{
    uint64_t member = hash_bytes(&table->opts.key, sample->member, sample->member_len);

    return set_add(set, &table->arena, member, table->opts.set_exact_max) == 0 ? TABLE_APPLIED
                                                                               : TABLE_MEMORY;
}

static enum table_verdict
apply_state(struct table *table, void *state, const struct sample *sample, uint64_t now_ms)
{
    switch (sample->type) {
    case METRIC_COUNTER: return counter_add(state, sample) == 0 ? TABLE_APPLIED : TABLE_OVERFLOW;
    case METRIC_GAUGE: gauge_set(state, sample, now_ms); return TABLE_APPLIED;
    case METRIC_TIMER: return apply_timer(table, state, sample);
    case METRIC_SET: return apply_set(table, state, sample);
    case METRIC_TYPE_COUNT: break;
    }
    assert(!"a sample has a type");
    return TABLE_OVERFLOW;
}

static enum table_verdict
apply_to(struct table *table, struct metric *metric, const struct sample *sample, uint64_t now_ms)
{
    enum table_verdict verdict;

    if (metric->filtered)
        return TABLE_FILTERED;
    verdict = apply_state(table, metric_state(metric, table->open), sample, now_ms);
    if (verdict == TABLE_APPLIED) {
        __atomic_store_n(&metric->touched[table->open], true, __ATOMIC_RELAXED);
        __atomic_store_n(&metric->updated_ms, now_ms, __ATOMIC_RELAXED);
    }
    return verdict;
}

enum table_verdict
table_apply_known(struct table *table, const struct sample *sample, const struct name *name,
                  uint32_t hash, uint64_t now_ms)
{
    struct metric *metric = table_find(table, sample->type, name, hash);

    return metric == NULL ? TABLE_UNKNOWN : apply_to(table, metric, sample, now_ms);
}

enum table_verdict
table_apply(struct table *table, const struct sample *sample, const struct name *name,
            uint32_t hash, uint64_t now_ms)
{
    struct metric *metric = table_find(table, sample->type, name, hash);
    enum table_verdict verdict = TABLE_APPLIED;

    if (metric == NULL)
        verdict = create(table, sample->type, name, hash, &metric);
    return verdict == TABLE_APPLIED ? apply_to(table, metric, sample, now_ms) : verdict;
}

/* Frees a place and moves up those behind it that a search would no longer reach. */
static void
vacate(struct table *table, struct table_place *free)
{
    struct table_place *places = arena_at(&table->arena, table->index.places);
    uint32_t mask = (1u << table->index.log2_n) - 1;
    uint32_t i = (uint32_t)(free - places);

    for (uint32_t j = (i + 1) & mask; places[j].ref != 0; j = (j + 1) & mask) {
        uint32_t home = places[j].hash & mask;

        if (((j - home) & mask) >= ((j - i) & mask)) {
            places[i] = places[j];
            i = j;
        }
    }
    places[i] = (struct table_place){0};
}

static void
forget(struct table *table, struct metric *metric)
{
    struct name name = {.text = metric_name(metric), .len = metric->name_len};
    enum metric_type type = metric->type;
    arena_ref ref;
    struct table_place *place =
        find_place(table, type, &name, table_hash(table, type, &name), &ref);

    assert(ref != 0 && arena_at(&table->arena, ref) == metric);
    vacate(table, place);
    table->n_metrics--;
    arena_give(&table->arena, ref, metric_size(type, name.len));
}

/* What the flush took out and samples have come for since goes back in, behind all others. */
static void
settle_unlinked(struct table *table)
{
    arena_ref ref = table->unlinked;

    table->unlinked = 0;
    while (ref != 0) {
        struct metric *metric = arena_at(&table->arena, ref);
        arena_ref next = metric->next;

        if (metric->touched[table->open])
            append(table, ref);
        else
            forget(table, metric);
        ref = next;
    }
}

static bool
is_flushing(const struct table *table)
{
    return __atomic_load_n(&table->flushing, __ATOMIC_ACQUIRE);
}

void
table_tidy(struct table *table)
{
    if (is_flushing(table))
        return;
    if (table->freed.size > 0)
        arena_take_back(&table->arena, &table->freed);
    if (table->retired.size > 0)
        arena_take_back(&table->arena, &table->retired);
}

bool
table_close(struct table *table, const struct interval *interval)
{
    if (is_flushing(table))
        return false;
    settle_unlinked(table);
    table_tidy(table);
    arena_join(&table->arena);
    table->newest = table->last;
    table->closed = *interval;
    table->open ^= 1;
    __atomic_store_n(&table->flushing, true, __ATOMIC_RELEASE);
    return true;
}
