/*
 * check_metric: the layout of an entry: states that do not touch each other nor the name.
 */
#include "metric/metric.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const size_t state_sizes[METRIC_TYPE_COUNT] = {
    [METRIC_COUNTER] = sizeof(struct counter),
    [METRIC_GAUGE] = sizeof(struct gauge),
    [METRIC_TIMER] = sizeof(struct timer),
    [METRIC_SET] = sizeof(struct set),
};

/* On a heap block of just its size; the caller frees it. */
static struct metric *
metric_of(enum metric_type type, const char *name, size_t name_len)
{
    struct metric *metric = malloc(metric_size(type, name_len));

    ck_assert_ptr_nonnull(metric);
    memset(metric, 0xa5, metric_size(type, name_len));
    metric_init(metric, type, name, name_len, 4711);
    return metric;
}

static bool
is_filled(const void *bytes, size_t len, uint8_t byte)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++) {
        if (at[i] != byte)
            return false;
    }
    return true;
}

START_TEST(test_new_metric)
{
    static const char name[1024] = "a.b-c";

    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        for (size_t len = 1; len <= sizeof(name); len += 31) {
            struct metric *metric = metric_of((enum metric_type)type, name, len);

            ck_assert_uint_eq(metric->type, type);
            ck_assert_uint_eq(metric->name_len, len);
            ck_assert_uint_eq(metric->hash, 4711);
            ck_assert_int_eq(memcmp(metric_name(metric), name, len), 0);
            ck_assert(is_filled(metric_state(metric, 0), 2 * state_sizes[type], 0));
            ck_assert(type != METRIC_GAUGE ||
                      is_filled(metric_last(metric), sizeof(struct gauge_last), 0));
            ck_assert(!metric->filtered);
            ck_assert_uint_eq(metric->round, 0);
            ck_assert(!metric_touched(metric, 0) && !metric_touched(metric, 1));
            ck_assert_uint_eq(metric->next, 0);
            ck_assert_uint_eq(metric->active, 0);
            ck_assert_uint_eq(metric_updated_ms(metric), 0);
            free(metric);
        }
    }
}
END_TEST

START_TEST(test_states_stand_apart)
{
    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        struct metric *metric = metric_of((enum metric_type)type, "name", 4);
        void *states[2] = {metric_state(metric, 0), metric_state(metric, 1)};

        memset(states[0], 0x11, state_sizes[type]);
        memset(states[1], 0x22, state_sizes[type]);
        ck_assert(is_filled(states[0], state_sizes[type], 0x11));
        ck_assert(is_filled(states[1], state_sizes[type], 0x22));
        ck_assert_uint_eq(metric->type, type);
        ck_assert_int_eq(memcmp(metric_name(metric), "name", 4), 0);
        ck_assert_uint_eq((uintptr_t)states[0] % _Alignof(uint32_t), 0);
        if (type != METRIC_SET)
            ck_assert_uint_eq((uintptr_t)states[1] % _Alignof(double), 0);
        free(metric);
    }
}
END_TEST

START_TEST(test_last_value_of_a_gauge)
{
    struct metric *metric = metric_of(METRIC_GAUGE, "name", 4);
    struct gauge gauge = {.value = 7, .set_ms = 5};

    metric->active = 3;
    metric_set_last(metric, &gauge);
    ck_assert_uint_eq(metric_last(metric)->active, 3);
    ck_assert_uint_ne(metric_last(metric)->check, 0);
    ck_assert(is_filled(metric_state(metric, 0), 2 * sizeof(struct gauge), 0));
    memset(metric_state(metric, 0), 0x33, 2 * sizeof(struct gauge));
    ck_assert_double_eq(metric_last(metric)->gauge.value, 7);
    ck_assert_uint_eq(metric_last(metric)->gauge.set_ms, 5);
    ck_assert_int_eq(memcmp(metric_name(metric), "name", 4), 0);
    free(metric);
}
END_TEST

/* Puts three samples into a generation; more than max of them are not kept exactly. */
static void
fill(struct metric *metric, unsigned generation, struct arena *arena, uint32_t max)
{
    void *state = metric_state(metric, generation);

    for (unsigned i = 1; i <= 3; i++) {
        struct sample sample = {.type = metric->type, .value = i, .rate = 1};

        switch (metric->type) {
        case METRIC_COUNTER: ck_assert_int_eq(counter_add(state, &sample), 0); break;
        case METRIC_GAUGE: gauge_set(state, &sample, 1000 + i); break;
        case METRIC_TIMER: ck_assert_int_eq(timer_add(state, arena, &sample, max), 0); break;
        default: ck_assert_int_eq(set_add(state, arena, i, max), 0); break;
        }
    }
    metric->check[generation] = metric_check(metric, state, state_sizes[metric->type]);
}

START_TEST(test_reset_of_one_generation)
{
    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        struct metric *metric = metric_of((enum metric_type)type, "name", 4);
        uint8_t before[sizeof(struct timer)];
        uint32_t max = _i == 0 ? 100 : 2;
        struct arena_pile pile = {0};
        struct arena arena;
        size_t used;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 18}), 0);
        fill(metric, 0, &arena, max);
        used = arena.used;
        fill(metric, 1, &arena, max);
        memcpy(before, metric_state(metric, 0), state_sizes[type]);
        metric_reset(metric, 1, &arena, &pile);
        ck_assert_uint_eq(arena.used, used + pile.size);
        arena_take_back(&arena, &pile);
        ck_assert_uint_eq(arena.used, used);
        ck_assert(is_filled(metric_state(metric, 1), state_sizes[type], 0));
        ck_assert_int_eq(memcmp(metric_state(metric, 0), before, state_sizes[type]), 0);
        ck_assert(metric_touched(metric, 0) && !metric_touched(metric, 1));
        metric_reset(metric, 0, &arena, &pile);
        metric_reset(metric, 0, &arena, &pile);
        arena_take_back(&arena, &pile);
        ck_assert_uint_eq(arena.used, 0);
        arena_release(&arena);
        free(metric);
    }
}
END_TEST

/* Every bit of a state has its part in the check word, and so has whose state it is. */
START_TEST(test_check_word)
{
    for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
        struct metric *metric = metric_of((enum metric_type)type, "name", 4);
        uint8_t *state = metric_state(metric, 0);
        uint32_t check;

        for (size_t i = 0; i < state_sizes[type]; i++)
            state[i] = (uint8_t)(i * 37 + 11);
        check = metric_check(metric, state, state_sizes[type]);
        for (size_t bit = 0; bit < state_sizes[type] * 8; bit++) {
            state[bit / 8] ^= (uint8_t)(1u << bit % 8);
            ck_assert_uint_ne(metric_check(metric, state, state_sizes[type]), check);
            state[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        ck_assert_uint_eq(metric_check(metric, state, state_sizes[type]), check);
        metric->hash++;
        ck_assert_uint_ne(metric_check(metric, state, state_sizes[type]), check);
        metric->hash = 0;
        memset(state, 0, state_sizes[type]);
        ck_assert_uint_ne(metric_check(metric, state, state_sizes[type]), 0);
        free(metric);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("metric");
    TCase *tcase = tcase_create("metric");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_new_metric);
    tcase_add_test(tcase, test_states_stand_apart);
    tcase_add_test(tcase, test_last_value_of_a_gauge);
    tcase_add_loop_test(tcase, test_reset_of_one_generation, 0, 2);
    tcase_add_test(tcase, test_check_word);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
