/*
 * point: what a flush makes of a metric, and its form between the processes.
 *
 * A record is one name with all the statistics that a flush has of it. Encoded, without padding, in
 * the machine's byte order:
 *
 *   u8 source · u8 n_points · u16 name_len · of a gauge: u64 set_ms ·
 *   n_points × { u8 statistic · u8 index · f64 value } · name
 */
#ifndef METRIC_POINT_H
#define METRIC_POINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "metric/sample.h"

enum statistic {
    STATISTIC_VALUE, /* a gauge, or an own statistic */
    STATISTIC_RATE,  /* of a counter, per second, or its plain sum where rates are off */
    STATISTIC_LOWER,
    STATISTIC_COUNT,
    STATISTIC_MEAN,
    STATISTIC_UPPER,
    STATISTIC_UPPER_PCT, /* index: which of the configured percentiles */
    STATISTIC_KINDS,
};

/* The source of a record: a metric_type, or this for the daemon's own statistics. */
#define RECORD_SELF METRIC_TYPE_COUNT

struct point {
    uint8_t statistic;
    uint8_t index;
    double value;
};

#define RECORD_POINTS_MAX 32
#define RECORD_HEADER_LEN 4
#define RECORD_SET_LEN    8
#define RECORD_POINT_LEN  10
/* With the longest name a record still fits in one frame of the pipe. */
#define RECORD_NAME_MAX 1024
#define RECORD_ENCODED_MAX \
    (RECORD_HEADER_LEN + RECORD_SET_LEN + RECORD_POINTS_MAX * RECORD_POINT_LEN + RECORD_NAME_MAX)

struct record {
    uint8_t source;
    uint8_t n_points;
    uint16_t name_len;
    const char *name; /* borrowed */
    uint64_t set_ms;  /* of a gauge: the wall clock when its value was set */
    struct point points[RECORD_POINTS_MAX];
};

/* Adds a point. The record must have room. */
void record_add(struct record *record, enum statistic statistic, unsigned index, double value);

/* Appends the encoded record, or nothing and returns -1 where buf is full. */
int record_encode(const struct record *record, struct buf *buf);

/* Reads one record of the len bytes at *cursor and moves *cursor behind it. The name is borrowed
 * from there. Returns 0, or -1 where the bytes are no record (they are not trusted). */
int record_decode(const uint8_t **cursor, const uint8_t *end, struct record *out);

#endif
