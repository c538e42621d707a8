/*
 * check_say: text of others, made safe.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"

static char *
written(void (*write)(FILE *, const char *, size_t), const char *text, size_t len)
{
    char *out;
    size_t out_len;
    FILE *stream = open_memstream(&out, &out_len);

    write(stream, text, len);
    fclose(stream);
    return out;
}

START_TEST(test_safely)
{
    char *text = written(say_safely, "a\033[31m\x9b\n\0z", 9);

    ck_assert_str_eq(text, "a\\x1b[31m\\x9b\\x0a\\x00");
    free(text);
    text = written(say_safely, "~ !|\\", 5);
    ck_assert_str_eq(text, "~ !|\\");
    free(text);
}
END_TEST

START_TEST(test_elsewhere_as_it_is)
{
    FILE *file = tmpfile();
    char text[8] = "";

    say_as_fits(file, "\033[31", 4);
    rewind(file);
    ck_assert_uint_eq(fread(text, 1, sizeof(text), file), 4);
    ck_assert_mem_eq(text, "\033[31", 4);
    ck_assert(!say_in_colour(file));
    fclose(file);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("say");
    TCase *tcase = tcase_create("say");
    SRunner *runner;
    int n_failed;

    tcase_add_test(tcase, test_safely);
    tcase_add_test(tcase, test_elsewhere_as_it_is);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}
