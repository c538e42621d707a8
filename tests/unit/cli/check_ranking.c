/*
 * check_ranking: the lists of `top`, and lines that belong to none.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cli/ranking.h"

START_TEST(test_lists)
{
    static const char *const others[] = {"",         "name",     "name 1", "name 1 ",
                                         "name x y", "nome 1 a", " 1 a",   "name  a"};
    struct ranking ranking = {0};
    char text[HUMAN_MAX];

    ck_assert_int_eq(ranking_add(&ranking, "name 12.5 a.b"), 0);
    ck_assert_int_eq(ranking_add(&ranking, "name 1 c"), 0);
    ck_assert_int_eq(ranking_add(&ranking, "sender 3 ::1"), 0);
    ck_assert_int_eq(ranking_add(&ranking, "prefix 4 a.b"), 0);
    ck_assert_int_eq(ranking_add(&ranking, "new 90 counter x y"), 0);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert_msg(ranking_add(&ranking, others[i]) == -1, "%s", others[i]);
    ck_assert_uint_eq(ranking.lists[RANKING_NAME].n_entries, 2);
    ck_assert_str_eq(ranking.lists[RANKING_NAME].entries[1].text, "c");
    ck_assert_str_eq(ranking.lists[RANKING_SENDER].entries[0].text, "::1");
    ck_assert_str_eq(ranking.lists[RANKING_NEW].entries[0].text, "counter x y");
    ranking_format(RANKING_NEW, ranking.lists[RANKING_NEW].entries[0].number, text);
    ck_assert_str_eq(text, "1m 30s");
    ranking_format(RANKING_NAME, 12.5, text);
    ck_assert_str_eq(text, "12.5");
    ck_assert_str_eq(ranking_title(RANKING_NEW), "NEWEST NAMES");
    ck_assert_str_eq(ranking_unit(RANKING_PREFIX), "a second");
    ranking_release(&ranking);
    ck_assert_uint_eq(ranking.lists[RANKING_NAME].n_entries, 0);
}
END_TEST

START_TEST(test_bound)
{
    struct ranking ranking = {0};

    for (size_t i = 0; i < RANKING_MOST; i++)
        ck_assert_int_eq(ranking_add(&ranking, "name 1 a"), 0);
    ck_assert_int_eq(ranking_add(&ranking, "name 1 a"), -1);
    ck_assert_int_eq(ranking_add(&ranking, "sender 1 a"), 0);
    ranking_release(&ranking);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("ranking");
    TCase *tcase = tcase_create("ranking");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_lists);
    tcase_add_test(tcase, test_bound);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
