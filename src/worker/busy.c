/*
 * busy: see busy.h.
 *
 * Counts fade: every TICK_MS they are multiplied by FADE, and so is the time that they are the
 * counts of, so that a rate is right from the start and forgets with a time constant of a minute.
 */
#include "worker/busy.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/heavy.h"

#define TICK_MS 5000
#define FADE    (11.0 / 12)
/* Behind so many ticks nothing is left. */
#define TICKS_MAX 200
/* Of all threads together. */
#define NAME_BUCKETS  128
#define OTHER_BUCKETS 64
#define NEWCOMERS     1024
/* Of one. */
#define NEWCOMERS_MAX 64
/* How many lines, one a millisecond, may be saved up to be counted one by one. */
#define EACH_MAX 1024

struct newcomer {
    uint64_t at_ms; /* 0: none */
    uint16_t len;
    uint8_t type;
    char text[HEAVY_TEXT_MAX];
};

struct busy {
    struct hash_key key;
    struct heavy names, senders, prefixes;
    uint64_t tick_ms; /* when it faded last, 0: never */
    double span_ms;   /* that the counts were made in, up to then */

    double weight; /* how many lines the one looked at stands for: 1 or BUSY_EVERY */
    size_t skip;   /* lines until the next, where it is not each */
    size_t each;   /* how many lines may be looked at one by one */
    uint64_t each_ms;
    uint64_t random;

    size_t n_newcomers, next_newcomer;
    struct newcomer *newcomers; /* behind the buckets */
    struct heavy_bucket buckets[];
};

_Static_assert(sizeof(struct heavy_bucket) % _Alignof(struct newcomer) == 0,
               "newcomers can stand behind buckets");

static size_t
share(size_t of, size_t n_threads)
{
    size_t n = 1;

    while (2 * n * n_threads <= of)
        n *= 2;
    return n;
}

static struct busy *
make(const struct hash_key *key, size_t n_names, size_t n_others, size_t n_newcomers)
{
    size_t n_buckets = n_names + 2 * n_others;
    struct busy *busy = calloc(1, sizeof(*busy) + n_buckets * sizeof(struct heavy_bucket) +
                                      n_newcomers * sizeof(struct newcomer));

    if (busy == NULL)
        return NULL;
    busy->key = *key;
    busy->random = key->k0 | 1;
    busy->names = (struct heavy){busy->buckets, (uint32_t)n_names};
    busy->senders = (struct heavy){busy->buckets + n_names, (uint32_t)n_others};
    busy->prefixes = (struct heavy){busy->buckets + n_names + n_others, (uint32_t)n_others};
    busy->n_newcomers = n_newcomers;
    busy->newcomers = (struct newcomer *)(busy->buckets + n_buckets);
    return busy;
}

struct busy *
busy_new(const struct hash_key *key, size_t n_threads)
{
    size_t n_newcomers = NEWCOMERS / n_threads;

    return make(key, share(NAME_BUCKETS, n_threads), share(OTHER_BUCKETS, n_threads),
                n_newcomers < NEWCOMERS_MAX ? n_newcomers : NEWCOMERS_MAX);
}

/* With twice the room, few have to give way. Its pages are there before those that are merged are
 * held up for it. */
struct busy *
busy_new_merged(const struct hash_key *key)
{
    struct busy *busy = make(key, 2 * NAME_BUCKETS, 2 * OTHER_BUCKETS, NEWCOMERS_MAX);

    if (busy == NULL)
        return NULL;
    heavy_scale(&busy->names, 0);
    heavy_scale(&busy->senders, 0);
    heavy_scale(&busy->prefixes, 0);
    return busy;
}

void
busy_free(struct busy *busy)
{
    free(busy);
}

/* A clock that was set back begins a new tick. */
static void
fade(struct busy *busy, uint64_t now_ms)
{
    uint64_t n_ticks;
    double factor = 1;

    if (busy->tick_ms == 0 || now_ms < busy->tick_ms)
        busy->tick_ms = now_ms;
    n_ticks = (now_ms - busy->tick_ms) / TICK_MS;
    if (n_ticks == 0)
        return;
    busy->tick_ms += n_ticks * TICK_MS;
    for (uint64_t i = 0; i < n_ticks && i < TICKS_MAX; i++) {
        busy->span_ms = (busy->span_ms + TICK_MS) * FADE;
        factor *= FADE;
    }
    heavy_scale(&busy->names, factor);
    heavy_scale(&busy->senders, factor);
    heavy_scale(&busy->prefixes, factor);
}

