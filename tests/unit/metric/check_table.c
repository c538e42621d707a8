/*
 * check_table: held against a plain array while metrics come and go in an order of chance; then its
 * ceilings, the two intervals, and how metrics that a flush took out are forgotten. The flush is
 * played by hand.
 */
#include "metric/table.h"

#include <check.h>
#include <float.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED     UINT64_C(20240303)
#define N_NAMES  700
#define N_ROUNDS 400
#define MEMORY   (16 << 20)
#define NO_LIMIT UINT32_MAX

static const struct filter keeps_all;

/* splitmix64. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static struct table
table_of_number(size_t memory, uint32_t max_metrics, uint32_t number)
{
    struct table_opts opts = {
        .arena = {.size = memory},
        .max_metrics = max_metrics,
        .timer_max_samples = NO_LIMIT,
        .set_exact_max = NO_LIMIT,
        .filter = &keeps_all,
        .key = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)},
    };
    struct table table;

    ck_assert_int_eq(table_init(&table, &opts, number), 0);
    return table;
}

static struct table
table_of(size_t memory, uint32_t max_metrics)
{
    return table_of_number(memory, max_metrics, 0);
}

static struct name
name_of(const char *text)
{
    return (struct name){.text = text, .len = strlen(text)};
}

/* Names of which the hashes are as they are, all meet in one stretch of the index, or all meet at
 * its end, so that it wraps. */
enum way { WAY_ANY, WAY_CROWDED, WAY_AT_THE_END, N_WAYS };

static bool
goes(enum way way, uint32_t hash)
{
    switch (way) {
    case WAY_ANY: return true;
    case WAY_CROWDED: return (hash & 4095) < 64;
    default: return (hash & 4095) >= 4096 - 64;
    }
}

/* "n", i and a number that makes the hash go the way. */
static void
make_name(const struct table *table, enum metric_type type, size_t i, enum way way, char out[16])
{
    uint32_t hash;

    for (unsigned salt = 0;; salt++) {
        struct name name = {.text = out, .len = (size_t)snprintf(out, 16, "n%zu.%u", i, salt)};

        hash = table_hash(table, type, &name);
        if (goes(way, hash))
            return;
    }
}

/* The sample by which a metric counts up: each of its type's states then tells n. */
static enum table_verdict
count(struct table *table, enum metric_type type, const char *name, uint32_t n)
{
    struct sample sample = {
        .type = type,
        .value = type == METRIC_COUNTER ? 1 : n,
        .rate = 1,
        .member = (const char *)&n,
        .member_len = sizeof(n),
    };
    struct name clean = name_of(name);
    uint32_t hash = table_hash(table, type, &clean);

    return table_apply(table, &sample, &clean, hash, 1000 + n);
}

static double
counted(struct metric *metric, unsigned generation)
{
    void *state = metric_state(metric, generation);

    switch (metric->type) {
    case METRIC_COUNTER: return sum_value(&((struct counter *)state)->sum);
    case METRIC_GAUGE: return ((struct gauge *)state)->value;
    case METRIC_TIMER: return ((struct timer *)state)->n;
    default: return ((struct set *)state)->n;
    }
}

static struct metric *
at(const struct table *table, arena_ref ref)
{
    return arena_at(&table->arena, ref);
}

static struct metric *
find(const struct table *table, enum metric_type type, const char *name)
{
    struct name clean = name_of(name);

    return table_find(table, type, &clean, table_hash(table, type, &clean));
}

/* Takes a metric out of the order, as a flush does it while it is running. before: what stands
 * before it, or 0. */
static void
take_out(struct table *table, arena_ref ref, arena_ref before)
{
    struct metric *metric = at(table, ref);

    ck_assert_uint_ne(ref, table->newest);
    if (before == 0)
        table->first = metric->next;
    else
        at(table, before)->next = metric->next;
    metric->next = table->unlinked;
    table->unlinked = ref;
}

