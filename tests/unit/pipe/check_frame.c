/*
 * check_frame: what is sealed is found whole; nothing else is.
 */
#include "pipe/frame.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static const struct frame_header header = {
    .len = 50,
    .flags = FRAME_LAST,
    .sequence = UINT64_C(0x123456789abcdef0),
    .flush_id = UINT64_C(1700000000000),
};

static size_t
seal(uint8_t packet[FRAME_MAX], uint16_t len)
{
    struct frame_header sized = header;

    sized.len = len;
    for (size_t i = 0; i < len; i++)
        packet[sizeof(sized) + i] = (uint8_t)(i * 7);
    return frame_seal(packet, &sized);
}

START_TEST(test_round_trip)
{
    static const uint16_t lens[] = {0, 1, 50, FRAME_PAYLOAD_MAX - 1, FRAME_PAYLOAD_MAX};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        uint8_t packet[FRAME_MAX];
        struct frame_header found;
        size_t len = seal(packet, lens[i]);

        ck_assert_uint_eq(len, sizeof(header) + lens[i]);
        ck_assert_int_eq(frame_check(packet, len, &found), FRAME_OK);
        ck_assert_uint_eq(found.len, lens[i]);
        ck_assert_uint_eq(found.flags, header.flags);
        ck_assert_uint_eq(found.sequence, header.sequence);
        ck_assert_uint_eq(found.flush_id, header.flush_id);
        for (size_t j = 0; j < lens[i]; j++)
            ck_assert_uint_eq(packet[sizeof(header) + j], (uint8_t)(j * 7));
    }
}
END_TEST

START_TEST(test_checksum_covers_all_behind_it)
{
    uint8_t packet[FRAME_MAX];
    size_t len = seal(packet, 50);
    uint32_t crc;

    memcpy(&crc, packet, sizeof(crc));
    ck_assert_uint_eq(crc, hash_crc32c(0, packet + sizeof(crc), len - sizeof(crc)));
}
END_TEST

START_TEST(test_every_bit)
{
    uint8_t packet[FRAME_MAX];
    size_t len = seal(packet, 50);

    for (size_t bit = 0; bit < len * 8; bit++) {
        struct frame_header found = {.sequence = 4711};
        enum frame_error error;

        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        error = frame_check(packet, len, &found);
        if (error != (bit / 16 == 2 ? FRAME_LENGTH : FRAME_CHECKSUM) || found.sequence != 4711)
            ck_abort_msg("bit %zu: %s", bit, frame_strerror(error));
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert_int_eq(frame_check(packet, len, &(struct frame_header){0}), FRAME_OK);
}
END_TEST

/* In a heap block of just the size, so that a sanitizer sees any look beyond its end. */
START_TEST(test_every_truncation)
{
    uint8_t packet[FRAME_MAX];
    size_t len = seal(packet, 50);

    for (size_t n = 0; n < len; n++) {
        struct frame_header found;
        uint8_t *block = malloc(n > 0 ? n : 1);

        ck_assert_ptr_nonnull(block);
        memcpy(block, packet, n);
        ck_assert_int_eq(frame_check(n > 0 ? block : block + 1, n, &found),
                         n < sizeof(header) ? FRAME_SHORT : FRAME_LENGTH);
        free(block);
    }
}
END_TEST

START_TEST(test_too_long)
{
    uint8_t packet[FRAME_MAX] = {0};
    struct frame_header found;
    size_t len = seal(packet, 50);

    ck_assert_int_eq(frame_check(packet, len + 1, &found), FRAME_LENGTH);
    ck_assert_int_eq(frame_check(packet, FRAME_MAX, &found), FRAME_LENGTH);
}
END_TEST

START_TEST(test_errors_have_texts)
{
    for (unsigned error = FRAME_OK; error <= FRAME_CHECKSUM; error++)
        ck_assert_uint_gt(strlen(frame_strerror((enum frame_error)error)), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("frame");
    TCase *tcase = tcase_create("frame");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_round_trip);
    tcase_add_test(tcase, test_checksum_covers_all_behind_it);
    tcase_add_test(tcase, test_every_bit);
    tcase_add_test(tcase, test_every_truncation);
    tcase_add_test(tcase, test_too_long);
    tcase_add_test(tcase, test_errors_have_texts);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