/* From 1 to 2 × BUSY_EVERY - 1 (xorshift64*, Vigna 2016), on the average BUSY_EVERY, so that no
 * sender's pattern keeps in step. */
static size_t
draw_distance(struct busy *busy)
{
    busy->random ^= busy->random >> 12;
    busy->random ^= busy->random << 25;
    busy->random ^= busy->random >> 27;
    return 1 + (busy->random * UINT64_C(0x2545f4914f6cdd1d) >> 32) % (2 * BUSY_EVERY - 1);
}

/* The at-th of n lines, or what is left to skip behind them. */
static size_t
go_to(struct busy *busy, size_t at, size_t n)
{
    if (at < n)
        return at;
    busy->skip = at - n;
    return n;
}

size_t
busy_first(struct busy *busy, size_t n, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - busy->each_ms;

    fade(busy, now_ms);
    busy->each = passed_ms < EACH_MAX - busy->each ? busy->each + passed_ms : EACH_MAX;
    busy->each_ms = now_ms;
    if (n <= busy->each) {
        busy->weight = 1;
        busy->each -= n;
        return 0;
    }
    busy->weight = BUSY_EVERY;
    return go_to(busy, busy->skip, n);
}

/* The first two nodes. */
static size_t
prefix_len(const struct name *name)
{
    const char *dot = memchr(name->text, '.', name->len);

    if (dot != NULL)
        dot = memchr(dot + 1, '.', (size_t)(name->text + name->len - dot - 1));
    return dot == NULL ? name->len : (size_t)(dot - name->text);
}

static void
count(struct busy *busy, struct heavy *heavy, const char *text, size_t len)
{
    heavy_add(heavy, hash_bytes(&busy->key, text, len), text, len, busy->weight);
}

/* By the address without the port, whose length tells the families from each other. */
static void
count_sender(struct busy *busy, const struct net_address *from)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (from->storage.ss_family == AF_INET) {
        memcpy(&in, &from->storage, sizeof(in));
        count(busy, &busy->senders, (const char *)&in.sin_addr, sizeof(in.sin_addr));
    } else if (from->storage.ss_family == AF_INET6) {
        memcpy(&in6, &from->storage, sizeof(in6));
        count(busy, &busy->senders, (const char *)&in6.sin6_addr, sizeof(in6.sin6_addr));
    } else {
        count(busy, &busy->senders, "-", 1);
    }
}

size_t
busy_count(struct busy *busy, size_t at, size_t n, const struct name *name,
           const struct net_address *from)
{
    if (name != NULL) {
        count(busy, &busy->names, name->text, name->len);
        count(busy, &busy->prefixes, name->text, prefix_len(name));
    }
    count_sender(busy, from);
    return busy->weight > 1 ? go_to(busy, at + draw_distance(busy), n) : at + 1;
}

static struct newcomer *
oldest_newcomer(struct busy *busy)
{
    struct newcomer *oldest = &busy->newcomers[0];

    for (size_t i = 1; i < busy->n_newcomers; i++) {
        if (busy->newcomers[i].at_ms < oldest->at_ms)
            oldest = &busy->newcomers[i];
    }
    return oldest;
}

void
busy_meet(struct busy *busy, enum metric_type type, const struct name *name, uint64_t now_ms)
{
    struct newcomer *newcomer = &busy->newcomers[busy->next_newcomer++ % busy->n_newcomers];

    newcomer->at_ms = now_ms;
    newcomer->len = (uint16_t)name->len;
    newcomer->type = (uint8_t)type;
    memcpy(newcomer->text, name->text, name->len < HEAVY_TEXT_MAX ? name->len : HEAVY_TEXT_MAX);
}

