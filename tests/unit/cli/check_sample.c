/*
 * check_sample: lines that are samples, and lines that are none.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cli/sample.h"

START_TEST(test_samples)
{
    static const struct {
        const char *line, *name, *value, *type, *tags;
        double rate;
    } rows[] = {
        {"a:1|c", "a", "1", "c", NULL, 1},
        {"a.b:-1.5|g", "a.b", "-1.5", "g", NULL, 1},
        {"t:320|ms|@0.1", "t", "320", "ms", NULL, 0.1},
        {"s:a:b c|s", "s", "a:b c", "s", NULL, 1},
        {"a:1|c|#x:1,y", "a", "1", "c", "x:1,y", 1},
        {"a:1|c|@0.5|#x:1", "a", "1", "c", "x:1", 0.5},
        {"a:1|c|#x|@0.5", "a", "1", "c", "x", 0.5},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[64];
        struct sample sample;

        strcpy(line, rows[i].line);
        ck_assert_msg(sample_cut(line, &sample) == 0, "%s", rows[i].line);
        ck_assert_str_eq(sample.name, rows[i].name);
        ck_assert_str_eq(sample.value, rows[i].value);
        ck_assert_str_eq(sample.type, rows[i].type);
        ck_assert_pstr_eq(sample.tags, rows[i].tags);
        ck_assert(sample.rate == rows[i].rate);
    }
}
END_TEST

START_TEST(test_others)
{
    static const char *const lines[] = {
        "",         "a",         "a:1",     "a:1|",        ":1|c",       "a:|c",
        "a:1|c|",   "a:1|c|0.1", "a:1|c|@", "a:1|c|@0",    "a:1|c|@-1",  "a:1|c|@1.1",
        "a:1|c|@x", "a:1|c:2|c", "a:1|C",   "a:1|c|#x|#y", "a:1|c|@nan", "a:1|c |@1",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char line[64];
        struct sample sample;

        strcpy(line, lines[i]);
        ck_assert_msg(sample_cut(line, &sample) == -1, "%s", lines[i]);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sample");
    TCase *tcase = tcase_create("sample");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_samples);
    tcase_add_test(tcase, test_others);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
