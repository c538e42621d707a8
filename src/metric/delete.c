/*
 * delete: see delete.h. A metric without a time of its last sample is one that nobody has seen;
 * what is known of that is metric/rules.
 */
#include "metric/delete.h"

#include <assert.h>
#include <string.h>

void
delete_metric(struct table *table, struct metric *metric)
{
    struct undo *undo = table->arena.undo;
    unsigned open = table_open(table);
    struct arena_pile freed = {0};

    assert(!__atomic_load_n(&table->flushing, __ATOMIC_ACQUIRE));
    undo_note(undo, &metric->updated, sizeof(metric->updated));
    undo_note(undo, &metric->check[open], sizeof(metric->check[open]));
    if (metric->type == METRIC_GAUGE) {
        undo_note(undo, metric_last(metric), sizeof(struct gauge_last));
        memset(metric_last(metric), 0, sizeof(struct gauge_last));
    }
    metric_update(metric, 0);
    metric->check[open] = 0;
    undo_commit(undo);
    /* From here on a successor does the rest. */
    metric_reset(metric, open, &table->arena, &freed);
    arena_take_back(&table->arena, &freed);
    undo_commit(undo);
}
