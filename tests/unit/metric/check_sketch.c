/*
 * check_sketch: within 1 % of what sorting says, whatever the samples, their order and their split;
 * a full arena costs only the sample that found it full.
 */
#include "metric/sketch.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SEED       UINT64_C(20190801)
#define N_SAMPLES  1000000
#define ARENA_SIZE (1 << 20)
#define ERROR_MAX  0.01
#define LOWEST     0x1p-30 /* the magnitudes that are covered */
#define HIGHEST    0x1p50
#define N_BUCKETS  2800u
#define BYTES_MAX  (2 * 16384)

static const double percentiles[] = {1, 10, 50, 90, 95, 99, 99.9, 100};
#define N_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

/* splitmix64. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Uniform in (0, 1). */
static double
draw_unit(uint64_t *state)
{
    return ((double)(draw(state) >> 12) + 0.5) * 0x1p-52;
}

/* Box and Muller's normal variate. */
static double
draw_normal(uint64_t *state)
{
    double radius = sqrt(-2 * log(draw_unit(state)));

    return radius * cos(2 * M_PI * draw_unit(state));
}

enum shape {
    UNIFORM,
    NORMAL,
    LOG_NORMAL,
    BIMODAL,
    CONSTANT,
    EXPONENTIAL,
    POWERS_OF_TWO,
    UNDER_POWERS_OF_TWO,
    SMALL_INTEGERS,
    ALL_MAGNITUDES,
    N_SHAPES,
};

static double
draw_sign(uint64_t *state)
{
    return draw(state) % 2 == 0 ? 1 : -1;
}

static double
draw_power(uint64_t *state)
{
    return draw_sign(state) * ldexp(1, (int)(draw(state) % 79) - 29);
}

static double
draw_sample(enum shape shape, uint64_t *state)
{
    switch (shape) {
    case UNIFORM: return 1000 * draw_unit(state);
    case NORMAL: return 20 + 100 * draw_normal(state);
    case LOG_NORMAL: return exp(3 + 2 * draw_normal(state));
    case BIMODAL:
        return draw(state) % 10 < 7 ? 10 + draw_normal(state) : 5000 + 100 * draw_normal(state);
    case CONSTANT: return 42.42;
    case EXPONENTIAL: return -320 * log(draw_unit(state));
    case POWERS_OF_TWO: return draw_power(state);
    case UNDER_POWERS_OF_TWO: return nextafter(draw_power(state), 0);
    case SMALL_INTEGERS: return (double)(draw(state) % 7) - 3;
    default: return draw_sign(state) * pow(10, -9 + 24 * draw_unit(state));
    }
}

static int
compare(const void *left, const void *right)
{
    const double *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

static void
add_all(struct sketch *sketch, struct arena *arena, const double *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sketch_add(sketch, arena, samples[i]) != SKETCH_ADDED)
            ck_abort_msg("no room for sample %zu", i);
    }
}

static void
check_close(double estimate, double exact)
{
    if (!(fabs(estimate - exact) <= ERROR_MAX * fabs(exact)))
        ck_abort_msg("%.17g, not %.17g", estimate, exact);
}

static void
check_same_answers(const struct sketch *a, const struct arena *arena, const struct sketch *b,
                   const struct arena *b_arena)
{
    uint32_t stride = a->n / 997 + 1;

    ck_assert_uint_eq(a->n, b->n);
    for (uint32_t k = 0; k < a->n; k += stride)
        ck_assert_double_eq(sketch_nth(a, arena, k), sketch_nth(b, b_arena, k));
    if (a->n > 0)
        ck_assert_double_eq(sketch_nth(a, arena, a->n - 1), sketch_nth(b, b_arena, b->n - 1));
}

START_TEST(test_against_sorting)
{
    static double samples[N_SAMPLES];
    uint64_t state = SEED;
    struct sketch sketch = {0};
    struct arena arena;

    for (size_t i = 0; i < N_SAMPLES; i++)
        samples[i] = draw_sample((enum shape)_i, &state);
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    add_all(&sketch, &arena, samples, N_SAMPLES);
    ck_assert_uint_eq(sketch.n, N_SAMPLES);
    ck_assert_uint_le(arena.used, BYTES_MAX);
    ck_assert_uint_le(sketch.positive.first + sketch.positive.capacity, N_BUCKETS);
    ck_assert_uint_le(sketch.negative.first + sketch.negative.capacity, N_BUCKETS);
    qsort(samples, N_SAMPLES, sizeof(samples[0]), compare);
    check_close(sketch_nth(&sketch, &arena, 0), samples[0]);
    for (size_t i = 0; i < N_PERCENTILES; i++) {
        uint32_t rank = (uint32_t)ceil(percentiles[i] / 100 * N_SAMPLES);

        check_close(sketch_nth(&sketch, &arena, rank - 1), samples[rank - 1]);
    }
    for (uint32_t k = 0; k < N_SAMPLES; k += 1009)
        check_close(sketch_nth(&sketch, &arena, k), samples[k]);
    arena_release(&arena);
}
END_TEST

