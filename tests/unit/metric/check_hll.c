/*
 * check_hll: estimates held against how many members were drawn, and against registers as an
 * astronomical number of members would leave them.
 */
#include "metric/hll.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE (1 << 20)
#define N_SEEDS    8

/* splitmix64. */
static uint64_t
draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t
seed_of(int i)
{
    return (uint64_t)i * UINT64_C(1000000007) + 2017;
}

static void
add_drawn(struct hll *hll, struct arena *arena, uint64_t n, uint64_t *state)
{
    for (uint64_t i = 0; i < n; i++) {
        if (hll_add(hll, arena, draw(state)) != 0)
            ck_abort_msg("no room for member %lu", (unsigned long)i);
    }
}

static double
error_of(uint64_t estimate, double n)
{
    return ((double)estimate - n) / n;
}

/* error_max holds for each seed, rms_max for the root of the mean square of all their errors. What
 * theory allows is 0.55 % of 1,000 members and 0.81 % of very many. */
static const struct {
    uint64_t n;
    double error_max, rms_max;
} sizes[] = {
    {1, 0, 0},
    {2, 0, 0},
    {10, 0, 0},
    {100, 0.01, 0.01},
    {1000, 0.02, 0.01},
    {16384, 0.02, 0.01},
    {50000, 0.02, 0.01},
    {200000, 0.02, 0.012},
    {1000000, 0.02, 0.012},
};

START_TEST(test_estimates)
{
    double squares = 0, n = (double)sizes[_i].n;

    for (int i = 0; i < N_SEEDS; i++) {
        uint64_t state = seed_of(i), again = state, estimate;
        struct hll hll = {0};
        struct arena arena;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
        ck_assert_uint_eq(hll_estimate(&hll, &arena), 0);
        add_drawn(&hll, &arena, sizes[_i].n, &state);
        estimate = hll_estimate(&hll, &arena);
        if (!(fabs(error_of(estimate, n)) <= sizes[_i].error_max))
            ck_abort_msg("seed %d: %lu, not %.0f", i, (unsigned long)estimate, n);
        squares += error_of(estimate, n) * error_of(estimate, n);
        add_drawn(&hll, &arena, sizes[_i].n, &again); /* the same ones */
        ck_assert_uint_eq(hll_estimate(&hll, &arena), estimate);
        ck_assert_uint_eq(arena.used, 16384);
        arena_release(&arena);
    }
    ck_assert_double_le(sqrt(squares / N_SEEDS), sizes[_i].rms_max);
}
END_TEST

/* A member whose hash begins with index and then has rank - 1 zeros. */
static uint64_t
hash_of(uint64_t index, int rank)
{
    return index << (64 - HLL_PRECISION) | (rank > 50 ? 0 : UINT64_C(1) << (50 - rank));
}

/* Each register as n / 16,384 members leave it: none of them has a longer run with the
 * probability exp(-n / 16,384 / 2^rank). */
START_TEST(test_more_than_can_be_drawn)
{
    static const double sizes_of[] = {1e7, 1e9, 4e9, 1e12, 1e15};
    double sum = 0;

    for (int i = 0; i < N_SEEDS; i++) {
        uint64_t state = seed_of(i), estimate;
        struct hll hll = {0};
        struct arena arena;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
        for (uint64_t index = 0; index < HLL_REGISTERS; index++) {
            double chance = ((double)(draw(&state) >> 12) + 0.5) * 0x1p-52;
            double share = sizes_of[_i] / HLL_REGISTERS;
            int rank = (int)ceil(log2(share / -log(chance)));

            ck_assert_int_eq(hll_add(&hll, &arena, hash_of(index, rank < 1 ? 1 : rank)), 0);
        }
        estimate = hll_estimate(&hll, &arena);
        ck_assert_double_le(fabs(error_of(estimate, sizes_of[_i])), 0.025);
        sum += error_of(estimate, sizes_of[_i]);
        arena_release(&arena);
    }
    ck_assert_double_le(fabs(sum / N_SEEDS), 0.01);
}
END_TEST

/* Ertl's sigma and tau by their definitions. */
static double
sigma_by_terms(double x)
{
    double sum = x;

    for (int k = 1; k < 30; k++)
        sum += pow(x, exp2(k)) * exp2(k - 1);
    return sum;
}

static double
tau_by_terms(double x)
{
    double sum = 1 - x;

    for (int k = 1; k < 60; k++)
        sum -= pow(1 - pow(x, exp2(-k)), 2) * exp2(-k);
    return sum / 3;
}

/* So many registers of one rank and the rest of another. */
START_TEST(test_by_the_formula)
{
    static const struct {
        int n_one, one, other;
    } rows[] = {{150, 1, 0},  {90, 3, 0},    {8000, 2, 0},  {16383, 1, 0},
                {5000, 7, 9}, {100, 51, 40}, {384, 51, 50}, {1000, 50, 49}};
    static const double m = HLL_REGISTERS;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double n_of[52] = {0}, sum, expected, estimate;
        struct hll hll = {0};
        struct arena arena;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
        for (int index = 0; index < HLL_REGISTERS; index++) {
            int rank = index < rows[i].n_one ? rows[i].one : rows[i].other;

            n_of[rank]++;
            if (rank > 0)
                ck_assert_int_eq(hll_add(&hll, &arena, hash_of((uint64_t)index, rank)), 0);
        }
        sum = m * sigma_by_terms(n_of[0] / m) + m * tau_by_terms(1 - n_of[51] / m) * 0x1p-50;
        for (int rank = 1; rank <= 50; rank++)
            sum += n_of[rank] * exp2(-rank);
        expected = m * m / (2 * M_LN2 * sum);
        estimate = (double)hll_estimate(&hll, &arena);
        ck_assert_double_le(fabs(estimate - expected), 0.5 + 1e-4 * expected * (expected > 1e6));
        arena_release(&arena);
    }
}
END_TEST

