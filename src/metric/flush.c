/*
 * flush: the walk over a closed interval. Knows nothing of where its records go.
 */
#include "metric/flush.h"

#include <assert.h>

void
flush_begin(struct flush *flush, struct table *table, const struct dialect *dialect,
            uint64_t expire_ms)
{
    assert(table->closed_pending);
    *flush = (struct flush){
        .table = table,
        .dialect = dialect,
        .expire_ms = expire_ms,
        .generation = table->open ^ 1,
        .at = table->first,
    };
}

static struct metric *
current(const struct flush *flush)
{
    return arena_at(&flush->table->arena, flush->at);
}

static void
step(struct flush *flush)
{
    flush->before = flush->at;
    flush->at = current(flush)->next;
}

/* A metric that has nothing to say in this interval: forgotten when it is time. */
static void
pass_over(struct flush *flush, struct metric *metric)
{
    bool is_open = metric->touched[flush->generation ^ 1];
    arena_ref next = metric->next;

    if (metric->n_idle < UINT8_MAX)
        metric->n_idle++;
    if (is_open || (metric->type != METRIC_GAUGE && metric->n_idle < FLUSH_IDLE_MAX)) {
        step(flush);
        return;
    }
    table_remove(flush->table, flush->at, flush->before);
    flush->at = next;
}

static bool
is_expired(const struct flush *flush, const struct metric *metric)
{
    return flush->expire_ms != 0 &&
           metric->updated_ms + flush->expire_ms < flush->table->closed.end_ms;
}

/* Whether there is something to send; a gauge without a sample still has its last value, if it ever
 * had one before the open interval. */
static bool
has_points(const struct flush *flush, const struct metric *metric)
{
    if (metric->touched[flush->generation])
        return true;
    return metric->type == METRIC_GAUGE && metric->gauge_known && !is_expired(flush, metric);
}

static void
fill(const struct flush *flush, struct metric *metric, struct record *out)
{
    void *state = metric_state(metric, flush->generation);
    double span_s = (double)flush->table->closed.span_ms / 1000.0;

    out->source = metric->type;
    out->n_points = 0;
    out->name = metric_name(metric);
    out->name_len = metric->name_len;
    switch (metric->type) {
    case METRIC_COUNTER: counter_points(state, flush->dialect, span_s, out); break;
    case METRIC_GAUGE:
        gauge_points(metric->touched[flush->generation] ? state : &metric->last, out);
        break;
    case METRIC_TIMER: timer_points(state, &flush->table->arena, flush->dialect, out); break;
    default: set_points(state, out); break;
    }
}

bool
flush_peek(struct flush *flush, struct record *out)
{
    while (flush->at != 0) {
        struct metric *metric = current(flush);

        if (has_points(flush, metric)) {
            fill(flush, metric, out);
            return true;
        }
        pass_over(flush, metric);
    }
    flush->table->closed_pending = false;
    return false;
}

void
flush_advance(struct flush *flush)
{
    struct metric *metric = current(flush);

    if (metric->touched[flush->generation]) {
        if (metric->type == METRIC_GAUGE) {
            metric->last = *(struct gauge *)metric_state(metric, flush->generation);
            metric->gauge_known = true;
        }
        metric_reset(metric, flush->generation, &flush->table->arena);
        metric->n_idle = 0;
    }
    flush->n_records++;
    step(flush);
}
