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

/* The two generations', and a gauge's last value. */
static const uint8_t n_states[METRIC_TYPE_COUNT] = {
    [METRIC_COUNTER] = 2,
    [METRIC_GAUGE] = 3,
    [METRIC_TIMER] = 2,
    [METRIC_SET] = 2,
};

/* The states stand back to back, behind the struct. */
_Static_assert(sizeof(struct metric) % 8 == 0 && sizeof(struct counter) % 8 == 0 &&
                   sizeof(struct gauge) % 8 == 0 && sizeof(struct timer) % 8 == 0,
               "every state of a metric is aligned for its doubles");

static size_t
name_offset(enum metric_type type)
{
    return sizeof(struct metric) + (size_t)n_states[type] * state_sizes[type];
}

size_t
metric_size(enum metric_type type, size_t name_len)
{
    return name_offset(type) + name_len;
}

void
metric_init(struct metric *metric, enum metric_type type, const char *name, size_t name_len)
{
    memset(metric, 0, name_offset(type));
    metric->type = (uint8_t)type;
    metric->name_len = (uint16_t)name_len;
    memcpy((char *)metric + name_offset(type), name, name_len);
}

void *
metric_state(struct metric *metric, unsigned generation)
{
    return (char *)(metric + 1) + (size_t)generation * state_sizes[metric->type];
}

struct gauge *
metric_last(struct metric *metric)
{
    return metric_state(metric, 2);
}

const char *
metric_name(const struct metric *metric)
{
    return (const char *)metric + name_offset(metric->type);
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
        memset(state, 0, state_sizes[metric->type]);
    __atomic_store_n(&metric->touched[generation], false, __ATOMIC_RELAXED);
}
