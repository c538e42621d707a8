/*
 * check_set: every member counts once, however many there are and whatever their hashes.
 */
#include "metric/set.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SEED UINT64_C(20240306)

/* How many members are kept exactly; a test may lower it. */
static uint32_t limit = UINT32_MAX;

/* splitmix64: the hash of a whole number, one by one another. */
static uint64_t
hash_of(uint64_t member)
{
    uint64_t z = SEED + member * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double
count_of_parts(const struct set_part *parts, size_t n)
{
    struct record record = {.source = METRIC_SET};
    struct arena scratch;

    ck_assert_int_eq(arena_init(&scratch, &(struct arena_opts){.size = SET_SCRATCH}), 0);
    set_points(parts, n, &scratch, &record);
    ck_assert_uint_eq(scratch.used, 0);
    arena_release(&scratch);
    ck_assert_uint_eq(record.n_points, 1);
    ck_assert_uint_eq(record.points[0].statistic, STATISTIC_COUNT);
    return record.points[0].value;
}

static double
count_of(const struct set *set, const struct arena *arena)
{
    struct set_part part = {.set = set, .arena = arena};

    return count_of_parts(&part, 1);
}

/* As a flush and the close behind it do it. */
static void
reset(struct set *set, struct arena *arena)
{
    struct arena_pile pile = {0};

    set_reset(set, arena, &pile);
    arena_take_back(arena, &pile);
}

static void
add_all(struct set *set, struct arena *arena, uint64_t n, uint64_t factor)
{
    for (uint64_t i = 1; i <= n; i++) {
        if (set_add(set, arena, i * factor, limit) != 0)
            ck_abort_msg("no room for member %lu", (unsigned long)i);
    }
}

START_TEST(test_members_count_once)
{
    static const uint64_t members[] = {5, 7, 5, UINT64_MAX, 7, 5, UINT64_MAX, 6};
    static const double counts[] = {1, 2, 2, 3, 3, 3, 3, 4};
    struct set set = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 16}), 0);
    ck_assert_double_eq(count_of(&set, &arena), 0);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        ck_assert_int_eq(set_add(&set, &arena, members[i], limit), 0);
        ck_assert_double_eq(count_of(&set, &arena), counts[i]);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(test_hash_zero_is_a_member)
{
    struct set set = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 16}), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(set_add(&set, &arena, 0, limit), 0);
    ck_assert_double_eq(count_of(&set, &arena), 1);
    ck_assert_int_eq(set_add(&set, &arena, 2, limit), 0);
    ck_assert_double_eq(count_of(&set, &arena), 2);
    reset(&set, &arena);
    ck_assert_int_eq(set_add(&set, &arena, 2, limit), 0);
    ck_assert_int_eq(set_add(&set, &arena, 0, limit), 0);
    ck_assert_double_eq(count_of(&set, &arena), 2);
    arena_release(&arena);
}
END_TEST

/* Factors whose products stand in a row, are spread, and meet in their low bits. */
START_TEST(test_many_doublings)
{
    static const struct {
        uint64_t factor, n;
    } rows[] = {{1, 100000}, {UINT64_C(0x9e3779b97f4a7c15), 100000}, {UINT64_C(1) << 20, 3000}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct set set = {0};
        struct arena arena;

        ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 8 << 20}), 0);
        for (int again = 0; again < 2; again++) {
            add_all(&set, &arena, rows[i].n, rows[i].factor);
            ck_assert_double_eq(count_of(&set, &arena), (double)rows[i].n);
        }
        reset(&set, &arena);
        ck_assert_uint_eq(arena.used, 0);
        ck_assert_double_eq(count_of(&set, &arena), 0);
        reset(&set, &arena);
        add_all(&set, &arena, 3, 1);
        ck_assert_double_eq(count_of(&set, &arena), 3);
        arena_release(&arena);
    }
}
END_TEST

START_TEST(test_full_arena_keeps_what_is_there)
{
    struct set set = {0}, other = {0};
    struct arena arena;
    uint64_t n = 0;

    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 4096}), 0);
    while (n < 1000 && set_add(&set, &arena, n + 1, limit) == 0)
        n++;
    ck_assert_uint_ge(n, 96);
    ck_assert_uint_lt(n, 512);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(set_add(&set, &arena, 1000 + (uint64_t)i, limit), -1);
    add_all(&set, &arena, n, 1); /* all there already */
    ck_assert_double_eq(count_of(&set, &arena), (double)n);
    reset(&set, &arena);
    ck_assert_int_eq(set_add(&other, &arena, 1, limit), 0);
    arena_release(&arena);
}
END_TEST

static void
add_range(struct set *set, struct arena *arena, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        if (set_add(set, arena, hash_of(i), limit) != 0)
            ck_abort_msg("no room for member %lu", (unsigned long)i);
    }
}

static void
check_near(double count, double expected)
{
    ck_assert_msg(fabs(count - expected) <= 0.02 * expected, "%g, not about %g", count, expected);
}

