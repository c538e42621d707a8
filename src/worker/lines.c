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

void
lines_init(struct lines *lines, struct table *table, struct selfstat *stats,
           const struct name_limits *limits)
{
    lines->table = table;
    lines->stats = stats;
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
apply_batch(struct lines *lines, uint64_t now_ms)
{
    for (size_t i = 0; i < lines->n; i++) {
        struct line *line = &lines->batch[i];
        enum table_verdict verdict = table_apply(lines->table, &line->sample, line->name,
                                                 line->name_len, line->hash, now_ms);

        if (verdict == TABLE_APPLIED)
            lines->stats->applied++;
        else
            lines->stats->refused[verdict]++;
    }
    lines->n = 0;
}

static enum parse_error
prepare(const struct lines *lines, const char *text, size_t len, struct line *line)
{
    enum parse_error error = parse_line(text, len, &line->sample);
    size_t name_len;

    if (error != PARSE_OK)
        return error;
    error =
        name_clean(line->sample.name, line->sample.name_len, &lines->limits, line->name, &name_len);
    if (error != PARSE_OK)
        return error;
    line->name_len = (uint16_t)name_len;
    line->hash = table_hash(lines->table, line->sample.type, line->name, name_len);
    return PARSE_OK;
}

/* Empty lines, and what a CRLF leaves of one, are neither lines nor errors. */
static void
take_line(struct lines *lines, const struct datagram *datagram, const char *text, size_t len,
          uint64_t now_ms)
{
    enum parse_error error;

    if (len == 0 || (len == 1 && text[0] == '\r'))
        return;
    lines->stats->lines++;
    error = prepare(lines, text, len, &lines->batch[lines->n]);
    if (error != PARSE_OK) {
        lines->stats->bad[error]++;
        show_bad(lines, datagram, text, len, error, now_ms);
        return;
    }
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
    if (datagram->truncated)
        lines->stats->truncated++;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        if (newline == NULL && datagram->truncated)
            return;
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
