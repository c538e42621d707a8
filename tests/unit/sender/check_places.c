/*
 * check_places: gaps before, between and behind what is taken.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sender/places.h"

START_TEST(test_find)
{
    static const struct {
        struct place places[4];
        size_t n, n_pages, n_all;
        uint32_t page;
    } rows[] = {
        {{{0, 0}}, 0, 1, 1, 0},
        {{{0, 0}}, 0, 2, 1, UINT32_MAX},
        {{{0, 0}}, 0, 1, 0, UINT32_MAX},
        {{{2, 3}}, 1, 2, 10, 0},          /* before */
        {{{2, 3}}, 1, 3, 10, 5},          /* behind */
        {{{2, 3}}, 1, 5, 10, 5},          /* to the end */
        {{{2, 3}}, 1, 6, 10, UINT32_MAX}, /* one too many */
        {{{0, 2}, {4, 1}}, 2, 2, 5, 2},   /* between */
        {{{0, 2}, {4, 1}}, 2, 3, 5, UINT32_MAX},
        {{{0, 2}, {2, 3}, {6, 2}, {9, 1}}, 4, 1, 10, 5}, /* the first of two */
        {{{0, 10}}, 1, 1, 10, UINT32_MAX},               /* all is taken */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(places_find(rows[i].places, rows[i].n, rows[i].n_pages, rows[i].n_all) ==
                          rows[i].page,
                      "row %zu", i);
}
END_TEST

START_TEST(test_sort)
{
    struct place places[] = {{7, 1}, {0, 2}, {UINT32_MAX - 1, 1}, {3, 4}};
    static const struct place want[] = {{0, 2}, {3, 4}, {7, 1}, {UINT32_MAX - 1, 1}};

    places_sort(places, 4);
    ck_assert_int_eq(memcmp(places, want, sizeof(want)), 0);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("places");
    TCase *tcase = tcase_create("places");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_find);
    tcase_add_test(tcase, test_sort);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