static double
estimate_of(double value)
{
    struct sketch sketch = {0};
    struct arena arena;
    double estimate;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 16}), 0);
    ck_assert_int_eq(sketch_add(&sketch, &arena, value), SKETCH_ADDED);
    estimate = sketch_nth(&sketch, &arena, 0);
    arena_release(&arena);
    return estimate;
}

/* The beginning of each 64th of an octave, or of each bucket. */
static double
nth_border(bool buckets, int i)
{
    int n_parts = buckets ? 35 : 64;
    double part = (double)(i % n_parts) / n_parts;

    return ldexp(buckets ? exp2(part) : 1 + part, i / n_parts - 30);
}

/* One sample at a time: each border's double and its neighbours. */
START_TEST(test_every_border)
{
    bool buckets = _i == 1;
    double before = 0;

    for (int i = 0; i <= 80 * (buckets ? 35 : 64); i++) {
        double border = nth_border(buckets, i);
        double around[] = {nextafter(border, 0), border, nextafter(border, 2 * HIGHEST)};

        for (size_t j = 0; j < 3; j++) {
            double estimate = estimate_of(around[j]);

            if (around[j] >= LOWEST && around[j] < HIGHEST)
                check_close(estimate, around[j]);
            ck_assert_double_eq(estimate_of(-around[j]), -estimate);
            ck_assert_double_ge(estimate, before);
            before = estimate;
        }
    }
}
END_TEST

START_TEST(test_edges)
{
    static const double covered[] = {1e-9, LOWEST, 1, 1e15, 1125899906842623.8};
    static const double small[] = {DBL_TRUE_MIN, DBL_MIN, 1e-300, 1e-10};
    static const double large[] = {HIGHEST, 1e16, 1e300, DBL_MAX};

    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++) {
        check_close(estimate_of(covered[i]), covered[i]);
        check_close(estimate_of(-covered[i]), -covered[i]);
    }
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        ck_assert_double_eq(estimate_of(small[i]), estimate_of(LOWEST));
        ck_assert_double_eq(estimate_of(-small[i]), -estimate_of(LOWEST));
    }
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        ck_assert_double_eq(estimate_of(large[i]), estimate_of(nextafter(HIGHEST, 0)));
        ck_assert_double_eq(estimate_of(-large[i]), -estimate_of(nextafter(HIGHEST, 0)));
    }
    ck_assert_double_eq(estimate_of(0.0), 0);
    ck_assert_double_eq(estimate_of(-0.0), 0);
}
END_TEST

START_TEST(test_signs_in_order)
{
    static const double samples[] = {3, -1, 0, -200, 1e-5, 0, -1e-5, 70, -0.0};
    static const double sorted[] = {-200, -1, -1e-5, 0, 0, 0, 1e-5, 3, 70};
    enum { N = sizeof(sorted) / sizeof(sorted[0]) };
    struct sketch sketch = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    add_all(&sketch, &arena, samples, N);
    for (uint32_t k = 0; k < N; k++)
        check_close(sketch_nth(&sketch, &arena, k), sorted[k]);
    arena_release(&arena);
}
END_TEST

START_TEST(test_any_order)
{
    enum { N = 20000 };
    static double samples[N];
    uint64_t state = SEED;
    struct sketch drawn = {0}, sorted = {0}, reversed = {0};
    struct arena arena;

    for (size_t i = 0; i < N; i++)
        samples[i] = draw_sample(i % 3 == 0 ? SMALL_INTEGERS : ALL_MAGNITUDES, &state);
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    add_all(&drawn, &arena, samples, N);
    qsort(samples, N, sizeof(samples[0]), compare);
    add_all(&sorted, &arena, samples, N);
    for (size_t i = N; i-- > 0;)
        add_all(&reversed, &arena, &samples[i], 1);
    check_same_answers(&drawn, &arena, &sorted, &arena);
    check_same_answers(&drawn, &arena, &reversed, &arena);
    arena_release(&arena);
}
END_TEST

