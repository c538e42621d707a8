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
/* How far ahead of its use a metric is loaded. */
#define LINES_AHEAD 8

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
    lines->scratch_used = 0;
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
apply_batch(struct lines *lines, uint64_t now_ms)
{
    for (size_t i = 0; i < lines->n; i++) {
        const struct line *line = &lines->batch[i];
        enum table_verdict verdict;

        if (i + LINES_AHEAD < lines->n)
            table_prefetch(lines->table, line[LINES_AHEAD].hash);
        verdict = table_apply(lines->table, &line->sample, &line->name, line->hash, now_ms);
        lines->stats->verdicts[verdict]++;
        if (verdict == TABLE_METRICS || verdict == TABLE_MEMORY)
            culprit_add(lines->culprit, &line->name);
    }
    lines->n = 0;
    lines->scratch_used = 0;
}

/* The line is good: its place in the table begins to be loaded. */
static void
admit(struct lines *lines, struct line *line, uint64_t now_ms)
{
    line->hash = table_hash(lines->table, line->sample.type, &line->name);
    if (++lines->n == LINES_BATCH || lines->scratch_used > LINES_SCRATCH - NAME_LEN_MAX)
        apply_batch(lines, now_ms);
}

static enum parse_error
prepare(struct lines *lines, const char *text, size_t len, struct line *line)
{
    char *scratch = lines->scratch + lines->scratch_used;
    enum parse_error error = parse_line(text, len, &line->sample);

    if (error != PARSE_OK)
        return error;
    error =
        name_clean(line->sample.name, line->sample.name_len, &lines->limits, scratch, &line->name);
    if (error == PARSE_OK && line->name.text == scratch)
        lines->scratch_used += line->name.len;
    return error;
}

/* Empty lines, and what a CRLF leaves of one, are neither lines nor errors. */
static void
take_line(struct lines *lines, const struct datagram *datagram, const char *text, size_t len,
          uint64_t now_ms)
{
    struct line *line = &lines->batch[lines->n];
    enum parse_error error;

    if (len == 0 || (len == 1 && text[0] == '\r'))
        return;
    lines->stats->lines++;
    error = prepare(lines, text, len, line);
    if (error == PARSE_OK) {
        admit(lines, line, now_ms);
        return;
    }
    lines->stats->bad[error]++;
    show_bad(lines, datagram, text, len, error, now_ms);
}

/* Most lines need not be looked at twice. Returns the line's length, or 0 where it is another. */
static size_t
take_common_line(struct lines *lines, const char *text, size_t len, uint64_t now_ms)
{
    struct line *line = &lines->batch[lines->n];
    size_t line_len = parse_common(text, len, &line->sample);

    line->name = (struct name){.text = text, .len = line->sample.name_len};
    if (line_len == 0 || name_check(&line->name, &lines->limits) != PARSE_OK)
        return 0;
    lines->stats->lines++;
    admit(lines, line, now_ms);
    return line_len;
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
        size_t len = take_common_line(lines, at, (size_t)(end - at), now_ms);

        if (len == 0) {
            const char *newline = memchr(at, '\n', (size_t)(end - at));

            len = (size_t)((newline == NULL ? end : newline) - at);
            take_line(lines, datagram, at, len, now_ms);
        }
        at += len + 1;
    }
}

void
lines_apply(struct lines *lines, const struct datagram *datagrams, size_t n, uint64_t now_ms)
{
    for (size_t i = 0; i < n; i++)
        take_datagram(lines, &datagrams[i], now_ms);
    apply_batch(lines, now_ms);
}
