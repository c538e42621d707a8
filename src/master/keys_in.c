/*
 * keys_in: the settings of listening and aggregation. Knows what each means to the master's sockets
 * and to the worker; must not know where a value came from.
 */
#include <string.h>
#include <unistd.h>

#include "master/keys.h"

#define KIB           UINT64_C(1024)
#define MIB           (1024 * KIB)
#define GIB           (1024 * MIB)
#define DAY_MS        UINT64_C(86400000)
#define EXPIRE_MAX_MS (3650 * DAY_MS)
#define AFFIX_MAX     (DIALECT_PREFIX_MAX - 1)
#define HOST_MAX      255

static const char EXPECTED_AFFIX[] =
    "expected at most 255 printable characters without blanks and semicolons";

static const char *const dialects[] = {"pystatsd", NULL};
static const char *const unbuilt_dialects[] = {"statsd", "statsd-legacy", NULL};

static const char *
set_listen_port(struct config *config, const struct value *value)
{
    config->master.listen_port = (uint16_t)value->number;
    return NULL;
}

static const char *
set_listen_address(struct config *config, const struct value *value)
{
    memcpy(config->master.listen_address, value->text, sizeof(value->text));
    return NULL;
}

static const char *
set_receive_buffer(struct config *config, const struct value *value)
{
    config->master.receive_buffer = value->number;
    return NULL;
}

/* There is one dialect as yet, the one that dialect_init makes. */
static const char *
set_dialect(struct config *config, const struct value *value)
{
    (void)value;
    dialect_init(&config->worker.dialect);
    return NULL;
}

static const char *
set_flush_interval(struct config *config, const struct value *value)
{
    config->worker.flush_ms = value->number;
    return NULL;
}

static const char *
set_flush_align(struct config *config, const struct value *value)
{
    config->worker.flush_align = value->number != 0;
    return NULL;
}

static const char *
set_pct(struct config *config, const struct value *value)
{
    if (dialect_set_percentiles(&config->worker.dialect, value->numbers, value->n_numbers) < 0)
        return "expected percentiles from -100 to 100";
    return NULL;
}

static const char *
set_aggregate_counters(struct config *config, const struct value *value)
{
    config->worker.dialect.rates = value->number != 0;
    return NULL;
}

static const char *
set_expire(struct config *config, const struct value *value)
{
    config->worker.expire_ms = value->number;
    return NULL;
}

static const char *
set_prefix(struct config *config, size_t source, const struct value *value)
{
    return dialect_set_affix(config->worker.dialect.prefix[source], value->text) < 0
               ? EXPECTED_AFFIX
               : NULL;
}

static const char *
set_counters_prefix(struct config *config, const struct value *value)
{
    return set_prefix(config, METRIC_COUNTER, value);
}

static const char *
set_timers_prefix(struct config *config, const struct value *value)
{
    return set_prefix(config, METRIC_TIMER, value);
}

static const char *
set_gauges_prefix(struct config *config, const struct value *value)
{
    return set_prefix(config, METRIC_GAUGE, value);
}

static const char *
set_sets_prefix(struct config *config, const struct value *value)
{
    return set_prefix(config, METRIC_SET, value);
}

static const char *
set_self_prefix(struct config *config, const struct value *value)
{
    return set_prefix(config, RECORD_SELF, value);
}

/* The host's name as %h (up to its first dot) or %H (its dots as _) means it. */
static int
append_host(char form, struct buf *out)
{
    char host[256] = "";

    if (gethostname(host, sizeof(host) - 1) < 0 || host[0] == '\0')
        return -1;
    for (char *dot = host; (dot = strchr(dot, '.')) != NULL;)
        *dot = form == 'h' ? '\0' : '_';
    return buf_append_str(out, host);
}

/* An affix around every name, in which %h and %H stand for the host. */
static const char *
set_around(char affix[DIALECT_PREFIX_MAX], const char *text)
{
    char storage[DIALECT_PREFIX_MAX];
    struct buf out;

    buf_init_fixed(&out, storage, sizeof(storage) - 1);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            if (buf_append(&out, at, 1) < 0)
                return EXPECTED_AFFIX;
            continue;
        }
        at++;
        if (*at != 'h' && *at != 'H')
            return "expected h or H behind every %";
        if (append_host(*at, &out) < 0)
            return "expected a host name of this machine that fits";
    }
    storage[out.len] = '\0';
    return dialect_set_affix(affix, storage) < 0 ? EXPECTED_AFFIX : NULL;
}

static const char *
set_global_prefix(struct config *config, const struct value *value)
{
    return set_around(config->worker.dialect.global_prefix, value->text);
}

static const char *
set_global_suffix(struct config *config, const struct value *value)
{
    return set_around(config->worker.dialect.global_suffix, value->text);
}

