/*
 * check_batch: records in, sealed and unchanged; what is no record, and what has no room.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sender/batch.h"

#define ID     UINT64_C(0x5eed00000001)
#define END_MS UINT64_C(1700000012345)

static void
add_record(struct buf *payload, const char *name, unsigned n_points)
{
    struct record record = {.name = name, .name_len = (uint16_t)strlen(name)};

    for (unsigned i = 0; i < n_points; i++)
        record_add(&record, STATISTIC_RATE, 0, i);
    ck_assert_int_eq(record_encode(&record, payload), 0);
}

START_TEST(test_takes_payloads_as_they_are)
{
    struct batch *batch = batch_new(ID, END_MS, 10000);
    struct buf payload;

    buf_init(&payload, 1000);
    add_record(&payload, "a", 1);
    add_record(&payload, "b.c", 5);
    ck_assert_uint_eq(batch->id, ID);
    ck_assert_uint_eq(batch->timestamp_s, 1700000012);
    ck_assert_int_eq(batch_add(batch, payload.data, payload.len), 0);
    ck_assert_int_eq(batch_add(batch, payload.data, 0), 0);
    ck_assert_uint_eq(batch->n_lines, 6);
    ck_assert_int_eq(batch_add(batch, payload.data, payload.len), 0);
    ck_assert_uint_eq(batch->n_lines, 12);
    ck_assert_uint_eq(batch->n_dropped, 0);
    ck_assert_uint_eq(batch->records.len, 2 * payload.len);
    ck_assert_int_eq(memcmp(batch->records.data, payload.data, payload.len), 0);
    ck_assert_int_eq(memcmp(batch->records.data + payload.len, payload.data, payload.len), 0);
    buf_release(&payload);
    batch_free(batch);
    batch_free(NULL);
}
END_TEST

/* A good record, then one with a byte changed: the first stays, the rest is not taken. */
START_TEST(test_what_is_no_record)
{
    static const struct {
        size_t at; /* behind the first record */
        uint8_t byte;
    } rows[] = {
        {0, RECORD_SELF + 1},
        {0, 255},
        {1, 0},
        {1, RECORD_POINTS_MAX + 1},
        {1, 2},
        {2, 0},
        {2, 255},
        {3, 16},
        {4, STATISTIC_KINDS},
        {13, 0x7f},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct batch *batch = batch_new(ID, END_MS, 10000);
        struct buf payload;
        size_t first_len;

        buf_init(&payload, 1000);
        add_record(&payload, "good", 3);
        first_len = payload.len;
        add_record(&payload, "x", 1);
        payload.data[first_len + rows[i].at] = rows[i].byte;
        if (rows[i].byte == 0x7f) /* infinity's exponent takes two bytes */
            payload.data[first_len + 12] = 0xf0;
        ck_assert_msg(batch_add(batch, payload.data, payload.len) == -1, "row %zu", i);
        ck_assert_uint_eq(batch->n_lines, 3);
        ck_assert_uint_eq(batch->records.len, first_len);
        ck_assert_uint_eq(batch->n_dropped, 0);
        buf_release(&payload);
        batch_free(batch);
    }
}
END_TEST

START_TEST(test_cut_records)
{
    struct buf payload;

    buf_init(&payload, 1000);
    add_record(&payload, "name", 2);
    for (size_t len = 1; len < payload.len; len++) {
        struct batch *batch = batch_new(ID, END_MS, 10000);
        uint8_t *exact = malloc(len); /* so that a sanitizer sees a read behind it */

        memcpy(exact, payload.data, len);
        ck_assert_int_eq(batch_add(batch, exact, len), -1);
        ck_assert_uint_eq(batch->n_lines, 0);
        free(exact);
        batch_free(batch);
    }
    buf_release(&payload);
}
END_TEST

/* Each record takes 4 + 10 + 1 bytes, the last 105. What does not fit is counted by its points. Of
 * so little room, half is for own statistics. */
