/*
 * estate: tables in a mapping that outlives processes, as a worker has them, and a script of
 * chance: samples, closes, and the two walks of each flush. Who takes over goes on where the last
 * one was. What was sent stands outside of the mapping, to be held against what a process that
 * nothing ever happened to has sent of the same samples.
 */
#ifndef METRIC_ESTATE_H
#define METRIC_ESTATE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "metric/adopt.h"
#include "metric/delete.h"
#include "metric/flush.h"

#define ESTATE_TABLES   3
#define ESTATE_STEPS    20000
#define ESTATE_FLUSHES  200
#define ESTATE_SENT     (64 << 10) /* bytes of one flush */
#define ESTATE_EPOCH_MS UINT64_C(1700000000000)
#define ESTATE_STEP_MS  10
#define ESTATE_NUMBER   (UINT32_MAX - 3) /* of the first interval */

/* What is done, and with which limits. */
struct estate_plan {
    size_t n_tables, memory; /* of each table */
    uint32_t max_metrics, timer_max_samples, set_exact_max;
    struct rules rules;
    bool deletes; /* metrics, now and then; not with amid */
    bool amid; /* samples come while a flush is walked; expiry would then be a matter of chance */
    uint64_t seed;
    uint32_t n_names, close_every, n_steps;
};

enum estate_phase { ESTATE_COLLECTING, ESTATE_CLOSING, ESTATE_SENDING, ESTATE_CLEARING };

/* The mapping begins with it. */
struct estate {
    struct undo undos[ESTATE_TABLES]; /* of the tables; the mark: how many steps were done then */
    struct table tables[ESTATE_TABLES];
    struct undo undo;
    struct estate_state {
        uint32_t phase;
        uint32_t number; /* of the interval that no table has closed before */
        uint32_t n_flushes;
        uint32_t n_steps; /* how many were done at the last close */
    } state;
};

/* What came of it. Shared by all processes. */
struct estate_results {
    uint8_t verdicts[ESTATE_STEPS];
    size_t sent_len[ESTATE_FLUSHES + 1];
    uint8_t sent[ESTATE_FLUSHES + 1][ESTATE_SENT];
};

/* A process's view of it. */
struct heir {
    const struct estate_plan *plan;
    int fd;
    size_t size;
    struct estate *estate;
    struct estate_results *results;
    const uint8_t *verdicts; /* where set: what is not TABLE_APPLIED is left out */
    struct dialect dialect;
    struct flush flush;
    bool walking;
};

static const struct filter estate_filter;

static inline uint64_t
estate_draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The first table's arena has the struct within it, as the worker's have. */
static inline void
estate_table_opts(const struct heir *heir, size_t i, struct table_opts *out)
{
    const struct estate_plan *plan = heir->plan;
    size_t head = arena_whole_pages(sizeof(struct estate)),
           region = arena_whole_pages(plan->memory);
    size_t offset = i == 0 ? 0 : head + i * region;

    *out = (struct table_opts){
        .max_metrics = plan->max_metrics,
        .timer_max_samples = plan->timer_max_samples,
        .set_exact_max = plan->set_exact_max,
        .filter = &estate_filter,
        .key = {11, 12},
        .arena = {.size = plan->memory + (i == 0 ? head : 0),
                  .memory = (uint8_t *)heir->estate + offset,
                  .reserved = i == 0 ? head : 0,
                  .fd = heir->fd,
                  .offset = (off_t)offset,
                  .undo = &heir->estate->undos[i]},
    };
}

