/*
 * check_point: records to bytes and back; whatever bytes arrive make a valid record or none.
 */
#include "metric/point.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct record
record_of(uint8_t source, const char *name)
{
    return (struct record){.source = source, .name = name, .name_len = (uint16_t)strlen(name)};
}

/* A timer's record with every statistic there is. */
static struct record
full_record(void)
{
    static const double values[] = {0, -0.0, 1.5, -DBL_MAX, DBL_MIN, 0x1p-1074, 1e300};
    struct record record = record_of(METRIC_TIMER, "web.requests-1");

    record.set_ms = UINT64_C(0x0123456789abcdef);
    for (unsigned i = 0; i < STATISTIC_KINDS; i++)
        record_add(&record, (enum statistic)i, i * 40, values[i]);
    return record;
}

static bool
is_same(const struct record *a, const struct record *b)
{
    if (a->source != b->source || a->n_points != b->n_points || a->name_len != b->name_len ||
        memcmp(a->name, b->name, a->name_len) != 0 ||
        (a->source == METRIC_GAUGE && a->set_ms != b->set_ms))
        return false;
    for (size_t i = 0; i < a->n_points; i++) {
        const struct point *p = &a->points[i], *q = &b->points[i];

        if (p->statistic != q->statistic || p->index != q->index ||
            memcmp(&p->value, &q->value, sizeof(double)) != 0)
            return false;
    }
    return true;
}

/* The bytes on a heap block of just their size; the caller frees it. */
static uint8_t *
encoded(const struct record *record, size_t *out_len)
{
    uint8_t storage[RECORD_ENCODED_MAX], *block;
    struct buf buf;

    buf_init_fixed(&buf, storage, sizeof(storage));
    ck_assert_int_eq(record_encode(record, &buf), 0);
    block = malloc(buf.len);
    ck_assert_ptr_nonnull(block);
    memcpy(block, storage, buf.len);
    *out_len = buf.len;
    return block;
}

/* Decodes and says whether there was a record; aborts where it is not a valid one. */
static bool
decodes(const uint8_t *bytes, size_t len, struct record *out)
{
    const uint8_t *at = bytes;
    bool is_kept;

    if (record_decode(&at, bytes + len, out) != 0) {
        if (at != bytes)
            ck_abort_msg("the cursor moved over no record");
        return false;
    }
    is_kept = out->source <= RECORD_SELF && out->n_points > 0 &&
              out->n_points <= RECORD_POINTS_MAX && out->name_len > 0 &&
              out->name_len <= RECORD_NAME_MAX && at > bytes && at <= bytes + len &&
              out->name + out->name_len == (const char *)at;
    for (size_t i = 0; is_kept && i < out->n_points; i++)
        is_kept = out->points[i].statistic < STATISTIC_KINDS && isfinite(out->points[i].value);
    if (!is_kept)
        ck_abort_msg("an invalid record of source %u, %u points", out->source, out->n_points);
    return true;
}

START_TEST(test_round_trip)
{
    for (uint8_t source = 0; source <= RECORD_SELF; source++) {
        struct record record = full_record(), back;
        size_t len;
        uint8_t *bytes;

        record.source = source;
        bytes = encoded(&record, &len);
        ck_assert_uint_eq(len, RECORD_HEADER_LEN + (source == METRIC_GAUGE ? RECORD_SET_LEN : 0) +
                                   STATISTIC_KINDS * RECORD_POINT_LEN + 14);
        ck_assert(decodes(bytes, len, &back));
        ck_assert(is_same(&record, &back));
        free(bytes);
    }
}
END_TEST

START_TEST(test_largest)
{
    char name[RECORD_NAME_MAX + 1];
    struct record record, back;
    size_t len;
    uint8_t *bytes;

    memset(name, 'n', RECORD_NAME_MAX);
    name[RECORD_NAME_MAX] = '\0';
    record = record_of(METRIC_GAUGE, name);
    for (unsigned i = 0; i < RECORD_POINTS_MAX; i++)
        record_add(&record, STATISTIC_UPPER_PCT, i, i);
    bytes = encoded(&record, &len);
    ck_assert_uint_eq(len, RECORD_ENCODED_MAX);
    ck_assert(decodes(bytes, len, &back));
    ck_assert(is_same(&record, &back));
    free(bytes);
}
END_TEST

START_TEST(test_full_buffer_is_left_alone)
{
    struct record record = full_record();
    uint8_t storage[200];
    struct buf buf;
    size_t len;

    free(encoded(&record, &len));
    for (size_t used = 0; used <= sizeof(storage); used++) {
        bool fits = len <= sizeof(storage) - used;

        memset(storage, '#', sizeof(storage));
        buf_init_fixed(&buf, storage, sizeof(storage));
        buf.len = used;
        ck_assert_int_eq(record_encode(&record, &buf), fits ? 0 : -1);
        ck_assert_uint_eq(buf.len, fits ? used + len : used);
        for (size_t i = buf.len; i < sizeof(storage); i++)
            ck_assert_msg(storage[i] == '#', "byte %zu was written", i);
    }
}
END_TEST

