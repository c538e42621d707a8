/*
 * check_index: held against a plain array while metrics come and go, under hashes of chance and
 * under such that crowd together or wrap round; and looked into while it grows.
 */
#include "metric/index.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED   20240309
#define N_KEYS 2000

static struct arena arena;
static struct index places;
static arena_ref refs[N_KEYS]; /* of the metrics; 0: not there */
static char names[N_KEYS][16];

static void
open_index(void)
{
    ck_assert_int_eq(arena_init(&arena, &(struct arena_opts){.size = 8 << 20}), 0);
    ck_assert_int_eq(index_init(&places, &arena, 0), 0);
    memset(refs, 0, sizeof(refs));
    for (size_t i = 0; i < N_KEYS; i++)
        (void)snprintf(names[i], sizeof(names[i]), "n%zu", i / METRIC_TYPE_COUNT);
    srandom(SEED);
}

static void
close_index(void)
{
    arena_release(&arena);
}

static enum metric_type
type_of(size_t key)
{
    return (enum metric_type)(key % METRIC_TYPE_COUNT);
}

/* The hashes: of chance; few different ones; at the end of any index. */
static uint32_t
hash_of(size_t key, int way)
{
    static const struct hash_key hash_key = {1, 2};
    struct name name = {.text = names[key], .len = strlen(names[key])};
    uint32_t hash = index_hash(&hash_key, type_of(key), &name);

    return way == 0 ? hash : way == 1 ? hash % 16 : hash | 0x7ffffff0;
}

static struct index_place *
find(size_t key, int way, arena_ref *out_ref)
{
    struct name name = {.text = names[key], .len = strlen(names[key])};

    return index_find(&places, &arena, type_of(key), &name, hash_of(key, way), out_ref);
}

static arena_ref
make_metric(size_t key, int way)
{
    arena_ref ref = arena_take(&arena, metric_size(type_of(key), strlen(names[key])));

    if (ref == 0)
        ck_abort_msg("no room for metric %zu", key);
    metric_init(arena_at(&arena, ref), type_of(key), names[key], strlen(names[key]),
                hash_of(key, way));
    return ref;
}

static void
check_all(int way)
{
    for (size_t key = 0; key < N_KEYS; key++) {
        arena_ref found;

        find(key, way, &found);
        if (found != refs[key])
            ck_abort_msg("%s %u is %u, not %u", names[key], (unsigned)type_of(key), found,
                         refs[key]);
    }
}

START_TEST(test_like_an_array)
{
    struct index_retired retired = {0};
    uint32_t n = 0, most = 0;

    for (int step = 0; step < 12000; step++) {
        size_t key = (size_t)random() % N_KEYS;
        bool grows = step / 2000 % 2 == 0;
        struct index_place *place;
        arena_ref found;

        if (index_make_room(&places, &arena, n, &retired) != 0)
            ck_abort_msg("no room");
        place = find(key, _i, &found);
        if (found != refs[key])
            ck_abort_msg("step %d", step);
        if (found == 0 && (grows || random() % 8 == 0)) {
            refs[key] = make_metric(key, _i);
            index_put(place, refs[key], hash_of(key, _i));
            n++;
        } else if (found != 0 && (!grows || random() % 8 == 0)) {
            index_vacate(&places, &arena, place);
            refs[key] = 0;
            n--;
        }
        most = n > most ? n : most;
        if (step % 500 == 0)
            check_all(_i);
    }
    check_all(_i);
    ck_assert_uint_gt(most, 1000);
    ck_assert_uint_gt(places.log2_n, 10);
}
END_TEST

/* Whoever looks into the one before finds all that was in it. */
START_TEST(test_grows_aside)
{
    struct index_retired retired = {0};
    struct index before = places;
    struct arena_pile pile = {0};
    uint32_t n = 0;
    size_t used;

    for (; places.log2_n == before.log2_n; n++) {
        ck_assert_int_eq(index_make_room(&places, &arena, n, &retired), 0);
        refs[n] = make_metric(n, 0);
        index_add(&places, &arena, refs[n], hash_of(n, 0));
    }
    ck_assert_uint_eq(n, 1024 / 4 * 3 + 1);
    ck_assert_uint_eq(places.log2_n, before.log2_n + 1);
    ck_assert_uint_eq(retired.n, 1);
    check_all(0);
    places = before;
    refs[n - 1] = 0;
    check_all(0);
    used = arena.used;
    index_pile_up(&retired, &arena, &pile);
    index_pile_up(&retired, &arena, &pile);
    arena_take_back(&arena, &pile);
    ck_assert_uint_eq(arena.used, used - 1024 * sizeof(struct index_place));
}
END_TEST

/* Room for so many from the beginning, as one that has grown to it has. */
START_TEST(test_size_at_the_start)
{
    static const struct {
        uint32_t n_metrics, log2_n;
    } rows[] = {{0, 10},    {1, 10},     {767, 10},   {768, 11},   {1535, 11},
                {1536, 12}, {98303, 17}, {98304, 18}, {100000, 18}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct index_retired retired = {0};
        struct index other;

        ck_assert_int_eq(index_init(&other, &arena, rows[i].n_metrics), 0);
        ck_assert_uint_eq(other.log2_n, rows[i].log2_n);
        ck_assert_int_eq(index_make_room(&other, &arena, rows[i].n_metrics, &retired), 0);
        ck_assert_uint_eq(other.log2_n, rows[i].log2_n);
        arena_give(&arena, other.places, sizeof(struct index_place) << other.log2_n);
    }
}
END_TEST

START_TEST(test_no_memory)
{
    struct index_retired retired = {0};
    struct arena small;
    struct index other, before;

    ck_assert_int_eq(arena_init(&small, &(struct arena_opts){.size = 4096}), 0);
    ck_assert_int_eq(index_init(&other, &small, 0), -1);
    arena_release(&small);
    ck_assert_int_eq(arena_init(&small, &(struct arena_opts){.size = 16384}), 0);
    ck_assert_int_eq(index_init(&other, &small, 768), -1);
    ck_assert_int_eq(index_init(&other, &small, 767), 0);
    before = other;
    ck_assert_int_eq(index_make_room(&other, &small, 768, &retired), -1);
    ck_assert_mem_eq(&other, &before, sizeof(before));
    ck_assert_uint_eq(retired.n, 0);
    arena_release(&small);
}
END_TEST

/* The same name of another type, and the same hash of another name, are others. */
START_TEST(test_compared_whole)
{
    static const char *const others[] = {"a", "ab", "abc", "abd", "b"};

    for (size_t i = 0; i < 5; i++) {
        for (unsigned type = 0; type < METRIC_TYPE_COUNT; type++) {
            struct name name = {.text = others[i], .len = strlen(others[i])};
            arena_ref ref = arena_take(&arena, metric_size((enum metric_type)type, name.len)),
                      found;
            struct index_place *place =
                index_find(&places, &arena, (enum metric_type)type, &name, 42, &found);

            ck_assert_uint_eq(found, 0);
            metric_init(arena_at(&arena, ref), (enum metric_type)type, name.text, name.len, 42);
            index_put(place, ref, 42);
            index_find(&places, &arena, (enum metric_type)type, &name, 42, &found);
            ck_assert_uint_eq(found, ref);
        }
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("index");
    TCase *tcase = tcase_create("index");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, open_index, close_index);
    tcase_add_loop_test(tcase, test_like_an_array, 0, 3);
    tcase_add_test(tcase, test_grows_aside);
    tcase_add_test(tcase, test_size_at_the_start);
    tcase_add_test(tcase, test_no_memory);
    tcase_add_test(tcase, test_compared_whole);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