START_TEST(test_extreme_hashes)
{
    static const uint64_t hashes[] = {0, 1, UINT64_MAX, UINT64_C(1) << 49, UINT64_C(1) << 50};
    struct hll hll = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        ck_assert_int_eq(hll_add(&hll, &arena, hashes[i]), 0);
        ck_assert_uint_eq(hll_estimate(&hll, &arena), 1);
        hll_reset(&hll, &arena);
    }
    for (uint64_t i = 0; i < HLL_REGISTERS; i++)
        ck_assert_int_eq(hll_add(&hll, &arena, hash_of(i, 51)), 0);
    ck_assert_uint_eq(hll_estimate(&hll, &arena), UINT64_MAX);
    arena_release(&arena);
}
END_TEST

/* Every rank has a register of its own to be seen in: nothing but the longest run counts. */
START_TEST(test_longest_run_counts)
{
    struct hll rising = {0}, falling = {0}, longest = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    for (uint64_t index = 0; index < 51; index++) {
        int last = 1 + (int)index;

        for (int rank = 1; rank <= last; rank++) {
            ck_assert_int_eq(hll_add(&rising, &arena, hash_of(index, rank)), 0);
            ck_assert_int_eq(hll_add(&falling, &arena, hash_of(index, last + 1 - rank)), 0);
        }
        ck_assert_int_eq(hll_add(&longest, &arena, hash_of(index, last)), 0);
    }
    for (unsigned i = 0; i < 51; i++) {
        const uint8_t *registers = arena_at(&arena, rising.registers);

        ck_assert_uint_eq(registers[i], i + 1);
    }
    ck_assert_mem_eq(arena_at(&arena, rising.registers), arena_at(&arena, longest.registers),
                     HLL_REGISTERS);
    ck_assert_mem_eq(arena_at(&arena, falling.registers), arena_at(&arena, longest.registers),
                     HLL_REGISTERS);
    arena_release(&arena);
}
END_TEST

/* Two that overlap by a third; where a size is 0, one of them is empty. */
START_TEST(test_merge_is_union)
{
    static const struct {
        uint64_t n_left, n_common, n_right;
    } rows[] = {{0, 0, 0}, {0, 0, 500}, {500, 0, 0}, {0, 40000, 0}, {30000, 30000, 30000}};
    struct hll all = {0}, left = {0}, right = {0};
    struct arena arena, right_arena;
    uint64_t state = seed_of(0), again;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    ck_assert_int_eq(arena_init(&right_arena, &(struct arena_opts){.size = ARENA_SIZE}), 0);
    add_drawn(&left, &arena, rows[_i].n_left, &state);
    again = state;
    add_drawn(&left, &arena, rows[_i].n_common, &state);
    add_drawn(&right, &right_arena, rows[_i].n_common, &again);
    add_drawn(&right, &right_arena, rows[_i].n_right, &again);
    state = seed_of(0);
    add_drawn(&all, &arena, rows[_i].n_left + rows[_i].n_common + rows[_i].n_right, &state);
    ck_assert_int_eq(hll_merge(&left, &arena, &right, &right_arena), 0);
    ck_assert_uint_eq(hll_estimate(&left, &arena), hll_estimate(&all, &arena));
    if (all.registers != 0)
        ck_assert_mem_eq(arena_at(&arena, left.registers), arena_at(&arena, all.registers),
                         HLL_REGISTERS);
    ck_assert_int_eq(hll_merge(&left, &arena, &left, &arena), 0);
    ck_assert_uint_eq(hll_estimate(&left, &arena), hll_estimate(&all, &arena));
    arena_release(&right_arena);
    arena_release(&arena);
}
END_TEST

START_TEST(test_full_arena)
{
    struct hll hll = {0}, other = {0};
    struct arena arena, small;
    uint64_t state = seed_of(0);

    ck_assert_int_eq(arena_init(&small, &(struct arena_opts){.size = 16384}), 0);
    ck_assert_int_eq(hll_add(&other, &small, 1), -1);
    ck_assert_uint_eq(other.registers, 0);
    ck_assert_uint_eq(hll_estimate(&other, &small), 0);
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 16384 + ARENA_UNIT}), 0);
    add_drawn(&hll, &arena, 1000, &state);
    ck_assert_int_eq(hll_merge(&other, &small, &hll, &arena), -1);
    ck_assert_uint_eq(other.registers, 0);
    ck_assert_uint_eq(small.used, 0);
    ck_assert_int_eq(hll_merge(&hll, &arena, &other, &small), 0);
    hll_reset(&hll, &arena);
    hll_reset(&hll, &arena);
    ck_assert_uint_eq(arena.used, 0);
    ck_assert_uint_eq(hll_estimate(&hll, &arena), 0);
    ck_assert_int_eq(hll_add(&other, &arena, 1), 0); /* in memory that was given back */
    ck_assert_uint_eq(hll_estimate(&other, &arena), 1);
    arena_release(&arena);
    arena_release(&small);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("hll");
    TCase *tcase = tcase_create("hll");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_estimates, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_loop_test(tcase, test_more_than_can_be_drawn, 0, 5);
    tcase_add_test(tcase, test_by_the_formula);
    tcase_add_test(tcase, test_extreme_hashes);
    tcase_add_test(tcase, test_longest_run_counts);
    tcase_add_loop_test(tcase, test_merge_is_union, 0, 5);
    tcase_add_test(tcase, test_full_arena);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
