/*
 * check_hash: known answers of the checksum and a second implementation of it; of the hash, what a
 * table needs of it.
 */
#include <check.h>
#include <stdio.h>
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

/* xorshift64*, seeded: the same names in every run. */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1d;
}

static const struct hash_key fixed_key = {.k0 = 0x0706050403020100, .k1 = 0xe9d8c7b6a5948372};

/* Nothing beyond the bytes is read (the blocks are of exact size), nothing of them is left out, and
 * where they lie makes no difference. */
START_TEST(test_hash_depends_on_every_byte)
{
    for (size_t len = 0; len <= 70; len++) {
        uint8_t *bytes = malloc(len == 0 ? 1 : len), *elsewhere = malloc(len + 3);
        uint64_t hash;

        count_up(bytes, len);
        count_up(elsewhere + 3, len);
        hash = hash_bytes(&fixed_key, bytes, len);
        ck_assert_uint_eq(hash_bytes(&fixed_key, elsewhere + 3, len), hash);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            ck_assert_uint_ne(hash_bytes(&fixed_key, bytes, len), hash);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free(bytes);
        free(elsewhere);
    }
}
END_TEST

START_TEST(test_hash_depends_on_length)
{
    uint8_t zeros[64] = {0};

    for (size_t one = 0; one <= sizeof(zeros); one++) {
        for (size_t other = 0; other < one; other++)
            ck_assert_uint_ne(hash_bytes(&fixed_key, zeros, one),
                              hash_bytes(&fixed_key, zeros, other));
    }
}
END_TEST

/* A bit of the name turns each bit of the hash in about half of the cases. */
START_TEST(test_hash_avalanche)
{
    static uint32_t turned[64];
    uint64_t state = 1;
    uint32_t n = 0;

    for (int round = 0; round < 2000; round++) {
        uint64_t name[4] = {next_random(&state), next_random(&state), next_random(&state),
                            next_random(&state)};
        size_t len = 1 + next_random(&state) % sizeof(name), bit = next_random(&state) % (8 * len);
        uint64_t difference = hash_bytes(&fixed_key, name, len);

        ((uint8_t *)name)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        difference ^= hash_bytes(&fixed_key, name, len);
        for (int i = 0; i < 64; i++)
            turned[i] += (uint32_t)(difference >> i & 1);
        n++;
    }
    for (int i = 0; i < 64; i++)
        ck_assert_msg(turned[i] > n * 45 / 100 && turned[i] < n * 55 / 100, "bit %d: %u of %u", i,
                      turned[i], n);
}
END_TEST

static int
compare(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return one < other ? -1 : one > other;
}

/* Names as an unkeyed h * 31 + c would have them all fall together, and names that differ in a
 * counter only: their hashes are all different, and as spread as chance would have it. */
START_TEST(test_hash_of_hostile_names)
{
    enum { N = 1 << 16, BUCKETS = 256 };
    static uint64_t hashes[2 * N];
    static uint32_t filled[BUCKETS];
    char name[64];

    for (uint32_t i = 0; i < N; i++) {
        for (int block = 0; block < 16; block++)
            memcpy(name + 2 * block, (i >> block & 1) != 0 ? "Aa" : "BB", 2);
        hashes[i] = hash_bytes(&fixed_key, name, 32);
        hashes[N + i] =
            hash_bytes(&fixed_key, name, (size_t)snprintf(name, sizeof(name), "app.user.%u", i));
    }
    for (uint32_t i = 0; i < 2 * N; i++)
        filled[hashes[i] % BUCKETS]++;
    for (int i = 0; i < BUCKETS; i++)
        ck_assert(filled[i] > 400 && filled[i] < 630); /* 512, give or take five deviations */
    qsort(hashes, 2 * N, sizeof(hashes[0]), compare);
    for (uint32_t i = 1; i < 2 * N; i++)
        ck_assert_uint_ne(hashes[i - 1], hashes[i]);
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
    tcase_add_test(tcase, test_hash_depends_on_every_byte);
    tcase_add_test(tcase, test_hash_depends_on_length);
    tcase_add_test(tcase, test_hash_avalanche);
    tcase_add_test(tcase, test_hash_of_hostile_names);
    tcase_add_test(tcase, test_keys_differ);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
