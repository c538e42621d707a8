/*
 * plot: a store of one region for a test that plays the worker, its hand filled as the kernel would
 * have, and the table's content as text.
 */
#ifndef WORKER_PLOT_H
#define WORKER_PLOT_H

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "metric/adopt.h"
#include "metric/flush.h"
#include "worker/ingest.h"
#include "worker/store.h"

/* Nothing in it may be moved once it is open. */
struct plot {
    int fd;
    struct store_map map;
    struct store_region *region;
    struct filter filter;
    struct table_opts table;
};

static inline int
plot_file(void)
{
    int fd = memfd_create("check", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Fresh, with an empty table whose key is known. */
static inline void
plot_open(struct plot *plot, uint32_t max_metrics)
{
    enum store_outcome outcome;

    memset(plot, 0, sizeof(*plot));
    plot->fd = plot_file();
    struct store_opts opts = {.fd = plot->fd, .n_regions = 1, .memory = 8 << 20};

    ck_assert_int_eq(store_open(&plot->map, &opts, &outcome), 0);
    ck_assert_int_eq(outcome, STORE_FRESH);
    store_settled(plot->map.store);
    plot->region = store_region(&plot->map, 0);
    plot->table = (struct table_opts){
        .max_metrics = max_metrics,
        .timer_max_samples = 1000,
        .set_exact_max = 10000,
        .filter = &plot->filter,
        .key = {1, 2},
    };
    store_arena_opts(&plot->map, 0, &plot->table.arena);
    ck_assert_int_eq(table_init(&plot->region->table, &plot->table, 0), 0);
}

static inline void
plot_close(struct plot *plot)
{
    store_close(&plot->map);
    close(plot->fd);
}

static inline char *
plot_slots(const struct plot *plot)
{
    return (char *)plot->region + plot->table.arena.reserved - HAND_SLOTS;
}

/* What a successor does first, in whatever process. Returns whether all was sound. */
static inline bool
plot_take_over(struct plot *plot)
{
    return store_recover(&plot->map, 0) == 0 &&
           adopt_table(&plot->region->table, &plot->table) == 0;
}

/* Empties the hand, to be filled. */
static inline void
plot_begin_hand(struct plot *plot)
{
    struct hand *hand = &plot->region->hand;

    for (size_t i = 0; i < HAND_DATAGRAMS; i++)
        hand->headers[i].msg_len = HAND_UNSEEN;
    hand->serial++;
    hand->at = hand->offset = hand->busy = 0;
    hand->skipped = 0;
    hand->filled = 1;
}

/* Puts the next datagram into it, as if from 127.0.0.1:4711. */
static inline void
plot_receive(struct plot *plot, const void *bytes, size_t len, bool truncated)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4711)};
    struct hand *hand = &plot->region->hand;
    size_t i = 0;

    while (hand->headers[i].msg_len != HAND_UNSEEN)
        i++;
    ck_assert_uint_lt(i, HAND_DATAGRAMS);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&hand->from[i].storage, &in, sizeof(in));
    memcpy(plot_slots(plot) + i * HAND_DATAGRAM_MAX, bytes, len);
    hand->headers[i].msg_hdr.msg_namelen = sizeof(in);
    hand->headers[i].msg_hdr.msg_flags = truncated ? MSG_TRUNC : 0;
    hand->headers[i].msg_len = (uint32_t)len;
}

/* A table's open interval, or the closed one, as "name=value,…;…", names in order of their first
 * sight, at most max values of each. Nothing is cleared. */
static inline void
plot_text(struct table *table, bool is_open, unsigned max, char *out, size_t size)
{
    static const struct interval interval = {.end_ms = 2000, .span_ms = 1000};
    static const struct rules rules;
    struct flush_opts opts = {
        .tables = {table}, .n_tables = 1, .rules = &rules, .max_samples = 1000};
    struct dialect dialect;
    struct flush flush;
    struct record record;
    size_t len = 0;

    dialect_init(&dialect);
    dialect.rates = false;
    opts.dialect = &dialect;
    out[0] = '\0';
    ck_assert_int_eq(flush_init(&flush, &opts), 0);
    if (is_open)
        flush_begin_open(&flush, &interval);
    else
        flush_begin(&flush, &interval);
    for (; flush_peek(&flush, &record); flush_advance(&flush)) {
        len += (size_t)snprintf(out + len, size - len, "%.*s=", record.name_len, record.name);
        for (unsigned i = 0; i < record.n_points && i < max && len < size; i++)
            len += (size_t)snprintf(out + len, size - len, "%s%.15g", i > 0 ? "," : "",
                                    record.points[i].value);
        ck_assert_uint_lt(len + 1, size);
        out[len++] = ';';
        out[len] = '\0';
    }
    flush_release(&flush);
}

#endif
