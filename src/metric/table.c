/*
 * table: finding, making and forgetting metrics. Knows nothing of lines or flushes.
 */
#include "metric/table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

const char *const table_verdict_names[TABLE_VERDICT_COUNT] = {
    [TABLE_APPLIED] = "applied", [TABLE_UNKNOWN] = "unknown", [TABLE_FILTERED] = "filtered",
    [TABLE_METRICS] = "metrics", [TABLE_MEMORY] = "memory",   [TABLE_OVERFLOW] = "overflow",
};

int
table_init(struct table *table, const struct table_opts *opts, uint32_t number)
{
    int error;

    memset(table, 0, sizeof(*table));
    table->opts = *opts;
    table->number = number;
    table->check = table_check(table);
    if ((error = arena_init(&table->arena, &opts->arena)) != 0)
        return error;
    return index_init(&table->index, &table->arena, 0) == 0 ? 0 : -ENOMEM;
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
    uint32_t hash = index_hash(&table->opts.key, type, name);

    __builtin_prefetch(index_home(&table->index, &table->arena, hash));
    return hash;
}

struct metric *
table_find(const struct table *table, enum metric_type type, const struct name *name, uint32_t hash)
{
    arena_ref ref;

    index_find(&table->index, &table->arena, type, name, hash, &ref);
    return ref == 0 ? NULL : arena_at(&table->arena, ref);
}

/* The word that leads to what comes behind the last metric. */
static arena_ref *
tail_of(struct table *table)
{
    if (table->last == 0)
        return &table->first;
    return &((struct metric *)arena_at(&table->arena, table->last))->next;
}

static void
append(struct table *table, arena_ref ref)
{
    arena_ref *tail = tail_of(table);

    undo_note(table->arena.undo, tail, sizeof(*tail));
    ((struct metric *)arena_at(&table->arena, ref))->next = 0;
    *tail = ref;
    table->last = ref;
}

/* It stays where what comes of it is taken back: with a name and no sample, nobody sees it. */
static enum table_verdict
create(struct table *table, enum metric_type type, const struct name *name, uint32_t hash,
       struct metric **out)
{
    struct undo *undo = table->arena.undo;
    struct metric *metric;
    arena_ref ref, there;

    if (table->n_metrics >= table->opts.max_metrics)
        return TABLE_METRICS;
    if (index_make_room(&table->index, &table->arena, table->n_metrics, &table->retired) != 0 ||
        (ref = arena_take(&table->arena, metric_size(type, name->len))) == 0)
        return TABLE_MEMORY;
    metric = arena_at(&table->arena, ref);
    metric_init(metric, type, name->text, name->len, hash);
    metric->filtered = !filter_keeps(table->opts.filter, name->text, name->len);
    metric->active = table->number - 1;
    append(table, ref);
    undo_note(undo, &table->n_metrics, sizeof(table->n_metrics));
    table->n_metrics++;
    index_put(index_find(&table->index, &table->arena, type, name, hash, &there), ref, hash);
    undo_commit(undo);
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

/* Notes the state and what is to be of it, applies the sample, and says what the state now is. */
static enum table_verdict
apply_state(struct table *table, struct metric *metric, const struct sample *sample,
            uint64_t now_ms)
{
    void *state = metric_state(metric, table_open(table));
    struct undo *undo = table->arena.undo;

    switch (sample->type) {
    case METRIC_COUNTER:
        undo_note(undo, state, sizeof(struct counter));
        return counter_add(state, sample) == 0 ? TABLE_APPLIED : TABLE_OVERFLOW;
    case METRIC_GAUGE:
        undo_note(undo, state, sizeof(struct gauge));
        gauge_set(state, sample, now_ms);
        return TABLE_APPLIED;
    case METRIC_TIMER:
        undo_note(undo, state, sizeof(struct timer));
        return apply_timer(table, state, sample);
    case METRIC_SET:
        undo_note(undo, state, sizeof(struct set));
        return apply_set(table, state, sample);
    case METRIC_TYPE_COUNT: break;
    }
    assert(!"a sample has a type");
    return TABLE_OVERFLOW;
}

static uint32_t
check_state(const struct metric *metric, const void *state)
{
    switch (metric->type) {
    case METRIC_COUNTER: return metric_check(metric, state, sizeof(struct counter));
    case METRIC_GAUGE: return metric_check(metric, state, sizeof(struct gauge));
    case METRIC_TIMER: return metric_check(metric, state, sizeof(struct timer));
    default: return metric_check(metric, state, sizeof(struct set));
    }
}

/* What was refused may still have made room for what was not. */
static enum table_verdict
apply_to(struct table *table, struct metric *metric, const struct sample *sample, uint64_t now_ms)
{
    unsigned open = table_open(table);
    enum table_verdict verdict;

    if (metric->filtered)
        return TABLE_FILTERED;
    undo_note(table->arena.undo, &metric->check[open], sizeof(metric->check[open]));
    verdict = apply_state(table, metric, sample, now_ms);
    if (verdict == TABLE_APPLIED || metric->check[open] != 0)
        __atomic_store_n(&metric->check[open], check_state(metric, metric_state(metric, open)),
                         __ATOMIC_RELAXED);
    if (verdict == TABLE_APPLIED)
        metric_update(metric, now_ms);
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

static void
forget(struct table *table, arena_ref ref)
{
    struct metric *metric = arena_at(&table->arena, ref);
    struct name name = {.text = metric_name(metric), .len = metric->name_len};
    arena_ref found;
    struct index_place *place =
        index_find(&table->index, &table->arena, metric->type, &name, metric->hash, &found);

    assert(found == ref);
    undo_note(table->arena.undo, &table->n_metrics, sizeof(table->n_metrics));
    index_vacate(&table->index, &table->arena, place);
    table->n_metrics--;
    arena_give(&table->arena, ref, metric_size(metric->type, metric->name_len));
}

/* What the flush took out and samples have come for since goes back in, behind all others. */
static void
settle_unlinked(struct table *table)
{
    struct undo *undo = table->arena.undo;

    while (table->unlinked != 0) {
        arena_ref ref = table->unlinked;
        struct metric *metric = arena_at(&table->arena, ref);

        undo_note(undo, &table->unlinked, sizeof(table->unlinked));
        undo_note(undo, &metric->next, sizeof(metric->next));
        table->unlinked = metric->next;
        if (metric_touched(metric, table_open(table)))
            append(table, ref);
        else
            forget(table, ref);
        undo_commit(undo);
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
    index_pile_up(&table->retired, &table->arena, &table->freed);
    if (table->freed.size > 0)
        arena_take_back(&table->arena, &table->freed);
}

void
table_close(struct table *table)
{
    struct undo *undo = table->arena.undo;

    assert(!is_flushing(table));
    settle_unlinked(table);
    table_tidy(table);
    arena_join(&table->arena);
    undo_note(undo, &table->newest, sizeof(table->newest));
    undo_note(undo, &table->number, sizeof(table->number) + sizeof(table->check));
    table->newest = table->last;
    table->number++;
    table->check = table_check(table);
    __atomic_store_n(&table->flushing, true, __ATOMIC_RELEASE);
}
