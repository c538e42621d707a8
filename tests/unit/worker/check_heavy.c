/*
 * check_heavy: what is counted is never more than it was, and the largest are found.
 */
#include "worker/heavy.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define N_BUCKETS 16
#define N_PLACES  (N_BUCKETS * HEAVY_WAYS)

static const struct hash_key key = {1, 2};
static struct heavy_bucket buckets[N_BUCKETS];
static struct heavy heavy;

static void
set_up(void)
{
    memset(buckets, 0, sizeof(buckets));
    heavy = (struct heavy){buckets, N_BUCKETS};
}

static void
add(const char *text, double weight)
{
    heavy_add(&heavy, hash_bytes(&key, text, strlen(text)), text, strlen(text), weight);
}

/* As text, "KEY=COUNT;…". */
static const char *
top(size_t n)
{
    static char text[1024];
    struct heavy_item items[N_PLACES];
    size_t len = 0;

    text[0] = '\0';
    n = heavy_top(&heavy, items, n);
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s=%g;", (int)items[i].len,
                                items[i].text, items[i].count);
    return text;
}

START_TEST(counted)
{
    ck_assert_str_eq(top(10), "");
    add("a", 1);
    add("b", 5);
    add("c", 2);
    add("a", 2);
    ck_assert_str_eq(top(10), "b=5;a=3;c=2;");
    ck_assert_str_eq(top(3), "b=5;a=3;c=2;");
    ck_assert_str_eq(top(2), "b=5;a=3;");
    ck_assert_str_eq(top(1), "b=5;");
    ck_assert_str_eq(top(0), "");
}
END_TEST

START_TEST(scaled)
{
    add("a", 8);
    add("b", 4);
    heavy_scale(&heavy, 0.5);
    add("b", 4);
    ck_assert_str_eq(top(10), "b=6;a=4;");
    heavy_scale(&heavy, 0);
    ck_assert_str_eq(top(10), "");
}
END_TEST

/* In one bucket, which is all there is: a new one inherits the smallest as its error. */
START_TEST(the_smallest_gives_way)
{
    char name[2] = "a";

    heavy.n_buckets = 1;
    for (; name[0] < 'a' + HEAVY_WAYS; name[0]++)
        add(name, 10 + name[0] - 'a');
    add("new", 3);
    ck_assert_str_eq(top(3), "h=17;g=16;f=15;");
    ck_assert_str_eq(top(HEAVY_WAYS), "h=17;g=16;f=15;e=14;d=13;c=12;b=11;new=3;");
    add("new", 1);
    ck_assert_ptr_nonnull(strstr(top(HEAVY_WAYS), "b=11;new=4;"));
}
END_TEST

START_TEST(the_largest_among_many)
{
    struct heavy_item items[N_PLACES];
    unsigned number = 1;
    char name[32];

    for (unsigned i = 0; i < 100000; i++) {
        number = number * 1103515245 + 12345;
        snprintf(name, sizeof(name), i % 10 == 0 ? "big" : "small%u", number >> 8);
        add(name, 1);
    }
    ck_assert_uint_eq(heavy_top(&heavy, items, N_PLACES), N_PLACES);
    ck_assert_mem_eq(items[0].text, "big", items[0].len);
    ck_assert_double_le(items[0].count, 10000);
    ck_assert_double_ge(items[0].count, 9000);
    ck_assert_double_le(items[1].count, 200);
}
END_TEST

START_TEST(long_keys_are_cut)
{
    char name[HEAVY_TEXT_MAX + 3];
    struct heavy_item item;

    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    add(name, 1);
    ck_assert_uint_eq(heavy_top(&heavy, &item, 1), 1);
    ck_assert_uint_eq(item.len, HEAVY_TEXT_MAX + 2);
    ck_assert_mem_eq(item.text, name, HEAVY_TEXT_MAX);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("heavy");
    TCase *tcase = tcase_create("heavy");
    SRunner *runner;
    int n_failed;

    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, counted);
    tcase_add_test(tcase, scaled);
    tcase_add_test(tcase, the_smallest_gives_way);
    tcase_add_test(tcase, the_largest_among_many);
    tcase_add_test(tcase, long_keys_are_cut);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
