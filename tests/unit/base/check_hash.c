/*
 * check_hash: known answers, and second implementations that share nothing with the first.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* One bit at a time, as RFC 3720 defines it. */
static uint32_t
slow_crc32c(const uint8_t *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

static void
sip_rounds(uint64_t v[4], int n)
{
    for (; n > 0; n--) {
        v[0] += v[1];
        v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
        v[0] = v[0] << 32 | v[0] >> 32;
        v[2] += v[3];
        v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
        v[0] += v[3];
        v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
        v[2] += v[1];
        v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
        v[2] = v[2] << 32 | v[2] >> 32;
    }
}

/* SipHash-c-d as in the paper, over a padded copy, so that its answer to the paper's example
 * vouches for it with other c and d. */
static uint64_t
slow_siphash(int c, int d, uint64_t k0, uint64_t k1, const uint8_t *bytes, size_t len)
{
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
    uint8_t padded[256] = {0};
    size_t padded_len = len / 8 * 8 + 8;

    memcpy(padded, bytes, len);
    padded[padded_len - 1] = (uint8_t)len;
    for (size_t at = 0; at < padded_len; at += 8) {
        uint64_t word = 0;

        for (size_t i = 8; i > 0; i--)
            word = word << 8 | padded[at + i - 1];
        v[3] ^= word;
        sip_rounds(v, c);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    sip_rounds(v, d);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void
count_up(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)i;
}

START_TEST(test_crc32c_of_rfc_3720)
{
    static const uint8_t read_pdu[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, 0x28, [40] = 0x02,
    };
    uint8_t bytes[32] = {0};

    ck_assert_uint_eq(hash_crc32c(0, "", 0), 0);
    ck_assert_uint_eq(hash_crc32c(0, "123456789", 9), 0xe3069283);
    /* Appendix B.4 */
    ck_assert_uint_eq(hash_crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    ck_assert_uint_eq(hash_crc32c(0, bytes, 32), 0x62a8ab43);
    count_up(bytes, 32);
    ck_assert_uint_eq(hash_crc32c(0, bytes, 32), 0x46dd794e);
    for (size_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    ck_assert_uint_eq(hash_crc32c(0, bytes, 32), 0x113fdb5c);
    ck_assert_uint_eq(hash_crc32c(0, read_pdu, 48), 0xd9963a56);
}
END_TEST

START_TEST(test_crc32c_of_every_length_and_alignment)
{
    uint8_t bytes[96];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * i * 7 + 3);
    for (size_t from = 0; from < 9; from++)
        for (size_t len = 0; from + len <= sizeof(bytes); len++)
            ck_assert_uint_eq(hash_crc32c(0, bytes + from, len), slow_crc32c(bytes + from, len));
}
END_TEST

/* Every entry of every table: 256 values at each of the eight places of a word. */
START_TEST(test_crc32c_of_every_byte_at_every_place)
{
    for (size_t place = 0; place < 8; place++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t bytes[8] = {0};

            bytes[place] = (uint8_t)value;
            ck_assert_uint_eq(hash_crc32c(0, bytes, 8), slow_crc32c(bytes, 8));
        }
    }
}
END_TEST

START_TEST(test_crc32c_continued)
{
    uint8_t bytes[64];
    uint32_t whole;

    count_up(bytes, sizeof(bytes));
    whole = hash_crc32c(0, bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        uint32_t crc = hash_crc32c(0, bytes, cut);

        ck_assert_uint_eq(hash_crc32c(crc, bytes + cut, sizeof(bytes) - cut), whole);
    }
}
END_TEST

START_TEST(test_siphash_known_answers)
{
    static const struct {
        uint64_t k0, k1;
        const char *text;
        uint64_t hash;
    } rows[] = {
        /* Ruby's digest-sip_hash */
        {0, 0, "", 0xd1fba762150c532c},
        {0, 0, "siphash", 0x8264ceeccb16bcbe},
        {0, 0, "digest-sip_hash", 0xce31007e34130c0a},
        /* CPython 3.11's hash(bytes) with PYTHONHASHSEED=1 and 4242 */
        {0xaed66ce184be2329, 0xebe9bbf1f1499052, "a", 0xd6300bc9f7cc0e73},
        {0xaed66ce184be2329, 0xebe9bbf1f1499052, "stats.gauges.x", 0xaa521eab15f8200b},
        {0xaed66ce184be2329, 0xebe9bbf1f1499052, "1234567", 0x84a31031575efe31},
        {0x41f6394f25dd9b43, 0xc64ae48da2032d08, "12345678", 0xc6eb3141e5223a57},
        {0x41f6394f25dd9b43, 0xc64ae48da2032d08, "123456789", 0xb2dd219a9cd6c9d1},
        {0x41f6394f25dd9b43, 0xc64ae48da2032d08, "0123456789abcdef", 0xbeee965b491e67ff},
        {0x41f6394f25dd9b43, 0xc64ae48da2032d08, "the quick brown fox jumps over the lazy dog",
         0x982c670d266daea6},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hash_key key = {.k0 = rows[i].k0, .k1 = rows[i].k1};
        uint64_t hash = hash_bytes(&key, rows[i].text, strlen(rows[i].text));

        ck_assert_msg(hash == rows[i].hash, "row %zu: %016jx", i, (uintmax_t)hash);
    }
}
END_TEST

START_TEST(test_siphash_of_every_length_and_alignment)
{
    struct hash_key key = {.k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908};
    uint8_t bytes[80];

    count_up(bytes, sizeof(bytes));
    /* The paper's example, appendix A. */
    ck_assert_uint_eq(slow_siphash(2, 4, key.k0, key.k1, bytes, 15), 0xa129ca6149be45e5);
    for (size_t from = 0; from < 9; from++)
        for (size_t len = 0; from + len <= sizeof(bytes); len++)
            ck_assert_uint_eq(hash_bytes(&key, bytes + from, len),
                              slow_siphash(1, 3, key.k0, key.k1, bytes + from, len));
}
END_TEST

START_TEST(test_keys_differ)
{
    struct hash_key one = {0}, other = {0};

    ck_assert_int_eq(hash_key_draw(&one), 0);
    ck_assert_int_eq(hash_key_draw(&other), 0);
    ck_assert(one.k0 != other.k0 && one.k1 != other.k1);
    ck_assert(hash_bytes(&one, "name", 4) != hash_bytes(&other, "name", 4));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("hash");
    TCase *tcase = tcase_create("hash");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_crc32c_of_rfc_3720);
    tcase_add_test(tcase, test_crc32c_of_every_length_and_alignment);
    tcase_add_test(tcase, test_crc32c_of_every_byte_at_every_place);
    tcase_add_test(tcase, test_crc32c_continued);
    tcase_add_test(tcase, test_siphash_known_answers);
    tcase_add_test(tcase, test_siphash_of_every_length_and_alignment);
    tcase_add_test(tcase, test_keys_differ);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
