/*
 * check_table: held against a plain array while metrics come and go in an order of chance; then its
 * ceilings, and the two intervals.
 */
#include "metric/table.h"

#include <check.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED     UINT64_C(20240303)
#define N_NAMES  1500
#define N_STEPS  20000
#define MEMORY   (16 << 20)
#define NO_LIMIT UINT32_MAX

static const struct hash_key key = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

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
table_of(size_t memory, uint32_t max_metrics)
{
    struct table table;

    ck_assert_int_eq(table_init(&table, memory, max_metrics, &key), 0);
    return table;
}

/* As they are; few different ones; few, and all at the end of the index, so that it wraps. */
static uint32_t
bend(uint32_t hash, int way)
{
    switch (way) {
    case 0: return hash;
    case 1: return hash & 63;
    default: return hash | UINT32_C(0xffffffc0);
    }
}

/* The sample by which a metric counts up: each of its type's states then tells n. */
static enum table_verdict
count_up(struct table *table, enum metric_type type, const char *name, uint32_t n, int way)
{
    struct sample sample = {
        .type = type,
        .value = type == METRIC_COUNTER ? 1 : n,
        .rate = 1,
        .member = (const char *)&n,
        .member_len = sizeof(n),
    };
    size_t len = strlen(name);
    uint32_t hash = bend(table_hash(table, type, name, len), way);

    return table_apply(table, &sample, name, len, hash, 1000 + n);
}

static enum table_verdict
count(struct table *table, enum metric_type type, const char *name, uint32_t n)
{
    return count_up(table, type, name, n, 0);
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
    uint32_t n[METRIC_TYPE_COUNT][N_NAMES]; /* samples; 0: not there */
    uint32_t born[METRIC_TYPE_COUNT][N_NAMES];
    uint32_t n_metrics[METRIC_TYPE_COUNT];
};

static void
check_metric(const struct model *model, struct metric *metric, uint32_t *born)
{
    char name[16] = "";
    uint32_t n;
    int i;

    memcpy(name, metric_name(metric), metric->name_len);
    i = atoi(name + 1);
    n = model->n[metric->type][i];
    if (n == 0 || counted(metric, 0) < n || counted(metric, 0) > n)
        ck_abort_msg("%s has %g, not %u", name, counted(metric, 0), n);
    if (metric->updated_ms != 1000 + n || !metric->touched[0] || metric->touched[1])
        ck_abort_msg("%s was not updated as it should", name);
    if (model->born[metric->type][i] <= *born)
        ck_abort_msg("%s is not in order of creation", name);
    *born = model->born[metric->type][i];
}

static void
check_all(const struct model *model, const struct table *table)
{
    uint32_t n_metrics[METRIC_TYPE_COUNT] = {0}, n = 0, born = 0;
    arena_ref last = 0;

    for (arena_ref ref = table->first; ref != 0; last = ref, ref = at(table, ref)->next) {
        check_metric(model, at(table, ref), &born);
        n_metrics[at(table, ref)->type]++;
        n++;
    }
    ck_assert_uint_eq(last, table->last);
    ck_assert_uint_eq(n, table->n_total);
    ck_assert_int_eq(memcmp(n_metrics, model->n_metrics, sizeof(n_metrics)), 0);
    ck_assert_int_eq(memcmp(n_metrics, table->n_metrics, sizeof(n_metrics)), 0);
}

/* One sample more or, where chance will have it, one metric less. */
static void
step(struct model *model, struct table *table, uint64_t *state, uint32_t now, int way)
{
    enum metric_type type = (enum metric_type)(draw(state) % METRIC_TYPE_COUNT);
    size_t i = draw(state) % N_NAMES;
    uint32_t *n = &model->n[type][i];
    char name[16];

    snprintf(name, sizeof(name), "n%zu", i);
    if (draw(state) % 8 == 0) {
        arena_ref before, ref = walk_to(table, type, name, &before);

        if ((ref != 0) != (*n != 0))
            ck_abort_msg("%s has %u samples, but its block is %u", name, *n, ref);
        if (ref == 0)
            return;
        table_remove(table, ref, before);
        model->n_metrics[type]--;
        *n = 0;
        return;
    }
    if ((*n)++ == 0) {
        model->n_metrics[type]++;
        model->born[type][i] = now;
    }
    if (count_up(table, type, name, *n, way) != TABLE_APPLIED)
        ck_abort_msg("%s was refused", name);
}

START_TEST(test_like_an_array)
{
    static struct model model;
    struct table table = table_of(MEMORY, NO_LIMIT);
    uint64_t state = SEED;
    size_t used = table.arena.used;
    arena_ref first;

    for (uint32_t now = 1; now <= N_STEPS; now++) {
        step(&model, &table, &state, now, _i);
        if (now % 1000 == 0)
            check_all(&model, &table);
    }
    ck_assert_uint_gt(table.n_total, 3000);
    ck_assert_uint_gt(table.n_places, table.n_total);
    used += (table.n_places - 1024) * sizeof(struct table_place);
    while ((first = table.first) != 0)
        table_remove(&table, first, 0);
    ck_assert_uint_eq(table.n_total, 0);
    ck_assert_uint_eq(table.last, 0);
    ck_assert_uint_eq(table.arena.used, used);
    ck_assert_int_eq(count(&table, METRIC_COUNTER, "a", 1), TABLE_APPLIED);
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
    ck_assert_uint_eq(table.n_total, METRIC_TYPE_COUNT);
    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        arena_ref ref = walk_to(&table, (enum metric_type)type, "a", &before);

        ck_assert_uint_eq(table.n_metrics[type], 1);
        ck_assert_uint_ne(ref, 0);
        ck_assert_double_eq(counted(at(&table, ref), table.open), 5);
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
        const char *name = names[i % 5];

        ck_assert_int_eq(table_apply(&table, &sample, name, strlen(name), 42, 0), TABLE_APPLIED);
        ck_assert_uint_eq(table.n_total, i < 5 ? i + 1 : 5);
    }
    table_release(&table);
}
END_TEST

