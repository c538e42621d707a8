/*
 * sample: what one line says.
 */
#ifndef METRIC_SAMPLE_H
#define METRIC_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_TIMER,
    METRIC_SET,
    METRIC_TYPE_COUNT,
};

/* "counter", "gauge", …: as own statistics name a type. */
const char *metric_type_name(enum metric_type type);

/* Spans are borrowed from the line and as raw as they came. */
struct sample {
    enum metric_type type;
    const char *name;
    size_t name_len;
    double value;       /* of counter, gauge, timer */
    double rate;        /* in (0, 1]; 1 where the line names none */
    const char *member; /* of a set */
    size_t member_len;
};

#endif
