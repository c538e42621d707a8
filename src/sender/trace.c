/*
 * trace: see trace.h. Own statistics are not shown, as they are not counted.
 */
#include "sender/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

/* A part of the shortest interval: the next flush, and carbon, wait meanwhile. */
#define PATIENCE_MS 250
/* What a pipe or a terminal that has room takes at once. */
#define PIECE_BYTES 512

static void
print_number(FILE *stream, const char *name, double value)
{
    char text[NUM_TEXT_MAX];
    size_t len = num_format(value, text);

    fprintf(stream, "%s=%.*s", name, (int)len, text);
}

/* "90pct": the percentile as it was configured. */
static void
print_percentile(FILE *stream, const struct dialect *dialect, const struct point *point)
{
    char text[NUM_TEXT_MAX + 4];
    size_t len;

    if (point->index >= dialect->n_percentiles)
        return;
    len = num_format(dialect->percentile[point->index], text);
    snprintf(text + len, 4, "pct");
    fputs(", ", stream);
    print_number(stream, text, point->value);
}

static void
print_timer(FILE *stream, const struct record *record, const struct dialect *dialect)
{
    static const char *const names[STATISTIC_KINDS] = {
        [STATISTIC_LOWER] = "lower",
        [STATISTIC_MEAN] = "mean",
        [STATISTIC_UPPER] = "upper",
    };
    double count = 0;
    const char *comma = "";

    fprintf(stream, "Sending %.*s ====> ", record->name_len, record->name);
    for (size_t i = 0; i < record->n_points; i++) {
        const struct point *point = &record->points[i];

        if (point->statistic == STATISTIC_COUNT)
            count = point->value;
        if (point->statistic == STATISTIC_UPPER_PCT)
            print_percentile(stream, dialect, point);
        if (names[point->statistic] == NULL)
            continue;
        fputs(comma, stream);
        print_number(stream, names[point->statistic], point->value);
        comma = ", ";
    }
    print_number(stream, ", count", count);
    fputc('\n', stream);
}

static void
print_record(FILE *stream, const struct record *record, const struct dialect *dialect)
{
    if (record->source == METRIC_TIMER) {
        print_timer(stream, record, dialect);
        return;
    }
    fprintf(stream, "Sending %.*s => ", record->name_len, record->name);
    print_number(stream, record->source == METRIC_GAUGE ? "value" : "count",
                 record->points[0].value);
    fputc('\n', stream);
}

static void
print_batch(FILE *stream, const struct batch *batch, const struct dialect *dialect)
{
    const uint8_t *at = batch->records.data, *end = at + batch->records.len;
    struct record record;
    uint64_t n = 0;

    while (at < end && record_decode(&at, end, &record) == 0) {
        if (record.source == RECORD_SELF)
            continue;
        print_record(stream, &record, dialect);
        n++;
    }
    fprintf(stream,
            "\n================== Flush completed. Waiting until next flush. Sent out %" PRIu64
            " metrics =======\n",
            n);
}

static int
write_piece(int fd, const char *text, size_t len, uint64_t deadline_ms)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    uint64_t now_ms = clock_mono_ms();
    ssize_t n;

    if (now_ms >= deadline_ms || poll(&room, 1, clock_poll_timeout(now_ms, deadline_ms)) != 1)
        return -ETIMEDOUT;
    n = write(fd, text, len < PIECE_BYTES ? len : PIECE_BYTES);
    return n > 0 ? (int)n : -errno;
}

int
trace_batch(int fd, const struct batch *batch, const struct dialect *dialect)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    char *text = NULL;
    size_t len = 0, at = 0;
    FILE *stream = open_memstream(&text, &len);
    int n = 0;

    if (stream == NULL)
        return -errno;
    print_batch(stream, batch, dialect);
    fclose(stream);
    for (; at < len && n >= 0; at += n > 0 ? (size_t)n : 0)
        n = write_piece(fd, text + at, len - at, deadline_ms);
    free(text);
    return n < 0 ? n : 0;
}