START_TEST(test_max_metrics)
{
    struct table table = table_of(MEMORY, 10);
    char name[16];

    for (uint32_t i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(count(&table, (enum metric_type)(i % 4), name, 1),
                         i < 10 ? TABLE_APPLIED : TABLE_METRICS);
    }
    ck_assert_uint_eq(table.n_total, 10);
    for (uint32_t i = 0; i < 10; i++) {
        arena_ref before, ref;

        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(count(&table, (enum metric_type)(i % 4), name, 2), TABLE_APPLIED);
        ref = walk_to(&table, (enum metric_type)(i % 4), name, &before);
        ck_assert_double_eq(counted(at(&table, ref), table.open), 2);
    }
    table_remove(&table, table.first, 0);
    ck_assert_int_eq(count(&table, METRIC_SET, "new", 1), TABLE_APPLIED);
    table_release(&table);
}
END_TEST

START_TEST(test_memory_ceiling_for_names)
{
    enum { SIZE = 256 << 10 };
    struct table table = table_of(SIZE, NO_LIMIT);
    uint32_t n_total, n_refused = 0;
    char name[16];

    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        n_refused += count(&table, METRIC_COUNTER, name, 1) == TABLE_MEMORY;
    }
    n_total = table.n_total;
    ck_assert_uint_gt(n_refused, 0);
    ck_assert_uint_eq(n_total + n_refused, 10000);
    ck_assert_uint_gt(n_total, 700);
    ck_assert_uint_le(table.arena.used, SIZE);
    for (uint32_t i = 0; i < n_total; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        ck_assert_int_eq(count(&table, METRIC_COUNTER, name, 2), TABLE_APPLIED);
    }
    ck_assert_uint_eq(table.n_total, n_total);
    for (arena_ref ref = table.first; ref != 0; ref = at(&table, ref)->next)
        ck_assert_double_eq(counted(at(&table, ref), table.open), 2);
    table_remove(&table, table.first, 0);
    ck_assert_int_eq(count(&table, METRIC_COUNTER, "n1", 3), TABLE_APPLIED);
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
    ck_assert_double_eq(counted(at(&table, table.last), table.open), n);
    ck_assert_uint_eq(at(&table, table.last)->updated_ms, 1000 + n);
    ck_assert_int_eq(count(&table, METRIC_COUNTER, "c", 2), TABLE_APPLIED);
    ck_assert_double_eq(counted(at(&table, table.first), table.open), 2);
    table_remove(&table, table.last, table.first);
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
        uint32_t hash = table_hash(&table, types[i], "a", 1);

        ck_assert_int_eq(table_apply(&table, &sample, "a", 1, hash, 5), TABLE_APPLIED);
        ck_assert_int_eq(table_apply(&table, &sample, "a", 1, hash, 6), TABLE_OVERFLOW);
        ck_assert_uint_eq(at(&table, table.first)->updated_ms, 5);
        ck_assert_uint_eq(table.n_total, 1);
        table_release(&table);
    }
}
END_TEST

START_TEST(test_close)
{
    struct interval interval = {.end_ms = 20000, .span_ms = 10000}, later = {.end_ms = 30000};
    struct table table = table_of(MEMORY, NO_LIMIT);
    size_t used = table.arena.used;
    struct metric *metric;

    ck_assert_int_eq(count(&table, METRIC_TIMER, "a", 1), TABLE_APPLIED);
    ck_assert(table_close(&table, &interval));
    ck_assert(!table_close(&table, &later));
    ck_assert_uint_eq(table.closed.end_ms, 20000);
    for (uint32_t n = 1; n <= 3; n++)
        ck_assert_int_eq(count(&table, METRIC_TIMER, "a", n), TABLE_APPLIED);
    metric = at(&table, table.first);
    ck_assert_double_eq(counted(metric, table.open), 3);
    ck_assert_double_eq(counted(metric, table.open ^ 1), 1);
    ck_assert(metric->touched[0] && metric->touched[1]);
    table_remove(&table, table.first, 0); /* with the samples of both */
    ck_assert_uint_eq(table.arena.used, used);
    table_release(&table);
    table_release(&table);
}
END_TEST

START_TEST(test_verdict_names)
{
    ck_assert_str_eq(table_verdict_name(TABLE_APPLIED), "applied");
    ck_assert_str_eq(table_verdict_name(TABLE_METRICS), "metrics");
    ck_assert_str_eq(table_verdict_name(TABLE_MEMORY), "memory");
    ck_assert_str_eq(table_verdict_name(TABLE_OVERFLOW), "overflow");
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
    tcase_add_loop_test(tcase, test_like_an_array, 0, 3);
    tcase_add_test(tcase, test_same_name_of_each_type);
    tcase_add_test(tcase, test_names_are_compared_whole);
    tcase_add_test(tcase, test_max_metrics);
    tcase_add_test(tcase, test_memory_ceiling_for_names);
    tcase_add_loop_test(tcase, test_memory_ceiling_for_samples, 0, 2);
    tcase_add_test(tcase, test_overflow);
    tcase_add_test(tcase, test_close);
    tcase_add_test(tcase, test_verdict_names);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
