/*
 * keys_in: the settings of listening, and of what samples add up to. Knows what each means to the
 * master's sockets and to the worker; must not know where a value came from.
 */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "master/keys.h"

#define DAY_MS      UINT64_C(86400000)
#define THREADS_MAX 64
#define HOST_MAX    255

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

/* How many CPUs this process may run on; a kernel of more CPUs than cpu_set_t holds says only how
 * many there are. */
static unsigned
count_cpus(void)
{
    cpu_set_t cpus;
    long n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus)
                                                            : sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

static const char *
set_threads(struct config *config, const struct value *value)
{
    config->worker.n_threads = value->number > 0 ? (unsigned)value->number : count_cpus();
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

static const struct key rows[] = {
    {.name = "LOCAL_PYSTATD_PORT",
     .alias = "LOCAL_PYSTATSD_PORT",
     .rule = {.kind = VALUE_PORT, .min = 1, .max = 65535},
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
    {.name = "THREADS",
     .rule = {.kind = VALUE_NUMBER, .max = THREADS_MAX},
     .text = "1",
     .set = set_threads},
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
};

const struct key_group keys_in = {rows, sizeof(rows) / sizeof(rows[0])};