/* Into an empty one, from an empty one, and into what has fewer, more or other buckets. */
START_TEST(test_merge_is_adding_all)
{
    enum { N = 30000, N_PARTS = 4 };
    struct sketch all = {0}, parts[N_PARTS] = {0}, merged = {0};
    struct arena arenas[N_PARTS], arena;
    uint64_t state = SEED;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    for (int i = 0; i < N_PARTS; i++)
        ck_assert_int_eq(arena_init(&arenas[i], &(struct arena_opts){.size = ARENA_SIZE}), 0);
    for (int i = 0; i < N; i++) {
        double sample = draw_sample((enum shape)_i, &state);
        int part = fabs(sample) < 5 ? 0 : 1 + 2 * (i % 2); /* the third stays empty */

        add_all(&all, &arena, &sample, 1);
        add_all(&parts[part], &arenas[part], &sample, 1);
    }
    for (int i = 0; i < N_PARTS; i++)
        ck_assert_int_eq(sketch_merge(&merged, &arena, &parts[i], &arenas[i]), SKETCH_ADDED);
    check_same_answers(&all, &arena, &merged, &arena);
    sketch_reset(&merged, &arena);
    for (int i = N_PARTS; i-- > 0;)
        ck_assert_int_eq(sketch_merge(&merged, &arena, &parts[i], &arenas[i]), SKETCH_ADDED);
    check_same_answers(&all, &arena, &merged, &arena);
    sketch_reset(&all, &arena);
    sketch_reset(&merged, &arena);
    ck_assert_uint_eq(arena.used, 0);
    for (int i = 0; i < N_PARTS; i++)
        arena_release(&arenas[i]);
    arena_release(&arena);
}
END_TEST

START_TEST(test_as_many_as_can_be)
{
    struct sketch sketch = {0}, one = {0}, before;
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    ck_assert_int_eq(sketch_add(&sketch, &arena, 5), SKETCH_ADDED);
    ck_assert_int_eq(sketch_add(&one, &arena, 5), SKETCH_ADDED);
    for (int i = 0; i < 31; i++) { /* n becomes 2^32 - 1 */
        ck_assert_int_eq(sketch_merge(&sketch, &arena, &sketch, &arena), SKETCH_ADDED);
        ck_assert_int_eq(sketch_merge(&sketch, &arena, &one, &arena), SKETCH_ADDED);
    }
    ck_assert_uint_eq(sketch.n, UINT32_MAX);
    before = sketch;
    ck_assert_int_eq(sketch_add(&sketch, &arena, 5), SKETCH_OVERFLOW);
    ck_assert_int_eq(sketch_add(&sketch, &arena, 0), SKETCH_OVERFLOW);
    ck_assert_int_eq(sketch_merge(&sketch, &arena, &one, &arena), SKETCH_OVERFLOW);
    ck_assert_int_eq(sketch_merge(&one, &arena, &sketch, &arena), SKETCH_OVERFLOW);
    ck_assert_mem_eq(&sketch, &before, sizeof(sketch));
    check_close(sketch_nth(&sketch, &arena, 0), 5);
    check_close(sketch_nth(&sketch, &arena, UINT32_MAX - 1), 5);
    ck_assert_uint_eq(one.n, 1);
    arena_release(&arena);
}
END_TEST

/* From 1 outwards, by a tenth up, down, and so for the negative ones. */
static double
nth_widening(unsigned i)
{
    double magnitude = pow(i % 4 < 2 ? 1.1 : 1 / 1.1, i / 4);

    return i % 2 == 0 ? magnitude : -magnitude;
}

#define N_WIDENING (4 * 216)

static void
check_refusal(struct sketch *sketch, struct arena *arena, double sample)
{
    struct sketch before = *sketch;
    size_t used = arena->used;
    double answers[N_WIDENING];

    for (uint32_t k = 0; k < before.n; k++)
        answers[k] = sketch_nth(sketch, arena, k);
    ck_assert_int_eq(sketch_add(sketch, arena, sample), SKETCH_NO_MEMORY);
    ck_assert_mem_eq(sketch, &before, sizeof(before));
    ck_assert_uint_eq(arena->used, used);
    for (uint32_t k = 0; k < before.n; k++)
        ck_assert_double_eq(sketch_nth(sketch, arena, k), answers[k]);
    ck_assert_int_eq(sketch_add(sketch, arena, 0), SKETCH_ADDED); /* needs no memory */
    if (before.n > 0)
        ck_assert_int_eq(sketch_add(sketch, arena, nth_widening(0)), SKETCH_ADDED);
}

