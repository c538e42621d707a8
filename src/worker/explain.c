/*
 * explain: see explain.h. What decides is parse, name and filter, table and flush; what is here
 * only tells it.
 */
#include "worker/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "metric/flush.h"
#include "metric/parse.h"

/* What one metric with one sample takes, and more. */
#define ARENA_SIZE ((size_t)8 << 20)
/* Any time does: a metric that has just been heard of is never too old to be sent. */
#define NOW_MS UINT64_C(1000000000)

struct telling {
    const struct worker_opts *opts;
    const char *line;
    size_t len;
    struct buf *out;
    struct filter filter;
    struct sample sample;
    char scratch[NAME_LEN_MAX];
    struct name name; /* the clean one */
    bool sent;
};

static const char *const refusals[PARSE_ERROR_COUNT] = {
    [PARSE_OK] = "",
    [PARSE_NO_VALUE] = "there is no colon, or no value behind it",
    [PARSE_NO_NAME] = "there is no name before the colon, or nothing of it that may be in a name",
    [PARSE_NO_TYPE] = "there is no bar behind the value, or no type behind the bar",
    [PARSE_BAD_TYPE] = "the type is none of c, g, ms and s",
    [PARSE_BAD_VALUE] = "the value is no decimal number, or is not finite",
    [PARSE_BAD_RATE] = "the sample rate is no number above 0 and up to 1",
    [PARSE_BAD_FIELD] = "the one field behind a counter's type is no sample rate",
    [PARSE_TOO_LONG] = "the name is longer than MAX_NAME, or a part of it than MAX_NODE",
};

static const char *const verdict_texts[TABLE_VERDICT_COUNT] = {
    [TABLE_METRICS] = "MAX_METRICS leaves no room for another name",
    [TABLE_MEMORY] = "there is no memory for it",
    [TABLE_OVERFLOW] = "the sum would not be finite",
};

static void say(struct telling *telling, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
say(struct telling *telling, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)buf_append_str(telling->out, text);
}

/* What came from outside. */
static void
say_raw(struct telling *telling, const char *key, const char *bytes, size_t len)
{
    say(telling, "%s ", key);
    buf_append_escaped(telling->out, bytes, len, EXPLAIN_LINE_MAX);
    say(telling, "\n");
}

static void
say_number(struct telling *telling, const char *key, double value)
{
    char text[NUM_TEXT_MAX];

    say(telling, "%s %.*s\n", key, (int)num_format(value, text), text);
}

/* What stands behind the type and is no sample rate: one field that does not begin like one, or
 * several, none of which counts. */
static void
say_ignored(struct telling *telling)
{
    const char *end = telling->line + telling->len, *at;

    at = memchr(telling->line, ':', telling->len);
    for (int i = 0; at != NULL && i < 2; i++)
        at = memchr(at + 1, '|', (size_t)(end - at - 1));
    if (at == NULL || at + 1 == end)
        return;
    at++;
    if (*at != '@' || memchr(at, '|', (size_t)(end - at)) != NULL)
        say_raw(telling, "ignored", at, (size_t)(end - at));
}

static void
say_sample(struct telling *telling)
{
    const struct sample *sample = &telling->sample;

    say(telling, "type %s\n", metric_type_name(sample->type));
    if (sample->type == METRIC_SET)
        say_raw(telling, "member", sample->member, sample->member_len);
    else
        say_number(telling, "value", sample->value);
    say_number(telling, "rate", sample->rate);
    say_ignored(telling);
    say_raw(telling, "name", sample->name, sample->name_len);
}

/* Whose names are spoken, and what an interval's samples add up to. */
static void
say_rule(struct telling *telling)
{
    const struct dialect *dialect = &telling->opts->dialect;
    const enum metric_type type = telling->sample.type;
    char seconds[NUM_TEXT_MAX];
    int len = (int)num_format((double)telling->opts->flush_ms / 1000, seconds);

    say_raw(telling, "prefix", dialect->prefix[type], strlen(dialect->prefix[type]));
    if (dialect->global_prefix[0] != '\0')
        say(telling, "global_prefix %s\n", dialect->global_prefix);
    if (dialect->global_suffix[0] != '\0')
        say(telling, "global_suffix %s\n", dialect->global_suffix);
    if (type == METRIC_COUNTER && dialect->rates)
        say(telling, "rule values by their rates, added up, by the %.*s s of an interval\n", len,
            seconds);
    else if (type == METRIC_COUNTER)
        say(telling, "rule values by their rates, added up (AGGREGATE_COUNTERS=no)\n");
    else if (type == METRIC_GAUGE)
        say(telling, "rule the last value, also while nothing new comes%s\n",
            telling->opts->rules.omit_idle_gauges ? ", GAUGES_MAX_TTL times" : "");
    else if (type == METRIC_TIMER)
        say(telling, "rule statistics of the values of an interval of %.*s s\n", len, seconds);
    else
        say(telling, "rule how many different members came in an interval of %.*s s\n", len,
            seconds);
}

