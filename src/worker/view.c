/*
 * view: see view.h. Owns how the shards' shares become one; knows nothing of who looks.
 */
#include "worker/view.h"

#include "metric/delete.h"

/* How many places of the tables, and how many names, are gone through in a hold that is not long
 * before: what is said of them has to find room. */
#define PLACES_MAX 512
#define NAMES_MAX  128

static struct table *
table_of(const struct hold *hold, size_t i)
{
    return &hold->shards[i].region->table;
}

/* Adds the shares of the shards from the first-th on. */
static void
gather(const struct hold *hold, size_t first, uint32_t hash, struct view *view)
{
    view->n = 0;
    for (size_t i = first; i < hold->n; i++) {
        struct table *table = table_of(hold, i);
        struct metric *metric = table_find(table, view->type, &view->name, hash);

        if (metric == NULL || delete_is_hidden(metric))
            continue;
        view->tables[view->n] = table;
        view->metrics[view->n++] = metric;
    }
}

struct visitor {
    const struct hold *hold;
    size_t shard;
    unsigned types;
    unsigned n; /* names that were given */
    void (*visit)(const struct view *view, void *context);
    void *context;
};

/* It was given with the first shard that has it. */
static bool
was_given(const struct visitor *visitor, const struct metric *metric, const struct name *name)
{
    for (size_t i = 0; i < visitor->shard; i++) {
        const struct metric *other =
            table_find(table_of(visitor->hold, i), metric->type, name, metric->hash);

        if (other != NULL && !delete_is_hidden(other))
            return true;
    }
    return false;
}

static void
visit_metric(struct metric *metric, void *context)
{
    struct visitor *visitor = context;
    struct view view = {.type = metric->type,
                        .name = {.text = metric_name(metric), .len = metric->name_len}};

    if ((visitor->types & view_type(metric->type)) == 0 || delete_is_hidden(metric) ||
        was_given(visitor, metric, &view.name))
        return;
    gather(visitor->hold, visitor->shard, metric->hash, &view);
    visitor->n++;
    visitor->visit(&view, visitor->context);
}

bool
view_piece(struct hold *hold, struct view_walk *walk, unsigned types,
           void (*visit)(const struct view *view, void *context), void *context)
{
    struct visitor visitor = {.hold = hold, .types = types, .visit = visit, .context = context};

    for (unsigned i = 0; walk->shard < hold->n; i++) {
        if (i > 0 && (i == PLACES_MAX || visitor.n >= NAMES_MAX || hold_is_long(hold)))
            return true;
        visitor.shard = walk->shard;
        if (!scan_step(&walk->scan, table_of(hold, walk->shard), visit_metric, &visitor))
            *walk = (struct view_walk){.shard = walk->shard + 1};
    }
    return false;
}

bool
view_find(const struct hold *hold, enum metric_type type, const struct name *name, struct view *out)
{
    out->type = type;
    out->name = *name;
    gather(hold, 0, table_hash(table_of(hold, 0), type, name), out);
    return out->n > 0;
}

static const void *
open_state(const struct view *view, size_t i)
{
    return metric_state(view->metrics[i], table_open(view->tables[i]));
}

double
view_sum(const struct view *view)
{
    struct counter whole = {0};

    for (size_t i = 0; i < view->n; i++)
        counter_merge(&whole, open_state(view, i));
    return sum_value(&whole.sum);
}

/* What it was last, which the flush that is on its way may be about to write down: as long as the
 * samples of the closed interval are there, nobody has begun to clear them. */
static struct gauge
gauge_before(struct metric *metric, unsigned closed)
{
    struct gauge gauge;

    if (metric_touched(metric, closed)) {
        gauge = *(struct gauge *)metric_state(metric, closed);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (metric_touched(metric, closed))
            return gauge;
    }
    return metric_last(metric)->gauge;
}

/* Of several shards', the one that was set last. */
double
view_gauge(const struct view *view)
{
    struct gauge latest = {0};

    for (size_t i = 0; i < view->n; i++) {
        unsigned open = table_open(view->tables[i]);
        struct metric *metric = view->metrics[i];
        struct gauge gauge = metric_touched(metric, open)
                                 ? *(struct gauge *)metric_state(metric, open)
                                 : gauge_before(metric, open ^ 1);

        if (gauge.set_ms >= latest.set_ms)
            latest = gauge;
    }
    return latest.value;
}

void
view_timer(const struct view *view, struct view_timer *out)
{
    struct counter sum = {0};

    *out = (struct view_timer){0};
    for (size_t i = 0; i < view->n; i++) {
        const struct timer *timer = open_state(view, i);

        if (timer->n == 0)
            continue;
        if (out->n == 0 || timer->lower < out->lower)
            out->lower = timer->lower;
        if (out->n == 0 || timer->upper > out->upper)
            out->upper = timer->upper;
        out->n += timer->n;
        counter_merge(&sum, &(struct counter){.sum = timer->sum});
    }
    out->sum = sum_value(&sum.sum);
}

/* A sketch has none. */
size_t
view_samples(const struct view *view, double *out, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < view->n; i++) {
        const struct timer *timer = open_state(view, i);
        const double *samples = arena_at(&view->tables[i]->arena, timer->store);

        for (uint32_t at = 0; timer->capacity > 0 && at < timer->n && n < max; at++)
            out[n++] = samples[at];
    }
    return n;
}

uint64_t
view_members(const struct view *view)
{
    struct set_part parts[FLUSH_TABLES_MAX];
    struct record record = {0};
    struct arena scratch;

    for (size_t i = 0; i < view->n; i++)
        parts[i] = (struct set_part){.set = open_state(view, i), .arena = &view->tables[i]->arena};
    if (arena_init(&scratch, &(struct arena_opts){.size = SET_SCRATCH}) != 0)
        return 0;
    set_points(parts, view->n, &scratch, &record);
    arena_release(&scratch);
    return (uint64_t)record.points[0].value;
}

uint64_t
view_updated_ms(const struct view *view)
{
    uint64_t updated_ms = 0;

    for (size_t i = 0; i < view->n; i++) {
        if (metric_updated_ms(view->metrics[i]) > updated_ms)
            updated_ms = metric_updated_ms(view->metrics[i]);
    }
    return updated_ms;
}
