/*
 * metric: the layout of one entry. Knows nothing of the table that finds it.
 */
#include "metric/metric.h"

#include <string.h>

static const uint8_t state_sizes[METRIC_TYPE_COUNT] = {
    [METRIC_COUNTER] = sizeof(struct counter),
    [METRIC_GAUGE] = sizeof(struct gauge),
    [METRIC_TIMER] = sizeof(struct timer),
    [METRIC_SET] = sizeof(struct set),
};

/* The states stand back to back, behind the struct. */
_Static_assert(sizeof(struct metric) % 8 == 0 && sizeof(struct counter) % 8 == 0 &&
                   sizeof(struct gauge) % 8 == 0 && sizeof(struct timer) % 8 == 0,
               "every state of a metric is aligned for its doubles");

size_t
metric_size(enum metric_type type, size_t name_len)
{
    return sizeof(struct metric) + 2u * state_sizes[type] + name_len;
}

void
metric_init(struct metric *metric, enum metric_type type, const char *name, size_t name_len)
{
    size_t size = metric_size(type, name_len);

    memset(metric, 0, size - name_len);
    metric->type = (uint8_t)type;
    metric->name_len = (uint16_t)name_len;
    memcpy((char *)metric + size - name_len, name, name_len);
}

void *
metric_state(struct metric *metric, unsigned generation)
{
    return (char *)(metric + 1) + (size_t)generation * state_sizes[metric->type];
}

const char *
metric_name(const struct metric *metric)
{
    return (const char *)(metric + 1) + 2u * state_sizes[metric->type];
}

void
metric_reset(struct metric *metric, unsigned generation, struct arena *arena)
{
    void *state = metric_state(metric, generation);

    if (metric->type == METRIC_TIMER)
        timer_reset(state, arena);
    else if (metric->type == METRIC_SET)
        set_reset(state, arena);
    else
        memset(state, 0, state_sizes[metric->type]);
    metric->touched[generation] = false;
}