/* Ends a flush; every metric counts as reset. */
static void
end_flush(struct table *table)
{
    unsigned closed = table_open(table) ^ 1;

    for (arena_ref ref = table->first; ref != 0; ref = at(table, ref)->next) {
        metric_reset(at(table, ref), closed, &table->arena, &table->freed);
        if (ref == table->newest)
            break;
    }
    for (arena_ref ref = table->unlinked; ref != 0; ref = at(table, ref)->next)
        metric_reset(at(table, ref), closed, &table->arena, &table->freed);
    table->flushing = false;
}

/* Walks to a metric; *out_before is the one before it. 0 where there is none. */
static arena_ref
walk_to(const struct table *table, enum metric_type type, const char *name, arena_ref *out_before)
{
    arena_ref ref = table->first;

    *out_before = 0;
    for (; ref != 0; *out_before = ref, ref = at(table, ref)->next) {
        const struct metric *metric = at(table, ref);

        if (metric->type == type && metric->name_len == strlen(name) &&
            memcmp(metric_name(metric), name, metric->name_len) == 0)
            return ref;
    }
    return 0;
}

struct model {
    char names[METRIC_TYPE_COUNT][N_NAMES][16];
    uint32_t n[METRIC_TYPE_COUNT][N_NAMES]; /* samples of the open interval */
    bool exists[METRIC_TYPE_COUNT][N_NAMES];
    bool taken_out[METRIC_TYPE_COUNT][N_NAMES];
    uint32_t n_metrics, n_revived;
};

/* Which of its type's names a metric has. */
static int
number_of(const struct metric *metric)
{
    char text[16] = "";

    memcpy(text, metric_name(metric), metric->name_len);
    return atoi(text + 1);
}

static void
check_metric(const struct model *model, struct table *table, struct metric *metric)
{
    int i = number_of(metric);
    const char *name = model->names[metric->type][i];
    uint32_t n = model->n[metric->type][i];

    if (!model->exists[metric->type][i] || model->taken_out[metric->type][i])
        ck_abort_msg("%s should not be there", name);
    if (find(table, metric->type, name) != metric)
        ck_abort_msg("%s is not found", name);
    if (counted(metric, table_open(table)) < n || counted(metric, table_open(table)) > n)
        ck_abort_msg("%s has %g, not %u", name, counted(metric, table_open(table)), n);
    if (metric_touched(metric, table_open(table)) != (n > 0) ||
        (n > 0 && metric_updated_ms(metric) != 1000 + n))
        ck_abort_msg("%s was not updated as it should", name);
}

/* Every metric that should be there stands once in the order, and none besides. */
static void
check_all(const struct model *model, struct table *table)
{
    uint32_t n = 0, n_out = 0;
    arena_ref last = 0;

    for (arena_ref ref = table->first; ref != 0; last = ref, ref = at(table, ref)->next, n++)
        check_metric(model, table, at(table, ref));
    for (arena_ref ref = table->unlinked; ref != 0; ref = at(table, ref)->next)
        n_out++;
    ck_assert_uint_eq(last, table->last);
    ck_assert_uint_eq(n + n_out, table->n_metrics);
    ck_assert_uint_eq(table->n_metrics, model->n_metrics);
}

static void
apply_some(struct model *model, struct table *table, uint64_t *state)
{
    for (uint64_t left = draw(state) % 200; left > 0; left--) {
        enum metric_type type = (enum metric_type)(draw(state) % METRIC_TYPE_COUNT);
        size_t i = draw(state) % N_NAMES;
        const char *name = model->names[type][i];

        if (!model->exists[type][i])
            model->n_metrics++;
        model->exists[type][i] = true;
        if (count(table, type, name, ++model->n[type][i]) != TABLE_APPLIED)
            ck_abort_msg("%s was refused", name);
    }
}

/* The flush takes some of the idle metrics out, wherever they stand. */
static void
take_some_out(struct model *model, struct table *table, uint64_t *state, uint64_t share)
{
    arena_ref before = 0, next;

    for (arena_ref ref = table->first; ref != table->newest; ref = next) {
        struct metric *metric = at(table, ref);
        int i = number_of(metric);

        next = metric->next;
        if (metric_touched(metric, table_open(table) ^ 1) || draw(state) % share != 0) {
            before = ref;
            continue;
        }
        model->taken_out[metric->type][i] = true;
        take_out(table, ref, before);
    }
}