START_TEST(test_limit)
{
    static const struct {
        size_t limit;
        uint64_t n_lines, n_dropped;
    } rows[] = {{0, 0, 13},  {14, 0, 13},  {15, 1, 12}, {30, 2, 11},
                {45, 3, 10}, {149, 3, 10}, {150, 13, 0}};
    struct buf payload;

    buf_init(&payload, 1000);
    add_record(&payload, "a", 1);
    add_record(&payload, "b", 1);
    add_record(&payload, "c", 1);
    add_record(&payload, "d", 10);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct batch *batch = batch_new(ID, END_MS, 2 * rows[i].limit);

        ck_assert_int_eq(batch_add(batch, payload.data, payload.len), 0);
        ck_assert_msg(batch->n_lines == rows[i].n_lines, "row %zu", i);
        ck_assert_msg(batch->n_dropped == rows[i].n_dropped, "row %zu", i);
        ck_assert_uint_le(batch->records.cap, 2 * rows[i].limit);
        batch_free(batch);
    }
    buf_release(&payload);
}
END_TEST

/* However many metrics there are, both processes' own statistics fit behind them. */
START_TEST(test_own_statistics_have_room)
{
    struct batch *batch = batch_new(ID, END_MS, 3 * BATCH_OWN_ROOM);
    struct record record = {.source = RECORD_SELF, .name = "numStats", .name_len = 8};
    struct buf payload;

    record_add(&record, STATISTIC_VALUE, 0, 1);
    buf_init(&payload, 1000);
    add_record(&payload, "a", 1);
    while (batch->n_dropped == 0)
        ck_assert_int_eq(batch_add(batch, payload.data, payload.len), 0);
    ck_assert_uint_le(batch->records.len, 2 * BATCH_OWN_ROOM);
    payload.len = 0;
    ck_assert_int_eq(record_encode(&record, &payload), 0);
    for (size_t i = 0; i < BATCH_OWN_ROOM / payload.len; i++) {
        ck_assert_int_eq(batch_add(batch, payload.data, payload.len), 0);
        ck_assert_uint_eq(batch->n_dropped, 1);
    }
    buf_release(&payload);
    batch_free(batch);
}
END_TEST

START_TEST(test_own_statistics)
{
    struct batch *batch = batch_new(ID, END_MS, 2 * (4 + 10 + 5));
    const uint8_t *at;
    struct record record;

    batch_add_own(batch, "first", 1.5);
    batch_add_own(batch, "other", 2);
    batch_add_own(batch, "third", 3);
    ck_assert_uint_eq(batch->n_lines, 2);
    ck_assert_uint_eq(batch->n_dropped, 1);
    at = batch->records.data;
    ck_assert_int_eq(record_decode(&at, at + batch->records.len, &record), 0);
    ck_assert_uint_eq(record.source, RECORD_SELF);
    ck_assert_uint_eq(record.n_points, 1);
    ck_assert_uint_eq(record.points[0].statistic, STATISTIC_VALUE);
    ck_assert_double_eq(record.points[0].value, 1.5);
    ck_assert_uint_eq(record.name_len, 5);
    ck_assert_int_eq(memcmp(record.name, "first", 5), 0);
    batch_free(batch);
}
END_TEST

START_TEST(test_seal)
{
    struct batch *batch = batch_new(ID, END_MS, 100000);

    batch_add_own(batch, "first", 1);
    batch_add_own(batch, "other", 2);
    batch_seal(batch);
    ck_assert(batch_is_intact(batch));
    for (size_t i = 0; i < batch->records.len; i++) {
        batch->records.data[i] ^= 0x10;
        ck_assert(!batch_is_intact(batch));
        batch->records.data[i] ^= 0x10;
    }
    ck_assert(batch_is_intact(batch));
    batch_free(batch);
}
END_TEST

START_TEST(test_seal_of_nothing)
{
    struct batch *batch = batch_new(ID, END_MS, 100000);

    batch_seal(batch);
    ck_assert(batch_is_intact(batch));
    batch_free(batch);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("batch");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_takes_payloads_as_they_are);
    tcase_add_test(tcase, test_what_is_no_record);
    tcase_add_test(tcase, test_cut_records);
    tcase_add_test(tcase, test_limit);
    tcase_add_test(tcase, test_own_statistics_have_room);
    tcase_add_test(tcase, test_own_statistics);
    tcase_add_test(tcase, test_seal);
    tcase_add_test(tcase, test_seal_of_nothing);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
