/*
 * lines: see lines.h. A bad line costs itself only; what it said is logged at debug level, escaped,
 * with its sender.
 */
#include "worker/lines.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"

#define SHOWN_MAX 120
/* How far ahead of their use a metric, and then a timer's place for the sample, are loaded. At
 * 100,000 names the second saves a fifth of the time. */
#define METRIC_AHEAD  16
#define SAMPLES_AHEAD 6

void
lines_init(struct lines *lines, struct table *table, struct selfstat *stats,
           struct culprit *culprit, const struct name_limits *limits)
{
    lines->table = table;
    lines->stats = stats;
    lines->culprit = culprit;
    lines->limits = *limits;
    lines->logged = (struct limit){0};
    lines->n = 0;
}

/* Every byte may be escaped to four. */
static void
show_bad(struct lines *lines, const struct datagram *datagram, const char *line, size_t len,
         enum parse_error error, uint64_t now_ms)
{
    char text[SHOWN_MAX * 4 + 8], from[NET_TEXT_MAX];
    struct buf shown;
    uint64_t suppressed;

    if (!limit_allow(&lines->logged, LINES_LOGGED_PER_S, now_ms, &suppressed))
        return;
    if (suppressed > 0)
        log_debug("%" PRIu64 " more bad lines were not shown", suppressed);
    buf_init_fixed(&shown, text, sizeof(text));
    buf_append_escaped(&shown, line, len, SHOWN_MAX);
    net_format(datagram->from, from);
    log_debug("bad line from %s: %s: \"%.*s\"", from, parse_error_name(error), (int)shown.len,
              text);
}

static void
refuse(struct lines *lines, const struct line *line, enum parse_error error, uint64_t now_ms)
{
    lines->stats->bad[error]++;
    show_bad(lines, line->datagram, line->sample.name, line->len, error, now_ms);
}

/* Under a name that the table does not have as it came: it may when it is clean. */
static void
apply_new(struct lines *lines, const struct line *line, uint64_t now_ms)
{
    char scratch[NAME_LEN_MAX];
    struct name name;
    uint32_t hash = line->hash;
    enum table_verdict verdict;
    enum parse_error error =
        name_clean(line->sample.name, line->sample.name_len, &lines->limits, scratch, &name);

    if (error != PARSE_OK) {
        refuse(lines, line, error, now_ms);
        return;
    }
    if (name.text == scratch)
        hash = table_hash(lines->table, line->sample.type, &name);
    verdict = table_apply(lines->table, &line->sample, &name, hash, now_ms);
    lines->stats->verdicts[verdict]++;
    if (verdict == TABLE_METRICS || verdict == TABLE_MEMORY)
        culprit_add(lines->culprit, &name);
}

static void
apply(struct lines *lines, const struct line *line, uint64_t now_ms)
{
    struct name name = {.text = line->sample.name, .len = line->sample.name_len};
    enum table_verdict verdict =
        table_apply_known(lines->table, &line->sample, &name, line->hash, now_ms);

    if (verdict == TABLE_UNKNOWN)
        apply_new(lines, line, now_ms);
    else
        lines->stats->verdicts[verdict]++;
}

static void
apply_batch(struct lines *lines, uint64_t now_ms)
{
    for (size_t i = 0; i < lines->n; i++) {
        if (i + METRIC_AHEAD < lines->n)
            table_prefetch(lines->table, lines->batch[i + METRIC_AHEAD].hash);
        if (i + SAMPLES_AHEAD < lines->n)
            table_prefetch_samples(lines->table, lines->batch[i + SAMPLES_AHEAD].hash,
                                   lines->batch[i + SAMPLES_AHEAD].sample.type);
        apply(lines, &lines->batch[i], now_ms);
    }
    lines->n = 0;
}

/* Empty lines, and what a CRLF leaves of one, are neither lines nor errors. */
static void
take_line(struct lines *lines, const struct datagram *datagram, const char *text, size_t len,
          uint64_t now_ms)
{
    struct line *line = &lines->batch[lines->n];
    enum parse_error error = PARSE_OK;
    struct name name;

    if (len == 0 || (len == 1 && text[0] == '\r'))
        return;
    lines->stats->lines++;
    line->datagram = datagram;
    line->len = (uint32_t)len;
    line->sample.name = text;
    if (!parse_common(text, len, &line->sample))
        error = parse_line(text, len, &line->sample);
    if (error != PARSE_OK) {
        refuse(lines, line, error, now_ms);
        return;
    }
    name = (struct name){.text = text, .len = line->sample.name_len};
    line->hash = table_hash(lines->table, line->sample.type, &name);
    if (++lines->n == LINES_BATCH)
        apply_batch(lines, now_ms);
}

/* The last line of a datagram that was cut is nobody's line. */
static void
take_datagram(struct lines *lines, const struct datagram *datagram, uint64_t now_ms)
{
    const char *at = datagram->bytes, *end = at + datagram->len;

    lines->stats->packets++;
    lines->stats->bytes += datagram->len;
    if (datagram->truncated) {
        const char *last = memrchr(at, '\n', datagram->len);

        lines->stats->truncated++;
        end = last == NULL ? at : last;
    }
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        if (newline == NULL)
            newline = end;
        take_line(lines, datagram, at, (size_t)(newline - at), now_ms);
        at = newline + 1;
    }
}

void
lines_apply(struct lines *lines, const struct datagram *datagrams, size_t n, uint64_t now_ms)
{
    for (size_t i = 0; i < n; i++)
        take_datagram(lines, &datagrams[i], now_ms);
    apply_batch(lines, now_ms);
}