/* What was taken out and not touched since is forgotten by the close. */
static void
expect_close(struct model *model)
{
    for (size_t type = 0; type < METRIC_TYPE_COUNT; type++) {
        for (size_t i = 0; i < N_NAMES; i++) {
            if (model->taken_out[type][i] && model->n[type][i] == 0) {
                model->exists[type][i] = false;
                model->n_metrics--;
            }
            model->n_revived += model->taken_out[type][i] && model->n[type][i] > 0;
            model->taken_out[type][i] = false;
            model->n[type][i] = 0;
        }
    }
}

START_TEST(test_like_an_array)
{
    static struct model model;
    struct table table = table_of(MEMORY, NO_LIMIT);
    uint64_t state = SEED;
    uint32_t n_taken_out = 0, least = UINT32_MAX;

    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        for (size_t i = 0; i < N_NAMES; i++)
            make_name(&table, (enum metric_type)type, i, (enum way)_i, model.names[type][i]);
    }
    for (int round = 0; round < N_ROUNDS; round++) {
        apply_some(&model, &table, &state);
        expect_close(&model);
        table_close(&table);
        ck_assert_uint_eq(table.unlinked, 0);
        apply_some(&model, &table, &state);
        if (table.newest != 0)
            take_some_out(&model, &table, &state, round / 20 % 2 == 0 ? 4 : 300);
        apply_some(&model, &table, &state);
        end_flush(&table);
        /* Samples may also have come for what was taken out: it is still found, not walked to. */
        for (size_t type = 0; type < METRIC_TYPE_COUNT; type++) {
            for (size_t i = 0; i < N_NAMES; i++)
                n_taken_out += model.taken_out[type][i];
        }
        check_all(&model, &table);
        least = model.n_metrics < least ? model.n_metrics : least;
    }
    ck_assert_uint_gt(n_taken_out, 1000);
    ck_assert_uint_gt(model.n_revived, 100);
    ck_assert_uint_gt(table.n_metrics, least);
    table_release(&table);
}
END_TEST

/* Everything that is taken out comes back to the arena; the index keeps what it has grown to. */
START_TEST(test_forgetting_all)
{
    struct table table = table_of(MEMORY, NO_LIMIT);
    arena_ref newest;
    size_t used;
    char name[16];

    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(count(&table, (enum metric_type)(i % 4), name, 1), TABLE_APPLIED);
    }
    ck_assert_uint_eq(table.index.log2_n, 12);
    table_close(&table);
    end_flush(&table);
    table_close(&table);
    newest = table.newest;
    while (table.first != newest)
        take_out(&table, table.first, 0);
    end_flush(&table);
    table_close(&table);
    ck_assert_uint_eq(table.n_metrics, 1);
    ck_assert_uint_eq(table.first, newest);
    ck_assert_uint_eq(table.last, newest);
    used = metric_size(METRIC_SET, 5) + (sizeof(struct index_place) << table.index.log2_n);
    ck_assert_uint_le(table.arena.used, used + ARENA_UNIT);
    ck_assert_ptr_nonnull(find(&table, METRIC_SET, "n2999"));
    for (uint32_t i = 0; i < 2999; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_ptr_null(find(&table, (enum metric_type)(i % 4), name));
    }
    end_flush(&table);
    table_release(&table);
}
END_TEST

