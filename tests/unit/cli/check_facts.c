/*
 * check_facts: keys and values, and what is no pair of them.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/facts.h"

START_TEST(test_lookup)
{
    struct facts facts = {0};
    size_t at = 0;

    ck_assert_int_eq(facts_add(&facts, "version 1.0.0"), 0);
    ck_assert_int_eq(facts_add(&facts, "listen 127.0.0.1:8125 [::1]:8125"), 0);
    ck_assert_int_eq(facts_add(&facts, "age_s -"), 0);
    ck_assert_int_eq(facts_add(&facts, "bad 20"), 0);
    ck_assert_int_eq(facts_add(&facts, "bad.no_value 17"), 0);
    ck_assert_int_eq(facts_add(&facts, "bad.type 3.5"), 0);
    ck_assert_str_eq(facts_text(&facts, "listen"), "127.0.0.1:8125 [::1]:8125");
    ck_assert_ptr_null(facts_text(&facts, "age_s"));
    ck_assert_ptr_null(facts_text(&facts, "nothing"));
    ck_assert(facts_number(&facts, "bad.type") == 3.5);
    ck_assert(isnan(facts_number(&facts, "listen")));
    ck_assert(isnan(facts_number(&facts, "age_s")));
    ck_assert_str_eq(facts_next(&facts, "bad.", &at)->key, "bad.no_value");
    ck_assert_str_eq(facts_next(&facts, "bad.", &at)->key, "bad.type");
    ck_assert_ptr_null(facts_next(&facts, "bad.", &at));
    facts_release(&facts);
    ck_assert_ptr_null(facts_text(&facts, "version"));
}
END_TEST

START_TEST(test_what_is_no_fact)
{
    struct facts facts = {0};

    ck_assert_int_eq(facts_add(&facts, ""), -1);
    ck_assert_int_eq(facts_add(&facts, "alone"), -1);
    ck_assert_int_eq(facts_add(&facts, " value"), -1);
    ck_assert_uint_eq(facts.n_facts, 0);
    facts_release(&facts);
}
END_TEST

START_TEST(test_bound)
{
    struct facts facts = {0};

    for (size_t i = 0; i < FACTS_MAX; i++) {
        char line[32];

        snprintf(line, sizeof(line), "key%zu %zu", i, i);
        ck_assert_int_eq(facts_add(&facts, line), 0);
    }
    ck_assert_int_eq(facts_add(&facts, "one more"), -1);
    ck_assert(facts_number(&facts, "key1023") == 1023);
    facts_release(&facts);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("facts");
    TCase *tcase = tcase_create("facts");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_lookup);
    tcase_add_test(tcase, test_what_is_no_fact);
    tcase_add_test(tcase, test_bound);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
