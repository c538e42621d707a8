/*
 * keys_limit: the settings of how much the worker keeps, and how exactly. Must not know where a
 * value came from.
 */
#include "master/keys.h"

static const char *
set_memory_limit(struct config *config, const struct value *value)
{
    config->worker.memory_limit = (size_t)value->number;
    return NULL;
}

static const char *
set_max_metrics(struct config *config, const struct value *value)
{
    config->worker.max_metrics = (uint32_t)value->number;
    return NULL;
}

static const char *
set_max_name(struct config *config, const struct value *value)
{
    config->worker.names.name_max = (size_t)value->number;
    return NULL;
}

static const char *
set_max_node(struct config *config, const struct value *value)
{
    config->worker.names.node_max = (size_t)value->number;
    return NULL;
}

static const char *
set_timer_max_samples(struct config *config, const struct value *value)
{
    config->worker.timer_max_samples = (uint32_t)value->number;
    return NULL;
}

static const char *
set_set_exact_max(struct config *config, const struct value *value)
{
    config->worker.set_exact_max = (uint32_t)value->number;
    return NULL;
}

static const struct key rows[] = {
    {.name = "MEMORY_LIMIT",
     .rule = {.kind = VALUE_SIZE, .min = MIB, .max = 64 * GIB},
     .text = "512M",
     .set = set_memory_limit},
    {.name = "MAX_METRICS",
     .rule = {.kind = VALUE_NUMBER, .min = 1, .max = 100000000},
     .text = "1000000",
     .set = set_max_metrics},
    {.name = "MAX_NAME",
     .rule = {.kind = VALUE_NUMBER, .min = 1, .max = NAME_LEN_MAX},
     .text = "512",
     .set = set_max_name},
    {.name = "MAX_NODE",
     .rule = {.kind = VALUE_NUMBER, .min = 1, .max = NAME_LEN_MAX},
     .text = "240",
     .set = set_max_node},
    {.name = "TIMER_MAX_SAMPLES",
     .rule = {.kind = VALUE_NUMBER, .min = 1, .max = 100000000},
     .text = "100000",
     .set = set_timer_max_samples},
    {.name = "SET_EXACT_MAX",
     .rule = {.kind = VALUE_NUMBER, .min = 1, .max = 10000000},
     .text = "1024",
     .set = set_set_exact_max},
};

const struct key_group keys_limit = {rows, sizeof(rows) / sizeof(rows[0])};