static const char *
set_self_stats(struct config *config, const struct value *value)
{
    config->worker.self_stats = value->number != 0;
    return NULL;
}

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

static const struct key rows[] = {
    {.name = "LOCAL_PYSTATD_PORT",
     .alias = "LOCAL_PYSTATSD_PORT",
     .rule = {.kind = VALUE_PORT, .max = 65535},
     .text = "8125",
     .set = set_listen_port},
    {.name = "LISTEN_ADDRESS",
     .rule = {.kind = VALUE_HOST, .max = HOST_MAX},
     .text = "",
     .set = set_listen_address},
    {.name = "LISTEN"},
    {.name = "UNIX_SOCKET_MODE"},
    {.name = "RECEIVE_BUFFER",
     .rule = {.kind = VALUE_SIZE, .min = 4 * KIB, .max = GIB},
     .text = "16M",
     .set = set_receive_buffer},
    {.name = "THREADS"},
    {.name = "ALLOW_FROM"},
    {.name = "TCP_MAX_CONNECTIONS"},
    {.name = "TCP_IDLE_TIMEOUT"},
    {.name = "DIALECT",
     .rule = {.kind = VALUE_CHOICE, .choices = dialects, .unbuilt = unbuilt_dialects},
     .text = "pystatsd",
     .set = set_dialect},
    {.name = "FLUSH_INTERVAL",
     .rule = {.kind = VALUE_MILLISECONDS, .min = 1000, .max = DAY_MS},
     .text = "10000",
     .set = set_flush_interval},
    {.name = "FLUSH_ALIGN", .rule = {.kind = VALUE_SWITCH}, .text = "yes", .set = set_flush_align},
    {.name = "FLUSH_SPREAD"},
    {.name = "PCT", .rule = {.kind = VALUE_NUMBERS}, .text = "90", .set = set_pct},
    {.name = "AGGREGATE_COUNTERS",
     .rule = {.kind = VALUE_SWITCH},
     .text = "yes",
     .set = set_aggregate_counters},
    {.name = "FLUSH_COUNTS"},
    {.name = "GAUGE_SIGN"},
    {.name = "TIMER_STATS"},
    {.name = "TIMER_WEIGHTS"},
    {.name = "HISTOGRAM"},
    {.name = "IDLE_COUNTERS"},
    {.name = "IDLE_TIMERS"},
    {.name = "IDLE_SETS"},
    {.name = "IDLE_GAUGES"},
    {.name = "GAUGES_MAX_TTL"},
    {.name = "EXPIRE",
     .rule = {.kind = VALUE_SECONDS, .max = EXPIRE_MAX_MS},
     .text = "0",
     .set = set_expire},
    {.name = "EXPIRE_GAUGES"},
    {.name = "EXPIRE_COUNTERS"},
    {.name = "EXPIRE_TIMERS"},
    {.name = "EXPIRE_SETS"},
    {.name = "COUNTERS_PREFIX",
     .rule = {.kind = VALUE_AFFIX, .max = AFFIX_MAX},
     .text = "stats",
     .of_dialect = true,
     .set = set_counters_prefix},
    {.name = "TIMERS_PREFIX",
     .rule = {.kind = VALUE_AFFIX, .max = AFFIX_MAX},
     .text = "stats.timers",
     .of_dialect = true,
     .set = set_timers_prefix},
    {.name = "GAUGES_PREFIX",
     .rule = {.kind = VALUE_AFFIX, .max = AFFIX_MAX},
     .like = "COUNTERS_PREFIX",
     .of_dialect = true,
     .set = set_gauges_prefix},
    {.name = "SETS_PREFIX",
     .rule = {.kind = VALUE_AFFIX, .max = AFFIX_MAX},
     .text = "stats.sets",
     .of_dialect = true,
     .set = set_sets_prefix},
    {.name = "COUNTS_PREFIX"},
    {.name = "GLOBAL_PREFIX",
     .rule = {.kind = VALUE_AFFIX, .max = AFFIX_MAX},
     .text = "",
     .set = set_global_prefix},
    {.name = "GLOBAL_SUFFIX",
     .rule = {.kind = VALUE_AFFIX, .max = AFFIX_MAX},
     .text = "",
     .set = set_global_suffix},
    {.name = "SELF_PREFIX",
     .rule = {.kind = VALUE_AFFIX, .max = AFFIX_MAX},
     .text = "statsd",
     .set = set_self_prefix},
    {.name = "SELF_STATS", .rule = {.kind = VALUE_SWITCH}, .text = "yes", .set = set_self_stats},
    {.name = "TAGS"},
    {.name = "SANITIZE"},
    {.name = "DROP"},
    {.name = "ALLOW"},
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
    {.name = "TIMER_MAX_SAMPLES"},
    {.name = "SET_EXACT_MAX"},
};

const struct key_group keys_in = {rows, sizeof(rows) / sizeof(rows[0])};
