/*
 * check_progress: the pace and the bar.
 */
#include <check.h>
#include <string.h>

#include "cli/progress.h"

START_TEST(test_pace)
{
    double due_s = 0;
    uint64_t wait_ns;

    ck_assert_uint_eq(progress_pace(&due_s, 8 * 1432, 100), 0);
    wait_ns = progress_pace(&due_s, 7000, 100);
    ck_assert_uint_ge(wait_ns, 999000);
    ck_assert_uint_le(wait_ns, 1001000);
    ck_assert_uint_eq(progress_pace(&due_s, 0, 100.002), 0);
    /* What was missed while nothing came is not caught up with. */
    wait_ns = progress_pace(&due_s, 8 * 1432 + 7000000, 3600);
    ck_assert_uint_ge(wait_ns, 999000000);
    ck_assert_uint_le(wait_ns, 1001000000);
}
END_TEST

START_TEST(test_bar)
{
    static const struct {
        struct progress progress;
        unsigned columns;
        const char *text;
    } rows[] = {
        {{500, 1000, 1200, 2}, 60, "[#########---------]  50%  1.2k lines, 600/s, 2s left"},
        {{0, 1000, 0, 0}, 60, "[-------------------]   0%  0 lines, 0/s, - left"},
        {{1000, 1000, 5, 1}, 60, "[####################] 100%  5 lines, 5/s, 0s left"},
        {{2000, 1000, 5, 1}, 60, "[####################] 100%  5 lines, 5/s, 0s left"},
        {{0, 0, 0, 1}, 60, "[####################] 100%  0 lines, 0/s, 0s left"},
        {{500, 1000, 1200, 2}, 20, "  50%  1.2k lines, 6"},
        {{500, 1000, 1200, 2}, 0, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];

        progress_format(&rows[i].progress, rows[i].columns, text, sizeof(text));
        ck_assert_uint_le(strlen(text), rows[i].columns);
        if (rows[i].columns == 60) { /* the bar fills what the numbers leave, up to its most */
            ck_assert_ptr_eq(strchr(text, '['), text);
            ck_assert_str_eq(strchr(text, ']'), strchr(rows[i].text, ']'));
        } else {
            ck_assert_str_eq(text, rows[i].text);
        }
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("progress");
    TCase *tcase = tcase_create("progress");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_pace);
    tcase_add_test(tcase, test_bar);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