/* Ceilings so close together that each growth of either sign is the one that fails under some. */
START_TEST(test_full_arena_at_every_growth)
{
    unsigned failed_at[2] = {0}, last[2] = {UINT32_MAX, UINT32_MAX};
    size_t size;

    for (size = ARENA_UNIT; size < (1 << 17); size += 16 * ARENA_UNIT) {
        struct sketch sketch = {0};
        struct arena arena;
        unsigned i, sign;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = size}), 0);
        for (i = 0; i < N_WIDENING; i++) {
            if (sketch_add(&sketch, &arena, nth_widening(i)) != SKETCH_ADDED)
                break;
        }
        sign = i % 2;
        if (i < N_WIDENING) {
            unsigned capacity = (sign == 0 ? &sketch.positive : &sketch.negative)->capacity;

            check_refusal(&sketch, &arena, nth_widening(i));
            failed_at[sign] += capacity != last[sign];
            last[sign] = capacity;
        }
        sketch_reset(&sketch, &arena);
        ck_assert_uint_eq(arena.used, 0);
        arena_release(&arena);
        if (i == N_WIDENING)
            break;
    }
    ck_assert_uint_lt(size, 1 << 17);
    ck_assert_uint_eq(failed_at[0], 7); /* none, 64, 128 … 2048 */
    ck_assert_uint_eq(failed_at[1], 7);
}
END_TEST

START_TEST(test_full_arena_refuses_a_merge)
{
    struct sketch wide = {0}, into = {0}, copy = {0};
    struct arena arena, wide_arena;
    unsigned n_refused = 0;

    ck_assert_int_eq(arena_init(&wide_arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    for (unsigned i = 0; i < N_WIDENING; i++)
        ck_assert_int_eq(sketch_add(&wide, &wide_arena, nth_widening(i)), SKETCH_ADDED);
    for (size_t size = 1024; size < (1 << 17); size += 1024) {
        enum sketch_verdict verdict;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = size}), 0);
        for (unsigned i = 0; i < 6; i++) {
            ck_assert_int_eq(sketch_add(&into, &arena, nth_widening(i)), SKETCH_ADDED);
            ck_assert_int_eq(sketch_add(&copy, &wide_arena, nth_widening(i)), SKETCH_ADDED);
        }
        verdict = sketch_merge(&into, &arena, &wide, &wide_arena);
        if (verdict == SKETCH_ADDED)
            ck_assert_int_eq(sketch_merge(&copy, &wide_arena, &wide, &wide_arena), SKETCH_ADDED);
        else
            n_refused++;
        check_same_answers(&copy, &wide_arena, &into, &arena);
        sketch_reset(&into, &arena);
        sketch_reset(&copy, &wide_arena);
        ck_assert_uint_eq(arena.used, 0);
        arena_release(&arena);
    }
    ck_assert_uint_ge(n_refused, 16);
    ck_assert_uint_lt(n_refused, 100);
    arena_release(&wide_arena);
}
END_TEST

START_TEST(test_reset)
{
    struct sketch sketch = {0}, zero = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 16}), 0);
    for (int round = 0; round < 50; round++) {
        for (unsigned i = 0; i < N_WIDENING; i++)
            ck_assert_int_eq(sketch_add(&sketch, &arena, nth_widening(i)), SKETCH_ADDED);
        sketch_reset(&sketch, &arena);
        ck_assert_mem_eq(&sketch, &zero, sizeof(sketch));
        ck_assert_uint_eq(arena.used, 0);
        sketch_reset(&sketch, &arena);
    }
    arena_release(&arena);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sketch");
    TCase *tcase = tcase_create("sketch");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_against_sorting, 0, N_SHAPES);
    tcase_add_loop_test(tcase, test_every_border, 0, 2);
    tcase_add_test(tcase, test_edges);
    tcase_add_test(tcase, test_signs_in_order);
    tcase_add_test(tcase, test_any_order);
    tcase_add_loop_test(tcase, test_merge_is_adding_all, 0, N_SHAPES);
    tcase_add_test(tcase, test_as_many_as_can_be);
    tcase_add_test(tcase, test_full_arena_at_every_growth);
    tcase_add_test(tcase, test_full_arena_refuses_a_merge);
    tcase_add_test(tcase, test_reset);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