/* Touched after it was taken out, a metric goes on, behind all others, with what it was given. */
START_TEST(test_revived)
{
    struct table table = table_of(MEMORY, NO_LIMIT);
    struct metric *metric;

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(count(&table, METRIC_COUNTER,
                               i == 0   ? "a"
                               : i == 1 ? "b"
                                        : "c",
                               1),
                         TABLE_APPLIED);
    table_close(&table);
    end_flush(&table);
    table_close(&table);
    metric = at(&table, table.first);
    take_out(&table, table.first, 0);
    take_out(&table, table.first, 0);
    ck_assert_int_eq(count(&table, METRIC_COUNTER, "a", 1), TABLE_APPLIED);
    ck_assert_ptr_eq(find(&table, METRIC_COUNTER, "a"), metric);
    ck_assert_uint_eq(table.n_metrics, 3);
    end_flush(&table);
    ck_assert_int_eq(count(&table, METRIC_COUNTER, "a", 1), TABLE_APPLIED);
    table_close(&table);
    ck_assert_uint_eq(table.n_metrics, 2);
    ck_assert_ptr_null(find(&table, METRIC_COUNTER, "b"));
    ck_assert_ptr_eq(at(&table, table.last), metric);
    ck_assert_uint_eq(table.newest, table.last);
    ck_assert_double_eq(counted(metric, table_open(&table) ^ 1), 2);
    table_release(&table);
}
END_TEST

/* Between two intervals, what the flush has freed can be had without a close. */
START_TEST(test_tidy)
{
    struct table table = table_of(MEMORY, NO_LIMIT);
    size_t used;

    for (uint32_t n = 1; n <= 100; n++)
        ck_assert_int_eq(count(&table, METRIC_TIMER, "a", n), TABLE_APPLIED);
    table_close(&table);
    used = table.arena.used;
    metric_reset(at(&table, table.first), table_open(&table) ^ 1, &table.arena, &table.freed);
    table_tidy(&table); /* the flush is still at it */
    ck_assert_uint_eq(table.arena.used, used);
    ck_assert_uint_eq(table.freed.size, 1024);
    end_flush(&table);
    table_tidy(&table);
    ck_assert_uint_eq(table.arena.used, used - 1024);
    ck_assert_uint_eq(table.freed.size, 0);
    table_tidy(&table);
    ck_assert_uint_eq(table.arena.used, used - 1024);
    table_release(&table);
}
END_TEST

/* What is not there is not made; what is there is as table_apply has it. */
START_TEST(test_known_names)
{
    struct table table = table_of(MEMORY, NO_LIMIT);
    struct sample sample = {.type = METRIC_COUNTER, .value = 3, .rate = 1};
    struct name a = name_of("a"), raw = name_of("a b");
    uint32_t hash = table_hash(&table, METRIC_COUNTER, &a);
    uint32_t raw_hash = table_hash(&table, METRIC_COUNTER, &raw);

    ck_assert_int_eq(table_apply_known(&table, &sample, &a, hash, 5), TABLE_UNKNOWN);
    ck_assert_uint_eq(table.n_metrics, 0);
    ck_assert_int_eq(table_apply(&table, &sample, &a, hash, 6), TABLE_APPLIED);
    ck_assert_int_eq(table_apply_known(&table, &sample, &a, hash, 7), TABLE_APPLIED);
    ck_assert_int_eq(table_apply_known(&table, &sample, &raw, raw_hash, 8), TABLE_UNKNOWN);
    ck_assert_uint_eq(table.n_metrics, 1);
    ck_assert_double_eq(counted(at(&table, table.first), table_open(&table)), 6);
    ck_assert_uint_eq(metric_updated_ms(at(&table, table.first)), 7);
    sample.value = DBL_MAX;
    ck_assert_int_eq(table_apply_known(&table, &sample, &a, hash, 9), TABLE_APPLIED);
    ck_assert_int_eq(table_apply_known(&table, &sample, &a, hash, 10), TABLE_OVERFLOW);
    at(&table, table.first)->filtered = true;
    ck_assert_int_eq(table_apply_known(&table, &sample, &a, hash, 11), TABLE_FILTERED);
    table_release(&table);
}
END_TEST

