/*
 * parse: the grammar of a line. Knows nothing of names beyond where they end.
 */
#include "metric/parse.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/num.h"

static const char *const error_names[PARSE_ERROR_COUNT] = {
    [PARSE_OK] = "ok",
    [PARSE_NO_VALUE] = "no_value",
    [PARSE_NO_NAME] = "no_name",
    [PARSE_NO_TYPE] = "no_type",
    [PARSE_BAD_TYPE] = "bad_type",
    [PARSE_BAD_VALUE] = "bad_value",
    [PARSE_BAD_RATE] = "bad_rate",
    [PARSE_BAD_FIELD] = "bad_field",
    [PARSE_TOO_LONG] = "too_long",
};

/* Bytes from start up to, not including, end. */
struct span {
    const char *start, *end;
};

const char *
parse_error_name(enum parse_error error)
{
    assert(error < PARSE_ERROR_COUNT);
    return error_names[error];
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void
trim(struct span *span)
{
    while (span->start < span->end && is_blank(*span->start))
        span->start++;
    while (span->start < span->end && is_blank(span->end[-1]))
        span->end--;
}

static size_t
span_len(const struct span *span)
{
    return (size_t)(span->end - span->start);
}

/* Cuts off what stands before the first separator; all of it where there is none. */
static struct span
cut(struct span *rest, char separator)
{
    struct span head = *rest;
    const char *found = memchr(rest->start, separator, span_len(rest));

    if (found != NULL) {
        head.end = found;
        rest->start = found + 1;
    } else {
        rest->start = rest->end;
    }
    return head;
}

static int
read_type(const struct span *text, enum metric_type *out)
{
    size_t len = span_len(text);

    if (len == 2 && text->start[0] == 'm' && text->start[1] == 's') {
        *out = METRIC_TIMER;
        return 0;
    }
    if (len != 1)
        return -1;
    switch (text->start[0]) {
    case 'c': *out = METRIC_COUNTER; return 0;
    case 'g': *out = METRIC_GAUGE; return 0;
    case 's': *out = METRIC_SET; return 0;
    default: return -1;
    }
}

static enum parse_error
read_value(struct span text, struct sample *sample)
{
    if (sample->type == METRIC_SET) {
        sample->member = text.start;
        sample->member_len = span_len(&text);
        return PARSE_OK;
    }
    trim(&text);
    return num_parse(text.start, span_len(&text), &sample->value) == 0 ? PARSE_OK : PARSE_BAD_VALUE;
}

/* What stands behind the type. One field is a rate, or an error in a counter; more than one is
 * what py-statsd never looked at. */
static enum parse_error
read_fields(struct span fields, struct sample *sample)
{
    double rate;

    if (memchr(fields.start, '|', span_len(&fields)) != NULL)
        return PARSE_OK;
    if (fields.start == fields.end || *fields.start != '@')
        return sample->type == METRIC_COUNTER ? PARSE_BAD_FIELD : PARSE_OK;
    if (num_parse(fields.start + 1, span_len(&fields) - 1, &rate) != 0 || !(rate > 0 && rate <= 1))
        return PARSE_BAD_RATE;
    sample->rate = rate;
    return PARSE_OK;
}

enum parse_error
parse_line(const char *line, size_t len, struct sample *out)
{
    struct span rest = {line, line + len};
    struct span name, value, type;
    struct sample sample = {.rate = 1};
    enum parse_error error;
    bool has_fields;

    while (rest.start < rest.end && is_blank(rest.end[-1]))
        rest.end--;
    name = cut(&rest, ':');
    if (rest.start == rest.end)
        return PARSE_NO_VALUE;
    if (name.start == name.end)
        return PARSE_NO_NAME;
    value = cut(&rest, '|');
    if (value.start == value.end)
        return PARSE_NO_VALUE;
    if (rest.start == rest.end)
        return PARSE_NO_TYPE;
    has_fields = memchr(rest.start, '|', span_len(&rest)) != NULL;
    type = cut(&rest, '|');
    if (read_type(&type, &sample.type) != 0)
        return PARSE_BAD_TYPE;
    if ((error = read_value(value, &sample)) != PARSE_OK)
        return error;
    if (has_fields && (error = read_fields(rest, &sample)) != PARSE_OK)
        return error;
    sample.name = name.start;
    sample.name_len = span_len(&name);
    *out = sample;
    return PARSE_OK;
}

static const char *
scan_digits(const char *at, const char *end, uint64_t *digits)
{
    unsigned digit;

    for (; at < end && (digit = (unsigned)(uint8_t)*at - '0') <= 9; at++)
        *digits = *digits * 10 + digit;
    return at;
}

/* A number of at most 15 digits is a whole double over a power of ten that is one: one rounding. */
static const char *
scan_short_number(const char *at, const char *end, double *out)
{
    static const double powers[16] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    bool is_negative = at < end && *at == '-';
    const char *start = at + is_negative, *point;
    size_t n_digits, n_places = 0;
    uint64_t digits = 0;

    at = point = scan_digits(start, end, &digits);
    if (at < end && *at == '.') {
        at = scan_digits(point + 1, end, &digits);
        n_places = (size_t)(at - point) - 1;
    }
    n_digits = (size_t)(point - start) + n_places;
    if (n_digits == 0 || n_digits > 15)
        return NULL;
    *out = (double)digits / powers[n_places];
    if (is_negative)
        *out = -*out;
    return at;
}

static const char *
scan_common_type(const char *at, const char *end, enum metric_type *out)
{
    if (at == end)
        return NULL;
    switch (*at++) {
    case 'c': *out = METRIC_COUNTER; return at;
    case 'g': *out = METRIC_GAUGE; return at;
    case 'm': *out = METRIC_TIMER; return at < end && *at == 's' ? at + 1 : NULL;
    default: return NULL;
    }
}

bool
parse_common(const char *line, size_t len, struct sample *out)
{
    const char *at = memchr(line, ':', len), *end = line + len;
    enum metric_type type;
    size_t name_len;
    double value;

    if (at == NULL || at == line)
        return false;
    name_len = (size_t)(at - line);
    at = scan_short_number(at + 1, end, &value);
    if (at == NULL || at == end || *at != '|')
        return false;
    if (scan_common_type(at + 1, end, &type) != end)
        return false;
    *out = (struct sample){
        .type = type, .name = line, .name_len = name_len, .value = value, .rate = 1};
    return true;
}
