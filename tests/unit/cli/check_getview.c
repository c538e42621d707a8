/*
 * check_getview: metrics under their headings.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/getview.h"

START_TEST(test_groups)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    getview_print(
        out, "counter a.b sum 12\ncounter a.b rate 1.6146393972012916\ncounter a.b age_s 7512.3\n"
             "gauge a.b value 0.00001234567\ngauge a.b age_s -\n"
             "set a.bc count 3\n"
             "something \033else\n"
             "timer t a_long_name 1 2");
    fclose(out);
    ck_assert_str_eq(text, "counter a.b\n"
                           "  sum      12\n"
                           "  rate     1.615 a second\n"
                           "  last     2h 5m ago\n"
                           "gauge a.b\n"
                           "  value    1.23457e-05\n"
                           "  age_s    -\n"
                           "set a.bc\n"
                           "  count    3\n"
                           "something \\x1belse\n"
                           "timer t\n"
                           "  a_long_name 1 2\n");
    free(text);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("getview");
    TCase *tcase = tcase_create("getview");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_groups);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
