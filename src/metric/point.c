/*
 * point: records and their bytes. What is decoded came from another process and is not trusted.
 */
#include "metric/point.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void
record_add(struct record *record, enum statistic statistic, unsigned index, double value)
{
    assert(record->n_points < RECORD_POINTS_MAX && index <= UINT8_MAX);
    record->points[record->n_points++] = (struct point){
        .statistic = (uint8_t)statistic,
        .index = (uint8_t)index,
        .value = value,
    };
}

static size_t
set_len(const struct record *record)
{
    return record->source == METRIC_GAUGE ? RECORD_SET_LEN : 0;
}

static size_t
encoded_len(const struct record *record)
{
    return RECORD_HEADER_LEN + set_len(record) + (size_t)record->n_points * RECORD_POINT_LEN +
           record->name_len;
}

int
record_encode(const struct record *record, struct buf *buf)
{
    size_t len = encoded_len(record);
    uint8_t *to = buf_reserve(buf, len);

    if (to == NULL)
        return -1;
    to[0] = record->source;
    to[1] = record->n_points;
    memcpy(to + 2, &record->name_len, sizeof(record->name_len));
    to += RECORD_HEADER_LEN;
    memcpy(to, &record->set_ms, set_len(record));
    to += set_len(record);
    for (size_t i = 0; i < record->n_points; i++, to += RECORD_POINT_LEN) {
        to[0] = record->points[i].statistic;
        to[1] = record->points[i].index;
        memcpy(to + 2, &record->points[i].value, sizeof(double));
    }
    memcpy(to, record->name, record->name_len);
    buf->len += len;
    return 0;
}

static int
decode_point(const uint8_t *from, struct point *out)
{
    out->statistic = from[0];
    out->index = from[1];
    memcpy(&out->value, from + 2, sizeof(double));
    return out->statistic < STATISTIC_KINDS && isfinite(out->value) ? 0 : -1;
}

int
record_decode(const uint8_t **cursor, const uint8_t *end, struct record *out)
{
    const uint8_t *from = *cursor;

    if (end - from < RECORD_HEADER_LEN)
        return -1;
    out->source = from[0];
    out->n_points = from[1];
    memcpy(&out->name_len, from + 2, sizeof(out->name_len));
    if (out->source > RECORD_SELF || out->n_points == 0 || out->n_points > RECORD_POINTS_MAX ||
        out->name_len == 0 || out->name_len > RECORD_NAME_MAX ||
        (size_t)(end - from) < encoded_len(out))
        return -1;
    from += RECORD_HEADER_LEN;
    out->set_ms = 0;
    memcpy(&out->set_ms, from, set_len(out));
    from += set_len(out);
    for (size_t i = 0; i < out->n_points; i++, from += RECORD_POINT_LEN) {
        if (decode_point(from, &out->points[i]) != 0)
            return -1;
    }
    out->name = (const char *)from;
    *cursor = from + out->name_len;
    return 0;
}
