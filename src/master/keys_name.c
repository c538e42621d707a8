/*
 * keys_name: the settings of names: what stands around them and which are taken. Knows what each
 * means to the dialect and the worker; must not know where a value came from.
 */
#include <string.h>
#include <unistd.h>

#include "master/keys.h"

#define AFFIX_MAX (DIALECT_PREFIX_MAX - 1)

_Static_assert(VALUE_LIST_MAX == FILTER_LIST_MAX, "a list that is read is one that a filter takes");
_Static_assert(VALUE_WORDS_MAX == FILTER_PATTERNS_MAX, "as many words as patterns");
_Static_assert(VALUE_WORD_MAX == FILTER_PATTERN_MAX, "words as long as patterns");

static const char EXPECTED_AFFIX[] =
    "expected at most 255 printable characters without blanks and semicolons";

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
set_drop(struct config *config, const struct value *value)
{
    config->worker.filter.drop = value->list;
    return NULL;
}

static const char *
set_allow(struct config *config, const struct value *value)
{
    config->worker.filter.allow = value->list;
    return NULL;
}

static const struct key rows[] = {
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
    {.name = "DROP", .rule = {.kind = VALUE_WORDS}, .text = "", .set = set_drop},
    {.name = "ALLOW", .rule = {.kind = VALUE_WORDS}, .text = "", .set = set_allow},
};

const struct key_group keys_name = {rows, sizeof(rows) / sizeof(rows[0])};
