/*
 * check_json: strings and numbers, as JSON wants them.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"

START_TEST(test_strings)
{
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\r\t\x01\x1f\x7f", "\"\\n\\r\\t\\u0001\\u001f\\u007f\""},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xff", "\"\\ufffd\""},
        {"\xc3", "\"\\ufffd\""},
        {"\xe2\x82", "\"\\ufffd\\ufffd\""},
        {"\xc0\xaf", "\"\\ufffd\\ufffd\""},
        {"\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        json_string(out, rows[i].text);
        fclose(out);
        ck_assert_msg(strcmp(text, rows[i].json) == 0, "row %zu is %s", i, text);
        free(text);
    }
}
END_TEST

START_TEST(test_numbers)
{
    static const char *const numbers[] = {"0",     "-0",  "7",    "-12",    "1.5",
                                          "0.001", "1e9", "1E-3", "12.5e+3"};
    static const char *const others[] = {"",    "-",   "+1",  "01", "1.", ".5",  "1e",  "1e+",
                                         "0x1", "nan", "inf", "1 ", " 1", "1,5", "--1", "1.2.3"};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        ck_assert_msg(json_is_number(numbers[i]), "%s", numbers[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert_msg(!json_is_number(others[i]), "%s", others[i]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_strings);
    tcase_add_test(tcase, test_numbers);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