static inline void
heir_map(struct heir *heir, const struct estate_plan *plan, int fd)
{
    memset(heir, 0, sizeof(*heir));
    heir->plan = plan;
    heir->fd = fd;
    heir->size =
        arena_whole_pages(sizeof(struct estate)) + plan->n_tables * arena_whole_pages(plan->memory);
    heir->estate = mmap(NULL, heir->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (heir->estate == MAP_FAILED)
        abort();
    dialect_init(&heir->dialect);
}

static inline void
heir_ready(struct heir *heir)
{
    struct flush_opts opts = {
        .n_tables = heir->plan->n_tables,
        .dialect = &heir->dialect,
        .rules = &heir->plan->rules,
        .max_samples = heir->plan->timer_max_samples,
        .undo = &heir->estate->undo,
    };

    for (size_t i = 0; i < opts.n_tables; i++)
        opts.tables[i] = &heir->estate->tables[i];
    if (flush_init(&heir->flush, &opts) != 0)
        abort();
}

/* A new estate. */
static inline void
heir_begin(struct heir *heir, const struct estate_plan *plan, struct estate_results *results)
{
    int fd = memfd_create("estate", MFD_CLOEXEC);

    if (fd < 0)
        abort();
    heir_map(heir, plan, fd);
    if (ftruncate(fd, (off_t)heir->size) != 0 ||
        fallocate(fd, 0, 0, (off_t)arena_whole_pages(sizeof(struct estate))) != 0)
        abort();
    for (size_t i = 0; i < plan->n_tables; i++) {
        struct table_opts opts;

        estate_table_opts(heir, i, &opts);
        if (table_init(&heir->estate->tables[i], &opts, ESTATE_NUMBER) != 0)
            abort();
    }
    heir->estate->state.number = ESTATE_NUMBER;
    heir->results = results;
    heir_ready(heir);
}

/* Takes over what is mapped. Returns what adopt_table or a roll back does. */
static inline int
heir_take_over(struct heir *heir)
{
    struct estate *estate = heir->estate;

    if (undo_roll_back(&estate->undo, estate, heir->size) != 0)
        return -EBADMSG;
    for (size_t i = 0; i < heir->plan->n_tables; i++) {
        struct table_opts opts;
        int error;

        estate_table_opts(heir, i, &opts);
        if (undo_roll_back(&estate->undos[i], estate, heir->size) != 0)
            return -EBADMSG;
        if ((error = adopt_table(&estate->tables[i], &opts)) != 0)
            return error;
        estate->tables[i].flushing = estate->tables[i].number != estate->state.number;
    }
    heir_ready(heir);
    return 0;
}

static inline int
heir_adopt(struct heir *heir, const struct estate_plan *plan, int fd,
           struct estate_results *results)
{
    heir_map(heir, plan, fd);
    heir->results = results;
    return heir_take_over(heir);
}

static inline void
heir_end(struct heir *heir)
{
    flush_release(&heir->flush);
    (void)munmap(heir->estate, heir->size);
    memset(heir, 0, sizeof(*heir));
}

static inline void
estate_set(struct estate *estate, const struct estate_state *state)
{
    undo_note(&estate->undo, &estate->state, sizeof(estate->state));
    estate->state = *state;
    undo_commit(&estate->undo);
}

static inline void
estate_set_phase(struct estate *estate, enum estate_phase phase)
{
    struct estate_state state = estate->state;

    state.phase = phase;
    state.number += phase == ESTATE_COLLECTING;
    estate_set(estate, &state);
}

/* As much of the first walk; what was sent of it by another process is sent again. */
static inline void
heir_send(struct heir *heir, size_t n)
{
    struct estate *estate = heir->estate;
    uint64_t span_ms = (uint64_t)heir->plan->close_every * ESTATE_STEP_MS;
    struct interval interval = {.end_ms = ESTATE_EPOCH_MS + estate->state.n_flushes * span_ms,
                                .span_ms = span_ms};
    size_t *len = &heir->results->sent_len[estate->state.n_flushes];
    struct record record;

    if (!heir->walking) {
        flush_begin(&heir->flush, &interval);
        *len = 0;
    }
    heir->walking = true;
    while (n-- > 0) {
        struct buf buf;

        if (!flush_peek(&heir->flush, &record)) {
            heir->walking = false;
            estate_set_phase(estate, ESTATE_CLEARING);
            return;
        }
        buf_init_fixed(&buf, heir->results->sent[estate->state.n_flushes] + *len,
                       ESTATE_SENT - *len);
        if (record_encode(&record, &buf) != 0)
            abort();
        *len += buf.len;
        flush_advance(&heir->flush);
    }
}

/* As much of the second walk. */
static inline void
heir_clear(struct heir *heir, size_t n)
{
    if (!heir->walking)
        flush_begin_clear(&heir->flush);
    heir->walking = flush_clear(&heir->flush, n);
    if (!heir->walking)
        estate_set_phase(heir->estate, ESTATE_COLLECTING);
}

static inline void
heir_finish_flush(struct heir *heir)
{
    while (heir->estate->state.phase == ESTATE_SENDING)
        heir_send(heir, 3);
    while (heir->estate->state.phase == ESTATE_CLEARING)
        heir_clear(heir, 3);
}

/* The last ones are idle. */
static inline bool
estate_closes(const struct estate_plan *plan, uint32_t step)
{
    return step % plan->close_every == plan->close_every - 1 || step + 4 >= plan->n_steps;
}

static inline void
heir_finish_close(struct heir *heir, uint32_t step)
{
    struct estate *estate = heir->estate;
    struct estate_state state = estate->state;

    for (size_t i = 0; i < heir->plan->n_tables; i++) {
        if (estate->tables[i].number != state.number)
            continue;
        table_close(&estate->tables[i]);
        undo_commit(&estate->undos[i]);
    }
    state.phase = ESTATE_SENDING;
    state.n_flushes++;
    state.n_steps = step + 1;
    estate_set(estate, &state);
}

static inline void
heir_close(struct heir *heir, uint32_t step)
{
    heir_finish_flush(heir);
    if (heir->estate->state.phase == ESTATE_COLLECTING)
        estate_set_phase(heir->estate, ESTATE_CLOSING);
    heir_finish_close(heir, step);
}

/* Few names have most of the samples; some stretches leave most names alone, so that they are
 * forgotten. */
static inline uint64_t
estate_draw_name(const struct estate_plan *plan, uint32_t step, uint64_t *state)
{
    uint64_t n = step / plan->close_every / 10 % 2 == 0 ? plan->n_names : 3;

    return estate_draw(state) % 2 == 0 ? estate_draw(state) % 3 : estate_draw(state) % n;
}

static inline uint64_t
estate_seed(const struct estate_plan *plan, uint32_t step)
{
    return plan->seed * UINT64_C(1000003) + step;
}

static inline enum metric_type
estate_type(const struct estate_plan *plan, uint32_t step)
{
    uint64_t state = estate_seed(plan, step);

    return (enum metric_type)(estate_draw(&state) % METRIC_TYPE_COUNT);
}

static inline double
estate_draw_value(uint64_t *state)
{
    switch (estate_draw(state) % 32) {
    case 0: return 1e308; /* two of them overflow */
    case 1: return 0;
    case 2: return -1e9;
    default: return (double)(estate_draw(state) % 100000) / 8;
    }
}

static inline void
heir_apply(struct heir *heir, uint32_t step)
{
    const struct estate_plan *plan = heir->plan;
    uint64_t state = ~estate_seed(plan, step);
    enum metric_type type = estate_type(plan, step);
    struct table *table;
    size_t i;
    uint64_t number = estate_draw_name(plan, step, &state), member = estate_draw(&state) % 500;
    struct sample sample = {.type = type,
                            .value = estate_draw_value(&state),
                            .rate = 1,
                            .member = (const char *)&member,
                            .member_len = sizeof(member)};
    char text[8] = {'n', (char)('0' + number / 10), (char)('0' + number % 10), '.', '.', '.', '.'};
    struct name name = {.text = text, .len = 3 + number % 5};

    i = estate_draw(&state) % plan->n_tables;
    table = &heir->estate->tables[i];
    heir->results->verdicts[step] =
        (uint8_t)table_apply(table, &sample, &name, table_hash(table, type, &name),
                             ESTATE_EPOCH_MS + (uint64_t)step * ESTATE_STEP_MS);
    undo_commit_to(&heir->estate->undos[i], step + 1);
}

static inline bool
estate_deletes(const struct estate_plan *plan, uint32_t step)
{
    return plan->deletes && step % 11 == 3;
}

/* What is there no more, or is deleted once more, is nothing. */
static inline void
heir_delete(struct heir *heir, uint32_t step)
{
    const struct estate_plan *plan = heir->plan;
    uint64_t state = ~estate_seed(plan, step);
    enum metric_type type = estate_type(plan, step);
    uint64_t number = estate_draw_name(plan, step, &state);
    char text[8] = {'n', (char)('0' + number / 10), (char)('0' + number % 10), '.', '.', '.', '.'};
    struct name name = {.text = text, .len = 3 + number % 5};

    for (size_t i = 0; i < plan->n_tables; i++) {
        struct table *table = &heir->estate->tables[i];
        struct metric *metric = table_find(table, type, &name, table_hash(table, type, &name));

        if (metric != NULL)
            delete_metric(table, metric);
    }
    heir->results->verdicts[step] = TABLE_APPLIED;
    undo_commit_to(&heir->estate->undos[0], step + 1);
}

/* How many steps are done. */
static inline uint32_t
estate_steps(const struct estate *estate)
{
    uint32_t n = estate->state.n_steps;

    for (size_t i = 0; i < ESTATE_TABLES; i++) {
        if (undo_mark(&estate->undos[i]) > n)
            n = undo_mark(&estate->undos[i]);
    }
    return n;
}

/* Goes on with the script, up to the end-th step. */
static inline void
heir_run(struct heir *heir, uint32_t end)
{
    struct estate *estate = heir->estate;

    for (uint32_t step = estate_steps(estate); step < end; step++) {
        if (!heir->plan->amid)
            heir_finish_flush(heir);
        else if (estate->state.phase == ESTATE_SENDING)
            heir_send(heir, 2);
        else if (estate->state.phase == ESTATE_CLEARING)
            heir_clear(heir, 2);
        if (estate_closes(heir->plan, step))
            heir_close(heir, step);
        else if (estate_deletes(heir->plan, step))
            heir_delete(heir, step);
        else if (heir->verdicts == NULL || heir->verdicts[step] == TABLE_APPLIED)
            heir_apply(heir, step);
        else
            undo_commit_to(&estate->undos[0], step + 1);
        for (size_t i = 0; i < heir->plan->n_tables && step % 4 == 0; i++)
            table_tidy(&estate->tables[i]);
    }
    if (end == heir->plan->n_steps)
        heir_finish_flush(heir);
}

static inline struct estate_results *
estate_results_new(void)
{
    void *memory = mmap(NULL, sizeof(struct estate_results), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    ck_assert_ptr_ne(memory, MAP_FAILED);
    return memory;
}

static inline void
estate_results_free(struct estate_results *results)
{
    ck_assert_int_eq(munmap(results, sizeof(*results)), 0);
}

/* An encoded record. */
struct estate_span {
    const uint8_t *bytes;
    size_t len;
};

static inline int
estate_compare(const void *left, const void *right)
{
    const struct estate_span *a = left, *b = right;
    int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* The records of a flush in an order that does not depend on who was there first. */
static inline size_t
estate_sort(const struct estate_results *results, uint32_t flush, struct estate_span *out,
            size_t max)
{
    const uint8_t *at = results->sent[flush], *end = at + results->sent_len[flush];
    struct record record;
    size_t n = 0;

    for (; at < end; n++) {
        const uint8_t *from = at;

        if (n == max || record_decode(&at, end, &record) != 0)
            ck_abort_msg("flush %u is not of records", flush);
        out[n] = (struct estate_span){.bytes = from, .len = (size_t)(at - from)};
    }
    qsort(out, n, sizeof(out[0]), estate_compare);
    return n;
}

/* Whether both have sent the same, flush by flush. */
static inline bool
estate_same(const struct estate_results *results, const struct estate_results *expected)
{
    static struct estate_span a[2000], b[2000];

    for (uint32_t flush = 1; flush <= ESTATE_FLUSHES; flush++) {
        size_t n = estate_sort(results, flush, a, 2000);

        if (n != estate_sort(expected, flush, b, 2000))
            return false;
        for (size_t i = 0; i < n; i++) {
            if (estate_compare(&a[i], &b[i]) != 0)
                return false;
        }
    }
    return true;
}

/* What a process without limits sends of the samples that were applied. */
static inline void
estate_expect(const struct estate_plan *plan, const struct estate_results *results,
              struct estate_results *out)
{
    struct estate_plan free_plan = *plan;
    struct heir heir;
    int fd;

    free_plan.memory = 16 << 20;
    free_plan.max_metrics = UINT32_MAX;
    heir_begin(&heir, &free_plan, out);
    fd = heir.fd;
    heir.verdicts = results->verdicts;
    heir_run(&heir, plan->n_steps);
    heir_end(&heir);
    close(fd);
}

#endif
