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
        const char *whole; /* the type, where rate and tags are left with it */
    } rows[] = {
        {"a:1|c", "a", "1", "c", NULL, 1, "c"},
        {"a.b:-1.5|g", "a.b", "-1.5", "g", NULL, 1, "g"},
        {"t:320|ms|@0.10", "t", "320", "ms", NULL, 0.1, "ms|@0.10"},
        {"s:a:b c |s", "s", "a:b c ", "s", NULL, 1, "s"},
        {"a: \t1 |c", "a", "1", "c", NULL, 1, "c"},
        {"a:1|c|#x:1,y", "a", "1", "c", "x:1,y", 1, "c|#x:1,y"},
        {"a:1|c|@0.5|#x:1", "a", "1", "c", "x:1", 0.5, "c|@0.5|#x:1"},
        {"a:1|c|#x|@0.5", "a", "1", "c", "x", 0.5, "c|#x|@0.5"},
        {"a:1|c|#x|T1", "a", "1", "c|T1", "x", 1, "c|#x|T1"},
        {"a:1|c|c:id|@0.5|#x|e:y|T1", "a", "1", "c|c:id|e:y|T1", "x", 0.5, "c|c:id|@0.5|#x|e:y|T1"},
        {"a:1|g|foo", "a", "1", "g|foo", NULL, 1, "g|foo"},
        {"a:1|g|", "a", "1", "g|", NULL, 1, "g|"},
        {"a:1|g||", "a", "1", "g||", NULL, 1, "g||"},
        {"a:1|c|@x|#y", "a", "1", "c|@x", "y", 1, "c|@x|#y"},
        {"a:1|c|#x|#y", "a", "1", "c|#y", "x", 1, "c|#x|#y"},
    };

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        bool as_is = i % 2 != 0;
        char line[64];
        struct sample sample;

        strcpy(line, rows[i / 2].line);
        ck_assert_msg(sample_cut(line, as_is, &sample) == 0, "%s", rows[i / 2].line);
        ck_assert_str_eq(sample.name, rows[i / 2].name);
        ck_assert_str_eq(sample.value, rows[i / 2].value);
        ck_assert_str_eq(sample.type, as_is ? rows[i / 2].whole : rows[i / 2].type);
        ck_assert_pstr_eq(sample.tags, as_is ? NULL : rows[i / 2].tags);
        ck_assert(sample.rate == (as_is ? 1 : rows[i / 2].rate));
    }
}
END_TEST

START_TEST(test_others)
{
    static const char *const lines[] = {
        "",        "a",         "a:1",        "a:1|",     ":1|c",     "a:|c",  "a: |c",
        "a:1|c|@", "a:1|c|@0",  "a:1|c|@-1",  "a:1|c|@2", "a:1|c|@x", "a:1|C", "a:1|c:2|c",
        "a:1:2|c", "a:1|c |@1", "a:1|c|@nan", "a:1:2|ms", "a:1 :2|g",
    };

    for (size_t i = 0; i < 2 * sizeof(lines) / sizeof(lines[0]); i++) {
        char line[64];
        struct sample sample;

        strcpy(line, lines[i / 2]);
        ck_assert_msg(sample_cut(line, i % 2 != 0, &sample) == -1, "%s", lines[i / 2]);
    }
}
END_TEST

/* More than any datagram has. */
START_TEST(test_long)
{
    static char line[2 * PYSTATSD_DATAGRAM_MAX];
    struct sample sample;

    for (size_t i = 0; i < 2; i++) {
        memset(line, 'x', sizeof(line) - 1);
        memcpy(line, i == 0 ? "a:1|" : "a:1|c|", i == 0 ? 4 : 6);
        ck_assert_int_eq(sample_cut(line, true, &sample), -1);
        memset(line, 'x', sizeof(line) - 1);
        memcpy(line, i == 0 ? "a:1|" : "a:1|c|", i == 0 ? 4 : 6);
        line[4 + 2 * i + PYSTATSD_DATAGRAM_MAX - 2 * i] = '\0';
        ck_assert_int_eq(sample_cut(line, true, &sample), 0);
        ck_assert_uint_eq(strlen(sample.type), PYSTATSD_DATAGRAM_MAX);
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
    tcase_add_test(tcase, test_long);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