START_TEST(test_filtered)
{
    struct filter_opts lists = {.drop = "no.*", .allow = NULL};
    uint8_t storage[64];
    struct filter filter;
    struct table table = table_of(MEMORY, 2);

    ck_assert_int_eq(filter_init(&filter, &lists, storage, sizeof(storage)), 0);
    table.opts.filter = &filter;
    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        for (uint32_t n = 1; n <= 3; n++)
            ck_assert_int_eq(count(&table, (enum metric_type)type, "no.way", n),
                             type < 2 ? TABLE_FILTERED : TABLE_METRICS);
    }
    for (unsigned type = 0; type < 2; type++) {
        struct metric *metric = find(&table, (enum metric_type)type, "no.way");

        ck_assert(metric->filtered && !metric_touched(metric, table_open(&table)));
        ck_assert_uint_eq(metric_updated_ms(metric), 0);
        ck_assert_double_eq(counted(metric, table_open(&table)), 0);
    }
    table_release(&table);
}
END_TEST

static unsigned
n_places_with(const struct table *table, const struct index *index, arena_ref ref)
{
    const struct index_place *places = arena_at(&table->arena, index->places);
    unsigned n = 0;

    for (uint32_t i = 0; i < 1u << index->log2_n; i++)
        n += places[i].ref == ref;
    return n;
}

/* The flush may look into the old index until the next close. */
START_TEST(test_index_grows_beside_a_flush)
{
    struct table table = table_of(MEMORY, NO_LIMIT);
    struct index before = table.index;
    char name[16];

    ck_assert_int_eq(count(&table, METRIC_COUNTER, "n0", 1), TABLE_APPLIED);
    table_close(&table);
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(count(&table, METRIC_COUNTER, name, 1), TABLE_APPLIED);
        ck_assert_ptr_nonnull(find(&table, METRIC_COUNTER, "n0"));
    }
    ck_assert_uint_gt(table.index.log2_n, before.log2_n);
    ck_assert_uint_ne(table.index.places, before.places);
    ck_assert_uint_gt(table.retired.n, 0);
    ck_assert_uint_eq(n_places_with(&table, &before, table.first), 1);
    end_flush(&table);
    table_close(&table);
    ck_assert_uint_eq(table.retired.n, 0);
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_ptr_nonnull(find(&table, METRIC_COUNTER, name));
    }
    table_release(&table);
}
END_TEST

START_TEST(test_same_name_of_each_type)
{
    struct table table = table_of(MEMORY, NO_LIMIT);
    arena_ref before;

    for (uint32_t n = 1; n <= 5; n++) {
        for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++)
            ck_assert_int_eq(count(&table, (enum metric_type)type, "a", n), TABLE_APPLIED);
    }
    ck_assert_uint_eq(table.n_metrics, METRIC_TYPE_COUNT);
    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        arena_ref ref = walk_to(&table, (enum metric_type)type, "a", &before);

        ck_assert_uint_ne(ref, 0);
        ck_assert_double_eq(counted(at(&table, ref), table_open(&table)), 5);
    }
    table_release(&table);
}
END_TEST

/* Names that are each other's beginnings, under one hash. */
START_TEST(test_names_are_compared_whole)
{
    static const char *const names[] = {"a", "aa", "aaa", "aab", "b"};
    struct table table = table_of(MEMORY, NO_LIMIT);
    struct sample sample = {.type = METRIC_COUNTER, .value = 1, .rate = 1};

    for (size_t i = 0; i < 10; i++) {
        struct name name = name_of(names[i % 5]);

        ck_assert_int_eq(table_apply(&table, &sample, &name, 42, 0), TABLE_APPLIED);
        ck_assert_uint_eq(table.n_metrics, i < 5 ? i + 1 : 5);
    }
    table_release(&table);
}
END_TEST

/* The first metric, forgotten the way that flush and close go. */
static void
forget_first(struct table *table)
{
    table_close(table);
    end_flush(table);
    table_close(table);
    take_out(table, table->first, 0);
    end_flush(table);
    table_close(table);
    end_flush(table);
}

