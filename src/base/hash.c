/*
 * hash: owns the two hash functions and their constants. Knows nothing of tables and frames.
 */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

/*
 * CRC-32C is linear: the entry of a byte is the sum of the entries of its bits. So the eight tables
 * of "slicing by eight" are written as eight constants each, the entries of 1, 2, 4 … 128, and the
 * compiler makes the rest. Table k says what a byte does to the checksum k bytes later.
 */
#define BIT(byte, i, entry) (((byte) >> (i)&1U) != 0 ? (entry) : 0U)
#define E1(n, a, b, c, d, e, f, g, h)                                                          \
    (BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ BIT(n, 4, e) ^ BIT(n, 5, f) ^ \
     BIT(n, 6, g) ^ BIT(n, 7, h))
#define E4(n, ...) \
    E1(n, __VA_ARGS__), E1(n + 1U, __VA_ARGS__), E1(n + 2U, __VA_ARGS__), E1(n + 3U, __VA_ARGS__)
#define E16(n, ...) \
    E4(n, __VA_ARGS__), E4(n + 4U, __VA_ARGS__), E4(n + 8U, __VA_ARGS__), E4(n + 12U, __VA_ARGS__)
#define E64(n, ...)                                                            \
    E16(n, __VA_ARGS__), E16(n + 16U, __VA_ARGS__), E16(n + 32U, __VA_ARGS__), \
        E16(n + 48U, __VA_ARGS__)
#define TABLE(...)                                                           \
    {                                                                        \
        E64(0U, __VA_ARGS__), E64(64U, __VA_ARGS__), E64(128U, __VA_ARGS__), \
            E64(192U, __VA_ARGS__)                                           \
    }

static const uint32_t crc_tables[8][256] = {
    TABLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
          0x82f63b78),
    TABLE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
          0xfbc3faf9),
    TABLE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
          0x8b277743),
    TABLE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
          0x52a0c93f),
    TABLE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
          0x6ea2d55c),
    TABLE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
          0x1c08b7d6),
    TABLE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
          0xf56e0ef4),
    TABLE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
          0x34019664),
};

static uint64_t
load_le64(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

static uint64_t
load_le32(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return le32toh(word);
}

uint32_t
hash_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    crc = ~crc;
    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word = load_le64(at) ^ crc;

        crc = crc_tables[7][word & 255] ^ crc_tables[6][word >> 8 & 255] ^
              crc_tables[5][word >> 16 & 255] ^ crc_tables[4][word >> 24 & 255] ^
              crc_tables[3][word >> 32 & 255] ^ crc_tables[2][word >> 40 & 255] ^
              crc_tables[1][word >> 48 & 255] ^ crc_tables[0][word >> 56];
    }
    for (; len > 0; at++, len--)
        crc = crc >> 8 ^ crc_tables[0][(crc ^ *at) & 255];
    return ~crc;
}

int
hash_key_draw(struct hash_key *out)
{
    struct hash_key key;
    ssize_t n;

    do
        n = getrandom(&key, sizeof(key), 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(key))
        return n < 0 ? -errno : -EIO;
    *out = key;
    return 0;
}

/* Both halves of the product, folded: every bit of either factor reaches every bit of it. */
static inline uint64_t
fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Up to 16 bytes as two words; those of fewer overlap rather than leave a byte out. Of eight bytes
 * both words are the same but for the halves' order, lest the product be the same either way round.
 */
static inline void
load_tail(const uint8_t *at, size_t len, uint64_t *out_a, uint64_t *out_b)
{
    *out_a = *out_b = 0;
    if (len >= 8) {
        uint64_t last = load_le64(at + len - 8);

        *out_a = load_le64(at);
        *out_b = last << 32 | last >> 32;
    } else if (len >= 4) {
        *out_a = load_le32(at) << 32 | load_le32(at + len - 4);
    } else if (len > 0) {
        *out_a = (uint64_t)at[0] << 16 | (uint64_t)at[len / 2] << 8 | at[len - 1];
    }
}

uint64_t
hash_bytes(const struct hash_key *key, const void *bytes, size_t len)
{
    /* wyhash's first two: with them, not even a key of small numbers makes a factor 0. */
    const uint64_t k0 = key->k0 ^ 0xa0761d6478bd642f, k1 = key->k1 ^ 0xe7037ed1a0b428db;
    const uint8_t *at = bytes;
    uint64_t state = k0 ^ len, a, b;
    size_t left = len;

    for (; left > 16; left -= 16, at += 16)
        state = fold(load_le64(at) ^ k1, load_le64(at + 8) ^ state);
    load_tail(at, left, &a, &b);
    return fold(fold(a ^ k1, b ^ state) ^ k0, k1 ^ len);
}