START_TEST(test_one_after_the_other)
{
    uint8_t storage[256];
    struct record records[3] = {record_of(METRIC_COUNTER, "a"), full_record(),
                                record_of(RECORD_SELF, "numStats")};
    const uint8_t *at = storage;
    struct record back;
    struct buf buf;

    record_add(&records[0], STATISTIC_RATE, 0, 0.1);
    record_add(&records[2], STATISTIC_VALUE, 0, 2);
    buf_init_fixed(&buf, storage, sizeof(storage));
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(record_encode(&records[i], &buf), 0);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(record_decode(&at, storage + buf.len, &back), 0);
        ck_assert(is_same(&records[i], &back));
    }
    ck_assert_ptr_eq(at, storage + buf.len);
    ck_assert_int_eq(record_decode(&at, storage + buf.len, &back), -1);
    ck_assert_ptr_eq(at, storage + buf.len);
}
END_TEST

START_TEST(test_every_truncation)
{
    struct record record = full_record(), back;
    size_t len;
    uint8_t *bytes = encoded(&record, &len);

    for (size_t n = 0; n < len; n++) {
        uint8_t *block = malloc(n > 0 ? n : 1);

        ck_assert_ptr_nonnull(block);
        memcpy(block, bytes, n);
        ck_assert_msg(!decodes(n > 0 ? block : block + 1, n, &back), "%zu bytes decode", n);
        free(block);
    }
    free(bytes);
}
END_TEST

START_TEST(test_every_byte_changed)
{
    struct record record = full_record(), back;
    size_t len, n_decoded = 0;
    uint8_t *bytes = encoded(&record, &len);

    for (size_t at = 0; at < len; at++) {
        uint8_t kept = bytes[at];

        for (unsigned byte = 0; byte < 256; byte++) {
            bytes[at] = (uint8_t)byte;
            n_decoded += decodes(bytes, len, &back);
        }
        bytes[at] = kept;
    }
    ck_assert_uint_gt(n_decoded, 14 * 256); /* whatever the name says */
    free(bytes);
}
END_TEST

/* One point and the name "name", with one header or value that is not right. */
static const struct {
    uint8_t source, n_points;
    uint16_t name_len;
    uint8_t statistic;
    double value;
    bool is_valid;
} rows[] = {
    {METRIC_COUNTER, 1, 4, STATISTIC_RATE, 1, true},
    {RECORD_SELF, 1, 4, STATISTIC_VALUE, -DBL_MAX, true},
    {METRIC_COUNTER, 1, 3, STATISTIC_UPPER_PCT, 1, true},
    {RECORD_SELF + 1, 1, 4, STATISTIC_RATE, 1, false},
    {255, 1, 4, STATISTIC_RATE, 1, false},
    {METRIC_COUNTER, 0, 4, STATISTIC_RATE, 1, false},
    {METRIC_COUNTER, 2, 4, STATISTIC_RATE, 1, false},
    {METRIC_COUNTER, RECORD_POINTS_MAX + 1, 4, STATISTIC_RATE, 1, false},
    {METRIC_COUNTER, 1, 0, STATISTIC_RATE, 1, false},
    {METRIC_COUNTER, 1, 5, STATISTIC_RATE, 1, false},
    {METRIC_COUNTER, 1, RECORD_NAME_MAX + 1, STATISTIC_RATE, 1, false},
    {METRIC_COUNTER, 1, 65535, STATISTIC_RATE, 1, false},
    {METRIC_COUNTER, 1, 4, STATISTIC_KINDS, 1, false},
    {METRIC_COUNTER, 1, 4, 255, 1, false},
    {METRIC_COUNTER, 1, 4, STATISTIC_RATE, INFINITY, false},
    {METRIC_COUNTER, 1, 4, STATISTIC_RATE, -INFINITY, false},
    {METRIC_COUNTER, 1, 4, STATISTIC_RATE, NAN, false},
};

START_TEST(test_invalid)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[RECORD_HEADER_LEN + RECORD_POINT_LEN + 4];
        uint8_t *point = bytes + RECORD_HEADER_LEN;
        struct record back;

        bytes[0] = rows[i].source;
        bytes[1] = rows[i].n_points;
        memcpy(bytes + 2, &rows[i].name_len, sizeof(rows[i].name_len));
        point[0] = rows[i].statistic;
        point[1] = 0;
        memcpy(point + 2, &rows[i].value, sizeof(double));
        memcpy(point + RECORD_POINT_LEN, "name", 4);
        ck_assert_msg(decodes(bytes, sizeof(bytes), &back) == rows[i].is_valid, "row %zu", i);
    }
}
END_TEST

/* Even where there are as many bytes as the header says. */
START_TEST(test_name_beyond_its_limit)
{
    static uint8_t bytes[RECORD_ENCODED_MAX + 100];
    uint16_t name_len = RECORD_NAME_MAX + 1;
    struct record back;

    bytes[1] = 1;
    memcpy(bytes + 2, &name_len, sizeof(name_len));
    ck_assert(!decodes(bytes, sizeof(bytes), &back));
    bytes[1] = RECORD_POINTS_MAX + 1;
    name_len = 1;
    memcpy(bytes + 2, &name_len, sizeof(name_len));
    ck_assert(!decodes(bytes, sizeof(bytes), &back));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("point");
    TCase *tcase = tcase_create("point");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_round_trip);
    tcase_add_test(tcase, test_largest);
    tcase_add_test(tcase, test_full_buffer_is_left_alone);
    tcase_add_test(tcase, test_one_after_the_other);
    tcase_add_test(tcase, test_every_truncation);
    tcase_add_test(tcase, test_every_byte_changed);
    tcase_add_test(tcase, test_invalid);
    tcase_add_test(tcase, test_name_beyond_its_limit);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