START_TEST(test_max_metrics)
{
    struct table table = table_of(MEMORY, 10);
    char name[16];

    for (uint32_t i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(count(&table, (enum metric_type)(i % 4), name, 1),
                         i < 10 ? TABLE_APPLIED : TABLE_METRICS);
    }
    ck_assert_uint_eq(table.n_metrics, 10);
    for (uint32_t i = 0; i < 10; i++) {
        arena_ref before, ref;

        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(count(&table, (enum metric_type)(i % 4), name, 2), TABLE_APPLIED);
        ref = walk_to(&table, (enum metric_type)(i % 4), name, &before);
        ck_assert_double_eq(counted(at(&table, ref), table_open(&table)), 2);
    }
    forget_first(&table);
    ck_assert_int_eq(count(&table, METRIC_SET, "new", 1), TABLE_APPLIED);
    table_release(&table);
}
END_TEST

START_TEST(test_memory_ceiling_for_names)
{
    enum { SIZE = 256 << 10 };
    struct table table = table_of(SIZE, NO_LIMIT);
    uint32_t n_metrics, n_refused = 0;
    char name[16];

    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        n_refused += count(&table, METRIC_COUNTER, name, 1) == TABLE_MEMORY;
    }
    n_metrics = table.n_metrics;
    ck_assert_uint_gt(n_refused, 0);
    ck_assert_uint_eq(n_metrics + n_refused, 10000);
    ck_assert_uint_gt(n_metrics, 700);
    ck_assert_uint_le(table.arena.used, SIZE);
    for (uint32_t i = 0; i < n_metrics; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(count(&table, METRIC_COUNTER, name, 2), TABLE_APPLIED);
    }
    ck_assert_uint_eq(table.n_metrics, n_metrics);
    for (arena_ref ref = table.first; ref != 0; ref = at(&table, ref)->next)
        ck_assert_double_eq(counted(at(&table, ref), table_open(&table)), 2);
    forget_first(&table);
    ck_assert_int_eq(count(&table, METRIC_COUNTER, "n1", 3), TABLE_APPLIED);
    ck_assert_int_eq(count(&table, METRIC_COUNTER, "n0", 1), TABLE_APPLIED); /* in its own place */
    table_release(&table);
}
END_TEST

/* Samples of timers and members of sets that find no room leave what is there exact. */
START_TEST(test_memory_ceiling_for_samples)
{
    static const enum metric_type types[] = {METRIC_TIMER, METRIC_SET};
    enum metric_type type = types[_i];
    struct table table = table_of(64 << 10, NO_LIMIT);
    uint32_t n = 0;

    ck_assert_int_eq(count(&table, METRIC_COUNTER, "c", 1), TABLE_APPLIED);
    while (n < 100000 && count(&table, type, "x", n + 1) == TABLE_APPLIED)
        n++;
    ck_assert_uint_ge(n, 500);
    ck_assert_uint_lt(n, 100000);
    ck_assert_int_eq(count(&table, type, "x", n + 1), TABLE_MEMORY);
    ck_assert_double_eq(counted(at(&table, table.last), table_open(&table)), n);
    ck_assert_uint_eq(metric_updated_ms(at(&table, table.last)), 1000 + n);
    ck_assert_int_eq(count(&table, METRIC_COUNTER, "c", 2), TABLE_APPLIED);
    ck_assert_double_eq(counted(at(&table, table.first), table_open(&table)), 2);
    table_close(&table);
    end_flush(&table);
    table_close(&table);
    end_flush(&table);
    ck_assert_int_eq(count(&table, type, "x", 1), TABLE_APPLIED);
    table_release(&table);
}
END_TEST

START_TEST(test_overflow)
{
    static const enum metric_type types[] = {METRIC_COUNTER, METRIC_TIMER};

    for (size_t i = 0; i < 2; i++) {
        struct table table = table_of(MEMORY, NO_LIMIT);
        struct sample sample = {.type = types[i], .value = DBL_MAX, .rate = 1};
        struct name name = name_of("a");
        uint32_t hash = table_hash(&table, types[i], &name);

        ck_assert_int_eq(table_apply(&table, &sample, &name, hash, 5), TABLE_APPLIED);
        ck_assert_int_eq(table_apply(&table, &sample, &name, hash, 6), TABLE_OVERFLOW);
        ck_assert_uint_eq(metric_updated_ms(at(&table, table.first)), 5);
        ck_assert_uint_eq(table.n_metrics, 1);
        table_release(&table);
    }
}
END_TEST

