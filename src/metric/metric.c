/*
 * metric: the layout of one entry. Knows nothing of the table that finds it.
 */
#include "metric/metric.h"

const uint8_t metric_state_sizes[METRIC_TYPE_COUNT] = {
    [METRIC_COUNTER] = sizeof(struct counter),
    [METRIC_GAUGE] = sizeof(struct gauge),
    [METRIC_TIMER] = sizeof(struct timer),
    [METRIC_SET] = sizeof(struct set),
};

const uint8_t metric_last_sizes[METRIC_TYPE_COUNT] = {
    [METRIC_GAUGE] = sizeof(struct gauge_last),
};

/* The states stand back to back, behind the struct. */
_Static_assert(sizeof(struct metric) % 8 == 0 && sizeof(struct counter) % 8 == 0 &&
                   sizeof(struct gauge) % 8 == 0 && sizeof(struct timer) % 8 == 0 &&
                   sizeof(struct set) % 8 == 0,
               "every state of a metric is aligned for its doubles, and whole words to check");

void
metric_init(struct metric *metric, enum metric_type type, const char *name, size_t name_len,
            uint32_t hash)
{
    memset(metric, 0, metric_size(type, 0));
    metric->type = (unsigned)type & 0x7fu;
    metric->hash = hash;
    metric->name_len = (uint16_t)name_len;
    memcpy((char *)metric + metric_size(type, 0), name, name_len);
}

void
metric_set_last(struct metric *metric, const struct gauge *gauge)
{
    struct gauge_last *last = metric_last(metric);

    last->gauge = *gauge;
    last->active = metric->active;
    last->check = metric_check(metric, gauge, sizeof(*gauge));
}

void
metric_reset(struct metric *metric, unsigned generation, const struct arena *arena,
             struct arena_pile *pile)
{
    void *state = metric_state(metric, generation);

    __atomic_store_n(&metric->check[generation], 0, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (metric->type == METRIC_TIMER)
        timer_reset(state, arena, pile);
    else if (metric->type == METRIC_SET)
        set_reset(state, arena, pile);
    else
        memset(state, 0, metric_state_sizes[metric->type]);
}

/* Its predecessor may have died within a reset. */
static bool
survey_state(struct metric *metric, unsigned generation, struct survey *survey)
{
    void *state = metric_state(metric, generation);
    size_t size = metric_state_sizes[metric->type];

    if (metric->check[generation] == 0) {
        memset(state, 0, size);
        return true;
    }
    if (metric->check[generation] != metric_check(metric, state, size))
        return false;
    if (metric->type == METRIC_TIMER)
        return timer_survey(state, survey);
    return metric->type != METRIC_SET || set_survey(state, survey);
}

static bool
last_is_sound(struct metric *metric)
{
    const struct gauge_last *last = metric_last(metric), none = {0};

    if (last->check == 0)
        return memcmp(last, &none, sizeof(none)) == 0;
    return last->check == metric_check(metric, &last->gauge, sizeof(last->gauge)) &&
           last->active == metric->active;
}

bool
metric_survey(struct metric *metric, struct survey *survey)
{
    return metric->updated % 3 == 0 && survey_state(metric, 0, survey) &&
           survey_state(metric, 1, survey) &&
           (metric->type != METRIC_GAUGE || last_is_sound(metric));
}
