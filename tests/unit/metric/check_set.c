/*
 * check_set: every member counts once, however many there are and whatever their hashes.
 */
#include "metric/set.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static double
count_of(const struct set *set)
{
    struct record record = {.source = METRIC_SET};

    set_points(set, &record);
    ck_assert_uint_eq(record.n_points, 1);
    ck_assert_uint_eq(record.points[0].statistic, STATISTIC_COUNT);
    return record.points[0].value;
}

static void
add_all(struct set *set, struct arena *arena, uint64_t n, uint64_t factor)
{
    for (uint64_t i = 1; i <= n; i++) {
        if (set_add(set, arena, i * factor) != 0)
            ck_abort_msg("no room for member %lu", (unsigned long)i);
    }
}

START_TEST(test_members_count_once)
{
    static const uint64_t members[] = {5, 7, 5, UINT64_MAX, 7, 5, UINT64_MAX, 6};
    static const double counts[] = {1, 2, 2, 3, 3, 3, 3, 4};
    struct set set = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, 1 << 16), 0);
    ck_assert_double_eq(count_of(&set), 0);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        ck_assert_int_eq(set_add(&set, &arena, members[i]), 0);
        ck_assert_double_eq(count_of(&set), counts[i]);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(test_hash_zero_is_a_member)
{
    struct set set = {0};
    struct arena arena;

    ck_assert_int_eq(arena_init(&arena, 1 << 16), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(set_add(&set, &arena, 0), 0);
    ck_assert_double_eq(count_of(&set), 1);
    ck_assert_int_eq(set_add(&set, &arena, 2), 0);
    ck_assert_double_eq(count_of(&set), 2);
    set_reset(&set, &arena);
    ck_assert_int_eq(set_add(&set, &arena, 2), 0);
    ck_assert_int_eq(set_add(&set, &arena, 0), 0);
    ck_assert_double_eq(count_of(&set), 2);
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

        ck_assert_int_eq(arena_init(&arena, 8 << 20), 0);
        for (int again = 0; again < 2; again++) {
            add_all(&set, &arena, rows[i].n, rows[i].factor);
            ck_assert_double_eq(count_of(&set), (double)rows[i].n);
        }
        set_reset(&set, &arena);
        ck_assert_uint_eq(arena.used, 0);
        ck_assert_double_eq(count_of(&set), 0);
        set_reset(&set, &arena);
        add_all(&set, &arena, 3, 1);
        ck_assert_double_eq(count_of(&set), 3);
        arena_release(&arena);
    }
}
END_TEST

START_TEST(test_full_arena_keeps_what_is_there)
{
    struct set set = {0}, other = {0};
    struct arena arena;
    uint64_t n = 0;

    ck_assert_int_eq(arena_init(&arena, 4096), 0);
    while (n < 1000 && set_add(&set, &arena, n + 1) == 0)
        n++;
    ck_assert_uint_ge(n, 96);
    ck_assert_uint_lt(n, 512);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(set_add(&set, &arena, 1000 + (uint64_t)i), -1);
    add_all(&set, &arena, n, 1); /* all there already */
    ck_assert_double_eq(count_of(&set), (double)n);
    set_reset(&set, &arena);
    ck_assert_int_eq(set_add(&other, &arena, 1), 0);
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
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
