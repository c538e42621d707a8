/*
 * lines: see lines.h. A bad line costs itself only; what it said is logged at debug level, escaped,
 * with its sender.
 */
#include "worker/lines.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <syslog.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/log_event.h"

#define SHOWN_MAX 120
/* How far ahead of their use a metric, and then a timer's place for the sample, are loaded. At
 * 100,000 names the second saves a fifth of the time. */
#define METRIC_AHEAD  16
#define SAMPLES_AHEAD 6

void
lines_init(struct lines *lines, struct store_region *region, const struct ingest *ingest,
           struct culprit *culprit, const struct name_limits *limits)
{
    lines->region = region;
    lines->ingest = ingest;
    lines->culprit = culprit;
    lines->limits = *limits;
    lines->logged = (struct limit){0};
    lines->onlook = (struct onlook){0};
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

    if (!limit_allow(&lines->logged, LINES_LOGGED_PER_S, 1000, now_ms, &suppressed))
        return;
    if (suppressed > 0)
        log_debug("%" PRIu64 " more bad lines were not shown", suppressed);
    buf_init_fixed(&shown, text, sizeof(text));
    buf_append_escaped(&shown, line, len, SHOWN_MAX);
    net_format(datagram->from, from);
    log_event(&(struct log_event){.level = LOG_DEBUG,
                                  .reason = parse_error_name(error),
                                  .peer = from,
                                  .is_escaped = true},
              "bad line from %s: %s: \"%.*s\"", from, parse_error_name(error), (int)shown.len,
              text);
}

static unsigned
refuse(struct lines *lines, const struct line *line, enum parse_error error, uint64_t now_ms)
{
    show_bad(lines, &lines->ingest->datagrams[line->datagram], line->sample.name, line->len, error,
             now_ms);
    return HAND_BAD | error;
}

/* Under a name that the table does not have as it came: it may when it is clean. */
static unsigned
apply_new(struct lines *lines, const struct line *line, uint64_t now_ms)
{
    struct table *table = &lines->region->table;
    char scratch[NAME_LEN_MAX];
    struct name name;
    uint32_t hash = line->hash, n_before = table->n_metrics;
    enum table_verdict verdict;
    enum parse_error error =
        name_clean(line->sample.name, line->sample.name_len, &lines->limits, scratch, &name);

    if (error != PARSE_OK)
        return refuse(lines, line, error, now_ms);
    if (name.text == scratch)
        hash = table_hash(table, line->sample.type, &name);
    verdict = table_apply(table, &line->sample, &name, hash, now_ms);
    if (verdict == TABLE_METRICS || verdict == TABLE_MEMORY)
        culprit_add(lines->culprit, &name);
    if (table->n_metrics != n_before && lines->onlook.busy != NULL)
        busy_meet(lines->onlook.busy, line->sample.type, &name, now_ms);
    return verdict;
}

static unsigned
apply(struct lines *lines, const struct line *line, uint64_t now_ms)
{
    struct name name = {.text = line->sample.name, .len = line->sample.name_len};
    enum table_verdict verdict;

    if (line->error != PARSE_OK)
        return refuse(lines, line, line->error, now_ms);
    verdict = table_apply_known(&lines->region->table, &line->sample, &name, line->hash, now_ms);
    return verdict == TABLE_UNKNOWN ? apply_new(lines, line, now_ms) : verdict;
}

/* The second pass. */
static void
apply_batch(struct lines *lines, uint64_t now_ms)
{
    struct table *table = &lines->region->table;
    struct hand *hand = &lines->region->hand;

    for (size_t i = 0; i < lines->n; i++) {
        const struct line *line = &lines->batch[i];

        if (i + METRIC_AHEAD < lines->n)
            table_prefetch(table, lines->batch[i + METRIC_AHEAD].hash);
        if (i + SAMPLES_AHEAD < lines->n)
            table_prefetch_samples(table, lines->batch[i + SAMPLES_AHEAD].hash,
                                   lines->batch[i + SAMPLES_AHEAD].sample.type);
        hand->busy = line->datagram;
        fault_point("worker_apply");
        hand->verdicts[i] = (uint8_t)apply(lines, line, now_ms);
        fault_point("worker_applied");
        undo_commit_to(&lines->region->undo, (uint32_t)i + 1);
    }
}

