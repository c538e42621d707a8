/*
 * index: found again whatever else is put in, moved or taken out, and through its replacement.
 */
#include "metric/index.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N 3000

static struct arena arena;
static struct index index_;
static struct arena_pile retired;
static arena_ref refs[N];

/* Few hashes, so that most places are not where a search begins. */
static uint32_t
hash_of(uint32_t i)
{
    return i % 97 * 0x01000193u;
}

static struct name
name_of(uint32_t i, char text[16])
{
    return (struct name){.text = text, .len = (size_t)snprintf(text, 16, "name.%u", i)};
}

static void
set_up(void)
{
    retired = (struct arena_pile){0};
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 1 << 20}), 0);
    ck_assert_int_eq(index_init(&index_, &arena, 0), 0);
    for (uint32_t i = 0; i < N; i++) {
        char text[16];
        struct name name = name_of(i, text);

        refs[i] = arena_take(&arena, metric_size(METRIC_COUNTER, name.len));
        ck_assert_uint_ne(refs[i], 0);
        metric_init(arena_at(&arena, refs[i]), METRIC_COUNTER, name.text, name.len, hash_of(i));
    }
}

static void
tear_down(void)
{
    arena_release(&arena);
}

static struct index_place *
find(uint32_t i, arena_ref *out)
{
    char text[16];
    struct name name = name_of(i, text);

    return index_find(&index_, &arena, METRIC_COUNTER, &name, hash_of(i), out);
}

static void
put(uint32_t i)
{
    arena_ref there;

    ck_assert_int_eq(index_make_room(&index_, &arena, i, &retired), 0);
    index_put(find(i, &there), refs[i], hash_of(i));
    ck_assert_uint_eq(there, 0);
}

static void
assert_found(uint32_t i, bool is_there)
{
    arena_ref ref;

    find(i, &ref);
    ck_assert_uint_eq(ref, is_there ? refs[i] : 0);
}

START_TEST(test_put_and_grow)
{
    uint32_t log2_n = index_.log2_n;

    for (uint32_t i = 0; i < N; i++)
        put(i);
    ck_assert_uint_gt(index_.log2_n, log2_n);
    ck_assert_uint_gt(retired.size, 0);
    for (uint32_t i = 0; i < N; i++)
        assert_found(i, true);
}
END_TEST

START_TEST(test_same_name_of_another_type)
{
    char text[16];
    struct name name = name_of(1, text);
    arena_ref ref;

    put(1);
    index_find(&index_, &arena, METRIC_TIMER, &name, hash_of(1), &ref);
    ck_assert_uint_eq(ref, 0);
}
END_TEST

START_TEST(test_vacate)
{
    arena_ref ref;

    for (uint32_t i = 0; i < 700; i++)
        put(i);
    for (uint32_t i = 0; i < 700; i += 3)
        index_vacate(&index_, &arena, find(i, &ref));
    for (uint32_t i = 0; i < 700; i++)
        assert_found(i, i % 3 != 0);
}
END_TEST

START_TEST(test_made_for_many)
{
    struct index made;

    ck_assert_int_eq(index_init(&made, &arena, N), 0);
    for (uint32_t i = 0; i < N; i++)
        index_add(&made, &arena, refs[i], hash_of(i));
    index_ = made;
    for (uint32_t i = 0; i < N; i++)
        assert_found(i, true);
    /* One more would still not make it grow. */
    ck_assert_int_eq(index_make_room(&index_, &arena, N, &retired), 0);
    ck_assert_uint_eq(index_.log2_n, made.log2_n);
}
END_TEST

START_TEST(test_no_memory)
{
    while (arena_take(&arena, 1024) != 0)
        continue;
    for (uint32_t i = 0; i < 768; i++)
        put(i);
    ck_assert_int_eq(index_make_room(&index_, &arena, 768, &retired), -1);
    assert_found(767, true);
}
END_TEST

START_TEST(test_hash_tells_types_apart)
{
    struct hash_key key = {0};
    struct name name = {.text = "a", .len = 1};

    ck_assert_uint_ne(index_hash(&key, METRIC_COUNTER, &name),
                      index_hash(&key, METRIC_TIMER, &name));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("index");
    TCase *tcase = tcase_create("index");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, test_put_and_grow);
    tcase_add_test(tcase, test_same_name_of_another_type);
    tcase_add_test(tcase, test_vacate);
    tcase_add_test(tcase, test_made_for_many);
    tcase_add_test(tcase, test_no_memory);
    tcase_add_test(tcase, test_hash_tells_types_apart);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
