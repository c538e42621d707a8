/*
 * heavy: see heavy.h.
 */
#include "worker/heavy.h"

#include <string.h>

static void
replace(struct heavy_bucket *bucket, size_t way, uint32_t hash, const char *text, size_t len)
{
    bucket->hash[way] = hash;
    bucket->error[way] = bucket->count[way];
    bucket->len[way] = (uint16_t)(len < UINT16_MAX ? len : UINT16_MAX);
    memcpy(bucket->text[way], text, len < HEAVY_TEXT_MAX ? len : HEAVY_TEXT_MAX);
}

void
heavy_add(struct heavy *heavy, uint64_t hash, const char *text, size_t len, double weight)
{
    struct heavy_bucket *bucket = &heavy->buckets[(hash >> 32) & (heavy->n_buckets - 1)];
    size_t least = 0;

    for (size_t way = 0; way < HEAVY_WAYS; way++) {
        if (bucket->hash[way] == (uint32_t)hash && bucket->count[way] > 0) {
            bucket->count[way] += (float)weight;
            return;
        }
        if (bucket->count[way] < bucket->count[least])
            least = way;
    }
    replace(bucket, least, (uint32_t)hash, text, len);
    bucket->count[least] += (float)weight;
}

void
heavy_scale(struct heavy *heavy, double factor)
{
    for (size_t i = 0; i < heavy->n_buckets; i++) {
        for (size_t way = 0; way < HEAVY_WAYS; way++) {
            heavy->buckets[i].count[way] *= (float)factor;
            heavy->buckets[i].error[way] *= (float)factor;
        }
    }
}

struct heavy_item
heavy_at(const struct heavy *heavy, size_t at)
{
    const struct heavy_bucket *bucket = &heavy->buckets[at / HEAVY_WAYS];
    size_t way = at % HEAVY_WAYS;

    return (struct heavy_item){
        .count = (double)bucket->count[way] - (double)bucket->error[way],
        .len = bucket->len[way],
        .text = bucket->text[way],
    };
}

size_t
heavy_top(const struct heavy *heavy, struct heavy_item *out, size_t n)
{
    size_t n_out = 0;

    for (size_t at = 0; at < (size_t)heavy->n_buckets * HEAVY_WAYS; at++) {
        struct heavy_item item = heavy_at(heavy, at);
        size_t to = n_out;

        while (to > 0 && out[to - 1].count < item.count)
            to--;
        if (item.count <= 0 || to == n)
            continue;
        n_out += n_out < n;
        memmove(&out[to + 1], &out[to], (n_out - to - 1) * sizeof(*out));
        out[to] = item;
    }
    return n_out;
}
