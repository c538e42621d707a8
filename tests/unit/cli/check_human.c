/*
 * check_human: the units that people are shown, and where one gives way to the next.
 */
#include <check.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "cli/human.h"

struct row {
    double number;
    const char *text;
};

static void
check_rows(const struct row *rows, size_t n, void (*format)(double, char *))
{
    for (size_t i = 0; i < n; i++) {
        char text[HUMAN_MAX];

        format(rows[i].number, text);
        ck_assert_msg(strcmp(text, rows[i].text) == 0, "%g is \"%s\", not \"%s\"", rows[i].number,
                      text, rows[i].text);
    }
}

START_TEST(test_counts)
{
    static const struct row rows[] = {
        {0, "0"},         {-0.0, "0"},      {0.04, "0"},        {0.36, "0.4"},
        {7, "7"},         {12.34, "12.3"},  {99.94, "99.9"},    {99.96, "100"},
        {100.4, "100"},   {999.4, "999"},   {999.5, "1k"},      {1234, "1.2k"},
        {12345, "12.3k"}, {999499, "999k"}, {999500, "1M"},     {3.4e6, "3.4M"},
        {5e9, "5G"},      {1e12, "1T"},     {1e15, "1P"},       {5e18, "5000P"},
        {-1500, "-1.5k"}, {1e300, "huge"},  {(double)NAN, "-"}, {(double)INFINITY, "-"},
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]), human_count);
}
END_TEST

START_TEST(test_sizes)
{
    static const struct row rows[] = {
        {0, "0 B"},           {512, "512 B"},       {1023, "1023 B"},       {1024, "1 KiB"},
        {1536, "1.5 KiB"},    {3565158, "3.4 MiB"}, {268435456, "256 MiB"}, {3221225472, "3 GiB"},
        {1.5e18, "1332 PiB"}, {(double)NAN, "-"},
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]), human_size);
}
END_TEST

START_TEST(test_ages)
{
    static const struct row rows[] = {
        {0, "0s"},       {0.0001, "1ms"},    {0.003, "3ms"},   {0.9994, "999ms"},
        {0.9996, "1s"},  {1.42, "1.4s"},     {9.94, "9.9s"},   {9.96, "10s"},
        {59.4, "59s"},   {59.6, "1m 0s"},    {303, "5m 3s"},   {3599.6, "1h 0m"},
        {7512, "2h 5m"}, {86399, "23h 59m"}, {86400, "1d 0h"}, {273600, "3d 4h"},
        {-1, "-"},       {(double)NAN, "-"}, {1e18, "-"},
    };

    check_rows(rows, sizeof(rows) / sizeof(rows[0]), human_age);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("human");
    TCase *tcase = tcase_create("human");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_counts);
    tcase_add_test(tcase, test_sizes);
    tcase_add_test(tcase, test_ages);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
