/*
 * dialect: the names of what a flush sends. Knows nothing of how it is sent.
 */
#include "metric/dialect.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"

/* What follows a name, by statistic; "" where nothing does. */
static const char *const suffixes[STATISTIC_KINDS] = {
    [STATISTIC_VALUE] = "",      [STATISTIC_RATE] = "",     [STATISTIC_LOWER] = "lower",
    [STATISTIC_COUNT] = "count", [STATISTIC_MEAN] = "mean", [STATISTIC_UPPER] = "upper",
};

void
dialect_init(struct dialect *dialect)
{
    static const double percentile = 90;
    static const char *const prefixes[] = {
        [METRIC_COUNTER] = "stats",  [METRIC_GAUGE] = "stats", [METRIC_TIMER] = "stats.timers",
        [METRIC_SET] = "stats.sets", [RECORD_SELF] = "statsd",
    };

    memset(dialect, 0, sizeof(*dialect));
    for (size_t i = 0; i <= RECORD_SELF; i++)
        dialect_set_affix(dialect->prefix[i], prefixes[i]);
    dialect_set_percentiles(dialect, &percentile, 1);
    dialect->rates = true;
}

int
dialect_set_affix(char out[DIALECT_PREFIX_MAX], const char *text)
{
    const char *start = text + strspn(text, ".");
    size_t len = strlen(start);

    while (len > 0 && start[len - 1] == '.')
        len--;
    if (len >= DIALECT_PREFIX_MAX)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (start[i] < '!' || start[i] > '~' || start[i] == ';')
            return -1;
    }
    memcpy(out, start, len);
    out[len] = '\0';
    return 0;
}

/* "upper_90", "upper_99_9", "lower_top10": the point of a fraction is no separator of nodes. */
static void
name_percentile(double percentile, char out[DIALECT_SUFFIX_MAX])
{
    const char *head = percentile < 0 ? "lower_top" : "upper_";
    char text[NUM_TEXT_MAX];
    size_t head_len = strlen(head);
    size_t len = num_format(percentile < 0 ? -percentile : percentile, text);

    if (len > DIALECT_SUFFIX_MAX - 1 - head_len)
        len = DIALECT_SUFFIX_MAX - 1 - head_len;
    memcpy(out, head, head_len);
    memcpy(out + head_len, text, len);
    out[head_len + len] = '\0';
    for (char *dot = out; (dot = strchr(dot, '.')) != NULL;)
        *dot = '_';
}

int
dialect_set_percentiles(struct dialect *dialect, const double *percentiles, size_t n)
{
    if (n > DIALECT_PERCENTILES_MAX)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!(percentiles[i] >= -100 && percentiles[i] <= 100))
            return -1;
    }
    for (size_t i = 0; i < n; i++) {
        dialect->percentile[i] = percentiles[i];
        name_percentile(percentiles[i], dialect->percentile_suffix[i]);
    }
    dialect->n_percentiles = n;
    return 0;
}

/* What follows a record's name, or NULL for what no dialect knows. */
static const char *
suffix_of(const struct dialect *dialect, const struct record *record, const struct point *point)
{
    if (point->statistic == STATISTIC_UPPER_PCT)
        return point->index < dialect->n_percentiles ? dialect->percentile_suffix[point->index]
                                                     : NULL;
    if (record->source == METRIC_SET)
        return "count";
    return suffixes[point->statistic];
}

static int
append_node(struct buf *buf, const char *node, size_t len, bool first)
{
    if (len == 0)
        return 0;
    if (!first && buf_append(buf, ".", 1) != 0)
        return -1;
    return buf_append(buf, node, len);
}

int
dialect_append_name(const struct dialect *dialect, const struct record *record,
                    const struct point *point, struct buf *buf)
{
    const char *suffix = suffix_of(dialect, record, point);
    const char *prefix = dialect->prefix[record->source];
    size_t start = buf->len;

    if (suffix != NULL &&
        append_node(buf, dialect->global_prefix, strlen(dialect->global_prefix), true) == 0 &&
        append_node(buf, prefix, strlen(prefix), buf->len == start) == 0 &&
        append_node(buf, record->name, record->name_len, buf->len == start) == 0 &&
        append_node(buf, suffix, strlen(suffix), false) == 0 &&
        append_node(buf, dialect->global_suffix, strlen(dialect->global_suffix), false) == 0)
        return 0;
    buf->len = start;
    return -1;
}

int
dialect_append_point(const struct dialect *dialect, const struct record *record,
                     const struct point *point, struct buf *buf)
{
    char value[NUM_TEXT_MAX];
    size_t start = buf->len;

    if (dialect_append_name(dialect, record, point, buf) == 0 && buf_append(buf, " ", 1) == 0 &&
        buf_append(buf, value, num_format(point->value, value)) == 0 &&
        buf_append(buf, " ", 1) == 0)
        return 0;
    buf->len = start;
    return -1;
}
