/*
 * heavy: what comes most often of many things, in constant memory: counts by key, of which a new
 * one takes the place of the smallest and inherits its count as its possible error (Metwally,
 * Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in data streams", 2005;
 * here in buckets of HEAVY_WAYS, so that a count costs the same however many there are). Knows
 * nothing of what it counts.
 */
#ifndef WORKER_HEAVY_H
#define WORKER_HEAVY_H

#include <stddef.h>
#include <stdint.h>

#define HEAVY_WAYS     8
#define HEAVY_TEXT_MAX 232 /* bytes of a key that are kept */

/* One bucket; zeroed: empty. */
struct heavy_bucket {
    uint32_t hash[HEAVY_WAYS];
    float count[HEAVY_WAYS];
    float error[HEAVY_WAYS]; /* as much of the count may be others' */
    uint16_t len[HEAVY_WAYS];
    char text[HEAVY_WAYS][HEAVY_TEXT_MAX];
};

/* Zeroed buckets of the caller's: nothing has come yet. */
struct heavy {
    struct heavy_bucket *buckets;
    uint32_t n_buckets; /* a power of two */
};

/* One key with what is certain of its count; borrowed. */
struct heavy_item {
    double count;
    uint16_t len; /* of the whole key, which text has HEAVY_TEXT_MAX bytes of at most */
    const char *text;
};

/* Counts weight more of a key of len bytes, found by its hash alone. */
void heavy_add(struct heavy *heavy, uint64_t hash, const char *text, size_t len, double weight);

/* Makes all counts and errors that much smaller. */
void heavy_scale(struct heavy *heavy, double factor);

/* The at-th place, from 0 to HEAVY_WAYS × n_buckets - 1; a count of 0: nothing. */
struct heavy_item heavy_at(const struct heavy *heavy, size_t at);

/* The n largest, the largest first; returns how many there are. */
size_t heavy_top(const struct heavy *heavy, struct heavy_item *out, size_t n);

#endif
