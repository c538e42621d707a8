/*
 * keys_out: the settings of delivery and of the processes themselves. Knows what each means to the
 * sender, the master and the log; must not know where a value came from.
 */
#include <string.h>
#include <syslog.h>

#include "base/net.h"
#include "base/num.h"
#include "master/keys.h"

#define TIMEOUT_MAX_MS UINT64_C(3600000)
#define DAY_MS         UINT64_C(86400000)
#define HOST_MAX       300 /* with a port and brackets */
#define ACCOUNT_MAX    63

static const char EXPECTED_HOST[] =
    "expected host, host:port or [v6]:port, the port from 1 to 65535";

static const char *const transports[] = {"graphite", "none", NULL};
static const char *const unbuilt_transports[] = {"ganglia", "ganglia-gmetric", NULL};
static const char *const acks[] = {"fin", "none", NULL};
static const char *const downstreams[] = {"storage", "aggregator", NULL};
static const char *const logs[] = {
    [LOG_TO_STDERR] = "stderr",
    [LOG_TO_SYSLOG] = "syslog",
    [LOG_TO_JOURNAL] = "journal",
    [LOG_TO_JOURNAL + 1] = NULL,
};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

static const char *
set_transport(struct config *config, const struct value *value)
{
    config->sender.deliver = strcmp(value->text, "graphite") == 0;
    return NULL;
}

/* Cuts "host", "host:port", "[v6]", "[v6]:port" or a bare v6 address in two; *out_port is then
 * where the port begins, or NULL. */
static int
cut_host(char *host, const char **out_port)
{
    char *colon = strchr(host, ':');
    char *behind = host;

    *out_port = NULL;
    if (host[0] == '[') {
        behind = strchr(host, ']');
        if (behind == NULL || (behind[1] != '\0' && behind[1] != ':'))
            return -1;
        colon = behind[1] == ':' ? behind + 1 : NULL;
        *behind = '\0';
        memmove(host, host + 1, strlen(host));
    } else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        colon = NULL;
    }
    if (colon != NULL) {
        *colon = '\0';
        *out_port = colon + 1;
    }
    return host[0] != '\0' && strpbrk(host, "[]") == NULL ? 0 : -1;
}

/* A port behind the host leaves nothing for GRAPHITE_PORT, which comes later, to say. */
static const char *
set_graphite_host(struct config *config, const struct value *value)
{
    char *host = config->master.graphite_host;
    uint64_t number = 0;
    const char *port;

    memcpy(host, value->text, sizeof(value->text));
    if (cut_host(host, &port) < 0)
        return EXPECTED_HOST;
    if (port != NULL && (num_parse_u64(port, strlen(port), 65535, &number) < 0 || port[0] == '0'))
        return EXPECTED_HOST;
    config->master.graphite_port = (uint16_t)number;
    return NULL;
}

static const char *
set_graphite_port(struct config *config, const struct value *value)
{
    struct master_opts *master = &config->master;

    if (master->graphite_port == 0)
        master->graphite_port = (uint16_t)value->number;
    net_format_host(master->graphite_host, master->graphite_port, config->destination,
                    sizeof(config->destination));
    return NULL;
}

static const char *
set_graphite_ack(struct config *config, const struct value *value)
{
    config->sender.await_fin = strcmp(value->text, "fin") == 0;
    return NULL;
}

static const char *
set_downstream(struct config *config, const struct value *value)
{
    config->sender.never_twice = strcmp(value->text, "aggregator") == 0;
    return NULL;
}

static const char *
set_replay_window(struct config *config, const struct value *value)
{
    config->sender.replay_window_ms = value->number;
    return NULL;
}

static const char *
set_queue_memory(struct config *config, const struct value *value)
{
    config->sender.queue_memory = (size_t)value->number;
    return NULL;
}

static const char *
set_spool_dir(struct config *config, const struct value *value)
{
    memcpy(config->master.spool_dir, value->text, sizeof(value->text));
    return NULL;
}

static const char *
set_spool_max_bytes(struct config *config, const struct value *value)
{
    config->sender.spool_max_bytes = value->number;
    return NULL;
}

static const char *
set_spool_max_age(struct config *config, const struct value *value)
{
    config->sender.spool_max_age_ms = value->number;
    return NULL;
}

static const char *
set_dns_refresh(struct config *config, const struct value *value)
{
    config->sender.dns_refresh_ms = (uint32_t)value->number;
    return NULL;
}

static const char *
set_connect_timeout(struct config *config, const struct value *value)
{
    config->sender.connect_timeout_ms = (uint32_t)value->number;
    return NULL;
}

static const char *
set_send_timeout(struct config *config, const struct value *value)
{
    config->sender.send_timeout_ms = (uint32_t)value->number;
    return NULL;
}

static const char *
set_user(struct config *config, const struct value *value)
{
    memcpy(config->master.user, value->text, sizeof(config->master.user));
    return NULL;
}

static const char *
set_group(struct config *config, const struct value *value)
{
    memcpy(config->master.group, value->text, sizeof(config->master.group));
    return NULL;
}

static const char *
set_pidfile(struct config *config, const struct value *value)
{
    memcpy(config->master.pidfile, value->text, sizeof(value->text));
    return NULL;
}

static const char *
set_state_dir(struct config *config, const struct value *value)
{
    memcpy(config->master.state_dir, value->text, sizeof(value->text));
    return NULL;
}