/* As lines per second. */
static void
merge_heavy(struct busy *into, struct heavy *to, const struct heavy *from, double per_s)
{
    for (size_t at = 0; at < (size_t)from->n_buckets * HEAVY_WAYS; at++) {
        struct heavy_item item = heavy_at(from, at);
        size_t kept = item.len < HEAVY_TEXT_MAX ? item.len : HEAVY_TEXT_MAX;

        if (item.count > 0)
            heavy_add(to, hash_bytes(&into->key, item.text, kept), item.text, item.len,
                      item.count * per_s);
    }
}

void
busy_merge(struct busy *into, struct busy *from, uint64_t now_ms)
{
    double span_ms;

    fade(from, now_ms);
    span_ms = from->span_ms + (double)(now_ms - from->tick_ms);
    span_ms = span_ms > 1000 ? span_ms : 1000;
    merge_heavy(into, &into->names, &from->names, 1000 / span_ms);
    merge_heavy(into, &into->senders, &from->senders, 1000 / span_ms);
    merge_heavy(into, &into->prefixes, &from->prefixes, 1000 / span_ms);
    for (size_t i = 0; i < from->n_newcomers; i++) {
        struct newcomer *oldest = oldest_newcomer(into);

        if (from->newcomers[i].at_ms > oldest->at_ms)
            *oldest = from->newcomers[i];
    }
}

static void
print_text(struct buf *out, const char *text, size_t len)
{
    (void)buf_append(out, text, len < HEAVY_TEXT_MAX ? len : HEAVY_TEXT_MAX);
    (void)buf_append_str(out, len > HEAVY_TEXT_MAX ? "...\n" : "\n");
}

static void
print_rate(struct buf *out, const char *key, double per_s)
{
    char text[64];

    snprintf(text, sizeof(text), "%s %.2f ", key, per_s);
    (void)buf_append_str(out, text);
}

static void
print_names(const struct heavy *heavy, const char *key, size_t n, struct buf *out)
{
    struct heavy_item items[BUSY_TOP_MAX];

    n = heavy_top(heavy, items, n);
    for (size_t i = 0; i < n; i++) {
        print_rate(out, key, items[i].count);
        print_text(out, items[i].text, items[i].len);
    }
}

static void
print_senders(const struct heavy *heavy, size_t n, struct buf *out)
{
    struct heavy_item items[BUSY_TOP_MAX];

    n = heavy_top(heavy, items, n);
    for (size_t i = 0; i < n; i++) {
        char text[INET6_ADDRSTRLEN] = "-";

        if (items[i].len > 1)
            inet_ntop(items[i].len == 4 ? AF_INET : AF_INET6, items[i].text, text, sizeof(text));
        print_rate(out, "sender", items[i].count);
        print_text(out, text, strlen(text));
    }
}

static int
compare_ages(const void *a, const void *b)
{
    const struct newcomer *const *x = a, *const *y = b;

    return ((*x)->at_ms < (*y)->at_ms) - ((*x)->at_ms > (*y)->at_ms);
}

static void
print_newcomers(const struct busy *busy, size_t n, uint64_t now_ms, struct buf *out)
{
    const struct newcomer *sorted[NEWCOMERS_MAX];
    size_t n_sorted = 0;
    char text[64];

    for (size_t i = 0; i < busy->n_newcomers; i++) {
        if (busy->newcomers[i].at_ms > 0)
            sorted[n_sorted++] = &busy->newcomers[i];
    }
    qsort(sorted, n_sorted, sizeof(sorted[0]), compare_ages);
    for (size_t i = 0; i < n_sorted && i < n; i++) {
        uint64_t at_ms = sorted[i]->at_ms;

        snprintf(text, sizeof(text), "new %" PRIu64 " %s ",
                 now_ms > at_ms ? (now_ms - at_ms) / 1000 : 0, metric_type_name(sorted[i]->type));
        (void)buf_append_str(out, text);
        print_text(out, sorted[i]->text, sorted[i]->len);
    }
}

void
busy_print(const struct busy *merged, size_t n, uint64_t now_ms, struct buf *out)
{
    n = n < BUSY_TOP_MAX ? n : BUSY_TOP_MAX;
    print_names(&merged->names, "name", n, out);
    print_newcomers(merged, n, now_ms, out);
    print_senders(&merged->senders, n, out);
    print_names(&merged->prefixes, "prefix", n, out);
}
