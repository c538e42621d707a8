/*
 * metric: the layout of one entry. Knows nothing of the table that finds it.
 */
#include "metric/metric.h"

#include <string.h>

const uint8_t metric_state_sizes[METRIC_TYPE_COUNT] = {
    [METRIC_COUNTER] = sizeof(struct counter),
    [METRIC_GAUGE] = sizeof(struct gauge),
    [METRIC_TIMER] = sizeof(struct timer),
    [METRIC_SET] = sizeof(struct set),
};

const uint8_t metric_state_counts[METRIC_TYPE_COUNT] = {
    [METRIC_COUNTER] = 2,
    [METRIC_GAUGE] = 3,
    [METRIC_TIMER] = 2,
    [METRIC_SET] = 2,
};

/* The states stand back to back, behind the struct. */
_Static_assert(sizeof(struct metric) % 8 == 0 && sizeof(struct counter) % 8 == 0 &&
                   sizeof(struct gauge) % 8 == 0 && sizeof(struct timer) % 8 == 0,
               "every state of a metric is aligned for its doubles");

void
metric_init(struct metric *metric, enum metric_type type, const char *name, size_t name_len)
{
    memset(metric, 0, metric_size(type, 0));
    metric->type = (uint8_t)type;
    metric->name_len = (uint16_t)name_len;
    memcpy((char *)metric + metric_size(type, 0), name, name_len);
}

void
metric_reset(struct metric *metric, unsigned generation, const struct arena *arena,
             struct arena_pile *pile)
{
    void *state = metric_state(metric, generation);

    if (metric->type == METRIC_TIMER)
        timer_reset(state, arena, pile);
    else if (metric->type == METRIC_SET)
        set_reset(state, arena, pile);
    else
        memset(state, 0, metric_state_sizes[metric->type]);
    __atomic_store_n(&metric->touched[generation], false, __ATOMIC_RELAXED);
}