START_TEST(test_beyond_the_limit)
{
    static const uint64_t counts[] = {1, 99, 100, 101, 150, 1000, 10000, 300000};
    struct arena arena;

    limit = 100;
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 20}), 0);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct set set = {0};

        for (int again = 0; again < 2; again++) {
            add_range(&set, &arena, 0, counts[i]);
            if (counts[i] <= 100)
                ck_assert_double_eq(count_of(&set, &arena), (double)counts[i]);
            check_near(count_of(&set, &arena), (double)counts[i]);
            ck_assert_double_ge(count_of(&set, &arena), counts[i] < 100 ? (double)counts[i] : 100);
            ck_assert_int_eq(set.hll.registers != 0, counts[i] > 100);
        }
        reset(&set, &arena);
        ck_assert_uint_eq(arena.used, 0);
        ck_assert_uint_eq(set.hll.registers, 0);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(test_no_room_to_change_over)
{
    struct set set = {0};
    struct arena arena;
    size_t used;

    limit = 100;
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = HLL_REGISTERS}), 0);
    add_range(&set, &arena, 0, 100);
    used = arena.used;
    for (uint64_t i = 100; i < 110; i++)
        ck_assert_int_eq(set_add(&set, &arena, hash_of(i), limit), -1);
    ck_assert_uint_eq(arena.used, used);
    add_range(&set, &arena, 0, 100);
    ck_assert_double_eq(count_of(&set, &arena), 100);
    reset(&set, &arena);
    ck_assert_uint_eq(arena.used, 0);
    arena_release(&arena);
}
END_TEST

/* Parts that overlap, each with a stretch of the same numbers. */
static void
check_union(const uint64_t ranges[][2], size_t n, double expected, bool is_exact)
{
    struct arena arenas[5];
    struct set sets[5] = {0};
    struct set_part parts[5];

    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(arena_init(&arenas[i], &(struct arena_opts){.size = 1 << 20}), 0);
        parts[i] = (struct set_part){.set = &sets[i], .arena = &arenas[i]};
        add_range(&sets[i], &arenas[i], ranges[i][0], ranges[i][1]);
    }
    if (is_exact)
        ck_assert_double_eq(count_of_parts(parts, n), expected);
    else
        check_near(count_of_parts(parts, n), expected);
    for (size_t i = 0; i < n; i++)
        arena_release(&arenas[i]);
}

START_TEST(test_parts)
{
    static const struct {
        uint64_t ranges[5][2];
        size_t n;
        double expected;
        bool is_exact;
    } rows[] = {
        {{{0, 0}}, 1, 0, true},
        {{{0, 100}}, 1, 100, true},
        {{{0, 0}, {0, 0}}, 2, 0, true},
        {{{0, 50}, {50, 100}}, 2, 100, true},
        {{{0, 100}, {0, 100}}, 2, 100, true},
        {{{0, 60}, {0, 0}, {30, 90}}, 3, 90, true},
        {{{0, 100}, {50, 150}, {100, 200}, {10, 20}, {199, 201}}, 5, 201, true},
        {{{0, 1000}, {500, 1500}}, 2, 1500, false},
        {{{0, 1000}, {0, 1000}, {0, 1000}}, 3, 1000, false},
        {{{0, 100}, {50, 3000}}, 2, 3000, false}, /* one is exact, one is not */
        {{{0, 20000}, {5, 10}, {30000, 30100}, {0, 0}}, 4, 20100, false},
        {{{0, 5}, {5, 10}, {10, 15}, {15, 20}, {20, 200}}, 5, 200, false},
        {{{0, 40000}, {10000, 50000}, {20000, 60000}, {7, 8}, {60000, 80000}}, 5, 80000, false},
    };

    limit = 100;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_union(rows[i].ranges, rows[i].n, rows[i].expected, rows[i].is_exact);
}
END_TEST

/* However members are split, the answer is that of one part that has them all. */
START_TEST(test_splitting_changes_nothing)
{
    struct set whole = {0}, halves[2] = {0};
    struct set_part parts[2];
    struct arena arena;

    limit = 100;
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 20}), 0);
    add_range(&whole, &arena, 0, 5000);
    for (uint64_t i = 0; i < 5000; i++)
        add_range(&halves[i % 2], &arena, i, i + 1);
    for (size_t i = 0; i < 2; i++)
        parts[i] = (struct set_part){.set = &halves[i], .arena = &arena};
    ck_assert_double_eq(count_of_parts(parts, 2), count_of(&whole, &arena));
    arena_release(&arena);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("set");
    TCase *tcase = tcase_create("set");
    SRunner *runner;
    int n_failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, test_members_count_once);
    tcase_add_test(tcase, test_hash_zero_is_a_member);
    tcase_add_test(tcase, test_many_doublings);
    tcase_add_test(tcase, test_full_arena_keeps_what_is_there);
    tcase_add_test(tcase, test_beyond_the_limit);
    tcase_add_test(tcase, test_no_room_to_change_over);
    tcase_add_test(tcase, test_parts);
    tcase_add_test(tcase, test_splitting_changes_nothing);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
