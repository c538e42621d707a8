/*
 * server: owns the class Server, which has py-statsd's arguments and attributes, and runs
 * libpystatsd's server with them. Must not know how that is done.
 */
#define Py_LIMITED_API 0x030a0000
#include <Python.h>
#include <structmember.h>

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "client/pystatsd.h"
#include "python/arguments.h"
#include "python/types.h"

enum kind { KIND_TEXT, KIND_NUMBER, KIND_FLAG };

/* An argument of Server(), an attribute of that name, and what becomes of it. */
struct setting {
    enum kind kind;
    const char *text; /* the default of a text, NULL: None; of others in number */
    unsigned number;
    size_t offset; /* in struct pystatsd_server_options */
};

enum { N_SETTINGS = 17 };

static const struct signature signature = {
    "Server",
    0,
    {"pct_threshold", "debug", "transport", "ganglia_host", "ganglia_port", "ganglia_spoof_host",
     "ganglia_max_length", "gmetric_exec", "gmetric_options", "graphite_host", "graphite_port",
     "global_prefix", "flush_interval", "no_aggregate_counters", "counters_prefix",
     "timers_prefix", "expire"},
};

/* In the same order. */
static const struct setting settings[N_SETTINGS] = {
    {KIND_NUMBER, NULL, 90, offsetof(struct pystatsd_server_options, pct_threshold)},
    {KIND_FLAG, NULL, 0, offsetof(struct pystatsd_server_options, debug)},
    {KIND_TEXT, "graphite", 0, offsetof(struct pystatsd_server_options, transport)},
    {KIND_TEXT, "localhost", 0, offsetof(struct pystatsd_server_options, ganglia_host)},
    {KIND_NUMBER, NULL, 8649, offsetof(struct pystatsd_server_options, ganglia_port)},
    {KIND_TEXT, "statsd:statsd", 0, offsetof(struct pystatsd_server_options, ganglia_spoof_host)},
    {KIND_NUMBER, NULL, 100, offsetof(struct pystatsd_server_options, ganglia_max_length)},
    {KIND_TEXT, "/usr/bin/gmetric", 0, offsetof(struct pystatsd_server_options, gmetric_exec)},
    {KIND_TEXT, "-d", 0, offsetof(struct pystatsd_server_options, gmetric_options)},
    {KIND_TEXT, "localhost", 0, offsetof(struct pystatsd_server_options, graphite_host)},
    {KIND_NUMBER, NULL, 2003, offsetof(struct pystatsd_server_options, graphite_port)},
    {KIND_TEXT, NULL, 0, offsetof(struct pystatsd_server_options, global_prefix)},
    {KIND_NUMBER, NULL, 10000, offsetof(struct pystatsd_server_options, flush_interval)},
    {KIND_FLAG, NULL, 0, offsetof(struct pystatsd_server_options, no_aggregate_counters)},
    {KIND_TEXT, "stats", 0, offsetof(struct pystatsd_server_options, counters_prefix)},
    {KIND_TEXT, "stats.timers", 0, offsetof(struct pystatsd_server_options, timers_prefix)},
    {KIND_NUMBER, NULL, 0, offsetof(struct pystatsd_server_options, expire)},
};
