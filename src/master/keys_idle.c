/*
 * keys_idle: the settings of what an interval without a sample means, and of when a metric is
 * forgotten. Knows metric/rules; must not know where a value came from.
 */
#include "master/keys.h"

#define EXPIRE_MAX_MS (3650 * UINT64_C(86400000))
#define TTL_MAX       UINT16_MAX /* as far as a metric counts its idle flushes */

static const char *const idle[] = {"omit", "zero", NULL};
static const char *const idle_gauges[] = {"last", "omit", NULL};

static const char *
set_idle_counters(struct config *config, const struct value *value)
{
    config->worker.rules.idle_zero[METRIC_COUNTER] = value->number != 0;
    return NULL;
}

static const char *
set_idle_timers(struct config *config, const struct value *value)
{
    config->worker.rules.idle_zero[METRIC_TIMER] = value->number != 0;
    return NULL;
}

static const char *
set_idle_sets(struct config *config, const struct value *value)
{
    config->worker.rules.idle_zero[METRIC_SET] = value->number != 0;
    return NULL;
}

static const char *
set_idle_gauges(struct config *config, const struct value *value)
{
    config->worker.rules.omit_idle_gauges = value->number != 0;
    return NULL;
}

static const char *
set_gauges_max_ttl(struct config *config, const struct value *value)
{
    config->worker.rules.gauges_max_ttl = (uint32_t)value->number;
    return NULL;
}

/* EXPIRE itself is only what the keys of the types are by default. */
static const char *
set_expire(struct config *config, const struct value *value)
{
    for (size_t type = 0; type < METRIC_TYPE_COUNT; type++)
        config->worker.rules.expire_ms[type] = value->number;
    return NULL;
}

static const char *
set_expire_gauges(struct config *config, const struct value *value)
{
    config->worker.rules.expire_ms[METRIC_GAUGE] = value->number;
    return NULL;
}

static const char *
set_expire_counters(struct config *config, const struct value *value)
{
    config->worker.rules.expire_ms[METRIC_COUNTER] = value->number;
    return NULL;
}

static const char *
set_expire_timers(struct config *config, const struct value *value)
{
    config->worker.rules.expire_ms[METRIC_TIMER] = value->number;
    return NULL;
}

static const char *
set_expire_sets(struct config *config, const struct value *value)
{
    config->worker.rules.expire_ms[METRIC_SET] = value->number;
    return NULL;
}

static const struct key rows[] = {
    {.name = "IDLE_COUNTERS",
     .rule = {.kind = VALUE_CHOICE, .choices = idle},
     .text = "omit",
     .of_dialect = true,
     .set = set_idle_counters},
    {.name = "IDLE_TIMERS",
     .rule = {.kind = VALUE_CHOICE, .choices = idle},
     .text = "omit",
     .of_dialect = true,
     .set = set_idle_timers},
    {.name = "IDLE_SETS",
     .rule = {.kind = VALUE_CHOICE, .choices = idle},
     .text = "omit",
     .of_dialect = true,
     .set = set_idle_sets},
    {.name = "IDLE_GAUGES",
     .rule = {.kind = VALUE_CHOICE, .choices = idle_gauges},
     .text = "last",
     .of_dialect = true,
     .set = set_idle_gauges},
    {.name = "GAUGES_MAX_TTL",
     .rule = {.kind = VALUE_NUMBER, .min = 1, .max = TTL_MAX},
     .text = "1",
     .set = set_gauges_max_ttl},
    {.name = "EXPIRE",
     .rule = {.kind = VALUE_SECONDS, .max = EXPIRE_MAX_MS},
     .text = "0",
     .set = set_expire},
    {.name = "EXPIRE_GAUGES",
     .rule = {.kind = VALUE_SECONDS, .max = EXPIRE_MAX_MS},
     .like = "EXPIRE",
     .set = set_expire_gauges},
    {.name = "EXPIRE_COUNTERS",
     .rule = {.kind = VALUE_SECONDS, .max = EXPIRE_MAX_MS},
     .like = "EXPIRE",
     .set = set_expire_counters},
    {.name = "EXPIRE_TIMERS",
     .rule = {.kind = VALUE_SECONDS, .max = EXPIRE_MAX_MS},
     .like = "EXPIRE",
     .set = set_expire_timers},
    {.name = "EXPIRE_SETS",
     .rule = {.kind = VALUE_SECONDS, .max = EXPIRE_MAX_MS},
     .like = "EXPIRE",
     .set = set_expire_sets},
};

const struct key_group keys_idle = {rows, sizeof(rows) / sizeof(rows[0])};
