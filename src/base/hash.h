/*
 * hash: a keyed hash for tables that strangers fill, and a checksum for bytes that travel.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Drawn once per table, so that nobody can choose names that collide. */
struct hash_key {
    uint64_t k0, k1;
};

/* Draws a key from the kernel. Returns 0 or -errno. */
int hash_key_draw(struct hash_key *out);

/* A hash of len bytes that nobody who lacks the key can make collide at will: folded products, as
 * in wyhash (Wang Yi, Diego Barrios Romero: "Modern non-cryptographic hash function and
 * pseudorandom number generator"), with a secret where that has constants. Not for anything but
 * tables. */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t len);

/* CRC-32C (Castagnoli, as in RFC 3720) continued from crc; 0 to start. */
uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