/* What has become of the batch counts, and the next one begins. */
static void
count_batch(struct lines *lines)
{
    struct store_region *region = lines->region;
    struct selfstat *stats = &region->stats;
    struct hand *hand = &region->hand;

    undo_note(&region->undo, stats, sizeof(*stats));
    undo_note(&region->undo, &region->stats_check, sizeof(region->stats_check));
    undo_note(&region->undo, &hand->at, sizeof(hand->at) + sizeof(hand->offset));
    for (size_t i = 0; i < lines->n; i++) {
        unsigned verdict = hand->verdicts[i];

        if ((verdict & HAND_BAD) != 0)
            stats->bad[verdict & ~HAND_BAD]++;
        else
            stats->verdicts[verdict]++;
    }
    stats->lines += lines->n;
    stats->packets += lines->n_packets;
    stats->bytes += lines->n_bytes;
    stats->truncated += lines->n_truncated;
    region->stats_check = selfstat_check(stats);
    hand->at = lines->next_at;
    hand->offset = lines->next_offset;
    fault_point("worker_count");
    undo_commit_to(&region->undo, 0);
}

static void
parse(struct lines *lines, uint32_t datagram, const char *text, size_t len)
{
    struct line *line = &lines->batch[lines->n++];
    struct name name;

    fault_poison(text, len);
    line->datagram = (uint8_t)datagram;
    line->len = (uint32_t)len;
    line->error = PARSE_OK;
    line->hash = 0;
    line->sample.name = text;
    if (!parse_common(text, len, &line->sample))
        line->error = (uint8_t)parse_line(text, len, &line->sample);
    if (line->error != PARSE_OK) {
        line->sample.name = text;
        line->sample.type = METRIC_COUNTER;
        return;
    }
    name = (struct name){.text = text, .len = line->sample.name_len};
    line->hash = table_hash(&lines->region->table, line->sample.type, &name);
}

/* Where a datagram's lines end. The last line of one that was cut is nobody's line. */
static size_t
end_of(const struct datagram *datagram, bool skipped)
{
    const char *last;

    if (skipped)
        return 0;
    if (!datagram->truncated)
        return datagram->len;
    last = memrchr(datagram->bytes, '\n', datagram->len);
    return last == NULL ? 0 : (size_t)(last - datagram->bytes);
}

/* The lines of one datagram from offset on, as long as there are fewer than max. Returns the offset
 * behind the last, 0 at the datagram's end. Empty lines, and what a CRLF leaves of one, are neither
 * lines nor errors. */
static uint32_t
parse_datagram(struct lines *lines, uint32_t at, uint32_t offset, size_t max)
{
    const struct datagram *datagram = &lines->ingest->datagrams[at];
    bool skipped = (lines->region->hand.skipped >> at & 1) != 0;
    const char *text = datagram->bytes + offset;
    const char *end = datagram->bytes + end_of(datagram, skipped);

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((newline != NULL ? newline : end) - text);

        if (len > 1 || (len == 1 && text[0] != '\r'))
            parse(lines, at, text, len);
        text += len + 1;
        if (lines->n == max)
            return (uint32_t)(text - datagram->bytes);
    }
    return 0;
}

/* The first pass: the next lines, at most max, of n datagrams. */
static void
parse_batch(struct lines *lines, size_t n, size_t max)
{
    struct hand *hand = &lines->region->hand;
    uint32_t at = hand->at, offset = hand->offset;

    lines->n = 0;
    lines->n_packets = lines->n_bytes = lines->n_truncated = 0;
    for (; at < n && lines->n < max; at += offset == 0) {
        const struct datagram *datagram = &lines->ingest->datagrams[at];

        hand->busy = at;
        if (offset == 0) {
            lines->n_packets++;
            lines->n_bytes += datagram->len;
            lines->n_truncated += datagram->truncated;
        }
        offset = parse_datagram(lines, at, offset, max);
    }
    lines->next_at = at;
    lines->next_offset = offset;
}

void
lines_apply(struct lines *lines, size_t n, uint64_t now_ms)
{
    while (lines->region->hand.at < n) {
        parse_batch(lines, n, HAND_LINES);
        apply_batch(lines, now_ms);
        if (onlook_is_wanted(&lines->onlook))
            onlook_see(lines, now_ms);
        count_batch(lines);
    }
}

void
lines_settle(struct lines *lines, size_t n)
{
    uint32_t n_applied = undo_mark(&lines->region->undo);

    if (n_applied == 0)
        return;
    parse_batch(lines, n, n_applied);
    count_batch(lines);
}