START_TEST(test_close)
{
    struct table table = table_of(MEMORY, NO_LIMIT);
    size_t used = table.arena.used;
    struct metric *metric;
    unsigned open = table_open(&table);

    ck_assert_int_eq(count(&table, METRIC_TIMER, "a", 1), TABLE_APPLIED);
    table_close(&table);
    ck_assert_uint_eq(table_open(&table), open ^ 1);
    ck_assert_uint_eq(table.check, table_check(&table));
    for (uint32_t n = 1; n <= 3; n++)
        ck_assert_int_eq(count(&table, METRIC_TIMER, "a", n), TABLE_APPLIED);
    metric = at(&table, table.first);
    ck_assert_double_eq(counted(metric, table_open(&table)), 3);
    ck_assert_double_eq(counted(metric, open), 1);
    ck_assert(metric_touched(metric, 0) && metric_touched(metric, 1));
    ck_assert_uint_gt(table.arena.used, used);
    end_flush(&table);
    ck_assert_double_eq(counted(metric, open), 0);
    ck_assert_double_eq(counted(metric, table_open(&table)), 3);
    table_close(&table);
    ck_assert_uint_eq(table.freed.size, 0);
    end_flush(&table);
    table_close(&table);
    ck_assert_uint_eq(table.arena.used, used + (metric_size(METRIC_TIMER, 1) + 15) / 16 * 16);
    table_release(&table);
    table_release(&table);
}
END_TEST

START_TEST(test_closing_amid_a_flush_is_a_bug)
{
    struct table table = table_of(MEMORY, NO_LIMIT);

    table_close(&table);
    table_close(&table);
}
END_TEST

/* The number goes round, and the generations with it. */
START_TEST(test_numbers_go_round)
{
    struct table table = table_of_number(MEMORY, NO_LIMIT, UINT32_MAX);

    for (uint32_t n = UINT32_MAX; n != 3; n++) {
        ck_assert_uint_eq(table.number, n);
        ck_assert_int_eq(count(&table, METRIC_COUNTER, "a", 1), TABLE_APPLIED);
        ck_assert(metric_touched(at(&table, table.first), n % 2));
        table_close(&table);
        ck_assert_uint_eq(table.check, table_check(&table));
        end_flush(&table);
    }
    table_release(&table);
}
END_TEST

START_TEST(test_verdict_names)
{
    ck_assert_str_eq(table_verdict_names[TABLE_APPLIED], "applied");
    ck_assert_str_eq(table_verdict_names[TABLE_FILTERED], "filtered");
    ck_assert_str_eq(table_verdict_names[TABLE_METRICS], "metrics");
    ck_assert_str_eq(table_verdict_names[TABLE_MEMORY], "memory");
    ck_assert_str_eq(table_verdict_names[TABLE_OVERFLOW], "overflow");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_like_an_array, 0, N_WAYS);
    tcase_add_test(tcase, test_forgetting_all);
    tcase_add_test(tcase, test_revived);
    tcase_add_test(tcase, test_tidy);
    tcase_add_test(tcase, test_known_names);
    tcase_add_test(tcase, test_filtered);
    tcase_add_test(tcase, test_index_grows_beside_a_flush);
    tcase_add_test(tcase, test_same_name_of_each_type);
    tcase_add_test(tcase, test_names_are_compared_whole);
    tcase_add_test(tcase, test_max_metrics);
    tcase_add_test(tcase, test_memory_ceiling_for_names);
    tcase_add_loop_test(tcase, test_memory_ceiling_for_samples, 0, 2);
    tcase_add_test(tcase, test_overflow);
    tcase_add_test(tcase, test_close);
    tcase_add_test_raise_signal(tcase, test_closing_amid_a_flush_is_a_bug, SIGABRT);
    tcase_add_test(tcase, test_numbers_go_round);
    tcase_add_test(tcase, test_verdict_names);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