/* Returns whether it is kept. */
static bool
say_filter(struct telling *telling)
{
    struct filter_verdict verdict =
        filter_judge(&telling->filter, telling->name.text, telling->name.len);

    if (!verdict.keeps && verdict.pattern == NULL)
        say(telling, "filtered no pattern of ALLOW matches\n");
    else if (verdict.pattern != NULL)
        say_raw(telling, verdict.keeps ? "allowed" : "filtered DROP", verdict.pattern,
                verdict.pattern_len);
    return verdict.keeps;
}

/* The name has passed every check, so that no line of it is one that the sender refuses. */
static int
say_points(struct telling *telling, struct table *table)
{
    const struct worker_opts *opts = telling->opts;
    struct flush_opts flush_opts = {
        .tables = {table},
        .n_tables = 1,
        .dialect = &opts->dialect,
        .rules = &opts->rules,
        .max_samples = opts->timer_max_samples,
    };
    struct interval interval = {.end_ms = NOW_MS, .span_ms = opts->flush_ms};
    struct flush flush;
    struct record record;
    int error = flush_init(&flush, &flush_opts);

    if (error != 0)
        return error;
    flush_begin_open(&flush, &interval);
    for (; flush_peek(&flush, &record); flush_advance(&flush)) {
        for (size_t i = 0; i < record.n_points; i++) {
            say(telling, "sent ");
            if (dialect_append_point(&opts->dialect, &record, &record.points[i], telling->out) == 0)
                telling->out->len--; /* the blank before the timestamp */
            say(telling, "\n");
            telling->sent = true;
        }
    }
    flush_release(&flush);
    return 0;
}

/* Gives a table of its own the sample, and tells what that would send. */
static int
try_sample(struct telling *telling)
{
    const struct worker_opts *opts = telling->opts;
    struct table_opts table_opts = {
        .max_metrics = opts->max_metrics,
        .timer_max_samples = opts->timer_max_samples,
        .set_exact_max = opts->set_exact_max,
        .filter = &telling->filter,
        .arena = {.size = ARENA_SIZE, .fd = -1},
    };
    const enum metric_type type = telling->sample.type;
    enum table_verdict verdict;
    struct table table;
    int error = table_init(&table, &table_opts, 1);

    if (error == 0) {
        verdict = table_apply(&table, &telling->sample, &telling->name,
                              table_hash(&table, type, &telling->name), NOW_MS);
        if (verdict == TABLE_APPLIED)
            error = say_points(telling, &table);
        else
            say(telling, "refused %s: %s\n", table_verdict_names[verdict], verdict_texts[verdict]);
    }
    table_release(&table);
    return error;
}

/* The steps that a line takes in lines.c, told. */
static int
tell(struct telling *telling)
{
    struct sample *sample = &telling->sample;
    enum parse_error error = PARSE_OK;

    say_raw(telling, "line", telling->line, telling->len);
    if (telling->len == 0 || (telling->len == 1 && telling->line[0] == '\r')) {
        say(telling, "empty it is no line, and no error\n");
        return 0;
    }
    if (!parse_common(telling->line, telling->len, sample))
        error = parse_line(telling->line, telling->len, sample);
    if (error == PARSE_OK) {
        say_sample(telling);
        error = name_clean(sample->name, sample->name_len, &telling->opts->names, telling->scratch,
                           &telling->name);
    }
    if (error != PARSE_OK) {
        say(telling, "refused %s: %s\n", parse_error_name(error), refusals[error]);
        return 0;
    }
    say_raw(telling, "clean", telling->name.text, telling->name.len);
    if (!say_filter(telling))
        return 0;
    say_rule(telling);
    return try_sample(telling);
}

int
explain(const struct worker_opts *opts, const char *line, size_t len, struct buf *out,
        bool *out_sent)
{
    struct telling telling = {.opts = opts, .line = line, .len = len, .out = out};
    size_t size = filter_storage_size(&opts->filter);
    uint8_t *patterns = malloc(size + 1);
    int error = -ENOMEM;

    if (patterns == NULL)
        return error;
    error = -EINVAL;
    if (filter_init(&telling.filter, &opts->filter, patterns, size) == 0)
        error = tell(&telling);
    if (error == 0)
        *out_sent = telling.sent;
    free(patterns);
    return error;
}