static const char *
set_gauges_file(struct config *config, const struct value *value)
{
    char *path = config->master.gauges_file;
    char *slash;

    memcpy(path, value->text, sizeof(value->text));
    slash = strrchr(path, '/');
    config->sender.gauges_name = slash != NULL ? slash + 1 : path;
    return strcmp(path, "/") != 0 ? NULL : "expected the path of a file";
}

static const char *
set_log(struct config *config, const struct value *value)
{
    config->log_to = (enum log_destination)value->number;
    return NULL;
}

static const char *
set_log_level(struct config *config, const struct value *value)
{
    static const int levels[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

    config->log_level = levels[value->number];
    return NULL;
}

static const struct key rows[] = {
    {.name = "TRANSPORT",
     .rule = {.kind = VALUE_CHOICE, .choices = transports, .unbuilt = unbuilt_transports},
     .text = "graphite",
     .set = set_transport},
    {.name = "GRAPHITE_HOST",
     .rule = {.kind = VALUE_HOSTS, .min = 1, .max = HOST_MAX},
     .text = "localhost",
     .set = set_graphite_host},
    {.name = "GRAPHITE_PORT",
     .rule = {.kind = VALUE_PORT, .min = 1, .max = 65535},
     .text = "2003",
     .set = set_graphite_port},
    {.name = "GRAPHITE_PROTOCOL"},
    {.name = "GRAPHITE_MODE"},
    {.name = "GRAPHITE_HASH"},
    {.name = "GRAPHITE_REPLICATION"},
    {.name = "GRAPHITE_ACK",
     .rule = {.kind = VALUE_CHOICE, .choices = acks},
     .text = "fin",
     .set = set_graphite_ack},
    {.name = "DOWNSTREAM",
     .rule = {.kind = VALUE_CHOICE, .choices = downstreams},
     .text = "storage",
     .set = set_downstream},
    {.name = "REPLAY_WINDOW",
     .rule = {.kind = VALUE_SECONDS, .max = DAY_MS},
     .text = "60",
     .set = set_replay_window},
    {.name = "QUEUE_MEMORY",
     .rule = {.kind = VALUE_SIZE, .min = MIB, .max = 64 * GIB},
     .text = "64M",
     .set = set_queue_memory},
    {.name = "SPOOL_DIR",
     .rule = {.kind = VALUE_PATH, .max = VALUE_TEXT_MAX - 1},
     .text = "",
     .set = set_spool_dir},
    {.name = "SPOOL_MAX_BYTES",
     .rule = {.kind = VALUE_SIZE, .min = MIB, .max = 1024 * GIB},
     .text = "1G",
     .set = set_spool_max_bytes},
    {.name = "SPOOL_MAX_AGE",
     .rule = {.kind = VALUE_SECONDS, .min = 1000, .max = 365 * DAY_MS},
     .text = "1d",
     .set = set_spool_max_age},
    {.name = "DNS_REFRESH",
     .rule = {.kind = VALUE_SECONDS, .min = 1000, .max = DAY_MS},
     .text = "60",
     .set = set_dns_refresh},
    {.name = "CONNECT_TIMEOUT",
     .rule = {.kind = VALUE_SECONDS, .min = 1, .max = TIMEOUT_MAX_MS},
     .text = "5",
     .set = set_connect_timeout},
    {.name = "SEND_TIMEOUT",
     .rule = {.kind = VALUE_SECONDS, .min = 1, .max = TIMEOUT_MAX_MS},
     .text = "10",
     .set = set_send_timeout},
    {.name = "GANGLIA_HOST"},
    {.name = "GANGLIA_PORT"},
    {.name = "GANGLIA_SPOOF_HOST"},
    {.name = "GANGLIA_MAX_LENGTH"},
    {.name = "GMETRIC_EXEC"},
    {.name = "GMETRIC_OPTIONS"},
    {.name = "RELAY"},
    {.name = "USER",
     .rule = {.kind = VALUE_TEXT, .min = 1, .max = ACCOUNT_MAX},
     .text = "nobody",
     .set = set_user},
    {.name = "GROUP",
     .rule = {.kind = VALUE_TEXT, .max = ACCOUNT_MAX},
     .text = "",
     .set = set_group},
    {.name = "PIDFILE",
     .rule = {.kind = VALUE_TEXT, .min = 1, .max = VALUE_TEXT_MAX - 1},
     .text = "/var/run/pystatsd.pid",
     .set = set_pidfile},
    {.name = "STATE_DIR",
     .rule = {.kind = VALUE_PATH, .max = VALUE_TEXT_MAX - 1},
     .text = "",
     .set = set_state_dir},
    {.name = "GAUGES_FILE",
     .rule = {.kind = VALUE_PATH, .max = VALUE_TEXT_MAX - 1},
     .text = "",
     .set = set_gauges_file},
    {.name = "SANDBOX"},
    {.name = "LOG",
     .rule = {.kind = VALUE_CHOICE, .choices = logs},
     .text = "stderr",
     .in_background = "syslog",
     .set = set_log},
    {.name = "LOG_LEVEL",
     .rule = {.kind = VALUE_CHOICE, .choices = log_levels},
     .text = "info",
     .set = set_log_level},
};

const struct key_group keys_out = {rows, sizeof(rows) / sizeof(rows[0])};
